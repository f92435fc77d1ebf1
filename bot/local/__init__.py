"""A Discord of one's own on loopback, for people without a token and for tests."""

from bot.local.actors import Human, NoAnswerError, Outcome
from bot.local.faults import Faults, LimitScope
from bot.local.interactions import CannotError
from bot.local.options import LocalOptions
from bot.local.server import LocalDiscord, point_discord_at

__all__ = [
    "CannotError",
    "Faults",
    "Human",
    "LimitScope",
    "LocalDiscord",
    "LocalOptions",
    "NoAnswerError",
    "Outcome",
    "point_discord_at",
]
