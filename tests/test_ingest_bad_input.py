"""A folder of files of which some are bad, through the real command: each bad one is named once, the others go in."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import docx
import pytest
from conftest import StandIn, report_text, write_report
from test_reader_pdf import locked

from nlp import cli
from nlp.library import Library
from nlp.reading import read_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from nlp.identity import Overrides
    from nlp.records import Report


def _zip(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return packed.getvalue()


def _docx(text: str) -> bytes:
    packed = io.BytesIO()
    document = docx.Document()
    document.add_paragraph(text)
    document.save(packed)
    return packed.getvalue()


def _entities() -> bytes:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "1234567890">]><x>&a;</x>'
    types = b'<Types><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    return _zip(("[Content_Types].xml", types), ("word/document.xml", bomb))


BAD = {
    "空.txt": b"",
    "乱码.pdf": random.Random(7).randbytes(4000),
    "截断.docx": _docx("预算执行率偏低")[:-400],
    "坏的.pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n",
    "旧的.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "实体.docx": _entities(),
    "加密.pdf": locked(b"secret"),
}


def _run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["jixiao", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    shown = capsys.readouterr()
    return int(left.value.code or 0), shown.out, shown.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "报告"
    write_report(home, "青禾县教育局", 2024, ["预算执行率偏低，资金年底才支付。"], ["加快支付进度。"])
    (home / "其实是Word.pdf").write_bytes(_docx("蒲川县水利局2023年度部门整体支出绩效自评报告"))
    (home / "年报.zip").write_bytes(
        _zip(("好的.txt", report_text("蒲川县民政局", 2023, ["资产闲置。"], []).encode()), ("../逃.txt", b"x"))
    )
    for name, data in BAD.items():
        (home / name).write_bytes(data)
    return home


def test_the_good_go_in_and_each_bad_one_is_named_once(
    stand_in: StandIn,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stand_in.dims == 576
    home = tmp_path / "库"
    code, out, _ = _run(capsys, monkeypatch, "ingest", str(folder), "--library", str(home), "--json")
    result = json.loads(out)
    assert code == 3
    assert (result["added"], result["reports"]) == (3, 3)
    named = [item["path"].rsplit("/", 1)[-1] for item in result["failed"]]
    assert sorted(named) == sorted([*BAD, "逃.txt"])
    for item in result["failed"]:
        assert "\n" not in item["error"]
        assert any("一" <= character <= "鿿" for character in item["error"]), item
    assert not (tmp_path / "逃.txt").exists()
    with Library.open(home, create=False) as library:
        assert library.verify() == ()

    code, out, err = _run(capsys, monkeypatch, "ingest", str(folder), "--library", str(home))
    assert code == 3
    assert "新增 0，更新 0，未变 3，失败 8" in out
    assert all(err.count(name) == 1 for name in BAD)


@pytest.mark.usefixtures("stand_in")
def test_a_ledger_with_formulas_is_text_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, home, table = tmp_path / "台账.csv", tmp_path / "库", tmp_path / "统计.csv"
    command = "=cmd|' /C calc'!A0"
    rows = [
        f'1,"{command}",2023,救助资金滞留在账户未发放。,"{command}"',
        "2,青禾县司法局,2023,=1+1支出超范围。,已退回财政。",
    ]
    ledger.write_text("\n".join(["序号,部门,年度,问题摘要,整改情况", *rows]), "utf-8")
    code, _, _ = _run(capsys, monkeypatch, "ingest", str(ledger), "--library", str(home))
    assert code == 0
    with Library.open(home, create=False) as library:
        (card,) = library.info().cards
        passages = [found.passage for found in library.passages_of(card.id)]
        assert [(p.department, p.text) for p in passages] == [
            (command, "救助资金滞留在账户未发放。"),
            (command, command),
            ("青禾县司法局", "=1+1支出超范围。"),
            ("青禾县司法局", "已退回财政。"),
        ]
    _run(capsys, monkeypatch, "stats", "--by", "department", "--library", str(home), "--csv", str(table))
    assert [line.split(",")[0] for line in table.read_text("utf-8-sig").splitlines()[1:]] == [
        f"'{command}",
        "青禾县司法局",
    ]


def test_only_bad_files_are_an_error(
    stand_in: StandIn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stand_in.dims == 576
    (tmp_path / "空.txt").touch()
    code, _, err = _run(capsys, monkeypatch, "ingest", str(tmp_path / "空.txt"), "--library", str(tmp_path / "库"))
    assert code == 1
    assert err.count("空.txt") == 1


def test_a_missing_path_is_an_error_and_makes_no_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = _run(capsys, monkeypatch, "ingest", str(tmp_path / "无"), "--library", str(tmp_path / "库"))
    assert (code, out) == (1, "")
    assert "没有这个文件或文件夹" in err
    assert not (tmp_path / "库").exists()


def test_three_hundred_megabytes_of_one_line_are_refused_at_once(
    stand_in: StandIn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stand_in.dims == 576
    path = tmp_path / "一行.txt"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    write_report(tmp_path, "青禾县教育局", 2024, ["指标笼统。"])
    code, out, _ = _run(capsys, monkeypatch, "ingest", str(tmp_path), "--library", str(tmp_path / "库"), "--json")
    result = json.loads(out)
    assert (code, result["added"]) == (3, 1)
    (failure,) = result["failed"]
    assert failure["path"].endswith("一行.txt")
    assert result["seconds"] < 30


def test_a_file_that_breaks_the_mending_stops_itself_only(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stand_in.dims == 576
    write_report(tmp_path / "甲", "青禾县教育局", 2024, ["指标笼统。"])
    write_report(tmp_path / "甲", "蒲川县水利局", 2024, ["资金闲置。"])

    def breaking(data: bytes, name: str, said: Overrides | None) -> Report:
        if "水利局" in name:
            raise RecursionError("太深")
        return read_report(data, name, said)

    monkeypatch.setattr("nlp.pipeline.read_report", breaking)
    with Library.open(tmp_path / "库") as library:
        result = library.ingest(tmp_path / "甲")
    assert result.added == 1
    (failure,) = result.failed
    assert "RecursionError" in failure.error
    assert "水利局" in failure.path


def test_a_text_that_the_encoder_breaks_on_stops_its_report_only(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts of several reports are encoded together."""
    encode = stand_in.encode

    def breaking(texts: Sequence[str]) -> NDArray[np.float32]:
        if any("乙" in text for text in texts):
            raise RecursionError("太深")
        return encode(texts)

    monkeypatch.setattr(stand_in, "encode", breaking)
    for name in "甲乙丙":
        write_report(tmp_path / "报告", f"青禾县{name}局", 2024, [f"{name}类项目支出进度偏慢。"])
    with Library.open(tmp_path / "库") as library:
        result = library.ingest(tmp_path / "报告")
        assert (result.added, [Path(failure.path).name[:4] for failure in result.failed]) == (2, ["青禾县乙"])
        assert "处理时出错（RecursionError: 太深），已跳过" in result.failed[0].error
        assert library.verify() == ()
