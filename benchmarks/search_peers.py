"""What others find for the same queries over the same passages, in an environment of their own.

``make bench-search`` makes that environment and calls this file with the passages, the queries, the encoder's folder and the
place for the answer, all JSON. It imports nothing of ``nlp``. Every peer gets the same plain encoder, the filters as
metadata, and the settings that its manual recommends for Chinese where it has any.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faiss
import jieba
import numpy as np
from pymilvus import AnnSearchRequest, DataType, Function, FunctionType, MilvusClient, RRFRanker
from rank_bm25 import BM25Okapi
from sentence_transformers import SentenceTransformer
from txtai import Embeddings

TOP = 30
COLUMNS = ("department", "region", "level", "kind", "role", "topic")
Rankings = dict[str, list[str]]
Row = dict[str, Any]


def passes(passage: Row, filters: Row) -> bool:
    """Return whether a passage passes the filters of a query."""
    first, last = filters.get("years", (0, 9999))
    wanted = {name: value for name, value in filters.items() if name != "years"}
    return first <= (passage["year"] or 0) <= last and all(
        str(value) in passage[name] for name, value in wanted.items()
    )


def clauses(filters: Row) -> list[str]:
    """Return the filters as conditions that SQL and Milvus both understand."""
    found = []
    for name, value in filters.items():
        if name == "years":
            found += [f"year >= {value[0]}", f"year <= {value[1]}"]
        else:
            found.append(f"{name} like '%{value}%'")
    return found


def bm25(passages: list[Row], queries: list[Row], _: SentenceTransformer) -> Rankings:
    """BM25 over jieba's words; what does not pass the filters is left out of the whole ranking."""
    index = BM25Okapi([jieba.lcut_for_search(passage["text"]) for passage in passages])
    found = {}
    for query in queries:
        scores = index.get_scores(jieba.lcut_for_search(query["text"]))
        order = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0]
        found[query["id"]] = [passages[i]["id"] for i in order if passes(passages[i], query["filters"])][:TOP]
    return found


def flat(passages: list[Row], queries: list[Row], model: SentenceTransformer) -> Rankings:
    """The encoder alone, with an exact FAISS index; what does not pass the filters is left out of the whole ranking."""
    vectors = model.encode([passage["text"] for passage in passages], normalize_embeddings=True)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    found = {}
    for query in queries:
        _, rows = index.search(model.encode([query["text"]], normalize_embeddings=True), len(passages))
        kept = [passages[i]["id"] for i in rows[0] if passes(passages[i], query["filters"])]
        found[query["id"]] = kept[:TOP]
    return found


def _txtai(passages: list[Row], queries: list[Row], path: str, tokenizer: Row | None) -> Rankings:
    scoring: Row = {"method": "bm25", "terms": True, "normalize": True}
    if tokenizer:
        scoring["tokenizer"] = tokenizer
    index = Embeddings(path=path, content=True, hybrid=True, scoring=scoring)
    columns = ("text", "year", *COLUMNS)
    index.index([(passage["id"], {name: passage[name] for name in columns}) for passage in passages])
    found = {}
    for query in queries:
        where = " and ".join(["similar(:q, 200)", *clauses(query["filters"])])
        rows = index.search(f"select id, score from txtai where {where} limit {TOP}", parameters={"q": query["text"]})  # noqa: S608
        found[query["id"]] = [row["id"] for row in rows]
    index.close()
    return found


def milvus(passages: list[Row], queries: list[Row], model: SentenceTransformer) -> Rankings:
    """Milvus Lite: BM25 over jieba's words and HNSW over the vectors, fused by reciprocal rank."""
    vectors = model.encode([passage["text"] for passage in passages], normalize_embeddings=True)
    with tempfile.TemporaryDirectory() as folder:
        client = MilvusClient(str(Path(folder) / "milvus.db"))
        schema = client.create_schema()
        schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
        analyzer = {"tokenizer": "jieba"}
        schema.add_field(
            "text",
            DataType.VARCHAR,
            max_length=20000,
            enable_analyzer=True,
            analyzer_params=analyzer,
            enable_match=True,
        )
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_field("year", DataType.INT64)
        for name in COLUMNS:
            schema.add_field(name, DataType.VARCHAR, max_length=200)
        schema.add_function(
            Function("bm25", FunctionType.BM25, input_field_names=["text"], output_field_names=["sparse"])
        )
        indexes = client.prepare_index_params()
        indexes.add_index("dense", index_type="HNSW", metric_type="IP", params={"M": 32, "efConstruction": 200})
        indexes.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        client.create_collection("passages", schema=schema, index_params=indexes)
        client.insert("passages", [_milvus_row(p, v) for p, v in zip(passages, vectors, strict=True)])
        client.load_collection("passages")
        found = {}
        for query in queries:
            chosen = " and ".join(clauses(query["filters"]))
            vector = model.encode([query["text"]], normalize_embeddings=True)[0].tolist()
            asked = [
                AnnSearchRequest(
                    [vector], "dense", {"metric_type": "IP", "params": {"ef": 200}}, limit=100, expr=chosen
                ),
                AnnSearchRequest([query["text"]], "sparse", {"metric_type": "BM25"}, limit=100, expr=chosen),
            ]
            hits = client.hybrid_search("passages", asked, ranker=RRFRanker(60), limit=TOP, output_fields=["id"])
            found[query["id"]] = [hit["id"] for hit in hits[0]]
        client.close()
    return found


def _milvus_row(passage: Row, vector: np.ndarray) -> Row:
    row = {name: passage[name] for name in ("id", *COLUMNS)}
    return {**row, "text": passage["text"][:6000], "year": passage["year"] or 0, "dense": vector.tolist()}


def main() -> None:
    """Run every peer and write rankings, seconds and versions."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    passages, queries, folder = task["passages"], task["queries"], task["encoder"]
    model = SentenceTransformer(folder, device="cpu")
    runs: dict[str, Callable[[], Rankings]] = {
        "BM25 (jieba)": lambda: bm25(passages, queries, model),
        "encoder + FAISS": lambda: flat(passages, queries, model),
        "txtai hybrid": lambda: _txtai(passages, queries, folder, None),
        "txtai hybrid, bigrams": lambda: _txtai(passages, queries, folder, {"ngrams": 2}),
        "Milvus Lite hybrid": lambda: milvus(passages, queries, model),
    }
    found: Row = {}
    for name, run in runs.items():
        began = time.perf_counter()
        found[name] = {"found": run(), "seconds": round(time.perf_counter() - began, 1)}
        print(f"{name}: {found[name]['seconds']} s", flush=True)
    names = ("sentence-transformers", "faiss-cpu", "txtai", "pymilvus", "milvus-lite", "rank-bm25", "jieba", "torch")
    versions = {name: version(name) for name in names}
    Path(sys.argv[2]).write_text(json.dumps({"engines": found, "versions": versions}, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
