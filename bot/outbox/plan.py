"""The outbox ladder, pure: what the next message to a place should carry.

One post → one persona's lines merged → a roll-up of up to 10 embeds when more than 5 wait → a digest with
the transcript attached when more than 60 wait. Answers to people and what must stand alone (gates, the
end) never drown in a digest. Posts of one agent keep their order: an answer takes what its agent said
before it along to the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from bot.outbox.post import BOT, Entry, Lane, Post

Shape = Literal["post", "merge", "rollup", "digest"]

EMBEDS = 10
EMBED_CHARACTERS = 5800
"""Discord allows 6,000 over all embeds of a message; the rest is room for what it counts differently."""

CARD = 560
ANSWER_CARD = 3500
CARD_MOST = 4000
"""Characters in a roll-up for one utterance, for an answer to a person, for several notes in one card.

What is longer is attached whole. Discord allows 4,096 in an embed's text."""

MERGED = 1880
"""Characters of one persona's merged lines: below 2,000 with what sending may add."""

DIGEST_CHARACTERS = 2_000_000
"""Most text in one digest: at 4 bytes a character still below Discord's 10 MiB a file."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """More than `rollup_over` waiting are rolled up, more than `digest_over` digested."""

    rollup_over: int = 5
    digest_over: int = 60
    digest_most: int = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that go out together, in the order in which they are shown."""

    shape: Shape
    entries: tuple[Entry, ...]


def ranked(queue: Sequence[Entry]) -> list[tuple[Lane, Entry]]:
    """The queue in sending order: by lane, then age; an agent's earlier posts share its best later lane."""
    best: dict[int, Lane] = {}
    lanes: dict[int, Lane] = {}
    for entry in sorted(queue, key=_age, reverse=True):
        lane, agent = entry.post.lane, entry.post.agent_id
        if agent is not None:
            lane = best[agent] = min(lane, best.get(agent, lane))
        lanes[entry.id] = lane
    return sorted(((lanes[entry.id], entry) for entry in queue), key=lambda pair: (pair[0], pair[1].id))


def urgency(queue: Sequence[Entry]) -> tuple[Lane, float]:
    """Lane and age of what `take` puts first; smaller goes first. Raises ValueError for an empty queue."""
    return min((entry.post.lane, entry.at) for entry in queue)


def take(queue: Sequence[Entry], ladder: Ladder | None = None) -> Batch:
    """The next batch of a non-empty queue; what it does not name stays in the queue."""
    ladder = ladder or Ladder()
    order = ranked(queue)
    lane, first = order[0]
    if first.post.alone:
        return Batch("post", (first,))
    together = [pair for pair in order if not pair[1].post.alone]
    if len(together) > ladder.digest_over and lane > Lane.ANSWER:
        swept = sorted((entry for rank, entry in together if rank > Lane.ANSWER), key=_age)
        return Batch("digest", _within(swept[: ladder.digest_most]))
    entries = [entry for _, entry in together]
    if len(together) > ladder.rollup_over:
        return _rollup(entries)
    return _merge(entries)


def _age(entry: Entry) -> int:
    return entry.id


def _within(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The first entries whose texts fit into one transcript, at least one."""
    sums = accumulate(len(entry.post.text) + len(entry.post.head) + 200 for entry in entries)
    fitting = sum(1 for total in sums if total <= DIGEST_CHARACTERS)
    return tuple(entries[: max(1, fitting)])


def _rollup(entries: Sequence[Entry]) -> Batch:
    taken: list[Entry] = []
    cards = card = characters = 0
    for entry in entries:
        size = shown_size(entry)
        same = bool(taken) and _folds(taken[-1], entry)
        cards, card = (cards, card + size) if same else (cards + 1, size)
        characters += size
        if characters > EMBED_CHARACTERS or card > CARD_MOST or cards > EMBEDS:
            break
        taken.append(entry)
    return Batch("rollup", tuple(taken))


def shown_size(entry: Entry) -> int:
    """Most characters an entry takes in a roll-up, its author's name and small print included."""
    post = entry.post
    return min(len(post.text), card_room(post)) + len(post.persona or BOT) + len(post.head) + 2


def card_room(post: Post) -> int:
    """Characters of its text a post is shown in a roll-up."""
    return ANSWER_CARD if post.lane == Lane.ANSWER else CARD


def _folds(one: Entry, other: Entry) -> bool:
    """Notes of the bot share a card."""
    return one.post.kind == other.post.kind == "note" and one.post.voice == other.post.voice


def _merge(entries: Sequence[Entry]) -> Batch:
    taken = [entries[0]]
    size = _merged_size(entries[0])
    for entry in entries[1:]:
        size += 1 + _merged_size(entry)
        if entry.post.voice != taken[0].post.voice or size > MERGED or _answers_other(entry, taken[-1]):
            break
        taken.append(entry)
    return Batch("merge" if len(taken) > 1 else "post", tuple(taken))


def _merged_size(entry: Entry) -> int:
    return len(entry.post.text) + len(entry.post.head) + 1


def _answers_other(entry: Entry, before: Entry) -> bool:
    """An answer begins a message of its own, so that a reply to it names what it answers."""
    return bool(entry.post.ref) and entry.post.ref != before.post.ref
