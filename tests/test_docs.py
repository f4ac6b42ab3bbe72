"""The pages say what is true: commands that exist, links that lead somewhere, a reference that is up to date."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import write_report

from nlp.encoder import catalogue

ROOT = Path(__file__).resolve().parents[1]
CLI: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))
VERBS = {verb.name: verb for verb in CLI["verbs"]()}
_HIDDEN = frozenset(
    {".venv", ".venv-peers", ".pytest_cache", ".git", ".mypy_cache", ".ruff_cache", "demo-output", "library"}
)
PAGES = sorted(path for path in ROOT.rglob("*.md") if not _HIDDEN & set(path.relative_to(ROOT).parts))
READMES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md")

_LINK = re.compile(r"\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_IN_LINE = re.compile(r"`((?:jixiao|make) [^`]+)`")


def links(text: str) -> list[str]:
    """Targets of a page's links that stay inside the project."""
    targets = [match.group(1) or match.group(2) for match in _LINK.finditer(text)]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Anchors that a page's headings have."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def commands(text: str) -> list[list[str]]:
    """Words of the commands that a page shows, in blocks and in its lines; without the comments behind them."""
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    spoken = [shlex.split(line, comments=True) for line in [*lines, *_IN_LINE.findall(text)]]
    return [words for words in spoken if words and words[0].rpartition("/")[2] in {"jixiao", "make"}]


def fault(words: list[str]) -> str | None:
    """What is wrong with a command that a page shows."""
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        return None if set(words[1:]) <= set(targets) else f"no target {words[1:]}"
    name = next((" ".join(words[1:count]) for count in (3, 2) if " ".join(words[1:count]) in VERBS), None)
    if name is None:
        return None if words[1:] in (["--help"], ["models"], ["library"]) else f"no verb in {words}"
    known = {item.name for item in VERBS[name].parameters}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"{name} has no {unknown}" if unknown else None


def test_the_reference_is_what_the_program_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == CLI["page"]()


def test_the_reference_can_be_checked_and_made_anew() -> None:
    script = [sys.executable, "docs/make_cli.py", "--check"]
    assert subprocess.run(script, cwd=ROOT, check=False, capture_output=True).returncode == 0


def test_the_reference_has_each_verb_with_each_parameter() -> None:
    page = CLI["page"]()
    assert len(re.findall(r"^## jixiao ", page, re.MULTILINE)) == len(VERBS)
    search = page.partition("## jixiao search QUERY\n")[2].partition("\n## ")[0]
    assert "| `QUERY` | 词语、短语或一句话 | 必填 |" in search
    assert "| `--top` | 每页几条 | `10` |" in search
    assert "JIXIAO_LIBRARY" in search


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


def test_links_are_found() -> None:
    text = '[a](b.md#c) [d](https://example.com) <img alt="x" src="y.png"> [e](#f)\n# C d: e'
    assert links(text) == ["b.md#c", "y.png", "#f"]
    assert anchors(text) == {"c-d-e"}


@pytest.mark.parametrize("page", READMES)
def test_commands_that_a_page_shows_exist(page: str) -> None:
    shown = commands((ROOT / page).read_text("utf-8"))
    assert shown
    assert [what for what in map(fault, shown) if what] == []


def test_commands_that_do_not_exist_are_seen() -> None:
    shown = commands(
        "```sh\n.venv/bin/jixiao fly  # up\nmake jump\n```\nand `jixiao search x --colour`, `jixiao stats`"
    )
    assert [fault(words) for words in shown] == [
        "no verb in ['.venv/bin/jixiao', 'fly']",
        "no target ['jump']",
        "search has no ['--colour']",
        None,
    ]


def test_every_verb_has_an_example_in_the_chinese_readme() -> None:
    shown = {" ".join(words[1:3]) for words in commands((ROOT / "README.zh-CN.md").read_text("utf-8"))}
    assert [name for name in VERBS if not any(f"{words} ".startswith(f"{name} ") for words in shown)] == []


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_python_that_a_readme_shows_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("报告文件夹", "2024年报告"):
        write_report(tmp_path / folder, "青禾县教育局", 2024, ["部分项目资金闲置超过一年，没有清理上交。"])
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], page, "exec"), {})  # noqa: S102  our own page
    assert "资金闲置" in capsys.readouterr().out


def test_the_readmes_name_the_licence_of_the_weights() -> None:
    default, other = catalogue()[:2]
    assert "不得商用" in default.note
    for page in ("README.md", "README.zh-CN.md", "models/README.md"):
        text = (ROOT / page).read_text("utf-8")
        assert default.name in text
        assert f"jixiao train --encoder {other.name}" in text
        assert "不得商用" in text or "not for commercial use" in text.replace("\n", " ")


def test_the_readme_fits_a_screen_and_its_picture_a_page() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 60
    assert (ROOT / "docs" / "problems.png").stat().st_size < 150_000


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    heads = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased" or heads[0] == version


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in pages] == [f"{number:04d}" for number in range(1, len(pages) + 1)]
    for path in pages:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} · ")
        assert [part for part in ("**Question.**", "**Measured.**", "**Choice.**") if part not in text] == []
        assert len(text.splitlines()) <= 60
