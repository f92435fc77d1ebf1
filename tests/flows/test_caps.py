"""A cap is reached: the question says what its buttons lead to, and they do."""

from __future__ import annotations

import re

from tests.flows.conftest import Start
from tests.flows.team import team
from tests.flows.test_task_on_discord import GOAL, command, post_with, you


async def test_a_raise_by_half_allows_what_was_said(start: Start) -> None:
    """The numbers under the question are the task's caps after the press."""
    async with start(team, max_tokens=1_500) as product:
        await command(product, "task new", goal=GOAL)
        asked = await post_with(product, "Cap reached.")
        said = re.search(r"within (\$[\d.]+), ([\d,]+) tokens", asked["content"])
        assert said is not None
        await you(product).click(asked, label="Raise by half")
        await post_with(product, "Answered by")
        limits = (await product.engine.engine.look.task(1)).limits
        assert (f"${(limits.cost_micros or 0) / 1e6:.2f}", f"{limits.tokens:,}") == said.groups()
