"""The façade: one library of reports in one folder, and everything that can be asked of it.

A library is a folder with ``library.sqlite`` (the truth), the folder ``index`` (derived, can be rebuilt) and ``library.lock``
(held while something is written).
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from nlp.analyst import Analyst, text_hash
from nlp.copies import Copies, find_copies
from nlp.drafting import choose
from nlp.encoder import Encoder
from nlp.errors import (
    EncoderError,
    InvalidInputError,
    LibraryError,
    NlpError,
    NotFoundError,
    TaggerError,
    UnreadableFileError,
)
from nlp.frequency import count_cells, representative, with_corrections
from nlp.identity import Overrides, merged, read_meta
from nlp.index import VectorIndex
from nlp.pipeline import FileTask, Found, Known, files_at, read_files, without_name
from nlp.records import (
    Among,
    Cell,
    Correction,
    Failure,
    Filters,
    Frequency,
    Hit,
    IngestResult,
    Labels,
    Passage,
    Progress,
    Report,
    ReportCard,
    Role,
    SearchResult,
    StoredPassage,
    Suggestion,
    Topic,
)
from nlp.recurrence import Account, Recurrences, Thread, log_odds, recurrences, trace
from nlp.review import as_sample, key_of, path_of
from nlp.review import choose as choose_unsure
from nlp.search import (
    CANDIDATES,
    STATEMENT,
    Meant,
    Scored,
    agreement,
    coverage,
    facets,
    fitting,
    fold,
    fuse,
    has_answer,
    highlight,
    sentence_spans,
    sought_role,
    weighed,
    widened,
)
from nlp.store import Store, TaggedPassage, Vectors
from nlp.tagger import TOPICS, Sample, core
from nlp.words import search_words

if TYPE_CHECKING:
    from types import TracebackType

_AT_ONCE = 512  # passages whose texts are encoded together
_BEHIND = 20_000  # passages by which the index may lag behind a long ingest; of a large library a quarter
_STORE, _INDEX, _LOCK = "library.sqlite", "index", "library.lock"
_LOCK_SECONDS = 1800
_LONGEST_QUERY = 2000
_LONGEST_QUOTATION = 160
_CHINESE = re.compile(r"[一-鿿]")
# What a measure counts in a draft that is near to the problem by itself, but answered no problem like it; and one that is
# about another topic.
_ALONE, _OTHER_TOPIC = 0.5, 0.6
_FILTER_NAMES = {
    "department": "部门",
    "region": "地区",
    "level": "层级",
    "years": "年度",
    "kind": "类型",
    "role": "角色",
    "topic": "主题",
    "not_department": "别的部门",
    "not_year": "别的年度",
    "not_row": "别的条目",
}
_PASSAGE_ID = re.compile(r"[0-9a-f]{16}-L?\d{4,}")


@dataclass(frozen=True, slots=True)
class Info:
    """What a library says of itself."""

    path: str
    reports: int
    passages: int
    encoder: str
    generation: int
    cards: tuple[ReportCard, ...]


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a summary of a library says.

    Attributes:
        reports: How many reports there are.
        problems: How many problems they have.
        topics: How often which topic is the problem.
        subtopics: The same by subtopic.
        by_year: By topic and year, where there are several years.
        by_department: By topic and department, where there are several.
        typical: For each topic that has problems, some that say what most say.
        recurrences: What came back.
        copies: What was copied.
    """

    reports: int
    problems: int
    topics: Frequency
    subtopics: Frequency
    by_year: Frequency | None
    by_department: Frequency | None
    typical: tuple[tuple[Topic, tuple[StoredPassage, ...]], ...]
    recurrences: Recurrences
    copies: Copies


def _silent(_: Progress) -> None:
    """Show nothing."""


def _mute(_: str) -> None:
    """Say nothing."""


