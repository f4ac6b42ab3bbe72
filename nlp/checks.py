"""Figures and dates of a report that contradict each other; when in doubt, none.

Each check asks first whether any plausible reading makes the figures agree, and only then says that they do not. What is
said must be worth a reviewer's walk to the file: a sum that is off by rounding, a list that may leave something out, a
figure that may be about another year or another office is passed over.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import accumulate, pairwise

from nlp.figures import Figure, find_figures, parse_numeral, print_like
from nlp.records import Discrepancy, DiscrepancyKind, Report

Span = tuple[int, int]

# A list that leaves out the rest ("其中") is held against its total only where a slip of the pen would explain it: the
# parts come to within these shares of the total. Chosen on every other one of our own reports.
_LEAST_COVERED, _MOST_COVERED, _NEARLY = Decimal("0.95"), Decimal("1.12"), Decimal("0.01")
# Further off than this, it is our reading of the list that is wrong.
_TABLE_LESS, _TABLE_MORE = Decimal("0.8"), Decimal("1.25")
_WILDLY_LESS, _WILDLY_MORE = Decimal("0.5"), Decimal(2)
_PAIR_REACH = Decimal(
    "0.1"
)  # 基本支出 and 项目支出 further off than this from the amount before them belong to another one
_FEWEST_PARTS, _LONGEST_LIST = 2, 60
_FURTHEST_PART = 4 * _LONGEST_LIST  # figures between the first and the last part
_LONGEST_ITEM = 60  # characters between two parts of a list
_TOTALS_BEFORE = 12
_WIDEST = 40  # columns; a wider sheet is no table that a report prints
# Payment below this share earns no full marks under any rule that we know of (the usual ones begin at 85 to 95 %).
_LOW_RATE = Decimal(80)
_PROSE_CELL = 15
_SMALL_COUNT = 100
_HIGHEST_RATE = 150  # above it the two amounts are not those that the rate is of
_FULL_MARKS = Decimal(100)
_MARKS_FOR_RATE = Decimal(10)  # 财预〔2020〕10号: the rate of execution gives ten points of a hundred
_LEAST_TOTAL_SCORE, _MOST_TOTAL_SCORE = Decimal(30), Decimal(150)
_SCORE_REACH = 10  # two scores further apart are of two evaluations
_TELLING_DIGITS = 3
_AUTUMN = 9  # a year is evaluated in the spring and summer of the next
_EARLIEST_SIGNED = 11  # a report of a year is not signed before this month of it
_BUSY = 60  # facts whose names end alike: beyond this the ending is too common to tell anything

_MONEY, _SHARE, _POINTS = "元", "%", "分"
_NUMBER_CELL = re.compile(
    r"(?P<number>-?(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,8})?)(?P<unit>%|分|元|万元|亿元)?"
)
_SENTENCE = re.compile(r"[^。！？\n]+[。！？]?")
_BREAKS = "，。；：、（）()《》“”！？\t\n,;:"

# ------------------------------------------------------------------------------------------------- what a report consists of


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of prose, or of a cell that holds prose, with its figures in order; all offsets are the report's.

    ``paragraph`` numbers the line or cell that it stands in; ``depths`` are the open brackets around each figure.
    """

    text: str
    start: int
    paragraph: int
    heading: str
    figures: tuple[Figure, ...]
    depths: tuple[int, ...]

    def between(self, left: int, right: int) -> str:
        """Return the characters from one offset of the report to another."""
        return self.text[max(0, left - self.start) : right - self.start]

    def clause(self, place: int) -> str:
        """Return what stands before a figure in its clause."""
        figure = self.figures[place]
        left = self.figures[place - 1].end if place else self.start
        before = self.between(left, figure.start)
        cut = max(before.rfind(sign) for sign in _BREAKS)
        return before[cut + 1 :].strip()

    def clause_start(self, place: int) -> int:
        return self.figures[place].start - len(self.clause(place))


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell: its text, where it begins, and its number with the step of its last digit, where it is one."""

    text: str
    start: int
    number: Decimal | None = None
    step: Decimal = Decimal(1)
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Rows under one head; ``heads`` are the texts above each column."""

    heads: tuple[str, ...]
    rows: tuple[tuple[_Cell, ...], ...]

    def column(self, *names: str) -> int | None:
        """Return the column whose head is or contains the first of the names that any head does."""
        for name in names:
            for exact in (True, False):
                for place, head in enumerate(self.heads):
                    if (head == name) if exact else (name in head):
                        return place
        return None


@dataclass(frozen=True, slots=True)
class _Page:
    """A report taken apart for the checks."""

    report: Report
    sentences: tuple[_Sentence, ...]
    grids: tuple[_Grid, ...]

    def quote(self, start: int, end: int) -> tuple[str | None, str, int]:
        """Return the literal text of a span with the passage that it begins in."""
        text = self.report.text[start:end]
        start += len(text) - len(text.lstrip())
        starts = [passage.start for passage in self.report.passages]
        place = bisect_right(starts, start) - 1
        holds = place >= 0 and start < self.report.passages[place].end
        return self.report.passages[place].id if holds else None, text.strip(), start

    def say(self, kind: DiscrepancyKind, message: str, expected: str, found: str, *spans: Span) -> Discrepancy:
        """Return a discrepancy that quotes the given spans."""
        return Discrepancy(kind, message, expected, found, tuple(self.quote(*span) for span in spans))


def check_report(report: Report) -> tuple[Discrepancy, ...]:
    """Return the contradictions of a report in the order of their places; empty where nothing is surely wrong.

    Looked for are: parts and total in sentences and tables; a rate and the two amounts beside it; one fact with two values;
    grade and score; scores above their maximum, scores of items and their sum, full marks for a low rate of payment; shares
    and their parts; dates that cannot follow each other. Printed rounding is respected: n parts may be off by n + 1 halves
    of a last digit.
    """
    page = _take_apart(report)
    checks: tuple[Callable[[_Page], Iterable[Discrepancy]], ...] = (
        _lists_of_sentences,
        _totals_behind,
        _pairs_of_expenditure,
        _budgets_and_changes,
        _score_lists,
        _rates_of_sentences,
        _quarters,
        _rates_of_tables,
        _sums_of_columns,
        _sums_of_rows,
        _scores_of_tables,
        _grades,
        _conflicts,
        _signatures,
        _orders_of_dates,
    )
    found = [item for check in checks for item in check(page)]
    return tuple(_told_once(sorted(found, key=lambda item: min(start for _, _, start in item.quotes))))


def _told_once(found: Iterable[Discrepancy]) -> Iterator[Discrepancy]:
    """Yield each contradiction once: two that object to the same figure at the same place are one."""
    seen: set[tuple[int, str]] = set()
    for item in found:
        keys = {(start, item.found) for _, _, start in item.quotes}
        if not keys & seen:
            yield item
        seen |= keys


def _take_apart(report: Report) -> _Page:
    sentences: list[_Sentence] = []
    grids: list[_Grid] = []
    rows: list[tuple[_Cell, ...]] = []
    headings = _headings(report)
    paragraph = 0
    position = 0
    for line in report.text.split("\n"):
        cells = tuple(_cells(line, position))
        if 1 < len(cells) <= _WIDEST:
            rows.append(cells)
        else:
            grids += _grids(rows)
            rows = []
        for cell in cells:
            if len(cells) == 1 or len(cell.text) > _PROSE_CELL:
                label = "" if len(cells) == 1 else cells[0].text  # 年度目标, before a cell of prose
                sentences += _sentences(cell.text, cell.start, paragraph, f"{headings(cell.start)} {label}")
                paragraph += 1
        position += len(line) + 1
    return _Page(report, tuple(sentences), (*grids, *_grids(rows)))


def _headings(report: Report) -> Callable[[int], str]:
    starts = [section.start for section in report.sections]

    def above(offset: int) -> str:
        place = bisect_right(starts, offset) - 1
        labels: list[str] = []
        level = 99
        while place >= 0 and level > 1:
            section = report.sections[place]
            if section.level < level and offset < section.end:
                labels.append(section.heading)
                level = section.level
            place -= 1
        return " ".join(labels)

    return above


def _cells(line: str, start: int) -> Iterator[_Cell]:
    for text in line.split("\t"):
        match = _NUMBER_CELL.fullmatch(text.strip())
        if match:
            number = match["number"].replace(",", "")
            step = Decimal((0, (1,), -len(number.partition(".")[2])))
            yield _Cell(text, start, Decimal(number), step, match["unit"] or "")
        else:
            yield _Cell(text, start)
        start += len(text) + 1


