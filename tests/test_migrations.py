"""Migrations are current, and make an empty database usable."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from bot.app import migrations
from bot.app.migrations import drift, upgrade
from bot.storage.guild_settings import CARDS, FACTS
from bot.storage.tables import BOT_METADATA, cursors
from bot.storage.tables import agents as bot_agents
from bot.storage.tables import deliveries as bot_deliveries
from bot.storage.tables import tasks as bot_tasks
from engine.commands import EditMessage
from engine.domain.gates import choices_of
from engine.domain.naming import name_key
from engine.domain.outcomes import Assigned, Joined, Ran, Read, Reviewed
from engine.domain.recall import pack, signs_of
from engine.domain.recurrence import Recurrence
from engine.errors import NotConfigured
from engine.events import GateClosed, GateRaised, load_event
from engine.handlers.messages import edit_message
from engine.store.addresses import bases_of
from engine.store.core import (
    AGENTS,
    DECISIONS,
    EVENTS,
    FILES,
    GATES,
    MEMORIES,
    MESSAGES,
    OUTSIDE_CALLS,
    PACKAGES,
    REPEATS,
    SPENDING,
    STARTS,
    STEPS,
    TASKS,
    WAITS,
)
from engine.store.database import sync_engine
from engine.store.gates import gate_view
from engine.store.tables import ENGINE_METADATA
from engine.store.transcript import past_step, past_summary
from tests.test_boundaries import ROOT


def downgrade(url: str, revision: str) -> None:
    """Bring the database back to an older version."""
    config, engine = Config(str(ROOT / "alembic.ini")), sync_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()


HEAD = "head"  # sorts after every number
_KEPT: dict[str, bytes] = {}


def older_database(folder: Path, revision: str = HEAD) -> str:
    """Return the URL of a new database of an older version; each is made once, of the next newer one."""
    path = folder / "old.db"
    url = f"sqlite:///{path}"
    if HEAD not in _KEPT:
        upgrade(url)
        _KEPT[HEAD] = path.read_bytes()
    if revision not in _KEPT:
        path.write_bytes(_KEPT[min(kept for kept in _KEPT if kept > revision)])
        downgrade(url, revision)
        _KEPT[revision] = path.read_bytes()
    path.write_bytes(_KEPT[revision])
    return url


def test_head_matches_the_models(tmp_path: Path) -> None:
    """`alembic check` finds nothing to do after `upgrade head`."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)
    assert drift(url) == ""


def test_every_table_is_there_and_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """Upgrading twice is harmless; all tables of engine and bot exist."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)
    upgrade(url)
    engine = sync_engine(url)
    present = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    assert set(ENGINE_METADATA.tables) | set(BOT_METADATA.tables) <= present


def test_a_start_with_nothing_to_migrate_loads_no_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take a fifth of a start; a database that is one revision behind is still brought up to date."""
    url = older_database(tmp_path)
    asked: list[object] = []
    monkeypatch.setattr(migrations, "_migrate", asked.append)
    upgrade(url)
    assert not asked
    downgrade(url, "-1")
    upgrade(url)
    assert len(asked) == 1


def test_a_database_from_the_future_is_refused_in_plain_words(tmp_path: Path) -> None:
    """An older checkout does not touch a newer database, and says what to do."""
    url = older_database(tmp_path)
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(NotConfigured, match="Update the checkout"):
        upgrade(url)


