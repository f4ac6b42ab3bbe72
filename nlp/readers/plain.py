"""Text and Markdown: each line a paragraph, as the file has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nlp.readers.grid import as_table
from nlp.readers.sniff import decode
from nlp.records import Document, Paragraph, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

_BREAK: Final = re.compile(r"\r\n|[\r\n\v\x85\u2028\u2029]")
_HEADING: Final = re.compile(r"(#{1,6})[ \t\u3000]+(.+?)[ \t]*#*")
_RULE: Final = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_PIPE: Final = re.compile(r"(?<!\\)\|")
_HTML_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read_plain(data: bytes, name: str) -> Document:
    """Return the lines of a text, blank ones too, since they tell the mending where a paragraph may end.

    Markdown's headings and pipe tables are taken for what they are. Form feeds, where there are any, part pages.

    Raises:
        UnreadableFileError: No decoding gives a text.
    """
    text = decode(data, name)
    sheets = text.rstrip().split("\f")
    paged = len(sheets) > 1
    blocks = tuple(
        block
        for number, sheet in enumerate(sheets, start=1)
        for block in _blocks(_BREAK.split(sheet.strip("\r\n")), number if paged else None, name)
    )
    damaged = text.count("\ufffd")
    warnings = (f"有 {damaged} 处字符已损坏，显示为“\ufffd”。",) if damaged else ()
    if not text.strip():
        blocks = ()
    return Document(blocks, "txt", len(sheets) if paged else None, wrapped=True, warnings=warnings)


def _blocks(lines: list[str], page: int | None, name: str) -> Iterator[Paragraph | Table]:
    at = 0
    while at < len(lines):
        end = _table_end(lines, at)
        if end > at:
            yield _table(lines[at:end], page, name)
            at = end
        else:
            yield _paragraph(lines[at].rstrip(), page)
            at += 1


def _paragraph(line: str, page: int | None) -> Paragraph:
    heading = _HEADING.fullmatch(line)
    if heading:
        return Paragraph(heading[2], page, heading=len(heading[1]))
    return Paragraph(line, page)


def _table_end(lines: list[str], at: int) -> int:
    """Behind the last line of the pipe table that begins here; ``at`` itself where none does."""
    if at + 1 >= len(lines) or "|" not in lines[at] or "|" not in lines[at + 1]:
        return at
    if not _RULE.fullmatch(lines[at + 1].strip()):
        return at
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _table(lines: list[str], page: int | None, name: str) -> Table:
    del lines[1]  # the rule under the head
    table = as_table([dict(enumerate(_cells(line))) for line in lines], name)
    return Table(tuple(Row(row.cells, page) for row in table.rows))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [_HTML_BREAK.sub("\n", cell.strip().replace("\\|", "|")) for cell in _PIPE.split(inner)]
