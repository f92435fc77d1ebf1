"""Words of people are never lost: whatever ends a task, each was acted on or is named at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import Connection

from engine import open_database
from engine.budget.caps import at_cap
from engine.commands import (
    AnswerGate,
    ContinueTask,
    DismissAgent,
    PauseAgent,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
    StartTask,
    StopTask,
)
from engine.domain.effects import StepOutcome
from engine.domain.outcomes import Refused
from engine.domain.prompt import compose
from engine.domain.speech import acts, unanswered_people
from engine.domain.state import NOTE, StepFacts, Turn
from engine.errors import Fenced, Stale, WrongState
from engine.events import MessageRead, TaskContinued, TaskEnded, load_event
from engine.handlers import agents, continuation, gates, messages, tasks
from engine.handlers.result import HandlerResult
from engine.lifecycle.task_state import ready_agents
from engine.llm.scripted import ScriptedModel, call, say
from engine.monitoring.sweep import sweep_task
from engine.ports import ChatAnswer, Database, RunResult
from engine.runtime.clock import SystemClock
from engine.steps.act import act, nothing_done, rest_answer
from engine.steps.commit import InboxChanged, commit_step
from engine.steps.late import LATE, UNDONE
from engine.steps.load import CapHit, load_turn
from engine.store.core import AGENTS, BUDGETS, EVENTS, GATES, MESSAGES, STEPS, TASKS, loads
from engine.store.transcript import past_calls
from engine.tools import ToolContext, ToolOptions, specs_for
from engine.workspace import GitWorkspace
from tests.contracts.conftest import BACKENDS
from tests.fakes.parts import CAPS, FakeSandbox, make_tables

T = TypeVar("T")
MODEL = ScriptedModel(lambda _: say(""))
OPTIONS = ToolOptions(audit_rounds=2)
FORCED = ("stopped", "failed", "accepted", "wrapped_up")
"""Ends that a person or a cap wants at once; all others wait."""

CREW = call(
    ("recruit", {"members": [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Ben")]}),
)
ANSWERS: dict[str, ChatAnswer] = {
    "words": say("I see."),
    "goes on": call(("list_files", {})),
    "runs": call(("update_todo", {"items": [{"text": "try it"}]}), ("run", {"command": ["python", "x.py"]})),
    "finish": call(("finish", {"report": "made"})),
    "accept": call(("verdict", {"verdict": "accept", "findings": "good"})),
    "reject": call(("verdict", {"verdict": "reject", "findings": "bad"})),
    "dismiss": call(("dismiss", {"name": "Ada", "reason": "done"})),
    "waits": call(("wait_for", {"what": ["later.md"]})),
    "ask": call(("ask_human", {"question": "Which?", "options": ["this", "that"]})),
}
PARTS = {
    "boss": ("finish", "finish", "finish", "words", "goes on", "ask", "dismiss", "waits"),
    "auditor": ("accept", "accept", "accept", "reject", "goes on", "words"),
    "head": ("words", "goes on", "runs"),
    "member": ("words", "goes on", "runs", "waits"),
}
STUBBORN = ("goes on", "waits", "lost")
"""What ends a turn without an answer: a look or a refused wait again and again, or answers that are lost."""

STEP = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9))
"""Who thinks, what comes of it, and to whom a person writes meanwhile (3 and above: to nobody)."""


def _compose(facts: StepFacts) -> Turn:
    return compose(facts, specs_for(facts.agent.role), 16_000, MODEL.quote)


def goes_on(connection: Connection, command: ContinueTask, now: float) -> HandlerResult:
    """The handler, with the settings' caps."""
    return continuation.continue_task(connection, command, CAPS, now)


