"""Ledgers: tables with one problem per row, known by the heads of their columns, whatever file they come in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from nlp.records import Level, Line, Link, Passage, Role
from nlp.regions import parse_region
from nlp.text import Text

_ROLES = {"problem": Role.PROBLEM, "cause": Role.CAUSE, "measure": Role.MEASURE, "text": None}
_EMPTY = re.compile(r"[\s/\\—\-–－*]*(?:无|暂无|略|不适用)?[。.]?")
_HEAD_ROWS = 6


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a text's ledgers hold.

    Attributes:
        spans: Stretches of the text that belong to ledgers; no other room cuts passages there.
        passages: One per problem, cause, measure or text cell, with the row's own department, year and region.
        links: The measure of a row answers the problem of that row: score 1.
    """

    spans: tuple[tuple[int, int], ...]
    passages: tuple[Passage, ...]
    links: tuple[Link, ...]


@cache
def _heads() -> dict[str, tuple[str, ...]]:
    data = tomllib.loads(files("nlp.data").joinpath("heads.toml").read_text("utf-8"))
    return {field: tuple(names) for field, names in data["ledger"].items()}


def read_ledgers(text: Text, report_id: str) -> Ledger:
    """Return the passages and links of all tables of a text that are ledgers; empty where none is."""
    tables: dict[int, list[Line]] = {}
    for line in text.lines:
        if line.table is not None:
            tables.setdefault(line.table, []).append(line)
    spans: list[tuple[int, int]] = []
    passages: list[Passage] = []
    links: list[Link] = []
    for rows in tables.values():
        head = _find_head(text, rows)
        if head is None:
            continue
        place, columns = head
        spans.append((rows[0].start, rows[-1].end))
        above: Passage | None = None
        for found in _read_rows(text, rows[place + 1 :], columns):
            again = above is not None and _is_same(above, found[0])
            row = [replace(p, id=f"{report_id}-L{len(passages) + i:04d}") for i, p in enumerate(found[again:], 1)]
            passages.extend(row)
            if not again:
                above = next((p for p in row if p.role is Role.PROBLEM), None)
            if above is not None:
                links.extend(Link(above.id, p.id, 1.0) for p in row if p.role is Role.MEASURE)
    return Ledger(tuple(spans), tuple(passages), tuple(links))


def _is_same(above: Passage, passage: Passage) -> bool:
    """Return whether a problem is the one of the row above, in a cell merged over rows that hold a measure each."""
    mine, its = (replace(p, id="", start=0, end=0, page=None) for p in (above, passage))
    return mine == its


def _find_head(text: Text, rows: list[Line]) -> tuple[int, dict[str, int]] | None:
    for place, row in enumerate(rows[:_HEAD_ROWS]):
        cells = [_normal(text.text[a:b]) for a, b in row.cells]
        columns: dict[str, int] = {}
        for field, names in _heads().items():
            column = next((cells.index(name) for name in names if name in cells), None)
            if column is not None:
                columns[field] = column
        named = len(set(columns.values()))
        is_column_of_texts = "text" in columns and len(cells) == 1
        if is_column_of_texts or (named > 1 and ("problem" in columns or "text" in columns)):
            return place, columns
    return None


def _normal(head: str) -> str:
    return re.sub(r"[（(].*?[）)]|\s", "", head).lower()


def _read_rows(text: Text, rows: list[Line], columns: dict[str, int]) -> Iterator[list[Passage]]:
    """Yield the passages of each row; an empty 部门 or 序号 means the one above (a merged cell)."""
    carried: dict[str, str] = {}
    for row in rows:
        values = {field: text.text[slice(*row.cells[c])] for field, c in columns.items() if c < len(row.cells)}
        if _is_head_again(values):
            continue
        for field in ("ref", "department", "year", "region", "level"):
            if values.get(field):
                carried[field] = values[field]
        found = [
            _passage(text, row, columns[field], role, carried)
            for field, role in _ROLES.items()
            if field in values and not _EMPTY.fullmatch(values[field])
        ]
        if found:
            yield found


def _is_head_again(values: dict[str, str]) -> bool:
    return all(not value or _normal(value) in _heads()[field] for field, value in values.items())


def _passage(text: Text, row: Line, column: int, role: Role | None, carried: dict[str, str]) -> Passage:
    start, end = row.cells[column]
    year = re.search(r"(?:19|20)\d\d", carried.get("year", ""))
    level = next((level for level in Level if level.value in carried.get("level", "")), None)
    return Passage(
        id="",
        text=text.text[start:end],
        start=start,
        end=end,
        page=row.page,
        ref=carried.get("ref"),
        role=role,
        department=carried.get("department"),
        region=parse_region(carried.get("region", "")),
        level=level,
        year=int(year.group()) if year else None,
    )
