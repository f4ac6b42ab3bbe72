from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.figures import find_figures


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


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_any_amount_comes_back_exactly(amount: Decimal) -> None:
    (figure,) = find_figures(f"项目资金{amount:.2f}万元")
    assert figure.value == amount * 10_000
    assert figure.what == "项目资金"
