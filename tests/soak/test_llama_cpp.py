"""A whole task on llama.cpp's own HTTP server: an endpoint that nobody here wrote, with real weights.

The bot talks to it as to any other address; nothing of the embedded model's own process takes part. One is
that of the package the embedded model uses, the other Debian's, which `scripts/llama_server.sh` unpacks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from engine.assembly import open_engine
from engine.commands import Limits, StartTask
from engine.llm.local.process.catalog import SMALL, STANDARD, Weights
from engine.llm.local.process.weights import cache_dir
from engine.settings import Price
from tests.engine.llm.conftest import settings_with
from tests.providers.stage import Seen, follow, look

KEY = "a-key-of-the-test"
SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.port = sys.argv[1], 16_384, 0
params.hostnames, params.api_keys = ["127.0.0.1"], [sys.argv[2]]
params.use_jinja, params.ui, params.offline, params.n_parallel = True, False, True, 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
GOAL = "Write the file hello.txt with the word hello in it, then call finish. Do it yourself, alone."
LONGEST_S = 1_500.0
STARTED_S = 120.0
INSTALL = str(Path(__file__).parents[2] / "scripts" / "llama_server.sh")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


Serving = Callable[[Path, Path], AbstractContextManager[str]]


@contextmanager
def bindings(weights: Path, folder: Path) -> Iterator[str]:
    """The address of the server in the package of the embedded model."""
    words = [sys.executable, "-c", SERVER, str(weights), KEY]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()
        server.wait(60)


@contextmanager
def debian(weights: Path, folder: Path) -> Iterator[str]:
    """The address of Debian's server, installed for this test."""
    if shutil.which("apt-get") is None or not Path(KEYRING).exists():
        pytest.skip("Debian's packages are fetched by apt, which is not on this system")
    subprocess.run([INSTALL, str(folder)], check=True, timeout=STARTED_S * 5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["-m", f"/models/{weights.name}", "-c", "8192", "-np", "1", "-t", "1", "--jinja"]
    at = ["--host", "127.0.0.1", "--port", str(port), "--api-key", KEY]
    seen = {**os.environ, "MODELS": str(weights.parent)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([str(folder / "run"), *options, *at], env=seen, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


@dataclass(frozen=True)
class Case:
    """A server, its weights, and the tokens it reads."""

    serving: Serving
    weights: Weights
    context: int


CASES = {"xllamacpp": Case(bindings, STANDARD, 16_000), "Debian": Case(debian, SMALL, 8_000)}


async def ready(address: str) -> None:
    """Wait until the server has read its weights."""
    async with asyncio.timeout(STARTED_S), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{address}/health") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.2)


@pytest.mark.soak
@pytest.mark.model
@pytest.mark.timeout(LONGEST_S + 300)
@pytest.mark.parametrize("name", CASES)
async def test_a_task_runs_on_llama_cpps_own_server(name: str, tmp_path: Path) -> None:
    """Prompts and tool schemas are taken, what is spent is counted, no trouble of the endpoint is told, and
    the task ends by itself. Whether so small a model gets the work done is not asked."""
    case = CASES[name]
    weights = cache_dir() / case.weights.file
    if not weights.exists():
        pytest.fail(f"{weights} is not there: run the bot once with the embedded model")
    with case.serving(weights, tmp_path / "server") as address:
        await ready(address)
        await carry_out_at(address, case.context, tmp_path / "data")


async def carry_out_at(address: str, context: int, data: Path) -> None:
    """Run the task there and look at it."""
    seen = Seen()
    settings = settings_with(
        data_dir=data,
        openai_base_url=f"{address}/v1",
        openai_api_key=SecretStr(KEY),
        model="qwen",
        model_prices={"qwen": Price(input=1, output=1)},
        model_context_tokens=context,
        model_timeout_s=600.0,
        model_max_tokens=512,
        audit_rounds=0,
        run_packages=(),
        max_steps=12,
    )
    opened = await open_engine(settings, say=seen.said.append)
    try:
        await opened.engine.start()
        limits = Limits(agents=1, minutes=int(LONGEST_S / 60))
        task = await opened.engine.handle(StartTask(GOAL, "p", "s", limits, attended=False))
        await follow(opened, seen, lambda seen: False)
        await look(opened, task, seen)
        agents = await opened.engine.look.agents(task)
        steps = await opened.engine.look.steps(agents[0].id)
    finally:
        await opened.engine.stop(drain=False)
        await opened.close()
    heard = [(step.said[:200], step.calls) for step in steps]
    assert not any(words.startswith("waiting") for words in seen.told), seen.told
    assert seen.state in ("done", "failed"), (seen, heard)
    assert seen.tokens > 1_000 and seen.cost_micros > 0
