"""The product, dying at one exact point; its arguments are FOLDER and POINT, which may be empty.

A task is started by `/task new`, a follower hears of its question, the task is stopped and the question with
it. Without a point it resumes where it stopped and runs to the end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import discord

from bot.app.bootstrap import RunningBot, running
from bot.local import LocalOptions
from bot.notifications import live_card
from bot.notifications.live_card import LiveCards
from bot.notifications.wiring import Notifications
from bot.outbox.ledger import Ledger
from bot.outbox.transport import Transport
from bot.storage.guild_settings import BotRecords
from engine.commands import ContinueTask, StopTask
from engine.engine import Engine
from engine.events import Event, GateRaised, TaskAccepted, TaskContinued, TaskEnded
from engine.llm.scripted import ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.flows.conftest import bot_settings, engine_settings

EVERY_S = 0.05
"""Between edits of a card: these processes would spend most of their lives waiting for them."""

FOLLOWER = 424_242
KILLED = 9
CONTINUE, GO_ON = "continue", "Make it float."


def die() -> None:
    """As kill -9: nothing is flushed, closed or said."""
    os._exit(KILLED)


def around(owner: Any, name: str, when: Callable[..., bool], after: bool) -> None:
    """Die before or after a call of an asynchronous method whose arguments are so."""
    real = getattr(owner, name)

    async def dies(*args: Any, **options: Any) -> Any:
        meant = when(*args, **options)
        if meant and not after:
            die()
        answer = await real(*args, **options)
        if meant:
            die()
        return answer

    setattr(owner, name, dies)


def heard(kind: type) -> None:
    """Die when the reader has committed an event of this kind, before anybody hears of it."""
    real = Notifications.heard

    def dies(self: Notifications, events: Sequence[Event]) -> None:
        if any(isinstance(event.body, kind) for event in events):
            die()
        real(self, events)

    Notifications.heard = dies  # type: ignore[method-assign]


def _is_card(*_args: Any, **options: Any) -> bool:
    return isinstance(options.get("view"), discord.ui.LayoutView)


def _is_ping(_self: Any, _channel: int, message: Any, **_options: Any) -> bool:
    return f"<@{FOLLOWER}>" in message.content


def _any(*_args: Any, **_options: Any) -> bool:
    return True


def _has_buttons(_self: Any, delivery: Any, *_args: Any) -> bool:
    return delivery.wire.gate_id is not None


POINTS: dict[str, Callable[[], None]] = {
    "started": lambda: around(LiveCards, "opened", _any, False),
    "start committed": lambda: heard(TaskAccepted),
    "card about to be sent": lambda: around(discord.abc.Messageable, "send", _is_card, False),
    "card sent": lambda: around(discord.abc.Messageable, "send", _is_card, True),
    "card written": lambda: around(LiveCards, "_posted", _any, True),
    "answer about to be given": lambda: around(LiveCards, "opened", _any, True),
    "question committed": lambda: heard(GateRaised),
    "question sent": lambda: around(Ledger, "sent", _has_buttons, False),
    "ping about to be sent": lambda: around(Transport, "by_bot", _is_ping, False),
    "ping sent": lambda: around(Transport, "by_bot", _is_ping, True),
    "end committed": lambda: heard(TaskEnded),
    "buttons about to go": lambda: around(Transport, "edit", _any, False),
    "buttons gone": lambda: around(Transport, "edit", _any, True),
}


def _is_continuation(_self: Any, command: Any) -> bool:
    return isinstance(command, ContinueTask)


def _says_continued(_self: Any, _channel: int, message: Any, **_options: Any) -> bool:
    return "**Continued**" in message.content


CONTINUING: dict[str, Callable[[], None]] = {
    "continuation about to be committed": lambda: around(Engine, "handle", _is_continuation, False),
    "continuation committed": lambda: around(Engine, "handle", _is_continuation, True),
    "continuation read": lambda: heard(TaskContinued),
    "continuation said": lambda: around(Transport, "by_bot", _says_continued, True),
}
"""Points after the end: the task is continued, and ends again."""


class Boss:
    """Asks one question once it may; of a continued task it submits the result."""

    def __init__(self) -> None:
        self.may = asyncio.Event()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer once the parent process lets it."""
        await self.may.wait()
        if any(GO_ON in message.content for message in request.messages):
            return call(("finish", {"report": "The boat floats."}))
        if any(message.role == "tool" for message in request.messages):
            return say("I wait.")
        return call(("ask_human", {"question": "Which wood?", "options": ["Oak", "Ash"]}))


async def continue_it(product: RunningBot) -> None:
    """Continue the task once, from wherever it stands, and wait until it has ended again and all is said."""
    assert product.local is not None
    engine = product.engine.engine
    if not (await engine.look.task(1)).continued:
        await engine.handle(ContinueTask(1, f"discord:{product.local.you.id}", "You", text=GO_ON))
    ends = 0
    async for event in engine.events():
        ends += isinstance(event.body, TaskEnded)
        if ends == 2:
            await product.outbox.drain(event.seq)
            break
    await _card_is_up_to_date(product)


async def play(product: RunningBot, boss: Boss) -> None:
    """To the end, from wherever it stands."""
    assert product.local is not None
    engine, person = product.engine.engine, product.local.you
    if not await engine.look.tasks():
        await person.slash(person.channel("lobby"), "task new", goal="Build a boat")
    await BotRecords(product.engine.database).follow(1, FOLLOWER, "all")
    boss.may.set()
    async for event in engine.events():
        task = await engine.look.task(1)
        if isinstance(event.body, GateRaised) and task.ended_at is None and not task.continued:
            await product.outbox.drain(event.seq)
            await engine.handle(StopTask(1, f"discord:{person.id}"))
        if isinstance(event.body, TaskEnded):
            await product.outbox.drain(event.seq)
            break
    await _card_is_up_to_date(product)


async def _card_is_up_to_date(product: RunningBot) -> None:
    async with asyncio.timeout(60):
        while await _behind(product):  # noqa: ASYNC110 - the card's row says when it is up to date
            await asyncio.sleep(0.05)


async def _behind(product: RunningBot) -> bool:
    card = await BotRecords(product.engine.database).card(1)
    return card is None or not card.message_id or card.shown_seq < card.changed_seq


async def main(folder: Path, point: str) -> None:
    """Start (or resume), and die at the point."""
    if point and point != CONTINUE:
        {**POINTS, **CONTINUING}[point]()
    boss = Boss()
    options = LocalOptions(data=folder / "discord", time_scale=40.0)
    live_card.TICK_S = EVERY_S
    bot = bot_settings().model_copy(update={"card_every_s": EVERY_S})
    async with running(
        engine_settings(folder), bot, model=ScriptedModel(boss), local_options=options
    ) as product:
        await play(product, boss)
        if point == CONTINUE or point in CONTINUING:
            await continue_it(product)


async def program(arguments: Sequence[str]) -> None:
    """What the fork server runs."""
    await main(Path(arguments[0]), arguments[1])
