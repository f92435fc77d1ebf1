"""Who speaks in a team task's channels? `python -m bench.conversation [--pictures FOLDER]`.

A recorded task of nine agents (`tests/flows/handbook_script.py`) runs in the whole product on the local
Discord; a person answers the question and writes in twice. Printed: messages as they
stand in the channels, and entries of the transcript, by speaker. With `--pictures` the channel is drawn by a
headless browser at the width of a desk and of a phone.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app.bootstrap import RunningBot, running
from bot.app.settings import BotSettings
from bot.local import LocalOptions
from bot.outbox.post import BOT
from bot.outbox.transcripts import Line, Transcripts
from engine.events import TaskEnded
from engine.llm.scripted import ScriptedModel
from engine.settings import EngineSettings
from tests.flows.handbook_script import ANSWER, CHANGE, GOAL, LATER, Replay

PATIENCE_S = 300.0
SCALE = 40.0
"""How much faster than Discord's own the local one's limits are."""

SIZES = {"desk": (1280, 1000), "phone": (390, 844)}


@dataclass(frozen=True)
class Conversation:
    """What stands in a task's channels after its end."""

    places: tuple[str, ...]
    messages: tuple[dict[str, Any], ...]
    lines: tuple[Line, ...]

    def speakers(self) -> Counter[str]:
        """Return messages by who speaks; each persona of a roll-up counts."""
        return Counter(name for message in self.messages for name in _speaking(message))

    def entries(self) -> Counter[str]:
        """Return the transcript's entries by author."""
        return Counter(line.author for line in self.lines)


def bot_share(counted: Counter[str]) -> float:
    """Return how many of 100 entries are the bot's own."""
    return 100 * counted[BOT] / max(1, counted.total())


def _speaking(message: dict[str, Any]) -> list[str]:
    named = [each.get("author", {}).get("name", "") for each in message["embeds"]]
    return [name for name in named if name] or [message["author"]["username"]]


@asynccontextmanager
async def product(folder: Path, replay: Replay, scale: float = SCALE) -> AsyncIterator[RunningBot]:
    """The product on the local Discord in `folder`, its agents played by `replay`."""
    engine = EngineSettings(_env_file=None, data_dir=folder / "var")  # type: ignore[call-arg]
    bot = BotSettings(_env_file=None, local_port=0, card_every_s=1)  # type: ignore[call-arg]
    options = LocalOptions(data=folder / "discord", time_scale=scale)
    async with running(engine, bot, model=ScriptedModel(replay), local_options=options) as running_bot:
        yield running_bot


async def take_part(bot: RunningBot, replay: Replay) -> None:
    """Do what the person did: answer, write in twice."""
    assert bot.local is not None
    you = bot.local.you
    await you.slash(you.channel("lobby"), "task new", goal=GOAL)
    place = await _place(bot)
    question = await you.sees(place, "Where may people at Tern", within=PATIENCE_S)
    await you.send(place, ANSWER, reply_to=question)
    await replay.reached(24)
    await you.send(place, CHANGE)
    await replay.reached(57)
    await you.send(place, LATER)


async def _place(bot: RunningBot) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            group = (await bot.engine.engine.look.task(1)).root_group_id
            place = await bot.outbox.ledger.channel_of(group)
            if place is not None:
                return place
            await asyncio.sleep(0.05)


async def until_ended(bot: RunningBot) -> None:
    """Wait until the task has ended and everything about it is posted."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in bot.engine.engine.events():
            if isinstance(event.body, TaskEnded):
                await bot.outbox.drain(event.seq)
                return


async def conversation(bot: RunningBot) -> Conversation:
    """Read what stands in the channels of the task."""
    assert bot.local is not None
    you = bot.local.you
    lobby = you.channel("lobby")["id"]
    places = [c for c in you.channels() if c["type"] in (0, 11) and c["id"] != lobby]
    found = [message for place in places for message in you.history(place) if _said(message)]
    lines = await Transcripts(bot.engine.database).lines(1)
    names = tuple(channel["name"] for channel in you.channels())
    return Conversation(names, tuple(found), tuple(lines))


def _said(message: dict[str, Any]) -> bool:
    """Return whether a message is neither a person's nor the channel's own notice."""
    return bool(message["author"].get("bot")) and message["type"] in (0, 19)


async def pictures(bot: RunningBot, folder: Path) -> None:
    """Draw the lobby and every channel of the task, screen by screen."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only for pictures

    assert bot.local is not None
    you = bot.local.you
    names = [c["name"] for c in you.channels() if c["type"] in (0, 11)]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for size, (width, height) in SIZES.items():
            page = await browser.new_page(viewport={"width": width, "height": height})
            await page.goto(bot.local.page_url)
            for name in dict.fromkeys(names):
                await _shoot(page, name, folder / f"{size}-{name}")
            await page.close()
        await browser.close()


async def _shoot(page: Any, name: str, path: Path) -> None:
    row = page.locator(".channel", has_text=name).first
    if not await row.is_visible():
        await page.locator("#menu-open").click()
    await row.click()
    await page.wait_for_timeout(500)
    await page.locator("#messages").hover()
    for number in range(40):
        await page.screenshot(path=f"{path}-{number:02}.png")
        moved = await page.evaluate(
            """() => { const box = document.getElementById("scroller"), before = box.scrollTop;
            box.scrollTop -= box.clientHeight - 60; return box.scrollTop !== before; }"""
        )
        if not moved:
            return
        await page.wait_for_timeout(250)


async def measure(folder: Path, drawn: Path | None = None, scale: float = SCALE) -> Conversation:
    """Run the task and return what stands in its channels."""
    replay = Replay()
    async with product(folder, replay, scale) as bot:
        person = asyncio.create_task(take_part(bot, replay))
        await until_ended(bot)
        person.cancel()
        await asyncio.gather(person, return_exceptions=True)
        found = await conversation(bot)
        if drawn is not None:
            await pictures(bot, drawn)
        return found


def report(found: Conversation) -> None:
    """Print both counts."""
    for title, counted in (("messages", found.speakers()), ("transcript entries", found.entries())):
        print(f"{counted.total()} {title}, of 100 the bot's: {bot_share(counted):.0f}")
        print("  " + ", ".join(f"{name} {count}" for name, count in counted.most_common()))


def main() -> None:
    """Run the task and print who spoke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="draw the channels into this folder")
    parser.add_argument("--transcript", type=Path, help="write the transcript's entries to this file")
    chosen = parser.parse_args()
    if chosen.pictures:
        chosen.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), chosen.pictures))
    report(found)
    if chosen.transcript:
        lines = (f"[{each.author}] {each.head} {each.text}" for each in found.lines)
        chosen.transcript.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
