"""What is being done stands on a terminal, on one line, and is gone when it is done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.progress import counted, doing, heard_by
from tests.commands import terminal_answer

pytest.importorskip("pty", reason="there are no pseudo terminals here")

COLUMNS = 80


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved trace with a backward of several steps."""
    import autograd_tour

    path = tmp_path_factory.mktemp("status") / "thermometer.json"
    autograd_tour.save(autograd_tour.trace(thermometer), path)
    return path


def at_terminal(*words: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """The command with stderr on a terminal: its exit code, stdout, and what the terminal got."""
    usual = {name: value for name, value in os.environ.items() if name not in ("CI", "TERM")}
    terminal = {"COLUMNS": str(COLUMNS), "TERM": "xterm", "NO_COLOR": "1"}
    return terminal_answer(*words, cwd=cwd, environment={**usual, **terminal, **environment})


def screen(received: str) -> list[str]:
    """The lines that a reader sees in the end."""
    lines = [""]
    column = 0
    for mark in received:
        if mark == "\n":
            lines.append("")
            column = 0
        elif mark == "\r":
            column = 0
        else:
            assert mark.isprintable()
            lines[-1] = f"{lines[-1][:column]}{mark}{lines[-1][column + 1 :]}"
            column += 1
    assert all(len(line) <= COLUMNS for line in lines)
    return [line.rstrip() for line in lines if line.strip()]


def test_it_says_what_is_being_done_and_is_gone_in_the_end(saved, tmp_path):
    target = shutil.copy(saved, tmp_path / "thermometer.json").name  # short: the line ends with the terminal
    words = ("render", target, "--view", "steps", "-f", "png", "--scale", "0.2")
    code, answer, received = at_terminal(*words, cwd=tmp_path)
    assert code == 0
    assert len(answer.splitlines()) == 8
    lines = [line.strip() for line in received.split("\r")]
    for task in ("folding", "layout", "frame 1 of 8", "frame 8 of 8"):
        assert any(line.endswith(f"thermometer.json: png: {task}") for line in lines), task
    assert "writing" in lines
    assert screen(received) == []


def test_what_a_program_prints_stands_on_lines_of_its_own(tmp_path):
    (tmp_path / "net.py").write_text(
        "import sys, torch\nprint('loaded')\n"
        "def loss():\n    print('called'); print('warned', file=sys.stderr)\n"
        "    print('half', end='')\n    return torch.ones(2, requires_grad=True).sum()\n"
    )
    code, _, received = at_terminal("render", "net.py:loss", "-f", "svg", "--view", "graph", cwd=tmp_path)
    assert code == 0
    assert "net.py:loss: loading" in received
    assert "net.py:loss: tracing" in received
    assert screen(received) == ["loaded", "called", "warned", "half"]


@pytest.mark.parametrize("stream", ["stderr", "__stderr__"])
def test_the_line_goes_though_a_program_closes_its_streams(tmp_path, stream):
    (tmp_path / "net.py").write_text(
        f"import sys, torch\ndef loss():\n    sys.stdout.close(); sys.{stream}.close()\n"
        "    return torch.ones(2, requires_grad=True).sum()\n"
    )
    code, answer, received = at_terminal(
        "render", "net.py:loss", "-f", "svg", "--view", "graph", cwd=tmp_path
    )
    assert (code, answer) == (0, f"{os.path.join('outputs', 'net-loss-graph.svg')}\n")
    assert "net.py:loss: tracing" in received
    assert "closed file" not in received
    assert stream == "__stderr__" or screen(received) == []


def test_an_error_stands_on_a_clean_line(saved, tmp_path):
    words = ("render", str(saved), "--focus", "nobody", "-f", "svg")
    code, answer, received = at_terminal(*words, cwd=tmp_path)
    assert (code, answer) == (2, "")
    assert "folding" in received
    error, *_ = screen(received)
    assert error == "error: nothing in this graph is called 'nobody'"


@pytest.mark.parametrize(
    ("flags", "environment"),
    [(("-q",), {}), ((), {"CI": "true"}), ((), {"TERM": "dumb"})],
    ids=["q", "CI", "dumb"],
)
def test_it_can_be_silenced(saved, tmp_path, flags, environment):
    words = ("render", str(saved), "-f", "svg", *flags)
    code, _, received = at_terminal(*words, cwd=tmp_path, **environment)
    assert (code, received) == (0, "")


def test_in_a_pipe_there_is_none(saved, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "autograd_tour", "render", str(saved), "-f", "svg"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""


def test_a_name_that_would_fill_or_clear_the_screen_does_not(tmp_path):
    name = f"{'温' * 60}\x1b[2J.json"
    code, _, received = at_terminal("render", name, cwd=tmp_path)
    assert code == 2
    assert "\x1b" not in received
    shown = received.split("error:")[0]
    assert all(len(line) < COLUMNS for line in shown.split("\r"))


def test_tasks_are_told_from_the_whole_to_the_part():
    heard = []
    with doing("nobody listens"):
        pass
    with heard_by(heard.append), doing("whole"):
        assert list(counted(["a"], "frame")) == ["a"]
        assert list(counted(["a", "b"], "frame")) == ["a", "b"]
        with pytest.raises(ZeroDivisionError), doing("part"):
            raise ZeroDivisionError
    assert heard == [
        ("whole",), ("whole", "frame 1 of 2"), ("whole",), ("whole", "frame 2 of 2"), ("whole",),
        ("whole", "part"), ("whole",), (),
    ]  # fmt: skip
