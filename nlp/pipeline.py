"""Files read in processes of their own: one that crashes, hangs or eats memory stops itself, and the others go on.

Each worker has a pipe of its own and is only sent a file when it waits for one, so there is no lock that a dying process
could take with it, and it is always known which file it died of. Nothing here runs in a thread: workers are heard and
supplied whenever the next result is asked for, and read on while the caller is busy with the last one.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from nlp.errors import InvalidInputError, NlpError, UnreadableFileError
from nlp.identity import Overrides, merged, read_meta
from nlp.readers import Failure, Member, is_candidate, members
from nlp.reading import read_report, report_id
from nlp.records import Report

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_FEW: Final = 12  # files that are read sooner than workers are started
_LARGE: Final = 4 << 20  # bytes from which a file may take long
_HEAD: Final = 1024  # bytes in which a PDF says that it is one
_MOST: Final = 4  # workers; the encoder does not keep up with more
_WINDOW: Final = 4  # files a worker that are read ahead of the caller
_AHEAD: Final = 4  # reports of one archive that are kept before it is their turn
_STARTS: Final = 3  # workers in a row that die before they are ready: here no process can be started
_START_SECONDS: Final = 120.0
_PARTING_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to read, and what a person says of it."""

    path: Path
    overrides: Overrides | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A file that was not parsed, because its path held the same report before."""

    id: str


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a file, or of a member of an archive.

    Attributes:
        name: Its path, in an archive with the path inside; always text that can be printed.
        outcome: The report; or that it is the one that is known; or why there is none.
    """

    name: str
    outcome: Report | Known | NlpError


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may take.

    Attributes:
        seconds: For one report.
        memory: Bytes of address space of a worker; on Windows there is no such limit.
        files: After which a worker makes way for a fresh one; what parsers leave behind in memory goes with it.
    """

    seconds: float = 300.0
    memory: int = 4 << 30
    files: int = 500


# Yields the name of each report in a file before it reads it, then what it found; passes over so many at the beginning.
Reader = Callable[[FileTask, Mapping[str, str], int], Iterator["str | Found"]]


class _Sign(Enum):
    """What a worker says of itself."""

    READY = "ready"
    LEAVING = "leaving"


@dataclass(slots=True, eq=False)
class _File:
    """A file between being looked up and being handed on."""

    task: FileTask
    known: Mapping[str, str]
    found: deque[Found] = field(default_factory=deque)
    answered: int = 0  # reports of it that something was found of
    reading: str | None = None
    done: bool = False


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that reads; without a file it is starting or, once ready, waits for one."""

    process: SpawnProcess
    pipe: Connection[Any, Any]
    file: _File | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)  # it was last heard of


def read_files(
    tasks: Sequence[FileTask], known: Callable[[str], Mapping[str, str]], workers: int | None = None
) -> Generator[tuple[FileTask, Iterator[Found]], None, None]:
    """Yield each file with what is found in it, in the order given; to be closed when it is left early.

    However many files there are, only some of them are held. What is found in a file must be taken before the next file.

    Args:
        tasks: The files; their paths are absolute.
        known: The id of the report that each path at or under this one holds, as far as there is one.
        workers: How many processes read; by default as many as there are processors, none for a few files without risk.
    """
    if workers is None:
        workers = _processors() if len(tasks) >= _FEW or any(_risky(task.path) for task in tasks) else 0
    if workers == 0 or multiprocessing.current_process().daemon:  # a daemon may have no children
        for task in tasks:
            yield task, _read_here(read_file, task, known(printable(str(task.path))), 0)
    else:
        yield from read_apart(tasks, known, workers)


