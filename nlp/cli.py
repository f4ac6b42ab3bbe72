"""The command ``jixiao``: each verb parses its options, calls one method, and prints.

Modules that bring heavy libraries are imported inside the verbs, so that ``jixiao --help`` answers at once.
"""
# ruff: noqa: PLC0415 - for the reason just given

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from nlp.console import (
    bar,
    draw_chart,
    heading,
    print_corpus,
    print_discrepancies,
    print_draft,
    print_frequency,
    print_info,
    print_ingest,
    print_inspection,
    print_json,
    print_recurrences,
    print_search,
    print_taxonomy,
    print_training,
    print_verdict,
    whisper,
)
from nlp.errors import InvalidInputError, NlpError, NotFoundError

if TYPE_CHECKING:
    from nlp.identity import Overrides
    from nlp.library import Library
    from nlp.records import Among, Filters, SearchResult
    from nlp.tagger import Sample

_HELP_WORDS = (
    ("Usage: ", "用法："),
    ("Options:", "选项："),
    ("Arguments:", "参数："),
    ("Commands:", "命令："),
    ("[OPTIONS]", "[选项]"),
    ("COMMAND [ARGS]...", "命令 [参数]..."),
    ("Show this message and exit.", "显示本说明"),
    ("[default: ", "[默认："),
    ("; default:", "；默认："),
    ("[env var: ", "[环境变量："),
    ("[required]", "[必填]"),
    ("<str>", "<文字>"),
    ("<path>", "<路径>"),
    ("<int range>", "<整数>"),
)


def _in_chinese(text: str) -> str:
    for english, chinese in _HELP_WORDS:
        text = text.replace(english, chinese)
    return text


class _Verb(TyperCommand):
    """A verb whose help is Chinese throughout."""

    def get_help(self, ctx: Any) -> str:
        """Return the help text."""
        return _in_chinese(super().get_help(ctx))


class _Verbs(TyperGroup):
    """A group of verbs whose help is Chinese throughout."""

    def get_help(self, ctx: Any) -> str:
        """Return the help text."""
        return _in_chinese(super().get_help(ctx))


app = typer.Typer(
    cls=_Verbs,
    help="绩效自评报告工具箱：入库、识别问题、检索、统计、起草参考。",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(
    cls=_Verbs, help="编码器（把文字变成向量的模型）：查看、下载、校验。", no_args_is_help=True, rich_markup_mode=None
)
library_app = typer.Typer(
    cls=_Verbs, help="报告库：查看、校验、重建、删除。", no_args_is_help=True, rich_markup_mode=None
)
review_app = typer.Typer(
    cls=_Verbs, help="人工复核：导出拿不准的条目，导入人工的判断。", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(review_app, name="review")
app.add_typer(models_app, name="models")
app.add_typer(library_app, name="library")

LibraryOption = Annotated[
    Path, typer.Option("--library", envvar="JIXIAO_LIBRARY", help="报告库所在的文件夹", show_default="./library")
]
JsonOption = Annotated[bool, typer.Option("--json", help="标准输出只给 JSON，供程序读取")]
DepartmentOption = Annotated[str | None, typer.Option("--department", help="部门名称中含有的文字")]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="省、市或县名中含有的文字，如 青禾县，或连写的 云川省望川市青禾县")
]
LevelOption = Annotated[str | None, typer.Option("--level", help="层级：省、市、县、乡")]
YearOption = Annotated[str | None, typer.Option("--year", help="年度，如 2024 或 2022..2024")]
KindOption = Annotated[
    str | None, typer.Option("--kind", help="类型：部门整体支出、项目支出、绩效评价、审计整改、部门决算")
]
RoleOption = Annotated[str | None, typer.Option("--role", help="角色：问题、原因、措施、成效、目标、背景（或其代码）")]
TopicOption = Annotated[
    str | None, typer.Option("--topic", help="主题：预算编制、预算执行、绩效指标、内部控制、结果应用、其他（或其代码）")
]
TopOption = Annotated[int, typer.Option("--top", min=1, max=1000, help="每页几条")]
PageOption = Annotated[int, typer.Option("--page", min=1, max=1000, help="第几页")]
DEFAULT_LIBRARY = Path("library")


