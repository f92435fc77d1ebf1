"""The buttons of a gate: options, an answer in words; a plan's approval within caps. One answer counts.

Whoever is first is decided by the engine, not here: a second press is refused there, and the buttons then
show what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import discord

from bot import texts
from bot.access import Right
from bot.desk import Interaction, demand, gate_by_id
from bot.views.pressed import Pressed
from bot.views.windows import gate_window, plan_cap_window, settle_gate
from bot.words import cut
from engine.errors import WrongState
from engine.queries import GateView

MOST_OPTIONS = 20


class GateButton(
    Pressed,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"gate:(?P<gate>\d{1,12}):(?P<choice>\d{1,2}|say|cap)",
):
    """`gate:<gate id>:<number of the option, say or cap>`."""

    def __init__(
        self,
        gate_id: int,
        choice: str,
        label: str,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        custom_id = f"gate:{gate_id}:{choice}"
        super().__init__(discord.ui.Button(label=cut(label, 80), style=style, custom_id=custom_id))
        self.gate_id, self.choice = gate_id, choice

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> GateButton:
        """The button that was pressed, from its id alone."""
        return cls(int(match["gate"]), match["choice"], match["choice"])

    async def pressed(self, interaction: Interaction) -> None:
        """Answer with the option, or open the window the button names."""
        gate, task = await gate_by_id(interaction, self.gate_id)
        if self.choice == "cap":
            await demand(interaction, Right.APPROVE, task)
            _still_open(gate)
            await interaction.response.send_modal(plan_cap_window(gate, task))
        elif self.choice == "say":
            await demand(interaction, Right.APPROVE, task)
            _still_open(gate)
            await interaction.response.send_modal(gate_window(gate))
        else:
            await interaction.response.defer()
            await settle_gate(interaction, gate, task, gate.options[int(self.choice)])


def _still_open(gate: GateView) -> None:
    if gate.answer is not None:
        raise WrongState(texts.GATE_CLOSED)


def gate_view(gate_id: int, options: Sequence[str]) -> discord.ui.View:
    """The buttons of an open gate, from its id and options (`bot.ports.GateView`)."""
    view = discord.ui.View(timeout=None)
    for number, option in enumerate(options[:MOST_OPTIONS]):
        view.add_item(GateButton(gate_id, str(number), option or "…", _style(number, option)))
    plan = is_plan(options)
    if not is_cap(options):
        view.add_item(GateButton(gate_id, "say", texts.BUTTON["edit" if plan else "say"]))
    if plan:
        view.add_item(GateButton(gate_id, "cap", texts.BUTTON["plan_cap"]))
    return view


def _style(number: int, option: str) -> discord.ButtonStyle:
    """What ends or approves looks like it; otherwise the first option stands out."""
    word = option.casefold()
    if word.startswith("approve"):
        return discord.ButtonStyle.success
    if word.startswith(("cancel", "stop")):
        return discord.ButtonStyle.danger
    return discord.ButtonStyle.primary if number == 0 else discord.ButtonStyle.secondary


def is_cap(options: Sequence[str]) -> bool:
    """Whether the options are a reached cap's: words would not say how much (that is `/task cap`)."""
    return any(option.casefold().startswith("raise by") for option in options)


def is_plan(options: Sequence[str]) -> bool:
    """Whether the options are a plan's: to approve, among others."""
    return any(option.casefold().startswith("approve") for option in options)
