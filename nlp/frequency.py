"""How often which problem: counts and shares by one or two dimensions, with intervals."""

# ruff: noqa: PD011 - `values` is a field of our record here, no attribute of a table of pandas

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp.errors import InvalidInputError
from nlp.prevalence import WIDEST, Prevalence, estimate, measure
from nlp.records import Cell, Corrected, Filters, Frequency, FrequencyRow, Role, Topic
from nlp.tagger import ROLES, TOPICS, HeldOut

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("topic", "subtopic", "department", "region", "level", "year", "kind")
UNITS = ("passage", "finding", "report")
_TOPICAL = {"topic", "subtopic"}
_Z = 1.959964  # 97.5 % point of the normal distribution: a 95 % interval
_MOST_DIMENSIONS = 2

Key = tuple[str | int | None, ...]  # a value for each dimension


def count_cells(
    cells: Sequence[Cell], by: Sequence[str], unit: str, role: Role, topic: Topic | None = None
) -> Frequency:
    """Return the frequency table of passages of a role.

    What a share is of: where topics are told apart (by topic or subtopic, or because only one topic is counted), of all
    passages of the role, or of all reports, also those without one, that agree in the other dimensions, so that it says
    how common the topic is there; else of all of the library that was let through.

    Where years are told apart, what was counted in one year has a row, if need be with nothing, for each other year too of
    which there are reports that agree in the other dimensions.

    Args:
        cells: One a passage, of all roles.
        by: One or two of ``DIMENSIONS``.
        unit: ``passage``, ``finding`` (the same, of cells without the passages that repeat another of their report), or
            ``report``: a report counts once in a cell however often it says it.
        role: Whose passages are counted.
        topic: Only passages with this primary topic are counted; shares and totals still are of all.

    Raises:
        InvalidInputError: If a dimension or unit is not known.
    """
    _check(by, unit)
    everything = _frame(cells)
    of_role = everything[everything["role"] == role]
    counted = of_role if topic is None else of_role[of_role["topic"] == topic]
    base, measure = (everything, "report") if unit == "report" else (of_role, "row")
    others = other_dimensions(by, topic)
    total = int(base[measure].nunique())
    totals = {key: int(group[measure].nunique()) for key, group in _groups(base, others)}
    found = dict(_groups(counted, by))
    told = {key for key, _ in _groups(everything, [dimension for dimension in by if dimension not in _TOPICAL])}
    rows = []
    for key in (*found, *_years_without(found, by, told)):
        group = found.get(key, counted.iloc[:0])
        units = int(group[measure].nunique())
        of = totals.get(tuple(key[by.index(dimension)] for dimension in others), 0)
        low, high = wilson(units, of)
        rows.append(FrequencyRow(key, len(group), int(group["report"].nunique()), units / max(1, of), low, high, 0))
    sizes = {row.values: row.reports if unit == "report" else row.count for row in rows}
    rows.sort(key=lambda row: (-sizes[row.values], -row.count, tuple(str(value) for value in row.values)))
    return Frequency(tuple(by), unit, tuple(_compared(rows, by, sizes)), total, role, Filters(topic=topic))


def other_dimensions(by: Sequence[str], topic: Topic | None) -> list[str]:
    """Return the dimensions in which the passages agree that a share is of; none where topics are not told apart."""
    return [dimension for dimension in by if dimension not in _TOPICAL] if topic or _TOPICAL & {*by} else []


def _years_without(found: Collection[Key], by: Sequence[str], told: Collection[Key]) -> list[Key]:
    """Return the keys of known years of which there are reports, but none that has what others of the years have.

    Args:
        found: The keys of what was counted.
        by: The dimensions.
        told: The values that reports have in those that are no topics.
    """
    if "year" not in by:
        return []
    when, plain = by.index("year"), [by.index(dimension) for dimension in by if dimension not in _TOPICAL]
    years = {key[plain.index(when)] for key in told} - {None}
    every = {(*key[:when], year, *key[when + 1 :]) for key in found for year in years}
    return sorted((key for key in every - {*found} if tuple(key[place] for place in plain) in told), key=str)


