"""Texts of the messages that the bot posts about events, in the voice of `bot.texts`."""

from __future__ import annotations

TO = "-# → {names}"
ADDRESSEES = {"human": "you", "group": "the group"}
ANSWER = "-# ↪ in reply to <@{user}>: “{excerpt}” · {link}"
ANSWER_UNKNOWN = "-# ↪ in reply to {link}"
ANSWER_MORE = "-# and to {count} more"
AND_MORE = " and {count} more"

OPENING = (
    "🧭 **{boss}** is reading the goal and planning the work.\n> {goal}\n"
    "-# To talk to an agent, reply to it. What you write here goes to {boss}; `/agent say` reaches any agent."
)
DEMONSTRATION = {
    "AgentJoined": (
        "🎬 **This is a demonstration.** What the agents say is recorded; no model is used, and it costs "
        "nothing. Everything else is real: programs run, files are kept, your answers count. Approve the "
        "plan, answer the question, reply to an agent, open the files."
    ),
    "PlanProposed": "-# 🎬 Demonstration: the figures come from the recording; nothing is spent.",
    "GateRaised": "-# 🎬 Demonstration: every answer works, and each leads to a different card.",
    "Audited": "-# 🎬 Demonstration: the auditor's words are recorded; what it ran was run here.",
    "TaskEnded": ("-# 🎬 This was a demonstration: recorded words, real files. Your own task: `/task new`."),
}
"""What is said in the posts of a demonstration, by the kind of event."""
CARD_AT = "-# The live card is in <#{channel}>."
SUCCEEDED = "👋 **{name}** takes over from {old}, with its open work."
LEFT = "🚪 **{name}** left: {reason}"

PLAN = "🗺️ **The plan.** Work is starting on it. To change it, write to me here."
PLAN_TITLE = "The plan"
PLAN_CARD = (
    "**Groups**\n{groups}{more}\n\n**Why**\n{why}\n\n**Estimate**\n"
    "👥 {agents} · 🧮 about {tokens:,} tokens · 💰 {cost}{minutes}{left}"
)
PLAN_CHOICES = "Your choices"
PLAN_PEOPLE_MORE = "\n👥 The team below, and {count} more"
PLAN_NO_PART = "…"
PLAN_GROUP = "• {group}"
PLAN_MORE = "\n• and {count} more"
PLAN_NOTHING = "nothing, it is recorded"
PLAN_NO_PRICE = "price not known"
PLAN_CEILING = "{cost} at an assumed high price; the real price is not known"
PLAN_LEFT = "\n📅 Left of this month's budget: {left}"
PLAN_BEYOND = (
    "\n⚠️ **More than this task may still use** ({left}): work stops on the way and asks, "
    "unless its caps are raised."
)
PLAN_MINUTES = " · ⏱️ about {minutes} min"
SMALL_PRINT = "-# {text}"
ACTS = {
    "led": "formed a group: {names}",
    "recruited": "recruited {names}",
    "gave": "assigned {names}",
    "wrote": "wrote {names}",
    "merged": "merged changes into {names}",
    "deleted": "deleted {names}",
    "packages": "got the packages {names}",
    "ran": "ran {names}",
    "passed": "ran {names}",
    "failed": "ran {names}",
    "reopened": "changed accepted work: {names}",
    "called": "called {names}",
    "accepted": "accepted {names}",
}
"""What an agent did, in the order in which a line of small print tells it."""

ACT_NAMES = {
    "recruited": "{subject} ({detail})",
    "gave": "{subject} to {detail}",
    "passed": "{subject} (its own report: {detail} without a failure)",
    "failed": "{subject}: {detail}",
    "called": "{subject} ({detail})",
    "reopened": "{subject} ({detail})",
    "accepted": "{subject} ({detail})",
}
RAN_EXIT = "exit code {code}"
RAN_ENDED = {
    "timeout": "stopped at the time limit",
    "memory": "stopped at the memory limit",
    "output": "stopped, too much output",
    "files": "stopped, too many files",
    "killed": "killed",
    "closed": "ended by its agent",
}
ACTION_ASKED: dict[str, str] = {
    "run": "🛡️ May I run exactly this program, once?",
    "recruit": "🛡️ May I recruit these agents?",
    "finish": "🛡️ May I end the task with this report?",
}
"""What an agent asks before a protected action."""

