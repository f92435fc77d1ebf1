"""What the page asks the server for, and what people do on it.

Every address refuses requests from other pages (see ``guard``); what changes something also
needs a header that another page cannot send without asking first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from aiohttp import WSCloseCode, web
from simcord.backend.errors import BackendError
from simcord.enums import AppCommandType

from bot.local.actors import Human, Outcome
from bot.local.gateway import Gateway
from bot.local.guard import same_origin
from bot.local.interactions import CannotError
from bot.local.page_feed import Feed
from bot.local.world import World

Wire = dict[str, Any]
File = tuple[str, bytes]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FOLDER = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: _KINDS[path.suffix] for path in FOLDER.iterdir() if path.suffix in _KINDS}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self' ws://{host}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""What the page may load; not every browser takes a websocket of this server for 'self'."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
#: A header of our own: other pages can send it only after a CORS preflight, which is refused.
OWN_HEADER = "X-Local-Discord"
PAGE_SIZE = 50
#: What a person is told whose words are shown but not kept.
UNSAVED = (
    "This could not be saved: the disk may be full, the bot's log says why. "
    "It is lost if the bot stops before there is room."
)
#: Who the current request is of, when not of the owner.
_acting: ContextVar[Human | None] = ContextVar("acting", default=None)
#: Events of this many seconds are sent to the page together.
BATCH = 0.04


class Server(Protocol):
    """What the page shows of the local Discord (`bot.local.server`)."""

    world: World
    gateway: Gateway
    you: Human
    notice: str

    async def saved(self) -> bool:
        """Return once what was answered is on disk; False when it could not be written."""


class PageApi:
    """Serves the page, its data and its live events."""

    def __init__(self, local: Server) -> None:
        self._local = local
        self._world: World | None = None
        self._feeds: dict[int, Feed] = {}
        self._acts: Mapping[str, Callable[[Wire, dict[str, File]], Awaitable[object]]] = {
            "send": self._send,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "pin": self._pin,
            "typing": self._typing,
            "slash": self._slash,
            "autocomplete": self._autocomplete,
            "menu": self._menu,
            "click": self._click,
            "select": self._select,
            "submit": self._submit,
            "person": self._person,
        }

    def attach(self, world: World) -> None:
        """Follow a world's changes, as its owner sees them; for others from when they are first asked for."""
        self._world, self._feeds = world, {}
        self._feed_of(self._local.you.id)

    def notice_changed(self, text: str) -> None:
        """Tell open pages the line they show on top."""
        for feed in self._feeds.values():
            feed.send({"t": "notice", "text": text})

    def presence_changed(self, online: bool) -> None:
        """Tell open pages whether the bot is there."""
        for feed in self._feeds.values():
            feed.send({"t": "presence", "online": online})

    def hang_up(self) -> None:
        """End every live connection."""
        for feed in self._feeds.values():
            feed.close()

    def add_routes(self, app: web.Application) -> None:
        """Register the page's addresses."""
        for feed in self._feeds.values():
            feed.reopen()
        app.router.add_get("/", _guarded(self._file))
        app.router.add_get("/page/live", _guarded(self._live, self._act_as))
        app.router.add_get("/page/state", _guarded(self._state, self._act_as))
        app.router.add_get("/page/commands", _guarded(self._commands, self._act_as))
        app.router.add_get("/page/messages", _guarded(self._messages, self._act_as))
        app.router.add_get("/page/pins", _guarded(self._pins, self._act_as))
        app.router.add_post("/page/act/{verb}", _guarded(self._act, self._act_as))
        app.router.add_get("/page/{name}", _guarded(self._file))

    @property
    def feed(self) -> Feed:
        """The live events as the person of this request sees them; there once the world is."""
        return self._feed_of(self._you.id)

    def _feed_of(self, viewer: int) -> Feed:
        if self._world is None:
            raise RuntimeError("the local Discord has not been started")
        if viewer not in self._feeds:
            self._feeds[viewer] = Feed(self._world, viewer)
        return self._feeds[viewer]

    @property
    def _you(self) -> Human:
        """The person of this request: the owner, unless the page acts as another."""
        return _acting.get() or self._local.you

    def _act_as(self, request: web.Request) -> None:
        """Let this request be of the person it names. Raises CannotError for nobody of this server."""
        named = request.query.get("as")
        if not named:
            return
        world, guild_id = self._local.world, self._local.you.guild_id
        user = world.users.get(int(named)) if named.isdecimal() else None
        if user is None or user.bot or user.id not in world.get_guild(guild_id).members:
            raise CannotError("that person is not in this server")
        _acting.set(Human(world, guild_id, user.id))

    # ----------------------------------------------------------------- reading

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name", "index.html")
        if name not in FILES:
            return web.Response(status=404)
        text = await asyncio.to_thread((FOLDER / name).read_bytes)
        return web.Response(body=text, content_type=FILES[name], charset="utf-8")

    async def _state(self, request: web.Request) -> web.StreamResponse:
        world, you = self._local.world, self._you
        guild = world.guilds.get(you.guild_id)
        members = guild.members if guild else {}
        users = [world.users[user_id] for user_id in members]
        state = {
            "seq": self.feed.mark,
            "notice": self._local.notice,
            "guild": {"id": str(you.guild_id), "name": guild.name if guild else ""},
            "me": str(you.id),
            "bot": str(world.bot_user.id),
            "online": self._local.gateway.connected > 0,
            "channels": [self.feed.listed(int(c["id"])) for c in you.channels()],
            "emojis": self.feed.emojis(),
            "users": [
                {
                    "id": str(u.id),
                    "name": u.global_name or u.name,
                    "bot": u.bot,
                    "roles": [str(role) for role in members[u.id].role_ids],
                }
                for u in users
            ],
            "roles": [
                {"id": str(r.id), "name": r.name, "color": r.color}
                for r in (guild.roles.values() if guild else ())
            ],
        }
        return web.json_response(state, dumps=_dumps)

    async def _commands(self, request: web.Request) -> web.StreamResponse:
        place = request.query["channel"]
        found = {
            "slash": self._you.commands(place, AppCommandType.CHAT_INPUT),
            "message": self._you.commands(place, AppCommandType.MESSAGE),
        }
        return web.json_response(found, dumps=_dumps)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        channel_id = int(request.query["channel"])
        if not self.feed.sees(channel_id):
            raise CannotError("that channel is not to be seen")
        stored = self._local.world.messages[channel_id]
        seen = sorted(m for m, message in stored.items() if message.visible_to(self._you.id))
        before = int(request.query.get("before", 0))
        around = int(request.query.get("around", 0))
        if around:
            index = sum(m < around for m in seen)
            chosen = seen[max(0, index - PAGE_SIZE // 2) : index + PAGE_SIZE // 2]
        else:
            chosen = [m for m in seen if not before or m < before][-PAGE_SIZE:]
        page = {
            "messages": [self.feed.message(stored[m]) for m in chosen],
            "older": bool(chosen) and chosen[0] != seen[0],
            "newer": bool(chosen) and not before and chosen[-1] != seen[-1],
        }
        return web.json_response(page, dumps=_dumps)

    async def _pins(self, request: web.Request) -> web.StreamResponse:
        channel_id = int(request.query["channel"])
        if not self.feed.sees(channel_id):
            raise CannotError("that channel is not to be seen")
        stored = self._local.world.messages[channel_id].values()
        pinned = [self.feed.message(message) for message in stored if message.pinned]
        return web.json_response({"messages": pinned}, dumps=_dumps)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Serve a page's live events over a websocket: tabs share six connections of any other kind."""
        socket = web.WebSocketResponse(heartbeat=15)
        await socket.prepare(request)
        telling = asyncio.create_task(self._tell(socket, request.query.get("since", "")))
        try:
            async for _message in socket:  # the page says nothing; this ends when it is gone
                pass
        finally:
            telling.cancel()
            await asyncio.wait([telling])
        return socket

    async def _tell(self, socket: web.WebSocketResponse, mark: str) -> None:
        """Send events in batches until the page or the server goes."""
        with suppress(ConnectionError):
            while (batch := await self.feed.after(mark)) is not None:
                mark, events = batch
                await socket.send_str(f'{{"mark": "{mark}", "events": {events}}}')
                await asyncio.sleep(BATCH)
            await socket.close(code=WSCloseCode.GOING_AWAY)

    # ------------------------------------------------------------------ acting

    async def _act(self, request: web.Request) -> web.StreamResponse:
        if OWN_HEADER not in request.headers:
            return web.Response(status=403, text="only the page itself may do that")
        act = self._acts.get(request.match_info["verb"])
        if act is None:
            return web.Response(status=404)
        body, files = await _read(request)
        try:
            done = {"result": await act(body, files)}
            warning = {} if await self._local.saved() else {"warning": UNSAVED}
            return web.json_response(done | warning, dumps=_dumps)
        except CannotError as error:
            return web.json_response({"error": str(error)})
        except BackendError as error:
            return web.json_response({"error": error.message})

    async def _send(self, body: Wire, files: dict[str, File]) -> object:
        sent = await self._you.send(
            body["channel"],
            str(body.get("content") or ""),
            reply_to=self._target(body, "reply_to") if body.get("reply_to") else None,
            files=list(files.values()),
        )
        return sent["id"]

    async def _edit(self, body: Wire, files: dict[str, File]) -> object:
        return (await self._you.edit(self._target(body), str(body["content"])))["id"]

    async def _delete(self, body: Wire, files: dict[str, File]) -> object:
        await self._you.delete(self._target(body))
        return None

    async def _react(self, body: Wire, files: dict[str, File]) -> object:
        act = self._you.react if body["on"] else self._you.unreact
        await act(self._target(body), str(body["emoji"]))
        return None

    async def _pin(self, body: Wire, files: dict[str, File]) -> object:
        await self._you.pin(self._target(body), bool(body["on"]))
        return None

    async def _typing(self, body: Wire, files: dict[str, File]) -> object:
        await self._you.typing(body["channel"])
        return None

    async def _slash(self, body: Wire, files: dict[str, File]) -> object:
        options = dict(body.get("options") or {}) | files
        outcome = await self._you.slash(body["channel"], str(body["name"]), wait=False, **options)
        return _shown(outcome)

    async def _autocomplete(self, body: Wire, files: dict[str, File]) -> object:
        filled = dict(body.get("options") or {})
        name, option, typed = str(body["name"]), str(body["option"]), str(body["typed"])
        return await self._you.autocomplete(body["channel"], name, option, typed, **filled)

    async def _menu(self, body: Wire, files: dict[str, File]) -> object:
        name = str(body["name"])
        return _shown(await self._you.context_menu(name, self._target(body), wait=False))

    async def _click(self, body: Wire, files: dict[str, File]) -> object:
        custom_id = str(body["custom_id"])
        pressed = await self._you.click(self._target(body), custom_id=custom_id, wait=False)
        return _shown(pressed)

    async def _select(self, body: Wire, files: dict[str, File]) -> object:
        values, custom_id = [str(v) for v in body["values"]], str(body["custom_id"])
        target = self._target(body)
        return _shown(await self._you.select(target, values, custom_id=custom_id, wait=False))

    async def _submit(self, body: Wire, files: dict[str, File]) -> object:
        values = dict(body["values"])
        for key, file in files.items():
            values.setdefault(key.rsplit("/", 1)[0], []).append(file)
        return _shown(await self._you.submit(int(body["interaction"]), values, wait=False))

    async def _person(self, body: Wire, files: dict[str, File]) -> object:
        """Add a person to the server, with a role of that name, and return their id."""
        name, role = str(body.get("name") or "").strip()[:32], str(body.get("role") or "").strip()[:40]
        if not name:
            raise CannotError("a person needs a name")
        world, guild_id = self._local.world, self._local.you.guild_id
        guild = world.get_guild(guild_id)
        if any((user := world.users[i]).global_name == name and not user.bot for i in guild.members):
            raise CannotError(f"there is a {name} already")
        user = world.make_user(name.casefold().replace(" ", "_"), global_name=name)
        world.add_member(guild_id, user.id)
        if role:
            known = next((each for each in guild.roles.values() if each.name == role), None)
            made = known or world.create_role(guild_id, role)
            world.add_member_role(guild_id, user.id, made.id)
        return str(user.id)

    def _target(self, body: Wire, key: str = "message") -> Wire:
        return {"id": body[key], "channel_id": body["channel"]}


def _shown(outcome: Outcome) -> Wire:
    """What the page does next: open a form, or wait for the message that will come."""
    shown: Wire = {"interaction": str(outcome.id), "kind": outcome.kind}
    return shown | ({"modal": outcome.modal} if outcome.modal else {})


def _dumps(data: object) -> str:
    return json.dumps(data, default=str)


async def _read(request: web.Request) -> tuple[Wire, dict[str, File]]:
    """The JSON body and the files by field name."""
    if not request.content_type.startswith("multipart/"):
        return await request.json(), {}
    form = await request.post()
    files = {
        key: (part.filename, part.file.read())
        for key, part in form.items()
        if isinstance(part, web.FileField)
    }
    return json.loads(str(form["json"])), files


def _guarded(handler: Handler, begin: Callable[[web.Request], None] = lambda _request: None) -> Handler:
    """Refuse other pages, add the security headers, and put refusals in words; `begin` comes first."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not same_origin(request):
            return web.Response(status=403, text="this page only answers to itself")
        try:
            begin(request)
            response = await handler(request)
        except (CannotError, BackendError) as error:
            text = error.message if isinstance(error, BackendError) else str(error)
            response = web.json_response({"error": text}, status=400)
        except (KeyError, ValueError) as error:
            response = web.json_response({"error": f"bad request: {error}"}, status=400)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers["Content-Security-Policy"] = POLICY.format(host=request.host)
        return response

    return guarded
