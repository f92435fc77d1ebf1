"""The demonstration as a person sees it: from the command to the files, in the sandbox of this machine."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.app.bootstrap import RunningBot
from engine.llm.demonstration import recording
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import PATIENCE_S, attached, command, ended, messages, post_with, you


def no_model(request: object) -> Any:
    """The configured model, which a demonstration never asks."""
    raise AssertionError(request)


async def pressed(product: RunningBot, asked: str, label: str) -> None:
    """Press a button of the post that asks something, as soon as it is there."""
    async with asyncio.timeout(PATIENCE_S):
        found: list[dict[str, Any]] = []
        while not found:
            await asyncio.sleep(0.05)
            found = [m for m in messages(product) if asked in m["content"] and label in str(m)]
    await you(product).click(found[0], label=label)


async def test_the_demonstration_from_its_command_to_its_files(start: Start) -> None:
    """Labelled at its beginning, question, audit and end; words to an agent are answered; files are real."""
    async with start(no_model, demo_pace=0.0) as product:
        told = await command(product, "task demo")
        assert told.ephemeral and "Task #1 has started" in told.text
        await post_with(product, "This is a demonstration.")
        boss = await post_with(product, "That is work for four")
        await you(product).send(boss["channel_id"], "Make it blue.", reply_to=boss)
        await post_with(product, "I am recorded and can only follow my recording")
        await pressed(product, "Do you approve this plan?", "Approve")
        await post_with(product, "every answer works")
        await pressed(product, "What should fly across her card?", "A whale in a space suit")
        await ended(product)
        await post_with(product, "This was a demonstration")
        await post_with(product, "the auditor's words are recorded")
        answered = await post_with(product, "answered: A whale in a space suit")
        assert "every answer works" in answered["content"]
        assert {"card.txt", "card.py", "poem.txt", "picture.txt"} <= attached(product)
        look = product.engine.engine.look
        task = await look.task(1)
        assert task.verified and task.goal == recording().goal
        printed = (await look.read_file(1, "card.txt")).decode()
        assert "HAPPY BIRTHDAY, MIA!" in printed and "nine candles" in printed
        assert {line.agent for line in await look.blame(1, "poem.txt")} == {"Finn"}
        cards = [str(m) for m in messages(product) if "## Task #1" in str(m)]
        assert cards and all("the agents' words are recorded" in card for card in cards)


async def test_the_demonstration_survives_a_restart_in_its_middle(start: Start) -> None:
    """Stopped while a question is open, it goes on at the next start and nobody speaks twice."""
    async with start(no_model, demo_pace=0.0) as product:
        await command(product, "task demo")
        await pressed(product, "Do you approve this plan?", "Approve")
        await post_with(product, "What should fly across her card?")
    async with start(no_model, demo_pace=0.0) as product:
        await pressed(product, "What should fly across her card?", "A rocket")
        await ended(product)
        await post_with(product, "This was a demonstration")
        said = [m for m in messages(product) if "A rocket it is." in str(m)]
        assert len(said) == 1
