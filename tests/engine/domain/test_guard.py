"""What may leave: policy, taint, addresses nobody gave, words, links. Table by table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.domain.addresses import AddressBasis, AddressRules
from engine.domain.guard import FOR_THE_TASK, Circumstances, Guard, decide
from engine.ports import Policy
from tests.fakes.outside import tool

NAMES: dict[str, Any] = {"properties": {name: {} for name in ("q", "url", "page", "raw", "n", "address")}}
READS = tool("read", reads_only=True, parameters=NAMES)
BUYS = tool("buy")
STAYS = tool("note", open_world=False)
PAGES = tool("page", reads_only=True, known_addresses=True)
CALM = Circumstances()
FOREIGN = Circumstances(foreign_at=10.0, others_at=10.0)
BOTH = Circumstances(foreign_at=10.0, others_at=10.0, private_at=20.0)
A = "https://a.example/"


def case(made: Any, arguments: Any, now: Circumstances, policy: Policy | None = "allow", **guard: Any) -> str:
    """The decision in a word, with why where people are asked."""
    found = decide(made, policy, arguments, now, Guard(**guard))
    return f"ask {found.why}" if found.policy == "ask" else found.policy


@pytest.mark.parametrize(
    ("policy", "agreed", "unknown", "repeatable", "expected"),
    [
        (None, 1.0, False, True, "deny"),
        ("deny", 1.0, False, True, "deny"),
        ("allow", None, False, False, "allow"),
        ("ask", None, False, False, "ask policy"),
        ("ask", 1.0, False, False, "allow"),
        ("allow", 1.0, True, False, "ask again"),
        ("allow", None, True, True, "allow"),
    ],
)
def test_policies(policy: Any, agreed: Any, unknown: bool, repeatable: bool, expected: str) -> None:
    """A denial stays one; what may have happened needs a person, whatever else was agreed to."""
    now = Circumstances(agreed_at=agreed, unknown=unknown)
    assert case(tool("buy", repeatable=repeatable), {"item": "tea"}, now, policy) == expected


def test_after_foreign_text_what_changes_something_always_asks() -> None:
    """Whatever the policy; unless it cannot carry anything out, or the operator switched the rule off."""
    assert case(BUYS, {"item": "tea"}, CALM) == "allow"
    assert case(BUYS, {"item": "tea"}, FOREIGN) == "ask foreign"
    assert case(STAYS, {"item": "tea"}, FOREIGN) == "allow"
    assert case(BUYS, {"item": "tea"}, FOREIGN, on=False) == "allow"
    assert case(BUYS, {"item": "tea"}, FOREIGN, "deny") == "deny"


def test_what_was_agreed_before_people_knew_counts_no_more() -> None:
    """Agreed for the task, then foreign text came: asked once more, after that no more."""
    assert case(BUYS, {}, replace(FOREIGN, agreed_at=9.0), "ask") == "ask foreign"
    assert case(BUYS, {}, replace(FOREIGN, agreed_at=11.0), "ask") == "allow"
    own = Circumstances(foreign_at=10.0, agreed_at=9.0)
    assert case(BUYS, {}, own, "ask") == "allow", "nothing was read but the answer of what was agreed to"
    late = replace(BOTH, agreed_at=15.0)
    assert case(READS, {"q": "tea"}, late) == "ask words"
    assert "address" not in FOR_THE_TASK and "again" not in FOR_THE_TASK


def test_an_address_that_nobody_gave_asks_or_is_refused() -> None:
    """A tool of a server asks, whatever was agreed; read_page refuses, whatever is switched off."""
    given = Circumstances(bases={A: "search"}, agreed_at=99.0)
    assert case(READS, {"url": A}, given) == "allow"
    others = (f"{A}?secret", f"{A}#secret", "https://secret.a.example/", "a.example/x", "mailto:x@a.example")
    for other in others:
        assert case(READS, {"url": other}, given) == "ask address", other
    assert case(READS, {"url": f"{A}?secret"}, given, on=False) == "allow"
    assert case(PAGES, {"address": A}, given) == "allow"
    assert case(PAGES, {"address": "HTTPS://A.example#part"}, given) == "allow"
    for other in (f"{A}?secret", "nonsense", "", "file:///etc/passwd"):
        refused = decide(PAGES, "allow", {"address": other}, given, Guard(on=False))
        assert refused.policy == "deny" and "exactly as they occurred" in refused.text
    rules = AddressRules.of(["b.example"])
    assert case(PAGES, {"address": "https://b.example/x"}, given, rules=rules) == "allow"


def test_words_ask_where_there_is_something_to_tell() -> None:
    """A search asks once the task has read foreign text and holds what the web does not know."""
    for now, expected in ((CALM, "allow"), (FOREIGN, "allow"), (BOTH, "ask words")):
        assert case(READS, {"q": "tea", "page": 2}, now) == expected
    assert case(READS, {"page": 2, "raw": True}, BOTH) == "allow"
    assert case(READS, {"n": 1234567890}, BOTH) == "ask words"
    assert case(READS, {"page": 2, "secret": True}, BOTH) == "ask words"
    assert case(READS, {"q": "tea"}, BOTH, on=False) == "allow"


def test_numbers_in_pieces_over_many_calls_are_words() -> None:
    """As they change; what stays as it was says nothing, and neither does a call without any."""
    paged = replace(BOTH, marks=(("1",), ("2",), ("3",)))
    assert case(READS, {"page": 3}, paged) == "allow"
    assert case(READS, {"page": 4}, paged) == "ask words"
    assert case(READS, {"url": A}, replace(paged, bases={A: "search"})) == "allow"
    assert case(READS, {"page": 4}, replace(paged, agreed_at=30.0)) == "allow"
    assert case(READS, {"page": 4}, replace(paged, private_at=None)) == "allow"
    same = replace(BOTH, marks=(("5000", "True"),) * 40)
    assert case(READS, {"n": 5_000, "raw": True}, same) == "allow"
    assert case(READS, {"n": 5_000, "raw": False}, same) == "ask words"
    turns = replace(BOTH, marks=(("True",), ("False",)) * 2)
    assert case(READS, {"raw": True}, turns) == "ask words"


def test_the_choice_among_links_asks_where_there_is_something_to_tell() -> None:
    """Results and people's addresses do not; nor does a host that the operator allows."""
    page: dict[str, AddressBasis] = {A: "page"}
    search: dict[str, AddressBasis] = {A: "search"}
    assert case(PAGES, {"address": A}, replace(BOTH, bases=page)) == "ask links"
    assert case(READS, {"url": A}, replace(BOTH, bases=page)) == "ask links"
    assert case(PAGES, {"address": A}, replace(BOTH, bases=search)) == "allow"
    assert case(PAGES, {"address": A}, replace(FOREIGN, bases=page)) == "allow"
    assert case(PAGES, {"address": A}, replace(BOTH, agreed_at=30.0, bases=page)) == "allow"
    rules = AddressRules.of(["a.example"])
    assert case(PAGES, {"address": A}, replace(BOTH, bases=page), rules=rules) == "allow"
