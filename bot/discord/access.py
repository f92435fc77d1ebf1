"""Access rights in a server: pure rules, denied by default.

Four rights: start tasks, steer (talk to agents, pause, resume, stop), approve (answer gates), spend
(raise caps). A right belongs to the roles `/setup` gave it and to people with Manage Server; before
`/setup` only the latter. Who started a task may also steer it and answer its gates, never raise its caps
(but for the single tenth that wrapping up may use).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

import discord

from bot.discord.identities import person_key
from engine.commands import Quota
from engine.domain.gates import Choice, GateEffect


class Right(Enum):
    """A right that `/setup` gives to roles."""

    START = "start"
    STEER = "steer"
    APPROVE = "approve"
    SPEND = "spend"


OWNERS_RIGHTS = frozenset({Right.STEER, Right.APPROVE})

GATE_RIGHTS: Mapping[GateEffect | Literal["text"], tuple[Right, ...]] = {
    "approve": (Right.APPROVE,),
    "cancel": (Right.APPROVE,),
    "refuse_plan": (Right.APPROVE,),
    "raise_half": (Right.APPROVE, Right.SPEND),
    "raise_month": (Right.APPROVE, Right.SPEND),
    "wait_month": (Right.APPROVE,),
    "wrap_up": (Right.APPROVE,),
    "stop": (Right.APPROVE,),
    "dismiss": (Right.APPROVE,),
    "accept": (Right.APPROVE,),
    "another_round": (Right.APPROVE,),
    "retry": (Right.APPROVE,),
    "option": (Right.APPROVE,),
    "allow_call": (Right.APPROVE,),
    "allow_tool": (Right.APPROVE, Right.SPEND),
    "refuse_call": (Right.APPROVE,),
    "allow_packages": (Right.APPROVE,),
    "allow_action": (Right.APPROVE,),
    "refuse_action": (Right.APPROVE,),
    "refuse_packages": (Right.APPROVE,),
    "text": (Right.APPROVE,),
}
"""The rights needed to answer a gate, by the choice's effect; "text" is an answer as free text.

To allow a tool for the rest of a task agrees to calls that nobody has seen yet: as with a raised cap, having
started the task is not enough. The tenth that wrapping up may use is given once for each cap
(`engine.domain.gates`), so it needs no right to spend.
"""


CONTINUE_RIGHTS = (Right.START, Right.STEER)
"""The rights needed to continue a task after its end: it costs like a start, and steers its agents."""


Signer = Literal["manager", "operator"]
"""Who signs the agents in to a server of tools: who manages the Discord server, or the bot's operator, who
owns its application on Discord."""


def signer_of(spaces: Collection[str] | None, guilds: int) -> Signer:
    """Return who signs the agents in to a server of tools and out of it: the operator where the agents of
    several Discord servers act with that account. `spaces` None: those of all `guilds` of the bot."""
    return "operator" if (guilds if spaces is None else len(spaces)) > 1 else "manager"


def operators_of(application: discord.AppInfo) -> frozenset[int]:
    """Return the ids of who operates the bot: the owner of its application, or those of its team who may
    change the application."""
    team = application.team
    if team is None:
        return frozenset({application.owner.id})
    joined = discord.TeamMembershipState.accepted
    reads = discord.TeamMemberRole.read_only
    changers = (m.id for m in team.members if m.membership_state == joined and m.role != reads)
    return frozenset(changers) | ({team.owner_id} if team.owner_id else frozenset())


def gate_rights(choice: Choice | None) -> tuple[Right, ...]:
    """Return all rights needed to answer with this choice; None is an answer as free text."""
    return GATE_RIGHTS[choice.effect if choice else "text"]


@dataclass(frozen=True, slots=True)
class GuildRules:
    """The roles with each right in a server (empty: only managers); `category_id` None: one per task.

    `alerts_id`: the administrators' channel, None for the system channel.
    `quota`: what one person may use here; it does not bind managers.
    """

    guild_id: int
    start: frozenset[int] = frozenset()
    steer: frozenset[int] = frozenset()
    approve: frozenset[int] = frozenset()
    spend: frozenset[int] = frozenset()
    category_id: int | None = None
    configured: bool = False
    alerts_id: int | None = None
    quota: Quota = field(default_factory=Quota)

    def roles(self, right: Right) -> frozenset[int]:
        """Return the ids of roles with `right`."""
        roles: frozenset[int] = getattr(self, right.value)
        return roles


@dataclass(frozen=True, slots=True)
class Person:
    """A person as far as rights are concerned."""

    id: int
    name: str
    role_ids: frozenset[int]
    manages_guild: bool
    role_names: Mapping[int, str] = field(default_factory=dict)
    title: str = ""

    @property
    def named(self) -> str:
        """Return the name with what gives the person a say here, for people and agents."""
        return f"{self.name} ({self.title})" if self.title else self.name

    @property
    def key(self) -> str:
        """Return the person's key for the engine."""
        return person_key(self.id)


def person_of(member: discord.Member) -> Person:
    """Return the member's identity, roles and whether they manage the server."""
    names = {role.id: role.name for role in member.roles}
    manages = member.guild_permissions.manage_guild or member.guild.owner_id == member.id
    return Person(member.id, member.display_name, frozenset(names), manages, names)


def may(person: Person, right: Right, rules: GuildRules, owner: int | None = None) -> bool:
    """Return True if `person` has `right`; `owner` is the id of who started the task in question."""
    if person.manages_guild:
        return True
    if owner == person.id and right in OWNERS_RIGHTS:
        return True
    return rules.configured and bool(rules.roles(right) & person.role_ids)


def titled(person: Person, rules: GuildRules, owner: int | None = None) -> Person:
    """Return the person with a title: the role that gives a right here, else why they have one."""
    given = frozenset[int]().union(*(rules.roles(right) for right in Right)) & person.role_ids
    names = sorted(name for role_id, name in person.role_names.items() if role_id in given)
    title = names[0] if names else "started the task" if owner == person.id else ""
    if not title and person.manages_guild:
        title = "manages the server"
    return replace(person, title=title)


def quota_of(person: Person, rules: GuildRules) -> Quota:
    """Return what the person may use in the server."""
    return Quota() if person.manages_guild else rules.quota


def without_role(rules: GuildRules, role_id: int) -> GuildRules:
    """Return the rules without a deleted role; its rights never fall to everyone."""
    gone = {role_id}
    return replace(
        rules,
        start=rules.start - gone,
        steer=rules.steer - gone,
        approve=rules.approve - gone,
        spend=rules.spend - gone,
    )
