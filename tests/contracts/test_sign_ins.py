"""A sign-in holds in every process of an installation: two real processes on one database."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl

from engine.connectors.mcp import server
from engine.connectors.mcp.config import load_servers
from engine.connectors.mcp.servers import McpServers
from engine.connectors.mcp.signin_store import KeptSignIn
from engine.runtime.clock import SystemClock
from engine.store.core import SIGN_INS
from tests.contracts.conftest import World
from tests.contracts.other_process import LOOK
from tests.engine.connectors.auth_server import Accounts, guarded_server
from tests.engine.connectors.test_sign_in import kept, sent_to, unrecorded, until, yes

REDIRECT = "https://bot.example.org/signed-in"
PROGRAM = Path(__file__).with_name("other_process.py")


@dataclass(slots=True)
class Other:
    """The other process."""

    process: asyncio.subprocess.Process

    async def ask(self, line: str) -> str:
        """Return its answer to a line."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(60):
            return (await self.process.stdout.readline()).decode().strip()

    async def until(self, state: str) -> None:
        """Wait until its server is in a state."""
        async with asyncio.timeout(60):
            while not (await self.ask("state")).startswith(state):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


@asynccontextmanager
async def other(world: World, config: Path) -> AsyncIterator[Other]:
    """Another process on the world's database, with an `mcp.json` of its own."""
    arguments = [sys.executable, "-m", "tests.contracts.other_process", world.url, str(config), REDIRECT]
    process = await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE)
    try:
        yield Other(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.wait()


@asynccontextmanager
async def ours(world: World, config: Path) -> AsyncIterator[McpServers]:
    """The servers in this process."""
    made = McpServers(load_servers(config, {}), config.with_name("ours"), (world.db, SystemClock()), REDIRECT)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("world", ["postgresql-procrastinate"], indirect=True)
async def test_a_sign_in_a_renewal_and_a_sign_out_hold_in_every_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is ready without a restart; an ended token is renewed once, though both need it at once.

    Its renewal token is good once. A refusal is told where people see it; signing out ends both.
    """
    monkeypatch.setattr(server, "LOOK_S", 0.1)
    accounts, config = Accounts(), world.folder / "mcp.json"
    async with guarded_server(accounts) as url:
        config.write_text(json.dumps({"mcpServers": {"guarded": {"url": url}}}))
        async with ours(world, config) as made, other(world, config) as elsewhere:
            await until(lambda: made.states()[0].condition == "needs_sign_in")
            await elsewhere.until("needs_sign_in True")
            link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
            await made.finish_sign_in(await sent_to(link.address), "ann")
            await elsewhere.until("ready False True")
            assert await elsewhere.ask("look tea") == "seen tea"
            await until(lambda: made.states()[0].condition == "ready")
            for _ in range(3):
                await kept(made).change(expires_at=1.0)
                first, second = await asyncio.gather(
                    made.call(LOOK, {"item": "milk"}), elsewhere.ask("look milk")
                )
                assert (first.text, second) == ("seen milk", "seen milk")
            assert accounts.renewed == 3 and len(accounts.clients) == 1
            accounts.access.clear()
            accounts.renewals.clear()
            async with asyncio.timeout(90):
                while not made.states()[0].signs_in:  # an old token is renewed first, by the next call
                    assert (await elsewhere.ask("look never")).startswith("NotSent")
                    await asyncio.sleep(0.2)
            link = await made.begin_sign_in("guarded", "ann", yes, unrecorded)
            await made.finish_sign_in(await sent_to(link.address), "ann")
            await elsewhere.until("ready")
            assert await elsewhere.ask("look jam") == "seen jam"
            await until(lambda: made.states()[0].signed_in)
            await made.sign_out("guarded", unrecorded)
            assert (await elsewhere.ask("look never")).startswith("NotSent")
            await until(lambda: made.states()[0].condition == "needs_sign_in")
    assert accounts.made == ["tea", *["milk"] * 6, "jam"]


class _Still(SystemClock):
    """A clock that is set."""

    at = 1_000.0

    def now(self) -> float:
        """Return the time that it was set to."""
        return self.at


async def test_one_renews_at_a_time_and_one_that_died_is_not_waited_for(world: World) -> None:
    """Nothing kept is lost when two change at once; a token that another replaced is not ended."""
    clock, where = _Still(), ("https://one.example/mcp", REDIRECT)
    first, second = (KeptSignIn(world.db, clock, "one", where) for _ in range(2))
    await asyncio.gather(first.change(asked_scope="more"), second.change(expires_at=5.0))
    seen = await first.read()
    assert (seen.asked_scope, seen.expires_at, await second.number()) == ("more", 5.0, 2)
    assert await first.claim_renewal("a") and not await second.claim_renewal("b")
    await second.end_renewal("b")  # it is not its own
    await first.end_renewal("c")  # nor is it another request's of the same process
    assert not await second.claim_renewal("b") and not await first.claim_renewal("c")
    clock.at += 61
    assert await second.claim_renewal("b") and not await first.claim_renewal("a")
    await second.end_renewal("b")
    assert await first.claim_renewal("a")
    await second.ended_early("a token of before")
    assert (await first.read()).expires_at == 5.0
    moved = KeptSignIn(world.db, clock, "one", ("https://two.example/mcp", REDIRECT))
    assert (await moved.read()).asked_scope == ""  # tokens go to the address that they were given for


async def test_what_is_done_to_one_sign_in_changes_no_other(world: World) -> None:
    """Two servers at one address, of which the second has the same tokens: each act leaves its row."""
    clock, where = _Still(), ("https://one.example/mcp", REDIRECT)
    one, other, same = (KeptSignIn(world.db, clock, name, where) for name in ("one", "two", "two"))
    tokens = OAuthToken(access_token="t", refresh_token="r", expires_in=60)
    for each in (one, other):
        await each.set_tokens(tokens)
    assert await other.claim_renewal("one request")
    others = sa.select(SIGN_INS).where(SIGN_INS.c.server == "two")
    before = await world.rows(others)
    client = OAuthClientInformationFull(client_id="c", redirect_uris=[AnyUrl(REDIRECT)])
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: one.claim_renewal("another"),
        lambda: one.end_renewal("another"),
        lambda: one.ended_early("t"),
        lambda: one.note_refused("t"),
        lambda: one.renewal_refused("t"),
        lambda: one.set_client_info(client),
        one.forget,
    ]
    for act in acts:
        own = await one.number()
        await act()
        assert await world.rows(others) == before
        assert (await one.number() > own) == (act not in acts[:2])
    assert not await same.claim_renewal("a third")
    assert await one.get_tokens() is None and await other.get_tokens() == tokens
