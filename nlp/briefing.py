"""A summary of a library as a Word document: counts with pictures, quotations, what came back, what was copied, how it was done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docx.shared import Cm

from nlp.exports import (
    COPIED_ELSEWHERE,
    NAMES,
    blank_document,
    method_note,
    narrowed_to,
    printable,
    set_widths,
    source_line,
    title_of,
    writable,
)
from nlp.library import Briefing
from nlp.records import Frequency
from nlp.taxonomy import topic_name
from nlp.views import shown

_MOST_SUBTOPICS = 15
_MOST_CHAINS = 20
_MOST_COPIED = 10
_PICTURE = Cm(15.5)


def write_briefing(briefing: Briefing, path: Path) -> None:
    """Write a summary as a Word document; without the pictures where their library is not installed.

    Raises:
        InvalidInputError: If the file cannot be written.
    """
    document = blank_document()
    document.add_heading("绩效自评报告问题汇总", 0)
    again = briefing.recurrences
    document.add_paragraph(
        f"共 {briefing.reports} 份报告，{briefing.problems} 个问题；"
        f"可与以前年度比较的 {again.compared} 个问题中，{again.returned} 个以前报告过；"
        f"{sum(item.share > 0 for item in briefing.copies.shares)} 份报告有与以前或别处的报告相同的段落。"
    )
    if narrowed := narrowed_to(briefing.topics.filters):
        document.add_paragraph(f"筛选条件：{narrowed}。")
    document.add_heading("一、各类问题的频次", 1)
    _frequency(document, briefing.topics)
    document.add_paragraph()
    _frequency(document, briefing.subtopics, _MOST_SUBTOPICS)
    for table, title in ((briefing.by_year, "二、各年度的变化"), (briefing.by_department, "三、各部门的分布")):
        if table is not None:
            document.add_heading(title, 1)
            _picture(document, table)
    _quotations(document, briefing)
    _chains(document, briefing)
    _copied(document, briefing)
    document.add_heading("七、方法说明", 1)
    for note in method_note(briefing.topics):
        document.add_paragraph(note)
    with writable(path):
        document.save(str(path))


def _frequency(document: Any, table: Frequency, most: int | None = None) -> None:
    """Add a table of counts, and their picture."""
    rows = []
    for row in table.rows[:most]:
        fixed = row.corrected
        corrected = "" if fixed is None else f"{fixed.count:.0f}（{fixed.count_low:.0f}～{fixed.count_high:.0f}）"
        name = shown(table.by[0], row.values[0])
        rows.append((str(row.rank), name, str(row.count), corrected, str(row.reports), f"{row.share:.1%}"))
    _table(
        document,
        ("排名", NAMES[table.by[0]], "条数", "修正条数（95% 区间）", "报告数", "占比"),
        rows,
        (1.2, 5, 2, 4, 2, 2),
    )
    _picture(document, table)


def _picture(document: Any, table: Frequency) -> None:
    try:
        from nlp.charts import draw  # noqa: PLC0415  an extra that may be missing
    except ImportError:
        return
    if not table.rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chart.png"
        draw(table, path, title_of(table))
        document.add_picture(str(path), width=_PICTURE)


def _quotations(document: Any, briefing: Briefing) -> None:
    document.add_heading("四、典型表述", 1)
    for topic, found in briefing.typical:
        document.add_heading(topic_name(topic), 2)
        for item in found:
            document.add_paragraph(printable(f"“{item.passage.text}”"))
            document.add_paragraph(printable(f"——{source_line(item)}"))


def _chains(document: Any, briefing: Briefing) -> None:
    document.add_heading("五、屡次出现的问题", 1)
    chains = briefing.recurrences.chains
    rows = [
        (
            problem.passage.department or "",
            str(problem.passage.year),
            problem.passage.text,
            "\n".join(found.passage.text for found in promised),
        )
        for chain in chains[:_MOST_CHAINS]
        for problem, promised in zip(chain.problems, (*chain.promised, ()), strict=True)
    ]
    if rows:
        _table(document, ("部门", "年度", "问题", "当时的措施"), rows, (3, 1.5, 6, 6))
    else:
        document.add_paragraph("没有发现以后年度又出现的问题，或没有一个部门有两个年度的报告。")
    if len(chains) > _MOST_CHAINS:
        document.add_paragraph(f"另有 {len(chains) - _MOST_CHAINS} 个，见 jixiao recur --xlsx。")


def _copied(document: Any, briefing: Briefing) -> None:
    document.add_heading("六、照抄情况", 1)
    rows = [
        (
            item.report.identity.title or item.report.source.path,
            f"{item.share:.1%}",
            f"{item.own} 字",
            f"{item.others} 字",
        )
        for item in briefing.copies.shares[:_MOST_COPIED]
        if item.share > 0
    ]
    if rows:
        _table(document, ("报告", "照抄占比", "抄自本部门", COPIED_ELSEWHERE), rows, (8.6, 2.2, 2.6, 3))
    else:
        document.add_paragraph("没有发现照抄的段落。")


def _table(document: Any, heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float]) -> None:
    table = document.add_table(rows=1, cols=len(heads), style="Table Grid")
    table.autofit = False
    for cell, head in zip(table.rows[0].cells, heads, strict=True):
        cell.paragraphs[0].add_run(head).bold = True
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = printable(text)
    set_widths(table, widths)
