"""Tool ask_human: raise a gate that only a person may answer."""

from __future__ import annotations

from pydantic import Field

from engine.budget.team import open_questions
from engine.domain.clean import clean_line
from engine.domain.effects import RaiseGate
from engine.domain.gates import choices_of
from engine.domain.outcomes import ToolResult
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused

MAX_QUESTIONS = 3
"""Questions of one agent that wait for the people: each one calls them."""


class AskHumanArguments(Arguments):
    """Arguments of ask_human."""

    question: str = Field(min_length=1, max_length=1500)
    options: list[str] = Field(default_factory=list, max_length=5)


async def ask_human(context: ToolContext, arguments: AskHumanArguments) -> ToolResult:
    """Stage the gate; the answer arrives as a message."""
    if not context.task.attended:
        raise ToolRefused(
            "Nobody attends this task. Decide yourself, and say in the report what you assumed."
        )
    context.check_not_finished()
    waiting = await context.db.read(lambda c: open_questions(c, context.agent.id))
    if waiting + len(context.staged(RaiseGate)) >= MAX_QUESTIONS:
        raise ToolRefused(
            f"{MAX_QUESTIONS} of your questions wait for an answer. Wait for it, or go on with what does not "
            "depend on them."
        )
    lines = (clean_line(option)[:75].strip() for option in arguments.options)
    options = tuple(dict.fromkeys(line for line in lines if line))
    context.stage(RaiseGate("question", arguments.question, choices_of("question", options)))
    context.ends_turn = True
    return ToolResult("Asked. The answer arrives as a message.")


ASK = Tool("ask_human", "Ask the people, when only they can decide.", AskHumanArguments, WORKERS, ask_human)
