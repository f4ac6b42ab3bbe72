"""Figures and dates of a report that contradict each other; when in doubt, none.

Each check asks first whether any plausible reading makes the figures agree, and only then says that they do not. What is
said must be worth a reviewer's walk to the file: a sum that is off by rounding, a list that may leave something out, a
figure that may be about another year or another office is passed over.

=============  ========================================================================================================
``grids``      lines with TABs → tables; ``page``: a report → sentences with their figures, tables, and quotes
``rounding``   how far printed rounding puts figures off, and what a slip of the pen explains
``labels``     what budgets, expenditure, totals and rates are called
``lists``      parts that stand in a row in a sentence
``sums``       parts and totals of sentences; ``budgets``: with changes; ``columns``: of tables
``rates``      rates and their two amounts, in sentences and tables
``scores``     scores, their maxima and their sum; ``grades``: grade and score
``conflicts``  one fact with two values
``dates``      dates that cannot follow each other
=============  ========================================================================================================

A module imports only from those before it; each check takes a ``Page`` and yields discrepancies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from nlp.checks.budgets import budgets_and_changes
from nlp.checks.columns import sums_of_columns, sums_of_rows
from nlp.checks.conflicts import facts_told_twice
from nlp.checks.dates import orders_of_dates, signatures
from nlp.checks.grades import grades_beside_scores
from nlp.checks.page import Page, take_apart
from nlp.checks.rates import rates_of_sentences, rates_of_tables, shares_of_quarters
from nlp.checks.scores import scores_of_sentences, scores_of_tables
from nlp.checks.sums import lists_of_sentences, pairs_of_expenditure, totals_behind
from nlp.records import Discrepancy, Report

__all__ = ["check_report"]

# In this order: of two that object to the same figure at the same place, the first is told.
_CHECKS: tuple[Callable[[Page], Iterable[Discrepancy]], ...] = (
    lists_of_sentences,
    totals_behind,
    pairs_of_expenditure,
    budgets_and_changes,
    scores_of_sentences,
    rates_of_sentences,
    shares_of_quarters,
    rates_of_tables,
    sums_of_columns,
    sums_of_rows,
    scores_of_tables,
    grades_beside_scores,
    facts_told_twice,
    signatures,
    orders_of_dates,
)


def check_report(report: Report) -> tuple[Discrepancy, ...]:
    """Return the contradictions of a report in the order of their places; empty where nothing is surely wrong.

    Looked for are: parts and total in sentences and tables; a rate and the two amounts beside it; one fact with two values;
    grade and score; scores above their maximum, scores of items and their sum, full marks for a low rate of payment; shares
    and their parts; dates that cannot follow each other. Printed rounding is respected: n parts may be off by n + 1 halves
    of a last digit.
    """
    page = take_apart(report)
    found = [item for check in _CHECKS for item in check(page)]
    return tuple(_told_once(sorted(found, key=lambda item: min(start for _, _, start in item.quotes))))


def _told_once(found: Iterable[Discrepancy]) -> Iterator[Discrepancy]:
    """Yield each contradiction once: two that object to the same figure at the same place are one."""
    seen: set[tuple[int, str]] = set()
    for item in found:
        keys = {(start, item.found) for _, _, start in item.quotes}
        if not keys & seen:
            yield item
        seen |= keys