CALL_ASKED = "🔌 May I call **{tool}** of **{server}** with exactly these arguments?"
CALL_WHY = {
    "again": "-# It is unclear whether exactly this call was already made.",
    "foreign": (
        "-# ⚠️ This task has read text from outside, which may try to make agents send data out. Check what "
        "this call sends."
    ),
    "address": (
        "-# ⚠️ Nobody gave this task the address in this call. Its owner could learn what the agents know."
    ),
    "words": (
        "-# ⚠️ These words are sent out. This task has read text from outside, and holds people's files or "
        "answers from your servers."
    ),
    "links": (
        "-# ⚠️ This address comes from a page. Its owner could learn what the agents know from the links they "
        "follow, and this task holds people's files or answers from your servers."
    ),
}
"""Why people are asked about a call, where it is not the operator's wish."""

WEB_AWAY = (
    "🌐 `{tool}` cannot reach the web at the moment. The agents continue without it and should say so in the "
    "report; "
    "see `/tools`."
)
CALL_UNKNOWN = (
    "⚠️ {name} called **{tool}** of {server}, and **it is unclear whether the call went through**: "
    "`{arguments}`\n"
    "-# It is not repeated automatically. Check {server}, and tell {name} what you find."
)
CALL_ENDED = {"failed": "failed", "not_sent": "not reached", "refused": "refused"}
SOURCES = "-# Outside sources read before: {sources}"
SOURCE = "{tool} of {server}"
SOURCE_AT = "{tool} of {server}, `{address}`"
ASSIGNMENT = {
    "submitted": "📬 **{title}** is ready for review.",
    "accepted": "✅ **{title}** of {assignee} is accepted.",
    "rejected": "↩️ **{title}** goes back to {assignee}.",
}

