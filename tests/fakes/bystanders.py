"""Three tasks that look alike in one database: the one that is acted on, one begun before it, one after it.

Names of agents and groups, paths and questions are the same in all three. The two bystanders stand where a
statement without its scope would reach them: open gates, unread messages, caps that a person set.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar, get_args

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.commands import Limits, StartTask
from engine.domain.gate_rules import STAGES, USUAL
from engine.domain.gates import SUBTREE_CAP, GateKind, choices_of, dump_choices
from engine.domain.limits import Caps
from engine.events import CodeRan
from engine.handlers.tasks import start_task
from engine.ports import Usage
from engine.store import core
from engine.store.core import (
    ACTION_REQUESTS,
    AGENTS,
    ASSIGNMENTS,
    BUDGETS,
    DECISIONS,
    FILES,
    GATE_RULES,
    GATES,
    GROUPS,
    INTERVENTIONS,
    MEMORIES,
    MESSAGES,
    MODEL_CALLS,
    MONTH_RULES,
    MONTHS,
    OUTSIDE_CALLS,
    PACKAGE_REQUESTS,
    PACKAGES,
    PROTECTIONS,
    REPEATS,
    REVISIONS,
    STEPS,
    TASKS,
    WAITS,
    dumps,
)
from engine.store.database import sync_engine
from engine.store.months import id_path, open_months
from engine.store.prepared import Prepared, together
from engine.store.refusals import REFUSAL
from engine.store.spending import Spent, note_spending
from engine.store.tables import ENGINE_METADATA

T = TypeVar("T")
Dump = dict[str, list[dict[str, Any]]]
NOW = 1_700_000_000.0
FAR_S = 10**7
"""Seconds until the gates but the plan's are overdue."""
CAPS = Caps(agents=12, depth=4, members=8, steps=30, cost_micros=1_000_000, tokens=1_000_000, minutes=60)
_number = count(1)


class StoreOnOneConnection:
    """The engine's Database port on one connection; SQLite keeps everything in one transaction.

    So `undo` rolls back to the template. Steps commit by themselves on PostgreSQL: there it is written again.
    """

    trouble = ""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sync_engine(url)
        self.connection = self._engine.connect()
        driver: Any = self.connection.connection.driver_connection
        self._raw = driver
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            self._raw.execute("BEGIN")

    def keep(self) -> None:
        """Make what was written so far the template of every world."""
        if self.sqlite:
            self._raw.execute("SAVEPOINT template")
        else:
            self._raw.execute(_KEEP)
            self._raw.commit()

    def undo(self) -> None:
        """Put the template back."""
        if self.sqlite:
            self._raw.execute("ROLLBACK TO template")
        else:
            self._raw.execute(_PUT_BACK)
            self._raw.commit()

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """See `Database.write`."""
        return self.write_now(work)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` all or not at all."""
        if self.sqlite:
            self._raw.execute("SAVEPOINT work")
        try:
            done = work(self.connection)
        except BaseException:
            self._raw.execute("ROLLBACK TO work") if self.sqlite else self._raw.rollback()
            raise
        self._raw.execute("RELEASE work") if self.sqlite else self._raw.commit()
        return done

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return self.write_now(work)

    async def read_durable(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read_durable`."""
        return self.write_now(work)

    def report_full(self) -> None:
        """Not part of these worlds."""
        raise AssertionError("the disk is not full")

    async def close(self) -> None:
        """See `Database.close`."""
        self.dispose()

    def dispose(self) -> None:
        """Close the connection."""
        self.connection.close()
        self._engine.dispose()


_NAMES = [table.name for table in ENGINE_METADATA.sorted_tables]
_KEEP = "CREATE SCHEMA kept;" + "".join(f"CREATE TABLE kept.{n} AS TABLE public.{n};" for n in _NAMES)
_PUT_BACK = (
    "".join(f"DELETE FROM public.{name};" for name in reversed(_NAMES))
    + "".join(f"INSERT INTO public.{name} TABLE kept.{name};" for name in _NAMES)
)  # fmt: skip
"""PostgreSQL's rows in place of all that there are; it is the server that copies them."""


