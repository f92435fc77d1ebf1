"""The memory of the whole product over many small tasks. SOAK_MINUTES makes it shorter."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.local import LocalDiscord, LocalOptions

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
WARM_TASKS = 1_000
MAX_KIB = 40.0
"""Of memory a task, once the first tasks have filled what is kept ready."""


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 600)
async def test_memory_stays_within_forty_kib_a_task(tmp_path: Path) -> None:
    """Growth after the first thousand tasks (or the first half, if there were not two thousand)."""
    local = LocalDiscord(LocalOptions(time_scale=200.0))
    await local.start()
    try:
        guild = str(next(iter(local.world.guilds)))
        command = [sys.executable, "-m", "tests.soak.steady_product", str(tmp_path)]
        command += [local.api_base, local.gateway_url, local.token, guild, str(MINUTES)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await process.communicate()
    finally:
        await local.stop()
    assert process.returncode == 0, errors.decode()[-3000:]
    seen = [tuple(int(word) for word in line.split()) for line in out.decode().splitlines()]
    warm = min(WARM_TASKS, seen[-1][0] // 2)
    (first, before), (last, after) = next(one for one in seen if one[0] >= warm), seen[-1]
    growth = (after - before) / (last - first)
    print(f"{last} tasks; {before} KiB after {first}, {after} KiB at the end; {growth:.1f} KiB a task")  # noqa: T201
    assert growth <= MAX_KIB
