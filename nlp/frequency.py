"""How often which problem: counts and shares by one or two dimensions, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from nlp.errors import InvalidInputError
from nlp.records import Frequency, FrequencyRow, Role, Topic

DIMENSIONS = ("topic", "department", "region", "level", "year", "kind")
UNITS = ("passage", "report")
_COLUMNS = ("row", "report", "topic", "department", "region", "level", "year", "kind", "role")
_Z = 1.959964  # 97.5 % point of the normal distribution: a 95 % interval
_MOST_DIMENSIONS = 2


def count_cells(
    cells: Sequence[Sequence[Any]], by: Sequence[str], unit: str, role: Role, topic: Topic | None = None
) -> Frequency:
    """Return the frequency table of passages of a role.

    What a share is of: where topics are told apart (``topic`` is a dimension, or only one topic is counted), of all
    passages of the role, or of all reports, also those without one, that agree in the other dimensions, so that it says
    how common the topic is there; else of all of the library that was let through.

    Args:
        cells: One tuple a passage, of all roles: key, report unit, topic, department, region, level, year, kind, role.
        by: One or two of ``DIMENSIONS``.
        unit: ``passage``, or ``report``: a report counts once in a cell however often it says it.
        role: Whose passages are counted.
        topic: Only passages with this primary topic are counted; shares and totals still are of all.

    Raises:
        InvalidInputError: If a dimension or unit is not known.
    """
    _check(by, unit)
    everything = pd.DataFrame(list(cells), columns=list(_COLUMNS))
    of_role = everything[everything["role"] == role]
    counted = of_role if topic is None else of_role[of_role["topic"] == topic]
    base, measure = (everything, "report") if unit == "report" else (of_role, "row")
    others = [dimension for dimension in by if dimension != "topic"] if topic is not None or "topic" in by else []
    total = int(base[measure].nunique())
    totals = {key: int(group[measure].nunique()) for key, group in _groups(base, others)}
    rows = []
    for key, group in _groups(counted, by):
        units = int(group[measure].nunique())
        of = totals[tuple(key[by.index(dimension)] for dimension in others)]
        low, high = wilson(units, of)
        rows.append(FrequencyRow(key, len(group), int(group["report"].nunique()), units / of, low, high))
    rows.sort(key=lambda row: (-row.count, tuple(str(value) for value in row.values)))  # noqa: PD011  our record, no table of pandas
    return Frequency(tuple(by), unit, tuple(rows), total)


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[str | int | None, ...], pd.DataFrame]]:
    """Yield the groups of a table by the values of columns, unknown ones too; the whole table for no column."""
    if not by:
        yield (), frame
        return
    for values, group in frame.groupby(list(by), dropna=False):
        yield tuple(_plain(value) for value in values), group


def _check(by: Sequence[str], unit: str) -> None:
    unknown = [dimension for dimension in by if dimension not in DIMENSIONS]
    if unknown or not 1 <= len(by) <= _MOST_DIMENSIONS or len(set(by)) != len(by):
        given = ",".join(by)
        raise InvalidInputError(f"--by 应是 {'、'.join(DIMENSIONS)} 中的一个或两个（用逗号分开），得到的是“{given}”")
    if unit not in UNITS:
        raise InvalidInputError(f"--unit 应是 {'、'.join(UNITS)} 之一，得到的是“{unit}”")


def _plain(value: Any) -> str | int | None:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value) if isinstance(value, (int, float)) or hasattr(value, "__index__") else str(value)


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.

    >>> low, high = wilson(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if total == 0:
        return 0.0, 1.0
    share = count / total
    centre = share + _Z * _Z / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z * _Z / (4 * total * total))
    return max(0.0, (centre - spread) / (1 + _Z * _Z / total)), min(1.0, (centre + spread) / (1 + _Z * _Z / total))
