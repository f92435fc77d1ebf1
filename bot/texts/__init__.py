"""Every word the bot itself says, in one voice: calm, plain, and each refusal ends with what to do next.

Agents' own words never come from here. Functions are pure; what comes from people or models is
escaped by the caller (`bot.discord.formatting.plain`) before it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.texts import commands
from engine.commands import Limits

# ---------------------------------------------------------------- commands

CMD, OPT = commands.CMD, commands.OPT

MENU_REPLY = "Reply to agent"
MENU_INSPECT = "Inspect turn"
MENU_WHY = "Why?"
MENU_PAUSE = "Pause this agent"

# ---------------------------------------------------------------- refusals

GUILD_ONLY = "This works only in a server. Go to a channel of your server and try again."
ORDER_LOST = (
    "That window was open for so long that I no longer have the limits and files you chose, or it was sent "
    "twice. Your goal is attached: run `/task new` again with it as a file."
)
BAD_BUDGET = "A budget must be more than 0 dollars. Run the command again with a number such as 2.50."
PLAN_CAP_ABOVE = (
    "An approval can lower caps, not raise them, so nothing was answered. "
    "Raise them first with `/task cap`, then approve."
)
BAD_NUMBER = "“{value}” is not a whole number above 0. Open the window again and write digits only."
BIG_FILE = (
    "`{name}` has {size}; files up to {limit} can be taken. Make it smaller or split it, then try again."
)
NO_TASK_HERE = (
    "No task belongs to this channel. Name one, as in `/task status task:3`; `/task list` shows them."
)
NO_TASK = "There is no task {name} in this server. Run `/task list` to see those there are."
NO_AGENT = "There is no agent {name} here. Run `/task tree` to see who works on what."
NO_GROUP = "There is no group {name} here. Run `/task tree` to see them."
NO_GATE = "That question is not of this server. Use the buttons under the question itself."
NO_MEMORY = "There is no memory {name} in this server. Run `/memory list` to see what is kept."
NO_REPEAT = "Nothing repeats here under {name}. Run `/task repeat list` to see what does."
BAD_TIME = "“{value}” is not a time of day. Run the command again with one such as 09:00 or 18:30."
REPEAT_LOST = "That was answered already, or is more than a day old. Run `/task repeat new` again."
NO_FILE = "That file is not there any more. Run `/task files` to see what is."
NO_FILES = "There are no files yet. They appear here as the agents write them."
WHICH_AGENT = "That message carries the words of several agents. Which one do you mean?"
SEVERAL_AGENTS = (
    "That message carries the words of several agents ({names}). Use `/agent pause` and name one."
)
NOT_A_PERSONA = "That message is not an agent's. Use this on something an agent said."
NO_PLACE = "That group has no channel yet. It gets one with its first words; look again in a minute."
TOO_BIG = (
    "That comes to {size}, and Discord takes {limit} a file here. "
    "Ask the operator to run `megaagent export` on the bot's machine."
)
PACKING = "Packing all of it; with a long history that takes a minute or two. It comes here by itself."
ZIP_PART = "Part {number} of {of}."
ZIP_LEFT_OUT = (
    "Too big for Discord and left out: {names}. "
    "Ask the operator to run `megaagent export` on the bot's machine."
)
ARCHIVE_RUNNING = "Task #{id} still needs its channels. Stop it first with `/task stop`, then archive it."
_ASK = "Someone with Manage Server can give your role that right with `/setup`."
NOT_ALLOWED = {
    "start": f"You may not start tasks here. {_ASK}",
    "steer": f"You may not steer this task. Ask who started it. {_ASK}",
    "approve": f"You may not answer for this task. Ask who started it. {_ASK}",
    "spend": f"You may not raise caps here. {_ASK}",
}
NEEDS_MANAGE = "Only people with Manage Server may do that. Ask one of them."
REPLY_REFUSED = "Agents here hear only people who may steer the task. Ask who started it; `/help` says more."
CANNOT_READ = (
    "I cannot read messages here, so this reached no agent. "
    "Right-click an agent's message, then Apps, then *Reply to agent*; or use `/agent say`."
)
NOTHING_TO_READ = "There is nothing in that message an agent could read. Write some words or attach a file."
CALLED = "No agents meet in this channel. `/task new` gives a goal to a new group of them; `/help` says more."
NO_CHOICE = "That question offers no such answer. Use one of the buttons under it."
CAP_IN_WORDS = "Words cannot say how much more. Press a button there, or use `/task cap` with numbers."
READ_LATER = "{name} is paused and reads this when it goes on: `/agent resume`."
READ_LATER_TASK = "The task is paused, so {name} reads this when it goes on: `/task resume`."
READ_ALREADY = (
    "{name} has read that already, so the change did not reach it. Send the correction as a new message."
)

DISCORD_FORBIDDEN = "Discord did not let me do that here. Run `/doctor` to see which permission is missing."
DISCORD_GONE = "That message or channel is gone. Run `/task status` for a fresh one."
DISCORD_DOWN = "Discord did not answer properly. Nothing was lost; try again in a minute."
NO_DISK = "The bot's machine has no space left, so this was not done. Ask the operator to free some."
UNKNOWN = (
    "Something went wrong on my side and was written down as incident `{incident}`. "
    "Try again; if it stays, tell the operator that number."
)
KEY_REJECTED = "{message} The operator sets it as `OPENAI_API_KEY` in `.env` and starts the bot again."
UNREACHABLE = "{message} Work waits and goes on by itself; `/doctor` shows whether the endpoint answers."

TWICE = (
    "Another bot is already running on this database ({who}). Two would say everything twice, so this one "
    "does not start. Stop the other one, or give this one another DATA_DIR."
)
LOGIN_FAILED = (
    "Discord does not accept the token. Copy it again from the developer portal into DISCORD_TOKEN in .env."
)
INTENT_MISSING = (
    "Discord refuses the message-content intent. Switch it on in the developer portal under Bot, "
    "or set MESSAGE_CONTENT=off in .env: replies then go by button and menu."
)

# ---------------------------------------------------------------- answers

TASK_STARTED = (
    "Task #{id} has begun. Its card is in {where}; the agents get channels of their own in a moment."
)
TASK_STARTED_AT = "Task #{id} has begun: follow it in {place}. Its live card is in {where}."
TASK_STARTED_UNSEEN = (
    "Task #{id} has begun. I could not post its card in {where}, so it comes to the task's own channel. "
    "`/doctor` shows which permission is missing here."
)
MODEL_WAITING = (
    "Task #{id} waits, because the model cannot be used: {reason} The operator sets OPENAI_API_KEY and "
    "OPENAI_BASE_URL in `.env`; `/doctor` shows when it answers, and the task then goes on by itself."
)
SPOKEN = "💬 **{who}** → **{to}**\n{text}"
TASK_PAUSED = "Task #{id} is paused. Running work settles; `/task resume` goes on."
TASK_RESUMED = "Task #{id} goes on."
TASK_STOPPED = "Task #{id} has been stopped. Its files stay: `/task files`."
TASK_CAPPED = "Task #{id} now has these caps: {caps}."
ENDED_ALREADY = (
    "Task #{id} has ended already ({state}), so there is nothing to stop. Start another with `/task new`."
)
STOP_SURE = "Stop task #{id} for good? Its files stay, its agents do not."
STOP_NOT = "Task #{id} goes on as before."
SAID = "{name} has your message and answers here when it has read it."
EDITED = "{name} works by these instructions from its next turn on."
AGENT_PAUSED = "{name} is paused. `/agent resume` lets it go on."
AGENT_RESUMED = "{name} goes on."
REPLACE_SURE = (
    "Put a fresh agent in the place of {name}? It gets the same role, what is open, and a note of what "
    "{name} knew{group}. {name} leaves for good."
)
REPLACE_GROUP = "; it leads the same group"
REPLACE_NOT = "{name} stays."
AGENT_REPLACED = "{name} has left; {fresh} goes on with its work."
AGENT_CAPPED = "{name} and all below it may use {caps}."
SHARE = "-# It and all below it: {used}"
SHARE_STOPPED = "stopped at its cap"
REPEAT_SURE = "Start this {when}?\n> {goal}\n{outlook}"
REPEAT_OUTLOOK = (
    "First on <t:{first}:F>. Each run may use at most {caps}; {count} runs in the next 30 days come to at "
    "most **{most}**. A run asks nobody: at its cap it ends with what there is. A start that is due while "
    "the run before goes on is left out."
)
REPEAT_WHEN = "{days} at {time} ({zone})"
REPEAT_DAILY, REPEAT_WORKING = "every day", "every working day"
REPEAT_MONTHLY = "on day {day} of each month"
REPEAT_CRON = "at `{cron}` ({zone})"
REPEAT_NOT = "Nothing repeats."
REPEAT_BEGUN = "It starts {when}, as number {id}. `/task repeat list` shows it, `/task repeat stop` ends it."
REPEAT_NEXT, REPEAT_HELD = "next <t:{at}:R>", "**paused**: {why}"
REPEAT_NOBODY = "who made it is not in this server"
REPEAT_LEFT = "<@{id}>, who made it, has left this server"
REPEAT_NO_RIGHT = "<@{id}>, who made it, may not start tasks here any more"
REPEAT_NO_SPEND = (
    "<@{id}>, who made it, may not raise caps here any more, and its own are above the usual or its model "
    "has no known price"
)
REPEAT_PAUSED = (
    "⏸️ #{id} does not start any more: {why}.\n> {goal}\nWho may start tasks can take it over with "
    "`/task repeat resume`; `/task repeat stop` ends it."
)
REPEAT_RESUMED = "#{id} starts {when} again, in your name: {goal}"
REPEAT_LINE = "**#{id}** {when} · {next} · {runs} runs{skipped}{last} · {caps} a run · {goal}"
REPEAT_SKIPPED = ", {count} left out"
REPEAT_LAST = ", last task #{id}"
REPEAT_STOPPED = "No more starts of #{id}: {goal}. A run that goes on is left alone."
NO_REPEATS = "Nothing repeats in this server. `/task repeat new` starts a task every day, week or month."
AGENT_DISMISSED = "{name} has left the task. What it had open goes back to its head."
ANSWERED = "Answered: {answer}"
GATE_MOOT = "Closed"
GATE_TIMEOUT = "Approved: nobody answered in time"
GATE_CLOSED = "That question has been answered already. What was answered stands under it."
GROUP_AT = "{name} meets in {where}."
FOLLOW_SET = {
    "off": "You are told nothing of task #{id} any more, except answers to what you ask.",
    "answers": "You are told when task #{id} needs a person, and when it ends.",
    "all": "You are told of every step forward in task #{id}.",
}
FOLLOW_AGAIN = "Press again for the next setting."
NEWS_GATE = "❓ **{name}** asks: {question}"
NEWS_END = "🏁 Task #{id}: {state}"
NEWS_CAP = "💰 {percent} % of the cap on {cap} is used."
NEWS_SHARE = "💰 {percent} % of the cap on {cap} of {name} is used."
NEWS_GROUP = "🏠 Group **{name}** has formed."
NEWS_ACCEPTED = "✅ Accepted from **{name}**: {title}"
NEWS_AUDIT = "🔎 Audit {round}: {verdict}."
FORGOTTEN = "Forgotten for good: {text}"
NO_MEMORIES = "Nothing is remembered for this server yet. What tasks learn is kept here."
NO_TASKS = "There are no tasks in this server yet. Start one with `/task new`."
NO_STEPS = "{name} has not done anything yet."
NO_TIMELINE = "Nobody has finished a step yet, so there is nothing to draw. Look again in a minute."
PICTURE_TITLE = "Task #{id}: {goal}"
NOTHING_LOGGED = "Nothing has happened yet."
ARCHIVED = "The channels of task #{id} are {how}. The transcript is attached."
READ_ONLY, REMOVED = "read-only now", "removed"
ARCHIVE_FORBIDDEN = (
    "Nothing more comes there, but people can still write in {places}: for read-only channels I need the "
    "permission **Manage Roles** (Discord counts channel permissions under it), for threads **Manage "
    "Threads**. Grant it and use `/task archive` again."
)
ARCHIVE_FORBIDDEN_REMOVE = (
    "I may not delete {places}: channels need the permission **Manage Channels**, threads **Manage "
    "Threads**. Grant it and use `/task archive` again."
)
ARCHIVE_NOT_OURS = "Left as they are, since I did not make them or they were given another topic: {places}"
PERMISSION_LOST = (
    "I lost a permission in {where}: **{missing}**. "
    "Give it back to my role in that channel; `/doctor` shows all."
)

WELCOME = (
    "Hello. Give me a goal, and a team of agents works on it in channels where all can watch and step in.\n"
    "First choose with `/setup` who may start tasks (until then only people with Manage Server may). "
    "Then `/task new` begins one. `/doctor` checks what I need here, `/help` explains the rest."
)

HELP = """\
**Give a goal, watch the work, step in when you like.**
`/task new` starts a task: a boss takes the goal apart, recruits agents, and each group gets a channel.
**Talk to an agent:** reply to what it said, begin a message with its name, or write in its channel (that \
goes to the group's head). Without reading rights, right-click its message, then *Apps*.
**Steer:** the card has Pause, Stop, Follow and Raise cap. `/agent` works on one agent: `replace` puts a \
fresh one in its place, `cap` limits it and all below it. `/task repeat` starts a task again and again.
**Be told:** whoever starts a task is mentioned when it needs a person and when it ends. `/follow` changes \
that for you alone: `off`, `answers` (the same, for any task you can see), or `all` (each step besides).
**Results:** `/task files`, `/task export`. **See why:** right-click a message, then *Why?*
📨 your message was delivered · 👀 it was read · ⛔ it went nowhere, and a line says why.
**For server managers:** `/setup` says who may do what; `/doctor` checks everything."""


def caps(limits: Limits) -> str:
    """The caps there are, in words."""
    named = [
        f"{limits.agents:,} agents" if limits.agents else "",
        f"${limits.cost_micros / 1_000_000:,.2f}" if limits.cost_micros else "",
        f"{limits.tokens:,} tokens" if limits.tokens else "",
        f"{limits.minutes:,} minutes" if limits.minutes else "",
    ]
    return ", ".join(name for name in named if name)


# ---------------------------------------------------------------- card

STATE = {
    "running": "🟢 running",
    "paused": "⏸️ paused",
    "done": "✅ done",
    "stopped": "⏹️ stopped",
    "failed": "❌ failed",
}
DOING = {
    "send_message": "writes to",
    "recruit": "recruits",
    "assign": "gives out",
    "submit": "hands in work",
    "review": "reviews work",
    "dismiss": "lets an agent go",
    "propose_plan": "proposed a plan",
    "update_todo": "updates its list",
    "list_files": "looks at the files",
    "read_file": "reads",
    "search_files": "searches the files",
    "write_file": "writes",
    "edit_file": "changes",
    "run": "runs",
    "send_input": "types into a program",
    "remember": "notes something down",
    "recall": "looks into its notes",
    "ask_human": "asks a person",
    "finish": "hands in the result",
    "verdict": "judges the result",
}
"""What an agent does, by the tool it uses; a path, title or name may follow."""
THINKS = "thinks"
"""What an agent does that has not acted yet."""
WORKING = {"working": "🔹", "idle": "▫️", "paused": "⏸️", "dismissed": "✖️"}
BUTTON = {
    "pause": "Pause",
    "resume": "Resume",
    "stop": "Stop",
    "follow": "Follow",
    "cap": "Raise cap",
    "picture": "Picture",
    "timeline": "Timeline",
    "files": "Files",
    "stop_yes": "Yes, stop it",
    "stop_no": "No, go on",
    "say": "Answer in words",
    "edit": "Change in words",
    "plan_cap": "Approve within caps",
    "reply": "Reply",
    "agent_cap": "Cap its part",
    "replace_yes": "Yes, replace it",
    "replace_no": "No, keep it",
    "repeat_yes": "Yes, repeat it",
    "repeat_no": "No",
    "view": "View",
    "history": "History",
    "blame": "Who wrote it",
    "download": "Download",
    "zip": "All as zip",
    "bundle": "History as git bundle",
    "earlier": "Older",
    "later": "Newer",
}
CHOOSE_FILE = "Choose a file to look at"
FILES_HEAD = "**Files of task #{id}** · {count}, {size}"
NEXT_FILES, FILES_BEFORE = "Next files", "Files before"
NOBODY_YET = "Nobody but the boss yet."
DISK_FULL = (
    "⚠️ Work is paused because the disk of the bot's machine is full. It goes on by itself once there is room."
)
WAITING_FOR_YOU = "❓ {count} waiting for a person's answer"
UNVERIFIED = "not confirmed by an audit"
VERIFIED = "confirmed by an audit"

# ---------------------------------------------------------------- modals

MODAL_GOAL, MODAL_GOAL_LABEL = "New task", "What is to be done?"
MODAL_REPLY, MODAL_REPLY_LABEL = "To {name}", "Your message"
MODAL_ANSWER, MODAL_ANSWER_LABEL = "Your answer", "Answer"
MODAL_EDIT, MODAL_EDIT_LABEL = "Instructions of {name}", "What it is to do from now on"
MODAL_CAP = "Caps of task #{id}"
MODAL_CAP_DOLLARS, MODAL_CAP_AGENTS, MODAL_CAP_MINUTES = "US dollars", "Agents", "Minutes"
MODAL_CAP_TOKENS = "Tokens"
MODAL_AGENT_CAP = "{name} and all below it"
MODAL_PLAN_CAP = "Approve the plan within these caps"
PLAN_ANSWERED = "🗺️ **The plan.** It has been answered."
PLAN_MOOT = "🗺️ **The plan.** It needs no answer any more."
MODAL_PLAN, MODAL_PLAN_LABEL = "Change the plan", "What should be different?"

# ---------------------------------------------------------------- doctor

DOCTOR_CHANNEL = (
    "❌ {where}: I lack **{missing}**. Fix: open its settings, Permissions, my role, and allow it."
)
DOCTOR_SERVER = "❌ Server: my role lacks **{missing}**. Fix: Server Settings, Roles, my role, and allow it."
DOCTOR_ARCHIVE = (
    "⚠️ Archive: without **Manage Roles** `/task archive` cannot make channels read-only; it locks the "
    "threads and keeps the transcript, and `remove` works."
)
DOCTOR_2FA = (
    "⚠️ This server asks its moderators for two-factor authentication: without it on the account that owns my "
    "application, Discord refuses me channels, webhooks and threads whatever my permissions are."
)
DOCTOR_ALL_RIGHT = "✅ Permissions: all I need, in {count}."
DOCTOR_INTENT_ON = "✅ Messages: I can read replies and messages in the agents' channels."
DOCTOR_INTENT_OFF = (
    "⚠️ Messages: I cannot read them, so talk by button, menu and `/agent say`. "
    "Fix: developer portal, Bot, Message Content Intent, then start the bot again."
)
DOCTOR_MODEL_OK, DOCTOR_MODEL_BAD = "✅ Model: {detail}", "❌ Model: {detail}"
DOCTOR_SANDBOX_OK = "✅ Sandbox: code runs inside {mechanism}."
DOCTOR_SANDBOX_BAD = "❌ Sandbox: {reason} Until then agents cannot run code."
DOCTOR_FACES = "⚠️ Faces: {problem}"
DOCTOR_OUTBOX = "📮 Posts: {counts}."
DOCTOR_ROLES = "⚠️ Rights: nobody but Manage Server may start tasks. Fix: `/setup`."
DOCTOR_ROLE_GONE = "⚠️ Rights: a role that could {right} was deleted. Fix: `/setup`."
SETUP_DONE = "Who may do what here:\n{lines}"
SETUP_LINE = "**{right}:** {roles}"
SETUP_PLACE = "**place:** {place}"
SETUP_NEW_CATEGORY = "a new category for each task"
SETUP_NOBODY = "only Manage Server"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names joined for a sentence, cut after `most`."""
    shown, more = list(names[:most]), len(names) - most
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
