"""Figures in a text: money, shares, scores, areas and counts as exact decimals with their unit and the words that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

# Units of a :class:`Figure` that others ask for.
MONEY, SHARE, SHARE_POINT, SCORE = "元", "%", "百分点", "分"
# Signs at which the words that name a figure begin.
CLAUSE_SIGNS = "，。；：、（）()《》“”！？\t\n"

# A longer run of digits is the number of an account or a paper, no figure.
_DIGITS = r"\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,12})?|\d{1,18}(?:\.\d{1,12})?"
_CURRENCIES = r"(?:美|欧|港)?元"
_COUNTS = (
    r"个百分点|百分点|微克/立方米|公顷|平方千米|平方公里|平方米|立方米|亩|千米|公里|吨|人次|户次|人|户|个工作日|个月|个|项|套|台|辆|宗|件|份|所|家|处"
    r"|次|场|条|座|篇|批|起|名|册|床|张|笔|幢|栋|头|株|分(?!钟|之)"
)
# 80-90分, 10万元至20万元: one figure with two ends. 从10万元到20万元 are two figures.
# 增长-5.2% is below zero; elsewhere a dash is part of a number of a paper or telephone, or parts a name from its figure.
_FIGURE = re.compile(
    rf"(?:(?<=[为长幅率差余减动：:（(，\t])(?P<minus>[-−])|(?<![\d.\-—/]))"
    rf"(?:(?P<low>{_DIGITS})(?P<lowunit>[十百千]?[万亿]?元|[万亿]|[%％]|[个分])?\s?[-—–~～至]\s?)?"
    rf"(?P<number>{_DIGITS})\s?(?P<unit>[十百千]?[万亿]?{_CURRENCIES}|[万亿]?(?:{_COUNTS})|[%％‰])"
)
_NUMERAL = r"[一二三四五六七八九十百千万亿两〇零]"
_WRITTEN = re.compile(
    rf"百分之(?P<share>{_NUMERAL}+(?:点[一二三四五六七八九〇零]+)?)"
    rf"|(?<![第几数上好成{_NUMERAL[1:-1]}])(?P<number>[一二三四五六七八九十两]{_NUMERAL}*)(?P<unit>{_CURRENCIES}|{_COUNTS})"
)
_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_ONES = {sign: value % 10 for value, sign in enumerate("〇一二三四五六七八九零")} | {"两": 2}
_BREAK = re.compile(rf"[{CLAUSE_SIGNS}]|其中")
_SENTENCE_END = re.compile(r"[。！？\n]")
# Words between a name and its figure that are no part of the name.
_BETWEEN = re.compile(
    r"(?:分别|合计|共计|总计|累计|达到|超过|不少于|不低于|完成|实现|下降|增长|提高|涉及|占比|约为|实际|全年|共有|均为|只有|仅为|仅有|一共|[共为达约计有是仅超近逾到至了的])+$"
)
_BEGIN = re.compile(r"^(?:以及|并且|同时|其他|还有|涉及|实施了|完成了|用于|安排|拨付|支付|[和与及并将把对])+")
_MORE = re.compile(r"(?:增加|追加|新增|增长|提高|上升|调增|净增|增)了?$")
_LESS = re.compile(r"(?:减少|下降|降低|调减|核减|压减|缩减|减)了?$")
_VAGUE_BEFORE = re.compile(
    r"(?:大约|约|近|超|超过|逾|不低于|不少于|不超过|不高于|低于|高于|至少|最多|平均|将近|接近|[≥≤><])为?$"
)
_VAGUE_BEHIND = re.compile(r"(?:及)?(?:以上|以下|以内|左右|上下)|多|余")
_LONGEST_NAME = 14
_LOOK_BACK = 40
_LONGEST_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a text.

    Attributes:
        text: As printed.
        value: In the unit without its scale: 万元 and 亿元 in 元, 万人 in 人. Of a range the lower end.
        unit: ``元``, ``%``, ``百分点``, ``亩`` …
        what: The words before it that name it; empty where there are none.
        start: Offset of its first character.
        step: What one more in its last printed digit would add, in the unit of ``value``: how finely it was rounded.
        to: The upper end of a range.
        change: 1 where it says by how much something grew (追加, 增加 …), -1 by how much it shrank, 0 elsewhere.
        vague: Whether it is a bound or rounded by its words: 约, 不低于, 以上 …
        among: Whether 其中 stands before it in its sentence.
    """

    text: str
    value: Decimal
    unit: str
    what: str
    start: int
    step: Decimal = Decimal(1)
    to: Decimal | None = None
    change: int = 0
    vague: bool = False
    among: bool = False

    @property
    def end(self) -> int:
        """Offset behind its last character."""
        return self.start + len(self.text)

    @property
    def is_exact(self) -> bool:
        """Whether it says one value: no range, no bound, nothing rounded by its words."""
        return self.to is None and not self.vague


