"""Paragraphs and table cells cut into findings, each with the headings above it and the words that lead into it.

The unit is one finding: "一是…；二是…" become passages of their own; in sections that state problems, causes or measures
a paragraph without a number is parted at each ； (among causes at each full stop too), and any paragraph that turns
from a fault to its cause or its remedy, or gives one fault with its cause after another, is cut there.
What is cut away nowhere gets lost: the report's text is stored whole, and every passage is a slice of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from nlp.outline import Outline, find_mark, heads
from nlp.records import Line, Passage, Section
from nlp.text import Text, in_grid, split_spans, trim

Span = tuple[int, int]

_ORDINALS = "一二三四五六七八九十"
_AFTER = r"(?:(?<=[。；;：:，,、（(\n])|(?<=^)|(?<=\s))"
# Ways to count inside a paragraph; each is a pattern with the ordinal as its group. Bare digits count only where a
# section states problems, causes or measures: elsewhere they are often parts of a sum.
_COUNTERS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(rf"{_AFTER}(?:主要)?([{_ORDINALS}])(?:是|则是|方面是)"), tuple(_ORDINALS)),
    (re.compile(rf"{_AFTER}第([{_ORDINALS}])[，,、]"), tuple(_ORDINALS)),
    (re.compile(r"([①-⑳])"), tuple("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳")),
    (
        re.compile(rf"{_AFTER}(首先|其次|再次|再者|(?<=[。；;])然后|最后)[，,]?"),
        ("首先", "其次", "再次", "再者", "然后", "最后"),
    ),
)
_DIGIT_COUNTERS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(rf"{_AFTER}[（(]([1-9])[）)]"), tuple("123456789")),
    (re.compile(rf"{_AFTER}[（(]([{_ORDINALS}])[）)]"), tuple(_ORDINALS)),
    (re.compile(rf"{_AFTER}([1-9])(?:[、．]|\.(?!\d))"), tuple("123456789")),
)
_TURN = re.compile(
    r"(?P<measure>下一步|下步|下阶段|今后|接下来|为此|对此|针对(?:此|上述|以上|该|这)|建议|拟(?:于|在)"
    r"|(?:整改(?:情况|措施|结果)?|(?:改进)?措施|对策)[：:])"
    r"|(?P<cause>分析其原因|究其原因|(?:主要|具体|问题)?原因(?:分析)?(?:是|为|在于|[：:])|(?:主要)?原因有|造成(?:上述|这一)|产生(?:上述|该))"
    r"|(?P<problem>(?:存在)?问题[：:])"
)
# Turns only where a fault is what a paragraph begins with: elsewhere such words turn nothing.
_TURN_FROM_FAULT = re.compile(
    r"(?P<measure>[我本][一-龥]{0,6}?[省市县区乡镇厅局委院校办部位心道们](?:现?已|拟|将(?![^，。；]*(?:用于|列支|挪)))"
    r"|拟[从由对将按与]|[以往]后|责[令成]|已(?:责[令成]|督促|要求|制定|出台|印发|修订|退回|收回|追回|上缴))"
    r"|(?P<cause>[^，。；]{0,20}(?:原因|成因|根源|根子|症结)(?:还|也|主要|则)?(?:是|在)|主要(?:是|系|由于|因为|在于)"
    r"|[^，。；]{2,12}解释[称说]|[^，。；]{0,12}普遍认为)"
)
# A sentence without a subject says what is done: a remedy, where the heading promises remedies beside the faults.
_REMEDY = re.compile(
    r"(?:建立|健全|完善|修订|制定|出台|规范|统一|严格|加强|强化|加大|加快|压实|明确|推行|实行|组织|督促|清理|盘活|核减|补办|新建"
    r"|细化|聘请|委托|会同|协调|争取|已向|请|由(?!于|此))(?![^，。；]*(?:[不未没无欠缺弱差慢低]|有待|滞后))"
)
# A sentence that states a fault and its cause; where one follows another, each is a finding.
_EXPLAINS = re.compile(
    r"，(?:[^，。；]{0,6})?(?:主要是|(?:原因|根子|根源|症结)(?:主要)?(?:是|在于)|(?:是|系)(?:因为|由于)|源于|归因于)"
    r"|(?:成因|症结|根源)(?:还|主要)?(?:是|在)|与[^。；]{4,60}(?:有关|关系)[，。；]"
)
_BULLET = re.compile(rf"[—\-•·●■◆▪①-⑳]|(?:问题)?[{_ORDINALS}](?:是|[，,])")
_LABEL = re.compile(r"[^，。；：:]{2,12}[：:]")
# A claim in front of what bears it out ("绩效指标偏重过程：…；…"), and not the announcement of a list.
_HEADED = re.compile(r"[^，。；：:]{4,20}(?<![有下面题足是为于括在因])[：:。](?=.)")
# The beginning of a sentence that goes on with the cause that the one before it gives.
_GOES_ON = re.compile(
    r"因此|因而|由此|致使|导致|从而|结果|这|该|上述|其(?!他|它|次|余|中)|甚至|特别是|尤其|比如|例如|其中|但|然而"
)
_DATED = re.compile(r"(?:19|20)\d\d年(?!度?预算法)")
_SHORTEST_FINDING = 6
_SHORTEST_LEAD = 12
_SHORTEST_ROW = 4  # Chinese characters
_LEAST_WORDS = 0.25  # of a row, without which it is figures and codes
_LONGEST_TITLE = 100
_SHORTEST_PROSE = 12
_LONGEST_LABEL = 16
_LONGEST_COLUMN_HEAD = 30
_CJK = re.compile(r"[一-鿿]")


def cut_passages(text: Text, outline: Outline, report_id: str, taken: Sequence[Span] = ()) -> tuple[Passage, ...]:
    """Return the passages of a text in order.

    Args:
        text: The mended text.
        outline: Its headings.
        report_id: Goes in front of each passage's ordinal.
        taken: Spans of tables that a ledger has already turned into passages.
    """
    found: list[tuple[Span, str, tuple[str, ...], int | None]] = []
    tables = _table_heads(text)
    paths = heading_paths(text, outline.sections)
    for index, line in enumerate(text.lines):
        if any(start <= line.start < end for start, end in taken):
            continue
        path = paths[index]
        body = outline.bodies.get(index)
        if body == line.end or heads()["site"].match(text.of(line)):
            continue
        if in_grid(line):
            found.extend(_row_findings(text, line, path, tables))
            continue
        if (
            index == 0
            and body is None
            and find_mark(text.of(line)) is None
            and not re.search(r"[。；，]", text.of(line))
            and line.end - line.start <= _LONGEST_TITLE
        ):
            continue  # the title
        found.extend((span, lead, path, line.page) for span, lead in _findings(text, line, body, path))
    return tuple(
        Passage(
            id=f"{report_id}-{ordinal:04d}",
            text=text.text[start:end],
            start=start,
            end=end,
            section=path,
            lead=lead,
            page=page,
        )
        for ordinal, ((start, end), lead, path, page) in enumerate(found, 1)
    )


def heading_paths(text: Text, sections: Sequence[Section]) -> list[tuple[str, ...]]:
    """Return for each line the headings above it; a heading that runs into its own line is not above it."""
    paths: list[tuple[str, ...]] = []
    open_sections: list[Section] = []
    following = 0
    for line in text.lines:
        while following < len(sections) and sections[following].start < line.start:
            open_sections.append(sections[following])
            following += 1
        open_sections = [section for section in open_sections if section.end > line.start]
        paths.append(tuple(section.label for section in open_sections))
    return paths


def section_role(path: Sequence[str]) -> str | None:
    """Return what the headings announce: ``problem``, ``cause``, ``measure``, ``problem+measure`` or ``None``.

    >>> section_role(["五、存在的问题及原因分析", "（二）原因分析"])
    'cause'
    >>> section_role(["六、存在的问题及改进措施"])
    'problem+measure'
    >>> section_role(["八、产生问题的原因"]), section_role(["九、打算怎么改"])
    ('cause', 'measure')
    """
    for heading in reversed(path):
        mark = find_mark(heading)
        words = re.sub(r"\s", "", heading[mark.width :] if mark else heading)
        says = [name for name in ("problem", "measure", "cause") if heads()[name].search(words)]
        if "problem" in says and "measure" in says and not words.startswith("问题整改"):
            return "problem+measure"
        if says:
            return "cause" if "cause" in says and heads()["cause_alone"].search(words) else says[0]
    return None


# ------------------------------------------------------------------------------------------------------------ paragraphs


def _findings(text: Text, line: Line, body: int | None, path: Sequence[str]) -> Iterator[tuple[Span, str]]:
    """Yield the spans of a paragraph's findings, each with its lead."""
    start, end = line.start, line.end
    mark = find_mark(text.of(line))
    role = section_role(path)
    label = _LABEL.match(text.text, start, end) if role and mark is None else None
    announced = section_role([text.text[start : body or (label.end() if label else start)]])
    role = announced or role
    counters = _COUNTERS + _DIGIT_COUNTERS if role else _COUNTERS
    items = _counted(text.text, start + (mark.width if mark else 0), end, counters)
    if not items and mark is not None and mark.value == 1:  # the line's own mark may be the first of those within it
        items = _counted(text.text, start, end, counters)
    if not items:
        is_item = announced is None and (
            mark or _BULLET.match(text.text, start) or _HEADED.match(text.text, start, end)
        )
        yield from _turns(text.text, start, end, "", role=role, parts=bool(role and not is_item))
        return
    lead = trim(text.text, start, items[0][0])
    lead_text = text.text[slice(*lead)]
    bare = re.sub(
        r"(主要)?(表现|体现|存在|包括|有|是|为|以下|如下|方面|问题|在|几个|几点|其中)*[：:，,]?$", "", lead_text
    )
    if len(bare) >= _SHORTEST_LEAD and (body is None or lead[1] > body + 1):
        yield from _turns(text.text, *lead, "", role=role, parts=False)
    introduction = (text.text[start:body] if body is not None else lead_text).strip("：:，,。 ")[-80:]
    for begin, stop in items:
        yield from _turns(text.text, begin, stop, introduction, role=role, parts=False)


