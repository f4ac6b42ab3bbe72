"""Training the tagger from labelled passages, with a manifest that says from what and how well."""

from __future__ import annotations

import datetime as dt
import hashlib
import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from nlp.analyst import trained_tagger
from nlp.encoder import catalogue, open_encoder
from nlp.errors import NotFoundError
from nlp.tagger import Scores, Tagger, core, read_samples


def default_corpus() -> Path:
    """Return the folder of labelled passages in a checkout of the project."""
    return Path(__file__).resolve().parents[1] / "corpora" / "labelled"


def train(
    corpus: Path, folder: Path | None = None, encoder: str | None = None, say: Callable[[str], None] = print
) -> tuple[Path, Scores]:
    """Train a tagger on all JSON Lines files of a folder; return where it was written, and its cross-validated scores.

    Args:
        corpus: The folder of labelled passages.
        folder: Where to write; see :func:`nlp.analyst.trained_tagger` for where that is if it is not said.
        encoder: Name or folder of the encoder; the default one if there is none.
        say: Called with a line before each long step.

    The same corpus, encoder and versions give the same files, byte for byte, on the same machine.

    Raises:
        NotFoundError: If the corpus has no files.
        TaggerError: If it cannot be used.
    """
    paths = sorted(corpus.glob("*.jsonl"))
    if not paths:
        raise NotFoundError(f"{corpus} 里没有 .jsonl 标注文件；请用 --corpus 指明标注语料的文件夹")
    samples = read_samples(paths)
    say(f"标注条目 {len(samples)} 条，正在编码……")
    model = open_encoder(encoder)
    vectors = model.encode([core(sample.text) for sample in samples])
    say("正在训练并按来源组交叉验证……")
    tagger, scores = Tagger.fit(samples, vectors, model.fingerprint)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
    manifest = {
        "created": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "corpus": {"files": [path.name for path in paths], "passages": len(samples), "sha256": digest.hexdigest()},
        "encoder_name": model.name,
        "cross_validation": asdict(scores),
        "seed": 0,
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("jixiao", "scikit-learn", "numpy", "sentence-transformers")},
    }
    folder = folder or trained_tagger(model, is_default=model.name == catalogue()[0].name)
    tagger.save(folder, manifest)
    return folder, scores
