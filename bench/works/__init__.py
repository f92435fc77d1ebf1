"""Small works that judge the embedded model: 36 of eight kinds, each with a hidden check.

`seen` may be looked at while the product is changed. `unseen` and `fresh` were fixed with their checks
beforehand, each before another change, and are only run; whoever reads them to tune anything spoils them.
"""

from bench.works.fresh import FRESH
from bench.works.record import KINDS, Kind, Work
from bench.works.seen import SEEN
from bench.works.unseen import UNSEEN

WORKS: tuple[Work, ...] = (*SEEN, *UNSEEN, *FRESH)

__all__ = ["FRESH", "KINDS", "SEEN", "UNSEEN", "WORKS", "Kind", "Work"]
