"""Search in a library of 100,000 passages: how long it takes, and whether a filtered search finds all.

``make bench-scale`` fills a library with passages of the project's reports under other departments and years, with vectors
that are turned at random so that no two are the same, and asks the queries of ``corpora/queries``. It writes
``benchmarks/scale.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from search import read_queries
from where import ROOT, where

from nlp import Library
from nlp.encoder import open_encoder
from nlp.index import VectorIndex
from nlp.records import Filters, Identity, Level, Region, Report, Source, StoredPassage
from nlp.store import Store, TaggedPassage

RESULT = ROOT / "benchmarks" / "scale.json"
EACH = 50  # passages a report
DEPARTMENTS, YEARS = 200, 10


def demo_passages() -> tuple[list[StoredPassage], np.ndarray, dict[str, str]]:
    """Return the passages of the demo reports with their vectors, and what a library says of its encoder."""
    with tempfile.TemporaryDirectory() as folder, Library.open(folder) as library:
        library.ingest(ROOT / "corpora" / "reports")
        found = [item for card in library.info().cards for item in library.passages_of(card.id)]
        store = Store.open(Path(folder) / "library.sqlite", create=False)
        meta = {name: str(store.meta(name)) for name in ("encoder", "encoder_fingerprint")}
        keys, vectors = everything(store)
        store.close()
        places = {int(key): place for place, key in enumerate(keys)}
        return found, vectors[[places[item.row] for item in found]], meta


def everything(store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Return keys and vectors of all passages of a store."""
    keys, vectors = zip(*store.vectors(open_encoder().dims), strict=True)
    return np.concatenate(keys), np.concatenate(vectors)


def fill(folder: Path, passages: int) -> None:
    """Write a library of so many passages: 200 departments over 10 years."""
    found, vectors, meta = demo_passages()
    chance = np.random.default_rng(0)
    store = Store.open(folder / "library.sqlite", create=True)
    with store.transaction():
        for name, value in meta.items():
            store.set_meta(name, value)
    for number in range(passages // EACH):
        rows = chance.integers(0, len(found), EACH)
        moved = vectors[rows] + 0.3 * chance.normal(size=vectors[rows].shape) / np.sqrt(vectors.shape[1])
        moved = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        others = [found[row].passage.text for row in chance.integers(0, len(found), EACH)]
        report, tagged = _report(number, [found[row] for row in rows], others)
        store.add_report(report, tagged, {item.hash: vector for item, vector in zip(tagged, moved, strict=True)})
    dims = vectors.shape[1]
    VectorIndex.save(folder / "index", store.vectors(dims), dims, store.generation)
    store.close()


def _report(number: int, found: list[StoredPassage], others: list[str]) -> tuple[Report, list[TaggedPassage]]:
    identity = Identity(
        f"第{number}份报告",
        f"第{number % DEPARTMENTS}号局",
        Region("云屏省"),
        Level.COUNTY,
        2015 + number // DEPARTMENTS % YEARS,
    )
    text, passages = "", []
    for place, (item, other) in enumerate(zip(found, others, strict=True)):
        words = item.passage.text + other[: len(item.passage.text) // 2]  # no two texts are the same
        passage = replace(
            item.passage,
            id=f"{number:016x}-{place:04d}",
            start=len(text),
            end=len(text) + len(words),
            department=None,
            year=None,
        )
        passages.append(TaggedPassage(passage, item.tags, f"{number}-{place}"))
        text += words + "\n"
    source = Source(f"{number}.txt", f"{number:064x}", "txt")
    return Report(f"{number:016x}", text, identity, source, (), tuple(p.passage for p in passages)), passages


def measure(library: Library, store: Store) -> dict[str, Any]:
    """Return milliseconds of a search in a warm process, and recall of the filtered one against all products."""
    queries = [query["text"] for query in read_queries()][:60]
    encoder = open_encoder()
    keys, vectors = everything(store)
    index = VectorIndex(keys, vectors, 0)
    library.search("预热")
    plain: list[float] = []
    narrow: list[float] = []
    hits = wanted = empty = 0
    for number, query in enumerate(queries):
        filters = Filters(department=f"第{number % DEPARTMENTS}号局", years=(2018, 2018))
        for times, given in ((plain, None), (narrow, filters)):
            began = time.perf_counter()
            result = library.search(query, filters=given)
            times.append(1000 * (time.perf_counter() - began))
        empty += not result.hits
        allowed = store.rows_passing(filters)
        assert allowed is not None
        vector = encoder.encode_query(query)
        inside = np.isin(keys, allowed)
        best = set(keys[inside][np.argsort(-(vectors[inside] @ vector))[:10]].tolist())
        found = set(index.search(vector, 10, allowed)[0].tolist())
        hits, wanted = hits + len(best & found), wanted + len(best)
    return {
        "search p50 ms": round(statistics.median(plain), 1),
        "search p95 ms": round(float(np.quantile(plain, 0.95)), 1),
        "one department, one year p50 ms": round(statistics.median(narrow), 1),
        "recall@10 within the filter": hits / wanted,
        "empty answers within the filter": empty,
        "queries": len(queries),
    }


def main() -> None:
    """Fill, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    passages: int = parser.parse_args().passages
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fill(folder, passages)
        store = Store.open(folder / "library.sqlite", create=False)
        with Library.open(folder) as library:
            result = {**where("torch", "faiss-cpu"), "passages": library.info().passages, **measure(library, store)}
        store.close()
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
