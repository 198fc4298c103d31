"""Ctrl-C and SIGTERM: one word, an exit code of their own, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import script_answer, signalled_answer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of another kind")

SIGNALS = pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)


def start(words: list[str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def signalled(program: str, number: int, cwd: Path) -> tuple[int, str, str]:
    """What the command does when a signal comes while the program runs."""
    (cwd / "net.py").write_text(f"import os, time\nimport torch\n{program}")
    process = start(["-m", "autograd_tour", "render", "net.py:loss"], cwd)
    end = time.monotonic() + 60
    while not (cwd / "started").exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    answer, errors = process.communicate(timeout=60)
    return process.returncode, answer, errors


@SIGNALS
@pytest.mark.parametrize("command", ["render", "explain", "verify"])
def test_a_running_program_is_ended_with_what_follows_it(
    command: str, number: int, code: int, word: str, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "import time\ndef loss():\n    open('started', 'w').close()\n    time.sleep(60)\n"
    )
    done = signalled_answer(command, "net.py:loss", cwd=tmp_path, number=number, file="started")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{word}\n")


@pytest.mark.slow
@SIGNALS
def test_half_a_tour_is_none(number: int, code: int, word: str, tmp_path: Path) -> None:
    script = f"""
import os, runpy, sys
left = iter(range(12))  # layouts, each by a process of its own
def counted(event, _):
    if event == "subprocess.Popen" and next(left, None) is None:
        os.kill(os.getpid(), {int(number)})
sys.addaudithook(counted)
sys.argv[1:] = ["tour", "-o", "site"]
runpy.run_module("autograd_tour", run_name="__main__")
"""
    process = start(["-c", script], tmp_path)
    answer, errors = process.communicate(timeout=300)
    assert (process.returncode, answer, errors) == (code, "", f"{word}\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("moment", "earlier"), [("subprocess.Popen", 0), ("os.rename", 1)])
def test_a_stop_that_is_half_drawn_or_half_written_is_none(moment: str, earlier: int, tmp_path: Path) -> None:
    script = f"""
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
left = iter(range({earlier}))
def counted(event, _):
    if event == {moment!r} and next(left, None) is None:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(counted)
sys.argv[1:] = ["tour", "3", "-o", "site"]
runpy.run_module("autograd_tour", run_name="__main__")
"""
    done = script_answer(script, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_program_that_catches_everything_is_ended_all_the_same(tmp_path: Path) -> None:
    program = (
        "def loss():\n    open('started', 'w').close()\n    while True:\n        try:\n            time.sleep(60)\n"
        "        except BaseException:\n            pass\n"
    )
    assert signalled(program, signal.SIGTERM, tmp_path) == (143, "", "terminated\n")


@SIGNALS
@pytest.mark.parametrize("package", ["click", "torch", "autograd_tour.cli.render"])
def test_while_something_is_imported(package: str, number: int, code: int, word: str, tmp_path: Path) -> None:
    script = f"""
import importlib, os, runpy, sys
from importlib.abc import MetaPathFinder
class Signals(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {package!r}:
            os.kill(os.getpid(), {int(number)})
sys.meta_path.insert(0, Signals())
sys.argv[1:] = ["render", "thermometer"]
runpy.run_module("autograd_tour", run_name="__main__")
"""
    process = start(["-c", script], tmp_path)
    answer, errors = process.communicate(timeout=60)
    assert (process.returncode, answer, errors) == (code, "", f"{word}\n")
    assert os.listdir(tmp_path) == []
