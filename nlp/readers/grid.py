"""Rows of a table brought to one grid, as :class:`nlp.records.Row` describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nlp.errors import UnreadableFileError
from nlp.records import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 1_000
MAX_CELLS: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A cell of a source that states how many columns and rows it covers."""

    text: str
    across: int = 1
    down: int = 1


def lay_out(rows: Iterable[Iterable[Span]], file: str) -> list[dict[int, str]]:
    """Return for each row its texts by column, spans over rows repeated in each row that they cover.

    >>> lay_out([[Span("管理", down=2), Span("合计", across=2)], [Span("甲")]], "a.html")
    [{0: '管理', 1: '合计'}, {0: '管理', 1: '甲'}]

    Raises:
        UnreadableFileError: It has more cells than a report can have.
    """
    grid: list[dict[int, str]] = []
    cells = 0
    running: dict[int, tuple[Span, int]] = {}  # first column -> the cell above, and the row behind its last
    for at, spans in enumerate(rows):
        line = {column: span.text for column, (span, _) in running.items()}
        above = sorted(running, reverse=True)
        begun: dict[int, tuple[Span, int]] = {}
        column = 0
        for span in spans:
            while above and above[-1] <= column:
                first = above.pop()
                column = max(column, first + running[first][0].across)
            line[column] = span.text
            begun[column] = span, at + span.down
            column += span.across
        grid.append(line)
        cells += len(line)
        if cells > MAX_CELLS:
            raise UnreadableFileError(f"{file}：表格超过 {MAX_CELLS} 格，请删去无关的行列后再导入。")
        running = {column: (span, end) for column, (span, end) in (running | begun).items() if end > at + 1}
    return grid


def as_table(lines: Sequence[Mapping[int, str]], file: str, name: str = "") -> Table:
    """Return the table without its wholly empty rows and columns; one without rows where no cell has text.

    Args:
        lines: For each row its texts by column; a column that is missing is empty.
        file: Name of the file, for the error.
        name: Name of the table.

    Raises:
        UnreadableFileError: It has more rows, columns or cells than a report can have.
    """
    full = [{column: text for column, text in line.items() if text} for line in lines]
    full = [line for line in full if line]
    columns = sorted({column for line in full for column in line})
    check_size(len(full), len(columns), file)
    return Table(tuple(Row(tuple(line.get(column, "") for column in columns)) for line in full), name)


def check_size(rows: int, columns: int, file: str) -> None:
    """Pass a table of a reasonable size.

    Raises:
        UnreadableFileError: It has more rows, columns or cells than a report can have.
    """
    if rows > MAX_ROWS or columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise UnreadableFileError(
            f"{file}：表格有 {rows} 行 {columns} 列，最多 {MAX_ROWS} 行、{MAX_COLUMNS} 列、"
            f"{MAX_CELLS} 格，请删去无关的行列后再导入。"
        )
