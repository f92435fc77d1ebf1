"""Events become outbox rows exactly once, in one transaction with the cursor."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from sqlalchemy import select

from bot.features.tasks.log_lines import log_line
from bot.outbox.acts import MOST
from bot.outbox.post import Lane, Post, dump_post, load_post
from bot.outbox.projector import project_all
from bot.storage.guild_settings import BotRecords, FollowMode
from bot.storage.tables import agents, cursors, groups, outbox, tasks
from bot.texts.outbox import END_UNVERIFIED
from engine import events as ev
from engine.commands import Limits
from engine.domain.account import UNJUDGED
from engine.domain.completeness import Missing, MissingKind
from engine.domain.gates import GateBasis, GateKind, choices_of
from tests.fakes.inline_database import InlineDatabase

SPEECH = ev.AgentSpoke(1, 2, 3, "Ada", ("Bo",), "Hello @everyone", ())


def story(*more: ev.EventBody) -> list[ev.Event]:
    """A task with a root group and two agents, then more."""
    bodies: list[ev.EventBody] = [
        ev.TaskAccepted(1, "goal", "discord:7", "guild:9"),
        ev.GroupFormed(1, 2, None, 3, "Root", 0),
        ev.AgentJoined(1, 2, 3, "Ada", "boss"),
        ev.AgentJoined(1, 2, 4, "Bo", "writer"),
        *more,
    ]
    return [ev.Event(i, 1000.0 + i, body) for i, body in enumerate(bodies, 1)]


async def posts(database: InlineDatabase) -> list[Post]:
    """What waits in the outbox."""
    rows = await database.read(
        lambda c: c.execute(select(outbox.c.post).order_by(outbox.c.id)).scalars().all()
    )
    return [load_post(row) for row in rows]


async def projected(*more: ev.EventBody) -> list[Post]:
    """Posts of the events after the beginning of the story."""
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, story()))
    before = len(await posts(database))
    await database.write(lambda c: project_all(c, story(*more)))
    made = (await posts(database))[before:]
    await database.close()
    return made


async def test_read_model_and_cursor() -> None:
    """Task, group, agents and the cursor stand after the transaction."""
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, story(SPEECH)))
    task = await database.read(lambda c: c.execute(select(tasks)).mappings().one())
    assert (task["guild_id"], task["owner_id"], task["state"]) == (9, 7, "running")
    group = await database.read(lambda c: c.execute(select(groups)).mappings().one())
    assert (group["kind"], group["head_id"]) == ("channel", 3)
    query = select(agents.c.persona, agents.c.leads).order_by(agents.c.agent_id)
    names = await database.read(lambda c: c.execute(query).all())
    assert [tuple(row) for row in names] == [("Ada · boss", True), ("Bo · writer", False)]
    assert await database.read(lambda c: c.execute(select(cursors.c.seq)).scalar()) == 5
    await database.close()


async def test_a_successor_leads_the_group_it_took_over() -> None:
    """Words in the group's place go to it, and it looks like a head."""
    database = InlineDatabase()
    taken: list[ev.EventBody] = [
        ev.GroupFormed(1, 6, 2, 4, "Bo group", 1),
        ev.AgentLeft(1, 2, 4, "Bo", "slow"),
        ev.AgentJoined(1, 2, 8, "Bo 2", "writer", 6),
    ]
    await database.write(lambda c: project_all(c, story(*taken)))
    head = await database.read(
        lambda c: c.execute(select(groups.c.head_id).where(groups.c.group_id == 6)).scalar()
    )
    leads = await database.read(
        lambda c: c.execute(select(agents.c.leads).where(agents.c.agent_id == 8)).scalar()
    )
    assert (head, leads) == (8, True)
    await database.close()


async def test_repeats_change_nothing() -> None:
    """The same events again, one by one or together, make no second post."""
    database = InlineDatabase()
    for _ in range(3):
        await database.write(lambda c: project_all(c, story(SPEECH)))
    assert [post.text for post in await posts(database) if post.kind == "say"] == ["Hello @\u200beveryone"]
    await database.close()


