"""The shape of requests that every provider takes."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from pathlib import Path

from engine.assembly import OpenEngine
from engine.commands import SayToAgent
from tests.providers.stage import Body, Provider, by_the_book, carry_out, refusal


def ids_of_nine(body: Body) -> tuple[int, Body] | None:
    """Mistral: ids of calls have nine letters and digits."""
    for message in body["messages"]:
        ids = [c["id"] for c in message.get("tool_calls") or []] + [message.get("tool_call_id", "a" * 9)]
        for identity in ids:
            if not re.fullmatch(r"[a-zA-Z0-9]{9}", identity):
                return refusal(400, f"Tool call id was {identity} but must be a-z, A-Z, 0-9, of length 9.")
    return None


def no_person_after_a_tool(body: Body) -> tuple[int, Body] | None:
    """Mistral: a user message never follows a tool's."""
    roles = [message["role"] for message in body["messages"]]
    if ("tool", "user") in pairwise(roles):
        return refusal(400, "Unexpected role 'user' after role 'tool'")
    return None


def nobody_twice(body: Body) -> tuple[int, Body] | None:
    """Many chat templates: user and assistant take turns."""
    roles = [message["role"] for message in body["messages"]]
    if ("user", "user") in pairwise(roles):
        return refusal(400, "Conversation roles must alternate user/assistant")
    return None


async def test_mistral_takes_a_task_in_which_a_person_speaks(tmp_path: Path) -> None:
    """Nothing is refused, the person's message in the middle of a turn included."""
    spoken = asyncio.Event()

    async def brain(body: Body, number: int) -> Body:
        if number == 1:
            await spoken.wait()
        return by_the_book(body, number)

    async def person(opened: OpenEngine, task: int) -> None:
        boss = (await opened.engine.look.task(task)).boss_id
        await opened.engine.handle(SayToAgent(boss, "Please hurry.", "1", "Ann"))
        spoken.set()

    provider = Provider(brain, ids_of_nine, no_person_after_a_tool, nobody_twice)
    seen = await carry_out(provider, tmp_path, beside=person)
    assert seen.state == "done"
    assert provider.refused == 0
    assert "Please hurry." in str(provider.bodies[-1]["messages"])
