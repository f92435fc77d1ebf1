"""The small real model, fetched by set-up (`python -m engine.llm.local fetch small`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.llm.local import SMALL, LocalModel, Silent, fetch
from engine.llm.providers.openai_chat import OpenAIChat
from engine.settings import EngineSettings
from tests.engine.llm.conftest import settings_with


@pytest.fixture(scope="session")
def small_settings() -> EngineSettings:
    """Settings for SmolLM2-135M with a fixed seed; its weights are in the cache afterwards."""
    fetch(SMALL, Silent())
    return settings_with(local_model="small", local_seed=1, local_threads=1, local_context=4096)


@pytest.fixture
async def running(small_settings: EngineSettings) -> AsyncIterator[tuple[LocalModel, OpenAIChat]]:
    """The small model in its process and a chat to it."""
    said: list[str] = []
    model = LocalModel(small_settings, said.append)
    endpoint = await model.start()
    chat = OpenAIChat(model.fit(small_settings), endpoint, said.append)
    yield model, chat
    await chat.close()
    await model.stop()
