"""From a document's blocks to one mended text, and from there to lines and sentences with exact offsets.

Mending removes what a file format left behind (``[bookmark: …]``, zero-width characters, page marks), unifies widths and
spaces, and joins lines that were broken in mid-sentence. All offsets of the package count characters of the mended text.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nlp.records import Document, Line, Paragraph, Table

CJK = "一-鿿㐀-䶿豈-﫿〇"
_WIDE = CJK + "，。；：！？、（）《》“”‘’【】〔〕〈〉「」—…"
END_MARKS = "。！？；：!?;:…"
_MID_MARKS = "，、,（《“〔【—"
_CLOSERS = "”’）)》】〕」"
_NO_BEGINNING = "，。；：！？、）》】〕”"  # a line that begins with one is the rest of another

_DEBRIS = re.compile(
    r"\[(?:bookmark|hyperlink|field|image|picture|ole)[^\]]{0,200}\]"
    # TOC is total organic carbon as well: the code of a field has a switch, a bookmark or quotes.
    r"|\b(?:HYPERLINK|PAGEREF|EMBED|INCLUDEPICTURE|MERGEFORMAT|TOC(?=\s+(?:\\|_Toc|\")))\b"
    r"(?:\s+(?:\\[a-z]+|_Toc\d+|\"[^\"]*\"|[a-z0-9_.]+(?=\s|$)))+"
    r"|OLE_LINK\d+|_GoBack\b|\bNormal\.dotm?(?![A-Za-z])(?:\s*(?:Microsoft(?: Office)? Word|WPS Office)(?![A-Za-z]))?",
    re.IGNORECASE,
)
# Control characters but TAB and line ends, soft hyphens, zero-width and directional marks, byte order marks.
_CONTROLS = (*range(0x09), 0x0B, *range(0x0E, 0x20), *range(0x7F, 0xA0))
_ZERO_WIDTH = (0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
_INVISIBLE = dict.fromkeys((*_CONTROLS, *_ZERO_WIDTH, 0xFFFC, 0xFFFD))
_SPACE = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_FULL_WIDTH = re.compile(r"[０-９Ａ-Ｚａ-ｚ％＋＝]")
_FULL_STOP = re.compile(r"(?<=\d)．")
_THOUSANDS = re.compile(r"(?<![\d.，])\d{1,3}(?:，\d{3})+(?=\.\d\d(?!\d))")
# Radicals and compatibility ideographs, and numbers that are one character with their brackets or stop: ⑴ ⒈ ㈠.
_COMPATIBLE = re.compile(r"[\u2e80-\u2fdf\uf900-\ufaff\u2474-\u249b\u3220-\u3229]")
_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_SPACE_BY_WIDE = re.compile(rf"(?<=[{_WIDE}]) (?=[^{CJK}\s])|(?<=[^{CJK}\s]) (?=[{_WIDE}])|(?<=\d) (?=[%‰])")
_SPELLED_OUT = re.compile(rf"(?:(?<=^)|(?<=[^{CJK}]))[{CJK}](?: [{CJK}])+(?=$|[^{CJK}])")
_YEAR = r"(?:19|20)\d\d ?年"
_DECIMAL_GAP = re.compile(rf"(?<=\d) ?\. ?(?=\d)(?! ?\d+ ?\.)(?!{_YEAR})")
# The number of an item that begins with a figure: "2. 3个项目未开工", but not "98. 5分" or "3 . 5亿元".
_NUMBERED = re.compile(
    rf"[12]?\d(?:\.\d{{1,2}}){{0,3}}(?:[.．] (?={_YEAR}|\d[^{CJK}]*[{CJK}]{{3}})|．(?={_YEAR}|\d+[个家户台套]))"
)
_TABLE_GAP = re.compile(r"(?<=\S) {3,}(?=\S)")
_PAGE_MARK = re.compile(
    r"[—\-–－―_~·• ]{1,6}\d{1,4}[—\-–－―_~·• ]{1,6}|第 ?\d{1,4} ?页(?:[ /，,]*共 ?\d{1,4} ?页)?|\d{1,4} ?/ ?\d{1,4}|page ?\d{1,4}(?: ?of ?\d{1,4})?",
    re.IGNORECASE,
)
_MARK_IN_LINE = re.compile(rf"(?<=[{CJK}，、])\s*[—–-] \d{{1,4}} [—–-]\s*(?=[{CJK}])")
_UNBROKEN = string.ascii_letters + string.digits + ".,%"
_BARE_NUMBER = re.compile(r"\d{1,3}")
_LONGEST_RUNNING_HEAD = 40
_SHORTEST_PROSE = 40  # a shorter line without a full stop may be a heading
_SHORTEST_REST = 4
_ROOM = 4  # columns
_OFFICE = re.compile(rf"[{CJK}]{{2,20}}(?:局|厅|委|办|院|校|所|馆|站|中心|公司|政府|街道|镇|乡)")
_SHORTEST_PAGE = 5  # lines
_LONGEST_ROW = 15  # lines of a cell each
_ENOUGH = 3  # lines of a kind, so that it is a custom and no chance
_WRAP_WIDTHS = range(32, 121)  # columns; a Chinese character takes two
# 二、三级指标没有量化 and 一、二季度支出偏慢 are no marks; 二、三级指标完成情况 is a heading.
_COUNTED = "|".join(f"{one}、{next_one}" for one, next_one in pairwise("一二三四五六"))
NO_MARK = rf"(?!(?:{_COUNTED})(?:、[三四五六])*(?:级(?!单位|机构|预算|部门)|季度|月)(?!.{{0,12}}(?:情况|分析)$))"
# The beginning of a paragraph that can never go on a line before it: a mark of enumeration or a bracketed head.
_STARTER = re.compile(
    rf"第[一二三四五六七八九十百]+(?:部分|章|节)|{NO_MARK}[一二三四五六七八九十百]+[、．.]"
    r"|[（(][一二三四五六七八九十\d]{1,3}[）)]|\d{1,2}(?:[、．]|\.(?!\d))"
    r"|[①-⑳]|【|——|[-•·●■◆▪]\s|附件\s?\d?|附[:：]|(?:十?[一二三四五六七八九]|十)是"
)
# Other marks of enumeration, which the rest of a line that was wrapped may begin with as well.
_ITEM = re.compile(
    rf"{_STARTER.pattern}|\d{{1,2}}[）)]|\d{{1,2}}(?:\.\d{{1,2}}){{1,3}}(?![\d.%‰万亿元公千百平米亩吨倍分])|[A-Za-z][.、)）]"
    r"|第[一二三四五六七八九十\d]{1,3}[，,、：:]|(?:首先|其次|再次|再者|最后)[，,是]|问题[一二三四五六七八九十\d]{1,2}[，：:、]"
)
# A gap that parts no cells: behind an item's mark, or between who signs and the date.
_GAP_IN_LINE = re.compile(
    rf"\t*(?:{_ITEM.pattern})\s*(?<=\t)[^\t]+"
    r"|\t*[^\t\d]+\t+[2二][\d〇○零一二三四五六七八九]{3}年[\d一二三四五六七八九十]{1,2}月(?:[\d一二三四五六七八九十]{1,3}日)?"
)
_TWO_COLUMNS = re.compile(r"[^\t]+\t[^\t]*\D")  # with words in the second


@dataclass(frozen=True, slots=True)
class Text:
    """The mended text of a document and its lines, in order; the text between two lines is one newline."""

    text: str
    lines: tuple[Line, ...]

    def of(self, line: Line) -> str:
        """Return the characters of a line."""
        return self.text[line.start : line.end]


def in_grid(line: Line) -> bool:
    """Return whether a line is a row of cells; a row of one cell is a line of prose that happens to stand in a table."""
    return len(line.cells) > 1


def clean(text: str) -> str:
    """Return one paragraph's characters with debris removed and widths and spaces unified; tabs are kept.

    >>> clean("[bookmark: _GoBack]执行率为 ８６．２３ ％，　比上年 提高")
    '执行率为86.23%，比上年 提高'
    >>> clean("绩 效 自 评 报 告")
    '绩效自评报告'
    """
    previous = None
    while previous != text:  # what one pass takes away can bring together what the next one knows
        previous, text = text, _clean_once(text)
    return text


def _clean_once(text: str) -> str:
    text = _DEBRIS.sub("", text.translate(_INVISIBLE))
    text = _COMPATIBLE.sub(_nfkc, _FULL_WIDTH.sub(_nfkc, text))
    text = _PRIVATE.sub("·", text)
    return "\t".join(_tidy_spaces(cell) for cell in text.split("\t")).rstrip("\t")


def _nfkc(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match.group())


def _tidy_spaces(text: str) -> str:
    text = _SPACE.sub(" ", text).strip()
    numbered = _NUMBERED.match(text)
    if numbered:
        return numbered.group() + _tidy_spaces(text[numbered.end() :])
    text = _THOUSANDS.sub(lambda match: match.group().replace("，", ","), _FULL_STOP.sub(".", text))
    if " " not in text:
        return text
    text = _SPELLED_OUT.sub(lambda match: match.group().replace(" ", ""), text)
    return _SPACE_BY_WIDE.sub("", _DECIMAL_GAP.sub(".", text))


def compose(document: Document) -> Text:
    """Return the mended text of a document with one line per paragraph and per table row.

    In documents whose lines may be broken (``document.wrapped``) page marks and running heads are dropped and broken
    lines joined; elsewhere a paragraph of the file is a paragraph here, unless it stops in mid-sentence and the next
    one ends the sentence. Rows of one cell that stand above a table or make up a whole one are lines of prose.
    """
    pieces = list(_pieces(document))
    pieces = _join_broken(_drop_page_marks(pieces)) if document.wrapped else _join_split(pieces)
    lines: list[Line] = []
    parts: list[str] = []
    position = 0
    for piece in pieces:
        if not piece.text:
            continue
        cells = tuple(_cell_spans(piece.text, position)) if piece.table is not None else ()
        end = position + len(piece.text)
        lines.append(Line(position, end, piece.page, piece.heading, cells, piece.table))
        parts.append(piece.text)
        position = end + 1
    return Text("\n".join(parts), tuple(lines))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line on its way: cleaned, not yet placed. An empty text is a blank line; ``raw`` is as wide as the file has it."""

    text: str
    page: int | None = None
    heading: int | None = None
    table: int | None = None
    indented: bool = False
    raw: str = ""


