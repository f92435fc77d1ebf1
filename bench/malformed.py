"""Answers broken in every way: what the soak feeds the engine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace

from engine.errors import ModelKeyRejected, ModelRefused, ModelUnavailable
from engine.llm.scripted import call, say
from engine.llm.storable import storable, storable_json
from engine.ports import ChatAnswer, ChatRequest, ToolCall, Usage

_USAGE = Usage(100, 0, 10)


def raw(name: str, arguments: str, text: str = "") -> ChatAnswer:
    """An answer with one call written as it is."""
    return ChatAnswer(text, (ToolCall("x", name, arguments),), _USAGE, "scripted", "tool_calls", 5)


class Malformed:
    """A model that is wrong `share` of the time in a random way, and else does the least that ends a task."""

    def __init__(self, seed: int, wrong_steps: int) -> None:
        self._chance = random.Random(seed)
        self.left = wrong_steps
        self.kinds: set[str] = set()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Broken while there are broken steps left, then whole."""
        if self.left <= 0:
            return self._whole(request)
        self.left -= 1
        kind = self._chance.choice(sorted(_WAYS))
        self.kinds.add(kind)
        return _from_the_wire(_WAYS[kind](self._chance))

    @staticmethod
    def _whole(request: ChatRequest) -> ChatAnswer:
        if request.role == "boss":
            return call(("finish", {"report": "Ended in spite of nonsense.", "deliverables": []}))
        return say("fine")


def _from_the_wire(answer: ChatAnswer) -> ChatAnswer:
    """What every ChatModel does with text it received: no lone surrogate or NUL comes further."""
    calls = [
        ToolCall(
            c.id, storable(c.name), storable_json(c.arguments) if len(c.arguments) < 10_000 else c.arguments
        )
        for c in answer.tool_calls
    ]
    return replace(answer, text=storable(answer.text), tool_calls=tuple(calls))


def _raises(error: Exception) -> ChatAnswer:
    raise error


def _nested(_chance: random.Random) -> ChatAnswer:
    return raw("write_file", "[" * 50_000)


def _many(chance: random.Random) -> ChatAnswer:
    one = raw("list_files", "{}")
    calls = tuple(ToolCall(f"c{n}", "list_files", "{}") for n in range(chance.randint(30, 90)))
    return replace(one, tool_calls=calls)


_WAYS: dict[str, Callable[[random.Random], ChatAnswer]] = {
    "not json": lambda c: raw("write_file", '{"path": "a.txt", "content": '),
    "half a string": lambda c: raw("send_message", '{"to": ["Boss"], "text": "hal'),
    "no object": lambda c: raw("list_files", c.choice(["[]", "7", "null", '"{}"', "true"])),
    "no such tool": lambda c: raw(c.choice(["rm_rf", "", "x" * 5_000, "write file", "é\u202e"]), "{}"),
    "two megabytes": lambda c: raw("write_file", json.dumps({"path": "big.txt", "content": "x" * 2_000_000})),
    "surrogates": lambda c: say("lone \ud800 surrogate and \x00 nul"),
    "odd path": lambda c: raw(
        "write_file",
        json.dumps({"path": c.choice(["../x", "/etc/x", "a\x00b", "", "." * 300, "con"]), "content": "x"}),
    ),
    "wrong types": lambda c: raw("send_message", '{"to": "Boss", "text": 5, "wait": "perhaps"}'),
    "unknown argument": lambda c: raw("list_files", '{"folder": "x"}'),
    "nobody": lambda c: raw("send_message", '{"to": ["Nobody"], "text": "hello"}'),
    "empty": lambda c: ChatAnswer("", usage=_USAGE),
    "blank": lambda c: ChatAnswer(" \n\t ", usage=_USAGE),
    "refusal": lambda c: say("I'm sorry, I can't help with that."),
    "repetition": lambda c: say("and again " * 50_000),
    "the same call": lambda c: raw("list_files", "{}"),
    "very deep": _nested,
    "a deep object": lambda c: raw("edit_file", '{"path": ' * 20_000),
    "very many": _many,
    "wrong number": lambda c: raw("submit", '{"assignment": 999999999999999999999, "summary": "s"}'),
    "negative lines": lambda c: raw("read_file", '{"path": "a", "start_line": -5}'),
    "finish early": lambda c: raw("finish", '{"report": "", "deliverables": ["none.txt"]}'),
    "recruit nobody": lambda c: raw("recruit", '{"members": []}'),
    "recruit odd names": lambda c: raw(
        "recruit", json.dumps({"members": [{"name": "@everyone\u202e", "role": "r", "instructions": "i"}]})
    ),
    "400": lambda c: _raises(ModelRefused("The endpoint refused the request (400).")),
    "401": lambda c: _raises(ModelKeyRejected("The endpoint rejected the key (401).")),
    "429": lambda c: _raises(ModelUnavailable("Too many requests (429).", 0.01)),
    "500": lambda c: _raises(ModelUnavailable("The endpoint failed (500).", 0.01)),
    "timeout": lambda c: _raises(ModelUnavailable("The endpoint did not answer in time.", 0.01)),
}
