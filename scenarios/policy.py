"""National policies tried out on citizens, the paper's second work: `python -m scenarios.policy`."""

from __future__ import annotations

from collections.abc import Mapping

from engine.commands import Limits
from scenarios.common import Criterion, Paper, Work, arguments, carry_out, configured, figures, run, say

DEPARTMENTS = (
    "Agriculture", "Commerce", "Culture", "Defence", "Education", "Employment", "Energy", "Environment",
    "Finance", "Foreign Affairs", "Health", "Housing", "Immigration", "Infrastructure", "Justice", "Science",
    "Social Affairs", "Technology", "Transport",
)  # fmt: skip

GOAL = (
    "Work out the policies of a nation. There are 19 government departments: "
    f"{', '.join(DEPARTMENTS)}. Each department drafts several policies for the coming years. Every "
    "policy is tried out on citizens who lead different lives (give each citizen an agent of its own, with a "
    "life of its own), revised after what they say, and checked by another department for what contradicts "
    "its own policies. Each policy ends as one file policies/<department>/<policy>.md with these four "
    "headings: 'Policy', 'Citizens said', 'Changed', 'Checked with'. Hundreds of agents may take part."
)
HEADINGS = ("Policy", "Citizens said", "Changed", "Checked with")

POLICY = Work(
    "National policies",
    GOAL,
    Limits(agents=700, depth=4, members=60, minutes=600, tokens=100_000_000, cost_micros=50_000_000),
    Paper(agents=590, seconds=2_991, met=4, criteria=4),
)


def judge(files: Mapping[str, bytes]) -> list[Criterion]:
    """Departments with policies, and how many of all policies were tried, revised and cross-checked."""
    policies = {path: data.decode("utf-8", "replace") for path, data in files.items() if _is_policy(path)}
    served = {path.split("/")[1].casefold().replace("_", " ").replace("-", " ") for path in policies}
    missing = [name for name in DEPARTMENTS if name.casefold() not in served]
    criteria = [Criterion("all 19 departments have policies", not missing, ", ".join(missing))]
    for heading, name in zip(
        HEADINGS[1:], ("tried out on citizens", "revised", "checked by another department"), strict=True
    ):
        done = sum(_has_section(text, heading) for text in policies.values())
        good = bool(policies) and done == len(policies)
        criteria.append(Criterion(f"every policy was {name}", good, f"{done} of {len(policies)}"))
    return criteria


def _is_policy(path: str) -> bool:
    return path.startswith("policies/") and path.count("/") == 2 and path.endswith(".md")


def _has_section(text: str, heading: str) -> bool:
    """Whether the heading is there with at least a line below it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = [n for n, line in enumerate(lines) if line.strip("#* :").casefold() == heading.casefold()]
    return bool(at) and at[0] + 1 < len(lines) and not lines[at[0] + 1].startswith("#")


async def main() -> None:
    """Let the configured model work them out."""
    given = arguments("Policies of 19 departments, tried out on citizens who are agents.").parse_args()
    work, settings = configured(given, POLICY)
    outcome = await carry_out(work, settings)
    say("\n" + figures(work, outcome, judge(outcome.files)))
    say(f"Report: {outcome.task.report}")


if __name__ == "__main__":
    run(main())
