"""The ladder: what goes into the next message, and that what comes out is within Discord's limits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.outbox.compose import compose, with_explanation
from bot.outbox.limiter import Limiter
from bot.outbox.plan import EMBEDS, Batch, Ladder, messages, pressure, take
from bot.outbox.post import BOT, EmbedCard, Entry, Lane, OutgoingMessage, Post
from bot.outbox.split import open_fence
from bot.texts import outbox as wording

FILE_LIMIT = 10 * 1024 * 1024

says = st.builds(
    lambda agent, lane, size, mark, small: Post(
        1,
        2,
        0,
        "say",
        lane,
        (mark * size)[:size] or "x",
        persona=f"Agent {agent}",
        face=f"Agent {agent}",
        agent_id=agent,
        head="-# ↪ answering" * (1 + small // 8) if lane == Lane.ANSWER else "",
        foot="-# " + "f" * small if small else "",
        ref="7:8" if lane == Lane.ANSWER else "",
        pings=(5,) if lane == Lane.ANSWER else (),
    ),
    st.integers(1, 6),
    st.sampled_from([Lane.ANSWER, Lane.HEAD, Lane.CHATTER, Lane.CHATTER, Lane.CHATTER]),
    st.integers(1, 5000) | st.integers(1, 120),
    st.sampled_from(["word ", "x", "```py\ncode\n", "line\n", "🙂"]),
    st.just(0) | st.integers(1, 400),
)
notes = st.builds(
    lambda lane, size: Post(1, 2, 0, "note", lane, "n" * size),
    st.sampled_from([Lane.STATUS, Lane.CHATTER]),
    st.integers(1, 700) | st.integers(1, 5000),
)
alone = st.builds(
    lambda kind, size: Post(1, 2, 0, kind, Lane.STATUS if kind == "gate" else Lane.CHATTER, "g" * size),
    st.sampled_from(["gate", "end"]),
    st.integers(1, 9000),
)
QUEUES = st.lists(says | says | notes | alone, min_size=1, max_size=90).map(
    lambda posts: [Entry(i, float(i), replace(post, seq=i)) for i, post in enumerate(posts, 1)]
)


def drained(queue: list[Entry], room: int = 4) -> list[Batch]:
    """Take until nothing is left, in a channel that takes `room` messages soon."""
    batches = []
    while queue:
        batch = take(queue, pressure=pressure([queue], room, queue[0].at))
        batches.append(batch)
        gone = {entry.id for entry in batch.entries}
        queue = [entry for entry in queue if entry.id not in gone]
    return batches


def fits(wire: OutgoingMessage) -> bool:
    """Within every limit Discord has for a message."""
    total = sum(card.size for card in wire.cards)
    return (
        len(wire.content) <= 2000
        and total <= 6000
        and len(wire.cards) <= EMBEDS
        and all(0 < len(card.text) <= 4096 and len(card.author) <= 256 for card in wire.cards)
        and all(len(text.text.encode()) <= FILE_LIMIT for text in wire.texts)
        and bool(wire.content.strip() or wire.cards)
    )


@given(QUEUES)
def test_every_message_fits(queue: list[Entry]) -> None:
    """2,000 characters, 10 embeds of 6,000 together, 10 MiB: never more, whatever waits."""
    for batch in drained(queue):
        for wire in compose(batch, "research"):
            assert fits(wire)
            assert not open_fence(wire.content)


@given(QUEUES)
def test_everything_goes_out_once(queue: list[Entry]) -> None:
    """Each entry is in exactly one batch."""
    ids = [entry.id for batch in drained(queue) for entry in batch.entries]
    assert sorted(ids) == [entry.id for entry in queue]


@given(QUEUES, st.integers(0, 12))
def test_a_place_shows_things_in_the_order_they_happened(queue: list[Entry], room: int) -> None:
    """Nothing overtakes what led to it: no answer, no question, no end, whatever the channel can take."""
    shown = [entry.id for batch in drained(queue, room) for entry in batch.entries]
    assert shown == [entry.id for entry in queue]


pinging = st.lists(says | notes | st.just(Post(1, 2, 0, "ping", Lane.CHATTER, "Done\n-# <@5>", pings=(5,))))


@given(pinging.map(lambda posts: [Entry(i, float(i), post) for i, post in enumerate(posts, 1)]))
def test_a_ping_comes_after_what_it_tells_of(queue: list[Entry]) -> None:
    """Pings may wait for each other; none is lost, and none stands above an earlier post."""
    shown = [entry for batch in drained(queue) for entry in batch.entries]
    assert sorted(e.id for e in shown) == [e.id for e in queue]
    others = [entry.id for entry in shown if entry.post.kind != "ping"]
    assert others == sorted(others)
    for place, entry in enumerate(shown):
        assert entry.post.kind != "ping" or all(later.id > entry.id for later in shown[place + 1 :])


def letters(text: str) -> str:
    """Everything but white space and lines that open or close code."""
    lines = [line for line in text.split("\n") if not line.strip().startswith("```")]
    return "".join("".join(lines).split())


@given(QUEUES)
def test_no_word_is_lost(queue: list[Entry]) -> None:
    """A text that is not shown whole is attached whole."""
    for batch in drained(queue):
        wires = compose(batch, "research")
        shown = letters(
            "\n".join("\n".join([wire.content, *(card.text for card in wire.cards)]) for wire in wires)
        )
        attached = letters("\n".join(text.text for wire in wires for text in wire.texts))
        for entry in batch.entries:
            words = letters(entry.post.text)
            if entry.post.kind in ("say", "note"):
                assert words in shown or words in attached


@given(QUEUES)
def test_answers_and_gates_never_drown(queue: list[Entry]) -> None:
    """An answer's words are seen without opening a file, a gate stands alone."""
    for batch in drained(queue):
        kinds = {entry.post.kind for entry in batch.entries}
        assert not kinds & {"gate", "end"} or len(batch.entries) == 1
        wires = compose(batch, "research")
        shown = letters(
            "\n".join("\n".join([wire.content, *(card.text for card in wire.cards)]) for wire in wires)
        )
        for entry in batch.entries:
            if entry.post.lane == Lane.ANSWER:
                assert letters(entry.post.text[:500]).rstrip("`") in shown


