"""Compose the messages of a batch, within Discord's limits (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.outbox import transcripts
from bot.outbox.plan import Batch, rooms, runs
from bot.outbox.post import BOT, EmbedCard, Entry, Lane, OutgoingMessage, Post, TextFile
from bot.outbox.split import MESSAGE, closed, excerpt, split
from bot.texts import outbox as wording

PART = MESSAGE - 120
"""Leaves room for the persona's name in front of the text and a note below it."""

NOTHING = "…"
"""Shown for a text without visible characters."""

PARTS = 2
END_PARTS = 4
"""A text that needs more messages (`END_PARTS` for a final report) is cut and attached as a file."""

PLAN_MOST = 3_000
"""Characters of a plan: with its people and what its buttons lead to it stays below Discord's 6,000."""

VOICES = 12
PINGS = 15
"""Most names listed in a digest's line; most people pinged by one message."""


def compose(batch: Batch, place: str) -> tuple[OutgoingMessage, ...]:
    """Return the messages that carry `batch`, in order; `place` is the group's name (author of roll-ups)."""
    posts = [entry.post for entry in batch.entries]
    if batch.shape == "digest":
        return (_digest(batch.entries, place),)
    if batch.shape == "rollup":
        return (_rollup(batch.entries, place),)
    return _messages(posts)


def _messages(posts: Sequence[Post]) -> tuple[OutgoingMessage, ...]:
    first = posts[0]
    text = _joined(posts)
    parts = split(text, PART) or [NOTHING]
    texts: tuple[TextFile, ...] = ()
    if len(parts) > (END_PARTS if first.kind == "end" else PARTS):
        parts = [f"{excerpt(text, PART)}\n{wording.ATTACHED}"]
        texts = (TextFile(wording.WHOLE_FILE, text),)
    silent = all(post.silent for post in posts)
    wires = [
        OutgoingMessage(first.task_id, first.group_id, first.persona, first.face, part) for part in parts
    ]
    if first.channel_id:
        wires = [replace(wire, channel_id=first.channel_id, guild_id=first.guild_id) for wire in wires]
    roles = tuple(dict.fromkeys(role for post in posts for role in post.roles))
    wires[0] = replace(wires[0], texts=texts, pings=_pings(posts), silent=silent, roles=roles)
    wires[0] = replace(wires[0], pin=any(post.pin for post in posts))
    wires[-1] = replace(wires[-1], gate_id=first.gate_id, cards=_plan_cards(first))
    if first.files:
        files = OutgoingMessage(first.task_id, first.group_id, first.persona, first.face, wording.END_FILES)
        wires.append(replace(files, files=first.files))
    if first.attached:
        runs = TextFile(wording.RUNS_FILE, first.attached)
        wires[-1] = replace(wires[-1], texts=(*wires[-1].texts, runs))
    wires[-1] = replace(wires[-1], ended=first.kind == "end", notice=first.notice, continues=first.continues)
    return tuple(wires)


def _plan_cards(post: Post) -> tuple[EmbedCard, ...]:
    """Return the plan, then the people it means to recruit, each with its face."""
    if not post.card:
        return ()
    return (EmbedCard(wording.PLAN_TITLE, "", excerpt(post.card, PLAN_MOST)), *post.people)


def with_explanation(wires: Sequence[OutgoingMessage], explanation: str) -> tuple[OutgoingMessage, ...]:
    """Return a question's messages with what its buttons lead to: in a card after a plan's, below its words,
    or with the buttons in a message of its own where there is no room below."""
    *before, asking = wires
    if asking.cards:
        choices = EmbedCard(wording.PLAN_CHOICES, "", explanation, until_closed=True)
        return (*before, replace(asking, cards=(*asking.cards, choices)))
    if len(asking.content) + 1 + len(explanation) <= PART:
        return (*before, replace(asking, content=f"{asking.content}\n{explanation}"))
    alone = OutgoingMessage(asking.task_id, asking.group_id, asking.persona, asking.face, explanation)
    return (*before, replace(asking, gate_id=None), replace(alone, gate_id=asking.gate_id))


def _joined(posts: Sequence[Post]) -> str:
    lines = []
    for post in posts:
        head = f"{post.head}\n" if post.head else ""
        lines += [part for part in (closed(head + post.text), post.foot) if part]
    return "\n".join(lines)


def _pings(posts: Iterable[Post]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ping for post in posts for ping in post.pings))


def _rollup(entries: Sequence[Entry], place: str) -> OutgoingMessage:
    shown = rooms(entries)
    cut = [entry for entry, room in zip(entries, shown, strict=True) if len(entry.post.text) > room]
    texts = (_transcript(cut),) if cut else ()
    content = wording.ROLLUP.format(count=len(entries)) if len(entries) > 1 else ""
    return _embed_message(entries, place, content, texts)


def _digest(entries: Sequence[Entry], place: str) -> OutgoingMessage:
    voices = Counter(entry.post.persona or BOT for entry in entries).most_common()
    names = ", ".join(f"{name} {count}" for name, count in voices[:VOICES])
    if len(voices) > VOICES:
        names += wording.AND_MORE.format(count=len(voices) - VOICES)
    content = excerpt(wording.DIGEST.format(count=len(entries), voices=names), PART - 500)
    answers = [entry for entry in entries if entry.post.lane == Lane.ANSWER]
    return _embed_message(answers, place, content, (_transcript(entries),), entries[0].post)


def _embed_message(
    entries: Sequence[Entry],
    place: str,
    content: str,
    texts: tuple[TextFile, ...],
    first: Post | None = None,
) -> OutgoingMessage:
    """Build a message of embeds under the group's name; only answers to people ping and notify."""
    posts = [entry.post for entry in entries]
    first = first or posts[0]
    left = iter(rooms(entries))
    cards = tuple(_card([(each.post, next(left)) for each in run]) for run in runs(entries))
    pings = _pings(posts)[:PINGS]
    if pings:
        content = f"{content} {' '.join(f'<@{ping}>' for ping in pings)}".strip()
    silent = all(post.silent for post in posts)
    alone = len({post.voice for post in posts}) == 1 and first.persona and first is posts[0]
    name, face = (first.persona, first.face) if alone else (place, "")
    wire = OutgoingMessage(first.task_id, first.group_id, name, face, content)
    return replace(wire, cards=cards, texts=texts, pings=pings, silent=silent)


def _card(shown: Sequence[tuple[Post, int]]) -> EmbedCard:
    """Return the embed of some posts, each cut at its room."""
    first = shown[0][0]
    posts = [replace(post, text=excerpt(post.text, room) or NOTHING) for post, room in shown]
    return EmbedCard(first.persona or BOT, first.face, _joined(posts))


def _transcript(entries: Sequence[Entry]) -> TextFile:
    lines = [transcripts.line_of(entry.post, entry.at) for entry in entries]
    title = wording.DIGEST_TITLE.format(count=len(lines))
    return TextFile(wording.TRANSCRIPT_FILE, transcripts.markdown(lines, title))
