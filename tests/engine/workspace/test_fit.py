"""Which files go into a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.workspace import check_set, normal_path
from engine.workspace.fit import fitting


def test_what_older_rules_let_in_is_left_out_alone() -> None:
    """A path refused today and a colliding path do not keep the rest from being run."""
    sizes = {"a.py": 1, "A.py": 2, "a.py/b": 3, "\u2024\u2024\uff0fevil": 1, "\u3164": 1, "ok/b.py": 4}
    inside, left = fitting(sizes, 100, 100)
    assert inside == ["a.py", "ok/b.py"]
    assert left == sorted(sizes.keys() - {"a.py", "ok/b.py"})


_NAMES = st.lists(st.sampled_from(["a", "A", "b", "..", "é", "x\u200by"]), min_size=1, max_size=4).map(
    "/".join
)


@given(st.dictionaries(_NAMES, st.integers(0, 9), max_size=9), st.integers(0, 9), st.integers(0, 30))
def test_what_fits_fits(sizes: dict[str, int], most: int, total: int) -> None:
    """However many and large: what goes in is within bounds and valid, and nothing is lost from sight."""
    inside, left = fitting(sizes, most, total)
    assert sorted([*inside, *left]) == sorted(sizes)
    folders = {path[:at] for path in inside for at, char in enumerate(path) if char == "/"}
    assert len(inside) + len(folders) <= most
    assert sum(sizes[path] for path in inside) <= total
    check_set(inside)
    assert [normal_path(path) for path in inside] == inside


@given(st.dictionaries(_NAMES, st.integers(0, 9), max_size=9))
def test_with_room_all_valid_files_go_in(sizes: dict[str, int]) -> None:
    """Nothing is left out for want of room where there is room."""
    _, left = fitting(sizes, 10_000, 10_000)
    for path in left:
        try:
            valid = normal_path(path) == path
            check_set([path, *(other for other in sizes if other not in left)])
        except Invalid:
            valid = False
        assert not valid
