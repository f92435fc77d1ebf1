"""Who may answer which gate how, on the real engine, whatever a forged button, select or window says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import discord
import pytest
import sqlalchemy as sa

from bot.discord.access import GuildRules
from bot.storage.tables import BOT_METADATA
from bot.texts.gates import LABELS
from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions
from engine.budget.caps import pause_and_ask
from engine.budget.subtree_caps import ask_about_subtree_cap
from engine.commands import AnswerGate, Limits, RaiseCap, StartTask
from engine.domain.gates import TAKES_TEXT, GateEffect, GateKind, choices_of
from engine.domain.limits import Caps
from engine.events import GateRaised
from engine.lifecycle.agents import NewAgent, add_agent
from engine.lifecycle.gates import NewGate, raise_gate
from engine.llm.scripted import ScriptedModel, say
from engine.runtime.clock import SystemClock
from engine.store.core import ACTION_REQUESTS, AGENTS, BUDGETS, GATES, OUTSIDE_CALLS, TASKS
from engine.store.prepared import Prepared
from engine.store.tables import ENGINE_METADATA
from engine.workspace import GitWorkspace
from tests.bot.features.conftest import Stage
from tests.fakes.parts import FakeSandbox

KINDS: tuple[GateKind, ...] = get_args(GateKind)
ROLES = ("stranger", "approver", "spender", "owner", "manager")
RIGHTS = ("stranger", "approver", "spender")
"""One role for each set of rights, where another way of asking has tried them all."""

IDS = (*get_args(GateEffect), "o1", "o2", "0", "1", "2", "99", "say", "cap", "Approve", "Dismiss")
WORDS = ("dismiss", "stop", "wrap up please", "approve within $9000 and 900 agents", "raise it")
CAPS = Caps(agents=20, depth=4, members=9, steps=30, cost_micros=1_000_000, tokens=1_000_000, minutes=60)
MOST = {"button": 25, "select": 5}
"""Components of a kind in one message."""

REFUSALS = ("not allowed", "not one of the choices", "cannot be answered with text")
GROWS = {
    ("cap", "raise_half"): 1_500_000,
    ("cap", "wrap_up"): 1_100_000,
    ("stall", "wrap_up"): 1_100_000,
    ("share", "raise_half"): 1_500,
    ("share", "wrap_up"): 1_100,
}
"""What the cap that a gate is about becomes by a choice; by every other it stays."""


_task: sa.BindParameter[int] = sa.bindparam("task")
STATE = (
    Prepared(
        sa.select(
            TASKS.c.state, TASKS.c.max_agents, TASKS.c.max_minutes, TASKS.c.deadline_at, TASKS.c.plan_state
        ).where(TASKS.c.id == _task)
    ),
    Prepared(
        sa.select(BUDGETS.c.cap_micros, BUDGETS.c.cap_tokens, BUDGETS.c.frozen)
        .where(BUDGETS.c.task_id == _task)
        .order_by(BUDGETS.c.id)
    ),
    Prepared(sa.select(AGENTS.c.id, AGENTS.c.status).where(AGENTS.c.task_id == _task)),
    Prepared(sa.select(GATES.c.basis, GATES.c.choice_id, GATES.c.text).where(GATES.c.task_id == _task)),
)
NEAREST_CAP = Prepared(
    sa.select(BUDGETS.c.cap_micros).where(BUDGETS.c.task_id == _task).order_by(BUDGETS.c.id.desc())
)
"""Prepared, as they are asked before and after each of thousands of answers."""


class Court(Stage):
    """The stage with the real engine behind it; nothing takes turns, so that only answers change anything."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.database.fill(BOT_METADATA, ENGINE_METADATA)
        self.forgery: list[str] = []
        parts = EngineParts(
            db=self.database,
            model=ScriptedModel(lambda request: say("I wait.")),
            workspace=GitWorkspace(folder),
            sandbox=FakeSandbox(),
            clock=SystemClock(),
        )
        self.real = Engine(parts, LocalDispatcher(1), EngineOptions(CAPS, TurnOptions(), sweeps=False))
        self.engine = self.real  # type: ignore[assignment]  # the engine itself in place of its fake

    async def settle_in(self) -> None:
        """Rights and people: one role approves, one approves and spends."""
        spends = self.guild.create_role("spends")
        self.roles = {
            "stranger": self.stranger,
            "approver": self.crew,
            "spender": self.guild.add_member(self.env.create_user("spender"), roles=[spends]),
            "owner": self.guild.add_member(self.env.create_user("owner")),
            "manager": self.boss,
        }
        approve = frozenset({self.role.id, spends.id})
        rules = GuildRules(self.guild.id, approve=approve, spend=frozenset({spends.id}), configured=True)
        await self.records.set_rules(rules)

    async def rows(self, query: sa.Select[Any]) -> list[Any]:
        """Rows of the engine's tables."""
        return list(await self.database.read(lambda c: c.execute(query).all()))

    async def ask(self, kind: GateKind) -> GateRaised:
        """A new task of the owner's with an open gate of a kind."""
        by = f"discord:{self.roles['owner'].id}"
        task = await self.real.handle(StartTask("Build a boat", by, f"guild:{self.guild.id}"))
        (row,) = await self.rows(sa.select(TASKS).where(TASKS.c.id == task))
        if kind == "share":
            ada = await self.database.write(lambda c: _recruit(c, row))
            await self.real.handle(RaiseCap(task, Limits(cost_micros=1_000), by, ada))
        await self.database.write(lambda c: _raise(c, row, kind))
        (gate,) = await self.real.look.gates(task)
        return GateRaised(task, row.root_group_id, gate.id, kind, None, "", "?", gate.choices)

    async def still_open(self, gate: GateRaised) -> GateRaised:
        """The gate, or a new one of its kind if it was answered."""
        answered = (await self.real.look.gate(gate.gate_id)).basis is not None
        return await self.ask(gate.kind) if answered else gate

    async def state(self, task: int) -> list[Any]:
        """Everything of a task that an answer may change."""
        return await self.database.read(lambda c: [query.all(c, task=task) for query in STATE])

    async def cap(self, task: int) -> int:
        """The cap in micro-dollars nearest to the leaves: the part's where there is one."""
        return int(await self.database.read(lambda c: NEAREST_CAP.scalar(c, task=task)))

    async def forged(self, way: str, gate_id: int, choices: Sequence[str]) -> Any:
        """A message of the bot's that carries components with any ids at all, as many as it takes."""
        view = discord.ui.View(timeout=None)
        for choice in choices[: MOST[way]]:
            item: discord.ui.Item[Any] = discord.ui.Button(label="x", custom_id=f"gate:{gate_id}:{choice}")
            if way == "select":
                options = [discord.SelectOption(label="x", value=choice)]
                item = discord.ui.Select(custom_id=f"gate:{gate_id}:{choice}", options=options)
            view.add_item(item)
        self.env.backend.messages[self.lobby.id].clear()  # SimCord copies them all at each look
        with self.env._bot_scope():
            await self.env.bot.get_channel(self.lobby.id).send("?", view=view)
        view.stop()  # as after a restart: nothing but the ids is known
        await self.env.settle()
        return self.lobby.last_message

    def drawn(self) -> list[str]:
        """The ids of the components of the newest message."""
        newest = self.lobby.last_message
        return [one.custom_id for row in newest.components for one in row.children] if newest else []

    async def press(self, person: Any, way: str, gate_id: int, choice: str, later: Sequence[str] = ()) -> Any:
        """Use a forged button or select; one that is there since an earlier press, if it is. `later`: those
        that will be used next."""
        custom_id = f"gate:{gate_id}:{choice}"
        if self.drawn() != self.forgery or custom_id not in self.forgery:  # not there, or drawn again
            await self.forged(way, gate_id, (choice, *later))
            self.forgery = self.drawn()
        message = self.lobby.last_message
        if way == "select":
            return await person.select(message, [choice], custom_id=custom_id)
        return await person.click(message, custom_id=custom_id)

    async def submit(self, person: Any, custom_id: str, **values: str) -> Any:
        """Submit a window that nobody opened."""
        boxes = [
            {"type": 18, "id": n, "component": {"type": 4, "id": n + 50, "custom_id": name, "value": value}}
            for n, (name, value) in enumerate(values.items(), 1)
        ]
        data = {"custom_id": custom_id, "components": boxes}
        return await person._dispatch_interaction(5, self.lobby, data)


