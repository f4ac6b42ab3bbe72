"""A report taken apart for the checks: sentences with their figures, tables, and the words to say what is wrong."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from nlp.checks.grids import PROSE_CELL, Cell, Grid, Span, cells_of, grids_of
from nlp.figures import CLAUSE_SIGNS, Figure, find_figures
from nlp.records import Discrepancy, DiscrepancyKind, Report

_WIDEST = 40  # columns; a wider sheet is no table that a report prints
_SENTENCE = re.compile(r"[^。！？\n]+[。！？]?")
_BREAKS = f"{CLAUSE_SIGNS},;:"
_FURTHEST_START = 60  # characters before a figure that may still be its clause


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of prose, or of a cell that holds prose, with its figures in order; all offsets are the report's.

    ``paragraph`` numbers the line or cell that it stands in; ``depths`` are the open brackets around each figure.
    """

    text: str
    start: int
    paragraph: int
    heading: str
    figures: tuple[Figure, ...]
    depths: tuple[int, ...]

    def between(self, left: int, right: int) -> str:
        """Return the characters from one offset of the report to another."""
        return self.text[max(0, left - self.start) : right - self.start]

    def clause(self, place: int) -> str:
        """Return what stands before a figure in its clause."""
        figure = self.figures[place]
        left = self.figures[place - 1].end if place else self.start
        before = self.between(left, figure.start)
        cut = max(before.rfind(sign) for sign in _BREAKS)
        return before[cut + 1 :].strip()

    def clause_start(self, place: int) -> int:
        """Return the offset at which that begins."""
        return self.figures[place].start - len(self.clause(place))


@dataclass(frozen=True, slots=True)
class Page:
    """A report taken apart for the checks."""

    report: Report
    sentences: tuple[Sentence, ...]
    grids: tuple[Grid, ...]

    def start_of(self, figure: Figure) -> int:
        """Return where the clause of a figure begins."""
        text = self.report.text
        start = figure.start
        while start > 0 and figure.start - start < _FURTHEST_START and text[start - 1] not in "，。；：！？\n\t":
            start -= 1
        return start

    def quote(self, start: int, end: int) -> tuple[str | None, str, int]:
        """Return the literal text of a span with the passage that it begins in."""
        text = self.report.text[start:end]
        start += len(text) - len(text.lstrip())
        starts = [passage.start for passage in self.report.passages]
        place = bisect_right(starts, start) - 1
        holds = place >= 0 and start < self.report.passages[place].end
        return self.report.passages[place].id if holds else None, text.strip(), start

    def say(self, kind: DiscrepancyKind, message: str, expected: str, found: str, *spans: Span) -> Discrepancy:
        """Return a discrepancy that quotes the given spans."""
        return Discrepancy(kind, message, expected, found, tuple(self.quote(*span) for span in spans))


def take_apart(report: Report) -> Page:
    """Return the sentences of a report, also those in cells, and its tables."""
    sentences: list[Sentence] = []
    grids: list[Grid] = []
    rows: list[tuple[Cell, ...]] = []
    headings = _headings(report)
    paragraph = 0
    position = 0
    for line in report.text.split("\n"):
        cells = tuple(cells_of(line, position))
        if 1 < len(cells) <= _WIDEST:
            rows.append(cells)
        else:
            grids += grids_of(rows)
            rows = []
        for cell in cells:
            if len(cells) == 1 or len(cell.text) > PROSE_CELL:
                label = "" if len(cells) == 1 else cells[0].text  # 年度目标, before a cell of prose
                sentences += _sentences(cell.text, cell.start, paragraph, f"{headings(cell.start)} {label}")
                paragraph += 1
        position += len(line) + 1
    return Page(report, tuple(sentences), (*grids, *grids_of(rows)))


def _headings(report: Report) -> Callable[[int], str]:
    """Return what gives the headings above an offset, the nearest first."""
    starts = [section.start for section in report.sections]

    def above(offset: int) -> str:
        place = bisect_right(starts, offset) - 1
        labels: list[str] = []
        level = 99
        while place >= 0 and level > 1:
            section = report.sections[place]
            if section.level < level and offset < section.end:
                labels.append(section.heading)
                level = section.level
            place -= 1
        return " ".join(labels)

    return above


def _sentences(text: str, start: int, paragraph: int, heading: str) -> Iterator[Sentence]:
    """Yield the sentences of a text that begins at an offset of the report."""
    figures = list(find_figures(text))
    place = 0
    for match in _SENTENCE.finditer(text):
        own: list[Figure] = []
        while place < len(figures) and figures[place].start < match.end():
            own.append(replace(figures[place], start=start + figures[place].start))
            place += 1
        depths = tuple(_depths(match.group(), [figure.start - start - match.start() for figure in own]))
        yield Sentence(match.group(), start + match.start(), paragraph, heading, tuple(own), depths)


def _depths(text: str, offsets: Sequence[int]) -> Iterator[int]:
    """Yield how many brackets are open at each offset of a text."""
    open_before = list(accumulate(((sign in "（(") - (sign in "）)") for sign in text), initial=0))
    yield from (open_before[offset] for offset in offsets)
