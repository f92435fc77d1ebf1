"""Clients of native APIs for pydantic-ai: without retries of their own, with the engine's timeouts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from engine.errors import ModelError, ModelUnavailable, NotConfigured
from engine.llm.providers.addresses import cleaned_key
from engine.llm.providers.endpoint import Endpoint, connect, timeout_of, transport_options
from engine.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class NativeTarget:
    """One model behind its own API; `key_name` is the setting that holds its key."""

    provider: str
    model: str
    base_url: str
    api_key: str
    key_name: str

    @property
    def origin(self) -> str:
        """Return the provider, address and model that kept data belong to."""
        return f"{self.provider}|{self.base_url}|{self.model}"

    def renamed(self, error: ModelError) -> ModelError:
        """Return the error with the names of this API's settings."""
        text = str(error).replace("OPENAI_API_KEY", self.key_name)
        text = text.replace("OPENAI_BASE_URL", self.key_name.replace("API_KEY", "BASE_URL"))
        tell = getattr(error, "tell", None)
        if isinstance(error, ModelUnavailable):
            made: ModelError = type(error)(text, error.retry_after_s)
        else:
            made = type(error)(text) if tell is None else type(error)(text, tell)
        made.free, made.charge = error.free, error.charge
        return made


@dataclass(frozen=True, slots=True)
class Connected:
    """pydantic-ai's provider for a target, and how its connections are closed."""

    provider: Any
    close: Callable[[], Awaitable[None]]


def connected(target: NativeTarget, settings: EngineSettings) -> Connected:
    """Return a provider over a client without retries of its own and with the engine's timeouts. Raises
    NotConfigured."""
    key, base = cleaned_key(target.api_key), target.base_url
    if not key:
        raise NotConfigured(f"{target.provider}:{target.model} needs a key. Set {target.key_name}.")
    if target.provider == "anthropic":
        # each library is for those who use it
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient  # noqa: PLC0415
        from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

        address = re.sub(r"/v1/?$", "", base) or None
        client = AsyncAnthropic(
            api_key=key,
            base_url=address,
            max_retries=0,
            timeout=timeout_of(settings),
            http_client=DefaultAsyncHttpxClient(**transport_options(settings)),
        )
        return Connected(AnthropicProvider(anthropic_client=client), client.close)
    if target.provider == "google":
        from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415

        address = re.sub(r"/v1(?:beta)?(?:/openai)?/?$", "", base) or None
        http = httpx2.AsyncClient(**transport_options(settings))
        return Connected(GoogleProvider(api_key=key, base_url=address, http_client=http), http.aclose)
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    openai_client = connect(Endpoint(base, key), settings)
    return Connected(OpenAIProvider(openai_client=openai_client), openai_client.close)
