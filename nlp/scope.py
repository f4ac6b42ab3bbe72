"""Whether what somebody types is about public money, projects and services at all, or about something else in life.

A linear judgement over the characters of a query and its embedding, learnt from texts of both kinds. It is kept with the
tagger, whose encoder it shares; nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.terms import Matrix, Terms


@dataclass(frozen=True, slots=True)
class Scope:
    """A trained judgement; see :func:`nlp.learning.fit_scope`.

    Attributes:
        terms: The characters and pairs of characters that it knows.
        words: Their weights, ``(n_terms,)``.
        vector: Weights of the embedding, ``(dims,)``.
        bias: What is added.
    """

    terms: Terms
    words: Matrix
    vector: Matrix
    bias: float

    def odds(self, text: str, vector: NDArray[np.float32]) -> float:
        """Return the log-odds that a text is inside, by its characters and its embedding."""
        return float((self.terms.weights([text]) @ self.words)[0] + vector @ self.vector + self.bias)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is to be saved beside the names of the terms."""
        return {
            "scope.idf": self.terms.idf.astype(np.float32),
            "scope.words": self.words,
            "scope.vector": self.vector,
            "scope.bias": np.array([self.bias]),
        }

    @classmethod
    def of(cls, names: Sequence[str], arrays: dict[str, NDArray[Any]]) -> Scope:
        """Return what was saved."""
        terms = Terms.of(scope_terms, names, arrays["scope.idf"].astype(np.float64))
        return cls(terms, arrays["scope.words"], arrays["scope.vector"], float(arrays["scope.bias"][0]))


def scope_terms(text: str) -> list[str]:
    """Return the characters and pairs of characters of a text.

    >>> scope_terms("闲置")
    ['闲', '置', '闲置']
    """
    return [*text, *(text[i : i + 2] for i in range(len(text) - 1))]
