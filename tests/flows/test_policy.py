"""National policies, the paper's second work: 590 agents, every policy tried, revised and cross-checked."""

from __future__ import annotations

from pathlib import Path

from engine.llm.scripted import ScriptedModel
from engine.settings import EngineSettings
from scenarios.common import carry_out, figures
from scenarios.policy import DEPARTMENTS, POLICY, judge
from tests.flows.policy_script import AGENTS, DRAFTERS, play


async def test_590_agents_work_out_the_policies_of_a_nation(tmp_path: Path) -> None:
    """Every department's policies are there with all four parts; everyone took part."""
    settings = EngineSettings(
        data_dir=tmp_path,
        model_concurrency=64,
        audit_rounds=0,
        _env_file=None,  # type: ignore[call-arg]
    )
    outcome = await carry_out(POLICY, settings, ScriptedModel(play))
    criteria = judge(outcome.files)
    assert [c for c in criteria if not c.met] == []
    assert outcome.agents == AGENTS == 590
    assert outcome.task.state == "done"
    assert len(outcome.files) == len(DEPARTMENTS) * DRAFTERS
    assert outcome.task.accepted == len(DEPARTMENTS) * (DRAFTERS + 1)
    assert "4 of 4" in figures(POLICY, outcome, criteria)


def test_what_is_missing_is_seen() -> None:
    """A department without policies, an untried policy and an empty section are reported."""
    whole = "# Policy\nx\n# Citizens said\n- y\n# Changed\nz\n# Checked with\nHealth\n"
    files = {f"policies/{name}/a.md": whole.encode() for name in DEPARTMENTS[1:]}
    files["policies/Health/b.md"] = b"# Policy\nx\n# Changed\n# Checked with\n"
    criteria = judge(files)
    assert [c.met for c in criteria] == [False, False, False, False]
    assert criteria[0].seen == "Agriculture"
    assert criteria[1].seen == f"{len(DEPARTMENTS) - 1} of {len(DEPARTMENTS)}"
