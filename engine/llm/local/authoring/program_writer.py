"""Writes a program in several versions and keeps the one that passes its trial runs (candidate_selection.py).

Each version begins with the model's own account of what is wanted. Where one breaks, or names another at
its end than it asked last, that function is mended, and the mended version is dropped unless it does as
before wherever nothing broke. One that does not use a number of its account has what decides written anew.
As long as no versions agree, whole ones are written, then single functions of the best one anew. Nothing
here knows what the program is for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.llm.local.authoring.candidate_selection import Trial, agreed, choose, keeps, rehearse
from engine.llm.local.authoring.functions import Function, functions_of, suspects, with_function, without
from engine.llm.local.protocol.prompts import (
    DOCSTRING,
    UNDERSTOOD,
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
ACCOUNT_WARMTH = 0.3
PATIENCE_TOKENS = 8_000
WARMTH = (0.2, 0.3, 0.4, 0.5, 0.5, 0.6)
ANEW_WARMTH = (0.2, 0.4, 0.6, 0.8)

Messages = list[dict[str, str]]


class UnitOfWork(Protocol):
    """Free text from the model, up to `stop`, at a temperature, within `limit` tokens (0: the usual)."""

    def __call__(
        self, messages: Messages, stop: str, temperature: float, limit: int = 0
    ) -> Awaitable[tuple[str, int]]:
        """The text and how many tokens it took to write."""


@dataclass(slots=True)
class Author:
    """Writes the program of one call. `files` are those it may import, `plain` the conversation so far."""

    pen: UnitOfWork
    sandbox: Sandbox
    plain: Messages
    call: Call
    argument: str
    files: Mapping[str, bytes]
    trials: list[Trial] = field(default_factory=list)
    lead: dict[int, Messages] = field(default_factory=dict)
    tried: dict[tuple[int, str], int] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    completed: dict[int, int] = field(default_factory=dict)
    told: dict[int, frozenset[int]] = field(default_factory=dict)
    written: int = 0

    @property
    def path(self) -> str:
        """The program's path."""
        return str(self.call.arguments.get("path", ""))

    async def write(self) -> Trial:
        """The version to keep, after PATIENCE_TOKENS the best so far: the same on a slow machine."""
        for _ in range(ROUNDS):
            if (broken := self._broken()) is not None:
                await self._repair(*broken)
            elif (lacking := self._lacking()) is not None:
                await self._complete(*lacking)
            elif not self._enough():
                await self._whole(len(self.lead))
            elif (suspect := self._suspect()) is not None:
                await self._anew(*suspect)
            else:
                break
            if agreed(self.trials) or self.written > PATIENCE_TOKENS:
                break
        return choose(self.trials)

    def _enough(self) -> bool:
        """Whether no more whole ones are worth it: fewer where none comes to an end to be compared by."""
        most = ROOTS if any(trial.ends for trial in self.trials) else ENDLESS_ROOTS
        return bool(self.tried) or len(self.lead) >= most

    def _suspect(self) -> tuple[Trial, Function] | None:
        """The function of the best version to write anew."""
        best = choose(self.trials)
        spent = sum(times for (root, _), times in self.tried.items() if root == best.root)
        if not best.asks or spent >= REWRITES + 2:
            return None
        for function in suspects(best.text):
            if self.tried.get((best.root, function.name), 0) < REWRITES:
                return best, function
        return None

    def _lacking(self) -> tuple[Trial, Function] | None:
        """The version of the newest root that does not use what its own account names, and what decides most
        in it."""
        newest = [trial for trial in self.trials if trial.root == len(self.lead) - 1]
        best = choose(newest) if newest else None
        if (
            best is None
            or not best.asks
            or not best.lacking
            or self.completed.get(best.root, 0) >= COMPLETIONS
        ):
            return None
        return next(((best, function) for function in suspects(best.text)), None)

    async def _complete(self, best: Trial, function: Function) -> None:
        times = self.completed.get(best.root, 0)
        self.completed[best.root] = times + 1
        await self._rewrite(best, function, ANEW_WARMTH[times])

    def _broken(self) -> tuple[Trial, Function] | None:
        """What is to be mended: the best version of the newest root, in the end the best of all. One that
        only nonsense breaks and that never ends is not worth it before."""
        newest = [trial for trial in self.trials if trial.root == len(self.lead) - 1]
        last = self._enough()
        for best in [choose(those) for those in (newest, self.trials if last else ()) if those]:
            if (
                best.fault
                and self.repairs.get(best.text, 0) < REPAIRS
                and (best.crashes or best.ends or last)
            ):
                for function in functions_of(best.text):
                    if function.name == best.fault[0]:
                        return best, function
        return None

    async def _whole(self, root: int) -> None:
        warmth = WARMTH[min(root, len(WARMTH) - 1)]
        spec = ask_for_spec(self.call)
        told = await self._write(self.plain + spec, "```", max(warmth, ACCOUNT_WARMTH), SPEC_TOKENS)
        told = told.removeprefix(UNDERSTOOD)
        self.told[root] = numbers_in(told)
        self.lead[root] = [*self.plain, *spec[:-1], {"role": "assistant", "content": UNDERSTOOD + told}]
        asked = self.lead[root] + ask_for_text(self.call, self.argument)[1:]
        answer = await self._write(asked, stop_of(self.call, self.argument), warmth, PROGRAM_TOKENS)
        await self._try(text_of(answer, self.argument), root)

    async def _repair(self, best: Trial, function: Function) -> None:
        times = self.repairs.get(best.text, 0)
        self.repairs[best.text] = times + 1
        asked = self.lead[best.root] + ask_to_repair(self.path, best.text, function, best.fault[1])
        answer = await self._write(asked, "\n```", ANEW_WARMTH[times], FUNCTION_TOKENS)
        text = with_function(best.text, function, code_after(answer, f"{function.head}\n"))
        if text is None or text == best.text:
            return
        trial = await self._rehearsed(replace(best, text=text, seen={}, nonsense=None))
        if keeps(best, trial):
            self.trials.append(trial)

    async def _anew(self, best: Trial, function: Function) -> None:
        times = self.tried.get((best.root, function.name), 0)
        self.tried[best.root, function.name] = times + 1
        await self._rewrite(best, function, ANEW_WARMTH[times])

    async def _rewrite(self, best: Trial, function: Function, warmth: float) -> None:
        lacking = best.lacking
        wrong = f"So far nothing uses {', '.join(lacking)}." if lacking else ""
        begun = f"{function.head}\n{DOCSTRING}{''.join(f'With {name}: ' for name in lacking[:1])}"
        asked = self.lead[best.root] + ask_to_rewrite(
            self.path, without(best.text, function), function.name, begun, wrong
        )
        answer = await self._write(asked, "\n```", warmth, FUNCTION_TOKENS)
        text = with_function(best.text, function, code_after(answer, begun))
        if text is not None and text != best.text:
            await self._try(text, best.root, function.name)

    async def _write(self, messages: Messages, stop: str, warmth: float, limit: int) -> str:
        text, tokens = await self.pen(messages, stop, warmth, limit)
        self.written += tokens
        return text

    async def _try(self, text: str, root: int, changed: str = "") -> None:
        told = self.told.get(root, frozenset())
        trial = Trial(text, {}, root=root, changed=changed, origin=len(self.trials), told=told)
        self.trials.append(await self._rehearsed(trial))

    async def _rehearsed(self, trial: Trial) -> Trial:
        if not is_sound(self.path, trial.text):
            return trial
        return await rehearse(self.sandbox, self.path, self.files, trial)
