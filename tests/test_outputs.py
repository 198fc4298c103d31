"""``outputs/`` holds what ``make render`` writes: rendered again, elsewhere, it is the same."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_tour import lessons
from autograd_tour.formats import Settings
from autograd_tour.formats.write import write_all
from autograd_tour.lessons import training
from autograd_tour.lessons.thermometer import PROGRAMS

OUTPUTS = Path(__file__).parent.parent / "outputs"
# Photographs of the page depend on fonts and browser: `make screenshots` takes them, nothing compares them.
RENDERED = [path for path in OUTPUTS.iterdir() if not path.match("page-*.png")]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("in this process", marks=pytest.mark.slow),
        pytest.param(("0", "here"), marks=pytest.mark.slow, id="seed-0"),
        pytest.param(("4711", "deeper/down"), marks=pytest.mark.slow, id="seed-4711"),
    ],
)
def rendered(request, tmp_path_factory):
    """All built-ins, rendered here, or by the command in a process with its own hash seed and folder."""
    top = tmp_path_factory.mktemp("outputs")
    if request.param == "in this process":
        result = request.getfixturevalue("whole_study")  # before it is replaced, which would call itself
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "study", lambda: result)
            for lesson in lessons.registry().values():
                write_all(top / "new", lesson.files(Settings()))
        return top / "new"
    seed, where = request.param
    folder = top / where
    folder.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "autograd_tour", "render", "--all", "-q", "-o", str(top / "new")],
        cwd=folder,
        env=os.environ | {"PYTHONHASHSEED": seed},
        check=True,
        timeout=300,
    )
    return top / "new"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_tour_is_drawn_as_it_stands_there(name):
    """What is quick to render; the training lesson, and the files there are in all, are slow tests."""
    for file, content in lessons.registry()[name].files(Settings()).items():
        written = (OUTPUTS / file).read_text(encoding="utf-8")
        if file.endswith(".json"):
            assert_same(json.loads(content), json.loads(written), file)
        else:
            assert content == written, file


def test_the_same_files_are_written(rendered):
    assert sorted(path.name for path in rendered.iterdir()) == sorted(path.name for path in RENDERED)


def test_pictures_and_reports_are_the_same_bytes(rendered):
    for path in RENDERED:
        if path.suffix != ".json":
            assert (rendered / path.name).read_bytes() == path.read_bytes(), path.name


def test_traces_have_the_same_values(rendered):
    traces = [path for path in RENDERED if path.suffix == ".json"]
    assert len(traces) >= 2
    for path in traces:
        assert_same(json.loads((rendered / path.name).read_text()), json.loads(path.read_text()), path.name)


def assert_same(new, old, place):
    """Equal but for the last bits of floating-point numbers, which are the CPU's."""
    if isinstance(old, dict):
        assert new.keys() == old.keys(), place
        for key, value in old.items():
            assert_same(new[key], value, f"{place}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old), place
        for i, value in enumerate(old):
            assert_same(new[i], value, f"{place}[{i}]")
    elif isinstance(old, float):
        assert math.isclose(new, old, rel_tol=1e-6, abs_tol=1e-9), place
    else:
        assert new == old, place


def test_nothing_in_them_tells_time_place_or_machine():
    home = str(Path.home())
    for path in RENDERED:
        text = path.read_text(encoding="utf-8")
        assert home not in text
        assert str(OUTPUTS.parent) not in text
        assert "graphviz" not in text.lower()
