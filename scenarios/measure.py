"""One agent and a team side by side: `python -m scenarios.measure WORKS`.

Each work is done by one agent and by a team, with the same model and the same cap on tokens. WORKS is a file
of items with --kind, or a folder of works with hidden tests (`scenarios.folders`). Results go line by line
into a file; what is there is not done again, so a run that was broken off goes on where it was. A work that
was changed meanwhile, another model or another cap is another measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from engine.assembly import OpenEngine, open_engine
from engine.commands import Limits, StartTask
from engine.errors import Invalid
from engine.ports import ChatModel, Sandbox
from engine.queries import StepView
from engine.settings import EngineSettings
from scenarios.common import append_line, run, say, stop_left, up_to_date
from scenarios.folders import FolderWork, load_folders, mark_folder
from scenarios.items import Endings
from scenarios.marking import Item, Kind, goal_of, load_items, mark

Mode = Literal["one", "team", "free"]
MODES: Mapping[Mode, str] = {"one": "one agent", "team": "a team", "free": "as it likes"}
TEAM = "\n\nWork on this as a team: recruit at least two members, divide the work among them, and review it."
TEAM_SIZE = 8
MOST_STEPS = 10_000

Purpose = Literal["write", "look", "team", "talk", "end", "words"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
_PURPOSE_OF: Mapping[Purpose, frozenset[str]] = {
    "write": frozenset({"write_file", "edit_file", "delete_file", "move_file", "install_packages"}),
    "look": frozenset({"list_files", "read_file", "search_files", "diff", "run", "send_input", "recall"}),
    "team": frozenset({"recruit", "assign", "submit", "review", "dismiss", "set_budget", "propose_plan"}),
    "talk": frozenset({"send_message", "ask_human", "update_todo", "remember"}),
    "end": frozenset({"finish", "verdict"}),
}


Key = tuple[str, str, Mode, str, int]
"""Work, its digest, mode, model and cap on tokens."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A work as it is measured: its goal and files, and how its result is judged. `digest`: of all of it, so
    that works of two sources with one name are told apart."""

    name: str
    goal: str
    judge: Callable[[Mapping[str, bytes], Sandbox], Awaitable[tuple[bool, str]]]
    digest: str
    start: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one work in one mode; money in micro-dollars, `calls` by purpose."""

    work: str
    mode: Mode
    model: str
    cap: int
    passed: bool
    note: str
    agents: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    seconds: float
    calls: dict[str, int]
    digest: str = ""

    @property
    def key(self) -> Key:
        """Return what makes a result the same measurement."""
        return self.work, self.digest, self.mode, self.model, self.cap


def purpose_of(tools: Sequence[str]) -> Purpose:
    """Return what a model call was for, by the most substantial of its tools; "words" without any."""
    return next((purpose for purpose, names in _PURPOSE_OF.items() if names & set(tools)), "words")


def calls_by_purpose(steps: Sequence[StepView]) -> Counter[str]:
    """Return how many model calls an agent made for each purpose. Steps that ran the rest of an answer
    belong to the call before them."""
    made: list[list[str]] = []
    for step in sorted(steps, key=lambda step: step.step):
        tools = [name for name, _, _ in step.calls]
        if step.model or not made:
            made.append(tools)
        else:
            made[-1] += tools
    return Counter(purpose_of(tools) for tools in made)


def works_of(path: Path, kind: Kind | None) -> list[Measured]:
    """Return the works of a file of items, or of a folder. Raises Invalid."""
    if path.is_dir():
        return [_of_folder(work) for work in load_folders(path)]
    if kind is None and path.exists():
        raise Invalid(
            f"{path} is no folder.", f"Say of which kind its items are: {', '.join(get_args(Kind))}."
        )
    return [_of_item(item) for item in load_items(kind or "humaneval", path)]


def _of_folder(work: FolderWork) -> Measured:
    async def judge(files: Mapping[str, bytes], sandbox: Sandbox) -> tuple[bool, str]:
        return await mark_folder(work, files, sandbox)

    return Measured(work.name, work.goal, judge, _digest(work), work.start)


