"""One fact with two values in two places."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from nlp.checks.grids import row_span
from nlp.checks.labels import ACTUAL_HEADS
from nlp.checks.page import Page, Sentence
from nlp.checks.rounding import is_slip
from nlp.checks.scores import own_scores
from nlp.figures import Figure, find_figures
from nlp.records import Discrepancy, DiscrepancyKind

_SCORE_REACH = 10  # two scores further apart are of two evaluations
_TELLING_DIGITS = 3
_BUSY = 60  # facts whose names end alike: beyond this the ending is too common to tell anything
_NAME_HEADS = ("三级指标", "指标名称", "绩效指标", "项目名称", "项目", "项目类别", "指标内容", "名称", "二级指标")
_NOT_FACTS = re.compile(
    r"目标(?!.{0,4}(?:完成|实现))|计划(?!.{0,4}完成)|措施|建议|打算|下一步|安排$|改进|整改|方向|努力"
)
_GENERIC = re.compile(
    r"(?:执行率|支付率|完成率|到位率|合格率|得分|分值|金额|合计|满意度|其他|占比|比例|预算|支出|资金|经费|单位|工资|人员|问题|项目|指标|其中|收入|决算|结余)$"
)
_TO_VERB = re.compile(
    r"(?:分别|合计|共计|总计|累计|达到|达|完成|实现|降到|降至|降为|提高到|提升到|提高至|增至|增加到|减至|扩大到|为|约|有|共|只有|仅|是|：|:|超额|已|了|全部)+$"
)
_FROM_WORDS = re.compile(
    r"^(?:度|末|底|全年|年末|年底|本年|当年)*(?:全省|全市|全县|全区|全镇|全乡|我局|我厅|本部门)?(?:共|累计|已|新增|完成|实现|组织|开展)*"
)
_TABLE_TAIL = re.compile(r"(?:面积|数量|人数|个数|人次|里程|规模|长度|数|量)$")
_OLDER = re.compile(
    r"上年|去年|前年|往年|年初|原|过去|同期|基期|以前|到.{0,2}年底前|力争|预计|将|拟|每|平均|至少|不到|由|从|比|较|其中|约"
)
_WHOLE = re.compile(r"全[年省市县区镇乡街院校局厅系]|累计")
_OF_PART_OF_YEAR = re.compile(r"[上下]半年|季度|[一二三四]期|[春秋]季|首批|第[一二三四]批")
_OF_PART = re.compile(rf"{_OF_PART_OF_YEAR.pattern}|(?:项目|工程)(?![共\d\s])")  # 实施项目32个 tells how many there are
_ITEM = re.compile(
    r"(?P<mark>[（(][一二三四五六七八九十\d]{1,3}[）)]|[一二三四五六七八九十]是|\d{1,2}[.．、])"
    r"|(?P<ordinal>首先|其次|再次|最后|第[一二三四五])|(?P<label>[^，。；：:\t\n]{1,12}[：:])"
)
_YEAR = re.compile(r"(?<!\d)(20\d\d)\s?年")
_SHORTEST_NAME = 4


class _Item(NamedTuple):
    """What a line is about: the headings above it, the nearest first, and what it begins with: 一是, （二）, 甲村：."""

    headings: tuple[str, ...] = ()
    sort: str | None = None
    lead: str = ""


_NO_ITEM = _Item()


@dataclass(frozen=True, slots=True)
class _Fact:
    """What a report says of something: its name without words around it, and the figure.

    ``place`` is the paragraph that it stands in; negative in tables, where each row is a place of its own. ``of_whole`` says
    whether its sentence tells of the whole year or area, ``item`` which of several things it is told of.
    """

    name: str
    figure: Figure
    start: int
    end: int
    place: int
    of_whole: bool = False
    item: _Item = _NO_ITEM


def facts_told_twice(page: Page) -> Iterator[Discrepancy]:
    """Yield facts, and scores of the whole, that are told with two values."""
    buckets: dict[tuple[str, str], list[_Fact]] = defaultdict(list)
    for fact in (*_facts_of_sentences(page), *_facts_of_tables(page)):
        buckets[fact.figure.unit, fact.name[-2:]].append(fact)
    for facts in buckets.values():
        if 1 < len(facts) <= _BUSY:
            yield from _differing(page, facts)
    yield from _two_scores(page)


def _differing(page: Page, facts: Sequence[_Fact]) -> Iterator[Discrepancy]:
    """Yield the pairs among some facts that are one fact with two values; three values are more than a slip."""
    for number, one in enumerate(facts):
        for other in facts[number + 1 :]:
            if one.place == other.place or not _are_same(one, other) or _may_be_two(one, other):
                continue
            a, b = one.figure, other.figure
            if abs(a.value - b.value) <= max(a.step, b.step) / 2 or not _is_told_twice(one, other):
                continue
            same = [fact for fact in facts if _are_same(fact, one) or _are_same(fact, other)]
            if {fact.figure.value for fact in same} - {a.value, b.value}:
                continue
            name = min(one.name, other.name, key=len)
            message = f"{name}前后不一：一处写{a.text}，另一处写{b.text}"
            yield page.say(
                DiscrepancyKind.CONFLICT, message, a.text, b.text, (one.start, one.end), (other.start, other.end)
            )


def _are_same(one: _Fact, other: _Fact) -> bool:
    """Return whether one name ends with the other, and that one is long enough to tell; in tables shorter ones do."""
    short, long = sorted((one.name, other.name), key=len)
    return long.endswith(short) and len(short) >= _SHORTEST_NAME - (min(one.place, other.place) < 0)


def _may_be_two(one: _Fact, other: _Fact) -> bool:
    """Return whether two facts may be of two things: neither is told of the whole, or they are told of two items of a list."""
    a, b = one.item, other.item
    if not (one.of_whole or other.of_whole):
        return True
    if a.headings[1:] != b.headings[1:]:
        return False
    under_two_heads = len(a.headings) > 1 and a.headings[0] != b.headings[0]
    return under_two_heads or (a.sort is not None and a.sort == b.sort and a.lead != b.lead)


def _is_told_twice(one: _Fact, other: _Fact) -> bool:
    """Return whether two values of one name are one value and a slip of it, and not two things of that name."""
    a, b = one.figure, other.figure
    step = min(a.step, b.step)
    digits = len(str(int(max(a.value, b.value) / step)))
    if digits < _TELLING_DIGITS - (one.name == other.name):
        return False
    return is_slip(a.value, b.value, step)


def _facts_of_sentences(page: Page) -> Iterator[_Fact]:
    """Yield what the prose says of the report's own year, where it is no aim and no plan."""
    year = page.report.identity.year
    item, paragraph = _NO_ITEM, -1
    for sentence in page.sentences:
        if sentence.paragraph != paragraph:
            item, paragraph = _item_of(sentence), sentence.paragraph
        if _NOT_FACTS.search(sentence.heading):
            continue
        of_whole = of_part = False
        told: int | None = None  # the year that was named last
        left = seen = sentence.start
        for place, figure in enumerate(sentence.figures):
            gap, clause = sentence.between(left, figure.start), sentence.clause(place)
            begin = figure.start - len(clause)
            of_whole = of_whole or _WHOLE.search(gap) is not None
            of_part = of_part or _OF_PART.search(sentence.between(seen, begin)) is not None
            years = _YEAR.findall(gap)
            told, left, seen = int(years[-1]) if years else told, figure.end, begin
            if not figure.is_exact or figure.change:
                continue
            of_other_year = told is not None and year is not None and told != year
            if of_other_year or of_part or _OLDER.search(clause) or _OF_PART_OF_YEAR.search(clause):
                continue
            if re.match(r"的?(?:目标|要求|任务|标准)", sentence.between(figure.end, figure.end + 4)):
                continue
            name = _fact_name(clause)
            if len(name) >= _SHORTEST_NAME - 1 and not _GENERIC.search(name):
                yield _Fact(name, figure, begin, figure.end, sentence.paragraph, of_whole, item)


