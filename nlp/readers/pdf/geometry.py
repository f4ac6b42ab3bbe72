"""Points, boxes and matrices of PDF, and the turn that sets a page upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Turn:
    """Turns page coordinates of PDF so that text which runs at `angle` quarters runs from left to right.

    Attributes:
        origin: Where the page's top left corner lies before it is moved to (0, 0).
        size: Width and height of the upright page.
    """

    angle: int
    origin: Point
    size: Point

    def __call__(self, x: float, y: float) -> Point:
        """Return a point's place on the upright page."""
        u, v = _quartered(self.angle, x, y)
        return u - self.origin[0], v - self.origin[1]


def turn_of(angle: int, box: Box) -> Turn:
    """Return the turn of a page.

    >>> turn_of(0, (0, 0, 595, 842))(100, 800), turn_of(1, (0, 0, 595, 842)).size
    ((100, 42), (842, 595))
    """
    left, bottom, right, top = box
    (u0, v0), (u1, v1) = _quartered(angle, left, bottom), _quartered(angle, right, top)
    return Turn(angle, (min(u0, u1), min(v0, v1)), (abs(u1 - u0), abs(v1 - v0)))


def _quartered(angle: int, x: float, y: float) -> Point:
    return ((x, -y), (y, x), (-x, y), (-y, -x))[angle]


def product(inner: Matrix, outer: Matrix) -> Matrix:
    """Return the matrix that does what `inner` does and then what `outer` does.

    >>> product((1, 0, 0, 1, 10, 20), (2, 0, 0, 2, 5, 5))
    (2, 0, 0, 2, 25, 45)
    """
    a, b, c, d, e, f = inner
    o = outer
    return (
        a * o[0] + b * o[2],
        a * o[1] + b * o[3],
        c * o[0] + d * o[2],
        c * o[1] + d * o[3],
        e * o[0] + f * o[2] + o[4],
        e * o[1] + f * o[3] + o[5],
    )


def clustered(values: Iterable[float], tolerance: float) -> list[float]:
    """Return the values in order, one for each group of neighbours (the group's mean).

    >>> clustered([10.0, 50.0, 10.5, 49.5], 1.5)
    [10.25, 49.75]
    """
    groups: list[list[float]] = []
    for value in sorted(values):
        if groups and value - groups[-1][0] <= tolerance:
            groups[-1].append(value)
        else:
            groups.append([value])
    return [sum(group) / len(group) for group in groups]


def nearest(places: Sequence[float]) -> Callable[[float], int]:
    """Return a function from a value to the index of the nearest place.

    >>> nearest([10.0, 20.0, 40.0])(28)
    1
    """
    ordered = np.asarray(places)

    def find(value: float) -> int:
        return int(np.abs(ordered - value).argmin())

    return find
