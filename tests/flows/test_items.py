"""The benchmark runner on items made for this test: marked in the sandbox, resumed, summed up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.errors import Invalid
from engine.llm.scripted import ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest
from scenarios.items import known, main, summary
from scenarios.marking import load_items

DOUBLE = {
    "task_id": "Own/0",
    "prompt": 'def double(x: int) -> int:\n    """Twice x."""\n',
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2\n",
}
TRIPLE = DOUBLE | {"task_id": "Own/1", "prompt": "def triple(x):\n", "entry_point": "triple"}
ADD = {"task_id": 7, "text": "Write a function to add.", "test_list": ["assert add(1, 2) == 3"]}
APPLES = {"question": "Two apples and two more?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"}
MANY = {"question": "A thousand and one?", "answer": "#### 1,001"}


def write(path: Path, *items: Mapping[str, object]) -> Path:
    """A file of items."""
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def solver(request: ChatRequest) -> ChatAnswer:
    """Answers these items alone, the tripling one wrongly."""
    goal = request.messages[0].content
    answers = {
        "def double": ("solution.py", "def double(x):\n    return 2 * x\n"),
        "def triple": ("solution.py", "def triple(x):\n    return x\n"),
        "function to add": ("solution.py", "def add(a, b):\n    return a + b\n"),
        "Two apples": ("answer.txt", "2 + 2 = 4"),
        "A thousand and": ("answer.txt", "1001"),
    }
    path, content = next(value for key, value in answers.items() if key in goal)
    if request.messages[-1].role == "user":
        return call(("write_file", {"path": path, "content": content}), ("finish", {"report": "written"}))
    return say("Done.")


async def run(tmp_path: Path, kind: str, file: Path, model: ScriptedModel) -> dict[str, bool]:
    """Name -> passed."""
    words = [str(file), "--kind", kind, "--data", str(tmp_path / "data")]
    return {result.name: result.passed for result in await main(words, model)}


async def test_functions_are_marked_by_their_tests_in_the_sandbox(tmp_path: Path) -> None:
    """A right solution passes, a wrong one does not."""
    file = write(tmp_path / "own.jsonl", DOUBLE, TRIPLE)
    assert await run(tmp_path, "humaneval", file, ScriptedModel(solver)) == {"Own/0": True, "Own/1": False}


async def test_a_run_is_resumed_where_it_was_left(tmp_path: Path) -> None:
    """Items with a result cost no call again; a line cut off by a crash is done again."""
    file = write(tmp_path / "own.jsonl", APPLES | {"task_id": "a"}, MANY | {"task_id": "m"})
    model = ScriptedModel(solver)
    assert await run(tmp_path, "gsm8k", file, model) == {"a": True, "m": True}
    out = tmp_path / "own.gsm8k.results.jsonl"
    lines = out.read_text().splitlines(keepends=True)
    out.write_text(lines[0] + lines[1][:20] + "\n")
    calls = model.calls
    assert await run(tmp_path, "gsm8k", file, model) == {"a": True, "m": True}
    assert model.calls == calls + calls // 2


async def test_mbpp_items_are_marked_by_their_asserts(tmp_path: Path) -> None:
    """The list of asserts is the test; figures are summed up over all items."""
    file = write(tmp_path / "own.jsonl", ADD)
    assert await run(tmp_path, "mbpp", file, ScriptedModel(solver)) == {"7": True}
    (result,) = known(tmp_path / "own.mbpp.results.jsonl").values()
    assert result.prompt_tokens > 0 and result.agents == 1
    assert "1 of 1 passed (100.0 %)" in summary("mbpp", [result], 1.0)


def test_a_line_of_another_kind_is_refused(tmp_path: Path) -> None:
    """It says which line."""
    with pytest.raises(Invalid, match="Line 2"):
        load_items("gsm8k", write(tmp_path / "x.jsonl", APPLES, DOUBLE))
