"""A task from `/task new` to files, as a person sees it: discord.py unmodified over HTTP and websocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.bootstrap import RunningBot
from bot.local import Human, Outcome
from engine.commands import StartTask
from engine.errors import Invalid
from engine.events import TaskEnded
from tests.flows.conftest import Start
from tests.flows.team import CHECK, CODE, talker, waiting_team

PATIENCE_S = 90.0
"""A machine under load may take long; nothing here waits longer than it must."""

GOAL = "Write add(a, b) in Python with a check."


def you(product: RunningBot) -> Human:
    """The person at the local Discord."""
    assert product.local is not None
    return product.local.you


def wire(outcome: Outcome) -> dict[str, Any]:
    """The message that an answer is."""
    assert outcome.message is not None
    return outcome.message


async def command(product: RunningBot, name: str, **options: Any) -> Outcome:
    """Use a slash command in the lobby."""
    person = you(product)
    return await person.slash(person.channel("lobby"), name, **options)


async def ended(product: RunningBot, task_id: int = 1) -> None:
    """Until the task has ended and everything about it is posted."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in product.engine.engine.events():
            if isinstance(event.body, TaskEnded) and event.body.task_id == task_id:
                await product.outbox.drain(event.seq)
                return


async def post_with(product: RunningBot, text: str) -> dict[str, Any]:
    """The first message anywhere that holds a text."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for message in messages(product):
                if text in str(message):
                    return message
            await asyncio.sleep(0.05)


def messages(product: RunningBot) -> list[dict[str, Any]]:
    """Every message the person can see, channel by channel."""
    person = you(product)
    readable = [c for c in person.channels() if c["type"] in (0, 11)]
    return [m for channel in readable for m in person.history(channel)]


def attached(product: RunningBot) -> set[str]:
    """Names of all files attached to posts."""
    return {a["filename"] for m in messages(product) for a in m["attachments"]}


def speaking(message: dict[str, Any]) -> list[str]:
    """Who speaks in a post: its persona, or in a roll-up those its embeds name."""
    return [message["author"]["username"], *(e.get("author", {}).get("name", "") for e in message["embeds"])]


async def test_a_task_runs_from_command_to_files(start: Start) -> None:
    """`/task new` → category, channel, personas, files written, the end with report and attachments."""
    async with start() as product:
        outcome = await command(product, "task new", goal=GOAL)
        assert outcome.ephemeral or outcome.message
        await ended(product)
        assert await post_with(product, "add works and is checked.")
        await post_with(product, "deliverables are attached")
        assert {"calc.py", "check.py"} <= attached(product)
        speakers = {name for m in messages(product) for name in speaking(m)}
        assert "Boss" in speakers
        assert await post_with(product, "recruited Ada (coder)")
        assert any(c["type"] == 4 for c in you(product).channels())
        look = product.engine.engine.look
        assert await look.read_file(1, "calc.py") == CODE.encode()
        assert await look.read_file(1, "check.py") == CHECK.encode()
        assert (await look.task(1)).accepted == 2


async def test_a_reply_to_a_persona_reaches_that_agent_and_it_answers(start: Start) -> None:
    """Replying to what the boss said wakes the boss, whose answer is posted."""
    go = asyncio.Event()
    async with start(waiting_team(go)) as product:
        await command(product, "task new", goal=GOAL)
        said = await post_with(product, "I split this into code and a check.")
        await you(product).send(said["channel_id"], "use type hints please", reply_to=said)
        answer = await post_with(product, "You wrote: use type hints please")
        assert "It will be done" in str(answer)
        go.set()
        await ended(product)


async def test_long_answers_are_split_and_code_stays_whole(start: Start) -> None:
    """No post is over 2,000 characters; a code block cut in two is closed and opened again."""
    async with start(talker) as product:
        await command(product, "task new", goal=GOAL)
        await post_with(product, "line_149 = 149")
        boss = (await product.engine.engine.look.agents(1))[0]
        await command(product, "agent say", agent=str(boss.id), text="show me all of it")
        await post_with(product, "in reply to")
        posts = [m for m in messages(product) if "line_" in str(m)]
        assert len(posts) >= 3
        for post in posts:
            assert len(post["content"]) <= 2000
            assert post["content"].count("```") % 2 == 0
            assert all(e.get("description", "").count("```") % 2 == 0 for e in post["embeds"])


async def test_stop_ends_a_task_and_keeps_its_files(start: Start) -> None:
    """`/task stop` ends it; a second stop says so; the files stay."""
    go = asyncio.Event()
    async with start(waiting_team(go)) as product:
        await command(product, "task new", goal=GOAL)
        await post_with(product, "I split this")
        stop = await command(product, "task stop", task="1")
        assert stop.message is not None
        await you(product).click(stop.message, label="Yes, stop it")
        await ended(product)
        go.set()
        assert (await product.engine.engine.look.task(1)).state == "stopped"
        again = await command(product, "task stop", task="1")
        assert again.ephemeral
        assert "ended" in again.text or "stopped" in again.text


async def test_an_empty_goal_is_refused_ephemerally_with_the_next_step(start: Start) -> None:
    """Blanks for a goal start nothing and say what to write."""
    async with start() as product:
        outcome = await command(product, "task new", goal="   ")
        assert outcome.ephemeral
        assert "goal" in outcome.text.casefold()
        assert await product.engine.engine.look.tasks() == []


async def test_a_goal_of_10000_characters_is_refused_with_the_next_step(start: Start) -> None:
    """More than 8,000 characters (they can come by a form's attachment only): attach a file, it says."""
    async with start() as product:
        with pytest.raises(Invalid, match="attach it"):
            await product.engine.engine.handle(StartTask("x" * 10_000, "discord:1", "guild:1"))


async def test_everyone_in_a_goal_pings_nobody(start: Start) -> None:
    """@everyone in a goal is text, in every post that shows it."""
    async with start() as product:
        await command(product, "task new", goal="Greet @everyone and @here")
        await ended(product)
        assert not any(m["mention_everyone"] for m in messages(product))


async def test_an_unknown_task_is_said_ephemerally(start: Start) -> None:
    """`/task status` of a task that is not there names the way to those that are."""
    async with start() as product:
        outcome = await command(product, "task status", task="77")
        assert outcome.ephemeral
        assert "77" in outcome.text
        assert "/task list" in outcome.text


async def test_a_restart_resumes_where_it_stopped(start: Start) -> None:
    """Stopped in the middle, started again on the same data: the task ends, nobody speaks twice."""
    async with start(waiting_team(asyncio.Event())) as product:
        await command(product, "task new", goal=GOAL)
        await post_with(product, "I split this")
    async with start() as product:
        await ended(product)
        await post_with(product, "add works and is checked.")
        said = [m for m in messages(product) if "I split this into code and a check." in str(m)]
        assert len(said) == 1
