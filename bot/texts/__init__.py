"""Texts the bot itself shows, in one voice: short and calm, and each error ends with the next step.

Messages of agents never come from here. Functions are pure; what comes from people or models is
escaped by the caller (`bot.discord.formatting.plain`) before it gets here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.texts import commands
from engine.commands import Limits
from engine.domain.gate_rules import GateDefault
from engine.domain.gates import GateBasis, GateKind

# ---------------------------------------------------------------- commands

CMD, OPT = commands.CMD, commands.OPT

MENU_REPLY = "Reply to agent"
MENU_INSPECT = "Inspect turn"
MENU_WHY = "Why?"
MENU_PAUSE = "Pause this agent"

# ---------------------------------------------------------------- notices

WHICH_TASK_LINE = "- `task:{id}` {title}"
A_PERSON = "a person"
WHICH_AGENT = "That message contains text from several agents. Choose one:"
PACKING = "Packing the files. With a long history this takes a minute or two; the result will appear here."
ZIP_PART = "Part {number} of {of}."
ZIP_LEFT_OUT = (
    "Left out because they are too large for Discord: {names}. "
    "Ask the operator to run `megaagent export` on the bot's machine."
)
WHOSE = (
    "-# ❔ A proxy bot posted {count} here while I could not see who wrote them ([the first]({link})). No "
    "agent has received them yet. Anyone who may steer the task can pass them on."
)
PASSED_ON = "Passed on in your name: {count}."


TWICE = (
    "Another bot is already running on this database ({who}). Two bots would post every message twice, so "
    "this one will not start. Stop the other one, or set a different DATA_DIR for this one."
)
TWICE_PERHAPS = (
    "● Another bot ({who}) used this database until a moment ago. This one starts within a minute if that "
    "bot no longer runs."
)
LOGIN_FAILED = "Discord rejected the token. Copy it again from the developer portal to DISCORD_TOKEN in .env."
LOGIN_EXPIRED = (
    "Discord no longer accepts the token, because it was reset or the bot was deleted. Copy the new one from "
    "the developer portal to DISCORD_TOKEN in .env and start again. Nothing is lost: what is "
    "waiting is posted then."
)
GATEWAY_CLOSED = (
    "Discord closed the connection permanently (code {code}). Start the bot again; if that does not help, "
    "look up the code in Discord's gateway documentation."
)
LOGIN_WAITS = "Discord accepts no requests from this address for {seconds} s. The login will be retried then."
INTENT_MISSING = (
    "Discord rejected the Message Content intent. Enable it in the developer portal under Bot, "
    "or set MESSAGE_CONTENT=off in .env to reply through buttons and menus only."
)

# ---------------------------------------------------------------- answers

TASK_STARTED = (
    "Task #{id} has started. Its card is in {where}; the agents will get their own channels in a moment."
)
TASK_STARTED_AT = "Task #{id} has started. Follow it in {place}. Its live card is in {where}."
TASK_STARTED_UNSEEN = (
    "Task #{id} has started. I could not post its card in {where}, so it will appear in the task's channel. "
    "`/doctor` shows which permission is missing here."
)
MODEL_WAITING = (
    "Task #{id} is waiting because the model is unavailable: {reason} The operator must check OPENAI_API_KEY "
    "and OPENAI_BASE_URL in `.env`; `/doctor` shows when the model answers. The task then resumes "
    "automatically."
)
SPOKEN = "💬 **{who}** → **{to}**\n{text}"
TASK_PAUSED = "Task #{id} is paused. Steps already running will finish. Use `/task resume` to continue."
TASK_RESUMED = "Task #{id} has been resumed."
TASK_STOPPED = "Task #{id} has been stopped. Its files are kept: `/task files`."
TASK_CAPPED = "Task #{id} now has these caps: {caps}."
CAP_BELOW_USE = "\n⚠️ Already used: {used}, so {who} before the next model call."
STOPS, PART_STOPS = "it stops", "they stop"
STOP_SURE = "Stop task #{id} permanently? Its files are kept; its agents are dismissed."
STOP_NOT = "Task #{id} was not stopped."
SAID = "{name} has received your message and will answer in {where} after reading it."
SAID_IN_GROUP = "its group's channel"
EDITED = "{name} will follow these instructions from its next turn."
AGENT_PAUSED = "{name} is paused. Use `/agent resume` to continue."
AGENT_RESUMED = "{name} has been resumed."
REPLACE_SURE = (
    "Replace {name} with a new agent? The new one takes over its role, its open work and its notes{group}. "
    "{name} leaves the task permanently."
)
REPLACE_GROUP = ", and leads the same group"
REPLACE_NOT = "{name} was not replaced."
DISMISS_SURE = "Dismiss {name}{below}? {name} leaves the task permanently; its open work returns to its head."
DISMISS_BELOW = " with {count} below"
DISMISS_NOT = "{name} was not dismissed."
AGENT_REPLACED = "{name} has left the task; {fresh} continues its work."
AGENT_CAPPED = "{name} and all agents below it may use {caps}."
SUBTREE_USED = "-# This agent and all below it: {used}"
SUBTREE_STOPPED = "stopped at its cap"
REPEAT_SURE = "Start this {when}?\n> {goal}\n{outlook}"
REPEAT_OUTLOOK = (
    "First start: <t:{first}:F>. Each run may use at most {caps}; {count} runs in the next 30 days cost at "
    "most **{most}**. A run never waits for an answer: at a cap it ends with the results so far. If the "
    "previous run is still active, the next start is skipped."
)
REPEAT_WHEN = "{days} at {time} ({zone})"
REPEAT_DAILY, REPEAT_WORKING = "every day", "every weekday"
REPEAT_MONTHLY = "on day {day} of each month"
REPEAT_CRON = "at `{cron}` ({zone})"
REPEAT_NOT = "No repeating task was created."
REPEAT_BEGUN = (
    "Repeating task #{id} starts {when}. `/task repeat list` shows it, `/task repeat stop` ends it."
)
REPEAT_NEXT, REPEAT_HELD = "next <t:{at}:R>", "**paused**: {why}"
REPEAT_NOBODY = "the person who created it is not in this server"
REPEAT_LEFT = "<@{id}>, who created it, has left this server"
REPEAT_NO_RIGHT = "<@{id}>, who created it, is no longer allowed to start tasks here"
REPEAT_NO_SPEND = (
    "<@{id}>, who created it, is no longer allowed to raise caps here, and its caps exceed the defaults or "
    "its model has no known price"
)
REPEAT_OVER_QUOTA = (
    "<@{id}>, who created it, has reached the limits for one person here (`/setup` shows them)"
)
REPEAT_PAUSED = (
    "⏸️ Repeating task #{id} is paused: {why}.\n> {goal}\nAnyone who may start tasks can take it over with "
    "`/task repeat resume`; `/task repeat stop` ends it."
)
REPEAT_RESUMED = "Repeating task #{id} starts {when} again, now on your behalf: {goal}"
REPEAT_LINE = "**#{id}** {when} · {next} · {runs} runs{skipped}{last} · {caps} a run · {goal}"
REPEAT_SKIPPED = ", {count} skipped"
REPEAT_LAST = ", last task #{id}"
REPEAT_STOPPED = "Repeating task #{id} will not start again: {goal}. A run that is still active continues."
NO_REPEATS = (
    "There are no repeating tasks in this server. `/task repeat new` starts a task every day, week or month."
)
AGENT_DISMISSED = "{name} has left the task. Its open work returns to its head."
ANSWERED = "Answered: {answer}"
GROUP_AT = "The group {name} works in {where}."
FOLLOW_SET = {
    "off": "You will not be notified about task #{id}, except of answers to your own messages.",
    "answers": "You will be notified when task #{id} needs a person and when it ends.",
    "all": "You will be notified about all progress in task #{id}.",
}
FOLLOW_AGAIN = "Press again for the next setting."
NEWS_GATE, NEWS_GATE_UNNAMED = "❓ **{name}** asks: {question}", "❓ {question}"
NEWS_END = "🏁 Task #{id}: {state}"
NEWS_CAP = "💰 {percent}% of the cap on {cap} is used."
NEWS_SUBTREE_CAP = "💰 {percent}% of the cap on {cap} of {name} is used."
NEWS_GROUP = "🏠 New group: **{name}**."
NEWS_ACCEPTED = "✅ Accepted from **{name}**: {title}"
NEWS_AUDIT = "🔍 Audit {round}: {verdict}."
AUDIT_VERDICT = {
    "accepted": "accepted",
    "rejected": "rejected",
    "ran": "the program runs, its correctness was not judged",
}
FORGOTTEN = "Permanently deleted: {text}"
NO_MEMORIES = "There are no memories of this server yet. What tasks learn is stored here."
NO_TASKS = "There are no tasks here that you can see. Start one with `/task new`."
TASKS_MORE = (
    "-# To find others, type part of the goal or the number into the option `task:` of `/task status`."
)
NO_STEPS = "{name} has not completed a step yet."
NO_STEP_THEN = "{name} had not completed a step when this was posted."
STEP_BUTTON, MORE_AGENTS = "Step {number}", "More agents ({left})"
STEP_HEAD = "### {name} · turn {turn}, step {step}"
WHY_HEAD = "### Why {name} said that"
STEP_FACTS = "-# <t:{at}:T> · took {span} · {read:,} + {written:,} tokens · {cost} · {model}"
STEP_PAGE = "-# Page {number} of {of}"
STEP_READ, STEP_READ_BEFORE = "**Read:**", "**Read at the start of this turn:**"
STEP_SAID, STEP_CALLED, STEP_RESULT = "**Said:**", "**Called {tool}**", "**Answer:**"
STEP_QUIET = "It said nothing and called no tool."
WHY_ASSIGNED = "**Assigned by {giver}:** {title} ({state})."
WHY_DONE_WHEN, WHY_INSTRUCTIONS = "Done when: {acceptance}", "**Its instructions:**"
WHY_WHOLE = "-# The full text is attached."
WHY_PART = (
    "-# The first {number} of {of} pages are attached, because a file cannot hold more. For the others, use "
    "`/agent inspect`."
)
WHY_NO_DIRECT = (
    "-# This is the beginning. Allow direct messages from this server to get the full text, or use "
    "`/agent inspect`."
)
ALT_ORGANISATION = "Organisation of {agents}. {groups}"
ALT_TIMELINE = "Timeline of {span}. {moments}Work: {worked}."
ALT_AFTER, ALT_LASTS, ALT_TASK = "after {span}", "open", "the whole task"
ALT_ASKED: dict[str, str] = {
    "plan": "approval of the plan",
    "cap": "a cap",
    "share": "a cap of some agents",
    "month": "the budget of the month",
    "audit": "the result",
    "stall": "how to continue",
    "tool": "a call to an external tool",
    "packages": "Python packages",
    "action": "a protected action",
}
"""What a question on a timeline is about; an agent's own question is named by the agent alone."""
ALT_MESSAGE = "{who} in a message {after}"
ALT_QUESTION: dict[GateBasis | None, str] = {
    None: "{who} {after} (not answered yet)",
    "person": "{who} {after} (answered in {lasted})",
    "timeout": "{who} {after} (no answer in {lasted})",
    **dict.fromkeys(
        ("task_ended", "cap_raised", "new_month", "resumed", "wrapped_up", "dismissed", "withdrawn"),
        "{who} {after} (closed in {lasted})",
    ),
}
ALT_AUDIT = {
    "accepted": "accepted, begun {after}",
    "rejected": "rejected, begun {after}",
    "ran": "ran without a judgement, begun {after}",
    "": "without a verdict, begun {after}",
}
ALT_PAUSE = "{who} {after} ({lasted})"
ALT_BREAK = "ended {after}, continued {lasted} later"
PICTURE_TITLE = "Task #{id}: {goal}"
STILL_ASKED = "-# Still open here: {count}. To answer, reply to {link} or use its buttons."
NOTHING_LOGGED = "Nothing has happened yet."
ARCHIVED, ARCHIVED_ATTACHED = "The channels of task #{id} are {how}.", "The transcript is attached."
ARCHIVED_LEFT_OUT = (
    "Not attached, because even compressed it is larger than Discord accepts: {names}. Nothing is lost: "
    "all of it is still in the bot's database."
)
READ_ONLY, REMOVED = "now read-only", "deleted"
ARCHIVE_FORBIDDEN = (
    "I will post nothing more there, but people can still write in {places}. To make them read-only I need "
    "**Manage Roles** for channels (it includes channel permissions) and **Manage Threads** for threads. "
    "Grant them and use `/task archive` again."
)
ARCHIVE_FORBIDDEN_REMOVE = (
    "I cannot delete {places}: channels need **Manage Channels**, threads **Manage Threads**. "
    "Grant them and use `/task archive` again."
)
ARCHIVE_NOT_OURS = (
    "Not changed, because I did not create them or their topic was changed: {places}. "
    "Archive or delete them yourself if they are no longer needed."
)
PERMISSION_LOST = (
    "I no longer have a permission in {where}: **{missing}**. "
    "Grant it to my role in that channel; `/doctor` checks all permissions."
)

