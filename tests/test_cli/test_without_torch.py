"""Where torch is not installed a saved trace is drawn, and a program is told what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import fresh_answer

NO_TORCH = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "torch.py").write_text(NO_TORCH)
    (tmp_path / "net.py").write_text("def loss():\n    return 1\n")
    return tmp_path


@pytest.mark.parametrize("words", [("render", "net.py:loss"), ("render",), ("verify", "net.py:loss")])
def test_a_program_is_told_what_it_takes(folder: Path, words: tuple[str, ...]) -> None:
    done = fresh_answer(*words, cwd=folder, PYTHONPATH=_path(folder))
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[0] == "error: torch is not installed here, and to trace a program takes it"
    )
    assert "autograd-tour render trace.json" in done.stderr


def test_a_saved_trace_is_drawn(folder: Path) -> None:
    trace = Path(__file__).parents[2] / "outputs" / "thermometer.json"
    done = fresh_answer("render", str(trace), "-f", "svg", "-o", "out", cwd=folder, PYTHONPATH=_path(folder))
    assert done.returncode == 0, done.stderr
    assert list((folder / "out").glob("*.svg"))


def _path(folder: Path) -> str:
    return f"{folder}:{Path(__file__).parents[2]}"