def find_figures(text: str) -> Iterator[Figure]:
    """Yield the figures of a text in order.

    >>> [(f.text, str(f.value), f.unit, f.what) for f in find_figures("涉及预算资金6855.58万元，执行率为86.23%。")]
    [('6855.58万元', '68555800.00', '元', '预算资金'), ('86.23%', '86.23', '%', '执行率')]
    >>> [(f.text, int(f.value), int(f.to or 0)) for f in find_figures("每村补助10-20万元，罚款三百二十万元")]
    [('10-20万元', 100000, 200000), ('三百二十万元', 3200000, 0)]
    """
    found = [*_printed_figures(text), *_written_figures(text)]
    yield from sorted(found, key=lambda figure: figure.start)


def print_like(value: Decimal, figure: Figure) -> str:
    """Return a value as the report would print it beside a figure: in its unit, with as many decimals.

    >>> print_like(Decimal(1200000), next(find_figures("支出98.50万元")))
    '120.00万元'
    """
    number, unit, scale = _taken_apart(figure.text)
    places = len(number.partition(".")[2])
    return f"{value / scale:.{places}f}{unit}"


def step_of(number: str) -> Decimal:
    """Return what one more in the last digit of a printed number would add.

    >>> step_of("1,320.13"), step_of("300")
    (Decimal('0.01'), Decimal('1'))
    """
    return Decimal((0, (1,), -len(number.partition(".")[2])))


def parse_numeral(text: str) -> int | None:
    """Return the value of a Chinese numeral; ``None`` where it is none (一二三, 百).

    >>> parse_numeral("三百二十万"), parse_numeral("十五"), parse_numeral("二〇二四"), parse_numeral("百万")
    (3200000, 15, 2024, None)
    """
    if len(text) > 1 and all(sign in _ONES for sign in text):
        return int("".join(str(_ONES[sign]) for sign in text)) if {"〇", "零"} & {*text} else None
    for scale in "亿万":
        if scale in text:
            many, _, rest = text.rpartition(scale)
            high, low = parse_numeral(many), parse_numeral(rest.lstrip("零")) if rest else 0
            return None if not high or low is None else high * _SCALES[scale] + low
    return _below_ten_thousand(text)


def _below_ten_thousand(text: str) -> int | None:
    whole = 0
    digit: int | None = None
    for place, sign in enumerate(text):
        if sign in _ONES:
            if digit:
                return None
            digit = _ONES[sign]
        elif sign not in _SCALES or (not digit and (sign != "十" or place)):
            return None
        else:
            whole += (digit or 1) * _SCALES[sign]
            digit = None
    return whole + (digit or 0) if text else None


def _printed_figures(text: str) -> Iterator[Figure]:
    for match in _FIGURE.finditer(text):
        number, low, low_unit = match["number"], match["low"], match["lowunit"]
        start = match.start()
        if match["minus"] and _unscaled(match["unit"]) not in {MONEY, SHARE}:
            continue
        if low is not None and not _is_range(match):
            start, low = match.start("number"), None
            if low_unit and (first := _FIGURE.fullmatch(text, match.start("low"), match.end("lowunit"))):
                yield _figure(text, first["number"], first["unit"], (first.start(), first.end()), None)
            elif text[start - 1] in "-—":
                continue  # the second half of a number of a paper or telephone
        figure = _figure(text, number, match["unit"], (start, match.end()), low)
        yield replace(figure, value=-figure.value) if start == match.start("minus") else figure


