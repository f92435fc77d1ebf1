"""The embedded model on this machine: readiness, reading and writing speed, prefix reuse, memory.

python -m bench.local_model [small|auto|PATH]
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from engine.llm.local import LocalModel
from engine.llm.providers.openai_chat import OpenAIChat
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, ToolSpec
from engine.settings import EngineSettings

RULES = "An agent does one thing at a time, checks what it made and tells the truth about it. " * 40
WORDS = "Tell in plain words, at length, how a bicycle works."
TEXT = {"type": "string"}
SAY = ToolSpec("say", "Say something", {"type": "object", "properties": {"text": TEXT}, "required": ["text"]})


def asked(agent: int, text: str, limit: int, tools: tuple[ToolSpec, ...] = ()) -> ChatRequest:
    """A request of an agent with long rules."""
    messages = (ChatMessage("system", f"You are agent {agent}. {RULES}"), ChatMessage("user", text))
    return ChatRequest(1, agent, "member", messages, tools, max_tokens=limit)


async def timed(chat: OpenAIChat, request: ChatRequest) -> tuple[float, ChatAnswer]:
    """Seconds and answer of a call."""
    began = time.perf_counter()
    answer = await chat.complete(request)
    return time.perf_counter() - began, answer


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB, mapped weights included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


async def speeds(chat: OpenAIChat) -> None:
    """Reading, writing, and what a repeated prefix costs."""
    seconds, answer = await timed(chat, asked(1, "Go.", 1))
    new = answer.usage.prompt - answer.usage.cached
    print(f"reading          {new / seconds:7.1f} tokens/s ({new} tokens in {seconds:.1f} s)")
    seconds, answer = await timed(chat, asked(1, "Go on.", 1))
    new = answer.usage.prompt - answer.usage.cached
    print(f"same prefix      {new} of {answer.usage.prompt} tokens read, {seconds:.2f} s")
    seconds, answer = await timed(chat, asked(1, WORDS, 120))
    print(f"writing          {answer.usage.completion / seconds:7.1f} tokens/s, one at a time")
    began = time.perf_counter()
    answers = await asyncio.gather(*(chat.complete(asked(agent, WORDS, 120)) for agent in (1, 2)))
    written = sum(one.usage.completion for one in answers)
    print(f"writing          {written / (time.perf_counter() - began):7.1f} tokens/s, two at once")
    seconds, answer = await timed(chat, asked(1, "Say hello.", 60, (SAY,)))
    print(f"a call           {seconds:7.1f} s: {[call.arguments for call in answer.tool_calls]}")


async def many_agents(chat: OpenAIChat) -> None:
    """Six agents in turn on two slots: how much of their prompts is read again."""
    read = total = 0
    for turn in range(3):
        for agent in range(10, 16):
            _, answer = await timed(chat, asked(agent, "Go. " * (turn + 1), 1))
            if turn:
                total += answer.usage.prompt
                read += answer.usage.prompt - answer.usage.cached
    print(f"six agents       {read} of {total} tokens read again when they take turns on two slots")


async def main(which: Any) -> None:
    """Print the figures."""
    settings = EngineSettings(local_model=which)
    model = LocalModel(settings)
    began = time.perf_counter()
    endpoint = await model.start()
    print(f"ready            {time.perf_counter() - began:7.1f} s after start")
    chat = OpenAIChat(model.fit(settings), endpoint)
    await speeds(chat)
    await many_agents(chat)
    print(f"memory           {resident_mb(model.pid or 0):7.0f} MB resident")
    await chat.close()
    await model.stop()


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "auto"
    asyncio.run(main(name if name in ("small", "auto") else Path(name)))
