"""How the tagger learns: regressions over words and over embeddings, calibrated and scored on groups held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from nlp.errors import TaggerError
from nlp.records import Topic
from nlp.scope import Scope, scope_terms
from nlp.tagger import HEADS, ROLES, TOPICS, Head, HeldOut, Sample, Tagger, Vocabulary, calibrated, right_labels
from nlp.terms import Matrix, Terms

_FOLDS = 5
# C of the two regressions, and the share of the second in their sum. On one split over groups of 8,398 labelled passages C of
# words was compared from 5 to 40 and the share from 0.3 to 1; C of the embedding was not.
_WORDS_STRENGTH = 15.0
_VECTOR_STRENGTH = 3.0
_VECTOR_SHARE = 0.3
# The share of an adapter's own view: 0.4 to 2.2 compared on one split over groups of 15,671 labelled passages.
# For the role less than is best on the corpus (0.8): the adapter sees no headings, and takes many bare sentences for findings.
_VIEW_SHARE = {"role": 0.6, "primary": 1.2, "subtopic": 1.2, "present": 1.2}
# Compared from 3 to 30, and the length of a vector beside that of the characters from 0 to 4, on the texts of four writers, each
# judged by what was learnt from the other three: 0.977 of the pairs of an inside and an outside text are in the right order.
_SCOPE_STRENGTH = 10.0
_SOFTMAX = ("role", "primary", "subtopic")
_NEVER = -1e3

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Layer = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Scores:
    """What cross-validation by groups found: the model never saw a group that it was scored on.

    Topics are scored on problems, causes and measures, subtopics on those of them that have one.
    """

    n: int
    groups: int
    role_accuracy: float
    role_macro_f1: float
    topic_accuracy: float
    topic_macro_f1: float
    subtopic_accuracy: float
    role_ece: float
    topic_ece: float


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labels as numbers; -1 where there is none."""

    role: Ints
    primary: Ints
    subtopic: Ints
    present: Ints

    @classmethod
    def of(cls, samples: Sequence[Sample], codes: Sequence[str]) -> _Labels:
        numbers = {code: number for number, code in enumerate(codes)}
        return cls(
            np.array([-1 if s.role is None else ROLES.index(s.role) for s in samples]),
            np.array([-1 if s.primary is None else TOPICS.index(s.primary) for s in samples]),
            np.array([numbers.get(s.subtopic or "", -1) for s in samples]),
            np.array([[int(topic is s.primary or topic in s.secondary) for topic in TOPICS] for s in samples]),
        )

    def take(self, rows: Ints) -> _Labels:
        return _Labels(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class View:
    """What an encoder's adapter says of the samples by itself.

    Attributes:
        logits: For each head, of every sample by a copy that had not seen its group.
        heads: For each head, weights ``(dims, n_classes)`` and bias for texts to come.
    """

    logits: dict[str, Matrix]
    heads: dict[str, tuple[Matrix, Matrix]]


def fit_tagger(
    samples: Sequence[Sample], vectors: Matrix, encoder: str, view: View | None = None
) -> tuple[Tagger, Scores, HeldOut]:
    """Return a tagger trained on labelled samples, its scores by cross-validation over groups, and what it said there.

    Each head is the sum of two: one that sees words, and one that sees the embedding. The second is a regression that is
    fitted here, or comes from the adapter that made the embeddings. Calibration and thresholds come from the predictions
    for held-out groups.

    Shapes:
        ``vectors`` is ``(n_samples, dims)``: the embeddings of :func:`nlp.tagger.core` of each text.

    Raises:
        TaggerError: If there are too few groups, a role or topic has no sample, or labels contradict each other.
    """
    subtopics = _check(samples)
    labels = _Labels.of(samples, [code for code, _ in subtopics])
    logits = _held_out_logits(samples, vectors, labels, view)
    topical = labels.primary >= 0
    calibration = {name: (_temperature(logits[name], getattr(labels, name)), 0.0) for name in _SOFTMAX}
    calibration["present"] = _platt(logits["present"][topical], labels.present[topical])
    chances = {name: calibrated(name, logits[name], *calibration[name]) for name in HEADS}
    thresholds = _thresholds(chances["present"][topical], labels.present[topical], labels.primary[topical])
    vocabulary = Vocabulary.fit(samples)
    words = _fit_heads(*_lesson(vocabulary, samples, labels), _WORDS_STRENGTH)
    dense = _fit_dense(vectors, labels) if view is None else view.heads
    shares = dict.fromkeys(HEADS, _VECTOR_SHARE) if view is None else _VIEW_SHARE
    heads = {name: _joined(words[name], dense[name], shares[name], calibration[name]) for name in HEADS}
    role, primary, subtopic = (chances[name].astype(np.float32) for name in _SOFTMAX)
    held = HeldOut(role, primary, subtopic, right_labels(samples))
    return Tagger(encoder, vocabulary, heads, subtopics, thresholds), _scores(samples, labels, chances), held


def fit_scope(texts: Sequence[str], inside: Sequence[bool], vectors: Matrix) -> Scope:
    """Return what is learnt from texts that are about what reports are about, and from texts that are not.

    Shapes:
        ``vectors`` is ``(n_texts, dims)``, the embeddings of the texts.
    """
    terms = Terms.fit(scope_terms, texts)
    features = sparse.hstack([terms.weights(texts), vectors], format="csr")
    model = _regression(_SCOPE_STRENGTH).fit(features, inside)
    words, vector = np.split(model.coef_[0].astype(np.float32), [len(terms.names)])
    return Scope(terms, words, vector, float(model.intercept_[0]))


def _check(samples: Sequence[Sample]) -> tuple[tuple[str, Topic], ...]:
    """Return the subtopics with their topics, in a steady order, after making sure that the labels can be learnt."""
    groups = {sample.group for sample in samples}
    if len(groups) < _FOLDS:
        raise TaggerError(f"训练至少要 {_FOLDS} 个来源组，现有 {len(groups)} 个；请补充标注数据")
    missing = [role for role in ROLES if not any(sample.role is role for sample in samples)]
    lacking = [topic for topic in TOPICS if not any(sample.primary is topic for sample in samples)]
    if missing or lacking:
        raise TaggerError(f"训练数据缺少这些类别的例子：{'、'.join([*missing, *lacking])}")
    above: dict[str, Topic] = {}
    for sample in samples:
        if sample.role is None or sample.role.has_topic != (sample.primary is not None):
            raise TaggerError(f"标注不一致：“{sample.text[:30]}”的角色是 {sample.role}，主题是 {sample.primary}")
        if (
            sample.subtopic
            and sample.primary
            and above.setdefault(sample.subtopic, sample.primary) is not sample.primary
        ):
            raise TaggerError(
                f"标注不一致：“{sample.text[:30]}”的子主题 {sample.subtopic} 属于 {above[sample.subtopic]}，"
                f"主题却是 {sample.primary}"
            )
    return tuple(sorted(above.items(), key=lambda item: (TOPICS.index(item[1]), item[0])))


# -------------------------------------------------------------------------------------------------------------- regressions


def _fit_heads(features: Any, labels: _Labels, strength: float) -> dict[str, Layer]:
    """Return weights and biases of the four heads over some features."""
    heads = {name: _softmax_layer(features, getattr(labels, name), strength) for name in _SOFTMAX}
    topical = np.flatnonzero(labels.primary >= 0)
    layers = [_sigmoid_layer(features[topical], column, strength) for column in labels.present[topical].T]
    return {**heads, "present": (np.stack([w for w, _ in layers], axis=1), np.array([bias for _, bias in layers]))}


def _sigmoid_layer(features: Any, present: Ints, strength: float) -> tuple[NDArray[Any], float]:
    """Return weights and bias; where all samples or none have the topic, only how sure that many make us."""
    if present.min() == present.max():
        sure = float(np.log(2 * len(present)))
        return np.zeros(features.shape[1]), sure if present[0] else -sure
    model = _regression(strength).fit(features, present)
    return model.coef_[0], float(model.intercept_[0])


def _softmax_layer(features: Any, labels: Ints, strength: float) -> Layer:
    """Return weights and biases with a column for every class; one that has no sample is never chosen."""
    known = np.flatnonzero(labels >= 0)
    classes = int(labels.max()) + 1
    weights, bias = np.zeros((features.shape[1], classes)), np.full(classes, _NEVER)
    there = np.unique(labels[known])
    bias[there] = 0.0
    if len(there) > 1:
        model = _regression(strength).fit(features[known], labels[known])
        columns = there[-len(model.coef_) :]  # of two classes, scikit-learn weighs the second alone
        weights[:, columns], bias[columns] = model.coef_.T, model.intercept_
    return weights, bias


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, tol=1e-4)


