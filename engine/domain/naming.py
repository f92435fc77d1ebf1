"""Names of agents and groups: short, visibly distinct within a task, safe to display. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from engine.domain.clean import clean_text
from engine.domain.lookalikes import folded, look

MAX_NAME = 40
_UNSAFE = re.compile(r"[^\w .'-]+", re.UNICODE)
_ARTICLES = frozenset({"the", "a", "an"})


def name_key(name: str) -> str:
    """Return the form in which names are compared: equal for names that a reader could confuse."""
    return look(name)


GROUP = name_key("group")
PEOPLE = frozenset(map(name_key, ("human", "humans", "person", "people", "user", "users")))
"""Names that address the agent's group, and the people who follow the task."""

_ENGINE = ("system", "engine", "system message", "megaagent", "bot", "discord", "clyde")
_OTHERS = (
    *("everyone", "everybody", "somebody", "nobody", "admin", "admins", "administrator", "administrators"),
    *("moderator", "moderators", "owner", "owners"),
)
_WORDS = frozenset({"here", "me", "all", "you"})
"""These are compared without what looks alike: Ali is a name."""


def _joined(name: str) -> str:
    """Return the form in which a name is compared with reserved ones: spaces make no other name of them."""
    return name_key(name).replace(" ", "")


_RESERVED = frozenset(map(_joined, (*PEOPLE, GROUP, *_ENGINE, *_OTHERS)))
_ROLES = frozenset(map(_joined, ("boss", "head", "member", "auditor")))
_GIVEN_ROLES = frozenset(map(_joined, ("boss", "auditor")))
"""Roles that only the engine gives."""
_PERSON = name_key("person who watches")


_EDGES = " .'-"
"""What a name neither begins nor ends with."""


def clean_name(raw: str) -> str:
    """Return a displayable name of letters, digits, space, `.`, `'` and `-`, at most 40; may be empty."""
    text = clean_text(unicodedata.normalize("NFKC", clean_text(raw)))
    text = _UNSAFE.sub(" ", text.replace("_", " "))
    return " ".join(text.split())[:MAX_NAME].strip(_EDGES)


def address_key(written: str) -> str:
    """Return the key of whom an agent addresses by the name that it wrote, for a newcomer perhaps: cut and
    cleaned as names of newcomers are."""
    return name_key(clean_name(written) or written)


@lru_cache(maxsize=1_000)  # asked for each agent that is recruited
def person_keys(named: str) -> frozenset[str]:
    """Return the keys of a person's name, as given with a title in brackets and without, whole and as long as
    names of agents are."""
    forms = [named, *(named[: found.start()] for found in re.finditer(r"\s\(", named))]
    return frozenset(key for form in forms for key in (name_key(form), name_key(clean_name(form))) if key)


def is_reserved(name: str) -> bool:
    """Return whether a name could be taken for the engine, for people, or for a form of address."""
    spoken = any(" ".join(words) in _WORDS for words in _forms(name))
    return spoken or bool(_bare(name) & _RESERVED) or _PERSON in name_key(name)


def is_role(name: str) -> bool:
    """Return whether a name could be taken for a role."""
    return bool(_bare(name) & _ROLES)


def is_foreign_title(title: str) -> bool:
    """Return whether what a member is for could be taken for the engine, people, the boss or the auditor."""
    return is_reserved(title) or bool(_bare(title) & _GIVEN_ROLES)


def named_as(name: str, kind: Literal["group", "task"]) -> str:
    """Return the name of a group or the title of a task, which names places and lists; what could be taken
    for the engine, people or a role is followed by what it names. "" for one that can be nothing else."""
    if not (is_reserved(name) or is_role(name)):
        return name
    marked = f"{name[: MAX_NAME - len(kind) - 1].rstrip()} {kind}"
    nothing_else = kind in _bare(name) or is_reserved(marked) or is_role(marked)
    return "" if nothing_else else marked


def _bare(name: str) -> set[str]:
    """Return the forms of a name as they are compared with reserved ones."""
    return {_joined(" ".join(words)) for words in _forms(name)}


def _forms(name: str) -> list[list[str]]:
    """Return the words of a name without trailing numbers, with leading articles and without."""
    words = folded(name).split()
    while len(words) > 1 and words[-1].isdecimal():
        words.pop()
    forms = [words]
    while len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
        forms.append(words)
    return forms


def unique_name(wanted: str, taken: Collection[str]) -> str:
    """Return `wanted` cleaned, prefixed when it is reserved, numbered when its key is in `taken`; "Agent"
    when nothing is left."""
    base = clean_name(wanted) or "Agent"
    if is_reserved(base):
        base = f"Agent called {base}"[:MAX_NAME].strip(_EDGES)
    name, number = base, 2
    while name_key(name) in taken:
        name = f"{base[: MAX_NAME - 6].rstrip(_EDGES)} {number}"
        number += 1
    return name
