"""Rights, `/setup`, `/doctor`, `/memory`, `/follow`, `/help`, and what happens to the server itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot import texts
from bot.discord.access import GuildRules
from bot.features.setup.cog import CHOSEN
from bot.features.setup.doctor import permission_lines
from engine.commands import ForgetMemory, Protections, StartTask
from engine.domain.gate_rules import DEFAULTS
from engine.ports import SandboxStatus
from tests.bot.features.conftest import Stage


def drive(stage: Stage, work: Any) -> Any:
    """Run something as the bot."""
    with stage.env._bot_scope():
        return stage.env._loop.create_task(work)


async def test_before_setup_only_managers_start_tasks(stage: Stage) -> None:
    """Denied by default; `/setup` opens exactly the right it names."""
    refused = await stage.crew.slash(stage.lobby, "task new", goal="x")
    assert "not allowed to start" in refused.response.content and not stage.engine.commands
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    await stage.crew.slash(stage.lobby, "task new", goal="x")
    assert isinstance(stage.engine.commands[-1], StartTask)
    refused = await stage.crew.slash(stage.lobby, "task new", goal="x", budget=1000.0)
    assert "not allowed to raise caps" in refused.response.content
    refused = await stage.stranger.slash(stage.lobby, "task new", goal="x")
    assert "not allowed to start" in refused.response.content


async def test_owners_steer_their_task_but_do_not_spend(stage: Stage) -> None:
    """Who started a task may pause it, not raise its caps; others with only Start may do neither."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    await stage.crew.slash(stage.lobby, "task new", goal="x")
    assert "is paused" in (await stage.crew.slash(stage.lobby, "task pause")).response.content
    raised = await stage.crew.slash(stage.lobby, "task cap", agents=99)
    assert "not allowed to raise" in raised.response.content
    colleague = stage.guild.add_member(stage.env.create_user("colleague"), roles=[stage.role])
    assert "not allowed to steer" in (await colleague.slash(stage.lobby, "task resume")).response.content


async def test_setup_shows_what_is_set_and_keeps_the_rest(stage: Stage) -> None:
    """Roles and place are kept; naming one changes only that one; others may not."""
    place = stage.guild.create_category("agents")
    await stage.boss.slash(stage.lobby, "setup", start=stage.role, place=place)
    shown = await stage.boss.slash(stage.lobby, "setup", spend=stage.role)
    assert shown.response.content.count(f"<@&{stage.role.id}>") == 2
    assert f"<#{place.id}>" in shown.response.content
    rules = await stage.records.rules(stage.guild.id)
    only = frozenset({stage.role.id})
    assert rules == GuildRules(stage.guild.id, only, frozenset(), frozenset(), only, place.id, True)
    assert "setup" not in stage.crew.available_commands(stage.lobby)
    assert "doctor" not in stage.crew.available_commands(stage.lobby)


async def test_setup_says_and_sets_how_long_questions_wait(stage: Stage) -> None:
    """Of every kind; an unanswered plan is approved only where that was chosen."""
    shown = await stage.boss.slash(stage.lobby, "setup")
    assert "**questions wait:** 24 hours\n" in shown.response.content
    assert "plans: the task ends; tasks at their cap: the task ends;" in shown.response.content
    await stage.boss.slash(
        stage.lobby, "setup", answer_hours=2, unanswered="plan:approve", alerts=stage.lobby
    )
    rules = await stage.engine.look.gate_rules(f"guild:{stage.guild.id}")
    assert {rule.wait_s for rule in rules.values()} == {7_200}
    assert (rules["plan"].default, rules["audit"].default) == ("approve", "stop")
    assert (await stage.records.rules(stage.guild.id)).alerts_id == stage.lobby.id
    again = await stage.boss.slash(stage.lobby, "setup")
    assert "plans: work starts; tasks at their cap: the task ends;" in again.response.content
    assert f"<#{stage.lobby.id}>" in again.response.content


async def test_setup_says_where_reminders_go_without_a_system_channel(stage: Stage) -> None:
    """To the first channel that the bot may write in, until one is chosen."""
    shown = (await stage.boss.slash(stage.lobby, "setup")).response.content
    guild = stage.env.bot.get_guild(stage.guild.id)
    assert guild.system_channel is None
    assert "**reminders to administrators:** the first channel that I may write in" in shown
    shown = (await stage.boss.slash(stage.lobby, "setup", alerts=stage.lobby)).response.content
    assert f"**reminders to administrators:** <#{stage.lobby.id}>" in shown


