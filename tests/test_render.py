"""The demo reports: sources, gold and rendered files belong together."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdfium2
import pytest
from lxml import html

from nlp.errors import InvalidInputError
from nlp.records import Role, Topic

CORPORA = Path(__file__).parents[1] / "corpora"


def _load_script() -> Any:
    spec = importlib.util.spec_from_file_location("corpora_render", CORPORA / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


render = _load_script()
SOURCES = {source.meta["id"]: source for source in render.sources()}
GOLD = {name: json.loads((CORPORA / "gold" / f"{name}.json").read_text(encoding="utf-8")) for name in SOURCES}
each = pytest.mark.parametrize("name", list(SOURCES))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def file_of(name: str) -> Path:
    return CORPORA.joinpath("reports", SOURCES[name].target)


def passage(reference: str) -> dict[str, Any]:
    """Return the passage that ``<report>#<passage>`` names."""
    name, identity = reference.split("#")
    return next(passage for passage in GOLD[name]["passages"] if passage["id"] == identity)


# ---------------------------------------------------------------------------------------------------------------- whole


def test_four_departments_report_in_three_years_and_all_formats() -> None:
    years: dict[str, set[int]] = {}
    for gold in GOLD.values():
        if gold["kind"] in {"部门整体支出", "项目支出"} and gold["level"] != "乡":
            years.setdefault(gold["department"], set()).add(gold["year"])
    assert years == {
        "棠溪县教育局": {2022, 2023, 2024},
        "汐州市交通运输局": {2022, 2023, 2024},
        "桐浦县农业农村局": {2022, 2023, 2024},
        "砚池区卫生健康局": {2022, 2023, 2024},
    }
    formats = [gold["format"] for gold in GOLD.values()]
    assert {name: formats.count(name) for name in sorted(set(formats))} == {
        "docx": 4,
        "html": 2,
        "pdf": 3,
        "txt": 2,
        "txt-gb18030": 1,
        "xlsx": 2,
    }


def test_every_topic_has_problems_and_measures() -> None:
    seen = {(p["role"], p["topics"][0]) for gold in GOLD.values() for p in gold["passages"] if p["topics"]}
    assert {topic for role, topic in seen if role == "problem"} == set(Topic)
    assert {topic for role, topic in seen if role == "measure"} == set(Topic)
    assert {p["role"] for gold in GOLD.values() for p in gold["passages"]} == set(Role)


def test_report_without_problems_has_none() -> None:
    roles = {p["text"]: p["role"] for p in GOLD["town-2024"]["passages"]}
    assert roles["存在问题：无。"] == "background"
    assert "problem" not in roles.values()


def test_ledger_rows_carry_their_own_department_year_and_number() -> None:
    rows = [p for p in GOLD["ledger-2024"]["passages"] if p["role"] == "problem"]
    assert [row["ref"] for row in rows] == [str(number) for number in range(1, 25)]
    assert (rows[6]["department"], rows[6]["year"], rows[6]["topics"]) == (
        "汐州市交通运输局",
        "2022",
        ["budget_execution"],
    )
    assert {row["department"] for row in rows} == {gold["department"] for gold in GOLD.values()} - {
        "柳泊镇人民政府",
        None,
    }


# ----------------------------------------------------------------------------------------------------------------- gold


@each
def test_gold_file_is_what_the_source_gives(name: str) -> None:
    assert (CORPORA / "gold" / f"{name}.json").read_text(encoding="utf-8") == render.gold_json(SOURCES[name])


@each
def test_offsets_cut_out_passages_and_headings(name: str) -> None:
    gold = GOLD[name]
    text = gold["text"]
    for entry in gold["passages"]:
        assert text[entry["start"] : entry["end"]] == entry["text"]
        assert entry["text"] == entry["text"].strip() != ""
    for entry in gold["headings"]:
        assert squeezed(text[entry["start"] : entry["end"]]) == squeezed(entry["number"] + entry["heading"])
    starts = [entry["start"] for entry in gold["passages"]]
    ends = [entry["end"] for entry in gold["passages"]]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


@each
def test_labels_are_codes_and_only_some_roles_have_topics(name: str) -> None:
    for entry in GOLD[name]["passages"]:
        topics = [Topic(topic) for topic in entry["topics"]]
        assert bool(topics) == Role(entry["role"]).has_topic, entry["text"]
        assert len(set(topics)) == len(topics)


