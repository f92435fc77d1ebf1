"""`/agent`, `/group`, the message menu, `/task files` and `/task export`."""

from __future__ import annotations

import asyncio
import io
import json
import random
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from bot.discord.windows import joined_parts
from bot.features.agents.windows import edit_window
from bot.features.files import delivery
from bot.features.files.text import blame_text, content_text
from bot.outbox.ledger import Delivery, MessageLocation
from bot.outbox.post import OutgoingMessage
from bot.storage import tables
from engine.commands import (
    DismissAgent,
    EditAgent,
    Limits,
    PauseAgent,
    RaiseCap,
    ReplaceAgent,
    ResumeAgent,
    SayToAgent,
)
from engine.ports import BlameLine
from engine.queries import FileView
from tests.bot.features.conftest import Stage, Task
from tests.bot.features.test_card_keeper import drive


async def crew(stage: Stage) -> tuple[Task, int]:
    """A task with Ada, who has done a step."""
    task = await stage.start()
    (ada,) = stage.engine.recruit(task.boss, "Ada")
    stage.engine.step(ada, "Oak it is.", ("write_file", '{"path": "a```b"}', "revision 3"))
    return task, ada


async def test_agent_commands_do_what_they_say(stage: Stage) -> None:
    """By name or id, each one engine command."""
    task, ada = await crew(stage)
    by, named = f"discord:{stage.boss.id}", f"{stage.boss.name} (started the task)"
    await stage.boss.slash(task.room, "agent say", agent="Ada", text="Hurry", file=("x.txt", b"x"))
    command = stage.engine.commands[-1]
    assert isinstance(command, SayToAgent) and command.agent_id == ada
    assert command.files == {"attachments/x.txt": b"x"}
    shown = task.room.last_message
    assert command.ref == f"{task.room.id}:{shown.id}" and "Hurry" in shown.content
    assert [str(r.emoji) for r in shown.reactions] == ["📨"]
    await stage.boss.slash(task.room, "agent edit", agent=str(ada), instructions="Use ash")
    assert stage.engine.commands[-1] == EditAgent(ada, "Use ash", by, named)
    await stage.boss.slash(task.room, "agent pause", agent="@ada")
    assert stage.engine.commands[-1] == PauseAgent(ada, by, named)
    await stage.boss.slash(task.room, "agent resume", agent="#" + str(ada))
    assert stage.engine.commands[-1] == ResumeAgent(ada, by, named)
    sure = await stage.boss.slash(task.room, "agent dismiss", agent="Ada", reason="slow")
    assert "Dismiss Ada?" in sure.response.content
    assert not [c for c in stage.engine.commands if isinstance(c, DismissAgent)]
    await stage.boss.click(sure.response, label="Yes, dismiss it")
    assert stage.engine.commands[-1] == DismissAgent(ada, by, "slow", named)
    assert "has left the task" in sure.response.content and not sure.response.components
    gone = await stage.boss.slash(task.room, "agent say", agent="Ada", text="Still there?")
    assert "/task tree" in gone.response.content
    stage.engine.end(task.id)
    words = len(task.room.history())
    over = await stage.boss.slash(task.room, "agent say", agent=str(task.boss), text="Still there?")
    assert "has ended" in over.response.content and "Continue" in str(over.response.components)
    assert len(task.room.history()) == words + 1
    assert [str(r.emoji) for r in task.room.last_message.reactions] == ["🔁"]


async def test_agent_windows_survive_a_restart(stage: Stage) -> None:
    """Say and edit without words open windows; what is typed arrives at whatever bot runs then."""
    task, ada = await crew(stage)
    say = await stage.boss.slash(task.room, "agent say", agent="Ada")
    edit = await stage.boss.slash(task.room, "agent edit", agent="Ada")
    assert "Be Ada." in str(edit.modal)
    await stage.restart()
    await stage.boss.submit_modal(say, {"text": "Hello"})
    assert isinstance(stage.engine.commands[-1], SayToAgent)
    await stage.boss.submit_modal(edit, {"text": "Be brief."})
    assert stage.engine.world.agents[ada].instructions == "Be brief."


