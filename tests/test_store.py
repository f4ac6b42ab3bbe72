from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nlp.errors import LibraryError, NotFoundError
from nlp.records import (
    Correction,
    Filters,
    Identity,
    Kind,
    Level,
    Link,
    Passage,
    Region,
    Report,
    Role,
    Section,
    Source,
    Tags,
    Topic,
    TopicScore,
)
from nlp.store import SCHEMA_VERSION, Store, TaggedPassage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

REGION = Region("云屏省", "霁阳市", "桐浦县")
IDENTITY = Identity(
    "桐浦县农业农村局2024年度绩效自评报告",
    "桐浦县农业农村局",
    REGION,
    Level.COUNTY,
    2024,
    Kind.DEPARTMENT,
    {"year": "title"},
)
TEXTS = ("支出进度偏慢，年底集中付款。", "绩效指标笼统，难以考核。", "按月通报支出进度，滞后的收回额度。")
TAGS = (
    Tags(
        Role.PROBLEM,
        0.91,
        Topic.BUDGET_EXECUTION,
        (TopicScore(Topic.BUDGET_EXECUTION, 0.8, "progress"), TopicScore(Topic.INTERNAL_CONTROL, 0.4)),
    ),
    Tags(Role.PROBLEM, 0.85, Topic.INDICATORS, (TopicScore(Topic.INDICATORS, 0.9),)),
    Tags(Role.MEASURE, 0.77, Topic.BUDGET_EXECUTION, (TopicScore(Topic.BUDGET_EXECUTION, 0.7),)),
)


def vector_of(text: str) -> NDArray[np.float32]:
    return np.random.default_rng(list(text.encode())).normal(size=8).astype(np.float32)


def report_of(rid: str, path: str, texts: tuple[str, ...] = TEXTS) -> Report:
    text = "二、存在的问题\n" + "\n".join(texts)
    passages = []
    for number, part in enumerate(texts, 1):
        start = text.index(part)
        passages.append(
            Passage(
                id=f"{rid}-{number:04d}",
                text=part,
                start=start,
                end=start + len(part),
                section=("二、存在的问题", "（一）执行"),
                lead="主要问题",
                page=number,
                department=IDENTITY.department,
                region=REGION,
                level=Level.COUNTY,
                year=2024,
            )
        )
    return Report(
        id=rid,
        text=text,
        identity=IDENTITY,
        source=Source(path, rid * 4, "txt", 3),
        sections=(Section("二、", "存在的问题", 1, 0, len(text), 7), Section("", "执行", 2, 3, 9, 5)),
        passages=tuple(passages),
        links=(Link(f"{rid}-0001", f"{rid}-0003", 0.625),) if len(texts) == 3 else (),
        warnings=("第 2 页没有文字",),
    )


def put(store: Store, report: Report) -> None:
    tagged = [TaggedPassage(p, tags, f"h:{p.text}") for p, tags in zip(report.passages, TAGS, strict=False)]
    known = store.known_vectors([item.hash for item in tagged])
    fresh = {t.hash: vector_of(t.passage.text) for t in tagged if t.hash not in known}
    store.add_report(report, tagged, fresh)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "library.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store.open(file, create=True)) as opened:
        yield opened


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  names of tables


