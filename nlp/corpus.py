"""The labelled corpus: reading it, and counting what it is made of, how much it repeats itself and how far two hands agree."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nlp.errors import InvalidInputError, NotFoundError
from nlp.records import Role, Topic
from nlp.tagger import Sample, core
from nlp.taxonomy import parse_subtopic

T = TypeVar("T")
_OPENING = 4  # characters
_COMMON = 50  # openings
_SHINGLE = 5  # characters
_LIKE = 0.6  # Jaccard
# Words that state a fault: a passage that has one and states none is the hard case of the genre.
_FAULT_WORDS = re.compile(
    "问题|不足|不够|不到位|不力|滞后|缓慢|偏低|较低|未|无|缺|违规|违纪|超支|超标|超预算|闲置|结转|结余|沉淀|挪用|套取|虚|拖欠|"
    "整改|浪费|薄弱|短板|隐患|风险|投诉|损失|亏损|遏制|杜绝|严禁|扭转|压减|逾期|延误|流失|漏|差错|偏差|不得|扣分|扣减|低于|不合格"
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled passage with what only the corpus knows of it.

    Attributes:
        id: Its number in the corpus.
        voice: Who speaks (``selfeval``, ``audit``, …).
        rule: The boundary rule that it shows, and on which side.
    """

    sample: Sample
    id: str = ""
    voice: str = ""
    rule: str = ""
    side: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a second, blind labelling agrees with the first: Cohen's κ, from -1 to 1, and plain shares."""

    n: int
    role_kappa: float
    role_share: float
    n_topic: int
    topic_kappa: float
    topic_share: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a corpus is made of.

    Attributes:
        roles, topics, subtopics, voices: Passages of each; topics and subtopics by role as well.
        look_alikes: Achievements, targets and backgrounds, and how many of them have a word that states a fault.
        rules: For each boundary rule the passages on either side.
        near_duplicates: Share of passages that have a near-duplicate (Jaccard of 5-grams above 0.6).
        across_groups: Pairs of near-duplicates that lie in different groups.
        openings: Share of passages that begin with one of the 50 commonest openings of four characters.
        lengths: Characters: least, first decile, median, last decile, most.
    """

    passages: int
    groups: int
    sha256: str
    roles: Mapping[str, int]
    topics: Mapping[str, Mapping[str, int]]
    subtopics: Mapping[str, int]
    voices: Mapping[str, int]
    look_alikes: tuple[int, int]
    rules: Mapping[str, tuple[int, int]]
    near_duplicates: float
    across_groups: int
    openings: float
    lengths: tuple[int, ...]
    agreement: Agreement | None


def corpus_files(folder: Path) -> list[Path]:
    """Return the JSON Lines files of a labelled corpus.

    Raises:
        NotFoundError: If there are none.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise NotFoundError(f"{folder} 里没有 .jsonl 标注文件；请指明标注语料的文件夹")
    return paths


