"""Discord's documented limits on application commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.local.apierrors import at_most, choice, form_error, required, too_long

Wire = Mapping[str, Any]

MAX_SLASH = 100
#: 5 until 2026-03-03.
MAX_MENU = 15
MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_TEXT = 8000
MAX_INPUT = 6000
SUBCOMMAND, GROUP = 1, 2
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
    _check_where(command, path)
    if kind == 1:
        _check_names(command, path)
        _check_options(command.get("options") or [], path, inside=0)
    elif command.get("description") or command.get("options"):
        text = "Context menu commands cannot have description or options"
        raise form_error(path, "APPLICATION_COMMAND_INVALID", text)
    elif not 1 <= len(str(command.get("name") or "")) <= 32:
        raise too_long(f"{path}.name", 32, 1)
    if _size(command) > MAX_TEXT:
        text = f"Command exceeds maximum size ({MAX_TEXT})"
        raise form_error(path, "APPLICATION_COMMAND_TOO_LARGE", text)


def _check_where(command: Wire, path: str) -> None:
    """Check the contexts (guild, direct message with the bot, other private channel) and installations."""
    for key, known in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
        given = command.get(key)
        if given is not None and (not isinstance(given, list) or not given or not set(given) <= known):
            raise choice(f"{path}.{key}", ", ".join(map(str, sorted(known))))


def _check_names(node: Wire, path: str) -> None:
    name = str(node.get("name") or "")
    if not _NAME.fullmatch(name) or name != name.lower():
        raise form_error(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(str(node.get("description") or "")) <= 100:
        raise too_long(f"{path}.description", 100, 1)


def _check_options(options: list[Wire], path: str, inside: int) -> None:
    """Check options of a command (``inside`` 0), or of a subcommand or a group of them."""
    if len(options) > MAX_OPTIONS:
        raise too_long(f"{path}.options", MAX_OPTIONS)
    _check_nesting(options, path, inside)
    optional = False
    for index, option in enumerate(options):
        here = f"{path}.options.{index}"
        _check_names(option, here)
        _check_bounds(option, here)
        if option.get("type") in (SUBCOMMAND, GROUP):
            _check_options(option.get("options") or [], here, int(option["type"]))
        elif option.get("required") and optional:
            text = "Required options must be placed before non-required options"
            raise form_error(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional = optional or not option.get("required", False)
        check_choices(option.get("choices") or [], f"{here}.choices")


def _check_nesting(options: list[Wire], path: str, inside: int) -> None:
    """Groups hold subcommands, subcommands hold values; neither stands beside the other or a value."""
    names = [option.get("name") for option in options]
    if len(set(names)) < len(names):
        text = "Option name is not unique"
        raise form_error(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", text)
    nested = [option.get("type") in (SUBCOMMAND, GROUP) for option in options]
    allowed = {0: (SUBCOMMAND, GROUP), GROUP: (SUBCOMMAND,)}.get(inside, ())
    wrong = any(nested) and (not all(nested) or any(option.get("type") not in allowed for option in options))
    if wrong or (inside == GROUP and not all(nested)):
        text = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        raise form_error(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)


def _check_bounds(option: Wire, path: str) -> None:
    """Check smallest and largest values and lengths, and that choices are not beside autocomplete."""
    if option.get("autocomplete") and option.get("choices"):
        text = "Options cannot have both choices and autocomplete"
        raise form_error(path, "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES", text)
    for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
        least, most = option.get(low), option.get(high)
        if least is not None and most is not None and least > most:
            raise form_error(f"{path}.{low}", "NUMBER_TYPE_MAX", f"{low} must be at most {high}.")
    for key, least in (("min_length", 0), ("max_length", 1)):
        if (value := option.get(key)) is not None and not least <= value <= MAX_INPUT:
            text = f"int value should be between {least} and {MAX_INPUT}."
            raise form_error(f"{path}.{key}", "NUMBER_TYPE_MAX", text)


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
