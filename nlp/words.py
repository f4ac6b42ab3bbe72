"""Words of Chinese text: jieba's segmentation with the field's own terms, for the index and for the tagger."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jieba

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_WORD = re.compile(r"[一-鿿㐀-䶿A-Za-z0-9]")
# No word goes over such a sign, and the same clause is cut for the tagger, the linker and the index.
_CLAUSE = re.compile(r"[，。；：、！？（）《》“”\s]+")


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
    for word in _groups():
        if word not in tokenizer.FREQ:
            tokenizer.add_word(word)
    return tokenizer


@cache
def _groups() -> dict[str, frozenset[str]]:
    """Return, for each word of the thesaurus, the words of all its groups."""
    groups: dict[str, frozenset[str]] = {}
    for line in files("nlp.data").joinpath("thesaurus.txt").read_text("utf-8").splitlines():
        words = () if line.startswith("#") else line.split()
        for word in words:
            groups[word] = groups.get(word, frozenset()) | frozenset(words)
    return groups


def synonyms(word: str) -> frozenset[str]:
    """Return the words that mean about the same in this field, by the thesaurus.

    >>> "年底" in synonyms("年末"), "年末" in synonyms("年末")
    (True, False)
    """
    return _groups().get(word, frozenset()) - {word}


@cache
def stopwords() -> frozenset[str]:
    """Return the words that say nothing about a text's subject."""
    return frozenset(files("nlp.data").joinpath("stopwords.txt").read_text("utf-8").split())


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, without punctuation.

    >>> words_of("项目支出进度前松后紧。")
    ['项目', '支出进度', '前松后紧']
    """
    return [word for clause in _CLAUSE.split(text) for word in _cut(clause)]


@lru_cache(maxsize=1 << 15)
def _cut(clause: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _tokenizer().cut(clause) if _WORD.search(word))


def search_words(text: str) -> list[str]:
    """Return words for the full-text index: long words also give the words inside them; stopwords are left out.

    >>> search_words("固定资产闲置")
    ['固定', '资产', '闲置', '资产闲置']
    """
    return [word for clause in _CLAUSE.split(text) for word in _search_words(clause)]


@lru_cache(maxsize=1 << 15)
def _search_words(clause: str) -> tuple[str, ...]:
    words = _tokenizer().cut_for_search(clause)
    return tuple(word.lower() for word in words if _WORD.search(word) and word not in stopwords())


@lru_cache(maxsize=4096)
def character_pairs(text: str) -> frozenset[str]:
    """Return the pairs of characters of a text, without figures and signs: 2024 and 2023 make no difference.

    >>> sorted(character_pairs("2024年盘点资产。"))
    ['年盘', '点资', '盘点', '资产']
    """
    plain = re.sub(r"[\W\d]", "", text)
    return frozenset(plain[i : i + 2] for i in range(len(plain) - 1))


def likeness(first: AbstractSet[str], second: AbstractSet[str]) -> float:
    """Return how much of the shorter of two texts stands in the other, from 0 to 1, by their character pairs."""
    return len(first & second) / max(1, min(len(first), len(second)))
