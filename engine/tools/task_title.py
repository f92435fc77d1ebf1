"""The title of a task as an argument of calls that its boss makes anyway, so that it costs no call."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from engine.domain.effects import NameTask
from engine.domain.titles import shortened
from engine.tools.base import ToolContext
from engine.tools.schema import FOR_BOSS


def title_field(*, boss_only: bool = False) -> Any:
    """Return the argument; with `boss_only` other roles, who have the tool too, are not shown it."""
    return Field(
        "",
        max_length=60,
        description="2-4 words for the task",
        json_schema_extra={FOR_BOSS: True} if boss_only else None,
    )


def name_task(context: ToolContext, title: str) -> None:
    """Stage the task's title, from its boss; the first one counts."""
    if context.agent.role == "boss" and shortened(title):
        context.stage(NameTask(shortened(title)))
