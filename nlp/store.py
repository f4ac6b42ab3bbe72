"""The store: one SQLite file that holds everything, and is the truth that the index follows.

A report goes in or out in one transaction, so that a process killed anywhere leaves the report as it was before or as
it should be, never half. ``generation`` grows with every such transaction; whatever is derived from the store (the
vector index) carries the generation that it was made from.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from nlp.errors import LibraryError, NotFoundError
from nlp.records import (
    Cell,
    Correction,
    Filters,
    Identity,
    Kind,
    Labels,
    Level,
    Link,
    Passage,
    Region,
    Report,
    ReportCard,
    Role,
    Section,
    Source,
    StoredPassage,
    Tags,
    Topic,
    TopicScore,
)
from nlp.regions import names_of_regions, split_region
from nlp.words import search_words

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 5
_CORRECTIONS = """
CREATE TABLE IF NOT EXISTS corrections (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, path TEXT NOT NULL, role TEXT NOT NULL, topic TEXT, secondary TEXT NOT NULL,
    subtopic TEXT, source TEXT NOT NULL
) WITHOUT ROWID
"""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reports (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, format TEXT NOT NULL, pages INTEGER,
    title TEXT NOT NULL, department TEXT, province TEXT, city TEXT, county TEXT, level TEXT, year INTEGER, kind TEXT,
    taken_from TEXT NOT NULL, warnings TEXT NOT NULL, text TEXT NOT NULL,
    given_digest TEXT NOT NULL DEFAULT '', derived_digest TEXT NOT NULL DEFAULT ''
);
CREATE TABLE sources (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, report TEXT NOT NULL REFERENCES reports (id));
CREATE INDEX sources_report ON sources (report);
CREATE TABLE sections (
    report TEXT NOT NULL REFERENCES reports (id) ON DELETE CASCADE, place INTEGER NOT NULL,
    number TEXT NOT NULL, heading TEXT NOT NULL, level INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, body INTEGER NOT NULL, PRIMARY KEY (report, place)
) WITHOUT ROWID;
CREATE TABLE passages (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, report TEXT NOT NULL REFERENCES reports (id) ON DELETE CASCADE,
    text TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, section TEXT NOT NULL, lead TEXT NOT NULL,
    page INTEGER, ref TEXT, given_role TEXT, vector TEXT NOT NULL,
    department TEXT, province TEXT, city TEXT, county TEXT, level TEXT, year INTEGER, kind TEXT,
    role TEXT NOT NULL, role_score REAL NOT NULL, topic TEXT
);
CREATE INDEX passages_report ON passages (report);
CREATE INDEX passages_topic ON passages (topic, year);
CREATE INDEX passages_department ON passages (department, year);
CREATE INDEX passages_vector ON passages (vector);
CREATE TABLE topics (
    passage INTEGER NOT NULL REFERENCES passages (row) ON DELETE CASCADE, place INTEGER NOT NULL,
    label TEXT NOT NULL, subtopic TEXT, score REAL NOT NULL, PRIMARY KEY (passage, place)
) WITHOUT ROWID;
CREATE TABLE links (
    report TEXT NOT NULL REFERENCES reports (id) ON DELETE CASCADE, problem TEXT NOT NULL, measure TEXT NOT NULL,
    score REAL NOT NULL, PRIMARY KEY (problem, measure)
) WITHOUT ROWID;
CREATE INDEX links_report ON links (report);
CREATE INDEX links_measure ON links (measure);
CREATE TABLE vectors (hash TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (terms, tokenize = "unicode61 remove_diacritics 0");
"""
_VOCABULARY = "CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab (words, row)"
_REWRITTEN = "INSERT INTO meta SELECT 'rewritten', value FROM meta WHERE key = 'generation'"
# What each version added to the one that is named.
_STEPS = {"2": _CORRECTIONS, "3": _VOCABULARY, "4": _REWRITTEN}

