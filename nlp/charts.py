"""Frequency tables and scores as pictures with Chinese glyphs, readable in print and by the colour-blind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure

from nlp.errors import InvalidInputError
from nlp.evaluation import Score, SetScores
from nlp.exports import NAMES, writable
from nlp.records import Frequency
from nlp.taxonomy import label_name
from nlp.views import shown

# Okabe and Ito's palette, which people with any of the common colour deficiencies can tell apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#F0E442")
_MOST_BARS = 20
_MOST_LINES = 60  # of a heat map
_DARK = 0.5


def draw(table: Frequency, path: Path, title: str) -> None:
    """Draw a frequency table to a ``.png`` or ``.svg``: bars with intervals, lines by year, or a heat map.

    Raises:
        InvalidInputError: If the suffix is another one, or there is nothing to draw.
    """
    if not table.rows:
        raise InvalidInputError("没有可画的数据；请先入库，或放宽筛选条件")
    with _picture(path, (8, 4.8)) as figure:
        axes = figure.subplots()
        if len(table.by) == 1:
            _bars(axes, table)
        elif "year" in table.by:
            _lines(axes, table)
        else:
            _heat_map(axes, table)
        axes.set_title(title)


def draw_scores(scores: SetScores, path: Path) -> None:
    """Draw the confusion matrices and the worst mistakes of a gold set to a ``.png`` or ``.svg``.

    Raises:
        InvalidInputError: If the suffix is another one.
    """
    with _picture(path, (11, 10)) as figure:
        parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.1))
        above, below = parts
        above.suptitle(f"{scores.name}：{scores.n} 条")
        questions = [("role", "角色", scores.role), ("topic", "主题", scores.topic)]
        known = [(question, name, score) for question, name, score in questions if score is not None]
        panels = above.subplots(1, len(known), squeeze=False)[0]
        for axes, (question, name, score) in zip(panels, known, strict=True):
            _confusion(axes, score, [label_name(question, label) for label in score.labels])
            axes.set_title(f"{name}  准确率 {score.accuracy:.1%}  宏平均 F1 {score.macro_f1:.3f}")
        lines = [
            f"{number:2}. 应为{label_name(of.question, of.expected)}，判为{label_name(of.question, of.found)}"
            f"（{of.score:.2f}）：{' '.join(of.text.split())[:52]}"
            for number, of in enumerate(scores.worst, 1)
        ]
        told = "错得最离谱的条目\n" + "\n".join(lines)
        below.text(0.02, 0.98, told, va="top", fontsize=8, linespacing=1.6, parse_math=False)


def _confusion(axes: Any, score: Score, names: list[str]) -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in score.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(score.confusion):
        for j, count in enumerate(row):
            axes.text(j, i, count or "", ha="center", va="center", color="white" if shares[i][j] > _DARK else "black")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("判为")
    axes.set_ylabel("实际")


@contextmanager
def _picture(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """Give a figure with our font and write it afterwards."""
    if path.suffix.lower() not in {".png", ".svg"}:
        raise InvalidInputError(f"图只能存为 .png 或 .svg，得到的是“{path.name}”")
    font = files("zhplot") / "fonts" / "NotoSansSC-Regular.ttf"
    font_manager.fontManager.addfont(str(font))
    with mpl.rc_context({"font.family": "Noto Sans SC", "axes.unicode_minus": False, "svg.fonttype": "path"}):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        yield figure
        with writable(path):
            figure.savefig(path)


def _label(table: Frequency, place: int, value: str | int | None) -> str:
    return shown(table.by[place], value)


def _unit(table: Frequency) -> str:
    return "报告数" if table.unit == "report" else "条数"


def _size(table: Frequency, row: Any) -> int:
    return int(row.reports if table.unit == "report" else row.count)


def _cut(table: Frequency, place: int, every: int, drawn: int) -> str:
    """Return a line that says how many values of a dimension are drawn, where not all of them are."""
    return f"\n{NAMES[table.by[place]]}共 {every} 个，只画前 {drawn} 个" if every > drawn else ""


def _bars(axes: Any, table: Frequency) -> None:
    rows = table.rows[:_MOST_BARS][::-1]
    cut = _cut(table, 0, len(table.rows), len(rows))
    names = [_label(table, 0, row.values[0]) for row in rows]
    shares = [100 * row.share for row in rows]
    errors = [[100 * (row.share - row.low) for row in rows], [100 * (row.high - row.share) for row in rows]]
    axes.barh(names, shares, xerr=errors, color=_COLOURS[0], ecolor="#444444", capsize=3)
    for place, row in enumerate(rows):
        axes.text(100 * row.high, place, f" {_size(table, row)}", va="center", fontsize=9)
    axes.set_xlabel(f"占比（%，线段为 95% 区间，数字为{_unit(table)}）{cut}")


def _lines(axes: Any, table: Frequency) -> None:
    when = table.by.index("year")
    rows = [row for row in table.rows if row.values[when] is not None]
    if not rows:
        raise InvalidInputError("各份报告的年度都不明，画不出逐年的变化；请在 meta.csv 或 --year 里指明年度后重新入库")
    without = sum(_size(table, row) for row in table.rows) - sum(_size(table, row) for row in rows)
    unknown = f"\n年度不明的未画（{_unit(table)} {without}）" if without else ""
    years = sorted({row.values[when] for row in rows}, key=str)
    series: dict[str | int | None, dict[Any, int]] = {}
    for row in rows:
        series.setdefault(row.values[1 - when], {})[row.values[when]] = _size(table, row)
    styles = ("o-", "s--", "^-.", "D:", "v-", "P--", "X-.", "*:")
    for place, (name, counts) in enumerate(list(series.items())[: len(styles)]):
        axes.plot(
            [str(year) for year in years],
            [counts.get(year, math.nan) for year in years],  # no row: no report of that year
            styles[place],
            color=_COLOURS[place],
            label=_label(table, 1 - when, name),
        )
    axes.set_xlabel(NAMES["year"] + _cut(table, 1 - when, len(series), len(styles)) + unknown)
    axes.set_ylabel(_unit(table))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _heat_map(axes: Any, table: Frequency) -> None:
    """Draw the dimension that has more values downwards, where long names stand beside each other."""
    values = [list(dict.fromkeys(row.values[place] for row in table.rows)) for place in (0, 1)]
    wide, high = (0, 1) if len(values[0]) <= len(values[1]) else (1, 0)
    across, down = values[wide], values[high][:_MOST_LINES]
    sizes = {(row.values[wide], row.values[high]): _size(table, row) for row in table.rows}
    grid = [[sizes.get((x, y), 0) for x in across] for y in down]
    axes.figure.set_figheight(max(axes.figure.get_figheight(), 1.5 + 0.25 * len(down)))
    image = axes.imshow(grid, cmap="cividis_r", aspect="auto")
    axes.set_xticks(range(len(across)), [_label(table, wide, x) for x in across], rotation=20, ha="right")
    axes.set_yticks(range(len(down)), [_label(table, high, y) for y in down])
    axes.set_xlabel(_cut(table, high, len(values[high]), len(down)).strip())
    middle = max(max(line) for line in grid) / 2
    for i, line in enumerate(grid):
        for j, size in enumerate(line):
            axes.text(j, i, size, ha="center", va="center", color="white" if size > middle else "black")
    axes.figure.colorbar(image, ax=axes, label=_unit(table))
