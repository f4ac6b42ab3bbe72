"""Which measure answers which problem in one report, and which cause is given for it.

Meaning, words, topics, order and neighbourhood are weighed together; linked passages then speak for each other's topic.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from nlp.records import Link, Passage, Reason, Region, Role, Tags
from nlp.words import search_words

# Log-odds of a link: weights of the clues in the order of `clues`, and the odds without any. Fitted by
# `benchmarks/links.py` on the links of our own reports, as they stand and with the order of the measures shuffled,
# so that order helps and cannot overrule what the texts say.
WEIGHTS, BIAS = (4.8, 2.7, 2.6, 4.8, 1.6), -7.7
# "No measure given" is an answer: a pair of the best assignment with less than these log-odds is no link, and a measure
# beyond it joins the problem that it fits best only with more.
_ENOUGH, _ENOUGH_TO_JOIN = -1.0, 0.0
_SUREST = 0.98  # not tuned: no link overrules two passages that are each certain of another topic
_MOST_PAIRS = 1_000_000  # of one office and year; our longest reports have some hundreds
_LOWEST = -8.0  # below it one pair is as unlikely as another, and none shall be traded for
Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


def link_measures(passages: Sequence[Passage], tags: Sequence[Tags], vectors: Matrix) -> tuple[Link, ...]:
    """Return the links from problems to the measures that answer them.

    First the best one-to-one assignment of the whole report, then each measure left over joins the problem that it fits
    best; a pair whose score is too low is no link. Passages whose role a ledger has settled are linked there and left out here.
    Rows of a table that are of different departments or years are as far apart as different reports. Where there are more
    pairs than any report has, none is linked.

    Shapes:
        ``vectors`` is ``(n_passages, dims)``, rows of length 1: what the passages say.
    """
    return tuple(starmap(Link, _pairs(passages, tags, vectors, Role.MEASURE)))


def link_causes(passages: Sequence[Passage], tags: Sequence[Tags], vectors: Matrix) -> tuple[Reason, ...]:
    """Return which cause is given for which problem, found as :func:`link_measures` finds measures."""
    return tuple(starmap(Reason, _pairs(passages, tags, vectors, Role.CAUSE)))


def _pairs(
    passages: Sequence[Passage], tags: Sequence[Tags], vectors: Matrix, role: Role
) -> list[tuple[str, str, float]]:
    offices: dict[tuple[str | None, Region, int | None], list[int]] = defaultdict(list)
    for place, passage in enumerate(passages):
        offices[passage.department, passage.region, passage.year].append(place)
    return [
        pair
        for places in offices.values()
        for pair in _pairs_within([passages[i] for i in places], [tags[i] for i in places], vectors[places], role)
    ]


def _pairs_within(
    passages: Sequence[Passage], tags: Sequence[Tags], vectors: Matrix, role: Role
) -> list[tuple[str, str, float]]:
    free = [i for i, passage in enumerate(passages) if passage.role is None]
    problems = [i for i in free if tags[i].role is Role.PROBLEM]
    others = [i for i in free if tags[i].role is role]
    if not 0 < len(problems) * len(others) <= _MOST_PAIRS:
        return []
    scores = clues(passages, tags, vectors, problems, others) @ np.array(WEIGHTS) + BIAS
    return [
        (passages[problems[row]].id, passages[others[column]].id, _chance(scores[row, column]))
        for column, row in sorted(assign(scores).items())
    ]


def _chance(score: float) -> float:
    return round(1 / (1 + math.exp(-score)), 4)


def assign(scores: Floats) -> dict[int, int]:
    """Return, for each measure that answers a problem, which one.

    >>> assign(np.array([[2.0, -3.0, 1.0], [-2.0, -4.0, -2.0]]))
    {0: 0, 2: 0}

    Shapes:
        ``scores`` is ``(n_problems, n_measures)``: log-odds.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 -- half a second, and a search needs none of it

    rows, columns = linear_sum_assignment(-np.maximum(scores, _LOWEST))
    found = {int(c): int(r) for r, c in zip(rows, columns, strict=True) if scores[r, c] > _ENOUGH}
    for column in range(scores.shape[1]):
        best = int(scores[:, column].argmax())
        if column not in found and scores[best, column] > _ENOUGH_TO_JOIN:
            found[column] = best
    return dict(sorted(found.items()))