def _fit_dense(vectors: Matrix, labels: _Labels) -> dict[str, Layer]:
    """Return the heads over embeddings; they are fitted to centred ones, which goes into the bias."""
    centre = vectors.mean(axis=0)
    layers = _fit_heads(vectors - centre, labels, _VECTOR_STRENGTH)
    return {name: (weights, bias - centre @ weights) for name, (weights, bias) in layers.items()}


def _joined(words: Layer, dense: Layer, share: float, calibration: tuple[float, float]) -> Head:
    bias = words[1] + dense[1] * share
    vector = (dense[0] * share).astype(np.float32)
    return Head(words[0].astype(np.float32), vector, bias.astype(np.float32), *calibration)


# --------------------------------------------------------------------------------------------------------- held-out groups


def _lesson(vocabulary: Vocabulary, samples: Sequence[Sample], labels: _Labels) -> tuple[Any, _Labels]:
    """Return terms and labels to learn from.

    Where passages without headings are problems, causes or measures more often than the others are (as in our corpus, where most
    of them are findings of audits), a bare sentence would be taken for a problem because it is bare. There the passages of other
    roles stand once more, without their headings.
    """
    topical = labels.primary >= 0
    headed = np.array([bool(sample.path) for sample in samples])
    lopsided = not headed.all() and headed.any() and topical[~headed].mean() > topical[headed].mean()
    bare = np.flatnonzero(headed & ~topical).tolist() if lopsided else []
    terms = vocabulary.terms([*samples, *(replace(samples[i], path=()) for i in bare)])
    return terms, labels.take(np.array([*range(len(samples)), *bare]))