def _sentences(text: str, start: int, paragraph: int, heading: str) -> Iterator[_Sentence]:
    figures = list(find_figures(text))
    place = 0
    for match in _SENTENCE.finditer(text):
        own: list[Figure] = []
        while place < len(figures) and figures[place].start < match.end():
            own.append(replace(figures[place], start=start + figures[place].start))
            place += 1
        depths = tuple(_depths(match.group(), [figure.start - start - match.start() for figure in own]))
        yield _Sentence(match.group(), start + match.start(), paragraph, heading, tuple(own), depths)


def _depths(text: str, offsets: Sequence[int]) -> Iterator[int]:
    changes = accumulate(((sign in "（(") - (sign in "）)") for sign in text), initial=0)
    open_before = list(changes)
    for offset in offsets:
        yield open_before[offset]


# -------------------------------------------------------------------------------------------------------------- rounding


def _slack(figures: Sequence[Figure]) -> Decimal:
    """Return by how much printed rounding can put a sum of these figures off.

    A whole count is exact, and so is a whole amount among amounts with decimals in the same unit: 300万元 beside 36.40万元.
    """
    finest: dict[str, Decimal] = {}
    for figure in figures:
        unit = _unit_text(figure)
        finest[unit] = min(finest.get(unit, figure.step), figure.step)
    slack = Decimal(0)
    for figure in figures:
        whole = "." not in figure.text
        step = finest[_unit_text(figure)] if whole else figure.step
        if whole and step == 1 and figure.unit != _MONEY:
            step = Decimal(0)
        slack += step / 2
    return slack


def _unit_text(figure: Figure) -> str:
    return figure.text.lstrip("0123456789,.")


def _is_slip(one: Decimal, other: Decimal, step: Decimal) -> bool:
    """Return whether one wrong digit, or two neighbours that changed places, makes one number of the other.

    >>> _is_slip(Decimal("62.94"), Decimal("69.24"), Decimal("0.01")), _is_slip(Decimal(111), Decimal(122), Decimal(1))
    (True, False)
    """
    if one < 0 or other < 0:
        return False
    left, right = (str(int(value / step)) for value in (one, other))
    width = max(len(left), len(right))
    left, right = left.zfill(width), right.zfill(width)
    wrong = [place for place in range(width) if left[place] != right[place]]
    if len(wrong) == 1:
        return True
    neighbours = bool(wrong) and wrong[1:] == [wrong[0] + 1]
    return neighbours and left[wrong[0]] + left[wrong[1]] == right[wrong[1]] + right[wrong[0]]


def _is_slip_of_one(total: Decimal, parts: Sequence[Decimal], step: Decimal) -> bool:
    """Return whether a slip in one of the figures explains why the parts do not make the total."""
    missing = total - sum(parts)
    return _is_slip(total, sum(parts, Decimal(0)), step) or any(_is_slip(p, p + missing, step) for p in parts)


def _added(names: Sequence[str], figures: Sequence[Figure], total: Decimal) -> str:
    """Return a sum in plain words."""
    terms = [f"{name}{figure.text}" for name, figure in zip(names, figures, strict=True)]
    return f"{'＋'.join(terms)}＝{print_like(total, min(figures, key=lambda figure: figure.step))}"


# ------------------------------------------------------------------------------------------------------- lists and totals

_OPENS = re.compile(r"其中|包括|包含|分别|由|：|:|（|\(|具体|支出中|资金中|收入中")
# 项目支出中，… and 项目支出明细：…: the list names its total.
_OF_NAMED = re.compile(
    r"(?P<name>[一-鿿]{2}(?:支出|资金|收入))中|(?P<name2>[一-鿿]{2}(?:支出|资金|收入))(?:明细|构成|具体)[^，。；：]{0,6}[：:]"
)
_MADE_OF = re.compile(r"^[^，。；]{0,4}(?:组成|构成)")
_LEAVES_OUT = re.compile(r"主要|如|等(?!级|次)|重点|例如|之一|部分为")
_SEPARATED = re.compile(r"\s*(?:[、，,；;]|和|及|以及|与)")
_NO_ITEM = re.compile(
    r"合计|总计|共计|总分|总得分|小计|比上年|较上年|比去年|较去年|同比|结余|结转|缺口|剩余|执行率|支付率|到位|完成|实际|决算|调整|追加|增加|减少|超"
    r"|平均|每|占用|预算|上年|去年|不含|其余"
)
_IS_TOTAL = re.compile(
    r"(?:合计|总计|共计|总共|一共|合计为|共|总分|总得分)(?:得分?|为|是|支出|资金|金额|人数|得分)?[:：为]?$"
)
# Names that together leave nothing out.
_WHOLES = (
    ("基本支出", "项目支出"),
    ("人员经费", "公用经费"),
    ("在职", "退休"),
    ("在职", "离退休"),
    ("在编", "编外"),
    ("财政拨款", "其他收入"),
)
_SCORED = ("产出", "效益")
_LONGEST_CRITERION = 9


@dataclass(frozen=True, slots=True)
class _List:
    """Parts that stand in a row: their places in the sentence's figures, and their names."""

    sentence: _Sentence
    places: tuple[int, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(self.sentence.figures[place] for place in self.places)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_item_name(self.sentence, place) for place in self.places)

    @property
    def span(self) -> Span:
        return self.sentence.clause_start(self.places[0]), self.sentence.figures[self.places[-1]].end


def _item_name(sentence: _Sentence, place: int) -> str:
    name = re.sub(r"^.*(?:其中|包括|分别为?|由)", "", sentence.clause(place))
    return re.sub(r"^\d+[.．]|^(?:以及|[和与及])|[为共]$", "", name)


def _parts_from(sentence: _Sentence, first: int) -> tuple[int, ...]:
    """Return the places of the parts of the list that begins with a figure; what 其中 takes apart again is left out."""
    places = [first]
    gap_from = sentence.figures[first].end
    nested = False
    for place in _at_level(sentence, first):
        figure = sentence.figures[place]
        gap = sentence.between(gap_from, figure.start)
        if "其中" in gap:
            if nested:
                break
            nested, gap_from = True, figure.end
            continue
        if nested and not re.match(r"[^，、]*[；;]", gap):
            gap_from = figure.end
            continue
        nested = False
        plain = re.sub(r"[（(][^）)]*[）)]|，?占[^，；、;]*[%％]", "", gap)
        if not _SEPARATED.match(plain) or len(plain) > _LONGEST_ITEM or _NO_ITEM.search(plain):
            break
        places.append(place)
        gap_from = figure.end
    return tuple(places[:_LONGEST_LIST])


def _at_level(sentence: _Sentence, first: int) -> Iterator[int]:
    """Yield the places behind a figure that may go on with its list: same unit, no more and no fewer open brackets."""
    figures, depth, unit = sentence.figures, sentence.depths[first], sentence.figures[first].unit
    for place in range(first + 1, min(len(figures), first + _FURTHEST_PART)):
        if sentence.depths[place] < depth:
            return
        if sentence.depths[place] > depth or figures[place].unit in {_SHARE, "百分点"}:
            continue
        if figures[place].unit == unit:
            yield place
        elif re.search(r"[；;、]", sentence.between(figures[place - 1].end, figures[place].start)):
            return


def _lists_of_sentences(page: _Page) -> Iterator[Discrepancy]:
    """A total, then its parts: 全年支出5万元，其中A 3万元、B 2万元."""
    known: list[Figure] = []
    paragraph = last = -1
    for sentence in page.sentences:
        if sentence.paragraph != paragraph:
            # The line before may hold the total of a list that names it: 项目支出明细：…
            known, last = [figure for figure in known if figure.start >= last], sentence.start
            paragraph = sentence.paragraph
        done = -1
        for place, figure in enumerate(sentence.figures):
            if place <= done or figure.unit in {_SHARE, "百分点"}:
                continue
            left = sentence.figures[place - 1].end if place else sentence.start
            gap = sentence.between(left, figure.start)
            if not _OPENS.search(gap):
                continue
            parts = _List(sentence, _parts_from(sentence, place))
            if len(parts.places) < _FEWEST_PARTS:
                continue
            done = parts.places[-1]
            earlier = [*known, *sentence.figures[max(0, place - _TOTALS_BEFORE) : place]][-_TOTALS_BEFORE:]
            totals = _totals_of(sentence, place, gap, [total for total in earlier if total.unit == figure.unit])
            behind = [total for total in sentence.figures[done + 1 : done + 3] if total.unit == figure.unit]
            if totals:
                yield from _judge_list(page, parts, totals, behind, gap)
        known = [*known, *sentence.figures][-_TOTALS_BEFORE:]


