"""The small real model, fetched by set-up (`python -m engine.llm.local fetch small`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engine.llm.local import SMALL, LocalModel, Silent, fetch
from engine.llm.providers.openai_chat import OpenAIChat
from engine.settings import EngineSettings
from tests.engine.llm.conftest import settings_with


@pytest.fixture(scope="session")
def small_settings() -> EngineSettings:
    """Settings for SmolLM2-135M with a fixed seed; its weights are in the cache afterwards."""
    fetch(SMALL, Silent())
    return settings_with(local_model="small", local_seed=1, local_threads=1, local_context=4096)


async def _served(settings: EngineSettings) -> AsyncIterator[tuple[LocalModel, OpenAIChat]]:
    said: list[str] = []
    model = LocalModel(settings, said.append)
    endpoint = await model.start()
    chat = OpenAIChat(model.fit(settings), endpoint, said.append)
    yield model, chat
    await chat.close()
    await model.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(small_settings: EngineSettings) -> AsyncIterator[tuple[LocalModel, OpenAIChat]]:
    """The small model in its process and a chat to it, for all tests of a module that do it no harm."""
    async for each in _served(small_settings):
        yield each


@pytest_asyncio.fixture(loop_scope="module")
async def own(small_settings: EngineSettings) -> AsyncIterator[tuple[LocalModel, OpenAIChat]]:
    """The same for one test alone, which may kill it."""
    async for each in _served(small_settings):
        yield each
