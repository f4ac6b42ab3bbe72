"""Reads PDF files that have a text layer: paragraphs, tables with their grid, and no page furniture.

PDF knows neither paragraphs nor tables, only glyphs and strokes at places. So the walk is: glyphs and ruling lines of a
page (PDFium; pdfplumber where PDFium leaves letters out) → grids from the rulings, lines from the glyphs outside them →
page marks, running heads and footnotes taken out → lines and grids folded over all pages into paragraphs and tables.
Two-column pages and tables without ruling lines are not taken apart.

Units: points (1/72 inch), y downwards from the top of the upright page; "em" is the font size of the line at hand.
"""

from __future__ import annotations

import ctypes
import logging
import math
import re
import sys
from bisect import bisect_right
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pdfplumber
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from nlp.errors import UnreadableFileError, UnsupportedFormatError
from nlp.records import Block, Document, Paragraph, Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_PAGES = 3000

# PDFium keeps global state and must not be called from two threads at once.
_PDFIUM = Lock()

_TAIL = 2048  # a sound file ends with %%EOF, but mail gateways and web servers append some bytes
_TERMINAL = "。！？；：!?;:"
_NUMERAL = "一二三四五六七八九十百零〇"
_MARK = re.compile(
    rf"第[{_NUMERAL}\d]+[部分章节条]|[{_NUMERAL}]+、|[（(][{_NUMERAL}\d]+[）)]|\d{{1,2}}[.．、]\D|[①-⑳●■◆]"
)
_HEADING = re.compile(rf"第[{_NUMERAL}]+部分|[{_NUMERAL}]+、(?![{_NUMERAL}])")
_NOTE_MARK = re.compile(r"[*＊※†①-⑳]|[\[〔［(（]\d{1,2}[\]〕］)）]|\d{1,2}(?![\d.,%年月日个])|注[:：]")
_LEADER = re.compile(r"…{2,}|\.{5,}|·{4,}|．{4,}")
_DIGITS = re.compile(r"\d+")
_FIGURE = re.compile(r"[\d,.%\-－—]+")
_DASH = r"[—―－–\-─~·•\s]*"
_BARE_NUMBER = re.compile(r"\d{1,4}")
_PAGE_MARK = re.compile(
    rf"[—―－–\-─~·•]{_DASH}(?:\d{{1,4}}|[ivxlc]{{1,6}}){_DASH}"
    rf"|(?:\d{{1,4}}|[ivxlc]{{1,6}}){_DASH}[—―－–\-─~·•]"
    rf"|第\s*[\d{_NUMERAL}]+\s*页(?:[\s,，、/／]*共\s*[\d{_NUMERAL}]+\s*页)?"
    r"|(?:page\s*)?\d{1,4}\s*(?:/|／|of)\s*\d{1,4}|page\s*\d{1,4}|[ivx]{1,5}",
    re.IGNORECASE,
)
# Lines at a page's edge that carry content although they come on many pages: each stays where it first stands.
_CONTENT_AT_EDGE = re.compile(r"附[件表录]|表\s*\d|(?:金额)?单位\s*[:：]|.*单位\s*[:：]\s*(?:万|亿)?元")

# Tolerances, in points where nothing else is said; tuned over A4 files of WPS, Word and ONLYOFFICE with 9-16 pt text.
_THIN = 3.0  # a filled box up to this thickness is a ruling line
_JOINT = 3.0  # rulings this near to each other touch
_COLUMN_MIN = 5.0  # no column is narrower, so nearer vertical rulings are one
_ROW_MIN = 3.0
_COVERED = 0.6  # share of a cell's side that a ruling must cover to be its border
_SAME_PLACE = 5.0  # vertical rulings of two pages this near to each other part the same columns
_HEAD_ROWS = 5  # rows at the top of a table among which repeated head rows are looked for
_TITLE_SIZE = 17.5  # lines this large are titles (小二 and up)
_OUTLINES = 5000  # path segments: more than any table has, fewer than a page of letters turned into outlines
_SLANT = 0.1  # quarters of a circle: what leans more is a watermark across the page
_EDGE_ZONE = 0.15  # share of the page's height at top and bottom where page furniture stands
_REPEATED = 3  # pages


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
    _check_frame(data, name)
    with _PDFIUM, closing(_File(data, name)) as file:
        if len(file.pages) > MAX_PAGES:
            raise UnreadableFileError(f"{name}：最多读取{MAX_PAGES}页，这个PDF有{len(file.pages)}页；请拆分后再导入。")
        pages = [_laid_out(_read_sheet(file, index)) for index in range(len(file.pages))]
        title = str(file.pages.get_metadata_dict().get("Title", "")).strip()
    if not any(page.has_text for page in pages):
        raise UnsupportedFormatError(
            f"{name}：{len(pages)}页都没有文字层，应是扫描件。扫描件暂不支持，请先做文字识别（OCR）再导入。"
        )
    warnings = [f"第{page.number}页没有文字层（可能是扫描件），未读取" for page in pages if page.is_picture]
    warnings += [
        f"第{page.number}页的字体没有嵌入文件，个别文字可能没有读出，请用原软件重新导出"
        for page in pages
        if page.misses_letters
    ]
    blocks = _folded(_framed(_without_furniture(pages)))
    return Document(blocks, "pdf", pages=len(pages), title=title, wrapped=True, warnings=tuple(warnings))


# ------------------------------------------------------------------------------------------------------ opening the file


