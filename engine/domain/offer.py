"""What an agent of a small model is offered at one moment; decided by `engine.llm.local.policy`."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ports import ToolCall


@dataclass(frozen=True, slots=True)
class Offer:
    """Names of tools, and whether an answer in text only is allowed. No name: text only, after which the turn
    continues.

    `hint`: what the model should do now. `before`: only steps before this one are shown, so that what failed
    is written again without its text in view. `warmth`: the lowest temperature. `brief`: what a file is
    written from, in place of the conversation. `said`, `calls`: the whole step, which the policy makes
    itself, without a model call.
    """

    names: tuple[str, ...]
    talk: bool = False
    hint: str = ""
    before: int | None = None
    warmth: float = 0.0
    brief: str = ""
    said: str = ""
    calls: tuple[ToolCall, ...] = ()

    @property
    def made(self) -> bool:
        """Return whether the policy makes this step itself."""
        return bool(self.said or self.calls)
