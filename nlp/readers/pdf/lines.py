"""Puts glyphs together to lines, and the texts of wrapped lines to one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlp.readers.pdf.glyphs import Glyph

TITLE_SIZE = 17.5  # points; lines this large are titles (小二, which is 18, and up; text is 三号, 16, and down)

_TERMINAL = "。！？；：!?;:"
# What must stay together at the start of a line: a figure or word, or one character with its brackets and stops.
_LEAD = re.compile(r"[（《“‘(【]*(?:[A-Za-z0-9.,%]+|.)[，。、；：！？）》”’)】]*")

# All in em.
_SHIFT = 0.45  # raised and lowered figures shift by a third, and the next line is at least one away
_GAP = 0.2  # a space between words of letters is a quarter wide
_WIDE_GAP = 0.6  # writers set a quarter between figures and Chinese characters, and stretch it to fill a line
_OVERLAP = 0.6  # a character printed twice to look bold lies nearly upon itself
_MAIN = 0.8  # glyphs at least this large stand on the line's baseline, smaller ones may be raised or lowered


@dataclass(frozen=True, slots=True)
class Line:
    """Glyphs on one baseline.

    Attributes:
        lead: Width of the first piece that cannot be broken; had it fitted on the line before, it would stand there.
        indent: Distance from the left edge of the text, once the pages' edges are known.
        room: What is left free up to its right edge.
    """

    text: str
    x0: float
    x1: float
    base: float
    size: float
    lead: float
    page: int
    indent: float = 0.0
    room: float = 0.0

    @property
    def top(self) -> float:
        """Where its characters begin."""
        return self.base - self.size

    @property
    def is_open(self) -> bool:
        """Whether its last character can stand in mid-sentence."""
        return self.text[-1] not in _TERMINAL


def lines_of(glyphs: Iterable[Glyph], page: int) -> list[Line]:
    """Return the lines from top to bottom; what has only spaces is none."""
    return [_line(row, page) for row in _rows(glyphs) if not all(glyph.char.isspace() for glyph in row)]


def _rows(glyphs: Iterable[Glyph]) -> list[list[Glyph]]:
    """Return the glyphs by line, each from left to right."""
    rows: list[list[Glyph]] = []
    base = size = 0.0
    for glyph in sorted(glyphs, key=lambda glyph: glyph.base):
        if rows and glyph.base - base < _SHIFT * max(size, glyph.size):
            rows[-1].append(glyph)
            size = max(size, glyph.size)
        else:
            rows.append([glyph])
            base, size = glyph.base, glyph.size
    return [sorted(row, key=lambda glyph: glyph.x0) for row in rows]


def _line(row: list[Glyph], page: int) -> Line:
    text = _text(row)
    printed = [glyph for glyph in row if not glyph.char.isspace()]
    size = Counter(round(glyph.size * 2) / 2 for glyph in printed).most_common(1)[0][0]
    first = len(_LEAD.match(text)[0].replace(" ", ""))  # type: ignore[index] # the pattern matches any text
    return Line(
        text=text,
        x0=printed[0].x0,
        x1=max(glyph.x1 for glyph in printed),
        base=max(glyph.base for glyph in printed if glyph.size >= _MAIN * size),
        size=size,
        lead=printed[first - 1].x1 - printed[0].x0,
        page=page,
    )


def _text(row: list[Glyph]) -> str:
    """Return the characters of one line, with a space where the file has one or leaves a gap as wide as one."""
    pieces: list[str] = []
    last: Glyph | None = None
    spaced = False
    for glyph in row:
        if glyph.char.isspace():
            spaced = True
            continue
        if last is not None:
            if _is_doubled(last, glyph):
                continue
            if spaced or _is_apart(last, glyph):
                pieces.append(" ")
        pieces.append(glyph.char)
        last, spaced = glyph, False
    return "".join(pieces)


def _is_doubled(last: Glyph, glyph: Glyph) -> bool:
    return glyph.is_wide and glyph.char == last.char and last.x1 - glyph.x0 > _OVERLAP * glyph.size


def _is_apart(last: Glyph, glyph: Glyph) -> bool:
    least = _WIDE_GAP if glyph.is_wide or last.is_wide else _GAP
    return glyph.x0 - last.x1 > least * min(glyph.size, last.size)


def glued(texts: Iterable[str]) -> str:
    """Return the texts of wrapped lines as one, with a space only between two words of letters.

    >>> glued(["预算执", "行率95%，见Annual", "Report"])
    '预算执行率95%，见Annual Report'
    """
    whole = ""
    for text in texts:
        words = whole[-1:].isascii() and whole[-1:].isalpha() and text[:1].isascii() and text[:1].isalpha()
        whole += f" {text}" if words else text
    return whole
