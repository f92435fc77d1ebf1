"""A hundred tools of servers: finding one costs a small part of offering all, and finds what is needed."""

from __future__ import annotations

from bench.found_tools import bench


def test_finding_a_tool_costs_little_and_finds_it() -> None:
    """The limits of the bench hold."""
    assert all(bench())
