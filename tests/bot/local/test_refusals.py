"""What Discord refuses is refused here, with its HTTP status and its JSON error code."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from bot.local import CannotError, LocalDiscord, NoAnswerError
from bot.local.payloads import MAX_UPLOAD
from bot.local.rest import LISTENERS, Call
from tests.bot.local.conftest import House, raw
from tests.bot.local.smallbot import PNG


async def refused(work: Any) -> discord.HTTPException:
    """The refusal a call of the bot meets."""
    with pytest.raises(discord.HTTPException) as caught:
        await work
    return caught.value


LONG, MISSING = "BASE_TYPE_MAX_LENGTH", "BASE_TYPE_REQUIRED"
PAIR = {"name": "a", "value": "b"}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"content": "x" * 2001}, "content", LONG),
        ({"content": "x", "nonce": "n" * 26}, "nonce", LONG),
        ({"embeds": [{"title": "t"}] * 11}, "embeds", LONG),
        ({"embeds": [{"title": "t" * 257}]}, "embeds.0.title", LONG),
        ({"embeds": [{"description": "t" * 4097}]}, "embeds.0.description", LONG),
        ({"embeds": [{"description": "t" * 3001}] * 2}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        ({"embeds": [{"fields": [PAIR] * 26}]}, "embeds.0.fields", LONG),
        ({"embeds": [{"fields": [PAIR | {"name": ""}]}]}, "embeds.0.fields.0.name", MISSING),
        ({"embeds": [{"fields": [PAIR | {"value": "b" * 1025}]}]}, "embeds.0.fields.0.value", LONG),
        ({"embeds": [{"footer": {"text": "b" * 2049}}]}, "embeds.0.footer.text", LONG),
        ({"embeds": [{"author": {"name": "b" * 257}}]}, "embeds.0.author.name", LONG),
        ({"embeds": [{"title": "t", "url": "javascript:x"}]}, "embeds.0.url", "URL_TYPE_INVALID_SCHEME"),
        ({"embeds": [{"title": "t", "color": 1 << 24}]}, "embeds.0.color", "NUMBER_TYPE_MAX"),
        ({"embeds": [{"title": "t", "timestamp": "x"}]}, "embeds.0.timestamp", "DATETIME_TYPE_PARSE"),
        ({"embeds": [{}]}, "embeds.0.description", MISSING),
        (
            {"content": "x", "message_reference": {"message_id": "5"}},
            "message_reference",
            "REPLIES_UNKNOWN_MESSAGE",
        ),
    ],
)
async def test_message_form_errors(local: LocalDiscord, body: dict[str, Any], field: str, code: str) -> None:
    """A malformed message is 50035, and the tree of errors says where."""
    lobby = local.you.channel("lobby")["id"]
    status, answer, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json=body)
    assert (status, answer["code"]) == (400, 50035)
    node = answer["errors"]
    for part in field.split("."):
        node = node[part]
    assert node["_errors"][0]["code"] == code


async def test_component_limits(house: House) -> None:
    """Too many components, doubled custom ids and mixed kinds are refused."""
    lobby = house.lobby.id
    button = {"type": 2, "style": 1, "label": "x", "custom_id": "same"}
    for body in (
        {"components": [{"type": 1, "components": [button, button]}]},
        {"components": [{"type": 10, "content": "v2 without the flag"}]},
        {"flags": 1 << 15, "content": "both", "components": [{"type": 10, "content": "x"}]},
        {"flags": 1 << 15, "components": [{"type": 10, "content": "x"}] * 41},
        {"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 4001}]},
    ):
        status, answer, _ = await raw(house.local, "POST", f"/channels/{lobby}/messages", json=body)
        assert (status, answer["code"]) == (400, 50035), body


async def test_empty_message_and_big_files(house: House) -> None:
    """Nothing to send is 50006; more than 10 MiB is 40005; more than ten files is 50035."""
    assert (await refused(house.lobby.send("  "))).code == 50006
    message = await house.lobby.send("text")
    assert (await refused(message.edit(content=""))).code == 50006
    big = discord.File(io.BytesIO(bytes(MAX_UPLOAD + 1)), "big.bin")
    too_large = await refused(house.lobby.send(file=big))
    assert (too_large.status, too_large.code) == (413, 40005)
    hook = await house.lobby.create_webhook(name="agents")
    eleven = [discord.File(io.BytesIO(b"x"), f"{n}.txt") for n in range(11)]
    assert (await refused(hook.send(files=eleven))).code == 50035


def button(**fields: Any) -> dict[str, Any]:
    """A message with one button."""
    one = {"type": 2, "style": 1, "label": "l"} | fields
    return {"content": "x", "components": [{"type": 1, "components": [one]}]}


def menu(**fields: Any) -> dict[str, Any]:
    """A message with one menu of two options."""
    options = [{"label": name, "value": name} for name in ("a", "b")]
    one = {"type": 3, "custom_id": "m", "options": options} | fields
    return {"content": "x", "components": [{"type": 1, "components": [one]}]}


def layout(*components: dict[str, Any]) -> dict[str, Any]:
    """A message of components v2."""
    return {"flags": 1 << 15, "components": list(components)}


SCHEME, EMOJI = "URL_TYPE_INVALID_SCHEME", "COMPONENT_INVALID_EMOJI"
CHOSEN = [{"label": name, "value": name, "default": True} for name in ("a", "b")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (button(style=5, url="javascript:alert(1)"), SCHEME),
        (button(custom_id="b", emoji={"name": "stop"}), EMOJI),
        (button(custom_id="b", emoji={"name": "gone", "id": "123"}), EMOJI),
        (menu(options=[{"label": "a", "value": "a", "emoji": {"name": "stop"}}]), EMOJI),
        (menu(options=CHOSEN), "BASE_TYPE_BAD_LENGTH"),
        (layout({"type": 12, "items": [{"media": {"url": "javascript:x"}}]}), SCHEME),
        (layout({"type": 13, "file": {"url": "https://files.example/a.txt"}}), SCHEME),
        (layout({"type": 17, "components": []}), "BASE_TYPE_BAD_LENGTH"),
    ],
)
async def test_component_form_errors(local: LocalDiscord, body: dict[str, Any], code: str) -> None:
    """A card with a link, an emoji or a file that Discord does not take is refused as a whole."""
    lobby = local.you.channel("lobby")["id"]
    status, answer, _ = await raw(local, "POST", f"/channels/{lobby}/messages", json=body)
    assert (status, answer["code"]) == (400, 50035) and code in str(answer["errors"])


async def test_what_components_may_hold(house: House) -> None:
    """Emojis of Discord's and of the application, links of the client, and as many choices as may be made."""
    own = await house.bot.create_application_emoji(name="face", image=PNG)
    lobby = f"/channels/{house.lobby.id}/messages"
    for body in (
        button(custom_id="b", emoji={"name": "⏸"}),
        button(custom_id="b", emoji={"name": own.name, "id": str(own.id)}),
        button(style=5, url="discord://-/channels/1/2"),
        menu(options=CHOSEN, max_values=2),
    ):
        assert (await raw(house.local, "POST", lobby, json=body))[0] == 200
    await own.delete()
    gone = button(custom_id="b", emoji={"name": own.name, "id": str(own.id)})
    assert (await raw(house.local, "POST", lobby, json=gone))[0] == 400


