"""Immutable snapshot of a running task for the monitoring rules; performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from engine.domain.waits import Awaited
from engine.ports import AgentRole

Action = Literal["nudged", "reported", "replaced", "paused", "asked"]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Thresholds of the monitoring rules in `watch`. Times in seconds."""

    sweep_s: float = 5.0
    quiet_s: float = 0.2
    quiet_rounds: int = 3
    cooldown_s: float = 60.0
    loop: int = 3
    silent_s: float = 120.0
    replace_after: int = 2
    ask_after: int = 5
    chatter: int = 6
    chatter_chars: int = 280
    head_writes: int = 6
    window_s: float = 900.0
    unassigned: int = 4
    unassigned_s: float = 90.0
    relay: int = 3
    plan_excess: float = 1.5


@dataclass(frozen=True, slots=True)
class Watched:
    """One active or paused agent. `busy`: a turn is open or due; `writes`: files written in the window."""

    id: int
    name: str
    role: AgentRole
    group_id: int
    head_id: int | None
    leads: bool
    active: bool
    busy: bool
    active_at: float
    joined_at: float
    steps: int
    writes: int = 0
    produced_at: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenWork:
    """An assignment that is not closed; `stuck` says why its agent cannot run, "" when it can; `waits_for`:
    what its agent waits for."""

    id: int
    title: str
    state: str
    giver_id: int
    assignee_id: int
    changed_at: float = 0.0
    stuck: str = ""
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """A message from one agent to another, in order of `id`; not those that carry assignments."""

    id: int
    from_id: int
    to_id: int
    needs_answer: bool
    chars: int
    at: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An agent waits for a file, or for an assignment of the agent `for_id`."""

    agent_id: int
    what: Awaited
    since: float
    for_id: int | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """How often a rule acted on a subject, and when it last did."""

    times: int
    at: float


@dataclass(frozen=True)
class Snapshot:
    """A running task at one moment. `asking`: agents whose question waits for people; `audited`: its result
    is being judged."""

    boss_id: int
    agents: tuple[Watched, ...]
    work: tuple[OpenWork, ...] = ()
    messages: tuple[AgentMessage, ...] = ()
    asking: frozenset[int] = frozenset()
    given: frozenset[int] = frozenset()
    acted: Mapping[tuple[str, str], Acted] = field(default_factory=dict)
    plan_agents: int = 0
    waiting: tuple[Waiting, ...] = ()
    audited: bool = False

    @cached_property
    def by_id(self) -> dict[int, Watched]:
        """Return the agents by id."""
        return {agent.id: agent for agent in self.agents}

    @cached_property
    def owed(self) -> dict[int, dict[int, AgentMessage]]:
        """Return asker id -> id of the agent that owes an answer -> the newest unanswered message."""
        found: dict[int, dict[int, AgentMessage]] = {}
        for message in self.messages:
            found.get(message.to_id, {}).pop(message.from_id, None)
            if message.needs_answer:
                found.setdefault(message.from_id, {})[message.to_id] = message
        return found

    @cached_property
    def spoke(self) -> frozenset[int]:
        """Return the ids of agents that wrote to others."""
        return frozenset(message.from_id for message in self.messages)

    @cached_property
    def givers(self) -> frozenset[int]:
        """Return the ids of agents that gave work which is still open."""
        return frozenset(work.giver_id for work in self.work if work.state == "open")

    def busy(self, agent_id: int) -> bool:
        """Return whether the agent is there and has a turn open or due."""
        agent = self.by_id.get(agent_id)
        return agent is not None and agent.busy

    def idle(self, agent_id: int) -> bool:
        """Return whether the agent is active and has nothing due."""
        agent = self.by_id.get(agent_id)
        return agent is not None and agent.active and not agent.busy

    def name(self, agent_id: int) -> str:
        """Return the agent's name, or a phrase for one that has left."""
        agent = self.by_id.get(agent_id)
        return agent.name if agent else "someone who has left"

    @cached_property
    def members(self) -> dict[int, list[Watched]]:
        """Return the members of each head."""
        found: dict[int, list[Watched]] = {}
        for agent in self.agents:
            if agent.head_id is not None and agent.role != "auditor":
                found.setdefault(agent.head_id, []).append(agent)
        return found


@dataclass(frozen=True, slots=True)
class Nudge:
    """A message of the engine to an agent; it wakes the agent if `wakes`."""

    agent_id: int
    text: str
    rule: str = "stall"
    wakes: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found and wants done, once. `agent_id` None: it concerns the whole task.

    `mute`: unread messages between these two no longer wake them. `replace`: a new agent takes over this
    one's work. `ask`: the question of a gate.
    """

    rule: str
    subject: str
    action: Action
    agent_id: int | None
    detail: str
    messages: tuple[Nudge, ...] = ()
    mute: tuple[int, int] | None = None
    replace: int | None = None
    ask: str = ""
