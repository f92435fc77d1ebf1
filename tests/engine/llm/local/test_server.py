"""The embedded model for real: the small weights in a child process, reached over the openai package."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import openai
import pytest

from engine.errors import ModelError, ModelKeyRejected, ModelRefused, ModelUnavailable, NotConfigured
from engine.llm.admission.model import AdmittedModel
from engine.llm.local import LocalModel
from engine.llm.providers.openai_chat import Endpoint, OpenAIChat
from engine.ports import ChatMessage, ChatRequest, ToolSpec
from engine.settings import EngineSettings
from tests.engine.llm.conftest import settings_with

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

TEXT = {"type": "string"}
TOOLS = (
    ToolSpec(
        "send_message",
        "Send a message",
        {
            "type": "object",
            "properties": {"to": {"type": "array", "items": TEXT}, "text": TEXT},
            "required": ["to", "text"],
        },
    ),
    ToolSpec(
        "write_file",
        "Write a file",
        {"type": "object", "properties": {"path": TEXT, "content": TEXT}, "required": ["path", "content"]},
    ),
    ToolSpec(
        "set_status",
        "Set a status",
        {
            "type": "object",
            "properties": {"status": {"enum": ["open", "done"]}, "count": {"type": "integer"}},
            "required": ["status", "count"],
        },
    ),
)
NEEDED = {
    "send_message": {"to", "text"},
    "write_file": {"path", "content"},
    "set_status": {"status", "count"},
}
CODE = Path(__file__).read_text()[:1200]

Running = tuple[LocalModel, OpenAIChat]


def asked(text: str, agent: int = 1, tools: tuple[ToolSpec, ...] = TOOLS, limit: int = 120) -> ChatRequest:
    """A request to the small model."""
    messages = (ChatMessage("system", "You are an agent."), ChatMessage("user", text))
    return ChatRequest(1, agent, "member", messages, tools, max_tokens=limit)


async def test_every_answer_is_a_valid_call_or_a_reply(running: Running) -> None:
    """Two answers of a model far too small to follow instructions are all well-formed."""
    _, chat = running
    wishes = ("Tell Bo hello.", "Set your status to done.")
    requests = [asked(wish, agent) for agent, wish in enumerate(wishes)]
    answers = await asyncio.gather(*(chat.complete(request) for request in requests))
    for got in answers:
        for call in got.tool_calls:
            assert set(json.loads(call.arguments)) == NEEDED[call.name]
        assert got.tool_calls or got.text or got.finish_reason == "length"
        assert got.cost_micros == 0
        assert got.usage.prompt > 0
    assert any(got.tool_calls for got in answers)


async def test_quote_is_above_the_real_usage(running: Running) -> None:
    """The estimate exceeds what a real tokenizer counted in one turn of plain text and code."""
    _, chat = running
    for text in ("Say hello to everybody here, please. " * 10, CODE):
        request = asked(text, tools=(), limit=20)
        answer = await chat.complete(request)
        assert answer.usage.total <= chat.quote(request).tokens


async def test_repeated_prefix_is_not_read_again(running: Running) -> None:
    """An agent's second prompt costs only what is new in it."""
    _, chat = running
    long = "The rules are many. " * 60
    await chat.complete(asked(long + "Go.", tools=(), limit=5))
    usage = (await chat.complete(asked(long + "Go on now.", tools=(), limit=5))).usage
    assert usage.cached > 0.9 * usage.prompt


async def test_same_seed_gives_the_same_answers(small_settings: EngineSettings) -> None:
    """LOCAL_SEED makes a run repeatable."""
    texts = []
    for _ in range(2):
        model = LocalModel(small_settings)
        chat = OpenAIChat(model.fit(small_settings), await model.start())
        texts.append([(await chat.complete(asked("Tell a story.", tools=(), limit=12))).text])
        await chat.close()
        await model.stop()
    assert texts[0] == texts[1]


