"""What comes back in later years: threads through a department's years, and what speaks for two problems being one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import StandIn, write_report

from nlp import Library
from nlp.identity import Overrides
from nlp.records import Filters, Role, Tags, Topic, TopicScore
from nlp.recurrence import Account, clues, log_odds, trace

if TYPE_CHECKING:
    from pathlib import Path

YES, NO = 3.0, -5.0


def _places(sizes: list[int], scores: dict[tuple[int, int], list[list[float]]]) -> set[tuple[tuple[int, int], ...]]:
    threads = trace(sizes, {pair: np.array(table) for pair, table in scores.items()})
    return {tuple(thread.places) for thread in threads}


def test_a_problem_is_followed_through_three_years() -> None:
    found = _places([1, 2, 1], {(0, 1): [[NO, YES]], (0, 2): [[NO]], (1, 2): [[NO], [YES]]})
    assert found == {((0, 0), (1, 1), (2, 0)), ((1, 0),)}


def test_a_year_in_between_may_be_silent() -> None:
    found = _places([1, 1, 1], {(0, 1): [[NO]], (0, 2): [[YES]], (1, 2): [[NO]]})
    assert found == {((0, 0), (2, 0)), ((1, 0),)}


def test_two_problems_of_a_year_do_not_come_from_the_same_one() -> None:
    assert _places([1, 2], {(0, 1): [[YES, YES + 1]]}) == {((0, 0), (1, 1)), ((1, 0),)}


def test_the_best_assignment_and_not_the_first_best_pair_is_taken() -> None:
    assert _places([2, 2], {(0, 1): [[4.0, 3.9], [3.9, NO]]}) == {((0, 0), (1, 1)), ((0, 1), (1, 0))}


def test_the_score_of_a_thread_is_that_of_its_least_sure_step() -> None:
    threads = trace([1, 1, 1], {(0, 1): np.array([[4.0]]), (0, 2): np.array([[NO]]), (1, 2): np.array([[1.0]])})
    assert [thread.score for thread in threads] == [1.0]


@pytest.mark.parametrize("sizes", [[], [0], [2], [0, 2], [2, 0]])
def test_years_without_problems(sizes: list[int]) -> None:
    pairs = {(0, 1): np.zeros((sizes[0], sizes[1]))} if len(sizes) > 1 else {}
    assert len(trace(sizes, pairs)) == sum(sizes)


# --------------------------------------------------------------------------------------------------------------------- clues


def _account(*said: tuple[int, str, str], promises: tuple[int, ...] = ()) -> Account:
    """Problems as a direction, a subtopic and a text; the measures of the first one are directions."""
    content = np.eye(8, dtype=np.float32)[[direction for direction, _, _ in said]]
    tags = tuple(Tags(Role.PROBLEM, 1.0, Topic.OTHER, (TopicScore(Topic.OTHER, 0.9, sub),)) for _, sub, _ in said)
    measures = np.eye(8, dtype=np.float32)[list(promises)].reshape(-1, 8)
    nothing = np.zeros((0, 8), dtype=np.float32)
    return Account(
        texts=tuple(text for _, _, text in said),
        words=tuple(frozenset(text) for _, _, text in said),
        tags=tags,
        content=content,
        kinds=content,
        promises=(measures, *[nothing] * (len(said) - 1)),
        middle=np.full(8, 1 / 8, dtype=np.float32),
    )


WEIGHTS = dict.fromkeys("甲乙丙丁仍在", 1.0)


def test_what_speaks_for_a_pair() -> None:
    earlier = _account((0, "slow_spending", "甲乙"), (1, "idle_assets", "丙"), promises=(3,))
    later = _account((0, "slow_spending", "甲仍在"), (3, "weak_rules", "丁"))
    found = clues(earlier, later, WEIGHTS)
    assert found.shape == (2, 2, 6)
    assert found[0, 0, 0] > 5 > found[0, 1, 0]  # what they say
    assert found[0, 0, 1] == 1.0 and found[0, 1, 1] == 0.0  # noqa: PT018  the two ends of one clue
    assert found[0, 0, 2] == pytest.approx(0.81)
    assert found[1, 0, 2] == 0.0
    assert found[0, 0, 3] == pytest.approx(10 / np.sqrt(6))
    assert found[:, :, 4].tolist() == [[1, 0], [1, 0]]  # 仍
    assert found[0, 1, 5] > 5 > found[0, 0, 5]  # the later one is about what was promised
    assert found[1, :, 5].tolist() == [0, 0]


def test_likes_are_likelier_than_others() -> None:
    earlier = _account((0, "slow_spending", "甲乙"), (1, "idle_assets", "丙"))
    later = _account((1, "idle_assets", "丙"), (0, "slow_spending", "甲"))
    scores = log_odds(earlier, later, WEIGHTS)
    assert scores.argmax(axis=1).tolist() == [1, 0]
    assert log_odds(_account(), later, WEIGHTS).shape == (0, 2)


# ------------------------------------------------------------------------------------------------------------------- library


AGAIN = "医疗设备采购后长期闲置，8台彩超没有投入使用。"


def _library(folder: Path) -> Library:
    reports = folder / "reports"
    promise = ["尽快启用闲置的彩超，医疗设备采购前先论证。"]
    write_report(reports, "青禾县卫生健康局", 2022, [AGAIN, "预算执行进度缓慢，支出集中在年底。"], promise)
    write_report(reports, "青禾县卫生健康局", 2023, ["医疗设备采购后仍长期闲置，去年的8台彩超没有投入使用。"])
    write_report(reports, "青禾县水利局", 2023, [AGAIN])
    library = Library.open(folder / "library")
    library.ingest(reports)
    return library


def test_only_a_departments_own_problems_come_back(tmp_path: Path, stand_in: StandIn) -> None:
    assert stand_in.dims
    with _library(tmp_path) as library:
        found = library.recur()
        (chain,) = found.chains
        assert [problem.passage.year for problem in chain.problems] == [2022, 2023]
        assert {problem.passage.department for problem in chain.problems} == {"青禾县卫生健康局"}
        assert "彩超" in chain.problems[0].passage.text
        assert [["启用" in measure.passage.text for measure in own] for own in chain.promised] == [[True]]
        assert ["执行进度" in problem.passage.text for problem in found.vanished] == [True]
        assert (found.returned, found.compared) == (1, 1)
        nothing = library.recur(filters=Filters(department="水利局"))
        assert (nothing.chains, nothing.vanished, nothing.compared) == ((), (), 0)
        other = library.recur(filters=Filters(topic=Topic.RESULT_APPLICATION))
        assert other.chains == ()


def _county(folder: Path, *reports: tuple[str, str, int, str]) -> Library:
    """Reports of departments, each in a region of its own, unknown where it is empty."""
    library = Library.open(folder / "library")
    for number, (region, department, year, finding) in enumerate(reports):
        path = write_report(folder / str(number), department, year, [finding])
        province, city, county = region.split("/") if region else (None, None, None)
        library.ingest(path, overrides=Overrides(province=province, city=city, county=county))
    return library


@pytest.mark.parametrize("known", [(0,), (1,), (0, 1)])
def test_a_department_whose_region_is_not_told_every_year_is_one(
    tmp_path: Path, stand_in: StandIn, known: tuple[int, ...]
) -> None:
    assert stand_in.dims
    places = ["云川省/望川市/青禾县" if year in known else "" for year in (0, 1)]
    reports = [(place, "藕汀街道办事处", 2022 + year, AGAIN) for year, place in enumerate(places)]
    with _county(tmp_path, *reports) as library:
        found = library.recur()
        assert (found.returned, found.compared) == (1, 1)
        (row,) = library.frequency(("region",)).rows
        assert row.values == ("青禾县",)


def test_departments_of_two_counties_of_one_name_are_two(tmp_path: Path, stand_in: StandIn) -> None:
    assert stand_in.dims
    one, other = "云川省/望川市/岚塘区", "澜东省/汐州市/岚塘区"
    reports = [(one, "岚塘区教育局", 2022), (other, "岚塘区教育局", 2023), (one, "岚塘区水利局", 2022)]
    reports += [("", "岚塘区教育局", 2024), ("", "岚塘区水利局", 2023)]  # of the first nobody knows which it is
    with _county(tmp_path, *((*report, AGAIN) for report in reports)) as library:
        assert [chain.problems[0].passage.department for chain in library.recur().chains] == ["岚塘区水利局"]
        counts = {row.values[0]: row.count for row in library.frequency(("region",)).rows}
        assert counts == {"云川省望川市岚塘区": 3, "澜东省汐州市岚塘区": 1, "岚塘区": 1}
