"""Read llama.cpp's streamed answers, and report what is written of an answer meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any

from engine.llm.local.protocol.prompts import Call

Report = Callable[[Mapping[str, Any]], Awaitable[None]]

EVERY_S = 0.5
"""Time between two accounts of one answer; llama.cpp itself sends a chunk a token."""

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


async def read_stream(lines: AsyncIterable[bytes], progress: AnswerProgress) -> dict[str, Any]:
    """Return the chunks of a stream as one Chat Completions answer. Raises StreamBroken."""
    whole: dict[str, Any] = {}
    texts: list[str] = []
    finish = None
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
            await progress.reads(reading["processed"] / max(1, reading["total"]))
        for choice in chunk["choices"]:
            finish = choice.get("finish_reason") or finish
            if text := choice["delta"].get("content"):
                texts.append(text)
                await progress.writes(text)
    if finish is None or "usage" not in whole:
        raise StreamBroken({"error": {"message": "The embedded model's answer broke off.", "code": 500}})
    message = {"role": "assistant", "content": "".join(texts)}
    return {
        "object": "chat.completion",
        **whole,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
