"""Discord's rate limits, as headers and as 429 answers."""

from __future__ import annotations

import asyncio
import logging

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.local import LimitScope, LocalDiscord, LocalOptions, point_discord_at
from bot.local.buckets import CREATES, GLOBAL, HIDDEN_POSTS, RENAMES, Limiter, Request
from tests.bot.local.conftest import House, close_bot, raw, run_bot

POST = Request("POST", "/webhooks/{webhook_id}/{token}", major="1", place="9", bot=False)


def test_five_per_two_seconds_and_webhook() -> None:
    """The sixth post within two seconds is refused with the time that is left."""
    limiter = Limiter()
    verdicts = [limiter.take(POST, 0.1 * n) for n in range(6)]
    assert [v.remaining for v in verdicts[:5]] == [4, 3, 2, 1, 0]
    assert verdicts[5].refused_by is not None and verdicts[5].retry_after == pytest.approx(1.5)
    assert limiter.take(POST, 2.0).refused_by is None


def test_hidden_thirty_a_minute_and_channel() -> None:
    """The 31st post of a minute in one channel waits at least 40 s, and no header said so."""
    limiter = Limiter()
    for n in range(30):
        assert limiter.take(POST, n * 0.5).refused_by is None
    verdict = limiter.take(POST, 15.0)
    assert verdict.refused_by is HIDDEN_POSTS and 40 <= verdict.retry_after <= 45
    assert verdict.limit is not None and verdict.remaining > 0
    elsewhere = Request(POST.method, POST.template, major="2", place="8", bot=False)
    assert limiter.take(elsewhere, 15.0).refused_by is None


def test_global_renames_and_creates() -> None:
    """50 a second for a bot; 2 names or topics per 10 minutes; channels are made slowly."""
    limiter = Limiter()
    me = Request("GET", "/users/@me", major="@me", place="")
    assert all(limiter.take(me, 0).refused_by is None for _ in range(50))
    assert limiter.take(me, 0.5).refused_by is GLOBAL
    rename = Request("PATCH", "/channels/{channel_id}", "5", "", frozenset({"name"}))
    assert [limiter.take(rename, 2).refused_by for _ in range(3)] == [None, None, RENAMES]
    assert limiter.take(rename, 602.0).refused_by is None
    make = Request("POST", "/guilds/{guild_id}/channels", "1", "")
    verdicts = [limiter.take(make, 1000 + n) for n in range(51)]
    assert verdicts[-1].refused_by is CREATES


def test_old_windows_are_forgotten() -> None:
    """A limiter that sees a new token every second for hours stays small, and still limits."""
    limiter = Limiter()
    for n in range(10_000):
        limiter.take(Request(POST.method, POST.template, f"token {n}", "", bot=False), float(n))
    assert len(limiter._windows) <= 2001
    for _ in range(5):
        limiter.take(POST, 10_000.0)
    assert limiter.take(POST, 10_000.5).refused_by is not None


@given(st.lists(st.floats(0, 3), min_size=1, max_size=120))
def test_never_more_than_the_bucket_allows(gaps: list[float]) -> None:
    """Whatever the pace, no window of a bucket or of the hidden limit lets more through."""
    limiter, now, through = Limiter(), 0.0, []
    for gap in gaps:
        now += gap
        if limiter.take(POST, now).refused_by is None:
            through.append(now)
    windows = [[t for t in through if start <= t < start + 2.0] for start in through]
    # Fixed windows, as Discord's: two of them may meet, so twice the count is the bound.
    assert all(len(window) <= 10 for window in windows)
    assert len([t for t in through if t < 60]) <= 30 or now > 60


async def test_headers_tell_the_bucket() -> None:
    """Every answer of a limited route carries Discord's headers, and a Via."""
    server = LocalDiscord(LocalOptions(time_scale=0.5))  # a busy machine takes long to post six times
    await server.start()
    try:
        lobby = server.you.channel("lobby")["id"]
        path = f"/channels/{lobby}/messages"
        _, _, headers = await raw(server, "POST", path, json={"content": "x"})
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("5", "4")
        assert 0 < float(headers["X-RateLimit-Reset-After"]) <= 5 / 0.5
        assert headers["X-RateLimit-Bucket"] and headers["Via"]
        for _ in range(4):
            await raw(server, "POST", path, json={"content": "x"})
        status, body, headers = await raw(server, "POST", path, json={"content": "x"})
        assert status == 429 and body["global"] is False and body["retry_after"] <= 5 / 0.5
        assert headers["X-RateLimit-Scope"] == "user" and int(headers["Retry-After"]) >= 1
    finally:
        await server.stop()


async def test_discord_py_waits_and_everything_arrives(house: House) -> None:
    """Forty posts and sends through one channel all arrive, in order, with the limits on."""
    hook = await house.lobby.create_webhook(name="agents")
    for n in range(40):
        await hook.send(str(n), username="Ada")
    await asyncio.gather(*[house.lobby.send(f"s{n}") for n in range(10)])
    texts = [m.content async for m in house.lobby.history(limit=None, oldest_first=True)]
    assert [t for t in texts if not t.startswith("s")] == [str(n) for n in range(40)]
    assert len(texts) == 50
    limited = [call for call in house.local.rest.calls if call.status == 429]
    assert limited, "the hidden limit of 30 a minute was never met"


async def test_limits_can_be_switched_off() -> None:
    """Without limits nothing is ever refused for being too fast."""
    server = LocalDiscord(LocalOptions(rate_limits=False))
    await server.start()
    with point_discord_at(server):
        house = await run_bot(server)
        await asyncio.gather(*[house.lobby.send(str(n)) for n in range(60)])
        await close_bot(house)
    await server.stop()
    assert all(call.status == 200 for call in server.rest.calls if call.method == "POST")


@pytest.mark.parametrize("scope", [LimitScope.BUCKET, LimitScope.GLOBAL, LimitScope.SHARED])
async def test_429_variants_are_waited_out(
    house: House, scope: LimitScope, caplog: pytest.LogCaptureFixture
) -> None:
    """A 429 of the bucket, of all routes, or of a shared resource is met, waited out, repeated."""
    caplog.set_level(logging.CRITICAL)
    path = rf"/channels/{house.lobby.id}/messages"
    house.local.faults.limit("POST", path, scope=scope, retry_after=1.0)
    assert (await house.lobby.send("x")).content == "x"
    assert [fault.scope for fault, _, _ in house.local.faults.met] == [scope]


async def test_429_without_via_is_a_ban(house: House) -> None:
    """Cloudflare's 429 carries no Via: discord.py raises at once instead of waiting."""
    house.local.faults.limit("POST", r"/channels/\d+/messages", scope=LimitScope.CLOUDFLARE)
    with pytest.raises(discord.HTTPException) as caught:
        await house.lobby.send("x")
    assert caught.value.status == 429


async def test_edits_of_old_messages_are_few(house: House) -> None:
    """After an hour a message takes 30 edits an hour more, then 30046."""
    message = await house.lobby.send("card")
    house.local.world.time.advance(3700)
    path = f"/channels/{house.lobby.id}/messages/{message.id}"
    answers = []
    for n in range(31):
        house.local.world.time.advance(0.1)
        status, body, _ = await raw(house.local, "PATCH", path, json={"content": str(n)})
        answers.append((status, body.get("code")))
    assert answers[:30] == [(200, None)] * 30 and answers[30] == (429, 30046)
