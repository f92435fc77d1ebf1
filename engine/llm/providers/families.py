"""What is known of providers and models before the first call, by host and by the model's name.

Only what an endpoint cannot be asked about cheaply stands here; the rest is learned from its refusals
(`repairs.py`). Each line rests on the provider's documentation or on public reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from engine.llm.providers.quirks import Quirks

CALLS_A_TOOL = "(calls a tool)"
"""In place of null beside calls, where null is refused; never said aloud when a model repeats it."""

_HOSTS: tuple[tuple[str, str], ...] = (
    (r"(^|\.)openai\.com$", "openai"),
    (r"\.openai\.azure\.com$|\.cognitiveservices\.azure\.com$|\.services\.ai\.azure\.com$", "azure"),
    (r"generativelanguage\.googleapis\.com$|aiplatform\.googleapis\.com$", "google"),
    (r"(^|\.)anthropic\.com$", "anthropic"),
    (r"(^|\.)deepseek\.com$", "deepseek"),
    (r"(^|\.)mistral\.ai$", "mistral"),
    (r"(^|\.)groq\.com$", "groq"),
    (r"(^|\.)x\.ai$", "xai"),
    (r"(^|\.)moonshot\.(ai|cn)$", "moonshot"),
    (r"dashscope.*\.aliyuncs\.com$", "qwen"),
    (r"(^|\.)openrouter\.ai$", "openrouter"),
    (r"(^|\.)together\.(xyz|ai)$", "together"),
    (r"(^|\.)fireworks\.ai$", "fireworks"),
    (r"(^|\.)cerebras\.ai$", "cerebras"),
    (r"(^|\.)cloudflare\.com$", "cloudflare"),
    (r"(^|\.)amazonaws\.com$", "bedrock"),
    (r"(^|\.)z\.ai$|(^|\.)bigmodel\.cn$", "zhipu"),
    (r"(^|\.)minimaxi?\.(io|chat|com)$", "minimax"),
)
_PORTS = {11434: "ollama", 1234: "lmstudio", 4000: "litellm"}
_PATHS = {
    "openai": "/v1",
    "mistral": "/v1",
    "xai": "/v1",
    "moonshot": "/v1",
    "together": "/v1",
    "cerebras": "/v1",
    "minimax": "/v1",
    "ollama": "/v1",
    "lmstudio": "/v1",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
    "fireworks": "/inference/v1",
    "qwen": "/compatible-mode/v1",
    "zhipu": "/api/paas/v4",
    "google": "/v1beta/openai",
}
"""Where Chat Completions stand at each family, before /chat/completions."""

_KNOWN_HOSTS = frozenset(family for _, family in _HOSTS)


def family_of(base_url: str) -> str:
    """Return the provider family of an address, `openai-compatible` if it is unknown."""
    if not base_url:
        return "openai"
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    for pattern, family in _HOSTS:
        if re.search(pattern, host):
            return family
    try:
        return _PORTS.get(parts.port or 0, "openai-compatible")
    except ValueError:
        return "openai-compatible"


def usual_base(base_url: str) -> str:
    """Return the address that was most likely meant by one that answers nothing; the same for none better."""
    parts = urlsplit(base_url)
    path = None if "aiplatform" in parts.netloc else _PATHS.get(family_of(base_url))
    if path is not None:
        return f"{parts.scheme}://{parts.netloc}{path}"
    return base_url if re.search(r"/v\d", base_url) else f"{base_url}/v1"


def first_quirks(base_url: str, model: str) -> Quirks:
    """Return the known request shape for `model` at this address."""
    family = family_of(base_url)
    quirks = Quirks(family=family, stream=family in _KNOWN_HOSTS)
    if family in _BY_FAMILY:
        quirks = _BY_FAMILY[family](quirks)
    for pattern, families, change in _BY_MODEL:
        if (not families or family in families) and re.search(pattern, model, re.I):
            quirks = change(quirks)
    return quirks


def _openai(quirks: Quirks) -> Quirks:
    return replace(quirks, limit_name="max_completion_tokens", cache_key=True)


def _filled(quirks: Quirks) -> Quirks:
    return replace(quirks, filler=CALLS_A_TOOL)


_BY_FAMILY: dict[str, Callable[[Quirks], Quirks]] = {
    "openai": _openai,
    "azure": lambda quirks: replace(quirks, limit_name="max_completion_tokens"),
    "groq": lambda quirks: replace(quirks, drop=frozenset({"reasoning_content"})),
    "cloudflare": _filled,
    "lmstudio": _filled,
    "bedrock": _filled,
    "google": lambda quirks: replace(quirks, stand_ins=frozenset({"signature"}), tool_names=True),
}
_BY_MODEL: tuple[tuple[str, frozenset[str], Callable[[Quirks], Quirks]], ...] = (
    # Chat Completions takes tools of these only without thinking; the Responses API takes both.
    (r"^gpt-5\.(?:[5-9]|\d\d)", frozenset({"openai", "azure"}), lambda q: replace(q, effort="none")),
    (r"gemini-(?:[3-9]|\d\d)", frozenset(), lambda q: replace(q, stand_ins=frozenset({"signature"}))),
)
