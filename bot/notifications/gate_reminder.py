"""Build the reminder of an open gate as a post (pure): to the owner, to those who may approve, then to the
administrators' channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.discord.formatting import plain
from bot.outbox.post import Lane, Post
from bot.texts.gates import REMINDER, UNANSWERED, default_means
from engine.events import GateReminded

QUESTION = 500


@dataclass(frozen=True, slots=True)
class Watchers:
    """Whom a server wants to be reminded: roles that may approve, and the administrators' channel.

    `alerts_id` 0: the system channel.
    """

    approvers: tuple[int, ...] = ()
    alerts_id: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a gate is open: the server, the place of its group (0: not known) and the owner to mention."""

    guild_id: int
    place_id: int
    owner_id: int


def reminder(body: GateReminded, seq: int, at: Asked, watchers: Watchers) -> Post:
    """Return the post; administrators read it in their channel, the others where the question is."""
    question = plain(body.question, QUESTION)
    means = default_means(body.kind, body.default)
    due = UNANSWERED.format(due=int(body.due_at), means=means)
    post = Post(body.task_id, body.group_id, seq, "ping", Lane.STATUS, "", silent=False)
    if body.stage == "administrators":
        return _to_administrators(body, post, at, watchers, f"{question}\n{due}")
    roles = watchers.approvers if body.stage == "approvers" else ()
    people = (at.owner_id,) if at.owner_id and not roles else ()
    mentions = [*(f"<@&{role}>" for role in roles), *(f"<@{person}>" for person in people)]
    who = f"{' '.join(mentions)} " if mentions else ""
    text = REMINDER[body.stage].format(who=who, question=f"{question}\n{due}")
    return replace(post, text=text, pings=people, roles=roles)


def _to_administrators(body: GateReminded, post: Post, at: Asked, watchers: Watchers, rest: str) -> Post:
    # No channel has the server's id: without a channel of theirs the post goes to the system channel.
    channel_id = watchers.alerts_id or at.guild_id
    place = f"<#{at.place_id}>" if at.place_id else f"#{body.task_id}"
    text = REMINDER[body.stage].format(task=body.task_id, place=place, question=rest)
    moved = replace(post, group_id=0, kind="note", channel_id=channel_id, guild_id=at.guild_id)
    return replace(moved, text=text)
