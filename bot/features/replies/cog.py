"""Deliver people's messages to the agent they reply to, the agent they name, or the place's head.

A reply to a task's card is for its boss, wherever the card stands.

Only from people who may steer the task; anyone else's never reach an agent. A reply to an open question is
its answer, and so are plain words for the agent that asked, where no other question is open. Every message of
a person in a place has a visible outcome: 📨 delivered, 🔁 kept until its ended task is continued, or ⛔ and
(once) the reason. Messages missed while the bot was away, or lost to an invalid session, are caught up with
from the channels' history.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, TypeVar

import aiohttp
import discord
import stamina
from discord.ext import commands
from discord.utils import MISSING

from bot import texts
from bot.discord.access import Person, Right, gate_rights, may, person_of, titled
from bot.discord.attachments import files_of, paths_of
from bot.discord.context import Parts
from bot.discord.error_reports import error_text
from bot.discord.errors import UNDELIVERED, ActionRefused
from bot.discord.formatting import many, plain
from bot.discord.identities import message_of, message_ref, owner_id, space_of
from bot.features.agents.saying import DELIVERED, KEPT, read_later
from bot.features.gates.actions import answer_in_words, answerable
from bot.features.replies.addressing import named, replied_words, without_mention
from bot.features.replies.catch_up import CatchUp, is_persons
from bot.features.replies.plain_answers import answered_plainly, asker_of
from bot.features.replies.proxies import WITHIN_S, ProxiedMessage, ProxiedMessages, repeats
from bot.features.replies.unknown_copies import ask_whose
from bot.features.tasks.continuing import offer as offer_to_continue
from bot.features.welcome.greeting import offer
from bot.outbox.ledger import GroupRef, IncomingMessage
from bot.texts import refusals
from bot.texts.steering import CONTINUE_WHERE
from engine.commands import EditMessage, SayToAgent, WithdrawMessage
from engine.domain.gates import TAKES_TEXT
from engine.errors import EngineError, NotFound, WrongState
from engine.queries import AgentView, GateView, TaskView

log = logging.getLogger(__name__)
REFUSED = "⛔"
T = TypeVar("T")
MOST_REMEMBERED, MOST_CHANGED = 5000, 500
"""Messages of which it is kept that they were handled or deleted; edits of those that are still to come."""

FOLLOWED, PAGE = 20, 100
"""Delivered messages of a channel whose edits and deletions count; messages read for that at once."""

RETRIED_ERRORS = (discord.DiscordServerError, aiohttp.ClientError)


class RetryOptions(TypedDict, total=False):
    """How often and how long Discord in trouble is asked again; see `stamina.retry_context`."""

    attempts: int
    timeout: float | None
    wait_initial: float
    wait_max: float
    wait_jitter: float


RETRY: RetryOptions = {"attempts": 3, "timeout": None, "wait_initial": 2.0, "wait_max": 10.0}


@dataclass(frozen=True, slots=True)
class AddressedMessage:
    """A message with its addressee; `text` is without the addressee's name in front."""

    agent: AgentView
    task: TaskView
    text: str


