"""Recurrence: how well problems that come back are found in our own reports, and what each clue weighs.

``make bench-recurrence`` fits the weights of ``nlp/recurrence.py`` anew on the gold passages, scores them by cross-validation over
departments, and scores the library on whole files, as they are read, tagged and compared. It writes
``benchmarks/recurrence.json``.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from gold import named, plain, read_golds
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from where import ROOT, where

from nlp import Library
from nlp.analyst import Analyst
from nlp.linker import link_measures
from nlp.records import Passage, Role
from nlp.recurrence import Account, clues, trace
from nlp.tagger import Sample, core
from nlp.words import search_words

RESULT = ROOT / "benchmarks" / "recurrence.json"
FOLDS = 8
_STRENGTH = 1.0  # of the regression: the clues are on different scales
LIMITS = (-1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0)


@dataclass(frozen=True)
class Year:
    """What a report says by its gold: its problems, where each came from, and all words."""

    id: str
    department: str
    year: int
    account: Account
    names: tuple[str, ...]
    origins: tuple[str | None, ...]
    every: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Office:
    """The years of one department, what speaks for each pair of problems, and which pairs are one in the gold."""

    years: tuple[Year, ...]
    clues: dict[tuple[int, int], NDArray[np.float64]]
    same: dict[tuple[int, int], NDArray[np.bool_]]


def read_year(gold: dict[str, Any], analyst: Analyst) -> Year:
    """Return a report's problems by its gold passages and roles; topics and links are the program's."""
    items = gold["passages"]
    passages = [Passage(i["id"], i["text"], 0, 0, tuple(i["section"]), i["lead"]) for i in items]
    vectors = analyst.encoder.encode([core(passage.text) for passage in passages])
    samples = [Sample(i["text"], (*i["section"], i["lead"]), Role(i["role"])) for i in items]
    tags = analyst.tagger.predict(samples, vectors)
    content, kinds = analyst.content(vectors), analyst.kinds(vectors)
    places = {passage.id: place for place, passage in enumerate(passages)}
    answers = defaultdict(list)
    for link in link_measures(passages, tags, content):
        answers[places[link.problem]].append(places[link.measure])
    chosen = [i for i, tag in enumerate(tags) if tag.role is Role.PROBLEM]
    words = tuple(frozenset(search_words(i["text"])) for i in items)
    account = Account(
        tuple(items[i]["text"] for i in chosen),
        tuple(words[i] for i in chosen),
        tuple(tags[i] for i in chosen),
        content[chosen],
        kinds[chosen],
        tuple(content[answers[i]] for i in chosen),
        content.mean(axis=0),
    )
    names = tuple(f"{gold['id']}#{items[i]['id']}" for i in chosen)
    origins = tuple(items[i]["repeats"] or items[i]["copies"] for i in chosen)  # what is copied is reported again
    return Year(gold["id"], gold["department"], int(gold["year"]), account, names, origins, words)


def first(name: str, origins: dict[str, str | None]) -> str:
    """Return where a problem first stood."""
    while (before := origins.get(name)) is not None:
        name = before
    return name


def offices(years: list[Year]) -> list[Office]:
    """Return the departments that have several years."""
    counts = Counter(word for year in years for own in year.every for word in own)
    total = sum(len(year.every) for year in years)
    weights = {word: math.log(1 + (total - count + 0.5) / (count + 0.5)) for word, count in counts.items()}
    origins = {name: origin for year in years for name, origin in zip(year.names, year.origins, strict=True)}
    by_department: dict[str, list[Year]] = defaultdict(list)
    for year in sorted(years, key=lambda year: year.year):
        by_department[year.department].append(year)
    found = []
    for own in by_department.values():
        pairs = [(a, b) for a, b in combinations(range(len(own)), 2) if own[a].year < own[b].year]
        if pairs:
            roots = [[first(name, origins) for name in year.names] for year in own]
            same = {(a, b): np.array([[x == y for y in roots[b]] for x in roots[a]]) for a, b in pairs}
            found.append(
                Office(tuple(own), {(a, b): clues(own[a].account, own[b].account, weights) for a, b in pairs}, same)
            )
    return found


def fit(some: list[Office]) -> LogisticRegression:
    """Return a regression over all pairs of problems of some departments."""
    features = np.concatenate([c.reshape(-1, c.shape[-1]) for office in some for c in office.clues.values()])
    return LogisticRegression(C=_STRENGTH, max_iter=3000).fit(
        features, np.concatenate([same.ravel() for office in some for same in office.same.values()])
    )


def counted(office: Office, scores: dict[tuple[int, int], NDArray[np.float64]], limit: float) -> NDArray[np.int64]:
    """Return how many of the later problems are rightly, wrongly and not traced back."""
    threads = trace([len(year.names) for year in office.years], scores, limit)
    before = {place: thread.places[:at] for thread in threads for at, place in enumerate(thread.places)}
    counts = np.zeros(3, dtype=np.int64)
    for later in range(1, len(office.years)):
        for number in range(len(office.years[later].names)):
            true = {
                (a, int(x))
                for (a, b), same in office.same.items()
                if b == later
                for x in np.flatnonzero(same[:, number])
            }
            told = before[later, number]
            right = bool(told) and bool(true & set(told))
            counts += np.array([right, bool(told) and not right, bool(true) and not right])
    return counts


def scores_of(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return precision and recall."""
    right, wrong, missed = (int(count) for count in counts)
    return {"precision": round(right / (right + wrong), 4), "recall": round(right / (right + missed), 4)}


