from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import InvalidInputError
from nlp.records import (
    Among,
    Filters,
    Identity,
    Labels,
    Passage,
    Region,
    ReportCard,
    Role,
    Source,
    StoredPassage,
    Tags,
    Topic,
)
from nlp.search import (
    Meant,
    Scored,
    coverage,
    differences,
    facets,
    fitting,
    fold,
    fuse,
    has_answer,
    highlight,
    weighed,
)
from nlp.training import default_corpus
from nlp.words import character_pairs

if TYPE_CHECKING:
    from nlp.library import Library


def test_a_passage_that_shares_all_words_covers_the_query() -> None:
    weights = {"资金": 0.5, "闲置": 2.0}
    passages = {1: frozenset({"资金", "闲置", "长期"}), 2: frozenset({"资金"}), 3: frozenset({"设备"})}
    asked: dict[str, frozenset[str]] = {"资金": frozenset(), "闲置": frozenset()}
    assert coverage(asked, weights, passages) == {1: 1.0, 2: 0.2, 3: 0.0}


def test_a_word_that_means_about_the_same_counts_in_part() -> None:
    asked = {"没人用": frozenset({"闲置", "空置"})}
    weights = {"没人用": 9.0, "闲置": 2.0, "空置": 3.0}
    passages = {1: frozenset({"没人用"}), 2: frozenset({"空置", "闲置"}), 3: frozenset({"设备"})}
    assert coverage(asked, weights, passages) == {1: 1.0, 2: 0.6, 3: 0.0}


def test_words_and_meaning_add_up() -> None:
    ranked = fuse({1: 1.0, 2: 0.2}, {1: 0.85, 2: 0.85, 3: 0.85})
    assert [item.row for item in ranked] == [1, 2, 3]
    assert [round(item.score, 2) for item in ranked] == [0.75, 0.47, 0.4]


def test_a_hit_has_a_shared_word_or_is_near() -> None:
    assert [item.row for item in fuse({3: 0.1}, {1: 0.59, 2: 0.61, 3: 0.2})] == [2, 3]


def test_a_few_characters_near_to_everything_do_not_win() -> None:
    ranked = fuse({1: 0.1, 2: 0.1}, {1: 0.90, 2: 0.85, 3: 0.95}, lengths={1: 2, 2: 40, 3: 2})
    assert [item.row for item in ranked] == [2, 1]  # and without a shared word they are no hit at all


def test_the_kind_that_is_meant_tips_the_balance() -> None:
    assert [item.row for item in fuse({1: 0.5, 2: 0.5}, {1: 0.8, 2: 0.8}, {2: 0.3})] == [2, 1]


def test_topic_subtopic_and_role_make_a_passage_fit() -> None:
    meant = Meant({"indicators": 0.9, "other": 0.1}, {"vague_indicators": 0.8})
    labels = [
        Labels(1, "problem", "indicators", "vague_indicators", 2024, None, ""),
        Labels(2, "problem", "indicators", None, 2024, None, ""),
        Labels(3, "measure", "other", "vague_indicators", 2024, None, ""),
        Labels(4, "background", None, None, 2024, None, ""),
    ]
    found = fitting(labels, meant, Role.PROBLEM)
    assert {row: round(value, 3) for row, value in found.items()} == {1: 0.9, 2: 0.633, 3: 0.3, 4: 0.0}


def test_the_kind_is_weighed_anew_for_a_question() -> None:
    stored = np.array([0.6, 0.0, 0.8, 0.0], dtype=np.float32)
    assert weighed(stored, 0, 0.0, statement=False) is stored
    assert weighed(stored, 2, 0.25, statement=False) == pytest.approx([0.6 * 0.8 / 0.75, 0, 0.8 * 0.2 / 0.25, 0])
    assert weighed(stored, 2, 0.25, statement=True) == pytest.approx([0.6 / 0.75, 0, 0, 0])


def test_something_has_to_answer_a_question() -> None:
    def found(lexical: float, semantic: float) -> list[Scored]:
        return [Scored(1, 0.5, lexical, semantic)]

    asked: dict[str, frozenset[str]] = {"大象": frozenset(), "闲置": frozenset({"空置"})}
    assert has_answer(asked, {"闲置"}, found(0.3, 0.0), 0.0)
    assert has_answer(asked, {"空置"}, found(0.1, 0.72), 0.0)
    assert not has_answer(asked, {"空置"}, found(0.1, 0.69), 0.0)  # one of its two words is known: 0.76 - 0.06
    assert has_answer(asked, {"空置"}, found(0.1, 0.69), 1.0)  # and it is about what reports are about: 0.03 less
    assert not has_answer(asked, set(), found(0.0, 0.75), 0.0)
    assert not has_answer(asked, {"大象", "闲置"}, found(0.4, 0.9), -2.0)
    assert has_answer(asked, {"大象", "闲置"}, found(0.5, 0.0), -2.0)
    assert not has_answer({}, set(), [], 0.0)


