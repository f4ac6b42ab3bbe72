"""How fast everything is, beside others, in one run: encoding, tagging, files to searchable, searches, start-up, memory.

``make bench`` writes ``benchmarks/speed.json`` with machine, commit and versions and ``benchmarks/speed.png``, and prints the
tables of ``benchmarks/README.md``. Ours and theirs take turns, round by round, so that a noisy machine hits both; each number
is the median over the rounds, and a ratio is one of two medians of the same run. The texts are the project's own demo reports.

``python benchmarks/speed.py --peers PYTHON --sizes 10000 100000 1000000 --files 20000`` is the long run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from search import as_row, read_queries
from speed_peers import BLOCK, FINDERS, TOP, Finder, Keys, Matrix, Scene, megabytes, orders_for, serve
from where import ROOT, where

from nlp import Library
from nlp.analyst import Analyst
from nlp.encoder import FolderEncoder, open_encoder
from nlp.index import VectorIndex
from nlp.records import StoredPassage
from nlp.review import path_of
from nlp.tagger import Sample, core

REPORTS = ROOT / "corpora" / "reports"
HERE = Path(__file__).resolve().parent
RESULT, CHART = HERE / "speed.json", HERE / "speed.png"
OURS = "jixiao"
BATCHES = (16, 32, 64)
DEPARTMENTS, YEARS, QUERIES = 200, range(2015, 2025), 60
ABREAST = 200_000  # vectors; beyond, one index after the other, since all of them would fill the memory
FEW_FILES = 2000
# Okabe and Ito's palette, which people with any of the common colour deficiencies can tell apart.
COLOURS = ("#0072B2", "#999999", "#E69F00", "#009E73", "#D55E00")
MARKS = ("o", "s", "^", "D", "v")
Row = dict[str, Any]

# Started anew by a small process: a child's peak of memory is told together with what it was forked from.
STARTER = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
print(json.dumps({"seconds": seconds, "peak_mb": peak}))
"""


class PeerError(RuntimeError):
    """A process that was talked with has ended."""


class Talk:
    """A process that does what it is told; an order and an answer are a line of JSON each, see ``speed_peers.py``."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input, upon which it ends

    def tell(self, do: str, **said: Any) -> Row:
        """Return the answer to an order.

        Raises:
            PeerError: If the process has ended instead; what it said of that stands on the screen.
        """
        order = json.dumps({"do": do, **said})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(order, file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"{order}: no answer, ended with {self._process.wait()}")
        answer: Row = json.loads(line)
        return answer


def take_turns(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each work says or takes, each done once a round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            seconds[name].append(round(work(), 4))
        print(f"round {number + 1}/{rounds}:", {name: own[-1] for name, own in seconds.items()}, file=sys.stderr)
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rates(seconds: Mapping[str, list[float]], count: int) -> Row:
    """Return for each work the passages a second at the median, and the seconds of all rounds."""
    return {
        name: {"passages_per_second": round(count / statistics.median(own), 1), "seconds": own}
        for name, own in seconds.items()
    }


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Return by which power of the size a cost grows, least squares on log-log; nothing where there is one size only.

    >>> slope([10, 100, 1000], [3, 30, 300]), slope([10], [3])
    (1.0, None)
    """
    if len(sizes) < 2 or min(costs) <= 0:
        return None
    return round(float(np.polyfit(np.log(sizes), np.log(costs), 1)[0]), 2)


