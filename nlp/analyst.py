"""Encoder and tagger together: what turns a report into a tagged and linked one, and a text into its tags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.adapter import unit
from nlp.encoder import Encoder, models_home, open_encoder
from nlp.errors import NlpError, TaggerError
from nlp.identity import Overrides
from nlp.linker import inherit_topics, link_causes, link_measures, share_topics
from nlp.pipeline import FileTask, read_files
from nlp.records import Correction, Link, Passage, Reason, Report, Tags
from nlp.review import decided_tags, key_of, path_of
from nlp.tagger import TOPICS, Evidence, HeldOut, Sample, Tagger, core, load_held_out, load_usual


@dataclass(frozen=True, slots=True)
class TaggedReport:
    """A report with all its links, the tags of its passages in their order, and which cause belongs to which problem."""

    report: Report
    tags: tuple[Tags, ...]
    causes: tuple[Reason, ...] = ()


class Analyst:
    """An encoder and the tagger that was trained on its vectors; both are loaded when first needed.

    Args:
        encoder: Name or folder of the encoder; the default one if there is none.
        tagger: Folder of the tagger; the one for the encoder if there is none.
    """

    def __init__(self, encoder: str | None = None, tagger: Path | None = None) -> None:
        self._encoder_name = encoder
        self._tagger_folder = tagger

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder."""
        return open_encoder(self._encoder_name)

    @cached_property
    def tagger(self) -> Tagger:
        """The tagger, which must have been trained on vectors of the encoder."""
        folder = self._tagger_folder or tagger_for(self.encoder)
        tagger = Tagger.load(folder)
        if tagger.encoder != self.encoder.fingerprint:
            raise TaggerError(
                f"标注模型 {folder} 是用另一个编码器训练的，与 {self.encoder.name} 不配；"
                f"请运行 jixiao train --encoder {self.encoder.name} 重新训练"
            )
        return tagger

    @cached_property
    def held_out(self) -> HeldOut:
        """What the tagger said of its corpus when it had not seen the groups."""
        return load_held_out(self._tagger_folder or tagger_for(self.encoder))

    @cached_property
    def usual(self) -> HeldOut:
        """What the tagger said of full reports that it had not learnt from."""
        return load_usual(self._tagger_folder or tagger_for(self.encoder))

    @cached_property
    def _weights(self) -> tuple[Encoder, Tagger]:
        self.encoder.encode_query("预热")
        return self.encoder, self.tagger

    def load(self) -> None:
        """Load the weights now and not with the first question."""
        _ = self._weights

    def tag(
        self, report: Report, vectors: NDArray[np.float32], decided: Mapping[str, Correction] | None = None
    ) -> TaggedReport:
        """Return a report tagged and linked; links that its ledgers settle are kept, all others are made anew.

        Args:
            report: The report.
            vectors: See below.
            decided: What people decided, by :func:`nlp.review.key_of`; it wins over the tagger.

        Shapes:
            ``vectors`` is ``(n_passages, dims)``: the embeddings of :func:`nlp.tagger.core` of each passage.
        """
        if not report.passages:
            return TaggedReport(report, ())
        samples = [_sample(passage) for passage in report.passages]
        known = [_decided(decided or {}, passage) for passage in report.passages]
        given = {passage.id for passage in report.passages if passage.role is not None}
        settled = [link for link in report.links if link.problem in given]
        content = self.content(vectors)
        chances = self.tagger.chances(samples, vectors)
        tags = self._settle(report, samples, chances, known, settled)
        links = (*settled, *link_measures(report.passages, tags, content))
        causes = link_causes(report.passages, tags, content)
        places = {passage.id: place for place, passage in enumerate(report.passages)}
        pairs = [
            *((places[link.problem], places[link.measure], link.score) for link in links),
            *((places[reason.problem], places[reason.cause], reason.score) for reason in causes),
        ]
        chances = {**chances, "primary": share_topics(_certain(chances["primary"], known), pairs)}
        tags = self._settle(report, samples, chances, known, settled)
        return TaggedReport(replace(report, links=links), tuple(tags), causes)

    def _settle(
        self,
        report: Report,
        samples: Sequence[Sample],
        chances: Mapping[str, NDArray[np.float64]],
        known: Sequence[Tags | None],
        settled: Sequence[Link],
    ) -> list[Tags]:
        """Return the tags that follow from probabilities, what people decided, and what a ledger's rows say."""
        tags = inherit_topics(report.passages, _put(known, self.tagger.decide(samples, chances)), settled)
        return _put(known, tags)  # a measure that was judged by itself keeps its own topic

    def content(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what of vectors tells what texts say, without the part that tells their kind; rows of length 1."""
        return unit(vectors[:, : self.encoder.dims - self.encoder.kind_dims])

    def kinds(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what of vectors tells what kind of thing texts are; rows of length 1, of no columns without an adapter."""
        return unit(vectors[:, self.encoder.dims - self.encoder.kind_dims :])

    def tag_texts(self, texts: Sequence[str]) -> list[tuple[Tags, tuple[Evidence, ...]]]:
        """Return tags and evidence of texts that stand alone."""
        samples = [Sample(text) for text in texts]
        vectors = self.encoder.encode([core(text) for text in texts])
        return self.tagger.explain(samples, vectors)

    def inspect(self, path: Path, overrides: Overrides | None = None) -> Iterator[TaggedReport | NlpError]:
        """Yield what the program sees in a file (in each file of an archive), or why it cannot be read; stored nowhere."""
        with closing(read_files([FileTask(path, overrides)], lambda _: {})) as files:
            for found in (found for _, every in files for found in every):
                if isinstance(found.outcome, Report):
                    texts = [core(passage.text) for passage in found.outcome.passages]
                    yield self.tag(found.outcome, self.encoder.encode(texts))
                elif isinstance(found.outcome, NlpError):
                    yield found.outcome


def default_tagger() -> Path:
    """Return the folder of the tagger that comes with the project: inside the package, or ``models/`` of a checkout."""
    packed = _packed_tagger()
    return packed if packed.is_dir() else Path(__file__).resolve().parents[1] / "models" / "tagger"


def tagger_for(encoder: Encoder) -> Path:
    """Return the folder of the tagger for an encoder: the user's own if there is one, else the project's."""
    own = own_tagger(encoder)
    return own if own.is_dir() else default_tagger()


def own_tagger(encoder: Encoder) -> Path:
    """Return the folder that a user's own tagger for an encoder is kept in, beside the encoders."""
    return models_home() / "taggers" / encoder.fingerprint[:16]


def trained_tagger(encoder: Encoder, *, is_default: bool) -> Path:
    """Return where training writes: in a checkout and with the default encoder the project's own tagger."""
    return default_tagger() if is_default and not _packed_tagger().is_dir() else own_tagger(encoder)


def text_hash(text: str) -> str:
    """Return the key of a passage's vector: the hash of what the encoder is given."""
    return hashlib.sha256(core(text).encode()).hexdigest()


def _packed_tagger() -> Path:
    return Path(str(files("nlp.data"))) / "tagger"


def _sample(passage: Passage) -> Sample:
    return Sample(passage.text, path_of(passage), role=passage.role)


def _put(known: Sequence[Tags | None], tags: Sequence[Tags]) -> list[Tags]:
    return [decided or tag for decided, tag in zip(known, tags, strict=True)]


def _certain(chances: NDArray[np.float64], known: Sequence[Tags | None]) -> NDArray[np.float64]:
    """Return the probabilities of topics with what people decided as certain."""
    sure = chances.copy()
    for place, tags in enumerate(known):
        if tags is not None and tags.primary is not None:
            sure[place] = np.eye(len(TOPICS))[TOPICS.index(tags.primary)]
    return sure


def _decided(decided: Mapping[str, Correction], passage: Passage) -> Tags | None:
    found = decided.get(key_of(passage.text, path_of(passage))) if decided else None
    return decided_tags(found) if found else None
