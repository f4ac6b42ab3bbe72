"""Whose report it is: title, department, region, level, fiscal year and kind, each with what it was taken from.

Sources, best first: what the person says (options, ``meta.csv``), the title, a field such as 单位名称, the signature,
the first paragraphs, the file's name, the folders' names.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from nlp.errors import InvalidInputError
from nlp.outline import chinese_number, find_mark
from nlp.records import Identity, Kind, Level, Line, Region
from nlp.regions import complete_region, has_place, level_of, merge_regions, replace_region, split_region, township_of
from nlp.text import Text, clean, in_grid

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_BODY = (
    r"(?:人民政府|街道办事处|街道|管理委员会|管委会|委员会|办公室|办事处|联合会|研究院|研究所|人民法院|人民检察院|服务中心|中心|基金会"
    r"|学校|大学|学院|中学|小学|幼儿园|医院|卫生院|总局|分局|局|厅|委|办|院|署|总会|协会|商会|总队|支队|大队|总社|报社|部|处|所|站|馆|镇|乡|会"
    # Of endings that things and places have, too (平台, 市场, 教室), only whole words.
    r"|政协|人大|[科作记]协|[残妇文侨商科]联|(?:供销(?:合作)?|联合)社|[党技]校|气象台|电视台|[林农牧渔]场|(?:训练|实践)基地|[纂究]室)"
)
_ASIDE = r"[（(][^（）()]{2,12}[）)]"
_NAME = re.compile(
    rf"(?P<name>[一-龥（）()][一-龥（）()\d]{{0,24}}?{_BODY})"
    rf"(?=(?P<aside>(?:{_ASIDE})?)(?:\d{{4}}|[二〇零一]{{2,4}}|（?部门|整体|项目|绩效|预算|财政|单位|决算|关于|支出|自评|专项|资金|本级|的|自|在|是|于|，|。|：|（以下|$|\s|[_\-—《]))"
)
_FIELD = re.compile(
    r"(?:部门|单位|填报|预算|主管|评价|申报|编制|被评价)(?:部门|单位|（单位）|\(单位\))?(?:名称|全称)?(?:（[^）]{1,6}）)?[：:\t ]+(?P<value>[一-龥（）]{3,30})"
)
_CN_YEAR = re.compile(r"二[〇零○O0]([一二三四五六七八九〇零○])([一二三四五六七八九〇零○])年")
_DATE = re.compile(r"(20\d\d)\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?$")
_CN_DATE = re.compile(
    r"二[〇零○O0][一二三四五六七八九〇零○]{2}年[一二三四五六七八九十]{1,2}月(?:[一二三四五六七八九十]{1,3}日)?$"
)
_MONTH = re.compile(r"(20\d\d)\s*年\s*\d{1,2}\s*月(?!\d{0,2}日?[-—~～至到])")
_TITLE_WORDS = re.compile(r"报告|自评|评价|决算|预算|整改|情况|台账|清单|汇总")
_NO_TITLE = re.compile(r"(附件|附表|附)[\s\d一二三四五：:-]*|目录|（?公开版?）?|\W+")
_TITLE_END = re.compile(
    r"(报告|情况|自评表|评价表|决算|台账|清单|汇总表|(?:自评|评价|绩效|决算)(?:信息)?公开|说明)(书|表)?(（[^）]*）|\([^)]*\))?$"
)
_NOT_A_NAME = re.compile(
    r"^(?:上报|报送|报[省市县区]|各|本|我|该|全|相关|有关|上级|主管|预算|填报|项目|业务|评价|内设|所属|下属|其他|根据|按照)|单位名称|部门名称|财政部门$"
)
_ADDRESSEE = re.compile(r"[^，。；]{2,30}[：:]")
# An office within a department, that signs for the whole.
_INNER_OFFICE = re.compile(
    r"(?<=[局厅])(?:综合)?办公室$"
    r"|(?<=[局厅委会院])[^局厅委会院]{0,4}(?:财务|计财|规财|综合|人事|审计|预算|绩效)[^局厅委会院办]{0,4}[处科股室]$"
)
_FINANCE_OFFICE = re.compile(r"(?P<place>[一-龥]{2,14}[省市县区州旗])财政[局厅][：:]")
# What stands behind the name of a place and before the one it lies in; hill country and new estates are none.
_LIES_IN = (
    r"(?:(?:隶属|位于|地处|坐落)(?:于|在)?(?![一-龥]{0,6}(?:山|林|库|新)区)(?P<of>[一-龥]{3,20})"
    r"|在(?P<at>[一-龥]{2,15}?[县区市])(?=最?[东南西北中]|城|境))"
)
_BEFORE_OWN = r"(?<![一-龥])(?:根据|按照|依据|关于|[对向由经在为受])?(?P<above>[一-龥]{2,12}?[市州县区])"
_SEAL = re.compile(r"[（(](?:盖章|公章|签章|加盖公章|章)[）)]")
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.AUDIT, re.compile(r"审计.{0,30}(整改|问题|结果|报告)|整改(情况|台账|清单)|问题(清单|台账|整改)")),
    (Kind.DEPARTMENT, re.compile(r"整体(支出)?(绩效)?|部门支出绩效")),
    (
        Kind.PROJECT,
        re.compile(
            r"项目(支出|资金)?.{0,8}(绩效|自评)|专项(资金|经费)?.{0,12}(绩效|自评|支出)|项目支出|资金.{0,6}(绩效)?自评"
        ),
    ),
    (Kind.EVALUATION, re.compile(r"绩效评价报告|财政评价|部门评价|重点评价|第三方.{0,6}评价")),
    (Kind.ACCOUNTS, re.compile(r"决算")),
    (Kind.DEPARTMENT, re.compile(r"部门.{0,10}绩效自评|单位.{0,10}绩效自评")),
)
_BEFORE_PLACE = re.compile(r"^\W*(?:(?:20\d\d|二[〇零○][一-九二三四五六七八九〇零○]{2})(?:年度?)?|关于)*")
_LEVEL_WORDS: tuple[tuple[Level, re.Pattern[str]], ...] = (
    (Level.PROVINCE, re.compile(r"[全各两]省|省(?:级|本级|直)|省(?=20|预算|绩效)")),
    (Level.CITY, re.compile(r"[全各两]市|市(?:级|本级|直)|市(?=20|预算|绩效)")),
    (Level.COUNTY, re.compile(r"[全各两][县区]|[县区](?:级|本级|直)|[县区](?=20|预算|绩效)")),
    (Level.TOWNSHIP, re.compile(r"[全各][镇乡]|[镇乡]级")),
)
_OPENING = 12
_HEADER = 60
_CLOSING = 12
_SHORTEST_NAME = 3
_READ_FOR_PLACES = 20_000  # characters
_LONGEST_SIGNATURE = 40


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
    opening = [line for line in text.lines[:_OPENING] if not in_grid(line)]
    words = tuple(text.of(line) for line in opening)
    title = _title(words, [line.heading for line in opening])
    places = _Places(title, document_title, words, tuple(_signature(text)), PurePosixPath(path))
    taken: dict[str, str] = {}
    chosen_title = _choose(taken, "title", said.title, _titles(places))
    department = _choose(taken, "department", said.department, _departments(places, text))
    year = _choose(taken, "year", said.year, _years(places, text))
    kind = _choose(taken, "kind", said.kind, _kinds(places))
    region = _region(taken, said, department, places, text)
    level = _choose(taken, "level", said.level, _levels(places, department, region, taken))
    return Identity(chosen_title or "", department, region, level, year, kind, taken)


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


def _title(opening: Sequence[str], styles: Sequence[int | None]) -> str:
    """Return the title: the line, or the two or three lines together, that reads most like one, the earlier the better."""
    lines: list[tuple[str, bool]] = []
    for words, style in zip(opening, styles, strict=True):
        if re.search(r"[。；]", words) or (find_mark(words) and lines):
            break
        if find_mark(words) is None and not _NO_TITLE.fullmatch(words):
            lines.append((words, style is not None))
    best, best_score = "", 0.0
    for begin in range(len(lines)):
        for count in (1, 2, 3):
            window = lines[begin : begin + count]
            title = "".join(words for words, _ in window)
            score = _title_score(title) + any(styled for _, styled in window) - 0.6 * (count - 1) - 0.1 * begin
            if len(window) == count and _title_score(title) and score > best_score:
                best, best_score = title, score
    return best


def _title_score(title: str) -> float:
    if not 6 <= len(title) <= 80 or not _TITLE_WORDS.search(title) or re.search(r"[：:>]", title):  # noqa: PLR2004  longest title seen
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
    """Yield the department: the first that is named, in the form that best serves to count it over the years.

    A bare name ("教育局") gives way to one with its place ("棠溪县教育局"), a shortened one ("人社局") to the whole one,
    and a name with all the places above it ("汐州市砚池区卫生健康局") to the short one, where the report, its file or its
    folder has it so.
    """
    found = list(_named_departments(places, text))
    if not found:
        return
    same = [clue for clue in found if clue.value.endswith(found[0].value) or found[0].value.endswith(clue.value)]
    placed = [clue for clue in same if has_place(clue.value)]
    named = [clue for clue in placed if clue.source != "text"] or placed
    best = min(named, key=lambda clue: len(clue.value), default=found[0])
    yield next((clue for clue in found if _shortens(best.value, clue.value)), best)


def _shortens(short: str, whole: str) -> bool:
    """Return whether a name is another one's, with one character left of each of its words.

    >>> _shortens("棠溪县人社局", "棠溪县人力资源和社会保障局"), _shortens("棠溪县农业局", "棠溪县农业农村局")
    (True, False)
    """
    (place, name), (whole_place, whole_name) = split_region(short), split_region(whole)
    left = iter(whole_name)
    return (
        place in {Region(), whole_place}
        and name[:1] == whole_name[:1]
        and all(char in left for char in name)
        and not any(a + b in whole_name for a, b in pairwise(name[:-1]))
        and len(name) >= _SHORTEST_NAME
    )


def _named_departments(places: _Places, text: Text) -> Iterator[_Clue[str]]:
    if name := _department_in(places.title or places.property_title):
        yield _Clue(name, "title")
    for line in text.lines[:_HEADER]:
        if name := _department_of_field(text.of(line)):
            yield _Clue(name, _place_of(line))
    for words in places.signature:
        if name := _department_in(_INNER_OFFICE.sub("", words), whole=True):
            yield _Clue(name, "signature")
    for words, source in places.names():
        if name := _department_in(words):
            yield _Clue(name, source)
    for words in places.opening:
        if not _ADDRESSEE.fullmatch(words) and (name := _department_in(words)):
            yield _Clue(name, "text")


def _place_of(line: Line) -> str:
    return "table" if in_grid(line) else "text"


def _department_of_field(words: str) -> str | None:
    """Return the department that a field gives; what is said to be a name and begins with a place is taken as it stands.

    >>> _department_of_field("单位名称：棠溪县柳林垦殖公司"), _department_of_field("单位：万元")
    ('棠溪县柳林垦殖公司', None)
    """
    match = _FIELD.match(words)
    if match is None:
        return None
    label, name, after = words[: match.start("value")], match["value"], words[match.end() :]
    place, rest = split_region(name)
    is_name = re.search(r"名称|全称|填报单位|预算单位", label) and place != Region() and rest and not after[:1].strip()
    return _department_in(name) or (name if is_name else None)


def _department_in(words: str, *, whole: bool = False) -> str | None:
    """Return the department that words name.

    >>> _department_in("2024年度株洲市渌口区自然资源局整体支出绩效自评报告")
    '株洲市渌口区自然资源局'
    >>> _department_in("关于2023年度部门整体支出绩效自评的报告") is None
    True
    >>> _department_in("棠溪县信访局（本级）2024年度部门整体支出绩效自评报告")
    '棠溪县信访局'
    """
    words = re.sub(
        r"^(?:附件\s*\d*[:：]?)|(?<!\d)20\d\d\s*[-—至]?\s*(?:年度?)?|二[〇零○][一-九二三四五六七八〇零○]{2}年度?|关于(?:上报|报送)?",
        " ",
        words,
    )
    for match in _NAME.finditer(words):
        name = match.group("name").strip("（）()")
        if (
            (whole and len(name + match["aside"]) < len(words.strip()))
            or _NOT_A_NAME.search(name)
            or len(name) < _SHORTEST_NAME
        ):
            continue
        return name
    return None


def _signature(text: Text) -> Iterator[str]:
    """Yield the short lines just before the date that closes a report, the nearest first."""
    closing = [text.of(line) for line in text.lines[-_CLOSING:] if line.table is None]
    dated = [i for i, line in enumerate(closing) if _is_dated(line)]
    for i in dated[-1:]:
        yield from (
            _SEAL.sub("", _DATE.sub("", line)).strip()
            for line in closing[max(0, i - 2) : i + 1][::-1]
            if len(line) <= _LONGEST_SIGNATURE
        )


# ------------------------------------------------------------------------------------------------------------------- year


def _years(places: _Places, text: Text) -> Iterator[_Clue[int]]:
    """Yield fiscal years, best first. A report of the year 2024 is written, and dated, in 2025."""
    for words, source in ((places.title, "title"), (places.property_title, "file properties")):
        yield from (_Clue(year, source) for year in _years_in(words))
    for line in text.lines[:_HEADER]:
        if re.match(r"(?:评价|预算|自评|所属)?年度[：:\t ]", text.of(line)):
            yield from (_Clue(year, _place_of(line)) for year in _years_in(text.of(line)))
    closing = [text.of(line) for line in text.lines[-_CLOSING:]]
    signed = [_Clue(year - 1, "signature") for line in closing if _is_dated(line) for year in _years_in(line)]
    names = list(places.names())
    named = [_Clue(year, source) for words, source in names for year in _years_in(_MONTH.sub("", words))]
    # A folder may be named after the year in which the reports were collected, and a text may speak of next year's plans.
    stated = [*_often_named(text, {clue.value for clue in named}), *named]
    yield from (clue for clue in stated if clue.value in {date.value for date in signed})
    yield from stated
    undated = [line for line in places.opening if not _is_dated(line)]
    yield from (_Clue(year, "text") for line in undated for year in _years_in(line))
    yield from signed
    yield from (_Clue(int(month[1]) - 1, source) for words, source in names for month in _MONTH.finditer(words))


def _often_named(text: Text, named: Container[int]) -> list[_Clue[int]]:
    """Return the year that a text names most often; of those it names as often, one that is ``named`` elsewhere first."""
    # The rows of a table over many departments name years of their own.
    prose = "\n".join(text.of(line) for line in text.lines if not in_grid(line))
    body = Counter(int(year) for year in re.findall(r"(?<!\d)(20\d\d)\s*年度", prose))
    likely = [year for year, count in body.items() if count == max(2, *body.values())]  # one mention may be any year
    return [_Clue(year, "text") for year in sorted(likely, key=lambda year: year not in named)]


def _is_dated(line: str) -> bool:
    """Return whether a line is or ends with the date that a report is signed with."""
    return _DATE.search(line) is not None or _CN_DATE.search(line) is not None


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


# ------------------------------------------------------------------------------------------------ kind, level and region


def _kinds(places: _Places) -> Iterator[_Clue[Kind]]:
    names = [words for words, _ in places.names()]
    for words, source in ((places.title, "title"), (names[0], "file name"), ("".join(places.opening), "text")):
        yield from (_Clue(kind, source) for kind, pattern in _KINDS if pattern.search(words))
    yield from (_Clue(kind, "folder") for words in names[1:] for kind, pattern in _KINDS if pattern.search(words))


def _levels(
    places: _Places, department: str | None, region: Region, taken: Mapping[str, str]
) -> Iterator[_Clue[Level]]:
    """Yield the department's level; for a table over many departments the one that its title speaks of."""
    if department is not None:
        level = level_of(department, region)
        if level is not None:
            by_name = level_of(department, Region()) is not None
            yield _Clue(level, taken["department"] if by_name else taken["region"])
        return
    for level, words in _LEVEL_WORDS:
        if words.search(places.title):
            yield _Clue(level, "title")


