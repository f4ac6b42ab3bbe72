from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from nlp import taxonomy
from nlp.corpus import (
    Labelled,
    Statistics,
    corpus_files,
    corpus_hash,
    near_duplicates,
    read_labelled,
    read_samples,
    statistics,
)
from nlp.errors import InvalidInputError, NotFoundError
from nlp.records import Role, Topic
from nlp.tagger import Sample
from nlp.training import default_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence


def _line(**changes: Any) -> str:
    item = {"text": "执行率低", "path": [], "role": "problem", "primary": "budget_execution", "group": "甲"}
    return json.dumps({**item, **changes}, ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------------------ reading


def test_a_line_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    full = _line(
        path=["五、问题", "（一）执行"],
        secondary=["indicators"],
        subtopic="slow_spending",
        id="a-1",
        voice="audit",
        rule="4",
        side="no",
    )
    path.write_text(f"{full}\n\n{_line(role='target', primary=None, group=None)}\n", "utf-8")
    first = Sample(
        "执行率低",
        ("五、问题", "（一）执行"),
        Role.PROBLEM,
        Topic.BUDGET_EXECUTION,
        (Topic.INDICATORS,),
        "slow_spending",
        "甲",
    )
    second = Sample("执行率低", role=Role.TARGET, group="a")  # a passage without a group belongs to its file's
    assert read_labelled([path]) == (Labelled(first, "a-1", "audit", "4", "no"), Labelled(second))
    assert read_samples([path]) == (first, second)


def test_files_are_read_in_their_order(tmp_path: Path) -> None:
    for name in ("乙.jsonl", "a.jsonl", "b.jsonl", "c.json"):
        (tmp_path / name).write_text(_line(text=name), "utf-8")
    paths = corpus_files(tmp_path)
    assert [path.name for path in paths] == ["a.jsonl", "b.jsonl", "乙.jsonl"]
    assert [sample.text for sample in read_samples(paths)] == ["a.jsonl", "b.jsonl", "乙.jsonl"]
    together = b"".join((tmp_path / name).read_bytes() for name in ("a.jsonl", "b.jsonl", "乙.jsonl"))
    assert corpus_hash(paths) == hashlib.sha256(together).hexdigest()


def test_a_line_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    text = "执行率\u2028偏\u0085低\x0c"
    path.write_text(_line(text=text) + "\r\n" + _line(), "utf-8")
    assert [sample.text for sample in read_samples([path])] == [text, "执行率低"]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "执行率低",
        '["执行率低"]',
        "7",
        _line(role="问题"),
        _line(role=None),
        _line(primary="nothing"),
        _line(secondary=["nothing"]),
        _line(text=7),
        '{"text": "没有角色"}',
        '{"role": "problem", "primary": "indicators"}',
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: str) -> None:
    path = tmp_path / "标注.jsonl"
    path.write_text(f"{_line()}\n\n{line}\n{_line()}", "utf-8")
    with pytest.raises(
        InvalidInputError, match=r"标注\.jsonl 第 3 行读不懂（.+）；每行应是含 text、role、primary、group"
    ):
        read_samples([path])


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(_line().encode("gb18030"))
    with pytest.raises(InvalidInputError, match=r"a\.jsonl（.*应为 UTF-8"):
        read_samples([path])
    with pytest.raises(InvalidInputError, match=r"读不出 .*无\.jsonl"):
        read_samples([tmp_path / "无.jsonl"])


def test_a_folder_without_a_corpus_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(_line(), "utf-8")
    for folder in (tmp_path, tmp_path / "无"):
        with pytest.raises(NotFoundError, match=r"没有 \.jsonl 标注文件；请指明"):
            statistics(folder)


# -------------------------------------------------------------------------------------------------------- near-duplicates


def _brute(texts: Sequence[str], above: float) -> list[tuple[int, int]]:
    """All pairs, each compared by itself."""
    sets = [{text[i : i + 5] for i in range(len(text) - 4)} or {text} for text in texts]
    return [
        (i, j) for (i, a), (j, b) in combinations(enumerate(sets), 2) if (a or b) and len(a & b) / len(a | b) > above
    ]


