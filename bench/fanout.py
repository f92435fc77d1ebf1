"""Fan-out: plan, N x (call, write_file, call), merge, against the bare SDK doing the same calls.

`python -m bench.fanout [agents] [seconds]`: the engine with everything durable and every file a revision.
The floor runs in a process of its own, against the same kind of endpoint, with prompts and tools of the
engine's size, and over aiohttp: the SDK's default transport takes several times as long.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import openai
import sqlalchemy as sa
from pydantic import SecretStr

from bench.endpoint import endpoint
from bench.measure import peak_rss, report
from bench.parts import ROOMY, build, make_tables
from engine import TurnOptions
from engine.commands import Limits, StartTask
from engine.llm.admission.model import AdmittedModel
from engine.llm.providers.openai_chat import OpenAIChat
from engine.settings import EngineSettings
from engine.store.core import REVISIONS, STEPS
from engine.tools import ToolOptions, specs_for

TURN = TurnOptions(tools=ToolOptions(audit_rounds=0, plan_approval_over=100_000))
LIMITS = Limits(agents=ROOMY.agents, members=ROOMY.members, depth=3, steps=100)
SYSTEM = "You are {name}, a writer. " + "Do your part as your instructions say. " * 60


def settings_for(base_url: str, agents: int) -> EngineSettings:
    """The engine's own settings for this endpoint."""
    return EngineSettings(
        _env_file=None,  # type: ignore[call-arg]
        openai_api_key=SecretStr("none"),
        openai_base_url=base_url,
        model_concurrency=agents + 10,
        model_timeout_s=300,
    )


async def with_engine(base_url: str, agents: int, folder: Path) -> tuple[float, int, int]:
    """The whole task -> (seconds, steps, revisions)."""
    url = f"sqlite:///{folder / 'bench.db'}"
    make_tables(url)
    settings = settings_for(base_url, agents)
    chat = OpenAIChat(settings)
    running = build(url, folder, AdmittedModel(chat, settings), agents + 50, TURN)
    await running.engine.start()
    began = time.perf_counter()
    task = await running.engine.handle(StartTask("Write a book together.", "bench", "bench", LIMITS))
    await running.until_end(task)
    seconds = time.perf_counter() - began
    steps, revisions = [
        int(await running.db.read(lambda c, t=t: c.execute(_count(t, task)).scalar_one()))  # type: ignore[misc]
        for t in (STEPS, REVISIONS)
    ]
    await running.close()
    await chat.close()
    return seconds, steps, revisions


def _count(table: sa.Table, task: int) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table).where(table.c.task_id == task)


async def with_sdk(base_url: str, agents: int) -> float:
    """The same calls with asyncio.gather -> seconds."""
    room = httpx2.Limits(max_connections=agents + 10, max_keepalive_connections=agents + 10)
    http = openai.DefaultAioHttpClient(limits=room, timeout=300)
    client = openai.AsyncOpenAI(
        api_key="none", base_url=base_url, timeout=300, max_retries=0, http_client=http
    )
    tools: Any = [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
        }
        for t in specs_for("member")
    ]

    async def ask(messages: Any) -> Any:
        done = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=tools)
        return done.choices[0].message

    async def member(number: int) -> None:
        messages: Any = [
            {"role": "system", "content": SYSTEM.format(name=f"W{number}")},
            {"role": "user", "content": "draft your part"},
        ]
        first = await ask(messages)
        call = first.tool_calls[0]
        messages.append(first.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "added, revision 1."})
        await ask(messages)

    boss: Any = [
        {"role": "system", "content": SYSTEM.format(name="Boss")},
        {"role": "user", "content": "begins"},
    ]
    began = time.perf_counter()
    await ask(boss)
    await asyncio.gather(*(member(n) for n in range(agents)))
    await ask([*boss, {"role": "user", "content": "my part is there"}])
    seconds = time.perf_counter() - began
    await client.close()
    return seconds


def floor_seconds(agents: int, seconds: float) -> float:
    """The floor, measured in a fresh process against a fresh endpoint."""
    command = [sys.executable, "-m", "bench.fanout", "floor", str(agents), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.strip().splitlines()[-1])


def bench(agents: int, seconds: float, target: float = 1.25) -> bool:
    """Floor, engine, ratio."""
    floor = floor_seconds(agents, seconds)
    with tempfile.TemporaryDirectory() as folder, endpoint("fanout", seconds, agents) as url:
        took, steps, revisions = asyncio.run(with_engine(url, agents, Path(folder)))
    if revisions != agents:
        raise RuntimeError(f"{revisions} revisions instead of {agents}")
    return report(
        f"fan-out, {agents} agents, {seconds:g} s a call",
        took / floor,
        target,
        seconds=took,
        floor=floor,
        steps=steps,
        peak_mb=peak_rss(),
    )


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["floor"]:
        agents, seconds = int(sys.argv[2]), float(sys.argv[3])
        with endpoint("fanout", seconds, agents) as url:
            print(asyncio.run(with_sdk(url, agents)))
        return
    agents = int(sys.argv[1]) if len(sys.argv) > 1 else 590
    bench(agents, float(sys.argv[2]) if len(sys.argv) > 2 else 0.5)


if __name__ == "__main__":
    main()
