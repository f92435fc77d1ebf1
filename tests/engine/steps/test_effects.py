"""The table of effects."""

from typing import get_args

from engine.domain.effects import Effect
from engine.steps.effects import EFFECTS


def test_every_effect_has_its_function() -> None:
    """No effect is staged that no commit can apply."""
    assert set(get_args(Effect)) == set(EFFECTS)
