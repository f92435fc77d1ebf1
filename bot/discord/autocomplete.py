"""Autocomplete for options: at most 25 choices; an empty server gives no choices and no error."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import available_timezones

from discord import app_commands

from bot.discord.access import Right, may
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, many
from bot.discord.identities import owner_id
from bot.discord.interactions import requester, visible_tasks
from bot.discord.lookup import agents_near, current_space, groups_near

Choices = list[app_commands.Choice[str]]


def _matching(current: str, pairs: Iterable[tuple[str, str]]) -> Choices:
    wanted = current.casefold().lstrip("#@")
    found = [(name, value) for name, value in pairs if wanted in name.casefold()]
    return [app_commands.Choice(name=cut(name, 100), value=value) for name, value in found[:25]]


async def tasks(interaction: Interaction, current: str) -> Choices:
    """Return the tasks of this server that the person may view, open ones first."""
    found = await visible_tasks(
        interaction, await parts_of(interaction).engine.look.tasks(current_space(interaction))
    )
    ordered = sorted(found, key=lambda t: (t.ended_at is not None, -t.id))
    return _matching(
        current, ((f"#{t.id} {t.state}: {' '.join(t.goal.split())}", str(t.id)) for t in ordered)
    )


async def agents(interaction: Interaction, current: str) -> Choices:
    """Return the agents of the channel's task, or of all open tasks."""
    found = [a for a in await agents_near(interaction) if a.state != "dismissed"]
    return _matching(current, ((f"{a.name} ({a.state}): {a.title}", str(a.id)) for a in found))


async def groups(interaction: Interaction, current: str) -> Choices:
    """Return the groups of the channel's task, or of all open tasks."""
    found = await groups_near(interaction)
    return _matching(
        current, ((f"{g.name}, {many(len(g.member_ids) + 1, 'agent')}", str(g.id)) for g in found)
    )


async def repeats(interaction: Interaction, current: str) -> Choices:
    """What repeats in this server: for those who may start or steer here all of it, for others their own."""
    person = requester(interaction)
    rules = await parts_of(interaction).records.rules(interaction.guild_id or 0)
    everything = may(person, Right.START, rules) or may(person, Right.STEER, rules)
    repeated = await parts_of(interaction).engine.look.repeats(current_space(interaction))
    found = [repeat for repeat in repeated if everything or owner_id(repeat.by) == person.id]
    return _matching(current, ((f"#{r.id} {' '.join(r.goal.split())}", str(r.id)) for r in found))


async def memories(interaction: Interaction, current: str) -> Choices:
    """What is remembered for this server, for those who may list it."""
    rules = await parts_of(interaction).records.rules(interaction.guild_id or 0)
    if not may(requester(interaction), Right.START, rules):
        return []
    found = await parts_of(interaction).engine.look.memories(current_space(interaction))
    return _matching(current, ((f"#{m.id} {' '.join(m.text.split())}", str(m.id)) for m in found))


async def models(interaction: Interaction, current: str) -> Choices:
    """The models a task may name; anything where the operator names none."""
    return _matching(current, ((name, name) for name in parts_of(interaction).models.names or ()))


async def zones(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
    """Time zones whose name holds what was typed."""
    wanted = current.casefold().replace(" ", "_")
    found = sorted(name for name in available_timezones() if wanted in name.casefold())
    return [app_commands.Choice(name=name, value=name) for name in found[:25]]
