"""Addresses as people write them, endpoints by role, and others that stand in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.llm.providers.addresses import Address, address_of, cleaned_key, moved_to
from engine.settings import EngineSettings
from tests.providers.stage import Body, Provider, answer, by_the_book, call, carry_out, refusal, serving


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("https://api.deepseek.com", "https://api.deepseek.com"),
        (" https://api.x.ai/v1/ \n", "https://api.x.ai/v1"),
        ('"https://api.x.ai/v1"', "https://api.x.ai/v1"),
        ("https://h/v1/chat/completions", "https://h/v1"),
        ("https://h/v1/responses/", "https://h/v1"),
        ("api.mistral.ai/v1", "https://api.mistral.ai/v1"),
        ("localhost:11434/v1", "http://localhost:11434/v1"),
        ("", ""),
    ],
)
def test_addresses_are_read_as_people_write_them(written: str, base: str) -> None:
    """Blanks, quotes, the whole path and a missing scheme do not matter."""
    assert address_of(written) == Address(base)


def test_azures_addresses_get_their_version_and_header() -> None:
    """Deployments carry their version in the query; a bare resource has its API under /openai/v1."""
    deployment = "https://r.openai.azure.com/openai/deployments/gpt4o"
    assert address_of(f"{deployment}/chat/completions?api-version=2024-10-21") == Address(
        deployment, (("api-version", "2024-10-21"),), azure=True
    )
    assert address_of("https://r.openai.azure.com") == Address(
        "https://r.openai.azure.com/openai/v1", azure=True
    )


@pytest.mark.parametrize(
    ("written", "key"), [(" k\r\n", "k"), ('"k"', "k"), ("Bearer k", "k"), ("k", "k"), ("", "")]
)
def test_keys_are_taken_without_what_surrounds_them(written: str, key: str) -> None:
    """A pasted line end would be a header injection."""
    assert cleaned_key(written) == key


def test_redirects_are_followed_only_where_the_key_may_go() -> None:
    """To https on the same host, or another path; never to another host or back to http."""
    asked = "http://h/v1/chat/completions"
    assert moved_to(asked, "https://h/v1/chat/completions") == "https://h/v1/chat/completions"
    assert moved_to(asked, "/v2/chat/completions") == "http://h/v2/chat/completions"
    assert moved_to(asked, "https://other/v1/chat/completions") is None
    assert moved_to("https://h/v1/chat/completions", "http://h/v1/chat/completions") is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_moved_endpoint_works_and_people_read_its_address(tmp_path: Path, status: int) -> None:
    """The body goes along, whatever kind of redirect it is."""

    def brain(body: Body, number: int) -> Any:
        return by_the_book(body, number)

    provider = Provider(brain, path="/v1/chat/completions")
    moving = Provider(path="/none")

    async with serving(provider):
        served = provider.serve

        async def serve(request: Any) -> Any:
            if request.path.startswith("/old"):
                from aiohttp import web

                return web.Response(status=status, headers={"Location": "/v1/chat/completions"})
            return await served(request)

        moving.serve = serve  # type: ignore[method-assign]
        seen = await carry_out(moving, tmp_path, base="/old")
    assert seen.state == "done"
    assert any("OPENAI_BASE_URL=" in line for line in seen.said)


async def test_a_key_with_an_odd_character_is_named(tmp_path: Path) -> None:
    """Nothing is sent; people read which setting is wrong."""
    provider = Provider()
    seen = await carry_out(
        provider, tmp_path, openai_api_key=SecretStr("k\u2013x"), until=lambda seen: bool(seen.told)
    )
    assert "OPENAI_API_KEY" in seen.words
    assert provider.bodies == []


async def test_each_role_may_have_its_endpoint(tmp_path: Path) -> None:
    """The boss thinks elsewhere than its members, with another key."""
    other = Provider()
    async with serving(other):
        provider = Provider(lambda body, number: refusal(500, "not here"))
        seen = await carry_out(
            provider,
            tmp_path,
            openai_base_url_boss=other.url + "/v1",
            openai_api_key_boss=SecretStr("other"),
        )
    assert seen.state == "done"
    assert provider.bodies == []
    assert {headers["authorization"] for headers in other.headers} == {"Bearer other"}


@pytest.mark.parametrize(
    "down",
    [
        refusal(402, "Insufficient Balance"),
        refusal(401, "Incorrect API key provided"),
        (503, "<html></html>"),
    ],
    ids=["credit", "key", "down"],
)
async def test_another_model_stands_in_and_gets_nothing_that_is_not_its_own(
    tmp_path: Path, down: tuple[int, Any]
) -> None:
    """When the first is down or out of credit the next goes on; thoughts of the first stay with the first."""
    answers = 0

    def first(body: Body, number: int) -> Any:
        nonlocal answers
        if answers:
            return down
        answers += 1
        made = by_the_book(body, number)
        made["choices"][0]["message"]["reasoning_content"] = "secret thought"
        return made

    other = Provider()
    async with serving(other):
        fallback = json.dumps([{"model": "mock-2", "base_url": other.url + "/v1", "api_key": "k2"}])
        seen = await carry_out(Provider(first), tmp_path, seconds=60, model_fallback=json.loads(fallback))
    assert seen.state == "done"
    assert {body["model"] for body in other.bodies} == {"mock-2"}
    assert "secret thought" not in str(other.bodies)
    assert sum("Meanwhile mock-2 answers" in line for line in seen.noticed) == 1


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("/openai/deployments/gpt4o?api-version=2024-10-21", "/openai/deployments/gpt4o/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
    ],
)
async def test_a_task_runs_at_the_address_as_it_is_written(tmp_path: Path, base: str, path: str) -> None:
    """Azure's deployments get their key in Azure's header, and their version in each request."""
    provider = Provider(path=path)
    seen = await carry_out(provider, tmp_path, base=base)
    assert seen.state == "done"
    assert provider.refused == 0
    if "deployments" in base:
        assert all(headers["api-key"] == "k" for headers in provider.headers)
        assert all(asked.endswith("?api-version=2024-10-21") for asked in provider.paths)


async def test_an_address_without_v1_is_named_with_the_one_that_is_meant(tmp_path: Path) -> None:
    """One request, then people read the line to change."""
    provider = Provider()
    seen = await carry_out(provider, tmp_path, base="", until=lambda seen: bool(seen.told))
    assert f"OPENAI_BASE_URL={provider.url}/v1" in seen.words
    assert len(provider.paths) == 1


async def test_a_stream_nobody_asked_for_is_read_and_asked_away(tmp_path: Path) -> None:
    """Some proxies stream unless told not to."""

    def brain(body: Body, number: int) -> Any:
        if body.get("stream") is False:
            return by_the_book(body, number)
        made = by_the_book(body, number)
        message = made["choices"][0].pop("message")
        made["choices"][0]["delta"] = message
        made["usage"] = None
        return f"data: {json.dumps(made)}\n\ndata: [DONE]\n\n"

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done"
    assert [body.get("stream") for body in provider.bodies] == [None, False, False]


async def test_extra_fields_are_sent_and_named_when_they_are_refused(tmp_path: Path) -> None:
    """MODEL_EXTRA is the operator's word: it is not dropped silently."""

    def rule(body: Body) -> Any:
        return refusal(400, "Unrecognized request argument supplied: top_k") if "top_k" in body else None

    provider = Provider(by_the_book, rule)
    extra = {"top_k": 3}
    seen = await carry_out(provider, tmp_path, model_extra=extra, until=lambda seen: bool(seen.told))
    assert "MODEL_EXTRA" in seen.words
    assert provider.bodies[0]["top_k"] == 3
    assert len(provider.bodies) == 1


