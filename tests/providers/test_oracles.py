"""Requests judged by what others wrote: mistral-common, litellm, and the request types of three SDKs."""

from __future__ import annotations

import asyncio
import copy
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from engine.assembly import OpenEngine
from engine.commands import SayToAgent
from tests.providers.stage import Body, Provider, answer, by_the_book, call, carry_out, sensible
from tests.providers.test_native import ANTHROPIC, claude, gemini

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its prices are not asked for over the net


async def requests(folder: Path) -> list[Body]:
    """What a task sends: calls side by side, thoughts, a person's words in a turn, an empty answer."""
    spoken = asyncio.Event()

    async def brain(body: Body, number: int) -> Body:
        if number == 1:
            made = [
                call("list_files", {}, "a"),
                call("write_file", {"path": "hello.txt", "content": "hello\n"}, "b"),
            ]
            return answer(calls=made, reasoning_content="Hm.")
        if number == 2:
            await spoken.wait()
            return answer("")
        if number == 3:
            return answer("I go on.", calls=[call(*sensible(body), "c")])
        return by_the_book(body, number)

    async def person(opened: OpenEngine, task: int) -> None:
        boss = (await opened.engine.look.task(task)).boss_id
        await opened.engine.handle(SayToAgent(boss, "Please hurry.", "1", "Ann"))
        spoken.set()

    provider = Provider(brain)
    seen = await carry_out(provider, folder, beside=person)
    assert seen.state == "done"
    assert "Please hurry." in str(provider.bodies[-1])
    return provider.bodies


@pytest.fixture
async def bodies(tmp_path: Path) -> list[Body]:
    """Requests of one task."""
    return await requests(tmp_path)


def test_mistral_takes_them(bodies: list[Body]) -> None:
    """mistral-common validates ids, the order of roles and contents as Mistral's servers do."""
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import MistralRequestValidatorV13, ValidationMode

    validator = MistralRequestValidatorV13(ValidationMode.serving)
    for body in bodies:
        messages: list[Any] = [
            {key: value for key, value in message.items() if key != "reasoning_content"}
            for message in body["messages"]
        ]
        validator.validate_request(ChatCompletionRequest.from_openai(messages, body["tools"], model="m"))
    swapped: list[Any] = [{"role": "user", "content": "x"} if m["role"] == "tool" else m for m in messages]
    with pytest.raises(MistralCommonException):  # the judge does refuse what is wrong
        validator.validate_request(ChatCompletionRequest.from_openai(swapped, body["tools"], model="m"))


def test_openais_types_take_them(bodies: list[Body]) -> None:
    """Every field is one that Chat Completions knows, with a value of its type."""
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    adapter: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)
    for body in bodies:
        adapter.validate_python(body)


@pytest.mark.parametrize("family", ["anthropic", "bedrock", "gemini"])
def test_litellm_can_transform_them(bodies: list[Body], family: str) -> None:
    """A LiteLLM proxy turns them into the forms of Anthropic, Bedrock and Gemini, whose roles take turns."""
    from litellm.litellm_core_utils.prompt_templates import factory
    from litellm.llms.vertex_ai.gemini.transformation import _gemini_convert_messages_with_history

    for body in bodies:
        messages = [m for m in copy.deepcopy(body["messages"]) if m["role"] != "system"]
        if family == "anthropic":
            made: list[Any] = factory.anthropic_messages_pt(messages, "claude-sonnet-4-5", "anthropic")
        elif family == "bedrock":
            made = factory._bedrock_converse_messages_pt(messages, "anthropic.claude-sonnet-4-5", "bedrock")
        else:
            made = _gemini_convert_messages_with_history(messages)
        roles = [message["role"] for message in made]
        assert all(one != other for one, other in pairwise(roles)), roles
        assert all(message.get("content") or message.get("parts") for message in made)


async def test_anthropics_types_take_the_native_request(tmp_path: Path) -> None:
    """The Messages API's own parameter types."""
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    provider = Provider(claude, path=ANTHROPIC)
    seen = await carry_out(provider, tmp_path, base="", model="anthropic:claude-sonnet-4-5")
    assert seen.state == "done"
    adapter: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
    for body in provider.bodies:
        adapter.validate_python(body)


async def test_googles_types_take_the_native_request(tmp_path: Path) -> None:
    """Contents and tools as google-genai declares them; unknown fields are refused there."""
    from google.genai import types

    path = "/v1beta/models/gemini-3-pro-preview:generateContent"
    provider = Provider(gemini, path=path)
    seen = await carry_out(provider, tmp_path, base="", model="google:gemini-3-pro-preview")
    assert seen.state == "done"
    for body in provider.bodies:
        for content in body["contents"]:
            types.Content.model_validate(content)
        for tool in body["tools"]:
            types.Tool.model_validate(tool)
