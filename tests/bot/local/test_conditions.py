"""What a server or Discord itself may be like, switched on: outages, bans, filters, slow mode, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest
from simcord.enums import ChannelType

from bot.features.setup.doctor import IN_PLACE, IN_SERVER, PINS, READ_ONLY
from bot.local import LocalDiscord
from bot.local.interactions import CannotError
from bot.local.options import INVITED
from tests.bot.local.conftest import House, raw

BUTTON: dict[str, Any] = {"type": 2, "style": 1, "custom_id": "x"}
SELECT: dict[str, Any] = {"type": 3, "custom_id": "x", "options": [{"label": "a", "value": "a"}]}
SLASH: dict[str, Any] = {"name": "a", "description": "d", "type": 1}
VALUE: dict[str, Any] = {"name": "o", "description": "d", "type": 3}
SUB: dict[str, Any] = {"name": "s", "description": "d", "type": 1}
GROUP: dict[str, Any] = {"name": "g", "description": "d", "type": 2, "options": [SUB]}


def row(*components: dict[str, Any]) -> dict[str, Any]:
    """A message with one row."""
    return {"content": "x", "components": [{"type": 1, "components": list(components)}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (row(BUTTON), "components"),
        (row(SELECT | {"max_values": 2}), "components"),
        ({"content": "x", "allowed_mentions": {"users": [str(n) for n in range(101)]}}, "allowed_mentions"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions"),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions"),
    ],
)
async def test_messages_discord_refuses(local: LocalDiscord, body: dict[str, Any], field: str) -> None:
    """50035 under the field."""
    lobby = local.you.channel("lobby")["id"]
    status, answer, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json=body)
    assert (status, answer["code"]) == (400, 50035) and field in answer["errors"]


@pytest.mark.parametrize(
    "command",
    [
        SLASH | {"options": [VALUE, VALUE]},
        SLASH | {"options": [VALUE | {"autocomplete": True, "choices": [{"name": "a", "value": "a"}]}]},
        SLASH | {"options": [GROUP | {"options": [GROUP]}]},
        SLASH | {"options": [SUB | {"options": [GROUP]}]},
        SLASH | {"options": [GROUP | {"options": [VALUE]}]},
        SLASH | {"options": [SUB, VALUE]},
        SLASH | {"options": [VALUE | {"type": 4, "min_value": 2, "max_value": 1}]},
        SLASH | {"options": [VALUE | {"min_length": 6001}]},
        SLASH | {"options": [VALUE | {"max_length": 0}]},
        {"name": "m", "type": 3, "description": "d"},
        SLASH | {"contexts": [3]},
        SLASH | {"integration_types": [2]},
        SLASH | {"integration_types": []},
    ],
)
async def test_commands_discord_refuses(local: LocalDiscord, command: dict[str, Any]) -> None:
    """50035 at the sync."""
    path = f"/applications/{local.world.application_id}/commands"
    status, answer, _ = await raw(local, "PUT", path, json=[command])
    assert (status, answer["code"]) == (400, 50035)


async def test_fifteen_menus_and_nested_commands(local: LocalDiscord) -> None:
    """What Discord takes is taken."""
    path = f"/applications/{local.world.application_id}/commands"
    menus = [{"name": f"m{n}", "type": 3} for n in range(15)]
    nested = SLASH | {"options": [GROUP, SUB | {"options": [VALUE | {"min_length": 0, "max_length": 6000}]}]}
    status, _, _ = await raw(local, "PUT", path, json=[nested, *menus])
    assert status == 200


@pytest.mark.parametrize(("kind", "code"), [(ChannelType.CATEGORY, 50008), (ChannelType.FORUM, 40058)])
async def test_no_message_stands_in_a_category_or_a_forum(local: LocalDiscord, kind: int, code: int) -> None:
    """Each has its code."""
    channel = local.world.create_channel(local.guild_id, "shelf", type=kind)
    status, answer, _ = await raw(local, "POST", f"/channels/{channel.id}/messages", json={"content": "x"})
    assert (status, answer["code"]) == (400, code)


@pytest.mark.parametrize(
    ("news", "kind", "status"), [(True, 11, 400), (True, 12, 400), (False, 10, 400), (True, 10, 201)]
)
async def test_threads_are_of_their_channels_kind(
    local: LocalDiscord, news: bool, kind: int, status: int
) -> None:
    """Announcement channels have announcement threads, and only these."""
    shelf = local.world.create_channel(
        local.guild_id, "shelf", type=ChannelType.NEWS if news else ChannelType.TEXT
    )
    body = {"name": "t", "type": kind, "auto_archive_duration": 1440}
    answer, _, _ = await raw(local, "POST", f"/channels/{shelf.id}/threads", json=body)
    assert answer == status


async def test_the_bot_has_what_the_readme_asks_for_and_no_more(local: LocalDiscord) -> None:
    """Its role, README's line and what `/doctor` looks for are one list."""
    assert {*IN_SERVER, *IN_PLACE, READ_ONLY, PINS} == INVITED
    fresh = LocalDiscord()
    await fresh.start()
    try:
        role = fresh.world.get_guild(fresh.guild_id).roles[fresh.you.bot_role]
        invited = discord.Permissions(**dict.fromkeys(INVITED, True))
        assert role.permissions == invited.value and not invited.administrator
    finally:
        await fresh.stop()


