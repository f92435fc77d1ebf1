"""Handler of decisions that are carried out elsewhere: they are only added to the audit trail."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.commands import RecordRules, RecordSignIn
from engine.handlers.result import HandlerResult


def record_only(_connection: Connection, _command: RecordRules | RecordSignIn, _now: float) -> HandlerResult:
    """Change nothing here: the trail is written for every command (`engine.handlers.decisions`)."""
    return HandlerResult(0)
