"""The demo reports: sources, gold and rendered files belong together."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdfium2
import pytest
from lxml import html

from nlp import taxonomy
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
LEDGERS = [name for name, gold in GOLD.items() if gold["kind"] == "审计整改"]
UNANSWERED = {"edu-2022#p5", "edu-2024#p6"}
LONGEST_SHARED = 40
each = pytest.mark.parametrize("name", list(SOURCES))


def those_with(option: str) -> pytest.MarkDecorator:
    """Return the parameter of the sources whose layout asks for something."""
    return pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.layout.get(option)])


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def file_of(name: str) -> Path:
    return CORPORA.joinpath("reports", SOURCES[name].target)


def passage(reference: str) -> dict[str, Any]:
    """Return the passage that ``<report>#<passage>`` names."""
    name, identity = reference.split("#")
    return next(passage for passage in GOLD[name]["passages"] if passage["id"] == identity)


# ---------------------------------------------------------------------------------------------------------------- whole


def test_many_departments_report_at_four_levels_in_three_provinces() -> None:
    reports = list(GOLD.values())
    years: dict[str, set[int]] = {}
    for gold in reports:
        years.setdefault(gold["department"], set()).add(gold["year"])
    assert len(reports) >= 60
    assert len(years) >= 20
    assert sum(seen == {2022, 2023, 2024} for seen in years.values()) >= 12
    assert {gold["province"] for gold in reports} - {None} == {"云屏省", "澜东省", "朔原省"}
    assert {gold["level"] for gold in reports} == {"省", "市", "县", "乡"}
    assert len({gold["file"] for gold in reports}) == len(reports)


def test_every_format_comes_often() -> None:
    formats = [gold["format"] for gold in GOLD.values()]
    assert {*formats} == {*render.RENDERERS, "pdf"}
    assert min(formats.count(name) for name in {*formats}) >= 5


def test_no_gold_or_report_is_left_from_a_source_that_is_gone() -> None:
    files = {path for path in (CORPORA / "reports").rglob("*") if path.is_file()}
    assert files == {file_of(name) for name in SOURCES}
    assert {path.stem for path in (CORPORA / "gold").glob("*.json")} == {*SOURCES}


def test_every_topic_has_problems_and_measures() -> None:
    seen = {(p["role"], p["topics"][0]) for gold in GOLD.values() for p in gold["passages"] if p["topics"]}
    assert {topic for role, topic in seen if role == "problem"} == set(Topic)
    assert {topic for role, topic in seen if role == "measure"} == set(Topic)
    assert {p["role"] for gold in GOLD.values() for p in gold["passages"]} == set(Role)


def test_every_kind_of_problem_comes_more_than_once() -> None:
    seen = [p["subtopic"] for gold in GOLD.values() for p in gold["passages"] if p["role"] == "problem"]
    assert [entry.code for entry in taxonomy.subtopics() if seen.count(entry.code) < 2] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("town-2024", "存在问题：无。"), ("justice-2022", "1.存在问题：无。"), ("veterans-2024", "存在问题：暂无。")],
)
def test_report_without_problems_has_none(name: str, words: str) -> None:
    roles = {p["text"]: p["role"] for p in GOLD[name]["passages"]}
    assert words in GOLD[name]["text"]
    assert roles[render.without_ordinal(words)] == "background"
    assert "problem" not in roles.values()


def test_ledger_rows_carry_their_own_department_year_and_number() -> None:
    rows = [p for p in GOLD["ledger-2024"]["passages"] if p["role"] == "problem"]
    assert [row["ref"] for row in rows] == [str(number) for number in range(1, 25)]
    assert (rows[6]["department"], rows[6]["year"], rows[6]["topics"]) == (
        "汐州市交通运输局",
        "2022",
        ["budget_execution"],
    )
    assert {row["department"] for row in rows} == {
        "棠溪县教育局",
        "汐州市交通运输局",
        "桐浦县农业农村局",
        "砚池区卫生健康局",
    }


def test_a_ledger_may_head_its_columns_otherwise() -> None:
    rows = [p for p in GOLD["ledger-2023"]["passages"] if p["role"] == "problem"]
    assert [row["ref"] for row in rows] == [f"审-{number:02}" for number in range(1, 25)]
    assert {row["year"] for row in rows} == {"2022", "2023"}
    assert len({row["department"] for row in rows}) == 8


def test_a_sheet_begins_without_the_headings_of_the_one_before() -> None:
    sections = {p["id"]: p["section"] for p in GOLD["health-2023"]["passages"]}
    assert sections["p1"] == []


def test_the_numbers_of_a_list_of_problems_in_a_report_are_no_departments() -> None:
    assert all("ref" not in entry for entry in GOLD["mch-2023"]["passages"])
    assert not any("department" in p for name, gold in GOLD.items() if name not in LEDGERS for p in gold["passages"])


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
        kinds = {kind.code for kind in taxonomy.subtopics(topics[0])} if topics else {None}
        assert entry["subtopic"] in kinds, entry["text"]


