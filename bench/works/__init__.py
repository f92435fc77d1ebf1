"""Small works that judge the embedded model: 24 of eight kinds, each with a hidden check.

`seen` may be looked at while the product is changed. `unseen` was fixed with its checks beforehand and is
only run; whoever reads it to tune anything spoils it.
"""

from bench.works.record import KINDS, Kind, Work
from bench.works.seen import SEEN
from bench.works.unseen import UNSEEN

WORKS: tuple[Work, ...] = (*SEEN, *UNSEEN)

__all__ = ["KINDS", "SEEN", "UNSEEN", "WORKS", "Kind", "Work"]
