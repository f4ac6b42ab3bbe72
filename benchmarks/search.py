"""Search side by side: the same queries over the same passages, ours and others.

``make bench-search`` writes ``benchmarks/search.json`` with machine, commit and versions, and prints a table. Queries and
judgements are in ``corpora/queries``; what is searched are the project's demo reports. Rankings are compared by text: a text
that stands in several reports counts once, for everybody. Intervals are 95 % by resampling queries in pairs.

``--pool FILE`` writes, for each query, what any engine found and nobody has judged yet, in random order.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from where import ROOT, where

from nlp import Library
from nlp.corpus import read_scope
from nlp.encoder import open_encoder
from nlp.records import Filters, Kind, Level, Role, StoredPassage, Topic

QUERIES = ROOT / "corpora" / "queries"
RESULT = ROOT / "benchmarks" / "search.json"
OURS = "jixiao"
TOP, DEPTH, ROUNDS = 10, 10, 2000
PAIR = ("id", "department", "year", "problem", "measure")
Row = dict[str, Any]


def text_key(text: str) -> str:
    """Return what a judged text is known by."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_queries() -> list[Row]:
    """Return the queries with their filters as :class:`nlp.records.Filters` takes them."""
    queries = []
    for path in sorted(QUERIES.glob("bench_*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            query = json.loads(line)
            filters = dict(query["filters"])
            if "year" in filters:
                first, _, last = str(filters.pop("year")).partition("..")
                filters["years"] = [int(first), int(last or first)]
            queries.append({**query, "filters": filters})
    return queries


def read_judgements() -> dict[str, dict[str, int]]:
    """Return the grades (0, 1 or 2) by query and text."""
    judged: dict[str, dict[str, int]] = {}
    path = QUERIES / "judgements.tsv"
    for line in path.read_text("utf-8").splitlines()[1:] if path.exists() else ():
        query, text, grade = line.split("\t")
        judged.setdefault(query, {})[text] = int(grade)
    return judged


def as_filters(filters: Row) -> Filters:
    """Return a query's filters as the library takes them."""
    kinds = {"level": Level, "kind": Kind, "role": Role, "topic": Topic, "years": tuple}
    return Filters(**{name: kinds.get(name, str)(value) for name, value in filters.items()})


def as_row(found: StoredPassage) -> Row:
    """Return a passage as the peers get it."""
    identity, tags = found.report.identity, found.tags
    region = identity.region
    return {
        "id": found.passage.id,
        "text": found.passage.text,
        "department": found.passage.department or identity.department or "",
        "region": "/".join(part or "" for part in (region.province, region.city, region.county)),
        "level": identity.level or "",
        "year": found.passage.year or identity.year,
        "kind": identity.kind or "",
        "role": tags.role,
        "topic": "/".join(topic.label for topic in tags.topics),
        "section": [*found.passage.section, found.passage.lead],
    }


def ours(library: Library, queries: list[Row]) -> tuple[dict[str, list[str]], float]:
    """Return our ranking for each query, and the median seconds of a search in a warm process."""
    found, seconds = {}, []
    library.search("预热")
    for query in queries:
        began = time.perf_counter()
        result = library.search(query["text"], filters=as_filters(query["filters"]), top=30)
        seconds.append(time.perf_counter() - began)
        found[query["id"]] = [hit.found.passage.id for hit in result.hits]
    return found, statistics.median(seconds)


def peers(python: Path, passages: list[Row], queries: list[Row], folder: Path) -> Row:
    """Run the peers in their own environment."""
    wanted = ("id", "text", "filters")
    task = {
        "passages": passages,
        "queries": [{name: query[name] for name in wanted} for query in queries],
        "encoder": str(open_encoder(adapted=False).folder),
    }
    (folder / "task.json").write_text(json.dumps(task, ensure_ascii=False), "utf-8")
    script = Path(__file__).with_name("search_peers.py")
    subprocess.run([python, script, folder / "task.json", folder / "answer.json"], check=True)
    answer: Row = json.loads((folder / "answer.json").read_text("utf-8"))
    return answer


# ----------------------------------------------------------------------------------------------------------------- scores


def score(ranking: list[str], grades: dict[str, int]) -> dict[str, float]:
    """Return nDCG@10 (gain = grade), recall@10 of what is relevant (at most 10), and the reciprocal rank.

    Source:
        Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002.
    """
    gains = [grades.get(text, 0) for text in ranking[:TOP]]
    ideal = sorted(grades.values(), reverse=True)[:TOP]
    relevant = sum(grade > 0 for grade in grades.values())
    first = next((rank for rank, gain in enumerate(gains, 1) if gain), None)
    return {
        "ndcg": _gain(gains) / _gain(ideal),
        "recall": sum(gain > 0 for gain in gains) / min(TOP, relevant),
        "mrr": 1 / first if first else 0.0,
    }


def _gain(grades: list[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def interval(values: np.ndarray) -> list[float]:
    """Return the 95 % interval of the mean by resampling."""
    chance = np.random.default_rng(0)
    means = values[chance.integers(0, len(values), (ROUNDS, len(values)))].mean(axis=1)
    return [round(float(bound), 4) for bound in np.quantile(means, (0.025, 0.975))]


def compare(
    rankings: dict[str, dict[str, list[str]]], queries: list[Row], judged: dict[str, dict[str, int]]
) -> list[Row]:
    """Return a row for each engine: means over the queries that have an answer, and how far ours is ahead."""
    asked = [query for query in queries if any(judged.get(query["id"], {}).values())]
    scores = {
        name: [score(found[query["id"]], judged[query["id"]]) for query in asked] for name, found in rankings.items()
    }
    spoken = np.array([query["style"] == "colloquial" for query in asked])
    filtered = [bool(query["filters"]) for query in asked]
    rows = []
    for name, values in scores.items():
        ndcg = np.array([value["ndcg"] for value in values])
        ahead = np.array([value["ndcg"] for value in scores[OURS]]) - ndcg
        found = [rankings[name][query["id"]] for query in asked]
        rows.append(
            {
                "name": name,
                "ndcg@10": round(float(ndcg.mean()), 4),
                "recall@10": round(statistics.mean(value["recall"] for value in values), 4),
                "mrr": round(statistics.mean(value["mrr"] for value in values), 4),
                "ndcg@10 colloquial": round(float(ndcg[spoken].mean()), 4),
                "ndcg@10 by style": {
                    style: round(float(ndcg[[query["style"] == style for query in asked]].mean()), 4)
                    for style in sorted({query["style"] for query in asked})
                },
                "empty under filters": sum(not texts and narrow for texts, narrow in zip(found, filtered, strict=True)),
                "unjudged in the first ten": sum(
                    text not in judged[query["id"]]
                    for query, texts in zip(asked, found, strict=True)
                    for text in texts[:TOP]
                ),
                "ours ahead": [round(float(ahead.mean()), 4), *interval(ahead)],
                "ours ahead, colloquial": [round(float(ahead[spoken].mean()), 4), *interval(ahead[spoken])],
            }
        )
    return rows


# ------------------------------------------------------------------------------- rows of audit tables, and no answer at all


def read_pairs() -> list[Row]:
    """Return the rows of audit tables."""
    paths = sorted(QUERIES.glob("ledger_pairs_*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def find_measures(python: Path | None, folder: Path) -> list[Row]:
    """Return, for each engine, how high it puts a problem's own measure among the measures of all rows."""
    rows = read_pairs()
    table = folder / "整改台账.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["编号", "部门", "年度", "问题", "整改情况"], *([row[name] for name in PAIR] for row in rows)]
        )
    queries = [{"id": row["id"], "text": row["problem"], "filters": {}} for row in rows]
    with Library.open(folder / "ledger") as library:
        library.ingest(table)
        every = [found for card in library.info().cards for found in library.passages_of(card.id)]
        measures = [as_row(found) for found in every if found.tags.role is Role.MEASURE]
        found = {OURS: ours(library, [{**query, "filters": {"role": "measure"}} for query in queries])[0]}
    if python:
        answer = peers(python, measures, queries, folder)
        found |= {name: engine["found"] for name, engine in answer["engines"].items()}
    texts = {measure["id"]: measure["text"] for measure in measures}
    wanted = {row["id"]: row["measure"] for row in rows}
    return [
        {
            "name": name,
            **_mean(
                "mrr", np.array([_reciprocal([texts[i] for i in ids], wanted[key]) for key, ids in engine.items()])
            ),
        }
        for name, engine in found.items()
    ]


def _reciprocal(ranking: list[str], wanted: str) -> float:
    return 1 / (ranking.index(wanted) + 1) if wanted in ranking else 0.0


def _mean(name: str, values: np.ndarray) -> Row:
    return {name: round(float(values.mean()), 4), "interval": interval(values)}


def answered(library: Library) -> Row:
    """Return for which share of texts inside and outside of what reports are about something is found."""
    found: dict[bool, list[bool]] = {True: [], False: []}
    for text, inside in read_scope([QUERIES / "scope_bench.jsonl"]):
        found[inside].append(bool(library.search(text).hits))
    return {
        "inside": _mean("answered", np.array(found[True], dtype=float)),
        "outside": _mean("answered", np.array(found[False], dtype=float)),
    }


def write_pool(path: Path, queries: list[Row], rankings: Row, judged: Row, texts: dict[str, Row]) -> None:
    """Write what is to be judged: no engine's name, in random order."""
    chance = random.Random(0)  # noqa: S311 -- a shuffle, no secret
    lines = []
    for query in queries:
        pool = {text for found in rankings.values() for text in found[query["id"]][:DEPTH]}
        fresh = sorted(pool - judged.get(query["id"], {}).keys())
        chance.shuffle(fresh)
        for key in fresh:
            shown = {name: texts[key][name] for name in ("text", "section", "department", "year")}
            lines.append({"query": query["id"], "passage": key, **shown})
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    print(f"{len(lines)} to judge -> {path}")


def main() -> None:
    """Run all engines, then score them or write the pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="python of the peers' environment; none: ours alone")
    parser.add_argument("--library", type=Path, help="a library of the demo reports that is there already")
    parser.add_argument("--pool", type=Path, help="write what is to be judged, and stop")
    options = parser.parse_args()
    queries, judged = read_queries(), read_judgements()
    with tempfile.TemporaryDirectory() as scratch:
        with Library.open(options.library or Path(scratch) / "library") as library:
            library.ingest(ROOT / "corpora" / "reports")
            cards = library.info().cards
            passages = [as_row(found) for card in cards for found in library.passages_of(card.id)]
            mine, seconds = ours(library, queries)
            scope = answered(library)
        answer = (
            peers(options.peers, passages, queries, Path(scratch)) if options.peers else {"engines": {}, "versions": {}}
        )
        pairs = find_measures(options.peers, Path(scratch))
    texts = {text_key(passage["text"]): passage for passage in passages}
    keys = {passage["id"]: text_key(passage["text"]) for passage in passages}
    found = {OURS: mine, **{name: engine["found"] for name, engine in answer["engines"].items()}}
    rankings = {
        name: {query: list(dict.fromkeys(keys[passage] for passage in ranking)) for query, ranking in engine.items()}
        for name, engine in found.items()
    }
    if options.pool:
        write_pool(options.pool, queries, rankings, judged, texts)
        return
    rows = compare(rankings, queries, judged)
    for row in rows:
        print(
            f"{row['name']:24} {row['ndcg@10']:.3f} {row['recall@10']:.3f} {row['mrr']:.3f} {row['ndcg@10 colloquial']:.3f}",
            row["ours ahead"],
        )
    result = {
        **where("torch", "sentence-transformers", "faiss-cpu"),
        "peers": answer["versions"],
        "passages": len(passages),
        "queries": len(queries),
        "judgements": sum(map(len, judged.values())),
        "search_milliseconds": round(1000 * seconds, 1),
        "rows": rows,
        "measures of audit tables": pairs,
        "texts inside and outside": scope,
    }
    print(*pairs, scope, sep="\n")
    if options.peers:
        RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
