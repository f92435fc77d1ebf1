"""The world outlives the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from bot.local import LocalDiscord, LocalOptions, point_discord_at
from bot.local.store import FILE_NAME, BrokenWorldError, Changes, WorldFile
from tests.bot.local.conftest import close_bot, raw, run_bot
from tests.bot.local.smallbot import PNG, Card, card_files


async def test_everything_is_there_again(tmp_path: Path) -> None:
    """Channels, threads, personas, files, webhooks, commands and buttons survive a restart."""
    first = LocalDiscord(LocalOptions(data=tmp_path, time_scale=50))
    await first.start()
    with point_discord_at(first):
        house = await run_bot(first)
        you = first.you
        await you.slash(you.channel("lobby"), "task new", goal="snake")
        channel = house.bot.get_channel(int(you.channel("planning")["id"]))
        assert isinstance(channel, discord.TextChannel)
        hook = (await channel.webhooks())[0]
        await hook.edit(avatar=PNG)
        emoji = await house.bot.create_application_emoji(name="face", image=PNG)
        await channel.send(view=Card("kept"), files=card_files())
        ada = await you.sees(channel.id, "I have a plan.")
        await you.react(ada, "👍")
        doomed = await channel.guild.create_text_channel("doomed")
        await doomed.send("gone with it")
        await doomed.delete()
        await close_bot(house)
    before = {c["id"]: you.history(c) for c in you.channels()}
    token = first.token
    await first.stop()

    second = LocalDiscord(LocalOptions(data=tmp_path, time_scale=50))
    await second.start()
    assert second.token == token
    base = str({c["id"]: second.you.history(c) for c in second.you.channels()})
    assert base == str(before).replace(first.base_url[:-1], second.base_url[:-1])
    with point_discord_at(second):
        house = await run_bot(second)
        again = discord.Webhook.partial(hook.id, str(hook.token), client=house.bot)
        sent = await again.send("still here", username="Ada", wait=True)
        assert sent.id > int(ada["id"])
        status = await second.you.sees(channel.id, "running")
        assert (await second.you.click(status, "Pause")).text == "paused"
        assert [e.id for e in await house.bot.fetch_application_emojis()] == [emoji.id]
        assert second.world.cdn.get(second.world.picture(emoji.url) or "") == PNG
        card = await second.you.sees(channel.id, "## kept")
        kept = await house.bot.http.get_from_cdn(card["attachments"][1]["url"])
        assert kept == b"line\n"
        await close_bot(house)
    await second.stop()
    rows = sqlite3.connect(tmp_path / FILE_NAME)
    assert rows.execute("SELECT count(*) FROM messages WHERE value LIKE '%gone with it%'").fetchone() == (0,)
    rows.close()


SCRIPT = """
import asyncio, sys, pathlib
from bot.local import LocalDiscord, LocalOptions

async def main():
    local = LocalDiscord(LocalOptions(data=pathlib.Path(sys.argv[1]), save_every=0.2))
    await local.start()
    lobby = local.you.channel("lobby")
    for n in range(10_000):
        await local.you.send(lobby, str(n))
        print(n, flush=True)
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


