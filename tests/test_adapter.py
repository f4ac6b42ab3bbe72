from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from test_tagger import plain_samples

from nlp import adapter as room
from nlp.adapter import Adapter, apply_changes, default_adapter, key_of, train_adapter
from nlp.analyst import default_tagger
from nlp.encoder import FolderEncoder, open_encoder
from nlp.errors import EncoderError
from nlp.records import Progress, Topic
from nlp.tagger import HEADS, Sample, core

Vectors = NDArray[np.float32]
Logits = dict[str, Vectors]

TEXTS = ("存在不足，支付进度没有做好", "下一步将加强指标量化工作", "本单位负责收费管理事务")
# Four of each ten: every role, topic and group is among them.
SAMPLES = plain_samples()[::11]
QUESTIONS = (Sample("食堂的账怎么没人管", primary=Topic.INTERNAL_CONTROL, subtopic="own_canteen"),)


# --------------------------------------------------------------------------------- a small adapter that was never trained


def _adapter(samples: Sequence[Sample] = SAMPLES[:4]) -> Adapter:
    """An adapter for an encoder of three numbers, and a kind of two, with made-up values that halves can hold."""
    chance = np.random.default_rng(0)

    def some(*shape: int) -> Vectors:
        return np.asarray(chance.integers(-8, 8, size=shape) / 4, dtype=np.float32)

    widths = {"role": 6, "primary": 6, "present": 6, "subtopic": 2}
    return Adapter(
        base="基础",
        changes={"layer.b.weight": (some(4, 2), some(2, 3)), "layer.a.weight": (some(3, 2), some(2, 3))},
        projection=(some(3, 2), some(2)),
        heads={name: (some(5, width), some(width)) for name, width in widths.items()},
        subtopics=(("diversion", Topic.BUDGET_EXECUTION), ("own_signs", Topic.OTHER)),
        held_out={name: some(len(samples), width) for name, width in widths.items()},
        keys=np.array([key_of(sample) for sample in samples], dtype=np.uint64),
    )


def _equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        all(np.array_equal(a, b) for a, b in zip(first[name], second[name], strict=True)) for name in first
    )


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    adapter = _adapter()
    adapter.save(tmp_path / "a", {"note": "测试"})
    loaded = Adapter.load(tmp_path / "a")
    assert (loaded.base, loaded.subtopics, loaded.manifest["note"]) == ("基础", adapter.subtopics, "测试")
    assert _equal(loaded.changes, adapter.changes)
    assert [array.tolist() for array in loaded.projection] == [array.tolist() for array in adapter.projection]
    assert _equal(loaded.heads, adapter.heads)
    assert _equal(loaded.held_out, adapter.held_out)
    assert loaded.keys.tolist() == adapter.keys.tolist()
    assert loaded.fingerprint == hashlib.sha256((tmp_path / "a" / "adapter.safetensors").read_bytes()).hexdigest()
    loaded.save(tmp_path / "b", {"note": "测试"})
    names = ["adapter.safetensors", "held_out.safetensors", "manifest.json"]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


@pytest.mark.parametrize("name", ["adapter.safetensors", "held_out.safetensors"])
def test_one_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    _adapter().save(tmp_path, {})
    data = bytearray((tmp_path / name).read_bytes())
    data[-1] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(EncoderError, match=rf"读不出适配器 .*{name} 与清单的 SHA-256 不符.*jixiao train --adapter"):
        Adapter.load(tmp_path)