def _totals_of(sentence: _Sentence, place: int, gap: str, earlier: list[Figure]) -> list[Figure]:
    """Return the figures that a list may add up to, the one that is meant last; empty where none is sure to be."""
    named = _OF_NAMED.search(gap)
    if named and "其中" not in gap:
        meant = [figure for figure in earlier if figure.what and figure.what.endswith(named["name"] or named["name2"])]
        return [*earlier, meant[-1]] if meant else []
    begins_line = place == 0 and sentence.text.startswith(gap) and not sentence.depths[0]
    return [] if begins_line and (not earlier or "其中" not in gap) else earlier


def _judge_list(
    page: _Page, parts: _List, totals: Sequence[Figure], behind: Sequence[Figure], gap: str
) -> Iterator[Discrepancy]:
    figures = parts.figures
    total = totals[-1]
    if any(figure.vague or figure.to is not None for figure in (*figures, total)):
        return
    sums = [*accumulate(figure.value for figure in figures)][1:]
    for count, found in enumerate(sums, 2):
        slack = _slack((*figures[:count], total))
        agrees = next((t for t in reversed([*totals, *behind]) if abs(t.value - found) <= slack), None)
        if agrees is not None:
            if count == len(figures):
                yield from _shares_of_parts(page, parts, agrees)
            return
    sentence = parts.sentence
    tail = sentence.between(figures[-1].end, figures[-1].end + 8)
    exhaustive = ("由" in gap and _MADE_OF.match(tail) is not None) or _is_whole(parts.names)
    if not exhaustive and (_LEAVES_OUT.search(gap) or re.match(r"等(?!级|次)", tail)):
        return
    if not _surely_differ(total, figures, exhaustive=exhaustive):
        return
    yield _wrong_sum(page, parts, total, (_start_of(page, total), figures[-1].end))


def _start_of(page: _Page, figure: Figure) -> int:
    """Return where the clause of a figure begins."""
    text = page.report.text
    start = figure.start
    while start > 0 and figure.start - start < _LONGEST_ITEM and text[start - 1] not in "，。；：！？\n\t":
        start -= 1
    return start


def _is_whole(names: Sequence[str]) -> bool:
    joined = [names] if len(names) == len(_WHOLES[0]) else []
    return any(
        all(word in name for word, name in zip(whole, pair, strict=True)) for pair in joined for whole in _WHOLES
    )


def _surely_differ(total: Figure, parts: Sequence[Figure], *, exhaustive: bool) -> bool:
    """Return whether the parts, which do not make the total, were surely meant to."""
    values = [part.value for part in parts]
    if total.value <= 0:
        return False
    covered = sum(values, Decimal(0)) / total.value
    if exhaustive:
        return _WILDLY_LESS < covered < _WILDLY_MORE
    if total.value < _SMALL_COUNT and total.unit not in {_MONEY, _POINTS}:
        return False
    if abs(covered - 1) < _NEARLY:
        return True
    if total.unit == _MONEY and 1 < covered <= _MOST_COVERED:
        return True  # amounts of one list seldom overlap, so they cannot be more than the whole
    step = min(figure.step for figure in (total, *parts))
    return _LEAST_COVERED <= covered <= _MOST_COVERED and _is_slip_of_one(total.value, values, step)


def _wrong_sum(page: _Page, parts: _List, total: Figure, span: Span) -> Discrepancy:
    figures = parts.figures
    found = sum((figure.value for figure in figures), Decimal(0))
    off = print_like(abs(found - total.value), min((total, *figures), key=lambda figure: figure.step))
    message = f"{_added(parts.names, figures, found)}，报告写{total.what}{total.text}，相差{off}"
    return page.say(DiscrepancyKind.SUM, message, print_like(found, total), total.text, span)


def _shares_of_parts(page: _Page, parts: _List, total: Figure) -> Iterator[Discrepancy]:
    """Yield shares behind the parts of a list (占…%) that the amounts do not give."""
    sentence = parts.sentence
    for place in parts.places:
        if place + 1 >= len(sentence.figures) or total.value <= 0:
            continue
        part, share = sentence.figures[place], sentence.figures[place + 1]
        gap = sentence.between(part.end, share.start)
        if share.unit != _SHARE or share.vague or not re.fullmatch(r"[，（(]?占(?:比|总\w{0,4}|\w{0,6}的)?为?", gap):
            continue
        exact = part.value / total.value * 100
        if not _is_rounded(exact, share, part, total):
            message = f"{part.text}÷{total.text}＝{print_like(exact, share)}，报告写占{share.text}"
            yield page.say(
                DiscrepancyKind.RATE,
                message,
                print_like(exact, share),
                share.text,
                (sentence.clause_start(place), share.end),
            )


def _is_rounded(exact: Decimal, printed: Figure, above: Figure, below: Figure) -> bool:
    """Return whether a printed rate may be the exact one: cut off or rounded, from amounts that were rounded too."""
    spread = exact * (above.step / max(above.value, above.step) + below.step / below.value) / 2
    return abs(exact - printed.value) <= printed.step + spread


def _totals_behind(page: _Page) -> Iterator[Discrepancy]:
    """Parts, then their total: A 3万元、B 2万元，合计5万元."""
    for sentence in page.sentences:
        for place, total in enumerate(sentence.figures):
            if place < _FEWEST_PARTS or total.vague or not _IS_TOTAL.search(sentence.clause(place)):
                continue
            parts = _parts_before(sentence, place)
            if len(parts.places) < _FEWEST_PARTS or any(
                figure.vague or figure.to is not None for figure in parts.figures
            ):
                continue
            figures = parts.figures
            tails = [figures[i:] for i in range(len(figures) - 1)]
            sums = [sum((figure.value for figure in tail), Decimal(0)) for tail in tails]
            if any(abs(found - total.value) <= _slack((*tail, total)) for found, tail in zip(sums, tails, strict=True)):
                continue
            if total.unit == _POINTS and sums[0] == _FULL_MARKS:
                continue  # what could be reached, not what was
            nearest = min(range(len(sums)), key=lambda i: abs(sums[i] - total.value))
            kept = _List(sentence, parts.places[nearest:])
            if _surely_differ(total, kept.figures, exhaustive=True):
                yield _wrong_sum(page, kept, total, (kept.span[0], total.end))


def _parts_before(sentence: _Sentence, last: int) -> _List:
    """Return the list that ends before a total."""
    figures, depth = sentence.figures, sentence.depths[last]
    places: list[int] = []
    right = last
    for place in range(last - 1, max(-1, last - _FURTHEST_PART), -1):
        if len(places) >= _LONGEST_LIST:
            break
        if sentence.depths[place] > depth or figures[place].unit in {_SHARE, "百分点"}:
            continue
        if sentence.depths[place] < depth or figures[place].unit != figures[last].unit:
            break
        gap = sentence.between(figures[place].end, figures[right].start)
        plain = re.sub(r"[（(][^）)]*[）)]", "", gap)
        if not re.search(r"[、，,；;和及与]", gap):
            break  # 15分得12分
        if right != last and ("其中" in plain or len(plain) > _LONGEST_ITEM):
            break
        if right != last and _NO_ITEM.search(plain):
            return _List(sentence, ())  # where the list begins is not sure
        places.append(place)
        right = place
    return _List(sentence, tuple(reversed(places)))


def _pairs_of_expenditure(page: _Page) -> Iterator[Discrepancy]:
    """基本支出 and 项目支出 make the expenditure that was named before them, also across a full stop."""
    before: _Sentence | None = None
    for sentence in page.sentences:
        near = before if before and before.paragraph == sentence.paragraph else None
        before = sentence
        pair = [_place_named(sentence, name) for name in _WHOLES[0]]
        if pair[0] is None or pair[1] is None or not pair[0] < pair[1]:
            continue
        parts = _List(sentence, (pair[0], pair[1]))
        one, other = parts.figures
        if one.unit != other.unit or one.vague or other.vague or "预算" in sentence.clause(pair[1]):
            continue
        every = [*(near.figures if near else ()), *sentence.figures]
        totals = [figure for figure in every if figure.unit == one.unit and figure.start < one.start]
        found = one.value + other.value
        if not totals or any(
            abs(figure.value - found) <= _slack((one, other, figure)) for figure in every if figure.unit == one.unit
        ):
            continue
        total = totals[-1]
        named = re.search(
            r"支出|执行|决算|支付|资金|总额|合计", total.what + page.report.text[total.start - 8 : total.start]
        )
        near_enough = abs(found - total.value) <= total.value * _PAIR_REACH
        if named and not total.vague and near_enough:
            yield _wrong_sum(page, parts, total, (_start_of(page, total), other.end))


