"""`/doctor`: report what is missing, where, and how to fix it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord.access import GuildRules, Right
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, many
from bot.discord.interactions import answer, hold, require_manager
from bot.discord.lookup import current_space
from bot.features.tools.listing import doctor_lines
from bot.features.tools.sign_in import sign_in_view, states_here
from engine.ports import SandboxStatus

IN_SERVER: Mapping[str, str] = {
    "manage_channels": "Manage Channels",
    "manage_webhooks": "Manage Webhooks",
    "manage_threads": "Manage Threads",
}
IN_PLACE: Mapping[str, str] = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "create_public_threads": "Create Public Threads",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
    "add_reactions": "Add Reactions",
    "manage_webhooks": "Manage Webhooks",
}

IN_CATEGORY: Mapping[str, str] = {**IN_PLACE, "manage_channels": "Manage Channels"}
"""Channels made in a category begin with its permissions; the bot must not lock itself out."""

READ_ONLY = "manage_roles"
"""Making channels read-only at the end, and nothing else, needs it: `/doctor` says so where it is missing."""

PINS = "pin_messages"
"""Pinning the link to a task's card, and nothing else, needs it: `/doctor` says so where it is missing."""


def lacking(has: discord.Permissions, needed: Mapping[str, str]) -> list[str]:
    """Return Discord's names of the needed permissions that are missing."""
    return [shown for name, shown in needed.items() if not getattr(has, name)]


def permission_lines(
    server: discord.Permissions, places: Sequence[tuple[str, discord.Permissions]]
) -> list[str]:
    """A line for the places (mention, permissions there) that lack the same, or one that all is clear."""
    missing = lacking(server, IN_SERVER)
    lines = [texts.DOCTOR_SERVER.format(missing=", ".join(missing))] if missing else []
    alike: dict[str, list[str]] = defaultdict(list)
    for mention, has in places:
        if lack := lacking(has, IN_PLACE):
            alike[", ".join(lack)].append(mention)
    for lack_there, mentions in alike.items():
        lines.append(texts.DOCTOR_CHANNEL.format(where=texts.listed(mentions), missing=lack_there))
    return lines or [texts.DOCTOR_ALL_RIGHT.format(count=many(len(places), "place"))]


def rights_lines(rules: GuildRules, role_ids: frozenset[int]) -> list[str]:
    """Return a line for each problem with the rights of roles."""
    if not rules.start & role_ids:
        return [texts.DOCTOR_ROLES]
    gone = [right for right in Right if rules.roles(right) - role_ids]
    return [texts.DOCTOR_ROLE_GONE.format(right=right.value) for right in gone]


def sandbox_line(status: SandboxStatus) -> str:
    """Return a line that says whether agents' code can be run."""
    if status.available:
        return texts.DOCTOR_SANDBOX_OK.format(mechanism=status.mechanism)
    return texts.DOCTOR_SANDBOX_BAD.format(reason=status.reason)


async def places_of(interaction: Interaction) -> list[tuple[str, discord.Permissions]]:
    """The channel asked in and every open place of this server, with what the bot may do there."""
    guild = interaction.guild
    assert guild is not None
    ids = dict.fromkeys([interaction.channel_id or 0, *await parts_of(interaction).records.open_channels()])
    found = [channel for i in ids if (channel := guild.get_channel_or_thread(i)) is not None]
    return [(channel.mention, channel.permissions_for(guild.me)) for channel in found]


async def category_lines(interaction: Interaction) -> list[str]:
    """Return what the bot lacks in the category that `/setup` chose, as a line, or nothing."""
    guild = interaction.guild
    assert guild is not None
    rules = await parts_of(interaction).records.rules(guild.id)
    category = guild.get_channel(rules.category_id or 0)
    missing = lacking(category.permissions_for(guild.me), IN_CATEGORY) if category else []
    return [texts.DOCTOR_CATEGORY.format(where=f"<#{rules.category_id}>", missing=", ".join(missing))] * bool(
        missing
    )


async def server_lines(interaction: Interaction, guild: discord.Guild) -> list[str]:
    """Return what the bot may not do here; in a timeout only that, of which its permissions say nothing."""
    until = guild.me.timed_out_until
    if until is not None and guild.me.is_timed_out():
        return [texts.DOCTOR_TIMED_OUT.format(until=int(until.timestamp()))]
    lines = permission_lines(guild.me.guild_permissions, await places_of(interaction))
    lines += await category_lines(interaction)
    if not getattr(guild.me.guild_permissions, READ_ONLY):
        lines.append(texts.DOCTOR_ARCHIVE)
    if not getattr(guild.me.guild_permissions, PINS):
        lines.append(texts.DOCTOR_PINS)
    return lines


class DoctorCog(commands.Cog):
    """The `/doctor` command."""

    @app_commands.command(name="doctor", description=texts.CMD["doctor"])
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def doctor(self, interaction: Interaction) -> None:
        """Check everything and report fixes; waiting posts are retried at once."""
        await hold(interaction)
        person = require_manager(interaction)
        parts, guild = parts_of(interaction), interaction.guild
        assert guild is not None
        parts.probes.again()
        lines = await server_lines(interaction, guild)
        if guild.mfa_level is discord.MFALevel.require_2fa:
            lines.append(texts.DOCTOR_2FA)
        reads = interaction.client.intents.message_content
        lines.append(texts.DOCTOR_INTENT_ON if reads else texts.DOCTOR_INTENT_OFF)
        answers, detail = await parts.probes.model()
        lines.append((texts.DOCTOR_MODEL_OK if answers else texts.DOCTOR_MODEL_BAD).format(detail=detail))
        counts = await parts.routes.counts()
        if counts:
            told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
            lines.append(texts.DOCTOR_OUTBOX.format(counts=told))
        lines.append(sandbox_line(parts.probes.sandbox()))
        states = states_here(parts.outside, current_space(interaction))
        lines += doctor_lines(states)
        if problem := parts.probes.faces():
            lines.append(texts.DOCTOR_FACES.format(problem=problem))
        roles = frozenset(role.id for role in guild.roles)
        lines += rights_lines(await parts.records.rules(guild.id), roles)
        view = await sign_in_view(interaction.client, person, states)
        await answer(interaction, cut("\n".join(lines), 2000), view=view)
