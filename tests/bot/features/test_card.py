"""The card and its tree: within Discord's limits at any size, harmless whatever agents call themselves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import texts as bot_texts
from bot.features.files.text import history_text
from bot.features.tasks.card import CardModel, card_view, digest
from bot.features.tasks.doing import doing_text, now_text
from bot.features.tasks.look import list_text
from bot.features.tasks.pages import log_lines
from bot.features.tasks.questions import OpenQuestion
from bot.features.tasks.tree import tree_text
from bot.features.tasks.waiting import call_text, waiting_of
from bot.notifications.live_card import next_move
from bot.storage.guild_settings import CardRecord, LogLine
from engine.commands import Limits
from engine.connectors.web.servers import WebOptions, web_tools
from engine.domain.doing import Doing, doing_of, dump_doing, load_doing
from engine.ports import Revision, ToolCall, Written
from engine.queries import AgentView, GateView, ModelCallView, Spend, TaskView
from engine.tools import SEARCHED, TOOLS
from tests.fakes.crowd import crowd
from tests.fakes.engine import DEFAULTS

TASK = TaskView(
    id=7,
    goal="Build a boat",
    state="running",
    reason="",
    space="guild:1",
    by="discord:2",
    created_at=1000.0,
    ended_at=None,
    root_group_id=1,
    boss_id=1,
    agents=590,
    working=100,
    assignments=40,
    accepted=10,
    files=3,
    open_gates=1,
    spend=Spend(1_234_567, 1000, 0, 500, 3),
    limits=DEFAULTS,
)


def texts(view: discord.ui.LayoutView) -> list[str]:
    """All text displays."""
    return [item.content for item in view.walk_children() if isinstance(item, discord.ui.TextDisplay)]


def buttons(view: discord.ui.LayoutView) -> list[str]:
    """Labels of all buttons."""
    found: list[str] = []
    for item in view.walk_children():
        inner: Any = item.item if isinstance(item, discord.ui.DynamicItem) else item
        if isinstance(inner, discord.ui.Button):
            found.append(inner.label or "")
    return found


def card(task: TaskView, agents: list[AgentView], lines: tuple[str, ...] = ()) -> discord.ui.LayoutView:
    """A card of these."""
    return card_view(CardModel(task, tuple(agents), lines))


@given(
    count=st.sampled_from([1, 7, 60, 590]),
    words=st.text(max_size=3000),
    lines=st.lists(st.text(max_size=400), max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_cards_stay_within_discords_limits(count: int, words: str, lines: list[str]) -> None:
    """At most 40 components and 4,000 characters, whatever goals, names and reports say."""
    agents = [
        replace(a, name=(words[:90] or a.name), doing=(Doing("run", (words[:200],)),)) for a in crowd(count)
    ]
    task = replace(TASK, goal=words, reason=words, report=words, state="done")
    view = card(task, agents, tuple(lines))
    assert len(list(view.walk_children())) <= 40
    assert sum(map(len, texts(view))) <= 4000
    assert "@everyone" not in "".join(texts(view))


@pytest.mark.parametrize("count", [1, 12, 17, 24, 60])
def test_a_live_card_with_everything_on_it_stays_within_discords_limits(count: int) -> None:
    """Questions with links, a reason, a full disk, a long list: the tree takes less then."""
    url = "https://discord.com/channels/1500000000000000001/1500000000000000002/1500000000000000003"
    gates = [GateView(n, 7, 1, "question", "N" * 40, "w" * 300, ()) for n in range(5)]
    agents = [replace(a, name=f"Agent {a.id} of the longest name there is"[:40]) for a in crowd(count)]
    agents[0] = replace(agents[0], todo=tuple((f"{n} {'x' * 90}", "open") for n in range(9)))
    unknown = Spend(30_000, 900, 0, 90, 3, priced=False)
    task = replace(TASK, goal="a very long voyage " * 40, reason="r " * 100, title="t " * 30, spend=unknown)
    task = replace(task, model="m" * 60, plan_minutes=40, boss_id=agents[0].id)
    asked = tuple(OpenQuestion(gate, url) for gate in gates)
    lines = tuple("y" * 140 for _ in range(5))
    shown = texts(card_view(CardModel(task, tuple(agents), lines, no_room=True, questions=asked)))
    assert sum(map(len, shown)) <= 4_000 and agents[0].name in "".join(shown)


def test_590_agents_are_folded_to_what_matters() -> None:
    """Heads by name with counts of the rest; nobody is left out of the counts."""
    shown = tree_text(crowd(590))
    assert len(shown) <= 1850 and 20 <= len(shown.splitlines()) <= 30
    folded = [int(count) for count in re.findall(r" · with (\d+): ", shown)]
    assert sum(folded) + len(shown.splitlines()) == 590


def test_a_tree_that_does_not_fit_says_where_all_of_it_is() -> None:
    """`/task tree` shows the same text: the rest is in its picture, not there again."""
    boss = crowd(1)[0]
    heads = [replace(boss, id=9 + n, name=f"Head {n}", head_id=boss.id, depth=1) for n in range(80)]
    members = [replace(boss, id=head.id + 100, name="M", head_id=head.id, depth=2) for head in heads]
    for limit in (600, 1900):
        text = tree_text([boss, *heads, *members], limit, lines=60)
        shown = text.splitlines()
        assert len(text) <= limit and len(shown) <= 60
        assert f"{81 - len(shown) + 1} more lines" in shown[-1]
    assert "`/task tree picture:organisation`" in shown[-1]


def test_nobody_works_or_waits_in_a_task_that_has_ended() -> None:
    """Its card counts agents and files, without marks of work and without what somebody waited for."""
    agents = [replace(agent, state="idle", waits_for=("Ada",), is_at_cap=True) for agent in crowd(40)]
    for count in (1, 7, 40):
        task = replace(TASK, state="done", agents=count, working=0, ended_at=1300.0)
        shown = "\n".join(texts(card(task, agents[:count])))
        assert "waiting" not in shown and "waits for" not in shown and "⚪" not in shown
        assert f"👥 {count} agent" in shown and "took 5 min" in shown
    assert ": 1 working" not in tree_text(crowd(590), ended=True)


def test_folded_agents_are_counted_in_the_words_of_the_card() -> None:
    """Who is idle waits: the card says so in one word everywhere."""
    assert re.search(r"with \d+: .*\d+ waiting", tree_text(crowd(590))) and "idle" not in tree_text(
        crowd(590)
    )


def test_7_agents_are_shown_with_what_they_do() -> None:
    """Small organisations are shown whole, indented under their heads."""
    agents = crowd(7)
    shown = tree_text(agents)
    assert all(a.name in shown for a in agents)
    assert len(shown.splitlines()) == 7
    assert [line.count("\u2003") for line in shown.splitlines()] == sorted_depths(agents, shown)


def sorted_depths(agents: list[AgentView], shown: str) -> list[int]:
    """Depth of the agent on each line."""
    return [next(a.depth for a in agents if f"**{a.name}**" in line) for line in shown.splitlines()]


def test_a_working_agent_says_since_when() -> None:
    """The time is Discord's own and runs by itself; who does not work shows none."""
    (boss,) = crowd(1)
    working = replace(boss, state="working", last_active_at=1_700_000_000.0)
    assert "last step <t:1700000000:R>" in tree_text([replace(working, steps=2)])
    assert "started <t:1700000000:R>" in tree_text([replace(working, steps=0)])
    assert "<t:" not in tree_text([replace(working, state="idle")])


