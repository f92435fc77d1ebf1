"""*Why?* and *Inspect* find the step behind every kind of message that came of an agent, over the loopback.

The outbox is the real one: what stands in the channels is what it makes of the events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from simcord.enums import ChannelType

from bot.features.files.archive import close_places
from bot.features.gates.buttons import gate_view
from bot.features.gates.windows import closed_message
from bot.local import channel_rules
from bot.outbox.acts import MOST
from bot.outbox.limiter import RateLimits
from bot.outbox.outbox import Outbox, OutboxOptions, build_outbox
from bot.outbox.pace import Pace
from bot.outbox.plan import Ladder
from bot.ports import EngineApi
from engine.commands import StartTask
from engine.events import AssignmentChanged, AuditBegun, Audited, PlanProposed, TaskEnded
from tests.bot.features.test_loopback import PATIENCE_S, Loop, loop

__all__ = ["loop"]
SCALE = 50.0
MENUS = ("Inspect turn", "Why?")
Wire = dict[str, Any]


class Posts:
    """A task whose agents' steps are posted by the real outbox."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.you, self.engine = loop, loop.local.you, loop.stage.engine
        self.engine.now = time.time()

    async def begin(self, channel: int = 0) -> Posts:
        """Start a task with a head and its member."""
        place = channel or self.loop.lobby
        space, by = f"guild:{self.loop.local.guild_id}", f"discord:{self.you.id}"
        self.task = await self.engine.handle(StartTask("A boat", by, space, origin=f"channel:{place}"))
        self.boss = self.engine.world.tasks[self.task].boss_id
        self.root = self.engine.world.tasks[self.task].root_group_id
        (self.ada,) = self.engine.recruit(self.boss, "Ada")
        (self.finn,) = self.engine.recruit(self.ada, "Finn")
        return self

    async def open(self) -> None:
        """Start an outbox over the same rows, as after a restart."""
        pace = Pace(pause=0.02, longest_pause=0.05, ladder=Ladder().scaled(SCALE))
        self.outbox: Outbox = build_outbox(
            self.loop.bot,
            cast(EngineApi, self.engine),
            self.loop.stage.database,
            gate_view=gate_view,
            closed_gate=closed_message,
            options=OutboxOptions(rates=RateLimits().scaled(SCALE), pace=pace),
        )
        await self.outbox.start()

    def step(self, agent: int, name: str) -> str:
        """An agent takes a step that needs several pages; its name is returned, to be said."""
        self.engine.now += 10
        lines = "\n".join(f"{name} line {number}" for number in range(150))
        self.engine.step(agent, f"Begin {name}.", ("run", f'{{"of": "{name}"}}', lines))
        return name

    async def drain(self) -> None:
        """Post everything that was said, and let everybody go on."""
        await self.outbox.drain(self.engine.log[-1].seq)
        for agent in (self.boss, self.ada, self.finn):
            self.step(agent, "LATER")

    async def at_once(self, say: Callable[[], None]) -> None:
        """What is said while the outbox does not run waits together."""
        await self.outbox.stop()
        say()
        await self.open()
        await self.drain()

    def message(self, *words: str) -> Wire:
        """The only message anywhere that shows these words, in text, cards or files."""
        found = [
            message
            for channel in self.you.channels()
            for message in self.you.history(channel)
            if all(word in self.shown(message) for word in words)
        ]
        assert len(found) == 1, (words, [self.shown(message) for message in found])
        return found[0]

    def shown(self, message: Wire) -> str:
        """All that a message shows, its text files too."""
        files = [self.loop.local.world.cdn.get(each["url"]) or b"" for each in message["attachments"]]
        cards = [str(each.get("description")) for each in message["embeds"]]
        return "\n".join([message["content"], *cards, *(each.decode("utf-8", "replace") for each in files)])

    async def turned(self, shown: Any, button: str) -> Wire:
        """An answer after a button that changes it was pressed."""
        before = cast(Wire, self.you.outcome(shown.id).message)
        await self.you.click(before, button)
        wire = self.loop.local.world.pulse
        await wire.until(lambda: self.you.outcome(shown.id).message != before, PATIENCE_S)
        return cast(Wire, self.you.outcome(shown.id).message)

    async def whole(self, shown: Any) -> str:
        """The text of all pages of an answer."""
        message, text = shown.message, str(shown.message["content"])
        while "Next page" in str(message["components"]):
            message = await self.turned(shown, "Next page")
            text += message["content"]
            assert len(message["content"]) <= 2000
        return text

    async def misses(self, message: Wire, name: str, button: str = "") -> list[str]:
        """By which of the two the step of this name is not found whole, or another one shows."""
        missed = []
        for menu in MENUS:
            shown: Any = await self.you.context_menu(menu, message)
            if button:
                shown = await self.you.click(shown.message, button)
            text = await self.whole(shown)
            ends = (f"Begin {name}.", f"{name} line 0\n", f"{name} line 149")
            if not all(each in text for each in ends) or "LATER" in text:
                missed.append(f"{menu} on {name}: {text[:300]}")
        return missed


