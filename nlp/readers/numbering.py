"""The automatic numbers of a Word file: they are nowhere in its text and have to be counted as Word counts them.

Source: ECMA-376-1, 17.9 (numbering) and 17.18.59 (ST_NumberFormat).
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lxml.etree import _Element as Element

W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL: Final = f"{W}val"

_PLACE: Final = re.compile(r"%([1-9])")
_SYMBOL_FONTS: Final = frozenset({"wingdings", "wingdings 2", "wingdings 3", "webdings", "symbol"})
_PRIVATE: Final = re.compile(r"[\ue000-\uf8ff]")

_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"
_ROMAN: Final = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)
# Formats that have a character for each number, from 1; beyond their last Word goes on in plain digits.
_CIRCLED: Final = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
_SERIES: Final[dict[str, Sequence[str]]] = {
    "decimalEnclosedCircle": _CIRCLED,
    "decimalEnclosedCircleChinese": _CIRCLED,
    "decimalEnclosedParen": "⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇",
    "decimalEnclosedFullstop": "⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛",
    "ideographEnclosedCircle": "㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉",
    "ideographTraditional": _STEMS,
    "ideographZodiac": _BRANCHES,
    "ideographZodiacTraditional": [_STEMS[i % 10] + _BRANCHES[i % 12] for i in range(60)],
}
_DIGITS: Final = {
    "ideographDigital": "○一二三四五六七八九",
    "japaneseDigitalTenThousand": "〇一二三四五六七八九",
    "taiwaneseDigital": "○一二三四五六七八九",
    "decimalFullWidth": "０１２３４５６７８９",
    "decimalFullWidth2": "０１２３４５６７８９",
}
_EVERYDAY: Final = "零一二三四五六七八九", "十百千"
_SAID: Final = {
    "chineseCounting": _EVERYDAY,
    "chineseCountingThousand": _EVERYDAY,
    "taiwaneseCounting": _EVERYDAY,
    "taiwaneseCountingThousand": _EVERYDAY,
    "japaneseCounting": _EVERYDAY,
    "chineseLegalSimplified": ("零壹贰叁肆伍陆柒捌玖", "拾佰仟"),
    "ideographLegalTraditional": ("零壹貳參肆伍陸柒捌玖", "拾佰仟"),
}
_WRITTEN: Final = range(1, 10_000)  # what the formats below can write


def format_number(value: int, kind: str) -> str:
    """Return a number as a list's number format writes it; in plain digits where the format cannot.

    >>> [format_number(n, "chineseCounting") for n in (1, 10, 12, 20, 105)]
    ['一', '十', '十二', '二十', '一百零五']
    >>> format_number(3, "decimalEnclosedCircle"), format_number(2, "ideographTraditional"), format_number(4, "upperRoman")
    ('③', '乙', 'IV')
    """
    if kind == "none":
        return ""
    writer = _WRITERS.get(kind)
    return str(value) if writer is None or value not in _WRITTEN else writer(value)


def _pick(value: int, series: Sequence[str]) -> str:
    return series[value - 1] if value <= len(series) else str(value)


def _spell(value: int, digits: str) -> str:
    return "".join(digits[int(digit)] for digit in str(value))


def _say(value: int, digits: str, units: str) -> str:
    """A number in words: 一百零五."""
    said = ""
    gap = False
    for place in range(len(units), -1, -1):
        digit = value // 10**place % 10
        if digit:
            said += (digits[0] if gap and said else "") + digits[digit] + (units[place - 1] if place else "")
        gap = not digit
    # 十二, not 一十二; but 壹拾贰, since those forms are meant to be safe against additions.
    return said.removeprefix(digits[1]) if said.startswith("一十") else said


def _roman(value: int) -> str:
    written = ""
    for worth, letters in _ROMAN:
        times, value = divmod(value, worth)
        written += letters * times
    return written


def _letter(value: int) -> str:
    """A to Z, then AA to ZZ, AAA …, as Word goes on."""
    times, at = divmod(value - 1, len(string.ascii_uppercase))
    return string.ascii_uppercase[at] * (times + 1)


_WRITERS: Final[dict[str, Callable[[int], str]]] = {
    **{kind: partial(_pick, series=series) for kind, series in _SERIES.items()},
    **{kind: partial(_spell, digits=digits) for kind, digits in _DIGITS.items()},
    **{kind: partial(_say, digits=digits, units=units) for kind, (digits, units) in _SAID.items()},
    "upperRoman": _roman,
    "lowerRoman": lambda value: _roman(value).lower(),
    "upperLetter": _letter,
    "lowerLetter": lambda value: _letter(value).lower(),
    "decimalZero": "{:02d}".format,
}


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a list.

    Attributes:
        restart: ``None``: anew behind each higher level; 0: never; n: behind the levels 1 to n.
    """

    start: int = 1
    kind: str = "decimal"
    text: str = ""
    restart: int | None = None
    legal: bool = False
    style: str | None = None


@dataclass(frozen=True, slots=True)
class _List:
    """A w:num: the abstract list that it counts on, its levels, and where it begins to count anew."""

    abstract: str
    levels: Mapping[int, _Level]
    starts: Mapping[int, int]