def _place_named(sentence: _Sentence, name: str) -> int | None:
    places = [
        place
        for place, figure in enumerate(sentence.figures)
        if figure.unit == _MONEY and re.search(rf"{name}(?:决算数?|为|共|共计|合计)?$", sentence.clause(place))
    ]
    return places[0] if len(places) == 1 else None


_INITIAL = re.compile(r"年初.{0,6}预算数?.{0,4}$|初始预算数?为?$")
_FULL = re.compile(
    r"(?:全年预算|调整后.{0,2}预算|全年预算数|预算调整数为|调整预算数)(?:数|总额|额)?(?:为|达|达到|共|共计|增至|是)?$"
)
_RAISED = re.compile(r"追加|调增|增加|新增|调整增加|净增")
_LOWERED = re.compile(r"调减|核减|压减|减少|收回|调整减少")
_ADJUSTED = re.compile(r"调整(?:数|额|资金)?(?:为)?$")
_SPENT_NAME = re.compile(r"支出|支付|执行|使用|拨付|决算|发放|投入|列支")
_LEFT = re.compile(r"^(?:年末|资金|形成)?(?:结余结转|结转结余|结余|剩余|结余资金|剩余资金|结转)(?:金额|资金)?(?:为)?$")


def _budgets_and_changes(page: _Page) -> Iterator[Discrepancy]:
    """年初预算 and what was added make 全年预算; 预算 less 支出 leaves 结余."""
    for sentence in page.sentences:
        money = [place for place, figure in enumerate(sentence.figures) if figure.unit == _MONEY]
        for run in (money[i : i + 3] for i in range(len(money) - 2)):
            figures = [sentence.figures[place] for place in run]
            clauses = [sentence.clause(place) for place in run]
            if any(figure.vague or figure.to is not None for figure in figures):
                continue
            first, change, last = figures
            if _INITIAL.search(clauses[0]) and _FULL.search(clauses[2]):
                sign = -1 if _LOWERED.search(clauses[1]) else 1 if _RAISED.search(clauses[1]) else 0
                sign = sign or (1 if _ADJUSTED.search(clauses[1]) else 0)
                wanted = first.value + sign * change.value
                both_ways = _ADJUSTED.search(clauses[1]) is not None
            elif _budget_name(clauses[0]) and _SPENT_NAME.search(clauses[1]) and _LEFT.search(clauses[2]):
                sign, both_ways = -1, False
                wanted = first.value - change.value
            else:
                continue
            slack = _slack(figures)
            agrees = abs(wanted - last.value) <= slack or (
                both_ways and abs(first.value - change.value - last.value) <= slack
            )
            steps = min(figure.step for figure in figures)
            parts = (first.value, sign * change.value)
            slip = any(
                _is_slip(value, other, steps)
                for value, other in ((last.value, wanted), (first.value, last.value - parts[1]), (change.value, abs(last.value - first.value)))
            )  # fmt: skip
            if sign and not agrees and slip:
                names = [sentence.figures[place].what for place in run]
                operator = "＋" if sign > 0 else "－"
                exact = print_like(wanted, last)
                message = (
                    f"{names[0]}{first.text}{operator}{names[1]}{change.text}＝{exact}，报告写{names[2]}{last.text}"
                )
                yield page.say(
                    DiscrepancyKind.SUM, message, exact, last.text, (sentence.clause_start(run[0]), last.end)
                )


# ------------------------------------------------------------------------------------------------------------------ rates

_RATE_NAME = re.compile(
    r"(?:预算)?(?:执行|支付|支出|拨付|到位|使用|结算|兑付|完成)(?:率|进度|比例)(?:仅|只有?|仅为|约?为|达到?|是|写作|：|只)*$"
    r"|完成(?:了)?(?:年初|全年|年度|调整)?预算的$"
)
_COUNT_RATE_NAME = re.compile(r"(?:完成|回收|办结|处置|合格|有效|整改|达标|入住|覆盖)率(?:仅|只有?|仅为|为|达到?|是)*$")
_BUDGET_NAME = re.compile(r"预算|安排|下达|批复|计划|概算|总投资|指标|应到位|合同")
_OTHER_TIME = re.compile(
    r"上年|去年|前年|往年|上半年|一季度|前三季度|截至\d{1,2}月|\d{1,2}月底|\d{1,2}月末|目标|比上|较上|同期"
)


def _budget_name(clause: str) -> bool:
    return bool(_BUDGET_NAME.search(clause)) and not re.search(
        r"(?:支出|支付|执行|使用|决算)(?:数|金额|资金|额)?(?:为|共)?$", clause
    )


def _spent_name(clause: str) -> bool:
    return bool(_SPENT_NAME.search(clause) or "到位" in clause) and not re.search(
        r"预算(?:数|金额|安排|资金)?(?:为|共)?$|应到位", clause
    )


def _rates_of_sentences(page: _Page) -> Iterator[Discrepancy]:
    """预算, 支出 and the rate that they make."""
    before: _Sentence | None = None
    for sentence in page.sentences:
        known = before.figures if before and before.paragraph == sentence.paragraph else ()
        before = sentence
        for place in range(2, len(sentence.figures)):
            pair = _amounts_of_rate(sentence, place)
            if pair is None:
                continue
            rate, (budget, spent) = sentence.figures[place], pair
            near = [*known, *sentence.figures[:place]][-_TOTALS_BEFORE:]
            amounts = [figure for figure in near if figure.unit == budget.unit and figure.value > 0]
            if any(_is_rounded(a.value / b.value * 100, rate, a, b) for a in amounts for b in amounts if a is not b):
                continue
            exact = spent.value / budget.value * 100
            sure = budget.unit == _MONEY or _is_slip(exact.quantize(rate.step), rate.value, rate.step)
            if exact <= _HIGHEST_RATE and sure:
                printed = print_like(exact, rate)
                message = f"{spent.text}÷{budget.text}＝{printed}，报告写{rate.what}{rate.text}"
                span = sentence.clause_start(place - 2), rate.end
                yield page.say(DiscrepancyKind.RATE, message, printed, rate.text, span)


def _amounts_of_rate(sentence: _Sentence, place: int) -> tuple[Figure, Figure] | None:
    """Return budget and expenditure, or a count and what was done of it, that stand right before their rate."""
    rate, clause = sentence.figures[place], sentence.clause(place)
    first, second = sentence.figures[place - 2 : place]
    if rate.unit != _SHARE or rate.vague or rate.to is not None or rate.change or first.unit != second.unit:
        return None
    if first.vague or second.vague or not first.value or not second.value:
        return None
    if _OTHER_TIME.search(clause) or _OTHER_TIME.search(sentence.between(first.end, rate.start)):
        return None
    if first.unit == _MONEY:
        return _budget_and_spent(sentence, place) if _RATE_NAME.search(clause) else None
    counted = first.unit not in {_SHARE, _POINTS} and first.value >= second.value and _COUNT_RATE_NAME.search(clause)
    return (first, second) if counted else None


def _budget_and_spent(sentence: _Sentence, place: int) -> tuple[Figure, Figure] | None:
    """Return budget and expenditure that stand right before a rate."""
    clauses = sentence.clause(place - 2), sentence.clause(place - 1)
    first, second = sentence.figures[place - 2 : place]
    if _budget_name(clauses[0]) and _spent_name(clauses[1]):
        return first, second
    if _spent_name(clauses[0]) and _budget_name(clauses[1]):
        return second, first
    return None


def _quarters(page: _Page) -> Iterator[Discrepancy]:
    """The shares of the four quarters make 100 %."""
    for sentence in page.sentences:
        shares = [place for place, figure in enumerate(sentence.figures) if figure.unit == _SHARE]
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


# ----------------------------------------------------------------------------------------------------------------- tables

_HEAD_WORDS = re.compile(
    r"项目|指标|预算|执行|得分|分值|金额|决算|科目|序号|合计|单位|名称|支出|收入|类别|内容|数量|年度|备注|完成|时间|人数|比例|率$"
)
_TOTAL_ROW = re.compile(r"(?:合计|总计|共计|总分|总得分|总分合计|合\s计|总\s计)(?:[（(].*[）)])?")
_SUBTOTAL_ROW = re.compile(r".*(?:小计|合计|总计|总分)(?:[（(].*[）)])?")
_CODES = re.compile(r"科目编码|^类$|^款$|编码|经济分类")
_NO_ADDING = re.compile(
    r"率|比例|占比|单价|平均|序号|编号|年度指标值|完成值|目标值|备注|进度|增减|%|年份|时间|排名|比重|指标值"
)
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
_SPENT_HEADS = (
    "全年执行数",
    "执行数",
    "实际支出",
    "支出数",
    "决算数",
    "支付数",
    "实际支付",
    "已支付",
    "支付",
    "执行",
    "支出",
    "到位",
)
_RATE_HEAD = re.compile(r"(?:执行|支付|支出|拨付|到位|使用)(?:率|进度|比例)")
_POINTS_HEADS = ("分值", "满分", "标准分", "权重分", "分数")
_SCORE_HEADS = ("得分", "自评得分", "自评分", "评分", "评价得分")
_ACTUAL_HEADS = ("实际完成值", "全年实际完成值", "完成值", "实际值", "实际完成", "完成情况", "全年完成值", "执行率")
_NAME_HEADS = ("三级指标", "指标名称", "绩效指标", "项目名称", "项目", "项目类别", "指标内容", "名称", "二级指标")


