"""Render the demo reports and their gold from the annotated sources.

Run as ``python corpora/render.py`` with the package installed; ``--out`` writes to another folder. Every file in
``sources/`` becomes one report below ``reports/<province>/<department>/`` and one ``gold/<id>.json``. The format of the
sources is described in ``corpora/README.md``. The same sources give the same bytes, but for PDFs, where a new
LibreOffice lays out anew.
"""

from __future__ import annotations

import argparse
import html
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docx
import openpyxl
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Cm, Pt
from openpyxl.styles import Alignment, Border, Font, Side

from nlp import taxonomy
from nlp.errors import InvalidInputError
from nlp.records import Role, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from docx.document import Document
    from docx.text.paragraph import Paragraph
    from openpyxl.worksheet.worksheet import Worksheet

CORPORA = Path(__file__).resolve().parent
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
MARK = re.compile("⟦([^⟧]*)⟧")
HEADING_NUMBER = re.compile(
    r"(第[一二三四五六七八九十]+部分|[一二三四五六七八九十]+、|[（(][一二三四五六七八九十]+[）)]|\d+[、.．])\s*"
)
ORDINAL = re.compile(
    r"([一二三四五六七八九十]是|[（(][一二三四五六七八九十\d]+[）)]|\d+(?:、|[.．](?:(?!\d)|(?=20\d\d年)))|[①-⑳]|——)\s*"
)
COLUMNS = {"序号": "ref", "部门单位": "department", "年度": "year"}
LEDGER = "审计整改"  # the kind of report whose tables have one finding of any department a row
LEDGER_COLUMNS = {**COLUMNS, "编号": "ref", "单位": "department", "年份": "year"}
STYLES = {"title", "h1", "h2", "h3", "li"}
LEFT, ABOVE = "<", "^"  # a cell that belongs to the one at its left, to the one above


# ------------------------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters as one kind of print: ``text``, ``ins``, ``del``, ``note``, ``noise`` or ``break``."""

    kind: str
    text: str

    @property
    def in_body(self) -> bool:
        """Whether a reader should find the characters in the report's text."""
        return self.kind in {"text", "ins"}


@dataclass(frozen=True, slots=True)
class Span:
    """One labelled finding: offsets in the body text of its paragraph, and what the annotation says."""

    start: int
    end: int
    label: str
    lead: str


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph, heading or cell."""

    style: str
    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...] = ()

    @property
    def body(self) -> str:
        """Its characters without debris, notes and deletions."""
        return "".join(piece.text for piece in self.pieces if piece.in_body)

    @property
    def printed(self) -> str:
        """Its characters as a plain format shows them."""
        return "".join(piece.text for piece in self.pieces if piece.in_body or piece.kind == "noise")

    @property
    def level(self) -> int | None:
        """Level of a heading, ``None`` for anything else."""
        return int(self.style[1]) if self.style in {"h1", "h2", "h3"} else None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The beginning of a sheet of a workbook."""

    name: str


Block = Text | Grid | Sheet


@dataclass(frozen=True, slots=True)
class Source:
    """One annotated report."""

    path: Path
    meta: dict[str, Any]
    blocks: tuple[Block, ...]

    @property
    def layout(self) -> dict[str, Any]:
        """Layout options of the front matter."""
        layout: dict[str, Any] = self.meta["layout"]
        return layout

    @property
    def target(self) -> Path:
        """Path of the rendered file below ``reports``."""
        folder: str = self.meta.get("folder") or self.meta["department"]
        return Path(self.meta.get("province", ""), folder, self.meta["file"])


