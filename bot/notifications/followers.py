"""Build pings to followers as posts (pure): one line, then mentions of followers with a matching mode.

Gate and end messages already mention the owner, who is therefore not mentioned again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.discord.formatting import cut
from bot.notifications.follow_news import news
from bot.outbox.post import Lane, Post
from engine.events import CapReached, Event, GateRaised, TaskEnded

LINE = 900
ROOM, MENTION = 1_800, 24
"""Characters of one post, and of one mention at most: who finds no room in a post is mentioned in another."""


@dataclass(frozen=True, slots=True)
class Followers:
    """Ids of a task's followers, ascending: mode "answers" (urgent events only) and mode "all"."""

    answers: tuple[int, ...] = ()
    everything: tuple[int, ...] = ()


def pings(
    event: Event, group_id: int, owner_id: int, followers_of: Callable[[int], Followers]
) -> tuple[Post, ...]:
    """Return the pings for an event in the place of `group_id`, the root group; none if nobody follows it."""
    told = news(event.body)
    if told is None:
        return ()
    line, modes = cut(told[0], LINE), told[1]
    task_id = event.body.task_id
    followers = followers_of(task_id)
    people = set(followers.everything) | set(followers.answers if "answers" in modes else ())
    if isinstance(event.body, GateRaised | TaskEnded):
        people.discard(owner_id)
    lane = Lane.STATUS if _urgent(event) else Lane.CHATTER
    post = Post(task_id, group_id, event.seq, "ping", lane, line, silent=False)
    in_order, most = sorted(people), (ROOM - len(line)) // MENTION
    chosen = [tuple(in_order[at : at + most]) for at in range(0, len(in_order), most)]
    return tuple(replace(post, text=f"{line}\n-# {_mentions(some)}", pings=some) for some in chosen)


def _mentions(people: Sequence[int]) -> str:
    return " ".join(f"<@{person}>" for person in people)


def _urgent(event: Event) -> bool:
    """Return True if a person has to act; the end is not urgent, its ping follows the end message."""
    body = event.body
    return isinstance(body, GateRaised) or (isinstance(body, CapReached) and body.percent >= 100)