async def test_an_agent_is_replaced_once_it_is_confirmed(stage: Stage) -> None:
    """Nothing happens before the button; the reason outlives a restart; a stranger's press is refused."""
    task, ada = await crew(stage)
    asked = await stage.boss.slash(task.room, "agent replace", agent="Ada", reason="too slow")
    assert "Replace Ada" in asked.response.content
    assert not [c for c in stage.engine.commands if isinstance(c, ReplaceAgent)]
    await stage.boss.click(asked.response, label="No, keep it")
    assert "Ada was not replaced" in asked.response.content and not asked.response.components
    asked = await stage.boss.slash(task.room, "agent replace", agent="Ada", reason="too slow")
    late = await stage.boss.slash(task.room, "agent replace", agent="Ada", reason="twice")
    await stage.restart()
    await stage.boss.click(asked.response, label="Yes, replace it")
    by, named = f"discord:{stage.boss.id}", f"{stage.boss.name} (started the task)"
    assert stage.engine.commands[-1] == ReplaceAgent(ada, by, "twice", by_name=named)
    assert "Ada 2 continues" in asked.response.content and not asked.response.components
    await stage.boss.click(late.response, label="Yes, replace it")
    assert "already been dismissed" in late.response.content
    refused = await stage.stranger.slash(task.room, "agent replace", agent="Ada 2")
    assert "not allowed to steer" in refused.response.content
    boss = await stage.boss.slash(task.room, "agent replace", agent="Boss")
    await stage.boss.click(boss.response, label="Yes, replace it")
    assert "cannot be replaced" in boss.response.content


async def test_a_part_of_a_task_is_capped_and_shows_what_it_used(stage: Stage) -> None:
    """By option or window; inspect shows used of allowed, and the button opens the window."""
    task, ada = await crew(stage)
    stage.engine.recruit(ada, "Finn")
    free = await stage.boss.slash(task.room, "agent inspect", agent="Ada")
    assert "all below it: 2 agents" in free.response.content
    lowered = await stage.boss.slash(task.room, "agent cap", agent="Ada", budget=1.0, tokens=5_000)
    assert "used already" not in lowered.response.content
    given = Limits(cost_micros=1_000_000, tokens=5_000)
    assert stage.engine.ordered == RaiseCap(task.id, given, f"discord:{stage.boss.id}", ada)
    capped = await stage.boss.slash(task.room, "agent inspect", agent="Ada")
    assert "$0.25 of $1.00 · 900 of 5,000 tokens" in capped.response.content
    window = await stage.boss.click(capped.response, label="Set caps")
    await stage.boss.submit_modal(window, {"dollars": "0.50", "tokens": "", "agents": "3", "minutes": ""})
    assert stage.engine.commands[-1].limits == Limits(cost_micros=500_000, agents=3)


async def test_whoever_steers_may_lower_a_cap_and_not_raise_it(stage: Stage) -> None:
    """Who started the task may narrow a part of it; giving that part more takes the right to spend."""
    await stage.boss.slash(stage.lobby, "setup", start=stage.role)
    await stage.crew.slash(stage.lobby, "task new", goal="Build a raft")
    task = max(stage.engine.world.tasks.values(), key=lambda t: t.id)
    (ada,) = stage.engine.recruit(task.boss_id, "Ada")
    for tokens, words in (
        (5_000, "may use 5,000 tokens"),
        (4_000, "may use 4,000"),
        (800, "Already used: 900 tokens, so they stop before the next model call."),
        (9_000, "not allowed to raise caps"),
    ):
        told = await stage.crew.slash(stage.lobby, "agent cap", agent=str(ada), tokens=tokens)
        assert words in told.response.content


async def test_group_commands(stage: Stage) -> None:
    """Words to a head; where a group meets, or that it has no place yet."""
    task, ada = await crew(stage)
    stage.engine.recruit(ada, "Finn")
    await stage.boss.slash(task.room, "group say", group="Ada", text="How far?")
    command = stage.engine.commands[-1]
    assert isinstance(command, SayToAgent) and command.agent_id == ada
    opened = await stage.boss.slash(task.room, "group open", group="Root")
    assert f"<#{task.room.id}>" in opened.response.content
    nowhere = await stage.boss.slash(task.room, "group open", group="Ada")
    assert "no channel yet" in nowhere.response.content
    unknown = await stage.boss.slash(task.room, "group open", group="Nobody")
    assert "/task tree" in unknown.response.content


