"""How far an answer of the embedded model is, over loopback: a scripted llama.cpp that streams slowly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from engine.errors import ModelTooLong, ModelUnavailable
from engine.llm.local.protocol import stream
from engine.llm.local.protocol.http_api import ChatEndpoint, Upstream
from engine.llm.providers.openai_chat import Endpoint, OpenAIChat
from engine.llm.providers.progress import written_of
from engine.ports import ChatAnswer, ToolSpec, Written
from tests.engine.llm.conftest import request_with, settings_with

TEXT = {"type": "string"}
WRITE = ToolSpec(
    "write_file",
    "Write a file",
    {"type": "object", "properties": {"path": TEXT, "content": TEXT}, "required": ["path", "content"]},
)
CALL = '{"tool": "write_file", "arguments": {"path": "main.py"}}'
USAGE = {"prompt_tokens": 40, "completion_tokens": 6, "total_tokens": 46}


class SlowLlama:
    """Answers request n with the pieces `answers[n]`, each when `go` is released; ends as `ends` says."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.go = asyncio.Semaphore(0)
        self.ends: dict[str, Any] = {"usage": USAGE}
        self.asked: list[dict[str, Any]] = []
        self.refusal: dict[str, Any] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One answer, as llama.cpp streams it."""
        self.asked.append(await request.json())
        if self.refusal:
            return web.json_response({"error": self.refusal}, status=400)
        response = web.StreamResponse()
        await response.prepare(request)

        async def send(**chunk: Any) -> None:
            await response.write(b"data: " + json.dumps({"choices": [], **chunk}).encode() + b"\n\n")

        await self.go.acquire()
        await send(id="chatcmpl-000000000001", prompt_progress={"total": 40, "processed": 10})
        for piece in self.answers.pop(0):
            await self.go.acquire()
            await send(choices=[{"finish_reason": None, "delta": {"content": piece}}])
        if "error" in self.ends:
            await send(error=self.ends["error"])
            return response
        await send(choices=[{"finish_reason": "stop", "delta": {}}])
        await send(**self.ends)
        return response


async def _listen(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[SlowLlama, OpenAIChat]]:
    """The real endpoint over a slow llama.cpp, and a chat to it; every token is told."""
    monkeypatch.setattr(stream, "EVERY_S", 0.0)
    llama, below = SlowLlama(), web.Application()
    below.router.add_post("/v1/chat/completions", llama.serve)
    first, address = await _listen(below)
    second, served = await _listen(ChatEndpoint(Upstream(address, "x"), "k", "embedded", 1).app())
    chat = OpenAIChat(settings_with(), Endpoint(f"{served}/v1", "k", model="embedded", local=True), print)
    yield llama, chat
    await chat.close()
    await second.cleanup()
    await first.cleanup()


async def test_people_can_be_told_each_part_of_an_answer_before_it_is_whole(
    world: tuple[SlowLlama, OpenAIChat],
) -> None:
    """Reading, the call, the file's lines with the newest words: each is heard before the next is made."""
    llama, chat = world
    llama.answers = [[CALL], ["import sys\n", "\n", "print(", "1)\n"]]
    heard: asyncio.Queue[Written] = asyncio.Queue()
    request = request_with(tools=(WRITE,), offer=("write_file",), talk=False, heard=heard.put_nowait)
    answering = asyncio.create_task(chat.complete(request))
    told: list[Written] = []
    for release in (False, True, True, True, True, True, True):
        if release:
            llama.go.release()
        told.append(await asyncio.wait_for(heard.get(), 60))
        assert not answering.done()
    assert told[0] == Written(read=0.0) and told[1] == Written(read=0.25)
    assert told[2].tokens == 1 and told[2].words == "", "a call in JSON is not shown to people"
    assert told[4] == Written(2, 1.0, "write_file", "main.py", 1, "import sys")
    assert told[6] == Written(4, 1.0, "write_file", "main.py", 2, "print(")
    llama.go.release()
    answer: ChatAnswer = await asyncio.wait_for(answering, 60)
    assert heard.get_nowait() == Written(5, 1.0, "write_file", "main.py", 2, "print(1)")
    assert json.loads(answer.tool_calls[0].arguments) == {
        "path": "main.py",
        "content": "import sys\n\nprint(1)\n",
    }
    assert (
        answer.usage.completion == 12 and not answer.usage.estimated and answer.finish_reason == "tool_calls"
    )
    llama.answers = [["Hello."]]
    for _ in range(2):
        llama.go.release()
    quiet = await chat.complete(request_with())
    assert quiet.text == "Hello." and heard.empty(), "who does not listen gets one plain answer"


async def test_a_text_that_loops_is_stopped_at_once_and_written_once_more(
    world: tuple[SlowLlama, OpenAIChat],
) -> None:
    """The rest of it is not waited for, its tokens count, and the second version is sampled against loops."""
    llama, chat = world
    llama.go = asyncio.Semaphore(5_000)
    looping = ["The museum opens at ten ", "and closes at six.\n"] * 400
    llama.answers = [[CALL.replace("main.py", "plan.md")], looping, ["A plan.\n"]]
    answer = await chat.complete(request_with(tools=(WRITE,), offer=("write_file",), talk=False))
    assert json.loads(answer.tool_calls[0].arguments)["content"] == "A plan.\n"
    assert [request.get("dry_multiplier") for request in llama.asked] == [None, None, 0.8]
    assert 12 + 30 < answer.usage.completion < 12 + 100, "stopped long before its end, and counted"


async def test_a_refrain_is_no_loop(world: tuple[SlowLlama, OpenAIChat]) -> None:
    """What repeats for a few lines is left to its end."""
    llama, chat = world
    llama.go = asyncio.Semaphore(5_000)
    song = [*["Row your boat gently ", "down the stream.\n"] * 5, "Life is but a dream.\n"]
    llama.answers = [[CALL.replace("main.py", "song.md")], song]
    answer = await chat.complete(request_with(tools=(WRITE,), offer=("write_file",), talk=False))
    assert json.loads(answer.tool_calls[0].arguments)["content"] == "".join(song)


async def test_an_answer_that_breaks_off_is_no_answer(world: tuple[SlowLlama, OpenAIChat]) -> None:
    """An error in mid-stream, and an end without a count, are the endpoint's faults: asked again later."""
    llama, chat = world
    for ends in ({"error": {"message": "out of memory", "code": 500}}, {}):
        for listens in (True, False):
            llama.answers, llama.ends = [["half an"]], ends
            for _ in range(2):
                llama.go.release()
            with pytest.raises(ModelUnavailable):
                await chat.complete(request_with(heard=print if listens else None))


async def test_a_refusal_keeps_its_kind_in_a_stream(world: tuple[SlowLlama, OpenAIChat]) -> None:
    """A prompt that is too long is said before the stream begins, with its status."""
    llama, chat = world
    llama.refusal = {
        "code": 400,
        "type": "exceed_context_size_error",
        "message": "request (18047 tokens) exceeds the available context size (4096 tokens)",
    }
    with pytest.raises(ModelTooLong):
        await chat.complete(request_with(heard=print))


def test_an_account_is_read_whatever_it_holds() -> None:
    """Odd values of an endpoint become none, and what is too long is cut."""
    odd = {"tokens": "many", "read": 7, "tool": None, "path": "x\x00" + "p" * 900, "lines": float("inf")}
    written = written_of(odd)
    assert written.tokens == 0 and written.read == 1.0 and written.tool == ""
    assert len(written.path) <= 200 and "\x00" not in written.path and written.lines == 1_000_000_000
