"""The vector index: exact vectors in a mapped file, and beyond some size FAISS cells over them. It follows the store.

A saved index is a folder. ``note.json`` names the files and what state of the store they are of, and is written last: without
it, or with a file that is not as it says, the index counts as absent and the store still has every vector. New vectors are
appended; what lies in the file beyond the number of the note is not there yet.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from nlp.errors import LibraryError

if TYPE_CHECKING:
    from io import BufferedWriter

Keys = NDArray[np.int64]
Matrix = NDArray[np.float32]
Chunks = Iterable[tuple[Keys, Matrix]]

_NOTE = "note.json"
_AT_ONCE = 4096  # rows that are looked at or added before their memory is given back
# Below this part of the vectors it is quicker to gather those that are allowed than to multiply all.
_FEW = 8
# From so many vectors on a search of all of them goes through cells. All products (dims 576, 2 cores) take 1.2 ms at 10,000
# vectors and 20 ms at 100,000.
_MANY = 30_000
# Measured with our passages' vectors, turned at random, and 60 queries of corpora/queries: of the 200 nearest 96 cells hold
# 0.998 among 100,000 (512 cells; 2 ms) and 0.999 among 1,000,000 (2,048 cells; 8 ms), and every one of the ten nearest.
_PROBES = 96
_CELLS_PER_ROOT = 1.5  # cells by the square root of the vectors, then rounded up to a power of two
_LEARNT_FROM = 64  # vectors a cell
_GROWN = 4  # times as many vectors as the cells were learnt for: learnt anew
_SPREAD = 8  # vectors by which it is told whose they are
_MORE = 2  # as many candidates come from the cells as are wanted, and exact products choose among them


@dataclass(frozen=True, slots=True)
class _Note:
    """What a saved index says of itself.

    Attributes:
        generation: Of the store that it was read from.
        rows: How many vectors count.
        learnt: How many vectors there were when the cells were learnt; 0 where there are none.
        files: Names by what they hold: ``vectors``, ``keys`` and, with cells, ``cells``.
        sha256: Of keys and cells. Vectors are too many to be read at every start; :meth:`VectorIndex.holds` reads them.
    """

    generation: int
    rows: int
    dims: int
    learnt: int
    files: dict[str, str]
    sha256: dict[str, str]


class VectorIndex:
    """Nearest neighbours by inner product over vectors with ascending integer keys.

    Within a filter the search is exact. Over everything it is exact up to some 30,000 vectors; beyond, it looks into the nearest
    cells and orders what it finds there by exact products.

    Attributes:
        keys: Of all vectors, ascending.
        generation: Generation of the store that the vectors are of.
        cells: What a search of everything looks into, if there are many vectors.
        note: What the saved index says of itself, if it is saved.
    """

    def __init__(self, keys: Keys, vectors: Matrix, generation: int) -> None:
        self.generation = generation
        self.keys = keys
        self._vectors = vectors
        self._newer: Matrix = vectors[:0]  # behind the others, and in no cell
        self._looked_at = 0
        self.cells: Any = None
        self.note: _Note | None = None

    @property
    def dims(self) -> int:
        """Length of its vectors."""
        return int(self._vectors.shape[1])

    @property
    def last_key(self) -> int:
        """The highest key; 0 where there is none."""
        return int(self.keys[-1]) if len(self) else 0

    def __len__(self) -> int:
        return len(self.keys)

    def extended(self, chunks: Chunks, generation: int) -> VectorIndex:
        """Return this index with more vectors, whose keys are higher; nothing is written.

        Shapes:
            Chunks are keys ``(n,)``, ascending, and vectors ``(n, dims)``.
        """
        more = list(chunks)
        found = VectorIndex(np.concatenate([self.keys, *(keys for keys, _ in more)]), self._vectors, generation)
        found._newer = np.concatenate([self._newer, *(vectors for _, vectors in more)])
        found.cells, found.note = self.cells, self.note
        return found

    # ------------------------------------------------------------------------------------------------------------------ search

    def search(self, query: NDArray[np.float32], count: int, allowed: Keys | None = None) -> tuple[Keys, Matrix]:
        """Return keys and inner products of the ``count`` nearest vectors, best first.

        Args:
            query: A vector.
            count: How many are wanted; fewer come back where there are fewer.
            allowed: Only these keys are looked at, exactly; ``None`` means all.

        Shapes:
            ``query`` is ``(dims,)``; both results are ``(n_found,)``.
        """
        places = self._near(query, count) if allowed is None else self._places(allowed)
        many = len(places) * _FEW > len(self)
        scores = self._products(query, None)[places] if many else self._products(query, places)
        best = _highest(scores, count)
        return self.keys[places[best]], scores[best]

    def _near(self, query: NDArray[np.float32], count: int) -> Keys:
        """Return the places of vectors among which the nearest are, ascending."""
        count = min(count, len(self._vectors))
        if self.cells is not None and count * _FEW < len(self):
            settings = faiss.SearchParametersIVF(nprobe=_PROBES)  # type: ignore[call-arg]  # its stub knows none
            near = self.cells.search(query[None, :], _MORE * count, params=settings)[1][0]
        elif count:
            near = faiss.knn(query[None, :], self._vectors, count, metric=faiss.METRIC_INNER_PRODUCT)[1][0]
        else:
            near = np.zeros(0, dtype=np.int64)
        return np.concatenate([np.sort(near[near >= 0]), np.arange(len(self._vectors), len(self))])

    def _places(self, keys: Keys) -> Keys:
        """Return where keys stand; those that are not there are left out."""
        places = np.searchsorted(self.keys, keys)
        inside = places < len(self)
        found: Keys = places[inside][self.keys[places[inside]] == keys[inside]]
        return found

    def _products(self, query: NDArray[np.float32], places: Keys | None) -> Matrix:
        """Return the products with the vectors at ascending places, or with all; a bounded number is looked at at once."""
        split = len(self._vectors)
        if places is None:
            old, new = np.arange(split), np.arange(len(self._newer))
        else:
            old, new = places[places < split], places[places >= split] - split
        parts = []
        for begin in range(0, len(old), _AT_ONCE):
            part = old[begin : begin + _AT_ONCE]
            parts.append(self._vectors[part if places is not None else slice(begin, begin + len(part))] @ query)
            self._let_go(len(part))
        return np.concatenate([np.zeros(0, np.float32), *parts, self._newer[new] @ query])

    def _let_go(self, rows: int) -> None:
        """Give back the memory of the file, now and then: what was looked at counts as the process's own until then."""
        self._looked_at += rows
        mapping: Any = self._vectors.base
        if self._looked_at >= _AT_ONCE and isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)
            self._looked_at = 0

    def spread(self) -> tuple[Keys, Matrix]:
        """Return some of its vectors from end to end, with their keys."""
        places = np.unique(np.linspace(0, len(self) - 1, min(_SPREAD, len(self))).astype(np.int64))
        old = places[places < len(self._vectors)]
        return self.keys[places], np.concatenate(
            [self._vectors[old], self._newer[places[len(old) :] - len(self._vectors)]]
        )

    def holds(self, chunks: Chunks) -> bool:
        """Return whether the index has just these vectors under just these keys, in this order."""
        begin = 0
        for keys, vectors in chunks:
            end = begin + len(keys)
            if not np.array_equal(self.keys[begin:end], keys) or not np.array_equal(self._vectors[begin:end], vectors):
                return False
            begin = end
        return begin == len(self) and (self.cells is None or self.cells.ntotal == begin)

    # ----------------------------------------------------------------------------------------------------------- on the disk

    @classmethod
    def load(cls, folder: Path) -> VectorIndex | None:
        """Return the index in a folder if it is whole, of whatever generation; else ``None``."""
        note = _read_note(folder)
        if note is None:
            return None
        try:
            vectors = _mapped(folder / note.files["vectors"], note)
            keys = np.fromfile(_checked(folder, note, "keys"), dtype="<i8").astype(np.int64, copy=False)
            cells = faiss.read_index(str(_checked(folder, note, "cells"))) if note.learnt else None
        except (OSError, ValueError, KeyError, RuntimeError):
            return None  # missing or damaged
        found = cls(keys, vectors, note.generation)
        found.cells, found.note = cells, note
        return found if len(keys) == note.rows else None

    @classmethod
    def save(
        cls, folder: Path, chunks: Chunks, dims: int, generation: int, onto: VectorIndex | None = None
    ) -> VectorIndex:
        """Write an index of vectors that come in chunks, and return it; a reader sees the old one, the new one or none.

        Only one process at a time may save (the library's lock sees to that); what one that was killed left behind is removed.

        Args:
            folder: Made if it is not there.
            chunks: Keys, ascending, and vectors.
            dims: Length of the vectors.
            generation: Of the store that they are of.
            onto: The index that was loaded from the folder, if they come behind its vectors; else all is written anew.

        Raises:
            LibraryError: If the folder cannot be written.
        """
        before = onto.note if onto is not None else None
        mark = uuid.uuid4().hex[:8]  # a file that somebody has mapped is never written over
        files = {"vectors": before.files["vectors"] if before else f"vectors-{mark}.f32", "keys": f"keys-{mark}.i64"}
        try:
            folder.mkdir(exist_ok=True)
            first = onto.keys if onto is not None else np.zeros(0, dtype=np.int64)
            keys = np.concatenate([first, *_written(folder / files["vectors"], chunks, len(first) * dims * 4)])
            with _new(folder / files["keys"]) as file:
                file.write(keys.astype("<i8").tobytes())
            learnt, cells = before.learnt if before else 0, onto.cells if onto is not None else None
            note = _Note(generation, len(keys), dims, learnt, files, {})
            found = cls(keys, _mapped(folder / files["vectors"], note), generation)
            if learnt * _GROWN < len(keys):
                cells = _learnt(found._vectors) if len(keys) >= _MANY else None
                note = replace(note, learnt=len(keys) if cells else 0)
            if cells is not None:
                _fill(cells, found._vectors)
                found._let_go(len(keys))
                files["cells"] = f"cells-{mark}.faiss"
                with _new(folder / files["cells"]) as file:
                    # Not to a path: FAISS does not tell when the last of it finds no room.
                    faiss.write_index(cells, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]  # missing in its stub
            note = replace(note, sha256={part: _sha256(folder / files[part]) for part in files if part != "vectors"})
            _note_down(folder, note)
            _clear(folder, {_NOTE, *files.values()})
        except (OSError, RuntimeError) as error:  # FAISS raises the latter
            raise LibraryError(
                f"向量索引写不进 {folder}：{error}；读过的报告都已入库，请检查磁盘空间和权限后再次运行同一命令"
            ) from error
        found.cells, found.note = cells, note
        return found

    @staticmethod
    def drop(folder: Path) -> None:
        """Have the index in a folder count as absent."""
        (folder / _NOTE).unlink(missing_ok=True)


