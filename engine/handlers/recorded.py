"""Handler of decisions that are carried out elsewhere: they are only added to the audit trail."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.commands import RecordArchive, RecordRules, RecordSignIn, RecordSignOut
from engine.errors import WrongState
from engine.handlers.result import HandlerResult
from engine.lifecycle.ending import ENDED
from engine.store.lookup import get_task


def record_only(
    _connection: Connection, _command: RecordRules | RecordSignIn | RecordSignOut, _now: float
) -> HandlerResult:
    """Change nothing here: the trail is written for every command (`engine.handlers.decisions`)."""
    return HandlerResult(0)


def record_archive(connection: Connection, command: RecordArchive, _now: float) -> HandlerResult:
    """Change nothing here either. Raises NotFound, and WrongState while the task still needs its places."""
    if get_task(connection, command.task_id).state not in ENDED:
        raise WrongState(f"Task #{command.task_id} has not ended.", "Stop it first: /task stop.")
    return HandlerResult(command.task_id)
