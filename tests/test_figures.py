from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.figures import find_figures, parse_numeral, print_like


def _found(text: str) -> list[tuple[str, str, str, str]]:
    return [(f.text, str(f.value), f.unit, f.what) for f in find_figures(text)]


def test_money_is_exact_in_yuan() -> None:
    assert _found("基本支出1929.17万元，其中：人员经费1,320.13万元；结余1.06亿元。") == [
        ("1929.17万元", "19291700.00", "元", "基本支出"),
        ("1,320.13万元", "13201300.00", "元", "人员经费"),
        ("1.06亿元", "106000000.00", "元", "结余"),
    ]


def test_people_shares_areas_and_scores() -> None:
    assert _found("其中在职人员88人，执行率达到98.6％，耕地保有量1500.5亩，得分92.5分") == [
        ("88人", "88", "人", "在职人员"),
        ("98.6％", "98.6", "%", "执行率"),
        ("1500.5亩", "1500.5", "亩", "耕地保有量"),
        ("92.5分", "92.5", "分", "得分"),
    ]


@pytest.mark.parametrize("text", ["2024年度", "第3页", "2023—2025年", "联系电话0731-12345678", "云财预〔2020〕10号"])
def test_dates_numbers_of_papers_and_telephones_are_no_figures(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize(
    ("text", "printed", "value", "unit"),
    [
        ("收入同比增长-5.2%", "-5.2%", "-5.2", "%"),
        ("年末结余-120万元", "-120万元", "-1200000", "元"),
        ("预算偏差：−3.5%", "−3.5%", "-3.5", "%"),
        ("增幅为-3%～5%", "-3%～5%", "-3", "%"),
    ],
)
def test_figures_below_zero(text: str, printed: str, value: str, unit: str) -> None:
    (figure,) = find_figures(text)
    assert (figure.text, str(figure.value), figure.unit) == (printed, value, unit)


@pytest.mark.parametrize("text", ["云财预-120万元", "2023-120万元", "得分为-5分", "基本支出-120万元"])
def test_other_dashes_are_no_signs(text: str) -> None:
    assert _found(text) == []


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_any_amount_comes_back_exactly(amount: Decimal) -> None:
    (figure,) = find_figures(f"项目资金{amount:.2f}万元")
    assert figure.value == amount * 10_000
    assert figure.what == "项目资金"


def test_points_are_no_shares_and_minutes_are_no_scores() -> None:
    assert [
        (f.text, f.unit) for f in find_figures("提高3个百分点，得分90.5分，用时11.6分钟，历时12个工作日，有3个镇")
    ] == [
        ("3个百分点", "百分点"),
        ("90.5分", "分"),
        ("12个工作日", "个工作日"),
        ("3个", "个"),
    ]


@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("每村10-20万元", 100_000, 200_000, "元"),
        ("每村10万元至20万元", 100_000, 200_000, "元"),
        ("80%—90%", 80, 90, "%"),
        ("80～89分", 80, 89, "分"),
    ],
)
def test_ranges_are_one_figure_with_two_ends(text: str, low: int, high: int, unit: str) -> None:
    (figure,) = find_figures(text)
    assert (figure.value, figure.to, figure.unit) == (Decimal(low), Decimal(high), unit)


@pytest.mark.parametrize("text", ["由90%降至20%", "从30万元到20万元", "20万元至10万元"])
def test_changes_are_two_figures(text: str) -> None:
    assert len(list(find_figures(text))) == 2


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("罚款三百二十万元", "3200000", "元"),
        ("补助一亿零五百万元", "105000000", "元"),
        ("占百分之三十五点六", "35.6", "%"),
        ("在职十五人", "15", "人"),
        ("下降十二个百分点", "12", "百分点"),
    ],
)
def test_chinese_numerals(text: str, value: str, unit: str) -> None:
    (figure,) = find_figures(text)
    assert (str(figure.value), figure.unit) == (value, unit)


@pytest.mark.parametrize(
    "text", ["十分重视", "一个县", "第二十条", "三三两两个", "几十万元", "上千万元", "百分制", "二〇二四年"]
)
def test_words_that_only_look_like_numerals(text: str) -> None:
    assert _found(text) == []


@given(st.integers(min_value=1, max_value=99_999_999))
def test_numerals_are_read_as_they_are_written(number: int) -> None:
    assert parse_numeral(_written(number)) == number


def _written(number: int) -> str:
    """Return a Chinese numeral, by the rules of a school book."""
    if number >= 10_000:
        rest = number % 10_000
        link = "零" if 0 < rest < 1000 else ""
        return f"{_written(number // 10_000)}万{link}{_written(rest) if rest else ''}"
    text = ""
    zero = False
    for power, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // power % 10
        if digit:
            text += ("零" if zero and text else "") + "零一二三四五六七八九"[digit] + name
        zero = not digit
    return text


def test_words_around_a_figure() -> None:
    figures = list(
        find_figures("年中追加380万元，核减20.5万元，不低于90%，60人以上，约5亿元。支出9万元，其中补助8万元。")
    )
    assert [(f.text, f.change, f.vague, f.among) for f in figures] == [
        ("380万元", 1, False, False),
        ("20.5万元", -1, False, False),
        ("90%", 0, True, False),
        ("60人", 0, True, False),
        ("5亿元", 0, True, False),
        ("9万元", 0, False, False),
        ("8万元", 0, False, True),
    ]
    assert [str(f.step) for f in figures[:2]] == ["10000", "1000.0"]


def test_values_are_printed_as_the_report_would() -> None:
    figures = list(find_figures("支出1,320.13万元，占66.4%，共12个，1.06亿元"))
    assert [print_like(f.value, f) for f in figures] == ["1320.13万元", "66.4%", "12个", "1.06亿元"]


def test_long_runs_of_digits_are_no_figures() -> None:
    assert _found("9" * 5000 + "万元") == []
