"""Handler of the command that sets what agents do only after a person agreed."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.commands import SetProtections
from engine.errors import Invalid
from engine.handlers.result import HandlerResult
from engine.store.protected import store_protections


def set_protections(connection: Connection, command: SetProtections, _now: float) -> HandlerResult:
    """Store what is protected, for actions from now on. Raises Invalid."""
    over = command.protections.recruit_over
    if over is not None and over < 1:
        raise Invalid("A task has at least its boss.", "Ask for recruiting over 1 agent or more.")
    store_protections(connection, command.space, command.protections, command.only)
    return HandlerResult(0)
