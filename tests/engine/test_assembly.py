"""The engine wired from its real parts, against an endpoint on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import pytest

from engine.assembly import OpenEngine, open_engine, turn_options
from engine.commands import StartTask
from engine.errors import NotConfigured
from engine.events import EventBody, ModelBack, ModelWaiting, TaskEnded
from engine.extras import MODULES
from engine.llm.providers.openai_chat import Endpoint
from engine.settings import EngineSettings
from engine.store.create import create_tables
from tests.fakes.model_endpoint import ModelEndpoint, answer, says


@pytest.fixture
async def endpoint() -> AsyncIterator[ModelEndpoint]:
    """A model endpoint."""
    serving = ModelEndpoint()
    await serving.start()
    yield serving
    await serving.stop()


def settings(tmp_path: Path, **values: Any) -> EngineSettings:
    """Settings of a first start in an empty folder."""
    base: dict[str, Any] = {
        "data_dir": tmp_path,
        "audit_rounds": 0,
        "openai_api_key": "k",
        "run_packages": (),
    }
    return EngineSettings(_env_file=None, **base | values)  # type: ignore[call-arg]


FINISH = {
    "id": "c1",
    "type": "function",
    "function": {"name": "finish", "arguments": '{"report": "it is done"}'},
}
LOOK = {"id": "c2", "type": "function", "function": {"name": "list_files", "arguments": "{}"}}
LOOKS = says(answer("", message={"tool_calls": [LOOK]}, finish_reason="tool_calls"))
FINISHES = says(answer("", message={"tool_calls": [FINISH]}, finish_reason="tool_calls"))


async def told(url: str, where: Path, goal: str, **values: Any) -> list[EventBody]:
    """Events of one task run against the endpoint at `url`."""
    opened = await open_engine(settings(where, openai_base_url=url, **values), say=lambda _: None)
    await opened.engine.start()
    seen: list[EventBody] = []
    try:
        await opened.engine.handle(StartTask(goal, "me", "guild:1"))
        async with asyncio.timeout(60):
            async for event in opened.engine.events():
                seen.append(event.body)
                if isinstance(event.body, ModelWaiting) and opened.models is not None:
                    opened.models.admission.retry_now()
                if isinstance(event.body, TaskEnded):
                    return seen
    finally:
        await opened.engine.stop()
        await opened.close()
    raise AssertionError("unreachable: the timeout raises")


async def test_a_task_runs_over_a_real_endpoint(endpoint: ModelEndpoint, tmp_path: Path) -> None:
    """Tables, workspace, sandbox choice and model are there after one call; the goal is in the prompt."""
    endpoint.then = FINISHES
    events = await told(endpoint.url, tmp_path, "say it")
    end = events[-1]
    assert isinstance(end, TaskEnded) and end.report == "it is done"
    sent = endpoint.bodies[0]
    assert "say it" in sent["messages"][0]["content"]
    assert {tool["function"]["name"] for tool in sent["tools"]} >= {"recruit", "remember", "finish"}


async def test_people_hear_that_the_model_is_away_and_back(endpoint: ModelEndpoint, tmp_path: Path) -> None:
    """A rejected key is said to the running task; once it is repaired and tried again, work goes on."""
    endpoint.replies = [says({"error": {"message": "wrong key"}}, status=401)]
    endpoint.then = FINISHES
    kinds = [type(event) for event in await told(endpoint.url, tmp_path, "say it")]
    assert kinds.index(ModelWaiting) < kinds.index(ModelBack) < kinds.index(TaskEnded)


async def test_an_outage_is_told_once_of_each_kind(endpoint: ModelEndpoint, tmp_path: Path) -> None:
    """However often it is tried again."""
    down, key = says({"error": {"message": "x"}}, status=503), says({"error": {"message": "k"}}, status=401)
    opened = await open_engine(settings(tmp_path, openai_base_url=endpoint.url), say=lambda _: None)
    endpoint.then = LOOKS
    endpoint.replies = [key, key, down, down, key, down]
    await opened.engine.start()
    seen: list[EventBody] = []
    trying = asyncio.create_task(keep_trying(opened))
    try:
        await opened.engine.handle(StartTask("say it", "me", "guild:1"))
        async with asyncio.timeout(60):
            async for event in opened.engine.events():
                seen.append(event.body)
                if isinstance(event.body, ModelBack):  # only tasks that go on are told
                    endpoint.then = FINISHES
                if isinstance(event.body, TaskEnded):
                    break
    finally:
        trying.cancel()
        await opened.engine.stop()
        await opened.close()
    waited = [body.reason for body in seen if isinstance(body, ModelWaiting)]
    assert len(waited) == 2 and "401" in waited[0] and "503" in waited[1]
    assert sum(isinstance(body, ModelBack) for body in seen) == 1
    assert endpoint.replies == []


async def keep_trying(opened: OpenEngine) -> None:
    """Try an unavailable model at once, again and again."""
    while opened.models is not None:
        opened.models.admission.retry_now()
        await asyncio.sleep(0.01)


async def test_without_any_model_the_next_step_is_said(tmp_path: Path) -> None:
    """Neither key nor endpoint nor embedded model: the message names all three ways."""
    bare = settings(tmp_path, openai_api_key="", openai_base_url="", local_model="off")
    with pytest.raises(NotConfigured, match="OPENAI_API_KEY"):
        await open_engine(bare, say=lambda _: None)


class SlowModel:
    """An embedded model that is ready once the tables are being made; `ended` says what became of it."""

    migrating = asyncio.Event()
    ended: ClassVar[list[str]] = []

    def __init__(self, *_: object) -> None:
        self.ended.clear()

    async def start(self, _progress: object) -> Endpoint:
        """Wait for the migration to begin: one that runs after the model never does."""
        try:
            await self.migrating.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return Endpoint("http://127.0.0.1:9/v1", "k", model="embedded", local=True)

    def fit(self, settings: EngineSettings) -> EngineSettings:
        """Return the settings as they are."""
        return settings

    async def stop(self) -> None:
        """End the process."""
        self.ended.append("stopped")


async def test_the_embedded_model_loads_while_the_tables_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waits for the other; a start that fails leaves no model behind."""
    monkeypatch.setattr("engine.assembly.LocalModel", SlowModel)
    loop, bare = asyncio.get_running_loop(), settings(tmp_path, openai_api_key="", openai_base_url="")

    def migrate(url: str) -> None:
        loop.call_soon_threadsafe(SlowModel.migrating.set)
        create_tables(url)

    async with asyncio.timeout(60):
        opened = await open_engine(bare, migrate=migrate, say=lambda _: None)
    await opened.close()
    assert SlowModel.ended == ["stopped"]

    def broken(_url: str) -> None:
        raise NotConfigured("The database is damaged.")

    SlowModel.migrating.clear()
    with pytest.raises(NotConfigured, match="damaged"):
        await open_engine(bare, migrate=broken, say=lambda _: None)
    assert SlowModel.ended == ["cancelled", "stopped"]


