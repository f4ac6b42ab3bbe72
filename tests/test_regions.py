"""Places in names: those of the table of codes, and those known by their ending only."""

from __future__ import annotations

import pytest

from nlp.records import Level, Region
from nlp.regions import complete_region, has_place, level_of, merge_regions, parse_region, replace_region, split_region


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("湖南省株洲市渌口区自然资源局", Region("湖南省", "株洲市", "渌口区")),
        ("株洲市渌口区自然资源局", Region("湖南省", "株洲市", "渌口区")),
        ("渌口区自然资源局", Region("湖南省", "株洲市", "渌口区")),
        ("梁河县自然资源局", Region("云南省", "德宏傣族景颇族自治州", "梁河县")),
        ("上海市普陀区财政局", Region("上海市", None, "普陀区")),
        ("普陀区财政局", Region(None, None, "普陀区")),  # there are two
        ("长沙市财政局", Region("湖南省", "长沙市", None)),
        ("内蒙古自治区教育厅", Region("内蒙古自治区", None, None)),
        ("云屏省霁阳市棠溪县教育局", Region("云屏省", "霁阳市", "棠溪县")),
        ("汐州市交通运输局", Region(None, "汐州市", None)),
        ("中共棠溪县委组织部", Region(None, None, "棠溪县")),
        ("政协株洲市渌口区委员会", Region("湖南省", "株洲市", "渌口区")),
        ("中国人民政治协商会议棠溪县委员会", Region(None, None, "棠溪县")),
        ("国家税务总局棠溪县税务局", Region(None, None, "棠溪县")),
        ("上报县财政局", Region()),
        ("报送市财政局", Region()),
        ("报送棠溪县财政局", Region(None, None, "棠溪县")),
        ("市场监督管理局", Region()),
        ("城市管理局", Region()),
        ("省教育厅", Region()),
        ("乡村振兴示范区建设项目", Region()),
        ("教育部", Region()),
        ("", Region()),
    ],
)
def test_region_that_a_name_begins_with(name: str, region: Region) -> None:
    assert parse_region(name) == region


def test_the_rest_of_the_name_is_given_too() -> None:
    assert split_region("云屏省棠溪县教育局") == (Region("云屏省", None, "棠溪县"), "教育局")


def test_only_what_is_certain_is_added() -> None:
    assert complete_region(Region(county="渌口区")) == Region("湖南省", "株洲市", "渌口区")
    assert complete_region(Region(county="棠溪县")) == Region(county="棠溪县")
    assert complete_region(Region(province="湖南省", county="渌口区")) == Region("湖南省", "株洲市", "渌口区")


def test_regions_that_contradict_each_other_are_not_mixed() -> None:
    assert merge_regions(Region(county="棠溪县"), Region("云屏省", "霁阳市")) == Region("云屏省", "霁阳市", "棠溪县")
    assert merge_regions(Region(county="棠溪县"), Region("云屏省", None, "桐浦县")) == Region(county="棠溪县")


def test_a_folder_of_a_county_does_not_make_a_city_s_bureau_the_county_s() -> None:
    assert merge_regions(Region(city="霁阳市"), Region("云屏省", None, "棠溪县")) == Region("云屏省", "霁阳市", None)


def test_what_a_person_states_wins() -> None:
    assert replace_region(Region(None, "霁阳市", "棠溪县"), Region(province="云屏省")) == Region(
        "云屏省", "霁阳市", "棠溪县"
    )
    assert replace_region(Region("云屏省", "霁阳市", "棠溪县"), Region(county="桐浦县")) == Region(county="桐浦县")


@pytest.mark.parametrize(
    ("department", "region", "level"),
    [
        ("云屏省教育厅", Region("云屏省"), Level.PROVINCE),
        ("省教育厅", Region(), Level.PROVINCE),
        ("上海市财政局", Region("上海市"), Level.PROVINCE),
        ("汐州市交通运输局", Region(None, "汐州市"), Level.CITY),
        ("棠溪县教育局", Region(county="棠溪县"), Level.COUNTY),
        ("上海市普陀区财政局", Region("上海市", None, "普陀区"), Level.COUNTY),
        ("教育局", Region("澜东省", "汐州市"), Level.CITY),
        ("柳泊镇人民政府", Region(county="桐浦县"), Level.TOWNSHIP),
        ("砚池区东湖街道办事处", Region(county="砚池区"), Level.TOWNSHIP),
        ("砚池区东湖街道", Region(county="砚池区"), Level.TOWNSHIP),
        ("教育部", Region(), None),
        ("国家海洋局", Region(), None),
    ],
)
def test_level(department: str, region: Region, level: Level | None) -> None:
    assert level_of(department, region) is level


@pytest.mark.parametrize(
    ("name", "has"), [("棠溪县教育局", True), ("柳泊镇人民政府", True), ("教育局", False), ("省教育厅", False)]
)
def test_whether_a_name_says_where_it_belongs(name: str, has: bool) -> None:
    assert has_place(name) is has
