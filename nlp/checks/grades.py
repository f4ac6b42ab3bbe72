"""Grades that the score beside them does not earn."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from nlp.checks.labels import FULL_MARKS
from nlp.checks.page import Page, Sentence
from nlp.checks.scores import NOT_OWN, own_scores, total_scores
from nlp.figures import SCORE, Figure
from nlp.records import Discrepancy, DiscrepancyKind

# Source: 财政部《项目支出绩效评价管理办法》（财预〔2020〕10号）第二十四条: 90至100分为优、80至90分为良、60至80分为中、60分以下为差.
_SCALE = {"优": Decimal(90), "良": Decimal(80), "中": Decimal(60), "差": Decimal(0)}
_GRADE = re.compile(
    r"(?:(?:等级|等次|档次|级别|评级|评价结果|评价结论|自评结果|自评结论|结论|结果|评定|评)(?:评定|确定|划定)?(?:为|是|属于?|：|:)?[“‘「”]?"
    r"(?P<grade>优秀|良好|优|良|中等|中|较差|差)(?:[”’」]|等|级|档)*(?=[，。；、（）()！\s]|$)"
    r"|[为属于][“‘「]?(?P<grade2>优秀?|良好?|中|差)[”’」]?(?:等级|等次|档次?)(?=[，。；、（）()！\s]|$))"
)
_GRADE_CELL = re.compile(
    r"(?<!\w)(?:自评|评价|绩效|评定|综合|总体){0,2}等[级次][：:\t]\s?[“]?(?P<grade>优秀?|良好?|中等?|差)[”]?(?=\t|\n|$)"
)
# 90分以上为优, 80（含）-90分为“良”; and 优（90分以上）, 良：80-89.
_OWN_SCALE = re.compile(
    r"(?P<low>\d{2,3})\s?分?(?:[（(]含[^）)]{0,5}[）)])?(?:及?以上|\s?[-—–~～至到]\s?\d{2,3}|\s?[≤<＜]\s?\S{1,4}[≤<＜]\s?\d{2,3})[^，。；、\d]{0,8}?[为是：:“‘]{1,2}(?P<grade>[优良中])"
    r"|(?P<grade2>[优良中])[秀好等]?[”’]?(?:等次|等级|档)?[为：:（(]{1,2}(?:得分)?[≥＞>]?(?P<low2>\d{2,3})"
)
# To whom or what else a grade may be given, and how the report's own is told where its score does not stand before it.
_OF_OTHERS = re.compile(
    r"考核|考评|领导|班子|干部|同志|职工|人员|党建|测评|满意|水质|空气|环境|财政[局厅部]|审计|第三方|上级|信用|其中"
    r"|(?<=[^该本我、，。；：])(?:项目|工程|单位|中心|科室|资金)"
)
_OF_ITSELF = re.compile(r"自评|整体支出")
_SHORT_LEAD = 6  # characters
_SCORED = re.compile(r"[^，、；（）]{0,20}\d分[，、；）]?")  # an item with its score
_SCALE_REACH = 80  # characters between two bounds of one scale


def grades_beside_scores(page: Page) -> Iterator[Discrepancy]:
    """Yield grades that the scale, the report's own or the ministry's, does not give to the score beside them."""
    scale = _scale_of(page.report.text)
    if scale is None:
        return
    every = own_scores(page)
    own = every[:1] if len({figure.value for figure in every}) == 1 else []
    for place, sentence in enumerate(page.sentences):
        match = _GRADE.search(sentence.text)
        if (
            match is None
            or NOT_OWN.search(sentence.text)
            or re.search(r"\d{2,3}\s?分?(?:以上|以下|[-—~至]\d{2,3})", sentence.text)
        ):
            continue
        near = [s for s in page.sentences[max(0, place - 2) : place + 1] if s.paragraph == sentence.paragraph]
        told = total_scores(near)
        before = [figure for figure in told if figure.start < sentence.start + match.start()]
        for score in (before or told or own)[-1:]:
            if _is_of_whole(sentence, match, score, near=bool(told)) and not _is_of_item(scale, sentence, match, score):
                yield from _judge_grade(page, scale, score, match, sentence.start)
    for match in _GRADE_CELL.finditer(page.report.text) if own else ():
        yield from _judge_grade(page, scale, own[0], match, 0)


def _is_of_whole(sentence: Sentence, match: re.Match[str], score: Figure, *, near: bool) -> bool:
    """Return whether a grade may be that of a score of the whole, by the words before it."""
    grade = sentence.start + match.start()
    if sentence.start <= score.start < grade:
        return not _OF_OTHERS.search(_SCORED.sub("", sentence.between(score.end, grade)))
    lead = sentence.between(sentence.start, grade)
    own = (near and len(lead) <= _SHORT_LEAD) or _OF_ITSELF.search(lead + match.group())
    return bool(own) and not _SCORED.search(lead) and not _OF_OTHERS.search(lead)


def _is_of_item(scale: dict[str, Decimal], sentence: Sentence, match: re.Match[str], score: Figure) -> bool:
    """Return whether a score between that of the whole and a grade earns the grade."""
    between = [
        figure
        for figure in sentence.figures
        if figure.unit == SCORE and score.end <= figure.start < sentence.start + match.start()
    ]
    return any(_earned(scale, figure) == _grade_of(match) for figure in between)


def _judge_grade(
    page: Page, scale: dict[str, Decimal], score: Figure, match: re.Match[str], offset: int
) -> Iterator[Discrepancy]:
    """Yield the grade of a match, in a text that begins at an offset, where the score earns another."""
    wanted = _earned(scale, score)
    if score.value > FULL_MARKS or wanted == _grade_of(match):
        return
    told = match.groupdict()
    printed = told["grade"] or told["grade2"]
    message = f"{score.text}按“{_told_scale(scale)}”应为“{wanted}”，报告写“{printed}”"
    spans = {(page.start_of(score), score.end), (offset + match.start(), offset + match.end())}
    yield page.say(DiscrepancyKind.GRADE, message, wanted, printed, *sorted(spans))


def _earned(scale: dict[str, Decimal], score: Figure) -> str:
    """Return the grade of a score."""
    return next(name for name, least in scale.items() if score.value >= least)


def _told_scale(scale: dict[str, Decimal]) -> str:
    """Return a scale in plain words."""
    return "、".join(f"{least}分以上为{name}" for name, least in scale.items() if least)


def _scale_of(text: str) -> dict[str, Decimal] | None:
    """Return the least score of each grade, the report's own where it gives one; ``None`` where that cannot be read.

    >>> _scale_of("得分95分以上为优、85分以上为良、60分以上为中。")["优"], _scale_of("得分88分，等级为良。")["优"]
    (Decimal('95'), Decimal('90'))
    """
    own: dict[str, set[Decimal]] = defaultdict(set)
    for left, right in pairwise(_OWN_SCALE.finditer(text)):
        if right.start() - left.end() < _SCALE_REACH and _grade_of(left) != _grade_of(right):
            for match in (left, right):
                own[_grade_of(match)].add(Decimal(match["low"] or match["low2"]))
    if any(len(values) > 1 for values in own.values()):
        return None
    scale = {name: max(own.get(name, {least})) for name, least in _SCALE.items()}
    bounds = list(scale.values())
    return scale if all(above > below for above, below in pairwise(bounds)) else None


def _grade_of(match: re.Match[str]) -> str:
    """Return the grade of a match without what is printed around it: 优秀 is 优, 较差 is 差."""
    told = match.groupdict()
    return next(name for name in _SCALE if name in (told["grade"] or told["grade2"]))
