"""The tagger: role and topics of a passage, with probabilities that were calibrated on groups it had not seen.

Three linear heads over one feature vector (the sentence's embedding, its words and character pairs, and a weak share of
the headings above it): ``role`` and ``primary`` are softmax, ``present`` says for each topic whether the passage has it
at all. A trained tagger is a folder of safetensors and JSON; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from scipy import optimize, sparse
from scipy.special import expit, log_softmax, softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from nlp.errors import TaggerError
from nlp.outline import find_mark
from nlp.records import Role, Tags, Topic, TopicScore
from nlp.words import words_of

Matrix = NDArray[np.float32]

ROLES = tuple(Role)
TOPICS = tuple(Topic)
_FILES = ("model.safetensors", "vocabulary.json")
_FOLDS = 5
# The headings' share of the features: enough to tip a sentence that could be either, too little to overrule one that is
# clear. These three were compared by cross-validation over groups on our first 1,669 labelled passages: path 0.3 to 1,
# embedding 0.7 to 6, strength (C of the logistic regression) 1 to 40.
_PATH_WEIGHT = 0.4
_EMBEDDING_WEIGHT = 0.8
_STRENGTH = 15.0
_LONGEST = 8000
_COUNTER = re.compile(r"^(?:主要)?(?:[一二三四五六七八九十]是|首先|其次|再次|最后|[①-⑳])[，,]?")


@dataclass(frozen=True, slots=True)
class Sample:
    """A passage as the tagger sees it, with its labels where they are known.

    Attributes:
        path: Headings above it and the words that lead into it, outermost first.
        secondary: Further topics.
        group: Passages of one group are never on both sides of a split.
    """

    text: str
    path: tuple[str, ...] = ()
    role: Role | None = None
    primary: Topic | None = None
    secondary: tuple[Topic, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A word of the passage and how much it spoke for the role or topic that was chosen."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What cross-validation by groups found: the model never saw a group that it was scored on."""

    n: int
    groups: int
    role_accuracy: float
    role_macro_f1: float
    topic_accuracy: float
    topic_macro_f1: float
    role_ece: float
    topic_ece: float


@dataclass(slots=True)
class _Head:
    """A linear layer with its calibration: a temperature for softmax, a slope and an offset for sigmoid."""

    weights: Matrix
    bias: Matrix
    scale: float = 1.0
    shift: float = 0.0

    def logits(self, features: sparse.csr_array) -> NDArray[np.float64]:
        return np.asarray(features @ self.weights + self.bias, dtype=np.float64)


@dataclass(slots=True)
class _Words:
    """The vocabulary: fitted TF-IDF over words and character pairs of the text, and of the path."""

    text: TfidfVectorizer
    path: TfidfVectorizer

    def features(self, samples: Sequence[Sample], vectors: Matrix) -> sparse.csr_array:
        parts = [
            sparse.csr_array(vectors * _EMBEDDING_WEIGHT),
            sparse.csr_array(self.text.transform([core(sample.text) for sample in samples])),
            sparse.csr_array(self.path.transform([" ".join(sample.path[-3:]) for sample in samples])) * _PATH_WEIGHT,
        ]
        return sparse.csr_array(sparse.hstack(parts, format="csr"), dtype=np.float32)


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


def _path_terms(path: str) -> list[str]:
    return [path[i : i + 2] for i in range(len(path) - 1) if " " not in path[i : i + 2]]


