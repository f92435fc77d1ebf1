"""Contained execution of model-written code: the Sandbox port on bubblewrap, or a refusal."""

from engine.sandbox.bubblewrap import BubblewrapSandbox, BubblewrapSession
from engine.sandbox.environment import Environment, environment_folder, load_environment, prepare_environment
from engine.sandbox.limits import SandboxLimits
from engine.sandbox.output import clean
from engine.sandbox.probe import RefusingSandbox, choose_sandbox

__all__ = [
    "BubblewrapSandbox",
    "BubblewrapSession",
    "Environment",
    "RefusingSandbox",
    "SandboxLimits",
    "choose_sandbox",
    "clean",
    "environment_folder",
    "load_environment",
    "prepare_environment",
]
