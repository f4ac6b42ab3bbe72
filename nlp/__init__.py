"""Reads performance self-evaluation reports (绩效自评报告), tags the problems in them, searches and counts them.

>>> from nlp import Library
>>> Library.__module__
'nlp.library'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlp.library import Library

__all__ = ["Library"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # The façade brings numpy, faiss and scikit-learn: it is loaded when it is asked for.
    if name == "Library":
        from nlp.library import Library  # noqa: PLC0415

        return Library
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
