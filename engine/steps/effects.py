"""Table of the functions that apply the effects of a step in its commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.domain.effects import (
    AddPackages,
    AmendAssignment,
    AskAction,
    AskCall,
    AskPackages,
    Assign,
    ChangeAssignment,
    ChangeFile,
    CheckRecruits,
    CheckRoom,
    CheckTeam,
    CollectWords,
    CountRefusal,
    Dismiss,
    Effect,
    Finish,
    GiveUp,
    NameTask,
    Notice,
    ProposePlan,
    RaiseGate,
    Recruit,
    Remember,
    SendMessage,
    SetBudget,
    SetTodo,
    ShowCall,
    ShowRun,
    UseAction,
    Verdict,
    WaitFor,
)
from engine.steps.apply import (
    apply_amend_assignment,
    apply_assign,
    apply_change_assignment,
    apply_change_file,
    apply_count_refusal,
    apply_dismiss,
    apply_give_up,
    apply_name_task,
    apply_notice,
    apply_propose_plan,
    apply_raise_gate,
    apply_recruit,
    apply_remember,
    apply_send_message,
    apply_set_todo,
    apply_show_run,
)
from engine.steps.bounds import apply_check_room, apply_check_team
from engine.steps.finish import apply_collect_words, apply_finish, apply_verdict
from engine.steps.outside import apply_ask_call, apply_show_call
from engine.steps.packages import apply_add_packages, apply_ask_packages
from engine.steps.protected import apply_ask_action, apply_check_recruits, apply_use_action
from engine.steps.set_budget import apply_set_budget
from engine.steps.unit_of_work import UnitOfWork
from engine.steps.waits import apply_wait_for

EFFECTS: Mapping[type, Callable[[Any, UnitOfWork], None]] = {
    SendMessage: apply_send_message,
    Recruit: apply_recruit,
    Assign: apply_assign,
    ChangeAssignment: apply_change_assignment,
    WaitFor: apply_wait_for,
    AmendAssignment: apply_amend_assignment,
    Dismiss: apply_dismiss,
    SetTodo: apply_set_todo,
    ChangeFile: apply_change_file,
    ShowRun: apply_show_run,
    RaiseGate: apply_raise_gate,
    AskAction: apply_ask_action,
    UseAction: apply_use_action,
    CheckRecruits: apply_check_recruits,
    AskPackages: apply_ask_packages,
    AddPackages: apply_add_packages,
    Remember: apply_remember,
    ProposePlan: apply_propose_plan,
    NameTask: apply_name_task,
    Notice: apply_notice,
    CountRefusal: apply_count_refusal,
    GiveUp: apply_give_up,
    SetBudget: apply_set_budget,
    CheckRoom: apply_check_room,
    CheckTeam: apply_check_team,
    Finish: apply_finish,
    CollectWords: apply_collect_words,
    Verdict: apply_verdict,
    AskCall: apply_ask_call,
    ShowCall: apply_show_call,
}


def apply_effect(effect: Effect, unit: UnitOfWork) -> None:
    """Apply one effect. Raises Stale when the store has changed meanwhile."""
    EFFECTS[type(effect)](effect, unit)
