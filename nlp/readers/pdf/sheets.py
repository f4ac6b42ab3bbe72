"""Turns a page so that its text stands upright, with its glyphs and ruling lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp.readers.pdf.geometry import turn_of
from nlp.readers.pdf.glyphs import pdfium_glyphs, plumbed_glyphs
from nlp.readers.pdf.rulings import rulings
from nlp.readers.pdf.strokes import drawing_of

if TYPE_CHECKING:
    from nlp.readers.pdf.glyphs import Glyph, RawGlyph
    from nlp.readers.pdf.opening import File
    from nlp.readers.pdf.rulings import Rule


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page, turned so that its text stands upright.

    Attributes:
        glyphs: Those of the direction that most of the page's text runs in.
        aside: Glyphs at a right angle to them (the page mark of a turned page), each angle a list of its own.
        across: Its horizontal rulings.
        down: Its vertical rulings.
        is_picture: Whether it has an image, or letters drawn as outlines, and no text.
        misses_letters: Whether letters were left out because neither library could read them.
    """

    number: int
    width: float
    height: float
    glyphs: list[Glyph]
    aside: list[list[Glyph]]
    across: list[Rule]
    down: list[Rule]
    is_picture: bool
    misses_letters: bool


def read_sheet(file: File, index: int) -> Sheet:
    """Return the page with the given index (from 0).

    Raises:
        UnreadableFileError: The page is damaged.
    """
    with file.page(index) as (page, text):
        raw = list(pdfium_glyphs(text))
        drawing = drawing_of(page)
        box = page.get_bbox()
    found = plumbed_glyphs(file, index) if drawing.misses_letters else []
    by_angle = _by_angle(max(raw, found, key=len))
    main = max(by_angle, key=lambda angle: len(by_angle[angle]), default=0)
    turn = turn_of(main, box)
    width, height = turn.size
    upright = [glyph.turned(turn) for glyph in by_angle.pop(main, [])]
    aside = [[glyph.turned(turn_of(angle, box)) for glyph in glyphs] for angle, glyphs in by_angle.items()]
    across, down = rulings(drawing.strokes, turn)
    return Sheet(
        number=index + 1,
        width=width,
        height=height,
        # What stands beside the page is not printed.
        glyphs=[glyph for glyph in upright if 0 <= glyph.middle[0] <= width],
        aside=aside,
        across=across,
        down=down,
        is_picture=drawing.may_be_picture and not (upright or aside),
        misses_letters=drawing.misses_letters and not found,
    )


def _by_angle(glyphs: list[RawGlyph]) -> dict[int, list[RawGlyph]]:
    groups: dict[int, list[RawGlyph]] = {}
    for glyph in glyphs:
        groups.setdefault(glyph.angle, []).append(glyph)
    return groups
