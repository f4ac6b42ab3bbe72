"""Several real processes at one library."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import StandIn, write_report
from filelock import FileLock

from nlp import analyst as room
from nlp.library import Library
from nlp.words import words_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from nlp.records import IngestResult

BODIES = [
    "教育局",
    "水利局",
    "民政局",
    "司法局",
    "财政局",
    "商务局",
    "统计局",
    "审计局",
    "医疗保障局",
    "林业局",
    "体育局",
    "档案局",
]
FOLDERS = 3
REPORTS = 4
ROUNDS = 8


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for folder in range(FOLDERS):
        for body in BODIES[folder * REPORTS : (folder + 1) * REPORTS]:
            write_report(
                tmp_path / f"文件夹{folder}",
                f"青禾县{body}",
                2024,
                [f"{body}所属项目支出进度偏慢。", "固定资产台账不全，账实不符。"],
                ["按月通报支出进度。"],
            )
    return [tmp_path / f"文件夹{folder}" for folder in range(FOLDERS)]


def take_in(home: Path, folder: Path, begin: Barrier, pipe: Connection) -> None:
    words_of("支出进度")
    setattr(room, "open_encoder", lambda _: StandIn())  # noqa: B010  mypy takes a plain assignment for a mistake
    begin.wait(120)
    said: list[str] = []
    with Library.open(home) as library:
        pipe.send((library.ingest(folder, say=said.append), said))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path, folders: list[Path]) -> None:
    """They even make the library at once."""
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(FOLDERS)
    pipes = [context.Pipe(duplex=False) for _ in folders]
    home = tmp_path / "library"
    processes = [
        context.Process(target=take_in, args=(home, folder, begin, there))
        for folder, (_, there) in zip(folders, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    for _, there in pipes:
        there.close()  # or a process that dies would never be missed
    outcomes: list[tuple[IngestResult, list[str]]] = [here.recv() for here, _ in pipes]
    for process in processes:
        process.join()
    assert [(result.added, result.failed) for result, _ in outcomes] == [(REPORTS, ())] * FOLDERS
    assert max(result.reports for result, _ in outcomes) == FOLDERS * REPORTS
    assert all("另一个进程正在写入报告库" in line for _, said in outcomes for line in said)
    with Library.open(home, create=False) as library:
        info = library.info()
        assert {card.identity.department for card in info.cards} == {f"青禾县{body}" for body in BODIES}
        assert (info.reports, info.generation) == (FOLDERS * REPORTS, FOLDERS * REPORTS)
        assert library.verify() == ()


@pytest.mark.encoder
def test_a_process_that_waits_says_so_and_goes_on(tmp_path: Path, folders: list[Path]) -> None:
    home = tmp_path / "library"
    home.mkdir()
    jixiao = Path(sys.executable).with_name("jixiao")
    with FileLock(home / "library.lock"):
        waiting = subprocess.Popen(
            [jixiao, "ingest", folders[0], "--library", home],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        assert line.strip() == f"另一个进程正在写入报告库 {home}，等它完成后继续……"
        assert waiting.poll() is None
    output, _ = waiting.communicate()
    assert waiting.returncode == 0
    assert f"新增 {REPORTS}，更新 0，未变 0，失败 0" in output


def take_in_again_and_again(home: Path, folders: list[Path]) -> None:
    """Take folders in one after the other, a transaction a report."""
    setattr(room, "open_encoder", lambda _: StandIn())  # noqa: B010  as above
    with Library.open(home) as library:
        for folder in folders:
            assert library.ingest(folder).added == REPORTS


@pytest.mark.usefixtures("stand_in")
def test_a_reader_is_answered_while_another_process_writes(tmp_path: Path, folders: list[Path]) -> None:
    home = tmp_path / "library"
    with Library.open(home) as library:
        library.ingest(folders[0])
        wanted = {card.id for card in library.info().cards}
    writer = multiprocessing.get_context("spawn").Process(target=take_in_again_and_again, args=(home, folders[1:]))
    writer.start()
    counts: list[int] = []
    with Library.open(home, create=False) as reader:
        while not counts or writer.is_alive():
            result = reader.search("支出进度偏慢", top=100)
            found = {item.report.id for hit in result.hits for item in (hit.found, *hit.same)}
            assert wanted <= found
            assert "支出进度" in result.hits[0].found.passage.text
            counts.append(len(found))
        result = reader.search("支出进度偏慢", top=100)
        every = {item.passage.department for hit in result.hits for item in (hit.found, *hit.same)}
        assert every == {f"青禾县{body}" for body in BODIES}
        assert reader.verify() == ()
    assert writer.exitcode == 0
    assert counts[0] == REPORTS
    assert counts == sorted(counts)


def remove_and_take_in_again(home: Path, folder: Path) -> None:
    """Remove every report of a folder and take it in again, several times over."""
    setattr(room, "open_encoder", lambda _: StandIn())  # noqa: B010  as above
    with Library.open(home) as library:
        for _ in range(ROUNDS):
            for card in library.info().cards:
                library.remove(card.id)
            assert library.ingest(folder).added == REPORTS


@pytest.mark.usefixtures("stand_in")
def test_a_reader_is_answered_while_reports_go_and_come(tmp_path: Path, folders: list[Path]) -> None:
    home = tmp_path / "library"
    with Library.open(home) as library:
        library.ingest(folders[0])
    writer = multiprocessing.get_context("spawn").Process(target=remove_and_take_in_again, args=(home, folders[0]))
    writer.start()
    searches = 0
    with Library.open(home, create=False) as reader:
        while searches == 0 or writer.is_alive():
            found = reader.search("支出进度偏慢", top=100)
            drafts = reader.draft("支出进度偏慢")
            assert len({hit.found.report.id for hit in found.hits}) <= REPORTS
            assert all(item.found.passage.text for item in drafts)
            searches += 1
        assert reader.info().reports == REPORTS
    assert writer.exitcode == 0
    assert searches > ROUNDS
