"""What goes wrong on demand, and how an unmodified discord.py takes it."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import pytest

from bot.local import LocalDiscord, LocalOptions, point_discord_at
from tests.bot.local.conftest import House, close_bot, raw, run_bot

SEND = r"/channels/\d+/messages"


async def until(house: House, *log: str) -> None:
    """Wait until the bot has lived through exactly these gateway events."""
    await house.bot.pulse.until(lambda: house.bot.log == list(log), 10)


async def test_5xx_is_retried(house: House) -> None:
    """discord.py repeats a 502 by itself and the message arrives once."""
    house.local.faults.fail("POST", SEND, status=502)
    await house.lobby.send("x")
    assert [m.content async for m in house.lobby.history()] == ["x"]


async def test_503_reaches_the_bot(house: House) -> None:
    """A 503 is not repeated: the bot has to deal with it."""
    house.local.faults.fail("POST", SEND, status=503)
    with pytest.raises(discord.DiscordServerError):
        await house.lobby.send("x")


async def test_dropped_before_and_after(house: House) -> None:
    """A connection cut before acceptance leaves nothing; cut after, the message is there unanswered."""
    house.local.faults.drop_before("POST", SEND)
    with pytest.raises(aiohttp.ClientError):
        await house.lobby.send("lost")
    house.local.faults.drop_after("POST", SEND)
    with pytest.raises(aiohttp.ClientError):
        await house.lobby.send("there")
    assert [m.content async for m in house.lobby.history()] == ["there"]


async def test_a_delayed_request_is_overtaken(house: House) -> None:
    """Latency holds one answer back while others pass; nothing is lost."""
    lobby = house.local.you.channel("lobby")["id"]
    house.local.faults.delay("POST", SEND, seconds=20)
    late = asyncio.ensure_future(house.lobby.send("late"))
    await house.local.world.pulse.until(lambda: bool(house.local.faults.met), 5)
    await raw(house.local, "POST", f"/channels/{lobby}/messages", json={"content": "early"})
    await late
    assert [m.content async for m in house.lobby.history(oldest_first=True)] == ["early", "late"]


async def test_faults_come_as_often_as_asked(local: LocalDiscord) -> None:
    """A fault for a pattern happens ``times`` times, and only there."""
    lobby = local.you.channel("lobby")["id"]
    local.faults.fail("*", SEND, status=500, times=2)
    assert (await raw(local, "GET", "/users/@me"))[0] == 200
    answers = [(await raw(local, "GET", f"/channels/{lobby}/messages"))[0] for _ in range(3)]
    assert answers == [500, 500, 200]
    local.faults.fail("*", SEND, status=500)
    local.faults.clear()
    assert (await raw(local, "GET", f"/channels/{lobby}/messages"))[0] == 200


async def test_op_7_reconnects_and_resumes(house: House) -> None:
    """Asked to reconnect, the bot resumes and misses nothing."""
    house.local.faults.reconnect()
    await house.local.you.send(house.lobby.id, "meanwhile")
    await until(house, "ready", "disconnect", "resumed")
    assert [m.content for m in house.bot.heard] == ["meanwhile"]


async def test_close_code_resumes(house: House) -> None:
    """A connection that dies is resumed; what was said meanwhile is replayed."""
    await house.local.faults.close(4000)
    await house.local.you.send(house.lobby.id, "missed?")
    await until(house, "ready", "disconnect", "resumed")
    assert [m.content for m in house.bot.heard] == ["missed?"]


async def test_op_9_resumable(house: House) -> None:
    """An invalid session that may be resumed is resumed."""
    house.local.faults.invalidate(resumable=True)
    await until(house, "ready", "disconnect", "resumed")


async def test_op_9_loses_what_was_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dropped session means a new READY, and a gap only history can fill."""
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda self: 0.05)
    house.local.faults.invalidate()
    await house.local.you.send(house.lobby.id, "lost")
    await until(house, "ready", "disconnect", "ready")
    assert house.bot.heard == []
    assert [m.content async for m in house.lobby.history()] == ["lost"]


async def test_zombie_is_noticed(local: LocalDiscord) -> None:
    """A connection that stops answering heartbeats is given up and resumed."""
    house = await run_bot(local, heartbeat_timeout=0.5)
    local.faults.zombie()
    await local.you.send(house.lobby.id, "into the silence")
    await until(house, "ready", "disconnect", "resumed")
    assert [m.content for m in house.bot.heard] == ["into the silence"]
    await close_bot(house)


async def test_server_restart(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that comes back on the same port finds its bot again, the world unchanged."""
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda self: 0.05)
    await house.lobby.send("before")
    await house.local.restart(down_for=0.1)
    await until(house, "ready", "disconnect", "ready")
    await house.lobby.send("after")
    assert [m.content async for m in house.lobby.history()] == ["after", "before"]


@pytest.mark.parametrize(("token", "code"), [("wrong", 4004)])
async def test_wrong_token(local: LocalDiscord, token: str, code: int) -> None:
    """A wrong token is refused by REST before the gateway is tried."""
    client = discord.Client(intents=discord.Intents.default())
    with pytest.raises(discord.LoginFailure):
        await client.start(token)
    await client.close()
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(local.gateway_url + "?v=10&encoding=json")
        await ws.receive_json()
        await ws.send_json({"op": 2, "d": {"token": token, "intents": 1, "properties": {}}})
        await ws.receive()
        assert ws.close_code == code


async def test_intents_that_are_not_approved() -> None:
    """Asking for message content without the portal's approval closes with 4014."""
    server = LocalDiscord(LocalOptions(privileged_intents=frozenset()))
    await server.start()
    with point_discord_at(server):
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await run_bot(server)
        house = await run_bot(server, message_content=False)
        await server.you.send(house.lobby.id, "secret")
        await server.you.send(house.lobby.id, f"for <@{server.world.bot_user.id}>")
        await house.bot.pulse.until(lambda: len(house.bot.heard) == 2, 10)
        assert [m.content for m in house.bot.heard] == ["", f"for <@{server.world.bot_user.id}>"]
        assert {m.content async for m in house.lobby.history()} == {m.content for m in house.bot.heard}
        await close_bot(house)
    await server.stop()


async def test_gateway_manners(local: LocalDiscord) -> None:
    """Not identified, identified twice, unknown intents: each closes with its own code."""
    hello = {"token": local.token, "intents": 1, "properties": {}}
    for frames, code in (
        ([{"op": 3, "d": {}}], 4003),
        ([{"op": 2, "d": hello}, {"op": 2, "d": hello}], 4005),
        ([{"op": 2, "d": hello | {"intents": 1 << 40}}], 4013),
        ([{"op": 1, "d": None}] * 121, 4008),
    ):
        async with aiohttp.ClientSession() as session:
            ws = await session.ws_connect(local.gateway_url + "?v=10&encoding=json")
            for frame in frames:
                await ws.send_json(frame)
            async for _ in ws:
                pass
            assert ws.close_code == code
