"""Reading in worker processes: real ones, of which some crash, hang or want too much memory."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nlp import errors, pipeline
from nlp.errors import NlpError, UnreadableFileError, UnsupportedFormatError
from nlp.identity import Overrides
from nlp.pipeline import FileTask, Found, Known, Limits, printable, read_apart, read_files
from nlp.reading import read_report, report_id
from nlp.records import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="address space is limited on POSIX only")


# ------------------------------------------------------------------------------------------------- readers of the workers


def staged(task: FileTask, _: Mapping[str, str], skip: int) -> Iterator[str | Found]:
    """A reader for which the words of a file's name are its members and say what happens to them."""
    for number, word in list(enumerate(task.path.name.split()))[skip:]:
        name = f"{task.path}/{number}"
        yield name
        (task.path.parent / f"{task.path.name}-{number}.begun").touch()
        match word:
            case "crash":
                os.abort()
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                threading.Event().wait()
            case "big":
                yield Found(name, Known("x" * 1_000_000))
                continue
            case "last":
                awaited(task.path.parent / "2-0.begun")
            case "archived":
                awaited(task.path.parent / f"{' '.join(['big'] * 40)}-4.begun")
        yield Found(name, Known(str(os.getpid())))


def awaited(file: Path) -> None:
    """Return when a file is there."""
    while not file.exists():
        time.sleep(0.005)


def greedy(task: FileTask, known: Mapping[str, str], skip: int) -> Iterator[str | Found]:
    """The real reader with a parser that wants eight gigabytes for a file of a certain name."""

    def parse(data: bytes, path: str, overrides: Overrides | None = None) -> Report:
        if "水利局" in path:
            bytearray(8 << 30)
        return read_report(data, path, overrides)

    pipeline.read_report = parse  # type: ignore[attr-defined]  # this runs in a process of its own
    return pipeline.read_file(task, known, skip)


# --------------------------------------------------------------------------------------------------------------- helpers


def report_text(department: str, year: int) -> str:
    """A short report. Workers import this module for its readers, so it does without ``conftest``, which brings much."""
    return f"{department}{year}年度部门整体支出绩效自评报告\n一、存在的问题\n1、指标笼统，资金年底才支付。"


def write_report(folder: Path, department: str, year: int) -> Path:
    path = folder / f"{department}{year}年度绩效自评报告.txt"
    path.write_text(report_text(department, year), "utf-8")
    return path


def nothing(_: str) -> dict[str, str]:
    return {}


def tasks(folder: Path, *names: str) -> list[FileTask]:
    return [FileTask(folder / name) for name in names]


def told(outcome: Report | Known | NlpError) -> str:
    """What is to be compared of an outcome: for a staged one that it came, for an error its message."""
    return "ok" if isinstance(outcome, Known) else str(outcome)


def staged_run(folder: Path, *names: str, workers: int = 2, limits: Limits | None = None) -> list[tuple[str, str]]:
    """Name and outcome of everything that is found, names without the folder."""
    return [
        (found.name.removeprefix(f"{folder}/"), told(found.outcome).removeprefix(f"{found.name}：").split("，")[0])
        for _, every in read_apart(tasks(folder, *names), nothing, workers, staged, limits)
        for found in every
    ]


def mixed(folder: Path) -> list[FileTask]:
    """Reports, an archive with two, and files that cannot be read."""
    for year in range(2019, 2025):
        write_report(folder, "青禾县教育局", year)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("水利局.txt", report_text("蒲川县水利局", 2023))
        archive.writestr("../逃.txt", "x")
        archive.writestr("民政局.txt", report_text("蒲川县民政局", 2023))
    (folder / "年报.zip").write_bytes(packed.getvalue())
    (folder / "空.txt").touch()
    (folder / "旧的.doc").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    return [FileTask(path, Overrides(year=2020)) for path in sorted(folder.iterdir())]


def everything(found: Iterator[tuple[FileTask, Iterator[Found]]]) -> list[tuple[FileTask, str, object]]:
    return [
        (
            task,
            item.name,
            (type(item.outcome), str(item.outcome)) if isinstance(item.outcome, Exception) else item.outcome,
        )
        for task, every in found
        for item in every
    ]


# ------------------------------------------------------------------------------------------------------------- the files


