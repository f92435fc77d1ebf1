"""Everything the engine raises on purpose.

EngineError
├── NotFound            an id that names nothing: say which, list what exists
├── WrongState          the thing exists, but cannot take this command now
├── Invalid             the command's own values are wrong: mend and repeat
├── NotConfigured       something real is missing on this machine: install or set it
│   └── StorageFull         no room on the disk: make some, work goes on by itself
├── Stale               someone else committed first: load again and repeat (never reaches people)
├── Fenced              this turn was taken over by another worker (never reaches people)
└── ModelError          the model endpoint
    ├── ModelUnavailable    try later; `retry_after_s` when the endpoint said so
    ├── ModelNeedsPerson    no call can succeed before a person changes a setting or the account
    │   ├── ModelKeyRejected        the key is wrong, or the account has no credit
    │   └── ModelMisconfigured      model's name, base URL, a flag of the server, …
    ├── ModelBadAnswer      the model answered in a way its endpoint refuses: tell the model
    └── ModelRefused        this one request was refused for good (moderation, unknown reasons)
        └── ModelTooLong    the prompt is too long: shorten it

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


class StorageFull(NotConfigured):
    """There is no room to store anything: work goes on by itself once somebody made some."""


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


class ModelNeedsPerson(ModelError):
    """No call to this endpoint and model can succeed before a person changes something."""


class ModelKeyRejected(ModelNeedsPerson):
    """The endpoint rejected the API key, or its account has no credit."""


class ModelMisconfigured(ModelNeedsPerson):
    """A setting other than the key is wrong; the message names it."""


class ModelBadAnswer(ModelError):
    """The endpoint refused what the model answered; `str(error)` tells the model what was wrong."""


class ModelRefused(ModelError):
    """The endpoint refused this request for good. `tell`: words for the model that may help a second try."""

    def __init__(self, message: str, tell: str = "") -> None:
        super().__init__(message)
        self.tell = tell


class ModelTooLong(ModelRefused):
    """The prompt is longer than the endpoint takes; a shorter one may pass."""
