"""Assemble an engine from its real parts. Called by the bot's bootstrap, workers and scenarios."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.connectors.connectors import Connectors, OutsideOptions
from engine.connectors.mcp.config import ServerConfig, load_servers, variables_of
from engine.connectors.web.opening import open_web, web_rules
from engine.domain.guard import Guard
from engine.domain.packages import PackagePolicy
from engine.engine import Engine, EngineOptions
from engine.errors import EngineError, NotConfigured
from engine.events import EventBody, ModelBack, ModelNotice, ModelWaiting
from engine.extras import require
from engine.llm.local import LocalModel, Progress
from engine.llm.models import ROLES, OpenModels, open_local, open_models
from engine.llm.providers.embeddings import OpenAIEmbedder
from engine.packages import PipPackages
from engine.ports import AgentRole, ChatModel, Clock, Database, Dispatcher, Embedder, OutsideServers, Sandbox
from engine.private import keep_private
from engine.runtime.clock import SystemClock
from engine.runtime.dispatch import LocalDispatcher
from engine.runtime.turn import EngineParts, TurnOptions
from engine.sandbox import (
    RefusingSandbox,
    SandboxLimits,
    choose_sandbox,
    environment_folder,
    load_environment,
    prepare_environment,
)
from engine.settings import MCP_CONFIG, EngineSettings
from engine.store.create import create_tables
from engine.store.database import check_database_url, open_database, try_database
from engine.store.driver_errors import operator_error
from engine.store.refusals import Lane, key_of
from engine.tools import ToolOptions
from engine.tools.base import MAX_RESULT
from engine.workspace import GitWorkspace

log = logging.getLogger(__name__)

SMALL_OUTPUT = 900
"""Characters of a run's output that a small model reads: on a processor each costs time."""

HISTORY_FRACTION = 0.6
"""Part of a prompt that past steps may take; the rest is for rules, tools and messages."""

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine over real parts, not started yet: `await engine.start()`, use, `await close()`.

    `models` is None when the model was given from outside.
    """

    engine: Engine
    database: Database
    sandbox: Sandbox
    settings: EngineSettings
    models: OpenModels | None
    outside: Connectors | None
    close: Callable[[], Awaitable[None]]


class _OutageNotifier:
    """Append events to running tasks when the model becomes unavailable, and when it is back.

    A task is told once in an outage: that it waits, and that a person has to repair something.
    """

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self._pending: set[asyncio.Task[object]] = set()
        self._loop = asyncio.get_running_loop()
        self._in_order = asyncio.Lock()
        self._told: set[tuple[int, bool]] = set()
        self._closing = False

    def on_waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        """See `AdmissionObserver`."""
        self._start(self._waiting(reason, retry_in_s, needs_person))

    def on_back(self) -> None:
        """See `AdmissionObserver`."""
        self._start(self._back())

    def on_notice(self, text: str) -> None:
        """Append a notice about the model; may be called from the database's thread, where prices are
        read."""
        self._loop.call_soon_threadsafe(self._notice, text)

    def _notice(self, text: str) -> None:
        self._start(self._append(lambda task: ModelNotice(task, text)))

    async def _waiting(self, reason: str, retry_in_s: float, needs_person: bool) -> None:
        def unless_told(task: int) -> ModelWaiting | None:
            told = (task, needs_person) in self._told
            return None if told else ModelWaiting(task, reason, retry_in_s)

        async with self._in_order:
            tasks = await self._append(unless_told)
            self._told.update((task, needs_person) for task in tasks)

    async def _back(self) -> None:
        async with self._in_order:
            await self._append(ModelBack)
            self._told.clear()

    async def _append(self, make: Callable[[int], EventBody | None]) -> Sequence[int]:
        return await self.engine.append_to_running(make) if self.engine is not None else ()

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        if self._closing:
            work.close()
            return
        pending = asyncio.create_task(work, name="outage-notice")
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        """Wait for the events that are being written and accept no more."""
        self._closing = True
        await asyncio.gather(*self._pending, return_exceptions=True)


async def open_engine(
    settings: EngineSettings,
    model: ChatModel | None = None,
    *,
    migrate: Callable[[str], None] = create_tables,
    dispatcher: Dispatcher | None = None,
    progress: Progress | None = None,
    say: Say = log.warning,
    sweeps: bool = True,
) -> OpenEngine:
    """Build an engine. `migrate(url)` brings the tables up to date and runs in a thread.

    On PostgreSQL turns go through a queue in the database that workers share; `sweeps=False` builds a
    worker, which only runs turns.

    Without `model`: the configured endpoint, or with neither key nor base URL the embedded model.
    Raises NotConfigured with the next step.
    """
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(keep_private, settings.data_dir, say)
        url = settings.sqlite_or_url()
        clock = SystemClock()
        # What cannot start is said before anything is fetched or loaded.
        check_database_url(url)
        await _with_operator_errors(asyncio.to_thread(try_database, url), url)
        tool_servers, web = _tool_servers(settings), open_web(settings, clock.now)
        outage_notifier = _OutageNotifier()
        stack.push_async_callback(outage_notifier.close)
        # The embedded model loads while the tables and the sandbox are made ready.
        async with _beside(_brain(settings, model, outage_notifier, stack, progress, say)) as made:
            await _with_operator_errors(asyncio.to_thread(migrate, url), url)
            database = open_database(url)
            stack.push_async_callback(database.close)
            sandbox = await asyncio.to_thread(_sandbox, settings, say)
            brain = await made
        settings = brain.settings
        servers = [*_mcp_servers(tool_servers, settings, database, clock), *web]
        outside = _connectors(servers, settings, database, clock, sweeps=sweeps)
        parts = EngineParts(
            db=database,
            model=brain.model,
            workspace=GitWorkspace(settings.data_dir / "workspaces"),
            sandbox=sandbox,
            clock=clock,
            embedder=brain.embedder,
            outside=outside,
            packages=await asyncio.to_thread(_packages, settings, sandbox),
        )
        if dispatcher is None:
            dispatcher = await _with_operator_errors(_dispatcher(database, settings), url)
        options = replace(EngineOptions.of(settings, turn_options(settings, brain.models)), sweeps=sweeps)
        engine = Engine(parts, dispatcher, options)
        outage_notifier.engine = engine
        closes = stack.pop_all().aclose
        return OpenEngine(engine, database, sandbox, settings, brain.models, outside, closes)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run `work` while the body runs, which awaits it; cancel it when the body fails before that."""
    task = asyncio.create_task(work)
    try:
        yield task
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _with_operator_errors(work: Awaitable[T], url: str) -> T:
    """Return the result of `work`; raise database errors as NotConfigured with the next step."""
    try:
        return await work
    except EngineError:
        raise
    except Exception as error:
        told = operator_error(error, url)
        if told is None:
            raise
        raise told from error