def _compared(rows: Sequence[FrequencyRow], by: Sequence[str], sizes: Mapping[Key, int]) -> Iterator[FrequencyRow]:
    """Yield rows with their ranks, and with what they have more or less than the year before."""
    ordered = sorted(sizes.values(), reverse=True)
    when = by.index("year") if "year" in by else None
    for row in rows:
        change = None
        if when is not None and isinstance(year := row.values[when], int):
            before = sizes.get((*row.values[:when], year - 1, *row.values[when + 1 :]))
            change = None if before is None else sizes[row.values] - before
        yield replace(row, rank=ordered.index(sizes[row.values]) + 1, change=change)


def _frame(cells: Sequence[Cell]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 -- a third of a second, and only counting needs it

    return pd.DataFrame(list(cells), columns=list(Cell._fields))


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[Key, pd.DataFrame]]:
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
    if value is None or value != value:  # noqa: PLR0124 -- only what is not a number differs from itself
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


# --------------------------------------------------------------------------------------------------- without the tagger's errors


def representative(held: HeldOut, usual: HeldOut, role: Role) -> HeldOut:
    """Return labelled passages from which the errors of counting a role are measured.

    Those of the role come from the corpus, which has many of each topic. All others come from full reports, where there are
    any: the corpus is full of look-alikes, and a tagger that errs in one of twenty of them errs in far fewer of the passages that
    reports are made of.
    """
    place = ROLES.index(role)
    if not len(usual.labels):
        return held
    mine, others = held.labels[:, 0] == place, usual.labels[:, 0] != place
    apart = usual.labels[others] + np.array([0, 0, held.labels[:, 2].max() + 1], dtype=np.int32)
    return HeldOut(
        np.concatenate([held.roles[mine], usual.roles[others]]),
        np.concatenate([held.topics[mine], usual.topics[others]]),
        np.concatenate([held.subtopics[mine], usual.subtopics[others]]),
        np.concatenate([held.labels[mine], apart]),
    )


def with_corrections(
    table: Frequency,
    cells: Sequence[Cell],
    role: Role,
    topic: Topic | None,
    held: HeldOut,
    decided: Collection[int],
) -> Frequency:
    """Return a table of passages with counts and shares in which the errors of the tagger are taken out.

    Passages whose role a ledger gives, and those whose role the tagger found, are corrected apart and added up, the halves
    of their intervals as the roots of sums of squares. Subtopics and reports stay as they were counted (see
    :mod:`nlp.prevalence`), and so does everything where the labelled passages are too few to say how the tagger errs.

    Args:
        table: What :func:`count_cells` returned.
        cells: What it was given.
        role: Likewise.
        topic: Likewise.
        held: What the tagger said of labelled passages.
        decided: Keys of the passages that people decided, which are certain.

    Source:
        Zou and Donner, Construction of confidence limits about effect measures: a general approach, 2008 (sums of estimates).
    """
    if table.unit == "report" or "subtopic" in table.by or not len(held.labels) or not cells:
        return table
    frame = _frame(cells)
    others = [dimension for dimension in table.by if dimension != "topic"]
    keys = dict[Key, int]()
    where = np.zeros(len(frame), dtype=np.int64)
    for number, (key, group) in enumerate(_groups(frame, others)):
        keys[key] = number
        where[group.index.to_numpy()] = number
    apart = topic is not None or "topic" in table.by
    try:
        parts = list(_strata(frame, where, len(keys), role, held, decided, apart=apart))
    except InvalidInputError:
        return table  # too few labelled passages of a class to say how the tagger errs
    rows = []
    for row in table.rows:
        cell = keys[tuple(row.values[table.by.index(dimension)] for dimension in others)]
        said = topic or (Topic(str(row.values[table.by.index("topic")])) if "topic" in table.by else None)
        column = TOPICS.index(said) if said else 0
        rows.append(
            replace(row, corrected=_added([(found, base[cell]) for found, base in parts], cell, column, apart=apart))
        )
    return replace(table, rows=tuple(rows))


