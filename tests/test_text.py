"""Mending: what is taken away, what is joined, and that nothing else gets lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.records import Document, Paragraph, Row, Table
from nlp.text import clean, compose, paragraphs_of, split_spans, trim


def mended(text: str) -> list[str]:
    return compose(paragraphs_of(text)).text.split("\n")


# ----------------------------------------------------------------------------------------------------------------- clean


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("[bookmark: _GoBack]一、基本情况", "一、基本情况"),
        ("（三）[bookmark: OLE_LINK1]资金管理", "（三）资金管理"),
        ("Normal.dotm Microsoft Office Word棠溪县教育局自评报告", "棠溪县教育局自评报告"),
        ("执行率 ８６．２３ ％", "执行率86.23%"),
        ("2024 年 3 月，支出 120.5 万元", "2024年3月，支出120.5万元"),
        ("共 3 . 5 亿元", "共3.5亿元"),
        ("1 、 项目概况", "1、项目概况"),
        ("绩 效 自 评 报 告", "绩效自评报告"),
        ("⽀出⾦额", "支出金额"),  # Kangxi radicals
        ("⒈项目概况", "1.项目概况"),
        ("⑴项目概况", "(1)项目概况"),
        ("㈠项目概况", "(一)项目概况"),
        ("①立项②实施", "①立项②实施"),
        ("零\u200b宽\ufeff字\u00ad符", "零宽字符"),
        ("甲\t乙\t\t", "甲\t乙"),
        ("QGT 标准 GB/T 1234", "QGT标准GB/T 1234"),
        ("得分98. 5分，比上年高", "得分98.5分，比上年高"),
        ("12．5万元闲置", "12.5万元闲置"),
        ("预算1，234.56万元，执行1，100．00万元", "预算1,234.56万元，执行1,100.00万元"),
        ("分别为120，150.5万元", "分别为120，150.5万元"),
        ('TOC \\o "1-3" \\h \\z \\u 一、基本情况', "一、基本情况"),
        ("PAGEREF _Toc12345 \\h 一、基本情况", "一、基本情况"),
        ("TOC 在线监测 设备闲置", "TOC在线监测 设备闲置"),
        ("EMBED Equation.3 分析仪", "分析仪"),
    ],
)
def test_clean_removes_debris_and_unifies_widths(raw: str, expected: str) -> None:
    assert clean(raw) == expected


@pytest.mark.parametrize(
    "text",
    ["1. 2024年支出进度慢", "2. 3个项目未开工", "1．2024年支出进度慢", "3．3个项目未开工", "1.2. 5所学校没有验收"],
)
def test_the_number_of_an_item_is_no_part_of_the_figure_behind_it(text: str) -> None:
    assert clean(text) == text


def test_the_years_of_a_list_in_one_line_are_no_decimals() -> None:
    assert clean("附件：1. 2024年度自评表 2. 2023年度自评表") == "附件：1. 2024年度自评表2. 2023年度自评表"


PIECES = st.sampled_from(
    [
        "绩效",
        "资金",
        "。",
        "，",
        " ",
        "  ",
        "\u3000",
        "\t",
        "１２",
        "3",
        ".",
        "．",
        "％",
        "%",
        "（",
        "）",
        "⼀",
        "⒈",
        "Ａb",
        "[",
        "]",
        "bookmark:",
        "[bookmark: x]",
        "_GoBack",
        "OLE_LINK",
        "\u200b",
        "\ufeff",
        "\ue004",
        "㈠",
        "TOC ",
        "—",
        "万元",
        "／",
        "甲",
        " 乙 ",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_clean_twice_is_clean_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


# ---------------------------------------------------------------------------------------------------------- broken lines

LONG = (
    "全年项目支出进度总体偏慢，主要受前期手续办理和汛期施工影响，部分标段到第四季度才形成实物工作量，资金支付随之后移。"
)


@pytest.mark.parametrize("width", [28, 32, 36, 40])
def test_hard_wraps_with_indents_are_joined(width: int) -> None:
    paragraphs = [LONG, LONG.replace("项目", "专项"), LONG.replace("全年", "当年"), "三是台账不全。"]
    lines: list[str] = []
    for paragraph in paragraphs:
        whole = "　　" + paragraph
        lines.extend(whole[i : i + width] for i in range(0, len(whole), width))
    assert mended("\n".join(lines)) == paragraphs


@pytest.mark.parametrize("mark", ["— 3 —", "- 3 -", "第 3 页", "第3页 共12页", "3 / 12", "—３—"])
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\n\n"])
def test_page_marks_in_mid_sentence_go_and_the_sentence_is_whole(mark: str, gap: str) -> None:
    head, tail = LONG[:45], LONG[45:]
    assert mended(f"{head}{gap}{mark}{gap}{tail}\n二是绩效指标不够量化。") == [LONG, "二是绩效指标不够量化。"]


def test_a_page_mark_inside_a_line_goes() -> None:
    assert mended("资金支付— 4 —进度偏慢，2022—2024年均如此。") == ["资金支付进度偏慢，2022—2024年均如此。"]


def test_bare_page_numbers_that_count_through_the_text_go() -> None:
    body = [f"第{n}项工作已经完成，验收合格。" for n in "一二三四五六"]
    text = "\n".join([*body, "1", *body, "2", *body, *body, "3"])
    assert mended(text) == body * 4


ROW = ["县教育局", "2024年", "专项资金闲置120万元。", "制定支付计划。", "张三", "已整改"]


@pytest.mark.parametrize(
    "lines",
    [
        ["部门", "年度", "问题", "措施", "责任人", "状态", "1", *ROW, "2", *ROW, "3", *ROW],
        ["序号", "部门", "年度", "问题", "措施", "责任人", "状态", "1", *ROW, "2", *ROW, *ROW[4:], "3", *ROW],
    ],
)
def test_the_numbers_of_rows_with_a_cell_a_line_stay_and_so_do_the_cells_beside_them(lines: list[str]) -> None:
    assert mended("\n".join(lines)) == lines


def test_what_is_repeated_beside_bare_page_numbers_stays() -> None:
    body = [f"第{n}项工作已经完成，验收合格。" for n in "一二三四五六"]
    text = "\n".join([*body, "1", "县教育局", *body, "2", "县教育局", *body, *body, "3"])
    assert mended(text) == [*body, "县教育局", *body, "县教育局", *body, *body]


def test_bare_numbers_that_do_not_count_stay() -> None:
    assert mended("完成数量\n35\n单位：个\n目标\n40") == ["完成数量", "35", "单位：个", "目标", "40"]


def test_running_heads_beside_page_marks_go_but_the_title_stays() -> None:
    head = "棠溪县某局整体支出自评报告"
    pages = [
        f"{head}\n{LONG[:45]}\n— 1 —",
        f"{head}\n{LONG[45:]}\n二是台账不全。\n— 2 —",
        f"{head}\n三是验收滞后。\n— 3 —",
    ]
    assert mended("关于整体支出的报告\n" + "\n".join(pages)) == [
        "关于整体支出的报告",
        head,  # on the first page it stands beside no page mark
        LONG,
        "二是台账不全。",
        "三是验收滞后。",
    ]


def test_a_sentence_repeated_beside_page_marks_is_no_running_head() -> None:
    assert mended("无。\n— 1 —\n二、其他\n无。\n— 2 —").count("无。") == 2


def test_headings_and_items_are_never_joined_to_a_line_before() -> None:
    text = f"{LONG[:-1]}\n（一）存在的问题\n{LONG[:-1]}\n2.台账不全\n{LONG[:-1]}\n三是验收滞后"
    assert mended(text) == [LONG[:-1], "（一）存在的问题", LONG[:-1], "2.台账不全", LONG[:-1], "三是验收滞后"]


def test_a_paragraph_that_an_editor_split_is_joined_only_if_both_halves_say_so() -> None:
    def document(*lines: str) -> Document:
        return Document(tuple(Paragraph(line) for line in lines), format="docx")

    assert compose(document(LONG[:45], LONG[45:])).text == LONG
    assert compose(document(LONG[:45], "汐州市交通运输局")).text == f"{LONG[:45]}\n汐州市交通运输局"
    assert compose(document(LONG, LONG[45:])).text == f"{LONG}\n{LONG[45:]}"
    assert compose(document("一、部门概况", "本部门负责教育。")).text == "一、部门概况\n本部门负责教育。"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1）", "2）"),
        ("1.1", "1.2"),
        ("A.", "B."),
        ("第一，", "第二，"),
        ("首先，", "其次，"),
        ("问题1：", "问题2："),
        ("问题一：", "问题二："),
    ],
)
def test_numbered_paragraphs_stay_apart_where_a_full_stop_is_missing(first: str, second: str) -> None:
    lines = (first + LONG[:-1], second + "专项资金闲置，支付进度滞后。")
    document = Document(tuple(Paragraph(line) for line in lines), format="docx")
    assert compose(document).text == "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------- tables


def test_cells_of_a_row_have_their_spans() -> None:
    table = Table((Row(("项目", "金额")), Row(("校舍维修", "")), Row(("", "35"))))
    composed = compose(Document((Paragraph("见下表。"), table), format="docx"))
    rows = [[composed.text[a:b] for a, b in line.cells] for line in composed.lines]
    assert rows == [[], ["项目", "金额"], ["校舍维修", ""], ["", "35"]]


def test_rows_of_one_cell_above_a_table_are_lines_of_prose() -> None:
    table = Table(
        (Row(("2023年度自评表", "", "")), Row(("序号", "问题", "措施")), Row(("1", "", "")), Row(("2", "慢", "快")))
    )
    composed = compose(Document((table,), format="xlsx"))
    assert composed.text.split("\n") == ["2023年度自评表", "序号\t问题\t措施", "1\t\t", "2\t慢\t快"]
    assert [len(line.cells) for line in composed.lines] == [1, 3, 3, 3]


def test_a_sheet_of_one_column_is_prose_with_its_line_breaks() -> None:
    table = Table((Row(("一、部门概况\n本局负责教育。",)), Row(("二、存在的问题",)), Row(("支付进度慢。",))))
    assert compose(Document((table,), format="xlsx")).text.split("\n") == [
        "一、部门概况",
        "本局负责教育。",
        "二、存在的问题",
        "支付进度慢。",
    ]


def test_items_in_a_cell_stay_apart() -> None:
    table = Table((Row(("存在问题", "1.支付进度慢\n2.台账\n不全")),))
    assert compose(Document((table,), format="docx")).text == "存在问题\t1.支付进度慢 2.台账不全"
    table = Table((Row(("存在问题", "1）支付进度慢\n2）台账\n不全")),))
    assert compose(Document((table,), format="docx")).text == "存在问题\t1）支付进度慢 2）台账不全"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("县教育局\n县财政局", "县教育局 县财政局"),
        ("资金闲置\n支出进度滞后", "资金闲置 支出进度滞后"),
        ("存在\n的主要问题", "存在的主要问题"),
        ("偏差原因分析\n及改进措施", "偏差原因分析及改进措施"),
        ("全年预算数\n（单位：万元）", "全年预算数（单位：万元）"),
        ("专项资金闲置，\n没有按进度拨付给学校。\n已整改", "专项资金闲置，没有按进度拨付给学校。已整改"),
        ("补助资金拨付\n18.60万元", "补助资金拨付18.60万元"),
        ("1,234\n567,890.12万元", "1,234567,890.12万元"),
    ],
)
def test_entries_of_a_cell_stay_apart_and_halves_of_one_are_joined(cell: str, expected: str) -> None:
    table = Table((Row(("1", cell)),))
    assert compose(Document((table,), format="xlsx")).text == f"1\t{expected}"


def test_wide_gaps_part_cells_and_spelled_out_words_do_not() -> None:
    composed = compose(paragraphs_of("项目名称      预算数      执行数\n部   门   概   况"))
    assert composed.text == "项目名称\t预算数\t执行数\n部门概况"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("五、\t存在的问题", "五、存在的问题"),
        ("\t1.\t\t2024年支出进度滞后。", "1. 2024年支出进度滞后。"),
        ("●\t台账不全。", "●台账不全。"),
        ("1）    台账不全。", "1）台账不全。"),
        ("一、   基本情况", "一、基本情况"),
        ("棠溪县卫生健康局            2025年3月15日", "棠溪县卫生健康局2025年3月15日"),
        ("棠溪县卫生健康局\t\t二〇二五年三月十五日", "棠溪县卫生健康局 二〇二五年三月十五日"),
    ],
)
def test_a_gap_behind_a_mark_or_before_a_signature_s_date_parts_no_cells(line: str, expected: str) -> None:
    composed = compose(paragraphs_of(line))
    assert (composed.text, [found.table for found in composed.lines]) == (expected, [None])


def test_rows_that_begin_with_a_mark_stay_rows() -> None:
    rows = ["序号\t问题", "1.\t支付进度慢。", "（2）\t台账不全。", "一、\t基本支出\t120", "合计\t2"]
    composed = compose(paragraphs_of("\n".join([*rows, "五、\t存在的问题"])))
    assert composed.text.split("\n") == [*rows, "五、存在的问题"]
    assert [line.table for line in composed.lines] == [0, 0, 0, 0, 0, None]


# ------------------------------------------------------------------------------------------------------------- sentences


def test_sentences_are_cut_outside_brackets_only() -> None:
    text = "甲（乙；丙）；丁“戊。”己。庚"
    assert [text[a:b] for a, b in split_spans(text, 0, len(text), "；。")] == ["甲（乙；丙）；", "丁“戊。”己。", "庚"]


def test_an_unclosed_bracket_ends_at_the_full_stop() -> None:
    text = "甲（乙。丙；丁"
    assert [text[a:b] for a, b in split_spans(text, 0, len(text), "；")] == ["甲（乙。丙；", "丁"]


def test_trim_keeps_the_words() -> None:
    assert trim("  甲 乙 ", 0, 6) == (2, 5)


WORDS = st.sampled_from(
    [
        "一、",
        "（一）",
        "1.",
        "一是",
        "绩效",
        "资金支付偏慢",
        "存在的问题",
        "，",
        "。",
        "；",
        "：",
        " ",
        "\t",
        "\n",
        "2023年",
        "、",
    ]
)
TEXTS = st.lists(WORDS, max_size=60).map("".join)


def cjk(text: str) -> str:
    return "".join(re.findall(r"[一-鿿]", text))


@given(TEXTS)
def test_no_chinese_character_gets_lost_or_moved(text: str) -> None:
    assert cjk(compose(paragraphs_of(text)).text) == cjk(text)


@given(TEXTS, st.booleans())
def test_lines_and_cells_are_slices_of_the_text(text: str, wrapped: bool) -> None:
    document = Document(tuple(Paragraph(line) for line in text.splitlines()), format="txt", wrapped=wrapped)
    composed = compose(document)
    assert "\n".join(composed.of(line) for line in composed.lines) == composed.text
    for line in composed.lines:
        if line.cells:
            assert "\t".join(composed.text[a:b] for a, b in line.cells) == composed.of(line)


def test_lines_wrapped_after_so_many_characters_are_joined_although_digits_are_narrow() -> None:
    whole = (
        "项目支出中，农村公路养护4992.00万元，公交运营补贴21163.00万元，桥梁隧道安全提升15000.00万元，"
        "其余为信号设施维护和应急抢险备勤经费，按季度据实拨付给养护单位，年底统一结算并公示，接受审计部门和群众监督。"
    )
    wrapped = "\n".join(whole[i : i + 20] for i in range(0, len(whole), 20))
    assert compose(paragraphs_of(wrapped)).text == whole


WRAPPED = """（1）建立佐证材料的目录，没有原始记录的完成值一律按零来计算，
由专人登记。
（2）每年六月对全部食堂统一盘点，盘点的结果在各校公开栏公布，满
一个月为止。
（3）审计组抽查三十六所学校，发现其中十一所从食堂收入里面列支了教
师的福利。
"""


@pytest.mark.parametrize(
    "lines",
    [
        ("（4）没有原始记录的完成值按零计，满意度从明年起一律改由", "12345热线回访产生。"),  # no room for the figure
        ("（4）超标准列支的教师补助由各所学校退回，退回的数额共计", "186.40万元。"),
        ("（4）有教师 51 名、车 12 辆、校警 28 名、厨 16 名，聘", "文职人员。"),  # spaces take room
        ("（4）完成管网改造", "，没有发生内涝。"),
        ("（4）审计组抽查，发现其中十一个专项资金绩效目标申报表里面的", "二、三级指标没有量化。"),
    ],
)
def test_the_rest_of_a_broken_line_is_joined_to_it(lines: tuple[str, str]) -> None:
    assert mended(WRAPPED + "\n".join(lines))[3:] == ["".join(lines).replace(" ", "")]
