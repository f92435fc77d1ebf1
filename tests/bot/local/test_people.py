"""What people do as masters of the server, and how the bot hears of it."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest

from bot.local import CannotError, NoAnswerError, actors
from tests.bot.local.conftest import House
from tests.bot.local.smallbot import Ask


async def heard(house: House, event: str, work: object, expected: object = None) -> object:
    """Do something and return what the bot hears about it (only ``expected``, if it is given)."""

    def fits(*arguments: object) -> bool:
        return expected is None or arguments[0] == expected

    waiting = asyncio.ensure_future(house.bot.wait_for(event, check=fits, timeout=5))
    await asyncio.sleep(0)
    await work  # type: ignore[misc]
    return await waiting


async def test_roles_are_given_and_taken(house: House) -> None:
    """A role decides what its holder may do, until it is taken away or deleted."""
    you, guest = house.local.you, house.local.guest
    role = await you.create_role("steer", ["manage_messages"])
    said = await you.send(house.lobby.id, "mine")
    await you.give_role(guest.id, role)
    await guest.delete(said)
    again = await you.send(house.lobby.id, "mine again")
    await you.give_role(guest.id, role, take=True)
    with pytest.raises(CannotError, match="manage_messages"):
        await guest.delete(again)
    gone = await heard(house, "guild_role_delete", you.delete_role(role))
    assert isinstance(gone, discord.Role) and gone.id == role
    with pytest.raises(CannotError, match="manage_roles"):
        await guest.create_role("mine")


async def test_channels_and_webhooks_deleted_by_hand(house: House) -> None:
    """Deleting a channel, a thread or a webhook, or moving one, reaches the bot."""
    you, guild = house.local.you, house.bot.guilds[0]
    channel = await guild.create_text_channel("one")
    other = await guild.create_text_channel("two")
    thread = await channel.create_thread(name="t", type=discord.ChannelType.public_thread)
    hook = await channel.create_webhook(name="agents")
    await heard(house, "webhooks_update", you.move_webhook(hook.id, other.id), other)
    await heard(house, "webhooks_update", you.delete_webhook(hook.id), other)
    gone = await heard(house, "raw_thread_delete", you.delete_channel(thread.id))
    assert isinstance(gone, discord.RawThreadDeleteEvent) and gone.thread_id == thread.id
    assert await heard(house, "guild_channel_delete", you.delete_channel(channel.id)) == channel
    assert guild.get_channel(channel.id) is None


async def test_people_react_pin_and_type(house: House) -> None:
    """Reactions, pins and typing of people reach the bot, with who did it."""
    you = house.local.you
    message = await house.lobby.send("look")
    seen = await you.sees(house.lobby.id, "look")
    added = await heard(house, "raw_reaction_add", you.react(seen, "👍"))
    assert isinstance(added, discord.RawReactionActionEvent) and added.user_id == you.id
    await heard(house, "raw_reaction_remove", you.unreact(seen, "👍"))
    await heard(house, "guild_channel_pins_update", you.pin(seen))
    assert (await house.lobby.fetch_message(message.id)).pinned
    await heard(house, "raw_typing", you.typing(house.lobby.id))


async def test_edits_and_deletions_reach_the_bot(house: House) -> None:
    """A person's edit and deletion arrive with the message's id."""
    you = house.local.you
    said = await you.send(house.lobby.id, "first thought")
    edited = await heard(house, "raw_message_edit", you.edit(said, "second thought"))
    assert isinstance(edited, discord.RawMessageUpdateEvent) and edited.data["content"] == "second thought"
    deleted = await heard(house, "raw_message_delete", you.delete(said))
    assert isinstance(deleted, discord.RawMessageDeleteEvent) and deleted.message_id == int(said["id"])
    with pytest.raises(CannotError, match="not there"):
        await you.edit(said, "third")


async def test_a_locked_thread_takes_no_words(house: House) -> None:
    """Who may not manage threads cannot write in a locked one, archived or not; who may, can."""
    thread = await house.lobby.create_thread(name="t", type=discord.ChannelType.public_thread)
    you, guest = house.local.you, house.local.guest
    await guest.send(thread.id, "before")
    await thread.edit(locked=True)
    with pytest.raises(CannotError, match="locked"):
        await guest.send(thread.id, "after")
    await you.send(thread.id, "a moderator")
    await thread.edit(archived=True, locked=True)
    with pytest.raises(CannotError, match="locked"):
        await guest.send(thread.id, "after")


async def test_what_stands_in_an_archived_thread_stays(house: House) -> None:
    """No edit, reaction or pin there until somebody writes; twenty kinds of reactions are the most."""
    thread = await house.lobby.create_thread(name="t", type=discord.ChannelType.public_thread)
    you = house.local.you
    said = await you.send(thread.id, "mine")
    await thread.edit(archived=True)
    for act in (you.edit(said, "other"), you.react(said, "👍"), you.pin(said)):
        with pytest.raises(CannotError, match="archived; write in it"):
            await act
    await you.send(thread.id, "awake")
    await you.edit(said, "other")
    for number in range(20):
        await you.react(said, chr(0x1F600 + number))
    with pytest.raises(CannotError, match="20 different"):
        await you.react(said, "👍")
    await house.local.guest.react(said, chr(0x1F600))


async def test_a_form_without_an_answer_can_be_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written into a form is not lost when the bot did not answer in time; answered, it is done."""
    monkeypatch.setattr(actors, "ANSWER_WITHIN", 0.3)
    answers = iter((False, True))

    async def on_submit(self: Ask, interaction: discord.Interaction) -> None:
        if not next(answers):
            raise RuntimeError("not now")
        await interaction.response.send_message("thanks", ephemeral=True)

    async def on_error(self: Ask, interaction: discord.Interaction, error: Exception) -> None:
        assert str(error) == "not now"

    monkeypatch.setattr(Ask, "on_submit", on_submit)
    monkeypatch.setattr(Ask, "on_error", on_error)
    you = house.local.you
    form = await you.slash(house.lobby.id, "ask")
    with pytest.raises(NoAnswerError):
        await you.submit(form, {"question": "Why?"})
    assert (await you.submit(form, {"question": "Why?"})).text == "thanks"
    with pytest.raises(CannotError, match="sent already"):
        await you.submit(form, {"question": "Why?"})
    with pytest.raises(CannotError, match="copy what you wrote"):
        await you.submit(12345, {"question": "Why?"})


