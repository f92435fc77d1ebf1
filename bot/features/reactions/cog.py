"""Reactions as verbs: ❓ why, ⏸️ pause, ✅ accept, 🔁 continue, on agents' messages, questions and cards.

Each is the action that the command or button does, with the same rights; what comes of it is said to the
person alone, by direct message, or by a note that goes away.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import discord
from discord.ext import commands

from bot import texts
from bot.discord.access import Right, gate_rights
from bot.discord.context import Interaction, Parts
from bot.discord.error_reports import error_text
from bot.discord.errors import UNDELIVERED, ActionRefused
from bot.discord.formatting import plain
from bot.discord.identities import space_of
from bot.discord.interactions import require_right, require_view
from bot.discord.limits import FILE_BYTES
from bot.features.agents.actions import pause_agent, resume_agent
from bot.features.agents.step_buttons import TURN_STEPS, pages_of, steps_of
from bot.features.tasks.actions import pause_task, resume_task
from bot.features.tasks.continuing import offer, require_continuable
from bot.features.tasks.tree import tree_text
from bot.outbox.split import MESSAGE, excerpt
from bot.texts import refusals
from bot.texts import steering as words
from engine.commands import AnswerGate
from engine.queries import AgentView, GateView, TaskView

log = logging.getLogger(__name__)
NOTE_S = 20.0
"""Seconds that a note stands in the channel for whom no direct message reaches."""

ACCEPTING = ("approve", "accept")


@dataclass(frozen=True, slots=True)
class ReactionAsk:
    """Who reacted and where: what the checks of rights read of an interaction."""

    client: Any
    user: discord.Member
    guild: discord.Guild
    channel_id: int

    @property
    def guild_id(self) -> int:
        """Return the server's id."""
        return self.guild.id


@dataclass(frozen=True, slots=True)
class Meant:
    """What a reaction stands on: a task, and of it agents' words (spoken at times) or a question."""

    task: TaskView
    spoke: tuple[tuple[AgentView, tuple[float, ...]], ...] = ()
    gate: GateView | None = None

    @property
    def agent(self) -> AgentView | None:
        """Return the one agent that spoke, None for no agent. Raises ActionRefused for several."""
        if len(self.spoke) > 1:
            names = texts.listed([plain(agent.name, 40) for agent, _ in self.spoke])
            raise ActionRefused(refusals.SEVERAL_AGENTS.format(names=names))
        return self.spoke[0][0] if self.spoke else None


@dataclass(frozen=True, slots=True)
class Told:
    """What comes of a reaction: `text`, and `whole` as a file, of which `note` says what it holds."""

    text: str
    whole: bytes = b""
    note: str = ""

    def message(self, note: str) -> str:
        """Return the text with a last line, in one message."""
        end = f"\n{note}" if note else ""
        return f"{excerpt(self.text, MESSAGE - len(end))}{end}"

    def files(self) -> list[discord.File]:
        """Return new files to attach, for each message its own."""
        return [discord.File(io.BytesIO(self.whole), "why.md")] if self.whole else []


def attached(pages: Sequence[str]) -> Told:
    """Return pages as their first one with all of them in a file, as many as a file may hold (pure)."""
    if len(pages) == 1:
        return Told(pages[0])
    parts, room = list[bytes](), FILE_BYTES
    for page in pages:
        part = f"{page}\n\n".encode("utf-8", "replace")
        if len(part) > room:
            break
        parts.append(part)
        room -= len(part)
    all_of_it = len(parts) == len(pages)
    note = texts.WHY_WHOLE if all_of_it else texts.WHY_PART.format(number=len(parts), of=len(pages))
    return Told(pages[0], b"".join(parts), note)