def apart(work: Callable[..., Row], *given: object) -> Row:
    """Return what a function returns in a process of its own, whose memory nothing else has touched."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


# ----------------------------------------------------------------------------------------------------------------- the texts


@dataclass(frozen=True)
class Demo:
    """The demo reports in a library.

    Attributes:
        vectors: Of each passage, as the library has them; ``(n_passages, dims)``.
    """

    library: Path
    passages: tuple[StoredPassage, ...]
    vectors: Matrix
    encoder: FolderEncoder

    @classmethod
    def make(cls, folder: Path) -> Demo:
        """Return the reports, taken into a new library."""
        with Library.open(folder) as library:
            library.ingest(REPORTS)
            found = [item for card in library.info().cards for item in library.passages_of(card.id)]
        encoder = open_encoder()
        return cls(folder, tuple(found), encoder.encode([core(item.passage.text) for item in found]), encoder)

    @property
    def texts(self) -> list[str]:
        """The texts of the passages, in their order."""
        return [item.passage.text for item in self.passages]


def under_torch() -> FolderEncoder:
    """Return our encoder as it runs where OpenVINO is missing."""
    encoder = open_encoder()
    with patch("nlp.runtime._openvino", side_effect=ImportError):
        encoder.load()
    return encoder


def measure_texts(demo: Demo, peers: Talk | None, scratch: Path, rounds: int) -> Row:
    """Return encoding, tagging and the whole path, ours beside theirs."""
    fallback, theirs = under_torch(), {}
    works: dict[str, Callable[[], float]] = {
        OURS: lambda: timed(lambda: demo.encoder.encode(demo.texts)),
        f"{OURS}, without OpenVINO": lambda: timed(lambda: fallback.encode(demo.texts)),
    }
    if peers:
        theirs = {f"sentence-transformers, batches of {size}": size for size in BATCHES}
        works |= {name: partial(_seconds, peers, "encode", batch=size) for name, size in theirs.items()}
        # Ours runs in what the processor is quickest in; theirs as it comes is in f32. Told, and not part of the ratio.
        half = partial(_seconds, peers, "encode", batch=32, precision="bf16")
        works["sentence-transformers in bf16, batches of 32"] = half
    seconds = take_turns(works, rounds)
    count = len(demo.passages)
    cosines = (demo.encoder.encode(demo.texts) * fallback.encode(demo.texts)).sum(axis=1)
    best = min(theirs, key=lambda name: statistics.median(seconds[name]), default=None)
    return {
        "passages": count,
        "encoding": {
            **rates(seconds, count),
            "least cosine to torch": round(float(cosines.min()), 6),
            "best of theirs": best,
            "ratio": ratio(seconds, best),
        },
        "tagging": measure_tagger(demo, rounds),
        "whole path": measure_whole(peers, scratch, rounds, count, theirs[best] if best else 32),
    }


def ratio(seconds: Mapping[str, list[float]], other: str | None) -> float | None:
    """Return how many times ours is as fast as another, medians of the same rounds."""
    if other is None:
        return None
    return round(statistics.median(seconds[other]) / statistics.median(seconds[OURS]), 2)


def _seconds(peers: Talk, do: str, **said: Any) -> float:
    return float(peers.tell(do, **said)["seconds"])


def measure_tagger(demo: Demo, rounds: int) -> Row:
    """Return how fast passages with ready vectors get role and topics."""
    tagger = Analyst().tagger
    samples = [Sample(item.passage.text, path_of(item.passage)) for item in demo.passages]
    tagger.predict(samples[:1], demo.vectors[:1])
    seconds = take_turns({OURS: lambda: timed(lambda: tagger.predict(samples, demo.vectors))}, rounds)
    return rates(seconds, len(samples))


def measure_whole(peers: Talk | None, scratch: Path, rounds: int, count: int, batch: int) -> Row:
    """Return how fast files become a searchable library, beside txtai's index of the same passages.

    Ours reads the files, cuts, tags and links; theirs gets the texts as we cut them and has nothing to read. Both start from
    nothing, models included; the libraries are imported already. Theirs stays in memory, ours ends on the disk.
    """
    libraries = iter(range(rounds))

    def ingest() -> None:
        with Library.open(scratch / f"whole-{next(libraries)}") as library:
            library.ingest(REPORTS)

    works: dict[str, Callable[[], float]] = {OURS: lambda: timed(ingest)}
    if peers:
        works["txtai"] = partial(_seconds, peers, "txtai", batch=batch)
    seconds = take_turns(works, rounds)
    suffixes = [path.suffix for path in REPORTS.rglob("*") if path.is_file() and path.suffix != ".csv"]
    return {
        "files": {suffix: suffixes.count(suffix) for suffix in sorted(set(suffixes))},
        **rates(seconds, count),
        "ratio": ratio(seconds, "txtai" if peers else None),
    }


# --------------------------------------------------------------------------------------------------------------- the searches


class Ours:
    """Our index as a library uses it, saved to the disk as there."""

    def build(self, scene: Scene) -> None:
        self._scene = scene
        self._folder = tempfile.TemporaryDirectory(dir=scene.folder)
        chunks = ((np.arange(start, start + len(block)), block) for start, block in scene.blocks())
        self._index = VectorIndex.save(Path(self._folder.name) / "index", chunks, scene.queries.shape[1], 0)

    def find(self, query: Matrix) -> Sequence[int]:
        return self._found(query, None)

    def find_within(self, query: Matrix, department: int, year: int) -> Sequence[int]:
        return self._found(query, self._scene.within(department, year))

    def _found(self, query: Matrix, allowed: Keys | None) -> Sequence[int]:
        keys, _ = self._index.search(query, TOP, allowed)
        found: list[int] = keys.tolist()
        return found


def write_scene(demo: Demo, folder: Path, sizes: Sequence[int]) -> None:
    """Write vectors of the demo passages, turned at random so that no two are the same, with departments and years.

    Every query is narrowed to department and year of some passage, so that each has an answer.
    """
    chance = np.random.default_rng(0)
    most, dims = max(sizes), demo.vectors.shape[1]
    folder.mkdir()
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (most, dims))
    for start in range(0, most, BLOCK):
        rows = demo.vectors[chance.integers(0, len(demo.vectors), min(BLOCK, most - start))]
        turned = rows + 0.3 * chance.normal(size=rows.shape) / np.sqrt(dims)
        vectors[start : start + len(rows)] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    departments = chance.integers(0, DEPARTMENTS, most)
    years = chance.integers(YEARS.start, YEARS.stop, most)
    texts = [query["text"] for query in read_queries()][:QUERIES]
    queries = np.stack([demo.encoder.encode_query(core(text)) for text in texts])
    places = chance.integers(0, min(sizes), len(queries))
    asked = np.stack([departments[places], years[places]], axis=1)
    arrays: dict[str, NDArray[Any]] = {"departments": departments, "years": years, "queries": queries, "asked": asked}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    for size in sizes:
        within = [(departments[:size] == department) & (years[:size] == year) for department, year in asked]
        keys = [np.flatnonzero(own) for own in within]
        best = [_best(vectors[own] @ query, own) for own, query in zip(keys, queries, strict=True)]
        np.save(folder / f"best-{size}.npy", _best_of_all(vectors[:size], queries))
        np.save(folder / f"best_within-{size}.npy", np.stack(best))


def _best(scores: NDArray[np.floating[Any]], keys: Keys) -> Keys:
    """Return the keys of the best ten, filled up with -1."""
    best = keys[np.argsort(-scores, kind="stable")[:TOP]]
    return np.pad(best, (0, TOP - len(best)), constant_values=-1)


def _best_of_all(vectors: Matrix, queries: Matrix) -> Keys:
    """Return for each query the keys of the nearest ten, by brute force."""
    scores = np.concatenate([vectors[start : start + BLOCK] @ queries.T for start in range(0, len(vectors), BLOCK)])
    every = np.arange(len(vectors))
    return np.stack([_best(own, every) for own in scores.T])


def measure_index(python: Path | None, scene: Path, sizes: Sequence[int], rounds: int) -> list[Row]:
    """Return a row for each index and size: ready vectors in, nearest passages out; ours first."""
    commands: dict[str, tuple[str | Path, ...]] = {OURS: (sys.executable, Path(__file__), "--serve", scene)}
    if python:
        commands |= {name: (python, HERE / "speed_peers.py", name, scene) for name in FINDERS}
    found = []
    for size in sizes:
        together = [list(commands)] if size <= ABREAST else [[name] for name in commands]
        for names in together:
            found += _index_rows({name: (*commands[name], str(size)) for name in names}, size, rounds)
    return found


def _index_rows(commands: Mapping[str, tuple[str | Path, ...]], size: int, rounds: int) -> list[Row]:
    """Return the rows of indexes that take turns; one that fails says so in its row, and the others go on."""
    rows: dict[str, Row] = {name: {"name": name, "size": size} for name in commands}
    with ExitStack() as stack:
        talks = {name: stack.enter_context(Talk(*command)) for name, command in commands.items()}
        answers: dict[str, list[Row]] = {name: [] for name in talks}
        for order in ("build", *["ask"] * rounds, "memory"):
            for name, talk in talks.items():
                if "failed" not in rows[name]:
                    _listen(talk, order, rows[name], answers[name])
    for name, own in answers.items():
        if "failed" not in rows[name]:
            rows[name] |= {key: round(statistics.median(row[key] for row in own), 4) for key in own[0]}
            rows[name]["p50_ms of each round"] = [round(row["p50_ms"], 4) for row in own]
        print(rows[name], file=sys.stderr)
    return list(rows.values())


def _listen(talk: Talk, order: str, row: Row, answers: list[Row]) -> None:
    """Have an order done and keep the answer: each round's for itself, the rest in the row."""
    try:
        answer = talk.tell(order)
    except PeerError as error:
        row["failed"] = str(error)
        return
    if order == "ask":
        answers.append(answer)
    else:
        row |= {key: round(value, 3) for key, value in answer.items()}


