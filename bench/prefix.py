"""How much of each prompt repeats the beginning of the agent's previous prompt: `python -m bench.prefix`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from bench.measure import report
from bench.policy_tree import run
from bench.tree import Tree
from engine.ports import ChatAnswer, ChatRequest


def text_of(request: ChatRequest) -> str:
    """The prompt as one text, tools first as providers place them."""
    tools = json.dumps([(tool.name, tool.description, dict(tool.parameters)) for tool in request.tools])
    return tools + "".join(
        f"<{m.role}>{m.content}{''.join(c.name + c.arguments for c in m.tool_calls)}"
        for m in request.messages
    )


def shared(before: str, now: str) -> int:
    """Characters at the beginning that both have."""
    low, high = 0, min(len(before), len(now))
    while low < high:
        middle = (low + high + 1) // 2
        if before[:middle] == now[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class Watched(Tree):
    """The tree, its prompts compared on their way."""

    def __init__(self) -> None:
        super().__init__((5, 4, 3))
        object.__setattr__(self, "last", {})
        object.__setattr__(self, "repeats", [])

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Compare, then answer."""
        text = text_of(request)
        last: dict[int, str] = self.last  # type: ignore[attr-defined]
        if request.agent_id in last:
            self.repeats.append((shared(last[request.agent_id], text), len(text)))  # type: ignore[attr-defined]
        last[request.agent_id] = text
        return super().__call__(request)


def bench() -> bool:
    """One run; prints the part of all tokens that were new, of prompts after an agent's first."""
    tree = Watched()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(tree, 0.02, Path(folder)))
    repeats: list[tuple[int, int]] = tree.repeats  # type: ignore[attr-defined]
    part = sum(same for same, _ in repeats) / sum(length for _, length in repeats)
    worst = min(same / length for same, length in repeats)
    return report(
        "prefix, new tokens a prompt (1 - repeated)",
        1 - part,
        0.2,
        repeated=part,
        least=worst,
        prompts=len(repeats),
    )


if __name__ == "__main__":
    bench()