async def test_what_was_made_is_201_and_rest_names_no_guild(local: LocalDiscord) -> None:
    """Statuses and fields as the specification has them."""
    lobby = local.you.channel("lobby")["id"]
    made, channel, _ = await raw(local, "POST", f"/guilds/{local.guild_id}/channels", json={"name": "a"})
    thread, _, _ = await raw(local, "POST", f"/channels/{lobby}/threads", json={"name": "t", "type": 11})
    sent, message, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json={"content": "x"})
    assert (made, thread, sent) == (201, 201, 200) and channel["guild_id"]
    assert "guild_id" not in message and message["content"] == "x"
    assert local.gaps == []


async def test_a_guild_that_is_not_available(house: House) -> None:
    """The gateway says so; requests fail and people can do nothing until it is back."""
    local, you = house.local, house.local.you
    guild = house.bot.guilds[0]
    local.outage(True)
    async with asyncio.timeout(60):
        while not guild.unavailable:  # noqa: ASYNC110 - the small bot does not listen for it
            await asyncio.sleep(0.01)
    status, _, _ = await raw(local, "POST", f"/channels/{house.lobby.id}/messages", json={"content": "x"})
    assert status == 503
    with pytest.raises(CannotError, match="not available"):
        await you.send(house.lobby.id, "x")
    local.outage(False)
    await you.send(house.lobby.id, "back")
    await house.bot.pulse.until(lambda: [m.content for m in house.bot.heard[-1:]] == ["back"], 5)


async def test_too_many_invalid_requests_ban_the_address(local: LocalDiscord) -> None:
    """Then everything is refused by the edge, valid requests too, until the ban is over."""
    local.conditions.invalid_limit, local.conditions.ban_s = 5, 600.0
    for _ in range(5):
        status, _, _ = await raw(local, "GET", "/users/@me", Authorization="Bot nonsense")
        assert status == 401
    status, _, headers = await raw(local, "GET", "/users/@me")
    assert status == 429 and "Via" not in headers and int(headers["Retry-After"]) >= 1
    local.world.time.advance(601 / 50)
    status, _, _ = await raw(local, "GET", "/users/@me")
    assert status == 200


async def test_filters_for_names_words_and_links(local: LocalDiscord) -> None:
    """Each with its own code, the name's under its field."""
    known, lobby = local.conditions, local.you.channel("lobby")["id"]
    known.filtered_names, known.automod, known.harmful_links = "rude", "curse", r"bad\.example"
    _, answer, _ = await raw(local, "POST", f"/guilds/{local.guild_id}/channels", json={"name": "so-rude"})
    assert answer["errors"]["name"]["_errors"][0]["code"] == "INVALID_COMMUNITY_PROPERTY_NAME"
    for text, code in (("a curse", 200000), ("see bad.example", 240000)):
        _, answer, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json={"content": text})
        assert answer["code"] == code