def _grids(rows: Sequence[tuple[_Cell, ...]]) -> Iterator[_Grid]:
    """Yield the grids of rows that follow each other: a row of words with a word of a head begins a new one."""
    heads: list[tuple[_Cell, ...]] = []
    body: list[tuple[_Cell, ...]] = []
    for row in rows:
        if _is_head(row):
            if body:
                yield _Grid(_joined(heads), tuple(body))
                heads, body = [], []
            heads.append(row)
        elif heads:
            body.append(row)
    if body:
        yield _Grid(_joined(heads), tuple(body))


def _is_head(row: Sequence[_Cell]) -> bool:
    filled = [cell for cell in row if cell.text.strip()]
    texts = [cell.text for cell in filled if cell.number is None and len(cell.text) <= _PROSE_CELL]
    named = sum(bool(_HEAD_WORDS.search(text)) for text in texts)
    return (
        len(filled) > 1
        and len(texts) == len(filled)
        and named * 2 >= len(filled)
        and not re.search(r"\d", "".join(texts[1:]))
    )


def _joined(heads: Sequence[Sequence[_Cell]]) -> tuple[str, ...]:
    width = max(len(row) for row in heads)
    columns: list[str] = []
    for place in range(width):
        texts = [
            re.sub(r"\s|[（(](?:万元|亿元|元|分|%)[）)]", "", row[place].text) for row in heads if place < len(row)
        ]
        columns.append("".join(dict.fromkeys(text for text in texts if text)))
    return tuple(columns)


def _row_span(row: Sequence[_Cell]) -> Span:
    return row[0].start, row[-1].start + len(row[-1].text)


def _row_name(row: Sequence[_Cell]) -> str:
    return next((cell.text.strip() for cell in row if cell.text.strip() and cell.number is None), "")


def _number(row: Sequence[_Cell], column: int | None) -> _Cell | None:
    if column is None or column >= len(row) or row[column].number is None:
        return None
    return row[column]


def _printed(value: Decimal, cell: _Cell) -> str:
    places = -int(cell.step.as_tuple().exponent)
    return f"{value:.{places}f}{cell.unit}"


def _rates_of_tables(page: _Page) -> Iterator[Discrepancy]:
    """Budget, expenditure and rate in one row, where most rows of the table bear out that these are the columns."""
    for grid in page.grids:
        rate_column = next((i for i, head in enumerate(grid.heads) if _RATE_HEAD.search(head)), None)
        budgets = [i for i, head in enumerate(grid.heads) if "预算" in head or head in _BUDGET_HEADS]
        spents = [
            i
            for i, head in enumerate(grid.heads)
            if i not in {*budgets, rate_column} and any(name in head for name in _SPENT_HEADS)
        ]
        if rate_column is None or not budgets or not spents:
            continue
        wrong: list[tuple[tuple[_Cell, ...], _Cell, _Cell, _Cell]] = []
        right = 0
        for row in grid.rows:
            rate = _number(row, rate_column)
            pairs = [
                (s, b)
                for i in spents
                for j in budgets
                if (s := _number(row, i)) and (b := _number(row, j)) and b.number
            ]
            if rate is None or rate.number is None or not pairs:
                continue
            if any(_fits(rate, spent, budget) for spent, budget in pairs):
                right += 1
            else:
                best = next((j for name in _BUDGET_HEADS for j in budgets if grid.heads[j] == name), budgets[-1])
                spent, budget = next((pair for pair in pairs if pair[1] is _number(row, best)), pairs[0])
                wrong.append((row, rate, spent, budget))
        if len(wrong) > max(1, right):
            continue
        for row, rate, spent, budget in wrong:
            assert spent.number is not None
            assert budget.number is not None
            exact = _printed(spent.number / budget.number * 100, rate)
            message = f"{_row_name(row)}：{spent.text}÷{budget.text}＝{exact}，表中写{rate.text}"
            yield page.say(DiscrepancyKind.RATE, message, exact, rate.text.strip(), _row_span(row))


def _fits(rate: _Cell, spent: _Cell, budget: _Cell) -> bool:
    assert rate.number is not None
    assert spent.number is not None
    assert budget.number
    exact = spent.number / budget.number * 100
    spread = exact * (spent.step / max(spent.number, spent.step) + budget.step / budget.number) / 2
    scales = (Decimal(1),) if rate.unit == _SHARE else (Decimal(1), Decimal(100))
    return any(abs(exact - rate.number * scale) <= rate.step * scale + spread for scale in scales)


def _sums_of_columns(page: _Page) -> Iterator[Discrepancy]:
    """The row 合计 and the rows that it adds up."""
    for grid in page.grids:
        if any(_CODES.search(head) for head in grid.heads) or _is_side_by_side(grid):
            continue
        if any(_row_name(row).startswith("其中") for row in grid.rows):
            continue
        ends = [i for i, row in enumerate(grid.rows) if _SUBTOTAL_ROW.fullmatch(_row_name(row))]
        has_subtotals = len(ends) > _FEWEST_PARTS and bool(_TOTAL_ROW.fullmatch(_row_name(grid.rows[ends[-1]])))
        if has_subtotals and ends[-2] == ends[-1] - 1:
            yield from _grand_total(page, grid, ends)
        for end in ends[:-1] if has_subtotals else ends:
            rows = _rows_added(grid, ends, end)
            if len(rows) > 1:
                yield from _judge_row(page, grid, grid.rows[end], rows)


def _is_side_by_side(grid: _Grid) -> bool:
    named = [head for head in grid.heads if head]
    return len(named) != len(set(named)) or any(
        sum(bool(_SUBTOTAL_ROW.fullmatch(cell.text.strip())) for cell in row) > 1 for row in grid.rows
    )


def _rows_added(grid: _Grid, ends: Sequence[int], end: int) -> list[tuple[_Cell, ...]]:
    """Return the rows that a total adds up: those since the total before it, or behind it where it stands first."""
    if len(ends) == 1:
        return [*grid.rows[:end], *(grid.rows[end + 1 :] if end == 0 else ())]
    above = bisect_left(ends, end) - 1
    return list(grid.rows[ends[above] + 1 if above >= 0 else 0 : end])


def _grand_total(page: _Page, grid: _Grid, ends: Sequence[int]) -> Iterator[Discrepancy]:
    """The last total, which must be the sum of those above it or, where one of these is wrong, of the rows."""
    total = grid.rows[ends[-1]]
    above = [grid.rows[i] for i in ends[:-1]]
    known = set(ends)
    items = [row for i, row in enumerate(grid.rows) if i not in known]
    wrong = list(_judge_row(page, grid, total, above))
    if wrong and len(items) > 1 and list(_judge_row(page, grid, total, items)):
        yield from wrong


def _judge_row(
    page: _Page, grid: _Grid, total: tuple[_Cell, ...], rows: Sequence[tuple[_Cell, ...]]
) -> Iterator[Discrepancy]:
    judged: list[tuple[int, _Cell, Decimal, bool]] = []
    sums = {}
    for column in range(len(grid.heads)):
        cells = [cell for row in rows if (cell := _number(row, column))]
        if len(cells) > 1:
            sums[column] = cells
    for column, cells in sums.items():
        cell = _number(total, column)
        if (
            cell is None
            or cell.number is None
            or _NO_ADDING.search(grid.heads[column])
            or "%" in {c.unit for c in cells}
        ):
            continue
        agrees = any(_adds_up(cell, own) for own in (*_runs(cells), *sums.values()))
        found = sum((c.number for c in cells if c.number is not None), Decimal(0))
        judged.append((column, cell, found, agrees))
    trusted = any(agrees for *_, agrees in judged)
    for column, cell, found, agrees in judged:
        if agrees or not cell.number:
            continue
        numbers = [c.number for c in sums[column] if c.number is not None]
        step = min(c.step for c in (cell, *sums[column]))
        covered = found / cell.number
        near = _TABLE_LESS < covered < _TABLE_MORE
        slip = near and _is_slip_of_one(cell.number, numbers, step)
        if not slip and not (trusted and near) and abs(covered - 1) > _NEARLY:
            continue
        exact = _printed(found, cell)
        terms = "＋".join(c.text.strip() for c in sums[column])
        message = f"“{grid.heads[column]}”一列{terms}＝{exact}，{_row_name(total)}写{cell.text.strip()}"
        spans = (_row_span(total), *(_row_span(row) for row in rows))
        yield page.say(DiscrepancyKind.SUM, message, exact, cell.text.strip(), *spans)


