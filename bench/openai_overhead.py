"""CPU of one model call through OpenAIChat (and admission) against the bare openai SDK doing the same.

590 calls at once of 0.5 s each on a loopback endpoint in a process of its own; prints milliseconds of CPU a
call and the wall time of the round, the ratio to the bare SDK within the same run.
    python -m bench.openai_overhead [calls]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import openai
from aiohttp import web
from pydantic import SecretStr

from engine.llm.admission.model import AdmittedModel
from engine.llm.providers.openai_chat import Endpoint, OpenAIChat
from engine.llm.providers.wire import ToolTexts
from engine.ports import ChatMessage, ChatModel, ChatRequest, ToolSpec
from engine.settings import EngineSettings

CALL_S = 0.5
ROUNDS = 3


def answer_body() -> str:
    """An answer that writes a file of 2 kB."""
    function = {"name": "write_file", "arguments": json.dumps({"path": "a.md", "content": "x" * 2000})}
    calls = [{"id": "c", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 2000, "completion_tokens": 500, "total_tokens": 2500},
        }
    )


async def serve() -> None:
    """Serve the same answer after half a second until killed."""
    body = answer_body()

    async def reply(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(CALL_S)
        return web.Response(text=body, content_type="application/json")

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/chat/completions", reply)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def a_request(agent: int) -> ChatRequest:
    """A prompt of a working agent: 6 kB of rules, ten messages, sixteen tools."""
    rules = ChatMessage("system", "rule " * 1200)
    talk = tuple(ChatMessage("user", "hello " * 50) for _ in range(10))
    return ChatRequest(1, agent, "member", (rules, *talk), TOOLS)


def a_tool(number: int) -> ToolSpec:
    """A tool of ordinary size."""
    text = {"type": "string", "description": "what this argument is for"}
    properties = {"path": text, "items": {"type": "array", "items": text}}
    schema = {"type": "object", "properties": properties, "required": ["path"]}
    return ToolSpec(f"tool_{number}", "What the tool does, in a sentence or two. " * 2, schema)


TOOLS = tuple(a_tool(number) for number in range(16))


def bare_call(client: openai.AsyncOpenAI) -> Callable[[int], Awaitable[Any]]:
    """The same request by the SDK's own method."""
    request = a_request(0)
    messages: Any = [{"role": m.role, "content": m.content} for m in request.messages]
    tools: Any = json.loads(ToolTexts().of(TOOLS))

    async def call(_agent: int) -> Any:
        return await client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=tools)

    return call


def call_of(model: ChatModel) -> Callable[[int], Awaitable[Any]]:
    """The same request by one of our models."""

    async def call(agent: int) -> Any:
        return await model.complete(a_request(agent))

    return call


async def measure(name: str, call: Callable[[int], Awaitable[Any]], calls: int) -> tuple[float, float]:
    """Best CPU a call (ms) and wall (s) of some rounds of `calls` at once, after one to warm up."""
    await asyncio.gather(*(call(agent) for agent in range(calls)))
    best_cpu, best_wall = float("inf"), float("inf")
    for _ in range(ROUNDS):
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(call(agent) for agent in range(calls)))
        best_cpu = min(best_cpu, (time.process_time() - cpu) / calls * 1000)
        best_wall = min(best_wall, time.perf_counter() - wall)
    print(f"{name:28} {best_cpu:6.2f} ms CPU a call   round of {calls}: {best_wall:5.2f} s", flush=True)
    return best_cpu, best_wall


async def compare(calls: int) -> None:
    """Bare SDK, OpenAIChat, OpenAIChat behind admission."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.openai_overhead", "--serve", stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    url = f"http://127.0.0.1:{int(await child.stdout.readline())}/v1"
    settings = EngineSettings(openai_api_key=SecretStr("k"), openai_base_url=url, model_concurrency=calls)
    bare = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
    chat = OpenAIChat(settings, Endpoint(url, "k"))
    admission = AdmittedModel(chat, settings)
    try:
        floor = await measure("bare SDK", bare_call(bare), calls)
        for name, model in (("OpenAIChat", chat), ("OpenAIChat behind admission", admission)):
            cpu, wall = await measure(name, call_of(model), calls)
            print(f"{'':28} {cpu / floor[0]:6.2f} x CPU, {wall / floor[1]:.2f} x wall of the bare SDK")
    finally:
        await chat.close()
        await bare.close()
        child.terminate()
        await child.wait()


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve())
    else:
        asyncio.run(compare(int(sys.argv[1]) if len(sys.argv) > 1 else 590))
