"""What is done to one task leaves every row of the tasks beside it as it was, and is not changed by them.

Every command, answer, intervention, effect and tool has a case here; a new one without a case fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from engine import Engine, EngineOptions, EngineParts, TurnOptions
from engine import commands as c
from engine.budget.caps import at_cap, pause_and_ask
from engine.budget.embeddings import book_embedding, settle_embedding
from engine.budget.month_caps import (
    months_to_announce,
    paused_for_month,
    raise_month,
    release_stale,
    resume_with_room,
    warn_months,
)
from engine.budget.prices import book_price
from engine.budget.settlement import spend_lost
from engine.connectors.approved import answered, claim, lost
from engine.connectors.ledger import NewCall, begin
from engine.connectors.recovery import settle_untold
from engine.domain import effects as fx
from engine.domain.gates import EFFECTS as CHOICES
from engine.domain.gates import TAKES_TEXT, Choice, GateKind, choices_of
from engine.domain.months import FULL
from engine.domain.packages import Pin
from engine.domain.prompt import compose
from engine.domain.snapshot import Action, Finding, Nudge, WatchOptions
from engine.domain.state import TodoItem, Turn
from engine.domain.waits import Awaited
from engine.errors import EngineError, NotFound, Stale
from engine.events import AgentSpoke, CodeRan, ModelBack, RemarkNoted, TaskEnded, Unheeded
from engine.handlers.gate_deadlines import advance_gate
from engine.handlers.repeats import DueRepeat, pause_repeat, start_due
from engine.lifecycle.agents import WRAP_UP, pause_recruits
from engine.lifecycle.ending import hold_end
from engine.lifecycle.waits import end_true_waits
from engine.lifecycle.wrap_up import end_short, wrap_up
from engine.llm.scripted import ScriptedModel, call, say
from engine.monitoring.intervention import intervene
from engine.monitoring.sweep import find_problems, judge_and_intervene, sweep_task
from engine.ports import ChatAnswer, ChatRequest, OutsideAnswer, Quote, RunRequest, RunResult, Usage, Wake
from engine.queries import Queries
from engine.runtime.turn import TurnRunner
from engine.steps.commit import Committed, commit_step
from engine.steps.effects import EFFECTS
from engine.steps.load import CapHit, load_turn
from engine.store import core
from engine.store.core import (
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    DECISIONS,
    EVENTS,
    FILES,
    GATES,
    MEMORIES,
    MESSAGES,
    MONTHS,
    OUTSIDE_CALLS,
    REPEATS,
    REVISIONS,
    STARTS,
    TASKS,
    append_events,
    dumps,
)
from engine.store.months import id_path
from engine.store.tables import ENGINE_METADATA
from engine.tools import TOOLS, ToolOptions, specs_for
from engine.workspace import GitWorkspace
from tests.fakes.bystanders import (
    CAPS,
    FAR_S,
    NOW,
    Owners,
    Side,
    StoreOnOneConnection,
    Trio,
    belongings,
    check_untouched,
    make_trio,
    rows_of,
    shared_out,
    untouched,
    without_bystanders,
)
from tests.fakes.outside import tool as outside_tool
from tests.fakes.parts import FakeSandbox, make_tables


@dataclass
class StoppedClock:
    """It stays where a test puts it."""

    at: float = NOW

    def now(self) -> float:
        """Return the time that the test has set."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Nothing here may wait."""
        raise AssertionError(f"a case waits for {seconds} s")


