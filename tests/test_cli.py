"""The command ``jixiao`` as a person and as a program meet it: words, exit codes, JSON, help."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docx
import pytest
from conftest import write_report
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from test_evaluation import make_project, move_to, new_samples, write_lines
from test_review import DECIDED, FINDING, SmallEncoder, small_samples, use_small

import nlp.cli
from nlp import taxonomy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import StandIn

    from nlp.encoder import Encoder
    from nlp.library import Library

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "corpora" / "reports"
VERBS = tuple(runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["verbs"]())
CHINESE = re.compile(r"[一-鿿]")

PASSAGE = {"id", "ref", "text", "section", "page", "start", "end", "role", "primary", "topics"}
REPORT = {"id", "title", "department", "region", "level", "year", "kind", "source"}
SEARCH = {"query", "took_ms", "hits", "facets"}
HIT = {"rank", "score", "passage", "report", "highlights", "why"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def jixiao(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call the command in this process, as the script in ``bin`` would."""

    def call(*words: object, stdin: str = "", encoding: str = "utf-8") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["jixiao", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode(encoding))))
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            nlp.cli.main()
        out, err = capfd.readouterr()
        return Outcome(int(left.value.code or 0), out, err)

    monkeypatch.delenv("JIXIAO_LIBRARY", raising=False)
    return call


