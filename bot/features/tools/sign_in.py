"""Sign in to a server of tools and out of it: buttons, the private link, and the window for its address.

Whoever manages the Discord server may, or the operator where several share the account, at each step; the
link is good once and for who asked for it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord

from bot.discord.access import Person, person_of
from bot.discord.context import Interaction, OutsideTools, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.interactions import answer, hold, require_signer, signs
from bot.discord.lookup import current_space
from bot.discord.reporting_item import ReportingItem
from bot.discord.windows import TextField, window
from bot.texts import tools as wording
from engine.commands import RecordSignIn, RecordSignOut
from engine.ports import ServerState

MOST_BUTTONS = 25
"""Buttons of a message (Discord's rule)."""

ASK, PASTE, OUT = "ask", "paste", "out"
MESSAGE = 2_000


class SignInButton(
    ReportingItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"signin:(?P<verb>ask|paste|out):(?P<server>[A-Za-z0-9_. -]{0,40})",
):
    """`signin:ask:<server>` asks for a link, `signin:paste:` opens the window for the address, and
    `signin:out:<server>` ends the sign-in."""

    def __init__(self, verb: str, server: str = "") -> None:
        label = _LABELS[verb].format(name=server)
        super().__init__(discord.ui.Button(label=label, custom_id=f"signin:{verb}:{server}"))
        self.verb, self.server = verb, server

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> SignInButton:
        """The button that was pressed, from its id alone."""
        return cls(match["verb"], match["server"])

    async def pressed(self, interaction: Interaction) -> None:
        """Hand out a link, open the window, or sign out."""
        if self.verb == PASTE:
            await require_signer(interaction, None)
            await interaction.response.send_modal(
                window("signin:0", wording.PASTE, TextField("address", wording.ADDRESS, long=True))
            )
            return
        await hold(interaction)
        if self.verb == OUT:
            await self._sign_out(interaction)
        else:
            await self._hand_out(interaction)

    async def _sign_out(self, interaction: Interaction) -> None:
        person, _ = await _signer(interaction, self.server)
        outside, space = _outside(interaction), current_space(interaction)
        ends = RecordSignOut(space, self.server, person.key, person.named)
        await outside.sign_out(self.server, space, parts_of(interaction).engine.recording(ends))
        await answer(interaction, wording.SIGNED_OUT.format(name=plain(self.server, 60)))

    async def _hand_out(self, interaction: Interaction) -> None:
        person, state = await _signer(interaction, self.server)
        outside, space = _outside(interaction), current_space(interaction)
        begins = RecordSignIn(space, self.server, person.key, person.named)
        record = parts_of(interaction).engine.recording(begins)
        may = _may(interaction, state)
        link = await outside.begin_sign_in(self.server, space, person.key, may, record)
        text = wording.LINK.format(
            name=plain(link.server, 60), host=plain(link.host, 100), minutes=round(link.seconds / 60)
        )
        view = discord.ui.View(timeout=None)
        view.add_item(SignInButton(PASTE))
        shown = f"{text}\n<{link.address}>"
        if len(shown) <= MESSAGE:
            await answer(interaction, shown, view=view)
        else:
            whole = discord.File(io.BytesIO(link.address.encode()), wording.LINK_FILE)
            await answer(interaction, text, view=view, files=[whole])


_LABELS = {ASK: wording.SIGN_IN, PASTE: wording.PASTE, OUT: wording.SIGN_OUT}


def _may(interaction: Interaction, state: ServerState) -> Callable[[], Awaitable[bool]]:
    """Return what tells whether the person may still sign the agents in."""
    guild, person_id, client = interaction.guild, interaction.user.id, interaction.client

    async def may() -> bool:
        try:
            member = await guild.fetch_member(person_id) if guild is not None else None
        except discord.NotFound:
            return False
        return member is not None and await signs(client, person_of(member), state)

    return may


async def _signer(interaction: Interaction, server: str) -> tuple[Person, ServerState]:
    """Return the person and the server of tools, if they may sign its agents in and out here. Raises
    ActionRefused: first where the person has no such right, so that no name is confirmed to them."""
    here = states_here(parts_of(interaction).outside, current_space(interaction))
    state = next((state for state in here if state.name == server), None)
    person = await require_signer(interaction, state)
    if state is None:
        raise ActionRefused(wording.NO_SERVER.format(name=plain(server, 60)))
    return person, state


def states_here(outside: OutsideTools | None, space: str) -> list[ServerState]:
    """Return the states of the servers of tools that the agents of a Discord server use."""
    states = outside.states() if outside is not None else ()
    return [state for state in states if space in (state.spaces or {space})]


def _outside(interaction: Interaction) -> OutsideTools:
    outside = parts_of(interaction).outside
    if outside is None:
        raise ActionRefused(wording.NONE)
    return outside


async def pasted(interaction: Interaction, _number: int, values: Mapping[str, str]) -> None:
    """End a sign-in with the address that the person's browser was sent to."""
    await hold(interaction)
    person = await require_signer(interaction, None)
    server = await _outside(interaction).finish_sign_in(values.get("address", ""), person.key)
    await answer(interaction, wording.SIGNED_IN.format(name=plain(server, 60)))


async def sign_in_view(
    client: discord.Client, person: Person, states: Sequence[ServerState]
) -> discord.ui.View | None:
    """Return a button for each server that can be signed in to or out of, None without any.

    A manager sees those for the operator too: they say who may.
    """
    offered = [state for state in states if state.signs_in or state.signed_in]
    here = [state for state in offered if person.manages_guild or await signs(client, person, state)]
    buttons = [(ASK, state.name) for state in here if state.signs_in]
    buttons += [(OUT, state.name) for state in here if state.signed_in]
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for verb, name in buttons[:MOST_BUTTONS]:
        view.add_item(SignInButton(verb, name))
    return view
