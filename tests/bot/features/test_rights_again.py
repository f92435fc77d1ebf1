"""Rights count when something is done, not when asked for; nobody is shown what they may not see."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from pydantic import SecretStr

from bot.discord.models import Models
from bot.features.agents.step_buttons import StepButton
from bot.features.repeats.start_authorization import StartAuthorization
from bot.storage import tables
from engine.commands import Command, Limits, RecordRules, RepeatTask, StartTask
from engine.domain.quota import Used
from engine.settings import EngineSettings
from tests.bot.features.conftest import Stage
from tests.bot.features.test_card_keeper import drive
from tests.fakes.engine import DEFAULTS

DEAR = 900.0
"""A budget above the usual one."""


def carried_out(stage: Stage) -> list[Command]:
    """What the engine was told to do, without the note of what `/setup` has set."""
    return [command for command in stage.engine.commands if not isinstance(command, RecordRules)]


async def grant(stage: Stage, **roles: Any) -> None:
    """Give rights to roles, by the command a manager uses."""
    await stage.boss.slash(stage.lobby, "setup", **roles)


def others(stage: Stage) -> Any:
    """A role nobody here has."""
    return stage.guild.create_role("others", permissions=discord.Permissions())


def custom_ids(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every component of a message that has a custom id."""
    found = []
    for part in components:
        found += [part] if "custom_id" in part else []
        found += custom_ids(part.get("components", []))
    return found


@pytest.mark.parametrize("right", ["start", "spend"])
async def test_a_window_starts_nothing_after_the_right_was_taken_away(stage: Stage, right: str) -> None:
    """The goal comes back, so that what was typed is not lost."""
    await grant(stage, start=stage.role, spend=stage.role)
    shown = await stage.crew.slash(stage.lobby, "task new", budget=DEAR)
    await grant(stage, **{right: others(stage)})
    told = await stage.crew.submit_modal(shown, {"goal": "Spend it all"})
    assert carried_out(stage) == []
    assert f"not allowed to {'start' if right == 'start' else 'raise caps'}" in told.response.content
    assert await told.response.attachments[0].read() == b"Spend it all"


@pytest.mark.parametrize("right", ["start", "spend"])
async def test_a_confirmation_repeats_nothing_after_the_right_was_taken_away(
    stage: Stage, right: str
) -> None:
    """Given back, the same button works: the order was not used up."""
    await grant(stage, start=stage.role, spend=stage.role)
    asked = await stage.crew.slash(stage.lobby, "task repeat new", goal="Look for news", budget=DEAR)
    await grant(stage, **{right: others(stage)})
    told = await stage.crew.click(asked.response, label="Yes, repeat it")
    assert carried_out(stage) == []
    assert f"not allowed to {'start' if right == 'start' else 'raise caps'}" in told.followups[-1].content
    await grant(stage, **{right: stage.role})
    await stage.crew.click(asked.response, label="Yes, repeat it")
    assert isinstance(stage.engine.commands[-1], RepeatTask)


async def test_a_window_with_anothers_number_finds_nothing(stage: Stage) -> None:
    """The manager's order of $900 stays the manager's, whoever sends its number."""
    await grant(stage, start=stage.role)
    dear = await stage.boss.slash(stage.lobby, "task new", budget=DEAR)
    own = await stage.crew.slash(stage.lobby, "task new")
    own._interaction.modal["custom_id"] = dear.modal["custom_id"]
    told = await stage.crew.submit_modal(own, {"goal": "Somebody else's money"})
    assert carried_out(stage) == []
    assert await told.response.attachments[0].read() == b"Somebody else's money"
    await stage.boss.submit_modal(dear, {"goal": "My own"})
    (command,) = carried_out(stage)
    assert isinstance(command, StartTask) and command.goal == "My own"


async def test_a_window_of_another_server_finds_nothing(stage: Stage) -> None:
    """Also for the same person: limits and files were allowed there, not here."""
    elsewhere = stage.env.create_guild()
    hall = elsewhere.create_text_channel("hall")
    managers = elsewhere.create_role("managers", permissions=discord.Permissions(manage_guild=True))
    twin = elsewhere.add_member(stage.boss, roles=[managers])
    there = await twin.slash(hall, "task new", budget=DEAR)
    here = await stage.boss.slash(stage.lobby, "task new")
    here._interaction.modal["custom_id"] = there.modal["custom_id"]
    await stage.boss.submit_modal(here, {"goal": "Across servers"})
    assert carried_out(stage) == []


