"""Counts equal what a person counts by hand on ten planted passages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nlp.errors import InvalidInputError
from nlp.frequency import count_cells, representative, wilson, with_corrections
from nlp.records import Cell, Role, Topic
from nlp.tagger import NOTHING_SAID, ROLES, TOPICS, HeldOut

P, M, B = Role.PROBLEM, Role.MEASURE, Role.BACKGROUND
EXECUTION, INDICATORS, CONTROL = Topic.BUDGET_EXECUTION, Topic.INDICATORS, Topic.INTERNAL_CONTROL


def _cell(row: int, report: str, topic: Topic | None, role: Role, department: str | None, year: int | None) -> Any:
    subtopic = {EXECUTION: "slow_spending", INDICATORS: "vague_indicators"}.get(topic) if topic else None
    return Cell(row, report, topic, department, "青禾县", "县", year, "部门整体支出", role, subtopic, given=False)


# Three reports: r1 (2023) has four problems, r2 (2024) two, r3 (2024) none.
CELLS = [
    _cell(1, "r1", EXECUTION, P, "教育局", 2023),
    _cell(2, "r1", EXECUTION, P, "教育局", 2023),
    _cell(3, "r1", INDICATORS, P, "教育局", 2023),
    _cell(4, "r1", CONTROL, P, "教育局", 2023),
    _cell(5, "r1", EXECUTION, M, "教育局", 2023),
    _cell(6, "r2", EXECUTION, P, "水利局", 2024),
    _cell(7, "r2", CONTROL, P, "水利局", 2024),
    _cell(8, "r2", CONTROL, M, "水利局", 2024),
    _cell(9, "r3", None, B, None, 2024),
    _cell(10, "r3", None, B, None, 2024),
]


def _rows(by: tuple[str, ...], unit: str = "passage", role: Role = P, topic: Topic | None = None) -> dict[Any, Any]:
    table = count_cells(CELLS, by, unit, role, topic)
    return {row.values: (row.count, row.reports, round(row.share, 4)) for row in table.rows}


def test_passages_by_topic() -> None:
    assert _rows(("topic",)) == {
        (EXECUTION,): (3, 2, 0.5),
        (CONTROL,): (2, 2, 0.3333),
        (INDICATORS,): (1, 1, 0.1667),
    }
    assert count_cells(CELLS, ("topic",), "passage", P).total == 6


def test_a_report_counts_once_and_reports_without_a_problem_are_in_the_share() -> None:
    assert _rows(("topic",), unit="report") == {
        (EXECUTION,): (3, 2, 0.6667),
        (CONTROL,): (2, 2, 0.6667),
        (INDICATORS,): (1, 1, 0.3333),
    }
    assert count_cells(CELLS, ("topic",), "report", P).total == 3


def test_shares_of_a_topic_are_of_its_year() -> None:
    assert _rows(("topic", "year"), unit="report") == {
        (EXECUTION, 2023): (2, 1, 1.0),
        (CONTROL, 2023): (1, 1, 1.0),
        (INDICATORS, 2023): (1, 1, 1.0),
        (EXECUTION, 2024): (1, 1, 0.5),
        (CONTROL, 2024): (1, 1, 0.5),
        (INDICATORS, 2024): (0, 0, 0.0),
    }


def test_without_topic_shares_are_of_all() -> None:
    assert _rows(("department",)) == {("教育局",): (4, 1, 0.6667), ("水利局",): (2, 1, 0.3333)}


def test_one_topic_alone_keeps_its_denominator() -> None:
    assert _rows(("topic",), topic=EXECUTION) == {(EXECUTION,): (3, 2, 0.5)}


def test_measures_are_counted_apart() -> None:
    assert _rows(("topic",), role=M) == {(EXECUTION,): (1, 1, 0.5), (CONTROL,): (1, 1, 0.5)}


def test_what_is_not_known_is_a_value_of_its_own() -> None:
    assert _rows(("department", "year"), role=B) == {(None, 2024): (2, 1, 1.0)}
    unknown_year = [_cell(1, "r1", EXECUTION, P, "教育局", None), _cell(2, "r2", EXECUTION, P, "教育局", 2024)]
    rows = count_cells(unknown_year, ("topic", "year"), "report", P).rows
    assert {(row.values, row.share) for row in rows} == {((EXECUTION, None), 1.0), ((EXECUTION, 2024), 1.0)}


def test_nothing_to_count() -> None:
    table = count_cells([], ("topic",), "report", P)
    assert (table.rows, table.total) == ((), 0)


def test_the_interval_against_published_values() -> None:
    # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3 (81/263, 15/148, 0/20).
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("by", [(), ("colour",), ("topic", "topic"), ("topic", "year", "level")])
def test_dimensions_that_are_not_there(by: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="--by"):
        count_cells(CELLS, by, "passage", P)


def test_subtopics_are_told_apart_and_what_has_none_is_unknown() -> None:
    assert _rows(("subtopic",)) == {
        ("slow_spending",): (3, 2, 0.5),
        (None,): (2, 2, 0.3333),
        ("vague_indicators",): (1, 1, 0.1667),
    }


def test_ranks_are_shared_and_years_compared_where_there_is_one_before() -> None:
    table = count_cells(CELLS, ("topic", "year"), "passage", P)
    told = {row.values: (row.rank, row.change) for row in table.rows}
    assert told == {
        (EXECUTION, 2023): (1, None),
        (CONTROL, 2023): (2, None),
        (INDICATORS, 2023): (2, None),
        (EXECUTION, 2024): (2, -1),
        (CONTROL, 2024): (2, 0),
        (INDICATORS, 2024): (6, -1),
    }
    by_year = {row.values: row.change for row in count_cells(CELLS, ("year",), "report", P).rows}
    assert by_year == {(2023,): None, (2024,): 0}  # one report with a problem in each


def test_a_year_without_a_report_is_no_year_without_problems() -> None:
    cells = [
        _cell(1, "r1", EXECUTION, P, "教育局", 2022),
        _cell(2, "r2", EXECUTION, P, "教育局", 2024),
        _cell(3, "r3", CONTROL, P, "水利局", 2022),
        _cell(4, "r4", None, B, "水利局", 2023),
        _cell(5, "r5", CONTROL, P, "水利局", 2024),
        _cell(6, "r6", CONTROL, P, "水利局", None),
    ]
    told = {
        row.values: (row.count, row.change) for row in count_cells(cells, ("department", "year"), "passage", P).rows
    }
    assert told == {
        ("教育局", 2022): (1, None),
        ("教育局", 2024): (1, None),
        ("水利局", 2022): (1, None),
        ("水利局", 2023): (0, -1),
        ("水利局", 2024): (1, 1),
        ("水利局", None): (1, None),
    }
    by_topic = {row.values: row for row in count_cells(cells, ("topic", "year"), "report", P).rows}
    assert (by_topic[EXECUTION, 2023].change, by_topic[EXECUTION, 2023].share, by_topic[EXECUTION, 2023].reports) == (
        -1,
        0,
        0,
    )
    assert by_topic[CONTROL, 2024].change == 1


def test_rows_stand_in_the_order_of_their_ranks() -> None:
    cells = [_cell(1, "r1", EXECUTION, P, "教育局", 2023), _cell(2, "r2", EXECUTION, P, "水利局", 2023)]
    cells += [_cell(row, "r3", CONTROL, P, "教育局", 2024) for row in (3, 4, 5)]
    rows = count_cells(cells, ("topic",), "report", P).rows
    assert [(row.values, row.rank) for row in rows] == [((EXECUTION,), 1), ((CONTROL,), 2)]


# ---------------------------------------------------------------------------------------------------- without the tagger's errors


def _labelled(missed: float, invented: float, seed: int = 0) -> HeldOut:
    """What a tagger says that misses some problems and invents some: 60 groups with ten passages of each class."""
    chance = np.random.default_rng(seed)
    topics = np.tile(np.repeat(np.arange(7), 10), 60)  # 6: background
    groups = np.repeat(np.arange(60), 70)
    problem, background = ROLES.index(P), ROLES.index(B)
    right = np.where(topics < 6, problem, background)
    luck = chance.random(len(topics))
    told = np.where((topics < 6) & (luck < missed), background, right)
    told = np.where((topics == 6) & (luck < invented), problem, told)
    said = np.where(topics == 6, TOPICS.index(EXECUTION), topics)
    labels = np.stack([right, np.where(topics < 6, topics, -1), groups], axis=1).astype(np.int32)
    eye = np.eye(6, dtype=np.float32)
    return HeldOut(eye[told], eye[said], np.zeros((len(topics), 0), np.float32), labels)


def _corpus(problems: int, others: int, given: bool = False) -> list[Any]:
    cells = [_cell(i, f"r{i % 40}", EXECUTION, P, "教育局", 2024) for i in range(problems)]
    cells += [_cell(problems + i, f"r{i % 40}", None, B, "教育局", 2024) for i in range(others)]
    return [cell._replace(given=given) for cell in cells]


def _corrected(cells: list[Any], held: HeldOut, by: tuple[str, ...] = ("topic",), decided: tuple[int, ...] = ()) -> Any:
    table = count_cells(cells, by, "passage", P)
    return with_corrections(table, cells, P, None, held, decided).rows[0].corrected


def test_a_tagger_that_misses_a_fifth_is_corrected_for() -> None:
    found = _corrected(_corpus(400, 600), _labelled(missed=0.2, invented=0.0))
    assert found.count == pytest.approx(500, rel=0.05)
    assert found.count_low < found.count < found.count_high
    assert found.share == pytest.approx(1.0, abs=0.02)
    assert found.enough


def test_a_tagger_that_invents_is_corrected_for_with_and_without_topics() -> None:
    cells, held = _corpus(400, 600), _labelled(missed=0.0, invented=0.3)
    assert _corrected(cells, held).count == pytest.approx((400 - 1000 * 0.3) / 0.7, rel=0.2)
    found = _corrected(cells, held, by=("department",))
    assert found.count == pytest.approx((400 - 1000 * 0.3) / 0.7, rel=0.2)
    assert found.share is None


def test_what_people_decided_and_what_a_ledger_gives_is_certain() -> None:
    held = _labelled(missed=0.2, invented=0.2)
    cells = _corpus(50, 50)
    found = _corrected(cells, held, decided=tuple(range(100)))
    assert (found.count, found.count_low, found.count_high) == (50, 50, 50)
    found = _corrected(_corpus(50, 0, given=True), held, by=("department",))
    assert (found.count, found.count_low, found.count_high) == (50, 50, 50)
    both = [*_corpus(400, 600), *[cell._replace(row=1000 + i) for i, cell in enumerate(_corpus(50, 0, given=True))]]
    alone = _corrected(_corpus(400, 600), held)
    assert _corrected(both, held).count == pytest.approx(alone.count + 50, abs=0.5)


def test_how_often_others_are_taken_for_problems_is_measured_where_nothing_was_chosen() -> None:
    corpus, reports = _labelled(missed=0.0, invented=0.3), _labelled(missed=0.0, invented=0.05, seed=1)
    cells = _corpus(400, 600)
    assert _corrected(cells, representative(corpus, reports, P)).count == pytest.approx((400 - 50) / 0.95, rel=0.03)
    nothing = representative(corpus, NOTHING_SAID, P)
    assert nothing is corpus


def test_nothing_is_corrected_where_nothing_is_known_of_the_errors() -> None:
    few = _labelled(0.1, 0.1)
    keep = few.labels[:, 2] < 30
    few = HeldOut(few.roles[keep], few.topics[keep], few.subtopics[keep], few.labels[keep])
    assert _corrected(_corpus(40, 60), few) is None
    cells, held = _corpus(40, 60), _labelled(0.1, 0.1)
    for by, unit in ((("topic",), "report"), (("subtopic",), "passage")):
        table = count_cells(cells, by, unit, P)
        assert with_corrections(table, cells, P, None, held, ()) == table


def test_a_few_passages_say_nothing_of_a_share() -> None:
    cells = [_cell(i, f"r{i}", topic, P, "教育局", 2024) for i, topic in enumerate([EXECUTION, INDICATORS, CONTROL])]
    assert not _corrected(cells, _labelled(0.1, 0.1)).enough


def test_units_that_are_not_there() -> None:
    with pytest.raises(InvalidInputError, match="--unit"):
        count_cells(CELLS, ("topic",), "sentence", P)