@dataclass(slots=True)
class Tagger:
    """A trained tagger; see :meth:`fit`, :meth:`load`, :meth:`predict`.

    Attributes:
        encoder: Fingerprint of the encoder whose vectors it was trained on.
        manifest: What it was trained from and how it scored.
    """

    encoder: str
    _words: _Words
    _heads: dict[str, _Head]
    _thresholds: NDArray[np.float64]
    manifest: dict[str, Any] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------------------------------ predict

    def predict(self, samples: Sequence[Sample], vectors: Matrix) -> list[Tags]:
        """Return the tags of passages, in their order.

        A sample whose ``role`` is given keeps it (score 1) and gets topics for it.

        Shapes:
            ``vectors`` is ``(n_samples, dims)``: the embeddings of :func:`core` of each text.
        """
        if not samples:
            return []
        features = self._words.features(samples, vectors)
        role, primary, present = self._probabilities(features)
        return [self._tags(s, role[i], primary[i], present[i]) for i, s in enumerate(samples)]

    def _probabilities(self, features: sparse.csr_array) -> tuple[NDArray[np.float64], ...]:
        role, primary, present = (self._heads[name] for name in ("role", "primary", "present"))
        return (
            softmax(role.logits(features) * role.scale, axis=1),
            softmax(primary.logits(features) * primary.scale, axis=1),
            expit(present.logits(features) * present.scale + present.shift),
        )

    def _tags(
        self, sample: Sample, role: NDArray[np.float64], primary: NDArray[np.float64], present: NDArray[np.float64]
    ) -> Tags:
        best = int(role.argmax())
        chosen, score = (ROLES[best], float(role[best])) if sample.role is None else (sample.role, 1.0)
        if not chosen.has_topic:
            return Tags(chosen, round(score, 4))
        first = int(primary.argmax())
        others = [i for i in np.argsort(-present) if i != first and present[i] >= self._thresholds[i]]
        topics = [TopicScore(TOPICS[first], round(float(primary[first]), 4))]
        topics += [TopicScore(TOPICS[i], round(float(min(present[i], primary[first])), 4)) for i in others]
        return Tags(chosen, round(score, 4), TOPICS[first], tuple(topics))

    def explain(self, sample: Sample, vector: NDArray[np.float32], tags: Tags, count: int = 5) -> tuple[Evidence, ...]:
        """Return the words of the passage that spoke most for its topic (or, where it has none, for its role)."""
        features = self._words.features([sample], vector[None, :])
        name, column = ("role", ROLES.index(tags.role))
        if tags.primary is not None:
            name, column = "primary", TOPICS.index(tags.primary)
        weights = self._heads[name].weights
        contrast = weights[:, column] - weights.mean(axis=1)
        terms = self._words.text.get_feature_names_out()
        offset = vector.shape[0]
        row = features[[0]].tocoo()
        found = [
            Evidence(str(terms[j - offset])[2:].replace("_", ""), round(float(value * contrast[j]), 4))
            for j, value in zip(row.coords[1], row.data, strict=True)
            if offset <= j < offset + len(terms) and str(terms[j - offset]).startswith("w:") and value * contrast[j] > 0
        ]
        return tuple(sorted(found, key=lambda item: -item.weight)[:count])

    # ---------------------------------------------------------------------------------------------------------------------- fit

    @classmethod
    def fit(cls, samples: Sequence[Sample], vectors: Matrix, encoder: str) -> tuple[Tagger, Scores]:
        """Return a tagger trained on labelled samples, and its scores by cross-validation over groups.

        Calibration and thresholds come from the predictions for held-out groups.

        Raises:
            TaggerError: If there are too few groups, or a role or topic has no sample.
        """
        _check(samples)
        held = _cross_validate(samples, vectors)
        words, heads = _fit_heads(samples, vectors)
        heads["role"].scale, heads["primary"].scale = held.role_scale, held.primary_scale
        heads["present"].scale, heads["present"].shift = held.present_scale, held.present_shift
        return cls(encoder, words, heads, held.thresholds), held.scores

    # --------------------------------------------------------------------------------------------------------------- save and load

    def save(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Write the tagger to a folder: ``model.safetensors``, ``vocabulary.json``, ``manifest.json`` with their hashes."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, NDArray[Any]] = {"thresholds": self._thresholds}
        for name, head in self._heads.items():
            arrays[f"{name}.weights"] = head.weights.astype(np.float16)
            arrays[f"{name}.bias"] = head.bias
            arrays[f"{name}.calibration"] = np.array([head.scale, head.shift])
        for name, vectorizer in (("text", self._words.text), ("path", self._words.path)):
            arrays[f"{name}.idf"] = vectorizer.idf_.astype(np.float32)
        vocabulary = {
            name: list(map(str, vectorizer.get_feature_names_out()))
            for name, vectorizer in (("text", self._words.text), ("path", self._words.path))
        }
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
            for name, expected in manifest["files"].items():
                if name not in _FILES or _sha256(folder / name) != expected:
                    raise TaggerError(
                        f"标注模型 {folder / name} 与清单不符（文件被改动或损坏）；请运行 jixiao train 重新训练"
                    )
            arrays = safetensors.numpy.load_file(folder / _FILES[0])
            vocabulary = json.loads((folder / _FILES[1]).read_text("utf-8"))
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, TaggerError):
                raise
            raise TaggerError(f"读不出标注模型 {folder}：{error}；请运行 jixiao train 重新训练") from error
        words = _Words(
            _restored(_text_terms, vocabulary["text"], arrays["text.idf"]),
            _restored(_path_terms, vocabulary["path"], arrays["path.idf"]),
        )
        heads = {
            name: _Head(
                arrays[f"{name}.weights"].astype(np.float32),
                arrays[f"{name}.bias"],
                *map(float, arrays[f"{name}.calibration"]),
            )
            for name in ("role", "primary", "present")
        }
        return cls(manifest["encoder"], words, heads, arrays["thresholds"], manifest)


