"""The garbage collector of a process that runs for long."""

from __future__ import annotations

import gc


def freeze_startup() -> None:
    """Leave out of each later search for garbage what start-up made: modules and the parts last as long as
    the process.

    Call once, when everything is wired. The collection before it takes some tenths of a second.
    """
    gc.collect()
    gc.freeze()