HELP = """\
**Start:** `/task new` gives a goal to a team of agents, each group in its own channel.
**Talk:** reply to an agent, or write in its channel. Or long-press (right-click) its message and choose \
*Apps*.
**Steer:** `/task status`, `/task pause`, `/task stop`, `/task cap`; one agent: `/agent edit`, \
`/agent pause`, `/agent replace`.
**After the end:** write to an agent or use `/task continue`.
**React:** ❓ why · ⏸️ pause · ✅ accept · 🔁 continue, on an agent's message, a question or a card.
**Results:** `/task files`, `/task export`, `/task log`.
**Notifications:** `/follow answers`, `/follow all`, `/follow off`, for you alone.
**Marks:** 📨 delivered · 👀 read · 🔁 kept until the task is continued · ⛔ not delivered.
**Server managers:** `/setup` sets rights and limits, `/doctor` checks everything."""


def caps(limits: Limits) -> str:
    """Return the caps that are set as a comma-separated list, such as "5 agents, $2.00"."""
    named = [
        f"{limits.agents:,} agents" if limits.agents else "",
        f"${limits.cost_micros / 1_000_000:,.2f}" if limits.cost_micros else "",
        f"{limits.tokens:,} tokens" if limits.tokens else "",
        f"{limits.minutes:,} minutes" if limits.minutes else "",
    ]
    return ", ".join(name for name in named if name)


