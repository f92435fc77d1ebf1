"""Tool wait_for: end the turn until files or assignments are there."""

from __future__ import annotations

from pydantic import Field

from engine.domain.effects import Notice, WaitFor
from engine.domain.outcomes import ToolResult
from engine.domain.speech import unanswered_people
from engine.domain.waits import Awaited
from engine.lifecycle.waits import true_now
from engine.store.assignments import load_assignment
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.files import below, checked_path


class WaitForArguments(Arguments):
    """Arguments of wait_for."""

    what: list[str] = Field(min_length=1, max_length=20, description='paths, or assignments such as "#4"')


async def wait_for(context: ToolContext, arguments: WaitForArguments) -> ToolResult:
    """Stage the waits and end the turn, unless all is there already. Raises ToolRefused."""
    context.check_not_finished()
    awaited = [await _awaited(context, text.strip()) for text in dict.fromkeys(arguments.what)]
    there = await context.db.read(lambda c: true_now(c, context.task.id, awaited))
    staged = {path for path, file in context.files.items() if file.blob is not None}
    left = tuple(each for each in awaited if each not in there and each.path not in staged)
    if not left:
        known = [there.get(each, f"{each.shown} is there.") for each in awaited]
        return ToolResult(" ".join(["Nothing to wait for:", *known]))
    acts = context.speaks or any(not isinstance(effect, Notice) for effect in context.effects)
    people = () if acts else unanswered_people(context.facts)
    if people:
        raise ToolRefused(f"First answer {', '.join(people[:5])}, or act on what was said; then wait.")
    context.stage(WaitFor(left))
    context.ends_turn = True
    return ToolResult(f"You are woken when {', '.join(each.shown for each in left)} is there.")


async def _awaited(context: ToolContext, text: str) -> Awaited:
    digits = text.removeprefix("#")
    if not (text.startswith("#") and digits.isascii() and digits.isdigit() and len(digits) < 10):
        path = checked_path(text)
        if await below(context, path):
            raise ToolRefused(f"{path} is a folder, which is there. Name the files in it that you need.")
        return Awaited(path)
    number = int(digits)
    work = await context.db.read(lambda c: load_assignment(c, context.task.id, number))
    if work is None:
        raise ToolRefused(f"There is no assignment {text}.", "missing")
    if work.assignee_id == context.agent.id:
        raise ToolRefused(f"Assignment {text} is your own. Do it, then submit it.")
    return Awaited(assignment=number)


WAIT = Tool("wait_for", "End your turn until all of these are there.", WaitForArguments, WORKERS, wait_for)
