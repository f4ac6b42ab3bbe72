"""Scores: above their maximum, unlike the sum of their items, full marks for a low rate of payment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from nlp.checks.grids import number_at, row_name, row_span
from nlp.checks.labels import (
    ACTUAL_HEADS,
    FULL_MARKS,
    MARKS_FOR_RATE,
    POINTS_HEADS,
    RATE_HEAD,
    SCORE_HEADS,
    TOTAL_ROW,
)
from nlp.checks.lists import Parts, added, leave_rate_out
from nlp.checks.page import Page, Sentence
from nlp.checks.rounding import slack_of
from nlp.figures import SCORE, SHARE, Figure, print_like
from nlp.records import Discrepancy, DiscrepancyKind

# Payment below this share earns no full marks under any rule that we know of (the usual ones begin at 85 to 95 %).
_LOW_RATE = Decimal(80)
_LEAST_TOTAL_SCORE, _MOST_TOTAL_SCORE = Decimal(30), Decimal(150)
_SCORED = ("产出", "效益")
_LONGEST_CRITERION = 9
_PAYS = re.compile(r"执行率|支付率|支出率|预算执行|资金支付|支付进度|执行进度|拨付率")
_TOTAL_SCORE = re.compile(
    r"(?:总分|总得分|得分合计|综合得分|自评得分|自评总分|评价得分|综合评分|合计|总体得分|评定得分|得分|自评分|自评|一共|得)(?:合计)?(?:为|是|共|：|达|达到)?$"
)
NOT_OWN = re.compile(r"平均|各单位|每个|上年|去年|前年|往年|低于|高于|以上|以下|三个|满分|不足|相差|扣|目标")


def scores_of_tables(page: Page) -> Iterator[Discrepancy]:
    """Yield rows with a score above its maximum or with full marks beside a low rate of payment."""
    for grid in page.grids:
        points, score = grid.column(*POINTS_HEADS), grid.column(*SCORE_HEADS)
        if points is None or score is None or points == score:
            continue
        actual = grid.column(*ACTUAL_HEADS)
        target = grid.column("年度指标值", "指标值", "目标值", "年初目标值")
        for row in grid.rows:
            most, got = number_at(row, points), number_at(row, score)
            if most is None or got is None or not most.number or got.number is None:
                continue
            if got.number > most.number:
                message = f"{row_name(row)}：得分{got.text.strip()}高于分值{most.text.strip()}"
                yield page.say(DiscrepancyKind.SCORE, message, f"≤{most.text.strip()}", got.text.strip(), row_span(row))
                continue
            rate, aim = number_at(row, actual), number_at(row, target)
            is_rate = actual is not None and RATE_HEAD.search(grid.heads[actual]) is not None
            named = is_rate or any(_PAYS.search(cell.text) for cell in row)
            if rate is None or rate.number is None or rate.unit != SHARE or not named or got.number != most.number:
                continue
            if rate.number < _LOW_RATE and not (aim and aim.number is not None and aim.number <= rate.number):
                message = f"{row_name(row)}：执行率{rate.text.strip()}，却得满分{got.text.strip()}分"
                yield page.say(DiscrepancyKind.SCORE, message, f"<{most.text.strip()}", got.text.strip(), row_span(row))


def scores_of_sentences(page: Page) -> Iterator[Discrepancy]:
    """Yield a total that the scores of 产出, 效益 … do not make, 12 of 10 points, and full marks for a low rate."""
    rate = _own_rate(page)
    for place, sentence in enumerate(page.sentences):
        yield from _beyond_maximum(page, sentence)
        parts = Parts(sentence, tuple(_places_of_criteria(sentence)))
        names = [_criterion(sentence, i) for i in parts.places]
        if len(set(names)) != len(names) or not all(any(word in name for name in names) for word in _SCORED):
            continue
        near = [s for s in page.sentences[max(0, place - 2) : place + 3] if s.paragraph == sentence.paragraph]
        totals = total_scores(near)
        found = sum((figure.value for figure in parts.figures), Decimal(0))
        if len(totals) == 1 and found != FULL_MARKS and not _may_make(totals[0], parts, near):
            total = totals[0]
            if abs(total.value - found) <= total.value / 5:
                spans = sorted((parts.span, (page.start_of(total), total.end)))
                message = f"{added(names, parts.figures, found)}，报告写总分{total.text}"
                yield page.say(DiscrepancyKind.SUM, message, print_like(found, total), total.text, *spans)
        for name, figure in zip(names, parts.figures, strict=True):
            if rate and name.endswith("预算执行") and figure.value == MARKS_FOR_RATE and rate.value < _LOW_RATE:
                message = f"预算执行率{rate.text}，预算执行却得满分{figure.text}"
                spans = sorted(((page.start_of(figure), figure.end), (page.start_of(rate), rate.end)))
                yield page.say(DiscrepancyKind.SCORE, message, f"<{figure.text}", figure.text, *spans)


def _may_make(total: Figure, parts: Parts, near: Sequence[Sentence]) -> bool:
    """Return whether the scores of criteria make a total, alone or with what else is scored near them."""
    if leave_rate_out(parts, total):
        return True
    missing = total.value - sum(figure.value for figure in parts.figures)
    known = {total.start, *(figure.start for figure in parts.figures)}
    others = [
        figure.value
        for sentence in near
        for figure in sentence.figures
        if figure.unit == SCORE and figure.start not in known
    ]
    slack = slack_of((*parts.figures, total))
    return any(abs(missing - other) <= slack for other in (Decimal(0), sum(others), *others))


def _places_of_criteria(sentence: Sentence) -> Iterator[int]:
    """Yield the places of the scores that stand in one row with that of 产出."""
    points = [i for i, figure in enumerate(sentence.figures) if figure.unit == SCORE]
    depths = {sentence.depths[i] for i in points if _criterion(sentence, i).endswith("产出")}
    yield from (i for i in points if sentence.depths[i] in depths and _criterion(sentence, i))


def _criterion(sentence: Sentence, place: int) -> str:
    """Return what a score of an item is for; empty for a score of the whole and for one that is for nothing."""
    clause = re.sub(r"^.*其中|(?:指标|情况)?(?:自评)?(?:得分?|为)?$", "", sentence.clause(place))
    return (
        ""
        if len(clause) > _LONGEST_CRITERION
        or re.search(r"总|综合|合计|自评|评价|满分|扣|年度|本次|一共|最终|得$", clause)
        else clause
    )


def total_scores(sentences: Iterable[Sentence]) -> list[Figure]:
    """Return the scores of the whole that sentences tell."""
    return [
        figure
        for sentence in sentences
        for place, figure in enumerate(sentence.figures)
        if figure.unit == SCORE and _is_total_score(sentence, place)
    ]


def _is_total_score(sentence: Sentence, place: int) -> bool:
    """Return whether a score is that of the whole and the report's own, by the words around it."""
    clause = sentence.clause(place)
    behind = sentence.between(sentence.figures[place].end, sentence.figures[place].end + 4)
    figure = sentence.figures[place]
    return bool(
        _TOTAL_SCORE.search(clause)
        and not _criterion(sentence, place)
        and not NOT_OWN.search(clause + behind)
        and figure.is_exact
        and _LEAST_TOTAL_SCORE <= figure.value <= _MOST_TOTAL_SCORE
    )


