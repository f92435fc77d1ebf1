"""The workload of crash tests: chains whose every step writes a file and passes a message on.

`verify` reads a finished database and reports what was lost, duplicated, missing or different.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from bench.chains import Chains
from bench.parts import seed_members, seed_messages
from engine.events import AgentSpoke, FileWritten, RemarkNoted
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import AGENTS, BUDGETS, EVENTS, FILES, MESSAGES, REVISIONS, STEPS
from engine.workspace import GitWorkspace

WORK = Chains(agents=12, hops=6, seconds=0.01, cap=16)
_MESSAGE = re.compile(r"\[from [\w ]+\]\n  chain (\d+) hop (\d+)")


@dataclass(frozen=True, slots=True)
class Damage:
    """Counts that must all be zero."""

    lost: int
    twice: int
    events_missing: int
    files_differing: int
    held: int

    def __add__(self, other: Damage) -> Damage:
        return Damage(
            self.lost + other.lost,
            self.twice + other.twice,
            self.events_missing + other.events_missing,
            self.files_differing + other.files_differing,
            self.held + other.held,
        )


NO_DAMAGE = Damage(0, 0, 0, 0, 0)


def content_of(chain: int, hop: int) -> str:
    """Return what the step that reads this message writes."""
    return f"written for chain {chain} with {hop} hops left\n" * 20


def relay_script(request: ChatRequest) -> ChatAnswer:
    """Write the message's file, pass the message on."""
    found = _MESSAGE.findall(request.messages[-1].content)
    if not found or request.messages[-1].role != "user":
        return say("nothing new")
    chain, hop = int(found[-1][0]), int(found[-1][1])
    write = ("write_file", {"path": f"chain-{chain}/hop-{hop}.md", "content": content_of(chain, hop)})
    if hop == 1:
        return call(write, text="the end of the chain")
    to = [f"A{WORK.holder(chain, hop - 1)}"]
    words = {"to": to, "text": f"chain {chain} hop {hop - 1}", "wait": True}
    return call(write, ("send_message", words))


async def slow_relay(request: ChatRequest) -> ChatAnswer:
    """Answer after a delay, so that there is a moment to be killed in."""
    await asyncio.sleep(WORK.seconds)
    return relay_script(request)


def seed(connection: Connection) -> None:
    """Insert all agents with a message each."""
    now = time.time()
    task, agents = seed_members(connection, WORK.agents, now)
    messages = [(agent, f"chain {n} hop {WORK.hops}") for n, agent in enumerate(agents)]
    seed_messages(connection, task, messages, now)


def finished(connection: Connection) -> bool:
    """Return True if all messages are read and no turn is open."""
    unread = sa.select(MESSAGES.c.id).where(MESSAGES.c.consumed_step.is_(None)).limit(1)
    open_turn = sa.select(AGENTS.c.id).where(AGENTS.c.in_turn).limit(1)
    return connection.execute(unread).first() is None and connection.execute(open_turn).first() is None


def verify(connection: Connection, workspace: GitWorkspace) -> Damage:
    """Compare messages, steps, events and files with what the workload must have produced."""
    return Damage(
        *_count_messages(connection),
        _events(connection),
        asyncio.run(_files(connection, workspace)),
        _held(connection),
    )


def _count_messages(connection: Connection) -> tuple[int, int]:
    """Return (lost, read twice): each message must be in the input of exactly one step."""
    inputs = connection.execute(sa.select(STEPS.c.input)).scalars()
    read = Counter((int(c), int(h)) for text in inputs for c, h in _MESSAGE.findall(text))
    wanted = [(chain, hop) for chain in range(WORK.agents) for hop in range(1, WORK.hops + 1)]
    return sum(message not in read for message in wanted), sum(count - 1 for count in read.values())


def _events(connection: Connection) -> int:
    """Count committed calls without their event, and events without a committed call."""
    calls: Counter[str] = Counter()
    for text in connection.execute(sa.select(STEPS.c.calls_json)).scalars():
        calls.update(name for _, name, *_ in json.loads(text))
    kinds = Counter(connection.execute(sa.select(EVENTS.c.kind)).scalars())
    said = connection.execute(sa.select(sa.func.count()).where(STEPS.c.said != "")).scalar_one()
    heard = kinds[AgentSpoke.__name__] + kinds[RemarkNoted.__name__]
    return abs(calls["write_file"] - kinds[FileWritten.__name__]) + abs(calls["send_message"] + said - heard)


async def _files(connection: Connection, workspace: GitWorkspace) -> int:
    """Count files, revisions and git objects that differ from what events reported."""
    task = int(connection.execute(sa.select(AGENTS.c.task_id).limit(1)).scalar_one())
    payloads = connection.execute(_payloads(FileWritten.__name__)).scalars()
    reported = {(body["path"], body["revision"]) for body in (json.loads(payload) for payload in payloads)}
    revisions = connection.execute(sa.select(REVISIONS)).all()
    wrong = len(reported ^ {(row.path, row.id) for row in revisions})
    for row in connection.execute(sa.select(FILES)):
        chain, hop = (int(number) for number in re.findall(r"\d+", row.path))
        wanted = content_of(chain, hop).encode()
        kept = await workspace.get(task, row.blob)
        wrong += kept != wanted or row.blob != _blob_id(wanted)
    recorded = await workspace.recorded(task)
    return wrong + (recorded != max((row.id for row in revisions), default=0))


def _payloads(kind: str) -> sa.Select[str]:
    return sa.select(EVENTS.c.payload_json).where(EVENTS.c.kind == kind)


def _blob_id(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _held(connection: Connection) -> int:
    """Return money and tokens still reserved when nobody calls."""
    row = connection.execute(sa.select(BUDGETS.c.reserved_micros, BUDGETS.c.reserved_tokens)).one()
    return abs(int(row[0])) + abs(int(row[1]))


def workspace_in(folder: Path) -> GitWorkspace:
    """Return the run's files."""
    return GitWorkspace(folder / "workspaces")
