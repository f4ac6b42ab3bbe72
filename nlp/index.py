"""The vector index: FAISS over the store's vectors. It follows the store and can be thrown away at any time."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import faiss
import numpy as np
from numpy.typing import NDArray

from nlp.errors import LibraryError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

Keys = NDArray[np.int64]
Matrix = NDArray[np.float32]
_FEW = 8  # below this part of the vectors it is quicker to gather those that are allowed


class VectorIndex:
    """Exact inner-product search over vectors with integer keys.

    Attributes:
        generation: Generation of the store that the vectors were read at.
    """

    def __init__(self, index: faiss.IndexIDMap2, generation: int) -> None:
        self._index = index
        self.generation = generation

    @classmethod
    def build(cls, keys: Keys, vectors: Matrix, generation: int) -> VectorIndex:
        """Return an index of these vectors.

        Shapes:
            ``keys`` is ``(n,)``, ascending, ``vectors`` is ``(n, dims)``.
        """
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        if len(keys):
            index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.ascontiguousarray(keys))
        return cls(index, generation)

    @property
    def dims(self) -> int:
        """Length of its vectors."""
        return int(self._index.d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, query: NDArray[np.float32], count: int, allowed: Keys | None = None) -> tuple[Keys, Matrix]:
        """Return keys and inner products of the ``count`` nearest vectors, best first.

        Args:
            query: A vector.
            count: How many are wanted; fewer come back where there are fewer.
            allowed: Only these keys are looked at; ``None`` means all. The search within them is exact.

        Shapes:
            ``query`` is ``(dims,)``; both results are ``(n_found,)``.
        """
        if len(self) == 0 or (allowed is not None and len(allowed) == 0):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        if allowed is not None and len(allowed) * _FEW < len(self):
            return self._among(query, count, allowed)
        parameters = None
        if allowed is not None:
            selector = faiss.IDSelectorBatch(np.ascontiguousarray(allowed))  # named, so that it outlives the search
            parameters = faiss.SearchParameters()
            parameters.sel = selector
        count = min(count, len(self) if allowed is None else len(allowed))
        scores, keys = self._index.search(np.ascontiguousarray(query[None, :]), count, params=parameters)
        found = keys[0] >= 0
        return keys[0][found], scores[0][found]

    def _among(self, query: NDArray[np.float32], count: int, allowed: Keys) -> tuple[Keys, Matrix]:
        """Return the nearest of a few vectors: gathered and multiplied, which costs nothing for all the others."""
        keys = faiss.vector_to_array(self._index.id_map)  # in ascending order
        places = np.searchsorted(keys, allowed)
        places = places[(places < len(keys)) & (keys[np.minimum(places, len(keys) - 1)] == allowed)]
        flat = faiss.downcast_index(self._index.index)
        held = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)  # type: ignore[attr-defined]  # missing in its stub
        vectors = held.reshape(flat.ntotal, flat.d)
        scores = vectors[places] @ query
        best = np.argsort(-scores, kind="stable")[:count]
        return keys[places[best]], scores[best]

    def holds(self, keys: Keys, vectors: Matrix) -> bool:
        """Return whether the index has just these vectors under just these keys, in this order."""
        if len(self) != len(keys) or not np.array_equal(faiss.vector_to_array(self._index.id_map), keys):
            return False
        return np.array_equal(self._index.index.reconstruct_n(0, len(keys)), vectors)

    def save(self, path: Path) -> None:
        """Write the index beside the store; a reader sees the old file, the new one or none, never a half.

        Only one process at a time may save (the library's lock sees to that); what one that was killed left half written
        is written over.

        Raises:
            LibraryError: If the file cannot be written.
        """
        beside, note = path.with_suffix(".tmp"), path.with_suffix(".json")
        note_beside = note.with_suffix(".json.tmp")
        try:
            faiss.write_index(self._index, str(beside))
            with beside.open("rb") as file:
                note_beside.write_text(json.dumps({"generation": self.generation, "sha256": _sha256(file)}), "utf-8")
            note.unlink(missing_ok=True)  # without its note an index counts as absent
            beside.replace(path)
            note_beside.replace(note)
        except (OSError, RuntimeError) as error:  # FAISS raises the latter
            raise LibraryError(
                f"向量索引写不进 {path}：{error}；报告都已入库，请检查磁盘空间和权限后再次运行同一命令"
            ) from error

    @classmethod
    def load(cls, path: Path, generation: int) -> VectorIndex | None:
        """Return the saved index if it is whole and of this generation, else ``None``."""
        try:
            note = json.loads(path.with_suffix(".json").read_text("utf-8"))
            with path.open("rb") as file:  # opened once, so that what is checked is what is read
                if note != {"generation": generation, "sha256": _sha256(file)}:
                    return None
                file.seek(0)
                index = faiss.read_index(faiss.PyCallbackIOReader(file.read))  # type: ignore[attr-defined]  # missing in its stub
        except (OSError, ValueError, RuntimeError):
            return None  # missing or damaged: the store still has every vector
        assert isinstance(index, faiss.IndexIDMap2)
        return cls(index, generation)


def _sha256(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
