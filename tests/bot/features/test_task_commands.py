"""`/task`: starting with every bad input, looking, steering, caps."""

from __future__ import annotations

import errno

import pytest

from bot.features.audit.pages import decision_line
from engine.commands import Limits, MonthRule, PauseTask, RaiseCap, ResumeTask, StartTask, StopTask
from engine.errors import ModelKeyRejected, ModelUnavailable, StorageFull
from engine.events import ModelWaiting
from tests.bot.features.conftest import Stage
from tests.bot.features.test_card_keeper import drive
from tests.bot.features.test_replies import asked


async def test_new_without_a_goal_opens_a_window_that_survives_nothing_being_chosen(stage: Stage) -> None:
    """No goal: a window; what is typed there starts the task with the options chosen before."""
    shown = await stage.boss.slash(stage.lobby, "task new", agents=12, budget=2.5, minutes=30, model="big")
    assert shown.modal is not None and shown.modal["title"] == "New task"
    result = await stage.boss.submit_modal(shown, {"goal": "A long goal\nin two lines"})
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == "A long goal\nin two lines"
    assert command.limits == Limits(agents=12, cost_micros=2_500_000, minutes=30) and command.model == "big"
    assert result.ephemeral and "has started" in result.response.content


async def test_a_window_open_across_a_restart_keeps_what_was_chosen(stage: Stage) -> None:
    """Limits, model and files chosen before the bot went away hold after it."""
    shown = await stage.boss.slash(
        stage.lobby, "task new", agents=12, model="big", file1=("data.csv", b"1,2")
    )
    await stage.restart()
    await stage.boss.submit_modal(shown, {"goal": "Written for ten minutes"})
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == "Written for ten minutes"
    assert (command.limits, command.model) == (Limits(agents=12), "big")
    assert command.files == {"attachments/data.csv": b"1,2"}


async def test_the_answer_to_a_start_keeps_model_and_budget_when_it_names_the_place(stage: Stage) -> None:
    """The edit that names the channel of the agents takes nothing of what was said away."""
    stage.engine.world.month_rules[f"guild:{stage.guild.id}"] = MonthRule("UTC", 50_000_000)
    begun = await stage.boss.slash(stage.lobby, "task new", goal="Build a boat", model="big")
    rest = begun.response.content.splitlines()[1:]
    assert "Model: **big**" in rest[0] and "of this server's $50.00" in rest[1]
    (task,) = stage.engine.world.tasks.values()
    room = stage.guild.create_text_channel("boat")
    await stage.meets(task.root_group_id, room)
    await drive(stage, stage.shown.start_replies.tick())
    first, *after = begun.response.content.splitlines()
    assert f"Follow it in <#{room.id}>" in first and after == rest


async def test_a_window_open_for_days_gives_the_goal_back(stage: Stage) -> None:
    """What was chosen is forgotten after a day, so nothing starts silently without it."""
    shown = await stage.boss.slash(stage.lobby, "task new", agents=12)
    stage.clock += 2 * 86_400
    await stage.boss.slash(stage.lobby, "task new")
    result = await stage.boss.submit_modal(shown, {"goal": "Written for two days"})
    assert not stage.engine.commands
    assert await result.response.attachments[0].read() == b"Written for two days"


async def test_attachments_arrive_in_the_workspace_under_safe_distinct_names(stage: Stage) -> None:
    """Up to three files, names that cannot leave the folder, twice the same name kept twice."""
    await stage.boss.slash(
        stage.lobby,
        "task new",
        goal="Read these",
        file1=("../../etc/passwd", b"one"),
        file2=("data.csv", b"two"),
        file3=("data.csv", b"three"),
    )
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask)
    assert command.files == {
        "attachments/passwd": b"one",
        "attachments/data.csv": b"two",
        "attachments/data-2.csv": b"three",
    }


@pytest.mark.parametrize("window", ["goal", "say", "edit", "gate"])
async def test_what_was_typed_comes_back_when_it_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, window: str
) -> None:
    """Whatever the reason: the task ended, the disk is full, a file chosen before is gone."""
    task = await stage.start()

    async def full(_command: object) -> int:
        raise StorageFull("The disk is full.")

    if window == "goal":
        opened = await stage.boss.slash(stage.lobby, "task new")
    elif window == "gate":
        _, message = await asked(stage, task, "question", "Oak", "Ash")
        opened = await stage.boss.click(message, label="Write an answer")
    else:
        opened = await stage.boss.slash(task.room, f"agent {window}", agent=str(task.boss))
    monkeypatch.setattr(stage.engine, "handle", full)
    field = "goal" if window == "goal" else "text"
    result = await stage.boss.submit_modal(opened, {field: "A long goal"})
    (file,) = [a for m in (result.response, *result.followups) for a in m.attachments]
    assert (await file.read()).decode().startswith("A long goal")


