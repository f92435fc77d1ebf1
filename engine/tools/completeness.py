"""What a task's result plainly lacks, looked at before `finish` is accepted, whatever the model."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from sqlalchemy import Connection

from engine.domain.account import RunRecord, newest, one_line
from engine.domain.completeness import CODE, PROSE, Missing, missing_in
from engine.domain.contents import RULED, SIGNED
from engine.domain.effects import ShowRun
from engine.errors import EngineError
from engine.lifecycle.open_messages import said_in
from engine.lifecycle.run_evidence import runs_of
from engine.llm.local.examples import RUNNER_FILE, SHOWN, runner, tried
from engine.ports import RunRequest
from engine.store.core import AGENTS
from engine.tools.base import ToolContext
from engine.tools.files import current_files

LOOKED_AT = (*CODE, *PROSE, ".htm", ".css", *RULED, *SIGNED)
MAX_FILES = 400
MAX_SIZE = 200_000
EXAMPLES_S = 60.0


async def what_is_missing(context: ToolContext) -> tuple[Missing, ...]:
    """Return what the result as this step sees it plainly lacks; nothing where nothing is plain."""
    rows, names, runs, goal = await context.db.read(lambda c: _loaded(c, context.task.id, context.task.goal))
    blobs = {
        row.path: (row.blob, row.size, row.agent in names) for row in rows if row.path not in context.files
    }
    blobs |= {path: (now.blob, now.size, True) for path, now in context.files.items() if now.blob is not None}
    looked = [
        path
        for path, (_, size, own) in sorted(blobs.items())
        if own and size <= MAX_SIZE and path.lower().endswith(LOOKED_AT)
    ][:MAX_FILES]
    files = {path: await context.workspace.get(context.task.id, blobs[path][0]) for path in looked}
    others = [path for path in blobs if path not in files]
    staged = [RunRecord(ran.command, ran.exit_code, ran.ended, ran.output) for ran in context.staged(ShowRun)]
    runs = newest([*runs, *staged])
    found = await asyncio.to_thread(missing_in, goal, files, runs, others)
    if not context.options.by_runs:
        return found
    return (*found, *await _failing_examples(context, files), *_failed(runs))


def _loaded(
    connection: Connection, task_id: int, goal: str
) -> tuple[list[sa.Row[tuple[object, ...]]], set[str], list[RunRecord], str]:
    names = set(connection.execute(sa.select(AGENTS.c.name).where(AGENTS.c.task_id == task_id)).scalars())
    said = "\n".join([goal, *(each.text for each in said_in(connection, task_id))])
    return current_files(connection, task_id), names, runs_of(connection, task_id), said


def _failed(runs: list[RunRecord]) -> list[Missing]:
    """Return the programs whose newest run failed; the goal's own examples are told one by one."""
    failed = [ran for ran in runs if not ran.well and not ran.shows_nothing and ran.command != SHOWN]
    return [Missing("fails", "", one_line(ran.command)) for ran in failed]


async def _failing_examples(context: ToolContext, files: dict[str, bytes]) -> list[Missing]:
    """Run the examples that the goal itself gives, for models whose own tests are worth little."""
    program = runner(context.task.goal, files)
    if program is None:
        return []
    request = RunRequest(("python", RUNNER_FILE), {**files, RUNNER_FILE: program}, timeout_s=EXAMPLES_S)
    try:
        result = await context.sandbox.run(request)
    except EngineError:
        return []  # nothing can be run here, which the runs of the task have said already
    came = tried(result.output)
    last = result.output.strip().splitlines()[-1:]
    context.stage(ShowRun(SHOWN, result.exit_code, result.ended, last[0] if last else ""))
    if came is None:
        return [Missing("example", "", f"they did not come to an end ({result.ended})")]
    return [Missing("example", "", f"{source} gave {got}") for source, got in came.failed[:3]]
