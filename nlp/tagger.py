"""The tagger: role, topics and subtopics of a passage, with probabilities calibrated on groups it had not seen.

Four linear heads over one feature vector (the sentence's embedding, its words and character pairs, and a weak share of
the headings above it): ``role``, ``primary`` and ``subtopic`` are softmax, ``present`` says for each topic whether the
passage has it at all. Each head is the sum of two regressions, fitted apart: one sees words, the other the embedding.
A trained tagger is a folder of safetensors and JSON; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from scipy import sparse

from nlp.errors import TaggerError
from nlp.outline import find_mark
from nlp.records import Role, Tags, Topic, TopicScore
from nlp.scope import Scope
from nlp.terms import Matrix, Terms
from nlp.words import words_of

ROLES = tuple(Role)
TOPICS = tuple(Topic)
HEADS = ("role", "primary", "present", "subtopic")
_FILES = ("model.safetensors", "vocabulary.json", "held_out.safetensors", "usual.safetensors")
# The headings' share of the features: enough to tip a sentence that could be either, too little to overrule one that is
# clear; 0.3 to 1 were compared by cross-validation over groups on our first 1,669 labelled passages.
_PATH_WEIGHT = 0.4
_LONGEST = 8000
_COUNTER = re.compile(r"^(?:主要)?(?:[一二三四五六七八九十]是|首先|其次|再次|最后|[①-⑳])[，,]?")


@dataclass(frozen=True, slots=True)
class Sample:
    """A passage as the tagger sees it, with its labels where they are known.

    Attributes:
        path: Headings above it and the words that lead into it, outermost first.
        secondary: Further topics.
        subtopic: Kind of problem below the primary topic.
        group: Passages of one group are never on both sides of a split.
    """

    text: str
    path: tuple[str, ...] = ()
    role: Role | None = None
    primary: Topic | None = None
    secondary: tuple[Topic, ...] = ()
    subtopic: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A word of the passage and how much it spoke for the role or topic that was chosen."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the tagger said of labelled passages when it had not seen their groups: calibrated probabilities.

    Shapes:
        ``roles`` is ``(n, 6)``, ``topics`` ``(n, 6)`` and ``subtopics`` ``(n, n_subtopics)``, in the order of the samples;
        ``labels`` is ``(n, 3)``.

    Attributes:
        labels: What is right: the place of the role, of the topic (-1 where there is none), and the number of the group.
    """

    roles: Matrix
    topics: Matrix
    subtopics: Matrix
    labels: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int32))


NOTHING_SAID = HeldOut(
    np.zeros((0, len(ROLES)), dtype=np.float32),
    np.zeros((0, len(TOPICS)), dtype=np.float32),
    np.zeros((0, 0), dtype=np.float32),
)


def right_labels(samples: Sequence[Sample]) -> NDArray[np.int32]:
    """Return the labels of :class:`HeldOut` for labelled samples."""
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1]
    roles = [ROLES.index(sample.role) if sample.role else -1 for sample in samples]
    topics = [TOPICS.index(sample.primary) if sample.primary else -1 for sample in samples]
    return np.stack([roles, topics, groups], axis=1).astype(np.int32)