def parse_line(line: str, style: str = "") -> Text:
    """Return one line with its annotations taken out.

    An annotation reaches to the next one, to ``⟦/⟧`` or to the end of the line.
    """
    pieces: list[Piece] = []
    spans: list[Span] = []
    label, lead, opened, at = "", "", 0, 0

    def close() -> None:
        nonlocal lead
        if label == "lead":
            lead = "".join(piece.text for piece in pieces if piece.in_body)[opened:at]
        elif label:
            spans.append(Span(opened, at, label, lead))

    for number, part in enumerate(MARK.split(line)):
        if number % 2 == 0:
            if part:
                pieces.append(Piece("text", part))
                at += len(part)
            continue
        word, _, rest = part.partition(" ")
        if word in STYLES:
            style = word
        elif word in {"ins", "del", "note", "noise"}:
            pieces.append(Piece(word, rest))
            at += len(rest) if word == "ins" else 0
        elif word == "pb":
            pieces.append(Piece("break", ""))
        else:
            close()
            label, opened = part if word != "/" else "", at
    close()
    return Text(style or "body", tuple(pieces), tuple(spans))


def parse(path: Path) -> Source:
    """Return an annotated source.

    Raises:
        InvalidInputError: The front matter or a table is not closed.
    """
    parts = path.read_text(encoding="utf-8").split("+++\n", 2)
    if len(parts) != 3 or parts[0]:
        message = f"{path.name}：应以两行 +++ 之间的 TOML 开头，实际没有；请照 corpora/README.md 补上。"
        raise InvalidInputError(message)
    lines = iter(parts[2].splitlines())
    blocks: list[Block] = []
    for line in lines:
        if line == "⟦table⟧":
            blocks.append(Grid(tuple(_rows(lines, path.name))))
        elif line.startswith("⟦sheet "):
            blocks.append(Sheet(line[len("⟦sheet ") : -1]))
        elif line:
            blocks.append(parse_line(line))
    return Source(path, tomllib.loads(parts[1]), tuple(blocks))


def _rows(lines: Iterator[str], name: str) -> Iterator[tuple[Text, ...]]:
    for line in lines:
        if line == "⟦/table⟧":
            return
        yield tuple(parse_line(cell, "cell") for cell in line.split("\t"))
    message = f"{name}：表格应以 ⟦/table⟧ 结束，实际到文末仍未结束；请补上这一行。"
    raise InvalidInputError(message)


def value(cell: Text) -> str:
    """Return what a cell prints: nothing where it is merged with a neighbour."""
    return "" if cell.body in {LEFT, ABOVE} else cell.body


# ---------------------------------------------------------------------------------------------------------------- gold


def split_number(heading: str) -> tuple[str, str]:
    """Return mark and words of a heading.

    >>> split_number("（一）主要职能")
    ('（一）', '主要职能')
    """
    found = HEADING_NUMBER.match(heading)
    return (found[0].rstrip(), heading[found.end() :].strip("　 ")) if found else ("", heading)


def without_ordinal(words: str) -> str:
    """Return a finding or its lead without the ordinal in front.

    >>> without_ordinal("（2）资金闲置。"), without_ordinal("二是资金闲置。"), without_ordinal("2.2022年结转")
    ('资金闲置。', '资金闲置。', '2022年结转')
    >>> without_ordinal("2个项目"), without_ordinal("31.20万元")
    ('2个项目', '31.20万元')
    """
    ordinal = ORDINAL.match(words)
    return words[ordinal.end() :] if ordinal else words


def gold(source: Source) -> dict[str, Any]:
    """Return what a program should find in the report: identity, headings, passages and links.

    Units: ``start`` and ``end`` count characters of the entry ``text``.
    """
    found = _Gold(source.path.name, LEDGER_COLUMNS if source.meta.get("kind") == LEDGER else COLUMNS)
    for block in source.blocks:
        if isinstance(block, Text):
            found.add_line([block])
        elif isinstance(block, Grid):
            found.add_table(block)
        else:
            found.above = []
    meta = source.meta
    keys = ("id", "title", "department", "province", "city", "county", "level", "year", "kind", "format")
    return {
        **{key: meta.get(key) for key in keys},
        "file": f"reports/{source.target.as_posix()}",
        "text": found.text,
        "headings": found.headings,
        "passages": found.passages,
        "links": found.links,
        "planted": meta.get("planted", []),
        "figures": [dict(zip(("what", "text"), entry.split(" = "), strict=True)) for entry in meta.get("figures", [])],
    }