def _counted(
    text: str, start: int, end: int, counters: Sequence[tuple[re.Pattern[str], tuple[str, ...]]]
) -> list[Span]:
    """Return the spans of counted items (一是…二是…), empty where fewer than two are counted in order from the first."""
    for pattern, ordinals in counters:
        places: list[int] = []
        for match in pattern.finditer(text, start, end):
            if len(places) < len(ordinals) and _is_next(match.group(1), ordinals, len(places)):
                places.append(match.start())
        if len(places) > 1:
            bounds = [*places, end]
            return [trim(text, a, b) for a, b in pairwise(bounds)]
    return []


def _is_next(word: str, ordinals: Sequence[str], count: int) -> bool:
    if "首先" in ordinals:
        return (count == 0) == (word == "首先")
    return ordinals[count] == word


def _turns(text: str, start: int, end: int, lead: str, *, role: str | None, parts: bool) -> Iterator[tuple[Span, str]]:
    """Yield the findings of a span, cut where one ends and another begins.

    Args:
        text: The report's text.
        start: Where the span begins.
        end: Where it ends.
        lead: What introduces it.
        role: What its section states: problems, causes or measures.
        parts: Whether a ；, and among causes a full stop, parts findings; neither does within an item that has a
            number of its own.
    """
    sentences = [trim(text, *span) for span in split_spans(text, start, end, "。！？；;" if parts else "。！？")]
    if not sentences:
        return
    dated = role and sum(_DATED.match(text, a) is not None for a, _ in sentences) > 1 and _DATED.match(text, start)
    begin = sentences[0][0]
    current: str | None = _turn_of(text, sentences[0], role)
    for before, after in pairwise(sentences):
        turn = _turn_of(text, after, role)
        ends = text[before[1] - 1] in "；;" or (role == "cause" and not _GOES_ON.match(text, *after))
        parted = parts and ends and min(before[1] - begin, after[1] - after[0]) >= _SHORTEST_FINDING
        explained = role and _EXPLAINS.search(text, *before) and _EXPLAINS.search(text, *after)
        if (turn is not None and turn != current) or parted or explained or (dated and _DATED.match(text, after[0])):
            yield (begin, before[1]), lead
            begin = after[0]
            current = turn or current
    if _CJK.search(text, begin, sentences[-1][1]):
        yield (begin, sentences[-1][1]), lead


