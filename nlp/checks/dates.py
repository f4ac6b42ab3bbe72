"""Dates that cannot follow each other."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from nlp.checks.grids import Span
from nlp.checks.page import Page, Sentence
from nlp.figures import parse_numeral
from nlp.records import Discrepancy, DiscrepancyKind

_AUTUMN = 9  # a year is evaluated in the spring and summer of the next
_EARLIEST_SIGNED = 11  # a report of a year is not signed before this month of it
_LONGEST_SIGNATURE = 60  # characters; a longer line is no date under a report
_YEAR = r"20\d\d|二[〇○零]\w{2}"
_DATE = re.compile(
    rf"(?:(?P<year>{_YEAR})\s?年)?\s?(?P<month>1[0-2]|[1-9]|0[1-9]|[一二三四五六七八九十]{{1,2}})\s?月(?:份)?"
    r"(?:(?P<day>\d{1,2}|[一二三四五六七八九十]{1,3})\s?日|(?P<part>上旬|中旬|下旬|底|末|初))?"
)
_SIGNED = re.compile(rf"(?:.{{0,20}}[:：]|.{{0,30}}?)\s?(?P<date>(?:{_YEAR})\s?年\s?\S{{1,2}}\s?月\s?\S{{1,3}}\s?日)")
_FILLED_IN = re.compile(r"(?:填报|填表|报告|编制|评价)日期[:：\t\s]{1,3}(?P<date>20\d\d年\d{1,2}月\d{1,2}日)")
_PARTS = {"上旬": (1, 10), "初": (1, 10), "中旬": (11, 20), "下旬": (21, 31), "底": (21, 31), "末": (21, 31)}
_EVALUATED = re.compile(r"自评|评价|评审|复核|核查")
_DONE = re.compile(r"(?!前|底前|以前|之前)[^。；]{0,8}(?:完成|结束|形成|提交|审议|审定|召开|汇总|复核|定稿|评审)")
_NOT_YET = re.compile(r"前公开|公开|拟|计划|将于|下一步|整改|应于|要求|预计|上报|网站")
_OPENING = 200  # characters in which a report says of which year it is
_LOOKS_BACK = re.compile(r"自评|评价|决算|总结|整改")
_WITHIN_YEAR = re.compile(
    r"[上下]半年|季度|1\s?[-—–~～至]\s?[3-9]\s?月|运行监控|绩效监控|中期|绩效目标(?:申报|批复|公开|表)|预算(?:编制|公开)"
)
_BEGUN = re.compile(r"开工|动工|进场施工|开始施工|启动建设")
_ACCEPTED = re.compile(r"验收|竣工|完工|交付使用|投入使用")
# What stands between 开工 and the date of 验收 of the same work, and behind that date.
_THEN = re.compile(
    rf"[^，；]{{0,12}}[，、](?:但|却|并|又|已|即|其后|随后)*[于在]?(?P<dated>(?:{_ACCEPTED.pattern})(?:时间|日期)?[为于是：:]?)?"
)
_DONE_THEN = re.compile(rf"(?:就|便|即|已|正式|顺利|全部|全面|整体|组织|完成|通过)*(?:{_ACCEPTED.pattern})(?!的)")
_CLAUSE_END = r"[，。；、\d]"


@dataclass(frozen=True, slots=True)
class _Day:
    """A date that may be told by month alone: the first and the last day that it may be."""

    text: str
    first: date
    last: date
    start: int
    end: int


def _days(text: str, start: int, year: int | None = None) -> Iterator[_Day]:
    """Yield the dates of a text; a year that is not told is the one told before it, and before the first the given one."""
    for match in _DATE.finditer(text):
        if match["year"]:
            year = _whole(match["year"])
        month, day = _whole(match["month"]), _whole(match["day"] or "")
        if year is None or month is None or (match["day"] and day is None):
            continue
        low, high = (day, day) if day else _PARTS.get(match["part"] or "", (1, 31))
        first, last = (
            _calendar(year, month, low or 1),
            _calendar(year, month, min(high or 31, _month_length(year, month))),
        )
        if first and last:
            yield _Day(match.group().strip(), first, last, start + match.start(), start + match.end())


def _whole(text: str) -> int | None:
    """Return the value of digits or of a Chinese numeral; ``None`` where a text is neither."""
    return int(text) if text.isascii() and text.isdigit() else parse_numeral(text.replace("○", "〇"))


def _calendar(year: int, month: int, day: int) -> date | None:
    """Return a day; ``None`` where the calendar has none."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_length(year: int, month: int) -> int:
    """Return the number of days of a month; 31 of one that there is not."""
    return monthrange(year, month)[1] if _calendar(year, month, 1) else 31


def signatures(page: Page) -> Iterator[Discrepancy]:
    """Yield a signature before the year that the report tells of is over, and one before its evaluation ended."""
    signed = _signature(page.report.text)
    if signed is not None:
        yield from _before_end_of_year(page, signed)
        yield from _before_evaluation(page, signed)


