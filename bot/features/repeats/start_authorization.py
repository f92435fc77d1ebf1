"""Whether the maker of a repeated task may still start it: Discord is asked before each run.

The bot has no list of members (that takes a privileged intent), so one member is fetched when it matters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import discord

from bot import texts
from bot.discord.access import GuildRules, Person, Right, may, person_of, quota_of
from bot.discord.errors import UNDELIVERED
from bot.discord.identities import guild_of, owner_id
from bot.discord.models import Models
from bot.features.tasks.actions import above
from bot.storage.guild_settings import BotRecords
from engine.commands import Limits
from engine.domain.quota import over_quota
from engine.queries import Queries

log = logging.getLogger(__name__)
LEFT = (10007, 10013)
"""Unknown member, unknown user."""

PATIENCE_S = 10.0


class StartAuthorization:
    """See `engine.ports.StartRight`. One whose maker is nobody on Discord may start nothing there."""

    def __init__(
        self,
        client: discord.Client,
        records: BotRecords,
        defaults: Limits,
        models: Models,
        look: Queries,
        now: Callable[[], float],
    ) -> None:
        self._client, self._records, self._defaults, self._models = client, records, defaults, models
        self._look, self._now = look, now

    async def why_not(self, by: str, space: str, limits: Limits, model: str = "") -> str | None:
        """See `StartRight`: unknown while Discord cannot be asked."""
        if self._client.is_closed() or not self._client.is_ready():
            return None
        guild, user_id = self._client.get_guild(guild_of(space) or 0), owner_id(by)
        if guild is None or user_id is None:
            return texts.REPEAT_NOBODY
        if guild.unavailable:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                member = await guild.fetch_member(user_id)
        except UNDELIVERED as error:
            if isinstance(error, discord.NotFound) and error.code in LEFT:
                return texts.REPEAT_LEFT.format(id=user_id)
            log.warning("whether %s may still start tasks is not known yet: %s", by, error)
            return None
        dear = above(limits, self._defaults) or model in self._models.unpriced
        person, rules = person_of(member), await self._records.rules(guild.id)
        return _lacking(person, dear, rules) or await self._over(person, space, limits, rules)

    async def _over(self, person: Person, space: str, limits: Limits, rules: GuildRules) -> str:
        """Return why one more task is more than one person may use here, "" when it is not."""
        used = await self._look.used(person.key, space, self._now())
        cost = limits.cost_micros or self._defaults.cost_micros or 0
        over = over_quota(quota_of(person, rules), used, cost)
        return texts.REPEAT_OVER_QUOTA.format(id=person.id) if over else ""


def _lacking(person: Person, dear: bool, rules: GuildRules) -> str:
    if not may(person, Right.START, rules):
        return texts.REPEAT_NO_RIGHT.format(id=person.id)
    return texts.REPEAT_NO_SPEND.format(id=person.id) if dear and not may(person, Right.SPEND, rules) else ""
