from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nlp import index as room
from nlp.errors import LibraryError
from nlp.index import VectorIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DIMS = 24


def vectors_of(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keys with gaps, and rows of length 1."""
    source = np.random.default_rng(seed)
    rows = source.normal(size=(count, DIMS)).astype(np.float32)
    keys = np.sort(source.choice(10 * count, size=count, replace=False)).astype(np.int64)
    return keys, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chunks(
    keys: NDArray[np.int64], vectors: NDArray[np.float32], size: int = 64
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for begin in range(0, len(keys), size):
        yield keys[begin : begin + size], vectors[begin : begin + size]


def saved(folder: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32], generation: int = 7) -> VectorIndex:
    return VectorIndex.save(folder, chunks(keys, vectors), DIMS, generation)


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
    index = VectorIndex(keys, vectors, 1)
    for query in vectors_of(10, seed + 100)[1]:
        found, scores = index.search(query, count)
        wanted, exact = brute(keys, vectors, query, count)
        assert found.tolist() == wanted
        np.testing.assert_allclose(scores, exact, atol=1e-6)


@pytest.mark.parametrize("allowed_count", [1, 2, 59, 599, 600])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force_within_a_filter(seed: int, allowed_count: int) -> None:
    keys, vectors = vectors_of(600, seed)
    index = VectorIndex(keys, vectors, 1)
    places = np.sort(np.random.default_rng(seed).choice(600, size=allowed_count, replace=False))
    for query in vectors_of(10, seed + 100)[1]:
        found, scores = index.search(query, 50, keys[places])
        wanted, exact = brute(keys[places], vectors[places], query, 50)
        assert found.tolist() == wanted
        np.testing.assert_allclose(scores, exact, atol=1e-6)


def test_a_filter_that_lets_nothing_through_finds_nothing() -> None:
    keys, vectors = vectors_of(20, 0)
    found, scores = VectorIndex(keys, vectors, 1).search(vectors[0], 5, np.zeros(0, dtype=np.int64))
    assert (found.tolist(), scores.tolist()) == ([], [])


def test_a_filter_may_name_keys_that_are_not_there() -> None:
    keys, vectors = vectors_of(20, 0)
    allowed = np.array([keys[3], keys.max() + 1, keys.max() + 2])
    found, _ = VectorIndex(keys, vectors, 1).search(vectors[3], 5, allowed)
    assert found.tolist() == [keys[3]]


def test_ties_all_come() -> None:
    keys, vectors = vectors_of(50, 3)
    vectors[10:20] = vectors[10]
    found, scores = VectorIndex(keys, vectors, 1).search(vectors[10], 10)
    assert sorted(found.tolist()) == keys[10:20].tolist()
    np.testing.assert_allclose(scores, np.ones(10), atol=1e-6)


def test_ties_beyond_the_count_are_cut() -> None:
    keys, vectors = vectors_of(50, 3)
    vectors[10:20] = vectors[10]
    found, _ = VectorIndex(keys, vectors, 1).search(vectors[10], 4)
    assert len(set(found.tolist())) == 4
    assert set(found.tolist()) <= set(keys[10:20].tolist())


@pytest.mark.parametrize("allowed_count", [None, 30, 599])
def test_what_came_later_is_found_like_the_rest(allowed_count: int | None) -> None:
    keys, vectors = vectors_of(600, 1)
    index = VectorIndex(keys[:200], vectors[:200], 1).extended(chunks(keys[200:450], vectors[200:450]), 2)
    index = index.extended(chunks(keys[450:], vectors[450:]), 3)
    assert (len(index), index.generation, index.last_key) == (600, 3, keys[-1])
    places = (
        np.arange(600) if allowed_count is None else np.sort(np.random.default_rng(0).permutation(600)[:allowed_count])
    )
    for query in vectors_of(10, 5)[1]:
        found, scores = index.search(query, 20, None if allowed_count is None else keys[places])
        wanted, exact = brute(keys[places], vectors[places], query, 20)
        assert found.tolist() == wanted
        np.testing.assert_allclose(scores, exact, atol=1e-6)


def test_an_empty_index_finds_nothing_and_survives_saving(tmp_path: Path) -> None:
    saved(tmp_path, np.zeros(0, dtype=np.int64), np.zeros((0, DIMS), dtype=np.float32), 4)
    loaded = VectorIndex.load(tmp_path)
    assert loaded is not None
    assert (len(loaded), loaded.dims, loaded.generation, loaded.last_key) == (0, DIMS, 4, 0)
    assert loaded.search(np.ones(DIMS, dtype=np.float32), 3)[0].tolist() == []


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    keys, vectors = vectors_of(200, 1)
    index = saved(tmp_path, keys, vectors)
    loaded = VectorIndex.load(tmp_path)
    assert loaded is not None
    assert (loaded.generation, len(loaded)) == (7, 200)
    for query in vectors_of(10, 2)[1]:
        for before, after in zip(index.search(query, 20), loaded.search(query, 20), strict=True):
            np.testing.assert_array_equal(before, after)
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == ["keys", "note.json", "vectors"]


@pytest.mark.parametrize("many", [10**6, 100])
def test_appended_or_written_at_once_it_answers_the_same(
    tmp_path: Path, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_MANY", many)
    keys, vectors = vectors_of(900, 1)
    saved(tmp_path, keys[:300], vectors[:300], 1)
    for end, generation in ((700, 2), (900, 3)):
        loaded = VectorIndex.load(tmp_path)
        assert loaded is not None
        begin = len(loaded)
        VectorIndex.save(tmp_path, chunks(keys[begin:end], vectors[begin:end]), DIMS, generation, onto=loaded)
    loaded = VectorIndex.load(tmp_path)
    assert loaded is not None
    assert loaded.holds(chunks(keys, vectors))
    kinds = {"keys", "note.json", "vectors"} | ({"cells"} if many == 100 else set())
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == kinds
    for query in vectors_of(10, 2)[1]:
        assert loaded.search(query, 5)[0].tolist() == brute(keys, vectors, query, 5)[0]


def test_a_reader_of_the_old_index_is_not_disturbed(tmp_path: Path) -> None:
    keys, vectors = vectors_of(300, 1)
    old = saved(tmp_path, keys[:100], vectors[:100], 1)
    before = [old.search(query, 5)[0].tolist() for query in vectors]
    again = VectorIndex.load(tmp_path)
    VectorIndex.save(tmp_path, chunks(keys[100:], vectors[100:]), DIMS, 2, onto=again)
    assert [old.search(query, 5)[0].tolist() for query in vectors] == before
    saved(tmp_path, keys[200:], vectors[200:], 3)
    assert [old.search(query, 5)[0].tolist() for query in vectors] == before


def test_among_many_the_cells_find_nearly_all_and_a_filter_all(tmp_path: Path) -> None:
    """Vectors in heaps, as those of texts are."""
    source = np.random.default_rng(0)
    heaps = vectors_of(400, 1)[1]
    vectors = heaps[source.integers(0, 400, 40_000)] + 0.1 * source.normal(size=(40_000, DIMS)).astype(np.float32)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    keys = np.arange(1, 40_001)
    index = saved(tmp_path, keys, vectors)
    assert index.cells.ntotal == 40_000
    allowed = keys[source.permutation(40_000)[:1500]]
    allowed.sort()
    hits = 0
    for query in vectors[::2000]:
        hits += len({*index.search(query, 10)[0]} & {*brute(keys, vectors, query, 10)[0]})
        assert index.search(query, 10, allowed)[0].tolist() == brute(allowed, vectors[allowed - 1], query, 10)[0]
    assert hits >= 0.98 * 200


def test_any_cut_is_noticed_and_any_flipped_bit_of_keys_and_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_MANY", 20)
    index = saved(tmp_path, *vectors_of(30, 1))
    assert index.note is not None
    source = np.random.default_rng(0)
    for part, name in index.note.files.items():
        whole = (tmp_path / name).read_bytes()
        for place in source.choice(len(whole), size=40, replace=False) if part != "vectors" else ():
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(source.integers(8))
            (tmp_path / name).write_bytes(damaged)
            assert VectorIndex.load(tmp_path) is None
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:length])
            assert VectorIndex.load(tmp_path) is None
        (tmp_path / name).unlink()
        assert VectorIndex.load(tmp_path) is None
        (tmp_path / name).write_bytes(whole)
        assert VectorIndex.load(tmp_path) is not None


def note_of(**changes: object) -> str:
    said = {
        "generation": 7,
        "rows": 30,
        "dims": DIMS,
        "learnt": 0,
        "files": {"vectors": "v", "keys": "k"},
        "sha256": {},
    }
    return json.dumps({**said, **changes})


@pytest.mark.parametrize(
    "note",
    [
        *("", "{", "[]", "null", "{}", json.dumps({"generation": 7})),
        *(note_of(rows=-1), note_of(dims="24"), note_of(files={"vectors": "../v", "keys": "k"}), note_of(files=[])),
    ],
)
def test_a_damaged_note_is_noticed(tmp_path: Path, note: str) -> None:
    saved(tmp_path, *vectors_of(30, 1))
    (tmp_path / "note.json").write_text(note, "utf-8")
    assert VectorIndex.load(tmp_path) is None


def test_vectors_beyond_the_note_are_not_there_yet(tmp_path: Path) -> None:
    """As a process leaves them that is killed while it appends."""
    keys, vectors = vectors_of(60, 1)
    index = saved(tmp_path, keys[:30], vectors[:30], 1)
    assert index.note is not None
    with (tmp_path / index.note.files["vectors"]).open("ab") as file:
        file.write(os.urandom(1000))
    loaded = VectorIndex.load(tmp_path)
    assert loaded is not None
    assert loaded.holds(chunks(keys[:30], vectors[:30]))
    whole = VectorIndex.save(tmp_path, chunks(keys[30:], vectors[30:]), DIMS, 2, onto=loaded)
    assert whole.holds(chunks(keys, vectors))


def test_a_dropped_index_is_absent(tmp_path: Path) -> None:
    saved(tmp_path, *vectors_of(30, 1))
    VectorIndex.drop(tmp_path)
    assert VectorIndex.load(tmp_path) is None


def test_a_place_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"向量索引写不进.*读过的报告都已入库"):
        saved(tmp_path / "没有这个文件夹" / "index", *vectors_of(3, 1))


def test_holds_tells_keys_and_vectors_apart(tmp_path: Path) -> None:
    keys, vectors = vectors_of(40, 1)
    index = saved(tmp_path, keys, vectors)
    assert index.holds(chunks(keys, vectors))
    assert not index.holds(chunks(keys + 1, vectors))
    assert not index.holds(chunks(keys, -vectors))
    assert not index.holds(chunks(keys[:-1], vectors[:-1]))
    assert not index.holds(chunks(*vectors_of(80, 1)))