@dataclass(slots=True)
class Numbering:
    """The lists of a document and how far each has been counted.

    Attributes:
        root: The part numbering.xml, ``None`` where a document has none.
        style_lists: The w:num of each style that has one, for lists that are defined by a style.
    """

    root: Element | None
    style_lists: Mapping[str, str]
    _lists: dict[str, _List] = field(init=False)
    _counts: dict[str, dict[int, int]] = field(init=False, default_factory=dict)
    _begun: set[tuple[str, int]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._lists = {} if self.root is None else _read_lists(self.root, self.style_lists)

    def level_of(self, number: str, style: str) -> int | None:
        """Return the level of a list that is linked to a paragraph style, ``None`` where none is."""
        found = self._lists.get(number)
        levels = found.levels if found else {}
        return next((level for level, meaning in levels.items() if meaning.style == style), None)

    def mark(self, number: str, level: int) -> str:
        """Return the number of the next paragraph of a list and count it; empty where the list does not exist."""
        found = self._lists.get(number)
        if found is None or level not in found.levels:
            return ""
        counts = self._counts.setdefault(found.abstract, {})
        if level in found.starts and (number, level) not in self._begun:
            counts[level] = found.starts[level]
        elif level in counts:
            counts[level] += 1
        else:
            counts[level] = found.levels[level].start
        self._begun.add((number, level))
        for deeper in [at for at in counts if at > level]:
            restart = found.levels[deeper].restart if deeper in found.levels else None
            if restart is None or level < restart:
                del counts[deeper]
        return _written(found, counts, level)


def _written(found: _List, counts: Mapping[int, int], level: int) -> str:
    meaning = found.levels[level]
    if meaning.kind == "bullet":
        return meaning.text

    def place(match: re.Match[str]) -> str:
        at = int(match[1]) - 1
        other = found.levels.get(at, _Level())
        return format_number(counts.get(at, other.start), "decimal" if meaning.legal else other.kind)

    return _PLACE.sub(place, meaning.text).strip()


def put_in_front(mark: str, text: str) -> str:
    """Return the text with its number, which is not written twice where somebody typed it as well.

    >>> put_in_front("一、", "基本情况"), put_in_front("（1）", "(1) 产出指标")
    ('一、基本情况', '(1) 产出指标')
    >>> put_in_front("1.", "2024年"), put_in_front("3．", "5亿元"), put_in_front("2.", "2.3亿元")
    ('1. 2024年', '3． 5亿元', '2. 2.3亿元')
    """
    is_figure = mark[-1:] == "." and text.startswith(mark) and text[len(mark) : len(mark) + 1].isdigit()
    if not mark or (_folded(text).startswith(_folded(mark)) and not is_figure):
        return text
    # "1." before "2024年" would read as a number with decimals.
    touching = (mark[-1].isascii() and mark[-1].isalnum()) or (mark[-1] in ".．" and text[:1].isdigit())
    return f"{mark} {text}" if touching and text else mark + text


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:80]).replace(" ", "")


def _read_lists(root: Element, style_lists: Mapping[str, str]) -> dict[str, _List]:
    abstracts = {element.get(f"{W}abstractNumId", ""): element for element in root.iterfind(f"{W}abstractNum")}
    numbers = {element.get(f"{W}numId", ""): element for element in root.iterfind(f"{W}num")}
    lists = {}
    for number, element in numbers.items():
        abstract = _child(element, "abstractNumId")
        # A list that only points to a list style: style -> its w:num -> the list with the levels.
        link = _child(abstracts[abstract], "numStyleLink") if abstract is not None and abstract in abstracts else None
        if link is not None and style_lists.get(link) in numbers:
            abstract = _child(numbers[style_lists[link]], "abstractNumId")
        if abstract is not None and abstract in abstracts:
            lists[number] = _read_list(element, abstract, abstracts[abstract])
    return lists


def _read_list(element: Element, abstract: str, definition: Element) -> _List:
    levels = dict(map(_read_level, definition.iterfind(f"{W}lvl")))
    starts = {}
    for override in element.iterfind(f"{W}lvlOverride"):
        own = override.find(f"{W}lvl")
        if own is not None:
            at, level = _read_level(own)
            levels[at] = level
        start = _child(override, "startOverride")
        if start is not None:
            starts[_whole(override.get(f"{W}ilvl"), 0)] = _whole(start, 1)
    return _List(abstract, levels, starts)


def _read_level(element: Element) -> tuple[int, _Level]:
    # A format that only newer versions know stands in front of the one for older ones: the last is always known.
    kinds = [kind.get(VAL, "decimal") for kind in element.iter(f"{W}numFmt")]
    kind = kinds[-1] if kinds else "decimal"
    text = _child(element, "lvlText") or ""
    fonts = element.find(f"{W}rPr/{W}rFonts")
    symbols = fonts is not None and str(fonts.get(f"{W}ascii", "")).lower() in _SYMBOL_FONTS
    if kind == "bullet" and (symbols or _PRIVATE.search(text)):
        text = "•"
    restart = _child(element, "lvlRestart")
    legal = element.find(f"{W}isLgl")
    level = _Level(
        start=_whole(_child(element, "start"), 1),
        kind=kind,
        text=text,
        restart=None if restart is None else _whole(restart, 0),
        legal=legal is not None and legal.get(VAL) not in {"0", "false", "off"},
        style=_child(element, "pStyle"),
    )
    return _whole(element.get(f"{W}ilvl"), 0), level


def _child(element: Element, tag: str) -> str | None:
    """The value of a child element, ``None`` where there is no such child."""
    found = element.find(f"{W}{tag}")
    return None if found is None else found.get(VAL)


def _whole(text: str | None, default: int) -> int:
    """A small whole number of a file; the default for what is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else default
