"""The adapter: low-rank changes to the encoder's weights, learnt from the labelled corpus, for tags and for search alike.

An adapter is a folder of safetensors and JSON. Its changes are added to the weights when the encoder is loaded, so that
encoding costs what it did before. An adapted vector has two parts: what the passage says (the mean over its tokens, which
training keeps near to the plain encoder's) and what kind of thing it is (a short projection of the first token's state, from
which linear heads read the tags). The inner product of two such vectors weighs both. Beside them an adapter carries what copies of
itself that had not seen a passage's group said of it: from these the tagger is calibrated and scored honestly.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from nlp.errors import EncoderError
from nlp.records import Progress, Topic
from nlp.tagger import HEADS, ROLES, TOPICS, Sample, core
from nlp.terms import Matrix

_FILES = ("adapter.safetensors", "held_out.safetensors")
_FOLDS = 3
_SEED = 0
# Rank 48 at 1e-3 for 5 epochs was chosen on one split over groups of 8,398 labelled passages, after rank 16 and all weights at
# once (3 and 5 epochs, 1e-4 and 2e-4) on some 6,000; 4 epochs, since the corpus has grown, were not compared.
_RANK = 48
_EPOCHS = 4
_RATE = 1e-3
_HEAD_RATE = 2e-3
_BATCH = 32
_WARM = 0.1
_SMOOTH = 0.05
_DROP = 0.1
_TOKENS = 160
_SCALE = 12.0  # the kind has length 1; the heads see it this much longer
_KIND_DIMS = 64
_NEAR = 5.0  # weight of staying near to the plain encoder's vector
# The part of the kind in the inner product of two vectors: 0.2 to 0.5 found as much for 39 colloquial questions.
KIND_SHARE = 0.25
_PARTS = {"role": 1.0, "primary": 1.0, "present": 0.5, "subtopic": 0.5}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A trained adapter.

    Attributes:
        base: Fingerprint of the encoder that it changes.
        changes: For each weight by its name two matrices whose product is added to it, ``(rows, rank)`` and ``(rank, columns)``.
        projection: Weights ``(hidden, kind_dims)`` and bias from the first token's state to the kind.
        heads: For each head of the tagger weights ``(dims, n_classes)`` and bias over the adapted vectors.
        subtopics: Code and topic of each column of the head ``subtopic``.
        held_out: Logits of each head for the passages of its corpus by copies that had not seen their groups.
        keys: Which passages these are; see :func:`key_of`.
    """

    base: str
    changes: dict[str, tuple[Matrix, Matrix]]
    projection: tuple[Matrix, Matrix]
    heads: dict[str, tuple[Matrix, Matrix]]
    subtopics: tuple[tuple[str, Topic], ...]
    held_out: dict[str, Matrix]
    keys: NDArray[np.uint64]
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of the changes: vectors with and without them do not compare."""
        return str(self.manifest["files"][_FILES[0]])

    def save(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Write the adapter to a folder, with a manifest that holds the hashes of its files."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, NDArray[Any]] = {}
        for name, (left, right) in self.changes.items():
            arrays[f"{name}.left"], arrays[f"{name}.right"] = left.astype(np.float16), right.astype(np.float16)
        for name, (weights, bias) in {"kind": self.projection, **self.heads}.items():
            arrays[f"{name}.weights"], arrays[f"{name}.bias"] = weights, bias
        held = {name: logits.astype(np.float16) for name, logits in self.held_out.items()}
        contents: dict[str, dict[str, NDArray[Any]]] = {_FILES[0]: arrays, _FILES[1]: {**held, "keys": self.keys}}
        digests = {}
        for name, content in contents.items():
            data = safetensors.numpy.save(content)
            (folder / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).hexdigest()
        full = {**manifest, "base": self.base, "subtopics": self.subtopics, "files": digests}
        text = json.dumps(full, ensure_ascii=False, indent=2) + "\n"
        (folder / "manifest.json").write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Return the adapter in a folder.

        Raises:
            EncoderError: If a file is missing or is not the one of the manifest.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            arrays, held = (_checked(folder / name, manifest["files"][name]) for name in _FILES)
            names = sorted(key.removesuffix(".left") for key in arrays if key.endswith(".left"))
            return cls(
                base=manifest["base"],
                changes={n: (_wide(arrays[f"{n}.left"]), _wide(arrays[f"{n}.right"])) for n in names},
                projection=(arrays["kind.weights"], arrays["kind.bias"]),
                heads={name: (arrays[f"{name}.weights"], arrays[f"{name}.bias"]) for name in HEADS},
                subtopics=tuple((code, Topic(topic)) for code, topic in manifest["subtopics"]),
                held_out={name: _wide(held[name]) for name in HEADS},
                keys=held["keys"],
                manifest=manifest,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EncoderError(
                f"读不出适配器 {folder}：{error}；请重新取得该文件夹，或运行 jixiao train --adapter 重新训练"
            ) from error

    @property
    def kind_dims(self) -> int:
        """How many of a vector's last columns tell the kind."""
        return len(self.projection[1])

    def join(self, pooled: Matrix) -> Matrix:
        """Return vectors of length 1 from the mean over a text's tokens and the first token's state, side by side.

        Shapes:
            ``(n_texts, 2 * hidden)`` in, ``(n_texts, hidden + kind_dims)`` out.
        """
        content, first = np.split(pooled, 2, axis=1)
        weights, bias = self.projection
        parts = (np.sqrt(1 - KIND_SHARE) * unit(content), np.sqrt(KIND_SHARE) * unit(first @ weights + bias))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def logits(self, samples: Sequence[Sample], vectors: Matrix) -> dict[str, Matrix]:
        """Return the heads' logits for labelled samples: held-out ones where there are, else those of the heads themselves."""
        places = {int(key): row for row, key in enumerate(self.keys)}
        rows = np.array([places.get(key_of(sample), -1) for sample in samples])
        found = {}
        for name, (weights, bias) in self.heads.items():
            logits = vectors @ weights + bias
            logits[rows >= 0] = self.held_out[name][rows[rows >= 0]]
            found[name] = logits
        return found