def _risky(path: Path) -> bool:
    """Return whether reading a file may crash or take long: parsers of PDF are not safe from what they read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return b"%PDF" in head or path.suffix.lower() == ".zip" or path.stat().st_size >= _LARGE
    except OSError:  # it is told when it is read
        return False


def files_at(path: Path) -> list[Path]:
    """Return the files to read at a path, in a steady order.

    Raises:
        InvalidInputError: If there is nothing at the path.
    """
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and is_candidate(file))
    if not path.exists():
        raise InvalidInputError(f"没有这个文件或文件夹：{path}；请检查路径")
    return [path]


def without_name(error: NlpError, name: str) -> str:
    """Return an error's message without the file's name in front, which stands beside it."""
    return re.sub(rf"^{re.escape(name)}[：:]\s*", "", str(error))


def read_apart(
    tasks: Sequence[FileTask],
    known: Callable[[str], Mapping[str, str]],
    workers: int,
    reader: Reader | None = None,
    limits: Limits | None = None,
) -> Generator[tuple[FileTask, Iterator[Found]], None, None]:
    """Yield what :func:`read_files` yields, read by so many processes with a reader that they can import."""
    pool = _Pool(tasks, known, workers, reader or read_file, limits or Limits())
    try:
        yield from pool.files()
    finally:
        pool.close()


def read_file(task: FileTask, known: Mapping[str, str], skip: int) -> Iterator[str | Found]:
    """Yield the name of each report in a file before it is read, then what it is; nothing is raised.

    Args:
        task: The file.
        known: Ids by name of what need not be parsed.
        skip: How many reports at its beginning are passed over.
    """
    unseen = dict(known)
    name = printable(str(task.path))
    try:
        for member in islice(members(task.path), skip, None):
            name = printable(member.name)
            yield name
            # An archive may hold two members of one name; what is known is known of the first.
            yield Found(name, _outcome(member, name, task.overrides, unseen.pop(name, None)))
    except Exception as error:  # noqa: BLE001  an archive that nobody foresaw stops itself, not the folder
        yield Found(name, _unforeseen(error, name))


def _outcome(
    member: Member | Failure, name: str, overrides: Overrides | None, known: str | None
) -> Report | Known | NlpError:
    if isinstance(member, Failure):
        return member.error
    try:
        said = _said(member, overrides)
        if known is not None and known == report_id(member.data, said):
            return Known(known)
        return read_report(member.data, name, said)
    except NlpError as error:
        return error
    except Exception as error:  # noqa: BLE001  a text that nobody foresaw stops itself, not the folder
        return _unforeseen(error, name)


def _said(member: Member, overrides: Overrides | None) -> Overrides | None:
    """Return what the ``meta.csv`` in a member's archive says of it, and for the rest what is said of the archive."""
    own = _read_meta(member.meta) if member.meta is not None else {}
    return merged(own.get(PurePosixPath(member.name).name), overrides)


_read_meta = lru_cache(maxsize=1)(read_meta)  # the members of a folder share one


def _unforeseen(error: Exception, name: str) -> UnreadableFileError:
    if isinstance(error, MemoryError):
        return UnreadableFileError(f"{name}：读取它需要的内存超过限额，已跳过；请拆分，或用原来的软件另存后再试")
    return UnreadableFileError(f"{name}：处理时出错（{type(error).__name__}: {error}），已跳过；请检查这个文件")


def _read_here(reader: Reader, task: FileTask, known: Mapping[str, str], skip: int) -> Iterator[Found]:
    return (found for found in reader(task, known, skip) if not isinstance(found, str))


# ------------------------------------------------------------------------------------------------------- in the parent


