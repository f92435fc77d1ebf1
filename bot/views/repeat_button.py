"""The buttons that confirm a repeated task, once its cost was said."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import discord

from bot import texts
from bot.access import Right, origin_of
from bot.desk import Interaction, Refused, answer, demand, here, hold, parts_of
from bot.recurring import in_words
from bot.views.pressed import Pressed
from engine.commands import Limits, RepeatTask

LASTS_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RepeatOrder:
    """What was asked, until it is confirmed."""

    goal: str
    cron: str
    zone: str
    limits: Limits
    model: str | None


async def keep(interaction: Interaction, order: RepeatOrder) -> int:
    """Number under which the buttons find the order, also after a restart, for a day."""
    parts = parts_of(interaction)
    now = parts.now()
    await parts.book.drop_facts("repeat-order:", f"repeat-order:{int((now - LASTS_S) * 1000) * 1000}")
    number = int(now * 1000) * 1000 + secrets.randbelow(1000)
    await parts.book.set_fact(f"repeat-order:{number}", json.dumps(asdict(order)))
    return number


async def _take(interaction: Interaction, number: int) -> RepeatOrder:
    kept = await parts_of(interaction).book.take_fact(f"repeat-order:{number}")
    if kept is None:
        raise Refused(texts.REPEAT_LOST)
    values = json.loads(kept)
    return RepeatOrder(**values | {"limits": Limits(**values["limits"])})


class RepeatButton(
    Pressed,
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
        """Begin to repeat, or leave it."""
        await hold(interaction)
        order = await _take(interaction, self.number)
        if self.verb == "no":
            await answer(interaction, texts.REPEAT_NOT)
            return
        person = await demand(interaction, Right.START)
        parts = parts_of(interaction)
        command = RepeatTask(
            order.goal,
            person.key,
            here(interaction),
            order.cron,
            order.zone,
            order.limits,
            order.model,
            origin=origin_of(interaction.channel_id or 0),
        )
        number = await parts.engine.handle(command)
        words = texts.REPEAT_BEGUN.format(id=number, when=in_words(order.cron, order.zone))
        await answer(interaction, words)


def sure_view(number: int) -> discord.ui.View:
    """Asks once more before a task repeats."""
    view = discord.ui.View(timeout=None)
    view.add_item(RepeatButton(number, "yes"))
    view.add_item(RepeatButton(number, "no"))
    return view
