"""How fast others are at the same work, in an environment of their own: ``speed.py`` starts this file and talks with it.

One process does one thing: the peers' encoding and txtai's index of passages (``texts``), or one vector index at one size
(``FAISS flat``, ``FAISS HNSW32``, ``Milvus Lite``, ``LanceDB``), so that its peak of memory is that index's alone. It reads orders,
a line of JSON each, does them and answers with a line each: that way ours and theirs take turns. It imports nothing of ``nlp``;
``speed.py`` in turn borrows from here what is the same for all: the scene, the clock, the loop. A library is imported where it is
used, since what is not measured should not lie in memory.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TOP = 10
BLOCK = 10_000  # vectors that are handed over at once
PACKAGES = ("sentence-transformers", "torch", "txtai", "faiss-cpu", "pymilvus", "milvus-lite", "lancedb")
Row = dict[str, Any]
Matrix = NDArray[np.float32]
Keys = NDArray[np.int64]


# -------------------------------------------------------------------------------------------------- the same for everybody


@dataclass(frozen=True)
class Scene:
    """Vectors of so many passages with department and year, and what is asked of them; the key of a vector is its place.

    Attributes:
        folder: Where the vectors lie.
        size: How many of them are meant, from the first.
        asked: Department and year that a query is narrowed to.
        best: For each query the nearest by brute force.
        best_within: The same within department and year; -1 where there are fewer.
    """

    folder: Path
    size: int
    departments: Keys
    years: Keys
    queries: Matrix
    asked: Keys
    best: Keys
    best_within: Keys

    @classmethod
    def load(cls, folder: Path, size: int) -> Scene:
        """Return what ``speed.py`` wrote, as far as a size."""
        read = {name: np.load(folder / f"{name}.npy") for name in ("departments", "years", "queries", "asked")}
        read |= {name: np.load(folder / f"{name}-{size}.npy") for name in ("best", "best_within")}
        return cls(folder, size, read.pop("departments")[:size], read.pop("years")[:size], **read)

    @property
    def vectors(self) -> Matrix:
        """The vectors, mapped and not read; ``(size, dims)``."""
        mapped: Matrix = np.load(self.folder / "vectors.npy", mmap_mode="r")[: self.size]
        return mapped

    def blocks(self) -> Iterator[tuple[int, Matrix]]:
        """Yield the vectors in blocks with the place of the first, so that nobody has to hold them twice."""
        for start in range(0, self.size, BLOCK):
            yield start, np.array(self.vectors[start : start + BLOCK])

    def within(self, department: int, year: int) -> Keys:
        """Return the keys of a department's passages of a year, ascending."""
        return np.flatnonzero((self.departments == department) & (self.years == year))


class Finder(Protocol):
    """A vector index."""

    def build(self, scene: Scene) -> None:
        """Take in the vectors of a scene, until they can be searched."""
        ...

    def find(self, query: Matrix) -> Sequence[int]:
        """Return the keys of the nearest ten."""
        ...

    def find_within(self, query: Matrix, department: int, year: int) -> Sequence[int]:
        """Return the keys of the nearest ten of a department's year."""
        ...


def built(finder: Finder, scene: Scene) -> Row:
    """Return how long it took from the vectors to the first answer."""
    began = time.perf_counter()
    finder.build(scene)
    finder.find(scene.queries[0])
    seconds = time.perf_counter() - began
    finder.find_within(scene.queries[0], *scene.asked[0].tolist())
    return {"build_seconds": seconds}


def asked(finder: Finder, scene: Scene) -> Row:
    """Return medians over all queries, asked once with and once without a filter, and how good the answers were."""
    times: list[float] = []
    times_within: list[float] = []
    hits = hits_within = empty = 0
    for query, (department, year), best, best_within in zip(
        scene.queries, scene.asked.tolist(), scene.best, scene.best_within, strict=True
    ):
        began = time.perf_counter()
        found = finder.find(query)
        between = time.perf_counter()
        found_within = finder.find_within(query, department, year)
        times_within.append(time.perf_counter() - between)
        times.append(between - began)
        inside = best_within[best_within >= 0].tolist()
        hits += len(set(best.tolist()) & set(found))
        hits_within += len(set(inside) & set(found_within))
        empty += bool(inside) and not len(found_within)
    return {
        "p50_ms": 1000 * statistics.median(times),
        "within_p50_ms": 1000 * statistics.median(times_within),
        "recall": hits / scene.best.size,
        "within_recall": hits_within / int((scene.best_within >= 0).sum()),
        "empty_within": empty,
    }


