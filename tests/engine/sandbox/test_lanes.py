"""Threads that runs live on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.ports import RunResult
from engine.sandbox import lanes as lanes_module
from engine.sandbox.lanes import Lanes

PATIENCE_S = 20


def named(threads: set[int]) -> Callable[[], RunResult]:
    """Notes the thread it ran on."""

    def work() -> RunResult:
        threads.add(threading.get_ident())
        return RunResult(0, "")

    return work


def test_as_many_go_at_once_as_there_are_lanes_and_more_wait() -> None:
    """Two meet inside, which one after the other could not; the others come after them."""
    together = threading.Barrier(2, timeout=PATIENCE_S)
    inside, most = threading.Semaphore(2), []

    def work() -> RunResult:
        most.append(inside.acquire(blocking=False))
        together.wait()
        inside.release()
        return RunResult(0, "")

    lanes = Lanes([None, None])
    futures = [lanes.start(work) for _ in range(6)]
    assert [future.result(PATIENCE_S).exit_code for future in futures] == [0] * 6
    assert most == [True] * 6


def test_a_lane_is_used_again_and_a_failure_stays_with_its_run() -> None:
    """What one run raised is its own; the next is done on the same thread."""
    lanes, threads = Lanes([None]), set[int]()
    lanes.start(named(threads)).result(PATIENCE_S)
    with pytest.raises(ZeroDivisionError):
        lanes.start(lambda: RunResult(1 // 0, "")).result(PATIENCE_S)
    lanes.start(named(threads)).result(PATIENCE_S)
    assert len(threads) == 1


def test_a_lane_with_nothing_to_do_ends_and_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle threads do not stay; its place is taken by a new one when there is work again."""
    monkeypatch.setattr(lanes_module, "_IDLE_S", 0.01)
    lanes, before = Lanes([None]), set(threading.enumerate())
    assert lanes.start(named(set())).result(PATIENCE_S).exit_code == 0
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert lanes.start(named(set())).result(PATIENCE_S).exit_code == 0


def test_who_may_not_step_down_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that would keep the powers of the bot is refused with the reason."""

    def refuse(uid: int) -> None:
        raise PermissionError(f"setresuid to user {uid}")

    monkeypatch.setattr(lanes_module, "step_down", refuse)
    threads = set[int]()
    lanes = Lanes([60_800])
    for _ in range(2):
        with pytest.raises(PermissionError, match="60800"):
            lanes.start(named(threads)).result(PATIENCE_S)
    assert not threads
