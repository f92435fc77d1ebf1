"""What holds for all tests: soaks may take an hour, and in CI a skip is a failure."""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from sqlalchemy.util import LRUCache

SOAK_S = 3600
SETTLE_S = 60.0
"""How long SimCord waits for the bot to come to rest: its own 5 s are too few on a busy machine."""

# Tests and the processes they start compile what they import once, not at each start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A test's time is never its assertion: on a busy machine an example takes what it takes.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


class _Reported(sqlite3.Connection):
    """Reports like Python 3.13 that nobody closed it, and who opened it: that may be another test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        frames = traceback.extract_stack(limit=40)
        self.opened = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[:-1]))[:600]
        self.test = os.environ.get("PYTEST_CURRENT_TEST", "no test")

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed
            _ = self.total_changes
            words = f"unclosed database, opened in {self.test} by {self.opened}"
            warnings.warn(words, ResourceWarning, stacklevel=1, source=self)


if sys.version_info < (3, 13):
    _connect: Any = sqlite3.connect

    def _connect_reported(*args: Any, **options: Any) -> Any:
        return _connect(*args, **{"factory": _Reported, **options})

    for module in (sqlite3, sqlite3.dbapi2):
        setattr(module, "connect", _connect_reported)  # noqa: B010 - what it returns is a connection still


@sa.event.listens_for(sa.Pool, "connect")
def _reverse_unordered(connection: Any, _record: object) -> None:
    """Let SQLite give rows in reverse where no order is asked for: PostgreSQL gives them in any."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects=ON")


STATEMENTS = 4_000
"""More than the tests have, so that each is compiled once."""


class _CompiledOnce(LRUCache[Any, Any]):
    """The compiled statements of all databases of a kind: the product has one, each test has its own."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Find it whoever had it compiled."""
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)  # the first is the dialect, of which each database has its own


_compiled: dict[type, _CompiledOnce] = {}
_make_engine: Any = sa.Engine.__init__


def _make_engine_that_shares(engine: Any, pool: Any, dialect: Any, *args: Any, **options: Any) -> None:
    _make_engine(engine, pool, dialect, *args, **options)
    if engine._compiled_cache is not None:
        engine._compiled_cache = _compiled.setdefault(type(dialect), _CompiledOnce(STATEMENTS))


setattr(sa.Engine, "__init__", _make_engine_that_shares)  # noqa: B010 - what it makes is an engine still


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Take off the handlers what a bot in this process put on them: pytest's own outlive it, and the next
    test of a full disk would find nothing in its log."""
    before = [(handler, list(handler.filters)) for handler in logging.getLogger().handlers]
    yield
    for handler, filters in before:
        handler.filters[:] = filters


@pytest.fixture(autouse=True)
def discords_rules(request: pytest.FixtureRequest) -> Generator[None]:
    """Hold every request to a local Discord, its answers and its events to Discord's documented rules."""
    if "bot.local.rest" not in sys.modules:  # nothing of Discord was imported
        yield
        return
    from bot.local import gateway
    from bot.local.rest import LISTENERS, Call
    from tests.fakes.discord_rules import event_violations, violations

    found: list[str] = []
    ours = "tests/bot/local/" not in str(request.path)

    def listen(call: Call) -> None:
        found.extend(violations(call, of_product=ours))

    def listen_to_events(event: str, data: object) -> None:
        found.extend(event_violations(event, data))

    LISTENERS.append(listen)
    gateway.LISTENERS.append(listen_to_events)
    with _in_process(found) if "simcord_env" in request.fixturenames else nullcontext():
        yield
    LISTENERS.remove(listen)
    gateway.LISTENERS.remove(listen_to_events)
    assert not found, "\n".join(dict.fromkeys(found))


@contextmanager
def _in_process(found: list[str]) -> Iterator[None]:
    """Hold what the product asks of SimCord in this process, is answered and told, to the rules."""
    from simcord import gateway
    from simcord.http import router

    from bot.local.dispatch import RouteTable
    from tests.fakes.discord_objects import ANSWERS, OBJECTS
    from tests.fakes.discord_rules import request_violations, simcords

    table, dispatch = RouteTable(), router.dispatch

    def seen(kind: str | None, value: Any, where: str) -> Any:
        shown, differs = simcords(kind, value, where)
        found.extend(differs)
        return shown

    def watched(backend: Any, method: str, path: str, **given: Any) -> Any:
        match = table.find(method, path)
        if match is None:
            return dispatch(backend, method, path, **given)
        found.extend(request_violations(method, match.template, path, given.get("json")))
        route = f"{method} {match.template}"
        return seen(ANSWERS.get(route), dispatch(backend, method, path, **given), route)

    def told(original: Any) -> Any:
        def tell(to: Any, event: str, payload: Any) -> Any:
            return original(to, event, seen(event if event in OBJECTS else None, dict(payload), event))

        return tell

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(router, "dispatch", watched)
        for name in ("feed", "deliver"):
            patched.setattr(gateway.FakeGateway, name, told(getattr(gateway.FakeGateway, name)))
        yield


LONG = (
    "bot/features/test_gate_rights.py",
    "contracts/test_isolation.py",
    "engine/llm/local/test_server.py",
    "contracts/test_lost_commits.py",
    "engine/packages/test_packages.py",
    "test_migrations.py",
    "flows/test_kill_points.py",
    "soak/test_crash.py",
    "flows/test_scenarios.py",
    "flows/test_policy.py",
    "bot/local/page/test_steady.py",
    "bot/local/page/test_use.py",
    "engine/domain/test_any_text.py",
    "contracts/test_words.py",
    "test_wheel.py",
    "bot/app/test_cli.py",
    "contracts/test_attachments.py",
    "contracts/test_subtree_cap_gate.py",
    "contracts/test_cap.py",
    "contracts/test_canary.py",
    "engine/tools/test_run_files.py",
    "providers/test_families.py",
    "contracts/test_months.py",
)
"""The files that take longest: a worker that begins one of them last would leave the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first; a soak has its own, longer limit; a bot on SimCord has time to come to rest."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    for item in items:
        if "simcord_env" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("simcord"):
            item.add_marker(pytest.mark.simcord(settle_timeout=SETTLE_S))
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(SOAK_S))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Search for no garbage while tests are collected, and later not among what that made: it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the set-up should have installed may not quietly be missing where it counts."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI a skip is a failure: {report.longrepr}"
    return report