async def test_each_kind_of_question_has_its_own_time_and_default(stage: Stage) -> None:
    """Whatever a kind may come to can be chosen; the time of one kind leaves the others as they are."""
    space = f"guild:{stage.guild.id}"
    for kind, default in CHOSEN:
        await stage.boss.slash(stage.lobby, "setup", unanswered=f"{kind}:{default}")
        assert (await stage.engine.look.gate_rules(space))[kind].default == default
    for kind in DEFAULTS:
        await stage.boss.slash(stage.lobby, "setup", answer_hours=3, answer_for=kind)
        waits = {one: rule.wait_s for one, rule in (await stage.engine.look.gate_rules(space)).items()}
        assert waits.pop(kind) == 10_800
        assert set(waits.values()) == {86_400}
        shown = await stage.boss.slash(stage.lobby, "setup", answer_hours=24, answer_for=kind)
    assert "agents at their cap: the agent leaves" in shown.response.content
    assert "**questions wait:** 24 hours\n" in shown.response.content


async def test_a_months_budgets_are_set_said_before_a_start_and_kept(stage: Stage) -> None:
    """Money and tokens, of all and of each person, in a time zone; 0 takes one away; a start says what is
    left."""
    shown = await stage.boss.slash(stage.lobby, "setup", start=stage.role, month_dollars=50.0)
    assert "**a calendar month** (UTC): this server $50.00; each person no limit" in shown.response.content
    more = {"person_month_tokens": 900, "person_month_dollars": 7.5, "zone": "Europe/Berlin"}
    shown = await stage.boss.slash(stage.lobby, "setup", month_dollars=0.0, **more)
    assert "(Europe/Berlin): this server no limit; each person $7.50, 900 tokens" in shown.response.content
    wrong = await stage.boss.slash(stage.lobby, "setup", zone="Mars/Base")
    assert "no time zone 'Mars/Base'" in wrong.response.content
    started = await stage.crew.slash(stage.lobby, "task new", goal="x")
    assert "(Europe/Berlin): $7.50 of your $7.50, 900 of your 900 tokens." in started.response.content
    window = await stage.crew.slash(stage.lobby, "task new")
    assert "of your $7.50" in str(window.modal)


async def test_what_agents_ask_before_is_set_and_shown(stage: Stage) -> None:
    """Each action by itself; 0 and False take it away again; nobody else may."""
    shown = await stage.boss.slash(stage.lobby, "setup")
    assert texts.SETUP_ASKS.format(what=texts.SETUP_ASKS_NOTHING) in shown.response.content
    shown = await stage.boss.slash(stage.lobby, "setup", ask_run=True, ask_recruit_over=8, ask_tools=True)
    assert (
        "running a program, recruiting more than 8 agents, calling any external tool"
        in shown.response.content
    )
    await stage.boss.slash(stage.lobby, "setup", ask_run=False, ask_recruit_over=0, ask_finish=True)
    kept = await stage.engine.look.protections(f"guild:{stage.guild.id}")
    assert kept == Protections(finish=True, tools=True)


async def test_managers_commands_check_even_when_discord_shows_them(stage: Stage) -> None:
    """A server may show `/setup` and `/doctor` to everyone in its Integrations page; they still refuse."""
    known = {command.name: command.id for command in await stage.env.bot.tree.fetch_commands()}
    for name in ("setup", "doctor"):
        stage.guild.set_command_permissions(known[name], {stage.role: True})
        result = await stage.crew.slash(stage.lobby, name)
        assert "Manage Server permission" in result.response.content


async def test_strangers_cannot_look_into_tasks_they_cannot_see(stage: Stage) -> None:
    """Without sight of the task's channel nothing of it is shown, by command or by button."""
    task = await stage.start()
    stage.engine.write(task.boss, "secret.txt", b"secret")
    seen = await stage.stranger.slash(task.room, "task files")
    assert "1 file," in seen.response.content
    channel = stage.env.bot.get_channel(task.room.id)
    everyone = channel.guild.default_role
    await drive(stage, channel.set_permissions(everyone, view_channel=False))
    await stage.env.settle()
    for command in ("task files", "task status", "task tree", "task log", "task export"):
        hidden = await stage.stranger.slash(stage.lobby, command, task=str(task.id))
        assert "not allowed to steer" in hidden.response.content