def _pieces(document: Document) -> Iterator[_Piece]:
    tables = 0
    row = ""  # the line before, where it has cells
    for block in document.blocks:
        if isinstance(block, Table):
            row = ""
            yield from _table_pieces(block, tables)
            tables += 1
            continue
        for raw in block.text.split("\n"):
            text = clean(_TABLE_GAP.sub(_gap_to_tab, _MARK_IN_LINE.sub("", raw)) if document.wrapped else raw)
            if _GAP_IN_LINE.fullmatch(text) and not _TWO_COLUMNS.fullmatch(row):
                text = clean(text.replace("\t", " "))
            tabbed = "\t" in text.strip("\t")
            if tabbed and not row:
                tables += 1
            row = text if tabbed else ""
            if tabbed:
                yield _Piece(text, block.page, table=tables - 1)
            else:
                text = text.strip("\t")
                indented = re.match(r"[ \t\u3000]{2,}|\u3000", raw) is not None
                yield _Piece(text, block.page, block.heading, indented=indented, raw=raw.expandtabs(4).rstrip())


def _gap_to_tab(match: re.Match[str]) -> str:
    # "部   门   名   称" is a spelled-out word, "预算数    执行数" are two cells.
    left = match.string[max(0, match.start() - 2) : match.start()].split()
    right = match.string[match.end() : match.end() + 2].split()
    single = bool(left and right) and min(len(left[-1]), len(right[0])) == 1
    return " " if single else "\t"