def _own_rate(page: Page) -> Figure | None:
    """Return the rate of execution of the whole budget, where one is told in a sentence with 全年预算."""
    rates = {
        figure.value: figure
        for sentence in page.sentences
        for place, figure in enumerate(sentence.figures)
        if figure.unit == SHARE
        and re.match(r"(?:全年|当年|本年|部门|年初|总体|20\d\d年|决算|实际)", sentence.text)
        and "全年" in sentence.text[: figure.start - sentence.start]
        and re.fullmatch(r"(?:部门)?(?:预算)?执行率(?:为|达)?", sentence.clause(place))
    }
    return next(iter(rates.values())) if len(rates) == 1 else None


def _beyond_maximum(page: Page, sentence: Sentence) -> Iterator[Discrepancy]:
    """Yield scores above the maximum that stands beside them: 满分10分，得12分; 得12分（满分10分）."""
    for place, (most, got) in enumerate(pairwise(sentence.figures), 1):
        if most.unit != SCORE or got.unit != SCORE or most.vague or got.vague:
            continue
        gap = sentence.between(most.end, got.start)
        if re.search(r"(?:满分|分值|权重|标准分)(?:为)?$", sentence.clause(place - 1)) and re.fullmatch(
            r"[）)]?[，,、；]?(?:自评|实际|评价|实)?(?:得分?|评分)(?:为)?", gap
        ):
            low, high = most, got
        elif re.fullmatch(r"[，（(](?:该项)?(?:满分|分值|权重)(?:为)?", gap) and re.search(
            r"得分?(?:为)?$", sentence.clause(place - 1)
        ):
            low, high = got, most
        else:
            continue
        if high.value > low.value:
            message = f"得分{high.text}高于满分{low.text}"
            span = sentence.clause_start(place - 1), got.end
            yield page.say(DiscrepancyKind.SCORE, message, f"≤{low.text}", high.text, span)


def own_scores(page: Page) -> list[Figure]:
    """Return the scores that the report gives itself, in sentences and in the row 合计 of a score sheet."""
    told = total_scores(page.sentences)
    for grid in page.grids:
        column = grid.column(*SCORE_HEADS)
        if column is None or grid.column(*POINTS_HEADS) is None:
            continue
        for row in grid.rows:
            cell = number_at(row, column)
            if (
                cell
                and cell.number is not None
                and TOTAL_ROW.fullmatch(row_name(row))
                and cell.number >= _LEAST_TOTAL_SCORE
            ):
                told.append(Figure(f"{cell.text.strip()}分", cell.number, SCORE, "总分", cell.start, cell.step))
    return told