def _check_frame(data: bytes, name: str) -> None:
    """Check head and tail, because PDFium repairs a file that was cut short by silently dropping pages."""
    if b"%PDF-" not in data[:1024]:
        raise UnreadableFileError(
            f"{name}：PDF应以“%PDF-”开头，这个文件以{data[:8]!r}开头；请确认文件没有损坏、扩展名没有写错。"
        )
    if b"%%EOF" not in data.rstrip(b"\0\r\n ")[-_TAIL:]:
        raise UnreadableFileError(
            f"{name}：PDF应以“%%EOF”结尾，这个文件（{len(data)}字节）没有，内容不完整；请重新下载或重新导出。"
        )


class _File:
    """An open file: PDFium's handle, and pdfplumber's once a page needs it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self._data = data
        try:
            self.pages = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if pdfium_c.FPDF_GetLastError() in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
                raise UnreadableFileError(
                    f"{name}：PDF已加密，需要密码才能打开；请先解除密码保护，另存后再导入。"
                ) from error
            raise UnreadableFileError(f"{name}：PDF已损坏，无法打开（{error}）；请重新下载或重新导出。") from error

    @cached_property
    def plumber(self) -> Any:
        # It logs every flaw of a damaged file, which Python prints where a program has set up no logging.
        logging.getLogger("pdfminer").setLevel(logging.ERROR)
        return pdfplumber.open(BytesIO(self._data))

    def close(self) -> None:
        # pdfplumber holds no more than the bytes, and its own close fails on damaged files.
        self.pages.close()


# ---------------------------------------------------------------------------------------------- what PDFium says of a page


_Point = tuple[float, float]
_Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Glyph:
    """A character, its advance box and baseline on the upright page."""

    char: str
    x0: float
    x1: float
    base: float
    size: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, self.base - 0.35 * self.size

    @property
    def is_wide(self) -> bool:
        """Whether it is a Chinese character or full-width sign."""
        return self.char >= "\u2e80" or self.char in "—…“”‘’·"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A ruling line: its place across (y of a horizontal one, x of a vertical one) and its two ends."""

    at: float
    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page, turned so that its text stands upright.

    Attributes:
        aside: Glyphs at a right angle to the others (the page mark of a turned page), each angle a list of its own.
        is_picture: Whether it has an image, or letters drawn as outlines, and no text.
        misses_letters: Whether letters were left out because neither library could read them.
    """

    number: int
    width: float
    height: float
    glyphs: list[_Glyph]
    aside: list[list[_Glyph]]
    across: list[_Rule]
    down: list[_Rule]
    is_picture: bool
    misses_letters: bool


@dataclass(frozen=True, slots=True)
class _Turn:
    """Turns page coordinates of PDF so that text which runs at `angle` quarters runs from left to right."""

    angle: int
    box: tuple[float, float, float, float]

    def _raw(self, x: float, y: float) -> tuple[float, float]:
        return ((x, -y), (y, x), (-x, y), (-y, -x))[self.angle]

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        left, bottom, right, top = self.box
        corners = [self._raw(left, bottom), self._raw(right, top)]
        u, v = self._raw(x, y)
        return u - min(c[0] for c in corners), v - min(c[1] for c in corners)

    @property
    def size(self) -> tuple[float, float]:
        left, bottom, right, top = self.box
        sides = (right - left, top - bottom)
        return sides if self.angle % 2 == 0 else sides[::-1]


@dataclass(frozen=True, slots=True)
class _RawGlyph:
    """A character in the page's own coordinates; `angle` in quarters, anticlockwise."""

    char: str
    box: tuple[float, float, float, float]
    origin: tuple[float, float]
    size: float
    angle: int

    def turned(self, turn: _Turn) -> _Glyph:
        x0, _ = turn(self.box[0], self.box[1])
        x1, _ = turn(self.box[2], self.box[3])
        return _Glyph(self.char, min(x0, x1), max(x0, x1), turn(*self.origin)[1], self.size)


def _read_sheet(file: _File, index: int) -> _Sheet:
    try:
        with closing(file.pages[index]) as page, closing(page.get_textpage()) as text:
            raw = list(_raw_glyphs(text))
            drawing = _drawing(page)
            box = page.get_bbox()
    except pdfium.PdfiumError as error:
        raise UnreadableFileError(
            f"{file.name}：第{index + 1}页已损坏，无法读取（{error}）；请重新下载或重新导出。"
        ) from error
    found = _plumbed_glyphs(file, index) if drawing.misses_letters else raw
    raw = max(raw, found, key=len)
    by_angle: dict[int, list[_RawGlyph]] = {}
    for glyph in raw:
        by_angle.setdefault(glyph.angle, []).append(glyph)
    main = max(by_angle, key=lambda angle: len(by_angle[angle]), default=0)
    turns = {angle: _Turn(angle, box) for angle in {main, *by_angle}}
    width, height = turns[main].size
    upright = {angle: [glyph.turned(turns[angle]) for glyph in glyphs] for angle, glyphs in by_angle.items()}
    across, down = _rules(drawing.strokes, turns[main])
    return _Sheet(
        number=index + 1,
        width=width,
        height=height,
        glyphs=[glyph for glyph in upright.get(main, []) if 0 <= glyph.middle[0] <= width],
        aside=[glyphs for angle, glyphs in upright.items() if angle != main],
        across=across,
        down=down,
        is_picture=drawing.may_be_picture and not raw,
        misses_letters=drawing.misses_letters and not found,
    )


def _raw_glyphs(text: Any) -> Iterator[_RawGlyph]:
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
        quarters = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
        if abs(quarters - round(quarters)) < _SLANT:
            yield _RawGlyph(char, corners, (x.value, y.value), max(size, 1.0), round(quarters) % 4)