@pytest.mark.parametrize("mode", [None, "off", "answers", "all"])
async def test_an_owner_who_wants_to_hear_nothing_is_not_pinged(mode: FollowMode | None) -> None:
    """Gates and the end mention who started the task, until that person chose `/follow off`."""
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, story()))
    if mode is not None:
        await BotRecords(database).follow(1, 7, mode)
    gate = ev.GateRaised(1, 2, 5, "question", 3, "Ada", "Which wood?", ())
    end = ev.TaskEnded(1, 2, "done", "Built.", (), True)
    await database.write(lambda c: project_all(c, story(gate, end)))
    asked, ended = [post for post in await posts(database) if post.kind in ("gate", "end")]
    told = () if mode == "off" else (7,)
    assert asked.pings == ended.pings == told
    assert ("<@7>" in asked.text, "<@7>" in ended.text) == (bool(told), bool(told))
    await database.close()


async def test_a_fault_leaves_neither_post_nor_cursor() -> None:
    """Posts and cursor move together or not at all."""
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, story()))
    before = await posts(database)

    def fails(connection: Any) -> None:
        project_all(connection, story(SPEECH))
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        await database.write(fails)
    assert await posts(database) == before
    assert await database.read(lambda c: c.execute(select(cursors.c.seq)).scalar()) == 4
    await database.close()


async def test_a_task_comes_with_its_place_and_its_card() -> None:
    """Where it was started is written with it, and so is the card that must be shown there."""
    database = InlineDatabase()
    accepted = ev.TaskAccepted(1, "goal", "discord:7", "guild:9", origin="channel:55")
    begun = [ev.Event(1, 1.0, accepted), *story(SPEECH)[1:]]
    await database.write(lambda c: project_all(c, begun))
    task = await database.read(lambda c: c.execute(select(tasks)).mappings().one())
    assert (task["origin_id"], task["guild_id"]) == (55, 9)
    card = await BotRecords(database).card(1)
    assert card is not None and (card.channel_id, card.message_id) == (55, 0)
    assert card.changed_seq == begun[-1].seq > card.shown_seq
    await BotRecords(database).change_card(1, message_id=8, shown_seq=card.changed_seq)
    await database.write(lambda c: project_all(c, begun))
    card = await BotRecords(database).card(1)
    assert card is not None and (card.message_id, card.changed_seq) == (8, card.shown_seq)
    await database.close()


async def test_tasks_from_elsewhere_are_not_posted() -> None:
    """A task that does not live on Discord makes no posts."""
    database = InlineDatabase()
    events = [ev.Event(1, 0.0, ev.TaskAccepted(1, "goal", "cli", "shell")), ev.Event(2, 0.0, SPEECH)]
    await database.write(lambda c: project_all(c, events))
    assert await posts(database) == []
    await database.close()


async def test_lanes() -> None:
    """Answers first, then status, then heads, then chatter; only what should rings and pings."""
    made = await projected(
        ev.AgentSpoke(1, 2, 4, "Bo", (), "chatter"),
        SPEECH,
        ev.AgentSpoke(1, 2, 4, "Bo", (), "answer", ("5:6",)),
        ev.GateRaised(1, 2, 8, "question", 3, "Ada", "Go?", choices_of("question", ("yes",))),
        ev.CapReached(1, "cost", 80, 4_000_000, 5_000_000),
    )
    assert [post.lane for post in made] == [Lane.CHATTER, Lane.HEAD, Lane.ANSWER, Lane.STATUS, Lane.STATUS]
    assert [post.silent for post in made] == [True, True, False, False, True]
    assert [post.pings for post in made] == [(), (), (), (7,), ()]
    assert "$4.00" in made[-1].text