async def test_killed_child_comes_back_on_the_same_address(own: Running) -> None:
    """The call in flight fails as unavailable, the next one is answered by the new process."""
    model, chat = own
    long = asyncio.create_task(chat.complete(asked("Count to a thousand.", tools=(), limit=900)))
    await chat.complete(asked("Hi.", 2, tools=(), limit=3))
    before = model.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    with pytest.raises(ModelUnavailable):
        await long
    # A kept connection may still lead to the dead process; waiting for that is admission's work.
    admission = AdmittedModel(chat, settings_with())
    assert (await admission.complete(asked("Hi.", tools=(), limit=5))).usage.completion > 0
    assert model.pid != before
    assert model.restarts == 1


async def test_admission_hides_the_restart(own: Running) -> None:
    """Behind admission a killed model is only a delay."""
    model, chat = own
    admission = AdmittedModel(chat, settings_with(model_concurrency=2))
    calls = [asyncio.create_task(admission.complete(asked("Talk.", n, tools=(), limit=60))) for n in range(4)]
    await chat.complete(asked("Hi.", 9, tools=(), limit=3))
    assert model.pid is not None
    os.kill(model.pid, signal.SIGKILL)
    answers = await asyncio.gather(*calls)
    assert all(answer.usage.completion for answer in answers)


async def test_wrong_key_is_rejected(running: Running) -> None:
    """Nobody else on this machine uses the endpoint."""
    _, chat = running
    address = str(chat._client.base_url)
    stranger = OpenAIChat(settings_with(), Endpoint(address, "guess"))
    with pytest.raises(ModelKeyRejected):
        await stranger.complete(asked("Hi."))
    await stranger.close()


async def test_plain_sdk_works_with_forced_tools(running: Running) -> None:
    """The endpoint is an ordinary one for the openai package's own methods, parsing included."""
    _, chat = running
    client = openai.AsyncOpenAI(base_url=str(chat._client.base_url), api_key=chat._client.api_key)
    tool = {"type": "function", "function": {"name": "set_status", "parameters": dict(TOOLS[2].parameters)}}
    got = await client.chat.completions.create(  # type: ignore[call-overload]
        model="embedded",
        messages=[{"role": "user", "content": "Set it."}],
        tools=[tool],
        tool_choice="required",
        max_tokens=60,
    )
    (call,) = got.choices[0].message.tool_calls
    assert call.function.name == "set_status"
    assert [model.id for model in (await client.models.list()).data] == ["embedded"]
    await client.close()


async def test_too_long_prompts_are_refused(running: Running) -> None:
    """More than the context holds is the request's fault, said so, and the model lives on."""
    _, chat = running
    with pytest.raises(ModelRefused):
        await chat.complete(asked("word " * 6000, tools=(), limit=5))
    assert (await chat.complete(asked("Hi.", tools=(), limit=3))).usage.completion > 0


async def test_cancelled_call_frees_its_slot(running: Running) -> None:
    """A stopped agent's answer is not written to its end: with both slots taken, others continue at once."""
    _, chat = running
    endless = [asyncio.create_task(chat.complete(asked("Talk.", n, tools=(), limit=3500))) for n in range(2)]
    await asyncio.sleep(0.3)
    assert not any(call.done() for call in endless)
    for call in endless:
        call.cancel()
    await asyncio.gather(*endless, return_exceptions=True)
    async with asyncio.timeout(60):
        await chat.complete(asked("Hi.", 3, tools=(), limit=3))


async def test_file_that_is_no_model_is_reported(tmp_path: Path) -> None:
    """Wrong weights end in a sentence with a way out, not in a dead bot."""
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"this is no model")
    model = LocalModel(settings_with(local_model=fake))
    with pytest.raises(NotConfigured, match="LOCAL_MODEL"):
        await model.start()


async def test_stop_ends_the_child(small_settings: EngineSettings) -> None:
    """Nothing is left running, and stopping twice is harmless."""
    model = LocalModel(small_settings)
    endpoint = await model.start()
    pid = model.pid
    assert pid is not None
    await model.stop()
    await model.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    chat = OpenAIChat(settings_with(), endpoint)
    with pytest.raises(ModelError):
        await chat.complete(asked("Hi."))
    await chat.close()