def main() -> None:
    """Run the command; an error becomes one Chinese line on stderr and an exit code."""
    gc.set_threshold(100_000)  # dictionaries of half a million words come up at the start: looked through less often
    try:
        code = app(standalone_mode=False)
    except NlpError as error:
        fail(str(error))
    except typer.TyperException as error:
        _fail_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        fail("已中断。已经入库的报告都在，再次运行同一命令会接着做。", code=130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except OSError as error:
        fail(f"读写文件时出错（{error.strerror or error}）：{error.filename or ''}；请检查路径、权限和磁盘空间")
    raise SystemExit(code or 0)


def _fail_usage(error: typer.TyperException) -> NoReturn:
    """Say in Chinese what is wrong with the words of a call, and leave with exit code 2."""
    kind = type(error).__name__
    parameter = getattr(error, "param", None)
    name = "/".join(getattr(parameter, "opts", [])) if parameter else ""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "jixiao"
    if kind == "NoArgsIsHelpError":
        typer.echo(error.format_message())
        raise SystemExit(error.exit_code)
    if kind == "NoSuchOption":
        near = "、".join(getattr(error, "possibilities", None) or [])
        message = f"没有 {getattr(error, 'option_name', '')} 这个选项{f'；相近的有 {near}' if near else ''}"
    elif kind == "MissingParameter":
        message = f"缺少 {getattr(parameter, 'metavar', None) or name}"
    elif parameter is not None:
        message = f"{name} 的值不对（{error.message}）"
    else:
        message = f"用法不对（{error.message}）"
    fail(f"{message}。请看 {command} --help", code=error.exit_code)


def fail(message: str, code: int = 1) -> NoReturn:
    """Print a message on stderr and leave."""
    typer.echo(f"错误：{message}", err=True)
    raise SystemExit(code)


# ---------------------------------------------------------------------------------------------------------------------- verbs


@app.command(cls=_Verb)
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="文件、文件夹或 .zip 压缩包", metavar="PATH…")],
    library: LibraryOption = DEFAULT_LIBRARY,
    department: Annotated[str | None, typer.Option("--department", help="指明部门（对本次所有文件）")] = None,
    year: Annotated[str | None, typer.Option("--year", help="指明年度")] = None,
    region: Annotated[str | None, typer.Option("--region", help="指明地区，如 云川省望川市青禾县")] = None,
    level: Annotated[str | None, typer.Option("--level", help="指明层级：省、市、县、乡")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="指明类型")] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="新库所用的编码器（见 jixiao models list）")] = None,
    as_json: JsonOption = False,
) -> None:
    """读入报告：未变的跳过，改过的替换；中断后再次运行会接着做。文件旁的 meta.csv 可指明每个文件的部门、年度等。"""
    from nlp.library import Library
    from nlp.views import ingest_view

    for path in paths:
        if not path.exists():  # before a library is made for nothing
            raise InvalidInputError(f"没有这个文件或文件夹：{path}；请检查路径")
    said = _overrides(department=department, year=year, region=region, level=level, kind=kind)
    with Library.open(library, encoder=encoder) as opened, bar("入库") as show:
        result = opened.ingest(*paths, overrides=said, progress=show, say=whisper)
    print_json(ingest_view(result)) if as_json else print_ingest(result, library)
    if result.failed:
        raise typer.Exit(3 if result.added + result.updated + result.unchanged else 1)


@app.command(cls=_Verb)
def inspect(
    file: Annotated[Path, typer.Argument(help="一个文件", metavar="FILE")],
    encoder: Annotated[str | None, typer.Option("--encoder", help="编码器")] = None,
    as_json: JsonOption = False,
) -> None:
    """查看程序从一个文件里读出了什么：身份、提纲、条目及其角色和主题；不入库。"""
    from nlp.analyst import Analyst
    from nlp.identity import read_meta
    from nlp.views import inspection_view

    if not file.is_file():
        raise InvalidInputError(f"没有这个文件：{file}；请检查路径（文件夹请用 jixiao ingest）")
    meta = file.parent / "meta.csv"
    said = read_meta(meta.read_bytes()).get(file.name) if meta.is_file() else None
    seen = list(Analyst(encoder).inspect(file, said))
    tagged = [item for item in seen if not isinstance(item, NlpError)]
    if as_json and tagged:
        views = [inspection_view(item) for item in tagged]
        print_json(views[0] if len(seen) == 1 else {"files": views})
    for item in () if as_json else tagged:
        print_inspection(item)
    failed = [item for item in seen if isinstance(item, NlpError)]
    for error in failed:
        whisper(f"错误：{error}")
    if failed:
        raise typer.Exit(3 if tagged else 1)


