"""Files are written by hand here: each glyph and each stroke stands where the test says."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from nlp.errors import UnreadableFileError, UnsupportedFormatError
from nlp.readers import pdf
from nlp.readers.pdf import read_pdf
from nlp.records import Document, Paragraph, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

LEFT, RIGHT = 90, 506  # 26 characters of 16 points
WIDTH = (RIGHT - LEFT) // 16
SENTENCE = "年度预算执行进度总体偏慢项目前期准备不够充分部分资金年底集中支付有关单位未按合同约定推进"
FONT = (
    "<</Type/Font/Subtype/CIDFontType2/BaseFont/Song/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    "/DW 1000/W[32 126 500]/FontDescriptor<</Type/FontDescriptor/FontName/Song/Flags 4/FontBBox[0 -200 1000 900]"
    "/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 700/StemV 80>>>>"
)


@dataclass
class Sheet:
    """A page as a list of drawing commands; y is measured from the top."""

    width: int = 595
    height: int = 842
    rotate: int = 0
    commands: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float = 16, turn: str = "1 0 0 1") -> Sheet:
        code = text.encode("utf-16-be").hex()
        self.commands.append(f"BT /F1 {size} Tf {turn} {x} {self.height - y} Tm <{code}> Tj ET")
        return self

    def lines(self, y: float, *texts: str, step: float = 28) -> Sheet:
        for number, text in enumerate(texts):
            self.text(LEFT + 16 * (len(text) - len(text.lstrip())), y + step * number, text.lstrip())
        return self

    def stroke(self, *ends: float) -> Sheet:
        x0, y0, x1, y1 = ends
        self.commands.append(f"0.5 w {x0} {self.height - y0} m {x1} {self.height - y1} l S")
        return self

    def grid(self, xs: list[float], ys: list[float]) -> Sheet:
        for y in ys:
            self.stroke(xs[0], y, xs[-1], y)
        for x in xs:
            self.stroke(x, ys[0], x, ys[-1])
        return self

    def image(self) -> Sheet:
        self.commands.append("q 500 0 0 700 40 40 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q")
        return self


def document(*sheets: Sheet, trailer: str = "", extra: tuple[str, ...] = ()) -> bytes:
    """Return the bytes of a file whose one font maps UTF-16 to itself; ASCII is half as wide as the rest.

    The private U+E000 stands for U+20BB7, which UTF-16 writes as two units.
    """
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /U def /CMapType 2 def "
        "1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar <E000> <D842DFB7> endbfchar "
        "255 beginbfrange "
        + " ".join(f"<{high:02x}00> <{high:02x}FF> <{high:02x}00>" for high in range(256) if high != 0xE0)
        + " endbfrange endcmap end end"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(sheets)}/Kids[{' '.join(f'{6 + 2 * n + len(extra)} 0 R' for n in range(len(sheets)))}]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/Song/Encoding/Identity-H/DescendantFonts[4 0 R]/ToUnicode 5 0 R>>",
        FONT,
        f"<</Length {len(to_unicode)}>>stream\n{to_unicode}\nendstream",
        *extra,
    ]
    for sheet in sheets:
        content = "\n".join(sheet.commands)
        box = f"/MediaBox[0 0 {sheet.width} {sheet.height}]/Rotate {sheet.rotate}"
        resources = f"/Resources<</Font<</F1 3 0 R>>/XObject<</X1 6 0 R>>>>/Contents {len(objects) + 2} 0 R"
        objects += [
            f"<</Type/Page/Parent 2 0 R{box}{resources}>>",
            f"<</Length {len(content)}>>stream\n{content}\nendstream",
        ]
    body = "%PDF-1.7\n"
    offsets = []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\n"
    return (body + end + f"startxref\n{len(body)}\n%%EOF\n").encode("latin-1")


def read(*sheets: Sheet) -> Document:
    return read_pdf(document(*sheets), "报告.pdf")


def texts(result: Document) -> list[str]:
    return [block.text for block in result.blocks if isinstance(block, Paragraph)]


def cells(table: object) -> list[tuple[str, ...]]:
    assert isinstance(table, Table)
    return [row.cells for row in table.rows]


def wrapped(text: str) -> list[str]:
    """Return a paragraph as its printed lines, the first with an indent of two characters."""
    text = "　　" + text
    return [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]


# ------------------------------------------------------------------------------------------------------------ paragraphs


def test_wrapped_lines_become_paragraphs_without_spaces() -> None:
    first, second = f"一是{SENTENCE}，涉及资金128.5万元。", f"二是{SENTENCE}。"
    result = read(Sheet().lines(100, *wrapped(first), *wrapped(second)))
    assert result.blocks == (Paragraph(first, page=1), Paragraph(second, page=1))
    assert (result.format, result.pages, result.wrapped, result.warnings) == ("pdf", 1, True, ())


def test_a_space_stands_where_the_file_prints_one_or_leaves_a_gap() -> None:
    sheet = Sheet().text(LEFT, 100, "第一部分").text(LEFT + 64 + 24, 100, "概况")
    sheet.lines(200, "参见Annual Report全文")
    assert texts(read(sheet)) == ["第一部分 概况", "参见Annual Report全文"]


def test_figures_beside_characters_get_no_space() -> None:
    # Writers set a quarter of a character between figures and Chinese.
    sheet = Sheet().text(LEFT, 100, "占").text(LEFT + 20, 100, "95").text(LEFT + 40, 100, "分")
    assert texts(read(sheet)) == ["占95分"]


def test_paragraph_goes_on_over_the_page_break() -> None:
    text = f"（一）{SENTENCE}{SENTENCE}。"
    lines = wrapped(text)
    last = f"三是{SENTENCE}。"
    result = read(Sheet().lines(700, *lines[:2]), Sheet().lines(100, *lines[2:], *wrapped(last)))
    assert result.blocks == (Paragraph(text, page=1), Paragraph(last, page=2))


def test_a_short_line_ends_its_paragraph() -> None:
    result = read(Sheet().lines(100, *wrapped(SENTENCE), "目标编制不实", "　　" + SENTENCE[:24], SENTENCE[24:] + "。"))
    assert texts(result) == [SENTENCE, "目标编制不实", SENTENCE + "。"]


def test_a_long_figure_that_did_not_fit_goes_on_with_its_sentence() -> None:
    before, after = "　　" + SENTENCE[:21], "12345.67万元。"
    result = read(Sheet().lines(100, *wrapped(SENTENCE + "。"), before, after))
    assert texts(result) == [SENTENCE + "。", SENTENCE[:21] + after]


def test_contents_are_not_glued() -> None:
    entries = [
        "第一部分 " + "青禾县水务局概况" * 2,
        "第二部分 " + "青禾县水务局" * 4,
        "一、收入支出总表",
        "二、收入总表",
    ]
    entries[1] = entries[1][:WIDTH]
    assert texts(read(Sheet().lines(100, *entries))) == entries


def test_a_title_over_two_lines_is_one_paragraph() -> None:
    sheet = Sheet().text(145, 100, "青禾县水务局二〇二四年度部门", 22).text(211, 140, "整体支出绩效自评报告"[:8], 22)
    sheet.lines(220, *wrapped(SENTENCE + "。"), *wrapped(SENTENCE + "。"))
    assert texts(read(sheet))[0] == "青禾县水务局二〇二四年度部门整体支出绩效自评"


def test_a_character_printed_twice_to_look_bold_is_read_once() -> None:
    sheet = Sheet()
    for shift in (0, 0.4):
        for number, char in enumerate("资金管理"):
            sheet.text(LEFT + 16 * number + shift, 100, char)
    assert texts(read(sheet)) == ["资金管理"]


def test_a_raised_mark_stays_in_its_line() -> None:
    sheet = Sheet().text(LEFT, 100, "共十二个单位").text(LEFT + 96, 94, "*", 10).text(LEFT + 101, 100, "自评")
    assert texts(read(sheet)) == ["共十二个单位*自评"]


def test_lines_in_the_middle_of_the_page_are_paragraphs_of_their_own() -> None:
    sheet = (
        Sheet().lines(60, *wrapped(SENTENCE + "。")).text(250, 200, "青禾县水务局").text(234, 228, "二〇二四年十二月")
    )
    assert texts(read(sheet))[1:] == ["青禾县水务局", "二〇二四年十二月"]


def test_a_rare_character_that_comes_as_two_halves_is_one() -> None:
    assert texts(read(Sheet().text(LEFT, 100, "张\ue000同志（青禾县水务局）"))) == ["张𠮷同志（青禾县水务局）"]


# -------------------------------------------------------------------------------------------------------- page furniture


@pytest.mark.parametrize("mark", ["— {} —", "－{}－", "第{}页 共3页", "{} / 3", "{}", "Page {} of 3"])
def test_page_marks_go_and_leave_no_seam(mark: str) -> None:
    text = f"一是{SENTENCE * 5}。"
    lines = wrapped(text)
    pages = [lines[:4], lines[4:8], lines[8:]]
    sheets = [
        Sheet().lines(650, *part).text(280, 800, mark.format(number), 10) for number, part in enumerate(pages, start=1)
    ]
    assert read(*sheets).blocks == (Paragraph(text, page=1),)


def test_a_lone_number_that_counts_no_pages_stays() -> None:
    result = read(Sheet().lines(700, *wrapped(SENTENCE + "。")).text(LEFT, 800, "2024"), Sheet().lines(100, "附件"))
    assert texts(result) == [SENTENCE + "。", "2024", "附件"]


def test_running_heads_and_feet_go_figures_aside() -> None:
    text = f"一是{SENTENCE * 5}。"
    lines = wrapped(text)
    sheets = [
        Sheet()
        .text(200, 50, f"青禾县水务局绩效自评报告（{2021 + number}年）", 10)
        .lines(300, *lines[4 * number : 4 * number + 4])
        .text(200, 790, "仅供内部使用", 10)
        .text(280, 815, f"{number + 1}", 10)
        for number in range(3)
    ]
    assert read(*sheets).blocks == (Paragraph(text, page=1),)


def test_lines_that_carry_content_stay_at_the_top_of_their_pages() -> None:
    sheets = [Sheet().lines(60, f"附件{number}").lines(200, "　　" + SENTENCE[:10] + "。") for number in (1, 2, 3)]
    assert [text for text in texts(read(*sheets)) if text.startswith("附件")] == ["附件1", "附件2", "附件3"]


def test_a_title_that_each_page_repeats_is_kept_once() -> None:
    sheets = [
        Sheet().text(200, 90, "项目支出绩效自评情况", 18).lines(200, f"　　{name}项目支付进度偏慢。")
        for name in ("水库", "渠道", "泵站")
    ]
    assert texts(read(*sheets)) == [
        "项目支出绩效自评情况",
        *(f"{name}项目支付进度偏慢。" for name in ("水库", "渠道", "泵站")),
    ]


def test_a_footnote_follows_the_paragraph_that_it_would_cut() -> None:
    text = f"一是{SENTENCE}{SENTENCE}。"
    lines = wrapped(text)
    first = Sheet().lines(660, *lines[:2]).stroke(LEFT, 740, LEFT + 144, 740)
    first.text(LEFT, 755, "*本报告所称单位包括局机关", 10).text(LEFT, 770, "和下属事业单位。", 10).text(
        280, 815, "— 1 —", 10
    )
    second = Sheet().lines(100, *lines[2:]).text(280, 815, "— 2 —", 10)
    assert read(first, second).blocks == (
        Paragraph(text, page=1),
        Paragraph("*本报告所称单位包括局机关和下属事业单位。", page=1),
    )


def test_a_watermark_across_the_page_is_left_out() -> None:
    sheet = Sheet().lines(100, *wrapped(SENTENCE + "。")).text(150, 600, "内部资料", 60, turn="0.7 0.7 -0.7 0.7")
    assert texts(read(sheet)) == [SENTENCE + "。"]


# ---------------------------------------------------------------------------------------------------------------- tables

XS = [90.0, 130.0, 230.0, 370.0, 506.0]
HEAD = ("序号", "部门", "问题摘要", "整改情况")


def put_row(sheet: Sheet, y: float, texts: tuple[str, ...], xs: list[float] = XS) -> Sheet:
    """Write the cells of a row, wrapped to the width of their columns."""
    for x, behind, text in zip(xs, xs[1:], texts, strict=False):
        room = int((behind - x - 6) // 10)
        for number in range(0, len(text), room):
            sheet.text(x + 3, y + 14 + 14 * (number // room), text[number : number + room], 10)
    return sheet


def test_table_stands_between_its_paragraphs_and_is_not_read_twice() -> None:
    sheet = Sheet().lines(80, "青禾县整改情况表").lines(400, "　　以上情况已经核实。").grid(XS, [100, 130, 180])
    put_row(sheet, 100, HEAD)
    put_row(sheet, 130, ("1", "水务局", "预算编制不够细化，项目支出未分解到季度。", "已修订预算管理办法。"))
    before, table, after = read(sheet).blocks
    assert (before, after) == (Paragraph("青禾县整改情况表", page=1), Paragraph("以上情况已经核实。", page=1))
    assert cells(table) == [HEAD, ("1", "水务局", "预算编制不够细化，项目支出未分解到季度。", "已修订预算管理办法。")]


def test_merged_cells() -> None:
    sheet = Sheet()
    for x0, y, x1 in [(90, 100, 506), (230, 130, 506), (90, 160, 506), (130, 190, 506), (90, 220, 506)]:
        sheet.stroke(x0, y, x1, y)
    for x, y0, y1 in [(90, 100, 220), (130, 160, 220), (230, 100, 220), (370, 130, 220), (506, 100, 220)]:
        sheet.stroke(x, y0, x, y1)
    put_row(sheet, 105, ("项目", "", "金额", ""))
    put_row(sheet, 135, ("", "", "预算数", "决算数"))
    put_row(sheet, 175, ("甲",))
    put_row(sheet, 165, ("", "办公费", "10.00", "9.50"))
    put_row(sheet, 195, ("", "差旅费", "", "1,203.00"))
    assert cells(read(sheet).blocks[0]) == [
        ("项目", "", "金额", ""),
        ("项目", "", "预算数", "决算数"),
        ("甲", "办公费", "10.00", "9.50"),
        ("甲", "差旅费", "", "1,203.00"),
    ]


def test_a_table_without_side_borders_and_with_filled_rulings() -> None:
    sheet = Sheet()
    for y in (100, 130, 160):
        sheet.commands.append(f"90 {842 - y} 416 0.5 re f")
    sheet.commands.append(f"300 {842 - 160} 0.5 60 re f 0.9 g 90 {842 - 130} 416 30 re f 0 g")
    sheet.text(100, 120, "指标", 10).text(310, 120, "得分", 10).text(100, 150, "执行率", 10).text(310, 150, "9.6", 10)
    assert cells(read(sheet).blocks[0]) == [("指标", "得分"), ("执行率", "9.6")]


def test_rulings_inside_a_form_object_are_moved_with_it() -> None:
    drawing = "0.5 w 0 0 m 416 0 l S 0 30 m 416 30 l S 0 0 m 0 30 l S 200 0 m 200 30 l S 416 0 m 416 30 l S"
    form = f"<</Type/XObject/Subtype/Form/BBox[0 0 600 100]/Length {len(drawing)}>>stream\n{drawing}\nendstream"
    sheet = Sheet().text(100, 120, "甲", 10).text(300, 120, "乙", 10)
    sheet.commands.append(f"q 1 0 0 1 90 {842 - 130} cm /X1 Do Q")
    assert cells(read_pdf(document(sheet, extra=(form,)), "报告.pdf").blocks[0]) == [("甲", "乙")]


def test_paragraphs_inside_a_cell_are_lines_and_wraps_are_not() -> None:
    sheet = Sheet().grid([90, 290, 506], [100, 200])
    lines = ["一是制度不健全的情况仍比较多，", "已修订。", "二是台账不完整。"]
    for number, line in enumerate(lines):
        sheet.text(93, 114 + 14 * number, line, 12)
    sheet.text(300, 114, "完成", 12)
    assert cells(read(sheet).blocks[0]) == [("一是制度不健全的情况仍比较多，已修订。\n二是台账不完整。", "完成")]


def test_a_frame_round_text_loses_nothing() -> None:
    sheet = Sheet().grid([80, 520], [80, 700]).lines(120, *wrapped(SENTENCE + "。"))
    assert read(sheet).blocks == (Paragraph(SENTENCE + "。", page=1),)


def split_table(second_rows: Sequence[tuple[str, ...]], *, head: bool = True) -> tuple[Sheet, Sheet]:
    """Return two pages of one table whose last row on page 1 stops at the border in mid-sentence."""
    first = Sheet().grid(XS, [700, 730, 790]).text(280, 815, "— 1 —", 10)
    put_row(first, 700, HEAD)
    put_row(
        first, 730, ("1", "水务局", "项目前期准备不够充分部分资金年底集中支付进度偏慢有关", "已建立执行进度通报制度。")
    )
    rows = [HEAD, *second_rows] if head else second_rows
    ys = [60.0 + 60 * number for number in range(len(rows) + 1)]
    second = Sheet().grid(XS, ys).text(280, 815, "— 2 —", 10)
    for y, row in zip(ys, rows, strict=False):
        put_row(second, y, row)
    return first, second


def test_a_table_over_pages_is_one_and_its_split_row_is_joined() -> None:
    rows = [("", "", "单位未按合同推进。", ""), ("2", "农业局", "绩效目标不明确。", "已调整。")]
    (table,) = read(*split_table(rows)).blocks
    problem = "项目前期准备不够充分部分资金年底集中支付进度偏慢有关单位未按合同推进。"
    assert cells(table) == [HEAD, ("1", "水务局", problem, "已建立执行进度通报制度。"), rows[1]]
    assert isinstance(table, Table)
    assert [row.page for row in table.rows] == [1, 1, 2]


def test_labels_repeated_at_a_split_row_are_written_once() -> None:
    (table,) = read(*split_table([("1", "水务局", "单位未按合同推进。", "")], head=False)).blocks
    assert cells(table)[1][:2] == ("1", "水务局")
    assert len(cells(table)) == 2


def test_a_row_with_a_label_of_its_own_is_a_new_row() -> None:
    rows = [("2", "农业局", "绩效目标不明确。", "已调整。")]
    (table,) = read(*split_table(rows)).blocks
    assert cells(table)[2:] == rows
    assert cells(table)[1][0] == "1"


def test_figures_that_fill_their_cells_are_not_joined() -> None:
    xs = [90.0, 150.0, 210.0]
    first = Sheet().grid(xs, [740, 760]).text(92, 754, "1,234,567.8", 10).text(152, 754, "2,345,678.9", 10)
    second = Sheet().grid(xs, [60, 80]).text(92, 74, "3,456,789.0", 10)
    (table,) = read(first, second).blocks
    assert cells(table) == [("1,234,567.8", "2,345,678.9"), ("3,456,789.0", "")]


def test_a_merged_label_goes_on_behind_the_page_break() -> None:
    first = Sheet().grid([90, 200, 506], [740, 760, 780])
    first.text(100, 754, "水务局", 10).text(210, 754, "执行偏慢。", 10).text(210, 774, "目标不实。", 10)
    first.commands = [command for command in first.commands if f"90 {842 - 760} m" not in command]
    first.stroke(200, 760, 506, 760)
    second = Sheet().grid([90, 200, 506], [60, 100])
    second.stroke(200, 80, 506, 80).text(210, 74, "台账缺失。", 10).text(210, 94, "合同超期。", 10)
    (table,) = read(first, second).blocks
    assert cells(table) == [("水务局", text) for text in ("执行偏慢。", "目标不实。", "台账缺失。", "合同超期。")]


def test_tables_with_a_title_between_them_are_two() -> None:
    first, second = split_table([("2", "农业局", "绩效目标不明确。", "已调整。")])
    second.text(LEFT, 50, "农业局整改情况表", 10)
    assert [type(block) for block in read(first, second).blocks] == [Table, Paragraph, Table]


def test_tables_with_a_page_between_them_are_two() -> None:
    first, last = split_table([("2", "农业局", "绩效目标不明确。", "已调整。")])
    assert [type(block) for block in read(first, Sheet(), last).blocks] == [Table, Table]


def test_the_title_of_a_table_that_each_page_repeats_is_kept_once() -> None:
    sheets = []
    for number in (1, 2, 3):
        sheet = Sheet().text(200, 50, "青禾县绩效目标完成情况表", 12).grid(XS, [60, 90, 120])
        put_row(sheet, 60, HEAD)
        sheets.append(put_row(sheet, 90, (str(number), "水务局", "无。", "无。")))
    title, table = read(*sheets).blocks
    assert title == Paragraph("青禾县绩效目标完成情况表", page=1)
    assert cells(table) == [HEAD, *((str(number), "水务局", "无。", "无。") for number in (1, 2, 3))]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_titles_of_score_sheets_are_kept_once_all_of_them(count: int) -> None:
    sheets = []
    for number in range(count):
        sheet = Sheet().text(200, 60, "项目支出绩效自评表", 12).text(250, 85, "（2024年度）", 10)
        sheet.text(XS[0], 110, "填报单位：青禾县教育局", 10).grid(XS, [130, 160])
        sheets.append(put_row(sheet, 130, (str(number), "校园安防", "支付滞后。", "无。")))
    found = read(*sheets)
    assert texts(found) == ["项目支出绩效自评表", "（2024年度）", "填报单位：青禾县教育局"]
    assert [row[0] for row in cells(found.blocks[-1])] == [str(number) for number in range(count)]


# ----------------------------------------------------------------------------------------------------------- turned pages


def turned_table() -> Sheet:
    """Return a page whose contents are turned a quarter: text runs upwards, as on a landscape table bound upright."""
    sheet = Sheet()
    for x in (100, 130, 160):
        sheet.stroke(x, 100, x, 700)
    for y in (100, 400, 700):
        sheet.stroke(100, y, 160, y)
    for x, y, text in [(120, 690, "指标"), (120, 390, "得分"), (150, 690, "执行率"), (150, 390, "9.6")]:
        sheet.text(x, y, text, 10, turn="0 1 -1 0")
    return sheet


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_turned_page_is_read_upright(rotate: int) -> None:
    sheet = turned_table().text(300, 800, "— 7 —", 10)
    sheet.rotate = rotate
    (table,) = read(sheet).blocks
    assert cells(table) == [("指标", "得分"), ("执行率", "9.6")]


def test_text_at_a_right_angle_to_the_page_is_not_lost() -> None:
    sheet = turned_table().text(200, 800, "单位盖章", 10)
    _, aside = read(sheet).blocks
    assert aside == Paragraph("单位盖章", page=1)


# --------------------------------------------------------------------------------------------- what cannot be read, and why


def test_a_page_that_is_a_picture_is_named_in_a_warning() -> None:
    result = read(Sheet().lines(100, "正文"), Sheet().image(), Sheet())
    assert result.warnings == ("第2页没有文字层（可能是扫描件），未读取",)
    assert result.pages == 3


def test_a_page_of_letters_drawn_as_outlines_is_named_in_a_warning() -> None:
    outlined = Sheet()
    outlined.commands.append("0 0 m " + "1 2 l 3 4 l " * 2600 + "f")
    assert read(Sheet().lines(100, "正文"), outlined).warnings == ("第2页没有文字层（可能是扫描件），未读取",)


def test_a_scan_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedFormatError, match=r"报告\.pdf：2页都没有文字层.*扫描件暂不支持.*文字识别"):
        read(Sheet().image(), Sheet().image())


def test_lone_letters_of_a_font_that_is_nowhere_are_read() -> None:
    # PDFium drops them; form fields such as this are written in one-letter pieces.
    sheet = Sheet().grid([90, 290, 506], [100, 130]).text(100, 120, "无", 10).text(300, 120, "优", 10)
    result = read(sheet)
    assert cells(result.blocks[0]) == [("无", "优")]
    assert result.warnings == ()


def test_letters_that_stay_unread_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError

    monkeypatch.setattr("pdfplumber.open", fail)
    result = read(Sheet().lines(100, "正文").text(LEFT, 200, "无"))
    assert texts(result) == ["正文"]
    assert result.warnings == ("第1页的字体没有嵌入文件，个别文字可能没有读出，请用原软件重新导出",)


def locked(password: bytes) -> bytes:
    """Return a file that asks for the password (standard security handler, revision 2, 40-bit RC4)."""
    padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    padded = (password + padding)[:32]
    owner = rc4(hashlib.md5(padded, usedforsecurity=False).digest()[:5], padded)
    seed = padded + owner + (-4 & 0xFFFFFFFF).to_bytes(4, "little") + b"0123456789abcdef"
    user = rc4(hashlib.md5(seed, usedforsecurity=False).digest()[:5], padding)
    identity = b"0123456789abcdef".hex()
    encrypt = f"/Encrypt<</Filter/Standard/V 1/R 2/O<{owner.hex()}>/U<{user.hex()}>/P -4>>/ID[<{identity}><{identity}>]"
    return document(Sheet().lines(100, "正文"), trailer=encrypt)


def rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def test_a_file_that_asks_for_a_password_says_so() -> None:
    with pytest.raises(UnreadableFileError, match=r"报告\.pdf：PDF已加密，需要密码"):
        read_pdf(locked(b"secret"), "报告.pdf")


def test_a_file_cut_short_says_so() -> None:
    data = document(Sheet().lines(100, "正文"))
    with pytest.raises(UnreadableFileError, match="内容不完整"):
        read_pdf(data[: len(data) // 2], "报告.pdf")


def test_bytes_behind_the_end_do_no_harm() -> None:
    assert texts(read_pdf(document(Sheet().lines(100, "正文")) + b"\r\n\0\0<!-- sent -->", "报告.pdf")) == ["正文"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "应以“%PDF-”开头"), (b"PK\3\4", "应以“%PDF-”开头"), (b"%PDF-1.7 %%EOF", "已损坏，无法打开")],
)
def test_what_is_no_pdf_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_pdf(data, "报告.pdf")


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(UnreadableFileError, match="最多读取2页，这个PDF有3页"):
        read(Sheet(), Sheet(), Sheet())


def test_damage_anywhere_is_either_read_or_refused_by_our_own_error() -> None:
    dice = random.Random(20240901)
    sound = document(*split_table([("2", "农业局", "绩效目标不明确。", "已调整。")]), turned_table())
    refused = 0
    for _ in range(40):
        data = bytearray(sound)
        for _ in range(dice.choice((1, 10, 100))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            assert read_pdf(bytes(data), "报告.pdf").format == "pdf"
        except UnreadableFileError:
            refused += 1
    assert 0 < refused < 40
