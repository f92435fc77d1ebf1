"""What people do reaches an unmodified discord.py bot, and its answers reach them."""

from __future__ import annotations

from tests.bot.local.conftest import House


async def test_slash_command_builds_a_task(house: House) -> None:
    """A command with autocomplete and a file creates channels, a thread, personas, and answers."""
    you, lobby = house.local.you, house.local.you.channel("lobby")
    choices = await you.autocomplete(lobby, "task new", "kind", "bug", goal="x")
    assert choices == [{"name": "Bugfix", "value": "bugfix"}]

    done = await you.slash(lobby, "task new", goal="snake", kind="bugfix", spec=("a.txt", b"12345"))

    planning = you.channel("planning")
    assert done.text == f"started bugfix 5 in <#{planning['id']}>"
    ada = await you.sees(planning, "I have a plan.")
    bob = await you.sees(you.channel("coders"), "In a thread.")
    assert (ada["author"]["username"], bob["author"]["username"]) == ("Ada", "Bob")
    assert ada["author"]["avatar"] and not bob["author"]["avatar"]
    assert house.bot.errors == []


async def test_button_works_on_a_message(house: House) -> None:
    """A pressed button edits its message."""
    you = house.local.you
    await you.slash(you.channel("lobby"), "task new", goal="snake")
    status = await you.sees(you.channel("planning"), "running")
    pressed = await you.click(status, "Pause")
    assert pressed.kind == "update" and pressed.text == "paused"


async def test_form(house: House) -> None:
    """A modal opens, takes text, a choice and a file, and the answer is for one person only."""
    you, guest = house.local.you, house.local.guest
    shown = await you.slash(you.channel("lobby"), "ask")
    assert shown.modal is not None and shown.modal["title"] == "Ask an agent"
    values = {"question": "why", "mood": ["Calm"], "paper": [("p.txt", b"123")]}
    answer = await you.submit(shown, values)
    assert answer.text == "asked why Calm [3]" and answer.ephemeral
    lobby = you.channel("lobby")
    assert answer.message in you.history(lobby) and answer.message not in guest.history(lobby)


async def test_late_answer_and_context_menu(house: House) -> None:
    """A deferred answer is awaited until it is there; a context menu sees the message."""
    you, lobby = house.local.you, house.local.you.channel("lobby")
    late = await you.slash(lobby, "slow")
    assert late.text == "late, but here" and late.ephemeral
    assert late.message is not None and late.message["edited_timestamp"] is None
    said = await you.send(lobby, "the reason")
    assert (await you.context_menu("Why?", said)).text == "because of the reason"


async def test_reply_reaches_the_bot(house: House) -> None:
    """A reply to a persona arrives with the message it answers."""
    you = house.local.you
    await you.slash(you.channel("lobby"), "task new", goal="snake")
    planning = you.channel("planning")
    ada = await you.sees(planning, "I have a plan.")
    await you.send(planning, "which plan?", reply_to=ada, files=[("n.txt", b"note")])
    heard = house.bot.heard
    await house.bot.pulse.until(lambda: heard[-1:] != [] and heard[-1].content == "which plan?", 5)
    assert heard[-1].reference is not None and heard[-1].reference.message_id == int(ada["id"])
    assert await heard[-1].attachments[0].read() == b"note"


async def test_the_lobby_says_how_to_begin(house: House) -> None:
    """The topic of a new world's lobby names the first command."""
    assert "/task new" in (house.lobby.topic or "")
