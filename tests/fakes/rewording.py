"""Reword every text of engine and bot, so that code that reads sentences reads other ones.

Letters are turned by 13 places, so what a scripted agent has to find in a text (the number of its
assignment) can be turned back for it, and for it alone.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from engine.domain import account, checks, prompt
from engine.domain.outcomes import ToolResult
from engine.ports import ChatAnswer, ChatRequest
from engine.steps.unit_of_work import UnitOfWork
from engine.store import messages
from engine.tools import TOOLS, Tool, ToolRefused

_MARKED = re.compile("\u27e6(.*?)\u27e7", re.S)
_KEPT = re.compile("(\x00[^\x00]*\x00|\\{[^{}]*\\}|<[^<>]*>)")


def turned(text: str) -> str:
    """Other words: every letter turned, but for what stands for an id, a value or a mention."""
    parts = _KEPT.split(text)
    return "".join(p if n % 2 else str(codecs.encode(p, "rot13")) for n, p in enumerate(parts))


def _marked(text: str) -> str:
    return f"\u27e6{turned(text)}\u27e7"


def readable(script: Callable[[ChatRequest], ChatAnswer]) -> Callable[[ChatRequest], ChatAnswer]:
    """A script that sees the old words of marked texts."""

    def answer(request: ChatRequest) -> ChatAnswer:
        messages = tuple(
            replace(m, content=_MARKED.sub(lambda found: turned(found[1]), m.content))
            for m in request.messages
        )
        return script(replace(request, messages=messages))

    return answer


def reword_engine(patch: pytest.MonkeyPatch) -> None:
    """Reword every result of a tool, every message of the engine's own, and its fixed sentences."""
    for name, tool in list(TOOLS.items()):
        patch.setitem(TOOLS, name, replace(tool, run=_reworded(tool)))
    _reword_messages(patch)
    patch.setattr(account, "UNJUDGED", turned(account.UNJUDGED))
    for name in ("GO_ON", "ANSWERED", "PERSON"):
        patch.setattr(prompt, name, _marked(getattr(prompt, name)))
    assert checks.MORE_INPUT  # a program's words, not ours: they stay


def _reworded(tool: Tool[Any]) -> Callable[..., Any]:
    async def run(context: Any, arguments: Any) -> ToolResult:
        try:
            result = await tool.run(context, arguments)
        except ToolRefused as error:
            raise ToolRefused(_marked(str(error)), outcome=error.outcome) from error
        steady = None if result.steady is None else _marked(result.steady)
        return replace(result, text=_marked(result.text), steady=steady)

    return run


def _reword_messages(patch: pytest.MonkeyPatch) -> None:
    old_message, old_system = UnitOfWork.add_message, messages.add_system_message

    def add_message(unit: UnitOfWork, to: int, text: str, **options: Any) -> None:
        ours = options.get("kind", "agent") != "agent"
        old_message(unit, to, _marked(text) if ours else text, **options)

    def add_system_message(
        connection: Any, task: int, to: int, text: str, *rest: Any, **options: Any
    ) -> None:
        old_system(connection, task, to, _marked(text), *rest, **options)

    patch.setattr(UnitOfWork, "add_message", add_message)
    for module in _modules("engine."):
        for name, value in list(vars(module).items()):
            if value is old_system:
                patch.setattr(module, name, add_system_message)


def reword_bot(patch: pytest.MonkeyPatch) -> int:
    """Reword every constant of the bot's text modules, wherever it was imported to -> how many."""
    texts = [m for m in _modules("bot.") if "texts" in m.__name__]
    found = [value for module in texts for value in vars(module).values()]
    words = {id(value): turned(value) for value in found if isinstance(value, str) and " " in value}
    count = 0
    for module in _modules("bot."):
        for name, value in list(vars(module).items()):
            if name.startswith("__"):
                continue
            if isinstance(value, str) and id(value) in words:
                patch.setattr(module, name, words[id(value)])
                count += 1
            elif isinstance(value, dict) and module in texts:
                for key, text in value.items():
                    if isinstance(text, str):
                        patch.setitem(value, key, turned(text))
                        count += 1
    return count


def _modules(prefix: str) -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.startswith(prefix) and module]