class _Gold:
    """Collects text, headings, passages and links while it walks over the blocks."""

    def __init__(self, name: str, columns: dict[str, str]) -> None:
        self.name = name
        self.columns = columns
        self.text = ""
        self.headings: list[dict[str, Any]] = []
        self.passages: list[dict[str, Any]] = []
        self.links: list[dict[str, str]] = []
        self.above: list[str] = []

    def add_table(self, grid: Grid) -> None:
        head = [cell.body for cell in grid.rows[0]]
        for row in grid.rows:
            given = zip(head, row, strict=False)
            extra = {self.columns[name]: cell.body for name, cell in given if name in self.columns}
            self.add_line(row, extra)

    def add_line(self, cells: Iterable[Text], extra: dict[str, str] | None = None) -> None:
        for number, cell in enumerate(cells):
            self.text += "\t" if number else ""
            if cell.level:
                self._add_heading(cell.body, cell.level)
            for span in cell.spans:
                self._add_passage(cell.body, span, extra or {})
            self.text += value(cell)
        self.text += "\n"

    def _add_heading(self, heading: str, level: int) -> None:
        number, words = split_number(heading)
        start = len(self.text)
        self.headings.append(
            {"number": number, "heading": words, "level": level, "start": start, "end": start + len(heading)}
        )
        self.above[level - 1 :] = [heading]

    def _add_passage(self, body: str, span: Span, extra: dict[str, str]) -> None:
        words = span.label.split()
        start = span.start + len(body[span.start : span.end]) - len(without_ordinal(body[span.start : span.end]))
        answers = [word[2:] for word in words if word.startswith("->")]
        ids = [word[1:] for word in words if word.startswith("#")]
        identity = ids[0] if ids else f"x{len(self.passages) + 1}"
        topics = [word for word in words[1:] if word[0] not in "#-~="]
        text = body[start : span.end].rstrip()
        self.passages.append(
            {
                "id": identity,
                "role": _code(words[0], Role, self.name),
                "topics": [_code(topic.partition("/")[0], Topic, self.name) for topic in topics],
                "subtopic": _subtopic(topics[0], self.name) if topics else None,
                "text": text,
                "lead": without_ordinal(span.lead),
                "start": len(self.text) + start,
                "end": len(self.text) + start + len(text),
                "section": list(self.above),
                "repeats": next((word[1:] for word in words if word[0] == "~"), None),
                "copies": next((word[1:] for word in words if word[0] == "="), None),
                **extra,
            }
        )
        self.links += [{"problem": problem, "measure": identity} for problem in answers]


def _subtopic(label: str, name: str) -> str | None:
    """Return the code behind the topic of an annotation, ``None`` where it has none."""
    topic, _, code = label.partition("/")
    if code and code not in {entry.code for entry in taxonomy.subtopics(Topic(topic))}:
        message = f"{name}：“{topic}”下没有子主题“{code}”；请对照 nlp/data/taxonomy.toml 改正后重新生成。"
        raise InvalidInputError(message)
    return code or None


def _code(word: str, kind: type[Role | Topic], name: str) -> str:
    if word not in {*kind}:
        message = f"{name}：标注应取 {'、'.join(kind)} 之一，实际是“{word}”；请改正后重新生成。"
        raise InvalidInputError(message)
    return word


# ------------------------------------------------------------------------------------------------------------ text, web


