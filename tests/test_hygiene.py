"""What no file of the project may hold: hosts of registries, paths of one machine, work left undone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_NOT_TEXT = frozenset({".docx", ".pdf", ".png", ".safetensors", ".xlsx"})

# Each is written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a registry's host": [
        rf"{name}\.{end}"
        for name, end in (
            ("py" + "pi", "org"),
            ("python" + "hosted", "org"),
            ("ana" + "conda", "org"),
            ("download\\.py" + "torch", "org"),
            ("hugging" + "face", "co"),
            ("hf-" + "mirror", "com"),
            ("mirrors\\.ali" + "yun", "com"),
            ("tuna\\.tsing" + "hua", "edu"),
        )
    ],
    "a path of one machine": [
        rf"(?<![\w.:/])/{name}/[\w.]"
        for name in ("ro" + "ot", "ho" + "me", "Us" + "ers", "wo" + "rk", "o" + "pt", "t" + "mp")
    ]
    + [r"\b[A-Z]:\\" + "Users"],
    "work left undone": [r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", r"raise NotImplemented" + "Error"],
    "a conflict of two versions": ["^<<<" + "<<<< ", "^>>>" + ">>>> "],
}
PATTERNS = {what: re.compile("|".join(forms).encode(), re.MULTILINE) for what, forms in FORBIDDEN.items()}


def listed(*options: str) -> list[Path]:
    """Files of the working tree that git lists with the options."""
    done = subprocess.run(
        ["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


# What is tracked, and what is about to be.
FILES = listed("--cached", "--others", "--exclude-standard")


def found(what: str, data: bytes) -> list[str]:
    """The places of a text that hold what is forbidden, with their lines."""
    matches = PATTERNS[what].finditer(data)
    return [f"{len(data[: match.start()].splitlines()) or 1}: {match.group().decode()}" for match in matches]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_file_holds(what: str) -> None:
    texts = [path for path in FILES if path.suffix not in _NOT_TEXT]
    assert ROOT / "pyproject.toml" in texts
    places = [f"{path.relative_to(ROOT)}:{place}" for path in texts for place in found(what, path.read_bytes())]
    assert places == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a registry's host", "see https://py" + "pi.org/simple"),
        ("a path of one machine", "cd /ho" + "me/li/reports"),
        ("a path of one machine", 'path = "C:' + '\\Users\\li"'),
        ("work left undone", "# TO" + "DO later"),
        ("a conflict of two versions", "a\n<<<<" + "<<< HEAD\nb"),
    ],
)
def test_what_is_forbidden_is_seen(what: str, text: str) -> None:
    assert len(found(what, text.encode())) == 1


def test_what_is_allowed_is_passed_over() -> None:
    text = "#!/usr/bin/env bash\nsee https://example.com/home/page and corpora/work/x, TODOS, ./tmp/x"
    assert [found(what, text.encode()) for what in FORBIDDEN] == [[], [], [], []]


def test_no_file_is_too_large_for_git() -> None:
    assert [path.name for path in listed("--cached") if path.stat().st_size > 10_000_000] == []


def test_text_files_end_their_lines_as_unix_does_and_end_with_one() -> None:
    ours = [
        path for path in FILES if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml"} or path.name == "Makefile"
    ]
    assert [path.name for path in ours if b"\r" in path.read_bytes()] == []
    assert [
        path.name
        for path in ours
        if (data := path.read_bytes()) and (not data.endswith(b"\n") or data.endswith(b"\n\n"))
    ] == []
