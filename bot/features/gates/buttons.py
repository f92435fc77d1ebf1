"""The buttons of a gate: its choices, an answer in words, a plan's approval within caps. One answer counts.

What a custom id says is not believed: the choice is looked up in the gate at the moment of use, and the right
comes from its effect. Whoever is first is decided by the engine, not here: a second press is refused there,
and the buttons then show what was answered.
"""

from __future__ import annotations

import re
from typing import Any

import discord

from bot import texts
from bot.discord.access import Right
from bot.discord.context import Interaction
from bot.discord.errors import ActionRefused
from bot.discord.formatting import cut
from bot.discord.interactions import acknowledge, requester, require_right
from bot.discord.lookup import gate_by_id
from bot.discord.reporting_item import ReportingItem
from bot.features.gates.windows import gate_window, plan_cap_window, settle_gate
from bot.texts import refusals
from bot.texts.gates import label, text_label
from engine.commands import AnswerGate
from engine.domain.gates import TAKES_TEXT, Choice, choice_of
from engine.queries import GateView, TaskView

SAY, CAP = "say", "cap"
"""In place of a choice's id: open the window for words, or that for an approval within caps."""


class GateButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"gate:(?P<gate>\d{1,12}):(?P<choice>[^:]{1,60})",
):
    """`gate:<gate id>:<choice id>`, or `say` or `cap`; on older messages the number of the choice."""

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
        """Answer with the choice, or open the window that the button names."""
        gate, task = await gate_by_id(interaction, self.gate_id)
        if self.choice in (SAY, CAP):
            await self._open_window(interaction, gate, task)
            return
        await acknowledge(interaction)
        choice = _chosen(gate, self.choice)
        if choice is None and gate.basis is None:
            await require_right(interaction, Right.APPROVE, task)
            await interaction.edit_original_response(view=gate_view(gate))
            raise ActionRefused(refusals.NO_CHOICE)
        given = AnswerGate(gate.id, requester(interaction).key, choice.id if choice else self.choice)
        await settle_gate(interaction, gate, task, given)

    async def _open_window(self, interaction: Interaction, gate: GateView, task: TaskView) -> None:
        await require_right(interaction, Right.APPROVE, task)
        if gate.basis is not None:
            raise ActionRefused(refusals.GATE_CLOSED)
        if self.choice == SAY:
            if gate.kind not in TAKES_TEXT:
                raise ActionRefused(refusals.CAP_IN_WORDS)
            await interaction.response.send_modal(gate_window(gate))
        else:
            if not _approvable(gate):
                raise ActionRefused(refusals.NO_CHOICE)
            await interaction.response.send_modal(plan_cap_window(gate, task))


def _chosen(gate: GateView, choice: str) -> Choice | None:
    """The gate's choice by its id; by its number on messages of versions before there were ids."""
    if choice.isdecimal() and choice.isascii() and int(choice) < len(gate.choices):
        return gate.choices[int(choice)]
    return choice_of(gate.choices, choice)


def _approvable(gate: GateView) -> bool:
    return any(choice.effect == "approve" for choice in gate.choices)


def gate_view(gate: GateView) -> discord.ui.View:
    """The buttons of an open gate (`bot.ports.GateButtons`)."""
    view = discord.ui.View(timeout=None)
    for number, choice in enumerate(gate.choices):
        view.add_item(GateButton(gate.id, choice.id, label(choice) or "…", _style(number, choice)))
    if gate.kind in TAKES_TEXT:
        view.add_item(GateButton(gate.id, SAY, text_label(gate.kind)))
    if _approvable(gate):
        view.add_item(GateButton(gate.id, CAP, texts.BUTTON["plan_cap"]))
    return view


def _style(number: int, choice: Choice) -> discord.ButtonStyle:
    """What ends or approves looks like it; otherwise the first choice stands out."""
    if choice.effect in ("approve", "allow_call", "allow_action"):
        return discord.ButtonStyle.success
    if choice.effect in ("cancel", "stop", "refuse_plan", "refuse_call", "refuse_packages", "refuse_action"):
        return discord.ButtonStyle.danger
    return discord.ButtonStyle.primary if number == 0 else discord.ButtonStyle.secondary