def test_tasks_cards_and_repeats_survive_the_one_reader(tmp_path: Path) -> None:
    """Cards stay, a forgotten one appears, repeats keep their channel, the slower reader goes on."""
    url = older_database(tmp_path, "0010")
    engine = sync_engine(url)
    task = {"guild_id": 9, "owner_id": 7, "goal": "g", "category_repairs": 0, "channels_full": False}
    repeat: dict[str, object] = {
        "goal": "g",
        "space": "guild:9",
        "by": "discord:7",
        "cron": "0 * * * *",
        "zone": "UTC",
    }
    repeat |= {"model": "", "limits_json": "{}", "runs": 0, "skipped": 0}
    rows = [(1, "running", 55), (2, "done", 55), (3, "paused", 56), (4, "running", 0)]
    with engine.begin() as connection:
        for task_id, state, home in rows:
            values = {"task_id": task_id, "state": state, "home_id": home, "category_id": 0}
            old_tasks = sa.table("bot_task", *(sa.column(name) for name in (*task, *values)))
            connection.execute(old_tasks.insert().values(**task, **values))
        for task_id in (1, 2):
            card = {"task_id": task_id, "channel_id": 55, "message_id": task_id}
            old = sa.table("bot_cards", *(sa.column(n) for n in (*card, "posted_at", "edited_at", "digest")))
            connection.execute(old.insert().values(**card, posted_at=1.0, edited_at=1.0, digest="x"))
        connection.execute(REPEATS.insert().values(id=5, created_at=1.0, next_at=2.0, **repeat))
        connection.execute(cursors.insert().values(name="outbox", seq=40))
        facts = {"repeat-home:5": "55", "repeat-paused:5": "1.0", "log_cursor": "38", "commands": "abc"}
        for name, value in facts.items():
            connection.execute(FACTS.insert().values(name=name, value=value))
    upgrade(url)
    with engine.connect() as connection:
        cards = connection.execute(sa.select(CARDS).order_by(CARDS.c.task_id)).mappings().all()
        kept = [(c["task_id"], c["channel_id"], c["message_id"], c["changed_seq"] > 0) for c in cards]
        assert kept == [(1, 55, 1, True), (2, 55, 2, False), (3, 56, 0, True)]
        assert connection.execute(sa.select(REPEATS.c.origin)).scalar_one() == "channel:55"
        assert connection.execute(sa.select(cursors.c.seq)).scalar_one() == 38
        assert connection.execute(sa.select(FACTS.c.name)).scalars().all() == ["commands"]
        assert connection.execute(sa.select(sa.func.count()).select_from(bot_tasks)).scalar_one() == 4
    engine.dispose()
    assert drift(url) == ""


def test_vectors_kept_before_signs_get_theirs(tmp_path: Path) -> None:
    """Lines remembered by an older version are found by meaning after the update."""
    url = older_database(tmp_path)
    packed = pack([0.5, -1.0, 2.0])
    line = {"text": "Oak floats", "source": "Boss", "key": "k", "created_at": 1.0, "embedding": packed}
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.execute(MEMORIES.insert().values(**line))
    downgrade(url, "0002")
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(MEMORIES.c.signs)).scalar_one() == signs_of(packed)
    engine.dispose()


def test_steps_of_an_older_version_say_who_spoke_and_what_came_of_calls(tmp_path: Path) -> None:
    """A task under way keeps people's words, what it had read of files and who works for whom."""
    url = older_database(tmp_path, "0007")
    calls = [
        ["a", "read_file", '{"path": "a.md"}', "a.md, revision 7, lines 1-1 of 1:\nrevision 9"],
        [
            "b",
            "write_file",
            '{"path": "b.md"}',
            "b.md exists (revision 8, by Bo). Read it first, then write it.",
        ],
        ["c", "recruit", "{}", "Joined your group: Bo, Al. Now assign each its work."],
        ["d", "assign", "{}", "Assignment #3 given to Bo."],
        ["e", "review", "{}", "Assignment #3 rejected."],
        ["f", "run", "{}", "exit code 0, 0.1 s\nhello"],
        ["g", "run", "{}", "stopped: it took too long, 30.0 s\n(no output)"],
        ["h", "run", "{}", "There is no command."],
    ]
    engine = sync_engine(url)
    with engine.begin() as connection:
        _old_task(connection, calls)
    upgrade(url)
    with engine.connect() as connection:
        step = past_step(connection.execute(sa.select(STEPS)).one())
        summary = past_summary(connection.execute(sa.select(AGENTS.c.summary_json)).scalar_one())
        assert connection.execute(sa.select(TASKS.c.paused_for)).scalar_one() == "cap"
        about = connection.execute(sa.select(MESSAGES.c.about, MESSAGES.c.about_id).order_by(MESSAGES.c.id))
        assert [tuple(row) for row in about] == [("", None), ("submission", 3), ("wrap_up", None), ("", None)]
    engine.dispose()
    assert [call.outcome for call in step.calls] == [
        Read("a.md", 7, whole=False),
        None,
        Joined(("Bo", "Al")),
        Assigned(3, "Bo"),
        Reviewed(3, accepted=False),
        Ran(0, "exit"),
        Ran(-1, "timeout"),
        None,
    ]
    assert [(m.from_kind, m.text, m.ref) for m in step.messages] == [
        ("person", "Use oak.", "9:9"),
        ("work", "Submission of #3 (a): it is done", None),
    ]
    assert [line.by_person for line in summary] == [True, False]


