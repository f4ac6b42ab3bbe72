"""Whose report it is: each place that tells it, which of them wins, and that it is told truly."""

from __future__ import annotations

import pytest

from nlp.errors import InvalidInputError
from nlp.identity import Overrides, identify, make_overrides, read_meta
from nlp.records import Document, Identity, Kind, Level, Paragraph, Region, Row, Table
from nlp.text import compose, paragraphs_of

BODY = "一、基本情况\n本单位按照要求完成了各项工作。\n二、存在的问题\n无。"


def identity(text: str, path: str = "a.txt", overrides: Overrides | None = None) -> Identity:
    return identify(compose(paragraphs_of(text)), path, overrides=overrides)


@pytest.mark.parametrize(
    ("title", "department", "region", "level", "year", "kind"),
    [
        (
            "棠溪县教育局关于2022年度部门整体支出绩效自评的报告",
            "棠溪县教育局",
            Region(county="棠溪县"),
            "县",
            2022,
            "部门整体支出",
        ),
        (
            "2025年棠溪县教育局关于2024年度部门整体支出绩效自评情况的报告",
            "棠溪县教育局",
            Region(county="棠溪县"),
            "县",
            2024,
            "部门整体支出",
        ),
        (
            "棠溪县教育局二〇二三年度部门整体支出绩效自评报告",
            "棠溪县教育局",
            Region(county="棠溪县"),
            "县",
            2023,
            "部门整体支出",
        ),
        (
            "汐州市人民医院2024年医疗设备购置项目绩效自评报告",
            "汐州市人民医院",
            Region(None, "汐州市"),
            "市",
            2024,
            "项目支出",
        ),
        (
            "棠溪县第一中学2023年度单位整体支出绩效自评报告",
            "棠溪县第一中学",
            Region(county="棠溪县"),
            "县",
            2023,
            "部门整体支出",
        ),
        (
            "汐州市砚池区东湖街道办事处2023年度部门整体支出绩效自评报告",
            "汐州市砚池区东湖街道办事处",
            Region(None, "汐州市", "砚池区"),
            "乡",
            2023,
            "部门整体支出",
        ),
        (
            "砚池区东湖街道2024年度部门整体支出绩效自评报告",
            "砚池区东湖街道",
            Region(county="砚池区"),
            "乡",
            2024,
            "部门整体支出",
        ),
        ("省教育厅2024年度部门整体支出绩效自评报告", "省教育厅", Region(), "省", 2024, "部门整体支出"),
        ("教育部2024年度部门决算", "教育部", Region(), None, 2024, "部门决算"),
        (
            "中共棠溪县委组织部2023年度部门整体支出绩效自评报告",
            "中共棠溪县委组织部",
            Region(county="棠溪县"),
            "县",
            2023,
            "部门整体支出",
        ),
        (
            "长沙市岳麓区教育局2023年度整体支出绩效自评报告",
            "长沙市岳麓区教育局",
            Region("湖南省", "长沙市", "岳麓区"),
            "县",
            2023,
            "部门整体支出",
        ),
        ("2023年度全省乡村振兴补助资金绩效评价报告", None, Region(), "省", 2023, "绩效评价"),
        (
            "棠溪县审计局2023年度审计查出问题整改情况报告",
            "棠溪县审计局",
            Region(county="棠溪县"),
            "县",
            2023,
            "审计整改",
        ),
    ],
)
def test_titles(title: str, department: str | None, region: Region, level: str | None, year: int, kind: str) -> None:
    found = identity(f"{title}\n{BODY}")
    assert found.title == title
    assert (found.department, found.region, found.level, found.year, found.kind) == (
        department,
        region,
        level,
        year,
        kind,
    )
    assert {found.taken_from[key] for key in ("title", "year", "kind")} == {"title"}