@pytest.mark.parametrize("name", ["adapter.safetensors", "held_out.safetensors", "manifest.json"])
def test_a_file_that_is_cut_off_or_missing_is_noticed(tmp_path: Path, name: str) -> None:
    _adapter().save(tmp_path, {})
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EncoderError, match="jixiao train --adapter"):
        Adapter.load(tmp_path)
    path.unlink()
    with pytest.raises(EncoderError, match="jixiao train --adapter"):
        Adapter.load(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", '{"files": []}'])
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    _adapter().save(tmp_path, {})
    (tmp_path / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(EncoderError, match="读不出适配器"):
        Adapter.load(tmp_path)


def test_a_passage_is_known_by_its_group_and_what_the_encoder_sees() -> None:
    sample = Sample("（一）指标笼统", ("五、问题",), group="甲")
    assert key_of(sample) == key_of(Sample("2、指标笼统", group="甲"))
    digest = hashlib.sha256("甲\n指标笼统".encode()).digest()
    assert key_of(sample) == int.from_bytes(digest[:8], "little")
    assert len({key_of(sample), key_of(replace(sample, group="乙")), key_of(replace(sample, text="指标空泛"))}) == 3


def test_of_known_passages_it_says_what_was_held_out() -> None:
    adapter = _adapter()
    asked = [SAMPLES[2], SAMPLES[7], SAMPLES[0], replace(SAMPLES[1], group="别处")]
    vectors = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1] * 5], dtype=np.float32)
    found = adapter.logits(asked, vectors)
    assert {*found} == {*HEADS}
    for name, (weights, bias) in adapter.heads.items():
        assert found[name][0].tolist() == adapter.held_out[name][2].tolist()
        assert found[name][1].tolist() == (weights[1] + bias).tolist()
        assert found[name][2].tolist() == adapter.held_out[name][0].tolist()
        assert found[name][3].tolist() == (weights.sum(axis=0) + bias).tolist()


def test_a_vector_has_what_is_said_and_its_kind() -> None:
    adapter = _adapter()
    chance = np.random.default_rng(1)
    pooled = chance.normal(size=(2, 6)).astype(np.float32)
    pooled[:, :3] /= np.linalg.norm(pooled[:, :3], axis=1, keepdims=True)
    vectors = adapter.join(pooled)
    assert (adapter.kind_dims, vectors.shape) == (2, (2, 5))
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(2), abs=1e-6)
    kind = pooled[:, 3:] @ adapter.projection[0] + adapter.projection[1]
    kind /= np.linalg.norm(kind, axis=1, keepdims=True)
    assert vectors[:, 3:] == pytest.approx(np.sqrt(0.25) * kind, abs=1e-6)
    assert vectors[0] @ vectors[1] == pytest.approx(0.75 * (pooled[0, :3] @ pooled[1, :3]) + 0.25 * (kind[0] @ kind[1]))


def test_changes_are_added_to_the_weights_that_they_name() -> None:
    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            names = {"a": torch.nn.Linear(3, 3), "b": torch.nn.Linear(3, 4), "c": torch.nn.Linear(3, 3)}
            self.layer = torch.nn.ModuleDict(names)

    model, adapter = Layers(), _adapter()
    before = {name: parameter.detach().clone().numpy() for name, parameter in model.named_parameters()}
    apply_changes(model, adapter)
    for name, parameter in model.named_parameters():
        left, right = adapter.changes.get(name, (np.zeros((1, 1)), np.zeros((1, 1))))
        expected = before[name] + (left @ right if name in adapter.changes else 0)
        assert parameter.detach().numpy() == pytest.approx(expected, abs=1e-6), name


# ---------------------------------------------------------------------------------------------- which copy has seen what


@dataclass
class _Copy:
    """Stands in for a copy of the encoder: says of a passage whether it was trained on one of the same group."""

    base: Path
    targets: Any
    made: ClassVar[list[_Copy]] = []

    def __post_init__(self) -> None:
        self.groups: set[str] = set()
        self.rows: list[int] = []
        self.made.append(self)

    def fit(self, rows: NDArray[np.int64], step: Callable[[], None]) -> None:
        self.rows = rows.tolist()
        self.groups = {SAMPLES[row].group for row in self.rows if row < len(SAMPLES)}
        for _ in range(room._steps(len(rows))):
            step()

    def logits(self, rows: NDArray[np.int64]) -> Logits:
        seen = np.array([[SAMPLES[row].group in self.groups, row] for row in rows], dtype=np.float32)
        return {name: np.repeat(seen[:, :1], self.targets.width(name), axis=1) * 1000 + seen[:, 1:] for name in HEADS}

    def changes(self) -> dict[str, tuple[Vectors, Vectors]]:
        return {}

    def projection(self) -> tuple[Vectors, Vectors]:
        return np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.float32)

    def heads(self) -> dict[str, tuple[Vectors, Vectors]]:
        return {}