def _held_out_logits(
    samples: Sequence[Sample], vectors: Matrix, labels: _Labels, view: View | None
) -> dict[str, Floats]:
    groups = np.array([sample.group for sample in samples])
    widths = {"subtopic": int(labels.subtopic.max()) + 1}
    logits = {name: np.full((len(samples), widths.get(name, len(TOPICS))), _NEVER) for name in HEADS}
    for train, test in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(vectors, groups=groups):
        learnt = [samples[i] for i in train]
        vocabulary = Vocabulary.fit(learnt)
        known = labels.take(train)
        words = _fit_heads(*_lesson(vocabulary, learnt, known), _WORDS_STRENGTH)
        dense = _fit_dense(vectors[train], known) if view is None else {}
        terms = vocabulary.terms([samples[i] for i in test])
        for name, (weights, bias) in words.items():
            found = terms @ weights + bias
            if view is None:
                found = found + _VECTOR_SHARE * (vectors[test] @ dense[name][0] + dense[name][1])
            else:
                found = found + _VIEW_SHARE[name] * view.logits[name][test][:, : found.shape[1]]
            logits[name][test, : found.shape[1]] = found
    return logits


def _scores(samples: Sequence[Sample], labels: _Labels, chances: dict[str, Floats]) -> Scores:
    topical, detailed = labels.primary >= 0, labels.subtopic >= 0
    roles, primaries = chances["role"].argmax(axis=1), chances["primary"].argmax(axis=1)
    right = chances["subtopic"][detailed].argmax(axis=1) == labels.subtopic[detailed] if detailed.any() else np.zeros(1)
    return Scores(
        n=len(samples),
        groups=len({sample.group for sample in samples}),
        role_accuracy=float((roles == labels.role).mean()),
        role_macro_f1=float(f1_score(labels.role, roles, average="macro")),
        topic_accuracy=float((primaries == labels.primary)[topical].mean()),
        topic_macro_f1=float(f1_score(labels.primary[topical], primaries[topical], average="macro")),
        subtopic_accuracy=float(right.mean()),
        role_ece=calibration_error(chances["role"], labels.role),
        topic_ece=calibration_error(chances["primary"][topical], labels.primary[topical]),
    )


def _temperature(logits: Floats, labels: Ints) -> float:
    """Return the factor on the logits under which the held-out labels are most likely.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, 2017 (its temperature is the reciprocal).
    """
    known = np.flatnonzero(labels >= 0)
    # What the copy that was asked had never seen says nothing of how sure it should be.
    known = known[logits[known, labels[known]] > _NEVER / 2]
    if not len(known):
        return 1.0

    def loss(log_scale: float) -> float:
        chances = log_softmax(logits[known] * np.exp(log_scale), axis=1)
        return float(-chances[np.arange(len(known)), labels[known]].mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _platt(logits: Floats, present: Ints) -> tuple[float, float]:
    model = LogisticRegression(C=1e6).fit(logits.reshape(-1, 1), present.reshape(-1))
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _thresholds(chances: Floats, present: Ints, primaries: Ints) -> Floats:
    """Return, per topic, the chance from which it counts as a secondary topic: best F1 among held-out samples."""
    chosen = np.full(len(TOPICS), 0.5)
    grid = np.linspace(0.3, 0.8, 11)
    for j in range(len(TOPICS)):
        others = primaries != j
        scores = [f1_score(present[others, j], chances[others, j] >= t, zero_division=0.0) for t in grid]
        chosen[j] = float(grid[int(np.argmax(scores))]) if max(scores) > 0 else 0.8
    return chosen


def calibration_error(chances: Floats, labels: Ints, bins: int = 10) -> float:
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
