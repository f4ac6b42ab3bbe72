"""Contradictions planted in our own reports: how many are found, and what else is called one.

``python benchmarks/checks.py`` reads every gold report's file, checks it, prints the scores and writes
``benchmarks/checks.json``. A planted contradiction is found if a discrepancy of its kind quotes text that overlaps with it;
whatever finds none is a false alarm. The checks were developed on every other file (``developed on``); the rest was only
measured (``held out``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from where import ROOT, where

from nlp.checks import check_report
from nlp.reading import read_report
from nlp.records import Discrepancy, Report

RESULT = ROOT / "benchmarks" / "checks.json"
GOLD = ROOT / "corpora" / "gold"
Span = tuple[int, int]


@dataclass(frozen=True)
class Scored:
    """What the checks said of one report: kinds planted, kinds found, and the alarms that meet nothing planted."""

    name: str
    planted: tuple[str, ...]
    found: tuple[str, ...]
    false: tuple[Discrepancy, ...]


def score(name: str, report: Report, planted: Sequence[dict[str, Any]]) -> Scored:
    """Return how a report's discrepancies meet what was planted in it."""
    told = check_report(report)
    found: list[str] = []
    right: set[Discrepancy] = set()
    for item in planted:
        spans = [span for quote in item["quotes"] for span in places(report.text, quote)]
        if not spans:
            message = f"{name}：报告文本里应有植入的“{item['quotes'][0]}”，没有找到；请核对 corpora/gold"
            raise ValueError(message)
        hits = [one for one in told if one.kind == item["kind"] and _meets(one, spans)]
        right.update(hits)
        found += [item["kind"]] if hits else []
    return Scored(name, tuple(item["kind"] for item in planted), tuple(found), tuple(d for d in told if d not in right))


def places(text: str, quote: str) -> Iterator[Span]:
    """Yield where a quote stands in a text, whatever white space is in either."""
    solid = [place for place, sign in enumerate(text) if not sign.isspace()]
    joined, wanted = "".join(text[place] for place in solid), "".join(quote.split())
    at = joined.find(wanted)
    while at >= 0:
        yield solid[at], solid[at + len(wanted) - 1] + 1
        at = joined.find(wanted, at + 1)


def _meets(item: Discrepancy, spans: Iterable[Span]) -> bool:
    return any(start < right and left < start + len(text) for _, text, start in item.quotes for left, right in spans)


def summary(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return recall over all and by kind, and false alarms per report."""
    planted = Counter(kind for one in scored for kind in one.planted)
    found = Counter(kind for one in scored for kind in one.found)
    false = sum(len(one.false) for one in scored)
    return {
        "reports": len(scored),
        "planted": planted.total(),
        "recall": round(found.total() / planted.total(), 4),
        "by kind": {kind: f"{found[kind]}/{count}" for kind, count in sorted(planted.items())},
        "false alarms": false,
        "false alarms per report": round(false / len(scored), 4),
    }


def read_gold() -> list[Scored]:
    """Return the scores of every gold report, in the order of their names."""
    scored = []
    for path in sorted(GOLD.glob("*.json")):
        gold = json.loads(path.read_text("utf-8"))
        file = ROOT / "corpora" / gold["file"]
        scored.append(score(path.stem, read_report(file.read_bytes(), str(file)), gold["planted"]))
    return scored


def main() -> None:
    """Score and write."""
    scored = read_gold()
    result = {
        **where(),
        "all": summary(scored),
        "developed on": summary(scored[::2]),
        "held out": summary(scored[1::2]),
        "false alarms": [
            {
                "report": one.name,
                "kind": item.kind,
                "message": item.message,
                "quotes": [text for _, text, _ in item.quotes],
            }
            for one in scored
            for item in one.false
        ],
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
