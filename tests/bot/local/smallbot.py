"""A small bot that uses every part of Discord the product needs, with discord.py unmodified."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.local.pulse import Pulse


class PauseButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"pause:(?P<task>\d+)"
):
    """A button that works after a restart: the task's number is in its custom_id."""

    def __init__(self, task: int, label: str = "Pause") -> None:
        super().__init__(discord.ui.Button(label=label, custom_id=f"pause:{task}"))
        self.task = task

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str]
    ) -> PauseButton:
        return cls(int(match["task"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        view = discord.ui.View(timeout=None).add_item(PauseButton(self.task, "Resume"))
        await interaction.response.edit_message(content="paused", view=view)


class Ask(discord.ui.Modal, title="Ask an agent"):
    """A form with text, a choice and a file."""

    question: discord.ui.Label[Any] = discord.ui.Label(
        text="Question", component=discord.ui.TextInput(custom_id="question")
    )
    mood: discord.ui.Label[Any] = discord.ui.Label(
        text="Mood",
        component=discord.ui.Select(
            custom_id="mood",
            required=False,
            options=[discord.SelectOption(label="Calm"), discord.SelectOption(label="Hasty")],
        ),
    )
    paper: discord.ui.Label[Any] = discord.ui.Label(
        text="Paper", component=discord.ui.FileUpload(custom_id="paper", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        question, moods, papers = (
            cast(Any, label.component) for label in (self.question, self.mood, self.paper)
        )
        asked = question.value
        mood = ",".join(moods.values)
        files = [len(await a.read()) for a in papers.values]
        await interaction.response.send_message(f"asked {asked} {mood} {files}", ephemeral=True)


class Card(discord.ui.LayoutView):
    """A card in components v2 with a picture, a file and controls."""

    def __init__(self, title: str) -> None:
        super().__init__(timeout=None)
        box: discord.ui.Container[Any] = discord.ui.Container(accent_colour=discord.Colour.green())
        box.add_item(
            discord.ui.Section(
                discord.ui.TextDisplay(f"## {title}"),
                accessory=discord.ui.Thumbnail("attachment://face.png"),
            )
        )
        box.add_item(discord.ui.Separator())
        box.add_item(discord.ui.TextDisplay("- one\n- two"))
        box.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://face.png")))
        box.add_item(discord.ui.File("attachment://log.txt"))
        row: discord.ui.ActionRow[Card] = discord.ui.ActionRow()
        row.add_item(discord.ui.Button(label="Stop", style=discord.ButtonStyle.danger, custom_id="stop"))
        box.add_item(row)
        menu: discord.ui.ActionRow[Card] = discord.ui.ActionRow()
        menu.add_item(
            discord.ui.Select(
                custom_id="follow",
                placeholder="Follow",
                options=[
                    discord.SelectOption(label="All", value="all"),
                    discord.SelectOption(label="Off", value="off"),
                ],
            )
        )
        box.add_item(menu)
        self.add_item(box)


#: A red dot of 1x1 pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8"
    "cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def card_files() -> list[discord.File]:
    """The files the card shows."""
    return [
        discord.File(io.BytesIO(PNG), "face.png"),
        discord.File(io.BytesIO(b"line\n"), "log.txt"),
    ]


class SmallBot(commands.Bot):
    """Answers /task, /ask, /slow, /silent and a context-menu command."""

    def __init__(self, **options: Any) -> None:
        intents = discord.Intents.default()
        intents.message_content = bool(options.pop("message_content", True))
        super().__init__("!", intents=intents, guild_ready_timeout=0.05, **options)
        self.pulse = Pulse()
        self.log: list[str] = []
        self.heard: list[discord.Message] = []
        self.errors: list[BaseException] = []
        self.tree.error(self.on_tree_error)
        task = app_commands.Group(name="task", description="Tasks")
        new: app_commands.Command[Any, Any, Any] = task.command(name="new", description="Start a task")(
            self.task_new
        )
        new.autocomplete("kind")(self.complete_kind)
        self.tree.add_command(task)
        self.tree.command(name="ask", description="Open a form")(self.ask)
        self.tree.command(name="slow", description="Answer late")(self.slow)
        self.tree.command(name="silent", description="Never answer")(self.silent)
        self.tree.context_menu(name="Why?")(self.why)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(PauseButton)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py would wait five seconds before each new session; a test need not."""

    async def on_tree_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        self.errors.append(error)

    async def on_ready(self) -> None:
        self._note("ready")

    async def on_resumed(self) -> None:
        self._note("resumed")

    async def on_disconnect(self) -> None:
        self._note("disconnect")

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        data: Any = interaction.data or {}
        if data.get("custom_id") == "follow":
            chosen = ", ".join(data.get("values", []))
            await interaction.response.send_message(f"following {chosen}", ephemeral=True)

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)
        self.pulse.beat()

    def _note(self, event: str) -> None:
        if self.log[-1:] != [event]:
            self.log.append(event)
        self.pulse.beat()

    async def complete_kind(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        kinds = ("feature", "bugfix", "docs")
        return [app_commands.Choice(name=k.title(), value=k) for k in kinds if current in k]

    @app_commands.describe(goal="What to do", kind="Which kind", spec="A file")
    async def task_new(
        self,
        interaction: discord.Interaction,
        goal: str,
        kind: str | None = None,
        spec: discord.Attachment | None = None,
    ) -> None:
        await interaction.response.defer(thinking=True)
        size = len(await spec.read()) if spec else 0
        assert interaction.guild is not None
        category = await interaction.guild.create_category(f"task {goal}"[:100])
        channel = await category.create_text_channel("planning", topic=goal)
        hook = await channel.create_webhook(name="agents")
        thread = await channel.create_thread(name="coders", type=discord.ChannelType.public_thread)
        await hook.send("I have a plan.", username="Ada", avatar_url="https://faces.example/ada.png")
        await hook.send("In a thread.", username="Bob", thread=thread, wait=True)
        view = discord.ui.View(timeout=None).add_item(PauseButton(7))
        await channel.send("running", view=view)
        await interaction.followup.send(f"started {kind} {size} in {channel.mention}")

    async def ask(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Ask())

    async def slow(self, interaction: discord.Interaction, note: str = "") -> None:
        await interaction.response.defer(ephemeral=True)
        await asyncio.sleep(0.05)
        await interaction.edit_original_response(content=f"late, but here {note}".strip())

    async def silent(self, interaction: discord.Interaction) -> None:
        self.log.append("silent")

    async def why(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"because of {message.content}", ephemeral=True)
