"""Start the embedded model in its own process, watch it, and restart it when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import socket
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from engine.errors import NotConfigured
from engine.extras import require
from engine.llm.local.process.child import ChildConfig
from engine.llm.local.process.progress import Progress, Spoken
from engine.llm.local.process.weights import resolve
from engine.llm.providers.openai_chat import Endpoint
from engine.llm.words import brief
from engine.settings import EngineSettings

READY_S = 300.0
STOP_S = 5.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
LOCAL_MINUTES = 45
ALIAS = "embedded"
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|DATABASE_URL")

_log = logging.getLogger(__name__)


class LocalModel:
    """llama.cpp as a child process behind an OpenAI-compatible endpoint on loopback.

    The listening socket belongs to this process, so the endpoint stays the same across restarts of the child;
    calls in flight when it dies fail with ModelUnavailable, later ones wait for the new child.
    """

    def __init__(self, settings: EngineSettings, say: Callable[[str], None] = _log.warning) -> None:
        self._settings = settings
        self._say = say
        self._key = secrets.token_hex(16)
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._complaints: deque[str] = deque(maxlen=20)
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Return the child's process id, None if it is not running."""
        return None if self._process is None else self._process.pid

    async def start(self, progress: Progress | None = None) -> Endpoint:
        """Fetch missing weights (reported through `progress` or `say`), start the child and wait until it is
        ready.

        Raises NotConfigured with the next step if the extra [local] is missing, the weights are unavailable
        or the child does not start.
        """
        require("local", "The embedded model")
        path = await asyncio.to_thread(resolve, self._settings.local_model, progress or Spoken(self._say))
        self._socket = _listening()
        try:
            await self._spawn(path)
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._restart_when_dead(path), name="embedded-model")
        port = self._socket.getsockname()[1]
        return Endpoint(f"http://127.0.0.1:{port}/v1", self._key, model=ALIAS, local=True)

    async def stop(self) -> None:
        """End the child and close the endpoint. Idempotent."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._process is not None:
            await _end(self._process)
            self._process = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fit(self, settings: EngineSettings) -> EngineSettings:
        """Return `settings` with limits that suit this model.

        Sets its context, one call per slot, a longer timeout, few tools, no auditor (it could only run once
        more what was run), and a time after which a task ends with its results so far; the last two only
        where nobody set them.
        """
        own = settings.model_fields_set
        return settings.model_copy(
            update={
                "model_context_tokens": self._settings.local_context,
                "model_max_tokens": min(settings.model_max_tokens, self._settings.local_context // 4),
                "model_concurrency": self._settings.local_slots,
                "model_timeout_s": max(settings.model_timeout_s, 900.0),
                "tool_profile": "small",
                "audit_rounds": min(settings.audit_rounds, 1) if "audit_rounds" in own else 0,
                "max_minutes": settings.max_minutes if "max_minutes" in own else LOCAL_MINUTES,
            }
        )

    async def _spawn(self, path: Path) -> None:
        assert self._socket is not None
        config = ChildConfig(
            path=str(path),
            key=self._key,
            alias=ALIAS,
            fd=self._socket.fileno(),
            slots=self._settings.local_slots,
            context=self._settings.local_context,
            threads=self._settings.local_threads or min(os.cpu_count() or 1, 8),
            seed=self._settings.local_seed,
        )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.llm.local.process.child",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            pass_fds=(config.fd,), start_new_session=True,
            env=_environment(),
        )  # fmt: skip
        await self._await_ready(self._process, json.dumps(asdict(config)))

    async def _await_ready(self, process: asyncio.subprocess.Process, config: str) -> None:
        assert process.stdin is not None and process.stdout is not None
        asyncio.create_task(self._listen(process)).add_done_callback(lambda _: None)
        process.stdin.write(config.encode() + b"\n")
        await process.stdin.drain()
        try:
            async with asyncio.timeout(READY_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            await _end(process)
            raise NotConfigured(
                f"The embedded model did not start: {self._last_words()} "
                "Set LOCAL_MODEL to another GGUF file, or OPENAI_API_KEY to use an endpoint."
            )

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep the child's last error lines; a full pipe would stop it."""
        assert process.stderr is not None
        async for line in process.stderr:
            self._complaints.append(line.decode("utf-8", "replace"))

    def _last_words(self) -> str:
        return brief(" ".join(self._complaints)[-600:], 300) or "it said nothing."

    async def _restart_when_dead(self, path: Path) -> None:
        delay = FIRST_DELAY_S
        while True:
            assert self._process is not None
            code = await self._process.wait()
            self.restarts += 1
            self._say(f"The embedded model's process ended ({_why(code)}); it is started again.")
            await asyncio.sleep(delay)
            try:
                await self._spawn(path)
                delay = FIRST_DELAY_S
            except NotConfigured as error:
                self._say(str(error))
                delay = min(delay * 2, LONGEST_DELAY_S)


def _environment() -> dict[str, str]:
    """Return this process's environment without secrets, which the child does not need.

    Waiting threads of libgomp spin by default and starve everything else on few cores.
    """
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    return {**kept, "OMP_WAIT_POLICY": "passive"}


def _listening() -> socket.socket:
    made = socket.create_server(("127.0.0.1", 0), backlog=512)
    made.setblocking(False)
    return made


def _why(code: int) -> str:
    return f"signal {-code}, out of memory perhaps" if code == -9 else f"exit code {code}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the child's standard input, which asks it to exit; kill it if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
