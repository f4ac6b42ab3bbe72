"""Whose report it is: title, department, region, level, fiscal year and kind, each with what it was taken from.

Sources, best first: what the person says (options, ``meta.csv``), the title, a field such as 单位名称, the signature,
the first paragraphs, the file's name, the folders' names.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from nlp.errors import InvalidInputError
from nlp.outline import chinese_number, find_mark
from nlp.records import Identity, Kind, Level, Region
from nlp.regions import level_of, merge_regions, parse_region, split_region
from nlp.text import Text, clean

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_BODY = (
    r"(?:人民政府|街道办事处|管理委员会|管委会|委员会|办公室|办事处|联合会|研究院|研究所|人民法院|人民检察院|服务中心|中心|基金会"
    r"|学校|大学|学院|中学|小学|幼儿园|医院|卫生院|总局|分局|局|厅|委|办|院|署|总会|协会|商会|总队|支队|大队|总社|报社|部|处|所|站|馆|镇|乡|会)"
)
_NAME = re.compile(
    rf"(?P<name>[一-龥（）()]{{0,24}}?[一-龥]{_BODY})"
    r"(?=\d{4}|[二〇零一]{2,4}|（?部门|整体|项目|绩效|预算|财政|单位|决算|关于|支出|自评|专项|资金|本级|的|自|在|是|于|，|。|：|（以下|$|\s|[_\-—《])"
)
_FIELD = re.compile(
    r"(?:部门|单位|填报|预算|主管|评价|申报|编制|被评价)(?:部门|单位|（单位）|\(单位\))?(?:名称|全称)?(?:（[^）]{1,6}）)?[：:\t ]+(?P<value>[一-龥（）]{3,30})"
)
_CN_YEAR = re.compile(r"二[〇零○O0]([一二三四五六七八九〇零○])([一二三四五六七八九〇零○])年")
_DATE = re.compile(r"(20\d\d)\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?$")
_TITLE_WORDS = re.compile(r"报告|自评|评价|决算|预算|整改|情况|台账|清单|汇总")
_TITLE_END = re.compile(r"(报告|情况|自评表|评价表|决算|台账|清单|汇总表|公开|说明)(书|表)?(（[^）]*）|\([^)]*\))?$")
_NOT_A_NAME = re.compile(r"^(?:各|本|我|该|全|相关|有关|上级|主管|预算|填报|项目|业务|评价|内设|所属|下属|其他|根据|按照)|单位名称|部门名称|财政部门$")
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.AUDIT, re.compile(r"审计.{0,30}(整改|问题|结果|报告)|整改情况|问题清单")),
    (Kind.DEPARTMENT, re.compile(r"整体(支出)?(绩效)?|部门支出绩效")),
    (Kind.PROJECT, re.compile(r"项目(支出|资金)?.{0,8}(绩效|自评)|专项(资金|经费)?.{0,12}(绩效|自评|支出)|项目支出|资金.{0,6}(绩效)?自评")),
    (Kind.EVALUATION, re.compile(r"绩效评价报告|财政评价|部门评价|重点评价|第三方.{0,6}评价")),
    (Kind.ACCOUNTS, re.compile(r"决算")),
    (Kind.DEPARTMENT, re.compile(r"部门.{0,10}绩效自评|单位.{0,10}绩效自评")),
)
_OPENING = 12
_CLOSING = 12
_SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person says of a report; a field that is ``None`` is left to the program."""

    title: str | None = None
    department: str | None = None
    province: str | None = None
    city: str | None = None
    county: str | None = None
    level: Level | None = None
    year: int | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class _Clue(Generic[T]):
    """A value and what it was taken from."""

    value: T
    source: str


def identify(text: Text, path: str, document_title: str = "", overrides: Overrides | None = None) -> Identity:
    """Return the identity of a report.

    Args:
        text: Its mended text.
        path: Where it was found; folders and file name count as hints.
        document_title: Title from the file's properties.
        overrides: What a person says, which wins.
    """
    said = overrides or Overrides()
    opening = [text.of(line).replace("\t", " ") for line in text.lines[:_OPENING]]
    places = _Places(_title(opening), document_title, tuple(opening), tuple(_signature(text)), PurePosixPath(path))
    taken: dict[str, str] = {}
    title = _choose(taken, "title", said.title, _titles(places))
    department = _choose(taken, "department", said.department, _departments(places, text))
    year = _choose(taken, "year", said.year, _years(places, text))
    kind = _choose(taken, "kind", said.kind, _kinds(places))
    region = _region(taken, said, department, places, text)
    found_level = level_of(department, region) if department else None
    level = _choose(taken, "level", said.level, [_Clue(found_level, "department")] if found_level else [])
    return Identity(title or "", department, region, level, year, kind, taken)


def _choose(taken: dict[str, str], field: str, said: T | None, clues: Iterable[_Clue[T]]) -> T | None:
    if said is not None:
        taken[field] = "override"
        return said
    clue = next(iter(clues), None)
    if clue is None:
        return None
    taken[field] = clue.source
    return clue.value