def _highest(scores: Matrix, count: int) -> Keys:
    """Return the places of the highest scores, best first, of equal ones the first."""
    if count < len(scores):
        bound = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= bound)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:count]


# ----------------------------------------------------------------------------------------------------------------- the cells


def _learnt(vectors: Matrix) -> faiss.IndexIVF:
    """Return empty cells that fit vectors, learnt from an even sample of them; each vector in them takes a byte a dim."""
    count, dims = vectors.shape
    n_cells = 2 ** int(np.ceil(np.log2(_CELLS_PER_ROOT * np.sqrt(count))))
    cells = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dims), dims, n_cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    cells.cp.niter = 8
    cells.cp.max_points_per_centroid = _LEARNT_FROM
    sample = np.linspace(0, count - 1, min(count, _LEARNT_FROM * n_cells)).astype(np.int64)
    cells.train(np.ascontiguousarray(vectors[sample]))
    return cells


def _fill(cells: faiss.IndexIVF, vectors: Matrix) -> None:
    """Add the vectors that the cells do not have yet; what they find are places."""
    for begin in range(int(cells.ntotal), len(vectors), _AT_ONCE):
        cells.add(np.ascontiguousarray(vectors[begin : begin + _AT_ONCE]))


# ----------------------------------------------------------------------------------------------------------------- the files


