"""Optional dependencies: the package's extras, each checked before the part that needs it starts."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from engine.errors import NotConfigured

Extra = Literal["local", "mcp", "native", "postgres", "web"]

MODULES: dict[Extra, tuple[str, ...]] = {
    "local": ("huggingface_hub", "simcord", "tqdm", "xllamacpp"),
    "mcp": ("mcp",),
    "native": ("anthropic", "pydantic_ai"),
    "postgres": ("procrastinate", "psycopg", "psycopg_pool"),
    "web": ("ddgs", "lxml", "protego", "pypdf", "trafilatura"),
}
"""The modules of each extra; nothing is imported to look for them."""


def require(extra: Extra, purpose: str) -> None:
    """Check that the extra's modules are installed. Raises NotConfigured with the command to install them."""
    missing = [name for name in MODULES[extra] if not _is_installed(name)]
    if missing:
        raise NotConfigured(
            f"{purpose} needs the extra [{extra}] ({', '.join(missing)} missing). "
            f"Install it: pip install 'megaagent[{extra}]', or in a checkout: scripts/setup.sh {extra}."
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
