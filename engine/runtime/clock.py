"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall-clock time and asyncio's sleep."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
