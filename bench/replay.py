"""Replays of recorded works: what a capable model said and called, as it would say it under today's rules.

The work itself (files, programs, words to others, reviews) is as recorded. Where the protocol allows more
now, it is used: an answer that only says that the agent waits becomes `wait: true` of the call before it; a
refused `finish` is not made; a first assignment comes with the recruiting; several edits of one file are one
call, and what is typed into one program is typed in one answer; polling for a file, or asking to be told of
it, is wait_for; what changed since a rejection comes with the second submission and is not read again.
A file that a message or a refusal shows whole is not read; a run of an assignment's own check before it is
submitted is left to submit; what the boss recorded as one answer (review, then a run of the whole) stays one.
Two who add to one file append, so the reading, the conflict and the reconciling that followed do not happen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from engine.domain.reading import is_document
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.cast import View

Call = tuple[str, dict[str, Any]]
WAITING = frozenset({"recruit", "assign", "review", "send_message"})
_SUBMITTED = re.compile(r"Submission of #(\d+)")
_SHOWN = re.compile(
    r"^ *(\S+) as it is now:$|^ *(\S+) added by \w+:?$|^(\S+) exists \(.*\)\. Nothing is changed", re.M
)
_LISTED = re.compile(r"^ *Files there are: (.+)$", re.M)


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer; `number`: its place in the recording."""

    number: int
    agent: str
    text: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Answers that an agent gives one after another once it has read `trigger`."""

    trigger: str
    answers: tuple[Answer, ...]


def recorded(name: str) -> list[Answer]:
    """Return the answers of a recording, in the order of asking."""
    lines = resources.files("bench").joinpath("recordings", f"{name}.jsonl").read_text("utf-8").splitlines()
    made = []
    for number, line in enumerate(lines, 1):
        row = json.loads(line)
        calls = tuple((one["name"], _adapted(one["name"], one["arguments"])) for one in row["calls"])
        made.append(Answer(number, row["agent"], row.get("said") or row.get("content") or "", calls))
    return made


def _adapted(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what belongs to the recorded run: the revisions, which a replay has its own of."""
    return {key: value for key, value in arguments.items() if (name, key) != ("write_file", "base_revision")}


def tidy(answers: Sequence[Answer], check: Sequence[str] = ()) -> list[Answer]:
    """Return an agent's answers without those that only ended a turn or were refused, and with edits and
    input joined; a run of `check` just before the submission is left to submit."""
    last_finish = max((a.number for a in answers if _has(a, "finish")), default=0)
    made: list[Answer] = []
    for answer in answers:
        if _has(answer, "finish") and answer.number != last_finish:
            continue
        if not answer.calls:
            if made and not _ends(made[-1]):
                made[-1] = waiting(made[-1])
            continue
        joined = Answer(answer.number, answer.agent, answer.text, tuple(_one_call_a_file(answer.calls)))
        if made and all(name == "send_input" for name, _ in joined.calls):
            before = made[-1]
            made[-1] = Answer(before.number, before.agent, before.text, before.calls + joined.calls)
        elif made and _has(joined, "submit") and _checks(made[-1], check):
            before = made[-1]
            made[-1] = Answer(before.number, before.agent, before.text, before.calls[:-1] + joined.calls)
        else:
            made.append(joined)
    return made


def _checks(answer: Answer, check: Sequence[str]) -> bool:
    """Whether the answer's last call runs exactly the check."""
    name, given = answer.calls[-1]
    return bool(check) and name == "run" and list(given.get("command", ())) == list(check)


def unshown(answer: Answer, view: View) -> Answer:
    """Return the answer without reading and listing of files that messages or refusals have shown whole."""
    shown = {path for match in _SHOWN.finditer(view.all) if (path := match[1] or match[2] or match[3])}
    listed = [set(found.split(", ")) for found in _LISTED.findall(view.all)]
    calls = tuple(one for one in answer.calls if not _needless(one, shown, listed))
    return Answer(answer.number, answer.agent, answer.text, calls)


def _needless(one: Call, shown: set[str], listed: Sequence[set[str]]) -> bool:
    name, given = one
    if name == "list_files":
        return bool(listed)
    path = given.get("path", "")
    missing = bool(listed) and not any(path in names for names in listed)
    return name == "read_file" and "start_line" not in given and (path in shown or missing)


def waiting(answer: Answer) -> Answer:
    """Return the answer with a last call that ends the turn; as it is when it has none that can."""
    places = [n for n, (name, _) in enumerate(answer.calls) if name in WAITING]
    if not places:
        return answer
    calls = list(answer.calls)
    name, arguments = calls[places[-1]]
    calls[places[-1]] = (name, {**arguments, "wait": True})
    return Answer(answer.number, answer.agent, answer.text, tuple(calls))


def _has(answer: Answer, name: str) -> bool:
    return any(each == name for each, _ in answer.calls)


def _ends(answer: Answer) -> bool:
    return any(name in ("submit", "finish", "wait_for") or given.get("wait") for name, given in answer.calls)


