"""A stdout that cannot be written is told in one line, before anything else is done or left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import script_answer

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")

PROGRAM = "open('ran', 'w').close()\nimport torch\ndef loss():\n    return torch.ones(2, requires_grad=True).sum()\n"


def shell(words: str, cwd: Path) -> tuple[int, str]:
    line = f"{sys.executable} -m autograd_tour {words}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


INTO_FULL = """
import os
from autograd_tour.cli import main
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
main()
"""


def into_full(words: str, cwd: Path) -> tuple[int, str]:
    """The same of ``WORDS > /dev/full`` where torch is loaded by then."""
    done = script_answer(INTO_FULL, *words.split(), cwd=cwd)
    return done.returncode, done.stderr


def refused(words: str, reason: str, cwd: Path, run: Callable[[str, Path], tuple[int, str]] = shell) -> None:
    code, errors = run(words, cwd)
    lines = errors.splitlines()
    assert code == 2
    assert lines[0] == f"error: {reason}"
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2


RENDER = "render net.py:loss -f svg --view graph"
FULL = "cannot write to stdout: No space left on device"
CLOSED = "stdout is closed, and the answer goes there"


def test_files_come_with_their_answer_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(PROGRAM)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "net-loss-graph.svg").write_text("what stood there")
    refused(RENDER, FULL, tmp_path, into_full)
    refused(f"{RENDER} -o old", FULL, tmp_path, into_full)
    assert sorted(os.listdir(tmp_path)) == ["net.py", "old", "ran"]
    assert os.listdir(tmp_path / "old") == ["net-loss-graph.svg"]
    assert (tmp_path / "old" / "net-loss-graph.svg").read_text() == "what stood there"


def test_a_closed_stdout_is_told_before_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(PROGRAM)
    refused(f"{RENDER} >&-", CLOSED, tmp_path)
    refused("diff net.py:loss net.py:loss >&-", CLOSED, tmp_path)
    refused("quiz net.py:loss >&-", CLOSED, tmp_path)
    assert os.listdir(tmp_path) == ["net.py"]


@pytest.mark.slow
def test_who_wants_no_answer_needs_no_stdout(tmp_path: Path) -> None:
    program = "import os\ndef loss():\n    os.write(1, b'printed')\n    return torch.ones(2, requires_grad=True).sum()\n"
    (tmp_path / "net.py").write_text(f"import torch\n{program}")
    assert shell(f"{RENDER} -q >&-", tmp_path) == (0, "")
    assert os.listdir(tmp_path / "outputs") == ["net-loss-graph.svg"]
    assert b"printed" not in (tmp_path / "outputs" / "net-loss-graph.svg").read_bytes()


@pytest.mark.slow
def test_a_reader_who_leaves_has_the_files(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(PROGRAM)
    assert shell(f"{RENDER} | true", tmp_path) == (0, "")
    assert os.listdir(tmp_path / "outputs") == ["net-loss-graph.svg"]


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", *[pytest.param(w, marks=pytest.mark.slow) for w in ("info", "render --help")]],
)
def test_all_that_answers_says_so(words: str, tmp_path: Path) -> None:
    refused(f"{words} > /dev/full", FULL, tmp_path)
    refused(f"{words} >&-", CLOSED, tmp_path)


def test_a_stderr_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    assert shell("render nothing.json 2> /dev/full", tmp_path) == (2, "")
