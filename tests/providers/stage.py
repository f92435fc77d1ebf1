"""A loopback provider that is as strict as the real ones are reported to be, and a real engine before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from engine import events as ev
from engine.assembly import OpenEngine, open_engine
from engine.commands import Limits, StartTask
from engine.settings import EngineSettings

Body = dict[str, Any]
Said = Body | list[Any] | tuple[Any, ...] | None
Rule = Callable[[Body], Said]
Brain = Callable[[Body, int], Any]

GOAL = "Write hello.txt with the word hello, read it back, then finish."


def answer(
    content: Any = None,
    calls: list[Body] | None = None,
    finish: str | None = None,
    usage: Any = "counted",
    **message: Any,
) -> Body:
    """A Chat Completions answer; further fields go into its message."""
    made: Body = {"role": "assistant", "content": content, **message}
    if calls:
        made["tool_calls"] = calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock-1",
        "choices": [
            {"index": 0, "message": made, "finish_reason": finish or ("tool_calls" if calls else "stop")}
        ],
        "usage": usage,
    }


def call(name: str, arguments: Any, identity: str = "call_1", **extra: Any) -> Body:
    """A tool call; arguments that are no text become JSON."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": text}, **extra}


def refusal(status: int, message: str, **more: Any) -> tuple[int, Body]:
    """An error as OpenAI words them."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}
    return status, {"error": error}


def results(body: Body) -> list[tuple[str, str]]:
    """(tool, result) of the calls in a request, in order."""
    names = {c["id"]: c["function"]["name"] for m in body["messages"] for c in m.get("tool_calls") or []}
    return [
        (names.get(m["tool_call_id"], "?"), str(m["content"]))
        for m in body["messages"]
        if m["role"] == "tool"
    ]


def sensible(body: Body) -> tuple[str, Body]:
    """What a sensible model calls next for `GOAL`."""
    done = [name for name, result in results(body) if not result.startswith(("Not done", "There is no"))]
    if "write_file" not in done:
        return "write_file", {"path": "hello.txt", "content": "hello\n"}
    if "read_file" not in done:
        return "read_file", {"path": "hello.txt"}
    return "finish", {"report": "hello.txt says hello.", "deliverables": ["hello.txt"]}


def by_the_book(body: Body, number: int) -> Body:
    """A model that does its work."""
    return answer(calls=[call(*sensible(body), f"call_{number}")])


class Provider:
    """Answers as `brain` says unless one of `rules` refuses; keeps what it was sent."""

    def __init__(self, brain: Brain = by_the_book, *rules: Rule, path: str = "/v1/chat/completions") -> None:
        self.brain, self.rules, self.path = brain, rules, path
        self.bodies: list[Body] = []
        self.headers: list[Mapping[str, str]] = []
        self.statuses: list[int] = []
        self.paths: list[str] = []
        self.url = ""
        self._more = asyncio.Condition()

    async def reached(self, count: int) -> None:
        """Wait until so many requests came."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.bodies) >= count)

    @property
    def refused(self) -> int:
        """Requests that were refused."""
        return sum(status >= 400 for status in self.statuses)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.paths.append(request.path_qs)
        if request.path != self.path:
            self.statuses.append(404)
            return web.Response(status=404, text="404 page not found")
        body = json.loads(await request.read())
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        async with self._more:
            self._more.notify_all()
        said = next((no for rule in self.rules if (no := rule(body)) is not None), None)
        if said is None:
            said = self.brain(body, len(self.bodies))
        if isinstance(said, Awaitable):
            said = await said
        status, said, headers = (*said, {})[:3] if isinstance(said, tuple) else (200, said, {})
        if isinstance(said, dict) and said.get("usage") == "counted":
            read = len(json.dumps(body)) // 4
            said["usage"] = {"prompt_tokens": read, "completion_tokens": 50, "total_tokens": read + 50}
        self.statuses.append(status)
        if isinstance(said, dict) and body.get("stream") and status == 200:
            return web.Response(text=_events(said), headers={"Content-Type": "text/event-stream", **headers})
        if isinstance(said, str | bytes):
            raw = said.encode() if isinstance(said, str) else said
            return web.Response(status=status, body=raw, headers={"Content-Type": "text/html", **headers})
        return web.json_response(said, status=status, headers=headers)