def megabytes(what: str, pid: int | str = "self") -> float:
    """Return a process's memory as Linux counts it: ``VmRSS`` now, ``VmHWM`` at most; mapped files that were read count.

    Not ``ru_maxrss``: a new process inherits that one from whoever started it.
    """
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    line = next((line for line in status.splitlines() if line.startswith(f"{what}:")), "0 0 kB")
    return round(int(line.split()[1]) / 1024, 1)


def peak_megabytes() -> float:
    """Return the most memory that this process and those that it has started have had."""
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 -- the peers' processes alone need it

    return sum(
        megabytes("VmHWM", child.pid) for child in [psutil.Process(), *psutil.Process().children(recursive=True)]
    )


def orders_for(finder: Finder, scene: Scene) -> dict[str, Callable[..., Row]]:
    """Return what a process with a vector index can be told to do."""
    return {
        "build": lambda: built(finder, scene),
        "ask": lambda: asked(finder, scene),
        "memory": lambda: {"peak_mb": peak_megabytes()},
    }


def serve(orders: Mapping[str, Callable[..., Row]]) -> None:
    """Do what is told until nobody tells anything; what libraries print goes to where errors go."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            told = json.loads(line)
            print(json.dumps(orders[told.pop("do")](**told)), file=answers, flush=True)


# ------------------------------------------------------------------------------------------------------------ vector indexes


class Flat:
    """FAISS alone, exact: the floor. Its filter is a list of keys."""

    def build(self, scene: Scene) -> None:
        self._scene = scene
        self._index = self._new(scene.queries.shape[1])
        for _, block in scene.blocks():
            self._index.add(block)

    def _new(self, dims: int) -> Any:
        import faiss  # noqa: PLC0415

        return faiss.IndexFlatIP(dims)

    def find(self, query: Matrix) -> Sequence[int]:
        return self._found(query, None)

    def find_within(self, query: Matrix, department: int, year: int) -> Sequence[int]:
        import faiss  # noqa: PLC0415

        selector = faiss.IDSelectorBatch(self._scene.within(department, year))
        return self._found(query, self._parameters(selector))

    def _parameters(self, selector: Any) -> Any:
        import faiss  # noqa: PLC0415

        parameters = faiss.SearchParameters()
        parameters.sel = selector
        return parameters

    def _found(self, query: Matrix, parameters: Any) -> Sequence[int]:
        _, keys = self._index.search(query[None, :], TOP, params=parameters)
        return [key for key in keys[0].tolist() if key >= 0]


class Hnsw(Flat):
    """FAISS's graph of 32 neighbours. Its filter skips what it meets on its way and does not look further."""

    EF = 128

    def _new(self, dims: int) -> Any:
        import faiss  # noqa: PLC0415

        index = faiss.IndexHNSWFlat(dims, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.hnsw.efSearch = self.EF
        return index

    def _parameters(self, selector: Any) -> Any:
        import faiss  # noqa: PLC0415

        return faiss.SearchParametersHNSW(sel=selector, efSearch=self.EF)  # type: ignore[attr-defined]  # missing in its stub


class Milvus:
    """Milvus Lite: HNSW, which is what its automatic choice takes too; department and year as fields."""

    def build(self, scene: Scene) -> None:
        from pymilvus import DataType, MilvusClient  # noqa: PLC0415

        self._folder = tempfile.TemporaryDirectory(dir=scene.folder)
        self._client = MilvusClient(str(Path(self._folder.name) / "milvus.db"))
        schema = self._client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=scene.queries.shape[1])
        schema.add_field("department", DataType.INT64)
        schema.add_field("year", DataType.INT64)
        indexes = self._client.prepare_index_params()
        indexes.add_index("dense", index_type="HNSW", metric_type="IP", params={"M": 32, "efConstruction": 200})
        self._client.create_collection("passages", schema=schema, index_params=indexes)
        departments, years = scene.departments.tolist(), scene.years.tolist()
        for start, block in scene.blocks():
            rows = [
                {"id": key, "dense": vector, "department": departments[key], "year": years[key]}
                for key, vector in enumerate(block, start)
            ]
            self._client.insert("passages", rows)
        self._client.flush("passages")
        self._client.load_collection("passages")

    def find(self, query: Matrix) -> Sequence[int]:
        return self._found(query, "")

    def find_within(self, query: Matrix, department: int, year: int) -> Sequence[int]:
        return self._found(query, f"department == {department} and year == {year}")

    def _found(self, query: Matrix, condition: str) -> Sequence[int]:
        wide = {"metric_type": "IP", "params": {"ef": 200}}
        found = self._client.search("passages", [query.tolist()], limit=TOP, filter=condition, search_params=wide)
        return [hit["id"] for hit in found[0]]


