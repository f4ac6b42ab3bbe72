"""Zip containers (archives, .docx, .xlsx), opened in memory under limits, and the XML parts inside them.

A container comes from anybody, so nothing in it is believed: sizes are capped before anything is unpacked, XML that
declares a document type or an entity is refused, and nothing is ever written to disk.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

from nlp.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB: Final = 1 << 20
MAX_ENTRIES: Final = 10_000
MAX_TOTAL: Final = 512 * MIB
MAX_PART: Final = 64 * MIB

# Word's XML packs 10:1 to 40:1, a sheet of empty styled rows about 150:1, a run of zeros 1030:1.
_BOMB_RATIO: Final = 250
_BOMB_FROM: Final = 8 * MIB

# A directory entry takes 46 bytes and its names; 1 KiB each is generous. It is checked before Python builds a record
# of each entry, which would take gigabytes for a hostile directory.
_MAX_DIRECTORY: Final = MAX_ENTRIES * 1024
_DIRECTORY_END: Final = b"PK\x05\x06"
_DIRECTORY_SIZE: Final = struct.Struct("<12xI")
# A longer record in front of the end, for archives beyond 4 GiB, tells the size anew; a locator says that there is one.
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20
_LONG_DIRECTORY_SIZE: Final = struct.Struct("<40xQ")
_LONG_DIRECTORY_END: Final = re.compile(b"PK\x06\x06(?=.{44})", re.DOTALL)

_DECLARATIONS: Final = tuple(
    mark.encode(encoding) for mark in ("<!DOCTYPE", "<!ENTITY") for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)


def open_zip(data: bytes, name: str) -> zipfile.ZipFile:
    """Return the open archive, its directory checked for number and sum of its entries.

    Raises:
        UnreadableFileError: It is damaged, has too many entries or unpacks to too much.
    """
    if max(_directory_sizes(data), default=0) > _MAX_DIRECTORY:
        raise UnreadableFileError(f"{name}：压缩包里的文件超过 {MAX_ENTRIES} 个，请分成几个压缩包。")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise UnreadableFileError(
            f"{name}：文件不完整或已损坏（压缩结构读不出来），可能没有下载完，请重新取得这个文件。"
        ) from error
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise UnreadableFileError(f"{name}：里面有 {len(entries)} 个文件，最多 {MAX_ENTRIES} 个，请分成几个压缩包。")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL:
        raise UnreadableFileError(
            f"{name}：解压后有 {total // MIB} MiB，最多 {MAX_TOTAL // MIB} MiB，请拆分或压缩图片后再导入。"
        )
    return archive


def _directory_sizes(data: bytes) -> Iterator[int]:
    """Yield what the records at the end say of the directory's size."""
    end = data.rfind(_DIRECTORY_END)
    if end >= 0 and end + _DIRECTORY_SIZE.size <= len(data):
        yield _DIRECTORY_SIZE.unpack_from(data, end)[0]
        if data.startswith(_LOCATOR, end - _LOCATOR_SIZE):
            for record in _LONG_DIRECTORY_END.finditer(data, 0, end):
                yield _LONG_DIRECTORY_SIZE.unpack_from(data, record.start())[0]


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limit: int) -> bytes:
    """Return the unpacked bytes of one entry, at most ``limit`` of them.

    Raises:
        UnreadableFileError: It is encrypted, damaged, larger than ``limit`` or packed like a bomb.
    """
    if entry.flag_bits & 1:
        raise UnreadableFileError(f"{name}：已加密，不会询问密码，请先解密再导入。")
    if entry.file_size > limit:
        raise UnreadableFileError(f"{name}：解压后有 {entry.file_size // MIB} MiB，最多 {limit // MIB} MiB，请拆分。")
    if entry.file_size > _BOMB_FROM and entry.file_size > _BOMB_RATIO * entry.compress_size:
        raise UnreadableFileError(
            f"{name}：{entry.compress_size} 字节会解压成 {entry.file_size // MIB} MiB，像是压缩炸弹，已拒绝读取。"
        )
    try:
        return archive.read(entry)  # never more than the size that was checked: zipfile stops there
    except NotImplementedError as error:
        raise UnreadableFileError(f"{name}：用了不支持的压缩方法，请用普通 zip 方式重新压缩。") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error) as error:
        raise UnreadableFileError(f"{name}：压缩数据已损坏（校验不符），请重新取得这个文件。") from error


def xml_parts(data: bytes, name: str) -> dict[str, bytes]:
    """Return the XML parts of an Office file by their path in lower case, each of them free of declarations.

    Raises:
        UnreadableFileError: The container is damaged or too large, or a part declares a DTD or an entity.
    """
    parts: dict[str, bytes] = {}
    with open_zip(data, name) as archive:
        for entry in archive.infolist():
            path = entry.filename.replace("\\", "/").lstrip("/").lower()
            if path.endswith((".xml", ".rels")):
                part = read_entry(archive, entry, f"{name}（{entry.filename}）", MAX_PART)
                if any(mark in part for mark in _DECLARATIONS):
                    raise UnreadableFileError(
                        f"{name}：内部的 {entry.filename} 含有 DTD 或实体声明，正常的文档不会有，已拒绝读取。"
                    )
                parts[path] = part
    return parts
