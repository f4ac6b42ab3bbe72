"""Tables as files for Excel; a hostile text never becomes a live formula."""

from __future__ import annotations

import csv
import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
from nlp.copies import Wording
from nlp.drafting import with_slots
from nlp.errors import InvalidInputError
from nlp.frequency import other_dimensions
from nlp.review import ANSWERS, ROLE, SECONDARY, SHOWN, SUBTOPIC, TOPIC, shown_cells
from nlp.views import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

    from nlp.copies import Copies
    from nlp.records import Filters, Frequency, FrequencyRow, StoredPassage, Suggestion
    from nlp.recurrence import Chain, Recurrences

NAMES = {
    "topic": "主题",
    "subtopic": "子主题",
    "department": "部门",
    "region": "地区",
    "level": "层级",
    "year": "年度",
    "kind": "类型",
}
UNITS = {"passage": "条", "finding": "项", "report": "份报告"}
_TAIL = (
    *("排名", "条数", "报告数", "较上年", "占比", "占比下限（95%）", "占比上限（95%）"),
    *(
        "修正条数",
        "修正条数下限（95%）",
        "修正条数上限（95%）",
        "修正占比",
        "修正占比下限（95%）",
        "修正占比上限（95%）",
        "说明",
    ),
)
_WIDTHS = (7, 8, 8, 8, 9, 10, 10, 10, 12, 12, 10, 12, 12, 24)
_FORMATS = ("0", "0", "0", "+0;-0;0", *["0.0%"] * 3, *["0.0"] * 3, *["0.0%"] * 3, "@")
_SOURCE_HEADS = ("主题", "子主题", "部门", "地区", "年度", "报告", "章节", "页", "原文", "条目编号")
_PLACE_HEADS, _PLACE_WIDTHS = ("部门", "年度", "报告", "页"), (22, 7, 36, 6)
_WORDINGS = {Wording.IDENTICAL: "一字不差", Wording.FIGURES: "只有数字不同", Wording.NEAR: "几乎相同"}
COPIED_ELSEWHERE = "抄自别处或先后不明"
_MOST_SOURCES = 100_000
_LINE, _TALLEST = 14.5, 400.0  # points; Excel allows 409
_TOO_FEW = "条目太少，占比不足为据"
_DRAFT_HEADS = ("问题", "参考表述", "出处")
_FONT = "宋体"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: Frequency, path: Path) -> None:
    """Write a frequency table as CSV with a byte-order mark, so that Excel opens it as UTF-8.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    with writable(path), path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(NAMES[dimension] for dimension in table.by), *_TAIL])
        for row in table.rows:
            values = [_inert(shown(d, v)) for d, v in zip(table.by, row.values, strict=True)]
            writer.writerow([*values, *("" if cell is None else cell for cell in _numbers(row))])


def write_xlsx(table: Frequency, sources: Sequence[StoredPassage], path: Path) -> None:
    """Write a frequency table as a workbook: the table, the passages behind its counts, and a note of method.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "频次"
    sheet.append([*(NAMES[dimension] for dimension in table.by), *_TAIL])
    for row in table.rows:
        names = [printable(shown(d, v)) for d, v in zip(table.by, row.values, strict=True)]
        sheet.append([*names, *_numbers(row)])
    wide = len(table.by)
    for line in sheet.iter_rows(min_row=2):
        _make_text(line[:wide])
        for cell, form in zip(line[wide:], _FORMATS, strict=True):
            cell.number_format = form
    _dress(sheet, (*[24] * wide, *_WIDTHS))
    _add_sources(book.create_sheet("出处"), sources)
    note = book.create_sheet("方法")
    note.column_dimensions["A"].width = 110
    for text in method_note(table, len(sources)):
        note.append([text])
        note.cell(note.max_row, 1).alignment = Alignment(wrap_text=True, vertical="top")
    _fit_rows(note, (110,))
    with writable(path):
        book.save(path)


def title_of(table: Frequency) -> str:
    """Return what a table counts, with what it is narrowed to.

    >>> from nlp.records import Filters, Frequency, Role
    >>> title_of(Frequency(("topic", "year"), "passage", (), 0, Role.MEASURE, Filters(region="青禾", years=(2023, 2024))))
    '措施频次：按主题、年度（地区含“青禾”，2023～2024 年度）'
    """
    narrowed = narrowed_to(table.filters)
    return _counted(table) + (f"（{narrowed}）" if narrowed else "")


def _counted(table: Frequency) -> str:
    names = "、".join(NAMES[dimension] for dimension in table.by)
    return f"{taxonomy.role_name(table.role)}频次：按{names}"


def narrowed_to(filters: Filters) -> str:
    """Return what counts are narrowed to, in words; empty where to nothing."""
    told = [f"{name}含“{part}”" for name, part in (("部门", filters.department), ("地区", filters.region)) if part]
    if filters.years:
        told.append("～".join(map(str, dict.fromkeys(filters.years))) + " 年度")
    told += [f"{name}为{value}" for name, value in (("层级", filters.level), ("类型", filters.kind)) if value]
    if filters.topic:
        told.append(f"主题为{taxonomy.topic_name(filters.topic)}")
    return "，".join(told)


