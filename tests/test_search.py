from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nlp.errors import InvalidInputError
from nlp.records import Filters, Role, Topic
from nlp.search import coverage, facets, fuse, highlight

if TYPE_CHECKING:
    from nlp.library import Library


def test_a_passage_that_shares_all_words_covers_the_query() -> None:
    weights = {"资金": 0.5, "闲置": 2.0}
    passages = {1: frozenset({"资金", "闲置", "长期"}), 2: frozenset({"资金"}), 3: frozenset({"设备"})}
    assert coverage(["资金", "闲置", "资金"], weights, passages) == {1: 1.0, 2: 0.2, 3: 0.0}


def test_words_and_meaning_add_up() -> None:
    ranked = fuse({1: 1.0, 2: 0.2}, {1: 0.95, 2: 0.95, 3: 0.95})
    assert [item.row for item in ranked] == [1, 2, 3]
    assert [round(item.score, 2) for item in ranked] == [0.85, 0.53, 0.45]


def test_without_evidence_there_is_no_hit() -> None:
    assert fuse({}, {1: 0.60, 2: 0.69}) == []


def test_a_few_characters_near_to_everything_do_not_win() -> None:
    ranked = fuse({1: 0.1, 2: 0.1}, {1: 0.90, 2: 0.85, 3: 0.95}, lengths={1: 2, 2: 40, 3: 2})
    assert [item.row for item in ranked] == [2, 1]  # and without a shared word they are no hit at all


def test_the_topic_that_is_meant_tips_the_balance() -> None:
    assert [item.row for item in fuse({1: 0.5, 2: 0.5}, {1: 0.8, 2: 0.8}, same_topic={2})] == [2, 1]


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
    assert list(result.facets) == ["topic", "year", "department"]
    assert sum(result.facets["year"].values()) >= 5
    assert facets([hit.found for hit in result.hits])["year"].keys() <= result.facets["year"].keys()


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