_PIECES = st.sampled_from(["资金支付", "进度", "缓慢", "指标不量化", "账实不符", "，", "至年底", "3.5万元", "项目"])
_TEXTS = st.lists(st.lists(_PIECES, max_size=8).map("".join), min_size=1, max_size=40)


@given(_TEXTS, st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.8]))
@settings(max_examples=60, deadline=None)
def test_near_duplicates_are_those_of_comparing_all_pairs(texts: list[str], above: float) -> None:
    assert sorted(near_duplicates(texts, above)) == _brute(texts, above)


def test_near_duplicates_of_forty_texts() -> None:
    stems = [
        "截至年底水库维修资金支付进度不足四成",
        "三个乡镇的路灯采购没有履行招标程序",
        "效益指标只写了进一步提升服务水平",
    ]
    ends = [
        "",
        "。",
        "，结转下年",
        "，大部分资金结转下年使用",
        "，且未说明原因",
        "，须尽快改正",
        "（见附表）",
        "，与上年相同",
    ]
    texts = [stem + end for end in ends for stem in stems] + [
        f"第{i}个单位{stem}" for i in range(6) for stem in stems[:2]
    ]
    texts += ["执行", "执行", "执行慢", ""]
    assert len(texts) == 40
    found = near_duplicates(texts)
    assert sorted(found) == _brute(texts, 0.6)
    assert (36, 37) in found  # shorter than a shingle, and the same
    assert (0, 1) not in found


# --------------------------------------------------------------------------------------------------------------- statistics

# Seven passages in two files: three groups, the first two texts alike but for their numbers and in different groups.
_SMALL: dict[str, list[dict[str, Any]]] = {
    "a.jsonl": [
        {
            "id": "1",
            "text": "1、水库维修资金支付进度不足四成。",
            "role": "problem",
            "primary": "budget_execution",
            "subtopic": "slow_spending",
            "group": "甲",
            "voice": "audit",
            "rule": "2",
            "side": "yes",
        },
        {
            "id": "2",
            "text": "（二）水库维修资金支付进度不足四成。",
            "role": "problem",
            "primary": "budget_execution",
            "subtopic": "slow_spending",
            "group": "乙",
            "voice": "audit",
            "rule": "2",
            "side": "no",
        },
        {
            "id": "3",
            "text": "指标没有写明数量。",
            "role": "problem",
            "primary": "indicators",
            "secondary": ["result_application"],
            "subtopic": "vague_indicators",
            "group": "乙",
            "voice": "firm",
            "rule": "10",
            "side": "yes",
        },
        {
            "id": "4",
            "text": "评价人员只有一名。",
            "role": "cause",
            "primary": "indicators",
            "group": "乙",
            "voice": "firm",
        },
    ],
    "b.jsonl": [
        {"id": "5", "text": "本年未发生违纪问题。", "role": "achievement", "group": "丙", "rule": "10", "side": "yes"},
        {"id": "6", "text": "公用经费压减百分之五。", "role": "target", "group": "丙", "rule": "说明", "side": "no"},
        {
            "text": "本单位内设机构三个。",
            "role": "background",
            "group": "丙",
            "voice": "audit",
            "rule": "2",
            "side": "yes",
        },
    ],
}
# The blind labels beside what the labels were before disagreements were settled.
_SECOND: list[dict[str, Any]] = [
    {"id": "1", "role": "problem", "primary": "budget_execution", "first": ("problem", "budget_execution")},
    {"id": "2", "role": "problem", "primary": "internal_control", "first": ("problem", "budget_execution")},
    {"id": "3", "role": "problem", "primary": "indicators", "first": ("problem", "indicators")},
    {"id": "4", "role": "problem", "primary": "indicators", "first": ("cause", "indicators")},
    {"id": "5", "role": "background", "primary": None, "first": ("achievement", None)},
    {"id": "6", "role": "target", "primary": None, "first": ("target", None)},
]


