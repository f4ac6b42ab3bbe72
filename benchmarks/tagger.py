"""Taggers side by side, by cross-validation over groups: what each part of ours is worth, and what others would do.

``python benchmarks/tagger.py`` writes ``benchmarks/tagger.json`` with machine, commit and versions, and prints a table. Every
row sees the same three folds of the labelled corpus; no group is on both sides of a fold. Intervals are 95 % by resampling
whole groups. The fine-tuned encoder takes an hour or more on two cores; ``--quick`` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from transformers import AutoModel, AutoTokenizer
from where import ROOT, where

from nlp.adapter import Adapter, default_adapter
from nlp.corpus import corpus_files, read_samples
from nlp.encoder import open_encoder
from nlp.tagger import ROLES, TOPICS, Sample, Vocabulary, core

RESULT = ROOT / "benchmarks" / "tagger.json"
FOLDS, ROUNDS = 3, 500
Floats = NDArray[np.float64]
# Given rows to learn from, rows to judge and labels, return logits for the latter.
Judge = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], Floats]


class Bench:
    """The corpus, its folds, and the features that the rows share."""

    def __init__(self) -> None:
        self.samples: list[Sample] = list(read_samples(corpus_files(ROOT / "corpora" / "labelled")))
        self.texts = [core(sample.text) for sample in self.samples]
        self.groups = np.array([sample.group for sample in self.samples])
        self.roles = np.array([ROLES.index(sample.role) for sample in self.samples if sample.role])
        self.topics = np.array([TOPICS.index(s.primary) if s.primary else -1 for s in self.samples])
        self.folds = list(GroupKFold(FOLDS, shuffle=True, random_state=0).split(self.texts, groups=self.groups))
        self.base = open_encoder(adapted=False)
        self.vectors = self.base.encode(self.texts)
        self.adapter = Adapter.load(default_adapter())
        self.view = self.adapter.logits(self.samples, open_encoder().encode(self.texts))

    def run(self, name: str, judge: Judge) -> dict[str, Any]:
        """Return accuracy and macro-F1 with intervals for role and topic, and the seconds that it took."""
        began = time.perf_counter()
        row: dict[str, Any] = {"name": name}
        for question, labels in (("role", self.roles), ("topic", self.topics)):
            found = np.full(len(labels), -1)
            for train, test in self.folds:
                known, asked = train[labels[train] >= 0], test[labels[test] >= 0]
                found[asked] = judge(known, asked, labels).argmax(axis=1)
            row[question] = self._score(found, labels)
        row["seconds"] = round(time.perf_counter() - began)
        print(
            f"{name:32}",
            *(f"{q} {row[q]['accuracy']:.3f} {row[q]['macro_f1']:.3f}" for q in ("role", "topic")),
            flush=True,
        )
        return row

    def _score(self, found: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
        asked = np.flatnonzero(labels >= 0)
        members: dict[str, list[int]] = {}
        for row in asked:
            members.setdefault(str(self.groups[row]), []).append(int(row))
        names, chance = list(members), np.random.default_rng(0)
        drawn = []
        for _ in range(ROUNDS):
            rows = np.concatenate([members[names[i]] for i in chance.integers(0, len(names), len(names))])
            drawn.append(f1_score(labels[rows], found[rows], average="macro"))
        low, high = np.quantile(drawn, (0.025, 0.975))
        return {
            "n": len(asked),
            "accuracy": round(float((found[asked] == labels[asked]).mean()), 4),
            "macro_f1": round(float(f1_score(labels[asked], found[asked], average="macro")), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
        }

    # ---------------------------------------------------------------------------------------------------------------- rows

    def majority(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """Always the commonest class."""
        return np.tile(np.bincount(labels[train], minlength=len(ROLES)).astype(np.float64), (len(test), 1))

    def words(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """TF-IDF of words, character pairs and headings, and a regression."""
        vocabulary = Vocabulary.fit([self.samples[i] for i in train])
        terms = vocabulary.terms([self.samples[i] for i in (*train, *test)])
        return _regression(15.0, terms[: len(train)], labels[train], terms[len(train) :])

    def embedding(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """The frozen embedding and a regression."""
        centre = self.vectors[train].mean(axis=0)
        return _regression(3.0, self.vectors[train] - centre, labels[train], self.vectors[test] - centre)

    def both(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """The sum of the two."""
        return self.words(train, test, labels) + 0.3 * self.embedding(train, test, labels)

    def adapted(self, _: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """The adapter's own heads, of copies that had not seen the group."""
        name = "role" if labels is self.roles else "primary"
        return self.view[name][test].astype(np.float64)

    def ours(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """Words, and the adapter's heads."""
        share = 0.6 if labels is self.roles else 1.2
        return self.words(train, test, labels) + share * self.adapted(train, test, labels)

    def contrastive(self, train: NDArray[np.int64], test: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """The whole encoder fine-tuned on pairs (same class or not), then a regression.

        Source:
            Tunstall et al., Efficient Few-Shot Learning Without Prompts (SetFit), 2022; here with pairs within a batch.
        """
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(self.base.folder, local_files_only=True)
        model: Any = AutoModel.from_pretrained(self.base.folder, local_files_only=True)
        model.embeddings.requires_grad_(requires_grad=False)

        def vectors(rows: list[int]) -> Any:
            tokens = tokenizer(
                [self.texts[i] for i in rows], padding=True, truncation=True, max_length=160, return_tensors="pt"
            )
            with torch.autocast("cpu", dtype=torch.bfloat16):
                states = model(**tokens).last_hidden_state.float()
            mask = tokens["attention_mask"][..., None]
            return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)

        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-5)
        order, chance = [int(row) for row in train], random.Random(0)  # noqa: S311 -- a shuffle, no secret
        model.train()
        for _ in range(2):
            chance.shuffle(order)
            # Of some hundred at a time those of like length go together, so that little is padded.
            heaps = [sorted(order[at : at + 512], key=lambda i: len(self.texts[i])) for at in range(0, len(order), 512)]
            batches = [heap[at : at + 32] for heap in heaps for at in range(0, len(heap), 32)]
            chance.shuffle(batches)
            for batch in batches:
                found = vectors(batch)
                classes = torch.from_numpy(labels[batch])
                alike = (classes[:, None] == classes[None, :]).float()
                loss = ((found @ found.T - alike) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        model.eval()
        with torch.inference_mode():
            parts = [[int(i) for i in rows[at : at + 64]] for rows in (train, test) for at in range(0, len(rows), 64)]
            every = np.concatenate([vectors(part).numpy() for part in parts])
        return _regression(1.0, every[: len(train)], labels[train], every[len(train) :])


def _regression(strength: float, known: Any, labels: NDArray[np.int64], asked: Any) -> Floats:
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, tol=1e-4).fit(known, labels)
    return np.asarray(model.decision_function(asked), dtype=np.float64)


def main() -> None:
    """Run the rows and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave the fine-tuned encoder out")
    quick: bool = parser.parse_args().quick
    bench = Bench()
    rows = [
        bench.run("majority", bench.majority),
        bench.run("words (TF-IDF) + linear", bench.words),
        bench.run("frozen embedding + linear", bench.embedding),
        bench.run("words + frozen embedding", bench.both),
        bench.run("adapter's heads", bench.adapted),
        bench.run("words + adapter's heads (ours)", bench.ours),
    ]
    if not quick:
        rows.append(bench.run("contrastive fine-tuning + linear", bench.contrastive))
    result = {
        **where("scikit-learn", "torch", "transformers"),
        "passages": len(bench.samples),
        "groups": len(set(bench.groups)),
        "folds": FOLDS,
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
