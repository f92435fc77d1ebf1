"""A server that looks like a real one: people talk, tasks work, Discord is in trouble, all from one seed.

The bot, its outbox and its cards are the real ones, on a local Discord with the real limits; only the engine
is the fake, which says what agents would say. Times are of Discord: the local one runs `scale` times as fast.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select

from bot.app.client import MegaBot
from bot.app.settings import BotSettings
from bot.discord.context import Archive, ClosedPlaces, Parts, Probes
from bot.discord.request_stop import RequestStop
from bot.features.agents.saying import DELIVERED
from bot.features.gates.buttons import gate_view
from bot.features.gates.windows import closed_message
from bot.features.replies.cog import REFUSED
from bot.features.replies.proxies import PLURALKIT
from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.local.actors import Human
from bot.local.faults import LimitScope
from bot.local.interactions import CannotError
from bot.local.rest import LISTENERS, Call
from bot.notifications.ephemeral import run_listeners
from bot.notifications.wiring import build_notifications
from bot.outbox.ledger import Ledger
from bot.outbox.limiter import Limiter, RateLimits
from bot.outbox.outbox import OutboxOptions, build_outbox
from bot.outbox.pace import Pace
from bot.outbox.plan import Ladder
from bot.ports import EngineApi
from bot.storage.guild_settings import BotRecords
from bot.storage.tables import BOT_METADATA, deliveries, outbox
from bot.texts import outbox as wording
from engine.commands import SayToAgent
from engine.errors import EngineError
from engine.ports import Database, SandboxStatus
from engine.store.database import open_database, sync_engine
from tests.fakes.engine import DEFAULTS, FakeEngine

TOKEN = re.compile(r"[ua]\d{5}z")
"""Each utterance and each answer carries one of its own."""

EXECUTE = r"/webhooks/\d+/[^/]{60,}"
REJECTED = wording.NOT_TAKEN_BARE.partition("here, ")[2][:12]
SENDS = rf"(?:{EXECUTE}|/channels/\d+/messages)"
CHANNEL_ROUTES = ("/channels/{channel_id}", "/channels/{channel_id}/permissions/{target_id}")
PROXIED = 0.15
"""Part of people's words that a proxy repeats."""

TROUBLE_S = 30.0
"""Longest time of Discord's that one trouble lasts."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large and how long; `minutes` are Discord's, which pass `scale` times as fast."""

    people: int = 50
    tasks: int = 20
    minutes: float = 30.0
    scale: float = 20.0


@dataclass(slots=True)
class Seen:
    """What happened, for the assertions."""

    said: dict[str, float] = field(default_factory=dict)
    posted: dict[str, set[int]] = field(default_factory=dict)
    proxied: int = 0
    rejected: set[int] = field(default_factory=set)
    """Messages that say that Discord takes the words in no form; they are in the transcript then."""
    posted_at: dict[str, float] = field(default_factory=dict)
    troubles: Counter[str] = field(default_factory=Counter)
    closed: list[tuple[float, float]] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    touched: list[str] = field(default_factory=list)
    calls: Counter[int] = field(default_factory=Counter)
    banned_at: float = 0.0
    banned_until: float = 0.0
    during_ban: list[str] = field(default_factory=list)

    def delays(self, kind: str) -> list[float]:
        """Seconds from word to message, without the time in which nothing could be posted."""
        found = []
        for token, at in self.said.items():
            if token.startswith(kind) and token in self.posted_at:
                end = self.posted_at[token]
                shut = sum(max(0.0, min(end, b) - max(at, a)) for a, b in self.closed)
                found.append(max(0.0, end - at - shut))
        return sorted(found)


