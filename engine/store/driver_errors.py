"""Errors of the database drivers, as they are raised to callers."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.errors import NotConfigured


def unwritable() -> NotConfigured:
    return NotConfigured(
        "The database cannot be written (disk full or read-only). "
        "Free space on the disk of the data folder, then try again."
    )


def plain_error(error: Exception) -> Exception:
    """Full disks and read-only files in words a person can act on; driver errors as SQLAlchemy's."""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError("a prepared statement", None, error)
    if not isinstance(error, sqlite3.Error | DBAPIError):
        return error
    text = str(error).lower()
    if (
        "disk is full" in text
        or "readonly database" in text
        or "disk i/o error" in text
        or "unable to open" in text
    ):
        told = unwritable()
        told.__cause__ = error
        return told
    return error
