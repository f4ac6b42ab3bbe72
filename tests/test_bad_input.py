"""Hostile and damaged files: each ends in one clear message of ours, never in a traceback, a prompt or a full disk."""

from __future__ import annotations

import io
import os
import random
import re
import struct
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import pytest

from nlp.errors import NlpError, UnreadableFileError, UnsupportedFormatError
from nlp.readers import Failure, Member, members, read
from nlp.readers.docx import read_docx
from nlp.readers.hypertext import read_html
from nlp.readers.package import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_W_URI = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/x" '
    'ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
)


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def word(document: bytes | str, **more: bytes | str) -> bytes:
    kind = "wordprocessingml.document"
    parts: dict[str, bytes | str] = {"[Content_Types].xml": _TYPES.format(kind=kind), "word/document.xml": document}
    return zipped(parts | {name.replace("__", "/") + ".xml": part for name, part in more.items()})


def plain_word(text: str, prolog: str = "") -> str:
    body = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
    return f'{prolog}<w:document xmlns:w="{_W_URI}">{body}</w:document>'


def refused(data: bytes, name: str) -> str:
    """The message that a file is refused with; it names the file."""
    with pytest.raises(UnreadableFileError) as caught:
        read(data, name)
    assert str(caught.value).startswith(name)
    return str(caught.value)


def failures(path: Path) -> list[tuple[str, str]]:
    return [
        (found.name.removeprefix(f"{path}/"), str(found.error)) for found in members(path) if isinstance(found, Failure)
    ]


# ------------------------------------------------------------------------------------------------------- empty, junk


@pytest.mark.parametrize("data", [b"", b"  \r\n\t", bytes(4096)])
def test_empty_file(data: bytes) -> None:
    assert f"文件是空的（{len(data)} 字节）" in refused(data, "空.docx")


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf", "　\n　".encode(), b"<html><body><script>1</script></body></html>"])
def test_file_without_text(data: bytes) -> None:
    assert "没有读到任何文字" in refused(data, "a.txt")


def test_word_file_of_pictures_only_says_so() -> None:
    picture = '<a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"/>'
    data = word(plain_word("").replace("<w:t></w:t>", f"<w:drawing>{picture}</w:drawing>"))
    assert "没有读到任何文字。有 1 张图片" in refused(data, "扫描.docx")


def test_random_bytes_are_no_text() -> None:
    source = random.Random(7)
    for _ in range(50):
        assert "不是能读的文档" in refused(b"\x01" + source.randbytes(2000), "junk.txt")


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF" + bytes(100) + "程序".encode(),
        "一、基本情况\x00二".encode(),
        b"\x01\x02\x03\x04\x05\x06" * 200,
        "안녕하세요 ".encode("utf-16-le") * 20 + b"\xff",
    ],
)
def test_binary_in_the_guise_of_text(data: bytes) -> None:
    assert "不是能读的文档" in refused(data, "a.txt")


# ------------------------------------------------------------------------------------------------- foreign formats


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            _OLE + "WordDocument".encode("utf-16-le"),
            "暂不支持旧版 Office 文件（.doc、.wps）。请用 Word 或 WPS 打开，另存为 .docx",
        ),
        (_OLE + "Workbook".encode("utf-16-le"), "另存为 .xlsx"),
        (b"\x89PNG\r\n\x1a\n123", "暂不支持图片"),
        (b"\xff\xd8\xff\xe0JFIF", "请先做文字识别"),
        (b"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36", "暂不支持图片"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "暂不支持图片"),
        (b"II*\x00\x08\x00", "暂不支持图片"),
        (b"Rar!\x1a\x07\x01\x00", "改用 .zip"),
        (b"7z\xbc\xaf\x27\x1c\x00", "改用 .zip"),
        (b"{\\rtf1\\ansi hello}", "RTF"),
        (zipped({"OFD.xml": "<a/>"}), "OFD"),
        (zipped({"mimetype": "application/vnd.oasis", "META-INF/manifest.xml": "<a/>"}), "OpenDocument"),
        (zipped({"[Content_Types].xml": _TYPES.format(kind="presentationml.presentation")}), "演示文稿"),
        (b'<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument/>', "Word 2003 XML"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<html>", ".mht"),
        (zipped({"a.txt": "x"}), "members()"),
    ],
)
def test_foreign_formats_are_named_with_advice(data: bytes, says: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"^报告\.docx：") as caught:
        read(data, "报告.docx")
    assert says in str(caught.value)