def below_use(limits: Limits, micros: int, tokens: int, who: str) -> str:
    """Return the warning that caps are set below what is used already, "" where they are not."""
    used = [
        f"${micros / 1_000_000:,.2f}" if limits.cost_micros and micros >= limits.cost_micros else "",
        f"{tokens:,} tokens" if limits.tokens and tokens >= limits.tokens else "",
    ]
    named = ", ".join(each for each in used if each)
    return CAP_BELOW_USE.format(used=named, who=who) if named else ""


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
    "assign": "assigns",
    "amend": "changes the assignment",
    "submit": "submits work",
    "review": "reviews work",
    "dismiss": "dismisses",
    "propose_plan": "proposes a plan",
    "update_todo": "updates its list",
    "list_files": "lists the files",
    "read_file": "reads",
    "search_files": "searches the files",
    "write_file": "writes",
    "edit_file": "edits",
    "delete_file": "deletes",
    "move_file": "moves",
    "diff": "compares",
    "run": "runs",
    "send_input": "types into a program",
    "remember": "notes something for later",
    "recall": "searches its notes",
    "ask_human": "asks a person",
    "finish": "submits the result",
    "verdict": "judges the result",
    "wait_for": "waits for",
    "install_packages": "asks for the packages",
    "set_budget": "sets a budget for",
    "web_search": "searches the web",
    "read_page": "reads a web page",
    "find_tool": "looks for a tool",
    "use_tool": "uses",
}
"""What an agent is doing, by the tool it uses; a path, title or name may follow."""
DOING_ALONE = {
    "send_message": "writes a message",
    "recruit": "recruits agents",
    "assign": "assigns work",
    "amend": "changes an assignment",
    "dismiss": "dismisses an agent",
    "read_file": "reads a file",
    "write_file": "writes a file",
    "edit_file": "edits a file",
    "delete_file": "deletes a file",
    "move_file": "moves a file",
    "diff": "compares files",
    "run": "runs a program",
    "wait_for": "waits",
    "install_packages": "asks for packages",
    "set_budget": "sets a budget",
    "use_tool": "uses a tool",
}
"""The same where nothing follows, if it differs."""
DOES = "uses {tool}"
WAITS_FOR = "waits for {what}"
MORE_BUDGET = "more budget"
TODO = {"done": "☑️", "doing": "▶️", "open": "☐"}
TODO_MORE = "-# and {count} more"
SINCE = "⏱️ started <t:{at}:R>{expected}, at most {minutes} min"
EXPECTED = ", planned for about {minutes} min"
MODEL_USED = "🧠 {model}"
COST_UNKNOWN = "cost not known"
COST_CEILING = "{cost} (at an assumed high price, as the real one is not known)"
MONEY_USED = "💰 {spent} of {cap}"
MONEY_CEILING = "💰 {spent} of {cap}, at an assumed high price; the real price is not known"
TOKENS_USED = "🧮 {used:,} of {cap:,} tokens"
AT_WORK = "👥 {agents}: 🟢 {working} working, ⚪ {waiting} waiting · 📄 {files}"
AT_REST = "👥 {agents} · 📄 {files}"
TOOK = "⏱️ took {span}"
TOOK_CONTINUED = "⏱️ took {span} since it was continued"
THINKS = "thinks"
"""What an agent is doing before its first tool call."""
CALL_WAITS = "waits for the model"
CALL_READS = "reads its input, {percent}%"
CALL_WRITES = "writes"
CALL_LINES = "{what} {path}, {count} lines so far"
CALL_TOKENS = "{what}, about {count} tokens so far"
WORKING_LINE, WORKING_MORE = "-# ✍️ **{name}** {what}", "-# and {count} more agents"
USUAL_STEP = "⌛ a step takes about {span}"
LAST_STEP, BEGAN = "last step <t:{at}:R>", "started <t:{at}:R>"
"""Since when a working agent is at what it does now."""
WORKING = {"working": "🟢", "idle": "⚪", "paused": "⏸️", "dismissed": "✖️"}
STATES = {"working": "{count} working", "idle": "{count} waiting", "paused": "{count} paused"}
"""Agents that are only counted, by state, in the words of the line that explains the marks."""
ENDED_MARK = "•"
"""Before an agent of a task that has ended: nobody works and nobody waits."""
BUTTON = {
    "pause": "Pause",
    "resume": "Resume",
    "continue": "Continue",
    "continue_ask": "Change caps",
    "stop": "Stop",
    "follow": "Follow",
    "cap": "Caps",
    "picture": "Who's who",
    "timeline": "Timeline",
    "files": "Files",
    "stop_yes": "Yes, stop it",
    "stop_no": "No, keep it running",
    "say": "Write an answer",
    "edit": "Request changes",
    "plan_cap": "Approve with lower caps",
    "reply": "Reply",
    "agent_cap": "Set caps",
    "replace_yes": "Yes, replace it",
    "replace_no": "No, keep it",
    "dismiss_yes": "Yes, dismiss it",
    "dismiss_no": "No, keep it",
    "repeat_yes": "Yes, repeat it",
    "repeat_no": "No",
    "view": "View",
    "history": "History",
    "blame": "Authors",
    "download": "Download",
    "zip": "All as ZIP",
    "bundle": "History as Git bundle",
    "earlier": "Older",
    "later": "Newer",
    "before": "Previous page",
    "after": "Next page",
    "older": "Older step",
    "newer": "Newer step",
    "pass_on": "Pass on to the agents",
}
CHOOSE_FILE = "Choose a file to view"
FILES_HEAD = "**Files of task #{id}** · {count}, {size}"
NEXT_FILES, FILES_BEFORE = "Next files", "Previous files"
NOBODY_YET = "Only the boss so far."
TREE_MORE = "… and {count} more lines; `/task tree picture:organisation` shows all agents"
DISK_FULL = (
    "⚠️ Work is paused because the disk of the bot's machine is full. It resumes automatically once there is "
    "free space."
)
WAITING_FOR = "❓ {name}{asked}"
WAITING_MORE = "❓ and {count} more questions"
WAITING_KIND = {
    "plan": "a plan waits for approval",
    "cap": "the task is paused at a cap",
    "share": "some agents have stopped at their cap",
    "audit": "the audit needs your decision",
    "stall": "the work needs a decision",
    "tool": "a call waits for approval",
    "packages": "packages wait for approval",
    "action": "an action waits for approval",
    "month": "this month's budget is used up",
}
"""Open questions on the card, by kind; an agent's own question is shown in its words."""
DEMONSTRATION = "-# 🎬 Demonstration: the agents' words are recorded, it costs nothing."
UNVERIFIED = "not confirmed by an audit"
UNFINISHED = "⚠️ not finished"
CARD_WORDS_REFUSED = "Not shown here: Discord rejected this text. Use /task status."
VERIFIED = "confirmed by an audit"

