"""From what words and vectors found to one ranking: fused scores, highlights, facets."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.figures import find_figures
from nlp.records import Labels, Role, StoredPassage
from nlp.words import character_pairs, search_words, synonyms

CANDIDATES = 200
_SHOWN = 20  # values of a facet
# All weights and bounds below were tuned for the default encoder on the queries of corpora/queries (one half, looked at on
# the other).
_KIND = 0.2  # how much of nearness is that of the kind; the rest is that of what is said
# A query of so many words is a whole finding and means every word of it: nearness is that of what is said alone, and passages
# that say much else are further off. Compared on 439 problems of our own reports and 451 of audit tables as queries for the
# measures that answer them.
STATEMENT = 16
_KIND_OF_STATEMENT = 0.0
_WEIGHTS_OF_STATEMENT = (0.45, 0.55, 0.12)
_COSINE_FLOOR = 0.25
_WEIGHTS = (0.5, 0.35, 0.15)  # of nearness, words, and being of the kind that is looked for
_LIKE = 0.6  # what a word that means about the same counts
# Whether anything answers at all is asked of the best candidate: it has to share much of the query's words, or to be so near
# in meaning as the words that stand nowhere in the library and the odds that the query is about something else make necessary.
# What is surely about something else has to share most of its words. Chosen on the texts that these odds are learnt from, each
# judged by what was learnt from others' texts; measured on `corpora/queries/scope_bench.jsonl` by `benchmarks/search.py`.
_MUCH_SHARED, _MOST_SHARED = 0.3, 0.5
_NEAR, _NEAR_FOR_KNOWN, _NEAR_FOR_SCOPE = 0.76, 0.12, 0.03
_ELSEWHERE, _SURE = -1.0, 4.0  # log-odds
_LEAST_NEAR = 0.6  # a hit without a shared word has at least this cosine
# A passage of a few characters ("无。") is near to everything; below this length its nearness counts in proportion,
# and is no evidence without a shared word.
_SHORT = 12
# Two texts that have this much of the longer one's character pairs in common nearly repeat each other.
_SAME = 0.8
# What the words of a question say it looks for; otherwise it looks for problems.
_SOUGHT = (
    (
        Role.MEASURE,
        re.compile(r"怎么(?:办|解决|整改|避免|防止|改|处理|才能|做到)|如何|怎样|办法|措施|对策|做法|整改|举措"),
    ),
    (Role.CAUSE, re.compile(r"为什么|为啥|为何|原因|怎么会|根源")),
    (Role.ACHIEVEMENT, re.compile(r"成效|成绩|见效|经验")),
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate: its key in the store, its fused score and the parts of it."""

    row: int
    score: float
    lexical: float
    semantic: float


@dataclass(frozen=True, slots=True)
class Meant:
    """What a query is about, as the tagger sees it: the chance of each topic and of each subtopic."""

    topics: Mapping[str, float]
    subtopics: Mapping[str, float]


def widened(query: str) -> dict[str, frozenset[str]]:
    """Return the words of a query, each with those that mean about the same.

    >>> {word: bool(others) for word, others in widened("花钱随便").items()}
    {'花钱': True, '随便': False}
    """
    return {word: synonyms(word) for word in search_words(query)}


def coverage(
    query: Mapping[str, frozenset[str]], weights: Mapping[str, float], passages: Mapping[int, frozenset[str]]
) -> dict[int, float]:
    """Return how much of what the query asks each passage says, from 0 to 1: the weight of the words that they share.

    A word that means about the same counts in part. Unlike a BM25 score, this tells a passage that shares all that matters
    from the best of those that share little.

    Args:
        query: Its words, each with those that mean about the same.
        weights: How much each of all these words tells.
        passages: Words by key.

    >>> words = {"资金": frozenset(), "没人用": frozenset({"闲置"})}
    >>> coverage(words, {"资金": 1.0, "闲置": 4.0, "没人用": 7.0}, {7: frozenset({"闲置", "设备"})})
    {7: 0.48}
    """
    # A word whose others count too tells as much as the commonest of them.
    tells = {word: min(weights[each] for each in (word, *others)) for word, others in query.items()}
    whole = sum(tells.values())
    return {
        row: sum(tells[word] * _said(own, word, others) for word, others in query.items()) / whole if whole else 0.0
        for row, own in passages.items()
    }


def agreement(
    query: Collection[str], weights: Mapping[str, float], passages: Mapping[int, frozenset[str]]
) -> dict[int, float]:
    """Return how far the words of a whole finding and of each passage agree, from 0 to 1.

    The weight of the words that they share over the geometric mean of both weights.

    >>> agreement(["设备", "闲置"], {"设备": 1.0, "闲置": 3.0, "采购": 12.0}, {7: frozenset({"闲置", "设备", "采购"})})
    {7: 0.5}
    """
    whole = sum(weights[word] for word in query)
    found = {}
    for row, own in passages.items():
        both = sum(weights[word] for word in query if word in own)
        found[row] = both / math.sqrt(whole * sum(weights[word] for word in own)) if both else 0.0
    return found


def _said(own: frozenset[str], word: str, others: frozenset[str]) -> float:
    return 1.0 if word in own else _LIKE if others & own else 0.0


def weighed(vector: NDArray[np.float32], kind_dims: int, kind_share: float, *, statement: bool) -> NDArray[np.float32]:
    """Return a query's vector so that its product with a passage's weighs the kind as search needs it, and not as it is stored.

    Args:
        vector: The query's.
        kind_dims: How many of its last columns tell the kind.
        kind_share: How much these count in it.
        statement: Whether the query is a whole finding.
    """
    if not kind_dims:
        return vector
    said, kind = vector[:-kind_dims], vector[-kind_dims:]
    share = _KIND_OF_STATEMENT if statement else _KIND
    weights = ((1 - share) / (1 - kind_share), share / kind_share)
    return np.concatenate([said * weights[0], kind * weights[1]], dtype=np.float32)