def test_workers_find_what_this_process_finds_in_the_order_of_the_files(tmp_path: Path) -> None:
    wanted = mixed(tmp_path)
    here = everything(read_files(wanted, nothing, 0))
    assert everything(read_files(wanted, nothing, 2)) == here
    assert [task for task, _, _ in here] == [
        task for task in wanted for _ in range(3 if ".zip" in task.path.name else 1)
    ]
    outcomes = {name.removeprefix(f"{tmp_path}/"): outcome for _, name, outcome in here}
    assert sum(isinstance(outcome, Report) for outcome in outcomes.values()) == 8
    assert outcomes["空.txt"][0] is UnreadableFileError  # type: ignore[index]
    assert outcomes["旧的.doc"][0] is UnsupportedFormatError  # type: ignore[index]
    member = outcomes["年报.zip/民政局.txt"]
    assert isinstance(member, Report)
    assert (member.identity.department, member.identity.year) == ("蒲川县民政局", 2020)


def test_a_file_that_is_read_last_keeps_its_place(tmp_path: Path) -> None:
    assert staged_run(tmp_path, "last", "1", "2", "3") == [(f"{name}/0", "ok") for name in ("last", "1", "2", "3")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_its_path_held_before_is_not_parsed(tmp_path: Path) -> None:
    path, archive = tmp_path / "甲.txt", tmp_path / "乙.zip"
    data = report_text("青禾县教育局", 2024).encode()
    path.write_bytes(data)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("一.txt", data)
        packed.writestr("一.txt", data)
        packed.writestr("二.txt", data)
    rid = report_id(data, None)
    store = {
        str(path): {str(path): rid},
        str(archive): {f"{archive}/一.txt": rid, f"{archive}/二.txt": "another"},
    }
    found = [
        item.outcome
        for _, every in read_files([FileTask(path), FileTask(archive)], store.__getitem__)
        for item in every
    ]
    assert found[:2] == [Known(rid), Known(rid)]
    assert [item.id for item in found[2:] if isinstance(item, Report)] == [rid, rid]


def test_names_of_old_tools_are_decoded() -> None:
    name = b"/\xb2\xc6\xd5\xfe/\xe6\xb0\xb4.txt".decode("utf-8", "surrogateescape")
    assert printable(name) == "/财政/水.txt"


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_a_crash_costs_one_report_and_the_run_goes_on(tmp_path: Path) -> None:
    assert staged_run(tmp_path, "1", "crash", "a kill b", "4") == [
        ("1/0", "ok"),
        ("crash/0", "读取时进程意外终止（SIGABRT）"),
        ("a kill b/0", "ok"),
        ("a kill b/1", "读取时进程意外终止（SIGKILL）"),
        ("a kill b/2", "ok"),
        ("4/0", "ok"),
    ]


def test_a_report_that_takes_too_long_is_left(tmp_path: Path) -> None:
    assert staged_run(tmp_path, "1", "2 hang 2", "3", workers=1, limits=Limits(seconds=2)) == [
        ("1/0", "ok"),
        ("2 hang 2/0", "ok"),
        ("2 hang 2/1", "读取超过 2 秒"),
        ("2 hang 2/2", "ok"),
        ("3/0", "ok"),
    ]


def test_a_caller_who_takes_long_is_no_fault_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pipeline._Pool(tasks(tmp_path, "1", "big big", "3"), nothing, 1, staged, Limits())
    with closing(pool):
        found = pool.files()
        _, every = next(found)
        outcomes = [told(item.outcome) for item in every]
        (worker,) = pool._workers
        assert worker.pipe.poll(20)  # it has a megabyte to say, and nobody listens for a thousand seconds
        monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 1000))
        outcomes += [told(item.outcome) for _, every in found for item in every]
    assert [outcome[:2] for outcome in outcomes] == ["ok"] * 4


@POSIX
def test_a_report_that_wants_too_much_memory_is_left(tmp_path: Path) -> None:
    paths = [write_report(tmp_path, f"青禾县{name}", 2024) for name in ("教育局", "水利局", "民政局")]
    every = read_apart([FileTask(path) for path in paths], nothing, 1, greedy, Limits(memory=2 << 30))
    first, second, third = [item.outcome for _, found in every for item in found]
    assert isinstance(first, Report)
    assert isinstance(second, UnreadableFileError)
    assert "内存超过限额" in str(second)
    assert isinstance(third, Report)


@POSIX
def test_where_no_worker_can_live_files_are_read_here(tmp_path: Path) -> None:
    assert staged_run(tmp_path, "1", "2 2", workers=1, limits=Limits(memory=1 << 20)) == [
        ("1/0", "ok"),
        ("2 2/0", "ok"),
        ("2 2/1", "ok"),
    ]


