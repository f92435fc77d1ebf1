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
from engine.tools.base import LED, Tool, ToolContext, ToolOptions, ToolRefused
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


BY_RUN = frozenset({"delete_file", "move_file"})
"""Tools that members do without where programs run, whose deletions are kept: `rm` and `mv` do the same."""


LEADING = frozenset({"assign", "amend", "review", "dismiss", "set_budget"})
"""Tools of those who lead a group, offered from the first member on: an agent's tools change once."""


MEMORY = frozenset({"remember", "recall"})
"""Tools of the boss, and of those whose older steps are summed up: until then the prompt has everything."""


def specs_for(
    role: AgentRole,
    *,
    small: bool = False,
    packages: tuple[str, ...] = (),
    leads: bool = True,
    may_lead: bool = True,
    attended: bool = True,
    recalls: bool = True,
    talks: bool = True,
    installs: bool = False,
    runs: bool = True,
    outside: tuple[ToolSpec, ...] = (),
) -> tuple[ToolSpec, ...]:
    """Return the tools that an agent can use now in a fixed order, so that prompts keep their prefix; fewer
    for a `small` model. What an agent gets later comes last, after the tools of the world `outside`.

    `packages`: what programs may import, named in the description of `run`; `installs`: more can be had;
    `runs`: programs are run here. `leads`: it has members; `may_lead`: it may get some. `attended`: somebody
    answers questions. `recalls`: its older steps are only summed up. `talks`: it has kept a program open.
    """
    if small:
        return _small_specs(role)
    unused = set[str]() if leads else set(LEADING)
    unused |= set() if leads or may_lead else {"recruit"}
    unused |= set() if attended else {"ask_human"}
    unused |= set() if recalls or role == "boss" else MEMORY
    unused |= set() if talks or role not in LED else {INPUT.name}
    unused |= set() if installs else {INSTALL.name}
    unused |= BY_RUN if runs and role in LED else set()
    first, last = _own_specs(role, frozenset(unused), packages, installs)
    return (*first, *outside, *last)


@cache
def _small_specs(role: AgentRole) -> tuple[ToolSpec, ...]:
    return tools_of(role, [tool.spec(role) for tool in TOOLS.values() if role in tool.roles])


@cache
def _own_specs(
    role: AgentRole, unused: frozenset[str], packages: tuple[str, ...], installs: bool
) -> tuple[tuple[ToolSpec, ...], tuple[ToolSpec, ...]]:
    """Return a role's tools without those unused: what it has from the start, and what it gets later."""
    later = LEADING | MEMORY | {INPUT.name} if role in LED else LEADING
    names = [tool.name for tool in TOOLS.values() if role in tool.roles and tool.name not in unused]
    specs = [_with_surroundings(_lean(name, role), role, packages, installs) for name in names]
    return tuple(s for s in specs if s.name not in later), tuple(s for s in specs if s.name in later)


@cache
def _lean(name: str, role: AgentRole) -> ToolSpec:
    """Return a spec as short as it can be; a member's recruits get their work as a task."""
    spec = TOOLS[name].spec(role)
    parameters = without_limits(spec.parameters)
    if name == RECRUIT.name and role in LED:
        parameters["properties"]["members"]["items"]["properties"].pop("instructions")
    return replace(spec, parameters=parameters)


def _with_surroundings(
    spec: ToolSpec, role: AgentRole, packages: tuple[str, ...], installs: bool
) -> ToolSpec:
    """Return `run` with what programs have: said here once, so that nobody has to find it out."""
    if spec.name != "run":
        return spec
    kept = "Nothing it writes is kept." if role == "auditor" else "What it writes or deletes is kept."
    python = f"No network. Python {sys.version_info.major}.{sys.version_info.minor}"
    if packages:
        python += f" with {', '.join(packages)}"
    if role != "auditor" and not installs:
        python += "; nothing can be installed"
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