async def test_nobody_replies_to_discords_own_messages(house: House) -> None:
    """A notice of a pin is no message to answer."""
    you = house.local.you
    await you.pin(await you.send(house.lobby.id, "pin me"))
    notice = you.history(house.lobby.id)[-1]
    body = {"content": "x", "message_reference": {"message_id": notice["id"]}}
    status, answer, _ = await raw(house.local, "POST", f"/channels/{house.lobby.id}/messages", json=body)
    assert status == 400 and "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE" in str(answer["errors"])


async def test_an_answer_cannot_be_emptied(house: House) -> None:
    """Neither the first answer to an interaction nor a later one."""
    done = await house.local.you.slash(house.lobby.id, "slow")
    record = house.local.world.interactions[done.id]
    hook = f"/webhooks/{house.local.world.application_id}/{record.token}"
    later = (await raw(house.local, "POST", hook, json={"content": "later"}))[1]
    for message in ("@original", later["id"]):
        path = f"{hook}/messages/{message}"
        answer = (await raw(house.local, "PATCH", path, json={"content": ""}))[1]
        assert answer["code"] == 50006
        assert (await raw(house.local, "PATCH", path, json={"content": "other words"}))[0] == 200


async def test_files_of_one_request(local: LocalDiscord) -> None:
    """Together they may have 25 MiB; the JSON beside them may name its content type."""
    path = f"/channels/{local.you.channel('lobby')['id']}/messages"
    for size, status in ((8, 200), (9, 413)):
        form = aiohttp.FormData()
        form.add_field("payload_json", '{"content": "x"}', content_type="application/json")
        for index in range(3):
            form.add_field(
                f"files[{index}]", io.BytesIO(b"x" * (size * 1024 * 1024)), filename=f"{index}.bin"
            )
        assert (await raw(local, "POST", path, data=form))[0] == status


