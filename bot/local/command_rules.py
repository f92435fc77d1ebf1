"""Discord's documented limits on application commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.local.apierrors import at_most, form_error, required, too_long

Wire = Mapping[str, Any]

MAX_SLASH = 100
MAX_MENU = 5
MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_TEXT = 8000
_NAME = re.compile(r"[-_'\w]{1,32}")


def check_commands(commands: object) -> None:
    """Raise for everything that Discord refuses when commands are synced."""
    if not isinstance(commands, list):
        raise form_error("", "BASE_TYPE_INVALID", "Only lists are allowed.")
    kinds = [int(command.get("type") or 1) for command in commands]
    for kind, most in ((1, MAX_SLASH), (2, MAX_MENU), (3, MAX_MENU)):
        if kinds.count(kind) > most:
            raise at_most(30032, "application commands", most)
    names = [(kind, command.get("name")) for kind, command in zip(kinds, commands, strict=True)]
    for index, (kind, command) in enumerate(zip(kinds, commands, strict=True)):
        if names.count((kind, command.get("name"))) > 1:
            text = "Application command names must be unique"
            raise form_error(str(index), "APPLICATION_COMMANDS_DUPLICATE_NAME", text)
        _check_command(command, kind, str(index))


def _check_command(command: Wire, kind: int, path: str) -> None:
    if kind == 1:
        _check_names(command, path)
        _check_options(command.get("options") or [], path)
    elif not 1 <= len(str(command.get("name") or "")) <= 32:
        raise too_long(f"{path}.name", 32, 1)
    if _size(command) > MAX_TEXT:
        text = f"Command exceeds maximum size ({MAX_TEXT})"
        raise form_error(path, "APPLICATION_COMMAND_TOO_LARGE", text)


def _check_names(node: Wire, path: str) -> None:
    name = str(node.get("name") or "")
    if not _NAME.fullmatch(name) or name != name.lower():
        raise form_error(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(str(node.get("description") or "")) <= 100:
        raise too_long(f"{path}.description", 100, 1)


def _check_options(options: list[Wire], path: str) -> None:
    if len(options) > MAX_OPTIONS:
        raise too_long(f"{path}.options", MAX_OPTIONS)
    optional = False
    for index, option in enumerate(options):
        here = f"{path}.options.{index}"
        _check_names(option, here)
        if option.get("type") in (1, 2):
            _check_options(option.get("options") or [], here)
        elif option.get("required") and optional:
            text = "Required options must be placed before non-required options"
            raise form_error(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional = optional or not option.get("required", False)
        check_choices(option.get("choices") or [], f"{here}.choices")


def check_choices(choices: list[Wire], path: str) -> None:
    """Check the choices of an option or of autocomplete: at most 25, with names and values."""
    if len(choices) > MAX_CHOICES:
        raise too_long(path, MAX_CHOICES)
    for index, entry in enumerate(choices):
        if not 1 <= len(str(entry.get("name") or "")) <= 100:
            raise too_long(f"{path}.{index}.name", 100, 1)
        if "value" not in entry:
            raise required(f"{path}.{index}.value")
        if isinstance(entry["value"], str) and len(entry["value"]) > 100:
            raise too_long(f"{path}.{index}.value", 100)


def _size(node: Wire) -> int:
    """Return the characters of names, descriptions and values, which Discord adds up per command."""
    own = sum(len(str(node.get(key) or "")) for key in ("name", "description"))
    values = sum(len(str(c["name"])) + len(str(c["value"])) for c in node.get("choices") or [])
    return own + values + sum(_size(option) for option in node.get("options") or [])