class _Pool:
    """Workers, the files that they read, and what they found, until it is asked for."""

    def __init__(
        self,
        tasks: Sequence[FileTask],
        known: Callable[[str], Mapping[str, str]],
        size: int,
        reader: Reader,
        limits: Limits,
    ) -> None:
        self._tasks = iter(tasks)
        self._known = known
        self._size = size
        self._reader = reader
        self._limits = limits
        self._window: deque[_File] = deque()  # in the order of the tasks, the one that is asked for first
        self._queue: deque[_File] = deque()  # those of them that no worker has
        self._workers: list[_Worker] = []
        self._stillborn = 0

    def files(self) -> Generator[tuple[FileTask, Iterator[Found]], None, None]:
        while True:
            self._supply()
            if not self._window:
                return
            file = self._window[0]
            found = self._results(file)
            yield file.task, found
            deque(found, maxlen=0)
            self._window.popleft()

    def close(self) -> None:
        """End the workers: those that wait leave by themselves, the others are killed; they have nothing to lose."""
        for worker in self._workers:
            if worker.ready:
                worker.pipe.close()
            else:
                worker.process.kill()
        for worker in self._workers:
            _bury(worker)

    def _results(self, file: _File) -> Iterator[Found]:
        while True:
            if file.found:
                found = file.found.popleft()
                self._turn(block=False)  # the caller will be busy for a while: until then nobody is supplied
                yield found
            elif file.done:
                return
            elif self._stillborn >= _STARTS and file in self._queue and all(worker.file for worker in self._workers):
                self._queue.remove(file)
                file.done = True
                yield from _read_here(self._reader, file.task, file.known, file.answered)
            else:
                self._turn(block=True)

    def _turn(self, *, block: bool) -> None:
        """Hear what workers have to say, part with those that are overdue, and give the others something to do."""
        self._supply()
        # A worker whose archive is far ahead of its turn is not heard: it waits for its pipe to be emptied.
        heard = [
            worker
            for worker in self._workers
            if not worker.ready and (worker.file is None or len(worker.file.found) < _AHEAD)
        ]
        patience = max(0.0, min(map(self._deadline, heard), default=0.0) - time.monotonic()) if block else 0.0
        speaking = wait([worker.pipe for worker in heard], patience) if heard else []
        now = time.monotonic()
        for worker in heard:
            if worker.pipe in speaking:
                self._hear(worker)
            elif now >= self._deadline(worker):
                # Only silence counts: who has something to say may have waited for us.
                worker.process.kill()
                self._lose(worker, f"读取超过 {self._limits.seconds:g} 秒，已跳过；请拆分，或用原来的软件另存后再试")
        self._supply()

    def _deadline(self, worker: _Worker) -> float:
        return worker.since + (_START_SECONDS if worker.file is None else self._limits.seconds)

    def _hear(self, worker: _Worker) -> None:
        try:
            # What comes was pickled by a process that this one started, from this same code; no file is loaded.
            said: list[str | Found | _Sign] = worker.pipe.recv()
        except (EOFError, OSError):
            self._lose(worker, None)
            return
        worker.since = time.monotonic()
        for item in said:
            if isinstance(item, _Sign):
                self._stillborn = 0
                if worker.file is not None:
                    worker.file.done = True
                worker.file, worker.ready = None, True
                if item is _Sign.LEAVING:
                    self._lose(worker, None)
            elif worker.file is not None:
                _answer(worker.file, item)

    def _lose(self, worker: _Worker, why: str | None) -> None:
        """Part with a worker, and say of what it died, if of something; the rest of its archive is for another one."""
        self._workers.remove(worker)
        if worker.ready:
            worker.pipe.close()
        _bury(worker)
        file = worker.file
        if file is None:
            self._stillborn += not worker.ready
            return
        name = file.reading or printable(str(file.task.path))
        why = (
            why
            or f"读取时进程意外终止（{_cause(worker)}），可能文件已损坏或内存不足，已跳过；请用原来的软件打开并另存后再试"
        )
        file.done = file.reading is None
        _answer(file, Found(name, UnreadableFileError(f"{name}：{why}")))
        if not file.done:
            self._queue.appendleft(file)

    def _supply(self) -> None:
        """Look up files as far as the window goes, start workers that are wanted, and hand out files to those that wait."""
        for task in islice(self._tasks, self._size * _WINDOW - len(self._window)):
            file = _File(task, self._known(printable(str(task.path))))
            self._window.append(file)
            self._queue.append(file)
        free = sum(worker.file is None for worker in self._workers)
        for _ in range(min(self._size - len(self._workers), len(self._queue) - free)):
            if self._stillborn < _STARTS:
                self._start()
        for worker in [worker for worker in self._workers if worker.ready]:
            if not self._queue:
                return
            file = self._queue[0]
            try:
                worker.pipe.send((file.task, file.known, file.answered))
            except OSError:  # it died while it waited, of no file
                self._lose(worker, None)
                continue
            worker.file, worker.ready, worker.since = self._queue.popleft(), False, time.monotonic()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._reader, self._limits), daemon=True)
        try:
            with _program_left_out(), _interrupts_held():
                process.start()
        except OSError:
            ours.close()
            self._stillborn += 1
        else:
            self._workers.append(_Worker(process, ours))
        finally:
            theirs.close()


def _answer(file: _File, item: str | Found) -> None:
    if isinstance(item, str):
        file.reading = item
    else:
        file.reading = None
        file.answered += 1
        file.found.append(item)


def _bury(worker: _Worker) -> None:
    worker.process.join(_PARTING_SECONDS)
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _cause(worker: _Worker) -> str:
    code = worker.process.exitcode or 0
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"退出码 {code}"


@contextmanager
def _program_left_out() -> Iterator[None]:
    """Start processes that do not import the program: a script without a guard would run once more in each of them."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes to which Ctrl-C says nothing, from their first moment on; this process hears of it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # when it starts its own process it lets them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _processors() -> int:
    """Return how many workers this machine is good for."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MOST)


# --------------------------------------------------------------------------------------------------------- in a worker


def _serve(pipe: Connection[Any, Any], reader: Reader, limits: Limits) -> None:
    """Read the files that come through the pipe until it is closed or there were many.

    One message goes with the name of each report and one at the end of a file: what was found before goes along, so that
    whoever hears of the last report of a file hears at once that the worker is free.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when it is over
    _limit_memory(limits.memory)
    said: list[str | Found | _Sign] = [_Sign.READY]
    with suppress(EOFError, OSError, MemoryError):  # the parent is gone, or it sees that we are
        pipe.send(said)
        for left in reversed(range(limits.files)):
            said = []
            for item in reader(*pipe.recv()):
                said.append(item)
                if isinstance(item, str):
                    pipe.send(said)
                    said = []
            pipe.send([*said, _Sign.READY if left else _Sign.LEAVING])


def _limit_memory(size: int) -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  Windows has none

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError, OSError):  # macOS knows the limit, but may not take it
        resource.setrlimit(resource.RLIMIT_AS, (size if most == resource.RLIM_INFINITY else min(size, most), most))


# --------------------------------------------------------------------------------------------------------------- names


def printable(name: str) -> str:
    """Return a path with the bytes decoded that are no UTF-8: old Chinese tools write names in GBK."""
    return "/".join(_decoded(part.encode("utf-8", "surrogateescape")) for part in name.split("/"))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")
