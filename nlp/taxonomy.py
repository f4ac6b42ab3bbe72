"""Names and definitions of roles and topics, read from ``data/taxonomy.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nlp.errors import InvalidInputError
from nlp.records import Role, Topic


@dataclass(frozen=True, slots=True)
class Entry:
    """One role or topic: its code, Chinese name and definition."""

    code: str
    name: str
    definition: str


@cache
def _entries(group: str) -> dict[str, Entry]:
    data = tomllib.loads(files("nlp.data").joinpath("taxonomy.toml").read_text("utf-8"))
    return {item["code"]: Entry(**item) for item in data[group]}


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


def _code(group: str, what: str, text: str) -> str:
    entries = _entries(group)
    wanted = text.strip()
    for entry in entries.values():
        if wanted in {entry.code, entry.name}:
            return entry.code
    known = "、".join(f"{entry.code}（{entry.name}）" for entry in entries.values())
    raise InvalidInputError(f"没有名为“{text}”的{what}；可用的有：{known}")
