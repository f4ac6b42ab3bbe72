"""What people decide: which passages they are asked about, how their answers are read, and that these win for good."""

from __future__ import annotations

import csv
import re
import sqlite3
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import pytest
from conftest import StandIn, report_text, write_report
from openpyxl import Workbook, load_workbook

from nlp import taxonomy
from nlp.errors import EncoderError, InvalidInputError, LibraryError
from nlp.exports import write_review
from nlp.learning import fit_tagger
from nlp.library import Library
from nlp.records import (
    Correction,
    Filters,
    Hit,
    Identity,
    Passage,
    Region,
    ReportCard,
    Role,
    Source,
    StoredPassage,
    Tags,
    Topic,
    TopicScore,
)
from nlp.review import (
    ANSWERS,
    SHOWN,
    as_sample,
    certainty,
    choose,
    decided_tags,
    key_of,
    path_of,
    read_decisions,
    shown_cells,
)
from nlp.store import SCHEMA_VERSION
from nlp.tagger import TOPICS, HeldOut, Sample, Tagger, core

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# ------------------------------------------------------------------------------------- a small tagger, for other tests too

SAYS = {
    Role.PROBLEM: "存在不足，{}没有做好",
    Role.CAUSE: "究其原因，{}缺人缺钱",
    Role.MEASURE: "下一步将加强{}工作",
    Role.ACHIEVEMENT: "圆满完成{}任务",
    Role.TARGET: "计划到年底{}达到百分之百",
    Role.BACKGROUND: "本单位负责{}事务",
}
ABOUT = dict(zip(TOPICS, ("申报测算", "支付进度", "指标量化", "资产采购", "结果挂钩", "收费管理"), strict=True))
# Of each topic two kinds of problem: one that stands in the text as 甲, one as 乙.
KINDS = {topic: tuple(entry.code for entry in taxonomy.subtopics(topic)[:2]) for topic in TOPICS}


class SmallEncoder(StandIn):
    """The stand-in for an encoder, with a fingerprint of its own and few dimensions."""

    name = "small"
    dims = 32
    adapter = None

    @property
    def fingerprint(self) -> str:
        return "5" * 64


def small_samples(groups: int = 6) -> list[Sample]:
    """Labelled passages whose role, topic and subtopic stand in the words."""
    return [
        Sample(
            f"{says.format(about)}，{'甲乙'[group % 2]}类第{group}处",
            ("五、存在的问题",),
            role,
            topic if role.has_topic else None,
            subtopic=KINDS[topic][group % 2] if role.has_topic else None,
            group=f"组{group}",
        )
        for group in range(groups)
        for role, says in SAYS.items()
        for topic, about in ABOUT.items()
    ]


@cache
def small_tagger() -> tuple[Tagger, HeldOut]:
    """A tagger that has learnt them, fitted once."""
    samples, encoder = small_samples(), SmallEncoder()
    tagger, scores, held = fit_tagger(
        samples, encoder.encode([core(sample.text) for sample in samples]), encoder.fingerprint
    )
    assert (scores.n, scores.role_accuracy, scores.topic_accuracy) == (216, 1.0, 1.0)
    return tagger, held


def use_small(monkeypatch: pytest.MonkeyPatch, models: Path) -> SmallEncoder:
    """Have libraries and training use the small encoder and its tagger."""
    encoder = SmallEncoder()
    tagger, held = small_tagger()
    tagger.save(models / "taggers" / encoder.fingerprint[:16], {}, held)
    monkeypatch.setenv("JIXIAO_MODELS", str(models))
    monkeypatch.setattr("nlp.analyst.open_encoder", lambda _: encoder)
    monkeypatch.setattr("nlp.training.open_encoder", lambda _: encoder)
    return encoder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SmallEncoder:
    return use_small(monkeypatch, tmp_path / "models")


# -------------------------------------------------------------------------------------------- which passages are asked about