class RepliesCog(commands.Cog):
    """Listens to messages, their edits and deletions, and catches up with what was missed."""

    def __init__(self, bot: discord.Client, parts: Parts) -> None:
        self.bot, self.parts = bot, parts
        self._locks: dict[int, asyncio.Lock] = {}
        self._missed = CatchUp(bot, parts, self)
        self._done: OrderedDict[int, None] = OrderedDict()
        self._deleted: OrderedDict[int, None] = OrderedDict()
        self._changed: OrderedDict[int, discord.Message] = OrderedDict()
        self._proxied = ProxiedMessages(parts.settings.proxy_applications, bot.application_id)
        self._answers: deque[int] = deque(maxlen=MOST_REMEMBERED)
        self._unknown: dict[int, list[int]] = {}
        self._asked_whose: set[int] = set()
        self._told: set[tuple[int, int, str]] = set()
        self._offered: set[tuple[int, int, int]] = set()

    async def cog_load(self) -> None:
        """Load the last handled message of each channel."""
        await self._missed.load()

    async def cog_unload(self) -> None:
        """Stop catching up."""
        await self._missed.close()

    # ------------------------------------------------------------ what may have been missed

    @commands.Cog.listener()
    async def on_connect(self) -> None:
        """A new session tells nothing of what was written before it."""
        self._missed.lose()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Catch up with messages sent meanwhile."""
        await self._missed.regain()

    @commands.Cog.listener()
    async def on_guild_unavailable(self, _guild: discord.Guild) -> None:
        """Nothing is told of a server in an outage."""
        self._missed.lose()

    @commands.Cog.listener()
    async def on_guild_available(self, _guild: discord.Guild) -> None:
        """An outage is over; those that come with a new session are followed by READY."""
        if self.bot.is_ready():
            await self._missed.regain()

    @commands.Cog.listener()
    async def on_guild_join(self, _guild: discord.Guild) -> None:
        """The bot may have been here before."""
        if self.bot.is_ready():
            self._missed.lose()
            await self._missed.regain()

    @commands.Cog.listener()
    async def on_guild_channel_update(
        self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        """A channel was hidden from the bot and is shown again."""
        me = after.guild.me
        await self._shown(before.permissions_for(me), after.permissions_for(me))

    @commands.Cog.listener()
    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        """Channels were hidden from a role of the bot's and are shown again."""
        if after in after.guild.me.roles:
            await self._shown(before.permissions, after.permissions)

    @commands.Cog.listener()
    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        """The bot itself was given a role."""
        if after.id == after.guild.me.id and set(after.roles) - set(before.roles):
            await self._shown(discord.Permissions.none(), after.guild_permissions)

    async def _shown(self, before: discord.Permissions, after: discord.Permissions) -> None:
        if after.view_channel and not before.view_channel:
            self._missed.lose()
            await self._missed.regain()

    # ------------------------------------------------------------ gateway events

    @commands.Cog.listener()
    async def on_place_kept(self, channel_id: int) -> None:
        """A channel or thread that the bot made is recorded: people may have written in it before."""
        self._missed.opened(channel_id)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Deliver a person's message."""
        if is_persons(message):
            self._proxied.note(message)
            await self._in_order(message)
        elif self._proxied.is_copy(message):
            await self._copied(message)
        elif self._ours(message):
            handling = self._lock(message.channel.id).locked()
            await self._missed.passed(message.channel.id, message.id, handling)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Change a message its agent has not read yet."""
        message = payload.message
        by_program = message.author.bot and message.webhook_id is None
        if message.edited_at is None or by_program or self._ours(message):
            return
        if payload.cached_message is not None and payload.cached_message.content == message.content:
            return
        async with self._lock(payload.channel_id):
            await self._edited(message)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Withdraw a deleted message that its agent has not read yet."""
        _remember(self._deleted, payload.message_id, None)
        proxied = self._proxied.deleted(payload.message_id, time.monotonic())
        await self._withdrawn(payload.channel_id, {payload.message_id})
        if proxied is not None:
            await self._take_copy(proxied)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Withdraw bulk-deleted messages."""
        for message_id in payload.message_ids:
            _remember(self._deleted, message_id, None)
        await self._withdrawn(payload.channel_id, payload.message_ids)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Delete the position of a deleted channel."""
        await self._missed.forget(channel.id)

    # ------------------------------------------------------------ delivering

    def _ours(self, message: discord.Message) -> bool:
        ours = message.application_id is not None and message.application_id == self.bot.application_id
        return ours or message.author == self.bot.user

    def _lock(self, channel_id: int) -> asyncio.Lock:
        return self._locks.setdefault(channel_id, asyncio.Lock())

    async def _in_order(
        self, message: discord.Message, agent_id: int | None = None, instead_of: str | None = None
    ) -> None:
        """One message of a channel at a time, each once, in the order they were written.

        `agent_id` says whom it is for; `instead_of` is the message that it takes the place of.
        """
        async with self._lock(message.channel.id):
            if message.id in self._done or message.id in self._deleted:
                return
            if instead_of is None:
                message = self._changed.pop(message.id, message)
            self._note_done(message.id)
            try:
                if instead_of is not None and not await self._replaces(instead_of):
                    await self._react(message, DELIVERED)  # in the words of the original
                elif not await self._take(message, agent_id):
                    self._done.pop(message.id, None)  # it may turn out to be an agent's
                    return
                await self._missed.handled(message.channel.id, message.id)
            except Exception:
                self._done.pop(message.id, None)
                self._missed.failed(message.channel.id, message.id)
                raise

    def _note_done(self, message_id: int) -> None:
        _remember(self._done, message_id, None)

    async def _replaces(self, ref: str) -> bool:
        """Withdraw the message that a proxy's copy stands for, also from what is still to be delivered;
        return False if an agent has read it."""
        self._note_done(message_of(ref)[1])
        try:
            await self.parts.engine.handle(WithdrawMessage(ref))
        except WrongState:
            return False
        except NotFound:
            log.debug("the proxied message %s was withdrawn by its deletion, or never delivered", ref)
        return True

    # ------------------------------------------------------------ proxies

    async def _copied(self, copy: discord.Message) -> None:
        """A webhook's message: a proxy's copy of a person's words, or none of a person's."""
        proxied = self._proxied.copied(copy, time.monotonic())
        if proxied is not None:
            await self._take_copy(proxied)
        elif self._proxied.known(copy) and not self._proxied.waits(copy) and await self._spot(copy):
            self._missed.failed(copy.channel.id, copy.id)  # the original was never heard

    async def _take_copy(self, proxied: ProxiedMessage) -> None:
        """A proxy's copy takes the place of the person's message, with that person's rights.

        Webhooks cannot reply, so the copy is for whomever the original replied to. An agent gets one of the
        two: the copy waits until the original is delivered, and then withdraws it.
        """
        copy, original = proxied.copy, proxied.original
        if original.id in self._answers:
            await self._react(copy, DELIVERED)
            return  # it answered a question, which is closed by that
        copy.author = original.author
        copy.reference = copy.reference or original.reference
        await self._in_order(copy, instead_of=message_ref(original.channel.id, original.id))

    async def _late_copy(self, copy: discord.Message) -> None:
        """A copy of the time away: for who wrote its original, if that was delivered before, else asked."""
        proxied = self._proxied.copied(copy, time.monotonic())
        if proxied is not None:
            await self._take_copy(proxied)
            return
        original = await self._delivered_original(copy)
        if original is not None:
            copy.author = discord.Object(original.user_id)  # type: ignore[assignment]  # see `_with_member`
            await self._in_order(copy, original.agent_id, original.ref)
        elif self._proxied.known(copy) and await self._addressed(copy) is not None:
            self._unknown.setdefault(copy.channel.id, []).append(copy.id)

    async def _delivered_original(self, copy: discord.Message) -> IncomingMessage | None:
        """The delivered message that a copy repeats; for a proxy that is not listed, only if it is gone."""
        for record in await self.parts.routes.incoming_in(copy.channel.id, FOLLOWED):
            number = message_of(record.ref)[1]
            late = (copy.created_at - discord.utils.snowflake_time(number)).total_seconds()
            if not 0 < late <= WITHIN_S or not repeats(copy, record.excerpt):
                continue
            if self._proxied.known(copy) or await self._gone(copy.channel, number):
                return record
        return None

    async def _gone(self, channel: discord.abc.MessageableChannel, message_id: int) -> bool:
        try:
            await channel.fetch_message(message_id)
        except discord.NotFound:
            return True
        return False

    async def pass_on(self, copy: discord.Message, person: discord.Member) -> bool:
        """Deliver a known proxy's copy in the name of a person; return False for any other message, and for
        what an agent has. Raises ActionRefused without the right."""
        if not self._proxied.known(copy) or has_outcome(copy):
            return False
        copy.author = person
        async with self._lock(copy.channel.id):
            addressed = await self._addressed(copy)
            if addressed is None:
                return False
            await self._demand(copy, addressed.task)
            await self._deliver(copy, addressed)
            self._note_done(copy.id)
        await self._react(copy, DELIVERED)
        return True

    # ------------------------------------------------------------ what was missed

    def concerns(self, message: discord.Message) -> bool:
        """Return whether a message may be a person's words."""
        return is_persons(message) or self._proxied.is_copy(message)

    async def deliver(self, message: discord.Message) -> None:
        """Deliver a message that was missed, unless it has its mark; what is nobody's is left alone."""
        if has_outcome(message):
            return
        if message.webhook_id is not None:
            await self._late_copy(message)
        elif await self._spot(message) or await self._replies_to_us(message):
            await self._in_order(message)

    async def read(self, channel_id: int) -> None:
        """Ask whose words a proxy repeated meanwhile; take edits and deletions of delivered messages."""
        unknown = [copy for copy in self._unknown.pop(channel_id, []) if copy not in self._asked_whose]
        if unknown:
            await ask_whose(self.bot, self.parts.notices, channel_id, unknown)
            self._asked_whose.update(unknown)
        await self._changed_meanwhile(channel_id)

    async def _changed_meanwhile(self, channel_id: int) -> None:
        records = {message_of(each.ref)[1]: each for each in await self._followed(channel_id)}
        if not records:
            return
        channel = self.bot.get_partial_messageable(channel_id)
        newest = discord.Object(max(records) + 1)
        page = {each.id: each async for each in channel.history(limit=PAGE, before=newest)}
        for message_id, record in sorted(records.items()):
            message = page.get(message_id)
            if message is None and len(page) == PAGE and message_id < min(page):
                message = await _fetched(channel, message_id)
            if message is None:
                await self._withdrawn(channel_id, {message_id})
            elif message.edited_at is not None and message.edited_at.timestamp() > (record.edited_at or 0.0):
                async with self._lock(channel_id):
                    await self._edited(message)

    async def _followed(self, channel_id: int) -> Sequence[IncomingMessage]:
        """The newest messages from a channel whose edits and deletions count."""
        records = await self.parts.routes.incoming_in(channel_id, FOLLOWED)
        return [record for record in records if record.edited_at is not None]

    async def _replies_to_us(self, message: discord.Message) -> bool:
        replied = replied_to(message)
        if replied is None:
            return False
        routes = self.parts.routes
        return bool(
            await routes.agents_of(replied)
            or await routes.gate_of(replied)
            or await self.parts.records.task_of_card(replied)
        )

    async def _take(self, message: discord.Message, agent_id: int | None = None) -> bool:
        """Deliver or refuse a message, visibly; return False for messages not meant for agents."""
        addressed: AddressedMessage | None = None
        asked: Sequence[GateView] = ()
        try:
            gate = None if agent_id else await self._asked(message)
            if gate is not None:
                await self._answer(message, gate, message.content)
            else:
                addressed = await (self._for(agent_id, message) if agent_id else self._addressed(message))
                if addressed is None:
                    return await self._greet(message)
                await self._demand(await self._with_member(message), addressed.task)
                asked = [] if agent_id else await self._questions(message, addressed)
                if (gate := _answered_plainly(message, addressed, asked)) is not None:
                    await self._answer(message, gate, addressed.text)
                    addressed = None
                else:
                    await self._deliver(message, addressed)
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            await self._refuse(message, error_text(error), private=is_about_rights(error))
            return True
        if addressed is not None and await self._kept(message, addressed.task.id):
            return True
        await self._react(message, DELIVERED)
        if addressed is not None and (later := read_later(addressed.agent, addressed.task)):
            await self._reply_below(message, later)
        elif addressed is not None and asked:
            await self._reply_below(message, await self._still_asked(message, asked))
        return True

    async def _kept(self, message: discord.Message, task_id: int) -> bool:
        """Offer to continue a task that has ended, once an end in a channel; False when it goes on."""
        task = await self.parts.engine.look.task(task_id)
        if task.ended_at is None:
            return False
        await self._react(message, KEPT)
        key = (message.channel.id, task.id, task.continued)
        if key not in self._offered:
            self._offered.add(key)
            text, view = offer_to_continue(task, self.parts.defaults)
            await self._reply_below(message, text, view, task)
        return True

    async def _greet(self, message: discord.Message) -> bool:
        """Answer words for no agent, if they are for the bot: mentioned, or alone with the person."""
        me = self.bot.user
        if me is None or not (me in message.mentions or self.parts.alone):
            return False
        await self._offer(message, without_mention(message.content, me.id))
        return await self.parts.routes.place_of(message.channel.id) is not None

    async def _offer(self, message: discord.Message, words: str) -> None:
        try:
            await offer(message, words, self.parts)
        except UNDELIVERED as error:
            log.warning("message %s is not answered: %s", message.id, error)

    # ------------------------------------------------------------ questions

    async def _asked(self, message: discord.Message) -> GateView | None:
        """The open question a message replies to in words alone; with a file it goes to an agent."""
        replied = replied_to(message)
        if replied:
            await self.parts.routes.recorded(replied, message.channel.id)
        gate_id = await self.parts.routes.gate_of(replied) if replied else None
        if gate_id is None or not message.content.strip() or message.attachments:
            return None
        gate = await self.parts.engine.look.gate(gate_id)
        return gate if gate.basis is None else None

    async def _questions(self, message: discord.Message, to: AddressedMessage) -> list[GateView]:
        """The open questions in the channel of a message that its writer may answer in words: those of the
        agent it is for, and of all where it names none and replies to nothing."""
        if not await self._may(message, to.task, Right.APPROVE):
            return []
        here: list[GateView] = []
        for gate in await self.parts.engine.look.gates(to.task.id):
            shown = await self.parts.routes.gate_message(gate.id) if gate.kind in TAKES_TEXT else None
            if shown is not None and shown.channel_id == message.channel.id:
                here.append(gate)
        plainly = replied_to(message) is None and to.text.strip() == message.content.strip()
        return [gate for gate in here if plainly or asker_of(gate, to.task) == to.agent.id]

    async def _still_asked(self, message: discord.Message, asked: Sequence[GateView]) -> str:
        """Say below words that no question took that these are open, and how the newest is answered."""
        shown = await self.parts.routes.gate_message(asked[0].id)
        guild = message.guild.id if message.guild else 0
        link = f"https://discord.com/channels/{guild}/{message.channel.id}/{shown.message_id if shown else 0}"
        return texts.STILL_ASKED.format(count=many(len(asked), "question"), link=link)

    async def _answer(self, message: discord.Message, gate: GateView, text: str) -> None:
        words = without_mention(text, self.bot.user.id if self.bot.user else 0).strip()
        task = await self.parts.engine.look.task(gate.task_id)
        message = await self._with_member(message)
        await self._demand(message, task, Right.APPROVE)
        person = await self._titled(message, task)
        given = answer_in_words(gate, words, person.key)
        for right in gate_rights(answerable(gate, given.choice_id)):
            await self._demand(message, task, right)
        await self.parts.engine.handle(replace(given, by_name=person.named))
        self._answers.append(message.id)

    # ------------------------------------------------------------ addressee

    async def _addressed(self, message: discord.Message) -> AddressedMessage | None:
        look = self.parts.engine.look
        spot = await self._spot(message)
        text = without_mention(message.content, self.bot.user.id if self.bot.user else 0)
        replied = replied_to(message)
        if replied:
            spoke = await self.parts.routes.agents_of(replied)
            if spoke:
                agent = await look.agent(spoke[0])
                return await self._one_of(spoke, agent, text)
            task_id = await self.parts.records.task_of_card(replied)
            if task_id is not None:
                task = await look.task(task_id)
                return AddressedMessage(await look.agent(task.boss_id), task, text)
        if spot is None:
            return None
        task = await look.task(spot.task_id)
        by_name = named(text, await look.agents(spot.task_id))
        if by_name is not None:
            return AddressedMessage(by_name[0], task, by_name[1])
        if spot.shared:
            return None  # people's own channel: what they say there to each other is theirs
        return AddressedMessage(await look.agent(spot.head_id), task, text)

    async def _for(self, agent_id: int, message: discord.Message) -> AddressedMessage:
        agent = await self.parts.engine.look.agent(agent_id)
        return AddressedMessage(agent, await self.parts.engine.look.task(agent.task_id), message.content)

    async def _spot(self, message: discord.Message) -> GroupRef | None:
        """The group of the channel, or of the channel above for a thread that people opened in it."""
        spot = await self.parts.routes.place_of(message.channel.id)
        channel = self.bot.get_channel(message.channel.id)  # history comes with a part of it only
        parent = channel.parent_id if isinstance(channel, discord.Thread) else None
        parent = parent or self._missed.parent_of(message.channel.id)
        if spot is None and parent is not None:
            spot = await self.parts.routes.place_of(parent)
        return spot

    async def _one_of(self, spoke: Sequence[int], first: AgentView, text: str) -> AddressedMessage:
        """A reply to a roll-up of several agents goes to the one it names, else to the first in it."""
        look = self.parts.engine.look
        task = await look.task(first.task_id)
        if len(spoke) == 1:
            return AddressedMessage(first, task, text)
        by_name = named(text, [await look.agent(agent_id) for agent_id in spoke])
        return AddressedMessage(*(by_name[0], task, by_name[1]) if by_name else (first, task, text))

    async def _demand(self, message: discord.Message, task: TaskView, right: Right = Right.STEER) -> None:
        if not isinstance(message.author, discord.Member):
            raise ActionRefused(refusals.REPLY_REFUSED)
        if not await self._may(message, task, right):
            raise ActionRefused(
                refusals.REPLY_REFUSED if right is Right.STEER else refusals.NOT_ALLOWED[right.value]
            )

    async def _may(self, message: discord.Message, task: TaskView, right: Right) -> bool:
        if not isinstance(message.author, discord.Member):
            return False
        rules = await self.parts.records.rules(message.author.guild.id)
        same_server = task.space == space_of(message.author.guild.id)
        return same_server and may(person_of(message.author), right, rules, owner_id(task.by))

    async def _titled(self, message: discord.Message, task: TaskView) -> Person:
        """The writer with what gives them a say; `_demand` let only members through."""
        person = person_of(message.author)  # type: ignore[arg-type]
        guild = message.author.guild.id  # type: ignore[union-attr]
        return titled(person, await self.parts.records.rules(guild), owner_id(task.by))

    def _demand_words(self, message: discord.Message, to: AddressedMessage) -> None:
        if not to.text.strip() and not message.attachments:
            readable = self.bot.intents.message_content
            raise ActionRefused(refusals.NOTHING_TO_READ if readable else refusals.CANNOT_READ)

    async def _deliver(self, message: discord.Message, to: AddressedMessage) -> None:
        self._demand_words(message, to)
        person = await self._titled(message, to.task)
        files = await files_of(message.attachments)
        ref, now = message_ref(message.channel.id, message.id), self.parts.now()
        edited_at = message.edited_at.timestamp() if message.edited_at else 0.0
        await self.parts.routes.note_incoming(ref, person.id, to.agent.id, to.text, now, edited_at)
        quoted = replied_words(message) if replied_to(message) else ""
        said = SayToAgent(to.agent.id, to.text, person.key, person.named, ref, files, quoted=quoted)
        await self.parts.engine.handle(said)

    # ------------------------------------------------------------ edits, deletions

    async def _edited(self, message: discord.Message) -> None:
        """Change a delivered message as its writer did, or say that it was read; what Discord tells of an
        edit again, with a pin or an unfurled link, changes nothing."""
        ref = message_ref(message.channel.id, message.id)
        record = await self.parts.routes.incoming_of(ref)
        edited_at = message.edited_at.timestamp() if message.edited_at else 0.0
        if record is None:
            await self._edited_unheard(message)
            return
        if record.edited_at is not None and edited_at <= record.edited_at:
            return  # this edit is known
        if message.webhook_id is not None:
            message.author = discord.Object(record.user_id)  # type: ignore[assignment]  # see `_with_member`
        addressed: AddressedMessage | None = None
        try:
            addressed = await self._addressed(message)
            if addressed is None:
                return
            await self._demand(await self._with_member(message), addressed.task)
            self._demand_changed_words(message, addressed)
            names = tuple(paths_of(message.attachments))
            await self.parts.engine.handle(EditMessage(ref, addressed.text, names))
            await self.parts.routes.note_edit(ref, addressed.text, edited_at)
        except NotFound:
            return
        except WrongState:
            name = plain(addressed.agent.name, 60) if addressed else ""
            await self.parts.routes.note_edit(ref, None, edited_at)
            await self._refuse(message, str(refusals.READ_ALREADY.format(name=name)))
        except ActionRefused as refused:
            await self.parts.routes.note_edit(ref, None, edited_at)  # said once, not after each restart
            await self._refuse(message, error_text(refused), private=is_about_rights(refused))
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            await self._refuse(message, error_text(error))

    async def _edited_unheard(self, message: discord.Message) -> None:
        """An edit of words that no agent has: if they are still to be delivered, then as they are now. An
        answer to a question stays as it counted. Of all others their writers saw why."""
        if message.id not in self._done:
            _remember(self._changed, message.id, message, MOST_CHANGED)
        if message.id in self._answers:
            await self._refuse(message, str(refusals.GATE_CLOSED))
            return
        replied = replied_to(message)
        gate_id = await self.parts.routes.gate_of(replied) if replied else None
        if gate_id is None or message.webhook_id is not None:
            return
        if (await self.parts.engine.look.gate(gate_id)).basis is not None:
            await self._refuse(message, str(refusals.GATE_CLOSED))

    def _demand_changed_words(self, message: discord.Message, to: AddressedMessage) -> None:
        if not to.text.strip() and not message.attachments:
            words = refusals.EDIT_EMPTY if self.bot.intents.message_content else refusals.EDIT_NOT_READ
            raise ActionRefused(words.format(name=plain(to.agent.name, 60)))

    async def _listens(self, channel_id: int) -> bool:
        """Return True if messages of the channel may have reached an agent."""
        return self._missed.knows(channel_id) or await self.parts.routes.place_of(channel_id) is not None

    async def _withdrawn(self, channel_id: int, message_ids: set[int]) -> None:
        if not await self._listens(channel_id):
            return
        async with self._lock(channel_id):
            for message_id in sorted(message_ids):
                try:
                    await self.parts.engine.handle(WithdrawMessage(message_ref(channel_id, message_id)))
                except (NotFound, WrongState) as error:
                    log.debug("deleted message %s changes nothing: %s", message_id, error)
                except EngineError as error:
                    log.warning("deleted message %s could not be withdrawn: %s", message_id, error)
                await self.parts.routes.note_edit(message_ref(channel_id, message_id), None, None)

    async def _with_member(self, message: discord.Message) -> discord.Message:
        """History and edits may carry a plain user; rights need the member."""
        known = self._missed.parent_of(message.channel.id) or message.channel.id
        guild = message.guild or _guild_of(self.bot, known)
        if guild is not None and not isinstance(message.author, discord.Member):
            try:
                message.author = guild.get_member(message.author.id) or await _member(
                    guild, message.author.id
                )
            except discord.NotFound:
                log.info("the writer of message %s has left", message.id)
        return message

    # ------------------------------------------------------------ outcomes

    async def _refuse(self, message: discord.Message, words: str, *, private: bool = False) -> None:
        """Mark a message as refused and say why: to its writer alone where it is about their rights."""
        await self._react(message, REFUSED)
        if not (private and await self._told_alone(message, words)):
            await self._reply_below(message, words)

    async def _told_alone(self, message: discord.Message, words: str) -> bool:
        """Say in a direct message why a message was refused, once; False where none reaches its writer."""
        key = (message.author.id, message.channel.id, words)
        if key not in self._told:
            try:
                await message.author.send(f"{words}\n-# ↪ {message.jump_url}", suppress_embeds=True)
            except UNDELIVERED as error:
                log.info("user %s gets no direct message: %s", message.author.id, error)
                return False
            self._told.add(key)
        return True

    async def _reply_below(
        self,
        message: discord.Message,
        words: str,
        view: discord.ui.View | None = None,
        ended: TaskView | None = None,
    ) -> None:
        """A line under a message, the same one to a person once in a channel; of a task that has `ended`
        once an end (`_offered`).

        An archived place takes no line: it comes beside the card of its task.
        """
        key = (message.author.id, message.channel.id, words)
        if key in self._told and ended is None:
            return
        self._told.add(key)
        try:
            await message.reply(
                words, mention_author=False, silent=True, suppress_embeds=True, view=view or MISSING
            )
        except UNDELIVERED as error:
            log.warning("it is said later what became of message %s: %s", message.id, error)
            if message.guild is not None:
                ref, text = message_ref(message.channel.id, message.id), f"-# ↪ {message.jump_url}\n{words}"
                place = message.channel.id
                if ended is not None:
                    text += f"\n{CONTINUE_WHERE.format(id=ended.id)}"
                    card = await self.parts.records.card(ended.id)
                    place = card.channel_id if card and isinstance(error, discord.Forbidden) else place
                await self.parts.notices.say_in(f"told:{ref}", message.guild.id, place, text)

    async def _react(self, message: discord.Message, mark: str) -> None:
        try:
            await message.add_reaction(mark)
        except discord.NotFound:
            log.info("message %s was deleted before it was marked", message.id)
        except UNDELIVERED as error:
            log.warning("message %s is marked with %s later: %s", message.id, mark, error)
            await self.parts.notices.mark(message_ref(message.channel.id, message.id), mark)