async def test_a_button_with_anothers_number_confirms_nothing(stage: Stage) -> None:
    """Neither yes nor no: the order stays whole for who placed it."""
    await grant(stage, start=stage.role)
    theirs = await stage.boss.slash(stage.lobby, "task repeat new", goal="Look for news", budget=DEAR)
    ids = [c["custom_id"] for c in custom_ids(theirs.response.components)]
    for label in ("Yes, repeat it", "No"):
        own = await stage.crew.slash(stage.lobby, "task repeat new", goal="Mine")
        stored = stage.env.backend.get_message(stage.lobby.id, own.response.id)
        for part, forged in zip(custom_ids(stored.components), ids, strict=True):
            part["custom_id"] = forged
        told = await stage.crew.click(own.response, label=label)
        assert "already answered" in told.followups[-1].content
    assert carried_out(stage) == []
    await stage.boss.click(theirs.response, label="Yes, repeat it")
    assert isinstance(stage.engine.commands[-1], RepeatTask)


async def closed_task(stage: Stage) -> tuple[Any, int]:
    """A task in a channel that members cannot open: (the channel, Ada with two steps)."""
    task = await stage.start("A secret merger")
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    stage.engine.step(ada, "The price is 12.")
    stage.engine.step(ada, "Or 13.")
    hidden = discord.PermissionOverwrite(view_channel=False)
    room = stage.guild.create_text_channel("closed", overwrites={stage.guild.default_role: hidden})
    await stage.database.write(lambda c: c.execute(tables.groups.update().values(channel_id=room.id)))
    return room, ada


@pytest.mark.parametrize("form", ["inspect", "why"])
async def test_pages_of_a_step_open_for_nobody_who_may_not_see_the_task(stage: Stage, form: Any) -> None:
    """Whoever holds a button's id, by whatever way it turns: a stranger, and one whose right was taken away
    between two presses; each press asks again, and the page that is shown stays as it was."""
    _, ada = await closed_task(stage)
    await grant(stage, steer=stage.role)
    view = discord.ui.View(timeout=None)
    ways = ("open", "before", "after", "older", "newer")
    for way in ways:
        view.add_item(StepButton(form, ada, 1, 0, way, way))
    with stage.env._bot_scope():
        await stage.env.bot.get_channel(stage.lobby.id).send("?", view=view)
    await stage.env.settle()
    shown = stage.lobby.last_message
    for way in ways:
        pressed = await stage.stranger.click(shown, label=way)
        told = pressed.response if way == "open" else pressed.followups[-1]
        assert "not allowed to steer" in told.content and told.flags.ephemeral
        assert stage.lobby.history()[-1].content == "?"
    own = await stage.crew.slash(stage.lobby, "agent inspect", agent=str(ada))
    assert "Or 13." in own.response.content
    await stage.crew.click(own.response, label="Older step")
    assert "The price is 12." in own.response.content
    await grant(stage, steer=others(stage))
    refused = await stage.crew.click(own.response, label="Newer step")
    assert "not allowed to steer" in refused.followups[-1].content
    assert "13" not in own.response.content


async def test_lists_and_completions_show_only_what_one_may_see(stage: Stage) -> None:
    """A task in a channel the stranger cannot open: no goal, agent, group, repeat or memory of it."""
    task = await stage.start("A secret merger")
    stage.engine.recruit(task.boss, "Ada", "Ben")
    stage.engine.remember(f"guild:{stage.guild.id}", "The price is 12")
    asked = await stage.boss.slash(stage.lobby, "task repeat new", goal="Watch the merger")
    await stage.boss.click(asked.response, label="Yes, repeat it")
    hidden = discord.PermissionOverwrite(view_channel=False)
    room = stage.guild.create_text_channel("closed", overwrites={stage.guild.default_role: hidden})
    await stage.database.write(lambda c: c.execute(tables.groups.update().values(channel_id=room.id)))
    options = (
        ("task status", "task"), ("agent say", "agent"), ("group open", "group"),
        ("task repeat stop", "repeat"), ("memory forget", "memory"),
    )  # fmt: skip
    for name, option in options:
        assert await stage.boss.autocomplete(stage.lobby, name, option, "") != [], name
        assert await stage.stranger.autocomplete(stage.lobby, name, option, "") == [], name
    assert "merger" in (await stage.boss.slash(stage.lobby, "task list")).response.content
    assert "merger" not in (await stage.stranger.slash(stage.lobby, "task list")).response.content
    await grant(stage, steer=stage.role)
    assert "merger" in (await stage.crew.slash(stage.lobby, "task list")).response.content


