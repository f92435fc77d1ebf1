"""Every part of Discord's REST API the product needs, used by discord.py unmodified."""

from __future__ import annotations

import io

import discord
import pytest

from tests.bot.local.conftest import House
from tests.bot.local.smallbot import PNG, Card, card_files


async def test_channels_in_a_category(house: House) -> None:
    """A category and its channels are made, edited, moved, and outlive the category."""
    guild = house.bot.guilds[0]
    category = await guild.create_category("Task 1")
    channel = await category.create_text_channel("Big Plans!", topic="all of it")
    assert channel.name == "big-plans" and channel.category_id == category.id
    channel = await channel.edit(topic="less", slowmode_delay=5)
    assert (channel.topic, channel.slowmode_delay) == ("less", 5)
    await category.delete()
    fresh = await house.bot.fetch_channel(channel.id)
    assert isinstance(fresh, discord.TextChannel) and fresh.category_id is None
    await channel.delete(reason="done")
    with pytest.raises(discord.NotFound) as gone:
        await house.bot.fetch_channel(channel.id)
    assert gone.value.code == 10003


async def test_webhook_personas_in_channel_and_thread(house: House) -> None:
    """One webhook writes under many names, in its channel and in a thread, and edits and deletes there."""
    channel = await house.bot.guilds[0].create_text_channel("group")
    hook = await channel.create_webhook(name="agents", avatar=PNG)
    assert hook.token and hook.user == house.bot.user and hook.avatar is not None
    thread = await channel.create_thread(name="sub", type=discord.ChannelType.public_thread)
    here = await hook.send("here", username="Ada", avatar_url="https://faces.example/a.png", wait=True)
    there = await hook.send("there", username="Bob", thread=thread, wait=True)
    assert (here.channel.id, there.channel.id) == (channel.id, thread.id)
    assert here.author.name == "Ada" and here.author.id == hook.id == here.webhook_id
    await hook.edit_message(there.id, content="there, edited", thread=thread)
    assert [m.content async for m in thread.history()] == ["there, edited"]
    fetched = await hook.fetch_message(there.id, thread=thread)
    assert fetched.content == "there, edited"
    await hook.delete_message(there.id, thread=thread)
    assert [m async for m in thread.history()] == []
    assert [w.id for w in await channel.webhooks()] == [hook.id]
    assert [w.id for w in await channel.guild.webhooks()] == [hook.id]
    other = await house.bot.guilds[0].create_text_channel("elsewhere")
    await hook.edit(name="renamed", channel=other)
    assert (await house.bot.fetch_webhook(hook.id)).channel_id == other.id
    await hook.delete()
    with pytest.raises(discord.NotFound) as gone:
        await hook.send("too late")
    assert gone.value.code == 10015


async def test_webhook_sends_what_the_application_may(house: House) -> None:
    """An application-owned webhook sends buttons and cards without asking for it."""
    channel = await house.bot.guilds[0].create_text_channel("group")
    hook = await channel.create_webhook(name="agents")
    view = discord.ui.View(timeout=None).add_item(discord.ui.Button(label="Go", custom_id="go"))
    sent = await hook.send("press", view=view, username="Ada", wait=True)
    assert sent.components
    card = await hook.send(view=Card("Ada's"), files=card_files(), username="Ada", wait=True)
    assert card.flags.components_v2


async def test_card_is_sent_and_edited(house: House) -> None:
    """A components-v2 card shows its uploads and keeps its flag over edits."""
    message = await house.lobby.send(view=Card("One"), files=card_files())
    seen = await house.local.you.sees(house.lobby.id, "## One")
    assert "/cdn/attachments/" in str(seen["components"])
    await message.edit(view=Card("Two"), attachments=card_files())
    fresh = await house.lobby.fetch_message(message.id)
    assert fresh.flags.components_v2 and "## Two" in str(fresh.components[0].to_dict())
    stopped = house.local.you.click(await house.local.you.sees(house.lobby.id, "## Two"), "Nothing like it")
    with pytest.raises(Exception, match="0 components"):
        await stopped


