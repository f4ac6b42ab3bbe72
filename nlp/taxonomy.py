"""Names and definitions of roles, topics and subtopics: the project's, from ``data/taxonomy.toml``, and the user's own subtopics."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from nlp.errors import InvalidInputError
from nlp.records import Role, Topic


@dataclass(frozen=True, slots=True)
class Entry:
    """One role or topic: its code, Chinese name and definition."""

    code: str
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class Subtopic(Entry):
    """A kind of problem below a topic.

    Attributes:
        topic: The topic that it belongs to.
        examples: Sentences that have it.
        neighbours: What looks like it and belongs elsewhere, and where.
    """

    topic: Topic
    examples: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()


_E = TypeVar("_E", bound=Entry)


@cache
def _project() -> dict[str, Any]:
    return tomllib.loads(files("nlp.data").joinpath("taxonomy.toml").read_text("utf-8"))


@cache
def _entries(group: str) -> dict[str, Entry]:
    return {item["code"]: Entry(**item) for item in _project()[group]}


@cache
def _subtopics() -> dict[str, Subtopic]:
    entries = [_subtopic(item) for item in _project()["subtopic"]]
    if own_file().is_file():
        entries += read_subtopics(own_file())
    return {entry.code: entry for entry in entries}


def _subtopic(item: dict[str, Any]) -> Subtopic:
    examples, neighbours = tuple(item.get("examples", ())), tuple(item.get("neighbours", ()))
    return Subtopic(item["code"], item["name"], item["definition"], Topic(item["topic"]), examples, neighbours)


def roles() -> tuple[Entry, ...]:
    """Return the roles in the taxonomy's order.

    >>> [entry.name for entry in roles()][:3]
    ['问题', '原因', '措施']
    """
    return tuple(_entries("role").values())


def topics() -> tuple[Entry, ...]:
    """Return the topics in the taxonomy's order.

    >>> [entry.name for entry in topics()][:2]
    ['预算编制', '预算执行']
    """
    return tuple(_entries("topic").values())


def subtopics(topic: Topic | None = None) -> tuple[Subtopic, ...]:
    """Return the subtopics, of one topic or of all: the project's first, then the user's own.

    >>> [entry.name for entry in subtopics(Topic.RESULT_APPLICATION)][:2]
    ['评而不用', '反馈改进弱']
    """
    return tuple(entry for entry in _subtopics().values() if topic in {None, entry.topic})


def own_file() -> Path:
    """Return where the user's own subtopics are kept: ``$JIXIAO_TAXONOMY``, else a file in the user's data folder."""
    import platformdirs  # noqa: PLC0415 -- the command's help should wait for nothing

    chosen = os.environ.get("JIXIAO_TAXONOMY")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("jixiao")) / "taxonomy.toml"


def read_subtopics(path: Path) -> tuple[Subtopic, ...]:
    """Return the subtopics of a user's TOML file: tables ``[[subtopic]]`` as in the project's ``taxonomy.toml``.

    Raises:
        InvalidInputError: If the file cannot be read, lacks a key, names no topic of ours or repeats a code.
    """
    try:
        items = tomllib.loads(path.read_text("utf-8"))["subtopic"]
        entries = tuple(_subtopic(item) for item in items)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        topic_codes = "、".join(Topic)
        raise InvalidInputError(
            f"{path} 不是可用的分类文件（{error}）；应为 UTF-8 的 TOML，每个 [[subtopic]] 有 topic（{topic_codes} 之一）、"
            "code、name、definition，可加 examples、neighbours"
        ) from error
    codes = [entry.code for entry in entries]
    twice = {code for code in codes if codes.count(code) > 1} | {*codes} & {
        item["code"] for item in _project()["subtopic"]
    }
    if twice:
        raise InvalidInputError(f"{path} 的子主题代码重复：{'、'.join(sorted(twice))}；请另取代码，不要与已有的相同")
    return entries


def add_subtopics(path: Path) -> Path:
    """Keep a user's file as the own subtopics of every later run; return where it is kept.

    Raises:
        InvalidInputError: As :func:`read_subtopics`.
    """
    read_subtopics(path)
    own_file().parent.mkdir(parents=True, exist_ok=True)
    own_file().write_bytes(path.read_bytes())
    _subtopics.cache_clear()
    return own_file()


def role_name(role: Role) -> str:
    """Return the Chinese name of a role.

    >>> role_name(Role.MEASURE)
    '措施'
    """
    return _entries("role")[role].name


def topic_name(topic: Topic) -> str:
    """Return the Chinese name of a topic.

    >>> topic_name(Topic.INDICATORS)
    '绩效指标'
    """
    return _entries("topic")[topic].name


def label_name(question: str, label: str) -> str:
    """Return the Chinese name of a role or a topic."""
    return role_name(Role(label)) if question == "role" else topic_name(Topic(label))


def subtopic_name(code: str) -> str:
    """Return the Chinese name of a subtopic, or the code itself where it is not known here.

    >>> subtopic_name("idle_funds")
    '资金闲置结余未清'
    """
    entry = _subtopics().get(code)
    return entry.name if entry else code


def parse_role(text: str) -> Role:
    """Return the role for a code or a Chinese name.

    Raises:
        InvalidInputError: If it is neither.

    >>> parse_role("措施"), parse_role("cause")
    (<Role.MEASURE: 'measure'>, <Role.CAUSE: 'cause'>)
    """
    return Role(_code("role", "角色", text))


def parse_topic(text: str) -> Topic:
    """Return the topic for a code or a Chinese name.

    Raises:
        InvalidInputError: If it is neither.

    >>> parse_topic("预算执行")
    <Topic.BUDGET_EXECUTION: 'budget_execution'>
    """
    return Topic(_code("topic", "主题", text))


def parse_subtopic(text: str) -> Subtopic:
    """Return the subtopic for a code or a Chinese name.

    Raises:
        InvalidInputError: If it is neither.

    >>> parse_subtopic("年底突击")
    Traceback (most recent call last):
    nlp.errors.InvalidInputError: 没有名为“年底突击”的子主题；请用 jixiao taxonomy 查看
    >>> parse_subtopic("执行进度慢").topic
    <Topic.BUDGET_EXECUTION: 'budget_execution'>
    """
    found = _find(_subtopics().values(), text)
    if found is None:
        raise InvalidInputError(f"没有名为“{text}”的子主题；请用 jixiao taxonomy 查看")
    return found


def _find(entries: Iterable[_E], text: str) -> _E | None:
    return next((entry for entry in entries if text.strip() in {entry.code, entry.name}), None)


def _code(group: str, what: str, text: str) -> str:
    entries = _entries(group)
    found = _find(entries.values(), text)
    if found:
        return found.code
    known = "、".join(f"{entry.code}（{entry.name}）" for entry in entries.values())
    raise InvalidInputError(f"没有名为“{text}”的{what}；可用的有：{known}")