def clues(
    passages: Sequence[Passage], tags: Sequence[Tags], vectors: Matrix, problems: Sequence[int], measures: Sequence[int]
) -> Floats:
    """Return what speaks for each pair of a problem and a measure: closeness, words, topic, order, neighbourhood.

    Shapes:
        ``(n_problems, n_measures, 5)``.
    """
    found = np.zeros((len(problems), len(measures), 5))
    found[..., 0] = _closeness(vectors, problems, measures)
    found[..., 1] = _shared_words(passages, problems, measures)
    found[..., 2] = [[float(tags[p].primary is tags[m].primary) for m in measures] for p in problems]
    found[..., 3] = _order(found, [passages[m].section for m in measures])
    found[..., 4] = [[float(_follows(tags, p, m)) for m in measures] for p in problems]
    return found


def _closeness(vectors: Matrix, problems: Sequence[int], measures: Sequence[int]) -> Floats:
    """Return tenths of cosine above what problem and measure have with any passage: one office's texts are all alike."""
    usual = (vectors @ vectors.sum(axis=0, dtype=np.float64) - 1) / max(1, len(vectors) - 1)
    cosine = np.asarray(vectors[problems] @ vectors[measures].T, dtype=np.float64)
    above: Floats = cosine - (usual[problems][:, None] + usual[measures][None, :]) / 2
    return 10 * above


def _shared_words(passages: Sequence[Passage], problems: Sequence[int], measures: Sequence[int]) -> Floats:
    """Return tenths of the words' weight that two passages share; a word of many passages of the report weighs little."""
    words = [set(search_words(f"{p.text} {p.lead} {''.join(p.section[-1:])}")) for p in passages]
    counts = Counter(word for own in words for word in own)
    weights = {word: math.log((len(passages) + 1) / (count + 1)) for word, count in counts.items()}
    whole = [sum(weights[word] for word in own) for own in words]
    found = np.zeros((len(problems), len(measures)))
    for row, p in enumerate(problems):
        for column, m in enumerate(measures):
            shared = sum(weights[word] for word in words[p] & words[m])
            found[row, column] = 10 * shared / math.sqrt(whole[p] * whole[m]) if shared else 0.0
    return found


def _order(found: Floats, sections: Sequence[tuple[str, ...]]) -> Floats:
    """Return, where a section has as many measures as there are problems, how far the texts bear out that they keep step."""
    order = np.zeros(found.shape[:2])
    said = found[..., 0] + found[..., 1] / 2 + found[..., 2]
    blocks: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for column, section in enumerate(sections):
        blocks[section].append(column)
    for columns in blocks.values():
        if 1 < len(columns) == len(said):
            rows = range(len(said))
            order[rows, columns] = np.mean([said[:, column].argmax() == row for row, column in enumerate(columns)])
    return order


def _follows(tags: Sequence[Tags], problem: int, measure: int) -> bool:
    """Return whether a measure stands behind a problem with nothing between them but causes."""
    between = tags[problem + 1 : measure]
    return problem < measure and all(tag.role is Role.CAUSE for tag in between)


def share_topics(chances: Floats, pairs: Iterable[tuple[int, int, float]]) -> Floats:
    """Return the probabilities of topics after linked passages have spoken for each other.

    A measure has the topic of the problem that it answers, and so has a cause. What each says of its own topic is evidence
    for the other, as far as the link is sure: Bayes' rule with the chance ``s`` that the pair belongs together, and topics
    that are as common as each other where it does not.

    Args:
        chances: For each passage and topic.
        pairs: The rows of a problem and of a measure or cause, and the score of their link.

    Shapes:
        ``(n_passages, n_topics)``, rows with the sum 1, in and out.

    >>> share_topics(np.array([[0.8, 0.2], [0.4, 0.6]]), [(0, 1, 1.0)]).round(2)
    array([[0.73, 0.27],
           [0.72, 0.28]])
    """
    shared = chances.copy()
    for problem, other, score in pairs:
        for mine, its in ((problem, other), (other, problem)):
            sure = min(score, _SUREST)
            shared[mine] *= sure * chances.shape[1] * chances[its] + 1 - sure
    return np.asarray(shared / shared.sum(axis=1, keepdims=True))


def inherit_topics(passages: Sequence[Passage], tags: Sequence[Tags], settled: Iterable[Link]) -> list[Tags]:
    """Return the tags with each measure of a ledger's row given the topics of the problem that it answers.

    What a cell such as "已完成" is about, only the problem beside it says.
    """
    places = {passage.id: place for place, passage in enumerate(passages)}
    inherited = list(tags)
    for link in settled:
        problem, measure = tags[places[link.problem]], places[link.measure]
        inherited[measure] = replace(tags[measure], primary=problem.primary, topics=problem.topics)
    return inherited