@app.command(cls=_Verb)
def check(
    files: Annotated[list[Path], typer.Argument(help="文件、文件夹或 .zip 压缩包", metavar="FILE…")],
    as_json: JsonOption = False,
) -> None:
    """核对报告里互相矛盾的数字：合计、比率、前后不一、等级与得分、日期；不入库。"""
    from nlp.checks import check_report
    from nlp.pipeline import FileTask, files_at, read_files, without_name
    from nlp.records import Report
    from nlp.views import discrepancy_view

    tasks = [FileTask(file) for path in files for file in files_at(path)]
    checked, failed = [], []
    with closing(read_files(tasks, lambda _: {})) as read:
        for found in (found for _, every in read for found in every):
            if isinstance(found.outcome, NlpError):
                failed.append({"path": found.name, "error": without_name(found.outcome, found.name)})
                whisper(f"未能读入 {found.name}：{failed[-1]['error']}")
            if not isinstance(found.outcome, Report):
                continue
            contradictions = check_report(found.outcome)
            checked.append({"path": found.name, "discrepancies": [discrepancy_view(d) for d in contradictions]})
            if not as_json:
                print_discrepancies(found.name, contradictions)
    if as_json:
        print_json({"files": checked, "failed": failed})
    if failed:
        raise typer.Exit(3 if checked else 1)


@app.command(cls=_Verb)
def tag(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="要标注的文字；不给则从标准输入读（每行一条，或 JSON Lines）", metavar="TEXT…"),
    ] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="编码器")] = None,
    as_json: JsonOption = False,
) -> None:
    """给文字标注角色和主题；输出为 JSON Lines。"""
    from nlp.analyst import Analyst
    from nlp.views import tag_view

    del as_json  # this verb speaks JSON Lines in any case
    analyst = Analyst(encoder)
    items = [(str(i), text) for i, text in enumerate(texts, 1)] if texts else list(_stdin_items(_stdin_lines()))
    for begin in range(0, len(items), 256):
        batch = items[begin : begin + 256]
        for (key, text), (tags, evidence) in zip(batch, analyst.tag_texts([text for _, text in batch]), strict=True):
            typer.echo(json.dumps(tag_view(key, text, tags, evidence), ensure_ascii=False))


@app.command(cls=_Verb)
def search(
    query: Annotated[str, typer.Argument(help="词语、短语或一句话", metavar="QUERY")],
    library: LibraryOption = DEFAULT_LIBRARY,
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    role: RoleOption = None,
    topic: TopicOption = None,
    top: TopOption = 10,
    page: PageOption = 1,
    as_json: JsonOption = False,
) -> None:
    """按词语和意思一起检索；筛选条件先于排序，几乎相同的条目折叠成一条。"""
    filters = _filters(department=department, region=region, level=level, year=year, kind=kind, role=role, topic=topic)
    with _opened(library) as opened:
        _answer(opened.pinpoint(opened.search(query, filters=filters, top=top, page=page)), as_json=as_json)


@app.command(cls=_Verb)
def similar(
    target: Annotated[str, typer.Argument(help="条目编号，或一段文字", metavar="ID-or-TEXT")],
    library: LibraryOption = DEFAULT_LIBRARY,
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    role: RoleOption = None,
    topic: TopicOption = None,
    among: Annotated[str, typer.Option("--among", help="在哪里找：全部、别的部门、本部门别的年度")] = "全部",
    top: TopOption = 10,
    page: PageOption = 1,
    as_json: JsonOption = False,
) -> None:
    """找相同的问题：别的部门、别的年度怎么说，有什么不同。"""
    filters = _filters(department=department, region=region, level=level, year=year, kind=kind, role=role, topic=topic)
    with _opened(library) as opened:
        found = opened.similar(target, filters=filters, among=_among(among), top=top, page=page)
        _answer(found, as_json=as_json)


