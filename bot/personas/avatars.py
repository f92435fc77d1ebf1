"""Addresses of agents' faces: the operator's, or drawings uploaded once as emojis of the application."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bot.outbox.outcomes import heals
from bot.personas.faces import default_url, face_number, face_png, template_url
from bot.storage.tables import faces
from bot.storage.upsert import insert_once
from engine.ports import Database
from engine.secrets import redact

_log = logging.getLogger(__name__)

PREFIX = "megaagent_face_"
PATIENCE_S = 600.0
TROUBLE_S = 60.0


class Faces:
    """Answers at once: a face not uploaded yet is one of Discord's own pictures until it is.

    `problem` says in plain words why drawn faces are not used, "" while they are.
    """

    def __init__(self, client: discord.Client, database: Database, template: str) -> None:
        self._client = client
        self._database = database
        self._template = template
        self._urls: dict[int, str] = {}
        self._wanted: asyncio.Queue[int] = asyncio.Queue()
        self._asked: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self.problem = ""

    def url(self, name: str) -> str:
        """Return the face of a name, which is uploaded where it is missing: a restart forgets who joined."""
        if self._template:
            return template_url(self._template, name)
        self.want(name)
        return self._urls.get(face_number(name)) or default_url(name)

    def want(self, name: str) -> None:
        """Queue the upload of a name's avatar."""
        number = face_number(name)
        if not self._template and number not in self._urls and number not in self._asked:
            self._asked.add(number)
            self._wanted.put_nowait(number)

    async def start(self) -> None:
        """Load earlier uploads and continue uploading queued avatars."""
        if self._template:
            return
        rows = await self._database.read(lambda c: c.execute(select(faces.c.number, faces.c.url)).all())
        self._urls = {row.number: row.url for row in rows}
        self._task = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Stop uploading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _serve(self) -> None:
        """Upload what is wanted, as fast as Discord takes it; a trouble of the moment is waited out."""
        known: dict[str, discord.Emoji] | None = None
        while not self.problem:
            try:
                if known is None:
                    known = {emoji.name: emoji for emoji in await self._client.fetch_application_emojis()}
                await self._provide(await self._wanted.get(), known)
            except discord.RateLimited as error:
                await asyncio.sleep(min(error.retry_after, PATIENCE_S))
            except (discord.HTTPException, aiohttp.ClientError, OSError, SQLAlchemyError) as error:
                if not isinstance(error, discord.HTTPException) or heals(error):
                    _log.warning("faces cannot be uploaded just now: %s", redact(str(error)))
                    await asyncio.sleep(TROUBLE_S)
                    continue
                said = redact(str(error))
                self.problem = f"Drawn faces are refused ({said}). Set AVATAR_URL_TEMPLATE, or leave it so."
                _log.warning("%s", self.problem)

    async def _provide(self, number: int, known: dict[str, discord.Emoji]) -> None:
        name = f"{PREFIX}{number:04d}"
        try:
            known[name] = known.get(name) or await self._upload(name, number)
            await self._keep(number, known[name])
        except (discord.DiscordException, aiohttp.ClientError, OSError, SQLAlchemyError):
            self._wanted.put_nowait(number)
            raise

    async def _upload(self, name: str, number: int) -> discord.Emoji:
        image = await asyncio.to_thread(face_png, number)
        return await self._client.create_application_emoji(name=name, image=image)

    async def _keep(self, number: int, emoji: discord.Emoji) -> None:
        values = {"number": number, "emoji_id": emoji.id, "url": emoji.url}
        await self._database.write(lambda c: insert_once(c, faces, values))
        self._urls[number] = emoji.url