def _numbers(row: FrequencyRow) -> tuple[float | str | None, ...]:
    """Return what stands behind the names of a row."""
    counted = (row.rank, row.count, row.reports, row.change, *(round(x, 4) for x in (row.share, row.low, row.high)))
    fixed = row.corrected
    if fixed is None:
        return (*counted, *[None] * 6, "")
    corrected = (fixed.count, fixed.count_low, fixed.count_high, fixed.share, fixed.low, fixed.high)
    return (*counted, *corrected, "" if fixed.enough else _TOO_FEW)


def method_note(table: Frequency, sources: int = 0) -> list[str]:
    """Return how the numbers of a table were made, in sentences."""
    role = taxonomy.role_name(table.role)
    unit = {
        "passage": f"按条计数：报告中每个被判为{role}的条目计一条。",
        "finding": "按项计数：同一份报告里同一主题、措辞几乎相同的条目只计一项；“出处”仍逐条列出。",
        "report": "按报告计数：一份报告无论说几次只计一次；台账里一个部门一个年度算一份报告。",
    }[table.unit]
    among = "、".join(NAMES[dimension] for dimension in other_dimensions(table.by, table.filters.topic))
    base = "报告" if table.unit == "report" else f"{role}条目"
    of = f"占比的分母是{among}相同的全部{base}。" if among else f"占比的分母是筛选后的全部{base}。"
    narrowed = narrowed_to(replace(table.filters, topic=None))
    counted = (
        f"只数{taxonomy.topic_name(table.filters.topic)}的条目，占比的分母不限主题。" if table.filters.topic else ""
    )
    notes = [
        f"{_counted(table)}。筛选条件：{narrowed or '无'}。{counted}",
        unit,
        f"{of}区间为 95% 的威尔逊区间，只含抽样误差。",
        "主题按首要主题计；角色和主题由标注模型判定，人工复核过的以人工为准。",
    ]
    if any(row.corrected for row in table.rows):
        notes.append(
            "修正条数和修正占比扣除了标注模型的误差：漏判和主题判错的比例在标注语料上按来源组留出量得，误报的比例在没有学过的成套报告上量得，"
            "假定各类条目在这里被判错的比例与在那里相同；"
            "区间同时含误差和抽样。人工复核过的条目视为确定。占比区间宽于 30 个百分点的，注明“条目太少”。"
        )
    else:
        notes.append("本表未作误差修正：按报告计数、按子主题计数，或标注语料太少时，不足以修正。")
    if sources > _MOST_SOURCES:
        notes.append(f"“出处”只列前 {_MOST_SOURCES} 条，共 {sources} 条。")
    return notes


def _add_sources(sheet: Worksheet, sources: Sequence[StoredPassage]) -> None:
    """Fill a sheet with the passages behind some counts."""
    sheet.append(_SOURCE_HEADS)
    for found in sources[:_MOST_SOURCES]:
        passage, identity, tags = found.passage, found.report.identity, found.tags
        cells = (
            shown("topic", tags.primary) if tags.primary else "",
            shown("subtopic", tags.subtopic) if tags.subtopic else "",
            passage.department or "",
            identity.region.county or identity.region.city or identity.region.province or "",
            passage.year or "",
            identity.title or found.report.source.path,
            " / ".join(passage.section),
            passage.page or "",
            passage.text,
            passage.id,
        )
        sheet.append([printable(cell) if isinstance(cell, str) else cell for cell in cells])
    for line in sheet.iter_rows(min_row=2):
        _make_text(cell for cell in line if isinstance(cell.value, str))
        line[_SOURCE_HEADS.index("原文")].alignment = Alignment(wrap_text=True, vertical="top")
    _dress(sheet, (11, 18, 22, 12, 7, 36, 30, 6, 80, 24))