def command(*words: object, **environment: str) -> Outcome:
    """Run the installed command in a process of its own."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("jixiao")), *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **environment},
        cwd=ROOT,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def demo(demo_library: Library, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The demo library, and its encoder in memory: a call need not load the weights each time."""
    monkeypatch.setattr("nlp.analyst.open_encoder", lambda _: encoder)
    return demo_library


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder of two reports with one problem each."""
    folder = tmp_path / "reports"
    write_report(folder, "青禾县教育局", 2023, ["预算执行进度偏慢，资金年底集中支付。"], ["按月通报预算执行进度。"])
    write_report(folder, "青禾县水利局", 2024, ["固定资产账实不符，部分设备长期闲置。"])
    return folder


# ----------------------------------------------------------------------------------------------------- help and reference


def test_the_verbs_are_those_that_stand() -> None:
    names = [verb.name for verb in VERBS]
    assert names[:11] == "ingest inspect check tag search similar stats recur report draft train".split()  # noqa: SIM905  as one types them
    assert names[11:15] == ["evaluate", "taxonomy", "corpora", "demo"]
    assert {"review export", "review import"} <= set(names)
    assert {"models list", "models pull", "models verify"} <= set(names)
    assert {"library info", "library verify", "library rebuild", "library remove"} <= set(names)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_and_all_its_options_are_explained_in_chinese(verb: Any) -> None:
    assert CHINESE.search(verb.help)
    assert [item.name for item in verb.parameters if not CHINESE.search(item.help)] == []


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_shows_the_verbs_text_and_options(verb: Any, jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao(*verb.name.split(), "--help")
    flat = re.sub(r"\s", "", outcome.out)
    assert outcome.code == 0
    assert re.sub(r"\s", "", verb.help) in flat
    assert [item.name for item in verb.parameters if item.is_option and item.name not in flat] == []
    assert re.findall(r"Usage|Options|Arguments|required|Show this", outcome.out) == []


@pytest.mark.parametrize("page", ["docs/cli.md", "README.zh-CN.md"])
def test_every_verb_is_documented(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert [verb.name for verb in VERBS if f"jixiao {verb.name}" not in text] == []


def test_without_words_the_command_shows_its_help(jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao()
    assert "命令：\n  ingest" in outcome.out + outcome.err
    assert outcome.code == 2


# -------------------------------------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search"], "QUERY"),
        (["search", "x", "--nope"], "--nope"),
        (["search", "x", "--top", "0"], "--top"),
        (["nope"], "nope"),
        (["ingest"], "PATH"),
    ],
)
def test_wrong_usage_is_2(words: list[str], said: str, jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said.lower() in outcome.err.lower()
    assert CHINESE.search(outcome.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "x", "--topic", "天气"], ["天气", "budget_execution", "预算执行", "结果应用"]),
        (["search", "x", "--role", "天气"], ["天气", "problem", "措施"]),
        (["search", "x", "--year", "24"], ["--year", "2022..2024", "“24”"]),
        (["search", "x", "--level", "街"], ["省、市、县、乡", "“街”"]),
        (["search", "x", "--kind", "天气"], ["部门整体支出", "“天气”"]),
        (["search", " "], ["检索词是空的"]),
        (["stats", "--by", "colour"], ["topic", "“colour”"]),
        (["stats", "--by", "topic,year,kind"], ["topic,year,kind"]),
        (["stats", "--unit", "page"], ["passage", "report", "“page”"]),
        (["stats", "--chart", "x.gif"], [".png", ".svg", "x.gif"]),
        (["library", "remove", "nope"], ["nope", "jixiao library info"]),
        (["similar", ""], ["空"]),
    ],
)
def test_what_cannot_be_understood_is_1_with_what_is_known(
    words: list[str], said: list[str], jixiao: Callable[..., Outcome], demo: Library
) -> None:
    outcome = jixiao(*words, "--library", demo.path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("错误：")
    assert [part for part in said if part not in outcome.err] == []


def test_a_folder_without_a_library_is_1_and_stays_as_it_is(tmp_path: Path, jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao("search", "x", "--library", tmp_path / "none")
    assert outcome.code == 1
    assert "jixiao ingest" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_not_there_is_1(tmp_path: Path, jixiao: Callable[..., Outcome], stand_in: StandIn) -> None:
    assert stand_in.dims == 576
    outcome = jixiao("ingest", tmp_path / "none.docx", "--library", tmp_path / "library")
    assert outcome.code == 1
    assert "none.docx" in outcome.err
    assert jixiao("inspect", tmp_path).code == 1


# ------------------------------------------------------------------------------------------------------------------ ingest


@pytest.mark.usefixtures("stand_in")
def test_ingest_takes_in_passes_over_and_replaces(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    words = ["ingest", reports, "--library", tmp_path / "library", "--json"]
    first = jixiao(*words)
    assert first.code == 0
    assert set(first.json) == {"added", "updated", "unchanged", "failed", "reports", "passages", "seconds"}
    assert [first.json[key] for key in ("added", "updated", "unchanged", "failed", "reports")] == [2, 0, 0, [], 2]
    assert [jixiao(*words).json[key] for key in ("added", "updated", "unchanged")] == [0, 0, 2]
    write_report(reports, "青禾县教育局", 2023, ["绩效指标没有量化，难以考核。"])
    again = jixiao(*words).json
    assert [again[key] for key in ("added", "updated", "unchanged", "reports")] == [0, 1, 1, 2]


@pytest.mark.usefixtures("stand_in")
def test_one_bad_file_among_good_ones_is_3_and_named(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    (reports / "坏的.docx").write_bytes(b"PK\x03\x04 cut off")
    outcome = jixiao("ingest", reports, "--library", tmp_path / "library", "--json")
    assert outcome.code == 3
    assert outcome.json["added"] == 2
    assert [Path(item["path"]).name for item in outcome.json["failed"]] == ["坏的.docx"]
    spoken = jixiao("ingest", reports, "--library", tmp_path / "library")
    assert spoken.code == 3
    assert "坏的.docx" in spoken.err
    assert "未变 2" in spoken.out


@pytest.mark.usefixtures("stand_in")
def test_nothing_but_bad_files_is_1(tmp_path: Path, jixiao: Callable[..., Outcome]) -> None:
    bad = tmp_path / "坏的.pdf"
    bad.write_bytes(b"%PDF-1.7 cut off")
    outcome = jixiao("ingest", bad, "--library", tmp_path / "library", "--json")
    assert (outcome.code, outcome.json["added"], len(outcome.json["failed"])) == (1, 0, 1)


@pytest.mark.usefixtures("stand_in")
def test_what_a_person_says_goes_before_what_the_file_says(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    said = [
        "--department",
        "望川市财政局",
        "--year",
        "2021",
        "--region",
        "云川省望川市",
        "--level",
        "市",
        "--kind",
        "项目支出",
    ]
    library = tmp_path / "library"
    jixiao("ingest", min(reports.iterdir()), *said, "--library", library)
    card = jixiao("library", "info", "--library", library, "--json").json["list"][0]
    assert [card[key] for key in ("department", "year", "level", "kind")] == ["望川市财政局", 2021, "市", "项目支出"]
    assert card["region"] == {"province": "云川省", "city": "望川市", "county": None}


@pytest.mark.usefixtures("stand_in")
def test_the_table_beside_a_file_speaks_for_it(tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]) -> None:
    name = min(reports.iterdir()).name
    (reports / "meta.csv").write_text(f"文件,部门,年度\n{name},青禾县体育局,2020\n", "gb18030")
    assert jixiao("ingest", reports, "--library", tmp_path / "library").code == 0
    cards = jixiao("library", "info", "--library", tmp_path / "library", "--json").json["list"]
    assert sorted((card["department"], card["year"]) for card in cards) == [
        ("青禾县体育局", 2020),
        ("青禾县水利局", 2024),
    ]
    (reports / "meta.csv").write_text("部门,年度\n青禾县体育局,2020\n", "utf-8")
    outcome = jixiao("ingest", reports, "--library", tmp_path / "library")
    assert outcome.code == 1
    assert "meta.csv" in outcome.err


@pytest.mark.usefixtures("stand_in")
def test_an_archive_is_read(tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]) -> None:
    with zipfile.ZipFile(tmp_path / "往年.zip", "w") as archive:
        for file in reports.iterdir():
            archive.write(file, file.name)
    assert jixiao("ingest", tmp_path / "往年.zip", "--library", tmp_path / "library", "--json").json["added"] == 2


@pytest.mark.usefixtures("stand_in")
def test_the_table_in_an_archive_speaks_for_the_files_beside_it(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    path, library = tmp_path / "往年.zip", tmp_path / "library"
    first, second = sorted(reports.iterdir())
    table = f"文件,部门,年度\n{first.name},青禾县体育局,2020\n{second.name},青禾县档案馆,2019\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(first, f"往年/{first.name}")
        archive.write(second, second.name)  # the table is not beside this one
        archive.writestr("往年/meta.csv", table.encode("gb18030"))
    assert jixiao("ingest", path, "--library", library, "--year", "2018").code == 0
    cards = jixiao("library", "info", "--library", library, "--json").json["list"]
    assert sorted((card["department"], card["year"]) for card in cards) == [
        ("青禾县体育局", 2020),
        ("青禾县水利局", 2018),
    ]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("meta.csv", "部门\n青禾县体育局\n")
    outcome = jixiao("ingest", path, "--library", library)
    assert outcome.code == 3
    assert "meta.csv 应有“文件”一列" in outcome.err + outcome.out


# ------------------------------------------------------------------------------------------------------------ inspect, tag


@pytest.mark.usefixtures("demo")
def test_inspect_says_what_a_file_holds(jixiao: Callable[..., Outcome]) -> None:
    file = next(REPORTS.rglob("2022年度部门整体支出绩效自评报告.docx"))
    seen = jixiao("inspect", file, "--json").json
    assert {"report", "sections", "passages", "links", "warnings"} <= set(seen)
    assert set(seen["report"]) >= REPORT
    assert [seen["report"][key] for key in ("department", "year", "level")] == ["棠溪县教育局", 2022, "县"]
    assert set(seen["report"]["source"]) == {"path", "sha256", "format", "pages"}
    assert set(seen["sections"][0]) >= {"number", "heading", "level", "start", "end"}
    for passage in seen["passages"]:
        assert set(passage) >= PASSAGE
        assert seen["report"]["text"][passage["start"] : passage["end"]] == passage["text"]
    ids = {passage["id"] for passage in seen["passages"]}
    assert seen["links"]
    assert {link[end] for link in seen["links"] for end in ("problem", "measure")} <= ids
    spoken = jixiao("inspect", file).out
    assert "棠溪县教育局" in spoken
    assert "七、存在的问题及原因分析" in spoken


SENTENCES = ("绩效目标笼统，缺少量化指标，难以考核。", "未履行政府采购程序，直接指定供应商。")


@pytest.mark.usefixtures("demo")
def test_tag_reads_words_lines_and_json_lines(jixiao: Callable[..., Outcome]) -> None:
    by_words = jixiao("tag", *SENTENCES)
    assert by_words.code == 0
    first = by_words.lines[0]
    assert set(first) == {"id", "text", "role", "primary", "unsure", "topics", "evidence"}
    assert [line["primary"] for line in by_words.lines] == ["indicators", "internal_control"]
    assert [line["role"]["label"] for line in by_words.lines] == ["problem", "problem"]
    assert set(first["topics"][0]) == {"label", "subtopic", "subtopic_name", "score"}
    assert first["unsure"] is False
    assert first["evidence"]
    assert all(item["text"] in SENTENCES[0] for item in first["evidence"])

    by_lines = jixiao("tag", stdin=f"{SENTENCES[0]}\n\n{SENTENCES[1]}\n").lines
    assert [line["text"] for line in by_lines] == list(SENTENCES)
    assert [line["primary"] for line in by_lines] == ["indicators", "internal_control"]

    stdin = "".join(json.dumps({"id": f"r{i}", "text": text}) + "\n" for i, text in enumerate(SENTENCES))
    assert jixiao("tag", stdin=SENTENCES[0], encoding="gb18030").lines[0]["text"] == SENTENCES[0]
    by_json = jixiao("tag", "--json", stdin=stdin).lines
    assert [(line["id"], line["primary"]) for line in by_json] == [("r0", "indicators"), ("r1", "internal_control")]


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("line", ['{"id": 1}', '{"text": "断了', '{"text": null}'])
def test_tag_names_the_line_that_it_cannot_read(line: str, jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao("tag", stdin=f'{{"text": "好的"}}\n{line}\n')
    assert (outcome.code, outcome.out) == (1, "")
    assert "第 2 行" in outcome.err


# -------------------------------------------------------------------------------------------------------- search and counts


def test_search_gives_hits_with_their_origin(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    outcome = jixiao("search", "资金结余没有上交", "--role", "问题", "--top", "3", "--library", demo.path, "--json")
    assert outcome.code == 0
    found = outcome.json
    assert set(found) >= SEARCH
    assert set(found["facets"]) == {"role", "topic", "year", "department"}
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    for hit in found["hits"]:
        assert set(hit) >= HIT
        assert set(hit["passage"]) >= PASSAGE
        assert set(hit["report"]) >= REPORT
        assert set(hit["why"]) == {"lexical", "semantic"}
        assert hit["passage"]["role"]["label"] == "problem"
        assert all(0 <= a < b <= len(hit["passage"]["text"]) for a, b in hit["highlights"])
    assert found["hits"][0]["passage"]["primary"] == "budget_execution"
    spoken = jixiao("search", "资金结余没有上交", "--top", "1", "--library", demo.path)
    assert "编号" in spoken.out


@pytest.mark.parametrize(
    ("said", "years"), [("2023", {2023}), ("2022..2023", {2022, 2023}), ("2024..2023", {2023, 2024})]
)
def test_years_are_one_or_a_span(said: str, years: set[int], demo: Library, jixiao: Callable[..., Outcome]) -> None:
    words = ["search", "预算执行进度慢", "--top", "100", "--library", demo.path, "--json"]
    everything = jixiao(*words).json["hits"]
    within = jixiao(*words, "--year", said).json["hits"]
    assert {hit["passage"]["year"] for hit in everything} > years
    assert {hit["passage"]["year"] for hit in within} == years


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["--department", "教育局"], lambda hit: "教育局" in hit["passage"]["department"]),
        (["--topic", "indicators"], lambda hit: "indicators" in [topic["label"] for topic in hit["passage"]["topics"]]),
        (["--role", "措施"], lambda hit: hit["passage"]["role"]["label"] == "measure"),
        (["--region", "澜东省"], lambda hit: hit["report"]["region"]["province"] == "澜东省"),
        (["--level", "市"], lambda hit: hit["report"]["level"] == "市"),
        (["--kind", "项目支出"], lambda hit: hit["report"]["kind"] == "项目支出"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_filter_lets_through_only_what_it_says(
    words: list[str], holds: Callable[[Any], bool], demo: Library, jixiao: Callable[..., Outcome]
) -> None:
    call = ["search", "绩效指标设置和预算执行", "--top", "50", "--library", demo.path, "--json"]
    hits = jixiao(*call, *words).json["hits"]
    assert hits
    assert all(holds(hit) for hit in hits)
    assert not all(holds(hit) for hit in jixiao(*call).json["hits"])


def test_similar_finds_the_same_problem_of_another_year(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    words = ["--library", demo.path, "--json"]
    told = jixiao("search", "计财股一家填写绩效目标", "--department", "棠溪县教育局", "--year", "2023", *words).json
    own = told["hits"][0]["passage"]
    found = jixiao("similar", own["id"], "--top", "3", *words).json
    assert set(found) >= SEARCH
    assert own["id"] not in [hit["passage"]["id"] for hit in found["hits"]]
    # The corpus says that the finding comes back word for word a year later.
    best = found["hits"][0]["passage"]
    assert (best["year"], best["department"], best["text"][-20:]) == (2024, "棠溪县教育局", own["text"][-20:])


def test_what_is_sound_in_an_archive_is_told_beside_what_is_not(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    packed = tmp_path / "年报.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("空.txt", "")
        for path in sorted(reports.iterdir()):
            archive.write(path, path.name)
    checked = jixiao("check", packed, "--json")
    assert (checked.code, len(checked.json["files"]), len(checked.json["failed"])) == (3, 2, 1)
    assert checked.json["failed"][0]["path"] == f"{packed}/空.txt"
    seen = jixiao("inspect", packed, "--json")
    assert (seen.code, len(seen.json["files"])) == (3, 2)
    assert "空.txt" in seen.err


def test_what_cannot_be_written_is_told(tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]) -> None:
    missing = tmp_path / "无此文件夹"
    for words in (
        ("library", "export", missing / "a.jsonl"),
        ("stats", "--chart", missing / "a.png"),
        ("report", missing / "a.docx"),
    ):
        outcome = jixiao(*words, "--library", demo.path)
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1].startswith("错误：写不进文件")


def test_check_quotes_what_does_not_add_up(tmp_path: Path, jixiao: Callable[..., Outcome]) -> None:
    wrong = tmp_path / "青禾县水务局2024年度整体支出绩效自评报告.txt"
    wrong.write_text("一、预算执行\n全年预算200万元，实际支出150万元，预算执行率85.00%。", "utf-8")
    (tmp_path / "坏.docx").write_bytes(b"PK\x03\x04 broken")
    outcome = jixiao("check", tmp_path, "--json")
    assert outcome.code == 3
    assert "坏.docx" in outcome.err
    (file,) = outcome.json["files"]
    (found,) = file["discrepancies"]
    assert {key: found[key] for key in ("kind", "expected", "found")} == {
        "kind": "rate",
        "expected": "75.00%",
        "found": "85.00%",
    }
    assert all(quote["text"] in wrong.read_text("utf-8") for quote in found["quotes"])
    assert "1 处数字对不上" in jixiao("check", wrong).out
    assert jixiao("check", tmp_path / "无").code == 1


def test_stats_of_nothing_say_which_filter_was_too_narrow(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    words = ["stats", "--region", "棠溪县", "--year", "1999", "--library", demo.path]
    assert "没有条目同时符合这些筛选条件：不限年度有" in jixiao(*words).out
    assert "不限年度有" in jixiao(*words, "--json").json["note"]
    joined = jixiao("stats", "--region", "云屏省霁阳市棠溪县", "--library", demo.path, "--json").json
    assert joined["total"] > 0
    assert joined["note"] == ""


def test_stats_count_by_two_dimensions(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    table = jixiao("stats", "--by", "topic,year", "--unit", "report", "--library", demo.path, "--json").json
    assert [table["by"], table["unit"]] == [["topic", "year"], "report"]
    keys = {"topic", "topic_name", "year", "count", "reports", "share", "low", "high", "rank", "change", "corrected"}
    assert all(set(row) == keys for row in table["rows"])
    assert {row["topic_name"] for row in table["rows"]} >= {"预算编制", "预算执行", "绩效指标", "内部控制", "结果应用"}
    assert all(row["low"] <= row["share"] <= row["high"] for row in table["rows"])
    single = jixiao("stats", "--library", demo.path, "--json").json
    assert sum(row["count"] for row in single["rows"]) == sum(row["count"] for row in table["rows"]) == single["total"]


def test_stats_write_their_files_and_say_so_on_stderr(
    tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]
) -> None:
    paths = [tmp_path / name for name in ("t.xlsx", "t.csv", "t.png")]
    files = ["--xlsx", paths[0], "--csv", paths[1], "--chart", paths[2]]
    outcome = jixiao("stats", *files, "--library", demo.path, "--json")
    assert outcome.code == 0
    assert [path.read_bytes()[:4] for path in paths] == [b"PK\x03\x04", b"\xef\xbb\xbf\xe4", b"\x89PNG"]
    assert all(path.name in outcome.err for path in paths)
    rows = paths[1].read_text("utf-8-sig").splitlines()
    assert len(rows) == 1 + len(outcome.json["rows"])


def test_stats_say_what_is_left_without_the_taggers_errors(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    where = ["--library", demo.path]
    rows = jixiao("stats", *where, "--json").json["rows"]
    for row in rows:
        fixed = row["corrected"]
        assert fixed["count_low"] <= fixed["count"] <= fixed["count_high"]
        assert fixed["low"] <= fixed["share"] <= fixed["high"]
        assert abs(fixed["count"] - row["count"]) < 0.25 * row["count"] + 5
    assert "修正 " in jixiao("stats", *where).out
    subtopics = jixiao("stats", "--by", "subtopic", *where, "--json").json["rows"]
    assert {row["corrected"] for row in subtopics} == {None}
    assert all(CHINESE.search(row["subtopic_name"]) for row in subtopics)
    findings = jixiao("stats", "--unit", "finding", *where, "--json").json
    assert findings["total"] <= sum(row["count"] for row in rows)


def test_stats_tell_the_sources_behind_their_counts(
    tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]
) -> None:
    path = tmp_path / "t.xlsx"
    found = jixiao("stats", "--department", "棠溪县教育局", "--xlsx", path, "--library", demo.path, "--json").json
    book = load_workbook(path)
    assert book.sheetnames == ["频次", "出处", "方法"]
    assert book["出处"].max_row - 1 == found["total"]


def test_recur_tells_what_came_back_and_what_was_copied(
    tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]
) -> None:
    path, where = tmp_path / "recur.xlsx", ["--department", "教育局", "--library", demo.path]
    found = jixiao("recur", "--xlsx", path, *where, "--json").json
    assert set(found) == {"compared", "returned", "recurring", "vanished", "copied", "shares"}
    assert found["compared"] >= found["returned"] > 0
    for chain in found["recurring"]:
        assert chain["years"] == sorted(set(chain["years"]))
        assert [problem["passage"]["year"] for problem in chain["problems"]] == chain["years"]
        assert {problem["passage"]["department"] for problem in chain["problems"]} == {chain["department"]}
        ids = {problem["passage"]["id"] for problem in chain["problems"]}
        assert {measure["answers"] for measure in chain["measures"]} <= ids
    assert all(0.5 < pair["likeness"] <= 1 for pair in found["copied"])
    assert load_workbook(path).sheetnames == ["屡次出现", "不再出现", "照抄段落", "照抄占比"]
    told = jixiao("recur", *where).out
    assert "屡次出现的问题" in told
    assert "当时的措施" in told


def test_a_summary_is_written_as_a_word_file(tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]) -> None:
    path = tmp_path / "汇总.docx"
    outcome = jixiao("report", path, "--region", "云屏省", "--library", demo.path)
    assert outcome.code == 0
    assert "汇总.docx" in outcome.err
    document = docx.Document(str(path))
    heads = [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Heading 1"]
    assert [head[0] for head in heads] == list("一二三四五六七")
    assert len(document.inline_shapes) == 4
    quoted = [p.text[1:-1] for p in document.paragraphs if p.text.startswith("“")]
    texts = [demo.report(card.id).text for card in demo.info().cards]
    assert len(quoted) >= 12
    assert all(any(quote in text for text in texts) for quote in quoted)
    assert jixiao("report", tmp_path / "a.pdf", "--library", demo.path).code == 1


def test_draft_quotes_with_sources(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    problem = "绩效评价结果没有和预算安排挂钩"
    found = jixiao("draft", problem, "--top", "3", "--library", demo.path, "--json").json
    assert set(found) == {"problem", "suggestions"}
    assert found["problem"] == problem
    assert len(found["suggestions"]) == 3
    for item in found["suggestions"]:
        assert set(item) == {"text", "wording", "score", "role", "topics", "sources", "answers"}
        assert item["role"] == "measure"
        source = item["sources"][0]
        assert set(source) == {"passage", "report", "section", "page"}
        assert item["text"] in demo.report(source["report"]["id"]).text
        assert bool(re.search("〔.+〕", item["wording"])) == (item["wording"] != item["text"])
    stated = jixiao("draft", problem, "--role", "problem", "--top", "2", "--library", demo.path, "--json").json
    assert [item["role"] for item in stated["suggestions"]] == ["problem", "problem"]


def test_draft_is_written_as_a_word_table(tmp_path: Path, demo: Library, jixiao: Callable[..., Outcome]) -> None:
    path = tmp_path / "a.docx"
    outcome = jixiao("draft", "资产账实不符", "--top", "2", "--docx", path, "--original", "--library", demo.path)
    assert outcome.code == 0
    assert path.read_bytes()[:2] == b"PK"
    assert "a.docx" in outcome.err
    assert "〔" not in outcome.out


def test_similar_elsewhere_says_what_differs(demo: Library, jixiao: Callable[..., Outcome]) -> None:
    where = ["--library", demo.path]
    own = jixiao("search", "绩效指标笼统", "--department", "棠溪县教育局", "--role", "问题", *where, "--json").json[
        "hits"
    ][0]
    key = own["passage"]["id"]
    found = jixiao("similar", key, "--among", "别的部门", *where, "--json").json
    assert found["target"]["passage"]["id"] == key
    assert all(hit["differs"]["department"][0] == "棠溪县教育局" for hit in found["hits"])
    assert "部门不同：棠溪县教育局 → " in jixiao("similar", key, "--among", "别的部门", *where).out
    wrong = jixiao("similar", key, "--among", "哪里", *where)
    assert wrong.code == 1
    assert "全部、别的部门、本部门别的年度" in wrong.err


# ---------------------------------------------------------------------------------------------------- library and models


@pytest.mark.usefixtures("stand_in")
def test_a_library_is_looked_at_checked_rebuilt_and_thinned(
    tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]
) -> None:
    where = ["--library", tmp_path / "library"]
    jixiao("ingest", reports, *where)
    info = jixiao("library", "info", *where, "--json").json
    assert {"path", "reports", "passages", "encoder", "list"} <= set(info)
    assert info["reports"] == 2
    assert jixiao("library", "verify", *where, "--json").json == {"problems": []}
    (tmp_path / "library" / "index" / "note.json").write_bytes(b"damaged")
    damaged = jixiao("library", "verify", *where)
    assert damaged.code == 1
    assert "rebuild" in damaged.out + damaged.err
    assert jixiao("library", "rebuild", *where).code == 0
    assert jixiao("library", "verify", *where).code == 0
    assert jixiao("library", "remove", info["list"][0]["id"], *where).code == 0
    left = jixiao("library", "info", *where, "--json").json["list"]
    assert [card["id"] for card in left] == [info["list"][1]["id"]]
    assert jixiao("library", "verify", *where).code == 0


def test_the_library_may_stand_in_the_environment(
    demo: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jixiao: Callable[..., Outcome]
) -> None:
    monkeypatch.setenv("JIXIAO_LIBRARY", str(demo.path))
    assert jixiao("library", "info", "--json").json["reports"] == demo.info().reports
    assert jixiao("library", "info", "--library", tmp_path).code == 1  # what is said goes first
    monkeypatch.delenv("JIXIAO_LIBRARY")
    monkeypatch.chdir(tmp_path)
    outcome = jixiao("library", "info")
    assert outcome.code == 1
    assert "library" in outcome.err


def test_models_are_listed_with_their_licences(jixiao: Callable[..., Outcome]) -> None:
    cards = jixiao("models", "list", "--json").json["encoders"]
    assert cards[0]["name"] == "m3e-small"
    assert "不得商用" in cards[0]["note"]
    assert {card["name"]: card["licence"] for card in cards}["bge-small-zh-v1.5"] == "MIT"
    assert "不得商用" in jixiao("models", "list").out
    assert jixiao("models", "verify").code == 0
    unknown = jixiao("models", "pull", "nope")
    assert unknown.code == 1
    assert "m3e-small" in unknown.err


def test_a_model_that_is_not_here_is_not_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jixiao: Callable[..., Outcome]
) -> None:
    monkeypatch.setenv("JIXIAO_MODELS", str(tmp_path))
    outcome = jixiao("models", "verify")
    assert outcome.code == 1
    assert "jixiao models pull m3e-small" in outcome.err
    assert "jixiao models pull" in jixiao("tag", "资金闲置").err


# ------------------------------------------------------------------------------------------------------- taxonomy, corpora


@pytest.fixture
def own_taxonomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of this test's own for the user's subtopics."""
    path = tmp_path / "kept" / "taxonomy.toml"
    monkeypatch.setenv("JIXIAO_TAXONOMY", str(path))
    taxonomy._subtopics.cache_clear()
    yield path
    taxonomy._subtopics.cache_clear()