def _is_range(match: re.Match[str]) -> bool:
    low, high = (Decimal(match[name].replace(",", "")) for name in ("low", "number"))
    mine, its = ((match[name] or "").replace("％", SHARE) for name in ("lowunit", "unit"))
    alike = mine in {"", its} or (len(mine) == 1 and its.startswith(mine))
    return alike and low < high and not (mine == "" and _is_year(match["low"]))


def _is_year(number: str) -> bool:
    return re.fullmatch(r"(?:19|20)\d\d", number) is not None


def _figure(text: str, number: str, unit: str, span: tuple[int, int], low: str | None) -> Figure:
    _, base, scale = _taken_apart(f"0{unit}")
    base = _unscaled(base)
    value = Decimal(number.replace(",", "")) * scale
    step = step_of(number) * scale
    first = Decimal(low.replace(",", "")) * scale if low else None
    return _placed(text, span, value if first is None else first, base, step, None if first is None else value)


def _written_figures(text: str) -> Iterator[Figure]:
    for match in _WRITTEN.finditer(text):
        if match["share"]:
            whole, _, rest = match["share"].partition("点")
            value = parse_numeral(whole)
            if value is None:
                continue
            number = f"{value}.{''.join(str(_ONES[sign]) for sign in rest)}" if rest else str(value)
            yield _placed(text, match.span(), Decimal(number), SHARE, step_of(number), None)
            continue
        numeral = match["number"]
        # 一个, 三处, 十分 are words more often than figures; 五万元 is a figure.
        if len(numeral) == 1:
            continue
        count = parse_numeral(numeral)
        if count is not None:
            unit = SHARE_POINT if SHARE_POINT in match["unit"] else match["unit"]
            step = Decimal(_SCALES.get(numeral[-1], 1) if numeral[-1] in "万亿" else 1)
            yield _placed(text, match.span(), Decimal(count), unit, step, None)


def _placed(text: str, span: tuple[int, int], value: Decimal, unit: str, step: Decimal, to: Decimal | None) -> Figure:
    start, end = span
    before = text[max(0, start - _LOOK_BACK) : start]
    vague = bool(_VAGUE_BEFORE.search(before) or _VAGUE_BEHIND.match(text, end))
    change = bool(_MORE.search(before)) - bool(_LESS.search(before))
    sentence = _SENTENCE_END.split(text[max(0, start - _LONGEST_SENTENCE) : start])[-1]
    return Figure(text[start:end], value, unit, _name(before), start, step, to, change, vague, "其中" in sentence)


def _taken_apart(text: str) -> tuple[str, str, Decimal]:
    """Return the number of a printed figure (of a range the last one), its unit as printed, and the unit's scale."""
    match = re.search(rf"({_DIGITS})\s?(\D*)$", text)
    number, unit = (match[1], match[2]) if match else ("0", text.lstrip("".join(_ONES) + "".join(_SCALES)))
    scale = Decimal(1)
    for sign in unit[:-1]:
        if sign not in _SCALES or unit.startswith(SHARE_POINT):
            break
        scale *= _SCALES[sign]
    return number, unit, scale


def _unscaled(unit: str) -> str:
    if SHARE_POINT in unit:
        return SHARE_POINT
    return unit.lstrip("".join(_SCALES)).replace("％", SHARE)


def _name(before: str) -> str:
    clause = _BREAK.split(before)[-1]
    clause = _BETWEEN.sub("", clause)
    clause = re.sub(r"^.*\d[万亿]?[年月日元亩人个项%‰]?", "", clause)  # what a figure or date before it ends with
    return _BEGIN.sub("", clause)[-_LONGEST_NAME:]