def write_recurrences(found: Recurrences, copies: Copies, path: Path) -> None:
    """Write what came back, what vanished and what was copied as a workbook.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "屡次出现"
    again = [
        (number, len(chain.problems), chain.score, *_place(problem), problem.passage.text, _promises(chain, place))
        for number, chain in enumerate(found.chains, 1)
        for place, problem in enumerate(chain.problems)
    ]
    _fill(
        first, ("序号", "年度数", "把握", *_PLACE_HEADS, "问题", "当时的措施"), again, (6, 8, 8, *_PLACE_WIDTHS, 70, 70)
    )
    gone = [(*_place(problem), problem.passage.text) for problem in found.vanished]
    _fill(book.create_sheet("不再出现"), (*_PLACE_HEADS, "问题"), gone, (*_PLACE_WIDTHS, 90))
    pairs = [
        (
            *_place(pair.passage),
            pair.passage.passage.text,
            pair.likeness,
            _WORDINGS[pair.wording],
            "抄自" if pair.is_later else "相同，先后不明",
            *_place(pair.original),
        )
        for pair in copies.pairs
    ]
    heads = (*_PLACE_HEADS, "原文", "相似度", "异同", "先后", *(f"对照{head}" for head in _PLACE_HEADS))
    _fill(book.create_sheet("照抄段落"), heads, pairs, (*_PLACE_WIDTHS, 70, 9, 12, 15, *_PLACE_WIDTHS))
    shares = [
        (
            item.report.identity.department or "",
            item.report.identity.year or "",
            item.report.identity.title or item.report.source.path,
            *(item.characters, item.own, item.others, item.share),
        )
        for item in copies.shares
    ]
    heads = ("部门", "年度", "报告", "字数", "抄自本部门", COPIED_ELSEWHERE, "照抄占比")
    _fill(book.create_sheet("照抄占比"), heads, shares, (24, 8, 50, 9, 12, 24, 10))
    with writable(path):
        book.save(path)


def _place(found: StoredPassage) -> tuple[str | int, ...]:
    """Return whose passage it is and where it stands."""
    passage, identity = found.passage, found.report.identity
    return passage.department or "", passage.year or "", identity.title or found.report.source.path, passage.page or ""


def _promises(chain: Chain, place: int) -> str:
    measures = chain.promised[place] if place < len(chain.promised) else ()
    return "\n".join(found.passage.text for found in measures)


def _fill(sheet: Worksheet, heads: Sequence[str], rows: Iterable[Sequence[Any]], widths: Sequence[float]) -> None:
    """Fill a sheet with texts and numbers; shares and chances become percentages."""
    sheet.append(list(heads))
    for row in rows:
        sheet.append([printable(cell) if isinstance(cell, str) else cell for cell in row])
    for line in sheet.iter_rows(min_row=2):
        _make_text(cell for cell in line if isinstance(cell.value, str))
        for cell in line:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if isinstance(cell.value, float):
                cell.number_format = "0%"
    _dress(sheet, widths)


def _make_text(cells: Iterable[Any]) -> None:
    """Make cells texts, so that none is a formula; an empty cell that says it has text is damage to Excel."""
    for cell in cells:
        if cell.value:
            cell.data_type = "s"


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
        sheet.append([printable(cell) for cell in shown_cells(item)])
    for line in sheet.iter_rows(min_row=2):
        _make_text(line)
        for cell in line:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    _dress(sheet, (24, 16, 7, 24, 60, 9, 11, 18, 7, 9, 11, 14, 20))
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
    with writable(path):
        book.save(path)


def write_draft(problem: str, found: Sequence[Suggestion], path: Path, *, original: bool) -> None:
    """Write reference wording as a Word table that a person can work in: problem, wording, sources.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    document = blank_document()
    section = document.sections[0]
    section.page_width, section.page_height, section.orientation = Cm(29.7), Cm(21), WD_ORIENT.LANDSCAPE
    document.add_paragraph().add_run(f"起草参考：{printable(problem)}").bold = True
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
        sources = [source_line(source) for source in (item.found, *item.also)]
        if wording != text:
            sources.append(f"原文：{text}")
        asked = item.answers.passage.text if item.answers else problem
        for cell, value in zip(table.add_row().cells, (asked, wording, "\n".join(sources)), strict=True):
            cell.text = printable(value)
    set_widths(table, (7.5, 9.5, 7.5))
    with writable(path):
        document.save(str(path))


def blank_document() -> Any:
    """Return a Word document without content, in a Chinese face throughout."""
    document = docx.Document()
    for name in ("Normal", "Title", "Heading 1", "Heading 2"):
        style: Any = document.styles[name]
        style.font.name = _FONT
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), _FONT)
    document.styles["Normal"].font.size = Pt(10.5)
    return document


def set_widths(table: Any, widths: Sequence[float]) -> None:
    """Set the widths of the columns of a Word table, in centimetres: some programs read the grid, others the cells."""
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Cm(width)
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Cm(width)


def source_line(found: StoredPassage) -> str:
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


def printable(text: str) -> str:
    """Return a text without the characters that no file of Office may hold."""
    return ILLEGAL_CHARACTERS_RE.sub("", text)


def _dress(sheet: Worksheet, widths: Sequence[float]) -> None:
    """Make the head bold and frozen, with a filter, and set the widths of columns and the heights of rows."""
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    _fit_rows(sheet, widths)


def _fit_rows(sheet: Worksheet, widths: Sequence[float]) -> None:
    """Make rows as high as their wrapped texts need: not every program does so by itself."""
    for number, line in enumerate(sheet.iter_rows(), 1):
        wrapped = [(cell, width) for cell, width in zip(line, widths, strict=False) if cell.alignment.wrap_text]
        lines = max((_lines(str(cell.value), width) for cell, width in wrapped if cell.value is not None), default=1)
        sheet.row_dimensions[number].height = min(_TALLEST, _LINE * lines)


def _lines(text: str, width: float) -> int:
    r"""Return how many lines a text takes in a column; a Chinese character is two of its units wide.

    >>> _lines("资金闲置", 8), _lines("资金闲置", 7), _lines("甲\n乙", 8)
    (1, 2, 2)
    """
    return sum(max(1, math.ceil(sum(1 + (sign >= "⺀") for sign in line) / width)) for line in text.split("\n"))


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Tell in Chinese why a file cannot be written.

    Raises:
        InvalidInputError: If it cannot be written.
    """
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
