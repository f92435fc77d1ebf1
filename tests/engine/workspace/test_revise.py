"""Optimistic writes: the decision, and that merging loses nothing."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.workspace import Current, Decision, GitWorkspace, WorkspaceLimits, check_room, resolve_write

TASK = 1


@pytest.mark.parametrize(
    ("base", "current", "newest", "blob", "expected"),
    [
        (None, None, 0, "x", Decision("fast_forward")),
        (None, None, 9, "x", Decision("on_top")),
        (5, Current(5, "a"), 5, "x", Decision("fast_forward")),
        (5, Current(5, "a"), 8, "x", Decision("on_top")),
        (7, Current(5, "a"), 7, "x", Decision("fast_forward")),
        (4, Current(5, "a"), 5, "x", Decision("merge", "a")),
        (None, Current(5, "a"), 5, "x", Decision("merge", "a")),
        (4, Current(5, "x"), 5, "x", Decision("unchanged", "x")),
        (4, Current(5, None), 5, "x", Decision("on_top")),
        (5, Current(5, "a"), 5, None, Decision("fast_forward")),
        (4, Current(5, "a"), 5, None, Decision("merge", "a")),
        (4, Current(5, None), 5, None, Decision("unchanged")),
    ],
)
def test_decisions(
    base: int | None, current: Current | None, newest: int, blob: str | None, expected: Decision
) -> None:
    """Only a file that was written since the base needs a merge."""
    assert resolve_write(base=base, current=current, newest=newest, blob=blob) == expected


def test_room_is_reported_with_numbers() -> None:
    """Limits of number and size name both sides."""
    limits = WorkspaceLimits(total_bytes=10, files=2)
    check_room(limits, 2, 10)
    with pytest.raises(Invalid, match="2 files"):
        check_room(limits, 3, 1)
    with pytest.raises(Invalid, match="11 bytes"):
        check_room(limits, 1, 11)


async def merged(
    workspace: GitWorkspace, base: bytes | None, ours: bytes, theirs: bytes
) -> tuple[bytes, bool]:
    """Content and conflict of a merge of plain bytes."""
    before = None if base is None else await workspace.put(TASK, base)
    merge = await workspace.merge(
        TASK, before, await workspace.put(TASK, ours), await workspace.put(TASK, theirs)
    )
    return await workspace.get(TASK, merge.blob), merge.conflict


async def test_merges_of_different_places(workspace: GitWorkspace) -> None:
    """Changes far apart come together."""
    base = b"".join(b"line %d\n" % n for n in range(20))
    ours, theirs = base.replace(b"line 2\n", b"ours\n"), base.replace(b"line 17\n", b"theirs\n")
    both, conflict = await merged(workspace, base, ours, theirs)
    assert not conflict
    assert both == ours.replace(b"line 17\n", b"theirs\n")


async def test_conflicts_hold_both_sides(workspace: GitWorkspace) -> None:
    """The same line changed twice gives markers around both texts."""
    text, conflict = await merged(workspace, b"a\nb\nc\n", b"a\nours\nc\n", b"a\ntheirs\nc\n")
    assert conflict
    assert text == b"a\n<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\nc\n"


async def test_two_new_files_conflict(workspace: GitWorkspace) -> None:
    """Without a base both texts are kept side by side, equal ones are one."""
    text, conflict = await merged(workspace, None, b"mine\n", b"yours\n")
    assert conflict
    assert b"mine" in text
    assert b"yours" in text
    assert await merged(workspace, None, b"same\n", b"same\n") == (b"same\n", False)


async def test_binary_files_conflict_with_ours(workspace: GitWorkspace) -> None:
    """Pictures and text that is not UTF-8 are never mixed."""
    assert await merged(workspace, b"\0a", b"\0b", b"\0c") == (b"\0b", True)
    assert await merged(workspace, b"a\n", b"\xff\n", b"c\n") == (b"\xff\n", True)


async def test_one_side_alone_wins(workspace: GitWorkspace) -> None:
    """A side that changed nothing gives way, binary or not."""
    assert await merged(workspace, b"\0a", b"\0a", b"\0c") == (b"\0c", False)
    assert await merged(workspace, b"\0a", b"\0b", b"\0a") == (b"\0b", False)


Edit = tuple[int, str, int]


def _edited(lines: list[str], edits: list[Edit], agent: str) -> list[str]:
    result = list(lines)
    for number, (at, kind, serial) in enumerate(edits):
        mark = f"{agent}-{number}-{serial}\n"
        position = at % (len(result) + 1)
        if kind == "insert" or position == len(result):
            result.insert(position, mark)
        else:
            result[position] = mark
    return result


_EDITS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["insert", "change"]), st.integers(0, 9)), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 25), _EDITS, _EDITS)
def test_no_line_anybody_wrote_is_lost(size: int, mine: list[Edit], yours: list[Edit]) -> None:
    """Clean or in conflict, every line either side added is in the merged text."""
    base = [f"line {n}\n" for n in range(size)]
    ours, theirs = _edited(base, mine, "ours"), _edited(base, yours, "theirs")

    async def merge() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            workspace = GitWorkspace(Path(folder))
            texts = ("".join(lines).encode() for lines in (base, ours, theirs))
            return (await merged(workspace, *texts))[0]

    text = asyncio.run(merge()).decode()
    for line in {*ours, *theirs} - set(base):
        assert line in text


class Store:
    """The store's compare-and-set in memory: one file, ascending ids."""

    def __init__(self) -> None:
        self.revisions: list[str] = []

    def head(self) -> Current | None:
        """The file's newest revision."""
        return Current(len(self.revisions), self.revisions[-1]) if self.revisions else None


async def write_until_in(workspace: GitWorkspace, store: Store, mine: list[str], agent: int) -> None:
    """One agent: read, add a line, write; on a newer head merge and try again."""
    for number, line in enumerate(mine):
        seen = len(store.revisions)
        base = store.revisions[-1] if seen else None
        lines = (await workspace.get(TASK, base)).decode().splitlines(keepends=True) if base else []
        at = (agent * 7 + number) % (len(lines) + 1)
        blob = await workspace.put(TASK, "".join([*lines[:at], line, *lines[at:]]).encode())
        while True:
            current = store.head()
            decision = resolve_write(base=seen, current=current, newest=len(store.revisions), blob=blob)
            if decision.outcome != "merge":
                store.revisions.append(blob)
                break
            assert current
            assert decision.theirs
            merge = await workspace.merge(TASK, base, blob, decision.theirs)
            blob, base, seen = merge.blob, decision.theirs, current.revision


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_concurrent_agents_lose_no_line(counts: list[int]) -> None:
    """Agents racing on one file, each merging with what came before, keep every line of all."""

    async def race() -> str:
        with tempfile.TemporaryDirectory() as folder:
            workspace, store = GitWorkspace(Path(folder)), Store()
            mine = [[f"agent {a} line {n}\n" for n in range(count)] for a, count in enumerate(counts)]
            await asyncio.gather(
                *(write_until_in(workspace, store, lines, agent) for agent, lines in enumerate(mine))
            )
            return (await workspace.get(TASK, store.revisions[-1])).decode()

    text = asyncio.run(race())
    for agent, count in enumerate(counts):
        for number in range(count):
            assert f"agent {agent} line {number}\n" in text
