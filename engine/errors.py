"""Everything the engine raises on purpose.

EngineError
├── NotFound            an id that names nothing: say which, list what exists
├── WrongState          the thing exists, but cannot take this command now
├── Invalid             the command's own values are wrong: mend and repeat
├── NotConfigured       something real is missing on this machine: install or set it
├── Stale               someone else committed first: load again and repeat (never reaches people)
├── Fenced              this turn was taken over by another worker (never reaches people)
└── ModelError          the model endpoint
    ├── ModelUnavailable    try later; `retry_after_s` when the endpoint said so
    ├── ModelKeyRejected    401/403: a person must change the key
    └── ModelRefused        this one request was refused (400, content filter, too long)

Every message is one or two plain sentences that end with what to do next.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors the engine raises on purpose; `str(error)` is fit to show to a person."""


class NotFound(EngineError):
    """No such task, agent, group, gate, file or revision."""


class WrongState(EngineError):
    """The target exists but its state does not allow the command (say, resume a task that ended)."""


class Invalid(EngineError):
    """A value of the command is out of its documented range or shape."""


class NotConfigured(EngineError):
    """A real part is missing: the message names it and how to install or set it."""


class Stale(EngineError):
    """Optimistic check failed inside a commit: reload the agent and act again on the same answer."""


class Fenced(EngineError):
    """The agent's fence moved: another worker owns this turn, drop everything."""


class ModelError(EngineError):
    """The model endpoint did not give a usable answer."""


class ModelUnavailable(ModelError):
    """Rate limit, overload, timeout, connection or server fault: the same request may work later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelKeyRejected(ModelError):
    """The endpoint rejected the API key (401, 403)."""


class ModelRefused(ModelError):
    """The endpoint refused this request for good (400, 404, 413, content filter)."""