async def test_the_menu_inspects_explains_and_pauses(stage: Stage) -> None:
    """Inspect turn and Why? show the step behind the words; code cannot leave its block."""
    task, ada = await crew(stage)
    stage.engine.assign(task.boss, ada, "Choose the wood")
    words = await stage.posted(task.room, ada)
    inspected = await stage.boss.context_menu(task.room, "Inspect turn", words)
    assert "Oak it is." in inspected.response.content and "write\\_file" in inspected.response.content
    assert inspected.response.content.count("```") % 2 == 0
    why = await stage.boss.context_menu(task.room, "Why?", words)
    assert "Choose the wood" in why.response.content and "Be Ada." in why.response.content
    shown = await stage.boss.click(why.response, label="Reply: Ada")
    assert shown.modal["title"] == "To Ada"
    await stage.boss.context_menu(task.room, "Pause this agent", words)
    assert isinstance(stage.engine.commands[-1], PauseAgent)


async def test_why_lists_no_work_that_came_later(stage: Stage) -> None:
    """What an agent was given after the step had begun led to nothing in it."""
    task, ada = await crew(stage)
    words = await stage.posted(task.room, ada)
    (step,) = await stage.engine.look.steps(ada, limit=1)
    for title, at in (("Choose the wood", step.at - step.seconds), ("Oil it", step.at)):
        number = stage.engine.assign(task.boss, ada, title)
        given = stage.engine.world.assignments
        given[number] = replace(given[number], given_at=at)
    why = await stage.boss.context_menu(task.room, "Why?", words)
    assert "Choose the wood" in why.response.content and "Oil it" not in why.response.content


async def test_the_menu_on_a_message_whose_id_is_not_stored_yet(stage: Stage) -> None:
    """Discord shows a message to people before that: the menu waits for it."""
    task, ada = await crew(stage)
    words = await stage.posted(task.room, ada)
    sending = tables.deliveries.update().values(state="sending", message_id=0)
    await stage.database.write(lambda c: c.execute(sending))
    number = await stage.database.read(lambda c: c.execute(select(tables.deliveries.c.id)).scalar_one())
    asking = asyncio.ensure_future(stage.boss.context_menu(task.room, "Why?", words))
    await asyncio.sleep(0.05)
    here = MessageLocation(task.room.id, words.id)
    await stage.ledger.sent(Delivery(number, words.id, 0, OutgoingMessage(task.id, 0, "", "", "")), here)
    assert "Be Ada." in (await asking).response.content


async def test_the_menu_on_a_rollup_asks_which_agent(stage: Stage) -> None:
    """Several agents' words in one message: a button each."""
    task, ada = await crew(stage)
    (ben,) = stage.engine.recruit(task.boss, "Ben")
    words = await stage.posted(task.room, ada, ben)
    which = await stage.boss.context_menu(task.room, "Reply to agent", words)
    shown = await stage.boss.click(which.response, label="Ben")
    await stage.boss.submit_modal(shown, {"text": "You"})
    assert stage.engine.commands[-1].agent_id == ben
    stage.engine.step(ben, "Ben's step.")
    asked = await stage.boss.context_menu(task.room, "Why?", words)
    opened = await stage.boss.click(asked.response, label="Ada")
    assert "Why Ada said that" in opened.response.content and "Oak it is." in opened.response.content
    paused = await stage.boss.context_menu(task.room, "Pause this agent", words)
    assert "/agent pause" in paused.response.content