async def test_doctor_on_a_healthy_server(stage: Stage) -> None:
    """Permissions, intent, model and sandbox are named as fine; rights are still to be set up."""
    result = await stage.boss.slash(stage.lobby, "doctor")
    text = result.response.content
    assert result.ephemeral and text.count("✅") == 4 and "/setup" in text


async def test_doctor_names_what_is_missing_and_the_fix(stage: Stage) -> None:
    """A permission withdrawn in one channel, a dead model, no sandbox, a deleted role."""
    task = await stage.start()
    channel = stage.env.bot.get_channel(task.room.id)
    await drive(stage, channel.set_permissions(channel.guild.me, attach_files=False))

    async def dead() -> tuple[bool, str]:
        return False, "connection refused; check OPENAI_BASE_URL."

    without = SandboxStatus(False, "", "bubblewrap is missing: apt install bubblewrap.")
    broken = replace(stage.probes, model=dead, sandbox=lambda: without)
    stage.env.bot.parts = replace(stage.env.bot.parts, probes=broken)
    await stage.records.set_rules(GuildRules(stage.guild.id, frozenset({stage.role.id}), frozenset({5})))
    text = (await stage.boss.slash(stage.lobby, "doctor")).response.content
    assert f"<#{task.room.id}>: I lack **Attach Files**" in text
    assert "connection refused" in text and "apt install bubblewrap" in text
    assert "right to steer was deleted" in text


def test_channels_that_lack_the_same_are_one_line_of_the_doctor() -> None:
    """A permission that a role lost does not push model and sandbox out of the answer."""
    everything = discord.Permissions.all()
    without = discord.Permissions.all() & ~discord.Permissions(attach_files=True)
    places = [(f"<#{10**18 + number}>", without) for number in range(40)]
    one, other = permission_lines(everything, [*places, ("<#7>", discord.Permissions.none())])
    assert one.count("<#") == 5 and "and 35 more: I lack **Attach Files**" in one
    assert other.startswith("❌ <#7>: I lack **View Channel,")


async def test_doctor_tries_again_and_names_trouble_with_faces(stage: Stage) -> None:
    """What waits for a permission is tried at once; why there are no drawn faces is said."""
    stage.face_problem = "Drawn faces are refused (no room). Set AVATAR_URL_TEMPLATE, or leave it so."
    text = (await stage.boss.slash(stage.lobby, "doctor")).response.content
    assert stage.tried_again == 1
    assert "⚠️ Avatars: Drawn faces are refused" in text


async def test_a_new_server_is_welcomed_once(stage: Stage) -> None:
    """One message, in the first channel the bot may write to, names the first commands; what waits goes."""
    other = stage.env.create_guild()
    closed, hall = other.create_text_channel("closed"), other.create_text_channel("hall")
    await stage.env.settle()
    guild = stage.env.bot.get_guild(other.id)
    shut = guild.get_channel(closed.id)
    await drive(stage, shut.set_permissions(guild.default_role, send_messages=False))
    await stage.env.settle()
    before = stage.tried_again
    stage.env.bot.dispatch("guild_join", guild)
    await stage.env.settle()
    (welcome,) = [m for m in hall.history() if "/task new" in m.content]
    assert "/setup" in welcome.content and "/help" in welcome.content
    assert stage.tried_again == before + 1
    assert not any("/task new" in m.content for m in closed.history())


async def test_a_permission_withdrawn_is_announced_once_where_it_matters(stage: Stage) -> None:
    """In the channel itself, once, with the fix; giving it back and taking it again says it again."""
    task = await stage.start()
    channel = stage.env.bot.get_channel(task.room.id)
    me = channel.guild.me
    await drive(stage, channel.set_permissions(me, attach_files=False))
    await stage.env.settle()
    await drive(stage, channel.set_permissions(me, attach_files=False, add_reactions=True))
    await stage.env.settle()
    told = [m.content for m in task.room.history() if "Attach Files" in m.content]
    assert len(told) == 1 and "/doctor" in told[0]


