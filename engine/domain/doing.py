"""What an agent does in a step: each tool once, with what it was used on. Pure.

It is data for people who look at the task: the words for it are the bot's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.domain.checks import shown
from engine.domain.clean import clean_line
from engine.ports import ToolCall

MOST_TOOLS, MOST_SUBJECTS, LONGEST = 6, 4, 80

_SUBJECT = {
    "assign": "title",
    "install_packages": "packages",
    "recruit": "members",
    "wait_for": "what",
}
"""The argument that says best what a tool is used on, where it is not the first of `_USUAL`."""

_NONE = frozenset({"finish", "propose_plan", "update_todo"})
"""Tools that are used on nothing: their title is the task's."""

_USUAL = ("path", "to", "title", "command", "pattern", "name")


@dataclass(frozen=True, slots=True)
class Doing:
    """A tool that a step uses, and on what: paths, names, titles, or the words of one command."""

    tool: str
    subjects: tuple[str, ...] = ()


def doing_of(calls: Sequence[ToolCall]) -> tuple[Doing, ...]:
    """Return what the calls of a step do, in order; arguments that cannot be read give no subjects."""
    found: dict[str, list[str]] = {}
    for call in calls:
        subjects = found.setdefault(call.name[:LONGEST], [])
        subjects += [each for each in _subjects(call) if each not in subjects]
    listed = list(found.items())[:MOST_TOOLS]
    return tuple(Doing(tool, tuple(subjects[:MOST_SUBJECTS])) for tool, subjects in listed)


def _subjects(call: ToolCall) -> list[str]:
    if call.name in _NONE:
        return []
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, TypeError, RecursionError):
        return []
    if not isinstance(arguments, Mapping):
        return []
    names = (_SUBJECT.get(call.name), *_USUAL)
    name = next((name for name in names if name and arguments.get(name)), "")
    value = arguments.get(name)
    values = value if isinstance(value, list) else [value]
    if name == "command":
        values = [shown([str(each) for each in values])]
    return [named for each in values if (named := _named(each))]


def _named(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("name")
    return clean_line(value)[:LONGEST] if isinstance(value, str) else ""


def dump_doing(doing: Sequence[Doing]) -> list[Any]:
    """Return the record as JSON-compatible data."""
    return [[each.tool, list(each.subjects)] for each in doing]


def load_doing(data: Sequence[Any]) -> tuple[Doing, ...]:
    """Return what `dump_doing` stored."""
    return tuple(Doing(tool, tuple(subjects)) for tool, subjects in data)
