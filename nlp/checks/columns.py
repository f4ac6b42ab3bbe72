"""Rows and columns of tables that do not add up."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from nlp.checks.grids import Cell, Grid, number_at, print_in, row_name, row_span
from nlp.checks.labels import FULL_MARKS, MARKS_FOR_RATE, POINTS_HEADS, SCORE_HEADS, TOTAL_ROW
from nlp.checks.lists import FEWEST_PARTS
from nlp.checks.page import Page
from nlp.checks.rounding import NEARLY, SMALL_COUNT, is_slip_of_one
from nlp.records import Discrepancy, DiscrepancyKind

# Further off than this, it is our reading of the table that is wrong.
_TABLE_LESS, _TABLE_MORE = Decimal("0.8"), Decimal("1.25")
_SUBTOTAL_ROW = re.compile(r".*(?:小计|合计|总计|总分)(?:[（(].*[）)])?")
_CODES = re.compile(r"科目编码|^类$|^款$|编码|经济分类")
_NO_ADDING = re.compile(
    r"率|比例|占比|单价|平均|序号|编号|年度指标值|完成值|目标值|备注|进度|增减|%|年份|时间|排名|比重|指标值"
)


def sums_of_columns(page: Page) -> Iterator[Discrepancy]:
    """Yield numbers in rows 合计 and 小计 that the rows above (or behind a first one) do not make."""
    for grid in page.grids:
        if any(_CODES.search(head) for head in grid.heads) or _is_side_by_side(grid):
            continue
        if any(row_name(row).startswith("其中") for row in grid.rows):
            continue
        ends = [i for i, row in enumerate(grid.rows) if _SUBTOTAL_ROW.fullmatch(row_name(row))]
        has_subtotals = len(ends) > FEWEST_PARTS and bool(TOTAL_ROW.fullmatch(row_name(grid.rows[ends[-1]])))
        if has_subtotals and ends[-2] == ends[-1] - 1:
            yield from _grand_total(page, grid, ends)
        for end in ends[:-1] if has_subtotals else ends:
            rows = _rows_added(grid, ends, end)
            if len(rows) > 1:
                yield from _judge_row(page, grid, grid.rows[end], rows)


def _is_side_by_side(grid: Grid) -> bool:
    """Return whether two tables stand beside each other: heads that come twice, or two totals in one row."""
    named = [head for head in grid.heads if head]
    return len(named) != len(set(named)) or any(
        sum(bool(_SUBTOTAL_ROW.fullmatch(cell.text.strip())) for cell in row) > 1 for row in grid.rows
    )


def _rows_added(grid: Grid, ends: Sequence[int], end: int) -> list[tuple[Cell, ...]]:
    """Return the rows that a total adds up: those since the total before it, or behind it where it stands first."""
    if len(ends) == 1:
        return [*grid.rows[:end], *(grid.rows[end + 1 :] if end == 0 else ())]
    above = bisect_left(ends, end) - 1
    return list(grid.rows[ends[above] + 1 if above >= 0 else 0 : end])


def _grand_total(page: Page, grid: Grid, ends: Sequence[int]) -> Iterator[Discrepancy]:
    """Yield what is wrong with the last total: it is the sum neither of those above it nor of the rows."""
    total = grid.rows[ends[-1]]
    above = [grid.rows[i] for i in ends[:-1]]
    known = set(ends)
    items = [row for i, row in enumerate(grid.rows) if i not in known]
    wrong = list(_judge_row(page, grid, total, above))
    if wrong and len(items) > 1 and list(_judge_row(page, grid, total, items)):
        yield from wrong


def _judge_row(
    page: Page, grid: Grid, total: tuple[Cell, ...], rows: Sequence[tuple[Cell, ...]]
) -> Iterator[Discrepancy]:
    """Yield the columns in which a total is not the sum of its rows, where they were surely meant to make it."""
    judged: list[tuple[int, Cell, Decimal, bool]] = []
    sums = {}
    for column in range(len(grid.heads)):
        cells = [cell for row in rows if (cell := number_at(row, column))]
        if len(cells) > 1:
            sums[column] = cells
    above = _add_rows_above(page, grid, total, rows, sums)
    for column, cells in sums.items():
        cell = number_at(total, column)
        if (
            cell is None
            or cell.number is None
            or _NO_ADDING.search(grid.heads[column])
            or "%" in {c.unit for c in cells}
        ):
            continue
        agrees = any(_adds_up(cell, own) for own in (*_runs(cells), *sums.values()))
        judged.append((column, cell, _sum_of(cells), agrees))
    trusted = any(agrees for *_, agrees in judged)
    for column, cell, found, agrees in judged:
        if agrees or not cell.number:
            continue
        numbers = [c.number for c in sums[column] if c.number is not None]
        step = min(c.step for c in (cell, *sums[column]))
        covered = found / cell.number
        near = _TABLE_LESS < covered < _TABLE_MORE
        slip = near and is_slip_of_one(cell.number, numbers, step)
        if not slip and not (trusted and near) and abs(covered - 1) > NEARLY:
            continue
        exact = print_in(found, cell)
        terms = "＋".join(c.text.strip() for c in sums[column])
        message = f"“{grid.heads[column]}”一列{terms}＝{exact}，{row_name(total)}写{cell.text.strip()}"
        spans = (row_span(total), *(row_span(row) for row in (*above, *rows)))
        yield page.say(DiscrepancyKind.SUM, message, exact, cell.text.strip(), *spans)


def _add_rows_above(
    page: Page, grid: Grid, total: tuple[Cell, ...], rows: Sequence[tuple[Cell, ...]], sums: dict[int, list[Cell]]
) -> list[tuple[Cell, ...]]:
    """Return the rows under heads of their own that a score sheet adds up too, and put their cells before its sums.

    The official form scores the rate of execution beside the amounts, above the indicators. Where that row is lost, what is
    left cannot be judged: the columns go out of the sums.
    """
    points, score = grid.column(*POINTS_HEADS), grid.column(*SCORE_HEADS)
    if points is None or score is None or points not in sums or not TOTAL_ROW.fullmatch(row_name(total)):
        return []
    whole = number_at(total, points)
    missing = (whole.number if whole and whole.number else FULL_MARKS) - _sum_of(sums[points])
    above = _rows_worth(missing, page.grids[: page.grids.index(grid)])
    for _, most, got in above:
        sums[points].insert(0, most)
        sums.get(score, []).insert(0, got)
    if not above and missing == MARKS_FOR_RATE and not any("执行率" in cell.text for row in rows for cell in row):
        del sums[points]
        sums.pop(score, None)
    return [row for row, _, _ in above]


def _rows_worth(missing: Decimal, grids: Sequence[Grid]) -> list[tuple[tuple[Cell, ...], Cell, Cell]]:
    """Return the last rows of a sheet's grids, the last first, with the points that are missing and their scores."""
    found: list[tuple[tuple[Cell, ...], Cell, Cell]] = []
    for grid in reversed(grids):
        points, score = grid.column(*POINTS_HEADS), grid.column(*SCORE_HEADS)
        for row in reversed(grid.rows) if points is not None and score is not None else ():
            most, got = number_at(row, points), number_at(row, score)
            if TOTAL_ROW.fullmatch(row_name(row)) and (most is None or most.number != missing):
                return []  # another sheet
            if most is None or got is None or not most.number:
                continue
            found.append((row, most, got))
            missing -= most.number
            if missing <= 0:
                return [] if missing else found
    return []