async def test_a_category_closed_to_the_bot_is_not_taken(stage: Stage) -> None:
    """`/setup` names what is missing there and changes nothing; `/doctor` finds what was closed later."""
    category = stage.guild.create_category("Agents")
    bot = stage.env.backend.get_guild(stage.guild.id).members[stage.env.bot.user.id]
    closed = Overwrite(target_id=bot.user_id, type=OverwriteType.MEMBER, deny=1 << 11)
    stage.env.backend.set_overwrite(category.id, closed)
    await stage.env.settle()
    refused = await stage.boss.slash(stage.lobby, "setup", start=stage.role, place=category)
    assert "Send Messages" in refused.response.content and "Nothing was changed" in refused.response.content
    assert not (await stage.records.rules(stage.guild.id)).configured
    stage.env.backend.set_overwrite(category.id, replace(closed, deny=0))
    await stage.env.settle()
    await stage.boss.slash(stage.lobby, "setup", start=stage.role, place=category)
    assert (await stage.records.rules(stage.guild.id)).category_id == category.id
    stage.env.backend.set_overwrite(category.id, closed)
    await stage.env.settle()
    told = await stage.boss.slash(stage.lobby, "doctor")
    assert f"Category <#{category.id}>: I lack **Send Messages**" in told.response.content


async def test_a_role_taken_from_the_bot_is_announced(stage: Stage) -> None:
    """Not only what the role may do can change, also whether the bot has it."""
    task = await stage.start()
    backend, me = stage.env.backend, stage.env.bot.user.id
    member = backend.get_guild(stage.guild.id).members[me]
    extra = backend.create_role(stage.guild.id, "files", permissions=1 << 15)
    backend.add_member_role(stage.guild.id, me, extra.id)
    for role_id in {*member.role_ids, stage.guild.id} - {extra.id}:
        role = backend.get_guild(stage.guild.id).roles[role_id]
        backend.edit_role(stage.guild.id, role_id, {"permissions": role.permissions & ~(1 << 15 | 1 << 3)})
    await stage.env.settle()
    backend.remove_member_role(stage.guild.id, me, extra.id)
    await stage.env.settle()
    assert "**Attach Files**" in task.room.last_message.content


async def test_a_deleted_role_loses_its_rights_to_nobody(stage: Stage) -> None:
    """What the role carried falls back to managers."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role, steer=stage.role)
    role = stage.env.bot.get_guild(stage.guild.id).get_role(stage.role.id)
    await drive(stage, role.delete())
    await stage.env.settle()
    rules = await stage.records.rules(stage.guild.id)
    assert (rules.start, rules.steer, rules.configured) == (frozenset(), frozenset(), True)


async def test_leaving_a_server_pauses_its_tasks(stage: Stage) -> None:
    """Nobody there could watch or stop them."""
    task = await stage.start()
    guild = stage.env.bot.get_guild(stage.guild.id)
    stage.env.bot.dispatch("guild_remove", guild)
    await stage.env.settle()
    assert stage.engine.world.tasks[task.id].state == "paused"


async def test_memories_are_listed_and_forgotten_here_only(stage: Stage) -> None:
    """One server's memories are invisible and untouchable elsewhere."""
    mine = stage.engine.remember(f"guild:{stage.guild.id}", "Oak floats")
    other = stage.engine.remember("guild:1", "Their secret")
    listed = await stage.boss.slash(stage.lobby, "memory list")
    assert "Oak floats" in listed.response.content and "secret" not in listed.response.content
    refused = await stage.boss.slash(stage.lobby, "memory forget", memory=str(other))
    assert "/memory list" in refused.response.content
    await stage.boss.slash(stage.lobby, "memory forget", memory=f"#{mine}")
    assert stage.engine.ordered == ForgetMemory(mine, f"discord:{stage.boss.id}")
    refused = await stage.stranger.slash(stage.lobby, "memory list")
    assert "not allowed to start" in refused.response.content