async def test_persona_names_and_faces(house: House) -> None:
    """Names over 80 characters or with Discord's own words, and faces that are no URL, are refused."""
    hook = await house.lobby.create_webhook(name="agents")
    for name in ("x" * 81, "Discord helper", "bonnie and clyde", "everyone"):
        assert (await refused(hook.send("hi", username=name))).code == 50035
    assert (await refused(hook.send("hi", username="Ada", avatar_url="ftp://x/a.png"))).code == 50035
    assert (await refused(house.lobby.create_webhook(name="clyde"))).code == 50035


def no_category(channel_id: int) -> Any:
    """What discord.py takes for a category: it looks at the id only."""
    return discord.Object(channel_id)


async def test_counts(local: LocalDiscord, house: House) -> None:
    """Webhooks, channels, categories, threads, roles, reactions and pins have their numbers."""
    world, guild = local.world, house.bot.guilds[0]
    for _ in range(15):
        world.create_webhook(house.lobby.id, "w", world.bot_user.id)
    assert (await refused(house.lobby.create_webhook(name="w"))).code == 30007
    category = world.create_channel(guild.id, "c", type=4)
    for _ in range(50):
        world.create_channel(guild.id, "x", parent_id=category.id)
    full = await refused(guild.create_text_channel("x", category=no_category(category.id)))
    assert "CHANNEL_PARENT_MAX_CHANNELS" in str(full) or "(50)" in full.text
    while len(world.get_guild(guild.id).channel_ids) < 500:
        world.create_channel(guild.id, "x")
    assert (await refused(guild.create_text_channel("x"))).code == 30013
    while len(world.active_threads(guild.id)) < 1000:
        world.create_thread(house.lobby.id, "t", world.bot_user.id, broadcast=False)
    assert (
        await refused(house.lobby.create_thread(name="t", type=discord.ChannelType.public_thread))
    ).code == 160006
    while len(world.get_guild(guild.id).roles) < 250:
        world.create_role(guild.id, "r")
    assert (await refused(guild.create_role(name="r"))).code == 30005


async def test_reaction_and_pin_limits(house: House) -> None:
    """Twenty kinds of reactions fit, 250 pins; words are no emoji."""
    message = await house.lobby.send("x")
    stored = house.local.world.get_message(house.lobby.id, message.id)
    for n in range(20):
        house.local.world.add_reaction(house.lobby.id, message.id, chr(0x1F600 + n), 1)
    assert len(stored.reactions) == 20
    assert (await refused(message.add_reaction("👀"))).code == 30010
    assert (await refused(message.add_reaction("nonsense"))).code == 10014
    for _ in range(250):
        house.local.world.create_message(house.lobby.id, house.local.you.id, "p").pinned = True
    assert (await refused(message.pin())).code == 30003


