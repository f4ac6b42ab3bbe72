from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from nlp.analyst import Analyst, default_tagger
from nlp.errors import TaggerError
from nlp.learning import fit_tagger
from nlp.records import Role, Tags, Topic, TopicScore
from nlp.tagger import ROLES, TOPICS, HeldOut, Sample, Tagger, calibrated, core, load_held_out, load_usual

if TYPE_CHECKING:
    from pathlib import Path

Vectors = NDArray[np.float32]
Small = tuple[Tagger, HeldOut, list[Sample], Vectors]

SAYS = {
    Role.PROBLEM: "存在不足，{}没有做好",
    Role.CAUSE: "究其原因，{}缺人缺钱",
    Role.MEASURE: "下一步将加强{}工作",
    Role.ACHIEVEMENT: "圆满完成{}任务",
    Role.TARGET: "计划到年底{}达到百分之百",
    Role.BACKGROUND: "本单位负责{}事务",
}
ABOUT = dict(zip(TOPICS, ("申报测算", "支付进度", "指标量化", "资产采购", "结果挂钩", "收费管理"), strict=True))
# A second kind of problem below two of the topics, with codes that the project's taxonomy does not know.
FURTHER = {Topic.INTERNAL_CONTROL: "食堂伙食", Topic.OTHER: "山塘警示"}
OWN = {"食堂伙食": "own_canteen", "山塘警示": "own_signs"}


def plain_samples() -> list[Sample]:
    """Passages of ten groups whose labels stand in their words: 360, and 60 of two further subtopics."""

    def sample(group: int, role: Role, topic: Topic, about: str) -> Sample:
        subtopic = OWN.get(about, f"{topic}_a")
        return Sample(
            f"{SAYS[role].format(about)}，第{group}处",
            ("五、存在的问题",),
            role,
            topic if role.has_topic else None,
            subtopic=subtopic if role.has_topic else None,
            group=f"组{group}",
        )

    return [
        sample(group, role, topic, about)
        for group in range(10)
        for role in SAYS
        for topic, about in [*ABOUT.items(), *(FURTHER.items() if role.has_topic else ())]
    ]


def random_vectors(count: int) -> Vectors:
    """Vectors that say nothing."""
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def small() -> Small:
    samples = plain_samples()
    vectors = random_vectors(len(samples))
    tagger, _, held = fit_tagger(samples, vectors, "指纹")
    return tagger, held, samples, vectors


def _unlabelled(samples: list[Sample]) -> list[Sample]:
    return [Sample(sample.text, sample.path) for sample in samples]


# ------------------------------------------------------------------------------------------------------------- predicting


def test_says_what_the_words_say(small: Small) -> None:
    tagger, _, samples, vectors = small
    found = tagger.predict(_unlabelled(samples), vectors)
    assert [(tags.role, tags.primary) for tags in found] == [(sample.role, sample.primary) for sample in samples]
    subtopics = [tags.topics[0].subtopic if tags.topics else None for tags in found]
    assert subtopics == [sample.subtopic for sample in samples]
    assert all(0.5 < tags.role_score <= 1.0 for tags in found)


def test_roles_without_topic_have_none(small: Small) -> None:
    tagger, _, _, vectors = small
    tags = tagger.predict([Sample("圆满完成资产采购任务")], vectors[:1])[0]
    assert (tags.role, tags.primary, tags.topics) == (Role.ACHIEVEMENT, None, ())


def test_a_role_that_is_given_stays(small: Small) -> None:
    tagger, _, _, vectors = small
    measure, target = tagger.predict(
        [Sample("圆满完成资产采购任务", role=Role.MEASURE), Sample("存在不足，支付进度没有做好", role=Role.TARGET)],
        vectors[:2],
    )
    assert (measure.role, measure.role_score, measure.primary) == (Role.MEASURE, 1.0, Topic.INTERNAL_CONTROL)
    assert measure.topics[0].subtopic == "internal_control_a"
    assert (target.role, target.role_score, target.primary, target.topics) == (Role.TARGET, 1.0, None, ())


def test_nothing_to_tag_gives_nothing(small: Small) -> None:
    assert small[0].predict([], random_vectors(0)) == []


