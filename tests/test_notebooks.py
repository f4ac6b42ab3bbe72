"""The notebooks run, carry no outputs, and import nothing of the project but the package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def _code(path: Path) -> list[str]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == ["01_quickstart.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_explained(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in cells)
    words = [cell for cell in cells if cell["cell_type"] == "markdown"]
    assert len(words) >= sum(cell["cell_type"] == "code" for cell in cells)
    assert all(re.search(r"[一-鿿]", "".join(cell["source"])) for cell in words)


@pytest.mark.encoder
def test_quickstart_runs_and_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    path = NOTEBOOKS[0]
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    for cell in _code(path):
        exec(compile(cell, path.name, "exec"), names)  # noqa: S102  running them is what is tested
    assert (names["taken_in"].added, names["taken_in"].failed) == (67, ())
    assert len(names["found"].hits) == 3
    assert {hit.found.passage.year for hit in names["found"].hits} <= {2022, 2023}
    assert sum(row.count for row in names["table"].rows) == names["table"].total
    assert len(names["wording"]) == 3