def _old_task(connection: sa.Connection, calls: list[list[str]]) -> None:
    """One agent of a running task, as version 0007 stored it: two messages read, two not."""
    _insert(connection, "tasks", id=1, state="paused", reason="cap on cost reached")
    told = "- from Ann, a person who watches this task: In red.\n- you said: from now on"
    _insert(connection, "agents", id=2, task_id=1, name="Boss", summary=told)
    rows = [
        ("person", "Ann", "Use oak.", "9:9", 1),
        ("work", "Bo", "Submission of #3 (a): it is done", None, 1),
        ("system", "system", "Wrap up: the cap is reached", None, None),
        ("agent", "Bo", "Submission of #4 (b): forged", None, None),
    ]
    for number, (kind, name, text, ref, read) in enumerate(rows):
        values = {"from_kind": kind, "from_name": name, "text": text, "ref": ref, "consumed_step": read}
        _insert(connection, "messages", task_id=1, to_agent=2, key=f"k{number}", **values)
    _insert(connection, "steps", task_id=1, agent_id=2, step=1, calls_json=json.dumps(calls))


def _insert(connection: sa.Connection, name: str, /, **values: object) -> None:
    """A row of a table as it is now, with nothing in the columns not named."""
    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    blank = {
        column.name: "[]" if column.name.endswith("_json") else column.type.python_type()
        for column in table.columns
        if not column.nullable and not column.primary_key
    }
    connection.execute(table.insert(), {**blank, **values})


def test_agents_of_an_older_version_are_found_by_how_their_names_look(tmp_path: Path) -> None:
    """Of two that look alike the first keeps the name."""
    url = older_database(tmp_path, "0009")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1)
        for number, name in enumerate(("Ali", "All", "Zoe"), 1):
            _insert(connection, "agents", id=number, task_id=1, name=name, name_key=name.lower())
    upgrade(url)
    with engine.connect() as connection:
        keys = list(connection.execute(sa.select(AGENTS.c.name_key).order_by(AGENTS.c.id)).scalars())
    engine.dispose()
    assert keys == [name_key("Ali"), f"{name_key('All')} #2", name_key("Zoe")]


OLD_GATES: dict[str, tuple[str, ...]] = {
    "question": ("Stop", "Oak"),
    "plan": ("Approve", "Cancel the task"),
    "cap": ("Raise by half", "Wrap up", "Stop the task"),
    "share": ("Raise by half", "Wrap it up", "Dismiss it"),
    "audit": ("Accept as it is", "Another round", "Stop the task"),
    "stall": ("Try again", "Wrap up with what there is", "Stop the task"),
}
"""What version 0011 stored as the options of each kind."""

CLOSED_THEN: list[tuple[str, str, str, tuple[str, str | None, str]]] = [
    ("cap", "raise by half", "discord:7", ("person", "raise_half", "")),
    ("cap", "a bit more", "discord:7", ("person", None, "a bit more")),
    ("cap", "cap raised", "", ("cap_raised", None, "")),
    ("cap", "resumed by a person", "", ("resumed", None, "")),
    ("cap", "wrapping up", "", ("wrapped_up", None, "")),
    ("share", "it was dismissed", "", ("dismissed", None, "")),
    ("plan", "Approve within $2", "discord:7", ("person", None, "Approve within $2")),
    ("plan", "Approve (nobody answered in time)", "system", ("timeout", "approve", "")),
    ("question", "Oak", "discord:7", ("person", "o2", "")),
    ("audit", "", "", ("task_ended", None, "")),
]
"""Kind, answer and who of gates closed by then -> basis, choice and text now."""


