"""Keys of the settings reach nothing that anybody gets to read: Discord, databases, log, archives."""

from __future__ import annotations

import asyncio
import io
import logging
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app.bootstrap import RunningBot, running
from bot.local import LocalOptions
from tests.fakes.model_endpoint import ModelEndpoint, says
from tests.flows.conftest import SCALE, bot_settings, engine_settings
from tests.flows.test_task_on_discord import GOAL, command, messages, post_with

KEY = "flow.canary-Zk42-0815-abcdefgh"
OTHER = "sk-proj-not-configured-Zk42"


@pytest.fixture
async def endpoint() -> AsyncIterator[ModelEndpoint]:
    """An endpoint that refuses every call and repeats the key it got, and one of its own."""
    made = ModelEndpoint()
    await made.start()
    said = f"Incorrect API key provided: {KEY}\nAuthorization: Bearer {KEY}; upstream used {OTHER}"
    made.then = says({"error": {"message": said, "code": KEY}}, 401)
    yield made
    await made.stop()


def kept(folder: Path) -> bytes:
    """All that is on disk, the sandbox's Python left out."""
    found = [b""]
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and "sandbox-env" not in path.parts:
            found.append(path.read_bytes())
    return b"\0".join(found)


def leaks(text: str | bytes) -> list[str]:
    """What of the secrets a text holds."""
    raw = text.encode() if isinstance(text, str) else text
    return [word for word in (KEY, KEY[:14], KEY[-14:], OTHER) if word.encode() in raw]


async def archived(product: RunningBot) -> bytes:
    """Every file attached to a post, zips unpacked."""
    local, found = product.local, [b""]
    assert local is not None
    for message in messages(product):
        for attachment in message["attachments"]:
            data = local.world.cdn.get(attachment["url"]) or b""
            found.append(data)
            if attachment["filename"].endswith(".zip"):
                archive = zipfile.ZipFile(io.BytesIO(data))
                found += [archive.read(name) for name in archive.namelist()]
    return b"\0".join(found)


async def test_a_key_that_the_endpoint_repeats_is_seen_nowhere(
    home: Path, endpoint: ModelEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Card, log, notices, the archive of a stopped task, both databases, the log of the process."""
    caplog.set_level(logging.INFO)
    settings = engine_settings(home, openai_api_key=KEY, openai_base_url=endpoint.url)
    local_options = LocalOptions(data=home / "discord", time_scale=SCALE)
    async with running(settings, bot_settings(), local_options=local_options) as product:
        await command(product, "task new", goal=GOAL)
        await post_with(product, "rejected the API key")
        for look in ("task status", "task log", "doctor"):
            shown = await command(product, look, **({} if look == "doctor" else {"task": "1"}))
            assert leaks(str(shown.message)) == [], look
        stopped = await command(product, "task stop", task="1")
        assert stopped.message is not None and product.local is not None
        await product.local.you.click(stopped.message, label="Yes, stop it")
        async with asyncio.timeout(60):
            while (await product.engine.engine.look.task(1)).state != "stopped":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await command(product, "task archive", task="1")
        assert leaks(str(messages(product))) == []
        assert leaks(await archived(product)) == []
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert leaks(kept(home)) == []
    assert leaks(caplog.text) == []
