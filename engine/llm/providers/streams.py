"""Join a streamed answer, asked for or not, into one in the usual form; pure.

Read are server-sent events, with comments and any line ends, and one JSON object a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_GROWS = frozenset({"content", "reasoning_content", "reasoning", "refusal"})
"""Fields of a message that come in pieces; others come whole."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The whole body; `ended` False: the stream broke off, so that a call in it may be incomplete."""

    body: Mapping[str, Any]
    ended: bool


def is_stream(raw: bytes) -> bool:
    """Return True if a body is an event stream."""
    return raw.lstrip()[:6] in (b"data: ", b"data:{", b"event:") or raw.lstrip().startswith(b": ")


def joined(text: str) -> Joined | None:
    """Return the chunks of a stream as one answer; None when the text is none."""
    lines = [line.strip() for line in text.splitlines()]
    events = _events(lines)
    found = events or [line for line in lines if line and not line.startswith(":")]
    chunks: list[dict[str, Any]] = []
    ended = broken = False
    for line in found:
        if line == "[DONE]":
            ended = True
            continue
        chunk = _chunk(line)
        broken = broken or chunk is None
        if chunk is not None:
            chunks.append(_usual(chunk))
    if not any("choices" in chunk or "error" in chunk for chunk in chunks) or (broken and not events):
        return None
    whole = _Whole()
    for chunk in chunks:
        whole.add(chunk)
    complete = (ended or whole.ended) and not broken and not whole.top.get("error")
    return Joined(whole.body(), complete)


def _events(lines: list[str]) -> list[str]:
    """Return the data of each event; of one whose data goes over several lines they are one."""
    made: list[str] = []
    parts: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("data:"):
            parts.append(line[5:].strip())
        elif not line and parts:
            whole = len(parts) == 1 or all(part == "[DONE]" or _chunk(part) is not None for part in parts)
            made += parts if whole else ["\n".join(parts)]
            parts = []
    return made


def _usual(chunk: dict[str, Any]) -> dict[str, Any]:
    """Return an error event without a field for it with one, and a chunk of Ollama's own API as a usual
    one."""
    if "choices" in chunk or "error" in chunk:
        return chunk
    message = chunk.get("message")
    if isinstance(message, str):
        return {"error": chunk}
    if isinstance(message, dict) and "done" in chunk:
        finish = (chunk.get("done_reason") or "stop") if chunk["done"] else None
        rest = {key: value for key, value in chunk.items() if key != "message"}
        rest["choices"] = [{"delta": message, "finish_reason": finish}]
        return rest
    return chunk


def _chunk(line: str) -> dict[str, Any] | None:
    try:
        chunk = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return chunk if isinstance(chunk, dict) else {}


