"""How far printed rounding can put figures off, and what a slip of the pen explains."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from nlp.figures import MONEY, Figure

SMALL_COUNT = 100  # below it a count that is off tells little
NEARLY = Decimal("0.01")  # parts that come to within this share of a total were meant to make it


def slack_of(figures: Sequence[Figure]) -> Decimal:
    """Return by how much printed rounding can put a sum of these figures off.

    A whole count is exact, and so is a whole amount among amounts with decimals in the same unit: 300万元 beside 36.40万元.
    """
    finest: dict[str, Decimal] = {}
    for figure in figures:
        unit = _unit_text(figure)
        finest[unit] = min(finest.get(unit, figure.step), figure.step)
    slack = Decimal(0)
    for figure in figures:
        whole = "." not in figure.text
        step = finest[_unit_text(figure)] if whole else figure.step
        if whole and step == 1 and figure.unit != MONEY:
            step = Decimal(0)
        slack += step / 2
    return slack


def _unit_text(figure: Figure) -> str:
    """Return the unit with its scale, as printed."""
    return figure.text.lstrip("0123456789,.")


def is_slip(one: Decimal, other: Decimal, step: Decimal) -> bool:
    """Return whether one wrong digit, or two neighbours that changed places, makes one number of the other.

    >>> is_slip(Decimal("62.94"), Decimal("69.24"), Decimal("0.01")), is_slip(Decimal(111), Decimal(122), Decimal(1))
    (True, False)
    """
    if one < 0 or other < 0:
        return False
    left, right = (str(int(value / step)) for value in (one, other))
    width = max(len(left), len(right))
    left, right = left.zfill(width), right.zfill(width)
    wrong = [place for place in range(width) if left[place] != right[place]]
    if len(wrong) == 1:
        return True
    neighbours = bool(wrong) and wrong[1:] == [wrong[0] + 1]
    return neighbours and left[wrong[0]] + left[wrong[1]] == right[wrong[1]] + right[wrong[0]]


def is_slip_of_one(total: Decimal, parts: Sequence[Decimal], step: Decimal) -> bool:
    """Return whether a slip in one of the figures explains why the parts do not make the total."""
    missing = total - sum(parts)
    return is_slip(total, sum(parts, Decimal(0)), step) or any(is_slip(p, p + missing, step) for p in parts)


def is_rounded(exact: Decimal, printed: Figure, above: Figure, below: Figure) -> bool:
    """Return whether a printed rate may be the exact one: cut off or rounded, from amounts that were rounded too."""
    spread = exact * (above.step / max(above.value, above.step) + below.step / below.value) / 2
    return abs(exact - printed.value) <= printed.step + spread
