"""Places kept for small tasks: for a moment, few, and never from their owner."""

from __future__ import annotations

from engine.llm.admission.seats import KEPT_PART, SEAT_S, Seats


def test_a_kept_place_is_kept_from_others_until_its_time() -> None:
    """Others see it taken, its owner does not; after its time it is free for all."""
    seats = Seats()
    seats.keep(1, 64, 10.0)
    assert (seats.of_others(2, 10.0), seats.of_others(1, 10.0)) == (1, 0)
    assert seats.next_end() == 10.0 + SEAT_S
    assert seats.of_others(2, 10.0 + SEAT_S) == 0


def test_the_owners_next_call_ends_it() -> None:
    """A call takes one place of its task and none of another's."""
    seats = Seats()
    seats.keep(1, 64, 0.0)
    seats.keep(2, 64, 0.0)
    seats.take(1)
    assert (seats.of_others(3, 0.0), seats.of_others(1, 0.0)) == (1, 1)


def test_only_a_part_of_all_places_is_kept() -> None:
    """However many small tasks there are, the rest of the places is for whoever waits."""
    seats = Seats()
    for flow in range(100):
        seats.keep(flow, 64, 0.0)
    assert seats.of_others(-1, 0.0) == 64 // KEPT_PART
