"""`/audit`: the decisions of people in this server, for its managers."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts as common
from bot.discord.context import Interaction, parts_of
from bot.discord.interactions import answer, hold, require_manager
from bot.discord.lookup import current_space, task_by_id
from bot.features.audit import texts
from bot.features.audit.pages import audit_view
from engine.queries import DecisionView

MOST_ROWS = 5_000
MOST_BYTES = 8_000_000
"""Limits of an export, below what Discord takes as one file."""


class AuditCog(commands.Cog):
    """The `/audit` command."""

    @app_commands.command(name="audit", description=common.CMD["audit"])
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.describe(task=common.OPT["audit_task"], export=common.OPT["export"])
    async def audit(
        self,
        interaction: Interaction,
        task: app_commands.Range[int, 1] | None = None,
        export: bool = False,
    ) -> None:
        """Show the trail in pages, newest first, or attach it as a file."""
        await hold(interaction)
        require_manager(interaction)
        if task is not None:
            await task_by_id(interaction, task)
        if export:
            await self._export(interaction, task)
            return
        text, view = await audit_view(interaction, task or 0)
        await answer(interaction, text, view=view)

    async def _export(self, interaction: Interaction, task_id: int | None) -> None:
        look = parts_of(interaction).engine.look
        found = await look.decisions(current_space(interaction), task_id, limit=MOST_ROWS + 1)
        lines, complete = export_lines(found[:MOST_ROWS])
        text = texts.EXPORTED.format(count=f"{len(lines):,} decisions")
        if not complete or len(found) > MOST_ROWS:
            text += texts.CUT.format(limit=f"{len(lines):,} decisions")
        data = io.BytesIO("".join(lines).encode())
        await answer(interaction, text, files=[discord.File(data, "audit.jsonl")])


def export_lines(decisions: Sequence[DecisionView]) -> tuple[list[str], bool]:
    """Return the decisions as lines of JSON, and whether all fit into `MOST_BYTES`."""
    lines: list[str] = []
    left = MOST_BYTES
    for decision in decisions:
        line = json.dumps(asdict(decision), ensure_ascii=True) + "\n"
        left -= len(line)
        if left < 0:
            return lines, False
        lines.append(line)
    return lines, True
