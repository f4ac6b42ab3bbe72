"""Says what the wording of a line tells of its place in the text: a heading, an item, a footnote, a page mark."""

from __future__ import annotations

import re

_NUMERAL = "一二三四五六七八九十百零〇"
_PART = re.compile(rf"第[{_NUMERAL}]+部分|[{_NUMERAL}]+、(?![{_NUMERAL}])")
_ITEM = re.compile(
    rf"第[{_NUMERAL}\d]+[部分章节条]|[{_NUMERAL}]+、|[（(][{_NUMERAL}\d]+[）)]|\d{{1,2}}[.．、]\D|[①-⑳●■◆]"
)
_NOTE = re.compile(r"[*＊※†①-⑳]|[\[〔［(（]\d{1,2}[\]〕］)）]|\d{1,2}(?![\d.,%年月日个])|注[:：]")
_DASH = r"[—―－–\-─~·•\s]*"
_PAGE_MARK = re.compile(
    rf"[—―－–\-─~·•]{_DASH}(?:\d{{1,4}}|[ivxlc]{{1,6}}){_DASH}"
    rf"|(?:\d{{1,4}}|[ivxlc]{{1,6}}){_DASH}[—―－–\-─~·•]"
    rf"|第\s*[\d{_NUMERAL}]+\s*页(?:[\s,，、/／]*共\s*[\d{_NUMERAL}]+\s*页)?"
    r"|(?:page\s*)?\d{1,4}\s*(?:/|／|of)\s*\d{1,4}|page\s*\d{1,4}|[ivx]{1,5}",
    re.IGNORECASE,
)


def begins_part(text: str) -> bool:
    """Tell whether a line is a heading of the highest level, which nothing runs into.

    >>> [begins_part(text) for text in ("第二部分 概况", "三、存在的问题", "一、二季度支出", "（一）预算执行")]
    [True, True, False, False]
    """
    return _PART.match(text) is not None


def begins_item(text: str) -> bool:
    """Tell whether a line begins with the number or sign of a heading or list item.

    >>> [begins_item(text) for text in ("（一）预算执行", "3．台账不全", "●完成", "3.5万元", "一是")]
    [True, True, True, False, False]
    """
    return _ITEM.match(text) is not None


def begins_note(text: str) -> bool:
    """Tell whether a line of small print begins with a footnote's mark.

    >>> [begins_note(text) for text in ("*含下属单位", "[2] 见附件", "1本表不含基金", "2024年度", "合计")]
    [True, True, True, False, False]
    """
    return _NOTE.match(text) is not None


def is_page_mark(text: str) -> bool:
    """Tell whether a line is a page mark, other than a lone number.

    >>> [is_page_mark(text) for text in ("— 3 —", "第3页 共20页", "3 / 20", "2023")]
    [True, True, True, False]
    """
    return _PAGE_MARK.fullmatch(text) is not None