class ReactionsCog(commands.Cog):
    """Listens to people's reactions."""

    def __init__(self, bot: discord.Client, parts: Parts) -> None:
        self.bot, self.parts = bot, parts
        self._standing: dict[tuple[int, int, str], float] = {}
        """Until when a note stands, by person, channel and text."""

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """Carry out the verb that a reaction stands for."""
        verb = VERBS.get(str(payload.emoji).rstrip("\ufe0f"))
        guild = self.bot.get_guild(payload.guild_id or 0)
        if verb is None or guild is None or payload.member is None or payload.member.bot:
            return
        await self.parts.routes.recorded(payload.message_id, payload.channel_id)
        meant = await self._meant(payload.message_id, guild.id)
        if meant is None or (verb is ReactionsCog.accept and meant.spoke and not meant.gate):
            return  # a tick on an agent's words is applause, no decision
        ask = ReactionAsk(self.bot, payload.member, guild, payload.channel_id)
        try:
            said = await verb(self, cast(Interaction, ask), meant)
        except Exception as error:  # noqa: BLE001 - errors are reported to the person
            said = Told(error_text(error))
        await self._answer_privately(ask, said)

    async def _meant(self, message_id: int, guild_id: int) -> Meant | None:
        look, routes = self.parts.engine.look, self.parts.routes
        times = await routes.spoke_at(message_id)
        gate_id = await routes.gate_of(message_id)
        task_id = await self.parts.records.task_of_card(message_id)
        spoke = tuple([(await look.agent(each), tuple(at)) for each, at in times.items()])
        gate = await look.gate(gate_id) if gate_id is not None else None
        number = spoke[0][0].task_id if spoke else gate.task_id if gate else task_id
        if number is None:
            return None
        task = await look.task(number)
        if task.space != space_of(guild_id):
            return None
        return Meant(task, spoke, gate)

    async def _answer_privately(self, ask: ReactionAsk, said: Told) -> None:
        try:
            await ask.user.send(said.message(said.note), files=said.files(), suppress_embeds=True)
        except UNDELIVERED:
            place = self.bot.get_partial_messageable(ask.channel_id)
            brief = replace(said, text=f"{ask.user.mention} {said.text}")
            note = brief.message(texts.WHY_NO_DIRECT if said.whole else "")
            if self._stands((ask.user.id, ask.channel_id, note)):
                return
            try:
                await place.send(note, delete_after=NOTE_S, silent=True, suppress_embeds=True)
            except UNDELIVERED as error:
                log.warning("cannot tell user %s what came of a reaction: %s", ask.user.id, error)

    def _stands(self, key: tuple[int, int, str]) -> bool:
        """Return whether the same note still stands; note that it does from now on."""
        now = self.parts.now()
        self._standing = {each: until for each, until in self._standing.items() if until > now}
        if key in self._standing:
            return True
        self._standing[key] = now + NOTE_S
        return False

    # ------------------------------------------------------------ verbs

    async def why(self, ask: Interaction, at: Meant) -> Told:
        """Say what led to an agent's words, or how the task stands."""
        await require_view(ask, at.task)
        look = self.parts.engine.look
        if not at.spoke:
            return Told(tree_text(await look.agents(at.task.id), ended=at.task.ended_at is not None))
        pages = list[str]()
        for agent, times in at.spoke:
            for step in await steps_of(ask, agent.id, times):
                steps = await look.steps(agent.id, TURN_STEPS, upto=step)
                pages += await pages_of(ask, "why", agent, at.task, steps)
        return attached(pages)

    async def pause(self, ask: Interaction, at: Meant) -> Told:
        """Pause the agent with all below it, or the task."""
        if at.agent is not None:
            return Told(await pause_agent(ask, at.agent, at.task))
        return Told(await pause_task(ask, at.task))

    async def accept(self, ask: Interaction, at: Meant) -> Told:
        """Approve the plan or accept the result that is asked about."""
        person = await require_right(ask, Right.APPROVE, at.task)
        open_ones = [at.gate] if at.gate else list(await self.parts.engine.look.gates(at.task.id))
        found = [
            (gate, choice)
            for gate in open_ones
            if gate.basis is None
            for choice in gate.choices
            if choice.effect in ACCEPTING
        ]
        if len(found) != 1:
            raise ActionRefused(refusals.NOTHING_TO_ACCEPT.format(id=at.task.id))
        gate, choice = found[0]
        for right in gate_rights(choice):
            await require_right(ask, right, at.task)
        await self.parts.engine.handle(AnswerGate(gate.id, person.key, choice.id, by_name=person.named))
        return Told(words.ACCEPTED.format(id=at.task.id))

    async def go_on(self, ask: Interaction, at: Meant) -> Told:
        """Resume what is paused; of a task that has ended, offer to continue it."""
        if at.task.ended_at is not None:
            await require_view(ask, at.task)
            require_continuable(at.task)
            where = words.CONTINUE_WHERE.format(id=at.task.id)
            text, _ = offer(at.task, self.parts.defaults, kept=False)
            return Told(f"{text}\n{where}")
        await require_right(ask, Right.STEER, at.task)
        if at.agent is not None and at.agent.state == "paused":
            return Told(await resume_agent(ask, at.agent, at.task))
        if at.task.state == "paused":
            return Told(await resume_task(ask, at.task))
        name = plain(at.agent.name, 60) if at.agent else f"Task #{at.task.id}"
        raise ActionRefused(refusals.NOT_PAUSED.format(name=name))


Verb = Callable[[ReactionsCog, Interaction, Meant], Awaitable[Told]]
VERBS: Mapping[str, Verb] = {
    "❓": ReactionsCog.why,
    "⏸": ReactionsCog.pause,
    "✅": ReactionsCog.accept,
    "🔁": ReactionsCog.go_on,
}
"""The verbs by emoji, without the variation selector."""