def test_encrypted_office_file_is_refused_without_a_prompt() -> None:
    message = refused(_OLE + "EncryptedPackage".encode("utf-16-le"), "密.docx")
    assert "文档已加密" in message
    with pytest.raises(UnreadableFileError) as caught:
        read(_OLE + "EncryptedPackage".encode("utf-16-le"), "密.docx")
    assert not isinstance(caught.value, UnsupportedFormatError)


# ------------------------------------------------------------------------------------------------------- hostile XML

_LAUGHS = '<!DOCTYPE l [<!ENTITY a "哈哈哈哈">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "document",
    [
        plain_word("&i;", f"{_LAUGHS}]>"),
        plain_word("&x;", '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
        plain_word("甲", '<!DOCTYPE d SYSTEM "http://example.invalid/a.dtd">'),
        plain_word("&x;", '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY x "y">]>').encode("utf-16"),
    ],
)
def test_entities_are_refused_in_word_and_in_sheets(document: bytes | str) -> None:
    assert "含有 DTD 或实体声明" in refused(word(document), "a.docx")
    assert "含有 DTD 或实体声明" in refused(word(plain_word("甲"), docProps__core=document), "a.docx")
    sheet: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES.format(kind="spreadsheetml.sheet"),
        "xl/sharedStrings.xml": document,
    }
    assert "含有 DTD 或实体声明" in refused(zipped(sheet), "a.xlsx")


def test_entity_of_a_web_page_is_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("秘密", encoding="utf-8")
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "{secret.as_uri()}">]><html><body><p>甲&x;乙</p></body></html>'
    assert all("秘密" not in str(block) for block in read(page.encode(), "a.html").blocks)


def test_damaged_xml() -> None:
    assert "XML 已损坏" in refused(word("<w:document"), "a.docx")
    assert "没有正文" in refused(word("<document/>"), "a.docx")
    missing: dict[str, bytes | str] = {"[Content_Types].xml": _TYPES.format(kind="wordprocessingml.document")}
    assert "缺少 word/document.xml" in refused(zipped(missing), "a.docx")


def test_deep_nesting_is_refused() -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 300 + "</w:tc></w:tr></w:tbl>" * 300
    assert "XML 已损坏" in refused(word(plain_word("").replace("<w:p>", deep + "<w:p>")), "a.docx")
    assert "嵌套超过 256 层" in refused(b"<html>" + b"<div>" * 5000 + "甲".encode(), "a.html")
    assert "一段文字超过 10 MB" in refused(b"<html><p>" + "甲".encode() * 5_000_000 + b"</p>", "a.html")


def test_monstrous_tables_are_refused() -> None:
    row = "<w:tr>" + "<w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>" * 1001 + "</w:tr>"
    table = f'<w:document xmlns:w="{_W_URI}"><w:body><w:tbl>{row}</w:tbl></w:body></w:document>'
    assert "1 行 1001 列" in refused(word(table), "a.docx")
    cells = "<td colspan=1000>x" * 3
    assert read(f"<table><tr>{cells}</table>".encode(), "a.html").format == "html"
    assert "1001 列" in refused(b"<table><tr>" + b"<td>x" * 1001 + b"</table>", "a.html")
    assert "200001 行" in refused(b"a,b\n" * 200_001, "a.csv")


def test_spans_of_a_small_page_make_no_monstrous_table() -> None:
    page = f"<table><tr>{'<td colspan=1000 rowspan=99999>甲' * 900}</tr>{'<tr></tr>' * 20_000}</table>"
    assert refused(page.encode(), "a.html") == "a.html：表格超过 5000000 格，请删去无关的行列后再导入。"


