"""The engine's exceptions.

EngineError
├── Refused             a command is not carried out; it carries a `Refusal`
│   ├── NotFound            an id does not exist
│   ├── WrongState          the object exists, but its state does not allow the command
│   └── Invalid             a value of the command is wrong: correct it and repeat
├── NotConfigured       something is missing on this machine: install or configure it
│   └── StorageFull         the disk is full: free space, work resumes by itself
├── Stale               another commit came first: load again and repeat (never reaches people)
├── Fenced              another worker took over this turn (never reaches people)
├── OutsideError        a call to a tool of the world outside
│   ├── NotSent             the tool did nothing: nothing reached it, or it refused
│   └── Unanswered          the tool may have acted: never repeat it blindly
└── ModelError          an error of the model endpoint
    ├── ModelUnavailable    retry later; `retry_after_s` when the endpoint named a time
    ├── ModelNeedsPerson    no call can succeed before a person changes a setting or the account
    │   ├── ModelKeyRejected        the key is wrong, or the account has no credit
    │   └── ModelMisconfigured      model's name, base URL, a flag of the server, …
    ├── ModelBadAnswer      the endpoint refused what the model answered: report it to the model
    └── ModelRefused        this request is refused permanently (moderation, unknown reasons)
        └── ModelTooLong    the prompt is too long: shorten it

Every message is one or two plain sentences that end with what to do next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engine.secrets import redact


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done, and what to do next: one or two sentences each, neither empty."""

    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.reason} {self.next_step}"

    def format(self, **values: object) -> Refusal:
        """Return the refusal with the values put into both of its texts."""
        return Refusal(self.reason.format(**values), self.next_step.format(**values))


class EngineError(Exception):
    """Base class of the engine's exceptions; `str(error)` can be shown to people."""


class Refused(EngineError):
    """A command is not carried out: why, and what to do next."""

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason, next_step)
        self.refusal = Refusal(reason, next_step)

    def __str__(self) -> str:
        return str(self.refusal)


class NotFound(Refused):
    """A task, agent, group, gate, file or revision does not exist."""


class WrongState(Refused):
    """The object exists but its state does not allow the command, such as resuming a task that ended."""


class Invalid(Refused):
    """A value is outside its documented range or shape."""


class NotConfigured(EngineError):
    """A part is missing on this machine; the message names it and how to install or configure it."""


class StorageFull(NotConfigured):
    """The disk is full; work resumes by itself once there is space."""


class Stale(EngineError):
    """An optimistic check failed in a commit: reload the agent and apply the same answer again."""


class Fenced(EngineError):
    """The agent's fence has moved: another worker owns this turn, so this one is dropped."""


class OutsideError(EngineError):
    """A call to a tool of the world outside got no answer. The message holds no secret; `foreign`: words of
    the tool are in it."""

    def __init__(self, message: str = "", *more: object, foreign: bool = False) -> None:
        super().__init__(redact(message), *more)
        self.foreign = foreign


class NotSent(OutsideError):
    """The tool did nothing, as nothing reached it or it refused; the message says what to do."""


class Unanswered(OutsideError):
    """The call was sent and no answer came: whether the tool acted is unknown."""


class CallNotSent(asyncio.CancelledError):
    """A model call was cancelled before it reached its endpoint, so it costs nothing."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call without a usable answer used, as its endpoint counted; `guessed`: at a ceiling price."""

    model: str
    prompt: int
    completion: int
    cost_micros: int
    cached: int = 0
    guessed: bool = False


class ModelError(EngineError):
    """The model endpoint did not give a usable answer.

    The message holds no secret, whoever wrote it: addresses and answers of endpoints are quoted in many.
    `free`: the endpoint refused the call, or never got it, so that it costs nothing; where it is False that
    is not known. `charge`: what the call used, where the endpoint said so.
    """

    free = False
    charge: Charge | None = None

    def __init__(self, message: str = "", *more: object) -> None:
        super().__init__(redact(message), *more)


class ModelUnavailable(ModelError):
    """Rate limit, overload, timeout, connection or server error: the same request may succeed later."""

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
    """The endpoint refuses this request permanently. `tell`: a hint for the model that may help a retry."""

    def __init__(self, message: str, tell: str = "") -> None:
        super().__init__(message)
        self.tell = tell


class ModelTooLong(ModelRefused):
    """The prompt is longer than the endpoint accepts; a shorter one may succeed."""
