"""The secrets this process knows: settings tell them as they are read; foreign text is cleaned of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from engine.domain.redact import Redaction, secrets_in

_OF_THE_ENVIRONMENT = ("PGPASSWORD",)
"""Read by libraries, not by the settings."""

_redaction = Redaction(os.environ.get(name, "") for name in _OF_THE_ENVIRONMENT)


def keep_secret(*values: str) -> None:
    """Hide `values` from now on in all that `redact` is given."""
    global _redaction  # noqa: PLW0603 - what one part of a process must not show, none may
    _redaction = _redaction.with_more(values)


def keep_secrets_of(settings: Iterable[tuple[str, Any]]) -> None:
    """Hide the secrets among named values, such as the fields of a settings object."""
    keep_secret(*secrets_in(settings))


def redact(text: str) -> str:
    """Return `text` without the secrets of this process and without what looks like one.

    For text of outsiders (endpoints, databases, Discord, git hosts) where it enters, and for the log.
    """
    return _redaction(text)
