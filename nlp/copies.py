"""Copied wording: which passages stand in last year's report of the department, or in another department's, already.

Candidates come from MinHash and locality-sensitive hashing, and each is then measured exactly: the Jaccard likeness of the
runs of five characters, without figures, signs, ordinals, titles of documents and the department's own names, so that
"2023年培训612人" is the wording of "2022年培训540人" and one county's sentence that of another's. What is no evidence of
copying is left out first:

- texts of less than twenty characters, cells that are labels, and titles: they leave no room for a wording of one's own;
- background below headings of duties, bodies, staff and legal grounds, which is the same every year because it is still
  true, and of the parts that the form of published accounts prescribes word for word;
- sentences made of figures (the score and its parts, budget and expenditure): there only the same figures are evidence;
- wording that five or more departments share: it is the form's or the law's, and nobody can be said to have copied whom.

Source:
    Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets,
    chapter 3 (bands of a MinHash signature).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from nlp.records import Identity, Kind, ReportCard, Role, StoredPassage
from nlp.tagger import core

# Over our own reports every limit from 0.51 to 0.98 gives the same pairs: copies have more, and what is nearest to one of
# the other passages (a sentence that an office has to write) has 0.5. Low, for the sake of copies that were touched up, of
# which our reports have none: of those that `benchmarks/copies.py` plants 0.6 finds 91 %, 0.55 99.7 %, and 0.5 makes mistakes.
_LIKE = 0.55
# A pair with a likeness of 0.55 shares one of 40 bands of 4 values with a chance of 0.978, one of 0.7 with 0.99998; three
# values a band find as many copies of the benchmark's and take nearly twice the time.
_BANDS, _ROWS = 40, 4
_RUN = 5
_SHORTEST = 20  # over our own reports 15 to 40 give the same pairs, 10 the labels of score sheets too
# Not tuned, our reports share nothing between departments: four may have copied each other, more have filled in a form.
_FORM = 5
# Nearly all sentences of scores and budgets in our own reports have 4 to 8 letters a figure, the copied passages 15 and
# more; limits from 8 to 20 give the same pairs.
_LETTERS_PER_FIGURE = 10
_STANDING = re.compile(
    r"职能|(?<!履行)职责(?!履行)|机构|人员(?:编制|情况|构成)|依据|概[况述]|基本情况"
    r"|名词解释|三公”?经费|机关运行经费|政府采购支出|国有资产占有|国有资本经营|政府性基金"
)
_TITLE = re.compile(r"[^。；，！？]*(?:报告|自评表|评价表|情况表|说明|通知|公示|的函|附件)\W*")
_HEAD = re.compile(r"【[^】]{1,20}】|[^。；，：！？]{2,20}[。：]")
_DOCUMENT = re.compile(r"《[^》]{2,40}》")
_SIGNS = re.compile(r"[\W_]")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_COUNT = re.compile(r"[\d〇零一二两三四五六七八九十百千万亿]")
_NAME = re.compile(r"[一-鿿]{2,}?[省市州盟县区旗]|[一-鿿]{2,}")


class Wording(StrEnum):
    """How a copied passage reads beside its original: marks, ordinals and the departments' own names do not count."""

    IDENTICAL = "identical"
    FIGURES = "figures differ"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Copy:
    """A passage whose wording stood in a report before.

    Attributes:
        passage: The copy.
        original: Where the wording was taken from: the nearest earlier year of the same department, else of another one.
            Of two departments' reports of one year nobody can tell which was first: each has the other's for its original.
        likeness: From 0.55 to 1: the share of runs of five characters that both have.
    """

    passage: StoredPassage
    original: StoredPassage
    likeness: float
    wording: Wording

    @property
    def is_own(self) -> bool:
        """Whether a department copied from its own earlier report."""
        mine, its = (found.report.identity.department for found in (self.passage, self.original))
        return mine is not None and mine == its

    @property
    def is_later(self) -> bool:
        """Whether the passage is known to be the later one; if not, either may be the copy."""
        mine, its = (found.report.identity.year for found in (self.passage, self.original))
        return mine is not None and its is not None and mine != its


