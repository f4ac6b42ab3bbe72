from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nlp import taxonomy
from nlp.errors import InvalidInputError
from nlp.records import Role, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The second level as the project promises it, written down apart from the file that holds it.
SUBTOPICS = {
    Topic.BUDGET_PREPARATION: {
        "weak_justification": "立项论证不足",
        "unready_funding": "条件不具备先安排资金",
        "inaccurate_estimate": "测算不准",
        "over_application": "超需求或重复申领",
        "carryover_ignored": "结转未统筹",
        "incomplete_budget": "编列不完整",
        "coarse_budget": "未细化或与任务不匹配",
    },
    Topic.BUDGET_EXECUTION: {
        "slow_spending": "执行进度慢",
        "late_start": "前期不足开工晚",
        "idle_funds": "资金闲置结余未清",
        "late_payment": "拨付慢与拖欠",
        "loose_adjustment": "调剂随意与偏离预算",
        "overspending": "超范围超标准支出",
        "diversion": "挪用套取",
        "unremitted_revenue": "收入未上缴",
    },
    Topic.INDICATORS: {
        "vague_indicators": "指标笼统缺量化",
        "irrelevant_indicators": "指标不反映效果",
        "flawed_structure": "指标体系不完善",
        "missing_goals": "未设绩效目标",
        "detached_filling": "编报脱离业务",
        "poor_self_scoring": "自评质量不高",
    },
    Topic.INTERNAL_CONTROL: {
        "weak_rules": "制度与审批缺位",
        "procurement_contracts": "采购与合同不规范",
        "asset_records": "资产管理不规范",
        "idle_assets": "资产和系统闲置",
        "accounting": "会计核算不规范",
        "weak_monitoring": "过程监管缺位",
        "staff_capacity": "人员与意识薄弱",
        "poor_coordination": "职责交叉沟通不畅",
    },
    Topic.RESULT_APPLICATION: {
        "unused_results": "评而不用",
        "weak_feedback": "反馈改进弱",
        "unrectified": "整改不到位",
        "weak_disclosure": "公开不充分",
        "weak_authority": "评价权威性不足",
    },
    Topic.OTHER: {
        "improper_fees": "违规收费与取酬",
        "enterprise_losses": "下属企业经营不善",
        "staff_shortage": "业务人手短缺",
        "other_matters": "其他业务问题",
    },
}
OWN = """
[[subtopic]]
topic = "internal_control"
code = "canteen"
name = "食堂管理混乱"
definition = "食材采购、库存和伙食费没有账"
examples = ["食堂米面进出没有一张单据"]
neighbours = ["挪用项目经费补贴食堂 → diversion"]

[[subtopic]]
topic = "other"
code = "dam_signs"
name = "警示标志缺失"
definition = "水库、山塘没有警示牌"
"""
CHINESE = re.compile("[一-龥]")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the user's own subtopics are kept in this test; none at first."""
    path = tmp_path / "kept" / "taxonomy.toml"
    monkeypatch.setenv("JIXIAO_TAXONOMY", str(path))
    taxonomy._subtopics.cache_clear()
    yield path
    taxonomy._subtopics.cache_clear()


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str], Path]:
    """Write what a user wrote."""

    def write(text: str) -> Path:
        path = tmp_path / "自拟.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.usefixtures("own")
def test_the_second_level_is_the_one_that_is_promised() -> None:
    found = {topic: {entry.code: entry.name for entry in taxonomy.subtopics(topic)} for topic in Topic}
    assert found == SUBTOPICS
    assert [entry.topic for entry in taxonomy.subtopics()] == [topic for topic in Topic for _ in SUBTOPICS[topic]]


@pytest.mark.usefixtures("own")
def test_every_code_and_every_name_stands_for_one_thing() -> None:
    entries = [*taxonomy.roles(), *taxonomy.topics(), *taxonomy.subtopics()]
    for value, count in Counter([name for entry in entries for name in (entry.code, entry.name)]).items():
        assert count == 1, value
    for entry in taxonomy.subtopics():
        assert re.fullmatch("[a-z]+(_[a-z]+)*", entry.code)
        assert entry.definition
        assert entry.examples, entry.code
        for neighbour in entry.neighbours:
            _, _, codes = neighbour.partition(" → ")
            assert all(taxonomy.parse_subtopic(code) != entry for code in codes.split("、") if code), neighbour


def test_roles_and_topics_are_those_of_the_records_in_their_order() -> None:
    assert [entry.code for entry in taxonomy.roles()] == list(Role)
    assert [entry.code for entry in taxonomy.topics()] == list(Topic)
    assert [entry.name for entry in taxonomy.roles()] == ["问题", "原因", "措施", "成效", "目标", "背景"]
    names = ["预算编制", "预算执行", "绩效指标", "内部控制", "结果应用", "其他"]
    assert [entry.name for entry in taxonomy.topics()] == names
    assert [taxonomy.topic_name(topic) for topic in Topic] == names
    assert (taxonomy.label_name("role", "cause"), taxonomy.label_name("primary", "other")) == ("原因", "其他")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("text", ["idle_assets", "资产和系统闲置", " 资产和系统闲置\n"])