def _before_end_of_year(page: Page, signed: _Day) -> Iterator[Discrepancy]:
    """Yield a signature before the year is over that the title or the opening names."""
    year = page.report.identity.year
    opening = page.report.text[:_OPENING]
    named = f"{page.report.identity.title}\n{opening}"
    told = re.search(rf"{year}\s?年(?!\s?\d{{1,2}}\s?月)", named)
    if year is None or told is None or "\n" not in opening:
        return
    if _WITHIN_YEAR.search(named) or not _LOOKS_BACK.search(named):
        return
    if signed.last.year < year or (signed.last.year == year and signed.last.month < _EARLIEST_SIGNED):
        message = f"报告写的是{year}年度，落款却是{signed.text}"
        yield page.say(DiscrepancyKind.DATE, message, f"{year}年之后", signed.text, (signed.start, signed.end))


def _before_evaluation(page: Page, signed: _Day) -> Iterator[Discrepancy]:
    """Yield a signature before the first end of an evaluation that the text above it tells of."""
    for sentence in page.sentences:
        if not _EVALUATED.search(sentence.heading + sentence.text) or signed.start < sentence.start:
            continue
        for name, day, span in _ends_of_evaluation(page, sentence):
            if signed.last < day.first:
                message = f"落款{signed.text}早于文中所写的自评{name}时间{day.text}"
                spans = span, (signed.start, signed.end)
                yield page.say(DiscrepancyKind.DATE, message, f"{day.text}之后", signed.text, *spans)
                return


def _ends_of_evaluation(page: Page, sentence: Sentence) -> Iterator[tuple[str, _Day, Span]]:
    """Yield what a sentence calls the end of the evaluation (结束, 完成), the day, and where it says so."""
    text, year = page.report.text, page.report.identity.year
    spring = year + 1 if year is not None else None  # where no year is told, a year is evaluated in the next one
    days = [
        day
        for day in _days(sentence.text, sentence.start, spring)
        if "年" in day.text or (day.first == day.last and day.first.month < _AUTUMN)
    ]
    for left, right in pairwise(days):
        clause = text[_clause_from(text, left.start) : right.end + 12]
        is_period = re.fullmatch(r"起?[，]?(?:至|到|[-—–~～]{1,2})", text[left.end : right.start])
        if is_period and _EVALUATED.search(clause) and not _NOT_YET.search(clause):
            yield "结束", right, (left.start, right.end)
    for day in days:
        behind = text[day.end : day.end + 14]
        if _DONE.match(behind) and _EVALUATED.search(sentence.heading + behind) and not _NOT_YET.search(behind):
            yield "完成", day, (day.start, day.end)


def _clause_from(text: str, offset: int) -> int:
    """Return where the clause begins that an offset is in."""
    return max(text.rfind(sign, 0, offset) for sign in "，。；\n") + 1


def _signature(text: str) -> _Day | None:
    """Return the date under the report, or the one in its field 填报日期; ``None`` where it has neither."""
    found: _Day | None = None
    position = 0
    for line in text.split("\n"):
        match = _SIGNED.fullmatch(line.strip()) if len(line) < _LONGEST_SIGNATURE and "\t" not in line else None
        if match and not re.search(r"[，。；]|发布|来源", line):
            found = next(_days(line, position), None) or found
        position += len(line) + 1
    if found is None and (field := _FILLED_IN.search(text)):
        return next(_days(field["date"], field.start("date")), None)
    return found


def orders_of_dates(page: Page) -> Iterator[Discrepancy]:
    """Yield periods that end before they begin, and what was accepted before it was begun."""
    for sentence in page.sentences:
        days = list(_days(sentence.text, sentence.start, page.report.identity.year))
        for left, right in pairwise(days):
            joined = page.report.text[left.end : right.start]
            if joined in {"至", "到", "—", "-", "～", "~"} and right.last < left.first and "年" in right.text:
                message = f"起止时间颠倒：{left.text}至{right.text}"
                yield page.say(DiscrepancyKind.DATE, message, f"{left.text}之后", right.text, (left.start, right.end))
        begun = [day for day in days if _is_day_of(_BEGUN, page, day)]
        ended = [day for day in days if _is_day_of(_ACCEPTED, page, day) and day not in begun]
        if len(begun) == len(ended) == 1 and _are_of_one_work(page, *begun, *ended) and ended[0].last < begun[0].first:
            message = f"{ended[0].text}验收（完工）早于{begun[0].text}开工"
            span = begun[0].start, ended[0].end
            yield page.say(DiscrepancyKind.DATE, message, f"{begun[0].text}之后", ended[0].text, span)


def _are_of_one_work(page: Page, begun: _Day, ended: _Day) -> bool:
    """Return whether the end of a work is told right behind its beginning, with no other work named between or after."""
    text = page.report.text
    then = _THEN.fullmatch(text, begun.end, max(begun.end, ended.start))
    return then is not None and (then["dated"] is not None or _DONE_THEN.match(text, ended.end) is not None)


def _is_day_of(event: re.Pattern[str], page: Page, day: _Day) -> bool:
    """Return whether the words around a date say that something happened then."""
    behind = re.split(_CLAUSE_END, page.report.text[day.end : day.end + 14])[0]
    before = re.split(_CLAUSE_END, page.report.text[max(0, day.start - 10) : day.start])[-1]
    if re.search(r"[前未]|计划|应|拟|要求", before + behind):
        return False
    dated = re.search(rf"(?:{event.pattern})(?:时间|日期)?[为于是：:]?$", before)
    return dated is not None or event.search(behind) is not None