OF_THE_BOT: list[ev.EventBody] = [
    ev.TaskChanged(1, "paused", "by a person", "person"),
    ev.TaskChanged(1, "running", ""),
    ev.AgentLeft(1, 2, 4, "Bo", "done"),
    ev.TaskNamed(1, 2, "sales report"),
    ev.AgentChanged(1, 2, 4, "Bo", "paused"),
    *(ev.GateRaised(1, 2, 8, kind, None, "", "Go?", ()) for kind in get_args(GateKind) if kind != "plan"),
    ev.CapReached(1, "agents", 100, 5, 5),
    ev.Intervened(1, 2, None, "", "stall", "paused", "nothing moves"),
    ev.ModelWaiting(1, "rate limit", 12.4),
    ev.ModelBack(1),
    ev.ModelNotice(1, "No price is known for it."),
    ev.OutsideCalled(1, 2, 4, "Bo", "tickets", "create", 1, "unknown", "{}"),
]

OF_AGENTS: list[tuple[ev.EventBody, str]] = [
    (ev.PlanProposed(1, 2, 5, "First this.", ("a", "b"), 9, 100_000, 250_000, 30), "Ada · boss"),
    (
        ev.AssignmentChanged(1, 2, 6, "Write", "Ada", "Bo", "submitted", "checked", "It is there."),
        "Bo · writer",
    ),
    (ev.AssignmentChanged(1, 2, 6, "Write", "Ada", "Bo", "accepted", "Well done."), "Ada · boss"),
    (ev.AssignmentChanged(1, 2, 6, "Write", "Ada", "Bo", "rejected", "No tests."), "Ada · boss"),
    (ev.GateRaised(1, 2, 8, "question", 4, "Bo", "Go?", ()), "Bo · writer"),
    (ev.GateRaised(1, 2, 8, "audit", 4, "Bo", "Go?", ()), "Bo · writer"),
    (ev.AuditBegun(1, 2, 3, "Ada", "Auditor"), "Ada · boss"),
    (ev.Audited(1, 2, "rejected", "No tests.", 1, 4, "Bo"), "Bo · writer"),
    *(
        (ev.TaskEnded(1, 2, state, "The report.", ("a.md",), False), "Ada · boss")
        for state in get_args(ev.TaskState)[2:]
    ),
]

QUIET: list[ev.EventBody] = [
    ev.GroupFormed(1, 10, 2, 4, "Writers", 1),
    ev.AgentJoined(1, 2, 9, "Auditor", "auditor", role="auditor"),
    ev.AssignmentChanged(1, 2, 6, "Write", "Ada", "Bo", "accepted"),
    ev.AssignmentChanged(1, 2, 6, "Write", "Ada", "Bo", "cancelled", "left"),
    ev.FileWritten(1, 2, 4, "Bo", "a/`b`.md", 3, 2048, "added"),
    ev.CodeRan(1, 2, 4, "Bo", "pytest `-q`", 1, "exit", "1 failed ```"),
    ev.Intervened(1, 2, 4, "Bo", "stall", "nudged", "was silent for 5 min"),
    ev.TaskChanged(1, "paused", "cap on tokens reached", "cap"),
    ev.CapReached(1, "agents", 80, 4, 5),
    ev.CapsChanged(1, 2, Limits(depth=3), "discord:7", "Eve"),
]


@pytest.mark.parametrize("body", OF_THE_BOT, ids=lambda body: type(body).__name__)
async def test_what_is_nobodys_is_told_once_by_the_bot(body: ev.EventBody) -> None:
    """Mechanics make one post of the bot's, without a template's gap left open."""
    (post,) = await projected(body)
    assert post.persona == "" and post.text.strip()
    assert "{who" not in post.text and "{name" not in post.text


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (850, "<@7> ⚠️ 85% of the tokens cap of Bo and all below it is used: 850 of 1,000."),
        (4_929, "<@7> ⚠️ The tokens cap of Bo and all below it is exceeded: 4,929 of 1,000."),
    ],
)
async def test_a_warning_says_what_is_used_and_not_its_threshold(spent: int, said: str) -> None:
    """In the place and in the log; a cap may be set below what was used."""
    (post,) = await projected(ev.CapReached(1, "tokens", 80, spent, 1_000, 4, "Bo", "discord:7"))
    assert post.text == said and post.pings == ()
    line = log_line(ev.CapReached(1, "tokens", 80, spent, 1_000))
    assert line == f"💰 {spent // 10}% of the cap on tokens is used"