def _table_pieces(table: Table, number: int) -> Iterator[_Piece]:
    in_grid = False
    for row in table.rows:
        filled = [cell for cell in row.cells if cell.strip()]
        in_grid = in_grid or len(filled) > 1
        if in_grid:
            cells = [_one_line(cell) for cell in row.cells]
            if any(cells):
                yield _Piece("\t".join(cells), row.page, table=number)
        elif filled:
            lines = (clean(line.replace("\t", " ")) for line in filled[0].split("\n"))
            yield from (_Piece(line, row.page, table=number) for line in lines)


def _one_line(cell: str) -> str:
    """Return a cell's text as one line; a space parts an item, or an entry of its own, from the one before."""
    text = before = ""
    for part in filter(None, map(clean, cell.replace("\t", " ").split("\n"))):
        apart = text and (_ITEM.match(part) or _is_entry(before, part))
        text += f" {part}" if apart else part
        before = part
    return text


def _is_entry(before: str, part: str) -> bool:
    """Return whether a cell's lines are entries, and no halves of one: two offices, or words broken where there was room."""
    if before[-1] in END_MARKS + _MID_MARKS or part[0] in _NO_BEGINNING + _MID_MARKS:
        return False
    is_phrase = re.fullmatch(rf".{{3,}}[{CJK}]", before) is not None
    return (is_phrase and _columns(part) >= _columns(before) + _ROOM) or bool(
        _OFFICE.fullmatch(before) and _OFFICE.fullmatch(part)
    )