async def _fetched(channel: discord.PartialMessageable, message_id: int) -> discord.Message | None:
    try:
        return await channel.fetch_message(message_id)
    except discord.NotFound:
        return None


async def _member(guild: discord.Guild, user_id: int) -> discord.Member:
    """Ask Discord for a member; again while it is in trouble for a moment."""
    async for attempt in stamina.retry_context(on=RETRIED_ERRORS, **RETRY):
        with attempt:
            return await guild.fetch_member(user_id)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _remember(known: OrderedDict[int, T], message_id: int, value: T, most: int = MOST_REMEMBERED) -> None:
    """Keep something about a message, of the newest `most`."""
    known[message_id] = value
    while len(known) > most:
        known.popitem(last=False)


def _answered_plainly(
    message: discord.Message, to: AddressedMessage, asked: Sequence[GateView]
) -> GateView | None:
    """Return the question that words answer although they are no reply to it; a file goes to the agent."""
    if replied_to(message) is not None or message.attachments or not to.text.strip():
        return None
    return answered_plainly(asked, to.agent.id, to.task)


def replied_to(message: discord.Message) -> int | None:
    """Return the message that a person's is a reply to; a forward is none, whatever it shows."""
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    return reference.message_id


def is_about_rights(error: Exception) -> bool:
    """Return whether an error says what its person may not do here."""
    return isinstance(error, ActionRefused) and error.refusal in (
        refusals.REPLY_REFUSED,
        *refusals.NOT_ALLOWED.values(),
    )


def has_outcome(message: discord.Message) -> bool:
    """Return True if the bot already marked the message as delivered or refused."""
    return any(r.me and str(r.emoji) in (DELIVERED, KEPT, REFUSED) for r in message.reactions)


def _guild_of(bot: discord.Client, channel_id: int) -> discord.Guild | None:
    channel = bot.get_channel(channel_id)
    return channel.guild if isinstance(channel, discord.abc.GuildChannel | discord.Thread) else None
