from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nlp.drafting import choose, with_slots
from nlp.records import (
    Filters,
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
)

if TYPE_CHECKING:
    from nlp.library import Library


def _suggestion(row: int, text: str, score: float) -> Suggestion:
    card = ReportCard("r", Identity("标题"), Source("a.txt", "0", "txt"))
    return Suggestion(score, StoredPassage(row, Passage(f"r-{row}", text, 0, len(text)), Tags(Role.MEASURE, 1.0), card))


def test_the_best_come_first_and_repetitions_go() -> None:
    found = choose(
        [
            _suggestion(1, "细化量化绩效指标，做到可考核。", 0.5),
            _suggestion(2, "细化、量化绩效指标，做到可考核！", 0.6),
            _suggestion(3, "把评价结果作为安排预算的依据。", 0.4),
        ],
        5,
    )
    assert [item.found.row for item in found] == [2, 3]


def test_the_like_of_what_was_chosen_counts_for_less() -> None:
    first = _suggestion(1, "建立支出进度按月通报制度，对进度滞后的科室约谈。", 0.9)
    alike = _suggestion(2, "对进度滞后的科室按季通报并约谈负责人，督促加快支出。", 0.62)
    other = _suggestion(3, "前期手续提前半年办理，具备条件再列预算。", 0.55)
    assert [item.found.row for item in choose([first, alike, other], 2)] == [1, 3]


def test_the_same_wording_elsewhere_is_a_further_source() -> None:
    found = choose(
        [
            _suggestion(1, "细化绩效指标。", 0.5),
            _suggestion(2, "细化绩效指标！", 0.6),
            _suggestion(2, "细化绩效指标！", 0.4),
        ],
        5,
    )
    assert [(item.found.row, [also.row for also in item.also]) for item in found] == [(2, [1])]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("由朔原省苍汀市应急管理局负责。", "由〔单位〕负责。"),
        ("按照《云屏省预算管理办法》，2025年3月底前追回12.6万元。", "按照〔文件〕，〔年度〕年〔日期〕前追回〔金额〕。"),
        (
            "苍汀市和柘岚县按8%配套，委托青源工程咨询有限公司评审。",
            "〔地名〕和〔地名〕按〔比例〕配套，委托〔单位〕评审。",
        ),
        ("健全内部控制制度，明确岗位职责。", "健全内部控制制度，明确岗位职责。"),
        ("县级财政和市直单位要加强绩效管理。", "县级财政和市直单位要加强绩效管理。"),
    ],
)
def test_what_belongs_to_one_report_becomes_a_slot(text: str, wanted: str) -> None:
    identity = Identity(department="苍汀市应急管理局", region=Region("朔原省", "苍汀市", "柘岚县"))
    assert with_slots(text, identity) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("我局将主动加强与市财政局的沟通衔接。", "我局将主动加强与〔单位〕的沟通衔接。"),
        ("派两名年轻同志去县财政局跟班学习。", "派两名年轻同志去〔单位〕跟班学习。"),
        ("每季度末由办公室会同青禾县审计局开展检查。", "每季度末由办公室会同〔单位〕开展检查。"),
        ("按照市发展和改革委员会批复的内容实施。", "按照〔单位〕批复的内容实施。"),
        ("经县住房和城乡建设局、区卫健委审核。", "经〔单位〕、〔单位〕审核。"),
        ("由县政府办公室牵头，柳溪镇人民政府配合。", "由〔单位〕牵头，柳溪镇人民政府配合。"),
        ("聘请第三方会计师事务所审计。", "聘请第三方会计师事务所审计。"),
        ("选择信誉好的会计师事务所，委托有限公司维护。", "选择信誉好的会计师事务所，委托有限公司维护。"),
        ("定期对市场监督管理局进行考核。", "定期对市场监督管理局进行考核。"),
        (
            "对全县机关开展清查，建立区域卫生健康委员会联动机制。",
            "对全县机关开展清查，建立区域卫生健康委员会联动机制。",
        ),
        ("各乡镇要按月报送，相关县区教育局同步整改。", "各乡镇要按月报送，相关县区教育局同步整改。"),
        ("会同柘岚县财政局、省、市财政局核对。", "会同柘岚县财政局、省、市财政局核对。"),
        ("老旧小区改造由县财政局长签字，建议市里支持。", "老旧小区改造由县财政局长签字，建议市里支持。"),
    ],
)
def test_only_a_name_becomes_a_slot_and_every_other_word_stays(text: str, wanted: str) -> None:
    assert with_slots(text, Identity(department="青禾县教育局")) == wanted


def test_the_places_in_a_departments_own_name_become_slots() -> None:
    identity = Identity(department="青禾县柳溪镇人民政府")
    assert with_slots("柳溪镇各村由柳溪镇人民政府督办。", identity) == "〔地名〕各村由〔单位〕督办。"


def test_no_more_than_asked_for() -> None:
    texts = ["加快支付进度", "盘点固定资产", "公开评价结果"]
    assert len(choose([_suggestion(i, text, 0.5) for i, text in enumerate(texts)], 2)) == 2


@pytest.mark.encoder
def test_measures_are_quotations_with_source_and_the_problem_that_they_answered(demo_library: Library) -> None:
    found = demo_library.draft("绩效指标设置笼统，缺乏量化标准", top=5)
    assert len(found) == 5
    assert all(item.found.tags.role is Role.MEASURE for item in found)
    answering = [item for item in found if item.answers is not None]
    assert answering
    assert {item.answers.tags.role for item in answering if item.answers} == {Role.PROBLEM}
    assert Topic.INDICATORS in {item.found.tags.primary for item in found}
    for item in found:
        report = demo_library.report(item.found.report.id)
        passage = item.found.passage
        assert report.text[passage.start : passage.end] == passage.text


@pytest.mark.encoder
def test_wording_of_problems_and_filters(demo_library: Library) -> None:
    found = demo_library.draft("资产账实不符", role=Role.PROBLEM, filters=Filters(department="教育局"), top=3)
    assert found
    assert {item.found.tags.role for item in found} == {Role.PROBLEM}
    assert all("教育局" in (item.found.passage.department or "") for item in found)