# ------------------------------------------------------------------------------------------------------- start-up and memory


def measure_start(library: Path, rounds: int) -> Row:
    """Return seconds and peak memory of commands in a new process; their files lie in the system's cache after the first."""
    command = Path(sys.executable).with_name("jixiao")
    asked: dict[str, list[str | Path]] = {
        "jixiao --help": [command, "--help"],
        "jixiao search": [command, "search", "资金闲置", "--library", library],
    }
    started = [{name: _started(own) for name, own in asked.items()} for _ in range(rounds)]
    return {
        name: {
            "seconds": round(statistics.median(row[name]["seconds"] for row in started), 3),
            "peak_mb": round(statistics.median(row[name]["peak_mb"] for row in started), 1),
        }
        for name in asked
    }


def _started(command: Sequence[str | Path]) -> Row:
    done = subprocess.run([sys.executable, "-c", STARTER, *command], check=True, capture_output=True, encoding="utf-8")
    row: Row = json.loads(done.stdout)
    return row


def write_files(demo: Demo, folder: Path, count: int) -> None:
    """Write small reports out of passages of the demo reports, each with texts of its own."""
    chance = np.random.default_rng(0)
    texts = [" ".join(text.split()) for text in demo.texts if len(text) <= 400]
    folder.mkdir()
    for number in range(count):
        first, second = (chance.integers(0, len(texts), 4) for _ in range(2))
        said = [
            f"{texts[one]}{texts[other][: len(texts[one]) // 2]}，涉及资金{number}.{place}万元。"
            for place, (one, other) in enumerate(zip(first, second, strict=True))
        ]
        year = YEARS[number // DEPARTMENTS % len(YEARS)]
        title = f"青禾县第{number % DEPARTMENTS}号局{year}年度部门整体支出绩效自评报告"
        lines = [
            title,
            "一、存在的主要问题",
            *(f"（{mark}）{text}" for mark, text in zip("一二", said[:2], strict=True)),
            "二、下一步改进措施",
            *(f"（{mark}）{text}" for mark, text in zip("一二", said[2:], strict=True)),
        ]
        (folder / f"{number:06}-{title}.txt").write_text("\n".join(lines) + "\n", "utf-8")


def ingest_some(files: Path, count: int, library: Path) -> Row:
    """Return what it takes to ingest the first so many files into a new library, once the models are loaded."""
    chosen = sorted(files.iterdir())[:count]
    with Library.open(library) as opened:
        opened.ingest(chosen[0])
        began = time.perf_counter()
        result = opened.ingest(*chosen)
        seconds = time.perf_counter() - began
        return {
            "files": result.reports,
            "passages": result.passages,
            "seconds": round(seconds, 1),
            "rss_mb": megabytes("VmRSS"),
            "peak_mb": megabytes("VmHWM"),
            "failed": len(result.failed),
        }


def measure_memory(demo: Demo, scratch: Path, files: int) -> list[Row]:
    """Return memory and time of ingesting ever more files, each time in a new process."""
    write_files(demo, scratch / "files", files)
    counts = sorted({files // 4, files // 2, files, *([FEW_FILES] if files > FEW_FILES else [])})
    rows = []
    for count in counts:
        rows.append(apart(ingest_some, scratch / "files", count, scratch / f"files-{count}"))
        print(rows[-1], file=sys.stderr)
    return rows


# ----------------------------------------------------------------------------------------------------------- what is handed out


def slopes(found: Row) -> Row:
    """Return how costs grow: by which power of the number of vectors or of passages."""
    sound = [row for row in found["search"] if "failed" not in row]
    names = list(dict.fromkeys(row["name"] for row in sound))
    own = {name: [row for row in sound if row["name"] == name] for name in names}
    kinds = {"search": "p50_ms", "search within": "within_p50_ms", "index build": "build_seconds"}
    memory = found["memory"]
    return {
        **{
            kind: {name: slope([row["size"] for row in rows], [row[key] for row in rows]) for name, rows in own.items()}
            for kind, key in kinds.items()
        },
        "ingest": slope([row["passages"] for row in memory], [row["seconds"] for row in memory]),
        "ingest peak memory": slope([row["passages"] for row in memory], [row["peak_mb"] for row in memory]),
    }


def table(found: Row) -> str:
    """Return the tables of the README."""
    lines = ["| texts | passages a second |", "|---|---|"]
    for title in ("encoding", "tagging", "whole path"):
        timed_ones = {name: row for name, row in found[title].items() if isinstance(row, dict) and "seconds" in row}
        lines += [f"| {title}: {name} | {row['passages_per_second']} |" for name, row in timed_ones.items()]
    lines += [
        f"| encoding: times as fast as {found['encoding']['best of theirs']} | {found['encoding']['ratio']} |",
        f"| whole path: times as fast as txtai | {found['whole path']['ratio']} |",
        f"| encoding: least cosine to torch | {found['encoding']['least cosine to torch']} |",
        "",
        "| index | vectors | build s | p50 ms | recall@10 | one department, one year ms | recall@10 | empty | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["search"]:
        first = f"| {row['name']} | {row['size']:,} |"
        if "failed" in row:
            lines.append(f"{first} {row['failed']} | | | | | | |")
            continue
        lines.append(
            f"{first} {row['build_seconds']:.1f} | {row['p50_ms']:.2f} | {row['recall']:.3f} | {row['within_p50_ms']:.2f} "
            f"| {row['within_recall']:.3f} | {row['empty_within']:.0f} | {row['peak_mb']:.0f} |"
        )
    lines += ["", "| start | seconds | peak MB |", "|---|---|---|"]
    lines += [f"| `{name}` | {row['seconds']} | {row['peak_mb']} |" for name, row in found["start"].items()]
    lines += ["", "| files | passages | seconds | memory after, MB | peak MB |", "|---|---|---|---|---|"]
    for row in found["memory"]:
        lines.append(
            f"| {row['files']:,} | {row['passages']:,} | {row['seconds']} | {row['rss_mb']:.0f} | {row['peak_mb']:.0f} |"
        )
    lines += ["", "| cost grows with size to the power of | |", "|---|---|"]
    for kind, value in found["slopes"].items():
        each = {f"{kind}: {name}": own for name, own in value.items()} if isinstance(value, dict) else {kind: value}
        lines += [f"| {name} | {own} |" for name, own in each.items()]
    return "\n".join(lines)


def draw(found: Row, path: Path) -> None:
    """Draw encoding, whole path, searches and ingest."""
    import matplotlib as mpl  # noqa: PLC0415 -- processes that measure memory read this file too
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 4.8), dpi=200, layout="constrained")
        (bars, whole), (search, ingest) = figure.subplots(2, 2)
        best = found["encoding"]["best of theirs"]
        _bars(bars, found["encoding"], [OURS, f"{OURS}, without OpenVINO", *([best] if best else [])], "encoding")
        _bars(
            whole, found["whole path"], [name for name in (OURS, "txtai") if name in found["whole path"]], "whole path"
        )
        _searches(search, found["search"])
        memory = found["memory"]
        ingest.loglog([r["passages"] for r in memory], [r["seconds"] for r in memory], "o-", color=COLOURS[0])
        _ticks(ingest, [r["passages"] for r in memory])
        ingest.set_xlabel("passages ingested")
        ingest.set_ylabel("seconds")
        figure.savefig(path)


def _bars(axes: Any, rows: Row, names: Sequence[str], title: str) -> None:
    values = [rows[name]["passages_per_second"] for name in names]
    drawn = axes.barh([name.replace(", ", "\n") for name in names], values, color=COLOURS[: len(names)])
    axes.bar_label(drawn, fmt="%.0f", padding=2)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel(f"{title}, passages a second")


def _searches(axes: Any, rows: Sequence[Row]) -> None:
    sound = [row for row in rows if "failed" not in row]
    for place, name in enumerate(dict.fromkeys(row["name"] for row in sound)):
        own = [row for row in sound if row["name"] == name]
        for key, line in (("p50_ms", "-"), ("within_p50_ms", ":")):
            label = name if line == "-" else None
            look = {"color": COLOURS[place], "marker": MARKS[place], "linestyle": line, "markersize": 3.5}
            axes.loglog([row["size"] for row in own], [row[key] for row in own], label=label, **look)
    _ticks(axes, sorted({row["size"] for row in sound}))
    axes.set_xlabel("vectors (dotted: one department, one year)")
    axes.set_ylabel("search, p50 ms")
    axes.legend(fontsize=6, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _ticks(axes: Any, values: Sequence[int]) -> None:
    axes.set_xticks(values, [f"{value:,}" for value in values])
    axes.xaxis.minorticks_off()


def measure(python: Path | None, sizes: Sequence[int], files: int, rounds: int, scratch: Path) -> Row:
    """Return everything that is measured."""
    demo = Demo.make(scratch / "demo")
    demo.encoder.load()
    task = scratch / "task.json"
    plain = open_encoder(adapted=False).folder
    said = {"passages": [as_row(item) for item in demo.passages], "encoder": str(plain)}
    task.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
    with ExitStack() as stack:
        talk = stack.enter_context(Talk(python, HERE / "speed_peers.py", "texts", task)) if python else None
        versions = talk.tell("versions") if talk else {}
        texts = measure_texts(demo, talk, scratch, rounds)
    write_scene(demo, scratch / "scene", sizes)
    found = {
        "peers": versions,
        "rounds": rounds,
        **texts,
        "search": measure_index(python, scratch / "scene", sizes, rounds),
        "start": measure_start(demo.library, rounds),
        "memory": measure_memory(demo, scratch, files),
    }
    return {**where("torch", "openvino", "faiss-cpu", "scikit-learn"), **found, "slopes": slopes(found)}


def main() -> None:
    """Measure, write and print; or, started by this very file, be our index."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peers", type=Path, help="python of the peers' environment; none: ours alone, nothing is written"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="vectors that are searched")
    parser.add_argument(
        "--files", type=int, default=4000, help="most files that are ingested to see time and memory grow"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        ours: Finder = Ours()
        serve(orders_for(ours, Scene.load(Path(options.serve[0]), int(options.serve[1]))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(options.peers, sorted(options.sizes), options.files, options.rounds, Path(scratch))
    print(table(found))
    if options.peers:
        RESULT.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
        draw(found, CHART)


if __name__ == "__main__":
    main()