@app.command(cls=_Verb)
def stats(
    library: LibraryOption = DEFAULT_LIBRARY,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="按什么统计：topic、subtopic、department、region、level、year、kind，至多两个，逗号分开"
        ),
    ] = "topic",
    unit: Annotated[
        str,
        typer.Option(
            "--unit", help="passage（按条数）、finding（同一报告里重复说的只计一项）或 report（每份报告只计一次）"
        ),
    ] = "passage",
    role: Annotated[str, typer.Option("--role", help="统计哪种角色")] = "problem",
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    topic: TopicOption = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="另存为 Excel 工作簿")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="另存为 CSV")] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help="画成图（.png 或 .svg）")] = None,
    as_json: JsonOption = False,
) -> None:
    """统计问题出现的频次：条数、占比和区间，以及扣除标注误差后的修正值。"""
    from nlp.exports import write_csv, write_xlsx
    from nlp.taxonomy import parse_role
    from nlp.views import frequency_view

    filters = _filters(department=department, region=region, level=level, year=year, kind=kind, topic=topic)
    with _opened(library) as opened:
        table = opened.frequency(_split(by), unit=unit, role=parse_role(role), filters=filters)
        if xlsx:
            write_xlsx(table, opened.counted(role=parse_role(role), filters=filters), xlsx)
    if csv:
        write_csv(table, csv)
    if chart:
        draw_chart(table, chart)
    print_json(frequency_view(table)) if as_json else print_frequency(table)
    for path in (xlsx, csv, chart):
        if path:
            whisper(f"已写入 {path}")


@app.command(cls=_Verb)
def recur(
    library: LibraryOption = DEFAULT_LIBRARY,
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    topic: TopicOption = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="另存为 Excel 工作簿")] = None,
    top: TopOption = 10,
    as_json: JsonOption = False,
) -> None:
    """同一部门以后年度又出现的问题（屡查屡犯）、不再出现的问题，以及照抄以前或别处报告的段落。"""
    from nlp.exports import write_recurrences
    from nlp.views import copies_view, recurrences_view

    filters = _filters(department=department, region=region, level=level, year=year, kind=kind, topic=topic)
    with _opened(library) as opened, bar("比对各年度") as show:
        found = opened.recur(filters=filters, progress=show)
        copies = opened.copies(filters=replace(filters, topic=None))
    if xlsx:
        write_recurrences(found, copies, xlsx)
        whisper(f"已写入 {xlsx}")
    if as_json:
        print_json({**recurrences_view(found), **copies_view(copies)})
    else:
        print_recurrences(found, copies, top)


@app.command(cls=_Verb)
def report(
    docx: Annotated[Path, typer.Argument(help="写到哪个 Word 文件（.docx）", metavar="FILE.docx")],
    library: LibraryOption = DEFAULT_LIBRARY,
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    as_json: JsonOption = False,
) -> None:
    """写一份汇总报告：各类问题的频次和图、典型表述、屡次出现的问题、照抄情况和方法说明。"""
    from nlp.briefing import write_briefing

    if docx.suffix.lower() != ".docx":
        raise InvalidInputError(f"汇总报告只能写为 .docx，得到的是“{docx.name}”")
    filters = _filters(department=department, region=region, level=level, year=year, kind=kind)
    with _opened(library) as opened:
        found = opened.brief(filters=filters)
    write_briefing(found, docx)
    _written({"path": str(docx), "reports": found.reports, "problems": found.problems}, docx, as_json=as_json)


