"""Git-backed files of tasks: revisions, three-way merge, history, what comes in and what goes out."""

from engine.workspace.git import GitWorkspace
from engine.workspace.limits import WorkspaceLimits, check_file, check_room
from engine.workspace.paths import check_collision, folded, normal_path
from engine.workspace.revise import Current, Decision, resolve_write

__all__ = [
    "Current",
    "Decision",
    "GitWorkspace",
    "WorkspaceLimits",
    "check_collision",
    "check_file",
    "check_room",
    "folded",
    "normal_path",
    "resolve_write",
]
