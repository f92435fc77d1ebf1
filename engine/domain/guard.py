"""Decide whether a call to the world outside may be made: by policy, and so that no data leaves unseen. Pure.

Text from outside may tell agents to send out what they know. So once a task has read any, what could carry
data out needs a person: calls that change something, addresses that nobody gave the task, words that a search
passes on (in pieces over many calls, too), and the choice among a page's links, in tasks that hold something
to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.domain.addresses import FEW, AddressBasis, AddressRules, BadAddress, carried_by, normal_address
from engine.ports import OutsideTool, Policy

AskReason = Literal["policy", "again", "foreign", "address", "words", "links"]
"""Why people are asked: the operator wants it; nobody knows whether the call happened before; the task has
read text from outside; an address that nobody gave the task; words go out; a link of a page is followed."""

FOR_THE_TASK: frozenset[AskReason] = frozenset({"policy", "foreign", "words", "links"})
"""Reasons for which people can agree to all further calls of the tool in the task."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known when a call is to be made. Times are unix time, None for never.

    `foreign_at`: the task first held text from outside; `others_at`: such text that is no answer of this very
    tool. `private_at`: files of people, or answers of other servers, which may know what the web does not.
    `agreed_at`: people were last asked and agreed to the tool for the rest of the task. `unknown`: exactly
    this call was made before and nobody knows whether it happened. `marks`: those of each call to this server
    (`Carried.marks`) that nobody saw, since the task had something to tell. `bases`: where the addresses of
    the call occurred; those that are not in it occurred nowhere.
    """

    foreign_at: float | None = None
    others_at: float | None = None
    private_at: float | None = None
    agreed_at: float | None = None
    unknown: bool = False
    marks: tuple[tuple[str, ...], ...] = ()
    bases: Mapping[str, AddressBasis] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call is made at once, after a person agreed, or never; `why` people are asked, `text` what
    the agent is told of a denial."""

    policy: Policy
    why: AskReason = "policy"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """The operator's rules. `on`: False lets policies alone decide; `read_page` stays bound all the same."""

    on: bool = True
    rules: AddressRules = field(default_factory=AddressRules)


def addresses_of(tool: OutsideTool, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses in a call's arguments, normalised where they can be."""
    if not tool.known_addresses:
        return carried_by(arguments).addresses
    return tuple(_normal(leaf) for leaf in arguments.values() if isinstance(leaf, str))


def _normal(written: str) -> str:
    try:
        return normal_address(written)
    except BadAddress:
        return written


def decide(
    tool: OutsideTool, policy: Policy | None, arguments: Mapping[str, Any], now: Circumstances, guard: Guard
) -> Decision:
    """Return whether this call may be made. What is denied is denied, whatever else holds."""
    if policy is None or policy == "deny":
        return Decision("deny")
    addresses = addresses_of(tool, arguments)
    unheard = [one for one in addresses if not _is_given(one, now, guard)]
    if tool.known_addresses and unheard:
        return Decision("deny", "address", UNHEARD.format(tool=tool.name, address=unheard[0][:200]))
    if now.unknown and not (tool.reads_only or tool.repeatable):
        return Decision("ask", "again")
    found = (
        _leaving(tool, arguments, addresses, unheard, now, guard) if guard.on and tool.open_world else None
    )
    if found is not None:
        return found
    asks = policy == "ask" and now.agreed_at is None
    return Decision("ask" if asks else "allow")


UNHEARD = (
    "{tool} takes only addresses that occurred in what people wrote, in results of a search or on a page "
    "that this task read, exactly as they occurred. {address} did not. Search for it, or do without."
)


def _leaving(
    tool: OutsideTool,
    arguments: Mapping[str, Any],
    addresses: Sequence[str],
    unheard: Sequence[str],
    now: Circumstances,
    guard: Guard,
) -> Decision | None:
    """Return the question for people when a call could carry data out; None when it may not."""
    if not tool.reads_only:
        return (
            Decision("ask", "foreign")
            if now.foreign_at is not None and _not_agreed(now, now.others_at)
            else None
        )
    if unheard:
        return Decision("ask", "address")
    if now.foreign_at is None or now.private_at is None:
        return None
    since = max(now.others_at or 0.0, now.private_at)
    carried = carried_by(arguments, tool.parameters.get("properties", {}))
    if not tool.known_addresses and (carried.words or _in_pieces(carried.marks, now.marks)):
        return Decision("ask", "words") if _not_agreed(now, since) else None
    followed = [
        one for one in addresses if (now.bases or {}).get(one) == "page" and not guard.rules.allows(one)
    ]
    return Decision("ask", "links") if followed and _not_agreed(now, since) else None


def _in_pieces(marks: tuple[str, ...], before: Sequence[tuple[str, ...]]) -> bool:
    """Return whether numbers and the like go on to say something over several calls; what stays as it was in
    the call before says nothing."""
    said, last = 0, tuple[str, ...]()
    for each in (*before, marks):
        said, last = said + (len(each) if each != last else 0), each
    return bool(marks) and marks != (before[-1] if before else ()) and said > FEW


def _not_agreed(now: Circumstances, since: float | None) -> bool:
    """Return whether people have not agreed, or something came since that they did not know of."""
    return now.agreed_at is None or (since is not None and now.agreed_at < since)


def _is_given(address: str, now: Circumstances, guard: Guard) -> bool:
    if address in (now.bases or {}):
        return True
    try:
        return normal_address(address) == address and guard.rules.allows(address)
    except BadAddress:
        return False
