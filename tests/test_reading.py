"""From a file to a report, held against the gold of all demo reports."""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from nlp.identity import Overrides
from nlp.reading import read_report, report_id
from nlp.records import Report, Role, Section

CORPORA = Path(__file__).parents[1] / "corpora"
GOLD: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((CORPORA / "gold").glob("*.json"))
}
REPORTS = {
    name: read_report((CORPORA / gold["file"]).read_bytes(), str(CORPORA / gold["file"])) for name, gold in GOLD.items()
}
each = pytest.mark.parametrize("name", list(GOLD))
FINDINGS = {Role.PROBLEM, Role.CAUSE, Role.MEASURE}
# The gold of one heading holds the word under it ("其他需要说明的问题：无"): read as heading and text it says more.
HEADING_WITH_ITS_TEXT = {("十、", "其他需要说明的问题:无"): ("十、", "其他需要说明的问题")}
# The gold of one title leaves out its second line "（2024年度）", which gives the year.
TITLE_WITH_ITS_YEAR = {"agri-2024": "高标准农田建设项目支出绩效自评报告（2024年度）"}
FIELDS = ("title", "department", "province", "city", "county", "level", "year", "kind")
LEDGERS = [name for name, gold in GOLD.items() if gold["kind"] == "审计整改"]
CUT_RIGHT = {Role.PROBLEM: 0.94, Role.CAUSE: 0.93, Role.MEASURE: 0.975}


