"""No log line, exception or fall of the process shows a secret."""

from __future__ import annotations

import io
import logging
import sqlite3
import sys
from collections.abc import Iterator

import pytest

from bot.app.logs import QUIET_S, FullDiskFilter, guard_logs
from engine.errors import StorageFull
from engine.secrets import keep_secret
from engine.store.driver_errors import FULL, ROOM_AGAIN

CANARY = "log-canary-7H3kq-1029"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of the root logger writes after `guard_logs`."""
    keep_secret(CANARY)
    stream, root, hook = io.StringIO(), logging.getLogger(), sys.excepthook
    handler = logging.StreamHandler(stream)
    root.addHandler(handler)
    guard_logs()
    yield stream
    root.removeHandler(handler)
    sys.excepthook = hook


def test_messages_arguments_and_exceptions(written: io.StringIO) -> None:
    """Whichever library logs, and however it passes the text on."""
    log = logging.getLogger("some.library")
    log.error("it said %s and %r", CANARY, {"key": CANARY})
    log.error(f"{CANARY} in the message itself: 100 %")
    log.error("numbers %s", "that", "do not fit", CANARY)  # noqa: PLE1205 - libraries do such things
    try:
        raise RuntimeError(f"outer {CANARY}") from ValueError(f"inner {CANARY}")  # noqa: TRY301 - what is logged
    except RuntimeError:
        log.exception("fell", stack_info=True)
    text = written.getvalue()
    assert CANARY not in text
    assert "it said [hidden]" in text
    assert "ValueError: inner [hidden]" in text
    assert "RuntimeError: outer [hidden]" in text


def test_a_fall_of_the_process(written: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own last words go to the terminal, past every handler."""
    error = RuntimeError(f"with {CANARY}")
    sys.excepthook(RuntimeError, error, None)
    assert written.getvalue() == ""
    shown = capsys.readouterr().err
    assert "RuntimeError: with [hidden]" in shown


def test_a_full_disk_is_one_line_until_there_is_room() -> None:
    """Whoever logs it, with a traceback, as an argument, or inside a group; other faults are kept."""
    clock = [0.0]
    stream, log = io.StringIO(), logging.Logger("full")
    handler = logging.StreamHandler(stream)
    handler.addFilter(FullDiskFilter(lambda: clock[0]))
    log.addHandler(handler)

    def everybody_fails() -> None:
        for error in (
            StorageFull("no room"),
            OSError(28, "No space left on device"),
            ExceptionGroup("several", [sqlite3.OperationalError("database or disk is full")]),
        ):
            log.error("it failed", exc_info=error)
            log.error("agent %s could not run: %s", 5, error)

    everybody_fails()
    clock[0] += QUIET_S / 2
    everybody_fails()
    log.error("something else", exc_info=ValueError("x"))
    log.warning(ROOM_AGAIN)
    everybody_fails()
    lines = stream.getvalue().splitlines()
    assert lines == [FULL, "something else", "ValueError: x", ROOM_AGAIN, FULL]
