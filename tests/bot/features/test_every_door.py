"""Whatever the bot registered, used by whom it is not for: nothing happens, and only they are told.

What there is, is read from the bot itself: a new button, verb, window, menu, command or reaction without a
case fails here.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import discord
import pytest
from discord import app_commands
from simcord import interactions
from simcord.backend import serializers

from bot.app.client import ITEMS
from bot.app.window_router import ALL as WINDOWS
from bot.features.agents.buttons import AgentButton
from bot.features.agents.menus import SpeakersButton
from bot.features.agents.step_buttons import StepButton
from bot.features.audit.pages import AuditButton
from bot.features.files.browser import FileButton, FilesButton, FileSelect, path_id
from bot.features.gates.buttons import CAP, SAY, GateButton
from bot.features.reactions.cog import VERBS as REACTIONS
from bot.features.repeats.buttons import RepeatButton
from bot.features.replies.unknown_copies import PassOnButton
from bot.features.tasks.buttons import VERBS, TaskButton
from bot.features.tasks.continuing import ContinueButton
from bot.features.tasks.pages import PageButton
from bot.features.tools.sign_in import SignInButton
from bot.features.welcome.buttons import OfferButton, WelcomeButton, keep_offer
from bot.features.welcome.texts import EXAMPLES
from bot.storage.tables import BOT_METADATA
from bot.texts import refusals
from engine.commands import RepeatTask
from engine.domain.gates import GateEffect, GateKind
from tests.bot.features.conftest import Stage
from tests.bot.features.test_rights_again import closed_task, custom_ids, grant, others

SECRETS = ("merger", "price is 12", "or 13", "plan.md", "keep quiet", "shall we buy")
EPHEMERAL = discord.MessageFlags(ephemeral=True).value
OPEN_TO_ALL = ("/help", "/doctor", "/tools", "/spend", "/task list", "/task repeat list")
"""What everybody in a server may look at; it names nothing that they may not see."""


OWN = ("welcome:", "page:memories:", "page:repeats:", "page:audit:", "audit:", "signin:")
"""Ids of buttons that name nothing of a server."""


@dataclass(frozen=True)
class Door:
    """One interaction: its type and data, as Discord sends them. `own`: it names nothing of a server, so that
    it shows or begins there what is its own."""

    name: str
    type: int
    data: Mapping[str, Any]
    own: bool = False


@dataclass
class House:
    """A server whose task nobody else may see, and the ids of everything that it has."""

    stage: Stage
    elsewhere: Any
    task: int
    agent: int
    gate: int
    words: Any
    asked: Any
    known: dict[str, str]
    values: Mapping[type, Mapping[str, Sequence[object]]] = field(default_factory=dict)

    # ------------------------------------------------------------ what there is

    def doors(self) -> list[Door]:
        """Everything that people can use."""
        return [*self.components(), *self.windows(), *self.menus(), *self.commands()]

    def components(self) -> Iterator[Door]:
        """Every id that each dynamic item's template allows, with the numbers of what is here."""
        assert set(self.values) == set(ITEMS)
        for item in ITEMS:
            pattern = item.__discord_ui_compiled_template__.pattern
            for custom_id in expanded(pattern, self.values[item]):
                select = item is FileSelect
                data: dict[str, Any] = {"custom_id": custom_id, "component_type": 3 if select else 2}
                if select:
                    data["values"] = [path_id("plan.md")]
                own = custom_id.startswith(OWN)
                yield Door(custom_id, 3, data, own)

    def windows(self) -> Iterator[Door]:
        """Each window, as if somebody had filled it in."""
        numbers = {"say": self.agent, "edit": self.agent, "agentcap": self.agent, "cap": self.task}
        numbers |= {"continue": self.task, "gate": self.gate, "plancap": self.gate, "signin": 0, "goal": 1}
        assert set(numbers) == set(WINDOWS)
        typed = {"text": "x", "goal": "x", "dollars": "0.5", "tokens": "9", "agents": "1", "minutes": "9"}
        boxes = [
            {"type": 18, "component": {"type": 4, "custom_id": name, "value": value}}
            for name, value in (typed | {"address": "http://127.0.0.1/?code=1&state=2"}).items()
        ]
        for kind, number in numbers.items():
            data = {"custom_id": f"{kind}:{number}", "components": boxes}
            yield Door(f"{kind}:{number}", 5, data, own=kind == "signin")

    def menus(self) -> Iterator[Door]:
        """Each entry of the menu of a message, on an agent's words."""
        backend, tree = self.stage.env.backend, self.stage.env.bot.tree
        assert not tree.get_commands(type=discord.AppCommandType.user)
        stored = backend.get_message(self.words.channel.id, self.words.id)
        payload = dict(serializers.message_payload(backend, stored))
        for entry in tree.get_commands(type=discord.AppCommandType.message):
            target = {"target_id": str(stored.id), "resolved": {"messages": {str(stored.id): payload}}}
            yield Door(entry.name, 2, {"id": "1", "name": entry.name, "type": 3, **target})

    def commands(self) -> Iterator[Door]:
        """Each command, with all options that name something and those that it needs."""
        for command in self.stage.env.bot.tree.walk_commands():
            if isinstance(command, app_commands.Group):
                continue
            given = [
                {"name": each.name, "type": each.type.value, "value": self._option(each)}
                for each in command.parameters
                if each.required or each.name in self.known
            ]
            path = command.qualified_name.split(" ")
            data: dict[str, Any] = {"name": path[-1], "type": 1, "options": given}
            for above, depth in zip(reversed(path[:-1]), itertools.count(1), strict=False):
                data["type"] = depth
                data = {"name": above, "options": [data]}
            name = f"/{command.qualified_name}"
            yield Door(name, 2, {**data, "id": "1", "type": 1}, name in (*OPEN_TO_ALL, "/memory list"))

    def _option(self, option: Any) -> object:
        value = self.known[option.name]
        return int(value) if option.type is discord.AppCommandOptionType.integer else value

    # ------------------------------------------------------------ what it looks like now

    def seen(self) -> list[Any]:
        """Everything that may not change: commands, records, and what stands where others can read it."""
        stage = self.stage
        rows = stage.database.write_now(
            lambda c: [sorted(map(str, c.execute(t.select()))) for t in BOT_METADATA.sorted_tables]
        )
        dms = set(stage.env.backend.dm_channels.values())
        public = {
            (message.id, message.content, json.dumps(message.components), message.flags)
            for channel, messages in stage.env.backend.messages.items()
            if channel not in dms
            for message in messages.values()
            if not message.flags & EPHEMERAL
        }
        return [list(stage.engine.commands), list(stage.archive.closed), rows, public]

    async def use(
        self, doors: Sequence[Door], person: int, channel: int, guild: int | None, **more: Any
    ) -> Any:
        """Send them all at once, as Discord would; return each one's record."""
        backend, records = self.stage.env.backend, []
        where: dict[str, Any] = {"channel_id": channel, "guild_id": guild}
        shown: dict[str, Any] = dict(serializers.message_payload(backend, self.carrier(channel)))
        for door in doors:
            record, payload = interactions.base_payload(
                backend, type=door.type, user_id=person, data=dict(door.data), **where
            )
            if door.type == 3:
                record.source_message_id = int(shown["id"])
                payload["message"] = {**shown, "components": carrying(door.data)}
            if more.get("left"):
                payload["user"] = payload.pop("member")["user"]
            backend.emit("INTERACTION_CREATE", payload)
            records.append(record)
        await self.stage.env.settle()
        return records

    async def react(self, person: int, guild: int | None, *, left: bool = False) -> None:
        """Put each reaction that is a verb on an agent's words, a question and the card.

        All from the lobby: who reacts in a task's own place was let in by Discord.
        """
        backend, members = self.stage.env.backend, {}
        if guild is not None and not left:
            server = backend.get_guild(guild)
            members["member"] = dict(serializers.member_payload(backend, server, server.members[person]))
        card = await self.stage.records.card(self.task)
        assert card is not None
        where = {"user_id": str(person), "type": 0, "burst": False}
        where |= {} if guild is None else {"guild_id": str(guild)}
        for message in (self.words.id, self.asked.id, card.message_id):
            for verb in REACTIONS:
                at = {"channel_id": str(self.stage.lobby.id), "message_id": str(message)}
                emoji = {"emoji": {"id": None, "name": verb}}
                backend.emit("MESSAGE_REACTION_ADD", {**where, **at, **emoji, **members})
        await self.stage.env.settle()

    def written_to(self, person: int) -> list[str]:
        """What the bot wrote to somebody alone."""
        backend = self.stage.env.backend
        return [each.content for each in backend.messages[backend.get_dm_channel(person).id].values()]

    def carrier(self, channel: int) -> Any:
        """A message of the bot's in the channel, which the components stand on."""
        backend = self.stage.env.backend
        mine = [
            message
            for message in backend.messages[channel].values()
            if message.author_id == backend.bot_user.id and not message.flags & EPHEMERAL
        ]
        return mine[0] if mine else backend.create_message(channel, backend.bot_user.id, content="?")

    def told(self, record: Any) -> list[Any]:
        """Every message that answered an interaction, beside the one that it came from."""
        ids = [record.message_id, *record.followup_ids]
        messages = self.stage.env.backend.messages[record.channel_id]
        return [messages[each] for each in ids if each in messages and each != record.source_message_id]