@dataclass(frozen=True, slots=True)
class CopiedShare:
    """How much of a report's text is copied.

    Attributes:
        characters: Of all its passages.
        own: Of passages copied from the department's own earlier reports.
        others: Of passages copied from elsewhere, or the same elsewhere where nobody can tell which was first.
    """

    report: ReportCard
    characters: int
    own: int
    others: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return (self.own + self.others) / self.characters if self.characters else 0.0


@dataclass(frozen=True, slots=True)
class Copies:
    """What was copied among some reports.

    Attributes:
        pairs: One for each copied passage, in the order of departments, years, reports and passages.
        shares: One for each report, the most copied first.
    """

    pairs: tuple[Copy, ...]
    shares: tuple[CopiedShare, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """A passage that may be a copy or an original.

    Attributes:
        words: Its characters without signs, ordinal, documents and names, figures included.
        wording: The same without figures; all of it where it is made of figures.
    """

    found: StoredPassage
    words: str
    wording: str

    @property
    def place(self) -> _Place:
        identity = self.found.report.identity
        return identity.department, identity.year

    @property
    def order(self) -> tuple[str, int]:
        return self.found.report.id, self.found.row


_Place = tuple[str | None, int | None]


def find_copies(passages: Iterable[StoredPassage]) -> Copies:
    """Return the copied passages of some reports with their originals, and the share of copied text of each report.

    The order of the passages makes no difference. Rows of audit tables are left out, for they quote on purpose. Passages of
    one department and year are no copies of each other: a report may lie there in two formats, and a project's report may
    repeat that of its department.
    """
    own = [found for found in passages if found.report.identity.kind is not Kind.AUDIT]
    texts = sorted((text for found in own if (text := _read(found)) is not None), key=lambda text: text.order)
    firsts: dict[str, dict[_Place, _Text]] = defaultdict(dict)
    same: dict[tuple[str, _Place], _Text] = {}
    for text in texts:
        firsts[text.wording].setdefault(text.place, text)
        same.setdefault((text.words, text.place), text)
    alike = _alike({wording: frozenset(places) for wording, places in firsts.items()})
    pairs = []
    for text in texts:
        near = alike.get(text.wording, {})
        before = [
            (_nearness(text, first), likeness, place, first)
            for wording, likeness in near.items()
            for place, first in firsts[wording].items()
            if _may_be_original(first, text)
        ]
        if before:
            *_, place, first = max(before, key=lambda item: (*item[:2], item[3].order))
            original = same.get((text.words, place), first)
            pairs.append(Copy(text.found, original.found, near[original.wording], _compare(text, original)))
    pairs.sort(key=lambda pair: _sorting(pair.passage))
    return Copies(tuple(pairs), _shares(own, pairs))


def _read(found: StoredPassage) -> _Text | None:
    """Return what is compared of a passage, or ``None`` where it is no evidence of copying."""
    passage, identity = found.passage, found.report.identity
    if found.tags.role is Role.BACKGROUND and any(_STANDING.search(heading) for heading in passage.section):
        return None
    if _TITLE.fullmatch(passage.text):
        return None
    names = _names(identity)
    cells = [_DOCUMENT.sub("", _body(core(cell))) for cell in passage.text.split("\t")]
    cells = [names.sub("", cell) if names else cell for cell in cells]
    prose = "".join(cell for cell in cells if len(_letters(cell)) >= _SHORTEST)
    letters = _letters(prose)
    if not letters:
        return None
    words = _SIGNS.sub("", prose)
    is_figures = len(letters) < _LETTERS_PER_FIGURE * len(_FIGURE.findall(prose))
    return _Text(found, words, words if is_figures else letters)


def _body(text: str) -> str:
    """Return a text without the run-in head in front, where enough is left behind it.

    >>> _body("资产管理有差距。县城三所学校的实验设备长期没有登记入账，盘点时才发现去向不明。")
    '县城三所学校的实验设备长期没有登记入账，盘点时才发现去向不明。'
    >>> _body("绩效意识不强。重资金、轻绩效。")
    '绩效意识不强。重资金、轻绩效。'
    """
    head = _HEAD.match(text)
    rest = text[head.end() :] if head else text
    return rest if len(_letters(rest)) >= _SHORTEST else text


def _letters(text: str) -> str:
    """Return a text without figures and signs.

    >>> _letters("2023年新增学位1,620个，二〇二二年为一千个。")
    '年新增学位个年为个'
    """
    return _COUNT.sub("", _SIGNS.sub("", text))


def _names(identity: Identity) -> re.Pattern[str] | None:
    """Return what finds the names of a report's department and places, or ``None`` where none is known.

    >>> _names(Identity(department="云屏省棠溪县教育局")).sub("", "棠溪县教育局管理全县学校，县教育局设股室。")
    '管理全县学校，县设股室。'
    """
    region = identity.region
    known = {name for name in (region.province, region.city, region.county) if name}
    if identity.department:
        known |= {identity.department, *_NAME.findall(identity.department)}
    return re.compile("|".join(map(re.escape, sorted(known, key=lambda name: (-len(name), name))))) if known else None


def _alike(places: dict[str, frozenset[_Place]]) -> dict[str, dict[str, float]]:
    """Return for each wording those that it may be copied from, itself among them, with their likeness.

    A wording of a form has none. It is not put into the table either once that is known, so that a form with thousands of
    variants costs each of them a handful of comparisons. A wording with figures is like itself alone.
    """
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped] # noqa: PLC0415 -- half a second

    table = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    wordings = sorted(wording for wording in places if not _FIGURE.search(wording))
    signatures = MinHash.generator(map(_encoded_runs, wordings), num_perm=_BANDS * _ROWS)
    alike: dict[str, dict[str, float]] = {wording: {wording: 1.0} for wording in places}
    for number, (wording, signature) in enumerate(zip(wordings, signatures, strict=True)):
        runs = _runs(wording)
        for other in (wordings[other] for other in sorted(table.query(signature))):
            if len(places[wording] | places[other]) > 1 and (likeness := _likeness(runs, _runs(other))) >= _LIKE:
                alike[wording][other] = alike[other][wording] = likeness
        if not _is_form(alike[wording], places):
            table.insert(number, signature, check_duplication=False)
    return {wording: near for wording, near in alike.items() if not _is_form(near, places)}