class BusyServer:
    """One run; `start`, `live`, `settle`, `stop` in this order."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        self.size, self.rng, self.seen = size, random.Random(seed), Seen()
        self._proxying = random.Random(f"proxy {seed}")  # its own, so that seeds mean what they did without
        self._proxies: dict[int, int] = {}
        self.engine, self._folder = FakeEngine(), folder
        self.local = LocalDiscord(LocalOptions(time_scale=size.scale))
        self._began = time.monotonic()
        self._numbers = iter(range(10_000, 100_000))
        self._heard = 0
        self._open = ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._people: list[Human] = []
        self._words: list[tuple[int, int]] = []
        self._own: set[int] = set()

    # ------------------------------------------------------------ the stage

    async def start(self) -> None:
        """Open the server, bring people in, connect the bot."""
        await self.local.start()
        self._open.enter_context(point_discord_at(self.local))
        LISTENERS.append(self._listen)
        world, guild = self.local.world, self.local.guild_id
        world.subscribers.append(self._announced)
        crew = world.create_role(guild, "crew").id
        for number in range(self.size.people):
            person = world.make_user(f"person{number}")
            world.add_member(guild, person.id, roles=[crew] if number % 3 else [])
            self._people.append(Human(world, guild, person.id))
        for name in ("general", "random", "help"):
            world.create_channel(guild, name, topic="people's own")
        self._own = set(world.channels)
        self.engine.now = time.time()
        url = f"sqlite:///{self._folder / 'bot.db'}"
        plain = sync_engine(url)
        BOT_METADATA.create_all(plain)
        plain.dispose()
        self._database: Database = open_database(url)
        await self._connect()
        await self.local.you.slash(self._lobby, "setup", start=crew, steer=crew, approve=crew)

    @property
    def _lobby(self) -> int:
        return int(self.local.you.channel("lobby")["id"])

    def now(self) -> float:
        """Seconds of Discord's time since the start."""
        return (time.monotonic() - self._began) * self.size.scale

    async def _connect(self) -> None:
        scale = self.size.scale
        records, ledger = BotRecords(self._database), Ledger(self._database)
        rates, engine = RateLimits().scaled(scale), cast(EngineApi, self.engine)
        settings = BotSettings(_env_file=None, card_every_s=1)  # type: ignore[call-arg]
        limiter = Limiter(rates)
        self._bot = MegaBot(settings, message_content=True, stop=RequestStop(), guild_ready_timeout=0.05)
        shown = build_notifications(self._bot, engine, records, ledger, settings, time.time, limiter)
        pace = Pace(pause=1.0 / scale, longest_pause=30.0 / scale, ladder=Ladder().scaled(scale))
        self.outbox = build_outbox(
            self._bot,
            engine,
            self._database,
            gate_view=gate_view,
            closed_gate=closed_message,
            options=OutboxOptions(rates=rates, pace=pace, limiter=limiter),
            heard=shown.heard,
        )
        self._bot.set_parts(
            Parts(
                *(engine, ledger, records, settings, DEFAULTS),
                Probes(_answers, lambda: SandboxStatus(True, ""), str, self.outbox.try_again),
                Archive(_no_archive, _no_bundle, _no_reopening),
                *(shown.cards, shown.outages, shown.start_replies, self.outbox.notices),
            )
        )
        self._tasks = [asyncio.create_task(self._bot.start(self.local.token))]
        async with asyncio.timeout(60):
            while not self._bot.is_ready():  # noqa: ASYNC110 - it is a poll of discord.py's state
                await asyncio.sleep(0.02)
        await self.outbox.start()
        keep = (shown.cards.run(), run_listeners(shown.listeners))
        self._tasks += [asyncio.create_task(work) for work in keep]

    async def _disconnect(self) -> None:
        await self.outbox.stop()
        await self._bot.close()
        for task in self._tasks:
            task.cancel()
        handling = [t for t in asyncio.all_tasks() if t.get_name().startswith("discord.py: on_")]
        await asyncio.gather(*self._tasks, *handling, return_exceptions=True)

    async def stop(self) -> None:
        """Close everything."""
        await self._disconnect()
        await self._database.close()
        LISTENERS.remove(self._listen)
        self._open.close()
        await self.local.stop()

    # ------------------------------------------------------------ what is seen

    def _announced(self, event: str, payload: Mapping[str, Any]) -> None:
        """A new message of the bot's or of a persona: which utterances it holds, in words or in files."""
        if event != "MESSAGE_CREATE" or not (payload.get("webhook_id") or payload["author"].get("bot")):
            return
        files = [self.local.world.cdn.get(item["url"]) or b"" for item in payload["attachments"]]
        cards = [str(e.get("description")) for e in payload["embeds"]]
        text = "\n".join([payload["content"], *cards, *(f.decode("utf-8", "replace") for f in files)])
        if REJECTED in text:
            self.seen.rejected.add(int(payload["id"]))
        for token in set(TOKEN.findall(text)):
            self.seen.posted.setdefault(token, set()).add(int(payload["id"]))
            self.seen.posted_at.setdefault(token, self.now())

    def _listen(self, call: Call) -> None:
        seen, now = self.seen, self.now()
        seen.calls[call.status] += 1
        answer = call.answer if isinstance(call.answer, dict) else {}
        if call.status == 201 and answer.get("id"):
            seen.made.add(str(answer["id"]))
        target = call.path.split("/")[2] if call.path.startswith("/channels/") else ""
        changes = call.template in (
            "/channels/{channel_id}",
            "/channels/{channel_id}/permissions/{target_id}",
        )
        if changes and call.method != "GET" and target not in seen.made:
            seen.touched.append(f"{call.method} {call.path}")
        if seen.banned_at and seen.banned_at + 0.2 * self.size.scale < now < seen.banned_until:
            seen.during_ban.append(f"{call.method} {call.path}")

    # ------------------------------------------------------------ what people and agents do

    async def live(self) -> None:
        """Let everything happen for `size.minutes` of Discord's time: two restarts and one ban among it."""
        end, events = self.size.minutes * 60, [(0.33, self._restart), (0.5, self._ban), (0.66, self._restart)]
        for _ in range(self.size.tasks):
            await self._act(self._start_task)
        while self.now() < end:
            if events and self.now() > events[0][0] * end:
                await events.pop(0)[1]()
            (what,) = self.rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            await self._act(partial(what, self))
            self._answer_people()
            await asyncio.sleep(self.rng.uniform(0.2, 1.2) / self.size.scale)

    async def settle(self, within_s: float) -> None:
        """End all troubles, then wait until everything said is posted."""
        self.local.faults.clear()
        known = self.local.conditions
        known.filtered_names = known.harmful_links = ""
        known.two_factor = False
        self.outbox.try_again()
        self._answer_people()
        async with asyncio.timeout(within_s):
            await self.outbox.drain(self.engine.log[-1].seq)

    async def unsaid(self) -> dict[str, list[str]]:
        """Utterances that stand in no message, and that no message says were rejected in every form.

        With each, what the outbox knows of it, and whether its messages are on Discord.
        """
        query = select(deliveries.c.wire, deliveries.c.message_id)
        rows = await self._database.read(lambda c: c.execute(query).all())
        told = {
            token
            for row in rows
            if row.message_id in self.seen.rejected
            for token in TOKEN.findall(str(row.wire))
        }
        lost = [token for token in self.seen.said if token not in self.seen.posted and token not in told]
        return {token: await self._traces(token) for token in lost}

    async def _traces(self, token: str) -> list[str]:
        query = (
            select(outbox.c.key, outbox.c.state, outbox.c.post)
            .add_columns(deliveries.c.state.label("sent"), deliveries.c.channel_id, deliveries.c.message_id)
            .outerjoin(deliveries, deliveries.c.batch_id == outbox.c.batch_id)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        there = self.local.world.messages
        return [
            f"post {row.key} {row.state}, message {row.message_id} {row.sent}, "
            f"on Discord: {row.message_id in there.get(row.channel_id or 0, {})}"
            for row in rows
            if token in str(row.post)
        ]

    async def unheard(self, within_s: float) -> list[str]:
        """People's words in places, still there, that neither reached an agent nor bear a mark.

        Where the bot was forbidden to mark them, it says so in that place.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while await self._unheard():  # noqa: ASYNC110 - nobody tells of what is done
                    await asyncio.sleep(0.2)
        return await self._unheard()

    async def _unheard(self) -> list[str]:
        refs = {command.ref for command in self.engine.commands if isinstance(command, SayToAgent)}
        ledger, found = Ledger(self._database), list[str]()
        keys = set(await self._database.read(lambda c: c.execute(select(outbox.c.key)).scalars().all()))
        for channel_id, message_id in self._words:
            message = self.local.world.messages.get(channel_id, {}).get(message_id)
            if message is None or message.reactions or f"{channel_id}:{message_id}" in refs:
                continue
            place = await ledger.place_of(channel_id)
            marks = [f"say:mark:{channel_id}:{message_id}:{mark}" for mark in (DELIVERED, REFUSED)]
            forbidden = f"say:mark-forbidden:{channel_id}" in keys and not keys.isdisjoint(marks)
            if message.webhook_id is not None and self._asked_whose(channel_id, message_id, keys):
                continue
            if place is not None and not place.shared and not forbidden:
                found.append(f"{message.content} in group {place.group_id}")
        return found

    def _asked_whose(self, channel_id: int, copy_id: int, keys: set[str]) -> bool:
        """Whether a line offers to pass on what a proxy repeated, here or (by its row) elsewhere."""
        shown = str([m.components for m in self.local.world.messages.get(channel_id, {}).values()])
        here = [(int(a), int(b)) for a, b in re.findall(r"whose:(\d+):(\d+)", shown)]
        rows = [(0, int(key.rpartition(":")[2])) for key in keys if key.startswith("say:whose:")]
        return any(first <= copy_id <= last for first, last in (*here, *rows))

    async def _act(self, act: Callable[[], Awaitable[None]]) -> None:
        with suppress(CannotError, EngineError, TimeoutError):
            await act()

    def _token(self, kind: str) -> str:
        token = f"{kind}{next(self._numbers)}z"
        self.seen.said[token] = self.now()
        return token

    def _agent(self) -> int | None:
        going = {t.id for t in self.engine.world.tasks.values() if t.state == "running"}
        agents = [a.id for a in self.engine.world.agents.values() if a.task_id in going]
        return self.rng.choice(agents) if agents else None

    async def _start_task(self) -> None:
        if len(self.engine.world.tasks) < self.size.tasks:
            person = self.rng.choice(self._people)
            await person.slash(self._lobby, "task new", goal=f"Build boat {self.rng.randrange(1000)}")

    async def _speak(self) -> None:
        if (agent := self._agent()) is not None:
            long = " word" * self.rng.choice((3, 10, 40, 700))
            self.engine.speak(agent, f"{self._token('u')}{long}")

    async def _recruit(self) -> None:
        if (agent := self._agent()) is not None and len(self.engine.world.agents) < 8 * self.size.tasks:
            self.engine.recruit(agent, f"Ada{self.rng.randrange(10_000)}")

    async def _ask(self) -> None:
        if (agent := self._agent()) is not None:
            self.engine.raise_gate(agent, f"{self._token('u')} Red or blue?", ("red", "blue"))

    async def _talk(self) -> None:
        person = self.rng.choice(self._people)
        names = [c for c in person.channels() if c["type"] in (0, 11)]
        said = await person.send(self.rng.choice(names), f"words {self.rng.randrange(10_000)}")
        self._words.append((int(said["channel_id"]), int(said["id"])))
        if self._proxying.random() < PROXIED:
            await self._repeated(person, said)

    async def _repeated(self, person: Human, said: Mapping[str, Any]) -> None:
        """A proxy like PluralKit deletes the words and posts them again, in one order or the other."""
        channel = self.local.world.get_channel(int(said["channel_id"]))
        above = channel.parent_id if channel.is_thread and channel.parent_id else channel.id
        hook = self.local.world.webhooks.get(self._proxies.get(above, 0))
        if hook is None:
            hook = self.local.world.create_webhook(above, "proxy", self.local.you.id)
            self.local.world.hook_applications[hook.id] = PLURALKIT
            self._proxies[above] = hook.id
        first = self._proxying.random() < 0.5
        if first:
            await person.delete(dict(said))
        await asyncio.sleep(self._proxying.uniform(0.2, 2.0) / self.size.scale)
        copy = self.local.world.create_message(
            channel.id, hook.webhook_user_id, said["content"], webhook_id=hook.id
        )
        if not first:
            await person.delete(dict(said))
        self._words.append((channel.id, copy.id))
        self.seen.proxied += 1

    async def _press(self) -> None:
        person = self.rng.choice(self._people)
        place = self.rng.choice([c for c in person.channels() if c["type"] in (0, 11)])
        asked = [m for m in person.history(place) if m["components"] and "red" in str(m["components"])]
        if asked:
            await person.click(self.rng.choice(asked), "red", wait=False)

    async def _change(self) -> None:
        person = self.rng.choice(self._people)
        place = self.rng.choice(person.channels())
        mine = [m for m in person.history(place) if m["author"]["id"] == str(person.id)]
        if mine:
            message = self.rng.choice(mine)
            await (person.edit(message, "other words") if self.rng.random() < 0.5 else person.delete(message))

    def _answer_people(self) -> None:
        """Agents answer what reached them."""
        commands = self.engine.commands[self._heard :]
        self._heard = len(self.engine.commands)
        for command in commands:
            if isinstance(command, SayToAgent) and command.ref:
                with suppress(EngineError):
                    self.engine.read(command.ref)
                    self.engine.speak(command.agent_id, f"{self._token('a')} yes", refs=(command.ref,))

    # ------------------------------------------------------------ troubles

    async def _trouble(self) -> None:
        name = self.rng.choice(sorted(_TROUBLES))
        self.seen.troubles[name] += 1
        await _TROUBLES[name](self)

    async def _shut(self, seconds: float, on: Callable[[bool], None]) -> None:
        """Something lasts for a while of Discord's time; nothing can be posted meanwhile."""
        begun = self.now()
        on(True)
        await asyncio.sleep(seconds / self.size.scale)
        on(False)
        self.seen.closed.append((begun, self.now()))

    async def _outage(self) -> None:
        await self._shut(self.rng.uniform(5, TROUBLE_S), self.local.outage)

    async def _gateway(self) -> None:
        kind = self.rng.choice(("reconnect", "invalid", "close"))
        if kind == "close":
            await self.local.faults.close()
        elif kind == "reconnect":
            self.local.faults.reconnect()
        else:
            self.local.faults.invalidate()

    async def _answers_fail(self) -> None:
        faults, times = self.local.faults, self.rng.randrange(1, 6)
        kind = self.rng.randrange(4)
        if kind == 0:
            faults.fail(
                "*", self.rng.choice((SENDS, ".*")), status=self.rng.choice((500, 502, 503)), times=times
            )
        elif kind == 1:
            faults.drop_before("POST", SENDS, times=times)
        elif kind == 2:
            faults.drop_after("POST", SENDS, times=times)
        else:
            faults.delay("*", SENDS, seconds=self.rng.uniform(1, 8), times=times)

    async def _limited(self) -> None:
        scopes = (LimitScope.BUCKET, LimitScope.SHARED, LimitScope.GLOBAL)
        seconds = self.rng.uniform(1, TROUBLE_S)
        begun = self.now()
        self.local.faults.limit("POST", SENDS, scope=self.rng.choice(scopes), retry_after=seconds)
        # Retry-After is in whole seconds of the client's clock, which runs slower here.
        self.seen.closed.append((begun, begun + seconds + self.size.scale))

    async def _refused(self) -> None:
        codes = ((400, 240000), (400, 200000), (413, 40005), (400, 50035), (403, 50013), (400, 50083))
        status, code = self.rng.choice(codes)
        self.local.faults.refuse("POST", SENDS, status=status, code=code, times=self.rng.randrange(1, 3))

    async def _making_refused(self) -> None:
        path, codes = self.rng.choice(
            (
                (r"/guilds/\d+/channels", ((400, 30013), (400, 50035), (403, 60003), (403, 50013))),
                (r"/channels/\d+/webhooks", ((400, 30007), (400, 30058), (403, 60003))),
                (r"/channels/\d+/threads", ((400, 160006), (400, 160007), (400, 50024))),
            )
        )
        status, code = self.rng.choice(codes)
        self.local.faults.refuse("POST", path, status=status, code=code, times=1)

    async def _conditions(self) -> None:
        known = self.local.conditions
        known.two_factor = self.rng.random() < 0.3
        known.filtered_names = self.rng.choice(("", "", "ada1"))
        known.harmful_links = self.rng.choice(("", "", r"u\d\d\d\d7z"))

    async def _webhook_deleted(self) -> None:
        hooks = sorted(self.local.world.webhooks)
        if hooks:
            await self.local.you.delete_webhook(self.rng.choice(hooks))

    async def _channel_deleted(self) -> None:
        mine = [
            c for c in self.local.you.channels() if c["type"] in (0, 11) and int(c["id"]) not in self._own
        ]
        if mine and self.rng.random() < 0.3:
            await self.local.you.delete_channel(self.rng.choice(mine))

    async def _permission_lost(self) -> None:
        you, place = self.local.you, self.rng.choice([c for c in self.local.you.channels() if c["type"] == 0])
        lost = self.rng.choice(("send_messages", "add_reactions", "manage_webhooks", "attach_files"))

        async def back() -> None:
            await asyncio.sleep(self.rng.uniform(5, TROUBLE_S) / self.size.scale)
            with suppress(CannotError):
                await you.overwrite(place, you.bot_role)

        begun = self.now()
        await you.overwrite(place, you.bot_role, deny=[lost])
        await back()
        self.outbox.try_again()
        self.seen.closed.append((begun, self.now()))

    async def _restart(self) -> None:
        begun = self.now()
        await self._disconnect()
        await self._connect()
        self.seen.closed.append((begun, self.now()))

    async def _ban(self) -> None:
        """The edge bans the address, once: from its answer on nothing may be asked until the time is over."""
        self.local.faults.clear()
        before, seconds = self.seen.calls[429], 120.0
        self.local.faults.limit("*", ".*", scope=LimitScope.CLOUDFLARE, retry_after=seconds)
        while self.seen.calls[429] == before:
            await self._speak()
            await asyncio.sleep(0.05)
        self.seen.banned_at = self.now()
        # Whole seconds of the client's clock: those of Discord's pass `scale` times as fast.
        self.seen.banned_until = self.now() + (int(seconds / self.size.scale)) * self.size.scale
        while self.now() < self.seen.banned_until:
            await self._act(self._speak)
            await self._act(self._talk)
            self._answer_people()
            await asyncio.sleep(0.5)
        self.seen.closed.append((self.seen.banned_at, self.now() + self.size.scale))


async def _answers() -> tuple[bool, str]:
    return True, "fake"


async def _no_archive(_task_id: int, _remove: bool) -> ClosedPlaces:
    return ClosedPlaces({})


async def _no_reopening(task_id: int) -> tuple[int, ...]:
    raise AssertionError("nothing is continued here")


async def _no_bundle(_task_id: int, _target: Path) -> None:
    return None


_WEIGHTS: dict[Any, int] = {
    BusyServer._speak: 30,
    BusyServer._talk: 20,
    BusyServer._change: 6,
    BusyServer._recruit: 5,
    BusyServer._ask: 3,
    BusyServer._press: 3,
    BusyServer._start_task: 2,
    BusyServer._trouble: 8,
}
_TROUBLES: dict[str, Callable[[BusyServer], Awaitable[None]]] = {
    "outage": BusyServer._outage,
    "gateway": BusyServer._gateway,
    "answers fail": BusyServer._answers_fail,
    "limited": BusyServer._limited,
    "refused": BusyServer._refused,
    "making refused": BusyServer._making_refused,
    "conditions": BusyServer._conditions,
    "webhook deleted": BusyServer._webhook_deleted,
    "channel deleted": BusyServer._channel_deleted,
    "permission lost": BusyServer._permission_lost,
}
