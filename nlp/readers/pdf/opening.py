"""Opens a PDF file for both libraries, or says in the user's words why it cannot be opened."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from functools import cached_property
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import pdfplumber
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from nlp.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

# PDFium keeps global state and must not be called from two threads at once: hold this while a file is open.
PDFIUM = Lock()

_HEAD = 1024  # bytes in which Acrobat, too, looks for %PDF-
_TAIL = 2048  # a sound file ends with %%EOF, but mail gateways and web servers append some bytes


class File:
    """An open file: PDFium's handle, and pdfplumber's once a page needs it."""

    def __init__(self, data: bytes, name: str) -> None:
        """Open the file.

        Raises:
            UnreadableFileError: It is damaged, cut short or locked with a password.
        """
        _check_frame(data, name)
        self._data = data
        self._name = name
        try:
            self._pages = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if pdfium_c.FPDF_GetLastError() in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
                raise UnreadableFileError(
                    f"{name}：PDF已加密，需要密码才能打开；请先解除密码保护，另存后再导入。"
                ) from error
            raise UnreadableFileError(f"{name}：PDF已损坏，无法打开（{error}）；请重新下载或重新导出。") from error

    @property
    def count(self) -> int:
        """Number of pages."""
        return len(self._pages)

    @property
    def title(self) -> str:
        """Title from the file's properties, often empty or wrong."""
        return str(self._pages.get_metadata_dict().get("Title", "")).strip()

    @contextmanager
    def page(self, index: int) -> Iterator[tuple[Any, Any]]:
        """Lend PDFium's handles of a page and of its text.

        Raises:
            UnreadableFileError: The page is damaged.
        """
        try:
            with closing(self._pages[index]) as page, closing(page.get_textpage()) as text:
                yield page, text
        except pdfium.PdfiumError as error:
            raise UnreadableFileError(
                f"{self._name}：第{index + 1}页已损坏，无法读取（{error}）；请重新下载或重新导出。"
            ) from error

    @cached_property
    def plumber(self) -> Any:
        """The file as pdfplumber opens it."""
        # It logs every flaw of a damaged file, which Python prints where a program has set up no logging.
        logging.getLogger("pdfminer").setLevel(logging.ERROR)
        return pdfplumber.open(BytesIO(self._data))

    def close(self) -> None:
        """Give PDFium's memory back; pdfplumber holds no more than the bytes, and its own close fails on damaged files."""
        self._pages.close()


def _check_frame(data: bytes, name: str) -> None:
    """Check head and tail, because PDFium repairs a file that was cut short by silently dropping pages."""
    if b"%PDF-" not in data[:_HEAD]:
        raise UnreadableFileError(
            f"{name}：PDF应以“%PDF-”开头，这个文件以{data[:8]!r}开头；请确认文件没有损坏、扩展名没有写错。"
        )
    if b"%%EOF" not in data.rstrip(b"\0\r\n ")[-_TAIL:]:
        raise UnreadableFileError(
            f"{name}：PDF应以“%%EOF”结尾，这个文件（{len(data)}字节）没有，内容不完整；请重新下载或重新导出。"
        )
