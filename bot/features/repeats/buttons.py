"""The buttons that confirm a repeating task after its cost was shown."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import discord

from bot import texts
from bot.discord.confirmations import settle
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.identities import origin_of
from bot.discord.interactions import requester
from bot.discord.lookup import current_space
from bot.discord.reporting_item import ReportingItem
from bot.features.repeats.recurrence import in_words
from bot.features.tasks.actions import require_start
from bot.features.tasks.drafts import keep_draft, read_draft, take_draft
from bot.texts import refusals
from engine.commands import Limits, RepeatTask

KIND = "repeat-order"


@dataclass(frozen=True, slots=True)
class RepeatDraft:
    """A repeating task that is not confirmed yet."""

    goal: str
    cron: str
    zone: str
    limits: Limits
    model: str | None


async def keep(interaction: Interaction, order: RepeatDraft) -> int:
    """Store the draft; return the number under which the buttons find it."""
    return await keep_draft(interaction, KIND, asdict(order))


async def _kept(interaction: Interaction, number: int) -> RepeatDraft:
    values = await read_draft(interaction, KIND, number)
    if values is None:
        raise ActionRefused(refusals.REPEAT_LOST)
    return RepeatDraft(**values | {"limits": Limits(**values["limits"])})


class RepeatButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"repeat:(?P<verb>yes|no):(?P<number>\d{1,20})",
):
    """`repeat:<yes or no>:<number of the order>`."""

    def __init__(self, number: int, verb: str) -> None:
        style = discord.ButtonStyle.success if verb == "yes" else discord.ButtonStyle.secondary
        label = texts.BUTTON[f"repeat_{verb}"]
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"repeat:{verb}:{number}"))
        self.number, self.verb = number, verb

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> RepeatButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["number"]), match["verb"])

    async def pressed(self, interaction: Interaction) -> None:
        """Create the repeating task or discard it. Rights are checked again: a day may have passed."""
        await settle(interaction, self._settled(interaction))

    async def _settled(self, interaction: Interaction) -> str:
        order = await _kept(interaction, self.number)
        if self.verb == "yes":
            await require_start(interaction, order.limits, order.model)
        if not await take_draft(interaction, KIND, self.number):
            raise ActionRefused(refusals.REPEAT_LOST)
        return await _begun(interaction, order) if self.verb == "yes" else texts.REPEAT_NOT


async def _begun(interaction: Interaction, order: RepeatDraft) -> str:
    parts, person = parts_of(interaction), requester(interaction)
    command = RepeatTask(
        order.goal,
        person.key,
        current_space(interaction),
        order.cron,
        order.zone,
        order.limits,
        order.model,
        origin=origin_of(interaction.channel_id or 0),
        by_name=person.named,
    )
    number = await parts.engine.handle(command)
    return texts.REPEAT_BEGUN.format(id=number, when=in_words(order.cron, order.zone))


def confirm_view(number: int) -> discord.ui.View:
    """Return the confirmation buttons of a repeating task."""
    view = discord.ui.View(timeout=None)
    view.add_item(RepeatButton(number, "yes"))
    view.add_item(RepeatButton(number, "no"))
    return view
