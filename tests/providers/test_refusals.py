"""What an endpoint refuses for a reason that nobody knows is asked twice in a whole task, by whomever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from engine.assembly import OpenEngine
from engine.commands import SayToAgent
from engine.events import Intervened
from tests.providers.stage import Body, Provider, answer, by_the_book, call, carry_out, refusal, results

REASON = "The request was turned down by policy engine 7f3a-{}."
"""Its number differs from request to request; it is one reason all the same."""

TEAM = ["Ada", "Ben", "Cleo"]


def is_boss(body: Body) -> bool:
    """Whether a request is the boss's: it alone may finish."""
    return any(tool["function"]["name"] == "finish" for tool in body["tools"])


def name_of(body: Body) -> str:
    """Whose request it is."""
    first = str(body["messages"][0]["content"])
    return next((name for name in TEAM if f"You are {name}" in first), "boss")


def work(body: Body, number: int) -> Body:
    """The boss recruits three, waits for their files, then ends; each writes one and says so."""
    name = name_of(body)
    if name != "boss":
        if any(tool == "write_file" for tool, _ in results(body)):
            return answer("Done.")
        return answer(calls=[call("write_file", {"path": f"{name}.txt", "content": name}, f"c{number}")])
    done = [tool for tool, _ in results(body)]
    if "recruit" not in done:
        members = [{"name": name, "role": "writer", "instructions": "Write."} for name in TEAM]
        return answer(calls=[call("recruit", {"members": members}, f"r{number}")])
    if "send_message" not in done:
        said = {"to": ["group"], "text": "Write your file.", "wait": True}
        return answer(calls=[call("send_message", said, f"m{number}")])
    return answer(calls=[call("finish", {"report": "All that could be written."}, f"f{number}")])


async def test_an_endpoint_that_begins_to_refuse_everything_is_asked_twice(tmp_path: Path) -> None:
    """Two answers, then the same refusal for everybody: two requests more, whoever makes them."""

    def brain(body: Body, number: int) -> Any:
        return work(body, number) if number <= 2 else refusal(400, REASON.format(number))

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path, seconds=15, model_concurrency=1)
    assert provider.refused == 2, seen.words
    assert "policy engine" in seen.words


async def test_one_agent_that_is_refused_stops_nobody_else(tmp_path: Path) -> None:
    """Its words may be the reason: who is answered goes on, and it is asked once before its head decides."""

    def ben_is_refused(body: Body) -> Any:
        return refusal(400, REASON.format(1)) if name_of(body) == "Ben" else None

    provider = Provider(work, ben_is_refused)
    seen = await carry_out(provider, tmp_path, seconds=20)
    assert {"Ada.txt", "Cleo.txt"} <= set(seen.files), seen.words
    assert provider.refused == 1


async def test_what_was_refused_is_asked_again_when_a_person_says_so(tmp_path: Path) -> None:
    """Whoever repaired the endpoint writes to the agent."""
    state = {"repaired": False}

    def brain(body: Body, number: int) -> Any:
        return by_the_book(body, number) if state["repaired"] else refusal(400, REASON.format(number))

    async def repair(opened: OpenEngine, task: int) -> None:
        async for event in opened.engine.events():
            if isinstance(event.body, Intervened) and event.body.rule == "refused":
                break
        state["repaired"] = True
        boss = (await opened.engine.look.task(task)).boss_id
        await opened.engine.handle(SayToAgent(boss, "It is repaired.", "1", "Ann"))

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path, attended=True, beside=repair, seconds=20)
    assert seen.state == "done", seen.words
    assert provider.refused == 2


async def test_an_endpoint_that_refused_several_is_asked_again_when_a_person_says_so(tmp_path: Path) -> None:
    """Calls that were not sent bring no answer that could say so: the person's word does."""
    repaired, told = asyncio.Event(), asyncio.Event()

    async def brain(body: Body, number: int) -> Any:
        if number <= 2 or repaired.is_set():
            return work(body, number)
        if number > 3:  # the second is refused once the first was counted
            await told.wait()
        return refusal(400, REASON.format(number))

    async def repair(opened: OpenEngine, task: int) -> None:
        refused: set[int | None] = set()
        async for event in opened.engine.events():
            if isinstance(event.body, Intervened) and event.body.rule == "refused":
                refused.add(event.body.agent_id)
                told.set()
            if len(refused) > len(TEAM):  # the boss, too
                break
        repaired.set()
        boss = (await opened.engine.look.task(task)).boss_id
        await opened.engine.handle(SayToAgent(boss, "It is repaired.", "1", "Ann"))

    provider = Provider(brain)
    seen = await carry_out(
        provider,
        tmp_path,
        attended=True,
        beside=repair,
        until=lambda seen: bool(seen.asked),  # whether the files that are missing matter
        seconds=20,
        model_concurrency=1,
    )
    assert provider.refused == 2, seen.words
    assert provider.statuses[-1] == 200 and len(provider.statuses) > 4
