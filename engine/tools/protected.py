"""Protected actions: an agent does them only after a person agreed to exactly that, once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

from engine.commands import Protections
from engine.domain.effects import AskAction, ProtectedAction, UseAction
from engine.domain.models import DEMONSTRATION
from engine.domain.outside import canonical, digest_of, readable
from engine.store.protected import count_open, protections_of, request_of
from engine.tools.base import ToolContext, ToolRefused

MAX_ASKED = 3
"""Actions of one agent that wait for the people: each one calls them."""


async def protections(context: ToolContext) -> Protections:
    """Return what is protected in the task's space; a demonstration plays what was recorded."""
    if context.task.model == DEMONSTRATION:
        return Protections()
    return await context.db.read(lambda c: protections_of(c, context.task.space))


async def ask_first(context: ToolContext, action: ProtectedAction, arguments: Mapping[str, Any]) -> None:
    """Let the agent go on if people agreed to exactly this action and it was not done yet, else ask them.

    Raises ToolRefused unless it may be done now; the agreement is used up by the step's commit.
    """
    digest = digest_of("", action, arguments)
    last = await context.db.read(lambda c: request_of(c, context.agent.id, digest))
    if last is not None and last.allowed and not last.used:
        if any(use.gate_id == last.gate_id for use in context.staged(UseAction)):
            raise ToolRefused("The people agreed to this once, and this answer has done it already.")
        context.stage(UseAction(last.gate_id))
        return
    if not context.task.attended:
        raise ToolRefused(
            f"To {action} needs a person's agreement here, and nobody attends this task. Do without it, and "
            "say in the report what is missing."
        )
    asked = context.staged(AskAction)
    if any(one.digest == digest for one in asked) or (last is not None and last.basis is None):
        raise ToolRefused("The people were asked about exactly this. Wait for the answer; it wakes you.")
    if len(asked) + await context.db.read(lambda c: count_open(c, context.agent.id)) >= MAX_ASKED:
        raise ToolRefused(f"{MAX_ASKED} of your actions wait for the people's answer. Go on without.")
    context.stage(AskAction(action, digest, canonical(arguments), readable(arguments)))
    raise ToolRefused(
        f"Not done yet: to {action} needs a person's agreement here, and the people are asked about exactly "
        "this. Their answer arrives as a message: go on with what does not depend on it, or end your turn."
    )


async def run_arguments(
    command: tuple[str, ...], stdin: str, files: Mapping[str, bytes], depends: tuple[str, ...] | None
) -> dict[str, Any]:
    """Return what a run is, as people agree to it: the command, its input and the files it goes by."""
    named = files if depends is None else [path for path in depends if path in files]

    def digests() -> dict[str, str]:
        return {path: hashlib.sha256(files[path]).hexdigest()[:16] for path in sorted(named)}

    return {"command": list(command), "stdin": stdin, "files": await asyncio.to_thread(digests)}
