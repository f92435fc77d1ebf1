"""Whole tasks at endpoints with the habits of test_habits.py: what people see, what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.commands import Limits
from tests.providers.stage import Body, Provider, answer, by_the_book, call, carry_out, sensible


async def test_half_of_an_answer_is_asked_for_again_and_paid_for(tmp_path: Path) -> None:
    """DeepSeek runs out of resources inside a call that it closes: the half is never written."""

    def brain(body: Body, number: int) -> Any:
        if number == 1:
            half = call("write_file", {"path": "hello.txt", "content": "hel"})
            usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
            return answer(calls=[half], finish="insufficient_system_resource", usage=usage)
        return by_the_book(body, number)

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and seen.files["hello.txt"] == b"hello\n"
    assert len(provider.bodies) == 4
    assert seen.cost_micros > 1_000_000, "the half was charged: a million tokens at a dollar"


async def test_words_and_calls_in_a_choice_each(tmp_path: Path) -> None:
    """Nothing of the answer is lost: the words are said, the calls are run."""

    def brain(body: Body, number: int) -> Any:
        made = by_the_book(body, number)
        words = {"index": 0, "message": {"role": "assistant", "content": f"Step {number}."}}
        made["choices"] = [words, {**made["choices"][0], "index": 1}]
        return made

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and len(provider.bodies) == 3
    assert "Step 1." in seen.spoken


async def test_calls_among_the_thoughts_are_run_and_the_thoughts_stay_unsaid(tmp_path: Path) -> None:
    """A server without a parser for the template leaves them there."""

    def brain(body: Body, number: int) -> Any:
        name, arguments = sensible(body)
        written = json.dumps({"name": name, "arguments": arguments})
        return answer(None, reasoning_content=f"Silly me.\n<tool_call>\n{written}\n</tool_call>")

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and len(provider.bodies) == 3
    assert seen.spoken == []


@pytest.mark.parametrize(
    "counted",
    [{"completion_tokens": 40}, {"prompt_tokens": 0, "completion_tokens": 40, "cost": 0}],
    ids=["left out", "of zero"],
)
async def test_a_prompt_that_is_not_counted_fills_the_cap(counted: Body, tmp_path: Path) -> None:
    """Of a model without a price: a dollar is spent by some dozens of prompts, not by thousands."""

    def brain(body: Body, number: int) -> Any:
        return answer(calls=[call("list_files", {"prefix": f"{number}"}, f"c{number}")], usage=counted)

    provider = Provider(brain)
    cap = 600_000
    seen = await carry_out(
        provider, tmp_path, limits=Limits(cost_micros=cap), model="nobody-knows", model_prices={}, seconds=30
    )
    read = sum(len(json.dumps(body)) // 4 for body in provider.bodies)
    assert seen.state != "running"
    assert cap // 3 < seen.cost_micros <= cap * 1.1 + 1, "a tenth more to wrap up in"
    assert read * 5 <= cap * 1.1


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (
            429,
            [{"error": {"code": 429, "message": "Your prepayment credits are depleted."}}],
            "no credit",
        ),
        (
            503,
            {"error": {"code": "model_not_found", "message": "No available channel for model x"}},
            "Set MODEL",
        ),
        (400, {"error": "Bad Request", "message": "Invalid API key"}, "OPENAI_API_KEY"),
        (302, "", "https://elsewhere.example/v1"),
    ],
    ids=["credits", "channel", "beside the error", "elsewhere"],
)
async def test_what_a_person_has_to_change_is_named_after_one_request(
    status: int, said: Any, words: str, tmp_path: Path
) -> None:
    """Everything waits; nothing is asked in vain."""
    headers = {"Location": "https://elsewhere.example/v1/chat/completions"} if status == 302 else {}
    provider = Provider(lambda body, number: (status, said, headers))
    seen = await carry_out(provider, tmp_path, until=lambda seen: bool(seen.told), seconds=15)
    assert words in seen.words
    assert len(provider.bodies) == 1


async def test_throttling_costs_no_memory(tmp_path: Path) -> None:
    """Bedrock's "too many tokens" is a rate: the same prompt is sent again, whole."""

    def brain(body: Body, number: int) -> Any:
        if number == 6:
            said = "Too many tokens, please wait before trying again."
            return 400, {"__type": "ThrottlingException", "message": said}
        if number < 9:
            arguments = {"path": f"part{number}.txt", "content": "word " * 600}
            return answer(calls=[call("write_file", arguments, f"c{number}")])
        last = call("write_file", {"path": "hello.txt", "content": "hello\n"}, "w")
        return answer(calls=[last, call("finish", {"report": "hello.txt says hello."}, "f")])

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and provider.refused == 1
    assert provider.bodies[6]["messages"] == provider.bodies[5]["messages"]


async def test_a_prompt_that_a_filter_refused_is_not_sent_in_another_form(tmp_path: Path) -> None:
    """Azure's sentence has "content" and "invalid" in it: it asks for other words, not another shape."""

    def brain(body: Body, number: int) -> Any:
        if number == 2:
            said = "The prompt triggered the content management policy. Please modify it."
            error = {"message": said, "type": "invalid_request_error", "code": "content_filter"}
            return 400, {"error": error}
        return by_the_book(body, number)

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done" and provider.refused == 1
    assert len(provider.bodies) == 4
    assert "content filter" in str(provider.bodies[2]["messages"][-1])
    assert not any("asked in another way" in line for line in seen.said)


async def test_a_file_given_as_an_object_is_written_as_json(tmp_path: Path) -> None:
    """Models do so where the file is JSON."""

    def brain(body: Body, number: int) -> Any:
        if number == 1:
            return answer(calls=[call("write_file", {"path": "a.json", "content": {"b": [1, 2]}})])
        return by_the_book(body, number)

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert json.loads(seen.files["a.json"]) == {"b": [1, 2]}
