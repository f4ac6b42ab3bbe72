"""Findings: where a paragraph is cut, what leads into it and which headings stand above it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.outline import find_outline
from nlp.passages import cut_passages, section_role
from nlp.records import Document, Paragraph, Passage, Row, Table
from nlp.text import Text, compose, paragraphs_of


def cut(composed: Text) -> tuple[Passage, ...]:
    return cut_passages(composed, find_outline(composed), "r")


def findings(text: str) -> list[str]:
    return [p.text for p in cut(compose(paragraphs_of(text)))]


def under(heading: str, *lines: str) -> list[Passage]:
    """Return the passages of lines under a heading, that stands between two others."""
    text = "\n".join(("一、部门概况", "本局负责教育工作。", f"二、{heading}", *lines, "三、其他", "无"))
    return [p for p in cut(compose(paragraphs_of(text))) if p.section and p.section[0] == f"二、{heading}"]


# ---------------------------------------------------------------------------------------------------------------- counted


def test_items_counted_in_a_sentence_are_findings_with_their_lead() -> None:
    line = "自评中发现的不足主要有：一是预算编制不细，年中调整多；二是支付进度慢，年底集中支付；三是台账不全。"
    found = under("存在的问题", line)
    assert [p.text for p in found] == [
        "一是预算编制不细，年中调整多；",
        "二是支付进度慢，年底集中支付；",
        "三是台账不全。",
    ]
    assert [p.lead for p in found] == ["自评中发现的不足主要有"] * 3


def test_a_lead_that_says_something_is_a_finding_too() -> None:
    line = "全年有3个项目没有按期完工，涉及资金420万元。一是前期手续办理慢；二是施工单位更换。"
    assert [p.text for p in under("存在的问题", line)] == [
        "全年有3个项目没有按期完工，涉及资金420万元。",
        "一是前期手续办理慢；",
        "二是施工单位更换。",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "首先，预算编制不细。其次，支付进度慢。最后，台账不全。",
            ["首先，预算编制不细。", "其次，支付进度慢。", "最后，台账不全。"],
        ),
        (
            "首先是预算编制不细；其次是支付进度慢；然后是台账不全，车辆没有派车单。",
            ["首先是预算编制不细；", "其次是支付进度慢；", "然后是台账不全，车辆没有派车单。"],
        ),
        ("①预算编制不细；②支付进度慢；③台账不全。", ["①预算编制不细；", "②支付进度慢；", "③台账不全。"]),
        ("第一，预算编制不细。第二，支付进度慢。", ["第一，预算编制不细。", "第二，支付进度慢。"]),
        ("（1）预算编制不细；（2）支付进度慢。", ["（1）预算编制不细；", "（2）支付进度慢。"]),
        ("1.预算编制不细；2.支付进度慢。", ["1.预算编制不细；", "2.支付进度慢。"]),
        (
            "预算编制不细，年中调整较多；支付进度慢，集中在年底；台账登记不全。",
            ["预算编制不细，年中调整较多；", "支付进度慢，集中在年底；", "台账登记不全。"],
        ),
    ],
)
def test_ways_to_count(line: str, expected: list[str]) -> None:
    assert [p.text for p in under("存在的问题", line)] == expected


def test_a_count_that_skips_is_not_taken_for_one() -> None:
    assert [p.text for p in under("存在的问题", "一是预算编制不细，三是支付进度慢。")] == [
        "一是预算编制不细，三是支付进度慢。"
    ]


def test_elsewhere_a_semicolon_parts_nothing() -> None:
    line = "完成校舍维修12所，新增面积8600平方米；资助学生1.9万人，覆盖率100%。"
    assert [p.text for p in under("绩效目标", line)] == [line]


def test_a_numbered_item_is_one_finding() -> None:
    items = ["1.支付进度慢：校舍维修只支付了五成；设备购置尚未开工。", "2.台账不全；个别设备没有登记。"]
    assert [p.text for p in under("存在的问题", *items)] == items


@pytest.mark.parametrize(
    "line",
    [
        "绩效指标重过程轻结果：培训类指标只算场次；满意度没有取数的口径。",
        "查重机制留有盲区。两个方向由不同的处室受理；比对只看项目名称。",
        "问题二，支出进度与工作进度错位。普查已经完成，经费只支出八成；补贴尚未发放。",
        "五是指标没有抓住要害。就业项目只看人次；宣传项目只看册数。",
    ],
)
def test_a_claim_and_what_bears_it_out_are_one_finding(line: str) -> None:
    assert [p.text for p in under("存在的问题", line)] == [line]


def test_bullets_are_one_finding_each() -> None:
    items = ["——支付进度慢。校舍维修只支付了五成；设备购置尚未开工。", "——台账不全。设备没有登记；车辆没有派车单。"]
    assert [p.text for p in under("存在的问题", *items)] == items


@pytest.mark.parametrize("gap", ["", "\t"])
def test_lines_of_contents_with_pages_behind_a_tab_are_no_findings(gap: str) -> None:
    heads = [f"{mark}、{gap}{words}" for mark, words in (("一", "部门概况"), ("二", "存在的问题"), ("三", "改进措施"))]
    contents = [f"{head}\t{page}" for head, page in zip(heads, (1, 5, 9), strict=True)]
    bodies = ["本局负责教育工作。", "资金支付进度慢。", "按月通报进度。"]
    lines = [line for pair in zip(heads, bodies, strict=True) for line in pair]
    composed = compose(paragraphs_of("\n".join(["教育局自评报告", *contents, *lines])))
    assert [(p.text, p.section) for p in cut(composed)] == [
        ("本局负责教育工作。", ("一、部门概况",)),
        ("资金支付进度慢。", ("二、存在的问题",)),
        ("按月通报进度。", ("三、改进措施",)),
    ]


# ----------------------------------------------------------------------------------------------------------------- turns


def test_a_paragraph_is_cut_where_it_turns_to_cause_and_measure() -> None:
    line = "1.校舍维修资金未列入年初预算，年中追加较多。分析其原因主要是项目储备不足。下一步，我局将提前半年申报项目。"
    assert [p.text for p in under("存在的问题", line)] == [
        "1.校舍维修资金未列入年初预算，年中追加较多。",
        "分析其原因主要是项目储备不足。",
        "下一步，我局将提前半年申报项目。",
    ]


def test_one_fault_with_its_cause_after_another() -> None:
    line = "设备到货慢，主要是进口配件断供。系统分割，原因在于各条线分别建设，缺少统筹。"
    assert [p.text for p in under("原因分析", line)] == [
        "设备到货慢，主要是进口配件断供。",
        "系统分割，原因在于各条线分别建设，缺少统筹。",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "1.车辆超编，封存后仍在使用。|究其原因，处置手续没有办完。|拟从明年起集中处置。",
        "1.校舍维修付款慢，年底还有三成没有支付。|资金缺口的成因在于配套没有列入预算。|我局已向财政部门申请追加。",
        "1.租车费从项目资金中列支。|该单位解释称，公用经费不足。|责成该单位一个月内退回。",
        "1.佐证材料不全，自评得分偏高。|各校普遍认为得分影响下年预算，问卷由自己发放。|以后由第三方发放问卷。",
        "1.设备闲置，利用率不足两成。|主要是采购在前、招人在后。|下一步，统筹调配使用。",
        "问题：工程款拖欠，涉及3家企业。|原因：配套资金没有到位。|对策：分两年列入预算。",
    ],
)
def test_words_that_turn_from_a_fault(line: str) -> None:
    assert [p.text for p in under("存在的问题", line.replace("|", ""))] == line.split("|")


def test_under_problems_with_measures_a_sentence_that_says_what_is_done_is_a_finding() -> None:
    line = "1.指标照抄上年。完成值连续三年没有变化。|修订指标库，由业务股室逐项签认。"
    assert [p.text for p in under("存在问题和打算怎么改", line.replace("|", ""))] == line.split("|")
    kept = "1.制度执行打折扣。规范化水平偏低，由于人手紧，台账由各校代管。将维修资金用于接待。"
    assert [p.text for p in under("存在问题和打算怎么改", kept)] == [kept]


@pytest.mark.parametrize("heading", ["原因剖析", "成因", "原因在哪里", "为什么会这样", "产生问题的原因"])
def test_each_sentence_under_a_heading_of_causes_is_one(heading: str) -> None:
    line = "申报窗口只有二十多天，来不及论证。|死亡信息按季上报，没有实时交换。这样一来，补助多发了几个月。|人手不足，一人兼三岗。"
    assert [p.text for p in under(heading, line.replace("|", ""))] == line.split("|")
    assert [p.text for p in under(heading, "1." + line.replace("|", ""))] == ["1." + line.replace("|", "")]


def test_a_label_tells_what_its_paragraph_states() -> None:
    line = "为啥会这样：经办人已经调走，账和资料对不齐。|任务一年比一年多，编制内的人顾不过来。"
    assert [p.text for p in under("存在的问题", line.replace("|", ""))] == line.split("|")


def test_sentences_that_begin_with_years_are_findings_of_their_own() -> None:
    line = "2023年未公开绩效自评结果，涉及4个项目。2022年未对结转资金进行清理，金额130万元。"
    assert [p.text for p in under("存在的问题", line)] == [
        "2023年未公开绩效自评结果，涉及4个项目。",
        "2022年未对结转资金进行清理，金额130万元。",
    ]


@pytest.mark.parametrize("line", ["四、存在的问题 无。", "四、存在的问题：无。", "四、存在的问题无"])
def test_a_report_without_problems_has_one_short_passage_there(line: str) -> None:
    assert findings(f"三、自评结论\n得分95分，等级为优。\n{line}\n五、改进措施\n继续保持良好的工作状态。") == [
        "得分95分，等级为优。",
        line.replace(" ", "", 0),
        "继续保持良好的工作状态。",
    ]


# -------------------------------------------------------------------------------------------------------------- headings


def test_headings_above_a_finding_are_as_printed_and_its_own_run_in_head_is_not_above_it() -> None:
    text = "一、概况\n本局负责教育。\n五、存在的问题及原因分析\n（一）存在的问题\n1.支付慢：年底集中支付。\n（二）原因分析\n1.手续多：审批环节多。"
    found = cut(compose(paragraphs_of(text)))
    assert [(p.text, p.section) for p in found[1:]] == [
        ("1.支付慢：年底集中支付。", ("五、存在的问题及原因分析", "（一）存在的问题")),
        ("1.手续多：审批环节多。", ("五、存在的问题及原因分析", "（二）原因分析")),
    ]


def test_run_in_heading_before_counted_items_is_their_lead() -> None:
    found = under("存在的问题", "（一）预算管理不到位。一是编制不细；二是调整频繁。")
    assert [(p.text, p.lead) for p in found] == [
        ("一是编制不细；", "（一）预算管理不到位"),
        ("二是调整频繁。", "（一）预算管理不到位"),
    ]


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (["五、存在的问题"], "problem"),
        (["五、存在的问题及原因分析", "（二）原因分析"], "cause"),
        (["五、存在的问题及改进措施"], "problem+measure"),
        (["六、下一步改进措施"], "measure"),
        (["六、有关建议"], "measure"),
        (["七、审计查出问题的整改情况"], "problem+measure"),
        (["八、产生问题的原因"], "cause"),
        (["七、存在的问题及成因"], "problem"),
        (["八、成因剖析"], "cause"),
        (["九、下步打算"], "measure"),
        (["六、存在问题和怎么改"], "problem+measure"),
        (["一、部门概况"], None),
        ([], None),
    ],
)
def test_what_headings_announce(path: list[str], role: str | None) -> None:
    assert section_role(path) == role


def test_the_title_is_no_passage() -> None:
    assert findings("棠溪县教育局2023年度绩效自评报告\n一、概况\n本局负责教育。") == ["本局负责教育。"]


def test_the_foot_of_a_web_page_is_neither_heading_nor_finding() -> None:
    blocks = (
        Paragraph("一、概况"),
        Paragraph("本局负责教育。"),
        Paragraph("相关文章", heading=3),
        Paragraph("预算公开说明"),
    )
    composed = compose(Document(blocks, format="html"))
    assert [s.label for s in find_outline(composed).sections] == ["一、概况"]
    assert [p.text for p in cut(composed)] == ["本局负责教育。", "预算公开说明"]


# ---------------------------------------------------------------------------------------------------------------- tables


def table(*rows: tuple[str, ...]) -> list[Passage]:
    blocks = (Paragraph("一、自评情况"), Table(tuple(Row(row) for row in rows)))
    return list(cut(compose(Document(blocks, format="docx"))))


def test_prose_cells_are_findings_under_the_label_at_their_left() -> None:
    found = table(
        ("项目名称", "校舍维修", "预算数", "120"),
        ("存在的问题", "年初预算没有落实到学校，年中追加较多；支付集中在第四季度。", "", ""),
        ("改进措施", "提前半年组织申报维修需求，建立项目库。", "", ""),
    )
    assert [(p.text, p.section) for p in found[1:]] == [
        ("年初预算没有落实到学校，年中追加较多；", ("一、自评情况", "存在的问题")),
        ("支付集中在第四季度。", ("一、自评情况", "存在的问题")),
        ("提前半年组织申报维修需求，建立项目库。", ("一、自评情况", "改进措施")),
    ]


def test_a_prose_cell_has_the_head_of_its_column() -> None:
    found = table(
        ("指标", "得分", "偏差原因分析及改进措施"), ("预算执行率", "8.4", "征地拆迁滞后，影响了工程款的计量支付。")
    )
    assert (found[-1].text, found[-1].section[-1]) == (
        "征地拆迁滞后，影响了工程款的计量支付。",
        "偏差原因分析及改进措施",
    )


def test_a_row_of_figures_is_one_passage() -> None:
    found = table(("项目名称", "预算数", "执行数"), ("校舍维修改造", "3190.00", "1528.00"))
    assert [p.text for p in found] == ["项目名称\t预算数\t执行数", "校舍维修改造\t3190.00\t1528.00"]


def test_a_table_flattened_to_tabs_in_a_text_file() -> None:
    text = "一、自评情况\n指标\t\t得分\t\t扣分原因\n产出\t\t43\t\t高标准农田跨年度实施，年底只完成一半。"
    found = cut(compose(paragraphs_of(text)))
    assert (found[-1].text, found[-1].section) == (
        "高标准农田跨年度实施，年底只完成一半。",
        ("一、自评情况", "扣分原因"),
    )


# ------------------------------------------------------------------------------------------------------------ properties

WORDS = st.sampled_from(
    [
        "一、",
        "二、",
        "（一）",
        "1.",
        "2、",
        "①",
        "②",
        "一是",
        "二是",
        "首先",
        "其次",
        "存在的问题",
        "改进措施",
        "资金支付进度偏慢",
        "原因是",
        "下一步",
        "2023年",
        "2022年",
        "，",
        "。",
        "；",
        "：",
        " ",
        "\t",
        "\n",
        "【",
        "】",
        "（",
        "）",
        "——",
        "12.5万元",
    ]
)
TEXTS = st.lists(WORDS, max_size=60).map("".join)


@given(TEXTS)
def test_passages_are_slices_that_do_not_overlap_and_lie_in_order(text: str) -> None:
    composed = compose(paragraphs_of(text))
    found = cut(composed)
    for p in found:
        assert composed.text[p.start : p.end] == p.text
        assert p.text.strip() == p.text
        assert "\n" not in p.text
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert [p.id for p in found] == [f"r-{n:04d}" for n in range(1, len(found) + 1)]


@given(TEXTS)
def test_sections_nest_and_lie_in_the_text(text: str) -> None:
    composed = compose(paragraphs_of(text))
    sections = find_outline(composed).sections
    for s in sections:
        assert 0 <= s.start < s.body <= s.end <= len(composed.text)
        assert composed.text[s.start :].startswith(s.number)
    for i, a in enumerate(sections):
        for b in sections[i + 1 :]:
            assert b.start >= a.end or (b.end <= a.end and b.level > a.level)


def test_a_row_of_codes_and_figures_is_no_passage() -> None:
    assert table(("30103", "奖金", "0.00", "30203", "咨询费", "0.00")) == []


def test_a_row_whose_first_cell_is_empty_begins_with_its_words() -> None:
    assert [p.text for p in table(("", "校舍维修改造", "设备购置"))] == ["校舍维修改造\t设备购置"]
