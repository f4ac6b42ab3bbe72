from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nlp.checks import check_report
from nlp.outline import find_outline
from nlp.passages import cut_passages
from nlp.records import Discrepancy, DiscrepancyKind, Document, Identity, Paragraph, Report, Row, Source, Table
from nlp.text import compose

ROOT = Path(__file__).resolve().parents[1]
KIND = DiscrepancyKind


def _read(*blocks: str | list[str], year: int | None = 2023) -> Report:
    """Return a report of paragraphs and of tables, whose rows are lines with TABs."""
    parts = tuple(
        Paragraph(block) if isinstance(block, str) else Table(tuple(Row(tuple(row.split("\t"))) for row in block))
        for block in blocks
    )
    text = compose(Document(parts, "docx"))
    outline = find_outline(text)
    passages = cut_passages(text, outline, "r", ())
    return Report("r", text.text, Identity(year=year), Source("r", "", "docx"), outline.sections, tuple(passages))


def _check(*blocks: str | list[str], year: int | None = 2023) -> tuple[Discrepancy, ...]:
    report = _read(*blocks, year=year)
    found = check_report(report)
    for item in found:
        for passage, text, start in item.quotes:
            assert report.text[start : start + len(text)] == text
            assert passage is None or passage in {p.id for p in report.passages}
    return found


def _kinds(*blocks: str | list[str], year: int | None = 2023) -> list[str]:
    return [item.kind.value for item in _check(*blocks, year=year)]


# ---------------------------------------------------------------------------------------------------------- parts and total