class Words(RuleBasedStateMachine):
    """People, agents step by step, sweeps and ends, in any order; a step is loaded first, committed later."""

    def __init__(self, loop: asyncio.Runner, db: Database, folder: Path) -> None:
        super().__init__()
        self.loop, self.db = loop, db
        self.workspace = GitWorkspace(folder / "workspaces")
        self.sandbox = FakeSandbox(lambda _: RunResult(0, "ok"))
        self.now, self.task = SystemClock().now(), 0
        self.thinking: dict[int, Turn] = {}
        self.said: dict[str, int] = {}
        self.words = 0
        self.kept: dict[str, int] = {}
        self.end: TaskEnded | None = None

    def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction, at a time of its own."""
        return self.loop.run(self.db.write(work))

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        """What a query finds."""
        return self.run(lambda c: list(c.execute(query).all()))

    def handle(self, handler: Callable[[Connection, Any, float], HandlerResult], command: Any) -> bool:
        """A person's command; one that comes too late changes nothing, and its person hears so."""
        self.now += 0.01
        try:
            self.run(lambda c: handler(c, command, self.now))
        except WrongState:
            return False
        return True

    @initialize(attended=st.booleans())
    def begin(self, attended: bool) -> None:
        """A boss with two members."""
        command = StartTask("make it", "me", "here", attended=attended)
        self.task = self.run(lambda c: tasks.start_task(c, command, CAPS, self.now)).id
        self.load(0)
        self.commit(0, CREW)

    @property
    def crew(self) -> list[int]:
        """Agents that have not left, oldest first."""
        there = sa.and_(AGENTS.c.task_id == self.task, AGENTS.c.status != "dismissed")
        return [row.id for row in self.rows(sa.select(AGENTS.c.id).where(there).order_by(AGENTS.c.id))]

    @precondition(lambda self: self.end is None)
    @rule(who=st.integers(0, 5))
    def write(self, who: int) -> None:
        """A person writes to somebody."""
        crew = self.crew
        self.words += 1
        word = f"word{self.words}."
        to = crew[who % len(crew)]
        command = SayToAgent(to, word, "me", "Me", ref=f"{self.task}.{word}")
        if self.handle(messages.say_to_agent, command):
            (self.kept if self.ended else self.said)[word] = to

    @property
    def ended(self) -> bool:
        """Whether the task has ended, seen or not."""
        return bool(self.rows(sa.select(TASKS.c.id).where(TASKS.c.id == self.task, TASKS.c.ended_at > 0)))

    @precondition(lambda self: self.end is None)
    @rule(who=st.integers(0, 5))
    def load(self, who: int) -> None:
        """An agent that has something to do begins to think."""
        ready = [wake.agent_id for wake in self.run(lambda c: ready_agents(c, self.task))]
        ready = [agent for agent in ready if agent not in self.thinking]
        if ready:
            agent = ready[who % len(ready)]
            try:
                turn = self.run(lambda c: load_turn(c, agent, _compose, 1.0))
            except CapHit as hit:
                self.now += 0.01
                self.run(
                    partial(at_cap, task_id=hit.task_id, agent_id=hit.agent_id, need=hit.need, now=self.now)
                )
                return
            if turn is not None:
                self.thinking[agent] = turn

    @precondition(lambda self: self.end is None)
    @rule(money=st.booleans())
    def use_up(self, money: bool) -> None:
        """What the task may spend is nearly used: the next call that begins does not fit."""
        of_task = sa.and_(BUDGETS.c.task_id == self.task, BUDGETS.c.agent_id.is_(None))
        spent = BUDGETS.c.spent_micros + BUDGETS.c.reserved_micros
        full = {"cap_micros": spent + 1} if money else {"cap_tokens": BUDGETS.c.spent_tokens + 1}
        self.run(lambda c: c.execute(BUDGETS.update().where(of_task).values(**full)))

    @precondition(lambda self: self.thinking)
    @rule(who=st.integers(0, 5), what=st.integers(0, 7))
    def answer(self, who: int, what: int) -> None:
        """An agent's answer is acted on and committed."""
        turn = self.thinking[sorted(self.thinking)[who % len(self.thinking)]]
        parts = PARTS[turn.facts.agent.role]
        self.commit(who, ANSWERS[parts[what % len(parts)]])

    @precondition(lambda self: self.end is None)
    @rule(steps=st.lists(STEP, min_size=1, max_size=6))
    def work(self, steps: list[tuple[int, int, int]]) -> None:
        """Agents take some steps; now and then a person writes while one thinks."""
        for who, what, to in steps:
            self.load(who)
            if to < 3:
                self.write(to)
            if self.thinking:
                self.answer(who, what)

    @precondition(lambda self: self.thinking)
    @rule(who=st.integers(0, 5))
    def answer_in_vain(self, who: int) -> None:
        """The world kept moving: nothing of the answer is done."""
        self.lose(sorted(self.thinking)[who % len(self.thinking)])

    def lose(self, agent: int) -> None:
        """Commit that nothing of an agent's answer is done."""
        turn = self.thinking.pop(agent)
        self.try_commit(turn, nothing_done(turn, say("lost"), self.now, self.now))

    @precondition(lambda self: self.end is None)
    @rule(who=st.integers(0, 5), what=st.sampled_from(STUBBORN))
    def repeat_itself(self, who: int, what: str) -> None:
        """An agent reads a person's words, looks around, then does one useless thing until its turn ends."""
        crew = self.crew
        self.write(who)
        self.insist(crew[who % len(crew)], what)

    def thinks(self, agent: int) -> bool:
        """Whether this agent thinks, or had something to do and begins to."""
        if agent in self.thinking:
            return True
        ready = [wake.agent_id for wake in self.run(lambda c: ready_agents(c, self.task))]
        ready = [each for each in ready if each not in self.thinking]
        if agent in ready:
            self.load(ready.index(agent))
        return agent in self.thinking

    def insist(self, agent: int, what: str) -> None:
        """The same answer again and again: until nothing wakes the agent, or its turn ended otherwise."""
        for answer in ("goes on", *[what] * 12):
            if not self.thinks(agent):
                return
            if answer == "lost":
                self.lose(agent)
            else:
                self.commit(sorted(self.thinking).index(agent), ANSWERS[answer])
            self.nobody_goes_unanswered()

    def commit(self, who: int, answer: ChatAnswer) -> None:
        """As the turn's runner does it."""
        turn = self.thinking.pop(sorted(self.thinking)[who % len(self.thinking)])
        answer = rest_answer(turn.rest) if turn.rest else answer
        for attempt in range(3):
            context = ToolContext(
                turn.facts, self.db, self.workspace, self.sandbox, OPTIONS, careful=attempt > 0
            )
            outcome = self.loop.run(act(turn, answer, context, self.now, SystemClock()))
            if self.try_commit(turn, outcome):
                return
        raise AssertionError("the same answer is stale again and again")

    def try_commit(self, turn: Turn, outcome: StepOutcome) -> bool:
        """Whether there is nothing left to do with this answer."""
        try:
            self.run(lambda c: commit_step(c, turn, outcome, self.now))
        except (Fenced, InboxChanged):
            return True
        except Stale:
            return False
        return True

    @precondition(lambda self: self.end is None)
    @rule(who=st.integers(0, 5), pauses=st.booleans())
    def pause(self, who: int, pauses: bool) -> None:
        """A person pauses an agent, or resumes all."""
        if pauses:
            self.handle(agents.pause_agent, PauseAgent(self.crew[who % len(self.crew)], "me"))
            return
        for agent in self.crew:
            self.handle(agents.resume_agent, ResumeAgent(agent, "me"))

    @precondition(lambda self: self.end is None)
    @rule(who=st.integers(1, 5), replaced=st.booleans())
    def remove(self, who: int, replaced: bool) -> None:
        """A person dismisses or replaces an agent that is no boss."""
        agent = self.crew[who % len(self.crew)]
        if replaced:
            self.handle(agents.replace_agent, ReplaceAgent(agent, "me"))
        else:
            self.handle(agents.dismiss_agent, DismissAgent(agent, "me"))

    @precondition(lambda self: self.end is None)
    @rule(late=st.booleans())
    def sweep(self, late: bool) -> None:
        """The watch looks, now or after the task's time."""
        self.now += 1 + late * CAPS.minutes * 120
        self.run(lambda c: sweep_task(c, self.task, self.now, OPTIONS.watch))

    @precondition(lambda self: self.end is None)
    @rule(which=st.integers(0, 5), words=st.booleans())
    def decide(self, which: int, words: bool) -> None:
        """A person answers a question by one of its choices, or in words."""
        asked = sa.and_(GATES.c.task_id == self.task, GATES.c.basis.is_(None))
        for gate in self.rows(sa.select(GATES).where(asked).order_by(GATES.c.id))[:1]:
            choices = loads(gate.choices_json)
            free = gate.kind in ("question", "stall", "audit") and words
            choice = None if free else choices[which % len(choices)]["id"]
            self.handle(gates.answer_gate, AnswerGate(gate.id, "me", choice, "so" if free else ""))

    @precondition(lambda self: self.end is None)
    @rule(really=st.integers(0, 9))
    def stop(self, really: int) -> None:
        """A person stops the task, now and then."""
        if really == 9:
            self.handle(tasks.stop_task, StopTask(self.task, "me"))

    @precondition(lambda self: self.end is not None)
    @rule(who=st.integers(0, 5))
    def write_late(self, who: int) -> None:
        """A person writes after the end."""
        self.write(who)

    @precondition(lambda self: self.end is not None)
    @rule()
    def go_on(self) -> None:
        """A person continues the task: what was named at the end or written since is unread again, or will be
        acted on before the next end."""
        self.handle(goes_on, ContinueTask(self.task, "me", "Me"))
        assert not self.ended
        assert self.end is not None
        named = "".join(each.text for each in self.end.unheeded)
        unheeded = {word: to for word, to in self.said.items() if word in named}
        self.said, self.kept, self.end = self.kept | unheeded, {}, None
        unread = sa.and_(MESSAGES.c.task_id == self.task, MESSAGES.c.consumed_step.is_(None))
        waiting = "".join(row.text for row in self.rows(sa.select(MESSAGES.c.text).where(unread)))
        lost = [word for word in self.said if word not in waiting]
        assert not lost, f"{lost} are lost"

    @invariant()
    def nobody_goes_unanswered(self) -> None:
        """A turn that an agent ended after a person's words holds an answer to them, or an effect."""
        read = STEPS.alias("read")
        over = sa.and_(AGENTS.c.task_id == self.task, ~AGENTS.c.in_turn, TASKS.c.ended_at.is_(None))
        query = (
            sa.select(STEPS.c.agent_id, STEPS.c.step, STEPS.c.said, STEPS.c.calls_json, MESSAGES.c.text)
            .join(AGENTS, sa.and_(AGENTS.c.id == STEPS.c.agent_id, AGENTS.c.turn == STEPS.c.turn))
            .join(TASKS, TASKS.c.id == AGENTS.c.task_id)
            .join(
                MESSAGES,
                sa.and_(
                    MESSAGES.c.to_agent == STEPS.c.agent_id,
                    MESSAGES.c.consumed_step <= STEPS.c.step,
                    MESSAGES.c.from_kind == "person",
                    MESSAGES.c.about != "said",
                ),
            )
            .join(
                read,
                sa.and_(
                    read.c.agent_id == STEPS.c.agent_id,
                    read.c.step == MESSAGES.c.consumed_step,
                    read.c.turn == AGENTS.c.turn,
                ),
            )
            .where(over, AGENTS.c.status == "active", AGENTS.c.role != "auditor")
        )
        silent: dict[tuple[int, str], bool] = {}
        for row in self.rows(query):
            key = (row.agent_id, row.text)
            silent[key] = silent.get(key, True) and not acts(row.said, past_calls(row.calls_json))
        assert not any(silent.values()), f"{[key for key, is_silent in silent.items() if is_silent]}"

    @invariant()
    def nothing_is_lost(self) -> None:
        """At the end each word was acted on, or is named; nothing is read after it."""
        if not self.task:
            return
        query = sa.select(EVENTS).where(EVENTS.c.task_id == self.task).order_by(EVENTS.c.seq)
        seen = [load_event(row.kind, loads(row.payload_json)) for row in self.rows(query)]
        began = max((n for n, body in enumerate(seen) if isinstance(body, TaskContinued)), default=0)
        ends = [n for n, body in enumerate(seen) if isinstance(body, TaskEnded) and n >= began]
        if not ends:
            return
        assert not any(isinstance(body, MessageRead) for body in seen[ends[0] :])
        if self.end is not None:
            return
        self.end = seen[ends[0]]  # type: ignore[assignment]
        assert isinstance(self.end, TaskEnded)
        self.check_words(self.end, {body.ref for body in seen if isinstance(body, MessageRead)})

    def check_words(self, end: TaskEnded, read: set[str]) -> None:
        """Against what was said."""
        named = "".join(each.text for each in end.unheeded)
        for word in self.said:
            assert f"{self.task}.{word}" in read or word in named, f"{word} is lost"
        if end.basis not in FORCED:
            assert not end.unheeded
        if end.basis == "audited":
            judged = sa.select(STEPS.c.input).join(AGENTS, AGENTS.c.id == TASKS.c.auditor_id)
            judged = judged.where(STEPS.c.agent_id == AGENTS.c.id, TASKS.c.id == self.task)
            shown = "".join(row.input for row in self.rows(judged))
            assert all(word in shown for word in self.said), "the auditor did not know all that was said"
        open_turns = sa.select(AGENTS.c.id).where(AGENTS.c.task_id == self.task, AGENTS.c.in_turn)
        for agent in self.rows(open_turns):
            self.check_open_turn(agent.id, named)

    def check_open_turn(self, agent: int, named: str) -> None:
        """What was read in a turn that the end cut short is named, unless the turn acted from then on; what
        went on to others is theirs."""
        turn = sa.select(AGENTS.c.turn).where(AGENTS.c.id == agent).scalar_subquery()
        read = sa.and_(STEPS.c.agent_id == agent, STEPS.c.turn == turn)
        words = sa.and_(MESSAGES.c.to_agent == agent, MESSAGES.c.from_kind == "person")
        steps = self.rows(sa.select(STEPS).where(read).order_by(STEPS.c.step))
        acted = max(
            (row.step for row in steps if acts(row.said, past_calls(row.calls_json), cut_short=True)),
            default=0,
        )
        query = sa.select(MESSAGES.c.text, STEPS.c.step).join(STEPS, STEPS.c.step == MESSAGES.c.consumed_step)
        for row in self.rows(query.where(read, words, MESSAGES.c.about != "said")):
            assert row.text in named or row.step <= acted, "cut short and not named"


