"""Headings and levels: each irregularity that real reports have, as a small text of our own."""

from __future__ import annotations

import time

import pytest

from nlp.outline import chinese_number, find_mark, find_outline
from nlp.records import Document, Paragraph
from nlp.text import compose, paragraphs_of


def outline(text: str) -> list[tuple[int, str]]:
    """Return level and label of each section."""
    return [(s.level, s.label) for s in find_outline(compose(paragraphs_of(text))).sections]


PROSE = "本单位按照要求完成了全年的各项工作，资金使用规范。"


def chapters(*lines: str) -> str:
    """Return lines with a paragraph of prose under each."""
    return "\n".join(f"{line}\n{PROSE}" for line in lines)


# ----------------------------------------------------------------------------------------------------------------- marks


@pytest.mark.parametrize(
    ("line", "kind", "value", "rest"),
    [
        ("一、基本情况", "cn", 1, "基本情况"),
        ("十二、其他", "cn", 12, "其他"),
        ("（三）资产状况", "cn_paren", 3, "资产状况"),
        ("(三)资产状况", "cn_paren", 3, "资产状况"),
        ("（三)资产状况", "cn_paren", 3, "资产状况"),
        ("1.项目概况", "arabic", 1, "项目概况"),
        ("2．项目概况", "arabic", 2, "项目概况"),
        ("3、项目概况", "arabic", 3, "项目概况"),
        ("4 .项目概况", "arabic", 4, "项目概况"),
        ("（5）项目概况", "arabic_paren", 5, "项目概况"),
        ("6）项目概况", "half_paren", 6, "项目概况"),
        ("③项目概况", "circled", 3, "项目概况"),
        ("1.2 项目概况", "dotted", 2, "项目概况"),
        ("第一部分 部门概况", "part", 1, "部门概况"),
        ("第十章、总则", "part", 10, "总则"),
        ("二、三公经费", "cn", 2, "三公经费"),
        ("一、二级单位概况", "cn", 1, "二级单位概况"),
        ("二、三级指标完成情况", "cn", 2, "三级指标完成情况"),
    ],
)
def test_mark_has_its_kind_value_and_width(line: str, kind: str, value: int, rest: str) -> None:
    mark = find_mark(line)
    assert mark is not None
    assert (mark.kind, mark.value, line[mark.width :]) == (kind, value, rest)


@pytest.mark.parametrize(
    "line",
    [
        "3.5万元用于培训",
        "1,126人参加",
        "2024.资金",
        "一是进度慢",
        "十分重视",
        "第一时间",
        "（略）",
        "二、三级指标不细",
        "一、二、三季度偏慢",
    ],
)
def test_figures_and_words_are_no_marks(line: str) -> None:
    assert find_mark(line) is None


def test_chinese_numbers_up_to_199_agree_with_a_table_built_from_digits() -> None:
    digits = "零一二三四五六七八九"
    table: dict[str, int] = {}
    for value in range(1, 200):
        hundreds, tens, ones = value // 100, value // 10 % 10, value % 10
        words = f"{digits[hundreds]}百" if hundreds else ""
        if tens:
            words += "十" if tens == 1 and not hundreds else f"{digits[tens]}十"
        elif hundreds and ones:
            words += "零"
        table[words + (digits[ones] if ones else "")] = value
    assert len(table) == 199
    assert {words: chinese_number(words) for words in table} == table


def test_numbers_written_digit_by_digit_are_read_too() -> None:
    assert [chinese_number(words) for words in ("二〇", "一二", "三〇")] == [20, 12, 30]


# ---------------------------------------------------------------------------------------------------------------- levels


def test_plain_nesting() -> None:
    text = chapters(
        "一、部门概况",
        "（一）主要职能",
        "（二）人员情况",
        "二、存在的问题",
        "（一）预算编制不细",
        "1.具体表现",
        "（二）执行偏慢",
    )
    assert outline(text) == [
        (1, "一、部门概况"),
        (2, "（一）主要职能"),
        (2, "（二）人员情况"),
        (1, "二、存在的问题"),
        (2, "（一）预算编制不细"),
        (3, "1.具体表现"),
        (2, "（二）执行偏慢"),
    ]


def test_top_level_that_lost_half_of_its_numbers_is_one_level() -> None:
    text = (
        chapters("1、部门概况", "（一）主要职能")
        + "\n1、负责教学管理，组织各类考试。\n2、负责校舍安全，定期开展排查。\n"
    )
    text += chapters("二、支出情况", "（一）基本支出", "（二）项目支出")
    text += "\n1、校舍维修支出，共120万元。\n2、设备购置支出，共80万元。\n"
    text += chapters("三、基金支出", "4、资本预算", "5、社保支出", "六、绩效情况", "七、存在的问题")
    text += "\n1、预算编制不细，项目没有落实到学校，年中调整较多。\n2、资金支付偏慢，集中在第四季度支出。\n"
    text += (
        chapters("8、改进措施")
        + "\n1、编实编细预算，提前做好项目储备。\n2、加快支付进度，按月通报。\n"
        + chapters("九、公开情况")
    )
    assert [label for level, label in outline(text) if level == 1] == [
        "1、部门概况",
        "二、支出情况",
        "三、基金支出",
        "4、资本预算",
        "5、社保支出",
        "六、绩效情况",
        "七、存在的问题",
        "8、改进措施",
        "九、公开情况",
    ]


