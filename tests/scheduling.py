"""Which test process gets which tests: those of a file stay together, and the long ones begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

__all__ = ["LONG", "TOGETHER", "FilesAndParts", "long_ones_first"]

LONG = (
    "test_hosts/test_sphinx.py",
    "test_contract.py",
    "test_hosts/test_run.py",
    "test_formats/test_paper.py",
    "test_findings/test_faults.py",
    "test_rules/test_rules_hold.py",
    "test_tracer/test_compiled.py",
    "test_findings/test_steps.py",
    "test_drawing/test_apart.py",
    "test_drawing/test_run.py",
    "test_tour/test_lecturer.py",
    "test_views/test_diff.py",
    "test_lessons/test_training.py",
    "test_tracer/test_memory.py",
    "test_tour/test_commands.py",
    "test_cli/test_stdout.py",
    "test_cli/test_process.py",
    "test_cli/test_signals.py",
)
"""Files that take long, the longest one first. With one of them last, the other processes would have nothing to do."""

TOGETHER = {
    **{
        f"tests/test_rules/test_{name}.py": "tests/test_rules/test_rules_hold.py"
        for name in ("forward", "mathematics")
    },
    **{
        f"tests/test_tour/test_{name}.py": "tests/test_tour/test_lecturer.py"
        for name in ("forms", "figures", "stops")
    },
}
"""Files that one process gets, as what both need takes long to compute."""

PART = "part "
"""How the parameter of a test begins that may run apart from the others of its file."""


class FilesAndParts(LoadFileScheduling):
    """A file for a process at a time, in the order of the tests; a part of a long test counts as a file.

    Files that belong together count as one.
    """

    def _split_scope(self, nodeid: str) -> str:
        if f"[{PART}" in nodeid:
            return nodeid
        file = super()._split_scope(nodeid)
        return TOGETHER.get(file, file)


def long_ones_first(items: list[pytest.Item]) -> None:
    """Files that take long, then those with many tests."""
    tests = Path(__file__).parent
    ranks = {tests / name: rank for rank, name in enumerate(LONG)}
    counts: dict[Path, int] = {}
    for item in items:
        counts[item.path] = counts.get(item.path, 0) + 1
    items.sort(key=lambda item: (ranks.get(item.path, len(LONG)), -counts[item.path]))
