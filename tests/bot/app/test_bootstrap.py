"""What an operator sees when the product starts."""

from __future__ import annotations

from pathlib import Path

import discord
import pytest

from bot.app.bootstrap import running
from bot.local import LocalOptions
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
