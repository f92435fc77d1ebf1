"""Sign-ins at MCP servers by OAuth, on the official package: what a connection carries, and a person's part.

A connection never waits for a person: without tokens that are good its server says so. A person begins a
sign-in, opens its link, and is sent to the redirect address with a code. That address is answered by this
process (`callback.py`), or pasted back into a window.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import anyio
import httpx2
from mcp import types
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata
from pydantic import AnyUrl

from engine.connectors.mcp import bounds
from engine.connectors.mcp.config import ServerConfig
from engine.connectors.mcp.signin_store import KeptSignIn
from engine.domain.clean import clean_line
from engine.errors import Invalid, WrongState
from engine.ports import SignInLink
from engine.secrets import redact

log = logging.getLogger(__name__)
# It writes whole tracebacks for what is an answer here; the reason reaches people by the server's state.
logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL)

LINK_S = 600.0
"""Seconds in which a link has to be used."""

ANSWER_S = 45.0
"""Seconds in which servers have to answer while a sign-in begins or ends."""

MOST_OPEN = 8
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {"Accept": "application/json, text/event-stream"}

_HELD = "megaagent.held"


def is_held(request: httpx2.Request) -> bool:
    """Return whether a refusal of a request is not its last word: the sign-in that it carries sees to it."""
    return bool(request.extensions.get(_HELD))


_RENEWAL_REFUSED = frozenset({400, 401, 403})
"""Statuses by which a server says that it will not renew; after any other it is asked again later."""

May = Callable[[], Awaitable[bool]]
"""Return whether who began a sign-in may still end it."""


class SignInNeeded(Exception):
    """Only a person can go on: the server wants a sign-in."""


class _Provider(OAuthClientProvider):
    """The package's provider with what is kept of an earlier sign-in, also where tokens are renewed."""

    def __init__(self, config: ServerConfig, kept: KeptSignIn, redirect: str) -> None:
        self._kept = kept
        super().__init__(
            config.entry.url, _about_us(config, redirect), kept, self.redirected, self.called_back
        )

    async def _initialize(self) -> None:
        kept = await self._kept.read()
        context = self.context
        context.current_tokens, context.token_expiry_time = kept.tokens, kept.expires_at
        context.client_info = await self._kept.get_client_info()
        context.oauth_metadata, context.protected_resource_metadata = kept.server, kept.resource
        if kept.resource is not None:
            context.auth_server_url = str(kept.resource.authorization_servers[0])
        self._initialized = True

    async def redirected(self, link: str) -> None:
        """Take the link for a person."""
        raise NotImplementedError

    async def called_back(self) -> AuthorizationCodeResult:
        """Return what the person was sent back with."""
        raise NotImplementedError


