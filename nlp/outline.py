"""Headings and their levels, inferred from the sequence of marks and not from the mark alone.

Real reports lose automatic numbers ("1、 二、 三、 4、 5、 六、"), repeat them, skip them and put "（一）" under "（一）".
So the marks of a document are read together: a beam search finds the nesting of lists that explains the whole sequence
at the least cost, where a list that counts on costs nothing and every break of the custom costs something.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from importlib.resources import files
from typing import NamedTuple

from nlp.records import Line, Section
from nlp.text import NO_MARK, Text, in_grid

_CN = "零〇一二三四五六七八九十百"
_MARK_FORMS: tuple[tuple[str, str], ...] = (
    ("part", rf"第([{_CN}]+|\d+)(?:部分|章|节)[、，.：:\s]*"),
    ("cn", rf"{NO_MARK}([{_CN}]+)[、．.]\s*"),
    ("cn_paren", rf"[（(]([{_CN}]+)[）)][、．.]?\s*"),
    ("dotted", r"(\d{1,2}(?:[.．]\d{1,2}){1,3})[、．.]?\s*(?![\d%％‰万亿元个年月日])"),
    ("arabic", r"(\d{1,3}) ?(?:[、．]|[.](?!\d)|,(?!\d))\s*"),
    ("arabic_paren", r"[（(](\d{1,3})[）)][、．.]?\s*"),
    ("half_paren", r"(\d{1,2})[）)]\s*"),
    ("circled", r"([①-⑳])\s*"),
)
_MARKS = tuple((kind, re.compile(form)) for kind, form in _MARK_FORMS)
_RANK = {
    "part": 0,
    "cn": 1,
    "cn_paren": 2,
    "dotted": 3,
    "arabic": 3,
    "arabic_paren": 4,
    "half_paren": 5,
    "circled": 5,
}
# A lost number changes its digits ("二、" to "2、", "（二）" to "（2）") and hardly ever its brackets.
_BRACKETS = {"part": "第", "cn": "、", "arabic": "、", "cn_paren": "（）", "arabic_paren": "（）"}
_STYLED = "styled"
_ONLY = {kind: frozenset({kind}) for kind in (*_RANK, _STYLED)}

_AMOUNT = re.compile(r"\d[\d.,]*[万亿]?元|[%％]")
_LONGEST_HEADING = 42
_LONGEST_RUN_IN = 32
_LONGEST_CHAPTER = 25
_LONGEST_PHRASE = 20  # a longer stretch with a comma and a full stop is a sentence
_NO_HEADING_ENDS = "。！？；!?;…，、"
_NIL = re.compile(r"(.{2,20}?(?:问题|不足|措施|建议|情况|事项))[ ：:]?(?=(?:无|暂无|没有)[。.]?$)")
_RUN_IN = re.compile(rf"(?P<head>[^。；：:]{{2,{_LONGEST_RUN_IN}}})(?P<stop>[：:。])(?=.)")
_SPACED = re.compile(rf"(?P<head>\S{{2,{_LONGEST_RUN_IN}}}) (?=\S{{4,}})")
_SHORTEST_CONTENTS = 3
_PAGED = re.compile(r"\t\d{1,4}$")
_LEADERS = re.compile(r"(?<![.…·\s])[.…·\s]*(?:[.…·\s]\d{1,4})?$")


@dataclass(frozen=True, slots=True)
class Mark:
    """The number in front of a line: its kind, its value and how many characters it takes."""

    kind: str
    value: int
    width: int


@dataclass(frozen=True, slots=True)
class Outline:
    """The sections of a text and, for each line that is or begins with a heading, where its body begins.

    Attributes:
        sections: In order of their start.
        bodies: Line index → offset behind the heading: the line's end for a heading that is a line of its own,
            inside the line for a heading that runs into the text.
    """

    sections: tuple[Section, ...]
    bodies: dict[int, int]


@cache
def heads() -> dict[str, re.Pattern[str]]:
    """Return the patterns of headings in ``data/heads.toml`` by name."""
    data = tomllib.loads(files("nlp.data").joinpath("heads.toml").read_text("utf-8"))
    return {name: re.compile(form) for group in ("section", "heading") for name, form in data[group].items()}


def find_mark(text: str) -> Mark | None:
    """Return the mark that a line begins with, or ``None``.

    >>> find_mark("（三）基本情况")
    Mark(kind='cn_paren', value=3, width=3)
    >>> find_mark("3.5万元") is None
    True
    """
    for kind, pattern in _MARKS:
        match = pattern.match(text)
        if match:
            value = _value(match.group(1).replace("．", "."))
            return Mark(kind, value, match.end()) if value else None
    return None


def _value(digits: str) -> int:
    if digits[0] in "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳":
        return ord(digits[0]) - ord("①") + 1
    if digits[0].isdigit():
        return int(digits.rsplit(".", 1)[-1])
    return chinese_number(digits)


def chinese_number(digits: str) -> int:
    """Return the value of a small Chinese numeral, 0 where it is none.

    >>> [chinese_number(n) for n in ("九", "十", "十二", "二十", "三十一", "一百零五")]
    [9, 10, 12, 20, 31, 105]
    >>> chinese_number("二〇"), chinese_number("甲")
    (20, 0)
    """
    if len(digits) > 1 and not re.search("[十百]", digits):
        return int("".join(str(chinese_number(digit)) for digit in digits))
    total, current = 0, 0
    for char in digits:
        if char in "十百":
            total += max(current, 1) * (10 if char == "十" else 100)
            current = 0
        else:
            current = "零一二三四五六七八九".find(char.replace("〇", "零"))
    return total + max(current, 0)


def find_outline(text: Text) -> Outline:
    """Return the outline of a mended text.

    A heading is a numbered or styled line without a full stop, or a numbered line that begins with a few words and a
    colon or full stop (a heading that runs into the text). A numbered line with nothing under it is an item of a list
    and no heading, except at level 1.
    """
    contents = _contents(text)
    entries = [entry for entry in _entries(text) if entry.index not in contents]
    levels = _levels([entry.step for entry in entries])
    placed = [_Placed(entry, level) for entry, level in zip(entries, levels, strict=True)]
    headings = _without_empty([p for p in placed if p.entry.body is not None], text)
    bodies = {index: text.lines[index].end for index in contents}
    bodies |= {p.entry.index: p.entry.body or 0 for p in headings}
    return Outline(tuple(_sections(headings, placed, text)), bodies)


def _contents(text: Text) -> set[int]:
    """Return the lines of a table of contents: before any sentence, marks together of which three or more stand again."""
    words = [re.sub(r"\s", "", _LEADERS.sub("", text.of(line))) for line in text.lines]
    again = {word for word, count in Counter(words).items() if count > 1}
    run: dict[str, int] = {}
    for index, word in enumerate(words):
        line = text.lines[index]
        marked = find_mark(word) is not None and (not in_grid(line) or _PAGED.search(text.of(line)))
        if marked and word not in run:
            run[word] = index
        elif len(again & run.keys()) >= _SHORTEST_CONTENTS or "。" in word:
            break
        else:
            run.clear()
    known = len(again & run.keys())
    return set(run.values()) if known >= _SHORTEST_CONTENTS and 2 * known > len(run) else set()


# ---------------------------------------------------------------------------------------------------- candidates for headings


@dataclass(frozen=True, slots=True)
class _Step:
    """What the beam search sees of a line.

    Attributes:
        kind: Of its mark, or ``styled``.
        value: Of its mark.
        style: Its level by the file's style.
        is_heading: Whether the whole line is a heading.
        top: Rank of the highest kind of mark in the document.
    """

    kind: str
    value: int
    style: int | None
    is_heading: bool
    top: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line that has a mark or a heading's style; ``body`` is ``None`` for an item of a list."""

    index: int
    line: Line
    mark: Mark | None
    body: int | None
    step: _Step


