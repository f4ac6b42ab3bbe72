from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import StandIn
from numpy.typing import NDArray

from nlp.analyst import Analyst, default_tagger
from nlp.errors import NotFoundError, TaggerError
from nlp.records import Role, Topic
from nlp.tagger import ROLES, TOPICS, Sample, Tagger, calibration_error, core, read_samples
from nlp.training import default_corpus, train

if TYPE_CHECKING:
    from pathlib import Path

_SAYS = {
    Role.PROBLEM: "存在不足，{}没有做好",
    Role.CAUSE: "究其原因，{}缺人缺钱",
    Role.MEASURE: "下一步将加强{}工作",
    Role.ACHIEVEMENT: "圆满完成{}任务",
    Role.TARGET: "计划到年底{}达到百分之百",
    Role.BACKGROUND: "本单位负责{}事务",
}
_ABOUT = dict(zip(TOPICS, ("申报测算", "支付进度", "指标量化", "资产采购", "结果挂钩", "收费管理"), strict=True))


def _samples() -> list[Sample]:
    return [
        Sample(
            f"{says.format(about)}，第{group}处",
            ("五、存在的问题",),
            role,
            topic if role.has_topic else None,
            group=f"组{group}",
        )
        for group in range(10)
        for role, says in _SAYS.items()
        for topic, about in _ABOUT.items()
    ]


def _vectors(count: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def small() -> tuple[Tagger, list[Sample], NDArray[np.float32]]:
    samples = _samples()
    vectors = _vectors(len(samples))
    tagger, scores = Tagger.fit(samples, vectors, "指纹")
    assert scores.n == 360
    assert scores.groups == 10
    assert scores.role_macro_f1 > 0.95  # the words decide, and the words are plain
    assert scores.topic_macro_f1 > 0.95
    return tagger, samples, vectors


def test_learns_what_words_say(small: tuple[Tagger, list[Sample], NDArray[np.float32]]) -> None:
    tagger, _, vectors = small
    tags = tagger.predict([Sample("存在不足，支付进度没有做好")], vectors[:1])[0]
    assert (tags.role, tags.primary) == (Role.PROBLEM, Topic.BUDGET_EXECUTION)
    assert tags.topics[0].label is Topic.BUDGET_EXECUTION
    assert 0.5 < tags.role_score <= 1.0


def test_roles_without_topic_have_none(small: tuple[Tagger, list[Sample], NDArray[np.float32]]) -> None:
    tagger, _, vectors = small
    tags = tagger.predict([Sample("圆满完成资产采购任务")], vectors[:1])[0]
    assert (tags.role, tags.primary, tags.topics) == (Role.ACHIEVEMENT, None, ())


def test_a_role_that_is_given_stays(small: tuple[Tagger, list[Sample], NDArray[np.float32]]) -> None:
    tagger, _, vectors = small
    tags = tagger.predict([Sample("圆满完成资产采购任务", role=Role.MEASURE)], vectors[:1])[0]
    assert (tags.role, tags.role_score, tags.primary) == (Role.MEASURE, 1.0, Topic.INTERNAL_CONTROL)


def test_evidence_names_the_words_that_spoke(small: tuple[Tagger, list[Sample], NDArray[np.float32]]) -> None:
    tagger, _, vectors = small
    sample = Sample("存在不足，指标量化没有做好")
    tags = tagger.predict([sample], vectors[:1])[0]
    evidence = tagger.explain(sample, vectors[0], tags)
    assert {item.text for item in evidence} & {"指标", "量化", "指标量化"}
    assert [item.weight for item in evidence] == sorted((item.weight for item in evidence), reverse=True)


def test_nothing_to_tag_gives_nothing(small: tuple[Tagger, list[Sample], NDArray[np.float32]]) -> None:
    assert small[0].predict([], _vectors(0)) == []


def test_saved_and_loaded_it_says_the_same(
    small: tuple[Tagger, list[Sample], NDArray[np.float32]], tmp_path: Path
) -> None:
    tagger, samples, vectors = small
    tagger.save(tmp_path, {"note": "测试"})
    loaded = Tagger.load(tmp_path)
    assert loaded.encoder == "指纹"
    assert loaded.manifest["note"] == "测试"
    unlabelled = [Sample(sample.text, sample.path) for sample in samples]
    for before, after in zip(tagger.predict(unlabelled, vectors), loaded.predict(unlabelled, vectors), strict=True):
        assert (before.role, before.primary) == (after.role, after.primary)
        assert before.role_score == pytest.approx(after.role_score, abs=0.01)  # weights are kept in half precision
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "manifest.json"])
def test_damage_is_noticed(small: tuple[Tagger, list[Sample], NDArray[np.float32]], tmp_path: Path, name: str) -> None:
    small[0].save(tmp_path, {})
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TaggerError, match="jixiao train"):
        Tagger.load(tmp_path)


def test_a_missing_tagger_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="jixiao train"):
        Tagger.load(tmp_path / "无")


