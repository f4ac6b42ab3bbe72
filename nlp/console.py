"""What a person sees: answers as Chinese text on stdout, progress and remarks on stderr."""
# ruff: noqa: PLC0415 - libraries that are slow to load are imported where they are used, so that help answers at once

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nlp.errors import InvalidInputError
from nlp.records import Role, Topic
from nlp.taxonomy import label_name, role_name, subtopic_name, topic_name

_WIDE = 0x2E80

if TYPE_CHECKING:
    from nlp.analyst import TaggedReport
    from nlp.copies import Copies
    from nlp.corpus import Statistics
    from nlp.evaluation import Score, Verdict
    from nlp.learning import Scores
    from nlp.library import Info
    from nlp.records import (
        Discrepancy,
        Frequency,
        FrequencyRow,
        Hit,
        Identity,
        IngestResult,
        Progress,
        SearchResult,
        Suggestion,
        Tags,
    )
    from nlp.recurrence import Recurrences
    from nlp.taxonomy import Entry, Subtopic


@contextmanager
def bar(what: str) -> Iterator[Callable[[Progress], None]]:
    """Show a bar on stderr with rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("剩余"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}"),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, rate="", name="")

        def show(progress: Progress) -> None:
            elapsed = bar.tasks[task].elapsed or 0.0
            rate = f"{progress.passages / elapsed:.0f} 条/秒" if elapsed and progress.passages else ""
            bar.update(task, total=progress.total, completed=progress.done, rate=rate, name=progress.name[-30:])

        yield show


def whisper(message: str) -> None:
    """Print a remark on stderr."""
    typer.echo(message, err=True)


def print_json(view: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(view, ensure_ascii=False))


def heading(text: str) -> None:
    """Print a heading."""
    typer.echo(f"\n{text}\n{'─' * 40}")


def print_ingest(result: IngestResult, library: Path) -> None:
    """Print what an ingest did, and each failure on stderr."""
    typer.echo(
        f"新增 {result.added}，更新 {result.updated}，未变 {result.unchanged}，失败 {len(result.failed)}；"
        f"库 {library} 现有 {result.reports} 份报告、{result.passages} 个条目（{result.seconds:.1f} 秒）"
    )
    for failure in result.failed:
        typer.echo(f"  未能读入 {failure.path}：{failure.error}", err=True)


def print_inspection(item: TaggedReport) -> None:
    """Print what the program sees in a file."""
    from nlp.checks import check_report

    report = item.report
    i = report.identity
    region = "".join(part for part in (i.region.province, i.region.city, i.region.county) if part)
    typer.echo(f"标题  {i.title}")
    typer.echo(f"部门  {i.department or '未知'}    地区  {region or '未知'}    层级  {i.level or '未知'}")
    typer.echo(f"年度  {i.year or '未知'}    类型  {i.kind or '未知'}    格式  {report.source.format}")
    typer.echo(f"依据  {'，'.join(f'{field}←{source}' for field, source in i.taken_from.items())}")
    for warning in report.warnings:
        typer.echo(f"注意  {warning}")
    heading("提纲")
    for section in report.sections:
        if section.level <= 3:  # noqa: PLR2004  deeper ones are items
            typer.echo(f"{'  ' * section.level}{section.label}")
    heading(f"条目（{len(report.passages)}）")
    for passage, tags in zip(report.passages, item.tags, strict=True):
        page = f"第{passage.page}页 " if passage.page else ""
        typer.echo(f"[{_tag_text(tags)}] {page}{passage.text[:120]}")
    discrepancies = check_report(report)
    if discrepancies:
        print_discrepancies("数字核对", discrepancies)
    texts = {passage.id: passage.text for passage in report.passages}
    if report.links:
        heading(f"问题与措施的对应（{len(report.links)}）")
        for link in report.links:
            typer.echo(f"{link.score:.2f}  {texts[link.problem][:40]}  →  {texts[link.measure][:40]}")
    if item.causes:
        heading(f"问题与原因的对应（{len(item.causes)}）")
        for reason in item.causes:
            typer.echo(f"{reason.score:.2f}  {texts[reason.problem][:40]}  ←  {texts[reason.cause][:40]}")


def print_discrepancies(name: str, found: Sequence[Discrepancy]) -> None:
    """Print which figures of a report contradict each other, with the places."""
    heading(f"{name}：{f'{len(found)} 处数字对不上' if found else '没有发现互相矛盾的数字'}")
    for number, item in enumerate(found, 1):
        typer.echo(f"{number:>3}. {item.message}（应为 {item.expected}，现为 {item.found}）")
        for _, text, _ in item.quotes:
            typer.echo(f"     原文：{text}")


def _tag_text(tags: Tags) -> str:
    from nlp.taxonomy import role_name, topic_name

    topics = "、".join(topic_name(topic.label) for topic in tags.topics)
    return f"{role_name(tags.role)} {tags.role_score:.2f}{' ' + topics if topics else ''}"


def print_search(result: SearchResult) -> None:
    """Print the answer to a search."""
    from nlp.search import differences

    if result.target:
        typer.echo(f"\n条目 {result.target.passage.id}：{result.target.passage.text}")
        typer.echo(f"相同的问题  {len(result.hits)} 条，{result.took_ms:.0f} 毫秒")
    else:
        typer.echo(f"\n“{result.query}”  {len(result.hits)} 条，{result.took_ms:.0f} 毫秒")
    for hit in result.hits:
        _print_hit(hit)
        differs = differences(result.target, hit.found) if result.target else {}
        for name, (own, other) in differs.items():
            typer.echo(f"     {_DIFFERENCES[name]}不同：{own or '（无）'} → {other or '（无）'}")
    if result.note:
        typer.echo(result.note)


_DIFFERENCES = {"department": "部门", "region": "地区", "year": "年度", "figures": "数字"}


def _print_hit(hit: Hit) -> None:
    passage = hit.found.passage
    same = f"  +{len(hit.same)} 相同" if hit.same else ""
    typer.echo(f"{hit.rank:>3}. [{_tag_text(hit.found.tags)}] {_marked(passage.text, hit.highlights)}")
    typer.echo(
        f"     {_origin(hit.found.report.identity, passage.page)}  编号 {passage.id}  得分 {hit.score:.2f}{same}"
    )
    if hit.nearest:
        start, end = hit.nearest
        typer.echo(f"     最相近的一句：{passage.text[start:end]}")


def _marked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with the spans in bold where the output is a terminal."""
    if not sys.stdout.isatty():
        return text
    parts, position = [], 0
    for start, end in spans:
        parts += [text[position:start], typer.style(text[start:end], bold=True)]
        position = end
    return "".join([*parts, text[position:]])


