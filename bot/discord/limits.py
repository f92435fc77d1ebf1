"""Discord's limits that several modules use."""

from __future__ import annotations

FILE_BYTES = 10 * 1024 * 1024
"""The size of a file, and of all files of a message, that every server accepts, boosted or not."""

INTERACTION_S = 14 * 60.0
"""How long an interaction's token is used: 15 minutes minus a margin of one."""
