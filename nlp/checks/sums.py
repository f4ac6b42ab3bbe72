"""Parts and totals of sentences that do not agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate

from nlp.checks.labels import FULL_MARKS
from nlp.checks.lists import (
    FEWEST_PARTS,
    SHARES,
    TOTALS_BEFORE,
    Parts,
    leave_rate_out,
    parts_before,
    parts_from,
    wrong_sum,
)
from nlp.checks.page import Page, Sentence
from nlp.checks.rounding import is_rounded, is_slip_of_one, slack_of
from nlp.figures import MONEY, SCORE, SHARE, Figure, print_like
from nlp.records import Discrepancy, DiscrepancyKind

# Amounts behind 其中 that need not be the whole are held against it only where they come to within these shares of it.
# Chosen on every other one of our own reports.
_LEAST_COVERED, _MOST_COVERED = Decimal("0.95"), Decimal("1.12")
# What is missing was left out rather than mistaken where fewer parts are told, or where it is told as finely as they are.
_FEWEST_OF_MOST = 3
# Money of these names is counted among that of the other names as well.
_CROSSING = re.compile(r"涉|整合|统筹|直达|衔接|三公|采购|债券|新增")
# Further off than this, it is our reading of the list that is wrong.
_WILDLY_LESS, _WILDLY_MORE = Decimal("0.5"), Decimal(2)
# 基本支出 and 项目支出 further off than this from the amount before them belong to another one.
_PAIR_REACH = Decimal("0.1")
_OPENS = re.compile(r"其中|包括|包含|分别|由|：|:|（|\(|具体|支出中|资金中|收入中")
# 项目支出中，… and 项目支出明细：…: the list names its total.
_OF_NAMED = re.compile(r"(?P<name>[一-鿿]{2}(?:支出|资金|收入))(?:中|(?:明细|构成|具体)[^，。；：]{0,6}[：:])")
_MADE_OF = re.compile(r"[^，。；]{0,4}(?:组成|构成)")
_AND_SO_ON = r"等(?!级|次)"
_LEAVES_OUT = re.compile(rf"主要|如|{_AND_SO_ON}|重点|例如|之一|部分为")
_IS_TOTAL = re.compile(
    r"(?:合计|总计|共计|总共|一共|合计为|共|总分|总得分)(?:得分?|为|是|支出|资金|金额|人数|得分)?[:：为]?$"
)
# 占比, 占总额的, 占全年支出的: what is named must name the total.
_SHARE_OF = re.compile(r"[，（(]?占(?:比|其|(?:总[数量额]?|全部|全年|本年)?(?P<name>\w{0,6}?)的?)?为?")
# Names that together leave nothing out.
_WHOLES = (
    ("基本支出", "项目支出"),
    ("人员经费", "公用经费"),
    ("在职", "退休"),
    ("在职", "离退休"),
    ("在编", "编外"),
    ("财政拨款", "其他收入"),
)


def lists_of_sentences(page: Page) -> Iterator[Discrepancy]:
    """Yield totals that the parts behind them do not make: 全年支出5万元，其中A 3万元、B 2万元."""
    known: list[Figure] = []
    paragraph = last = -1
    for sentence in page.sentences:
        if sentence.paragraph != paragraph:
            # The line before may hold the total of a list that names it: 项目支出明细：…
            known, last = [figure for figure in known if figure.start >= last], sentence.start
            paragraph = sentence.paragraph
        done = -1
        for place, figure in enumerate(sentence.figures):
            if place <= done or figure.unit in SHARES:
                continue
            left = sentence.figures[place - 1].end if place else sentence.start
            gap = sentence.between(left, figure.start)
            if not _OPENS.search(gap):
                continue
            parts = parts_from(sentence, place)
            if len(parts.places) < FEWEST_PARTS:
                continue
            done = parts.places[-1]
            earlier = [*known, *sentence.figures[max(0, place - TOTALS_BEFORE) : place]][-TOTALS_BEFORE:]
            totals = _totals_of(sentence, place, gap, [total for total in earlier if total.unit == figure.unit])
            behind = [total for total in sentence.figures[done + 1 : done + 3] if total.unit == figure.unit]
            if totals:
                yield from _judge_list(page, parts, totals, behind, gap)
        known = [*known, *sentence.figures][-TOTALS_BEFORE:]


def _totals_of(sentence: Sentence, place: int, gap: str, earlier: list[Figure]) -> list[Figure]:
    """Return the figures that a list may add up to, the one that is meant last; empty where none is sure to be."""
    named = _OF_NAMED.search(gap)
    if named and "其中" not in gap:
        meant = [figure for figure in earlier if figure.what and figure.what.endswith(named["name"])]
        return [*earlier, meant[-1]] if meant else []
    begins_line = place == 0 and sentence.text.startswith(gap) and not sentence.depths[0]
    return [] if begins_line and (not earlier or "其中" not in gap) else earlier


def _judge_list(
    page: Page, parts: Parts, totals: Sequence[Figure], behind: Sequence[Figure], gap: str
) -> Iterator[Discrepancy]:
    """Yield what is wrong with a list whose parts make none of the totals, or whose shares are not those of the parts."""
    figures = parts.figures
    total = totals[-1]
    if not all(figure.is_exact for figure in (*figures, total)):
        return
    sums = [*accumulate(figure.value for figure in figures)][1:]
    for count, found in enumerate(sums, 2):
        slack = slack_of((*figures[:count], total))
        agrees = next((t for t in reversed([*totals, *behind]) if abs(t.value - found) <= slack), None)
        if agrees is not None:
            if count == len(figures):
                yield from _shares_of_parts(page, parts, agrees)
            return
    sentence = parts.sentence
    tail = sentence.between(figures[-1].end, figures[-1].end + 8)
    exhaustive = ("由" in gap and _MADE_OF.match(tail) is not None) or _is_whole(parts.names)
    if not exhaustive and (_LEAVES_OUT.search(gap) or re.match(_AND_SO_ON, tail)):
        return
    if not exhaustive and _may_overlap(parts, total):
        return
    if not _surely_differ(total, figures, exhaustive=exhaustive):
        return
    yield wrong_sum(page, parts, total, (page.start_of(total), figures[-1].end))


def _may_overlap(parts: Parts, total: Figure) -> bool:
    """Return whether something may be counted in two parts, as people and bodies may, or one part is told by the way."""
    if total.unit not in {MONEY, SCORE} or any(_CROSSING.search(name) for name in parts.names):
        return True
    over = sum((figure.value for figure in parts.figures), -total.value)
    slack = slack_of((*parts.figures, total))
    return any(abs(over - figure.value) <= slack for figure in parts.figures)


def _is_whole(names: Sequence[str]) -> bool:
    """Return whether the names of the parts say that nothing is left out."""
    return any(
        len(names) == len(whole) and all(word in name for word, name in zip(whole, names, strict=True))
        for whole in _WHOLES
    )


def _surely_differ(total: Figure, parts: Sequence[Figure], *, exhaustive: bool) -> bool:
    """Return whether the parts, which do not make the total, were surely meant to."""
    values = [part.value for part in parts]
    if total.value <= 0:
        return False
    covered = sum(values, Decimal(0)) / total.value
    if exhaustive:
        return _WILDLY_LESS < covered < _WILDLY_MORE
    if total.unit == MONEY and 1 < covered <= _MOST_COVERED:
        return True  # amounts of one list seldom overlap, so they cannot be more than the whole
    is_rest = covered < 1 and (
        len(parts) < _FEWEST_OF_MOST
        or _last_digit(total.value - sum(values)) <= min(_last_digit(value) for value in (total.value, *values))
    )
    step = min(figure.step for figure in (total, *parts))
    return not is_rest and _LEAST_COVERED <= covered <= _MOST_COVERED and is_slip_of_one(total.value, values, step)


def _last_digit(value: Decimal) -> int:
    """Return the power of ten of the last digit that is not 0.

    >>> _last_digit(Decimal("36200.00")), _last_digit(Decimal("0.75"))
    (2, -2)
    """
    return int(value.normalize().as_tuple().exponent)


def _shares_of_parts(page: Page, parts: Parts, total: Figure) -> Iterator[Discrepancy]:
    """Yield shares behind the parts of a list (占…%, 占其, 占总支出的) that the amounts do not give."""
    sentence = parts.sentence
    for place in parts.places:
        if place + 1 >= len(sentence.figures) or total.value <= 0:
            continue
        part, share = sentence.figures[place], sentence.figures[place + 1]
        gap = sentence.between(part.end, share.start)
        of_what = _SHARE_OF.fullmatch(gap)
        if share.unit != SHARE or share.vague or of_what is None or (of_what["name"] or "") not in total.what:
            continue
        exact = part.value / total.value * 100
        if not is_rounded(exact, share, part, total):
            message = f"{part.text}÷{total.text}＝{print_like(exact, share)}，报告写占{share.text}"
            yield page.say(
                DiscrepancyKind.RATE,
                message,
                print_like(exact, share),
                share.text,
                (sentence.clause_start(place), share.end),
            )


def totals_behind(page: Page) -> Iterator[Discrepancy]:
    """Yield totals that the parts before them do not make: A 3万元、B 2万元，合计5万元."""
    for sentence in page.sentences:
        for place, total in enumerate(sentence.figures):
            if place < FEWEST_PARTS or total.vague or not _IS_TOTAL.search(sentence.clause(place)):
                continue
            parts = parts_before(sentence, place)
            figures = parts.figures
            if len(figures) < FEWEST_PARTS or not all(figure.is_exact for figure in figures):
                continue
            tails = [figures[i:] for i in range(len(figures) - 1)]
            sums = [sum((figure.value for figure in tail), Decimal(0)) for tail in tails]
            if any(
                abs(found - total.value) <= slack_of((*tail, total)) for found, tail in zip(sums, tails, strict=True)
            ):
                continue
            if total.unit == SCORE and (sums[0] == FULL_MARKS or leave_rate_out(parts, total)):
                continue  # what could be reached, not what was; or one score is told elsewhere
            nearest = min(range(len(sums)), key=lambda i: abs(sums[i] - total.value))
            kept = Parts(sentence, parts.places[nearest:])
            if _surely_differ(total, kept.figures, exhaustive=True):
                yield wrong_sum(page, kept, total, (kept.span[0], total.end))


def pairs_of_expenditure(page: Page) -> Iterator[Discrepancy]:
    """Yield expenditure that 基本支出 and 项目支出 behind it, also across a full stop, do not make."""
    before: Sentence | None = None
    for sentence in page.sentences:
        near = before if before and before.paragraph == sentence.paragraph else None
        before = sentence
        pair = [_place_named(sentence, name) for name in _WHOLES[0]]
        if pair[0] is None or pair[1] is None or not pair[0] < pair[1]:
            continue
        parts = Parts(sentence, (pair[0], pair[1]))
        one, other = parts.figures
        if one.unit != other.unit or one.vague or other.vague or "预算" in sentence.clause(pair[1]):
            continue
        every = [*(near.figures if near else ()), *sentence.figures]
        totals = [figure for figure in every if figure.unit == one.unit and figure.start < one.start]
        found = one.value + other.value
        if not totals or any(
            abs(figure.value - found) <= slack_of((one, other, figure)) for figure in every if figure.unit == one.unit
        ):
            continue
        total = totals[-1]
        named = re.search(
            r"支出|执行|决算|支付|资金|总额|合计", total.what + page.report.text[total.start - 8 : total.start]
        )
        near_enough = abs(found - total.value) <= total.value * _PAIR_REACH
        if named and not total.vague and near_enough:
            yield wrong_sum(page, parts, total, (page.start_of(total), other.end))


def _place_named(sentence: Sentence, name: str) -> int | None:
    """Return the place of the one amount of that name; ``None`` where there is none or more than one."""
    places = [
        place
        for place, figure in enumerate(sentence.figures)
        if figure.unit == MONEY and re.search(rf"{name}(?:决算数?|为|共|共计|合计)?$", sentence.clause(place))
    ]
    return places[0] if len(places) == 1 else None
