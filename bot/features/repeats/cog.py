"""`/task repeat new`, `list`, `resume` and `stop`: tasks that start on a schedule."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot import texts
from bot.discord import autocomplete
from bot.discord.access import Right, may
from bot.discord.context import Interaction, parts_of
from bot.discord.errors import ActionRefused
from bot.discord.formatting import plain
from bot.discord.identities import owner_id
from bot.discord.interactions import answer, hold, requester, require_right
from bot.discord.lookup import current_space
from bot.features.repeats.buttons import RepeatDraft, confirm_view, keep
from bot.features.repeats.recurrence import Day, Every, RepeatChoice, cron_of, in_words, outlook
from bot.features.tasks.actions import left_here, limits_of, require_start, with_left
from bot.features.tasks.command_group import TASK
from bot.features.tasks.pages import page_view
from bot.texts import refusals
from engine.commands import EndRepeat, Limits, ResumeRepeat
from engine.domain import recurrence
from engine.domain.goals import checked_goal
from engine.queries import RepeatView

REPEAT = app_commands.Group(name="repeat", description=texts.CMD["repeat"], parent=TASK)


def with_defaults(limits: Limits, usual: Limits) -> Limits:
    """Return the caps of each run: `limits`, with `usual` for those that are not set."""
    return Limits(**{name: getattr(limits, name) or getattr(usual, name) for name in Limits.__slots__})


async def meant(interaction: Interaction, repeat: str) -> RepeatView:
    """Return the repeating task of this server with this id. Raises ActionRefused."""
    digits = repeat.strip().lstrip("#")
    for one in await parts_of(interaction).engine.look.repeats(current_space(interaction)):
        if str(one.id) == digits:
            return one
    raise ActionRefused(refusals.NO_REPEAT.format(name=f"“{plain(repeat, 40)}”"))


class TaskRepeat(commands.Cog):
    """The part of the task cog that repeats."""

    @REPEAT.command(name="new", description=texts.CMD["repeat.new"])
    @app_commands.describe(goal=texts.OPT["repeated_goal"], cron=texts.OPT["cron"])
    @app_commands.describe(**{name: texts.OPT[name] for name in ("model", "agents", "budget", "tokens")})
    @app_commands.describe(**{name: texts.OPT[name] for name in ("minutes", "every", "at", "on", "zone")})
    @app_commands.autocomplete(zone=autocomplete.zones, model=autocomplete.models)
    async def repeat_new(
        self,
        interaction: Interaction,
        goal: str,
        every: Every = "day",
        at: str = "09:00",
        on: Day = "Monday",
        zone: str = "UTC",
        cron: str | None = None,
        model: app_commands.Range[str, 1, 100] | None = None,
        agents: app_commands.Range[int, 1, 10_000] | None = None,
        budget: float | None = None,
        tokens: app_commands.Range[int, 1, 2_000_000_000] | None = None,
        minutes: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Show the schedule and maximum cost; the button creates the repeating task."""
        await hold(interaction)
        parts, limits = parts_of(interaction), limits_of(budget, agents, minutes, tokens)
        await require_start(interaction, limits, model)
        now = parts.now()
        when = recurrence.checked(cron_of(RepeatChoice(every, at, on, cron)), zone, now)
        whole = with_defaults(limits, parts.defaults)
        order = RepeatDraft(checked_goal(goal), when.cron, when.zone, whole, model)
        words = texts.REPEAT_SURE.format(
            goal=plain(goal, 200), when=in_words(when.cron, when.zone), outlook=outlook(when, whole, now)
        )
        words = with_left(words, await left_here(interaction, requester(interaction)))
        await answer(interaction, words, view=confirm_view(await keep(interaction, order)))

    @REPEAT.command(name="list", description=texts.CMD["repeat.list"])
    async def repeat_list(self, interaction: Interaction) -> None:
        """Show the repeating tasks in pages, the next to start first."""
        await hold(interaction)
        text, view = await page_view(interaction, "repeats", 0, 0)
        await answer(interaction, text, view=view)

    @REPEAT.command(name="resume", description=texts.CMD["repeat.resume"])
    @app_commands.describe(repeat=texts.OPT["repeat"])
    @app_commands.autocomplete(repeat=autocomplete.repeats)
    async def repeat_resume(self, interaction: Interaction, repeat: str) -> None:
        """Take over a paused repeating task; needs the same rights as creating it."""
        await hold(interaction)
        await require_right(interaction, Right.START)
        parts, found = parts_of(interaction), await meant(interaction, repeat)
        person = await require_start(interaction, found.limits, found.model or None)
        await parts.engine.handle(ResumeRepeat(found.id, person.key, person.named))
        words = texts.REPEAT_RESUMED.format(
            id=found.id, when=in_words(found.cron, found.zone), goal=plain(found.goal, 80)
        )
        await answer(interaction, words)

    @REPEAT.command(name="stop", description=texts.CMD["repeat.stop"])
    @app_commands.describe(repeat=texts.OPT["repeat"])
    @app_commands.autocomplete(repeat=autocomplete.repeats)
    async def repeat_stop(self, interaction: Interaction, repeat: str) -> None:
        """Stop a repeating task; allowed for its creator and for people who may steer here."""
        await hold(interaction)
        parts, person = parts_of(interaction), requester(interaction)
        found = await meant(interaction, repeat)
        rules = await parts.records.rules(interaction.guild_id or 0)
        if not may(person, Right.STEER, rules, owner_id(found.by)):
            raise ActionRefused(refusals.NOT_ALLOWED["steer"])
        await parts.engine.handle(EndRepeat(found.id, person.key, person.named))
        await answer(interaction, texts.REPEAT_STOPPED.format(id=found.id, goal=plain(found.goal, 80)))