def _origin(identity: Identity, page: int | None) -> str:
    where = f" 第{page}页" if page else ""
    return f"{identity.department or '部门未知'} {identity.year or '年度未知'}{where}"


def print_frequency(table: Frequency) -> None:
    """Print a frequency table."""
    from nlp.exports import NAMES, UNITS
    from nlp.views import shown

    names = "、".join(NAMES[dimension] for dimension in table.by)
    corrected = any(row.corrected for row in table.rows)
    typer.echo(
        f"按{names}统计，共 {table.total} {UNITS[table.unit]}；括号内为 95% 区间"
        + ("；修正：扣除标注误差后" if corrected else "")
        + "；台账中每个部门、每个年度算一份报告"
    )
    for row in table.rows:
        name = "  ".join(shown(d, v) for d, v in zip(table.by, row.values, strict=True))
        change = "" if row.change is None else f"  较上年 {row.change:+d}"
        typer.echo(
            f"  {row.rank:>3}.{row.count:>6} 条  {row.reports:>4} 份报告  {row.share:>6.1%}（{row.low:.1%}～{row.high:.1%}）"
            f"{_corrected_text(row)}{change}  {name}"
        )
    if table.note:
        typer.echo(table.note)


def _corrected_text(row: FrequencyRow) -> str:
    """Return a row's numbers without the tagger's errors."""
    fixed = row.corrected
    if fixed is None:
        return ""
    counts = f"  修正 {fixed.count:.0f} 条（{fixed.count_low:.0f}～{fixed.count_high:.0f}）"
    if fixed.share is None or fixed.low is None or fixed.high is None:
        return counts
    return counts + (f"，{fixed.share:.1%}（{fixed.low:.1%}～{fixed.high:.1%}）" if fixed.enough else "，条目太少")