async def test_inspect_and_why_show_the_whole_step_in_pages(stage: Stage) -> None:
    """Every character of a long file and of a long answer is there, on pages, also after a restart; who may
    not view the task sees none, and an earlier message keeps its own step."""
    task, ada = await crew(stage)
    lines = [f"line {number} of the boat" for number in range(200)]
    output = [f"output {number}" for number in range(150)]
    arguments = json.dumps({"path": "boat.py", "content": "\n".join(lines)})
    stage.engine.step(ada, "", ("write_file", arguments, "\n".join(output)))
    words = await stage.posted(task.room, ada)
    stage.engine.now += 60
    stage.engine.step(ada, "Much later.")
    for name in ("Inspect turn", "Why?"):
        shown = await stage.boss.context_menu(task.room, name, words)
        await stage.restart()
        seen = shown.response.content
        while "Next page" in str(shown.response.components):
            await stage.boss.click(shown.response, label="Next page")
            seen += shown.response.content
            assert len(shown.response.content) <= 2000
        assert all(line in seen for line in [*lines, *output]) and "Much later." not in seen
        assert "Page 4 of" in seen and seen.count("```") % 2 == 0
    await stage.boss.click(shown.response, label="Newer step")
    assert "Much later." in shown.response.content


async def test_the_menu_on_anything_else(stage: Stage) -> None:
    """A person's message is not an agent's."""
    task, _ = await crew(stage)
    message = await stage.boss.send(task.room, "Hi")
    result = await stage.boss.context_menu(task.room, "Why?", message)
    assert "not from an agent" in result.response.content


async def test_inspect_pages_through_steps(stage: Stage) -> None:
    """Newest first, older by button."""
    task, ada = await crew(stage)
    stage.engine.step(ada, "Ash after all.")
    shown = await stage.boss.slash(task.room, "agent inspect", agent="Ada")
    assert "Ash after all." in shown.response.content
    await stage.boss.click(shown.response, label="Older step")
    assert "Oak it is." in shown.response.content
    words = await stage.posted(task.room, ada)
    stage.engine.now += 1
    stage.engine.step(ada, "Said a second later.")
    then = await stage.boss.context_menu(task.room, "Inspect turn", words)
    assert "Ash after all." in then.response.content
    nothing = await stage.boss.slash(task.room, "agent inspect", agent="Boss")
    assert "has not completed a step" in nothing.response.content


async def listing(stage: Stage, task: Task) -> Any:
    """The file list as shown to the manager."""
    return (await stage.boss.slash(task.room, "task files")).response


async def test_files_are_browsed_after_a_restart(stage: Stage) -> None:
    """View in a code block of the language, history, who wrote which line, download."""
    task, ada = await crew(stage)
    stage.engine.write(task.boss, "src/boat.py", b"wood = 'oak'\n")
    stage.engine.write(ada, "src/boat.py", b"wood = 'ash'\nprint(wood)\n")
    shown = await listing(stage, task)
    await stage.restart()
    options = shown.components[0]["components"][0]["options"]
    view = await stage.boss.select(shown, [options[0]["value"]])
    assert "```py\nwood = 'ash'" in view.response.content
    history = await stage.boss.click(view.response, label="History")
    assert "Boss" in history.response.content and "Ada" in history.response.content
    blame = await stage.boss.click(view.response, label="Authors")
    assert "Ada" in blame.response.content and "print(wood)" in blame.response.content
    download = await stage.boss.click(view.response, label="Download")
    assert await download.response.attachments[0].read() == b"wood = 'ash'\nprint(wood)\n"


async def test_pictures_are_shown_and_bytes_are_named(stage: Stage) -> None:
    """Images as images; other bytes are not printed."""
    task, ada = await crew(stage)
    stage.engine.write(ada, "a.png", b"\x89PNG...")
    stage.engine.write(ada, "b.bin", b"\0\1\2")
    shown = await listing(stage, task)
    first, second = shown.components[0]["components"][0]["options"]
    picture = await stage.boss.select(shown, [first["value"]])
    assert picture.response.attachments[0].filename == "a.png"
    other = await stage.boss.select(shown, [second["value"]])
    assert "not a text file" in other.response.content
    blame = await stage.boss.click(other.response, label="Authors")
    assert "Download it instead" in blame.response.content