def found(  # the parts of a stored passage that choosing looks at
    number: int,
    text: str,
    sure: float,
    topic: Topic | None = Topic.INDICATORS,
    department: str = "青禾县教育局",
    role_sure: float = 0.99,
) -> StoredPassage:
    topics = (TopicScore(topic, sure),) if topic else ()
    role = Role.PROBLEM if topic else Role.ACHIEVEMENT
    tags = Tags(role, role_sure if topic else sure, topic, topics)
    identity = Identity("自评报告", department, Region(), None, 2024, None, {})
    card = ReportCard(f"r{department}", identity, Source("甲.txt", "s", "txt", None))
    return StoredPassage(number, Passage(f"p-{number:04d}", text, 0, len(text), ("二、问题",)), tags, card)


def numbers(chosen: Sequence[StoredPassage]) -> list[int]:
    return [item.row for item in chosen]


UNLIKE = (
    "绩效指标笼统难以考核",
    "支出进度偏慢年底突击付款",
    "固定资产账实不符长期闲置",
    "采购合同未经审核先行签订",
    "评价结果束之高阁未予公开",
    "非税收入没有及时上缴国库",
)


def test_certainty_is_that_of_the_less_certain_of_role_and_topic() -> None:
    topics = (TopicScore(Topic.INDICATORS, 0.7), TopicScore(Topic.OTHER, 0.2))
    assert certainty(Tags(Role.PROBLEM, 0.9, Topic.INDICATORS, topics)) == 0.7
    assert certainty(Tags(Role.PROBLEM, 0.6, Topic.INDICATORS, topics)) == 0.6
    assert certainty(Tags(Role.BACKGROUND, 0.8)) == 0.8


def test_the_least_certain_come_first() -> None:
    candidates = [
        found(i, text, sure) for i, (text, sure) in enumerate(zip(UNLIKE, (0.9, 0.4, 0.7, 0.5), strict=False))
    ]
    assert numbers(choose(candidates, 3)) == [1, 3, 2]
    assert numbers(choose(candidates, 10)) == [1, 3, 2, 0]
    assert choose([], 10) == []
    assert choose(candidates, 0) == []


def test_an_uncertain_role_counts_as_much_as_an_uncertain_topic() -> None:
    candidates = [found(0, UNLIKE[0], 0.5), found(1, UNLIKE[1], 0.95, role_sure=0.3), found(2, UNLIKE[2], 0.4, None)]
    assert numbers(choose(candidates, 2)) == [1, 2]


def test_departments_and_topics_take_turns() -> None:
    candidates = [
        found(0, UNLIKE[0], 0.30),
        found(1, UNLIKE[1], 0.31),
        found(2, UNLIKE[2], 0.32),
        found(3, UNLIKE[3], 0.60, Topic.INTERNAL_CONTROL),
        found(4, UNLIKE[4], 0.70, department="青禾县水利局"),
        found(5, UNLIKE[5], 0.80, None),
    ]
    assert numbers(choose(candidates, 4)) == [0, 3, 4, 5]
    assert numbers(choose(candidates, 6)) == [0, 3, 4, 5, 1, 2]


def test_of_near_duplicates_the_least_certain_alone_is_asked_about() -> None:
    long = "截至十二月底农田水利项目资金支付率仅为三成八，大部分资金结转下年使用"
    candidates = [found(0, long, 0.6), found(1, f"{long}。", 0.4, department="青禾县水利局"), found(2, UNLIKE[0], 0.9)]
    assert numbers(choose(candidates, 5)) == [1, 2]


def test_the_choice_does_not_hang_on_the_order() -> None:
    candidates = [found(i, text, 0.5) for i, text in enumerate(UNLIKE)]
    assert numbers(choose(candidates, 4)) == numbers(choose(candidates[::-1], 4)) == [0, 1, 2, 3]


# --------------------------------------------------------------------------------------------------- how answers are read

TEXT = "绩效指标笼统，难以考核。"


def sheet(path: Path, rows: Sequence[Mapping[str, str]], heads: Sequence[str] = (*SHOWN, *ANSWERS)) -> Path:
    """A review sheet as a person left it."""
    lines = [list(heads), *([row.get(head, "") for head in heads] for row in rows)]
    if path.suffix == ".csv":
        with path.open("w", encoding="gb18030", newline="") as file:
            csv.writer(file).writerows(lines)
        return path
    book = Workbook()
    assert book.active is not None
    for line in lines:
        book.active.append([value or None for value in line])
    book.save(path)
    return path