def squeezed(text: str) -> str:
    """Return a text without white space and in one width, as two readers of a file can agree on it."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def test_all_reports_are_here() -> None:
    assert len(GOLD) >= 60


# -------------------------------------------------------------------------------------------------------------- identity


def gold_identity(name: str) -> dict[str, Any]:
    gold = GOLD[name]
    # The city of most demo counties is fictional and stands nowhere in the file or its path: then nobody can know it.
    city = gold["city"] if gold["city"] and gold["city"] in gold["text"] + gold["file"] else None
    return {field: gold[field] for field in FIELDS} | {
        "city": city,
        "title": TITLE_WITH_ITS_YEAR.get(name, gold["title"]),
    }


def found_identity(name: str) -> dict[str, Any]:
    found = REPORTS[name].identity
    region = {"province": found.region.province, "city": found.region.city, "county": found.region.county}
    return region | {field: getattr(found, field) for field in FIELDS if field not in region}


@each
def test_identity(name: str) -> None:
    wanted, found = gold_identity(name), found_identity(name)
    wrong = {field: (wanted[field], found[field]) for field in FIELDS if wanted[field] != found[field]}
    assert wrong == {}


@each
def test_what_is_told_says_where_from(name: str) -> None:
    found = REPORTS[name].identity
    told = {"title", "year", "kind"} | ({"department", "region"} if found.department else set()) | {"level"}
    assert set(found.taken_from) == told


# --------------------------------------------------------------------------------------------------------------- outline


def headings(sections: tuple[Section, ...]) -> list[tuple[str, str, int]]:
    return [(squeezed(s.number), squeezed(s.heading), s.level) for s in sections]


def gold_headings(name: str) -> list[tuple[str, str, int]]:
    found = []
    for h in GOLD[name]["headings"]:
        label = (squeezed(h["number"]), squeezed(h["heading"]).rstrip(":。"))
        found.append((*HEADING_WITH_ITS_TEXT.get(label, label), h["level"]))
    return found


@each
def test_first_level_is_exactly_the_gold_one(name: str) -> None:
    found = [h for h in headings(REPORTS[name].sections) if h[2] == 1]
    assert found == [h for h in gold_headings(name) if h[2] == 1]


def test_all_gold_headings_are_found_at_their_level() -> None:
    missing = [(name, h) for name in GOLD for h in gold_headings(name) if h not in headings(REPORTS[name].sections)]
    assert missing == []
    assert sum(len(gold_headings(name)) for name in GOLD) >= 750


# -------------------------------------------------------------------------------------------------------------- passages


def cut_right(report: Report, gold: dict[str, Any], passage: dict[str, Any]) -> bool:
    """Return whether a passage of the report holds the gold one and no other finding."""
    wanted = squeezed(passage["text"])
    others = {squeezed(p["text"]) for p in gold["passages"] if p["role"] in FINDINGS} - {wanted}
    held = [text for text in (squeezed(p.text) for p in report.passages) if wanted in text]
    return any(not any(other in text for other in others) for text in held)


@pytest.mark.parametrize(("role", "floor"), CUT_RIGHT.items())
def test_findings_are_cut_as_a_person_cuts_them(role: Role, floor: float) -> None:
    findings = [(name, p) for name, gold in GOLD.items() for p in gold["passages"] if p["role"] == role]
    wrong = [f"{name}#{p['id']}" for name, p in findings if not cut_right(REPORTS[name], GOLD[name], p)]
    assert 1 - len(wrong) / len(findings) >= floor, wrong


def test_most_reports_are_cut_without_a_fault() -> None:
    findings = {name: [p for p in gold["passages"] if p["role"] in FINDINGS] for name, gold in GOLD.items()}
    right = [name for name, gold in GOLD.items() if all(cut_right(REPORTS[name], gold, p) for p in findings[name])]
    assert len(right) >= 54
    assert {"agri-2024", "health-2024", "ledger-2023", "ledger-2024", "trans-2023", "trans-2024"} <= {*right}


@each
def test_every_problem_of_the_gold_lies_under_the_headings_of_the_gold(name: str) -> None:
    for gold in GOLD[name]["passages"]:
        if gold["role"] == Role.PROBLEM and gold["section"]:
            found = next(p for p in REPORTS[name].passages if squeezed(gold["text"])[:15] in squeezed(p.text))
            assert {squeezed(s) for s in gold["section"]} <= {squeezed(s) for s in found.section}


@each
def test_offsets_hold(name: str) -> None:
    report = REPORTS[name]
    assert all(report.text[p.start : p.end] == p.text for p in report.passages)
    assert all(a.end <= b.start for a, b in pairwise(report.passages))
    assert len({p.id for p in report.passages}) == len(report.passages)


@pytest.mark.parametrize("name", LEDGERS)
def test_ledger_rows_are_the_gold_s(name: str) -> None:
    gold, report = GOLD[name], REPORTS[name]
    wanted = [(p["role"], p["ref"], p["department"], int(p["year"]), p["text"]) for p in gold["passages"]]
    assert [(p.role, p.ref, p.department, p.year, p.text) for p in report.passages] == wanted
    texts = {p.id: p.ref for p in report.passages}
    rows = [p["ref"] for p in gold["passages"] if p["role"] == Role.PROBLEM]
    assert [(texts[link.problem], texts[link.measure]) for link in report.links] == [(row, row) for row in rows]
    assert len(rows) == 24


@pytest.mark.parametrize("name", ["civilaffairs-2024", "health-2023", "hrss-2024", "market-2022", "market-2023"])
def test_a_table_of_problems_inside_a_report_is_a_ledger_too(name: str) -> None:
    report, problems = REPORTS[name], [p for p in GOLD[name]["passages"] if p["role"] == Role.PROBLEM]
    assert [p.ref for p in report.passages if p.role is Role.PROBLEM] == [str(n) for n in range(1, len(problems) + 1)]
    assert [p.text for p in report.passages if p.role is Role.PROBLEM] == [p["text"] for p in problems]
    assert len(report.links) == len(problems)


def test_headings_of_the_other_sheets_stay() -> None:
    assert [s.label for s in REPORTS["health-2023"].sections if s.level == 1][:2] == [
        "一、部门概况",
        "二、资金使用情况",
    ]


# ------------------------------------------------------------------------------------------------------------- the whole


def test_a_ledger_in_a_workbook(tmp_path: Path) -> None:
    rows: list[list[str | int | None]] = [
        ["id", "部门", "年度", "问题", "整改情况"],
        ["A-1", "棠溪县教育局", 2023, "账实不符。", "已调账。"],
        ["A-2", "汐州市民政局", 2022, "超标准接待。", None],
    ]
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(tmp_path / "台账.xlsx")
    report = read_report((tmp_path / "台账.xlsx").read_bytes(), "2023年/台账.xlsx")
    assert [(p.ref, p.department, p.year, p.role, p.text) for p in report.passages] == [
        ("A-1", "棠溪县教育局", 2023, Role.PROBLEM, "账实不符。"),
        ("A-1", "棠溪县教育局", 2023, Role.MEASURE, "已调账。"),
        ("A-2", "汐州市民政局", 2022, Role.PROBLEM, "超标准接待。"),
    ]
    assert len(report.links) == 1
    assert report.identity.department is None


def test_the_same_bytes_and_overrides_are_the_same_report() -> None:
    data = "一、存在的问题\n资金支付进度慢。".encode()
    assert read_report(data, "a.txt").id == read_report(data, "b/c.txt").id == report_id(data, Overrides())
    assert report_id(data, Overrides(year=2023)) != report_id(data, None)
    assert report_id(data, Overrides(year=2023)) != report_id(data, Overrides(year=2022))


def test_source_and_path() -> None:
    report = read_report("本局负责教育工作。".encode("gb18030"), "汇总.zip/云屏省/棠溪县/2021年/教育局.txt")
    assert (report.source.path, report.source.format) == ("汇总.zip/云屏省/棠溪县/2021年/教育局.txt", "txt")
    assert (report.identity.department, report.identity.region.county, report.identity.year) == (
        "教育局",
        "棠溪县",
        2021,
    )
    assert [p.text for p in report.passages] == ["本局负责教育工作。"]