def test_gates_of_an_older_version_keep_their_choices_and_answers(tmp_path: Path) -> None:
    """Open ones offer by id what their buttons said, in that order; events tell the same."""
    url = older_database(tmp_path, "0011")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1, state="running")
        for number, kind in enumerate(OLD_GATES, 1):
            _old_gate(connection, number, kind, None, "")
        for number, (kind, answer, by, _) in enumerate(CLOSED_THEN, 20):
            _old_gate(connection, number, kind, answer, by)
    upgrade(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(GATES).order_by(GATES.c.id)).all()
        kept = connection.execute(
            sa.select(EVENTS.c.kind, EVENTS.c.payload_json).order_by(EVENTS.c.seq)
        ).all()
    engine.dispose()
    views = [gate_view(row) for row in rows]
    told = [load_event(row.kind, json.loads(row.payload_json)) for row in kept]
    for view in views[: len(OLD_GATES)]:
        assert (view.basis, view.choices) == (None, choices_of(view.kind, OLD_GATES[view.kind]))
    assert [(v.basis, v.choice_id, v.text) for v in views[len(OLD_GATES) :]] == [c[3] for c in CLOSED_THEN]
    assert [e.choices for e in told if isinstance(e, GateRaised)] == [view.choices for view in views]
    closed = [event for event in told if isinstance(event, GateClosed)]
    assert [(e.basis, e.choice and e.choice.id, e.text) for e in closed] == [c[3] for c in CLOSED_THEN]
    assert [event.by for event in closed] == [view.answered_by for view in views[len(OLD_GATES) :]]


def _old_gate(connection: sa.Connection, number: int, kind: str, answer: str | None, by: str) -> None:
    """A gate and its events, as version 0011 stored them."""
    options = json.dumps(OLD_GATES[kind])
    where = {"task_id": 1, "group_id": 2}
    values = {"id": number, "kind": kind, "options_json": options, "answer": answer, "answered_by": by}
    _insert(connection, "gates", key=f"g{number}", name="Boss", question="?", **where, **values)
    raised = {**where, "gate_id": number, "kind": kind, "agent_id": None, "name": "", "question": "?"}
    payload = json.dumps({**raised, "options": OLD_GATES[kind]})
    _insert(connection, "events", task_id=1, key=f"r{number}", kind="GateRaised", payload_json=payload)
    if answer is not None:
        payload = json.dumps({**where, "gate_id": number, "answer": answer, "by": by})
        _insert(connection, "events", task_id=1, key=f"c{number}", kind="GateClosed", payload_json=payload)


def test_steps_and_agents_of_an_older_version_keep_nothing_for_their_endpoint(tmp_path: Path) -> None:
    """A task under way goes on: its steps have nothing opaque, its agents no trouble with their model."""
    url = older_database(tmp_path, "0010")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _old_task(connection, [["s1c0", "read_file", "{}", "a.md"]])
    upgrade(url)
    with engine.connect() as connection:
        assert set(connection.execute(sa.select(STEPS.c.kept)).scalars()) == {""}
        found = connection.execute(
            sa.select(AGENTS.c.answer_tokens, AGENTS.c.too_long, AGENTS.c.refusals, AGENTS.c.refused)
        )
        assert {tuple(row) for row in found} == {(0, 0, 0, "")}
    engine.dispose()


def test_steps_of_an_older_version_are_whole_answers(tmp_path: Path) -> None:
    """No agent has calls left to run, no step goes on with the one before; and back again."""
    url = older_database(tmp_path, "0018")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _old_task(connection, [["s1c0", "read_file", "{}", "a.md"]])
    upgrade(url)
    with engine.connect() as connection:
        assert set(connection.execute(sa.select(STEPS.c.continues)).scalars()) == {False}
        found = connection.execute(sa.select(AGENTS.c.rest_json, AGENTS.c.parts))
        assert {tuple(row) for row in found} == {("", 0)}
    downgrade(url, "0018")
    assert "rest_json" not in {column["name"] for column in sa.inspect(engine).get_columns("agents")}
    engine.dispose()