def _runs(cells: Sequence[_Cell]) -> Iterator[Sequence[_Cell]]:
    """Yield the cells, and the cells with those that a merged cell repeats taken once."""
    yield cells
    yield [cell for i, cell in enumerate(cells) if not i or cell.text != cells[i - 1].text]


def _adds_up(total: _Cell, cells: Sequence[_Cell]) -> bool:
    assert total.number is not None
    found = sum((cell.number for cell in cells if cell.number is not None), Decimal(0))
    finest = min(cell.step for cell in (total, *cells))
    slack = sum((cell.step if cell.step < 1 else finest for cell in (total, *cells)), Decimal(0)) / 2
    if finest == 1 and all(cell.step == 1 for cell in (total, *cells)) and total.number < _SMALL_COUNT * 10:
        slack = Decimal(0)
    return abs(found - total.number) <= slack


def _sums_of_rows(page: _Page) -> Iterator[Discrepancy]:
    """年初预算数 and 调整数 make 全年预算数; a column 合计 is the sum of its neighbours, where most rows bear it out."""
    for grid in page.grids:
        first, change, full = (
            grid.column("年初预算数", "年初预算"),
            grid.column("调整数", "调整"),
            grid.column("全年预算数", "全年预算"),
        )
        if (
            first is not None
            and change is not None
            and full is not None
            and first not in {change, full}
            and change != full
        ):
            yield from _judge_columns(page, grid, full, (first, change), least=0)
        totals = [i for i, head in enumerate(grid.heads) if re.fullmatch(r"(?:合计|小计|总计|\w{2,6}合计)", head)]
        if len(totals) == 1 and not _is_side_by_side(grid):
            (column,) = totals
            behind = tuple(_addends(grid, range(column + 1, len(grid.heads))))
            ahead = tuple(_addends(grid, range(column - 1, -1, -1)))
            for parts in (behind, ahead):
                if len(parts) > 1:
                    yield from _judge_columns(page, grid, column, parts, least=2)


def _addends(grid: _Grid, columns: Iterable[int]) -> Iterator[int]:
    for column in columns:
        filled = [row[column] for row in grid.rows if column < len(row) and row[column].text.strip()]
        if (
            _NO_ADDING.search(grid.heads[column])
            or any(cell.number is None or cell.unit for cell in filled)
            or not filled
        ):
            return
        yield column


def _judge_columns(page: _Page, grid: _Grid, total: int, parts: Sequence[int], *, least: int) -> Iterator[Discrepancy]:
    wrong: list[tuple[tuple[_Cell, ...], _Cell, list[_Cell]]] = []
    right = 0
    for row in grid.rows:
        cell = _number(row, total)
        cells = [c for column in parts if (c := _number(row, column))]
        if cell is None or len(cells) < _FEWEST_PARTS:
            continue
        if _adds_up(cell, cells):
            right += 1
        else:
            wrong.append((row, cell, cells))
    if not wrong or right < least or len(wrong) > max(1, right):
        return
    for row, cell, cells in wrong:
        found = sum((c.number for c in cells if c.number is not None), Decimal(0))
        exact = _printed(found, cell)
        terms = "＋".join(f"{grid.heads[column]}{c.text.strip()}" for column in parts if (c := _number(row, column)))
        message = f"{_row_name(row)}：{terms}＝{exact}，表中{grid.heads[total]}写{cell.text.strip()}"
        yield page.say(DiscrepancyKind.SUM, message, exact, cell.text.strip(), _row_span(row))


# ----------------------------------------------------------------------------------------------------------------- scores

_PAYS = re.compile(r"执行率|支付率|支出率|预算执行|资金支付|支付进度|执行进度|拨付率")


def _scores_of_tables(page: _Page) -> Iterator[Discrepancy]:
    """Scores above their maximum, and full marks beside a low rate of payment."""
    for grid in page.grids:
        points, score = grid.column(*_POINTS_HEADS), grid.column(*_SCORE_HEADS)
        if points is None or score is None or points == score:
            continue
        actual = grid.column(*_ACTUAL_HEADS)
        target = grid.column("年度指标值", "指标值", "目标值", "年初目标值")
        for row in grid.rows:
            most, got = _number(row, points), _number(row, score)
            if most is None or got is None or not most.number or got.number is None:
                continue
            if got.number > most.number:
                message = f"{_row_name(row)}：得分{got.text.strip()}高于分值{most.text.strip()}"
                yield page.say(
                    DiscrepancyKind.SCORE, message, f"≤{most.text.strip()}", got.text.strip(), _row_span(row)
                )
                continue
            rate, aim = _number(row, actual), _number(row, target)
            is_rate = actual is not None and _RATE_HEAD.search(grid.heads[actual]) is not None
            named = is_rate or any(_PAYS.search(cell.text) for cell in row)
            if rate is None or rate.number is None or rate.unit != _SHARE or not named or got.number != most.number:
                continue
            if rate.number < _LOW_RATE and not (aim and aim.number is not None and aim.number <= rate.number):
                message = f"{_row_name(row)}：执行率{rate.text.strip()}，却得满分{got.text.strip()}分"
                yield page.say(
                    DiscrepancyKind.SCORE, message, f"<{most.text.strip()}", got.text.strip(), _row_span(row)
                )


_TOTAL_SCORE = re.compile(
    r"(?:总分|总得分|得分合计|综合得分|自评得分|自评总分|评价得分|综合评分|合计|总体得分|评定得分|得分|自评分|自评|一共|得)(?:合计)?(?:为|是|共|：|达|达到)?$"
)
_NOT_OWN = re.compile(r"平均|各单位|每个|上年|去年|前年|往年|低于|高于|以上|以下|三个|满分|不足|相差|扣|目标")


def _score_lists(page: _Page) -> Iterator[Discrepancy]:
    """Scores of 预算执行, 产出, 效益, 满意度 and the score that they make; 12 of 10 points; full marks for a low rate."""
    rate = _own_rate(page)
    for place, sentence in enumerate(page.sentences):
        yield from _beyond_maximum(page, sentence)
        parts = _List(sentence, tuple(_places_of_criteria(sentence)))
        names = [_criterion(sentence, i) for i in parts.places]
        if len(set(names)) != len(names) or not all(any(word in name for name in names) for word in _SCORED):
            continue
        near = [s for s in page.sentences[max(0, place - 2) : place + 3] if s.paragraph == sentence.paragraph]
        totals = [f for s in near for i, f in enumerate(s.figures) if f.unit == _POINTS and _is_total_score(s, i)]
        found = sum((figure.value for figure in parts.figures), Decimal(0))
        agrees = (
            not totals or found == _FULL_MARKS or abs(totals[0].value - found) <= _slack((*parts.figures, totals[0]))
        )
        if len(totals) == 1 and not agrees:
            total = totals[0]
            if abs(total.value - found) <= total.value / 5:
                spans = sorted((parts.span, (_start_of(page, total), total.end)))
                message = f"{_added(names, parts.figures, found)}，报告写总分{total.text}"
                yield page.say(DiscrepancyKind.SUM, message, print_like(found, total), total.text, *spans)
        for name, figure in zip(names, parts.figures, strict=True):
            if rate and name.endswith("预算执行") and figure.value == _MARKS_FOR_RATE and rate.value < _LOW_RATE:
                message = f"预算执行率{rate.text}，预算执行却得满分{figure.text}"
                spans = sorted(((_start_of(page, figure), figure.end), (_start_of(page, rate), rate.end)))
                yield page.say(DiscrepancyKind.SCORE, message, f"<{figure.text}", figure.text, *spans)


def _places_of_criteria(sentence: _Sentence) -> Iterator[int]:
    """Yield the places of the scores that stand in one row with that of 产出."""
    points = [i for i, figure in enumerate(sentence.figures) if figure.unit == _POINTS]
    depths = {sentence.depths[i] for i in points if _criterion(sentence, i).endswith("产出")}
    yield from (i for i in points if sentence.depths[i] in depths and _criterion(sentence, i))