def print_recurrences(found: Recurrences, copies: Copies, top: int) -> None:
    """Print what came back, what vanished, and what was copied."""
    from nlp.views import shown

    share = f"，占 {found.returned / found.compared:.0%}" if found.compared else ""
    heading("屡次出现的问题")
    typer.echo(f"后续年度的 {found.compared} 个问题中，{found.returned} 个以前年度报告过{share}")
    for chain in found.chains[:top]:
        last = chain.problems[-1]
        kind = shown("subtopic", last.tags.subtopic) if last.tags.subtopic else ""
        typer.echo(
            f"\n{last.passage.department or '（未知部门）'}  {kind}  {len(chain.problems)} 个年度  把握 {chain.score:.2f}"
        )
        for place, problem in enumerate(chain.problems):
            typer.echo(f"  {problem.passage.year}  {_short(problem.passage.text)}")
            for measure in chain.promised[place] if place < len(chain.promised) else ():
                typer.echo(f"        当时的措施：{_short(measure.passage.text)}")
    _more(len(found.chains), top)
    heading("以后不再出现的问题")
    for problem in found.vanished[:top]:
        typer.echo(f"  {problem.passage.department}  {problem.passage.year}  {_short(problem.passage.text)}")
    _more(len(found.vanished), top)
    heading("照抄的段落")
    copied = [item for item in copies.shares if item.share > 0]
    typer.echo(f"{len(copies.pairs)} 段与以前或别处的报告相同或几乎相同，见于 {len(copied)} 份报告")
    for item in copied[:top]:
        typer.echo(f"  {item.share:>6.1%}  {item.report.identity.title or item.report.source.path}")
    _more(len(copied), top)
    for pair in copies.pairs[:top]:
        where, likeness = _origin(pair.original.report.identity, None), f"（{pair.likeness:.0%}）"
        told = f"抄自 {where}{likeness}" if pair.is_later else f"与 {where} 相同{likeness}，先后不明"
        typer.echo(
            f"\n  {_short(pair.passage.passage.text)}\n    {_origin(pair.passage.report.identity, None)}  {told}"
        )
    _more(len(copies.pairs), top)


def _short(text: str, length: int = 100) -> str:
    return text if len(text) <= length else text[:length] + "…"


def _more(count: int, top: int) -> None:
    if count > top:
        typer.echo(f"  ……共 {count} 条，用 --top 看更多")


def draw_chart(table: Frequency, path: Path) -> None:
    """Draw a frequency table; say what to install where the pictures' library is missing."""
    try:
        from nlp.charts import draw
    except ImportError as error:
        raise InvalidInputError("画图需要安装 charts 附加组件：pip install 'jixiao[charts]'") from error
    from nlp.exports import title_of

    draw(table, path, title_of(table))


def print_info(info: Info) -> None:
    """Print what a library holds."""
    typer.echo(f"报告库 {info.path}：{info.reports} 份报告，{info.passages} 个条目，编码器 {info.encoder}")
    for card in info.cards:
        i = card.identity
        typer.echo(
            f"  {card.id}  {i.year or '年度未知'}  {i.department or '部门未知'}  {i.kind or '类型未知'}  {i.title}"
        )


def print_draft(problem: str, found: Iterable[Suggestion], *, original: bool) -> None:
    """Print reference wording with its sources, with slots or as quoted."""
    from nlp.drafting import with_slots

    typer.echo(f"\n问题：{problem}")
    suggestions = list(found)
    if not suggestions:
        typer.echo("库里没有找到可参考的表述；请换个说法，或放宽筛选条件")
    for number, item in enumerate(suggestions, 1):
        text = item.found.passage.text
        typer.echo(f"{number:>3}. {text if original else with_slots(text, item.found.report.identity)}")
        for source in (item.found, *item.also):
            section = " / ".join(source.passage.section)
            identity = source.report.identity
            typer.echo(f"     出处：{_origin(identity, source.passage.page)}《{identity.title}》{section}")
        if item.answers:
            typer.echo(f"     所答的问题：{item.answers.passage.text}")


def print_training(folder: Path, scores: Scores, corrections: int) -> None:
    """Print where a tagger was written and how it scored."""
    typer.echo(
        f"已写入 {folder}。{scores.n} 条（含人工改正 {corrections} 条）、{scores.groups} 个来源组，按组交叉验证："
    )
    for name, accuracy, macro, error in (
        ("角色", scores.role_accuracy, scores.role_macro_f1, scores.role_ece),
        ("主题", scores.topic_accuracy, scores.topic_macro_f1, scores.topic_ece),
    ):
        typer.echo(f"  {name}  准确率 {accuracy:.1%}  宏平均 F1 {macro:.3f}  校准误差 {error:.3f}")
    typer.echo(f"  子主题  准确率 {scores.subtopic_accuracy:.1%}")


