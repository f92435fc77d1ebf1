"""The lines of docs/models.md as they stand there, at servers as strict as the real ones are said to be."""

from __future__ import annotations

import html
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.assembly import open_engine
from engine.llm.providers import families as known
from engine.settings import EngineSettings
from tests.providers.families import FAMILIES, Family
from tests.providers.stage import Body, Provider, answer, serving

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
RULES = {
    "Azure OpenAI": "openai",
    "Google Gemini": "gemini",
    "DeepSeek": "deepseek",
    "Mistral": "mistral",
    "Groq": "groq",
    "xAI": "xai",
    "Moonshot (Kimi)": "kimi",
    "Qwen": "qwen",
    "OpenRouter": "openrouter",
    "Together": "vllm",
    "Ollama": "ollama",
    "vLLM": "vllm",
    "llama.cpp": "llama.cpp",
    "LM Studio": "lmstudio",
    "LiteLLM proxy": "litellm",
    "Anything else compatible": "mistral",
}
"""Whose rules a row is tried under."""

NATIVE = {"OpenAI", "Anthropic"}
"""Rows whose lines name an API of its own: tried in test_native.py."""


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """Name and lines of each row that has an address."""
    table = PAGE.read_text(encoding="utf-8").split("## Settings")[0]
    for row in re.findall(r"^\| (.+) \|$", table, re.M):
        name, lines, *rest = row.split(" | ")
        if name in RULES:
            given = lines if "OPENAI_BASE_URL" in lines else " ".join(rest)
            yield name, dict(re.findall(r"`([A-Z_]+)=([^`]+)`", html.unescape(given)))


def test_every_row_is_tried() -> None:
    """A new row needs rules, or a native API."""
    table = PAGE.read_text(encoding="utf-8").split("## Settings")[0]
    named = {row.split(" | ")[0] for row in re.findall(r"^\| (.+) \|$", table, re.M)} - {"Provider"}
    assert named == set(RULES) | NATIVE
    assert {name for name, _ in rows()} == set(RULES)


def brain_of(family: Family) -> Any:
    """A model that looks the word up, in its family's shape, then says the number."""

    def brain(body: Body, number: int) -> Body:
        told = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        return answer(told[0]) if told else family.shape("look_up", {"word": "oak"}, number)

    return brain


@pytest.mark.parametrize(("name", "lines"), list(rows()), ids=[name for name, _ in rows()])
async def test_the_lines_of_a_row_work(
    name: str, lines: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each role's model calls a tool and uses its result, at the page's own host and path; only scheme and
    port are this machine's."""
    family = next(each for each in FAMILIES if each.name == RULES[name])
    written = urlsplit(lines["OPENAI_BASE_URL"].replace("…", "https://example.org"))
    path = f"{written.path.rstrip('/')}/chat/completions"
    provider = Provider(brain_of(family), *family.rules, path=path)
    resolve = socket.getaddrinfo

    def here(_host: Any, port: Any, *args: Any, **rest: Any) -> Any:
        return resolve("127.0.0.1", port, *args, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    async with serving(provider):
        port = urlsplit(provider.url).port or 0
        if written.port in known._PORTS:
            monkeypatch.setitem(known._PORTS, port, known._PORTS[written.port])
        given: dict[str, Any] = {
            "model": lines["MODEL"].replace("…", "mock-1"),
            "openai_base_url": f"http://{written.hostname}:{port}{written.path}",
            "openai_api_key": "sk-k" if "OPENAI_API_KEY" in lines else "",
            "model_prices": json.loads(lines.get("MODEL_PRICES", "{}")),
        }
        settings = EngineSettings(**{"_env_file": None, "data_dir": tmp_path, **given})
        opened = await open_engine(settings, say=lambda _: None)
        try:
            assert opened.models is not None
            trials = await opened.models.try_roles(10.0)
        finally:
            await opened.close()
    assert all(trial.ok for trial in trials), (trials[0].said, provider.paths, provider.refused)
    assert provider.refused <= max(family.refusals, 1)
    assert {body["model"] for body in provider.bodies} == {given["model"]}
    key = "api-key" if name == "Azure OpenAI" else "authorization"
    assert all("sk-k" in headers[key] for headers in provider.headers) or "OPENAI_API_KEY" not in lines
    if "MODEL_PRICES" in lines:
        assert not any(trial.facts.guessed for trial in trials)