def _criterion(sentence: _Sentence, place: int) -> str:
    """Return what a score of an item is for; empty for a score of the whole and for one that is for nothing."""
    clause = re.sub(r"^.*其中|(?:指标|情况)?(?:自评)?(?:得分?|为)?$", "", sentence.clause(place))
    return (
        ""
        if len(clause) > _LONGEST_CRITERION
        or re.search(r"总|综合|合计|自评|评价|满分|扣|年度|本次|一共|最终|得$", clause)
        else clause
    )


def _is_total_score(sentence: _Sentence, place: int) -> bool:
    clause = sentence.clause(place)
    behind = sentence.between(sentence.figures[place].end, sentence.figures[place].end + 4)
    figure = sentence.figures[place]
    return bool(
        _TOTAL_SCORE.search(clause)
        and not _criterion(sentence, place)
        and not _NOT_OWN.search(clause + behind)
        and not figure.vague
        and figure.to is None
        and _LEAST_TOTAL_SCORE <= figure.value <= _MOST_TOTAL_SCORE
    )


def _own_rate(page: _Page) -> Figure | None:
    """Return the rate of execution of the whole budget, where one is told in a sentence with 全年预算."""
    rates = {
        figure.value: figure
        for sentence in page.sentences
        for place, figure in enumerate(sentence.figures)
        if figure.unit == _SHARE
        and re.match(r"(?:全年|当年|本年|部门|年初|总体|20\d\d年|决算|实际)", sentence.text)
        and "全年" in sentence.text[: figure.start - sentence.start]
        and re.fullmatch(r"(?:部门)?(?:预算)?执行率(?:为|达)?", sentence.clause(place))
    }
    return next(iter(rates.values())) if len(rates) == 1 else None


def _beyond_maximum(page: _Page, sentence: _Sentence) -> Iterator[Discrepancy]:
    for place, (most, got) in enumerate(pairwise(sentence.figures), 1):
        if most.unit != _POINTS or got.unit != _POINTS or most.vague or got.vague:
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


# ----------------------------------------------------------------------------------------------------------------- grades

# Source: 财政部《项目支出绩效评价管理办法》（财预〔2020〕10号）第二十四条: 90至100分为优、80至90分为良、60至80分为中、60分以下为差.
_SCALE = {"优": Decimal(90), "良": Decimal(80), "中": Decimal(60), "差": Decimal(0)}
_GRADE = re.compile(
    r"(?:(?:等级|等次|档次|级别|评级|评价结果|评价结论|自评结果|自评结论|结论|结果|评定|评)(?:评定|确定|划定)?(?:为|是|属于?|：|:)?[“‘「”]?"
    r"(?P<grade>优秀|良好|优|良|中等|中|较差|差)(?:[”’」]|等|级|档)*(?=[，。；、（）()！\s]|$)"
    r"|[为属于][“‘「]?(?P<grade2>优秀?|良好?|中|差)[”’」]?(?:等级|等次|档次?)(?=[，。；、（）()！\s]|$))"
)
_GRADE_CELL = re.compile(r"(?:\w{0,4}等[级次])[：:\t]\s?[“]?(?P<grade>优秀?|良好?|中等?|差)[”]?(?=\t|\n|$)")
# 90分以上为优, 80（含）-90分为“良”; and 优（90分以上）, 良：80-89.
_OWN_SCALE = re.compile(
    r"(?P<low>\d{2,3})\s?分?(?:[（(]含[^）)]{0,5}[）)])?(?:及?以上|\s?[-—–~～至到]\s?\d{2,3}|\s?[≤<＜]\s?\S{1,4}[≤<＜]\s?\d{2,3})[^，。；、\d]{0,8}?[为是：:“‘]{1,2}(?P<grade>[优良中])"
    r"|(?P<grade2>[优良中])[秀好等]?[”’]?(?:等次|等级|档)?[为：:（(]{1,2}(?:得分)?[≥＞>]?(?P<low2>\d{2,3})"
)
_SCALE_REACH = 80  # characters between two bounds of one scale


def _grades(page: _Page) -> Iterator[Discrepancy]:
    """The grade and the score beside it."""
    scale = _scale_of(page.report.text)
    if scale is None:
        return
    every = _own_scores(page)
    own = every[:1] if len({figure.value for figure in every}) == 1 else []
    for place, sentence in enumerate(page.sentences):
        match = _GRADE.search(sentence.text)
        if (
            match is None
            or _NOT_OWN.search(sentence.text)
            or re.search(r"\d{2,3}\s?分?(?:以上|以下|[-—~至]\d{2,3})", sentence.text)
        ):
            continue
        near = [s for s in page.sentences[max(0, place - 2) : place + 1] if s.paragraph == sentence.paragraph]
        told = [f for s in near for i, f in enumerate(s.figures) if f.unit == _POINTS and _is_total_score(s, i)]
        before = [figure for figure in told if figure.start < sentence.start + match.start()]
        for score in (before or told or own)[-1:]:
            yield from _judge_grade(page, scale, score, match, sentence.start)
    for match in _GRADE_CELL.finditer(page.report.text) if own else ():
        yield from _judge_grade(page, scale, own[0], match, 0)


def _judge_grade(
    page: _Page, scale: dict[str, Decimal], score: Figure, match: re.Match[str], offset: int
) -> Iterator[Discrepancy]:
    wanted = next(name for name, least in scale.items() if score.value >= least)
    if score.value > _FULL_MARKS or wanted == _grade_of(match):
        return
    told = match.groupdict()
    printed = told["grade"] or told["grade2"]
    message = f"{score.text}按“{_told_scale(scale)}”应为“{wanted}”，报告写“{printed}”"
    spans = {(_start_of(page, score), score.end), (offset + match.start(), offset + match.end())}
    yield page.say(DiscrepancyKind.GRADE, message, wanted, printed, *sorted(spans))


def _told_scale(scale: dict[str, Decimal]) -> str:
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


def _own_scores(page: _Page) -> list[Figure]:
    """Return the scores that the report gives itself, in sentences and in the row 合计 of a score sheet."""
    told = [f for s in page.sentences for i, f in enumerate(s.figures) if f.unit == _POINTS and _is_total_score(s, i)]
    for grid in page.grids:
        column = grid.column(*_SCORE_HEADS)
        if column is None or grid.column(*_POINTS_HEADS) is None:
            continue
        for row in grid.rows:
            cell = _number(row, column)
            if (
                cell
                and cell.number is not None
                and _TOTAL_ROW.fullmatch(_row_name(row))
                and cell.number >= _LEAST_TOTAL_SCORE
            ):
                told.append(Figure(f"{cell.text.strip()}分", cell.number, _POINTS, "总分", cell.start, cell.step))
    return told


# -------------------------------------------------------------------------------------------------------------- conflicts

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
_YEAR = re.compile(r"(?<!\d)(20\d\d)\s?年")
_SHORTEST_NAME = 4


@dataclass(frozen=True, slots=True)
class _Fact:
    """What a report says of something: its name without words around it, and the figure."""

    name: str
    figure: Figure
    start: int
    end: int
    place: int


def _conflicts(page: _Page) -> Iterator[Discrepancy]:
    """One fact with two values in two places."""
    buckets: dict[tuple[str, str], list[_Fact]] = defaultdict(list)
    for fact in (*_facts_of_sentences(page), *_facts_of_tables(page)):
        buckets[fact.figure.unit, fact.name[-2:]].append(fact)
    for facts in buckets.values():
        if 1 < len(facts) <= _BUSY:
            yield from _differing(page, facts)
    yield from _two_scores(page)


def _differing(page: _Page, facts: Sequence[_Fact]) -> Iterator[Discrepancy]:
    for number, one in enumerate(facts):
        for other in facts[number + 1 :]:
            if one.place == other.place or not _are_same(one, other):
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
    short, long = sorted((one.name, other.name), key=len)
    return long.endswith(short) and len(short) >= _SHORTEST_NAME - (min(one.place, other.place) < 0)


def _is_told_twice(one: _Fact, other: _Fact) -> bool:
    """Return whether two values of one name are one value and a slip of it, and not two things of that name."""
    a, b = one.figure, other.figure
    step = min(a.step, b.step)
    digits = len(str(int(max(a.value, b.value) / step)))
    if digits < _TELLING_DIGITS - (one.name == other.name):
        return False
    return _is_slip(a.value, b.value, step)