class Library:
    """A library of reports; open one with :meth:`open` and close it, or use it in a ``with`` statement."""

    def __init__(self, path: Path, store: Store, analyst: Analyst) -> None:
        self.path = path
        self._store = store
        self._analyst = analyst
        self._index: VectorIndex | None = None

    @classmethod
    def open(cls, path: str | Path, *, encoder: str | None = None, create: bool = True) -> Self:
        """Return the library in a folder.

        Args:
            path: The folder; made if it is not there.
            encoder: Name or folder of the encoder; the library's own one, or the default for a new library.
            create: Whether a library that is not there is made.

        Raises:
            LibraryError: If the folder holds no library and ``create`` is false, or one of another version.
            EncoderError: If the library was built with another encoder than the one that is asked for.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Library.open(folder) as library:
        ...     library.info().reports
        0
        """
        folder = Path(path)
        if create:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LibraryError(
                    f"报告库应是一个文件夹，不能建立 {folder}（{error.strerror}）；请检查 --library 和权限"
                ) from error
        store = Store.open(folder / _STORE, create=create)
        own = store.meta("encoder")
        analyst = Analyst(encoder or own)
        # A folder may have moved, and be given in another way: what counts is what is in it.
        if (
            encoder not in {None, own}
            and own is not None
            and not _is_encoder(analyst, store.meta("encoder_fingerprint"))
        ):
            store.close()
            raise EncoderError(f"报告库 {folder} 是用编码器 {own} 建的，不能换用 {encoder}；请用 {own}，或另建一个库")
        return cls(folder, store, analyst)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._store.close()

    # ------------------------------------------------------------------------------------------------------------------- ingest

    def ingest(
        self,
        *paths: str | Path,
        overrides: Overrides | None = None,
        progress: Callable[[Progress], None] = _silent,
        say: Callable[[str], None] = _mute,
    ) -> IngestResult:
        r"""Take files, folders and archives in; unchanged files are passed over, changed ones replace their old version.

        Each report goes in as one transaction: stopped anywhere and run again, the library ends up the same.

        Args:
            paths: What to read.
            overrides: What a person says of all of them; what a ``meta.csv`` beside a file says of that file goes first.
            progress: Called before each file.
            say: Called with a line when something has to be waited for.

        Raises:
            InvalidInputError: If a path does not exist or a ``meta.csv`` cannot be understood.
            LibraryError: If another process keeps writing for half an hour.

        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = Path(folder) / "青禾县教育局2024年度部门整体支出绩效自评报告.txt"
        ...     _ = report.write_text("一、存在的问题\n预算执行率偏低，部分项目资金年底才支付。", "utf-8")
        ...     with Library.open(Path(folder) / "library") as library:
        ...         result = library.ingest(report)
        ...         hit = library.search("预算执行率低").hits[0]
        ...         result.added, hit.found.report.identity.department, hit.found.tags.role.value
        (1, '青禾县教育局', 'problem')
        """
        started = time.monotonic()
        own = self.path.resolve()
        given = [file for path in paths for file in files_at(Path(path))]
        wanted = [file for file in dict.fromkeys(given) if own not in file.resolve().parents]
        counts = {"added": 0, "updated": 0, "unchanged": 0}
        failed: list[Failure] = []
        with self._writing(say):
            self._remember_encoder()
            metas: dict[Path, dict[str, Overrides]] = {}
            passages = 0
            tasks = [FileTask(file.resolve(), _said_of(file, metas, overrides)) for file in wanted]
            with closing(read_files(tasks, self._store.sources_under)) as files:
                read = ((done, found) for done, (_, every) in enumerate(files) for found in every)
                due = self._due(passages)
                for done, name, outcome in self._taken_in(read):
                    progress(Progress(done, len(wanted), passages, wanted[done].name))
                    if passages >= due:
                        self._refresh_index()
                        due = self._due(passages)
                    if isinstance(outcome, NlpError):
                        failed.append(Failure(name, without_name(outcome, name)))
                    else:
                        counts[outcome[0]] += 1
                        passages += outcome[1]
            progress(Progress(len(wanted), len(wanted), passages, ""))
            self._refresh_index()
        reports, stored = self._store.counts()
        return IngestResult(
            **counts,
            failed=tuple(failed),
            reports=reports,
            passages=stored,
            seconds=round(time.monotonic() - started, 2),
        )

    def _due(self, passages: int) -> int:
        """Return after how many passages of an ingest the index catches up, so that who searches meanwhile need not."""
        return passages + max(_BEHIND, self._store.counts()[1] // 4)

    def _taken_in(self, read: Iterable[tuple[int, Found]]) -> Iterator[tuple[int, str, tuple[str, int] | NlpError]]:
        """Yield the number of each file, the name of what was found in it, and what became of that.

        The texts of some reports are encoded together: those of one are too few for batches of texts of like length.
        """
        decided = self._store.corrections()
        waiting: list[tuple[int, Found]] = []
        passages = 0
        for number, found in read:
            waiting.append((number, found))
            passages += len(found.outcome.passages) if isinstance(found.outcome, Report) else 0
            if passages >= _AT_ONCE or len(waiting) >= _AT_ONCE:
                yield from self._take_in_some(waiting, decided)
                waiting, passages = [], 0
        yield from self._take_in_some(waiting, decided)

    def _take_in_some(
        self, waiting: Sequence[tuple[int, Found]], decided: Mapping[str, Correction]
    ) -> Iterator[tuple[int, str, tuple[str, int] | NlpError]]:
        reports = [found.outcome for _, found in waiting if isinstance(found.outcome, Report)]
        new = [passage for report in reports if not self._store.has_report(report.id) for passage in report.passages]
        hashes = [text_hash(passage.text) for passage in new]
        try:
            _, ready = self._vectors(new, hashes, self._store.known_vectors(list(dict.fromkeys(hashes))))
        except NlpError:
            raise
        except Exception:  # noqa: BLE001  each is tried by itself: a text that nobody foresaw stops its report alone
            ready = {}
        for number, found in waiting:
            yield number, found.name, self._take_in(found, ready, decided)

    def _take_in(self, found: Found, ready: Vectors, decided: Mapping[str, Correction]) -> tuple[str, int] | NlpError:
        """Return what became of a report that was found (and its number of passages)."""
        if isinstance(found.outcome, NlpError):
            return found.outcome
        try:
            return self._take_in_report(found.name, found.outcome, ready, decided)
        except (EncoderError, TaggerError, LibraryError):
            raise  # nothing can be taken in without them
        except NlpError as error:
            return error
        except Exception as error:  # noqa: BLE001  a text that nobody foresaw stops itself, not the folder
            return UnreadableFileError(f"处理时出错（{type(error).__name__}: {error}），已跳过；请检查这个文件")

    def _take_in_report(
        self, name: str, report: Report | Known, ready: Vectors, decided: Mapping[str, Correction]
    ) -> tuple[str, int]:
        before = self._store.source(name)
        if before is not None and before[1] == report.id:
            return "unchanged", 0
        if isinstance(report, Known):
            raise UnreadableFileError(
                "本次入库的另一个文件用了同一路径（链接，或只有编码不同的文件名），已跳过；请改名后再导入"
            )
        if self._store.has_report(report.id):  # the same file was taken in from another place
            self._store.put_source(name, report.source.sha256, report.id)
            return ("unchanged" if before is None else "updated"), 0
        hashes = [text_hash(passage.text) for passage in report.passages]
        known = self._store.known_vectors(list(dict.fromkeys(hashes)))
        vectors, _ = self._vectors(report.passages, hashes, {**ready, **known})
        seen = self._analyst.tag(report, vectors, decided)
        tagged = [TaggedPassage(*item) for item in zip(report.passages, seen.tags, hashes, strict=True)]
        fresh = {key: vector for key, vector in zip(hashes, vectors, strict=True) if key not in known}
        self._store.add_report(seen.report, tagged, fresh)
        return ("added" if before is None else "updated"), len(tagged)

    def _vectors(
        self, passages: Sequence[Passage], hashes: Sequence[str], known: Vectors
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Return the vectors of passages, and those of them that are not known yet. No text is encoded twice."""
        missing = {key: core(passage.text) for key, passage in zip(hashes, passages, strict=True) if key not in known}
        encoder = self._encoder()
        fresh = dict(zip(missing, encoder.encode(list(missing.values())), strict=True)) if missing else {}
        every = {**known, **fresh}
        return np.array([every[key] for key in hashes], dtype=np.float32).reshape(len(hashes), encoder.dims), fresh

    def _remember_encoder(self) -> None:
        """Record the encoder of a new library, or where it has moved to; refuse to go on with another one."""
        encoder = self._encoder()
        if self._store.meta("encoder") != encoder.name:
            with self._store.transaction():
                self._store.set_meta("encoder", encoder.name)
                self._store.set_meta("encoder_fingerprint", encoder.fingerprint)

    def _encoder(self) -> Encoder:
        """Return the encoder, after making sure that it is the one that the library's vectors come from."""
        encoder = self._analyst.encoder
        own = self._store.meta("encoder_fingerprint")
        if own is not None and own != encoder.fingerprint:
            raise EncoderError(
                f"报告库 {self.path} 是用另一份 {self._store.meta('encoder')} 权重建的，与现在的 {encoder.name} 不一致，"
                "向量不可混用；请用 jixiao models verify 检查，或另建一个库重新入库"
            )
        return encoder

    @contextmanager
    def _writing(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the library's lock: one process writes at a time, others wait."""
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"另一个进程正在写入报告库 {self.path}，等它完成后继续……")
            try:
                lock.acquire(timeout=_LOCK_SECONDS)
            except Timeout as error:
                raise LibraryError(
                    f"等了 {_LOCK_SECONDS // 60} 分钟，报告库 {self.path} 仍被另一个进程占用；请稍后再试"
                ) from error
        except OSError as error:
            raise LibraryError(
                f"不能写入报告库 {self.path}（{error.strerror}）；请检查文件夹的权限和磁盘空间"
            ) from error
        try:
            yield
        finally:
            lock.release()

    # ------------------------------------------------------------------------------------------------------------------- search

    def search(self, query: str, *, filters: Filters | None = None, top: int = 10, page: int = 1) -> SearchResult:
        """Return the passages that answer a query best, by words and by meaning together.

        Filters come first: within them the search is exact. Passages that nearly repeat each other are one hit.

        Args:
            query: From one character to some sentences.
            filters: What it is narrowed to.
            top: Hits a page.
            page: Which page, from 1.

        Raises:
            InvalidInputError: If the query is empty or too long.
        """
        query = _checked(query)
        self._analyst.load()  # seconds, once a process: no part of what the search took
        started = time.perf_counter()
        filters = filters or Filters()
        vector = self._encoder().encode_query(core(query))
        with self._store.snapshot():  # another process may write meanwhile
            allowed = self._store.rows_passing(filters)
            ranked, labels, groups = self._folded(query, vector, filters, allowed, top * page)
            groups = groups[top * (page - 1) :]
            places = [place for group in groups for place in group]
            found = dict(zip(places, self._store.passages([ranked[place].row for place in places]), strict=True))
            hits = tuple(
                _hit(rank, ranked[group[0]], [found[place] for place in group], query)
                for rank, group in enumerate(groups, top * (page - 1) + 1)
            )
            counts = facets(labels)
            note = "" if hits else self._why_nothing(query, filters, ranked)
        return SearchResult(query, round((time.perf_counter() - started) * 1000, 1), hits, counts, note)

    def pinpoint(self, result: SearchResult) -> SearchResult:
        """Return a search's answer with, for each hit of several sentences, the one that is nearest to the query in meaning."""
        spans = [sentence_spans(hit.found.passage.text) for hit in result.hits]
        texts = [
            hit.found.passage.text[start:end]
            for hit, own in zip(result.hits, spans, strict=True)
            for start, end in (own if len(own) > 1 else ())
        ]
        nearness = iter(self._encoder().encode(texts) @ self._encoder().encode_query(core(result.query)))
        hits = []
        for hit, own in zip(result.hits, spans, strict=True):
            scores = [next(nearness) for _ in own] if len(own) > 1 else []
            hits.append(replace(hit, nearest=own[int(np.argmax(scores))]) if scores else hit)
        return replace(result, hits=tuple(hits))

    def similar(
        self, target: str, *, filters: Filters | None = None, among: Among = Among.ALL, top: int = 10, page: int = 1
    ) -> SearchResult:
        """Return passages that state the same as a passage (by its id) or as a text; the passage itself is left out.

        Args:
            target: An id, or a text.
            filters: What it is narrowed to; for a passage its own role, where no role is said.
            among: Everywhere, other departments only, or other years of the passage's own department.
            top: Hits a page.
            page: Which page, from 1.

        Raises:
            NotFoundError: If the target looks like an id and there is no such passage.
            InvalidInputError: If departments or years are to be compared and the target is no passage that has them.
        """
        narrowed = filters or Filters()
        with self._store.snapshot():
            row = self._store.row_of(target)
            if row is None:
                if _PASSAGE_ID.fullmatch(target):
                    raise NotFoundError(f"库中没有编号为 {target} 的条目；编号见 jixiao search 的结果")
                if among is not Among.ALL:
                    raise InvalidInputError(
                        f"查“{among.value}”要给条目编号，得到的是一段文字；编号见 jixiao search 的结果"
                    )
                return self.search(target, filters=narrowed, top=top, page=page)
            own = self._store.passages([row])[0]
            narrowed = replace(_among(narrowed, own, among), role=narrowed.role or own.tags.role, not_row=row)
            found = self.search(core(own.passage.text)[:_LONGEST_QUERY], filters=narrowed, top=top, page=page)
        return replace(found, target=own)

    def _folded(
        self,
        query: str,
        vector: NDArray[np.float32],
        filters: Filters,
        allowed: NDArray[np.int64] | None,
        wanted: int,
    ) -> tuple[list[Scored], list[Labels], list[list[int]]]:
        """Return candidates, what each is, and groups of those that nearly repeat each other, as many as are wanted.

        Where the first candidates are too few, further ones come behind them: a page is the same however many there are to one.
        """
        ranked: list[Scored] = []
        labels: list[Labels] = []
        count = CANDIDATES
        while True:
            found = list(zip(*self._ranked(query, vector, filters, allowed, count), strict=True))
            seen = {scored.row for scored in ranked}
            ranked += [scored for scored, _ in found if scored.row not in seen]
            labels += [label for scored, label in found if scored.row not in seen]
            groups = fold([label.text for label in labels], wanted)
            if len(groups) >= wanted or len(found) < count:
                return ranked, labels, groups
            count *= 4

    def _ranked(
        self,
        query: str,
        vector: NDArray[np.float32],
        filters: Filters,
        allowed: NDArray[np.int64] | None,
        count: int,
    ) -> tuple[list[Scored], list[Labels]]:
        """Return candidates, best first, and what each is; none where nothing answers the query."""
        asked = widened(query)
        words = list(dict.fromkeys([*asked, *sorted(frozenset().union(*asked.values()))]))
        statement = len(asked) >= STATEMENT
        index, encoder = self._current_index(), self._encoder()
        turned = weighed(vector, encoder.kind_dims, encoder.kind_share, statement=statement)
        # The encoder reads Chinese: what it makes of anything else is no evidence of meaning.
        near = _pairs(index.search(turned, count, allowed)) if _CHINESE.search(query) else {}
        by_words = [row for row, _ in self._store.search_words(words, filters, count)]
        said = self._store.words_in(list(dict.fromkeys([*by_words, *near])))
        if statement:
            every = sorted({*asked, *(word for own in said.values() for word in own)})
            shared = agreement(asked, self._store.word_weights(every), said)
        else:
            shared = coverage(asked, self._store.word_weights(words), said)
        shared = {row: share for row, share in shared.items() if share}
        if not shared:
            shared = dict.fromkeys(self._store.rows_containing(query, filters, count), 1.0)
        only_words = np.array(sorted(shared.keys() - near.keys()), dtype=np.int64)
        near |= _pairs(index.search(turned, len(only_words), only_words))
        labels = {label.row: label for label in self._store.labels(sorted(near))}
        fits = fitting(list(labels.values()), self._meant(query, vector), sought_role(query))
        # The tabs between a row's cells are no characters.
        lengths = {row: len(label.text.replace("\t", "")) for row, label in labels.items()}
        found = fuse(shared, near, fits, lengths, statement=statement)
        scope = self._analyst.tagger.scope
        odds = scope.odds(query, vector) if scope else 0.0
        if not has_answer(asked, self._store.known_words(words), found, odds):
            return [], []
        return found, [labels[candidate.row] for candidate in found]

    def _why_nothing(self, query: str, filters: Filters, ranked: Sequence[Scored]) -> str:
        if ranked:
            return "没有更多条目了；前面各页已经给完"
        passing = self._store.rows_passing(filters)
        if self._store.counts()[1] == 0 or (passing is not None and not len(passing)):
            return self._why_none_passes(filters)
        tried = f"按词语（{'、'.join(search_words(query)) or query}）和按语义都没有找到相近的条目"
        return f"{tried}；请换个说法" + ("" if passing is None else "，或放宽筛选条件")

    def _why_none_passes(self, filters: Filters) -> str:
        if self._store.counts()[1] == 0:
            return "报告库是空的；请先用 jixiao ingest 入库"
        given = [field.name for field in fields(filters) if getattr(filters, field.name) is not None]
        wider = {name: self._store.rows_passing(replace(filters, **{name: None})) for name in given}
        every = self._store.counts()[1]
        counts = {name: every if rows is None else len(rows) for name, rows in wider.items()}
        told = [f"不限{_FILTER_NAMES[name]}有 {count} 条" for name, count in counts.items() if count]
        advice = "、".join(told) or "单独放宽哪一个都没有条目"
        together = "同时符合这些" if len(given) > 1 else "符合这个"
        return f"没有条目{together}筛选条件：{advice}；请放宽 --department、--region、--year 等条件"

    def _current_index(self) -> VectorIndex:
        """Return the index of the store as it is now: the one at hand or the saved one, with what came since, or a new one."""
        generation, dims = self._store.generation, self._encoder().dims
        found = self._extensible(self._index) or self._saved_index()
        if found is None:
            found = VectorIndex(np.zeros(0, dtype=np.int64), np.zeros((0, dims), dtype=np.float32), 0)
        if found.generation != generation:
            found = found.extended(self._store.vectors(dims, found.last_key), generation)
        self._index = found
        return found

    def _saved_index(self) -> VectorIndex | None:
        """Return the saved index if it is of this store: another one may have lain, or been put back, in the place of this one."""
        index = self._extensible(VectorIndex.load(self.path / _INDEX))
        if index is None:
            return None
        keys, vectors = index.spread()
        own = self._store.vectors_of(keys.tolist())
        alike = len(own) == len(keys) and all(map(np.array_equal, map(own.__getitem__, keys.tolist()), vectors))
        return index if alike else None

    def _extensible(self, index: VectorIndex | None) -> VectorIndex | None:
        """Return an index if the store has at most added something since."""
        if index is not None and self._store.rewritten <= index.generation <= self._store.generation:
            return index
        return None

    def _refresh_index(self) -> None:
        generation, dims = self._store.generation, self._encoder().dims
        saved = self._saved_index()
        if saved is None or saved.generation != generation:
            new = self._store.vectors(dims, saved.last_key if saved else 0)
            self._index = VectorIndex.save(self.path / _INDEX, new, dims, generation, onto=saved)

    # ---------------------------------------------------------------------------------------------------------- counts and wording

    def frequency(
        self,
        by: Sequence[str] = ("topic",),
        *,
        unit: str = "passage",
        role: Role = Role.PROBLEM,
        filters: Filters | None = None,
    ) -> Frequency:
        """Return how often which problem occurs, by one or two dimensions; see :func:`nlp.frequency.count_cells`.

        Raises:
            InvalidInputError: If a dimension or unit is not known.
        """
        filters = filters or Filters()
        with self._store.snapshot():
            cells = self._store.cells(replace(filters, role=None, topic=None))
            if unit == "finding":
                cells = self._without_repeats(cells, role)
            table = count_cells(cells, by, unit, role, filters.topic)
            decided = {found.row for found in self._decided()}
            note = "" if cells else self._why_none_passes(replace(filters, role=None, topic=None))
        table = replace(table, filters=filters, note=note)
        labelled = representative(self._analyst.held_out, self._analyst.usual, role)
        return with_corrections(table, cells, role, filters.topic, labelled, decided)

    def counted(self, *, role: Role = Role.PROBLEM, filters: Filters | None = None) -> list[StoredPassage]:
        """Return the passages behind the counts of :meth:`frequency`, by topic, department and year."""
        with self._store.snapshot():
            asked = replace(filters or Filters(), role=role)
            # What a filter lets pass has the topic among others; what is counted has it first.
            cells = [cell for cell in self._store.cells(asked) if asked.topic in {None, cell.topic}]
            found = self._store.passages([cell.row for cell in cells])
        found.sort(key=lambda f: (f.tags.primary or "", f.passage.department or "", f.passage.year or 0, f.row))
        return found

    def _without_repeats(self, cells: Sequence[Cell], role: Role) -> list[Cell]:
        """Return cells without the passages that nearly repeat another one of their report with the same role and topic."""
        alike: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        for cell in cells:
            if cell.role == role:
                alike[cell.report, cell.topic].append(cell.row)
        gone: set[int] = set()
        for rows in (rows for rows in alike.values() if len(rows) > 1):
            texts = [found.passage.text for found in self._store.passages(rows)]
            gone |= {rows[place] for _, *same in fold(texts, len(texts)) for place in same}
        return [cell for cell in cells if cell.row not in gone]

    def _decided(self) -> list[StoredPassage]:
        """Return the passages that people decided, as far as they are tagged by it already."""
        known = self._store.corrections()
        rows = self._store.rows_of_text([correction.text for correction in known.values()])
        return [
            found
            for found in self._store.passages(rows)
            if (said := known.get(key_of(found.passage.text, path_of(found.passage))))
            and (said.role, said.primary) == (found.tags.role, found.tags.primary)
        ]

    def recur(self, *, filters: Filters | None = None, progress: Callable[[Progress], None] = _silent) -> Recurrences:
        """Return the problems that departments report again in later years, with the measures promised in between.

        Only departments with at least two years are compared, each with itself.

        Args:
            filters: What it is narrowed to; a topic narrows it to problems of which that is the primary one.
            progress: Called before each department.
        """
        filters = filters or Filters()
        with self._store.snapshot():
            offices: dict[tuple[str, str | None], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
            asked = set()
            cells = self._store.cells(replace(filters, role=None, topic=None))
            for cell in cells:
                if cell.department is not None and cell.year is not None:
                    offices[cell.department, cell.region][cell.year].append(cell.row)
                    if cell.role == Role.PROBLEM and filters.topic in {None, cell.topic}:
                        asked.add(cell.row)
            several = [[years[year] for year in sorted(years)] for years in offices.values() if len(years) > 1]
            found: list[tuple[list[list[StoredPassage]], list[Thread]]] = []
            promised: dict[int, tuple[StoredPassage, ...]] = {}
            for done, years in enumerate(several):
                progress(Progress(done, len(several)))
                problems, threads, answers = self._traced(years, asked)
                found.append((problems, threads))
                promised |= answers
            progress(Progress(len(several), len(several)))
        return recurrences(found, promised)

    def _traced(
        self, years: Sequence[Sequence[int]], asked: Container[int]
    ) -> tuple[list[list[StoredPassage]], list[Thread], dict[int, tuple[StoredPassage, ...]]]:
        """Return a department's problems of each year, their threads, and the measures that answer each."""
        problems = [self._store.passages([row for row in rows if row in asked]) for rows in years]
        answers = {p.row: tuple(measure for measure, _ in self._answers(p)) for own in problems for p in own}
        accounts = [self._account(*own, answers) for own in zip(years, problems, strict=True)]
        words = {word for account in accounts for own in account.words for word in own}
        weights = self._store.word_weights(sorted(words))
        scores = {
            (before, after): log_odds(accounts[before], accounts[after], weights)
            for before, after in combinations(range(len(accounts)), 2)
        }
        return problems, trace([len(own) for own in problems], scores), answers

    def _account(
        self,
        rows: Sequence[int],
        problems: Sequence[StoredPassage],
        answers: Mapping[int, Sequence[StoredPassage]],
    ) -> Account:
        vectors = self._store.vectors_of(rows)
        dims = self._analyst.encoder.dims

        def stacked(keys: Iterable[int]) -> NDArray[np.float32]:
            return np.array([vectors[key] for key in keys], dtype=np.float32).reshape(-1, dims)

        mine = stacked(found.row for found in problems)
        measures = (stacked(m.row for m in answers[found.row] if m.row in vectors) for found in problems)
        return Account(
            texts=tuple(found.passage.text for found in problems),
            words=tuple(frozenset(search_words(found.passage.text)) for found in problems),
            tags=tuple(found.tags for found in problems),
            content=self._analyst.content(mine),
            kinds=self._analyst.kinds(mine),
            promises=tuple(map(self._analyst.content, measures)),
            middle=self._analyst.content(stacked(rows)).mean(axis=0),
        )

    def copies(self, *, filters: Filters | None = None) -> Copies:
        """Return the passages whose wording stood in an earlier report or in another department's; see :mod:`nlp.copies`."""
        with self._store.snapshot():
            rows = [cell.row for cell in self._store.cells(filters or Filters())]
            return find_copies(self._store.passages(rows))

    def brief(self, *, filters: Filters | None = None) -> Briefing:
        """Return what a summary of the library says: counts, typical quotations, what came back and what was copied."""
        filters = replace(filters or Filters(), role=None, topic=None)
        years, departments = (
            self.frequency((one,), unit="report", filters=filters).rows for one in ("year", "department")
        )
        with self._store.snapshot():
            cells = self._store.cells(filters)
            typical = tuple((topic, self._typical(topic, cells)) for topic in Topic)
        return Briefing(
            reports=len({cell.report for cell in cells}),
            problems=sum(cell.role == Role.PROBLEM for cell in cells),
            topics=self.frequency(("topic",), filters=filters),
            subtopics=self.frequency(("subtopic",), filters=filters),
            by_year=self.frequency(("topic", "year"), filters=filters) if len(years) > 1 else None,
            by_department=self.frequency(("topic", "department"), filters=filters) if len(departments) > 1 else None,
            typical=tuple((topic, found) for topic, found in typical if found),
            recurrences=self.recur(filters=filters),
            copies=self.copies(filters=filters),
        )

    def _typical(self, topic: Topic, cells: Sequence[Cell], count: int = 3) -> tuple[StoredPassage, ...]:
        """Return problems that say what most of a topic say, each of another department."""
        rows = [cell.row for cell in cells if cell.role == Role.PROBLEM and cell.topic == topic]
        if not rows:
            return ()
        vectors = self._store.vectors_of(rows)
        every = np.array([vectors[row] for row in rows])
        nearest = [rows[place] for place in np.argsort(-(every @ every.mean(axis=0)), kind="stable")]
        found: dict[str | None, StoredPassage] = {}
        for passage in self._store.passages(nearest[: 20 * count]):
            if len(passage.passage.text) <= _LONGEST_QUOTATION:
                found.setdefault(passage.passage.department, passage)
        return tuple(found.values())[:count]

    def draft(
        self, problem: str, *, role: Role = Role.MEASURE, filters: Filters | None = None, top: int = 5
    ) -> tuple[Suggestion, ...]:
        """Return reference wording for a problem: measures that others took for the like of it, each with its source.

        With ``role=Role.PROBLEM``: how others put the same problem into words. Every text is a quotation.
        """
        filters = filters or Filters()
        with self._store.snapshot():
            stated = self.search(problem, filters=replace(filters, role=Role.PROBLEM, topic=None), top=8 * top)
            if role is Role.MEASURE:
                return choose(self._measures(problem, stated, filters, top), top)
            if role is Role.PROBLEM:
                return choose((Suggestion(hit.score, hit.found) for hit in stated.hits), top)
            found = self.search(problem, filters=replace(filters, role=role), top=8 * top)
            return choose((Suggestion(hit.score, hit.found) for hit in found.hits), top)

    def _measures(self, problem: str, stated: SearchResult, filters: Filters, top: int) -> list[Suggestion]:
        """Return measures that answered problems like this one, and measures that are near to it by themselves."""
        linked = [
            Suggestion(hit.score * score, measure, hit.found)
            for hit in stated.hits
            for stated_as in (hit.found, *hit.same)
            for measure, score in self._answers(stated_as)
        ]
        direct = self.search(problem, filters=replace(filters, role=Role.MEASURE), top=4 * top)
        known = {item.found.row for item in linked}
        alone = [Suggestion(_ALONE * hit.score, hit.found) for hit in direct.hits if hit.found.row not in known]
        topics = self._meant(problem, self._encoder().encode_query(core(problem))).topics
        topic = Topic(max(topics, key=topics.__getitem__))
        return [self._weighed(item, topic) for item in (*linked, *alone)]

    def _weighed(self, item: Suggestion, topic: Topic) -> Suggestion:
        """Return a suggestion that counts for less where its measure is about another topic than the problem."""
        fits = any(found.label is topic for found in item.found.tags.topics)
        return replace(item, score=round(item.score * (1.0 if fits else _OTHER_TOPIC), 4))

    def _meant(self, query: str, vector: NDArray[np.float32]) -> Meant:
        """Return how likely a query is about which topic and subtopic."""
        tagger = self._analyst.tagger
        chances = tagger.chances([Sample(query)], vector[None, :])
        subtopics = [code for code, _ in tagger.subtopics]
        return Meant(
            dict(zip(TOPICS, chances["primary"][0].tolist(), strict=True)),
            dict(zip(subtopics, chances["subtopic"][0].tolist(), strict=True)),
        )

    def _answers(self, problem: StoredPassage) -> list[tuple[StoredPassage, float]]:
        rows = self._store.measures_for(problem.passage.id)
        return list(zip(self._store.passages([row for row, _ in rows]), [score for _, score in rows], strict=True))

    # ---------------------------------------------------------------------------------------------------------------- housekeeping

    def info(self) -> Info:
        """Return what the library holds."""
        reports, passages = self._store.counts()
        encoder = self._store.meta("encoder") or "（尚未入库）"
        return Info(str(self.path), reports, passages, encoder, self._store.generation, self._store.cards())

    def report(self, report_id: str) -> Report:
        """Return a report as it was stored.

        Raises:
            NotFoundError: If there is no such report.
        """
        return self._store.report(report_id)

    def passages_of(self, report_id: str) -> list[StoredPassage]:
        """Return the passages of a report with their tags, in order."""
        return self._store.passages_of(report_id)

    def remove(self, report_id: str, say: Callable[[str], None] = _mute) -> None:
        """Remove a report.

        Args:
            report_id: Its id.
            say: Called with a line when something has to be waited for.

        Raises:
            NotFoundError: If there is no such report.
        """
        with self._writing(say):
            self._store.remove_report(report_id)
            self._refresh_index()

    def rebuild(self, progress: Callable[[Progress], None] = _silent, say: Callable[[str], None] = _mute) -> None:
        """Tag and link all passages anew with the tagger of today, mend what is derived and damaged, build the index anew.

        Args:
            progress: Called before each report.
            say: Called with a line when something has to be waited for.
        """
        with self._writing(say):
            damaged = set(self._store.damaged())
            self._store.sweep()
            cards, decided = self._store.cards(), self._store.corrections()
            for done, card in enumerate(cards):
                progress(Progress(done, len(cards), 0, card.identity.title))
                self._retag(card.id, decided, encode_anew=card.id in damaged)
            VectorIndex.drop(self.path / _INDEX)
            self._refresh_index()
            progress(Progress(len(cards), len(cards), 0, ""))

    def _retag(self, report_id: str, decided: Mapping[str, Correction], *, encode_anew: bool) -> None:
        report = self._store.report(report_id)
        hashes = [text_hash(passage.text) for passage in report.passages]
        known = {} if encode_anew else self._store.known_vectors(list(dict.fromkeys(hashes)))
        vectors, fresh = self._vectors(report.passages, hashes, known)
        seen = self._analyst.tag(report, vectors, decided)
        tagged = [TaggedPassage(*item) for item in zip(report.passages, seen.tags, hashes, strict=True)]
        self._store.replace_tags(report_id, tagged, seen.report.links, fresh)

    # ------------------------------------------------------------------------------------------------------------- corrections

    def review(self, *, filters: Filters | None = None, count: int = 100) -> list[StoredPassage]:
        """Return the passages that are most worth a person's judgement and have none yet."""
        with self._store.snapshot():
            rows = [cell.row for cell in self._store.cells(filters or Filters())]
            known = self._store.corrections()
            found = self._store.passages(rows)
        return choose_unsure([f for f in found if key_of(f.passage.text, path_of(f.passage)) not in known], count)

    def correct(self, corrections: Sequence[Correction], say: Callable[[str], None] = _mute) -> int:
        """Keep what a person decided, and tag the reports anew that have such passages; return how many passages changed.

        A decision holds for the same words below the same headings in every report, now and later.

        Args:
            corrections: What was decided.
            say: Called with a line when something has to be waited for.
        """
        keyed = {key_of(correction.text, correction.path): correction for correction in corrections}
        with self._writing(say):
            self._encoder()  # before anything is kept: without them nothing can be tagged anew
            self._analyst.load()
            self._store.put_corrections(keyed)
            rows = self._store.rows_of_text([correction.text for correction in corrections])
            found = [f for f in self._store.passages(rows) if key_of(f.passage.text, path_of(f.passage)) in keyed]
            decided = self._store.corrections()
            for report_id in dict.fromkeys(f.report.id for f in found):
                self._retag(report_id, decided, encode_anew=False)
            self._refresh_index()
        return len(found)

    def corrected_samples(self) -> list[Sample]:
        """Return what people decided as something for the tagger to learn from."""
        return [as_sample(correction) for correction in self._store.corrections().values()]

    def verify(self) -> tuple[str, ...]:
        """Return what is wrong with the library, in Chinese; empty where all is sound."""
        problems = self._store.integrity()
        if self._store.counts()[0]:
            with self._store.snapshot():
                saved = VectorIndex.load(self.path / _INDEX)
                if saved is None or saved.generation != self._store.generation:
                    problems.append("向量索引缺失、损坏或不是最新；请运行 jixiao library rebuild")
                elif not problems and not saved.holds(self._store.vectors(saved.dims)):
                    problems.append("向量索引与库中的向量不一致；请运行 jixiao library rebuild")
        return tuple(problems)


def _hit(rank: int, scored: Scored, found: Sequence[StoredPassage], query: str) -> Hit:
    """Return a hit from a passage and those that nearly repeat it."""
    first, *same = found
    marks = highlight(first.passage.text, query)
    parts = (round(scored.score, 4), first, round(scored.lexical, 4), round(scored.semantic, 4))
    return Hit(rank, *parts, marks, same=tuple(same))


def _among(filters: Filters, own: StoredPassage, among: Among) -> Filters:
    """Return filters that let other departments pass, or other years of a passage's own department."""
    department, year = own.passage.department, own.passage.year
    if among is Among.ALL:
        return filters
    if department is None or (among is Among.YEARS and year is None):
        raise InvalidInputError(f"条目 {own.passage.id} 没有写明部门或年度，不能查“{among.value}”")
    if among is Among.DEPARTMENTS:
        return replace(filters, not_department=department)
    return replace(filters, department=department, not_year=year)


def _pairs(found: tuple[NDArray[np.int64], NDArray[np.float32]]) -> dict[int, float]:
    keys, scores = found
    return dict(zip(keys.tolist(), scores.tolist(), strict=True))


def _said_of(file: Path, known: dict[Path, dict[str, Overrides]], of_all: Overrides | None) -> Overrides | None:
    """Return what a ``meta.csv`` says of a file, and for the rest what was said of all files."""
    folder = file.parent
    if folder not in known:
        table = folder / "meta.csv"
        known[folder] = read_meta(table.read_bytes()) if table.is_file() else {}
    return merged(known[folder].get(file.name), of_all)


def _is_encoder(analyst: Analyst, fingerprint: str | None) -> bool:
    try:
        return analyst.encoder.fingerprint == fingerprint
    except EncoderError:
        return False


def _checked(query: str) -> str:
    query = query.strip()
    if not query:
        raise InvalidInputError("检索词是空的；请给出词语、短语或一句话")
    if len(query) > _LONGEST_QUERY:
        raise InvalidInputError(f"检索词最长 {_LONGEST_QUERY} 字，得到 {len(query)} 字；请截取其中一段")
    return query
