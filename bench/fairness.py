"""Fairness: a 5-agent task beside a 500-agent one, against the same task alone.

`python -m bench.fairness [sqlite|postgresql]`: the embedded dispatcher, or Procrastinate's.

The endpoint takes 64 calls at once through the real admission, 250 ms each; the ratio compares the small
task's time from its messages to its end.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from bench.chains import Chains, chain_script, text_of
from bench.measure import report
from bench.parts import build, database, make_tables, seed_members, seed_messages
from bench.turns import ONE_MESSAGE
from engine.llm.admission.model import AdmittedModel
from engine.llm.scripted import ScriptedModel
from engine.ports import ChatAnswer, ChatRequest
from engine.settings import EngineSettings
from engine.store.core import MESSAGES

SMALL, LARGE = Chains(5, 10, 0.25, 64), Chains(500, 10, 0.25, 64)


def _seed(connection: Connection, work: Chains) -> int:
    now = time.time()
    task, agents = seed_members(connection, work.agents, now)
    messages = [(agent, text_of(number, work.hops)) for number, agent in enumerate(agents)]
    seed_messages(connection, task, messages, now)
    return task


def _left(connection: Connection, task: int) -> bool:
    unread = sa.select(MESSAGES.c.id).where(MESSAGES.c.task_id == task, MESSAGES.c.consumed_step.is_(None))
    return connection.execute(unread.limit(1)).first() is not None


async def run(beside: bool, url: str, folder: Path) -> float:
    """Return the seconds that the small task takes, alone or beside the large one."""
    make_tables(url)
    scripts: dict[int, object] = {}

    async def script(request: ChatRequest) -> ChatAnswer:
        await asyncio.sleep(SMALL.seconds)
        answer = scripts[request.task_id](request)  # type: ignore[operator]
        assert isinstance(answer, ChatAnswer)
        return answer

    settings = EngineSettings(_env_file=None, model_concurrency=SMALL.cap)  # type: ignore[call-arg]
    model = AdmittedModel(ScriptedModel(script), settings)
    running = build(url, folder, model, SMALL.cap * 2, ONE_MESSAGE, sweeps=False)
    if beside:
        scripts[await running.db.write(lambda c: _seed(c, LARGE))] = chain_script(LARGE)
    await running.engine.start()
    await asyncio.sleep(0.5 if beside else 0)
    task = await running.db.write(lambda c: _seed(c, SMALL))
    scripts[task] = chain_script(SMALL)
    began = time.perf_counter()
    await running.engine.resume_ready()
    while await running.db.read(lambda c: _left(c, task)):  # noqa: ASYNC110 - the database says when
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    await running.engine.stop(drain=False)
    await running.db.close()
    return seconds


def bench(store: str) -> bool:
    """Run alone and beside; print the ratio."""
    found = []
    for beside in (False, True):
        with tempfile.TemporaryDirectory() as folder, database(store, Path(folder)) as url:
            found.append(asyncio.run(run(beside, url, Path(folder))))
    alone, together = found
    return report(
        f"fairness, {store}, 5 agents beside 500", together / alone, 1.5, alone=alone, beside=together
    )


if __name__ == "__main__":
    bench(sys.argv[1] if len(sys.argv) > 1 else "sqlite")
