"""The nouns: plain, frozen records that one room hands to the next.

Offsets (``start``, ``end``) count characters of :attr:`Report.text`, and ``report.text[p.start:p.end] == p.text`` holds
for every passage ``p``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a passage does in its report; the Chinese names are in ``data/taxonomy.toml``."""

    PROBLEM = "problem"
    CAUSE = "cause"
    MEASURE = "measure"
    ACHIEVEMENT = "achievement"
    TARGET = "target"
    BACKGROUND = "background"

    @property
    def has_topic(self) -> bool:
        """Whether passages of this role have a topic: problems, causes and measures do.

        >>> Role.PROBLEM.has_topic, Role.TARGET.has_topic
        (True, False)
        """
        return self in {Role.PROBLEM, Role.CAUSE, Role.MEASURE}


class Topic(StrEnum):
    """What a problem, cause or measure is about (level 1 of the taxonomy)."""

    BUDGET_PREPARATION = "budget_preparation"
    BUDGET_EXECUTION = "budget_execution"
    INDICATORS = "indicators"
    INTERNAL_CONTROL = "internal_control"
    RESULT_APPLICATION = "result_application"
    OTHER = "other"


class Level(StrEnum):
    """Level of government that a department belongs to."""

    PROVINCE = "省"
    CITY = "市"
    COUNTY = "县"
    TOWNSHIP = "乡"


class Kind(StrEnum):
    """Kind of a document."""

    DEPARTMENT = "部门整体支出"
    PROJECT = "项目支出"
    EVALUATION = "绩效评价"
    AUDIT = "审计整改"
    ACCOUNTS = "部门决算"


# ---------------------------------------------------------------------------------------------------- readers hand out


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph (or one line) as a file has it.

    Attributes:
        text: Its characters, automatic numbers of the word processor written in front ("一、基本情况").
        page: Page that it begins on, from 1; ``None`` where the format has no pages.
        heading: Level of the heading by the file's own style (Word's 标题 1, HTML's h1), from 1; ``None`` for body text.
    """

    text: str
    page: int | None = None
    heading: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        cells: One string per column of the grid. A cell merged over rows stands in each row that it covers;
            a cell merged over columns stands in its first column, the others are empty. Line breaks inside a cell are
            kept as newlines only where the file had a paragraph or ``<br>`` there.
        page: Page that the row begins on, from 1.
    """

    cells: tuple[str, ...]
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; one that goes on over pages is one table, its repeated head rows are given once."""

    rows: tuple[Row, ...]
    name: str = ""


Block = Paragraph | Table


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader makes of one file: its blocks in reading order.

    Attributes:
        format: ``docx``, ``pdf``, ``html``, ``txt``, ``xlsx`` or ``csv``.
        pages: Number of pages, ``None`` where the format has none.
        title: Title from the file's properties, often empty or wrong.
        wrapped: Whether lines may be broken in mid-sentence, so that the mending joins them (text and PDF).
        warnings: What a person should know (a page without text, …), in Chinese.
    """

    blocks: tuple[Block, ...]
    format: str
    pages: int | None = None
    title: str = ""
    wrapped: bool = False
    warnings: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------- a report and its parts


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph or table row of the mended text.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last character.
        page: Page that it begins on.
        heading: Level by the file's own style.
        cells: Spans of the cells, for a row of a table.
        table: Number of the table in the document, for a row.
    """

    start: int
    end: int
    page: int | None = None
    heading: int | None = None
    cells: tuple[tuple[int, int], ...] = ()
    table: int | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """Where a department is; a part is ``None`` where nothing tells it."""

    province: str | None = None
    city: str | None = None
    county: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose report it is.

    Attributes:
        taken_from: For each part that was found, what it was taken from: ``title``, ``file properties``, ``field``,
            ``text``, ``signature``, ``file name``, ``folder``, ``department``, ``region table``, ``override``; several
            are joined by ``+``.
    """

    title: str = ""
    department: str | None = None
    region: Region = field(default_factory=Region)
    level: Level | None = None
    year: int | None = None
    kind: Kind | None = None
    taken_from: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a report was read."""

    path: str
    sha256: str
    format: str
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One heading and the text under it.

    Attributes:
        number: The mark as printed (``"一、"``, ``"（2）"``), empty where there is none.
        heading: The heading without its mark.
        level: From 1, as inferred from the sequence of marks.
        start: Where the heading begins.
        end: Where the section ends: at the next heading of this or a higher level.
        body: Where the heading ends and the text under it begins.
    """

    number: str
    heading: str
    level: int
    start: int
    end: int
    body: int

    @property
    def label(self) -> str:
        """The heading as printed, with its mark."""
        return f"{self.number}{self.heading}"


