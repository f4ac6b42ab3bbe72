"""Turns the strokes of a page into ruling lines: which run across, which run down, and which pieces are one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nlp.readers.pdf.geometry import clustered, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlp.readers.pdf.geometry import Point, Turn

JOINT = 3.0  # points; rulings this near to each other touch: writers leave gaps of a stroke's width at corners
_LEVEL = 1.0  # points by which a stroke may rise over its whole length and still be a ruling
_SAME_LINE = 1.5  # points; the pieces of one ruling are drawn cell by cell and differ by their rounding


@dataclass(frozen=True, slots=True)
class Rule:
    """A ruling line: its place across (y of a horizontal one, x of a vertical one) and its two ends."""

    at: float
    lo: float
    hi: float


def rulings(strokes: Iterable[tuple[Point, Point]], turn: Turn) -> tuple[list[Rule], list[Rule]]:
    """Return the horizontal and the vertical rulings; pieces in one line that touch are one ruling."""
    across: list[Rule] = []
    down: list[Rule] = []
    for start, end in strokes:
        (x0, y0), (x1, y1) = turn(*start), turn(*end)
        if abs(y1 - y0) < _LEVEL < abs(x1 - x0):
            across.append(Rule((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
        elif abs(x1 - x0) < _LEVEL < abs(y1 - y0):
            down.append(Rule((x0 + x1) / 2, min(y0, y1), max(y0, y1)))
    return _joined(across), _joined(down)


def _joined(rules: list[Rule]) -> list[Rule]:
    """Return the rules with touching pieces joined.

    >>> _joined([Rule(10.0, 52.0, 90.0), Rule(10.5, 0.0, 50.0), Rule(30.0, 0.0, 90.0)])
    [Rule(at=10.25, lo=0.0, hi=90.0), Rule(at=30.0, lo=0.0, hi=90.0)]
    """
    places = clustered([rule.at for rule in rules], _SAME_LINE)
    find = nearest(places)
    joined: list[Rule] = []
    for at, rule in sorted(((places[find(rule.at)], rule) for rule in rules), key=lambda pair: (pair[0], pair[1].lo)):
        last = joined[-1] if joined else None
        if last and last.at == at and rule.lo <= last.hi + JOINT:
            joined[-1] = replace(last, hi=max(last.hi, rule.hi))
        else:
            joined.append(Rule(at, rule.lo, rule.hi))
    return joined