async def test_new_caps_are_told_with_who_set_them() -> None:
    """In the channel and in the log, of the task and of an agent's part; nobody is pinged."""
    task = ev.CapsChanged(1, 2, Limits(cost_micros=5_000_000, minutes=60), "discord:7", "Eve *x*")
    part = ev.CapsChanged(1, 2, Limits(tokens=9_000), "discord:7", "", 4, "Bo")
    told = [(await projected(body))[0] for body in (task, part)]
    assert told[0].text == "📐 Eve \\*x\\* set the caps of this task: $5.00, 60 minutes."
    assert told[1].text == "📐 <@7> set the caps of Bo and all below it: 9,000 tokens."
    assert [post.pings for post in told] == [(), ()] and all(post.silent for post in told)
    assert log_line(task) == "📐 Caps set by Eve \\*x\\*: $5.00, 60 minutes"
    assert log_line(part) == "📐 Caps of Bo set: 9,000 tokens"


@pytest.mark.parametrize(("body", "persona"), OF_AGENTS, ids=lambda value: type(value).__name__)
async def test_agents_ask_submit_judge_and_report_themselves(body: ev.EventBody, persona: str) -> None:
    """One post under the agent's own name and face, which leads back to it."""
    (post,) = await projected(body)
    assert (post.persona, post.agent_id is not None, post.face != "") == (persona, True, True)
    assert "{" not in post.text


@pytest.mark.parametrize("body", QUIET, ids=lambda body: type(body).__name__)
async def test_what_nobody_would_miss_is_not_posted(body: ev.EventBody) -> None:
    """It stays in the log; of an agent's acts its next words tell."""
    assert await projected(body) == []


async def test_an_agents_next_words_tell_what_it_did() -> None:
    """Each thing once, its latest state; the line stands under the words and is told once."""
    acts: list[ev.EventBody] = [
        ev.FileWritten(1, 2, 4, "Bo", "clean.py", 3, 2048, "added"),
        ev.FileWritten(1, 2, 4, "Bo", "clean.py", 4, 2049, "changed"),
        ev.CodeRan(1, 2, 4, "Bo", "pytest -q", 1, "exit", "1 failed"),
    ]
    check = ev.AssignmentChanged(
        1, 2, 6, "Write", "Ada", "Bo", "submitted", "", "Cleaned.", "pytest -q", "tests", 3
    )
    submitted, said = await projected(*acts, check, ev.AgentSpoke(1, 2, 4, "Bo", (), "Next."))
    assert submitted.foot == "-# wrote `clean.py` · ran `pytest -q` (its own report: 3 without a failure)"
    assert submitted.text.endswith("Cleaned.") and said.foot == ""
    recruit = ev.AgentJoined(1, 2, 9, "Cy", "tester")
    given = ev.AssignmentChanged(1, 2, 7, "Test", "Ada", "Cy", "open", "all of it")
    (boss,) = await projected(recruit, given, ev.AgentSpoke(1, 2, 3, "Ada", (), "We begin."))
    assert boss.foot == "-# recruited Cy (tester) · assigned Test to Cy"


async def test_who_has_to_do_what_is_told_without_waiting_for_words() -> None:
    """A boss that recruits and waits says nothing for minutes, while its members speak already."""
    acts = (
        ev.FileWritten(1, 2, 3, "Ada", "plan.md", 3, 2048, "added"),
        ev.AgentJoined(1, 2, 9, "Cy", "tester"),
        ev.AssignmentChanged(1, 2, 7, "Test", "Ada", "Cy", "open", "all of it"),
    )
    (post,) = await projected(*acts)
    assert post.text == "-# recruited Cy (tester) · assigned Test to Cy · wrote `plan.md`"
    assert (post.persona.split(" ")[0], post.group_id, post.pings) == ("Ada", 2, ())