async def test_a_long_goal_comes_as_a_text_file(stage: Stage) -> None:
    """Longer than Discord's window takes, up to what the engine takes."""
    await stage.boss.slash(stage.lobby, "task new", file1=("goal.txt", b"x" * 7000))
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == "x" * 7000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"goal": "   "}, "The goal is empty"),
        ({"file1": ("goal.txt", b"x" * 10_000)}, "10,000 characters"),
        ({"file1": ("goal.txt", b"")}, "The goal is empty"),
        ({"goal": "x", "budget": 0.0}, "greater than 0 US dollars"),
        ({"goal": "x", "budget": -3.0}, "greater than 0 US dollars"),
    ],
)
async def test_bad_goals_and_budgets_are_refused_with_the_next_step(
    stage: Stage, options: dict[str, object], told: str
) -> None:
    """Nothing starts, the person alone is told what to do."""
    result = await stage.boss.slash(stage.lobby, "task new", **options)
    assert result.ephemeral and told in result.response.content
    assert not stage.engine.commands


async def test_a_goal_with_everyone_pings_nobody(stage: Stage) -> None:
    """The goal reaches the engine as typed; on the card it is dead text."""
    await stage.boss.slash(stage.lobby, "task new", goal="Tell @everyone and <@&1> **now**")
    command = stage.engine.commands[-1]
    assert isinstance(command, StartTask) and command.goal == "Tell @everyone and <@&1> **now**"
    sent = [r for r in stage.env.http_requests if r.path.endswith("/messages") and r.method == "POST"]
    assert sent and all(r.json["allowed_mentions"] == {"parse": []} for r in sent)
    assert "@everyone" not in str(sent[-1].json["components"])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelKeyRejected("The endpoint does not accept the key."), "OPENAI_API_KEY"),
        (ModelUnavailable("The endpoint cannot be reached."), "/doctor"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError("database or disk is full"), "disk is full"),
        (OSError(errno.EIO, "boom"), "incident"),
    ],
)
async def test_what_is_wrong_with_the_machine_is_said(
    stage: Stage, error: OSError | ModelKeyRejected, told: str
) -> None:
    """Wrong key, unreachable endpoint, full disk, anything else: words, and the bot lives on."""
    stage.engine.fail = error
    result = await stage.boss.slash(stage.lobby, "task new", goal="x")
    assert result.ephemeral and told in result.response.content
    assert (await stage.boss.slash(stage.lobby, "help")).acknowledged


@pytest.mark.parametrize("name", ["99", "#99", "nonsense", "9" * 40, "@everyone"])
async def test_unknown_tasks_are_named_back_with_where_to_look(stage: Stage, name: str) -> None:
    """`/task status` of a task there is not."""
    result = await stage.boss.slash(stage.lobby, "task status", task=name)
    assert result.ephemeral and "/task list" in result.response.content


async def test_a_task_of_another_server_does_not_exist_here(stage: Stage) -> None:
    """Ids are looked up within the server only."""
    task = await stage.start()
    other = stage.env.create_guild()
    lobby = other.create_text_channel("lobby")
    owner = other.owner
    stranger = other.add_member(stage.env.create_user("outsider"), roles=[])
    assert owner is not None
    result = await stranger.slash(lobby, "task status", task=str(task.id))
    assert "no task #" in result.response.content


async def test_status_list_tree_and_log_show_the_task(stage: Stage) -> None:
    """All four answer only the one who asked."""
    task = await stage.start("Build a boat")
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    stage.engine.assign(task.boss, ada, "Cut the planks", "accepted")
    status = await stage.boss.slash(task.room, "task status")
    assert status.ephemeral and "Build a boat" in str(status.response.components)
    assert "1 of 1 assignments" in str(status.response.components)
    listed = await stage.boss.slash(stage.lobby, "task list")
    assert f"#{task.id}" in listed.response.content
    tree = await stage.boss.slash(task.room, "task tree")
    assert "Ada" in tree.response.content and "Boss" in tree.response.content
    drawn = await stage.boss.slash(task.room, "task tree", picture="organisation")
    assert drawn.response.attachments[0].filename.endswith(".png")
    log = await stage.boss.slash(task.room, "task log")
    assert "Cut the planks" in log.response.content


async def test_pages_of_the_log_turn_after_a_restart(stage: Stage) -> None:
    """Older and newer pages by buttons whose ids hold everything."""
    task = await stage.start()
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    for number in range(20):
        stage.engine.assign(task.boss, ada, f"Part {number}")
    log = await stage.boss.slash(task.room, "task log")
    assert "Part 19" in log.response.content and "Part 2)" not in log.response.content
    await stage.restart()
    await stage.boss.click(log.response, label="Older")
    assert "Part 0" in log.response.content
    await stage.boss.click(log.response, label="Newer")
    assert "Part 19" in log.response.content


async def test_pause_resume_and_stop_by_command(stage: Stage) -> None:
    """Each action once; the engine's own words when the state does not allow it."""
    task = await stage.start()
    await stage.boss.slash(task.room, "task pause")
    assert stage.engine.kinds()[-1] is PauseTask
    again = await stage.boss.slash(task.room, "task pause")
    assert "is paused" in again.response.content
    await stage.boss.slash(task.room, "task resume")
    assert stage.engine.kinds()[-1] is ResumeTask
    asked = await stage.boss.slash(task.room, "task stop")
    await stage.boss.click(asked.response, label="No, keep it running")
    assert not any(isinstance(c, StopTask) for c in stage.engine.commands)