def _strata(
    frame: pd.DataFrame,
    where: NDArray[np.int64],
    n_cells: int,
    role: Role,
    held: HeldOut,
    decided: Collection[int],
    *,
    apart: bool,
) -> Iterator[tuple[Prevalence, NDArray[np.float64]]]:
    """Yield what is estimated of the passages whose role the tagger found, and of those whose role is given, with their numbers.

    The classes are the topics of the role, and behind them all other passages; or only the role and all others.
    """
    place = ROLES.index(role)
    rest = len(TOPICS) if apart else 1
    classes = rest + 1

    def class_of(roles: NDArray[np.int64], topics: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(roles == place, topics if apart else 0, rest)

    found_roles = frame["role"].map(list(ROLES).index).to_numpy(dtype=np.int64)
    found_topics = frame["topic"].map(lambda name: TOPICS.index(Topic(name)) if isinstance(name, str) else -1)
    said = class_of(found_roles, found_topics.to_numpy(dtype=np.int64))
    known = np.where(frame["row"].isin(list(decided)), said, -1)
    reports = np.unique(frame["report"], return_inverse=True)[1]
    given = frame["given"].to_numpy(dtype=bool)
    right_role, right_topic, groups = held.labels.T.astype(np.int64)
    told = class_of(held.roles.argmax(axis=1), held.topics.argmax(axis=1))
    errors = measure(np.eye(classes)[told], class_of(right_role, right_topic), groups)
    free = ~given
    of = range(rest)
    found = estimate(errors, np.eye(classes)[said[free]], where[free], reports[free], n_cells, of, known[free])
    yield found, found.count.sum(axis=1)
    mine = given & (found_roles == place)
    if not mine.any():
        return
    number = np.bincount(where[mine], minlength=n_cells).astype(np.float64)
    if apart:
        those = right_role == place
        told = held.topics[those].argmax(axis=1)
        errors = measure(np.eye(rest)[told], right_topic[those], groups[those])
        yield estimate(errors, np.eye(rest)[said[mine]], where[mine], reports[mine], n_cells, None, known[mine]), number
    else:
        sure = number[:, None]
        nothing = np.ones_like(sure)
        yield Prevalence(sure, sure, sure, sure, nothing, nothing, nothing, nothing > 0), number


def _added(parts: Sequence[tuple[Prevalence, float]], cell: int, column: int, *, apart: bool) -> Corrected:
    """Return the sum of counts and the mean of shares of one cell, with intervals; the parts are independent."""
    counts = np.array(
        [(f.count[cell, column], f.count_low[cell, column], f.count_high[cell, column]) for f, _ in parts]
    )
    count, count_low, count_high = _joined(counts, np.ones(len(parts)))
    if not apart:
        return Corrected(round(count, 2), round(count_low, 2), round(count_high, 2), None, None, None, enough=True)
    bases = np.array([base for _, base in parts])
    weights = bases / bases.sum() if bases.sum() else np.full(len(parts), 1 / len(parts))
    shares = np.array([(f.share[cell, column], f.low[cell, column], f.high[cell, column]) for f, _ in parts])
    share, low, high = _joined(shares, weights)
    enough = high - low <= WIDEST
    return Corrected(
        round(count, 2),
        round(count_low, 2),
        round(count_high, 2),
        round(share, 4),
        round(low, 4),
        round(high, 4),
        enough,
    )


def _joined(ends: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the weighted sum of estimates and its interval."""
    middle, low, high = ends.T
    centre = float(weights @ middle)
    return (
        centre,
        centre - float(np.sqrt((weights**2) @ (middle - low) ** 2)),
        centre + float(np.sqrt((weights**2) @ (high - middle) ** 2)),
    )
