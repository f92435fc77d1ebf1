"""Threads that runs live on."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from engine.ports import RunResult
from engine.sandbox import lanes as lanes_module
from engine.sandbox.lanes import Lanes, claim

PATIENCE_S = 60.0


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

    lanes = Lanes(2)
    futures = [lanes.start(work) for _ in range(6)]
    assert [future.result(PATIENCE_S).exit_code for future in futures] == [0] * 6
    assert most == [True] * 6


def test_a_lane_is_used_again_and_a_failure_stays_with_its_run() -> None:
    """What one run raised is its own; the next is done on the same thread."""
    lanes, threads = Lanes(1), set[int]()
    lanes.start(named(threads)).result(PATIENCE_S)
    with pytest.raises(ZeroDivisionError):
        lanes.start(lambda: RunResult(1 // 0, "")).result(PATIENCE_S)
    lanes.start(named(threads)).result(PATIENCE_S)
    assert len(threads) == 1


def test_a_lane_with_nothing_to_do_ends_and_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle threads do not stay; its place is taken by a new one when there is work again."""
    monkeypatch.setattr(lanes_module, "_IDLE_S", 0.01)
    lanes, before = Lanes(1), set(threading.enumerate())
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
    lanes = Lanes(1, [60_800])
    for _ in range(2):
        with pytest.raises(PermissionError, match="60800"):
            lanes.start(named(threads)).result(PATIENCE_S)
    assert not threads


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Users that runs became, in order."""
    users: list[int] = []
    monkeypatch.setattr(lanes_module, "step_down", users.append)
    return users


def unused(count: int) -> list[int]:
    """Return numbers of users that no suite on this machine claims at the same time."""
    first = secrets.randbelow(2**30) + 10**9
    return list(range(first, first + count))


def test_runs_of_two_bots_at_once_are_different_users(became: list[int]) -> None:
    """The kernel counts processes by user: one bot's run would use up the limit of the other's."""
    uids = unused(2)
    first, second, inside = Lanes(1, uids), Lanes(1, uids), threading.Event()

    def work() -> RunResult:
        inside.wait(PATIENCE_S)
        return RunResult(0, "")

    open_run = first.start(work)
    second.start(named(set())).result(PATIENCE_S)
    inside.set()
    open_run.result(PATIENCE_S)
    assert sorted(became) == uids


def test_a_user_that_another_program_holds_is_left_to_it_until_it_ends(became: list[int]) -> None:
    """With all of them taken a run is one that others are too, rather than not at all."""
    uids = unused(2)
    holds = "import sys; from engine.sandbox.lanes import claim; held = claim(int(sys.argv[1])); "
    holds += "print(held is not None, flush=True); input()"
    command = [sys.executable, "-c", holds, str(uids[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        assert claim(uids[0]) is None
        Lanes(1, uids).start(named(set())).result(PATIENCE_S)
        Lanes(1, uids).start(named(set())).result(PATIENCE_S)
        other.kill()
    assert became == [uids[1], uids[0]]
    mine = claim(uids[0])
    assert mine is not None
    mine.close()


def test_the_user_of_a_thread_that_ended_is_free_for_others(
    became: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another bot's run may be it then."""
    monkeypatch.setattr(lanes_module, "_IDLE_S", 0.01)
    (uid,), before = unused(1), set(threading.enumerate())
    lanes = Lanes(1, [uid])
    lanes.start(named(set())).result(PATIENCE_S)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
    held = claim(uid)
    assert held is not None
    held.close()
    lanes.start(named(set())).result(PATIENCE_S)
    assert became == [uid, uid]