class Carried(_Provider):
    """The sign-in that a connection carries: tokens are renewed by themselves, a person is never waited for.

    What is kept is read again for each request: another process may have signed in or renewed meanwhile.
    `needed`: a sign-in would help. `trouble`: why none is possible, foreign text. `outdated` is called once
    the server refused a token that the next connection can replace.
    """

    def __init__(self, config: ServerConfig, kept: KeptSignIn, redirect: str) -> None:
        super().__init__(config, kept, redirect)
        self.needed, self.trouble = False, ""
        self.outdated: Callable[[], None] = lambda: None
        self._claim = self._loaded = ""

    async def _initialize(self) -> None:
        """Load what is kept. Tokens that are to be renewed are renewed by one request at a time."""
        self._claim = secrets.token_hex(8)
        await self._load()
        while not self.context.is_token_valid() and self.context.can_refresh_token():
            if await self._kept.claim_renewal(self._claim):
                await self._load()  # another process may have ended its renewal just before
                return
            await self._kept.wait()
            await self._load()
        self._claim = ""

    async def _load(self) -> None:
        await super()._initialize()
        self._loaded = self._access

    async def redirected(self, link: str) -> None:
        """Note that a person is needed, and for what."""
        check_link(link)
        scope = self.context.client_metadata.scope or ""
        await self._kept.note_asked(self._access, scope)
        raise SignInNeeded

    async def _auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send the request with what there is; where that is refused, let its own answer stand."""
        self._initialized, claim, asked = False, "", False
        flow = super()._auth_flow(request)
        try:
            try:
                outgoing = await anext(flow)
            finally:
                claim = self._claim  # the package begins the next flow only after this
            while True:
                if outgoing is request:
                    asked = True
                    request.extensions[_HELD] = True
                    await self._end_renewal(claim)
                answer = yield outgoing
                if not asked and answer.status_code in _RENEWAL_REFUSED:
                    await self._kept.renewal_refused(self._access)
                if outgoing is request and answer.status_code == 401:
                    if await self.may_renew():
                        # The token was ended before its time: the next connection renews it.
                        await self._kept.ended_early(self._refused)
                        self.outdated()
                        return
                    await self._kept.note_refused(self._refused)
                outgoing = await flow.asend(answer)
        except StopAsyncIteration:
            return
        except SignInNeeded:
            self.needed = True
        except Exception as error:  # noqa: BLE001 - foreign answers make the package raise whatever it likes
            self.trouble = told(error)
        finally:
            with anyio.CancelScope(shield=True):  # a claim that is left makes all others wait until it is old
                await flow.aclose()
                await self._end_renewal(claim)
        request.headers.pop("Authorization", None)
        request.extensions.pop(_HELD, None)
        yield request  # the server's refusal is the answer to this request, not what was asked on the way

    @property
    def _access(self) -> str:
        now = self.context.current_tokens
        return now.access_token if now is not None else ""

    @property
    def _refused(self) -> str:
        """The token of a request that was refused: after a renewal that failed, the one that was to be
        renewed."""
        return self._access or self._loaded

    async def _end_renewal(self, claim: str) -> None:
        if claim:
            await self._kept.end_renewal(claim)

    async def may_renew(self) -> bool:
        """Return whether the next request can have a better token than this one, which was refused."""
        return await self._kept.has_better_than(self._refused)


def _about_us(config: ServerConfig, redirect: str) -> OAuthClientMetadata:
    oauth = config.entry.megaagent.oauth
    local = urlsplit(redirect).hostname in _LOOPBACK
    return OAuthClientMetadata(
        redirect_uris=[AnyUrl(redirect)],
        client_name="MegaAgent",
        scope=oauth.scope or None,
        application_type="native" if local else "web",
    )


def preset_client(config: ServerConfig, redirect: str) -> OAuthClientInformationFull | None:
    """Return the client that the operator registered at the server by hand, None without one."""
    oauth = config.entry.megaagent.oauth
    if not oauth.client_id:
        return None
    return OAuthClientInformationFull(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret or None,
        redirect_uris=[AnyUrl(redirect)],
        token_endpoint_auth_method="client_secret_post" if oauth.client_secret else "none",
    )


def check_link(link: str) -> None:
    """Check the address that a person is to open. Raises Invalid."""
    try:
        parts = urlsplit(link)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Invalid(
            "Its sign-in page is not reached over https, so nobody is sent there.",
            "Correct its address in mcp.json.",
        )


def told(error: BaseException) -> str:
    """Return why a sign-in failed, as people may read it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return redact(clean_line(str(error) or type(error).__name__))[:300]


# ---------------------------------------------------------------- a person's part


class _Interactive(_Provider):
    """A sign-in that a person carries out: it begins without tokens, whatever is kept."""

    def __init__(self, config: ServerConfig, kept: KeptSignIn, redirect: str) -> None:
        super().__init__(config, kept, redirect)
        self.link: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.back: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def _initialize(self) -> None:
        self.context.client_info = await self._kept.get_client_info()
        self._initialized = True

    async def redirected(self, link: str) -> None:
        """Hand the link out, with what the server asked for since the last sign-in."""
        check_link(link)
        self.link.set_result(_with_scope(link, (await self._kept.read()).asked_scope))

    async def called_back(self) -> AuthorizationCodeResult:
        """Wait for what the person was sent back with."""
        async with asyncio.timeout(LINK_S):
            return await self.back

    async def keep_metadata(self) -> None:
        """Keep where tokens are renewed."""
        context = self.context
        await self._kept.change(
            server=context.oauth_metadata, resource=context.protected_resource_metadata, asked_scope=""
        )


def _with_scope(link: str, wider: str) -> str:
    """Return the link with the scopes that are asked for added."""
    parts = urlsplit(link)
    pairs = dict(parse_qsl(parts.query, keep_blank_values=True))
    words = [*pairs.get("scope", "").split(), *wider.split()]
    if words:
        pairs["scope"] = " ".join(dict.fromkeys(words))
    return urlunsplit(parts._replace(query=urlencode(pairs)))


@dataclass(slots=True)
class _Open:
    """A sign-in that waits for its person."""

    server: str
    by: str
    may: May
    provider: _Interactive
    run: asyncio.Task[None]


