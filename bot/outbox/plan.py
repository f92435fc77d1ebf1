"""Choose what the next message to a place carries: the outbox ladder (pure).

One post → one persona's lines merged, past others' where that lets all out soon → a roll-up of up to 10
embeds when the channel's budget does not let out soon what waits, one by one → a digest with the transcript
attached when more than 60 wait. What fits into one plain message is never rolled up; nor is little for
having waited long: it only goes oldest first. A long answer to a person is an embed too, so that it comes in
one message. Answers stay to be seen even in a digest, and what must stand alone (gates, the end) does. Pings
to followers that wait together are one message of their own. Posts
of one agent keep their order: an answer takes what its agent said before it along to the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from bot.outbox.post import BOT, Entry, Lane, Post

Shape = Literal["post", "merge", "rollup", "digest"]
Pressure = Literal["none", "overdue", "gather", "roll-up"]

EMBEDS = 10
EMBED_CHARACTERS = 5800
"""Discord allows 6,000 over all embeds of a message; the rest is room for what it counts differently."""

CARD = 560
ANSWER_CARD = 1000
CARD_MOST = 4000
"""Characters in a roll-up for one utterance, for an answer to a person, for several notes in one card.

What is longer is attached whole. Discord allows 4,096 in an embed's text."""

MERGED = 1880
"""Characters of one persona's merged lines: below 2,000 with what sending may add."""

