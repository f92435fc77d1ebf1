"""The tools of agents, one file each. Names, arguments and results are API."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from typing import Any

from engine.llm.local.policy import tools_of
from engine.ports import AgentRole, ToolSpec
from engine.tools.ask_human import ASK
from engine.tools.assign import ASSIGN
from engine.tools.base import Tool, ToolContext, ToolOptions, ToolRefused
from engine.tools.delete_and_move import DELETE, MOVE
from engine.tools.diff import DIFF
from engine.tools.edit import EDIT
from engine.tools.files import LIST, WRITE
from engine.tools.finish import FINISH
from engine.tools.memory import RECALL, REMEMBER
from engine.tools.outside import SEARCHED, call_outside, outside_specs
from engine.tools.read import READ
from engine.tools.recruit import DISMISS, PLAN, RECRUIT
from engine.tools.review import REVIEW, SUBMIT, VERDICT
from engine.tools.run import INPUT, RUN
from engine.tools.search import SEARCH
from engine.tools.send_message import TALK
from engine.tools.set_budget import BUDGET
from engine.tools.todo import TODO

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        TALK,
        RECRUIT,
        ASSIGN,
        SUBMIT,
        REVIEW,
        DISMISS,
        TODO,
        LIST,
        READ,
        SEARCH,
        WRITE,
        EDIT,
        DELETE,
        MOVE,
        DIFF,
        RUN,
        INPUT,
        REMEMBER,
        RECALL,
        ASK,
        PLAN,
        BUDGET,
        VERDICT,
        FINISH,
    )
}


SHELL = '["sh", "-c", "..."]'


@cache
def specs_for(
    role: AgentRole, *, small: bool = False, packages: tuple[str, ...] = ()
) -> tuple[ToolSpec, ...]:
    """Return the tools of a role in a fixed order, so that prompts keep their prefix; fewer for a `small`
    model.

    `packages`: what programs may import, named in the description of `run`.
    """
    specs = [tool.spec() for tool in TOOLS.values() if role in tool.roles]
    return tools_of(role, specs) if small else tuple(_with_surroundings(spec, packages) for spec in specs)


def _with_surroundings(spec: ToolSpec, packages: tuple[str, ...]) -> ToolSpec:
    """Return `run` with what programs have: said here once, so that nobody has to find it out."""
    if spec.name != "run":
        return spec
    there = (
        f"What it writes and deletes is kept (not an auditor's). A shell line: {SHELL}. "
        f"No network. Python {sys.version_info.major}.{sys.version_info.minor}"
    )
    if packages:
        there += f". Python has {', '.join(packages)}; nothing can be installed"
    return replace(spec, description=f"{spec.description} {there}.")


__all__ = [
    "SEARCHED",
    "TOOLS",
    "Tool",
    "ToolContext",
    "ToolOptions",
    "ToolRefused",
    "call_outside",
    "outside_specs",
    "specs_for",
]
