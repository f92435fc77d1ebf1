"""Kill -9 at random moments, resumed: short here, 200 runs a store under `make soak` and `make bench`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.crash import one_run, undisturbed
from bench.relay import NO_DAMAGE
from tests.fakes.postgres import Cluster


@pytest.fixture(scope="module")
def cluster():  # type: ignore[no-untyped-def]
    """A PostgreSQL server."""
    running = Cluster()
    yield running
    running.stop()


def runs(url_of, folder: Path, count: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    """`count` runs, none of which may show any damage."""
    chance, kills = random.Random(seed), 0
    first = folder / "undisturbed"
    first.mkdir()
    whole = undisturbed(url_of(first), first)
    for number in range(count):
        here = folder / str(number)
        here.mkdir()
        damage, hits = one_run(url_of(here), here, chance, whole)
        assert damage == NO_DAMAGE, f"run {number} of seed {seed}"
        kills += hits
    assert kills


def test_a_killed_engine_on_sqlite_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Messages, events, files and reservations are whole after three killed and resumed runs."""
    runs(lambda folder: f"sqlite:///{folder / 'crash.db'}", tmp_path, 3, 11)


def test_a_killed_engine_on_postgresql_loses_nothing_and_repeats_nothing(
    tmp_path: Path, cluster: Cluster
) -> None:
    """The same with Procrastinate, whose jobs of the dead are buried by the next."""
    runs(lambda _folder: cluster.new_database(), tmp_path, 2, 12)


@pytest.mark.soak
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_two_hundred_killed_runs_lose_nothing(tmp_path: Path, cluster: Cluster, store: str) -> None:
    """The long version of both."""
    if store == "sqlite":
        runs(lambda folder: f"sqlite:///{folder / 'crash.db'}", tmp_path, 200, 21)
    else:
        runs(lambda _folder: cluster.new_database(), tmp_path, 200, 22)