@dataclass(frozen=True, slots=True)
class _Places:
    """Where clues are looked for."""

    title: str
    property_title: str
    opening: tuple[str, ...]
    signature: tuple[str, ...]
    path: PurePosixPath

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield the words of the file's name, then of its folders, from the nearest."""
        yield self.path.stem, "file name"
        for folder in reversed(self.path.parts[:-1]):
            yield folder, "folder"


# ------------------------------------------------------------------------------------------------------------------ title


def _title(opening: Sequence[str]) -> str:
    """Return the title: the first line, or the two or three first lines together, that reads like one."""
    lines: list[str] = []
    for line in opening:
        if re.search(r"[。；]", line) or (find_mark(line) and lines):
            break
        if find_mark(line) is None and not re.fullmatch(r"(附件|附表|附)[\s\d一二三四五：:-]*|目录|（?公开版）?|\W+", line):
            lines.append(line)
    best, best_score = "", 0.0
    for begin in range(len(lines)):
        for count in (1, 2, 3):
            window = lines[begin : begin + count]
            title = "".join(window)
            score = _title_score(title) - 0.6 * (count - 1) - 0.3 * begin
            if len(window) == count and score > best_score:
                best, best_score = title, score
    return best


def _title_score(title: str) -> float:
    if not 6 <= len(title) <= 80 or not _TITLE_WORDS.search(title) or re.search(r"[：:]", title):
        return 0.0
    score = 1.0
    score += 1.5 if _TITLE_END.search(title) else 0.0
    score += 1.0 if re.search(r"20\d\d|二[〇零○]", title) else 0.0
    score += 1.0 if _NAME.search(title) else 0.0
    return score


def _titles(places: _Places) -> Iterator[_Clue[str]]:
    if places.title:
        yield _Clue(places.title, "title")
    if _title_score(places.property_title) >= 2.0:  # noqa: PLR2004  words of a title and one thing more
        yield _Clue(clean(places.property_title), "file properties")
    yield _Clue(clean(places.path.stem), "file name")


# ------------------------------------------------------------------------------------------------------------- department


def _departments(places: _Places, text: Text) -> Iterator[_Clue[str]]:
    """Yield departments, best first; a name that another place gives in full (with its county) is given in full."""
    found = list(_named_departments(places, text))
    for clue in found:
        fuller = [other.value for other in found if other.value.endswith(clue.value) and other.value != clue.value]
        wins = next((name for name in fuller if split_region(name)[1] == clue.value), clue.value)
        yield _Clue(wins, clue.source)


def _named_departments(places: _Places, text: Text) -> Iterator[_Clue[str]]:
    if name := _department_in(places.title or places.property_title):
        yield _Clue(name, "title")
    for line in text.lines[:60]:
        if (match := _FIELD.match(text.of(line))) and (name := _department_in(match.group("value"))):
            yield _Clue(name, "field")
    for line in places.signature:
        if name := _department_in(line, whole=True):
            yield _Clue(name, "signature")
    for words, source in places.names():
        if name := _department_in(words):
            yield _Clue(name, source)
    for line in places.opening:
        if name := _department_in(line):
            yield _Clue(name, "text")


def _department_in(words: str, *, whole: bool = False) -> str | None:
    """Return the department that words name.

    >>> _department_in("2024年度株洲市渌口区自然资源局整体支出绩效自评报告")
    '株洲市渌口区自然资源局'
    >>> _department_in("关于2023年度部门整体支出绩效自评的报告") is None
    True
    """
    words = re.sub(r"^(?:附件\s*\d*[:：]?)|(?<!\d)20\d\d\s*[-—至]?\s*(?:年度?)?|二[〇零○][一-九二三四五六七八〇零○]{2}年度?|关于", " ", words)
    for match in _NAME.finditer(words):
        name = match.group("name").strip("（）()")
        if (whole and len(name) < len(words.strip())) or _NOT_A_NAME.search(name) or len(name) < _SHORTEST_NAME:
            continue
        return name
    return None


def _signature(text: Text) -> Iterator[str]:
    """Yield the short lines just before the date that closes a report, the nearest first."""
    closing = [text.of(line) for line in text.lines[-_CLOSING:] if line.table is None]
    dated = [i for i, line in enumerate(closing) if _DATE.search(line) or _CN_YEAR.match(line)]
    for i in dated[-1:]:
        yield from (_DATE.sub("", line).strip() for line in closing[max(0, i - 2) : i + 1][::-1] if len(line) <= 40)  # noqa: PLR2004


# ------------------------------------------------------------------------------------------------------------------- year


def _years(places: _Places, text: Text) -> Iterator[_Clue[int]]:
    """Yield fiscal years, best first. A report of the year 2024 is written, and dated, in 2025."""
    for words, source in ((places.title, "title"), (places.property_title, "file properties")):
        yield from (_Clue(year, source) for year in _years_in(words))
    names = [(year, source) for words, source in places.names() for year in _years_in(words)]
    for line in text.lines[:60]:
        if re.match(r"(?:评价|预算|自评)?年度[：:\t ]", text.of(line)):
            yield from (_Clue(year, "field") for year in _years_in(text.of(line)))
    body = Counter(int(year) for year in re.findall(r"(?<!\d)(20\d\d)\s*年度", text.text))
    likely = [year for year, count in body.most_common(2) if count >= 2]  # noqa: PLR2004  one mention may be any year
    yield from (_Clue(year, source) for year, source in names)
    yield from (_Clue(year, "text") for year in likely)
    yield from (_Clue(year, "text") for line in places.opening for year in _years_in(line))
    for line in text.lines[-_CLOSING:]:
        if match := _DATE.search(text.of(line)):
            yield _Clue(int(match.group(1)) - 1, "signature")


