"""Every attack as root (dropping to a spare user) and as an ordinary user, two at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from engine.ports import RunResult
from tests.engine.sandbox.arena import Arena, request_for
from tests.engine.sandbox.attacks import ATTACKS, Attack
from tests.engine.sandbox.attacks.attack import check_contained

USERS = ("here", "ordinary") if os.geteuid() == 0 else ("here",)
AT_ONCE = 2

Results = dict[tuple[str, str], Future[RunResult]]


def mount(arena: Arena, attack: Attack) -> RunResult:
    """Run one attack to its end."""
    told = arena.host.told()
    return arena.run(request_for(attack.source(), told, dict(attack.files), attack.stdin, attack.timeout_s))


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    """The selected attacks, all started at once and run two at a time."""
    started: Results = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for item in request.session.items:
            spec = getattr(item, "callspec", None)
            if spec is not None and {"attack", "user"} <= set(spec.params):
                attack, user = spec.params["attack"], spec.params["user"]
                started[user, attack.name] = pool.submit(mount, request.getfixturevalue(user), attack)
        yield started


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_attack_is_contained(
    attack: Attack, user: str, results: Results, request: pytest.FixtureRequest
) -> None:
    """The attack ran, got nowhere, and host, other task and network are as before."""
    arena: Arena = request.getfixturevalue(user)
    check_contained(attack, results[user, attack.name].result(), arena.host)


def test_there_are_enough_attacks() -> None:
    """The suite keeps its size, and every attack has a name of its own."""
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 105
