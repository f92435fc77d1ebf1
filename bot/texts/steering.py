"""Texts about continuing, pausing and changing what agents do, in the voice of `bot.texts`."""

from __future__ import annotations

SMALL_MODEL = "a small model on this machine"
NO_PRICE = "price not known, counted at an assumed high price"
MODEL_CHANGED = "From its next step {name} uses the model {model}."
MODEL_STARTED = "Model: {model}."

OFFER = (
    "Task #{id} has ended ({state}). Your message is kept.\n"
    "Press **Continue** to resume it in the same channels with the same files, agents and decisions. It may "
    "use at most **{caps}** more."
)
OFFER_PLAIN = (
    "Task #{id} has ended ({state}). Press **Continue** to resume it in the same channels with the same "
    "files, agents and decisions. It may use at most **{caps}** more."
)
CONTINUED = "Task #{id} continues. It may use at most {caps} more."
CONTINUED_CLOSED = (
    "I could not reopen {places}: channels need **Manage Roles**, threads **Manage Threads**. Grant them, "
    "or write elsewhere; `/doctor` shows what is missing."
)
MODAL_CONTINUE = "Continue task #{id}"
MODAL_CONTINUE_LABEL = "What should happen next? (optional)"
MODAL_CONTINUE_DOLLARS, MODAL_CONTINUE_TOKENS = (
    "Additional US dollars, at most",
    "Additional tokens, at most",
)
MODAL_CONTINUE_MINUTES = "Additional minutes, at most"

ACCEPTED = "Accepted for task #{id}."
CONTINUE_WHERE = "Use **Continue** on its card, or `/task continue task:{id}`."

POST_CONTINUED = "▶️ **Continued** by {who}. It may use at most {caps} more."
POST_KEPT = " {count} kept messages are read now."
POST_KEPT_ONE = " One kept message is read now."
BY = " by {who}"
BELOW = ", with {count} below"
AGENT_CHANGED = {
    "paused": "⏸️ **{name}** was paused{below}{by}.",
    "resumed": "▶️ **{name}** was resumed{below}{by}.",
    "edited": "✏️ **{name}** was given new instructions{by}.",
    "model": "🧠 **{name}** was given the model **{after}** from its next step on{by}.",
}
AMENDED = "✏️ I changed the assignment **{title}** of {assignee}: {why}"
USUAL_MODEL = "the usual one"
EDIT_LINES = "\n{lines}"
EDIT_REMOVED, EDIT_ADDED, EDIT_MORE = "-# was: {line}", "-# now: {line}", "-# and {count} more lines"
