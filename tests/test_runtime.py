"""A model under OpenVINO against the same model under torch, and what happens where it cannot be converted or kept."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from nlp import runtime as room
from nlp.adapter import apply_changes, unit
from nlp.encoder import FolderEncoder, open_encoder
from nlp.runtime import Engine, open_engine

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from nlp.adapter import Adapter

TEXTS = [
    "无。",
    "预算执行率偏低，部分项目资金年底才支付。",
    "绩效指标设置笼统，缺少量化标准，难以考核。" * 3,
    "固定资产账实不符，未定期盘点；" * 60,  # longer than the model reads at once
]
pytestmark = pytest.mark.encoder


@pytest.fixture(scope="module")
def encoder() -> FolderEncoder:
    return open_encoder()


@pytest.fixture(scope="module")
def by_torch(encoder: FolderEncoder) -> Engine:
    return room._under_torch(encoder.folder, encoder.adapter)


def cosines(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ij,ij->i", unit(some), unit(others)))


def open_in(encoder: FolderEncoder, home: Path) -> Engine:
    return open_engine(encoder.folder, encoder.adapter, encoder.fingerprint, home)


def test_the_converted_model_says_what_torch_says(encoder: FolderEncoder, by_torch: Engine) -> None:
    engine = encoder._engine
    windows, owners = engine.windows(TEXTS)
    assert (windows, owners.tolist()) == (by_torch.windows(TEXTS)[0], [0, 1, 2, 3, 3])
    assert max(len(window) for window in windows) == 512
    found, wanted = engine.run(windows), by_torch.run(windows)
    assert found.shape == wanted.shape == (5, 1024)
    for half in (slice(0, 512), slice(512, 1024)):
        assert cosines(found[:, half], wanted[:, half]).min() > 0.999


def test_torch_says_what_is_worked_out_by_hand(encoder: FolderEncoder, by_torch: Engine) -> None:
    model = AutoModel.from_pretrained(encoder.folder, local_files_only=True, add_pooling_layer=False).eval()
    assert encoder.adapter is not None
    apply_changes(model, encoder.adapter)
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder, local_files_only=True)
    windows, _ = by_torch.windows(TEXTS[:3])
    rows = by_torch.run(windows)
    for text, row in zip(TEXTS[:3], rows, strict=True):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
        mean = states.mean(axis=0)
        np.testing.assert_allclose(row, np.concatenate([mean / np.linalg.norm(mean), states[0]]), atol=2e-5)


def test_without_openvino_torch_does_it_and_says_so(
    encoder: FolderEncoder,
    by_torch: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with caplog.at_level(logging.WARNING):
        engine = open_in(encoder, tmp_path / "converted")
    assert "没有安装 openvino，改用 torch" in caplog.text
    assert not (tmp_path / "converted").exists()
    windows, _ = engine.windows(TEXTS)
    np.testing.assert_array_equal(engine.run(windows), by_torch.run(windows))


def test_where_nothing_can_be_kept_torch_does_it_and_says_so(
    encoder: FolderEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        engine = open_in(encoder, tmp_path / "file" / "converted")
    assert "改用 torch 编码" in caplog.text
    assert isinstance(engine.run, room._TorchModel)


def test_a_model_is_converted_once_and_again_when_damaged(
    encoder: FolderEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    convert = room._convert

    def counted(folder: Path, adapter: Adapter | None, core: object, kept: Path) -> dict[str, object]:
        made.append(kept)
        return convert(folder, adapter, core, kept)

    monkeypatch.setattr(room, "_convert", counted)
    first = open_in(encoder, tmp_path)
    (kept,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert kept.name.startswith(f"{encoder.fingerprint[:16]}-")
    note = json.loads((kept / "note.json").read_text("utf-8"))
    assert note["trials"][note["precision"]]["cosine"] >= 0.999
    assert note["trials"]["f32"]["cosine"] >= 0.99999
    assert "openvino_telemetry" in [name for name, module in sys.modules.items() if module is None]
    open_in(encoder, tmp_path)
    assert len(made) == 1
    weights = bytearray((kept / "model.bin").read_bytes())
    weights[1000] ^= 1
    (kept / "model.bin").write_bytes(weights)
    again = open_in(encoder, tmp_path)
    assert len(made) == 2
    windows, _ = first.windows(TEXTS)
    assert cosines(again.run(windows), first.run(windows)).min() > 0.9999


def test_the_models_used_least_lately_go(tmp_path: Path) -> None:
    for age, name in enumerate("甲乙丙丁戊己"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_700_000_000 - age, 1_700_000_000 - age))
    room._forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted("甲乙丙丁")


def test_a_second_process_loads_no_torch(encoder: FolderEncoder) -> None:
    encoder.load()
    code = (
        "import sys; from nlp.encoder import open_encoder; print(len(open_encoder().encode_query('执行率')), "
        "sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "576 []\n"
