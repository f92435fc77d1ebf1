"""`/task repeat`: said and confirmed before it costs anything, its runs shown where it was made."""

from __future__ import annotations

import re
from typing import Any

import discord

from bot.texts import REPEAT_NO_SPEND
from engine.commands import EndRepeat, RepeatTask, ResumeRepeat
from tests.bot.features.conftest import Stage
from tests.bot.features.test_card_keeper import drive
from tests.fakes.engine import DEFAULTS


async def test_what_it_costs_is_said_before_it_repeats(stage: Stage) -> None:
    """Nothing repeats before the button, which works after a restart and only once."""
    options = {
        "goal": "Look for news",
        "every": "week",
        "on": "Friday",
        "at": "7:30",
        "zone": "Europe/Berlin",
    }
    asked = await stage.boss.slash(stage.lobby, "task repeat new", **options, budget=0.5)
    said = asked.response.content
    assert "every Friday at 07:30 (Europe/Berlin)" in said and "Look for news" in said
    assert "$0.50" in said and "most **$2." in said
    assert stage.engine.commands == []
    await stage.restart()
    begun = await stage.boss.click(asked.response, label="Yes, repeat it")
    (command,) = stage.engine.commands
    assert isinstance(command, RepeatTask)
    assert (command.goal, command.cron, command.zone) == ("Look for news", "30 7 * * 5", "Europe/Berlin")
    assert command.limits.cost_micros == 500_000 and command.limits.agents == DEFAULTS.agents
    assert "/task repeat stop" in begun.response.content and not asked.response.components


async def test_a_person_may_leave_it(stage: Stage) -> None:
    """No is no."""
    asked = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news")
    left = await stage.boss.click(asked.response, label="No")
    assert left.response.content == "No repeating task was created." and stage.engine.commands == []


async def test_it_takes_the_rights_that_starting_takes(stage: Stage) -> None:
    """Start for the task, spend for caps above the usual; at the button it is checked again."""
    refused = await stage.crew.slash(stage.lobby, "task repeat new", goal="Look for news")
    assert "not allowed to start" in refused.response.content
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    dear = await stage.crew.slash(stage.lobby, "task repeat new", goal="Look for news", budget=99.0)
    assert "not allowed to raise caps" in dear.response.content
    asked = await stage.crew.slash(stage.lobby, "task repeat new", goal="Look for news")
    others = stage.guild.create_role("others", permissions=discord.Permissions())
    await stage.boss.slash(stage.lobby, "setup", start=others)
    late = await stage.crew.click(asked.response, label="Yes, repeat it")
    assert "not allowed to start" in late.followups[-1].content
    assert not [each for each in stage.engine.commands if isinstance(each, RepeatTask)]


async def test_what_is_no_time_is_said(stage: Stage) -> None:
    """Each with what to write instead."""
    for options, words in (
        ({"at": "25:00"}, "09:00"),
        ({"zone": "Mars/Base"}, "Europe/Berlin"),
        ({"cron": "* * * * *"}, "15 minutes"),
        ({"cron": "soon"}, "five parts"),
    ):
        told = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news", **options)
        assert words in told.response.content


async def test_a_list_and_a_stop(stage: Stage) -> None:
    """What repeats, how often it ran; who made it may stop it, a stranger may not."""
    empty = await stage.boss.slash(stage.lobby, "task repeat list")
    assert "no repeating tasks in this server" in empty.response.content
    asked = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news")
    await stage.boss.click(asked.response, label="Yes, repeat it")
    (number,) = stage.engine.world.repeats
    task_id = stage.engine.start_repeat(number)
    listed = await stage.boss.slash(stage.lobby, "task repeat list")
    assert f"**#{number}** every day at 09:00" in listed.response.content
    assert f"last task #{task_id}" in listed.response.content
    refused = await stage.stranger.slash(stage.lobby, "task repeat stop", repeat=str(number))
    assert "not allowed to steer" in refused.response.content
    stopped = await stage.boss.slash(stage.lobby, "task repeat stop", repeat=f"#{number}")
    assert stage.engine.ordered == EndRepeat(number, f"discord:{stage.boss.id}")
    assert "will not start again" in stopped.response.content
    unknown = await stage.boss.slash(stage.lobby, "task repeat stop", repeat=str(number))
    assert "/task repeat list" in unknown.response.content


