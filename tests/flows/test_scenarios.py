"""The scenarios as an operator runs them: by their command, against an endpoint over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from alembic import command as alembic_command
from alembic.config import Config

from bot.app.migrations import drift
from engine.assembly import open_engine
from engine.commands import Limits, StartTask
from engine.llm.scripted import ScriptedModel, call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.settings import EngineSettings
from engine.store.database import sync_engine
from scenarios.common import carry_out, up_to_date
from scenarios.gobang import GOBANG
from tests.fakes.cast import cast
from tests.fakes.parts import make_tables
from tests.fakes.script_endpoint import ScriptEndpoint
from tests.flows.gobang_script import parts
from tests.flows.test_items import ADD, APPLES, solver, write

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 100


async def command(endpoint: ScriptEndpoint, folder: Path, *words: str) -> tuple[int, str]:
    """Run `python -m …` with the endpoint in its environment -> exit code, what it printed."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "OPENAI_BASE_URL": endpoint.url}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        cwd=ROOT,
        env=env | {"OPENAI_API_KEY": "x", "MODEL": "gpt-4o-mini"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(child.communicate(), PATIENCE_S)
    return child.returncode or 0, out.decode()


async def test_gobang_prints_the_papers_figures_beside_its_own(tmp_path: Path) -> None:
    """Agents, seconds, tokens in and out, criteria met."""
    endpoint = ScriptEndpoint(cast(parts()))
    await endpoint.start()
    code, printed = await command(endpoint, tmp_path, "scenarios.gobang", "--data", str(tmp_path / "data"))
    await endpoint.stop()
    assert code == 0, printed
    rows = {line[:14].strip(): line[14:].split() for line in printed.splitlines() if line[:1] != " "}
    assert rows["agents"] == ["7", "7"]
    assert rows["criteria met"] == ["4", "of", "4", "4", "of", "4"]
    assert float(rows["seconds"][0]) > 0 and rows["seconds"][1] == "800"
    assert int(rows["tokens in"][0].replace(",", "")) > 10_000
    assert int(rows["tokens out"][0].replace(",", "")) > 1_000
    assert int(rows["calls"][0]) == endpoint.asked


async def test_items_are_done_and_resumed(tmp_path: Path) -> None:
    """Pass rate, tokens, cost and seconds; a second run asks the endpoint nothing."""
    endpoint = ScriptEndpoint(solver)
    await endpoint.start()
    file = write(tmp_path / "own.jsonl", ADD)
    words = ("scenarios.items", "--kind", "mbpp", "--data", str(tmp_path / "data"), str(file))
    code, printed = await command(endpoint, tmp_path, *words)
    assert code == 0 and "mbpp: 1 of 1 passed (100.0 %)" in printed, printed
    assert "tokens in" in printed and "cost $" in printed and " s" in printed
    asked = endpoint.asked
    code, printed = await command(endpoint, tmp_path, *words)
    await endpoint.stop()
    assert code == 0 and "1 of 1 passed" in printed and endpoint.asked == asked


async def test_a_wrong_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    """No stack trace; the line that is wrong is named."""
    endpoint = ScriptEndpoint(solver)
    await endpoint.start()
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(APPLES) + "\n{\n")
    code, printed = await command(endpoint, tmp_path, "scenarios.items", "--kind", "gsm8k", str(file))
    assert code == 1 and "Line 2" in printed and "Traceback" not in printed
    gone = str(tmp_path / "gone.jsonl")
    code, printed = await command(endpoint, tmp_path, "scenarios.items", "--kind", "gsm8k", gone)
    await endpoint.stop()
    assert code == 1 and "cannot be read" in printed and "Traceback" not in printed


async def test_an_interrupted_run_does_not_continue_beside_the_next(tmp_path: Path) -> None:
    """The task that was left is stopped before anything of it is called again."""
    settings = EngineSettings(data_dir=tmp_path, audit_rounds=0, _env_file=None)  # type: ignore[call-arg]
    opened = await open_engine(settings, ScriptedModel(lambda _: say("Hm.")), migrate=up_to_date)
    left = await opened.engine.handle(StartTask("old goal", "me", "scenario:Gobang", attended=False))
    await opened.close()

    def script(request: ChatRequest) -> ChatAnswer:
        assert "old goal" not in request.messages[0].content
        return call(("finish", {"report": "done"}))

    work = replace(GOBANG, limits=Limits(agents=2))
    outcome = await carry_out(work, settings, ScriptedModel(script))
    assert outcome.task.id != left and outcome.task.state == "done"
    again = await open_engine(settings, ScriptedModel(script))
    assert (await again.engine.look.task(left)).state == "stopped"
    await again.close()


def test_a_database_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """One with a version is migrated and kept; one from before versions is put aside, its file not lost."""
    kept, bare = tmp_path / "kept.db", tmp_path / "bare.db"
    up_to_date(f"sqlite:///{kept}")
    engine = sync_engine(f"sqlite:///{kept}")
    config = Config(str(ROOT / "alembic.ini"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic_command.downgrade(config, "0002")
    engine.dispose()
    up_to_date(f"sqlite:///{kept}")
    assert not (tmp_path / "old-kept.db").exists() and drift(f"sqlite:///{kept}") == ""
    make_tables(f"sqlite:///{bare}")
    up_to_date(f"sqlite:///{bare}")
    assert (tmp_path / "old-bare.db").exists() and drift(f"sqlite:///{bare}") == ""
