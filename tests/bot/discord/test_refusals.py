"""Whatever is refused, people read why and what to do next; both are data, joined at the end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from bot.discord.error_reports import MOST_REASON, error_text
from bot.discord.errors import ActionRefused
from bot.texts import refusals
from engine import errors
from engine.domain.recurrence import checked
from engine.errors import Invalid, Refusal

KINDS = {"NotFound", "WrongState", "Invalid", "Refusal"}


def constants() -> dict[str, Refusal]:
    """Every refusal of the bot, by name."""
    found = {name: value for name, value in vars(refusals).items() if isinstance(value, Refusal)}
    return found | {f"NOT_ALLOWED[{right}]": value for right, value in refusals.NOT_ALLOWED.items()}


@pytest.mark.parametrize("name", constants())
def test_a_refusal_of_the_bot_says_why_and_what_next(name: str) -> None:
    """Each part is a sentence of its own; the step is the last thing read, whatever the reason holds."""
    refusal = constants()[name]
    assert refusal.reason.strip() and refusal.next_step.strip()
    assert refusal.next_step[0].isupper() or refusal.next_step[0] == "`"
    assert refusal.next_step.rstrip()[-1] in ".}"


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place where the engine refuses something, by file and line."""
    root = Path(engine.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                yield f"{path.relative_to(root)}:{node.lineno}", node


def test_every_refusal_of_the_engine_names_a_next_step() -> None:
    """The type demands one; here that none is an empty text."""
    places = dict(raised())
    assert len(places) > 100
    empty = [
        at
        for at, node in places.items()
        if len(node.args) != 2
        or (isinstance(node.args[1], ast.Constant) and not str(node.args[1].value).strip())
    ]
    assert empty == []


def test_a_long_reason_does_not_cut_the_next_step_away() -> None:
    """What people and models wrote may make a reason long."""
    said = error_text(ActionRefused(Refusal("x" * 5_000, "Use `/help`.")))
    assert said.endswith(" Use `/help`.") and len(said) <= MOST_REASON + 20


@pytest.mark.parametrize(
    "error",
    [
        errors.NotConfigured("bubblewrap is missing."),
        errors.ModelMisconfigured("The model has no name."),
        errors.ModelUnavailable("The endpoint is away."),
        errors.ModelKeyRejected("The key is wrong."),
        errors.StorageFull("full"),
        OSError(28, "No space left on device"),
        RuntimeError("a bug"),
    ],
)
def test_errors_that_nobody_worded_end_with_a_next_step_too(error: Exception) -> None:
    """An error of the machine, the model or the code leaves nobody without a way on."""
    said = error_text(error)
    assert said.endswith(".") and any(way in said for way in ("/doctor", "operator", "Try again"))


@pytest.mark.parametrize(
    ("cron", "part"),
    [("61 6 * * *", "minute"), ("0 25 * * *", "hour"), ("0 6 * 13 *", "month"), ("0 6 * * fool", "weekday")],
)
def test_a_cron_expression_that_cannot_be_read_says_which_part(cron: str, part: str) -> None:
    """In words of ours: those of the library mean nothing to a person."""
    with pytest.raises(Invalid, match=f"The {part} of that cron expression") as refused:
        checked(cron, "UTC", 0.0)
    assert refused.value.refusal.next_step.startswith("Correct it")