def merged(rows: Iterable[tuple[str, str]], ref: str, times: int) -> bytes:
    """Return a workbook whose one sheet states the same merge so many times."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    merges = f'</sheetData><mergeCells count="{times}">' + f'<mergeCell ref="{ref}"/>' * times + "</mergeCells>"
    with zipfile.ZipFile(out) as archive:
        parts: dict[str, bytes | str] = {
            name: archive.read(name).replace(b"</sheetData>", merges.encode()) for name in archive.namelist()
        }
    return zipped(parts)


def test_merges_that_cover_the_same_cells_again_and_again() -> None:
    data = merged([("甲", "乙")] * 2000, "A1:A2000", 3000)
    assert refused(data, "a.xlsx") == "a.xlsx：合并的单元格超过 5000000 格，请取消合并后再导入。"


def test_merge_over_a_whole_sheet_costs_nothing() -> None:
    document = read(merged([("甲", "乙"), ("", "丙")], "A1:XFD1048576", 1), "a.xlsx")
    assert [row.cells for block in document.blocks for row in getattr(block, "rows", ())] == [
        ("甲", "乙"),
        ("甲", "丙"),
    ]


# ------------------------------------------------------------------------------------------------------------ size


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = zipped({"零.txt": bytes(60 * MIB), "好.txt": "甲"})
    path = tmp_path / "a.zip"
    path.write_bytes(bomb)
    first, second = members(path)
    assert isinstance(first, Failure)
    assert re.search(r"零\.txt：\d+ 字节会解压成 60 MiB，像是压缩炸弹", str(first.error))
    assert second == Member(f"{path}/好.txt", "甲".encode())
    assert "像是压缩炸弹" in refused(word(bytes(60 * MIB)), "a.docx")


def test_stated_sizes_are_summed_before_anything_is_read() -> None:
    data = bytearray(zipped({f"{i}.xml": "x" for i in range(3)}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 600 * MIB)
    assert "解压后有 600 MiB，最多 512 MiB" in refused(bytes(data), "a.docx")


def test_part_above_its_limit() -> None:
    parts: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES.format(kind="wordprocessingml.document"),
        "word/document.xml": b"x" * (65 * MIB),
    }
    assert "解压后有 65 MiB，最多 64 MiB" in refused(zipped(parts, zipfile.ZIP_STORED), "a.docx")


def test_nested_archives_share_one_budget(tmp_path: Path) -> None:
    inner = zipped({f"{i}.txt": bytes(8 * MIB) for i in range(40)})
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"甲.zip": inner, "乙.zip": inner}))
    found = list(members(path))
    assert sum(isinstance(one, Member) for one in found) == 40
    assert [message for _, message in failures(path)] == [
        f"{path}/乙.zip：连同里面的压缩包，内容超过 512 MiB 或 10000 个文件，请拆分后再导入。"
    ]


def test_too_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({str(i): "" for i in range(10_001)}, zipfile.ZIP_STORED))
    assert failures(path) == [(str(path), f"{path}：里面有 10001 个文件，最多 10000 个，请分成几个压缩包。")]


def test_huge_directory_is_refused_before_it_is_parsed() -> None:
    data = bytearray(zipped({"a": "x"}))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 200 * MIB)
    assert "超过 10000 个" in refused(bytes(data), "a.zip")


def test_huge_directory_told_by_the_long_record_is_refused_before_it_is_parsed() -> None:
    data = zipped({"a": "x"})
    at = data.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, 1, 1, 200 * MIB, 0)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, at, 1)
    assert "超过 10000 个" in refused(data[:at] + record + locator + data[at:], "a.zip")


def test_text_above_its_limit_and_one_endless_line() -> None:
    assert "文本有 33 MiB，最多 32 MiB" in refused(b"x" * (33 * MIB), "a.txt")
    assert "有 300 MiB，最多 256 MiB" in refused(b"x" * (300 * MIB), "a.txt")


def test_file_above_its_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "大.pdf"
    with path.open("wb") as file:
        file.truncate(300 * MIB)  # sparse: it takes no room
    assert failures(path) == [(str(path), f"{path}：有 300 MiB，最多 256 MiB，请拆分后再导入。")]


# ------------------------------------------------------------------------------------------------------- damaged zip


def test_truncated_word_file(tmp_path: Path) -> None:
    data = word(plain_word("甲" * 1000))
    for size in (4, 30, len(data) // 2, len(data) - 1):
        assert "文件不完整或已损坏" in refused(data[:size], "a.docx")
    path = tmp_path / "a.docx"
    path.write_bytes(data[: len(data) // 2])
    assert [name for name, _ in failures(path)] == [str(path)]


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    data = bytearray(zipped({"甲.txt": "预算执行率偏低" * 5}, zipfile.ZIP_STORED))
    data[data.index("预算".encode())] ^= 1
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert failures(path) == [("甲.txt", f"{path}/甲.txt：压缩数据已损坏（校验不符），请重新取得这个文件。")]


def test_paths_that_leave_the_archive_are_refused_each(tmp_path: Path) -> None:
    bad = ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:/evil.txt", "c:evil.txt", "..\\evil.txt"]
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(zipped({**dict.fromkeys(bad, "坏"), "好.txt": "甲"}))
    found = list(members(path))
    assert [one.name for one in found if isinstance(one, Failure)] == [
        f"{path}/{name}".replace("\\", "/") for name in bad
    ]
    assert all("指向压缩包之外" in message for _, message in failures(path))
    assert found[-1] == Member(f"{path}/好.txt", "甲".encode())
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["in", "in/a.zip"]


def test_encrypted_entry(tmp_path: Path) -> None:
    data = bytearray(zipped({"密.txt": "x"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert failures(path) == [("密.txt", f"{path}/密.txt：已加密，不会询问密码，请先解密再导入。")]


def test_unknown_compression(tmp_path: Path) -> None:
    data = bytearray(zipped({"甲.txt": "x"}))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + at] = 9  # Deflate64, as Windows packs what is large
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert [message for _, message in failures(path)] == [
        f"{path}/甲.txt：用了不支持的压缩方法，请用普通 zip 方式重新压缩。"
    ]


# ------------------------------------------------------------------------------------------------------------ paths


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "需要一个文件" in failures(tmp_path)[0][1]
    assert "需要一个文件" in failures(tmp_path / "没有.docx")[0][1]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "需要一个文件" in failures(fifo)[0][1]


# --------------------------------------------------------------------------------------------------------- mutations


def _files() -> dict[str, bytes]:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["指标", 0.5])
    out = io.BytesIO()
    book.save(out)
    stored: dict[str, bytes | str] = {}
    with zipfile.ZipFile(out) as archive:
        stored = {name: archive.read(name) for name in archive.namelist()}
    return {
        "a.docx": word(plain_word("预算执行率偏低。")),
        "a.xlsx": zipped(stored),
        "a.html": "<html><body><table><tr><td>甲<td rowspan=2>乙</table><p>丙</p></body></html>".encode(),
        "a.csv": "指标,得分\n产出,50\n".encode("gb18030"),
    }


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.html", "a.csv"])
def test_mutated_files_end_in_a_document_or_in_our_error(name: str) -> None:
    data = _files()[name]
    source = random.Random(name)
    refusals = []
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(source.randint(1, 8)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        try:
            assert read(bytes(changed), name).blocks
        except NlpError as error:
            refusals.append(str(error))
    assert refusals
    assert [message for message in refusals if not message.startswith(name)] == []


def test_mutated_xml_does_not_trip_the_walkers_themselves() -> None:
    source = random.Random(5)
    tags = [
        "p",
        "r",
        "t",
        "tbl",
        "tr",
        "tc",
        "sdt",
        "ins",
        "pPr",
        "numPr",
        "fldChar",
        "sym",
        "footnoteReference",
        "ruby",
    ]

    def tree(depth: int) -> str:
        tag = source.choice(tags)
        inside = "".join(tree(depth - 1) for _ in range(source.randint(0, 3))) if depth else "文"
        value = source.choice(["", ' w:val="x"', ' w:val="999999999"', ' w:val="-1"', ' w:char="ZZ"'])
        return f"<w:{tag}{value}>{inside}</w:{tag}>"

    for _ in range(200):
        body = "".join(tree(6) for _ in range(4))
        data = word(f'<w:document xmlns:w="{_W_URI}"><w:body>{body}</w:body></w:document>')
        assert read_docx(data, "a.docx").format == "docx"


def test_broken_html_does_not_trip_the_walker_itself() -> None:
    source = random.Random(5)
    tags = [
        "table",
        "tr",
        "td rowspan=0",
        "td colspan=9999999",
        "p",
        "br",
        "h1",
        "/table",
        "/td",
        "/p",
        "pre",
        "header",
    ]
    for _ in range(200):
        page = "".join(f"<{source.choice(tags)}>文" for _ in range(40))
        assert read_html(f"<html><body>{page}".encode(), "a.html").format == "html"


def test_errors_of_the_parsers_become_ours() -> None:
    empty: dict[str, bytes | str] = {"[Content_Types].xml": _TYPES.format(kind="spreadsheetml.sheet")}
    message = refused(zipped(empty), "a.xlsx")
    assert re.search(r"文件内容已损坏或不合规范（\w+: .*），请用原来的软件打开并另存后再试", message)


def test_endless_cell_of_a_table() -> None:
    assert read(("指标,分值\n产出," + "x" * 200_000).encode(), "a.csv").format == "txt"
    late = "指标,分值\n" * 60_000 + "产出," + "x" * 200_000 + "\n"
    assert "第 60001 行不是合规的 CSV" in refused(late.encode(), "a.csv")


@pytest.mark.parametrize(
    "text", ['{"id": "1", "problem": "执行率低"}\n{"id": "2"}', '[\n  {"部门": "教育局"}\n]', '{\n "text": "指标笼统"}']
)
def test_json_is_no_report(text: str) -> None:
    with pytest.raises(UnsupportedFormatError, match="JSON"):
        read(text.encode(), "条目.jsonl")


def test_a_text_that_begins_with_a_bracket_is_one() -> None:
    blocks = read("【绩效自评】\n[附件] 2024年度报告\n{草稿} 预算执行".encode(), "a.txt").blocks
    assert len(blocks) == 3