async def test_a_run_has_its_card_where_it_was_made_to_repeat(stage: Stage) -> None:
    """The clock's task stands in the lobby like one that a person began there."""
    asked = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news")
    await stage.boss.click(asked.response, label="Yes, repeat it")
    (number,) = stage.engine.world.repeats
    task_id = stage.engine.start_repeat(number)
    stage.shown.cards.take(stage.engine.log)
    await drive(stage, stage.shown.cards.tick())
    card = await stage.records.card(task_id)
    assert card is not None and card.channel_id == stage.lobby.id and card.message_id
    assert stage.lobby.last_message.id == card.message_id


async def test_nothing_repeats_for_a_server_the_bot_was_removed_from(stage: Stage) -> None:
    """Nobody there could stop it."""
    asked = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news")
    await stage.boss.click(asked.response, label="Yes, repeat it")
    await stage.env.bot.get_cog("ServerCog").on_guild_remove(stage.env.bot.get_guild(stage.guild.id))
    assert stage.engine.world.repeats == {}


async def made(stage: Stage, person: Any, **options: Any) -> int:
    """A repeat that a person made in the lobby -> its number."""
    asked = await person.slash(stage.lobby, "task repeat new", goal="Look for news", **options)
    await person.click(asked.response, label="Yes, repeat it")
    return max(stage.engine.world.repeats)


async def look(stage: Stage) -> list[str]:
    """What is to be said in the lobby about pauses."""
    posts = [entry.post for entry in await stage.ledger.waiting()]
    return [p.text for p in posts if "is paused" in p.text and p.channel_id == stage.lobby.id]


async def test_a_long_list_is_turned_in_pages(stage: Stage) -> None:
    """None of many is left out, whatever goals and reasons say; pages are turned after a restart, too."""
    for number in range(11):
        goal, by = f"{number} {'*' * 300}", f"discord:{stage.boss.id}"
        limits, origin = DEFAULTS, f"channel:{stage.lobby.id}"
        command = RepeatTask(goal, by, f"guild:{stage.guild.id}", "0 9 * * *", "UTC", limits, None, origin)
        stage.engine.pause_repeat(
            await stage.engine.handle(command), REPEAT_NO_SPEND.format(id=stage.boss.id)
        )
    listed = await stage.boss.slash(stage.lobby, "task repeat list")
    await stage.restart()
    seen = listed.response.content
    for _ in range(2):
        await stage.boss.click(listed.response, label="Next page")
        assert len(listed.response.content) <= 2_000
        seen += f"\n{listed.response.content}"
    assert sorted(re.findall(r"^\*\*#(\d+)\*\*", seen, re.M)) == sorted(map(str, stage.engine.world.repeats))


async def test_a_pause_is_said_once_where_it_was_made(stage: Stage) -> None:
    """With what to do; a second pause is said again."""
    number = await made(stage, stage.boss)
    assert await look(stage) == []
    stage.engine.pause_repeat(number, "she left")
    (said,) = await look(stage)
    assert "she left" in said and "/task repeat resume" in said and "Look for news" in said
    listed = await stage.boss.slash(stage.lobby, "task repeat list")
    assert "**paused**: she left" in listed.response.content
    await stage.boss.slash(stage.lobby, "task repeat resume", repeat=str(number))
    stage.engine.now += 60
    stage.engine.pause_repeat(number, "she left")
    assert len(await look(stage)) == 2


async def test_taking_over_takes_the_rights_that_making_takes(stage: Stage) -> None:
    """Start for the task, spend for caps above the usual; from then on it is theirs."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    cheap, dear = await made(stage, stage.boss), await made(stage, stage.boss, budget=99.0)
    for number in (cheap, dear):
        stage.engine.pause_repeat(number, "she left")
    refused = await stage.stranger.slash(stage.lobby, "task repeat resume", repeat=str(cheap))
    assert "not allowed to start" in refused.response.content
    refused = await stage.crew.slash(stage.lobby, "task repeat resume", repeat=str(dear))
    assert "not allowed to raise caps" in refused.response.content
    taken = await stage.crew.slash(stage.lobby, "task repeat resume", repeat=f"#{cheap}")
    assert "every day at 09:00" in taken.response.content and "on your behalf" in taken.response.content
    resumed = [c for c in stage.engine.commands if isinstance(c, ResumeRepeat)]
    assert resumed == [ResumeRepeat(cheap, f"discord:{stage.crew.id}", "crew (crew)")]
    again = await stage.crew.slash(stage.lobby, "task repeat resume", repeat=str(cheap))
    assert "not paused" in again.response.content
