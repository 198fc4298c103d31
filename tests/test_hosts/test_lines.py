"""Where code stands that is in no file."""

from __future__ import annotations

import pytest

from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.listen.frames import relative


@pytest.mark.parametrize(
    ("file", "position"),
    [
        ("net.py", "net.py:3"),
        ("<block>", "line 3"),
        ("<cell>", "line 3"),
        ("<block 2>", "block 2, line 3"),
        ("<string>", "<string>:3"),
    ],
)
def test_a_line_is_told_as_its_reader_counts(file, position):
    assert SourceLine(file, 3).position == position


def test_the_file_of_a_cell_is_not_shown():
    assert relative("/tmp/ipykernel_4711/3011417142.py") == "<cell>"
    assert relative("/tmp/ipykernel/301.py") == "301.py"
