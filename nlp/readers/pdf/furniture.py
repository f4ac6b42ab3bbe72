"""Takes the furniture out of the pages: page marks, running heads and feet; and sets footnotes apart."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from nlp.readers.pdf.lines import TITLE_SIZE
from nlp.readers.pdf.marks import begins_note, is_page_mark

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from nlp.readers.pdf.lines import Line
    from nlp.readers.pdf.pages import Page

_DIGITS = re.compile(r"\d+")
_BARE_NUMBER = re.compile(r"\d{1,4}")
# Lines at a page's edge that carry content although they come on many pages: each stays where it first stands.
_CONTENT_AT_EDGE = re.compile(r"附[件表录]|表\s*\d|(?:金额)?单位\s*[:：]|.*单位\s*[:：]\s*(?:万|亿)?元")

_EDGE_ZONE = 0.15  # share of the page's height at top and bottom: GB/T 9704 leaves 37 mm of 297 (0.125) at the top
_REPEATED = 3  # pages; two sections may well begin with the same words
_JITTER = 6.0  # points; a running head does not stand at quite the same height on all pages
_SMALL_PRINT = 0.87  # of the text's size: one step down the Chinese sizes, 小四 to 五号 (12 to 10.5 points), and some


def without_furniture(pages: list[Page]) -> list[Page]:
    """Return the pages without page marks and running heads and feet, their footnotes set apart."""
    counted = _counted(pages)
    pages = [_without_marks(page, counted) for page in pages]
    said: set[str] = set()
    # Below a running head, or a title that the other pages repeat, there may be another, or a page mark.
    while repeated := _repeated(pages, said):
        said |= {line.text for line in repeated}
        pages = [_without_marks(_without(page, repeated), counted) for page in pages]
    body = _body_size(pages)
    return [_without_footnotes(page, body) for page in pages]


def _without(page: Page, lines: set[Line]) -> Page:
    return replace(page, lines=[line for line in page.lines if line not in lines])


def _outermost(page: Page, said: Container[str] = ()) -> list[Line]:
    """Return the lines in the head and foot of a page with nothing but what is said between them and its edge."""
    edge = _EDGE_ZONE * page.height
    lines = [line for line in page.lines if line.text not in said]
    top = [line for line in lines[:1] if line.base < edge and all(line.top < grid.top for grid in page.grids)]
    foot = [line for line in lines[-1:] if line.top > page.height - edge]
    return top + [line for line in foot if all(line.base > grid.bottom for grid in page.grids)]


# -------------------------------------------------------------------------------------------------------------- page marks


def _counted(pages: list[Page]) -> set[int]:
    """Return what is added to the page's number in lone numbers that count the pages (0, or -2 behind a cover …)."""
    offsets = Counter(
        int(line.text) - page.number for page in pages for line in _outermost(page) if _BARE_NUMBER.fullmatch(line.text)
    )
    return {offset for offset, times in offsets.items() if times > 1 or offset == 0}


def _without_marks(page: Page, counted: set[int]) -> Page:
    def is_mark(text: str) -> bool:
        # A lone number is a page mark only if it counts the pages.
        is_number = _BARE_NUMBER.fullmatch(text) is not None
        return is_page_mark(text) or (is_number and int(text) - page.number in counted)

    return _without(page, {line for line in _outermost(page) if is_mark(line.text)})


# --------------------------------------------------------------------------------------------------- running heads and feet


def _repeated(pages: list[Page], said: Container[str]) -> set[Line]:
    """Return the needless ones of the outermost lines that come at one place on three pages or most, figures aside."""
    found: dict[tuple[str, int], list[tuple[Page, Line]]] = {}
    for page in pages:
        for line in _outermost(page, said):
            # From the nearer edge, so that pages of two sizes agree.
            place = line.base if line.base < page.height / 2 else line.base - page.height
            found.setdefault((_DIGITS.sub("#", line.text), round(place / _JITTER)), []).append((page, line))
    return {
        line
        for hits in found.values()
        if len(hits) >= _REPEATED or len(hits) > max(1, len(pages) / 2)
        for line in _dispensable(hits)
    }


def _dispensable(hits: list[tuple[Page, Line]]) -> Iterator[Line]:
    """Yield those of the lines that repeat one another which say nothing that has not been said."""
    seen: set[str] = set()
    for page, line in hits:
        is_title = line.size >= TITLE_SIZE or _is_caption(page, line)
        if line.text in seen or not (is_title or _CONTENT_AT_EDGE.match(line.text)):
            yield line
        seen.add(line.text)


def _is_caption(page: Page, line: Line) -> bool:
    """Tell whether the line stands above a table with nothing but titles between them and the page's edge."""
    top = min((grid.top for grid in page.grids), default=0.0)
    above = [other for other in page.lines if other.top <= top]
    return line in above and not any("。" in other.text for other in above)


# --------------------------------------------------------------------------------------------------------------- footnotes


def _body_size(pages: list[Page]) -> float:
    """Return the font size that most characters have."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 1.0


def _without_footnotes(page: Page, body: float) -> Page:
    """Set the small print at the foot of a page apart, where it begins with a note's mark."""
    bottom = max((grid.bottom for grid in page.grids), default=0.0)
    at = len(page.lines)
    while at and page.lines[at - 1].size < _SMALL_PRINT * body and page.lines[at - 1].top > bottom:
        at -= 1
    small = page.lines[at:]
    if not small or not begins_note(small[0].text) or small[0].top < page.height / 2:
        return page
    return replace(page, lines=page.lines[:at], notes=small + page.notes)
