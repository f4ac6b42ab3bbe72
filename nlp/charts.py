"""Frequency tables as pictures with Chinese glyphs, readable in print and by the colour-blind."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure

from nlp.errors import InvalidInputError
from nlp.exports import NAMES
from nlp.records import Frequency
from nlp.views import shown

# Okabe and Ito's palette, which people with any of the common colour deficiencies can tell apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#F0E442")
_MOST_BARS = 20


def draw(table: Frequency, path: Path, title: str) -> None:
    """Draw a frequency table to a ``.png`` or ``.svg``: bars with intervals, lines by year, or a heat map.

    Raises:
        InvalidInputError: If the suffix is another one, or there is nothing to draw.
    """
    if path.suffix.lower() not in {".png", ".svg"}:
        raise InvalidInputError(f"图只能存为 .png 或 .svg，得到的是“{path.name}”")
    if not table.rows:
        raise InvalidInputError("没有可画的数据；请先入库，或放宽筛选条件")
    font = files("zhplot") / "fonts" / "NotoSansSC-Regular.ttf"
    font_manager.fontManager.addfont(str(font))
    with mpl.rc_context({"font.family": "Noto Sans SC", "axes.unicode_minus": False, "svg.fonttype": "path"}):
        figure = Figure(figsize=(8, 4.8), dpi=150, layout="constrained")
        axes = figure.subplots()
        if len(table.by) == 1:
            _bars(axes, table)
        elif "year" in table.by:
            _lines(axes, table)
        else:
            _heat_map(axes, table)
        axes.set_title(title)
        figure.savefig(path)


def _label(table: Frequency, place: int, value: str | int | None) -> str:
    return shown(table.by[place], value)


def _unit(table: Frequency) -> str:
    return "报告数" if table.unit == "report" else "条数"


def _size(table: Frequency, row: Any) -> int:
    return int(row.reports if table.unit == "report" else row.count)


def _bars(axes: Any, table: Frequency) -> None:
    rows = table.rows[:_MOST_BARS][::-1]
    names = [_label(table, 0, row.values[0]) for row in rows]
    shares = [100 * row.share for row in rows]
    errors = [[100 * (row.share - row.low) for row in rows], [100 * (row.high - row.share) for row in rows]]
    axes.barh(names, shares, xerr=errors, color=_COLOURS[0], ecolor="#444444", capsize=3)
    for place, row in enumerate(rows):
        axes.text(100 * row.high, place, f" {_size(table, row)}", va="center", fontsize=9)
    axes.set_xlabel(f"占比（%，线段为 95% 区间，数字为{_unit(table)}）")


def _lines(axes: Any, table: Frequency) -> None:
    when = table.by.index("year")
    years = sorted({row.values[when] for row in table.rows if row.values[when] is not None}, key=str)
    series: dict[str | int | None, dict[Any, int]] = {}
    for row in table.rows:
        series.setdefault(row.values[1 - when], {})[row.values[when]] = _size(table, row)
    styles = ("o-", "s--", "^-.", "D:", "v-", "P--", "X-.", "*:")
    for place, (name, counts) in enumerate(list(series.items())[: len(styles)]):
        axes.plot(
            [str(year) for year in years],
            [counts.get(year, 0) for year in years],
            styles[place],
            color=_COLOURS[place],
            label=_label(table, 1 - when, name),
        )
    axes.set_xlabel(NAMES["year"])
    axes.set_ylabel(_unit(table))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _heat_map(axes: Any, table: Frequency) -> None:
    across = list(dict.fromkeys(row.values[0] for row in table.rows))
    down = list(dict.fromkeys(row.values[1] for row in table.rows))[:_MOST_BARS]
    sizes = {row.values: _size(table, row) for row in table.rows}
    grid = [[sizes.get((x, y), 0) for x in across] for y in down]
    image = axes.imshow(grid, cmap="cividis_r", aspect="auto")
    axes.set_xticks(range(len(across)), [_label(table, 0, x) for x in across], rotation=20, ha="right")
    axes.set_yticks(range(len(down)), [_label(table, 1, y) for y in down])
    middle = max(max(line) for line in grid) / 2
    for i, line in enumerate(grid):
        for j, size in enumerate(line):
            axes.text(j, i, size, ha="center", va="center", color="white" if size > middle else "black")
    axes.figure.colorbar(image, ax=axes, label=_unit(table))