async def test_names_topics_and_durations(house: House) -> None:
    """Names, topics, slow mode and archive times outside their bounds are 50035."""
    guild = house.bot.guilds[0]
    unknown: Any = 61  # minutes
    for work in (
        guild.create_text_channel("x" * 101),
        guild.create_text_channel("x", topic="t" * 1025),
        guild.create_text_channel("x", slowmode_delay=21601),
        guild.create_text_channel("x", category=no_category(1)),
        house.lobby.create_thread(name="", type=discord.ChannelType.public_thread),
        house.lobby.create_thread(
            name="t", auto_archive_duration=unknown, type=discord.ChannelType.public_thread
        ),
    ):
        assert (await refused(work)).code == 50035


async def test_missing_permissions(house: House) -> None:
    """Each right the bot lacks is 50013; a channel it cannot see is 50001."""
    you, lobby = house.local.you, house.lobby
    channel = await house.bot.guilds[0].create_text_channel("one")
    hook_message = await lobby.send("mine")
    everything = [name for name, on in discord.Permissions.all() if on and name != "administrator"]

    async def without(*names: str) -> None:
        allowed = [name for name in everything if name not in names]
        await you.set_role_permissions(you.bot_role, allowed)
        await you.overwrite(lobby.id, house.local.guild_id, deny=names)

    for names, work in (
        (("send_messages",), lambda: lobby.send("x")),
        (("attach_files",), lambda: lobby.send(file=discord.File(io.BytesIO(b"x"), "x"))),
        (("embed_links",), lambda: lobby.send(embed=discord.Embed(title="x"))),
        (("manage_webhooks",), lambda: lobby.create_webhook(name="w")),
        (("manage_channels",), channel.delete),
        (("create_public_threads",), lambda: hook_message.create_thread(name="t")),
        (("add_reactions",), lambda: hook_message.add_reaction("👀")),
        (("pin_messages",), hook_message.pin),
        (
            ("manage_roles",),
            lambda: channel.set_permissions(house.bot.guilds[0].default_role, send_messages=False),
        ),
    ):
        await without(*names)
        assert (await refused(work())).code == 50013, names
    await without("view_channel")
    assert (await refused(lobby.send("x"))).code == 50001
    await without("read_message_history")
    assert (await refused(lobby.send("x", reference=hook_message))).code == 160002


async def test_overwrites_beyond_ones_own_rights(house: House) -> None:
    """A bot cannot hand out what it does not have itself."""
    guild, you = house.bot.guilds[0], house.local.you
    channel = await guild.create_text_channel("one")
    await you.set_role_permissions(you.bot_role, ["view_channel", "manage_roles", "manage_channels"])
    ban = discord.PermissionOverwrite(ban_members=True)
    assert (await refused(channel.set_permissions(guild.default_role, overwrite=ban))).code == 50013
    making = guild.create_text_channel("two", overwrites={guild.default_role: ban})
    assert (await refused(making)).code == 50013


async def test_deleted_things_are_not_found(house: House) -> None:
    """Messages, channels, webhooks and threads that are not there have their own codes."""
    you, lobby = house.local.you, house.lobby
    message = await lobby.send("x")
    await you.delete(await you.sees(lobby.id, "x"))
    assert (await refused(message.edit(content="y"))).code == 10008
    hook = await lobby.create_webhook(name="w")
    forged = discord.Webhook.partial(hook.id, "wrong" * 12, client=house.bot)
    answer = await refused(forged.send("x"))
    assert (answer.status, answer.code) == (401, 50027)
    elsewhere = await house.bot.guilds[0].create_text_channel("one")
    foreign = await elsewhere.create_thread(name="t", type=discord.ChannelType.public_thread)
    assert (await refused(hook.send("x", thread=foreign))).code == 10003
    await you.delete_webhook(hook.id)
    assert (await refused(hook.send("x"))).code == 10015
    await you.delete_channel(elsewhere.id)
    assert (await refused(elsewhere.send("x"))).code == 10003
    assert (await refused(foreign.send("x"))).code == 10003