async def test_who_writes_by_command_is_told_where_and_when_it_is_answered(stage: Stage) -> None:
    """The words stand in the agent's place, wherever the command was used; who is paused reads them later."""
    task, _ = await crew(stage)
    said = await stage.boss.slash(stage.lobby, "agent say", agent="Ada", text="Hurry")
    assert f"will answer in <#{task.room.id}>" in said.response.content
    assert "paused" not in said.response.content
    await stage.boss.slash(task.room, "agent pause", agent="Ada")
    said = await stage.boss.slash(task.room, "agent say", agent="Ada", text="Hurry")
    assert "Ada is paused" in said.response.content and "/agent resume" in said.response.content
    await stage.boss.slash(task.room, "task pause")
    said = await stage.boss.slash(task.room, "agent say", agent="Ada", text="Hurry")
    assert "The task is paused" in said.response.content and "/task resume" in said.response.content


async def test_many_files_come_in_pages(stage: Stage) -> None:
    """25 names a page."""
    task, ada = await crew(stage)
    for number in range(60):
        stage.engine.write(ada, f"part-{number:02}.txt", b"x")
    shown = await listing(stage, task)
    await stage.boss.click(shown, label="Next files")
    assert shown.components[0]["components"][0]["options"][0]["label"] == "part-25.txt"
    await stage.boss.click(shown, label="Next files")
    assert len(shown.components[0]["components"][0]["options"]) == 10
    await stage.boss.click(shown, label="Previous files")


async def test_no_files_yet(stage: Stage) -> None:
    """Said, with when they come."""
    task, _ = await crew(stage)
    result = await stage.boss.slash(task.room, "task files")
    assert "no files yet" in result.response.content


async def test_export_hands_over_zip_and_history(stage: Stage) -> None:
    """One zip with every path; the bundle only when wanted."""
    task, ada = await crew(stage)
    stage.engine.write(ada, "src/boat.py", b"print()")
    stage.engine.write(ada, "README.md", b"# Boat")
    result = await stage.boss.slash(task.room, "task export", history=True)
    delivery = [a for message in (result.response, *result.followups) for a in message.attachments]
    assert [a.filename for a in delivery] == [f"task-{task.id}-1.zip", f"task-{task.id}.bundle"]
    with zipfile.ZipFile(io.BytesIO(await delivery[0].read())) as packed:
        assert sorted(packed.namelist()) == ["README.md", "src/boat.py"]


