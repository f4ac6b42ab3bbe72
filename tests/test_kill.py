"""A process that is killed anywhere, and run again, leaves the library that it would have left undisturbed.

The killed processes are real and get a real SIGKILL: at a random moment, before a random SQL statement, or at a named
step. Only the encoder is a stand-in. ``JIXIAO_KILLS`` sets the number of kills.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import pytest
from conftest import StandIn, write_report

from nlp import analyst as room
from nlp.library import Library
from nlp.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

KILLS = int(os.environ.get("JIXIAO_KILLS", "50"))
SUBJECTS = ("支出进度", "政府采购", "固定资产", "绩效指标", "往来款项", "项目储备", "合同管理", "专项资金", "评价结果")
FAULTS = ("管理不够规范，存在漏洞。", "推进偏慢，年底才集中办理。", "责任不清，台账不全。", "测算依据不足，调整频繁。")
CURES = ("完善制度，明确岗位责任。", "按月通报，及时收回滞后额度。")
STEPS = (
    "nlp.library:Library._remember_encoder",
    "nlp.store:Store._create",
    "nlp.store:Store._insert_report",
    "nlp.store:Store._insert_vectors",
    "nlp.store:Store._insert_passage",
    "nlp.store:Store._insert_links",
    "nlp.store:Store._seal",
    "nlp.store:Store._point_source",
    "nlp.store:Store._delete_report",
    "nlp.store:Store._drop_unused",
    "nlp.store:Store._changed",
    "nlp.index:VectorIndex.save",
    "nlp.index:_written",
    "nlp.index:_sha256",
    "nlp.index:_note_down",
    "nlp.index:_clear",
    "pathlib:Path.unlink",
    "pathlib:Path.replace",
)

# How often a step comes in one ingest: the call at which a process dies is drawn from 1 to this.
CALLS = {"sql": 700, "nlp.store:Store._insert_passage": 70, "nlp.store:Store._seal": 10, "nlp.store:Store._create": 1}


def findings(seed: int, count: int = 6) -> list[str]:
    source = random.Random(seed)
    pairs = list(itertools.product(SUBJECTS, FAULTS))
    return [subject + fault for subject, fault in source.sample(pairs, count)]


def cures(seed: int) -> list[str]:
    source = random.Random(seed)
    return [f"{subject}方面，{source.choice(CURES)}" for subject in source.sample(SUBJECTS, 3)]


class Nursery:
    """A process with everything loaded, from which the processes that ingest are forked at once."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, there = spawn.Pipe()
        self._process = spawn.Process(target=nurse, args=(there,))
        self._process.start()
        assert self._pipe.recv() == "ready"

    def ingest(self, library: Path, reports: Path, at: tuple[str, int] | None, patience: float | None = None) -> int:
        """Run an ingest in a process of its own; return its exit code. It is killed when patience (seconds) is at an end."""
        self._pipe.send((library, reports, at))
        pid = self._pipe.recv()
        if not self._pipe.poll(patience):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return int(self._pipe.recv())

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join()


def nurse(pipe: Connection) -> None:
    words_of("支出进度")  # loads the dictionary, which takes longer than all the rest
    pipe.send("ready")
    fork = multiprocessing.get_context("fork")
    while (request := pipe.recv()) is not None:
        child = fork.Process(target=work, args=request)
        child.start()
        pipe.send(child.pid)
        child.join()
        pipe.send(child.exitcode)


def work(library: Path, reports: Path, at: tuple[str, int] | None) -> None:
    setattr(room, "open_encoder", lambda _: StandIn())  # noqa: B010  mypy takes a plain assignment for a mistake
    if at is not None:
        arm(*at)
    with Library.open(library) as opened:
        result = opened.ingest(reports)
    assert result.failed == ()


