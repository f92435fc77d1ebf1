"""The secrets this process knows: settings register them when read, and text from outside is redacted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from engine.domain.redact import Redaction, secrets_in

_NO_SECRETS = frozenset({"PWD", "OLDPWD", "XDG_SESSION_ID", "TERM_SESSION_ID"})
"""Variables of shells and desktops that are only named like secrets: a folder, the number of a session."""


def secrets_of_environment(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the secrets in the environment of a process, such as PGPASSWORD or a proxy's login.

    Libraries read them though they are no settings here.
    """
    return secrets_in((name, value) for name, value in environ.items() if name not in _NO_SECRETS)


_redaction = Redaction(secrets_of_environment(os.environ))


def keep_secret(*values: str) -> None:
    """Register `values` as secrets that `redact` hides."""
    global _redaction  # noqa: PLW0603 - what one part of a process must not show, none may
    _redaction = _redaction.with_more(values)


def keep_secrets_of(settings: Iterable[tuple[str, Any]]) -> None:
    """Register the secrets among named values, such as the fields of a settings object."""
    keep_secret(*secrets_in(settings))


def redact(text: str) -> str:
    """Return `text` without this process's secrets and without strings that look like one.

    Applied to text from outside (endpoints, databases, Discord, git hosts) where it enters, and to the log.
    """
    return _redaction(text)


def hide_known(text: str) -> str:
    """Return `text` without this process's secrets; what only looks like one stays.

    Applied to foreign text that agents work with, such as pages and code.
    """
    return _redaction.without_known(text)