def test_a_subtopic_is_found_by_code_and_by_name(text: str) -> None:
    found = taxonomy.parse_subtopic(text)
    assert (found.code, found.name, found.topic) == ("idle_assets", "资产和系统闲置", Topic.INTERNAL_CONTROL)


@pytest.mark.usefixtures("own")
def test_what_is_no_label_is_named_in_the_message() -> None:
    with pytest.raises(InvalidInputError, match=r"“闲置”的子主题.*jixiao taxonomy"):
        taxonomy.parse_subtopic("闲置")
    with pytest.raises(InvalidInputError, match=r"“预算”的主题；可用的有：budget_preparation（预算编制）、"):
        taxonomy.parse_topic("预算")
    with pytest.raises(InvalidInputError, match=r"“建议”的角色；可用的有：problem（问题）、"):
        taxonomy.parse_role("建议")
    assert taxonomy.subtopic_name("闲置") == "闲置"


def test_own_subtopics_stand_behind_the_projects(own: Path) -> None:
    own.parent.mkdir()
    own.write_text(OWN, "utf-8")
    assert [entry.code for entry in taxonomy.subtopics()][-2:] == ["canteen", "dam_signs"]
    assert [entry.code for entry in taxonomy.subtopics(Topic.OTHER)] == [*SUBTOPICS[Topic.OTHER], "dam_signs"]
    assert taxonomy.parse_subtopic("食堂管理混乱") == taxonomy.Subtopic(
        "canteen",
        "食堂管理混乱",
        "食材采购、库存和伙食费没有账",
        Topic.INTERNAL_CONTROL,
        ("食堂米面进出没有一张单据",),
        ("挪用项目经费补贴食堂 → diversion",),
    )
    assert taxonomy.parse_subtopic("dam_signs").examples == ()
    assert taxonomy.subtopic_name("dam_signs") == "警示标志缺失"


def test_what_is_added_is_kept_and_seen_at_once(own: Path, given: Callable[[str], Path]) -> None:
    assert taxonomy.subtopic_name("canteen") == "canteen"
    assert taxonomy.add_subtopics(given(OWN)) == own
    assert own.read_text("utf-8") == OWN
    assert taxonomy.subtopic_name("canteen") == "食堂管理混乱"
    taxonomy._subtopics.cache_clear()  # as a later run begins
    assert taxonomy.parse_subtopic("canteen").topic is Topic.INTERNAL_CONTROL


def test_without_a_choice_they_are_kept_among_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JIXIAO_TAXONOMY", raising=False)
    assert (taxonomy.own_file().parent.name, taxonomy.own_file().name) == ("jixiao", "taxonomy.toml")
    monkeypatch.setenv("JIXIAO_TAXONOMY", "~/分类.toml")
    assert taxonomy.own_file() == Path.home() / "分类.toml"


ONE = '[[subtopic]]\ntopic = "other"\ncode = "{0}"\nname = "甲"\ndefinition = "乙"\n'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (ONE.format("canteen") * 2, "代码重复：canteen；"),
        (
            ONE.format("dam_signs") + ONE.format("idle_funds") + ONE.format("diversion"),
            "代码重复：diversion、idle_funds；",
        ),
        (ONE.format("canteen").replace('"other"', '"食堂"'), "topic（budget_preparation、.*、other 之一）"),
        (ONE.format("canteen").replace('definition = "乙"\n', ""), "definition"),
        (ONE.format("canteen").replace("[[subtopic]]", "[subtopic]"), r"每个 \[\[subtopic\]\]"),
        (ONE.format("canteen").replace("[[subtopic]]", "[[topic]]"), "subtopic"),
        ("子主题：食堂", "不是可用的分类文件"),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_kept(
    own: Path, given: Callable[[str], Path], text: str, what: str
) -> None:
    path = given(text)
    with pytest.raises(InvalidInputError, match=what) as caught:
        taxonomy.add_subtopics(path)
    assert str(caught.value).startswith(str(path))
    assert CHINESE.search(str(caught.value).removeprefix(str(path)))
    assert not own.exists()
    assert taxonomy.subtopic_name("canteen") == "canteen"


def test_a_file_that_is_not_there_or_no_text_is_refused(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"无\.toml 不是可用的分类文件"):
        taxonomy.add_subtopics(tmp_path / "无.toml")
    own.parent.mkdir()
    own.write_bytes(OWN.encode("gb18030"))
    with pytest.raises(InvalidInputError, match="应为 UTF-8 的 TOML"):
        taxonomy.subtopics()