def _restored(terms: Any, vocabulary: list[str], idf: NDArray[np.float32]) -> TfidfVectorizer:
    vectorizer = _vectorizer(terms, vocabulary)
    vectorizer.idf_ = idf.astype(np.float64)
    return vectorizer


def _vectorizer(terms: Any, vocabulary: list[str] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=terms, min_df=2, sublinear_tf=True, vocabulary=vocabulary)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(data)
    beside.replace(path)


# -------------------------------------------------------------------------------------------------------------------- corpus


def read_samples(paths: Iterable[Path]) -> tuple[Sample, ...]:
    """Return the labelled passages of JSON Lines files.

    Raises:
        TaggerError: If a line cannot be understood; the message names file and line.
    """
    return tuple(sample for path in sorted(paths) for sample in _samples_of(path))


def _samples_of(path: Path) -> Iterator[Sample]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            yield Sample(
                text=item["text"],
                path=tuple(item.get("path") or ()),
                role=Role(item["role"]),
                primary=Topic(item["primary"]) if item.get("primary") else None,
                secondary=tuple(Topic(topic) for topic in item.get("secondary") or ()),
                group=item["group"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise TaggerError(
                f"{path} 第 {number} 行读不懂（{error}）；每行应是含 text、role、primary、group 的 JSON"
            ) from error


def _check(samples: Sequence[Sample]) -> None:
    groups = {sample.group for sample in samples}
    if len(groups) < _FOLDS:
        raise TaggerError(f"训练至少要 {_FOLDS} 个来源组，现有 {len(groups)} 个；请补充标注数据")
    missing = [role for role in ROLES if not any(sample.role is role for sample in samples)]
    lacking = [topic for topic in TOPICS if not any(sample.primary is topic for sample in samples)]
    if missing or lacking:
        raise TaggerError(f"训练数据缺少这些类别的例子：{'、'.join([*missing, *lacking])}")
    for sample in samples:
        if sample.role is None or sample.role.has_topic != (sample.primary is not None):
            raise TaggerError(f"标注不一致：“{sample.text[:30]}”的角色是 {sample.role}，主题是 {sample.primary}")


# ------------------------------------------------------------------------------------------------------------------- training


def _fit_heads(samples: Sequence[Sample], vectors: Matrix) -> tuple[_Words, dict[str, _Head]]:
    words = _Words(_vectorizer(_text_terms), _vectorizer(_path_terms))
    words.text.fit([core(sample.text) for sample in samples])
    words.path.fit([" ".join(sample.path[-3:]) for sample in samples])
    features = words.features(samples, vectors)
    topical = np.array([i for i, sample in enumerate(samples) if sample.primary is not None])
    roles = np.array([ROLES.index(sample.role) for sample in samples if sample.role is not None])
    primaries = np.array([TOPICS.index(samples[i].primary) for i in topical])
    present = _present([samples[i] for i in topical])
    return words, {
        "role": _softmax_head(features, roles),
        "primary": _softmax_head(features[topical], primaries),
        "present": _sigmoid_head(features[topical], present),
    }


def _present(samples: Sequence[Sample]) -> NDArray[np.int64]:
    return np.array([[int(topic is s.primary or topic in s.secondary) for topic in TOPICS] for s in samples])


def _regression() -> LogisticRegression:
    return LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000, tol=1e-5)


def _softmax_head(features: sparse.csr_array, labels: NDArray[np.int64]) -> _Head:
    model = _regression().fit(features, labels)
    return _Head(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32))


