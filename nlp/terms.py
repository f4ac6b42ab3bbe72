"""TF-IDF over terms of any kind, as scikit-learn weighs them, without scikit-learn where nothing is learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Matrix = NDArray[np.float32]

# That have a term; for the tagger 2 and 3 were equally good on 15,671 labelled passages, 3 and 4 on 19,204; 4 needs less room.
_LEAST_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """TF-IDF over one kind of terms.

    Attributes:
        cut: From a text to its terms.
        names: The terms that are known.
        idf: How much each of them tells, ``(n_terms,)``.
        places: Which column a term has.
    """

    cut: Callable[[str], list[str]]
    names: tuple[str, ...]
    idf: NDArray[np.float64]
    places: dict[str, int]

    @classmethod
    def of(cls, cut: Callable[[str], list[str]], names: Sequence[str], idf: NDArray[np.float64]) -> Terms:
        """Return terms with the columns that follow from their order."""
        return cls(cut, tuple(names), idf, {name: place for place, name in enumerate(names)})

    @classmethod
    def fit(cls, cut: Callable[[str], list[str]], texts: Sequence[str]) -> Terms:
        """Return the terms that at least four of the texts have.

        Raises:
            ValueError: If there is none.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 -- a second, and only training needs it

        fitted = TfidfVectorizer(analyzer=cut, min_df=_LEAST_SAMPLES).fit(texts)
        return cls.of(cut, [str(name) for name in fitted.get_feature_names_out()], fitted.idf_)

    def weights(self, texts: Sequence[str]) -> sparse.csr_array:
        """Return the weights of the terms of texts, ``(n, n_terms)``; each row has length 1 or is empty.

        Source:
            scikit-learn's ``TfidfVectorizer`` with ``sublinear_tf``.
        """
        rows: list[int] = [0]
        columns: list[int] = []
        data: list[NDArray[np.float64]] = []
        for text in texts:
            counts = Counter(self.places[term] for term in self.cut(text) if term in self.places)
            found = sorted(counts)
            weights = (1 + np.log([counts[place] for place in found])) * self.idf[found]
            data.append(weights / (np.linalg.norm(weights) or 1.0))
            columns += found
            rows.append(len(columns))
        shape = (len(texts), len(self.names))
        return sparse.csr_array((np.concatenate([np.zeros(0), *data]), columns, rows), shape=shape)