@pytest.mark.parametrize(
    "numbers",
    [
        ("一、", "二、", "三、", "三、", "四、"),  # repeated
        ("一、", "二、", "四、", "五、", "六、"),  # skipped
        ("一、", "二、", "二、", "四、", "五、"),  # both
        ("二、", "三、", "四、", "五、", "六、"),  # the first is lost
    ],
)
def test_repeated_and_skipped_numbers_stay_on_their_level(numbers: tuple[str, ...]) -> None:
    names = ("部门概况", "绩效目标", "预算执行", "存在的问题", "改进措施")
    heads = [number + name for number, name in zip(numbers, names, strict=True)]
    assert outline(chapters(*heads)) == [(1, head) for head in heads]


def test_the_same_mark_again_is_a_sibling_and_does_not_open_a_level() -> None:
    text = chapters("一、履职成效", "（一）重点工作", "（一）行业治理", "（三）安全管理", "二、存在的问题")
    assert outline(text) == [
        (1, "一、履职成效"),
        (2, "（一）重点工作"),
        (2, "（一）行业治理"),
        (2, "（三）安全管理"),
        (1, "二、存在的问题"),
    ]


def test_a_list_of_the_same_kind_directly_under_a_heading_of_that_kind() -> None:
    text = "一、自评结论\n（一）指标完成情况\n" + chapters(
        "（一）产出指标", "（二）效益指标", "（三）满意度指标", "（二）偏差原因"
    )
    levels = {label: level for level, label in outline(text)}
    assert levels["（一）产出指标"] == levels["（二）效益指标"] == levels["（三）满意度指标"] == 3
    assert levels["（一）指标完成情况"] == 2


def test_parts_stand_above_chapters_that_count_anew() -> None:
    text = chapters(
        "第一部分 部门概况",
        "一、主要职能",
        "二、机构设置",
        "第二部分 绩效情况",
        "一、自评结论",
        "（一）得分",
        "二、存在的问题",
    )
    assert outline(text) == [
        (1, "第一部分部门概况"),
        (2, "一、主要职能"),
        (2, "二、机构设置"),
        (1, "第二部分绩效情况"),
        (2, "一、自评结论"),
        (3, "（一）得分"),
        (2, "二、存在的问题"),
    ]


def test_a_skipped_part_does_not_become_a_chapter() -> None:
    text = chapters("第一部分 部门概况", "一、主要职能", "二、机构设置", "第三部分 绩效情况", "一、自评结论")
    assert [level for level, _ in outline(text)] == [1, 2, 2, 1, 2]


def test_a_table_of_contents_is_no_outline_and_no_passage() -> None:
    heads = ("一、部门概况", "二、预算执行", "三、存在的问题", "四、改进措施")
    contents = "\n".join(f"{head}……{page}" for page, head in enumerate(heads, 1))
    composed = compose(paragraphs_of(f"某局自评报告\n目录\n{contents}\n{chapters(*heads)}"))
    found = find_outline(composed)
    assert [s.label for s in found.sections] == list(heads)
    assert [found.bodies[index] == composed.lines[index].end for index in (2, 3, 4, 5)] == [True] * 4


def test_headings_without_numbers() -> None:
    assert outline(chapters("部门基本情况", "绩效目标", "存在的主要问题", "下一步改进措施")) == [
        (1, "部门基本情况"),
        (1, "绩效目标"),
        (1, "存在的主要问题"),
        (1, "下一步改进措施"),
    ]


def test_unnumbered_headings_stand_below_numbered_chapters() -> None:
    text = chapters("一、问题和措施", "存在的问题", "改进措施", "二、其他情况")
    assert outline(text) == [(1, "一、问题和措施"), (2, "存在的问题"), (2, "改进措施"), (1, "二、其他情况")]


def test_bracketed_heads() -> None:
    text = chapters("一、存在的问题", "【预算编制】", "【预算执行】", "二、改进措施")
    assert outline(text) == [(1, "一、存在的问题"), (2, "【预算编制】"), (2, "【预算执行】"), (1, "二、改进措施")]


