"""The prepared environment and sandboxes on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.ports import Sandbox
from engine.sandbox import choose_sandbox, environment_folder, prepare_environment
from tests.engine.sandbox.arena import LIMITS, Arena, OrdinaryUser, run_here

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def environment() -> Path:
    """The environment the set-up makes; made here when it is not there."""
    folder = environment_folder(REPOSITORY / "var", ["pytest"])
    prepare_environment(folder, ["pytest"])
    return folder


@pytest.fixture(scope="session")
def sandbox(environment: Path) -> Sandbox:
    """The sandbox this machine gets, with small limits."""
    chosen = choose_sandbox(environment, LIMITS)
    assert chosen.status().available, chosen.status().reason
    return chosen


@pytest.fixture(scope="session")
def forked(environment: Path, sandbox: Sandbox) -> Iterator[OrdinaryUser | None]:
    """The ordinary user, when the tests run as root; forked before anything runs beside this thread: a copy
    made while a program starts would hold that program's pipes and its turn for ever."""
    user = OrdinaryUser(environment) if os.geteuid() == 0 else None
    yield user
    if user is not None:
        user.close()


@pytest.fixture(scope="session")
def here(sandbox: Sandbox, forked: OrdinaryUser | None) -> Iterator[Arena]:
    """Attacks by this very user."""
    arena = Arena(run_here(sandbox))
    yield arena
    arena.close()


@pytest.fixture(scope="session")
def ordinary(forked: OrdinaryUser | None) -> Iterator[Arena]:
    """Attacks by an ordinary user, when the tests run as root."""
    assert forked is not None
    user = forked
    assert user.status.available, user.status.reason
    arena = Arena(user.run)
    yield arena
    arena.close()
