"""The files of a task as one step sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files with their content and blobs, and the paths left out because a run accepts no more."""

    files: Mapping[str, bytes]
    blobs: Mapping[str, str]
    left_out: tuple[str, ...] = ()
