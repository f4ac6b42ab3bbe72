"""Problems that a department reports again in a later year (屡查屡犯), and those that it no longer reports.

Two problems are compared by what they say, by their subtopics, words and wording, by what was promised for the earlier one, and
by whether the later one says itself that it is an old one (仍, 去年). Each problem of a year takes up one thread of the years
before at most.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.records import StoredPassage, Tags

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]

# Log-odds that two problems of a department are one: weights of the clues in the order of `clues`, and the odds without any,
# fitted by `benchmarks/recurrence.py` on the recurrences of our own reports. The limit was chosen on them as whole files, so
# that about nine in ten that it finds are right.
WEIGHTS, BIAS = (3.2, 2.0, 2.4, 1.9, 1.5, 1.9), -9.4
ENOUGH = -0.25
_LOWEST = -6.0  # below it one pair is as unlikely as another, and none shall be traded for
_AGAIN = re.compile(
    "仍|依旧|依然|照旧|照样|还是|再次|又|反复|继续|连续|老问题|上年|去年|前年|往年|以前年度|没有根本|没有明显|未根本|未见"
)


@dataclass(frozen=True, slots=True)
class Account:
    """The problems that one department reported for one year.

    Shapes:
        ``content`` is ``(n_problems, dims)``, ``kinds`` ``(n_problems, kind_dims)``, rows of length 1; ``middle`` is ``(dims,)``.

    Attributes:
        texts: Of the problems.
        words: Of each, without its heading.
        tags: Of each.
        content: What each says.
        kinds: What kind of thing each is.
        promises: What the measures say that answer each problem, ``(n_measures, dims)``.
        middle: The mean of what all passages of that year say.
    """

    texts: tuple[str, ...]
    words: tuple[frozenset[str], ...]
    tags: tuple[Tags, ...]
    content: Matrix
    kinds: Matrix
    promises: tuple[Matrix, ...]
    middle: Matrix


@dataclass(frozen=True, slots=True)
class Chain:
    """A problem that was reported in several years.

    Attributes:
        problems: The earliest first; at most one a year.
        promised: For each problem but the last the measures that were to answer it.
        score: The chance that the least sure step is right.
    """

    problems: tuple[StoredPassage, ...]
    promised: tuple[tuple[StoredPassage, ...], ...]
    score: float


@dataclass(frozen=True, slots=True)
class Recurrences:
    """What came back and what did not.

    Attributes:
        chains: The longest first, then the surest.
        vanished: Problems that are not in the later reports of their departments.
        compared: How many problems there are that could have come from an earlier year.
    """

    chains: tuple[Chain, ...]
    vanished: tuple[StoredPassage, ...]
    compared: int

    @property
    def returned(self) -> int:
        """How many of the compared problems come from an earlier year."""
        return sum(len(chain.problems) - 1 for chain in self.chains)


def log_odds(earlier: Account, later: Account, weights: Mapping[str, float]) -> Floats:
    """Return for each earlier and each later problem the log-odds that the later one is the earlier one again.

    Args:
        earlier: A year of a department.
        later: A later year of it.
        weights: How much each word of both tells.

    Shapes:
        ``(n_earlier, n_later)``.
    """
    if not earlier.texts or not later.texts:
        return np.zeros((len(earlier.texts), len(later.texts)))
    return np.asarray(clues(earlier, later, weights) @ np.array(WEIGHTS) + BIAS)


def trace(sizes: Sequence[int], scores: Mapping[tuple[int, int], Floats], limit: float = ENOUGH) -> list[Thread]:
    """Return the problems of a department in threads: what came back in one thread, in the order of the years.

    A year's problems are assigned to the threads of all years before, one to one at best.

    Args:
        sizes: The number of problems of each year, the earliest year first.
        scores: For the places of two years what :func:`log_odds` returns.
        limit: With less than these log-odds a problem is a new one.

    >>> one, two = trace([1, 2], {(0, 1): np.array([[-3.0, 2.0]])})
    >>> one.places, two.places
    ([(0, 0), (1, 1)], [(1, 0)])
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 -- half a second, and a search needs none of it

    threads: list[Thread] = []
    for later, size in enumerate(sizes):
        near = np.full((len(threads), size), -np.inf)
        for row, thread in enumerate(threads):
            for year, number in thread.places:
                near[row] = np.maximum(near[row], scores[year, later][number])
        free = set(range(size))
        for row, column in zip(*linear_sum_assignment(-np.maximum(near, _LOWEST)), strict=True):
            if near[row, column] > limit:
                threads[row].places.append((later, int(column)))
                threads[row].score = min(threads[row].score, float(near[row, column]))
                free.remove(int(column))
        threads += [Thread([(later, number)]) for number in sorted(free)]
    return threads