def kinds(root: type[NlpError]) -> list[type[NlpError]]:
    return [root, *(kind for leaf in root.__subclasses__() for kind in kinds(leaf))]


@pytest.mark.parametrize("kind", [kind for kind in kinds(NlpError) if kind.__module__ == errors.__name__])
def test_every_error_goes_through_a_pipe(kind: type[NlpError]) -> None:
    near, far = multiprocessing.Pipe()
    with near, far:
        near.send([Found("甲.pdf", kind("甲.pdf：坏了"))])
        (found,) = far.recv()
    assert (found.name, type(found.outcome), str(found.outcome)) == ("甲.pdf", kind, "甲.pdf：坏了")


# --------------------------------------------------------------------------------------------------------------- bounds


def test_files_are_not_read_further_ahead_than_the_window(tmp_path: Path) -> None:
    names = [str(number) for number in range(12)]
    begun = []
    for taken, (_, every) in enumerate(read_apart(tasks(tmp_path, *names), nothing, 1, staged), 1):
        assert len(list(every)) == 1
        begun.append(len(list(tmp_path.glob("*.begun"))))
        assert begun[-1] <= taken - 1 + 4
    assert begun[-1] == 12


def test_an_archive_is_not_read_much_further_than_it_is_asked_for(tmp_path: Path) -> None:
    large = " ".join(["big"] * 40)
    with closing(read_apart(tasks(tmp_path, "archived", large), nothing, 2, staged)) as found:
        _, every = next(found)
        assert [told(item.outcome) for item in every] == ["ok"]  # waits until the archive's fifth is begun
        _, every = next(found)
        assert len(list(tmp_path.glob("big*.begun"))) <= 4 + 2  # kept, in the pipe, in the making
        assert len(list(every)) == 40


def test_a_worker_makes_way_after_some_files(tmp_path: Path) -> None:
    run = read_apart(tasks(tmp_path, *"12345"), nothing, 1, staged, Limits(files=2))
    pids = [item.outcome.id for _, every in run for item in every if isinstance(item.outcome, Known)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert len(set(pids)) == 3


def test_a_few_files_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_Pool", None)
    paths = [write_report(tmp_path, "青禾县教育局", year) for year in range(2018, 2025)]
    found = everything(read_files([FileTask(path) for path in paths], nothing))
    assert len(found) == 7
    assert all(isinstance(outcome, Report) for _, _, outcome in found)


@pytest.mark.parametrize(
    ("name", "data"), [("年报.docx", b"\n%PDF-1.7"), ("年报.ZIP", b"PK"), ("年报.txt", bytes(4 << 20))]
)
def test_what_may_crash_or_take_long_is_read_apart_even_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes
) -> None:
    begun: list[int] = []

    def apart(_: object, __: object, workers: int) -> Iterator[tuple[FileTask, Iterator[Found]]]:
        begun.append(workers)
        return iter(())

    monkeypatch.setattr(pipeline, "read_apart", apart)
    (tmp_path / name).write_bytes(data)
    assert everything(read_files([FileTask(tmp_path / name)], nothing)) == []
    assert begun[0] >= 1


def test_no_worker_is_left_behind(tmp_path: Path) -> None:
    found = read_apart(tasks(tmp_path, "1", "hang", "3"), nothing, 2, staged)
    _, every = next(found)
    assert next(every).name == f"{tmp_path}/1/0"
    assert len(multiprocessing.active_children()) == 2
    found.close()
    assert multiprocessing.active_children() == []


SCRIPT = """
import multiprocessing, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
from pathlib import Path
from test_pipeline import nothing, staged, tasks
from nlp.pipeline import read_apart
print("begun", flush=True)
for _, every in read_apart(tasks(Path(sys.argv[1]), "1", "hang", "3"), nothing, 2, staged):
    for found in every:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_a_script_without_a_guard_runs_once_and_control_c_ends_all(tmp_path: Path) -> None:
    script = tmp_path / "脚本.py"
    script.write_text(SCRIPT, "utf-8")
    places = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    with subprocess.Popen(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": places},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        pids = [int(pid) for pid in process.stdout.readline().split()]
        awaited(tmp_path / "hang-0.begun")
        os.killpg(process.pid, signal.SIGINT)
        try:
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert "begun" not in out
    assert err.count("Traceback") == 1
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
