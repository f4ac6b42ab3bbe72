"""The vector index: FAISS over the store's vectors. It follows the store and can be thrown away at any time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Matrix = NDArray[np.float32]


class VectorIndex:
    """Exact inner-product search over vectors with integer keys.

    Attributes:
        generation: Generation of the store that the vectors were read at.
    """

    def __init__(self, index: faiss.Index, generation: int) -> None:
        self._index = index
        self.generation = generation

    @classmethod
    def build(cls, keys: Keys, vectors: Matrix, generation: int) -> VectorIndex:
        """Return an index of these vectors.

        Shapes:
            ``keys`` is ``(n,)``, ``vectors`` is ``(n, dims)``.
        """
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        if len(keys):
            index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.ascontiguousarray(keys))
        return cls(index, generation)

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
        parameters = None
        if allowed is not None:
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBatch(np.ascontiguousarray(allowed)))
        count = min(count, len(self) if allowed is None else len(allowed))
        scores, keys = self._index.search(np.ascontiguousarray(query[None, :]), count, params=parameters)
        found = keys[0] >= 0
        return keys[0][found], scores[0][found]

    def save(self, path: Path) -> None:
        """Write the index beside the store; a reader sees the old file or the new one, never a half."""
        beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        faiss.write_index(self._index, str(beside))
        note = path.with_suffix(".json")
        note_beside = note.with_name(f"{note.name}.{os.getpid()}.tmp")
        note_beside.write_text(json.dumps({"generation": self.generation, "size": beside.stat().st_size}), "utf-8")
        note.unlink(missing_ok=True)  # without its note an index counts as absent
        beside.replace(path)
        note_beside.replace(note)

    @classmethod
    def load(cls, path: Path, generation: int) -> VectorIndex | None:
        """Return the saved index if it is whole and of this generation, else ``None``."""
        try:
            note = json.loads(path.with_suffix(".json").read_text("utf-8"))
            if note != {"generation": generation, "size": path.stat().st_size}:
                return None
            return cls(faiss.read_index(str(path)), generation)
        except (OSError, ValueError, RuntimeError):
            return None  # missing or damaged: the store still has every vector