def _cell_spans(text: str, start: int) -> Iterator[tuple[int, int]]:
    for cell in text.split("\t"):
        yield (start, start + len(cell))
        start += len(cell) + 1


# ---------------------------------------------------------------------------------------------------------- broken lines


def _drop_page_marks(pieces: Sequence[_Piece]) -> list[_Piece]:
    marks = {i for i, piece in enumerate(pieces) if piece.table is None and _PAGE_MARK.fullmatch(piece.text)}
    beside = Counter(pieces[i].text for mark in marks for i in _neighbours(pieces, mark))
    heads = {text for text, count in beside.items() if count > 1 and count >= len(marks) / 2 and _may_run(text)}
    near = {i for mark in marks for i in _neighbours(pieces, mark) if pieces[i].text in heads and i not in marks}
    marks |= _counting_numbers(pieces)
    # Where a page mark stood between the halves of a sentence, no blank line is left that would part them.
    return [piece for i, piece in enumerate(pieces) if i not in marks and i not in near]


def _may_run(text: str) -> bool:
    """Return whether a line that is repeated beside page marks may be a running head."""
    return len(text) <= _LONGEST_RUNNING_HEAD and text[-1] not in END_MARKS and not _STARTER.match(text)


def _counting_numbers(pieces: Sequence[_Piece]) -> set[int]:
    """Return the places of lines that are bare numbers and count 1, 2, 3 … through the document: page numbers."""
    bare = [(i, int(piece.text)) for i, piece in enumerate(pieces) if _BARE_NUMBER.fullmatch(piece.text)]
    values = [value for _, value in bare]
    counting = len(values) > 1 and values[0] in {1, 2} and all(b == a + 1 for a, b in pairwise(values))
    places = [i for i, _ in bare]
    steps = [j - i for i, j in pairwise(places)]
    if not counting or min(steps) <= _SHORTEST_PAGE or _is_column(pieces, places[0], steps):
        return set()
    return {*places}


def _is_column(pieces: Sequence[_Piece], first: int, steps: Sequence[int]) -> bool:
    """Return whether numbers at these steps number the rows of a table that has a cell a line, and no pages."""
    head = {piece.text for piece in pieces[max(0, first - max(steps)) : first]}
    even = len(steps) > 1 and len({*steps}) == 1 and steps[0] < _LONGEST_ROW
    return even or not head.isdisjoint({"序号", "编号"})


def _neighbours(pieces: Sequence[_Piece], place: int) -> Iterator[int]:
    for step in (-1, 1):
        i = place + step
        while 0 <= i < len(pieces) and not pieces[i].text:
            i += step
        if 0 <= i < len(pieces) and pieces[i].table is None:
            yield i


def _join_broken(pieces: Sequence[_Piece]) -> list[_Piece]:
    raws = [piece.raw for piece in pieces if piece.table is None]
    widths = [(measure, _wrap_width(raws, measure)) for measure in (_columns, _characters)]
    indents = sum(piece.indented for piece in pieces) >= _ENOUGH
    joined: list[_Piece] = []
    blank = False
    last = ""
    for piece in pieces:
        if not piece.text:
            blank = True
            continue
        # A figure or a word that had no room at the end of a line went on to the next one whole.
        filled = last + piece.text[: len(piece.text) - len(piece.text.lstrip(_UNBROKEN))]
        full = any(width is not None and measure(filled) >= width - 5 for measure, width in widths)
        if joined and _goes_on(joined[-1], piece, full=full, blank=blank, indents=indents):
            joined[-1] = replace(joined[-1], text=_glue(joined[-1].text, piece.text))
        else:
            joined.append(piece)
        last, blank = piece.raw, False
    return joined