@each
def test_links_lead_from_problems_to_measures_of_the_same_topic(name: str) -> None:
    passages = {entry["id"]: entry for entry in GOLD[name]["passages"]}
    assert len(passages) == len(GOLD[name]["passages"])
    for link in GOLD[name]["links"]:
        problem, measure = passages[link["problem"]], passages[link["measure"]]
        assert (problem["role"], measure["role"]) == ("problem", "measure")
        assert problem["topics"][0] == measure["topics"][0], link


def test_every_problem_but_two_is_answered() -> None:
    problems = {f"{name}#{p['id']}" for name, gold in GOLD.items() for p in gold["passages"] if p["role"] == "problem"}
    answered = {f"{name}#{link['problem']}" for name, gold in GOLD.items() for link in gold["links"]}
    assert problems - answered == UNANSWERED
    assert answered <= problems


def test_repeated_problems_come_from_earlier_years_of_the_same_department() -> None:
    repeats = [(n, p, p["repeats"]) for n, gold in GOLD.items() for p in gold["passages"] if p["repeats"]]
    assert len(repeats) >= 40
    for name, later, reference in repeats:
        earlier = GOLD[reference.split("#")[0]]
        assert (earlier["department"], earlier["year"] < GOLD[name]["year"]) == (GOLD[name]["department"], True)
        assert passage(reference)["role"] == later["role"] == "problem"
        assert passage(reference)["text"] != later["text"]


def test_copies_are_verbatim_long_and_from_an_earlier_year_of_the_same_department() -> None:
    copies = [(name, p) for name, gold in GOLD.items() for p in gold["passages"] if p["copies"]]
    assert len(copies) >= 40
    for name, later in copies:
        gold, source = GOLD[name], passage(later["copies"])
        earlier = GOLD[later["copies"].partition("#")[0]]
        assert later["text"] == source["text"]
        assert len(later["text"]) >= LONGEST_SHARED
        assert later["role"] == source["role"]
        assert (earlier["department"], earlier["year"] < gold["year"]) == (gold["department"], True)


def test_two_reports_share_no_long_words_but_the_copies() -> None:
    copied = {p["text"] for gold in GOLD.values() for p in gold["passages"] if p["copies"]}
    seen: dict[str, str] = {}
    for name, gold in GOLD.items():
        for text in {p["text"] for p in gold["passages"]} - copied:
            for at in range(len(text) - LONGEST_SHARED + 1):
                words = text[at : at + LONGEST_SHARED]
                assert seen.setdefault(words, name) == name, words


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


@each
def test_figures_of_the_front_matter_stand_in_the_report(name: str) -> None:
    figures = GOLD[name]["figures"]
    assert 6 <= len(figures) <= 12
    assert len({figure["what"] for figure in figures}) == len(figures)
    assert [figure for figure in figures if figure["text"] not in GOLD[name]["text"]] == []


PLANTED = [(name, entry) for name, gold in GOLD.items() for entry in gold["planted"]]


def planted(kind: str) -> pytest.MarkDecorator:
    """Return the parameters of the contradictions of a kind: report, quotes."""
    cases = [(name, entry["quotes"]) for name, entry in PLANTED if entry["kind"] == kind]
    return pytest.mark.parametrize(("name", "quotes"), cases, ids=[name for name, _ in cases])


def test_planted_contradictions_are_quoted_and_of_six_kinds() -> None:
    kinds = [entry["kind"] for _, entry in PLANTED]
    assert len(PLANTED) >= 35
    assert {*kinds} == {"sum", "rate", "conflict", "grade", "score", "date"}
    assert min(kinds.count(kind) for kind in {*kinds}) >= 2
    assert all(quote in GOLD[name]["text"] for name, entry in PLANTED for quote in entry["quotes"])
    assert all(entry["message"] for _, entry in PLANTED)


@planted("rate")
def test_planted_rate_is_wrong(name: str, quotes: list[str]) -> None:
    first, second, rate = _amounts(quotes[0])
    part, whole = sorted([first, second])
    assert (part / whole * 100).quantize(Decimal("0.01"), ROUND_HALF_UP) != rate, name


@planted("sum")
def test_planted_sum_is_wrong(name: str, quotes: list[str]) -> None:
    *parts, total = sorted(_amounts(quotes[0]))
    if quotes[0].startswith("合计\t"):
        total = _amounts(quotes[0])[0 if name == "hrss-2024" else -1]
        parts = _column_above(GOLD[name]["text"], quotes[0], total)
    assert len(parts) >= 2
    assert sum(parts) != total


def _column_above(text: str, row: str, total: Decimal) -> list[Decimal]:
    """Return the figures above a total in its column."""
    rows = [line.split("\t") for line in text.splitlines()]
    at = next(number for number, cells in enumerate(rows) if "\t".join(cells).startswith(row))
    column = rows[at].index(str(total))
    figures = []
    while re.fullmatch(r"[\d.]+", rows[at - 1][column]):
        at -= 1
        figures.append(Decimal(rows[at][column]))
    return figures


