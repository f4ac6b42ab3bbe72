"""Reads PDF files that have a text layer: paragraphs, tables with their grid, and no page furniture.

PDF knows neither paragraphs nor tables, only glyphs and strokes at places. So the walk is, one module a step:

=================  ====================================================================================================
``opening``        bytes → an open file, or the reason why not
``glyphs``         the characters of a page (PDFium; pdfplumber where PDFium leaves letters out)
``strokes``        what else is drawn on it; ``rulings``: the straight strokes as ruling lines
``sheets``         both on the upright page
``lines``          glyphs → lines; ``grids``: rulings → empty tables, and the lines in their cells
``pages``          lines and grids of one page
``furniture``      page marks, running heads and footnotes out of the pages
``margins``        how far each line stands from the edges of the text
``paragraphs``     which lines are one paragraph; ``tables``: which grids are one table
``blocks``         all of it in reading order
=================  ====================================================================================================

``geometry`` and ``marks`` (what the first words of a line say) serve them all. A module imports only from those before
it. Two-column pages and tables without ruling lines are not taken apart.

Units: points (1/72 inch), y downwards from the top of the upright page; "em" is the font size of the line at hand.
The tolerances were tuned over A4 files of WPS, Word and ONLYOFFICE with text of 9 to 16 points. Over eight files of 192
pages those from `lines` onwards may be a quarter smaller or a third larger, each for itself, and not a character
changes, except for `_SHIFT`, `_MAIN`, `_WIDE_GAP` and `TITLE_SIZE` (lines), `_EDGE_ZONE` and `_SMALL_PRINT` (furniture)
and `_WIDER` (paragraphs): touch those with care.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from nlp.errors import UnreadableFileError, UnsupportedFormatError
from nlp.readers.pdf.blocks import blocks_of
from nlp.readers.pdf.furniture import without_furniture
from nlp.readers.pdf.margins import framed
from nlp.readers.pdf.opening import PDFIUM, File
from nlp.readers.pdf.pages import laid_out
from nlp.readers.pdf.sheets import read_sheet
from nlp.records import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.readers.pdf.pages import Page

__all__ = ["read_pdf"]

MAX_PAGES = 3000  # no report comes near it, and at 10 to 30 ms a page it is a minute's work


def read_pdf(data: bytes, name: str) -> Document:
    """Return the paragraphs and tables of a PDF file.

    Lines that the page wraps are joined to paragraphs, also over a page break; running heads and feet, page marks and
    slanted watermarks are left out; a footnote follows the paragraph that its page ends with.

    Args:
        data: The file's bytes.
        name: What to call the file in messages.

    Raises:
        UnsupportedFormatError: No page has a text layer.
        UnreadableFileError: The file is damaged, cut short, locked with a password or longer than `MAX_PAGES`.
    """
    with PDFIUM, closing(File(data, name)) as file:
        if file.count > MAX_PAGES:
            raise UnreadableFileError(f"{name}：最多读取{MAX_PAGES}页，这个PDF有{file.count}页；请拆分后再导入。")
        pages = [laid_out(read_sheet(file, index)) for index in range(file.count)]
        title = file.title
    if not any(page.has_text for page in pages):
        raise UnsupportedFormatError(
            f"{name}：{len(pages)}页都没有文字层，应是扫描件。扫描件暂不支持，请先做文字识别（OCR）再导入。"
        )
    blocks = tuple(blocks_of(framed(without_furniture(pages))))
    return Document(blocks, "pdf", pages=len(pages), title=title, wrapped=True, warnings=tuple(_warnings(pages)))


def _warnings(pages: list[Page]) -> Iterator[str]:
    for page in pages:
        if page.is_picture:
            yield f"第{page.number}页没有文字层（可能是扫描件），未读取"
    for page in pages:
        if page.misses_letters:
            yield f"第{page.number}页的字体没有嵌入文件，个别文字可能没有读出，请用原软件重新导出"
