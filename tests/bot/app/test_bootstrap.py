"""What an operator sees when the product starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest

from bot.app.bootstrap import running
from bot.local import LocalOptions
from bot.local.faults import LimitScope
from engine.errors import NotConfigured
from engine.llm.scripted import ScriptedModel, say
from tests.flows.conftest import bot_settings, engine_settings


async def test_a_start_that_succeeds_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line about intents or libraries for voice: nothing is to be done about them."""
    monkeypatch.setattr(discord.VoiceClient, "warn_nacl", True)
    monkeypatch.setattr(discord.VoiceClient, "warn_dave", True)
    model = ScriptedModel(lambda _request: say("Done."))
    options = LocalOptions(data=tmp_path / "local")
    async with running(engine_settings(tmp_path), bot_settings(), model=model, local_options=options):
        assert [r.getMessage() for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == []


async def test_a_ban_at_the_start_is_waited_out(tmp_path: Path) -> None:
    """The process says for how long and then logs in: no restart prolongs the ban."""
    model = ScriptedModel(lambda _request: say("Done."))
    options, said = LocalOptions(data=tmp_path / "local"), list[str]()
    for path in (
        "/users/@me",
        "/applications/.*",
    ):  # who asks for the intents, and the bot itself
        options.faults.limit("*", path, scope=LimitScope.CLOUDFLARE, retry_after=0)
    async with running(
        engine_settings(tmp_path), bot_settings(), model=model, say=said.append, local_options=options
    ) as product:
        assert product.local is not None
        banned = [call for call in product.local.rest.calls if call.status == 429]
        assert [line for line in said if "accepts no requests" in line] == said[: len(banned)]
        assert len(banned) == 2
        first, after = (product.local.rest.calls.index(call) for call in banned)
        assert after > first and product.bot.is_ready()


@pytest.mark.parametrize(("code", "words"), [(4004, "DISCORD_TOKEN"), (4014, "intent"), (4012, "4012")])
async def test_a_connection_closed_for_good_is_said_in_words(tmp_path: Path, code: int, words: str) -> None:
    """The token was reset while the bot ran: one sentence with the next step, no traceback."""
    model = ScriptedModel(lambda _request: say("Done."))
    options = LocalOptions(data=tmp_path / "local")
    async with running(
        engine_settings(tmp_path), bot_settings(), model=model, local_options=options
    ) as product:
        assert product.local is not None
        await product.local.faults.close(code, forget=True)
        with pytest.raises(NotConfigured, match=words):
            async with asyncio.timeout(60):
                await product.bot_task