def _of_item(item: Item) -> Measured:
    async def judge(files: Mapping[str, bytes], sandbox: Sandbox) -> tuple[bool, str]:
        return await mark(item, files.get(item.answer_file), sandbox)

    return Measured(item.name, goal_of(item), judge, _digest(item))


def _digest(work: FolderWork | Item) -> str:
    return hashlib.sha256(repr(work).encode("utf-8", "replace")).hexdigest()[:16]


def known(out: Path) -> dict[Key, Line]:
    """Return the results that are there already; a line cut off by a crash is left out."""
    found: dict[Key, Line] = {}
    for text in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        try:
            line = Line(**json.loads(text))
            found[line.key] = line
        except (ValueError, TypeError):
            continue
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How the works are done: modes, cap on tokens, minutes of one work, works at the same time."""

    modes: tuple[Mode, ...]
    tokens: int
    minutes: int
    at_once: int


async def measure(
    works: Sequence[Measured], settings: EngineSettings, plan: Plan, out: Path, model: ChatModel | None = None
) -> list[Line]:
    """Do what `out` does not hold yet. Return the results of all works in all modes."""
    name = settings.model if settings.has_endpoint else "embedded"
    wanted: dict[Key, tuple[Measured, Mode]] = {
        (work.name, work.digest, mode, name, plan.tokens): (work, mode)
        for work in works
        for mode in plan.modes
    }
    before = known(out)
    todo = [pair for key, pair in wanted.items() if key not in before]
    there = len(wanted) - len(todo)
    say(
        f"{len(wanted)} results of {name}: {there} are in {out}, {len(todo)} to do, {plan.at_once} at a time."
    )
    if todo:
        opened = await open_engine(settings, model, migrate=up_to_date, say=say)
        endings = Endings(opened.engine)
        listener = asyncio.create_task(endings.listen(), name="endings")
        try:
            await stop_left(opened.engine, "measure")
            await opened.engine.start()
            await _all(_Run(opened, endings, plan, out, name), todo)
        finally:
            listener.cancel()
            await opened.engine.stop()
            await opened.close()
    done = known(out)
    return [done[key] for key in wanted if key in done]


@dataclass(frozen=True, slots=True)
class _Run:
    opened: OpenEngine
    endings: Endings
    plan: Plan
    out: Path
    model: str

    async def one(self, work: Measured, mode: Mode) -> Line:
        """Do a work in a mode, and judge its result."""
        engine, started = self.opened.engine, time.monotonic()
        size = 1 if mode == "one" else TEAM_SIZE
        limits = Limits(agents=size, depth=3, tokens=self.plan.tokens, minutes=self.plan.minutes)
        goal = work.goal + (TEAM if mode == "team" else "")
        start = StartTask(goal, "measure", "measure", limits, files=work.start, attended=False)
        task = await engine.handle(start)
        await self.endings.wait(task)
        seconds = time.monotonic() - started
        look = engine.look
        view, agents = await look.task(task), await look.agents(task)
        files = {file.path: await look.read_file(task, file.path) for file in await look.files(task)}
        passed, note = await work.judge(files, self.opened.sandbox)
        calls = Counter[str]()
        for agent in agents:
            calls += calls_by_purpose(await look.steps(agent.id, MOST_STEPS))
        spend = view.spend
        return Line(
            work.name,
            mode,
            self.model,
            self.plan.tokens,
            passed,
            note,
            len(agents),
            spend.prompt_tokens,
            spend.completion_tokens,
            spend.cost_micros,
            seconds,
            dict(calls),
            work.digest,
        )


async def _all(done: _Run, todo: Sequence[tuple[Measured, Mode]]) -> None:
    room = asyncio.Semaphore(done.plan.at_once)

    async def one(work: Measured, mode: Mode) -> None:
        async with room:
            line = await done.one(work, mode)
        append_line(done.out, asdict(line))
        say(f"[{'x' if line.passed else ' '}] {work.name}, {MODES[mode]}: {line.note[:100]}")

    async with asyncio.TaskGroup() as group:
        for work, mode in todo:
            group.create_task(one(work, mode))


def table(lines: Sequence[Line]) -> str:
    """Return all modes beside each other: sums first, then each work."""
    modes = [mode for mode in MODES if any(line.mode == mode for line in lines)]
    by_mode = {mode: [line for line in lines if line.mode == mode] for mode in modes}
    rows: list[tuple[str, Callable[[list[Line]], str]]] = [
        ("passed", lambda them: f"{sum(one.passed for one in them)} of {len(them)}"),
        ("tokens in", lambda them: f"{sum(one.prompt_tokens for one in them):,}"),
        ("tokens out", lambda them: f"{sum(one.completion_tokens for one in them):,}"),
        ("cost", lambda them: f"${sum(one.cost_micros for one in them) / 1e6:.4f}"),
        ("minutes", lambda them: f"{sum(one.seconds for one in them) / 60:.1f}"),
        ("agents", lambda them: f"{sum(one.agents for one in them) / max(len(them), 1):.1f} each"),
        ("calls", lambda them: f"{sum(sum(one.calls.values()) for one in them):,}"),
    ]
    rows += [(f"  {purpose}", _counting(purpose)) for purpose in PURPOSES]
    shown = [_row("", [MODES[mode] for mode in modes])]
    shown += [_row(name, [value(by_mode[mode]) for mode in modes]) for name, value in rows]
    for work in dict.fromkeys(line.work for line in lines):
        cells = [next((_cell(one) for one in by_mode[mode] if one.work == work), "-") for mode in modes]
        shown.append(_row(work, cells))
    return "\n".join(shown)


def _counting(purpose: Purpose) -> Callable[[list[Line]], str]:
    return lambda them: f"{sum(one.calls.get(purpose, 0) for one in them):,}"


def _cell(line: Line) -> str:
    tokens = line.prompt_tokens + line.completion_tokens
    return f"[{'x' if line.passed else ' '}] {tokens:,} in {line.seconds / 60:.1f} min"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name[:30]:30}" + "".join(f"{cell:>26}" for cell in cells)


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="One agent and a team side by side.")
    parser.add_argument("works", type=Path, help="a folder of works, or a file of items")
    parser.add_argument("--kind", choices=get_args(Kind), help="of a file of items; not for a folder")
    parser.add_argument("--modes", nargs="+", choices=tuple(MODES), default=["one", "team"])
    parser.add_argument("--tokens", type=int, default=400_000, help="cap of each work")
    parser.add_argument("--minutes", type=int, default=60, help="cap of each work")
    parser.add_argument("--at-once", type=int, default=2, help="works at the same time")
    parser.add_argument("--limit", type=int, help="only the first so many works")
    parser.add_argument("--out", type=Path, default=Path("var/measure/results.jsonl"), help="results file")
    parser.add_argument("--data", type=Path, default=Path("var/measure"), help="folder for what is made")
    return parser.parse_args(words)


async def main(words: Sequence[str] | None = None, model: ChatModel | None = None) -> list[Line]:
    """Measure the works and print what came of them."""
    given = parsed(words)
    works = works_of(given.works, given.kind)[: given.limit]
    # No auditor: the hidden tests judge. No approval: nobody attends.
    apart = {"data_dir": given.data, "database_url": "", "audit_rounds": 0, "plan_approval_over": TEAM_SIZE}
    settings = EngineSettings().model_copy(update=apart)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    modes = cast(tuple[Mode, ...], tuple(given.modes))
    plan = Plan(modes, given.tokens, given.minutes, given.at_once)
    lines = await measure(works, settings, plan, given.out, model)
    say(f"\n{len(works)} works, at most {plan.tokens:,} tokens each\n{table(lines)}")
    return lines


if __name__ == "__main__":
    run(main())
