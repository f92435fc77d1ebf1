"""Lookup of other agents by name, for tools."""

from __future__ import annotations

import difflib

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.effects import Dismiss
from engine.domain.naming import address_key
from engine.store.core import AGENTS, AnyRow
from engine.tools.base import ToolContext, ToolRefused


async def check_names(context: ToolContext, names: list[str]) -> None:
    """Check that all `names` exist. Raises ToolRefused with similar names otherwise.

    Checks only after a stale commit: the commit itself resolves names, and they are nearly always right.
    """
    wanted = {address_key(name) for name in names} - set(context.recruited)
    if not wanted or not context.careful:
        return
    rows = await context.db.read(lambda c: _find(c, context.task.id, wanted))
    active = {row.name_key for row in rows if row.status != "dismissed"}
    for name in names:
        if address_key(name) in wanted and address_key(name) not in active:
            raise ToolRefused(await _nobody(context, name), "missing")


def _find(connection: Connection, task_id: int, keys: set[str]) -> list[AnyRow]:
    query = sa.select(AGENTS.c.name_key, AGENTS.c.status).where(
        AGENTS.c.task_id == task_id, AGENTS.c.name_key.in_(sorted(keys))
    )
    return list(connection.execute(query))


async def _nobody(context: ToolContext, name: str) -> str:
    everyone = await context.db.read(lambda c: _active_names(c, context.task.id))
    close = difflib.get_close_matches(name, everyone, n=5, cutoff=0.4) or everyone[:15]
    return f"Nobody here is called {name!r}. Use an exact name, such as: {', '.join(close) or 'human'}."


def _active_names(connection: Connection, task_id: int) -> list[str]:
    query = (
        sa.select(AGENTS.c.name)
        .where(AGENTS.c.task_id == task_id, AGENTS.c.status != "dismissed")
        .order_by(AGENTS.c.id)
        .limit(2000)
    )
    return list(connection.execute(query).scalars())


async def my_members(context: ToolContext) -> dict[str, str]:
    """name_key -> name of the caller's active members, as this step leaves them."""
    group = context.agent.leads_group_id
    known: dict[str, str] = {}
    if group is not None:
        known = await context.db.read(lambda c: _members(c, group, context.agent.id))
    for effect in context.staged(Dismiss):
        known.pop(effect.name, None)
    return known | context.recruited


def not_mine(name: str, members: dict[str, str]) -> ToolRefused:
    """Return the refusal for a name that is not a member of the caller's group."""
    known = ", ".join(members.values())
    hint = f"Your members: {known}." if known else "You have no members yet: recruit first."
    return ToolRefused(f"{name} is not in your group. {hint}", "missing")


def _members(connection: Connection, group: int, head: int) -> dict[str, str]:
    query = sa.select(AGENTS.c.name_key, AGENTS.c.name).where(
        AGENTS.c.group_id == group,
        AGENTS.c.id != head,
        AGENTS.c.status != "dismissed",
        AGENTS.c.role != "auditor",
    )
    return {row.name_key: row.name for row in connection.execute(query)}