async def test_models_are_those_the_operator_allows(stage: Stage) -> None:
    """Others are refused with the list; one without a price takes the right to spend; all are offered."""
    stage.models = Models(("usual", "large", "strange"), frozenset({"strange"}))
    await stage.restart()
    await grant(stage, start=stage.role)
    for command in ("task new", "task repeat new"):
        refused = await stage.crew.slash(stage.lobby, command, goal="x", model="dear")
        assert "usual, large, strange" in refused.response.content
        unpriced = await stage.crew.slash(stage.lobby, command, goal="x", model="strange")
        assert "not allowed to raise caps" in unpriced.response.content
        offered = await stage.crew.autocomplete(stage.lobby, command, "model", "l")
        assert [choice["value"] for choice in offered] == ["usual", "large"]
    assert carried_out(stage) == []
    await stage.crew.slash(stage.lobby, "task new", goal="x", model="large")
    assert stage.engine.commands[-1].model == "large"
    await grant(stage, spend=stage.role)
    await stage.crew.slash(stage.lobby, "task new", goal="x", model="strange")
    assert stage.engine.commands[-1].model == "strange"


def test_the_settings_say_which_models_and_which_have_no_price() -> None:
    """The usual ones, a role's too, and those named besides; what the operator uses anyway is never dear."""
    settings = EngineSettings(
        _env_file=None,  # type: ignore[call-arg]
        model="my-own",
        model_boss="gpt-4o",
        allowed_models="gpt-4o-mini, my-other",  # type: ignore[arg-type]
    )
    models = Models.of(settings)
    assert models.names == ("my-own", "gpt-4o", "gpt-4o-mini", "my-other")
    assert models.unpriced == {"my-other"}
    assert models.usual == ("my-own", "gpt-4o")
    assert "$" in models.price("gpt-4o-mini") and "price not known" in models.price("my-other")


async def test_the_clock_asks_for_the_right_that_an_unpriced_model_takes(stage: Stage) -> None:
    """Whoever made the repeat could spend then; when they may no more, it does not start."""
    models = Models(("usual", "strange"), frozenset({"strange"}))
    right = StartAuthorization(
        stage.env.bot, stage.records, DEFAULTS, models, stage.engine.look, lambda: stage.clock
    )
    asked = (f"discord:{stage.crew.id}", f"guild:{stage.guild.id}", Limits())
    answers: list[str | None] = []

    async def ask(model: str) -> None:
        answers.append(await right.why_not(*asked, model))

    await grant(stage, start=stage.role)
    for model in ("", "usual", "strange"):
        await drive(stage, ask(model))
    await grant(stage, spend=stage.role)
    await drive(stage, ask("strange"))
    assert answers[:2] == ["", ""] and answers[3] == ""
    assert answers[2] and "raise caps" in answers[2]
    await stage.boss.slash(stage.lobby, "setup", starts=2)
    stage.engine.world.used = Used(starts=2)
    await drive(stage, ask("usual"))
    assert answers[4] and "limits for one person here" in answers[4]


def test_the_small_model_is_not_called_by_the_name_of_another() -> None:
    """Where no endpoint is set the embedded model works, whatever MODEL says; else the first usual one."""
    bare = EngineSettings(_env_file=None, openai_api_key=SecretStr(""), openai_base_url="")  # type: ignore[call-arg]
    assert Models.of(bare).usual_name == "a small model on this machine"
    keyed = EngineSettings(_env_file=None, openai_api_key=SecretStr("k"), model="gpt-4o")  # type: ignore[call-arg]
    assert Models.of(keyed).usual_name == "gpt-4o"
