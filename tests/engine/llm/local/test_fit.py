"""What the embedded model makes of an operator's settings."""

from __future__ import annotations

from engine.llm.local import LocalModel
from tests.engine.llm.conftest import settings_with


def test_limits_that_an_operator_set_are_kept() -> None:
    """The embedded model's own minutes and auditors hold where nobody set any."""
    plain, own = settings_with(), settings_with(max_minutes=90)
    assert LocalModel(plain).fit(plain).max_minutes < plain.max_minutes
    assert LocalModel(own).fit(own).max_minutes == 90
    asked = settings_with(audit_rounds=3)
    assert LocalModel(plain).fit(plain).audit_rounds == 0
    assert LocalModel(asked).fit(asked).audit_rounds == 1