@given(QUEUES)
def test_nobody_is_pinged_by_chatter(queue: list[Entry]) -> None:
    """Only posts that say so ping, and a message that pings is not silent."""
    for batch in drained(queue):
        asked = {ping for entry in batch.entries for ping in entry.post.pings}
        assert {ping for wire in compose(batch, "research") for ping in wire.pings} <= asked


def say(agent: int, text: str, lane: Lane = Lane.CHATTER) -> Post:
    """A short utterance."""
    return Post(1, 2, 0, "say", lane, text, persona=f"A{agent}", agent_id=agent)


def queue_of(*posts: Post) -> list[Entry]:
    """Entries in order."""
    return [Entry(i, float(i), post) for i, post in enumerate(posts, 1)]


def test_ladder() -> None:
    """One, one persona's lines, a roll-up where it is crowded, a digest above 60."""
    assert take(queue_of(say(1, "a"))).shape == "post"
    assert [e.id for e in take(queue_of(say(1, "a"), say(1, "b"), say(2, "c"))).entries] == [1, 2]
    six = queue_of(*(say(i, "a") for i in range(6)))
    assert take(six).shape == "post"
    assert take(six, pressure="roll-up").shape == "rollup"
    many = queue_of(*(say(i, "a") for i in range(61)))
    assert take(many).shape == "digest" and len(take(many).entries) == 61
    assert len(take(many, ladder=Ladder(digest_most=10)).entries) == 10


def test_a_small_team_speaks_one_by_one() -> None:
    """Six personas' first words in a quiet channel come as themselves, within seconds."""
    first = queue_of(*(say(i, "hello") for i in range(6)))
    room = Limiter().room(1, 0.0, Ladder().soon_s)
    assert pressure([first], room, now=first[-1].at) == "none"
    assert [batch.shape for batch in drained(first, room)] == ["post"] * 6


def test_pressure_is_more_than_goes_out_soon_or_too_late() -> None:
    """Messages count, not lines: one persona's merge. A few are no flood, nor is what goes out at once."""
    lines = queue_of(*(say(1, "line") for _ in range(9)))
    assert messages(lines) == 1
    assert pressure([lines], room=1, now=1.0) == "none"
    few = queue_of(*(say(i, "hello") for i in range(Ladder().few)))
    many = queue_of(*(say(i, "hello") for i in range(Ladder().few + 1)))
    assert [pressure([each], room=1, now=1.0) for each in (few, many)] == ["none", "roll-up"]
    late = many[-1].at + Ladder().late_s
    assert [pressure([each], room=2, now=late) for each in (few, many)] == ["roll-up", "roll-up"]
    assert [pressure([each], room=20, now=late) for each in (few, many)] == ["none", "none"]
    assert pressure([few[:1]], room=1, now=late) == "none"
    assert pressure([], room=0, now=0.0) == "none"


def note(text: str, lane: Lane = Lane.CHATTER) -> Post:
    """A line in the bot's voice."""
    return Post(1, 2, 0, "note", lane, text)


def test_few_lines_that_waited_long_come_plainly() -> None:
    """Two lines of the bot whose place took half a minute are one plain message, never a roll-up."""
    lines = queue_of(note("Ada joined"), note("Ada added a file"))
    room = Limiter().room(1, 0.0, Ladder().soon_s)
    press = pressure([lines], room, now=40.0)
    batch = take(lines, pressure=press)
    (wire,) = compose(batch, "headquarters")
    assert (wire.persona, wire.content, wire.cards) == ("", "Ada joined\nAda added a file", ())
    assert take(lines, pressure="roll-up").shape == "merge"


def test_a_gate_waits_for_the_words_that_led_to_it() -> None:
    """A plan's card stands below the message that explains it, findings above the question."""
    gate = replace(note("Do you approve this plan?", Lane.STATUS), kind="gate", gate_id=1)
    batches = drained(queue_of(say(1, "three chapters"), gate, say(2, "later")))
    assert [batch.entries[0].id for batch in batches] == [1, 2, 3]
    crowd = queue_of(*(say(i, "a") for i in range(9)), gate)
    assert [e.id for e in take(crowd, pressure="roll-up").entries] == list(range(1, 10))


