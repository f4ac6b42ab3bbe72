"""Measures how far each line stands from the edges of the text, which tells indents and short lines."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlp.readers.pdf.pages import Page

_SAME_EDGE = 6.0  # points, half a character: lines that end with a stop reach less far than full ones
_SHARE = 12  # one line in so many must reach the edge: paragraphs begin and end short, and titles never reach it


def framed(pages: list[Page]) -> list[Page]:
    """Return the pages with each line's distance from the edges of the text on pages of its size."""
    groups: dict[tuple[int, int], list[Page]] = {}
    for page in pages:
        groups.setdefault((round(page.width), round(page.height)), []).append(page)
    return sorted((page for group in groups.values() for page in _framed(group)), key=lambda page: page.number)


def _framed(pages: list[Page]) -> list[Page]:
    lines = [line for page in pages for line in page.lines]
    left = _edge([line.x0 for line in lines])
    # Where all lines are short none reaches the edge; a right margin is hardly twice the left one.
    right = max(-_edge([-line.x1 for line in lines]), pages[0].width - 2 * left)
    return [
        replace(page, lines=[replace(line, indent=line.x0 - left, room=right - line.x1) for line in page.lines])
        for page in pages
    ]


def _edge(places: list[float]) -> float:
    """Return the least place that a twelfth of the lines share, so that a lone line in the margin does not count.

    >>> _edge([20.0, *[90.0] * 12, *[122.0] * 12])
    90.0
    """
    ordered = sorted(places)
    needed = max(1, len(ordered) // _SHARE)
    for index, place in enumerate(ordered):
        if bisect_right(ordered, place + _SAME_EDGE) - index >= needed:
            return place
    return ordered[0] if ordered else 0.0
