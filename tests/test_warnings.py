"""What the filters of pyproject.toml make of a warning: ours is an error, a library's deprecation is not."""

from __future__ import annotations

import warnings

import pytest

OURS = ("bot", "bot.app.client", "engine.store.database", "tests.conftest", "bench.parts", "scenarios.common")
MIGRATIONS = ("env_py", "0001_first_tables_py")
FOREIGN = ("discord.ext.tasks.__init__", "discord.player", "enginex", "botocore.session", "sqlalchemy.engine")
DEPRECATIONS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def warn_in(module: str, kind: type[Warning]) -> None:
    """Warn as Python does when code of `module` uses what is deprecated."""
    warnings.warn_explicit("old", kind, "module.py", 1, module, {})


@pytest.mark.parametrize("kind", DEPRECATIONS)
@pytest.mark.parametrize("module", [*OURS, *MIGRATIONS])
def test_our_own_use_of_the_deprecated_fails(module: str, kind: type[Warning]) -> None:
    """Before the release that removes it."""
    with pytest.raises(kind, match="old"):
        warn_in(module, kind)


@pytest.mark.parametrize("kind", DEPRECATIONS)
@pytest.mark.parametrize("module", FOREIGN)
def test_a_librarys_use_of_the_deprecated_does_not_fail(module: str, kind: type[Warning]) -> None:
    """A new Python deprecates what released libraries call."""
    warn_in(module, kind)


@pytest.mark.parametrize("kind", [ResourceWarning, RuntimeWarning, UserWarning])
@pytest.mark.parametrize("module", ["engine.engine", "discord.client", "sys"])
def test_every_other_warning_fails(module: str, kind: type[Warning]) -> None:
    """What is left open is reported wherever the collector happens to run."""
    with pytest.raises(kind):
        warn_in(module, kind)
