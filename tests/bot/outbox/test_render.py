"""What events become when agents' words hold more than is seen."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from bot.notifications.followers import Followers
from bot.notifications.gate_reminder import Watchers
from bot.outbox.compose import compose
from bot.outbox.plan import Batch
from bot.outbox.post import Entry
from bot.outbox.render import AgentInfo, QuotedMessage, TaskInfo, edited_lines, render
from bot.outbox.transcripts import line_of
from engine import events as ev

HIDDEN = "\x1b[31m\x07a\u202eb\U000e0069\u3164"
SEEN = "ab"


@dataclass
class _Scene:
    """One task with one agent."""

    def task(self, task_id: int) -> TaskInfo | None:
        return TaskInfo(task_id, 5, 6, 7, goal="the goal")

    def agent(self, agent_id: int) -> AgentInfo | None:
        return AgentInfo(agent_id, "Ada", "Ada", False)

    def named(self, task_id: int, name: str) -> AgentInfo | None:
        return AgentInfo(3, name, name, False)

    def head(self, group_id: int) -> AgentInfo | None:
        return AgentInfo(3, "Ada", "Ada", True)

    def asked(self, ref: str) -> QuotedMessage | None:
        return None

    def watchers(self, guild_id: int) -> Watchers:
        return Watchers((71, 72), 55)

    def place_of(self, group_id: int) -> int:
        return 900 + group_id

    def followers(self, task_id: int) -> Followers:
        return Followers(everything=(8,))


def _texts(body: ev.EventBody) -> str:
    posts = render(ev.Event(1, 0.0, body), _Scene())
    assert posts
    return "\n".join(f"{post.text}\n{post.card}\n{post.head}" for post in posts)


def _clean(text: str) -> bool:
    return SEEN in text and not set(text) & set("\x1b\x07\u202e\U000e0069\u3164")


def test_words_of_agents_leave_clean_and_still_ping_nobody() -> None:
    """Controls and hidden characters go before the marks that kill mentions come."""
    said = _texts(ev.AgentSpoke(1, 2, 3, "Ada", (), f"{HIDDEN} @every\u200bone <@\u200b&5>"))
    assert _clean(said)
    assert "@everyone" not in said
    assert "<@&5>" not in said


def test_questions_and_reports_leave_clean() -> None:
    """The same for what is asked, found and reported."""
    assert _clean(_texts(ev.Audited(1, 2, "rejected", HIDDEN, 1)))
    assert _clean(_texts(ev.TaskEnded(1, 2, "done", HIDDEN, (), True)))


def test_a_message_that_waits_for_people_is_seen_as_a_question_and_pings_as_one() -> None:
    """The owner is notified as for a question with buttons; a message that waits for nobody stays quiet."""
    (asks,) = render(ev.Event(1, 0.0, ev.AgentSpoke(1, 2, 3, "Ada", ("human",), "Oak?", asks=True)), _Scene())
    (tells,) = render(ev.Event(1, 0.0, ev.AgentSpoke(1, 2, 3, "Ada", ("human",), "Oak.")), _Scene())
    assert asks.text.endswith("❓ Oak?") and asks.pings and not asks.silent
    assert f"<@{asks.pings[0]}>" in asks.text
    assert not tells.pings and tells.silent and "❓" not in tells.text


def test_what_was_run_is_attached_to_the_end_and_not_in_its_words() -> None:
    """The good news stays readable; who wants to know what was run opens the file."""
    body = ev.TaskEnded(
        1, 2, "done", "It works.", ("a.py",), True, runs=("What was run:", "- python a.py: ok")
    )
    (post, *_) = render(ev.Event(1, 0.0, body), _Scene())
    assert "python a.py" not in post.text and "It works." in post.text
    messages = compose(Batch("post", (Entry(1, 0.0, post),)), "sales")
    (last,) = [message for message in messages if message.texts]
    assert last.ended and [each.text for each in last.texts] == ["What was run:\n- python a.py: ok"]
    assert line_of(post, 0.0).text.endswith("- python a.py: ok")


def test_changed_instructions_show_what_was_and_what_is() -> None:
    """A line that came in place of another stands after it; what is the same is not shown."""
    before = "Be brief.\nWrite in English.\nAsk nobody.\nEnd"
    after = "Be brief.\nWrite in French.\nAsk Ada.\nAsk Bo.\nEnd"
    assert edited_lines(before, after).splitlines() == [
        "",
        *("-# was: Write in English.", "-# now: Write in French.", "-# was: Ask nobody.", "-# now: Ask Ada."),
        "-# now: Ask Bo.",
    ]
    assert edited_lines(before, before) == ""


@pytest.mark.parametrize("line", ["", "a{n}", "line {n} of many"])
def test_long_instructions_are_compared_in_no_time(line: str) -> None:
    """Nothing else is written meanwhile: 20,000 characters that all differ take no minute."""
    texts = ["\n".join(line.format(n=n * step % 997) for n in range(20_000))[:20_000] for step in (3, 5)]
    began = time.process_time()
    edited_lines(texts[0], f"new\n{texts[1]}")
    for size in (199, 499):
        rows = ["\n".join(text.split("\n")[:size]) for text in texts]
        edited_lines(rows[0], f"new\n{rows[1]}")
    assert time.process_time() - began < 5