@pytest.mark.parametrize(
    "department",
    [
        "棠溪县供销合作社",
        "棠溪县供销合作社联合社",
        "棠溪县残联",
        "棠溪县工商联",
        "棠溪县科协",
        "棠溪县政协",
        "政协棠溪县委员会",
        "国家税务总局棠溪县税务局",
        "棠溪县委党校",
        "棠溪县国有林场",
        "棠溪县气象台",
        "棠溪县民兵训练基地",
        "棠溪县地方志编纂室",
    ],
)
def test_bodies_of_all_kinds(department: str) -> None:
    found = identity(f"{department}2024年度部门整体支出绩效自评报告\n{BODY}", "棠溪县商务局/供销社.docx")
    assert (found.department, found.region, found.level) == (department, Region(county="棠溪县"), Level.COUNTY)


@pytest.mark.parametrize("thing", ["政务服务平台", "农贸市场", "智慧教室", "产业基地", "农民专业合作社"])
def test_things_are_no_bodies(thing: str) -> None:
    found = identity(f"棠溪县{thing}项目支出绩效自评报告\n{BODY}\n棠溪县商务局\n2025年3月1日")
    assert found.department == "棠溪县商务局"


@pytest.mark.parametrize("aside", ["（本级）", "（畜牧兽医局）", "(粮食和物资储备局)"])
def test_what_stands_in_brackets_behind_a_name_is_left_out(aside: str) -> None:
    title = f"棠溪县农业农村局{aside}2024年度部门整体支出绩效自评报告"
    assert identity(f"{title}\n{BODY}").department == "棠溪县农业农村局"
    signed = f"2024年度部门整体支出绩效自评报告\n{BODY}\n棠溪县农业农村局{aside}\n2025年3月1日"
    assert identity(signed).department == "棠溪县农业农村局"


def test_brackets_within_a_name_stay() -> None:
    title = "中共棠溪县委（县人民政府）办公室2024年度部门整体支出绩效自评报告"
    assert identity(f"{title}\n{BODY}").department == "中共棠溪县委（县人民政府）办公室"


def test_a_field_gives_a_name_of_any_kind() -> None:
    text = "2024年度部门整体支出绩效自评报告\n单位名称：{}\n" + BODY
    assert identity(text.format("棠溪县柳林垦殖公司")).department == "棠溪县柳林垦殖公司"
    assert identity(text.format("棠溪县")).department is None


@pytest.mark.parametrize("path", ["上报县财政局.docx", "报送市财政局/自评报告.docx"])
def test_whom_a_file_goes_to_is_not_whose_it_is(path: str) -> None:
    found = identity(f"2024年度部门整体支出绩效自评报告\n{BODY}\n教育局\n2025年3月1日", path)
    assert (found.department, found.region) == ("教育局", Region())
    assert identity(BODY, path).department is None


def test_a_title_says_whose_report_is_handed_in() -> None:
    title = "关于报送棠溪县教育局2024年度部门整体支出绩效自评报告的报告"
    assert identity(f"{title}\n{BODY}").department == "棠溪县教育局"


def test_a_name_may_hold_digits_but_does_not_begin_with_them() -> None:
    assert identity(f"2023年棠溪县101中学部门整体支出绩效自评报告\n{BODY}").department == "棠溪县101中学"
    assert identity(f"2023年度401局部门整体支出绩效自评报告\n{BODY}").department is None


def test_a_title_over_two_lines_with_a_note_below() -> None:
    found = identity(f"附件1\n棠溪县退役军人事务局2024年度\n部门整体支出绩效自评报告\n（公开版）\n{BODY}")
    assert found.title == "棠溪县退役军人事务局2024年度部门整体支出绩效自评报告"


def test_a_styled_title_wins_over_the_site_s_navigation() -> None:
    lines = [
        ("首页", None),
        ("政务公开", None),
        ("预决算公开", None),
        ("2023年度公交补贴项目支出绩效自评报告", 1),
        ("一、概况", 2),
        ("略。", None),
    ]
    document = Document(tuple(Paragraph(text, heading=heading) for text, heading in lines), format="html")
    found = identify(compose(document), "a.html")
    assert (found.title, found.kind) == ("2023年度公交补贴项目支出绩效自评报告", Kind.PROJECT)