async def test_two_factor_authentication_is_required(local: LocalDiscord) -> None:
    """For what moderators do, not for writing."""
    local.conditions.two_factor = True
    lobby = local.you.channel("lobby")["id"]
    for method, path in (
        ("POST", f"/guilds/{local.guild_id}/channels"),
        ("POST", f"/channels/{lobby}/webhooks"),
    ):
        status, answer, _ = await raw(local, method, path, json={"name": "a"})
        assert (status, answer["code"]) == (403, 60003)
    status, _, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json={"content": "x"})
    assert status == 200


async def test_slow_mode_holds_for_people_and_not_for_bots(house: House) -> None:
    """Nor for those who may manage messages."""
    house.local.world.edit_channel(house.lobby.id, {"rate_limit_per_user": 60})
    await house.local.guest.send(house.lobby.id, "one")
    with pytest.raises(CannotError, match="slow mode"):
        await house.local.guest.send(house.lobby.id, "two")
    for _ in range(2):
        await house.local.you.send(house.lobby.id, "free")
        await house.lobby.send("bots too")
    house.local.world.time.advance(61)
    await house.local.guest.send(house.lobby.id, "two")


async def identified(local: LocalDiscord) -> dict[str, Any] | int | None:
    """Log in on the gateway by hand: what comes after HELLO, or the close code."""
    hello = {"token": local.token, "intents": 1, "properties": {}}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(local.gateway_url + "?v=10&encoding=json") as ws,
    ):
        await ws.receive_json()
        await ws.send_json({"op": 2, "d": hello})
        answer = await ws.receive()
        return answer.json() if answer.type is aiohttp.WSMsgType.TEXT else ws.close_code


async def test_sessions_may_not_start_too_often(local: LocalDiscord) -> None:
    """One IDENTIFY in so many seconds, and only so many sessions."""
    local.conditions.identify_every_s = 3600.0
    first, second = await identified(local), await identified(local)
    assert isinstance(first, dict) and first["t"] == "READY"
    assert isinstance(second, dict) and (second["op"], second["d"]) == (9, False)
    local.conditions.identify_every_s, local.conditions.sessions_left = 0.0, 0
    assert await identified(local) == 4004


async def test_addresses_of_files_end(local: LocalDiscord) -> None:
    """Asked for again, the message has a fresh one."""
    local.conditions.links_last_s = 100.0
    lobby = local.you.channel("lobby")["id"]
    sent = await local.you.send(lobby, "", files=[("a.txt", b"words")])
    old = sent["attachments"][0]["url"]

    async def status(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status

    assert await status(old) == 200
    local.world.time.advance(101)
    assert await status(old) == 404
    forged = old.replace("ex=", "ex=f")
    assert await status(forged) == 401
    _, message, _ = await raw(local, "GET", f"/channels/{lobby}/messages/{sent['id']}")
    assert await status(message["attachments"][0]["url"]) == 200


async def test_a_nonce_counts_for_its_author_in_all_channels(local: LocalDiscord) -> None:
    """Also when its message was deleted: it is not made again."""
    lobby = local.you.channel("lobby")["id"]
    other = local.world.create_channel(local.guild_id, "other").id
    body = {"content": "x", "nonce": "n", "enforce_nonce": True}
    _, first, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json=body)
    _, again, _ = await raw(local, "POST", f"/channels/{other}/messages", json=body)
    assert again["id"] == first["id"] and local.you.history(other) == []
    await local.you.delete(first)
    status, answer, _ = await raw(local, "POST", f"/channels/{other}/messages", json=body)
    assert (status, answer["code"]) == (404, 10008)
    await asyncio.sleep(0)


async def test_an_outage_that_begins_within_a_request_refuses_it(local: LocalDiscord) -> None:
    """What was taken before is announced, what comes later is refused: nothing is posted in silence."""
    announced: list[str] = []
    local.world.subscribers.append(lambda event, _payload: announced.append(event))
    lobby = local.you.channel("lobby")

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"content": '
        await asyncio.sleep(0.05)
        local.outage(True)
        yield b'"x"}'

    path, kind = f"/channels/{lobby['id']}/messages", {"Content-Type": "application/json"}
    status, _, _ = await raw(local, "POST", path, data=slowly(), **kind)
    local.outage(False)
    said = [message["content"] for message in local.you.history(lobby)]
    assert (status, said) == (503, []) and "MESSAGE_CREATE" not in announced
