"""Check of the models that a task may name. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import Invalid, Refusal

DEMONSTRATION = "demonstration"
"""Stands for a model in the row of a demonstration, whose answers are recorded; no task may name it."""


def not_allowed(model: str | None, allowed: Sequence[str] | None) -> Refusal | None:
    """Return why a task may not use `model`; None when it may.

    `allowed` None: any. No name: the usual models, which are always allowed.
    """
    if model == DEMONSTRATION:
        return Refusal(
            "That model is the recording of the demonstration.",
            "Use `/task demo` to start it, or name a model.",
        )
    if not model or allowed is None or model in allowed:
        return None
    names = ", ".join(allowed)
    return Refusal(
        f"The model {model[:100]!r} is not one the operator allows.", f"Name one of these: {names}."
    )


def check_model(model: str | None, allowed: Sequence[str] | None) -> None:
    """Check that the operator allows the model. Raises Invalid."""
    why = not_allowed(model, allowed)
    if why:
        raise Invalid(why.reason, why.next_step)