async def test_a_successor_is_no_recruit_of_its_head() -> None:
    """Who replaced the agent stands with its leaving; its head recruited nobody and gave nothing."""
    why = "too slow (replaced by Tom (manages the server))"
    acts = (
        ev.AgentLeft(1, 2, 4, "Bo", why),
        ev.AgentJoined(1, 2, 9, "Bo 2", "writer", replaces="Bo"),
        ev.AssignmentChanged(1, 2, 7, "Test", "Ada", "Bo 2", "open", "taken over from Bo", taken_from="Bo"),
    )
    left, joined, said = await projected(*acts, ev.AgentSpoke(1, 2, 3, "Ada", (), "Go on."))
    assert left.text == f"🚪 **Bo** left: {why}" and "**Bo 2** takes over from Bo" in joined.text
    assert (joined.persona, said.foot) == ("", "")


async def test_much_work_without_a_word_is_told_on_its_own() -> None:
    """Who writes forty files and says nothing is seen at work."""
    files = [ev.FileWritten(1, 2, 4, "Bo", f"{n}.py", n, 9, "added") for n in range(MOST)]
    (post,) = await projected(*files)
    assert post.persona == "Bo · writer" and "and 35 more" in post.text


async def test_an_answer_stands_at_its_question_only() -> None:
    """Closing a gate changes its message and posts nothing."""
    for basis in get_args(GateBasis):
        (post,) = await projected(ev.GateClosed(1, 2, 8, basis, "discord:7", text="yes"))
        assert (post.kind, post.gate_id) == ("close_gate", 8)


async def test_a_plan_is_one_card_that_asks_once() -> None:
    """Groups, reasons and estimates stand on the card once; the gate adds nothing."""
    gate = ev.GateRaised(1, 2, 5, "plan", 3, "Boss", "First @everyone this.", choices_of("plan"))
    plan = ev.PlanProposed(1, 2, 5, "First @everyone this.", ("*a*", "b"), 9, 100_000, 250_000, 30)
    (post,) = await projected(gate, plan)
    assert (post.kind, post.gate_id, post.pings) == ("gate", 5, (7,))
    for part in ("• \\*a\\*", "• b", "First @\u200beveryone this.", "9 agents", "100,000", "$0.25", "30 min"):
        assert part in post.card
    assert post.people == ()
    crowd = tuple(ev.PlannedMember(name, "x") for name in ("Ana", "ana", *(f"Agent {n}" for n in range(38))))
    (large,) = await projected(gate, replace(plan, team=crowd))
    assert len(large.people) == 8 and len({card.author for card in large.people}) == 8
    assert "and 32 more" in large.card and load_post(json.loads(json.dumps(dump_post(large)))) == large
    assert "may still use" not in post.card
    (beyond,) = await projected(gate, replace(plan, room_micros=50_000, room_tokens=60_000))
    assert "More than this task may still use** ($0.05, 60,000 tokens)" in beyond.card
    (dear,) = await projected(gate, replace(plan, guessed=True))
    assert "$0.25 at an assumed high price" in dear.card
    (shown,) = await projected(replace(plan, gate_id=None, cost_micros=0, minutes=0))
    assert (shown.kind, shown.pings, shown.silent) == ("say", (), True)
    assert "price not known" in shown.card and "min" not in shown.card


async def test_untrusted_text_cannot_format_or_mention() -> None:
    """Names, titles and reasons from models have no effect."""
    (post,) = await projected(ev.AgentLeft(1, 2, 4, "**Bo** <@1>", "@everyone `x` [a](http://b)"))
    assert "<@1>" not in post.text and "@everyone" not in post.text
    assert "[a]\\(<http://b>)" in post.text and "\\`x\\`" in post.text


@pytest.mark.parametrize("state", ["stopped", "failed"])
async def test_an_early_end_says_where_to_look(state: ev.TaskState) -> None:
    """A task that did not come to its goal names the log and the files."""
    (post,) = await projected(ev.TaskEnded(1, 2, state, "", (), False))
    assert "/task log" in post.text and "/task files" in post.text


