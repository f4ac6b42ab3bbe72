"""Word files (.docx, and .wps that are the same inside): what a reader of the printed page would see.

The XML is walked directly, not through python-docx: that library opens no file with a dangling relationship, which WPS
writes, offers no parser with limits, and knows nothing of numbers, text boxes, footnotes and tracked changes.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lxml import etree

from nlp.errors import UnreadableFileError
from nlp.readers.grid import MAX_COLUMNS, as_table
from nlp.readers.numbering import VAL, Numbering, W, put_in_front
from nlp.readers.package import xml_parts
from nlp.records import Block, Document, Paragraph, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lxml.etree import _Element as Element

_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_M: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_V: Final = "{urn:schemas-microsoft-com:vml}"
_TITLE: Final = "{http://purl.org/dc/elements/1.1/}title"
_RELATIONSHIPS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"

_P: Final = f"{W}p"
_R: Final = f"{W}r"
_T: Final = f"{W}t"
_TBL: Final = f"{W}tbl"
_TR: Final = f"{W}tr"
_TC: Final = f"{W}tc"
_PPR: Final = f"{W}pPr"
_RPR: Final = f"{W}rPr"
_SDT: Final = f"{W}sdt"
_BOX: Final = f"{W}txbxContent"
_ALTERNATE: Final = f"{_MC}AlternateContent"
_MATH: Final = frozenset({f"{_M}oMath", f"{_M}oMathPara"})

# What only wraps text and says nothing of its own; w:del and w:moveFrom are left out: their text is gone.
_WRAPPERS: Final = frozenset(
    f"{W}{tag}"
    for tag in ("ins", "moveTo", "hyperlink", "smartTag", "customXml", "fldSimple", "sdtContent", "dir", "bdo")
)
_LITERAL: Final = {
    f"{W}tab": "\t",
    f"{W}ptab": "\t",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "-",
}
_SYM: Final = f"{W}sym"
_CHARACTERS: Final = frozenset({_T, _SYM, *_LITERAL})
_NOTES: Final = {f"{W}footnoteReference": "footnotes", f"{W}endnoteReference": "endnotes"}
_PICTURES: Final = frozenset({f"{W}drawing", f"{W}pict", f"{W}object"})

# Wingdings and Symbol, as Chinese score sheets use them: boxes to tick, ticks, bullets, comparison.
_SYMBOLS: Final = {
    ("wingdings", 0x6C): "●",
    ("wingdings", 0x6E): "■",
    ("wingdings", 0x6F): "□",
    ("wingdings", 0x71): "□",
    ("wingdings", 0x75): "◆",
    ("wingdings", 0xA8): "□",
    ("wingdings", 0xD8): "➢",
    ("wingdings", 0xE0): "→",
    ("wingdings", 0xFB): "×",
    ("wingdings", 0xFC): "√",
    ("wingdings", 0xFD): "☒",
    ("wingdings", 0xFE): "☑",
    ("wingdings 2", 0x50): "√",
    ("wingdings 2", 0x52): "☑",
    ("wingdings 2", 0xA3): "□",
    ("symbol", 0xB1): "±",
    ("symbol", 0xB3): "≥",
    ("symbol", 0xA3): "≤",
    ("symbol", 0xB4): "×",
    ("symbol", 0xB7): "·",
}
_PRIVATE_USE: Final = range(0xE000, 0xF900)

_HEADING_NAME: Final = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)
_TOC_NAME: Final = re.compile(r"(?:toc|目录)\s*(?:[1-9]|heading|标题)", re.IGNORECASE)
_BODY_LEVEL: Final = 9  # outline levels 0 to 8 are headings
# Word's "Strict Open XML" differs in these names only.
_STRICT: Final = (
    (
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    ),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/math",
        b"http://schemas.openxmlformats.org/officeDocument/2006/math",
    ),
)


def read_docx(data: bytes, name: str) -> Document:
    """Return the paragraphs and tables of a Word file in the order of its body.

    Automatic numbers are written in front of their paragraphs; text boxes and notes follow the paragraph that they
    hang on; tracked changes count as accepted; hidden text, tables of contents, headers and footers are left out. A
    table with a single column only frames its text and is given as paragraphs.

    Raises:
        UnreadableFileError: It is damaged or too large, or a part declares an entity.
    """
    package = _Package(xml_parts(data, name), name)
    main = package.main()
    root = package.parse(main)
    body = root.find(f"{W}body")
    if body is None:
        raise UnreadableFileError(f"{name}：Word 文件里没有正文（w:body），文件已损坏，请重新取得。")
    styles = _read_styles(package.related(main, "styles"))
    numbering = Numbering(
        package.related(main, "numbering"),
        {style.id: style.number for style in styles.values() if style.number is not None},
    )
    notes = {kind: _read_notes(package.related(main, kind)) for kind in ("footnotes", "endnotes")}
    blocks = tuple(_Walk(name, _Looks(styles), numbering, notes).blocks(body))
    pictures = sum(1 for _ in root.iter(f"{_A}blip", f"{_V}imagedata"))
    warnings = (f"有 {pictures} 张图片，图片里的文字没有读。",) if pictures else ()
    return Document(blocks, "docx", title=package.title(), warnings=warnings)


@dataclass(frozen=True, slots=True)
class _Package:
    """The parts of the file by path, and the relationships between them."""

    parts: Mapping[str, bytes]
    name: str

    def main(self) -> str:
        return self._target("", "officeDocument") or "word/document.xml"

    def title(self) -> str:
        core = self._target("", "core-properties")
        found = self.parse(core).findtext(f".//{_TITLE}") if core in self.parts else None
        return (found or "").strip()

    def related(self, source: str, kind: str) -> Element | None:
        """The part of a kind that a part refers to; files of poor make refer to parts that are not there."""
        target = self._target(source, kind)
        return self.parse(target) if target in self.parts else None

    def parse(self, path: str) -> Element:
        if path not in self.parts:
            raise UnreadableFileError(f"{self.name}：Word 文件里缺少 {path}，文件已损坏，请重新取得。")
        return _parse(self.parts[path], self.name)

    def _target(self, source: str, kind: str) -> str:
        """The path of the part that a part refers to, an empty string where it refers to none."""
        folder, file = posixpath.split(source)
        relations = posixpath.join(folder, "_rels", f"{file}.rels")
        if relations not in self.parts:
            return ""
        for relation in _parse(self.parts[relations], self.name).iter(_RELATIONSHIPS):
            if str(relation.get("Type", "")).endswith(f"/{kind}"):
                target = str(relation.get("Target", "")).replace("\\", "/").lower()
                return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        return ""


@dataclass(frozen=True, slots=True)
class _Style:
    """A paragraph or character style, as far as it says something itself."""

    id: str
    name: str
    based_on: str | None
    outline: int | None
    number: str | None
    level: int | None
    hidden: bool | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class _Look:
    """What a style comes to with all that it is based on.

    Attributes:
        chain: The ids of the style and of those below it, nearest first.
    """

    chain: tuple[str, ...] = ()
    heading: int | None = None
    number: str | None = None
    level: int | None = None
    hidden: bool = False
    is_contents: bool = False


class _Looks:
    """Styles resolved along their chains, each once."""

    def __init__(self, styles: Mapping[str, _Style]) -> None:
        self._styles = styles
        self._default = next((style.id for style in styles.values() if style.is_default), "")
        self._known: dict[str, _Look] = {}

    def of(self, style_id: str | None) -> _Look:
        """The look of a style; of the default one where the id is missing or unknown."""
        known = style_id if style_id is not None and style_id in self._styles else self._default
        if known not in self._known:
            self._known[known] = self._resolve(known)
        return self._known[known]

    def of_characters(self, style_id: str) -> _Look:
        """The look of a character style, plain where it is unknown."""
        return self.of(style_id) if style_id in self._styles else _Look()

    def _resolve(self, style_id: str) -> _Look:
        chain: list[_Style] = []
        at: str | None = style_id
        while at is not None and at in self._styles and self._styles[at] not in chain:  # some are based on themselves
            chain.append(self._styles[at])
            at = chain[-1].based_on
        outlines = (style.outline for style in chain)
        return _Look(
            chain=tuple(style.id for style in chain),
            heading=_heading(next((outline for outline in outlines if outline is not None), None)),
            number=next((style.number for style in chain if style.number is not None), None),
            level=next((style.level for style in chain if style.level is not None), None),
            hidden=next((style.hidden for style in chain if style.hidden is not None), False),
            is_contents=any(_TOC_NAME.match(style.name) for style in chain),
        )


@dataclass(slots=True)
class _Piece:
    """A paragraph while it is gathered.

    Attributes:
        fields: For each open field whether its result is reached; before that its code stands in the text.
    """

    text: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    notes: list[Element] = field(default_factory=list)
    fields: list[bool] = field(default_factory=list)

    def add(self, text: str) -> None:
        if all(self.fields):
            self.text.append(text)


@dataclass(slots=True)
class _Walk:
    """One way through the body: numbers are counted while it goes."""

    file: str
    looks: _Looks
    numbering: Numbering
    notes: Mapping[str, Mapping[str, Element]]
    _in_cells: int = 0
    _waiting: list[Element] = field(default_factory=list)  # notes of a table's cells, given behind the table

    def blocks(self, container: Element) -> Iterator[Block]:
        """The blocks of a body, cell, text box or note."""
        piece = _Piece()
        for node in _content(container):
            if node.tag == _TBL:
                yield from self._table(node)
            elif node.tag == _P:
                yield from self._paragraph(node, piece)
                if not _is_joined(node):
                    piece = _Piece()

    def _paragraph(self, node: Element, piece: _Piece) -> Iterator[Block]:
        """The paragraph, its text boxes and its notes; nothing yet where the next one is joined to it.

        Args:
            node: The paragraph.
            piece: What deleted paragraph marks have left over from the paragraphs before it.
        """
        properties = node.find(_PPR)
        look = self.looks.of(_child(properties, "pStyle"))
        piece.fields.clear()  # a field that is never closed must not hide the rest of the document
        self._inline(node, piece, look)
        if _is_joined(node) or look.is_contents:
            return
        text = "".join(piece.text).strip()
        mark = self._mark(properties, look)
        if text or (mark and self._in_cells):  # a column of nothing but automatic numbers
            own = _whole(_child(properties, "outlineLvl"))
            heading = look.heading if own is None else _heading(own)
            yield Paragraph(put_in_front(mark, text), heading=heading)
        for box in piece.boxes:
            yield from self.blocks(box)
        if self._in_cells:
            self._waiting += piece.notes
        else:
            for note in piece.notes:
                yield from self.blocks(note)

    def _mark(self, properties: Element | None, look: _Look) -> str:
        own = None if properties is None else properties.find(f"{W}numPr")
        number = _child(own, "numId") or look.number
        if number is None or number == "0":
            return ""
        level = _whole(_child(own, "ilvl"))
        if level is None:
            linked = (self.numbering.level_of(number, style) for style in look.chain)
            level = next((at for at in linked if at is not None), look.level or 0)
        return self.numbering.mark(number, level)

    def _inline(self, node: Element, piece: _Piece, look: _Look) -> None:
        for child in node:
            tag = child.tag
            if tag == _R:
                if not self._is_hidden(child, look):
                    self._run(child, piece, look)
            elif tag in _WRAPPERS:
                self._inline(child, piece, look)
            elif tag == _SDT:
                self._inline(_sdt_content(child), piece, look)
            elif tag == _ALTERNATE:
                self._alternate(child, piece, lambda branch: self._inline(branch, piece, look))
            elif tag in _MATH:
                piece.add("".join(part.text or "" for part in child.iter(f"{_M}t")))

    def _run(self, run: Element, piece: _Piece, look: _Look) -> None:
        for part in run:
            tag = part.tag
            if tag in _CHARACTERS:
                piece.add(_characters(part))
            elif tag in _PICTURES:
                piece.boxes += _boxes(part)
            elif tag == _ALTERNATE:
                self._alternate(part, piece, lambda branch: self._run(branch, piece, look))
            elif tag == f"{W}fldChar":
                _turn_field(piece.fields, part.get(f"{W}fldCharType"))
            elif tag in _NOTES:
                note = self.notes[_NOTES[tag]].get(part.get(f"{W}id", ""))
                piece.notes += [] if note is None else [note]
            elif tag == f"{W}ruby":
                for base in part.iterfind(f"{W}rubyBase"):
                    self._inline(base, piece, look)

    def _alternate(self, node: Element, piece: _Piece, walk: Callable[[Element], None]) -> None:
        """Take one branch of the same content for newer and for older programs: the first that holds something."""
        for branch in node:
            before = len(piece.text), len(piece.boxes)
            walk(branch)
            if (len(piece.text), len(piece.boxes)) != before:
                return

    def _is_hidden(self, run: Element, look: _Look) -> bool:
        properties = run.find(_RPR)
        if properties is None:
            return look.hidden
        own = _switch(properties.find(f"{W}vanish"))
        style = _child(properties, "rStyle")
        if own is None and style:
            return look.hidden or self.looks.of_characters(style).hidden
        return look.hidden if own is None else own

    def _table(self, node: Element) -> Iterator[Block]:
        rows = [row for row in _content(node) if row.tag == _TR and row.find(f"{W}trPr/{W}del") is None]
        cells = [[cell for cell in _content(row) if cell.tag == _TC] for row in rows]
        if all(len(line) == 1 for line in cells):
            for line in cells:
                yield from self.blocks(line[0])
            return
        self._in_cells += 1
        lines: list[dict[int, str]] = []
        for row, line in zip(rows, cells, strict=True):
            lines.append(self._row(row, line, lines[-1] if lines else {}))
        self._in_cells -= 1
        table = as_table(lines, self.file)
        if table.rows:
            yield table
        if not self._in_cells:
            waiting, self._waiting = self._waiting, []
            for note in waiting:
                yield from self.blocks(note)

    def _row(self, row: Element, cells: list[Element], above: Mapping[int, str]) -> dict[int, str]:
        column = _whole(_child(row.find(f"{W}trPr"), "gridBefore")) or 0
        line = {}
        for cell in cells:
            properties = cell.find(f"{W}tcPr")
            merge = None if properties is None else properties.find(f"{W}vMerge")
            if merge is not None and merge.get(VAL) != "restart" and column in above:
                line[column] = above[column]
            else:
                line[column] = self._cell(cell)
            column += max(1, min(_whole(_child(properties, "gridSpan")) or 1, MAX_COLUMNS))
        return line

    def _cell(self, cell: Element) -> str:
        return "\n".join(text for block in self.blocks(cell) for text in _texts(block))


def _texts(block: Block) -> list[str]:
    """The lines of a block inside a cell; a table there is flattened, a line for each row."""
    if isinstance(block, Table):
        return [" ".join(cell for cell in row.cells if cell) for row in block.rows]
    return [block.text]


def _content(container: Element) -> Iterator[Element]:
    """The paragraphs, tables, rows or cells of a container, out of whatever wraps them."""
    for child in container:
        if child.tag in _WRAPPERS:
            yield from _content(child)
        elif child.tag == _SDT:
            gallery = child.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
            if gallery is None or gallery.get(VAL) != "Table of Contents":
                yield from _content(_sdt_content(child))
        elif child.tag == _ALTERNATE:
            yield from _content(child[0]) if len(child) else ()
        else:
            yield child


def _sdt_content(node: Element) -> Element:
    content = node.find(f"{W}sdtContent")
    return node if content is None else content


def _boxes(drawing: Element) -> list[Element]:
    """The text boxes of a drawing, those of its branch for newer programs only."""
    boxes = []
    for box in drawing.iter(_BOX):
        above = list(box.iterancestors(f"{_MC}Fallback", _BOX, drawing.tag))
        if above[0] is drawing:
            boxes.append(box)
    return boxes


def _is_joined(paragraph: Element) -> bool:
    """Whether its mark was deleted, so that the next paragraph goes on in it."""
    mark = paragraph.find(f"{_PPR}/{_RPR}")
    return mark is not None and (mark.find(f"{W}del") is not None or mark.find(f"{W}moveFrom") is not None)


def _turn_field(fields: list[bool], turn: str | None) -> None:
    if turn == "begin":
        fields.append(False)
    elif turn == "separate" and fields:
        fields[-1] = True
    elif turn == "end" and fields:
        fields.pop()


def _characters(node: Element) -> str:
    """The characters that a part of a run stands for."""
    if node.tag == _SYM:
        return _symbol(node)
    return _LITERAL.get(node.tag, node.text or "")


def _symbol(node: Element) -> str:
    """A character of a symbol font as the Unicode character that looks like it; empty where none is known."""
    try:
        code = int(node.get(f"{W}char", ""), 16)
    except ValueError:
        return ""
    font = str(node.get(f"{W}font", "")).lower()
    known = _SYMBOLS.get((font, code & 0xFF))
    if known or code in _PRIVATE_USE:
        return known or ""
    return chr(code) if code in range(0x20, 0xD800) else ""


def _heading(outline: int | None) -> int | None:
    return outline + 1 if outline is not None and outline < _BODY_LEVEL else None


def _parse(part: bytes, name: str) -> Element:
    """Return the root of a part that :func:`xml_parts` let through.

    Raises:
        UnreadableFileError: It is not well-formed.
    """
    # A parser of its own for each part: lxml locks a shared one against other threads.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    for strict, usual in _STRICT:
        part = part.replace(strict, usual)
    try:
        return etree.fromstring(part, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableFileError(
            f"{name}：文档内部的 XML 已损坏（{error.msg}），请用 Word 或 WPS 打开并另存后再试。"
        ) from error


def _read_styles(root: Element | None) -> dict[str, _Style]:
    elements = [] if root is None else list(root.iterfind(f"{W}style"))
    return {style.id: style for style in map(_read_style, elements)}


def _read_style(element: Element) -> _Style:
    name = _child(element, "name") or ""
    properties = element.find(_PPR)
    number = None if properties is None else properties.find(f"{W}numPr")
    named = _HEADING_NAME.fullmatch(name)
    outline = int(named[1]) - 1 if named else _whole(_child(properties, "outlineLvl"))
    runs = element.find(_RPR)
    default = element.get(f"{W}type") == "paragraph" and element.get(f"{W}default") in {"1", "true", "on"}
    return _Style(
        id=element.get(f"{W}styleId", ""),
        name=name,
        based_on=_child(element, "basedOn"),
        outline=outline,
        number=_child(number, "numId"),
        level=_whole(_child(number, "ilvl")),
        hidden=None if runs is None else _switch(runs.find(f"{W}vanish")),
        is_default=default,
    )


def _read_notes(root: Element | None) -> dict[str, Element]:
    """The notes by id, without the lines that part them from the text."""
    elements = [] if root is None else list(root)
    return {note.get(f"{W}id", ""): note for note in elements if note.get(f"{W}type") in {None, "normal"}}


def _child(element: Element | None, tag: str) -> str | None:
    """The value of a child element, ``None`` where there is no such child."""
    found = None if element is None else element.find(f"{W}{tag}")
    return None if found is None else found.get(VAL)


def _whole(text: str | None) -> int | None:
    """A small whole number of a file, ``None`` for what is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else None


def _switch(element: Element | None) -> bool | None:
    """A property that is on or off, ``None`` where it says nothing."""
    return None if element is None else element.get(VAL) not in {"0", "false", "off"}