def test_scores_are_the_chances_of_the_heads(small: Small) -> None:
    tagger, _, samples, vectors = small
    asked = [Sample(sample.text, sample.path, role=Role.PROBLEM) for sample in samples[:40]]
    chances = tagger.chances(asked, vectors[:40])
    for name in ("role", "primary", "subtopic"):
        assert chances[name].sum(axis=1) == pytest.approx(np.ones(40))
    for row, tags in enumerate(tagger.predict(asked, vectors[:40])):
        first = int(chances["primary"][row].argmax())
        assert tags.primary is tags.topics[0].label is TOPICS[first]
        assert tags.topics[0].score == pytest.approx(chances["primary"][row].max(), abs=1e-4)
        others = {
            TOPICS[i] for i in range(len(TOPICS)) if i != first and chances["present"][row, i] >= tagger.thresholds[i]
        }
        assert {score.label for score in tags.topics[1:]} == others


def test_a_subtopic_always_belongs_to_its_topic(small: Small) -> None:
    tagger, _, samples, _ = small
    assert tagger.subtopics == (
        ("budget_preparation_a", Topic.BUDGET_PREPARATION),
        ("budget_execution_a", Topic.BUDGET_EXECUTION),
        ("indicators_a", Topic.INDICATORS),
        ("internal_control_a", Topic.INTERNAL_CONTROL),
        ("own_canteen", Topic.INTERNAL_CONTROL),
        ("result_application_a", Topic.RESULT_APPLICATION),
        ("other_a", Topic.OTHER),
        ("own_signs", Topic.OTHER),
    )
    # Words of two topics, and words of none; every topic that is found brings a subtopic of its own, secondary ones too.
    mixed = [
        Sample(f"存在不足，{a}{b}没有做好") for a in (*ABOUT.values(), "") for b in (*FURTHER.values(), *ABOUT.values())
    ]
    easy = replace(tagger, thresholds=np.full(len(TOPICS), 0.01))
    found = easy.predict(mixed, random_vectors(len(mixed)))
    assert max(len(tags.topics) for tags in found) > 1
    above = dict(tagger.subtopics)
    assert all(above[score.subtopic or ""] is score.label for tags in found for score in tags.topics)
    assert samples[0].subtopic in above


def test_a_topic_without_subtopics_has_none(small: Small) -> None:
    tagger, _, _, vectors = small
    without = replace(tagger, subtopics=tuple(pair for pair in tagger.subtopics if pair[1] is not Topic.OTHER))
    tags = without.predict([Sample("存在不足，收费管理没有做好")], vectors[:1])[0]
    assert (tags.primary, tags.topics[0].subtopic) == (Topic.OTHER, None)


def test_what_is_more_likely_wrong_than_right_is_unsure(small: Small) -> None:
    tagger, _, _, vectors = small
    clear, foreign = tagger.predict([Sample("存在不足，支付进度没有做好"), Sample("晚霞")], vectors[:2])
    assert (clear.is_unsure, foreign.is_unsure) == (False, True)
    topic = TopicScore(Topic.OTHER, 0.5)
    assert not Tags(Role.PROBLEM, 0.5, Topic.OTHER, (topic,)).is_unsure
    assert Tags(Role.PROBLEM, 0.49, Topic.OTHER, (topic,)).is_unsure
    assert Tags(Role.PROBLEM, 0.9, Topic.OTHER, (TopicScore(Topic.OTHER, 0.49),)).is_unsure
    assert not Tags(Role.TARGET, 0.6).is_unsure


def test_calibration_moves_logits_before_they_become_chances() -> None:
    logits = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]])
    assert calibrated("role", logits, 0.5, 0.0) == pytest.approx(softmax(logits / 2, axis=1))
    assert calibrated("present", logits, 2.0, -1.0) == pytest.approx(expit(2 * logits - 1))


def test_core_drops_the_number_and_keeps_the_rest() -> None:
    texts = ["（一）指标笼统", "①指标笼统", "主要一是指标笼统", "首先，指标笼统", "3.指标笼统", "指标笼统"]
    assert {core(text) for text in texts} == {"指标笼统"}
    assert core("3.5万元未支付") == "3.5万元未支付"
    assert core("一、") == "一、"
    assert core("款" * 9000) == "款" * 8000


# -------------------------------------------------------------------------------------------------------------- explaining


