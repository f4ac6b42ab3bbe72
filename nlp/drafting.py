"""Reference wording: of all that was found for a problem, the best that differ from each other. Nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nlp.figures import find_figures
from nlp.records import Identity, Suggestion
from nlp.words import character_pairs, likeness

# Maximal marginal relevance: how much a suggestion's own score counts against its likeness to what was chosen before.
_OWN = 0.7
# Two texts that share this much of their character pairs say the same in the same words.
_SAME = 0.6
_YEAR = re.compile(r"(?:19|20)\d\d\s*(?=年)|[一二][〇○零九一二三四五六七八九]{3}(?=年)")
_DAY = re.compile(r"\d{1,2}\s*月(?:\s*\d{1,2}\s*日|底|末|份|初)?")
_TITLE = re.compile(r"《[^》]{2,40}》")
_BODY = re.compile(
    r"[一-鿿]{2,12}?(?:有限责任公司|股份有限公司|有限公司|会计师事务所|人民政府|街道办事处|委员会办公室)"
    r"|[一-鿿]{1,8}?[省市县区](?:[一-鿿]{2,8}?(?:局|厅|委员会|办公室))"
)
_PLACE = re.compile(r"(?<![一-鿿])[一-鿿]{2,3}(?:省|市|县|区|镇|乡|村)(?![一-鿿]?[级直属])")
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
    spans: list[tuple[int, int, str]] = []
    region = identity.region
    for name, slot in (
        (identity.department, "单位"),
        *((place, "地名") for place in (region.county, region.city, region.province)),
    ):
        if name:
            spans += [(match.start(), match.end(), slot) for match in re.finditer(re.escape(name), text)]
    for pattern, slot in ((_TITLE, "文件"), (_BODY, "单位"), (_YEAR, "年度"), (_DAY, "日期"), (_PLACE, "地名")):
        spans += [(match.start(), match.end(), slot) for match in pattern.finditer(text)]
    for figure in find_figures(text):
        slot = "金额" if figure.unit.endswith(_MONEY) else "比例" if figure.unit in "%‰" else "数量"
        spans.append((figure.start, figure.start + len(figure.text), slot))
    parts, position = [], 0
    for start, end, slot in _apart(spans):
        parts += [text[position:start], f"〔{slot}〕"]
        position = end
    return _ADDRESS.sub(r"\1", "".join([*parts, text[position:]]))


def _apart(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return spans that do not touch each other: of two that do, the one that was found first stays."""
    kept: list[tuple[int, int, str]] = []
    for start, end, slot in spans:
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, slot))
    return sorted(kept)
