from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp.linker import inherit_topics, link_causes, link_measures, share_topics
from nlp.records import Link, Passage, Reason, Role, Tags, Topic, TopicScore


def _passage(number: int, role: Role | None = None) -> Passage:
    return Passage(f"r-{number}", f"第{number}条", number, number + 3, role=role)


def _tags(role: Role, topic: Topic | None = None) -> Tags:
    return Tags(role, 0.9, topic, (TopicScore(topic, 0.9),) if topic else ())


def _vectors(*directions: int) -> NDArray[np.float32]:
    return np.eye(8, dtype=np.float32)[list(directions)]


PROBLEMS_THEN_MEASURES = [
    _tags(Role.PROBLEM, Topic.BUDGET_EXECUTION),
    _tags(Role.PROBLEM, Topic.INDICATORS),
    _tags(Role.BACKGROUND),
    _tags(Role.MEASURE, Topic.INDICATORS),
    _tags(Role.MEASURE, Topic.BUDGET_EXECUTION),
]


def _pairs(links: tuple[Link, ...]) -> set[tuple[str, str]]:
    return {(link.problem, link.measure) for link in links}


def test_meaning_and_topic_win_over_order() -> None:
    passages = [_passage(i) for i in range(5)]
    links = link_measures(passages, PROBLEMS_THEN_MEASURES, _vectors(0, 1, 2, 1, 0))
    assert _pairs(links) == {("r-0", "r-4"), ("r-1", "r-3")}
    assert all(0.5 <= link.score <= 1.0 for link in links)


def test_no_measure_given_is_an_answer() -> None:
    tags = [_tags(Role.PROBLEM, Topic.BUDGET_EXECUTION), _tags(Role.BACKGROUND), _tags(Role.MEASURE, Topic.OTHER)]
    assert link_measures([_passage(i) for i in range(3)], tags, _vectors(0, 1, 2)) == ()
    assert link_measures([_passage(0)], tags[:1], _vectors(0)) == ()


def test_rows_of_different_departments_do_not_answer_each_other() -> None:
    def of(passage: Passage, department: str) -> Passage:
        return replace(passage, department=department)

    tags = [_tags(Role.PROBLEM, Topic.INDICATORS), _tags(Role.MEASURE, Topic.INDICATORS)] * 2
    passages = [of(_passage(i), name) for i, name in enumerate(["教育局", "水利局", "水利局", "教育局"])]
    assert _pairs(link_measures(passages, tags, _vectors(0, 0, 1, 1))) <= {("r-0", "r-3"), ("r-2", "r-1")}
    together = [of(passage, "教育局") for passage in passages]
    assert _pairs(link_measures(together, tags, _vectors(0, 0, 1, 1))) == {("r-0", "r-1"), ("r-2", "r-3")}


def test_two_measures_may_answer_one_problem() -> None:
    tags = [_tags(Role.PROBLEM, Topic.INDICATORS), _tags(Role.MEASURE, Topic.INDICATORS)]
    tags.append(_tags(Role.MEASURE, Topic.INDICATORS))
    tags += [_tags(Role.BACKGROUND)] * 3
    links = link_measures([_passage(i) for i in range(6)], tags, _vectors(0, 0, 0, 1, 2, 3))
    assert _pairs(links) == {("r-0", "r-1"), ("r-0", "r-2")}


def test_measures_that_keep_step_with_the_problems_are_linked_in_order_where_the_texts_bear_it_out() -> None:
    topics = (Topic.BUDGET_EXECUTION, Topic.INDICATORS, Topic.INTERNAL_CONTROL)
    tags = [*(_tags(Role.PROBLEM, topic) for topic in topics)]
    tags += [
        _tags(Role.MEASURE, topics[0]),
        _tags(Role.MEASURE, Topic.INTERNAL_CONTROL),
        _tags(Role.MEASURE, topics[2]),
    ]
    links = link_measures([_passage(i) for i in range(6)], tags, _vectors(0, 1, 2, 0, 3, 2))
    assert _pairs(links) == {("r-0", "r-3"), ("r-2", "r-5")}
    near = np.array([*_vectors(0, 1, 2, 0, 3, 2)])
    near[4] = (near[4] + near[1]) / np.sqrt(2)  # somewhat like the second problem
    links = link_measures([_passage(i) for i in range(6)], tags, near)
    assert _pairs(links) == {("r-0", "r-3"), ("r-1", "r-4"), ("r-2", "r-5")}


def test_rows_of_a_ledger_are_left_to_the_ledger() -> None:
    passages = [_passage(0, Role.PROBLEM), _passage(1, Role.MEASURE)]
    tags = [_tags(Role.PROBLEM, Topic.INDICATORS), _tags(Role.MEASURE, Topic.INDICATORS)]
    assert link_measures(passages, tags, _vectors(0, 0)) == ()


def test_a_ledgers_measure_is_about_what_its_problem_is_about() -> None:
    passages = [_passage(0, Role.PROBLEM), _passage(1, Role.MEASURE), _passage(2)]
    tags = [_tags(Role.PROBLEM, Topic.INDICATORS), _tags(Role.MEASURE, Topic.OTHER), _tags(Role.MEASURE, Topic.OTHER)]
    found = inherit_topics(passages, tags, [Link("r-0", "r-1", 1.0)])
    assert [item.primary for item in found] == [Topic.INDICATORS, Topic.INDICATORS, Topic.OTHER]
    assert found[1].topics == tags[0].topics
    assert found[1].role is Role.MEASURE


def test_a_cause_belongs_to_the_problem_that_it_is_like() -> None:
    passages = [_passage(i) for i in range(3)]
    tags = [
        _tags(Role.PROBLEM, Topic.INDICATORS),
        _tags(Role.PROBLEM, Topic.OTHER),
        _tags(Role.CAUSE, Topic.INDICATORS),
    ]
    (found,) = link_causes(passages, tags, _vectors(0, 1, 0))
    assert found == Reason("r-0", "r-2", found.score)
    assert found.score > 0.5
    assert link_measures(passages, tags, _vectors(0, 1, 0)) == ()


def test_linked_passages_speak_for_each_others_topic_as_far_as_the_link_is_sure() -> None:
    chances = np.array([[0.9, 0.1], [0.45, 0.55], [0.3, 0.7]])
    sure = share_topics(chances, [(0, 1, 1.0)])
    assert sure[1].argmax() == 0
    assert np.allclose(sure.sum(axis=1), 1)
    assert np.array_equal(sure[2], chances[2])
    unsure = share_topics(chances, [(0, 1, 0.05)])
    assert chances[1, 0] < unsure[1, 0] < 0.5
    assert np.array_equal(share_topics(chances, []), chances)


def test_two_sure_passages_of_different_topics_stay_what_they_are() -> None:
    certain = np.eye(2)
    assert np.array_equal(share_topics(certain, [(0, 1, 1.0)]), certain)
