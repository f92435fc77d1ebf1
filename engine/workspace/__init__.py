"""Git-backed files of tasks: revisions, three-way merge, history, import and export."""

from engine.workspace.git import GitWorkspace
from engine.workspace.intake import Brought, folder_of, read_bundle, read_zip, unpack
from engine.workspace.limits import WorkspaceLimits, check_file, check_room
from engine.workspace.paths import check_collision, check_set, folded, normal_path
from engine.workspace.revise import Current, Decision, resolve_write

__all__ = [
    "Brought",
    "Current",
    "Decision",
    "GitWorkspace",
    "WorkspaceLimits",
    "check_collision",
    "check_file",
    "check_room",
    "check_set",
    "folded",
    "folder_of",
    "normal_path",
    "read_bundle",
    "read_zip",
    "resolve_write",
    "unpack",
]
