"""A whole task on llama.cpp's own HTTP server: an endpoint that nobody here wrote, with real weights.

The bot talks to it as to any other address; nothing of the embedded model's own process takes part.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from engine.assembly import open_engine
from engine.commands import Limits, StartTask
from engine.llm.local.process.catalog import STANDARD
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


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """llama.cpp's server with the small weights."""
    weights = cache_dir() / STANDARD.file
    if not weights.exists():
        pytest.fail(f"{weights} is not there: run the bot once with the embedded model")
    words = [sys.executable, "-c", SERVER, str(weights), KEY]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()
        server.wait(60)


@pytest.mark.soak
@pytest.mark.model
@pytest.mark.timeout(LONGEST_S + 300)
async def test_a_task_runs_on_llama_cpps_own_server(
    address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Prompts and tool schemas are taken, what is spent is counted, no trouble of the endpoint is told, and
    the task ends by itself. Whether so small a model gets the work done is not asked."""
    seen = Seen()
    settings = settings_with(
        data_dir=tmp_path_factory.mktemp("data"),
        openai_base_url=f"{address}/v1",
        openai_api_key=SecretStr(KEY),
        model="qwen",
        model_prices={"qwen": Price(input=1, output=1)},
        model_context_tokens=16_000,
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