async def test_a_kill_loses_at_most_a_second(tmp_path: Path) -> None:
    """After kill -9 the world is whole, and what was said over a second before is in it."""
    command = (sys.executable, "-c", SCRIPT, str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    assert process.stdout is not None
    said: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    while not said or said[-1][1] < 150:
        said.append((loop.time(), int(await process.stdout.readline())))
    process.send_signal(signal.SIGKILL)
    killed = loop.time()
    await process.wait()

    local = LocalDiscord(LocalOptions(data=tmp_path))
    await local.start()
    kept = [int(m["content"]) for m in local.you.history(local.you.channel("lobby"))]
    await local.stop()
    assert kept == list(range(len(kept)))
    due = [n for at, n in said if killed - at > 1.0]
    assert due and set(due) <= set(kept)


KILLED = """
import asyncio, os, pathlib, signal, sys
import aiohttp
from bot.local import LocalDiscord, LocalOptions

async def live(folder, life):
    local = LocalDiscord(LocalOptions(data=folder, save_every=3600, rate_limits=False))
    await local.start()
    lobby = local.you.channel("lobby")
    address = f"{local.api_base}/channels/{lobby['id']}/messages"

    async def post(content):
        form = aiohttp.FormData({"payload_json": '{"content": "%s"}' % content})
        form.add_field("files[0]", content.encode(), filename="a.txt")
        async with session.post(address, data=form) as answer:
            return (await answer.json())["id"]

    async def told(content):
        await post(content)
        print(content, flush=True)
        if life % 2 or content.endswith("2"):
            os.kill(os.getpid(), signal.SIGKILL)

    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {local.token}"}) as session:
        if life % 4 == 3:
            async with session.patch(f"{address}/{await post('raw')}", json={"content": f"{life} edited"}):
                print(f"{life} edited", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.gather(*(told(f"{life} {n}") for n in range(5)))

for life in range(20):
    child = os.fork()
    if not child:
        asyncio.run(live(pathlib.Path(sys.argv[1]), life))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


async def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    """Twenty lives, each killed as a post or an edit is answered: all answered ones are there."""
    command = (sys.executable, "-c", KILLED, str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    said, _ = await asyncio.wait_for(process.communicate(), 90)
    answered = said.decode().splitlines()
    assert process.returncode == 0 and {line.split()[0] for line in answered} == set(map(str, range(20)))
    local = LocalDiscord(LocalOptions(data=tmp_path))
    await local.start()
    kept = {m["content"]: m["attachments"][0]["url"] for m in local.you.history(local.you.channel("lobby"))}
    files = {text: local.world.cdn.get(url) for text, url in kept.items() if text in answered}
    await local.stop()
    assert files == {text: b"raw" if text.endswith("edited") else text.encode() for text in answered}


async def test_a_nonce_is_remembered_over_a_restart(tmp_path: Path) -> None:
    """Discord does not restart with the bot: for minutes, what was posted is not posted again."""
    posts = []
    for minutes in (0, 1, 10):
        local = LocalDiscord(LocalOptions(data=tmp_path))
        await local.start()
        local.world.time.advance(60 * minutes)
        body = {"content": "card", "nonce": "c1", "enforce_nonce": True}
        path = f"/channels/{local.you.channel('lobby')['id']}/messages"
        posts.append((await raw(local, "POST", path, json=body))[1]["id"])
        await local.stop()
    assert posts[0] == posts[1] != posts[2]


async def test_what_cannot_be_saved_is_not_answered_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full a post is refused with 503; once there is room, it goes through."""
    local = LocalDiscord(LocalOptions(data=tmp_path))
    await local.start()
    post = f"/channels/{local.you.channel('lobby')['id']}/messages"
    with monkeypatch.context() as broken:

        def full(self: WorldFile, changes: Changes) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        broken.setattr(WorldFile, "_write_all", full)
        assert (await raw(local, "POST", post, json={"content": "one"}))[0] == 503
    assert (await raw(local, "POST", post, json={"content": "two"}))[0] == 200
    await local.stop()


async def test_unreadable_world_is_said(tmp_path: Path) -> None:
    """A file of another version is neither overwritten nor ignored: the message says what to do."""
    local = LocalDiscord(LocalOptions(data=tmp_path))
    await local.start()
    await local.stop()
    with sqlite3.connect(tmp_path / FILE_NAME) as rows:
        rows.execute("UPDATE world SET value = '{}'")
    rows.close()
    broken = LocalDiscord(LocalOptions(data=tmp_path))
    with pytest.raises(BrokenWorldError, match="move the file away"):
        await broken.start()


def test_a_file_that_is_no_database_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is overwritten, nothing stays open."""
    path = tmp_path / FILE_NAME
    path.write_bytes(b"no database at all, and long enough to have a header of a hundred bytes" * 9)
    before = path.read_bytes()
    opened: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(real(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(BrokenWorldError, match="move the file away"):
        LocalDiscord(LocalOptions(data=tmp_path))
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
    assert path.read_bytes() == before


async def written_world(folder: Path) -> bytes:
    """A saved world of some pages -> its file's bytes."""
    local = LocalDiscord(LocalOptions(data=folder))
    await local.start()
    for _ in range(100):
        await local.you.send(local.you.channel("lobby"), "x" * 1500)
    await local.stop()
    return (folder / FILE_NAME).read_bytes()


@pytest.mark.parametrize("damage", ["overwritten", "cut", "no such bot"])
async def test_a_damaged_world_is_said(tmp_path: Path, damage: str) -> None:
    """Whatever part of the file is damaged, one is told which file it is, and the next start can open it."""
    whole, path = await written_world(tmp_path), tmp_path / FILE_NAME
    half = len(whole) // 2
    if damage == "overwritten":
        path.write_bytes(whole[:half] + b"\xff" * 8192 + whole[half + 8192 :])
    elif damage == "cut":
        path.write_bytes(whole[:half])
    else:
        rows = sqlite3.connect(path)
        rows.execute("UPDATE world SET value = json_set(value, '$.bot_id', 1) WHERE key = 'core'")
        rows.commit()
        rows.close()
    with pytest.raises(BrokenWorldError, match="move the file away"):
        await LocalDiscord(LocalOptions(data=tmp_path)).start()
    path.write_bytes(whole)
    again = LocalDiscord(LocalOptions(data=tmp_path))
    await again.start()
    assert len(again.you.history(again.you.channel("lobby"))) == 100
    await again.stop()


def test_a_locked_world_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process writes is not to be moved away."""
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: real(path, timeout=0, **options))
    other = sqlite3.connect(tmp_path / FILE_NAME)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BrokenWorldError, match=r"cannot be opened \(database is locked\).*other copy"):
        LocalDiscord(LocalOptions(data=tmp_path))
    other.close()


async def test_a_disk_that_stays_full_is_said_with_its_own_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has rolled back by itself then: the log names the disk, the page warns, stopping is no crash."""
    monkeypatch.setattr(logging.getLogger(WorldFile.__module__), "disabled", False)
    local = LocalDiscord(LocalOptions(data=tmp_path))
    await local.start()
    await local.saved()
    (pages,) = local._file._db.execute("PRAGMA page_count").fetchone()
    local._file._db.execute(f"PRAGMA max_page_count = {pages}")
    body = {"channel": local.you.channel("lobby")["id"], "content": "x" * 2000}
    async with aiohttp.ClientSession(cookies={f"megaagent-{local._port}": local.page_key}) as browser:
        address, own = local.base_url + "page/act/send", {"X-Local-Discord": "1"}
        for _ in range(10):
            async with browser.post(address, json=body, headers=own) as answered:
                answer = await answered.json()
    await local.stop()
    assert "disk may be full" in answer["warning"] and answer["result"]
    assert "database or disk is full" in caplog.text and "rollback" not in caplog.text
    assert "are lost" in caplog.text


class Heard(logging.Handler):
    """Keeps what a logger says, and tells the loop that it said something."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.any, self._loop = asyncio.Event(), asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's text."""
        self.said.append(record.getMessage())
        self._loop.call_soon_threadsafe(self.any.set)


async def test_a_failed_write_is_said_and_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported in plain words, and what could not be written is written later."""
    local = LocalDiscord(LocalOptions(data=tmp_path, save_every=0.05))
    await local.start()
    logger, heard = logging.getLogger(WorldFile.__module__), Heard()
    with monkeypatch.context() as broken:
        broken.setattr(logger, "disabled", False)
        broken.setattr(logger, "handlers", [heard])
        broken.setattr(logger, "level", logging.ERROR)

        def full(self: WorldFile, changes: Changes) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        broken.setattr(WorldFile, "_write_all", full)
        await local.you.send(local.you.channel("lobby"), "precious", files=[("a.txt", b"a")])
        async with asyncio.timeout(60):
            await heard.any.wait()
    await local.stop()
    assert "disk is full" in heard.said[0]
    again = LocalDiscord(LocalOptions(data=tmp_path))
    await again.start()
    (kept,) = again.you.history(again.you.channel("lobby"))
    assert kept["content"] == "precious" and again.world.cdn.get(kept["attachments"][0]["url"]) == b"a"
    await again.stop()