PAUSED = "⏸️ Paused: {reason}"
RESUMED = "▶️ Resumed."
PAUSED_BY, RESUMED_BY = "⏸️ Paused by {who}.", "▶️ Resumed by {who}."
A_PERSON = "Somebody"
CAPS_BY = "📐 {who} set the caps of this task: {caps}."
PART_CAPS_BY = "📐 {who} set the caps of {name} and all below it: {caps}."
STOPPED_BY = "🛑 **Stopped** by {who}."
CAP_WARNING = "⚠️ {percent}% of the {cap} cap is used: {spent} of {limit}."
SUBTREE_CAP_WARNING = (
    "{setter}⚠️ {percent}% of the {cap} cap of {who} and all below it is used: {spent} of {limit}."
)
CAP_PASSED = "⚠️ The {cap} cap is exceeded: {spent} of {limit}."
SUBTREE_CAP_PASSED = "{setter}⚠️ The {cap} cap of {who} and all below it is exceeded: {spent} of {limit}."
CAP_FULL = "👥 All {limit} agents that this task may have are there. `/task cap` allows more."
INTERVENED = {
    "paused": "🩺 **{who}** was stopped: {detail}",
    "replaced": "🩺 **{who}** is replaced by a new agent: {detail}",
}
INTERVENED_NAMED = {"paused": "🩺 {detail}.", "replaced": "🩺 {detail}. A new agent takes over its work."}
"""The same, where what happened already names the agent."""
WHOLE_TASK = "The whole task"
MODEL_WAITING = (
    "⏳ The model is unavailable. {reason}\n-# Retries are automatic; work resumes when it answers."
)
MODEL_NOTICE = "📎 {text}"
MODEL_BACK = "🔌 The model answers again."
AUDIT_BEGUN = "🔍 I think the goal is met. {auditor} is checking the result."
AUDIT = {
    "accepted": "🔍 **Accepted.**",
    "ran": "🔍 **The program runs.** Its correctness was not judged.",
    "rejected": "🔍 **Not accepted yet.**",
}
END = {
    "done": "🏁 **Done.**",
    "stopped": "🛑 **Stopped.**",
    "failed": "💥 **Failed.**",
}
END_UNFINISHED = "⚠️ **Not finished.** Missing:"
MISSING = {
    "file": "`{path}`, which the goal asks for",
    "empty_file": "the content of `{path}`",
    "tests": "the tests that the goal asks for",
    "option": "the option `{what}`",
    "left_out": "a part of `{path}` was left out: {what}",
    "empty_function": "the body of `{what}()` in `{path}`",
    "silent": "`{path}` prints nothing",
    "repeats": "`{path}` repeats itself",
    "content": "the right content of `{path}`: {what}",
    "example": "an example of the goal fails: {what}",
    "fails": "a run of `{what}` without a failure: the last one failed",
}
TESTS_CHECK_NOTHING = "tests that check something: those in `{path}` do not"
END_NOTICE = "-# Task #{id} ended: {state}. Its report:"
"""Said where the task was started, with a link to the report: no words of the task, anyone may read there."""
END_EARLY = "-# See what happened with `/task log`. The files are kept: `/task files`."
END_UNHEEDED = "Sent before the end, but not acted on:"
END_UNHEEDED_LINE = "- {by} to {to}: {text}"
END_UNHEEDED_MORE = "- and {count} more"
END_UNVERIFIED = "-# No audit confirmed this result. Check it before you rely on it."
END_FILES = "-# The deliverables are attached. For all other files, use `/task files`."
TOO_LARGE = "-# Too large to attach, download with `/task files`: {names}"
TOO_MANY = "-# A message holds 10 files; download the others with `/task files`: {names}"
MISSING_FILE = "-# Not in the workspace: {names}"

ROLLUP = "-# {count} messages at once"
ATTACHED = "-# The full text is attached."
DIGEST = "-# {count} messages in a short time; the full text is attached: {voices}"
DIGEST_TITLE = "{count} messages"

NOT_TAKEN = (
    "🚧 Discord rejected a message from **{name}** here, because of its filters for words and links or "
    "because of its size. The text is attached."
)
NOT_TAKEN_BARE = (
    "🚧 Discord rejected a message from **{name}** here, even as a file. It will be in the transcript that "
    "`/task archive` creates after the task ends."
)
NO_BUTTONS = "-# Discord rejected the buttons here. Reply to this message instead, with one of: {labels}"
NO_END_BUTTONS = "-# Discord rejected the buttons here. `/task continue` and `/task files` do the same."
SAFE_NAME = "Agent {number}"
NAME_REFUSED = "🔧 Discord rejected the name of an agent here, so it posts as **{name}**."

