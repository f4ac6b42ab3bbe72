"""Parts that stand in a row in a sentence: where a list begins and ends, and that it does not make its total."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nlp.checks.grids import Span
from nlp.checks.labels import MARKS_FOR_RATE
from nlp.checks.page import Page, Sentence
from nlp.figures import SHARE, SHARE_POINT, Figure, print_like
from nlp.records import Discrepancy, DiscrepancyKind

SHARES = frozenset({SHARE, SHARE_POINT})  # units of what stands among the parts of a list and is none
FEWEST_PARTS = 2
_LONGEST_LIST = 60
_FURTHEST_PART = 4 * _LONGEST_LIST  # figures between the first and the last part
_LONGEST_ITEM = 60  # characters between two parts of a list
TOTALS_BEFORE = 12  # figures before a list, a rate or a balance that it may be about
_IN_BRACKETS = r"[（(][^）)]*[）)]"
_SEPARATED = re.compile(r"\s*(?:[、，,；;]|和|及|以及|与)")
_SCORES_RATE = re.compile(r"执行|投入|过程|决策|管理")  # criteria that the rate of execution belongs to
_NO_ITEM = re.compile(
    r"合计|总计|共计|总分|总得分|满分|分值|权重|小计|比上年|较上年|比去年|较去年|同比|结余|结转|缺口|剩余|执行率|支付率|到位|完成|实际|决算|调整|追加|增加|减少|超"
    r"|平均|每|占用|预算|上年|去年|不含|其余"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts that stand in a row, by their places in the sentence's figures."""

    sentence: Sentence
    places: tuple[int, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the parts."""
        return tuple(self.sentence.figures[place] for place in self.places)

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts are called, each by the words before it."""
        return tuple(_item_name(self.sentence, place) for place in self.places)

    @property
    def span(self) -> Span:
        """From the name of the first part to the figure of the last."""
        return self.sentence.clause_start(self.places[0]), self.sentence.figures[self.places[-1]].end


def _item_name(sentence: Sentence, place: int) -> str:
    """Return what a part is called, without what opens or joins the list."""
    name = re.sub(r"^.*(?:其中|包括|分别为?|由)", "", sentence.clause(place))
    return re.sub(r"^\d+[.．]|^(?:以及|[和与及])|[为共]$", "", name)


def parts_from(sentence: Sentence, first: int) -> Parts:
    """Return the list that begins with a figure; what 其中 takes apart again is left out."""
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
        plain = re.sub(rf"{_IN_BRACKETS}|，?占[^，；、;]*[%％]", "", gap)
        if not _SEPARATED.match(plain) or len(plain) > _LONGEST_ITEM or _NO_ITEM.search(plain):
            break
        places.append(place)
        gap_from = figure.end
    return Parts(sentence, tuple(places[:_LONGEST_LIST]))


def _at_level(sentence: Sentence, first: int) -> Iterator[int]:
    """Yield the places behind a figure that may go on with its list: same unit, no more and no fewer open brackets."""
    figures, depth, unit = sentence.figures, sentence.depths[first], sentence.figures[first].unit
    for place in range(first + 1, min(len(figures), first + _FURTHEST_PART)):
        if sentence.depths[place] < depth:
            return
        if sentence.depths[place] > depth or figures[place].unit in SHARES:
            continue
        if figures[place].unit == unit:
            yield place
        elif re.search(r"[；;、]", sentence.between(figures[place - 1].end, figures[place].start)):
            return


def parts_before(sentence: Sentence, last: int) -> Parts:
    """Return the list that ends before a total; empty where it is not sure where it begins."""
    figures, depth = sentence.figures, sentence.depths[last]
    places: list[int] = []
    right = last
    for place in range(last - 1, max(-1, last - _FURTHEST_PART), -1):
        if len(places) >= _LONGEST_LIST:
            break
        if sentence.depths[place] > depth or figures[place].unit in SHARES:
            continue
        if sentence.depths[place] < depth or figures[place].unit != figures[last].unit:
            break
        gap = sentence.between(figures[place].end, figures[right].start)
        plain = re.sub(_IN_BRACKETS, "", gap)
        if not re.search(r"[、，,；;和及与]", gap):
            break  # 15分得12分
        if right != last and ("其中" in plain or len(plain) > _LONGEST_ITEM):
            break
        if right != last and _NO_ITEM.search(plain):
            return Parts(sentence, ())
        places.append(place)
        right = place
    return Parts(sentence, tuple(reversed(places)))


def leave_rate_out(parts: Parts, total: Figure) -> bool:
    """Return whether scores of 产出 and others miss their total by what the rate of execution, told elsewhere, may earn."""
    missing = total.value - sum(figure.value for figure in parts.figures)
    names = "".join(parts.names)
    return 0 < missing <= MARKS_FOR_RATE and "产出" in names and not _SCORES_RATE.search(names)


def added(names: Sequence[str], figures: Sequence[Figure], total: Decimal) -> str:
    """Return a sum in plain words."""
    terms = [f"{name}{figure.text}" for name, figure in zip(names, figures, strict=True)]
    return f"{'＋'.join(terms)}＝{print_like(total, min(figures, key=lambda figure: figure.step))}"


def wrong_sum(page: Page, parts: Parts, total: Figure, span: Span) -> Discrepancy:
    """Return the contradiction between parts and a total that they do not make."""
    figures = parts.figures
    found = sum((figure.value for figure in figures), Decimal(0))
    off = print_like(abs(found - total.value), min((total, *figures), key=lambda figure: figure.step))
    message = f"{added(parts.names, figures, found)}，报告写{total.what}{total.text}，相差{off}"
    return page.say(DiscrepancyKind.SUM, message, print_like(found, total), total.text, span)
