"""What a person sees: answers as Chinese text on stdout, progress and remarks on stderr."""
# ruff: noqa: PLC0415 - libraries that are slow to load are imported where they are used, so that help answers at once

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nlp.errors import InvalidInputError

if TYPE_CHECKING:
    from nlp.analyst import TaggedReport
    from nlp.library import Info, Progress
    from nlp.records import Frequency, Hit, Identity, IngestResult, SearchResult, Suggestion, Tags


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
    if report.links:
        heading(f"问题与措施的对应（{len(report.links)}）")
        texts = {passage.id: passage.text for passage in report.passages}
        for link in report.links:
            typer.echo(f"{link.score:.2f}  {texts[link.problem][:40]}  →  {texts[link.measure][:40]}")


def _tag_text(tags: Tags) -> str:
    from nlp.taxonomy import role_name, topic_name

    topics = "、".join(topic_name(topic.label) for topic in tags.topics)
    return f"{role_name(tags.role)} {tags.role_score:.2f}{' ' + topics if topics else ''}"


def print_search(result: SearchResult) -> None:
    """Print the answer to a search."""
    typer.echo(f"\n“{result.query}”  {len(result.hits)} 条，{result.took_ms:.0f} 毫秒")
    for hit in result.hits:
        _print_hit(hit)
    if result.note:
        typer.echo(result.note)


def _print_hit(hit: Hit) -> None:
    passage = hit.found.passage
    typer.echo(f"{hit.rank:>3}. [{_tag_text(hit.found.tags)}] {_marked(passage.text, hit.highlights)}")
    typer.echo(f"     {_origin(hit.found.report.identity, passage.page)}  编号 {passage.id}  得分 {hit.score:.2f}")


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
    from nlp.exports import NAMES
    from nlp.views import shown

    unit = "份报告" if table.unit == "report" else "条"
    typer.echo(
        f"按{'、'.join(NAMES[dimension] for dimension in table.by)}统计，共 {table.total} {unit}；占比后为 95% 区间，台账里一个部门一个年度算一份报告"
    )
    for row in table.rows:
        name = "  ".join(shown(d, v) for d, v in zip(table.by, row.values, strict=True))
        typer.echo(
            f"  {row.count:>5} 条  {row.reports:>4} 份报告  {row.share:>6.1%}（{row.low:.1%}～{row.high:.1%}）  {name}"
        )


def draw_chart(table: Frequency, path: Path) -> None:
    """Draw a frequency table; say what to install where the pictures' library is missing."""
    try:
        from nlp.charts import draw
    except ImportError as error:
        raise InvalidInputError("画图需要安装 charts 附加组件：pip install 'jixiao[charts]'") from error
    from nlp.exports import NAMES

    draw(table, path, f"问题频次：按{'、'.join(NAMES[dimension] for dimension in table.by)}")


def print_info(info: Info) -> None:
    """Print what a library holds."""
    typer.echo(f"报告库 {info.path}：{info.reports} 份报告，{info.passages} 个条目，编码器 {info.encoder}")
    for card in info.cards:
        i = card.identity
        typer.echo(
            f"  {card.id}  {i.year or '年度未知'}  {i.department or '部门未知'}  {i.kind or '类型未知'}  {i.title}"
        )


def print_draft(problem: str, found: Iterable[Suggestion]) -> None:
    """Print reference wording with its sources."""
    typer.echo(f"\n问题：{problem}")
    suggestions = list(found)
    if not suggestions:
        typer.echo("库里没有找到可参考的表述；请换个说法，或放宽筛选条件")
    for number, item in enumerate(suggestions, 1):
        passage = item.found.passage
        typer.echo(f"{number:>3}. {passage.text}")
        section = " / ".join(passage.section)
        typer.echo(
            f"     出处：{_origin(item.found.report.identity, passage.page)}《{item.found.report.identity.title}》{section}"
        )
        if item.answers:
            typer.echo(f"     所答的问题：{item.answers.passage.text}")
