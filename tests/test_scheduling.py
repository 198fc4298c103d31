"""Which test process gets which tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.scheduling import LONG, TOGETHER, FilesAndParts, long_ones_first

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/test_a.py::test_b", "tests/test_a.py"),
        ("tests/test_a.py::test_b[apart of it]", "tests/test_a.py"),
        ("tests/test_rules/test_forward.py::test_b", "tests/test_rules/test_rules_hold.py"),
        ("tests/test_tour/test_forms.py::test_b", "tests/test_tour/test_lecturer.py"),
        ("tests/test_a.py::test_b[part 2 of 10]", "tests/test_a.py::test_b[part 2 of 10]"),
    ],
)
def test_a_file_stays_together_but_for_the_parts_of_a_long_test(nodeid: str, unit: str) -> None:
    scheduler = object.__new__(FilesAndParts)
    assert scheduler._split_scope(nodeid) == unit


def test_long_files_come_first_then_those_with_many_tests_each_in_its_order() -> None:
    few, many, long, longest = (TESTS / name for name in ("few.py", "many.py", LONG[1], LONG[0]))
    paths = [few, long, many, longest, many, long]
    items = [SimpleNamespace(path=path, number=number) for number, path in enumerate(paths)]
    long_ones_first(items)
    assert [item.path for item in items] == [longest, long, long, many, many, few]
    assert [item.number for item in items] == [3, 1, 5, 2, 4, 0]


def test_files_that_take_long_or_go_together_are_called_by_their_names() -> None:
    files = {*LONG, *(name.removeprefix("tests/") for pair in TOGETHER.items() for name in pair)}
    assert [name for name in sorted(files) if not (TESTS / name).exists()] == []
