"""Assign posts to channels: find or create each group's place, then pass it to the channel's worker."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from bot.outbox.ledger import Delivery
from bot.outbox.message_updates import MessageUpdates
from bot.outbox.pace import wait_for
from bot.outbox.post import Entry
from bot.outbox.worker import DISCORD, ChannelWorker, SendJob, WorkerServices
from bot.places.notices import Notices
from bot.places.provision import Place, PlaceArchived, PlaceUnavailable
from engine.errors import NotFound

_log = logging.getLogger(__name__)


class Sender:
    """Sends the entries it is fed; one worker per channel."""

    def __init__(self, means: WorkerServices, notices: Notices) -> None:
        self._means = means
        self._queues: dict[int, list[Entry]] = defaultdict(list)
        self._unassigned_jobs: dict[int, list[SendJob]] = defaultdict(list)
        self._workers: dict[int, ChannelWorker] = {}
        self._channel_of_group: dict[int, int] = {}
        self._placing: dict[int, asyncio.Task[None]] = {}
        self._running: list[asyncio.Task[None]] = []
        self._quiet = asyncio.Event()
        transport = means.posting.transport
        self._acts = MessageUpdates(
            means.ledger,
            transport,
            notices,
            means.close_gate,
            means.provision.rename,
            means.pace,
            self._quiet.set,
        )

    def start(self) -> None:
        """Start message updates; sending starts with the first entry."""
        self._running.append(asyncio.create_task(self._acts.run()))

    def feed(self, entries: Sequence[Entry]) -> None:
        """Queue entries; they must be new to this sender and ordered by id."""
        for entry in entries:
            if entry.post.kind in ("react", "rename", "pin"):
                self._acts.feed(entry)
                if entry.post.kind == "rename":
                    self._bear(entry.post.place_key, entry.post.text)
            else:
                self._queues[entry.post.place_key].append(entry)
        for group_id in {entry.post.place_key for entry in entries}:
            self._wake_group(group_id)

    def _bear(self, group_id: int, name: str) -> None:
        """Give roll-ups of a place that is known already its group's new name."""
        worker = self._workers.get(self._channel_of_group.get(group_id, 0))
        if worker is not None and group_id in worker.places:
            worker.places[group_id] = replace(worker.places[group_id], name=name)

    def resume(self, deliveries: Sequence[Delivery]) -> None:
        """Queue batches started before a restart, ahead of anything new for their places."""
        for delivery in deliveries:
            self._unassigned_jobs[delivery.place_key].append(SendJob(delivery, look=bool(delivery.begun_at)))
        for group_id in {delivery.place_key for delivery in deliveries}:
            self._wake_group(group_id)

    def try_again(self) -> None:
        """End all waits now, after a change on Discord's side (a guild joined, a permission granted)."""
        self._means.posting.webhooks.try_again()
        self._means.retry.set()
        self._means.retry.clear()
        for worker in self._workers.values():
            worker.release()

    async def drain(self) -> None:
        """Wait until everything fed so far that can be sent is sent."""
        while not self.idle():
            self._quiet.clear()
            await self._quiet.wait()

    async def close(self) -> None:
        """Stop now; messages being sent are looked up at the next start."""
        tasks = [*self._running, *self._placing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def depth(self) -> int:
        """Return the number of waiting posts."""
        return sum(map(len, self._queues.values())) + sum(len(w.jobs) for w in self._workers.values())

    def idle(self) -> bool:
        """Return True if everything fed so far that can be sent is sent."""
        busy = any(worker.jobs for worker in self._workers.values()) or not self._acts.idle
        return (
            not busy
            and not self._placing
            and not any(map(self._eager, [*self._queues, *self._unassigned_jobs]))
        )

    def _eager(self, group_id: int) -> bool:
        """Return True if a post must be sent; posts with `eager` False do not create a place."""
        queue = self._queues.get(group_id, [])
        placed = group_id in self._channel_of_group and bool(queue)
        return placed or bool(self._unassigned_jobs.get(group_id)) or any(entry.post.eager for entry in queue)

    def _wake_group(self, group_id: int) -> None:
        channel_id = self._channel_of_group.get(group_id)
        if channel_id is not None:
            self._workers[channel_id].news.set()
        elif self._eager(group_id) and group_id not in self._placing:
            task = self._placing[group_id] = asyncio.create_task(self._place_group(group_id))
            task.add_done_callback(lambda _: self._placed(group_id))

    def _placed(self, group_id: int) -> None:
        self._placing.pop(group_id, None)
        self._quiet.set()

    async def _place_group(self, group_id: int) -> None:
        """Find or create the group's place and assign it to its channel's worker."""
        try:
            self._assign_place(await self._find_place(group_id))
        except PlaceArchived as error:
            _log.info("posts are dropped: %s", error)
            await self._forget(group_id)

    async def _forget(self, group_id: int) -> None:
        entries, jobs = self._queues.pop(group_id, []), self._unassigned_jobs.pop(group_id, [])
        await self._means.ledger.close_entries([entry.id for entry in entries], "dropped")
        for job in jobs:
            await self._means.ledger.drop(job.delivery)

    async def _find_place(self, group_id: int) -> Place:
        failures = 0
        while True:
            try:
                return await self._means.provision.ensure(group_id)
            except PlaceArchived:
                raise
            except (PlaceUnavailable, NotFound) as error:
                _log.info("group %s has no place yet: %s", group_id, error)
            except DISCORD as error:
                _log.warning("cannot create the place of group %s now: %s", group_id, error)
            except Exception:  # noqa: BLE001 - one group's trouble must not end the others; it is logged and retried
                _log.exception("cannot create the place of group %s now", group_id)
            failures += 1
            await wait_for(self._means.retry, self._means.pace.after(failures))

    def _assign_place(self, place: Place) -> None:
        old = self._channel_of_group.get(place.group_id)
        if old is not None and old != place.channel_id:
            self._workers[old].places.pop(place.group_id, None)
        worker = self._workers.get(place.channel_id) or self._open(place.channel_id)
        worker.places[place.group_id] = place
        worker.jobs.extend(self._unassigned_jobs.pop(place.group_id, []))
        self._channel_of_group[place.group_id] = place.channel_id
        worker.news.set()

    def _open(self, channel_id: int) -> ChannelWorker:
        worker = ChannelWorker(
            channel_id, self._means, self._queues, self._assign_place, self._quiet.set, self._acts.feed
        )
        self._workers[channel_id] = worker
        self._running.append(asyncio.create_task(worker.run()))
        return worker
