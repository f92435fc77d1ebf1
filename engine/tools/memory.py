"""Tools remember and recall: memories that outlive an agent's context."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from engine.domain.effects import Remember
from engine.domain.outcomes import ToolResult
from engine.domain.recall import Recalled
from engine.store.memory import RecallQuery, recall
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, clip
from engine.tools.embedding import vectors_of

SHOWN = 600


class RememberArguments(Arguments):
    """Arguments of remember."""

    text: str = Field(min_length=1, max_length=2_000, description="complete in itself")
    share: bool = Field(False, description="true: with everyone here")


class RecallArguments(Arguments):
    """Arguments of recall."""

    query: str = Field(min_length=1, max_length=400)


async def remember(context: ToolContext, arguments: RememberArguments) -> ToolResult:
    """Stage a memory, with its vector where an embedder is configured."""
    vector, note = await _vector(context, arguments.text)
    context.stage(Remember(context.slot(), arguments.text, vector, arguments.share))
    return ToolResult(f"Remembered{' for everyone in this task' if arguments.share else ''}.{note}")


async def recall_lines(context: ToolContext, arguments: RecallArguments) -> ToolResult:
    """Return the best lines with the source of each."""
    vector, note = await _vector(context, arguments.query)
    query = RecallQuery(
        context.task.id, context.agent.id, context.task.space, arguments.query, vector, upto=context.upto
    )
    found = await context.db.read(lambda c: recall(c, query))
    if not found:
        return ToolResult(f"Nothing is remembered about that.{note}")
    return ToolResult("\n".join(shown(line) for line in found) + note)


async def _vector(context: ToolContext, text: str) -> tuple[bytes | None, str]:
    """Return (packed vector, note for the model); None where keywords decide."""
    vectors, note = await vectors_of(context, [text])
    return (vectors[0] if vectors else None), note


def shown(line: Recalled) -> str:
    """Format a recalled line for the model: text, source, day."""
    day = datetime.fromtimestamp(line.at, UTC).date().isoformat()
    return f"- {clip(' '.join(line.text.split()), SHOWN)} ({line.source}, {day})"


REMEMBER = Tool("remember", "Keep a fact for later.", RememberArguments, WORKERS, remember)
RECALL = Tool(
    "recall",
    "Find what was remembered, or your older steps.",
    RecallArguments,
    WORKERS,
    recall_lines,
)
