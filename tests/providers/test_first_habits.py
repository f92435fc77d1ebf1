"""Habits of the first table that no other test holds: many agents, models and tasks at one endpoint."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.assembly import OpenEngine
from engine.commands import Limits, StartTask
from engine.llm.providers.wire import SIGNATURE_STAND_IN
from tests.providers.families import wants_completion_tokens, wants_signatures_back
from tests.providers.stage import (
    Body,
    Provider,
    answer,
    by_the_book,
    call,
    carry_out,
    refusal,
    results,
    serving,
)

MEMBERS = [{"name": f"M{number}", "role": "writer", "instructions": "Write."} for number in range(6)]


def team(body: Body, number: int) -> Body:
    """The boss recruits six who all begin at once, each writes a file; then it ends."""
    done = [tool for tool, _ in results(body)]
    if not any(tool["function"]["name"] == "finish" for tool in body["tools"]):
        wrote = call("write_file", {"path": f"x{number}.txt", "content": "x"}, f"m{number}")
        return answer("Done.") if "write_file" in done else answer(calls=[wrote])
    if "recruit" not in done:
        return answer(calls=[call("recruit", {"members": MEMBERS}, f"r{number}")])
    if "send_message" not in done:
        begin = {"to": ["group"], "text": "Write your file.", "wait": True}
        return answer(calls=[call("send_message", begin, f"s{number}")])
    return answer(calls=[call("finish", {"report": "All is written."}, f"f{number}")])


async def test_many_agents_learn_a_form_together(tmp_path: Path) -> None:
    """Only who was on the way when it was learned is refused; nothing is lost."""
    provider = Provider(team, wants_completion_tokens)
    seen = await carry_out(provider, tmp_path)
    assert sum(path.startswith("x") for path in seen.files) == len(MEMBERS)
    assert provider.refused == 1


async def test_what_one_model_taught_is_not_told_to_another(tmp_path: Path) -> None:
    """Roles with different models at one endpoint: each has its own form."""

    def rule(body: Body) -> Any:
        if body["model"] == "new":
            return wants_completion_tokens(body)
        old = "max_completion_tokens" in body
        return refusal(400, "Unrecognized request argument supplied: max_completion_tokens") if old else None

    provider = Provider(team, rule)
    prices = {name: {"input": 1, "output": 2} for name in ("new", "old")}
    seen = await carry_out(provider, tmp_path, model="old", model_boss="new", model_prices=prices)
    assert sum(path.startswith("x") for path in seen.files) == len(MEMBERS)
    assert provider.refused == 1


async def test_ids_stay_apart_after_empty_answers(tmp_path: Path) -> None:
    """Anthropic refuses a request in which two calls have one id."""

    def unique(body: Body) -> Any:
        ids = [made["id"] for message in body["messages"] for made in message.get("tool_calls") or []]
        return refusal(400, "`tool_use` ids must be unique") if len(ids) != len(set(ids)) else None

    def brain(body: Body, number: int) -> Body:
        return answer("") if number in (1, 2, 4) else by_the_book(body, number)

    provider = Provider(brain, unique)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and provider.refused == 0


async def test_a_model_that_stands_in_gets_the_documented_stand_in(tmp_path: Path) -> None:
    """Gemini goes on with calls that another model made, without a signature."""

    def first(body: Body, number: int) -> Any:
        return by_the_book(body, number) if number == 1 else refusal(402, "Insufficient Balance")

    other = Provider(by_the_book, wants_signatures_back)
    async with serving(other):
        fallback = [{"model": "gemini-3-pro", "base_url": other.url + "/v1", "api_key": "k"}]
        seen = await carry_out(Provider(first), tmp_path, model_fallback=fallback, seconds=30)
    assert seen.state == "done" and other.refused == 0
    assert SIGNATURE_STAND_IN in json.dumps(other.bodies[0]["messages"])


async def test_people_read_how_long_the_first_limit_of_the_rate_lasts(tmp_path: Path) -> None:
    """Google names it in the details, as seconds; nothing is asked before."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}]
    limited = {"code": 429, "message": "You exceeded your current quota.", "details": details}
    times: list[float] = []

    def brain(body: Body, number: int) -> Any:
        times.append(asyncio.get_running_loop().time())
        return (429, [{"error": limited}]) if number == 1 else by_the_book(body, number)

    seen = await carry_out(Provider(brain), tmp_path)
    assert seen.state == "done"
    assert times[1] - times[0] >= 2.9
    assert seen.told[0].startswith("waiting 3 s:")


async def test_a_request_that_is_too_large_holds_nobody_else(tmp_path: Path) -> None:
    """OpenAI answers 429 to it for ever; another task goes on meanwhile."""

    def too_large(body: Body) -> Any:
        words = "Request too large for x on tokens per min (TPM): Limit 10, Requested 15000."
        return refusal(429, words) if "LARGE" in json.dumps(body) else None

    async def beside(opened: OpenEngine, _task: int) -> None:
        await opened.engine.handle(StartTask("LARGE", "person", "space", Limits(), attended=False))

    provider = Provider(by_the_book, too_large)
    seen = await carry_out(provider, tmp_path, beside=beside, seconds=15)
    assert seen.state == "done"
    assert not any(line.startswith("waiting") for line in seen.told)


async def test_blanks_while_an_answer_is_queued_are_no_answer(tmp_path: Path) -> None:
    """DeepSeek sends them to keep the connection; the answer follows."""

    class Queued(Provider):
        async def serve(self, request: web.Request) -> web.StreamResponse:
            made = await super().serve(request)
            assert isinstance(made, web.Response) and isinstance(made.body, bytes)
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for _ in range(5):
                await response.write(b"\n")
                await asyncio.sleep(0.02)
            await response.write(made.body)
            await response.write_eof()
            return response

    provider = Queued(by_the_book)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and len(provider.bodies) == 3
