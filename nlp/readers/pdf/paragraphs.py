"""Tells which lines are one paragraph."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from nlp.readers.pdf.lines import TITLE_SIZE, glued
from nlp.readers.pdf.marks import begins_item, begins_note, begins_part
from nlp.records import Paragraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp.readers.pdf.lines import Line
    from nlp.readers.pdf.pages import Page

_LEADER = re.compile(r"…{2,}|\.{5,}|·{4,}|．{4,}")

# In em:
_DEEPER = 0.8  # an indent is two characters, and one that is justified may lose some of it
_SLACK = 0.3  # justified lines end within a few points of the edge
_OPEN_SLACK = 1.5  # not every writer fills its lines: one that stops in mid-sentence may leave some more room
_OFF_CENTRE = 1.5  # a title with a stop or bracket at one end
_OTHER_SIZE = 0.12  # one step of the Chinese sizes is an eighth or more (五号 10.5, 小四 12, 四号 14, 三号 16)
_USUAL_PITCH = 1.5  # where no two lines tell
_LEAST_PITCH = 1.2  # single spacing
_WIDER = 1.4  # times the usual pitch


def paragraph_of(lines: Sequence[Line]) -> Paragraph:
    """Return the paragraph that wrapped lines make."""
    return Paragraph(glued(line.text for line in lines), page=lines[0].page)


def parted_notes(notes: Sequence[Line]) -> list[list[Line]]:
    """Return the lines of footnotes by note."""
    parts: list[list[Line]] = []
    for line in notes:
        if not parts or begins_note(line.text) or line.page != parts[-1][-1].page:
            parts.append([])
        parts[-1].append(line)
    return parts


def pitch_of(pages: Sequence[Page]) -> float:
    """Return the usual distance between two lines of a paragraph, in em."""
    steps = Counter(
        round((line.base - before.base) / line.size, 1)
        for page in pages
        for before, line in pairwise(page.lines)
        if before.size == line.size and before.room < 2 * before.size
    )
    return steps.most_common(1)[0][0] if steps else _USUAL_PITCH


def starts_new(before: Line, line: Line, pitch: float) -> bool:
    """Tell whether a line begins a paragraph of its own rather than going on with the one before."""
    em = max(before.size, line.size)
    if _is_set_off(before, line, pitch):
        return True
    if _is_centred(before) and _is_centred(line):
        # A title goes on over lines of its own; a dash begins a subtitle that does too.
        return not ((before.is_open and em >= TITLE_SIZE) or before.text.startswith("——"))
    slack = _OPEN_SLACK if before.is_open and line.indent < _DEEPER * em else _SLACK
    if before.room > line.lead + slack * em:
        return True
    if before.is_open:
        # Before a deeper line, one that is full but ends in mid-sentence is an item of a list with a hanging indent.
        return line.x0 > before.x0 + _DEEPER * em and not begins_item(before.text)
    return line.indent > _DEEPER * em or begins_item(line.text)


def _is_set_off(before: Line, line: Line, pitch: float) -> bool:
    """Tell whether size, distance or wording part two lines, however full the first is."""
    em = max(before.size, line.size)
    return (
        abs(before.size - line.size) > _OTHER_SIZE * em
        or (before.page == line.page and line.base - before.base > _WIDER * max(pitch, _LEAST_PITCH) * em)
        or _LEADER.search(before.text) is not None
        or (begins_part(line.text) and before.text[-1] not in "、第和")
    )


def _is_centred(line: Line) -> bool:
    is_apart = line.size >= TITLE_SIZE or min(line.indent, line.room) > line.size
    return is_apart and abs(line.indent - line.room) < _OFF_CENTRE * line.size