@dataclass(slots=True)
class Head:
    """A linear layer over words and embedding, with its calibration: a factor for softmax, a slope and an offset for sigmoid.

    Shapes:
        ``words`` is ``(n_terms, n_classes)``, ``vector`` ``(dims, n_classes)``, ``bias`` ``(n_classes,)``.
    """

    words: Matrix
    vector: Matrix
    bias: Matrix
    scale: float = 1.0
    shift: float = 0.0

    def logits(self, terms: sparse.csr_array, vectors: Matrix) -> NDArray[np.float64]:
        """Return the logits before calibration, ``(n, n_classes)``."""
        return np.asarray(terms @ self.words + vectors @ self.vector + self.bias, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """TF-IDF over words and character pairs of the text, and over character pairs of the path."""

    text: Terms
    path: Terms

    @classmethod
    def fit(cls, samples: Sequence[Sample]) -> Vocabulary:
        """Return the vocabulary of samples."""
        text = Terms.fit(_text_terms, [core(sample.text) for sample in samples])
        try:
            path = Terms.fit(_path_terms, [_path_of(sample) for sample in samples])
        except ValueError:  # no samples share a heading
            path = Terms.of(_path_terms, (), np.zeros(0))
        return cls(text, path)

    def terms(self, samples: Sequence[Sample]) -> sparse.csr_array:
        """Return the weights of the terms of samples, ``(n, n_terms)``: those of the text first, then those of the path."""
        text = self.text.weights([core(sample.text) for sample in samples])
        path = self.path.weights([_path_of(sample) for sample in samples]) * _PATH_WEIGHT
        return sparse.csr_array(sparse.hstack([text, path], format="csr"), dtype=np.float32)


def core(text: str) -> str:
    """Return what encoder and tagger see of a passage: without the number in front, which says nothing about it.

    Beyond 8,000 characters (ten times the longest paragraph of a report that we know) it is no paragraph but a broken
    file, and only its beginning is looked at.

    >>> core("2、绩效管理意识薄弱。"), core("一是指标笼统；")
    ('绩效管理意识薄弱。', '指标笼统；')
    """
    mark = find_mark(text)
    rest = text[mark.width :] if mark else text
    return (_COUNTER.sub("", rest) or text)[:_LONGEST]


def _text_terms(text: str) -> list[str]:
    words = words_of(text)
    pairs = [text[i : i + 2] for i in range(len(text) - 1)]
    return [f"w:{word}" for word in words] + [f"w:{a}_{b}" for a, b in pairwise(words)] + pairs


def _path_of(sample: Sample) -> str:
    return " ".join(sample.path[-3:])


def _path_terms(path: str) -> list[str]:
    return [path[i : i + 2] for i in range(len(path) - 1) if " " not in path[i : i + 2]]


@dataclass
class Tagger:
    """A trained tagger; see :func:`nlp.learning.fit_tagger`, :meth:`load`, :meth:`predict`.

    Attributes:
        encoder: Fingerprint of the encoder whose vectors it was trained on.
        vocabulary: The terms that it knows.
        heads: ``role``, ``primary``, ``present`` and ``subtopic``.
        subtopics: Code and topic of each subtopic, in the order of the head's columns.
        thresholds: Per topic, the probability from which it counts as a secondary topic.
        scope: Whether a query is about what reports are about, where that was learnt.
        manifest: What it was trained from and how it scored.
    """

    encoder: str
    vocabulary: Vocabulary
    heads: dict[str, Head]
    subtopics: tuple[tuple[str, Topic], ...]
    thresholds: NDArray[np.float64]
    scope: Scope | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------------------------------ predict

    def predict(self, samples: Sequence[Sample], vectors: Matrix) -> list[Tags]:
        """Return the tags of passages, in their order.

        A sample whose ``role`` is given keeps it (score 1) and gets topics for it.

        Shapes:
            ``vectors`` is ``(n_samples, dims)``: the embeddings of :func:`core` of each text.
        """
        return self.decide(samples, self.chances(samples, vectors)) if samples else []

    def explain(self, samples: Sequence[Sample], vectors: Matrix) -> list[tuple[Tags, tuple[Evidence, ...]]]:
        """Return the tags of passages, and the words that spoke most for the topic (where there is none, for the role)."""
        if not samples:
            return []
        terms = self.vocabulary.terms(samples)
        tags = self.decide(samples, self._chances(terms, vectors))
        return [(tag, self._evidence(terms, row, tag)) for row, tag in enumerate(tags)]

    def decide(self, samples: Sequence[Sample], chances: Mapping[str, NDArray[np.float64]]) -> list[Tags]:
        """Return the tags that follow from the probabilities of :meth:`chances`."""
        return [self._tags(s, {name: array[i] for name, array in chances.items()}) for i, s in enumerate(samples)]

    def chances(self, samples: Sequence[Sample], vectors: Matrix) -> dict[str, NDArray[np.float64]]:
        """Return the calibrated probabilities of each head, ``(n_samples, n_classes)``."""
        return self._chances(self.vocabulary.terms(samples), vectors)

    def _chances(self, terms: sparse.csr_array, vectors: Matrix) -> dict[str, NDArray[np.float64]]:
        return {
            name: calibrated(name, head.logits(terms, vectors), head.scale, head.shift)
            for name, head in self.heads.items()
        }

    def _tags(self, sample: Sample, chances: dict[str, NDArray[np.float64]]) -> Tags:
        role, primary, present = chances["role"], chances["primary"], chances["present"]
        best = int(role.argmax())
        chosen, score = (ROLES[best], float(role[best])) if sample.role is None else (sample.role, 1.0)
        if not chosen.has_topic:
            return Tags(chosen, round(score, 4))
        first = int(primary.argmax())
        others = [i for i in np.argsort(-present) if i != first and present[i] >= self.thresholds[i]]
        topics = [(first, float(primary[first])), *((i, float(min(present[i], primary[first]))) for i in others)]
        scores = tuple(
            TopicScore(TOPICS[i], round(chance, 4), self._subtopic(TOPICS[i], chances["subtopic"]))
            for i, chance in topics
        )
        return Tags(chosen, round(score, 4), TOPICS[first], scores)

    def _subtopic(self, topic: Topic, chances: NDArray[np.float64]) -> str | None:
        inside = self._columns[topic]
        return self.subtopics[inside[int(chances[inside].argmax())]][0] if len(inside) else None

    @cached_property
    def _columns(self) -> dict[Topic, NDArray[np.int64]]:
        """The columns of the head ``subtopic`` that belong to each topic."""
        above = [topic for _, topic in self.subtopics]
        return {topic: np.array([j for j, one in enumerate(above) if one is topic], dtype=np.int64) for topic in TOPICS}

    def _evidence(self, terms: sparse.csr_array, row: int, tags: Tags, count: int = 5) -> tuple[Evidence, ...]:
        name, column = ("role", ROLES.index(tags.role))
        if tags.primary is not None:
            name, column = "primary", TOPICS.index(tags.primary)
        words, contrast = self._spoken[name]
        inside = slice(terms.indptr[row], terms.indptr[row + 1])
        weights = terms.data[inside] * contrast[terms.indices[inside], column]
        best = [place for place in np.argsort(-weights)[:count] if weights[place] > 0]
        return tuple(Evidence(words[terms.indices[inside][p]], round(float(weights[p]), 4)) for p in best)

    @cached_property
    def _spoken(self) -> dict[str, tuple[list[str], Matrix]]:
        """For role and topic the words as a person reads them, and how much each speaks for a class more than for the others.

        Pairs of characters and headings are no words: they speak for nothing here.
        """
        names = self.vocabulary.text.names
        is_word = np.array([name.startswith("w:") for name in names])
        words = [name[2:].replace("_", "") for name in names]
        spoken = {}
        for head in ("role", "primary"):
            contrast = self.heads[head].words - self.heads[head].words.mean(axis=1, keepdims=True)
            contrast[: len(names)][~is_word] = 0.0
            contrast[len(names) :] = 0.0
            spoken[head] = words, contrast
        return spoken

    # --------------------------------------------------------------------------------------------------------------- save and load

    def save(self, folder: Path, manifest: dict[str, Any], held: HeldOut, usual: HeldOut | None = None) -> None:
        """Write the tagger to a folder, what it said of passages that it had not seen, and a manifest with the files' hashes.

        Args:
            folder: Where to write.
            manifest: What the manifest says beside the hashes.
            held: What it said of its corpus.
            usual: What it said of all passages of full reports, if there are any: how often it errs where nothing was chosen.
        """
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, NDArray[Any]] = {"thresholds": self.thresholds}
        for name, head in self.heads.items():
            arrays[f"{name}.words"] = head.words.astype(np.float16)
            arrays[f"{name}.vector"] = head.vector
            arrays[f"{name}.bias"] = head.bias
            arrays[f"{name}.calibration"] = np.array([head.scale, head.shift])
        kinds = {"text": self.vocabulary.text, "path": self.vocabulary.path}
        for name, terms in kinds.items():
            arrays[f"{name}.idf"] = terms.idf.astype(np.float32)
        if self.scope:
            kinds["scope"] = self.scope.terms
            arrays |= self.scope.arrays()
        vocabulary = {**{name: terms.names for name, terms in kinds.items()}, "subtopics": self.subtopics}
        _write(folder / _FILES[2], _said(held))
        _write(folder / _FILES[3], _said(usual or NOTHING_SAID))
        _write(folder / _FILES[0], safetensors.numpy.save(arrays))
        _write(folder / _FILES[1], json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")).encode())
        self.manifest = {
            **manifest,
            "encoder": self.encoder,
            "files": {name: _sha256(folder / name) for name in _FILES},
        }
        _write(folder / "manifest.json", (json.dumps(self.manifest, ensure_ascii=False, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Tagger:
        """Return the tagger in a folder.

        Raises:
            TaggerError: If a file is missing or is not the one of the manifest.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            for name in _FILES:
                if _sha256(folder / name) != manifest["files"][name]:
                    raise TaggerError(
                        f"标注模型 {folder / name} 与清单不符（文件被改动或损坏）；请运行 jixiao train 重新训练"
                    )
            arrays = safetensors.numpy.load_file(folder / _FILES[0])
            vocabulary = json.loads((folder / _FILES[1]).read_text("utf-8"))
            heads = {name: _head(arrays, name) for name in HEADS}
            subtopics = tuple((code, Topic(topic)) for code, topic in vocabulary["subtopics"])
            scope = Scope.of(vocabulary["scope"], arrays) if "scope" in vocabulary else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TaggerError(f"读不出标注模型 {folder}：{error}；请运行 jixiao train 重新训练") from error
        terms = Vocabulary(
            Terms.of(_text_terms, vocabulary["text"], arrays["text.idf"].astype(np.float64)),
            Terms.of(_path_terms, vocabulary["path"], arrays["path.idf"].astype(np.float64)),
        )
        return cls(manifest["encoder"], terms, heads, subtopics, arrays["thresholds"], scope, manifest)


def load_held_out(folder: Path) -> HeldOut:
    """Return what the tagger in a folder said of its corpus when it had not seen the groups.

    Raises:
        TaggerError: If the file is missing or damaged.
    """
    return _load_said(folder / _FILES[2])


def load_usual(folder: Path) -> HeldOut:
    """Return what the tagger in a folder said of full reports, which it has not learnt from; empty where there were none.

    Raises:
        TaggerError: If the file is missing or damaged.
    """
    return _load_said(folder / _FILES[3])


def _said(held: HeldOut) -> bytes:
    halves = {name: getattr(held, name).astype(np.float16) for name in ("roles", "topics", "subtopics")}
    return safetensors.numpy.save({**halves, "labels": held.labels})


def _load_said(path: Path) -> HeldOut:
    try:
        arrays = safetensors.numpy.load_file(path)
        roles, topics, subtopics = (arrays[name].astype(np.float32) for name in ("roles", "topics", "subtopics"))
        return HeldOut(roles, topics, subtopics, arrays["labels"])
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise TaggerError(f"读不出 {path}：{error}；请运行 jixiao train 重新训练") from error


def calibrated(name: str, logits: NDArray[np.float64], scale: float, shift: float) -> NDArray[np.float64]:
    """Return the probabilities for a head's logits: each topic by itself for ``present``, one of all for the others."""
    moved = logits * scale + shift
    if name == "present":
        return np.asarray(0.5 * (1 + np.tanh(moved / 2)))
    powers = np.exp(moved - moved.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _head(arrays: dict[str, NDArray[Any]], name: str) -> Head:
    scale, shift = map(float, arrays[f"{name}.calibration"])
    words = arrays[f"{name}.words"].astype(np.float32)
    return Head(words, arrays[f"{name}.vector"], arrays[f"{name}.bias"], scale, shift)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(data)
    beside.replace(path)
