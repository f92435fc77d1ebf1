"""What the in-memory engine knows, and the looks into it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.commands import MonthRule, Protections, SayToAgent
from engine.domain.gate_rules import USUAL, GateRule
from engine.domain.gates import GateKind
from engine.domain.months import MonthLeft, month_at
from engine.domain.quota import Used
from engine.errors import Invalid, NotFound
from engine.events import Event, EventBody
from engine.ports import BlameLine, Revision
from engine.queries import (
    AgentView,
    AssignmentView,
    DecisionView,
    FileView,
    GateView,
    GroupView,
    MemoryView,
    ModelCallView,
    RepeatView,
    SpendingView,
    StepView,
    TaskView,
)


@dataclass
class Note:
    """A person's message in an inbox."""

    id: int
    command: SayToAgent
    read: bool = False


@dataclass
class World:
    """Everything the fake knows."""

    tasks: dict[int, TaskView] = field(default_factory=dict)
    agents: dict[int, AgentView] = field(default_factory=dict)
    groups: dict[int, GroupView] = field(default_factory=dict)
    assignments: dict[int, AssignmentView] = field(default_factory=dict)
    gates: dict[int, GateView] = field(default_factory=dict)
    memories: dict[int, MemoryView] = field(default_factory=dict)
    repeats: dict[int, RepeatView] = field(default_factory=dict)
    steps: dict[int, list[StepView]] = field(default_factory=lambda: defaultdict(list))
    revisions: dict[int, list[tuple[Revision, bytes | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    notes: list[Note] = field(default_factory=list)
    decisions: list[DecisionView] = field(default_factory=list)
    gate_rules: dict[str, dict[GateKind, GateRule]] = field(default_factory=dict)
    used: Used = field(default_factory=Used)
    model_calls: dict[int, ModelCallView] = field(default_factory=dict)
    usual_seconds: float | None = None
    month_rules: dict[str, MonthRule] = field(default_factory=dict)
    protections: dict[str, Protections] = field(default_factory=dict)
    spending: list[tuple[str, float, SpendingView]] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)


class FakeLook:
    """Queries over the fake's world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find_task(self, task_id: int) -> TaskView:
        """Raises NotFound."""
        if task_id not in self._world.tasks:
            raise NotFound(f"There is no task #{task_id}.", "See /task list.")
        return self._world.tasks[task_id]

    def find_agent(self, agent_id: int) -> AgentView:
        """Raises NotFound."""
        if agent_id not in self._world.agents:
            raise NotFound(f"There is no agent #{agent_id}.", "See /task tree.")
        return self._world.agents[agent_id]

    def find_gate(self, gate_id: int) -> GateView:
        """Raises NotFound."""
        if gate_id not in self._world.gates:
            raise NotFound(f"There is no question #{gate_id}.", "See /task status.")
        return self._world.gates[gate_id]

    async def tasks(
        self, space: str | None = None, limit: int = 50, *, unended: bool = False
    ) -> Sequence[TaskView]:
        found = [t for t in self._world.tasks.values() if space in (None, t.space)]
        found = [t for t in found if t.ended_at is None or not unended]
        return sorted(found, key=lambda t: -t.id)[:limit]

    async def task(self, task_id: int) -> TaskView:
        return self.find_task(task_id)

    async def agents(self, task_id: int) -> Sequence[AgentView]:
        self.find_task(task_id)
        return [a for a in self._world.agents.values() if a.task_id == task_id]

    async def agent(self, agent_id: int) -> AgentView:
        return self.find_agent(agent_id)

    async def groups(self, task_id: int) -> Sequence[GroupView]:
        self.find_task(task_id)
        return [g for g in self._world.groups.values() if g.task_id == task_id]

    async def group(self, group_id: int) -> GroupView:
        if group_id not in self._world.groups:
            raise NotFound(f"There is no group #{group_id}.", "See /task tree.")
        return self._world.groups[group_id]

    async def assignments(self, task_id: int) -> Sequence[AssignmentView]:
        return [a for a in self._world.assignments.values() if a.task_id == task_id]

    async def steps(
        self, agent_id: int, limit: int = 20, *, until: float | None = None, upto: int | None = None
    ) -> Sequence[StepView]:
        self.find_agent(agent_id)
        found = [s for s in self._world.steps[agent_id] if until is None or s.at <= until]
        return [s for s in found[::-1] if upto is None or s.step <= upto][:limit]

    async def model_calls(self, task_id: int | None = None) -> Sequence[ModelCallView]:
        return [c for c in self._world.model_calls.values() if task_id in (None, c.task_id)]

    async def working_groups(self, task_id: int | None = None) -> Sequence[int]:
        running = {
            t.id for t in self._world.tasks.values() if t.state == "running" and task_id in (None, t.id)
        }
        working = [a for a in self._world.agents.values() if a.state == "working" and a.task_id in running]
        return sorted({agent.group_id for agent in working})

    async def usual_seconds(self, task_id: int) -> float | None:
        return self._world.usual_seconds

    async def timeline(self, task_id: int) -> Sequence[tuple[int, float, float, int]]:
        agents = [a.id for a in await self.agents(task_id)]
        steps = [s for agent_id in agents for s in self._world.steps[agent_id]]
        return sorted((s.agent_id, s.at - s.seconds, s.at, s.cost_micros) for s in steps)

    async def events(self, task_id: int, kinds: Sequence[type[EventBody]]) -> Sequence[Event]:
        return [e for e in self._world.log if e.body.task_id == task_id and isinstance(e.body, tuple(kinds))]

    async def gates(self, task_id: int, open_only: bool = True) -> Sequence[GateView]:
        found = [g for g in self._world.gates.values() if g.task_id == task_id]
        return [g for g in found if g.basis is None or not open_only]

    async def gate(self, gate_id: int) -> GateView:
        return self.find_gate(gate_id)

    async def files(self, task_id: int) -> Sequence[FileView]:
        self.find_task(task_id)
        newest = {r.path: (r, content) for r, content in self._world.revisions[task_id]}
        return [
            FileView(path, r.id, len(content), r.agent, r.at)
            for path, (r, content) in sorted(newest.items())
            if content is not None
        ]

    async def read_file(self, task_id: int, path: str, revision: int | None = None) -> bytes:
        found = [
            (r, content)
            for r, content in self._world.revisions[task_id]
            if r.path == path and revision in (None, r.id)
        ]
        if not found or found[-1][1] is None:
            raise NotFound(f"There is no file {path}.", "See /task files.")
        return found[-1][1]

    async def history(self, task_id: int, path: str, limit: int = 50) -> Sequence[Revision]:
        return [r for r, _ in self._world.revisions[task_id] if r.path == path][::-1][:limit]

    async def blame(self, task_id: int, path: str) -> Sequence[BlameLine]:
        content = await self.read_file(task_id, path)
        if b"\0" in content:
            raise Invalid(f"{path} is not text, so nobody wrote its lines.", "Download it instead.")
        revision = (await self.history(task_id, path))[0]
        lines = content.decode().splitlines()
        return [BlameLine(n, revision.agent, "1.1", revision.id, text) for n, text in enumerate(lines, 1)]

    async def memories(self, space: str) -> Sequence[MemoryView]:
        return [m for m in self._world.memories.values() if m.space == space]

    async def decisions(
        self,
        space: str,
        task_id: int | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Sequence[DecisionView]:
        found = [d for d in self._world.decisions if d.space == space and task_id in (None, d.task_id)]
        found = [d for d in found if (before is None or d.id < before) and (after is None or d.id > after)]
        return list(reversed(found[:limit])) if after is not None else list(reversed(found))[:limit]

    async def gate_rules(self, space: str) -> Mapping[GateKind, GateRule]:
        return {**USUAL, **self._world.gate_rules.get(space, {})}

    async def used(self, by: str, space: str, now: float) -> Used:
        return self._world.used

    async def spending(self, space: str, since: float, by: str | None = None) -> Sequence[SpendingView]:
        kept = self._world.spending
        return [v for where, at, v in kept if where == space and at >= since and by in (None, v.by)]

    async def month_rule(self, space: str) -> MonthRule:
        return self._world.month_rules.get(space, MonthRule())

    async def protections(self, space: str) -> Protections:
        return self._world.protections.get(space, Protections())

    async def month_left(self, by: str, space: str, now: float) -> Sequence[MonthLeft]:
        rule = await self.month_rule(space)
        month = month_at(now, rule.zone)
        mine = {by: sum(t.spend.cost_micros for t in self._world.tasks.values() if t.by == by)}
        mine[""] = sum(t.spend.cost_micros for t in self._world.tasks.values() if t.space == space)
        caps = {"": (rule.space_micros, rule.space_tokens), by: (rule.person_micros, rule.person_tokens)}
        return [
            MonthLeft(each, month.name, rule.zone, month.ends_at, *caps[each], mine[each], 0)
            for each in ("", by)
        ]

    async def repeats(self, space: str) -> Sequence[RepeatView]:
        return [r for r in self._world.repeats.values() if r.space == space]
