"""`/setup`: which roles may start, steer, approve and spend, and the category tasks live in."""

from __future__ import annotations

from dataclasses import replace

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.access import GuildRules, Right
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.interactions import answer, hold, require_manager
from bot.features.setup.doctor import IN_CATEGORY, lacking


def _set(old: frozenset[int], role: discord.Role | None) -> frozenset[int]:
    """Return the given role as the only one, or the old roles if none is given."""
    return old if role is None else frozenset({role.id})


def rules_text(rules: GuildRules) -> str:
    """Return the rules as text, one line per right."""
    lines = []
    for right in Right:
        roles = ", ".join(f"<@&{role_id}>" for role_id in sorted(rules.roles(right)))
        lines.append(texts.SETUP_LINE.format(right=right.value, roles=roles or texts.SETUP_NOBODY))
    place = f"<#{rules.category_id}>" if rules.category_id else texts.SETUP_NEW_CATEGORY
    return "\n".join([*lines, texts.SETUP_PLACE.format(place=place)])


class SetupCog(commands.Cog):
    """The `/setup` command."""

    @app_commands.command(name="setup", description=texts.CMD["setup"])
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.describe(
        start=texts.OPT["start"],
        steer=texts.OPT["steer"],
        approve=texts.OPT["approve"],
        spend=texts.OPT["spend"],
        place=texts.OPT["place"],
    )
    async def setup(
        self,
        interaction: Interaction,
        start: discord.Role | None = None,
        steer: discord.Role | None = None,
        approve: discord.Role | None = None,
        spend: discord.Role | None = None,
        place: discord.CategoryChannel | None = None,
    ) -> None:
        """Change the given settings, keep the others, and show all."""
        await hold(interaction)
        require_manager(interaction)
        if place is not None and (missing := lacking(place.permissions_for(place.guild.me), IN_CATEGORY)):
            raise ActionRefused(texts.SETUP_CLOSED.format(place=place.mention, missing=", ".join(missing)))
        records = parts_of(interaction).records
        old = await records.rules(interaction.guild_id or 0)
        rules = replace(
            old,
            start=_set(old.start, start),
            steer=_set(old.steer, steer),
            approve=_set(old.approve, approve),
            spend=_set(old.spend, spend),
            category_id=place.id if place else old.category_id,
            configured=True,
        )
        given = (start, steer, approve, spend, place)
        if any(value is not None for value in given):
            await records.set_rules(rules)
        await answer(interaction, texts.SETUP_DONE.format(lines=rules_text(rules)))
