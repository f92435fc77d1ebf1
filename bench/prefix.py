"""How much of each prompt repeats the beginning of the agent's previous prompt: `python -m bench.prefix`.

Three tasks: the paper's two works, and a workshop whose members work through some dozens of steps, long
enough for the older ones to be summed up. In the national policies those who recruit were recruited to lead,
so that their tools never change. What is new in a prompt is mostly what the agent itself said last and the
answers to it, and weighs more the fewer tokens the tools have; `lost` is what the engine could have kept:
tokens of the previous prompt not repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import report
from bench.policy_tree import run
from bench.workshop import Workshop
from engine.llm.scripted import Script, ScriptedModel
from engine.ports import ChatAnswer, ChatRequest
from engine.settings import EngineSettings
from scenarios.common import Work, carry_out
from scenarios.gobang import GOBANG
from scenarios.policy import POLICY
from tests.fakes.cast import cast
from tests.flows import gobang_script, policy_script

Carry = Callable[[Script, Path], Awaitable[None]]

_PIECE = re.compile(r" ?[^\W\d_]+|\d{1,3}| ?[^\s\w]+|_+|\s+")
"""Pieces that byte-pair tokenizers split a text into first: nearly a token each in English and JSON."""


def text_of(request: ChatRequest) -> str:
    """The prompt as one text, tools first as providers place them."""
    tools = json.dumps([(tool.name, tool.description, dict(tool.parameters)) for tool in request.tools])
    return tools + "".join(
        f"<{m.role}>{m.content}{''.join(c.name + c.arguments for c in m.tool_calls)}"
        for m in request.messages
    )


def pieces_of(request: ChatRequest) -> list[str]:
    """The prompt's tokens, nearly."""
    return _PIECE.findall(text_of(request))


def shared(before: list[str], now: list[str]) -> int:
    """Tokens at the beginning that both have."""
    low, high = 0, min(len(before), len(now))
    while low < high:
        middle = (low + high + 1) // 2
        if before[:middle] == now[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(slots=True)
class Watched:
    """A brain, the prompts it is asked compared on their way: (repeated, all) tokens a prompt."""

    brain: Script
    lost: int = 0
    last: dict[int, list[str]] = field(default_factory=dict)
    repeats: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Compare, then answer."""
        pieces = pieces_of(request)
        before = self.last.get(request.agent_id)
        if before is not None:
            same = shared(before, pieces)
            self.lost += len(before) - same
            self.repeats.append((same, len(pieces)))
        self.last[request.agent_id] = pieces
        answer = self.brain(request)
        if not isinstance(answer, ChatAnswer):
            raise TypeError("the benches' brains answer at once")
        return answer


async def _awaited(work: Awaitable[None]) -> None:
    await work


def measure(name: str, brain: Script, carry: Carry) -> bool:
    """One task; prints the part of all tokens that were new, of prompts after an agent's first."""
    watched = Watched(brain)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        asyncio.run(_awaited(carry(watched, Path(folder))))
    tokens = sum(length for _, length in watched.repeats)
    part = sum(same for same, _ in watched.repeats) / tokens
    return report(
        f"prefix, {name}, new tokens a prompt (1 - repeated)",
        1 - part,
        0.2,
        repeated=part,
        lost=watched.lost / tokens,
        prompts=len(watched.repeats),
    )


async def _workshop(brain: Script, folder: Path) -> None:
    await run(brain, 0.0, folder)


def _scenario(work: Work) -> Carry:
    async def carry(brain: Script, folder: Path) -> None:
        settings = EngineSettings(data_dir=folder, _env_file=None)  # type: ignore[call-arg]
        await carry_out(work, settings, ScriptedModel(brain))

    return carry


def bench() -> bool:
    """All three."""
    met = (
        measure("Gobang", cast(gobang_script.parts()), _scenario(GOBANG)),
        measure("national policies", policy_script.play, _scenario(POLICY)),
        measure("workshop", Workshop(5, 90), _workshop),
    )
    return all(met)


if __name__ == "__main__":
    bench()
