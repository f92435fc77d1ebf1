"""Sign-ins at an MCP server with the official package's authorization server, over loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl
from sqlalchemy import Connection

from engine.connectors.mcp import server
from engine.connectors.mcp.callback import listening_at
from engine.connectors.mcp.config import load_servers
from engine.connectors.mcp.servers import McpServers
from engine.connectors.mcp.signin import check_link
from engine.connectors.mcp.signin_store import KeptSignIn
from engine.errors import Invalid, NotSent, WrongState
from engine.ports import OutsideTool
from engine.runtime.clock import SystemClock
from engine.secrets import redact
from tests.engine.connectors.auth_server import Accounts, free_port, guarded_server
from tests.engine.connectors.test_servers import database

PATIENCE_S = 90.0


async def yes() -> bool:
    """Say that they may."""
    return True


def unrecorded(_connection: Connection) -> None:
    """Record nothing."""


class NoRoom(Exception):
    """Nothing can be recorded."""


def no_room(_connection: Connection) -> None:
    """Fail to record."""
    raise NoRoom


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - other programs
            await asyncio.sleep(0.02)


@asynccontextmanager
async def servers(folder: Path, url: str, redirect: str, **ours: Any) -> AsyncIterator[McpServers]:
    """The server `guarded`, settled."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"guarded": {"url": url, "megaagent": ours}}}))
    db = database(folder)
    made = McpServers(load_servers(path, {}), folder / "mcp", (db, SystemClock()), redirect)
    await made.start()
    try:
        await until(lambda: made.states()[0].condition != "starting")
        yield made
    finally:
        await made.close()
        await db.close()


def look(made: McpServers) -> OutsideTool:
    """Return the tool that only reads."""
    return next(tool for tool in made.tools() if tool.tool == "look")


def kept(made: McpServers) -> KeptSignIn:
    """What is kept of the sign-in."""
    return made._servers["guarded"].sign_in


async def sent_to(link: str) -> str:
    """Open a link as a browser does, and return where it leads."""
    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(link)
    assert answer.status_code == 302
    return str(answer.headers["location"])


async def test_a_person_signs_in_by_the_link_and_a_restart_keeps_it(tmp_path: Path) -> None:
    """By the address that this process answers; nobody else can end it.

    No token is shown. Tokens are renewed, also after a restart and when the server ended one early.
    """
    accounts, redirect = Accounts(), f"http://127.0.0.1:{free_port()}/signed-in"
    async with guarded_server(accounts) as url:
        async with servers(tmp_path, url, redirect) as made:
            (state,) = made.states()
            assert state.condition == "needs_sign_in" and state.signs_in
            link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
            assert link.host == "127.0.0.1" and "code_challenge_method=S256" in link.address
            back = await sent_to(link.address)
            with pytest.raises(WrongState):
                await made.finish_sign_in(back, "bob")
            with pytest.raises(Invalid):
                await made.finish_sign_in(back.replace("/signed-in", "/other"), "ann")
            async with httpx2.AsyncClient() as browser:
                wrong = await browser.get(f"{redirect}?code=x&state=guessed")
                right = await browser.get(back)
            assert (wrong.status_code, right.status_code) == (400, 200)
            await until(lambda: made.states()[0].condition == "ready")
            assert (await made.call(look(made), {"item": "tea"})).text == "seen tea"
            with pytest.raises(WrongState):
                await made.finish_sign_in(back, "ann")
            (access,) = accounts.access
            assert (await kept(made).read()).access == access
            assert access not in redact(f"token: {access}")
            await kept(made).change(expires_at=1.0)
        async with servers(tmp_path, url, redirect) as made:
            assert made.states()[0].condition == "ready" and accounts.renewed == 1
            await kept(made).change(given_at=1.0)
        accounts.access.clear()
        async with servers(tmp_path, url, redirect) as made:
            await until(lambda: made.states()[0].condition == "ready")
            assert (await made.call(look(made), {"item": "milk"})).text == "seen milk"
            assert accounts.renewed == 2 and len(accounts.clients) == 1
            await kept(made).change(given_at=1.0)
            accounts.access.clear()
            with pytest.raises(NotSent):  # it is told as not made, not as unknown
                await made.call(look(made), {"item": "never"})
            await until(lambda: accounts.renewed == 3 and made.states()[0].condition == "ready")
    assert accounts.made == ["tea", "milk"]


