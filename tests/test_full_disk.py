"""A disk that is full, or a limit on the size of files, at each place that a library writes to."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from conftest import write_report

from nlp.errors import LibraryError
from nlp.library import Library

FULL = Path("/dev/full")  # what is written to it does not fit
pytestmark = pytest.mark.usefixtures("stand_in")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for body in ("教育局", "水利局", "民政局"):
        write_report(tmp_path / "报告", f"青禾县{body}", 2024, [f"{body}所属项目支出进度偏慢。", "固定资产台账不全。"])
    return tmp_path / "报告"


@pytest.fixture
def home(tmp_path: Path, reports: Path) -> Path:
    """A sound library with three reports, and one report more to take in."""
    with Library.open(tmp_path / "library") as library:
        library.ingest(reports)
    write_report(reports, "青禾县司法局", 2024, ["普法经费年底集中支付。" * 40, "调解补贴测算不准。"])
    return tmp_path / "library"


def assert_goes_on(home: Path, reports: Path) -> None:
    """Sound as it is but for the index, and complete once it is run again with room."""
    with Library.open(home) as library:
        assert library.verify() in {(), ("向量索引缺失、损坏或不是最新；请运行 jixiao library rebuild",)}
        assert library.search("支出进度偏慢").hits
        library.ingest(reports)
        assert (library.info().reports, library.verify()) == (4, ())
        assert "普法经费" in library.search("普法经费年底集中支付").hits[0].found.passage.text


def test_a_store_that_does_not_fit_is_told_and_nothing_is_lost(home: Path, reports: Path) -> None:
    with Library.open(home) as library:
        pages = library._store._db.execute("PRAGMA page_count").fetchone()[0]
        library._store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LibraryError, match=r"磁盘已满，报告库写不进去.*请腾出空间后再次运行同一命令"):
            library.ingest(reports)
        assert library.info().reports == 3
    assert_goes_on(home, reports)


@needs_full
@pytest.mark.parametrize(
    ("name", "begun"),
    [
        ("vectors-{mark}.f32", False),
        *(("keys-{mark}.i64", True), ("keys-{mark}.i64", False)),
        *(("cells-{mark}.faiss", True), ("note.json.tmp", True)),
    ],
)
def test_an_index_that_does_not_fit_is_told_and_nothing_is_lost(
    home: Path, reports: Path, name: str, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlp.index._MANY", 5 if name.startswith("cells") else 10**6)
    if not begun:  # all is written anew, and not behind what is there
        (home / "index" / "note.json").unlink()
    mark = uuid.UUID(int=0x5A5A5A5A << 96)
    place = home / "index" / name.format(mark=mark.hex[:8])
    place.symlink_to(FULL)
    with monkeypatch.context() as patch:
        patch.setattr(uuid, "uuid4", lambda: mark)
        with Library.open(home) as library, pytest.raises(LibraryError, match=r"向量索引写不进.*请检查磁盘空间"):
            library.ingest(reports)
    place.unlink(missing_ok=True)
    assert_goes_on(home, reports)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files")
@pytest.mark.parametrize("kilobytes", [0, 4, 16, 48, 96])
def test_a_limit_on_the_size_of_files_is_told_and_nothing_is_lost(home: Path, reports: Path, kilobytes: int) -> None:
    """The system refuses the write in the middle, wherever that is."""
    code = (
        "import resource, signal, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from conftest import StandIn\n"
        "from nlp import analyst as room\n"
        "from nlp.errors import LibraryError\n"
        "from nlp.library import Library\n"
        "from nlp.words import words_of\n"
        "words_of('支出进度')\n"
        "room.open_encoder = lambda _: StandIn()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]) << 10, -1))\n"
        "try:\n"
        "    with Library.open(sys.argv[2]) as library:\n"
        "        print(library.ingest(sys.argv[3]).failed)\n"
        "except LibraryError as error:\n"
        "    print('told:', error)\n"
    )
    given = [str(Path(__file__).parent), str(home), str(reports), str(kilobytes)]
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("told:") or kilobytes > 48, done.stdout
    assert_goes_on(home, reports)
