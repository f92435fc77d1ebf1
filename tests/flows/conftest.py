"""The whole product on the local Discord with a scripted model: real HTTP, websocket, database, git."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from bot.app.bootstrap import RunningBot, running
from bot.app.migrations import upgrade
from bot.app.settings import BotSettings
from bot.local import LocalOptions
from engine.llm.scripted import Script, ScriptedModel
from engine.settings import EngineSettings
from tests.flows.fork_server import ForkServer
from tests.flows.team import team

SCALE = 40.0
collect_ignore = [] if shutil.which("node") and shutil.which("npm") else ["test_npm_servers.py"]
"""Servers from npm are tried where node is; where it is, set-up must have installed them."""

Start = Callable[..., AbstractAsyncContextManager[RunningBot]]


def engine_settings(folder: Path, **changes: object) -> EngineSettings:
    """Settings of a test: nothing from the environment or a .env of the developer's."""
    values: dict[str, object] = {"data_dir": folder / "var", "audit_rounds": 0, **changes}
    return EngineSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


def bot_settings(**changes: object) -> BotSettings:
    """The bot's settings of a test; cards are edited often."""
    values: dict[str, object] = {"local_port": 0, "card_every_s": 1, **changes}
    return BotSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


@pytest.fixture(scope="session")
def sandbox_env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Python for every sandbox of the session, shared by all test processes; the first start makes it."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "sandbox-env"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without anything in it; bringing one up to date takes as long as much of what is tested."""
    file = tmp_path_factory.mktemp("migrated") / "megaagent.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def home(tmp_path: Path, sandbox_env: Path, migrated: Path) -> Path:
    """A folder for a product where nothing has happened, whose sandbox needs no making."""
    (tmp_path / "var").mkdir()
    shutil.copy(migrated, tmp_path / "var" / migrated.name)
    (tmp_path / "var" / "sandbox-env").symlink_to(sandbox_env, target_is_directory=True)
    return tmp_path


@pytest.fixture(scope="session")
def processes() -> Iterator[ForkServer]:
    """Starts what is to be killed."""
    with ForkServer() as server:
        yield server


@pytest.fixture
def start(home: Path) -> Start:
    """`async with start(script) as product`: start over and over on the same data, as after a restart."""

    @asynccontextmanager
    async def begin(script: Script = team, **changes: object) -> AsyncIterator[RunningBot]:
        options = LocalOptions(data=home / "discord", time_scale=SCALE)
        async with running(
            engine_settings(home, **changes),
            bot_settings(),
            model=ScriptedModel(script),
            local_options=options,
        ) as product:
            yield product
            assert product.local is not None
            assert product.local.gaps == []

    return begin
