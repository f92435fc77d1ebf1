"""A batch as messages: pure, and never over Discord's limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bot import digests
from bot.outbox import wording
from bot.outbox.plan import EMBEDS, Batch, card_room
from bot.outbox.post import BOT, Card, Entry, Post, TextFile, Wire
from bot.outbox.split import MESSAGE, closed, excerpt, split

PART = MESSAGE - 120
"""Room for what the bot's voice puts in front of a persona's words, and for a note under them."""

NOTHING = "…"
"""Shown for a text of which nothing can be seen."""

PARTS = 4
"""A text that needs more messages than this is shown in part and attached whole."""

VOICES = 12
"""Names listed in a digest's one line."""


def compose(batch: Batch, place: str) -> tuple[Wire, ...]:
    """The messages that carry `batch`, in order; `place` names the group (author of roll-ups)."""
    posts = [entry.post for entry in batch.entries]
    if batch.shape == "digest":
        return (_digest(batch.entries, place),)
    if batch.shape == "rollup":
        return (_rollup(batch.entries, place),)
    return _messages(posts)


def _messages(posts: Sequence[Post]) -> tuple[Wire, ...]:
    first = posts[0]
    text = _joined(posts)
    parts = split(text, PART) or [NOTHING]
    texts: tuple[TextFile, ...] = ()
    if len(parts) > PARTS:
        parts = [f"{excerpt(text, PART)}\n{wording.ATTACHED}"]
        texts = (TextFile(wording.WHOLE_FILE, text),)
    silent = all(post.silent for post in posts)
    wires = [Wire(first.task_id, first.group_id, first.persona, first.face, part) for part in parts]
    wires[0] = replace(wires[0], texts=texts, pings=_pings(posts), silent=silent)
    wires[-1] = replace(wires[-1], gate_id=first.gate_id, options=first.options)
    if first.files:
        files = Wire(first.task_id, first.group_id, first.persona, first.face, wording.END_FILES)
        wires.append(replace(files, files=first.files))
    return tuple(wires)


def _joined(posts: Sequence[Post]) -> str:
    lines = []
    for _, run in groupby(posts, key=lambda post: post.fold or id(post)):
        same = list(run)
        head = f"{same[0].head}\n" if same[0].head else ""
        lines.append(closed(head + ", ".join([same[0].text, *(post.folded for post in same[1:])])))
    return "\n".join(lines)


def _pings(posts: Iterable[Post]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ping for post in posts for ping in post.pings))


def _rollup(entries: Sequence[Entry], place: str) -> Wire:
    posts = [entry.post for entry in entries]
    cards = [_card(list(run)) for _, run in groupby(posts, key=_card_key)]
    cut = [entry for entry in entries if len(entry.post.text) > card_room(entry.post)]
    texts = (_transcript(cut),) if cut else ()
    content = wording.ROLLUP.format(count=len(posts))
    pings = _pings(posts)
    if pings:
        content = f"{content} · {' '.join(f'<@{ping}>' for ping in pings[:20])}"
    silent = all(post.silent for post in posts)
    first = posts[0]
    return Wire(
        first.task_id,
        first.group_id,
        place,
        "",
        content,
        cards=tuple(cards[:EMBEDS]),
        texts=texts,
        pings=pings[:20],
        silent=silent,
    )


def _card_key(post: Post) -> object:
    return post.voice if post.kind == "note" else id(post)


def _card(posts: Sequence[Post]) -> Card:
    first = posts[0]
    head = f"{first.head}\n" if first.head and len(posts) == 1 else ""
    text = _joined(posts) if len(posts) > 1 else head + (excerpt(first.text, card_room(first)) or NOTHING)
    return Card(first.persona or BOT, first.face, text)


def _digest(entries: Sequence[Entry], place: str) -> Wire:
    voices = Counter(entry.post.persona or BOT for entry in entries).most_common()
    names = ", ".join(f"{name} {count}" for name, count in voices[:VOICES])
    if len(voices) > VOICES:
        names += wording.AND_MORE.format(count=len(voices) - VOICES)
    content = excerpt(wording.DIGEST.format(count=len(entries), voices=names), MESSAGE)
    first = entries[0].post
    return Wire(first.task_id, first.group_id, place, "", content, texts=(_transcript(entries),))


def _transcript(entries: Sequence[Entry]) -> TextFile:
    lines = [digests.line_of(entry.post, entry.at) for entry in entries]
    title = wording.DIGEST_TITLE.format(count=len(lines))
    return TextFile(wording.TRANSCRIPT_FILE, digests.markdown(lines, title))
