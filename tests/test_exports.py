from __future__ import annotations

import csv
import re
import zipfile
from typing import TYPE_CHECKING

import docx
import pytest
from openpyxl import load_workbook

from nlp import taxonomy
from nlp.copies import CopiedShare, Copies, Copy, Wording
from nlp.errors import InvalidInputError
from nlp.exports import method_note, write_csv, write_draft, write_recurrences, write_review, write_xlsx
from nlp.records import (
    Corrected,
    Filters,
    Frequency,
    FrequencyRow,
    Identity,
    Passage,
    Region,
    ReportCard,
    Role,
    Source,
    StoredPassage,
    Suggestion,
    Tags,
    Topic,
    TopicScore,
)
from nlp.recurrence import Chain, Recurrences
from nlp.review import read_decisions

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '=HYPERLINK("x","y")'
TABLE = Frequency(
    ("department", "topic"),
    "passage",
    (
        FrequencyRow(
            (HOSTILE, "indicators"), 3, 2, 0.75, 0.3, 0.95, 1, 2, Corrected(2.5, 1.5, 3.5, 0.7, 0.6, 0.8, enough=True)
        ),
        FrequencyRow(
            (None, "other"), 1, 1, 0.25, 0.05, 0.7, 2, None, Corrected(0.8, 0.0, 2.0, 0.2, 0.0, 0.6, enough=False)
        ),
    ),
    4,
)
HEAD = [
    *("部门", "主题", "排名", "条数", "报告数", "较上年", "占比", "占比下限（95%）", "占比上限（95%）"),
    *(
        "修正条数",
        "修正条数下限（95%）",
        "修正条数上限（95%）",
        "修正占比",
        "修正占比下限（95%）",
        "修正占比上限（95%）",
        "说明",
    ),
]