def _events(said: Body) -> str:
    """An answer as server-sent events: its `chunks`, else the message at once, then how it ended."""
    chunks = said.pop("chunks", None)
    if chunks is None:
        [choice] = said["choices"]
        chunks = [{"choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}]}]
        said["choices"] = [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]
    events = (f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in (*chunks, said))
    return f": keep-alive\r\n\r\n{''.join(events)}data: [DONE]\r\n\r\n"


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[Provider]:
    """The provider on a free port of this machine."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{any:.*}", provider.serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


@dataclass
class Seen:
    """What people saw of a task."""

    state: str = ""
    report: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    noticed: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    cost_micros: int = 0
    tokens: int = 0

    @property
    def words(self) -> str:
        """All that people could read."""
        return " ".join([*self.told, *self.noticed, *self.asked, self.report])


def settings_for(provider: Provider, folder: Path, base: str = "/v1", **changes: Any) -> EngineSettings:
    """Settings of a task at the provider."""
    given: dict[str, Any] = {
        "data_dir": folder,
        "openai_base_url": provider.url + base,
        "openai_api_key": SecretStr("k"),
        "model": "mock-1",
        "audit_rounds": 0,
        "run_packages": (),
        "model_prices": {"mock-1": {"input": 1, "output": 2}},
    }
    return EngineSettings(**{"_env_file": None, **given, **changes})


async def carry_out(
    provider: Provider,
    folder: Path,
    *,
    goal: str = GOAL,
    seconds: float = 20.0,
    limits: Limits | None = None,
    attended: bool = False,
    beside: Callable[[OpenEngine, int], Coroutine[Any, Any, None]] | None = None,
    until: Callable[[Seen], bool] = lambda seen: False,
    **settings: Any,
) -> Seen:
    """Run one task to its end, to `until`, or for so many seconds."""
    seen = Seen()
    async with serving(provider):
        opened = await open_engine(settings_for(provider, folder, **settings), say=seen.said.append)
        try:
            await opened.engine.start()
            start = StartTask(goal, "person", "space", limits or Limits(), attended=attended)
            task = await opened.engine.handle(start)
            helping = asyncio.create_task(beside(opened, task)) if beside else None
            try:
                async with asyncio.timeout(seconds):
                    await follow(opened, seen, until)
            except TimeoutError:
                pass
            if helping is not None:
                helping.cancel()
            await look(opened, task, seen)
        finally:
            await opened.engine.stop(drain=False)
            await opened.close()
    return seen


async def follow(opened: OpenEngine, seen: Seen, until: Callable[[Seen], bool]) -> None:
    """Note what people see until the task ends."""
    async for event in opened.engine.events():
        match event.body:
            case ev.ModelWaiting() as body:
                seen.told.append(f"waiting {body.retry_in_s:.0f} s: {body.reason}")
            case ev.Intervened() as body:
                seen.told.append(f"{body.rule}/{body.action}: {body.detail}")
            case ev.ModelNotice() as body:
                seen.noticed.append(body.text)
            case ev.AgentSpoke() as body:
                seen.spoken.append(body.text)
            case ev.GateRaised() as body:
                seen.asked.append(body.question)
            case ev.TaskEnded():
                return
        if until(seen):
            return


async def look(opened: OpenEngine, task: int, seen: Seen) -> None:
    """Note how the task stands, with its files."""
    looking = opened.engine.look
    view = await looking.task(task)
    seen.state, seen.report = view.state, view.report or view.reason
    seen.cost_micros = view.spend.cost_micros
    seen.tokens = view.spend.prompt_tokens + view.spend.completion_tokens
    for file in await looking.files(task):
        seen.files[file.path] = await looking.read_file(task, file.path)
