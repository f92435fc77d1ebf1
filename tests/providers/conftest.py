"""What every test of this suite needs: an engine that runs no programs."""

from __future__ import annotations

import pytest

from engine import assembly
from engine.sandbox import RefusingSandbox


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_sandbox", lambda settings, say: RefusingSandbox("not in these tests"))
