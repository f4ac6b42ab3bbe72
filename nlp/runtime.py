"""The model of an encoder made ready to run: under OpenVINO, or under torch where OpenVINO is missing.

On first use the model, with the adapter's changes and the pooling inside, is converted, and tried in each precision that the
processor knows; what is faithful and quickest is kept in a folder. Later uses read that folder and import neither torch nor
sentence-transformers, which would take seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nlp.adapter import Adapter, apply_changes, unit
from nlp.errors import EncoderError

Matrix = NDArray[np.float32]
Ids = NDArray[np.int64]

_LOG = logging.getLogger(__name__)

# Tokens, padding included, that go through the model at once. Tried from 512 to 4,096 over 1,114 findings and measures of an
# audit table (58 tokens on average) with m3e-small in bf16 on 2 cores: 1,024 was the quickest, with two batches under way.
_BATCH_TOKENS = 1024
# Lengths are rounded up to this, so that the runtime meets few different shapes; without it 12 % slower.
_STEP = 8
_FAITHFUL = 0.999  # least cosine to torch in f32 that a precision must have
_PRECISIONS = {"BF16": "bf16", "FP16": "f16"}  # what a processor may know beside f32, by OpenVINO's name for it
_KEPT = 4  # converted models beside each other; the one used least lately goes
_NOTE = "note.json"
_FILES = ("model.xml", "model.bin", "tokenizer.json")
# What precisions are tried on: a few words to some lines.
_TRIAL = tuple(
    "截至年末，部分项目资金尚未支付，预算执行进度慢于序时进度；绩效指标设置较为笼统，个别指标难以量化考核，固定资产未定期盘点。"[
        :length
    ]
    * repeats
    for length, repeats in ((6, 1), (14, 1), (22, 1), (30, 1), (41, 1), (58, 1), (58, 2), (58, 4))
    for _ in range(4)
)


@dataclass(frozen=True, slots=True)
class Engine:
    """A model that is ready to run.

    Attributes:
        tokenizer: Cuts a text into windows that the model reads at once.
        run: Takes windows of tokens and returns a row for each. Of an adapted model a row is the mean over the tokens, of
            length 1, and the first token's state, side by side: what :meth:`nlp.adapter.Adapter.join` takes.
    """

    tokenizer: Tokenizer
    run: Callable[[Sequence[Sequence[int]]], Matrix]

    def windows(self, texts: Sequence[str]) -> tuple[list[list[int]], Ids]:
        """Return the windows of texts, and for each the text that it is of."""
        tokens: list[list[int]] = []
        owners: list[int] = []
        for owner, encoding in enumerate(self.tokenizer.encode_batch(texts)):
            for window in (encoding, *encoding.overflowing):
                tokens.append(window.ids)
                owners.append(owner)
        return tokens, np.array(owners, dtype=np.int64)


def open_engine(folder: Path, adapter: Adapter | None, fingerprint: str, home: Path) -> Engine:
    """Return the model in a folder, ready to run.

    Args:
        folder: A sentence-transformers folder.
        adapter: What changes its weights, if anything does.
        fingerprint: Of weights, settings and changes; what was converted is known by it.
        home: Folder that converted models are kept in.

    Raises:
        EncoderError: If the model cannot be loaded.
    """
    try:
        openvino = _openvino()
    except ImportError:
        _LOG.warning("没有安装 openvino，改用 torch 编码，速度约为几分之一；可运行 pip install openvino")
        return _under_torch(folder, adapter)
    core = openvino.Core()
    kept = home / f"{fingerprint[:16]}-{'-'.join(_precisions(core))}-{openvino.__version__.partition('-')[0]}"
    note = _read_note(kept)
    if note is None:
        try:
            home.mkdir(parents=True, exist_ok=True)
            with FileLock(home / ".lock"):
                note = _read_note(kept) or _convert(folder, adapter, core, kept)
        except OSError as error:
            _LOG.warning("不能在 %s 保存转换后的模型（%s），改用 torch 编码，速度约为几分之一", home, error)
            return _under_torch(folder, adapter)
    with suppress(OSError):  # a folder that others share may not be ours to touch
        os.utime(kept)
    tokenizer = Tokenizer.from_file(str(kept / "tokenizer.json"))
    return Engine(tokenizer, _Compiled(core, kept / "model.xml", note["precision"]))


def _openvino() -> Any:
    """Return OpenVINO, kept from sending home what is converted.

    Raises:
        ImportError: If it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # type: ignore[import-untyped]  # noqa: PLC0415 -- may be missing

    return openvino