async def test_a_renewal_that_is_refused_asks_for_a_sign_in(tmp_path: Path) -> None:
    """A renewal token ends some day, too: then only a person can go on, and the server is not asked again.

    A server that has trouble of its own is asked again later instead.
    """
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        accounts.access.clear()
        accounts.trouble = True
        await kept(made).change(expires_at=1.0, given_at=1.0)
        with pytest.raises(NotSent):
            await made.call(look(made), {"item": "never"})
        await until(lambda: made.states()[0].condition == "down")
        assert (await kept(made).read()).tokens is not None and not (await kept(made).read()).refused
        accounts.trouble = False
        accounts.renewals.clear()
        await until(lambda: made.states()[0].condition == "needs_sign_in")
        assert made.states()[0].signs_in
        seen = await kept(made).read()
        assert seen.refused and seen.tokens is not None and seen.tokens.refresh_token is None
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        assert (await made.call(look(made), {"item": "tea"})).text == "seen tea"
    assert accounts.made == ["tea"]


@pytest.mark.parametrize("given_at", [None, 1.0])
async def test_a_refused_call_leaves_the_way_to_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_at: float | None
) -> None:
    """However long it takes to note the refusal: the connection that heard it is not closed before that."""
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        note = KeptSignIn._change_of

        async def slowly(own: KeptSignIn, access: str, **values: Any) -> None:
            await asyncio.sleep(0.5)
            await note(own, access, **values)

        monkeypatch.setattr(KeptSignIn, "_change_of", slowly)
        if given_at is not None:
            await kept(made).change(given_at=given_at)
        accounts.access.clear()
        accounts.renewals.clear()
        with pytest.raises(NotSent):
            await made.call(look(made), {"item": "never"})
        await until(lambda: made.states()[0].condition == "needs_sign_in")
        assert made.states()[0].signs_in and (await kept(made).read()).refused


