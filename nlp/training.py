"""Training the adapter and the tagger from labelled passages, with manifests that say from what and how well."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nlp.adapter import Adapter, default_adapter, train_adapter
from nlp.analyst import trained_tagger
from nlp.corpus import (
    corpus_files,
    corpus_hash,
    question_files,
    read_questions,
    read_samples,
    read_scope,
    scope_files,
)
from nlp.encoder import FolderEncoder, catalogue, open_encoder
from nlp.evaluation import gold_reports, said_of
from nlp.learning import Scores, View, fit_scope, fit_tagger
from nlp.records import Progress
from nlp.scope import Scope
from nlp.tagger import TOPICS, Sample, core
from nlp.terms import Matrix


def default_corpus() -> Path:
    """Return the folder of labelled passages in a checkout of the project."""
    return Path(__file__).resolve().parents[1] / "corpora" / "labelled"


def train(
    corpus: Path,
    folder: Path | None = None,
    encoder: str | None = None,
    more: Sequence[Sample] = (),
    say: Callable[[str], None] = print,
) -> tuple[Path, Scores]:
    """Train a tagger on all JSON Lines files of a folder; return where it was written, and its cross-validated scores.

    Args:
        corpus: The folder of labelled passages.
        folder: Where to write; if it is not said, the project's own tagger where corpus and encoder are the project's,
            else the user's.
        encoder: Name or folder of the encoder; the default one if there is none.
        more: Further samples: what people corrected.
        say: Called with a line before each long step.

    The same corpus, encoder and versions give the same files, byte for byte, on the same machine.

    Raises:
        NotFoundError: If the corpus has no files.
        InvalidInputError: If a line of it cannot be understood.
        TaggerError: If it cannot be learnt from.
    """
    paths = corpus_files(corpus)
    samples = [*read_samples(paths), *more]
    say(f"标注条目 {len(samples)} 条，正在编码……")
    model = open_encoder(encoder)
    vectors = model.encode([core(sample.text) for sample in samples])
    say("正在训练并按来源组交叉验证……")
    view = _view(model.adapter, samples, vectors) if model.adapter else None
    tagger, scores, held = fit_tagger(samples, vectors, model.fingerprint, view)
    tagger.scope, learnt_from = _scope(corpus, model)
    manifest = {
        **_manifest(paths, samples, model),
        "corrections": len(more),
        "adapter": model.adapter.fingerprint if model.adapter else None,
        "scope": learnt_from,
        "cross_validation": asdict(scores),
    }
    own = corpus.resolve() == default_corpus()
    gold = corpus.parent / "gold"
    usual = said_of(tagger, gold_reports(gold), model) if own and gold.is_dir() else None
    if folder is None:
        ours = model.name == catalogue()[0].name and own and not more
        folder = trained_tagger(model, is_default=ours)
    tagger.save(folder, manifest, held, usual)
    return folder, scores


def train_project_adapter(
    corpus: Path, folder: Path | None = None, progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Train the adapter of the default encoder; return where it was written.

    The tagger has to be trained anew after it, and libraries begun anew: vectors with another adapter do not compare.

    Raises:
        NotFoundError: If the corpus has no files.
        InvalidInputError: If a line of it cannot be understood.
    """
    paths = corpus_files(corpus)
    questions_at = question_files(corpus)
    samples, questions = read_samples(paths), read_questions(questions_at)
    model = open_encoder(adapted=False)
    plain = model.encode([core(sample.text) for sample in (*samples, *questions)])
    adapter = train_adapter(model.folder, model.base, samples, questions, plain, progress)
    folder = folder or default_adapter()
    asked = _files(questions_at, len(questions))
    adapter.save(folder, {**_manifest(paths, samples, model), "questions": asked})
    return folder


def _scope(corpus: Path, model: FolderEncoder) -> tuple[Scope | None, dict[str, Any] | None]:
    """Return what is learnt from the texts beside a corpus, and what the manifest says of these; nothing where there are none."""
    paths = scope_files(corpus)
    if not paths:
        return None, None
    asked = [question.text for question in read_questions(question_files(corpus))]
    texts, inside = zip(*read_scope(paths), *((text, True) for text in asked), strict=True)
    vectors = np.stack([model.encode_query(core(text)) for text in texts])
    return fit_scope(texts, inside, vectors), _files(paths, len(texts))


def _files(paths: Sequence[Path], count: int) -> dict[str, Any]:
    return {"files": [path.name for path in paths], "texts": count, "sha256": corpus_hash(paths)}


def _view(adapter: Adapter, samples: Sequence[Sample], vectors: Matrix) -> View:
    """Return what the adapter says, with the subtopics in the tagger's order; one that it never saw is neither likely nor not."""
    logits, heads = adapter.logits(samples, vectors), dict(adapter.heads)
    places = {code: place for place, (code, _) in enumerate(adapter.subtopics)}
    known = {sample.subtopic: sample.primary for sample in samples if sample.subtopic and sample.primary}
    codes = sorted(known, key=lambda code: (TOPICS.index(known[code]), code))

    def ordered(array: Matrix) -> Matrix:
        if not codes:
            return array[..., :0]
        neutral = array.mean(axis=-1)
        return np.stack([array[..., places[code]] if code in places else neutral for code in codes], axis=-1)

    weights, bias = heads["subtopic"]
    logits["subtopic"], heads["subtopic"] = ordered(logits["subtopic"]), (ordered(weights), ordered(bias))
    return View(logits, heads)


def _manifest(paths: Sequence[Path], samples: Sequence[Sample], model: FolderEncoder) -> dict[str, Any]:
    return {
        "created": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "corpus": {"files": [path.name for path in paths], "passages": len(samples), "sha256": corpus_hash(paths)},
        "encoder_name": model.name,
        "seed": 0,
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {
            name: version(name) for name in ("jixiao", "scikit-learn", "numpy", "torch", "sentence-transformers")
        },
    }
