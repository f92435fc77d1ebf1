"""Benchmarks of the paper, one task an item: `python -m scenarios.items --kind humaneval FILE.jsonl`.

Kinds and their fields, as published: humaneval (task_id, prompt, entry_point, test), mbpp (task_id, text or
prompt, test_list, test_setup_code), gsm8k (question, answer; the number after ####), math (problem, solution
with its boxed answer, or answer). Results go line by line
into a file beside the items; an item that is there is not done again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast, get_args

from engine.assembly import OpenEngine, open_engine
from engine.commands import Limits, StartTask
from engine.engine import Engine
from engine.errors import NotFound
from engine.events import TaskEnded
from engine.ports import ChatModel
from engine.settings import EngineSettings
from scenarios.common import append_line, run, say, stop_left, up_to_date
from scenarios.marking import Item, Kind, goal_of, load_items, mark


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one item; money in micro-dollars."""

    name: str
    passed: bool
    note: str
    agents: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    seconds: float


class Endings:
    """Lets many wait for the ends of their tasks over one stream of events."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ended: dict[int, asyncio.Event] = {}

    async def listen(self) -> None:
        """Read events until cancelled."""
        async for event in self._engine.events():
            if isinstance(event.body, TaskEnded):
                self._of(event.body.task_id).set()

    def _of(self, task: int) -> asyncio.Event:
        return self._ended.setdefault(task, asyncio.Event())

    async def wait(self, task: int) -> None:
        """Return once the task has ended."""
        await self._of(task).wait()


async def run_items(
    items: Sequence[Item], settings: EngineSettings, out: Path, at_once: int, model: ChatModel | None = None
) -> list[Result]:
    """Do the items that `out` does not hold yet, `at_once` at a time -> the results of all items."""
    before = known(out)
    todo = [item for item in items if item.name not in before]
    if todo:
        opened = await open_engine(settings, model, migrate=up_to_date, say=say)
        endings = Endings(opened.engine)
        listener = asyncio.create_task(endings.listen(), name="endings")
        try:
            await stop_left(opened.engine, f"items:{todo[0].kind}")
            await opened.engine.start()
            await _all(opened, endings, todo, out, at_once)
        finally:
            listener.cancel()
            await opened.engine.stop()
            await opened.close()
    done = known(out)
    return [done[item.name] for item in items]


async def _all(opened: OpenEngine, endings: Endings, todo: Sequence[Item], out: Path, at_once: int) -> None:
    room = asyncio.Semaphore(at_once)

    async def one(item: Item) -> None:
        async with room:
            result = await _do(opened, endings, item)
        append_line(out, asdict(result))
        say(f"[{'x' if result.passed else ' '}] {item.name}: {result.note[:100]}")

    async with asyncio.TaskGroup() as group:
        for item in todo:
            group.create_task(one(item))


async def _do(opened: OpenEngine, endings: Endings, item: Item) -> Result:
    started = time.monotonic()
    start = StartTask(goal_of(item), "items", f"items:{item.kind}", Limits(agents=6, depth=2), attended=False)
    task = await opened.engine.handle(start)
    await endings.wait(task)
    view = await opened.engine.look.task(task)
    agents = len(await opened.engine.look.agents(task))
    passed, note = await mark(item, await _file(opened.engine, task, item.answer_file), opened.sandbox)
    spend = view.spend
    return Result(
        name=item.name,
        passed=passed,
        note=note,
        agents=agents,
        prompt_tokens=spend.prompt_tokens,
        completion_tokens=spend.completion_tokens,
        cost_micros=spend.cost_micros,
        seconds=time.monotonic() - started,
    )


async def _file(engine: Engine, task: int, path: str) -> bytes | None:
    try:
        return await engine.look.read_file(task, path)
    except NotFound:
        return None


def known(out: Path) -> dict[str, Result]:
    """Results already there; a line cut off by a crash is left out."""
    found: dict[str, Result] = {}
    for line in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        try:
            result = Result(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[result.name] = result
    return found


def summary(kind: str, results: Sequence[Result], seconds: float) -> str:
    """Pass rate, tokens, cost, seconds."""
    passed = sum(result.passed for result in results)
    rate = 100 * passed / len(results) if results else 0.0
    tokens_in = sum(result.prompt_tokens for result in results)
    tokens_out = sum(result.completion_tokens for result in results)
    cost = sum(result.cost_micros for result in results) / 1e6
    return (
        f"{kind}: {passed} of {len(results)} passed ({rate:.1f} %)\n"
        f"tokens in {tokens_in:,}, out {tokens_out:,}; cost ${cost:.4f}; this run took {seconds:.1f} s"
    )


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Benchmark items, one task each.")
    parser.add_argument("file", type=Path, help="items, one JSON object a line")
    parser.add_argument("--kind", choices=get_args(Kind), required=True)
    parser.add_argument("--at-once", type=int, default=8, help="tasks at the same time")
    parser.add_argument("--limit", type=int, help="only the first so many")
    parser.add_argument("--out", type=Path, help="results file; beside FILE unless given")
    parser.add_argument("--data", type=Path, default=Path("var/items"), help="folder for what is made")
    return parser.parse_args(words)


async def main(words: Sequence[str] | None = None, model: ChatModel | None = None) -> list[Result]:
    """Run a file of items and print what came of it."""
    given = parsed(words)
    items = load_items(cast(Kind, given.kind), given.file)[: given.limit]
    out = given.out or given.file.with_suffix(f".{given.kind}.results.jsonl")
    settings = EngineSettings().model_copy(update=_apart(given.data))
    started = time.monotonic()
    results = await run_items(items, settings, out, given.at_once, model)
    say(summary(given.kind, results, time.monotonic() - started))
    return results


def _apart(data: Path) -> Mapping[str, Any]:
    """Data apart from the bot's, and no auditor: the tests of the item judge."""
    return {"data_dir": data, "database_url": "", "audit_rounds": 0}


if __name__ == "__main__":
    run(main())
