"""Budgets with what was added to them or spent of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nlp.checks.labels import SPENT_NAME, names_budget
from nlp.checks.lists import TOTALS_BEFORE
from nlp.checks.page import Page, Sentence
from nlp.checks.rounding import is_slip, slack_of
from nlp.figures import MONEY, print_like
from nlp.records import Discrepancy, DiscrepancyKind

_INITIAL = re.compile(r"年初.{0,6}预算数?.{0,4}$|初始预算数?为?$")
_FULL = re.compile(
    r"(?:全年预算|调整后.{0,2}预算|全年预算数|预算调整数为|调整预算数)(?:数|总额|额)?(?:为|达|达到|共|共计|增至|是)?$"
)
_RAISED = re.compile(r"追加|调增|增加|新增|调整增加|净增")
_LOWERED = re.compile(r"调减|核减|压减|减少|收回|调整减少")
_AGAINST = re.compile(r"[比较](?:上|去|前|往)年|同比")
_CARRIED = re.compile(r"(?:上年|年初|历年|以前年度)(?:末)?(?:结转|结余)")
_ADJUSTED = re.compile(r"调整(?:数|额|资金)?(?:为)?$")
_LEFT = re.compile(r"^(?:年末|资金|形成)?(?:结余结转|结转结余|结余|剩余|结余资金|剩余资金|结转)(?:金额|资金)?(?:为)?$")


def budgets_and_changes(page: Page) -> Iterator[Discrepancy]:
    """Yield 全年预算 that is not 年初预算 with what was added, and 结余 that is not what 支出 leaves of 预算."""
    before: Sentence | None = None
    for sentence in page.sentences:
        near = before if before and before.paragraph == sentence.paragraph else None
        before = sentence
        if _CARRIED.search((near.text if near else "") + sentence.text):
            continue
        money = [place for place, figure in enumerate(sentence.figures) if figure.unit == MONEY]
        known = near.figures[-TOTALS_BEFORE:] if near else ()
        for run in (money[i : i + 3] for i in range(len(money) - 2)):
            figures = [sentence.figures[place] for place in run]
            first, change, last = figures
            sign, both_ways = _sign_of_change([sentence.clause(place) for place in run])
            if not sign or not all(figure.is_exact for figure in figures):
                continue
            wanted = first.value + sign * change.value
            slack = slack_of(figures)
            if wanted < 0 or abs(wanted - last.value) <= slack:
                continue
            beside = sentence.figures[max(0, run[0] - TOTALS_BEFORE) : run[-1] + TOTALS_BEFORE]
            others = [figure for figure in (*known, *beside) if figure.unit == MONEY and figure not in figures]
            if any(abs(abs(wanted - last.value) - other.value) <= slack for other in others):
                continue  # what was carried over, given back or is told apart from the rest
            if both_ways and abs(first.value - change.value - last.value) <= slack:
                continue
            told_and_meant = (
                (last.value, wanted),
                (first.value, last.value - sign * change.value),
                (change.value, abs(last.value - first.value)),
            )
            step = min(figure.step for figure in figures)
            if any(is_slip(told, meant, step) for told, meant in told_and_meant):
                operator = "＋" if sign > 0 else "－"
                exact = print_like(wanted, last)
                terms = f"{first.what}{first.text}{operator}{change.what}{change.text}"
                message = f"{terms}＝{exact}，报告写{last.what}{last.text}"
                span = sentence.clause_start(run[0]), last.end
                yield page.say(DiscrepancyKind.SUM, message, exact, last.text, span)


def _sign_of_change(clauses: Sequence[str]) -> tuple[int, bool]:
    """Return whether the second of three amounts is added (1) or taken off (-1), and whether it may be either.

    0 where the words before the amounts do not say that the first two make the third.
    """
    first, change, last = clauses
    if _AGAINST.search(change):
        return 0, False
    if _INITIAL.search(first) and _FULL.search(last):
        adjusted = _ADJUSTED.search(change) is not None
        if _LOWERED.search(change):
            return -1, adjusted
        return int(adjusted or _RAISED.search(change) is not None), adjusted
    is_spent = names_budget(first) and SPENT_NAME.search(change) and _LEFT.search(last)
    return (-1 if is_spent else 0), False