def test_too_few_groups_or_a_missing_class_are_refused() -> None:
    samples = _samples()
    with pytest.raises(TaggerError, match="来源组"):
        Tagger.fit(samples[:72], _vectors(72), "")
    without = [sample for sample in samples if sample.role is not Role.TARGET]
    with pytest.raises(TaggerError, match="target"):
        Tagger.fit(without, _vectors(len(without)), "")


def _line(**changes: Any) -> str:
    item = {"text": "执行率低", "path": [], "role": "problem", "primary": "budget_execution", "group": "甲"}
    return json.dumps({**item, **changes}, ensure_ascii=False)


def test_corpus_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(_line(secondary=["indicators"]) + "\n\n", "utf-8")
    (sample,) = read_samples([tmp_path / "a.jsonl"])
    expected = Sample("执行率低", (), Role.PROBLEM, Topic.BUDGET_EXECUTION, (Topic.INDICATORS,), "甲")
    assert sample == expected


@pytest.mark.parametrize("line", ["{", _line(role="问题"), _line(primary="nothing"), '{"text": "无组"}'])
def test_a_bad_corpus_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(_line() + "\n" + line, "utf-8")
    with pytest.raises(TaggerError, match="第 2 行"):
        read_samples([path])


def test_core_drops_the_number_and_keeps_the_rest() -> None:
    texts = ["（一）指标笼统", "①指标笼统", "主要一是指标笼统", "首先，指标笼统", "3.指标笼统", "指标笼统"]
    assert {core(text) for text in texts} == {"指标笼统"}
    assert core("3.5万元未支付") == "3.5万元未支付"
    assert core("一、") == "一、"


def test_calibration_error_against_a_hand_count() -> None:
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    # two at 0.9 of which half are right (gap 0.4), two at 0.6 all right (gap 0.4)
    assert calibration_error(chances, labels) == pytest.approx(0.4)


def test_training_needs_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="--corpus"):
        train(tmp_path, tmp_path / "out")


def test_training_writes_the_same_files_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    lines = [_line(text=s.text, path=list(s.path), role=s.role, primary=s.primary, group=s.group) for s in _samples()]
    (corpus / "a.jsonl").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr("nlp.training.open_encoder", lambda _: StandIn())
    said: list[str] = []
    first, scores = train(corpus, tmp_path / "first", say=said.append)
    second, _ = train(corpus, tmp_path / "second", say=said.append)
    assert [path.name for path in sorted(first.iterdir())] == ["manifest.json", "model.safetensors", "vocabulary.json"]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name
    manifest = json.loads((first / "manifest.json").read_text("utf-8"))
    assert manifest["corpus"]["passages"] == scores.n == 360
    assert manifest["encoder"] == StandIn().fingerprint
    assert manifest["cross_validation"]["role_macro_f1"] == scores.role_macro_f1
    assert any("360" in line for line in said)


def test_labelled_corpus_is_sound() -> None:
    samples = read_samples(default_corpus().glob("*.jsonl"))
    assert len(samples) >= 1600
    assert {sample.role for sample in samples} == set(ROLES)
    assert {sample.primary for sample in samples} == {*TOPICS, None}
    assert len({(sample.text, sample.path) for sample in samples}) == len(samples)
    for sample in samples:
        assert sample.role is not None
        assert sample.role.has_topic == (sample.primary is not None), sample.text
        assert sample.primary not in sample.secondary, sample.text


@pytest.mark.encoder
def test_the_tagger_that_comes_with_the_project_knows_the_field() -> None:
    analyst = Analyst()
    texts = {
        "截至12月底，农田水利项目资金支付率仅为38.5%，大部分资金结转下年。": (Role.PROBLEM, Topic.BUDGET_EXECUTION),
        "绩效指标设置笼统，多为定性描述，缺乏可量化的产出标准。": (Role.PROBLEM, Topic.INDICATORS),
        "部分采购项目未履行政府采购程序，直接指定供应商。": (Role.PROBLEM, Topic.INTERNAL_CONTROL),
        "评价结果没有与下年度预算安排挂钩，评而不用。": (Role.PROBLEM, Topic.RESULT_APPLICATION),
        "下一步将细化量化绩效指标，做到可考核、可衡量。": (Role.MEASURE, Topic.INDICATORS),
    }
    found = [tags for tags, _ in analyst.tag_texts(list(texts))]
    assert [(tags.role, tags.primary) for tags in found] == list(texts.values())
    assert default_tagger().name == "tagger"
    assert Tagger.load(default_tagger()).manifest["cross_validation"]["topic_macro_f1"] > 0.75


@pytest.mark.encoder
def test_a_tagger_of_another_encoder_is_refused(
    small: tuple[Tagger, list[Sample], NDArray[np.float32]], tmp_path: Path
) -> None:
    small[0].save(tmp_path, {})
    with pytest.raises(TaggerError, match="另一个编码器"):
        Analyst(tagger=tmp_path).tag_texts(["执行率低"])
