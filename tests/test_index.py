from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nlp.errors import LibraryError
from nlp.index import VectorIndex

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DIMS = 24


def vectors_of(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keys with gaps, and rows of length 1."""
    source = np.random.default_rng(seed)
    rows = source.normal(size=(count, DIMS)).astype(np.float32)
    keys = np.sort(source.choice(10 * count, size=count, replace=False)).astype(np.int64)
    return keys, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def brute(
    keys: NDArray[np.int64], vectors: NDArray[np.float32], query: NDArray[np.float32], count: int
) -> tuple[list[int], NDArray[np.float64]]:
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    order = np.argsort(-scores, kind="stable")[:count]
    return keys[order].tolist(), scores[order]


@pytest.mark.parametrize("count", [1, 7, 100, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(seed: int, count: int) -> None:
    keys, vectors = vectors_of(600, seed)
    index = VectorIndex.build(keys, vectors, 1)
    for query in vectors_of(10, seed + 100)[1]:
        found, scores = index.search(query, count)
        wanted, exact = brute(keys, vectors, query, count)
        assert found.tolist() == wanted
        np.testing.assert_allclose(scores, exact, atol=1e-6)


@pytest.mark.parametrize("allowed_count", [1, 2, 59, 599, 600])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force_within_a_filter(seed: int, allowed_count: int) -> None:
    keys, vectors = vectors_of(600, seed)
    index = VectorIndex.build(keys, vectors, 1)
    places = np.sort(np.random.default_rng(seed).choice(600, size=allowed_count, replace=False))
    for query in vectors_of(10, seed + 100)[1]:
        found, scores = index.search(query, 50, keys[places])
        wanted, exact = brute(keys[places], vectors[places], query, 50)
        assert found.tolist() == wanted
        np.testing.assert_allclose(scores, exact, atol=1e-6)


def test_a_filter_that_lets_nothing_through_finds_nothing() -> None:
    keys, vectors = vectors_of(20, 0)
    found, scores = VectorIndex.build(keys, vectors, 1).search(vectors[0], 5, np.zeros(0, dtype=np.int64))
    assert (found.tolist(), scores.tolist()) == ([], [])


def test_a_filter_may_name_keys_that_are_not_there() -> None:
    keys, vectors = vectors_of(20, 0)
    allowed = np.array([keys[3], keys.max() + 1, keys.max() + 2])
    found, _ = VectorIndex.build(keys, vectors, 1).search(vectors[3], 5, allowed)
    assert found.tolist() == [keys[3]]


def test_ties_all_come() -> None:
    keys, vectors = vectors_of(50, 3)
    vectors[10:20] = vectors[10]
    found, scores = VectorIndex.build(keys, vectors, 1).search(vectors[10], 10)
    assert sorted(found.tolist()) == keys[10:20].tolist()
    np.testing.assert_allclose(scores, np.ones(10), atol=1e-6)


def test_ties_beyond_the_count_are_cut() -> None:
    keys, vectors = vectors_of(50, 3)
    vectors[10:20] = vectors[10]
    found, _ = VectorIndex.build(keys, vectors, 1).search(vectors[10], 4)
    assert len(set(found.tolist())) == 4
    assert set(found.tolist()) <= set(keys[10:20].tolist())


def test_an_empty_index_finds_nothing_and_survives_saving(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    VectorIndex.build(np.zeros(0, dtype=np.int64), np.zeros((0, DIMS), dtype=np.float32), 4).save(path)
    loaded = VectorIndex.load(path, 4)
    assert loaded is not None
    assert (len(loaded), loaded.dims) == (0, DIMS)
    assert loaded.search(np.ones(DIMS, dtype=np.float32), 3)[0].tolist() == []


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    keys, vectors = vectors_of(200, 1)
    index = VectorIndex.build(keys, vectors, 7)
    index.save(tmp_path / "index.faiss")
    loaded = VectorIndex.load(tmp_path / "index.faiss", 7)
    assert loaded is not None
    assert (loaded.generation, len(loaded)) == (7, 200)
    for query in vectors_of(10, 2)[1]:
        for before, after in zip(index.search(query, 20), loaded.search(query, 20), strict=True):
            np.testing.assert_array_equal(before, after)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.faiss", "index.json"]


def test_an_index_of_another_generation_is_not_taken(tmp_path: Path) -> None:
    keys, vectors = vectors_of(10, 1)
    VectorIndex.build(keys, vectors, 7).save(tmp_path / "index.faiss")
    assert VectorIndex.load(tmp_path / "index.faiss", 8) is None


def test_any_flipped_bit_and_any_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    keys, vectors = vectors_of(30, 1)
    VectorIndex.build(keys, vectors, 7).save(path)
    whole = path.read_bytes()
    source = np.random.default_rng(0)
    for place in source.choice(len(whole), size=100, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(source.integers(8))
        path.write_bytes(damaged)
        assert VectorIndex.load(path, 7) is None
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert VectorIndex.load(path, 7) is None
    path.write_bytes(whole)
    assert VectorIndex.load(path, 7) is not None


@pytest.mark.parametrize("note", ["", "{", "[]", "null", "{}", json.dumps({"generation": 7})])
def test_a_damaged_note_is_noticed(tmp_path: Path, note: str) -> None:
    keys, vectors = vectors_of(30, 1)
    VectorIndex.build(keys, vectors, 7).save(tmp_path / "index.faiss")
    (tmp_path / "index.json").write_text(note, "utf-8")
    assert VectorIndex.load(tmp_path / "index.faiss", 7) is None


def test_a_place_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    keys, vectors = vectors_of(3, 1)
    with pytest.raises(LibraryError, match=r"向量索引写不进.*报告都已入库"):
        VectorIndex.build(keys, vectors, 7).save(tmp_path / "没有这个文件夹" / "index.faiss")


def test_holds_tells_keys_and_vectors_apart() -> None:
    keys, vectors = vectors_of(30, 1)
    index = VectorIndex.build(keys, vectors, 7)
    assert index.holds(keys, vectors)
    other_keys, other_vectors = keys.copy(), vectors.copy()
    other_keys[5] += 100_000
    other_vectors[5, 0] += 1e-3
    assert not index.holds(other_keys, vectors)
    assert not index.holds(keys, other_vectors)
    assert not index.holds(keys[:-1], vectors[:-1])
