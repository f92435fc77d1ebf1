"""An MCP server that asks for a sign-in, with its authorization server: both of the official package."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    IdentityAssertionParams,
    ProviderTokenVerifier,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from mcp.types import ToolAnnotations
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCOPE = "notes"


class Accounts:
    """The authorization server: it agrees to everything at once. `good_for`: seconds of an access token.

    `made`: what tools did, by whom. `trouble`: renewals end in an error of the server's own; `slow_s`:
    seconds that they take, and `renewing`: one is under way.
    """

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.renewals: dict[str, RefreshToken] = {}
        self.good_for = 3_600
        self.renewed = 0
        self.resource: str | None = None
        self.made: list[str] = []
        self.trouble = self.renewing = False
        self.slow_s = 0.0

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """See the package's protocol."""
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """See the package's protocol."""
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """See the package's protocol."""
        code = AuthorizationCode(
            code=secrets.token_hex(16),
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        """See the package's protocol."""
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        """See the package's protocol."""
        del self.codes[authorization_code.code]
        return self._token(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        """See the package's protocol."""
        if self.trouble:
            raise RuntimeError("the authorization server has trouble")
        self.renewing = True
        await asyncio.sleep(self.slow_s)
        return self.renewals.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """See the package's protocol."""
        del self.renewals[refresh_token.token]
        self.renewed += 1
        return self._token(client.client_id, scopes, self.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        """See the package's protocol."""
        found = self.access.get(token)
        return found if found is not None and (found.expires_at or 0) > time.time() else None

    async def exchange_identity_assertion(
        self, client: OAuthClientInformationFull, params: IdentityAssertionParams
    ) -> OAuthToken:
        """See the package's protocol: it is not offered here."""
        raise NotImplementedError

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        """See the package's protocol."""
        self.access.pop(token.token, None)

    def _token(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        self.resource = resource
        access, renewal = f"access-{secrets.token_hex(12)}", f"renewal-{secrets.token_hex(12)}"
        until = int(time.time()) + self.good_for
        self.access[access] = AccessToken(
            token=access, client_id=client_id, scopes=scopes, expires_at=until, resource=resource
        )
        self.renewals[renewal] = RefreshToken(token=renewal, client_id=client_id, scopes=scopes)
        return OAuthToken(
            access_token=access, refresh_token=renewal, expires_in=self.good_for, scope=" ".join(scopes)
        )


@dataclass
class _StepUp:
    """Refuses the tool `change` to a token without the scope `more`, and says which scope it wants."""

    app: ASGIApp
    accounts: Accounts
    origin: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        token = await self.accounts.load_access_token(
            request.headers.get("authorization", "").partition(" ")[2]
        )
        if b'"change"' in body and token is not None and "more" not in token.scopes:
            metadata = f"{self.origin}/.well-known/oauth-protected-resource/mcp"
            wants = f'Bearer error="insufficient_scope", scope="{SCOPE} more", resource_metadata="{metadata}"'
            await Response(status_code=403, headers={"WWW-Authenticate": wants})(scope, receive, send)
            return
        await self.app(scope, _once(body, receive), send)


def _once(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, then what comes after it."""
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(given, None) or await receive()

    return again


@asynccontextmanager
async def guarded_server(accounts: Accounts, *, registers: bool = True) -> AsyncIterator[str]:
    """Yield the address of a running server whose tools need a sign-in, at a server of its own.

    `registers` False: it knows only clients that were registered by hand, and wants one more scope (`more`)
    for the tool that changes something, as GitHub's does.
    """
    origin, login = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    allowed = ClientRegistrationOptions(
        enabled=registers, valid_scopes=[SCOPE, "more"], default_scopes=[SCOPE]
    )
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(login),
        resource_server_url=AnyHttpUrl(f"{origin}/mcp"),
        required_scopes=[SCOPE],
        validate_token_resource=True,
    )
    made = MCPServer("guarded", token_verifier=ProviderTokenVerifier(accounts), auth=auth)

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    def look(item: str) -> str:
        """Look."""
        accounts.made.append(item)
        return f"seen {item}"

    @made.tool()
    def change(item: str) -> str:
        """Change."""
        accounts.made.append(item)
        return f"changed {item}"

    routes = create_auth_routes(accounts, AnyHttpUrl(login), client_registration_options=allowed)
    app: ASGIApp = made.streamable_http_app()
    app = app if registers else _StepUp(app, accounts, origin)
    async with _running(Starlette(routes=routes), login), _running(app, origin):
        yield f"{origin}/mcp"


@asynccontextmanager
async def _running(app: ASGIApp, origin: str) -> AsyncIterator[None]:
    port = int(origin.rpartition(":")[2])
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="critical", ws="none", timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - the package has no event for it
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await running


_given: set[int] = set()


def free_port() -> int:
    """Return a port that is free now and was not returned before: nobody listens there yet."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
