"""Reads the characters of a page with their places: from PDFium, and from pdfplumber where PDFium leaves letters out."""

from __future__ import annotations

import ctypes
import math
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium_c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.readers.pdf.geometry import Box, Point, Turn
    from nlp.readers.pdf.opening import File

_SLANT = 0.1  # quarters of a circle (9°): scanners tilt a text layer by a degree or two, watermarks lean 30° and more
_SIZE_MIN = 1.0  # invisible text may have the size 0, and what divides by the size must not fail on it


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character, its advance box and baseline on the upright page."""

    char: str
    x0: float
    x1: float
    base: float
    size: float

    @property
    def middle(self) -> Point:
        """The middle of its body: a Chinese character stands from 0.15 em below its baseline to 0.85 em above it."""
        return (self.x0 + self.x1) / 2, self.base - 0.35 * self.size

    @property
    def is_wide(self) -> bool:
        """Whether it is a Chinese character or full-width sign."""
        return self.char >= "\u2e80" or self.char in "—…“”‘’·"


@dataclass(frozen=True, slots=True)
class RawGlyph:
    """A character in the page's own coordinates; `angle` in quarters, anticlockwise."""

    char: str
    box: Box
    origin: Point
    size: float
    angle: int

    def turned(self, turn: Turn) -> Glyph:
        """Return it on the upright page."""
        x0, _ = turn(self.box[0], self.box[1])
        x1, _ = turn(self.box[2], self.box[3])
        return Glyph(self.char, min(x0, x1), max(x0, x1), turn(*self.origin)[1], self.size)


def pdfium_glyphs(text: Any) -> Iterator[RawGlyph]:
    """Yield the printed characters; PDFium's own spaces and line ends, unmapped glyphs and slanted ones are left out."""
    box, matrix = pdfium_c.FS_RECTF(), pdfium_c.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    for index, char in _characters(text):
        pdfium_c.FPDFText_GetLooseCharBox(text, index, box)
        pdfium_c.FPDFText_GetCharOrigin(text, index, x, y)
        pdfium_c.FPDFText_GetMatrix(text, index, matrix)
        size = pdfium_c.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
        corners = (box.left, box.bottom, box.right, box.top)
        if not all(map(math.isfinite, (*corners, x.value, y.value, size, matrix.a, matrix.b))):
            continue
        angle = _angle(matrix.a, matrix.b)
        if angle is not None:
            yield RawGlyph(char, corners, (x.value, y.value), max(size, _SIZE_MIN), angle)


def _characters(text: Any) -> Iterator[tuple[int, str]]:
    """Yield the characters that the file has, each with PDFium's index of it."""
    high = ""
    for index in range(pdfium_c.FPDFText_CountChars(text)):
        code = pdfium_c.FPDFText_GetUnicode(text, index)
        if code > sys.maxunicode or pdfium_c.FPDFText_IsGenerated(text, index) == 1:
            continue
        char = "-" if pdfium_c.FPDFText_IsHyphen(text, index) == 1 else chr(code)
        # Rare characters come as two halves; a half without the other is none.
        if "\ud800" <= char < "\udc00":
            high = char
            continue
        if "\udc00" <= char < "\ue000":
            char = (high + char).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        high = ""
        if char != "\ufffd" and (char.isprintable() or char.isspace()):
            yield index, char


def _angle(a: float, b: float) -> int | None:
    """Return the quarter in which text with the matrix entries `a`, `b` runs, `None` if it leans too much for any.

    >>> _angle(1, 0), _angle(0.01, 1), _angle(0, -1), _angle(0.7, 0.7)
    (0, 1, 3, None)
    """
    quarters = math.atan2(b, a) / (math.pi / 2)
    return round(quarters) % 4 if abs(quarters - round(quarters)) < _SLANT else None


def plumbed_glyphs(file: File, index: int) -> list[RawGlyph]:
    """Return the same characters as pdfplumber has them, which needs no letter shapes; none where it fails."""
    try:
        with closing(file.plumber.pages[index]) as page:
            chars, quarters, box = page.chars, page.page_obj.rotate // 90, page.page_obj.mediabox
    except Exception:  # noqa: BLE001 - on damaged files pdfminer fails with whatever its code happens to run into
        return []
    glyphs = []
    for char in chars:
        a, b, _, _, x, y = char["matrix"]
        angle = _angle(a, b)
        # A glyph that no table maps to a character comes as "(cid:12)".
        if angle is not None and not char["text"].startswith("(cid:"):
            start = _turned_back(x, y, box, quarters)
            end = _turned_back(x + a * char["adv"], y + b * char["adv"], box, quarters)
            size = max(char["size"], _SIZE_MIN)
            glyphs.append(RawGlyph(char["text"], (*start, *end), start, size, (angle + quarters) % 4))
    return glyphs


def _turned_back(x: float, y: float, box: Box, quarters: int) -> Point:
    """Undo pdfplumber's turn of the page by its /Rotate: PDFium's strokes are not turned."""
    left, bottom, right, top = box
    return ((left + x, bottom + y), (right - y, bottom + x), (right - x, top - y), (left + y, top - x))[quarters]
