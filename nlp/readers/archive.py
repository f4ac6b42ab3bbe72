"""The files of an archive, one at a time, in memory; a plain file is the one member of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from nlp.errors import NlpError, UnreadableFileError
from nlp.readers.package import MAX_ENTRIES, MAX_TOTAL, MIB, open_zip, read_entry
from nlp.readers.sniff import MAX_FILE, Format, format_of

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from pathlib import Path, PurePath

_MAX_DEPTH: Final = 2  # an archive in an archive
_UTF8_NAME: Final = 0x800
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_META: Final = "meta.csv"
_JUNK: Final = frozenset({"thumbs.db", "desktop.ini", _META})


@dataclass(frozen=True, slots=True)
class Member:
    """A file to read.

    Attributes:
        name: Its path as given; in an archive the archive's path, a slash, and its path inside.
        data: Its bytes.
        meta: The bytes of the ``meta.csv`` beside it, where both lie in an archive.
    """

    name: str
    data: bytes
    meta: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that cannot be read, and why."""

    name: str
    error: NlpError


@dataclass(slots=True)
class _Budget:
    """What an archive with all its nested archives may still unpack."""

    bytes: int = MAX_TOTAL
    entries: int = MAX_ENTRIES


def is_candidate(path: PurePath) -> bool:
    """Return whether a file of a folder is to be looked at: no hidden, lock or system file, no list of metadata.

    >>> from pathlib import PurePath
    >>> [is_candidate(PurePath(name)) for name in ("财政局.docx", "~$政局.docx", ".DS_Store", "__MACOSX/财政局.docx")]
    [True, False, False, False]
    """
    return not path.name.startswith((".", "~$")) and path.name.lower() not in _JUNK and "__MACOSX" not in path.parts


def members(path: Path) -> Iterator[Member | Failure]:
    """Return the files that a path holds: itself, or the files of a zip archive, one at a time.

    What cannot be read comes as a :class:`Failure` in its place; nothing is raised and nothing written to disk.
    """
    name = str(path)
    try:
        data = _load(path)
        nested = _is_archive(data, name)
    except NlpError as error:
        yield Failure(name, error)
        return
    if nested:
        yield from _unpack(data, name, _Budget(), depth=1)
    else:
        yield Member(name, data)


def _load(path: Path) -> bytes:
    """The bytes of a file, its size checked before it is read."""
    try:
        if not path.is_file():
            raise UnreadableFileError(f"{path}：需要一个文件，这里没有文件或是文件夹，请检查路径。")
        size = path.stat().st_size
        if size > MAX_FILE:
            raise UnreadableFileError(f"{path}：有 {size // MIB} MiB，最多 {MAX_FILE // MIB} MiB，请拆分后再导入。")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(
            f"{path}：打不开（{error.strerror}），请检查权限，或先关闭正在使用它的程序。"
        ) from error


def _is_archive(data: bytes, name: str) -> bool:
    """Whether it is a zip that is no Office file; what else is wrong with a file is for its reader to say."""
    return data.startswith(b"PK") and format_of(data, name) is Format.ZIP


def _unpack(data: bytes, name: str, budget: _Budget, depth: int) -> Iterator[Member | Failure]:
    try:
        archive = open_zip(data, name)
    except NlpError as error:
        yield Failure(name, error)
        return
    with archive:
        entries = archive.infolist()
        budget.bytes -= sum(entry.file_size for entry in entries)
        budget.entries -= len(entries)
        if budget.bytes < 0 or budget.entries < 0:
            yield Failure(
                name,
                UnreadableFileError(
                    f"{name}：连同里面的压缩包，内容超过 {MAX_TOTAL // MIB} MiB 或 {MAX_ENTRIES} 个文件，请拆分后再导入。"
                ),
            )
            return
        metas: dict[PurePosixPath, bytes] = {}
        for entry in entries:
            path = PurePosixPath(_inner_name(entry))
            if path.name.lower() == _META:
                try:
                    metas[path.parent] = read_entry(archive, entry, f"{name}/{path}", MAX_FILE)
                except NlpError as error:
                    yield Failure(f"{name}/{path}", error)
        for entry in entries:
            yield from _entry(archive, entry, name, metas, budget, depth)


def _entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    parent: str,
    metas: Mapping[PurePosixPath, bytes],
    budget: _Budget,
    depth: int,
) -> Iterator[Member | Failure]:
    inner = _inner_name(entry)
    if inner.endswith("/"):
        return
    name = f"{parent}/{inner}"
    path = PurePosixPath(inner)
    try:
        if path.is_absolute() or ".." in path.parts or _DRIVE.match(inner):
            raise UnreadableFileError(f"{name}：压缩包内的路径指向压缩包之外（含有 .. 或绝对路径），已拒绝读取。")
        if not is_candidate(path) or any(part.startswith(".") for part in path.parts):
            return
        data = read_entry(archive, entry, name, MAX_FILE)
        nested = _is_archive(data, name)
        if nested and depth == _MAX_DEPTH:
            raise UnreadableFileError(f"{name}：压缩包套了超过 {_MAX_DEPTH} 层，请解压后再导入。")
    except NlpError as error:
        yield Failure(name, error)
        return
    if nested:
        yield from _unpack(data, name, budget, depth + 1)
    else:
        yield Member(name, data, metas.get(path.parent))


def _inner_name(entry: zipfile.ZipInfo) -> str:
    """The path inside the archive; Chinese Windows writes it in GBK without saying so, and Python reads it as cp437.

    The bytes are decoded before backslashes are turned, because the second byte of a GBK character may be one.
    """
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8_NAME:
        raw = name.encode("cp437")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            break
    return name.partition("\x00")[0].replace("\\", "/")