async def test_a_long_export_says_that_it_is_under_way(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a long history is packed the person hears so, then gets it."""
    task, ada = await crew(stage)
    stage.engine.write(ada, "README.md", b"# Boat")
    monkeypatch.setattr(delivery, "PATIENCE_S", 0.1)
    stage.archive.takes_s = 0.5
    result = await stage.boss.slash(task.room, "task export", history=True)
    said = [result.response, *result.followups]
    assert [bool(message.attachments) for message in said] == [True, False, True]
    assert "Packing" in said[1].content


async def test_a_transcript_too_big_for_discord_is_compressed_or_named(stage: Stage) -> None:
    """Where channels are deleted it is what is left of them: it is never left out without a word."""
    task, _ = await crew(stage)
    stage.engine.end(task.id)
    stage.archive.files = {"a.md": b"said " * 2_500_000, "a.html": random.Random(1).randbytes(11_000_000)}
    result = await stage.boss.slash(task.room, "task archive", remove=True)
    (kept,) = result.response.attachments
    with zipfile.ZipFile(io.BytesIO(await kept.read())) as packed:
        assert (kept.filename, packed.namelist()) == ("a.md.zip", ["a.md"])
        assert len(packed.read("a.md")) == 12_500_000
    said = result.response.content
    assert "The transcript is attached." in said and "Not attached" in said and "`a.html`" in said


async def test_two_transcripts_that_are_too_big_together_come_one_by_one(stage: Stage) -> None:
    """Discord counts the files of a message together."""
    task, _ = await crew(stage)
    stage.engine.end(task.id)
    stage.archive.files = {"a.md": b"m" * 6_000_000, "a.html": b"h" * 6_000_000}
    result = await stage.boss.slash(task.room, "task archive")
    both = [result.response, *result.followups]
    assert [m.attachments[0].filename for m in both] == ["a.md", "a.html"]
    assert "read-only" in both[0].content and not both[1].content


async def test_a_file_too_big_for_discord_is_not_lost_for_words(stage: Stage) -> None:
    """Download over the limit says the size, the limit, and who can help."""
    task, ada = await crew(stage)
    stage.engine.write(ada, "huge.bin", b"\0" * 11_000_000)
    shown = await listing(stage, task)
    view = await stage.boss.select(shown, [shown.components[0]["components"][0]["options"][0]["value"]])
    refused = await stage.boss.click(view.response, label="Download")
    assert "10.5 MiB" in refused.response.content and "megaagent export" in refused.response.content


@pytest.mark.parametrize("command", ["export", "download"])
async def test_a_limit_discord_did_not_tell_is_found_by_its_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Boosted servers take files larger than a request: after a 413 smaller parcels, or who can help."""
    task, ada = await crew(stage)
    monkeypatch.setattr(delivery, "most_bytes", lambda _: 50 * 1024 * 1024)
    noise = [bytes(__import__("random").Random(n).randbytes(6_000_000)) for n in range(2)]
    for name, data in zip(("a.bin", "b.bin"), noise, strict=True):
        stage.engine.write(ada, name, data)
    if command == "export":
        stage.env.inject_error("POST", "/webhooks/*", status=413, code=40005)
        result = await stage.boss.slash(task.room, "task export")
        said = [m for m in (result.response, *result.followups) if m.attachments]
        assert [len(m.attachments) for m in said] == [1, 1]
        return
    shown = await listing(stage, task)
    view = await stage.boss.select(shown, [shown.components[0]["components"][0]["options"][0]["value"]])
    stage.env.inject_error("POST", "/webhooks/*", status=413, code=40005)
    refused = await stage.boss.click(view.response, label="Download")
    assert "5.7 MiB" in refused.response.content and "megaagent export" in refused.response.content


async def test_export_splits_and_names_what_is_too_big(stage: Stage) -> None:
    """Over the limit: several zips; a file that alone is too big is left out and said."""
    task, ada = await crew(stage)
    noise = [bytes(__import__("random").Random(n).randbytes(6_000_000)) for n in range(2)]
    stage.engine.write(ada, "a.bin", noise[0])
    stage.engine.write(ada, "b.bin", noise[1])
    stage.engine.write(ada, "huge.bin", noise[0] * 2)
    result = await stage.boss.slash(task.room, "task export")
    said = [result.response, *result.followups]
    assert [m.content for m in said[:2]] == ["Part 1 of 2.", "Part 2 of 2."]
    assert "huge.bin" in said[2].content and "megaagent export" in said[2].content


@pytest.mark.parametrize("lost", ["add_reactions", "send_messages"])
async def test_words_are_delivered_without_a_permission(stage: Stage, lost: str) -> None:
    """Neither the mark nor the place decides whether an agent hears; nobody is told that it failed."""
    task, ada = await crew(stage)
    channel: Any = stage.env.bot.get_channel(task.room.id)
    await drive(stage, channel.set_permissions(channel.guild.me, **{lost: False}))
    result = await stage.boss.slash(task.room, "agent say", agent="Ada", text="Hurry")
    heard = [c for c in stage.engine.commands if isinstance(c, SayToAgent)]
    assert [c.agent_id for c in heard] == [ada] and "Ada" in result.response.content
    assert (heard[0].ref is None) == (lost == "send_messages")


async def test_long_instructions_are_edited_whole(stage: Stage) -> None:
    """The window holds all of them, and sent unchanged it changes nothing."""
    _, ada = await crew(stage)
    long = "\n".join(f"Rule {n}: be kind." for n in range(900))
    stage.engine.world.agents[ada] = replace(stage.engine.world.agents[ada], instructions=long)
    agent = await stage.engine.look.agent(ada)
    labels: list[Any] = edit_window(agent).children
    boxes = [label.component for label in labels]
    values = {box.custom_id: box.default or "" for box in boxes}
    assert len(boxes) > 1 and joined_parts(values) == long


def test_a_file_that_a_person_brought_names_no_number() -> None:
    """Versions before kept the key of the account as the author: people read who it was in words."""
    file = FileView("plan.txt", 3, 5, "discord:1576538598163873794", 0.0)
    line = BlameLine(1, file.agent, "1.1", 3, "oak")
    for text in (content_text(file, b"oak"), blame_text("plan.txt", [line])):
        assert "a person" in text and "1576538598163873794" not in text