def _one_call_a_file(calls: Iterable[Call]) -> Iterator[Call]:
    """Join edits of one file that follow each other."""
    edits: dict[str, Any] | None = None
    for name, arguments in calls:
        if name != "edit_file":
            if edits:
                yield "edit_file", edits
                edits = None
            yield name, arguments
            continue
        one = {key: arguments[key] for key in ("old", "new", "replace_all") if key in arguments}
        more = [*([one] if one.get("old") else []), *arguments.get("edits", [])]
        if edits and edits["path"] == arguments["path"]:
            edits["edits"] += more
            continue
        if edits:
            yield "edit_file", edits
        edits = {"path": arguments["path"], "edits": more}
    if edits:
        yield "edit_file", edits


def reading(auditor: Sequence[Answer], deliverables: Sequence[str]) -> list[Answer]:
    """Return an auditor's answers with the documents read first, which an acceptance needs."""
    first, *others = auditor
    known = {given.get("path") for answer in auditor for name, given in answer.calls if name == "read_file"}
    documents = [path for path in deliverables if is_document(path) and path not in known]
    reads: list[Call] = [("read_file", {"path": path}) for path in documents]
    return [Answer(first.number, first.agent, first.text, (*first.calls, *reads)), *others]


def delivered(answers: Sequence[Answer]) -> list[str]:
    """Return the files that the last finish names."""
    return [str(path) for path in _given(answers, "finish")[-1].get("deliverables", [])]


def _given(answers: Sequence[Answer], tool: str) -> list[dict[str, Any]]:
    return [arguments for answer in answers for name, arguments in answer.calls if name == tool]


class Linear:
    """Agents that give their answers in the order in which they were recorded."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        by_agent: dict[str, list[Answer]] = {}
        for answer in answers:
            by_agent.setdefault(answer.agent, []).append(answer)
        self._left = {agent: tidy(given) for agent, given in by_agent.items()}
        self._left["Auditor"] = reading(self._left["Auditor"], delivered(answers))

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Give the agent's next answer."""
        left = self._left[View(request).name]
        answer = left.pop(0)
        return call(*answer.calls, text=answer.text)


@dataclass(slots=True)
class _Head:
    """What a head still has to do for each assignment, round by round; `waits`: it ends its turn with the
    last review."""

    rounds: dict[int, list[list[Answer]]]
    end: list[Answer]
    todo: list[Answer] = field(default_factory=list)
    seen: int = 0

    def next(self, text: str) -> Answer | None:
        """Return what is done next about the submissions in the prompt, then the end of the work."""
        if not self.todo:
            submitted = [int(number) for number in _SUBMITTED.findall(text)]
            fresh, self.seen = submitted[self.seen :], len(submitted)
            parts = [self.rounds[number].pop(0) for number in fresh]
            self.todo = [_together(column) for column in _columns(parts)]
            over = not any(self.rounds.values())
            if self.todo and not over:
                self.todo[-1] = waiting(self.todo[-1])
            elif over and self.end:
                if self.todo and self.todo[-1].number == self.end[0].number:  # it was one answer
                    self.todo, self.end = (
                        [*self.todo[:-1], _together([self.todo[-1], self.end[0]])],
                        self.end[1:],
                    )
                self.todo, self.end = [*self.todo, *self.end], []
        return self.todo.pop(0) if self.todo else None


def _columns(parts: Sequence[Sequence[Answer]]) -> list[list[Answer]]:
    deepest = max((len(part) for part in parts), default=0)
    return [[part[n] for part in parts if n < len(part)] for n in range(deepest)]


def _together(answers: Sequence[Answer]) -> Answer:
    calls = tuple(one for answer in answers for one in answer.calls)
    return Answer(answers[0].number, answers[0].agent, answers[0].text, calls)


