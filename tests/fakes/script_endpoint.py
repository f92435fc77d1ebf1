"""A script as the model behind HTTP: what an operator's own endpoint is, on loopback.

`python -m tests.fakes.script_endpoint gobang|policy` serves one until it is stopped, for `make gobang` and
`make policy` by hand.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

from aiohttp import web

from engine.llm.scripted import Script
from engine.ports import ChatAnswer, ChatMessage, ChatRequest, ToolCall


class ScriptEndpoint:
    """Chat Completions answered by `script`; counts what it was asked."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._runner: web.AppRunner | None = None
        self.url, self.asked = "", 0

    async def start(self, port: int = 0) -> None:
        """Listen on a port, by default a free one."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.json()
        found = self._script(_request(body))
        answer = await found if inspect.isawaitable(found) else found
        return web.json_response(_reply(answer, body, self.asked))


def _request(body: dict[str, Any]) -> ChatRequest:
    return ChatRequest(0, 0, "member", tuple(_message(message) for message in body["messages"]))


def _message(message: dict[str, Any]) -> ChatMessage:
    calls = tuple(
        ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"])
        for c in message.get("tool_calls") or ()
    )
    return ChatMessage(message["role"], message.get("content") or "", calls, message.get("tool_call_id"))


def _reply(answer: ChatAnswer, body: dict[str, Any], number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.tool_calls:
        message["tool_calls"] = [_call(call, number) for call in answer.tool_calls]
    prompt = len(json.dumps(body["messages"])) // 4
    out = len(json.dumps(message)) // 4
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": out, "total_tokens": prompt + out},
    }


def _call(call: ToolCall, number: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"{call.id}_{number}", "type": "function", "function": function}


async def _main(name: str) -> None:
    from tests.fakes.cast import cast
    from tests.flows import gobang_script, policy_script

    scripts: dict[str, Script] = {"gobang": cast(gobang_script.parts()), "policy": policy_script.play}
    endpoint = ScriptEndpoint(scripts[name])
    await endpoint.start()
    sys.stdout.write(f"{endpoint.url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
