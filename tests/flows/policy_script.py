"""590 scripted agents: 19 ministers, 5 drafters each, 5 citizens a policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from engine.llm.scripted import call
from engine.ports import ChatAnswer, ChatRequest
from scenarios.policy import DEPARTMENTS
from tests.fakes.cast import View, accepting

DRAFTERS, CITIZENS = 5, 5
LIVES = ("a farmer", "a nurse", "a student", "a pensioner", "a shop owner")
Call = tuple[str, dict[str, object]]

AGENTS = 1 + len(DEPARTMENTS) * (1 + DRAFTERS * (1 + CITIZENS))


def play(request: ChatRequest, departments: int = len(DEPARTMENTS)) -> ChatAnswer:
    """Everyone's part, by the first word of the name, in a nation of so many departments."""
    view = View(request)
    role = view.name.split()[0]
    parts: dict[str, Callable[[View], ChatAnswer]] = {
        "Boss": partial(boss, departments=departments),
        "Minister": minister,
        "Drafter": partial(drafter, departments=departments),
        "Citizen": citizen,
        "Auditor": auditor,
    }
    return parts[role](view)


def boss(view: View, departments: int) -> ChatAnswer:
    """A plan, the ministers, their reports, the end."""
    names = DEPARTMENTS[:departments]
    if not view.did("propose_plan"):
        groups = [f"{name}: {DRAFTERS} policies" for name in names]
        plan = {"summary": "a ministry each", "groups": groups, "agents": AGENTS, "tokens": 9_000_000}
        return call(("propose_plan", plan))
    if not view.did("recruit"):
        members = [_member(f"Minister {number}", "minister") | LEADS for number in range(departments)]
        given = [_given(f"Minister {number}", f"policies of {name}") for number, name in enumerate(names)]
        return call(("recruit", {"members": members, "group": "cabinet"}), *waiting(given))
    return _review(view, departments, ("finish", {"report": "All departments have policies."}))


def minister(view: View) -> ChatAnswer:
    """Drafters and their work; others' policies checked; the department's policies handed in."""
    number = int(view.name.split()[1])
    asked = re.findall(r"\[from agent (Drafter [\d ]+)\]\n  Does", view.last)
    if asked:
        words = "Cross-check: it contradicts none of ours."
        answers = [("send_message", {"to": [n], "text": words, "wait": True}) for n in dict.fromkeys(asked)]
        return call(*answers, *_verdicts(view))  # who answers waits: that ends the turn
    if not view.did("recruit"):
        names = [f"Drafter {number} {n}" for n in range(DRAFTERS)]
        return call(
            ("recruit", {"members": [_member(n, "drafter") | LEADS for n in names]}),
            *waiting([_given(n, f"policy {n.split()[-1]} of {DEPARTMENTS[number]}") for n in names]),
        )
    own = re.search(r"Assignment #(\d+)", view.all)
    assert own is not None
    done = ("submit", {"assignment": int(own[1]), "summary": "all policies are ready"})
    return _review(view, DRAFTERS, done)


def drafter(view: View, departments: int) -> ChatAnswer:
    """Draft, citizens, revision, another department, the end."""
    _, ministry, number = view.name.split()
    path = f"policies/{DEPARTMENTS[int(ministry)]}/policy{number}.md"
    names = [f"Citizen {ministry} {number} {n}" for n in range(CITIZENS)]
    if not view.did("recruit"):
        question = {"to": names, "text": f"What would {path} do to your life?", "wait": True}
        return call(
            ("recruit", {"members": [_member(n, f"{LIVES[i]}") for i, n in enumerate(names)]}),
            ("write_file", {"path": path, "content": "# Policy\nMore of what works.\n"}),
            ("send_message", question),
        )
    if "Cross-check:" in view.all and not view.did("submit"):
        other = DEPARTMENTS[_neighbour(int(ministry), departments)]
        checked = {"path": path, "old": "# Checked with\n", "new": f"# Checked with\n{other}: no conflict.\n"}
        done = {"assignment": view.given, "summary": "tried, revised and checked", "files": [path]}
        return call(("edit_file", checked), ("submit", done))
    opinions = re.findall(r"Opinion: (.+)", view.all)
    if len(opinions) < CITIZENS or view.did("edit_file") or _count(view, "write_file") > 1:
        raise AssertionError(f"{view.name} was woken for nothing: {view.last[:300]}")
    said = "\n".join(f"- {opinion}" for opinion in opinions)
    text = f"# Policy\nLess, but better.\n# Citizens said\n{said}\n# Changed\nThe pace.\n# Checked with\n"
    ask = {
        "to": [f"Minister {_neighbour(int(ministry), departments)}"],
        "text": f"Does {path} contradict yours?",
    }
    return call(("write_file", {"path": path, "content": text}), ("send_message", ask | {"wait": True}))


def citizen(view: View) -> ChatAnswer:
    """Says what the policy would do to its life."""
    asker = re.search(r"\[from agent (Drafter [\d ]+)\]", view.last)
    assert asker is not None
    words = f"Opinion: I am {view.name}, and it would change my days."
    told = {"to": [asker[1]], "text": words, "needs_answer": False, "wait": True}
    return call(("send_message", told))


def auditor(view: View) -> ChatAnswer:
    """Lists the files, reads them, then accepts the work."""
    if not view.did("list_files"):
        return call(("list_files", {"prefix": "policies/"}))
    return accepting("every department has its policies")(view)


def _neighbour(ministry: int, departments: int) -> int:
    return (ministry + 1) % departments


LEADS = {"leads": True}
"""Of those who recruit: they have the tools of a head from their first step on."""


def _member(name: str, role: str) -> dict[str, object]:
    return {"name": name, "role": role, "instructions": f"You are {role}."}


def waiting(calls: list[Call]) -> list[Call]:
    """The calls, after the last of which the turn ends."""
    *made, (name, arguments) = calls
    return [*made, (name, {**arguments, "wait": True})]


def _given(name: str, title: str) -> Call:
    return ("assign", {"to": name, "title": title, "details": f"Work out the {title}."})


def _count(view: View, tool: str) -> int:
    return sum(c.name == tool for message in view.request.messages for c in message.tool_calls)


def _verdicts(view: View) -> list[Call]:
    return [("review", {"assignment": number, "verdict": "accept"}) for number in view.submitted]


def _review(view: View, expected: int, end: Call) -> ChatAnswer:
    """Accept what was submitted; `end` once `expected` are accepted."""
    verdicts = _verdicts(view)
    accepted = view.all.count(" accepted.") + len(verdicts)
    if accepted >= expected and not view.did(end[0]):
        return call(*verdicts, end)
    if not verdicts:
        raise AssertionError(f"{view.name} was woken for nothing: {view.last[:300]}")
    return call(*waiting(verdicts))