@each
def test_links_lead_from_problems_to_measures_of_the_same_topic(name: str) -> None:
    passages = {entry["id"]: entry for entry in GOLD[name]["passages"]}
    assert len(passages) == len(GOLD[name]["passages"])
    for link in GOLD[name]["links"]:
        problem, measure = passages[link["problem"]], passages[link["measure"]]
        assert (problem["role"], measure["role"]) == ("problem", "measure")
        assert problem["topics"][0] == measure["topics"][0], link


def test_repeated_problems_come_from_earlier_years_of_the_same_department() -> None:
    repeats = [(n, p, p["repeats"]) for n, gold in GOLD.items() for p in gold["passages"] if p["repeats"]]
    assert len(repeats) >= 10
    for name, later, reference in repeats:
        earlier = GOLD[reference.split("#")[0]]
        assert (earlier["department"], earlier["year"] < GOLD[name]["year"]) == (GOLD[name]["department"], True)
        assert passage(reference)["role"] == later["role"] == "problem"
        assert passage(reference)["text"] != later["text"]


def test_copies_are_verbatim() -> None:
    copies = {f"{n}#{p['id']}": p for n, gold in GOLD.items() for p in gold["passages"] if p["copies"]}
    assert set(copies) == {"edu-2024#p2", "agri-2023#m1"}
    assert all(passage(copy["copies"])["text"] == copy["text"] for copy in copies.values())


# --------------------------------------------------------------------------------------------------------------- figures


def _amounts(text: str) -> list[Decimal]:
    return [Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@each
def test_sums_and_rates_of_the_front_matter_hold_and_stand_in_the_report(name: str) -> None:
    meta, text = SOURCES[name].meta, GOLD[name]["text"]
    for line in meta.get("sums", []):
        *parts, total = _amounts(line)
        assert sum(parts) == total, line
    for line in meta.get("rates", []):
        part, whole, rate = _amounts(line)
        assert (part / whole * 100).quantize(Decimal("0.01"), ROUND_HALF_UP) == rate, line
    for number in re.findall(r"[\d.]+%?", " ".join([*meta.get("sums", []), *meta.get("rates", [])])):
        assert number in text


def test_planted_contradictions_are_quoted_and_real() -> None:
    planted = {(n, entry["kind"]) for n, gold in GOLD.items() for entry in gold["planted"]}
    assert planted == {
        ("trans-2022", "rate"),
        ("agri-2023", "sum"),
        ("edu-2023", "conflict"),
        ("health-2024", "grade"),
        ("health-2024", "score"),
    }
    for gold in GOLD.values():
        assert all(quote in gold["text"] for entry in gold["planted"] for quote in entry["quotes"])
    assert Decimal(4992) / Decimal(6400) == Decimal("0.78")
    assert Decimal(11200) + Decimal(6180) + Decimal(2870) + Decimal(2100) == Decimal(22350)


# ----------------------------------------------------------------------------------------------------------------- files


def _read_docx(path: Path) -> str:
    document = docx.Document(str(path))
    inserted = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
    return "\n".join(element.text or "" for element in document.element.body.iter(inserted))


def _read_pdf(path: Path, head: str) -> str:
    document = pypdfium2.PdfDocument(path)
    text = "".join(squeezed(page.get_textpage().get_text_range()).removeprefix(squeezed(head)) for page in document)
    document.close()
    return re.sub(r"—\d—", "", text)


def _read_xlsx(path: Path) -> str:
    book = openpyxl.load_workbook(path)
    return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value)


def _read(name: str) -> str:
    path, kind = file_of(name), SOURCES[name].meta["format"]
    if kind == "docx":
        return _read_docx(path)
    if kind == "pdf":
        return _read_pdf(path, SOURCES[name].layout["running_head"])
    if kind == "xlsx":
        return _read_xlsx(path)
    if kind == "html":
        return "".join(str(words) for words in html.fromstring(path.read_bytes()).itertext())
    text = path.read_bytes().decode("gb18030" if kind == "txt-gb18030" else "utf-8")
    return re.sub(r"\n\n— \d+ —\n\n", "", text)


@each
def test_every_passage_stands_in_the_committed_file(name: str) -> None:
    text = squeezed(_read(name))
    missing = [entry["text"] for entry in GOLD[name]["passages"] if squeezed(entry["text"]) not in text]
    assert missing == []


@each
def test_reports_have_the_length_of_a_report(name: str) -> None:
    shortest = 600 if name == "town-2024" else 1500
    assert shortest <= len(squeezed(GOLD[name]["text"])) <= 3500


