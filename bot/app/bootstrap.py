"""Wire the real components: database, engine, model, sandbox, Discord (real or local). Only done here."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord.utils import MISSING

from bot.app.client import MegaBot
from bot.app.instance_lock import InstanceLock, hold_instance
from bot.app.login import login_error_text, reads_messages, when_allowed
from bot.app.logs import guard_logs
from bot.app.migrations import upgrade
from bot.app.settings import BotSettings
from bot.discord.context import Archive, Parts, Probes
from bot.discord.models import Models
from bot.discord.request_stop import RequestStop
from bot.features.files.archive import close_places, reopen_places
from bot.features.gates.buttons import gate_view
from bot.features.gates.windows import closed_message
from bot.features.repeats.start_authorization import StartAuthorization
from bot.features.tasks.buttons import end_view
from bot.notifications.ephemeral import run_listeners
from bot.notifications.live_card import LiveCards
from bot.notifications.wiring import Notifications, build_notifications
from bot.outbox.ledger import Ledger
from bot.outbox.limiter import Limiter
from bot.outbox.outbox import Outbox, OutboxOptions, build_outbox
from bot.storage.guild_settings import BotRecords
from engine import EngineOptions
from engine.assembly import OpenEngine, open_engine
from engine.errors import NotConfigured
from engine.extras import require
from engine.llm.local import Progress
from engine.llm.trial import trial_lines
from engine.ports import ChatModel
from engine.secrets import keep_secret, redact
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from bot.local import LocalDiscord, LocalOptions

log = logging.getLogger(__name__)

PROBE_S = 20.0

NOTICE = (
    "The agents think with a small model on this machine: its work is often wrong. "
    "For a strong one set OPENAI_API_KEY (or OPENAI_BASE_URL and MODEL) in .env and start again."
)


@dataclass(frozen=True, slots=True)
class RunningBot:
    """A running bot with its components; `bot_task` ends when the bot does."""

    bot: MegaBot
    engine: OpenEngine
    outbox: Outbox
    local: LocalDiscord | None
    bot_task: asyncio.Task[None]


@asynccontextmanager
async def running(
    engine_settings: EngineSettings,
    bot_settings: BotSettings,
    *,
    model: ChatModel | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = log.warning,
    local_options: LocalOptions | None = None,
) -> AsyncIterator[RunningBot]:
    """Start everything, stop it in the reverse order. Raises NotConfigured with the next step.

    `model` and `local_options` are for tests; without them the settings decide.
    """
    guard_logs()
    if bot_settings.local:
        require("local", "Running without DISCORD_TOKEN")
    _silence_voice_warnings()
    async with AsyncExitStack() as stack:
        # Whatever any library writes meanwhile is for this user alone.
        stack.callback(os.umask, os.umask(0o077))
        # The lock comes first: a second start is refused before it fetches, opens or starts anything.
        url = engine_settings.sqlite_or_url()
        if url.startswith("sqlite"):
            stack.enter_context(InstanceLock(engine_settings.data_dir / "bot.lock"))
        opened = await open_engine(engine_settings, model, migrate=upgrade, progress=progress, say=say)
        stack.push_async_callback(opened.close)
        if not url.startswith("sqlite"):
            await stack.enter_async_context(
                hold_instance(opened.database, engine_settings.data_dir, time.time, say)
            )
        local = await _local_discord(bot_settings, opened.settings, local_options, stack)
        if local:
            keep_secret(local.token, local.page_key)
        token = local.token if local else bot_settings.discord_token.get_secret_value()
        stop = RequestStop()
        with _login_errors():
            choice = bot_settings.message_content
            reads = await when_allowed(stop, say, lambda: reads_messages(token, choice, stop))
        made = _bot(opened, bot_settings, reads, stop)
        bot, outbox, notifications = made.client, made.outbox, made.notifications
        await opened.engine.start()
        stack.push_async_callback(opened.engine.stop)
        bot_task = asyncio.create_task(_connect(bot, token, say), name="discord")
        stack.push_async_callback(_close_bot, bot, bot_task)
        await _until_ready(bot, bot_task)
        await outbox.start()
        stack.push_async_callback(outbox.stop)
        cards = asyncio.create_task(_keep_cards(notifications.cards), name="cards")
        stack.push_async_callback(_cancel, cards)
        signs = asyncio.create_task(run_listeners(notifications.listeners), name="listeners")
        stack.push_async_callback(_cancel, signs)
        if local is not None and model is None and not opened.settings.has_endpoint:
            local.notice = NOTICE
        yield RunningBot(bot, opened, outbox, local, bot_task)


def _silence_voice_warnings() -> None:
    """Keep discord.py from warning of libraries for voice, which the bot never uses."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let a library's logger say only errors for a while."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


