"""Folds the lines and grids of all pages into paragraphs and tables in reading order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nlp.readers.pdf.grids import Grid
from nlp.readers.pdf.paragraphs import paragraph_of, parted_notes, pitch_of, starts_new
from nlp.readers.pdf.tables import goes_on, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.readers.pdf.lines import Line
    from nlp.readers.pdf.pages import Page
    from nlp.records import Block


@dataclass(slots=True)
class _Begun:
    """What has begun and may go on: a paragraph or a table, never both.

    Attributes:
        paragraph: The lines of the paragraph.
        chain: The grids of the table, one a page.
        notes: Footnotes, which wait until it ends.
    """

    paragraph: list[Line] = field(default_factory=list)
    chain: list[Grid] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)

    def add(self, item: Line | Grid) -> None:
        if isinstance(item, Grid):
            self.chain.append(item)
        else:
            self.paragraph.append(item)

    def blocks(self) -> Iterator[Block]:
        """Yield what it makes if it ends here."""
        if self.paragraph:
            yield paragraph_of(self.paragraph)
        if self.chain:
            yield table_of(self.chain)
        yield from map(paragraph_of, parted_notes(self.notes))


def blocks_of(pages: list[Page]) -> Iterator[Block]:
    """Yield the paragraphs and tables of all pages in reading order."""
    pitch = pitch_of(pages)
    begun = _Begun()
    for page in pages:
        items: list[Line | Grid] = sorted([*page.lines, *page.grids], key=lambda item: item.top)
        for item in items:
            if not _takes(begun, item, pitch, is_first=item is items[0]):
                yield from begun.blocks()
                begun = _Begun()
            begun.add(item)
        if page.notes and not (begun.paragraph or begun.chain):
            yield from begun.blocks()
            begun = _Begun()
        begun.notes += page.notes
    yield from begun.blocks()


def _takes(begun: _Begun, item: Line | Grid, pitch: float, *, is_first: bool) -> bool:
    """Tell whether what has begun goes on with an item, which may be the first of its page."""
    if isinstance(item, Grid):
        return bool(begun.chain) and is_first and goes_on(begun.chain[-1], item)
    if begun.chain:
        return False
    return not begun.paragraph or not starts_new(begun.paragraph[-1], item, pitch)