@contextmanager
def _database(backend: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, Database]]:
    url = f"sqlite:///{folder / 'words.db'}"
    with ExitStack() as stack:
        if backend.startswith("postgresql"):
            cluster = request.getfixturevalue("cluster")
            url = cluster.new_database(make_tables)
            stack.callback(cluster.give_back, url)
        else:
            make_tables(url)
        loop = stack.enter_context(asyncio.Runner())
        db = open_database(url)
        stack.callback(lambda: loop.run(db.close()))
        yield loop, db


@pytest.mark.timeout(600)
@pytest.mark.parametrize("runs", [4, pytest.param(40, marks=pytest.mark.soak)])
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name.endswith("local")])
def test_no_end_is_over_words_that_nobody_acted_on(
    backend: str, runs: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Messages of people between every kind of ending, on both stores; three times as often on SQLite."""
    log = logging.getLogger("engine")
    request.addfinalizer(partial(log.setLevel, log.level))
    log.setLevel(logging.CRITICAL)
    with _database(backend, tmp_path, request) as (loop, db):
        machine: Any = partial(Words, loop, db, tmp_path)
        run_machine(
            machine,
            settings=settings(
                max_examples=runs * (3 if backend.startswith("sqlite") else 1),
                stateful_step_count=40,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            ),
        )


def _ends_in_vain(machine: Words, who: int, what: str) -> None:
    """Somebody with a person's words does one useless thing until its turn ends."""
    machine.begin(attended=True)
    agent = machine.crew[who]
    machine.write(who)
    machine.insist(agent, what)
    unread = sa.and_(MESSAGES.c.task_id == machine.task, MESSAGES.c.consumed_step.is_(None))
    (word,) = machine.rows(sa.select(MESSAGES).where(unread, MESSAGES.c.from_kind == "person"))
    boss = machine.crew[0]
    assert (word.to_agent, word.wakes) == (boss, agent != boss)
    assert word.text == (
        "word1." if agent == boss else "(said to Ada, whose turn ended without an answer)\nword1."
    )
    machine.stop(9)
    machine.nothing_is_lost()
    assert machine.end is not None
    assert "word1." in "".join(each.text for each in machine.end.unheeded)


def _is_cut_short(machine: Words) -> None:
    """The task ends over a turn, whose last answer comes late; whoever continues the task continues it."""
    machine.begin(attended=True)
    boss = machine.crew[0]
    machine.write(0)
    for late in (False, True):
        machine.load(0)
        if late:
            machine.stop(9)
        machine.commit(0, ANSWERS["goes on"])
    machine.nothing_is_lost()
    machine.go_on()
    machine.nobody_goes_unanswered()
    in_turn = sa.select(AGENTS.c.in_turn).where(AGENTS.c.id == boss)
    assert machine.rows(in_turn)[0].in_turn


WRITES = call(
    ("write_file", {"path": "notes.md", "content": "all of it"}),
    ("send_message", {"to": ["Ada"], "text": "notes.md is there"}),
    text="I wrote notes.md, as you asked.",
)
TRIES = call(("write_file", {"path": "notes.md", "content": "x"}), ("run", {"command": ["python", "x.py"]}))


def _comes_late(machine: Words) -> None:
    """What an answer did is not done where the task had ended: whoever continues reads so, and it counts as
    no answer to the person."""
    for answer, names in ((WRITES, ("write_file", "send_message")), (TRIES, ("write_file", "run"))):
        machine.begin(attended=True)
        boss = machine.crew[0]
        machine.write(0)
        machine.load(0)
        machine.commit(0, ANSWERS["goes on"])
        machine.load(0)
        machine.stop(9)
        machine.commit(0, answer)
        machine.nothing_is_lost()
        machine.go_on()
        assert machine.thinks(boss)
        turn = machine.thinking[boss]
        late = turn.facts.past[-1]
        assert tuple(one.name for one in late.calls) == (*names, NOTE)
        assert all(isinstance(one.outcome, Refused) for one in late.calls) and not late.said
        shown = "\n".join(message.content for message in turn.request.messages)
        assert shown.count(UNDONE) == len(names) and LATE in shown
        assert answer.text in shown and "word1." in shown
        assert unanswered_people(turn.facts) == ("Me",)
        machine.insist(boss, "goes on")
        machine.nobody_goes_unanswered()
        unread = sa.and_(MESSAGES.c.to_agent == boss, MESSAGES.c.consumed_step.is_(None))
        assert [row.text for row in machine.rows(sa.select(MESSAGES).where(unread))] == ["word1."]
        machine.stop(9)
        machine.end, machine.said, machine.thinking, machine.words = None, {}, {}, 0


def _finishes_too_soon(machine: Words) -> None:
    """The boss finishes while another has a person's words: its turn ends with the refusal, without a word,
    and it is woken when they are acted on."""
    machine.begin(attended=True)
    boss, ada, _ben = machine.crew
    machine.write(1)
    assert machine.thinks(boss)
    machine.commit(0, ANSWERS["finish"])
    state = sa.select(AGENTS.c.in_turn).where(AGENTS.c.id == boss)
    assert not machine.ended and not machine.rows(state)[0].in_turn
    assert not machine.thinks(boss) and machine.thinks(ada)
    machine.commit(0, ANSWERS["words"])
    while not machine.thinks(boss):
        machine.sweep(late=False)
    machine.commit(0, ANSWERS["finish"])
    auditor = sa.and_(AGENTS.c.role == "auditor", AGENTS.c.task_id == machine.task)
    assert len(machine.rows(sa.select(AGENTS.c.id).where(auditor))) == 1


def _is_replaced(machine: Words) -> None:
    """A person's words, whole, reach who takes over from their reader."""
    machine.begin(attended=True)
    ada = machine.crew[1]
    long = f"word1. {'and more ' * 400}the end"
    machine.handle(messages.say_to_agent, SayToAgent(ada, long, "me", "Me"))
    assert machine.thinks(ada)
    machine.commit(0, ANSWERS["goes on"])
    machine.handle(agents.replace_agent, ReplaceAgent(ada, "me"))
    unread = sa.and_(MESSAGES.c.task_id == machine.task, MESSAGES.c.consumed_step.is_(None))
    (word,) = machine.rows(sa.select(MESSAGES).where(unread, MESSAGES.c.from_kind == "person"))
    assert word.to_agent in machine.crew and word.wakes and word.text.endswith(long)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name.endswith("local")])
def test_words_over_which_a_turn_ends_go_to_somebody_else(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A turn that the engine ends, that the task's end cuts short, or whose agent is replaced."""
    with _database(backend, tmp_path, request) as (loop, db):
        for who in (0, 1):
            for what in STUBBORN:
                _ends_in_vain(Words(loop, db, tmp_path), who, what)
        for case in (_is_cut_short, _comes_late, _finishes_too_soon, _is_replaced):
            case(Words(loop, db, tmp_path))
