"""Many agents at once, for cards and pictures: a boss, heads, members; the same every time."""

from __future__ import annotations

import random
from dataclasses import replace

from engine.domain.doing import Doing
from engine.queries import AgentView, Spend

FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dai",
    "Esme",
    "Finn",
    "Gus",
    "Hana",
    "Ivo",
    "June",
    "Kofi",
    "Lena",
    "Milo",
    "Nora",
)
LAST = (
    "Archer",
    "Baker",
    "Cooper",
    "Dyer",
    "Fletcher",
    "Glover",
    "Harper",
    "Mason",
    "Potter",
    "Smith",
    "Turner",
)
DOING = (
    (Doing("write_file", ("report.md",)),),
    (Doing("review"),),
    (Doing("run", ("pytest",)),),
    (Doing("read_file", ("sources.md",)),),
    (),
)
STATES = ("working", "working", "idle", "idle", "idle", "paused")


def crowd(count: int, seed: int = 1) -> list[AgentView]:
    """`count` agents; groups of about six, at most four levels deep."""
    dice = random.Random(seed)
    agents = [_agent(dice, 1, None, 0)]
    heads = [agents[0]]
    while len(agents) < count:
        head = heads.pop(0)
        for number in range(min(dice.randint(4, 8), count - len(agents))):
            member = _agent(dice, len(agents) + 1, head, head.depth + 1)
            agents.append(member)
            if number < 5 and head.depth < 3:
                heads.append(member)
    led = {agent.head_id for agent in agents}
    return [_led(agent) if agent.id in led else agent for agent in agents]


def _agent(dice: random.Random, number: int, head: AgentView | None, depth: int) -> AgentView:
    name = f"{dice.choice(FIRST)} {dice.choice(LAST)}" if head else "Boss"
    return AgentView(
        id=number,
        task_id=1,
        name=name,
        role="member" if head else "boss",
        title=f"Expert for part {number}",
        instructions="",
        state=dice.choice(STATES),
        group_id=1000 + (head.id if head else 0),
        leads_group_id=None,
        head_id=head.id if head else None,
        depth=depth,
        doing=dice.choice(DOING),
        todo=(),
        steps=3,
        spend=Spend(),
        last_active_at=0.0,
    )


def _led(agent: AgentView) -> AgentView:
    return replace(agent, leads_group_id=1000 + agent.id)


def steps_of(agents: list[AgentView], seed: int = 2) -> list[tuple[int, float, float, int]]:
    """A timeline in which deeper agents start later."""
    dice = random.Random(seed)
    steps = []
    for agent in agents:
        at = 1000.0 + 60 * agent.depth + dice.uniform(0, 240)
        for _ in range(dice.randint(2, 8)):
            end = at + dice.uniform(4, 60)
            steps.append((agent.id, at, end, dice.randint(200, 9000)))
            at = end + dice.uniform(1, 120)
    return sorted(steps, key=lambda step: step[1])
