"""What the protocol of agents costs: `python -m bench.protocol [name …]`.

The scripted works of the paper (of the second also a small nation), and two recorded works that are replayed:
one goal by a team and by the boss alone. Printed for each: tokens of tool schemas (an agent's first call, and
each), calls that only end a turn, the part of the time in which nobody works, the share of calls that are
protocol only. For the replays also tokens in and how long each takes where a call takes a second and its
output comes at 80 tokens a second, a program takes no time, and all agents think at once. Time is virtual, so
nothing depends on the machine; the settings are the defaults, with the web and packages, and people attend.
The exit code is 1 when a limit is exceeded. At the end, what a hundred tools
of servers cost, offered or found (`bench.found_tools`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench import found_tools
from bench.measure import report
from bench.parts import make_tables
from bench.replay import Linear, Team, recorded
from bench.virtual_time import Timeline, ToldPrograms
from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions, open_database
from engine.assembly import turn_options
from engine.commands import Limits, StartTask
from engine.connectors.connectors import Connectors, OutsideOptions
from engine.connectors.web.servers import WebOptions, web_tools
from engine.domain.limits import Caps
from engine.domain.outside import WEB
from engine.domain.snapshot import WatchOptions
from engine.events import TaskEnded
from engine.llm.scripted import Script
from engine.monitoring.sweep import judge_and_intervene, sweep_task
from engine.packages import PipPackages
from engine.ports import ChatAnswer, ChatRequest, Quote, ServerState, ToolSpec, Usage
from engine.settings import EngineSettings
from engine.workspace import GitWorkspace
from scenarios.gobang import GOBANG
from scenarios.policy import POLICY
from tests.fakes.cast import cast
from tests.fakes.outside import Shop
from tests.flows import gobang_script, policy_script

BYTES_A_TOKEN = 4
CALL_S, TOKENS_A_SECOND, PROGRAM_S = 1.0, 80.0, 0.0
SWEEP_S = 5.0
HISTORY_TOKENS = 67_000
"""As with a model of 128k tokens of context, the default."""

CAPS = Caps(agents=2_000, depth=9, members=50, steps=1_000, cost_micros=10**14, tokens=10**14, minutes=10_000)
PROTOCOL = frozenset(
    {
        "send_message",
        "wait_for",
        "recruit",
        "assign",
        "submit",
        "review",
        "dismiss",
        "set_budget",
        "update_todo",
        "propose_plan",
        "ask_human",
    }
)
"""Tools that make nothing: they only divide, hand over and judge the work."""


def size(value: object) -> int:
    """Tokens of what is sent as JSON, nearly."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) // BYTES_A_TOKEN


@dataclass(slots=True)
class Metered:
    """A scripted model whose calls take virtual time and are counted."""

    script: Script
    timeline: Timeline
    tokens_in: int = 0
    tokens_out: int = 0
    calls: int = 0
    only_ends: int = 0
    protocol: int = 0
    schemas: list[int] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    fault: Exception | None = None

    def quote(self, request: ChatRequest) -> Quote:
        """Return a price that no cap stops."""
        return Quote(1_000, 100)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the script's answer after the time that a model would take."""
        schemas = size([_tool(tool) for tool in request.tools])
        if request.agent_id not in self.seen:
            self.seen.add(request.agent_id)
            leads = request.role == "member" and any(tool.name == "assign" for tool in request.tools)
            role = "head" if leads else request.role  # it was recruited to lead, and has a head's tools
            self.first[role] = max(schemas, self.first.get(role, 0))
        prompt = size([_wire(message) for message in request.messages]) + schemas
        try:
            answer = self.script(request)
        except Exception as error:
            self.fault = error
            raise
        if not isinstance(answer, ChatAnswer):
            raise TypeError("the benches' brains answer at once")
        out = size([answer.text, [(c.name, c.arguments) for c in answer.tool_calls]])
        self.schemas.append(schemas)
        self.calls += 1
        self.tokens_in += prompt
        self.tokens_out += out
        names = {c.name for c in answer.tool_calls}
        self.only_ends += not names
        self.protocol += bool(names) and names <= PROTOCOL
        await self.timeline.sleep(CALL_S + out / TOKENS_A_SECOND)
        return ChatAnswer(
            answer.text, answer.tool_calls, Usage(prompt, 0, out), "scripted", answer.finish_reason, 10
        )


def _tool(tool: ToolSpec) -> object:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _wire(message: object) -> object:
    fields = ("role", "content", "tool_call_id")
    made = {name: value for name in fields if (value := getattr(message, name))}
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in message.tool_calls  # type: ignore[attr-defined]
    ]
    return made | ({"tool_calls": calls} if calls else {})


