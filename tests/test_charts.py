from __future__ import annotations

import re
from typing import TYPE_CHECKING

import matplotlib.image
import pytest

from nlp.charts import draw
from nlp.errors import InvalidInputError
from nlp.records import Frequency, FrequencyRow

if TYPE_CHECKING:
    from pathlib import Path


def _table(by: tuple[str, ...], *cells: tuple[tuple[str | int | None, ...], int]) -> Frequency:
    total = sum(count for _, count in cells)
    rows = tuple(FrequencyRow(key, count, count, count / total, 0.0, 1.0) for key, count in cells)
    return Frequency(by, "passage", rows, total)


TABLES = {
    "bars": _table(("topic",), (("budget_execution",), 7), (("indicators",), 3)),
    "lines": _table(("topic", "year"), (("indicators", 2023), 3), (("indicators", 2024), 5), (("other", 2024), 1)),
    "heat": _table(("department", "topic"), (("青禾县教育局", "indicators"), 3), ((None, "other"), 1)),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.filterwarnings("error:Glyph .* missing")
def test_charts_have_every_chinese_glyph(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.png"
    draw(TABLES[kind], path, "问题频次：按主题、年度")
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] >= 600
    assert picture.min() < 0.5 < picture.max()


def test_svg_draws_glyphs_as_paths_so_that_no_font_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    draw(TABLES["bars"], path, "问题频次")
    text = path.read_text("utf-8")
    assert "<svg" in text
    assert not re.search(r"<text[ >]", text)


def test_other_suffixes_and_empty_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.png"):
        draw(TABLES["bars"], tmp_path / "chart.bmp", "")
    with pytest.raises(InvalidInputError, match="没有可画的数据"):
        draw(Frequency(("topic",), "passage", (), 0), tmp_path / "chart.png", "")