def test_what_is_held_out_comes_from_copies_that_had_not_seen_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_Trained", _Copy)
    monkeypatch.setattr(_Copy, "made", [])
    told: list[Progress] = []
    plain = np.zeros((len(SAMPLES) + 1, 3), dtype=np.float32)
    adapter = train_adapter(Path("模型"), "基础", SAMPLES, QUESTIONS, plain, told.append)
    every = {sample.group for sample in SAMPLES}
    *copies, final = _Copy.made
    assert len(copies) == 3
    assert sorted(row for copy in copies for row in set(range(len(SAMPLES))) - set(copy.rows)) == [*range(len(SAMPLES))]
    assert all(len(SAMPLES) in copy.rows for copy in _Copy.made)  # all learn from the question
    assert set.union(*(every - copy.groups for copy in copies)) == every
    assert final.rows == [*range(len(SAMPLES) + 1)]
    codes = sorted({sample.subtopic for sample in SAMPLES if sample.subtopic})
    assert [code for code, _ in adapter.subtopics] == codes
    for name, width in {"role": 6, "primary": 6, "present": 6, "subtopic": len(codes)}.items():
        rows = np.arange(len(SAMPLES), dtype=np.float32)[:, None]
        assert np.array_equal(adapter.held_out[name], np.repeat(rows, width, axis=1)), (
            name
        )  # 1000 more, had it been seen
    assert adapter.keys.tolist() == [key_of(sample) for sample in SAMPLES]
    assert [progress.done for progress in told] == [*range(1, told[-1].total + 1)]


# ------------------------------------------------------------------------------------------------- the real encoder's own


