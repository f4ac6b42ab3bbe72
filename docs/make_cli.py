"""Writes ``docs/cli.md``, the reference of every verb, from the help that the program itself carries.

``python docs/make_cli.py`` writes the file; with ``--check`` it only says whether the file is up to date.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from nlp.cli import app

if TYPE_CHECKING:
    import typer
    from typer.models import CommandInfo

PAGE = Path(__file__).with_name("cli.md")
_HEAD = """# 命令参考

本页由 `docs/make_cli.py` 从程序自带的帮助生成，请勿手改。用法举例见 [中文说明](../README.zh-CN.md)。

自备文件的写法：[自拟的子主题（.toml）](../README.zh-CN.md#taxonomy分类)、[复核表](../README.zh-CN.md#review人工复核)、
[标准答案，以及成绩下限是什么](../README.zh-CN.md#evaluate打分)。

各命令的退出码：0 完成；1 出错（说明应是什么、得到什么、怎么办）；2 用法不对；3 部分完成（逐个列出失败的文件）。
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or option of a verb.

    Attributes:
        name: ``--year`` for an option, ``QUERY`` for an argument.
        help: What the help says of it.
        default: Its default as a person reads it; empty where it has none.
        required: Whether the verb cannot do without it.
    """

    name: str
    help: str
    default: str
    required: bool

    @property
    def is_option(self) -> bool:
        """Whether it is an option."""
        return self.name.startswith("-")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb as it is typed (``library info``), what its help says, and its parameters."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]


def verbs(group: typer.Typer = app, above: str = "") -> Iterator[Verb]:
    """Yield the verbs of the program in the order of its help, those of a group after the others."""
    for command in group.registered_commands:
        yield _verb(command, above)
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        yield from verbs(sub.typer_instance, f"{above}{sub.name} ")


def _verb(command: CommandInfo, above: str) -> Verb:
    assert command.callback is not None
    hints = get_type_hints(command.callback, include_extras=True)
    parameters = inspect.signature(command.callback).parameters.values()
    return Verb(
        name=above + (command.name or command.callback.__name__),
        help=command.help or inspect.getdoc(command.callback) or "",
        parameters=tuple(_parameter(item, get_args(hints[item.name])[1]) for item in parameters),
    )


def _parameter(item: inspect.Parameter, info: Any) -> Parameter:
    # typer takes the first name for a default until it builds the command.
    names = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    option = next((name for name in names if name.startswith("--")), None)
    required = item.default is inspect.Parameter.empty
    shown = info.show_default if isinstance(info.show_default, str) else ""
    if not shown and not required and item.default is not None and not isinstance(item.default, bool):
        shown = str(item.default)
    name = option or info.metavar or item.name.upper()
    help_text = f"{info.help or ''}{f'（或环境变量 {info.envvar}）' if info.envvar else ''}"
    return Parameter(name, help_text, shown, required)


def page() -> str:
    """Return the text of ``docs/cli.md``."""
    return "\n".join([_HEAD, *(line for verb in verbs() for line in _lines(verb))])


def _lines(verb: Verb) -> Iterator[str]:
    arguments = [item for item in verb.parameters if not item.is_option]
    yield " ".join([f"## jixiao {verb.name}", *(item.name for item in arguments)])
    yield f"\n{verb.help}\n"
    if verb.parameters:
        yield "| 参数 | 说明 | 默认 |\n|---|---|---|"
    for item in (*arguments, *(item for item in verb.parameters if item.is_option)):
        default = "必填" if item.required else item.default and f"`{item.default}`"
        yield f"| `{item.name}` | {item.help} | {default} |"
    if verb.parameters:
        yield ""


def main(arguments: list[str]) -> str | None:
    """Write the page, or with ``--check`` return a message if it is not up to date."""
    wanted = page()
    if arguments == ["--check"]:
        same = PAGE.is_file() and PAGE.read_text("utf-8") == wanted
        return None if same else "docs/cli.md 不是最新的；请运行 python docs/make_cli.py"
    PAGE.write_text(wanted, "utf-8", newline="\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
