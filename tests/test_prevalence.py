"""Corrected counts against hand computations, another implementation, Wilson's interval, and cells that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.errors import InvalidInputError
from nlp.frequency import wilson
from nlp.prevalence import Errors, Prevalence, estimate, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What is said (columns) of which class (rows): two topics and everything else.
CONFUSION = np.array([[0.8, 0.1, 0.1], [0.05, 0.75, 0.2], [0.02, 0.03, 0.95]])


def _tagged(truth: NDArray[np.int64], confusion: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """What a tagger with this confusion says, as rows with one 1."""
    chance = np.random.default_rng(seed).random((len(truth), 1))
    found = (confusion[truth].cumsum(axis=1) < chance).sum(axis=1).clip(max=len(confusion) - 1)
    return np.asarray(np.eye(len(confusion))[found])


def _labelled(seed: int = 0, n: int = 3000) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    truth = np.random.default_rng(seed).choice(3, n, p=[0.2, 0.2, 0.6])
    return _tagged(truth, CONFUSION, seed + 1), truth, np.arange(n) // 10


def _perfect(classes: int = 3) -> Errors:
    truth = np.arange(600) % classes
    return measure(np.eye(classes)[truth], truth, np.arange(600) // 10)


def _one_cell(errors: Errors, said: NDArray[np.float64], **more: object) -> Prevalence:
    n = len(said)
    return estimate(errors, said, np.zeros(n, dtype=np.int64), np.arange(n), 1, **more)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------------------- values


def test_two_classes_by_hand() -> None:
    # 100 problems of which 90 are found, 400 others of which 20 are taken for one: (60/200 - 0.05) / (0.9 - 0.05).
    truth = np.repeat([0, 1], [100, 400])
    decisions = np.concatenate([np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [20, 380])])
    errors = measure(np.eye(2)[decisions], truth, np.arange(500) % 50)
    found = _one_cell(errors, np.eye(2)[np.repeat([0, 1], [60, 140])])
    assert found.observed[0].tolist() == [60.0, 140.0]
    assert found.share[0, 0] == pytest.approx(0.25 / 0.85)
    assert found.count[0, 0] == pytest.approx(200 * 0.25 / 0.85)


def test_the_interval_of_a_count_by_hand() -> None:
    # The end p solves (0.25/0.85 - p)² = z² (p·0.9·0.1 + (1-p)·0.05·0.95) / 0.85² / 200: errors known, nothing else in doubt.
    truth = np.repeat([0, 1], [100, 400])
    decisions = np.concatenate([np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [20, 380])])
    measured = measure(np.eye(2)[decisions], truth, np.arange(500) % 50)
    errors = Errors(
        measured.weights, measured.spread, measured.doubt * 0, measured.alike * 0, measured.shares, measured.told
    )
    found = _one_cell(errors, np.eye(2)[np.repeat([0, 1], [60, 140])])
    centre, scale = 0.25 / 0.85, 1.959964**2 / 0.85**2 / 200
    ends = np.roots([1.0, -2 * centre - scale * (0.09 - 0.0475), centre**2 - scale * 0.0475])
    assert sorted(ends) == pytest.approx([found.count_low[0, 0] / 200, found.count_high[0, 0] / 200], abs=1e-6)


def test_three_classes_as_solved_from_the_table() -> None:
    said, truth, groups = _labelled()
    corpus = _tagged(np.random.default_rng(5).choice(3, 2000, p=[0.5, 0.1, 0.4]), CONFUSION, 6)
    table = np.array([said[truth == k].mean(axis=0) for k in range(3)]).T
    found = _one_cell(measure(said, truth, groups), corpus)
    assert found.share[0] == pytest.approx(np.linalg.solve(table, corpus.mean(axis=0)))


@pytest.mark.parametrize("of", [None, (0, 1)])
def test_the_interval_against_a_bootstrap_that_really_resamples(of: tuple[int, ...] | None) -> None:
    said, truth, groups = _labelled(n=1500)
    corpus = _tagged(np.random.default_rng(5).choice(3, 1000, p=[0.3, 0.3, 0.4]), CONFUSION, 6)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    chance, shares = np.random.default_rng(7), []
    for _ in range(1500):
        rows = np.concatenate([members[i] for i in chance.integers(0, len(members), len(members))])
        table = np.array([said[rows][truth[rows] == k].mean(axis=0) for k in range(3)]).T
        share = np.linalg.solve(table, corpus[chance.integers(0, len(corpus), len(corpus))].mean(axis=0))
        shares.append(share[0] / (1.0 if of is None else share[:2].sum()))
    low, high = np.quantile(shares, (0.025, 0.975))
    found = _one_cell(measure(said, truth, groups), corpus, of=of)
    assert found.low[0, 0] == pytest.approx(low, abs=0.006)
    assert found.high[0, 0] == pytest.approx(high, abs=0.006)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200))
@settings(max_examples=30, deadline=None)
def test_a_tagger_that_never_errs_gives_wilson_and_exact_counts(decisions: list[int]) -> None:
    said = np.eye(3)[decisions]
    counts = np.bincount(decisions, minlength=3)
    found = _one_cell(_perfect(), said)
    for k in range(3):
        assert (found.low[0, k], found.high[0, k]) == pytest.approx(wilson(int(counts[k]), len(said)), abs=1e-9)
    assert found.count[0] == pytest.approx(counts)
    assert found.count_low[0] == pytest.approx(counts)
    assert found.count_high[0] == pytest.approx(counts)
    topics = _one_cell(_perfect(), said, of=(0, 1))
    expected = wilson(int(counts[0]), int(counts[:2].sum()))
    assert (topics.low[0, 0], topics.high[0, 0]) == pytest.approx(expected, abs=1e-9)


# ---------------------------------------------------------------------------------------------------------------- properties


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(-1, 2)), max_size=80))
@settings(max_examples=50, deadline=None)
def test_ends_lie_around_the_estimate_and_within_bounds(rows: list[tuple[int, int, int]]) -> None:
    said, cells, decided = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    errors = measure(*_labelled())
    for of in (None, (0, 1)):
        found = estimate(errors, np.eye(3)[said], cells, cells, 4, of, decided)
        totals = np.bincount(cells, minlength=4)[:, None]
        assert (found.low >= 0).all()
        assert (found.low <= found.share).all()
        assert (found.share <= found.high).all()
        assert (found.high <= 1).all()
        assert (found.count_low <= found.count + 1e-9).all()
        assert (found.count <= found.count_high + 1e-9).all()
        assert (found.count_low >= 0).all()
        assert (found.count_high <= totals + 1e-9).all()


def test_cells_do_not_touch_each_other() -> None:
    errors, cells = measure(*_labelled()), np.arange(300) % 3
    said = _tagged(np.random.default_rng(5).choice(3, 300), CONFUSION, 6)
    table = estimate(errors, said, cells, np.arange(300), 3)
    for cell in range(3):
        alone = _one_cell(errors, said[cells == cell])
        assert table.share[cell] == pytest.approx(alone.share[0])
        assert table.low[cell] == pytest.approx(alone.low[0])
        assert table.count_high[cell] == pytest.approx(alone.count_high[0])


def test_errors_alike_within_reports_make_the_interval_wider() -> None:
    # Half of the groups are read without an error, in the others every second problem is missed.
    groups = np.repeat(np.arange(200), 10)
    truth = np.tile([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], 200)
    missed = (groups % 2 == 0) & (truth == 0) & (np.arange(2000) % 2 == 0)
    errors = measure(np.eye(2)[np.where(missed, 1, truth)], truth, groups)
    assert errors.alike[0] > 0.02
    said = np.eye(2)[np.arange(400) % 2]
    one, many = (estimate(errors, said, np.zeros(400, int), np.arange(400) // size, 1) for size in (100, 1))
    assert one.count_high[0, 0] - one.count_low[0, 0] > 1.3 * (many.count_high[0, 0] - many.count_low[0, 0])


# --------------------------------------------------------------------------------------------------------- degenerate cells


def test_an_empty_cell_says_nothing() -> None:
    found = estimate(measure(*_labelled()), np.zeros((0, 3)), np.zeros(0, int), np.zeros(0, int), 2)
    assert found.low.tolist() == [[0.0] * 3] * 2
    assert found.high.tolist() == [[1.0] * 3] * 2
    assert found.count.tolist() == found.count_high.tolist() == [[0.0] * 3] * 2
    assert not found.enough.any()


def test_a_handful_of_passages_says_too_little_and_a_thousand_enough() -> None:
    errors = measure(*_labelled())
    assert not _one_cell(errors, np.eye(3)[[0, 2, 2, 2]]).enough.any()
    assert _one_cell(errors, np.eye(3)[np.arange(1000) % 3]).enough.all()


def test_all_of_one_class_keeps_an_interval_with_width() -> None:
    found = _one_cell(measure(*_labelled()), np.eye(3)[np.full(200, 2)])
    # Less was said to be of class 0 than would be so by mistake: the estimate is moved to 0, its interval is not shrunk.
    assert found.share[0, 0] == 0.0
    assert found.low[0, 0] == 0.0
    assert 0.01 < found.high[0, 0] < 0.1
    assert found.share[0, 2] == 1.0
    assert found.count_low[0, 2] < 200 == found.count_high[0, 2]


def test_a_tagger_that_says_one_thing_of_all_says_nothing() -> None:
    _, truth, groups = _labelled()
    found = _one_cell(measure(np.eye(3)[np.full(len(truth), 2)], truth, groups), np.eye(3)[np.full(500, 2)])
    assert found.low.tolist() == [[0.0] * 3]
    assert found.high.tolist() == [[1.0] * 3]
    assert found.count_high.tolist() == [[500.0] * 3]
    assert not found.enough.any()


def test_a_tagger_that_guesses_says_nothing() -> None:
    _, truth, groups = _labelled()
    guesses = np.eye(3)[np.random.default_rng(9).integers(0, 3, len(truth))]
    found = _one_cell(measure(guesses, truth, groups), np.eye(3)[np.random.default_rng(10).integers(0, 3, 2000)])
    assert (found.high - found.low > 0.9).all()
    assert not found.enough.any()


def test_two_topics_that_are_never_told_apart_leave_the_third_class_alone() -> None:
    truth = np.arange(900) % 3
    errors = measure(np.eye(3)[np.where(truth == 1, 0, truth)], truth, np.arange(900) // 9)
    assert errors.told.tolist() == [False, False, True]
    found = _one_cell(errors, np.eye(3)[np.repeat([0, 2], [60, 40])])
    assert (found.low[0, 0], found.high[0, 0]) == (0.0, 1.0)
    assert (found.low[0, 2], found.high[0, 2]) == pytest.approx(wilson(40, 100), abs=1e-9)
    assert not _one_cell(errors, np.eye(3)[np.repeat([0, 2], [60, 40])], of=(0, 1)).enough.any()


# ----------------------------------------------------------------------------------------------------------- people's decisions


def test_what_people_decided_is_certain() -> None:
    decided = np.repeat([0, 1, 2], [10, 20, 70])
    found = _one_cell(measure(*_labelled()), np.eye(3)[np.full(100, 2)], decided=decided)
    assert found.count.tolist() == found.count_low.tolist() == found.count_high.tolist() == [[10.0, 20.0, 70.0]]
    assert found.observed.tolist() == [[10.0, 20.0, 70.0]]
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx(wilson(20, 100), abs=1e-9)


def test_decisions_are_added_to_what_is_corrected() -> None:
    errors, said = measure(*_labelled()), np.eye(3)[np.arange(300) % 3]
    decided = np.where(np.arange(300) < 120, 0, -1)
    rest = _one_cell(errors, said[120:])
    both = _one_cell(errors, said, decided=decided)
    assert both.count[0] == pytest.approx(rest.count[0] + [120, 0, 0])
    assert both.count_low[0] == pytest.approx(rest.count_low[0] + [120, 0, 0])
    assert both.count_high[0] == pytest.approx(rest.count_high[0] + [120, 0, 0])


# -------------------------------------------------------------------------------------------------------------------- refusals


def test_too_few_groups_of_a_class() -> None:
    said, truth, groups = _labelled()
    with pytest.raises(InvalidInputError, match="第 0 类只有 3 个"):
        measure(said, np.where((truth == 0) & (groups > np.unique(groups[truth == 0])[2]), 2, truth), groups)


def test_what_does_not_fit_together() -> None:
    said, truth, groups = _labelled()
    errors = measure(said, truth, groups)
    with pytest.raises(InvalidInputError, match="每个段落应有一行标注结果"):
        measure(said, truth[1:], groups)
    with pytest.raises(InvalidInputError, match="得到的是 0 到 3"):
        measure(said, np.where(np.arange(len(truth)) == 0, 3, truth), groups)
    with pytest.raises(InvalidInputError, match="单元格应在 0 到 0 之间"):
        estimate(errors, said[:2], np.array([0, 1]), np.array([0, 1]), 1)
    with pytest.raises(InvalidInputError, match="3 列的标注结果"):
        estimate(errors, said[:2, :2], np.array([0, 0]), np.array([0, 1]), 1)
    with pytest.raises(InvalidInputError, match="类别应在 0 到 2 之间"):
        estimate(errors, said[:2], np.array([0, 0]), np.array([0, 1]), 1, of=(0, 3))
    with pytest.raises(InvalidInputError, match="类别应在 0 到 2 之间"):
        estimate(errors, said[:2], np.array([0, 0]), np.array([0, 1]), 1, decided=np.array([0, 5]))
