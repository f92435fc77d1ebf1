"""The card on Discord: few edits, re-posted hourly, back after deletion, no matter who restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.outbox.projector import project_all
from engine.errors import StorageFull
from engine.ports import Written
from engine.queries import ModelCallView
from tests.bot.features.conftest import Stage


async def drive(stage: Stage, work: Any) -> None:
    """Run something as the bot."""
    with stage.env._bot_scope():
        await stage.env._loop.create_task(work)
    await stage.env.settle()


def cards(stage: Stage) -> list[Any]:
    """Cards in the lobby, oldest first."""
    return [m for m in stage.lobby.history() if m.flags.components_v2]


def writes(stage: Stage) -> int:
    """Posts and edits of messages so far."""
    return sum(r.method in ("POST", "PATCH") and "/messages" in r.path for r in stage.env.http_requests)


async def tell(stage: Stage, since: int = 0) -> None:
    """The keeper takes what happened after `since`."""
    stage.shown.cards.take(stage.engine.log[since:])


async def test_many_events_make_one_edit_every_15_seconds(stage: Stage) -> None:
    """Many changes within the interval are one edit after it; no change is none."""
    task = await stage.start()
    before = writes(stage)
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    for number in range(30):
        stage.engine.assign(task.boss, ada, f"Part {number}", "accepted")
        await tell(stage, len(stage.engine.log) - 1)
        await drive(stage, stage.shown.cards.tick())
    assert writes(stage) == before
    stage.clock += 15
    await drive(stage, stage.shown.cards.tick())
    assert writes(stage) == before + 1
    assert "30 of 30" in str(cards(stage)[-1].components[0].to_dict())
    stage.clock += 60
    await tell(stage)
    await drive(stage, stage.shown.cards.tick())
    assert writes(stage) == before + 1


async def test_a_card_shows_within_20_seconds_how_far_a_slow_model_is(stage: Stage) -> None:
    """No event tells of it: the card is edited every 15 seconds while the model works, and once more when it
    has answered; the other task's card stays."""
    task, bystander = await stage.start(), await stage.start()
    before, calls = writes(stage), stage.engine.world.model_calls
    for second in range(61):
        written = Written(second + 1, 1.0, "write_file", "main.py", second)
        began, boss = stage.clock - second, task.boss
        calls[boss] = ModelCallView(task.id, boss, began, stage.clock, sent=True, written=written)
        await drive(stage, stage.shown.cards.tick())
        stage.clock += 1
    assert writes(stage) == before + 4
    shown = [str(card.components[0].to_dict()) for card in cards(stage)]
    assert ["lines so far" in card for card in shown] == [True, False]
    calls.clear()
    stage.clock += 15
    await drive(stage, stage.shown.cards.tick())
    assert "lines so far" not in str(cards(stage)[0].components[0].to_dict())
    stage.clock += 15
    await drive(stage, stage.shown.cards.tick())
    assert writes(stage) == before + 5 and bystander.id != task.id


async def test_an_hour_later_it_is_posted_again(stage: Stage) -> None:
    """Edits of old messages are limited, so the old card goes and a new one comes."""
    task = await stage.start()
    old = cards(stage)[-1]
    stage.clock += 3600
    stage.engine.recruit(task.boss, "Ada")
    await tell(stage)
    await drive(stage, stage.shown.cards.tick())
    assert len(cards(stage)) == 1 and cards(stage)[0].id != old.id


async def test_a_deleted_card_comes_back(stage: Stage) -> None:
    """Somebody deleted the message: the next change posts another, also after a restart."""
    task = await stage.start()
    await stage.restart()
    channel = stage.env.bot.get_channel(stage.lobby.id)
    await drive(stage, channel.get_partial_message(cards(stage)[-1].id).delete())
    assert not cards(stage)
    stage.clock += 15
    stage.engine.recruit(task.boss, "Ada")
    await tell(stage)
    await drive(stage, stage.shown.cards.tick())
    assert len(cards(stage)) == 1


async def test_a_card_that_cannot_be_shown_is_tried_again(stage: Stage) -> None:
    """A server error leaves the change for the next tick; a missing permission does not stop the rest."""
    task = await stage.start()
    stage.engine.recruit(task.boss, "Ada")
    stage.clock += 15
    await tell(stage)
    stage.env.inject_error("PATCH", "/channels/*/messages/*", status=500)
    await drive(stage, stage.shown.cards.tick())
    await drive(stage, stage.shown.cards.tick())
    assert "Ada" in str(cards(stage)[-1].components[0].to_dict())


async def test_a_card_that_may_not_stand_here_moves_to_the_tasks_channel(stage: Stage) -> None:
    """Started where the bot may not write: said, and the card appears with the first group's channel."""
    channel = stage.env.bot.get_channel(stage.lobby.id)
    await drive(stage, channel.set_permissions(channel.guild.me, send_messages=False))
    result = await stage.boss.slash(stage.lobby, "task new", goal="x")
    assert "could not post its card" in result.response.content and not cards(stage)
    task = stage.engine.world.tasks[1]
    await drive(stage, stage.shown.cards.tick())
    room = stage.guild.create_text_channel("task-1")
    await stage.meets(task.root_group_id, room)
    for _ in range(2):
        await drive(stage, stage.shown.cards.tick())
    assert [m.flags.components_v2 for m in room.history()] == [True]


