"""Other web pages get nothing from the loopback server, whatever they try."""

from __future__ import annotations

import aiohttp
import pytest

from bot.local import LocalDiscord, LocalOptions
from tests.bot.local.conftest import raw

PAGES = ["", "page/app.js", "page/state", "page/commands?channel=1", "page/messages?channel=1",
         "page/pins?channel=1", "page/live?since=", "cdn/attachments/1/1/a.png"]  # fmt: skip


async def get(url: str, **headers: str) -> int:
    """The status of a GET."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status


@pytest.mark.parametrize("path", PAGES)
async def test_other_hosts_and_origins(local: LocalDiscord, path: str) -> None:
    """A rebound name and a foreign origin are refused on every address."""
    assert await get(local.page_url + path, Host="evil.example") == 421
    port = local.page_url.rstrip("/").rsplit(":", 1)[1]
    assert await get(local.page_url + path, Host=f"evil.example:{port}") == 421
    assert await get(local.page_url + path, Origin="https://evil.example") in (403, 404)
    assert await get(local.page_url + path, **{"Sec-Fetch-Site": "cross-site"}) in (403, 404)


async def test_actions_need_the_pages_own_header(local: LocalDiscord) -> None:
    """A form another page posts does nothing: it cannot send our header, nor pass for us."""
    lobby = local.you.channel("lobby")
    body = {"channel": lobby["id"], "content": "forged"}
    origin = local.page_url.rstrip("/")
    async with aiohttp.ClientSession() as session:
        for headers in (
            {},
            {"Origin": origin},
            {"Origin": "https://evil.example", "X-Local-Discord": "1"},
            {"Origin": "null", "X-Local-Discord": "1"},
        ):
            url = local.page_url + "page/act/send"
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
    assert (await raw(local, "GET", "/users/@me", Origin=local.page_url))[0] == 403
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
    async with aiohttp.ClientSession() as session:
        async with session.get(local.page_url) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
        for attachment, disposition in zip(sent["attachments"], ("attach", "attach", "inline"), strict=True):
            async with session.get(attachment["url"]) as response:
                assert response.headers["Content-Disposition"].startswith(disposition)
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "sandbox" in response.headers["Content-Security-Policy"]
    assert [a["filename"] for a in sent["attachments"]] == ["a.svg", "b.html", "c.png"]


async def test_only_loopback_is_bound(local: LocalDiscord) -> None:
    """The server listens on 127.0.0.1 and nowhere else."""
    assert local.page_url.startswith("http://127.0.0.1:")
    assert {host for host, _ in local.addresses} == {"127.0.0.1"}


async def test_taken_port_is_said(local: LocalDiscord) -> None:
    """A second server on the same port is refused, and leaves nothing behind."""
    port = int(local.page_url.rstrip("/").rsplit(":", 1)[1])
    second = LocalDiscord(LocalOptions(port=port))
    with pytest.raises(OSError, match="in use"):
        await second.start()