OWN = """[[subtopic]]
topic = "budget_execution"
code = "frozen_account"
name = "账户被冻结"
definition = "因诉讼等账户被冻结，资金支不出去"
examples = ["基本户被冻结，工程款无法支付"]
neighbours = ["没有付款计划而拖欠 → late_payment"]
"""


@pytest.mark.usefixtures("own_taxonomy")
def test_the_taxonomy_is_shown_whole_or_by_topic(jixiao: Callable[..., Outcome]) -> None:
    whole = jixiao("taxonomy", "--json").json
    assert set(whole) == {"roles", "topics", "subtopics"}
    assert [entry["name"] for entry in whole["roles"]] == ["问题", "原因", "措施", "成效", "目标", "背景"]
    assert len(whole["topics"]) == 6
    assert set(whole["subtopics"][0]) == {"code", "name", "definition", "topic", "examples", "neighbours"}
    one = jixiao("taxonomy", "预算执行", "--json").json
    assert one == jixiao("taxonomy", "budget_execution", "--json").json
    assert [entry["code"] for entry in one["topics"]] == ["budget_execution"]
    assert one["subtopics"] == [entry for entry in whole["subtopics"] if entry["topic"] == "budget_execution"]
    spoken = jixiao("taxonomy").out
    assert [
        entry["name"] for entry in whole["subtopics"] if f"· {entry['name']}（{entry['code']}）" not in spoken
    ] == []
    assert "角色" not in jixiao("taxonomy", "预算执行").out
    unknown = jixiao("taxonomy", "天气")
    assert (unknown.code, unknown.out) == (1, "")
    assert "没有名为“天气”的主题" in unknown.err