async def test_others_messages_and_archived_threads(house: House) -> None:
    """Another's message cannot be edited (50005), nor anything in an archived thread (50083)."""
    said = await house.local.you.send(house.lobby.id, "mine")
    theirs = await house.lobby.fetch_message(int(said["id"]))
    assert (await refused(theirs.edit(content="yours"))).code == 50005
    starter = await house.lobby.send("s")
    thread = await starter.create_thread(name="t")
    inside = await thread.send("inside")
    assert (await refused(starter.create_thread(name="t"))).code == 160004
    await thread.edit(archived=True)
    assert (await refused(inside.edit(content="x"))).code == 50083
    assert (await refused(inside.add_reaction("👀"))).code == 50083


async def test_interactions_once_and_in_time(house: House) -> None:
    """A second answer is 40060, a late one 10062, a token after 15 minutes 50027."""
    you, lobby, bot = house.local.you, house.lobby, house.bot
    met: list[discord.Interaction] = []

    async def twice(interaction: discord.Interaction) -> None:
        met.append(interaction)
        await interaction.response.send_message("one")

    bot.tree.add_command(app_commands.Command(name="twice", description="x", callback=twice))
    await bot.tree.sync()
    await you.slash(lobby.id, "twice")
    first = met[0]
    status, answer, _ = await raw(
        house.local, "POST", f"/interactions/{first.id}/{first.token}/callback", json={"type": 5}
    )
    assert (status, answer["code"]) == (400, 40060)
    house.local.world.time.advance(15 * 60)
    assert (await refused(first.followup.send("late"))).code == 50027

    with pytest.raises(NoAnswerError):
        await you.slash(lobby.id, "silent")
    record = list(house.local.world.interactions.values())[-1]
    status, answer, _ = await raw(
        house.local, "POST", f"/interactions/{record.id}/{record.token}/callback", json={"type": 5}
    )
    assert (status, answer["code"]) == (404, 10062)


async def test_command_rules(house: House) -> None:
    """Names, counts, order of options and total size of commands are checked at the sync."""
    app = house.bot.application_id

    async def sync(*commands: dict[str, Any]) -> tuple[int, int]:
        status, answer, _ = await raw(
            house.local, "PUT", f"/applications/{app}/commands", json=list(commands)
        )
        return status, answer["code"]

    def option(name: str, *, required: bool) -> dict[str, Any]:
        return {"name": name, "description": "d", "type": 3, "required": required}

    slash = {"name": "a", "description": "d", "type": 1}
    disordered = [option("a", required=False), option("b", required=True)]
    long = [
        option(f"o{n}", required=False)
        | {"choices": [{"name": f"{i:0100}", "value": f"{i:0100}"} for i in range(25)]}
        for n in range(2)
    ]
    assert await sync(slash | {"name": "Bad Name"}) == (400, 50035)
    assert await sync(slash | {"description": ""}) == (400, 50035)
    assert await sync(slash, slash) == (400, 50035)
    assert await sync(slash | {"options": disordered}) == (400, 50035)
    assert await sync(slash | {"options": long}) == (400, 50035)
    assert await sync(*[{"name": f"m{n}", "type": 3} for n in range(16)]) == (400, 30032)
    assert await sync(*[slash | {"name": f"c{n}"} for n in range(101)]) == (400, 30032)


async def test_people_cannot_do_what_a_client_would_not_let_them(house: House) -> None:
    """Hidden commands, missing options, disabled buttons and empty messages are refused in words."""
    you, guest, lobby = house.local.you, house.local.guest, house.lobby
    with pytest.raises(CannotError, match="requires option 'goal'"):
        await you.slash(lobby.id, "task new")
    with pytest.raises(CannotError, match="no command"):
        await you.slash(lobby.id, "nonsense")
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Off", custom_id="off", disabled=True))
    await lobby.send("x", view=view)
    with pytest.raises(CannotError, match="disabled"):
        await you.click(await you.sees(lobby.id, "x"), "Off")
    with pytest.raises(CannotError, match="empty"):
        await guest.send(lobby.id, " ")
    said = await you.send(lobby.id, "mine")
    with pytest.raises(CannotError, match="manage_messages"):
        await guest.delete(said)