@planted("conflict")
def test_planted_figures_disagree(name: str, quotes: list[str]) -> None:
    one, other = ({*_amounts(quote)} for quote in quotes)
    assert one - other, name
    assert other - one, name


@planted("grade")
def test_planted_grade_does_not_fit_the_score(name: str, quotes: list[str]) -> None:
    found = re.search(r"([\d.]+)分，\D*“(优|良|中|差)”", quotes[-1])
    assert found is not None
    score = float(found[1])
    fitting = next(grade for grade, least in (("优", 90), ("良", 80), ("中", 60), ("差", 0)) if score >= least)
    assert fitting != found[2], name


@planted("score")
def test_planted_score_is_full_beside_a_low_rate(name: str, quotes: list[str]) -> None:
    *_, rate, full, score = quotes[0].split("\t")
    assert float(rate.rstrip("%")) < 80, name
    assert full == score


@planted("date")
def test_planted_dates_run_backwards(name: str, quotes: list[str]) -> None:
    begun, ended = ([int(part) for part in re.findall(r"\d+", quote)[:3]] for quote in quotes)
    assert ended < begun, name


# ----------------------------------------------------------------------------------------------------------------- files


def _read_docx(path: Path) -> str:
    document = docx.Document(str(path))
    inserted = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
    return "\n".join(element.text or "" for element in document.element.body.iter(inserted))


def _read_pdf(path: Path, head: str) -> str:
    document = pypdfium2.PdfDocument(path)
    text = "".join(squeezed(page.get_textpage().get_text_range()).removeprefix(squeezed(head)) for page in document)
    document.close()
    return re.sub(r"—\d+—", "", text)


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
    shortest = 600 if name == "town-2024" else 1200
    assert shortest <= len(squeezed(GOLD[name]["text"])) <= 6500


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


@pytest.mark.parametrize("name", [n for n, source in SOURCES.items() if source.meta["format"] == "pdf"])
def test_pdfs_are_small_and_have_pages_with_fixed_dates(name: str) -> None:
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


@those_with("auto_number")
def test_automatic_numbers_come_out_as_the_source_prints_them(name: str) -> None:
    digits, first, second, item = "一二三四五六七八九十", 0, 0, 0
    assert SOURCES[name].meta["format"] == "docx"
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
    assert first >= 7


def _pieces(name: str, kind: str) -> list[str]:
    lines = [block for block in SOURCES[name].blocks if isinstance(block, render.Text)]
    return [piece.text for line in lines for piece in line.pieces if piece.kind == kind]


@pytest.mark.parametrize("name", [name for name in SOURCES if any(_pieces(name, kind) for kind in ("ins", "del"))])
def test_deleted_words_are_no_text_and_inserted_ones_are(name: str) -> None:
    printed = _read_docx(file_of(name))
    for text in (GOLD[name]["text"], printed):
        assert all(words in text for words in _pieces(name, "ins"))
        assert not any(words in text for words in _pieces(name, "del"))
    with zipfile.ZipFile(file_of(name)) as archive:
        document = archive.read("word/document.xml").decode()
    assert all(words in document for words in _pieces(name, "del"))


@pytest.mark.parametrize("name", [name for name in SOURCES if _pieces(name, "note")])
def test_footnotes_stand_below_and_in_no_paragraph(name: str) -> None:
    with zipfile.ZipFile(file_of(name)) as archive:
        notes = archive.read("word/footnotes.xml").decode()
    for words in _pieces(name, "note"):
        assert words in notes
        assert words not in GOLD[name]["text"]


@those_with("wrap")
def test_hard_wraps_keep_to_the_width_and_never_break_a_number(name: str) -> None:
    kind, layout = SOURCES[name].meta["format"], SOURCES[name].layout
    text = file_of(name).read_bytes().decode("gb18030" if kind == "txt-gb18030" else "utf-8")
    lines = text.splitlines()
    assert max(len(line) for line in lines if "\t" not in line) == layout["wrap"]
    assert not re.search(r"[\d.]\r?\n[\d.]", re.sub(r".*\t.*", "", text))
    assert ("— 1 —" in lines) == ("page_lines" in layout)


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


@pytest.mark.parametrize(
    ("words", "bare"),
    [("5.2024年预算", "2024年预算"), ("91.8分，优", "91.8分，优"), ("3、调剂", "调剂"), ("1550.00万元", "1550.00万元")],
)
def test_a_figure_is_no_ordinal(words: str, bare: str) -> None:
    assert render.without_ordinal(words) == bare


def test_rendering_writes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "sources", lambda: [SOURCES["town-2024"]])
    render.main(["--out", str(tmp_path)])
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {Path("reports", SOURCES["town-2024"].target), Path("gold", "town-2024.json")}


def test_help_renders_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(render, "sources", lambda: pytest.fail("rendered"))
    with pytest.raises(SystemExit) as caught:
        render.main(["--help"])
    assert caught.value.code == 0
    assert "--out" in capsys.readouterr().out