def _recruit(connection: sa.Connection, task: Any) -> int:
    query = sa.select(BUDGETS.c.id).where(BUDGETS.c.task_id == task.id)
    budget = int(connection.execute(query).scalar_one())
    new = NewAgent(task.id, task.root_group_id, task.boss_id, budget, "Ada", "w", "w", "member", 1)
    return add_agent(connection, new, 1.0)[0]


def _raise(connection: sa.Connection, task: Any, kind: GateKind) -> None:
    if kind == "cap":
        pause_and_ask(connection, task, ("cost", 1_000_000, 1_000_000), 1.0)
    elif kind == "share":
        agent = connection.execute(
            sa.select(AGENTS).where(AGENTS.c.name == "Ada", AGENTS.c.task_id == task.id)
        ).one()
        row = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.agent_id == agent.id)).one()
        ask_about_subtree_cap(connection, task, row, agent, ("cost", 1_000, 1_000), 1.0)
    else:
        later = choices_of("plan", at_work=True)[1:] if kind == "plan" else ()
        choices = (*choices_of(kind, ("Oak", "Stop")), *later)
        question = NewGate(
            kind, "How to go on?", choices, f"{task.id}", task.root_group_id, task.boss_id, "Boss"
        )
        raised = raise_gate(connection, task.id, question, 1.0)
        if kind == "action":
            wanted = {"gate_id": raised.gate_id, "task_id": task.id, "action": "run", "digest": "d"}
            connection.execute(ACTION_REQUESTS.insert().values(**wanted, arguments_json="{}"))
        if kind == "tool":
            _ask_call(connection, task, raised.gate_id)