_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class TopicScore:
    """A topic with the probability that the passage has it, and the subtopic where one is known."""

    label: Topic
    score: float
    subtopic: str | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tagger says of a passage.

    Attributes:
        role: The most probable role.
        role_score: Its probability.
        primary: The main topic; ``None`` for roles that have none.
        topics: Topics above their threshold, best first; empty for roles that have none.
    """

    role: Role
    role_score: float
    primary: Topic | None = None
    topics: tuple[TopicScore, ...] = ()

    @property
    def subtopic(self) -> str | None:
        """The subtopic of the main topic."""
        return self.topics[0].subtopic if self.topics else None

    @property
    def is_unsure(self) -> bool:
        """Whether role or topic is more likely wrong than right, by probabilities that were calibrated."""
        return self.role_score < _EVEN or bool(self.topics and self.topics[0].score < _EVEN)


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person decided about a passage.

    Attributes:
        path: Headings above it and the words that lead into it.
        group: Department and year: decisions of one group are never on both sides of a split.
    """

    text: str
    path: tuple[str, ...]
    role: Role
    primary: Topic | None = None
    secondary: tuple[Topic, ...] = ()
    subtopic: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """One finding, sentence group or table row, with the headings above it.

    Attributes:
        id: ``<report id>-<ordinal>``.
        ref: The number that a ledger gives it.
        lead: The words that introduce it (the run-in heading or the sentence before 一是), which are no part of it.
        section: Headings above it, outermost first, as printed.
        role: A role that the document itself settles (a ledger's column), else ``None``.
        department: Its own department and year, where a ledger gives them for each row; else the report's.
    """

    id: str
    text: str
    start: int
    end: int
    section: tuple[str, ...] = ()
    lead: str = ""
    page: int | None = None
    ref: str | None = None
    role: Role | None = None
    department: str | None = None
    region: Region = field(default_factory=Region)
    level: Level | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A measure that answers a problem, by their passage ids."""

    problem: str
    measure: str
    score: float


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause that is given for a problem, by their passage ids."""

    problem: str
    cause: str
    score: float


class DiscrepancyKind(StrEnum):
    """In what figures or dates of a report contradict each other."""

    SUM = "sum"
    RATE = "rate"
    CONFLICT = "conflict"
    GRADE = "grade"
    SCORE = "score"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Figures or dates of one report that cannot all be right.

    Attributes:
        message: What contradicts what, in Chinese, with the arithmetic in plain words.
        expected: What should stand there by the other figures, as the report would print it.
        found: What stands there.
        quotes: Id of the passage (``None`` where none holds the place), literal text of the report, and where it begins.
    """

    kind: DiscrepancyKind
    message: str
    expected: str
    found: str
    quotes: tuple[tuple[str | None, str, int], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One document, read, mended and cut, before it is tagged."""

    id: str
    text: str
    identity: Identity
    source: Source
    sections: tuple[Section, ...]
    passages: tuple[Passage, ...]
    links: tuple[Link, ...] = ()
    warnings: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------------- questions and answers


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search or a count is narrowed to; ``None`` narrows nothing.

    Attributes:
        department: Part of the department's name.
        region: Part of the names of province, city and county, one behind the other; what is not known of a passage above
            the narrowest one does not matter.
        years: First and last fiscal year, both included.
        not_department: A department whose passages are left out.
        not_year: A fiscal year whose passages are left out.
        not_row: A passage that is left out, by its key in the store.
    """

    department: str | None = None
    region: str | None = None
    level: Level | None = None
    years: tuple[int, int] | None = None
    kind: Kind | None = None
    role: Role | None = None
    topic: Topic | None = None
    not_department: str | None = None
    not_year: int | None = None
    not_row: int | None = None


class Among(StrEnum):
    """Where the like of a passage is looked for."""

    ALL = "全部"
    DEPARTMENTS = "别的部门"
    YEARS = "本部门别的年度"


@dataclass(frozen=True, slots=True)
class ReportCard:
    """What the library says of a report without its text."""

    id: str
    identity: Identity
    source: Source


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as it lies in the library, with its tags and its report.

    Attributes:
        row: Its key in the store and in the index.
        report: Its report; department, year, region and level are the passage's own where a ledger gives them.
    """

    row: int
    passage: Passage
    tags: Tags
    report: ReportCard


