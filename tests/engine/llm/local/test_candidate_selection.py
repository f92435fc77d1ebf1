"""Programs are compared by how they behave on scripted input, whatever their wording; no model takes part."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.llm.local.authoring.candidate_selection import (
    Candidate,
    SessionResult,
    candidates_agree,
    choose_candidate,
    example_input,
    preserves_behaviour,
    run_sessions,
)
from engine.llm.local.authoring.functions import (
    function_printing,
    functions_of,
    suspects,
    unused_constants,
    with_function,
    without,
)
from engine.llm.local.authoring.program_writer import ENDLESS_ROOTS, ProgramWriter
from engine.llm.local.protocol.prompts import Call, numbers_in
from engine.ports import RunRequest, RunResult, SandboxSession, SandboxStatus

GUESS = '''
def is_over(total):
    """Whether enough was given."""
    return total > 30

def main():
    total = 0
    while not is_over(total):
        try:
            total += sum(map(int, input("Two numbers: ").split()))
        except ValueError:
            print("Numbers, please.")
    print("Done.")

main()
'''
OTHER_WORDS = """
spent, limit = 0, 30
while spent <= limit:
    first = input("first? ")
    second = input("second? ")
    if first.isdigit() and second.isdigit():
        spent += int(first) + int(second)
print("That was enough, thank you")
"""
NEVER_ENDS = GUESS.replace("return total > 30", "return total == -1")
BREAKS = GUESS.replace("except ValueError", "except KeyError")
SILENT = 'print("2, 3, 5")\n'


class PlainSandbox:
    """Runs the programs of this module, which are harmless, in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def status(self) -> SandboxStatus:
        """Return that a sandbox is available."""
        return SandboxStatus(available=True, mechanism="none")

    async def run(self, request: RunRequest) -> RunResult:
        """Run the request as a child process."""
        for path, content in request.files.items():
            (self._folder / path).write_bytes(content)
        argv = [sys.executable, *request.argv[1:]]
        made = await asyncio.to_thread(
            subprocess.run, argv, input=request.stdin, capture_output=True, cwd=self._folder, check=False
        )
        return RunResult(made.returncode, made.stdout.decode())

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Raise: no test here opens a session."""
        raise AssertionError(request)


@pytest.fixture
def sandbox(tmp_path: Path) -> PlainSandbox:
    """Return a sandbox in a temporary folder."""
    return PlainSandbox(tmp_path)


async def tried(sandbox: PlainSandbox, *texts: str) -> list[Candidate]:
    """Return each text as a candidate of its own root, with its session results."""
    made = [Candidate(text, {}, root=number) for number, text in enumerate(texts)]
    return [await run_sessions(sandbox, "main.py", {}, candidate) for candidate in made]


async def test_candidates_with_other_output_and_input_style_agree(sandbox: PlainSandbox) -> None:
    """Two programs that end after the same numbers behave alike, though their output differs."""
    candidates = await tried(sandbox, GUESS, OTHER_WORDS)
    assert [candidate.input_style for candidate in candidates] == ["spaced", "single"]
    assert candidates[0].behaviour == candidates[1].behaviour
    assert candidates_agree(candidates)


async def test_a_candidate_without_agreement_is_not_selected(sandbox: PlainSandbox) -> None:
    """A candidate that never ends and one that breaks lose to two that agree."""
    candidates = await tried(sandbox, NEVER_ENDS, BREAKS, GUESS, OTHER_WORDS)
    assert not candidates_agree(candidates[:2])
    assert choose_candidate(candidates).text == GUESS


async def test_nonsense_shows_where_a_program_breaks(sandbox: PlainSandbox) -> None:
    """The crash is reported with the function and the line it came from."""
    (broken,) = await tried(sandbox, BREAKS)
    assert not broken.survives_nonsense
    assert broken.fault[0] == "main" and "ValueError" in broken.fault[1] and "input" in broken.fault[1]


async def test_without_input_the_words_said_are_compared(sandbox: PlainSandbox) -> None:
    """Programs that read nothing agree when they say the same, punctuation aside."""
    candidates = await tried(sandbox, SILENT, 'print("[2 3 5]")', 'print("2, 3, 4")')
    assert candidates_agree(candidates[:2]) and not candidates_agree(candidates[1:])
    assert example_input(candidates[0]) == ""


async def test_the_lines_that_end_a_program_are_known(sandbox: PlainSandbox) -> None:
    """What is typed into a run brings the program to its end, and not a line is left over."""
    (candidate,) = await tried(sandbox, GUESS)
    numbers = [sum(map(int, line.split())) for line in example_input(candidate).splitlines()]
    assert sum(numbers) > 30 >= sum(numbers[:-1])


def test_a_function_is_taken_out_and_put_in_again() -> None:
    """Its body is replaced and nothing around it, also for a method; other text is no such function."""
    program = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n"
    first, second = functions_of(program)
    assert "return 1" not in without(program, first) and "return 2" in without(program, first)
    changed = with_function(program, second, "def g(self):\n    return 3")
    assert changed == program.replace("return 2", "return 3")
    assert with_function(program, second, "def h(self):\n    return 3") is None


def test_suspects_are_those_that_decide() -> None:
    """Functions that talk are left alone."""
    assert [f.name for f in suspects(GUESS)] == ["is_over"]
    assert suspects("no program at all (") == []


def test_a_number_that_nothing_uses_is_seen() -> None:
    """A constant of the top that no code reads is a rule that is not kept; texts and used ones are none."""
    assert unused_constants("LIMIT = 5\nSIZE = 9\nNAME = 'x'\nprint(SIZE)\n") == ["LIMIT = 5"]
    assert unused_constants("EMPTY = 0\nBLACK = 1\nWHITE = 2\nDRAW = 3\n") == []


def test_the_numbers_of_an_account() -> None:
    """In digits and words; numbers of its lines, ends of a range and what is in every program are none."""
    spec = "1. Two players.\n2. The board is 15x15, rows 0-14.\n12. Five in a row win, not 4.\n"
    assert numbers_in(spec) == {15, 5, 4}


def test_a_version_that_leaves_out_a_number_of_its_account_does_not_count() -> None:
    """However many agree with it; a candidate that uses the number is preferred."""
    seen = {"spaced": (SessionResult(9, "ends"),)}
    without_it = [
        Candidate("LEFT = 4\nprint(LEFT)", seen, root=n, spec_numbers=frozenset({5})) for n in range(3)
    ]
    with_it = Candidate(
        "print(5)", {"spaced": (SessionResult(11, "ends"),)}, root=3, spec_numbers=frozenset({5})
    )
    assert without_it[0].unused_numbers == ["5"] and not with_it.unused_numbers
    assert not candidates_agree(without_it)
    assert choose_candidate([*without_it, with_it]) is with_it


TURNS = """def over(total):
    return total > 30