def test_a_card_says_what_a_model_writes_and_how_much() -> None:
    """Waiting, reading, writing: each in words, since when, with the newest words as typed text; and how long
    steps took. Accounts that nobody renews, and those of a task that ended, are left out."""
    now = 1_700_000_100.0
    agents = [
        replace(a, state="working", steps=2, last_active_at=now - 90, doing=(Doing("run", ("x",)),))
        for a in crowd(4)
    ]
    written = (
        Written(0, 0.4),
        Written(30, 1.0, "write_file", "main.py", 12, "# **hi** <@7> @everyone"),
        Written(51, 1.0, "send_message"),
    )
    calls = [
        ModelCallView(1, a.id, now - 60, now - 1, sent=True, written=w)
        for a, w in zip(agents, written, strict=False)
    ]
    calls += [ModelCallView(1, agents[3].id, now - 60, now - 90, sent=True, written=written[1])]
    waiting = waiting_of(calls, 42.4, now)
    text = "\n".join(texts(card_view(CardModel(TASK, tuple(agents), (), waiting=waiting))))
    assert "reads its input, 40% · started <t:1700000040:R>" in text
    assert "writes main.py, 12 lines so far" in text and "writes a message, about 51 tokens so far" in text
    assert "\\*\\*hi\\*\\*" in text and "<@7>" not in text and "@everyone" not in text
    assert text.count("so far · started") == 1 and "a step takes about 42 s" in text
    assert "runs x · last step" in text, "an old account is not shown"
    assert call_text(replace(calls[0], sent=False)) == "waits for the model"
    ended = CardModel(replace(TASK, state="done", ended_at=now), tuple(agents), (), waiting=waiting)
    assert "so far" not in "\n".join(texts(card_view(ended)))


