"""Faults of Discord, switched on by a test or by a person who wants to see them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simcord.backend.errors import BackendError

from bot.local.apierrors import form_error


class FaultKind(StrEnum):
    """The effect of a fault on a request."""

    STATUS = "status"
    LIMIT = "limit"
    DELAY = "delay"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    REFUSE = "refuse"


class LimitScope(StrEnum):
    """The variant of Discord's 429 answer.

    ``bucket`` is the route's own, ``global`` stops every route, ``shared`` is hidden behind a resource that
    others use too, ``cloudflare`` comes without a Via header and means a ban.
    """

    BUCKET = "bucket"
    GLOBAL = "global"
    SHARED = "shared"
    CLOUDFLARE = "cloudflare"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``path`` is a regular expression for the whole path below /api/v10."""

    kind: FaultKind
    method: str
    path: str
    status: int = 0
    scope: LimitScope = LimitScope.BUCKET
    seconds: float = 0.0
    error: BackendError | None = None
    containing: str = ""

    def meets(self, method: str, path: str) -> bool:
        """Return True if this fault applies to a request."""
        return self.method in (method, "*") and re.fullmatch(self.path, path) is not None


ALWAYS = 1_000_000


class GatewayControls(Protocol):
    """The gateway operations that faults need."""

    def send_reconnect(self) -> None:
        """Send op 7 on every connection."""

    def send_invalid(self, *, resumable: bool) -> None:
        """Send op 9 on every connection; not resumable also forgets the sessions."""

    async def close_all(self, code: int, *, forget: bool) -> None:
        """Close every connection with a code; ``forget`` ends the sessions too."""

    def play_dead(self, dead: bool) -> None:
        """Stop (or resume) answering heartbeats and sending events."""


class Faults:
    """Faults waiting to happen. Each request meets at most one, in the order they were added."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int]] = []
        self._gateway: GatewayControls | None = None
        self.met: list[tuple[Fault, str, str]] = []

    def fail(self, method: str, path: str, *, status: int, times: int = 1) -> None:
        """Answer with an HTTP status and a plain-text body, as a proxy in trouble does."""
        self._add(Fault(FaultKind.STATUS, method, path, status=status), times)

    def limit(
        self,
        method: str,
        path: str,
        *,
        scope: LimitScope = LimitScope.BUCKET,
        retry_after: float = 0.3,
        times: int = 1,
    ) -> None:
        """Answer 429 in one of its variants; ``retry_after`` is in seconds, before scaling."""
        self._add(Fault(FaultKind.LIMIT, method, path, scope=scope, seconds=retry_after), times)

    def delay(self, method: str, path: str, *, seconds: float, times: int = 1) -> None:
        """Answer late, by ``seconds`` before scaling."""
        self._add(Fault(FaultKind.DELAY, method, path, seconds=seconds), times)

    def drop_before(self, method: str, path: str, *, times: int = 1) -> None:
        """Cut the connection before the request takes effect."""
        self._add(Fault(FaultKind.DROP_BEFORE, method, path), times)

    def drop_after(self, method: str, path: str, *, times: int = 1) -> None:
        """Let the request take effect, then cut the connection instead of answering."""
        self._add(Fault(FaultKind.DROP_AFTER, method, path), times)

    def refuse(
        self,
        method: str,
        path: str,
        *,
        status: int,
        code: int,
        message: str = "Refused",
        field: str = "",
        field_code: str = "BASE_TYPE_INVALID",
        containing: str = "",
        times: int = ALWAYS,
    ) -> None:
        """Refuse with one of Discord's JSON errors what meets the path and holds ``containing``.

        ``containing`` is a regular expression searched in the JSON body, case-insensitive: a word filter.
        ``field`` is the dotted path under ``errors``, ``field_code`` the code there.
        """
        error = BackendError(status, code, message)
        if field:
            error = BackendError(status, code, message, errors=form_error(field, field_code, message).errors)
        self._add(Fault(FaultKind.REFUSE, method, path, error=error, containing=containing), times)

    def refusal(self, method: str, path: str, body: object) -> BackendError | None:
        """Return the refusal that applies to this request, or None; it is used up."""
        text = json.dumps(body, ensure_ascii=False)

        def meant(fault: Fault) -> bool:
            found = re.search(fault.containing, text, re.IGNORECASE) is not None
            return fault.kind is FaultKind.REFUSE and fault.meets(method, path) and found

        fault = self._take(meant, method, path)
        return fault.error if fault else None

    def clear(self) -> None:
        """Remove all faults that have not happened yet."""
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that applies to this request, or None; it is used up."""
        return self._take(
            lambda fault: fault.kind is not FaultKind.REFUSE and fault.meets(method, path), method, path
        )

    def _take(self, meant: Callable[[Fault], bool], method: str, path: str) -> Fault | None:
        for index, (fault, times) in enumerate(self._waiting):
            if meant(fault):
                self._waiting[index : index + 1] = [(fault, times - 1)] if times > 1 else []
                self.met.append((fault, method, path))
                return fault
        return None

    def attach(self, gateway: GatewayControls) -> None:
        """Set the gateway that gateway faults act on; called by the server."""
        self._gateway = gateway

    def reconnect(self) -> None:
        """Ask every connected client to reconnect and resume (op 7)."""
        self._controls.send_reconnect()

    def invalidate(self, *, resumable: bool = False) -> None:
        """Tell every connected client that its session is invalid (op 9)."""
        self._controls.send_invalid(resumable=resumable)

    async def close(self, code: int = 4000, *, forget: bool = False) -> None:
        """Close every gateway connection with a close code."""
        await self._controls.close_all(code, forget=forget)

    def zombie(self, dead: bool = True) -> None:
        """Leave connections open but silent: no heartbeat is acknowledged, no event sent."""
        self._controls.play_dead(dead)

    def _add(self, fault: Fault, times: int) -> None:
        self._waiting.append((fault, times))

    @property
    def _controls(self) -> GatewayControls:
        if self._gateway is None:
            raise RuntimeError("gateway faults need a started LocalDiscord")
        return self._gateway


async def wait_scaled(seconds: float, scale: float) -> None:
    """Sleep ``seconds`` of Discord's time."""
    await asyncio.sleep(seconds / scale)
