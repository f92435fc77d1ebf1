"""Choose what the next message to a place carries: the outbox ladder (pure).

One post → one persona's consecutive lines merged → a roll-up of up to 10 embeds when the channel's budget
does not let out soon what waits, one by one → a digest with the transcript attached when more than 60 wait.
What fits into one plain message is never rolled up, nor are a few messages. A long answer to a person is an
embed too, so that it comes in one message. Answers stay to be seen even in a digest, and what must stand
alone (gates, the end) does.

A place shows everything in the order in which it happened: a question never stands above the words that led
to it. How urgent a post is decides only which place of a channel is served first, and what is shown of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import Literal

from bot.outbox.post import BOT, Entry, Lane, Post

Shape = Literal["post", "merge", "rollup", "digest"]
Pressure = Literal["none", "roll-up"]

EMBEDS = 10
EMBED_CHARACTERS = 5800
"""Discord allows 6,000 over all embeds of a message; the rest is room for what it counts differently."""

CARD = 560
ANSWER_CARD = 1000
CARD_MOST = 4000
"""Characters in a roll-up for one utterance, for an answer to a person, for several notes in one card.

What is longer is attached whole. Discord allows 4,096 in an embed's text."""

PINGS = 15
"""Most pings to followers that wait for each other."""

MERGED = 1880
"""Characters of one persona's merged lines: below 2,000 with what sending may add."""

DIGEST_CHARACTERS = 2_000_000
"""Most text in one digest: at 4 bytes a character still below Discord's 10 MiB a file."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rolled up is what cannot go out one by one within `soon_s`, if it is more than a `few` messages.

    Where somebody waits for an answer behind other lines, within `answer_s`, however few they are.
    More than `digest_over` lines are digested, at most `digest_most` at once. Heads count as `head_bonus_s`
    older; what waits longer than `late_s` is late.
    """

    soon_s: float = 5.0
    answer_s: float = 1.5
    few: int = 3
    digest_over: int = 60
    digest_most: int = 1000
    head_bonus_s: float = 2.0
    late_s: float = 6.0

    def scaled(self, by: float) -> Ladder:
        """The same ladder in a world whose time runs `by` times as fast (tests and benchmarks)."""
        return replace(
            self,
            soon_s=self.soon_s / by,
            answer_s=self.answer_s / by,
            head_bonus_s=self.head_bonus_s / by,
            late_s=self.late_s / by,
        )

    def horizon(self, queues: Sequence[Sequence[Entry]]) -> float:
        """Return the seconds within which what waits in one channel should be out."""
        return self.answer_s if _answer_waits(queues) else self.soon_s


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that are sent together, in display order."""

    shape: Shape
    entries: tuple[Entry, ...]


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


def messages(queue: Sequence[Entry], most: int = 1000) -> int:
    """Return how many messages a queue makes, each persona's consecutive lines merged; at most `most` + 1."""
    left, count = sorted(queue, key=_age), 0
    while left and count <= most:
        first = left[0]
        taken = 1 if first.post.alone else len(_merge(_run(left)).entries)
        count, left = count + 1, left[taken:]
    return count


def pressure(
    queues: Sequence[Sequence[Entry]], room: int, now: float, ladder: Ladder | None = None
) -> Pressure:
    """Return whether the queues of one channel must be rolled up to get out soon.

    `room` is how many messages go within `Ladder.horizon`, `now` is unix time. A few messages are no flood;
    of what waits too long already, only half as many go one by one.
    """
    ladder = ladder or Ladder()
    late = any(now - entry.at > ladder.late_s for queue in queues for entry in queue)
    few = 1 if _answer_waits(queues) else ladder.few
    most = max(room, few) // 2 if late else max(room, few)
    count = sum(messages(queue, most=most) for queue in queues)
    return "none" if count <= most else "roll-up"


def take(
    queue: Sequence[Entry], waiting: int = 0, pressure: Pressure = "none", ladder: Ladder | None = None
) -> Batch:
    """The next batch of a non-empty queue, always its oldest entries; the rest stays in the queue.

    `waiting` is the `weight` of all that waits for the same channel's budget, this queue's included;
    `pressure` is what is needed there.
    """
    ladder = ladder or Ladder()
    order = _gathered(queue)
    first = order[0]
    if first.post.kind == "ping":
        return _merge(order[:PINGS])
    if first.post.alone:
        return Batch("post", (first,))
    together = _run(order)
    if max(waiting, weight(order)) > ladder.digest_over and len(together) > EMBEDS:
        return _digest(together, ladder)
    plainly, pressed, long = _merge(together), pressure == "roll-up", _merged_size(first) > MERGED
    if len(plainly.entries) == len(together) and not long:
        return plainly
    if pressed and (len(together) > 1 or long):
        rolled = _rollup(together)
        return rolled if _answers(rolled.entries) == _answers(together) else _digest(together, ladder)
    return Batch("rollup", (first,)) if long and first.post.lane == Lane.ANSWER else plainly


