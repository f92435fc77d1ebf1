"""Commands as models write them: a list of words, or one line, which is what most of them are used to."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any

from pydantic import BeforeValidator

_FOR_SHELL = frozenset("|&;<>()$`\n*?[]{}~!")
_BUILT_IN = frozenset({"cd", "export", "source", ".", "set", "ulimit", "test", "if", "for", "while"})


def words_of(command: Any) -> Any:
    """Return a command that was written as one line as its words, or for the shell where it needs one.

    Whatever else it is is returned as it is, for the schema to judge.
    """
    if isinstance(command, list) and len(command) == 1 and isinstance(command[0], str):
        line = command[0].strip()
        return _split(line) if any(map(str.isspace, line)) else command
    if not isinstance(command, str) or not command.strip():
        return command
    return _listed(command) or _split(command.strip())


def _listed(text: str) -> list[str] | None:
    """Return the words of a list that was sent as its JSON text, None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    words = isinstance(found, list) and all(isinstance(word, str) for word in found)
    return found if words else None


def _split(line: str) -> list[str]:
    shell = ["sh", "-c", line]
    try:
        words = shlex.split(line)
    except ValueError:
        return shell
    first = words[0] if words else ""
    return shell if _FOR_SHELL & set(line) or first in _BUILT_IN or "=" in first else words


Command = Annotated[list[str], BeforeValidator(words_of)]
"""The type of an argument that is a command; its schema is a list of texts."""