@app.command(cls=_Verb)
def draft(
    problem: Annotated[str, typer.Argument(help="要解决的问题，用一句话说", metavar="TEXT")],
    library: LibraryOption = DEFAULT_LIBRARY,
    role: Annotated[str, typer.Option("--role", help="要哪种表述：措施，或问题")] = "measure",
    department: DepartmentOption = None,
    region: RegionOption = None,
    level: LevelOption = None,
    year: YearOption = None,
    kind: KindOption = None,
    top: Annotated[int, typer.Option("--top", min=1, max=50, help="给出几条")] = 5,
    original: Annotated[
        bool, typer.Option("--original", help="照录原文，不把数字、地名、单位换成〔金额〕〔单位〕等空位")
    ] = False,
    docx: Annotated[Path | None, typer.Option("--docx", help="另存为 Word 表格：问题、参考表述、出处")] = None,
    as_json: JsonOption = False,
) -> None:
    """起草参考：别人对同类问题是怎么写措施的；句句有出处，不编造。"""
    from nlp.exports import write_draft
    from nlp.taxonomy import parse_role
    from nlp.views import suggestion_view

    filters = _filters(department=department, region=region, level=level, year=year, kind=kind)
    with _opened(library) as opened:
        found = opened.draft(problem, role=parse_role(role), filters=filters, top=top)
    if as_json:
        print_json({"problem": problem, "suggestions": [suggestion_view(item) for item in found]})
    else:
        print_draft(problem, found, original=original)
    if docx:
        write_draft(problem, found, docx, original=original)
        whisper(f"已写入 {docx}")


@app.command(cls=_Verb)
def train(
    corpus: Annotated[Path | None, typer.Option("--corpus", help="标注语料（.jsonl）所在的文件夹")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="写到哪个文件夹")] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="编码器")] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="先训练默认编码器的适配器（双核约四十分钟），再训练标注模型")
    ] = False,
    with_corrections: Annotated[
        bool, typer.Option("--with-corrections", help="同时学习报告库（--library）中人工改正过的条目")
    ] = False,
    library: LibraryOption = DEFAULT_LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """用标注语料训练标注模型，并给出按来源组交叉验证的成绩。"""
    from dataclasses import asdict

    from nlp.training import default_corpus, train_project_adapter
    from nlp.training import train as run

    if adapter and corpus is not None:
        raise InvalidInputError("--adapter 训练的是项目自带的适配器，只用项目语料，不能与 --corpus 同用")
    corpus = corpus or default_corpus()
    if adapter:
        with bar("训练适配器") as show:
            whisper(f"适配器已写入 {train_project_adapter(corpus, progress=show)}")
    more: list[Sample] = []
    if with_corrections:
        with _opened(library) as opened:
            more = opened.corrected_samples()
    folder, scores = run(corpus, output, encoder, more, whisper)
    if as_json:
        print_json({"folder": str(folder), "corrections": len(more), "cross_validation": asdict(scores)})
    else:
        print_training(folder, scores, len(more))