async def test_all_memories_can_be_turned_to(stage: Stage) -> None:
    """Many lines come in pages, the newest first."""
    for number in range(20):
        stage.engine.remember(f"guild:{stage.guild.id}", f"Lesson {number} " + "x" * 400)
    listed = await stage.boss.slash(stage.lobby, "memory list")
    assert listed.response.content.count("**#") == 9 and "Lesson 0 " in listed.response.content
    await stage.boss.click(listed.response, label="Older")
    await stage.boss.click(listed.response, label="Older")
    assert "Lesson 19 " in listed.response.content and listed.response.content.count("**#") == 2


@pytest.mark.parametrize(("mode", "lines"), [("off", 0), ("answers", 2), ("all", 4)])
async def test_followers_are_told_as_much_as_they_asked(stage: Stage, mode: str, lines: int) -> None:
    """Mentioned by name and nobody else, in the task's first place; its owner, told anyway, is not."""
    task = await stage.start()
    await stage.crew.slash(task.room, "follow all")
    await stage.crew.slash(task.room, f"follow {mode}")
    await stage.boss.slash(task.room, "follow answers")
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    stage.engine.recruit(ada, "Ben")
    stage.engine.assign(task.boss, ada, "Saw @everyone", "accepted")
    stage.engine.raise_gate(task.boss, "Which wood?")
    stage.engine.end(task.id)
    told = await stage.pings()
    assert len(told) == lines
    assert all(post.pings == (stage.crew.id,) and f"<@{stage.crew.id}>" in post.text for post in told)
    assert {post.group_id for post in told} <= {stage.engine.world.tasks[task.id].root_group_id}


async def test_help_and_its_marks(stage: Stage) -> None:
    """One ephemeral page naming the commands to begin with."""
    result = await stage.stranger.slash(stage.lobby, "help")
    assert (
        result.ephemeral and "/task new" in result.response.content and len(result.response.content) <= 2000
    )


async def test_commands_are_sent_once_and_again_when_discord_lost_them(stage: Stage) -> None:
    """A restart with the same commands sends nothing; a Discord that has none gets them."""

    def puts() -> int:
        return sum(r.method == "PUT" and r.path.endswith("/commands") for r in stage.env.http_requests)

    before = puts()
    await stage.restart()
    assert puts() == before == 1
    with stage.env._bot_scope():
        await stage.env.bot.http.bulk_upsert_global_commands(stage.env.bot.application_id, [])
    after_wipe = puts()
    await stage.restart()
    assert puts() == after_wipe + 1


async def test_every_command_is_acknowledged_before_it_works(stage: Stage) -> None:
    """Deferred (or a window opened) at once: what follows may take longer than three seconds."""
    task = await stage.start()
    stage.engine.recruit(task.boss, "Ada")
    plain = ("list", "status", "pause", "resume", "stop", "files", "log", "tree", "export")
    calls: list[tuple[str, dict[str, Any]]] = [(f"task {name}", {}) for name in plain]
    calls += [(f"agent {name}", {"agent": "Ada"}) for name in ("inspect", "pause", "resume", "dismiss")]
    calls += [(name, {}) for name in ("follow all", "memory list", "setup", "doctor")]
    for name, options in calls:
        await stage.boss.slash(task.room, name, **options)
        first = [r.json for r in stage.env.http_requests if r.path.endswith("/callback")][-1]
        assert first == {"type": 5, "data": {"flags": 64}}, name
    for name, options in (("task new", {}), ("task cap", {}), ("group say", {"group": "Root"})):
        assert (await stage.boss.slash(task.room, name, **options)).modal, name


async def test_every_command_is_described_guarded_and_within_limits(stage: Stage) -> None:
    """Descriptions everywhere, default permissions everywhere, five menu entries at most."""
    commands = stage.env.bot.tree.get_commands()
    menus = [c for c in commands if isinstance(c, discord.app_commands.ContextMenu)]
    assert 1 <= len(menus) <= 5
    for command in commands:
        drawn = command.to_dict(stage.env.bot.tree)
        assert drawn["default_member_permissions"] and drawn["dm_permission"] is False
        assert drawn["contexts"] == drawn["integration_types"] == [0], command.name
        if command not in menus:
            assert drawn["description"] and all_described(drawn["options"])


def all_described(options: list[dict[str, Any]]) -> bool:
    """Every option and subcommand says what it is, never discord.py's placeholder."""
    return all(o["description"].strip("… ") and all_described(o.get("options", [])) for o in options)