def print_verdict(verdict: Verdict) -> None:
    """Print scores, confusion matrices and the worst mistakes of each set, and what the floors say."""
    for scores in verdict.sets:
        heading(f"{scores.name}：{scores.n} 条")
        for name, score in (("角色", scores.role), ("主题", scores.topic)):
            if score is not None:
                _print_score(name, score)
        if scores.subtopic_accuracy is not None:
            typer.echo(f"子主题准确率 {scores.subtopic_accuracy:.1%}")
        typer.echo("\n错得最离谱的条目：")
        for number, mistake in enumerate(scores.worst, 1):
            names = label_name(mistake.question, mistake.expected), label_name(mistake.question, mistake.found)
            typer.echo(f"{number:3}. 应为 {names[0]}，判为 {names[1]}（{mistake.score:.2f}）  {mistake.text[:60]}")
    for remark in verdict.remarks:
        whisper(remark)
    if not verdict.below and not verdict.remarks:
        typer.echo("\n成绩不低于下限")


def _print_score(name: str, score: Score) -> None:
    question = "role" if name == "角色" else "topic"
    names = [label_name(question, label) for label in score.labels]
    typer.echo(f"{name}  准确率 {score.accuracy:.1%}  宏平均 F1 {score.macro_f1:.3f}  校准误差 {score.ece:.3f}")
    typer.echo("  " + _cells(["实际＼判为", *names, "精确率", "召回率", "F1"]))
    for label, label_text, row in zip(score.labels, names, score.confusion, strict=True):
        of = score.per_class[label]
        typer.echo(
            "  " + _cells([label_text, *map(str, row), f"{of.precision:.3f}", f"{of.recall:.3f}", f"{of.f1:.3f}"])
        )


def _cells(values: Iterable[str]) -> str:
    """Return values in columns; a Chinese character is two wide."""
    return "".join(value + " " * max(1, 11 - sum(1 + (ord(sign) > _WIDE) for sign in value)) for value in values)


def print_taxonomy(roles: Iterable[Entry], topics: Iterable[Entry], subtopics: Sequence[Subtopic]) -> None:
    """Print names, codes, definitions, examples and neighbours."""
    for entry in roles:
        typer.echo(f"角色  {entry.name}（{entry.code}）：{entry.definition}")
    for topic in topics:
        heading(f"{topic.name}（{topic.code}）：{topic.definition}")
        for entry in subtopics:
            if entry.topic == topic.code:
                typer.echo(f"· {entry.name}（{entry.code}）：{entry.definition}")
                for example in entry.examples:
                    typer.echo(f"    例  {example}")
                for neighbour in entry.neighbours:
                    typer.echo(f"    异  {neighbour}")


def print_corpus(found: Statistics) -> None:
    """Print the counts of a labelled corpus."""
    typer.echo(f"{found.passages} 条，{found.groups} 个来源组；SHA-256 {found.sha256[:16]}…")
    typer.echo("角色  " + "  ".join(f"{role_name(Role(role))} {count}" for role, count in found.roles.items()))
    for topic, counts in found.topics.items():
        shown = "  ".join(f"{role_name(Role(role))} {count}" for role, count in counts.items())
        typer.echo(f"主题  {topic_name(Topic(topic))}  {shown}")
    for code, count in found.subtopics.items():
        typer.echo(f"子主题  {subtopic_name(code)}（{code}） {count}")
    typer.echo("口吻  " + "  ".join(f"{voice} {count}" for voice, count in found.voices.items()))
    quiet, fault_words = found.look_alikes
    typer.echo(f"成效、目标、背景 {quiet} 条，其中含问题字眼的 {fault_words} 条")
    typer.echo("边界规则（两侧条数）  " + "  ".join(f"{rule}：{yes}/{no}" for rule, (yes, no) in found.rules.items()))
    typer.echo(f"近似重复（5 字片段 Jaccard > 0.6） {found.near_duplicates:.2%}，其中跨来源组 {found.across_groups} 对")
    typer.echo(f"最常见的 50 种开头（4 字）占 {found.openings:.1%}")
    typer.echo("长度（最短、一成、中位、九成、最长）  " + "、".join(map(str, found.lengths)))
    if found.agreement is not None:
        of = found.agreement
        typer.echo(
            f"第二人盲标 {of.n} 条：角色 κ {of.role_kappa:.3f}（一致 {of.role_share:.1%}），"
            f"主题 κ {of.topic_kappa:.3f}（{of.n_topic} 条，一致 {of.topic_share:.1%}）"
        )