def test_a_report_on_the_card_shows_no_marks_of_markdown() -> None:
    """What an agent set in bold or as code reads as words; names of files keep their underscores."""
    said = "## Ready\n**card.txt** and `my_card.py` are *done*, 2 * 3 * 4 stays.\n\nMore."
    text = "\n".join(texts(card(replace(TASK, state="done", ended_at=9.0, report=said), crowd(1))))
    assert "Ready card.txt and my\\_card.py are done, 2 \\* 3 \\* 4 stays." in text


def test_numbers_say_progress_and_spend() -> None:
    """Accepted of all as bar and words, spend against cap, questions waiting."""
    text = "\n".join(texts(card(TASK, crowd(7), ("📄 Ada added x",))))
    assert "`████░░░░░░░░░░░░` 10 of 40" in text and "$1.23 of $5.00" in text
    assert "📄 Ada added x" in text


def test_open_questions_are_links_and_what_is_not_known_is_not_nothing() -> None:
    """The question leads to its message; title, model and the plan's time are shown; no price is no $0.00."""
    gate = GateView(5, 7, 1, "question", "Nora", "Which [wood](https://evil.example)?", ())
    plan = replace(gate, id=6, kind="plan", question="All of it, in parts")
    asked = (OpenQuestion(gate, "https://discord.com/channels/1/2/3"), OpenQuestion(plan, ""))
    task = replace(TASK, title="sturdy boat", plan_minutes=40, spend=Spend(0, 900, 0, 90, 3, priced=False))
    lone = replace(crowd(1)[0], model="other-model")
    model = CardModel(task, (lone,), (), questions=asked, usual_model="gpt-x")
    text = "\n".join(texts(card_view(model)))
    assert "**sturdy boat**" in text and "🧠 gpt-x" in text and "🧠 other-model" in text
    assert "](https://discord.com/channels/1/2/3)" in text and "](https://evil" not in text
    assert "a plan waits for approval" in text and "All of it" not in text
    assert "planned for about 40 min" in text
    assert "cost not known" in text and "$0.00" not in text
    ceiling = replace(task, spend=Spend(30_000, 900, 0, 90, 3, priced=False))
    text = "\n".join(texts(card(ceiling, [lone])))
    assert "$0.03 of $5.00, at an assumed high price; the real price is not known" in text