def _read_note(kept: Path) -> dict[str, Any] | None:
    """Return what was noted of a converted model if all its files are those that were written, else ``None``."""
    try:
        note: dict[str, Any] = json.loads((kept / _NOTE).read_text("utf-8"))
        sound = all(_sha256(kept / name) == note["files"][name] for name in _FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if sound else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _precisions(core: Any) -> list[str]:
    """Return the precisions that the processor is quick in, f32 last."""
    known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [*(name for capability, name in _PRECISIONS.items() if capability in known), "f32"]


# ------------------------------------------------------------------------------------------------------------- converting


def _convert(folder: Path, adapter: Adapter | None, core: Any, kept: Path) -> dict[str, Any]:
    """Write the converted model beside its place and move it there in one step; return what was noted of it."""
    import torch  # noqa: PLC0415 -- takes seconds, and only converting needs it

    openvino = _openvino()
    _LOG.warning("正在为本机的处理器转换编码器（只做一次，约半分钟）……")
    model = _load(folder, adapter)
    plain = _TorchModel(_graph(model, adapter))
    ids = torch.ones((2, 16), dtype=torch.int64)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".convert-") as scratch:
        built = Path(scratch) / "built"
        built.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer wonders about branches on shapes
            given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            converted = openvino.convert_model(plain.graph, example_input=given)
        openvino.save_model(converted, built / "model.xml", compress_to_fp16=False)
        tokenizer = _tokenizer(model)
        tokenizer.save(str(built / "tokenizer.json"))
        precision, trials = _choose(core, built / "model.xml", Engine(tokenizer, plain))
        note = {"precision": precision, "trials": trials, "files": {name: _sha256(built / name) for name in _FILES}}
        (built / _NOTE).write_text(json.dumps(note, ensure_ascii=False, indent=2) + "\n", "utf-8")
        if kept.exists():
            kept.replace(Path(scratch) / "damaged")
        built.replace(kept)
    _forget(kept.parent)
    return note


def _choose(core: Any, model: Path, plain: Engine) -> tuple[str, dict[str, dict[str, float]]]:
    """Return the quickest precision that is faithful to torch in f32, and what each showed: least cosine, windows a second."""
    windows, _ = plain.windows(_TRIAL)
    wanted = unit(plain.run(windows))
    trials = {}
    for precision in _precisions(core):
        run = _Compiled(core, model, precision)
        cosine = float((unit(run(windows)) * wanted).sum(axis=1).min())
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            run(windows)
            seconds.append(time.perf_counter() - began)
        trials[precision] = {"cosine": round(cosine, 6), "windows_per_second": round(len(windows) / min(seconds), 1)}
    faithful = [precision for precision, trial in trials.items() if trial["cosine"] >= _FAITHFUL]
    return max(faithful or ["f32"], key=lambda precision: trials[precision]["windows_per_second"]), trials