EXPRESSIONS = {
    "30 6 * * fri-mon": "30 6 * * 0,1,5,6",
    "30 6 * * fri-sun": "30 6 * * 0,5,6",
    "0 9 * * mon/2": "0 9 * * 1",
    "0 9 * * */3": "0 9 * * 0,3,6",
    "0 9 last * *": "0 9 L * *",
    "0 9 * * 1-5": "0 9 * * 1-5",
    "*/30 8 1 jan-mar *": "*/30 8 1 jan-mar *",
}
"""When repeats start: as an older version stored it, and as it is stored now."""


def test_repeats_of_an_older_version_start_when_they_did(tmp_path: Path) -> None:
    """Their expressions are stored as the library reads them; after a downgrade, as the old parser did."""
    url = older_database(tmp_path, "0013")
    repeat = {"goal": "g", "space": "s", "by": "b", "zone": "UTC", "limits_json": "{}", "created_at": 1.0}
    engine, kept = sync_engine(url), sa.select(REPEATS.c.cron).order_by(REPEATS.c.id)
    with engine.begin() as connection:
        for older in EXPRESSIONS:
            connection.execute(REPEATS.insert().values(**repeat, next_at=1.0, cron=older))
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(kept).scalars().all() == list(EXPRESSIONS.values())
    downgrade(url, "0013")
    with engine.connect() as connection:
        assert not any("L" in cron for cron in connection.execute(kept).scalars())
    engine.dispose()
    for newer in EXPRESSIONS.values():
        assert Recurrence(newer, "UTC").next_after(0.0) > 0


def test_the_ledger_of_calls_comes_and_goes(tmp_path: Path) -> None:
    """A database of an older version gets an empty one; a downgrade drops it and nothing else."""
    url = older_database(tmp_path, "0016")
    engine = sync_engine(url)
    assert "outside_calls" not in sa.inspect(engine).get_table_names()
    with engine.begin() as connection:
        _old_task(connection, [])
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(OUTSIDE_CALLS)).all() == []
        assert connection.execute(sa.select(sa.func.count()).select_from(TASKS)).scalar_one() == 1
    engine.dispose()


def test_the_audit_trail_comes_and_goes(tmp_path: Path) -> None:
    """A database of an older version gets an empty one; a downgrade drops it."""
    url = older_database(tmp_path, "0017")
    engine = sync_engine(url)
    assert "decisions" not in sa.inspect(engine).get_table_names()
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(DECISIONS)).all() == []
    engine.dispose()


def test_files_and_assignments_of_an_older_version_have_no_marks(tmp_path: Path) -> None:
    """Nothing counts as accepted before the update; what is accepted afterwards is marked, and unmarked by a
    downgrade."""
    url = older_database(tmp_path, "0019")
    engine = sync_engine(url)
    file = {"task_id": 1, "path": "a.md", "revision": 1, "size": 1, "agent": "Bo", "changed_at": 1.0}
    with engine.begin() as connection:
        task = {"goal": "g", "state": "running", "space": "s", "by": "b", "created_at": 1.0}
        task |= dict.fromkeys(("max_agents", "max_depth", "max_members", "max_steps", "max_minutes"), 1)
        _insert(connection, "tasks", id=1, **task)
        connection.execute(sa.table("files", *map(sa.column, file)).insert().values(**file))
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(FILES.c.accepted_json)).scalar_one() == ""
    engine.dispose()
    assert drift(url) == ""