def test_own_subtopics_are_kept_and_shown(tmp_path: Path, own_taxonomy: Path, jixiao: Callable[..., Outcome]) -> None:
    (tmp_path / "自拟.toml").write_text(OWN, "utf-8")
    outcome = jixiao("taxonomy", "预算执行", "--add", tmp_path / "自拟.toml", "--json")
    assert outcome.code == 0
    assert str(own_taxonomy) in outcome.err
    assert outcome.json["subtopics"][-1]["name"] == "账户被冻结"
    assert "例  基本户被冻结" in jixiao("taxonomy").out
    (tmp_path / "坏.toml").write_text(OWN.replace("frozen_account", "slow_spending"), "utf-8")
    twice = jixiao("taxonomy", "--add", tmp_path / "坏.toml")
    assert (twice.code, twice.out) == (1, "")
    assert "子主题代码重复：slow_spending" in twice.err
    assert own_taxonomy.read_text("utf-8") == OWN


def test_a_corpus_is_counted(tmp_path: Path, jixiao: Callable[..., Outcome]) -> None:
    write_lines(tmp_path / "语料" / "a.jsonl", small_samples())
    found = jixiao("corpora", tmp_path / "语料", "--json").json
    assert (found["passages"], found["groups"], found["agreement"]) == (216, 6, None)
    assert found["roles"] == dict.fromkeys(["problem", "cause", "measure", "achievement", "target", "background"], 36)
    assert found["topics"]["indicators"] == {"problem": 6, "cause": 6, "measure": 6}
    spoken = jixiao("corpora", tmp_path / "语料").out
    assert "216 条，6 个来源组" in spoken
    assert "主题  绩效指标  问题 6  原因 6  措施 6" in spoken
    nothing = jixiao("corpora", tmp_path)
    assert (nothing.code, nothing.out) == (1, "")
    assert ".jsonl" in nothing.err


