"""A function as a model: for tests, benchmarks and reproductions. Never wired by the bootstrap."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from engine.ports import ChatAnswer, ChatRequest, Quote, ToolCall, Usage

Script = Callable[[ChatRequest], ChatAnswer | Awaitable[ChatAnswer]]


class ScriptedModel:
    """A `ChatModel` that answers with the results of `script` and counts its calls."""

    def __init__(self, script: Script, tokens: int = 1_000, cost_micros: int = 100) -> None:
        self._script, self._quote = script, Quote(tokens, cost_micros)
        self.calls = 0

    def quote(self, request: ChatRequest) -> Quote:
        """Return the fixed quote given at construction."""
        return self._quote

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the script's answer."""
        self.calls += 1
        answer = self._script(request)
        return answer if isinstance(answer, ChatAnswer) else await answer


def say(text: str) -> ChatAnswer:
    """Return an answer of plain text, which ends the turn."""
    return ChatAnswer(text, usage=Usage(200, 0, 20), cost_micros=10, model="scripted")


def call(*calls: tuple[str, dict[str, Any]], text: str = "") -> ChatAnswer:
    """Return an answer with one or more tool calls given as (name, arguments)."""
    made = tuple(ToolCall(f"c{n}", name, json.dumps(arguments)) for n, (name, arguments) in enumerate(calls))
    return ChatAnswer(text, made, Usage(200, 0, 20), "scripted", "tool_calls", 10)