def test_the_file_s_styles_count_from_the_first_level_below_the_title() -> None:
    lines = [("某局2023年度绩效自评报告", 1), ("一、概况", 2), (PROSE, None), ("1. 背景", 3), (PROSE, None)]
    lines += [("二、结论", 2), (PROSE, None), ("相关说明", 3), (PROSE, None), ("三、问题", 2), (PROSE, None)]
    document = Document(tuple(Paragraph(text, heading=heading) for text, heading in lines), format="html")
    sections = find_outline(compose(document)).sections
    assert [(s.level, s.label) for s in sections] == [
        (1, "一、概况"),
        (2, "1.背景"),
        (1, "二、结论"),
        (2, "相关说明"),
        (1, "三、问题"),
    ]


# --------------------------------------------------------------------------------------------- headings that run into the text


@pytest.mark.parametrize(
    ("line", "heading", "body"),
    [
        ("（1）执行进度不均衡：部分项目到第四季度才支付。", "执行进度不均衡", "部分项目到第四季度才支付。"),
        ("2、绩效管理意识薄弱。 各股室认为绩效是财务的事。", "绩效管理意识薄弱", "各股室认为绩效是财务的事。"),
        (
            "（二）预算执行失衡，支付进度滞后：因配套不足，工程款未付。",
            "预算执行失衡，支付进度滞后",
            "因配套不足，工程款未付。",
        ),
        ("四、存在的问题 无。", "存在的问题", "无。"),
        ("四、存在的问题无", "存在的问题", "无"),
        ("四、存在的问题：无。", "存在的问题", "无。"),
        ("五、存在的问题部分项目资金支付较慢，年底集中支付。", "存在的问题", "部分项目资金支付较慢，年底集中支付。"),
        ("六、改进措施 加强支付调度，按月通报进度。", "改进措施", "加强支付调度，按月通报进度。"),
    ],
)
def test_run_in_headings(line: str, heading: str, body: str) -> None:
    composed = compose(paragraphs_of(f"一、部门概况\n{PROSE}\n{line}\n{PROSE}"))
    section = next(s for s in find_outline(composed).sections if s.heading != "部门概况")
    assert (section.heading, composed.text[section.body : section.end].split("\n")[0].strip()) == (heading, body)


@pytest.mark.parametrize("line", ["五、存在的问题整改情况说明", "（一）改进措施和建议", "五、存在的问题及原因分析"])
def test_longer_headings_are_not_cut_at_words_they_begin_with(line: str) -> None:
    text = f"一、概况\n{PROSE}\n{line}\n{PROSE}"
    assert line in [label for _, label in outline(text)]


def test_items_of_a_list_are_no_headings() -> None:
    text = (
        "一、绩效目标\n1.完成校舍维修12所，新增面积8600平方米，年底前完工。\n2.巩固率保持在98%以上。\n二、自评结论\n"
        + PROSE
    )
    assert outline(text) == [(1, "一、绩效目标"), (1, "二、自评结论")]


def test_a_heading_with_nothing_under_it_counts_on_the_first_level_only() -> None:
    text = "一、存在的问题\n（一）预算编制不细\n（二）支付进度慢\n二、改进措施\n三、其他\n无"
    assert outline(text) == [(1, "一、存在的问题"), (1, "二、改进措施"), (1, "三、其他")]


def test_a_section_ends_where_the_next_of_its_level_or_above_begins() -> None:
    composed = compose(paragraphs_of(chapters("一、甲情况", "（一）乙情况", "（二）丙情况", "二、丁情况")))
    sections = {s.heading: s for s in find_outline(composed).sections}
    assert sections["甲情况"].end == sections["丁情况"].start
    assert sections["乙情况"].end == sections["丙情况"].start
    assert sections["丙情况"].end == sections["丁情况"].start
    assert sections["丁情况"].end == len(composed.text)


def test_a_long_line_of_dots_takes_no_longer_than_other_lines() -> None:
    composed = compose(paragraphs_of("." * 20_000 + "甲"))
    start = time.process_time()
    assert find_outline(composed).sections == ()
    assert time.process_time() - start < 1.0  # 7 s where each dot begins a run


def test_cost_grows_with_the_number_of_marks_and_not_faster() -> None:
    kinds = ("{}、章节名称", "（{}）小节名称", "{}.事项名称：内容说明", "（{}）要点名称：具体说明")
    spent: dict[int, float] = {}
    for count in (1000, 3000):
        lines = [kinds[(7 * i + i // 11) % 4].format(i % 9 + 1) for i in range(count)]
        composed = compose(paragraphs_of("\n".join(lines)))
        rounds = []
        for _ in range(3):
            start = time.process_time()
            sections = find_outline(composed).sections
            rounds.append(time.process_time() - start)
        spent[count] = min(rounds)  # a busy machine makes some of them longer
        assert len(sections) > count / 3
    assert spent[3000] < 5 * spent[1000]  # three times the marks; twice that would be a square