def answer(**more: str) -> dict[str, str]:
    return {"部门": "青禾县教育局", "年度": "2024", "上级标题": "二、存在的问题 > （一）指标", "正文": TEXT, **more}


@pytest.mark.parametrize("name", ["填好.xlsx", "填好.csv"])
def test_a_filled_in_sheet_is_read(tmp_path: Path, name: str) -> None:
    full = answer(
        角色="问题", 主题="绩效指标", 次要主题="内部控制、预算编制", 子主题=taxonomy.subtopic_name("vague_indicators")
    )
    path = sheet(tmp_path / name, [full, answer(正文="收支平衡。", 角色="成效")])
    assert read_decisions(path) == (
        Correction(
            TEXT,
            ("二、存在的问题", "（一）指标"),
            Role.PROBLEM,
            Topic.INDICATORS,
            (Topic.INTERNAL_CONTROL, Topic.BUDGET_PREPARATION),
            "vague_indicators",
            "青禾县教育局-2024",
        ),
        Correction("收支平衡。", ("二、存在的问题", "（一）指标"), Role.ACHIEVEMENT, group="青禾县教育局-2024"),
    )


def test_codes_say_the_same_as_names(tmp_path: Path) -> None:
    named = answer(角色="措施", 主题="预算执行", 次要主题="绩效指标", 子主题=taxonomy.subtopic_name("slow_spending"))
    coded = answer(角色="measure", 主题="budget_execution", 次要主题="indicators", 子主题="slow_spending")
    by_name, by_code = read_decisions(sheet(tmp_path / "a.xlsx", [named, coded]))
    assert by_name == by_code
    assert (by_code.role, by_code.primary, by_code.subtopic) == (Role.MEASURE, Topic.BUDGET_EXECUTION, "slow_spending")


def test_a_row_without_a_role_is_left_out(tmp_path: Path) -> None:
    rows = [
        answer(),
        answer(主题="绩效指标"),
        answer(正文="支出进度慢。", 角色="问题", 主题="预算执行"),
        answer(角色="  "),
    ]
    assert [decision.text for decision in read_decisions(sheet(tmp_path / "a.xlsx", rows))] == ["支出进度慢。"]
    assert read_decisions(sheet(tmp_path / "b.xlsx", rows[:2])) == ()


def test_a_subtopic_alone_says_the_topic(tmp_path: Path) -> None:
    (decision,) = read_decisions(sheet(tmp_path / "a.xlsx", [answer(角色="原因", 子主题="slow_spending")]))
    assert (decision.primary, decision.subtopic) == (Topic.BUDGET_EXECUTION, "slow_spending")


@pytest.mark.parametrize("role", ["成效", "目标", "背景"])
def test_a_role_without_topic_drops_the_topics(tmp_path: Path, role: str) -> None:
    full = answer(角色=role, 主题="预算执行", 次要主题="绩效指标", 子主题="slow_spending")
    (decision,) = read_decisions(sheet(tmp_path / "a.xlsx", [full]))
    assert (decision.role, decision.primary, decision.secondary, decision.subtopic) == (
        taxonomy.parse_role(role),
        None,
        (),
        None,
    )


@pytest.mark.parametrize(
    "signs", ["绩效指标、内部控制", "绩效指标，内部控制", "绩效指标; 内部控制", "绩效指标 内部控制、预算执行"]
)
def test_several_secondary_topics_are_separated_by_any_sign_and_never_repeat_the_primary(
    tmp_path: Path, signs: str
) -> None:
    (decision,) = read_decisions(sheet(tmp_path / "a.xlsx", [answer(角色="问题", 主题="预算执行", 次要主题=signs)]))
    assert decision.secondary == (Topic.INDICATORS, Topic.INTERNAL_CONTROL)


def test_text_and_role_are_columns_enough(tmp_path: Path) -> None:
    path = sheet(tmp_path / "自备.csv", [{"正文": "收支平衡。", "角色": "成效"}], ["正文", "角色"])
    assert read_decisions(path) == (Correction("收支平衡。", (), Role.ACHIEVEMENT, group="自备-"),)


