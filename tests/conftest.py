"""What holds for every test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from autograd_tour.lessons.training import Study

# Beside each other, test processes with a thread for every core would only get in each other's way.
# torch reads this when it is imported; what a test starts inherits it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def whole_study() -> Study:
    """What the training lesson computes, a quarter of a minute long: once for all tests, which are slow ones."""
    from autograd_tour.lessons.training import study

    return study()