def test_parts_that_do_not_make_the_total_are_told_with_their_arithmetic() -> None:
    (found,) = _check(
        "全年拨付补助1260.00万元，其中修缮学校480.00万元、添置桌椅350.00万元、培训教师340.00万元，合计1260.00万元。"
    )
    assert found.kind is KIND.SUM
    assert (found.expected, found.found) == ("1170.00万元", "1260.00万元")
    assert "修缮学校480.00万元＋添置桌椅350.00万元＋培训教师340.00万元＝1170.00万元" in found.message


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("其中老人院38人、儿童院24人，合计62人。", "其中老人院38人、儿童院24人，合计72人。"),
        ("全局在岗141人，其中在职人员108人，退休人员33人。", "全局在岗131人，其中在职人员108人，退休人员33人。"),
        ("拨付89500.00万元，其中甲市36200.00万元、乙市27300.00万元、丙市26000.00万元。", "拨付89500.00万元，其中甲市36200.00万元、乙市27300.00万元、丙市24000.00万元。"),
        ("全年支出900万元，其中甲项320万元，占全年支出的35.56%，乙项580万元。", "全年支出900万元，其中甲项320万元，占全年支出的53.56%，乙项580万元。"),
        ("支出5600.00万元，其中甲项3300.00万元、乙项2300.00万元。", "支出5600.00万元，其中甲项3800.00万元、乙项2300.00万元。"),
        ("支出由基本支出120.5万元和项目支出300万元组成，共420.5万元。", "支出由基本支出120.5万元和项目支出300万元组成，共402.5万元。"),
        ("全年支出900.00万元。基本支出320.00万元，项目支出580.00万元。", "全年支出900.00万元。基本支出320.00万元，项目支出630.00万元。"),
        ("年初预算860.00万元，年中追加140.00万元，全年预算1000.00万元。", "年初预算860.00万元，年中追加140.00万元，全年预算1100.00万元。"),
        ("项目预算55.26万元，实际支出40.84万元，结余14.42万元。", "项目预算55.26万元，实际支出40.84万元，结余14.24万元。"),
        ("自评总分91.0分（预算执行9.0分、产出46.0分、效益27.0分、满意度9.0分）。", "自评总分93.0分（预算执行9.0分、产出46.0分、效益27.0分、满意度9.0分）。"),
        ("产出指标得48分、效益指标得29分、满意度指标得9分，总分86分。", "产出指标得48分、效益指标得29分、满意度指标得9分，总分85分。"),
        ("开展培训12场、演练8场，共计20场。", "开展培训12场、演练8场，共计23场。"),
        ("四个季度支付占比分别为20%、25%、25%、30%。", "四个季度支付占比分别为20%、25%、35%、30%。"),
    ],
)  # fmt: skip
def test_sums_of_sentences(right: str, wrong: str) -> None:
    assert _kinds(right) == []
    assert len(_kinds(wrong)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "项目支出5600.00万元，其中甲项2300.00万元、乙项1200.00万元。",  # the rest is not told
        "支出5600.00万元，其中主要有甲项3300.00万元、乙项2200.00万元。",
        "支出约5600万元，其中甲项3300万元、乙项2380万元。",
        "全年预算900.00万元，其中基本支出320.00万元、项目支出580.00万元；全年支出850.00万元。",
        "支出900.00万元，其中人员经费320.00万元（含津贴100.00万元）、公用经费580.00万元。",
        "支出900.00万元，其中基本支出320.00万元，其中人员经费200.00万元、公用经费120.00万元；项目支出580.00万元。",
        "共有党员50人、团员30人、男性60人、女性41人。",
        "评分采用百分制，决策20分、过程20分、产出30分、效益30分，综合得分84.6分。",
        "投入15分得15分，过程25分得23.5分，产出30分得30分，效益30分得29分，合计97.5分。",
        "预算执行率98.5%，得9.85分；产出指标得48分；效益指标得29分；满意度指标得9分；自评总分95.85分。",
        "预算执行率98.5%，得9.85分。产出指标得48分、效益指标得29分、满意度指标得9分，自评总分95.85分。",
        "部门履职，得18分；产出指标得48分；效益指标得29分；总分95分。",
        "预算执行满分10分，自评9分；产出指标满分50分，自评48分；效益指标满分30分，自评29分；满意度指标满分10分，自评9分；总分为95分。",
        "改造小区14个，其中东片6个、西片5个。",
        "培训干部200人，其中党员120人、女干部90人。",
        "服务群众1000人次，其中老年人600人次、儿童300人次、妇女200人次。",
        "检查企业300家，其中危化企业120家、规上企业100家、消防重点单位90家。",
        "项目支出800万元，其中农业类500万元、涉农整合资金320万元。",
        "全年支出5000万元，其中三公经费45万元、基本支出3000万元、项目支出2000万元。",
        "全年支出5000万元，其中差旅费45万元、人员支出3000万元、项目支出2000万元。",
        "全年拨付资金1000万元，其中甲镇500万元、乙镇493万元。",
        "全年拨付资金1000万元，其中甲镇500万元、乙镇300万元、丙镇195万元。",
        "全年支出1000万元，其中基本支出600万元，占年初预算的95%，项目支出400万元，占年初预算的110%。",
        "全年支出1000万元，其中基本支出600万元，占上年的95%，项目支出400万元，占上年的110%。",
    ],
)
def test_lists_that_need_not_add_up_raise_no_alarm(text: str) -> None:
    assert _kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "上年结转50万元，本年预算300万元，支出310万元，结余40万元。",
        "另有上年结转50万元。本年预算300万元，支出290万元，结余60万元。",
        "本年预算300万元，支出310万元，结余40万元。",
        "全年预算500万元，实际支出420万元，结转60万元，结余20万元。",
        "年初预算安排100万元，年中追加50万元，全年预算数160万元（含上年结转10万元）。",
        "年初预算安排100万元，年中追加50万元，全年预算数160万元（含其他资金10万元）。",
        "年初预算860万元，比上年增加140万元，全年预算数900万元。",
    ],
)
def test_balances_that_something_else_explains_raise_no_alarm(text: str) -> None:
    assert _kinds(text) == []