WEBHOOK_REPAIRED = "🔧 The webhook of this channel was deleted or moved, so I created a new one."
WEBHOOK_GIVEN_UP = (
    "🔧 The webhook of this channel was deleted again. Agents now post through the bot, with their names in "
    "front. To get their avatars back, keep the webhook and run `/doctor`."
)
WEBHOOK_FORBIDDEN = (
    "🔧 Without **Manage Webhooks**, agents post through the bot, with their names in front. "
    "Grant it and run `/doctor`."
)
WEBHOOK_FULL = (
    "🔧 This channel already has 15 webhooks, so agents post through the bot. Delete an unused webhook "
    "and run `/doctor`."
)
WEBHOOK_GUILD_FULL = (
    "🔧 This server already has as many webhooks as Discord allows, so agents post through the bot. "
    "Delete unused webhooks and run `/doctor`."
)
WEBHOOK_REFUSED = "🔧 Discord rejected a webhook in this channel, so agents post through the bot."
WEBHOOK_2FA = (
    "🔧 This server requires two-factor authentication for moderators, and the owner of my application has "
    "not enabled it, so agents post through the bot. Enable it and run `/doctor`."
)
PLACE_REPAIRED = (
    "🔧 The channel of **{group}** was deleted, so I created a new one. For earlier events, use `/task log`."
)
PLACE_GIVEN_UP = "🔧 The channel of **{group}** was deleted again. Its messages now appear here."
CATEGORY_REPAIRED = "🔧 The category of this task was deleted, so I created a new one."
CHANNELS_FULL = (
    "🔧 This server has as many channels as Discord allows, so further groups get threads. "
    "`/task archive remove:True` deletes those of a task that has ended."
)
CATEGORY_FULL = (
    "🔧 The category for this task holds 50 channels, as many as Discord allows, so further groups get "
    "threads. `/task archive remove:True` deletes those of a task that has ended, and `/setup place:` "
    "chooses another category."
)
CHANNELS_FORBIDDEN = (
    "🔧 Without **Manage Channels**, groups get threads instead of channels here. Grant it and run `/doctor`."
)
CHANNELS_2FA = (
    "🔧 This server requires two-factor authentication for moderators, and the owner of my application has "
    "not enabled it, so groups get threads instead of channels here. Enable it and run `/doctor`."
)
CHANNELS_REFUSED = "🔧 Discord rejected a new channel here, so groups get threads."
THREADS_FULL = (
    "🔧 This server has as many active threads as Discord allows, so further groups write in the channel. "
    "Archive threads that nobody needs."
)
THREADS_FORBIDDEN = (
    "🔧 Without **Create Public Threads** and **Send Messages in Threads**, groups write in the channel "
    "instead of threads here. Grant them and run `/doctor`."
)
THREADS_2FA = (
    "🔧 This server requires two-factor authentication for moderators, and the owner of my application has "
    "not enabled it, so groups write in the channel instead of threads here."
)
THREADS_SLOW = "🔧 Discord allows no new thread for a while, so a group writes in the channel."
THREADS_REFUSED = "🔧 Discord rejected a new thread here, so a group writes in the channel."
THREAD_LOCKED = (
    "🔧 <#{thread}> is locked, and I am not allowed to open it. What its agents say waits. Unlock it, or "
    "grant **Manage Threads** and run `/doctor`."
)
PLACE_NAME_REFUSED = "🔧 Discord rejected this group's name here, so its place has a neutral name."
CATEGORY_CLOSED = (
    "🔧 I cannot work in the category chosen with `/setup`, so this task has its own. Give my role there the "
    "permissions that `/doctor` lists, or choose another category."
)
MARK_FORBIDDEN = (
    "🔧 I cannot mark messages in <#{channel}>, so people there cannot see whether an agent received "
    "or read them. Grant **Add Reactions** and **Read Message History** and run `/doctor`."
)
GATE_STUCK = (
    "🔧 A question here is closed, but I am not allowed to change its message, so its buttons are still "
    "shown. They have no effect. Grant **View Channel** and run `/doctor`."
)
MARK_REFUSED = (
    "🔧 Discord rejected my mark on a message in <#{channel}>: it has 20 different reactions, or its writer "
    "has blocked me. Everything else happens as usual."
)
GATE_REFUSED = (
    "🔧 A question here is closed, but Discord does not let me change its message, so its buttons are still "
    "shown. They have no effect."
)
GATE_ORPHANED = (
    "🔧 A question here is closed, but somebody deleted the webhook that asked it, so its buttons are still "
    "shown. They have no effect."
)
FORUM_POST = "The agents of task #{id} write here. Reply to an agent to talk to it."
SAFE_PLACE = "group {id}"
TOPIC = "{group} (task {task}). Reply to an agent to talk to it, or write here."
TOPIC_MARK = " Ref {ref}"
TASK_TITLE = "task {id}"
WEBHOOK_NAME = "MegaAgent"
WHOLE_FILE = "message.md"
RUNS_FILE = "what_was_run.md"
TRANSCRIPT_FILE = "transcript.md"
