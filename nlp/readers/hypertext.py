"""Web pages: what a reader sees of them, without navigation and scripts."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lxml import etree

from nlp.errors import UnreadableFileError
from nlp.readers.grid import MAX_COLUMNS, MAX_ROWS, Span, as_table, lay_out
from nlp.readers.sniff import decode
from nlp.records import Block, Document, Paragraph, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_DROPPED: Final = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "header",
        "footer",
        "head",
        "svg",
        "iframe",
        "object",
        "select",
        "option",
        "button",
        "textarea",
    ]
)
# A header or footer inside an article is part of it.
_KEPT_IN: Final = frozenset({"article", "main"})
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHARSET: Final = re.compile(
    rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)|<\?xml[^>]+encoding\s*=\s*[\"']([\w-]+)", re.IGNORECASE
)
_HEAD: Final = 4096

# A line break of the source between two Chinese characters is no space of the text.
_CJK: Final = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”‘’…—"
_SOURCE_BREAK: Final = re.compile(rf"(?<=[{_CJK}])[ \t]*[\r\n][ \t\r\n]*(?=[{_CJK}])")
_SPACE: Final = re.compile("[ \t\r\n\f\xa0]+")
_BR: Final = "\v"
_BLANK_LINE: Final = re.compile(r"\n[ \u3000]*\n\s*")

# A page's frame made with a table: few rows, and whole paragraphs in a cell.
_FRAME_ROWS: Final = 3
_FRAME_PARAGRAPHS: Final = 3
_FRAME_CHARACTERS: Final = 200
_LONGEST_HEAD: Final = 20


def read_html(data: bytes, name: str) -> Document:
    """Return the paragraphs, headings and tables of a web page, with its title.

    A table that only frames a page is given as the paragraphs that it holds.

    Raises:
        UnreadableFileError: No decoding gives a text, or it is nested too deeply.
    """
    text = _decode(data, name)
    # A parser of its own for each page: lxml locks a shared one against other threads.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    root = etree.fromstring(text.encode(), parser)
    # The parser says so when it stops at one of its limits, and gives what it has so far.
    if any("XML_PARSE_HUGE" in entry.message for entry in parser.error_log):
        raise UnreadableFileError(
            f"{name}：网页的标签嵌套超过 256 层，或一段文字超过 10 MB，读不完整；请用浏览器打开，把正文复制为 .docx。"
        )
    title = root.findtext(".//title") or ""
    page = _Page(name)
    page.walk(root)
    return Document(tuple(page.done()), "html", title=_SPACE.sub(" ", title).strip())


def _decode(data: bytes, name: str) -> str:
    """The text by what the page says of itself, unless its bytes say otherwise: pages that claim GB 2312 may be UTF-8."""
    text = decode(data, name) if _is_utf(data) else None
    found = _CHARSET.search(data[:_HEAD])
    if text is None and found:
        claimed = (found[1] or found[2]).decode("ascii").lower()
        try:
            codec = codecs.lookup("gb18030" if claimed in {"gb2312", "gbk"} else claimed).name
            text = data.decode(codec)
        except (LookupError, UnicodeDecodeError):
            text = None  # the claim is wrong
    return decode(data, name) if text is None else text


def _is_utf(data: bytes) -> bool:
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class _Page:
    """A page, or a cell of a table, while it is gathered."""

    file: str
    blocks: list[Block] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _heading: int | None = None

    def walk(self, node: Element) -> None:
        """Gather what a node holds."""
        tag = node.tag
        if tag == "br":
            self._text.append(_BR)
        elif _is_dropped(node):
            return
        elif tag == "table":
            self._flush()
            self._table(node)
        elif tag == "pre":
            self._flush()
            self._text.append(_all_text(node).replace("\n", _BR))
            self._flush()
        else:
            self._inside(node)

    def done(self) -> list[Block]:
        """All blocks, the text that was still open too."""
        self._flush()
        return self.blocks

    def _inside(self, node: Element) -> None:
        is_block = node.tag in _BLOCKS
        outer = self._heading
        if is_block:
            self._flush()
            self._heading = _HEADINGS.get(node.tag, outer)
        self._text.append(node.text or "")
        for child in node:
            self.walk(child)
            self._text.append(child.tail or "")
        if is_block:
            self._flush()
            self._heading = outer

    def _flush(self) -> None:
        """Make paragraphs of the open text; an empty line made with <br> parts two."""
        text = _SPACE.sub(" ", _SOURCE_BREAK.sub("", "".join(self._text)))
        self._text.clear()
        lines = "\n".join(line.strip(" ") for line in text.split(_BR))
        for paragraph in _BLANK_LINE.split(lines):
            if paragraph.strip():
                self.blocks.append(Paragraph(paragraph.strip(), heading=self._heading))

    def _table(self, node: Element) -> None:
        rows = list(_rows(node))
        cells = [[cell for cell in row if cell.tag in {"td", "th"}] for row in rows]
        read = [[self._cell(cell) for cell in line] for line in cells]
        spans = [
            [Span(_flat(blocks), *_spans(cell, len(rows) - at)) for cell, blocks in zip(line, found, strict=True)]
            for at, (line, found) in enumerate(zip(cells, read, strict=True))
        ]
        table = as_table(lay_out(spans, self.file), self.file, " ".join(_captions(node)))
        if _is_frame(table, [blocks for line in read for blocks in line], has_head=_has_head(cells)):
            self.blocks += [block for line in read for blocks in line for block in blocks]
        else:
            self.blocks.append(table)

    def _cell(self, cell: Element) -> list[Block]:
        page = _Page(self.file)
        page.walk(cell)
        return page.done()


def _all_text(node: Element) -> str:
    return "".join(map(str, node.itertext()))


def _is_dropped(node: Element) -> bool:
    if node.tag in {"header", "footer"} and any(above.tag in _KEPT_IN for above in node.iterancestors()):
        return False
    is_hidden = "hidden" in node.attrib or bool(_HIDDEN.search(node.get("style", "")))
    return node.tag in _DROPPED or is_hidden


def _rows(table: Element) -> Iterator[Element]:
    """The rows of a table that are visible, not those of tables in its cells."""
    for child in table:
        if child.tag in {"thead", "tbody", "tfoot"}:
            yield from _rows(child)
        elif child.tag == "tr" and not _is_dropped(child):
            yield child


def _captions(table: Element) -> Iterator[str]:
    for caption in table.iterchildren("caption"):
        yield _SPACE.sub(" ", _all_text(caption)).strip()


def _spans(cell: Element, rows_left: int) -> tuple[int, int]:
    """How many columns and rows a cell covers; a rowspan of 0 means all that follow."""
    down = min(_whole(cell.get("rowspan"), MAX_ROWS) or rows_left, rows_left)
    return max(1, _whole(cell.get("colspan"), MAX_COLUMNS)), max(1, down)


def _whole(text: str | None, most: int) -> int:
    found = re.match(r"\s*([0-9]{1,6})", text or "1")
    return min(int(found[1]), most) if found else 1


def _flat(blocks: list[Block]) -> str:
    return "\n".join(block.text for block in blocks if isinstance(block, Paragraph))


def _has_head(rows: list[list[Element]]) -> bool:
    """Whether the first row has a few words above each cell of the others; links are a page's navigation."""
    words = ["".join(_all_text(cell).split()) for cell in rows[0]] if len(rows) > 1 else []
    return (
        len(words) > 1
        and {len(row) for row in rows} == {len(words)}
        and all(0 < len(text) <= _LONGEST_HEAD for text in words)
        and not any(cell.find(".//a") is not None for cell in rows[0])
    )


def _is_frame(table: Table, cells: list[list[Block]], *, has_head: bool) -> bool:
    """Whether a table only frames text: one column, headings or tables in its cells, or pages of prose without a head."""
    if not table.rows or len(table.rows[0].cells) == 1:
        return True
    if any(isinstance(block, Table) or block.heading for blocks in cells for block in blocks):
        return True
    few = len(table.rows) <= _FRAME_ROWS and not has_head
    return few and any(len(blocks) >= _FRAME_PARAGRAPHS and len(_flat(blocks)) >= _FRAME_CHARACTERS for blocks in cells)
