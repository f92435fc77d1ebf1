"""Keep what sign-ins at MCP servers gave, in a row each: every process of an installation reads the same.

Tokens are read again with every request (`signin.py`), so that a sign-in, a renewal and a sign-out anywhere
hold everywhere. They are renewed by one process at a time: many servers take a renewal token once only.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import sqlalchemy as sa
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from engine.ports import Clock, Database
from engine.secrets import keep_secret
from engine.store.core import SIGN_INS

FRESH_S = 60.0
RENEWAL_S = 60.0
"""Seconds after which a process that renews, and was not heard of again, is taken for dead."""

WAIT_S = 0.1

Also = Callable[[Connection], None]
"""What is done in the transaction that changes what is kept."""


class Kept(BaseModel):
    """What is kept. It is good for one address of the server and one redirect address only.

    `given_at`, `expires_at`: unix times at which the access token came and ends; the token itself only says
    for how long it was good. `refused`: the server takes the tokens no more, and they cannot be renewed.
    `asked_scope`: what the server asked for when the access was too little. The metadata says where tokens
    are renewed.
    """

    url: str
    redirect: str
    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = None
    given_at: float | None = None
    expires_at: float | None = None
    refused: bool = False
    asked_scope: str = ""
    server: OAuthMetadata | None = None
    resource: ProtectedResourceMetadata | None = None

    @property
    def access(self) -> str:
        """Return the access token, "" without one."""
        return self.tokens.access_token if self.tokens is not None else ""


class KeptSignIn:
    """The row of one server. `preset`: the client that the operator registered there, None for one that
    registers itself."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        server: str,
        addresses: tuple[str, str],
        preset: OAuthClientInformationFull | None = None,
    ) -> None:
        self._db, self._clock, self._server, self._preset = db, clock, server, preset
        self._empty = Kept(url=addresses[0], redirect=addresses[1])
        self._also: Also | None = None

    def recorded(self, also: Also) -> KeptSignIn:
        """Return the same row; `also` is done in the transaction that keeps tokens that come by what is
        returned."""
        made = copy(self)
        made._also = also
        return made

    async def read(self) -> Kept:
        """Return what is kept; nothing when it is of another address or cannot be read."""
        row = await self._db.read(lambda c: c.execute(self._row()).first())
        return self._read(row.kept_json if row is not None else "")

    async def number(self) -> int:
        """Return a number that changes with what is kept."""
        return await self._db.read(lambda c: c.execute(self._row()).scalar() or 0)

    async def change(self, also: Also | None = None, **values: Any) -> None:
        """Change some of it, and do `also` in the same transaction."""

        def work(connection: Connection) -> None:
            self._changed(connection, values)
            if also is not None:
                also(connection)

        await self._db.write(work)

    async def ended_early(self, access: str) -> None:
        """Let the next request renew the tokens if `access`, which was refused, is still what is kept."""
        await self._change_of(access, expires_at=LONG_AGO)

    async def note_refused(self, access: str) -> None:
        """Note that only a person can replace `access`, if it is still what is kept."""
        await self._change_of(access, refused=True)

    async def note_asked(self, access: str, scope: str) -> None:
        """Note what the server asked for where `access` was too little, if it is still what is kept."""
        await self._change_of(access, asked_scope=scope)

    async def renewal_refused(self, access: str) -> None:
        """Forget how to renew `access`, if it is still what is kept: the server takes that no more."""

        def work(connection: Connection) -> None:
            kept = self._locked(connection)
            if kept.tokens is not None and kept.access == access:
                without = kept.tokens.model_copy(update={"refresh_token": None})
                self._changed(connection, {"tokens": without, "refused": True})

        await self._db.write(work)

    async def _change_of(self, access: str, **values: Any) -> None:
        def work(connection: Connection) -> None:
            kept = self._locked(connection)
            if kept.access == access and kept.model_copy(update=values) != kept:
                self._changed(connection, values)

        if access:
            await self._db.write(work)

    async def forget(self, also: Also | None = None) -> None:
        """Forget the tokens, not how this installation is registered at the server, and do `also` in the same
        transaction."""
        nothing = {"tokens": None, "given_at": None, "expires_at": None, "asked_scope": "", "refused": False}
        await self.change(also, **nothing)

    async def has_better_than(self, refused: str) -> bool:
        """Return whether there is another access token than `refused`, or one can be got by renewal.

        A token that is new is not renewed: the next would be refused, too.
        """
        kept = await self.read()
        if kept.tokens is None or kept.access != refused:
            return kept.tokens is not None
        is_fresh = (kept.given_at or 0.0) > self._clock.now() - FRESH_S
        return bool(kept.tokens.refresh_token) and not is_fresh

    # ------------------------------------------------------------ one renews at a time

    async def claim_renewal(self, by: str) -> bool:
        """Return whether the request `by` may renew now; others wait until it is done, or RENEWAL_S."""
        now = self._clock.now()
        free = SIGN_INS.c.renewing_until <= now
        mine = {"renewing_by": by, "renewing_until": now + RENEWAL_S}
        return await self._db.write(lambda c: c.execute(self._update(free).values(mine)).rowcount == 1)

    async def wait(self) -> None:
        """Wait before the next try."""
        await self._clock.sleep(WAIT_S)

    async def end_renewal(self, by: str) -> None:
        """Let others renew, once `by` has. Repeatable."""
        mine = SIGN_INS.c.renewing_by == by
        free = {"renewing_by": "", "renewing_until": 0.0}
        await self._db.write(lambda c: c.execute(self._update(mine).values(free)))

    # ------------------------------------------------------------ TokenStorage

    async def get_tokens(self) -> OAuthToken | None:
        """See `TokenStorage`."""
        return (await self.read()).tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """See `TokenStorage`."""
        now = self._clock.now()
        until = None if tokens.expires_in is None else now + tokens.expires_in
        await self.change(self._also, tokens=tokens, given_at=now, expires_at=until, refused=False)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """See `TokenStorage`."""
        return self._preset or (await self.read()).client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """See `TokenStorage`."""
        await self.change(client=client_info)

    # ------------------------------------------------------------ the row

    def _row(self) -> sa.Select[Any]:
        return sa.select(SIGN_INS.c.number, SIGN_INS.c.kept_json).where(SIGN_INS.c.server == self._server)

    def _locked(self, connection: Connection) -> Kept:
        """Return what is kept; nobody else changes it before the transaction ends."""
        row = connection.execute(self._row().with_for_update()).first()
        return self._read(row.kept_json if row is not None else "")

    def _update(self, where: sa.ColumnElement[bool]) -> sa.Update:
        return SIGN_INS.update().where(SIGN_INS.c.server == self._server, where)

    def _changed(self, connection: Connection, values: dict[str, Any]) -> None:
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(make(SIGN_INS).values(server=self._server).on_conflict_do_nothing())
        row = connection.execute(self._row().with_for_update()).one()
        kept = self._read(row.kept_json).model_copy(update=values)
        _hide(kept)
        text = kept.model_dump_json()
        connection.execute(self._update(sa.true()).values(number=row.number + 1, kept_json=text))

    def _read(self, text: str) -> Kept:
        try:
            kept = Kept.model_validate_json(text) if text else self._empty
        except ValidationError:
            return self._empty
        _hide(kept)
        same = (kept.url, kept.redirect) == (self._empty.url, self._empty.redirect)
        return kept if same else self._empty


LONG_AGO = 1.0
"""A time of expiry that is over; the package takes 0 for none."""


def _hide(kept: Kept) -> None:
    """Register its secrets, so that nothing shows them."""
    if kept.tokens is not None:
        keep_secret(kept.tokens.access_token, kept.tokens.refresh_token or "")
    if kept.client is not None:
        keep_secret(kept.client.client_secret or "")
