"""Tool update_todo: the agent's own todo list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from engine.domain.effects import SetTodo
from engine.domain.outcomes import ToolResult
from engine.domain.state import TodoItem
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext
from engine.tools.task_title import name_task, title_field

_USUAL = {
    **dict.fromkeys(("pending", "open", "not started"), "todo"),
    **dict.fromkeys(("in progress", "active", "started"), "doing"),
    **dict.fromkeys(("completed", "complete", "finished"), "done"),
}
"""What models call a status that have learned another program's list."""


def _status(given: object) -> object:
    """Return the status that a word means, anything else as it is."""
    if not isinstance(given, str):
        return given
    word = " ".join(given.lower().replace("_", " ").replace("-", " ").split())
    return _USUAL.get(word, word)


class TodoLine(Arguments):
    """One item of the todo list."""

    text: str = Field(min_length=1, max_length=300)
    status: Annotated[Literal["todo", "doing", "done"], BeforeValidator(_status)] = "todo"


class UpdateTodoArguments(Arguments):
    """Arguments of update_todo."""

    items: list[TodoLine] = Field(max_length=40)
    title: str = title_field(boss_only=True)


async def update_todo(context: ToolContext, arguments: UpdateTodoArguments) -> ToolResult:
    """Stage the whole todo list, and the task's title where its boss gives one."""
    name_task(context, arguments.title)
    items = tuple(TodoItem(item.text, item.status) for item in arguments.items)
    context.stage(SetTodo(items))
    left = sum(item.status != "done" for item in items)
    return ToolResult(f"Noted: {left} open of {len(items)}.")


TODO = Tool("update_todo", "Your checklist: all of it.", UpdateTodoArguments, WORKERS, update_todo)