@dataclass(frozen=True)
class World:
    """Where the reports lie that are taken in, and libraries of what they were and of what they are now.

    Attributes:
        seconds: How long an ingest takes when nothing disturbs it.
    """

    home: Path
    nursery: Nursery
    seconds: float

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    def lay(self, version: str) -> None:
        """Put the old or the new reports in their place."""
        shutil.rmtree(self.reports, ignore_errors=True)
        shutil.copytree(self.home / version, self.reports)

    def take_in(self, library: Path) -> None:
        assert self.nursery.ingest(library, self.reports, None) == 0

    def kill(self, library: Path, how: str, source: random.Random) -> bool:
        """Run an ingest that is killed; return whether the kill came before its end."""
        if how == "moment":
            code = self.nursery.ingest(library, self.reports, None, source.uniform(0, self.seconds))
        else:
            code = self.nursery.ingest(library, self.reports, (how, source.randint(1, CALLS.get(how, 2))))
        assert code in {0, -signal.SIGKILL}
        return code != 0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("kills")
    for place in range(8):
        write_report(home / "old", f"青禾县第{place}局", 2024, findings(place), cures(place))
    shutil.copytree(home / "old", home / "new")
    write_report(home / "new", "青禾县第1局", 2024, [*findings(1)[:3], *findings(91)[:3]], cures(1))
    write_report(home / "new", "青禾县第3局", 2024, findings(93), cures(3))
    write_report(home / "new", "青禾县第8局", 2024, findings(8), cures(8))
    shutil.copy(
        home / "new" / "青禾县第0局2024年度绩效自评报告.txt", home / "new" / "青禾县第5局2024年度绩效自评报告.txt"
    )
    nursery = Nursery()
    made = World(home, nursery, 0.0)
    made.lay("old")
    begun = time.monotonic()
    made.take_in(home / "old library")
    made = replace(made, seconds=time.monotonic() - begun)
    made.lay("new")
    shutil.copytree(home / "old library", home / "new library")
    made.take_in(home / "new library")
    yield made
    nursery.close()


def arm(step: str, count: int) -> None:
    """Kill this process at the given call of a step, or before the given SQL statement."""
    left = itertools.count(count - 1, -1)

    def die_in_time(*_: object) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if step == "sql":
        connect = sqlite3.connect

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(die_in_time)
            return connection

        setattr(sqlite3, "connect", traced)  # noqa: B010  as above
        return
    owner_name, _, name = step.replace(":", ".").rpartition(".")
    owner = resolve_name(owner_name)
    original: Callable[..., Any] = getattr(owner, name)

    def deadly(*arguments: Any, **options: Any) -> Any:
        die_in_time()
        return original(*arguments, **options)

    setattr(owner, name, deadly)


def dump(library: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that a library holds, the words' own tables of the full-text index excepted."""
    with closing(sqlite3.connect(library / "library.sqlite")) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in names if not name.startswith(("words", "sqlite_"))]
        assert {"reports", "passages", "vectors", "topics", "links", "sources", "meta", "sections"} <= set(tables)
        found = {name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in tables}  # noqa: S608  our names
        found["words"] = db.execute("SELECT rowid, terms FROM words ORDER BY rowid").fetchall()
        return found


def problems(library: Path) -> tuple[str, ...]:
    with Library.open(library, create=False) as opened:
        return opened.verify()


def test_killed_and_run_again_it_is_the_same_library(world: World, tmp_path: Path) -> None:
    source = random.Random(20241121)
    wanted = {version: dump(world.home / f"{version} library") for version in ("old", "new")}
    assert wanted["old"] != wanted["new"]
    steps = source.sample(STEPS, len(STEPS))
    kills = 0
    for attempt in itertools.count():
        if kills >= KILLS:
            break
        version = ("old", "new")[attempt % 2]
        library = tmp_path / str(attempt)
        if version == "new":
            shutil.copytree(world.home / "old library", library)
        world.lay(version)
        how = ("moment", "sql", steps[attempt % len(steps)])[attempt % 3]
        for _ in range(1 + attempt % 3):  # some runs are killed again on their second and third try
            kills += world.kill(library, how, source)
        world.take_in(library)
        assert dump(library) == wanted[version], (attempt, how)
        assert problems(library) == (), (attempt, how)
        assert sorted(path.name for path in library.iterdir()) == ["index", "library.lock", "library.sqlite"]
        assert {path.name.partition("-")[0] for path in (library / "index").iterdir()} == {
            "keys",
            "note.json",
            "vectors",
        }
        shutil.rmtree(library)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_what_was_committed_is_whole(world: World, tmp_path: Path, step: str) -> None:
    """Before it is run again, a library is sound already but for its index."""
    library = tmp_path / "library"
    if not step.endswith(("_create", "_remember_encoder")):
        shutil.copytree(world.home / "old library", library)
    world.lay("new")
    assert world.nursery.ingest(library, world.reports, (step, 1)) == -signal.SIGKILL
    stale = ("向量索引缺失、损坏或不是最新；请运行 jixiao library rebuild",)
    with Library.open(library) as opened:
        assert opened.verify() in {(), stale}
    world.take_in(library)
    assert problems(library) == ()