@dataclass(frozen=True, slots=True)
class Labels:
    """What a passage of the library is counted and weighed by.

    Attributes:
        row: Its key in the store.
        subtopic: Of its primary topic.
    """

    row: int
    role: str
    topic: str | None
    subtopic: str | None
    year: int | None
    department: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found.

    Attributes:
        rank: From 1.
        score: Fused score, from 0 to 1.
        lexical: Part of the score that shared words gave, from 0 to 1.
        semantic: Cosine of the passage's and the query's vectors.
        highlights: Spans of the passage's text where words of the query stand.
        nearest: Span of the sentence that is nearest to the query in meaning, where the passage has several.
        same: Passages elsewhere that say the same in nearly the same words; they are no hits of their own.
    """

    rank: int
    score: float
    found: StoredPassage
    lexical: float
    semantic: float
    highlights: tuple[tuple[int, int], ...] = ()
    nearest: tuple[int, int] | None = None
    same: tuple[StoredPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to a search.

    Attributes:
        facets: For topic, year and department: how many of the passages that were considered have which value.
        note: Why nothing was found, in Chinese, where nothing was.
        target: The passage whose like was looked for, where it was one of the library.
    """

    query: str
    took_ms: float
    hits: tuple[Hit, ...]
    facets: dict[str, dict[str, int]]
    note: str = ""
    target: StoredPassage | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Reference wording: a passage of a report, and the problem that it answered there.

    Attributes:
        also: Passages elsewhere that say the same in nearly the same words.
    """

    score: float
    found: StoredPassage
    answers: StoredPassage | None = None
    also: tuple[StoredPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be taken in, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest did: counts of files, the failures, and the library's size after it."""

    added: int
    updated: int
    unchanged: int
    failed: tuple[Failure, ...]
    reports: int
    passages: int
    seconds: float


class Cell(NamedTuple):
    """What is counted of a passage: there are many, and they go into a table as they are.

    Attributes:
        row: The passage's key.
        report: What counts as its report: the report's department and year, of which a ledger has many.
        region: The narrowest place that is known, with those above it where others have its name; where none is known, that
            of the one department of this name of which it is.
        given: Whether a ledger gives the role.
    """

    row: int
    report: str
    topic: str | None
    department: str | None
    region: str | None
    level: str | None
    year: int | None
    kind: str | None
    role: str
    subtopic: str | None
    given: bool


@dataclass(frozen=True, slots=True)
class Corrected:
    """A count and a share with the errors of the tagger taken out, each with a 95 % interval; see :mod:`nlp.prevalence`.

    Attributes:
        count: How many there really are among these very passages.
        share: Of the passages of the role in this cell; ``None`` where topics are not told apart.
        enough: Whether there are enough passages for the share to say something.
    """

    count: float
    count_low: float
    count_high: float
    share: float | None
    low: float | None
    high: float | None
    enough: bool


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """One cell of a frequency table.

    Attributes:
        values: One value per dimension, in the order asked for; ``None`` where it is not known.
        count: Passages of the role counted.
        reports: Reports (a ledger's department and year count as one) that have at least one.
        share: Of all passages (or reports) counted, how many are in this cell.
        low: Lower end of the 95 % interval of the share.
        high: Upper end.
        rank: From 1, by what is counted; equals share a rank.
        change: What is counted less what was counted the year before; ``None`` where years are not told apart, or where there
            is nothing of the year before.
        corrected: The same without the tagger's errors; ``None`` where that is not known.
    """

    values: tuple[str | int | None, ...]
    count: int
    reports: int
    share: float
    low: float
    high: float
    rank: int
    change: int | None = None
    corrected: Corrected | None = None


@dataclass(frozen=True, slots=True)
class Frequency:
    """A frequency table; ``total`` is what shares are of.

    Attributes:
        role: Whose passages are counted.
        filters: What they are narrowed to.
        note: Why there is nothing, where there is nothing.
    """

    by: tuple[str, ...]
    unit: str
    rows: tuple[FrequencyRow, ...]
    total: int
    role: Role = Role.PROBLEM
    filters: Filters = field(default_factory=Filters)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is.

    Attributes:
        done: Steps (files, batches) that are done, of ``total``.
        passages: Passages so far, where they are counted.
        name: What is being worked on.
    """

    done: int
    total: int
    passages: int = 0
    name: str = ""