def test_printed_rounding_is_respected() -> None:
    thirds = "甲项33.33万元、乙项33.33万元、丙项33.33万元，合计{}万元。"
    assert _kinds(thirds.format("100.00")) == []  # three halves of a last digit and the total's own
    assert _kinds(thirds.format("100.02")) == ["sum"]
    assert _kinds("总投入1.2亿元，其中甲项8000万元、乙项4012万元。") == []
    assert _kinds("全年预算300.00万元，实际支出200.00万元，执行率66.6%。") == []  # cut off
    assert _kinds("全年预算300.00万元，实际支出200.00万元，执行率66.67%。") == []
    assert _kinds("全年预算300.00万元，实际支出200.00万元，执行率67%。") == []
    assert _kinds("全年预算300.00万元，实际支出200.00万元，执行率76.67%。") == ["rate"]


# ------------------------------------------------------------------------------------------------------------------- rates


def test_a_rate_is_held_against_the_two_amounts_beside_it() -> None:
    (found,) = _check("渠道清淤全年预算850.00万元，实际支付535.00万元，支付率69.24%。")
    assert (found.kind, found.expected, found.found) == (KIND.RATE, "62.94%", "69.24%")
    assert "535.00万元÷850.00万元＝62.94%" in found.message


@pytest.mark.parametrize(
    "text",
    [
        "渠道清淤全年预算850.00万元，实际支付535.00万元，支付率62.94%。",
        "渠道清淤全年预算850.00万元，实际支付535.00万元，上年支付率69.24%。",
        "渠道清淤全年预算850.00万元，实际支付535.00万元，支付率不低于60%。",
        "计划总投资1000.00万元，到位800.00万元，已支付400.00万元，支付率50.00%。",
        "到位资金300.00万元，结余20.00万元，执行率97.33%。",
        "全年预算500万元，实际支出420万元，其中项目支出执行率75%。",
        "全年预算500万元，实际支出420万元，一般公共预算执行率为86%。",
        "共10个项目，预算500万元，支出450万元，平均执行率88%。",
    ],
)
def test_rates_that_agree_or_are_of_something_else_raise_no_alarm(text: str) -> None:
    assert _kinds(text) == []


def test_shares_behind_the_parts_of_a_list() -> None:
    told = "本年支出合计900.00万元，其中：基本支出320.00万元，占{}%；项目支出580.00万元，占64.44%。"
    assert _kinds(told.format("35.56")) == []
    (found,) = _check(told.format("53.56"))
    assert (found.kind, found.expected, found.found) == (KIND.RATE, "35.56%", "53.56%")


# ------------------------------------------------------------------------------------------------------------------ tables

HEAD = "项目\t全年预算数（万元）\t全年执行数（万元）\t执行率"


def test_rates_and_sums_of_a_table() -> None:
    rows = ["堤防\t400.00\t300.00\t75.00%", "泵站\t200.00\t180.00\t90.00%", "合计\t600.00\t480.00\t80.00%"]
    assert _kinds([HEAD, *rows]) == []
    (rate,) = _check([HEAD, "堤防\t400.00\t300.00\t85.00%", *rows[1:]])
    assert (rate.kind, rate.expected, rate.found) == (KIND.RATE, "75.00%", "85.00%")
    assert rate.quotes[0][1] == "堤防\t400.00\t300.00\t85.00%"
    (total,) = _check([HEAD, *rows[:2], "合计\t600.00\t450.00\t75.00%"])
    assert (total.kind, total.expected, total.found) == (KIND.SUM, "480.00", "450.00")
    named = "项目\t年初预算数\t全年支出\t预算执行率"  # the head of the rate holds the word of the amount, too
    (rate,) = _check([named, "堤防\t100\t90\t90%", "泵站\t200\t120\t80%", "水闸\t150\t135\t90%"])
    assert (rate.expected, rate.found) == ("60%", "80%")