def _plumbed_glyphs(file: _File, index: int) -> list[_RawGlyph]:
    """Return the same characters as pdfplumber has them, which needs no letter shapes; none where it fails."""
    try:
        with closing(file.plumber.pages[index]) as page:
            chars, quarters = page.chars, page.page_obj.rotate // 90
            left, bottom, right, top = page.page_obj.mediabox
    except Exception:  # noqa: BLE001 - on damaged files pdfminer fails with whatever its code happens to run into
        return []

    def back(x: float, y: float) -> _Point:
        # pdfplumber turns the page by its /Rotate, PDFium's strokes are not turned.
        return ((left + x, bottom + y), (right - y, bottom + x), (right - x, top - y), (left + y, top - x))[quarters]

    glyphs = []
    for char in chars:
        a, b, _, _, x, y = char["matrix"]
        angle = math.atan2(b, a) / (math.pi / 2)
        if abs(angle - round(angle)) < _SLANT and not char["text"].startswith("(cid:"):
            start, end = back(x, y), back(x + a * char["adv"], y + b * char["adv"])
            turned = (round(angle) + quarters) % 4
            glyphs.append(_RawGlyph(char["text"], (*start, *end), start, max(char["size"], 1.0), turned))
    return glyphs


def _characters(text: Any) -> Iterator[tuple[int, str]]:
    """Yield the characters that the file has, each with PDFium's index of it."""
    high = ""
    for index in range(pdfium_c.FPDFText_CountChars(text)):
        code = pdfium_c.FPDFText_GetUnicode(text, index)
        if code > sys.maxunicode or pdfium_c.FPDFText_IsGenerated(text, index) == 1:
            continue
        char = "-" if pdfium_c.FPDFText_IsHyphen(text, index) == 1 else chr(code)
        if "\ud800" <= char < "\udc00":
            high = char
            continue
        if "\udc00" <= char < "\ue000":
            char = (high + char).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        high = ""
        if len(char) == 1 and char != "\ufffd" and (char.isprintable() or char.isspace()):
            yield index, char


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What a page has besides its characters.

    Attributes:
        strokes: The straight ones; thin filled boxes count too.
        may_be_picture: Whether it has an image, or letters drawn as outlines.
        misses_letters: Whether PDFium left letters out: it drops a piece of text that has no width, and a lone letter
            has none where its font is neither in the file nor on the machine.
    """

    strokes: list[tuple[_Point, _Point]]
    may_be_picture: bool
    misses_letters: bool


def _drawing(page: Any) -> _Drawing:
    strokes: list[tuple[_Point, _Point]] = []
    has_image = misses_letters = False
    segments = 0
    for item, matrix in _objects(page, (1, 0, 0, 1, 0, 0)):
        kind = pdfium_c.FPDFPageObj_GetType(item)
        has_image |= kind == pdfium_c.FPDF_PAGEOBJ_IMAGE
        misses_letters = misses_letters or (kind == pdfium_c.FPDF_PAGEOBJ_TEXT and _is_left_out(item))
        if kind == pdfium_c.FPDF_PAGEOBJ_PATH:
            segments += pdfium_c.FPDFPath_CountSegments(item)
            strokes.extend(_strokes_of_path(item, matrix))
    return _Drawing(strokes, has_image or segments > _OUTLINES, misses_letters)


def _is_left_out(item: Any) -> bool:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium_c.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    narrow = min(right.value - left.value, top.value - bottom.value) < 0.02  # noqa: PLR2004 - points
    return narrow and pdfium_c.FPDFFont_GetIsEmbedded(pdfium_c.FPDFTextObj_GetFont(item)) == 0


def _objects(parent: Any, outer: _Matrix, depth: int = 0) -> Iterator[tuple[Any, _Matrix]]:
    """Yield the objects of a page, those inside form objects too, each with the matrix that leads to the page."""
    if depth == 0:
        count, get = pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject
    else:
        count, get = pdfium_c.FPDFFormObj_CountObjects, pdfium_c.FPDFFormObj_GetObject
    own = pdfium_c.FS_MATRIX()
    for index in range(count(parent)):
        item = get(parent, index)
        pdfium_c.FPDFPageObj_GetMatrix(item, own)
        matrix = _product((own.a, own.b, own.c, own.d, own.e, own.f), outer)
        yield item, matrix
        if pdfium_c.FPDFPageObj_GetType(item) == pdfium_c.FPDF_PAGEOBJ_FORM and depth < 8:  # noqa: PLR2004 - loops
            yield from _objects(item, matrix, depth + 1)


def _product(inner: _Matrix, outer: _Matrix) -> _Matrix:
    a, b, c, d, e, f = inner
    o = outer
    return (
        a * o[0] + b * o[2],
        a * o[1] + b * o[3],
        c * o[0] + d * o[2],
        c * o[1] + d * o[3],
        e * o[0] + f * o[2] + o[4],
        e * o[1] + f * o[3] + o[5],
    )


def _strokes_of_path(item: Any, matrix: _Matrix) -> Iterator[tuple[_Point, _Point]]:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDFPath_GetDrawMode(item, fill, stroke)
    for points in _subpaths(item, matrix):
        if stroke.value:
            yield from pairwise(points)
        elif fill.value:
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            width, height = max(xs) - min(xs), max(ys) - min(ys)
            # A thick filled box is shading and says nothing of borders.
            if height <= _THIN < width:
                yield (min(xs), sum(ys) / len(ys)), (max(xs), sum(ys) / len(ys))
            elif width <= _THIN < height:
                yield (sum(xs) / len(xs), min(ys)), (sum(xs) / len(xs), max(ys))


def _subpaths(item: Any, matrix: _Matrix) -> Iterator[list[_Point]]:
    a, b, c, d, e, f = matrix
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[_Point] = []
    for index in range(pdfium_c.FPDFPath_CountSegments(item)):
        segment = pdfium_c.FPDFPath_GetPathSegment(item, index)
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        point = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        if not all(map(math.isfinite, point)):
            return
        if pdfium_c.FPDFPathSegment_GetType(segment) == pdfium_c.FPDF_SEGMENT_MOVETO:
            if points:
                yield points
            points = []
        points.append(point)
        if pdfium_c.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
    if points:
        yield points


def _rules(strokes: Iterable[tuple[_Point, _Point]], turn: _Turn) -> tuple[list[_Rule], list[_Rule]]:
    """Return the horizontal and the vertical rulings; pieces in one line that touch are one ruling."""
    across: list[_Rule] = []
    down: list[_Rule] = []
    for start, end in strokes:
        (x0, y0), (x1, y1) = turn(*start), turn(*end)
        if abs(y1 - y0) < 1 < abs(x1 - x0):
            across.append(_Rule((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
        elif abs(x1 - x0) < 1 < abs(y1 - y0):
            down.append(_Rule((x0 + x1) / 2, min(y0, y1), max(y0, y1)))
    return _joined(across), _joined(down)


def _joined(rules: list[_Rule]) -> list[_Rule]:
    joined: list[_Rule] = []
    places = _clustered([rule.at for rule in rules], 1.5)
    nearest = _nearest(places)
    for rule in sorted(rules, key=lambda rule: (nearest(rule.at), rule.lo)):
        last = joined[-1] if joined else None
        at = places[nearest(rule.at)]
        if last and last.at == at and rule.lo <= last.hi + _JOINT:
            joined[-1] = replace(last, hi=max(last.hi, rule.hi))
        else:
            joined.append(_Rule(at, rule.lo, rule.hi))
    return joined


def _clustered(values: Iterable[float], tolerance: float) -> list[float]:
    """Return the values in order, one for each group of neighbours (the group's mean).

    >>> _clustered([10.0, 50.0, 10.5, 49.5], 1.5)
    [10.25, 49.75]
    """
    groups: list[list[float]] = []
    for value in sorted(values):
        if groups and value - groups[-1][0] <= tolerance:
            groups[-1].append(value)
        else:
            groups.append([value])
    return [sum(group) / len(group) for group in groups]


def _nearest(places: Sequence[float]) -> Callable[[float], int]:
    """Return a function from a value to the index of the nearest place."""
    ordered = np.asarray(places)

    def find(value: float) -> int:
        return int(np.abs(ordered - value).argmin())

    return find


# ---------------------------------------------------------------------------------------------------- glyphs into lines


@dataclass(frozen=True, slots=True)
class _Line:
    """Glyphs on one baseline.

    Attributes:
        lead: Width of the first piece that cannot be broken; had it fitted on the line before, it would stand there.
        indent: Distance from the left edge of the text.
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
        return self.base - self.size

    @property
    def is_open(self) -> bool:
        """Whether its last character can stand in mid-sentence."""
        return self.text[-1] not in _TERMINAL


def _lines(glyphs: Iterable[_Glyph], page: int) -> list[_Line]:
    """Return the lines from top to bottom."""
    rows: list[list[_Glyph]] = []
    base = size = 0.0
    for glyph in sorted(glyphs, key=lambda glyph: glyph.base):
        # Raised and lowered figures shift by a third of an em.
        if rows and glyph.base - base < 0.45 * max(size, glyph.size):
            rows[-1].append(glyph)
            size = max(size, glyph.size)
        else:
            rows.append([glyph])
            base, size = glyph.base, glyph.size
    lines = (_line(sorted(row, key=lambda glyph: glyph.x0), page) for row in rows)
    return [line for line in lines if line.text]


def _line(row: list[_Glyph], page: int) -> _Line:
    printed = [glyph for glyph in row if not glyph.char.isspace()]
    text = _text(row)
    if not printed:
        return _Line("", 0, 0, 0, 1, 0, page)
    size = Counter(round(glyph.size * 2) / 2 for glyph in printed).most_common(1)[0][0]
    base = max(glyph.base for glyph in printed if glyph.size >= 0.8 * size)
    first = len(_LEAD.match(text)[0].replace(" ", ""))  # type: ignore[index] # the pattern matches any text
    lead = printed[first - 1].x1 - printed[0].x0
    return _Line(text, printed[0].x0, max(glyph.x1 for glyph in printed), base, max(size, 1.0), lead, page)


# What must stay together at the start of a line: a figure or word, or one character with its brackets and stops.
_LEAD = re.compile(r"[（《“‘(【]*(?:[A-Za-z0-9.,%]+|.)[，。、；：！？）》”’)】]*")


def _text(row: list[_Glyph]) -> str:
    """Return the characters of one line, with a space where the file has one or leaves a gap as wide as one."""
    pieces: list[str] = []
    last: _Glyph | None = None
    spaced = False
    for glyph in row:
        if glyph.char.isspace():
            spaced = True
            continue
        if last is not None:
            gap = glyph.x0 - last.x1
            if glyph.char == last.char and gap < -0.6 * glyph.size and glyph.is_wide:
                continue  # printed twice to look bold
            wide = glyph.is_wide or last.is_wide
            if spaced or gap > (0.6 if wide else 0.2) * min(glyph.size, last.size):
                pieces.append(" ")
        pieces.append(glyph.char)
        last, spaced = glyph, False
    return "".join(pieces)


def _glued(texts: Iterable[str]) -> str:
    """Return the texts of wrapped lines as one, with a space only between two words of letters.

    >>> _glued(["预算执", "行率95%，见Annual", "Report"])
    '预算执行率95%，见Annual Report'
    """
    whole = ""
    for text in texts:
        words = whole[-1:].isascii() and whole[-1:].isalpha() and text[:1].isascii() and text[:1].isalpha()
        whole += f" {text}" if words else text
    return whole


# ---------------------------------------------------------------------------------------------------- rulings into grids


@dataclass(frozen=True, slots=True)
class _Region:
    """A cell, merged or not.

    Attributes:
        rows: The first row that it covers and the one behind the last.
        columns: The same of its columns.
        is_full: Whether its text stops at the right border in mid-sentence.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    text: str = ""
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class _Grid:
    """A ruled table on one page."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    regions: tuple[_Region, ...]
    page: int

    @property
    def top(self) -> float:
        return self.ys[0]

    def covers(self, glyph: _Glyph) -> bool:
        x, y = glyph.middle
        return self.xs[0] <= x <= self.xs[-1] and self.ys[0] <= y <= self.ys[-1]


def _grids(sheet: _Sheet) -> list[_Grid]:
    """Return the tables of a page; a frame round one column of text is no table."""
    grids = []
    for across, down in _groups(sheet.across, sheet.down):
        grid = _grid(across, down, sheet.number)
        if grid is not None:
            grids.append(grid)
    # The smallest first, so that a glyph falls to a table inside a frame before it falls to the frame.
    grids.sort(key=lambda grid: (grid.xs[-1] - grid.xs[0]) * (grid.ys[-1] - grid.ys[0]))
    return grids


def _groups(across: list[_Rule], down: list[_Rule]) -> Iterator[tuple[list[_Rule], list[_Rule]]]:
    """Yield the rulings that touch one another, directly or through others."""
    if not across or not down:
        return
    h = np.array([(rule.at, rule.lo - _JOINT, rule.hi + _JOINT) for rule in across])
    v = np.array([(rule.at, rule.lo - _JOINT, rule.hi + _JOINT) for rule in down])
    touch = (
        (h[:, None, 1] <= v[None, :, 0])
        & (v[None, :, 0] <= h[:, None, 2])
        & (v[None, :, 1] <= h[:, None, 0])
        & (h[:, None, 0] <= v[None, :, 2])
    )
    free = set(range(len(across)))
    while free:
        rows, columns = {free.pop()}, set[int]()
        while True:
            found = set(np.flatnonzero(touch[sorted(rows)].any(axis=0)).tolist())
            more = set(np.flatnonzero(touch[:, sorted(found)].any(axis=1)).tolist())
            if found <= columns and more <= rows:
                break
            columns |= found
            rows |= more
        free -= rows
        if columns:
            yield [across[i] for i in sorted(rows)], [down[i] for i in sorted(columns)]


def _grid(across: list[_Rule], down: list[_Rule], page: int) -> _Grid | None:
    """Return the empty grid of rulings that touch, `None` if it has not two columns."""
    # The outer borders are often left out: the ends of the crossing rulings stand for them.
    xs = _edges([rule.at for rule in down], across, _COLUMN_MIN)
    ys = _edges([rule.at for rule in across], down, _ROW_MIN)
    if len(xs) < 3 or len(ys) < 2:  # noqa: PLR2004 - two columns, one row
        return None
    right = _borders(down, xs, ys)
    below = _borders(across, ys, xs).T
    return _Grid(tuple(xs), tuple(ys), tuple(_regions(right, below)), page)


def _edges(places: list[float], crossing: list[_Rule], least: float) -> list[float]:
    edges = _clustered(places, least)
    first, last = min(rule.lo for rule in crossing), max(rule.hi for rule in crossing)
    if first < edges[0] - least:
        edges.insert(0, first)
    if last > edges[-1] + least:
        edges.append(last)
    return edges


def _borders(rules: list[_Rule], places: list[float], steps: list[float]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which steps of which place a ruling covers.

    Shapes:
        (n_steps - 1, n_places): entry (i, j) for the stretch from step i to step i + 1 along place j.
    """
    covered = np.zeros((len(steps) - 1, len(places)))
    lows, highs = np.array(steps[:-1]), np.array(steps[1:])
    nearest = _nearest(places)
    for rule in rules:
        covered[:, nearest(rule.at)] += np.clip(np.minimum(highs, rule.hi) - np.maximum(lows, rule.lo), 0, None)
    return np.asarray(covered >= _COVERED * (highs - lows)[:, None])


def _regions(
    right: np.ndarray[Any, np.dtype[np.bool_]], below: np.ndarray[Any, np.dtype[np.bool_]]
) -> Iterator[_Region]:
    """Yield the cells: neighbours without a border between them are one."""
    height, width = right.shape[0], below.shape[1]
    seen = np.zeros((height, width), dtype=bool)
    for row, column in np.ndindex(height, width):
        if seen[row, column]:
            continue
        last = column + 1
        while last < width and not right[row, last] and not seen[row, last]:
            last += 1
        end = row + 1
        while end < height and not below[end, column:last].any() and not right[end, column + 1 : last].any():
            end += 1
        seen[row:end, column:last] = True
        yield _Region((row, end), (column, last))


def _filled(grid: _Grid, glyphs: list[_Glyph]) -> _Grid:
    """Return the grid with the text of its cells."""
    xs, ys = np.array(grid.xs), np.array(grid.ys)
    owner = {
        (row, column): number
        for number, region in enumerate(grid.regions)
        for row in range(*region.rows)
        for column in range(*region.columns)
    }
    inside: dict[int, list[_Glyph]] = {}
    for glyph in glyphs:
        x, y = glyph.middle
        row = min(max(int(np.searchsorted(ys, y)) - 1, 0), len(ys) - 2)
        column = min(max(int(np.searchsorted(xs, x)) - 1, 0), len(xs) - 2)
        inside.setdefault(owner[row, column], []).append(glyph)
    regions = list(grid.regions)
    for number, content in inside.items():
        region = grid.regions[number]
        lines = _lines(content, grid.page)
        border = grid.xs[region.columns[1]]
        is_full = bool(lines) and lines[-1].is_open and border - lines[-1].x1 < 2.5 * lines[-1].size
        regions[number] = replace(region, text=_cell_text(lines), is_full=is_full)
    return replace(grid, regions=tuple(regions))


def _cell_text(lines: list[_Line]) -> str:
    """Return the lines of a cell, wrapped ones joined, real paragraphs parted by a newline."""
    if not lines:
        return ""
    edge = max(line.x1 for line in lines)
    paragraphs = [[lines[0].text]]
    for before, line in pairwise(lines):
        is_short = edge - before.x1 > line.lead + before.size
        if is_short and (not before.is_open or _MARK.match(line.text)):
            paragraphs.append([])
        paragraphs[-1].append(line.text)
    return "\n".join(_glued(texts) for texts in paragraphs)


# ------------------------------------------------------------------------------------------------- the layout of one page


@dataclass(frozen=True, slots=True)
class _Page:
    """Lines and tables of a page.

    Attributes:
        notes: Its footnotes and what stands aside.
        is_picture: Whether it has an image, or letters drawn as outlines, and no text.
        misses_letters: Whether letters were left out because neither library could read them.
    """

    number: int
    width: float
    height: float
    lines: list[_Line]
    grids: list[_Grid]
    notes: list[_Line]
    is_picture: bool
    misses_letters: bool

    @property
    def has_text(self) -> bool:
        return bool(self.lines or self.grids or self.notes)


def _laid_out(sheet: _Sheet) -> _Page:
    free = sheet.glyphs
    grids: list[_Grid] = []
    for grid in _grids(sheet):
        inside = [glyph for glyph in free if grid.covers(glyph)]
        free = [glyph for glyph in free if not grid.covers(glyph)]
        filled = _filled(grid, inside)
        if any(region.text for region in filled.regions):
            grids.append(filled)
    aside = [line for glyphs in sheet.aside for line in _lines(glyphs, sheet.number)]
    notes = [line for line in aside if not _is_page_mark(line.text)]
    return _Page(
        number=sheet.number,
        width=sheet.width,
        height=sheet.height,
        lines=_lines(free, sheet.number),
        grids=grids,
        notes=notes,
        is_picture=sheet.is_picture,
        misses_letters=sheet.misses_letters,
    )


# ------------------------------------------------------------------------------------- running heads, page marks, footnotes


def _without_furniture(pages: list[_Page]) -> list[_Page]:
    """Return the pages without page marks and running heads and feet, their footnotes set apart."""
    offsets = Counter(
        int(line.text) - page.number for page in pages for line in _outermost(page) if _BARE_NUMBER.fullmatch(line.text)
    )
    # A lone number is a page mark only if it counts the pages.
    counted = {offset for offset, times in offsets.items() if times > 1 or offset == 0}
    pages = [_without_marks(page, counted) for page in pages]
    while True:
        dropped = _repeated(pages)
        if not dropped:
            break
        pages = [_dropping(page, [line for line in page.lines if id(line) in dropped]) for page in pages]
        pages = [_without_marks(page, counted) for page in pages]
    body = _body_size(pages)
    return [_without_footnotes(page, body) for page in pages]


def _dropping(page: _Page, lines: list[_Line]) -> _Page:
    gone = {id(line) for line in lines}
    return replace(page, lines=[line for line in page.lines if id(line) not in gone])


def _outermost(page: _Page) -> list[_Line]:
    """Return the lines in the head and foot of a page with nothing between them and its edge."""
    edge = _EDGE_ZONE * page.height
    top = [line for line in page.lines[:1] if line.base < edge and all(line.top < grid.top for grid in page.grids)]
    foot = [line for line in page.lines[-1:] if line.top > page.height - edge]
    return top + [line for line in foot if all(line.base > grid.ys[-1] for grid in page.grids)]


def _without_marks(page: _Page, counted: set[int]) -> _Page:
    marks = [
        line
        for line in _outermost(page)
        if _is_page_mark(line.text) or (_BARE_NUMBER.fullmatch(line.text) and int(line.text) - page.number in counted)
    ]
    return _dropping(page, marks)


def _is_page_mark(text: str) -> bool:
    """Tell whether a line is a page mark, other than a lone number.

    >>> [_is_page_mark(text) for text in ("— 3 —", "第3页 共20页", "3 / 20", "2023")]
    [True, True, True, False]
    """
    return _PAGE_MARK.fullmatch(text) is not None


def _repeated(pages: list[_Page]) -> set[int]:
    """Return the ids of the outermost lines that come at one place on three pages or most, figures aside."""
    found: dict[tuple[str, float], list[tuple[_Page, _Line]]] = {}
    for page in pages:
        for line in _outermost(page):
            # From the nearer edge, so that pages of two sizes agree; a jitter of some points is no difference.
            place = line.base if line.base < page.height / 2 else line.base - page.height
            found.setdefault((_DIGITS.sub("#", line.text), round(place / 6)), []).append((page, line))
    dropped: set[int] = set()
    for hits in found.values():
        if len(hits) < _REPEATED and not (len(hits) > 1 and len(hits) > len(pages) / 2):
            continue
        seen: set[str] = set()
        for page, line in hits:
            is_content = _CONTENT_AT_EDGE.match(line.text) or _is_caption(page, line)
            if line.text in seen or not is_content:
                dropped.add(id(line))
            seen.add(line.text)
    return dropped


def _is_caption(page: _Page, line: _Line) -> bool:
    """Tell whether a table stands right below the line."""
    return (
        bool(page.grids)
        and page.lines[:1] == [line]
        and all(other is line or other.top > page.grids[0].top for other in page.lines)
    )


def _body_size(pages: list[_Page]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 1.0


def _without_footnotes(page: _Page, body: float) -> _Page:
    """Set the small print at the foot of a page apart, where it begins with a note's mark."""
    at = len(page.lines)
    bottom = max((grid.ys[-1] for grid in page.grids), default=0.0)
    while at and page.lines[at - 1].size < 0.87 * body and page.lines[at - 1].top > bottom:
        at -= 1
    small = page.lines[at:]
    if not small or not _NOTE_MARK.match(small[0].text) or small[0].top < page.height / 2:
        return page
    return replace(page, lines=page.lines[:at], notes=small + page.notes)


# --------------------------------------------------------------------------------- lines and grids into blocks, over pages


def _framed(pages: list[_Page]) -> list[_Page]:
    """Return the pages with each line's distance from the edges of the text on pages of its size."""
    groups: dict[tuple[int, int], list[_Page]] = {}
    for page in pages:
        groups.setdefault((round(page.width), round(page.height)), []).append(page)
    framed = []
    for group in groups.values():
        lines = [line for page in group for line in page.lines]
        left = _edge([line.x0 for line in lines], 1)
        # Where all lines are short none reaches the edge; a right margin is hardly twice the left one.
        right = max(_edge([line.x1 for line in lines], -1), group[0].width - 2 * left)
        framed += [
            replace(page, lines=[replace(line, indent=line.x0 - left, room=right - line.x1) for line in page.lines])
            for page in group
        ]
    return sorted(framed, key=lambda page: page.number)


def _edge(places: list[float], sign: int) -> float:
    """Return the outermost place that a twelfth of the lines share, so that a lone line in the margin does not count."""
    ordered = sorted(sign * place for place in places)
    needed = max(1, len(ordered) // 12)
    for index, place in enumerate(ordered):
        if bisect_right(ordered, place + 6) - index >= needed:  # within half a character
            return sign * place
    return sign * ordered[0] if ordered else 0.0


def _folded(pages: list[_Page]) -> tuple[Block, ...]:
    """Return the paragraphs and tables of all pages in reading order."""
    blocks: list[Block] = []
    paragraph: list[_Line] = []
    chain: list[_Grid] = []
    notes: list[_Line] = []
    pitch = _pitch(pages)

    def flush() -> None:
        blocks.extend(_paragraphs([paragraph]))
        blocks.extend(_tables(chain))
        blocks.extend(_paragraphs(_parted_notes(notes)))
        for pending in (paragraph, chain, notes):
            pending.clear()

    for page in pages:
        items: list[_Line | _Grid] = [*page.lines, *page.grids]
        items.sort(key=lambda item: item.top)
        for item in items:
            if isinstance(item, _Grid):
                if not (chain and item is items[0] and _goes_on(chain, item)):
                    flush()
                chain.append(item)
            else:
                if chain or (paragraph and _starts_new(paragraph[-1], item, pitch)):
                    flush()
                paragraph.append(item)
        if page.notes and not (paragraph or chain):
            flush()
        notes.extend(page.notes)
    flush()
    return tuple(blocks)


def _paragraphs(parts: Iterable[list[_Line]]) -> Iterator[Paragraph]:
    for lines in parts:
        if lines:
            yield Paragraph(_glued(line.text for line in lines), page=lines[0].page)


def _parted_notes(notes: list[_Line]) -> list[list[_Line]]:
    parts: list[list[_Line]] = []
    for line in notes:
        if not parts or _NOTE_MARK.match(line.text) or line.page != parts[-1][-1].page:
            parts.append([])
        parts[-1].append(line)
    return parts


def _pitch(pages: list[_Page]) -> float:
    """Return the usual distance between two lines of a paragraph, in em."""
    steps = Counter(
        round((line.base - before.base) / line.size, 1)
        for page in pages
        for before, line in pairwise(page.lines)
        if before.size == line.size and before.room < 2 * before.size
    )
    return steps.most_common(1)[0][0] if steps else 1.5


def _starts_new(before: _Line, line: _Line, pitch: float) -> bool:
    """Tell whether a line begins a paragraph of its own rather than going on with the one before."""
    em = max(before.size, line.size)
    if _is_set_off(before, line, pitch):
        return True
    if _is_centred(before) and _is_centred(line):
        # A title goes on over lines of its own; a dash begins a subtitle that does too.
        return not ((before.is_open and em >= _TITLE_SIZE) or before.text.startswith("——"))
    # Not every writer fills its lines: one that stops in mid-sentence may leave some more room.
    slack = 1.5 if before.is_open and line.indent < 0.8 * em else 0.3
    if before.room > line.lead + slack * em:
        return True
    if before.is_open:
        # Before a deeper line, one that is full but ends in mid-sentence is an item of a list with a hanging indent.
        return line.x0 > before.x0 + 0.8 * em and _MARK.match(before.text) is None
    return line.indent > 0.8 * em or _MARK.match(line.text) is not None


def _is_set_off(before: _Line, line: _Line, pitch: float) -> bool:
    """Tell whether size, distance or wording part two lines, however full the first is."""
    em = max(before.size, line.size)
    return (
        abs(before.size - line.size) > 0.12 * em
        or (before.page == line.page and line.base - before.base > 1.4 * max(pitch, 1.2) * em)
        or _LEADER.search(before.text) is not None
        or (_HEADING.match(line.text) is not None and before.text[-1] not in "、第和")
    )


def _is_centred(line: _Line) -> bool:
    is_apart = line.size >= _TITLE_SIZE or min(line.indent, line.room) > line.size
    return is_apart and abs(line.indent - line.room) < 1.5 * line.size


# ----------------------------------------------------------------------------------------------------- grids into tables


def _goes_on(chain: list[_Grid], grid: _Grid) -> bool:
    """Tell whether the first thing on a page is the rest of the table that the page before ended with."""
    last = chain[-1]
    if grid.page != last.page + 1:
        return False
    few, many = sorted((last.xs, grid.xs), key=len)
    ends = abs(few[0] - many[0]) < _SAME_PLACE and abs(few[-1] - many[-1]) < _SAME_PLACE
    return ends and all(min(abs(x - other) for other in many) < _SAME_PLACE for x in few)


@dataclass(slots=True)
class _OpenRow:
    """A row in the making: its cells by column of the whole table.

    Attributes:
        full: Columns whose text stops at the right border in mid-sentence.
        merged: Columns whose cell goes over several rows of its page, with the number of that cell.
    """

    page: int
    cells: list[str]
    full: set[int]
    merged: dict[int, int]


def _tables(chain: list[_Grid]) -> Iterator[Table]:
    """Yield the one table that the grids of following pages make (none for no grids)."""
    if not chain:
        return
    xs = _clustered([x for grid in chain for x in grid.xs], _SAME_PLACE)
    rows: list[_OpenRow] = []
    starts: set[int] = set()
    for grid in chain:
        fresh = _open_rows(grid, xs, starts)
        fresh = fresh[_heads_repeated(rows, fresh) :]
        if rows and fresh:
            _carry_merged(rows[-1], fresh)
            if _is_split(rows[-1], fresh[0]):
                rows[-1] = _united(rows[-1], fresh.pop(0))
        rows += fresh
    columns = sorted(starts)
    kept = [row for row in rows if any(row.cells)]
    yield Table(tuple(Row(tuple(row.cells[column] for column in columns), page=row.page) for row in kept))


def _open_rows(grid: _Grid, xs: list[float], starts: set[int]) -> list[_OpenRow]:
    """Return the rows of one page's grid on the table's columns; adds the columns that a cell begins in to `starts`."""
    nearest = _nearest(xs)
    rows = [_OpenRow(grid.page, [""] * (len(xs) - 1), set(), {}) for _ in grid.ys[1:]]
    begun: set[int] = set()
    for number, region in enumerate(grid.regions):
        column = nearest(grid.xs[region.columns[0]])
        first, behind = region.rows
        starts.add(column)
        begun.add(first)
        for row in rows[first:behind]:
            row.cells[column] = region.text
            if region.is_full:
                row.full.add(column)
            if behind - first > 1:
                row.merged[column] = number
    # A row that no cell begins in is the work of a stray ruling.
    return [row for index, row in enumerate(rows) if index in begun]


def _heads_repeated(rows: list[_OpenRow], fresh: list[_OpenRow]) -> int:
    """Return how many rows at the top of a page repeat rows at the top of the table."""
    best = 0
    for start in range(min(len(rows), _HEAD_ROWS)):
        count = 0
        while (
            count < min(len(fresh), _HEAD_ROWS, len(rows) - start)
            and rows[start + count].cells == fresh[count].cells
            and any(fresh[count].cells)
        ):
            count += 1
        best = max(best, count)
    return best


def _carry_merged(last: _OpenRow, fresh: list[_OpenRow]) -> None:
    """Write the text of a merged cell that a page break cut into its rows behind the break, which have it empty."""
    for column, text in enumerate(last.cells):
        number = fresh[0].merged.get(column)
        if fresh[0].cells[column] or (number is None and column not in last.merged):
            continue
        for row in fresh:
            if row is fresh[0] or (number is not None and row.merged.get(column) == number):
                row.cells[column] = text


def _is_split(last: _OpenRow, first: _OpenRow) -> bool:
    """Tell whether the first row of a page is the rest of the last row before: each cell goes on, is done or repeats."""
    goes_on = False
    for column, (before, after) in enumerate(zip(last.cells, first.cells, strict=True)):
        if not after or after == before:
            continue
        if column not in last.full or _FIGURE.fullmatch(before + after):
            return False
        goes_on = True
    return goes_on


def _united(last: _OpenRow, first: _OpenRow) -> _OpenRow:
    cells = [
        before if after in {"", before} else _glued([before, after])
        for before, after in zip(last.cells, first.cells, strict=True)
    ]
    return _OpenRow(last.page, cells, first.full, first.merged)