_PASSAGE_COLUMNS = (
    "p.row, p.id, p.text, p.start, p.stop, p.section, p.lead, p.page, p.ref, p.given_role, p.department, p.province, "
    "p.city, p.county, p.level, p.year, p.role, p.role_score, p.topic, "
    "r.id, r.title, r.kind, r.taken_from, r.path, r.sha256, r.format, r.pages"
)
# All that a report is made of, in a steady order: what its digests are taken over. What is given stays as it was read;
# what is derived is made anew by a rebuild. The path is no part of it: it may move.
_GIVEN = (
    (
        "SELECT id, sha256, format, pages, title, department, province, city, county, level, year, kind, taken_from, warnings, text "
        "FROM reports WHERE id = ?"
    ),
    "SELECT * FROM sections WHERE report = ? ORDER BY place",
    (
        "SELECT row, id, text, start, stop, section, lead, page, ref, given_role, department, province, city, county, level, year, kind "
        "FROM passages WHERE report = ? ORDER BY row"
    ),
    (  # the links that a ledger's rows settle
        "SELECT l.* FROM links l JOIN passages p ON p.id = l.problem WHERE l.report = ? AND p.given_role IS NOT NULL "
        "ORDER BY l.problem, l.measure"
    ),
)
_DERIVED = (
    (
        "SELECT p.row, p.vector, p.role, p.role_score, p.topic, w.terms, v.vector FROM passages p "
        "LEFT JOIN words w ON w.rowid = p.row LEFT JOIN vectors v ON v.hash = p.vector WHERE p.report = ? ORDER BY p.row"
    ),
    "SELECT t.* FROM topics t JOIN passages p ON p.row = t.passage WHERE p.report = ? ORDER BY t.passage, t.place",
    (
        "SELECT l.* FROM links l JOIN passages p ON p.id = l.problem WHERE l.report = ? AND p.given_role IS NULL "
        "ORDER BY l.problem, l.measure"
    ),
)
_TRIMMED = "trim(text, char(9, 10, 13, 32, 12288))"
_NAMED_REPORTS = 3  # as many reports are named in one line of a check
_TROUBLES = {
    sqlite3.SQLITE_BUSY: "报告库正被另一个程序占用（{error}）；请稍后再试",
    sqlite3.SQLITE_FULL: "磁盘已满，报告库写不进去（{error}）；请腾出空间后再次运行同一命令",
    sqlite3.SQLITE_READONLY: "没有写入报告库的权限（{error}）；请检查文件夹的权限",
    sqlite3.SQLITE_CANTOPEN: "打不开报告库的文件（{error}）；请检查路径和权限",
    sqlite3.SQLITE_NOTADB: "这个文件无法作为报告库打开（{error}）；它不是本程序建的库，或已损坏",
}
_DAMAGED = "报告库读写失败（{error}）；文件可能已损坏，请运行 jixiao library verify 检查，或另建一个库重新入库"
_REBUILD = "{count} 处；请运行 jixiao library rebuild"
_FAULTS = {
    f"有条目没有向量：{_REBUILD}": "SELECT count(*) FROM passages WHERE vector NOT IN (SELECT hash FROM vectors)",
    f"有多余的向量：{_REBUILD}": "SELECT count(*) FROM vectors WHERE hash NOT IN (SELECT vector FROM passages)",
    f"有条目没有全文索引：{_REBUILD}": "SELECT count(*) FROM passages WHERE row NOT IN (SELECT rowid FROM words)",
    f"全文索引有多余的行：{_REBUILD}": "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT row FROM passages)",
    "有报告没有来源：{count} 处；请用 jixiao library remove 删除后重新入库": "SELECT count(*) FROM reports "
    "WHERE id NOT IN (SELECT report FROM sources)",
    "有记录指向不存在的报告或条目：{count} 处；请另建一个库重新入库": "SELECT count(*) FROM pragma_foreign_key_check",
    "有条目的文字与报告原文不符：{count} 处；请用 jixiao library remove 删除后重新入库": "SELECT count(*) FROM passages p "
    "JOIN reports r ON r.id = p.report WHERE substr(r.text, p.start + 1, p.stop - p.start) <> p.text",
}
_ENOUGH_MATCHES = 3000
_PATIENCE = 60.0  # seconds, for what another process is about to finish
# Each name once, from one to the next in the index, without a look at every passage.
_DEPARTMENTS = (
    "WITH RECURSIVE every (name) AS (SELECT min(department) FROM passages UNION ALL "
    "SELECT (SELECT min(department) FROM passages WHERE department > name) FROM every WHERE name IS NOT NULL) "
    "SELECT name FROM every WHERE name IS NOT NULL"
)
_VECTORS_AT_ONCE = 10_000
_CHUNK = 500  # below SQLite's oldest limit of 999 variables in a statement

Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class TaggedPassage:
    """A passage on its way into the store: with its tags and the hash of the text that was encoded."""

    passage: Passage
    tags: Tags
    hash: str


@contextmanager
def _in_words() -> Iterator[None]:
    """Raise what goes wrong in SQLite as our own error, in words that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte says what, the others say more exactly why
        raise LibraryError(_TROUBLES.get(code, _DAMAGED).format(error=error)) from error


class _Cursor(sqlite3.Cursor):
    """A cursor whose errors are ours."""

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        with _in_words():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        with _in_words():
            return super().executemany(sql, parameters)

    def fetchone(self) -> Any:
        with _in_words():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _in_words():
            return super().fetchall()

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # rows at once: a guard around each would cost more than they do
        return iter(self.fetchall())

    def __next__(self) -> Any:
        with _in_words():
            return super().__next__()


class _Connection(sqlite3.Connection):
    """A connection whose errors are ours."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor(_Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return self.cursor(_Cursor).executemany(sql, parameters)


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once. SQLite's timeout does not cover the turn when several make the file together."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except LibraryError as error:
            code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


