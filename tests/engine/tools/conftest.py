"""The stage of whole tasks, for tools that need one."""

from tests.engine.autonomy.conftest import stage

__all__ = ["stage"]
