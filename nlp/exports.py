"""Tables as files for Excel; a hostile text never becomes a live formula."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING

import docx
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from nlp import taxonomy
from nlp.drafting import with_slots
from nlp.errors import InvalidInputError
from nlp.review import ANSWERS, ROLE, SECONDARY, SHOWN, SUBTOPIC, TOPIC, shown_cells
from nlp.views import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

    from nlp.records import Frequency, StoredPassage, Suggestion

NAMES = {"topic": "主题", "department": "部门", "region": "地区", "level": "层级", "year": "年度", "kind": "类型"}
_TAIL = ("条数", "报告数", "占比", "占比下限（95%）", "占比上限（95%）")
_DRAFT_HEADS = ("问题", "参考表述", "出处")
_FONT = "宋体"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: Frequency, path: Path) -> None:
    """Write a frequency table as CSV with a byte-order mark, so that Excel opens it as UTF-8.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    with _writable(path), path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(NAMES[dimension] for dimension in table.by), *_TAIL])
        for row in table.rows:
            values = [_inert(shown(d, v)) for d, v in zip(table.by, row.values, strict=True)]
            writer.writerow([*values, row.count, row.reports, f"{row.share:.4f}", f"{row.low:.4f}", f"{row.high:.4f}"])


def write_xlsx(table: Frequency, path: Path) -> None:
    """Write a frequency table as a workbook with frozen heads, filters and percentages as numbers.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "频次"
    sheet.append([*(NAMES[dimension] for dimension in table.by), *_TAIL])
    for row in table.rows:
        values = [ILLEGAL_CHARACTERS_RE.sub("", shown(d, v)) for d, v in zip(table.by, row.values, strict=True)]
        sheet.append([*values, row.count, row.reports, row.share, row.low, row.high])
    for line in sheet.iter_rows(min_row=2):
        for cell in line[: len(table.by)]:
            cell.data_type = "s"
        for cell in line[-3:]:
            cell.number_format = "0.0%"
    _dress(sheet, (24, *([14] * 6)))
    with _writable(path):
        book.save(path)


def write_review(found: Sequence[StoredPassage], path: Path) -> None:
    """Write passages as a workbook in which a person fills in role and topics from drop-down lists.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "复核"
    sheet.append([*SHOWN, *ANSWERS])
    for item in found:
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", cell) for cell in shown_cells(item)])
    for line in sheet.iter_rows(min_row=2):
        for cell in line:
            if cell.value:  # an empty cell that says it has text is damage to Excel
                cell.data_type = "s"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    _dress(sheet, (18, 16, 7, 24, 60, 9, 11, 18, 7, 9, 11, 14, 20))
    options = book.create_sheet("选项")
    options.sheet_state = "hidden"
    topics, details = [entry.name for entry in taxonomy.topics()], [entry.name for entry in taxonomy.subtopics()]
    lists = {ROLE: [entry.name for entry in taxonomy.roles()], TOPIC: topics, SECONDARY: topics, SUBTOPIC: details}
    for place, (name, values) in enumerate(lists.items(), 1):
        for row, value in enumerate(values, 1):
            options.cell(row, place, value)
        letter = get_column_letter(place)
        # Several secondary topics may be typed in, with 、 between them.
        choice = DataValidation(
            type="list",
            formula1=f"选项!${letter}$1:${letter}${len(values)}",
            allow_blank=True,
            showErrorMessage=name != SECONDARY,
            errorTitle="请从列表中选择",
            error=f"{name}只能取列表中的一项",
        )
        sheet.add_data_validation(choice)
        column = get_column_letter(len(SHOWN) + 1 + ANSWERS.index(name))
        choice.add(f"{column}2:{column}{max(2, len(found) + 1)}")
    with _writable(path):
        book.save(path)


def write_draft(problem: str, found: Sequence[Suggestion], path: Path, *, original: bool) -> None:
    """Write reference wording as a Word table that a person can work in: problem, wording, sources.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    document = docx.Document()
    normal = document.styles["Normal"]
    normal.font.name = _FONT
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    normal.font.size = Pt(10.5)
    section = document.sections[0]
    section.page_width, section.page_height, section.orientation = Cm(29.7), Cm(21), WD_ORIENT.LANDSCAPE
    document.add_paragraph().add_run(f"起草参考：{_printable(problem)}").bold = True
    note = "各条均为报告原文的引用" + (
        "。" if original else "，其中的数字、日期、地名和单位换成了〔空位〕，原文见出处栏。"
    )
    document.add_paragraph(note)
    table = document.add_table(rows=1, cols=len(_DRAFT_HEADS), style="Table Grid")
    table.autofit = False
    for cell, head in zip(table.rows[0].cells, _DRAFT_HEADS, strict=True):
        cell.paragraphs[0].add_run(head).bold = True
    for item in found:
        text = item.found.passage.text
        wording = text if original else with_slots(text, item.found.report.identity)
        sources = [_source_line(source) for source in (item.found, *item.also)]
        if wording != text:
            sources.append(f"原文：{text}")
        asked = item.answers.passage.text if item.answers else problem
        for cell, value in zip(table.add_row().cells, (asked, wording, "\n".join(sources)), strict=True):
            cell.text = _printable(value)
    for row in table.rows:
        for cell, width in zip(row.cells, (7.5, 9.5, 7.5), strict=True):
            cell.width = Cm(width)
    with _writable(path):
        document.save(str(path))


def _source_line(found: StoredPassage) -> str:
    """Return where a passage stands, in a line."""
    identity, passage = found.report.identity, found.passage
    page = f"第{passage.page}页" if passage.page else ""
    parts = (
        f"《{identity.title}》",
        identity.department or "",
        str(identity.year or ""),
        " / ".join(passage.section),
        page,
    )
    return "，".join(part for part in parts if part)


def _printable(text: str) -> str:
    return ILLEGAL_CHARACTERS_RE.sub("", text)


def _dress(sheet: Worksheet, widths: Sequence[float]) -> None:
    """Make the head bold and frozen, with a filter, and set the widths of the columns."""
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInputError(
            f"写不进文件 {path}（{error.strerror}）；请检查文件夹是否存在、是否有权限，或先关闭正在使用它的程序"
        ) from error


def _inert(text: str) -> str:
    """Return a cell's text that a spreadsheet does not run.

    >>> _inert("=1+1"), _inert("预算执行")
    ("'=1+1", '预算执行')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