async def test_stopping_what_has_ended_asks_nothing(stage: Stage) -> None:
    """By command or by an old card's button: said, with the button that continues it."""
    task = await stage.start()
    stage.engine.end(task.id)
    refused = await stage.boss.slash(task.room, "task stop")
    assert "has ended" in refused.response.content and "Continue" in str(refused.response.components)
    pressed = await stage.boss.click(stage.lobby.last_message, label="Stop")
    assert "has ended" in pressed.response.content


async def test_caps_by_option_and_by_window(stage: Stage) -> None:
    """Options raise at once; without any a window shows the caps there are; bad numbers are refused."""
    task = await stage.start()
    result = await stage.boss.slash(task.room, "task cap", budget=9.0)
    assert stage.engine.ordered == RaiseCap(
        task.id, Limits(cost_micros=9_000_000), f"discord:{stage.boss.id}"
    )
    assert "$9.00" in result.response.content
    shown = await stage.boss.slash(task.room, "task cap")
    refused = await stage.boss.submit_modal(shown, {"dollars": "9.00", "agents": "many", "minutes": ""})
    assert "whole number" in refused.response.content
    shown = await stage.boss.slash(task.room, "task cap")
    await stage.boss.submit_modal(shown, {"dollars": "$12,50", "agents": "80", "minutes": ""})
    command = stage.engine.commands[-1]
    assert isinstance(command, RaiseCap) and command.limits == Limits(agents=80, cost_micros=12_500_000)


async def test_who_started_a_task_is_told_when_the_model_cannot_be_used(stage: Stage) -> None:
    """A wrong key shows when the first agent thinks; the starter alone hears it, once."""
    result = await stage.boss.slash(stage.lobby, "task new", goal="x")
    for _ in range(3):
        event = stage.engine.emit(ModelWaiting(1, "The endpoint rejected the API key (401).", 60.0))
        stage.shown.outages.take(event)
        with stage.env._bot_scope():
            await stage.shown.outages.tick()
    await stage.boss.slash(stage.lobby, "task new", goal="y")
    stage.clock += 15 * 60
    stage.shown.outages.take(stage.engine.emit(ModelWaiting(4, "No answer.", 60.0)))
    with stage.env._bot_scope():
        await stage.shown.outages.tick()
    webhooks = [r for r in stage.env.http_requests if "/webhooks/" in r.path and "No answer." in str(r.json)]
    assert not webhooks
    (told,) = result.followups[1:] if len(result.followups) > 1 else result.followups
    assert told.ephemeral and "(401)" in told.content and "OPENAI_API_KEY" in told.content


async def test_autocomplete_offers_tasks_agents_and_groups(stage: Stage) -> None:
    """Wherever an id is asked, names are offered, those that go on first."""
    task = await stage.start("Build a boat")
    stage.engine.recruit(task.boss, "Ada", "Ben")
    tasks = await stage.boss.autocomplete(stage.lobby, "task status", "task", "boat")
    assert tasks[0]["value"] == str(task.id)
    agents = await stage.boss.autocomplete(task.room, "agent say", "agent", "ad")
    assert [a["name"].split()[0] for a in agents] == ["Ada"]
    ada = int(agents[0]["value"])
    stage.engine.assign(task.boss, ada, "Saw the planks")
    stage.engine.write(ada, "hull/keel.md", b"x")
    for typed in ("planks saw", "keel.md", "be ada"):
        found = await stage.boss.autocomplete(task.room, "agent say", "agent", typed)
        assert [each["value"] for each in found] == [str(ada)], typed
    assert await stage.boss.autocomplete(task.room, "agent say", "agent", "nothing like it") == []
    groups = await stage.boss.autocomplete(task.room, "group open", "group", "")
    assert len(groups) == 1
    assert await stage.boss.autocomplete(stage.lobby, "memory forget", "memory", "") == []


async def test_archive_only_after_the_end(stage: Stage) -> None:
    """A running task keeps its channels; an ended one is closed and its transcript handed over."""
    task = await stage.start()
    result = await stage.boss.slash(task.room, "task archive")
    assert "Stop it with" in result.response.content and not stage.archive.closed
    stage.engine.end(task.id)
    result = await stage.boss.slash(task.room, "task archive", remove=True)
    assert stage.archive.closed == [(task.id, True)]
    newest = (await stage.engine.look.decisions(f"guild:{stage.guild.id}", task.id))[0]
    assert (newest.kind, newest.by, newest.content["remove"]) == (
        "RecordArchive",
        f"discord:{stage.boss.id}",
        True,
    )
    assert f"closed the channels of task #{task.id}: deleted" in decision_line(newest)
    assert [a.filename for a in result.response.attachments] == ["transcript.md", "transcript.html"]