class OfferedWeb(Shop):
    """The web's tools as they are offered by default; nothing of these works calls them."""

    def states(self) -> Sequence[ServerState]:
        """Ready."""
        return (ServerState(WEB, "ready", tools=len(self.tools())),)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one work cost."""

    model: Metered
    seconds: float
    idle: float
    state: str


async def carry_out(goal: str, script: Script, limits: Limits, folder: Path) -> Figures:
    """Run a work to its end in virtual time."""
    make_tables(f"sqlite:///{folder / 'bench.db'}")
    db = open_database(f"sqlite:///{folder / 'bench.db'}")
    dispatcher, timeline = LocalDispatcher(2_000), Timeline()
    timeline.busy = lambda: dispatcher.busy
    model = Metered(script, timeline)
    settings = EngineSettings(_env_file=None)  # type: ignore[call-arg]
    programs = ToldPrograms(timeline, PROGRAM_S, packages=settings.run_packages)
    web = [OfferedWeb(*web_tools(WebOptions(), searches=True))]
    outside = Connectors(web, db, timeline, OutsideOptions(settings.outside_tools_shown))
    packages = PipPackages(folder / "packages", Path(sys.executable), 2**20)
    parts = EngineParts(
        db, model, GitWorkspace(folder / "workspaces"), programs, timeline, None, outside, packages
    )
    tools = replace(turn_options(settings).tools, plan_approval_over=100_000)
    engine = Engine(parts, dispatcher, EngineOptions(CAPS, TurnOptions(HISTORY_TOKENS, tools), sweeps=False))
    await engine.start()
    try:
        task = await engine.handle(StartTask(goal, "bench", "bench", limits))
        ended = asyncio.create_task(_ended(engine, task))
        while not ended.done():
            if model.fault is not None:
                raise model.fault
            if await timeline.still():
                if (await engine.look.task(task)).ended_at is not None:
                    break
                timeline.idle(SWEEP_S)
                dispatcher.wake(await _swept(engine, db, task, timeline.now()))
            else:
                timeline.step()
        body = await ended
        idle = 1 - timeline.working / timeline.seconds
        return Figures(model, timeline.seconds, idle, body.state)
    finally:
        await engine.stop(drain=False)
        await db.close()


async def _swept(engine: Engine, db, task: int, now: float):  # type: ignore[no-untyped-def]
    wakes = await db.write(lambda c: sweep_task(c, task, now, WatchOptions()))
    return [*wakes, *await db.write(lambda c: judge_and_intervene(c, task, now, WatchOptions()))]


async def _ended(engine: Engine, task: int) -> TaskEnded:
    async for event in engine.events():
        if isinstance(event.body, TaskEnded) and event.body.task_id == task:
            return event.body
    raise RuntimeError("the engine stopped before the task ended")


WORKS: dict[str, tuple[str, Callable[[], Script], Limits]] = {
    "gobang, scripted": (GOBANG.goal, lambda: cast(gobang_script.parts()), GOBANG.limits),
    "policies, scripted": (POLICY.goal, lambda: policy_script.play, POLICY.limits),
    "two departments, scripted": (
        POLICY.goal,
        lambda: partial(policy_script.play, departments=2),
        POLICY.limits,
    ),
    "gobang, team replayed": (GOBANG.goal, lambda: Team(recorded("gobang_team")), GOBANG.limits),
    "gobang, alone replayed": (GOBANG.goal, lambda: Linear(recorded("gobang_alone")), GOBANG.limits),
}
TOKENS_IN = {"gobang, team replayed": 350_000, "gobang, alone replayed": 170_000}
PROTOCOL_ONLY = {"gobang, team replayed": 0.32, "gobang, alone replayed": 0.0}
SCRIPTED = 0.7
"""Shares of calls. In scripted works they are large: each file is written in one call, citizens only talk."""

FIRST_SCHEMAS, IDLE, MAKESPAN = 1_300, 0.05, 0.6


def measure(name: str) -> Figures:
    """Carry out one work."""
    goal, script, limits = WORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(carry_out(goal, script(), limits, Path(folder)))


def share_limit(name: str) -> float:
    """Return the share of a work's calls that may be protocol only."""
    return PROTOCOL_ONLY.get(name, SCRIPTED)


def show(name: str, figures: Figures) -> list[bool]:
    """Print the figures of one work. Return which targets are met."""
    model = figures.model
    if figures.state != "done":
        raise RuntimeError(f"{name} ended as {figures.state}")
    met = [
        report(f"{name}: calls that only end a turn", model.only_ends, 0, calls=model.calls),
        report(f"{name}: part of the time idle", figures.idle, IDLE, seconds=figures.seconds),
    ]
    if "member" in model.first:
        first, every = model.first["member"], sum(model.schemas) / model.calls
        met.append(report(f"{name}: a member's first schemas", first, FIRST_SCHEMAS, a_call=every))
    share = model.protocol / model.calls
    met.append(report(f"{name}: share of calls that are protocol only", share, share_limit(name)))
    print(f"{name}: schemas at first {model.first}")
    if name in TOKENS_IN:
        met.append(report(f"{name}: tokens in", model.tokens_in, TOKENS_IN[name], out=model.tokens_out))
    return met


def bench(names: list[str]) -> bool:
    """All works, or those named."""
    found = {name: measure(name) for name in WORKS if not names or name in names}
    met = [one for name, figures in found.items() for one in show(name, figures)]
    team, alone = found.get("gobang, team replayed"), found.get("gobang, alone replayed")
    if team and alone:
        ratio = team.seconds / alone.seconds
        met.append(report("gobang: time of the team to that of one agent", ratio, MAKESPAN))
    if not names:
        met += found_tools.bench()
    return all(met)


if __name__ == "__main__":
    sys.exit(not bench(sys.argv[1:]))