@dataclass(frozen=True, slots=True)
class Side:
    """The ids of one task and of what belongs to it."""

    task: int
    space: str
    agents: Mapping[str, int]
    groups: Mapping[str, int]
    budgets: Mapping[str, int]
    gates: Mapping[str, int]
    work: Mapping[str, int]
    refs: str
    memory: int
    repeat: int
    calls: Mapping[str, int]

    def __getattr__(self, name: str) -> int:
        """Return the id of the agent of that name."""
        try:
            return self.agents[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Trio:
    """The task that is acted on, between two that nobody touches."""

    before: Side
    subject: Side
    after: Side

    @property
    def bystanders(self) -> tuple[Side, Side]:
        """Return the two that must stay as they are."""
        return self.before, self.after


def add(connection: Connection, table: sa.Table, **values: Any) -> int:
    """Insert a row. Return its id."""
    return core.new_id(connection, table, values)


def make_trio(connection: Connection) -> Trio:
    """Insert three tasks that look alike. Return their ids."""
    trio = Trio(
        _make_side(connection, "guild:1", "discord:1", bystander=True),
        _make_side(connection, "guild:2", "discord:2", bystander=False),
        _make_side(connection, "guild:3", "discord:3", bystander=True),
    )
    # One bystander runs, the other waits at its cap: each is what some statement looks for.
    paused = {"state": "paused", "paused_for": "cap", "reason": "cap on cost reached"}
    connection.execute(TASKS.update().where(TASKS.c.id == trio.after.task).values(**paused))
    return trio


def _make_side(connection: Connection, space: str, by: str, *, bystander: bool) -> Side:
    n = next(_number)
    space = f"{space}{n:04}"
    started = start_task(
        connection, StartTask("a small game: https://games.example/", by, space, Limits()), CAPS, NOW - 600
    )
    task = started.id
    waits = {"space": space, "kind": "plan", "wait_s": 1_200.0 + n, "default_effect": "approve"}
    connection.execute(GATE_RULES.insert().values(**waits))
    start = {"kind": "StartTask", "subject_id": task, "digest": f"{n:064}", "content_json": "{}"}
    connection.execute(DECISIONS.insert().values(**start, at=NOW - 600, by=by, space=space, task_id=task))
    row = connection.execute(sa.select(TASKS).where(TASKS.c.id == task)).one()
    agents, groups, budgets = _team(connection, task, row.boss_id, row.root_group_id, bystander)
    _, cy = agents["ada"], agents["cy"]
    connection.execute(TASKS.update().where(TASKS.c.id == task).values(agents=6, quiet_rounds=1))
    work = _work(connection, task, agents, groups, n)
    gates = _gates(connection, task, agents, groups, n)
    calls = _calls(connection, task, agents["ada"], gates["tool"], n)
    _talk(connection, task, agents, n)
    _files(connection, task, n)
    memory = _memories(connection, task, agents["bob"], space, n)
    repeat = add(
        connection,
        REPEATS,
        goal="again",
        space=space,
        by=by,
        cron="0 9 * * *",
        zone="UTC",
        limits_json=dumps(_caps_json()),
        created_at=NOW - 600,
        next_at=NOW + 600,
        last_task_id=task,
    )
    wheel = {"name": "six", "version": "1", "file": "six.whl", "sha256": "0" * 64, "agent": "Ada"}
    connection.execute(PACKAGES.insert().values(task_id=task, at=NOW - 300, **wheel))
    awaited = {"agent_id": cy, "path": "later.md", "created_at": NOW - 300}
    connection.execute(WAITS.insert().values(task_id=task, **awaited))
    writing = {"sent": True, "tokens": 9, "read": 1.0, "tool": "run", "path": "", "lines": 0, "words": "hm"}
    under_way = {"agent_id": agents["ada"], "step": 1, "began_at": NOW - 9, "at": NOW - 1, **writing}
    connection.execute(MODEL_CALLS.insert().values(task_id=task, **under_way))
    wanted = {"gate_id": gates["action"], "action": "run", "digest": "d", "arguments_json": "{}"}
    connection.execute(ACTION_REQUESTS.insert().values(task_id=task, **wanted))
    kept = {"space": space, "run": False, "recruit_over": 100 + n, "finish": False, "tools": False}
    connection.execute(PROTECTIONS.insert().values(**kept))
    asked = {"gate_id": gates["packages"], "name": "numpy", "task_id": task}
    connection.execute(PACKAGE_REQUESTS.insert().values(**asked))
    noted = (("silent", str(agents["bob"])), ("chatter", "pair"), (REFUSAL, "k.c"), *_only_there(bystander))
    for rule, subject in noted:
        values = {"task_id": task, "rule": rule, "subject": subject, "times": 3, "at": NOW - 300}
        connection.execute(INTERVENTIONS.insert().values(**values))
    _steps(connection, task, (row.boss_id, cy), n)
    _months(connection, (task, space, by), agents["ada"])
    return Side(task, space, agents, groups, budgets, gates, work, f"5{n}:", memory, repeat, calls)


def _months(connection: Connection, whose: tuple[int, str, str], agent: int) -> None:
    """Set budgets of a month, which hold what Ada has reserved, and of which most is used."""
    task, space, by = whose
    connection.execute(MONTH_RULES.insert().values(space=space, zone="UTC", space_micros=10_000_000))
    held = {"reserved_micros": 30, "reserved_tokens": 3}
    ids = open_months(connection, space, by, NOW)
    connection.execute(MONTHS.update().where(MONTHS.c.id.in_(ids)).values(spent_micros=4_000_000, **held))
    connection.execute(AGENTS.update().where(AGENTS.c.id == agent).values(held_in=id_path(ids)))
    note_spending(connection, Spent(task, space, by, "m", 4_000_000, Usage(30, 0, 10)), NOW - 400)


def _only_there(bystander: bool) -> tuple[tuple[str, str], ...]:
    """Return interventions that only the bystanders had: they have been wrapped up before."""
    return (("wrapup", "task"), ("rule", "subject")) if bystander else ()


def _caps_json() -> dict[str, int]:
    return {name: getattr(CAPS, name) for name in Caps.__dataclass_fields__}


def _team(
    connection: Connection, task: int, boss: int, root: int, bystander: bool
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Insert Ada with Bob below her, Cy, Dee whom her model refused, and an auditor."""
    own = connection.execute(sa.select(BUDGETS.c.id).where(BUDGETS.c.task_id == task)).scalar_one()
    base = {"task_id": task, "instructions": "Work.", "created_at": NOW - 500, "active_at": NOW - 400}

    def agent(
        name: str, group: int, budget: int, head: int | None, role: str, depth: int, **more: Any
    ) -> int:
        values = {**base, "name": name, "name_key": name.lower(), "role": role, "title": role}
        values |= {"group_id": group, "budget_id": budget, "head_id": head, "depth": depth}
        return add(connection, AGENTS, **values, **more)

    ada = agent("Ada", root, own, boss, "head", 1, reserved_micros=30, reserved_tokens=3)
    shop = add(connection, GROUPS, task_id=task, parent_id=root, head_id=ada, name="workshop", depth=1)
    part = _part(connection, task, own, ada)
    mine = {"leads_group_id": shop, "budget_id": part}
    connection.execute(AGENTS.update().where(AGENTS.c.id == ada).values(**mine))
    bob = agent("Bob", shop, part, ada, "member", 2)
    cy = agent("Cy", root, own, boss, "member", 1)
    dee = agent("Dee", root, own, boss, "member", 1, status="paused", refused="no")
    auditor = agent("Auditor", root, own, None, "auditor", 1)
    if bystander:
        # A person capped Cy and Bob there, and Cy's part has stopped: neither may be heard of elsewhere.
        for one, frozen in ((cy, True), (bob, False)):
            capped = _part(connection, task, own, one, frozen=frozen)
            connection.execute(AGENTS.update().where(AGENTS.c.id == one).values(budget_id=capped))
    held = {"reserved_micros": 30, "reserved_tokens": 3, "spent_micros": 400, "spent_tokens": 40}
    connection.execute(BUDGETS.update().where(BUDGETS.c.id.in_((own, part))).values(**held))
    agents = {"boss": boss, "ada": ada, "bob": bob, "cy": cy, "dee": dee, "auditor": auditor}
    return agents, {"root": root, "shop": shop}, {"own": own, "part": part}


def _part(connection: Connection, task: int, own: int, agent: int, **more: Any) -> int:
    values = {"task_id": task, "parent_id": own, "agent_id": agent, "set_by": "discord:7", **more}
    caps = {"cap_micros": 500_000, "cap_tokens": 500_000, "cap_agents": 6, "cap_minutes": 50}
    number = add(connection, BUDGETS, **values, **caps, deadline_at=NOW + 1_500)
    connection.execute(BUDGETS.update().where(BUDGETS.c.id == number).values(path=f"{own}/{number}/"))
    return number


def _work(
    connection: Connection, task: int, agents: dict[str, int], groups: dict[str, int], n: int
) -> dict[str, int]:
    made: dict[str, int] = {}
    for name, group, giver, to, state in (
        ("open", "root", "boss", "ada", "open"),
        ("submitted", "shop", "ada", "bob", "submitted"),
        ("closed", "root", "boss", "cy", "accepted"),
    ):
        made[name] = add(
            connection,
            ASSIGNMENTS,
            task_id=task,
            group_id=groups[group],
            title=name,
            details="do it",
            giver_id=agents[giver],
            assignee_id=agents[to],
            state=state,
            key=f"work.{n}.{name}",
            created_at=NOW - 450,
            changed_at=NOW - 440,
        )
    return made


def _gates(
    connection: Connection, task: int, agents: dict[str, int], groups: dict[str, int], n: int
) -> dict[str, int]:
    """Insert an open gate of every kind."""
    asks = {"question": "ada", SUBTREE_CAP: "ada", "plan": "boss"}
    made: dict[str, int] = {}
    for kind in get_args(GateKind):
        choices = choices_of(kind, ("yes", "no"))
        made[kind] = add(
            connection,
            GATES,
            task_id=task,
            group_id=groups["root"],
            kind=kind,
            question=f"{kind}?",
            agent_id=agents[asks[kind]] if kind in asks else None,
            key=f"gate.{n}.{kind}",
            name=asks.get(kind, "").title(),
            choices_json=dumps(dump_choices(choices)),
            created_at=NOW - 430,
            due_at=NOW + 300,
            remind_at=NOW + (300 if kind == "plan" else FAR_S),
            reminded=0 if kind == "cap" else len(STAGES),
            default_effect=USUAL[kind].default,
        )
    answered = {"kind": "question", "name": "Ada", "question": "old?", "basis": "person", "choice_id": "o1"}
    whose = {"task_id": task, "group_id": groups["root"], "agent_id": agents["ada"]}
    add(connection, GATES, **answered, **whose, key=f"gate.{n}.old", created_at=NOW - 440)
    return made


def _calls(connection: Connection, task: int, agent: int, gate: int, n: int) -> dict[str, int]:
    """Insert calls of Ada to the shop: one under way, one to be made, one allowed for the task, one that a
    gate asks about, all of the same digest."""
    made: dict[str, int] = {}
    ready: dict[str, dict[str, Any]] = {"pending": {}}
    ready |= {"sent": {"sent_at": NOW - 9, "lease_until": NOW + 9}, "asked": {"gate_id": gate}}
    bought = {"told": True, "standing": True, "sent_at": NOW - 8, "ended_at": NOW - 7, "result": "tea"}
    for state, more in ({**ready, "done": bought}).items():
        values = {"task_id": task, "agent_id": agent, "step": 1, "key": f"call.{n}.{state}", "digest": "d"}
        values |= {"name": "shop__buy", "server": "shop", "tool": "buy", "arguments_json": "{}"}
        values |= {"state": state, "reads_only": False, "repeatable": False, "created_at": NOW - 9}
        made[state] = add(connection, OUTSIDE_CALLS, **values, **more)
    return made


def _talk(connection: Connection, task: int, agents: dict[str, int], n: int) -> None:
    """Insert unread messages: Ada and Cy to each other, one of a person to Ada, a read one last."""
    said: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("cy", "ada", "agent", {}),
        ("ada", "cy", "agent", {}),
        ("ada", "bob", "agent", {}),
        ("", "ada", "person", {"ref": f"5{n}:1"}),
        ("bob", "ada", "agent", {"consumed_step": 1}),
    )
    for m, (sender, to, kind, more) in enumerate(said):
        add(
            connection,
            MESSAGES,
            task_id=task,
            to_agent=agents[to],
            from_agent=agents.get(sender),
            from_kind=kind,
            from_name=sender.title() or "Eve",
            text=f"message {m}",
            **{"key": f"talk.{n}.{m}", "created_at": NOW - 420 + m, **more},
        )


def _files(connection: Connection, task: int, n: int) -> None:
    for path, size in (("a.py", 10), ("b.py", 20)):
        number = add(
            connection,
            REVISIONS,
            task_id=task,
            path=path,
            blob=f"blob{n}",
            agent="Bob",
            step="1.1",
            key=f"rev.{n}.{path}",
            at=NOW - 410,
        )
        values = {"task_id": task, "path": path, "blob": f"blob{n}", "revision": number, "size": size}
        connection.execute(FILES.insert().values(**values, agent="Bob", changed_at=NOW - 410))


def _memories(connection: Connection, task: int, agent: int, space: str, n: int) -> int:
    kept = 0
    for name, owner in (
        ("own", {"task_id": task, "agent_id": agent}),
        ("shared", {"task_id": task}),
        ("kept", {"space": space}),
    ):
        values = {"text": f"paint the game {space}", "source": name, "key": f"memory.{n}.{name}"}
        kept = add(connection, MEMORIES, **values, **owner, created_at=NOW - 405)
    return kept


def _steps(connection: Connection, task: int, agents: tuple[int, int], n: int) -> None:
    """Insert one step each of two agents; the second ran a program."""
    ran = [("c1", "run", "{}", "exit 0", None)]
    group = connection.execute(sa.select(TASKS.c.root_group_id).where(TASKS.c.id == task)).scalar_one()
    shown = CodeRan(task, group, agents[1], "Cy", f"python a.py {n}", 0, "exit", "ok")
    core.append_events(connection, [(f"ran.{n}", shown)], NOW - 399)
    for agent, calls in zip(agents, ([], ran), strict=True):
        times = {"started_at": NOW - 400 - n, "ended_at": NOW - 399}
        spent = {"prompt_tokens": 5, "cached_tokens": 0, "completion_tokens": 2, "cost_micros": n}
        values = {"task_id": task, "agent_id": agent, "step": 1, "turn": 1, "input": "look", "said": "ok"}
        add(connection, STEPS, **values, calls_json=dumps(calls), model="m", **times, **spent)
        connection.execute(AGENTS.update().where(AGENTS.c.id == agent).values(fence=1, turn=1))


# ---------------------------------------------------------------- to whom a row belongs

_AGENT = ("agent_id", "head_id", "to_agent", "from_agent", "giver_id", "assignee_id", "boss_id", "auditor_id")
_GROUP = ("group_id", "leads_group_id", "root_group_id")
_BY_TABLE: Mapping[str, Mapping[str, str]] = {
    "tasks": {"id": "task"},
    "groups": {"parent_id": "group"},
    "budgets": {"parent_id": "budget"},
    "repeats": {"last_task_id": "task"},
}


_EVERY_ROW = {
    table.name: Prepared(sa.select(table).order_by(*table.primary_key))
    for table in ENGINE_METADATA.sorted_tables
}


def rows_of(connection: Connection) -> Dump:
    """Return all rows of all tables of the engine, in the order of their keys."""
    with together(connection):
        read = [(name, query, query.run(connection)) for name, query in _EVERY_ROW.items()]
    return {name: [row._asdict() for row in query.rows(connection, found)] for name, query, found in read}


_KINDS = {**dict.fromkeys(_AGENT, "agent"), **dict.fromkeys(_GROUP, "group"), "budget_id": "budget"}


@dataclass(slots=True)
class Owners:
    """Which task each agent, group and budget belongs to."""

    dump: Dump
    of: dict[str, dict[int, int]] = field(default_factory=dict)
    spaces: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, name in (("agent", "agents"), ("group", "groups"), ("budget", "budgets")):
            self.of[kind] = {row["id"]: row["task_id"] for row in self.dump[name]}
        for row in self.dump["tasks"]:
            self.spaces.setdefault(row["space"], row["id"])

    def tasks(self, table: str, row: Mapping[str, Any]) -> set[int]:
        """Return every task that the row belongs to or points at."""
        named = row
        if table == "events":
            named = dict(row)
            named |= {k: v for k, v in json.loads(row["payload_json"]).items() if k in (*_AGENT, *_GROUP)}
        found = {named.get("task_id")}
        if named.get("space") in self.spaces and table != "tasks":
            found.add(self.spaces[named["space"]])
        for name, kind in {**_KINDS, **_BY_TABLE.get(table, {})}.items():
            value = named.get(name)
            if value:
                found.add(value if kind == "task" else self.of[kind].get(value))
        return {task for task in found if task}


def belongings(connection: Connection, task: int) -> Dump:
    """Return every row that belongs to a task or points at something of it."""
    return shared_out(rows_of(connection))[task]


def shared_out(dump: Dump) -> Mapping[int, Dump]:
    """Return for each task every row that belongs to it or points at something of it."""
    owners = Owners(dump)
    found: dict[int, Dump] = defaultdict(lambda: {name: [] for name in dump})
    for name, rows in dump.items():
        for row in rows:
            for task in owners.tasks(name, row):
                found[task][name].append(row)
    return found


def check_untouched(before: Mapping[int, Dump], after: Mapping[int, Dump], sides: Sequence[Side]) -> None:
    """Check that the rows of these tasks are the same, byte for byte."""
    for side in sides:
        kept, now = before[side.task], after[side.task]
        for name, rows in kept.items():
            assert now[name] == rows, f"{name} of the bystander {side.task} changed"


@contextmanager
def untouched(connection: Connection, sides: Sequence[Side]) -> Iterator[None]:
    """Whatever happens inside, the rows of these tasks are the same afterwards."""
    before = shared_out(rows_of(connection))
    yield
    check_untouched(before, shared_out(rows_of(connection)), sides)


def without_bystanders(connection: Connection, trio: Trio) -> None:
    """Delete the rows of the bystanders, in a world that is put back afterwards.

    The last row of every table stays, so that new rows get the numbers that they would have had; foreign
    keys are checked at the commit, which never comes.
    """
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    dump = rows_of(connection)
    owners = Owners(dump)
    others = {side.task for side in trio.bystanders}
    for table in reversed(ENGINE_METADATA.sorted_tables):
        keys = list(table.primary_key)
        numbered = len(keys) == 1
        last = max((row[keys[0].name] for row in dump[table.name]), default=0) if numbered else None
        gone = [
            row
            for row in dump[table.name]
            if others & owners.tasks(table.name, row) and not (numbered and row[keys[0].name] == last)
        ]
        if numbered and gone:
            connection.execute(table.delete().where(keys[0].in_([row[keys[0].name] for row in gone])))
            continue
        for row in gone:
            connection.execute(table.delete().where(sa.and_(*(key == row[key.name] for key in keys))))
