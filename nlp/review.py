"""What people decide about tags: choosing the passages that are worth asking about, and reading the answers."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from nlp import taxonomy
from nlp.corpus import near_duplicates
from nlp.errors import InvalidInputError, UnreadableFileError
from nlp.readers import read
from nlp.records import Correction, Passage, StoredPassage, Table, Tags, TopicScore
from nlp.tagger import Sample

# The heads of a review sheet: what is shown, then what a person fills in. A user's own gold has the same heads; only the
# text and the role have to be there.
TEXT, PATH, ROLE, TOPIC, SECONDARY, SUBTOPIC = "正文", "上级标题", "角色", "主题", "次要主题", "子主题"
SHOWN = ("编号", "部门", "年度", PATH, TEXT, "现判角色", "现判主题", "现判子主题", "把握")
ANSWERS = (ROLE, TOPIC, SECONDARY, SUBTOPIC)
_PATH_SIGN = " > "
_SPLIT_SIGNS = str.maketrans("，；;, ", "、、、、、")
_LEAST_LIKE = 0.6  # Jaccard
_BEGINNING = 12  # characters of a text that it is known by
_TOLD = 10  # rows of which is said what is wrong; the others are only named


@dataclass(frozen=True, slots=True)
class _Line:
    number: int  # readers leave blank rows out
    cells: dict[str, str]

    @property
    def name(self) -> str:
        """By which a person finds the row again."""
        known = self.cells.get("编号") or self.cells.get(TEXT, "")[:_BEGINNING]
        return f"第 {self.number} 行" + (f"（{known}）" if known else "")


def key_of(text: str, path: Sequence[str]) -> str:
    """Return what a decision is kept under: the same words below the same headings are decided once, in any report."""
    return hashlib.sha256("\n".join((*path, text.strip())).encode()).hexdigest()


def path_of(passage: Passage) -> tuple[str, ...]:
    """Return the headings and the lead of a passage, as the tagger sees them."""
    return (*passage.section, passage.lead) if passage.lead else passage.section


def decided_tags(correction: Correction) -> Tags:
    """Return the tags that a person decided on, with certainty."""
    others = tuple(TopicScore(topic, 1.0) for topic in correction.secondary)
    first = (TopicScore(correction.primary, 1.0, correction.subtopic),) if correction.primary else ()
    return Tags(correction.role, 1.0, correction.primary, (*first, *others))


def as_sample(correction: Correction) -> Sample:
    """Return a decision as something to learn from."""
    labels = correction.role, correction.primary, correction.secondary, correction.subtopic
    return Sample(correction.text, correction.path, *labels, group=correction.group)


def certainty(tags: Tags) -> float:
    """Return the probability of the less certain of role and topic, from 0 to 1."""
    return min([tags.role_score, *(topic.score for topic in tags.topics[:1])])


def choose(candidates: Sequence[StoredPassage], count: int) -> list[StoredPassage]:
    """Return the passages that are worth asking a person about: the least certain of each department and topic in turn.

    Of near-duplicates only the least certain is asked about.
    """
    unsure = sorted(candidates, key=lambda found: (certainty(found.tags), found.passage.id))
    unsure = _without_duplicates(unsure[: count * 10])
    kinds: dict[object, list[StoredPassage]] = defaultdict(list)
    for found in unsure:
        kinds[found.report.identity.department, found.tags.primary].append(found)
    rounds = (sorted(filter(None, turn), key=lambda f: certainty(f.tags)) for turn in zip_longest(*kinds.values()))
    return [found for turn in rounds for found in turn][:count]


def _without_duplicates(ordered: Sequence[StoredPassage]) -> list[StoredPassage]:
    if not ordered:
        return []
    again = {later for _, later in near_duplicates([found.passage.text for found in ordered], _LEAST_LIKE)}
    return [found for place, found in enumerate(ordered) if place not in again]


# ------------------------------------------------------------------------------------------------------------------ answers


def read_decisions(path: Path) -> tuple[Correction, ...]:
    """Return what a person filled into a review sheet (``.xlsx`` or ``.csv``); rows without a role are left out.

    Raises:
        InvalidInputError: If the file is no review sheet, or an answer is none of the labels; every such row is named.
    """
    decisions, faults = [], []
    for line in _lines(path):
        if not line.cells.get(ROLE):
            continue
        try:
            decisions.append(_decision(line, path.stem))
        except InvalidInputError as error:
            faults.append((line.name, error))
    if faults:
        named = [*(f"{name}：{error}" for name, error in faults[:_TOLD]), *(name for name, _ in faults[_TOLD:])]
        raise InvalidInputError(
            f"{path} 有 {len(faults)} 行填得不对，一行也没有记入（行数不计空行）。" + "；".join(named)
        )
    return tuple(decisions)


def _lines(path: Path) -> Iterator[_Line]:
    try:
        document = read(path.read_bytes(), path.name)
    except OSError as error:
        raise InvalidInputError(f"打不开 {path}（{error.strerror}）；请检查路径") from error
    except UnreadableFileError as error:
        raise InvalidInputError(str(error)) from error
    tables = [block for block in document.blocks if isinstance(block, Table)]
    for table in tables:
        heads = table.rows[0].cells
        if TEXT in heads and ROLE in heads:
            for number, row in enumerate(table.rows[1:], 2):
                yield _Line(number, {head: cell.strip() for head, cell in zip(heads, row.cells, strict=True)})
            return
    raise InvalidInputError(f"{path} 里没有含“{TEXT}”和“{ROLE}”两列的表；请用 jixiao review export 导出的表填写")


def _decision(line: _Line, group: str) -> Correction:
    cells = line.cells
    role = taxonomy.parse_role(cells[ROLE])
    topic, detail = cells.get(TOPIC, ""), cells.get(SUBTOPIC, "")
    subtopic = taxonomy.parse_subtopic(detail) if detail else None
    primary = taxonomy.parse_topic(topic) if topic else (subtopic.topic if subtopic else None)
    if role.has_topic and primary is None:
        raise InvalidInputError(f"角色是“{cells[ROLE]}”时要填主题")
    if subtopic and subtopic.topic is not primary:
        raise InvalidInputError(f"子主题“{detail}”不属于主题“{topic}”")
    if not role.has_topic:
        primary, subtopic = None, None
    named = [name for name in cells.get(SECONDARY, "").translate(_SPLIT_SIGNS).split("、") if name]
    others = tuple(taxonomy.parse_topic(name) for name in named) if primary else ()
    if not cells.get(TEXT):
        raise InvalidInputError("正文是空的")
    return Correction(
        text=cells[TEXT],
        path=tuple(part for part in cells.get(PATH, "").split(_PATH_SIGN) if part),
        role=role,
        primary=primary,
        secondary=tuple(other for other in others if other is not primary),
        subtopic=subtopic.code if subtopic else None,
        group=f"{cells.get('部门') or group}-{cells.get('年度', '')}",
    )


def shown_cells(found: StoredPassage) -> tuple[str, ...]:
    """Return the cells of a review sheet that show a passage, in the order of ``SHOWN``."""
    identity, tags = found.report.identity, found.tags
    detail = tags.subtopic
    return (
        found.passage.id,
        identity.department or "",
        str(identity.year or ""),
        _PATH_SIGN.join(path_of(found.passage)),
        found.passage.text,
        taxonomy.role_name(tags.role),
        taxonomy.topic_name(tags.primary) if tags.primary else "",
        taxonomy.subtopic_name(detail) if detail else "",
        f"{certainty(tags):.2f}",
    )