def test_what_happens_now_is_the_whole_step_in_words() -> None:
    """Each tool once with what it was used on, never a list of Python; who is idle says what it waits for."""
    calls = (
        ToolCall("a", "send_message", '{"to": ["human", "Nora"], "text": "x"}'),
        ToolCall("b", "edit_file", '{"path": "a.md"}'),
        ToolCall("c", "edit_file", '{"path": "b.md"}'),
        ToolCall("d", "run", '{"command": ["python", "-m", "pytest"]}'),
        ToolCall("e", "recruit", '{"members": [{"name": "Ada"}, {"name": "Bo"}]}'),
        ToolCall("f", "update_todo", "not json"),
        ToolCall("g", "git__log", "[1]"),
    )
    script = (ToolCall("s", "run", '{"command": ["sh", "-c", "cat a.md"]}'),)
    assert doing_text(doing_of(script)) == "runs cat a.md", "as the posts show it"
    named_by_nothing = (ToolCall("h", "review", '{"assignment": 3, "verdict": "accept"}'),)
    assert [each.subjects for each in doing_of(named_by_nothing)] == [()]
    doing = doing_of(calls)
    assert load_doing(json.loads(json.dumps(dump_doing(doing)))) == doing
    agent = replace(crowd(1)[0], state="working", steps=2, doing=doing)
    assert now_text(agent) == (
        "writes to you, Nora, edits a.md, b.md, runs python -m pytest, recruits Ada, Bo, updates its list, "
        "uses git\\_\\_log"
    )
    assert now_text(replace(agent, state="idle", waits_for=("Ada's answer",))) == "waits for Ada's answer"
    held = replace(agent, state="idle", waits_for=("Ada's answer",), is_at_cap=True)
    assert now_text(held) == "waits for more budget"
    assert now_text(replace(agent, state="idle")) == ""


def test_every_tool_has_words_of_its_own() -> None:
    """What is shown of a tool reads as a sentence with its subject; words of tools that are gone go too."""
    web = {tool.name for tool in web_tools(WebOptions(), searches=True)}
    assert set(bot_texts.DOING) == {*TOOLS, *SEARCHED, *web} >= set(bot_texts.DOING_ALONE)
    calls = (
        ToolCall("a", "dismiss", '{"name": "Ada", "reason": "done"}'),
        ToolCall("b", "set_budget", '{"name": "Bo", "tokens": 5}'),
        ToolCall("c", "wait_for", '{"what": ["a.md", "b.md"]}'),
        ToolCall("d", "install_packages", '{"packages": ["numpy"]}'),
        ToolCall("e", "amend", '{"assignment": 4, "title": "Clean up"}'),
        ToolCall("f", "update_todo", '{"items": [], "title": "Quiz"}'),
        ToolCall("g", "propose_plan", '{"summary": "x", "title": "Quiz"}'),
        ToolCall("h", "finish", '{"report": "x", "title": "Quiz"}'),
    )
    assert doing_text(doing_of(calls[:6])) == (
        "dismisses Ada, sets a budget for Bo, waits for a.md, b.md, asks for the packages numpy, "
        "changes the assignment Clean up, updates its list"
    )
    assert doing_text(doing_of(calls[6:])) == "proposes a plan, submits the result"
    unread = [ToolCall("i", "set_budget", "not json"), ToolCall("j", "recall", '{"query": "x"}')]
    assert doing_text(doing_of(unread)) == "sets a budget, searches its notes"


def test_a_card_says_no_more_than_is_so() -> None:
    """No bar of nothing, and a task that lacks a part is not done."""
    alone = "\n".join(texts(card(replace(TASK, assignments=0, accepted=0), crowd(1))))
    assert "assignments" not in alone and "░" not in alone
    ended = replace(TASK, state="done", basis="unfinished")
    told = "\n".join(texts(card(ended, crowd(1))))
    assert "not finished" in told and "done ·" not in told and "confirmed by an audit" not in told


