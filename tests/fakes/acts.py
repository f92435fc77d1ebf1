"""What agents would do, done by a test: the world of the in-memory engine changes and tells its events."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from engine.domain.gates import GateKind, choices_of
from engine.errors import NotFound, WrongState
from engine.events import (
    AgentJoined,
    AgentSpoke,
    AssignmentChanged,
    Event,
    EventBody,
    FileWritten,
    GateClosed,
    GateRaised,
    GroupFormed,
    MessageRead,
    TaskEnded,
)
from engine.ports import Revision
from engine.queries import (
    AgentView,
    AssignmentView,
    GateView,
    GroupView,
    MemoryView,
    Spend,
    StepView,
)
from tests.fakes.look import FakeLook, Note, World

NAMES = ("Ada", "Ben", "Cleo", "Dai", "Esme", "Finn", "Gus", "Hana", "Ivo", "June")


class Acts:
    """A world in memory, its events in order, and what agents do in it."""

    def __init__(self) -> None:
        self.world = World()
        self.look = FakeLook(self.world)
        self.log = self.world.log
        self.told: Callable[[Event], None] = lambda _event: None
        self.now = 1_700_000_000.0
        self._ids = itertools.count(1)
        self._more = asyncio.Event()

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """As EngineApi.events."""
        while True:
            self._more.clear()
            for event in [e for e in self.log if e.seq > after]:
                after = event.seq
                yield event
            if self.log and self.log[-1].seq > after:
                continue
            await self._more.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, looked at after every event."""
        async for _ in self.events():
            if holds():
                return

    def emit(self, body: EventBody) -> Event:
        """Tell the world."""
        self.now += 1
        event = Event(len(self.log) + 1, self.now, body)
        self.log.append(event)
        self.told(event)
        self._more.set()
        return event

    def _agent(
        self,
        agent_id: int,
        task_id: int,
        name: str,
        group_id: int,
        head: int | None,
        depth: int,
        leads: int | None,
    ) -> AgentView:
        return AgentView(
            id=agent_id,
            task_id=task_id,
            name=name,
            role="boss" if head is None else "member",
            title=f"{name}'s work",
            instructions=f"Be {name}.",
            state="working",
            group_id=group_id,
            leads_group_id=leads,
            head_id=head,
            depth=depth,
            doing=(),
            todo=(("look", "done"), ("act", "open")),
            steps=0,
            spend=Spend(),
            last_active_at=self.now,
        )

    def _count(self, task_id: int, **deltas: int) -> None:
        task = self.world.tasks[task_id]
        self.world.tasks[task_id] = replace(task, **{k: getattr(task, k) + d for k, d in deltas.items()})

    def recruit(self, head_id: int, *names: str) -> list[int]:
        """The head takes members; the first call of an agent that leads nothing forms its group."""
        head = self.world.agents[head_id]
        if head.leads_group_id is None:
            group_id = next(self._ids)
            depth = head.depth + 1
            self.world.groups[group_id] = GroupView(
                group_id, head.task_id, head.name, head.group_id, head.id, depth, ()
            )
            head = self.world.agents[head_id] = replace(head, leads_group_id=group_id, role="head")
            self.emit(GroupFormed(head.task_id, group_id, head.group_id, head.id, head.name, depth))
        group_id = head.leads_group_id or 0
        return [self._join(head, group_id, name) for name in names]

    def _join(self, head: AgentView, group_id: int, name: str) -> int:
        agent_id = next(self._ids)
        self.world.agents[agent_id] = self._agent(
            agent_id, head.task_id, name, group_id, head.id, head.depth + 1, None
        )
        group = self.world.groups[group_id]
        self.world.groups[group_id] = replace(group, member_ids=(*group.member_ids, agent_id))
        self._count(head.task_id, agents=1, working=1)
        self.emit(AgentJoined(head.task_id, group_id, agent_id, name, f"{name}'s work"))
        return agent_id

    def speak(self, agent_id: int, text: str, refs: tuple[str, ...] = ()) -> Event:
        """An agent says something."""
        agent = self.world.agents[agent_id]
        return self.emit(AgentSpoke(agent.task_id, agent.group_id, agent_id, agent.name, (), text, refs))

    def _unread(self, ref: str) -> Note:
        """A person's message that its agent has not read. Raises what the real engine does."""
        found = [n for n in self.world.notes if n.command.ref == ref]
        if not found:
            raise NotFound("No agent was sent that message.", "Reply to an agent.")
        if found[0].read:
            raise WrongState("The agent has read this message already.", "Send another one.")
        return found[0]

    def read(self, ref: str) -> Event:
        """The agent reads a person's message."""
        note = self._unread(ref)
        note.read = True
        agent = self.world.agents[note.command.agent_id]
        return self.emit(MessageRead(agent.task_id, agent.id, ref))

    def assign(self, giver_id: int, assignee_id: int, title: str, state: Any = "open") -> int:
        """A head gives work; `state` lets tests begin in the middle."""
        giver, assignee = self.world.agents[giver_id], self.world.agents[assignee_id]
        assignment_id = next(self._ids)
        self.world.assignments[assignment_id] = AssignmentView(
            assignment_id, giver.task_id, title, "", "", giver.name, assignee.name, state, "", "", ()
        )
        self._count(giver.task_id, assignments=1, accepted=int(state == "accepted"))
        group_id = giver.leads_group_id or giver.group_id
        self.emit(
            AssignmentChanged(giver.task_id, group_id, assignment_id, title, giver.name, assignee.name, state)
        )
        return assignment_id

    def raise_gate(
        self, agent_id: int, question: str, options: tuple[str, ...] = (), kind: GateKind = "question"
    ) -> int:
        """An agent asks a person."""
        agent = self.world.agents[agent_id]
        gate_id = next(self._ids)
        choices = choices_of(kind, options)
        self.world.gates[gate_id] = GateView(
            gate_id, agent.task_id, agent.group_id, kind, agent.name, question, choices
        )
        self._count(agent.task_id, open_gates=1)
        self.emit(
            GateRaised(agent.task_id, agent.group_id, gate_id, kind, agent_id, agent.name, question, choices)
        )
        return gate_id

    def write(self, agent_id: int, path: str, content: bytes) -> int:
        """An agent changes a file."""
        agent = self.world.agents[agent_id]
        new = all(kept.path != path for kept, _ in self.world.revisions[agent.task_id])
        revision_id = self.bring(agent_id, path, content)
        self.emit(
            FileWritten(
                agent.task_id,
                agent.group_id,
                agent_id,
                agent.name,
                path,
                revision_id,
                len(content),
                "added" if new else "changed",
            )
        )
        return revision_id

    def bring(self, agent_id: int, path: str, content: bytes) -> int:
        """Add a file that a person brings; no event tells it."""
        agent = self.world.agents[agent_id]
        revision_id = next(self._ids)
        kept = self.world.revisions[agent.task_id]
        self._count(agent.task_id, files=int(all(each.path != path for each, _ in kept)))
        hashed = f"{revision_id:040x}"
        kept.append(
            (Revision(revision_id, agent.task_id, path, hashed, agent.name, "1.1", self.now), content)
        )
        return revision_id

    def remember(self, space: str, text: str) -> int:
        """Something is kept for later tasks."""
        memory_id = next(self._ids)
        self.world.memories[memory_id] = MemoryView(memory_id, space, text, "task #1", self.now)
        return memory_id

    def step(self, agent_id: int, said: str, *calls: tuple[str, str, str]) -> None:
        """A step of an agent is committed."""
        kept = self.world.steps[agent_id]
        agent = self.world.agents[agent_id]
        self.world.agents[agent_id] = replace(agent, steps=agent.steps + 1)
        kept.append(
            StepView(
                agent_id,
                1,
                len(kept) + 1,
                self.now,
                2.5,
                "the goal",
                said,
                calls,
                900,
                120,
                1500,
                "fake-model",
            )
        )

    def end(
        self, task_id: int, state: Any = "done", report: str = "All done.", verified: bool = False
    ) -> None:
        """The task ends; open gates close with it."""
        for gate in [g for g in self.world.gates.values() if g.task_id == task_id and g.basis is None]:
            self.world.gates[gate.id] = replace(gate, basis="task_ended")
            self.emit(GateClosed(task_id, gate.group_id, gate.id, "task_ended"))
        task = self.world.tasks[task_id]
        self.world.tasks[task_id] = replace(
            task, state=state, report=report, verified=verified, ended_at=self.now, working=0, open_gates=0
        )
        self.emit(TaskEnded(task_id, task.root_group_id, state, report, (), verified))