async def test_a_refusal_that_cannot_heal_is_asked_twice_and_told(tmp_path: Path) -> None:
    """The reason is in the report; nobody is nudged into asking again."""
    provider = Provider(
        lambda body, number: (400, {"error": {"metadata": {"raw": '{"message": "odd reason"}'}}})
    )
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "failed"
    assert "odd reason" in seen.report
    assert len(provider.bodies) == 2


async def test_people_are_asked_with_the_reason_and_their_word_tries_once_more(tmp_path: Path) -> None:
    """Where somebody attends, the question says what the endpoint said."""
    provider = Provider(lambda body, number: refusal(400, "Content Exists Risk"))
    seen = await carry_out(provider, tmp_path, attended=True, until=lambda seen: bool(seen.asked))
    assert "Content Exists Risk" in seen.asked[0]
    assert len(provider.bodies) == 2


async def test_prompts_cut_by_the_server_are_noticed_once(tmp_path: Path) -> None:
    """Ollama reads num_ctx tokens and says so only in its count."""

    def brain(body: Body, number: int) -> Body:
        read = min(len(json.dumps(body)) // 4, 4_096)
        usage = {"prompt_tokens": read, "completion_tokens": 20}
        if number < 8:
            arguments = {"path": f"f{number}.txt", "content": "some words " * 400}
            return answer(calls=[call("write_file", arguments, f"c{number}")], usage=usage)
        return answer(calls=[call("finish", {"report": "r"})], usage=usage)

    seen = await carry_out(Provider(brain), tmp_path)
    told = [line for line in seen.noticed if "num_ctx" in line]
    assert len(told) == 1
    assert "MODEL_CONTEXT_TOKENS=4096" in told[0]


def test_the_page_for_operators_names_settings_that_exist() -> None:
    """docs/models.md and the settings do not drift apart."""
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z_]{4,})[`=]", page)) - {"OLLAMA_CONTEXT_LENGTH"}
    known = {name.upper() for name in EngineSettings.model_fields} | {"MODEL_EXTRA"}
    assert named <= known
    assert len(named) > 15