def test_the_bosss_list_ticks_on_the_card() -> None:
    """Done, under way and open items with their marks; of a long list the first, and how many more."""
    boss = replace(
        crowd(1)[0], id=TASK.boss_id, todo=(("Clean", "done"), ("Report", "doing"), ("Send", "open"))
    )
    text = "\n".join(texts(card(TASK, [boss])))
    assert "☑️ Clean\n▶️ Report\n☐ Send" in text
    done = "\n".join(texts(card(replace(TASK, state="done"), [boss])))
    assert "Report\n" not in done and "☐" not in done, "what is done has nothing under way"
    many = replace(boss, todo=tuple((f"part {n}", "open") for n in range(11)))
    assert "and 3 more" in "\n".join(texts(card(TASK, [many])))


def test_the_clock_of_an_ended_task_stands_still() -> None:
    """How long it took, not since when."""
    ended = replace(TASK, state="done", ended_at=TASK.created_at + 780)
    text = "\n".join(texts(card(ended, crowd(1))))
    assert "took 13 min" in text and ":R>" not in text
    again = replace(ended, continued_at=TASK.created_at + 660)
    assert "took 2 min since it was continued" in "\n".join(texts(card(again, crowd(1))))


def test_buttons_follow_the_state() -> None:
    """Running: Pause; paused: Resume; ended: Continue."""
    assert buttons(card(TASK, crowd(7)))[:4] == ["Pause", "Stop", "Follow", "Caps"]
    assert buttons(card(replace(TASK, state="paused"), crowd(7)))[0] == "Resume"
    assert buttons(card(replace(TASK, state="done"), crowd(7))) == [
        "Continue",
        "Who's who",
        "Timeline",
        "Files",
    ]


def test_equal_cards_have_equal_digests_and_others_not() -> None:
    """What the keeper compares to edit only on change."""
    assert digest(card(TASK, crowd(7))) == digest(card(TASK, crowd(7)))
    changed = replace(TASK, limits=replace(TASK.limits, cost_micros=6_000_000))
    assert digest(card(TASK, crowd(7))) != digest(card(changed, crowd(7)))
    assert isinstance(changed.limits, Limits)


def test_next_move_edits_seldom_and_reposts_hourly() -> None:
    """Post; nothing without change; wait within 15 s; edit; post again after an hour if live."""
    shown = CardRecord(7, 1, 99, posted_at=1000.0, edited_at=1000.0, digest="a")
    assert next_move(CardRecord(7, 1), "a", 0.0, 15, 3600, True) == "post"
    assert next_move(shown, "a", 9999.0, 15, 3600, True) == "nothing"
    assert next_move(shown, "b", 1014.0, 15, 3600, True) == "wait"
    assert next_move(shown, "b", 1015.0, 15, 3600, True) == "edit"
    assert next_move(shown, "b", 4600.0, 15, 3600, True) == "post"
    assert next_move(shown, "b", 4600.0, 15, 3600, False) == "edit"


def test_a_log_of_days_says_the_day() -> None:
    """A time alone tells when something was only while it is recent."""
    lines = [LogLine(n, 7, 1_700_000_000.0 - n * 3_600, "y" * 300) for n in range(15)]
    assert all(line.startswith("<t:") and ":T> " in line for line in log_lines(lines[:5], 1_700_000_100.0))
    shown = log_lines(lines, 1_700_000_100.0)
    assert all(":f> " in line for line in shown) and len("\n".join(shown)) <= 2_000
    revision = Revision(3, 7, "a.md", None, "Ada", "", 1_700_000_000.0)
    assert "<t:1700000000:f>" in history_text("a.md", [revision])


def test_a_list_of_tasks_fits_into_a_message() -> None:
    """Where prices are not known a line is longest; what is left out is said."""
    task = replace(TASK, goal="g" * 200, spend=Spend(30_000, 900, 0, 90, 3, priced=False))
    shown = list_text([replace(task, id=1_000 - n) for n in range(40)])
    assert len(shown) <= 2_000 and shown.splitlines()[0].startswith("**#1000**")
    assert "`/task status`" in shown.splitlines()[-1]
    few = list_text([task] * 5)
    assert len(few.splitlines()) == 5 and list_text([]) == ""
