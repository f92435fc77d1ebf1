"""Transcripts keep every word, and nothing in them runs or breaks out."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from bot.outbox.ledger import enqueue
from bot.outbox.post import Lane, Post
from bot.outbox.split import open_fence
from bot.outbox.transcripts import Line, Transcripts, line_of, markdown, page
from bot.storage.tables import groups
from tests.fakes.inline_database import InlineDatabase

LINES = st.lists(
    st.builds(
        Line,
        st.floats(0, 2e9),
        st.sampled_from(["research", "law <b>"]),
        st.text(min_size=1, max_size=20),
        st.sampled_from(["", "→ Bo"]),
        st.text(max_size=300) | st.sampled_from(["```py\nopen", "</pre><script>alert(1)</script>"]),
    ),
    max_size=8,
)


OURS = re.compile(r"</?(?:article|b|body|br|code|div|h1|h2|html|i|pre|small|time)>")


@given(LINES)
def test_html_runs_nothing(lines: list[Line]) -> None:
    """Whatever was said, the page has only our own tags."""
    made = page(lines, "Task <1>")
    body = made.partition("<body>")[2]
    assert "<script" not in made and made.count("<article>") == len(lines)
    assert body.count("<pre>") == body.count("</pre>")
    assert not re.search("[<>]", OURS.sub("", body))
    for line in lines:
        assert all(word in made for word in re.findall(r"[A-Za-z]{2,}", html.escape(line.text)))


@given(LINES)
def test_markdown_keeps_words_and_closes_code(lines: list[Line]) -> None:
    """Every text is in it, and an open fence does not swallow what follows."""
    made = markdown(lines, "Task 1")
    assert all(line.text in made for line in lines)
    assert not lines or "```" not in lines[-1].text or not open_fence(made.rsplit("**", 1)[-1])


async def test_transcript_of_a_task_is_ordered_by_group() -> None:
    """A task's transcript goes group by group, a group's by time; reactions are not in it."""
    database = InlineDatabase()
    row = {"task_id": 1, "head_id": 1, "depth": 0, "kind": "channel", "host_id": 0, "channel_id": 0}
    row |= {"thread_id": 0, "repairs": 0, "archived": False, "parent_id": None}

    def fill(connection: object) -> None:
        for group_id, name in ((1, "root"), (2, "law")):
            connection.execute(groups.insert().values(group_id=group_id, name=name, **row))  # type: ignore[attr-defined]
        for i, (group_id, text) in enumerate([(1, "one"), (2, "two"), (1, "three")]):
            post = Post(1, group_id, i, "say", Lane.CHATTER, text, persona="Ada")
            enqueue(connection, f"{i}", post, 10.0 + i)  # type: ignore[arg-type]
        enqueue(connection, "r", Post(1, 1, 9, "react", Lane.STATUS, "👀", ref="1:2"), 20.0)  # type: ignore[arg-type]

    await database.write(fill)
    transcripts = Transcripts(database)
    whole = await transcripts.text(1, None, "Task 1", "md")
    assert whole.index("one") < whole.index("three") < whole.index("two")
    assert "👀" not in whole
    assert [line.text for line in await transcripts.lines(1, 2)] == ["two"]
    assert await transcripts.lines(99) == []
    await database.close()


def test_small_print_of_several_lines_is_one_without_marks() -> None:
    """An answer to three people names each; none of Discord's marks stands between."""
    said = Post(1, 1, 1, "say", Lane.ANSWER, "Yes.", head="-# ↪ to Ada\n-# ↪ to Bo\n-# and to 2 more")
    line = line_of(said, 0.0)
    assert line.head == "↪ to Ada · ↪ to Bo · and to 2 more"
    assert "-#" not in markdown([line], "x") + page([line], "x")