def _runs(cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
    """Yield the cells, and the cells with those that a merged cell repeats taken once."""
    yield cells
    yield [cell for i, cell in enumerate(cells) if not i or cell.text != cells[i - 1].text]


def _sum_of(cells: Sequence[Cell]) -> Decimal:
    """Return the sum of the numbers in some cells."""
    return sum((cell.number for cell in cells if cell.number is not None), Decimal(0))


def _adds_up(total: Cell, cells: Sequence[Cell]) -> bool:
    """Return whether cells make a total, within what rounding may put them off."""
    assert total.number is not None
    finest = min(cell.step for cell in (total, *cells))
    slack = sum((cell.step if cell.step < 1 else finest for cell in (total, *cells)), Decimal(0)) / 2
    if finest == 1 and all(cell.step == 1 for cell in (total, *cells)) and total.number < SMALL_COUNT * 10:
        slack = Decimal(0)
    return abs(_sum_of(cells) - total.number) <= slack


def sums_of_rows(page: Page) -> Iterator[Discrepancy]:
    """Yield 全年预算数 that is not 年初预算数 with 调整数, and cells of a column 合计 that their neighbours do not make."""
    for grid in page.grids:
        first, change, full = (
            grid.column("年初预算数", "年初预算"),
            grid.column("调整数", "调整"),
            grid.column("全年预算数", "全年预算"),
        )
        if (
            first is not None
            and change is not None
            and full is not None
            and first not in {change, full}
            and change != full
        ):
            yield from _judge_columns(page, grid, full, (first, change), least=0)
        totals = [i for i, head in enumerate(grid.heads) if re.fullmatch(r"(?:合计|小计|总计|\w{2,6}合计)", head)]
        if len(totals) == 1 and not _is_side_by_side(grid):
            (column,) = totals
            behind = tuple(_addends(grid, range(column + 1, len(grid.heads))))
            ahead = tuple(_addends(grid, range(column - 1, -1, -1)))
            for parts in (behind, ahead):
                if len(parts) > 1:
                    yield from _judge_columns(page, grid, column, parts, least=2)


def _addends(grid: Grid, columns: Iterable[int]) -> Iterator[int]:
    """Yield the columns of plain numbers, up to the first that is none."""
    for column in columns:
        filled = [row[column] for row in grid.rows if column < len(row) and row[column].text.strip()]
        if (
            _NO_ADDING.search(grid.heads[column])
            or any(cell.number is None or cell.unit for cell in filled)
            or not filled
        ):
            return
        yield column


def _judge_columns(page: Page, grid: Grid, total: int, parts: Sequence[int], *, least: int) -> Iterator[Discrepancy]:
    """Yield the rows whose parts do not make their total, where at least so many rows, and most, bear it out."""
    wrong: list[tuple[tuple[Cell, ...], Cell, list[Cell]]] = []
    right = 0
    for row in grid.rows:
        cell = number_at(row, total)
        cells = [c for column in parts if (c := number_at(row, column))]
        if cell is None or len(cells) < FEWEST_PARTS:
            continue
        if _adds_up(cell, cells):
            right += 1
        else:
            wrong.append((row, cell, cells))
    if not wrong or right < least or len(wrong) > max(1, right):
        return
    for row, cell, cells in wrong:
        exact = print_in(_sum_of(cells), cell)
        terms = "＋".join(f"{grid.heads[column]}{c.text.strip()}" for column in parts if (c := number_at(row, column)))
        message = f"{row_name(row)}：{terms}＝{exact}，表中{grid.heads[total]}写{cell.text.strip()}"
        yield page.say(DiscrepancyKind.SUM, message, exact, cell.text.strip(), row_span(row))