@app.command(cls=_Verb)
def evaluate(
    sets: Annotated[
        list[Path] | None,
        typer.Option("--set", help="自备的标准答案（.jsonl、.xlsx 或 .csv），可重复；不给则用项目语料"),
    ] = None,
    pin: Annotated[str | None, typer.Option("--pin", help="把成绩下限定在本次成绩之下，并记下这个原因")] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", help="把混淆矩阵和错得最离谱的条目画成图（.png、.svg），一份标准答案一张")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """用标准答案给标注模型打分，列出混淆矩阵和最严重的错误，并与成绩下限比较。"""
    from nlp.evaluation import evaluate_project, evaluate_sets
    from nlp.views import verdict_view

    if sets and pin is not None:
        raise InvalidInputError("--pin 只用于项目语料的成绩，不能与 --set 同用")
    verdict = evaluate_sets(sets) if sets else evaluate_project(pin, whisper)
    if chart is not None:
        from nlp.charts import draw_scores

        for number, scores in enumerate(verdict.sets, 1):
            path = chart if number == 1 else chart.with_stem(f"{chart.stem}-{number}")
            draw_scores(scores, path)
            whisper(f"{scores.name}的图已写入 {path}")
    if as_json:
        print_json(verdict_view(verdict))
    else:
        print_verdict(verdict)
    if verdict.below:
        fail("成绩低于下限：" + "；".join(verdict.below) + "。请查明原因；确需下调时用 --pin 写明原因")


@app.command(cls=_Verb)
def taxonomy(
    topic: Annotated[str | None, typer.Argument(help="只看一个主题（代码或中文名）")] = None,
    add: Annotated[Path | None, typer.Option("--add", help="加入自拟的子主题（.toml，写法见 docs/cli.md）")] = None,
    as_json: JsonOption = False,
) -> None:
    """查看角色、主题和子主题的名称、定义、例句和易混之处；加入自拟的子主题。"""
    from dataclasses import asdict

    from nlp import taxonomy as names

    if add is not None:
        whisper(f"自拟的子主题已记入 {names.add_subtopics(add)}；标好语料后运行 jixiao train 即可用上")
    chosen = names.parse_topic(topic) if topic else None
    topics = [entry for entry in names.topics() if chosen in {None, entry.code}]
    if as_json:
        print_json(
            {
                "roles": [asdict(entry) for entry in names.roles()],
                "topics": [asdict(entry) for entry in topics],
                "subtopics": [asdict(entry) for entry in names.subtopics(chosen)],
            }
        )
    else:
        print_taxonomy(names.roles() if chosen is None else (), topics, names.subtopics(chosen))


@app.command(cls=_Verb)
def corpora(
    folder: Annotated[Path | None, typer.Argument(help="标注语料所在的文件夹；不给则为项目自带的")] = None,
    as_json: JsonOption = False,
) -> None:
    """清点标注语料：各类条数、边界规则两侧、近似重复、开头雷同和两次标注的一致程度。"""
    from dataclasses import asdict

    from nlp.corpus import statistics
    from nlp.training import default_corpus

    folder = folder or default_corpus()
    found = statistics(folder, folder.parent / "second")
    if as_json:
        print_json(asdict(found))
    else:
        print_corpus(found)


@review_app.command("export", cls=_Verb)
def review_export(
    path: Annotated[Path, typer.Argument(help="写到哪个 .xlsx 文件")],
    library: LibraryOption = DEFAULT_LIBRARY,
    count: Annotated[int, typer.Option("--count", min=1, max=5000, help="最多多少条")] = 100,
    department: DepartmentOption = None,
    year: YearOption = None,
    as_json: JsonOption = False,
) -> None:
    """导出最拿不准、最值得人工判断的条目，角色和主题用下拉列表填写。"""
    from nlp.exports import write_review

    if path.suffix.lower() != ".xlsx":
        raise InvalidInputError(f"复核表只能写为 .xlsx，得到的是“{path.name}”")
    with _opened(library) as opened:
        found = opened.review(filters=_filters(department=department, year=year), count=count)
    write_review(found, path)
    if as_json:
        print_json({"path": str(path), "passages": len(found)})
    else:
        typer.echo(f"已写出 {len(found)} 条到 {path}。填好“角色”“主题”等列后运行 jixiao review import {path}")


@review_app.command("import", cls=_Verb)
def review_import(
    path: Annotated[Path, typer.Argument(help="填好的复核表（.xlsx 或 .csv）")],
    library: LibraryOption = DEFAULT_LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """记入人工判断：立即生效，优先于模型；jixiao train --with-corrections 会学习它们。"""
    from nlp.review import read_decisions

    decisions = read_decisions(path)
    with _opened(library) as opened:
        changed = opened.correct(decisions, whisper)
    if as_json:
        print_json({"decisions": len(decisions), "passages": changed})
    else:
        typer.echo(f"记入 {len(decisions)} 条判断，库中 {changed} 个条目据此改正")


@app.command(cls=_Verb)
def demo(
    folder: Annotated[Path, typer.Option("--output", help="演示结果放在哪里")] = Path("demo-output"),
    as_json: JsonOption = False,
) -> None:
    """演示：用项目自带的虚构报告走一遍——入库、统计、画图、三次检索、一次起草。"""
    from nlp.library import Library
    from nlp.records import Filters, Role
    from nlp.views import frequency_view, ingest_view

    reports = _demo_reports()
    home = folder / "demo-library"  # no name that a library of somebody's own has: it is made anew each time
    if home.exists():
        shutil.rmtree(home)
    folder.mkdir(parents=True, exist_ok=True)
    chart = folder / "problems.png"
    with Library.open(home) as library, bar("入库") as show:
        taken = library.ingest(reports, progress=show, say=whisper)
        table = library.frequency(("topic",))
        draw_chart(table, chart)
        if as_json:
            places = {"library": str(home), "chart": str(chart)}
            print_json({**places, "ingest": ingest_view(taken), "stats": frequency_view(table)})
            return
        heading(f"一、入库：{reports}")
        print_ingest(taken, home)
        heading("二、哪类问题最多")
        print_frequency(table)
        heading("三、检索")
        for query, filters in (
            ("钱年底才花出去", Filters(role=Role.PROBLEM)),
            ("指标都是空话", Filters(role=Role.PROBLEM, years=(2022, 2023))),
            ("固定资产账实不符", Filters(department="教育局")),
        ):
            print_search(library.search(query, filters=filters, top=3))
        heading("四、起草参考")
        problem = "绩效评价结果没有和预算安排挂钩"
        print_draft(problem, library.draft(problem, top=3), original=False)
    heading("结果放在")
    typer.echo(f"报告库  {home}\n图      {chart}")
    typer.echo(f"接着试  jixiao search 资金闲置 --library {home}")


# ----------------------------------------------------------------------------------------------------------- models and library


@models_app.command("list", cls=_Verb)
def models_list(as_json: JsonOption = False) -> None:
    """列出已知的编码器、许可和是否已在本机。"""
    from dataclasses import asdict

    from nlp.encoder import catalogue

    cards = catalogue()
    if as_json:
        print_json({"encoders": [{**asdict(card), "path": str(card.path)} for card in cards]})
        return
    for card in cards:
        state = "已就绪" if card.ready else "未下载"
        typer.echo(f"{card.name}  {card.dims} 维  {card.licence}  {state}\n    来源 {card.origin}  {card.note}")


@models_app.command("pull", cls=_Verb)
def models_pull(
    name: Annotated[str | None, typer.Argument(help="编码器名称；不给则为默认编码器")] = None,
    as_json: JsonOption = False,
) -> None:
    """下载编码器并校验；已在本机且完好则什么也不做。"""
    from nlp.encoder import catalogue, open_encoder, pull

    wanted = name or catalogue()[0].name
    folder = pull(wanted, whisper)
    open_encoder(wanted).load()
    print_json({"encoder": wanted, "path": str(folder)}) if as_json else typer.echo(str(folder))


@models_app.command("verify", cls=_Verb)
def models_verify(
    name: Annotated[str | None, typer.Argument(help="编码器名称；不给则为默认编码器")] = None,
    as_json: JsonOption = False,
) -> None:
    """校验本机的编码器文件。"""
    from nlp.encoder import catalogue, verify

    wanted = name or catalogue()[0].name
    problems = verify(wanted)
    if as_json:
        print_json({"encoder": wanted, "problems": list(problems)})
    elif not problems:
        typer.echo(f"{wanted} 完好")
    if problems:
        fail(f"{wanted}：{'；'.join(problems)}。请运行 jixiao models pull {wanted}")


@library_app.command("info", cls=_Verb)
def library_info(library: LibraryOption = DEFAULT_LIBRARY, as_json: JsonOption = False) -> None:
    """库里有什么：份数、条数、编码器和每份报告。"""
    from nlp.views import info_view

    with _opened(library) as opened:
        info = opened.info()
    if as_json:
        print_json(info_view(info))
        return
    print_info(info)


@library_app.command("verify", cls=_Verb)
def library_verify(library: LibraryOption = DEFAULT_LIBRARY, as_json: JsonOption = False) -> None:
    """校验整个库：数据库、原文位置、全文索引、向量索引。"""
    with _opened(library) as opened:
        problems = opened.verify()
    if as_json:
        print_json({"problems": list(problems)})
    else:
        typer.echo("\n".join(problems) or "库完好")
    if problems:
        raise typer.Exit(1)


@library_app.command("rebuild", cls=_Verb)
def library_rebuild(library: LibraryOption = DEFAULT_LIBRARY, as_json: JsonOption = False) -> None:
    """用现在的标注模型重新标注全部条目，并重建向量索引。"""
    with _opened(library) as opened, bar("重建") as show:
        opened.rebuild(show, whisper)
        info = opened.info()
    print_json({"reports": info.reports, "passages": info.passages}) if as_json else typer.echo("已重建")


@library_app.command("export", cls=_Verb)
def library_export(
    file: Annotated[Path, typer.Argument(help="写到哪个文件（.jsonl）", metavar="FILE")],
    library: LibraryOption = DEFAULT_LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """导出全部条目及其报告、角色、主题，每行一个 JSON。"""
    from nlp.exports import writable
    from nlp.views import stored_view

    count = 0
    beside = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with _opened(library) as opened, writable(file):
        with beside.open("w", encoding="utf-8") as lines:
            for card in opened.info().cards:
                for found in opened.passages_of(card.id):
                    lines.write(json.dumps(stored_view(found), ensure_ascii=False) + "\n")
                    count += 1
        beside.replace(file)
    _written({"path": str(file), "passages": count}, file, as_json=as_json)


@library_app.command("remove", cls=_Verb)
def library_remove(
    report: Annotated[str, typer.Argument(help="报告编号（见 jixiao library info）", metavar="REPORT")],
    library: LibraryOption = DEFAULT_LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """从库里删除一份报告（不动原文件）。"""
    with _opened(library) as opened:
        opened.remove(report, whisper)
    print_json({"removed": report}) if as_json else typer.echo(f"已删除 {report}")


# ---------------------------------------------------------------------------------------------------------- options, in and out


@contextmanager
def _opened(path: Path) -> Iterator[Library]:
    from nlp.library import Library

    with Library.open(path, create=False) as library:
        yield library


def _overrides(**values: str | None) -> Overrides | None:
    from nlp.identity import make_overrides
    from nlp.regions import parse_region

    given = {field: value for field, value in values.items() if value}
    if not given:
        return None
    region = parse_region(given.pop("region", ""))
    parts = {"province": region.province, "city": region.city, "county": region.county}
    return make_overrides({**given, **{field: value for field, value in parts.items() if value}})


def _filters(
    *,
    department: str | None = None,
    region: str | None = None,
    level: str | None = None,
    year: str | None = None,
    kind: str | None = None,
    role: str | None = None,
    topic: str | None = None,
) -> Filters:
    from nlp.identity import make_overrides
    from nlp.records import Filters
    from nlp.taxonomy import parse_role, parse_topic

    closed = make_overrides({"level": level or "", "kind": kind or ""})
    return Filters(
        department=department,
        region=region,
        level=closed.level,
        years=_years(year) if year else None,
        kind=closed.kind,
        role=parse_role(role) if role else None,
        topic=parse_topic(topic) if topic else None,
    )


def _among(text: str) -> Among:
    from nlp.records import Among

    try:
        return Among(text)
    except ValueError:
        raise InvalidInputError(f"--among 应是 {'、'.join(Among)} 之一，得到的是“{text}”") from None


def _years(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4})(?:(?:\.\.|-|至)(\d{4}))?", text.strip())
    if match is None:
        raise InvalidInputError(f"--year 应是 2024 或 2022..2024 这样的年度，得到的是“{text}”")
    first = int(match.group(1))
    last = int(match.group(2) or first)
    return min(first, last), max(first, last)


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,，]", text) if part.strip()]


def _stdin_lines() -> list[str]:
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:  # a file from an older Windows
        return data.decode("gb18030", errors="replace").splitlines()


def _stdin_items(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped:
            continue
        if not stripped.startswith("{"):
            yield str(number), stripped
            continue
        try:
            item = json.loads(stripped)
        except ValueError as error:
            raise InvalidInputError(f"标准输入第 {number} 行以 {{ 开头，却不是 JSON：{error}") from error
        if not isinstance(item.get("text"), str):
            raise InvalidInputError(f'标准输入第 {number} 行的 JSON 应有文字 "text"，得到的是 {stripped[:80]}')
        yield str(item.get("id", number)), item["text"]


def _written(view: dict[str, Any], file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        whisper(f"已写入 {file}")


def _answer(result: SearchResult, *, as_json: bool) -> None:
    from nlp.views import search_view

    if as_json:
        print_json(search_view(result))
    else:
        print_search(result)


def _demo_reports() -> Path:
    from importlib.resources import files

    packed = Path(str(files("nlp.data"))) / "demo"
    checkout = Path(__file__).resolve().parents[1] / "corpora" / "reports"
    for folder in (packed, checkout):
        if folder.is_dir():
            return folder
    raise NotFoundError(f"没有找到演示用的报告（{checkout}）；请在项目的文件夹里运行")
