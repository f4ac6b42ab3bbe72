"""Records as the JSON that programs read (keys may be added, never renamed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nlp.analyst import TaggedReport
from nlp.checks import check_report
from nlp.copies import Copies
from nlp.drafting import with_slots
from nlp.figures import Figure, find_figures
from nlp.library import Info
from nlp.records import (
    Discrepancy,
    Frequency,
    Hit,
    Identity,
    IngestResult,
    Passage,
    ReportCard,
    SearchResult,
    Section,
    Source,
    StoredPassage,
    Suggestion,
    Tags,
)
from nlp.recurrence import Recurrences
from nlp.search import differences
from nlp.tagger import Evidence
from nlp.taxonomy import parse_topic, subtopic_name, topic_name

if TYPE_CHECKING:
    from nlp.evaluation import Score, SetScores, Verdict  # scikit-learn with it, which takes a second to load

Json = dict[str, Any]


def report_view(report_id: str, identity: Identity, source: Source) -> Json:
    """Return whose report it is and where it was read."""
    return {
        "id": report_id,
        "title": identity.title,
        "department": identity.department,
        "region": {
            "province": identity.region.province,
            "city": identity.region.city,
            "county": identity.region.county,
        },
        "level": identity.level,
        "year": identity.year,
        "kind": identity.kind,
        "taken_from": identity.taken_from,
        "source": {
            "path": source.path,
            "sha256": source.sha256,
            "format": source.format,
            "pages": source.pages,
        },
    }


def card_view(card: ReportCard) -> Json:
    """Return a report without its text."""
    return report_view(card.id, card.identity, card.source)


def section_view(section: Section) -> Json:
    """Return a section."""
    return {
        "number": section.number,
        "heading": section.heading,
        "level": section.level,
        "start": section.start,
        "end": section.end,
        "body": section.body,
    }


def tags_view(tags: Tags) -> Json:
    """Return role, primary topic and topics."""
    return {
        "role": {"label": tags.role, "score": tags.role_score},
        "primary": tags.primary,
        "unsure": tags.is_unsure,
        "topics": [
            {
                "label": topic.label,
                "subtopic": topic.subtopic,
                "subtopic_name": subtopic_name(topic.subtopic) if topic.subtopic else None,
                "score": topic.score,
            }
            for topic in tags.topics
        ],
    }


def passage_view(passage: Passage, tags: Tags) -> Json:
    """Return a passage with its tags."""
    return {
        "id": passage.id,
        "ref": passage.ref,
        "text": passage.text,
        "lead": passage.lead,
        "section": list(passage.section),
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
        "department": passage.department,
        "year": passage.year,
        **tags_view(tags),
    }


def inspection_view(tagged: TaggedReport) -> Json:
    """Return what the program sees in a file."""
    report = tagged.report
    return {
        "report": {**report_view(report.id, report.identity, report.source), "text": report.text},
        "sections": [section_view(section) for section in report.sections],
        "passages": [passage_view(p, tags) for p, tags in zip(report.passages, tagged.tags, strict=True)],
        "links": [{"problem": link.problem, "measure": link.measure, "score": link.score} for link in report.links],
        "causes": [{"problem": item.problem, "cause": item.cause, "score": item.score} for item in tagged.causes],
        "figures": [figure_view(figure, p) for p in report.passages for figure in find_figures(p.text)],
        "discrepancies": [discrepancy_view(item) for item in check_report(report)],
        "warnings": list(report.warnings),
    }


def discrepancy_view(item: Discrepancy) -> Json:
    """Return figures that contradict each other, with their quotes."""
    return {
        "kind": item.kind,
        "message": item.message,
        "expected": item.expected,
        "found": item.found,
        "quotes": [{"passage": passage, "text": text, "start": start} for passage, text, start in item.quotes],
    }


def figure_view(figure: Figure, passage: Passage) -> Json:
    """Return a figure; its value is a string, because a JSON number is not exact."""
    return {
        "text": figure.text,
        "value": str(figure.value),
        "unit": figure.unit,
        "what": figure.what,
        "passage": passage.id,
    }


def tag_view(key: str, text: str, tags: Tags, evidence: Sequence[Evidence]) -> Json:
    """Return the tags of a text that stands alone."""
    return {
        "id": key,
        "text": text,
        **tags_view(tags),
        "evidence": [{"text": item.text, "weight": item.weight} for item in evidence],
    }


def stored_view(found: StoredPassage) -> Json:
    """Return a passage of the library and its report."""
    return {"passage": passage_view(found.passage, found.tags), "report": card_view(found.report)}


def hit_view(hit: Hit, target: StoredPassage | None = None) -> Json:
    """Return a hit, and in what it differs from the passage whose like was looked for."""
    differs = {"differs": differences(target, hit.found)} if target else {}
    return {
        "rank": hit.rank,
        "score": hit.score,
        **stored_view(hit.found),
        "highlights": [list(span) for span in hit.highlights],
        "nearest": list(hit.nearest) if hit.nearest else None,
        "why": {"lexical": hit.lexical, "semantic": hit.semantic},
        "same": [source_view(found) for found in hit.same],
        **differs,
    }


def search_view(result: SearchResult) -> Json:
    """Return the answer to a search."""
    return {
        "query": result.query,
        "took_ms": result.took_ms,
        "target": stored_view(result.target) if result.target else None,
        "hits": [hit_view(hit, result.target) for hit in result.hits],
        "facets": result.facets,
        "note": result.note,
    }


def frequency_view(table: Frequency) -> Json:
    """Return a frequency table, one row a cell."""
    rows = []
    for row in table.rows:
        cell: Json = {}
        for dimension, value in zip(table.by, row.values, strict=True):
            cell[dimension] = value
            if dimension in {"topic", "subtopic"}:
                cell[f"{dimension}_name"] = shown(dimension, value)
        rows.append(
            {
                **cell,
                "count": row.count,
                "reports": row.reports,
                "share": round(row.share, 4),
                "low": round(row.low, 4),
                "high": round(row.high, 4),
                "rank": row.rank,
                "change": row.change,
                "corrected": asdict(row.corrected) if row.corrected else None,
            }
        )
    return {"by": list(table.by), "unit": table.unit, "rows": rows, "total": table.total, "note": table.note}


def recurrences_view(found: Recurrences) -> Json:
    """Return the problems that came back, and those that did not."""
    return {
        "compared": found.compared,
        "returned": found.returned,
        "recurring": [
            {
                "department": chain.problems[0].passage.department,
                "years": [problem.passage.year for problem in chain.problems],
                "topic": chain.problems[-1].tags.primary,
                "subtopic": chain.problems[-1].tags.subtopic,
                "score": chain.score,
                "problems": [stored_view(problem) for problem in chain.problems],
                "measures": [
                    {**stored_view(measure), "answers": problem.passage.id}
                    for problem, measures in zip(chain.problems, chain.promised, strict=False)
                    for measure in measures
                ],
            }
            for chain in found.chains
        ],
        "vanished": [stored_view(problem) for problem in found.vanished],
    }


def copies_view(found: Copies) -> Json:
    """Return copied passages with their originals, and how much of each report is copied."""
    return {
        "copied": [
            {
                **stored_view(pair.passage),
                "original": stored_view(pair.original),
                "likeness": pair.likeness,
                "wording": pair.wording,
                "own": pair.is_own,
                "later": pair.is_later,
            }
            for pair in found.pairs
        ],
        "shares": [
            {
                "report": card_view(item.report),
                "characters": item.characters,
                "own": item.own,
                "others": item.others,
                "share": round(item.share, 4),
            }
            for item in found.shares
        ],
    }


def shown(dimension: str, value: str | int | None) -> str:
    """Return a dimension's value as a person reads it.

    >>> shown("topic", "indicators"), shown("subtopic", "vague_indicators"), shown("year", None)
    ('绩效指标', '指标笼统缺量化', '（未知）')
    """
    if value is None:
        return "（未知）"
    if dimension == "subtopic":
        return subtopic_name(str(value))
    return topic_name(parse_topic(str(value))) if dimension == "topic" else str(value)


def source_view(found: StoredPassage) -> Json:
    """Return where a passage stands."""
    return {
        "passage": found.passage.id,
        "report": card_view(found.report),
        "section": list(found.passage.section),
        "page": found.passage.page,
    }


def suggestion_view(suggestion: Suggestion) -> Json:
    """Return reference wording, as quoted and with slots, with its sources and the problem that it answered."""
    passage, tags = suggestion.found.passage, suggestion.found.tags
    return {
        "text": passage.text,
        "wording": with_slots(passage.text, suggestion.found.report.identity),
        "score": suggestion.score,
        "role": tags.role,
        "topics": [topic.label for topic in tags.topics],
        "sources": [source_view(found) for found in (suggestion.found, *suggestion.also)],
        "answers": suggestion.answers.passage.text if suggestion.answers else None,
    }


def ingest_view(result: IngestResult) -> Json:
    """Return what an ingest did."""
    return {
        "added": result.added,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "failed": [{"path": failure.path, "error": failure.error} for failure in result.failed],
        "reports": result.reports,
        "passages": result.passages,
        "seconds": result.seconds,
    }


def info_view(info: Info) -> Json:
    """Return what a library holds."""
    return {
        "path": info.path,
        "reports": info.reports,
        "passages": info.passages,
        "encoder": info.encoder,
        "generation": info.generation,
        "list": [card_view(card) for card in info.cards],
    }


def verdict_view(verdict: Verdict) -> Json:
    """Return scores, confusion matrices, the worst mistakes, and whether the floors hold."""
    return {
        "sets": [_set_view(scores) for scores in verdict.sets],
        "floors": "below" if verdict.below else "ok",
        "below": list(verdict.below),
        "remarks": list(verdict.remarks),
    }


def _set_view(scores: SetScores) -> Json:
    return {
        "name": scores.name,
        "n": scores.n,
        "role": _score_view(scores.role),
        "topic": _score_view(scores.topic) if scores.topic else None,
        "subtopic": {"accuracy": scores.subtopic_accuracy},
        "worst": [asdict(mistake) for mistake in scores.worst],
    }


def _score_view(score: Score) -> Json:
    return asdict(score)
