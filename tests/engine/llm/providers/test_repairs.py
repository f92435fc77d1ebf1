# ruff: noqa: E501 - refusals stand as they are worded
"""One refusal, one change: worded as the endpoints are reported to word them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.llm.faults import read_error_reply
from engine.llm.providers.families import CALLS_A_TOOL, family_of, first_quirks
from engine.llm.providers.quirks import Quirks
from engine.llm.providers.repairs import Sent, learn

SENT = Sent(
    limit=16_384,
    prompt=4_000,
    fields=frozenset({"prompt_cache_key", "stream", "reasoning_content", "extra_content", "top_k"}),
    own=frozenset({"top_k"}),
    tools=True,
    null_content=True,
    many_calls=True,
    system=True,
)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {"limit_name": "max_completion_tokens"}),
        ("max_tokens is too large: 16384. This model supports at most 4096 completion tokens", {"most_answer": 4_096}),
        ("max_tokens: 16384 > 8192, which is the maximum allowed number of output tokens", {"most_answer": 8_192}),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", {"most_answer": 8_192}),
        ("`max_tokens` must be less than or equal to `8192`", {"most_answer": 8_192}),
        ("This model's maximum context length is 12000 tokens. However, you requested 20384 tokens (4000 in the messages, 16384 in the completion).", {"window": 12_000}),
        ("'max_tokens' or 'max_completion_tokens' is too large: 16384. This model's maximum context length is 16000 tokens and your request has 3000 input tokens (16384 > 16000 - 3000).", {"window": 16_000}),
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 12000, Requested 20384.", {"window": 12_000}),
        ("Function tools with reasoning_effort are not supported for gpt-5.6. Set reasoning_effort to 'none'.", {"effort": "none"}),
        ("Invalid 'content': 'content' field must be a string or an array of objects.", {"filler": CALLS_A_TOOL}),
        ("messages.2.content: Input should be a valid string", {"filler": CALLS_A_TOOL}),
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", {"stand_ins": frozenset({"thoughts"})}),
        ("Function call is missing a thought_signature in functionCall parts.", {"stand_ins": frozenset({"signature"})}),
        ("property 'reasoning_content' is unsupported", {"drop": frozenset({"reasoning_content"})}),
        ("Unrecognized request argument supplied: prompt_cache_key", {"drop": frozenset({"prompt_cache_key"})}),
        ("This model only supports single tool-calls at once!", {"one_call": True}),
        ("System role not supported", {"merge_system": True}),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", {"merge_system": True}),
        ("Invalid schema for function 'x': 'minLength' is not permitted.", {"schema_drop": frozenset({"minLength"})}),
        ("This model only support stream mode, please enable the stream parameter to access the model.", {"streams": True}),
        ("parameter.enable_thinking must be set to false for non-streaming calls", {"streams": True}),
        ("Stream must be set to true", {"streams": True}),
        ("Unrecognized request argument supplied: top_k", None),
        ("something nobody has seen", None),
        ("Rate limit reached", None),
    ],
)  # fmt: skip
def test_a_refusal_teaches_one_thing(words: str, change: dict[str, Any] | None) -> None:
    """What the operator set with MODEL_EXTRA is never dropped silently."""
    repaired = learn(Quirks(), read_error_reply(400, {"error": {"message": words}}, {}, 0.0), SENT)
    if change is None:
        assert repaired is None
        return
    assert repaired is not None
    assert {name: getattr(repaired.quirks, name) for name in change} == change
    assert len(repaired.quirks.repaired) == 1
    assert learn(
        repaired.quirks, read_error_reply(400, {"error": {"message": words}}, {}, 0.0), SENT
    ) is None or ("reasoning_effort" in words)


@pytest.mark.parametrize(
    ("base_url", "family"),
    [
        ("", "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://x.openai.azure.com/openai/v1", "azure"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://evil-deepseek.com.example.org/v1", "openai-compatible"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://127.0.0.1:99999/v1", "openai-compatible"),
    ],
)
def test_families_are_known_by_their_address(base_url: str, family: str) -> None:
    """By the end of the host's name, never by a part in the middle."""
    assert family_of(base_url) == family


def test_openais_current_models_are_asked_without_thinking() -> None:
    """What Chat Completions is known to want costs no refusal at the real address."""
    assert first_quirks("https://api.openai.com/v1", "gpt-5.6").effort == "none"
    assert first_quirks("https://api.openai.com/v1", "gpt-5.1").effort == ""
    assert first_quirks("https://example.org/v1", "gpt-5.6").effort == ""