@pytest.mark.parametrize("wrong", ["database", "damaged", "nobody", "extra", "tools", "search"])
async def test_what_cannot_start_is_said_before_a_model_is_loaded(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading takes half a minute and fetching more: a wrong setting is heard of at once."""
    loaded = Event()
    monkeypatch.setattr("engine.assembly.LocalModel", lambda *_: loaded.set())

    def migrate(_url: str) -> None:
        loaded.wait(5)
        raise AssertionError("the tables are made after the settings are checked")

    (tmp_path / "mcp.json").write_text("[" if wrong == "tools" else '{"mcpServers": {}}')
    values: dict[str, Any] = {"mcp_config": tmp_path / "mcp.json"}
    if wrong == "database":
        values["database_url"] = "mysql://me@here/db"
    if wrong == "damaged":
        (tmp_path / "megaagent.db").write_bytes(b"no database at all " * 300)
    if wrong == "nobody":
        values["database_url"] = "postgresql://me@127.0.0.1:1/db"
    if wrong == "extra":
        values["database_url"] = "postgresql://me@here/db"
        monkeypatch.setitem(MODULES, "postgres", ("a_module_that_nothing_installs",))
    if wrong == "search":
        values["web_search"] = "tavily"
    bare = settings(tmp_path, openai_api_key="", openai_base_url="", **values)
    with pytest.raises(NotConfigured):
        await open_engine(bare, migrate=migrate, say=lambda _: None)
    assert not loaded.is_set()


def test_turns_leave_room_for_the_answer_and_the_rules(tmp_path: Path) -> None:
    """Past steps take their share of what the context holds beside the answer."""
    options = turn_options(settings(tmp_path, model_context_tokens=8_192, model_max_tokens=2_048))
    assert options.history_tokens == int((8_192 - 2_048) * 0.6)
