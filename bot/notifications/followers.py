"""Build pings to followers as posts (pure): one line that mentions followers with a matching mode.

Gate and end messages already mention the owner, who is therefore not mentioned again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.discord.formatting import cut
from bot.notifications.follow_news import news
from bot.outbox.post import Lane, Post
from engine.events import CapReached, Event, GateRaised, TaskEnded

MOST_MENTIONS = 40
LINE = 900


@dataclass(frozen=True, slots=True)
class Followers:
    """Ids of a task's followers, ascending: mode "answers" (urgent events only) and mode "all"."""

    answers: tuple[int, ...] = ()
    everything: tuple[int, ...] = ()


def ping(event: Event, group_id: int, owner_id: int, followers_of: Callable[[int], Followers]) -> Post | None:
    """Return the ping for an event in the place of `group_id` (the root group), None if nobody follows it."""
    told = news(event.body)
    if told is None:
        return None
    line, modes = told
    task_id = event.body.task_id
    followers = followers_of(task_id)
    people = set(followers.everything) | set(followers.answers if "answers" in modes else ())
    if isinstance(event.body, GateRaised | TaskEnded):
        people.discard(owner_id)
    if not people:
        return None
    chosen = tuple(sorted(people)[:MOST_MENTIONS])
    mentions = " ".join(f"<@{person}>" for person in chosen)
    text = f"{cut(line, LINE)}\n-# {mentions}"
    lane = Lane.STATUS if _urgent(event) else Lane.CHATTER
    return Post(task_id, group_id, event.seq, "ping", lane, text, silent=False, pings=chosen)


def _urgent(event: Event) -> bool:
    """Return True if a person has to act; the end is not urgent, its ping follows the end message."""
    body = event.body
    return isinstance(body, GateRaised) or (isinstance(body, CapReached) and body.percent >= 100)
