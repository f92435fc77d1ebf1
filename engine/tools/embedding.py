"""Vectors of texts for the tools of memory, each call booked on the agent's budgets before it is sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.budget.embeddings import book_embedding, settle_embedding
from engine.domain.recall import pack
from engine.errors import ModelError
from engine.ports import Quote
from engine.tools.base import ToolContext

log = logging.getLogger(__name__)

NO_ROOM = " (By words only: the budget has no room for the embedding model.)"
NO_ANSWER = " (By words only: the embedding model did not answer.)"


async def vectors_of(context: ToolContext, texts: Sequence[str]) -> tuple[tuple[bytes, ...], str]:
    """Return (a packed vector for each text, ""); (none, a note for the model) where a cap has no room or no
    answer came, (none, "") without an embedder: then keywords decide.

    A call that fails counts by its estimate, for it may be paid, unless its endpoint refused it.
    """
    embedder, db = context.embedder, context.db
    if embedder is None or not texts:
        return (), ""
    agent, model, quote, now = context.agent.id, embedder.model, embedder.quote(texts), context.now()
    booked = await db.write(lambda c: book_embedding(c, agent, model, quote, now))
    if booked is None:
        return (), NO_ROOM
    try:
        made = await embedder.embed(texts)
    except ModelError as error:
        log.warning("task %s: the embedding model did not answer: %s", context.task.id, error)
        if error.free:
            await db.write(lambda c: settle_embedding(c, booked, None))
        return (), NO_ANSWER
    cost = Quote(made.usage.total, made.cost_micros, made.guessed)
    guess = made.usage.estimated
    await db.write(lambda c: settle_embedding(c, booked, cost, estimated=guess))
    return tuple(map(pack, made.vectors)), ""