async def test_files_both_ways(house: House) -> None:
    """Uploads come back byte for byte; embeds can show them."""
    embed = discord.Embed(title="Look").set_image(url="attachment://my face.png")
    files = [discord.File(io.BytesIO(PNG), "my face.png", description="a face")]
    sent = await house.lobby.send(embed=embed, files=files)
    assert sent.attachments[0].filename == "my_face.png"
    assert (sent.attachments[0].width, sent.attachments[0].description) == (1, "a face")
    assert await sent.attachments[0].read() == PNG
    assert sent.embeds[0].image.url == sent.attachments[0].url
    kept = await sent.edit(attachments=[sent.attachments[0], discord.File(io.BytesIO(b"2"), "b.txt")])
    assert [a.filename for a in kept.attachments] == ["my_face.png", "b.txt"]


async def test_history_in_every_direction(house: House) -> None:
    """before, after and around return what Discord would, so that nothing is missed in a catch-up."""
    you = house.local.you
    ids = [int((await you.send(house.lobby.id, str(n)))["id"]) for n in range(12)]

    async def texts(**where: object) -> list[str]:
        return [m.content async for m in house.lobby.history(**where)]  # type: ignore[arg-type]

    point = discord.Object(ids[5])
    assert await texts(limit=3) == ["11", "10", "9"]
    assert await texts(limit=3, before=point) == ["4", "3", "2"]
    assert await texts(limit=3, after=point) == ["6", "7", "8"]
    assert sorted(map(int, await texts(limit=5, around=point))) == [3, 4, 5, 6, 7]
    assert await texts(limit=None, after=discord.Object(ids[0])) == [str(n) for n in range(1, 12)]


Overwrites = dict[discord.Role | discord.Member | discord.Object, discord.PermissionOverwrite]


async def test_reactions_and_pins(house: House) -> None:
    """The bot reacts and pins, people see it, and the other way round."""
    message = await house.lobby.send("look")
    await message.add_reaction("👀")
    await message.pin()
    assert [m.id async for m in house.lobby.pins()] == [message.id]
    you = house.local.you
    seen = await you.sees(house.lobby.id, "look")
    await you.react(seen, "👀")
    fresh = await house.lobby.fetch_message(message.id)
    assert [(str(r), r.count, r.me) for r in fresh.reactions] == [("👀", 2, True)]
    assert {u.name async for u in fresh.reactions[0].users()} == {house.local.options.bot_name, "you"}
    assert house.bot.user is not None
    await message.remove_reaction("👀", house.bot.user)
    await message.clear_reactions()
    await message.unpin()
    assert not (await house.lobby.fetch_message(message.id)).reactions


async def test_threads_from_messages_archive_and_come_back(house: House) -> None:
    """A thread on a message is marked there, is archived, and a new message brings it back."""
    message = await house.lobby.send("discuss")
    thread = await message.create_thread(name="talk", auto_archive_duration=60)
    assert thread.id == message.id
    assert (await house.lobby.fetch_message(message.id)).flags.has_thread
    await thread.edit(archived=True)
    assert [t.id async for t in house.lobby.archived_threads()] == [thread.id]
    await thread.send("back")
    assert [t.id for t in await house.bot.guilds[0].active_threads()] == [thread.id]
    await thread.edit(name="talked", locked=True, archived=True)
    talked = await house.bot.fetch_channel(thread.id)
    assert isinstance(talked, discord.Thread) and talked.name == "talked"
    await thread.delete()


async def test_overwrites_hide_and_close_channels(house: House) -> None:
    """Overwrites made by the bot decide what people can do."""
    guild = house.bot.guilds[0]
    own: Overwrites = {guild.me: discord.PermissionOverwrite(view_channel=True, send_messages=True)}
    channel = await guild.create_text_channel("staff", overwrites=own)
    await channel.set_permissions(guild.default_role, view_channel=False)
    assert not house.local.guest.can_see(channel.id) and house.local.you.can_see(channel.id)
    await channel.set_permissions(guild.default_role, view_channel=True, send_messages=False)
    with pytest.raises(Exception, match="send_messages"):
        await house.local.guest.send(channel.id, "hello")
    await channel.set_permissions(guild.default_role, overwrite=None)
    await house.local.guest.send(channel.id, "hello")
    closed: Overwrites = own | {guild.default_role: discord.PermissionOverwrite(send_messages=False)}
    await channel.edit(overwrites=closed)
    fresh = await house.bot.fetch_channel(channel.id)
    assert isinstance(fresh, discord.TextChannel) and fresh.overwrites == closed