def test_tasks_of_an_older_version_are_no_demonstrations(tmp_path: Path) -> None:
    """Each task that was there stays, as the real one that it is."""
    url = older_database(tmp_path, "0020")
    engine = sync_engine(url)
    columns = {column["name"] for column in sa.inspect(engine).get_columns("bot_task")}
    assert "demonstration" not in columns
    with engine.begin() as connection:
        values = {
            "task_id": 1, "guild_id": 2, "owner_id": 3, "goal": "go", "state": "running",
            "home_id": 0, "category_id": 0, "category_repairs": 0, "channels_full": False,
        }  # fmt: skip
        old = sa.table("bot_task", *(sa.column(name) for name in values))
        connection.execute(old.insert().values(**values))
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(bot_tasks.c.demonstration)).scalars().all() == [False]
    engine.dispose()


def test_packages_of_tasks_come_and_go(tmp_path: Path) -> None:
    """A database of an older version gets empty tables for them; a downgrade drops these and nothing else."""
    url = older_database(tmp_path)
    engine = sync_engine(url)
    before = set(sa.inspect(engine).get_table_names())
    downgrade(url, "0024")
    assert before - set(sa.inspect(engine).get_table_names()) >= {"packages", "package_requests"}
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(PACKAGES)).all() == []
    engine.dispose()


def test_gates_open_at_the_update_wait_a_day_from_then(tmp_path: Path) -> None:
    """Whatever time a plan had before, an update never closes it at once; answered gates stay as they are."""
    url = older_database(tmp_path, "0021")
    engine = sync_engine(url)
    old = {"group_id": 1, "name": "Boss", "question": "?", "created_at": 1.0, "due_at": 2.0}
    columns = ("task_id", "kind", "basis", "key", "choices_json", *old)
    gates = sa.table("gates", *(sa.column(name) for name in (*columns, "text", "answered_by")))
    with engine.begin() as connection:
        _old_task(connection, [])
        task = connection.execute(sa.select(TASKS.c.id)).scalar_one()
        common = {"task_id": task, "choices_json": "[]", "text": "", "answered_by": "", **old}
        connection.execute(gates.insert().values(kind="plan", basis=None, key="a", **common))
        connection.execute(gates.insert().values(kind="plan", basis="person", key="b", **common))
    before = time.time()
    upgrade(url)
    with engine.connect() as connection:
        still, closed = connection.execute(sa.select(GATES).order_by(GATES.c.key)).all()
    engine.dispose()
    assert still.due_at >= before + 86_400 > still.remind_at >= before + 21_600
    assert (still.default_effect, still.reminded) == ("cancel", 0)
    assert (closed.due_at, closed.remind_at, closed.default_effect) == (2.0, None, "")


def test_agents_of_an_older_version_have_told_all_they_did(tmp_path: Path) -> None:
    """Their next words tell nothing of before the update; messages sent then are the bot's own to edit."""
    url = older_database(tmp_path, "0022")
    engine = sync_engine(url)
    with engine.begin() as connection:
        values = {
            "agent_id": 4, "task_id": 1, "group_id": 2, "name": "Bo", "title": "writer", "persona": "Bo",
            "leads": False,
        }  # fmt: skip
        old = sa.table("bot_agent", *(sa.column(name) for name in values))
        connection.execute(old.insert().values(**values))
    upgrade(url)
    with engine.connect() as connection:
        row = connection.execute(sa.select(bot_agents.c.role, bot_agents.c.did)).one()
        assert (row.role, row.did) == ("", [])
        assert connection.execute(sa.select(bot_deliveries.c.webhook_id)).all() == []
    engine.dispose()


def test_waits_come_and_go(tmp_path: Path) -> None:
    """Nobody of an older version waits; a downgrade drops the waits and nothing else."""
    url = older_database(tmp_path, "0023")
    engine = sync_engine(url)
    assert "waits" not in sa.inspect(engine).get_table_names()
    with engine.begin() as connection:
        _old_task(connection, [])
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(WAITS)).scalar() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(TASKS)).scalar() == 1
    engine.dispose()


