"""Choice of this machine's sandbox: one that just passed an escape test, or a plain refusal."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EngineError, NotConfigured
from engine.ports import RunRequest, RunResult, Sandbox, SandboxSession, SandboxStatus
from engine.sandbox.bubblewrap import SPARE_UIDS, BubblewrapSandbox
from engine.sandbox.command import Bubblewrap
from engine.sandbox.environment import load_environment, require_linux
from engine.sandbox.limits import SandboxLimits

_TEST_S = 20.0
_ESCAPES = Path(__file__).with_name("escapes.py").read_bytes()


class RefusingSandbox:
    """A sandbox that cannot contain programs and therefore refuses to run any."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def status(self) -> SandboxStatus:
        """Return unavailable, with the reason and the fix."""
        return SandboxStatus(available=False, mechanism="", reason=self._reason)

    async def run(self, request: RunRequest) -> RunResult:
        """Raise NotConfigured, always."""
        raise NotConfigured(self._reason)

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Raise NotConfigured, always."""
        raise NotConfigured(self._reason)


CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files by which Docker and Podman mark their containers."""


def choose_sandbox(
    environment: Path, limits: SandboxLimits | None = None, uids: Sequence[int] = SPARE_UIDS
) -> Sandbox:
    """Return the sandbox for this machine, tested by real escape attempts (blocking, under a second).

    `environment` is a folder made by `prepare_environment`. If nothing contains programs, the returned
    sandbox refuses every run with the reason; nothing weaker is ever used.
    """
    try:
        found = find_bubblewrap()
        sandbox = BubblewrapSandbox(found, load_environment(environment), limits, uids)
        leaks = escapes(sandbox)
    except (EngineError, OSError) as error:
        return RefusingSandbox(f"Code cannot be run here. {error}{container_hint()}")
    if leaks:
        return RefusingSandbox(
            f"Code cannot be run here: bubblewrap did not contain {', '.join(leaks)}. "
            "Run the bot on a Linux host (not in a restricted container) with user namespaces allowed."
            f"{container_hint()}"
        )
    return sandbox


def container_hint(marks: Sequence[Path] = CONTAINER_MARKS) -> str:
    """Return what allows the sandbox inside a container; "" outside one."""
    if not any(mark.exists() for mark in marks):
        return ""
    return (
        " This is a container, whose usual confinement forbids it. Start it with "
        "`docker compose -f compose.yaml -f compose.sandbox.yaml up` (docs/install.md), or with the options "
        "that the second file holds."
    )


def find_bubblewrap() -> Bubblewrap:
    """Return the program. Raises NotConfigured without one (blocking)."""
    require_linux()
    program = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if program is None:
        raise NotConfigured("bubblewrap is missing. Install it (Debian, Ubuntu: apt install bubblewrap).")
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)  # noqa: S603 fixed words
    return Bubblewrap(program, "--disable-userns" in shown.stdout + shown.stderr)


def escapes(sandbox: BubblewrapSandbox) -> list[str]:
    """Return the names of the escapes that worked, tried by a program inside; empty if all are shut.

    Raises NotConfigured if the program could not even run.
    """
    with tempfile.TemporaryDirectory(prefix="megaagent-canary-") as folder, socket.socket() as listener:
        Path(folder).chmod(0o755)
        secret = secrets.token_hex(16)
        canary = Path(folder) / "canary"
        canary.write_text(secret)
        canary.chmod(0o666)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        planted = {"canary": str(canary), "port": listener.getsockname()[1]}
        request = RunRequest(
            ("/env/bin/python", "-I", "escapes.py", json.dumps(planted)),
            {"escapes.py": _ESCAPES},
            timeout_s=_TEST_S,
        )
        result = _run_aside(sandbox, request)
        touched = canary.read_text() != secret
    return _verdict(result, touched)


def _verdict(result: RunResult, touched: bool) -> list[str]:
    lines = result.output.strip().splitlines()
    if result.exit_code != 0 or not lines or not lines[-1].startswith("["):
        raise NotConfigured(f"The test of the sandbox did not run: {' '.join(lines[-2:]) or result.ended}.")
    leaks: list[str] = json.loads(lines[-1])
    return [*leaks, *(["writing a host file"] if touched else [])]


def _run_aside(sandbox: BubblewrapSandbox, request: RunRequest) -> RunResult:
    """Run on an event loop of its own, so that callers inside and outside a loop may wait for it."""
    results: list[RunResult | BaseException] = []

    def work() -> None:
        try:
            results.append(asyncio.run(sandbox.run(request)))
        except BaseException as error:  # noqa: BLE001 raised again below
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]