def expanded(pattern: str, values: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """Yield every text that a template matches: its words in full, other groups with the given values."""
    parts = re.split(r"\(\?P<(\w+)>([^()]*)\)", pattern)
    fixed, names, bodies = parts[::3], parts[1::3], parts[2::3]
    choices = [
        body.split("|") if re.fullmatch(r"[a-z_]+(\|[a-z_]+)+", body) else values[name]
        for name, body in zip(names, bodies, strict=True)
    ]
    for chosen in itertools.product(*choices):
        text = "".join(f"{a}{b}" for a, b in itertools.zip_longest(fixed, chosen, fillvalue=""))
        assert re.fullmatch(pattern, text), text
        yield text


def carrying(data: Mapping[str, Any]) -> list[Any]:
    """A row with the component that is used."""
    part: dict[str, Any] = {"type": data["component_type"], "custom_id": data["custom_id"], "id": 2}
    if data["component_type"] == 2:
        part |= {"style": 2, "label": "x"}
    else:
        part |= {"options": [{"label": "x", "value": "x"}], "min_values": 1, "max_values": 1}
    return [{"type": 1, "id": 1, "components": [part]}]


@pytest.fixture
async def house(stage: Stage) -> House:
    """A closed task with everything in it; rights for a role that nobody has."""
    elsewhere = stage.env.create_guild()  # first: a new server makes the bot read what it missed, also there
    room, ada = await closed_task(stage)
    (task,) = stage.engine.world.tasks.values()
    stage.engine.write(ada, "plan.md", b"Keep quiet.")
    memory = stage.engine.remember(f"guild:{stage.guild.id}", "The price is 12.")
    gate = stage.engine.raise_gate(task.boss_id, "Shall we buy?", kind="plan")
    more = [stage.engine.raise_gate(ada, "Keep quiet?", ("Or 13",), kind) for kind in get_args(GateKind)]
    words = await stage.posted(room, ada, text="The price is 12.")
    asked = await stage.posted(room, task.boss_id, text="Shall we buy?", gate_id=gate)
    drafted = await stage.boss.slash(stage.lobby, "task repeat new", goal="Watch the merger")
    draft = custom_ids(drafted.response.components)[0]["custom_id"].rpartition(":")[2]
    repeat = await stage.engine.handle(
        RepeatTask("Watch the merger", f"discord:{stage.boss.id}", f"guild:{stage.guild.id}", "0 9 * * 1")
    )
    offer = await keep_offer(stage.env.bot.parts, stage.guild.id, "Plan the merger", [])
    role = others(stage)
    await grant(stage, start=role, steer=role, approve=role, spend=role)
    known: dict[str, object] = {
        "task": task.id,
        "agent": ada,
        "group": task.root_group_id,
        "repeat": repeat,
        "memory": memory,
    }
    known |= {"text": "x", "instructions": "x", "reason": "x", "goal": "x", "budget": 1, "starts": 9}
    named = {name: str(each) for name, each in known.items()}
    made = House(stage, elsewhere, task.id, ada, gate, words, asked, named)
    this: Mapping[str, Sequence[object]] = {"task": [task.id], "page": [0], "agent": [ada]}
    made.values = {
        WelcomeButton: {"what": ["demo", "new", *EXAMPLES]},
        OfferButton: {"number": [offer]},
        TaskButton: {**this, "verb": [*VERBS, "nonsense"]},
        ContinueButton: {**this, "micros": [5], "tokens": [5], "minutes": [5]},
        PageButton: {**this, "of": [task.id]},
        AuditButton: {"task": [0, task.id], "at": [1]},
        SpeakersButton: {"message": [words.id], "page": [0, 9]},
        StepButton: {**this, "step": [1], "part": [0]},
        GateButton: {"gate": [gate, *more], "choice": [*get_args(GateEffect), "o1", "0", "9", SAY, CAP]},
        AgentButton: this,
        FileButton: {**this, "path": [path_id("plan.md")]},
        FileSelect: this,
        FilesButton: this,
        RepeatButton: {"number": [draft]},
        SignInButton: {"server": ["calendar"]},
        PassOnButton: {"first": [1], "last": [10**19]},
    }
    return made


def check_private(house: House, doors: Sequence[Door], records: Sequence[Any], *, dm: bool = False) -> None:
    """Each was answered with a refusal that nobody else sees; no window opened, no secret was shown."""
    for door, record in zip(doors, records, strict=True):
        told = house.told(record)
        assert record.responded and record.modal is None, f"{door.name}: {record.modal or 'no answer'}"
        assert told and all(dm or each.flags & EPHEMERAL for each in told), door.name
        whole = json.dumps([[each.content, each.embeds, each.components, each.attachments] for each in told])
        assert not [secret for secret in SECRETS if secret in whole.lower()], (door.name, whole)
        assert "incident" not in whole, (door.name, whole)


def refusals_in(house: House, doors: Sequence[Door], records: Sequence[Any]) -> dict[str, str]:
    """The last words that each door answered with."""
    return {door.name: house.told(record)[-1].content for door, record in zip(doors, records, strict=True)}


RIGHTS = tuple(each.reason for each in (*refusals.NOT_ALLOWED.values(), refusals.NEEDS_MANAGE))
NOT_THEIRS = (refusals.REPEAT_LOST.reason, refusals.NOTHING_LEFT_TO_GIVE.reason, refusals.DRAFT_LOST.reason)
UNKNOWN = ("There is no ", "does not belong to this server", "belongs to no task")


async def test_a_guest_may_do_nothing_anywhere(house: House) -> None:
    """A member without any right: each door names the right that is lacking, so the ids were real."""
    doors, before, stage = house.doors(), house.seen(), house.stage
    records = await house.use(doors, stage.stranger.id, stage.lobby.id, stage.guild.id)
    await house.react(stage.stranger.id, stage.guild.id)
    assert house.seen() == before
    reacted = house.written_to(stage.stranger.id)
    assert len(reacted) == 3 * len(REACTIONS) - 1  # a tick on an agent's words is applause
    assert not [text for text in reacted if not text.startswith(RIGHTS)]
    check_private(house, doors, records)
    for name, text in refusals_in(house, doors, records).items():
        if name not in OPEN_TO_ALL:
            assert text.startswith((*RIGHTS, *NOT_THEIRS, *house_rules(name))), (name, text)


def house_rules(name: str) -> tuple[str, ...]:
    """Other refusals that are right for one door."""
    known = {"task:nonsense": refusals.OTHER_VERSION.reason, "offer": refusals.OFFER_LOST.reason}
    kind = "speakers" if name.startswith("speakers:") and name.endswith(":9") else name.rpartition(":")[0]
    known["speakers"] = refusals.NOT_A_PERSONA.reason
    return (known[kind],) if kind in known else ()


async def test_who_left_may_do_nothing_anywhere(house: House) -> None:
    """Of them Discord names the user alone, also in a server: the rights that they had are gone."""
    doors, before, stage = house.doors(), house.seen(), house.stage
    records = await house.use(doors, stage.boss.id, stage.lobby.id, stage.guild.id, left=True)
    await house.react(stage.boss.id, stage.guild.id, left=True)
    assert house.seen() == before
    check_private(house, doors, records)


async def test_in_a_direct_message_nothing_is_done(house: House) -> None:
    """Not for who manages the server either: a direct message is no place of it."""
    doors, before, stage = house.doors(), house.seen(), house.stage
    channel = stage.env.backend.get_dm_channel(stage.boss.id).id
    records = await house.use(doors, stage.boss.id, channel, None)
    await house.react(stage.boss.id, None)
    assert house.seen() == before
    check_private(house, doors, records, dm=True)


async def test_a_manager_of_another_server_reaches_nothing_here(house: House) -> None:
    """Every id of this server is unknown there; what names none shows only what is theirs."""
    stage = house.stage
    elsewhere = house.elsewhere
    hall = elsewhere.create_text_channel("hall")
    managers = elsewhere.create_role("managers", permissions=discord.Permissions(manage_guild=True))
    person = elsewhere.add_member(stage.boss, roles=[managers])
    starts = {f"/task {name}" for name in ("new", "demo", "repeat new")} | {"/setup"}
    doors = [door for door in house.doors() if not door.own and door.name not in starts]
    house.carrier(hall.id)
    before = house.seen()
    records = await house.use(doors, person.id, hall.id, elsewhere.id)
    await house.react(person.id, elsewhere.id)
    assert house.seen() == before
    check_private(house, doors, records)
    for name, text in refusals_in(house, doors, records).items():
        assert any(known in text for known in (*UNKNOWN, *NOT_THEIRS, *house_rules(name))), (name, text)
    own = [door for door in house.doors() if door.own and not door.name.startswith("welcome:")]
    for record in await house.use(own, person.id, hall.id, elsewhere.id):
        shown = json.dumps([[each.content, each.embeds] for each in house.told(record)]).lower()
        assert not [secret for secret in SECRETS if secret in shown]


STARTS = (
    *("/task new", "/task demo", "/task repeat", "/memory"),
    *("page:memories", "page:repeats", "welcome:", "offer:"),
)
"""What the right to start is enough for: memories and repeats are the server's."""


@pytest.mark.parametrize("where", ["in the lobby", "in the place of the own task"])
async def test_who_started_one_task_has_no_say_in_another(house: House, where: str) -> None:
    """Neither from elsewhere nor from a place that they were let into: the ids decide, not the place."""
    stage = house.stage
    await grant(stage, start=stage.role)
    await stage.crew.slash(stage.lobby, "task new", goal="Build a boat")
    mine = max(stage.engine.world.tasks.values(), key=lambda task: task.id)
    assert mine.by == f"discord:{stage.crew.id}" and mine.id != house.task
    room = stage.guild.create_text_channel("boat")
    await stage.meets(mine.root_group_id, room)
    place = stage.lobby if where == "in the lobby" else room
    doors = [door for door in house.doors() if not door.name.startswith(STARTS)]
    house.carrier(place.id)
    before = house.seen()
    records = await house.use(doors, stage.crew.id, place.id, stage.guild.id)
    await house.react(stage.crew.id, stage.guild.id)
    assert house.seen() == before
    check_private(house, doors, records)
    for name, text in refusals_in(house, doors, records).items():
        if name not in OPEN_TO_ALL:
            assert text.startswith((*RIGHTS, *NOT_THEIRS, *house_rules(name))), (name, text)


FAR = 10**20 - 1
"""A number that a custom id can hold and a database cannot."""


async def test_numbers_that_nothing_can_have_are_unknown(house: House) -> None:
    """For who manages the server too: one sentence, no incident."""
    stage = house.stage
    house.values = {**house.values, SpeakersButton: {"message": [FAR], "page": [0]}}
    doors = [door for door in house.components() if door.name.startswith("speakers:")]
    for door in house.windows():
        kind = door.name.partition(":")[0]
        if kind != "signin":
            far = {**door.data, "custom_id": f"{kind}:{FAR}"}
            doors.append(Door(f"{kind}:{FAR}", 5, far))
    before = house.seen()
    records = await house.use(doors, stage.boss.id, stage.lobby.id, stage.guild.id)
    assert house.seen() == before
    check_private(house, doors, records)
    for name, text in refusals_in(house, doors, records).items():
        known = (*UNKNOWN, *NOT_THEIRS, refusals.NOT_A_PERSONA.reason, refusals.NO_GATE.reason)
        assert any(each in text for each in known), (name, text)


async def test_a_window_without_its_inputs_is_an_empty_one(house: House) -> None:
    """And a menu in which nothing was chosen chooses nothing: said in one sentence, also to a manager."""
    stage = house.stage
    doors = [Door(each.name, 5, {**each.data, "components": []}) for each in house.windows()]
    for each in house.components():
        if each.data["component_type"] == 3:
            doors.append(Door(each.name, 3, {**each.data, "values": []}))
    assert {each.type for each in doors} == {3, 5}
    records = await house.use(doors, stage.boss.id, stage.lobby.id, stage.guild.id)
    for door, record in zip(doors, records, strict=True):
        told = house.told(record)
        assert told and "incident" not in told[-1].content, (door.name, told)
