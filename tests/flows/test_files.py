"""`/task files` as a person uses it: the list, a file, its history, who wrote which line, itself."""

from __future__ import annotations

import re

from bot.local import Outcome
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.cast import View
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import GOAL, command, ended, wire, you

FIRST = "# Boats\n\nOak floats.\nAsh bends.\n"
CHANGED = "# Boats\n\nOak floats well, it is said.\nAsh bends.\nLarch lasts.\n"
PATH = "notes/boats and wood.md"


def two_hands(request: ChatRequest) -> ChatAnswer:
    """Ada writes a file, Bo changes it, the boss removes another and finishes."""
    view = View(request)
    if view.name == "Boss":
        return _boss(view)
    if view.name == "Ada" and not view.did("write_file"):
        files = (PATH, FIRST), ("drop.txt", "x"), ("empty.txt", "")
        writes = [("write_file", {"path": path, "content": text}) for path, text in files]
        return call(*writes, ("send_message", {"to": ["Bo"], "text": "Yours."}))
    if view.name == "Bo" and not view.did("edit_file"):
        oak = {"path": PATH, "old": "Oak floats.", "new": "Oak floats well, it is said."}
        larch = {"path": PATH, "old": "Ash bends.\n", "new": "Ash bends.\nLarch lasts.\n"}
        notified = ("send_message", {"to": ["Boss"], "text": "Changed."})
        return call(("read_file", {"path": PATH}), ("edit_file", oak), ("edit_file", larch), notified)
    return say("Done.")


def _boss(view: View) -> ChatAnswer:
    if not view.did("recruit"):
        members = [{"name": n, "role": "w", "instructions": "w"} for n in ("Ada", "Bo")]
        begin = ("send_message", {"to": ["Ada"], "text": "Begin."})
        return call(("recruit", {"members": members}), begin)
    if "Changed." in view.all:
        return call(("finish", {"report": "Written.", "deliverables": [PATH]}))
    return say("I wait.")


async def test_a_file_is_found_read_and_its_lines_have_their_writers(start: Start) -> None:
    """Every view is reached from every other, and each says what is true."""
    async with start(two_hands) as product:
        await command(product, "task new", goal=GOAL)
        await ended(product)
        person = you(product)
        listed = await command(product, "task files", task="1")
        assert "3 files" in listed.text, listed.text
        menu = wire(listed)["components"][0]["components"][0]
        values = {option["label"]: option["value"] for option in menu["options"]}
        assert sorted(values) == ["drop.txt", "empty.txt", PATH]
        viewed = await person.select(wire(listed), [values[PATH]])
        assert "by Bo" in viewed.text and f"```md\n{CHANGED}" in viewed.text
        history = await person.click(wire(viewed), label="History")
        assert re.findall(r"(Ada|Bo)", history.text) == ["Bo", "Ada"], history.text
        blame = await person.click(wire(history), label="Authors")
        assert _writers(blame) == {
            "# Boats": "Ada",
            "": "Ada",
            "Oak floats well, it is said.": "Bo",
            "Ash bends.": "Ada",
            "Larch lasts.": "Bo",
        }
        got = await person.click(wire(blame), label="Download")
        (attachment,) = wire(got)["attachments"]
        assert product.local is not None
        assert product.local.world.cdn.get(attachment["url"]) == CHANGED.encode()
        back = await person.click(wire(got), label="View")
        assert back.text == viewed.text
        empty = await person.select(wire(listed), [values["empty.txt"]])
        assert "empty" in empty.text
        nobody = await person.click(wire(empty), label="Authors")
        assert "empty" in nobody.text


def _writers(blame: Outcome) -> dict[str, str]:
    """Who wrote each line, as the picture of it says."""
    block = blame.text.split("```")[1].strip("\n")
    found, last = {}, ""
    for line in block.split("\n"):
        parts = re.fullmatch(r"(\w*) +\d+ ?(.*)", line)
        assert parts is not None, line
        last = parts[1] or last
        found[parts[2]] = last
    return found
