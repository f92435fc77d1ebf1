"""Manage one webhook per channel: created once, stored by id and token, replaced once if deleted."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import aiohttp
import discord

from bot.outbox.outcomes import NEEDS_2FA, PermissionMissing, heals, not_sent
from bot.places.notices import Notices
from bot.places.provision import Place, PlaceUnavailable
from bot.places.records import PlaceRecords, WebhookRecord
from bot.texts import outbox as wording
from engine.secrets import redact

_log = logging.getLogger(__name__)

FULL = {30007: wording.WEBHOOK_FULL, 30058: wording.WEBHOOK_GUILD_FULL}
"""What is said when the channel, or the server, holds as many webhooks as Discord allows."""

REFUSALS = ("forbidden", "full")
"""Notices of what is over once a channel has a webhook."""

HasWebhooks = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel
"""Kinds of channels in which, or in whose posts, a group may speak."""


class Webhooks:
    """Webhooks of channels for one client. Every public method may be called by many at once."""

    def __init__(self, client: discord.Client, records: PlaceRecords, notices: Notices) -> None:
        self._client = client
        self._records = records
        self._notices = notices
        self._found: dict[int, WebhookRecord | None] = {}
        self._finding: dict[int, asyncio.Task[WebhookRecord | None]] = {}

    async def hook(self, place: Place) -> WebhookRecord | None:
        """Return the webhook of the place's channel; None if agents must post through the bot (noted once).

        Raises PlaceUnavailable when the channel cannot be seen, TargetDeleted when it was deleted.
        """
        if place.channel_id in self._found:
            return self._found[place.channel_id]
        task = self._finding.get(place.channel_id)
        if task is None:
            task = self._finding[place.channel_id] = asyncio.create_task(self._find(place))
            task.add_done_callback(lambda _: self._finding.pop(place.channel_id, None))
        return await asyncio.shield(task)

    async def kept(self, place: Place) -> WebhookRecord | None:
        """Return the webhook last used in the place's channel, without creating or checking one."""
        kept = await self._records.hook(place.channel_id)
        return kept if kept is not None and kept.webhook_id else None

    async def repair(self, place: Place, broken: WebhookRecord) -> WebhookRecord | None:
        """Replace a webhook that was deleted or moved, once; after that return None. Each is noted once."""
        if self._found.get(place.channel_id) != broken:
            return await self.hook(place)
        if broken.repairs:
            self._found[place.channel_id] = None
            await self._say("gave-up", place, wording.WEBHOOK_GIVEN_UP)
            return None
        del self._found[place.channel_id]
        await self._records.keep_hook(WebhookRecord(place.channel_id, 0, "", repairs=1))
        hook = await self.hook(place)
        if hook is not None:
            await self._say("repaired", place, wording.WEBHOOK_REPAIRED)
        return hook

    def try_again(self) -> None:
        """Forget channels without a webhook, and repairs: a permission was granted, or the bot invited again.

        Whoever removes the bot from a server deletes its webhooks, and does not mean that by it.
        """
        known = ((channel, hook) for channel, hook in self._found.items() if hook is not None)
        self._found = {channel: replace(hook, repairs=0) for channel, hook in known}

    async def close(self) -> None:
        """Cancel running look-ups and creations."""
        for task in list(self._finding.values()):
            task.cancel()
        await asyncio.gather(*self._finding.values(), return_exceptions=True)

    async def _find(self, place: Place) -> WebhookRecord | None:
        channel = await self._channel(place.channel_id)
        kept = await self._records.hook(place.channel_id)
        hook: WebhookRecord | None
        try:
            hook = await self._verified(channel, kept)
        except discord.RateLimited as error:
            _log.info("channel %s gets a webhook in %.0f s", place.channel_id, error.retry_after)
            hook = kept if kept and kept.webhook_id else None
            self._look_again(place.channel_id, error.retry_after)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            if isinstance(error, discord.Forbidden) and not heals(error):
                hook = await self._forbidden(place, kept, error)
            elif await self._refused(place, error):
                hook = None
            else:
                raise not_sent(error) from error
        else:
            for what in REFUSALS:
                await self._notices.healed(_key(what, place))
        self._found[place.channel_id] = hook
        return hook

    def _look_again(self, channel_id: int, seconds: float) -> None:
        """The bot speaks meanwhile: words that wait for a face are of no use to anybody."""
        asyncio.get_running_loop().call_later(seconds, self._found.pop, channel_id, None)

    async def _forbidden(
        self, place: Place, kept: WebhookRecord | None, error: discord.Forbidden
    ) -> WebhookRecord | None:
        """Return the webhook that was used before, which needs no permission; None, which is said."""
        if kept and kept.webhook_id:
            return kept
        text = wording.WEBHOOK_2FA if error.code == NEEDS_2FA else wording.WEBHOOK_FORBIDDEN
        await self._say("forbidden", place, text)
        return None

    async def _refused(self, place: Place, error: Exception) -> bool:
        """Whether this is an answer that stays; it is said, and the bot speaks instead of the webhook."""
        if not isinstance(error, discord.HTTPException) or heals(error) or error.status == 404:
            return False
        _log.warning("channel %s gets no webhook: %s", place.channel_id, redact(str(error)))
        await self._say("full", place, FULL.get(error.code, wording.WEBHOOK_REFUSED))
        return True

    async def _channel(self, channel_id: int) -> HasWebhooks:
        """Return a channel from the cache or Discord; the cache lacks channels that were just created."""
        channel = self._client.get_channel(channel_id)
        try:
            channel = channel or await self._client.fetch_channel(channel_id)
        except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError) as error:
            outcome = not_sent(error)
            if isinstance(outcome, PermissionMissing):
                raise PlaceUnavailable(f"channel {channel_id} cannot be seen") from error
            raise outcome from error
        if not isinstance(channel, HasWebhooks):
            raise PlaceUnavailable(f"channel {channel_id} has no webhooks")
        return channel

    async def _verified(self, channel: HasWebhooks, kept: WebhookRecord | None) -> WebhookRecord:
        """Return the stored webhook if it still exists here, else another of ours, else a new one."""
        me = self._client.user
        ours = [w for w in await channel.webhooks() if w.token and w.user and me and w.user.id == me.id]
        same = [w for w in ours if kept and w.id == kept.webhook_id]
        found = next(iter(same or ours), None) or await channel.create_webhook(name=wording.WEBHOOK_NAME)
        hook = WebhookRecord(channel.id, found.id, found.token or "", kept.repairs if kept else 0)
        if hook != kept:
            await self._records.keep_hook(hook)
        return hook

    async def _say(self, what: str, place: Place, text: str) -> None:
        await self._notices.say(_key(what, place), place.task_id, place.group_id, text)


def _key(what: str, place: Place) -> str:
    return f"webhook-{what}:{place.channel_id}"
