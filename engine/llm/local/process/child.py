"""The embedded model's own process: `python -m engine.llm.local.process.child`, started by server.py only.

Separate from the bot, so that a crash or an out-of-memory kill ends only this process. Reads its
configuration from standard input (the key is on no command line), serves on the listening socket it
inherited, and exits when standard input closes, so it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.llm.local.protocol.http_api import ChatEndpoint, Upstream

NICENESS = 5
PROMPT_CACHE_MIB = 1024
BATCH = 256
"""Tokens of a prompt that are read at once: how far it is can be told after each."""


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """The configuration from the parent; `fd` is the inherited listening socket."""

    path: str
    key: str
    alias: str
    fd: int
    slots: int
    context: int
    threads: int
    seed: int | None


def main() -> None:
    """Serve until standard input closes."""
    config = ChildConfig(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    server, upstream = load(config)
    asyncio.run(serve(config, upstream))
    del server


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def load(config: ChildConfig) -> tuple[Any, Upstream]:
    """Load the weights into llama.cpp's server on a free loopback port with a key of its own."""
    import xllamacpp  # noqa: PLC0415 - libgomp reads OMP_WAIT_POLICY when it loads, so only in this process

    key = secrets.token_hex(16)
    params = xllamacpp.CommonParams()
    params.model.path = config.path
    params.n_parallel = config.slots
    params.n_ctx = config.context * config.slots
    params.n_batch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.offline = True
    params.ui = False
    params.use_jinja = True
    params.fit_params = False
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.verbosity = 0
    params.warmup = False  # the first request does the same, and the start need not wait for it
    server = xllamacpp.Server(params)
    return server, Upstream(server.listening_address, key)


async def serve(config: ChildConfig, upstream: Upstream) -> None:
    """Serve on the inherited socket; one line on standard output says that it is ready."""
    endpoint = ChatEndpoint(upstream, config.key, config.alias, config.seed)
    runner = web.AppRunner(endpoint.app(), access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=config.fd)).start()
    sys.stdout.write(json.dumps({"ready": Path(config.path).name}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
