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


def _run(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the code of a notebook in its folder, and return the names that it left."""
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    for cell in _code(path):
        exec(compile(cell, path.name, "exec"), names)  # noqa: S102  running them is what is tested
    return names


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["01_quickstart", "02_frequency", "03_drafting", "04_checking_numbers"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_explained(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in cells)
    words = [cell for cell in cells if cell["cell_type"] == "markdown"]
    assert len(words) >= sum(cell["cell_type"] == "code" for cell in cells)
    assert all(re.search(r"[一-鿿]", "".join(cell["source"])) for cell in words)


@pytest.mark.encoder
def test_quickstart_runs_and_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run(NOTEBOOKS[0], monkeypatch)
    assert (names["taken_in"].added, names["taken_in"].failed) == (67, ())
    assert len(names["found"].hits) == 3
    assert {hit.found.passage.year for hit in names["found"].hits} <= {2022, 2023}
    assert sum(row.count for row in names["table"].rows) == names["table"].total
    assert len(names["wording"]) == 3


@pytest.mark.encoder
def test_frequency_counts_draws_and_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run(NOTEBOOKS[1], monkeypatch)
    topics = names["topics"]
    assert all(row.corrected.count_low < row.corrected.count < row.corrected.count_high for row in topics.rows)
    assert sum(row.count for row in names["by_year"].rows) == topics.total
    assert {path.name for path in names["FOLDER"].glob("*.png")} == {"topics.png", "years.png"}
    assert names["again"].chains


@pytest.mark.encoder
def test_drafting_quotes_and_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run(NOTEBOOKS[2], monkeypatch)
    assert len(names["wording"]) == 5
    assert {item.found.report.identity.level for item in names["near"]} == {"县"}
    start = names["start"].passage.department
    assert start not in {hit.found.passage.department for hit in names["elsewhere"].hits}


def test_checking_finds_what_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run(NOTEBOOKS[3], monkeypatch)
    assert [figure.unit for figure in names["figures"]] == ["元", "元", "%"]
    assert len(names["found"]) >= 20
    assert set(names["kinds"]) <= {"sum", "rate", "conflict", "grade", "score", "date"}
