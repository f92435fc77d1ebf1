"""An engine in memory that keeps the real one's contract: same errors, same events, no models, no clock."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.commands import (
    AnswerGate,
    Command,
    DismissAgent,
    EditAgent,
    EditMessage,
    ForgetMemory,
    Limits,
    PauseAgent,
    PauseTask,
    RaiseCap,
    ResumeAgent,
    ResumeTask,
    SayToAgent,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.errors import EngineError, Invalid, NotFound, WrongState
from engine.events import (
    AgentChanged,
    AgentJoined,
    AgentLeft,
    AgentSpoke,
    AssignmentChanged,
    Event,
    EventBody,
    FileWritten,
    GateClosed,
    GateKind,
    GateRaised,
    GroupFormed,
    MessageRead,
    TaskAccepted,
    TaskChanged,
    TaskEnded,
)
from engine.ports import BlameLine, Revision
from engine.queries import (
    AgentView,
    AssignmentView,
    FileView,
    GateView,
    GroupView,
    MemoryView,
    Spend,
    StepView,
    TaskView,
)

DEFAULTS = Limits(
    agents=60, depth=6, members=20, steps=30, cost_micros=5_000_000, tokens=5_000_000, minutes=240
)
NAMES = ("Ada", "Ben", "Cleo", "Dai", "Esme", "Finn", "Gus", "Hana", "Ivo", "June")


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
    steps: dict[int, list[StepView]] = field(default_factory=lambda: defaultdict(list))
    revisions: dict[int, list[tuple[Revision, bytes | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    notes: list[Note] = field(default_factory=list)


class FakeEngine:
    """`handle`, `events`, `look` as the bot uses them; `commands` keeps what was asked, in order."""

    def __init__(self) -> None:
        self.world = World()
        self.look = FakeLook(self.world)
        self.commands: list[Command] = []
        self.log: list[Event] = []
        self.now = 1_700_000_000.0
        self.fail: EngineError | OSError | None = None
        self._ids = itertools.count(1)
        self._more = asyncio.Event()

    async def handle(self, command: Command) -> int:
        """As EngineApi.handle; raises `fail` once when set."""
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        answer: Callable[[Any], int] = getattr(self, f"_{type(command).__name__}")
        made = answer(command)
        self.commands.append(command)
        return made

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
        self._more.set()
        return event

    # ------------------------------------------------------------ what people ask

    def _StartTask(self, command: StartTask) -> int:
        if not 1 <= len(command.goal.strip()) <= 8000:
            raise Invalid("The goal must have 1 to 8,000 characters. Shorten it or attach it as a file.")
        task_id, group_id, boss_id = (next(self._ids) for _ in range(3))
        given = {k: getattr(command.limits, k) for k in Limits.__slots__}
        limits = replace(DEFAULTS, **{k: v for k, v in given.items() if v is not None})
        self.world.tasks[task_id] = TaskView(
            id=task_id,
            goal=command.goal,
            state="running",
            reason="",
            space=command.space,
            by=command.by,
            created_at=self.now,
            ended_at=None,
            root_group_id=group_id,
            boss_id=boss_id,
            agents=1,
            working=1,
            assignments=0,
            accepted=0,
            files=0,
            open_gates=0,
            spend=Spend(),
            limits=limits,
        )
        self.world.groups[group_id] = GroupView(group_id, task_id, "Root", None, boss_id, 0, ())
        self.world.agents[boss_id] = self._agent(boss_id, task_id, "Boss", group_id, None, 0, leads=group_id)
        self.emit(TaskAccepted(task_id, command.goal, command.by, command.space))
        self.emit(GroupFormed(task_id, group_id, None, boss_id, "Root", 0))
        self.emit(AgentJoined(task_id, group_id, boss_id, "Boss", "boss"))
        for path, content in command.files.items():
            self.write(boss_id, path, content)
        return task_id

    def _SayToAgent(self, command: SayToAgent) -> int:
        agent = self.look.find_agent(command.agent_id)
        if self.world.tasks[agent.task_id].state not in ("running", "paused"):
            raise WrongState("This task has ended. Start a new one with /task new.")
        if agent.state == "dismissed":
            raise WrongState(f"{agent.name} was dismissed. Talk to its head instead.")
        if not command.text.strip() and not command.files:
            raise Invalid("The message is empty. Write something.")
        again = [n for n in self.world.notes if command.ref and n.command.ref == command.ref]
        if again:
            return again[0].id
        note = Note(next(self._ids), command)
        self.world.notes.append(note)
        for path, content in command.files.items():
            self.write(agent.id, path, content)
        return note.id

    def _unread(self, ref: str) -> Note:
        found = [n for n in self.world.notes if n.command.ref == ref]
        if not found:
            raise NotFound("No agent was sent that message.")
        if found[0].read:
            raise WrongState("The agent has read this message already. Send another one.")
        return found[0]

    def _EditMessage(self, command: EditMessage) -> int:
        note = self._unread(command.ref)
        note.command = replace(note.command, text=command.text)
        return note.id

    def _WithdrawMessage(self, command: WithdrawMessage) -> int:
        note = self._unread(command.ref)
        self.world.notes.remove(note)
        return note.id

    def _AnswerGate(self, command: AnswerGate) -> int:
        gate = self.look.find_gate(command.gate_id)
        if gate.answer is not None:
            raise WrongState("This question has been answered already.")
        self.world.gates[gate.id] = replace(gate, answer=command.answer, answered_by=command.by)
        self._count(gate.task_id, open_gates=-1)
        self.emit(GateClosed(gate.task_id, gate.group_id, gate.id, command.answer, command.by))
        return gate.id

    def _PauseTask(self, command: PauseTask) -> int:
        return self._turn(command.task_id, "running", "paused")

    def _ResumeTask(self, command: ResumeTask) -> int:
        return self._turn(command.task_id, "paused", "running")

    def _turn(self, task_id: int, old: Any, new: Any) -> int:
        task = self.look.find_task(task_id)
        if task.state != old:
            raise WrongState(f"Task #{task_id} is {task.state}, not {old}.")
        self.world.tasks[task_id] = replace(task, state=new)
        self.emit(TaskChanged(task_id, new, "asked by a person"))
        return task_id

    def _StopTask(self, command: StopTask) -> int:
        task = self.look.find_task(command.task_id)
        if task.state not in ("running", "paused"):
            raise WrongState(f"Task #{task.id} has ended already.")
        self.end(task.id, state="stopped", report=command.reason)
        return task.id

    def _RaiseCap(self, command: RaiseCap) -> int:
        task = self.look.find_task(command.task_id)
        given = {k: getattr(command.limits, k) for k in Limits.__slots__}
        limits = replace(task.limits, **{k: v for k, v in given.items() if v is not None})
        self.world.tasks[task.id] = replace(task, limits=limits)
        return task.id

    def _PauseAgent(self, command: PauseAgent) -> int:
        return self._change(command.agent_id, "paused", state="paused")

    def _ResumeAgent(self, command: ResumeAgent) -> int:
        return self._change(command.agent_id, "resumed", state="idle")

    def _EditAgent(self, command: EditAgent) -> int:
        if not command.instructions.strip():
            raise Invalid("The instructions are empty. Say what the agent is to do.")
        return self._change(command.agent_id, "edited", instructions=command.instructions)

    def _change(self, agent_id: int, change: Any, **values: Any) -> int:
        agent = self.look.find_agent(agent_id)
        if agent.state == "dismissed":
            raise WrongState(f"{agent.name} was dismissed.")
        self.world.agents[agent_id] = replace(agent, **values)
        self.emit(AgentChanged(agent.task_id, agent.group_id, agent_id, agent.name, change))
        return agent_id

    def _DismissAgent(self, command: DismissAgent) -> int:
        agent = self.look.find_agent(command.agent_id)
        if agent.head_id is None:
            raise WrongState("The boss cannot be dismissed. Stop the task instead.")
        self.world.agents[agent.id] = replace(agent, state="dismissed")
        self.emit(AgentLeft(agent.task_id, agent.group_id, agent.id, agent.name, command.reason))
        return agent.id

    def _ForgetMemory(self, command: ForgetMemory) -> int:
        if self.world.memories.pop(command.memory_id, None) is None:
            raise NotFound(f"There is no memory #{command.memory_id}. See /memory list.")
        return command.memory_id

    # ------------------------------------------------------------ what agents would do

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
            doing="thinking",
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
        self.world.gates[gate_id] = GateView(
            gate_id, agent.task_id, agent.group_id, kind, agent.name, question, options, None, ""
        )
        self._count(agent.task_id, open_gates=1)
        self.emit(
            GateRaised(agent.task_id, agent.group_id, gate_id, kind, agent_id, agent.name, question, options)
        )
        return gate_id

    def write(self, agent_id: int, path: str, content: bytes) -> int:
        """An agent (or a person's attachment) changes a file."""
        agent = self.world.agents[agent_id]
        revision_id = next(self._ids)
        kept = self.world.revisions[agent.task_id]
        new = not any(r.path == path for r, _ in kept)
        revision = Revision(
            revision_id, agent.task_id, path, f"{revision_id:040x}", agent.name, "1.1", self.now
        )
        kept.append((revision, content))
        self._count(agent.task_id, files=int(new))
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

    def remember(self, space: str, text: str) -> int:
        """Something is kept for later tasks."""
        memory_id = next(self._ids)
        self.world.memories[memory_id] = MemoryView(memory_id, space, text, "task #1", self.now)
        return memory_id

    def step(self, agent_id: int, said: str, *calls: tuple[str, str, str]) -> None:
        """A step of an agent is committed."""
        kept = self.world.steps[agent_id]
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
        for gate in [g for g in self.world.gates.values() if g.task_id == task_id and g.answer is None]:
            self.world.gates[gate.id] = replace(gate, answer="")
            self.emit(GateClosed(task_id, gate.group_id, gate.id, "", ""))
        task = self.world.tasks[task_id]
        self.world.tasks[task_id] = replace(
            task, state=state, report=report, verified=verified, ended_at=self.now, working=0, open_gates=0
        )
        self.emit(TaskEnded(task_id, task.root_group_id, state, report, (), verified))


class FakeLook:
    """Queries over the fake's world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find_task(self, task_id: int) -> TaskView:
        """Raises NotFound."""
        if task_id not in self._world.tasks:
            raise NotFound(f"There is no task #{task_id}. See /task list.")
        return self._world.tasks[task_id]

    def find_agent(self, agent_id: int) -> AgentView:
        """Raises NotFound."""
        if agent_id not in self._world.agents:
            raise NotFound(f"There is no agent #{agent_id}. See /task tree.")
        return self._world.agents[agent_id]

    def find_gate(self, gate_id: int) -> GateView:
        """Raises NotFound."""
        if gate_id not in self._world.gates:
            raise NotFound(f"There is no question #{gate_id}.")
        return self._world.gates[gate_id]

    async def tasks(self, space: str | None = None, limit: int = 50) -> Sequence[TaskView]:
        found = [t for t in self._world.tasks.values() if space in (None, t.space)]
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
            raise NotFound(f"There is no group #{group_id}. See /task tree.")
        return self._world.groups[group_id]

    async def assignments(self, task_id: int) -> Sequence[AssignmentView]:
        return [a for a in self._world.assignments.values() if a.task_id == task_id]

    async def steps(self, agent_id: int, limit: int = 20) -> Sequence[StepView]:
        self.find_agent(agent_id)
        return self._world.steps[agent_id][::-1][:limit]

    async def timeline(self, task_id: int) -> Sequence[tuple[int, float, float, int]]:
        agents = [a.id for a in await self.agents(task_id)]
        steps = [s for agent_id in agents for s in self._world.steps[agent_id]]
        return sorted((s.agent_id, s.at - s.seconds, s.at, s.cost_micros) for s in steps)

    async def gates(self, task_id: int, open_only: bool = True) -> Sequence[GateView]:
        found = [g for g in self._world.gates.values() if g.task_id == task_id]
        return [g for g in found if g.answer is None or not open_only]

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
            raise NotFound(f"There is no file {path}. See /task files.")
        return found[-1][1]

    async def history(self, task_id: int, path: str, limit: int = 50) -> Sequence[Revision]:
        return [r for r, _ in self._world.revisions[task_id] if r.path == path][::-1][:limit]

    async def blame(self, task_id: int, path: str) -> Sequence[BlameLine]:
        content = await self.read_file(task_id, path)
        if b"\0" in content:
            raise Invalid(f"{path} is not text, so nobody wrote its lines. Download it instead.")
        revision = (await self.history(task_id, path))[0]
        lines = content.decode().splitlines()
        return [BlameLine(n, revision.agent, "1.1", revision.id, text) for n, text in enumerate(lines, 1)]

    async def memories(self, space: str) -> Sequence[MemoryView]:
        return [m for m in self._world.memories.values() if m.space == space]