async def _local_discord(
    settings: BotSettings, engine: EngineSettings, options: LocalOptions | None, stack: AsyncExitStack
) -> LocalDiscord | None:
    """Start the loopback Discord if there is no token, and point discord.py at it while it runs."""
    if not settings.local:
        return None
    with _quiet("discord.state"):  # loading SimCord probes discord.py with a client that has no intents
        from bot.local import (  # noqa: PLC0415 - of the extra [local]
            BrokenWorldError,
            LocalDiscord,
            LocalOptions,
            point_discord_at,
        )

    chosen = options or LocalOptions(port=settings.local_port, data=engine.data_dir / "local")
    try:
        local = LocalDiscord(chosen)
        await local.start()
    except BrokenWorldError as error:
        raise NotConfigured(f"{error}.") from error
    except OSError as error:
        raise NotConfigured(
            f"Port {chosen.port} is taken, perhaps by another copy of the bot. "
            "Stop that one, or set LOCAL_PORT in .env to another number."
        ) from error
    stack.push_async_callback(local.stop)
    stack.enter_context(point_discord_at(local))
    return local


@dataclass(frozen=True, slots=True)
class _Bot:
    """The Discord side, built but not connected."""

    client: MegaBot
    outbox: Outbox
    notifications: Notifications


def _bot(opened: OpenEngine, settings: BotSettings, reads: bool, stop: RequestStop) -> _Bot:
    engine, database = opened.engine, opened.database
    ledger, records, limiter = Ledger(database), BotRecords(database), Limiter()
    # discord.py waits so long after the last server it hears of; on loopback they all come at once.
    waits = {"guild_ready_timeout": 0.3} if settings.local else {}
    bot = MegaBot(settings, message_content=reads, stop=stop, **waits)
    models = Models.of(opened.settings)
    notifications = build_notifications(
        bot, engine, records, ledger, settings, time.time, limiter, models.usual_name
    )
    outbox = build_outbox(
        bot,
        engine,
        database,
        gate_view=gate_view,
        closed_gate=closed_message,
        category_of=lambda guild_id: _category_of(records, guild_id),
        options=OutboxOptions(
            avatar_url_template=settings.avatar_url_template, limiter=limiter, end_view=end_view
        ),
        heard=notifications.heard,
    )
    parts = Parts(
        engine=engine,
        routes=ledger,
        records=records,
        settings=settings,
        defaults=EngineOptions.of(opened.settings).caps.limits(),
        probes=Probes(
            lambda: probe_model(opened), opened.sandbox.status, lambda: outbox.faces.problem, outbox.try_again
        ),
        archive=Archive(
            lambda task_id, remove: close_places(bot, database, outbox.transcripts, task_id, remove),
            engine.export_bundle,
            lambda task_id: reopen_places(bot, database, task_id),
        ),
        cards=notifications.cards,
        outages=notifications.outages,
        start_replies=notifications.start_replies,
        notices=outbox.notices,
        models=models,
        outside=opened.outside,
        alone=settings.local,
    )
    bot.set_parts(parts)
    engine.ask_before_starts(
        StartAuthorization(bot, records, parts.defaults, parts.models, engine.look, time.time)
    )
    return _Bot(bot, outbox, notifications)


async def _category_of(records: BotRecords, guild_id: int) -> int | None:
    return (await records.rules(guild_id)).category_id


async def probe_model(opened: OpenEngine) -> tuple[bool, str]:
    """Try each role's model with a call of a tool -> whether all passed, and in words what was seen."""
    if opened.models is None:
        return True, "a model given by the caller"
    trials = await opened.models.try_roles(PROBE_S)
    passed = all(trial.ok for trial in trials)
    if passed:
        opened.models.admission.retry_now()  # what waits for the next try need not wait any longer
    return passed, "\n".join(trial_lines(trials))


async def _connect(bot: MegaBot, token: str, say: Callable[[str], None]) -> None:
    with _login_errors():
        await when_allowed(bot.request_stop, say, lambda: _log_in(bot, token))
        await bot.connect()


async def _log_in(bot: MegaBot, token: str) -> None:
    """Log in; a failed login leaves nothing open, so that it can be repeated."""
    try:
        await bot.login(token)
    except BaseException:
        await bot.http.close()
        bot.http.connector = MISSING
        raise


@contextmanager
def _login_errors() -> Iterator[None]:
    """Convert a rejected login to NotConfigured with the next step."""
    try:
        yield
    except (discord.LoginFailure, discord.PrivilegedIntentsRequired, discord.ConnectionClosed) as error:
        raise NotConfigured(login_error_text(error) or str(error)) from error
    except (OSError, discord.HTTPException, aiohttp.ClientError) as error:
        raise NotConfigured(
            f"Discord cannot be reached ({redact(str(error))}). Check the network, then start again."
        ) from error


async def _keep_cards(cards: LiveCards) -> None:
    """Keep the cards up to date; restart on failure, because a stale card is misleading."""
    while True:
        try:
            await cards.run()
        except* Exception as failures:
            log.exception("updating the cards failed and is restarted: %s", failures.exceptions)
            await asyncio.sleep(5)


async def _until_ready(bot: MegaBot, task: asyncio.Task[None]) -> None:
    """Wait until the gateway sent READY; raise the error of `task` if it ends before that."""
    while not bot.is_ready():
        if task.done():
            task.result()
            raise NotConfigured("Discord closed the connection before the bot was ready. Try again.")
        await asyncio.sleep(0.05)


async def _close_bot(bot: MegaBot, task: asyncio.Task[None]) -> None:
    await bot.close()
    await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
