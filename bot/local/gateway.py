"""Discord's gateway v10: identify, heartbeat, resume, intents, compression, close codes."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import discord
import simcord.intents as intent_rules
from aiohttp import WSMsgType, web
from simcord.backend import serializers

from bot.local.compression import Pack, packer
from bot.local.options import LocalOptions
from bot.local.payloads import finish
from bot.local.world import World

Wire = dict[str, Any]

#: How many events a session keeps for a resume; Discord's own number is not published.
REPLAY = 5000
#: Client events per connection and minute (documentation: 120, then the connection is closed).
CLIENT_EVENTS = 120
HEARTBEAT_MS = 41250
#: Seconds until a heartbeat is acknowledged. Not at once: discord.py's heart beats in a thread, which notes
#: when it sent only after sending; an answer before that counts from the beat before, "41 s behind".
ACK_AFTER = 0.1
VIEW_CHANNEL = 1 << 10
#: Seconds a session waits for its client to resume.
PATIENCE = 300.0


#: Called with each event that a session is sent, of every local Discord of this process (tests).
LISTENERS: list[Callable[[str, object], None]] = []


@dataclass(slots=True)
class Session:
    """One logged-in client; it may outlive its connection."""

    id: str
    intents: discord.Intents
    log: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REPLAY))
    seq: int = 0
    link: Link | None = None
    lost_at: float = 0.0

    def push(self, event: str, data: object) -> None:
        """Number an event, keep it for a resume, and send it if a client is connected."""
        self.seq += 1
        for listener in LISTENERS:
            listener(event, data)
        frame = json.dumps({"op": 0, "t": event, "s": self.seq, "d": data}, default=str)
        self.log.append((self.seq, frame))
        if self.link is not None:
            self.link.send(frame)

    def missed(self, seq: int) -> list[str] | None:
        """Return the frames after ``seq``, or None if some are no longer kept."""
        if seq > self.seq or (self.log and seq < self.log[0][0] - 1):
            return None
        return [frame for number, frame in self.log if number > seq]


class Link:
    """One websocket connection with its outgoing queue and compression."""

    def __init__(self, ws: web.WebSocketResponse, pack: Pack | None) -> None:
        self.ws = ws
        self.dead = False
        self.session: Session | None = None
        self.received: deque[float] = deque(maxlen=CLIENT_EVENTS)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._pack = pack

    def send(self, frame: str) -> None:
        """Queue a frame; a connection that plays dead drops it."""
        if not self.dead:
            self._queue.put_nowait(frame)

    def send_op(self, op: int, data: object = None) -> None:
        """Queue a control frame."""
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    async def pump(self) -> None:
        """Write queued frames until cancelled or the client disconnects."""
        with suppress(ConnectionError):
            while True:
                frame = (await self._queue.get()).encode()
                if self._pack is None:
                    await self.ws.send_str(frame.decode())
                else:
                    await self.ws.send_bytes(self._pack(frame))


class Gateway:
    """Every connection and session; a subscriber of the world's events."""

    def __init__(self, world: World, options: LocalOptions, token: str) -> None:
        self._world = world
        self._options = options
        self._token = token
        self._sessions: dict[str, Session] = {}
        self._links: set[Link] = set()
        self._identified_at = -math.inf
        self.gaps: list[str] = []
        self.presence_listeners: list[Callable[[bool], None]] = []
        world.subscribers.append(self.publish)

    @property
    def connected(self) -> int:
        """Return how many clients are connected and identified."""
        return sum(link.session is not None for link in self._links)

    # ------------------------------------------------------------------ events

    def publish(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to every session whose intents cover it; content is hidden where intents require."""
        if self._hidden(event, payload):
            return
        gate = None if self._own(event, payload) else intent_rules.required_intent(event, payload)
        for session in self._sessions.values():
            if gate is None or getattr(session.intents, gate):
                session.push(event, self._visible(session.intents, event, payload))

    def _own(self, event: str, payload: Mapping[str, Any]) -> bool:
        """Return whether this is a change of the bot's own membership, which is told without the intent."""
        about = str(payload["user"]["id"]) if event == "GUILD_MEMBER_UPDATE" else ""
        return about == str(self._world.bot_user.id)

    def _hidden(self, event: str, payload: Mapping[str, Any]) -> bool:
        """Return whether an event is of a channel that the bot may not see: it is told nothing of those."""
        channel = self._world.channels.get(int(payload.get("channel_id") or 0))
        if channel is None or channel.guild_id is None or event == "INTERACTION_CREATE":
            return False
        bot = self._world.bot_user.id
        return not self._world.compute_permissions(channel.guild_id, bot, channel.id) & VIEW_CHANNEL

    def _visible(self, intents: discord.Intents, event: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        bot_id = self._world.bot_user.id
        if event == "GUILD_CREATE":
            pruned = dict(payload)
            intent_rules.prune_guild_create(pruned, intents, bot_id)
            return pruned
        if intents.message_content:
            return payload
        copied: Wire = json.loads(json.dumps(payload, default=str))
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            intent_rules.censor_message(copied, bot_id, backend=self._world)
        return copied

    def _greet(self, session: Session) -> None:
        world = self._world
        ready = {
            "v": 10,
            "user": dict(serializers.user_payload(world.bot_user)),
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": world.gateway_url,
            "shard": [0, 1],
            "application": {"id": str(world.application_id), "flags": world.application_flags},
            "guilds": [{"id": str(g), "unavailable": True} for g in world.guilds],
        }
        session.push("READY", ready)
        for guild in world.guilds.values():
            if guild.id in world.conditions.outage:
                continue
            payload = finish(world, "GUILD_CREATE", dict(serializers.guild_create_payload(world, guild)))
            session.push("GUILD_CREATE", self._visible(session.intents, "GUILD_CREATE", payload))

    # ------------------------------------------------------------- connections

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket connection until it ends."""
        compress = request.query.get("compress")
        pack = packer(compress) if compress else None
        if request.query.get("v") != "10" or (compress and pack is None):
            self.gaps.append(f"gateway {request.query_string}")
            return web.Response(status=400, text="only v=10 with zlib-stream, zstd-stream or no compression")
        ws = web.WebSocketResponse(max_msg_size=16384, compress=False)
        await ws.prepare(request)
        link = Link(ws, pack)
        self._links.add(link)
        pump = asyncio.create_task(link.pump())
        link.send_op(10, {"heartbeat_interval": int(HEARTBEAT_MS / self._options.time_scale)})
        try:
            await self._listen(link)
        finally:
            pump.cancel()
            self._forget(link)
        return ws

    async def _listen(self, link: Link) -> None:
        async for message in link.ws:
            if message.type is not WSMsgType.TEXT:
                await link.ws.close(code=4002, message=b"Error while decoding payload.")
                return
            code = self._receive(link, json.loads(message.data))
            if code is not None:
                await link.ws.close(code=code)
                return

    def _forget(self, link: Link) -> None:
        self._links.discard(link)
        if link.session is not None and link.session.link is link:
            link.session.link = None
            link.session.lost_at = self._world.time.monotonic()
            self._send_presence()

    def _send_presence(self) -> None:
        for listener in self.presence_listeners:
            listener(self.connected > 0)

    def _receive(self, link: Link, frame: Wire) -> int | None:
        """Handle one client frame; return the close code for the connection, or None."""
        if link.dead:
            return None
        if self._flooding(link):
            return 4008
        op, data = frame.get("op"), frame.get("d")
        if op == 1:
            asyncio.get_running_loop().call_later(ACK_AFTER, link.send_op, 11)
            return None
        if op in (2, 6) and isinstance(data, dict):
            log_in = self._identify if op == 2 else self._resume
            return 4005 if link.session else log_in(link, data)
        return 4003 if link.session is None else self._command(link.session, op, data)

    def _command(self, session: Session, op: object, data: object) -> int | None:
        if op == 8 and isinstance(data, dict):
            self._chunk(session, data)
        elif op != 3:
            self.gaps.append(f"gateway op {op}")
            return 4001
        return None

    def _flooding(self, link: Link) -> bool:
        now = self._world.time.monotonic() * self._options.time_scale
        link.received.append(now)
        return len(link.received) == CLIENT_EVENTS and now - link.received[0] < 60

    def _identify(self, link: Link, data: Wire) -> int | None:
        if data.get("token") != self._token:
            return 4004
        if not isinstance(data.get("intents"), int) or data["intents"] >> 26:
            return 4013
        intents = discord.Intents._from_value(data["intents"])
        if (refused := self._session_refused(link)) is not None:
            return refused or None
        approved = self._options.privileged_intents
        if any(getattr(intents, name) and name not in approved for name in intent_rules.PRIVILEGED_INTENTS):
            return 4014
        self._drop_abandoned()
        session = Session(secrets.token_hex(16), intents, link=link)
        link.session = session
        self._sessions[session.id] = session
        self._greet(session)
        self._send_presence()
        return None

    def _session_refused(self, link: Link) -> int | None:
        """Return None if a session may start; 0 after telling that it comes too early; 4004 if none are left.

        A bot that starts more sessions than it may has its token reset.
        """
        known, now = self._world.conditions, self._world.time.monotonic() * self._options.time_scale
        if known.sessions_left <= 0:
            return 4004
        if now - self._identified_at < known.identify_every_s:
            link.send_op(9, False)
            return 0
        known.sessions_left -= 1
        self._identified_at = now
        return None

    def _drop_abandoned(self) -> None:
        """Drop sessions that nobody resumed; Discord itself waits a few minutes."""
        now = self._world.time.monotonic()
        for session in list(self._sessions.values()):
            if session.link is None and now - session.lost_at > PATIENCE:
                del self._sessions[session.id]

    def _resume(self, link: Link, data: Wire) -> int | None:
        if data.get("token") != self._token:
            return 4004
        session = self._sessions.get(str(data.get("session_id")))
        missed = session.missed(int(data.get("seq") or 0)) if session else None
        if session is None or missed is None:
            link.send_op(9, False)
            return None
        link.session, session.link = session, link
        for frame in missed:
            link.send(frame)
        session.push("RESUMED", {})
        self._send_presence()
        return None

    def _chunk(self, session: Session, data: Wire) -> None:
        """Answer a request for guild members (op 8)."""
        guild = self._world.guilds.get(int(data["guild_id"]))
        if guild is None:
            return
        wanted = data.get("user_ids")
        wanted = [wanted] if isinstance(wanted, (str, int)) else wanted
        prefix, limit = str(data.get("query") or "").lower(), int(data.get("limit") or 0)
        members = [
            member
            for member in guild.members.values()
            if (not wanted or str(member.user_id) in map(str, wanted))
            and self._world.users[member.user_id].name.lower().startswith(prefix)
        ]
        payload = {
            "guild_id": str(guild.id),
            "members": [
                serializers.member_payload(self._world, guild, m)
                for m in (members[:limit] if limit else members)
            ],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
        }
        nonce = {"nonce": data["nonce"]} if data.get("nonce") else {}
        session.push("GUILD_MEMBERS_CHUNK", finish(self._world, "GUILD_MEMBERS_CHUNK", payload | nonce))

    # ------------------------------------------------------------------ faults

    def send_reconnect(self) -> None:
        """Send op 7 on every connection."""
        for link in self._links:
            link.send_op(7)

    def send_invalid(self, *, resumable: bool) -> None:
        """Send op 9 on every connection; not resumable also forgets the sessions."""
        for link in self._links:
            link.send_op(9, resumable)
            if link.session is not None:
                link.session.link = None
                link.session = None
        if not resumable:
            self._sessions.clear()

    async def close_all(self, code: int, *, forget: bool) -> None:
        """Close every connection with a code; ``forget`` ends the sessions too."""
        links = list(self._links)
        for link in links:
            self._forget(link)
        if forget:
            self._sessions.clear()
        for link in links:
            await link.ws.close(code=code)

    def play_dead(self, dead: bool) -> None:
        """Stop answering on the current connections, or resume."""
        for link in self._links:
            link.dead = dead