def _region(taken: dict[str, str], said: Overrides, department: str | None, places: _Places, text: Text) -> Region:
    """Return where the department is, put together from the places that its name, the title, the path … begin with."""
    candidates = [
        (department or "", taken.get("department", "")),
        (_BEFORE_PLACE.sub("", places.title), "title"),
        *((line, "signature") for line in places.signature),
        *places.names(),
        *((match.group(), "text") for match in _province_mentions(text.text)),
    ]
    region = Region()
    sources: list[str] = []
    for words, source in candidates:
        merged = merge_regions(region, split_region(words)[0])
        if merged != region:
            sources.append(source)
            region = merged
    township = township_of(department or "")
    for words in _stated_places([township, region.county, region.city], text):
        merged = merge_regions(region, split_region(words)[0], inner=township is not None)
        if merged != region:
            sources.append("text")
            region = merged
    full = complete_region(region)
    if full != region:
        sources.append("region table")
    stated = Region(said.province, said.city, said.county)
    if stated != Region():
        sources = ["override"]
        full = replace_region(full, stated)
    if sources:
        taken["region"] = " + ".join(dict.fromkeys(sources))
    return full


def _stated_places(own: Iterable[str | None], text: Text) -> Iterator[str]:
    """Yield the places that a report says its own places lie in, or puts before them, or reports to."""
    names = [name for name in own if name]
    opening = text.text[:_READ_FOR_PLACES]
    subjects = "|".join([*names, "[我本][镇乡县区市]"])
    yield from (match["of"] or match["at"] for match in re.finditer(f"(?:{subjects}){_LIES_IN}", opening))
    yield from (match["above"] for name in names for match in re.finditer(_BEFORE_OWN + name, opening))
    lines = (text.of(line) for line in text.lines[:_OPENING])
    yield from (match["place"] for line in lines if (match := _FINANCE_OFFICE.fullmatch(line)))


