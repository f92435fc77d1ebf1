"""What every bench measures with: time, CPU and peak memory of this process, printed as ratios."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000


@dataclass(slots=True)
class Meter:
    """Wall and CPU seconds between construction and now."""

    began: float = field(default_factory=time.perf_counter)
    cpu_began: float = field(default_factory=time.process_time)

    @property
    def wall(self) -> float:
        """Seconds since construction."""
        return time.perf_counter() - self.began

    @property
    def cpu(self) -> float:
        """CPU seconds of this process since construction."""
        return time.process_time() - self.cpu_began


def peak_rss() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def rss() -> float:
    """Resident size of this process now, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / MB
    return 0.0


def report(name: str, ratio: float, target: float, **facts: object) -> bool:
    """Print one line: the ratio against its target, then facts; whether the target is met."""
    met = ratio <= target
    shown = "  ".join(f"{key} {_plain(value)}" for key, value in facts.items())
    load = os.getloadavg()[0]
    print(
        f"{name}: {ratio:.2f} (target <= {target:g}: {'met' if met else 'MISSED'})  {shown}  load {load:.1f}"
    )
    return met


def _plain(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