def _forget(home: Path) -> None:
    """Remove the converted models that were used least lately."""
    folders = [path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for path in sorted(folders, key=lambda path: -path.stat().st_mtime)[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


# --------------------------------------------------------------------------------------------------------- under OpenVINO


class _Compiled:
    """A converted model, compiled for this processor; several batches are under way at once."""

    def __init__(self, core: Any, model: Path, precision: str) -> None:
        settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"}
        compiled = core.compile_model(model, "CPU", settings)
        self._width = int(compiled.output(0).get_partial_shape()[1].get_length())
        self._queue = _openvino().AsyncInferQueue(compiled)
        self._queue.set_callback(self._keep)
        self._found = np.empty((0, self._width), dtype=np.float32)

    def _keep(self, request: Any, rows: Ids) -> None:
        self._found[rows] = request.get_output_tensor(0).data

    def __call__(self, windows: Sequence[Sequence[int]]) -> Matrix:
        self._found = np.empty((len(windows), self._width), dtype=np.float32)
        for rows in _batches([len(window) for window in windows]):
            ids, mask = _padded([windows[row] for row in rows])
            self._queue.start_async({"input_ids": ids, "attention_mask": mask}, rows)
        self._queue.wait_all()
        return self._found


# ------------------------------------------------------------------------------------------------------------ under torch


class _TorchModel:
    """A model under torch."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def __call__(self, windows: Sequence[Sequence[int]]) -> Matrix:
        import torch  # noqa: PLC0415 -- loaded with the model

        parts: list[Matrix] = []
        places: list[Ids] = []
        with torch.inference_mode():
            for rows in _batches([len(window) for window in windows]):
                parts.append(self.graph(*map(torch.from_numpy, _padded([windows[row] for row in rows]))).numpy())
                places.append(rows)
        found = np.concatenate(parts)
        states: Matrix = np.empty_like(found)
        states[np.concatenate(places)] = found
        return states


def _under_torch(folder: Path, adapter: Adapter | None) -> Engine:
    model = _load(folder, adapter)
    return Engine(_tokenizer(model), _TorchModel(_graph(model, adapter)))


def _load(folder: Path, adapter: Adapter | None) -> Any:
    """Return the sentence-transformers model with the adapter's changes, loaded from files of this machine only."""
    # Read when the libraries are imported: nothing may call out, whatever a model's settings say, or draw a bar.
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(switch, "1")
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 -- takes seconds

    try:
        model = SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # safetensors, tokenizers and transformers each raise classes of their own
        raise EncoderError(
            f"不能载入编码器 {folder.name}（{folder}）：{error}。"
            "请运行 jixiao models verify 检查文件，或用 jixiao models pull 重新获取。"
        ) from error
    if adapter is not None:
        apply_changes(model[0].auto_model, adapter)
    return model.eval()


def _tokenizer(model: Any) -> Tokenizer:
    """Return a model's tokenizer, set to cut at the length that the model reads."""
    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_seq_length)
    return tokenizer


def _graph(model: Any, adapter: Adapter | None) -> Any:
    """Return a torch module from token numbers and mask to the rows that :class:`Engine` describes."""
    import torch  # noqa: PLC0415 -- loaded with the model

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            made = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
            if adapter is None:
                return made["sentence_embedding"]
            states = made["token_embeddings"]
            sums = (states * attention_mask.unsqueeze(-1).to(states.dtype)).sum(1)
            return torch.cat([torch.nn.functional.normalize(sums, dim=1), states[:, 0]], dim=1)

    return Graph().eval()


# ---------------------------------------------------------------------------------------------------------------- batches


def _batches(lengths: Sequence[int]) -> Iterator[Ids]:
    """Yield places of windows that go through the model together: of like length, about ``_BATCH_TOKENS`` with padding.

    >>> [batch.tolist() for batch in _batches([3, 500, 400, 1500])]
    [[3], [1, 2], [0]]
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // _rounded(lengths[order[start]]))
        yield order[start : start + size]
        start += size


def _rounded(length: int) -> int:
    return -(-length // _STEP) * _STEP


def _padded(windows: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    """Return token numbers and mask, 0 where there is padding: what stands there is masked out.

    >>> [part.shape for part in _padded([[5, 6, 7], [5]])]
    [(2, 8), (2, 8)]
    """
    ids = np.zeros((len(windows), _rounded(max(map(len, windows)))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
        mask[row, : len(window)] = 1
    return ids, mask
