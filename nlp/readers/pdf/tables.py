"""Makes one table of the grids that it has on the pages that it goes on over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from nlp.readers.pdf.geometry import clustered, nearest
from nlp.readers.pdf.lines import glued
from nlp.records import Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp.readers.pdf.grids import Grid

_FIGURE = re.compile(r"[\d,.%\-－—]+")

_SAME_PLACE = 5.0  # points; vertical rulings of two pages this near to each other part the same columns
_HEAD_ROWS = 5  # rows at the top of a table among which repeated head rows are looked for; sheets have up to three


@dataclass(slots=True)
class _OpenRow:
    """A row in the making: its cells by column of the whole table.

    Attributes:
        full: Columns whose text stops at the right border in mid-sentence.
        merged: Columns whose cell goes over several rows of its page, with the number of that cell.
    """

    page: int
    cells: list[str]
    full: set[int]
    merged: dict[int, int]


def goes_on(last: Grid, grid: Grid) -> bool:
    """Tell whether the first thing on a page is the rest of the table that the page before ended with."""
    if grid.page != last.page + 1:
        return False
    few, many = sorted((last.xs, grid.xs), key=len)
    ends = abs(few[0] - many[0]) < _SAME_PLACE and abs(few[-1] - many[-1]) < _SAME_PLACE
    return ends and all(min(abs(x - other) for other in many) < _SAME_PLACE for x in few)


def table_of(chain: Sequence[Grid]) -> Table:
    """Return the one table that the grids of following pages make."""
    xs = clustered([x for grid in chain for x in grid.xs], _SAME_PLACE)
    rows: list[_OpenRow] = []
    starts: set[int] = set()
    for grid in chain:
        fresh = _open_rows(grid, xs, starts)
        fresh = fresh[_heads_repeated(rows, fresh) :]
        if rows and fresh:
            _carry_merged(rows[-1], fresh)
            if _is_split(rows[-1], fresh[0]):
                rows[-1] = _united(rows[-1], fresh.pop(0))
        rows += fresh
    # A column that no cell begins in is the work of a stray ruling, as is a row.
    columns = sorted(starts)
    kept = (row for row in rows if any(row.cells))
    return Table(tuple(Row(tuple(row.cells[column] for column in columns), page=row.page) for row in kept))


def _open_rows(grid: Grid, xs: list[float], starts: set[int]) -> list[_OpenRow]:
    """Return the rows of one page's grid on the table's columns; adds the columns that a cell begins in to `starts`."""
    find = nearest(xs)
    rows = [_OpenRow(grid.page, [""] * (len(xs) - 1), set(), {}) for _ in grid.ys[1:]]
    begun: set[int] = set()
    for number, region in enumerate(grid.regions):
        column = find(grid.xs[region.columns[0]])
        first, behind = region.rows
        starts.add(column)
        begun.add(first)
        for row in rows[first:behind]:
            row.cells[column] = region.text
            if region.is_full:
                row.full.add(column)
            if behind - first > 1:
                row.merged[column] = number
    return [rows[index] for index in sorted(begun)]


def _heads_repeated(rows: list[_OpenRow], fresh: list[_OpenRow]) -> int:
    """Return how many rows at the top of a page repeat rows at the top of the table."""

    def repeated_from(start: int) -> int:
        pairs = zip(rows[start : start + _HEAD_ROWS], fresh, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0].cells == pair[1].cells and any(pair[1].cells), pairs))

    return max(map(repeated_from, range(min(len(rows), _HEAD_ROWS))), default=0)


def _carry_merged(last: _OpenRow, fresh: list[_OpenRow]) -> None:
    """Write the text of a merged cell that a page break cut into its rows behind the break, which have it empty."""
    first = fresh[0]
    for column, text in enumerate(last.cells):
        number = first.merged.get(column)
        if first.cells[column] or (number is None and column not in last.merged):
            continue
        for row in fresh:
            if row is first or (number is not None and row.merged.get(column) == number):
                row.cells[column] = text


def _is_split(last: _OpenRow, first: _OpenRow) -> bool:
    """Tell whether the first row of a page is the rest of the last row before: each cell goes on, is done or repeats."""
    goes_on = False
    for column, (before, after) in enumerate(zip(last.cells, first.cells, strict=True)):
        if not after or after == before:
            continue
        if column not in last.full or _FIGURE.fullmatch(before + after):
            return False
        goes_on = True
    return goes_on


def _united(last: _OpenRow, first: _OpenRow) -> _OpenRow:
    cells = [
        before if after in {"", before} else glued([before, after])
        for before, after in zip(last.cells, first.cells, strict=True)
    ]
    return _OpenRow(last.page, cells, first.full, first.merged)
