"""Usage of calls: estimated before, settled after; and detection of silently cut prompts; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.llm.prices import Rates, cost_micros
from engine.ports import ChatAnswer, ChatRequest, Usage

BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8
_LEAST_CUT = 1_024
_GREW, _DENSER, _IMPOSSIBLE = 1.2, 1.5, 9.0


def size_of(text: str) -> int:
    """Return the length in UTF-8 bytes, lone surrogates included."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def prompt_bytes(request: ChatRequest, tools: int) -> int:
    """Return the bytes of a prompt with `tools` bytes of tools."""
    size = sum(size_of(m.content) + size_of(m.kept) for m in request.messages)
    size += sum(size_of(c.arguments) + size_of(c.name) + 24 for m in request.messages for c in m.tool_calls)
    return size + tools


def prompt_tokens(request: ChatRequest, tools: int) -> int:
    """Return an upper estimate of a prompt's tokens.

    One token per 3 bytes of UTF-8 (English has 4 and more, code 3 and more, other scripts about one character
    of 3 bytes) and 8 per message. Text made to be unusual, such as hexadecimal digests, can exceed it.
    """
    return prompt_bytes(request, tools) // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * (len(request.messages) + 1)


def settled(answer: ChatAnswer, prompt: int, limit: int, rates: Rates) -> ChatAnswer:
    """Return the answer with usage and cost as the provider counted them, else as estimated.

    An answer as long as its limit was cut, whatever its `finish_reason` says.
    """
    usage = _completed(answer, prompt, limit)
    reported = answer.cost_micros
    finish = "length" if limit and answer.usage.completion >= limit else answer.finish_reason
    return replace(
        answer,
        usage=usage,
        cost_micros=cost_micros(rates, usage) if reported is None else reported,
        guessed=rates.guessed and reported is None,
        limit=limit,
        finish_reason=finish,
    )


def _completed(answer: ChatAnswer, prompt: int, limit: int) -> Usage:
    """Return what was counted, with an estimate in place of a part that was not."""
    usage = answer.usage
    words = size_of(answer.text) + size_of(answer.kept)
    words += sum(size_of(call.arguments) + size_of(call.name) for call in answer.tool_calls)
    written = min(words // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE, limit)
    if not usage.total:
        return Usage(prompt, 0, written, estimated=True)
    if not usage.prompt:
        return replace(usage, prompt=prompt, estimated=True)
    if not usage.completion and words:
        return replace(usage, completion=written, estimated=True)
    return usage


@dataclass(slots=True)
class CutWatch:
    """Notices a server that silently reads only a part of long prompts (Ollama's `num_ctx`)."""

    densest: float = 0.0
    last_bytes: int = 0
    last_read: int = 0

    def seems_cut(self, sent: int, usage: Usage) -> bool:
        """Return True if only a part of `sent` bytes seems to have been read.

        The count stays the same while prompts grow, and means far more bytes per token than before, or more
        than any text has.
        """
        if usage.estimated or usage.prompt < _LEAST_CUT:
            return False
        ratio = sent / usage.prompt
        grew = sent > self.last_bytes * _GREW and self.last_read > 0 and usage.prompt <= self.last_read * 1.02
        found = (
            ratio > _IMPOSSIBLE or (grew and ratio > 1.1 * self.densest) or 0 < self.densest * _DENSER < ratio
        )
        if not found:
            self.densest = max(min(self.densest or ratio, ratio), 2.0)
            self.last_bytes, self.last_read = sent, usage.prompt
        return found