def test_a_total_may_stand_first_and_subtotals_in_between() -> None:
    head = "项目\t金额（万元）"
    assert _kinds([head, "合计\t60.00", "甲\t20.00", "乙\t40.00"]) == []
    assert _kinds([head, "合计\t66.00", "甲\t20.00", "乙\t40.00"]) == ["sum"]
    rows = ["甲\t20.00", "乙\t40.00", "小计\t60.00", "丙\t15.00", "丁\t25.00", "小计\t40.00", "总计\t100.00"]
    assert _kinds([head, *rows]) == []
    assert _kinds([head, *rows[:5], "小计\t46.00", "总计\t100.00"]) == ["sum"]


def test_columns_that_add_up_in_most_rows_must_in_all() -> None:
    head = "科室\t合计\t基本支出\t项目支出"
    rows = ["一科\t30.00\t10.00\t20.00", "二科\t50.00\t20.00\t30.00", "三科\t70.00\t30.00\t40.00"]
    assert _kinds([head, *rows]) == []
    (found,) = _check([head, *rows[:2], "三科\t79.00\t30.00\t40.00"])
    assert (found.kind, found.expected, found.found) == (KIND.SUM, "70.00", "79.00")
    assert _kinds([head, "一科\t30.00\t5.00\t5.00", "二科\t50.00\t6.00\t7.00"]) == []  # columns of something else


def test_columns_that_are_no_amounts_are_not_added() -> None:
    head = "项目\t单价（元）\t完成率\t数量"
    assert _kinds([head, "甲\t20\t90%\t3", "乙\t40\t80%\t5", "合计\t99\t85%\t8"]) == []


# ------------------------------------------------------------------------------------------------------------------ scores

SHEET = "一级指标\t三级指标\t年度指标值\t实际完成值\t分值\t得分"


def test_scores_above_their_maximum_and_full_marks_for_a_low_rate() -> None:
    fine = ["产出\t修缮教室\t20间\t20间\t10\t10", "预算执行\t预算执行率\t100%\t96.00%\t10\t9.6"]
    assert _kinds([SHEET, *fine]) == []
    (above,) = _check([SHEET, "产出\t修缮教室\t20间\t20间\t10\t12", fine[1]])
    assert (above.kind, above.expected, above.found) == (KIND.SCORE, "≤10", "12")
    (full,) = _check([SHEET, fine[0], "预算执行\t预算执行率\t100%\t46.00%\t10\t10"])
    assert full.kind is KIND.SCORE
    assert "46.00%" in full.message
    assert _kinds([SHEET, fine[0], "预算执行\t预算支付率\t40%\t46.00%\t10\t10"]) == []  # its own aim was met


def test_scores_of_items_and_their_total_in_a_sheet() -> None:
    rows = ["产出\t修缮教室\t20间\t20间\t50\t46", "效益\t受益学生\t900人\t880人\t40\t38.5"]
    assert _kinds([SHEET, *rows, "合计\t\t\t\t90\t84.5"]) == []
    assert _kinds([SHEET, *rows, "合计\t\t\t\t90\t86.5"]) == ["sum"]


def test_the_score_of_the_rate_may_stand_above_the_indicators() -> None:
    block = [
        "资金\t年初预算数\t全年预算数\t全年执行数\t分值\t执行率\t得分",
        "年度资金总额\t500\t520\t480\t10\t92.31%\t9.23",
    ]
    merged = [*block, "其中：财政拨款\t500\t500\t460\t10\t92.00%\t9.23"]
    rows = ["产出\t修缮教室\t20间\t20间\t50\t49.5", "效益\t受益学生\t900人\t900人\t40\t40"]
    for above in (block, merged):
        assert _kinds(above, "目标", [SHEET, *rows, "总分\t\t\t\t100\t98.73"]) == []
        assert _kinds(above, "目标", [SHEET, *rows, "总分\t\t\t\t\t98.73"]) == []
        (wrong,) = _check(above, "目标", [SHEET, *rows, "总分\t\t\t\t100\t98.23"])
        assert (wrong.expected, wrong.found) == ("98.73", "98.23")
        assert "“得分”一列9.23＋49.5＋40＝98.73" in wrong.message
    assert _kinds([SHEET, *rows, "总分\t\t\t\t100\t98.73"]) == []  # the block was lost
    assert _kinds([SHEET, rows[0]], [SHEET, rows[1], "总分\t\t\t\t90\t89.5"]) == []  # a page break within the table
    first = [SHEET, *rows, "预算执行\t执行率\t100%\t92%\t10\t9.5", "总分\t\t\t\t100\t99"]
    assert _kinds(first, [SHEET, *rows, "总分\t\t\t\t100\t98.73"]) == []  # the sheet before is another one's


