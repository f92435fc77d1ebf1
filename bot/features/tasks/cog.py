"""The `/task` cog, put together of its parts."""

from __future__ import annotations

from bot.features.files.cog import TaskFiles
from bot.features.repeats.cog import TaskRepeat
from bot.features.tasks.command_group import TASK
from bot.features.tasks.demo import TaskDemo
from bot.features.tasks.look import TaskLook
from bot.features.tasks.new import TaskNew
from bot.features.tasks.steer import TaskSteer


class TaskCog(TaskNew, TaskDemo, TaskLook, TaskSteer, TaskFiles, TaskRepeat):
    """Every `/task` subcommand."""

    task = TASK