async def test_bot_is_thrown_out(house: House) -> None:
    """A kicked bot is notified, and everything of that server is inaccessible to it."""
    channel = house.lobby
    left = await heard(house, "guild_remove", house.local.you.kick_bot())
    assert isinstance(left, discord.Guild) and list(house.bot.guilds) == []
    with pytest.raises(discord.NotFound) as gone:
        await channel.send("anybody?")
    assert gone.value.code == 10003


async def test_select_of_people_roles_and_channels(house: House) -> None:
    """Entity menus take ids and hand the bot the people, roles and channels chosen."""
    you = house.local.you
    chosen: list[int] = []
    view = discord.ui.View(timeout=None)
    menus: list[discord.ui.Item[discord.ui.View]] = [
        discord.ui.UserSelect(custom_id="u"),
        discord.ui.RoleSelect(custom_id="r"),
        discord.ui.ChannelSelect(custom_id="c"),
        discord.ui.MentionableSelect(custom_id="m", max_values=2),
    ]

    async def note(interaction: discord.Interaction) -> None:
        data: Any = interaction.data
        menu: Any = next(m for m in menus if m.custom_id == data["custom_id"])  # type: ignore[attr-defined]
        chosen.extend(value.id for value in menu.values)
        await interaction.response.defer()

    for menu in menus:
        menu.callback = note  # type: ignore[method-assign]
        view.add_item(menu)
    await house.lobby.send("choose", view=view)
    message = await you.sees(house.lobby.id, "choose")
    guest, role, lobby = str(house.local.guest.id), str(you.bot_role), str(house.lobby.id)
    for custom_id, values in (("u", [guest]), ("r", [role]), ("c", [lobby]), ("m", [guest, role])):
        assert (await you.select(message, values, custom_id=custom_id)).kind == "deferred_update"
    assert sorted(chosen) == sorted(map(int, [guest, role, lobby, guest, role]))
    with pytest.raises(CannotError, match="nothing with the id"):
        await you.select(message, ["12345"], custom_id="u")
