"""Wire the outbox: events → projector (the only reader) → ledger → sender → Discord."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import discord
from sqlalchemy.exc import SQLAlchemyError

from bot.outbox.ledger import Ledger
from bot.outbox.limiter import Limiter, RateLimits
from bot.outbox.notices import OutboxNotices
from bot.outbox.outcomes import TargetDeleted
from bot.outbox.pace import Pace
from bot.outbox.posting import Posting
from bot.outbox.projector import Projector
from bot.outbox.sender import Sender
from bot.outbox.transcripts import Transcripts
from bot.outbox.transport import Transport
from bot.outbox.worker import WorkerServices
from bot.personas.avatars import Faces
from bot.places.provision import CategoryOf, Provision
from bot.places.records import PlaceRecords
from bot.places.webhooks import Webhooks
from bot.ports import BuildClosedGate, BuildGateButtons, EngineApi
from bot.texts.gates import meanings
from engine.commands import Limits
from engine.errors import NotFound
from engine.events import AgentJoined, Event, PlanProposed
from engine.ports import Database
from engine.queries import GateView, TaskView

_log = logging.getLogger(__name__)

DAY_S = 86_400.0
KEPT_S = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class OutboxOptions:
    """Options of operators and tests; `clock` is the limiter's, `wall` unix time.

    `limiter` is shared with other senders of the same bot; without it, one is created from `rates`.
    """

    avatar_url_template: str = ""
    rates: RateLimits = field(default_factory=RateLimits)
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    limiter: Limiter | None = None
    end_view: Callable[[int, bool], discord.ui.View | None] = lambda _task_id, _continues: None
    """The buttons below a task's final report."""


