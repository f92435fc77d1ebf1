"""The channel of a team task: who speaks, what is said once, and several people with different rights."""

from __future__ import annotations

from pathlib import Path

from bench.conversation import bot_share, measure
from bot.app.bootstrap import RunningBot
from bot.local import Human
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.cast import View
from tests.flows.conftest import Start
from tests.flows.team import PARTS, team
from tests.flows.test_people import marked, post_in
from tests.flows.test_task_on_discord import (
    GOAL,
    PATIENCE_S,
    command,
    ended,
    messages,
    post_with,
    you,
)

MOST_OF_THE_BOT = 30
"""Of 100 entries of a team task; 87 were the bot's when it was first counted."""


async def test_personas_speak_and_the_bot_stays_quiet(home: Path) -> None:
    """A recorded task of nine agents, a question, two changes: agents speak, and nothing stands twice.

    It takes some seconds: sixty model calls, twenty programs, and every post over loopback.
    """
    found = await measure(home, scale=1000.0)
    for counted in (found.speakers(), found.entries()):
        assert bot_share(counted) <= MOST_OF_THE_BOT, counted
    assert {"task 1 · Handbook", "handbook"} <= set(found.places), "named by the boss"
    assert any("task:continue:1" in str(message["components"]) for message in found.messages)
    entries = found.entries()  # in the channel some stand together in one message
    assert entries["Boss"] > 10 and len(entries) >= 9, entries
    texts = [f"{line.head} {line.text}" for line in found.lines]
    assert len(texts) == len(set(texts))
    assert not [text for text in texts if "Waiting." in text]


BEGIN = "start the work now"


class Crew:
    """The team of two whose boss asks for a wood; a member does nothing before it has read `BEGIN`.

    What else wakes it, such as a reminder of its open assignment, may come before or after that.
    """

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the agent that is asked, and keep what it read last."""
        last = request.messages[-1].content
        self.read.append(last)
        begun = any(BEGIN in message.content for message in request.messages)
        if request.role == "member" and not (begun and "a person who watches" not in last):
            name = View(request).name
            path, content = PARTS[name]
            if begun:
                return call(("write_file", {"path": path, "content": content}))
            return say(f"Noted by {name}." if "a person who watches" in last else "I wait.")
        called = {made.name for message in request.messages for made in message.tool_calls}
        if request.role == "boss" and "recruit" in called and "ask_human" not in called:
            return call(("ask_human", {"question": "Which wood?", "options": ["Oak", "Ash"]}))
        return team(request)


def member(product: RunningBot, name: str) -> Human:
    """A new member of the server, without any role."""
    assert product.local is not None
    world, guild = product.local.world, you(product).guild_id
    user = world.make_user(name, global_name=name)
    world.add_member(guild, user.id)
    return Human(world, guild, user.id)


async def test_three_people_of_different_roles_and_a_restart(start: Start) -> None:
    """One may answer, one may steer, one may only watch; each is held to it before and after a restart."""
    crew = Crew()
    async with start(crew) as product:
        names = ("Anna", "Ben", "Cara")
        anna, ben, cara = (member(product, name) for name in names)
        for person, right in ((anna, "approve"), (ben, "steer")):
            role = await you(product).create_role(f"may {right}")
            await you(product).give_role(person.id, role)
            await command(product, "setup", **{right: str(role)})
        await command(product, "task new", goal=GOAL)
        place = (await post_with(product, "is reading the goal"))["channel_id"]
        question = await post_in(product, place, "Which wood?")
        await marked(product, await cara.send(place, "paint it red"), "⛔")
        refused = await ben.click(question, "Oak")
        await ben.sees(place, "not allowed to answer questions", within=PATIENCE_S)
        assert refused.kind == "deferred_update"
        await marked(product, await ben.send(place, "Ada, use type hints"), "📨")
        await post_with(product, "Noted by Ada")
        people = [anna.id, ben.id]
    async with start(crew) as product:
        anna, ben = (Human(product.local.world, you(product).guild_id, each) for each in people)  # type: ignore[union-attr]
        await anna.send(place, "Ash", reply_to=question)
        await post_with(product, f"<@{anna.id}> answered: Ash")
        await marked(product, await ben.send(place, "Bo, be strict"), "📨")
        await post_with(product, "Noted by Bo")
        late = await ben.send(place, "Oak after all", reply_to=question)
        await marked(product, late, "📨")  # the question is closed: it goes to who asked
        await post_with(product, "It will be done.")  # read alone, not with what is submitted next
        for name in ("Ada", "Bo"):
            await ben.send(place, f"{name}, {BEGIN}")
        await ended(product)
        said = [str(message["content"]) for message in messages(product)]
    read = "\n".join(crew.read)
    assert "Ben (may steer)" in read and "paint it red" not in read and "Ash" in read
    for once in ("❓ Which wood?\n", "answered: Ash", "Noted by Ada", "add works and is checked."):
        assert sum(once in text for text in said) == 1, once