async def test_nonce_makes_a_repeat_harmless(house: House) -> None:
    """The same nonce twice is one message, as Discord's enforce_nonce promises."""
    first = await house.lobby.send("once", nonce="step-1")
    again = await house.lobby.send("once", nonce="step-1")
    assert first.id == again.id and first.nonce == "step-1"
    assert [m.content async for m in house.lobby.history()] == ["once"]


async def test_edit_without_allowed_mentions_pings_again(house: House) -> None:
    """An edit that leaves allowed_mentions out parses mentions again: the trap is there to be met."""
    you = house.local.you
    quiet = discord.AllowedMentions.none()
    message = await house.lobby.send(f"<@{you.id}>", allowed_mentions=quiet)
    stored = house.local.world.get_message(house.lobby.id, message.id)
    assert stored.ping_user_ids == []
    await message.edit(content=f"<@{you.id}>!")
    assert stored.ping_user_ids == [you.id]


async def test_members_roles_and_application(house: House) -> None:
    """Members, roles and the application are there for a doctor to look at."""
    guild = house.bot.guilds[0]
    found = await guild.query_members("gue")
    assert [member.name for member in found] == ["guest"]
    member = await guild.fetch_member(house.local.guest.id)
    role = await guild.create_role(name="steer")
    await member.add_roles(role)
    assert house.local.world.get_guild(guild.id).members[member.id].role_ids == [role.id]
    await role.delete()
    info = await house.bot.application_info()
    assert info.id == house.bot.application_id and info.flags.gateway_message_content_limited
    assert info.owner.id == house.local.you.id and not guild.me.guild_permissions.administrator
    commands = await house.bot.tree.fetch_commands()
    assert {c.name for c in commands} == {"task", "ask", "slow", "silent", "Why?"}


async def test_bulk_delete_and_typing(house: House) -> None:
    """Several messages go at once; typing is shown."""
    async with house.lobby.typing():
        sent = [await house.lobby.send(str(n)) for n in range(3)]
    await house.lobby.delete_messages(sent)
    assert [m async for m in house.lobby.history()] == []


async def test_emojis_of_the_application_are_faces(house: House) -> None:
    """An uploaded emoji is kept, listed, can be a reaction, and is a persona's face on the page."""
    emoji = await house.bot.create_application_emoji(name="face_0001", image=PNG)
    assert [e.id for e in await house.bot.fetch_application_emojis()] == [emoji.id]
    hook = await house.lobby.create_webhook(name="agents")
    sent = await hook.send("with a face", username="Ada", avatar_url=emoji.url, wait=True)
    stored = house.local.world.get_message(house.lobby.id, sent.id)
    path = house.local.world.picture(house.local.world.avatar_of(stored) or "")
    assert path is not None and house.local.world.cdn.get(path) == PNG
    assert house.local.world.picture("https://cdn.discordapp.com/emojis/1.png") is None
    message = await house.lobby.fetch_message(sent.id)
    await message.add_reaction(emoji)
    fresh = await house.lobby.fetch_message(sent.id)
    assert [str(r.emoji) for r in fresh.reactions] == [str(emoji)]
    for name, image in (("x", PNG), ("fine_name", b"\x89PNG\r\n\x1a\n" + bytes(256 * 1024))):
        with pytest.raises(discord.HTTPException) as refused:
            await house.bot.create_application_emoji(name=name, image=image)
        assert refused.value.code == 50035
    await emoji.delete()
    assert await house.bot.fetch_application_emojis() == []


async def test_direct_messages(house: House) -> None:
    """The bot can write to a person alone, who answers and uses commands there."""
    you = house.local.you
    person = await house.bot.fetch_user(you.id)
    sent = await person.send("just for you")
    assert [m["content"] for m in you.history(sent.channel.id)] == ["just for you"]
    assert not house.local.guest.can_see(sent.channel.id)
    await you.send(sent.channel.id, "thanks")
    await house.bot.pulse.until(lambda: [m.content for m in house.bot.heard[-1:]] == ["thanks"], 5)
    assert (await you.slash(sent.channel.id, "slow")).text == "late, but here"