class Store:
    """A library's SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Store:
        """Return the store in a file.

        Raises:
            LibraryError: If there is none and ``create`` is false, or it was made by another version.
        """
        if not path.exists() and not create:
            raise LibraryError(
                f"{path.parent} 不是报告库（没有 {path.name}）；请先用 jixiao ingest 建库，或检查 --library"
            )
        try:
            with _in_words():
                connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, factory=_Connection)
            try:
                _turn_to_wal(connection)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                store = cls(connection)
                store._prepare()
            except LibraryError:
                connection.close()
                raise
        except LibraryError as error:
            raise LibraryError(f"{path}：{error}") from error
        return store

    def _prepare(self) -> None:
        if not self._tables():
            with self.transaction():
                if not self._tables():  # still none, now that no other process can make them
                    self._create()
        if "meta" not in self._tables():
            raise LibraryError("这是别的程序的数据库，不是报告库；请检查 --library")
        while (found := self.meta("schema")) in _STEPS:
            with self.transaction():
                if self.meta("schema") == found:  # still, now that no other process can take the step
                    self._db.execute(_STEPS[found])
                    self.set_meta("schema", str(int(found) + 1))
        if found != str(SCHEMA_VERSION):
            raise LibraryError(
                f"报告库的版本是 {found}，本程序需要 {SCHEMA_VERSION}；请用建库时的版本，或另建一个库重新入库"
            )

    def _tables(self) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def _create(self) -> None:
        for statement in (*_SCHEMA.split(";"), *_STEPS.values()):
            if statement.strip():
                self._db.execute(statement)
        self.set_meta("schema", str(SCHEMA_VERSION))
        self.set_meta("generation", "0")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction: all of it, or on an error nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run a block of reads that all see the same state, whatever another process writes meanwhile."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        """Return a value that the library remembers of itself, ``None`` if there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value."""
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)
        )

    @property
    def generation(self) -> int:
        """How many transactions have changed the passages."""
        return int(self.meta("generation") or 0)

    @property
    def rewritten(self) -> int:
        """The last generation that took passages or vectors away or changed them; those since then only added some."""
        return int(self.meta("rewritten") or 0)

    # ------------------------------------------------------------------------------------------------------- reports in and out

    def source(self, path: str) -> tuple[str, str] | None:
        """Return the hash and the report of the file that was read at a path, ``None`` if none was."""
        row = self._db.execute("SELECT sha256, report FROM sources WHERE path = ?", (path,)).fetchone()
        return None if row is None else (row[0], row[1])

    def sources_under(self, path: str) -> dict[str, str]:
        """Return the report that each path holds, of this one and those inside it, if it is an archive."""
        # "0" is the character after "/": a range finds by the key what begins with the path and a slash.
        rows = self._db.execute(
            "SELECT path, report FROM sources WHERE path = ?1 OR (path > ?1 || '/' AND path < ?1 || '0')", (path,)
        )
        return dict(rows.fetchall())

    def has_report(self, report_id: str) -> bool:
        """Return whether the report is in the library."""
        return self._db.execute("SELECT 1 FROM reports WHERE id = ?", (report_id,)).fetchone() is not None

    def put_source(self, path: str, sha256: str, report_id: str) -> None:
        """Record that a path holds a report that is there already, and drop the report that it held before."""
        with self.transaction():
            self._point_source(path, sha256, report_id)

    def add_report(self, report: Report, passages: Sequence[TaggedPassage], vectors: Vectors) -> None:
        """Store a report with its passages, tags, links and vectors; what its path held before goes."""
        with self.transaction():
            self._insert_report(report)
            self._db.executemany(
                "INSERT INTO sections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (report.id, i, s.number, s.heading, s.level, s.start, s.end, s.body)
                    for i, s in enumerate(report.sections)
                ],
            )
            self._insert_vectors(vectors)
            for item in passages:
                self._insert_passage(report, item)
            self._insert_links(report.id, report.links)
            self._seal(report.id, "given_digest", _GIVEN)
            self._seal(report.id, "derived_digest", _DERIVED)
            # Last, so that what the old version shares with the new one (vectors) is in use when the old one goes.
            self._point_source(report.source.path, report.source.sha256, report.id)
            self._changed()

    def remove_report(self, report_id: str) -> None:
        """Remove a report and all that belongs to it.

        Raises:
            NotFoundError: If there is no such report.
        """
        if not self.has_report(report_id):
            raise NotFoundError(f"库中没有编号为 {report_id} 的报告；可用 jixiao library info 查看编号")
        with self.transaction():
            self._db.execute("DELETE FROM sources WHERE report = ?", (report_id,))
            self._delete_report(report_id)

    def _insert_report(self, report: Report) -> None:
        i, s = report.identity, report.source
        self._db.execute(
            "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')",
            (
                *(report.id, s.path, s.sha256, s.format, s.pages),
                *(i.title, i.department, i.region.province, i.region.city, i.region.county, i.level, i.year, i.kind),
                *(_json(i.taken_from), _json(report.warnings), report.text),
            ),
        )

    def _point_source(self, path: str, sha256: str, report_id: str) -> None:
        before = self.source(path)
        self._db.execute(
            "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, report = excluded.report",
            (path, sha256, report_id),
        )
        if before is None or before[1] == report_id:
            return
        (elsewhere,) = self._db.execute("SELECT min(path) FROM sources WHERE report = ?", (before[1],)).fetchone()
        if elsewhere is None:
            self._delete_report(before[1])
        else:  # the same file lies at another path, which is now the one to name
            self._db.execute("UPDATE reports SET path = ? WHERE id = ? AND path = ?", (elsewhere, before[1], path))

    def _insert_passage(self, report: Report, item: TaggedPassage) -> None:
        p, tags, i = item.passage, item.tags, report.identity
        region = p.region if p.region != Region() else i.region
        cursor = self._db.execute(
            "INSERT INTO passages (id, report, text, start, stop, section, lead, page, ref, given_role, vector, department, "
            "province, city, county, level, year, kind, role, role_score, topic) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(p.id, report.id, p.text, p.start, p.end, _json(p.section), p.lead, p.page, p.ref, p.role, item.hash),
                *(p.department or i.department, region.province, region.city, region.county),
                *(p.level or (None if p.department else i.level), p.year or i.year, i.kind),
                *(tags.role, tags.role_score, tags.primary),
            ),
        )
        self._insert_words(cursor.lastrowid, item)

    def _insert_words(self, row: int | None, item: TaggedPassage) -> None:
        """Store what is derived from a passage: its topics and the words that it is found by."""
        self._db.executemany(
            "INSERT INTO topics VALUES (?, ?, ?, ?, ?)",
            [(row, place, t.label, t.subtopic, t.score) for place, t in enumerate(item.tags.topics)],
        )
        words = " ".join(search_words(f"{item.passage.lead}\n{item.passage.text}"))
        self._db.execute("INSERT INTO words (rowid, terms) VALUES (?, ?)", (row, words))

    def _insert_vectors(self, vectors: Vectors) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
            [(key, np.ascontiguousarray(vector, dtype="<f4").tobytes()) for key, vector in vectors.items()],
        )

    def _insert_links(self, report_id: str, links: Iterable[Link]) -> None:
        self._db.executemany(
            "INSERT INTO links VALUES (?, ?, ?, ?)",
            [(report_id, link.problem, link.measure, link.score) for link in links],
        )

    def _delete_report(self, report_id: str) -> None:
        hashes = self._hashes(report_id)
        self._db.execute("DELETE FROM words WHERE rowid IN (SELECT row FROM passages WHERE report = ?)", (report_id,))
        self._db.execute("DELETE FROM reports WHERE id = ?", (report_id,))
        self._drop_unused(hashes)
        self._changed(rewritten=True)

    def _hashes(self, report_id: str) -> list[tuple[str]]:
        return self._db.execute("SELECT DISTINCT vector FROM passages WHERE report = ?", (report_id,)).fetchall()

    def _drop_unused(self, hashes: Iterable[tuple[str]]) -> None:
        self._db.executemany(
            "DELETE FROM vectors WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM passages WHERE vector = ?1)", hashes
        )

    def _seal(self, report_id: str, column: str, content: Sequence[str]) -> None:
        """Record a digest of a report's content, so that any later change of it can be found."""
        digest = self._digest(report_id, content)
        self._db.execute(f"UPDATE reports SET {column} = ? WHERE id = ?", (digest, report_id))  # noqa: S608  our own name

    def _digest(self, report_id: str, content: Sequence[str]) -> str:
        digest = hashlib.sha256()
        for sql in content:
            for row in self._db.execute(sql, (report_id,)).fetchall():
                digest.update(repr(row).encode())
        return digest.hexdigest()

    def _changed(self, *, rewritten: bool = False) -> None:
        generation = str(self.generation + 1)
        self.set_meta("generation", generation)
        if rewritten:
            self.set_meta("rewritten", generation)

    def replace_tags(
        self, report_id: str, passages: Sequence[TaggedPassage], links: Sequence[Link], vectors: Vectors
    ) -> None:
        """Store anew all that is derived from the passages of a report that is there: tags, links, words and vectors."""
        with self.transaction():
            before = self._hashes(report_id)
            self._insert_vectors(vectors)
            self._db.execute(
                "DELETE FROM words WHERE rowid IN (SELECT row FROM passages WHERE report = ?)", (report_id,)
            )
            moved = False
            for item in passages:
                row, vector = self._db.execute(
                    "SELECT row, vector FROM passages WHERE id = ?", (item.passage.id,)
                ).fetchone()
                moved = moved or vector != item.hash or vector in vectors
                tags = item.tags
                self._db.execute(
                    "UPDATE passages SET vector = ?, role = ?, role_score = ?, topic = ? WHERE row = ?",
                    (item.hash, tags.role, tags.role_score, tags.primary, row),
                )
                self._db.execute("DELETE FROM topics WHERE passage = ?", (row,))
                self._insert_words(row, item)
            self._db.execute("DELETE FROM links WHERE report = ?", (report_id,))
            self._insert_links(report_id, links)
            self._drop_unused(before)
            self._seal(report_id, "derived_digest", _DERIVED)
            self._changed(rewritten=moved)

    def put_corrections(self, corrections: Mapping[str, Correction]) -> None:
        """Keep what people decided, by the key of the passage; a later decision replaces an earlier one."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (key, c.text, _json(c.path), c.role, c.primary, _json(c.secondary), c.subtopic, c.group)
                    for key, c in corrections.items()
                ],
            )

    def corrections(self) -> dict[str, Correction]:
        """Return what people decided, by the key of the passage."""
        return {
            key: Correction(
                text=text,
                path=tuple(json.loads(path)),
                role=Role(role),
                primary=Topic(topic) if topic else None,
                secondary=tuple(Topic(other) for other in json.loads(secondary)),
                subtopic=subtopic,
                group=group,
            )
            for key, text, path, role, topic, secondary, subtopic, group in self._db.execute(
                "SELECT * FROM corrections ORDER BY key"
            ).fetchall()
        }

    def rows_of_text(self, texts: Sequence[str]) -> list[int]:
        """Return the keys of the passages that have one of these texts, white space at the ends aside, in order."""
        found: set[int] = set()
        for begin in range(0, len(texts), _CHUNK):
            chunk = [text.strip() for text in texts[begin : begin + _CHUNK]]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT row FROM passages WHERE {_TRIMMED} IN ({marks})"  # noqa: S608  only question marks
            found.update(row[0] for row in self._db.execute(sql, chunk))
        return sorted(found)

    def sweep(self) -> None:
        """Drop vectors and words that belong to no passage, and make the full-text index anew."""
        with self.transaction():
            self._db.execute("DELETE FROM vectors WHERE hash NOT IN (SELECT vector FROM passages)")
            self._db.execute("INSERT INTO words (words) VALUES ('rebuild')")
            self._db.execute("DELETE FROM words WHERE rowid NOT IN (SELECT row FROM passages)")

    # ------------------------------------------------------------------------------------------------------------------ reading

    def counts(self) -> tuple[int, int]:
        """Return how many reports and how many passages there are."""
        reports = self._db.execute("SELECT count(*) FROM reports").fetchone()[0]
        passages = self._db.execute("SELECT count(*) FROM passages").fetchone()[0]
        return int(reports), int(passages)

    def cards(self) -> tuple[ReportCard, ...]:
        """Return all reports without their texts, in the order of year, department and title."""
        rows = self._db.execute(
            "SELECT id, title, department, province, city, county, level, year, kind, taken_from, path, sha256, format, pages "
            "FROM reports ORDER BY year, department, title, id"
        )
        return tuple(_card(*row) for row in rows)

    def report(self, report_id: str) -> Report:
        """Return a report as it was stored; each passage tells its department, region, level and year, its own or the report's.

        Raises:
            NotFoundError: If there is no such report.
        """
        row = self._db.execute(
            "SELECT id, title, department, province, city, county, level, year, kind, taken_from, path, sha256, format, "
            "pages, text, warnings FROM reports WHERE id = ?",
            (report_id,),
        ).fetchone()
        if row is None:
            raise NotFoundError(f"库中没有编号为 {report_id} 的报告；可用 jixiao library info 查看编号")
        card = _card(*row[:14])
        sections = self._db.execute(
            "SELECT number, heading, level, start, stop, body FROM sections WHERE report = ? ORDER BY place",
            (report_id,),
        )
        links = self._db.execute(
            "SELECT problem, measure, score FROM links WHERE report = ? ORDER BY problem, measure", (report_id,)
        )
        return Report(
            id=card.id,
            text=row[14],
            identity=card.identity,
            source=card.source,
            sections=tuple(Section(*section) for section in sections),
            passages=tuple(found.passage for found in self.passages_of(report_id)),
            links=tuple(Link(*link) for link in links),
            warnings=tuple(json.loads(row[15])),
        )

    def passages_of(self, report_id: str) -> list[StoredPassage]:
        """Return the passages of a report in order."""
        rows = self._db.execute("SELECT row FROM passages WHERE report = ? ORDER BY row", (report_id,)).fetchall()
        return self.passages([row[0] for row in rows])

    def passages(self, rows: Sequence[int]) -> list[StoredPassage]:
        """Return the passages with these keys, in the order of the keys."""
        found: dict[int, StoredPassage] = {}
        for begin in range(0, len(rows), _CHUNK):
            chunk = [int(row) for row in rows[begin : begin + _CHUNK]]
            marks = ",".join("?" * len(chunk))
            topics: dict[int, list[TopicScore]] = {}
            for row, label, score, subtopic in self._db.execute(
                f"SELECT passage, label, score, subtopic FROM topics WHERE passage IN ({marks}) ORDER BY passage, place",  # noqa: S608  only question marks
                chunk,
            ):
                topics.setdefault(row, []).append(TopicScore(Topic(label), score, subtopic))
            for values in self._db.execute(
                f"SELECT {_PASSAGE_COLUMNS} FROM passages p JOIN reports r ON r.id = p.report WHERE p.row IN ({marks})",  # noqa: S608  only question marks
                chunk,
            ):
                found[values[0]] = _stored(values, tuple(topics.get(values[0], ())))
        return [found[int(row)] for row in rows]

    def row_of(self, passage_id: str) -> int | None:
        """Return the key of a passage, ``None`` if there is no such passage."""
        row = self._db.execute("SELECT row FROM passages WHERE id = ?", (passage_id,)).fetchone()
        return None if row is None else int(row[0])

    def measures_for(self, problem_id: str) -> list[tuple[int, float]]:
        """Return key and score of the measures that answer a problem."""
        rows = self._db.execute(
            "SELECT p.row, l.score FROM links l JOIN passages p ON p.id = l.measure WHERE l.problem = ? ORDER BY l.score DESC, p.row",
            (problem_id,),
        )
        return [(int(row), float(score)) for row, score in rows]

    def known_vectors(self, hashes: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of those texts that were encoded before."""
        found: dict[str, NDArray[np.float32]] = {}
        for begin in range(0, len(hashes), _CHUNK):
            chunk = list(hashes[begin : begin + _CHUNK])
            marks = ",".join("?" * len(chunk))
            for key, blob in self._db.execute(f"SELECT hash, vector FROM vectors WHERE hash IN ({marks})", chunk):  # noqa: S608  only question marks
                found[key] = np.frombuffer(blob, dtype="<f4")
        return found

    def vectors_of(self, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Return the vectors of passages, by key."""
        found: dict[int, NDArray[np.float32]] = {}
        for begin in range(0, len(rows), _CHUNK):
            chunk = [int(row) for row in rows[begin : begin + _CHUNK]]
            sql = f"SELECT p.row, v.vector FROM passages p JOIN vectors v ON v.hash = p.vector WHERE p.row IN ({','.join('?' * len(chunk))})"  # noqa: S608  only question marks
            for row, blob in self._db.execute(sql, chunk):
                found[row] = np.frombuffer(blob, dtype="<f4")
        return found

    def vectors(self, dims: int, after: int = 0) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield keys and vectors of the passages whose keys are higher than one, a bounded number at once.

        Shapes:
            ``(n,)`` and ``(n, dims)``, in the order of the keys.
        """
        sql = (
            "SELECT p.row, v.vector FROM passages p JOIN vectors v ON v.hash = p.vector WHERE p.row > ? "
            "ORDER BY p.row LIMIT ?"
        )
        while rows := self._db.execute(sql, (after, _VECTORS_AT_ONCE)).fetchall():
            keys = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            yield keys, np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(len(rows), dims)
            after = int(keys[-1])

    # ---------------------------------------------------------------------------------------------------- filters, words, counts

    def rows_passing(self, filters: Filters) -> NDArray[np.int64] | None:
        """Return the keys of the passages that pass, in order; ``None`` where the filters let everything pass."""
        where, values = _where(filters)
        if not where:
            return None
        rows = self._db.execute(f"SELECT p.row FROM passages p WHERE {where} ORDER BY p.row", values).fetchall()  # noqa: S608  from our own words
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def search_words(self, query: Sequence[str], filters: Filters, limit: int) -> list[tuple[int, float]]:
        """Return keys and BM25 scores (higher is better) of passages that share words with the query, best first.

        Of the query's words only the rarest count, as many as are needed: a word of half the passages finds nothing, and
        scoring all of them is what would take the time.
        """
        where, values = _where(filters)
        match = " OR ".join(_quoted(word) for word in self._telling(query))
        if not match:
            return []
        sql = (
            "SELECT w.rowid, -bm25(words) AS score FROM words w JOIN passages p ON p.row = w.rowid "  # noqa: S608  from our own words
            f"WHERE words MATCH ? AND {where} ORDER BY score DESC, w.rowid LIMIT ?"
            if where
            else "SELECT rowid, -bm25(words) AS score FROM words WHERE words MATCH ? ORDER BY score DESC, rowid LIMIT ?"
        )
        return [(int(row), float(score)) for row, score in self._db.execute(sql, (match, *values, limit))]

    def _telling(self, words: Sequence[str]) -> list[str]:
        """Return the rarest of some words that stand anywhere, until they stand in enough passages."""
        counts = self._found(words)
        telling, passages = [], 0
        for word in sorted(counts, key=lambda word: (counts[word], word)):
            if passages >= _ENOUGH_MATCHES:
                break
            telling.append(word)
            passages += counts[word]
        return telling

    def _counts(self, words: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each word stands, for those that stand in any."""
        found: dict[str, int] = {}
        for begin in range(0, len(words), _CHUNK):
            chunk = list(words[begin : begin + _CHUNK])
            marks = ",".join("?" * len(chunk))
            found.update(self._db.execute(f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})", chunk))  # noqa: S608  only question marks
        return found

    def known_words(self, words: Sequence[str]) -> set[str]:
        """Return those of some words that stand in any passage."""
        return set(self._found(words))

    def _found(self, words: Sequence[str]) -> dict[str, int]:
        """Return in how many passages each word stands, also such as 98.5, of which the full-text index makes several words."""
        counts = self._counts(words)
        for word in words:
            if word not in counts and not word.isalnum():
                sql = "SELECT count(*) FROM words WHERE words MATCH ?"
                counts[word] = self._db.execute(sql, (_quoted(word),)).fetchone()[0]
        return {word: count for word, count in counts.items() if count}

    def word_weights(self, words: Sequence[str]) -> dict[str, float]:
        """Return, for each word, how much it tells: its inverse document frequency, as in BM25 with a floor of zero."""
        total = self._db.execute("SELECT count(*) FROM passages").fetchone()[0]
        counts = self._counts(words)
        return {word: math.log(1 + (total - (n := counts.get(word, 0)) + 0.5) / (n + 0.5)) for word in words}

    def words_in(self, rows: Sequence[int]) -> dict[int, frozenset[str]]:
        """Return the indexed words of passages, by key."""
        found: dict[int, frozenset[str]] = {}
        for begin in range(0, len(rows), _CHUNK):
            chunk = [int(row) for row in rows[begin : begin + _CHUNK]]
            marks = ",".join("?" * len(chunk))
            for row, terms in self._db.execute(f"SELECT rowid, terms FROM words WHERE rowid IN ({marks})", chunk):  # noqa: S608  only question marks
                found[row] = frozenset(terms.split())
        return found

    def labels(self, rows: Sequence[int]) -> list[Labels]:
        """Return role, topic, subtopic, year, department and text of passages."""
        found: list[Labels] = []
        for begin in range(0, len(rows), _CHUNK):
            chunk = [int(row) for row in rows[begin : begin + _CHUNK]]
            sql = (
                "SELECT p.row, p.role, p.topic, t.subtopic, p.year, p.department, p.text FROM passages p "  # noqa: S608  only question marks
                "LEFT JOIN topics t ON t.passage = p.row AND t.label = p.topic "
                f"WHERE p.row IN ({','.join('?' * len(chunk))})"
            )
            found += [Labels(*values) for values in self._db.execute(sql, chunk)]
        return found

    def rows_containing(self, text: str, filters: Filters, limit: int) -> list[int]:
        """Return keys of passages that contain the very characters."""
        where, values = _where(filters)
        sql = (
            f"SELECT p.row FROM passages p WHERE instr(p.text, ?) > 0 {'AND ' + where if where else ''} "  # noqa: S608  from our own words
            "ORDER BY length(p.text), p.row LIMIT ?"
        )
        return [int(row[0]) for row in self._db.execute(sql, (text, *values, limit))]

    def cells(self, filters: Filters) -> list[Cell]:
        """Return what is counted of each passage that passes."""
        where, values = _where(filters)
        sql = (
            "SELECT p.row, p.report || '/' || coalesce(p.department, '') || '/' || coalesce(p.year, ''), "  # noqa: S608  from our own words
            "p.topic, p.department, p.province, p.city, p.county, p.level, p.year, p.kind, p.role, t.subtopic, "
            "p.given_role IS NOT NULL FROM passages p LEFT JOIN topics t ON t.passage = p.row AND t.label = p.topic "
            f"{'WHERE ' + where if where else ''} ORDER BY p.row"
        )
        rows = self._db.execute(sql, values).fetchall()
        names = names_of_regions([(key[0], Region(*key[1:])) for key in {row[3:7] for row in rows}])
        return [Cell._make((*row[:4], names[row[3:7]], *row[7:])) for row in rows]

    def integrity(self) -> list[str]:
        """Return what is wrong with the file, in Chinese; empty where it is sound."""
        problems: list[str] = []
        for check in (self._pages, self._word_index, self._faults, self._changed_reports):
            try:
                problems.extend(check())
            except LibraryError as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems))

    def _pages(self) -> Iterator[str]:
        for (message,) in self._db.execute("PRAGMA integrity_check(10)").fetchall():
            if message != "ok":
                yield f"SQLite 完整性检查：{' '.join(message.split())}；请另建一个库重新入库"

    def _word_index(self) -> Iterator[str]:
        try:
            self._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        except LibraryError as error:
            yield f"全文索引与条目不符（{error.__cause__}）；请运行 jixiao library rebuild"

    def _faults(self) -> Iterator[str]:
        with self.snapshot():
            for message, sql in _FAULTS.items():
                count = self._db.execute(sql).fetchone()[0]
                if count:
                    yield message.format(count=count)

    def damaged(self) -> list[str]:
        """Return the reports whose tags, links, words or vectors are not those that were stored."""
        return self._differing("derived_digest", _DERIVED)

    def _differing(self, column: str, content: Sequence[str]) -> list[str]:
        with self.snapshot():
            rows = self._db.execute(f"SELECT id, {column} FROM reports ORDER BY id").fetchall()  # noqa: S608  our own names
            return [rid for rid, digest in rows if self._digest(rid, content) != digest]

    def _changed_reports(self) -> Iterator[str]:
        for changed, what, advice in (
            (self._differing("given_digest", _GIVEN), "原文或身份", "请用 jixiao library remove 删除后重新入库"),
            (self.damaged(), "标注、链接、词语或向量", "请运行 jixiao library rebuild"),
        ):
            if changed:
                named = "、".join(changed[:_NAMED_REPORTS]) + (" 等" if len(changed) > _NAMED_REPORTS else "")
                yield f"{len(changed)} 份报告的{what}与入库时不一致（{named}）；{advice}"


def _where(filters: Filters) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    values: list[Any] = []
    if filters.department is not None:
        clauses.append(f"p.department IN ({_DEPARTMENTS} AND instr(name, ?) > 0)")
        values.append(filters.department)
    if filters.region is not None:
        asked, _ = split_region(filters.region)
        # Of a passage the places above the narrowest one may be unknown: then they are taken to be those that are asked for.
        clauses.append("instr(coalesce(p.province, ?, '') || coalesce(p.city, ?, '') || coalesce(p.county, ''), ?) > 0")
        values += [
            asked.province if asked.city or asked.county else None,
            asked.city if asked.county else None,
            filters.region,
        ]
    for column, value in (("level", filters.level), ("kind", filters.kind), ("role", filters.role)):
        if value is not None:
            clauses.append(f"p.{column} = ?")
            values.append(value)
    for column, unwanted in (
        ("department", filters.not_department),
        ("year", filters.not_year),
        ("row", filters.not_row),
    ):
        if unwanted is not None:
            clauses.append(f"p.{column} IS NOT ?")
            values.append(unwanted)
    if filters.years is not None:
        clauses.append("p.year BETWEEN ? AND ?")
        values.extend(filters.years)
    if filters.topic is not None:
        clauses.append("p.row IN (SELECT passage FROM topics WHERE label = ?)")
        values.append(filters.topic)
    return " AND ".join(clauses), values


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _card(*row: Any) -> ReportCard:
    (rid, title, department, province, city, county, level, year, kind, taken, path, sha256, form, pages) = row
    identity = Identity(
        title,
        department,
        Region(province, city, county),
        Level(level) if level else None,
        year,
        Kind(kind) if kind else None,
        json.loads(taken),
    )
    return ReportCard(rid, identity, Source(path, sha256, form, pages))


def _stored(values: Sequence[Any], topics: tuple[TopicScore, ...]) -> StoredPassage:
    (row, pid, text, start, stop, section, lead, page, ref, given, department, province, city, county, level, year) = (
        values[:16]
    )
    role, role_score, topic = values[16:19]
    (rid, title, kind, taken, path, sha256, form, pages) = values[19:]
    region = Region(province, city, county)
    passage = Passage(
        id=pid,
        text=text,
        start=start,
        end=stop,
        section=tuple(json.loads(section)),
        lead=lead,
        page=page,
        ref=ref,
        role=Role(given) if given else None,
        department=department,
        region=region,
        level=Level(level) if level else None,
        year=year,
    )
    tags = Tags(Role(role), role_score, Topic(topic) if topic else None, topics)
    card = _card(rid, title, department, province, city, county, level, year, kind, taken, path, sha256, form, pages)
    return StoredPassage(row, passage, tags, card)
