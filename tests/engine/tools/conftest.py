"""The stage of whole tasks, for tools that need one, and the real sandbox."""

from pathlib import Path

import pytest

from engine.ports import Sandbox
from engine.sandbox import choose_sandbox, environment_folder, prepare_environment
from tests.engine.autonomy.conftest import stage

__all__ = ["stage"]


@pytest.fixture(scope="session")
def real() -> Sandbox:
    """This machine's sandbox."""
    folder = environment_folder(Path(__file__).parents[3] / "var", ["pytest"])
    prepare_environment(folder, ["pytest"])
    chosen = choose_sandbox(folder)
    assert chosen.status().available, chosen.status().reason
    return chosen
