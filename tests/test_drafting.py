from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nlp.drafting import choose
from nlp.records import (
    Filters,
    Identity,
    Passage,
    ReportCard,
    Role,
    Source,
    StoredPassage,
    Suggestion,
    Tags,
    Topic,
)

if TYPE_CHECKING:
    from nlp.library import Library


def _suggestion(row: int, text: str, score: float) -> Suggestion:
    card = ReportCard("r", Identity("标题"), Source("a.txt", "0", "txt"))
    return Suggestion(score, StoredPassage(row, Passage(f"r-{row}", text, 0, len(text)), Tags(Role.MEASURE, 1.0), card))


def test_the_best_come_first_and_repetitions_go() -> None:
    found = choose(
        [
            _suggestion(1, "细化量化绩效指标，做到可考核。", 0.5),
            _suggestion(2, "细化、量化绩效指标，做到可考核！", 0.6),
            _suggestion(3, "把评价结果作为安排预算的依据。", 0.4),
        ],
        5,
    )
    assert [item.found.row for item in found] == [2, 3]


def test_no_more_than_asked_for() -> None:
    texts = ["加快支付进度", "盘点固定资产", "公开评价结果"]
    assert len(choose([_suggestion(i, text, 0.5) for i, text in enumerate(texts)], 2)) == 2


@pytest.mark.encoder
def test_measures_are_quotations_with_source_and_the_problem_that_they_answered(demo_library: Library) -> None:
    found = demo_library.draft("绩效指标设置笼统，缺乏量化标准", top=5)
    assert len(found) == 5
    assert all(item.found.tags.role is Role.MEASURE for item in found)
    answering = [item for item in found if item.answers is not None]
    assert answering
    assert {item.answers.tags.role for item in answering if item.answers} == {Role.PROBLEM}
    assert Topic.INDICATORS in {item.found.tags.primary for item in found}
    for item in found:
        report = demo_library.report(item.found.report.id)
        passage = item.found.passage
        assert report.text[passage.start : passage.end] == passage.text


@pytest.mark.encoder
def test_wording_of_problems_and_filters(demo_library: Library) -> None:
    found = demo_library.draft("资产账实不符", role=Role.PROBLEM, filters=Filters(department="教育局"), top=3)
    assert found
    assert {item.found.tags.role for item in found} == {Role.PROBLEM}
    assert all("教育局" in (item.found.passage.department or "") for item in found)
