r"""A Discord of one's own on loopback, for people without a token and for tests.

    local = LocalDiscord(LocalOptions(data=folder))
    await local.start()                       # local.page_url is the page for people
    with point_discord_at(local):
        await client.start(local.token)       # any discord.py client, unmodified

In a test the person at the page is ``local.you``, one without rights ``local.guest``:

    done = await local.you.slash(local.you.channel("lobby"), "task new", goal="a snake game")
    await local.you.click(await local.you.sees(channel, "running"), "Pause")
    local.faults.drop_after("POST", r"/webhooks/\d+/[^/]+")
    assert local.gaps == []                   # nothing was asked for that is not known here
"""

from bot.local.actors import Human, NoAnswerError, Outcome
from bot.local.faults import Faults, LimitScope
from bot.local.interactions import CannotError
from bot.local.options import LocalOptions
from bot.local.server import LocalDiscord, point_discord_at
from bot.local.store import BrokenWorldError

__all__ = [
    "BrokenWorldError",
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
