"""A Chat Completions endpoint on loopback, a process of its own: `python -m bench.endpoint <work> <s> <n>`.

Prints its port, then answers every call after `seconds` as the work's brain says.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from bench.brains import BRAINS, Said

Brain = Callable[[list[dict[str, Any]]], Said]


def body_of(said: Said, prompt: int) -> dict[str, Any]:
    """Return the answer as the API's JSON."""
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(said.calls)
    ]
    message = {"role": "assistant", "content": said.text or None, **({"tool_calls": calls} if calls else {})}
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": 50, "total_tokens": prompt + 50},
    }


async def serve(brain: Brain, seconds: float) -> None:
    """Serve until killed."""

    async def complete(request: web.Request) -> web.Response:
        raw = await request.read()
        await asyncio.sleep(seconds)
        answer = body_of(brain(json.loads(raw)["messages"]), len(raw) // 4)
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")

    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def endpoint(work: str, seconds: float, agents: int) -> Iterator[str]:
    """Yield the base URL of a fresh endpoint process, which ends with the block."""
    command = [sys.executable, "-m", "bench.endpoint", work, str(seconds), str(agents)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError("the endpoint has no output to read its port from")
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(BRAINS[sys.argv[1]](int(sys.argv[3])), float(sys.argv[2])))