def test_a_sheet_s_first_row_is_the_title_and_its_rows_are_not() -> None:
    rows = [
        ("2023年度部门整体支出绩效自评表", "", ""),
        ("部门名称", "砚池区民政局", "2024年4月30日"),
        ("指标", "分值", "得分"),
    ]
    found = identify(compose(Document((Table(tuple(Row(row) for row in rows)),), format="xlsx")), "a.xlsx")
    assert (found.title, found.department, found.year) == ("2023年度部门整体支出绩效自评表", "砚池区民政局", 2023)
    assert found.taken_from == {
        "title": "title",
        "department": "table",
        "year": "title",
        "kind": "title",
        "region": "table",
        "level": "table",
    }


def test_a_ledger_s_first_row_does_not_own_the_whole_ledger() -> None:
    rows = [
        ("两省预算绩效检查问题整改台账（2022—2024年度）", "", ""),
        ("序号", "部门", "问题"),
        ("1", "棠溪县教育局", "账实不符。"),
    ]
    found = identify(compose(Document((Table(tuple(Row(row) for row in rows)),), format="xlsx")), "a.xlsx")
    assert (found.department, found.region, found.level, found.year, found.kind) == (
        None,
        Region(),
        "省",
        2024,
        "审计整改",
    )


def test_years_in_the_rows_of_a_ledger_are_not_the_report_s() -> None:
    rows = [("序号", "问题"), ("1", "2022年度预算未细化。"), ("2", "2022年度结转未清理。")]
    found = identify(compose(Document((Table(tuple(Row(row) for row in rows)),), format="xlsx")), "a.xlsx")
    assert found.year is None


# ------------------------------------------------------------------------------------------------------- other places to look


def test_folders_and_file_name_alone() -> None:
    found = identity("正文没有线索。", "澜东省/汐州市/2023年/教育局.docx")
    assert (found.department, found.region, found.level, found.year) == (
        "教育局",
        Region("澜东省", "汐州市"),
        Level.CITY,
        2023,
    )
    assert found.taken_from == {
        "title": "file name",
        "department": "file name",
        "year": "folder",
        "region": "folder",
        "level": "folder",
    }


def test_signature_alone() -> None:
    found = identity(f"关于2023年度部门整体支出绩效自评情况的报告\n区财政局：\n{BODY}\n砚池区民政局\n2024年4月1日")
    assert (found.department, found.taken_from["department"], found.region) == (
        "砚池区民政局",
        "signature",
        Region(county="砚池区"),
    )
    assert found.taken_from["level"] == "signature"


@pytest.mark.parametrize("date", ["2024年3月2日", "二〇二四年三月二日"])
def test_a_report_signed_in_spring_is_about_the_year_before(date: str) -> None:
    found = identity(f"{BODY}\n（盖章）棠溪县水利局\n{date}", "x.docx")
    assert (found.department, found.year, found.taken_from["year"]) == ("棠溪县水利局", 2023, "signature")


def test_a_field_with_the_name() -> None:
    found = identity(f"绩效自评报告\n（2023年度）\n部门（单位）名称（盖章）：砚池区民政局\n{BODY}")
    assert (found.department, found.year, found.taken_from["department"]) == ("砚池区民政局", 2023, "text")


@pytest.mark.parametrize(
    ("sentences", "path", "year", "source"),
    [
        ("2024年度收入1200万元。\n2024年度支出1100万元。", "2025年收集/教育局/自评报告.docx", 2024, "text"),
        ("2024年度收入1200万元。\n2024年度支出1100万元。", "2025年3月上报县财政.docx", 2024, "text"),
        ("2023年度支出1100万元。\n2024年度支出1100万元。", "2023年/a.docx", 2023, "folder"),
        (
            "2023年度、2023年度支出1100万元。\n2024年度、2024年度支出1100万元。",
            "2024年自评.docx",
            2024,
            "text",
        ),
        ("收入1200万元。", "2024年1月至12月自评.docx", 2024, "file name"),
        ("收入1200万元。", "2025年3月20日/自评.docx", 2024, "folder"),
    ],
)
def test_the_words_of_a_report_tell_its_year_better_than_where_it_lies(
    sentences: str, path: str, year: int, source: str
) -> None:
    found = identity(f"部门整体支出绩效自评报告\n{BODY}\n{sentences}", path)
    assert (found.year, found.taken_from["year"]) == (year, source)