def test_tasks_of_an_older_version_can_be_continued(tmp_path: Path) -> None:
    """Each has the start that it was given, so that its caps are known; a downgrade leaves none of it."""
    url = older_database(tmp_path, "0025")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1, state="done", by="me", space="s", max_minutes=30)
        _insert(connection, "budgets", task_id=1, path="1/", cap_micros=700_000, cap_tokens=9_000)
    upgrade(url)
    with engine.connect() as connection:
        row = connection.execute(sa.select(STARTS)).one()
        kept = json.loads(row.limits_json)
        assert (row.task_id, kept["cost_micros"], kept["tokens"]) == (1, 700_000, 9_000)
        assert kept["minutes"] == 30 and row.spent_before == 0
        assert set(connection.execute(sa.select(TASKS.c.continued)).scalars()) == {0}
    downgrade(url, "0025")
    assert "starts" not in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_what_tasks_of_an_older_version_spent_counts_in_their_month(tmp_path: Path) -> None:
    """Steps and priced calls are summed by task, model and quarter of an hour, for who last started it."""
    url = older_database(tmp_path, "0027")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1, state="done", by="me", space="s")
        _insert(connection, "starts", task_id=1, by="me", space="s", at=1.0, limits_json="{}")
        _insert(connection, "starts", task_id=1, by="you", space="s", at=2.0, limits_json="{}")
        for step, at, cost in ((1, 1000.0, 5), (2, 1700.0, 7), (3, 1900.0, None)):
            used = {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 0, "model": "m"}
            _insert(
                connection, "steps", task_id=1, agent_id=1, step=step, ended_at=at, cost_micros=cost, **used
            )
        called = {"server": "web", "price_micros": 30, "sent_at": 1000.0}
        _insert(connection, "outside_calls", task_id=1, key="a", state="done", **called)
        _insert(connection, "outside_calls", task_id=1, key="b", state="failed", **called)
    upgrade(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(SPENDING).order_by(SPENDING.c.kind, SPENDING.c.at)).all()
        assert [(r.at, r.kind, r.name, r.by, r.cost_micros, r.calls, r.unpriced) for r in rows] == [
            (900, "model", "m", "you", 12, 2, 0),
            (1800, "model", "m", "you", 0, 1, 1),
            (900, "outside", "web", "you", 30, 1, 0),
        ]
        assert connection.execute(sa.select(TASKS.c.payer)).scalar() == "you"
    downgrade(url, "0027")
    assert "spending" not in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_tasks_of_an_older_version_may_read_what_people_wrote_to_them(tmp_path: Path) -> None:
    """Addresses in goals and people's messages, in the form that is compared; what agents wrote is none."""
    url = older_database(tmp_path, "0028")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1, state="done", goal="Read HTTPS://A.example. Then stop.")
        said = {"task_id": 1, "from_name": "x"}
        text = "See (http://b.example:80/x?y#z) and https://me@c.example/"
        _insert(connection, "messages", text=text, from_kind="person", key="a", **said)
        _insert(connection, "messages", text="https://d.example/", from_kind="agent", key="b", **said)
    upgrade(url)
    with engine.connect() as connection:
        found = bases_of(
            connection, 1, [f"https://{name}.example/" for name in "acd"] + ["http://b.example/x?y"]
        )
        assert found == {"https://a.example/": "person", "http://b.example/x?y": "person"}
    downgrade(url, "0028")
    assert "task_addresses" not in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_messages_delivered_by_an_older_version_are_followed_no_more(tmp_path: Path) -> None:
    """Which of their edits were handled is not known: none is told again when the bot comes back."""
    url = older_database(tmp_path, "0034")
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, "bot_incoming", ref="1:2", user_id=3, agent_id=4, excerpt="Oak", at=5.0)
    upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT edited_at FROM bot_incoming")).scalar() is None
    downgrade(url, "0034")
    engine.dispose()


