"""Reference wording: of all that was found for a problem, the best that differ from each other. Nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from functools import lru_cache
from importlib.resources import files

from nlp.figures import find_figures
from nlp.records import Identity, Suggestion
from nlp.regions import split_region, township_of
from nlp.words import character_pairs, likeness

# Maximal marginal relevance: how much a suggestion's own score counts against its likeness to what was chosen before.
_OWN = 0.7
# Two texts that share this much of their character pairs say the same in the same words.
_SAME = 0.6
_YEAR = re.compile(r"(?:19|20)\d\d\s*(?=年)|[一二][〇○零九一二三四五六七八九]{3}(?=年)")
_DAY = re.compile(r"\d{1,2}\s*月(?:\s*\d{1,2}\s*日|底|末|份|初)?")
_TITLE = re.compile(r"《[^》]{2,40}》")
# Where a name begins behind other words: they end with one of these signs. "由" and "报" are verbs before "县财政局"; what
# stands before it without them is perhaps the rest of a county's name that nobody has told us, and then all of it stays.
_BEFORE_NAME = (
    "(?:(?<![一-鿿])|(?<=[由与和及或向对请报经到去在送交给按照据询议商还让将把为是须从受同取]))(?<![省市县区]、)"
)
_COMPANY = re.compile(
    r"(?<=委托|聘请)(?!专业|社会|外部|中介)[^\W\d第的某家]{2,12}?(?:有限责任公司|股份有限公司|有限公司|会计师事务所)"
)
_MONEY = "元"
_ADDRESS = re.compile(r"(?:〔地名〕)+(〔地名〕|〔单位〕)")  # a province, a city and an office are one slot


def choose(candidates: Iterable[Suggestion], count: int) -> tuple[Suggestion, ...]:
    """Return the best suggestions that differ from each other, best first.

    One that says the same in the same words as another is no suggestion of its own: it becomes a further source of the
    better one. Among the others each choice weighs its score against its likeness to those chosen before.

    Source:
        Carbonell and Goldstein, The use of MMR, diversity-based reranking for reordering documents, 1998.
    """
    ranked: list[tuple[Suggestion, frozenset[str]]] = []
    for candidate in sorted(candidates, key=lambda item: (-item.score, item.found.row)):
        pairs = character_pairs(candidate.found.passage.text)
        same = next((place for place, (_, own) in enumerate(ranked) if likeness(pairs, own) >= _SAME), None)
        if same is None:
            ranked.append((candidate, pairs))
        else:
            better, own = ranked[same]
            if candidate.found.row not in {better.found.row, *(found.row for found in better.also)}:
                ranked[same] = replace(better, also=(*better.also, candidate.found)), own
    chosen: list[tuple[Suggestion, frozenset[str]]] = []
    while ranked and len(chosen) < count:
        values = [_OWN * one.score - (1 - _OWN) * _nearest(pairs, chosen) for one, pairs in ranked]
        chosen.append(ranked.pop(values.index(max(values))))
    return tuple(suggestion for suggestion, _ in chosen)


def _nearest(pairs: frozenset[str], chosen: Sequence[tuple[Suggestion, frozenset[str]]]) -> float:
    return max((likeness(pairs, own) for _, own in chosen), default=0.0)


def with_slots(text: str, identity: Identity) -> str:
    """Return a wording with slots in place of figures, dates, documents, places and offices, which are another report's.

    >>> with_slots("2024年6月底前由青禾县教育局盘点资产，处置设备12台、38.5万元，达标率98%。", Identity(department="青禾县教育局"))
    '〔年度〕年〔日期〕前由〔单位〕盘点资产，处置设备〔数量〕、〔金额〕，达标率〔比例〕。'
    """
    places = _places(identity)
    patterns = (
        (_TITLE, "文件"),
        (_any_of([identity.department or ""]), "单位"),
        (_office(places), "单位"),
        (_COMPANY, "单位"),
        (_YEAR, "年度"),
        (_DAY, "日期"),
        (_any_of(places), "地名"),
    )
    spans = [(found.start(), found.end(), slot) for pattern, slot in patterns for found in pattern.finditer(text)]
    for figure in find_figures(text):
        slot = "金额" if figure.unit.endswith(_MONEY) else "比例" if figure.unit in "%‰" else "数量"
        spans.append((figure.start, figure.start + len(figure.text), slot))
    parts, position = [], 0
    for start, end, slot in _apart(spans):
        parts += [text[position:start], f"〔{slot}〕"]
        position = end
    return _ADDRESS.sub(r"\1", "".join([*parts, text[position:]]))


def _places(identity: Identity) -> tuple[str, ...]:
    """Return the names of the places that a report's department belongs to: of others nobody can tell where they begin."""
    department = identity.department or ""
    names = {township_of(department), *astuple(identity.region), *astuple(split_region(department)[0])}
    return tuple(sorted(name for name in names if name))


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of some names, the longest first; nothing where there is none."""
    known = sorted((re.escape(name) for name in names if name), key=len, reverse=True)
    return re.compile("|".join(known) or "(?!)")


@lru_cache(maxsize=256)
def _office(places: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds the organs of a government by their names, from the place or the 省, 市, 县, 区 in front of them."""
    fields = _any_of(files("nlp.data").joinpath("offices.txt").read_text("utf-8").split()).pattern
    organ = rf"(?:(?:{fields})[和与]?)+(?:管理|服务|事务|监督|综合)*(?:局(?![长面部])|厅(?!长)|委员会|委(?![托派任员]))"
    where = rf"(?:(?:{_any_of(places).pattern})+[省市县区]?|{_BEFORE_NAME}[省市县区])"
    return re.compile(rf"{where}(?:{organ}|人民政府(?:办公[室厅])?|政府办公[室厅]|纪委监委)")


def _apart(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return spans that do not touch each other: of two that do, the one that was found first stays."""
    kept: list[tuple[int, int, str]] = []
    for start, end, slot in spans:
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, slot))
    return sorted(kept)
