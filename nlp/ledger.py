"""Ledgers: tables with one problem per row, known by the heads of their columns, whatever file they come in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from nlp.records import Level, Line, Link, Passage, Role
from nlp.regions import parse_region
from nlp.text import Text

_ROLES = {"problem": Role.PROBLEM, "cause": Role.CAUSE, "measure": Role.MEASURE, "text": None}
_CARRIED = ("ref", "department", "year", "region", "level")
_EMPTY = re.compile(r"[\s/\\—\-–－*]*(?:无|暂无|略|不适用)?[。.]?")
_HEAD_ROWS = 6
_LONGEST_HEAD = 20
_LONGEST_LABEL = 10

# The cells of a row, and the columns of each field by the heads above them.
Cells = list[str]
Columns = dict[str, list[int]]


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
def _heads() -> dict[str, tuple[re.Pattern[str], ...]]:
    return {field: tuple(map(re.compile, forms)) for field, forms in _data()["ledger"].items()}


@cache
def _office() -> re.Pattern[str]:
    return re.compile(_data()["group"]["office"])


def _data() -> dict[str, Any]:
    return tomllib.loads(files("nlp.data").joinpath("heads.toml").read_text("utf-8"))


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
        head = _find_head([_cells(text, row) for row in rows])
        if head is None:
            continue
        place, columns = head
        spans.append((rows[0].start, rows[-1].end))
        above: list[Passage] = []
        for goes_on, found in _read_rows(text, rows[place + 1 :], columns):
            again = [first for first in above if any(_is_same(first, p) for p in found)]
            new = [p for p in found if not any(_is_same(first, p) for first in above)]
            new = [replace(p, id=f"{report_id}-L{len(passages) + i:04d}") for i, p in enumerate(new, 1)]
            passages.extend(new)
            if not goes_on:
                above = again + [p for p in new if p.role is Role.PROBLEM]
            links.extend(Link(problem.id, p.id, 1.0) for problem in above for p in new if p.role is Role.MEASURE)
    return Ledger(tuple(spans), tuple(passages), tuple(links))


def _cells(text: Text, row: Line) -> Cells:
    return [text.text[a:b] for a, b in row.cells]


def _is_same(above: Passage, passage: Passage) -> bool:
    """Return whether a problem is the one of the row above, in a cell merged over rows that hold a measure each."""
    return passage.text == above.text and passage == replace(
        above, id=passage.id, start=passage.start, end=passage.end, page=passage.page
    )


# ------------------------------------------------------------------------------------------------------------------ heads


def _find_head(rows: list[Cells]) -> tuple[int, Columns] | None:
    """Return the last row of a table's head and its columns by field; ``None`` where the table is no ledger."""
    lines = [[_normal(cell) for cell in row] for row in rows[: _HEAD_ROWS + 1]]
    for place, line in enumerate(lines[:_HEAD_ROWS]):
        last, names = place, line
        if place + 1 < len(lines) and _divides(lines[place + 1], line):
            last = place + 1
            names = _join(line, lines[last], rows[last + 1 :])
        columns = _columns(names)
        is_column_of_texts = "text" in columns and len(names) == 1
        is_head = len(columns) > 1 and ("problem" in columns or "text" in columns)
        if (is_head or is_column_of_texts) and not _is_form(names, columns, rows[last + 1 :]):
            return last, columns
    return None


def _normal(head: str) -> str:
    return re.sub(r"[（(].*?[）)]|\s", "", head).lower()


def _columns(names: Cells) -> Columns:
    """Return the columns by field: all that state problems, causes, measures; of others the one with the foremost name."""
    columns: Columns = {}
    for field, forms in _heads().items():
        found = [(rank, c) for rank, form in enumerate(forms) for c, name in enumerate(names) if form.fullmatch(name)]
        if found:
            columns[field] = sorted({c for _, c in found}) if field in _ROLES else [found[0][1]]
    return columns