@pytest.mark.encoder
@pytest.mark.parametrize("query", ["红烧肉怎么做", "推荐几部科幻电影", "周末去哪里钓鱼", "手机屏幕碎了换一块多少钱"])
def test_what_is_about_something_else_finds_nothing(demo_library: Library, query: str) -> None:
    found = demo_library.search(query)
    assert found.hits == ()
    assert "没有找到相近的条目" in found.note


def test_highlights_merge_words_that_overlap() -> None:
    text = "固定资产闲置，资产账实不符"
    assert [text[a:b] for a, b in highlight(text, "固定资产闲置")] == ["固定资产闲置", "资产"]


@pytest.mark.encoder
def test_filters_come_before_ranking(demo_library: Library) -> None:
    filters = Filters(department="教育局", years=(2023, 2023), role=Role.PROBLEM)
    result = demo_library.search("资产账实不符", filters=filters, top=50)
    assert result.hits
    assert {hit.found.passage.year for hit in result.hits} == {2023}
    assert all("教育局" in (hit.found.passage.department or "") for hit in result.hits)
    assert {hit.found.tags.role for hit in result.hits} == {Role.PROBLEM}
    assert result.hits[0].found.tags.primary is Topic.INTERNAL_CONTROL


@pytest.mark.encoder
def test_a_query_in_the_very_words_finds_its_passage_first(demo_library: Library) -> None:
    card = demo_library.info().cards[0]
    wanted = max(demo_library.passages_of(card.id), key=lambda found: len(found.passage.text))
    result = demo_library.search(wanted.passage.text[:300], top=1)
    assert result.hits[0].found.passage.text == wanted.passage.text
    assert result.hits[0].lexical > 0.9
    assert result.hits[0].semantic > 0.9


@pytest.mark.encoder
def test_facets_count_what_was_considered(demo_library: Library) -> None:
    result = demo_library.search("预算执行进度", top=5)
    assert [hit.rank for hit in result.hits] == [1, 2, 3, 4, 5]
    assert list(result.facets) == ["role", "topic", "year", "department"]
    assert sum(result.facets["year"].values()) >= 5
    assert {str(hit.found.passage.year) for hit in result.hits} <= result.facets["year"].keys()


def test_facets_leave_out_what_is_not_known() -> None:
    assert facets([]) == {"role": {}, "topic": {}, "year": {}, "department": {}}
    labels = [
        Labels(1, "problem", "indicators", None, 2024, "甲局", ""),
        Labels(2, "problem", None, None, 2023, None, ""),
        Labels(3, "cause", "other", None, 2024, "乙局", ""),
    ]
    counted = facets(labels)
    assert counted["role"] == {"problem": 2, "cause": 1}
    assert counted["topic"] == {"indicators": 1, "other": 1}
    assert counted["year"] == {"2024": 2, "2023": 1}
    assert counted["department"] == {"甲局": 1, "乙局": 1}


def test_texts_that_nearly_repeat_each_other_are_one_group() -> None:
    texts = [
        "预算执行率偏低，仅为62.3%。",
        "指标设置笼统。",
        "预算执行率偏低，仅为71.8%。",
        "预算执行率偏低。",
        "资产账实不符。",
    ]
    assert fold(texts, 3) == [[0, 2], [1], [3]]  # the shorter one says less
    assert fold(texts, 1) == [[0, 2]]
    assert fold([], 3) == []


def test_differences_are_named_in_pairs() -> None:
    def passage(department: str, year: int, text: str) -> StoredPassage:
        card = ReportCard("r", Identity("标题", region=Region("云屏省")), Source("a.txt", "0", "txt"))
        own = Passage("r-1", text, 0, len(text), department=department, year=year)
        return StoredPassage(1, own, Tags(Role.PROBLEM, 1.0), card)

    own, other = passage("甲局", 2023, "结转38.5万元。"), passage("甲局", 2024, "结转120万元，占8%。")
    assert differences(own, other) == {"year": ("2023", "2024"), "figures": ("38.5万元", "120万元、8%")}
    assert differences(own, own) == {}


@pytest.mark.encoder
def test_too_narrow_a_filter_is_named(demo_library: Library) -> None:
    result = demo_library.search("资金闲置", filters=Filters(department="没有这个局"))
    assert result.hits == ()
    assert "筛选条件" in result.note


@pytest.mark.encoder
@pytest.mark.parametrize("query", ["qwertyuiop", "紫色大象在跳舞"])
def test_what_is_about_something_else_finds_nothing_and_says_so(demo_library: Library, query: str) -> None:
    result = demo_library.search(query)
    assert result.hits == ()
    assert "没有找到" in result.note


@pytest.mark.encoder
def test_meaning_finds_what_shares_no_word(demo_library: Library) -> None:
    hits = demo_library.search("东西买回来没人用", top=20).hits
    without_words = [hit.found for hit in hits if hit.lexical == 0.0]
    assert without_words
    assert without_words[0].tags.primary is Topic.INTERNAL_CONTROL