def _province_mentions(text: str) -> list[re.Match[str]]:
    return list(
        re.finditer(r"(?<![一-龥])[一-龥]{2,3}(?:省|自治区)[一-龥]{2,7}?(?:市|州|县|区)", text[:_READ_FOR_PLACES])
    )[:3]


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
    table = csv.DictReader(io.StringIO(text))
    heads = {head: head.strip().lower() for head in table.fieldnames or ()}
    columns = {field: head for field, names in _COLUMNS.items() for head, name in heads.items() if name in names}
    if "file" not in columns:
        raise InvalidInputError(
            f"meta.csv 应有“文件”一列（可另有 部门、年度、省、市、县、层级、类型、标题），得到的表头是“{'，'.join(heads)}”"
        )
    told: dict[str, Overrides] = {}
    for row in table:
        values = {field: row[head] or "" for field, head in columns.items()}
        name = values.pop("file").strip()
        if name:
            told[name] = make_overrides(values)
    return told


def merged(first: Overrides | None, second: Overrides | None) -> Overrides | None:
    """Return what the first says, and what the second says where the first says nothing.

    >>> said = merged(Overrides(year=2023), Overrides(year=2024, department="教育局"))
    >>> said.year, said.department
    (2023, '教育局')
    """
    if first is None or second is None:
        return first or second
    said = {item.name: getattr(first, item.name) for item in fields(Overrides)}
    return replace(second, **{name: value for name, value in said.items() if value is not None})


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