def test_full_marks_in_a_sentence() -> None:
    money = "全年预算500.00万元，全年支出310.00万元，执行率62.00%。"
    told = "自评得分{}分，其中预算执行{}分、产出45分、效益27分、满意度9分。"
    assert _kinds(money, told.format("87.2", "6.2")) == []
    assert _kinds(money, told.format("91", "10")) == ["score"]
    assert _kinds("该指标满分10分，得分12分。") == ["score"]
    assert _kinds("该指标满分10分，得分8分。") == []


# ------------------------------------------------------------------------------------------------------------------ grades


@pytest.mark.parametrize(
    ("score", "grade"), [("90", "优"), ("89.99", "良"), ("80", "良"), ("79.5", "中"), ("59", "差")]
)
def test_grades_of_the_usual_scale(score: str, grade: str) -> None:
    assert _kinds(f"经评定，自评得分{score}分，评价等级为“{grade}”。") == []
    for other in {"优", "良", "中", "差"} - {grade}:
        (found,) = _check(f"经评定，自评得分{score}分，评价等级为“{other}”。")
        assert (found.kind, found.expected, found.found) == (KIND.GRADE, grade, other)


def test_a_report_may_have_a_scale_of_its_own() -> None:
    scale = "评价等级：95分以上为优、85分以上为良、70分以上为中。"
    assert _kinds(scale, "本次自评得分92.0分，等级为良。") == []
    assert _kinds(scale, "本次自评得分92.0分，等级为优。") == ["grade"]


@pytest.mark.parametrize(
    "text",
    [
        "本次自评得分92.0分。评价等级为“中”及以下的单位核减预算。",
        "本次自评得分92.0分。上年评价等级为良。",
        "三个单位自评得分平均为92.0分，等级为良。",
        "环境质量总体为优，自评得分82.0分。",
        "水质评价结果为优，自评得分82.0分。",
        "自评得分82.0分，群众满意度测评结果为优秀。",
        "自评得分88.5分，等级为良。全年15名干部在年度考核中被评为优秀。",
        "自评得分88.5分，等级为良。我局领导班子年度考核结果为优秀。",
        "自评得分93.5分，等级为优。县财政局对我局重点项目开展评价，评价结果为良。",
        "自评总分为93分，等级为优。其中，饮水项目自评得分86分，等级为良。",
        "自评总分为93分，其中饮水项目自评得分86分，等级为良。",
        "自评得分93分，等级为优。\n农村饮水项目自评等级为良。",
        "自评得分75分，等级为中。\n水质评价结果为优。\n纳税信用等级：优",
    ],
)
def test_grades_of_others_raise_no_alarm(text: str) -> None:
    assert _kinds(*text.split("\n")) == []


def test_a_grade_may_stand_behind_the_scores_of_items_or_in_another_sentence() -> None:
    assert _kinds("自评总分88.6分，其中产出46分、效益33.6分、满意度9分，评价等级为优。") == ["grade"]
    assert _kinds("自评总分88.6分（产出46分、效益33.6分、满意度9分），等级为“优”。") == ["grade"]
    assert _kinds("自评得分88.6分。评价等级为优。") == ["grade"]
    assert _kinds("自评得分88.6分。", "按照评分标准，我局整体支出自评等级为优。") == ["grade"]
    assert _kinds("自评得分88.6分。", "评价等级：优") == ["grade"]


# --------------------------------------------------------------------------------------------------------------- conflicts