def damage(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


# ------------------------------------------------------------------------------------------------------ in and out


def test_a_report_comes_back_as_it_went_in(store: Store) -> None:
    report = report_of("a", "甲.txt")
    put(store, report)
    assert store.report("a") == report
    assert [found.tags for found in store.passages_of("a")] == list(TAGS)
    assert [(card.id, card.identity, card.source) for card in store.cards()] == [("a", IDENTITY, report.source)]
    assert store.source("甲.txt") == ("aaaa", "a")
    assert store.counts() == (1, 3)


def test_a_passage_without_its_own_identity_gets_the_reports(store: Store) -> None:
    report = report_of("a", "甲.txt")
    bare = replace(report.passages[0], department=None, region=Region(), level=None, year=None)
    put(store, replace(report, passages=(bare, *report.passages[1:])))
    assert store.report("a") == report


def test_a_ledgers_row_keeps_its_own_identity(store: Store) -> None:
    report = report_of("a", "甲.txt")
    row = replace(
        report.passages[0],
        ref="7",
        role=Role.PROBLEM,
        department="汐州市交通运输局",
        region=Region("澜东省", "汐州市"),
        level=None,
        year=2022,
    )
    put(store, replace(report, passages=(row, *report.passages[1:])))
    assert store.report("a").passages[0] == row


def test_vectors_come_back_exactly(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    rows = [found.row for found in store.passages_of("a")]
    ((keys, vectors),) = store.vectors(8)
    assert keys.tolist() == rows
    np.testing.assert_array_equal(vectors, [vector_of(text) for text in TEXTS])
    ((keys, vectors),) = store.vectors(8, after=rows[0])
    assert keys.tolist() == rows[1:]
    np.testing.assert_array_equal(vectors, [vector_of(text) for text in TEXTS[1:]])
    assert list(store.vectors(8, after=rows[-1])) == []


def test_vectors_come_a_few_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp.store._VECTORS_AT_ONCE", 2)
    put(store, report_of("a", "甲.txt"))
    assert [len(keys) for keys, _ in store.vectors(8)] == [2, 1]
    assert np.concatenate([keys for keys, _ in store.vectors(8)]).tolist() == [f.row for f in store.passages_of("a")]


def test_it_is_remembered_when_something_was_last_taken_away_or_changed(store: Store) -> None:
    first = report_of("a", "甲.txt")
    put(store, first)
    put(store, report_of("b", "乙.txt"))
    assert (store.generation, store.rewritten) == (2, 0)
    same = [TaggedPassage(found.passage, found.tags, f"h:{found.passage.text}") for found in store.passages_of("a")]
    store.replace_tags("a", same, first.links, {})
    assert (store.generation, store.rewritten) == (3, 0)
    store.replace_tags("a", same, first.links, {same[0].hash: vector_of("anders")})
    assert (store.generation, store.rewritten) == (4, 4)
    store.remove_report("b")
    assert (store.generation, store.rewritten) == (5, 5)


def test_an_unknown_report_is_told_in_words(store: Store) -> None:
    with pytest.raises(NotFoundError, match="库中没有编号为 没有 的报告"):
        store.report("没有")
    with pytest.raises(NotFoundError, match="library info"):
        store.remove_report("没有")


def test_a_failure_half_way_leaves_nothing(store: Store, file: Path) -> None:
    report = report_of("a", "甲.txt")
    twice = replace(report, links=(*report.links, *report.links))
    with pytest.raises(LibraryError, match="UNIQUE"):
        put(store, twice)
    assert [count(file, t) for t in ("reports", "sections", "passages", "topics", "links", "vectors", "words")] == [
        0
    ] * 7
    assert store.generation == 0


# ------------------------------------------------------------------------------------------------- new versions


def test_a_new_version_replaces_the_old_and_shared_vectors_survive(store: Store, file: Path) -> None:
    put(store, report_of("a", "甲.txt"))
    new = report_of("b", "甲.txt", (TEXTS[0], "内控制度未更新，岗位职责不清。"))
    put(store, new)
    assert [card.id for card in store.cards()] == ["b"]
    assert store.source("甲.txt") == ("bbbb", "b")
    assert set(store.known_vectors([f"h:{text}" for text in TEXTS])) == {f"h:{TEXTS[0]}"}
    assert [count(file, table) for table in ("passages", "words", "vectors", "topics")] == [2, 2, 2, 3]
    assert count(file, "links") == 0
    assert store.integrity() == []


def test_vectors_shared_with_another_report_survive_a_removal(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    put(store, report_of("b", "乙.txt", (TEXTS[0],)))
    store.remove_report("a")
    assert list(store.known_vectors([f"h:{text}" for text in TEXTS])) == [f"h:{TEXTS[0]}"]
    assert store.counts() == (1, 1)
    assert store.source("甲.txt") is None
    assert store.integrity() == []


def test_the_same_file_at_two_paths_goes_when_the_last_path_turns_to_another(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    store.put_source("乙.txt", "aaaa", "a")
    put(store, report_of("b", "甲.txt", (TEXTS[1],)))
    assert [(card.id, card.source.path) for card in store.cards()] == [("a", "乙.txt"), ("b", "甲.txt")]
    assert store.integrity() == []
    put(store, report_of("c", "乙.txt", (TEXTS[2],)))
    assert sorted(card.id for card in store.cards()) == ["b", "c"]
    assert store.integrity() == []


def test_what_a_path_and_the_members_of_an_archive_hold(store: Store) -> None:
    for rid, path in enumerate(("年报", "年报/甲.txt", "年报/内/乙.txt", "年报0", "年报.zip", "年")):
        put(store, report_of(str(rid), path, (TEXTS[rid % 3] + str(rid),)))
    assert store.sources_under("年报") == {"年报": "0", "年报/甲.txt": "1", "年报/内/乙.txt": "2"}
    assert store.sources_under("月报") == {}


def test_a_path_that_turns_to_a_report_that_is_there_drops_its_own(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    put(store, report_of("b", "乙.txt", (TEXTS[1],)))
    store.put_source("乙.txt", "aaaa", "a")
    assert [card.id for card in store.cards()] == ["a"]
    assert store.source("乙.txt") == ("aaaa", "a")
    assert store.integrity() == []


def test_the_generation_grows_with_each_change_of_passages(store: Store) -> None:
    seen = [store.generation]
    put(store, report_of("a", "甲.txt"))
    seen.append(store.generation)
    store.put_source("乙.txt", "aaaa", "a")
    seen.append(store.generation)
    store.remove_report("a")
    seen.append(store.generation)
    assert seen == [0, 1, 1, 2]


def test_replace_tags_changes_what_is_derived_and_nothing_else(store: Store) -> None:
    report = report_of("a", "甲.txt")
    put(store, report)
    new = Tags(Role.CAUSE, 0.5, Topic.OTHER, (TopicScore(Topic.OTHER, 0.5),))
    items = [TaggedPassage(p, new, f"n:{p.text}") for p in report.passages]
    store.replace_tags("a", items, [], {item.hash: vector_of(item.hash) for item in items})
    assert store.report("a") == replace(report, links=())
    assert [found.tags for found in store.passages_of("a")] == [new] * 3
    np.testing.assert_array_equal(next(store.vectors(8))[1], [vector_of(item.hash) for item in items])
    assert store.known_vectors([f"h:{text}" for text in TEXTS]) == {}
    assert store.integrity() == []


# ------------------------------------------------------------------------------------------------------ corrections

FULL = Correction(
    TEXTS[0],
    ("二、存在的问题", "（一）执行", "主要问题"),
    Role.CAUSE,
    Topic.RESULT_APPLICATION,
    (Topic.OTHER, Topic.INDICATORS),
    "unused_results",
    "桐浦县农业农村局-2024",
)
BARE = Correction(TEXTS[1], (), Role.ACHIEVEMENT)


def test_corrections_come_back_as_they_went_in(store: Store, file: Path) -> None:
    assert store.corrections() == {}
    store.put_corrections({"k1": FULL, "k2": BARE})
    store.put_corrections({})
    with closing(Store.open(file, create=False)) as other:
        assert other.corrections() == {"k1": FULL, "k2": BARE}


def test_a_later_correction_replaces_the_earlier_of_its_key(store: Store, file: Path) -> None:
    store.put_corrections({"k1": FULL, "k2": BARE})
    again = replace(FULL, role=Role.TARGET, primary=None, secondary=(), subtopic=None)
    store.put_corrections({"k1": again})
    assert store.corrections() == {"k1": again, "k2": BARE}
    assert count(file, "corrections") == 2


def test_corrections_outlive_reports_and_touch_nothing_else(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    store.put_corrections({"k1": FULL})
    assert [found.tags for found in store.passages_of("a")] == list(TAGS)
    assert (store.generation, store.integrity()) == (1, [])
    store.remove_report("a")
    put(store, report_of("b", "甲.txt"))
    assert store.corrections() == {"k1": FULL}
    assert store.integrity() == []


def test_corrections_go_in_all_or_none(store: Store) -> None:
    store.put_corrections({"k2": BARE})
    nameless: Any = None
    with pytest.raises(LibraryError, match="NOT NULL"):
        store.put_corrections({"k1": FULL, "k2": replace(BARE, text=nameless)})
    assert store.corrections() == {"k2": BARE}


def test_rows_are_found_by_their_text_however_many_are_asked_for(store: Store) -> None:
    put(store, report_of("a", "甲.txt"))
    put(store, report_of("b", "乙.txt", (TEXTS[2], TEXTS[0])))
    rows = {found.passage.id: found.row for rid in "ab" for found in store.passages_of(rid)}
    assert store.rows_of_text([TEXTS[0]]) == [rows["a-0001"], rows["b-0002"]]
    many = [f"没有的文字{number}" for number in range(1200)]
    assert store.rows_of_text([*many, TEXTS[0], *many, TEXTS[1], TEXTS[0]]) == sorted(
        [rows["a-0001"], rows["a-0002"], rows["b-0002"]]
    )
    assert store.rows_of_text(many) == store.rows_of_text([]) == []


def test_a_library_of_the_second_version_is_brought_up_to_date(store: Store, file: Path) -> None:
    put(store, report_of("a", "甲.txt"))
    wanted, generation = store.report("a"), store.generation
    damage(file, "DROP TABLE corrections", "UPDATE meta SET value = '2' WHERE key = 'schema'")
    with closing(Store.open(file, create=False)) as opened:
        assert opened.meta("schema") == str(SCHEMA_VERSION)
        assert (opened.report("a"), opened.generation) == (wanted, generation)
        assert [found.tags for found in opened.passages_of("a")] == list(TAGS)
        assert opened.integrity() == []
        assert opened.corrections() == {}
        opened.put_corrections({"k1": FULL})
        put(opened, report_of("b", "乙.txt", (TEXTS[1],)))
        assert opened.counts() == (2, 4)
    with closing(Store.open(file, create=False)) as again:
        assert again.corrections() == {"k1": FULL}


def test_what_an_unfinished_migration_left_does_not_hinder_it(store: Store, file: Path) -> None:
    store.put_corrections({"k1": FULL})
    store.set_meta("schema", "2")
    with closing(Store.open(file, create=False)) as opened:
        assert opened.meta("schema") == str(SCHEMA_VERSION)
        assert opened.corrections() == {"k1": FULL}


# ------------------------------------------------------------------------------------------------ reading under way


def test_a_snapshot_sees_one_state_whatever_is_written_meanwhile(store: Store, file: Path) -> None:
    put(store, report_of("a", "甲.txt"))
    with closing(Store.open(file, create=False)) as reader:
        with reader.snapshot():
            rows = [found.row for found in reader.passages_of("a")]
            store.remove_report("a")
            put(store, report_of("b", "乙.txt", (TEXTS[1],)))
            assert [found.passage.text for found in reader.passages(rows)] == list(TEXTS)
            assert (reader.generation, reader.counts()) == (1, (1, 3))
        assert (reader.generation, reader.counts()) == (3, (1, 1))


@pytest.mark.parametrize(
    ("region", "found"),
    [(Region("云屏省", None, "桐浦县"), True), (Region("澜东省", None, "桐浦县"), False), (Region("云屏省"), False)],
)
def test_a_region_is_found_by_all_its_places_though_one_is_not_known(store: Store, region: Region, found: bool) -> None:
    report = report_of("a", "甲.txt")
    put(store, replace(report, passages=tuple(replace(passage, region=region) for passage in report.passages)))
    assert bool(store.cells(Filters(region="云屏省霁阳市桐浦县"))) is found


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(department="农业"), [0, 1, 2]),
        (Filters(department="教育"), []),
        (Filters(region="霁阳"), [0, 1, 2]),
        (Filters(region="汐州"), []),
        (Filters(region="云屏省霁阳市桐浦县"), [0, 1, 2]),
        (Filters(region="霁阳市桐浦县"), [0, 1, 2]),
        (Filters(level=Level.COUNTY, kind=Kind.DEPARTMENT, years=(2023, 2024)), [0, 1, 2]),
        (Filters(years=(2022, 2023)), []),
        (Filters(role=Role.PROBLEM), [0, 1]),
        (Filters(topic=Topic.INTERNAL_CONTROL), [0]),
        (Filters(topic=Topic.BUDGET_EXECUTION, role=Role.MEASURE), [2]),
        (Filters(department="' OR 1=1 --"), []),
    ],
)
def test_filters_let_through_what_they_say(store: Store, filters: Filters, wanted: list[int]) -> None:
    put(store, report_of("a", "甲.txt"))
    rows = [found.row for found in store.passages_of("a")]
    allowed = store.rows_passing(filters)
    assert allowed is not None
    assert allowed.tolist() == [rows[place] for place in wanted]


def test_no_filter_lets_everything_through(store: Store) -> None:
    assert store.rows_passing(Filters()) is None


# ------------------------------------------------------------------------------------------------------- bad files


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_text("这是一份普通的文字文件。" * 100, "utf-8")
    with pytest.raises(LibraryError, match=r"library\.sqlite：这个文件无法作为报告库打开.*不是本程序建的库"):
        Store.open(tmp_path / "library.sqlite", create=True)


def test_a_database_of_another_program_is_refused_and_left_alone(file: Path) -> None:
    damage(file, "CREATE TABLE 账目 (金额 REAL)")
    with pytest.raises(LibraryError, match="别的程序的数据库"):
        Store.open(file, create=True)
    with closing(sqlite3.connect(file)) as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["账目"]


def test_a_library_of_another_version_is_refused(store: Store, file: Path) -> None:
    store.set_meta("schema", "99")
    with pytest.raises(LibraryError, match="报告库的版本是 99，本程序需要"):
        Store.open(file, create=False)


def test_no_library_is_refused_unless_one_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="不是报告库"):
        Store.open(tmp_path / "library.sqlite", create=False)
    with pytest.raises(LibraryError, match="打不开报告库的文件"):
        Store.open(tmp_path / "没有" / "library.sqlite", create=True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM vectors WHERE hash = (SELECT vector FROM passages LIMIT 1)", "有条目没有向量：1 处"),
        ("INSERT INTO vectors VALUES ('x', x'00')", "有多余的向量：1 处"),
        (
            "UPDATE vectors SET vector = zeroblob(32) WHERE hash = (SELECT min(hash) FROM vectors)",
            "标注、链接、词语或向量与入库时不一致（a）",
        ),
        ("DELETE FROM words WHERE rowid = 2", "有条目没有全文索引：1 处"),
        ("INSERT INTO words (rowid, terms) VALUES (77, '多余')", "全文索引有多余的行：1 处"),
        ("UPDATE words SET terms = '别的' WHERE rowid = 1", "标注、链接、词语或向量与入库时不一致（a）"),
        ("DELETE FROM words_data WHERE id > 10", "全文索引与条目不符"),
        ("UPDATE passages SET text = '改过的文字' WHERE row = 2", "有条目的文字与报告原文不符：1 处"),
        ("UPDATE reports SET text = replace(text, '二、', '三、')", "原文或身份与入库时不一致（a）"),
        ("UPDATE reports SET year = 2023", "原文或身份与入库时不一致（a）"),
        ("UPDATE passages SET role = 'cause' WHERE row = 1", "标注、链接、词语或向量与入库时不一致（a）"),
        ("UPDATE topics SET score = 0.1 WHERE place = 1", "标注、链接、词语或向量与入库时不一致（a）"),
        ("DELETE FROM links", "标注、链接、词语或向量与入库时不一致（a）"),
        ("DELETE FROM sections WHERE place = 1", "原文或身份与入库时不一致（a）"),
        ("DELETE FROM sources", "有报告没有来源：1 处"),
        ("DELETE FROM reports", "有记录指向不存在的报告或条目"),
    ],
)
def test_planted_damage_is_found_and_told(store: Store, file: Path, statement: str, said: str) -> None:
    put(store, report_of("a", "甲.txt"))
    assert store.integrity() == []
    damage(file, statement)
    problems = store.integrity()
    assert any(said in problem for problem in problems), problems
    assert all("请" in problem and "\n" not in problem for problem in problems)


def test_flipped_bits_in_the_file_are_found_where_they_hit_content(file: Path) -> None:
    with closing(Store.open(file, create=True)) as store:
        put(store, report_of("a", "甲.txt"))
    whole = file.read_bytes()
    # Tail of the text of a report, of a passage and of a vector: no structure of SQLite's, only content.
    for content in (TEXTS[2].encode()[-9:], vector_of(TEXTS[1]).astype("<f4").tobytes()[-8:], b"progress"):
        place = whole.index(content) + len(content) - 2
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with closing(Store.open(file, create=False)) as store:
            assert store.integrity() != []
    file.write_bytes(whole)
    with closing(Store.open(file, create=False)) as store:
        assert store.integrity() == []


def test_no_damage_of_the_file_ends_in_another_error_than_ours(file: Path) -> None:
    with closing(Store.open(file, create=True)) as store:
        put(store, report_of("a", "甲.txt"))
        wanted = store.report("a")
    whole = file.read_bytes()
    source = np.random.default_rng(5)
    unnoticed = 0
    for _ in range(60):
        damaged = bytearray(whole)
        begin = int(source.integers(len(whole) - 64))
        damaged[begin : begin + 64] = source.bytes(64)
        file.write_bytes(damaged)
        try:
            with closing(Store.open(file, create=False)) as store:
                if not store.integrity():
                    unnoticed += 1
                    assert store.report("a") == wanted
                    assert [found.tags for found in store.passages_of("a")] == list(TAGS)
        except LibraryError as error:
            assert "请" in str(error)  # noqa: PT017  either way is right, so that pytest.raises does not fit
    assert 0 < unnoticed < 60  # damage of free space is none; the rest is found