@pytest.fixture(scope="module")
def plain() -> FolderEncoder:
    """The default encoder as it was fetched."""
    return open_encoder(adapted=False)


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """One epoch, two parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_EPOCHS", 1)
        patch.setattr(room, "_FOLDS", 2)
        yield


def _train(plain: FolderEncoder, folder: Path) -> Path:
    vectors = plain.encode([core(sample.text) for sample in (*SAMPLES, *QUESTIONS)])
    adapter = train_adapter(plain.folder, plain.base, SAMPLES, QUESTIONS, vectors, lambda _: None)
    adapter.save(folder, {})
    return folder


@pytest.fixture(scope="module")
def trained(short: None, plain: FolderEncoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Logits]:  # noqa: ARG001
    """Where an adapter of 39 passages was written, and what the copy that it was taken from says of them."""
    made: list[Any] = []

    class Watched(room._Trained):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_Trained", Watched)
        folder = _train(plain, tmp_path_factory.mktemp("trained"))
    return folder, made[-1].logits(np.arange(len(SAMPLES)))


def _encoder(plain: FolderEncoder, adapter: Adapter | None) -> FolderEncoder:
    return FolderEncoder(plain.name, plain.base, plain.dims, plain.folder, "", adapter)


@pytest.mark.encoder
@pytest.mark.usefixtures("short")
def test_the_same_samples_give_the_same_adapter(
    trained: tuple[Path, Logits], plain: FolderEncoder, tmp_path: Path
) -> None:
    again = _train(plain, tmp_path)
    for name in ("adapter.safetensors", "held_out.safetensors", "manifest.json"):
        assert (again / name).read_bytes() == (trained[0] / name).read_bytes(), name
    manifest = json.loads((trained[0] / "manifest.json").read_text("utf-8"))
    assert manifest["base"] == plain.base
    assert dict(manifest["subtopics"])["own_canteen"] == "internal_control"


@pytest.mark.encoder
def test_changes_move_the_vectors_and_nothing_else_does(
    trained: tuple[Path, Logits], plain: FolderEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIXIAO_MODELS", str(tmp_path))  # what is converted here is of no use to anyone else
    adapter = Adapter.load(trained[0])
    before, after = plain.encode(TEXTS), _encoder(plain, adapter).encode(TEXTS)
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    said = after[:, : plain.dims] / np.sqrt(0.75)
    assert float(np.linalg.norm(said - before, axis=1).min()) > 1e-3
    assert float((said * before).sum(axis=1).min()) > 0.8  # what is said stays near
    still = {name: (left * 0, right) for name, (left, right) in adapter.changes.items()}
    other = {**adapter.manifest, "files": {"adapter.safetensors": "another"}}
    unchanged = _encoder(plain, replace(adapter, changes=still, manifest=other)).encode(TEXTS)
    assert np.einsum("ij,ij->i", unchanged[:, : plain.dims], before).min() > 0.999 * np.sqrt(0.75)
    assert np.array_equal(_encoder(plain, None).encode(TEXTS), before)
    # Every linear layer of the four is changed: query, key, value and their output, in and out of the wide layer.
    layers = {name.split(".")[2] for name in adapter.changes}
    assert len(adapter.changes) == 6 * len(layers)


@pytest.mark.encoder
def test_its_heads_fit_the_vectors_of_the_adapted_encoder(trained: tuple[Path, Logits], plain: FolderEncoder) -> None:
    folder, said = trained
    adapter = Adapter.load(folder)
    vectors = _encoder(plain, adapter).encode([core(sample.text) for sample in SAMPLES])
    elsewhere = [replace(sample, group="别处") for sample in SAMPLES]
    found, held = adapter.logits(elsewhere, vectors), adapter.logits(SAMPLES, vectors)
    for name in HEADS:
        assert found[name] == pytest.approx(said[name], abs=0.1), name  # training may count in halves
        assert np.array_equal(held[name], adapter.held_out[name])
        assert float(np.abs(held[name] - found[name]).max()) > 0.1, name


@pytest.mark.encoder
def test_the_encoder_is_opened_with_its_adapter(
    trained: tuple[Path, Logits], plain: FolderEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = trained
    monkeypatch.setattr("nlp.encoder.default_adapter", lambda: folder)
    adapted = open_encoder()
    assert adapted.adapter is not None
    changes = hashlib.sha256((folder / "adapter.safetensors").read_bytes()).hexdigest()
    assert adapted.fingerprint == hashlib.sha256(f"{plain.base}+{changes}".encode()).hexdigest()
    assert open_encoder(adapted=False).fingerprint == plain.fingerprint == plain.base
    _adapter().save(tmp_path / "other", {})  # of another encoder
    for other in (tmp_path / "other", tmp_path / "无"):
        monkeypatch.setattr("nlp.encoder.default_adapter", lambda other=other: other)
        assert open_encoder().adapter is None
    (tmp_path / "other" / "held_out.safetensors").unlink()
    monkeypatch.setattr("nlp.encoder.default_adapter", lambda: tmp_path / "other")
    with pytest.raises(EncoderError, match="读不出适配器"):
        open_encoder()


@pytest.mark.encoder
def test_the_project_comes_with_an_adapter_of_its_default_encoder(plain: FolderEncoder) -> None:
    adapter = Adapter.load(default_adapter())
    assert adapter.base == plain.base
    assert len(adapter.keys) == adapter.manifest["corpus"]["passages"]
    tagger = json.loads((default_tagger() / "manifest.json").read_text("utf-8"))
    assert tagger["adapter"] == adapter.fingerprint