def test_evidence_names_the_words_that_spoke(small: Small) -> None:
    tagger, _, _, vectors = small
    samples = [Sample("存在不足，指标量化没有做好"), Sample("圆满完成指标量化任务")]
    (problem, about), (achievement, doing) = tagger.explain(samples, vectors[:2])
    assert [problem, achievement] == tagger.predict(samples, vectors[:2])
    assert {"指标", "量化", "指标量化"} & {item.text for item in about[:3]}
    assert not {"存在", "不足", "没有"} & {item.text for item in about}  # these spoke for the role, which has a topic
    assert doing[0].text in {"圆满", "完成", "圆满完成", "任务"}  # no topic: what spoke for the role
    for evidence in (about, doing):
        weights = [item.weight for item in evidence]
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0
        assert len(weights) <= 5


def test_evidence_is_what_the_words_add_to_the_logit(small: Small) -> None:
    tagger, _, _, vectors = small
    sample = Sample("存在不足，指标量化没有做好")
    ((_, evidence),) = tagger.explain([sample], vectors[:1])
    names = list(tagger.vocabulary.text.names)
    row, weights = tagger.vocabulary.terms([sample]).toarray()[0], tagger.heads["primary"].words
    column = TOPICS.index(Topic.INDICATORS)
    spoken = {
        name[2:].replace("_", ""): row[j] * (weights[j, column] - weights[j].mean())
        for j, name in enumerate(names)
        if name.startswith("w:") and row[j]
    }
    best = sorted((weight for weight in spoken.values() if weight > 0), reverse=True)[:5]
    assert [item.weight for item in evidence] == pytest.approx(best, abs=1e-4)
    assert [spoken[item.text] for item in evidence] == pytest.approx(best, abs=1e-4)


def test_headings_are_no_evidence(small: Small) -> None:
    tagger, _, _, vectors = small
    heading = ("五、存在的问题",)
    few, none, same = tagger.explain(
        [Sample("山塘", heading), Sample("晚霞", heading), Sample("存在不足，指标量化没有做好", heading)], vectors[:3]
    )
    assert {item.text for item in few[1]} <= {"山塘"}
    assert none[1] == ()
    assert not {"问题", "存在"} & {item.text for item in same[1]}
    assert tagger.explain([], random_vectors(0)) == []


def test_a_word_that_is_taken_away_no_longer_speaks(small: Small) -> None:
    tagger, _, _, vectors = small
    samples = [Sample("存在不足，指标量化没有做好"), Sample("存在不足，没有做好")]
    chances = tagger.chances(samples, vectors[[0, 0]])["primary"][:, TOPICS.index(Topic.INDICATORS)]
    assert chances[0] > 0.9
    assert chances[1] < 0.5


# --------------------------------------------------------------------------------------------------------- save and load


def test_saved_and_loaded_it_says_the_same(small: Small, tmp_path: Path) -> None:
    tagger, _, samples, vectors = small
    tagger.save(tmp_path / "a", {"note": "测试"}, small[1])
    loaded = Tagger.load(tmp_path / "a")
    assert (loaded.encoder, loaded.subtopics, loaded.manifest["note"]) == ("指纹", tagger.subtopics, "测试")
    before, after = (each.predict(_unlabelled(samples), vectors) for each in (tagger, loaded))
    for was, now in zip(before, after, strict=True):
        assert (was.role, was.primary) == (now.role, now.primary)
        assert [score.subtopic for score in was.topics] == [score.subtopic for score in now.topics]
        assert was.role_score == pytest.approx(now.role_score, abs=0.01)  # weights are kept in half precision
    # What was loaded is what is kept: saved again, it is the same bytes and says exactly the same.
    loaded.save(tmp_path / "b", {"note": "测试"}, load_held_out(tmp_path / "a"), load_usual(tmp_path / "a"))
    names = ["held_out.safetensors", "manifest.json", "model.safetensors", "usual.safetensors", "vocabulary.json"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert Tagger.load(tmp_path / "b").predict(_unlabelled(samples), vectors) == after


def test_held_out_predictions_are_kept(small: Small, tmp_path: Path) -> None:
    tagger, held, samples, _ = small
    tagger.save(tmp_path, {}, held)
    kept = load_held_out(tmp_path)
    assert (kept.roles.shape, kept.topics.shape, kept.subtopics.shape) == ((420, 6), (420, 6), (420, 8))
    for name in ("roles", "topics", "subtopics"):
        assert getattr(kept, name) == pytest.approx(getattr(held, name), abs=1e-3)
    assert [ROLES[i] for i in kept.roles.argmax(axis=1)] == [sample.role for sample in samples]


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "held_out.safetensors"])
def test_one_changed_byte_is_noticed(small: Small, tmp_path: Path, name: str) -> None:
    small[0].save(tmp_path, {}, small[1])
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(TaggerError, match=rf"{name} 与清单不符.*jixiao train"):
        Tagger.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "held_out.safetensors", "manifest.json"])