def _goes_on(before: _Piece, piece: _Piece, *, full: bool, blank: bool, indents: bool) -> bool:
    """Return whether ``piece`` continues the sentence or paragraph of ``before``, whose last line is ``full`` or not."""
    if before.table is not None or piece.table is not None or piece.heading or before.heading:
        return False
    if _STARTER.match(piece.text) or (indents and piece.indented):
        return False
    last = before.text.rstrip(_CLOSERS)[-1:] or before.text[-1]
    if last in END_MARKS:
        return full and indents and not blank and last not in "：:"
    if full or last in _MID_MARKS or piece.text[0] in _NO_BEGINNING:
        return True
    return _is_broken_off(before, piece)  # by a page break


def _join_split(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Join the two halves of a sentence that an editor's stray return parted: none of them may look whole."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and _is_broken_off(joined[-1], piece) and piece.text[-1] in END_MARKS + _CLOSERS:
            joined[-1] = replace(joined[-1], text=_glue(joined[-1].text, piece.text))
        else:
            joined.append(piece)
    return joined


def _is_broken_off(before: _Piece, piece: _Piece) -> bool:
    """Return whether ``before`` is prose that stops in mid-sentence and ``piece`` is no heading, item or row."""
    return (
        bool(piece.text)
        and all(part.table is None and not part.heading for part in (before, piece))
        and len(before.text) > _SHORTEST_PROSE
        and before.text.rstrip(_CLOSERS)[-1:] not in {"", *END_MARKS}
        and re.search(r"[，。；]", before.text) is not None
        and len(piece.text) > _SHORTEST_REST
        and not _ITEM.match(piece.text)
    )


def _wrap_width(texts: Iterable[str], measure: Callable[[str], int]) -> int | None:
    """Return the width at which lines were wrapped, or ``None`` where they were not.

    Tuned over our own wrapped reports at 28-40 characters a line: a wrapped text has a third of its lines within four
    columns of the longest usual one, most of them not at the end of a sentence.
    """
    widths = [(measure(text), text[-1] not in END_MARKS) for text in texts if len(text) > 1]
    if len(widths) < 2 * _ENOUGH:
        return None
    ordered = sorted(width for width, _ in widths)
    longest = ordered[int(len(ordered) * 0.95) - 1]
    if longest not in _WRAP_WIDTHS:
        return None
    near = [is_open for width, is_open in widths if longest - 5 <= width <= longest + 4]
    if len(near) < max(_ENOUGH, 0.25 * len(widths)) or sum(near) < 0.5 * len(near):
        return None
    return longest


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _characters(text: str) -> int:
    """Return the width for a program that wraps after so many characters, digits like the others, on the same scale."""
    return 2 * len(text)


def _glue(left: str, right: str) -> str:
    latin = re.search(r"[A-Za-z,.]$", left) and re.match(r"[A-Za-z]", right)
    return f"{left} {right}" if latin else left + right


# ------------------------------------------------------------------------------------------------------------- sentences


_CLOSES = re.compile(r"[^（(《“【〔「]*[）)》”】〕」]")
_LONGEST_ASIDE = 100


def split_spans(text: str, start: int, end: int, marks: str) -> list[tuple[int, int]]:
    """Return the spans of ``text[start:end]`` cut behind each of ``marks`` that stands outside brackets and quotes.

    >>> "".join("甲（乙；丙）；丁"[a:b] + "|" for a, b in split_spans("甲（乙；丙）；丁", 0, 8, "；"))
    '甲（乙；丙）；|丁|'
    """
    spans: list[tuple[int, int]] = []
    depth = 0
    begin = start
    for i in range(start, end):
        char = text[i]
        if char in "（(《“【〔「":
            depth += 1
        elif char in "）)》”】〕」":
            depth = max(0, depth - 1)
        elif char == "。" and depth and not _CLOSES.match(text, i, min(end, i + _LONGEST_ASIDE)):
            depth = 0  # an unclosed bracket must not swallow the rest of the text
        if depth == 0 and char in marks:
            spans.append((begin, i + 1))
            begin = i + 1
    if begin < end:
        spans.append((begin, end))
    return [span for span in spans if text[span[0] : span[1]].strip()]


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space at its ends.

    >>> trim("  甲 ", 0, 4)
    (2, 3)
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def paragraphs_of(text: str) -> Document:
    """Return plain text as a document, a paragraph per line (for texts that come from no file)."""
    return Document(tuple(Paragraph(line) for line in text.splitlines()), format="txt", wrapped=True)