def _is_form(wordings: Iterable[str], places: dict[str, frozenset[_Place]]) -> bool:
    """Return whether so many departments write this that it is nobody's own wording."""
    return len({department for wording in wordings for department, _ in places[wording] if department}) >= _FORM


def _runs(text: str) -> set[str]:
    return {text[i : i + _RUN] for i in range(len(text) - _RUN + 1)}


def _encoded_runs(text: str) -> list[bytes]:
    return [run.encode() for run in _runs(text)]


def _likeness(first: set[str], second: set[str]) -> float:
    """Return how many of the runs of two texts both have, from 0 to 1."""
    return round(len(first & second) / len(first | second), 4)


def _may_be_original(first: _Text, second: _Text) -> bool:
    """Return whether the first text may be the original of the second."""
    (department, year), (its_department, its_year) = first.place, second.place
    if first.found.report.id == second.found.report.id:
        return False
    if year is not None and its_year is not None and year != its_year:
        return year < its_year
    return department is not None and its_department is not None and department != its_department


def _nearness(text: _Text, original: _Text) -> tuple[bool, bool, int]:
    """Return what makes an original the likelier one: the department's own, of an earlier year, of the latest of these."""
    (department, year), (its_department, its_year) = text.place, original.place
    is_own = department is not None and department == its_department
    return is_own, year != its_year, its_year or 0


def _compare(text: _Text, original: _Text) -> Wording:
    if text.words == original.words:
        return Wording.IDENTICAL
    return Wording.FIGURES if text.wording == original.wording else Wording.NEAR


def _sorting(found: StoredPassage) -> tuple[str, int, str, int]:
    identity = found.report.identity
    return identity.department or "", identity.year or 0, found.report.id, found.row


def _shares(passages: Iterable[StoredPassage], pairs: Iterable[Copy]) -> tuple[CopiedShare, ...]:
    origin = {pair.passage.row: pair.is_own for pair in pairs}
    cards: dict[str, ReportCard] = {}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for found in sorted(passages, key=lambda found: found.row):
        card = cards.setdefault(found.report.id, found.report)
        length = len(found.passage.text)
        counts[card.id][0] += length
        if found.row in origin:
            counts[card.id][1 if origin[found.row] else 2] += length
    shares = [CopiedShare(cards[rid], *count) for rid, count in counts.items()]
    return tuple(sorted(shares, key=lambda item: (-item.share, item.report.id)))
