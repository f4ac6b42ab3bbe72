"""Ledgers: which tables are ones, what each row gives, and how its problem and measure are linked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.ledger import Ledger, read_ledgers
from nlp.records import Document, Level, Paragraph, Region, Role, Row, Table
from nlp.text import Text, compose


def text_of(*rows: tuple[str, ...]) -> Text:
    return compose(Document((Paragraph("附件2"), Table(tuple(Row(row) for row in rows))), format="xlsx"))


def ledger(*rows: tuple[str, ...]) -> Ledger:
    return read_ledgers(text_of(*rows), "r")


def test_each_row_gives_a_problem_and_the_measure_linked_to_it() -> None:
    found = ledger(
        ("序号", "部门单位名称", "年度", "地区", "层级", "问题摘要", "原因", "整改情况"),
        ("1", "棠溪县教育局", "2023年", "云屏省棠溪县", "县级", "违规列支培训费3.2万元。", "把关不严。", "已退回。"),
        ("2", "汐州市交通运输局", "2024", "汐州市", "市", "未按期公开自评报告。", "", "无"),
    )
    problem, cause, measure, other = found.passages
    assert [(p.ref, p.role, p.text) for p in found.passages] == [
        ("1", Role.PROBLEM, "违规列支培训费3.2万元。"),
        ("1", Role.CAUSE, "把关不严。"),
        ("1", Role.MEASURE, "已退回。"),
        ("2", Role.PROBLEM, "未按期公开自评报告。"),
    ]
    assert (problem.department, problem.year, problem.level) == ("棠溪县教育局", 2023, Level.COUNTY)
    assert problem.region == cause.region == Region("云屏省", None, "棠溪县")
    assert (other.department, other.year, other.level, other.region.city) == (
        "汐州市交通运输局",
        2024,
        Level.CITY,
        "汐州市",
    )
    assert [(link.problem, link.measure, link.score) for link in found.links] == [(problem.id, measure.id, 1.0)]
    assert len({p.id for p in found.passages}) == 4


@pytest.mark.parametrize(
    "head",
    [
        ("id", "部门", "年度", "问题", "整改情况"),
        ("编号", "单位", "年份", "存在问题", "整改措施"),
        ("序号", "部门 单位", "年度", "问题摘要（概述）", "改进措施"),
        ("问题编号", "责任单位", "所属年度", "发现的问题", "整改落实情况"),
        ("序号", "预算单位", "年度", "存在的主要问题", "整改完成情况"),
        ("序号", "被评价单位", "年度", "绩效评价发现问题", "落实情况"),
        ("序号", "整改单位", "年度", "问题情况", "整改举措"),
    ],
)
def test_heads_in_other_words_and_orders(head: tuple[str, ...]) -> None:
    found = ledger(head[::-1], ("已完成整改。", "资产没有登记入账。", "2022", "砚池区民政局", "7")[:])
    assert [
        (p.ref, p.department, p.year, p.role, p.text)
        for p in sorted(found.passages, key=lambda p: p.role == Role.MEASURE)
    ] == [
        ("7", "砚池区民政局", 2022, Role.PROBLEM, "资产没有登记入账。"),
        ("7", "砚池区民政局", 2022, Role.MEASURE, "已完成整改。"),
    ]


def test_a_title_above_and_a_head_repeated_in_the_middle_are_no_rows() -> None:
    head = ("序号", "部门", "问题", "整改情况")
    found = ledger(
        ("整改台账", "", "", ""),
        head,
        ("1", "民政局", "账实不符。", "已调账。"),
        head,
        ("2", "", "超标准接待。", "已退款。"),
    )
    assert [(p.ref, p.department, p.text) for p in found.passages] == [
        ("1", "民政局", "账实不符。"),
        ("1", "民政局", "已调账。"),
        ("2", "民政局", "超标准接待。"),  # an empty cell means the one above
        ("2", "民政局", "已退款。"),
    ]


def test_a_problem_merged_over_two_measures_is_one_problem() -> None:
    found = ledger(
        ("序号", "问题", "整改措施"),
        ("1", "账实不符，涉及设备42件。", "已补登卡片。"),
        ("1", "账实不符，涉及设备42件。", "每季度盘点一次。"),
        ("2", "超标准接待。", "已退款。"),
    )
    assert [(p.role, p.text) for p in found.passages] == [
        (Role.PROBLEM, "账实不符，涉及设备42件。"),
        (Role.MEASURE, "已补登卡片。"),
        (Role.MEASURE, "每季度盘点一次。"),
        (Role.PROBLEM, "超标准接待。"),
        (Role.MEASURE, "已退款。"),
    ]
    texts = {p.id: p.text for p in found.passages}
    assert [(texts[link.problem], texts[link.measure]) for link in found.links] == [
        ("账实不符，涉及设备42件。", "已补登卡片。"),
        ("账实不符，涉及设备42件。", "每季度盘点一次。"),
        ("超标准接待。", "已退款。"),
    ]


def test_each_column_of_a_role_gives_a_passage() -> None:
    found = ledger(
        ("序号", "问题", "具体问题", "整改措施", "整改时限", "整改情况"),
        ("1", "资产管理不到位", "42台设备未入账。", "补办入账手续。", "2025年6月", "正在整改。"),
        ("2", "资产管理不到位", "3间房屋闲置。", "公开招租。", "2025年8月", "已出租。"),
    )
    texts = {p.id: p.text for p in found.passages}
    assert [(texts[link.problem], texts[link.measure]) for link in found.links] == [
        ("资产管理不到位", "补办入账手续。"),
        ("资产管理不到位", "正在整改。"),
        ("42台设备未入账。", "补办入账手续。"),
        ("42台设备未入账。", "正在整改。"),
        ("资产管理不到位", "公开招租。"),
        ("资产管理不到位", "已出租。"),
        ("3间房屋闲置。", "公开招租。"),
        ("3间房屋闲置。", "已出租。"),
    ]


@pytest.mark.parametrize(
    "merged",
    [
        ("序号", "部门", "审计情况", "", "整改情况", ""),
        ("序号", "部门", "存在问题", "", "整改情况", ""),
    ],
)
@pytest.mark.parametrize("ref", [("序号", "部门"), ("", "")])
def test_a_head_of_two_lines(merged: tuple[str, ...], ref: tuple[str, str]) -> None:
    found = ledger(
        merged,
        (*ref, "问题类型", "具体问题", "已整改金额", "整改措施"),
        ("1", "县教育局", "预算执行", "专项资金闲置120万元。", "95", "按月通报支付进度。"),
        merged,
        ("2", "县水利局", "资产管理", "42台设备未入账。", "10", "补办入账手续。"),
    )
    assert [(p.ref, p.department, p.role, p.text) for p in found.passages] == [
        ("1", "县教育局", Role.PROBLEM, "专项资金闲置120万元。"),
        ("1", "县教育局", Role.MEASURE, "按月通报支付进度。"),
        ("2", "县水利局", Role.PROBLEM, "42台设备未入账。"),
        ("2", "县水利局", Role.MEASURE, "补办入账手续。"),
    ]


def test_under_a_divided_head_without_known_names_the_column_with_most_text_counts() -> None:
    found = ledger(
        ("序号", "存在问题", "", "整改措施"),
        ("序号", "类型", "内容", "整改措施"),
        ("1", "预算执行", "专项资金闲置120万元。", "按月通报支付进度。"),
    )
    assert [(p.role, p.text) for p in found.passages] == [
        (Role.PROBLEM, "专项资金闲置120万元。"),
        (Role.MEASURE, "按月通报支付进度。"),
    ]


def test_a_row_of_short_words_is_no_second_line_of_the_head() -> None:
    found = ledger(
        ("部门", "问题", "整改情况"), ("县教育局", "账实不符", "已调账"), ("县水利局", "超标准接待", "已退款")
    )
    assert [p.text for p in found.passages] == ["账实不符", "已调账", "超标准接待", "已退款"]


def test_a_row_without_its_own_problem_goes_on_with_the_one_above() -> None:
    found = ledger(
        ("序号", "部门", "问题", "整改情况"),
        ("1", "县教育局", "专项资金闲置120万元。", "制定支付计划。"),
        ("", "", "", "已拨付95万元。"),
        ("1", "县教育局", "", "其余收回。"),
        ("2", "县水利局", "", "已公开绩效目标。"),
        ("3", "县水利局", "无", "继续加强管理。"),
    )
    assert [(p.ref, p.text) for p in found.passages] == [
        ("1", "专项资金闲置120万元。"),
        ("1", "制定支付计划。"),
        ("1", "已拨付95万元。"),
        ("1", "其余收回。"),
        ("2", "已公开绩效目标。"),
        ("3", "继续加强管理。"),
    ]
    texts = {p.id: p.text for p in found.passages}
    assert [(texts[link.problem], texts[link.measure]) for link in found.links] == [
        ("专项资金闲置120万元。", "制定支付计划。"),
        ("专项资金闲置120万元。", "已拨付95万元。"),
        ("专项资金闲置120万元。", "其余收回。"),
    ]


@pytest.mark.parametrize("group", ["{}", "一、{}", "（二）{}（1个）", "3.{}："])
def test_an_office_alone_in_a_row_is_that_of_the_rows_below(group: str) -> None:
    found = ledger(
        ("序号", "问题", "整改情况"),
        (group.format("青禾县教育局"), "", ""),
        ("1", "专项资金闲置120万元。", "已拨付。"),
        (group.format("十里镇人民政府"), "", ""),
        ("1", "42台设备未入账。", "已入账。"),
    )
    assert [(p.ref, p.department, p.text) for p in found.passages] == [
        ("1", "青禾县教育局", "专项资金闲置120万元。"),
        ("1", "青禾县教育局", "已拨付。"),
        ("1", "十里镇人民政府", "42台设备未入账。"),
        ("1", "十里镇人民政府", "已入账。"),
    ]


def test_a_column_of_texts_has_no_role() -> None:
    found = ledger(("正文",), ("资金支付进度慢。",), ("已按月通报。",))
    assert [(p.text, p.role) for p in found.passages] == [("资金支付进度慢。", None), ("已按月通报。", None)]


@pytest.mark.parametrize(
    "rows",
    [
        (("指标", "分值", "得分"), ("产出", "50", "43")),
        (("一级指标", "得分", "偏差原因分析及改进措施"), ("产出", "43", "工期滞后。")),
        (("存在问题", "支付进度慢。"), ("改进措施", "按月通报。")),
        (("序号", "部门", "措施"), ("1", "民政局", "按月通报。")),
        (
            ("存在问题", "支付进度慢，执行率仅62%。", "改进措施", "按月通报。"),
            ("填报人", "张三", "联系电话", "0101234"),
        ),
        (("存在问题", "无", "改进措施", "无"), ("填报人", "张三", "联系电话", "0101234")),
        (("主管部门", "县教育局", "存在问题", ""), ("填表说明：如实填写，不得空缺。", "", "", "")),
    ],
)
def test_other_tables_are_no_ledgers(rows: tuple[tuple[str, ...], ...]) -> None:
    assert ledger(*rows) == Ledger((), (), ())


def test_the_stretch_of_the_table_is_given_so_that_nobody_else_cuts_it() -> None:
    composed = text_of(("序号", "问题"), ("1", "账实不符。"))
    found = read_ledgers(composed, "r")
    assert [composed.text[a:b] for a, b in found.spans] == ["序号\t问题\n1\t账实不符。"]


CELLS = st.text(alphabet="账实不符已整改。，；1２ \n\t　", max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=8))
def test_every_cell_is_a_slice_of_the_text(rows: list[tuple[str, str, str, str]]) -> None:
    composed = text_of(("序号", "部门", "问题", "整改情况"), *rows)
    found = read_ledgers(composed, "r")
    for p in found.passages:
        assert composed.text[p.start : p.end] == p.text
        assert p.text
    ids = {p.id: p.role for p in found.passages}
    assert len(ids) == len(found.passages)
    assert all((ids[link.problem], ids[link.measure]) == (Role.PROBLEM, Role.MEASURE) for link in found.links)