@dataclass(frozen=True, slots=True)
class _Placed:
    entry: _Entry
    level: int


def _entries(text: Text) -> Iterator[_Entry]:
    marks = {index: _mark_of(text, line) for index, line in enumerate(text.lines) if not in_grid(line)}
    top = min((_RANK[mark.kind] for mark in marks.values() if mark is not None), default=0)
    # Where the title has a style of its own ("h1"), the first level of the outline is the second of the styles.
    styles = [text.lines[index].heading for index, mark in marks.items() if mark is not None]
    above = min((style for style in styles if style is not None), default=1) - 1
    marked_before = False
    for index, mark in marks.items():
        line, words = text.lines[index], text.of(text.lines[index])
        style = None if line.heading is None else max(1, line.heading - above)
        if mark is not None:
            body = _heading_end(words, mark, styled=style is not None)
            marked_before = True
            step = _Step(mark.kind, mark.value, style, body == len(words), top)
            yield _Entry(index, line, mark, None if body is None else line.start + body, step)
        elif _is_unnumbered_heading(words, line) and not (not marked_before and _is_title(words)):
            level = style or (2 if top <= _RANK["cn"] and any(marks.values()) else 1)
            yield _Entry(index, line, None, line.end, _Step(_STYLED, 0, level, is_heading=True))


def _mark_of(text: Text, line: Line) -> Mark | None:
    words = text.of(line)
    mark = find_mark(words)
    return mark if mark is not None and mark.width < len(words) else None


def _is_unnumbered_heading(words: str, line: Line) -> bool:
    if len(words) > _LONGEST_HEADING or words[-1] in "。；，、" or heads()["site"].match(words):
        return False
    if line.heading is not None or re.fullmatch(r"【[^】]{2,20}】", words):
        return True
    return heads()["unnumbered"].search(words.replace(" ", "")) is not None


