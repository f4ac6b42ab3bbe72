"""Counts equal what a person counts by hand on ten planted passages."""

from __future__ import annotations

from typing import Any

import pytest

from nlp.errors import InvalidInputError
from nlp.frequency import count_cells, wilson
from nlp.records import Role, Topic

P, M, B = Role.PROBLEM, Role.MEASURE, Role.BACKGROUND
EXECUTION, INDICATORS, CONTROL = Topic.BUDGET_EXECUTION, Topic.INDICATORS, Topic.INTERNAL_CONTROL


def _cell(row: int, report: str, topic: Topic | None, role: Role, department: str | None, year: int | None) -> Any:
    return (row, report, topic, department, "青禾县", "县", year, "部门整体支出", role)


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


def test_units_that_are_not_there() -> None:
    with pytest.raises(InvalidInputError, match="--unit"):
        count_cells(CELLS, ("topic",), "sentence", P)
