"""The whole product on the local Discord with a scripted model: real HTTP, websocket, database, git."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from bot.bootstrap import Running, running
from bot.local import LocalOptions
from bot.settings import BotSettings
from engine.llm.scripted import Script, ScriptedModel
from engine.settings import EngineSettings
from tests.flows.team import team

SCALE = 40.0
Start = Callable[..., AbstractAsyncContextManager[Running]]


def engine_settings(folder: Path, **changes: object) -> EngineSettings:
    """Settings of a test: nothing from the environment or a .env of the developer's."""
    values: dict[str, object] = {"data_dir": folder / "var", "audit_rounds": 0, **changes}
    return EngineSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


def bot_settings(**changes: object) -> BotSettings:
    """The bot's settings of a test; cards are edited often."""
    values: dict[str, object] = {"local_port": 0, "card_every_s": 1, **changes}
    return BotSettings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`async with start(script) as product`: start over and over on the same data, as after a restart."""

    @asynccontextmanager
    async def begin(script: Script = team, **changes: object) -> AsyncIterator[Running]:
        options = LocalOptions(data=tmp_path / "discord", time_scale=SCALE)
        async with running(
            engine_settings(tmp_path, **changes),
            bot_settings(),
            model=ScriptedModel(script),
            local_options=options,
        ) as product:
            yield product
            assert product.local is not None
            assert product.local.gaps == []

    return begin