class SignIns:
    """The sign-ins that are under way in this process. A restart ends them: a new link is asked for."""

    def __init__(self, redirect: str) -> None:
        self.redirect = redirect
        self._open: dict[str, _Open] = {}
        self.changed: Callable[[], Awaitable[None]] | None = None

    @property
    def waiting(self) -> bool:
        """Return whether any sign-in waits for its person."""
        return bool(self._open)

    async def begin(
        self, config: ServerConfig, kept: KeptSignIn, by: str, may: May, done: Callable[[], None]
    ) -> SignInLink:
        """Return the link for a person, `by`. `done` is called once tokens are kept. Raises Invalid."""
        for state, other in list(self._open.items()):
            if (other.server, other.by) == (config.name, by):
                self._end(state)
        if len(self._open) >= MOST_OPEN:
            raise WrongState("Too many sign-ins are under way.", "Try again in ten minutes.")
        provider = _Interactive(config, kept, self.redirect)
        run = asyncio.create_task(_carried_out(config, provider, done), name=f"sign-in-{config.name}")
        first: set[asyncio.Future[Any]] = {run, provider.link}
        await asyncio.wait(first, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if not provider.link.done():
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            failed = None if run.cancelled() else run.exception()
            why = told(failed) if failed is not None else "it did not ask for one"
            raise Invalid(f"{config.name} cannot be signed in to: {why}", "See /tools for its state.")
        link = provider.link.result()
        state = _one(parse_qs(urlsplit(link).query), "state")
        self._open[state] = _Open(config.name, by, may, provider, run)
        run.add_done_callback(lambda ended: self._ended(state, ended))
        await self._tell()
        return SignInLink(config.name, link, urlsplit(link).hostname or "", LINK_S)

    async def finish(self, address: str, by: str | None) -> str:
        """End the sign-in that a person was sent back with. Return its server.

        `by` None: the address was opened, not pasted; who began it is asked for by `may`. Raises Invalid,
        WrongState.
        """
        given = _answer_in(address, self.redirect)
        state = _one(given, "state")
        found = self._open.get(state)
        if found is None or (by is not None and by != found.by):
            raise WrongState("This sign-in is not open, or somebody else's.", "Ask for a new link in /tools.")
        if not await found.may():
            self._end(state)
            raise WrongState("Who began this sign-in may not give it any more.", "Ask someone who may.")
        if not _one(given, "code"):
            self._end(state)
            why = clean_line(_one(given, "error_description") or _one(given, "error") or "no code came")
            raise Invalid(
                f"{found.server} was not signed in to: {why[:200]}.", "Ask for a new link in /tools."
            )
        if not found.provider.back.done():
            iss = _one(given, "iss") or None
            found.provider.back.set_result(
                AuthorizationCodeResult(code=_one(given, "code"), state=state, iss=iss)
            )
        await asyncio.wait({found.run}, timeout=ANSWER_S)
        if not found.run.done():
            self._end(state)
            raise Invalid(f"{found.server} did not answer in time.", "Ask for a new link in /tools.")
        if found.run.cancelled():
            raise WrongState("This sign-in was ended by a newer one.", "Use the newest link.")
        if failed := found.run.exception():
            raise Invalid(
                f"{found.server} did not accept the sign-in: {told(failed)}", "Ask for a new link in /tools."
            )
        return found.server

    def _ended(self, state: str, run: asyncio.Task[None]) -> None:
        if not run.cancelled() and (error := run.exception()) is not None:
            log.info("A sign-in was not carried out: %s", told(error))
        self._end(state)

    def _end(self, state: str) -> None:
        found = self._open.pop(state, None)
        if found is not None:
            found.run.cancel()
            if not self._open and self.changed is not None:
                self._told = asyncio.ensure_future(self.changed())

    async def _tell(self) -> None:
        if self.changed is not None:
            await self.changed()

    async def close(self) -> None:
        """End all that is open. Repeatable."""
        runs = [found.run for found in self._open.values()]
        for state in list(self._open):
            self._end(state)
        await asyncio.gather(*runs, return_exceptions=True)


async def _carried_out(config: ServerConfig, provider: _Interactive, done: Callable[[], None]) -> None:
    """Ask the server until it wants a sign-in, which the provider then carries out."""
    timeout = httpx2.Timeout(ANSWER_S)
    headers = {**bounds.PLAIN, **config.entry.headers}
    hooks = {"response": [bounds.bound_body]}
    async with httpx2.AsyncClient(auth=provider, timeout=timeout, headers=headers, event_hooks=hooks) as http:
        for method, params in _PROBES:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with http.stream("POST", config.entry.url, json=body, headers=_HEADERS) as answer:
                if answer.status_code == 405:
                    break
            if provider.back.done():
                break
    with suppress(asyncio.InvalidStateError):
        provider.back.result()
        await provider.keep_metadata()
        done()


_PROBES: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "initialize",
        {
            "protocolVersion": types.LATEST_PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "megaagent", "version": "1"},
        },
    ),
    ("tools/list", {}),
)
"""Requests that change nothing, by which a server asks for a sign-in."""


def _answer_in(address: str, redirect: str) -> dict[str, list[str]]:
    """Return what an address that somebody was sent to says. Raises Invalid for any other address."""
    try:
        given, ours = urlsplit(address.strip().strip("<>")), urlsplit(redirect)
        same = (given.scheme, given.netloc, given.path) == (ours.scheme, ours.netloc, ours.path)
    except ValueError:
        same = False
    if not same:
        raise Invalid(
            "That is not the address that your browser ended at.",
            f"Paste all of it: it begins with {redirect}?",
        )
    return parse_qs(given.query)


def _one(values: dict[str, list[str]], name: str) -> str:
    found = values.get(name, [])
    return found[0] if len(found) == 1 else ""
