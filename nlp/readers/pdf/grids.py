"""Makes tables of the ruling lines of a page, and puts the glyphs inside them into their cells."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp.readers.pdf.geometry import clustered, nearest
from nlp.readers.pdf.lines import glued, lines_of
from nlp.readers.pdf.marks import begins_item
from nlp.readers.pdf.rulings import JOINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.readers.pdf.geometry import Point
    from nlp.readers.pdf.glyphs import Glyph
    from nlp.readers.pdf.lines import Line
    from nlp.readers.pdf.rulings import Rule

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

_COLUMN_MIN = 5.0  # points; no column is narrower (half a character), so nearer vertical rulings are a double border
_ROW_MIN = 3.0  # points; the same of rows, which printed score sheets set tighter
_COVERED = 0.6  # share of a cell's side that a ruling must cover to be its border, so that stubs and gaps do not count
_TIGHT = 2.5  # em; a line that ends this near to its cell's border is full: two characters and the cell's inner margin


@dataclass(frozen=True, slots=True)
class Region:
    """A cell, merged or not.

    Attributes:
        rows: The first row that it covers and the one behind the last.
        columns: The same of its columns.
        is_full: Whether its text stops at the right border in mid-sentence.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    text: str = ""
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table on one page: where its columns and rows are parted, and its cells."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    regions: tuple[Region, ...]
    page: int

    @property
    def top(self) -> float:
        """Where its first row begins."""
        return self.ys[0]

    @property
    def bottom(self) -> float:
        """Where its last row ends."""
        return self.ys[-1]

    @property
    def area(self) -> float:
        """Its area, in square points."""
        return (self.xs[-1] - self.xs[0]) * (self.ys[-1] - self.ys[0])

    def covers(self, glyph: Glyph) -> bool:
        """Whether a glyph stands in it."""
        x, y = glyph.middle
        return self.xs[0] <= x <= self.xs[-1] and self.ys[0] <= y <= self.ys[-1]

    def place(self, point: Point) -> tuple[int, int]:
        """Row and column of a point inside it."""
        x, y = point
        return max(bisect_left(self.ys, y) - 1, 0), max(bisect_left(self.xs, x) - 1, 0)


# --------------------------------------------------------------------------------------------------- from rulings to grids


def empty_grids(across: list[Rule], down: list[Rule], page: int) -> list[Grid]:
    """Return the tables of a page without their text, the smallest first; a frame round one column is no table."""
    grids = (_grid(rows, columns, page) for rows, columns in _groups(across, down))
    return sorted((grid for grid in grids if grid is not None), key=lambda grid: grid.area)