def _ask_call(connection: sa.Connection, task: Any, gate_id: int) -> None:
    call = {
        "task_id": task.id,
        "agent_id": task.boss_id,
        "step": 1,
        "key": f"c{task.id}",
        "name": "shop__buy",
    }
    call |= {"server": "shop", "tool": "buy", "digest": "d", "arguments_json": "{}", "state": "asked"}
    call |= {"reads_only": False, "repeatable": False, "gate_id": gate_id, "created_at": 1.0}
    connection.execute(OUTSIDE_CALLS.insert().values(**call))


@pytest.fixture
def offstage(tmp_path: Path) -> Iterator[Stage]:
    """The parts with the real engine."""
    court = Court(tmp_path)
    yield court
    court.database.dispose()


@pytest.fixture
async def court(stage: Stage) -> Court:
    """A running bot, and people of every role."""
    assert isinstance(stage, Court)
    await stage.settle_in()
    return stage


def meant(gate: GateRaised, choice: str) -> str | None:
    """The choice that an id in a button names: by id, or by number as on old messages; None for no choice."""
    ids = [one.id for one in gate.choices]
    if choice.isdecimal() and int(choice) < len(ids):
        return ids[int(choice)]
    return choice if choice in ids else None


def may(role: str, choice: str | None) -> bool:
    """What the house promises: approvers answer, only who may spend raises or allows what is to come."""
    spends = choice in ("raise_half", "raise_month", "allow_tool")
    return role in ("spender", "manager") or (role in ("approver", "owner") and not spends)


async def check(court: Court, gate: GateRaised, before: Sequence[Any], cap: int, chosen: str | None) -> None:
    """Nothing has changed without `chosen`; with it, exactly what it does."""
    if chosen is None:
        assert await court.state(gate.task_id) == before
        return
    now = await court.real.look.gate(gate.gate_id)
    assert (now.basis, now.choice_id, now.text) == ("person", chosen, "")
    assert await court.cap(gate.task_id) == GROWS.get((gate.kind, chosen), cap)