# ---------------------------------------------------------------------------------------------------- evaluate and train


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SmallEncoder:
    """The stand-in with a small tagger of its own."""
    return use_small(monkeypatch, tmp_path / "models")


def test_evaluate_holds_the_project_against_its_floors(
    tmp_path: Path, small: SmallEncoder, monkeypatch: pytest.MonkeyPatch, jixiao: Callable[..., Outcome]
) -> None:
    assert small.dims == 32
    make_project(tmp_path)
    move_to(monkeypatch, tmp_path)
    without = jixiao("evaluate")
    assert (without.code, without.out) == (1, "")
    assert "jixiao evaluate --pin" in without.err
    assert jixiao("evaluate", "--pin", " ").code == 1
    pinned = jixiao("evaluate", "--pin", "初次确定", "--chart", tmp_path / "成绩.png")
    assert pinned.code == 0
    assert (tmp_path / "成绩.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "成绩-2.png").read_bytes()[:4] == b"\x89PNG"
    assert "标注语料（按来源组留出）的图已写入" in pinned.err
    assert "成绩-2.png" in pinned.err
    for said in (
        "标注语料（按来源组留出）：216 条",
        "成套报告（训练未用）：3 条",
        "角色  准确率 98.6%",
        "成绩不低于下限",
    ):
        assert said in pinned.out
    assert "1. 应为 目标，判为 成效" in pinned.out
    row = next(line.split() for line in pinned.out.splitlines() if line.split()[:1] == ["目标"])
    assert row[:7] == ["目标", "0", "0", "0", "3", "36", "0"]
    view = jixiao("evaluate", "--json")
    assert (view.code, view.json["floors"], len(view.json["sets"])) == (0, "ok", 2)
    for item in view.json["sets"]:
        assert {"name", "n", "role", "topic"} <= set(item)
        assert {"accuracy", "macro_f1", "per_class"} <= set(item["topic"])

    floors = tmp_path / "models" / "tagger" / "floors.json"
    content = json.loads(floors.read_text("utf-8"))
    content["floors"]["role_macro_f1"] = 0.999
    floors.write_text(json.dumps(content), "utf-8")
    below = jixiao("evaluate", "--json")
    assert (below.code, below.json["floors"]) == (1, "below")
    assert re.search(r"错误：成绩低于下限：role_macro_f1 为 0\.9\d+，低于下限 0\.9990。请查明原因", below.err)
    assert "成绩不低于下限" not in jixiao("evaluate").out
    content["corpus"] = "0" * 64
    floors.write_text(json.dumps(content), "utf-8")
    other = jixiao("evaluate")
    assert other.code == 0
    assert "标注语料与下限所依据的不同，未作比较" in other.err
    assert "成绩不低于下限" not in other.out


@pytest.mark.usefixtures("small")
def test_evaluate_scores_sets_of_ones_own(tmp_path: Path, jixiao: Callable[..., Outcome]) -> None:
    lines = write_lines(tmp_path / "甲.jsonl", new_samples())
    rows = [["正文", "上级标题", "角色", "主题", "子主题"]]
    rows += [[s.text, " > ".join(s.path), str(s.role), s.primary or "", s.subtopic or ""] for s in new_samples()]
    (tmp_path / "乙.csv").write_text("\n".join(",".join(row) for row in rows), "gb18030")
    outcome = jixiao("evaluate", "--set", lines, "--set", tmp_path / "乙.csv", "--json")
    assert outcome.code == 0
    first, second = outcome.json["sets"]
    assert (first.pop("name"), second.pop("name")) == ("甲.jsonl", "乙.csv")
    assert first == second
    assert (first["n"], first["role"]["accuracy"], first["topic"]["accuracy"]) == (6, 0.6667, 0.5)
    assert outcome.json["remarks"] == ["自备的标准答案没有成绩下限，未作比较"]
    spoken = jixiao("evaluate", "--set", lines)
    assert "成绩不低于下限" not in spoken.out
    assert "没有成绩下限" in spoken.err
    refused = jixiao("evaluate", "--set", lines, "--chart", tmp_path / "图.gif")
    assert refused.code == 1
    assert "图.gif" in refused.err
    missing = jixiao("evaluate", "--set", tmp_path / "没有.jsonl")
    assert (missing.code, missing.out) == (1, "")
    assert "没有.jsonl" in missing.err


@pytest.mark.usefixtures("small")
def test_review_goes_out_and_comes_back(tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]) -> None:
    where = ["--library", tmp_path / "library"]
    write_report(reports, "青禾县民政局", 2024, [FINDING])
    jixiao("ingest", reports, *where)
    path = tmp_path / "复核.xlsx"
    told = jixiao("review", "export", path, "--department", "民政", *where)
    assert told.code == 0
    assert f"jixiao review import {path}" in told.out
    few = jixiao("review", "export", path, "--count", "2", "--year", "2024", *where, "--json").json
    assert few == {"path": str(path), "passages": 2}
    asked = jixiao("review", "export", path, *where, "--json").json["passages"]
    book = load_workbook(path)
    sheet = book["复核"]
    assert sheet.max_row == asked + 1
    heads = [str(cell.value) for cell in sheet[1]]
    texts = [cell.value for cell in sheet[get_column_letter(heads.index("正文") + 1)]]
    row = texts.index(DECIDED.text) + 1
    for head, value in (("角色", "原因"), ("主题", "结果应用"), ("子主题", "评而不用")):
        sheet.cell(row, heads.index(head) + 1, value)
    book.save(path)
    assert jixiao("review", "import", path, *where, "--json").json == {"decisions": 1, "passages": 1}
    hits = jixiao("search", "支付进度", "--topic", "结果应用", "--role", "原因", *where, "--json").json["hits"]
    passage = hits[0]["passage"]
    assert (passage["text"], passage["role"]) == (DECIDED.text, {"label": "cause", "score": 1.0})
    assert passage["topics"][0]["subtopic_name"] == "评而不用"
    assert jixiao("library", "rebuild", *where).code == 0
    again = jixiao("review", "import", path, *where)
    assert again.out == "记入 1 条判断，库中 1 个条目据此改正\n"
    assert jixiao("library", "verify", *where).out == "库完好\n"


