"""The `megaagent` command: run · local · worker · doctor · export · migrations."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from bot.app.bootstrap import probe_model, running
from bot.app.instance_lock import AlreadyRunning
from bot.app.logs import guard_logs
from bot.app.migrations import drift, upgrade
from bot.app.settings import BotSettings
from engine.assembly import OpenEngine, open_engine
from engine.domain.redact import without_password
from engine.errors import EngineError
from engine.llm.local.__main__ import TerminalProgress
from engine.queries import TaskView
from engine.runtime.heap import freeze_startup
from engine.runtime.worker import check_worker, run_worker, stop_signal
from engine.secrets import redact
from engine.settings import EngineSettings
from engine.store.driver_errors import operator_error

log = logging.getLogger(__name__)

TOOLS_S = 60.0
"""Seconds that the doctor waits for servers of tools to start."""

QUIET_S = 4.0
STOP_S = 5.0
SHOWN, LOOKED_AT = 5, 200

STOPPED_EARLY = (
    "Stopped before it ran. What was fetched so far is kept; the same command continues from there."
)
WORKER_RUNS = "● The worker is running. SIGTERM or Ctrl+C stops it after running steps are committed."


def main() -> int:
    """Run the chosen command; exit code 0 when it did what was asked, 1 with one plain line otherwise."""
    options = _parser().parse_args()
    logging.basicConfig(level=options.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if options.log != "debug":
        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # two lines each five seconds otherwise
    guard_logs()
    os.umask(0o077)
    try:
        return asyncio.run(_COMMANDS[options.command](options))
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        words = words_for_operator(error)
        if words is None:
            raise
        log.debug("in full", exc_info=error)
        _say(f"✗ {words}")
        return 1


def words_for_operator(error: BaseException) -> str | None:
    """Return an error that the operator can fix as a sentence with the next step, None for a bug."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, EngineError | AlreadyRunning | ValidationError | SettingsError | OSError):
        return str(error)
    told = operator_error(error, EngineSettings().sqlite_or_url())
    return None if told is None else str(told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="megaagent", description="Autonomous agents inside Discord.")
    parser.add_argument("--log", default="warning", choices=["debug", "info", "warning", "error"])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="run the bot: on Discord if DISCORD_TOKEN is set, else locally in a browser"
    )
    commands.add_parser("local", help="run the bot locally even if DISCORD_TOKEN is set")
    commands.add_parser("worker", help="run agents' turns in another process, with PostgreSQL")
    commands.add_parser("doctor", help="check database, sandbox and model, and report what is missing")
    commands.add_parser("migrations", help="check that the migrations match the models")
    export = commands.add_parser("export", help="write a task's files and history as a Git bundle")
    export.add_argument("task", type=int)
    export.add_argument("target", type=Path)
    return parser


async def _run(options: argparse.Namespace) -> int:
    bot_settings = BotSettings()
    if options.command == "local":
        bot_settings = bot_settings.model_copy(update={"discord_token": SecretStr("")})
    progress = TerminalProgress()
    with stop_signal() as stop:
        return await _run_until(stop, bot_settings, progress)


async def _run_until(stop: asyncio.Event, bot_settings: BotSettings, progress: TerminalProgress) -> int:
    """Serve until `stop`. Stopped before it runs, leave at once: nobody can cancel a download in a thread."""
    ready = asyncio.Event()
    serving = asyncio.create_task(_serve(stop, ready, bot_settings, progress), name="serving")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    beating = asyncio.create_task(_heartbeat(ready, progress), name="heartbeat")
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set() and not serving.done():
            serving.cancel()
            await asyncio.wait({serving}, timeout=STOP_S)
            progress.close()
            _say(STOPPED_EARLY)
            _leave()
        return await serving
    finally:
        stopped.cancel()
        beating.cancel()


def _leave() -> None:
    sys.stderr.flush()
    os._exit(130)