async def test_a_card_whose_channel_was_deleted_moves_too(stage: Stage) -> None:
    """By hand, mid-task."""
    task = await stage.start()
    await drive(stage, stage.env.bot.get_channel(stage.lobby.id).delete())
    stage.engine.recruit(task.boss, "Ada")
    stage.clock += 15
    await tell(stage)
    for _ in range(2):
        await drive(stage, stage.shown.cards.tick())
    assert [m.flags.components_v2 for m in task.room.history()] == [True]


async def test_an_old_card_that_may_not_be_deleted_moves_nothing(stage: Stage) -> None:
    """403 on dropping it: the new card stays where it is, and it is not tried for ever."""
    task = await stage.start()
    stage.clock += 3600
    stage.engine.recruit(task.boss, "Ada")
    await tell(stage)
    stage.env.inject_error("DELETE", "/channels/*/messages/*", status=403, code=50013)
    await drive(stage, stage.shown.cards.tick())
    card = await stage.records.card(task.id)
    assert card is not None and card.channel_id == stage.lobby.id and not card.stale_id
    assert card.message_id == cards(stage)[-1].id


async def test_a_place_that_refuses_the_typing_sign_is_left_alone(stage: Stage) -> None:
    """Refusals count towards a ban: one in ten minutes, not one in seven seconds."""
    task = await stage.start()
    agent = stage.engine.world.agents[task.boss]
    stage.engine.world.agents[task.boss] = replace(agent, state="working")
    room = stage.env.bot.get_channel(task.room.id)
    await drive(stage, room.set_permissions(room.guild.me, send_messages=False))

    def tried() -> int:
        return sum(r.path.endswith("/typing") for r in stage.env.http_requests)

    for _ in range(40):
        stage.clock += 10
        await drive(stage, stage.shown.typing.tick())
    assert tried() == 1
    stage.clock += 300
    await drive(stage, stage.shown.typing.tick())
    assert tried() == 2


async def test_the_typing_sign_costs_one_question_for_all_tasks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every two seconds: a server with hundreds of tasks that wait for people pays nothing for them."""
    tasks = [await stage.start() for _ in range(4)]
    paused = stage.engine.world.tasks[tasks[2].id]
    stage.engine.world.tasks[paused.id] = replace(paused, state="paused")
    for task in tasks:
        agent = stage.engine.world.agents[task.boss]
        works = task in tasks[1:3]
        stage.engine.world.agents[task.boss] = replace(agent, state="working" if works else "idle")
    asked: list[str] = []
    for name in ("task", "tasks", "agents", "working_groups"):
        real = getattr(stage.engine.look, name)

        async def counted(*args: Any, real: Any = real, name: str = name, **named: Any) -> Any:
            asked.append(name)
            return await real(*args, **named)

        monkeypatch.setattr(stage.engine.look, name, counted)
    signs = len([r for r in stage.env.http_requests if r.path.endswith("/typing")])
    stage.clock += 10
    await drive(stage, stage.shown.typing.tick())
    shown = [r.path for r in stage.env.http_requests if r.path.endswith("/typing")][signs:]
    assert shown == [f"/channels/{tasks[1].room.id}/typing"] and asked == ["working_groups"]


async def test_one_cards_trouble_does_not_stop_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Something nobody foresaw in one card is logged; the next card is still kept."""
    first, second = await stage.start(), await stage.start()
    real = stage.engine.look.agents

    async def broken(task_id: int) -> Any:
        if task_id == first.id:
            raise ValueError("unforeseen")
        return await real(task_id)

    monkeypatch.setattr(stage.engine.look, "agents", broken)
    stage.engine.recruit(second.boss, "Ada")
    stage.clock += 15
    await tell(stage)
    await drive(stage, stage.shown.cards.tick())
    assert "Ada" in str(cards(stage)[-1].components[0].to_dict()) and "unforeseen" in caplog.text


async def test_the_log_is_written_once_even_if_events_come_twice(stage: Stage) -> None:
    """Events read again after a crash change nothing."""
    await stage.start()
    await stage.database.write(lambda c: project_all(c, stage.engine.log))
    lines = await stage.records.log(1, 50)
    assert len(lines) == len({line.seq for line in lines}) == 3


async def test_a_card_says_that_the_disk_is_full_and_says_so_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing can be written down meanwhile, not even what the card shows."""
    task = await stage.start()
    stage.clock += 4000  # old enough to be posted again, which would have to be written down first
    with monkeypatch.context() as full:

        async def refuse(*_: object, **__: object) -> None:
            raise StorageFull("The disk is full.")

        full.setattr(stage.database, "trouble", "The disk is full.", raising=False)
        full.setattr(stage.records, "change_card", refuse)
        await drive(stage, stage.shown.cards.tick())
        (card,) = cards(stage)
        assert "because the disk of the bot's machine is full" in str(card.components[0].to_dict())
        before = writes(stage)
        await drive(stage, stage.shown.cards.tick())
        assert writes(stage) == before
    stage.clock += 60
    await drive(stage, stage.shown.cards.tick())
    (card,) = [c for c in cards(stage) if c.id == (await stage.records.card(task.id)).message_id]  # type: ignore[union-attr]
    assert "disk" not in str(card.components[0].to_dict())