WRONG = {
    "role": (answer(角色="毛病", 主题="预算执行"), "没有名为“毛病”的角色"),
    "topic": (answer(角色="问题", 主题="天气"), "没有名为“天气”的主题"),
    "no topic": (answer(角色="问题"), "角色是“问题”时要填主题"),
    "subtopic": (answer(角色="问题", 子主题="年底突击"), "没有名为“年底突击”的子主题"),
    "other topic": (
        answer(角色="问题", 主题="绩效指标", 子主题="slow_spending"),
        "“slow_spending”不属于主题“绩效指标”",
    ),
    "secondary": (answer(角色="问题", 主题="绩效指标", 次要主题="预算执行、天气"), "没有名为“天气”的主题"),
    "text": (answer(角色="成效", 正文=""), "正文是空的"),
}


@pytest.mark.parametrize(("row", "said"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_answer_is_named_by_its_row(tmp_path: Path, row: dict[str, str], said: str) -> None:
    path = sheet(tmp_path / "a.xlsx", [answer(角色="成效"), row])
    with pytest.raises(InvalidInputError, match=f"第 3 行.*{said}"):
        read_decisions(path)


def test_a_wrong_row_behind_blank_ones_is_found_again_by_its_number_or_text(tmp_path: Path) -> None:
    wrong = answer(角色="毛病", 正文="资产没有盘点：账实长期不符，差额没有查明。")
    rows = [answer(角色="成效"), {}, {}, {**wrong, "编号": "0123456789abcdef-0007"}, wrong]
    with pytest.raises(InvalidInputError, match="行数不计空行") as caught:
        read_decisions(sheet(tmp_path / "a.xlsx", rows))
    assert re.findall(r"第 \d+ 行（([^）]+)）", str(caught.value)) == [
        "0123456789abcdef-0007",
        "资产没有盘点：账实长期不",
    ]


def test_every_wrong_row_is_named(tmp_path: Path) -> None:
    rows = [row for row, _ in WRONG.values()]
    path = sheet(tmp_path / "填好.xlsx", [answer(角色="成效"), *rows, *rows, answer(角色="背景")])
    with pytest.raises(InvalidInputError, match=r"填好\.xlsx 有 14 行填得不对，一行也没有记入") as caught:
        read_decisions(path)
    assert [int(number) for number in re.findall(r"第 (\d+) 行", str(caught.value))] == list(range(3, 17))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("没有.xlsx", None, "打不开 .*没有.xlsx.*请检查路径"),
        ("空.csv", b"", "空.csv"),
        ("坏.xlsx", b"PK\x03\x04 cut off", "坏.xlsx"),
        ("别的.csv", "部门,年度\n青禾县教育局,2024\n".encode(), "没有含“正文”和“角色”两列的表.*jixiao review export"),
    ],
)
def test_what_is_no_review_sheet_is_refused(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        read_decisions(tmp_path / name)


# ----------------------------------------------------------------------------------------------- what a decision becomes


def test_a_decision_becomes_tags_and_a_sample() -> None:
    decision = Correction(
        TEXT, ("二、问题",), Role.PROBLEM, Topic.INDICATORS, (Topic.OTHER,), "vague_indicators", "甲局-2024"
    )
    topics = (TopicScore(Topic.INDICATORS, 1.0, "vague_indicators"), TopicScore(Topic.OTHER, 1.0))
    assert decided_tags(decision) == Tags(Role.PROBLEM, 1.0, Topic.INDICATORS, topics)
    assert decided_tags(Correction(TEXT, (), Role.TARGET)) == Tags(Role.TARGET, 1.0)
    assert as_sample(decision) == Sample(
        TEXT, ("二、问题",), Role.PROBLEM, Topic.INDICATORS, (Topic.OTHER,), "vague_indicators", "甲局-2024"
    )


def test_a_key_hangs_on_text_and_headings() -> None:
    assert key_of("甲", ("一", "二")) == key_of("甲", ["一", "二"])
    assert (
        len({key_of("甲", ("一", "二")), key_of("甲", ("二", "一")), key_of("甲", ("一",)), key_of("乙", ("一",))}) == 4
    )


def test_the_path_of_a_passage_ends_in_its_lead() -> None:
    passage = Passage("p", "指标笼统", 0, 4, ("二、问题", "（一）指标"))
    assert path_of(passage) == ("二、问题", "（一）指标")
    led = Passage("p", "指标笼统", 0, 4, ("二、问题",), lead="主要有：")
    assert path_of(led) == ("二、问题", "主要有：")


def test_a_passage_is_shown_in_the_names_of_the_taxonomy() -> None:
    item = found(7, TEXT, 0.456)
    detailed = Tags(Role.PROBLEM, 0.99, Topic.INDICATORS, (TopicScore(Topic.INDICATORS, 0.456, "vague_indicators"),))
    shown = dict(zip(SHOWN, shown_cells(StoredPassage(7, item.passage, detailed, item.report)), strict=True))
    assert shown == {
        "编号": "p-0007",
        "部门": "青禾县教育局",
        "年度": "2024",
        "上级标题": "二、问题",
        "正文": TEXT,
        "现判角色": "问题",
        "现判主题": "绩效指标",
        "现判子主题": taxonomy.subtopic_name("vague_indicators"),
        "把握": "0.46",
    }
    assert shown_cells(found(8, "收支平衡。", 0.8, None))[5:] == ("成效", "", "", "0.80")


# ----------------------------------------------------------------------------------------------- decisions in the library

FINDING = "支付进度存在不足，没有做好。"
OTHER = "指标量化存在不足，没有做好。"
DECIDED = Correction(
    f"1、{FINDING}",
    ("二、存在的问题",),
    Role.CAUSE,
    Topic.RESULT_APPLICATION,
    (Topic.OTHER,),
    "unused_results",
    "青禾县教育局-2023",
)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Three reports with the same sentence: two below the same heading, one below another."""
    folder = tmp_path / "报告"
    write_report(folder, "青禾县教育局", 2023, [FINDING, OTHER], ["下一步将加强支付进度工作。"])
    write_report(folder, "青禾县水利局", 2024, [FINDING])
    moved = report_text("青禾县民政局", 2024, [FINDING], ()).replace("二、存在的问题", "二、主要短板")
    (folder / "青禾县民政局2024年度绩效自评报告.txt").write_text(moved, "utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path, reports: Path, small: SmallEncoder) -> Path:
    assert small.dims == 32
    with Library.open(tmp_path / "library") as library:
        assert library.ingest(reports).added == 3
    return tmp_path / "library"


def tags_of(library: Library, text: str = DECIDED.text) -> dict[str, Tags]:
    """Tags of a text by department."""
    cards = {card.id: str(card.identity.department) for card in library.info().cards}
    return {
        department: item.tags
        for rid, department in cards.items()
        for item in library.passages_of(rid)
        if item.passage.text == text
    }


BEFORE = (Role.PROBLEM, Topic.BUDGET_EXECUTION)


def winners(library: Library) -> list[str]:
    """Departments whose passage has the tags that were decided; the others have what the tagger says."""
    tags = tags_of(library)
    assert all((tag.role, tag.primary) == BEFORE for tag in tags.values() if tag != decided_tags(DECIDED))
    return sorted(department for department, tag in tags.items() if tag == decided_tags(DECIDED))


BOTH = ["青禾县教育局", "青禾县水利局"]


def _departments(hits: Sequence[Hit]) -> list[str]:
    return sorted(str(item.report.identity.department) for hit in hits for item in (hit.found, *hit.same))


def test_a_decision_wins_at_once_wherever_the_words_and_headings_are_the_same(home: Path) -> None:
    with Library.open(home) as library:
        assert {(tags.role, tags.primary) for tags in tags_of(library).values()} == {BEFORE}
        others = tags_of(library, f"2、{OTHER}")
        assert library.correct([DECIDED]) == 2
        assert winners(library) == BOTH
        assert tags_of(library, f"2、{OTHER}") == others
        hits = library.search("支付进度", filters=Filters(topic=Topic.RESULT_APPLICATION, role=Role.CAUSE)).hits
        assert _departments(hits) == BOTH
        assert {hit.found.tags for hit in hits} == {decided_tags(DECIDED)}
        by_secondary = library.search("支付进度", filters=Filters(topic=Topic.OTHER)).hits
        assert _departments(by_secondary) == BOTH
        (row,) = [row for row in library.frequency(role=Role.CAUSE).rows if row.values == ("result_application",)]
        assert (row.count, row.reports) == (2, 2)
        assert library.verify() == ()


def test_a_decision_stays_through_a_rebuild(home: Path) -> None:
    with Library.open(home) as library:
        library.correct([DECIDED])
    with Library.open(home) as library:
        library.rebuild()
        assert winners(library) == BOTH
        assert library.verify() == ()


def test_a_decision_stays_through_new_versions_and_removals(home: Path, reports: Path) -> None:
    with Library.open(home) as library:
        library.correct([DECIDED])
        assert library.ingest(reports).unchanged == 3
        assert winners(library) == BOTH
        write_report(reports, "青禾县教育局", 2023, [FINDING, "资产采购存在不足，没有做好。"])
        assert library.ingest(reports).updated == 1
        assert winners(library) == BOTH
        for card in library.info().cards:
            library.remove(card.id)
        assert library.info().passages == 0
        assert library.ingest(reports).added == 3
        assert winners(library) == BOTH
        assert library.verify() == ()


def test_a_decision_holds_for_reports_that_come_later(home: Path, reports: Path) -> None:
    with Library.open(home) as library:
        library.correct([DECIDED])
        write_report(reports, "青禾县司法局", 2024, [FINDING])
        library.ingest(reports)
        assert winners(library) == ["青禾县司法局", *BOTH]


def test_a_decision_for_words_that_are_not_there_yet_is_kept(home: Path, reports: Path) -> None:
    text = "收费管理存在不足，没有做好。"
    later = Correction(f"1、{text}", ("二、存在的问题",), Role.TARGET)
    with Library.open(home) as library:
        assert library.correct([later]) == 0
        assert library.verify() == ()
        write_report(reports, "青禾县司法局", 2024, [text])
        library.ingest(reports)
        assert tags_of(library, later.text) == {"青禾县司法局": Tags(Role.TARGET, 1.0)}


def test_a_later_decision_replaces_an_earlier_one(home: Path) -> None:
    with Library.open(home) as library:
        library.correct([DECIDED])
        again = Correction(DECIDED.text, DECIDED.path, Role.BACKGROUND, group=DECIDED.group)
        assert library.correct([again]) == 2
        assert tags_of(library)["青禾县水利局"] == Tags(Role.BACKGROUND, 1.0)
        assert library.corrected_samples() == [as_sample(again)]


def test_links_follow_what_was_decided(home: Path) -> None:
    measure = Correction("1、下一步将加强支付进度工作。", ("三、改进措施",), Role.ACHIEVEMENT)
    with Library.open(home) as library:
        rid = next(card.id for card in library.info().cards if card.identity.department == "青禾县教育局")
        linked = {link.measure for link in library.report(rid).links}
        assert linked
        assert library.correct([measure]) == 1
        assert library.report(rid).links == ()
        assert library.verify() == ()


def test_what_was_decided_can_be_learnt_from_group_by_group(home: Path) -> None:
    second = Correction("2、甲", ("二、存在的问题",), Role.TARGET, group="青禾县教育局-2023")
    third = Correction("3、乙", (), Role.PROBLEM, Topic.OTHER, group="青禾县水利局-2024")
    with Library.open(home) as library:
        assert library.corrected_samples() == []
        library.correct([DECIDED, second])
        library.correct([third])
    with Library.open(home) as library:
        samples = library.corrected_samples()
    assert sorted(samples, key=lambda sample: sample.text) == [as_sample(item) for item in (DECIDED, second, third)]
    assert sorted(sample.group for sample in samples) == ["青禾县教育局-2023"] * 2 + ["青禾县水利局-2024"]


def test_what_is_decided_is_not_asked_about_again(home: Path) -> None:
    with Library.open(home) as library:
        before = {item.passage.text for item in library.review(count=100)}
        assert DECIDED.text in before
        library.correct([DECIDED, Correction(DECIDED.text, ("二、主要短板",), Role.CAUSE, Topic.OTHER)])
        after = {item.passage.text for item in library.review(count=100)}
        assert before - after == {DECIDED.text}
        only = library.review(filters=Filters(department="水利"), count=100)
        assert {item.report.identity.department for item in only} == {"青禾县水利局"}
        assert len(library.review(count=1)) == 1


def test_a_decision_that_cannot_be_put_into_effect_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library.open(home) as library:
        with monkeypatch.context() as patch:
            patch.setattr(SmallEncoder, "fingerprint", "another")
            with pytest.raises(EncoderError, match="另一份"):
                library.correct([DECIDED])
        assert library.corrected_samples() == []


def test_a_decision_is_certain_only_once_it_is_in_effect(home: Path) -> None:
    with Library.open(home) as library:
        library._store.put_corrections({key_of(DECIDED.text, DECIDED.path): DECIDED})
        assert library._decided() == []
        library.correct([DECIDED])
        assert {found.passage.text for found in library._decided()} == {DECIDED.text}


def test_a_sheet_goes_out_is_filled_in_and_comes_back(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "复核.xlsx"
    with Library.open(home) as library:
        asked = library.review(count=100)
        write_review(asked, path)
        book = load_workbook(path)
        answers = len(SHOWN) + 1
        for row in range(2, len(asked) + 2):
            for column, value in enumerate(("原因", "结果应用", "其他、内部控制"), answers):
                book["复核"].cell(row, column, value)
        book.save(path)
        decisions = read_decisions(path)
        assert [(d.text, d.path) for d in decisions] == [(a.passage.text, path_of(a.passage)) for a in asked]
        assert library.correct(decisions) >= len(asked)
        left = library.review(count=100)  # near-duplicates below other headings or of other figures
        keys = [{key_of(item.passage.text, path_of(item.passage)) for item in items} for items in (asked, left)]
        assert keys[0].isdisjoint(keys[1])
        tags = {item.tags for card in library.info().cards for item in library.passages_of(card.id)}
        topics = (Topic.RESULT_APPLICATION, Topic.OTHER, Topic.INTERNAL_CONTROL)
        decided = Tags(Role.CAUSE, 1.0, topics[0], tuple(TopicScore(topic, 1.0) for topic in topics))
        assert decided in tags
        assert library.verify() == ()


def test_a_wrong_sheet_records_nothing(home: Path, tmp_path: Path) -> None:
    right = {"正文": DECIDED.text, "上级标题": "二、存在的问题", "角色": "成效"}
    path = sheet(tmp_path / "a.xlsx", [right, {**right, "角色": "毛病"}])
    before = (home / "library.sqlite").read_bytes()
    with Library.open(home) as library, pytest.raises(InvalidInputError, match="第 3 行"):
        library.correct(read_decisions(path))
    assert (home / "library.sqlite").read_bytes() == before


def test_a_library_of_the_version_before_opens_and_takes_decisions(home: Path) -> None:
    with Library.open(home) as library:
        wanted = [(hit.found.passage.id, hit.score) for hit in library.search("支付进度").hits]
        passages = library.info().passages
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        db.execute("DROP TABLE corrections")
        db.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
        db.commit()
    with Library.open(home, create=False) as library:
        assert library.info().passages == passages
        assert [(hit.found.passage.id, hit.score) for hit in library.search("支付进度").hits] == wanted
        assert library.verify() == ()
        assert library.corrected_samples() == []
        library.correct([DECIDED])
        assert winners(library) == BOTH
    with Library.open(home, create=False) as library:
        assert library.corrected_samples() == [as_sample(DECIDED)]


def test_a_library_of_a_version_to_come_is_refused(home: Path) -> None:
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        db.commit()
    with pytest.raises(LibraryError, match=f"报告库的版本是 99，本程序需要 {SCHEMA_VERSION}"):
        Library.open(home)
