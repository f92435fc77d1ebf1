"""Groups get channels and threads within Discord's limits, and stay where they are."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from bot.places.layout import CHANNELS, FREELY, ORIGIN, THREADS, Group, Placement, place, place_name

SHAPES = st.lists(st.integers(0, 10_000), max_size=130)


def tree(picks: list[int]) -> list[Group]:
    """A root and one more group a pick, each under any group before it."""
    groups = [Group(1, None, 0)]
    for i, pick in enumerate(picks, 2):
        parent = groups[pick % len(groups)]
        groups.append(Group(i, parent.id, parent.depth + 1))
    return groups


def laid_out(groups: list[Group], full_from: int = 10_000) -> dict[int, Placement]:
    """Placed as they arrive; from `full_from` on Discord has no more channels."""
    placed: dict[int, Placement] = {}
    for i, group in enumerate(groups):
        placed[group.id] = place(group, placed, channels_full=i >= full_from)
    return placed


@given(SHAPES)
def test_limits_hold_for_every_shape(picks: list[int]) -> None:
    """Never more than 20 channels; up to 100 groups never more than 80 threads."""
    groups = tree(picks)
    placed = laid_out(groups)
    kinds = [each.kind for each in placed.values()]
    assert kinds.count("channel") <= CHANNELS
    assert len(groups) > 100 or kinds.count("thread") <= THREADS
    assert kinds[:FREELY].count("thread") == 0


@given(SHAPES, st.integers(0, 130))
def test_threads_hang_in_a_channel(picks: list[int], full_from: int) -> None:
    """A thread's host is an ancestor with a channel of its own, or the channel where the task began."""
    groups = tree(picks)
    placed = laid_out(groups, full_from)
    parents = {group.id: group.parent_id for group in groups}
    for group in groups:
        where = placed[group.id]
        if where.kind == "channel" or where.host_id == ORIGIN:
            continue
        above = parents[group.id]
        while above is not None and above != where.host_id:
            above = parents[above]
        assert above == where.host_id and placed[above].kind == "channel"


@given(SHAPES)
def test_a_placed_group_never_moves(picks: list[int]) -> None:
    """Placing a longer history agrees with every shorter one."""
    groups = tree(picks)
    whole = laid_out(groups)
    half = laid_out(groups[: len(groups) // 2])
    assert all(whole[group_id] == where for group_id, where in half.items())


@given(SHAPES, st.integers(0, 40))
def test_a_full_guild_gets_threads_only(picks: list[int], full_from: int) -> None:
    """From the moment Discord has no room, no further channel is planned."""
    groups = tree(picks)
    placed = laid_out(groups, full_from)
    assert all(placed[group.id].kind == "thread" for group in groups[full_from:])


def test_a_nation() -> None:
    """590 agents in 100 groups: 20 channels, 20 webhooks (one a channel), 80 threads."""
    rng = random.Random(7)
    placed = laid_out(tree([rng.randrange(10_000) for _ in range(99)]))
    kinds = [each.kind for each in placed.values()]
    assert (kinds.count("channel"), kinds.count("thread")) == (20, 80)


def test_first_heads_before_deep_groups() -> None:
    """Beyond ten, a group led from the root gets a channel, a deeper one a thread under its head's."""
    groups = [Group(1, None, 0), *(Group(i, 1, 1) for i in range(2, 11))]
    placed = laid_out(groups)
    assert place(Group(11, 2, 2), placed) == Placement("thread", 2)
    assert place(Group(12, 1, 1), placed) == Placement("channel")


@given(st.text(max_size=200), st.sets(st.sampled_from(["group", "a", "ab", "x-2"])))
def test_names_are_safe(name: str, taken: set[str]) -> None:
    """1 to 100 characters, nothing that mentions, links or formats, and not taken."""
    made = place_name(name, taken)
    assert 1 <= len(made) <= 100 and made not in taken
    assert not set(made) & set(" @#<>:`*_~|/\\\n")


def test_a_name_of_emoji_alone_is_called_what_they_are() -> None:
    """Tasks with such titles have channels that are told apart."""
    assert place_name("🚀") == "rocket" and place_name("❤️ 🎲") == "heavy-black-heart-game-die"
    assert place_name("🚀 Boat") == "boat" and place_name(" … ") == "group"
