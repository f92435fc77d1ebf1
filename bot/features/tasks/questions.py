"""The open questions of a task, each with a link to where it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot import texts
from bot.discord.context import Routes
from bot.discord.formatting import bare, plain
from bot.discord.identities import guild_of
from engine.queries import GateView, Queries, TaskView

SHOWN, WORDS = 3, 90


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An open gate; `url` leads to its message, "" before that is sent."""

    gate: GateView
    url: str


async def load_questions(look: Queries, routes: Routes, task: TaskView) -> tuple[OpenQuestion, ...]:
    """Return the open questions of a task, the oldest first."""
    if not task.open_gates:
        return ()
    found = []
    for gate in await look.gates(task.id):
        where = await routes.gate_message(gate.id)
        at = f"{guild_of(task.space)}/{where.channel_id}/{where.message_id}" if where else ""
        found.append(OpenQuestion(gate, f"https://discord.com/channels/{at}" if at else ""))
    return tuple(found)


def question_lines(questions: Sequence[OpenQuestion]) -> list[str]:
    """Return a line for each question, with its link; after some only how many more there are."""
    lines = [_line(each) for each in questions[:SHOWN]]
    if len(questions) > SHOWN:
        lines.append(texts.WAITING_MORE.format(count=len(questions) - SHOWN))
    return lines


def _line(question: OpenQuestion) -> str:
    gate = question.gate
    kind = texts.WAITING_KIND.get(gate.kind, "")
    words = bare(gate.question, WORDS) if gate.kind == "question" else kind
    words = words.replace("[", "(").replace("]", ")")
    asked = f"[{words}]({question.url})" if question.url else words
    return texts.WAITING_FOR.format(name=f"**{plain(gate.name, 40)}** · " if gate.name else "", asked=asked)