@dataclass(slots=True)
class Thread:
    """Places of one problem: year and number in it; ``score`` is the least of the log-odds of its steps."""

    places: list[tuple[int, int]]
    score: float = math.inf


def clues(earlier: Account, later: Account, weights: Mapping[str, float]) -> Floats:
    """Return what speaks for each pair of an earlier and a later problem.

    In this order: closeness of what they say, likeness of kind, the same subtopic, shared words, whether the later one says
    that it is old, closeness to what was promised.

    Shapes:
        ``(n_earlier, n_later, 6)``.
    """
    found = np.zeros((len(earlier.texts), len(later.texts), len(WEIGHTS)))
    found[..., 0] = _above(
        earlier.content @ later.content.T, earlier.content @ later.middle, later.content @ earlier.middle
    )
    found[..., 1] = earlier.kinds @ later.kinds.T
    found[..., 2] = [[_same_subtopic(mine, its) for its in later.tags] for mine in earlier.tags]
    found[..., 3] = _shared_words(earlier.words, later.words, weights)
    found[..., 4] = [[bool(_AGAIN.search(text)) for text in later.texts]]
    found[..., 5] = _promised(earlier, later)
    return found


def _above(cosine: Matrix, mine: Matrix, its: Matrix) -> Floats:
    """Return tenths of cosine above what each has with any passage of the other year: one office's texts are all alike."""
    return np.asarray(10 * (cosine - (mine[:, None] + its[None, :]) / 2), dtype=np.float64)


def _same_subtopic(first: Tags, second: Tags) -> float:
    """Return how sure it is that two problems have a subtopic in common."""
    return max(
        (a.score * b.score for a in first.topics for b in second.topics if a.subtopic and a.subtopic == b.subtopic),
        default=0.0,
    )


def _shared_words(
    earlier: Sequence[frozenset[str]], later: Sequence[frozenset[str]], weights: Mapping[str, float]
) -> Floats:
    """Return tenths of the words' weight that pairs share."""
    found = np.zeros((len(earlier), len(later)))
    whole = [sum(weights[word] for word in own) for own in later]
    for row, mine in enumerate(earlier):
        weight = sum(weights[word] for word in mine)
        for column, its in enumerate(later):
            common = sum(weights[word] for word in mine & its)
            found[row, column] = 10 * common / math.sqrt(weight * whole[column]) if common else 0.0
    return found


def _promised(earlier: Account, later: Account) -> Floats:
    """Return how near each later problem is to the nearest of the measures that were promised for each earlier one."""
    found = np.zeros((len(earlier.texts), len(later.texts)))
    usual = later.content @ earlier.middle
    for row, measures in enumerate(earlier.promises):
        if len(measures):
            found[row] = _above(measures @ later.content.T, measures @ later.middle, usual).max(axis=0)
    return found


def recurrences(
    departments: Iterable[tuple[Sequence[Sequence[StoredPassage]], Sequence[Thread]]],
    promised: Mapping[int, tuple[StoredPassage, ...]],
) -> Recurrences:
    """Return what came back and what did not.

    Args:
        departments: For each its problems of each year, and their threads.
        promised: The measures that answer a problem, by its key.
    """
    chains, vanished, compared = [], [], 0
    for years, threads in departments:
        compared += sum(map(len, years[1:]))
        for thread in threads:
            problems = tuple(years[year][number] for year, number in thread.places)
            if len(problems) > 1:
                measures = tuple(promised.get(found.row, ()) for found in problems[:-1])
                chains.append(Chain(problems, measures, round(1 / (1 + math.exp(-thread.score)), 4)))
            if thread.places[-1][0] < len(years) - 1:
                vanished.append(problems[-1])
    chains.sort(key=lambda chain: (-len(chain.problems), -chain.score, chain.problems[0].row))
    return Recurrences(tuple(chains), tuple(vanished), compared)