def _is_title(words: str) -> bool:
    return re.search(r"报告|自评|公开|20\d\d年", words) is not None


def _heading_end(words: str, mark: Mark, *, styled: bool) -> int | None:
    """Return where the heading of a numbered line ends, or ``None`` if the line is a mere item of a list."""
    rest = words[mark.width :]
    nil = _NIL.match(rest)
    if nil and not styled:
        return mark.width + nil.end()
    if _is_heading(rest, mark, styled=styled):
        stop = None if styled else re.search(r"[：:](?=.)", rest)
        return len(words) if stop is None else mark.width + stop.end()
    run_in = _run_in_end(rest, mark)
    return None if run_in is None else mark.width + run_in


def _is_heading(rest: str, mark: Mark, *, styled: bool) -> bool:
    """Return whether a line (without its mark) is a heading from its beginning to its end, or to its colon."""
    if styled:
        return len(rest) <= 2 * _LONGEST_HEADING
    if len(rest) > _LONGEST_HEADING:
        return False
    if rest[-1] not in _NO_HEADING_ENDS and not re.search(r"[。；]", rest):
        return True
    is_chapter = _is_chapter(mark) and len(rest) <= _LONGEST_CHAPTER and rest[-1] in "。."
    return (is_chapter or heads()["noun"].search(rest) is not None) and not re.search(r"[。；：:，](?=.)", rest)


def _run_in_end(rest: str, mark: Mark) -> int | None:
    """Return where a heading that runs into the text ends: at a colon, a full stop, a space or without any mark."""
    run_in = _RUN_IN.match(rest)
    if run_in and not _AMOUNT.search(run_in["head"]):
        is_sentence = run_in["stop"] == "。" and "，" in run_in["head"] and len(run_in["head"]) > _LONGEST_PHRASE
        if not is_sentence:
            return run_in.end()
    glued = heads()["glued"].match(rest) if _is_chapter(mark) else None
    if glued:
        return glued.end()
    spaced = _SPACED.match(rest)
    return spaced.end() if spaced and heads()["unnumbered"].search(spaced["head"]) else None


def _is_chapter(mark: Mark) -> bool:
    return _RANK[mark.kind] <= _RANK["cn_paren"]


def _without_empty(placed: Sequence[_Placed], text: Text) -> list[_Placed]:
    """Drop lines that look like headings but have nothing under them: they are short findings of a list."""
    headings = {p.entry.index: p for p in placed}
    kept: list[_Placed] = []
    for p in placed:
        following = headings.get(p.entry.index + 1)
        ends_here = p.entry.body == p.entry.line.end
        last = p.entry.index + 1 >= len(text.lines)
        empty = ends_here and (last or (following is not None and following.level <= p.level))
        if not (empty and p.level > 1 and p.entry.line.heading is None):
            kept.append(p)
    return kept


def _sections(headings: Sequence[_Placed], placed: Sequence[_Placed], text: Text) -> Iterator[Section]:
    ends = _ends(placed, len(text.text))
    for p in headings:
        line, mark = p.entry.line, p.entry.mark
        body = p.entry.body or line.end
        width = mark.width if mark else 0
        heading = text.text[line.start + width : body].strip().rstrip("：:。.").strip()
        number = text.text[line.start : line.start + width].strip()
        yield Section(number, heading, p.level, line.start, max(ends[p.entry.index], body), body)


def _ends(placed: Sequence[_Placed], end_of_text: int) -> dict[int, int]:
    """Return where each line's section ends: where the next one of its level or a higher one starts."""
    ends: dict[int, int] = {}
    later: list[_Placed] = []  # the nearest further on first from behind, each of a higher level than the one behind it
    for p in reversed(placed):
        while later and later[-1].level > p.level:
            later.pop()
        ends[p.entry.index] = later[-1].entry.line.start if later else end_of_text
        later.append(p)
    return ends


# ------------------------------------------------------------------------------------------- levels: the cheapest reading

# Costs of breaking the custom, weighed by hand on our own reports so that each documented irregularity (a lost or
# repeated or skipped number, a list under a list of the same kind) is read as a person reads it.
_NEW_LIST = 0.5
_NEW_LIST_NOT_AT_ONE = 4.0
_SAME_KIND_AS_OPEN = 3.0
_OTHER_SHAPE = 1.0
_AGAINST_RANK = 1.5
_CHAPTER_IN_ITEM = 4.0
_ROOT_RANK = 1.0
_OTHER_KIND = 2.0
_OTHER_BRACKETS = 5.0
_KIND_SEEN_IN_LIST = 1.0
_REPEAT = 3.0
_SKIP = 3.0
_SKIP_MORE = 0.5
_BACK = 5.0
_RESTART = 2.5
_SIBLING_LIST = 2.0
_SECOND_ROOT = 4.0
_OFF_STYLE = 1.0
_ITEM_AT_TOP = 1.5
_BEAM = 24


