"""From what words and vectors found to one ranking: fused scores, highlights, facets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nlp.records import StoredPassage, Topic
from nlp.words import search_words

CANDIDATES = 200
# The cosine at which two Chinese texts of this field begin to have something in common, and at which they say the same,
# for the default encoder; read off random and matching pairs of our own labelled passages.
_COSINE_FLOOR, _COSINE_TOP = 0.68, 0.95
_SEMANTIC, _LEXICAL, _TOPIC = 0.45, 0.4, 0.15
# A hit without a shared word has to be near in meaning to be evidence at all: a cosine of 0.70. On our demo reports
# most questions about something else stay below it (not all: the default encoder is small), colloquial ones about the
# field reach 0.70 to 0.77.
_LEAST_SEMANTIC = 0.07
# A passage of a few characters ("无。") is near to everything; below this length its nearness counts in proportion,
# and is no evidence without a shared word.
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate: its key in the store, its fused score and the parts of it."""

    row: int
    score: float
    lexical: float
    semantic: float


def coverage(
    query: Iterable[str], weights: Mapping[str, float], passages: Mapping[int, frozenset[str]]
) -> dict[int, float]:
    """Return how much of what the query asks each passage says, from 0 to 1: the weight of the words that they share.

    Unlike a BM25 score, this tells a passage that shares all that matters from the best of those that share little.

    >>> coverage(["资金", "闲置"], {"资金": 1.0, "闲置": 3.0}, {7: frozenset({"闲置", "设备"})})
    {7: 0.75}
    """
    words = set(query)
    whole = sum(weights[word] for word in words)
    return {row: sum(weights[word] for word in words & own) / whole if whole else 0.0 for row, own in passages.items()}


def fuse(
    lexical: Mapping[int, float],
    semantic: Mapping[int, float],
    same_topic: Collection[int] = (),
    lengths: Mapping[int, int] | None = None,
) -> list[Scored]:
    """Return candidates by fused score, best first; those without evidence are left out.

    Args:
        lexical: Share of the query's words by key, from 0 to 1.
        semantic: Cosine by key.
        same_topic: Keys of passages with the topic that the query seems to ask for.
        lengths: Characters of the passages, where they are short.

    >>> [(c.row, round(c.score, 2)) for c in fuse({1: 1.0, 2: 0.25}, {1: 0.95, 3: 0.5})]
    [(1, 0.85), (2, 0.1)]
    """
    scored = []
    for row in lexical.keys() | semantic.keys():
        cosine = semantic.get(row, 0.0)
        meaning = min(1.0, max(0.0, (cosine - _COSINE_FLOOR) / (_COSINE_TOP - _COSINE_FLOOR)))
        length = (lengths or {}).get(row, _SHORT)
        meaning *= min(1.0, length / _SHORT)
        words = lexical.get(row, 0.0)
        if words > 0 or (meaning >= _LEAST_SEMANTIC and length >= _SHORT):
            score = _LEXICAL * words + _SEMANTIC * meaning + _TOPIC * (row in same_topic)
            scored.append(Scored(row, score, words, cosine))
    return sorted(scored, key=lambda item: (-item.score, item.row))


def highlight(text: str, query: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of ``text`` where words of the query stand, in order, touching ones as one.

    >>> highlight("支出进度偏慢，进度滞后", "支出进度")
    ((0, 4), (7, 9))
    """
    spans = sorted(
        (match.start(), match.end())
        for word in set(search_words(query))
        for match in re.finditer(re.escape(word), text, re.IGNORECASE)
    )
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def facets(found: Sequence[StoredPassage]) -> dict[str, dict[str, int]]:
    """Return how many passages have which topic, year and department, the most frequent first."""
    values = {
        "topic": [_name(item.tags.primary) for item in found],
        "year": [_name(item.passage.year) for item in found],
        "department": [_name(item.passage.department) for item in found],
    }
    return {name: dict(Counter(value for value in column if value).most_common(20)) for name, column in values.items()}


def _name(value: Topic | int | str | None) -> str:
    return "" if value is None else str(value)