async def test_a_sign_out_while_the_sign_in_is_being_looked_at_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection closes although what was read of the sign-in is of the moment before."""
    monkeypatch.setattr(server, "LOOK_S", 0.05)
    accounts, redirect, reading = Accounts(), "https://bot.example.org/signed-in", asyncio.Event()
    number = KeptSignIn.number

    async def slowly(own: KeptSignIn) -> int:
        found = await number(own)
        reading.set()
        await asyncio.sleep(0.5)
        return found

    async with guarded_server(accounts) as url:
        async with servers(tmp_path, url, redirect) as made:
            link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
            await made.finish_sign_in(await sent_to(link.address), "ann")
        async with servers(tmp_path, url, redirect) as made:
            await until(lambda: made.states()[0].condition == "ready")
            monkeypatch.setattr(KeptSignIn, "number", slowly)
            await reading.wait()
            await made.sign_out("guarded", unrecorded)
            await until(lambda: made.states()[0].condition == "needs_sign_in")


async def test_a_sign_in_and_a_sign_out_are_recorded_or_do_not_happen(tmp_path: Path) -> None:
    """What is recorded and what is done are one transaction: nothing is done that the trail does not have.

    A sign-in that the server did not accept is not recorded.
    """
    accounts, redirect, recorded = Accounts(), "https://bot.example.org/signed-in", list[str]()

    def noted(_connection: Connection) -> None:
        recorded.append("in")

    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        link = await made.begin_sign_in("guarded", "ann", yes, no_room)
        with pytest.raises(Invalid):
            await made.finish_sign_in(await sent_to(link.address), "ann")
        assert (await kept(made).read()).tokens is None
        link = await made.begin_sign_in("guarded", "ann", yes, noted)
        with pytest.raises(Invalid, match="did not accept"):
            back = await sent_to(link.address)
            await made.finish_sign_in(back.replace("code=", "code=x"), "ann")
        assert recorded == []
        link = await made.begin_sign_in("guarded", "ann", yes, noted)
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        await kept(made).change(expires_at=1.0)
        assert (await made.call(look(made), {"item": "tea"})).text == "seen tea"
        assert recorded == ["in"] and accounts.renewed == 1  # a renewal is nobody's decision
        with pytest.raises(NoRoom):
            await made.sign_out("guarded", no_room)
        assert (await kept(made).read()).tokens is not None


async def test_a_request_cut_off_as_it_renews_lets_others_renew(tmp_path: Path) -> None:
    """A claim that nobody gave back would make every request of every process wait a minute."""
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        accounts.slow_s = 5.0
        await kept(made).change(expires_at=1.0)
        cut_off = asyncio.create_task(made.call(look(made), {"item": "never"}))
        await until(lambda: accounts.renewing)
        await made.close()
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        assert await kept(made).claim_renewal("another")


async def test_a_registered_app_signs_in_and_is_asked_for_a_wider_scope_when_a_tool_wants_it(
    tmp_path: Path,
) -> None:
    """As at GitHub: no registration by itself, the app's id and secret are those of mcp.json, and a tool that
    changes something is made only once a person agreed to its scope."""
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    accounts.clients["our-app"] = OAuthClientInformationFull(
        client_id="our-app",
        client_secret="our-secret",
        redirect_uris=[AnyUrl(redirect)],
        scope="notes more",
        token_endpoint_auth_method="client_secret_post",
    )
    oauth = {"client_id": "our-app", "client_secret": "our-secret", "scope": "notes"}
    async with (
        guarded_server(accounts, registers=False) as url,
        servers(tmp_path, url, redirect, oauth=oauth) as made,
    ):
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        asked = parse_qs(urlsplit(link.address).query)
        assert (asked["client_id"], asked["scope"]) == (["our-app"], ["notes"])
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        assert (await made.call(look(made), {"item": "tea"})).text == "seen tea"
        change = next(tool for tool in made.tools() if tool.tool == "change")
        with pytest.raises(NotSent):
            await made.call(change, {"item": "never"})
        await until(lambda: made.states()[0].condition == "needs_sign_in")
        link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
        assert parse_qs(urlsplit(link.address).query)["scope"] == ["notes more"]
        await made.finish_sign_in(await sent_to(link.address), "ann")
        await until(lambda: made.states()[0].condition == "ready")
        assert (await made.call(change, {"item": "milk"})).text == "changed milk"
    assert accounts.made == ["tea", "milk"] and set(accounts.clients) == {"our-app"}
    assert {token.client_id for token in accounts.access.values()} == {"our-app"}


async def test_a_pasted_address_ends_it_only_for_who_still_may(tmp_path: Path) -> None:
    """Where the redirect is not of this machine nothing listens; a refusal of the person is told in words."""
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    may = True

    async def may_still() -> bool:
        return may

    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        first = await made.begin_sign_in("guarded", "ann", may_still, unrecorded)
        link = await made.begin_sign_in("guarded", "ann", may_still, unrecorded)
        with pytest.raises(WrongState):  # the newer link ended the first
            await made.finish_sign_in(await sent_to(first.address), "ann")
        may = False
        with pytest.raises(WrongState, match="may not give it"):
            await made.finish_sign_in(await sent_to(link.address), "ann")
        may = True
        link = await made.begin_sign_in("guarded", "ann", may_still, unrecorded)
        state = link.address.partition("state=")[2].partition("&")[0]
        with pytest.raises(Invalid, match="not today"):
            refused = f"{redirect}?error=access_denied&error_description=not+today&state={state}"
            await made.finish_sign_in(refused, "ann")
        link = await made.begin_sign_in("guarded", "ann", may_still, unrecorded)
        assert await made.finish_sign_in(f" <{await sent_to(link.address)}> ", "ann") == "guarded"
        await until(lambda: made.states()[0].condition == "ready")


async def test_a_wrong_code_a_wrong_issuer_and_no_registration_are_said(tmp_path: Path) -> None:
    """Nothing is kept, and the next link works."""
    accounts, redirect = Accounts(), "https://bot.example.org/signed-in"
    async with guarded_server(accounts) as url, servers(tmp_path, url, redirect) as made:
        for spoiled in ("&code=made-up&was", "&iss=https://evil.example&code"):
            link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
            back = (await sent_to(link.address)).replace("?", "?x=1&").replace("&code", spoiled)
            with pytest.raises(Invalid, match="did not accept"):
                await made.finish_sign_in(back, "ann")
        assert not accounts.access and made.states()[0].condition == "needs_sign_in"
    gone = f"http://127.0.0.1:{free_port()}/mcp"
    async with servers(tmp_path, gone, redirect) as made:
        with pytest.raises(Invalid, match="cannot be signed in to"):
            await made.begin_sign_in("guarded", "ann", yes, unrecorded)


@pytest.mark.parametrize(
    "link", ["http://login.example/authorize", "javascript:alert(1)", "https//x", "http://[::1", "file:///x"]
)
def test_nobody_is_sent_to_a_page_without_encryption(link: str) -> None:
    """A sign-in page is reached over https, or on this machine."""
    with pytest.raises(Invalid):
        check_link(link)
    check_link("https://login.example/authorize")
    check_link("http://127.0.0.1:9/authorize")


def test_only_an_address_of_this_machine_is_listened_at_by_itself() -> None:
    """Any other where the operator says so."""
    assert listening_at("http://127.0.0.1:8767/signed-in", "") == ("127.0.0.1", 8767)
    assert listening_at("https://bot.example.org/signed-in", "") is None
    assert listening_at("https://bot.example.org/signed-in", "0.0.0.0:8767") == ("0.0.0.0", 8767)
    with pytest.raises(ValueError, match="no host and port"):
        listening_at("https://bot.example.org/signed-in", "8767")
