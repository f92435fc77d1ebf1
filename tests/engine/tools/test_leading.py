"""Who is recruited to lead a group."""

from __future__ import annotations

from engine.commands import ReplaceAgent
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer
from engine.tools import LEADING
from tests.engine.autonomy.conftest import Stage
from tests.engine.tools.test_read_and_search import played
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


async def test_who_finishes_over_open_work_is_told_whose_review_it_waits_for(stage: Stage) -> None:
    """A boss can review only what it gave itself; for the rest it waits, or dismisses."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            ada = {"name": "Ada", "role": "head", "task": "lead", "leads": True}
            return call(("recruit", {"members": [ada], "wait": True}))
        if not heard:
            heard.append("")
            return call(("finish", {"report": "done"}))
        heard.append(view.last)
        return say("I wait.")

    def ada(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            ben = {"name": "Ben", "role": "w", "task": "make a.txt"}
            return call(("recruit", {"members": [ben], "wait": True}))
        if not view.submitted:
            return say("I wait.")
        told = {"to": ["Boss"], "text": "Ben is ready.", "needs_answer": True, "wait": True}
        return call(("send_message", told))

    def ben(view: View) -> ChatAnswer:
        return call(("submit", {"assignment": view.given, "summary": "made"}))

    play = await stage({"Boss": boss, "Ada": ada, "Ben": ben})
    while len(heard) < 2:
        await play.more()
    assert (
        "Not finished: #1 lead of Ada is open; #2 make a.txt of Ben waits for the review of Ada." in heard[1]
    )
    assert "End your turn; submissions wake you. Dismiss who cannot do its part." in heard[1]


async def test_a_newcomer_named_twice_in_one_call_is_not_taken_for_a_member(stage: Stage) -> None:
    """Nobody joined, so nobody is told to give it work; without the second name all join."""
    cleo = {"name": "Cleo", "role": "w", "task": "clean"}
    _, heard = await played(stage, ("recruit", {"members": [cleo, cleo]}), ("recruit", {"members": [cleo]}))
    assert "twice" in heard[0] and "nobody joined" in heard[0] and "already" not in heard[0]
    assert heard[1].startswith("Joined your group: Cleo.")


async def test_who_takes_over_hears_so_first_and_how_its_work_is_checked(stage: Stage) -> None:
    """What was written to its predecessor comes after that; the check is what its submission has to pass."""
    heard: list[str] = []

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            member = {"name": "Ada", "role": "w", "task": "make a.txt", "command": ["cat", "a.txt"]}
            return call(("recruit", {"members": [member]}))
        if not view.did("send_message"):
            note = {"to": ["Ada"], "text": "and no tabs", "needs_answer": False}
            return call(("send_message", note))
        return say("I wait.")

    def ada(view: View) -> ChatAnswer:
        return call(("search_files", {"pattern": f"x{view.steps}"}))

    def fresh(view: View) -> ChatAnswer:
        heard.append(view.last)
        return say("I see.")

    play = await stage({"Boss": boss, "Ada": ada, "Ada 2": fresh})
    while not (found := [a for a in await play.engine.look.agents(play.task) if a.name == "Ada"]):
        await play.more()
    await play.do(ReplaceAgent(found[0].id, "me"))
    await play.until_heard(heard)
    assert heard[0].startswith("[from the system]\n  You are Ada 2 and take over from Ada")
    assert "It is checked by running: cat a.txt" in heard[0]
