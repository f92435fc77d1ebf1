"""Write several candidate programs and keep the one that does best in trial runs (candidate_selection.py).

Each candidate starts with the model's own specification of what is wanted. If one breaks, or its final
line names another player than it prompted last, that function is repaired, and the repaired candidate is
dropped unless it behaves as before wherever nothing broke. If one does not use a number of its
specification, its most decisive function is rewritten. While no candidates agree, more whole programs are
written, then single functions of the best one are rewritten.

No rule of a particular program is stored here, but the method was tuned on interactive two-player programs
that read numbers from standard input; expect less from other kinds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.llm.local.authoring.candidate_selection import (
    Candidate,
    candidates_agree,
    choose_candidate,
    preserves_behaviour,
    run_sessions,
)
from engine.llm.local.authoring.functions import Function, functions_of, suspects, with_function, without
from engine.llm.local.protocol.prompts import (
    DOCSTRING,
    SPEC_OPENING,
    Call,
    ask_for_spec,
    ask_for_text,
    ask_to_repair,
    ask_to_rewrite,
    code_after,
    is_sound,
    numbers_in,
    stop_of,
    text_of,
)
from engine.ports import Sandbox

ROOTS = 6
ENDLESS_ROOTS = 4
ROUNDS = 24
REWRITES = 4
REPAIRS = 3
COMPLETIONS = 2
FUNCTION_TOKENS = 400
SPEC_TOKENS = 110
PROGRAM_TOKENS = 1100
SPEC_TEMPERATURE = 0.3
TOKEN_BUDGET = 8_000
TEMPERATURES = (0.2, 0.3, 0.4, 0.5, 0.5, 0.6)
REWRITE_TEMPERATURES = (0.2, 0.4, 0.6, 0.8)

Messages = list[dict[str, str]]


class GenerateText(Protocol):
    """Generates free text with the model, up to `stop`, within `limit` tokens (0: the default limit)."""

    def __call__(
        self, messages: Messages, stop: str, temperature: float, limit: int = 0
    ) -> Awaitable[tuple[str, int]]:
        """Return the text and the number of completion tokens."""


@dataclass(slots=True)
class ProgramWriter:
    """Writes the program of one tool call.

    `files` may be imported by the program; `plain` is the conversation so far.
    """

    generate: GenerateText
    sandbox: Sandbox
    plain: Messages
    call: Call
    argument: str
    files: Mapping[str, bytes]
    candidates: list[Candidate] = field(default_factory=list)
    lead: dict[int, Messages] = field(default_factory=dict)
    tried: dict[tuple[int, str], int] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    completed: dict[int, int] = field(default_factory=dict)
    spec_numbers: dict[int, frozenset[int]] = field(default_factory=dict)
    written: int = 0

    @property
    def path(self) -> str:
        """Return the program's path, "" if the call names none."""
        return str(self.call.arguments.get("path", ""))

    async def write(self) -> Candidate:
        """Return the best candidate; after TOKEN_BUDGET tokens the best so far.

        The budget counts tokens, not seconds, so that a slow machine gets the same result.
        """
        for _ in range(ROUNDS):
            if (broken := self._count_broken()) is not None:
                await self._repair(*broken)
            elif (unused_numbers := self._next_incomplete()) is not None:
                await self._complete(*unused_numbers)
            elif not self._has_enough_candidates():
                await self._write_candidate(len(self.lead))
            elif (suspect := self._next_suspect()) is not None:
                await self._rewrite_suspect(*suspect)
            else:
                break
            if candidates_agree(self.candidates) or self.written > TOKEN_BUDGET:
                break
        return choose_candidate(self.candidates)

    def _has_enough_candidates(self) -> bool:
        """Return True once enough whole programs exist; fewer are allowed when none terminates."""
        most = ROOTS if any(candidate.finished for candidate in self.candidates) else ENDLESS_ROOTS
        return bool(self.tried) or len(self.lead) >= most

    def _next_suspect(self) -> tuple[Candidate, Function] | None:
        """Return the best candidate and its next function to rewrite; None if the attempts are used up."""
        best = choose_candidate(self.candidates)
        spent = sum(times for (root, _), times in self.tried.items() if root == best.root)
        if not best.asks or spent >= REWRITES + 2:
            return None
        for function in suspects(best.text):
            if self.tried.get((best.root, function.name), 0) < REWRITES:
                return best, function
        return None

    def _next_incomplete(self) -> tuple[Candidate, Function] | None:
        """Return the newest root's best candidate if it leaves out numbers of its specification, with its
        most decisive function."""
        newest = [candidate for candidate in self.candidates if candidate.root == len(self.lead) - 1]
        best = choose_candidate(newest) if newest else None
        if (
            best is None
            or not best.asks
            or not best.unused_numbers
            or self.completed.get(best.root, 0) >= COMPLETIONS
        ):
            return None
        return next(((best, function) for function in suspects(best.text)), None)

    async def _complete(self, best: Candidate, function: Function) -> None:
        times = self.completed.get(best.root, 0)
        self.completed[best.root] = times + 1
        await self._rewrite(best, function, REWRITE_TEMPERATURES[times])

    def _count_broken(self) -> tuple[Candidate, Function] | None:
        """Return the candidate and function to repair: the newest root's best, finally the best of all.

        A candidate that only invalid input breaks and that never finishes is repaired only at the end.
        """
        newest = [candidate for candidate in self.candidates if candidate.root == len(self.lead) - 1]
        last = self._has_enough_candidates()
        for best in [choose_candidate(those) for those in (newest, self.candidates if last else ()) if those]:
            if (
                best.fault
                and self.repairs.get(best.text, 0) < REPAIRS
                and (best.crashes or best.finished or last)
            ):
                for function in functions_of(best.text):
                    if function.name == best.fault[0]:
                        return best, function
        return None

    async def _write_candidate(self, root: int) -> None:
        temperature = TEMPERATURES[min(root, len(TEMPERATURES) - 1)]
        spec = ask_for_spec(self.call)
        account = await self._write(self.plain + spec, "```", max(temperature, SPEC_TEMPERATURE), SPEC_TOKENS)
        account = account.removeprefix(SPEC_OPENING)
        self.spec_numbers[root] = numbers_in(account)
        self.lead[root] = [*self.plain, *spec[:-1], {"role": "assistant", "content": SPEC_OPENING + account}]
        asked = self.lead[root] + ask_for_text(self.call, self.argument)[1:]
        answer = await self._write(asked, stop_of(self.call, self.argument), temperature, PROGRAM_TOKENS)
        await self._try(text_of(answer, self.argument), root)

    async def _repair(self, best: Candidate, function: Function) -> None:
        times = self.repairs.get(best.text, 0)
        self.repairs[best.text] = times + 1
        asked = self.lead[best.root] + ask_to_repair(self.path, best.text, function, best.fault[1])
        answer = await self._write(asked, "\n```", REWRITE_TEMPERATURES[times], FUNCTION_TOKENS)
        text = with_function(best.text, function, code_after(answer, f"{function.head}\n"))
        if text is None or text == best.text:
            return
        candidate = await self._with_results(replace(best, text=text, seen={}, nonsense=None))
        if preserves_behaviour(best, candidate):
            self.candidates.append(candidate)

    async def _rewrite_suspect(self, best: Candidate, function: Function) -> None:
        times = self.tried.get((best.root, function.name), 0)
        self.tried[best.root, function.name] = times + 1
        await self._rewrite(best, function, REWRITE_TEMPERATURES[times])

    async def _rewrite(self, best: Candidate, function: Function, temperature: float) -> None:
        unused_numbers = best.unused_numbers
        wrong = f"So far nothing uses {', '.join(unused_numbers)}." if unused_numbers else ""
        opening = f"{function.head}\n{DOCSTRING}{''.join(f'With {name}: ' for name in unused_numbers[:1])}"
        asked = self.lead[best.root] + ask_to_rewrite(
            self.path, without(best.text, function), function.name, opening, wrong
        )
        answer = await self._write(asked, "\n```", temperature, FUNCTION_TOKENS)
        text = with_function(best.text, function, code_after(answer, opening))
        if text is not None and text != best.text:
            await self._try(text, best.root, function.name)

    async def _write(self, messages: Messages, stop: str, temperature: float, limit: int) -> str:
        text, tokens = await self.generate(messages, stop, temperature, limit)
        self.written += tokens
        return text

    async def _try(self, text: str, root: int, changed: str = "") -> None:
        spec_numbers = self.spec_numbers.get(root, frozenset())
        candidate = Candidate(
            text, {}, root=root, changed=changed, origin=len(self.candidates), spec_numbers=spec_numbers
        )
        self.candidates.append(await self._with_results(candidate))

    async def _with_results(self, candidate: Candidate) -> Candidate:
        if not is_sound(self.path, candidate.text):
            return candidate
        return await run_sessions(self.sandbox, self.path, self.files, candidate)