class _List(NamedTuple):
    """An open list: the kinds of its marks, its last value and its level (a tuple, for hashing is what takes the time)."""

    kinds: frozenset[str]
    kind: str
    value: int
    level: int
    lead: str  # the highest of its kinds: "一、 2、 三、" is a list of "一、" that lost a number
    is_heading: bool  # whether its last line is a heading and not a sentence


_Stack = tuple[_List, ...]


class _Reading(NamedTuple):
    """A way to read the marks so far: what it cost, which lists are open, and the readings before it."""

    cost: float
    stack: _Stack
    before: _Reading | None = None


def _levels(steps: Sequence[_Step]) -> list[int]:
    """Return the level of each step in the cheapest reading of all of them."""
    beam = [_Reading(0.0, ())]
    for step in steps:
        best: dict[_Stack, _Reading] = {}
        for reading in beam:
            for cost, stack in _moves(reading.stack, step):
                total = reading.cost + cost
                known = best.get(stack)
                if known is None or total < known.cost:
                    best[stack] = _Reading(total, stack, reading)
        beam = nsmallest(_BEAM, best.values(), key=_cost)
    levels: list[int] = []
    back: _Reading | None = beam[0]
    while back is not None and back.stack:
        levels.append(back.stack[-1].level)
        back = back.before
    return levels[::-1]


def _cost(reading: _Reading) -> float:
    return reading.cost


def _moves(stack: _Stack, step: _Step) -> Iterator[tuple[float, _Stack]]:
    if step.kind == _STYLED:
        level = step.style or 1
        kept = tuple(item for item in stack if item.level < level)
        yield 0.0, (*kept, _List(_ONLY[_STYLED], _STYLED, 0, level, _STYLED, is_heading=True))
        return
    for depth, item in enumerate(stack):
        if item.kind != _STYLED:
            kinds = item.kinds if step.kind in item.kinds else item.kinds | _ONLY[step.kind]
            higher = _RANK[step.kind] < _RANK[item.lead] and _same_brackets(step.kind, item.lead)
            lead = step.kind if higher else item.lead
            grown = _List(kinds, step.kind, step.value, item.level, lead, step.is_heading)
            is_above = step.kind not in item.kinds and any(step.kind == other.lead for other in stack[:depth])
            above = _SAME_KIND_AS_OPEN if is_above else 0.0
            yield _going_on(item, step) + above + _fit(step, item.level), (*stack[:depth], grown)
    for depth in range(max(0, len(stack) - 1), len(stack) + 1):
        parents = stack[:depth]
        level = parents[-1].level + 1 if parents else 1
        fresh = _List(_ONLY[step.kind], step.kind, step.value, level, step.kind, step.is_heading)
        sibling = 0.0 if depth == len(stack) else _SIBLING_LIST if parents else _SECOND_ROOT
        yield _opening(parents, step) + sibling + _fit(step, level), (*parents, fresh)


def _same_brackets(kind: str, other: str) -> bool:
    return _BRACKETS.get(kind, kind) == _BRACKETS.get(other, other)


def _going_on(item: _List, step: _Step) -> float:
    cost = 0.0 if step.is_heading == item.is_heading else _OTHER_SHAPE
    if step.kind != item.kind:
        if step.kind in item.kinds:
            cost += _KIND_SEEN_IN_LIST
        else:
            cost += _OTHER_KIND if _same_brackets(step.kind, item.kind) else _OTHER_BRACKETS
    ahead = step.value - item.value
    if ahead == 1:
        return cost
    if ahead == 0:
        return cost + _REPEAT
    if ahead > 1:
        return cost + _SKIP + _SKIP_MORE * min(ahead - 2, 4)
    return cost + (_RESTART if step.value == 1 else _BACK)


def _opening(parents: _Stack, step: _Step) -> float:
    cost = _NEW_LIST if step.value == 1 else _NEW_LIST_NOT_AT_ONE
    rank = _RANK[step.kind]
    numbered = [item.lead for item in parents if item.kind != _STYLED]
    if step.kind in numbered:
        cost += _SAME_KIND_AS_OPEN
    elif numbered and rank <= _RANK[numbered[-1]]:
        cost += _AGAINST_RANK if rank > _RANK["cn"] else _CHAPTER_IN_ITEM
    if not parents:
        cost += _ROOT_RANK * (rank - step.top)
    return cost


def _fit(step: _Step, level: int) -> float:
    cost = 0.0 if step.style is None or step.style == level else _OFF_STYLE
    if level == 1 and not step.is_heading:
        cost += _ITEM_AT_TOP
    return cost