def _item_of(sentence: Sentence) -> _Item:
    """Return what the line is about that begins with a sentence."""
    match = _ITEM.match(sentence.text)
    return _Item(tuple(sentence.heading.split()), match.lastgroup if match else None, match.group() if match else "")


def _fact_name(clause: str) -> str:
    """Return what a clause is about, without verbs, times and the word for its measure."""
    name = re.sub(r"^.*\d\S?", "", _TO_VERB.sub("", clause))
    return _TABLE_TAIL.sub("", _FROM_WORDS.sub("", name))


def _facts_of_tables(page: Page) -> Iterator[_Fact]:
    """Yield the indicators of tables with the values that were reached; their places count down from -1."""
    number = 0
    for grid in page.grids:
        name, actual = grid.column(*_NAME_HEADS), grid.column(*ACTUAL_HEADS[:-1])
        if name is None or actual is None or name == actual:
            continue
        for row in grid.rows:
            number -= 1
            if max(name, actual) >= len(row):
                continue
            cell = row[actual]
            figures = list(find_figures(cell.text))
            core = _fact_name(row[name].text.strip())
            if len(figures) != 1 or figures[0].text != cell.text.strip() or len(core) < _SHORTEST_NAME - 1:
                continue
            if not _GENERIC.search(core):
                yield _Fact(core, replace(figures[0], start=cell.start), *row_span(row), number)


def _two_scores(page: Page) -> Iterator[Discrepancy]:
    """Yield the score of the whole where the text tells it with another value than the score sheet."""
    scores = own_scores(page)
    sheet = [
        figure for figure in scores if figure.what == "总分" and "分" not in page.report.text[figure.start : figure.end]
    ]
    for figure in sheet[:1] if len({figure.value for figure in sheet}) == 1 else ():
        others = [other for other in scores if other not in sheet]
        if others and all(other.value != figure.value for other in others) and len({o.value for o in others}) == 1:
            other = others[0]
            if abs(other.value - figure.value) > _SCORE_REACH:
                continue
            message = f"总分前后不一：文中写{other.text}，评分表合计写{figure.text}"
            line = page.report.text.rfind("\n", 0, figure.start) + 1
            spans = ((page.start_of(other), other.end), (line, figure.start + len(figure.text) - 1))
            yield page.say(DiscrepancyKind.CONFLICT, message, figure.text, other.text, *sorted(spans))