def _groups(across: list[Rule], down: list[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Yield the rulings that touch one another, directly or through others."""
    if not across or not down:
        return
    touch = _touching(across, down)
    free = set(range(len(across)))
    while free:
        rows, columns = _connected(touch, free.pop())
        free -= set(rows)
        if columns:
            yield [across[i] for i in rows], [down[i] for i in columns]


def _touching(across: list[Rule], down: list[Rule]) -> Mask:
    """Return which horizontal ruling (first axis) touches which vertical one (second axis)."""
    at, lo, hi = (column[:, None] for column in _reaches(across))
    place, start, end = (column[None, :] for column in _reaches(down))
    return np.asarray((lo <= place) & (place <= hi) & (start <= at) & (at <= end))


def _reaches(rules: list[Rule]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([(rule.at, rule.lo - JOINT, rule.hi + JOINT) for rule in rules]).T


def _connected(touch: Mask, start: int) -> tuple[list[int], list[int]]:
    """Return the rows and the columns that can be reached from one row.

    >>> _connected(np.array([[True, True, False], [False, False, True], [False, True, False]]), 0)
    ([0, 2], [0, 1])
    """
    rows = np.arange(len(touch)) == start
    while True:
        columns = touch[rows].any(axis=0)
        more = rows | touch[:, columns].any(axis=1)
        if (more == rows).all():
            return np.flatnonzero(rows).tolist(), np.flatnonzero(columns).tolist()
        rows = more


def _grid(across: list[Rule], down: list[Rule], page: int) -> Grid | None:
    """Return the empty grid of rulings that touch, `None` if it has not two columns."""
    xs = _edges([rule.at for rule in down], across, _COLUMN_MIN)
    ys = _edges([rule.at for rule in across], down, _ROW_MIN)
    if len(xs) < 3 or len(ys) < 2:  # noqa: PLR2004 - two columns, one row
        return None
    left = _borders(down, xs, ys)
    above = _borders(across, ys, xs).T
    return Grid(tuple(xs), tuple(ys), tuple(_regions(left, above)), page)


def _edges(places: list[float], crossing: list[Rule], least: float) -> list[float]:
    """Return where columns (or rows) are parted, the outer borders included.

    They are often left out: the ends of the crossing rulings stand for them.
    """
    edges = clustered(places, least)
    first, last = min(rule.lo for rule in crossing), max(rule.hi for rule in crossing)
    if first < edges[0] - least:
        edges.insert(0, first)
    if last > edges[-1] + least:
        edges.append(last)
    return edges


def _borders(rules: list[Rule], places: list[float], steps: list[float]) -> Mask:
    """Return which steps of which place a ruling covers.

    Shapes:
        (n_steps - 1, n_places): entry (i, j) for the stretch from step i to step i + 1 along place j.
    """
    covered = np.zeros((len(steps) - 1, len(places)))
    lows, highs = np.array(steps[:-1]), np.array(steps[1:])
    find = nearest(places)
    for rule in rules:
        covered[:, find(rule.at)] += np.clip(np.minimum(highs, rule.hi) - np.maximum(lows, rule.lo), 0, None)
    return np.asarray(covered >= _COVERED * (highs - lows)[:, None])


def _regions(left: Mask, above: Mask) -> Iterator[Region]:
    """Yield the cells: neighbours without a border between them are one.

    Args:
        left: Whether the cell (row, column) has a border on its left.
        above: Whether it has one above.
    """
    height, width = left.shape[0], above.shape[1]
    seen = np.zeros((height, width), dtype=bool)
    for row, column in np.ndindex(height, width):
        if seen[row, column]:
            continue
        last = column + 1
        while last < width and not left[row, last] and not seen[row, last]:
            last += 1
        end = row + 1
        while end < height and not above[end, column:last].any() and not left[end, column + 1 : last].any():
            end += 1
        seen[row:end, column:last] = True
        yield Region((row, end), (column, last))


# ------------------------------------------------------------------------------------------------------ text in the cells


def filled(grid: Grid, glyphs: list[Glyph]) -> Grid:
    """Return the grid with the text of its cells.

    Args:
        grid: An empty grid.
        glyphs: The glyphs that it covers.
    """
    owner = {
        (row, column): number
        for number, region in enumerate(grid.regions)
        for row in range(*region.rows)
        for column in range(*region.columns)
    }
    inside: list[list[Glyph]] = [[] for _ in grid.regions]
    for glyph in glyphs:
        inside[owner[grid.place(glyph.middle)]].append(glyph)
    return replace(grid, regions=tuple(_written(grid, *pair) for pair in zip(grid.regions, inside, strict=True)))


def _written(grid: Grid, region: Region, glyphs: list[Glyph]) -> Region:
    lines = lines_of(glyphs, grid.page)
    if not lines:
        return region
    room = grid.xs[region.columns[1]] - lines[-1].x1
    return replace(region, text=_cell_text(lines), is_full=lines[-1].is_open and room < _TIGHT * lines[-1].size)


def _cell_text(lines: list[Line]) -> str:
    """Return the lines of a cell, wrapped ones joined, real paragraphs parted by a newline."""
    edge = max(line.x1 for line in lines)
    paragraphs = [[lines[0].text]]
    for before, line in pairwise(lines):
        # One character of slack: cells are narrow, and their lines fill unevenly.
        is_short = edge - before.x1 > line.lead + before.size
        if is_short and (not before.is_open or begins_item(line.text)):
            paragraphs.append([])
        paragraphs[-1].append(line.text)
    return "\n".join(glued(texts) for texts in paragraphs)
