"""Which test process gets which tests: those of a file stay together, and the long ones begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

__all__ = ["LONG", "FilesAndParts", "long_ones_first"]

LONG = (
    "test_hosts/test_sphinx.py",
    "test_hosts/test_run.py",
    "test_contract.py",
    "test_findings/test_faults.py",
    "test_contributing.py",
    "test_cli/test_signals.py",
    "test_formats/test_paper.py",
    "test_cli/test_process.py",
    "test_drawing/test_run.py",
    "test_drawing/test_apart.py",
)
"""Files that take long, the longest one first. With one of them last, the other processes would have nothing to do."""

PART = "part "
"""How the parameter of a test begins that may run apart from the others of its file."""


class FilesAndParts(LoadFileScheduling):
    """A file for a process at a time, in the order of the tests; a part of a long test counts as a file."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if f"[{PART}" in nodeid else super()._split_scope(nodeid)


def long_ones_first(items: list[pytest.Item]) -> None:
    """Files that take long, then those with many tests."""
    tests = Path(__file__).parent
    ranks = {tests / name: rank for rank, name in enumerate(LONG)}
    counts: dict[Path, int] = {}
    for item in items:
        counts[item.path] = counts.get(item.path, 0) + 1
    items.sort(key=lambda item: (ranks.get(item.path, len(LONG)), -counts[item.path]))