def corpus_hash(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the files' bytes, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_samples(paths: Iterable[Path]) -> tuple[Sample, ...]:
    """Return the labelled passages of JSON Lines files, as the tagger learns from them.

    Raises:
        InvalidInputError: If a line cannot be understood; the message names file and line.
    """
    return tuple(item.sample for item in read_labelled(paths))


def question_files(corpus: Path) -> list[Path]:
    """Return the files of questions to learn from that lie beside a labelled corpus; there may be none."""
    return sorted((corpus.parent / "queries").glob("training_*.jsonl"))


def scope_files(corpus: Path) -> list[Path]:
    """Return the files of texts inside and outside of what reports are about that lie beside a corpus; there may be none."""
    return sorted((corpus.parent / "queries").glob("scope_training_*.jsonl"))


def read_scope(paths: Iterable[Path]) -> tuple[tuple[str, bool], ...]:
    """Return texts, and whether they are about what reports are about.

    Raises:
        InvalidInputError: If a line cannot be understood.
    """
    return tuple(_parsed(paths, lambda item: (str(item["text"]), bool(item["inside"]))))


def read_questions(paths: Iterable[Path]) -> tuple[Sample, ...]:
    """Return what people would type, with the subtopic that they mean, as the adapter learns from it.

    Raises:
        InvalidInputError: If a line cannot be understood.
    """
    return tuple(_parsed(paths, _question))


def _question(item: dict[str, Any]) -> Sample:
    return Sample(item["text"], primary=parse_subtopic(item["subtopic"]).topic, subtopic=item["subtopic"])


def _parsed(paths: Iterable[Path], parse: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Yield what the lines of JSON Lines files say."""
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            try:
                yield parse(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidInputError(f"{path} 中有读不懂的一行（{error}）：{line[:60]}") from error


def read_labelled(paths: Iterable[Path]) -> tuple[Labelled, ...]:
    """Return the labelled passages of JSON Lines files, in the order of the files.

    Raises:
        InvalidInputError: If a line cannot be understood; the message names file and line.
    """
    return tuple(item for path in paths for item in _items(path))


def _items(path: Path) -> Iterator[Labelled]:
    try:
        lines = path.read_text("utf-8").split("\n")  # splitlines would also part a line at signs inside its text
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"读不出 {path}（{error}）；应为 UTF-8 的 JSON Lines") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            sample = Sample(
                text=_text(item["text"]),
                path=tuple(item.get("path") or ()),
                role=Role(item["role"]),
                primary=Topic(item["primary"]) if item.get("primary") else None,
                secondary=tuple(Topic(topic) for topic in item.get("secondary") or ()),
                subtopic=item.get("subtopic"),
                group=item.get("group") or path.stem,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path} 第 {number} 行读不懂（{error}）；每行应是含 text、role、primary、group 的 JSON"
            ) from error
        rest = (str(item.get(key) or "") for key in ("id", "voice", "rule", "side"))
        yield Labelled(sample, *rest)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text 应为文字，而不是 {value}")
    return value


def statistics(folder: Path, second: Path | None = None) -> Statistics:
    """Return the counts of a labelled corpus.

    Args:
        folder: Its folder of JSON Lines files.
        second: Folder of blind second labellings, ``{"id", "role", "primary", "first_role", "first_primary"}`` a line.

    Raises:
        NotFoundError: If the folder has no files.
        InvalidInputError: If a line cannot be understood.
    """
    paths = corpus_files(folder)
    items = read_labelled(paths)
    if not items:
        raise NotFoundError(f"{folder} 的标注文件里没有一条标注；请指明标注语料的文件夹")
    samples = [item.sample for item in items]
    quiet = [s for s in samples if s.role is not None and not s.role.has_topic]
    texts = [core(sample.text) for sample in samples]
    pairs = near_duplicates(texts)
    lengths = np.percentile([len(sample.text) for sample in samples], (0, 10, 50, 90, 100))
    return Statistics(
        passages=len(items),
        groups=len({sample.group for sample in samples}),
        sha256=corpus_hash(paths),
        roles=_counts(sample.role for sample in samples),
        topics={topic: _counts(sample.role for sample in samples if sample.primary is topic) for topic in Topic},
        subtopics=_counts(sample.subtopic for sample in samples),
        voices=_counts(item.voice for item in items),
        look_alikes=(len(quiet), sum(bool(_FAULT_WORDS.search(sample.text)) for sample in quiet)),
        rules=_rules(items),
        near_duplicates=len({i for pair in pairs for i in pair}) / len(items),
        across_groups=sum(samples[i].group != samples[j].group for i, j in pairs),
        openings=_common_openings(texts),
        lengths=tuple(int(length) for length in lengths),
        agreement=_agreement(second) if second else None,
    )


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(str(value) for value in values if value).most_common())


def _rules(items: Sequence[Labelled]) -> dict[str, tuple[int, int]]:
    sides = Counter((item.rule, item.side) for item in items if item.rule.isdecimal())
    rules = sorted({rule for rule, _ in sides}, key=int)
    return {rule: (sides[rule, "yes"], sides[rule, "no"]) for rule in rules}


def _common_openings(texts: Sequence[str]) -> float:
    openings = Counter(text[:_OPENING] for text in texts)
    return sum(count for _, count in openings.most_common(_COMMON)) / len(texts)


def near_duplicates(texts: Sequence[str], above: float = _LIKE) -> list[tuple[int, int]]:
    """Return the pairs of texts whose sets of 5-grams have a Jaccard index above a bound, exactly.

    >>> near_duplicates(["预算执行进度滞后", "预算执行进度滞后", "资产长期闲置"])
    [(0, 1)]
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 -- a second, and a search needs none of it

    grams = CountVectorizer(analyzer=_shingles, binary=True, dtype=np.int32).fit_transform(texts)
    sizes = np.asarray(grams.sum(axis=1)).ravel()
    shared = (grams @ grams.T).tocoo()
    upper = shared.row < shared.col
    rows, cols, common = shared.row[upper], shared.col[upper], shared.data[upper]
    alike = common / (sizes[rows] + sizes[cols] - common) > above
    return [(int(i), int(j)) for i, j in zip(rows[alike], cols[alike], strict=True)]


def _shingles(text: str) -> list[str]:
    return [text[i : i + _SHINGLE] for i in range(max(1, len(text) - _SHINGLE + 1))]


def _agreement(folder: Path) -> Agreement | None:
    """Return how far the blind labels agree with what the labels were before disagreements were settled."""
    answers = [answer for path in sorted(folder.glob("*.jsonl")) for answer in _answers(path)]
    if not answers:
        return None
    roles = [(str(first), str(role)) for first, role, _, _ in answers]
    topics = [(str(first), str(topic)) for _, _, first, topic in answers if first and topic]
    role_kappa, role_share = _agreeing(roles)
    topic_kappa, topic_share = _agreeing(topics)
    return Agreement(len(roles), role_kappa, role_share, len(topics), topic_kappa, topic_share)


def _answers(path: Path) -> Iterator[tuple[Role, Role, Topic | None, Topic | None]]:
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            first, second = (Topic(item[key]) if item[key] else None for key in ("first_primary", "primary"))
            yield Role(item["first_role"]), Role(item["role"]), first, second
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path} 第 {number} 行读不懂（{error}）；每行应是含 id、role、primary、first_role、first_primary 的 JSON"
            ) from error


def _agreeing(pairs: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Return κ and share; where all answers are one and the same, chance alone would agree too, and both are 1."""
    if len({label for pair in pairs for label in pair}) < 2:  # noqa: PLR2004
        return 1.0, 1.0
    from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415 -- as above

    return float(cohen_kappa_score(*zip(*pairs, strict=True))), sum(a == b for a, b in pairs) / len(pairs)