class Outbox:
    """Everything the bot posts. Start it once the client is ready; start and stop it only once."""

    def __init__(
        self,
        client: discord.Client,
        engine: EngineApi,
        database: Database,
        gate_view: BuildGateButtons,
        closed_gate: BuildClosedGate,
        category_of: CategoryOf,
        options: OutboxOptions,
        heard: Callable[[Sequence[Event]], None],
    ) -> None:
        self._news = asyncio.Event()
        self.ledger = Ledger(database, self._news.set)
        self.transcripts = Transcripts(database)
        self.faces = Faces(client, database, options.avatar_url_template)
        self._engine, self._gate_view = engine, gate_view
        self._closed_gate, self._listeners = closed_gate, heard
        self._wall, self._pause_s = options.wall, options.pace.pause
        self._taken = asyncio.Event()
        records = self._records = PlaceRecords(database)
        said = self.notices = OutboxNotices(self.ledger, options.wall, self._news.set)
        limiter = options.limiter or Limiter(options.rates)
        self._transport = Transport(client, limiter, options.clock)
        self.webhooks = Webhooks(client, records, said)
        self.provision = Provision(client, records, said, category_of)
        posting = self._posting = Posting(
            self.ledger,
            self._transport,
            self.webhooks,
            self.faces,
            engine.look.read_file,
            self._buttons,
            options.end_view,
            said,
            records.instance,
        )
        means = WorkerServices(
            self.ledger,
            posting,
            self.provision,
            limiter,
            options.pace,
            options.clock,
            options.wall,
            self._explain,
            self._close_gate,
        )
        self._sender = Sender(means, said)
        self._projector = Projector(engine, database, self._news.set, self._heard)
        self._tasks: list[asyncio.Task[None]] = []
        self._fed = 0

    async def start(self) -> None:
        """Finish messages left at the last stop, then follow the engine's events."""
        await self._transport.start()
        await self.faces.start()
        self._sender.start()
        self._sender.resume(await self.ledger.unfinished())
        working = (self._feed(), self._projector.run(), self._tidy())
        self._tasks = [asyncio.create_task(work) for work in working]

    async def stop(self) -> None:
        """Stop now; nothing is lost, messages being sent are looked up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.close()
        await self.provision.close()
        await self.webhooks.close()
        await self.faces.close()
        await self._transport.close()

    async def drain(self, seq: int = 0) -> None:
        """Wait until the event `seq` and everything before it is posted, as far as it can be.

        What came of the posting itself (a webhook given up is said) is posted too.
        """
        while True:
            while not await self._all_fed(seq):
                await self._taken.wait()
            await self._sender.drain()
            if await self._all_fed(seq) and self._sender.idle():
                return

    def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event.body, AgentJoined):
                self.faces.want(event.body.name)
            elif isinstance(event.body, PlanProposed):
                for member in event.body.team:
                    self.faces.want(member.name)
        self._listeners(events)

    async def _close_gate(self, gate_id: int) -> None:
        """Remove the buttons from a gate's message, if it was ever sent, and what they lead to."""
        where = await self.ledger.gate_message(gate_id)
        if where is not None:
            gate = await self._engine.look.gate(gate_id)
            hook = await self._records.hook_of(where.webhook_id) if where.webhook_id else None
            if where.webhook_id and hook is None:
                raise TargetDeleted("webhook")
            changes = {**self._closed_gate(gate, await self._engine.look.task(gate.task_id))}
            cards = await self.ledger.gate_cards(gate_id) if hook is not None else ()
            kept = [card for card in cards if not card.until_closed]
            if len(kept) < len(cards):
                changes["embeds"] = [self._posting.embed_of(card) for card in kept]
            await self._transport.edit(where, changes, hook)

    async def _explain(self, gate_id: int) -> str:
        """Return the consequences of a gate's choices with the current caps."""
        try:
            gate = await self._engine.look.gate(gate_id)
            task = await self._engine.look.task(gate.task_id)
            return meanings(gate, await self._caps_of(gate, task))
        except NotFound:
            return ""

    async def _caps_of(self, gate: GateView, task: TaskView) -> Limits:
        """Return the caps a gate is about: an agent's if its cap is reached, else the task's."""
        if gate.kind != "share" or gate.agent_id is None:
            return task.limits
        budget = (await self._engine.look.agent(gate.agent_id)).budget
        return budget.caps if budget else task.limits

    async def _buttons(self, gate_id: int) -> discord.ui.View | None:
        """Return the buttons of an open gate, None if it is closed or unknown."""
        try:
            gate = await self._engine.look.gate(gate_id)
        except NotFound:
            return None
        return self._gate_view(gate) if gate.basis is None else None

    async def _all_fed(self, seq: int) -> bool:
        self._taken.clear()
        return self._projector.seq >= seq and not await self.ledger.waiting(self._fed)

    def try_again(self) -> None:
        """End all waits, after a guild came back or a permission was granted."""
        self._sender.try_again()

    def depth(self) -> int:
        """Return the number of waiting posts."""
        return self._sender.depth()

    async def _tidy(self) -> None:
        """Empty messages sent long ago, once a day; failures are logged and retried the next day."""
        while True:
            try:
                emptied = await self.ledger.prune(self._wall() - KEPT_S)
                _log.info("emptied %s messages sent long ago", emptied)
            except SQLAlchemyError:
                _log.exception("cannot prune the outbox now")
            await asyncio.sleep(DAY_S)

    async def _feed(self) -> None:
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                entries = await self.ledger.waiting(self._fed)
            except SQLAlchemyError:
                _log.exception("new posts cannot be read now")
                self._news.set()
                await asyncio.sleep(self._pause_s)
                continue
            if entries:
                self._fed = entries[-1].id
                self._sender.feed(entries)
            self._taken.set()


async def no_category(_guild_id: int) -> int | None:
    """Return None: every task gets a new category."""
    return None


def nobody_listens(_events: Sequence[Event]) -> None:
    """Do nothing: the listener of an outbox without other listeners."""


def build_outbox(
    client: discord.Client,
    engine: EngineApi,
    database: Database,
    *,
    gate_view: BuildGateButtons,
    closed_gate: BuildClosedGate,
    category_of: CategoryOf = no_category,
    options: OutboxOptions | None = None,
    heard: Callable[[Sequence[Event]], None] = nobody_listens,
) -> Outbox:
    """Build the outbox of one client.

    `gate_view` makes a gate's buttons, `closed_gate` what its message becomes; `category_of` is `/setup`'s
    choice; `heard` is told of events after they were written.
    """
    chosen = options or OutboxOptions()
    return Outbox(client, engine, database, gate_view, closed_gate, category_of, chosen, heard)