# ---------------------------------------------------------------- modals

MODAL_GOAL, MODAL_GOAL_LABEL = "New task", "What should the agents do?"
MODAL_GOAL_EXAMPLE = (
    "Such as: Write quiz.py with ten questions about birds. Test it, and explain it in a README."
)
MODAL_GOAL_FILES = "Files to start from (ZIPs are unpacked)"
MODAL_TERMS = (
    "Model: **{model}**. This task may use at most {caps}; at a cap it stops and asks. Set other caps "
    "with the options of `/task new`."
)
MODAL_TERMS_EMBEDDED = (
    "A **small model on this machine** does the work. It is free, but a step takes minutes and the result is "
    "often wrong. The task runs for at most {minutes:,} minutes."
)
MODAL_REPLY, MODAL_REPLY_LABEL = "To {name}", "Your message"
MODAL_ANSWER, MODAL_ANSWER_LABEL = "Your answer", "Answer"
MODAL_EDIT_MORE = "Part {number} (continued)"
MODAL_EDIT, MODAL_EDIT_LABEL = "Instructions for {name}", "What the agent should do from now on"
MODAL_CAP = "Caps of task #{id}"
MODAL_CAP_DOLLARS, MODAL_CAP_AGENTS, MODAL_CAP_MINUTES = "US dollars", "Agents", "Minutes"
MODAL_CAP_TOKENS = "Tokens"
MODAL_AGENT_CAP = "Caps of {name} and below"
MODAL_PLAN_CAP = "Approve the plan with these caps"
MODAL_PLAN, MODAL_PLAN_LABEL = "Change the plan", "What should change?"