def _turn_of(text: str, span: Span, role: str | None) -> str | None:
    """Return what a sentence turns to, as its first words tell: a problem, a cause or a measure."""
    match = _TURN.match(text, *span)
    if match is None and role in {"problem", "problem+measure"}:
        match = _TURN_FROM_FAULT.match(text, *span)
    if match is None and role == "problem+measure":
        return "measure" if _REMEDY.match(text, *span) else None
    return match.lastgroup if match else None


# ---------------------------------------------------------------------------------------------------------------- tables


def _table_heads(text: Text) -> dict[int, Line]:
    """Return the first row of each table that has words in at least two cells and no figures: its head."""
    first: dict[int, Line] = {}
    for line in text.lines:
        if line.table is not None and line.table not in first:
            words = [text.text[a:b] for a, b in line.cells if b > a]
            if len(words) > 1 and not any(re.search(r"\d{2,}", word) for word in words):
                first[line.table] = line
    return first


def _row_findings(
    text: Text, line: Line, path: tuple[str, ...], tables: dict[int, Line]
) -> Iterator[tuple[Span, str, tuple[str, ...], int | None]]:
    """Yield prose cells of a row as findings of their own, or the row as a whole where it has none."""
    prose = [i for i, (a, b) in enumerate(line.cells) if _is_prose(text.text[a:b])]
    if not prose:
        # A row of figures ("30103 奖金 0.00") says nothing that anybody looks for; it stays in the text.
        characters = len(_CJK.findall(text.of(line)))
        if characters >= _SHORTEST_ROW and characters >= _LEAST_WORDS * len(re.sub(r"\s", "", text.of(line))):
            yield trim(text.text, line.start, line.end), "", path, line.page
        return
    seen: set[str] = set()
    for i in prose:
        cell = text.text[slice(*line.cells[i])]
        if cell in seen:
            continue  # a cell merged over columns
        seen.add(cell)
        label = _cell_label(text, line, i, tables)
        part = Line(*line.cells[i], line.page)
        inner = (*path, label) if label else path
        for span, lead in _findings(text, part, None, inner):
            yield span, lead, inner, line.page


def _is_prose(cell: str) -> bool:
    return len(_CJK.findall(cell)) >= _SHORTEST_PROSE and re.search(r"[，。；：]", cell) is not None


def _cell_label(text: Text, line: Line, column: int, tables: dict[int, Line]) -> str:
    """Return the words that name a cell: a short cell to its left that announces a role, or the head of its column."""
    for a, b in reversed(line.cells[:column]):
        words = text.text[a:b]
        if 1 < len(words) <= _LONGEST_LABEL and section_role([words]) is not None:
            return words
    head = tables.get(line.table or 0)
    if head is not None and head != line and column < len(head.cells):
        return text.text[slice(*head.cells[column])][:_LONGEST_COLUMN_HEAD]
    return ""