@pytest.fixture
async def posts(loop: Loop) -> AsyncIterator[Posts]:
    """Connected, with an outbox."""
    built = Posts(loop)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lambda: built.outbox.stop())  # noqa: PLW0108 - the one of the last restart
        await built.open()
        yield built


async def test_each_kind_of_post_leads_to_its_step(posts: Posts) -> None:
    """Words, long words, a plan, a question, work handed in and judged, an audit, acts alone, the words of a
    group below, the report and its files; whole, in pages, also once the task has ended and is archived."""
    await posts.begin()
    engine, task, root = posts.engine, posts.task, posts.root
    boss, ada, finn = posts.boss, posts.ada, posts.finn
    kinds: dict[str, Callable[[], object]] = {
        "words.": lambda: engine.speak(ada, posts.step(ada, "words.")),
        "long.": lambda: engine.speak(ada, posts.step(ada, "long.") + " and on" * 800),
        "deep.": lambda: engine.speak(finn, posts.step(finn, "deep.")),
        "question.": lambda: engine.raise_gate(ada, posts.step(ada, "question."), ("red", "blue")),
        "plan.": lambda: engine.emit(
            PlanProposed(task, root, None, posts.step(boss, "plan."), ("Hull",), 3, 900, 0, 5)
        ),
        "submitted.": lambda: engine.emit(
            AssignmentChanged(task, root, 1, posts.step(ada, "submitted."), "Boss", "Ada", "submitted", "ok")
        ),
        "rejected.": lambda: engine.emit(
            AssignmentChanged(task, root, 1, posts.step(boss, "rejected."), "Boss", "Ada", "rejected", "no")
        ),
        "audit.": lambda: engine.emit(AuditBegun(task, root, ada, "Ada", posts.step(ada, "audit."))),
        "verdict.": lambda: engine.emit(
            Audited(task, root, "rejected", posts.step(ada, "verdict."), 1, ada, "Ada")
        ),
    }
    messages = {}
    for name, say in kinds.items():
        say()
        await posts.drain()
        messages[name] = posts.message(name)
    name = posts.step(finn, "acts.")
    for number in range(MOST):
        engine.write(finn, f"{name}{number}", b"x")
    await posts.drain()
    messages[name] = posts.message(f"{name}0")
    name = posts.step(boss, "final.")
    engine.write(boss, "report.md", b"# filed")
    engine.emit(TaskEnded(task, root, "done", name, ("report.md",), verified=True))
    await posts.drain()
    messages["final."], files = posts.message("final."), posts.message("# filed")
    missed = [each for name, message in messages.items() for each in await posts.misses(message, name)]
    missed += await posts.misses(files, "final.")
    await close_places(
        posts.loop.bot, posts.loop.stage.database, posts.outbox.transcripts, task, remove=False
    )
    missed += await posts.misses(messages["words."], "words.")
    assert missed == []


