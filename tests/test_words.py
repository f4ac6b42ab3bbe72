from __future__ import annotations

from nlp.words import search_words, stopwords, words_of


def test_terms_of_the_field_stay_whole() -> None:
    assert words_of("支出进度前松后紧，未落实零基预算。") == ["支出进度", "前松后紧", "未", "落实", "零基预算"]


def test_search_words_leave_out_stopwords_and_punctuation() -> None:
    found = search_words("我们的预算执行率，是86.23%！")
    assert "预算执行率" in found
    assert not set(found) & stopwords()
    assert "，" not in found


def test_latin_letters_are_folded() -> None:
    assert words_of("OA系统") == ["oa", "系统"]


def test_nothing_gives_no_words() -> None:
    assert words_of("") == []
    assert search_words("，。！") == []
