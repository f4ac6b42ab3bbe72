from __future__ import annotations

import os
import sqlite3
import threading
import zipfile
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import report_text, write_report
from filelock import FileLock

from nlp.errors import EncoderError, InvalidInputError, LibraryError, NotFoundError
from nlp.identity import Overrides
from nlp.index import VectorIndex
from nlp.library import Library
from nlp.records import Filters, Progress, Role, Topic

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StandIn

FINDINGS = ("支出进度偏慢，第四季度集中付款。", "绩效指标设置笼统，缺少可衡量的数值。", "固定资产台账与实物不符。")
MEASURES = ("按月通报支出进度，滞后的收回额度。", "细化绩效指标，逐项设定数值。")
LEDGER = (
    "序号,部门,年度,问题摘要,整改情况\n1,青禾县民政局,2022,救助资金滞留在账户未发放。,已全部发放到人。\n"
    "2,青禾县司法局,2023,调解经费超范围列支招待费。,已退回财政。\n"
)
OTHER = ("采购合同未经法制审核即签订。", "往来款长期挂账未清理。")

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "报告"
    write_report(folder, "青禾县教育局", 2023, FINDINGS, MEASURES)
    write_report(folder, "青禾县水利局", 2024, OTHER)
    (folder / "整改台账.csv").write_text(LEDGER, "utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path, reports: Path) -> Path:
    with Library.open(tmp_path / "library") as library:
        result = library.ingest(reports)
    assert (result.added, result.updated, result.unchanged, result.failed, result.reports) == (3, 0, 0, (), 3)
    return tmp_path / "library"


def answers(home: Path, query: str = "支出进度慢") -> list[tuple[str, float, float]]:
    with Library.open(home, create=False) as library:
        return [(hit.found.passage.id, hit.score, hit.semantic) for hit in library.search(query, top=20).hits]


def damage(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        db.execute(statement)
        db.commit()


# --------------------------------------------------------------------------------------------------- taking in again


def test_taking_in_again_changes_nothing(home: Path, reports: Path) -> None:
    before = (home / "library.sqlite").read_bytes()
    with Library.open(home) as library:
        result = library.ingest(reports)
    assert (result.added, result.updated, result.unchanged, result.failed) == (0, 0, 3, ())
    assert (home / "library.sqlite").read_bytes() == before


def test_a_changed_file_replaces_its_old_version(home: Path, reports: Path) -> None:
    write_report(reports, "青禾县教育局", 2023, (FINDINGS[0], "食堂收支未纳入单位账核算。"))
    with Library.open(home) as library:
        result = library.ingest(reports)
        assert (result.added, result.updated, result.unchanged, result.reports) == (0, 1, 2, 3)
        texts = {p.passage.text for card in library.info().cards for p in library.passages_of(card.id)}
        assert {"2、食堂收支未纳入单位账核算。", f"1、{FINDINGS[0]}"} <= texts
        assert f"2、{FINDINGS[1]}" not in texts
        assert library.verify() == ()


def test_the_same_file_at_two_paths_is_one_report(home: Path, reports: Path) -> None:
    first = reports / "青禾县教育局2023年度绩效自评报告.txt"
    second = reports / "副本" / first.name
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    with Library.open(home) as library:
        result = library.ingest(reports)
        assert (result.added, result.updated, result.unchanged, result.reports) == (0, 0, 4, 3)
        first.write_text(report_text("青禾县教育局", 2023, OTHER, ()), "utf-8")
        result = library.ingest(reports)
        assert (result.added, result.updated, result.unchanged, result.reports) == (0, 1, 3, 4)
        assert sorted(
            card.source.path for card in library.info().cards if card.identity.department == "青禾县教育局"
        ) == (sorted([str(first), str(second)]))
        assert library.verify() == ()


def test_other_words_of_a_person_make_another_version(home: Path, reports: Path) -> None:
    with Library.open(home) as library:
        result = library.ingest(reports, overrides=Overrides(year=2019))
        assert (result.updated, result.unchanged, result.reports) == (3, 0, 3)
        assert {card.identity.year for card in library.info().cards} == {2019}


def test_removing_takes_a_report_out_of_search_and_counts(home: Path) -> None:
    with Library.open(home) as library:
        gone = next(card for card in library.info().cards if card.identity.department == "青禾县教育局")
        assert FINDINGS[0][:4] in library.search("支出进度偏慢").hits[0].found.passage.text
        library.remove(gone.id)
        assert library.info().reports == 2
        assert gone.id not in {hit.found.report.id for hit in library.search("支出进度偏慢", top=50).hits}
        assert gone.id not in {card.id for card in library.info().cards}
        assert library.verify() == ()
        with pytest.raises(NotFoundError):
            library.remove(gone.id)


def test_a_library_inside_the_folder_is_not_read_as_reports(reports: Path) -> None:
    for _ in range(2):
        with Library.open(reports / "library") as library:
            result = library.ingest(reports)
    assert (result.unchanged, result.failed, result.reports) == (3, (), 3)


def test_a_file_named_twice_is_read_once(tmp_path: Path, reports: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        result = library.ingest(reports, *sorted(reports.iterdir()))
    assert (result.added, result.unchanged) == (3, 0)


def test_a_file_name_in_gbk_is_read_and_kept_as_characters(tmp_path: Path) -> None:
    folder = tmp_path / "旧"
    folder.mkdir()
    name = os.fsdecode("青禾县民政局2022年自评报告.txt".encode("gbk"))
    (folder / name).write_text(report_text("青禾县民政局", 2022, FINDINGS, ()), "utf-8")
    (folder / os.fsdecode("空表.txt".encode("gbk"))).write_bytes(b"")
    with Library.open(tmp_path / "library") as library:
        result = library.ingest(folder)
        assert result.added == 1
        assert [card.source.path for card in library.info().cards] == [str(folder / "青禾县民政局2022年自评报告.txt")]
        assert [(failure.path, failure.error[:5]) for failure in result.failed] == [
            (str(folder / "空表.txt"), "文件是空的")
        ]


def test_the_files_of_an_archive_are_taken_in_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "全年.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("青禾县教育局.txt", report_text("青禾县教育局", 2023, FINDINGS, ()))
        archive.writestr("坏.pdf", b"%PDF-1.4 x")
    with Library.open(tmp_path / "library") as library:
        result = library.ingest(path)
        assert (result.added, [failure.path for failure in result.failed]) == (1, [f"{path}/坏.pdf"])
        assert library.ingest(path).unchanged == 1


def test_a_missing_path_is_told_in_words(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library, pytest.raises(InvalidInputError, match="没有这个文件或文件夹"):
        library.ingest(tmp_path / "没有")


# -------------------------------------------------------------------------------------------------------- the index


@pytest.mark.parametrize("what", ["missing", "cut", "flipped", "no note", "stale", "of another library"])
def test_a_damaged_or_stale_index_is_made_anew_silently(
    home: Path, reports: Path, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    old = {path: path.read_bytes() for path in (home / "index").iterdir()}
    if what == "stale":
        write_report(reports, "青禾县民政局", 2024, ["临时救助支出进度慢。"])
        with Library.open(home) as library:
            library.ingest(reports)
    wanted = answers(home)
    assert wanted
    now = {path.name.partition("-")[0]: path for path in (home / "index").iterdir()}
    if what == "missing":
        now["vectors"].unlink()
    elif what == "cut":
        now["vectors"].write_bytes(now["vectors"].read_bytes()[:-100])
    elif what == "flipped":
        data = bytearray(now["keys"].read_bytes())
        data[len(data) // 2] ^= 4
        now["keys"].write_bytes(data)
    elif what == "no note":
        now["note.json"].unlink()
    elif what == "stale":
        for path, content in old.items():
            path.write_bytes(content)
    else:
        now["keys"].write_bytes(bytes(4000))
    assert answers(home) == wanted
    with Library.open(home) as library:
        assert library.verify() == ("向量索引缺失、损坏或不是最新；请运行 jixiao library rebuild",)
        library.ingest(reports)  # whatever is taken in next mends it
        assert library.verify() == ()
    assert capfd.readouterr().err == ""


def assert_finds_itself(library: Library) -> None:
    """Each vector of the store is the nearest to itself in the index."""
    index = library._current_index()
    for keys, vectors in library._store.vectors(index.dims):
        for key, vector in zip(keys, vectors, strict=True):
            found, scores = index.search(vector, 1, np.array([key]))
            assert found.tolist() == [key]
            assert scores == pytest.approx([1.0], abs=1e-5)
    assert len(index) == library.info().passages


def test_an_open_library_sees_what_others_add_and_take_away(home: Path, reports: Path) -> None:
    """Keys of what was removed last are given again to what comes next."""
    with Library.open(home) as reader, Library.open(home) as writer:
        assert answers(home)
        reader.search("临时救助")
        added = write_report(reports, "青禾县民政局", 2024, ["临时救助支出进度慢。"])
        writer.ingest(added)
        hit = reader.search("临时救助支出进度慢").hits[0]
        assert "临时救助支出进度慢。" in hit.found.passage.text
        assert_finds_itself(reader)
        writer.remove(hit.found.report.id)
        added.unlink()
        writer.ingest(write_report(reports, "青禾县文化局", 2024, ["场馆开放时间短。"]))
        assert writer.verify() == ()
        hit = reader.search("场馆开放时间短").hits[0]
        assert "场馆开放时间短。" in hit.found.passage.text
        assert_finds_itself(reader)
        texts = [hit.found.passage.text for hit in reader.search("临时救助支出进度慢").hits]
        assert not any("临时救助支出进度慢。" in text for text in texts)


def test_the_index_keeps_up_with_a_long_ingest(tmp_path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp.library._BEHIND", 2)
    sizes: list[int] = []

    def look(_: Progress) -> None:
        saved = VectorIndex.load(tmp_path / "library" / "index")
        sizes.append(len(saved) if saved else 0)

    with Library.open(tmp_path / "library") as library:
        passages = library.ingest(reports, progress=look).passages
        assert library.verify() == ()
    assert any(0 < size < passages for size in sizes), sizes


def test_an_index_with_other_vectors_is_found_by_verify(home: Path) -> None:
    with Library.open(home) as library:
        turned = ((keys, -vectors) for keys, vectors in library._store.vectors(576))
        VectorIndex.save(home / "index", turned, 576, library.info().generation)
        assert library.verify() == ("向量索引与库中的向量不一致；请运行 jixiao library rebuild",)
        library.rebuild()
        assert library.verify() == ()


def test_an_index_that_belongs_to_another_library_is_not_used(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "别的"
    write_report(other, "蒲川县文化局", 2023, ["场馆开放时间短。", "文物档案缺失。", *FINDINGS])
    for name in ("library.sqlite", "library.sqlite-wal", "library.sqlite-shm"):
        (home / name).unlink(missing_ok=True)  # as somebody does whose database is damaged
    with Library.open(home) as library:
        library.ingest(other)
        library.ingest(write_report(other, "蒲川县交通局", 2023, OTHER))
        library.ingest(write_report(other, "蒲川县卫健局", 2023, OTHER[:1]))
        assert_finds_itself(library)
        assert library.verify() == ()


def test_a_page_is_the_same_however_many_there_are_to_one(home: Path, tmp_path: Path) -> None:
    names = ["青山水库", "白石中学", "南湖医院", "北岭公路", "东溪泵站", "西坪车间"]
    findings = [f"{first}、{second}和{third}支付偏慢。" for first, second, third in product(names, repeat=3)]
    for year in range(2019, 2025):
        write_report(tmp_path / "许多", "青禾县财政局", year, findings[(year - 2019) * 36 :][:36])
    with Library.open(home) as library:
        library.ingest(tmp_path / "许多")
        wide = [hit.found.row for hit in library.search("水库支付偏慢", top=90).hits]
        narrow = [
            hit.found.row for page in range(1, 7) for hit in library.search("水库支付偏慢", top=15, page=page).hits
        ]
        assert wide == narrow
        assert len(set(wide)) == len(wide) == 90


def test_a_figure_finds_the_passage_that_has_it(home: Path, tmp_path: Path) -> None:
    findings = [f"结余资金{number}.58万元长期未清理。" for number in (6855, 1204, 77)]
    with Library.open(home) as library:
        library.ingest(write_report(tmp_path / "数", "青禾县财政局", 2024, findings))
        hit = library.search("6855.58").hits[0]
        assert "6855.58万元" in hit.found.passage.text
        assert hit.lexical == 1.0
        assert library.search("98.31").hits == ()


def test_a_row_of_meta_goes_before_what_is_said_of_all_files(home: Path, reports: Path) -> None:
    name = "青禾县教育局2023年度绩效自评报告.txt"
    (reports / "meta.csv").write_text(f"文件,年度\n{name},2020\n", "utf-8")
    with Library.open(home) as library:
        library.ingest(reports, overrides=Overrides(year=2019, department="青禾县体育局"))
        said = {(card.identity.department, card.identity.year) for card in library.info().cards}
        assert said == {("青禾县体育局", 2020), ("青禾县体育局", 2019)}


def test_what_is_listed_behind_the_counts_is_what_was_counted(home: Path) -> None:
    with Library.open(home) as library:
        for topic in Topic:
            filters = Filters(topic=topic)
            counted = library.frequency(("topic",), filters=filters)
            assert len(library.counted(filters=filters)) == sum(row.count for row in counted.rows)


def test_who_waits_for_a_writer_says_so(home: Path) -> None:
    said: list[str] = []
    with Library.open(home) as library:
        lock = FileLock(home / "library.lock", thread_local=False)
        lock.acquire()
        timer = threading.Timer(0.3, lock.release)
        timer.start()
        library.rebuild(say=said.append)
        timer.join()
    assert "另一个进程正在写入" in said[0]


# ------------------------------------------------------------------------------------------- verifying and mending


def test_a_sound_library_has_no_problems(home: Path) -> None:
    with Library.open(home, create=False) as library:
        assert library.verify() == ()


def test_an_empty_library_has_no_problems_and_says_that_it_is_empty(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        assert library.verify() == ()
        assert library.search("支出进度").note == "报告库是空的；请先用 jixiao ingest 入库"
        assert library.frequency().rows == ()
        assert library.draft("支出进度慢") == ()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM vectors WHERE hash = (SELECT vector FROM passages LIMIT 1)",
        "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE hash = (SELECT min(hash) FROM vectors)",
        "INSERT INTO vectors VALUES ('x', zeroblob(2048))",
        "DELETE FROM words WHERE rowid = 2",
        "DELETE FROM words_data WHERE id > 10",
        "INSERT INTO words (rowid, terms) VALUES (777, '多余')",
        "UPDATE passages SET role = 'cause', topic = 'other' WHERE row = 3",
        "DELETE FROM topics",
        "UPDATE passages SET vector = 'x' WHERE row = 1",
    ],
)
def test_a_rebuild_mends_all_that_is_derived(home: Path, statement: str) -> None:
    with Library.open(home) as library:
        library.rebuild()  # brings the generation to where the second rebuild is compared from
    before = dump(home)
    damage(home, statement)
    with Library.open(home) as library:
        assert library.verify() != ()
        library.rebuild()
        assert library.verify() == ()
    assert dump(home) == before


def dump(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """All content but the count of changes."""
    tables = ("reports", "sources", "sections", "passages", "topics", "links", "vectors")
    with closing(sqlite3.connect(home / "library.sqlite")) as db:
        found = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608  our own names
        found["words"] = db.execute("SELECT rowid, terms FROM words").fetchall()
        return found


@pytest.mark.parametrize(
    "statement",
    ["UPDATE reports SET text = replace(text, '1200万元', '9900万元')", "DELETE FROM links WHERE score = 1"],
)
def test_a_rebuild_does_not_hide_that_what_was_read_is_changed(home: Path, statement: str) -> None:
    damage(home, statement)
    with Library.open(home) as library:
        library.rebuild()
        assert any("原文或身份与入库时不一致" in problem for problem in library.verify())


def test_a_rebuild_of_a_sound_library_changes_nothing(home: Path) -> None:
    before, wanted = dump(home), answers(home)
    with Library.open(home) as library:
        library.rebuild()
    assert (dump(home), answers(home)) == (before, wanted)


# --------------------------------------------------------------------------------------------------------- refusals


def test_another_encoder_is_refused(
    home: Path, reports: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(stand_in), "fingerprint", "f" * 64)
    with Library.open(home) as library:
        with pytest.raises(
            EncoderError, match=r"是用另一份 stand-in 权重建的.*向量不可混用；请用 jixiao models verify"
        ):
            library.ingest(reports)
        with pytest.raises(EncoderError, match="向量不可混用"):
            library.rebuild()


def test_the_same_encoder_may_be_given_in_another_way(
    home: Path, reports: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(stand_in), "name", "/models/stand-in")  # the folder has moved
    with Library.open(home, encoder="./stand-in") as library:
        assert library.ingest(reports).unchanged == 3
        assert library.info().encoder == "/models/stand-in"


def test_another_encoder_by_name_is_refused_at_once(
    home: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(stand_in), "fingerprint", "f" * 64)
    with pytest.raises(EncoderError, match="是用编码器 stand-in 建的，不能换用 bge-small-zh"):
        Library.open(home, encoder="bge-small-zh")


def test_a_file_in_the_place_of_a_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("x", "utf-8")
    with pytest.raises(LibraryError, match="报告库应是一个文件夹"):
        Library.open(tmp_path / "library")
    with pytest.raises(LibraryError, match="不是报告库"):
        Library.open(tmp_path / "library", create=False)


def test_a_text_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_text("不是数据库" * 300, "utf-8")
    with pytest.raises(LibraryError, match="无法作为报告库打开"):
        Library.open(tmp_path)


def test_a_library_of_another_version_is_refused(home: Path) -> None:
    damage(home, "UPDATE meta SET value = '0' WHERE key = 'schema'")
    with pytest.raises(LibraryError, match="报告库的版本是 0"):
        Library.open(home)


def test_a_finding_counts_once_in_a_report_however_often_it_is_told(tmp_path: Path) -> None:
    said = "固定资产账实不符，部分设备没有登记入账。"
    write_report(tmp_path / "in", "青禾县水利局", 2024, [said, said, "预算执行进度偏慢，资金年底集中支付。"])
    write_report(tmp_path / "in", "青禾县教育局", 2024, [said])
    with Library.open(tmp_path / "library") as library:
        library.ingest(tmp_path / "in")
        counts = {unit: library.frequency(("department",), unit=unit).rows for unit in ("passage", "finding")}
        told = {unit: {row.values[0]: row.count for row in rows} for unit, rows in counts.items()}
        assert told["passage"] == {"青禾县水利局": 3, "青禾县教育局": 1}
        assert told["finding"] == {"青禾县水利局": 2, "青禾县教育局": 1}
        assert len(library.counted()) == 4
        assert {found.tags.role for found in library.counted()} == {Role.PROBLEM}
