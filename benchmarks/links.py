"""Links between problems and measures: how well they are found in our own reports, and what each clue weighs.

``make bench-links`` fits the weights of ``nlp/linker.py`` anew, scores them by cross-validation over departments, and scores
the linker that the project has on whole files, as they are read and tagged. It writes ``benchmarks/links.json``.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from gold import named, plain, read_golds
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from where import ROOT, where

from nlp.analyst import Analyst, TaggedReport
from nlp.linker import assign, clues
from nlp.records import Passage, Role
from nlp.tagger import Sample, core

RESULT = ROOT / "benchmarks" / "links.json"
FOLDS = 5
HOWS = ("as printed", "measures shuffled", "a third gone")


@dataclass(frozen=True)
class Case:
    """The pairs of one report: what speaks for each, and which are linked in the gold."""

    department: str
    clues: NDArray[np.float64]
    linked: NDArray[np.bool_]


def read_case(gold: dict[str, Any], analyst: Analyst, how: str) -> Case | None:
    """Return a report's pairs by its gold passages and roles: as printed, measures shuffled, or a third of them gone."""
    chance = random.Random(gold["id"])  # noqa: S311 -- a shuffle, no secret
    items = gold["passages"]
    if how == "a third gone":
        items = [item for item in items if item["role"] != "measure" or chance.random() > 1 / 3]
    if how == "measures shuffled":
        items = [*items]
        places = [i for i, item in enumerate(items) if item["role"] == "measure"]
        drawn = [items[i] for i in places]
        sections = [items[i]["section"] for i in places]
        chance.shuffle(drawn)
        for place, item, section in zip(places, drawn, sections, strict=True):
            items[place] = {**item, "section": section}
    passages = [Passage(i["id"], i["text"], 0, 0, tuple(i["section"]), i["lead"]) for i in items]
    vectors = analyst.encoder.encode([core(passage.text) for passage in passages])
    samples = [Sample(i["text"], (*i["section"], i["lead"]), Role(i["role"])) for i in items]
    tags = analyst.tagger.predict(samples, vectors)  # the role is given, the topic is the tagger's
    problems = [i for i, tag in enumerate(tags) if tag.role is Role.PROBLEM]
    measures = [i for i, tag in enumerate(tags) if tag.role is Role.MEASURE]
    if not problems or not measures:
        return None
    links = {(link["problem"], link["measure"]) for link in gold["links"]}
    linked = np.array([[(passages[p].id, passages[m].id) in links for m in measures] for p in problems])
    return Case(str(gold["department"]), clues(passages, tags, analyst.content(vectors), problems, measures), linked)


def fit(cases: list[Case]) -> LogisticRegression:
    """Return a regression over all pairs of some reports."""
    features = np.concatenate([case.clues.reshape(-1, case.clues.shape[-1]) for case in cases])
    return LogisticRegression(max_iter=2000).fit(features, np.concatenate([case.linked.ravel() for case in cases]))


def hits(found: set[Any], wanted: set[Any]) -> NDArray[np.int64]:
    """Return how many are right, wrong and missed."""
    return np.array([len(found & wanted), len(found - wanted), len(wanted - found)])


def f1(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return precision, recall and F1."""
    right, wrong, missed = (int(count) for count in counts)
    scores = {"precision": right / (right + wrong), "recall": right / (right + missed)}
    return {name: round(value, 4) for name, value in {**scores, "f1": 2 * right / (2 * right + wrong + missed)}.items()}


def cross_validated(cases: dict[str, list[Case]]) -> dict[str, dict[str, float]]:
    """Return scores on reports of departments that the weights were not fitted on."""
    counts = {how: np.zeros(3, dtype=np.int64) for how in cases}
    every = [case.department for own in cases.values() for case in own]
    for train, _ in GroupKFold(FOLDS, shuffle=True, random_state=0).split(every, groups=every):
        known = {every[i] for i in train}
        model = fit([case for own in cases.values() for case in own if case.department in known])
        for name, own in cases.items():
            for case in (case for case in own if case.department not in known):
                scores = model.decision_function(case.clues.reshape(-1, case.clues.shape[-1])).reshape(
                    case.linked.shape
                )
                pairs = {(row, column) for column, row in assign(scores).items()}
                counts[name] += hits(pairs, {(int(row), int(column)) for row, column in np.argwhere(case.linked)})
    return {name: f1(count) for name, count in counts.items()}


def whole_path(analyst: Analyst) -> dict[str, float]:
    """Return the scores of whole files: read, tagged and linked by the program, texts matched with the gold's."""
    counts = np.zeros(3, dtype=np.int64)
    for gold in read_golds():
        (seen,) = (item for item in analyst.inspect(ROOT / "corpora" / gold["file"]) if isinstance(item, TaggedReport))
        names = {plain(item["text"]): item["id"] for item in gold["passages"]}
        known = {passage.id: named(passage.text, names) or passage.id for passage in seen.report.passages}
        found = {(known[link.problem], known[link.measure]) for link in seen.report.links}
        counts += hits(found, {(link["problem"], link["measure"]) for link in gold["links"]})
    return f1(counts)


def main() -> None:
    """Fit, score and write."""
    analyst = Analyst()
    golds = read_golds()
    cases = {how: [case for gold in golds if (case := read_case(gold, analyst, how))] for how in HOWS}
    model = fit([case for own in cases.values() for case in own])
    result = {
        **where("scikit-learn", "scipy", "torch"),
        "reports": len(golds),
        "links": sum(len(gold["links"]) for gold in golds),
        "weights": [round(float(weight), 2) for weight in (*model.coef_[0], *model.intercept_)],
        "cross-validated": cross_validated(cases),
        "whole path": whole_path(analyst),
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
