"""Scores of the tagger on gold sets, held against floors that are pinned together with the corpus they were measured on."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from nlp.analyst import Analyst, default_tagger
from nlp.corpus import corpus_files, corpus_hash, read_samples
from nlp.encoder import Encoder
from nlp.errors import InvalidInputError, NotFoundError, TaggerError
from nlp.learning import calibration_error
from nlp.records import Role, Topic
from nlp.review import as_sample, read_decisions
from nlp.tagger import ROLES, TOPICS, HeldOut, Sample, Tagger, core, load_held_out, right_labels

_WORST = 20
# Scores are measured to the fourth digit on some thousand passages; a floor lies this much below what was measured.
_SLACK = 0.005


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and F1 of one class, from 0 to 1, and how many passages have it."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one question (role or topic) on one set.

    Attributes:
        n: Passages that the question is asked of.
        ece: Expected calibration error of the most probable class.
        confusion: Counts, gold in rows, in the order of ``labels``.
    """

    n: int
    accuracy: float
    macro_f1: float
    ece: float
    labels: tuple[str, ...]
    per_class: Mapping[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A passage that was tagged wrong.

    Attributes:
        question: ``role`` or ``topic``.
        score: How sure the tagger was of the wrong answer.
    """

    text: str
    path: tuple[str, ...]
    question: str
    expected: str
    found: str
    score: float


@dataclass(frozen=True, slots=True)
class SetScores:
    """Scores on one gold set; ``worst`` are the mistakes that the tagger was surest of."""

    name: str
    n: int
    role: Score
    topic: Score | None
    subtopic_accuracy: float | None
    worst: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scores held against the floors: ``below`` names what fell short, ``remarks`` what was not comparable."""

    sets: tuple[SetScores, ...]
    below: tuple[str, ...]
    remarks: tuple[str, ...]


def score_held_out(corpus: Path, folder: Path) -> SetScores:
    """Return the scores of a tagger on its own corpus, from what it said of each group when it had not seen it.

    Raises:
        TaggerError: If the tagger cannot be read or was trained on another state of the corpus.
    """
    paths = corpus_files(corpus)
    tagger = Tagger.load(folder)
    if tagger.manifest["corpus"]["sha256"] != corpus_hash(paths) or tagger.manifest.get("corrections"):
        raise TaggerError(f"标注模型 {folder} 不是用现在的 {corpus} 训练的；请先运行 jixiao train")
    codes = [code for code, _ in tagger.subtopics]
    return score_set("标注语料（按来源组留出）", read_samples(paths), load_held_out(folder), codes)


def score_samples(name: str, samples: Sequence[Sample], analyst: Analyst) -> SetScores:
    """Return the scores of today's tagger on labelled passages that it has not learnt from.

    Raises:
        InvalidInputError: If there is no passage, or one has no role.
    """
    _check_gold(name, samples)
    said = said_of(analyst.tagger, samples, analyst.encoder)
    return score_set(name, samples, said, [code for code, _ in analyst.tagger.subtopics])


def said_of(tagger: Tagger, samples: Sequence[Sample], encoder: Encoder) -> HeldOut:
    """Return what a tagger says of labelled passages that it has not learnt from."""
    chances = tagger.chances(samples, encoder.encode([core(sample.text) for sample in samples]))
    role, primary, subtopic = (chances[head].astype(np.float32) for head in ("role", "primary", "subtopic"))
    return HeldOut(role, primary, subtopic, right_labels(samples))


def gold_reports(folder: Path) -> tuple[Sample, ...]:
    """Return the labelled passages of the project's full reports, which no training sees.

    Raises:
        NotFoundError: If the folder has no gold.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise NotFoundError(f"{folder} 里没有报告的标准答案（*.json）；请指明语料的 gold 文件夹")
    return tuple(sample for path in paths for sample in _gold_passages(path))


def _gold_passages(path: Path) -> Iterator[Sample]:
    for item in json.loads(path.read_text("utf-8"))["passages"]:
        topics = tuple(Topic(topic) for topic in item["topics"])
        above = (*item["section"], item["lead"]) if item["lead"] else tuple(item["section"])
        role = Role(item["role"])
        first = topics[0] if topics and role.has_topic else None
        yield Sample(item["text"], above, role, first, topics[1:], item.get("subtopic"), path.stem)


def score_set(name: str, samples: Sequence[Sample], said: HeldOut, codes: Sequence[str]) -> SetScores:
    """Return the scores of predictions.

    Args:
        name: What the set is called.
        samples: Passages with their labels.
        said: Probabilities, in the order of the samples.
        codes: Subtopics in the order of the columns.

    Raises:
        InvalidInputError: If there is no passage, or one has no role.
    """
    _check_gold(name, samples)
    roles = np.array([ROLES.index(sample.role) for sample in samples if sample.role])
    topical = np.array([i for i, sample in enumerate(samples) if sample.primary is not None], dtype=np.int64)
    topics = np.array([TOPICS.index(samples[i].primary) for i in topical if samples[i].primary], dtype=np.int64)
    detailed = [i for i in topical if samples[i].subtopic in codes]
    right = [codes[int(said.subtopics[i].argmax())] == samples[i].subtopic for i in detailed]
    mistakes = [
        *_mistakes(samples, range(len(samples)), "role", said.roles, roles, ROLES),
        *_mistakes(samples, topical, "topic", said.topics[topical], topics, TOPICS),
    ]
    return SetScores(
        name=name,
        n=len(samples),
        role=_score(said.roles, roles, ROLES),
        topic=_score(said.topics[topical], topics, TOPICS) if len(topical) else None,
        subtopic_accuracy=round(sum(right) / len(right), 4) if right else None,
        worst=tuple(sorted(mistakes, key=lambda mistake: -mistake.score)[:_WORST]),
    )


def _check_gold(name: str, samples: Sequence[Sample]) -> None:
    if not samples or any(sample.role is None for sample in samples):
        raise InvalidInputError(f"{name} 里没有条目，或有条目没有角色；每条都要有 role")


def _score(chances: NDArray[Any], gold: NDArray[np.int64], labels: Sequence[str]) -> Score:
    found, places = chances.argmax(axis=1), range(len(labels))
    rows = zip(*precision_recall_fscore_support(gold, found, labels=places, zero_division=0.0), strict=True)
    per_class = {
        str(label): ClassScore(round(float(row[0]), 4), round(float(row[1]), 4), round(float(row[2]), 4), int(row[3]))
        for label, row in zip(labels, rows, strict=True)
    }
    present = [score.f1 for score in per_class.values() if score.n]
    return Score(
        n=len(gold),
        accuracy=round(float((found == gold).mean()), 4),
        macro_f1=round(sum(present) / len(present), 4),
        ece=round(calibration_error(chances.astype(np.float64), gold), 4),
        labels=tuple(str(label) for label in labels),
        per_class=per_class,
        confusion=tuple(tuple(map(int, row)) for row in confusion_matrix(gold, found, labels=places)),
    )


def _mistakes(
    samples: Sequence[Sample],
    rows: Sequence[int] | NDArray[np.int64],
    question: str,
    chances: NDArray[Any],
    gold: NDArray[np.int64],
    labels: Sequence[str],
) -> Iterator[Mistake]:
    for place, row in enumerate(rows):
        found = int(chances[place].argmax())
        if found != gold[place]:
            sample, sure = samples[row], round(float(chances[place, found]), 4)
            yield Mistake(sample.text, sample.path, question, str(labels[gold[place]]), str(labels[found]), sure)


def evaluate_project(pin: str | None = None, say: Callable[[str], None] = print) -> Verdict:
    """Return the scores of the project's tagger on the held-out groups of its corpus and on the full reports.

    Args:
        pin: A reason to set the floors anew; ``None`` to hold the scores against them.
        say: Called with a line before each long step.

    Raises:
        NotFoundError: If this is no checkout with the corpora.
        TaggerError: If the tagger was trained on another state of the corpus.
        InvalidInputError: If the floors cannot be read or set.
    """
    corpora = Path(__file__).resolve().parents[1] / "corpora"
    folder, labelled = default_tagger(), corpora / "labelled"
    held = score_held_out(labelled, folder)
    say("正在给成套报告打分……")
    reports = score_samples("成套报告（训练未用）", gold_reports(corpora / "gold"), Analyst(tagger=folder))
    corpus, floors = corpus_hash(corpus_files(labelled)), folder / "floors.json"
    if pin is not None:
        pin_floors(held, corpus, floors, pin)
    return Verdict((held, reports), *hold_against_floors(held, corpus, floors))


def evaluate_sets(paths: Sequence[Path], analyst: Analyst | None = None) -> Verdict:
    """Return the scores on a user's own gold sets, which have no floors: JSON Lines as the corpus, or filled-in review sheets.

    Raises:
        InvalidInputError: If a file cannot be understood.
    """
    analyst = analyst or Analyst()
    scores = tuple(score_samples(path.name, _own_gold(path), analyst) for path in paths)
    return Verdict(scores, (), ("自备的标准答案没有成绩下限，未作比较",))


def _own_gold(path: Path) -> tuple[Sample, ...]:
    if path.suffix.lower() in {".xlsx", ".csv"}:
        return tuple(as_sample(decision) for decision in read_decisions(path))
    return read_samples([path])


# ------------------------------------------------------------------------------------------------------------------- floors


def measured(scores: SetScores) -> dict[str, float]:
    """Return what floors are set for: the higher the better, each from 0 to 1."""
    values = {"role_macro_f1": scores.role.macro_f1, "role_calibration": 1 - scores.role.ece}
    if scores.topic:
        values |= {"topic_macro_f1": scores.topic.macro_f1, "topic_calibration": 1 - scores.topic.ece}
    if scores.subtopic_accuracy is not None:
        values["subtopic_accuracy"] = scores.subtopic_accuracy
    return {name: round(value, 4) for name, value in values.items()}


def hold_against_floors(scores: SetScores, corpus: str, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what lies below the floors of a file, and what makes scores and floors not comparable.

    Args:
        scores: Scores on the held-out groups of the corpus.
        corpus: Hash of the corpus that they were measured on.
        path: The file of the floors.

    Raises:
        InvalidInputError: If the file cannot be read.
    """
    floors = _read_floors(path)
    if floors["corpus"] != corpus:
        return (), ("标注语料与下限所依据的不同，未作比较；请用 --pin 原因 重新确定下限",)
    found = measured(scores)
    return (
        tuple(
            f"{name} 为 {found.get(name, 0.0):.4f}，低于下限 {floor:.4f}"
            for name, floor in floors["floors"].items()
            if found.get(name, 0.0) < floor
        ),
        (),
    )


def pin_floors(scores: SetScores, corpus: str, path: Path, reason: str) -> dict[str, float]:
    """Set the floors just below what was measured, and keep the reason in the file; return them.

    On the same corpus a floor is never lowered without a reason that is written down beside the old value.

    Raises:
        InvalidInputError: If there is no reason, or the old file cannot be read.
    """
    if not reason.strip():
        raise InvalidInputError("改动下限须写明原因，例如 --pin '语料增加了三个县'")
    old = _read_floors(path) if path.is_file() else {"floors": {}, "history": []}
    floors = {name: round(value - _SLACK, 4) for name, value in measured(scores).items()}
    entry = {"date": dt.datetime.now(tz=dt.UTC).date().isoformat(), "reason": reason.strip(), "before": old["floors"]}
    content = {"corpus": corpus, "floors": floors, "history": [*old["history"], entry]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")
    return floors


def _read_floors(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        _ = content["corpus"], content["floors"], content["history"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"读不出下限文件 {path}（{error}）；请用 jixiao evaluate --pin 原因 重新确定"
        ) from error
    return content