def cross_validated(some: list[Office]) -> dict[str, dict[str, float]]:
    """Return scores by limit, on departments that the weights were not fitted on."""
    counts = {limit: np.zeros(3, dtype=np.int64) for limit in LIMITS}
    names = [office.years[0].department for office in some]
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(names, groups=names):
        model = fit([some[i] for i in train])
        for i in test:
            scores = {
                pair: model.decision_function(c.reshape(-1, c.shape[-1])).reshape(c.shape[:2])
                for pair, c in some[i].clues.items()
            }
            for limit in LIMITS:
                counts[limit] += counted(some[i], scores, limit)
    return {str(limit): scores_of(count) for limit, count in counts.items()}


def whole_path(years: list[Year]) -> dict[str, float]:
    """Return the scores of a library of whole files; what it says is matched with the gold by the texts."""
    origins = {name: origin for year in years for name, origin in zip(year.names, year.origins, strict=True)}
    names: dict[tuple[str, int], dict[str, str]] = {}
    for year in years:
        texts = {plain(text): name for name, text in zip(year.names, year.account.texts, strict=True)}
        names[year.department, year.year] = texts
    later = {name for name in origins if first(name, origins) != name}
    with tempfile.TemporaryDirectory() as folder, Library.open(folder) as library:
        library.ingest(ROOT / "corpora" / "reports")
        chains = library.recur().chains
    right = wrong = 0
    for chain in chains:
        told = []
        for found in chain.problems:
            own = names.get((found.passage.department or "", found.passage.year or 0), {})
            name = named(found.passage.text, own)
            told.append(first(name, origins) if name else None)
        for at in range(1, len(told)):
            is_right = told[at] is not None and told[at] in told[:at]
            right, wrong = right + is_right, wrong + (not is_right)
    return scores_of(np.array([right, wrong, len(later) - right]))


def main() -> None:
    """Fit, score and write."""
    analyst = Analyst()
    years = [read_year(gold, analyst) for gold in read_golds() if gold["year"]]
    some = offices(years)
    model = fit(some)
    result = {
        **where("scikit-learn", "scipy", "torch"),
        "departments": len(some),
        "recurring": sum(origin is not None for year in years for origin in year.origins),
        "weights": [round(float(weight), 2) for weight in (*model.coef_[0], *model.intercept_)],
        "cross-validated, by limit": cross_validated(some),
        "whole path": whole_path(years),
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
