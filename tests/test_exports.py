from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from nlp.errors import InvalidInputError
from nlp.exports import write_csv, write_xlsx
from nlp.records import Frequency, FrequencyRow

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '=HYPERLINK("x","y")'
TABLE = Frequency(
    ("department", "topic"),
    "passage",
    (
        FrequencyRow((HOSTILE, "indicators"), 3, 2, 0.75, 0.3, 0.95),
        FrequencyRow((None, "other"), 1, 1, 0.25, 0.05, 0.7),
    ),
    4,
)
HEAD = ["部门", "主题", "条数", "报告数", "占比", "占比下限（95%）", "占比上限（95%）"]


def test_csv_opens_in_excel_as_chinese_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(TABLE, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    assert rows == [
        HEAD,
        [f"'{HOSTILE}", "绩效指标", "3", "2", "0.7500", "0.3000", "0.9500"],
        ["（未知）", "其他", "1", "1", "0.2500", "0.0500", "0.7000"],
    ]


def test_xlsx_keeps_numbers_as_numbers_and_text_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write_xlsx(TABLE, path)
    sheet = load_workbook(path)["频次"]
    assert [cell.value for cell in sheet[1]] == HEAD
    assert sheet["A2"].value == HOSTILE
    assert sheet["A2"].data_type == "s"
    assert (sheet["C2"].value, sheet["E2"].value, sheet["E2"].number_format) == (3, 0.75, "0.0%")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:G3")


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(InvalidInputError, match="写不进文件"):
        write(TABLE, tmp_path / "无" / "a.file")
