"""From the bytes of one file to one :class:`Report`: read, mended, identified, outlined and cut."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import PurePath

from nlp.identity import Overrides, identify
from nlp.ledger import read_ledgers
from nlp.outline import Outline, find_outline
from nlp.passages import cut_passages, heading_paths
from nlp.readers import read
from nlp.records import Passage, Report, Source
from nlp.text import Text, compose

_FOLDERS_THAT_TELL = 4


def report_id(data: bytes, overrides: Overrides | None) -> str:
    """Return the id of the report in a file: the same bytes with the same overrides are the same report."""
    digest = hashlib.sha256(data)
    if overrides is not None and overrides != Overrides():
        digest.update(json.dumps(asdict(overrides), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def read_report(data: bytes, path: str, overrides: Overrides | None = None) -> Report:
    """Return the report that a file holds.

    Args:
        data: The bytes of the file.
        path: Where it was found (``archive.zip/member`` inside an archive); its last folders hint at whose report it is.
        overrides: What a person says of it.

    Raises:
        UnreadableFileError: If it cannot be read, or holds no text.
    """
    document = read(data, path)
    text = compose(document)
    rid = report_id(data, overrides)
    hint = "/".join(PurePath(path).parts[-_FOLDERS_THAT_TELL:])
    identity = identify(text, hint, document.title, overrides)
    outline = find_outline(text)
    ledger = read_ledgers(text, rid)
    passages = (*cut_passages(text, outline, rid, ledger.spans), *_under_headings(ledger.passages, text, outline))
    return Report(
        id=rid,
        text=text.text,
        identity=identity,
        source=Source(path, hashlib.sha256(data).hexdigest(), document.format, document.pages),
        sections=outline.sections,
        passages=tuple(sorted(passages, key=lambda p: (p.start, p.end))),
        links=ledger.links,
        warnings=document.warnings,
    )


def _under_headings(rows: Iterable[Passage], text: Text, outline: Outline) -> Iterator[Passage]:
    """Yield a ledger's passages with the headings above their rows."""
    paths = heading_paths(text, outline.sections)
    starts = [line.start for line in text.lines]
    for passage in rows:
        yield replace(passage, section=paths[bisect_right(starts, passage.start) - 1])
