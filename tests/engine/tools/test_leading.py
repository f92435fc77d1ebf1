"""Who is recruited to lead a group."""

from __future__ import annotations

from engine.llm.scripted import call
from engine.ports import ChatAnswer
from engine.tools import LEADING
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import View


async def test_who_is_recruited_to_lead_has_the_tools_from_the_first_step_on(stage: Stage) -> None:
    """Others get them with their first member, which makes their next prompt a new one from its beginning."""
    had: dict[str, list[list[str]]] = {"Ada": [], "Ben": []}
    done: set[int] = set()

    def head(view: View) -> ChatAnswer:
        had[view.name].append([tool.name for tool in view.request.tools])
        if not view.did("recruit"):
            member = {"name": f"Aide of {view.name}", "role": "w", "instructions": "Wait."}
            return call(("recruit", {"members": [member]}))
        return call(("submit", {"assignment": view.given, "summary": "led"}))

    def boss(view: View) -> ChatAnswer:
        if view.did("recruit"):
            done.update(view.submitted)
            verdicts = [("review", {"assignment": n, "verdict": "accept"}) for n in view.submitted]
            return call(*verdicts, *([("finish", {"report": "done"})] if len(done) == 2 else []))
        ada = {"name": "Ada", "role": "head", "task": "lead", "leads": True}
        ben = {"name": "Ben", "role": "head", "task": "lead too"}
        return call(("recruit", {"members": [ada, ben], "wait": True}))

    play = await stage({"Boss": boss, "Ada": head, "Ben": head})
    await play.end()
    assert had["Ada"][0] == had["Ada"][1] == had["Ben"][1]
    assert set(had["Ada"][0]) - set(had["Ben"][0]) == LEADING
