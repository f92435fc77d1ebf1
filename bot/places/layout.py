"""Decide which group gets a channel and which a thread (pure). A placed group never moves.

The first 10 groups get a channel each. After that only the root and groups led from the root (depth <= 1)
do, up to 20 channels; the rest are public threads in the channel of their head's group, on its webhook.
Deeper groups take the channels that are left once 80 threads exist, so 100 groups of any shape fit into 20
channels, 20 webhooks and 80 threads. Discord allows 500 channels a guild, 50 a category, 1,000 open
threads a guild: whether there is room is for its error to say (`channels_full`), never for a count of ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

FREELY = 10
CHANNELS = 20
THREADS = 80
LONGEST = 100
SIGNS = 3
"""Characters of a channel's or thread's name (Discord's rule)."""

ORIGIN = 0
"""Host of threads in the task's origin, the channel where it was started."""


@dataclass(frozen=True, slots=True)
class Group:
    """What placing needs of a group; parents are placed before their children."""

    id: int
    parent_id: int | None
    depth: int


@dataclass(frozen=True, slots=True)
class Placement:
    """A channel of its own, or a thread in the channel of group `host_id` (ORIGIN: the task's origin)."""

    kind: Literal["channel", "thread"]
    host_id: int = ORIGIN


def place(group: Group, placed: Mapping[int, Placement], channels_full: bool = False) -> Placement:
    """Return the placement of `group`, given the task's groups placed before it."""
    channels = sum(1 for each in placed.values() if each.kind == "channel")
    threads = len(placed) - channels
    room = channels < CHANNELS and not channels_full
    wanted = channels < FREELY or group.depth <= 1 or threads >= THREADS
    if room and wanted:
        return Placement("channel")
    return Placement("thread", host(group.parent_id, placed))


def host(parent_id: int | None, placed: Mapping[int, Placement]) -> int:
    """Return the group whose channel holds the threads of `parent_id`'s children; ORIGIN if none."""
    if parent_id is None or parent_id not in placed:
        return ORIGIN
    above = placed[parent_id]
    return parent_id if above.kind == "channel" else above.host_id


def _slug(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+|_", "-", folded).strip("-")[:LONGEST].strip("-")


def place_name(name: str, taken: Collection[str] = ()) -> str:
    """Return a name for a channel or thread: lower case, dashes, 1 to 100 characters, not in `taken`.

    Letters and digits of any script stay; a name of signs alone (emoji) becomes what Unicode calls them.
    Nothing in it can mention, link or format.
    """
    signs = [unicodedata.name(sign, "") for sign in name if unicodedata.category(sign).startswith("S")]
    slug = _slug(name) or _slug(" ".join(signs[:SIGNS])) or "group"
    if slug not in taken:
        return slug
    numbered = (f"{slug[: LONGEST - 5].rstrip('-')}-{n}" for n in range(2, 10_000))
    return next(each for each in numbered if each not in taken)