DIGEST_CHARACTERS = 2_000_000
"""Most text in one digest: at 4 bytes a character still below Discord's 10 MiB a file."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rolled up is what cannot go out one by one within `soon_s`, if it is more than a `few` messages.

    More than `digest_over` lines are digested, at most `digest_most` at once. Heads count as `head_bonus_s`
    older; what waits longer than `late_s` is late.
    """

    soon_s: float = 5.0
    few: int = 3
    digest_over: int = 60
    digest_most: int = 1000
    head_bonus_s: float = 2.0
    late_s: float = 6.0

    def scaled(self, by: float) -> Ladder:
        """The same ladder in a world whose time runs `by` times as fast (tests and benchmarks)."""
        return replace(
            self, soon_s=self.soon_s / by, head_bonus_s=self.head_bonus_s / by, late_s=self.late_s / by
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that are sent together, in display order."""

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


def urgency(queue: Sequence[Entry], ladder: Ladder | None = None) -> tuple[bool, float]:
    """Return the sort key of a queue among those of its channel; the smallest is sent first.

    Queues with an answer, a gate or the end go first, then the one that waits longest, heads counting as
    older: so nothing starves. The first value is False for those that may use the limiter's reserve. Raises
    ValueError for an empty queue.
    """
    bonus = (ladder or Ladder()).head_bonus_s
    return min(
        (
            entry.post.lane > Lane.STATUS and entry.post.kind != "end",
            entry.at - (bonus if entry.post.lane == Lane.HEAD else 0.0),
        )
        for entry in queue
    )


def weight(queue: Sequence[Entry]) -> int:
    """Return how many lines and cards a queue makes: one per message and per run of notes."""
    return sum(1 for before, entry in pairwise([None, *queue]) if not _folds(before, entry))


def messages(queue: Sequence[Entry], gathered: bool = False, most: int = 1000) -> int:
    """Return how many messages a queue makes, counted up to `most` + 1.

    Each persona's lines in a row are merged; `gathered`: also those between which others speak.
    """
    left = [entry for _, entry in ranked(queue) if not entry.post.alone]
    count = len(queue) - len(left)
    while left and count <= most:
        gone = {entry.id for entry in _merge(left, gathered).entries}
        count, left = count + 1, [entry for entry in left if entry.id not in gone]
    return count


def pressure(
    queues: Sequence[Sequence[Entry]], room: int, now: float, ladder: Ladder | None = None
) -> Pressure:
    """What it takes to get the queues of one channel out soon; `room` is how many messages go in `soon_s`.

    Where something waits too long: "overdue" when all goes out easily nevertheless (the place came late,
    or Discord was away). A few messages are no flood: they are gathered at most, half as many when they are
    late. `now` is unix time. "none" for no queues.
    """
    ladder = ladder or Ladder()
    late = any(now - entry.at > ladder.late_s for queue in queues for entry in queue)
    most = max(room, ladder.few)
    count = sum(messages(queue, most=most) for queue in queues)
    if count <= (room // 2 if late else room):
        return "overdue" if late else "none"
    gathered = sum(messages(queue, gathered=True, most=most) for queue in queues)
    return "gather" if gathered <= (ladder.few // 2 if late else most) else "roll-up"


def take(
    queue: Sequence[Entry], waiting: int = 0, pressure: Pressure = "none", ladder: Ladder | None = None
) -> Batch:
    """The next batch of a non-empty queue; what it does not name stays in the queue.

    `waiting` is the `weight` of all that waits for the same channel's budget, this queue's included;
    `pressure` is what is needed there.
    """
    ladder = ladder or Ladder()
    waiting = max(waiting, weight(queue))
    order = ranked(queue)
    if pressure == "overdue":
        order.sort(key=lambda pair: (pair[0] != Lane.ANSWER, pair[1].id))
    lane, first = order[0]
    if first.post.kind == "ping":
        return _merge([entry for _, entry in order if entry.post.kind == "ping"])
    if first.post.alone:
        return Batch("post", (first,))
    together = [pair for pair in order if not pair[1].post.alone]
    if waiting > ladder.digest_over and len(together) > EMBEDS:
        return _digest(together, ladder)
    plainly = _merge([entry for _, entry in together], gathered=pressure in ("gather", "roll-up"))
    pressed, long = pressure == "roll-up", _merged_size(first) > MERGED
    if len(plainly.entries) == len(together) and not long:
        return plainly
    if (pressed and len(together) > 1) or (long and (pressed or lane == Lane.ANSWER)):
        rolled = _rollup([entry for _, entry in together])
        answers = sum(entry.post.lane == Lane.ANSWER for _, entry in together)
        shown = sum(entry.post.lane == Lane.ANSWER for entry in rolled.entries)
        return rolled if shown == answers else _digest(together, ladder)
    return plainly


def _age(entry: Entry) -> int:
    return entry.id


def _digest(ranks: Sequence[tuple[Lane, Entry]], ladder: Ladder) -> Batch:
    """Return a digest of as many entries as fit: answers as embeds, the rest in one transcript.

    After an answer that does not fit nothing more of its agent is taken.
    """
    taken: list[Entry] = []
    late: set[int | None] = set()
    shown = attached = answers = 0
    for entry in sorted((entry for _, entry in ranks), key=_age)[: ladder.digest_most]:
        post = entry.post
        answer = post.lane == Lane.ANSWER
        fits = shown + shown_size(entry) <= EMBED_CHARACTERS and answers < EMBEDS if answer else True
        if post.agent_id in late or not fits:
            late.add(post.agent_id)
            continue
        attached += len(post.text) + len(post.head) + 200
        if attached > DIGEST_CHARACTERS and taken:
            break
        shown, answers = (shown + shown_size(entry), answers + 1) if answer else (shown, answers)
        taken.append(entry)
    return Batch("digest", tuple(taken))


def _rollup(entries: Sequence[Entry]) -> Batch:
    """Return a roll-up of the most urgent entries that fit, in event order if they fit in that order."""
    taken = entries[: _fitting(entries)]
    told = sorted(taken, key=_age)
    return Batch("rollup", tuple(told if _fitting(told) == len(told) else taken))


def _fitting(entries: Sequence[Entry]) -> int:
    """Return how many entries, from the first, fit into the embeds of one message; at least 1."""
    cards = card = characters = 0
    for index, entry in enumerate(entries):
        size = shown_size(entry)
        same = _folds(entries[index - 1] if index else None, entry)
        cards, card = (cards, card + size) if same else (cards + 1, size)
        characters += size
        if characters > EMBED_CHARACTERS or card > CARD_MOST or cards > EMBEDS:
            return max(1, index)
    return len(entries)


def shown_size(entry: Entry) -> int:
    """Return the maximum characters of an entry in a roll-up, with author's name and small print."""
    post = entry.post
    return min(len(post.text), card_room(post)) + len(post.persona or BOT) + len(post.head) + 2


def card_room(post: Post, spare: int = 0) -> int:
    """Return how many characters of a post's text an embed shows; `spare` is unused room of others."""
    return min(CARD_MOST, (ANSWER_CARD if post.lane == Lane.ANSWER else CARD) + spare)


def spare_room(entries: Sequence[Entry]) -> int:
    """Return the additional characters that each entry may use, from the room left in the embeds."""
    return max(0, EMBED_CHARACTERS - sum(map(shown_size, entries))) // max(1, len(entries))


def _folds(one: Entry | None, other: Entry | None) -> bool:
    """Return True if both are notes of one voice, which share a card."""
    if one is None or other is None:
        return False
    return one.post.kind == other.post.kind == "note" and one.post.voice == other.post.voice


def _merge(entries: Sequence[Entry], gathered: bool = False) -> Batch:
    """The first one's lines, up to where another voice speaks; `gathered`: past others, agents in order."""
    taken, passed = [entries[0]], set[int | None]()
    size = _merged_size(entries[0])
    for entry in entries[1:]:
        if entry.post.voice != taken[0].post.voice or entry.post.agent_id in passed:
            if not gathered:
                break
            passed.add(-1 if entry.post.agent_id is None else entry.post.agent_id)
            continue
        size += 1 + _merged_size(entry)
        if size > MERGED or _answers_other(entry, taken[-1]):
            break
        taken.append(entry)
    return Batch("merge" if len(taken) > 1 else "post", tuple(sorted(taken, key=_age)))


def _merged_size(entry: Entry) -> int:
    return len(entry.post.text) + len(entry.post.head) + 1


def _answers_other(entry: Entry, before: Entry) -> bool:
    """Return True if `entry` answers another message; such an answer starts a new Discord message."""
    return bool(entry.post.ref) and entry.post.ref != before.post.ref
