from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from nlp.charts import draw, draw_scores
from nlp.errors import InvalidInputError
from nlp.evaluation import ClassScore, Mistake, Score, SetScores
from nlp.records import Frequency, FrequencyRow
from nlp.tagger import ROLES, TOPICS

if TYPE_CHECKING:
    from pathlib import Path


def _table(by: tuple[str, ...], *cells: tuple[tuple[str | int | None, ...], int]) -> Frequency:
    total = sum(count for _, count in cells)
    rows = tuple(FrequencyRow(key, count, count, count / total, 0.0, 1.0, 1) for key, count in cells)
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


def _drawn(monkeypatch: pytest.MonkeyPatch, table: Frequency, path: Path) -> Any:
    """The axes of a chart."""
    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, _: kept.append(figure.axes[0]))
    draw(table, path, "")
    return kept[0]


def test_a_year_without_a_report_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = (
        (("教育局", 2022), 3),
        (("教育局", 2024), 2),
        (("水利局", 2022), 1),
        (("水利局", 2023), 0),
        (("水利局", 2024), 1),
    )
    axes = _drawn(monkeypatch, _table(("department", "year"), *cells), tmp_path / "chart.png")
    assert [list(map(str, line.get_ydata())) for line in axes.lines] == [["3.0", "nan", "2.0"], ["1", "0", "1"]]


def test_a_chart_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offices = [f"第{number}局" for number in range(33)]
    path = tmp_path / "chart.png"
    bars = _drawn(monkeypatch, _table(("department",), *(((office,), 1) for office in offices)), path)
    assert bars.get_xlabel().endswith("部门共 33 个，只画前 20 个")
    cells = [((office, year), 1) for office in offices for year in (2023, None)]
    lines = _drawn(monkeypatch, _table(("department", "year"), *cells), path)
    assert lines.get_xlabel() == "年度\n部门共 33 个，只画前 8 个\n年度不明的未画（条数 33）"
    assert _drawn(monkeypatch, TABLES["lines"], path).get_xlabel() == "年度"


def test_years_that_nobody_knows_are_no_chart(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="年度都不明"):
        draw(_table(("topic", "year"), (("indicators", None), 3)), tmp_path / "chart.png", "")


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


# ------------------------------------------------------------------------------------------------------------------- scores


def _score(labels: tuple[str, ...], right: int) -> Score:
    per_class = {label: ClassScore(0.9, 0.8, 0.85, 10) for label in labels}
    confusion = tuple(
        tuple(right if i == j else 10 - right if j == (i + 1) % len(labels) else 0 for j in range(len(labels)))
        for i in range(len(labels))
    )
    return Score(10 * len(labels), right / 10, 0.85, 0.02, labels, per_class, confusion)


def _scores(right: int = 8, worst: int = 20) -> SetScores:
    text = "评价结果没有与下年度预算安排挂钩，评而不用，部分问题连续两年出现，整改没有落实到科室和责任人。"
    mistakes = tuple(
        Mistake(f"{number}、{text}", ("二、问题",), "role", "problem", "cause", 1 - number / 100)
        for number in range(worst)
    )
    return SetScores("标注语料", 60, _score(ROLES, right), _score(TOPICS, right), 0.7, mistakes)


@pytest.mark.filterwarnings("error:Glyph .* missing", "error:.*constrained_layout")
@pytest.mark.parametrize("topics", [True, False], ids=["both", "role only"])
def test_scores_become_a_picture_of_plausible_size(tmp_path: Path, topics: bool) -> None:
    path = tmp_path / "scores.png"
    scores = _scores()
    draw_scores(scores if topics else replace(scores, topic=None, worst=()), path)
    picture = matplotlib.image.imread(path)
    assert picture.shape[:2] == (1500, 1650)
    assert picture.min() < 0.5 < picture.max()
    assert 20_000 < path.stat().st_size < 1_000_000
    upper, lower = picture[:700, :, :3], picture[750:, :, :3]
    assert (upper.max(axis=2) < 0.8).mean() > 0.01  # the filled cells of the matrices
    assert bool((lower < 0.5).any(axis=2).mean() > 0.01) is topics  # the lines of the mistakes


def test_scores_are_drawn_as_they_are(tmp_path: Path) -> None:
    pictures = []
    for right in (9, 2):
        draw_scores(_scores(right), tmp_path / f"{right}.png")
        pictures.append(matplotlib.image.imread(tmp_path / f"{right}.png"))
    assert (pictures[0] != pictures[1]).any()
    draw_scores(_scores(), tmp_path / "scores.svg")
    assert "<svg" in (tmp_path / "scores.svg").read_text("utf-8")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["单价$3万元，合计$5万元", "$$", r"$\frac$ x_{", "科目\t12.5\t100%", "上半句\n下半句"])
def test_a_mistake_is_drawn_word_for_word(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    scores = _scores(worst=1)
    mistake = replace(scores.worst[0], text=text)
    draw_scores(replace(scores, worst=(mistake,)), tmp_path / "scores.png")
    assert (tmp_path / "scores.png").stat().st_size > 20_000
    assert caplog.messages == []  # matplotlib would say there that a glyph is missing


def test_scores_are_not_drawn_to_other_suffixes(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"图只能存为 \.png 或 \.svg，得到的是“scores.pdf”"):
        draw_scores(_scores(), tmp_path / "scores.pdf")
    assert list(tmp_path.iterdir()) == []
