"""List labels that the tagger doubts: passages whose label is unlikely by what it said when it had not seen their group.

Run as ``python corpora/suspects.py`` after ``jixiao train``; it prints JSON Lines, the most suspect first. Found by confident
learning (cleanlab), for roles and for topics; each is a question to a person, not an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues

from nlp.analyst import default_tagger
from nlp.corpus import corpus_files, read_labelled
from nlp.tagger import ROLES, TOPICS, load_held_out

CORPUS = Path(__file__).resolve().parent / "labelled"


def main() -> None:
    """Print the suspects of both questions."""
    items = read_labelled(corpus_files(CORPUS))
    held = load_held_out(Path(sys.argv[1]) if len(sys.argv) > 1 else default_tagger())
    roles = np.array([ROLES.index(item.sample.role) for item in items if item.sample.role])
    topical = np.array([i for i, item in enumerate(items) if item.sample.primary])
    topics = np.array([TOPICS.index(items[i].sample.primary) for i in topical if items[i].sample.primary])
    questions = (
        ("role", np.arange(len(items)), roles, held.roles, ROLES),
        ("topic", topical, topics, held.topics[topical], TOPICS),
    )
    for question, rows, labels, chances, names in questions:
        shares = chances / chances.sum(axis=1, keepdims=True)
        for place in find_label_issues(labels, shares, return_indices_ranked_by="self_confidence"):
            item = items[rows[place]]
            print(
                json.dumps(
                    {
                        "id": item.id,
                        "question": question,
                        "label": names[labels[place]],
                        "tagger": names[int(chances[place].argmax())],
                        "score": round(float(chances[place].max()), 3),
                        "path": item.sample.path,
                        "text": item.sample.text,
                    },
                    ensure_ascii=False,
                )
            )


if __name__ == "__main__":
    main()
