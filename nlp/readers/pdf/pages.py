"""Lays out one page: its tables, and the lines outside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlp.readers.pdf.grids import empty_grids, filled
from nlp.readers.pdf.lines import lines_of
from nlp.readers.pdf.marks import is_page_mark

if TYPE_CHECKING:
    from nlp.readers.pdf.glyphs import Glyph
    from nlp.readers.pdf.grids import Grid
    from nlp.readers.pdf.lines import Line
    from nlp.readers.pdf.sheets import Sheet


@dataclass(frozen=True, slots=True)
class Page:
    """Lines and tables of a page.

    Attributes:
        lines: Those outside the tables, from top to bottom.
        grids: The tables, the smallest first.
        notes: What stands aside; its footnotes, too, once they are set apart.
        is_picture: Whether it has an image, or letters drawn as outlines, and no text.
        misses_letters: Whether letters were left out because neither library could read them.
    """

    number: int
    width: float
    height: float
    lines: list[Line]
    grids: list[Grid]
    notes: list[Line]
    is_picture: bool
    misses_letters: bool

    @property
    def has_text(self) -> bool:
        """Whether anything was read from it."""
        return bool(self.lines or self.grids or self.notes)


def laid_out(sheet: Sheet) -> Page:
    """Return the lines and tables of a page."""
    grids, free = _parted(sheet)
    aside = [line for glyphs in sheet.aside for line in lines_of(glyphs, sheet.number)]
    return Page(
        number=sheet.number,
        width=sheet.width,
        height=sheet.height,
        lines=lines_of(free, sheet.number),
        grids=grids,
        notes=[line for line in aside if not is_page_mark(line.text)],
        is_picture=sheet.is_picture,
        misses_letters=sheet.misses_letters,
    )


def _parted(sheet: Sheet) -> tuple[list[Grid], list[Glyph]]:
    """Return the tables that have text, and the glyphs outside all tables."""
    free = sheet.glyphs
    grids: list[Grid] = []
    # A glyph falls to a table inside a frame before it falls to the frame, because the smallest grid comes first.
    for empty in empty_grids(sheet.across, sheet.down, sheet.number):
        grid = filled(empty, [glyph for glyph in free if empty.covers(glyph)])
        free = [glyph for glyph in free if not empty.covers(glyph)]
        if any(region.text for region in grid.regions):
            grids.append(grid)
    return grids, free
