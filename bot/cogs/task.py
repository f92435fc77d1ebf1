"""The `/task` cog, put together of its parts."""

from __future__ import annotations

from bot.cogs.task_files import TaskFiles
from bot.cogs.task_group import TASK
from bot.cogs.task_look import TaskLook
from bot.cogs.task_new import TaskNew
from bot.cogs.task_repeat import TaskRepeat
from bot.cogs.task_steer import TaskSteer


class TaskCog(TaskNew, TaskLook, TaskSteer, TaskFiles, TaskRepeat):
    """Every `/task` subcommand."""

    task = TASK