@dataclass(slots=True)
class _Whole:
    """What has come so far; `ended`: a chunk said how the answer ended, or what it cost."""

    top: dict[str, Any] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=lambda: {"content": ""})
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish: Any = None
    usage: Any = None
    index: Any = None

    @property
    def ended(self) -> bool:
        return self.finish is not None or self.usage is not None

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Add a chunk, of any shape."""
        self.top |= {key: value for key, value in chunk.items() if key != "choices" and value is not None}
        choices = chunk.get("choices")
        self.usage = chunk.get("usage") or self.usage
        for choice in _dicts(choices if isinstance(choices, list) else [])[:1]:
            self.finish = choice.get("finish_reason") or self.finish
            self.usage = choice.get("usage") or self.usage
            self.index = choice.get("index") if self.index is None else self.index
            delta, message = choice.get("delta"), choice.get("message")
            if isinstance(delta, dict):
                self._add_delta(delta, other=choice.get("index") != self.index)
            if isinstance(message, dict):
                self._add_message(message)

    def _add_message(self, message: Mapping[str, Any]) -> None:
        """Add a chunk that calls itself a message: a piece with some, with others all of it once more."""
        said, content = self.message["content"], message.get("content")
        again = isinstance(content, str) and isinstance(said, str) and said and content.startswith(said)
        if again:
            self.message["content"] = ""
        known = bool(self.calls) and again
        self._add_delta({k: v for k, v in message.items() if not (known and k == "tool_calls")})

    def _add_delta(self, delta: Mapping[str, Any], *, other: bool = False) -> None:
        """Add a piece; `other`: it is of another choice than the first, of which only calls are wanted."""
        for key, value in delta.items():
            if key not in ("tool_calls", "function_call") and value is not None and not other:
                self.message[key] = _grown(key, self.message.get(key), value)
        parts = delta.get("tool_calls")
        parts = [parts] if isinstance(parts, dict) else parts
        listed = _dicts(parts if isinstance(parts, list) else [])
        for number, part in enumerate(listed):
            # Several pieces at once without an index are a call each.
            self._add_call(part if len(listed) == 1 or "index" in part else {**part, "index": number})
        if isinstance(delta.get("function_call"), dict):
            self._add_call({"index": 0, "function": delta["function_call"]})

    def _add_call(self, part: Mapping[str, Any]) -> None:
        call = self._call_of(part)
        given = part.get("function")
        given = given if isinstance(given, dict) else {}
        function = call["function"]
        name, arguments = given.get("name"), given.get("arguments")
        if isinstance(name, str) and name != function["name"]:  # some repeat it with each piece
            function["name"] += name
        if isinstance(arguments, dict | list):
            arguments = json.dumps(arguments, ensure_ascii=False)
        piece = arguments if isinstance(arguments, str) else ""
        function["arguments"] = _with_piece(function["arguments"], piece)
        call |= {key: value for key, value in part.items() if key != "function" and value is not None}

    def _call_of(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return the call that a piece belongs to: by its index, else by a new id, else the last one."""
        index, identity = part.get("index"), part.get("id")
        for call in self.calls[::-1]:
            same = call.get("index") == index if isinstance(index, int) else call.get("id") == identity
            if same and not _is_next(call, part):
                return call
            if same:
                break
        unnumbered = self.calls and not isinstance(index, int) and not identity
        if unnumbered and not _is_next(self.calls[-1], part):
            return self.calls[-1]
        made: dict[str, Any] = {"function": {"name": "", "arguments": ""}}
        self.calls.append(made)
        return made

    def body(self) -> Mapping[str, Any]:
        """Return all of it as one answer."""
        calls = sorted(self.calls, key=lambda call: i if isinstance(i := call.get("index"), int) else 0)
        made = [{key: value for key, value in call.items() if key != "index"} for call in calls]
        message = self.message | ({"tool_calls": made} if made else {})
        choices = [{"message": message, "finish_reason": self.finish}]
        return {**self.top, "usage": self.usage, "choices": choices}


def _is_next(call: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Return whether a piece begins another call, though it has the same index: some number none of them."""
    given = part.get("function")
    named = isinstance(given, dict) and bool(given.get("name"))
    bare = not isinstance(part.get("index"), int) and isinstance(given, dict) and bool(given.get("arguments"))
    other = part["id"] != call["id"] if part.get("id") and call.get("id") else bare
    return bool(named and other) and _chunk(call["function"]["arguments"]) is not None


def _with_piece(before: str, piece: str) -> str:
    """Return arguments with their next piece; some send all of them again with each."""
    again = len(piece) > len(before) > 1 and piece.startswith(before)
    return piece if again and _chunk(before) is None else before + piece


def _grown(key: str, before: Any, value: Any) -> Any:
    """Return a field with its next piece; a content may turn from text to parts and back."""
    if key == "content" and isinstance(value, list) and isinstance(before, str):
        before = [{"type": "text", "text": before}] if before else []
    if isinstance(before, list):
        return [*before, *(value if isinstance(value, list) else [{"type": "text", "text": value}])]
    return before + value if key in _GROWS and isinstance(before, str) and isinstance(value, str) else value


def _dicts(items: list[Any]) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)]
