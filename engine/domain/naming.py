"""Names of agents and groups: short, visibly distinct within a task, safe to display. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

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
_OTHERS = ("everyone", "everybody", "somebody", "nobody", "admin", "administrator", "moderator", "owner")
_WORDS = frozenset({"here", "me", "all", "you"})
_RESERVED = PEOPLE | {GROUP} | frozenset(map(name_key, (*_ENGINE, *_OTHERS)))
_ROLES = frozenset(map(name_key, ("boss", "head", "member", "auditor")))
_GIVEN_ROLES = frozenset(map(name_key, ("boss", "auditor")))
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


def is_reserved(name: str) -> bool:
    """Return whether a name could be taken for the engine, for people, or for a form of address."""
    bare = _bare(name)
    return bare in _WORDS or look(bare) in _RESERVED or _PERSON in name_key(name)


def is_role(name: str) -> bool:
    """Return whether a name could be taken for a role."""
    return look(_bare(name)) in _ROLES


def is_foreign_title(title: str) -> bool:
    """Return whether what a member is for could be taken for the engine, people, the boss or the auditor."""
    return is_reserved(title) or look(_bare(title)) in _GIVEN_ROLES


def _bare(name: str) -> str:
    """Return a name without leading articles and trailing numbers."""
    words = folded(name).split()
    while len(words) > 1 and words[0] in _ARTICLES:
        words.pop(0)
    while len(words) > 1 and words[-1].isdecimal():
        words.pop()
    return " ".join(words)


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