def test_messages_of_an_older_version_are_found_by_their_channel(tmp_path: Path) -> None:
    """Each gets the channel that its reference names."""
    url = older_database(tmp_path, "0041")
    engine = sync_engine(url)
    with engine.begin() as connection:
        for ref in ("12:3", "1:23", "1239876543210987654:1"):
            _insert(connection, "bot_incoming", ref=ref, user_id=3, agent_id=4, excerpt="Oak", at=5.0)
    upgrade(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT ref, channel_id FROM bot_incoming")).all()
    found = {row.ref: row.channel_id for row in rows}
    assert found == {"12:3": 12, "1:23": 1, "1239876543210987654:1": 1239876543210987654}
    downgrade(url, "0041")
    engine.dispose()


def test_words_handed_on_by_an_older_version_keep_whom_they_were_for(tmp_path: Path) -> None:
    """When their writer changes them; what people wrote themselves stays theirs, other rows as they were."""
    url = older_database(tmp_path, "0037")
    engine = sync_engine(url)
    ann, bo = "(said to Ann, who has left)\n", "(said to Bo, who cannot act on it)\n"
    rows = {
        "9:1": (f"{ann}Use oak.", "say.9:1", "Use oak, please.", f"{ann}Use oak, please."),
        "9:2": (f"{bo}{ann}In red.", "say.9:2.to2", "In blue.", f"{bo}{ann}In blue."),
        "9:3": ("(said to Zoe, who has left)\nMine.", "say.9:3.to2", "Ours.", "Ours."),
        "9:4": (f"{bo}Quoted.", "say.9:4", "Plain.", "Plain."),
        "9:5": (f"{bo}{bo}Quoted.", "say.9:5.to2", "Plain.", f"{bo}Plain."),
        "9:6": ("Nothing before.", "say.9:6.to2", "Still nothing.", "Still nothing."),
    }
    with engine.begin() as connection:
        _insert(connection, "tasks", id=1, state="running", boss_id=2)
        for number, name, status in ((2, "Boss", "active"), (3, "Ann", "dismissed"), (4, "Bo", "active")):
            values = {"name": name, "name_key": name_key(name), "status": status}
            _insert(connection, "agents", id=number, task_id=1, **values)
        for ref, (text, key, _, _) in rows.items():
            values = {"from_kind": "person", "from_name": "Eve", "text": text, "key": key, "ref": ref}
            _insert(connection, "messages", task_id=1, to_agent=2, **values)
        read = {
            "from_kind": "person",
            "from_name": "Eve",
            "text": f"{ann}Read.",
            "key": "r",
            "consumed_step": 7,
        }
        _insert(connection, "messages", task_id=1, to_agent=2, **read)
    upgrade(url)
    with engine.begin() as connection:
        before = {ref: text for ref, (text, _, _, _) in rows.items()}
        kept = dict(
            connection.execute(
                sa.select(MESSAGES.c.ref, MESSAGES.c.text).where(MESSAGES.c.ref.isnot(None))
            ).all()
        )
        assert kept == before
        for ref, (_, _, changed, expected) in rows.items():
            number = edit_message(connection, EditMessage(ref, changed), 5.0).id
            assert (
                connection.execute(sa.select(MESSAGES.c.text).where(MESSAGES.c.id == number)).scalar()
                == expected
            )
        assert connection.execute(sa.select(MESSAGES.c.preface).where(MESSAGES.c.key == "r")).scalar() == ""
    downgrade(url, "0037")
    engine.dispose()


def test_a_new_migration_is_made_beside_the_bots_own_database(tmp_path: Path) -> None:
    """`make migration` in a fresh checkout compares the models with the migrations alone, and numbers the new
    one after the newest."""
    for name in ("Makefile", "alembic.ini"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("alembic", "bot", "engine"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # with what is compiled
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    tables = tmp_path / "bot/storage/tables.py"
    before = tables.read_text()
    tables.write_text(before.replace("    origin_id: int =", "    added: int = 0\n    origin_id: int =", 1))
    newest = max(path.name for path in (ROOT / "alembic" / "versions").glob("*.py")).split("_")[0]
    make = ["make", "-o", "setup-test", "migration", "NAME=what_changed"]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    made = tmp_path / "alembic" / "versions" / f"{int(newest) + 1:04}_what_changed.py"
    assert "sa.Column('added', sa.Integer()" in made.read_text()
    assert not (tmp_path / "var").exists()
