"""What the bot posts by itself, in the voice of `bot.texts`: short, plain, saying what to do next."""

from __future__ import annotations

TO = "-# → {names}"
ADDRESSEES = {"human": "you", "group": "the group"}
ANSWER = "-# ↪ answering <@{user}>: “{excerpt}” · {link}"
ANSWER_UNKNOWN = "-# ↪ answering {link}"
AND_MORE = " and {count} more"

OPENING = (
    "🧭 **{boss}** reads the goal and thinks about how to go about it.\n> {goal}\n"
    "-# To talk to an agent: reply to it, write here (the head listens), or `/agent say`."
)
CARD_AT = "-# The live card is in <#{channel}>."
JOINED = "👋 Joined: {name}"
NAME_ONLY = "**{name}**"
NAME_TITLE = "**{name}** ({title})"
FORMED = "🧭 **{head}** now leads **{group}**."
LEFT = "🚪 **{name}** left: {reason}"
AGENT_CHANGED = {
    "paused": "⏸️ **{name}** is paused.",
    "resumed": "▶️ **{name}** goes on.",
    "edited": "✏️ **{name}** has new instructions, from the next turn on.",
}

PLAN = "🗺️ **The plan.** Work goes on by it; to change it, write to the boss here."
PLAN_ASKS = "🗺️ **May the agents work by this plan?**"
PLAN_TITLE = "The plan"
PLAN_CARD = (
    "**Groups**\n{groups}{more}\n\n**Why**\n{why}\n\n**Estimate**\n"
    "👥 {agents} · 🧮 about {tokens:,} tokens · 💰 {cost}{minutes}"
)
PLAN_GROUP = "• {group}"
PLAN_MORE = "\n• and {count} more"
PLAN_NO_PRICE = "no known price"
PLAN_MINUTES = " · ⏱️ about {minutes} min"
ASSIGNMENT = {
    "open": "📌 #{id} **{title}**: {giver} → {assignee}",
    "submitted": "📬 #{id} **{title}**: submitted by {assignee}",
    "accepted": "✅ #{id} **{title}**: accepted by {giver}",
    "rejected": "↩️ #{id} **{title}**: sent back to {assignee}",
    "cancelled": "🗑️ #{id} **{title}**: cancelled",
}
NOTE_LINE = "\n-# {note}"
FILE = {
    "added": "📄 {name} added {file}",
    "changed": "📄 {name} changed {file}",
    "merged": "🔀 {name} merged into {file}",
    "deleted": "🗑️ {name} deleted {file}",
}
FILE_NAME = "`{path}` (r{revision}, {size})"
RAN = "▶️ {name} ran `{command}`: {how}"
RAN_OK = "done"
RAN_EXIT = "exit {code}"
RAN_ENDED = {
    "timeout": "stopped at the time limit",
    "memory": "stopped at the memory limit",
    "output": "stopped, too much output",
    "files": "stopped, too many files",
    "killed": "killed",
}

GATE = {
    "question": "❓ **{name}** asks: {question}",
    "cap": "💰 **Cap reached.** {question}",
    "share": "💰 **Cap reached.** {question}",
    "audit": "🔍 **Your judgement is needed.** {question}",
    "stall": "🧱 **The work is stuck.** {question}",
}
GATE_ENGINE = "MegaAgent"
GATE_CLOSED = "✔️ Answered by {who}: {answer}"

