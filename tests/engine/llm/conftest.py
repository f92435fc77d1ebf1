"""Fixtures for model access: a loopback endpoint, a chat over the real SDK, requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from engine.llm.providers.openai_chat import Endpoint, OpenAIChat
from engine.ports import ChatMessage, ChatRequest
from engine.settings import EngineSettings
from tests.fakes.model_endpoint import ModelEndpoint


def settings_with(**changes: Any) -> EngineSettings:
    """Settings of a test, nothing from the environment's `.env`."""
    base: dict[str, Any] = {"_env_file": None, "openai_api_key": SecretStr("k"), "model_timeout_s": 5.0}
    return EngineSettings(**{**base, **changes})


def request_with(text: str = "hi", **changes: Any) -> ChatRequest:
    """A request of agent 7 in task 1 that says `text`."""
    base: dict[str, Any] = {"task_id": 1, "agent_id": 7, "role": "member"}
    return ChatRequest(messages=(ChatMessage("user", text),), **{**base, **changes})


@pytest.fixture
async def endpoint() -> AsyncIterator[ModelEndpoint]:
    """A running endpoint that says hello."""
    made = ModelEndpoint()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def chat_at(endpoint: ModelEndpoint) -> AsyncIterator[Callable[..., OpenAIChat]]:
    """Makes chats to the endpoint; `said` collects what they say."""
    chats: list[OpenAIChat] = []

    def make(said: list[str] | None = None, local: bool = False, **changes: Any) -> OpenAIChat:
        say = (said if said is not None else []).append
        chats.append(OpenAIChat(settings_with(**changes), Endpoint(endpoint.url, "k", local=local), say))
        return chats[-1]

    yield make
    for chat in chats:
        await chat.close()
