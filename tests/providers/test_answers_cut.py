"""`finish_reason` decides: what was cut is not run, the model hears of it, and it gets more room."""

from __future__ import annotations

import json
from pathlib import Path

from tests.providers.stage import Body, Provider, answer, call, carry_out, results, sensible


def limit_of(body: Body) -> int:
    """The limit a request gives its answer."""
    return int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)


async def test_a_call_that_was_cut_is_not_run_and_the_model_writes_in_parts(tmp_path: Path) -> None:
    """Even where the server closes the cut JSON, half a file is never written as if it were whole."""

    def brain(body: Body, number: int) -> Body:
        heard = [text for _, text in results(body) if "cut" in text]
        if heard:
            return answer(calls=[call(*sensible(body), f"c{number}")])
        half = json.dumps({"path": "hello.txt", "content": "half of a"})
        return answer("I write it.", calls=[call("write_file", half)], finish="length")

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done"
    assert seen.files["hello.txt"] == b"hello\n"
    assert len(provider.bodies) == 4
    assert limit_of(provider.bodies[1]) == 2 * limit_of(provider.bodies[0])


async def test_thinking_that_used_up_the_limit_gets_more_and_is_told_so(tmp_path: Path) -> None:
    """An answer that is empty because it was cut is told apart from one that is just empty."""

    def brain(body: Body, number: int) -> Body:
        if limit_of(body) < 30_000:
            spent = {"prompt_tokens": 10, "completion_tokens": limit_of(body)}
            return answer("", finish="length", usage=spent)
        return answer(calls=[call(*sensible(body), f"c{number}")])

    provider = Provider(brain)
    seen = await carry_out(provider, tmp_path)
    assert seen.state == "done"
    assert len(provider.bodies) == 4
    assert "thinking" in str(provider.bodies[1]["messages"][-1])
    assert seen.spoken == []


async def test_calls_before_the_cut_one_are_done(tmp_path: Path) -> None:
    """Only the last call of a cut answer is in doubt."""

    def brain(body: Body, number: int) -> Body:
        if number == 1:
            whole = call("write_file", {"path": "hello.txt", "content": "hello\n"}, "a")
            return answer(calls=[whole, call("write_file", '{"path": "b.txt", "con', "b")], finish="length")
        return answer(calls=[call("finish", {"report": "Done."}, "c")])

    seen = await carry_out(Provider(brain), tmp_path)
    assert list(seen.files) == ["hello.txt"]