def render_text(source: Source) -> bytes:
    """Return the report as plain text: hard wraps, page marks and flattened tables as its layout asks."""
    layout = source.layout
    lines: list[str] = []
    for block in source.blocks:
        if isinstance(block, Grid):
            lines += ["\t".join(value(cell) for cell in row) for row in block.rows]
        elif isinstance(block, Text):
            indent = "　　" if block.style == "body" and (layout.get("indent") or "wrap" in layout) else ""
            lines += _wrapped(indent + block.printed, layout.get("wrap"))
    lines = _paged(lines, layout.get("page_lines"))
    if source.meta["format"] == "txt-gb18030":
        return ("\r\n".join(lines) + "\r\n").encode("gb18030")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _wrapped(line: str, width: int | None) -> list[str]:
    if width is None:
        return [line]
    lines = []
    while len(line) > width:
        cut = width
        # An editor breaks between Chinese characters anywhere, but never inside a number.
        while cut > 1 and line[cut - 1].isascii() and line[cut].isascii():
            cut -= 1
        lines.append(line[:cut])
        line = line[cut:]
    return [*lines, line]


def _paged(lines: list[str], size: int | None) -> list[str]:
    if size is None:
        return lines
    paged: list[str] = []
    for page, at in enumerate(range(0, len(lines), size), start=1):
        paged += [*lines[at : at + size], "", f"— {page} —", ""]
    return paged


NAVIGATION = ("网站首页", "机构概况", "政务公开", "预决算公开", "办事服务", "互动交流")


