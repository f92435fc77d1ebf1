"""Keeps secrets out of the log: messages, arguments, exceptions and stacks, whoever writes them."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

from engine.secrets import redact

_formatter = logging.Formatter()


class SecretFilter(logging.Filter):
    """Takes the secrets this process knows out of each record, before any handler formats it."""

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


_filter = SecretFilter()


def guard_logs() -> None:
    """Put the filter on every handler of the root logger and on what a fall of the process prints."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_filter)
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_filter)
    sys.excepthook = _fallen


def _fallen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
