"""`/doctor` tries what agents need: a call of a tool, its result used, by each role's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.assembly import open_engine
from engine.llm.trial import Trial, trial_lines
from tests.providers.stage import Body, Provider, answer, call, refusal, serving, settings_for


def takes_tools(body: Body, number: int) -> Body:
    """Calls the tool, then says its result."""
    told = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    return answer(told[0]) if told else answer(calls=[call("look_up", {"word": "oak"}, "call_1")])


async def tried(provider: Provider, folder: Path, **settings: Any) -> list[Trial]:
    """What `/doctor` finds at the provider."""
    async with serving(provider):
        opened = await open_engine(settings_for(provider, folder, **settings), say=lambda _: None)
        try:
            assert opened.models is not None
            return await opened.models.try_roles(5.0)
        finally:
            await opened.close()


async def test_a_model_that_takes_tools_passes_and_is_described(tmp_path: Path) -> None:
    """One try for roles that share a model; endpoint, family, price, context, limit and repairs are told."""

    def rule(body: Body) -> Any:
        return (
            refusal(400, "Use 'max_completion_tokens' instead of max_tokens.")
            if "max_tokens" in body
            else None
        )

    provider = Provider(takes_tools, rule)
    trials = await tried(provider, tmp_path, model_boss="claude-sonnet-4-5")
    assert all(trial.ok for trial in trials)
    assert len(provider.bodies) == 2 * 3
    boss, others = trial_lines(trials)
    assert boss.startswith("boss: ")
    assert others.startswith("head, member, auditor: ")
    for part in ("claude-sonnet-4-5", provider.url, "$3 in", "context 200,000", "adapted: limit name"):
        assert part in boss


@pytest.mark.parametrize(
    ("brain", "words"),
    [
        (lambda body, number: answer("I cannot."), "without calling the tool"),
        (
            lambda body, number: answer(calls=[call("look_up", {})]) if number == 1 else answer("oak"),
            "its result",
        ),
        (lambda body, number: refusal(400, "x does not support tools"), "Set MODEL"),
        (lambda body, number: refusal(401, "Incorrect API key"), "OPENAI_API_KEY"),
        (lambda body, number: answer("<tool_call>{broken"), "form that cannot be read"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, brain: Any, words: str) -> None:
    """A model that answers a greeting may still be of no use to agents."""
    trials = await tried(Provider(brain), tmp_path)
    assert not any(trial.ok for trial in trials)
    assert words in trials[0].said
