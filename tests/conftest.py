"""What holds for every test."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import subprocess
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from autograd_tour.lessons.training_study import Study

# Beside each other, test processes with a thread for every core would only get in each other's way.
# torch reads this when it is imported; what a test starts inherits it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many as there are cores: one more takes as much time to start as it saves while others wait."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """With ``--dist loadfile`` files that take long are not the last ones."""
    from tests.scheduling import FilesAndParts

    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # the tests of each process are in order
    return FilesAndParts(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Of all that is imported and made for thousands of tests nothing is garbage: looking for some takes a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Few examples for hypothesis, but where all are asked for, as ``.ci/run`` does."""
    from hypothesis import settings

    import tests.examples  # noqa: F401  its profiles

    settings.load_profile(config.getoption("--hypothesis-profile", None) or "quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With several processes such a test would stop all of them, with one it would not.
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"called otherwise in every process: {unstable[0]}")
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.scheduling import long_ones_first

        long_ones_first(items)


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


@pytest.fixture(scope="module")
def quick_workers() -> Iterator[None]:
    """Code of documents runs in processes that need not load torch first."""
    from tests.workers import forked_in_place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograd_tour.hosts.process.subprocess", forked_in_place())
        yield


@pytest.fixture
def fresh_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """... but in this test they do load it, as they do for a reader."""
    monkeypatch.setattr("autograd_tour.hosts.process.subprocess", subprocess)


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The only browser of a test process: its library allows no second one beside it."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "these tests need chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def whole_study() -> Study:
    """What the training lesson computes, a quarter of a minute long: once for all tests, which are slow ones."""
    from autograd_tour.lessons.training_study import study

    return study()
