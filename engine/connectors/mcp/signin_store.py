"""Keep what a sign-in at an MCP server gave (`mcp.client.auth.TokenStorage`), in a private file each."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import BaseModel, ValidationError

from engine.private import private_file
from engine.secrets import keep_secret

FRESH_S = 60.0


class Kept(BaseModel):
    """What is kept. It is good for one address of the server and one redirect address only.

    `expires_at`: unix time at which the access token ends; the token itself only says for how long it was
    good. `asked_scope`: what the server asked for when the access was too little. The metadata says where
    tokens are renewed: without it, a token could not be renewed after a restart.
    """

    url: str
    redirect: str
    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = None
    expires_at: float | None = None
    asked_scope: str = ""
    server: OAuthMetadata | None = None
    resource: ProtectedResourceMetadata | None = None


class SignInFile:
    """The file of one server. `preset`: the client that the operator registered there, None for one that
    registers itself."""

    def __init__(
        self, path: Path, url: str, redirect: str, preset: OAuthClientInformationFull | None = None
    ) -> None:
        self._path, self._url, self._redirect, self._preset = path, url, redirect, preset
        self._given_at: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Return whether tokens were given within the last minute."""
        return self._given_at is not None and time.monotonic() - self._given_at < FRESH_S

    def read(self) -> Kept:
        """Return what is kept; nothing when it is of another address or cannot be read."""
        empty = Kept(url=self._url, redirect=self._redirect)
        try:
            kept = Kept.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return empty
        _hide(kept)
        return kept if (kept.url, kept.redirect) == (self._url, self._redirect) else empty

    def change(self, **values: Any) -> None:
        """Change some of it: the whole file is written beside and put in place at once."""
        kept = self.read().model_copy(update=values)
        _hide(kept)
        fresh = self._path.with_name(f"{self._path.name}-{os.getpid()}")
        fresh.unlink(missing_ok=True)
        private_file(fresh)
        with fresh.open("wb") as file:
            file.write(kept.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    # ------------------------------------------------------------ TokenStorage

    async def get_tokens(self) -> OAuthToken | None:
        """See `TokenStorage`."""
        return self.read().tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """See `TokenStorage`."""
        until = None if tokens.expires_in is None else time.time() + tokens.expires_in
        self._given_at = time.monotonic()
        self.change(tokens=tokens, expires_at=until)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """See `TokenStorage`."""
        return self._preset or self.read().client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """See `TokenStorage`."""
        self.change(client=client_info)


def _hide(kept: Kept) -> None:
    """Register its secrets, so that nothing shows them."""
    if kept.tokens is not None:
        keep_secret(kept.tokens.access_token, kept.tokens.refresh_token or "")
    if kept.client is not None:
        keep_secret(kept.client.client_secret or "")
