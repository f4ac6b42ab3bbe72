"""Tables as files for Excel; a hostile text never becomes a live formula."""

from __future__ import annotations

import csv
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font

from nlp.records import Frequency
from nlp.views import shown

NAMES = {"topic": "主题", "department": "部门", "region": "地区", "level": "层级", "year": "年度", "kind": "类型"}
_TAIL = ("条数", "报告数", "占比", "占比下限（95%）", "占比上限（95%）")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: Frequency, path: Path) -> None:
    """Write a frequency table as CSV with a byte-order mark, so that Excel opens it as UTF-8."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(NAMES[dimension] for dimension in table.by), *_TAIL])
        for row in table.rows:
            values = [_inert(shown(d, v)) for d, v in zip(table.by, row.values, strict=True)]
            writer.writerow([*values, row.count, row.reports, f"{row.share:.4f}", f"{row.low:.4f}", f"{row.high:.4f}"])


def write_xlsx(table: Frequency, path: Path) -> None:
    """Write a frequency table as a workbook with frozen heads, filters and percentages as numbers."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "频次"
    sheet.append([*(NAMES[dimension] for dimension in table.by), *_TAIL])
    for row in table.rows:
        values = [shown(d, v) for d, v in zip(table.by, row.values, strict=True)]
        sheet.append([*values, row.count, row.reports, row.share, row.low, row.high])
    for line in sheet.iter_rows(min_row=2):
        for cell in line[: len(table.by)]:
            cell.data_type = "s"
        for cell in line[-3:]:
            cell.number_format = "0.0%"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    for column, width in zip("ABCDEFG", (24, *([14] * 6)), strict=True):
        sheet.column_dimensions[column].width = width
    book.save(path)


def _inert(text: str) -> str:
    """Return a cell's text that a spreadsheet does not run.

    >>> _inert("=1+1"), _inert("预算执行")
    ("'=1+1", '预算执行')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
