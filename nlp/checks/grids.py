"""Tables: rows under one head, the numbers in their cells, and what a row is called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nlp.figures import step_of

Span = tuple[int, int]  # offsets of the report

_HEAD_WORDS = re.compile(
    r"项目|指标|预算|执行|得分|分值|金额|决算|科目|序号|合计|单位|名称|支出|收入|类别|内容|数量|年度|备注|完成|时间|人数|比例|率$"
)
PROSE_CELL = 15  # characters; a longer cell holds prose and is no head
_NUMBER_CELL = re.compile(
    r"(?P<number>-?(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,8})?)(?P<unit>%|分|元|万元|亿元)?"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, where it begins, and its number with the step of its last digit, where it is one."""

    text: str
    start: int
    number: Decimal | None = None
    step: Decimal = Decimal(1)
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under one head; ``heads`` are the texts above each column."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def column(self, *names: str) -> int | None:
        """Return the column whose head is or contains the first of the names that any head does."""
        for name in names:
            for exact in (True, False):
                for place, head in enumerate(self.heads):
                    if (head == name) if exact else (name in head):
                        return place
        return None


def cells_of(line: str, start: int) -> Iterator[Cell]:
    """Yield the cells of a line that begins at an offset; a line without a TAB is one cell."""
    for text in line.split("\t"):
        match = _NUMBER_CELL.fullmatch(text.strip())
        if match:
            number = match["number"].replace(",", "")
            yield Cell(text, start, Decimal(number), step_of(number), match["unit"] or "")
        else:
            yield Cell(text, start)
        start += len(text) + 1


def grids_of(rows: Sequence[tuple[Cell, ...]]) -> Iterator[Grid]:
    """Yield the grids of rows that follow each other: a row of words with a word of a head begins a new one."""
    heads: list[tuple[Cell, ...]] = []
    body: list[tuple[Cell, ...]] = []
    for row in rows:
        if _is_head(row):
            if body:
                yield Grid(_joined(heads), tuple(body))
                heads, body = [], []
            heads.append(row)
        elif heads:
            body.append(row)
    if body:
        yield Grid(_joined(heads), tuple(body))


def _is_head(row: Sequence[Cell]) -> bool:
    """Return whether a row has short words alone, no digits behind the first, and at least half of it words of a head."""
    filled = [cell for cell in row if cell.text.strip()]
    texts = [cell.text for cell in filled if cell.number is None and len(cell.text) <= PROSE_CELL]
    named = sum(bool(_HEAD_WORDS.search(text)) for text in texts)
    return (
        len(filled) > 1
        and len(texts) == len(filled)
        and named * 2 >= len(filled)
        and not re.search(r"\d", "".join(texts[1:]))
    )


def _joined(heads: Sequence[Sequence[Cell]]) -> tuple[str, ...]:
    """Return the texts above each column, without units and without what a merged cell repeats."""
    width = max(len(row) for row in heads)
    columns: list[str] = []
    for place in range(width):
        texts = [
            re.sub(r"\s|[（(](?:万元|亿元|元|分|%)[）)]", "", row[place].text) for row in heads if place < len(row)
        ]
        columns.append("".join(dict.fromkeys(text for text in texts if text)))
    return tuple(columns)


def row_span(row: Sequence[Cell]) -> Span:
    """Return where a row begins and ends."""
    return row[0].start, row[-1].start + len(row[-1].text)


def row_name(row: Sequence[Cell]) -> str:
    """Return the first words of a row; empty where it has none."""
    return next((cell.text.strip() for cell in row if cell.text.strip() and cell.number is None), "")


def number_at(row: Sequence[Cell], column: int | None) -> Cell | None:
    """Return the cell of a row in a column; ``None`` where there is none or it holds no number."""
    if column is None or column >= len(row) or row[column].number is None:
        return None
    return row[column]


def print_in(value: Decimal, cell: Cell) -> str:
    """Return a value as the report would print it in a cell: with its unit, with as many decimals."""
    places = -int(cell.step.as_tuple().exponent)
    return f"{value:.{places}f}{cell.unit}"