@pytest.mark.parametrize("way", ["button", "select"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_id_does_what_its_effect_may_and_nothing_else(
    court: Court, kind: GateKind, way: str
) -> None:
    """Every id there is, of this kind or another, a label or nonsense: what is a choice from each role, the
    rest from who has every right and from one more."""
    for role in ROLES if way == "button" else RIGHTS:
        await every_id(court, kind, role, way, shared=True)


@pytest.mark.soak
@pytest.mark.parametrize("way", ["button", "select"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_id_does_the_same_from_each_role(court: Court, kind: GateKind, way: str) -> None:
    """Every id from every role."""
    for role in ROLES if way == "button" else RIGHTS:
        await every_id(court, kind, role, way)


def has_turn(role: str, number: int, roles: Sequence[str]) -> bool:
    """Whether a role tries what no right makes a choice: who has every right, and each other in turn."""
    others = roles[:-1]
    return role == roles[-1] or role == others[number % len(others)]


async def every_id(court: Court, kind: GateKind, role: str, way: str, *, shared: bool = False) -> None:
    """Use each id as somebody of a role; `shared`: those that are no choice are shared out among roles."""
    gate = await court.ask(kind)
    roles, turn = ROLES if way == "button" else RIGHTS, KINDS.index(kind)
    ids = [
        choice
        for number, choice in enumerate(IDS, turn)
        if not shared or meant(gate, choice) is not None or has_turn(role, number, roles)
    ]
    for number, choice in enumerate(ids):
        before, cap = await court.state(gate.task_id), await court.cap(gate.task_id)
        chosen = meant(gate, choice)
        result = await court.press(court.roles[role], way, gate.gate_id, choice, ids[number + 1 :])
        allowed = chosen is not None and may(role, chosen)
        await check(court, gate, before, cap, chosen if allowed else None)
        told = [m.content for m in (*result.followups, result.response) if m is not None]
        assert (
            allowed
            or result.modal
            or any("not allowed" in t or "not one of" in t or "with text" in t for t in told)
        ), told
        if allowed:
            gate = await court.ask(kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_words_in_a_window_decide_nothing(court: Court, kind: GateKind) -> None:
    """They reach an agent where the kind takes words, else they are refused; no cap moves by them."""
    for role in ROLES:
        await every_word(court, kind, role)


async def every_word(court: Court, kind: GateKind, role: str) -> None:
    """Try it as somebody of a role."""
    gate = await court.ask(kind)
    for words in WORDS:
        gate = await court.still_open(gate)
        before, cap = await court.state(gate.task_id), await court.cap(gate.task_id)
        label = {("share", "dismiss"): "dismiss", ("question", "stop"): "o2"}.get((kind, words))
        await court.submit(court.roles[role], f"gate:{gate.gate_id}", text=words)
        if label is not None:  # the whole label of a choice that this gate has
            await check(court, gate, before, cap, label if may(role, label) else None)
        elif role != "stranger" and kind in TAKES_TEXT:
            now = await court.real.look.gate(gate.gate_id)
            assert (now.basis, now.choice_id, now.text) == ("person", None, words)
            state = await court.state(gate.task_id)
            assert (await court.cap(gate.task_id), state[0][0].state) == (cap, "running")
            assert state[0][0].plan_state != "approved"
        else:
            assert await court.state(gate.task_id) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_is_a_choice_only_by_its_whole_label(court: Court, kind: GateKind) -> None:
    """Labels of this gate are its choices, with their rights; those of other kinds and all else are words."""
    for role in ROLES:
        await every_reply(court, kind, role, shared=True)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_is_the_same_choice_from_each_role(court: Court, kind: GateKind) -> None:
    """Every label and all else from every role."""
    for role in ROLES:
        await every_reply(court, kind, role)


async def every_reply(court: Court, kind: GateKind, role: str, *, shared: bool = False) -> None:
    """Try it as somebody of a role; `shared`: what is no label of the gate is shared out among roles."""
    gate, message = await court.ask(kind), None
    own = [choice.text or LABELS.get(choice.effect, "") for choice in gate.choices]
    others = sorted({*LABELS.values()} - {*own})[KINDS.index(kind) % 3 :: 3]  # all of them over three kinds
    words_of_none = [
        words
        for number, words in enumerate((*others, "Oak", *WORDS), KINDS.index(kind))
        if not shared or has_turn(role, number, ROLES)
    ]
    for words in (*own, *words_of_none):
        gate, earlier = await court.still_open(gate), gate
        before, cap = await court.state(gate.task_id), await court.cap(gate.task_id)
        if message is None or gate != earlier:
            message = await court.forged("button", gate.gate_id, ["0"])
            await court.gate_posted(gate.task_id, gate.gate_id, message)
        await court.roles[role].send(court.lobby, words, reply_to=message)
        named = [c.id for c in gate.choices if (c.text or LABELS.get(c.effect, "")).lower() == words.lower()]
        if named or role == "stranger" or kind not in TAKES_TEXT:
            chosen = named[0] if named and may(role, named[0]) else None
            await check(court, gate, before, cap, chosen)
        else:
            now = await court.real.look.gate(gate.gate_id)
            assert (now.basis, now.choice_id, now.text) == ("person", None, words)
            assert await court.cap(gate.task_id) == cap


@pytest.mark.parametrize("kind", KINDS)
async def test_a_window_for_caps_approves_plans_and_only_lowers(court: Court, kind: GateKind) -> None:
    """Sent for any gate: higher caps are refused for everyone, lower ones come with a plan's approval."""
    for role in ROLES:
        await lower_caps(court, kind, role)


async def lower_caps(court: Court, kind: GateKind, role: str) -> None:
    """Try it as somebody of a role."""
    gate = await court.ask(kind)
    before = await court.state(gate.task_id)
    await court.submit(court.roles[role], f"plancap:{gate.gate_id}", dollars="900", agents="", minutes="")
    assert await court.state(gate.task_id) == before
    await court.submit(court.roles[role], f"plancap:{gate.gate_id}", dollars="0.5", agents="3", minutes="")
    if kind != "plan" or role == "stranger":
        assert await court.state(gate.task_id) == before
        return
    limits = (await court.real.look.task(gate.task_id)).limits
    assert (limits.cost_micros, limits.agents) == (500_000, 3)
    assert (await court.real.look.gate(gate.gate_id)).choice_id == "approve"


async def test_a_button_of_an_older_message_redraws_what_it_cannot_answer(court: Court) -> None:
    """Numbers of before still answer; one that names nothing is refused and the buttons are drawn again."""
    gate = await court.ask("cap")
    await court.press(court.boss, "button", gate.gate_id, "7")
    drawn = [b.custom_id for row in court.lobby.last_message.components for b in row.children]
    assert drawn == [f"gate:{gate.gate_id}:{choice.id}" for choice in gate.choices]
    await court.press(court.boss, "button", gate.gate_id, "1")
    assert (await court.real.look.gate(gate.gate_id)).choice_id == "wrap_up"


async def test_wrapping_up_a_part_is_no_way_to_raise_its_cap(court: Court) -> None:
    """Without the right to spend a tenth comes once, whatever is lowered or asked again meanwhile."""
    gate = await court.ask("share")
    ada = (await court.real.look.gate(gate.gate_id)).agent_id or 0
    owner = court.roles["owner"]
    await court.press(owner, "button", gate.gate_id, "wrap_up")
    assert await court.cap(gate.task_id) == 1_100
    await court.real.handle(RaiseCap(gate.task_id, Limits(cost_micros=1_090), f"discord:{owner.id}", ada))
    (row,) = await court.rows(sa.select(TASKS).where(TASKS.c.id == gate.task_id))
    await court.database.write(lambda c: _again(c, row, 2.0))
    (again,) = await court.real.look.gates(gate.task_id)
    assert [choice.id for choice in again.choices] == ["raise_half", "dismiss"]
    before = await court.state(gate.task_id)
    await court.press(owner, "button", again.id, "wrap_up")
    assert await court.state(gate.task_id) == before
    await court.press(court.boss, "button", again.id, "raise_half")
    assert await court.cap(gate.task_id) == 1_090 + 545
    await court.database.write(lambda c: _again(c, row, 3.0))
    (third,) = await court.real.look.gates(gate.task_id)
    assert "wrap_up" in [choice.id for choice in third.choices]


def _again(connection: sa.Connection, task: Any, now: float) -> None:
    """The part reaches its cap once more."""
    query = sa.select(AGENTS).where(AGENTS.c.name == "Ada", AGENTS.c.task_id == task.id)
    agent = connection.execute(query).one()
    row = connection.execute(sa.select(BUDGETS).where(BUDGETS.c.agent_id == agent.id)).one()
    ask_about_subtree_cap(connection, task, row, agent, ("cost", row.cap_micros, row.cap_micros), now)


async def test_a_closed_gate_takes_no_answer(court: Court) -> None:
    """The first one counts, also against somebody with every right."""
    gate = await court.ask("cap")
    await court.real.handle(AnswerGate(gate.gate_id, "discord:1", "wrap_up"))
    before = await court.state(gate.task_id)
    for choice in ("raise_half", "stop", "0", "say"):
        await court.press(court.boss, "button", gate.gate_id, choice)
    await court.submit(court.boss, f"gate:{gate.gate_id}", text="raise by half")
    await court.submit(court.boss, f"plancap:{gate.gate_id}", dollars="0.5")
    assert await court.state(gate.task_id) == before