def _facts_of_sentences(page: _Page) -> Iterator[_Fact]:
    year = page.report.identity.year
    for sentence in page.sentences:
        if _NOT_FACTS.search(sentence.heading):
            continue
        told: int | None = None  # the year that was named last
        left = sentence.start
        for place, figure in enumerate(sentence.figures):
            years = _YEAR.findall(sentence.between(left, figure.start))
            told, left = int(years[-1]) if years else told, figure.end
            if figure.vague or figure.to is not None or figure.change:
                continue
            clause = sentence.clause(place)
            of_other_year = told is not None and year is not None and told != year
            if of_other_year or _OLDER.search(clause):
                continue
            if re.match(r"的?(?:目标|要求|任务|标准)", sentence.between(figure.end, figure.end + 4)):
                continue
            name = _fact_name(clause)
            if len(name) >= _SHORTEST_NAME - 1 and not _GENERIC.search(name):
                yield _Fact(name, figure, sentence.clause_start(place), figure.end, sentence.paragraph)


def _fact_name(clause: str) -> str:
    name = re.sub(r"^.*\d\S?", "", _TO_VERB.sub("", clause))
    return _TABLE_TAIL.sub("", _FROM_WORDS.sub("", name))


def _facts_of_tables(page: _Page) -> Iterator[_Fact]:
    number = 0
    for grid in page.grids:
        name, actual = grid.column(*_NAME_HEADS), grid.column(*_ACTUAL_HEADS[:-1])
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
                yield _Fact(core, replace(figures[0], start=cell.start), *_row_span(row), number)


def _two_scores(page: _Page) -> Iterator[Discrepancy]:
    """Yield the score of the whole told with two values, where one is the sum of a score sheet."""
    scores = _own_scores(page)
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
            spans = ((_start_of(page, other), other.end), (line, figure.start + len(figure.text) - 1))
            yield page.say(DiscrepancyKind.CONFLICT, message, figure.text, other.text, *sorted(spans))


# ------------------------------------------------------------------------------------------------------------------ dates

_DATE = re.compile(
    r"(?:(?P<year>20\d\d|二[〇○零]\w{2})\s?年)?\s?(?P<month>1[0-2]|[1-9]|0[1-9]|[一二三四五六七八九十]{1,2})\s?月(?:份)?"
    r"(?:(?P<day>\d{1,2}|[一二三四五六七八九十]{1,3})\s?日|(?P<part>上旬|中旬|下旬|底|末|初))?"
)
_SIGNED = re.compile(
    r"(?:.{0,20}[:：]|.{0,30}?)\s?(?P<date>(?:20\d\d|二[〇○零]\w{2})\s?年\s?\S{1,2}\s?月\s?\S{1,3}\s?日)"
)
_FILLED_IN = re.compile(r"(?:填报|填表|报告|编制|评价)日期[:：\t\s]{1,3}(?P<date>20\d\d年\d{1,2}月\d{1,2}日)")
_PARTS = {"上旬": (1, 10), "初": (1, 10), "中旬": (11, 20), "下旬": (21, 31), "底": (21, 31), "末": (21, 31)}
_EVALUATED = re.compile(r"自评|评价|评审|复核|核查")
_DONE = re.compile(r"(?!前|底前|以前|之前)[^。；]{0,8}(?:完成|结束|形成|提交|审议|审定|召开|汇总|复核|定稿|评审)")
_NOT_YET = re.compile(r"前公开|公开|拟|计划|将于|下一步|整改|应于|要求|预计|上报|网站")
_OPENING = 200
_BEGUN = re.compile(r"开工|动工|进场施工|开始施工|启动建设")
_ACCEPTED = re.compile(r"验收|竣工|完工|交付使用|投入使用")


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
    return int(text) if text.isascii() and text.isdigit() else parse_numeral(text.replace("○", "〇")) if text else None


def _calendar(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_length(year: int, month: int) -> int:
    return monthrange(year, month)[1] if _calendar(year, month, 1) else 31


def _signatures(page: _Page) -> Iterator[Discrepancy]:
    """The report is signed after its evaluation ended, and after the year that it tells of."""
    signed = _signature(page.report.text)
    if signed is None:
        return
    year = page.report.identity.year
    title = page.report.identity.title
    told = re.search(rf"{year}\s?年(?!\s?\d{{1,2}}\s?月)", f"{title}\n{page.report.text[:_OPENING]}")
    if (
        year is not None
        and told
        and "\n" in page.report.text[:_OPENING]
        and (signed.last.year < year or (signed.last.year == year and signed.last.month < _EARLIEST_SIGNED))
    ):
        message = f"报告写的是{year}年度，落款却是{signed.text}"
        yield page.say(DiscrepancyKind.DATE, message, f"{year}年之后", signed.text, (signed.start, signed.end))
    for sentence in page.sentences:
        if not _EVALUATED.search(sentence.heading + sentence.text) or signed.start < sentence.start:
            continue
        spring = year + 1 if year is not None else None  # where no year is told, a year is evaluated in the next one
        days = [
            day
            for day in _days(sentence.text, sentence.start, spring)
            if "年" in day.text or (day.first == day.last and day.first.month < _AUTUMN)
        ]
        for left, right in pairwise(days):
            clause = page.report.text[_clause_from(page.report.text, left.start) : right.end + 12]
            joined = page.report.text[left.end : right.start]
            if (
                not re.fullmatch(r"起?[，]?(?:至|到|[-—–~～]{1,2})", joined)
                or not _EVALUATED.search(clause)
                or _NOT_YET.search(clause)
            ):
                continue
            if signed.last < right.first:
                message = f"落款{signed.text}早于文中所写的自评结束时间{right.text}"
                yield page.say(DiscrepancyKind.DATE, message, f"{right.text}之后", signed.text, (left.start, right.end), (signed.start, signed.end))  # fmt: skip
                return
        for day in days:
            behind = page.report.text[day.end : day.end + 14]
            done = _DONE.match(behind) and _EVALUATED.search(sentence.heading + behind) and not _NOT_YET.search(behind)
            if done and signed.last < day.first:
                message = f"落款{signed.text}早于文中所写的自评完成时间{day.text}"
                yield page.say(DiscrepancyKind.DATE, message, f"{day.text}之后", signed.text, (day.start, day.end), (signed.start, signed.end))  # fmt: skip
                return


def _clause_from(text: str, offset: int) -> int:
    return max(text.rfind(sign, 0, offset) for sign in "，。；\n") + 1


def _signature(text: str) -> _Day | None:
    """Return the date under the report, or the one in its field 填报日期."""
    found: _Day | None = None
    position = 0
    for line in text.split("\n"):
        match = _SIGNED.fullmatch(line.strip()) if len(line) < _LONGEST_ITEM and "\t" not in line else None
        if match and not re.search(r"[，。；]|发布|来源", line):
            found = next(_days(line, position), None) or found
        position += len(line) + 1
    if found is None and (field := _FILLED_IN.search(text)):
        return next(_days(field["date"], field.start("date")), None)
    return found


def _orders_of_dates(page: _Page) -> Iterator[Discrepancy]:
    """Nothing is accepted before it was begun, and no period ends before it began."""
    for sentence in page.sentences:
        days = list(_days(sentence.text, sentence.start, page.report.identity.year))
        for left, right in pairwise(days):
            joined = page.report.text[left.end : right.start]
            if joined in {"至", "到", "—", "-", "～", "~"} and right.last < left.first and "年" in right.text:
                message = f"起止时间颠倒：{left.text}至{right.text}"
                yield page.say(DiscrepancyKind.DATE, message, f"{left.text}之后", right.text, (left.start, right.end))
        begun = [day for day in days if _event(page, day) == "begun"]
        ended = [day for day in days if _event(page, day) == "ended"]
        if len(begun) == 1 and len(ended) == 1 and ended[0].last < begun[0].first:
            message = f"{ended[0].text}验收（完工）早于{begun[0].text}开工"
            span = min(begun[0].start, ended[0].start), max(begun[0].end, ended[0].end)
            yield page.say(DiscrepancyKind.DATE, message, f"{begun[0].text}之后", ended[0].text, span)


def _event(page: _Page, day: _Day) -> str:
    """Return whether the words around a date say that something was begun or ended then."""
    behind = re.split(r"[，。；、\d]", page.report.text[day.end : day.end + 14])[0]
    before = re.split(r"[，。；、\d]", page.report.text[max(0, day.start - 10) : day.start])[-1]
    if re.search(r"[前未]|计划|应|拟|要求", before + behind):
        return ""
    if _BEGUN.search(behind) or re.search(rf"(?:{_BEGUN.pattern})(?:时间|日期)?[为于是：:]?$", before):
        return "begun"
    ended = _ACCEPTED.search(behind) or re.search(rf"(?:{_ACCEPTED.pattern})(?:时间|日期)?[为于是：:]?$", before)
    return "ended" if ended else ""
