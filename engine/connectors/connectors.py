"""The agents' access to the world outside: which tools there are, and calls through the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from engine.connectors import approved, ledger, recovery
from engine.connectors.leaving import circumstances
from engine.connectors.ledger import Begun, Kept, NewCall
from engine.domain.clean import clean_text
from engine.domain.guard import Decision, Guard, addresses_of, decide
from engine.domain.outside import CallEnd, CallState, addresses_in
from engine.errors import EngineError, NotFound, NotSent, Unanswered
from engine.ports import (
    AgentRole,
    Clock,
    Database,
    Enlist,
    OutsideAnswer,
    OutsideServers,
    OutsideTool,
    Record,
    ServerState,
    SignInLink,
    SignsIn,
    Wake,
)
from engine.secrets import hide_known

log = logging.getLogger(__name__)

MAX_ANSWER = 16_000
"""Characters of an answer that are kept; a cut is noted."""

FIRST_START_S = 20.0
"""Seconds after the start in which agents wait for servers that are starting."""

AT_ONCE = 8
"""Approved calls that this process makes at the same time."""


@dataclass(frozen=True, slots=True)
class OutsideOptions:
    """`shown`: with more tools than this, agents search for one instead of carrying them all.

    `guard`: what holds so that no data leaves unseen.
    `sweeps`: whether this process makes approved calls and settles those that nobody waits for; one must.
    """

    shown: int = 24
    guard: Guard = field(default_factory=Guard)
    sweeps: bool = True


class Connectors:
    """Tools of all servers, and the one way to call them. Started and closed with its engine."""

    def __init__(
        self,
        servers: Sequence[OutsideServers],
        db: Database,
        clock: Clock,
        options: OutsideOptions | None = None,
    ) -> None:
        self._servers, self._db, self._clock = tuple(servers), db, clock
        self.options = options or OutsideOptions()
        self._enlist: Enlist = lambda _, wakes: wakes
        self._wake: Callable[[tuple[Wake, ...]], None] = lambda _: None
        self._notify: Callable[[], None] = lambda: None
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._patient_until = 0.0

    def listen(
        self, enlist: Enlist, wake: Callable[[tuple[Wake, ...]], None], notify: Callable[[], None]
    ) -> None:
        """Call the dispatcher's `enlist`, then `wake`, for agents with a new answer, and `notify` after each
        commit with events."""
        self._enlist, self._wake, self._notify = enlist, wake, notify

    # ------------------------------------------------------------ what there is

    def tools(self, role: AgentRole, space: str) -> tuple[OutsideTool, ...]:
        """Return the tools that a role may call in a space, by name. Fast, from any thread."""
        return tuple(
            sorted(
                (
                    tool
                    for servers in self._servers
                    for tool in servers.tools()
                    if tool.policies.get(role, "deny") != "deny"
                    and (tool.spaces is None or space in tool.spaces)
                ),
                key=lambda tool: tool.name,
            )
        )

    def named(self, name: str, role: AgentRole, space: str) -> OutsideTool | None:
        """Return the tool of that name, None when the role has none in that space."""
        return next((tool for tool in self.tools(role, space) if tool.name == name), None)

    def all_tools(self) -> tuple[OutsideTool, ...]:
        """Return every tool, whoever may call it."""
        return tuple(tool for servers in self._servers for tool in servers.tools())

    def states(self) -> tuple[ServerState, ...]:
        """Return the state of each server."""
        return tuple(state for servers in self._servers for state in servers.states())

    async def begin_sign_in(
        self, server: str, space: str, by: str, may: Callable[[], Awaitable[bool]], record: Record
    ) -> SignInLink:
        """Return the link by which a person signs in to a server of their space; see `SignsIn`. Raises
        NotFound, Invalid, WrongState."""
        for servers in self._servers:
            for state in servers.states():
                here = state.name == server and space in (state.spaces or {space})
                if here and state.signs_in and isinstance(servers, SignsIn):
                    return await servers.begin_sign_in(server, by, may, record)
        raise NotFound(f"The server {server} asks for no sign-in here now.", "Look at /tools again.")

    async def sign_out(self, server: str, space: str, record: Record) -> None:
        """End the agents' sign-in at a server of this space; see `SignsIn`. Raises NotFound."""
        for servers in self._servers:
            for state in servers.states():
                here = state.name == server and space in (state.spaces or {space})
                if here and state.signed_in and isinstance(servers, SignsIn):
                    await servers.sign_out(server, record)
                    return
        raise NotFound(f"Nobody is signed in to {server} here.", "Look at /tools again.")

    async def finish_sign_in(self, address: str, by: str) -> str:
        """End a sign-in with the address that `by` was sent to. Return its server.

        Raises Invalid, WrongState, NotFound.
        """
        for servers in self._servers:
            if isinstance(servers, SignsIn):
                return await servers.finish_sign_in(address, by)
        raise NotFound("No sign-in is open here.", "Ask for a new link in /tools.")

    async def try_servers(self, seconds: float) -> tuple[ServerState, ...]:
        """Start the servers only to see whether they can be used, at most so long; stop them again."""
        for servers in self._servers:
            await servers.start()
        try:
            async with asyncio.timeout(seconds):
                while any(state.condition == "starting" for state in self.states()):
                    await self._clock.sleep(0.1)
        except TimeoutError:
            pass
        found = self.states()
        await self.close()
        return found

    # ------------------------------------------------------------ one call of a step

    async def decide(
        self, task_id: int, tool: OutsideTool, role: AgentRole, digest: str, arguments: Mapping[str, Any]
    ) -> Decision:
        """Return whether this call may be made at once, needs a person, or is refused."""
        addresses = addresses_of(tool, arguments)
        now = await self._db.read(lambda c: circumstances(c, task_id, tool, digest, addresses))
        return decide(tool, tool.policies.get(role), arguments, now, self.options.guard)

    async def known(self, key: str) -> Kept | None:
        """Return what became of the call with this key, made by an earlier try of the same step."""
        return await self._db.read(lambda c: ledger.known(c, key))

    async def is_known_away(self, task_id: int, tool: OutsideTool, call_id: int) -> bool:
        """Return whether people were told that the call's server cannot be reached."""
        return await self._db.read(lambda c: ledger.is_known_away(c, task_id, tool.server, call_id))

    async def is_asked(self, task_id: int, digest: str) -> bool:
        """Return whether people were asked about exactly this call and it is not made yet."""
        return await self._db.read(lambda c: ledger.is_asked(c, task_id, digest))

    async def count_asked(self, agent_id: int) -> int:
        """Return how many calls of an agent wait for the people's answer."""
        return await self._db.read(lambda c: ledger.count_asked(c, agent_id))

    async def make(self, call: NewCall, arguments: Mapping[str, Any]) -> Kept:
        """Make a call through the ledger, once. Raises Fenced, CallRefused."""
        now = self._clock.now()
        begun = await self._db.write(lambda c: ledger.begin(c, call, now))
        if isinstance(begun, Kept):
            return begun
        end, answer = await self._call(call.tool, arguments)
        return await self._write_end(begun, end, answer)

    async def _write_end(self, begun: Begun, end: CallEnd, answer: OutsideAnswer) -> Kept:
        now, number = self._clock.now(), begun.id
        if end in ("done", "failed"):
            await self._db.write(lambda c: ledger.finish(c, number, answer, now))
            return Kept(number, "done", answer, now)
        state: CallState = "failed" if end == "not_sent" else "unknown"
        await self._db.write(lambda c: ledger.give_up(c, number, state, answer, now))
        return Kept(number, state, answer, now)

    async def _call(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> tuple[CallEnd, OutsideAnswer]:
        """Call the tool; one that may be repeated is called a second time when no answer came.

        `failed` of what became of a call without an answer: words of the tool are in it.
        """
        try:
            answer = await self._call_once(tool, arguments)
        except Unanswered as error:
            if not (tool.reads_only or tool.repeatable):
                return "unknown", OutsideAnswer(str(error), failed=error.foreign)
            try:
                answer = await self._call_once(tool, arguments)
            except (Unanswered, NotSent) as again:
                return "not_sent", OutsideAnswer(str(again), failed=error.foreign or again.foreign)
        except NotSent as error:
            return "not_sent", OutsideAnswer(str(error), failed=error.foreign)
        return "failed" if answer.failed else "done", bounded(answer)

    async def _call_once(self, tool: OutsideTool, arguments: Mapping[str, Any]) -> OutsideAnswer:
        owner = next((s for s in self._servers if _has(s, tool)), None)
        if owner is None:
            raise NotSent(f"{tool.server} no longer has this tool. Do without it.")
        seconds = tool.limits.timeout_s
        try:
            async with asyncio.timeout(seconds):
                return await owner.call(tool, arguments)
        except TimeoutError as error:
            raise Unanswered(f"{tool.server} did not answer within {seconds:g} seconds.") from error

    # ------------------------------------------------------------ after a crash, and approved calls

    async def settled(self) -> None:
        """Wait until no server is starting for the first time, at most FIRST_START_S after the start.

        So that the tools of a task that goes on after a restart are those that it had.
        """
        while self._clock.now() < self._patient_until and any(
            s.condition == "starting" for s in self.states()
        ):
            await self._clock.sleep(0.05)

    async def settle_untold(self, agent_id: int) -> None:
        """Tell an agent what its uncommitted step called, before its next step is loaded."""
        if not await self._db.read(lambda c: recovery.has_untold(c, agent_id)):
            return
        now = self._clock.now()
        await self._write(lambda c: recovery.settle_untold(c, agent_id, now))

    async def start(self) -> None:
        """Start the servers, settle what a stop or crash left, and make the calls approved meanwhile.

        On SQLite no other process can have a call under way.
        """
        for servers in self._servers:
            await servers.start()
        self._patient_until = self._clock.now() + FIRST_START_S
        if not self.options.sweeps:
            return
        alone = self._db.url.startswith("sqlite")
        now = self._clock.now()
        await self._write(lambda c: recovery.settle_expired(c, now, all_of_them=alone))
        await self.make_approved()

    async def sweep(self) -> None:
        """Settle the calls that nobody waits for any more, and make those that were approved."""
        if not self.options.sweeps:
            return
        now = self._clock.now()
        await self._write(lambda c: recovery.settle_expired(c, now))
        await self.make_approved()

    async def make_approved(self) -> None:
        """Start the calls that people agreed to; their agents are told by a message."""
        if not self.options.sweeps:
            return
        for number, *named in await self._db.read(approved.waiting):
            if number not in self._calls:
                work = self._make_approved(number, *named)
                made = asyncio.create_task(work, name=f"outside-call-{number}")
                self._calls[number] = made
                made.add_done_callback(partial(self._forget, number))

    def _forget(self, number: int, _made: asyncio.Task[None]) -> None:
        self._calls.pop(number, None)

    async def _make_approved(self, number: int, server: str, tool: str) -> None:
        try:
            async with self._room:
                await self._make_one(number, server, tool)
        except EngineError as error:
            log.warning("approved call %s waits: %s", number, error)
        except Exception:
            log.exception("approved call %s failed inside; it is tried again or settled by a sweep", number)

    async def _make_one(self, number: int, server: str, named: str) -> None:
        tool = next((one for one in self.all_tools() if (one.server, one.tool) == (server, named)), None)
        now = self._clock.now()

        def claim(connection: Connection) -> approved.Claimed | tuple[Wake, ...]:
            claimed = approved.claim(connection, number, tool, now)
            return claimed if isinstance(claimed, approved.Claimed) else self._enlisted(connection, claimed)

        claimed = await self._db.write(claim)
        if not isinstance(claimed, approved.Claimed):
            self._after(claimed)
            return
        assert tool is not None
        end, answer = await self._call(tool, claimed.arguments)
        now = self._clock.now()
        if end in ("done", "failed"):
            await self._write(lambda c: approved.answered(c, number, answer, now))
        else:
            await self._write(lambda c: approved.lost(c, number, end, answer, now))

    async def _write(self, work: Callable[[Connection], tuple[Wake, ...]]) -> None:
        """Write, then wake the agents that `work` returns."""
        self._after(await self._db.write(lambda c: self._enlisted(c, work(c))))

    def _enlisted(self, connection: Connection, wakes: tuple[Wake, ...]) -> tuple[Wake, ...]:
        """Enlist wake-ups in a transaction; return those that are left for after it."""
        return tuple(self._enlist(connection, wakes))

    def _after(self, wakes: tuple[Wake, ...]) -> None:
        if wakes:
            self._wake(wakes)
            self._notify()

    async def close(self) -> None:
        """Stop the calls that are under way (they are settled at the next start) and all servers."""
        for call in list(self._calls.values()):
            call.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        await asyncio.gather(*(servers.close() for servers in self._servers))


def _has(servers: OutsideServers, tool: OutsideTool) -> bool:
    return any((one.server, one.tool) == (tool.server, tool.tool) for one in servers.tools())


def bounded(answer: OutsideAnswer) -> OutsideAnswer:
    """Return the answer cleaned, without secrets of this process, and cut in the middle when too long."""
    text = hide_known(clean_text(answer.text))
    if len(text) > MAX_ANSWER:
        head, tail = int(MAX_ANSWER * 0.75), int(MAX_ANSWER * 0.2)
        text = f"{text[:head]}\n… {len(text) - head - tail} characters cut …\n{text[-tail:]}"
    return replace(answer, text=text, addresses=addresses_in(answer.addresses))
