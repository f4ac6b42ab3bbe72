from __future__ import annotations

import importlib
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nlp import copies as room
from nlp.copies import Copies, Wording, find_copies
from nlp.records import Identity, Kind, Passage, Region, ReportCard, Role, Source, StoredPassage, Tags

ROOT = Path(__file__).resolve().parents[1]
SCHOOLS = "乡村学校的取暖设备由各校自行采购，型号不一、配件不通，坏了以后往往要等上几个星期才有人来修。"
ROADS = "养护队伍按片区包干以后没有同步调整经费，山区里程长的片区人手和材料都不够，塌方路段清理得很慢。"
CLINIC = "夜间急诊只有一名医生值守，遇到两个以上的病人就要从家里叫人，家属对等待时间长的意见比较集中。"
TRAINED = "2023年举办农技培训46期，培训种植大户1,280人次，结业时当场测试，没有过关的安排到下一期重学。"
TRAINED_AGAIN = "2024年举办农技培训52期，培训种植大户1,415人次，结业时当场测试，没有过关的安排到下一期重学。"
EDU, FARM, HEALTH = "云屏省棠溪县教育局", "云屏省棠溪县农业农村局", "澜东省砚池区卫生健康局"


class _Shelf:
    """Stored passages, numbered as they come."""

    def __init__(self) -> None:
        self.found: list[StoredPassage] = []

    def put(
        self,
        department: str | None,
        year: int | None,
        text: str,
        role: Role = Role.PROBLEM,
        section: str = "六、存在的问题",
        report: str = "",
        kind: Kind = Kind.DEPARTMENT,
    ) -> StoredPassage:
        rid = report or f"{department}-{year}"
        identity = Identity(department=department, region=Region("云屏省", None, "棠溪县"), year=year, kind=kind)
        passage = Passage(f"{rid}-{len(self.found)}", text, 0, len(text), (section,))
        card = ReportCard(rid, identity, Source("a.txt", "", "txt"))
        found = StoredPassage(len(self.found), passage, Tags(role, 0.9), card)
        self.found.append(found)
        return found

    def copies(self) -> Copies:
        return find_copies(self.found)

    def pairs(self) -> list[tuple[int, int]]:
        return [(pair.passage.row, pair.original.row) for pair in self.copies().pairs]


@pytest.fixture
def shelf() -> _Shelf:
    return _Shelf()


# ------------------------------------------------------------------------------------------------------- what is a copy


def test_a_text_taken_from_last_years_report_is_a_copy(shelf: _Shelf) -> None:
    original = shelf.put(EDU, 2023, f"1.{SCHOOLS}")
    copy = shelf.put(EDU, 2024, f"（二）{SCHOOLS}")
    shelf.put(EDU, 2024, ROADS)
    (pair,) = shelf.copies().pairs
    assert (pair.passage, pair.original, pair.likeness, pair.wording) == (copy, original, 1.0, Wording.IDENTICAL)
    assert pair.is_own


def test_other_figures_and_another_year_are_the_same_wording(shelf: _Shelf) -> None:
    shelf.put(FARM, 2023, TRAINED)
    shelf.put(FARM, 2024, TRAINED_AGAIN)
    (pair,) = shelf.copies().pairs
    assert (pair.likeness, pair.wording) == (1.0, Wording.FIGURES)
    assert pair.wording.value == "figures differ"


def test_years_in_chinese_figures_are_figures(shelf: _Shelf) -> None:
    shelf.put(FARM, 2023, "二〇二三年入冬前有十二处机井没有通电，验收单上却写着全部能用，到来年春灌时才发现抽不上水。")
    shelf.put(FARM, 2024, "2024年入冬前有9处机井没有通电，验收单上却写着全部能用，到来年春灌时才发现抽不上水。")
    assert [pair.wording for pair in shelf.copies().pairs] == [Wording.FIGURES]