def test_csv_opens_in_excel_as_chinese_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(TABLE, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    assert rows == [
        HEAD,
        [
            f"'{HOSTILE}",
            "绩效指标",
            *["1", "3", "2", "2", "0.75", "0.3", "0.95", "2.5", "1.5", "3.5", "0.7", "0.6", "0.8"],
            "",
        ],
        [
            *["（未知）", "其他", "2", "1", "1"],
            "",
            *["0.25", "0.05", "0.7", "0.8", "0.0", "2.0", "0.2", "0.0", "0.6"],
            "条目太少，占比不足为据",
        ],
    ]


def test_xlsx_keeps_numbers_as_numbers_and_text_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write_xlsx(TABLE, [_quoted(HOSTILE)], path)
    book = load_workbook(path)
    sheet = book["频次"]
    assert [cell.value for cell in sheet[1]] == HEAD
    assert sheet["A2"].value == HOSTILE
    assert sheet["A2"].data_type == "s"
    assert (sheet["D2"].value, sheet["G2"].value, sheet["G2"].number_format) == (3, 0.75, "0.0%")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:P3")
    assert [sheet.cell(row, 16).value for row in (2, 3)] == [None, "条目太少，占比不足为据"]
    sources = {head.value: cell for head, cell in zip(book["出处"][1], book["出处"][2], strict=True)}
    assert (sources["原文"].value, sources["原文"].data_type, sources["年度"].value) == (HOSTILE, "s", 2024)
    notes = "".join(str(row[0].value) for row in book["方法"].iter_rows())
    assert "威尔逊" in notes
    assert "扣除了标注模型的误差" in notes


@pytest.mark.parametrize(
    ("by", "filters", "said"),
    [
        (("topic",), Filters(), "占比的分母是筛选后的全部措施条目。"),
        (("topic", "year"), Filters(), "占比的分母是年度相同的全部措施条目。"),
        (("year",), Filters(topic=Topic.INDICATORS), "占比的分母是年度相同的全部措施条目。"),
        (("year",), Filters(department="教育", years=(2023, 2023)), "筛选条件：部门含“教育”，2023 年度。"),
    ],
)
def test_the_note_says_whose_passages_are_counted_and_what_shares_are_of(
    by: tuple[str, ...], filters: Filters, said: str
) -> None:
    notes = "".join(method_note(Frequency(by, "passage", (), 0, Role.MEASURE, filters)))
    assert said in notes
    assert "被判为措施的条目计一条" in notes


def _quoted(text: str) -> StoredPassage:
    identity = Identity("青禾县教育局自评报告", "青禾县教育局", Region(county="青禾县"), None, 2024)
    card = ReportCard("a" * 16, identity, Source("a.txt", "0" * 64, "txt"))
    tags = Tags(Role.PROBLEM, 0.9, Topic.INDICATORS, (TopicScore(Topic.INDICATORS, 0.9, "vague_indicators"),))
    return StoredPassage(1, Passage("p", text, 0, len(text), department="青禾县教育局", year=2024), tags, card)


def test_what_came_back_and_what_was_copied_is_a_workbook(tmp_path: Path) -> None:
    old, new, promise = _quoted("指标笼统。"), _quoted(HOSTILE), _quoted("今后细化指标。")
    found = Recurrences((Chain((old, new), ((promise,),), 0.8),), (old,), 3)
    pair = Copy(new, old, 0.9, Wording.NEAR)
    copies = Copies((pair,), (CopiedShare(new.report, 100, 20, 5),))
    path = tmp_path / "recur.xlsx"
    write_recurrences(found, copies, path)
    book = load_workbook(path)
    again = [[cell.value for cell in row] for row in book["屡次出现"].iter_rows(min_row=2)]
    assert [row[-2:] for row in again] == [["指标笼统。", "今后细化指标。"], [HOSTILE, None]]
    assert book["屡次出现"]["H3"].data_type == "s"
    assert book["不再出现"]["E2"].value == "指标笼统。"
    assert [cell.value for cell in book["照抄段落"][2]][4:8] == [HOSTILE, 0.9, "几乎相同", "相同，先后不明"]
    assert book["照抄占比"]["G2"].value == 0.25


@pytest.mark.parametrize("write", [write_csv, lambda table, path: write_xlsx(table, [], path)])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(InvalidInputError, match="写不进文件"):
        write(TABLE, tmp_path / "无" / "a.file")


# ----------------------------------------------------------------------------------------------------------- review sheets


def _passage(number: int, text: str, department: str = "青禾县教育局") -> StoredPassage:
    identity = Identity("自评报告", department, Region(), None, 2024, None, {})
    card = ReportCard("r", identity, Source("甲.txt", "s", "txt", None))
    tags = Tags(Role.PROBLEM, 0.91, Topic.INDICATORS, (TopicScore(Topic.INDICATORS, 0.5, "vague_indicators"),))
    return StoredPassage(number, Passage(f"p-{number:04d}", text, 0, len(text), ("二、问题", "（一）指标")), tags, card)


FORMULAS = (HOSTILE, "+1+1", "-2", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1+1")


def test_a_review_sheet_shows_passages_and_offers_the_taxonomy(tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    write_review([_passage(1, "指标笼统。"), _passage(2, "指标不全。"), _passage(3, "指标虚设。")], path)
    book = load_workbook(path)
    sheet, options = book["复核"], book["选项"]
    assert [cell.value for cell in sheet[1]] == [
        *("编号", "部门", "年度", "上级标题", "正文", "现判角色", "现判主题", "现判子主题", "把握"),
        *("角色", "主题", "次要主题", "子主题"),
    ]
    assert [cell.value for cell in sheet[2]] == [
        *("p-0001", "青禾县教育局", "2024", "二、问题 > （一）指标", "指标笼统。", "问题", "绩效指标"),
        *(taxonomy.subtopic_name("vague_indicators"), "0.50", None, None, None, None),
    ]
    assert (sheet.max_row, sheet.freeze_panes, sheet.auto_filter.ref) == (4, "A2", "A1:M4")
    assert options.sheet_state == "hidden"
    offered = {}
    for choice in sheet.data_validations.dataValidation:
        assert choice.type == "list"
        place = re.fullmatch(r"选项!\$([A-D])\$1:\$\1\$(\d+)", str(choice.formula1))
        assert place
        values = [options[f"{place[1]}{row}"].value for row in range(1, int(place[2]) + 1)]
        assert options[f"{place[1]}{int(place[2]) + 1}"].value is None
        offered[str(choice.sqref)] = (values, choice.showErrorMessage)
    topics = [entry.name for entry in taxonomy.topics()]
    assert offered == {
        "J2:J4": ([entry.name for entry in taxonomy.roles()], True),
        "K2:K4": (topics, True),
        "L2:L4": (topics, False),  # several may be typed in
        "M2:M4": ([entry.name for entry in taxonomy.subtopics()], True),
    }


def test_a_review_sheet_runs_nothing_and_keeps_every_text(tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    write_review([_passage(number, text, text) for number, text in enumerate(FORMULAS, 1)], path)
    sheet = load_workbook(path)["复核"]
    for row, text in enumerate(FORMULAS, 2):
        for column in "BE":
            assert (sheet[f"{column}{row}"].value, sheet[f"{column}{row}"].data_type) == (text, "s")
    with zipfile.ZipFile(path) as package:
        assert all(b"<f>" not in package.read(name) for name in package.namelist() if "/worksheets/" in name)


def test_signs_that_a_workbook_cannot_hold_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    write_review([_passage(1, "指标\x00笼\x0b统\x1f，\x07难以考核。")], path)
    assert load_workbook(path)["复核"]["E2"].value == "指标笼统，难以考核。"


def test_cells_to_be_filled_in_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    write_review([_passage(1, "指标笼统。")], path)
    with zipfile.ZipFile(path) as package:
        cells = re.findall(rb"<c r=\"[J-M]2\"[^>]*>", package.read("xl/worksheets/sheet1.xml"))
    assert len(cells) == 4
    assert all(b"inlineStr" not in cell for cell in cells)


def test_an_empty_review_sheet_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    write_review([], path)
    assert load_workbook(path)["复核"].max_row == 1
    assert read_decisions(path) == ()


def test_a_review_sheet_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="写不进文件"):
        write_review([], tmp_path / "无" / "a.xlsx")


def _wording(text: str, *, row: int = 1) -> StoredPassage:
    identity = Identity("2023年自评报告", "棠溪县教育局", year=2023)
    card = ReportCard("r", identity, Source("a.docx", "0", "docx"))
    return StoredPassage(
        row, Passage(f"r-{row}", text, 0, len(text), ("五、措施",), page=4), Tags(Role.MEASURE, 1.0), card
    )


@pytest.mark.parametrize("original", [False, True])
def test_a_draft_is_a_word_table_with_sources(tmp_path: Path, original: bool) -> None:
    asked = _wording("资产账实不符\x07。", row=2)
    found = [Suggestion(0.9, _wording("2023年盘点设备12台。"), asked, also=(_wording("2022年盘点设备9台。", row=3),))]
    write_draft("资产没有盘点", [*found, Suggestion(0.5, _wording("=1+1"))], tmp_path / "a.docx", original=original)
    document = docx.Document(str(tmp_path / "a.docx"))
    assert document.paragraphs[0].text == "起草参考：资产没有盘点"
    head, first, second = ([cell.text for cell in row.cells] for row in document.tables[0].rows)
    assert head == ["问题", "参考表述", "出处"]
    source = "《2023年自评报告》，棠溪县教育局，2023，五、措施，第4页"
    wording = "2023年盘点设备12台。" if original else "〔年度〕年盘点设备〔数量〕。"
    wanted = [source, source] if original else [source, source, "原文：2023年盘点设备12台。"]
    assert first == ["资产账实不符。", wording, "\n".join(wanted)]
    assert second == ["资产没有盘点", "=1+1", source]


def test_a_draft_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="写不进文件"):
        write_draft("甲", [], tmp_path / "无" / "a.docx", original=True)