def _second(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    """Answers as they are kept."""
    return [{**answer, "first_role": answer["first"][0], "first_primary": answer["first"][1]} for answer in answers]


def _write(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir()
    for name, items in files.items():
        lines = [json.dumps(item, ensure_ascii=False) for item in items]
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_a_corpus_is_counted(tmp_path: Path) -> None:
    folder = _write(tmp_path / "corpus", _SMALL)
    found = statistics(folder, tmp_path / "second")
    assert found == Statistics(
        passages=7,
        groups=3,
        sha256=hashlib.sha256((folder / "a.jsonl").read_bytes() + (folder / "b.jsonl").read_bytes()).hexdigest(),
        roles={"problem": 3, "cause": 1, "achievement": 1, "target": 1, "background": 1},
        topics={
            "budget_preparation": {},
            "budget_execution": {"problem": 2},
            "indicators": {"problem": 1, "cause": 1},
            "internal_control": {},
            "result_application": {},
            "other": {},
        },
        subtopics={"slow_spending": 2, "vague_indicators": 1},
        voices={"audit": 3, "firm": 2},
        look_alikes=(3, 2),  # 未, 违纪 and 问题; 压减; the third has none
        rules={"2": (2, 1), "10": (2, 0)},
        near_duplicates=2 / 7,
        across_groups=1,
        openings=1.0,
        lengths=(9, 9, 10, 17, 18),  # of 9, 9, 10, 10, 11, 17 and 18; the deciles between two of them: 9.0 and 17.4
        agreement=None,
    )


def test_the_share_of_common_openings(tmp_path: Path) -> None:
    # 50 openings of two passages each, then 25 that come once: without the number in front they are what begins a passage
    often = [f"{n}、{chr(0x4E00 + k)}字开头，{n}" for k in range(50) for n in (1, 2)]
    once = [f"{chr(0x5E00 + k)}字开头，另述" for k in range(25)]
    items = [{"text": text, "role": "background", "group": "甲"} for text in (*often, *once)]
    assert statistics(_write(tmp_path / "corpus", {"a.jsonl": items})).openings == pytest.approx(100 / 125)


def test_two_labellings_are_compared(tmp_path: Path) -> None:
    folder = _write(tmp_path / "corpus", _SMALL)
    answers = {"x.jsonl": _second(*_SECOND[:3]), "y.jsonl": _second(*_SECOND[3:])}
    found = statistics(folder, _write(tmp_path / "second", answers)).agreement
    assert found is not None
    roles = (
        ["problem", "problem", "problem", "cause", "achievement", "target"],
        ["problem", "problem", "problem", "problem", "background", "target"],
    )
    topics = (
        ["budget_execution", "budget_execution", "indicators", "indicators"],
        ["budget_execution", "internal_control", "indicators", "indicators"],
    )
    assert (found.n, found.role_share, found.n_topic, found.topic_share) == (6, 4 / 6, 4, 3 / 4)
    assert found.role_kappa == pytest.approx(cohen_kappa_score(*roles))
    assert found.topic_kappa == pytest.approx(cohen_kappa_score(*topics))
    # by hand: 4 of 6 agree, by chance 3/6 · 4/6 + 1/6 · 1/6 = 13/36; 3 of 4 agree, by chance 2/4 · 1/4 + 2/4 · 2/4 = 3/8
    assert found.role_kappa == pytest.approx((4 / 6 - 13 / 36) / (1 - 13 / 36))
    assert found.topic_kappa == pytest.approx((3 / 4 - 3 / 8) / (1 - 3 / 8))


def test_without_a_second_labelling_nothing_is_said_of_agreement(tmp_path: Path) -> None:
    folder = _write(tmp_path / "corpus", _SMALL)
    assert statistics(folder, _write(tmp_path / "second", {})).agreement is None
    assert statistics(folder, tmp_path / "无").agreement is None


def test_a_second_labelling_may_know_no_topic(tmp_path: Path) -> None:
    folder = _write(tmp_path / "corpus", _SMALL)
    found = statistics(folder, _write(tmp_path / "second", {"x.jsonl": _second(*_SECOND[4:])})).agreement
    assert found is not None
    assert (found.n, found.role_share, found.n_topic) == (2, 0.5, 0)


@pytest.mark.parametrize("line", ["{", '{"id": "2", "role": "problem", "primary": null}'])
def test_a_bad_line_of_a_second_labelling_is_named(tmp_path: Path, line: str) -> None:
    folder = _write(tmp_path / "corpus", _SMALL)
    second = _write(tmp_path / "second", {"x.jsonl": _second(*_SECOND[:1])})
    with (second / "x.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(InvalidInputError, match=r"x\.jsonl 第 3 行"):
        statistics(folder, second)


def test_a_corpus_without_a_passage_is_refused(tmp_path: Path) -> None:
    with pytest.raises((NotFoundError, InvalidInputError), match="没有"):
        statistics(_write(tmp_path / "corpus", {"a.jsonl": []}))


# ------------------------------------------------------------------------------------------------------ the project's own

SECOND = default_corpus().parent / "second"


@pytest.fixture(scope="module")
def own() -> tuple[Labelled, ...]:
    return read_labelled(corpus_files(default_corpus()))


@pytest.fixture(scope="module")
def counted() -> Statistics:
    return statistics(default_corpus(), SECOND)


def test_the_projects_corpus_keeps_its_promises(counted: Statistics) -> None:
    assert counted.passages >= 5000
    problems = {topic: roles["problem"] for topic, roles in counted.topics.items()}
    assert {topic for topic, count in problems.items() if count >= 450} >= set(Topic) - {Topic.OTHER}
    assert problems[Topic.OTHER] >= 250
    assert counted.roles["cause"] >= 250
    assert counted.roles["measure"] >= 900
    quiet, alike = counted.look_alikes
    assert quiet == sum(counted.roles[role] for role in ("achievement", "target", "background")) >= 1800
    assert alike >= 900
    assert list(counted.rules) == [str(number) for number in range(1, 18)]
    assert {rule: sides for rule, sides in counted.rules.items() if min(sides) < 25} == {}
    assert counted.near_duplicates < 0.01
    assert counted.openings < 0.15


def test_its_labels_fit_each_other_and_the_taxonomy(own: tuple[Labelled, ...]) -> None:
    codes = {entry.code: entry.topic for entry in taxonomy.subtopics()}
    for item in own:
        sample = item.sample
        assert sample.role is not None
        assert sample.role.has_topic == (sample.primary is not None), sample
        assert sample.primary not in sample.secondary, sample
        assert len({*sample.secondary}) == len(sample.secondary), sample
        assert sample.primary is not None or not (sample.secondary or sample.subtopic), sample
        assert sample.subtopic is None or codes[sample.subtopic] is sample.primary, sample
        assert item.side in ({"yes", "no"} if item.rule.isdecimal() else {"", "yes", "no"}), item
    assert {item.sample.subtopic for item in own} == {*codes, None}


def test_no_passage_is_there_twice_and_no_number(own: tuple[Labelled, ...]) -> None:
    passages = Counter((item.sample.text, item.sample.path) for item in own)
    assert [passage for passage, count in passages.items() if count > 1] == []
    numbers = Counter(item.id for item in own if item.id)
    assert [number for number, count in numbers.items() if count > 1] == []
    assert all(item.sample.text.strip() and item.sample.group for item in own)


def test_two_hands_agree_on_it(own: tuple[Labelled, ...], counted: Statistics) -> None:
    answers = [json.loads(line) for path in sorted(SECOND.glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    assert {answer["id"] for answer in answers} <= {item.id for item in own}
    topical = [answer for answer in answers if answer["first_primary"] and answer["primary"]]
    found = counted.agreement
    assert found is not None
    assert (found.n, found.n_topic) == (len(answers), len(topical))
    first, second = ([answer[key] for answer in answers] for key in ("first_role", "role"))
    assert found.role_kappa == pytest.approx(cohen_kappa_score(first, second))
    first, second = ([answer[key] for answer in topical] for key in ("first_primary", "primary"))
    assert found.topic_kappa == pytest.approx(cohen_kappa_score(first, second))
    assert min(found.role_kappa, found.topic_kappa) > 0.8
