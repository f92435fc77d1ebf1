"""Discord's REST API v10 over loopback HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from simcord.backend.errors import BackendError
from simcord.http.router import RequestContext, RouteNotImplemented, UnsupportedField

import bot.local.routes  # noqa: F401  registers our routes
from bot.local.apierrors import TOO_LARGE, form_error, refuse, required
from bot.local.buckets import GLOBAL, Limiter, Request, Scope, Verdict
from bot.local.cdn import clean_filename
from bot.local.dispatch import Match, RouteTable
from bot.local.faults import Fault, FaultKind, LimitScope, wait_scaled
from bot.local.guard import from_browser
from bot.local.limits import check_request
from bot.local.options import LocalOptions
from bot.local.payloads import finish_result
from bot.local.world import World

API = "/api/v10"
Wire = dict[str, Any]

#: discord.py takes a 429 without this header for a ban by Cloudflare.
VIA = {"Via": "1.1 loopback"}
UNSAVED = "the local Discord cannot write its file; its log says why"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart request, in the shape SimCord's handlers expect."""

    filename: str
    fp: io.BytesIO
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request of the bot, as a test or a person reads it afterwards; ``fault``: it met an injected one."""

    method: str
    path: str
    status: int
    at: float
    template: str = ""
    body: object = None
    files: int = 0
    answer: object = None
    fault: bool = False


#: Called with each request that was answered, of every local Discord of this process (tests).
LISTENERS: list[Callable[[Call], None]] = []

#: Seconds in which invalid answers are counted towards a ban.
INVALID_WINDOW = 600.0
INVALID = frozenset({401, 403, 429})
#: Answers of Discord's that are 201: something was made.
CREATED = frozenset(
    {
        ("POST", "/guilds/{guild_id}/channels"),
        ("POST", "/channels/{channel_id}/threads"),
        ("POST", "/channels/{channel_id}/messages/{message_id}/threads"),
        ("POST", "/applications/{application_id}/emojis"),
        ("POST", "/guilds/{guild_id}/emojis"),
    }
)


@dataclass(slots=True)
class Seen:
    """What becomes known of a request while it is answered."""

    fault: bool
    template: str = ""
    body: object = None
    files: int = 0
    answer: object = None


class Rest:
    """Answers requests: faults, authorization, limits, validation, then the world.

    ``saved`` waits until the world is on disk: what was answered as done outlives a kill.
    """

    def __init__(
        self, world: World, options: LocalOptions, token: str, saved: Callable[[], Awaitable[bool]]
    ) -> None:
        self._world = world
        self._options = options
        self._token = token
        self._saved = saved
        self._routes = RouteTable()
        self._limiter = Limiter()
        self._invalid: deque[float] = deque()
        self._banned_until = 0.0
        self.gaps: list[str] = []
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, meeting at most one fault on the way."""
        path, method = request.path.removeprefix(API), request.method
        if from_browser(request):
            return web.Response(status=403, text="this API is for the bot, not for web pages")
        fault = self._options.faults.take(method, path)
        if fault is not None:
            self._world.pulse.beat()
        seen = Seen(fault is not None)
        early = self._banned() or await self._before(fault, request)
        response = early or await self._lasting(method, await self._answer(request, method, path, seen))
        self._count_invalid(response)
        self._record(method, path, response.status, seen)
        if fault is not None and fault.kind is FaultKind.DROP_AFTER:
            _cut(request)
        return response

    def _record(self, method: str, path: str, status: int, seen: Seen) -> None:
        at = time.monotonic()
        for listener in LISTENERS:
            listener(
                Call(method, path, status, at, seen.template, seen.body, seen.files, seen.answer, seen.fault)
            )
        self.calls.append(Call(method, path, status, at))
        del self.calls[:-20_000]

    def _now(self) -> float:
        return self._world.time.monotonic() * self._options.time_scale

    def _banned(self) -> web.Response | None:
        """Discord's edge refuses everything from an address that made too many invalid requests."""
        left = self._banned_until - self._now()
        return _edge(left / self._options.time_scale) if left > 0 else None

    def _count_invalid(self, response: web.Response) -> None:
        shared = response.headers.get("X-RateLimit-Scope") == Scope.SHARED
        if response.status not in INVALID or shared:
            return
        now, known = self._now(), self._world.conditions
        self._invalid.append(now)
        while now - self._invalid[0] > INVALID_WINDOW:
            self._invalid.popleft()
        if len(self._invalid) >= known.invalid_limit:
            self._banned_until = now + known.ban_s
            self._invalid.clear()

    async def _lasting(self, method: str, response: web.Response) -> web.Response:
        if method == "GET" or response.status >= 300 or await self._saved():
            return response
        return web.Response(status=503, text=UNSAVED, headers=VIA)

    async def _before(self, fault: Fault | None, request: web.Request) -> web.Response | None:
        if fault is None or fault.kind is FaultKind.DROP_AFTER:
            return None
        if fault.kind is FaultKind.DELAY:
            await wait_scaled(fault.seconds, self._options.time_scale)
            return None
        if fault.kind is FaultKind.DROP_BEFORE:
            _cut(request)
            return web.Response(status=502)
        if fault.kind is FaultKind.LIMIT:
            return self._fault_limit(fault)
        return web.Response(status=fault.status, text="upstream error", headers=VIA)

    def _fault_limit(self, fault: Fault) -> web.Response:
        if fault.scope is LimitScope.CLOUDFLARE:
            return _edge(fault.seconds / self._options.time_scale)
        scope = {LimitScope.GLOBAL: Scope.GLOBAL, LimitScope.SHARED: Scope.SHARED}.get(
            fault.scope, Scope.USER
        )
        return self._limited(scope, fault.seconds, {})

    async def _answer(self, request: web.Request, method: str, path: str, seen: Seen) -> web.Response:
        headers = dict(VIA)
        try:
            match = self._route(method, path)
            by_token = "token" in match.args
            self._authorize(request, by_token=by_token)
            body, uploads = await _read(request)
            # Nothing is awaited from here on: what is taken is announced, an outage cannot begin in between.
            if self._guild_of(path, match) in self._world.conditions.outage:
                return web.Response(status=503, text="upstream error", headers=VIA)
            seen.template, seen.files = match.template, len(uploads)
            if LISTENERS:
                seen.body = deepcopy(body)  # handlers change it
            if (refused := self._options.faults.refusal(method, path, body)) is not None:
                seen.fault = True
                raise refused
            verdict = self._count(request, match, path, body, bot=not by_token)
            headers |= _bucket_headers(match, verdict, self._options.time_scale)
            if verdict.refused_by is not None:
                return self._limited(verdict.refused_by.scope, verdict.retry_after, headers)
            seen.answer = self._run(request, match, body, uploads)
            status = 201 if (method, match.template) in CREATED else 200
            return _json(seen.answer, status=status, headers=headers)
        except BackendError as error:
            seen.answer = error.to_json()
            return self._refusal(error, headers)
        finally:
            self._world.pulse.beat()

    def _guild_of(self, path: str, match: Match) -> int:
        """The guild that a request is about, 0 for none."""
        kind, number = path.strip("/").split("/")[:2] if path.count("/") > 1 else ("", "")
        if kind == "guilds" and number.isdecimal():
            return int(number)
        hook = self._world.webhooks.get(int(number)) if kind == "webhooks" and number.isdecimal() else None
        known = int(number) if kind == "channels" and number.isdecimal() else hook.channel_id if hook else 0
        channel = self._world.channels.get(known) if "token" not in match.args or hook else None
        return (channel.guild_id or 0) if channel else 0

    def _route(self, method: str, path: str) -> Match:
        match = self._routes.find(method, path)
        if match is None:
            raise RouteNotImplemented(method, path)
        return match

    def _authorize(self, request: web.Request, *, by_token: bool) -> None:
        if not by_token and request.headers.get("Authorization") != f"Bot {self._token}":
            raise BackendError(401, 0, "401: Unauthorized")

    def _refusal(self, error: BackendError, headers: dict[str, str]) -> web.Response:
        """Discord's error object; what we do not know is recorded, so that a test can fail."""
        if isinstance(error, RouteNotImplemented | UnsupportedField):
            self.gaps.append(error.message)
        payload = error.to_json()
        if error.code == 50035 and "errors" not in payload:
            detail = error.message.removeprefix("Invalid Form Body: ")
            payload |= form_error("", "BASE_TYPE_INVALID", detail).to_json()
        if error.status == 429:
            payload |= {"retry_after": 60.0 / self._options.time_scale, "global": False}
        return _json(payload, status=error.status, headers=headers)

    def _count(self, request: web.Request, match: Match, path: str, body: object, *, bot: bool) -> Verdict:
        if not self._options.rate_limits:
            return Verdict()
        token = match.args.get("token", "")
        major = token or (path.strip("/").split("/")[1] if path.count("/") > 1 else "")
        hook = self._world.webhooks.get(self._world.webhook_tokens.get(token) or 0)
        place = request.query.get("thread_id") or (str(hook.channel_id) if hook else "")
        fields = frozenset(body) if isinstance(body, dict) else frozenset()
        now = self._world.time.monotonic() * self._options.time_scale
        return self._limiter.take(Request(request.method, match.template, major, place, fields, bot), now)

    def _limited(self, scope: Scope, wait: float, headers: dict[str, str]) -> web.Response:
        real = wait / self._options.time_scale
        headers = VIA | headers | {"Retry-After": str(int(real) + 1), "X-RateLimit-Scope": scope}
        if scope is Scope.GLOBAL:
            headers["X-RateLimit-Global"] = "true"
        payload = {
            "message": "You are being rate limited.",
            "code": 0,
            "retry_after": round(real, 3),
            "global": scope is GLOBAL.scope,
        }
        return _json(payload, status=429, headers=headers)

    def _run(self, request: web.Request, match: Match, body: object, uploads: list[Upload]) -> object:
        reason = request.headers.get("X-Audit-Log-Reason")
        ctx = RequestContext(
            self._world,
            {key: unquote(value) for key, value in match.args.items()},
            json=body,
            params=dict(request.query),
            files=list(uploads),
            reason=unquote(reason) if reason else None,
            method=request.method,
            path=request.path.removeprefix(API),
            message_content_access=self._world.reads_content,
        )
        with refusals_in_words(request.method, ctx.path):
            check_request(self._world, match.template, ctx)
            return finish_result(self._world, match.handler(ctx))


