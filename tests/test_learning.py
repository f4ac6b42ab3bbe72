from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, f1_score
from test_tagger import ABOUT, OWN, SAYS, plain_samples, random_vectors

from nlp.errors import TaggerError
from nlp.learning import Scores, View, _platt, _temperature, _thresholds, calibration_error, fit_scope, fit_tagger
from nlp.records import Role, Tags, Topic
from nlp.scope import Scope
from nlp.tagger import HEADS, ROLES, TOPICS, HeldOut, Sample, Tagger
from nlp.taxonomy import subtopics

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]

PROBLEMS, PLANS = ("五、存在的问题",), ("六、下一步打算",)


def _says(tagger: Tagger, text: str, path: tuple[str, ...] = ()) -> Tags:
    (tags,) = tagger.predict([Sample(text, path)], random_vectors(1))
    return tags


def _ece(chances: Floats, labels: Sequence[int], bins: int = 10) -> float:
    """The expected calibration error, one sample after another."""
    inside: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(chances, labels, strict=True):
        inside.setdefault(min(int(row.max() * bins), bins - 1), []).append((row.max(), row.argmax() == label))
    gaps = [abs(sum(right for _, right in found) - sum(sure for sure, _ in found)) for found in inside.values()]
    return float(sum(gaps)) / len(labels)


# ------------------------------------------------------------------------------------------------ what is learnt and scored