@pytest.mark.usefixtures("small")
def test_a_wrong_review_sheet_is_1_with_its_rows(tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]) -> None:
    where = ["--library", tmp_path / "library"]
    jixiao("ingest", reports, *where)
    path = tmp_path / "填错.csv"
    path.write_text("正文,角色,主题\n甲,成效,\n乙,毛病,\n丙,问题,天气\n", "utf-8")
    outcome = jixiao("review", "import", path, *where)
    assert (outcome.code, outcome.out) == (1, "")
    assert "填错.csv 有 2 行填得不对，一行也没有记入" in outcome.err
    assert re.findall(r"第 (\d) 行", outcome.err) == ["3", "4"]
    assert jixiao("review", "export", tmp_path / "复核.csv", *where).code == 1
    assert ".xlsx" in jixiao("review", "export", tmp_path / "复核.csv", *where).err
    assert jixiao("review", "export", path.with_suffix(".xlsx"), "--library", tmp_path / "无").code == 1
    assert jixiao("review", "import", tmp_path / "无.xlsx", *where).code == 1


@pytest.mark.usefixtures("small")
def test_train_counts_what_people_corrected(tmp_path: Path, reports: Path, jixiao: Callable[..., Outcome]) -> None:
    corpus, output, library = tmp_path / "语料", tmp_path / "模型", tmp_path / "library"
    write_lines(corpus / "a.jsonl", small_samples())
    jixiao("ingest", reports, "--library", library)
    path = tmp_path / "复核.csv"
    path.write_text("正文,角色,主题,部门,年度\n甲,成效,,青禾县教育局,2023\n乙,问题,其他,青禾县水利局,2024\n", "utf-8")
    assert jixiao("review", "import", path, "--library", library, "--json").json == {"decisions": 2, "passages": 0}
    words = ["train", "--corpus", corpus, "--output", output, "--with-corrections", "--library"]
    outcome = jixiao(*words, library, "--json")
    assert outcome.code == 0
    assert (outcome.json["folder"], outcome.json["corrections"]) == (str(output), 2)
    assert (outcome.json["cross_validation"]["n"], outcome.json["cross_validation"]["groups"]) == (218, 8)
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    assert manifest["corrections"] == 2
    assert manifest["cross_validation"] == outcome.json["cross_validation"]
    assert "标注条目 218 条" in outcome.err
    nowhere = jixiao(*words, tmp_path / "无")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert "不是报告库" in nowhere.err


