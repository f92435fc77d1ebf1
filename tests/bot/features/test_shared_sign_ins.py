"""Who signs the agents in to a server of tools: managers of one Discord server, or the bot's operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.discord.access import operators_of, signer_of
from bot.features.tools.sign_in import SignInButton
from engine.ports import OutsideTool, Record, ServerState, SignInLink
from tests.bot.features.conftest import Stage

HERE = frozenset({"1", "2"})


class Tools:
    """Servers of tools that note who signs in and out."""

    def __init__(self, spaces: frozenset[str] | None) -> None:
        self.state = ServerState("calendar", "ready", signs_in=True, signed_in=True, spaces=spaces)
        self.done: list[str] = []
        self.may: Callable[[], Awaitable[bool]] | None = None

    def states(self) -> tuple[ServerState, ...]:
        """The one server."""
        return (self.state,)

    def all_tools(self) -> tuple[OutsideTool, ...]:
        """None."""
        return ()

    async def begin_sign_in(
        self, server: str, space: str, by: str, may: Callable[[], Awaitable[bool]], record: Record
    ) -> SignInLink:
        """Note it."""
        self.done.append(f"in {by}")
        self.may = may
        return SignInLink(server, "https://example.org/x", "example.org", 600)

    async def sign_out(self, server: str, space: str, record: Record) -> None:
        """Note it."""
        self.done.append("out")

    async def finish_sign_in(self, address: str, by: str) -> str:
        """As the engine does: the right is asked again."""
        assert self.may is not None
        self.done.append(f"finished {await self.may()}")
        return "calendar"


def use(stage: Stage, spaces: frozenset[str] | None) -> Tools:
    """Give the bot a server of tools."""
    tools = Tools(spaces)
    stage.env.bot.parts = replace(stage.env.bot.parts, outside=tools)
    return tools


async def press(stage: Stage, member: Any, verb: str) -> str:
    """Press a button by its id, wherever it came from. Return what the person alone is told."""
    view = discord.ui.View(timeout=None)
    view.add_item(SignInButton(verb, "calendar"))
    shown = await stage.env.bot.get_channel(stage.lobby.id).send("x", view=view)
    label = view.children[0].item.label  # type: ignore[attr-defined]
    told = await member.click(shown, label=label)
    answered = (told.response, *told.followups)[-1]
    assert answered.flags.ephemeral
    return str(answered.content)


def operator(stage: Stage, monkeypatch: pytest.MonkeyPatch, person: int) -> None:
    """Let a person own the bot's application."""

    async def info() -> Any:
        return type("Info", (), {"team": None, "owner": discord.Object(person)})()

    monkeypatch.setattr(stage.env.bot, "application_info", info)


@pytest.mark.parametrize("verb", ["ask", "out"])
@pytest.mark.parametrize("listed", [False, True])
async def test_a_manager_of_one_of_several_servers_does_not_sign_for_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, verb: str, listed: bool
) -> None:
    """Only the operator may, also without a right in the server; the others are told whom to ask."""
    stage.env.create_guild()
    spaces = frozenset({f"guild:{stage.guild.id}", "guild:2"}) if listed else None
    tools = use(stage, spaces)
    operator(stage, monkeypatch, stage.stranger.id)
    for member in (stage.boss, stage.crew):
        told = await press(stage, member, verb)
        assert "bot's operator" in told and "Ask the owner of the bot's application" in told
    assert tools.done == []
    assert "calendar" in await press(stage, stage.stranger, verb)
    assert tools.done == ["out" if verb == "out" else f"in discord:{stage.stranger.id}"]
    if verb == "ask":
        assert tools.may is not None and await tools.may()
        operator(stage, monkeypatch, stage.boss.id)
        assert not await tools.may(), "asked again when the sign-in ends"


@pytest.mark.parametrize("listed", [False, True])
async def test_a_manager_signs_for_the_only_server(stage: Stage, listed: bool) -> None:
    """Where the bot is in one Discord server, or the entry names this one alone; nobody else may."""
    if listed:
        stage.env.create_guild()
    tools = use(stage, frozenset({f"guild:{stage.guild.id}"}) if listed else None)
    assert "Manage Server" in await press(stage, stage.crew, "out")
    assert tools.done == []
    await press(stage, stage.boss, "out")
    assert tools.done == ["out"]


async def test_a_second_server_takes_the_right_from_an_open_link(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun while the bot was in one Discord server, the sign-in would end as one for two."""
    tools = use(stage, None)
    operator(stage, monkeypatch, stage.stranger.id)
    await press(stage, stage.boss, "ask")
    assert tools.may is not None and await tools.may()
    stage.env.create_guild()
    assert not await tools.may()


async def test_a_button_of_another_servers_tools_finds_nothing(stage: Stage) -> None:
    """Its id alone is enough for nobody."""
    tools = use(stage, frozenset({"guild:1"}))
    for verb in ("ask", "out"):
        assert "There is no tool server calendar here" in await press(stage, stage.boss, verb)
        assert "Manage Server" in await press(stage, stage.crew, verb), "no name is confirmed to others"
    assert tools.done == []


async def test_tools_shows_the_operator_the_buttons_of_shared_servers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who neither manages the server nor operates the bot gets none."""
    stage.env.create_guild()
    use(stage, None)
    operator(stage, monkeypatch, stage.crew.id)
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    shown = await stage.crew.slash(stage.lobby, "tools")
    assert "Sign out of calendar" in str(shown.response.components)
    operator(stage, monkeypatch, stage.stranger.id)
    shown = await stage.crew.slash(stage.lobby, "tools")
    assert "Sign out of calendar" not in str(shown.response.components)


@pytest.mark.parametrize("command", ["tools", "doctor"])
async def test_servers_of_tools_of_other_discord_servers_are_not_shown(stage: Stage, command: str) -> None:
    """Neither their state nor a button, also not to a manager."""
    use(stage, frozenset({"guild:1"}))
    shown = await stage.boss.slash(stage.lobby, command)
    answered = (shown.response, *shown.followups)[-1]
    assert answered.content
    assert "calendar" not in answered.content + str(answered.components)
    use(stage, None)
    shown = await stage.boss.slash(stage.lobby, command)
    answered = (shown.response, *shown.followups)[-1]
    assert "Sign out of calendar" in str(answered.components)


def test_the_rule() -> None:
    """One place decides it."""
    assert [signer_of(None, guilds) for guilds in (1, 2)] == ["manager", "operator"]
    assert [signer_of(HERE, 1), signer_of({"1"}, 9)] == ["operator", "manager"]


def test_a_team_operates_without_those_who_only_read_or_only_were_invited() -> None:
    """Who may change the application may act for it."""

    def member(number: int, role: str, state: int = 2) -> dict[str, Any]:
        user = {"id": str(number), "username": "x", "discriminator": "0", "avatar": None}
        return {"user": user, "role": role, "membership_state": state, "team_id": "1", "permissions": ["*"]}

    members = [member(1, "admin"), member(2, "developer"), member(3, "read_only"), member(4, "admin", 1)]
    data: Any = {"id": "1", "name": "t", "icon": None, "owner_user_id": "9", "members": members}
    state: Any = None
    team = discord.Team(state, data)
    info: Any = type("Info", (), {"team": team, "owner": discord.Object(7)})()
    assert operators_of(info) == {1, 2, 9}
