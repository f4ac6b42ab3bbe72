"""Which measure answers which problem in one report: meaning, topic, order and neighbourhood, weighed together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from nlp.records import Link, Passage, Role, Tags, Topic

# Weights of the evidence and the score from which a measure counts as an answer. Set by hand on our own reports;
# "no measure given" is an answer, so the bar is above what meaning or topic alone can reach.
_MEANING, _TOPIC, _ORDER, _NEXT = 0.5, 0.25, 0.1, 0.25
_ENOUGH = 0.5
_COSINE_FLOOR, _COSINE_TOP = 0.6, 0.95


def link_measures(passages: Sequence[Passage], tags: Sequence[Tags], vectors: NDArray[np.float32]) -> tuple[Link, ...]:
    """Return the links from problems to the measures that answer them.

    First the best one-to-one assignment, then each measure left over joins the problem that it fits best; a pair whose
    score is too low is no link. Passages whose role a ledger has settled are linked there and left out here.

    Shapes:
        ``vectors`` is ``(n_passages, dims)``, rows of length 1.
    """
    free = [i for i, passage in enumerate(passages) if passage.role is None]
    problems = [i for i in free if tags[i].role is Role.PROBLEM]
    measures = [i for i in free if tags[i].role is Role.MEASURE]
    if not problems or not measures:
        return ()
    scores = _scores(problems, measures, tags, vectors)
    rows, columns = linear_sum_assignment(-scores)
    pairs = {int(column): int(row) for row, column in zip(rows, columns, strict=True)}
    for column in range(len(measures)):
        best = int(scores[:, column].argmax())
        row = pairs.get(column, best)
        if scores[row, column] < _ENOUGH:
            row = best
        pairs[column] = row
    return tuple(
        Link(passages[problems[row]].id, passages[measures[column]].id, round(float(scores[row, column]), 4))
        for column, row in sorted(pairs.items())
        if scores[row, column] >= _ENOUGH
    )


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


def _scores(
    problems: Sequence[int], measures: Sequence[int], tags: Sequence[Tags], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    cosine = np.asarray(vectors[list(problems)] @ vectors[list(measures)].T, dtype=np.float64)
    meaning = np.clip((cosine - _COSINE_FLOOR) / (_COSINE_TOP - _COSINE_FLOOR), 0.0, 1.0)
    topic = np.array([[_shared(tags[p], tags[m]) for m in measures] for p in problems])
    order = np.array([[float(i == j) for j in range(len(measures))] for i in range(len(problems))])
    follows = np.array([[float(m == p + 1) for m in measures] for p in problems])
    return np.minimum(1.0, _MEANING * meaning + _TOPIC * topic + _ORDER * order + _NEXT * follows)


def _shared(problem: Tags, measure: Tags) -> float:
    if problem.primary is measure.primary:
        return 1.0 if problem.primary is not Topic.OTHER else 0.5
    other = {topic.label for topic in problem.topics} & {topic.label for topic in measure.topics}
    return 0.5 if other else 0.0