# ----------------------------------------------------------------------------------------------- processes of their own


def test_json_alone_is_on_stdout(tmp_path: Path) -> None:
    file = next(REPORTS.rglob("2024年度绩效自评报告.txt"))
    outcome = command("ingest", file, "--library", tmp_path / "library", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["added"] == 1
    # Another encoder for a library that has one is refused.
    refused = command("ingest", file, "--library", tmp_path / "library", "--encoder", "bge-small-zh-v1.5", "--json")
    assert (refused.code, refused.out) == (1, "")
    assert "m3e-small" in refused.err


def test_the_installed_command_has_the_same_exit_codes(tmp_path: Path) -> None:
    assert command("--help").code == 0
    assert command("search").code == 2
    missing = command("library", "info", JIXIAO_LIBRARY=str(tmp_path))
    assert (missing.code, missing.out) == (1, "")
    assert "Traceback" not in missing.err


@pytest.mark.slow
def test_the_demo_does_the_main_job(tmp_path: Path) -> None:
    outcome = command("demo", "--output", tmp_path / "out")
    assert outcome.code == 0
    reports = len(list((ROOT / "corpora" / "gold").glob("*.json")))
    assert f"新增 {reports}，更新 0，未变 0，失败 0" in outcome.out
    assert [mark for mark in ("一、入库", "二、", "三、检索", "四、起草参考") if mark not in outcome.out] == []
    assert (tmp_path / "out" / "problems.png").read_bytes()[:4] == b"\x89PNG"
    info = command("library", "info", "--library", tmp_path / "out" / "demo-library", "--json")
    assert json.loads(info.out)["reports"] == reports