def test_one_fact_with_two_values() -> None:
    (found,) = _check("全年培训护林员612人次。", "人才建设小结：2023年全年培训护林员621人次，效果良好。")
    assert found.kind is KIND.CONFLICT
    assert [text for _, text, _ in found.quotes] == ["全年培训护林员612人次", "2023年全年培训护林员621人次"]


def test_a_fact_of_the_text_against_the_table() -> None:
    sheet = [SHEET, "产出\t修复湿地面积\t125亩\t126.8亩\t10\t10"]
    assert _kinds("全年修复湿地128.6亩。", sheet) == ["conflict"]
    assert _kinds("全年修复湿地126.8亩。", sheet) == []


@pytest.mark.parametrize(
    "text",
    [
        "2022年培训护林员621人次。",
        "上年培训护林员621人次。",
        "力争培训护林员621人次以上。",
        "培训护林员超过621人次。",
        "表彰护林员621人次。",
        "培训护林员987人次。",  # too different for a slip: perhaps of another place
    ],
)
def test_other_years_aims_and_things_are_no_conflict(text: str) -> None:
    assert _kinds("全年培训护林员612人次。", text) == []


@pytest.mark.parametrize(
    "paragraphs",
    [
        ("（一）饮水工程项目。投入资金300万元，受益群众1200人。", "（二）道路硬化项目。投入资金500万元，受益群众1500人。"),
        ("（一）饮水工程项目。全年受益群众1200人。", "（二）道路硬化项目。全年受益群众1500人。"),
        ("二、项目情况", "（一）饮水", "全年受益群众1200人。", "（二）道路", "全年受益群众1500人。"),
        ("饮水项目总投资320万元，全年新增受益群众1200人。", "道路项目总投资380万元，全年新增受益群众1500人。"),
        ("一是抓安全生产，全年排查安全隐患135处。", "二是抓食品安全，全年排查安全隐患185处。"),
        ("甲村：全年新修道路3.5公里。", "乙村：全年新修道路3.8公里。"),
        ("上半年，全县开展业务培训112场。", "下半年，全县开展业务培训115场。"),
        ([SHEET, "产出\t受益群众\t900人\t1200人\t10\t10"], "另一项目", [SHEET, "产出\t受益群众\t900人\t1500人\t10\t10"]),
    ],
)  # fmt: skip
def test_two_things_of_one_kind_are_no_conflict(paragraphs: tuple[str | list[str], ...]) -> None:
    assert _kinds(*paragraphs) == []


def test_one_fact_in_two_parts_of_the_report() -> None:
    text = (
        "一、履职情况",
        "（一）培训。全年培训护林员612人次。",
        "二、其他说明",
        "（二）口径。培训护林员621人次，含线上。",
    )
    assert _kinds(*text) == ["conflict"]


# ------------------------------------------------------------------------------------------------------------------- dates


def test_signed_before_the_evaluation_ended() -> None:
    body = ("2023年度自评报告", "自评自2024年5月6日至5月24日进行。")
    (found,) = _check(*body, "2024年4月28日")
    assert (found.kind, found.found) == (KIND.DATE, "2024年4月28日")
    assert _kinds(*body, "2024年5月28日") == []
    assert _kinds(*body, "二〇二四年五月二十八日") == []
    assert _kinds(*body, "二〇二四年四月二十八日") == ["date"]
    assert _kinds("2023年度自评报告", "自评结果于2024年6月30日前公开。", "2024年4月28日") == []


def test_signed_before_the_year_was_over() -> None:
    assert _kinds("某局2023年度自评报告", "工作正常。", "2023年4月28日") == ["date"]
    assert _kinds("某局2023年度自评报告", "工作正常。", "2024年4月28日") == []
    assert _kinds("某局2023年上半年预算绩效运行监控报告", "按照评价办法开展监控。", "2023年7月20日") == []
    assert _kinds("某局2023年度部门整体支出绩效目标", "现将2023年度绩效目标公开如下。", "2023年2月20日") == []
    assert _kinds("某局2023年度项目绩效目标自评表", "工作正常。", "2023年2月20日") == ["date"]


