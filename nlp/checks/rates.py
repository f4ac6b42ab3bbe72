"""Rates that the two amounts beside them do not give, in sentences and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from nlp.checks.grids import Cell, number_at, print_in, row_name, row_span
from nlp.checks.labels import RATE_HEAD, names_budget, names_spending
from nlp.checks.lists import TOTALS_BEFORE
from nlp.checks.page import Page, Sentence
from nlp.checks.rounding import is_rounded, is_slip
from nlp.figures import MONEY, SCORE, SHARE, Figure, print_like
from nlp.records import Discrepancy, DiscrepancyKind

_HIGHEST_RATE = 150  # above it the two amounts are not those that the rate is of
_RATE_NAME = re.compile(
    r"(?:预算)?(?:执行|支付|支出|拨付|到位|使用|结算|兑付|完成)(?:率|进度|比例)(?:仅|只有?|仅为|约?为|达到?|是|写作|：|只)*$"
    r"|完成(?:了)?(?:年初|全年|年度|调整)?预算的$"
)
_COUNT_RATE_NAME = re.compile(r"(?:完成|回收|办结|处置|合格|有效|整改|达标|入住|覆盖)率(?:仅|只有?|仅为|为|达到?|是)*$")
# What says that a rate is that of the whole; other words before its name must be those of the amounts, too.
_OF_WHOLE = re.compile(r"(?:该|本|全年|当年|本年|年度|部门|整体|总体?|综合|实际|预算|资金|经费|的|则|其)*")
_OTHER_TIME = re.compile(
    r"上年|去年|前年|往年|上半年|一季度|前三季度|截至\d{1,2}月|\d{1,2}月底|\d{1,2}月末|目标|比上|较上|同期"
)
# The head that is the budget for sure stands first.
_BUDGET_HEADS = (
    "全年预算数",
    "全年预算",
    "调整后预算数",
    "调整后预算",
    "预算数",
    "预算金额",
    "预算",
    "计划数",
    "下达",
    "安排",
)
_SPENT_HEADS = ("执行", "支出", "支付", "决算数", "到位")


def rates_of_sentences(page: Page) -> Iterator[Discrepancy]:
    """Yield rates that are not those of the budget and the expenditure right before them."""
    before: Sentence | None = None
    for sentence in page.sentences:
        known = before.figures if before and before.paragraph == sentence.paragraph else ()
        before = sentence
        for place in range(2, len(sentence.figures)):
            pair = _amounts_of_rate(sentence, place)
            if pair is None:
                continue
            rate, (budget, spent) = sentence.figures[place], pair
            near = [*known, *sentence.figures[:place]][-TOTALS_BEFORE:]
            amounts = [figure for figure in near if figure.unit == budget.unit and figure.value > 0]
            if any(is_rounded(a.value / b.value * 100, rate, a, b) for a in amounts for b in amounts if a is not b):
                continue
            exact = spent.value / budget.value * 100
            sure = budget.unit == MONEY or is_slip(exact.quantize(rate.step), rate.value, rate.step)
            if exact <= _HIGHEST_RATE and sure:
                printed = print_like(exact, rate)
                message = f"{spent.text}÷{budget.text}＝{printed}，报告写{rate.what}{rate.text}"
                span = sentence.clause_start(place - 2), rate.end
                yield page.say(DiscrepancyKind.RATE, message, printed, rate.text, span)


def _amounts_of_rate(sentence: Sentence, place: int) -> tuple[Figure, Figure] | None:
    """Return budget and expenditure, or a count and what was done of it, that stand right before their rate."""
    rate, clause = sentence.figures[place], sentence.clause(place)
    first, second = sentence.figures[place - 2 : place]
    if rate.unit != SHARE or not rate.is_exact or rate.change or first.unit != second.unit:
        return None
    if first.vague or second.vague or not first.value or not second.value:
        return None
    if _OTHER_TIME.search(clause) or _OTHER_TIME.search(sentence.between(first.end, rate.start)):
        return None
    named = (_RATE_NAME if first.unit == MONEY else _COUNT_RATE_NAME).search(clause)
    if named is None or _is_of_part(sentence, place, clause[: named.start()]):
        return None
    if first.unit == MONEY:
        return _budget_and_spent(sentence, place)
    return (first, second) if first.unit not in {SHARE, SCORE} and first.value >= second.value else None


def _is_of_part(sentence: Sentence, place: int, words: str) -> bool:
    """Return whether the words before a rate's name are neither of the whole nor those before its two amounts."""
    earlier = sentence.figures[place - 3 : place - 2]
    left = earlier[0].end if earlier else sentence.start
    named = sentence.between(left, sentence.figures[place - 1].start)
    return not _OF_WHOLE.fullmatch(words) and words not in named


