"""What people are told when something is not done: why, and what to do next. Both are always given."""

from __future__ import annotations

from engine.errors import Refusal

_GRANTED = "Someone with Manage Server can grant your role this right with `/setup`."
_ASK = f"Ask the person who started it. {_GRANTED}"

NOT_ALLOWED = {
    "start": Refusal("You are not allowed to start tasks here.", _GRANTED),
    "steer": Refusal("You are not allowed to steer this task.", _ASK),
    "approve": Refusal("You are not allowed to answer questions of this task.", _ASK),
    "spend": Refusal("You are not allowed to raise caps here.", _GRANTED),
}
ASK_DOCTOR = "`/doctor` shows what is missing."
"""The next step of an error of the machine or the model that names none."""

WHICH_TASK = Refusal("Several tasks were started in this channel.", "Name the one you mean:\n{tasks}")
GUILD_ONLY = Refusal("This works only in a server.", "Try again in a channel of your server.")
DRAFT_LOST = Refusal(
    "This form was submitted twice, or was open for so long that the caps and files you chose have expired.",
    "Your goal is attached: run `/task new` again and attach it as a file.",
)
BAD_BUDGET = Refusal(
    "A budget must be greater than 0 US dollars.", "Enter it again as a number such as 2.50."
)
PLAN_CAP_ABOVE = Refusal(
    "An approval can lower caps but not raise them, so the plan is not approved yet.",
    "Raise the caps with `/task cap`, then approve the plan.",
)
BAD_NUMBER = Refusal(
    "“{value}” is not a whole number greater than 0.", "Open the form again and enter digits only."
)
BIG_FILE = Refusal(
    "`{name}` is {size}, but the limit is {limit}.", "Make the file smaller or split it, then try again."
)
NO_TASK_HERE = Refusal(
    "This channel belongs to no task.", "Name one, as in `/task status task:3`; `/task list` shows all tasks."
)
NO_TASK = Refusal("There is no task {name} in this server.", "Run `/task list` to see all tasks.")
NO_AGENT = Refusal("There is no agent {name} here.", "Run `/task tree` to see all agents.")
NO_GROUP = Refusal("There is no group {name} here.", "Run `/task tree` to see all groups.")
NO_GATE = Refusal(
    "That question does not belong to this server.", "Use the buttons below the question itself."
)
NO_MEMORY = Refusal("There is no memory {name} in this server.", "Run `/memory list` to see all memories.")
NO_REPEAT = Refusal("There is no repeating task {name} here.", "Run `/task repeat list` to see all of them.")
BAD_TIME = Refusal(
    "“{value}” is not a time of day.", "Run the command again with a time such as 09:00 or 18:30."
)
REPEAT_LOST = Refusal(
    "This question was already answered, or is more than a day old.", "Run `/task repeat new` again."
)
NO_FILE = Refusal("That file no longer exists.", "Run `/task files` to see the current files.")
NO_FILES = Refusal("There are no files yet.", "Try again when the agents have written some.")
SEVERAL_AGENTS = Refusal(
    "That message contains text from several agents ({names}).",
    "Choose one with `/agent pause` or `/agent resume`.",
)
NOT_A_PERSONA = Refusal("That message is not from an agent.", "Use this on a message from an agent.")
NO_PLACE = Refusal(
    "That group has no channel yet. It gets one with its first message.", "Try again in a minute."
)
TOO_BIG = Refusal(
    "The file would be {size}, but Discord accepts at most {limit} here.",
    "Ask the operator to run `megaagent export` on the bot's machine.",
)
ARCHIVE_RUNNING = Refusal(
    "Task #{id} still uses its channels.", "Stop it with `/task stop`, then archive it."
)
NEEDS_MANAGE = Refusal("This needs the Manage Server permission.", "Ask someone who has it.")
NEEDS_OPERATOR = Refusal(
    "Agents of several Discord servers share this sign-in, so only the bot's operator may begin or end it.",
    "Ask the owner of the bot's application, or have them list this Discord server alone under `guilds` in "
    "`mcp.json`.",
)
REPLY_REFUSED = Refusal(
    "Agents here read only messages from people who may steer the task.",
    "Ask the person who started it, or see `/help`.",
)
CANNOT_READ = Refusal(
    "I cannot read messages here, so no agent received this.",
    "Right-click an agent's message and choose Apps, then *Reply to agent*, or use `/agent say`.",
)
NOTHING_TO_READ = Refusal(
    "That message has no text and no file for the agent.", "Add one of them and send it again."
)
FILE_GONE = Refusal(
    "Discord no longer gives me the file {name}, so no agent received this.", "Attach it again."
)
EDIT_NOT_READ = Refusal(
    "I cannot read your edit, so {name} still has the message as it was before.",
    "Send the correction as a new message that mentions me, or use `/agent say`.",
)
EDIT_EMPTY = Refusal(
    "Your edit left neither text nor a file, so {name} still has the message as it was before.",
    "Delete the message to withdraw it, or write what {name} should know.",
)
OTHER_VERSION = Refusal(
    "This button or window is from another version of the bot.",
    "Run `/task status` for a card with new buttons, or the command once more.",
)
NO_CHOICE = Refusal("That is not one of the choices.", "Use one of the buttons below the question.")
CAP_IN_WORDS = Refusal(
    "This question cannot be answered with text.", "Use one of its buttons, or set new caps with `/task cap`."
)
READ_LATER = Refusal("{name} is paused and will read this once it is resumed.", "Use `/agent resume`.")
READ_LATER_TASK = Refusal(
    "The task is paused, so {name} will read this once it is resumed.", "Use `/task resume`."
)
READ_ALREADY = Refusal(
    "{name} had already read the message when you changed it.", "Send the correction as a new message."
)
DISCORD_FORBIDDEN = Refusal("I lack a permission for that here.", "Run `/doctor` to see which one.")
DISCORD_2FA = Refusal(
    "This server requires two-factor authentication for moderators, and the owner of my application has not "
    "enabled it.",
    "Ask the operator to enable it, then try again.",
)
DISCORD_GONE = Refusal("That message or channel was deleted.", "Run `/task status` for a new card.")
DISCORD_DOWN = Refusal("Discord is not responding as it should. Nothing was lost.", "Try again in a minute.")
NO_DISK = Refusal("The bot's disk is full, so this was not done.", "Ask the operator to free some space.")
UNKNOWN = Refusal(
    "Something went wrong. It was logged as incident `{incident}`.",
    "Try again; if it fails again, give the operator that number.",
)
KEY_REJECTED = Refusal("{message}", "The operator must set `OPENAI_API_KEY` in `.env` and restart the bot.")
UNREACHABLE = Refusal(
    "{message}", "Work resumes automatically; `/doctor` shows whether the endpoint answers."
)
GATE_CLOSED = Refusal(
    "That question was already answered; the answer is shown below it.",
    "Write to the agent if something should change.",
)
NO_TIMELINE = Refusal(
    "No agent has finished a step yet, so there is nothing to draw.", "Try again in a minute."
)
SETUP_HOURS_MISSING = Refusal(
    "Nothing was changed: `answer_for` only says which questions `answer_hours` is for.",
    "Run `/setup` again with both.",
)
SETUP_CLOSED = Refusal(
    "Nothing was changed: in the category {place} I lack **{missing}**, so I could not use channels there.",
    "Allow it for my role in the category's settings, then run `/setup` again.",
)
NOT_ENDED = Refusal(
    "Task #{id} has not ended; it is {state}.", "Write to its agents, or use `/task resume` if it is paused."
)
NOTHING_TO_ACCEPT = Refusal(
    "There is no single plan or result of task #{id} to accept here.",
    "React on the question itself, or use its buttons.",
)
NOT_PAUSED = Refusal(
    "{name} is not paused, so there is nothing to continue.", "Write to it, or pause it with `/agent pause`."
)
OFFER_NOTHING = Refusal(
    "Task #{id} was a demonstration, and its agents' answers are recorded: they cannot answer you.",
    "Start a task of your own with `/task new`.",
)
OFFER_LOST = Refusal(
    "This was already started, or is more than a day old.", "Write your goal again, or use `/task new`."
)
NOTHING_LEFT_TO_GIVE = Refusal(
    "There is nothing left here to pass on: an agent has already received it, or it was deleted.",
    "Write it again if it is needed.",
)
