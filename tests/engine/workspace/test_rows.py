"""Tables are merged by rows: whoever fills in their own rows meets no conflict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workspace import GitWorkspace
from engine.workspace.rows import merged_rows

TASK = 7
TABLE = b"name,value\n" + b"".join(b"row %d,\n" % n for n in range(6))


def filled(table: bytes, rows: range, value: bytes) -> bytes:
    """The table with a value in some rows."""
    for number in rows:
        table = table.replace(b"row %d,\n" % number, b"row %d,%s\n" % (number, value))
    return table


async def merge(
    workspace: GitWorkspace, path: str, base: bytes, ours: bytes, theirs: bytes
) -> tuple[bytes, bool]:
    """Content and conflict of a merge of plain bytes."""
    blobs = [await workspace.put(TASK, each) for each in (base, ours, theirs)]
    found = await workspace.merge(TASK, *blobs, path=path)
    return await workspace.get(TASK, found.blob), found.conflict


async def test_rows_beside_each_other_are_no_conflict(workspace: GitWorkspace) -> None:
    """In a text they are: lines beside each other may belong together."""
    ours, theirs = filled(TABLE, range(3), b"1"), filled(TABLE, range(3, 6), b"2")
    both, conflict = await merge(workspace, "tables/figures.csv", TABLE, ours, theirs)
    assert not conflict
    assert both == filled(ours, range(3, 6), b"2")
    assert (await merge(workspace, "figures.py", TABLE, ours, theirs))[1]


async def test_rows_that_both_add_at_the_end_come_one_after_the_other(workspace: GitWorkspace) -> None:
    """What both added in the same words is there once, and a last line gets its line break."""
    ours, theirs = TABLE + b"same,\nours,", TABLE + b"same,\ntheirs,"
    both, conflict = await merge(workspace, "a.CSV", TABLE, ours, theirs)
    assert not conflict
    assert both == TABLE + b"same,\ntheirs,\nours,\n"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (filled(TABLE, range(2, 3), b"1"), filled(TABLE, range(2, 3), b"2")),
        (filled(TABLE, range(2, 3), b"1"), TABLE.replace(b"row 2,\n", b"")),
        (TABLE.replace(b"row 2,\nrow 3,\n", b"whole,\n"), TABLE.replace(b"row 2,\n", b"row 2,\nmore,\n")),
    ],
)
async def test_a_row_that_both_changed_is_one(workspace: GitWorkspace, ours: bytes, theirs: bytes) -> None:
    """Both sides are shown, as of any file."""
    text, conflict = await merge(workspace, "a.csv", TABLE, ours, theirs)
    assert conflict
    assert b"<<<<<<<" in text


@given(st.lists(st.sampled_from(["keep", "ours", "theirs"]), max_size=12), st.data())
def test_any_division_of_rows_comes_together(who: list[str], data: st.DataObject) -> None:
    """Each side changes, deletes or doubles rows of its own only."""
    base = [b"%d,\n" % n for n in range(len(who))]
    ways = st.sampled_from([[], [b"x%d,\n"], [b"x%d,\n", b"y%d,\n"]])
    changed = [[way % n if b"%" in way else way for way in data.draw(ways)] for n in range(len(who))]

    def side(name: str) -> bytes:
        rows = (changed[n] if who[n] in name.split() else [base[n]] for n in range(len(who)))
        return b"".join(row for part in rows for row in part)

    both = merged_rows(b"".join(base), side("ours"), side("theirs"))
    if both is not None:
        assert sorted(both.splitlines()) == sorted(side("ours theirs").splitlines())
    assert merged_rows(b"".join(base), side("ours"), b"".join(base)) == side("ours")


@pytest.mark.parametrize("row", [b"\n", b"1,2\n", b"%d,\n"])
def test_tables_of_many_rows_are_merged_in_a_time_that_grows_with_them(row: bytes) -> None:
    """Rows that are all the same, and rows of which every second one was changed."""
    count = 300_000 // len(row) // 3
    base = [row % n if b"%" in row else row for n in range(count)]
    ours = [b"x\n" if n % 4 == 0 else each for n, each in enumerate(base)]
    theirs = [b"y\n" if n % 4 == 2 else each for n, each in enumerate(base)]
    both = merged_rows(b"".join(base), b"".join(ours), b"".join(theirs))
    assert both is None or both.count(b"\n") >= count
