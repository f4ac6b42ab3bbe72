r"""Reads files of any supported format into a :class:`nlp.records.Document`; the content decides, not the suffix.

>>> read("一、基本情况\n".encode("utf-16"), "报告.doc").blocks
(Paragraph(text='一、基本情况', page=None, heading=None),)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlp.errors import NlpError, UnreadableFileError, UnsupportedFormatError
from nlp.readers.archive import Failure, Member, is_candidate, members
from nlp.readers.sniff import Format, format_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nlp.records import Document

__all__ = ["Failure", "Member", "is_candidate", "members", "read"]


def read(data: bytes, name: str) -> Document:
    """Return what a file holds, its blocks in reading order; there is at least one.

    Args:
        data: The bytes of the file.
        name: Its name, for messages.

    Raises:
        UnsupportedFormatError: It is sound, but of a kind that is not read.
        UnreadableFileError: It is empty, damaged, encrypted or too large, or has no text.
    """
    reader = _reader(format_of(data, name), name)
    try:
        document = reader(data, name)
    except (NlpError, MemoryError):  # too little memory says nothing of the file
        raise
    except Exception as error:
        # The parsers fail on damaged files with whatever their code happens to run into.
        raise UnreadableFileError(
            f"{name}：文件内容已损坏或不合规范（{type(error).__name__}: {error}），请用原来的软件打开并另存后再试。"
        ) from error
    if not document.blocks:
        reasons = "".join(document.warnings)
        raise UnreadableFileError(f"{name}：没有读到任何文字。{reasons}请检查文件，扫描件请先做文字识别。")
    return document


def _reader(kind: Format, name: str) -> Callable[[bytes, str], Document]:
    """The reader of a format; each brings heavy libraries, so only the one that is needed is loaded."""
    # ruff: noqa: PLC0415 - for the reason just given
    match kind:
        case Format.DOCX:
            from nlp.readers.docx import read_docx

            return read_docx
        case Format.XLSX:
            from nlp.readers.sheet import read_xlsx

            return read_xlsx
        case Format.CSV:
            from nlp.readers.sheet import read_csv

            return read_csv
        case Format.HTML:
            from nlp.readers.hypertext import read_html

            return read_html
        case Format.TEXT:
            from nlp.readers.plain import read_plain

            return read_plain
        case Format.PDF:
            from nlp.readers.pdf import read_pdf

            return read_pdf
        case Format.ZIP:
            raise UnsupportedFormatError(f"{name}：是压缩包，不是一份文档；请用 members() 逐个取出里面的文件再读。")