@pytest.mark.parametrize("name", [n for n, source in SOURCES.items() if source.meta["format"] != "pdf"])
def test_rendering_again_gives_the_same_text(name: str, tmp_path: Path) -> None:
    kind = SOURCES[name].meta["format"]
    data = render.RENDERERS[kind](SOURCES[name])
    if kind in {"txt", "txt-gb18030", "html"}:
        assert data == file_of(name).read_bytes()
        return
    # Libraries may write the same document in other bytes, so what can be read is compared.
    again = tmp_path / f"again.{kind}"
    again.write_bytes(data)
    reader = _read_docx if kind == "docx" else _read_xlsx
    assert reader(again) == reader(file_of(name))
    assert data == render.RENDERERS[kind](SOURCES[name])


def test_pdfs_are_small_and_have_pages_with_fixed_dates() -> None:
    for name in ("edu-2024", "agri-2023", "health-2022"):
        data = file_of(name).read_bytes()
        document = pypdfium2.PdfDocument(data)
        assert len(document) >= 3
        assert document.get_metadata_value("CreationDate").startswith("D:20250101")
        document.close()
        assert len(data) < 300_000


def test_automatic_numbers_stand_in_no_text_of_the_document() -> None:
    document = docx.Document(str(file_of("edu-2022")))
    headings = [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Heading 1"]
    assert headings[:3] == ["部门基本情况", "年度绩效目标", "自评工作开展情况"]
    assert [entry["number"] for entry in GOLD["edu-2022"]["headings"] if entry["level"] == 1][:3] == [
        "一、",
        "二、",
        "三、",
    ]


@pytest.mark.parametrize("name", ["edu-2022", "agri-2024"])
def test_automatic_numbers_come_out_as_the_source_prints_them(name: str) -> None:
    digits, first, second, item = "一二三四五六七八九十", 0, 0, 0
    for block in SOURCES[name].blocks:
        number = render.split_number(block.body)[0] if isinstance(block, render.Text) else ""
        if isinstance(block, render.Text) and block.style == "h1":
            first, second = first + 1, 0
            assert number == f"{digits[first - 1]}、"
        elif isinstance(block, render.Text) and block.style == "h2":
            second += 1
            assert number == f"（{digits[second - 1]}）"
        elif isinstance(block, render.Text) and block.style == "li":
            item = 1 if number == "1." else item + 1
            assert number == f"{item}."
    assert (first, item) in {(10, 4), (7, 6)}


def test_deleted_words_are_no_text_and_inserted_ones_are() -> None:
    text = GOLD["edu-2023"]["text"]
    assert "建立了关键岗位轮岗机制" in text
    assert "抵触情绪" not in text
    assert "抵触情绪" not in _read_docx(file_of("edu-2023"))


def test_hard_wraps_keep_to_the_width_and_never_break_a_number() -> None:
    text = file_of("trans-2022").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert max(len(line) for line in lines) == 32
    assert not re.search(r"[\d.]\n[\d.]", text)
    assert "— 1 —" in lines


# ------------------------------------------------------------------------------------------------------------ the format


def test_a_line_is_cut_at_its_annotations() -> None:
    line = render.parse_line("⟦lead⟧（一）进度慢。⟦problem budget_execution #p1⟧资金未付；⟦/⟧⟦measure other⟧二是清理。")
    assert line.body == "（一）进度慢。资金未付；二是清理。"
    cut = [(line.body[s.start : s.end], s.label, s.lead) for s in line.spans]
    assert cut == [
        ("资金未付；", "problem budget_execution #p1", "（一）进度慢。"),
        ("二是清理。", "measure other", "（一）进度慢。"),
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("⟦h1⟧一、基本情况\n", "TOML"),
        ("+++\n[layout]\n+++\n⟦table⟧\n甲\t乙\n", "表格"),
        ('+++\nid = "x"\ndepartment = "x"\nfile = "x.txt"\n[layout]\n+++\n⟦problm other⟧坏\n', "problm"),
        ('+++\nid = "x"\ndepartment = "x"\nfile = "x.txt"\n[layout]\n+++\n⟦problem others⟧坏\n', "others"),
    ],
)
def test_a_broken_source_is_refused_with_its_name(written: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "坏.txt"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message) as caught:
        render.gold(render.parse(path))
    assert "坏.txt" in str(caught.value)
