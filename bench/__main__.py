"""Run all benchmarks, each in a process of its own; prints ratios within one run on this machine.

`python -m bench [name …]`: only those named.
"""

from __future__ import annotations

import subprocess
import sys

BENCHES: dict[str, tuple[str, ...]] = {
    "turns": ("bench.turns", "sqlite"),
    "turns-10000": ("bench.turns", "sqlite", "10000", "5", "2", "1000"),
    "turns-postgresql": ("bench.turns", "postgresql"),
    "fairness": ("bench.fairness", "sqlite"),
    "fairness-postgresql": ("bench.fairness", "postgresql"),
    "fanout-100": ("bench.fanout", "100"),
    "fanout": ("bench.fanout", "590"),
    "fanout-10000": ("bench.fanout", "10000"),
    "policy-tree": ("bench.policy_tree",),
    "growth": ("bench.growth",),
    "prefix": ("bench.prefix",),
    "protocol": ("bench.protocol",),
    "crash": ("bench.crash", "sqlite", "200"),
    "crash-postgresql": ("bench.crash", "postgresql", "200"),
    "workers": ("bench.workers", "5"),
    "outbox": ("bench.outbox",),
    "sandbox": ("bench.sandbox",),
}


def _status(name: str) -> int:
    return subprocess.run([sys.executable, "-m", *BENCHES[name]], check=False).returncode


def main() -> int:
    """Run the requested benchmarks; return 1 if one broke (a missed target is printed, but is not an
    error)."""
    chosen = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        print(f"There is no bench {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
        return 2
    broken = [name for name in chosen if _status(name)]
    if broken:
        print(f"broken: {', '.join(broken)}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