async def _heartbeat(ready: asyncio.Event, progress: TerminalProgress) -> None:
    """Print a line while the product starts and nothing else was shown for some seconds."""
    began = time.monotonic()
    while not ready.is_set():
        await asyncio.sleep(1)
        if not ready.is_set() and time.monotonic() - progress.heard_at >= QUIET_S:
            progress.say(f"Starting: {time.monotonic() - began:.0f} s so far.")


async def _serve(
    stop: asyncio.Event, ready: asyncio.Event, bot_settings: BotSettings, progress: TerminalProgress
) -> int:
    async with running(EngineSettings(), bot_settings, progress=progress, say=_say) as product:
        progress.close()
        freeze_startup()
        ready.set()
        where = product.local.page_url if product.local else f"Discord as {product.bot.user}"
        # Past `_say`: the page's address holds its key, which is for whoever reads this terminal.
        _print(
            f"● MegaAgent runs: {where}\n  Type /task new there. Ctrl+C stops; work resumes at next start."
        )
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, product.bot_task}, return_when=asyncio.FIRST_COMPLETED)
        if product.bot_task.done():
            product.bot_task.result()
        stopped.cancel()
        going_on = farewell(await product.engine.engine.look.tasks(limit=LOOKED_AT, unended=True))
    _print(going_on)
    return 0


def farewell(tasks: Sequence[TaskView]) -> str:
    """Return what to say at the end of the program: which tasks go on at the next start."""
    live = [f"#{task.id}" for task in tasks if task.ended_at is None]
    if not live:
        return "Stopped."
    shown = ", ".join(live[:SHOWN]) + (f" and {len(live) - SHOWN} more" if len(live) > SHOWN else "")
    if len(live) == 1:
        return f"Stopped. Task {shown} resumes at the next start."
    return f"Stopped. Tasks {shown} resume at the next start."


async def _worker(_options: argparse.Namespace) -> int:
    """Turns only, beside a bot on the same PostgreSQL and the same DATA_DIR (shared between machines)."""
    settings = EngineSettings()
    check_worker(settings)
    opened = await open_engine(settings, migrate=upgrade, say=_say, sweeps=False)
    freeze_startup()
    try:
        await run_worker(opened.engine, lambda: _say(WORKER_RUNS))
    finally:
        await opened.close()
    return 0


async def _doctor(_options: argparse.Namespace) -> int:
    opened = await open_engine(EngineSettings(), migrate=upgrade, say=_say)
    try:
        status = opened.sandbox.status()
        _say(f"database: {without_password(opened.database.url)}")
        _say(f"sandbox: {status.mechanism if status.available else 'none. ' + status.reason}")
        if status.bound:
            _say(f"memory: {status.bound}")
        tools_ready = await _check_tools(opened)
        answers, said = await probe_model(opened)
        _say(f"model: {said}")
        return 0 if status.available and answers and tools_ready else 1
    finally:
        await opened.close()


async def _check_tools(opened: OpenEngine) -> bool:
    """Start the servers of tools, say what became of each, and stop them. Return whether all are ready."""
    if opened.outside is None:
        return True
    states = await opened.outside.try_servers(TOOLS_S)
    for state in states:
        _say(f"tools of {state.name}: {state.condition}, {state.tools} tools. {state.detail}".strip())
    return all(state.condition == "ready" for state in states)


async def _export(options: argparse.Namespace) -> int:
    opened = await open_engine(EngineSettings(), migrate=upgrade, say=_say)
    try:
        await opened.engine.export_bundle(options.task, options.target)
        _say(f"written: {options.target}. Clone it: git clone {options.target} task-{options.task}")
        return 0
    finally:
        await opened.close()


async def _migrations(_options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/check.db"
        await asyncio.to_thread(upgrade, url)
        found = await asyncio.to_thread(drift, url)
    _say(found or "migrations match the models")
    return 1 if found else 0


def _say(text: str) -> None:
    _print(redact(text))


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's own voice


_COMMANDS = {
    "run": _run,
    "local": _run,
    "worker": _worker,
    "doctor": _doctor,
    "export": _export,
    "migrations": _migrations,
}