def test_accepted_before_it_was_begun() -> None:
    assert _kinds("泵站2023年8月开工，2023年5月通过验收。") == ["date"]
    assert _kinds("泵站2023年5月开工，2023年8月通过验收。") == []
    assert _kinds("泵站于2023年8月开工建设，并于2023年5月完成竣工验收。") == ["date"]
    assert _kinds("泵站开工日期为2023年8月，竣工日期为2023年5月。") == ["date"]
    assert _kinds("一期工程2022年6月竣工，二期工程2023年3月开工建设。") == []
    assert _kinds("二期工程2023年3月开工，一期工程2022年6月竣工。") == []
    assert _kinds("教学楼于2022年12月完工，2023年3月动工建设食堂。") == []
    assert _kinds("2023年3月动工建设食堂，2022年12月完成教学楼验收。") == []
    assert _kinds("道路工程2023年8月验收；桥梁工程2023年10月开工。") == []
    assert (
        _kinds("泵站2023年8月开工，2023年5月通过验收的旧站拆除。", "起止时间为2023年9月1日至2023年3月1日。")[-1]
        == "date"
    )


# ----------------------------------------------------------------------------------------------------------- hostile input


@pytest.mark.parametrize(
    "text",
    [
        "其中甲1.00万元、" * 10_000,
        "其中甲5%，" * 10_000,
        "全年预算5万元，支出4万元，执行率99%，" * 4000,
        "全年预算50万元，支出20万元，结余39万元，" * 4000,
        "（" * 20_000 + "其中甲1万元、乙2万元，合计9万元" + "）" * 20_000,
        "合计5人、" * 10_000,
        "2023年5月开工至" * 10_000,
        "优为90分以上，" * 10_000,
        "9" * 100_000 + "万元",
        "得9分、" * 10_000,
        "三百" * 20_000 + "万元",
        "。" * 50_000,
    ],
)
def test_hostile_paragraphs_are_read_in_no_time(text: str) -> None:
    begin = time.perf_counter()
    _check_text(text)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    "rows",
    [
        ["项目\t金额"] + [f"合计\t{n}" for n in range(5000)],
        ["项目\t金额"] + [f"甲{n}\t{n}" for n in range(5000)] + ["合计\t1"],
        ["项目\t预算数\t执行数\t执行率"] + ["甲\t0\t0\t0%", "乙\t1\t0\t50%", "丙\t\t\t", "丁"] * 1000,
        ["\t".join(["预算", "支出", "合计", "执行率"] * 500), "\t".join(["1"] * 2000)],
        ["分值\t得分", "10\t", "\t10", "-1\t0", "0\t5"],
    ],
)
def test_hostile_tables_are_read_in_no_time(rows: list[str]) -> None:
    begin = time.perf_counter()
    _check_text("\n".join(rows))
    assert time.perf_counter() - begin < 5


def _check_text(text: str) -> tuple[Discrepancy, ...]:
    return check_report(Report("r", text, Identity(year=2023), Source("r", "", "txt"), (), ()))


@pytest.mark.parametrize(
    "text", ["", "\n", "\t", "\t\t\n\t", "二〇二十月", "2023年13月40日", "二十月三十二日", "合计万元", "占%"]
)
def test_nothing_is_found_in_nothing(text: str) -> None:
    assert _check_text(text) == ()


# ---------------------------------------------------------------------------------------------------------------- the gold


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("checks")


def test_what_was_planted_in_our_own_reports_is_found(benchmark: Any) -> None:
    scored = benchmark.read_gold()
    for half in (scored[::2], scored[1::2]):  # the checks were developed on the first
        score = benchmark.summary(half)
        assert score["recall"] >= 0.85
        assert score["false alarms per report"] <= 0.1
    assert Decimal(benchmark.summary(scored)["planted"]) == 37
