"""Several writes of one file in one answer are one change."""

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.effects import ChangeFile, Effect, SetTodo, one_change_a_file


def write(slot: int, path: str, blob: str | None, expected: str | None) -> ChangeFile:
    """A change as a tool stages it."""
    change = "deleted" if blob is None else "added" if expected is None else "changed"
    return ChangeFile(slot, path, blob, expected, 1, change)  # type: ignore[arg-type]


def test_edits_of_one_file_are_one_change_that_knows_all_their_slots() -> None:
    """From the first content to the last; results that name any of them get the one revision."""
    effects: list[Effect] = [
        write(1, "a", "v1", "v0"),
        write(2, "b", "w1", None),
        SetTodo(()),
        write(3, "a", "v2", "v1"),
        write(4, "b", "w2", "w1"),
    ]
    todo, a, b = one_change_a_file(effects)
    assert todo == SetTodo(())
    assert a == ChangeFile(3, "a", "v2", "v0", 1, "changed", also=(1,))
    assert b == ChangeFile(4, "b", "w2", None, 1, "added", also=(2,))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", "z", None])), max_size=12))
def test_the_files_end_up_the_same_and_every_slot_is_known(writes: list[tuple[str, str | None]]) -> None:
    """Whatever is written and deleted: same contents, each change continues where the one before ended."""
    now: dict[str, str | None] = {}
    effects: list[Effect] = []
    for number, (path, blob) in enumerate(writes):
        effects.append(write(number, path, blob, now.get(path)))
        now[path] = blob
    seen: dict[str, str | None] = {}
    slots: list[int] = []
    for effect in one_change_a_file(effects):
        assert isinstance(effect, ChangeFile)
        assert effect.expected == seen.get(effect.path)
        seen[effect.path] = effect.blob
        slots += [effect.slot, *effect.also]
    assert seen == now
    assert sorted(slots) == list(range(len(writes)))