def _years_in(words: str) -> Iterator[int]:
    """Yield the years that words name, fiscal years (年度) first.

    >>> list(_years_in("2025年关于2024年度部门整体支出的报告")), list(_years_in("二〇二三年度决算"))
    ([2024, 2025], [2023])
    """
    yield from (int(year) for year in re.findall(r"(?<!\d)(20\d\d)\s*年度", words))
    for match in _CN_YEAR.finditer(words):
        tens, ones = (max(0, chinese_number(digit.replace("○", "〇"))) for digit in match.groups())
        yield 2000 + 10 * tens + ones
    yield from (int(year) for year in re.findall(r"(?<!\d)(20[0-4]\d)(?!\d|\s*年度)", words))


# ------------------------------------------------------------------------------------------------------- kind and region


def _kinds(places: _Places) -> Iterator[_Clue[Kind]]:
    names = [words for words, _ in places.names()]
    for words, source in ((places.title, "title"), (names[0], "file name"), ("".join(places.opening), "text")):
        yield from (_Clue(kind, source) for kind, pattern in _KINDS if pattern.search(words))
    yield from (_Clue(kind, "folder") for words in names[1:] for kind, pattern in _KINDS if pattern.search(words))


def _region(
    taken: dict[str, str], said: Overrides, department: str | None, places: _Places, text: Text
) -> Region:
    stated = Region(said.province, said.city, said.county)
    candidates = [
        (parse_region(department or ""), "department"),
        *((parse_region(re.sub(r"^\W*(?:20\d\d年?度?)?(?:关于)?", "", words)), "title") for words in (places.title,)),
        *((parse_region(line), "signature") for line in places.signature),
        *((parse_region(words), source) for words, source in places.names()),
        *((parse_region(match.group()), "text") for match in _province_mentions(text.text)),
    ]
    region = merge_regions(stated, Region())
    if stated != Region():
        taken["region"] = "override"
    for found, source in candidates:
        merged = merge_regions(region, found)
        if merged != region:
            taken.setdefault("region", source)
            region = merged
    return region


def _province_mentions(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"(?<![一-龥])[一-龥]{2,3}(?:省|自治区)[一-龥]{2,7}?(?:市|州|县|区)", text[:20_000]))[:3]


# --------------------------------------------------------------------------------------------------------------- meta.csv

_COLUMNS = {
    "file": ("file", "文件", "文件名"),
    "title": ("title", "标题"),
    "department": ("department", "部门", "单位"),
    "province": ("province", "省"),
    "city": ("city", "市"),
    "county": ("county", "县", "区县"),
    "level": ("level", "层级"),
    "year": ("year", "年度", "年份"),
    "kind": ("kind", "类型"),
}


def read_meta(data: bytes) -> dict[str, Overrides]:
    """Return, for each file that a ``meta.csv`` names, what it says of it.

    Raises:
        InvalidInputError: If the table has no column for the file's name, or a value that is not known.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    rows = list(csv.DictReader(io.StringIO(text)))
    fields = {field: column for field, names in _COLUMNS.items() for column in (rows[0] if rows else {}) if column in names}
    if "file" not in fields:
        raise InvalidInputError("meta.csv 应有“文件”一列（可另有 部门、年度、省、市、县、层级、类型、标题），但没有找到")
    return {
        row[fields["file"]].strip(): make_overrides(
            {field: row[column] or "" for field, column in fields.items() if field != "file"}
        )
        for row in rows
    }


def make_overrides(values: Mapping[str, str]) -> Overrides:
    """Return the overrides for fields as a person types them; empty ones are left out.

    Raises:
        InvalidInputError: If a year, level or kind is not known.
    """
    given = {field: value.strip() for field, value in values.items() if value.strip()}
    year = given.pop("year", None)
    level = given.pop("level", None)
    kind = given.pop("kind", None)
    return Overrides(
        **given,
        year=None if year is None else _parse_year(year),
        level=None if level is None else _parse(Level, "层级", level),
        kind=None if kind is None else _parse(Kind, "类型", kind),
    )


def _parse_year(text: str) -> int:
    match = re.fullmatch(r"(20\d\d)(?:年度?)?", text)
    if match is None:
        raise InvalidInputError(f"年度应是四位数字（如 2024），得到的是“{text}”")
    return int(match.group(1))


def _parse(closed: type[E], what: str, text: str) -> E:
    try:
        return closed(text)
    except ValueError as error:
        known = "、".join(str(item) for item in closed)
        raise InvalidInputError(f"{what}应是 {known} 之一，得到的是“{text}”") from error