async def test_unknown_routes_and_fields_are_loud() -> None:
    """What is not known here answers 501 and is written down for the test to fail on."""
    server = LocalDiscord()
    await server.start()
    lobby = server.you.channel("lobby")["id"]
    assert (await raw(server, "GET", "/guilds/1/nonsense"))[0] == 501
    body = {"content": "x", "nonsense": 1}
    assert (await raw(server, "POST", f"/channels/{lobby}/messages", json=body))[0] == 501
    assert (await raw(server, "GET", f"/channels/{lobby}/messages?nonsense=1"))[0] == 501
    embed = {"embeds": [{"title": "x", "nonsense": 1}]}
    assert (await raw(server, "POST", f"/channels/{lobby}/messages", json=embed))[0] == 501
    await server.stop()
    assert len(server.gaps) == 4


async def test_broken_requests(local: LocalDiscord) -> None:
    """No token, no JSON, no number: each is refused as Discord would."""
    lobby = local.you.channel("lobby")["id"]
    assert (await raw(local, "GET", "/users/@me", Authorization="Bot wrong"))[0] == 401
    status, answer, _ = await raw(local, "GET", "/channels/nonsense")
    assert (status, answer["code"]) == (400, 50035)
    status, answer, _ = await raw(local, "GET", f"/channels/{lobby}/messages?limit=101")
    assert (status, answer["code"]) == (400, 50035)
    assert local.gaps == []


async def test_posts_in_forums(house: House) -> None:
    """Known tags, five at most, one where the forum requires one; a moderated one takes Manage Threads."""
    world, guild, you = house.local.world, house.bot.guilds[0], house.local.you
    forum = world.create_channel(guild.id, "ideas", type=15)
    tags = [
        {"id": str(n), "name": f"t{n}", "moderated": n == 1, "emoji_id": None, "emoji_name": None}
        for n in range(1, 8)
    ]
    world.channel_flags[forum.id] = 1 << 4
    world.edit_channel(forum.id, {"available_tags": tags})
    found: Any = await house.bot.fetch_channel(forum.id)
    assert isinstance(found, discord.ForumChannel) and found.flags.require_tag

    def post(*applied: int) -> Any:
        chosen: Any = [discord.Object(number) for number in applied]
        return found.create_thread(name="p", content="x", applied_tags=chosen)

    assert (await refused(post())).code == 40067
    assert (await refused(post(99))).code == 10087
    assert (await refused(post(2, 3, 4, 5, 6, 7))).code == 50035
    assert (await post(1, 2)).thread.parent_id == forum.id
    await you.overwrite(forum.id, you.bot_role, deny=["manage_threads"])
    assert (await refused(post(1))).code == 50013
    assert (await post(2)).message.content == "x"
    assert (await refused(house.bot.get_partial_messageable(forum.id).send("x"))).code == 40058


async def test_webhooks_in_forums(house: House) -> None:
    """A webhook says which post it is for, in forums only."""
    world, guild = house.local.world, house.bot.guilds[0]
    forum = world.create_channel(guild.id, "ideas", type=15)
    made = world.create_webhook(forum.id, "w", world.bot_user.id)
    hook = discord.Webhook.partial(made.id, made.token, client=house.bot)
    lobby = await house.lobby.create_webhook(name="agents")
    assert (await refused(hook.send("x"))).code == 220001
    assert (await refused(lobby.send("x", thread_name="p"))).code == 220003


async def test_answers_have_what_the_specification_has(house: House) -> None:
    """Users, messages, commands, channels and the application, as clients expect them."""
    heard: list[Call] = []
    LISTENERS.append(heard.append)
    try:
        await house.lobby.send("x")
        await house.bot.guilds[0].create_text_channel("c")
        await house.bot.application_info()
    finally:
        LISTENERS.remove(heard.append)
    ends = ("/messages", "/guilds/{guild_id}/channels", "/applications/@me")
    sent, made, application = (next(c.answer for c in heard if c.template.endswith(end)) for end in ends)
    assert isinstance(sent, dict) and isinstance(made, dict) and isinstance(application, dict)
    assert sent.get("nonce", "") is not None and sent["author"]["primary_guild"] is None
    assert made["flags"] == 0 and application["eligible_oauth2_scopes"] == []