def test_a_changed_word_leaves_a_near_copy_with_its_likeness(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    shelf.put(EDU, 2024, SCHOOLS.replace("往往", "经常"))
    (pair,) = shelf.copies().pairs
    # Two of the letters changed, and six runs of five on either side hold one of them; 一 counts as a figure.
    runs = len(re.sub("[，、。一]", "", SCHOOLS)) - 4
    assert pair.likeness == round((runs - 6) / (runs + 6), 4)
    assert pair.wording is Wording.NEAR


def test_the_same_matter_in_other_words_is_no_copy(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    shelf.put(EDU, 2024, "村里学校冬天的取暖器是自己买的，牌子多、零件配不上，一旦出了故障，常常好些天没人修理。")
    assert shelf.pairs() == []


def test_a_new_run_in_head_makes_no_new_wording(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, f"（一）设备维护不及时。{SCHOOLS}")
    shelf.put(EDU, 2024, f"三是取暖保障存在短板：{SCHOOLS}")
    assert [pair.wording for pair in shelf.copies().pairs] == [Wording.IDENTICAL]


# ------------------------------------------------------------------------------------------------- which is the original


def test_a_chain_over_three_years_points_to_the_nearest_earlier_year(shelf: _Shelf) -> None:
    for year in (2022, 2023, 2024):
        shelf.put(EDU, year, SCHOOLS)
    assert shelf.pairs() == [(1, 0), (2, 1)]


def test_a_year_between_that_changed_the_wording_is_still_the_nearest(shelf: _Shelf) -> None:
    shelf.put(EDU, 2022, SCHOOLS)
    shelf.put(EDU, 2023, SCHOOLS.replace("往往", "经常"))
    shelf.put(EDU, 2024, SCHOOLS.replace("往往", "经常").replace("自行", "自己"))
    assert shelf.pairs() == [(1, 0), (2, 1)]


def test_a_year_that_left_it_out_is_stepped_over(shelf: _Shelf) -> None:
    shelf.put(EDU, 2021, SCHOOLS)
    shelf.put(EDU, 2022, ROADS)
    shelf.put(EDU, 2023, SCHOOLS)
    assert shelf.pairs() == [(2, 0)]


def test_among_reports_of_one_year_the_same_figures_tell_the_original(shelf: _Shelf) -> None:
    shelf.put(FARM, 2023, TRAINED.replace("46", "11"), report="a")
    shelf.put(FARM, 2023, TRAINED, report="b")
    shelf.put(FARM, 2024, TRAINED)
    (pair,) = shelf.copies().pairs
    assert (pair.original.row, pair.wording) == (1, Wording.IDENTICAL)


def test_another_departments_report_may_be_the_original_too(shelf: _Shelf) -> None:
    original = shelf.put(HEALTH, 2023, f"砚池区卫生健康局反映，{CLINIC}")
    copy = shelf.put(EDU, 2024, f"棠溪县教育局反映，{CLINIC}")
    (pair,) = shelf.copies().pairs
    assert (pair.passage, pair.original, pair.wording, pair.is_own) == (copy, original, Wording.IDENTICAL, False)


def test_the_departments_own_earlier_report_goes_before_anothers(shelf: _Shelf) -> None:
    shelf.put(EDU, 2022, SCHOOLS)
    shelf.put(HEALTH, 2023, SCHOOLS)
    shelf.put(EDU, 2024, SCHOOLS)
    assert sorted(shelf.pairs()) == [(1, 0), (2, 0)]


def test_an_earlier_year_goes_before_a_report_of_the_same_year(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    shelf.put(FARM, 2024, SCHOOLS)
    shelf.put(HEALTH, 2024, SCHOOLS)
    assert sorted(shelf.pairs()) == [(1, 0), (2, 0)]


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_of_two_departments_in_one_year_nobody_can_tell_which_is_the_copy(shelf: _Shelf, ids: tuple[str, str]) -> None:
    shelf.put(EDU, 2024, SCHOOLS, report=ids[0])
    shelf.put(HEALTH, 2024, SCHOOLS, report=ids[1])
    found = shelf.copies()
    assert sorted(shelf.pairs()) == [(0, 1), (1, 0)]
    assert [(pair.is_later, pair.is_own) for pair in found.pairs] == [(False, False)] * 2
    assert [(share.others, share.share) for share in found.shares] == [(len(SCHOOLS), 1.0)] * 2


@pytest.mark.parametrize(("year", "is_later"), [(2024, True), (None, False)])
def test_only_years_tell_which_was_later(shelf: _Shelf, year: int | None, is_later: bool) -> None:
    shelf.put(HEALTH, 2023, SCHOOLS)
    copy = shelf.put(EDU, year, SCHOOLS)
    assert {pair.is_later for pair in shelf.copies().pairs if pair.passage == copy} == {is_later}


def test_reports_of_one_department_and_year_are_no_copies_of_each_other(shelf: _Shelf) -> None:
    shelf.put(EDU, 2024, SCHOOLS, report="a.docx")
    shelf.put(EDU, 2024, SCHOOLS, report="a.pdf")
    shelf.put(EDU, 2024, SCHOOLS, report="a.pdf")
    assert shelf.pairs() == []


def test_where_nobody_knows_the_department_only_an_earlier_year_tells(shelf: _Shelf) -> None:
    shelf.put(None, 2024, SCHOOLS, report="a")
    shelf.put(None, 2024, SCHOOLS, report="b")
    shelf.put(None, None, SCHOOLS, report="c")
    assert shelf.pairs() == []
    shelf.put(None, 2023, SCHOOLS, report="d")
    (first, second) = shelf.copies().pairs
    assert {first.passage.row, second.passage.row} == {0, 1}
    assert {first.original.row, second.original.row} == {3}
    assert not first.is_own


# -------------------------------------------------------------------------------------------------- what is no evidence


def test_short_texts_are_no_evidence(shelf: _Shelf) -> None:
    for year in (2023, 2024):
        shelf.put(EDU, year, "部分项目资金支付进度偏慢，有待改进。")
        shelf.put(EDU, year, "2023年1月1日至2023年12月31日，共计365天、8,760小时，全部在线。")
    assert shelf.pairs() == []


@pytest.mark.parametrize(
    "section", ["一、基本情况", "（一）主要职能", "二、机构设置和人员编制", "三、评价依据", "第四部分名词解释"]
)
def test_background_of_duties_and_bodies_is_no_evidence(shelf: _Shelf, section: str) -> None:
    text = "县教育局负责全县中小学和幼儿园的布局规划、教师招聘和学生资助，指导民办学校依法办学。"
    for year in (2023, 2024):
        shelf.put(EDU, year, text, Role.BACKGROUND, section)
    assert shelf.pairs() == []


def test_a_problem_below_such_a_heading_is_evidence(shelf: _Shelf) -> None:
    for year in (2023, 2024):
        shelf.put(EDU, year, SCHOOLS, Role.PROBLEM, "一、机构运转中的问题")
    assert shelf.pairs() == [(1, 0)]


def test_background_elsewhere_is_evidence(shelf: _Shelf) -> None:
    for year in (2023, 2024):
        shelf.put(EDU, year, SCHOOLS, Role.BACKGROUND, "四、履行职责情况")
    assert shelf.pairs() == [(1, 0)]


def test_labels_titles_and_names_of_documents_are_no_evidence(shelf: _Shelf) -> None:
    for year in (2023, 2024):
        shelf.put(EDU, year, "一级指标\t二级指标\t三级指标\t年度指标值\t实际完成值\t分值\t得分\t未完成原因")
        shelf.put(EDU, year, f"关于报送{year}年度部门整体支出和重点项目支出绩效自评情况的报告")
        shelf.put(
            EDU, year, "根据《云屏省省级预算绩效管理办法（试行）》《棠溪县财政支出绩效评价管理暂行办法》，自评如下。"
        )
    assert shelf.pairs() == []


def test_prose_in_a_cell_is_evidence(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, f"取暖设备\t10\t6\t{SCHOOLS}")
    shelf.put(EDU, 2024, f"设备维护\t8\t7\t{SCHOOLS}")
    assert [pair.wording for pair in shelf.copies().pairs] == [Wording.IDENTICAL]


def test_where_figures_make_up_a_sentence_only_the_same_figures_are_evidence(shelf: _Shelf) -> None:
    score = "全年预算执行得{}分，产出指标得{}分，效益指标得{}分，满意度指标得{}分，合计{}分。"
    shelf.put(EDU, 2022, score.format(9.1, 45.5, 27.2, 9.0, 90.8))
    shelf.put(EDU, 2023, score.format(8.7, 46.2, 28.1, 9.3, 92.3))
    assert shelf.pairs() == []
    shelf.put(EDU, 2024, score.format(8.7, 46.2, 28.1, 9.3, 92.3))
    assert [(p.passage.row, p.original.row, p.wording) for p in shelf.copies().pairs] == [(2, 1, Wording.IDENTICAL)]


def test_a_sentence_of_figures_that_shares_most_of_them_is_no_near_copy(shelf: _Shelf) -> None:
    budget = (
        "一般公共预算财政拨款基本支出2,152.26万元，其中人员经费1,936.91万元、公用经费2{}.35万元、离退休经费88.02万元。"
    )
    shelf.put(EDU, 2023, budget.format(15))
    shelf.put(EDU, 2024, budget.format(14))
    assert shelf.pairs() == []


def test_wording_of_five_departments_is_a_form(shelf: _Shelf) -> None:
    for number in "甲乙丙丁":
        shelf.put(f"云屏省{number}山县水务局", 2024, f"{number}山县水务局{SCHOOLS}")
    assert len(shelf.pairs()) == 4
    shelf.put("云屏省戊山县水务局", 2024, SCHOOLS.replace("往往", "经常"))
    assert shelf.pairs() == []


def test_years_of_one_department_make_no_form(shelf: _Shelf) -> None:
    for year in range(2015, 2025):
        shelf.put(EDU, year, SCHOOLS)
    assert shelf.pairs() == [(row, row - 1) for row in range(1, 10)]


def test_an_audit_table_quotes_and_does_not_copy(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    shelf.put(EDU, 2024, SCHOOLS, kind=Kind.AUDIT)
    found = shelf.copies()
    assert found.pairs == ()
    assert [share.report.id for share in found.shares] == [f"{EDU}-2023"]


# --------------------------------------------------------------------------------------------------------------- shares


def test_the_share_of_copied_text_counts_characters(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    shelf.put(HEALTH, 2023, CLINIC)
    shelf.put(EDU, 2024, SCHOOLS)
    shelf.put(EDU, 2024, CLINIC)
    shelf.put(EDU, 2024, "无。")
    shares = {share.report.id: share for share in shelf.copies().shares}
    mine = shares[f"{EDU}-2024"]
    assert (mine.characters, mine.own, mine.others) == (len(SCHOOLS) + len(CLINIC) + 2, len(SCHOOLS), len(CLINIC))
    assert mine.share == (len(SCHOOLS) + len(CLINIC)) / (len(SCHOOLS) + len(CLINIC) + 2)
    assert [share.report.id for share in shelf.copies().shares] == [f"{EDU}-2024", f"{EDU}-2023", f"{HEALTH}-2023"]
    assert shares[f"{EDU}-2023"].share == 0.0


def test_nothing_gives_nothing() -> None:
    assert find_copies([]) == Copies((), ())


def test_the_order_of_the_passages_makes_no_difference(shelf: _Shelf) -> None:
    for year in (2022, 2023, 2024):
        for department in (EDU, FARM, HEALTH):
            for text in (SCHOOLS, ROADS.replace("山区", f"{department[4:6]}一带"), CLINIC, TRAINED, TRAINED_AGAIN):
                shelf.put(department, year, text)
    expected = shelf.copies()
    assert len(expected.pairs) > 30
    for seed in range(5):
        random.Random(seed).shuffle(shelf.found)
        assert shelf.copies() == expected


def test_a_form_with_many_variants_is_compared_a_handful_of_times(
    shelf: _Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = "东西南北中前后左右上下大小新旧高低远近明暗"
    for number in range(300):
        ending = f"{signs[number % 20]}片{signs[number // 20]}段"
        shelf.put(f"第{number}局", 2024, f"{ROADS}重点是{ending}。")
    counted: list[float] = []
    measure = room._likeness

    def counting(first: set[str], second: set[str]) -> float:
        counted.append(measure(first, second))
        return counted[-1]

    monkeypatch.setattr(room, "_likeness", counting)
    assert shelf.copies().pairs == ()
    assert len(counted) < 300 * 10


# ------------------------------------------------------------------------------------------------------------- the gold


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("copies")


def test_copies_of_our_own_reports_are_found(benchmark: Any) -> None:
    score = benchmark.score_gold(benchmark.golds())
    assert score["copies in the gold"] == 53
    assert score["precision"] >= 0.95
    assert score["recall"] >= 0.95
    assert score["originals right"] == 1.0
    # The reader gives this measure and its problem as one passage, of which the copy is the smaller half.
    assert score["missed ones"] == ["water-2024#m3"]


def test_the_share_of_a_report_of_ours(benchmark: Any) -> None:
    reports = [gold for gold in benchmark.golds() if gold["id"] in {"agri-2022", "agri-2023"}]
    found = find_copies(benchmark.stored(reports))
    (pair,) = found.pairs
    assert (pair.passage.report.id, pair.original.report.id) == ("agri-2023", "agri-2022")
    assert [round(share.own / len(pair.passage.passage.text), 4) for share in found.shares] == [1.0, 0.0]


def test_a_passage_that_is_the_same_record_twice_changes_nothing(shelf: _Shelf) -> None:
    shelf.put(EDU, 2023, SCHOOLS)
    copy = shelf.put(EDU, 2024, SCHOOLS)
    again = replace(copy, passage=replace(copy.passage, id="again"), row=2)
    pairs = find_copies([*shelf.found, again]).pairs
    assert [(pair.passage.row, pair.original.row) for pair in pairs] == [(1, 0), (2, 0)]
