"""Reference wording: of all that was found for a problem, the best that differ from each other. Nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nlp.records import Suggestion

# Two texts that share this much of their character pairs say the same in the same words.
_SAME = 0.6


def choose(candidates: Iterable[Suggestion], count: int) -> tuple[Suggestion, ...]:
    """Return the best suggestions, leaving out those that nearly repeat a better one."""
    chosen: list[Suggestion] = []
    kept: list[set[str]] = []
    for candidate in sorted(candidates, key=lambda item: (-item.score, item.found.row)):
        pairs = _pairs(candidate.found.passage.text)
        if all(_overlap(pairs, other) < _SAME for other in kept):
            chosen.append(candidate)
            kept.append(pairs)
        if len(chosen) == count:
            break
    return tuple(chosen)


def _pairs(text: str) -> set[str]:
    plain = re.sub(r"[\W\d]", "", text)
    return {plain[i : i + 2] for i in range(len(plain) - 1)}


def _overlap(first: set[str], second: set[str]) -> float:
    return len(first & second) / max(1, min(len(first), len(second)))
