"""Words of Chinese text: jieba's segmentation with the field's own terms, for the index and for the tagger."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jieba

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"[一-鿿㐀-䶿A-Za-z0-9]")


@cache
def _tokenizer() -> jieba.Tokenizer:
    tokenizer = jieba.Tokenizer()
    # The library would read a marshalled cache from the shared temporary folder, which anybody may have written;
    # building the dictionary from its text takes about as long.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    for line in files("nlp.data").joinpath("lexicon.txt").read_text("utf-8").splitlines():
        word, frequency, tag = line.split()
        tokenizer.add_word(word, int(frequency), tag)
    return tokenizer


@cache
def stopwords() -> frozenset[str]:
    """Return the words that say nothing about a text's subject."""
    return frozenset(files("nlp.data").joinpath("stopwords.txt").read_text("utf-8").split())


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, without punctuation.

    >>> words_of("项目支出进度前松后紧。")
    ['项目', '支出进度', '前松后紧']
    """
    return [word.lower() for word in _tokenizer().cut(text) if _WORD.search(word)]


def search_words(text: str) -> list[str]:
    """Return words for the full-text index: long words also give the words inside them; stopwords are left out.

    >>> search_words("固定资产闲置")
    ['固定', '资产', '闲置', '资产闲置']
    """
    return list(_search_words(text))


def _search_words(text: str) -> Iterator[str]:
    for word in _tokenizer().cut_for_search(text):
        if _WORD.search(word) and word not in stopwords():
            yield word.lower()