# ---------------------------------------------------------------- doctor

DOCTOR_CHANNEL = (
    "❌ {where}: I lack **{missing}**. Fix: in the settings of the channel or its category, Permissions, "
    "allow it for my role."
)
DOCTOR_SERVER = (
    "❌ Server: my role lacks **{missing}**. Fix: in Server Settings, Roles, allow it for my role."
)
DOCTOR_CATEGORY = (
    "❌ Category {where}: I lack **{missing}**, so tasks get their own categories. Fix: allow it for my role "
    "in the category's settings, or choose another with `/setup`."
)
DOCTOR_TIMED_OUT = (
    "❌ Server: a moderator has put me in a timeout until <t:{until}:f>, so I cannot write or make channels. "
    "Fix: right-click my name, Remove Timeout. Nothing is lost: waiting messages are posted after that."
)
DOCTOR_ARCHIVE = (
    "⚠️ Archive: without **Manage Roles**, `/task archive` cannot make channels read-only. It still locks "
    "threads and keeps the transcript, and the option `remove` works."
)
DOCTOR_PINS = "💬 Pins: without **Pin Messages**, the link to a task's card is not pinned in its channel."
DOCTOR_2FA = (
    "⚠️ This server requires two-factor authentication for moderators. Until the owner of my application "
    "enables it for their account, Discord does not let me manage channels, webhooks and threads."
)
DOCTOR_ALL_RIGHT = "✅ Permissions: nothing is missing in {count}."
DOCTOR_INTENT_ON = "✅ Messages: I can read replies and messages in the agents' channels."
DOCTOR_INTENT_OFF = (
    "⚠️ Messages: I cannot read them, so use buttons, menus and `/agent say`. "
    "Fix: enable Message Content Intent in the developer portal under Bot, then restart the bot."
)
DOCTOR_MODEL_OK, DOCTOR_MODEL_BAD = "✅ Model: {detail}", "❌ Model: {detail}"
DOCTOR_SANDBOX_OK = "✅ Sandbox: code runs in {mechanism}."
DOCTOR_SANDBOX_BAD = "❌ Sandbox: {reason} Until then agents cannot run code."
DOCTOR_FACES = "⚠️ Avatars: {problem}"
DOCTOR_OUTBOX = "📮 Messages to Discord: {counts}."
DOCTOR_ROLES = "⚠️ Rights: only people with Manage Server may start tasks. Fix: choose a role with `/setup`."
DOCTOR_ROLE_GONE = (
    "⚠️ Rights: a role with the right to {right} was deleted. Fix: choose another with `/setup`."
)
SETUP_DONE = "Settings of this server:\n{lines}"
SETUP_LINE = "**{right}:** {roles}"
SETUP_PLACE = "**category:** {place}"
SETUP_ALERTS = "**reminders to administrators:** {place}"
SETUP_SYSTEM = "the system channel"
SETUP_FIRST = "the first channel that I may write in; choose one with `alerts:`"
SETUP_WAITS = "**questions wait:** {hours}\n**if nobody answers:** {defaults}"
SETUP_HOURS = "{hours:g} hours"
SETUP_DEFAULT = "{kind}: {default}"
GATES_OF: Mapping[GateKind, str] = {
    "question": "agents' questions",
    "plan": "plans",
    "cap": "tasks at their cap",
    "share": "agents at their cap",
    "month": "monthly budgets",
    "audit": "rejected results",
    "stall": "stopped work",
    "tool": "tool calls",
    "packages": "packages",
    "action": "protected actions",
}
"""Gates by kind, in `/setup`."""
UNANSWERED: Mapping[GateDefault, str] = {
    "cancel": "the task ends",
    "approve": "work starts",
    "stop": "the task ends",
    "wrap_up": "the work is wrapped up",
    "dismiss": "the agent leaves",
    "wait_month": "the task waits for the next month",
    "accept": "the result stays as it is",
    "another_round": "another round",
    "retry": "the boss tries again",
}
"""What an unanswered gate comes to, where a server may choose."""
SETUP_ASKS = "**agents ask before:** {what}"
SETUP_ASKS_FOR = (
    "running a program",
    "recruiting more than {over} agents",
    "ending a task",
    "calling any external tool",
)
SETUP_ASKS_NOTHING = "working on a large plan, and calling external tools that are set to ask"
SETUP_NEW_CATEGORY = "a new category for each task"
SETUP_PERSON = "**one person:** {limits}"
SETUP_NO_QUOTA = "no limit"
SETUP_NOBODY = "only people with Manage Server"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the names joined with commas; after `most` names, only a count of the rest."""
    shown, more = list(names[:most]), len(names) - most
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
