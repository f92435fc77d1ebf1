"""Programs are compared by what they do with lines typed in, whatever their wording; no model takes part."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.llm.local.authoring.candidate_selection import (
    Seen,
    Trial,
    agreed,
    choose,
    keeps,
    rehearse,
    typed_lines,
)
from engine.llm.local.authoring.functions import (
    functions_of,
    saying,
    suspects,
    unused_constants,
    with_function,
    without,
)
from engine.llm.local.authoring.program_writer import ENDLESS_ROOTS, Author
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
    """Runs the texts of this module, which are known, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def status(self) -> SandboxStatus:
        """There is one."""
        return SandboxStatus(available=True, mechanism="none")

    async def run(self, request: RunRequest) -> RunResult:
        """As a child process."""
        for path, content in request.files.items():
            (self._folder / path).write_bytes(content)
        argv = [sys.executable, *request.argv[1:]]
        made = await asyncio.to_thread(
            subprocess.run, argv, input=request.stdin, capture_output=True, cwd=self._folder, check=False
        )
        return RunResult(made.returncode, made.stdout.decode())

    async def open(self, request: RunRequest) -> tuple[SandboxSession, RunResult]:
        """Nothing here talks."""
        raise AssertionError(request)


@pytest.fixture
def sandbox(tmp_path: Path) -> PlainSandbox:
    """A folder to run in."""
    return PlainSandbox(tmp_path)


async def tried(sandbox: PlainSandbox, *texts: str) -> list[Trial]:
    """Each text rehearsed as a version of its own root."""
    versions = [Trial(text, {}, root=number) for number, text in enumerate(texts)]
    return [await rehearse(sandbox, "main.py", {}, version) for version in versions]


async def test_versions_with_other_words_and_another_way_of_typing_agree(sandbox: PlainSandbox) -> None:
    """Two programs that end after the same numbers behave alike, though nothing they say is the same."""
    trials = await tried(sandbox, GUESS, OTHER_WORDS)
    assert [trial.way for trial in trials] == ["spaced", "single"]
    assert trials[0].behaviour == trials[1].behaviour
    assert agreed(trials)


async def test_one_that_stands_alone_is_not_kept(sandbox: PlainSandbox) -> None:
    """A version that never ends and one that breaks lose against two that agree."""
    trials = await tried(sandbox, NEVER_ENDS, BREAKS, GUESS, OTHER_WORDS)
    assert not agreed(trials[:2])
    assert choose(trials).text == GUESS


async def test_nonsense_shows_where_a_program_breaks(sandbox: PlainSandbox) -> None:
    """The crash is told with the function and the line it came from."""
    (broken,) = await tried(sandbox, BREAKS)
    assert not broken.steady
    assert broken.fault[0] == "main" and "ValueError" in broken.fault[1] and "input" in broken.fault[1]


async def test_without_input_the_words_said_are_compared(sandbox: PlainSandbox) -> None:
    """Programs that read nothing agree when they say the same, punctuation aside."""
    trials = await tried(sandbox, SILENT, 'print("[2 3 5]")', 'print("2, 3, 4")')
    assert agreed(trials[:2]) and not agreed(trials[1:])
    assert typed_lines(trials[0]) == ""


async def test_the_lines_that_end_a_program_are_known(sandbox: PlainSandbox) -> None:
    """What is typed into a run brings the program to its end, and not a line is left over."""
    (trial,) = await tried(sandbox, GUESS)
    numbers = [sum(map(int, line.split())) for line in typed_lines(trial).splitlines()]
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
    told = "1. Two players.\n2. The board is 15x15, rows 0-14.\n12. Five in a row win, not 4.\n"
    assert numbers_in(told) == {15, 5, 4}


def test_a_version_that_leaves_out_a_number_of_its_account_does_not_count() -> None:
    """However many agree with it; one that names it is kept before them."""
    seen = {"spaced": (Seen(9, "ends"),)}
    without_it = [Trial("LEFT = 4\nprint(LEFT)", seen, root=n, told=frozenset({5})) for n in range(3)]
    with_it = Trial("print(5)", {"spaced": (Seen(11, "ends"),)}, root=3, told=frozenset({5}))
    assert without_it[0].lacking == ["5"] and not with_it.lacking
    assert not agreed(without_it)
    assert choose([*without_it, with_it]) is with_it


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
MENDED_TRY = """try:
            total += int(input(f"Player {player}, a number: ").split()[0])
        except (ValueError, IndexError):
            continue"""