@pytest.mark.encoder
@pytest.mark.parametrize(("query", "said"), [("  ", "空的"), ("长" * 2001, "2001")])
def test_queries_that_cannot_be_asked(demo_library: Library, query: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        demo_library.search(query)


@pytest.mark.encoder
def test_similar_leaves_the_passage_itself_out(demo_library: Library) -> None:
    first = demo_library.search("绩效指标笼统", filters=Filters(role=Role.PROBLEM), top=1).hits[0].found
    found = demo_library.similar(first.passage.id, top=5)
    assert first.row not in {hit.found.row for hit in found.hits}
    assert {hit.found.tags.role for hit in found.hits} == {Role.PROBLEM}
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5]


@pytest.mark.encoder
def test_the_same_problem_in_other_departments_or_other_years(demo_library: Library) -> None:
    first = (
        demo_library.search("绩效指标笼统", filters=Filters(department="棠溪县教育局", role=Role.PROBLEM), top=1)
        .hits[0]
        .found
    )
    own = first.passage
    elsewhere = demo_library.similar(own.id, among=Among.DEPARTMENTS)
    assert elsewhere.target is not None
    assert elsewhere.target.passage == own
    assert elsewhere.hits
    assert own.department not in {hit.found.passage.department for hit in elsewhere.hits}
    later = demo_library.similar(own.id, among=Among.YEARS)
    assert later.hits
    assert {hit.found.passage.department for hit in later.hits} == {own.department}
    assert own.year not in {hit.found.passage.year for hit in later.hits}
    with pytest.raises(InvalidInputError, match="条目编号"):
        demo_library.similar("指标笼统", among=Among.YEARS)


@pytest.mark.encoder
def test_pages_follow_each_other(demo_library: Library) -> None:
    whole = demo_library.search("预算执行进度", top=8).hits
    first, second = (demo_library.search("预算执行进度", top=4, page=page).hits for page in (1, 2))
    assert [hit.found.row for hit in (*first, *second)] == [hit.found.row for hit in whole]
    assert [hit.rank for hit in second] == [5, 6, 7, 8]
    beyond = demo_library.search("预算执行进度", top=4, page=500)
    assert beyond.hits == ()
    assert "没有更多" in beyond.note


@pytest.mark.encoder
def test_copied_wording_is_one_hit(demo_library: Library) -> None:
    texts = [found.passage.text for card in demo_library.info().cards for found in demo_library.passages_of(card.id)]
    copied = max((text for text in texts if texts.count(text) > 1), key=len)
    hits = demo_library.search(copied, top=20).hits
    assert hits[0].found.passage.text == copied
    assert copied in {found.passage.text for found in hits[0].same}
    rows = [found.row for hit in hits for found in (hit.found, *hit.same)]
    assert len(rows) == len(set(rows))


@pytest.mark.encoder
def test_the_nearest_sentence_is_one_of_the_passage(demo_library: Library) -> None:
    found = demo_library.pinpoint(demo_library.search("设备买来没有开箱", top=10))
    spans = [(hit.found.passage.text, hit.nearest) for hit in found.hits]
    assert any(nearest for _, nearest in spans)
    for text, nearest in spans:
        if nearest:
            assert 0 <= nearest[0] < nearest[1] <= len(text)
            assert (nearest[0], nearest[1]) != (0, len(text))


@pytest.mark.encoder
def test_it_says_which_filter_was_too_narrow(demo_library: Library) -> None:
    note = demo_library.search("资金闲置", filters=Filters(department="教育局", years=(1999, 1999))).note
    assert "不限年度有" in note
    assert "不限部门" not in note
    passages = demo_library.info().passages
    only = demo_library.search("资金闲置", filters=Filters(department="不存在的局")).note
    assert f"没有条目符合这个筛选条件：不限部门有 {passages} 条" in only


def test_no_query_of_the_benchmark_was_learnt_from() -> None:
    def texts(pattern: str) -> set[str]:
        folder = default_corpus().parent / "queries"
        lines = [line for path in folder.glob(pattern) for line in path.read_text("utf-8").splitlines()]
        return {"".join(sign for sign in json.loads(line)["text"] if sign.isalnum()) for line in lines}

    asked, learnt = texts("bench_*.jsonl"), texts("training_*.jsonl")
    assert len(asked) >= 150
    assert asked.isdisjoint(learnt)


@given(texts=st.lists(st.text("资金支付进度慢偏项目1，", max_size=12), max_size=30), count=st.integers(1, 30))
def test_folding_finds_what_comparing_each_with_each_finds(texts: list[str], count: int) -> None:
    groups: list[list[int]] = []
    for place, text in enumerate(texts):
        pairs = character_pairs(text)
        heads = [character_pairs(texts[group[0]]) for group in groups]
        alike = [i for i, own in enumerate(heads) if pairs and len(pairs & own) >= 0.8 * max(len(pairs), len(own))]
        if alike:
            groups[alike[0]].append(place)
        elif len(groups) < count:
            groups.append([place])
    assert fold(texts, count) == groups
