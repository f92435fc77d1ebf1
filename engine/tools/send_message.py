"""Tool send_message: write to named agents, the group, or the people."""

from __future__ import annotations

from pydantic import Field

from engine.domain.effects import NEW_GROUP, SendMessage
from engine.domain.naming import GROUP, PEOPLE, address_key, name_key
from engine.domain.outcomes import ToolResult
from engine.store.messages import askers_of
from engine.tools.base import WORKERS, Arguments, Tool, ToolContext, ToolRefused
from engine.tools.directory import check_names


class SendMessageArguments(Arguments):
    """Arguments of send_message."""

    to: list[str] = Field(min_length=1, max_length=30, description='agents, "group", "human"')
    text: str = Field(min_length=1)
    needs_answer: bool = Field(True, description="false: wakes nobody")
    wait: bool = Field(False, description="true: end your turn until all answered")


async def send_message(context: ToolContext, arguments: SendMessageArguments) -> ToolResult:
    """Stage the message; the commit delivers it. Raises ToolRefused."""
    keys = [address_key(name) for name in arguments.to]
    own = name_key(context.agent.name)
    if keys == [own]:
        raise ToolRefused("That is yourself. Name somebody else.")
    named = [name for name, key in zip(arguments.to, keys, strict=True) if _is_agent(key) and key != own]
    await check_names(context, named)
    people = any(key in PEOPLE for key in keys)
    group = _group(context) if GROUP in keys else None
    awaited = await _is_awaited(context, keys)
    wakes = arguments.needs_answer or awaited
    context.stage(
        SendMessage(
            to=tuple(dict.fromkeys(address_key(name) for name in named)),
            text=arguments.text,
            shown=tuple(dict.fromkeys([*named, *(["human"] * people), *(["group"] * (group is not None))])),
            group_id=group if group is not None else context.agent.group_id,
            wakes=wakes,
            to_group=group,
            refs=_refs(context) if people else (),
            waits=arguments.wait and arguments.needs_answer,
            asks=people and _asks(arguments),
            needs_answer=_asks(arguments) or (arguments.needs_answer and not awaited),
        )
    )
    context.ends_turn = context.ends_turn or arguments.wait
    names = ", ".join(arguments.to)
    if not named and group is None:
        return ToolResult("Shown to the people.")
    return ToolResult(f"Delivered to {names}." if wakes else f"Left for {names}, read at the next turn.")


def _asks(arguments: SendMessageArguments) -> bool:
    """Return whether a message is a question: said so, not merely left at the default."""
    said_so = arguments.wait or "needs_answer" in arguments.model_fields_set
    return arguments.needs_answer and said_so


async def _is_awaited(context: ToolContext, keys: list[str]) -> bool:
    """Whether one of these waits for an answer of the caller, or has open work that the caller gave."""
    given = {
        name_key(work.assignee)
        for work in context.facts.work
        if work.giver_id == context.agent.id and work.state == "open"
    }
    if given & set(keys):
        return True
    asking = await context.db.read(lambda c: askers_of(c, context.task.id, context.agent.id))
    return bool({name_key(name) for name in asking} & set(keys))


def _is_agent(key: str) -> bool:
    return key not in PEOPLE and key != GROUP


def _group(context: ToolContext) -> int:
    """Return the group that the agent leads, also if only from this step on, else its own group."""
    own = context.agent
    if own.leads_group_id is not None:
        return own.leads_group_id
    return NEW_GROUP if context.recruited else own.group_id


def _refs(context: ToolContext) -> tuple[str, ...]:
    return tuple(message.ref for message in context.facts.read if message.ref)


TALK = Tool(
    "send_message",
    "Send a message.",
    SendMessageArguments,
    WORKERS,
    send_message,
)