PAUSED = "⏸️ Paused: {reason}"
RESUMED = "▶️ Going on."
CAP_WARNING = "⚠️ {percent} % of the {cap} cap is used: {spent} of {limit}."
SHARE_WARNING = (
    "{setter}⚠️ {percent} % of the {cap} cap of {who} and all below it is used: {spent} of {limit}."
)
CAP_FULL = "⛔ The {cap} cap is reached: {spent} of {limit}. `/task cap` raises it."
INTERVENED = "🩺 {who}: {detail}"
INTERVENED_NAMED = "🩺 {detail}"
WHOLE_TASK = "The whole task"
MODEL_WAITING = "⏳ The model cannot be used now ({reason}). Work goes on by itself, perhaps in {seconds} s."
MODEL_NOTICE = "📎 {text}"
MODEL_BACK = "🔌 The model answers again."
AUDIT = {
    "accepted": "🔍 Audit {round}: accepted.",
    "ran": "🔍 Audit {round}: it runs. Whether it is right was not judged.",
    "rejected": "🔍 Audit {round}: not yet.",
}
END = {
    "done": "🏁 **Done.**",
    "stopped": "🛑 **Stopped.**",
    "failed": "💥 **Failed.**",
}
END_EARLY = "-# What happened: `/task log`. The files stay: `/task files`."
END_UNHEEDED = "Said before the end, and not acted on:"
END_UNHEEDED_LINE = "- {by} to {to}: {text}"
END_UNHEEDED_MORE = "- and {count} more"
END_UNVERIFIED = "-# No audit confirmed this result: check it before you rely on it."
END_FILES = "-# Deliverables attached; everything else: `/task files`."
TOO_LARGE = "-# Too large for Discord, take it with `/task files`: {names}"
MISSING_FILE = "-# Not in the workspace: {names}"

ROLLUP = "-# {count} messages at once"
ATTACHED = "-# Whole text attached."
DIGEST = "-# {count} messages in a hurry, the whole text is attached: {voices}"
DIGEST_TITLE = "{count} messages"

NOT_TAKEN = (
    "🚧 Discord does not take what **{name}** wrote here (its filters for words and links, or its size): "
    "the text is attached."
)
NOT_TAKEN_BARE = (
    "🚧 Discord does not take what **{name}** wrote here, nor as a file. It is in the transcript that "
    "`/task archive` gives at the end."
)
SAFE_NAME = "Agent {number}"
NAME_REFUSED = "🔧 Discord refuses the name of an agent here, so it speaks as **{name}**."

WEBHOOK_REPAIRED = "🔧 The webhook of this channel was removed or moved; made a new one."
WEBHOOK_GIVEN_UP = (
    "🔧 The webhook of this channel was removed again. The agents now speak through me, "
    "names in front. To get faces back, leave the webhook in place and use `/doctor`."
)
WEBHOOK_FORBIDDEN = (
    "🔧 Without the permission **Manage Webhooks** agents speak through me, names in front. "
    "Grant it and use `/doctor`."
)
WEBHOOK_FULL = (
    "🔧 This channel already has 15 webhooks, so agents speak through me. Delete one nobody uses "
    "and use `/doctor`."
)
WEBHOOK_GUILD_FULL = (
    "🔧 This server already has as many webhooks as Discord allows, so agents speak through me. Delete some "
    "nobody uses and use `/doctor`."
)
WEBHOOK_REFUSED = "🔧 Discord refuses a webhook in this channel, so agents speak through me."
WEBHOOK_2FA = (
    "🔧 This server asks its moderators for two-factor authentication, and whoever owns my application has "
    "none: until they switch it on, agents speak through me. Then use `/doctor`."
)
PLACE_REPAIRED = "🔧 The place of **{group}** was deleted; made a new one. Earlier messages: `/task log`."
PLACE_GIVEN_UP = "🔧 The place of **{group}** was deleted again. Its messages now come here."
CATEGORY_REPAIRED = "🔧 The category of this task was deleted; made a new one."
CHANNELS_FULL = "🔧 No room for more channels here: further groups get threads."
CHANNELS_FORBIDDEN = (
    "🔧 Without the permission **Manage Channels** I can only give groups threads here. "
    "Grant it and use `/doctor`."
)
CHANNELS_2FA = (
    "🔧 This server asks its moderators for two-factor authentication, and whoever owns my application has "
    "none: until they switch it on, I can only give groups threads here. Then use `/doctor`."
)
CHANNELS_REFUSED = "🔧 Discord refuses a channel here, so groups get threads."
PLACE_NAME_REFUSED = "🔧 Discord refuses this group's name here, so its place has a plain one."
SAFE_PLACE = "group {id}"
TOPIC = "Group {group} of task {task}. Reply to an agent to talk to it. Ref {ref}"
TASK_TITLE = "task {id}"
WEBHOOK_NAME = "MegaAgent"
WHOLE_FILE = "message.md"
TRANSCRIPT_FILE = "transcript.md"
