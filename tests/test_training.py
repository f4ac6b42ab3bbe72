from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import StandIn
from test_tagger import plain_samples

from nlp.adapter import Adapter, key_of
from nlp.corpus import corpus_files
from nlp.errors import InvalidInputError, NotFoundError, TaggerError
from nlp.learning import Scores, View
from nlp.records import Progress, Role, Topic
from nlp.tagger import HEADS, HeldOut, Sample, Tagger, Vocabulary, load_held_out
from nlp.training import _view, default_corpus, train, train_project_adapter

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN = "own_canteen"


class Plain(StandIn):
    """An encoder without weights and without an adapter, of its own."""

    fingerprint = "f" * 64
    base = fingerprint
    folder = Path("模型")

    def __init__(self, adapter: Adapter | None = None) -> None:
        self.adapter = adapter


def _use(patch: pytest.MonkeyPatch) -> Plain:
    """Give the trainings that follow this encoder, and few folds, of which the number does not matter here."""
    plain = Plain()
    patch.setattr("nlp.training.open_encoder", lambda _=None, **__: plain)
    patch.setattr("nlp.learning._FOLDS", 2)
    return plain


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Plain:
    """What trainings of this test use for their encoder."""
    return _use(monkeypatch)


def _write(folder: Path, samples: Sequence[Sample], name: str = "a.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(asdict(sample), ensure_ascii=False) for sample in samples]
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files with 420 passages."""
    folder = tmp_path_factory.mktemp("corpus")
    samples = plain_samples()
    _write(folder, samples[200:], "b.jsonl")
    return _write(folder, samples[:200])


def _hash(corpus: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(corpus.glob("*.jsonl")))).hexdigest()


# ----------------------------------------------------------------------------------------------------------- the tagger


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Scores, list[str]]:
    """Where two trainings wrote, how well the tagger does and what was said meanwhile."""
    folder = tmp_path_factory.mktemp("trained")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        _use(patch)
        first, scores = train(corpus, folder / "first", say=said.append)
        second, again = train(corpus, folder / "second", say=lambda _: None)
    assert (first, second, again) == (folder / "first", folder / "second", scores)
    return first, second, scores, said


def test_training_writes_the_same_files_twice(trained: tuple[Path, Path, Scores, list[str]]) -> None:
    first, second, _, said = trained
    names = ["held_out.safetensors", "manifest.json", "model.safetensors", "usual.safetensors", "vocabulary.json"]
    assert sorted(path.name for path in first.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert any("420" in line for line in said)


def test_the_manifest_says_from_what_and_how_well(trained: tuple[Path, Path, Scores, list[str]], corpus: Path) -> None:
    folder, _, scores, _ = trained
    encoder = Plain()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["corpus"] == {"files": ["a.jsonl", "b.jsonl"], "passages": 420, "sha256": _hash(corpus)}
    assert (manifest["encoder"], manifest["encoder_name"]) == (encoder.fingerprint, "stand-in")
    assert (manifest["corrections"], manifest["adapter"], manifest["seed"]) == (0, None, 0)
    assert manifest["cross_validation"] == asdict(scores)
    assert (scores.n, scores.groups, scores.role_accuracy, scores.topic_accuracy) == (420, 10, 1.0, 1.0)
    assert dt.date.fromisoformat(manifest["created"]) <= dt.datetime.now(tz=dt.UTC).date()
    assert manifest["versions"]["numpy"] == version("numpy")
    assert {*manifest["files"]} == {"held_out.safetensors", "model.safetensors", "usual.safetensors", "vocabulary.json"}
    held = load_held_out(folder)
    roles = [sample.role for sample in plain_samples()]
    assert [list(Role)[i] for i in held.roles.argmax(axis=1)] == roles
    tagger = Tagger.load(folder)
    (tags,) = tagger.predict([Sample("存在不足，食堂伙食没有做好")], encoder.encode(["存在不足，食堂伙食没有做好"]))
    assert (tags.role, tags.primary, tags.topics[0].subtopic) == (Role.PROBLEM, Topic.INTERNAL_CONTROL, OWN)


@pytest.mark.usefixtures("encoder")
def test_corrections_are_learnt_and_counted_and_stay_the_users(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIXIAO_MODELS", str(tmp_path / "models"))
    more = [
        Sample(f"晚霞第{i}次映红山塘", ("五、存在的问题",), Role.PROBLEM, Topic.OTHER, (), "own_sunset", f"改{i % 3}")
        for i in range(9)
    ]
    folder, scores = train(corpus, more=more, say=lambda _: None)
    assert folder == tmp_path / "models" / "taggers" / ("f" * 16)
    tagger = Tagger.load(folder)
    assert (tagger.manifest["corrections"], tagger.manifest["corpus"]["sha256"]) == (9, _hash(corpus))
    assert (scores.n, scores.groups) == (429, 13)
    assert ("own_sunset", Topic.OTHER) in tagger.subtopics
    asked = Sample("晚霞第7次映红山塘")
    (tags,) = tagger.predict([asked], Plain().encode([asked.text]))
    assert (tags.primary, tags.topics[0].subtopic) == (Topic.OTHER, "own_sunset")


@pytest.mark.usefixtures("encoder")
def test_what_cannot_be_learnt_from_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(NotFoundError, match="标注语料的文件夹"):
        train(tmp_path / "无", out)
    folder = _write(tmp_path / "corpus", plain_samples()[:42])
    with pytest.raises(TaggerError, match="来源组"):
        train(folder, out, say=lambda _: None)
    (folder / "b.jsonl").write_text("{", "utf-8")
    with pytest.raises(InvalidInputError, match=r"b\.jsonl 第 1 行"):
        train(folder, out)
    assert not out.exists()


@pytest.mark.parametrize(("ours", "more"), [(True, 0), (False, 0), (True, 1)])
def test_the_projects_own_tagger_is_written_only_from_the_projects_own_corpus(
    encoder: Plain, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool, more: int
) -> None:
    empty: NDArray[np.float64] = np.zeros(0)
    scores = Scores(0, 0, *[0.0] * 7)
    written: list[Path] = []

    class Silent(Tagger):
        def save(
            self,
            folder: Path,
            manifest: dict[str, Any],  # noqa: ARG002
            held: HeldOut,  # noqa: ARG002
            usual: HeldOut | None = None,  # noqa: ARG002
        ) -> None:
            written.append(folder)

    tagger = Silent("", Vocabulary.fit(plain_samples()[:8]), {}, (), empty)
    monkeypatch.setattr("nlp.training.fit_tagger", lambda *_: (tagger, scores, None))
    monkeypatch.setattr("nlp.training.default_corpus", lambda: corpus.resolve() if ours else tmp_path)
    monkeypatch.setattr("nlp.training.catalogue", lambda: (encoder,))
    monkeypatch.setattr("nlp.training.trained_tagger", lambda _, *, is_default: tmp_path / str(is_default))
    folder, _ = train(corpus, more=plain_samples()[:more], say=lambda _: None)
    assert written == [folder] == [tmp_path / str(ours and not more)]


def test_the_projects_corpus_is_there() -> None:
    assert [path.suffix for path in corpus_files(default_corpus())][:2] == [".jsonl", ".jsonl"]


# ---------------------------------------------------------------------------------------------------------- its adapter


def _adapter(samples: Sequence[Sample], codes: Sequence[tuple[str, Topic]], dims: int = 2) -> Adapter:
    """An adapter that knows these subtopics and has seen these samples; its numbers are all different."""

    def numbers(*shape: int, start: float) -> NDArray[np.float32]:
        return (np.arange(np.prod(shape), dtype=np.float32) + start).reshape(shape)

    widths = {name: len(codes) if name == "subtopic" else 6 for name in HEADS}
    return Adapter(
        base="基础",
        changes={},
        projection=(numbers(dims, 1, start=0), numbers(1, start=0)),
        heads={name: (numbers(dims, width, start=10), numbers(width, start=100)) for name, width in widths.items()},
        subtopics=tuple(codes),
        held_out={name: numbers(len(samples), width, start=1000) for name, width in widths.items()},
        keys=np.array([key_of(sample) for sample in samples], dtype=np.uint64),
        manifest={"files": {"adapter.safetensors": "a" * 64}},
    )


def test_an_adapters_subtopics_are_put_in_the_taggers_order() -> None:
    def sample(text: str, topic: Topic, subtopic: str | None) -> Sample:
        return Sample(text, role=Role.PROBLEM, primary=topic, subtopic=subtopic, group="甲")

    samples = [
        sample("甲", Topic.OTHER, "own_signs"),  # the adapter has never seen it
        sample("乙", Topic.INTERNAL_CONTROL, "weak_rules"),
        sample("丙", Topic.BUDGET_EXECUTION, "diversion"),
        sample("丁", Topic.OTHER, None),
    ]
    known = [
        ("weak_rules", Topic.INTERNAL_CONTROL),
        ("vague_indicators", Topic.INDICATORS),  # no sample has it
        ("diversion", Topic.BUDGET_EXECUTION),
    ]
    adapter = _adapter(samples[1:2], known)
    vectors = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)
    view: View = _view(adapter, samples, vectors)
    # Held out for the second: 1000, 1001, 1002; by the heads (10, 11, 12 | 13, 14, 15 | 100, 101, 102) for the others.
    # The tagger's order is diversion, weak_rules, own_signs; the last is neither likely nor not, the mean of all three.
    assert view.logits["subtopic"].tolist() == [
        [102.0, 100.0, 101.0],
        [1002.0, 1000.0, 1001.0],
        [117.0, 113.0, 115.0],
        [129.0, 123.0, 126.0],
    ]
    weights, bias = view.heads["subtopic"]
    assert weights.tolist() == [[12.0, 10.0, 11.0], [15.0, 13.0, 14.0]]
    assert bias.tolist() == [102.0, 100.0, 101.0]
    assert view.logits["role"][1].tolist() == [1000.0, 1001.0, 1002.0, 1003.0, 1004.0, 1005.0]
    assert view.heads["role"] is adapter.heads["role"]


def test_an_encoder_with_an_adapter_hands_on_its_view(
    encoder: Plain, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = plain_samples()
    known = {sample.subtopic: sample.primary for sample in samples if sample.subtopic and sample.primary}
    encoder.adapter = _adapter(samples, sorted(known.items()), encoder.dims)
    given: list[View] = []

    def fit(samples: Sequence[Sample], vectors: NDArray[np.float32], name: str, view: View) -> Any:
        given.append(view)
        assert (len(samples), len(vectors), name) == (420, 420, encoder.fingerprint)
        raise TaggerError("够了")

    monkeypatch.setattr("nlp.training.fit_tagger", fit)
    with pytest.raises(TaggerError, match="够了"):
        train(corpus, tmp_path / "out", say=lambda _: None)
    assert given[0].logits["role"].tolist() == encoder.adapter.held_out["role"].tolist()


@pytest.mark.usefixtures("encoder")
def test_what_is_asked_about_is_learnt_from_the_texts_beside_the_corpus(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "labelled")
    texts = [(f"资金闲置{sign}", True) for sign in "甲乙丙丁"] + [(f"红烧肉{sign}", False) for sign in "甲乙丙丁"]
    lines = [json.dumps({"text": text, "inside": inside}, ensure_ascii=False) for text, inside in texts]
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "scope_training_a.jsonl").write_text("\n".join(lines), "utf-8")
    folder, _ = train(tmp_path / "labelled", tmp_path / "out", say=lambda _: None)
    tagger = Tagger.load(folder)
    assert tagger.scope is not None
    vector = np.zeros(len(tagger.scope.vector), dtype=np.float32)
    assert tagger.scope.odds("闲置资金", vector) > tagger.scope.odds("红烧肉", vector)
    assert (tagger.manifest["scope"]["files"], tagger.manifest["scope"]["texts"]) == (["scope_training_a.jsonl"], 8)


def test_the_projects_adapter_is_written_with_where_it_comes_from(
    encoder: Plain, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tuple(plain_samples())
    asked: list[Any] = []
    questions = corpus.parent / "queries"
    questions.mkdir()
    line = {"text": "钱年底才花出去", "style": "colloquial", "subtopic": "slow_spending"}
    (questions / "training_a.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", "utf-8")

    def stand_in(*given: Any) -> Adapter:
        base, fingerprint, found, typed, plain, progress = given
        asked.extend((base, fingerprint, found, typed, plain.shape[0]))
        progress(Progress(1, 1))
        return _adapter(found, [(OWN, Topic.INTERNAL_CONTROL)])

    told: list[Progress] = []
    monkeypatch.setattr("nlp.training.train_adapter", stand_in)
    monkeypatch.setattr("nlp.training.default_adapter", lambda: tmp_path / "ours")
    assert train_project_adapter(corpus, progress=told.append) == tmp_path / "ours"
    question = Sample("钱年底才花出去", primary=Topic.BUDGET_EXECUTION, subtopic="slow_spending")
    assert asked == [encoder.folder, encoder.base, samples, (question,), 421]
    assert told == [Progress(1, 1)]
    adapter = Adapter.load(tmp_path / "ours")
    assert adapter.manifest["corpus"] == {"files": ["a.jsonl", "b.jsonl"], "passages": 420, "sha256": _hash(corpus)}
    assert (adapter.manifest["questions"]["files"], adapter.manifest["questions"]["texts"]) == (
        ["training_a.jsonl"],
        1,
    )
    assert (adapter.base, adapter.keys[0]) == ("基础", key_of(samples[0]))
    assert train_project_adapter(corpus, tmp_path / "theirs") == tmp_path / "theirs"
    with pytest.raises(NotFoundError, match="标注"):
        train_project_adapter(tmp_path / "无")
