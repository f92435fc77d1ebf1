"""`/audit`: who decided what, for managers of this server alone."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.features.audit.cog import MOST_BYTES, export_lines
from bot.features.audit.pages import decision_line
from engine.commands import StartTask
from engine.queries import DecisionView
from tests.bot.features.conftest import Stage
from tests.bot.features.test_rights_again import custom_ids, grant


async def test_managers_read_who_decided_what(stage: Stage) -> None:
    """Newest first, with the person, the time and the digest; nobody is pinged, since it is private."""
    task = await stage.start()
    await stage.boss.slash(stage.lobby, "task pause", task=str(task.id))
    shown = await stage.boss.slash(stage.lobby, "audit")
    assert shown.ephemeral
    newest, oldest = shown.response.content.splitlines()
    assert f"paused task #{task.id}" in newest
    assert f"started task #{task.id}" in oldest
    assert f"<@{stage.boss.id}>" in newest


async def test_pages_are_turned_by_cursor_and_new_decisions_move_none(stage: Stage) -> None:
    """Older and newer pages join without a gap or a repeat, though people decide meanwhile; no page reads
    more than its size."""
    by, space = f"discord:{stage.boss.id}", f"guild:{stage.guild.id}"
    for number in range(25):
        await stage.engine.handle(StartTask(f"goal {number}", by, space))
    asked: list[int] = []
    look = stage.engine.look.decisions

    async def counted(space: str, task_id: int | None = None, **more: Any) -> Any:
        asked.append(more["limit"])
        return await look(space, task_id, **more)

    stage.engine.look.decisions = counted  # type: ignore[method-assign]
    first = await stage.boss.slash(stage.lobby, "audit")
    await stage.engine.handle(StartTask("meanwhile", by, space))
    pages = [first.response.content]
    for _ in range(2):
        await stage.boss.click(first.response, label="Older")
        pages.append(first.response.content)
    numbers = [int(n) for page in pages for n in re.findall(r"as task|started task #(\d+)", page) if n]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == 25
    for page in reversed(pages[:2]):
        await stage.boss.click(first.response, label="Newer")
        assert first.response.content == page
    await stage.boss.click(first.response, label="Newer")
    assert len(first.response.content.splitlines()) == 1
    assert max(asked) <= 11


async def test_pages_of_long_decisions_fit_into_a_message(stage: Stage) -> None:
    """A server that is set up role by role: fewer lines a page, none of them left out on the way back."""
    space, by = f"guild:{stage.guild.id}", f"discord:{stage.boss.id}"
    rules = dict.fromkeys(("start", "steer", "spend"), "<@&1500000000000000001>, <@&1500000000000000002>")
    rules |= {"place": "<#1500000000000000003>", "quota": "5 running at once, 20 starts in 24 hours"}
    for number in range(1, 18):
        content = {"rules": rules}
        made = DecisionView(
            number, 9.0, by, space, None, "RecordRules", number, f"{number:064x}"[::-1], content
        )
        stage.engine.world.decisions.append(made)
    first = await stage.boss.slash(stage.lobby, "audit")
    pages = [first.response.content]
    while any(b["label"] == "Older" for b in first.response.components[0]["components"]):
        await stage.boss.click(first.response, label="Older")
        pages.append(first.response.content)
    assert all(len(page) <= 2_000 for page in pages)
    assert len("\n".join(pages).splitlines()) == 17 == len(set("\n".join(pages).splitlines()))
    for page in reversed(pages[1:-1]):
        await stage.boss.click(first.response, label="Newer")
        assert first.response.content == page


def test_caps_and_budgets_are_shown_in_their_units() -> None:
    """Dollars, not millionths of them."""
    limits = {"limits": {"cost_micros": 2_500_000, "tokens": 90_000}}
    line = decision_line(DecisionView(1, 0.0, "discord:5", "guild:1", 7, "RaiseCap", 7, "ab" * 32, limits))
    assert "changed caps of task #7: $2.50, 90,000 tokens" in line
    rule = {"rule": {"zone": "UTC", "space_micros": 50_000_000}, "only": ["space_micros"]}
    line = decision_line(
        DecisionView(1, 0.0, "discord:5", "guild:1", None, "SetMonthRule", 0, "ab" * 32, rule)
    )
    assert "(UTC): this server $50.00; each person no limit" in line


async def test_the_trail_of_one_task_can_be_exported(stage: Stage) -> None:
    """One JSON object a line."""
    first, second = await stage.start(), await stage.start()
    result = await stage.boss.slash(stage.lobby, "audit", task=second.id, export=True)
    rows = [json.loads(line) for line in (await result.response.attachments[0].read()).splitlines()]
    assert [(row["kind"], row["task_id"]) for row in rows] == [("StartTask", second.id)]
    assert first.id != second.id


async def test_others_are_refused_also_by_a_forged_button(stage: Stage) -> None:
    """The command is hidden, and its pages check the right again."""
    await grant(stage, start=stage.role)
    await stage.start()
    known = {command.name: command.id for command in await stage.env.bot.tree.fetch_commands()}
    stage.guild.set_command_permissions(known["audit"], {stage.role: True})
    refused = await stage.crew.slash(stage.lobby, "audit")
    assert "Manage Server permission" in refused.response.content
    own = await stage.crew.slash(stage.lobby, "task repeat new", goal="Mine")
    stored = stage.env.backend.get_message(stage.lobby.id, own.response.id)
    for number, part in enumerate(custom_ids(stored.components)):
        part["custom_id"] = f"audit:0:{number + 2}:newer"
    told = await stage.crew.click(own.response, label="Yes, repeat it")
    assert "Manage Server permission" in told.followups[-1].content


async def test_a_task_of_another_server_is_unknown(stage: Stage) -> None:
    """Its number tells nothing here."""
    result = await stage.boss.slash(stage.lobby, "audit", task=404)
    assert "no task" in result.response.content.lower()


def test_an_export_is_cut_where_discord_would_refuse_it() -> None:
    """The newest decisions are kept."""
    goal = {"goal": "x" * (MOST_BYTES // 2)}
    big = DecisionView(1, 0.0, "discord:1", "guild:1", 1, "StartTask", 1, "ab", goal)
    lines, complete = export_lines([big, big, big])
    assert (len(lines), complete) == (1, False)


def test_what_an_agent_wrote_cannot_look_like_markup() -> None:
    """An option of an agent's question is shown as text."""
    content = {"gate": "question", "question": "Q", "effect": "option", "choice": "**@everyone**", "text": ""}
    line = decision_line(DecisionView(1, 0.0, "discord:5", "guild:1", 1, "AnswerGate", 2, "ab" * 32, content))
    assert "@everyone" not in line.replace("@\u200beveryone", "")
    assert "abababababab" in line


def test_what_nobody_answered_is_told_as_that() -> None:
    """With what it came to."""
    content = {"gate": "tool", "question": "Q", "effect": "refuse_call", "basis": "timeout"}
    line = decision_line(DecisionView(1, 0.0, "", "guild:1", 7, "AnswerGate", 2, "ab" * 32, content))
    assert line == "<t:0:f> *nobody* answered a question of task #7 in time: Refuse · `abababababab`"
