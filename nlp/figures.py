"""Figures in a text: money, shares, areas and counts as exact decimals with their unit and the words that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_NUMBER = r"(?<![\d.\-—/])(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_UNITS = (
    r"(?P<unit>[十百千]?[万亿]?(?:美|欧|港)?元|[万亿]?(?:公顷|平方千米|平方公里|平方米|立方米|亩|千米|公里|吨|人次|户次|人|户|个|项|套|台|辆|宗|件|份|所|家|处|次|场|条|座|篇|批|起|名|册|床|张|分)"
    r"|[%％‰])"
)
_FIGURE = re.compile(_NUMBER + r"\s?" + _UNITS)
_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_BREAK = re.compile(r"[，。；：、（）()《》“”！？\t\n]|其中")
# Words between a name and its figure that are no part of the name.
_BETWEEN = re.compile(
    r"(?:分别|合计|共计|总计|累计|达到|超过|不少于|不低于|完成|实现|下降|增长|提高|涉及|占比|约为|实际|全年|共有|均为|只有|仅为|仅有|一共|[共为达约计有是仅超近逾到至了的])+$"
)
_BEGIN = re.compile(r"^(?:以及|并且|同时|其他|还有|涉及|实施了|完成了|用于|安排|拨付|支付|[和与及并将把对])+")
_LONGEST_NAME = 14


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a text.

    Attributes:
        text: As printed.
        value: In the unit without its scale: 万元 and 亿元 in 元, 万人 in 人.
        unit: ``元``, ``%``, ``亩`` …
        what: The words before it that name it; empty where there are none.
        start: Offset of its first character.
    """

    text: str
    value: Decimal
    unit: str
    what: str
    start: int


def find_figures(text: str) -> Iterator[Figure]:
    """Yield the figures of a text in order.

    >>> [(f.text, str(f.value), f.unit, f.what) for f in find_figures("涉及预算资金6855.58万元，执行率为86.23%。")]
    [('6855.58万元', '68555800.00', '元', '预算资金'), ('86.23%', '86.23', '%', '执行率')]
    """
    for match in _FIGURE.finditer(text):
        unit = match["unit"].replace("％", "%")
        value = Decimal(match["number"].replace(",", ""))
        while unit[0] in _SCALES:
            value *= _SCALES[unit[0]]
            unit = unit[1:]
        yield Figure(match.group(), value, unit, _name(text[: match.start()]), match.start())


def _name(before: str) -> str:
    clause = _BREAK.split(before[-40:])[-1]
    clause = _BETWEEN.sub("", clause)
    clause = re.sub(r"^.*\d[万亿]?[年月日元亩人个项%‰]?", "", clause)  # what a figure or date before it ends with
    return _BEGIN.sub("", clause)[-_LONGEST_NAME:]
