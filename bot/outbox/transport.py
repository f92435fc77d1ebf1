"""Send one message to Discord and report its outcome exactly.

discord.py repeats a webhook's request by itself after a 5xx and sleeps through 429s with the webhook's lock
held. Here neither may happen unseen: a 5xx or a lost connection may mean that the message is there already.
So webhooks get a session of their own whose middleware turns every such answer into an error
before discord.py sees it (`outcomes`).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import discord

from bot.discord.identities import message_of
from bot.discord.request_stop import ForeignAnswer, RequestStop, require_discords, stop_of
from bot.outbox.ledger import MessageLocation
from bot.outbox.limiter import Limiter
from bot.outbox.outcomes import (
    UNKNOWN_CHANNEL,
    ConnectionFailed,
    OutcomeUnknown,
    Rejected,
    TargetDeleted,
    TooManyRequests,
    outcome_of,
    rate_limit_error,
)
from bot.outbox.post import BOT
from bot.places.records import WebhookRecord
from engine.secrets import redact

_log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
CLOCK_SLACK_S = 90.0
"""How far a time may be wrong when a message is looked up by it."""

_WEBHOOK_PATH = re.compile(r"/webhooks/(\d+)/[^/]+$")
_ERRORS = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError)
_NO_ONE = discord.AllowedMentions.none()


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """A message ready to go: `name` and `avatar` are used on webhooks only."""

    content: str
    name: str = ""
    avatar: str = ""
    embeds: tuple[discord.Embed, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    pings: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    silent: bool = True
    view: discord.ui.View | None = None

    @property
    def fingerprint(self) -> str:
        """Return a hash that is equal for a message and its copy on Discord, whatever Discord trims."""
        embeds = [(e.author.name or "", e.description or "") for e in self.embeds]
        return fingerprint(self.name, self.content, embeds, len(self.files))

    def options(self) -> dict[str, Any]:
        """Return the arguments common to webhooks and bot messages."""
        options: dict[str, Any] = {"content": self.content or None, "silent": self.silent}
        mentions = discord.AllowedMentions(
            everyone=False,
            roles=[discord.Object(i) for i in self.roles],
            replied_user=False,
            users=[discord.Object(i) for i in self.pings],
        )
        options["allowed_mentions"] = mentions if self.pings or self.roles else _NO_ONE
        if self.embeds:
            options["embeds"] = list(self.embeds)
        else:
            options["suppress_embeds"] = True
        if self.files:
            options["files"] = [discord.File(io.BytesIO(data), name) for name, data in self.files]
        if self.view is not None:
            options["view"] = self.view
        return options


def fingerprint(name: str, content: str, embeds: Sequence[tuple[str, str]], files: int) -> str:
    """What identifies a message of ours: its words, without white space and whatever else Discord changes."""
    parts = [name, content, *(text for embed in embeds for text in embed), str(files)]
    squeezed = "\x1f".join("".join(part.split()) for part in parts)
    return hashlib.sha256(squeezed.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Transport:
    """Sends, reacts and looks up for one client. `start` after login, `close` at the end."""

    client: discord.Client
    limiter: Limiter
    clock: Callable[[], float]
    _session: aiohttp.ClientSession | None = field(default=None, init=False)
    _channels: dict[int, int] = field(default_factory=dict, init=False)
    _stop: RequestStop = field(init=False)

    def __post_init__(self) -> None:
        self._stop = stop_of(self.client)

    async def start(self) -> None:
        """Open the webhooks' session on the client's own connector, where it has one."""
        connector = self.client.http.connector
        shared = connector if isinstance(connector, aiohttp.BaseConnector) else None
        self._session = aiohttp.ClientSession(
            connector=shared,
            connector_owner=shared is None,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            middlewares=(self._watch,),
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def discords(self, wall: float) -> float:
        """Return Discord's time for one of this host's: messages are looked up by it."""
        return wall + self._stop.ahead_s

    async def by_webhook(
        self, hook: WebhookRecord, thread_id: int, message: RenderedMessage
    ) -> MessageLocation:
        """Post as a persona. Raises every error of `outcomes`."""
        webhook = self._webhook(hook)
        options = message.options()
        if thread_id:
            options["thread"] = discord.Object(thread_id)
        if message.avatar:
            options["avatar_url"] = message.avatar
        try:
            sent = await webhook.send(username=message.name, wait=True, **options)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            outcome = outcome_of(error)
            if isinstance(outcome, TargetDeleted) and outcome.what == "message":
                raise Rejected(str(outcome)) from error  # a webhook has no nonces: nothing was posted
            raise outcome from error
        return MessageLocation(sent.channel.id, sent.id, hook.webhook_id)

    async def by_bot(self, channel_id: int, message: RenderedMessage, nonce: str) -> MessageLocation:
        """Post in the bot's own voice; Discord takes one `nonce` once within some minutes."""
        target = self.client.get_partial_messageable(channel_id)
        try:
            sent = await target.send(nonce=nonce, **message.options())
        except _ERRORS as error:
            raise outcome_of(error) from error
        return MessageLocation(sent.channel.id, sent.id)

    async def wake(self, thread_id: int) -> bool:
        """Open an archived thread again; False without the permission. Raises the other errors."""
        try:
            thread = await self.client.fetch_channel(thread_id)
            if isinstance(thread, discord.Thread):
                await thread.edit(archived=False)
        except discord.Forbidden:
            return False
        except _ERRORS as error:
            raise outcome_of(error) from error
        return True

    async def exists(self, channel_id: int) -> bool:
        """Return True if a channel or thread exists.

        Raises OutcomeUnknown, ConnectionFailed and TooManyRequests.
        """
        try:
            await self.client.fetch_channel(channel_id)
        except discord.NotFound as error:
            if error.code != UNKNOWN_CHANNEL:
                raise ConnectionFailed(redact(str(error))) from error
            return False
        except discord.Forbidden:
            return True
        except _ERRORS as error:
            raise outcome_of(error) from error
        return True

    async def unsend(self, hook: WebhookRecord, message_id: int) -> None:
        """Delete a webhook's message that was sent to the wrong channel, if it still exists."""
        try:
            await self._webhook(hook).delete_message(message_id)
        except discord.NotFound:
            _log.info("message %s was already deleted", message_id)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise outcome_of(error) from error

    async def react(self, ref: str, emoji: str) -> None:
        """Put a reaction on "channel id:message id"; a repeat changes nothing."""
        channel_id, message_id = message_of(ref)
        target = self.client.get_partial_messageable(channel_id)
        await self._awake(channel_id, lambda: target.get_partial_message(message_id).add_reaction(emoji))

    async def pin(self, ref: str) -> None:
        """Pin a message ("channel id:message id") where the bot may; a repeat changes nothing."""
        channel_id, message_id = message_of(ref)
        channel = self.client.get_channel(channel_id)
        if not isinstance(channel, discord.TextChannel | discord.Thread):
            return
        if channel.permissions_for(channel.guild.me).pin_messages:
            await self._awake(channel_id, channel.get_partial_message(message_id).pin)

    async def edit(
        self, where: MessageLocation, changes: Mapping[str, Any], hook: WebhookRecord | None = None
    ) -> None:
        """Change a message of the bot's own, or with `hook` one that this webhook sent; nobody is pinged.

        A repeat changes nothing.
        """
        while (pause := self.limiter.wait_overall(self.clock())) > 0:  # noqa: ASYNC110 - it is time we wait for
            await asyncio.sleep(pause)
        self.limiter.spend_overall(self.clock())
        options = {**changes, "allowed_mentions": _NO_ONE}
        if hook is None:
            place = self.client.get_partial_messageable(where.channel_id)
            message = place.get_partial_message(where.message_id)
            await self._awake(where.channel_id, lambda: message.edit(**options))
            return
        if where.channel_id != hook.channel_id:
            options["thread"] = discord.Object(where.channel_id)
        webhook = self._webhook(hook)
        await self._awake(where.channel_id, lambda: webhook.edit_message(where.message_id, **options))

    async def _awake(self, channel_id: int, act: Callable[[], Awaitable[object]]) -> None:
        """Change a message; in an archived thread once more after it was opened. Raises what `act` says."""
        try:
            await act()
        except _ERRORS as error:
            outcome = outcome_of(error)
            archived = isinstance(outcome, Rejected) and outcome.fault == "archived"
            if not (archived and await self.wake(channel_id)):
                raise outcome from error
        else:
            return
        try:
            await act()
        except _ERRORS as error:
            raise outcome_of(error) from error

    async def recent(
        self, channel_id: int, since: float, hook: WebhookRecord | None
    ) -> list[discord.Message]:
        """Our messages in a channel since `since`, in Discord's time, oldest first.

        Raises PermissionMissing without the permission to read the history, and the other errors.
        """
        after = datetime.fromtimestamp(since - CLOCK_SLACK_S, UTC)
        target = self.client.get_partial_messageable(channel_id)
        try:
            history = target.history(limit=None, after=after, oldest_first=True)
            return [message async for message in history if self._ours(message, hook)]
        except _ERRORS as error:
            raise outcome_of(error) from error

    async def fingerprint_of(
        self, message: discord.Message, hook: WebhookRecord | None, thread_id: int
    ) -> str:
        """The fingerprint of one of our messages.

        Without the message content intent a bot reads even its own webhook's messages empty; the webhook's
        token shows them.
        """
        empty = not (message.content or message.embeds or message.attachments)
        if not empty or hook is None or message.webhook_id != hook.webhook_id:
            return _print_of(message)
        thread = discord.Object(thread_id) if thread_id else discord.utils.MISSING
        try:
            return _print_of(await self._webhook(hook).fetch_message(message.id, thread=thread))
        except discord.NotFound:
            return ""  # deleted meanwhile
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise outcome_of(error) from error

    def _ours(self, message: discord.Message, hook: WebhookRecord | None) -> bool:
        if hook is not None and message.webhook_id == hook.webhook_id:
            return True
        return self.client.user is not None and message.author.id == self.client.user.id

    def _webhook(self, hook: WebhookRecord) -> discord.Webhook:
        if self._session is None:
            raise RuntimeError("start() comes before sending")
        self._channels[hook.webhook_id] = hook.channel_id
        return discord.Webhook.partial(hook.webhook_id, hook.token, session=self._session, client=self.client)

    async def _watch(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if (pause := self._stop.remaining()) > 0:
            raise TooManyRequests(pause, "global", hidden=False)
        try:
            response = await handler(request)
        except aiohttp.ClientConnectorError as error:
            raise ConnectionFailed(redact(str(error))) from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(redact(repr(error))) from error
        self._stop.heard(response.status, response.headers)
        match = _WEBHOOK_PATH.search(request.url.path)
        channel_id = self._channels.get(int(match[1]), 0) if match else 0
        if response.status == 429:
            raise await rate_limit_error(response)
        if channel_id:
            self.limiter.heard(channel_id, self.clock(), response.headers)
        if response.status >= 500:
            raise OutcomeUnknown(f"status {response.status}")
        try:
            await require_discords(response)
        except ForeignAnswer as error:
            raise OutcomeUnknown(str(error)) from error
        return response


def _print_of(message: discord.Message) -> str:
    name = message.author.name if message.webhook_id else ""
    embeds = [(embed.author.name or "", embed.description or "") for embed in message.embeds]
    return fingerprint(name, message.content, embeds, len(message.attachments))


def embed(author: str, icon: str, text: str) -> discord.Embed:
    """Return one persona's embed in a roll-up."""
    card = discord.Embed(description=text)
    return card.set_author(name=author or BOT, icon_url=icon or None)