def _is_name(head: str, *fields: str) -> bool:
    return any(form.fullmatch(head) for field in fields for form in _heads()[field])


def _is_prose(cell: str, longest: int = _LONGEST_HEAD) -> bool:
    return len(cell) > longest or re.search(r"[，。；]", cell) is not None


def _is_form(names: Cells, columns: Columns, below: list[Cells]) -> bool:
    """Return whether the names stand before what they ask for ("存在问题 … 改进措施 …") and not above it."""
    if any(map(_is_prose, names)):
        return True
    known = {c for places in columns.values() for c in places}
    asked = all(c + 1 < len(names) and c + 1 not in known for c in known)
    places = [*columns.get("problem", ()), *columns.get("text", ())]
    texts = [row[c] for row in below if sum(map(bool, row)) > 1 for c in places if c < len(row)]
    return asked and not any(_is_prose(text, _LONGEST_LABEL) for text in texts)


def _divides(lower: Cells, upper: Cells) -> bool:
    """Return whether a row is the second line of a head: names under names, some of which are merged over both lines."""
    if sum(map(bool, upper)) == 1 or any(_is_prose(cell) or re.search(r"\d", cell) for cell in lower):
        return False
    merged = any(cell and cell == above for cell, above in zip(lower, upper, strict=False))
    return merged or any(
        _is_name(cell, *_ROLES) and (not above or _is_name(above, *_ROLES))
        for cell, above in zip(lower, upper, strict=False)
    )


def _join(upper: Cells, lower: Cells, below: list[Cells]) -> Cells:
    """Return one line of names for a head of two.

    A name of the upper line that no known one divides stands for the column under it that has most text.
    """
    names = list(lower)
    starts = [c for c, cell in enumerate(upper) if cell]
    for start, end in pairwise([*starts, len(upper)]):
        under = range(start, min(end, len(lower)))
        rivals = (_ROLES if _is_name(upper[start], *_ROLES) else _heads()).keys() - {"text"}
        if under and not any(_is_name(lower[c], *rivals) for c in under):
            names[max(under, key=lambda c: sum(len(row[c]) for row in below if c < len(row)))] = upper[start]
    return names


# ------------------------------------------------------------------------------------------------------------------- rows


def _read_rows(text: Text, rows: list[Line], columns: Columns) -> Iterator[tuple[bool, list[Passage]]]:
    """Yield for each row whether it goes on with the problem above (a merged cell), and its passages.

    An empty 部门 or 序号 means the one above; an office that is all that a row holds is that of the rows below.
    """
    carried: dict[str, str] = {}
    for row in rows:
        cells = _cells(text, row)
        group = _group(cells)
        if group:
            carried["department"] = group
            yield False, []
            continue
        values = {field: [cells[c] for c in places if c < len(cells)] for field, places in columns.items()}
        if _is_head_again(values):
            continue
        own = {field: value for field in _CARRIED for value in values.get(field, ()) if value}
        goes_on = own.items() <= carried.items() and not any(values.get("problem", ()))
        carried |= own
        yield (
            goes_on,
            [
                _passage(text, row, column, role, carried)
                for field, role in _ROLES.items()
                for column, value in zip(columns.get(field, ()), values.get(field, ()), strict=False)
                if not _EMPTY.fullmatch(value)
            ],
        )


def _group(cells: Cells) -> str | None:
    """Return the office that a row names which holds nothing else ("二、青禾县水利局")."""
    filled = [cell for cell in cells if cell]
    match = _office().fullmatch(filled[0]) if len(filled) == 1 < len(cells) else None
    return match["name"] if match else None


def _is_head_again(values: dict[str, list[str]]) -> bool:
    named = {field: [_is_name(_normal(value), field) for value in given if value] for field, given in values.items()}
    return any(any(named.get(field, ())) for field in _CARRIED) or all(all(given) for given in named.values())


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
