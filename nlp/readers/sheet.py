"""Tables of spreadsheets (.xlsx) and of separated text (.csv)."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries

from nlp.errors import UnreadableFileError
from nlp.readers.grid import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, as_table
from nlp.readers.package import MAX_PART, open_zip, read_entry, xml_parts
from nlp.readers.sniff import decode, delimiter, split_rows
from nlp.records import Document

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRICT: Final = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_MERGE: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Z]+[0-9]+:[A-Z]+[0-9]+)[\"']")
_FORMULA: Final = re.compile(
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
# Of a number's format: what is no part of the number or its unit, and the number between words in quotes. A comma behind it
# divides by 1000; a decimal point that is escaped stands between the digits of a whole number: 0!.0,"万元".
_ASIDE: Final = re.compile(r"[\\!][^.]|_.|\*.|\[[^\]]*\]|[¥￥$€£() ]")
_NUMBER: Final = re.compile(
    r"""-?(?P<before>(?:"[^"]*")*)(?:General|[#0,?]*[#0?](?:(?P<mere>[\\!]?)\.(?P<digits>[0#?]+))?(?P<commas>,*))"""
    r"""(?P<share>%?)(?P<after>(?:"[^"]*")*)"""
)
_CONDITION: Final = re.compile(r"\[[<>=]")
_DIGITS: Final = 15  # that a spreadsheet calculates with and shows


def read_xlsx(data: bytes, name: str) -> Document:
    """Return each visible sheet that has text as a table by the sheet's name, with values as they are printed.

    Raises:
        UnreadableFileError: It is damaged or too large, or a part declares an entity.
    """
    parts = xml_parts(data, name)
    if any(_STRICT.search(part) for path, part in parts.items() if path.endswith("workbook.xml")):
        data = _transitional(data, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that are none of our business
        return _read_book(data, parts, name)


def _transitional(data: bytes, name: str) -> bytes:
    """The XML parts of a workbook of the strict standard under the names of the usual one, which openpyxl reads."""
    usual = io.BytesIO()
    with open_zip(data, name) as archive, zipfile.ZipFile(usual, "w") as copy:
        for entry in archive.infolist():
            if entry.filename.lower().endswith((".xml", ".rels")):
                part = read_entry(archive, entry, name, MAX_PART)
                copy.writestr(entry.filename, _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", part))
    return usual.getvalue()


def _read_book(data: bytes, parts: dict[str, bytes], name: str) -> Document:
    # Read-only: cells come one row after the other, so that a sheet with one cell in its last corner costs nothing,
    # and drawings and charts, which break the other way of loading, are left alone. Merges are read from the XML.
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    tables, notes, bare = [], [], 0
    for sheet in book.worksheets:
        part = parts.get(sheet._worksheet_path.lstrip("/").lower(), b"")  # type: ignore[attr-defined]  # noqa: SLF001 - the only way from a sheet to its part
        if sheet.sheet_state != "visible":
            notes.append(f"工作表“{sheet.title}”是隐藏的，没有读。")
            continue
        sheet.reset_dimensions()  # the stated size is often wrong
        lines = _lines(sheet.rows, name)
        _fill(lines, part, name)
        tables.append(as_table(lines, name, sheet.title))
        bare += len(_FORMULA.findall(part))
    book.close()
    if bare:
        notes.append(f"有 {bare} 个公式没有保存计算结果，按空白处理；请用 Excel 或 WPS 打开，保存后再导入。")
    full = tuple(table for table in tables if table.rows)
    return Document(full, "xlsx", title=(book.properties.title or "").strip(), warnings=tuple(notes))


def read_csv(data: bytes, name: str) -> Document:
    """Return the one table of a separated text.

    Raises:
        UnreadableFileError: No decoding gives a text, or the table is too large.
    """
    text = decode(data, name)
    mark = delimiter(text, name) or ","
    rows = split_rows(list(io.StringIO(text, newline="")), mark, name)
    table = as_table([{column: _clean(cell) for column, cell in enumerate(row)} for row in rows], name)
    notes = tuple(
        f"第 {at} 行有一格里像是并进了后面的几行，可能引号不成对；请检查，或另存为 .xlsx 后再导入。"
        for at, row in enumerate(rows, 1)
        if any(_swallows(cell, len(rows[0]) - 1, mark) for cell in row)
    )
    return Document((table,) if table.rows else (), "csv", warnings=notes)


def _swallows(cell: str, marks: int, mark: str) -> bool:
    """Whether a line within a cell looks like a row of its own; one mark alone may be a comma of the text."""
    return marks > 1 and any(line.count(mark) == marks for line in cell.splitlines()[1:])


def _lines(rows: Iterable[Iterable[Any]], name: str) -> list[dict[int, str]]:
    """The texts of each row by column, from 0."""
    lines: list[dict[int, str]] = []
    seen = 0
    for row in rows:
        line = {}
        for column, cell in enumerate(row):
            seen += 1
            if cell.value is not None and (text := _printed(cell.value, cell.number_format)):
                line[column] = text
        lines.append(line)
        if (len(lines) > MAX_ROWS and line) or seen > 2 * MAX_CELLS:
            raise UnreadableFileError(
                f"{name}：工作表超过 {MAX_ROWS} 行或 {2 * MAX_CELLS} 格，请删去无关的行列后再导入。"
            )
    return lines


def _fill(lines: list[dict[int, str]], part: bytes, name: str) -> None:
    """Write the text of cells that are merged over rows into each of these rows."""
    filled = 0
    for match in _MERGE.finditer(part):
        left, top, _, bottom = range_boundaries(match[1].decode("ascii"))
        assert left is not None
        assert top is not None
        assert bottom is not None
        text = lines[top - 1].get(left - 1) if top <= len(lines) and left <= MAX_COLUMNS else None
        if text:
            covered = lines[top:bottom]
            filled += len(covered)
            if filled > MAX_CELLS:
                raise UnreadableFileError(f"{name}：合并的单元格超过 {MAX_CELLS} 格，请取消合并后再导入。")
            for line in covered:
                line[left - 1] = text


def _printed(value: object, number_format: str) -> str:
    """A value as its sheet shows it, without thousands separators.

    >>> _printed(0.8623, "0.00%"), _printed(12.0, "General"), _printed(datetime(2024, 3, 1), "yyyy/m/d")
    ('86.23%', '12', '2024-03-01')
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(Decimal(f"{value:.{_DIGITS}g}"), number_format)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("minutes")
    return _clean(str(value))


def _number(value: Decimal, number_format: str) -> str:
    """A number with the decimals and the unit that its format shows; zeros at its end are left out except in a share.

    >>> _number(Decimal("1234.5"), '0.00"万元"'), _number(Decimal(12345678), '0!.0,"万元"')
    ('1234.5万元', '1234.6万元')
    """
    if not value.is_finite():
        return ""
    sections = number_format.split(";")
    section = sections[1] if value < 0 and any(sections[1:2]) else sections[0]
    shown = None if _CONDITION.search(number_format) else _NUMBER.fullmatch(_ASIDE.sub("", section))
    if not shown:
        return _plain(value)
    before, after = shown["before"].replace('"', "").strip("-"), shown["after"].replace('"', "")
    if shown["commas"] is None:
        return before + _plain(value) + after
    digits = len(shown["digits"] or "")
    value = value.scaleb(2 * len(shown["share"]) - 3 * len(shown["commas"]) - (digits if shown["mere"] else 0))
    value = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return before + (f"{value:f}%" if shown["share"] else _plain(value)) + after


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _clean(text: str) -> str:
    return text.replace("_x000D_", "").replace("\r\n", "\n").replace("\r", "\n").strip()
