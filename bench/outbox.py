"""How late do posts reach Discord under 1,000 utterances a minute for 5 minutes?

    python -m bench.outbox             simulated clock: even, skewed, one channel
    python -m bench.outbox --loopback  the real outbox against the local Discord, limits on, time 4x

Printed: worst and 95th percentile delay of everything, and of answers to people (targets 20 s and 3 s),
in seconds of Discord's time. Bot and local Discord share one process: at 4x it does four minutes' work a
minute, and each of its hiccups counts four times; at 1x times are what they are.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord
from sqlalchemy import select

from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.outbox.compose import compose
from bot.outbox.limiter import Limiter, RateLimits
from bot.outbox.outbox import OutboxOptions, build_outbox
from bot.outbox.pace import Pace
from bot.outbox.plan import Ladder, pressure, take, urgency, weight
from bot.outbox.post import Entry, Lane, Post
from bot.places.layout import Group, Placement, place
from bot.storage.tables import BOT_METADATA, deliveries, outbox
from engine import events as ev
from engine.errors import Invalid, NotFound
from engine.ports import Record
from engine.queries import GateView, TaskView
from engine.store.database import open_database, sync_engine

SECONDS, A_MINUTE, GROUPS, AGENTS = 300.0, 1000, 100, 590
ANSWERS = 0.02
LATENCY_S = 0.15


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance of the load."""

    at: float
    group: int
    agent: int
    text: str
    answer: bool


