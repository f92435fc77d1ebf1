"""Autocomplete for options: at most 25 choices; an empty server gives no choices and no error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from zoneinfo import available_timezones

from discord import app_commands

from bot.discord.access import Right, may
from bot.discord.context import Interaction, parts_of
from bot.discord.formatting import cut, many
from bot.discord.identities import owner_id
from bot.discord.interactions import requester, visible_tasks
from bot.discord.lookup import agents_near, current_space, going_tasks, groups_near

Choices = list[app_commands.Choice[str]]
NEWEST, SEARCHED = 50, 500
"""Newest tasks among which some are offered, and are searched for what was typed; all that go on are, too."""


def _matching(current: str, found: Iterable[tuple[str, str] | tuple[str, str, str]]) -> Choices:
    """Return the choices that hold every typed word, in their name or in what else is known of them.

    `found`: name, value and what else; those with all words in the name come first.
    """
    wanted = current.casefold().lstrip("#@").split()
    named: Choices = []
    others: Choices = []
    for name, value, *about in found:
        choice = app_commands.Choice(name=cut(name, 100), value=value)
        if _holds(name, wanted):
            named.append(choice)
        elif _holds(" ".join([name, *about]), wanted):
            others.append(choice)
    return [*named, *others][:25]


def _holds(text: str, wanted: Iterable[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in wanted)


async def tasks(interaction: Interaction, current: str) -> Choices:
    """Return the tasks of this server that the person may view, open ones first; their goals are searched."""
    look, space = parts_of(interaction).engine.look, current_space(interaction)
    newest = await look.tasks(space, SEARCHED if current.strip() else NEWEST)
    known = {task.id: task for task in (*newest, *await going_tasks(interaction))}
    found = await visible_tasks(interaction, known.values())
    ordered = sorted(found, key=lambda t: (t.ended_at is not None, -t.id))
    return _matching(
        current, ((f"#{t.id} {t.state}: {_line(t.title or t.goal)}", str(t.id), t.goal) for t in ordered)
    )


def _line(text: str) -> str:
    return " ".join(text.split())


async def agents(interaction: Interaction, current: str) -> Choices:
    """Return the agents of the channel's task, or of all open tasks.

    Their instructions, assignments and files are searched.
    """
    found = [a for a in await agents_near(interaction) if a.state != "dismissed"]
    about = await _work_of(interaction, {a.task_id for a in found}) if current.strip() else {}
    return _matching(
        current,
        (
            (
                f"{a.name} ({a.state}): {a.title}",
                str(a.id),
                f"{a.instructions} {about.get((a.task_id, a.name), '')}",
            )
            for a in found
        ),
    )


async def _work_of(interaction: Interaction, task_ids: Iterable[int]) -> dict[tuple[int, str], str]:
    """Return what each agent of the tasks was assigned and which files it wrote last, as text to search."""
    look = parts_of(interaction).engine.look
    about: dict[tuple[int, str], list[str]] = defaultdict(list)
    for task_id in task_ids:
        for given in await look.assignments(task_id):
            about[task_id, given.assignee].append(given.title)
        for file in await look.files(task_id):
            about[task_id, file.agent].append(file.path)
    return {key: " ".join(words) for key, words in about.items()}


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
