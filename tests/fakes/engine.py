"""An engine in memory that keeps the real one's contract: same errors, same events, no models, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.commands import (
    AnswerGate,
    Command,
    ContinueTask,
    DismissAgent,
    EditAgent,
    EditMessage,
    EndRepeat,
    ForgetMemory,
    Limits,
    MonthRule,
    PauseAgent,
    PauseTask,
    Protections,
    RaiseCap,
    RecordArchive,
    RecordRules,
    RecordSignIn,
    RecordSignOut,
    RepeatTask,
    ReplaceAgent,
    ResumeAgent,
    ResumeRepeat,
    ResumeTask,
    SayToAgent,
    SetGateRule,
    SetMonthRule,
    SetProtections,
    StartDemonstration,
    StartTask,
    StopTask,
    WithdrawMessage,
)
from engine.domain.gate_rules import GateRule, changed_rule
from engine.domain.gates import check_answer
from engine.domain.limits import continuation
from engine.domain.models import DEMONSTRATION
from engine.domain.months import checked_rule as checked_month
from engine.domain.quota import over_quota
from engine.domain.recurrence import checked
from engine.errors import EngineError, Invalid, NotFound, WrongState
from engine.events import (
    AgentChanged,
    AgentJoined,
    AgentLeft,
    CapsChanged,
    GateClosed,
    GroupFormed,
    RepeatPaused,
    TaskAccepted,
    TaskChanged,
    TaskContinued,
)
from engine.handlers.decisions import MESSAGES, content_of, digest
from engine.llm.demonstration import recording as recorded_task
from engine.ports import Record
from engine.queries import (
    BudgetView,
    DecisionView,
    GroupView,
    RepeatView,
    Spend,
    TaskView,
)
from tests.fakes.acts import Acts
from tests.fakes.look import Note

DEFAULTS = Limits(
    agents=60, depth=6, members=20, steps=30, cost_micros=5_000_000, tokens=5_000_000, minutes=240
)


class FakeEngine(Acts):
    """`handle`, `events`, `look` as the bot uses them; `commands` keeps what was asked, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[Any] = []  # tests ask each kind for its own fields
        self._origins: dict[int, str] = {}
        self.fail: EngineError | OSError | None = None

    @property
    def ordered(self) -> Any:
        """The newest command without the name by which its person is shown."""
        return replace(self.commands[-1], by_name="")

    def kinds(self) -> list[type[Command]]:
        """What kinds of commands were asked, in order."""
        return [type(command) for command in self.commands]

    async def handle(self, command: Command) -> int:
        """As EngineApi.handle; raises `fail` once when set."""
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        answer: Callable[[Any], int] = getattr(self, f"_{type(command).__name__}")
        made = answer(command)
        if not isinstance(
            command, RecordRules | RecordSignIn | RecordSignOut | RecordArchive
        ):  # they change nothing
            self.commands.append(command)
        self._decide(command, made)
        return made

    def recording(self, command: RecordRules | RecordSignIn | RecordSignOut) -> Record:
        """As EngineApi.recording."""
        return lambda _connection: self._decide(command, 0)

    def _decide(self, command: Command, made: int) -> None:
        """Add a decision to the audit trail, as the real engine does."""
        if isinstance(command, MESSAGES):
            return
        task_id = made if isinstance(command, StartTask) else self._task_of(command)
        space = getattr(command, "space", "") or (self.world.tasks[task_id].space if task_id else "")
        number, content = len(self.world.decisions) + 1, content_of(command)
        by, kind = getattr(command, "by", ""), type(command).__name__
        view = DecisionView(number, self.now, by, space, task_id, kind, made, digest(content), content)
        self.world.decisions.append(view)

    def _task_of(self, command: Command) -> int | None:
        if (agent := getattr(command, "agent_id", None)) is not None:
            return self.world.agents[agent].task_id
        if (gate := getattr(command, "gate_id", None)) is not None:
            return self.world.gates[gate].task_id
        return getattr(command, "task_id", None)

    def _StartTask(self, command: StartTask, repeat_id: int | None = None) -> int:
        if not 1 <= len(command.goal.strip()) <= 8000:
            raise Invalid("The goal must have 1 to 8,000 characters.", "Shorten it or attach it as a file.")
        asked = command.limits.cost_micros or DEFAULTS.cost_micros or 0
        if why := over_quota(command.quota, self.world.used, asked):
            raise Invalid(why.reason, why.next_step)
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
            model=command.model or "",
            given=limits,
        )
        self.world.groups[group_id] = GroupView(group_id, task_id, "Root", None, boss_id, 0, ())
        self.world.agents[boss_id] = self._agent(boss_id, task_id, "Boss", group_id, None, 0, leads=group_id)
        accepted = TaskAccepted(task_id, command.goal, command.by, command.space, repeat_id, command.origin)
        self.emit(replace(accepted, demonstration=command.model == DEMONSTRATION))
        self.emit(GroupFormed(task_id, group_id, None, boss_id, "Root", 0))
        self.emit(AgentJoined(task_id, group_id, boss_id, "Boss", "boss"))
        for path, content in command.files.items():
            self.bring(boss_id, path, content)
        return task_id

    def _StartDemonstration(self, command: StartDemonstration) -> int:
        goal = recorded_task().goal
        return self._StartTask(
            StartTask(goal, command.by, command.space, model=DEMONSTRATION, origin=command.origin)
        )

    def _SayToAgent(self, command: SayToAgent) -> int:
        agent = self.look.find_agent(command.agent_id)
        ended = self.world.tasks[agent.task_id].state not in ("running", "paused")
        if ended and self.world.tasks[agent.task_id].demonstration:
            raise WrongState(
                f"Task {agent.task_id} was a demonstration.", "Start a task of your own: /task new."
            )
        if not ended and agent.state == "dismissed":
            raise WrongState(f"{agent.name} was dismissed.", "Talk to its head instead.")
        if not command.text.strip() and not command.files:
            raise Invalid("The message is empty.", "Write something.")
        again = [n for n in self.world.notes if command.ref and n.command.ref == command.ref]
        if again:
            return again[0].id
        note = Note(next(self._ids), command)
        self.world.notes.append(note)
        for path, content in command.files.items():
            self.bring(agent.id, path, content)
        return note.id

    def _ContinueTask(self, command: ContinueTask) -> int:
        task = self.look.find_task(command.task_id)
        if task.state in ("running", "paused"):
            raise WrongState(f"Task {task.id} has not ended: it is {task.state}.", "Write to its agents.")
        if why := over_quota(command.quota, self.world.used, command.limits.cost_micros or 0):
            raise Invalid(why.reason, why.next_step)
        more = continuation(command.limits, task.given, DEFAULTS)
        again: dict[str, Any] = {"continued": task.continued + 1, "continued_at": self.now, "given": more}
        self.world.tasks[task.id] = replace(task, state="running", ended_at=None, report="", **again)
        kept = sum(not note.read for note in self.world.notes)
        by, times = (command.by, command.by_name), task.continued + 1
        self.emit(TaskContinued(task.id, task.root_group_id, *by, more, times, kept))
        if command.text.strip() or command.files:
            to = command.agent_id or task.boss_id
            self._SayToAgent(SayToAgent(to, command.text, *by, command.ref, command.files))
        return task.id

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
        if gate.basis is not None:
            raise WrongState("This question has been answered already.", "Write to the agent.")
        given = check_answer(gate.kind, gate.choices, command.choice_id, command.text, command.limits)
        said: dict[str, Any] = {"choice_id": command.choice_id, "text": given.text, "limits": given.limits}
        self.world.gates[gate.id] = replace(gate, basis="person", answered_by=command.by, **said)
        self._count(gate.task_id, open_gates=-1)
        answer = (given.choice, given.text, given.limits)
        self.emit(GateClosed(gate.task_id, gate.group_id, gate.id, "person", command.by, *answer))
        return gate.id

    def _SetGateRule(self, command: SetGateRule) -> int:
        kind, rule = changed_rule(command.kind, command.wait_s, command.default)
        rules = self.world.gate_rules.setdefault(command.space, {})
        old = rules.get(kind, rule)
        wait_s = old.wait_s if command.wait_s is None else rule.wait_s
        rules[kind] = GateRule(wait_s, old.default if command.default is None else rule.default)
        return 0

    def _SetMonthRule(self, command: SetMonthRule) -> int:
        new, old = checked_month(command.rule), self.world.month_rules.get(command.space, MonthRule())
        fields = command.only or MonthRule.__slots__
        self.world.month_rules[command.space] = replace(old, **{n: getattr(new, n) for n in fields})
        return 0

    def _SetProtections(self, command: SetProtections) -> int:
        new, old = command.protections, self.world.protections.get(command.space, Protections())
        fields = command.only or Protections.__slots__
        self.world.protections[command.space] = replace(old, **{n: getattr(new, n) for n in fields})
        return 0

    def _RecordRules(self, command: RecordRules) -> int:
        return 0

    def _RecordSignIn(self, command: RecordSignIn) -> int:
        return 0

    def _RecordSignOut(self, command: RecordSignOut) -> int:
        return 0

    def _RecordArchive(self, command: RecordArchive) -> int:
        task = self.look.find_task(command.task_id)
        if task.ended_at is None:
            raise WrongState(f"Task #{task.id} has not ended.", "Stop it first: /task stop.")
        return task.id

    def _PauseTask(self, command: PauseTask) -> int:
        return self._turn(command.task_id, "running", "paused")

    def _ResumeTask(self, command: ResumeTask) -> int:
        return self._turn(command.task_id, "paused", "running")

    def _turn(self, task_id: int, old: Any, new: Any) -> int:
        task = self.look.find_task(task_id)
        if task.state != old:
            raise WrongState(f"Task #{task_id} is {task.state}, not {old}.", "See /task status.")
        self.world.tasks[task_id] = replace(task, state=new)
        self.emit(TaskChanged(task_id, new, "asked by a person"))
        return task_id

    def _StopTask(self, command: StopTask) -> int:
        task = self.look.find_task(command.task_id)
        if task.state not in ("running", "paused"):
            raise WrongState(f"Task #{task.id} has ended already.", "Continue it: /task continue.")
        self.end(task.id, state="stopped", report=command.reason)
        return task.id

    def _RaiseCap(self, command: RaiseCap) -> int:
        task = self.look.find_task(command.task_id)
        given = {k: getattr(command.limits, k) for k in Limits.__slots__}
        if command.agent_id is not None:
            return self._cap_subtree(command.agent_id, {k: v for k, v in given.items() if v is not None})
        limits = replace(task.limits, **{k: v for k, v in given.items() if v is not None})
        self.world.tasks[task.id] = replace(task, limits=limits)
        self.emit(CapsChanged(task.id, task.root_group_id, command.limits, command.by, command.by_name))
        return task.id

    def _cap_subtree(self, agent_id: int, given: dict[str, int]) -> int:
        agent = self.look.find_agent(agent_id)
        caps = replace(agent.budget.caps if agent.budget else Limits(), **given)
        self.world.agents[agent_id] = replace(agent, budget=BudgetView(caps, 250_000, 900, 2, None, False))
        return agent.task_id

    def _PauseAgent(self, command: PauseAgent) -> int:
        return self._change(command.agent_id, "paused", command.by_name, state="paused")

    def _ResumeAgent(self, command: ResumeAgent) -> int:
        return self._change(command.agent_id, "resumed", command.by_name, state="idle")

    def _EditAgent(self, command: EditAgent) -> int:
        if command.instructions is not None and not command.instructions.strip():
            raise Invalid("The instructions are empty.", "Say what the agent is to do.")
        agent, by = self.look.find_agent(command.agent_id), command.by_name
        if command.instructions is not None:
            words = {"before": agent.instructions, "after": command.instructions}
            self._change(agent.id, "edited", by, words, instructions=command.instructions)
        if command.model is not None:
            words = {"before": agent.model, "after": command.model}
            self._change(agent.id, "model", by, words, model=command.model)
        return agent.id

    def _change(
        self, agent_id: int, change: Any, by: str, words: Mapping[str, Any] | None = None, **values: Any
    ) -> int:
        agent = self.look.find_agent(agent_id)
        if agent.state == "dismissed":
            raise WrongState(f"{agent.name} was dismissed.", "Use /task tree.")
        self.world.agents[agent_id] = replace(agent, **values)
        body = AgentChanged(agent.task_id, agent.group_id, agent_id, agent.name, change, by, **(words or {}))
        self.emit(body)
        return agent_id

    def _DismissAgent(self, command: DismissAgent) -> int:
        agent = self.look.find_agent(command.agent_id)
        if agent.head_id is None:
            raise WrongState("The boss cannot be dismissed.", "Stop the task instead.")
        self.world.agents[agent.id] = replace(agent, state="dismissed")
        self.emit(AgentLeft(agent.task_id, agent.group_id, agent.id, agent.name, command.reason))
        return agent.id

    def _ReplaceAgent(self, command: ReplaceAgent) -> int:
        agent = self.look.find_agent(command.agent_id)
        if agent.head_id is None:
            raise WrongState("The boss cannot be replaced.", "Change its instructions, or stop the task.")
        if agent.state == "dismissed":
            raise WrongState(f"{agent.name} has already been dismissed.", "Use /task tree.")
        self.world.agents[agent.id] = replace(agent, state="dismissed")
        self.emit(AgentLeft(agent.task_id, agent.group_id, agent.id, agent.name, command.reason))
        fresh, name = next(self._ids), f"{agent.name} 2"
        self.world.agents[fresh] = replace(agent, id=fresh, name=name, steps=0)
        self.emit(AgentJoined(agent.task_id, agent.group_id, fresh, name, agent.title, agent.leads_group_id))
        return fresh

    def _RepeatTask(self, command: RepeatTask) -> int:
        when = checked(command.cron, command.zone, self.now)
        number = next(self._ids)
        self._origins[number] = command.origin
        at = when.next_after(self.now)
        self.world.repeats[number] = RepeatView(
            number,
            command.goal,
            command.space,
            command.by,
            when.cron,
            when.zone,
            command.limits,
            at,
            None,
            0,
            0,
        )
        return number

    def start_repeat(self, repeat_id: int) -> int:
        """The clock starts a run."""
        one = self.world.repeats[repeat_id]
        origin = self._origins[repeat_id]
        command = StartTask(one.goal, one.by, one.space, one.limits, origin=origin)
        task_id = self._StartTask(command, repeat_id)
        self.world.repeats[repeat_id] = replace(one, last_task_id=task_id, runs=one.runs + 1)
        return task_id

    def _EndRepeat(self, command: EndRepeat) -> int:
        if self.world.repeats.pop(command.repeat_id, None) is None:
            raise NotFound(f"There is no repeated task {command.repeat_id}.", "See /task repeat list.")
        return command.repeat_id

    def pause_repeat(self, repeat_id: int, why: str) -> None:
        """The clock finds that its maker may start nothing any more."""
        one = self.world.repeats[repeat_id]
        self.world.repeats[repeat_id] = replace(one, paused_at=self.now, paused_why=why)
        last, origin = one.last_task_id or 0, self._origins[repeat_id]
        self.emit(RepeatPaused(last, repeat_id, one.space, origin, one.goal, why))

    def _ResumeRepeat(self, command: ResumeRepeat) -> int:
        one = self.world.repeats.get(command.repeat_id)
        if one is None:
            raise NotFound(f"There is no repeated task {command.repeat_id}.", "See /task repeat list.")
        if one.paused_at is None:
            raise WrongState(f"Number {one.id} is not paused.", "See /task repeat list.")
        self.world.repeats[one.id] = replace(one, by=command.by, paused_at=None, paused_why="")
        return one.id

    def _ForgetMemory(self, command: ForgetMemory) -> int:
        if self.world.memories.pop(command.memory_id, None) is None:
            raise NotFound(f"There is no memory #{command.memory_id}.", "See /memory list.")
        return command.memory_id