def _gathered(queue: Sequence[Entry]) -> list[Entry]:
    """Return the queue by age; pings wait for what stands before the last one, and go together."""
    order = sorted(queue, key=_age)
    pings = [entry for entry in order if entry.post.kind == "ping"][:PINGS]
    if not pings:
        return order
    before = [entry for entry in order if entry.post.kind != "ping" and entry.id < pings[-1].id]
    return before or pings


def _answer_waits(queues: Sequence[Sequence[Entry]]) -> bool:
    """Return True if an answer to a person stands behind other posts."""
    return any(entry.post.lane == Lane.ANSWER for queue in queues for entry in queue[1:])


def _run(order: Sequence[Entry]) -> list[Entry]:
    """Return the first entries that may share a message: those before the first that stands alone."""
    return list(takewhile(lambda entry: not entry.post.alone, order))


def _answers(entries: Sequence[Entry]) -> int:
    return sum(entry.post.lane == Lane.ANSWER for entry in entries)


def _age(entry: Entry) -> int:
    return entry.id


def _digest(entries: Sequence[Entry], ladder: Ladder) -> Batch:
    """Return a digest of the oldest entries: answers as embeds, the rest in one transcript."""
    taken: list[Entry] = []
    shown = attached = answers = 0
    for entry in entries[: ladder.digest_most]:
        if entry.post.lane == Lane.ANSWER:
            shown, answers = shown + shown_size(entry), answers + 1
        attached += len(entry.post.text) + len(entry.post.head) + len(entry.post.foot) + 200
        full = shown > EMBED_CHARACTERS or answers > EMBEDS or attached > DIGEST_CHARACTERS
        if full and taken:
            break
        taken.append(entry)
    return Batch("digest", tuple(taken))


def _rollup(entries: Sequence[Entry]) -> Batch:
    """Return a roll-up of the oldest entries that fit."""
    return Batch("rollup", tuple(entries[: _fitting(entries)]))


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
    shown = min(len(post.text), card_room(post)) + len(post.head) + len(post.foot)
    return shown + len(post.persona or BOT) + 3


def card_room(post: Post) -> int:
    """Return how many characters of a post's text an embed shows at least."""
    return ANSWER_CARD if post.lane == Lane.ANSWER else CARD


def rooms(entries: Sequence[Entry]) -> list[int]:
    """Return how many characters of each entry's text its embed shows, small print beside it counted.

    What is left in the message, and in the card that an entry shares with others, is given out evenly.
    """
    spare = max(0, EMBED_CHARACTERS - sum(map(shown_size, entries))) // max(1, len(entries))
    found: list[int] = []
    for run in runs(entries):
        left = max(0, CARD_MOST - sum(map(shown_size, run))) // len(run)
        found += [card_room(entry.post) + min(spare, left) for entry in run]
    return found


def runs(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries by the embeds that show them: notes of one voice in a row share one."""
    found: list[list[Entry]] = []
    for before, entry in pairwise([None, *entries]):
        if entry is not None:
            found[-1].append(entry) if _folds(before, entry) else found.append([entry])
    return found


def _folds(one: Entry | None, other: Entry | None) -> bool:
    """Return True if both are notes of one voice, which share a card."""
    if one is None or other is None:
        return False
    return one.post.kind == other.post.kind == "note" and one.post.voice == other.post.voice


def _merge(entries: Sequence[Entry]) -> Batch:
    """Return the first voice's lines, up to where another one speaks."""
    taken, size = [entries[0]], _merged_size(entries[0])
    for entry in entries[1:]:
        size += 1 + _merged_size(entry)
        if entry.post.voice != taken[0].post.voice or size > MERGED or _answers_other(entry, taken[-1]):
            break
        taken.append(entry)
    return Batch("merge" if len(taken) > 1 else "post", tuple(taken))


def _merged_size(entry: Entry) -> int:
    return len(entry.post.text) + len(entry.post.head) + len(entry.post.foot) + 2


def _answers_other(entry: Entry, before: Entry) -> bool:
    """Return True if `entry` answers another message; such an answer starts a new Discord message."""
    return bool(entry.post.ref) and entry.post.ref != before.post.ref
