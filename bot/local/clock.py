"""Real time behind SimCord's world, which otherwise stands still between test steps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from simcord._clock import Clock


class WorldClock(Clock):
    """Wall-clock time plus an offset that tests may advance, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._began = datetime.now(UTC)
        self._skipped = 0.0

    def now(self) -> datetime:
        """Return the current time in UTC; it never goes backwards."""
        return self._began + timedelta(seconds=time.monotonic() - self._started + self._skipped)

    def advance(self, seconds: float) -> None:
        """Skip time: interaction deadlines and rate-limit windows elapse as if it had passed."""
        self._skipped += seconds

    def monotonic(self) -> float:
        """Return the seconds since the clock was made, skipped time included."""
        return time.monotonic() - self._started + self._skipped
