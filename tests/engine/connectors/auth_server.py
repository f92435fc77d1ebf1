"""An MCP server that asks for a sign-in, with its authorization server: both of the official package."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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

SCOPE = "notes"


class Accounts:
    """The authorization server: it agrees to everything at once. `good_for`: seconds of an access token.

    `made`: what tools did, by whom.
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


@asynccontextmanager
async def guarded_server(accounts: Accounts) -> AsyncIterator[str]:
    """Yield the address of a running server whose tools need a sign-in, at a server of its own."""
    origin, login = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    allowed = ClientRegistrationOptions(enabled=True, valid_scopes=[SCOPE, "more"], default_scopes=[SCOPE])
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
    async with _running(Starlette(routes=routes), login), _running(made.streamable_http_app(), origin):
        yield f"{origin}/mcp"


@asynccontextmanager
async def _running(app: Starlette, origin: str) -> AsyncIterator[None]:
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


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
