"""How fast the main job is: files to a searchable library, the encoder alone, a search.

``python benchmarks/run.py`` writes ``benchmarks/result.json`` with machine, commit and versions, and prints a table.
The texts are the project's own demo reports.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from where import ROOT, where

from nlp import Library
from nlp.encoder import open_encoder
from nlp.records import Filters

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTS = ROOT / "corpora" / "reports"
QUERIES = ("资金闲置", "钱年底才花出去", "绩效指标笼统缺乏量化", "评价结果没有和预算挂钩", "资产账实不符")
ROUNDS = 5


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure() -> dict[str, float]:
    """Return medians over the rounds, in the units that the keys name."""
    encoder = open_encoder()
    encoder.encode(["预热"])
    with tempfile.TemporaryDirectory() as folder:
        ingests = []
        for number in range(ROUNDS):
            with Library.open(Path(folder) / str(number)) as library:
                ingests.append(_timed(lambda opened=library: opened.ingest(REPORTS)))  # type: ignore[misc]
                passages = library.info().passages
        with Library.open(Path(folder) / "0") as library:
            library.search("预热")
            texts = [found.passage.text for card in library.info().cards for found in library.passages_of(card.id)]
            encodes = [_timed(lambda: encoder.encode(texts)) for _ in range(ROUNDS)]
            plain = [_timed(lambda q=query: library.search(q)) for query in QUERIES for _ in range(ROUNDS)]  # type: ignore[misc]
            narrowed = Filters(department="教育局", years=(2023, 2023))
            filtered = [
                _timed(lambda q=query: library.search(q, filters=narrowed))  # type: ignore[misc]
                for query in QUERIES
                for _ in range(ROUNDS)
            ]
    return {
        "files_to_searchable_passages_per_second": round(passages / statistics.median(ingests), 1),
        "encoder_passages_per_second": round(len(texts) / statistics.median(encodes), 1),
        "search_milliseconds": round(1000 * statistics.median(plain), 1),
        "search_with_filters_milliseconds": round(1000 * statistics.median(filtered), 1),
    }


def main() -> None:
    result = {
        **where("torch", "sentence-transformers", "faiss-cpu"),
        "rounds": ROUNDS,
        "median": measure(),
    }
    (ROOT / "benchmarks" / "result.json").write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    for name, value in result["median"].items():  # type: ignore[attr-defined]
        print(f"{name:45} {value}")


if __name__ == "__main__":
    main()
