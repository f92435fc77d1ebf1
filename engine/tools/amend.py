"""Tool amend: change the text of an open assignment that one gave; its member is told."""

from __future__ import annotations

from pydantic import Field

from engine.domain.effects import AmendAssignment
from engine.domain.naming import address_key
from engine.domain.outcomes import ToolResult
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.command_line import Command
from engine.tools.enclosed import NamedFiles
from engine.tools.review import find_assignment


class AmendArguments(Arguments):
    """Arguments of amend."""

    assignment: int = Field(description="its number")
    details: str = Field(min_length=1, description="its whole new text")
    why: str = Field(min_length=1, max_length=300, description="what changed and who asked for it")
    title: str = Field("", max_length=200, description="empty: as it is")
    acceptance: str | None = Field(None, description="null: as it is")
    command: Command | None = Field(None, max_length=30, description="null: as it is")


async def amend(context: ToolContext, arguments: AmendArguments) -> ToolResult:
    """Stage the changed text and its message. Raises ToolRefused."""
    context.check_not_finished()
    work = await find_assignment(context, arguments.assignment)
    if work.giver_id != context.agent.id:
        raise ToolRefused(f"Assignment #{work.id} was given by {work.giver}, who alone changes it.")
    if work.state == "submitted":
        raise ToolRefused(f"Assignment #{work.id} is submitted. Reject it and say what changed.")
    if work.state != "open":
        raise ToolRefused(f"Assignment #{work.id} is {work.state}. Assign what is to be done now.")
    command = work.command if arguments.command is None else tuple(arguments.command)
    acceptance = work.acceptance if arguments.acceptance is None else arguments.acceptance
    title = arguments.title.strip() or work.title
    said = "\n".join([title, arguments.details, acceptance, arguments.why])
    newer = await NamedFiles(context).newer(said, address_key(work.assignee))
    context.stage(
        AmendAssignment(work.id, title, arguments.details, acceptance, command, arguments.why, newer)
    )
    return ToolResult(f"Assignment #{work.id} is changed; {work.assignee} is told.")


AMEND = Tool("amend", "Change an open assignment that you gave.", AmendArguments, WORKERS, amend)
