"""Limits hold at the commit on every backend, when many agents act on what was true before."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from engine.domain.effects import ChangeFile, CheckRoom, CheckTeam, Recruit
from engine.errors import Stale
from engine.steps.commit import commit_step
from engine.store.core import AGENTS, FILES, TASKS
from tests.contracts.conftest import World
from tests.contracts.test_database import begin, commit_messages, load, outcome

WRITERS = 6


async def test_files_of_many_agents_stay_within_the_tasks_room(world: World) -> None:
    """Each alone would fit. All commit at once: as many as fit are in, the others must look again."""
    _, agents = await world.write(lambda c: begin(c, WRITERS + 1))
    await world.write(lambda c: commit_messages(c, agents[1:]))
    turns = [await load(world, agent) for agent in agents[1:]]
    room = CheckRoom(4, 1_000)

    async def commit(number: int) -> bool:
        file = ChangeFile(1, f"f{number}", "aaa", None, 300, "added")
        try:
            await world.write(lambda c: commit_step(c, turns[number], outcome(file, room), 2.0))
        except Stale:
            return False
        return True

    done = await asyncio.gather(*map(commit, range(WRITERS)))
    assert sum(done) == 3  # a fourth would be 1,200 bytes
    files = await world.rows(sa.select(FILES.c.path, FILES.c.size))
    assert sorted(row.path for row in files) == sorted(f"f{n}" for n, well in enumerate(done) if well)


@pytest.mark.parametrize("state", ["none", "proposed", "approved"])
async def test_recruits_of_many_agents_stay_within_an_approval(world: World, state: str) -> None:
    """More than the people were asked about join only where they approved; nobody while a plan waits."""
    _, agents = await world.write(lambda c: begin(c, WRITERS + 1))
    await world.write(lambda c: commit_messages(c, agents[1:]))
    await world.write(lambda c: c.execute(TASKS.update().values(plan_state=state)))
    before = int(await world.scalar(sa.select(TASKS.c.agents)))
    turns = [await load(world, agent) for agent in agents[1:]]

    async def commit(number: int) -> bool:
        new = Recruit(1, f"New{number}", "w", "w", f"group {number}")
        effects = outcome(new, CheckTeam(before + 2))
        try:
            await world.write(lambda c: commit_step(c, turns[number], effects, 2.0))
        except Stale:
            return False
        return True

    done = await asyncio.gather(*map(commit, range(WRITERS)))
    assert sum(done) == {"none": 2, "proposed": 0, "approved": WRITERS}[state]
    joined = sa.select(sa.func.count()).where(AGENTS.c.name.startswith("New"))
    assert await world.scalar(joined) == sum(done)
