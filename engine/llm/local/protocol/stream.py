"""Read llama.cpp's streamed answers, and report what is written of an answer meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Any

from engine.domain.loops import goes_round
from engine.llm.local.protocol.prompts import Call

Report = Callable[[Mapping[str, Any]], Awaitable[None]]

EVERY_S = 0.5
"""Time between two accounts of one answer; llama.cpp itself sends a chunk a token."""

LOOPED = "loop"
"""In place of a finish_reason: the text went round in circles."""

LOOK_EVERY = 20
"""Tokens between two looks whether a text loops."""

STILL = 200
"""Characters by which a text must have gone on to loop: a refrain ends before."""

WORDS = 100
"""Characters of the newest line that an account shows."""


class AnswerProgress:
    """How far one answer is, over all requests to llama.cpp behind it; given to `report` as plain data.

    `tokens` written so far; `read`: the part of the prompt that is read; `tool` and `path` of the call whose
    text is written, with its `lines` so far and the newest `words`.
    """

    def __init__(self, report: Report | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._report, self._now, self._told = report, now, float("-inf")
        self._tokens, self._read = 0, 0.0
        self._tool = self._path = self._text = ""
        self._shown = False

    def begin(self, *, shown: bool) -> None:
        """Begin a further request; `shown`: what it writes is text for people, not a call in JSON."""
        self._text, self._shown = "", shown

    def calls(self, call: Call) -> None:
        """Say which call the text that follows belongs to."""
        self._tool, self._path = call.tool, str(call.arguments.get("path", ""))

    async def reads(self, part: float) -> None:
        """Say that this part of a prompt is read."""
        self._read = part
        await self._account()

    async def writes(self, text: str) -> None:
        """Add one token's text."""
        self._tokens, self._read = self._tokens + 1, 1.0
        self._text += text
        await self._account()

    async def _account(self) -> None:
        now = self._now()
        if self._report is None or now - self._told < EVERY_S:
            return
        self._told = now
        lines = [line.strip() for line in self._text.splitlines() if line.strip()] if self._shown else []
        await self._report(
            {
                "tokens": self._tokens,
                "read": round(self._read, 3),
                "tool": self._tool,
                "path": self._path,
                "lines": len(lines),
                "words": lines[-1][-WORDS:] if lines else "",
            }
        )


class StreamBroken(Exception):
    """Raised when a stream holds an error, or ends without one answer; `body` is what llama.cpp said."""

    def __init__(self, body: Any) -> None:
        super().__init__(str(body))
        self.body = body


class LoopWatch:
    """Notices when a text that is written for a file says the same again and again, and goes on to do so."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tokens = 0

    def stuck(self, texts: Sequence[str]) -> bool:
        """Return whether a text loops, and has for a while; asked at each token, it looks at some."""
        self._tokens += 1
        if not self._path or self._tokens % LOOK_EVERY:
            return False
        text = "".join(texts)
        return goes_round(self._path, text[:-STILL]) and goes_round(self._path, text)


async def read_stream(
    lines: AsyncIterable[bytes], progress: AnswerProgress, watch: LoopWatch | None = None
) -> dict[str, Any]:
    """Return the chunks of a stream as one Chat Completions answer, whose finish_reason is LOOPED where the
    rest was not waited for. Raises StreamBroken."""
    whole: dict[str, Any] = {}
    texts: list[str] = []
    finish = None
    read = {"total": 0, "cache": 0}
    async for line in lines:
        kind, _, data = line.decode("utf-8", "replace").strip().partition(":")
        data = data.strip()
        if kind == "error" or (kind == "data" and data.startswith('{"error"')):
            raise StreamBroken(json.loads(data))
        if kind != "data" or data == "[DONE]":
            continue
        chunk = json.loads(data)
        whole |= {name: chunk[name] for name in ("id", "usage") if chunk.get(name)}
        if reading := chunk.get("prompt_progress"):
            read |= reading
            await progress.reads(reading["processed"] / max(1, reading["total"]))
        for choice in chunk["choices"]:
            finish = choice.get("finish_reason") or finish
            if text := choice["delta"].get("content"):
                texts.append(text)
                await progress.writes(text)
                if watch is not None and watch.stuck(texts):
                    return _answer({**whole, "usage": _usage_of(read, len(texts))}, texts, LOOPED)
    if finish is None or "usage" not in whole:
        raise StreamBroken({"error": {"message": "The embedded model's answer broke off.", "code": 500}})
    return _answer(whole, texts, finish)


def _answer(whole: Mapping[str, Any], texts: Sequence[str], finish: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(texts)}
    return {
        "object": "chat.completion",
        **whole,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }


def _usage_of(read: Mapping[str, int], tokens: int) -> dict[str, Any]:
    """Return the usage of an answer whose end, with llama.cpp's own account, was not waited for."""
    return {
        "prompt_tokens": read["total"],
        "completion_tokens": tokens,
        "prompt_tokens_details": {"cached_tokens": read["cache"]},
    }