class Team:
    """The recorded team: members answer in blocks that begin with what woke them, the boss by submission."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._by_number = {answer.number: answer for answer in answers}
        self._checks = {given["to"]: given.get("command", ()) for given in _given(answers, "assign")}
        self._blocks = {agent: list(self._members(agent)) for agent in _MEMBERS}
        self._at: dict[str, list[Answer]] = {}
        self._opening = self._beginning()
        self._head = _Head(
            {number: [self._parts(one) for one in rounds] for number, rounds in _ROUNDS.items()},
            self._parts(_END),
        )
        auditor = [self._by_number[number] for number in (73, 74, 75)]
        self._auditor = reading(auditor, delivered(answers))

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Give the agent's next answer."""
        view = View(request)
        if request.role == "auditor":
            answer: Answer | None = self._auditor.pop(0)
        else:
            answer = self._worker(view)
            while answer is not None and not (left := unshown(answer, view)).calls:
                answer = self._worker(view)
            answer = left if answer is not None else None
        if answer is None:
            return say("Nothing to do.")
        return call(*answer.calls, text=answer.text)

    def _worker(self, view: View) -> Answer | None:
        if view.name == "Boss":
            return self._opening.pop(0) if self._opening else self._head.next(view.all)
        return self._member(view)

    def _member(self, view: View) -> Answer | None:
        left = self._at.get(view.name)
        if not left:
            blocks = self._blocks[view.name]
            begun = next((block for block in blocks if block.trigger in view.all), None)
            if begun is None:
                return None
            blocks.remove(begun)
            left = self._at[view.name] = list(begun.answers)
        return left.pop(0)

    def _members(self, agent: str) -> Iterator[Block]:
        for trigger, numbers in _MEMBERS[agent]:
            answers = [self._as_today(number) for number in numbers]
            yield Block(trigger, tuple(tidy(answers, self._checks.get(agent, ()))))

    def _as_today(self, number: int) -> Answer:
        answer = self._by_number[number]
        if number in _TOLD:
            return Answer(number, answer.agent, answer.text, answer.calls[1:])
        if number in _ASKS:
            return waiting(answer)
        if number in _APPENDS:
            (name, given), *others = answer.calls
            return Answer(number, answer.agent, answer.text, ((name, {**given, "append": True}), *others))
        return _WAITS.get(number, answer)

    def _parts(self, parts: Sequence[tuple[int, tuple[int, ...]]]) -> list[Answer]:
        """Return answers made of some calls of recorded ones: (number, places; none for all)."""
        made = []
        for number, places in parts:
            answer = self._by_number[number]
            calls = tuple(answer.calls[n] for n in places) if places else answer.calls
            made.append(Answer(number, answer.agent, answer.text, tuple(_one_call_a_file(calls))))
        return made

    def _beginning(self) -> list[Answer]:
        """Plan, interfaces, and recruiting with the first assignments."""
        plan, recruits, assigns = (self._by_number[number] for number in (1, 2, 3))
        given = {arguments["to"]: arguments for name, arguments in assigns.calls if name == "assign"}
        calls: list[Call] = list(plan.calls)
        for name, arguments in recruits.calls:
            if name == "recruit":
                members = [_with_task(member, given[member["name"]]) for member in arguments["members"]]
                calls.append((name, {**arguments, "members": members, "wait": True}))
            elif name != "ask_human":  # nobody attends, and it is not offered then
                calls.append((name, arguments))
        return [Answer(recruits.number, recruits.agent, recruits.text, tuple(calls))]


def _with_task(member: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    task = f"{given['details']}\nDone when: {given['acceptance']}"
    return {
        "name": member["name"],
        "role": member["role"],
        "task": task,
        "command": given.get("command", []),
    }


_WAITS = {
    28: Answer(28, "Tester", "", (("wait_for", {"what": ["search.py"]}),)),
    35: Answer(35, "Integrator", "", (("wait_for", {"what": ["search.py"]}),)),
}
"""Answers that asked to be told when a file is there, or looked again whether it is."""

_ASKS = frozenset({49})
"""Answers that ask for a repair, after which the same is run again."""

_TOLD = frozenset({36, 32})
"""Answers that begin with what is over now: telling that a file is there, a reconciled config.py."""

_APPENDS = frozenset({13, 14})
"""Answers that begin by adding to config.py, which both of them write; 18 and 23 read it and conflicted."""

_MEMBERS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "Rules": (("Assignment #", (5, 11, 21)),),
    "Screen": (("Assignment #", (6, 12, 22, 25, 30)),),
    "Evaluator": (
        ("Assignment #", (7, 13, 17, 26, 29)),
        ("Boss rejected #4", (52, 54, 57)),
    ),
    "Searcher": (
        ("Assignment #", (8, 14, 32, 36)),
        ("was rejected", (45, 48, 50)),
        ("evaluation.py revision 29", (64, 66, 67)),
    ),
    "Integrator": (
        ("Assignment #", (9, 15, 20, 24, 33, 35)),
        ("search.py is there", (38, 40)),
        ("was rejected", (47, 51)),
        ("test_user_wins fails", (56, 59)),
    ),
    "Tester": (
        ("Assignment #", (10, 16, 19, 28)),
        ("search.py is there", (43, 49)),
        ("Mended in main.py", (55, 61)),
    ),
}
"""By member: the words that begin a block, and the recorded answers in it."""

_Parts = tuple[tuple[int, tuple[int, ...]], ...]
_ROUNDS: dict[int, tuple[_Parts, ...]] = {
    1: (((27, ()), (31, ())),),
    2: (((37, (0, 2)), (39, (0,))),),
    3: (((37, (1, 3)), (39, (1,))),),
    4: (((41, ()), (42, (0,))), ((68, (2,)), (69, (0,)))),
    5: (((42, (1, 2)), (44, ())), ((53, (1,)), (58, ()))),
    6: (((62, ()), (63, ())),),
}
"""By assignment: what the boss did about each submission, as (answer, places of its calls)."""

_END: _Parts = ((69, (1, 2, 3, 4, 5)), (72, ()))
