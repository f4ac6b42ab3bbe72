"""The gold of the project's reports, and which of its passages one is that the program has cut out of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from where import ROOT

from nlp.tagger import core


def read_golds() -> list[dict[str, Any]]:
    """Return the gold of all reports."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "corpora" / "gold").glob("*.json"))]


def plain(text: str) -> str:
    """Return the letters and figures of a text."""
    return "".join(sign for sign in core(text) if sign.isalnum())


def named(text: str, names: Mapping[str, str]) -> str | None:
    """Return the name of the gold passage that a text is, by the plain texts of the gold: with its run-in head or without.

    >>> named("3.重建轻管。田管员到位率只有六成。", {"田管员到位率只有六成": "p3", "设备闲置": "p4"})
    'p3'
    """
    said = plain(text)
    found = [known for known in names if known in said or said in known]
    return names[max(found, key=len)] if said and found else None