@contextmanager
def refusals_in_words(method: str, path: str) -> Iterator[None]:
    """What SimCord's handlers raise on a malformed body, as the refusal Discord would give."""
    try:
        yield
    except NotImplementedError as error:
        raise RouteNotImplemented(method, f"{path} ({error})") from error
    except KeyError as error:
        raise required(str(error.args[0])) from error
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise form_error("", "BASE_TYPE_INVALID", str(error)) from error


def _edge(seconds: float) -> web.Response:
    """The answer of Discord's edge to an address that is banned."""
    return web.Response(status=429, text="error code: 1015", headers={"Retry-After": str(int(seconds) + 1)})


def _cut(request: web.Request) -> None:
    """End the TCP connection at once, as a network in trouble does."""
    if request.transport is not None:
        request.transport.abort()


def _json(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    if data is None:
        return web.Response(status=204, headers=headers)
    # discord.py parses JSON only under exactly this content type, without a charset.
    return web.Response(
        body=json.dumps(data, default=str).encode(),
        status=status,
        headers={**(headers or {}), "Content-Type": "application/json"},
    )


def _bucket_headers(match: Match, verdict: Verdict, scale: float) -> dict[str, str]:
    if verdict.limit is None:
        return {}
    bucket = zlib.crc32(f"{verdict.limit.name} {match.template}".encode())
    reset_after = verdict.reset_after / scale
    if verdict.refused_by is not None and verdict.refused_by is verdict.limit:
        reset_after = verdict.retry_after / scale
    return {
        "X-RateLimit-Limit": str(verdict.limit.count),
        "X-RateLimit-Remaining": str(max(0, verdict.remaining)),
        "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
        "X-RateLimit-Reset-After": f"{reset_after:.3f}",
        "X-RateLimit-Bucket": f"{bucket:08x}",
    }


async def _read(request: web.Request) -> tuple[object, list[Upload]]:
    """The JSON body (None without one) and the uploaded files in their declared order."""
    if not request.can_read_body:
        return None, []
    try:
        if not request.content_type.startswith("multipart/"):
            return await request.json(), []
        return await _multipart(request)
    except web.HTTPRequestEntityTooLarge as error:
        raise refuse(TOO_LARGE) from error
    except json.JSONDecodeError as error:
        raise BackendError(400, 50109, "The request body contains invalid JSON.") from error
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise form_error("", "CONTENT_TYPE_INVALID", str(error)) from error


async def _multipart(request: web.Request) -> tuple[object, list[Upload]]:
    form = await request.post()
    sent = form.get("payload_json", "{}")  # as text, or with a content type of its own, as bytes
    body: Wire = json.loads(sent if isinstance(sent, (bytes, bytearray)) else str(sent))
    described = {
        str(item.get("id")): item.get("description")
        for item in (body.get("data") or body).get("attachments") or []
    }
    uploads = []
    for key, part in form.items():
        if isinstance(part, web.FileField):
            index = key.removeprefix("files[").removesuffix("]")
            data = io.BytesIO(part.file.read())
            name = clean_filename(part.filename)
            uploads.append(Upload(name, data, described.get(index)))
        elif key != "payload_json":
            raise UnsupportedField(request.method, request.path, [key])
    return _clean_references(body), uploads


def _clean_references(node: Any) -> Any:
    """``attachment://name`` with the name as it is stored."""
    if isinstance(node, dict):
        return {key: _clean_references(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_clean_references(value) for value in node]
    scheme = "attachment://"
    if isinstance(node, str) and node.startswith(scheme):
        return scheme + clean_filename(node.removeprefix(scheme))
    return node