@dataclass
class NotedWakes:
    """A dispatcher that notes whom it would wake."""

    woken: list[Wake] = field(default_factory=list)

    async def start(self, run_turn: Callable[[int], Awaitable[None]]) -> None:
        """Start nothing."""

    def enlist(self, connection: Connection, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """Leave all for `wake`."""
        return wakes

    def wake(self, wakes: Sequence[Wake]) -> None:
        """Note them."""
        self.woken += wakes

    def crowded(self) -> bool:
        """Return that nobody waits."""
        return False

    async def stop(self, drain: bool = True) -> None:
        """Nothing runs."""


@dataclass
class Lab:
    """One store, and in it a trio of tasks for each case."""

    store: StoreOnOneConnection
    folder: Path
    template: Trio | None = None
    wakes: NotedWakes = field(default_factory=NotedWakes)
    clock: StoppedClock = field(default_factory=StoppedClock)
    answers: list[ChatAnswer] = field(default_factory=list)

    def trio(self) -> Trio:
        """Return three tasks as nobody has touched them."""
        self.wakes.woken.clear()
        if self.template is None:
            self.template = self.store.write_now(make_trio)
            self.store.keep()
        self.store.undo()
        return self.template

    @property
    def parts(self) -> EngineParts:
        """Real parts around a model that gives `answers`, then only talks."""

        def script(_request: ChatRequest) -> ChatAnswer:
            return self.answers.pop(0) if self.answers else say("done")

        def ran(_request: RunRequest) -> RunResult:
            return RunResult(exit_code=0, output="ok", ended="exit", seconds=0.1)

        workspace = GitWorkspace(self.folder)
        return EngineParts(self.store, ScriptedModel(script), workspace, FakeSandbox(ran), self.clock)

    def engine(self) -> Engine:
        """Return an engine that is not started: it carries out commands and wakes nobody."""
        return Engine(self.parts, self.wakes, EngineOptions(CAPS, TurnOptions(), sweeps=False))

    async def take_turn(self, agent_id: int, *answers: ChatAnswer) -> None:
        """Let an agent give these answers, then talk."""
        self.answers = list(answers)

        def after(_task: int, committed: Committed) -> None:
            self.wakes.wake(committed.wakes)

        options = TurnOptions(tools=ToolOptions(audit_rounds=2, plan_approval_over=100))
        await TurnRunner(self.parts, options, after, self.wakes).run_turn(agent_id)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A store on each database."""
    folder = tmp_path_factory.mktemp("isolation")
    url = f"sqlite:///{folder / 'lab.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").new_database()
    make_tables(url)
    store = StoreOnOneConnection(url)
    yield Lab(store, folder / "workspaces")
    store.dispose()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A store on SQLite, where the same numbers are given again after a rollback."""
    folder = tmp_path_factory.mktemp("alone")
    make_tables(f"sqlite:///{folder / 'lab.db'}")
    store = StoreOnOneConnection(f"sqlite:///{folder / 'lab.db'}")
    yield Lab(store, folder / "workspaces")
    store.dispose()


# ---------------------------------------------------------------- what is done to a task

Prepare = Callable[[Connection, Side], None]
Do = Callable[[Lab, Side], Awaitable[object]]


@dataclass(frozen=True)
class Act:
    """Something done to the subject. `ready`: what has to hold before, written to its rows only."""

    name: str
    do: Do
    ready: tuple[Prepare, ...] = ()
    changes: bool = True
    then: Callable[[Connection, Side], bool] | None = None

    def __str__(self) -> str:
        return self.name


def put(table: sa.Table, where: Callable[[Side], sa.ColumnElement[bool]], **values: Any) -> Prepare:
    """Write these values to rows of the subject."""

    def write(connection: Connection, side: Side) -> None:
        connection.execute(table.update().where(where(side)).values(**values))

    return write


def all_have(table: sa.Table, **values: Any) -> Prepare:
    """Write these values to the rows of all tasks."""

    def write(connection: Connection, _side: Side) -> None:
        connection.execute(table.update().values(**values))

    return write


def others_have(table: sa.Table, **values: Any) -> Prepare:
    """Write these values to the rows of the other tasks."""
    whose = table.c.id if table is TASKS else table.c.task_id
    return put(table, lambda side: whose != side.task, **values)


def task_is(**values: Any) -> Prepare:
    """The subject's row has these values."""
    return put(TASKS, lambda side: TASKS.c.id == side.task, **values)


def agent_is(name: str, **values: Any) -> Prepare:
    """The row of one of its agents has these values."""
    return put(AGENTS, lambda side: AGENTS.c.id == side.agents[name], **values)


nothing_called = put(
    OUTSIDE_CALLS, lambda side: OUTSIDE_CALLS.c.task_id == side.task, state="done", told=True
)
nobody_asked = put(GATES, lambda side: GATES.c.task_id == side.task, basis="resumed")
nothing_unread = put(MESSAGES, lambda side: MESSAGES.c.task_id == side.task, consumed_step=1)
no_work = put(ASSIGNMENTS, lambda side: ASSIGNMENTS.c.task_id == side.task, state="accepted")
unattended = task_is(attended=False)


def value(connection: Connection, column: sa.Column[Any], **where: Any) -> Any:
    """Return a column of the row with these values."""
    here = [column.table.c[name] == one for name, one in where.items()]
    return connection.execute(sa.select(column).where(*here)).scalar()


def is_now(
    column: sa.Column[Any], wanted: Any, key: Callable[[Side], int]
) -> Callable[[Connection, Side], bool]:
    """The row of that id has the value."""
    return lambda connection, side: value(connection, column, id=key(side)) == wanted


def order(
    name: str,
    make: Callable[[Side], c.Command],
    *ready: Prepare,
    changes: bool = True,
    then: Callable[[Connection, Side], bool] | None = None,
) -> Act:
    """A person's command."""
    return Act(name, lambda lab, side: lab.engine().handle(make(side)), ready, changes, then)


def ada_state(status: str) -> Callable[[Connection, Side], bool]:
    """Ada has this status."""
    return is_now(AGENTS.c.status, status, lambda side: side.ada)


def task_state(state: str) -> Callable[[Connection, Side], bool]:
    """The task has this state."""
    return is_now(TASKS.c.state, state, lambda side: side.task)


def _told(text: str) -> Callable[[Connection, Side], bool]:
    """A message with this text is unread."""

    def holds(connection: Connection, side: Side) -> bool:
        unread = sa.and_(MESSAGES.c.task_id == side.task, MESSAGES.c.consumed_step.is_(None))
        found = connection.execute(sa.select(MESSAGES.c.text).where(unread)).scalars()
        return any(text in one for one in found)

    return holds


def _two_here(connection: Connection, side: Side) -> bool:
    """Another task runs in the same space."""
    here = sa.select(TASKS.c.state).where(TASKS.c.space == side.space)
    return connection.execute(here).scalars().all() == ["running", "running"]


def _with_auditor(connection: Connection, side: Side) -> None:
    """The subject's auditor is judging."""
    here = TASKS.c.id == side.task
    connection.execute(TASKS.update().where(here).values(auditor_id=side.agents["auditor"], audit_round=1))


FIRST_AGENT = sa.select(sa.func.min(AGENTS.c.id)).where(AGENTS.c.task_id == TASKS.c.id).scalar_subquery()
ENDED = TaskEnded(1, 1, "done", "made it", (), True, unheeded=(Unheeded("Eve", "Ada", "not heard"),))
UNHEEDED = dumps(asdict(ENDED))
P = "discord:2"
capped = task_is(state="paused", paused_for="cap")
over = task_is(state="done", ended_at=NOW - 1)
COMMANDS: dict[type, tuple[Act, ...]] = {
    c.StartTask: (
        order("start", lambda s: c.StartTask("a small game", P, s.space), changes=False, then=_two_here),
        order(
            "start with files",
            lambda s: c.StartTask("a game", P, s.space, files={"a.py": b"1"}),
            changes=False,
            then=_two_here,
        ),
    ),
    c.ContinueTask: (
        order("continue", lambda s: c.ContinueTask(s.task, P, "Eve"), over),
        order(
            "continue what was wrapped up",
            lambda s: c.ContinueTask(s.task, P, "Eve"),
            over,
            all_have(AGENTS, status="paused", paused_with=WRAP_UP),
        ),
        order(
            "continue after a verdict beside others that are judged",
            lambda s: c.ContinueTask(s.task, P, "Eve"),
            over,
            _with_auditor,
            others_have(TASKS, auditor_id=FIRST_AGENT),
        ),
        order(
            "continue beside others whose end left words",
            lambda s: c.ContinueTask(s.task, P, "Eve"),
            over,
            others_have(EVENTS, kind="TaskEnded", payload_json=UNHEEDED),
            then=lambda db, s: not _told("not heard")(db, s),
        ),
    ),
    c.StartDemonstration: (
        order("start a demonstration", lambda s: c.StartDemonstration(P, s.space), changes=False),
    ),
    c.SetProtections: (
        order("what agents ask for", lambda s: c.SetProtections(s.space, c.Protections(run=True), P)),
    ),
    c.RecordRules: (
        order("who may approve", lambda s: c.RecordRules(s.space, {"approve": "@&1"}, P), changes=False),
    ),
    c.RecordSignIn: (order("sign in", lambda s: c.RecordSignIn(s.space, "calendar", P), changes=False),),
    c.RecordSignOut: (order("sign out", lambda s: c.RecordSignOut(s.space, "calendar", P), changes=False),),
    c.RecordArchive: (
        order("close places", lambda s: c.RecordArchive(s.task, True, P), over, changes=False),
    ),
    c.SetMonthRule: (
        order("budgets of a month", lambda s: c.SetMonthRule(s.space, c.MonthRule(space_micros=10**9), P)),
    ),
    c.SetGateRule: (
        order("how long a question waits", lambda s: c.SetGateRule(s.space, "plan", 60.0, "cancel", P)),
    ),
    c.SayToAgent: (
        order("say", lambda s: c.SayToAgent(s.ada, "hello", P, "Eve", f"{s.refs}9"), then=_told("hello")),
        order("say to refused", lambda s: c.SayToAgent(s.dee, "go on", P, "Eve"), then=_told("go on")),
        order(
            "bring files", lambda s: c.SayToAgent(s.ada, "x", P, "Eve", files={"a.py": b"1", "c.py": b"2"})
        ),
    ),
    c.EditMessage: (order("edit", lambda s: c.EditMessage(f"{s.refs}1", "other"), then=_told("other")),),
    c.WithdrawMessage: (order("withdraw", lambda s: c.WithdrawMessage(f"{s.refs}1")),),
    c.AnswerGate: (
        order(
            "answer",
            lambda s: c.AnswerGate(s.gates["question"], P, "o1"),
            then=is_now(GATES.c.basis, "person", lambda side: side.gates["question"]),
        ),
    ),
    c.PauseTask: (order("pause", lambda s: c.PauseTask(s.task, P), then=task_state("paused")),),
    c.ResumeTask: (
        order("resume", lambda s: c.ResumeTask(s.task, P), capped, then=task_state("running")),
        order(
            "resume after a wait",
            lambda s: c.ResumeTask(s.task, P),
            capped,
            task_is(waiting_since=NOW - 50),
            others_have(TASKS, waiting_since=NOW - 70),
            then=is_now(TASKS.c.waited_s, 50, lambda side: side.task),
        ),
    ),
    c.StopTask: (order("stop", lambda s: c.StopTask(s.task, P), then=task_state("stopped")),),
    c.RaiseCap: (
        order(
            "caps",
            lambda s: c.RaiseCap(s.task, c.Limits(9, 5, 7, 40, 2_000_000, 3_000_000, 90), P),
            then=is_now(BUDGETS.c.cap_micros, 2_000_000, lambda side: side.budgets["own"]),
        ),
        order(
            "cap reached",
            lambda s: c.RaiseCap(s.task, c.Limits(tokens=9), P),
            capped,
            then=task_state("running"),
        ),
        order("cap of a part", lambda s: c.RaiseCap(s.task, c.Limits(tokens=77), P, s.ada)),
        order("first cap of a part", lambda s: c.RaiseCap(s.task, c.Limits(minutes=5), P, s.cy)),
        order("a part inside", lambda s: c.RaiseCap(s.task, c.Limits(agents=3), P, s.bob)),
    ),
    c.PauseAgent: (order("pause agent", lambda s: c.PauseAgent(s.ada, P), then=ada_state("paused")),),
    c.ResumeAgent: (
        order(
            "resume agent",
            lambda s: c.ResumeAgent(s.ada, P),
            agent_is("ada", status="paused"),
            then=ada_state("active"),
        ),
    ),
    c.EditAgent: (
        order(
            "instructions",
            lambda s: c.EditAgent(s.ada, "Be quick.", P),
            then=is_now(AGENTS.c.instructions, "Be quick.", lambda side: side.ada),
        ),
        order(
            "model",
            lambda s: c.EditAgent(s.ada, None, P, model="large"),
            then=is_now(AGENTS.c.model, "large", lambda side: side.ada),
        ),
    ),
    c.DismissAgent: (order("dismiss", lambda s: c.DismissAgent(s.ada, P), then=ada_state("dismissed")),),
    c.ReplaceAgent: (
        order("replace", lambda s: c.ReplaceAgent(s.ada, P), then=ada_state("dismissed")),
        order(
            "replace beside others of other names",
            lambda s: c.ReplaceAgent(s.ada, P),
            others_have(AGENTS, name="Zed"),
        ),
        order("replace a member", lambda s: c.ReplaceAgent(s.bob, P, "slow", "Be quick.")),
    ),
    c.ForgetMemory: (
        order(
            "forget",
            lambda s: c.ForgetMemory(s.memory, P),
            then=is_now(MEMORIES.c.id, None, lambda side: side.memory),
        ),
    ),
    c.RepeatTask: (order("repeat", lambda s: c.RepeatTask("again", P, s.space, "0 9 * * *")),),
    c.EndRepeat: (
        order(
            "end a repeat",
            lambda s: c.EndRepeat(s.repeat, P),
            then=is_now(REPEATS.c.ended_at, NOW, lambda side: side.repeat),
        ),
    ),
    c.ResumeRepeat: (
        order(
            "resume a repeat",
            lambda s: c.ResumeRepeat(s.repeat, P),
            put(REPEATS, lambda side: REPEATS.c.id == side.repeat, paused_at=NOW - 1),
            then=is_now(REPEATS.c.paused_at, None, lambda side: side.repeat),
        ),
    ),
}


_offers_refusal = put(
    GATES,
    lambda side: GATES.c.id == side.gates["plan"],
    choices_json=dumps([asdict(each) for each in choices_of("plan", at_work=True)]),
)
"""The plan came while a team was at work."""


def _gate(kind: str, choice: str | None, text: str = "", limits: c.Limits | None = None) -> Act:
    name = f"{kind}: {choice or 'text'}{' with limits' if limits else ''}"
    return order(
        name,
        lambda s: c.AnswerGate(s.gates[kind], P, choice, text, limits),
        task_is(report="made it", deliverables_json='["a.py"]', lessons_json='["paint first"]'),
        *((capped,) if kind == "cap" else ()),
        *((_offers_refusal,) if choice == "refuse_plan" else ()),
        *((task_is(state="paused", paused_for="month"),) if kind == "month" else ()),
        then=is_now(GATES.c.basis, "person", lambda side: side.gates[kind]),
    )


ANSWERS = (
    *(_gate(kind, effect) for kind in get_args(GateKind) for effect in CHOICES[kind]),
    *(_gate(kind, None, "do it so") for kind in get_args(GateKind) if kind in TAKES_TEXT),
    _gate("question", "o1"),
    _gate("plan", "approve", "but small", c.Limits(5, None, None, None, 900_000, 900_000, 50)),
)


# ---------------------------------------------------------------- what the engine does by itself


def by_engine(
    name: str, work: Callable[[Connection, Side], object], *ready: Prepare, changes: bool = True
) -> Act:
    """Work of the engine in one transaction."""

    async def do(lab: Lab, side: Side) -> object:
        done = lab.store.write_now(lambda connection: work(connection, side))
        if isinstance(done, tuple):
            lab.wakes.wake([one for one in done if isinstance(one, Wake)])
        return done

    return Act(name, do, ready, changes)


def _row(connection: Connection, side: Side) -> Any:
    return connection.execute(sa.select(TASKS).where(TASKS.c.id == side.task)).one()


def _find(action: Action, **more: Any) -> Callable[[Connection, Side], object]:
    def work(connection: Connection, side: Side) -> object:
        made = {key: one(side) if callable(one) else one for key, one in more.items()}
        heard = (Nudge(side.ada, "hello"), Nudge(side.boss, "look", wakes=False))
        finding = Finding("rule", "subject", action, side.ada, "detail", heard, **made)
        return intervene(connection, _row(connection, side), [finding], NOW)

    return work


NO_TEA = OutsideAnswer("?", failed=True)
TEA = OutsideAnswer("tea", addresses=("shop://tea",), links=("https://tea.example/",))


def _new_call(connection: Connection, side: Side) -> NewCall:
    fence = sa.select(AGENTS.c.fence).where(AGENTS.c.id == side.ada)
    now = int(connection.execute(fence).scalar_one())
    return NewCall(side.task, side.ada, now, 2, f"c{side.task}", SHOP, "e", "{}")


def _dear(connection: Connection, side: Side) -> None:
    """The call under way was paid for, by the month too."""
    months = connection.execute(sa.select(MONTHS.c.id).where(MONTHS.c.space == side.space)).scalars()
    values = {"price_micros": 50, "paid_in": id_path(list(months))}
    connection.execute(
        OUTSIDE_CALLS.update().where(OUTSIDE_CALLS.c.id == side.calls["sent"]).values(**values)
    )


def _task(connection: Connection, side: Side) -> Any:
    return connection.execute(sa.select(TASKS).where(TASKS.c.id == side.task)).one()


def _embedded(connection: Connection, side: Side) -> None:
    """Book a call to the embedding model by its estimate, then by what it cost."""
    booked = book_embedding(connection, side.bob, "v", Quote(20, 200), NOW)
    assert booked is not None
    settle_embedding(connection, booked, Quote(10, 90))


BEGAN = NOW - 500
"""When all agents joined."""

WATCH = WatchOptions(silent_s=10, unassigned_s=10, unassigned=1, chatter=1, head_writes=1, cooldown_s=1)
sweep = partial(sweep_task, now=NOW, options=WATCH)
quiet = (nobody_asked, nothing_unread, nothing_called)
own_budget = put(BUDGETS, lambda side: BUDGETS.c.id == side.budgets["own"], spent_micros=950_000)
SHOP = outside_tool("buy")
ENGINE_ACTS = (
    by_engine(
        "raise the month's caps",
        lambda db, s: raise_month(db, _task(db, s), NOW),
        all_have(MONTHS, warned=FULL),
    ),
    by_engine("settle an uncommitted call", lambda db, s: settle_untold(db, s.ada, NOW)),
    by_engine("make an approved call", lambda db, s: claim(db, s.calls["pending"], SHOP, NOW)),
    by_engine("no such tool any more", lambda db, s: claim(db, s.calls["pending"], None, NOW)),
    by_engine("an approved call answered", lambda db, s: answered(db, s.calls["sent"], TEA, NOW)),
    by_engine("an approved call lost", lambda db, s: lost(db, s.calls["sent"], "unknown", NO_TEA, NOW)),
    by_engine(
        "an approved call failed", lambda db, s: lost(db, s.calls["sent"], "not_sent", NO_TEA, NOW), _dear
    ),
    by_engine("begin a call", lambda db, s: begin(db, _new_call(db, s), NOW)),
    by_engine("book an embedding", lambda db, s: book_embedding(db, s.bob, "v", Quote(20, 200), NOW)),
    by_engine("settle an embedding", _embedded),
    by_engine(
        "a call of a process that is gone",
        lambda db, s: spend_lost(db, s.ada, "a call", NOW),
        agent_is("ada", call="a call"),
    ),
    by_engine(
        "a lost call that no month holds",
        lambda db, s: spend_lost(db, s.ada, "a call", NOW),
        agent_is("ada", call="a call", held_in=""),
    ),
    replace(
        by_engine(
            "recruited while paused",
            lambda db, s: pause_recruits(db, s.ada, BEGAN),
            agent_is("ada", status="paused", paused_with=0),
        ),
        then=is_now(AGENTS.c.paused_with, 0, lambda side: side.bob),
    ),
    by_engine("words during the audit", lambda db, s: hold_end(db, s.task, "why", NOW), _with_auditor),
    by_engine("sweep", lambda db, s: sweep(db, s.task), changes=False),
    by_engine("deadline", lambda db, s: sweep(db, s.task), task_is(deadline_at=NOW - 1)),
    by_engine(
        "deadline unattended", lambda db, s: sweep(db, s.task), task_is(deadline_at=NOW - 1), unattended
    ),
    by_engine("near the cap", lambda db, s: sweep(db, s.task), own_budget, task_is(agents=12)),
    by_engine(
        "late part",
        lambda db, s: sweep(db, s.task),
        put(BUDGETS, lambda s: BUDGETS.c.id == s.budgets["part"], deadline_at=NOW - 1),
        nobody_asked,
    ),
    by_engine("quiet", lambda db, s: sweep(db, s.task), *quiet),
    by_engine(
        "quiet in an audit", lambda db, s: sweep(db, s.task), *quiet, _with_auditor, task_is(report="-")
    ),
    by_engine(
        "quiet beside others that people paused",
        lambda db, s: sweep(db, s.task),
        *quiet,
        put(AGENTS, lambda side: AGENTS.c.task_id < side.task, status="paused"),
    ),
    by_engine(
        "waits beside others whose file is there",
        lambda db, s: end_true_waits(db, s.task, NOW),
        put(FILES, lambda s: sa.and_(FILES.c.task_id != s.task, FILES.c.path == "a.py"), path="later.md"),
        changes=False,
    ),
    by_engine("quiet without work", lambda db, s: sweep(db, s.task), *quiet, no_work),
    by_engine("standstill", lambda db, s: sweep(db, s.task), *quiet, task_is(quiet_rounds=9)),
    by_engine(
        "standstill unattended", lambda db, s: sweep(db, s.task), *quiet, unattended, task_is(quiet_rounds=9)
    ),
    by_engine(
        "the boss is refused",
        lambda db, s: sweep(db, s.task),
        *quiet,
        unattended,
        agent_is("boss", status="paused", refused="no"),
    ),
    by_engine("judge", lambda db, s: judge_and_intervene(db, s.task, NOW, WATCH), *quiet),
    *(by_engine(f"found: {action}", _find(action)) for action in get_args(Action)),
    by_engine("found: mute", _find("nudged", mute=lambda s: (s.ada, s.cy))),
    by_engine("found: replace", _find("replaced", replace=lambda s: s.ada)),
    by_engine("found: ask", _find("asked", ask="what now?")),
    by_engine("found: ask unattended", _find("asked", ask="what now?"), unattended),
    by_engine("wrap up", lambda db, s: wrap_up(db, _row(db, s), "why", NOW)),
    replace(
        by_engine(
            "wrap up beside others whose boss was refused",
            lambda db, s: wrap_up(db, _row(db, s), "why", NOW),
            others_have(AGENTS, refused="no"),
        ),
        then=task_state("running"),
    ),
    by_engine(
        "wrap up again",
        lambda db, s: (wrap_up(db, _row(db, s), "why", NOW), wrap_up(db, _row(db, s), "why", NOW)),
    ),
    by_engine("end short", lambda db, s: end_short(db, _row(db, s), "why", NOW), task_is(report="half")),
    by_engine("end failed", lambda db, s: end_short(db, _row(db, s), "why", NOW)),
    by_engine(
        "end by runs", lambda db, s: end_short(db, _row(db, s), "why", NOW), task_is(report="-", basis="ran")
    ),
    by_engine("cap", lambda db, s: pause_and_ask(db, _row(db, s), ("cost", 9, 9), NOW)),
    by_engine("cap of a call", lambda db, s: at_cap(db, s.task, s.cy, Quote(9, 9_000_000), NOW)),
    by_engine(
        "cap of a part's call", lambda db, s: at_cap(db, s.task, s.bob, Quote(9, 600_000), NOW), nobody_asked
    ),
    by_engine(
        "no room in the month",
        lambda db, s: at_cap(db, s.task, s.cy, Quote(9, 7_000_000), NOW),
        put(BUDGETS, lambda s: BUDGETS.c.id == s.budgets["own"], cap_micros=10**9),
    ),
    by_engine(
        "part of a month is told",
        lambda db, s: warn_months(db, months_to_announce(db, NOW), NOW),
        put(MONTHS, lambda s: MONTHS.c.space == s.space, spent_micros=9_000_000),
    ),
    by_engine(
        "room in the month again",
        lambda db, s: resume_with_room(db, paused_for_month(db), "new_month", NOW),
        task_is(state="paused", paused_for="month"),
    ),
    by_engine(
        "a server's month has room again",
        lambda db, s: resume_with_room(db, paused_for_month(db, s.space), "cap_raised", NOW),
        task_is(state="paused", paused_for="month"),
        others_have(TASKS, state="paused", paused_for="month"),
    ),
    by_engine(
        "book the price of a call",
        lambda db, s: book_price(db, s.task, [s.budgets["own"]], "shop", 5, NOW),
    ),
    by_engine(
        "what a crash left of a month",
        lambda db, s: release_stale(db, NOW),
        task_is(state="done", ended_at=NOW - 4_000),
    ),
    by_engine("plan not answered", lambda db, s: advance_gate(db, s.gates["plan"], NOW + 301)),
    by_engine("question not answered", lambda db, s: advance_gate(db, s.gates["question"], NOW + FAR_S)),
    by_engine("reminder of a cap", lambda db, s: advance_gate(db, s.gates["cap"], NOW + FAR_S)),
    by_engine(
        "a repeat is due",
        lambda db, s: start_due(db, s.repeat, NOW),
        put(REPEATS, lambda s: REPEATS.c.id == s.repeat, next_at=NOW - 1),
        task_is(state="done"),
    ),
    *(
        replace(
            by_engine(
                f"a repeat whose last run {'ended' if ended else 'goes on'}",
                lambda db, s: start_due(db, s.repeat, NOW),
                put(REPEATS, lambda s: REPEATS.c.id == s.repeat, next_at=NOW - 1, skipped=0),
                task_is(state="done" if ended else "running"),
                others_have(TASKS, state="running" if ended else "done"),
            ),
            then=is_now(REPEATS.c.skipped, 0 if ended else 1, lambda side: side.repeat),
        )
        for ended in (True, False)
    ),
    by_engine(
        "a repeat is paused",
        lambda db, s: pause_repeat(db, DueRepeat(s.repeat, P, s.space, c.Limits()), "gone", NOW),
        put(REPEATS, lambda s: REPEATS.c.id == s.repeat, by=P),
    ),
)


# ---------------------------------------------------------------- effects and tools

TOLD = fx.SendMessage(("cy", "bob"), "hello", ("Cy", "Bob"), 0)
ZOE = fx.Recruit(1, "Zoe", "w", "work", "workshop")
FINISHED = fx.Finish("it works", ("a.py",), True, ("paint first",), (b"",))
MODEL = ScriptedModel(lambda _request: say("x"))


def in_step(name: str, actor: str, make: Callable[[Side], fx.Effect], *ready: Prepare, **more: Any) -> Act:
    """A step of an agent with this effect. `more`: values of its outcome."""

    async def do(lab: Lab, side: Side) -> object:
        return lab.store.write_now(lambda db: _load(db, side, actor)), lab.store.write_now(
            lambda db: _commit(lab, db, side, actor, make(side), **more)
        )

    return Act(name, do, (agent_is(actor, in_turn=True), *ready))


def _load(connection: Connection, side: Side, actor: str) -> Turn | None:
    def composed(facts: Any) -> Turn:
        return compose(facts, specs_for(facts.agent.role), 16_000, MODEL.quote, None, None)

    return load_turn(connection, side.agents[actor], composed, NOW, 100)


def _commit(lab: Lab, connection: Connection, side: Side, actor: str, effect: fx.Effect, **more: Any) -> None:
    turn = _load(connection, side, actor)
    assert turn is not None, f"{actor} has nothing to do"
    outcome = fx.StepOutcome("I say.", (), (effect,), True, Usage(200, 0, 20), 10, "m", NOW - 1, NOW)
    outcome = replace(outcome, **more)
    lab.wakes.wake(commit_step(connection, turn, outcome, NOW).wakes)


def _change(state: Any, which: str, *expected: str) -> Callable[[Side], fx.Effect]:
    return lambda s: fx.ChangeAssignment(s.work[which], expected, state, "note", ("a.py",))


def _deleted(side: Side) -> fx.Effect:
    return fx.ChangeFile(1, "a.py", None, _blob(side), 0, "deleted")


def _accepted(connection: Connection, side: Side) -> None:
    """A file belongs to work that Ada accepted."""
    here = sa.and_(FILES.c.task_id == side.task, FILES.c.path == "a.py")
    connection.execute(FILES.update().where(here).values(accepted_json=dumps([side.work["submitted"]])))


heeded = put(
    MESSAGES,
    lambda s: sa.and_(MESSAGES.c.task_id == s.task, MESSAGES.c.from_kind == "person"),
    consumed_step=1,
)
audited = others_have(TASKS, auditor_id=FIRST_AGENT)
judged = task_is(
    report="made it", deliverables_json='["a.py"]', lessons_json='["paint first"]', audit_round=1
)
STEPS: dict[type, tuple[Act, ...]] = {
    fx.SendMessage: (
        in_step("send", "ada", lambda s: TOLD),
        in_step("send to the group", "ada", lambda s: replace(TOLD, to=(), to_group=s.groups["shop"])),
        in_step(
            "send beside others who know less of their steps",
            "cy",
            lambda s: replace(TOLD, to=("bob",)),
            others_have(AGENTS, summary_upto=9),
        ),
        in_step("send to the refused", "ada", lambda s: replace(TOLD, to=("dee",))),
    ),
    fx.Recruit: (
        in_step("recruit", "ada", lambda s: fx.Recruit(1, "Bob", "w", "work", "workshop")),
        in_step("recruit and tell", "ada", lambda s: ZOE, effects=(ZOE, replace(TOLD, to=("zoe",)))),
        in_step("found a group", "cy", lambda s: fx.Recruit(1, "Ada", "w", "work", "workshop")),
    ),
    fx.CheckTeam: (
        in_step("check team", "ada", lambda s: fx.CheckTeam(100)),
        replace(
            in_step("end without a word", "ada", lambda s: fx.CheckTeam(100), said=""),
            then=_told("whose turn ended without an answer"),
        ),
    ),
    fx.Assign: (in_step("assign", "ada", lambda s: fx.Assign(1, "bob", "t", "d", "a", ("true",))),),
    fx.ChangeAssignment: (
        in_step("submit", "ada", _change("submitted", "open", "open")),
        in_step("accept", "ada", _change("accepted", "submitted", "submitted")),
        in_step(
            "accept with files",
            "ada",
            _change("accepted", "submitted", "submitted"),
            all_have(ASSIGNMENTS, changed_json='["a.py"]'),
            others_have(FILES, accepted_json="[1]"),
        ),
        in_step("reject", "ada", _change("rejected", "submitted", "submitted")),
        in_step("cancel", "boss", _change("cancelled", "open", "open")),
    ),
    fx.Dismiss: (in_step("dismiss in a step", "boss", lambda s: fx.Dismiss("ada", "done")),),
    fx.SetTodo: (in_step("todo", "ada", lambda s: fx.SetTodo((TodoItem("a", "doing"),))),),
    fx.ChangeFile: (
        in_step("new file", "ada", lambda s: fx.ChangeFile(1, "n.py", "b", None, 1, "added")),
        in_step("change accepted work", "cy", _deleted, _accepted, agent_is("ada", status="dismissed")),
        in_step("change file", "ada", lambda s: fx.ChangeFile(1, "a.py", None, _blob(s), 0, "deleted")),
    ),
    fx.CheckRoom: (in_step("check room", "ada", lambda s: fx.CheckRoom(2, 30)),),
    fx.ShowRun: (in_step("show run", "ada", lambda s: fx.ShowRun("x", 0, "exited", "ok")),),
    fx.RaiseGate: (
        in_step("ask", "ada", lambda s: fx.RaiseGate("question", "?", (Choice("o1", "option", "yes"),))),
    ),
    fx.Remember: (
        in_step("remember", "bob", lambda s: fx.Remember(1, "paint the game")),
        in_step("remember for all", "bob", lambda s: fx.Remember(1, "paint the game", None, True)),
    ),
    fx.ProposePlan: (
        in_step("plan", "boss", lambda s: fx.ProposePlan("p", ("g",), 9, 1, 1, 1, True)),
        in_step("small plan", "boss", lambda s: fx.ProposePlan("p", ("g",), 2, 1, 1, 1, False)),
    ),
    fx.NameTask: (in_step("name", "boss", lambda s: fx.NameTask("sales report")),),
    fx.Notice: (in_step("notice", "bob", lambda s: fx.Notice("loop", "paused", "d", True)),),
    fx.GiveUp: (in_step("give up", "bob", lambda s: fx.GiveUp("refused")),),
    fx.CountRefusal: (in_step("count a refusal", "bob", lambda s: fx.CountRefusal("k", ("member",), "c")),),
    fx.WaitFor: (
        in_step(
            "wait for things",
            "cy",
            lambda s: fx.WaitFor((Awaited("later.md"), Awaited(assignment=s.work["open"]))),
        ),
    ),
    fx.AmendAssignment: (
        in_step(
            "amend", "boss", lambda s: fx.AmendAssignment(s.work["open"], "t", "new text", "", (), "asked")
        ),
    ),
    fx.AskAction: (in_step("ask for a run", "bob", lambda s: fx.AskAction("run", "d" * 64, "{}", "{}")),),
    fx.UseAction: (in_step("use an agreement", "bob", lambda s: fx.UseAction(s.gates["action"])),),
    fx.CheckRecruits: (in_step("check recruits", "bob", lambda s: fx.CheckRecruits(99)),),
    fx.AskPackages: (in_step("ask packages", "bob", lambda s: fx.AskPackages(("six",), "six?")),),
    fx.AddPackages: (
        in_step("add packages", "bob", lambda s: fx.AddPackages((Pin("toml", "1", "toml.whl", "1" * 64),))),
    ),
    fx.SetBudget: (
        in_step(
            "cap a member",
            "boss",
            lambda s: fx.SetBudget("ada", 100, 100, 3, 5),
            put(BUDGETS, lambda s: BUDGETS.c.id == s.budgets["part"], set_by=""),
        ),
        in_step("first cap of a member", "boss", lambda s: fx.SetBudget("cy", 100, 100, 3, 5)),
    ),
    fx.CollectWords: (
        in_step("collect words", "boss", lambda s: fx.CollectWords(), agent_is("ada", status="paused")),
    ),
    fx.Finish: (
        in_step("finish", "boss", lambda s: replace(FINISHED, audit=False), heeded),
        in_step("finish and audit", "boss", lambda s: FINISHED, heeded, all_have(TASKS, max_agents=6)),
        in_step("finish by runs", "boss", lambda s: replace(FINISHED, report="", audit=False), heeded),
    ),
    fx.AskCall: (in_step("ask for a call", "ada", lambda s: fx.AskCall(1, SHOP, "new", "{}", "{}")),),
    fx.ShowCall: (
        in_step("show a call", "ada", lambda s: fx.ShowCall(s.calls["sent"], "shop", "buy", "done", "{}")),
    ),
    fx.Verdict: (
        in_step("accept the result", "auditor", lambda s: fx.Verdict(True, "good", False), judged),
        in_step("accept by runs", "auditor", lambda s: fx.Verdict(True, "", False, True), judged),
        in_step("reject the result", "auditor", lambda s: fx.Verdict(False, "bad", False), judged, audited),
        in_step("reject the last", "auditor", lambda s: fx.Verdict(False, "bad", True), judged),
        *(
            replace(
                in_step(name, "auditor", lambda s: fx.Verdict(False, "bad", True), judged, unattended, *had),
                then=is_now(TASKS.c.basis, basis, lambda side: side.task),
            )
            for name, had, basis in (
                ("reject unattended", (nothing_unread,), "rejected"),
                ("reject what was run", (nothing_unread, task_is(basis="ran")), "ran"),
            )
        ),
    ),
}


no_old_files = put(REVISIONS, lambda side: REVISIONS.c.task_id == side.task, blob=None)


def _blob(side: Side) -> str:
    return f"blob{side.refs[1:-1]}"


def tool(actor: str, name: str, make: Callable[[Side], dict[str, Any]], *ready: Prepare) -> tuple[str, Act]:
    """An agent's call of a tool, on real files."""

    async def do(lab: Lab, side: Side) -> object:
        files = {"a.py": b"print('red')\n", "b.py": b"print('blue')\n"}
        await lab.engine().handle(c.SayToAgent(side.agents[actor], "see", P, "Eve", files=files))
        await lab.take_turn(side.agents[actor], call((name, make(side))))
        return None

    return name, Act(f"{name} of {actor}", do, ready)


TOOL_ACTS: tuple[tuple[str, Act], ...] = (
    tool("ada", "send_message", lambda s: {"to": ["Cy", "group"], "text": "hello", "needs_answer": True}),
    tool("ada", "recruit", lambda s: {"members": [{"name": "Cy", "role": "w", "instructions": "w"}]}),
    tool("ada", "assign", lambda s: {"to": "Bob", "title": "t", "details": "d"}),
    tool(
        "ada",
        "submit",
        lambda s: {"assignment": s.work["open"], "summary": "s", "files": ["a.py"]},
        no_work,
        put(ASSIGNMENTS, lambda s: ASSIGNMENTS.c.id == s.work["open"], state="open"),
    ),
    tool("ada", "review", lambda s: {"assignment": s.work["submitted"], "verdict": "accept"}),
    tool("boss", "dismiss", lambda s: {"name": "Ada", "reason": "done"}),
    tool("cy", "wait_for", lambda s: {"what": ["later.md"]}),
    tool("boss", "amend", lambda s: {"assignment": s.work["open"], "details": "new", "why": "asked"}),
    tool("bob", "install_packages", lambda s: {"packages": ["toml"]}),
    tool("ada", "update_todo", lambda s: {"items": [{"text": "a"}]}),
    tool("ada", "list_files", lambda s: {}),
    tool("ada", "read_file", lambda s: {"path": "a.py"}),
    tool("ada", "search_files", lambda s: {"pattern": "print"}),
    tool("ada", "write_file", lambda s: {"path": "c.py", "content": "1"}),
    tool("ada", "edit_file", lambda s: {"path": "a.py", "old": "red", "new": "green"}),
    tool("ada", "delete_file", lambda s: {"path": "a.py"}),
    tool("ada", "move_file", lambda s: {"path": "a.py", "to": "d.py"}),
    tool("ada", "diff", lambda s: {"since": f"#{s.work['open']}"}, no_old_files),
    tool("ada", "run", lambda s: {"command": ["python", "a.py"]}),
    tool("ada", "send_input", lambda s: {"text": "x"}),
    tool("bob", "remember", lambda s: {"text": "paint", "share": True}),
    tool("bob", "recall", lambda s: {"query": "paint the game"}),
    tool("ada", "ask_human", lambda s: {"question": "which?"}),
    tool("boss", "propose_plan", lambda s: {"summary": "p", "groups": ["g"], "agents": 200}),
    tool("boss", "set_budget", lambda s: {"name": "Cy", "tokens": 100}),
    tool("auditor", "verdict", lambda s: {"verdict": "accept", "findings": "good"}, judged),
    tool("boss", "finish", lambda s: {"report": "it works", "lessons": ["paint"]}, no_work, heeded),
)

ORDERS = tuple(act for acts in COMMANDS.values() for act in acts)
IN_STEPS = tuple(act for acts in STEPS.values() for act in acts)
EVERY = (*ORDERS, *ANSWERS, *ENGINE_ACTS, *IN_STEPS, *(act for _, act in TOOL_ACTS))


def test_everything_that_can_be_done_has_a_case() -> None:
    """A new command, kind of gate, choice, effect, tool or table without a case is noticed here."""
    assert set(COMMANDS) == set(get_args(c.Command))
    assert set(STEPS) == set(EFFECTS)
    assert {name for name, _ in TOOL_ACTS} == set(TOOLS)
    assert len({act.name for act in EVERY}) == len(EVERY)


OF_THE_INSTALLATION = {"sign_ins"}
"""Tables of the operator's servers (bystanders: test_sign_ins.py)."""


def test_every_table_says_whose_a_row_is(lab: Lab) -> None:
    """Each table has a row of each of the three tasks: a new one has to be filled in."""
    trio = lab.trio()
    dump = rows_of(lab.store.connection)
    owners = Owners(dump)
    for table in ENGINE_METADATA.sorted_tables:
        if table.name in OF_THE_INSTALLATION:
            continue
        found = {task for row in dump[table.name] for task in owners.tasks(table.name, row)}
        assert {side.task for side in (trio.subject, *trio.bystanders)} <= found, table.name


@pytest.mark.parametrize("act", EVERY, ids=str)
async def test_nothing_of_other_tasks_changes(lab: Lab, act: Act) -> None:
    """Every row of the bystanders stays byte for byte as it was; only agents of the subject are woken."""
    trio = lab.trio()
    connection, subject = lab.store.connection, trio.subject
    lab.store.write_now(lambda db: [ready(db, subject) for ready in act.ready])
    before = shared_out(rows_of(connection))
    await act.do(lab, subject)
    after = shared_out(rows_of(connection))
    check_untouched(before, after, trio.bystanders)
    others = {side.task for side in trio.bystanders}
    assert not others & {wake.task_id for wake in lab.wakes.woken}
    if act.changes:
        assert after[subject.task] != before[subject.task], "nothing was done"
    if act.then is not None:
        assert act.then(connection, subject)


@pytest.mark.parametrize("act", EVERY, ids=str)
async def test_other_tasks_change_nothing_of_what_is_done(
    alone: Lab, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    """The subject's rows, the answer and who is woken are the same when there are no bystanders."""
    seen = []
    for there in (True, False):
        numbers = count()
        monkeypatch.setattr(core, "token_hex", lambda _bytes, numbers=numbers: str(next(numbers)))
        trio = alone.trio()
        connection, subject = alone.store.connection, trio.subject
        alone.store.write_now(lambda db, side=subject: [ready(db, side) for ready in act.ready])  # type: ignore[misc]
        if not there:
            without_bystanders(connection, trio)
        done = await act.do(alone, subject)
        seen.append((done, belongings(connection, subject.task), sorted(alone.wakes.woken, key=repr)))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("kind", get_args(c.Command), ids=lambda kind: kind.__name__)
async def test_every_event_of_a_command_says_whose_it_is(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """By key and name, whatever the command sets off; what nobody ordered names nobody."""
    given = Engine.handle

    async def named(engine: Engine, command: Any) -> int:
        knows = hasattr(command, "by_name")
        return await given(engine, replace(command, by_name="Eve (crew)") if knows else command)

    monkeypatch.setattr(Engine, "handle", named)
    for act in (*COMMANDS[kind], *(ANSWERS if kind is c.AnswerGate else ())):
        subject, connection = lab.trio().subject, lab.store.connection
        lab.store.write_now(lambda db, act=act, side=subject: [ready(db, side) for ready in act.ready])  # type: ignore[misc]
        last = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
        await act.do(lab, subject)
        rows = connection.execute(sa.select(EVENTS).where(EVENTS.c.seq > last)).all()
        assert {(row.by, row.by_name) for row in rows} <= {(P, "Eve (crew)")}, act
        assert rows or kind not in SAYS_SO, act
        lab.store.write_now(lambda db: append_events(db, [("later", ModelBack(1))], NOW))
        assert connection.execute(sa.select(EVENTS.c.by).where(EVENTS.c.key == "later")).scalar() == ""


SAYS_SO = (
    c.StartTask,
    c.StartDemonstration,
    c.ContinueTask,
    c.AnswerGate,
    c.PauseTask,
    c.ResumeTask,
    c.StopTask,
    c.PauseAgent,
    c.ResumeAgent,
    c.EditAgent,
    c.DismissAgent,
    c.ReplaceAgent,
)
"""Commands of which the world is always told by an event."""


async def _decisions(look: Queries, side: Side) -> object:
    return await look.decisions(side.space), await look.decisions(side.space, side.task)


READS: dict[str, Callable[[Queries, Side], Awaitable[object]]] = {
    "tasks": lambda look, s: look.tasks(s.space),
    "task": lambda look, s: look.task(s.task),
    "agents": lambda look, s: look.agents(s.task),
    "agent": lambda look, s: look.agent(s.ada),
    "groups": lambda look, s: look.groups(s.task),
    "group": lambda look, s: look.group(s.groups["shop"]),
    "assignments": lambda look, s: look.assignments(s.task),
    "steps": lambda look, s: look.steps(s.cy),
    "timeline": lambda look, s: look.timeline(s.task),
    "events": lambda look, s: look.events(s.task, (CodeRan,)),
    "model_calls": lambda look, s: look.model_calls(s.task),
    "working_groups": lambda look, s: look.working_groups(s.task),
    "usual_seconds": lambda look, s: look.usual_seconds(s.task),
    "gates": lambda look, s: look.gates(s.task),
    "gate": lambda look, s: look.gate(s.gates["plan"]),
    "files": lambda look, s: look.files(s.task),
    "read_file": lambda look, s: look.read_file(s.task, "a.py"),
    "history": lambda look, s: look.history(s.task, "a.py"),
    "blame": lambda look, s: look.blame(s.task, "a.py"),
    "memories": lambda look, s: look.memories(s.space),
    "decisions": _decisions,
    "gate_rules": lambda look, s: look.gate_rules(s.space),
    "used": lambda look, s: look.used(P, s.space, NOW),
    "repeats": lambda look, s: look.repeats(s.space),
    "spending": lambda look, s: look.spending(s.space, NOW - FAR_S),
    "protections": lambda look, s: look.protections(s.space),
    "month_rule": lambda look, s: look.month_rule(s.space),
    "month_left": lambda look, s: look.month_left(P, s.space, NOW),
}


def _forget_files(connection: Connection, side: Side) -> None:
    """The made-up files of the subject are gone: git has no such blobs."""
    no_old_files(connection, side)


def test_every_read_has_a_case() -> None:
    """A new read without one is noticed here."""
    assert set(READS) == {name for name in vars(Queries) if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(READS))
async def test_a_read_shows_one_task(alone: Lab, name: str) -> None:
    """It finds something, and the same when there are no bystanders."""
    seen = []
    for there in (True, False):
        trio = alone.trio()
        alone.store.write_now(partial(_forget_files, side=trio.subject))
        brought = c.SayToAgent(trio.subject.ada, "x", P, "Eve", files={"a.py": b"1\n", "b.py": b"2\n"})
        await alone.engine().handle(brought)
        elsewhere = c.SayToAgent(trio.after.ada, "x", P, "Eve", files={"a.py": b"3\n"})
        await alone.engine().handle(elsewhere)
        if not there:
            without_bystanders(alone.store.connection, trio)
        seen.append(await READS[name](alone.engine().look, trio.subject))
    assert seen[0] == seen[1] and seen[0]


async def test_decisions_of_a_task_are_its_own(alone: Lab) -> None:
    """Where others of the same space had decisions."""
    subject, look = alone.trio().subject, alone.engine().look
    same = all_have(DECISIONS, space=subject.space)
    alone.store.write_now(lambda db: same(db, subject))
    assert len(await look.decisions(subject.space)) == 3
    assert [each.task_id for each in await look.decisions(subject.space, subject.task)] == [subject.task]


async def test_a_paused_task_has_no_working_group(alone: Lab) -> None:
    """Though others run, whose agents have as much to do."""
    subject, look = alone.trio().subject, alone.engine().look
    assert await look.working_groups(subject.task)
    alone.store.write_now(lambda db: capped(db, subject))
    assert await look.working_groups(subject.task) == []


async def test_a_task_shows_what_it_was_given(alone: Lab) -> None:
    """Whatever was given to others, to those begun later too."""
    subject, given = alone.trio().subject, others_have(STARTS, limits_json='{"agents": 3}')
    before = await alone.engine().look.task(subject.task)
    alone.store.write_now(lambda db: given(db, subject))
    assert await alone.engine().look.task(subject.task) == before and before.given.agents != 3


async def test_an_agent_is_shown_once_with_its_own_budget(alone: Lab) -> None:
    """Budgets of colleagues are shown with those."""
    subject = alone.trio().subject
    shown = await alone.engine().look.agents(subject.task)
    owners = sa.select(BUDGETS.c.agent_id).where(
        BUDGETS.c.task_id == subject.task, BUDGETS.c.agent_id.is_not(None)
    )
    own = set(alone.store.connection.execute(owners).scalars())
    assert sorted(agent.id for agent in shown) == sorted(subject.agents.values()) and own
    assert {agent.id for agent in shown if agent.budget is not None} == own


# ---------------------------------------------------------------- reaching across by a number or name

ACROSS: tuple[tuple[str, str, Callable[[Side, Side], dict[str, Any]]], ...] = (
    ("ada", "submit", lambda s, o: {"assignment": o.work["open"], "summary": "s"}),
    ("ada", "review", lambda s, o: {"assignment": o.work["submitted"], "verdict": "accept"}),
    ("boss", "review", lambda s, o: {"assignment": o.work["closed"], "verdict": "reject", "feedback": "x"}),
)


@pytest.mark.parametrize(("actor", "name", "make"), ACROSS, ids=[f"{a} {n}" for a, n, _ in ACROSS])
async def test_no_tool_reaches_another_task(
    lab: Lab, actor: str, name: str, make: Callable[[Side, Side], dict[str, Any]]
) -> None:
    """An agent that names what belongs to another task is refused."""
    trio = lab.trio()
    for other in trio.bystanders:
        with untouched(lab.store.connection, trio.bystanders):
            await lab.take_turn(trio.subject.agents[actor], call((name, make(trio.subject, other))))


@pytest.mark.parametrize("state", ["submitted", "accepted", "rejected", "cancelled"])
def test_no_step_changes_an_assignment_of_another_task(lab: Lab, state: str) -> None:
    """Whatever was staged, the commit refuses it."""
    trio = lab.trio()
    for other in trio.bystanders:
        effect = _change(state, "open", "open", "submitted")(other)
        with untouched(lab.store.connection, trio.bystanders), pytest.raises(Stale):
            lab.store.write_now(lambda db, e=effect: _commit(lab, db, trio.subject, "ada", e))  # type: ignore[misc]


@pytest.mark.parametrize("which", ["submitted", "closed"])
def test_the_text_of_an_assignment_changes_only_while_it_is_open(lab: Lab, which: str) -> None:
    """It was handed in or closed since the change was staged: the commit refuses it."""
    subject = lab.trio().subject
    change = fx.AmendAssignment(subject.work[which], "t", "new text", "", (), "asked")
    lab.store.write_now(lambda db: db.execute(ASSIGNMENTS.update().values(giver_id=subject.boss)))
    with pytest.raises(Stale):
        lab.store.write_now(lambda db: _commit(lab, db, subject, "boss", change))


async def test_no_cap_reaches_an_agent_of_another_task(lab: Lab) -> None:
    """A cap names task and agent: they have to belong together."""
    trio = lab.trio()
    for other in trio.bystanders:
        with untouched(lab.store.connection, trio.bystanders), pytest.raises(NotFound):
            await lab.engine().handle(c.RaiseCap(trio.subject.task, c.Limits(tokens=5), P, other.ada))


def test_a_persons_cap_on_one_agent_is_of_that_agent(lab: Lab) -> None:
    """What a person set for Ada neither blocks a cap on Cy nor may be lifted by Ada's head."""
    trio = lab.trio()
    cap = in_step("", "boss", lambda s: fx.SetBudget("cy", 100)).ready
    lab.store.write_now(lambda db: [ready(db, trio.subject) for ready in cap])
    lab.store.write_now(lambda db: _commit(lab, db, trio.subject, "boss", fx.SetBudget("cy", 100)))
    lab.store.write_now(lambda db: [ready(db, trio.subject) for ready in cap])
    with pytest.raises(Stale, match="a person set the cap"):
        lab.store.write_now(lambda db: _commit(lab, db, trio.subject, "boss", fx.SetBudget("ada", 100)))


@pytest.mark.parametrize(("actor", "said"), [("bob", AgentSpoke), ("cy", RemarkNoted)])
def test_an_agent_that_waits_for_nothing_has_its_last_words(lab: Lab, actor: str, said: type) -> None:
    """Though others wait, as Cy does here: who is woken later keeps its words for then."""
    subject, connection = lab.trio().subject, lab.store.connection
    silent = put(MESSAGES, lambda side: MESSAGES.c.task_id == side.task, consumed_step=1, wakes=False)
    for ready in (silent, no_work, agent_is(actor, in_turn=True)):
        lab.store.write_now(lambda db, ready=ready: ready(db, subject))  # type: ignore[misc]
    last = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
    lab.store.write_now(lambda db: _commit(lab, db, subject, actor, fx.CheckTeam(100), voice="parting"))
    told = connection.execute(sa.select(EVENTS.c.kind).where(EVENTS.c.seq > last)).scalars().all()
    assert said.__name__ in told


def test_rules_judge_one_task(alone: Lab) -> None:
    """What the rules find in the subject is what they find when it is alone."""
    found = []
    for there in (True, False):
        trio = alone.trio()
        if not there:
            without_bystanders(alone.store.connection, trio)
        found.append(find_problems(alone.store.connection, trio.subject.task, NOW, WATCH))
    assert found[0] == found[1] and found[0]


# ---------------------------------------------------------------- in any order


@settings(max_examples=10)
@given(st.lists(st.sampled_from(EVERY), min_size=2, max_size=6))
async def test_no_sequence_changes_other_tasks(lab: Lab, acts: list[Act]) -> None:
    """Commands, answers, sweeps, effects and tools in any order, each carried out or refused."""
    trio = lab.trio()
    with untouched(lab.store.connection, trio.bystanders):
        for act in acts:
            try:
                await act.do(lab, trio.subject)
            except (EngineError, CapHit, AssertionError, sa.exc.IntegrityError):
                continue  # refused in this state, for example because the task has ended
