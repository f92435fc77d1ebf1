"""The handler for the submission of each kind of modal."""

from __future__ import annotations

from collections.abc import Mapping

from bot.discord.windows import SubmitHandler
from bot.features.agents.windows import agent_capped, edited, said
from bot.features.gates.windows import answered, plan_capped
from bot.features.tasks.continuing import continued
from bot.features.tasks.windows import capped
from bot.features.tools.sign_in import pasted

WINDOWS: Mapping[str, SubmitHandler] = {
    "say": said,
    "edit": edited,
    "gate": answered,
    "cap": capped,
    "continue": continued,
    "agentcap": agent_capped,
    "plancap": plan_capped,
    "signin": pasted,
}