def test_the_date_of_the_signature_settles_which_year_is_the_plan_s() -> None:
    text = f"部门整体支出绩效自评报告\n{BODY}\n编制2024年度预算，公开2024年度目标。\n棠溪县教育局\n2024年3月1日"
    found = identity(text, "2023年绩效自评.docx")
    assert (found.year, found.taken_from["year"]) == (2023, "file name")


def test_contradictory_clues_the_title_wins() -> None:
    found = identity(
        f"桐浦县农业农村局2022年度部门整体支出绩效自评报告\n{BODY}\n棠溪县教育局\n2025年4月1日",
        "云屏省/棠溪县教育局/2021年自评.docx",
    )
    assert (found.department, found.year) == ("桐浦县农业农村局", 2022)
    assert found.region == Region("云屏省", None, "桐浦县")
    assert found.taken_from["region"] == "title + folder"


def test_a_bare_name_gives_way_to_the_one_with_its_place() -> None:
    found = identity(f"教育局2023年度部门整体支出绩效自评报告\n{BODY}", "云屏省/棠溪县教育局/a.docx")
    assert (found.department, found.taken_from["department"]) == ("棠溪县教育局", "folder")


def test_the_short_name_that_is_used_elsewhere_wins_so_that_years_can_be_counted_together() -> None:
    title = f"汐州市砚池区卫生健康局2022年度部门整体支出绩效自评报告\n{BODY}"
    assert identity(title).department == "汐州市砚池区卫生健康局"
    found = identity(title, "砚池区卫生健康局/a.pdf")
    assert (found.department, found.region) == ("砚池区卫生健康局", Region(None, "汐州市", "砚池区"))


def test_parts_that_the_table_of_codes_adds_are_said_to_come_from_there() -> None:
    found = identity(f"梁河县水务局2023年度部门整体支出绩效自评报告\n{BODY}")
    assert (found.region.province, found.taken_from["region"]) == ("云南省", "title + region table")


@pytest.mark.parametrize(
    ("department", "sentence", "region"),
    [
        ("棠溪县民政局", "棠溪县隶属云屏省汐州市，辖14个乡镇。", Region("云屏省", "汐州市", "棠溪县")),
        ("棠溪县民政局", "汐州市棠溪县民政局核定编制92名。", Region(None, "汐州市", "棠溪县")),
        ("棠溪县民政局", "根据汐州市棠溪县机构编制方案，设6个股室。", Region(None, "汐州市", "棠溪县")),
        ("柳坪镇人民政府", "我镇在云屏省汐州市棠溪县城西北46公里。", Region("云屏省", "汐州市", "棠溪县")),
        ("柳坪街道办事处", "柳坪街道位于砚池区老城东片。", Region(None, None, "砚池区")),
        ("柳坪乡人民政府", "柳坪乡地处棠溪县最北边。", Region(None, None, "棠溪县")),
        ("柳坪乡人民政府", "棠溪县财政局：", Region(None, None, "棠溪县")),
        ("柳坪乡人民政府", "柳坪乡地处低山丘陵区，我乡在全区率先完成改厕。", Region()),
        ("棠溪县民政局", "桐浦县隶属汐州市。该院位于砚池区。", Region(None, None, "棠溪县")),
    ],
)
def test_places_that_stand_only_in_a_sentence(department: str, sentence: str, region: Region) -> None:
    found = identity(f"{department}2023年度部门整体支出绩效自评报告\n{sentence}\n{BODY}")
    assert found.region == region