async def _dispatcher(database: Database, settings: EngineSettings) -> Dispatcher:
    slots = settings.model_concurrency * 2
    if not database.url.startswith("postgres"):
        return LocalDispatcher(slots)
    # Imported here: its eleven megabytes are for those who use PostgreSQL.
    from engine.runtime.procrastinate import ProcrastinateDispatcher, create_queue  # noqa: PLC0415

    await asyncio.to_thread(create_queue, database.url)
    return ProcrastinateDispatcher(database, slots if settings.run_turns else 0)


def history_room(settings: EngineSettings, context: int) -> int:
    """Return the tokens for past steps in a prompt, given `context` tokens for prompt and answer."""
    room = context - min(settings.model_max_tokens, max(4_096, context // 8), context // 2)
    return max(int(room * HISTORY_FRACTION), 1_000)


def turn_options(settings: EngineSettings, models: OpenModels | None = None) -> TurnOptions:
    """Return the options of turns under these settings, with these models."""
    small = settings.tool_profile == "small"
    tools = ToolOptions(
        run_timeout_s=settings.run_timeout_s,
        plan_approval_over=settings.plan_approval_over,
        audit_rounds=settings.audit_rounds,
        by_runs=small,
        output_chars=SMALL_OUTPUT if small else MAX_RESULT,
        packages=_package_policy(settings),
        guard=settings.outside_guard,
    )
    narrow = max(settings.model_max_tokens // 4, 1_000)
    return TurnOptions(
        history_room(settings, settings.model_context_tokens),
        tools,
        small=small,
        narrow_answer=narrow,
        demo_pace=settings.demo_pace,
        room=(lambda role: history_room(settings, models.window(role))) if models else None,
        lane=_lanes(settings),
    )


def _lanes(settings: EngineSettings) -> Callable[[AgentRole, str], Lane]:
    """Return which roles ask the same model at the same endpoint, by role and the model a task names."""
    targets = {role: settings.target_for(role) for role in ROLES}
    keys = {role: key_of(target.base_url, target.model) for role, target in targets.items()}
    lanes = {role: Lane(key, tuple(r for r in ROLES if keys[r] == key)) for role, key in keys.items()}
    return lambda role, named: Lane(key_of(settings.openai_base_url, named), ROLES) if named else lanes[role]


@dataclass(frozen=True, slots=True)
class _Brain:
    model: ChatModel
    models: OpenModels | None
    embedder: Embedder | None
    settings: EngineSettings


async def _brain(
    settings: EngineSettings,
    model: ChatModel | None,
    outage_notifier: _OutageNotifier,
    stack: AsyncExitStack,
    progress: Progress | None,
    say: Say,
) -> _Brain:
    """Return `model`, else the configured endpoint; with neither key nor base URL the embedded model and
    fitting settings."""
    if model is not None:
        return _Brain(model, None, None, settings)
    if settings.has_endpoint:
        models = open_models(settings, outage_notifier, stack, say, outage_notifier.on_notice)
        return _Brain(models.admission, models, _embedder(settings, stack), settings)
    local = LocalModel(settings, say)
    stack.push_async_callback(local.stop)
    endpoint, settings = await local.start(progress), local.fit(settings)
    models = open_local(settings, endpoint, outage_notifier, stack, say)
    return _Brain(models.admission, models, None, settings)


def _embedder(settings: EngineSettings, stack: AsyncExitStack) -> Embedder | None:
    """Return the embedder; None when none is set and recall uses keywords only."""
    if not settings.embedding_model:
        return None
    made = OpenAIEmbedder(settings)
    stack.push_async_callback(made.close)
    return made


def _connectors(
    servers: Sequence[OutsideServers], settings: EngineSettings, db: Database, clock: Clock, *, sweeps: bool
) -> Connectors | None:
    """Return the agents' access to the web and to the servers that the operator named; None for neither."""
    if not servers:
        return None
    guard = Guard(settings.outside_guard, web_rules(settings))
    return Connectors(servers, db, clock, OutsideOptions(settings.outside_tools_shown, guard, sweeps))


def _tool_servers(settings: EngineSettings) -> tuple[ServerConfig, ...]:
    """Return the servers of tools that the operator named.

    Raises NotConfigured when the file that names them cannot be used, or its extra is missing.
    """
    if settings.mcp_config == MCP_CONFIG and not MCP_CONFIG.exists():
        return ()
    configs = load_servers(settings.mcp_config, variables_of(os.environ))
    if configs:
        require("mcp", "Servers of tools (mcp.json)")
    return configs


def _mcp_servers(
    configs: tuple[ServerConfig, ...], settings: EngineSettings, db: Database, clock: Clock
) -> list[OutsideServers]:
    if not configs:
        return []
    # Imported here: the package mcp is of that extra.
    from engine.connectors.mcp.servers import McpServers  # noqa: PLC0415

    redirect, listen = settings.mcp_oauth_redirect, settings.mcp_oauth_listen
    try:
        return [McpServers(configs, settings.data_dir / "mcp", (db, clock), redirect, listen)]
    except ValueError as error:
        raise NotConfigured(
            f"MCP_OAUTH_REDIRECT or MCP_OAUTH_LISTEN: {error}. Correct it in .env."
        ) from error


def _packages(settings: EngineSettings, sandbox: Sandbox) -> PipPackages | None:
    """Return where agents get Python packages from; None where none are allowed or nothing can run."""
    if not _package_policy(settings).on or not sandbox.status().available:
        return None
    environment = environment_folder(settings.data_dir, settings.run_packages)
    python = load_environment(environment).tree / "bin" / "python"
    return PipPackages(environment.parent / "packages", python, settings.packages_max_mb * 2**20)


def _package_policy(settings: EngineSettings) -> PackagePolicy:
    return PackagePolicy(settings.packages_allowed, settings.packages_others)


def _sandbox(settings: EngineSettings, say: Say) -> Sandbox:
    """Return the sandbox, or one that refuses every run with the reason. Blocking."""
    folder = environment_folder(settings.data_dir, settings.run_packages)
    limits = SandboxLimits(memory=settings.run_memory_mb * 1024 * 1024)
    try:
        prepare_environment(folder, settings.run_packages, log.info)
    except (NotConfigured, OSError) as error:
        chosen: Sandbox = RefusingSandbox(f"Code cannot be run here. {error}")
    else:
        chosen = choose_sandbox(folder, limits)
    if not chosen.status().available:
        say(chosen.status().reason)
    return chosen
