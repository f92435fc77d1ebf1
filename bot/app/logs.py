"""Keeps the log fit for anybody: no secrets, whoever writes them; one line when the disk is full."""

from __future__ import annotations

import logging
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

from engine.secrets import redact
from engine.store.driver_errors import FULL, ROOM_AGAIN, is_full

QUIET_S = 600.0
"""Seconds after which a full disk is reported again."""

_formatter = logging.Formatter()


class SecretFilter(logging.Filter):
    """Redacts this process's known secrets in each record before a handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: no record is dropped."""
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit; they are shown beside the message
            said = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(said), ()
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            record.exc_text = _formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


class FullDiskFilter(logging.Filter):
    """Lets one line through when the disk is full: all that write fail then, each again and again."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now, self._last = now, -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record says something new; the first about a full disk becomes one line."""
        decided: bool | None = getattr(record, "_full_disk", None)
        if decided is None:  # each handler asks
            decided = record._full_disk = self._decide(record)
        return decided

    def _decide(self, record: logging.LogRecord) -> bool:
        if record.msg == ROOM_AGAIN:
            self._last = -math.inf
        if not any(map(_says_full, _errors_in(record))):
            return True
        new = self._now() - self._last > QUIET_S
        self._last = self._now()
        record.msg, record.args = FULL, ()
        record.exc_info = record.exc_text = record.stack_info = None
        return new


def _errors_in(record: logging.LogRecord) -> Iterator[BaseException]:
    given = record.args if isinstance(record.args, tuple) else ()
    for found in (*given, record.exc_info[1] if record.exc_info else None):
        if isinstance(found, BaseException):
            yield found
        elif isinstance(found, tuple):
            yield from (one for one in found if isinstance(one, BaseException))


def _says_full(error: BaseException | None) -> bool:
    if error is None:
        return False
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return is_full(error) or any(map(_says_full, (*inner, error.__cause__)))


_filters = (FullDiskFilter(), SecretFilter())


def guard_logs() -> None:
    """Put the filters on every handler of the root logger and on what a fall of the process prints."""
    for handler in logging.getLogger().handlers:
        for one in _filters:
            handler.addFilter(one)
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_filters[-1])
    sys.excepthook = _fallen


def _fallen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