def _read_note(folder: Path) -> _Note | None:
    try:
        said: dict[str, Any] = json.loads((folder / _NOTE).read_text("utf-8"))
        note = _Note(**said)
        names = list(note.files.values())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    numbers = (note.generation, note.rows, note.dims, note.learnt)
    plain = all(isinstance(name, str) and Path(name).name == name for name in names)
    return note if plain and all(isinstance(number, int) and number >= 0 for number in numbers) else None


def _note_down(folder: Path, note: _Note) -> None:
    beside = folder / f"{_NOTE}.tmp"
    with _new(beside) as file:
        file.write(json.dumps(asdict(note), indent=2).encode())
    beside.replace(folder / _NOTE)


@contextmanager
def _new(path: Path) -> Iterator[BufferedWriter]:
    """Open a new file that is on the disk when it is closed."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _clear(folder: Path, kept: set[str]) -> None:
    """Remove what an earlier index left; where somebody still reads it and that forbids it, the next time will do."""
    for path in folder.iterdir():
        if path.name not in kept:
            with suppress(OSError):
                path.unlink()


def _written(path: Path, chunks: Chunks, offset: int) -> Iterator[Keys]:
    """Write the vectors of chunks from an offset on; yield their keys."""
    with path.open("r+b" if offset else "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        for keys, vectors in chunks:
            file.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
            yield keys
        file.flush()
        os.fsync(file.fileno())


def _mapped(path: Path, note: _Note) -> Matrix:
    """Return the vectors of a file, of which only what is looked at is read.

    Raises:
        ValueError: If there are fewer than the note says.
    """
    if not note.rows:
        return np.zeros((0, note.dims), dtype=np.float32)
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), note.rows * note.dims * 4, access=mmap.ACCESS_READ)
    return np.ndarray((note.rows, note.dims), dtype="<f4", buffer=mapping)


def _checked(folder: Path, note: _Note, part: str) -> Path:
    path = folder / note.files[part]
    if _sha256(path) != note.sha256[part]:
        raise ValueError(path.name)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