def _checked(path: Path, expected: str) -> dict[str, NDArray[Any]]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != expected:
        raise ValueError(f"{path.name} 与清单的 SHA-256 不符")
    return safetensors.numpy.load(data)


def unit(rows: Matrix) -> Matrix:
    """Return rows stretched to length 1."""
    stretched: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return stretched


def _wide(array: NDArray[Any]) -> Matrix:
    return array.astype(np.float32)


def key_of(sample: Sample) -> int:
    """Return what a labelled passage is known by: a hash of its group and of what the encoder sees of it."""
    digest = hashlib.sha256(f"{sample.group}\n{core(sample.text)}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def default_adapter() -> Path:
    """Return the folder of the adapter that comes with the project: inside the package, or ``models/`` of a checkout."""
    packed = Path(str(files("nlp.data"))) / "adapter"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[1] / "models" / "adapter"


def apply_changes(model: Any, adapter: Adapter) -> None:
    """Add an adapter's changes to the weights of a transformer."""
    import torch  # noqa: PLC0415 -- loaded with the model

    with torch.no_grad():
        for name, (left, right) in adapter.changes.items():
            model.get_parameter(name).add_(torch.from_numpy(left @ right))


# -------------------------------------------------------------------------------------------------------------- training


def train_adapter(
    base: Path,
    fingerprint: str,
    samples: Sequence[Sample],
    questions: Sequence[Sample],
    plain: Matrix,
    progress: Callable[[Progress], None],
) -> Adapter:
    """Return an adapter trained on labelled samples, with held-out logits of copies trained without each third of the groups.

    The same samples, encoder and versions give the same adapter, bit for bit, on the same machine.

    Args:
        base: Folder of the encoder, a BERT whose vectors are means over tokens.
        fingerprint: The encoder's.
        samples: Labelled passages.
        questions: What people type, with the topic and subtopic that they mean; every copy learns from all of them.
        plain: The plain encoder's vectors of the samples and then of the questions, which the content stays near to.
        progress: Called after every step.
    """
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 -- a second, and only training needs it

    subtopics = tuple(sorted({(s.subtopic, s.primary) for s in samples if s.subtopic and s.primary}))
    targets = _Targets.of([*samples, *questions], plain, [code for code, _ in subtopics])
    asked = np.arange(len(samples), len(samples) + len(questions))
    groups = np.array([sample.group for sample in samples])
    folds = list(GroupKFold(_FOLDS, shuffle=True, random_state=_SEED).split(groups, groups=groups))
    total = sum(_steps(len(train) + len(asked)) for train, _ in folds) + _steps(len(samples) + len(asked))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(Progress(done, total))

    held = {name: np.zeros((len(samples), targets.width(name)), dtype=np.float32) for name in HEADS}
    for train, test in folds:
        trained = _Trained(base, targets)
        trained.fit(np.concatenate([train, asked]), step)
        for name, logits in trained.logits(test).items():
            held[name][test] = logits
    final = _Trained(base, targets)
    final.fit(np.arange(len(samples) + len(asked)), step)
    keys = np.array([key_of(sample) for sample in samples], dtype=np.uint64)
    return Adapter(fingerprint, final.changes(), final.projection(), final.heads(), subtopics, held, keys)


def _steps(samples: int) -> int:
    return _EPOCHS * -(-samples // _BATCH)


@dataclass(frozen=True, slots=True)
class _Targets:
    """Texts and labels as the heads see them; -1 where there is none."""

    texts: tuple[str, ...]
    role: NDArray[np.int64]
    primary: NDArray[np.int64]
    subtopic: NDArray[np.int64]
    present: Matrix
    plain: Matrix
    n_subtopics: int

    @classmethod
    def of(cls, samples: Sequence[Sample], plain: Matrix, codes: Sequence[str]) -> _Targets:
        return cls(
            tuple(core(sample.text) for sample in samples),
            np.array([ROLES.index(s.role) if s.role else -1 for s in samples]),
            np.array([TOPICS.index(s.primary) if s.primary else -1 for s in samples]),
            np.array([codes.index(s.subtopic) if s.subtopic else -1 for s in samples]),
            np.array([[float(t is s.primary or t in s.secondary) for t in TOPICS] for s in samples], dtype=np.float32),
            plain,
            len(codes),
        )

    def width(self, head: str) -> int:
        return {"role": len(ROLES), "primary": len(TOPICS), "present": len(TOPICS), "subtopic": self.n_subtopics}[head]


class _Trained:
    """One copy of the encoder with an adapter in training."""

    def __init__(self, base: Path, targets: _Targets) -> None:
        import torch  # noqa: PLC0415 -- takes seconds, and only training and encoding need it
        from torch.nn.utils import parametrize  # noqa: PLC0415
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

        torch.manual_seed(_SEED)
        self._torch = torch
        self._targets = targets
        self._tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        self._model = AutoModel.from_pretrained(
            base, local_files_only=True, use_safetensors=True, add_pooling_layer=False
        )
        self._model.requires_grad_(requires_grad=False)
        self._low: dict[str, Any] = {}
        for name, module in list(self._model.encoder.named_modules()):
            if isinstance(module, torch.nn.Linear):
                low = _low_rank(*module.weight.shape)
                parametrize.register_parametrization(module, "weight", low)
                self._low[f"encoder.{name}.weight"] = low
        self._kind: Any = torch.nn.Linear(self._model.config.hidden_size, _KIND_DIMS)
        self._heads: Any = torch.nn.ModuleDict({n: torch.nn.Linear(_KIND_DIMS, targets.width(n)) for n in HEADS})
        self._bf16 = bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 -- torch has no public name for it

    def fit(self, rows: NDArray[np.int64], step: Callable[[], None]) -> None:
        """Train on the samples of some rows."""
        torch, targets = self._torch, self._targets
        low = [parameter for module in self._low.values() for parameter in module.parameters()]
        upper = [*self._kind.parameters(), *self._heads.parameters()]
        groups = [{"params": low, "lr": _RATE}, {"params": upper, "lr": _HEAD_RATE}]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        total = _steps(len(rows))
        warm = int(total * _WARM)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda n: n / warm if n < warm else (total - n) / (total - warm)
        )
        self._model.train()
        for batch in _batches(rows, [len(text) for text in targets.texts]):
            loss = self._loss(batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*low, *upper], 1.0)
            optimiser.step()
            schedule.step()
            step()

    def _loss(self, batch: list[int]) -> Any:
        torch, targets, functional = self._torch, self._targets, self._torch.nn.functional
        content, kinds = self._parts(batch)
        kinds = functional.dropout(kinds, _DROP) * _SCALE
        loss = _NEAR * (1 - (content * torch.from_numpy(targets.plain[batch])).sum(1)).mean()
        for name in ("role", "primary", "subtopic"):
            wanted = torch.from_numpy(getattr(targets, name)[batch])
            known = wanted >= 0
            if known.any():
                found = self._heads[name](kinds[known])
                loss = loss + _PARTS[name] * functional.cross_entropy(found, wanted[known], label_smoothing=_SMOOTH)
        topical = torch.from_numpy(targets.primary[batch] >= 0)
        if topical.any():
            present = torch.from_numpy(targets.present[batch])[topical]
            found = self._heads["present"](kinds[topical])
            loss = loss + _PARTS["present"] * functional.binary_cross_entropy_with_logits(found, present)
        return loss

    def _parts(self, batch: list[int]) -> Any:
        """Return content and kind of a batch, rows of length 1."""
        torch, functional = self._torch, self._torch.nn.functional
        texts = [self._targets.texts[row] for row in batch]
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        with torch.autocast("cpu", dtype=torch.bfloat16) if self._bf16 else nullcontext():
            states = self._model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None]
        return functional.normalize((states * mask).sum(1), dim=1), functional.normalize(
            self._kind(states[:, 0]), dim=1
        )

    def logits(self, rows: NDArray[np.int64]) -> dict[str, Matrix]:
        """Return the heads' logits for the samples of some rows, in their order."""
        torch = self._torch
        self._model.eval()
        order = sorted(range(len(rows)), key=lambda i: len(self._targets.texts[rows[i]]))
        found = {name: np.zeros((len(rows), self._targets.width(name)), dtype=np.float32) for name in HEADS}
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH * 2):
                places = order[start : start + _BATCH * 2]
                _, kinds = self._parts([int(rows[i]) for i in places])
                for name in HEADS:
                    found[name][places] = self._heads[name](kinds * _SCALE).numpy()
        return found

    def changes(self) -> dict[str, tuple[Matrix, Matrix]]:
        """Return the low-rank changes by the names of the weights."""
        return {name: (low.left.detach().numpy(), low.right.detach().numpy()) for name, low in self._low.items()}

    def projection(self) -> tuple[Matrix, Matrix]:
        """Return weights and bias from the first token's state to the kind."""
        return np.ascontiguousarray(self._kind.weight.detach().numpy().T), self._kind.bias.detach().numpy()

    def heads(self) -> dict[str, tuple[Matrix, Matrix]]:
        """Return weights and biases of the heads, for whole vectors of length 1: the content counts for nothing."""
        stretch = _SCALE / np.sqrt(KIND_SHARE)
        blank = self._targets.plain.shape[1]
        found = {}
        for name in HEADS:
            layer = self._heads[name]
            weights = np.pad(layer.weight.detach().numpy().T * stretch, ((blank, 0), (0, 0)))
            found[name] = (np.ascontiguousarray(weights, dtype=np.float32), layer.bias.detach().numpy())
        return found


def _low_rank(rows: int, columns: int) -> Any:
    """Return a parametrization that adds a product of two thin matrices to a weight; it begins with zero.

    Source:
        Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.
    """
    import torch  # noqa: PLC0415

    class LowRank(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = torch.nn.Parameter(torch.zeros(rows, _RANK))
            self.right = torch.nn.Parameter(torch.randn(_RANK, columns) / columns**0.5)

        def forward(self, weight: Any) -> Any:
            return weight + self.left @ self.right

    return LowRank()


def _batches(rows: NDArray[np.int64], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield batches of rows of like length, in random order, for all epochs."""
    chance = random.Random(_SEED)  # noqa: S311 -- a shuffle, no secret
    for _ in range(_EPOCHS):
        order = [int(row) for row in rows]
        chance.shuffle(order)
        batches = []
        for start in range(0, len(order), _BATCH * 16):
            near = sorted(order[start : start + _BATCH * 16], key=lambda row: lengths[row])
            batches += [near[at : at + _BATCH] for at in range(0, len(near), _BATCH)]
        chance.shuffle(batches)
        yield from batches
