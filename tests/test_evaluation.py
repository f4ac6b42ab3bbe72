"""Scores against those of scikit-learn, the worst mistakes, the floors, and gold of one's own in either form."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from openpyxl import Workbook
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support
from test_review import KINDS, SmallEncoder, small_samples, use_small

from nlp.analyst import Analyst, default_tagger
from nlp.corpus import corpus_files, corpus_hash
from nlp.errors import InvalidInputError, NotFoundError, TaggerError
from nlp.evaluation import (
    ClassScore,
    Score,
    SetScores,
    evaluate_project,
    evaluate_sets,
    gold_reports,
    hold_against_floors,
    measured,
    pin_floors,
    score_held_out,
    score_samples,
    score_set,
)
from nlp.learning import calibration_error
from nlp.records import Role, Topic
from nlp.tagger import ROLES, TOPICS, HeldOut, Sample
from nlp.training import default_corpus, train
from nlp.views import verdict_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CODES = ("vague_indicators", "slow_spending", "idle_funds")


def random_set(seed: int, count: int = 400) -> tuple[list[Sample], HeldOut]:
    """Passages with random labels, and random probabilities that are right more often than not."""
    source = np.random.default_rng(seed)
    samples: list[Sample] = []
    roles: list[NDArray[np.float64]] = []
    topics: list[NDArray[np.float64]] = []
    subtopics: list[NDArray[np.float64]] = []
    for number in range(count):
        role = ROLES[int(source.integers(len(ROLES)))]
        topic = TOPICS[int(source.integers(len(TOPICS)))] if role.has_topic else None
        code = CODES[int(source.integers(len(CODES)))] if topic and source.random() < 0.5 else None
        samples.append(Sample(f"第{number}条", ("二、问题",), role, topic, subtopic=code, group=f"组{number % 7}"))
        for rows, width, label in (
            (roles, len(ROLES), ROLES.index(role)),
            (topics, len(TOPICS), TOPICS.index(topic) if topic else 0),
            (subtopics, len(CODES), CODES.index(code) if code else 0),
        ):
            chances = source.dirichlet(np.ones(width))
            chances[label] += source.random()
            rows.append(chances / chances.sum())
    first, second, third = (np.array(rows, dtype=np.float32) for rows in (roles, topics, subtopics))
    return samples, HeldOut(first, second, third)


# ------------------------------------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    samples, said = random_set(seed)
    scores = score_set("随机", samples, said, CODES)
    assert (scores.name, scores.n) == ("随机", 400)
    topical = [i for i, sample in enumerate(samples) if sample.primary]
    assert scores.topic is not None
    for score, labels, gold, chances in (
        (scores.role, ROLES, [str(sample.role) for sample in samples], said.roles),
        (scores.topic, TOPICS, [str(samples[i].primary) for i in topical], said.topics[topical]),
    ):
        names = [str(label) for label in labels]
        found = [names[place] for place in chances.argmax(axis=1)]
        assert (score.n, score.labels) == (len(gold), tuple(names))
        assert score.accuracy == pytest.approx(accuracy_score(gold, found), abs=5e-5)
        assert score.macro_f1 == pytest.approx(f1_score(gold, found, average="macro"), abs=1e-4)
        assert [list(row) for row in score.confusion] == confusion_matrix(gold, found, labels=names).tolist()
        parts = zip(*precision_recall_fscore_support(gold, found, labels=names), strict=True)
        for name, (precision, recall, f1, count) in zip(names, parts, strict=True):
            of = score.per_class[name]
            assert (of.precision, of.recall, of.f1) == pytest.approx((precision, recall, f1), abs=5e-5)
            assert of.n == count
        numbers = np.array([names.index(label) for label in gold])
        assert score.ece == pytest.approx(calibration_error(chances.astype(np.float64), numbers), abs=5e-5)
        assert 0 < score.ece < score.accuracy < 1
    detailed = [i for i in topical if samples[i].subtopic]
    right = [CODES[int(said.subtopics[i].argmax())] == samples[i].subtopic for i in detailed]
    assert scores.subtopic_accuracy == pytest.approx(sum(right) / len(right), abs=5e-5)


def test_a_class_that_nobody_has_does_not_lower_the_mean() -> None:
    samples = [Sample("甲", (), Role.TARGET), Sample("乙", (), Role.TARGET)]
    roles = np.full((2, 6), 0.02, dtype=np.float32)
    roles[0, ROLES.index(Role.TARGET)] = roles[1, ROLES.index(Role.CAUSE)] = 0.9
    said = HeldOut(roles, np.full((2, 6), 1 / 6, dtype=np.float32), np.zeros((2, 0), dtype=np.float32))
    scores = score_set("一类", samples, said, ())
    assert (scores.role.accuracy, scores.role.macro_f1) == (0.5, 0.6667)
    assert scores.role.per_class["target"] == ClassScore(1.0, 0.5, 0.6667, 2)
    assert scores.role.per_class["cause"] == ClassScore(0.0, 0.0, 0.0, 0)
    assert (scores.topic, scores.subtopic_accuracy) == (None, None)


def test_a_subtopic_that_the_tagger_does_not_know_is_not_asked_for() -> None:
    samples, said = random_set(3)
    odd = [replace(sample, subtopic="own_kind") if sample.subtopic else sample for sample in samples]
    assert score_set("自拟", odd, said, CODES).subtopic_accuracy is None


def test_the_worst_mistakes_are_those_that_the_tagger_was_surest_of() -> None:
    samples, said = random_set(4)
    worst = score_set("随机", samples, said, CODES).worst
    wrong = []
    for question, labels, chances in (("role", ROLES, said.roles), ("topic", TOPICS, said.topics)):
        for sample, row in zip(samples, chances, strict=True):
            gold = sample.role if question == "role" else sample.primary
            if gold and labels[int(row.argmax())] != gold:
                wrong.append((round(float(row.max()), 4), sample.text, question, str(gold), str(labels[row.argmax()])))
    assert len(wrong) > 40
    assert len(worst) == 20
    assert [item.score for item in worst] == sorted((item[0] for item in wrong), reverse=True)[:20]
    assert {(m.score, m.text, m.question, m.expected, m.found) for m in worst} <= set(wrong)
    assert {item.question for item in worst} == {"role", "topic"}
    assert {item.path for item in worst} == {("二、问题",)}


def test_without_mistakes_there_is_no_worst() -> None:
    sample = Sample("甲", (), Role.TARGET)
    roles = np.eye(6, dtype=np.float32)[[ROLES.index(Role.TARGET)]]
    scores = score_set("全对", [sample], HeldOut(roles, roles, np.zeros((1, 0), dtype=np.float32)), ())
    assert (scores.worst, scores.role.accuracy, scores.role.ece) == ((), 1.0, 0.0)


def test_a_set_without_passages_or_roles_is_refused() -> None:
    _, said = random_set(0, 1)
    with pytest.raises(InvalidInputError, match=r"空集 里没有条目.*每条都要有 role"):
        score_set("空集", [], said, CODES)
    with pytest.raises(InvalidInputError, match="缺角色 里没有条目，或有条目没有角色"):
        score_set("缺角色", [Sample("甲")], said, CODES)


# ------------------------------------------------------------------------------------------------------------------- floors


def scored(role: float = 0.9, topic: float | None = 0.8, subtopic: float | None = 0.7, ece: float = 0.05) -> SetScores:
    """Scores of which only those matter that have floors."""

    def score(macro: float) -> Score:
        return Score(10, macro, macro, ece, ("a",), {"a": ClassScore(macro, macro, macro, 10)}, ((10,),))

    return SetScores("标注语料", 10, score(role), score(topic) if topic is not None else None, subtopic, ())


def test_what_is_measured_is_better_the_higher_it_is() -> None:
    assert measured(scored()) == {
        "role_macro_f1": 0.9,
        "role_calibration": 0.95,
        "topic_macro_f1": 0.8,
        "topic_calibration": 0.95,
        "subtopic_accuracy": 0.7,
    }
    assert measured(scored(topic=None, subtopic=None)) == {"role_macro_f1": 0.9, "role_calibration": 0.95}


def test_floors_lie_just_below_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    floors = pin_floors(scored(), "c1", path, " 初次确定 ")
    assert floors == {
        "role_macro_f1": 0.895,
        "role_calibration": 0.945,
        "topic_macro_f1": 0.795,
        "topic_calibration": 0.945,
        "subtopic_accuracy": 0.695,
    }
    content = json.loads(path.read_text("utf-8"))
    assert (content["corpus"], content["floors"]) == ("c1", floors)
    assert [(entry["reason"], entry["before"]) for entry in content["history"]] == [("初次确定", {})]
    assert hold_against_floors(scored(), "c1", path) == ((), ())
    assert hold_against_floors(scored(role=0.8951), "c1", path) == ((), ())


def test_what_falls_below_is_named_with_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    pin_floors(scored(), "c1", path, "初次确定")
    below, remarks = hold_against_floors(scored(role=0.8, ece=0.1), "c1", path)
    assert below == (
        "role_macro_f1 为 0.8000，低于下限 0.8950",
        "role_calibration 为 0.9000，低于下限 0.9450",
        "topic_calibration 为 0.9000，低于下限 0.9450",
    )
    assert remarks == ()
    below, _ = hold_against_floors(scored(topic=None), "c1", path)  # what is measured no more is no pass
    assert [line.partition(" ")[0] for line in below] == ["topic_macro_f1", "topic_calibration"]


def test_another_corpus_is_not_compared_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    pin_floors(scored(), "c1", path, "初次确定")
    below, remarks = hold_against_floors(scored(role=0.1), "c2", path)
    assert below == ()
    assert remarks == ("标注语料与下限所依据的不同，未作比较；请用 --pin 原因 重新确定下限",)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_floors_are_not_moved_without_a_reason(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "floors.json"
    with pytest.raises(InvalidInputError, match="改动下限须写明原因"):
        pin_floors(scored(), "c1", path, reason)
    assert not path.exists()
    pin_floors(scored(), "c1", path, "初次确定")
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match="--pin"):
        pin_floors(scored(role=0.2), "c1", path, reason)
    assert path.read_bytes() == before


def test_the_history_keeps_old_floors_and_reasons(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    first = pin_floors(scored(), "c1", path, "初次确定")
    second = pin_floors(scored(role=0.8), "c2", path, "语料增加了三个县")
    pin_floors(scored(role=0.85), "c2", path, "换了编码器")
    history = json.loads(path.read_text("utf-8"))["history"]
    assert [(entry["reason"], entry["before"]) for entry in history] == [
        ("初次确定", {}),
        ("语料增加了三个县", first),
        ("换了编码器", second),
    ]
    assert all(len(entry["date"]) == len("2024-01-01") for entry in history)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"floors": {}, "history": []}'])
def test_floors_that_cannot_be_read_are_told(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "floors.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(InvalidInputError, match=r"读不出下限文件 .*floors\.json.*jixiao evaluate --pin 原因"):
        hold_against_floors(scored(), "c1", path)


# -------------------------------------------------------------------------------------------------------- gold of one's own


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SmallEncoder:
    return use_small(monkeypatch, tmp_path / "models")


def line(sample: Sample) -> str:
    """A labelled passage as a line of the corpus."""
    labels = {"role": sample.role, "primary": sample.primary, "secondary": sample.secondary}
    item = {"text": sample.text, "path": sample.path, **labels, "subtopic": sample.subtopic, "group": sample.group}
    return json.dumps(item, ensure_ascii=False)


def write_lines(path: Path, samples: Sequence[Sample]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line(sample)}\n" for sample in samples), "utf-8")
    return path


def new_samples() -> list[Sample]:
    """Passages that the small tagger has not seen; the last three have labels that contradict their words."""
    texts = ("年底前资产采购存在不足，没有做好", "下一步将加强支付进度工作，甲类", "本单位负责收费管理事务多年")
    right = [
        Sample(texts[0], ("五、存在的问题",), Role.PROBLEM, Topic.INTERNAL_CONTROL),
        Sample(texts[1], ("六、措施",), Role.MEASURE, Topic.BUDGET_EXECUTION, (), KINDS[Topic.BUDGET_EXECUTION][0]),
        Sample(texts[2], (), Role.BACKGROUND),
    ]
    wrong = [
        Sample(f"其中{texts[0]}", ("五、存在的问题",), Role.CAUSE, Topic.OTHER),
        Sample(f"其中{texts[1]}", ("六、措施",), Role.MEASURE, Topic.INDICATORS, (Topic.OTHER,)),
        Sample(f"其中{texts[2]}", (), Role.TARGET),
    ]
    return [*right, *wrong]


def test_own_gold_is_scored(tmp_path: Path, small: SmallEncoder) -> None:
    verdict = evaluate_sets([write_lines(tmp_path / "自备.jsonl", new_samples())], Analyst(small.name))
    (scores,) = verdict.sets
    assert (scores.name, scores.n) == ("自备.jsonl", 6)
    assert scores.role.accuracy == round(4 / 6, 4)
    assert scores.topic is not None
    assert (scores.topic.n, scores.topic.accuracy) == (4, 0.5)
    assert scores.subtopic_accuracy == 1.0
    assert {(m.text[:2], m.question, m.expected) for m in scores.worst} == {
        ("其中", "role", "cause"),
        ("其中", "topic", "other"),
        ("其中", "topic", "indicators"),
        ("其中", "role", "target"),
    }
    assert verdict.below == ()
    assert verdict.remarks == ("自备的标准答案没有成绩下限，未作比较",)


@pytest.mark.usefixtures("small")
def test_own_gold_scores_the_same_in_every_form(tmp_path: Path) -> None:
    samples = new_samples()
    heads = ["上级标题", "正文", "角色", "主题", "次要主题", "子主题"]
    rows = [
        [" > ".join(s.path), s.text, str(s.role), s.primary or "", "、".join(s.secondary), s.subtopic or ""]
        for s in samples
    ]
    book = Workbook()
    assert book.active is not None
    for row in [heads, *rows]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in [heads, *rows]), "utf-8-sig")
    write_lines(tmp_path / "a.jsonl", samples)
    verdict = evaluate_sets([tmp_path / f"a.{form}" for form in ("jsonl", "xlsx", "csv")])
    assert [scores.name for scores in verdict.sets] == ["a.jsonl", "a.xlsx", "a.csv"]
    lines, *others = (replace(scores, name="") for scores in verdict.sets)
    assert others == [lines, lines]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("坏.jsonl", '{"text": "甲", "role": "problem"}\n{"text": "乙"}\n', "坏.jsonl 第 2 行读不懂"),
        ("坏.csv", "正文,角色\n甲,毛病\n", "坏.csv 有 1 行填得不对.*没有名为“毛病”的角色"),
        ("空.csv", "正文,角色\n甲,\n", "空.csv 里没有条目"),
        ("没有.jsonl", None, "读不出 .*没有.jsonl"),
        ("没有.xlsx", None, "打不开 .*没有.xlsx"),
    ],
)
def test_gold_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(InvalidInputError, match=said):
        evaluate_sets([tmp_path / name])


def report_gold(folder: Path, name: str) -> Path:
    """The gold of a full report."""
    passages = [
        {"text": "存在不足，支付进度没有做好", "section": ["五、存在的问题"], "lead": "", "role": "problem", "topics": ["budget_execution"]},
        {"text": "圆满完成资产采购任务", "section": ["二、成效"], "lead": "主要有：", "role": "achievement", "topics": []},
        {
            "text": "下一步将加强指标量化工作，甲类",
            "section": ["六、措施"],
            "lead": "",
            "role": "measure",
            "topics": ["indicators", "other"],
            "subtopic": KINDS[Topic.INDICATORS][0],
        },
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"passages": passages}, ensure_ascii=False), "utf-8")
    return folder


def test_gold_of_reports_is_read_with_headings_and_leads(tmp_path: Path) -> None:
    samples = gold_reports(report_gold(tmp_path, "甲-2024"))
    assert samples == (
        Sample(
            "存在不足，支付进度没有做好", ("五、存在的问题",), Role.PROBLEM, Topic.BUDGET_EXECUTION, group="甲-2024"
        ),
        Sample("圆满完成资产采购任务", ("二、成效", "主要有："), Role.ACHIEVEMENT, group="甲-2024"),
        Sample(
            "下一步将加强指标量化工作，甲类",
            ("六、措施",),
            Role.MEASURE,
            Topic.INDICATORS,
            (Topic.OTHER,),
            KINDS[Topic.INDICATORS][0],
            "甲-2024",
        ),
    )
    with pytest.raises(NotFoundError, match="没有报告的标准答案"):
        gold_reports(tmp_path / "无")


def test_the_tagger_is_scored_as_it_stands(small: SmallEncoder) -> None:
    scores = score_samples("学过的", small_samples(), Analyst(small.name))
    assert (scores.n, scores.role.accuracy, scores.subtopic_accuracy) == (216, 1.0, 1.0)
    assert scores.topic is not None
    assert (scores.topic.n, scores.topic.accuracy) == (108, 1.0)


# ------------------------------------------------------------------------------------------------------ a project of its own


def doubtful_samples() -> list[Sample]:
    """The small samples; three achievements of one group are called targets."""
    samples = small_samples()
    changed = [place for place, s in enumerate(samples) if s.role is Role.ACHIEVEMENT and s.group == "组3"][:3]
    return [replace(s, role=Role.TARGET) if place in changed else s for place, s in enumerate(samples)]


def make_project(folder: Path) -> None:
    """Lay out a checkout: a corpus, the gold of a report and a tagger that has learnt the corpus."""
    write_lines(folder / "corpora" / "labelled" / "a.jsonl", doubtful_samples())
    report_gold(folder / "corpora" / "gold", "甲-2024")
    train(folder / "corpora" / "labelled", folder / "models" / "tagger", say=lambda _: None)


def move_to(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the program look for corpora and models in another checkout."""
    for room in ("analyst", "evaluation"):
        monkeypatch.setattr(f"nlp.{room}.__file__", str(folder / "nlp" / f"{room}.py"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nlp.training.open_encoder", lambda _: SmallEncoder())
        make_project(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one's own, in which floors can be moved."""
    folder = tmp_path / "checkout"
    shutil.copytree(made, folder)
    move_to(monkeypatch, folder)
    monkeypatch.setenv("JIXIAO_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("nlp.analyst.open_encoder", lambda _: SmallEncoder())
    return folder


def test_a_project_is_scored_pinned_and_held(project: Path) -> None:
    with pytest.raises(InvalidInputError, match="读不出下限文件"):
        evaluate_project(say=lambda _: None)
    said: list[str] = []
    pinned = evaluate_project("初次确定", said.append)
    assert said == ["正在给成套报告打分……"]
    held, reports = pinned.sets
    assert (held.n, held.role.n, reports.n) == (216, 216, 3)
    assert held.role.accuracy == round(213 / 216, 4)
    assert {(mistake.question, mistake.expected, mistake.found) for mistake in held.worst} == {
        ("role", "target", "achievement")
    }
    assert (reports.role.accuracy, reports.subtopic_accuracy) == (1.0, 1.0)
    assert (pinned.below, pinned.remarks) == ((), ())
    assert evaluate_project(say=lambda _: None) == pinned
    floors = json.loads((project / "models" / "tagger" / "floors.json").read_text("utf-8"))
    assert floors["corpus"] == corpus_hash(corpus_files(project / "corpora" / "labelled"))
    assert floors["floors"]["role_macro_f1"] == pytest.approx(held.role.macro_f1 - 0.005)


def test_scores_below_the_floors_are_named(project: Path) -> None:
    evaluate_project("初次确定", lambda _: None)
    path = project / "models" / "tagger" / "floors.json"
    floors = json.loads(path.read_text("utf-8"))
    floors["floors"]["role_macro_f1"] = 0.999
    path.write_text(json.dumps(floors), "utf-8")
    verdict = evaluate_project(say=lambda _: None)
    assert verdict.below == (f"role_macro_f1 为 {verdict.sets[0].role.macro_f1:.4f}，低于下限 0.9990",)
    assert verdict_view(verdict)["floors"] == "below"


def test_a_tagger_of_another_state_of_the_corpus_is_refused(project: Path) -> None:
    write_lines(project / "corpora" / "labelled" / "b.jsonl", new_samples())
    with pytest.raises(TaggerError, match=r"不是用现在的 .*labelled 训练的；请先运行 jixiao train"):
        evaluate_project("初次确定", lambda _: None)


def test_a_tagger_that_learnt_corrections_is_no_measure_of_the_corpus(project: Path) -> None:
    path = project / "models" / "tagger" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "corrections": 2}), "utf-8")
    with pytest.raises(TaggerError, match="jixiao train"):
        score_held_out(project / "corpora" / "labelled", project / "models" / "tagger")


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.json", "held_out.safetensors"])
def test_a_missing_file_of_the_tagger_is_told(project: Path, name: str) -> None:
    (project / "models" / "tagger" / name).unlink()
    with pytest.raises(TaggerError, match="jixiao train"):
        evaluate_project(say=lambda _: None)


def test_no_checkout_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to(monkeypatch, tmp_path)
    with pytest.raises(NotFoundError, match="labelled"):
        evaluate_project(say=lambda _: None)


def test_the_view_has_the_keys_that_programs_read(project: Path) -> None:
    assert project.is_dir()
    view: Any = json.loads(json.dumps(verdict_view(evaluate_project("初次确定", lambda _: None))))
    assert set(view) == {"sets", "floors", "below", "remarks"}
    assert view["floors"] == "ok"
    assert len(view["sets"]) == 2
    for item in view["sets"]:
        assert set(item) == {"name", "n", "role", "topic", "subtopic", "worst"}
        for question in ("role", "topic"):
            assert set(item[question]) >= {"accuracy", "macro_f1", "per_class", "ece", "labels", "confusion"}
            assert list(item[question]["per_class"]) == item[question]["labels"]
            assert set(item[question]["per_class"][item[question]["labels"][0]]) == {"precision", "recall", "f1", "n"}


def test_the_scores_of_the_project_itself_hold() -> None:
    scores = score_held_out(default_corpus(), default_tagger())
    assert scores.n > 8000
    assert scores.role.macro_f1 > 0.75
    assert scores.topic is not None
    assert scores.topic.macro_f1 > 0.75
    corpus = corpus_hash(corpus_files(default_corpus()))
    assert hold_against_floors(scores, corpus, default_tagger() / "floors.json") == ((), ())
