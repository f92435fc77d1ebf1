"""A manager signs the agents in to a server of tools through Discord; nobody else can."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from bot.app.bootstrap import RunningBot
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest, ServerCondition
from tests.engine.connectors.auth_server import Accounts, guarded_server
from tests.engine.connectors.test_sign_in import sent_to
from tests.flows.conftest import Start
from tests.flows.test_connectors import config
from tests.flows.test_task_on_discord import PATIENCE_S, command, ended, messages

REDIRECT = "https://bot.example.org/signed-in"


def looks_once(request: ChatRequest) -> ChatAnswer:
    """Look by the tool once it is there, then end."""
    if any("seen tea" in message.content for message in request.messages):
        return call(("finish", {"report": "Looked.", "deliverables": []}))
    offered = {tool.name for tool in request.tools}
    return call(("guarded__look", {"item": "tea"})) if "guarded__look" in offered else say("No such tool.")


async def _is(product: RunningBot, condition: ServerCondition) -> None:
    outside = product.engine.outside
    assert outside is not None
    async with asyncio.timeout(PATIENCE_S):
        while {s.condition for s in outside.states() if s.name == "guarded"} != {condition}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_manager_signs_in_by_a_pasted_address(start: Start, tmp_path: Path) -> None:
    """The link is private and a guest gets no button; agents then call with it, also after a restart.

    The trail names who did it; no token is in anything that anybody reads.
    """
    accounts = Accounts()
    async with guarded_server(accounts) as url:
        servers = config(tmp_path / "mcp.json", guarded={"url": url})
        more = {"mcp_config": servers, "mcp_oauth_redirect": REDIRECT, "web": False}
        async with start(looks_once, **more) as product:
            local = product.local
            assert local is not None
            await _is(product, "needs_sign_in")
            await command(product, "setup", start=str(await _role(product, local.guest.id)))
            theirs = await local.guest.slash(local.guest.channel("lobby"), "tools")
            assert "Sign in to guarded" not in json.dumps(theirs.message)
            shown = await command(product, "tools")
            assert "needs a sign-in" in shown.text and shown.message is not None
            link = await local.you.click(shown.message, "Sign in to guarded")
            assert link.ephemeral and link.message is not None and "`127.0.0.1`" in link.text
            back = await sent_to(link.text.split("<")[1].rstrip(">"))
            opened = await local.you.click(link.message, "Paste the address")
            wrong = await local.you.submit(opened, {"address": back.replace("state=", "state=x")})
            assert "is not open" in wrong.text
            opened = await local.you.click(link.message, "Paste the address")
            done = await local.you.submit(opened, {"address": back})
            assert "Signed in to **guarded**" in done.text
            await _is(product, "ready")
            trail = await command(product, "audit")
            assert "signed the agents in to a tool server: guarded" in trail.text
            assert "changed who may do what, and where: start <@&" in trail.text
            everything = json.dumps([messages(product), shown.message, link.message, done.message])
        async with start(looks_once, **more) as product:
            await _is(product, "ready")
            await command(product, "task new", goal="Look once.")
            await ended(product)
            everything += json.dumps(messages(product))
            local = product.local
            assert local is not None
            shown = await command(product, "tools")
            assert shown.message is not None
            out = await local.you.click(shown.message, "Sign out of guarded")
            assert "Signed out of **guarded**" in out.text
            await _is(product, "needs_sign_in")
            trail = await command(product, "audit")
            assert "signed the agents out of a tool server: guarded" in trail.text
    assert accounts.made == ["tea"]
    assert not any(token in everything for token in (*accounts.access, *accounts.renewals))


async def _role(product: RunningBot, person: int) -> int:
    local: Any = product.local
    role: int = await local.you.create_role("starters")
    await local.you.give_role(person, role)
    return role
