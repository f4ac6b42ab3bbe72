"""Provinces, cities and counties in names: known ones from the table of codes, unknown ones by their suffix."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations

from nlp.records import Level, Region

_PROVINCE = re.compile(r"[一-龥]{2,6}?(?:省|自治区)")
_CITY = re.compile(r"[一-龥]{2,5}?(?:自治州|市)")
_CITY_ZHOU = re.compile(r"[一-龥]{2,4}?州(?!市)(?=[一-龥]{1,6}?(?:县|市|局|委|厅))")
_COUNTY = re.compile(r"[一-龥]{1,5}?县|[一-龥]{2,6}?(?:自治县|区|旗|市)")
_TOWNSHIP = re.compile(
    r"(?:镇|乡|街道|街道办事处)(?:人民政府)?$|[一-龥]{2,}(?:镇|乡)(?:人民政府|党委|财政所)|街道(?:办事处|办)"
)
_TOWNSHIP_NAME = re.compile(r"[一-龥]{2,6}?(?:镇|乡|街道)(?=人民政府|党委|办事处|财政所)")
# What may stand before the place in a name: whose committee or office it is, or, in a file's name, that it goes there.
_BEFORE = re.compile(
    r"^(?:中国共产党|中国共产主义青年团|中共|共青团|中国人民政治协商会议|政协|国家税务总局|上报|报送|报(?=[省市县区]))"
)
# Words that end like a place and are none.
_NO_PLACE = re.compile(
    r"和|与|及|的|局|委|年|城市$|县市$|省市$|市区$|地区$|社区$|(?:示范|景|灾|片|校|库|园|保护|试验|功能|经济|牧|小|辖|丘陵|平原|高原|盆地|中心城|主城|老城)区$|全[省市县区]$|本[省市县区]$|我[省市县区]$|各|该"
)


@dataclass(frozen=True, slots=True)
class _Place:
    code: str
    name: str
    parent: str


@cache
def _places() -> dict[str, _Place]:
    rows = files("nlp.data").joinpath("regions.tsv").read_text("utf-8").splitlines()[1:]
    places = (_Place(*row.split("\t")) for row in rows)
    return {place.code: place for place in places}


@cache
def _by_name(rank: str) -> dict[str, tuple[_Place, ...]]:
    found: dict[str, tuple[_Place, ...]] = {}
    for place in _places().values():
        if _rank(place) == rank:
            found[place.name] = (*found.get(place.name, ()), place)
    return found


def _rank(place: _Place) -> str:
    if place.code.endswith("0000"):
        return "province"
    return "city" if place.code.endswith("00") else "county"


def parse_region(name: str) -> Region:
    """Return the region that a name begins with, its parents added where the table of codes leaves no doubt.

    >>> parse_region("株洲市渌口区自然资源局")
    Region(province='湖南省', city='株洲市', county='渌口区')
    >>> parse_region("云川省青禾县教育局")
    Region(province='云川省', city=None, county='青禾县')
    >>> parse_region("市场监督管理局")
    Region(province=None, city=None, county=None)
    """
    return complete_region(split_region(name)[0])


def split_region(name: str) -> tuple[Region, str]:
    """Return the region that a name begins with, and the rest of the name.

    >>> split_region("望川市交通运输局")
    (Region(province=None, city='望川市', county=None), '交通运输局')
    >>> split_region("纳入上海市级预算")[0]
    Region(province=None, city=None, county=None)
    """
    rest = _BEFORE.sub("", name.strip())
    province, rest = _take(rest, "province", (_PROVINCE,))
    city, rest = _take(rest, "city", (_CITY, _CITY_ZHOU))
    county, rest = _take(rest, "county", (_COUNTY,))
    if city and not county and city not in _by_name("city") and city in _by_name("county"):
        city, county = None, city  # a city of county rank
    return Region(province, city, county), rest


def township_of(name: str) -> str | None:
    """Return the town, township or street that a name begins with behind the places above it.

    >>> township_of("青禾县柳溪镇人民政府"), township_of("青禾县教育局")
    ('柳溪镇', None)
    """
    match = _TOWNSHIP_NAME.match(split_region(name)[1])
    return match.group() if match else None


def has_place(name: str) -> bool:
    """Return whether a name begins with the place that it belongs to.

    >>> [has_place(name) for name in ("渌口区自然资源局", "柳溪镇人民政府", "省教育厅", "自然资源局")]
    [True, True, False, False]
    """
    return split_region(name)[0] != Region() or township_of(name) is not None


def _take(text: str, rank: str, patterns: tuple[re.Pattern[str], ...]) -> tuple[str | None, str]:
    known = [name for name in _by_name(rank) if text.startswith(name)]
    if known:
        name = max(known, key=len)
        return name, text[len(name) :]
    for pattern in patterns:
        match = pattern.match(text)
        if match and not _NO_PLACE.search(match.group()) and not _ends_with_known(match.group()):
            return match.group(), text[match.end() :]
    return None, text


def _ends_with_known(words: str) -> bool:
    """Return whether words run on into a known province or city ("纳入上海市")."""
    return any(words.endswith(name) and words != name for rank in ("province", "city") for name in _by_name(rank))


def complete_region(region: Region) -> Region:
    """Return a region with the province and city added that the table of codes leaves no doubt about.

    >>> complete_region(Region(county="渌口区"))
    Region(province='湖南省', city='株洲市', county='渌口区')
    """
    province, city, county = region.province, region.city, region.county
    if county is not None and (province is None or city is None):
        chains = {_chain(place) for place in _by_name("county").get(county, ())}
        chains = {(p, c) for p, c in chains if province in {None, p} and (city is None or city == c)}
        if len(chains) == 1:
            known_province, known_city = chains.pop()
            province, city = province or known_province, city or known_city
    if city is not None and province is None:
        owners = {_places()[place.parent].name for place in _by_name("city").get(city, ())}
        province = owners.pop() if len(owners) == 1 else None
    return Region(province, city, county)


def _chain(county: _Place) -> tuple[str, str | None]:
    parent = _places()[county.parent]
    if _rank(parent) == "province":
        return parent.name, None
    return _places()[parent.parent].name, parent.name


def merge_regions(first: Region, second: Region, *, inner: bool = False) -> Region:
    """Return ``first`` with its gaps filled from ``second``, unless the two contradict each other.

    A county is not put into a known province or city, whose own department it may be about, unless ``inner`` says that
    the place looked for lies within a county.

    >>> merge_regions(Region(county="青禾县"), Region(province="云川省", city="望川市"))
    Region(province='云川省', city='望川市', county='青禾县')
    """
    pairs = ((first.province, second.province), (first.city, second.city), (first.county, second.county))
    if any(a and b and a != b for a, b in pairs):
        return first
    if second.county and not first.county and (first.province or first.city) and not inner:
        return Region(first.province or second.province, first.city or second.city, None)
    return Region(*(a or b for a, b in pairs))


def replace_region(found: Region, stated: Region) -> Region:
    """Return what a person states, with what was found around it where the two go together.

    >>> replace_region(Region(county="青禾县"), Region(province="云川省"))
    Region(province='云川省', city=None, county='青禾县')
    >>> replace_region(Region("云川省", "望川市", "青禾县"), Region(county="溪口县"))
    Region(province=None, city=None, county='溪口县')
    """
    pairs = ((stated.province, found.province), (stated.city, found.city), (stated.county, found.county))
    if any(a and b and a != b for a, b in pairs):
        return complete_region(stated)
    return complete_region(Region(*(a or b for a, b in pairs)))


def level_of(department: str, region: Region) -> Level | None:
    """Return the level of government that a department's name and region tell.

    >>> level_of("青禾县教育局", Region(county="青禾县"))
    <Level.COUNTY: '县'>
    >>> level_of("柳溪镇人民政府", Region(county="青禾县"))
    <Level.TOWNSHIP: '乡'>
    """
    own, rest = split_region(department)
    if _TOWNSHIP.search(rest or department):
        return Level.TOWNSHIP
    nearest = own if own != Region() else region
    if nearest.county:
        return Level.COUNTY
    if nearest.city:
        return Level.PROVINCE if nearest.city in _by_name("province") else Level.CITY
    if nearest.province or re.search(r"厅$", rest):
        return Level.PROVINCE
    return None


def names_of_regions(offices: Collection[tuple[str | None, Region]]) -> dict[tuple[str | None, ...], str | None]:
    """Return what to call each department's region, by the department's name and the three parts.

    A place goes by its own name; where others have that name, by all that is known of it. Of a department whose region is
    not known it is that of the one department of this name whose region is.

    >>> one, other = Region("云川省", "望川市", "岚塘区"), Region("澜东省", "汐州市", "岚塘区")
    >>> offices = [("岚塘区水利局", one), ("岚塘区民政局", other), ("岚塘区水利局", Region()), ("水利局", Region(county="青禾县"))]
    >>> list(names_of_regions(offices).values())
    ['云川省望川市岚塘区', '澜东省汐州市岚塘区', '云川省望川市岚塘区', '青禾县']
    """
    alike: dict[str | None, set[Region]] = defaultdict(set)
    own: dict[tuple[str | None, str | None], set[Region]] = defaultdict(set)
    for department, region in offices:
        alike[_narrowest(region)].add(region)
        own[department, _narrowest(region)].add(region)
    shared = {name for name, regions in alike.items() if not all(_agree(*pair) for pair in combinations(regions, 2))}
    found: dict[tuple[str | None, ...], str | None] = {}
    called: dict[str | None, set[str]] = defaultdict(set)
    for department, region in offices:
        name = _narrowest(region)
        if name in shared:
            whole = _completed(_completed(region, own[department, name]), alike[name])
            name = "".join(filter(None, astuple(whole)))
        found[department, *astuple(region)] = name
        called[department] |= {name} if name else set()
    for department, region in offices:
        if department and region == Region() and len(called[department]) == 1:
            (found[department, *astuple(region)],) = called[department]
    return found


def _completed(region: Region, others: Iterable[Region]) -> Region:
    """Return a region with what others of its name tell of it, where they do not contradict each other."""
    same = [other for other in others if _agree(region, other)]
    if not all(_agree(*pair) for pair in combinations(same, 2)):
        return region
    return Region(*(next(filter(None, part), None) for part in zip(*map(astuple, same), strict=True)))


def _agree(first: Region, second: Region) -> bool:
    """Return whether two regions may be one, as far as they are known."""
    return all(a is None or b is None or a == b for a, b in zip(astuple(first), astuple(second), strict=True))


def _narrowest(region: Region) -> str | None:
    return region.county or region.city or region.province
