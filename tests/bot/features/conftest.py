"""A bot on SimCord with a fake engine, and the people around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import discord
import pytest
from simcord import Env

from bot.app.client import MegaBot
from bot.app.settings import BotSettings
from bot.discord.context import Archive, ClosedPlaces, Parts, Probes
from bot.discord.models import Models
from bot.local.options import INVITED
from bot.notifications.wiring import build_notifications
from bot.outbox.ledger import Ledger
from bot.outbox.limiter import Limiter
from bot.outbox.notices import OutboxNotices
from bot.outbox.post import Post
from bot.outbox.projector import project_all
from bot.places.records import PlaceRecords
from bot.ports import EngineApi
from bot.storage import tables
from bot.storage.guild_settings import BotRecords
from engine.events import Event
from engine.ports import SandboxStatus
from tests.fakes.engine import DEFAULTS, FakeEngine
from tests.fakes.inline_database import InlineDatabase

IDLE_S = 0.003
"""Seconds between two looks whether the bot is at rest; SimCord's 0.05 would be most of a test's time."""

assert Env._settle_internal.__kwdefaults__
Env._settle_internal.__kwdefaults__["idle"] = IDLE_S
Env.settle.__defaults__ = (None, IDLE_S)


async def model_answers() -> tuple[bool, str]:
    """A model endpoint that is there."""
    return True, "fake-model answers in 0.1 s"


class ArchiveSpy:
    """Keeps what it was asked to close."""

    def __init__(self) -> None:
        self.closed: list[tuple[int, bool]] = []
        self.takes_s = 0.0
        self.files = {
            "transcript.md": b"# All that was said",
            "transcript.html": b"<h1>All that was said</h1>",
        }

    async def close(self, task_id: int, remove: bool) -> ClosedPlaces:
        """Note the call and return two transcripts."""
        self.closed.append((task_id, remove))
        return ClosedPlaces(self.files)

    async def reopen(self, task_id: int) -> tuple[int, ...] | None:
        """Forget that the task was closed."""
        before = self.closed
        self.closed = [(number, removed) for number, removed in before if number != task_id]
        return () if before != self.closed else None

    async def bundle(self, task_id: int, target: Any) -> None:
        """Write the head of a git bundle after `takes_s` seconds."""
        await asyncio.sleep(self.takes_s)
        target.write_bytes(b"# v2 git bundle\n")


class Stage:
    """One server with a lobby, a manager and an ordinary member; the parts behind the bot."""

    def __init__(self) -> None:
        self.engine, self.database = FakeEngine(), InlineDatabase()
        self.engine.told = self._read
        self.ledger = Ledger(self.database)
        self.records, self.archive = BotRecords(self.database), ArchiveSpy()
        self.notices = OutboxNotices(self.ledger, lambda: self.clock, lambda: None)
        self.settings = BotSettings(_env_file=None, card_every_s=15)  # type: ignore[call-arg]
        self.face_problem, self.tried_again = "", 0
        sandbox = SandboxStatus(True, "bubblewrap")
        self.probes = Probes(model_answers, lambda: sandbox, lambda: self.face_problem, self._again)
        self.content, self.models = True, Models()
        self.clock = 1_700_000_000.0
        self.env: Any = None

    def _read(self, event: Event) -> None:
        """The reader of events, at once."""
        self.database.write_now(lambda c: project_all(c, [event]))

    async def pings(self) -> list[Post]:
        """What followers are told, as it waits to be posted."""
        return [entry.post for entry in await self.ledger.waiting() if entry.post.kind == "ping"]

    def _again(self) -> None:
        self.tried_again += 1

    def bot(self) -> MegaBot:
        """A new bot over the same parts, as after a restart."""
        engine = cast(EngineApi, self.engine)
        bot = MegaBot(self.settings, message_content=self.content, guild_ready_timeout=0.05)
        self.shown = build_notifications(
            bot, engine, self.records, self.ledger, self.settings, lambda: self.clock, Limiter()
        )
        bot.set_parts(
            Parts(
                engine,
                self.ledger,
                self.records,
                self.settings,
                DEFAULTS,
                self.probes,
                Archive(self.archive.close, self.archive.bundle, self.archive.reopen),
                self.shown.cards,
                self.shown.outages,
                self.shown.start_replies,
                self.notices,
                lambda: self.clock,
                models=self.models,
            )
        )
        return bot

    def people(self) -> None:
        """Who and where."""
        self.guild = self.env.create_guild()
        invited = discord.Permissions(**dict.fromkeys(INVITED, True)).value
        role = next(r for r in self.env.backend.get_guild(self.guild.id).roles.values() if r.managed)
        self.env.backend.edit_role(self.guild.id, role.id, {"permissions": invited})
        self.lobby = self.guild.create_text_channel("lobby")
        managers = self.guild.create_role("managers", permissions=discord.Permissions(manage_guild=True))
        self.role = self.guild.create_role("crew")
        self.boss = self.guild.add_member(self.env.create_user("manager"), roles=[managers])
        self.crew = self.guild.add_member(self.env.create_user("crew"), roles=[self.role])
        self.stranger = self.guild.add_member(self.env.create_user("stranger"))

    async def restart(self) -> None:
        """The bot goes and comes back; the world and the database stay."""
        await self.env.restart_bot(self.bot())

    async def start(self, goal: str = "Build a boat", **options: Any) -> Task:
        """The manager starts a task in the lobby and its root group gets a channel."""
        await self.boss.slash(self.lobby, "task new", goal=goal, **options)
        task = max(self.engine.world.tasks.values(), key=lambda t: t.id)
        room = self.guild.create_text_channel(f"task-{task.id}")
        await self.meets(task.root_group_id, room)
        return Task(task.id, task.boss_id, room)

    async def meets(self, group_id: int, room: Any) -> None:
        """A group gets a place, as the provision would record it."""
        await PlaceRecords(self.database).set_group(group_id, kind="channel", channel_id=room.id)

    async def posted(
        self, room: Any, *agent_ids: int, text: str = "Hello.", gate_id: int | None = None
    ) -> Any:
        """Agents' words (or a question) arrive in a room by webhook, as the outbox would record it."""
        message = await self.guild.create_webhook(room, "agents").send(text, username="Ada")
        task_id = self.engine.world.agents[agent_ids[0]].task_id
        spot = await self.ledger.place_of(room.id)
        at = {"task_id": task_id, "group_id": spot.group_id if spot else 0, "state": "sent"}

        def work(connection: Any) -> None:
            for agent_id in agent_ids:
                key = f"test:{message.id}:{agent_id}"
                values = {"key": key, "seq": len(self.engine.log), "at": self.engine.now, "post": {}}
                connection.execute(
                    tables.outbox.insert().values(agent_id=agent_id, batch_id=message.id, **values, **at)
                )
            connection.execute(
                tables.deliveries.insert().values(
                    batch_id=message.id,
                    part=0,
                    begun_at=0.0,
                    message_id=message.id,
                    channel_id=room.id,
                    wire={},
                    gate_id=gate_id,
                    **at,
                )
            )

        await self.database.write(work)
        return message

    async def gate_posted(self, task_id: int, gate_id: int, message: Any) -> None:
        """A gate's message stands where the outbox recorded it."""
        row = {"batch_id": message.id, "part": 0, "begun_at": 0.0, "wire": {}, "state": "sent", "group_id": 0}
        where = {"channel_id": message.channel.id, "message_id": message.id}
        values = {"task_id": task_id, "gate_id": gate_id, **row, **where}
        await self.database.write(lambda c: c.execute(tables.deliveries.insert().values(**values)))


@dataclass(frozen=True, slots=True)
class Task:
    """A started task, its boss and its channel."""

    id: int
    boss: int
    room: Any


@pytest.fixture
def offstage() -> Iterator[Stage]:
    """The parts, before anybody is there."""
    stage = Stage()
    yield stage
    stage.database.dispose()


@pytest.fixture
def simcord_bot(offstage: Stage) -> MegaBot:
    """What SimCord runs."""
    return offstage.bot()


@pytest.fixture
def stage(offstage: Stage, simcord_env: Any) -> Stage:
    """A running bot and people who use it."""
    offstage.env = simcord_env
    offstage.people()
    return offstage