def render_html(source: Source) -> bytes:
    """Return the report as a page of the department's site, with its navigation and foot."""
    meta = source.meta
    department, title = html.escape(meta["department"]), html.escape(meta["title"])
    links = "".join(f'<li><a href="#">{name}</a></li>' for name in NAVIGATION)
    blocks = "\n".join(_html_block(block, tagged=source.layout["heading_tags"]) for block in source.blocks)
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<title>{title}_{department}</title>
<style>body {{ font-family: SimSun, serif }} .nav li {{ display: inline }}</style>
<script>var column = "ysgk"; function zoom(size) {{ return size; }}</script>
</head>
<body>
<div class="header"><ul class="nav">{links}</ul></div>
<div class="position">当前位置：<a href="#">首页</a> &gt; <a href="#">政务公开</a> &gt; <a href="#">预决算公开</a></div>
<div class="main">
<div class="info">发布时间：{source.layout["published"]} 来源：{department} 字号：[大 中 小] 浏览次数：<span id="hits">--</span></div>
<div class="article">
{blocks}
</div>
<div class="tools"><a href="#">打印本页</a> <a href="#">关闭窗口</a></div>
<div class="related"><h3>相关文章</h3><ul><li><a href="#">部门预算公开说明</a></li><li><a href="#">部门决算公开说明</a></li></ul></div>
</div>
<div class="footer">主办单位：{department} 网站标识码：0000000000 <a href="#">网站地图</a> <a href="#">联系我们</a></div>
</body>
</html>
""".encode()


def _html_block(block: Block, *, tagged: bool) -> str:
    if isinstance(block, Grid):
        return _html_table(block)
    if isinstance(block, Sheet):
        return ""
    words = html.escape(block.printed)
    if block.style == "title":
        return f"<h1>{words}</h1>"
    if block.level and tagged:
        return f"<h{block.level + 1}>{words}</h{block.level + 1}>"
    if block.level:
        return f'<p class="MsoNormal"><span><strong>&nbsp;&nbsp;{words}</strong></span></p>'
    return f"<p>&emsp;&emsp;{words}</p>" if tagged else f'<p class="MsoNormal"><span>&nbsp;&nbsp;{words}</span></p>'


def _html_table(grid: Grid) -> str:
    rows = []
    for number, row in enumerate(grid.rows):
        cells = []
        for column, cell in enumerate(row):
            down = _run(grid, number, column, ABOVE)
            across = _run(grid, number, column, LEFT)
            if cell.body not in {LEFT, ABOVE}:
                spans = (f' rowspan="{down}"' if down > 1 else "") + (f' colspan="{across}"' if across > 1 else "")
                cells.append(f"<td{spans}>{html.escape(cell.body)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return '<table border="1">\n' + "\n".join(rows) + "\n</table>"


def _run(grid: Grid, row: int, column: int, mark: str) -> int:
    """Return over how many rows (``ABOVE``) or columns (``LEFT``) the cell is merged."""
    length = 1
    if mark == ABOVE:
        while row + length < len(grid.rows) and grid.rows[row + length][column].body == mark:
            length += 1
    else:
        while column + length < len(grid.rows[row]) and grid.rows[row][column + length].body == mark:
            length += 1
    return length


# ----------------------------------------------------------------------------------------------------------- workbooks


def render_xlsx(source: Source) -> bytes:
    """Return the report as a workbook, one sheet for each ``⟦sheet⟧``."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    columns = max(len(row) for block in source.blocks if isinstance(block, Grid) for row in block.rows)
    for block in source.blocks:
        if isinstance(block, Sheet):
            sheet = book.create_sheet(block.name)
            for letter in "ABCDEFG"[:columns]:
                sheet.column_dimensions[letter].width = 24
            row = 1
        elif isinstance(block, Grid):
            _write_grid(sheet, row, block)
            row += len(block.rows)
        else:
            sheet.cell(row, 1, block.printed).alignment = Alignment(wrap_text=True, vertical="top")
            sheet.cell(row, 1).font = Font(bold=block.style != "body")
            sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=columns)
            sheet.row_dimensions[row].height = 18 * (1 + len(block.printed) // 70)
            row += 1
    book.properties.title = ""
    book.properties.creator = source.meta.get("department", "")
    book.properties.created = EPOCH.replace(tzinfo=None)
    stream = io.BytesIO()
    book.save(stream)
    return fixed_zip(stream.getvalue())


def _write_grid(sheet: Worksheet, top: int, grid: Grid) -> None:
    thin = Side(style="thin")
    for number, row in enumerate(grid.rows):
        for column, cell in enumerate(row):
            target = sheet.cell(top + number, column + 1)
            target.border = Border(left=thin, right=thin, top=thin, bottom=thin)
            target.alignment = Alignment(wrap_text=True, vertical="center")
            if cell.body not in {LEFT, ABOVE}:
                target.value = _number(cell.body)
                if isinstance(target.value, float):
                    target.number_format = "0." + "0" * len(cell.body.partition(".")[2])
    for number, row in enumerate(grid.rows):
        for column, cell in enumerate(row):
            down, across = _run(grid, number, column, ABOVE), _run(grid, number, column, LEFT)
            if cell.body not in {LEFT, ABOVE} and (down > 1 or across > 1):
                sheet.merge_cells(
                    start_row=top + number,
                    start_column=column + 1,
                    end_row=top + number + down - 1,
                    end_column=column + across,
                )


def _number(words: str) -> str | float | int:
    """Return a number where the cell is one: a workbook keeps it as such."""
    if re.fullmatch(r"\d+", words):
        return int(words)
    return float(words) if re.fullmatch(r"\d+\.\d+", words) else words


def fixed_zip(data: bytes) -> bytes:
    """Return the same archive with fixed times, so that the same source gives the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2025-01-01T00:00:00Z", content)
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------------------- documents

NUMBERING = """
<w:abstractNum {ns} w:abstractNumId="90"><w:multiLevelType w:val="multilevel"/>
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCountingThousand"/><w:pStyle w:val="Heading1"/><w:suff w:val="nothing"/><w:lvlText w:val="%1、"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="chineseCountingThousand"/><w:pStyle w:val="Heading2"/><w:suff w:val="nothing"/><w:lvlText w:val="（%2）"/></w:lvl>
</w:abstractNum>
""", """
<w:abstractNum {ns} w:abstractNumId="91"><w:multiLevelType w:val="singleLevel"/>
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:suff w:val="nothing"/><w:lvlText w:val="%1."/></w:lvl>
</w:abstractNum>
"""  # fmt: skip
HEADINGS_NUM = 900  # numbers of our own lists, far above those of the template


def render_docx(source: Source, font: str = "宋体") -> bytes:
    """Return the report as a Word document with real heading styles.

    Where the layout asks for ``auto_number``, numbers of headings and list items are automatic and stand in no text.
    """
    document = docx.Document()
    _set_up(document, source, font)
    writer = _Writer(document, numbered=bool(source.layout.get("auto_number")))
    for block in source.blocks:
        if isinstance(block, Grid):
            _add_table(document, block)
        elif isinstance(block, Text):
            writer.add(block)
    stream = io.BytesIO()
    document.save(stream)
    return fixed_zip(stream.getvalue())


def _set_up(document: Document, source: Source, font: str) -> None:
    properties = document.core_properties
    properties.author, properties.title, properties.comments = source.meta["department"], "", ""
    properties.created = properties.modified = EPOCH
    for style in document.styles:
        if style.type == WD_STYLE_TYPE.PARAGRAPH:
            fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
            for name in [name for name in fonts.attrib if name.endswith("Theme")]:
                del fonts.attrib[name]
            for name in ("w:ascii", "w:hAnsi", "w:eastAsia"):
                fonts.set(qn(name), font)
    document.styles["Normal"].font.size = Pt(12)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    if head := source.layout.get("running_head"):
        section.header.paragraphs[0].text = head
        _add_page_number(section.footer.paragraphs[0])


def _add_page_number(paragraph: Paragraph) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run("— ")
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)  # noqa: SLF001
    paragraph.add_run(" —")


class _Writer:
    """Writes paragraphs; keeps the list that the next item belongs to."""

    def __init__(self, document: Document, *, numbered: bool) -> None:
        self.document = document
        self.numbered = numbered
        self.lists = HEADINGS_NUM
        if numbered:
            self._define_numbering()

    def add(self, block: Text) -> None:
        names = {"title": "Title", "h1": "Heading 1", "h2": "Heading 2", "h3": "Heading 3"}
        paragraph = self.document.add_paragraph(style=names.get(block.style, "Normal"))
        if block.style == "title":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if block.style in {"body", "li"}:
            paragraph.paragraph_format.first_line_indent = Pt(24)
        pieces = block.pieces
        if self.numbered and (block.level or block.style == "li"):
            pieces = self._numbered(block, paragraph)
        for piece in pieces:
            if piece.kind == "break":
                paragraph = self.document.add_paragraph(style="Normal")
            else:
                _add_piece(self.document, paragraph, piece)

    def _define_numbering(self) -> None:
        numbering = self.document.part.numbering_part.element
        first = numbering.find(qn("w:num"))
        for xml in NUMBERING:
            first.addprevious(parse_xml(xml.format(ns=nsdecls("w"))))
        self._add_num(HEADINGS_NUM, 90)
        for level in (1, 2):
            properties = self.document.styles[f"Heading {level}"].element.get_or_add_pPr()
            properties.append(_number_properties(level - 1, HEADINGS_NUM))

    def _add_num(self, number: int, abstract: int) -> None:
        override = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>' if abstract == 91 else ""
        xml = f'<w:num {nsdecls("w")} w:numId="{number}"><w:abstractNumId w:val="{abstract}"/>{override}</w:num>'
        self.document.part.numbering_part.element.append(parse_xml(xml))

    def _numbered(self, block: Text, paragraph: Paragraph) -> tuple[Piece, ...]:
        """Return the pieces without the number that Word will print."""
        number, _ = split_number(block.body)
        if block.style == "li":
            if number == "1.":
                self.lists += 1
                self._add_num(self.lists, 91)
            paragraph._p.get_or_add_pPr().append(_number_properties(0, self.lists))  # noqa: SLF001
        first, *rest = block.pieces
        return (Piece(first.kind, first.text.removeprefix(number)), *rest)


def _number_properties(level: int, number: int) -> Any:
    xml = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return parse_xml(xml)


def _add_piece(document: Document, paragraph: Paragraph, piece: Piece) -> None:
    run = paragraph.add_run("" if piece.kind in {"note", "del"} else piece.text)
    if piece.kind in {"ins", "del"}:
        change = OxmlElement(f"w:{piece.kind}")
        for name, content in (("id", "1"), ("author", "审核人"), ("date", "2024-06-10T09:00:00Z")):
            change.set(qn(f"w:{name}"), content)
        run._r.addprevious(change)  # noqa: SLF001
        change.append(run._r)  # noqa: SLF001
        if piece.kind == "del":
            deleted = OxmlElement("w:delText")
            deleted.text = piece.text
            run._r.append(deleted)  # noqa: SLF001
    elif piece.kind == "note":
        _add_footnote(document, piece.text)
        reference = OxmlElement("w:footnoteReference")
        reference.set(qn("w:id"), "1")
        run.font.superscript = True
        run._r.append(reference)  # noqa: SLF001


def _add_footnote(document: Document, words: str) -> None:
    """Add the document's one footnote; python-docx has no call for it."""
    xml = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:footnotes {nsdecls("w")}>
<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>
<w:footnote w:type="continuationSeparator" w:id="0"><w:p><w:r><w:continuationSeparator/></w:r></w:p></w:footnote>
<w:footnote w:id="1"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t>{html.escape(words)}</w:t></w:r></w:p></w:footnote>
</w:footnotes>"""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, xml.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)


def _add_table(document: Document, grid: Grid) -> None:
    table = document.add_table(len(grid.rows), len(grid.rows[0]), style="Table Grid")
    for number, row in enumerate(grid.rows):
        for column, cell in enumerate(row):
            if cell.body in {LEFT, ABOVE}:
                continue
            down, across = _run(grid, number, column, ABOVE), _run(grid, number, column, LEFT)
            target = table.cell(number, column)
            if down > 1 or across > 1:
                target = target.merge(table.cell(number + down - 1, column + across - 1))
            target.text = cell.body


def render_pdf(source: Source, office: str) -> bytes:
    """Return the report as LibreOffice prints it, with running head and page numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.docx").write_bytes(render_docx(source, font="Noto Sans CJK SC"))
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", name, str(folder / "report.docx")]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        return fixed_pdf((folder / "report.pdf").read_bytes())


def fixed_pdf(data: bytes) -> bytes:
    """Return the same PDF with a fixed date and identifier, put in byte for byte so that no offset moves."""
    data = re.sub(rb"D:\d{14}", b"D:20250101000000", data)
    data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", b"2025-01-01T00:00:00", data)
    return re.sub(rb"(?<=<|/)[0-9A-F]{32}(?=>|\n)", b"0" * 32, data)


# ------------------------------------------------------------------------------------------------------------------ all

RENDERERS = {
    "txt": render_text,
    "txt-gb18030": render_text,
    "html": render_html,
    "xlsx": render_xlsx,
    "docx": render_docx,
}


def sources(folder: Path = CORPORA / "sources") -> list[Source]:
    """Return all annotated sources, sorted by name."""
    return [parse(path) for path in sorted(folder.glob("*.txt"))]


def gold_json(source: Source) -> str:
    """Return the gold of a source as the file holds it."""
    return json.dumps(gold(source), ensure_ascii=False, indent=1) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Render everything; PDFs stay as they are where LibreOffice is missing."""
    parser = argparse.ArgumentParser(description="从 sources 生成演示报告（reports）和标注（gold）。", add_help=False)
    parser.add_argument("--out", metavar="文件夹", type=Path, default=CORPORA, help="写到哪里，默认写在 corpora 里")
    parser.add_argument("-h", "--help", action="help", help="显示这段说明，不生成任何文件")
    out: Path = parser.parse_args(arguments).out
    office = shutil.which("soffice")
    if office is None:
        print("未找到 LibreOffice（soffice），PDF 保持原样；需要重新生成时请先安装它。", file=sys.stderr)
    for source in sources():
        target = out / "reports" / source.target
        labels = out / "gold" / f"{source.meta['id']}.json"
        for path in (target, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        if source.meta["format"] != "pdf":
            target.write_bytes(RENDERERS[source.meta["format"]](source))
        elif office is not None:
            target.write_bytes(render_pdf(source, office))
        labels.write_text(gold_json(source), encoding="utf-8")
        print(target.relative_to(out))


if __name__ == "__main__":
    main()