@pytest.fixture
def few_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds, where it does not matter how many there are."""
    monkeypatch.setattr("nlp.learning._FOLDS", 2)


@pytest.fixture(scope="module")
def noisy() -> tuple[list[Sample], Tagger, Scores, HeldOut]:
    """One passage in seven says what another one says, so that no score is perfect."""
    samples = plain_samples()
    mixed = np.random.default_rng(3).permutation(len(samples))[:60]
    texts = {int(i): samples[j].text for i, j in zip(mixed, np.roll(mixed, 1), strict=True)}
    samples = [replace(sample, text=texts.get(i, sample.text)) for i, sample in enumerate(samples)]
    return samples, *fit_tagger(samples, random_vectors(len(samples)), "指纹")


def test_scores_are_those_of_what_was_held_out(noisy: tuple[list[Sample], Tagger, Scores, HeldOut]) -> None:
    samples, tagger, scores, held = noisy
    assert (tagger.encoder, scores.n, scores.groups) == ("指纹", 420, 10)
    topical = [i for i, sample in enumerate(samples) if sample.primary is not None]
    roles = [ROLES.index(sample.role) for sample in samples if sample.role is not None]
    topics = [TOPICS.index(sample.primary) for sample in samples if sample.primary is not None]
    codes = [code for code, _ in tagger.subtopics]
    kinds = [codes.index(sample.subtopic) for sample in samples if sample.subtopic is not None]
    for array in (held.roles, held.topics, held.subtopics):
        assert array.sum(axis=1) == pytest.approx(np.ones(420), abs=1e-5)
    said_roles, said_topics = held.roles.argmax(axis=1), held.topics[topical].argmax(axis=1)
    assert asdict(scores) == pytest.approx(
        {
            "n": 420,
            "groups": 10,
            "role_accuracy": accuracy_score(roles, said_roles),
            "role_macro_f1": f1_score(roles, said_roles, average="macro"),
            "topic_accuracy": accuracy_score(topics, said_topics),
            "topic_macro_f1": f1_score(topics, said_topics, average="macro"),
            "subtopic_accuracy": accuracy_score(kinds, held.subtopics[topical].argmax(axis=1)),
            "role_ece": _ece(held.roles.astype(np.float64), roles),
            "topic_ece": _ece(held.topics[topical].astype(np.float64), topics),
        },
        abs=1e-5,
    )
    assert {type(value) for value in asdict(scores).values()} == {int, float}
    assert 0.65 < scores.role_accuracy < 0.9


def _secretive() -> tuple[list[Sample], Vectors]:
    """Passages whose words and vectors say nothing but which group they are of, in 36 groups of one label each."""
    samples = [
        Sample(
            chr(0x4E00 + group) * 3 + chr(0x5E00 + group) * 3,
            PROBLEMS,
            role,
            primary=topic if role.has_topic else None,
            subtopic=f"{topic}_a" if role.has_topic else None,
            group=str(group),
        )
        for group, (role, topic) in enumerate((role, topic) for role in ROLES for topic in TOPICS)
        for _ in range(4)
    ]
    return samples, np.repeat(np.eye(36, dtype=np.float32), 4, axis=0)


def test_a_group_is_never_on_both_sides() -> None:
    samples, vectors = _secretive()
    tagger, scores, held = fit_tagger(samples, vectors, "")
    known = tagger.predict([Sample(sample.text, PROBLEMS) for sample in samples], vectors)
    assert [(tags.role, tags.primary) for tags in known] == [(sample.role, sample.primary) for sample in samples]
    # Who had seen one passage of a group would know the other three; who has not can only guess.
    assert scores.role_accuracy < 0.3
    assert scores.topic_accuracy < 0.3
    assert scores.subtopic_accuracy < 0.3
    rows = held.roles.reshape(36, 4, 6)
    assert rows == pytest.approx(np.repeat(rows[:, :1], 4, axis=1))


def _view(samples: Sequence[Sample], logits: dict[str, NDArray[np.float32]]) -> View:
    """A view whose heads read the role off the first six dims of a vector and nothing else."""
    heads = {
        name: (np.zeros((36, width.shape[1]), np.float32), np.zeros(width.shape[1], np.float32))
        for name, width in logits.items()
    }
    heads["role"][0][:6] = np.eye(6) * 20
    assert {len(array) for array in logits.values()} == {len(samples)}
    return View(logits, heads)


def test_a_view_is_scored_by_what_it_said_when_it_had_not_seen_the_group() -> None:
    samples, vectors = _secretive()
    roles = np.array([ROLES.index(sample.role) for sample in samples if sample.role])
    topics = np.array([-1 if sample.primary is None else TOPICS.index(sample.primary) for sample in samples])
    nothing = {name: np.zeros((144, 6), np.float32) for name in HEADS}
    _, blind, _ = fit_tagger(samples, vectors, "", _view(samples, nothing))
    assert blind.role_accuracy < 0.3  # though its heads know some of these vectors
    one = np.eye(7, dtype=np.float32)[:, :6] * 8  # the last row is for no topic
    telling = {"role": one[roles], "primary": one[topics], "present": one[topics] * 2 - 8, "subtopic": one[topics]}
    tagger, scores, _ = fit_tagger(samples, vectors, "", _view(samples, telling))
    assert (scores.role_accuracy, scores.topic_accuracy, scores.subtopic_accuracy) == (1.0, 1.0, 1.0)
    # For texts to come it is the heads that speak.
    found = tagger.predict([Sample("晚霞", PROBLEMS)] * 6, np.eye(36, dtype=np.float32)[:6])
    assert [tags.role for tags in found] == list(ROLES)


# ------------------------------------------------------------------------------------------------- subtopics and topics


def test_a_users_own_subtopics_are_learnt(noisy: tuple[list[Sample], Tagger, Scores, HeldOut]) -> None:
    tagger = noisy[1]
    assert {*OWN.values()} & {entry.code for entry in subtopics()} == set()
    tags = _says(tagger, "存在不足，食堂伙食没有做好")
    assert (tags.primary, tags.topics[0].subtopic) == (Topic.INTERNAL_CONTROL, "own_canteen")
    assert _says(tagger, "究其原因，资产采购缺人缺钱").topics[0].subtopic == "internal_control_a"
    assert _says(tagger, "下一步将加强山塘警示工作").topics[0].subtopic == "own_signs"


def _with_subtopics(*topics: Topic) -> list[Sample]:
    return [
        replace(sample, subtopic=f"{sample.primary}_a" if sample.primary in topics else None)
        for sample in plain_samples()
    ]


@pytest.mark.usefixtures("few_folds")
@pytest.mark.parametrize("topics", [(), (Topic.OTHER,), (Topic.OTHER, Topic.INDICATORS)])
def test_few_subtopics_or_none_can_be_learnt(topics: tuple[Topic, ...]) -> None:
    samples = _with_subtopics(*topics)
    tagger, scores, held = fit_tagger(samples, random_vectors(len(samples)), "")
    assert {topic for _, topic in tagger.subtopics} == set(topics)
    assert scores.topic_accuracy == 1.0
    assert held.subtopics.shape == (len(samples), len(topics))
    assert scores.subtopic_accuracy == 1.0 or not topics
    for topic, about in ABOUT.items():
        tags = _says(tagger, f"存在不足，{about}没有做好")
        assert tags.topics[0].subtopic == (f"{topic}_a" if topic in topics else None)


@pytest.mark.usefixtures("few_folds")
def test_one_rare_subtopic_does_not_flatten_the_others() -> None:
    samples = [
        replace(sample, subtopic="rare") if (sample.group, sample.primary) == ("组3", Topic.OTHER) else sample
        for sample in plain_samples()
    ]
    tagger, _, held = fit_tagger(samples, random_vectors(len(samples)), "")
    column = [code for code, _ in tagger.subtopics].index("indicators_a")
    rows = [i for i, sample in enumerate(samples) if sample.subtopic == "indicators_a"]
    assert float(held.subtopics[rows, column].min()) > 0.8


@pytest.mark.usefixtures("few_folds")
def test_a_topic_of_one_group_alone_can_be_learnt() -> None:
    samples = [sample for sample in plain_samples() if sample.primary is not Topic.OTHER or sample.group == "组3"]
    tagger, scores, _ = fit_tagger(samples, random_vectors(len(samples)), "")
    assert _says(tagger, "存在不足，收费管理没有做好").primary is Topic.OTHER
    assert scores.topic_accuracy == pytest.approx(180 / 186)  # the six of that group could not be known
    assert _says(tagger, "存在不足，支付进度没有做好").topics[0].score > 0.8


@pytest.mark.usefixtures("few_folds")
def test_further_topics_are_learnt() -> None:
    samples = plain_samples()
    double = [
        Sample(
            f"存在不足，{a}和{b}没有做好，第{group}处",
            PROBLEMS,
            Role.PROBLEM,
            first,
            (second,),
            f"{first}_a",
            f"组{group}",
        )
        for group in range(10)
        for (first, a), (second, b) in zip(
            ABOUT.items(), [*list(ABOUT.items())[1:], *list(ABOUT.items())[:1]], strict=True
        )
    ]
    tagger, _, _ = fit_tagger([*samples, *double], random_vectors(len(samples) + len(double)), "")
    assert all(0.3 <= threshold <= 0.8 for threshold in tagger.thresholds)
    single, both = _says(tagger, "存在不足，支付进度没有做好"), _says(tagger, "存在不足，支付进度和指标量化没有做好")
    assert [score.label for score in single.topics] == [Topic.BUDGET_EXECUTION]
    assert {score.label for score in both.topics} == {Topic.BUDGET_EXECUTION, Topic.INDICATORS}
    assert both.primary is both.topics[0].label
    assert both.topics[0].score >= both.topics[1].score
    assert [score.subtopic for score in both.topics] == [f"{score.label}_a" for score in both.topics]


# ------------------------------------------------------------------------------------------------------ headings (rule 14)


@pytest.mark.usefixtures("few_folds")
def test_headings_tip_what_could_be_either_and_overrule_nothing_clear() -> None:
    either = [
        Sample(
            f"关于{about}，详见第{group}页",
            path,
            role,
            topic,
            subtopic=f"{topic}_a",
            group=f"组{group}",
        )
        for group in range(10)
        for topic, about in ABOUT.items()
        for path, role in ((PROBLEMS, Role.PROBLEM), (PLANS, Role.MEASURE))
    ]
    usual = {Role.PROBLEM: (PROBLEMS, PLANS), Role.MEASURE: (PLANS, PROBLEMS)}
    clear = [
        replace(sample, path=usual[sample.role][i % 4 == 0] if sample.role in usual else ())
        for i, sample in enumerate(plain_samples())
    ]
    tagger, _, _ = fit_tagger([*clear, *either], random_vectors(len(clear) + len(either)), "")
    for about in ABOUT.values():
        assert _says(tagger, f"关于{about}，详见第3页", PROBLEMS).role is Role.PROBLEM
        assert _says(tagger, f"关于{about}，详见第3页", PLANS).role is Role.MEASURE
        for role in (Role.PROBLEM, Role.MEASURE, Role.BACKGROUND):
            for path in (PROBLEMS, PLANS, ()):
                assert _says(tagger, SAYS[role].format(about), path).role is role, (about, path)


# ----------------------------------------------------------------------------------------------- calibration and thresholds


def test_calibration_error_against_a_hand_count() -> None:
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    # two at 0.9 of which half are right (gap 0.4), two at 0.6 all right (gap 0.4)
    assert calibration_error(chances, np.array([0, 1, 0, 0])) == pytest.approx(0.4)
    # one bin alone: 3 of 4 right, 0.75 sure on average
    assert calibration_error(chances, np.array([0, 1, 0, 0]), bins=1) == pytest.approx(0.0)
    # sure and right, sure and wrong
    assert calibration_error(np.eye(2), np.array([0, 1])) == 0.0
    assert calibration_error(np.eye(2), np.array([1, 0])) == 1.0


def test_calibration_error_against_counting_one_by_one() -> None:
    chance = np.random.default_rng(1)
    chances = chance.dirichlet([0.5] * 6, size=500)
    labels = chance.integers(0, 6, size=500)
    assert calibration_error(chances, labels) == pytest.approx(_ece(chances, labels.tolist()))


def test_temperature_and_offset_are_found_again() -> None:
    chance = np.random.default_rng(2)
    logits = chance.normal(scale=4, size=(20_000, 6))
    labels = np.array([chance.choice(6, p=row) for row in softmax(logits * 0.4, axis=1)])
    labels[::50] = -1  # no label: says nothing
    assert _temperature(logits, labels) == pytest.approx(0.4, rel=0.03)
    flags = (chance.random((20_000, 6)) < expit(0.7 * logits - 1.5)).astype(np.int64)
    assert _platt(logits, flags) == pytest.approx((0.7, -1.5), rel=0.05)


def test_a_threshold_is_where_most_of_the_further_topics_are_found() -> None:
    # Of topic 0 among passages with another main topic: two that have it (0.62, 0.48), three that do not (0.46, 0.41, 0.2).
    chances = np.full((7, 6), 0.01)
    present = np.zeros((7, 6), dtype=np.int64)
    primaries = np.array([1, 1, 2, 3, 4, 0, 0])
    chances[:, 0] = [0.62, 0.48, 0.46, 0.41, 0.2, 0.1, 0.99]
    present[:, 0] = [1, 1, 0, 0, 0, 1, 1]
    present[np.arange(7), primaries] = 1
    # From 0.30, 0.35 and 0.40 on F1 is 2/3, from 0.45 on 4/5, from 0.50 on 2/3; between them nothing is tried.
    chosen = _thresholds(chances, present, primaries)
    assert chosen == pytest.approx([0.45, 0.8, 0.8, 0.8, 0.8, 0.8])  # where there is none to find, it takes much


# ----------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda samples: [s for s in samples if s.group in {"组1", "组2", "组3", "组4"}],
            "至少要 5 个来源组，现有 4 个",
        ),
        (lambda samples: [s for s in samples if s.role is not Role.TARGET], "缺少这些类别的例子：target$"),
        (
            lambda samples: [s for s in samples if s.primary not in {Topic.INDICATORS, Topic.OTHER}],
            "缺少这些类别的例子：indicators、other$",
        ),
        (lambda samples: [*samples, Sample("好", role=Role.PROBLEM)], "“好”的角色是 problem，主题是 None"),
        (
            lambda samples: [*samples, Sample("好", role=Role.TARGET, primary=Topic.OTHER)],
            "角色是 target，主题是 other",
        ),
        (lambda samples: [*samples, Sample("好")], "“好”的角色是 None"),
        (
            lambda samples: [*samples, Sample("好", role=Role.CAUSE, primary=Topic.OTHER, subtopic="indicators_a")],
            "“好”的子主题 indicators_a 属于 indicators，主题却是 other",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(change: object, what: str) -> None:
    assert callable(change)
    samples: list[Sample] = change(plain_samples())
    with pytest.raises(TaggerError, match=what) as caught:
        fit_tagger(samples, random_vectors(len(samples)), "")
    assert re.match("[一-龥]{4}", str(caught.value))


def test_the_scope_is_learnt_from_texts_of_both_kinds() -> None:
    inside = ["预算执行率低", "资金闲置未用", "资产闲置未入账", "预算资金未执行", "闲置资产未处置", "项目资金未拨付"]
    outside = ["红烧肉怎么做好吃", "晚饭吃什么好", "怎么做红烧鱼", "鱼和肉怎么做", "好吃的红烧肉", "吃什么水果好"]
    vectors = np.eye(2, dtype=np.float32)[[0] * 6 + [1] * 6]
    scope = fit_scope([*inside, *outside], [True] * 6 + [False] * 6, vectors)
    assert scope.odds("资金闲置", vectors[0]) > 0 > scope.odds("红烧肉", vectors[-1])
    again = Scope.of(scope.terms.names, scope.arrays())
    assert again.odds("资金闲置", vectors[0]) == pytest.approx(scope.odds("资金闲置", vectors[0]), abs=1e-6)