def _budget_and_spent(sentence: Sentence, place: int) -> tuple[Figure, Figure] | None:
    """Return budget and expenditure, in whichever order they stand right before a rate."""
    clauses = sentence.clause(place - 2), sentence.clause(place - 1)
    first, second = sentence.figures[place - 2 : place]
    if names_budget(clauses[0]) and names_spending(clauses[1]):
        return first, second
    if names_spending(clauses[0]) and names_budget(clauses[1]):
        return second, first
    return None


def shares_of_quarters(page: Page) -> Iterator[Discrepancy]:
    """Yield shares of the four quarters that do not make 100 %."""
    for sentence in page.sentences:
        shares = [place for place, figure in enumerate(sentence.figures) if figure.unit == SHARE]
        for run in (shares[i : i + 4] for i in range(len(shares) - 3)):
            figures = [sentence.figures[place] for place in run]
            gaps = [sentence.between(a.end, b.start) for a, b in pairwise(figures)]
            lead = sentence.between(sentence.start, figures[0].start)[-30:]
            if not re.search(r"季度[^，。；]*占比", lead) or not all(gap in {"、", "和", "，", "及"} for gap in gaps):
                continue
            found = sum((figure.value for figure in figures), Decimal(0))
            if Decimal(80) < found < Decimal(120) and abs(found - 100) > sum(figure.step for figure in figures) / 2:
                message = f"四个季度占比{'＋'.join(figure.text for figure in figures)}＝{print_like(found, figures[0])}，不是100%"
                span = sentence.clause_start(run[0]), figures[-1].end
                yield page.say(DiscrepancyKind.RATE, message, "100%", print_like(found, figures[0]), span)


def rates_of_tables(page: Page) -> Iterator[Discrepancy]:
    """Yield rates that are not those of their row, where most rows of the table bear out that these are the columns."""
    for grid in page.grids:
        rate_column = next((i for i, head in enumerate(grid.heads) if RATE_HEAD.search(head)), None)
        amounts = {i: head for i, head in enumerate(grid.heads) if not RATE_HEAD.search(head)}
        budgets = [i for i, head in amounts.items() if "预算" in head or head in _BUDGET_HEADS]
        spents = [i for i, head in amounts.items() if i not in budgets and any(name in head for name in _SPENT_HEADS)]
        if rate_column is None or not budgets or not spents:
            continue
        wrong: list[tuple[tuple[Cell, ...], Cell, Cell, Cell]] = []
        right = 0
        for row in grid.rows:
            rate = number_at(row, rate_column)
            pairs = [
                (s, b)
                for i in spents
                for j in budgets
                if (s := number_at(row, i)) and (b := number_at(row, j)) and b.number
            ]
            if rate is None or rate.number is None or not pairs:
                continue
            if any(_fits(rate, spent, budget) for spent, budget in pairs):
                right += 1
            else:
                best = next((j for name in _BUDGET_HEADS for j in budgets if grid.heads[j] == name), budgets[-1])
                spent, budget = next((pair for pair in pairs if pair[1] is number_at(row, best)), pairs[0])
                wrong.append((row, rate, spent, budget))
        if len(wrong) > max(1, right):
            continue
        for row, rate, spent, budget in wrong:
            assert spent.number is not None
            assert budget.number is not None
            exact = print_in(spent.number / budget.number * 100, rate)
            message = f"{row_name(row)}：{spent.text}÷{budget.text}＝{exact}，表中写{rate.text}"
            yield page.say(DiscrepancyKind.RATE, message, exact, rate.text.strip(), row_span(row))


def _fits(rate: Cell, spent: Cell, budget: Cell) -> bool:
    """Return whether a rate, told in % or as a fraction, may be that of two amounts that were rounded."""
    assert rate.number is not None
    assert spent.number is not None
    assert budget.number
    exact = spent.number / budget.number * 100
    spread = exact * (spent.step / max(spent.number, spent.step) + budget.step / budget.number) / 2
    scales = (Decimal(1),) if rate.unit == SHARE else (Decimal(1), Decimal(100))
    return any(abs(exact - rate.number * scale) <= rate.step * scale + spread for scale in scales)