def test_an_answer_behind_many_lines_is_seen_at_once() -> None:
    """What came before it is digested, so that an answer neither waits nor overtakes."""
    crowd = queue_of(*(say(i, "word " * 100) for i in range(30)), say(9, "the answer", Lane.ANSWER))
    batch = take(crowd, pressure="roll-up")
    assert batch.shape == "digest" and batch.entries[-1].post.text == "the answer"


def answers(entry: Entry) -> bool:
    """Whether it answers a person."""
    return entry.post.lane == Lane.ANSWER


@given(QUEUES)
def test_messages_is_what_goes_out_one_by_one(queue: list[Entry]) -> None:
    """The count is of the batches taken where there is room for all (long answers become cards)."""
    if len(queue) <= Ladder().digest_over:
        batches, left = 0, queue
        while left and not (any(answers(e) for e in left) and any(len(e.post.text) > 1800 for e in left)):
            gone = {entry.id for entry in take(left).entries}
            batches, left = batches + 1, [entry for entry in left if entry.id not in gone]
        assert batches == messages(queue) - messages(left)


def test_notes_too_long_for_one_card_are_cut_in_it_and_attached() -> None:
    """An embed holds 4,096 characters, however many notes stand in it."""
    posts = [Post(1, 2, 0, "note", Lane.STATUS, "n" * 3500), Post(1, 2, 0, "note", Lane.STATUS, "m" * 3500)]
    (wire,) = compose(take(queue_of(*posts), pressure="roll-up"), "research")
    assert fits(wire) and len(wire.cards) == 1
    assert all(post.text in wire.texts[0].text for post in posts)


def test_a_long_answer_leaves_room_for_its_small_print() -> None:
    """The card of one answer holds whom it answers and what its agent did, too."""
    head = "\n".join(["-# ↪ in reply to somebody" + "x" * 200] * 3)
    answer = replace(say(1, "words " * 900, Lane.ANSWER), head=head, foot="-# wrote" + " it" * 130, ref="7:8")
    (wire,) = compose(take(queue_of(answer)), "research")
    assert fits(wire) and len(wire.cards[0].text) > 3_900
    assert wire.cards[0].text.endswith(answer.foot)


def test_what_buttons_lead_to_is_never_cut() -> None:
    """Below a question where there is room, else with the buttons in a message of its own."""
    for size in range(1, 6000, 97):
        gate = replace(alone_gate(size), gate_id=9, pings=(5,), persona="Ada", face="Ada")
        (entry,) = queue_of(gate)
        wires = with_explanation(compose(Batch("post", (entry,)), "research"), "-# **Yes**: it is made." * 20)
        assert all(map(fits, wires))
        assert wires[-1].content.endswith("-# **Yes**: it is made." * 20)
        assert [wire.gate_id for wire in wires] == [None] * (len(wires) - 1) + [9]
        assert wires[0].pings == (5,) and not any(wire.pings for wire in wires[1:])


def alone_gate(size: int) -> Post:
    """A question of some length."""
    return Post(1, 2, 0, "gate", Lane.STATUS, "g" * size)


def test_rollup_names_the_personas() -> None:
    """Each embed has its persona as author, notes the bot."""
    posts = [*(say(i, f"text {i}") for i in range(5)), Post(1, 2, 0, "note", Lane.CHATTER, "note")]
    (wire,) = compose(take(queue_of(*posts), pressure="roll-up"), "research")
    assert [card.author for card in wire.cards] == ["A0", "A1", "A2", "A3", "A4", BOT]
    assert wire.persona == "research" and wire.silent


@pytest.mark.parametrize("count", [2, 3])
def test_a_rollup_says_how_many_messages_it_holds(count: int) -> None:
    """From the second on: people see that several came at once."""
    posts = queue_of(*(say(i, f"text {i}") for i in range(count)))
    (wire,) = compose(take(posts, pressure="roll-up"), "research")
    assert f"{count} messages" in wire.content and len(wire.cards) == count


def test_long_rollup_attaches_the_whole_text() -> None:
    """What is cut in an embed is attached."""
    posts = [say(i, f"{i} " + "long " * 300) for i in range(6)]
    (wire,) = compose(take(queue_of(*posts), pressure="roll-up"), "research")
    assert all(post.text in wire.texts[0].text for post in itertools.islice(posts, len(wire.cards)))


def test_a_plan_stands_in_an_embed_below_its_question() -> None:
    """Headed as a plan, with no face of an agent, in the last message of the question alone."""
    long = "why " * 600
    post = Post(1, 2, 0, "gate", Lane.STATUS, long, gate_id=7, card="1. Ada draws\n2. Finn builds")
    first, *_, last = compose(Batch("post", (Entry(1, 1.0, post),)), "ship")
    assert (first.cards, first.gate_id) == ((), None) and last.gate_id == 7
    assert last.cards == (EmbedCard(wording.PLAN_TITLE, "", "1. Ada draws\n2. Finn builds"),)
