"""The buttons of the welcome and of the offer to start plain words as a task; they work after a restart."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

import discord

from bot.discord.context import Interaction, Parts, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import hold
from bot.discord.reporting_item import ReportingItem
from bot.features.tasks.actions import require_start
from bot.features.tasks.demo import start_demonstration
from bot.features.tasks.drafts import LASTS_S
from bot.features.tasks.new import TaskDraft, begin, open_goal_window, show_started
from bot.features.welcome import texts
from bot.texts import refusals
from engine.commands import Limits

KIND = "offer"


class WelcomeButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"welcome:(?P<what>[a-z]+)",
):
    """`welcome:demo`, `welcome:new`, or `welcome:<name of an example>`."""

    def __init__(self, what: str) -> None:
        label, style = texts.NEW, discord.ButtonStyle.secondary
        if what == "demo":
            label, style = texts.DEMO, discord.ButtonStyle.primary
        elif what in texts.EXAMPLES:
            label = texts.EXAMPLES[what].label
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"welcome:{what}"))
        self.what = what

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> WelcomeButton:
        """The button that was pressed, from its id alone."""
        return cls(match["what"])

    async def pressed(self, interaction: Interaction) -> None:
        """Start the demonstration, or open the window of a goal with the example in it."""
        if self.what == "demo":
            await hold(interaction)
            await start_demonstration(interaction)
            return
        await require_start(interaction, Limits(), None)
        example = texts.EXAMPLES.get(self.what)
        await open_goal_window(interaction, TaskDraft(Limits(), None, ()), example.goal if example else "")


class OfferButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"offer:(?P<number>\d{1,20})",
):
    """`offer:<number of the kept words>`: whoever may start tasks can press it, once."""

    def __init__(self, number: int) -> None:
        super().__init__(
            discord.ui.Button(
                label=texts.START, style=discord.ButtonStyle.success, custom_id=f"offer:{number}"
            )
        )
        self.number = number

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> OfferButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["number"]))

    async def pressed(self, interaction: Interaction) -> None:
        """Start the kept words as a task, if the one who presses may."""
        await hold(interaction)
        await require_start(interaction, Limits(), None)
        kept = await parts_of(interaction).records.take_fact(_name(interaction.guild_id or 0, self.number))
        if kept is None:
            raise ActionRefused(refusals.OFFER_LOST)
        words = json.loads(kept)
        state = interaction.client._connection
        files = tuple(discord.Attachment(data=data, state=state) for data in words["attachments"])
        order = TaskDraft(Limits(), None, files)
        try:
            task_id = await begin(interaction, words["goal"], order)
        except Exception:
            name = _name(interaction.guild_id or 0, self.number)
            await parts_of(interaction).records.set_fact(name, kept)  # nothing began: it can be tried again
            raise
        await show_started(interaction, task_id, order)


def _name(guild_id: int, number: int) -> str:
    # The number comes first: names sort by age, which is how old ones are dropped.
    return f"{KIND}:{number}:{guild_id}"


async def keep_offer(
    parts: Parts, guild_id: int, goal: str, attachments: Sequence[discord.Attachment]
) -> int:
    """Store a person's words exactly as they are; return the number under which the button finds them."""
    now = parts.now()
    await parts.records.drop_facts(f"{KIND}:", f"{KIND}:{int((now - LASTS_S) * 1000) * 1000}")
    number = int(now * 1000) * 1000 + secrets.randbelow(1000)
    kept = {"goal": goal, "attachments": [attachment.to_dict() for attachment in attachments]}
    await parts.records.set_fact(_name(guild_id, number), json.dumps(kept))
    return number


def welcome_view(offer: int | None = None) -> discord.ui.View:
    """Return the buttons of the welcome; with the number of an offer, its button first."""
    view = discord.ui.View(timeout=None)
    first: list[discord.ui.Item[Any]] = [WelcomeButton("demo"), WelcomeButton("new")]
    if offer is not None:
        first.insert(0, OfferButton(offer))
    for item in first:
        item.row = 0
        view.add_item(item)
    if offer is None:
        for name in texts.EXAMPLES:
            example = WelcomeButton(name)
            example.row = 1
            view.add_item(example)
    return view
