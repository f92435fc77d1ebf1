"""What people write while agents think: nothing is lost, nothing taken back is read, all has an outcome."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

from sqlalchemy import select

from bot.app.bootstrap import RunningBot
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import MESSAGES
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import PATIENCE_S, command, post_with, you


class Listener:
    """A boss that thinks until `go`, then repeats what people wrote; asked to, it asks a question."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.prompts: list[str] = []

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer once the test lets it."""
        await self.go.wait()
        last = request.messages[-1].content
        self.prompts.append("\n".join(m.content for m in request.messages))
        if "answered your question" in last:
            return say("Understood: " + last.rsplit(": ", 1)[-1].splitlines()[0])
        if "please ask" in last and request.messages[-1].role == "user":
            return call(("ask_human", {"question": "Which wood?", "options": ["Oak", "Ash"]}))
        return say("I have read it." if "a person who watches" in last else "I wait.")


def marks(product: RunningBot, message: dict[str, Any]) -> list[str]:
    """The reactions on a person's message."""
    history = you(product).history(message["channel_id"])
    found = next(m for m in history if m["id"] == message["id"])
    return [reaction["emoji"]["name"] for reaction in found.get("reactions", [])]


async def marked(product: RunningBot, message: dict[str, Any], mark: str) -> None:
    """Until a message has a reaction."""
    assert product.local is not None
    await product.local.world.pulse.until(lambda: mark in marks(product, message), PATIENCE_S)


async def waiting(product: RunningBot, words: set[str]) -> None:
    """Until exactly these words of people wait in inboxes."""
    unread = select(MESSAGES.c.text).where(
        MESSAGES.c.from_kind == "person", MESSAGES.c.consumed_step.is_(None)
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            texts = await product.engine.database.read(lambda c: c.execute(unread).scalars().all())
            if set(texts) == words:
                return
            await asyncio.sleep(0.05)


async def post_in(product: RunningBot, place: str, text: str) -> dict[str, Any]:
    """The first message in a place that holds a text; the card in the lobby may hold it too."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for message in you(product).history(place):
                if text in message["content"]:
                    return message
            await asyncio.sleep(0.05)


async def test_changed_withdrawn_and_attached(start: Start) -> None:
    """The agent reads the newest words and the file, never what was deleted; each has 📨, then 👀."""
    boss = Listener()
    async with start(boss) as product:
        await command(product, "task new", goal="Listen.")
        place = (await post_with(product, "is reading the goal"))["channel_id"]
        first = await you(product).send(place, "use oak")
        gone = await you(product).send(place, "forget everything")
        third = await you(product).send(place, "see the plan", files=[("plan.txt", b"two masts")])
        for message in (first, gone, third):
            await marked(product, message, "📨")
        await you(product).edit(first, "use larch")
        await you(product).delete(gone)
        await waiting(product, {"use larch", "see the plan\n(files brought: attachments/plan.txt)"})
        boss.go.set()
        for message in (first, third):
            await marked(product, message, "👀")
        await post_with(product, "I have read it.")
        read = "\n".join(boss.prompts)
        assert "use larch" in read and "see the plan" in read
        assert "use oak" not in read and "forget everything" not in read
        assert await product.engine.engine.look.read_file(1, "attachments/plan.txt") == b"two masts"
        assert await post_with(product, f"in reply to <@{you(product).id}>")


async def test_an_archive_comes_in_unpacked_or_the_person_is_told_why_not(start: Start) -> None:
    """What is no archive reaches nobody, neither its words nor its file; the next message does."""
    boss, target = Listener(), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("masts.txt", "two")
    async with start(boss) as product:
        await command(product, "task new", goal="Listen.")
        place = (await post_with(product, "is reading the goal"))["channel_id"]
        broken = await you(product).send(place, "see these", files=[("plans.zip", b"PK cut off")])
        refused = await post_with(product, "plans.zip cannot be unpacked. The zip is damaged")
        assert refused["message_reference"]["message_id"] == broken["id"]
        await you(product).send(place, "now whole", files=[("plans.zip", target.getvalue())])
        await waiting(product, {"now whole\n(files brought: attachments/plans/masts.txt)"})
        assert await product.engine.engine.look.read_file(1, "attachments/plans/masts.txt") == b"two"
        boss.go.set()
        await post_with(product, "I have read it.")


async def test_a_question_is_answered_by_a_reply(start: Start) -> None:
    """The words of a reply to the question reach who asked; the buttons go and say what was answered."""
    boss = Listener()
    boss.go.set()
    async with start(boss) as product:
        await command(product, "task new", goal="Listen.")
        place = (await post_with(product, "is reading the goal"))["channel_id"]
        await you(product).send(place, "please ask me something")
        question = await post_in(product, place, "Which wood?")
        await you(product).send(place, "Larch", reply_to=question)
        await post_with(product, "Understood: Larch")
        await post_with(product, "answered: Larch")
