"""What holds for every test."""

from __future__ import annotations

import gc
import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from autograd_tour.lessons.training import Study

# Beside each other, test processes with a thread for every core would only get in each other's way.
# torch reads this when it is imported; what a test starts inherits it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module", autouse=True)
def _nothing_else_in_sight(request: pytest.FixtureRequest) -> None:
    """The tracer looks through all live objects: not through the libraries, the tests that wait, and what other
    files left, which would take longer than most traces do.

    The models and optimizers that stand at the top of a module of programs are to be seen: they are made anew.
    """
    gc.collect()
    gc.freeze()
    programs = getattr(request.module, "loops", None)
    if isinstance(programs, ModuleType):
        importlib.reload(programs)


@pytest.fixture(scope="session")
def whole_study() -> Study:
    """What the training lesson computes, a quarter of a minute long: once for all tests, which are slow ones."""
    from autograd_tour.lessons.training import study

    return study()
