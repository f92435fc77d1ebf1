"""Other web pages get nothing from the loopback server, whatever they try."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from bot.local import LocalDiscord, LocalOptions
from tests.bot.local.conftest import raw

PAGES = ["", "page/app.js", "page/state", "page/commands?channel=1", "page/messages?channel=1",
         "page/pins?channel=1", "page/live?since=", "cdn/attachments/1/1/a.png"]  # fmt: skip


def cookie(local: LocalDiscord) -> dict[str, str]:
    """What a browser sends that opened the printed address."""
    port = local.base_url.rstrip("/").rsplit(":", 1)[1]
    return {"Cookie": f"megaagent-{port}={local.page_key}"}


async def get(url: str, **headers: str) -> int:
    """The status of a GET."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status


@pytest.mark.parametrize("path", PAGES)
async def test_other_hosts_and_origins(local: LocalDiscord, path: str) -> None:
    """A rebound name and a foreign origin are refused on every address."""
    assert await get(local.base_url + path, Host="evil.example") == 421
    port = local.base_url.rstrip("/").rsplit(":", 1)[1]
    key = cookie(local)
    assert await get(local.base_url + path, Host=f"evil.example:{port}", **key) == 421
    assert await get(local.base_url + path, Origin="https://evil.example", **key) in (403, 404)
    assert await get(local.base_url + path, **{"Sec-Fetch-Site": "cross-site"}, **key) in (403, 404)


async def test_actions_need_the_pages_own_header(local: LocalDiscord) -> None:
    """A form another page posts does nothing: it cannot send our header, nor pass for us."""
    lobby = local.you.channel("lobby")
    body = {"channel": lobby["id"], "content": "forged"}
    origin = local.base_url.rstrip("/")
    async with aiohttp.ClientSession(headers=cookie(local)) as session:
        for headers in (
            {},
            {"Origin": origin},
            {"Origin": "https://evil.example", "X-Local-Discord": "1"},
            {"Origin": "null", "X-Local-Discord": "1"},
        ):
            url = local.base_url + "page/act/send"
            async with session.post(url, json=body, headers=headers) as response:
                assert response.status == 403
        headers = {"Origin": origin, "X-Local-Discord": "1"}
        assert local.you.history(lobby) == []
        async with session.post(url, json=body, headers=headers) as response:
            assert response.status == 200
        async with session.options(url, headers={"Origin": "https://evil.example"}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
    assert [m["content"] for m in local.you.history(lobby)] == ["forged"]


async def test_browsers_do_not_reach_rest_or_gateway(local: LocalDiscord) -> None:
    """Even with the token, a request from a browser is refused by REST and gateway."""
    assert (await raw(local, "GET", "/users/@me", Origin=local.base_url))[0] == 403
    assert (await raw(local, "GET", "/users/@me", **{"Sec-Fetch-Mode": "cors"}))[0] == 403
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(local.gateway_url + "?v=10", origin="https://evil.example")
    assert refused.value.status == 403


async def test_page_headers_and_files(local: LocalDiscord) -> None:
    """The page allows no script but its own; files that could hold script only download."""
    lobby = local.you.channel("lobby")
    files = [("a.svg", b"<svg onload=alert(1)>"), ("b.html", b"<script>"), ("../c.png", b"png")]
    sent = await local.you.send(lobby, "x", files=files)
    async with aiohttp.ClientSession(headers=cookie(local)) as session:
        async with session.get(local.base_url) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
        for attachment, disposition in zip(sent["attachments"], ("attach", "attach", "inline"), strict=True):
            async with session.get(attachment["url"]) as response:
                assert response.headers["Content-Disposition"].startswith(disposition)
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "sandbox" in response.headers["Content-Security-Policy"]
    assert [a["filename"] for a in sent["attachments"]] == ["a.svg", "b.html", "c.png"]


@pytest.mark.parametrize("path", PAGES)
async def test_other_users_of_the_machine_see_nothing(local: LocalDiscord, path: str) -> None:
    """They reach the port and may send any header; the key is what they lack."""
    forged = {"X-Local-Discord": "1", "Origin": local.base_url.rstrip("/")}
    port = local.base_url.rstrip("/").rsplit(":", 1)[1]
    for key in ({}, {"Cookie": f"megaagent-{port}="}, {"Cookie": f"megaagent-{port}=é{local.token}"}):
        assert await get(local.base_url + path, **forged, **key) == 401
    assert await get(local.base_url + "?key=" + local.page_key[:-1]) == 401
    assert await get(local.base_url + "page/nothing-there") == 401


async def test_other_users_of_the_machine_do_nothing(local: LocalDiscord) -> None:
    """No message, no command: nothing is started and no key is spent."""
    lobby = local.you.channel("lobby")
    headers = {"X-Local-Discord": "1", "Origin": local.base_url.rstrip("/")}
    async with aiohttp.ClientSession(headers=headers) as session:
        for verb in ("send", "slash", "click", "submit", "autocomplete"):
            body = {"channel": lobby["id"], "content": "forged", "name": "task new"}
            async with session.post(f"{local.base_url}page/act/{verb}", json=body) as response:
                assert response.status == 401
    assert local.you.history(lobby) == []
    for token in ("", "Bot ", f"Bot {local.page_key}"):
        assert (await raw(local, "GET", "/users/@me", Authorization=token))[0] == 401


async def test_the_printed_address_becomes_a_cookie(local: LocalDiscord) -> None:
    """The key leaves the address bar, and no script and no other site can send or read the cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(local.page_url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            (said,) = response.headers.getall("Set-Cookie")
            assert "HttpOnly" in said and "SameSite=Strict" in said
        async with session.get(local.base_url + "page/state") as response:
            assert response.status == 200
    assert await get(local.page_url, Origin="https://evil.example") == 401


async def test_a_files_address_is_enough_for_that_file(local: LocalDiscord) -> None:
    """The bot fetches uploads by their address alone, as from Discord; others cannot guess one."""
    sent = await local.you.send(
        local.you.channel("lobby"), "x", files=[("a b.txt", b"one"), ("c.txt", b"two")]
    )
    one, two = (attachment["url"] for attachment in sent["attachments"])
    assert await get(one) == 200
    assert await get(one.partition("?")[0]) == 401
    assert await get(one.partition("?")[0] + "?" + two.partition("?")[2]) == 401


async def test_what_is_kept_is_for_one_user_alone(tmp_path: Path) -> None:
    """The world, the bot's token and the page's key, also in a folder that was open before."""
    folder = tmp_path / "local"
    folder.mkdir(mode=0o755)
    (folder / "discord.sqlite3").touch(0o644)
    local = LocalDiscord(LocalOptions(data=folder))
    await local.start()
    key = local.page_key
    assert folder.stat().st_mode & 0o077 == 0
    assert [file.name for file in folder.iterdir() if file.stat().st_mode & 0o077] == []
    await local.stop()
    again = LocalDiscord(LocalOptions(data=folder))
    await again.start()
    assert again.page_key == key
    await again.stop()


async def test_only_loopback_is_bound(local: LocalDiscord) -> None:
    """The server listens on 127.0.0.1 and nowhere else."""
    assert local.base_url.startswith("http://127.0.0.1:")
    assert {host for host, _ in local.addresses} == {"127.0.0.1"}


async def test_taken_port_is_said(local: LocalDiscord) -> None:
    """A second server on the same port is refused, and leaves nothing behind."""
    port = int(local.base_url.rstrip("/").rsplit(":", 1)[1])
    second = LocalDiscord(LocalOptions(port=port))
    with pytest.raises(OSError, match="in use"):
        await second.start()