def sought_role(query: str) -> Role:
    """Return the role of the passages that a query looks for.

    >>> sought_role("怎样避免年底突击花钱").value, sought_role("年底突击花钱").value
    ('measure', 'problem')
    """
    return next((role for role, pattern in _SOUGHT if pattern.search(query)), Role.PROBLEM)


def fitting(labels: Sequence[Labels], meant: Meant, role: Role) -> dict[int, float]:
    """Return how far passages are of the kind that is looked for, from 0 to 1 by key: topic, subtopic and role in equal parts."""
    return {
        item.row: (
            meant.topics.get(item.topic or "", 0.0)
            + meant.subtopics.get(item.subtopic or "", 0.0)
            + (item.role == role)
        )
        / 3
        for item in labels
    }


def has_answer(
    query: Mapping[str, frozenset[str]], known: Container[str], candidates: Iterable[Scored], odds: float
) -> bool:
    """Return whether anything answers a query: whether its best candidate shares much of its words or is near enough.

    Args:
        query: Its words, each with those that mean about the same.
        known: Words that stand anywhere in the library.
        candidates: What was found.
        odds: Log-odds that the query is about what reports are about; 0 where nothing is known of that.
    """
    found = [word in known or any(other in known for other in others) for word, others in query.items()]
    near = _NEAR - _NEAR_FOR_KNOWN * (sum(found) / len(found) if found else 0.0)
    near -= _NEAR_FOR_SCOPE * max(-_SURE, min(odds, _SURE))
    shared = _MUCH_SHARED if odds > _ELSEWHERE else _MOST_SHARED
    return any(item.lexical >= shared or (odds > _ELSEWHERE and item.semantic >= near) for item in candidates)


def fuse(
    lexical: Mapping[int, float],
    semantic: Mapping[int, float],
    fits: Mapping[int, float] | None = None,
    lengths: Mapping[int, int] | None = None,
    *,
    statement: bool = False,
) -> list[Scored]:
    """Return candidates by fused score, best first; those without evidence are left out.

    Args:
        lexical: Share of the query's words by key, from 0 to 1.
        semantic: Cosine by key.
        fits: How far passages are of the kind that is looked for, from 0 to 1.
        lengths: Characters of the passages, where they are short.
        statement: Whether the query is a whole finding.

    >>> [(c.row, round(c.score, 2)) for c in fuse({1: 1.0, 2: 0.25}, {1: 0.93, 3: 0.5})]
    [(1, 0.8), (2, 0.09)]
    """
    for_meaning, for_words, for_kind = _WEIGHTS_OF_STATEMENT if statement else _WEIGHTS
    scored = []
    for row in lexical.keys() | semantic.keys():
        length = (lengths or {}).get(row, _SHORT)
        cosine, words = semantic.get(row, 0.0), lexical.get(row, 0.0)
        meaning = max(0.0, (cosine - _COSINE_FLOOR) / (1 - _COSINE_FLOOR))
        if words > 0 or (cosine >= _LEAST_NEAR and length >= _SHORT):
            score = for_meaning * meaning + for_words * words + for_kind * (fits or {}).get(row, 0.0)
            scored.append(Scored(row, min(1.0, score) * min(1.0, length / _SHORT), words, cosine * (length >= _SHORT)))
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


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the spans of a text's sentences.

    >>> sentence_spans("资产闲置。账实不符；未盘点")
    [(0, 5), (5, 10), (10, 13)]
    """
    return [match.span() for match in re.finditer(r"[^。；！？]+[。；！？]*", text)]


def fold(texts: Sequence[str], count: int) -> list[list[int]]:
    """Return the places of the first texts that differ from each other, each with those that nearly repeat it.

    Figures make no difference: last year's sentence with this year's amounts is the same sentence.

    >>> fold(["盘点资产3次。", "盘点资产12次！", "指标笼统", "盘点资产次"], 2)
    [[0, 1, 3], [2]]
    """
    groups: list[list[int]] = []
    heads: list[frozenset[str]] = []
    having: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        pairs = character_pairs(text)
        # Sets that have so much in common share one of so many of their first elements, in whatever order.
        first = sorted(pairs)[: len(pairs) - int(_SAME * len(pairs)) + 1]
        near = sorted({i for pair in first for i in having.get(pair, ())})
        alike = next((i for i in near if len(pairs & heads[i]) >= _SAME * max(len(pairs), len(heads[i]))), None)
        if alike is not None:
            groups[alike].append(place)
        elif len(groups) < count:
            for pair in first:
                having[pair].append(len(groups))
            groups.append([place])
            heads.append(pairs)
    return groups


def differences(own: StoredPassage, other: StoredPassage) -> dict[str, tuple[str, str]]:
    """Return in what a passage that says the same differs from another: department, region, year, figures."""
    mine, its = _said_of(own), _said_of(other)
    found = {name: (mine[name], value) for name, value in its.items()}
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def _said_of(found: StoredPassage) -> dict[str, str]:
    passage, region = found.passage, found.report.identity.region
    return {
        "department": passage.department or "",
        "region": "".join(part for part in (region.province, region.city, region.county) if part),
        "year": str(passage.year or ""),
        "figures": "、".join(figure.text for figure in find_figures(passage.text)),
    }


def facets(labels: Sequence[Labels]) -> dict[str, dict[str, int]]:
    """Return how many passages have which role, topic, year and department, the most frequent first."""
    return {
        name: dict(
            Counter(str(getattr(item, name)) for item in labels if getattr(item, name) is not None).most_common(_SHOWN)
        )
        for name in ("role", "topic", "year", "department")
    }
