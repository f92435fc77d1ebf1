"""Engine parts for tests: the real store and workspace, a scripted model, a sandbox that is a plain dict."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from engine import Engine, EngineOptions, EngineParts, LocalDispatcher, TurnOptions, open_database
from engine.domain.limits import Caps
from engine.errors import NotConfigured
from engine.llm.scripted import Script, ScriptedModel
from engine.ports import (
    Database,
    Embedder,
    Packages,
    RunRequest,
    RunResult,
    Sandbox,
    SandboxSession,
    SandboxStatus,
)
from engine.runtime.clock import SystemClock
from engine.store.create import create_tables
from engine.tools import ToolOptions
from engine.workspace import GitWorkspace, WorkspaceLimits

CAPS = Caps(agents=2_000, depth=6, members=1_000, steps=30, cost_micros=10**12, tokens=10**12, minutes=600)


class FakeSandbox:
    """Answers runs by calling `behave`; without it refuses as a machine without a sandbox does."""

    def __init__(self, behave: Callable[[RunRequest], RunResult] | None = None) -> None:
        self._behave = behave
        self.requests: list[RunRequest] = []

    def status(self) -> SandboxStatus:
        """Available when it has a behaviour."""
        return SandboxStatus(
            self._behave is not None, "fake" if self._behave else "", "no sandbox in this test"
        )

    async def run(self, request: RunRequest) -> RunResult:
        """What `behave` says."""
        self.requests.append(request)
        if self._behave is None:
            raise NotConfigured("no sandbox in this test.")
        return self._behave(request)

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Sessions are not part of this fake."""
        raise NotConfigured("no sessions in this test.")


def make_tables(url: str) -> None:
    """Create the engine's tables at `url`; a new file of SQLite's is a copy of one made before."""
    file = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or file.exists():
        create_tables(url)
    else:
        file.write_bytes(_empty_file())


@cache
def _empty_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        create_tables(f"sqlite:///{file}")
        return file.read_bytes()


def sqlite_url(folder: Path) -> str:
    """A database file in `folder`."""
    return f"sqlite:///{folder / 'test.db'}"


def build_engine(
    url: str,
    folder: Path,
    script: Script,
    *,
    sandbox: Sandbox | None = None,
    options: ToolOptions | None = None,
    caps: Caps = CAPS,
    slots: int = 64,
    db: Database | None = None,
    embedder: Embedder | None = None,
    history_tokens: int = 16_000,
    small: bool = False,
    packages: Packages | None = None,
) -> tuple[Engine, Database]:
    """An engine over real parts and a scripted model."""
    database = db or open_database(url)
    parts = EngineParts(
        db=database,
        model=ScriptedModel(script),
        workspace=GitWorkspace(folder / "workspaces", WorkspaceLimits()),
        sandbox=sandbox or FakeSandbox(),
        clock=SystemClock(),
        embedder=embedder,
        packages=packages,
    )
    turn = TurnOptions(history_tokens, options or ToolOptions(audit_rounds=0), small=small)
    return Engine(parts, LocalDispatcher(slots), EngineOptions(caps, turn)), database
