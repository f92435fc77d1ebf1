"""The tools of agents, one file each. Names, arguments and results are API."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from typing import Any

from engine.llm.local.policy import tools_of
from engine.ports import AgentRole, ToolSpec
from engine.tools.amend import AMEND
from engine.tools.ask_human import ASK
from engine.tools.assign import ASSIGN
from engine.tools.base import Tool, ToolContext, ToolOptions, ToolRefused
from engine.tools.delete_and_move import DELETE, MOVE
from engine.tools.diff import DIFF
from engine.tools.edit import EDIT
from engine.tools.files import LIST, WRITE
from engine.tools.finish import FINISH
from engine.tools.install import INSTALL
from engine.tools.memory import RECALL, REMEMBER
from engine.tools.outside import SEARCHED, call_outside, outside_specs
from engine.tools.read import READ
from engine.tools.recruit import DISMISS, PLAN, RECRUIT
from engine.tools.review import REVIEW, SUBMIT, VERDICT
from engine.tools.run import INPUT, RUN
from engine.tools.schema import without_limits
from engine.tools.search import SEARCH
from engine.tools.send_message import TALK
from engine.tools.set_budget import BUDGET
from engine.tools.todo import TODO
from engine.tools.wait_for import WAIT

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        TALK,
        WAIT,
        SUBMIT,
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
        INSTALL,
        REMEMBER,
        RECALL,
        ASK,
        PLAN,
        VERDICT,
        FINISH,
        RECRUIT,
        ASSIGN,
        AMEND,
        REVIEW,
        DISMISS,
        BUDGET,
    )
}


LEADING = frozenset({"assign", "amend", "review", "dismiss", "set_budget"})
"""Tools of those who lead a group, offered from the first member on: an agent's tools change once."""


MEMORY = frozenset({"remember", "recall"})
"""Tools of the boss, and of those whose older steps are summed up: until then the prompt has everything."""


@cache
def specs_for(
    role: AgentRole,
    *,
    small: bool = False,
    packages: tuple[str, ...] = (),
    leads: bool = True,
    may_lead: bool = True,
    attended: bool = True,
    recalls: bool = True,
    installs: bool = False,
) -> tuple[ToolSpec, ...]:
    """Return the tools that an agent can use now in a fixed order, so that prompts keep their prefix; fewer
    for a `small` model.

    `packages`: what programs may import, named in the description of `run`; `installs`: more can be had.
    `leads`: it has members; `may_lead`: it may get some. `attended`: somebody answers questions. `recalls`:
    its older steps are only summed up.
    """
    if small:
        return tools_of(role, [tool.spec(role) for tool in TOOLS.values() if role in tool.roles])
    unused = set[str]() if leads else set(LEADING)
    unused |= set() if leads or may_lead else {"recruit"}
    unused |= set() if attended else {"ask_human"}
    unused |= set() if recalls or role == "boss" else MEMORY
    unused |= set() if installs else {INSTALL.name}
    tools = (tool for tool in TOOLS.values() if role in tool.roles and tool.name not in unused)
    return tuple(_with_surroundings(_lean(tool.spec(role)), role, packages, installs) for tool in tools)


def _lean(spec: ToolSpec) -> ToolSpec:
    return replace(spec, parameters=without_limits(spec.parameters))


def _with_surroundings(
    spec: ToolSpec, role: AgentRole, packages: tuple[str, ...], installs: bool
) -> ToolSpec:
    """Return `run` with what programs have: said here once, so that nobody has to find it out."""
    if spec.name != "run":
        return spec
    kept = "Nothing it writes is kept." if role == "auditor" else "What it writes or deletes is kept."
    python = f"No network. Python {sys.version_info.major}.{sys.version_info.minor}"
    if packages:
        python += f". Python has {', '.join(packages)}"
    if role != "auditor":
        python += "; install_packages gets more" if installs else "; nothing can be installed"
    return replace(spec, description=f"{spec.description} {kept} {python}.")


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
