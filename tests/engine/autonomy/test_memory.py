"""What agents remember, and what one task leaves for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from engine.commands import ForgetMemory, StartTask
from engine.errors import ModelUnavailable
from engine.events import TaskEnded
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, Embedding, Quote, Usage
from tests.engine.autonomy.conftest import Stage
from tests.fakes.cast import Part, View, reviewing
from tests.fakes.parts import sqlite_url


class Meanings:
    """An embedder that knows two meanings: animals and everything else."""

    model = "meanings"

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def quote(self, texts: Sequence[str]) -> Quote:
        """Ten micro-dollars a text at most."""
        return Quote(20 * len(texts), 10 * len(texts))

    async def embed(self, texts: Sequence[str]) -> Embedding:
        """A vector a text."""
        if self.fails:
            raise ModelUnavailable("away")
        animals = ("cat", "kitten", "feline")
        vectors = [[1.0, 0.0] if any(a in text for a in animals) else [0.0, 1.0] for text in texts]
        return Embedding(vectors, Usage(5 * len(texts)), 4 * len(texts))


def _recalling(query: str, *facts: tuple[str, bool]) -> Part:
    """Remembers facts one by one, recalls, and reports what it was told."""

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            return call(*(("remember", {"text": text, "share": share}) for text, share in facts))
        if view.steps == 1:
            return call(("recall", {"query": query}))
        return call(("finish", {"report": view.last}))

    return boss


async def test_a_memory_is_found_by_keywords_with_its_source(stage: Stage) -> None:
    """Full text finds other forms of a word, and names who remembered it when."""
    boss = _recalling(
        "which tests failed", ("The test of parsing fails on tabs.", False), ("Use blue.", False)
    )
    play = await stage({"Boss": boss})
    report = (await play.end()).report
    assert report.startswith("- The test of parsing fails on tabs. (Boss, step 1, ")
    assert "blue" not in report


async def test_meaning_finds_what_words_do_not(stage: Stage) -> None:
    """With an embedder a line without one common word is recalled."""
    facts = (("A kitten sat here.", False), ("Rain falls.", False))
    play = await stage({"Boss": _recalling("feline", *facts)}, embedder=Meanings())
    report = (await play.end()).report
    assert "kitten" in report and "Rain" not in report


async def test_without_the_embedding_model_words_still_work_and_it_is_said(stage: Stage) -> None:
    """Its failure is no failure of the call."""
    boss = _recalling("kitten", ("A kitten sat here.", False))
    play = await stage({"Boss": boss}, embedder=Meanings(fails=True))
    report = (await play.end()).report
    assert "kitten" in report and "By words only" in report


async def test_own_memories_are_private_and_shared_ones_are_for_all(stage: Stage) -> None:
    """Another agent of the task finds what was shared, not what was kept."""

    def boss(view: View) -> ChatAnswer:
        if not view.did("recruit"):
            return call(
                ("remember", {"text": "The secret colour is green."}),
                ("remember", {"text": "The shared colour is blue.", "share": True}),
                ("recruit", {"members": [{"name": "Ada", "role": "w", "instructions": "w"}]}),
                ("assign", {"to": "Ada", "title": "look", "details": "recall the colour"}),
            )
        if view.submitted:
            return call(
                ("review", {"assignment": view.submitted[0], "verdict": "accept"}),
                ("finish", {"report": view.last}),
            )
        return reviewing(view, 99)

    def ada(view: View) -> ChatAnswer:
        if not view.did("recall"):
            return call(("recall", {"query": "colour"}))
        return call(("submit", {"assignment": view.given, "summary": view.last}))

    play = await stage({"Boss": boss, "Ada": ada})
    report = (await play.end()).report
    assert "blue" in report and "green" not in report


async def test_steps_that_were_summed_up_are_recalled(stage: Stage) -> None:
    """Once the history is shortened, recall finds the old step by its words and names it."""
    filler = "x" * 3_000

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0 and "shortened" not in view.all:
            return call(("write_file", {"path": "a.txt", "content": f"zebra {filler}"}))
        if "[what you did before, shortened]" in view.all and not view.did("recall"):
            return call(("recall", {"query": "zebra"}))
        if view.did("recall"):
            return call(("finish", {"report": view.last}))
        return call(("write_file", {"path": f"b{view.steps}.txt", "content": filler}))

    play = await stage({"Boss": boss}, history_tokens=3_000)
    report = (await play.end()).report
    assert "your own step 1" in report


async def test_lessons_reach_the_next_boss_of_the_space_and_can_be_deleted(
    stage: Stage, tmp_path: Path
) -> None:
    """Kept at the end, shown at the next beginning, listed and forgotten by people; other spaces see none."""
    firsts: asyncio.Queue[str] = asyncio.Queue()

    def boss(view: View) -> ChatAnswer:
        if view.steps == 0:
            firsts.put_nowait(view.last)
        return call(("finish", {"report": "done", "lessons": ["Make things with care; glue dries slowly."]}))

    play = await stage({"Boss": boss}, url=sqlite_url(tmp_path))
    await play.end()
    assert "glue" not in await firsts.get()
    (kept,) = await play.engine.look.memories("guild:1")
    assert kept.text.startswith("Make things") and f"task {play.task}: make the thing" in kept.source

    async def again(space: str) -> str:
        task = await play.engine.handle(StartTask("make another thing", "me", space))
        first = await asyncio.wait_for(firsts.get(), 60)
        await play.until(TaskEnded, task_id=task)
        return first

    assert "glue dries slowly" in await again("guild:1")
    assert "glue" not in await again("guild:2")
    for memory in await play.engine.look.memories("guild:1"):
        await play.do(ForgetMemory(memory.id, "me"))
    assert "glue" not in await again("guild:1")


async def test_lessons_are_found_by_meaning_in_later_tasks(stage: Stage, tmp_path: Path) -> None:
    """Their vectors are kept with them; an embedder that is away costs the vectors, not the end."""
    lessons = ["A kitten slept on the keyboard.", "Rain fell."]

    def boss(view: View) -> ChatAnswer:
        if "xylophone" in view.request.messages[0].content:
            if not view.did("recall"):
                return call(("recall", {"query": "feline"}))
            return call(("finish", {"report": view.last}))
        return call(("finish", {"report": "done", "lessons": lessons}))

    play = await stage({"Boss": boss}, embedder=Meanings(), url=sqlite_url(tmp_path))
    await play.end()
    second = await play.engine.handle(StartTask("make a xylophone", "me", "guild:1"))
    report = (await play.until(TaskEnded, task_id=second)).report
    assert "kitten" in report and "Rain" not in report
    away = await stage({"Boss": boss}, embedder=Meanings(fails=True))
    assert (await away.end()).state == "done"
    assert len(await away.engine.look.memories("guild:1")) == 2


async def test_a_task_that_failed_keeps_no_lessons(stage: Stage) -> None:
    """Only what was done is learned from."""
    play = await stage({"Boss": lambda _: say("Hm.")}, attended=False)
    assert (await play.end()).state == "failed"
    assert await play.engine.look.memories("guild:1") == []