def _sigmoid_head(features: sparse.csr_array, present: NDArray[np.int64]) -> _Head:
    models = [_regression().fit(features, present[:, j]) for j in range(present.shape[1])]
    weights = np.stack([model.coef_[0] for model in models], axis=1).astype(np.float32)
    return _Head(weights, np.array([model.intercept_[0] for model in models], dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Held:
    """Calibration, thresholds and scores from predictions for held-out groups."""

    role_scale: float
    primary_scale: float
    present_scale: float
    present_shift: float
    thresholds: NDArray[np.float64]
    scores: Scores


def _cross_validate(samples: Sequence[Sample], vectors: Matrix) -> _Held:
    groups = np.array([sample.group for sample in samples])
    logits = {name: np.zeros((len(samples), 6)) for name in ("role", "primary", "present")}
    for train, test in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(vectors, groups=groups):
        words, heads = _fit_heads([samples[i] for i in train], vectors[train])
        features = words.features([samples[i] for i in test], vectors[test])
        for name, head in heads.items():
            logits[name][test] = head.logits(features)
    topical = np.array([i for i, sample in enumerate(samples) if sample.primary is not None])
    roles = np.array([ROLES.index(sample.role) for sample in samples])
    primaries = np.array([TOPICS.index(samples[i].primary) for i in topical])
    present = _present([samples[i] for i in topical])
    role_scale = _temperature(logits["role"], roles)
    primary_scale = _temperature(logits["primary"][topical], primaries)
    scale, shift = _platt(logits["present"][topical], present)
    thresholds = _thresholds(expit(logits["present"][topical] * scale + shift), present, primaries)
    role_chances = softmax(logits["role"] * role_scale, axis=1)
    topic_chances = softmax(logits["primary"][topical] * primary_scale, axis=1)
    scores = Scores(
        n=len(samples),
        groups=len(set(groups)),
        role_accuracy=float((role_chances.argmax(1) == roles).mean()),
        role_macro_f1=float(f1_score(roles, role_chances.argmax(1), average="macro")),
        topic_accuracy=float((topic_chances.argmax(1) == primaries).mean()),
        topic_macro_f1=float(f1_score(primaries, topic_chances.argmax(1), average="macro")),
        role_ece=calibration_error(role_chances, roles),
        topic_ece=calibration_error(topic_chances, primaries),
    )
    return _Held(role_scale, primary_scale, scale, shift, thresholds, scores)


def _temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the factor on the logits under which the held-out labels are most likely.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, 2017 (its temperature is the reciprocal).
    """

    def loss(log_scale: float) -> float:
        chances = log_softmax(logits * np.exp(log_scale), axis=1)
        return float(-chances[np.arange(len(labels)), labels].mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _platt(logits: NDArray[np.float64], present: NDArray[np.int64]) -> tuple[float, float]:
    model = LogisticRegression(C=1e6).fit(logits.reshape(-1, 1), present.reshape(-1))
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _thresholds(
    chances: NDArray[np.float64], present: NDArray[np.int64], primaries: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return, per topic, the chance from which it counts as a secondary topic: best F1 among held-out samples."""
    chosen = np.full(len(TOPICS), 0.5)
    grid = np.linspace(0.3, 0.8, 11)
    for j in range(len(TOPICS)):
        others = primaries != j
        scores = [f1_score(present[others, j], chances[others, j] >= t, zero_division=0.0) for t in grid]
        chosen[j] = float(grid[int(np.argmax(scores))]) if max(scores) > 0 else 0.8
    return chosen


def calibration_error(chances: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 10) -> float:
    """Return the expected calibration error of the most probable class, from 0 to 1.

    Source:
        Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015; equal-width bins.

    >>> calibration_error(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1]))
    0.25
    """
    sure = chances.max(axis=1)
    right = chances.argmax(axis=1) == labels
    places = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(right[places == b].mean() - sure[places == b].mean()) * (places == b).mean() for b in set(places)]
    return float(sum(gaps))