def test_a_county_in_a_sentence_is_put_into_a_known_province_for_a_township_only() -> None:
    text = "{}2023年度部门整体支出绩效自评报告\n柳坪乡位于棠溪县西部。\n棠溪县财政局：\n" + BODY
    assert identity(text.format("柳坪乡人民政府"), "云屏省/a.txt").region == Region("云屏省", None, "棠溪县")
    assert identity(text.format("云屏省水利厅"), "云屏省/a.txt").region == Region("云屏省")


@pytest.mark.parametrize(
    ("signed", "department"),
    [
        ("棠溪县林业局规划财务股", "棠溪县林业局"),
        ("棠溪县林业局办公室", "棠溪县林业局"),
        ("棠溪县人力资源和社会保障局综合股", "棠溪县人力资源和社会保障局"),
        ("棠溪县人民政府办公室", "棠溪县人民政府办公室"),
    ],
)
def test_an_office_within_signs_for_its_department(signed: str, department: str) -> None:
    assert identity(f"2023年度部门整体支出绩效自评报告\n{BODY}\n{signed}\n2024年4月1日").department == department


@pytest.mark.parametrize(
    ("title", "signed", "department"),
    [
        ("棠溪县人社局", "棠溪县人力资源和社会保障局", "棠溪县人力资源和社会保障局"),
        ("棠溪县住建局", "棠溪县住房和城乡建设局", "棠溪县住房和城乡建设局"),
        ("棠溪县农业局", "棠溪县农业农村局", "棠溪县农业局"),
        ("棠溪县人社局", "桐浦县人力资源和社会保障局", "棠溪县人社局"),
    ],
)
def test_a_shortened_name_gives_way_to_the_whole_one(title: str, signed: str, department: str) -> None:
    text = f"{title}2023年度部门整体支出绩效自评报告\n{BODY}\n{signed}\n2024年4月1日"
    assert identity(text).department == department


def test_nothing_known_is_nothing_said() -> None:
    found = identity("资金支付进度慢。", "x.txt")
    assert (found.department, found.region, found.level, found.year, found.kind) == (None, Region(), None, None, None)
    assert found.taken_from == {"title": "file name"}


# ------------------------------------------------------------------------------------------------------------- what is said


def test_what_a_person_says_wins() -> None:
    said = Overrides(
        title="题", department="甲县乙局", province="丙省", county="甲县", level=Level.CITY, year=2020, kind=Kind.AUDIT
    )
    found = identity(f"棠溪县教育局2023年度部门整体支出绩效自评报告\n{BODY}", overrides=said)
    assert (found.title, found.department, found.region) == ("题", "甲县乙局", Region("丙省", None, "甲县"))
    assert (found.level, found.year, found.kind) == (Level.CITY, 2020, Kind.AUDIT)
    assert set(found.taken_from.values()) == {"override"}


META = "文件,部门,年度,省,层级,类型\na.docx,棠溪县教育局,2023年,云屏省,县,部门整体支出\nb.pdf,,2022,,,\n,甲局,,,,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_meta_in_any_usual_encoding(encoding: str) -> None:
    assert read_meta(META.encode(encoding)) == {
        "a.docx": Overrides(
            department="棠溪县教育局", province="云屏省", level=Level.COUNTY, year=2023, kind=Kind.DEPARTMENT
        ),
        "b.pdf": Overrides(year=2022),
    }


def test_meta_with_short_rows_and_english_heads() -> None:
    assert read_meta(b" File ,Year,department\na.docx,2023\n") == {"a.docx": Overrides(year=2023)}
    assert read_meta("文件,年度\n".encode()) == {}


def test_meta_without_a_column_for_the_file_says_so() -> None:
    with pytest.raises(InvalidInputError, match=r"“文件”.*得到的表头是“部门，年度”"):
        read_meta("部门,年度\n甲局,2023\n".encode())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("year", "23", "四位数字.*“23”"),
        ("level", "村", "省、市、县、乡.*“村”"),
        ("kind", "总结", "部门整体支出.*“总结”"),
    ],
)
def test_values_that_are_not_known_are_named(field: str, value: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make_overrides({field: value})