MENDED_TURNS = """    total, player = 0, 1
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


async def test_an_end_that_names_the_wrong_one_is_mended(sandbox: PlainSandbox) -> None:
    """The model is shown whom it had asked last and whom it named, in the function that says it."""
    asked: list[str] = []
    caught = TURNS.replace('total += int(input(f"Player {player}, a number: ").split()[0])', MENDED_TRY)
    answers = iter(["a race.", caught, MENDED_TURNS, "a race.", TURNS, MENDED_TURNS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = Author(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert kept.coherent and "return" in kept.text
    assert "failed in play" in asked[2] and "which names the wrong one" in asked[2]


async def test_a_number_left_out_has_what_decides_written_anew(sandbox: PlainSandbox) -> None:
    """At once, with that number begun for it, and the version that keeps the rule is taken."""
    asked: list[list[dict[str, str]]] = []
    answers = iter(["a sum: over 31 it ends.", GUESS, 'over."""\n    return total >= 31', "a sum.", GUESS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages)
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = Author(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert "nothing uses 31" in asked[2][-2]["content"] and "With 31: " in asked[2][-1]["content"]
    assert "return total >= 31" in kept.text


def test_who_says_something_is_found_in_a_method_with_a_text_at_the_margin() -> None:
    """By the words of its texts, however they are laid out; nobody when nobody says it."""
    shown = "class A:\n    def show(self):\n        print('''\nBoard\n''')\n"
    program = f"{shown}\n    def end(self):\n        print(f'Player {{1}} wins!')\n"
    found = saying(program, frozenset({"Player", "2", "wins"}))
    assert found is not None and found.name == "end"
    assert saying(program, frozenset({"draw"})) is None


async def test_an_author_rewrites_the_function_that_spoils_the_program(sandbox: PlainSandbox) -> None:
    """Whole versions that never end, then the function of one anew: two that agree are kept."""
    whole = ["a sum.", NEVER_ENDS] * ENDLESS_ROOTS
    answers = iter([*whole, 'Too much."""\n    return total >= 31', 'Over."""\n    return total > 30'])
    asked: list[str] = []

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    kept = await Author(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {}).write()
    assert "return total >= 31" in kept.text and kept.ends > 0
    assert "is_over" in asked[-1] and "-1" not in asked[-1]


MENDED = """    total = 0
    while not is_over(total):
        try:
            total += sum(map(int, input("Two numbers: ").split()))
        except ValueError:
            print("Numbers, please.")
    print("Done.")
"""


async def test_what_breaks_is_mended_and_must_do_as_before(sandbox: PlainSandbox) -> None:
    """The model sees the function and how it failed; a mended one that ends elsewhere is dropped."""
    asked: list[str] = []
    elsewhere = MENDED.replace("total += sum", "total += 3 * sum")
    answers = iter(["a sum.", BREAKS, elsewhere, MENDED, "a sum.", GUESS])

    async def unit(
        messages: list[dict[str, str]], stop: str, temperature: float, limit: int = 0
    ) -> tuple[str, int]:
        asked.append(messages[-2]["content"])
        return next(answers), 20

    call = Call("write_file", {"path": "main.py"})
    author = Author(unit, sandbox, [{"role": "user", "content": "Go."}], call, "content", {})
    kept = await author.write()
    assert kept.steady and "3 *" not in kept.text and len(author.trials) == 3
    assert "except KeyError" in asked[2] and "ValueError" in asked[2]
    assert asked[2] == asked[3]


async def test_a_mended_version_agrees_with_no_other_of_its_making(sandbox: PlainSandbox) -> None:
    """Two repairs of one version were not written apart: they prove nothing to each other."""
    one, two = await tried(sandbox, GUESS, GUESS.replace("Done.", "Ready."))
    assert agreed([one, two])
    assert not agreed([one, replace(two, root=one.root)])


def test_the_one_who_is_named_at_the_end_was_asked_last() -> None:
    """Also where a move is asked for in two questions; who switched players too early is found out."""
    asked = ("Player 2, row:", "Player 2, column:", "Player 1, row:", "Player 1, column:")
    right = Trial("", {"single": (Seen(4, "ends", "Player 1 wins!", asked),)})
    wrong = Trial("", {"single": (Seen(4, "ends", "Player 2 wins!", asked),)})
    assert right.coherent and not wrong.coherent


def test_a_parent_that_broke_everywhere_binds_nobody() -> None:
    """Only where the parent did not break must a mended version do the same."""
    broke, ends = Seen(3, "crashes"), Seen(9, "ends")
    parent = Trial("", {"spaced": (broke, ends)})
    assert keeps(parent, Trial("", {"spaced": (ends, ends)}))
    assert not keeps(parent, Trial("", {"spaced": (ends, Seen(8, "ends"))}))