@pytest.mark.parametrize(
    ("basis", "warned"),
    [("audited", False), ("ran", False), ("unjudged", True), ("rejected", True), ("wrapped_up", True)],
)
async def test_what_a_report_rests_on_is_told_by_its_basis(basis: ev.EndBasis, warned: bool) -> None:
    """A report that quotes the engine's own words about small models is not taken for one of them."""
    for report in ("Built.", f"Built. {UNJUDGED}"):
        (post,) = await projected(ev.TaskEnded(1, 2, "done", report, (), basis == "audited", basis))
        assert (END_UNVERIFIED in post.text) is warned


async def test_an_end_says_that_it_is_not_finished_and_what_is_missing() -> None:
    """Not done: each missing part in a line of its own, whatever the report claims."""
    missing = (
        Missing("empty_function", "photos.py", "rename"),
        Missing("tests"),
        Missing("example", "", "f(2) gave <@1>"),
    )
    (post,) = await projected(
        ev.TaskEnded(1, 2, "done", "All works.", (), False, "unfinished", missing=missing)
    )
    assert "Not finished" in post.text and "Done" not in post.text and "<@1>" not in post.text
    assert "the body of `rename()` in `photos.py`" in post.text
    assert "the tests that the goal asks for" in post.text
    assert END_UNVERIFIED not in post.text


@pytest.mark.parametrize("kind", get_args(MissingKind))
async def test_every_kind_of_missing_part_has_its_words(kind: MissingKind) -> None:
    """One line each, also after the event was stored and loaded."""
    ended = ev.TaskEnded(1, 2, "done", "", (), False, "unfinished", missing=(Missing(kind, "a.py", "f"),))
    (post,) = await projected(ended)
    name, payload = ev.dump_event(ended)
    assert ev.load_event(name, json.loads(json.dumps(payload))) == ended
    assert post.text.count("\n- ") == 1


async def test_an_end_names_the_words_that_nobody_acted_on() -> None:
    """Who said what to whom, without formatting of its own and without a mention."""
    words = (ev.Unheeded("Ann", "Boss", "make it **1,200** EUR <@1>"),)
    (post,) = await projected(ev.TaskEnded(1, 2, "stopped", "", (), False, "stopped", words))
    assert "Ann to Boss: make it \\*\\*1,200" in post.text and "<@1>" not in post.text


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (ev.CapReached(1, "cost", 100, 5_000_000, 5_000_000), "cap"),
        (ev.Intervened(1, 2, None, "", "stall", "asked", "Nobody goes on. What now?"), "stall"),
    ],
)
async def test_what_a_question_says_is_not_said_before_it(said: ev.EventBody, asked: GateKind) -> None:
    """One voice for one fact."""
    (post,) = await projected(said, ev.GateRaised(1, 2, 8, asked, None, "", "Nobody goes on. What now?", ()))
    assert post.kind == "gate"


async def test_a_task_opens_with_its_goal_instead_of_its_boss_joining() -> None:
    """The first line makes the place: it may not wait for another, and stands for the boss's joining."""
    database = InlineDatabase()
    await database.write(lambda c: project_all(c, story()))
    (opening,) = [post for post in await posts(database) if "Ada" in post.text]
    await database.close()
    assert "is reading the goal" in opening.text and "> goal" in opening.text
    assert (opening.persona, opening.eager, opening.silent, opening.lane) == ("", True, True, Lane.STATUS)


async def test_a_name_is_not_said_twice() -> None:
    """What was seen may begin with the agent's name already."""
    (told,) = await projected(
        ev.Intervened(1, 2, 4, "Bo", "loop", "paused", "the model of Bo gave no answer", names=True)
    )
    assert told.text == "🩺 The model of Bo gave no answer."
    (other,) = await projected(ev.Intervened(1, 2, 4, "Bo", "stall", "replaced", "no answer"))
    assert other.text == "🩺 **Bo** is replaced by a new agent: No answer"