def load(weights: Sequence[float], seconds: float = SECONDS, seed: int = 7) -> list[Said]:
    """Poisson arrivals over the groups by weight; texts log-normal around 490 characters."""
    rng, now, said = random.Random(seed), 0.0, []
    while (now := now + rng.expovariate(A_MINUTE / 60)) < seconds:
        group = rng.choices(range(len(weights)), weights)[0]
        agent = group * 6 + int(rng.random() ** 2 * 6)
        length = min(6000, max(40, int(rng.lognormvariate(6.2, 0.8))))
        said.append(Said(now, group, agent, ("word " * (length // 5 + 1))[:length], rng.random() < ANSWERS))
    return said


LOADS: dict[str, list[float]] = {
    "100 groups, even": [1.0] * GROUPS,
    "100 groups, skewed": [1 / (i + 1) for i in range(GROUPS)],
    "one channel": [1.0],
}


def tree(groups: int) -> list[Group]:
    """A root, nineteen heads under it, the rest under those."""
    heads = range(2, 21)
    return [
        Group(1, None, 0) if i == 1 else Group(i, 1, 1) if i in heads else Group(i, 2 + i % 19, 2)
        for i in range(1, groups + 1)
    ]


def channels(groups: int) -> list[int]:
    """For each group, the group whose channel's budget it uses."""
    placed: dict[int, Placement] = {}
    for group in tree(groups):
        placed[group.id] = place(group, placed)
    return [i if where.kind == "channel" else where.host_id for i, where in placed.items()]


# ---------------------------------------------------------------- simulated clock


def post_of(said: Said) -> Post:
    """The post an utterance becomes."""
    lane = Lane.ANSWER if said.answer else Lane.HEAD if said.agent % 6 == 0 else Lane.CHATTER
    return Post(1, said.group, 0, "say", lane, said.text, f"Agent {said.agent}", "", said.agent)


class Simulation:
    """The worker's rule on a clock of its own: the most urgent group of a channel goes when it may."""

    def __init__(self, said: list[Said], homes: list[int]) -> None:
        self.said, self.homes = said, homes
        self.limiter = Limiter()
        self.queues: dict[int, dict[int, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        self.delays: list[tuple[float, bool]] = []
        self.posts: dict[int, list[float]] = defaultdict(list)

    def run(self) -> None:
        """Until everything is out."""
        events = [(said.at, i, -1) for i, said in enumerate(self.said)]
        heapq.heapify(events)
        busy: dict[int, float] = defaultdict(float)
        wake: dict[int, float] = {}
        while events:
            now, i, channel = heapq.heappop(events)
            if channel < 0:
                said = self.said[i]
                channel = self.homes[said.group]
                self.queues[channel][said.group].append(Entry(i, said.at, post_of(said)))
            elif wake.get(channel) != now:
                continue
            if now < busy[channel]:
                continue
            sent, again = self._try(channel, now)
            busy[channel] = again if sent else now
            wake[channel] = again
            if again < float("inf"):
                heapq.heappush(events, (again, len(self.said), channel))

    def _try(self, channel: int, now: float) -> tuple[bool, float]:
        """Whether something was sent, and when to try again."""
        waiting = [queue for queue in self.queues[channel].values() if queue]
        if not waiting:
            return False, float("inf")
        queue = min(waiting, key=urgency)
        press = pressure(waiting, self.limiter.room(channel, now, Ladder().horizon(waiting)), now)
        pause = self.limiter.wait(channel, now, urgency(queue)[0], press == "roll-up")
        if pause > 0:
            return False, now + pause
        batch = take(queue, sum(map(weight, waiting)), press)
        for _ in compose(batch, "group"):
            now += self.limiter.wait(channel, now, chatter=False)
            self.limiter.spend(channel, now)
            self.posts[channel].append(now)
            now += LATENCY_S
            self.limiter.landed(channel, now)
        self.delays += [(now - entry.at, entry.post.lane == Lane.ANSWER) for entry in batch.entries]
        sent = {entry.id for entry in batch.entries}
        queue[:] = [entry for entry in queue if entry.id not in sent]
        return True, now


def report(name: str, delays: list[tuple[float, bool]], posts: int, most: int) -> bool:
    """One line; True when both targets are met."""
    every = sorted(delay for delay, _ in delays)
    answers = sorted(delay for delay, answer in delays if answer)
    p95, p95a = (x[int(len(x) * 0.95)] for x in (every, answers))
    good = every[-1] <= 20 and answers[-1] <= 3
    print(
        f"{name:20s} {len(every)} utterances, {posts} posts, most {most} a minute a channel | "
        f"all: p95 {p95:5.1f} worst {every[-1]:5.1f} s | answers ({len(answers)}): p95 {p95a:4.1f} "
        f"worst {answers[-1]:4.1f} s {'ok' if good else 'MISSED'}"
    )
    return good


def busiest(times: Sequence[float], seconds: float = 60.0) -> int:
    """Most posts in any window."""
    times = sorted(times)
    start = most = 0
    for end, now in enumerate(times):
        while times[start] <= now - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


def simulate() -> bool:
    """All three loads."""
    good = True
    for name, weights in LOADS.items():
        simulation = Simulation(load(weights), channels(len(weights)))
        simulation.run()
        most = max(busiest(times) for times in simulation.posts.values())
        good &= report(name, simulation.delays, sum(map(len, simulation.posts.values())), most)
    return good


# ---------------------------------------------------------------- over loopback


class Source:
    """An engine that only speaks."""

    look: Any

    def __init__(self) -> None:
        self.look = self
        self.log: list[ev.Event] = []
        self._more = asyncio.Event()

    async def handle(self, command: object) -> int:
        """Ignore the command."""
        raise Invalid(f"This engine only speaks; it cannot take {command}.", "Use the engine.")

    def recording(self, command: object) -> Record:
        """Record nothing."""
        return lambda _connection: None

    async def read_file(self, task_id: int, path: str) -> bytes:
        """Has no files."""
        raise NotFound(f"There is no {path} in task {task_id}.", "Name another.")

    async def events(self, after: int = 0) -> AsyncIterator[ev.Event]:
        """As the engine's."""
        while True:
            self._more.clear()
            while after < len(self.log):
                after += 1
                yield self.log[after - 1]
            await self._more.wait()

    def emit(self, body: ev.EventBody) -> None:
        """Publish an event."""
        self.log.append(ev.Event(len(self.log) + 1, time.time(), body))
        self._more.set()


def found(source: Source, guild_id: int, user_id: int, groups: int) -> None:
    """A task with its groups and agents, everyone saying a first word so that the places are there."""
    source.emit(ev.TaskAccepted(1, "load", f"discord:{user_id}", f"guild:{guild_id}"))
    for group in tree(groups):
        head = (group.id - 1) * 6
        source.emit(ev.GroupFormed(1, group.id, group.parent_id, head, f"group {group.id}", group.depth))
        for agent in range(head, head + 6):
            source.emit(ev.AgentJoined(1, group.id, agent, f"Agent {agent}", "worker"))
        source.emit(ev.AgentSpoke(1, group.id, head, f"Agent {head}", (), "here"))


async def speak(source: Source, said: list[Said], scale: float, ref: str) -> None:
    """The load, `scale` times as fast."""
    start = time.monotonic()
    for each in said:
        await asyncio.sleep(max(0.0, each.at / scale - (time.monotonic() - start)))
        refs = (ref,) if each.answer else ()
        name = f"Agent {each.agent}"
        source.emit(ev.AgentSpoke(1, each.group + 1, each.agent, name, (), each.text, refs))


async def measured(name: str, weights: list[float], scale: float, seconds: float, folder: Path) -> bool:
    """One load through the real outbox; arrival is when the local Discord announced the message."""
    local = LocalDiscord(LocalOptions(time_scale=scale))
    await local.start()
    url = f"sqlite:///{folder / 'bench.db'}"
    BOT_METADATA.create_all(sync_engine(url))
    database = open_database(url)
    arrived: dict[int, tuple[float, int]] = {}
    with point_discord_at(local):
        client = discord.Client(intents=discord.Intents.default(), max_ratelimit_timeout=30.0)
        ready = asyncio.Event()
        client.event(_when_ready(ready))
        running = asyncio.create_task(client.start(local.token))
        await ready.wait()
        local.world.subscribers.append(lambda event, data: _note(arrived, event, data))
        source = Source()
        ladder = Ladder().scaled(scale)
        options = OutboxOptions(rates=RateLimits().scaled(scale), pace=Pace(0.05, 1.0, ladder))
        box = build_outbox(
            client, source, database, gate_view=_no_buttons, closed_gate=_no_change, options=options
        )
        await box.start()
        found(source, local.guild_id, local.you.id, len(weights))
        await box.drain(len(source.log))
        await asyncio.sleep(70 / scale)
        first, arrived_before = len(source.log), set(arrived)
        lobby = local.you.channel("lobby")["id"]
        busy, wall = time.process_time(), time.monotonic()
        await speak(source, load(weights, seconds), scale, f"{lobby}:{lobby}")
        await box.drain(len(source.log))
        busy = (time.process_time() - busy) / (time.monotonic() - wall)
        limited = sum(call.status == 429 and call.at > wall for call in local.rest.calls)
        delays = await _delays(database, arrived, first, scale)
        await box.stop()
        await client.close()
        await asyncio.wait([running], timeout=5)
    await database.close()
    await local.stop()
    late = {i: when for i, when in arrived.items() if i not in arrived_before}
    parents = {c.id: c.parent_id if c.is_thread else c.id for c in local.world.channels.values()}
    by_channel = defaultdict(list)
    for when, channel in late.values():
        by_channel[parents[channel]].append(when * scale)
    most = max(busiest(times) for times in by_channel.values())
    refused = len(local.gaps)
    assert len(delays) == len(source.log) - first, "something was lost"
    how = f"{name} ({scale:g}x as fast, {busy:.0%} of a core, {limited} times 429)"
    return report(how, delays, len(late), most) and not refused


def _when_ready(ready: asyncio.Event) -> Any:
    async def on_ready() -> None:
        ready.set()

    return on_ready


def _no_buttons(_gate: GateView) -> discord.ui.View:
    return discord.ui.View(timeout=None)


def _no_change(_gate: GateView, _task: TaskView) -> dict[str, Any]:
    return {}


def _note(arrived: dict[int, tuple[float, int]], event: str, data: Any) -> None:
    if event == "MESSAGE_CREATE":
        arrived[int(data["id"])] = (time.time(), int(data["channel_id"]))


async def _delays(
    database: Any, arrived: dict[int, tuple[float, int]], first: int, scale: float
) -> list[tuple[float, bool]]:
    query = (
        select(outbox.c.seq, outbox.c.at, outbox.c.post, deliveries.c.message_id)
        .join(deliveries, deliveries.c.batch_id == outbox.c.batch_id)
        .where(outbox.c.seq > first)
    )
    latest: dict[int, tuple[float, bool]] = {}
    for seq, at, post, message_id in await database.read(lambda c: c.execute(query).all()):
        delay = (arrived[message_id][0] - at) * scale
        latest[seq] = max(latest.get(seq, (0.0, False)), (delay, post["lane"] == Lane.ANSWER))
    return list(latest.values())


async def loopback(scale: float, seconds: float, only: str) -> bool:
    """The loads whose names contain `only`, one after the other."""
    good = True
    for name, weights in LOADS.items():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            good &= await measured(name, weights, scale, seconds, Path(folder))
    return good


def main() -> None:
    """Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--loopback", action="store_true")
    parser.add_argument("--scale", type=float, default=4.0, help="how many times as fast (default 4)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of load, in Discord's time (300)")
    parser.add_argument("--only", default="", help="loads whose name contains this, such as skewed")
    options = parser.parse_args()
    over = loopback(options.scale, options.seconds, options.only) if options.loopback else None
    good = asyncio.run(over) if over else simulate()
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