async def test_merged_rolled_up_and_digested_posts_lead_to_each_step(posts: Posts) -> None:
    """A button for each of the agents, 40 of them too, and for each further step of one that spoke twice."""
    await posts.begin()
    engine, boss, ada = posts.engine, posts.boss, posts.ada
    engine.speak(boss, "Begin")
    await posts.drain()

    def twice() -> None:
        for name in ("one-a", "one-b"):
            engine.speak(ada, posts.step(ada, name))

    await posts.at_once(twice)
    merged = posts.message("one-a", "one-b")
    missed = await posts.misses(merged, "one-b")
    number = next(s.step for s in engine.world.steps[ada] if "one-a" in s.said)
    missed += await posts.misses(merged, "one-a", f"Step {number}")

    def many() -> None:
        for turn in range(8):
            engine.speak(ada, posts.step(ada, f"many-ada-{turn}."))
            engine.speak(boss, posts.step(boss, f"many-boss-{turn}."))

    await posts.at_once(many)
    rolled = posts.message("many-boss-1.", "many-ada-1.")
    assert rolled["embeds"]
    last = max(turn for turn in range(8) if f"many-boss-{turn}." in posts.shown(rolled))
    missed += await posts.misses(rolled, f"many-boss-{last}.", "Boss")

    crowd = engine.recruit(boss, *(f"Agent{number}" for number in range(40)))

    def flood() -> None:
        for turn in range(2):
            for agent in crowd:
                name = engine.world.agents[agent].name
                engine.speak(agent, posts.step(agent, f"flood-{name}-{turn}."))

    await posts.at_once(flood)
    digest = posts.message("flood-Agent0-1.", "flood-Agent39-1.")
    missed += await posts.misses(digest, "flood-Agent3-1.", "Agent3")
    for menu in MENUS:
        shown = await posts.you.context_menu(menu, digest)
        opened = await posts.you.click(await posts.turned(shown, "More agents (17)"), "Agent39")
        assert "flood-Agent39-1. line 149" in await posts.whole(opened)
    reply = await posts.you.context_menu("Reply to agent", digest)
    form: Any = await posts.you.click(await posts.turned(reply, "More agents (17)"), "Agent39")
    assert form.modal["title"] == "To Agent39"
    assert missed == []


async def test_whoever_sees_an_archived_forum_post_may_look(
    posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to steer, though the bot keeps nothing of an archived thread; no one else may."""
    monkeypatch.setattr(channel_rules, "MAX_CHANNELS", 1)
    loop, world = posts.loop, posts.loop.local.world
    forum = world.create_channel(loop.local.guild_id, "ideas", type=ChannelType.FORUM)
    idea = world.create_thread(forum.id, "my idea", owner_id=posts.you.id)
    await posts.begin(idea.id)
    posts.engine.speak(posts.boss, posts.step(posts.boss, "forum."))
    await posts.drain()
    message = posts.message("forum.")
    place = int(message["channel_id"])
    assert world.channels[place].parent_id == forum.id and place != idea.id
    await close_places(loop.bot, loop.stage.database, posts.outbox.transcripts, posts.task, remove=False)
    async with asyncio.timeout(PATIENCE_S):
        while loop.bot.get_channel(place) is not None:  # noqa: ASYNC110 - it is a poll of discord.py's cache
            await asyncio.sleep(0.01)
    posts.you = loop.local.guest
    assert await posts.misses(message, "forum.") == []


async def test_what_is_posted_before_the_first_step_shows_no_later_one(posts: Posts) -> None:
    """The line that opens a task's place says that there was no step; the next one is a press away."""
    await posts.begin()
    await posts.outbox.drain(posts.engine.log[-1].seq)
    (place,) = [c for c in posts.you.channels() if c["name"] == "root"]
    opening = next(m for m in posts.you.history(place) if "Boss" in m["content"])
    posts.step(posts.boss, "LATER")
    shown = await posts.you.context_menu("Inspect turn", opening)
    assert "Boss had not completed a step when this was posted" in shown.text
    assert "LATER" in (await posts.turned(shown, "Newer step"))["content"]
    why = await posts.you.context_menu("Why?", opening)
    assert "Be Boss." in why.text and "LATER" not in why.text