def play():
    total, player = 0, 1
    while not over(total):
        total += int(input(f"Player {player}, a number: ").split()[0])
        player = 3 - player
    print(f"Player {player} wins!")

play()
"""
REPAIRED_TRY = """try:
            total += int(input(f"Player {player}, a number: ").split()[0])
        except (ValueError, IndexError):
            continue"""
REPAIRED_TURNS = """    total, player = 0, 1
    while True:
        try:
            total += int(input(f"Player {player}, a number: ").split()[0])
        except (ValueError, IndexError):
            continue
        if over(total):
            print(f"Player {player} wins!")
            return
        player = 3 - player
"""


async def test_an_end_that_names_the_wrong_player_is_repaired(sandbox: PlainSandbox) -> None:
    """The model is shown which player was prompted last and which was named, in the printing function."""
    asked: list[str] = []
    caught = TURNS.replace('total += int(input(f"Player {player}, a number: ").split()[0])', REPAIRED_TRY)
    answers = iter(["a race.", caught, REPAIRED_TURNS, "a race.", TURNS, REPAIRED_TURNS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = ProgramWriter(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert kept.names_the_right_one and "return" in kept.text
    assert "failed in play" in asked[2] and "which names the wrong one" in asked[2]


async def test_a_number_left_out_has_the_deciding_function_rewritten(sandbox: PlainSandbox) -> None:
    """At once, with that number in the opening, and the candidate that keeps the rule is selected."""
    asked: list[list[dict[str, str]]] = []
    answers = iter(["a sum: over 31 it ends.", GUESS, 'over."""\n    return total >= 31', "a sum.", GUESS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages)
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = ProgramWriter(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert "nothing uses 31" in asked[2][-2]["content"] and "With 31: " in asked[2][-1]["content"]
    assert "return total >= 31" in kept.text


def test_the_printing_function_is_found_in_a_class_with_an_unindented_string() -> None:
    """By the words of its string literals, whatever their layout; None if no function holds them."""
    shown = "class A:\n    def show(self):\n        print('''\nBoard\n''')\n"
    program = f"{shown}\n    def end(self):\n        print(f'Player {{1}} wins!')\n"
    found = function_printing(program, frozenset({"Player", "2", "wins"}))
    assert found is not None and found.name == "end"
    assert function_printing(program, frozenset({"draw"})) is None


async def test_the_function_that_spoils_the_program_is_rewritten(sandbox: PlainSandbox) -> None:
    """After whole programs that never end, one function is rewritten until two candidates agree."""
    whole = ["a sum.", NEVER_ENDS] * ENDLESS_ROOTS
    answers = iter([*whole, 'Too much."""\n    return total >= 31', 'Over."""\n    return total > 30'])
    asked: list[str] = []

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    kept = await ProgramWriter(
        unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {}
    ).write()
    assert "return total >= 31" in kept.text and kept.finished > 0
    assert "is_over" in asked[-1] and "-1" not in asked[-1]


REPAIRED = """    total = 0
    while not is_over(total):
        try:
            total += sum(map(int, input("Two numbers: ").split()))
        except ValueError:
            print("Numbers, please.")
    print("Done.")
"""


async def test_what_breaks_is_repaired_and_must_behave_as_before(sandbox: PlainSandbox) -> None:
    """The model sees the function and how it failed; a repair that ends elsewhere is dropped."""
    asked: list[str] = []
    elsewhere = REPAIRED.replace("total += sum", "total += 3 * sum")
    answers = iter(["a sum.", BREAKS, elsewhere, REPAIRED, "a sum.", GUESS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = ProgramWriter(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert kept.survives_nonsense and "3 *" not in kept.text and len(author.candidates) == 3
    assert "except KeyError" in asked[2] and "ValueError" in asked[2]
    assert asked[2] == asked[3]


async def test_a_repaired_candidate_agrees_with_no_other_of_its_origin(sandbox: PlainSandbox) -> None:
    """Two repairs of one candidate are not independent, so their agreement is no evidence."""
    one, two = await tried(sandbox, GUESS, GUESS.replace("Done.", "Ready."))
    assert candidates_agree([one, two])
    assert not candidates_agree([one, replace(two, root=one.root)])


def test_the_player_named_at_the_end_was_prompted_last() -> None:
    """Also where a move is asked for in two questions; who switched players too early is found out."""
    asked = ("Player 2, row:", "Player 2, column:", "Player 1, row:", "Player 1, column:")
    right = Candidate("", {"single": (SessionResult(4, "ends", "Player 1 wins!", asked),)})
    wrong = Candidate("", {"single": (SessionResult(4, "ends", "Player 2 wins!", asked),)})
    assert right.names_the_right_one and not wrong.names_the_right_one


def test_a_repair_must_match_only_the_sessions_that_did_not_break() -> None:
    """Sessions in which the parent broke may end differently after the repair."""
    broke, finished = SessionResult(3, "crashes"), SessionResult(9, "ends")
    parent = Candidate("", {"spaced": (broke, finished)})
    assert preserves_behaviour(parent, Candidate("", {"spaced": (finished, finished)}))
    assert not preserves_behaviour(parent, Candidate("", {"spaced": (finished, SessionResult(8, "ends"))}))