class Lance:
    """LanceDB: few vectors without a vector index, more with its graphs.

    Of 35,000 vectors of a scene its usual index (IVF_PQ, refined from ten times as many) held 0.83 of the ten nearest in 5.7 ms
    and took 71 s to build; graphs refined from five times as many 1.00, in 4.8 ms, after 38 s.
    """

    FEW = 30_000

    def build(self, scene: Scene) -> None:
        import lancedb  # type: ignore[import-not-found]  # noqa: PLC0415
        from lancedb.index import Bitmap, IvfHnswSq  # type: ignore[import-not-found]  # noqa: PLC0415

        self._folder = tempfile.TemporaryDirectory(dir=scene.folder)
        self._table = lancedb.connect(self._folder.name).create_table("passages", data=self._batches(scene))
        for column in ("department", "year"):
            self._table.create_index(column, config=Bitmap())
        if scene.size > self.FEW:
            self._table.create_index("vector", config=IvfHnswSq(distance_type="dot"))

    def _batches(self, scene: Scene) -> Any:
        import pyarrow as pa  # type: ignore[import-not-found]  # noqa: PLC0415

        dims = scene.queries.shape[1]
        kinds = {"id": pa.int64(), "department": pa.int64(), "year": pa.int64(), "vector": pa.list_(pa.float32(), dims)}
        schema = pa.schema(list(kinds.items()))

        def batches() -> Iterator[Any]:
            for start, block in scene.blocks():
                held = slice(start, start + len(block))
                numbers = [np.arange(held.start, held.stop), scene.departments[held], scene.years[held]]
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), dims)
                yield pa.record_batch([*map(pa.array, numbers), vectors], schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def find(self, query: Matrix) -> Sequence[int]:
        return self._found(self._search(query))

    def find_within(self, query: Matrix, department: int, year: int) -> Sequence[int]:
        condition = f"department = {department} AND year = {year}"
        return self._found(self._search(query).where(condition, prefilter=True))

    def _search(self, query: Matrix) -> Any:
        search = self._table.search(query).distance_type("dot").nprobes(20).refine_factor(5)
        return search.select(["id", "_distance"]).limit(TOP)

    def _found(self, search: Any) -> Sequence[int]:
        keys: list[int] = search.to_arrow()["id"].to_pylist()
        return keys


FINDERS: dict[str, Callable[[], Finder]] = {
    "FAISS flat": Flat,
    "FAISS HNSW32": Hnsw,
    "Milvus Lite": Milvus,
    "LanceDB": Lance,
}


# --------------------------------------------------------------------------------------------------------------------- texts


class Texts:
    """Plain sentence-transformers, and txtai's index of passages with the same encoder."""

    def __init__(self, task: Path) -> None:
        # Nobody looks for newer files or lists of prices while the clock runs.
        os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from txtai import Embeddings  # noqa: PLC0415

        said = json.loads(task.read_text("utf-8"))
        self._passages: list[Row] = said["passages"]
        self._texts = [str(passage["text"]) for passage in self._passages]
        self._folder: str = said["encoder"]
        self._embeddings = Embeddings
        self._models = {
            "f32": SentenceTransformer(self._folder, device="cpu"),
            "bf16": SentenceTransformer(self._folder, device="cpu").bfloat16(),
        }
        for model in self._models.values():
            model.encode(self._texts[:32])

    def encode(self, batch: int, precision: str = "f32") -> Row:
        """Encode all passages in the order given; the library sorts them by length itself."""
        began = time.perf_counter()
        self._models[precision].encode(self._texts, batch_size=batch, normalize_embeddings=True)
        return {"seconds": time.perf_counter() - began}

    def txtai(self, batch: int) -> Row:
        """Index the passages from nothing, the model's loading included: words and vectors, contents and filters."""
        scoring = {"method": "bm25", "terms": True, "normalize": True}
        columns = ("text", "department", "year")
        began = time.perf_counter()
        index = self._embeddings(path=self._folder, content=True, hybrid=True, scoring=scoring, encodebatch=batch)
        index.index([(passage["id"], {name: passage[name] for name in columns}) for passage in self._passages])
        seconds = time.perf_counter() - began
        found = index.count()
        index.close()
        return {"seconds": seconds, "passages": found}

    def versions(self) -> Row:
        """Return the versions of everything in this environment that is measured."""
        return {name: version(name) for name in PACKAGES}


def main() -> None:
    """``speed_peers.py texts TASK.json``, or ``speed_peers.py NAME FOLDER SIZE`` with the name of a vector index."""
    name, place, *size = sys.argv[1:]
    if name == "texts":
        texts = Texts(Path(place))
        serve({"encode": texts.encode, "txtai": texts.txtai, "versions": texts.versions})
    else:
        serve(orders_for(FINDERS[name](), Scene.load(Path(place), int(size[0]))))


if __name__ == "__main__":
    main()
