"""Tool assign: give a member work with acceptance criteria."""

from __future__ import annotations

from pydantic import Field

from engine.domain.effects import Assign, slot_mark
from engine.domain.naming import address_key
from engine.domain.outcomes import Assigned, Slot, ToolResult
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext
from engine.tools.command_line import Command
from engine.tools.directory import my_members, not_mine
from engine.tools.enclosed import NamedFiles


class AssignArguments(Arguments):
    """Arguments of assign."""

    to: str = Field(description="a member of yours")
    title: str = Field(min_length=1, max_length=200)
    details: str = Field(min_length=1, description="what to make, in which files")
    acceptance: str = Field("", description="when it is done")
    command: Command = Field(
        default_factory=list,
        max_length=30,
        description="run to check it, 120 s at most",
    )
    wait: bool = Field(False, description="true: end your turn")


async def assign(context: ToolContext, arguments: AssignArguments) -> ToolResult:
    """Stage the assignment and its message. Raises ToolRefused."""
    context.check_not_finished()
    members = await my_members(context)
    key = address_key(arguments.to)
    if key not in members:
        raise not_mine(arguments.to, members)
    slot = context.slot()
    text = f"{arguments.details}\n{arguments.acceptance}"
    reader = "" if key in context.newcomers else key
    files = await NamedFiles(context).shown(text, reader)
    command = tuple(arguments.command)
    context.stage(Assign(slot, key, arguments.title, arguments.details, arguments.acceptance, command, files))
    context.ends_turn = context.ends_turn or arguments.wait
    to = context.newcomers.get(key, members[key])
    shown = slot_mark(to.kind, to.number) if isinstance(to, Slot) else to
    result = f"Assignment #{slot_mark('assignment', slot)} given to {shown}."
    return ToolResult(result, Assigned(Slot("assignment", slot), to))


ASSIGN = Tool("assign", "Give a member work.", AssignArguments, WORKERS, assign)
