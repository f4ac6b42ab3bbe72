"""What several tests share: the real encoder, the demo library, and a stand-in for the encoder where speed matters more."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nlp.analyst import default_tagger
from nlp.encoder import Encoder, open_encoder
from nlp.library import Library
from nlp.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

REPORTS = Path(__file__).resolve().parents[1] / "corpora" / "reports"


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The default encoder with its real weights."""
    return open_encoder(None)


@pytest.fixture(scope="session")
def demo_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The reports of the demo, taken in with the real encoder. Only for reading: all tests share it."""
    with Library.open(tmp_path_factory.mktemp("demo") / "library") as library:
        result = library.ingest(REPORTS)
        assert (result.added, result.failed) == (67, ())
        yield library


class StandIn:
    """An encoder without weights: a text's vector counts its pairs of characters. Fits the tagger that comes along."""

    name = "stand-in"
    dims = 576
    kind_dims = 0
    kind_share = 0.0

    @property
    def fingerprint(self) -> str:
        return _taggers_encoder()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self.encode_query(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dims)

    def encode_query(self, text: str) -> NDArray[np.float32]:
        vector = np.full(self.dims, 1e-3, dtype=np.float32)
        for i in range(len(text)):
            vector[zlib.crc32(text[i : i + 2].encode()) % self.dims] += 1
        return vector / np.linalg.norm(vector)


@cache
def _taggers_encoder() -> str:
    return Tagger.load(default_tagger()).encoder


@cache
def _words_only() -> Tagger:
    """The project's tagger without its view of embeddings, which would be noise for those of the stand-in."""
    tagger = Tagger.load(default_tagger())
    for head in tagger.heads.values():
        head.vector = np.zeros_like(head.vector)
    if tagger.scope:
        tagger.scope = replace(tagger.scope, vector=np.zeros_like(tagger.scope.vector))
    return tagger


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Libraries opened in this test use the stand-in for their encoder."""
    encoder, tagger = StandIn(), _words_only()
    monkeypatch.setattr("nlp.analyst.open_encoder", lambda _: encoder)
    monkeypatch.setattr("nlp.analyst.Tagger.load", lambda _: tagger)
    return encoder


def report_text(department: str, year: int, findings: Sequence[str], measures: Sequence[str]) -> str:
    """A self-evaluation with these problems and measures, numbered as such reports are."""
    numbered = [[f"{i}、{text}" for i, text in enumerate(texts, 1)] or ["无。"] for texts in (findings, measures)]
    return "\n".join(
        [
            f"{department}{year}年度部门整体支出绩效自评报告",
            "一、基本情况",
            f"{department}内设机构3个，核定编制25名，{year}年全年预算1200万元，支出1100万元。",
            "二、存在的问题",
            *numbered[0],
            "三、改进措施",
            *numbered[1],
            department,
            f"{year + 1}年3月20日",
        ]
    )


def write_report(
    folder: Path, department: str, year: int, findings: Sequence[str], measures: Sequence[str] = ()
) -> Path:
    """The file of such a report."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{department}{year}年度绩效自评报告.txt"
    path.write_text(report_text(department, year, findings, measures), "utf-8")
    return path
