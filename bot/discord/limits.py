"""Discord's own limits that more than one place goes by."""

from __future__ import annotations

FILE_BYTES = 10 * 1024 * 1024
"""So large a file, and so much in all the files of a message, is taken everywhere, boosted or not."""

INTERACTION_S = 14 * 60.0
"""How long an interaction is answered by its token: 15 minutes, with one to spare."""