def test_a_file_that_is_cut_off_or_missing_is_noticed(small: Small, tmp_path: Path, name: str) -> None:
    small[0].save(tmp_path, {}, small[1])
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TaggerError, match="jixiao train"):
        Tagger.load(tmp_path)
    path.unlink()
    with pytest.raises(TaggerError, match="jixiao train"):
        Tagger.load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"files": {}, "encoder": "指纹"}', '{"files": {"../a.json": ""}}'])
def test_a_manifest_that_names_not_all_files_is_refused(small: Small, tmp_path: Path, content: str) -> None:
    small[0].save(tmp_path, {}, small[1])
    (tmp_path / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(TaggerError, match="jixiao train"):
        Tagger.load(tmp_path)


def test_a_missing_tagger_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match=r"读不出标注模型 .*jixiao train"):
        Tagger.load(tmp_path / "无")


def test_held_out_predictions_that_are_missing_or_damaged_say_what_to_do(tmp_path: Path) -> None:
    for content in (None, b"", b"\xff" * 40):
        if content is not None:
            (tmp_path / "held_out.safetensors").write_bytes(content)
        with pytest.raises(TaggerError, match=r"held_out\.safetensors.*jixiao train"):
            load_held_out(tmp_path)


# -------------------------------------------------------------------------------------------------------- the project's own


@pytest.mark.encoder
def test_the_tagger_that_comes_with_the_project_knows_the_field() -> None:
    texts = {
        "截至12月底，农田水利项目资金支付率仅为38.5%，大部分资金结转下年。": (Role.PROBLEM, Topic.BUDGET_EXECUTION),
        "绩效指标设置笼统，多为定性描述，缺乏可量化的产出标准。": (Role.PROBLEM, Topic.INDICATORS),
        "部分采购项目未履行政府采购程序，直接指定供应商。": (Role.PROBLEM, Topic.INTERNAL_CONTROL),
        "评价结果没有与下年度预算安排挂钩，评而不用。": (Role.PROBLEM, Topic.RESULT_APPLICATION),
        "下一步将细化量化绩效指标，做到可考核、可衡量。": (Role.MEASURE, Topic.INDICATORS),
    }
    analyst = Analyst()
    found = [tags for tags, _ in analyst.tag_texts(list(texts))]
    assert [(tags.role, tags.primary) for tags in found] == list(texts.values())
    subtopics = [tags.topics[0].subtopic for tags in found]
    assert subtopics[1:] == ["vague_indicators", "procurement_contracts", "unused_results", "vague_indicators"]
    # A heading does not make a measure of what is clearly a problem.
    text = next(iter(texts))
    (tags,) = analyst.tagger.predict([Sample(text, ("六、下一步改进措施",))], analyst.encoder.encode([text]))
    assert (tags.role, tags.primary) == (Role.PROBLEM, Topic.BUDGET_EXECUTION)


def test_the_project_keeps_what_its_tagger_said_of_its_corpus() -> None:
    manifest = json.loads((default_tagger() / "manifest.json").read_text("utf-8"))
    held = load_held_out(default_tagger())
    assert len(held.roles) == manifest["corpus"]["passages"] == manifest["cross_validation"]["n"]
    assert manifest["cross_validation"]["topic_macro_f1"] > 0.8


@pytest.mark.encoder
def test_a_tagger_of_another_encoder_is_refused(small: Small, tmp_path: Path) -> None:
    small[0].save(tmp_path, {}, small[1])
    with pytest.raises(TaggerError, match="另一个编码器"):
        Analyst(tagger=tmp_path).tag_texts(["执行率低"])
