"""Texts of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping

EMPTY = "Nobody has decided anything here yet."
NOBODY = "*nobody*"
UNANSWERED = "answered a question of task #{task} in time"
DELETED = "deleted"
EXPORTED = "All decisions, newest first: {count}, one JSON object per line."
CUT = " It is cut at {limit}; name a task to get the rest of its decisions."

DECIDED: Mapping[str, str] = {
    "StartTask": "started task #{task}",
    "StartDemonstration": "started the demonstration as task #{task}",
    "AnswerGate": "answered a question of task #{task}",
    "SetGateRule": "changed how long questions wait",
    "SetProtections": "changed what agents must ask for",
    "SetMonthRule": "changed the budgets of calendar months",
    "RecordRules": "changed who may do what, and where",
    "RecordSignIn": "signed the agents in to a tool server",
    "RecordSignOut": "signed the agents out of a tool server",
    "RecordArchive": "closed the channels of task #{task}",
    "ContinueTask": "continued task #{task}",
    "PauseTask": "paused task #{task}",
    "ResumeTask": "resumed task #{task}",
    "StopTask": "stopped task #{task}",
    "RaiseCap": "changed caps of task #{task}",
    "PauseAgent": "paused an agent of task #{task}",
    "ResumeAgent": "resumed an agent of task #{task}",
    "EditAgent": "changed the instructions of an agent of task #{task}",
    "DismissAgent": "dismissed an agent of task #{task}",
    "ReplaceAgent": "replaced an agent of task #{task}",
    "RepeatTask": "scheduled a repeating task",
    "EndRepeat": "ended repeating task {subject}",
    "ResumeRepeat": "resumed repeating task {subject}",
    "ForgetMemory": "deleted memory #{subject}",
}
"""What a person did, by the command's class name; a command without a text is shown by its name."""
