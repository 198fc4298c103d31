"""Programs under trace that misbehave: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import answer, fresh_answer

Run = Callable[..., subprocess.CompletedProcess[str]]
NEEDS_ALARMS = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on this system")

GOOD = "w = torch.ones(2, requires_grad=True)\n"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "autograd_tour", *words]


def call(tmp_path: Path, program: str, *words: str, run: Run = answer) -> subprocess.CompletedProcess[str]:
    (tmp_path / "net.py").write_text("import os, sys, threading, time\nimport torch\n" + GOOD + program)
    return run("render", "net.py:loss", "-f", "svg", "--view", "graph", *words, cwd=tmp_path)


def refused(done: subprocess.CompletedProcess[str], tmp_path: Path, code: int) -> str:
    """The message of a run that failed as it should."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "itself failed" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["net.py"], "nothing is written"
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    return lines[0]


IN_BACKWARD = """
class Breaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        {0}
def loss():
    return Breaks.apply(w).sum()
"""

RAISING = {
    "in forward": ("def loss():\n    raise ValueError('not today')\n", "net.py:5: ValueError: not today"),
    "in backward": (IN_BACKWARD.format("raise ValueError('not today')"), "ValueError: not today"),
    "sys.exit": ("def loss():\n    sys.exit(3)\n", "exit(3)"),
    "sys.exit at import": ("sys.exit(0)\n", "exit(0)"),
    "sys.exit in backward": (IN_BACKWARD.format("sys.exit(3)"), "exit(3)"),
    "endless recursion": ("def loss():\n    return loss()\n", "RecursionError"),
    "an error without a text": (
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\ndef loss():\n    raise Odd\n",
        "Odd",
    ),
    "the same in backward": (
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\n"
        + IN_BACKWARD.format("raise Odd"),
        "backward raised Odd at ",
    ),
    "no Exception": (
        "class Odd(BaseException):\n    pass\ndef loss():\n    raise Odd('no')\n",
        "net.py:7: Odd: no",
    ),
    "no Exception at import": ("class Odd(BaseException):\n    pass\nraise Odd('no')\n", "net.py:6: Odd: no"),
    "no Exception in backward": (
        "class Odd(BaseException):\n    pass\n" + IN_BACKWARD.format("raise Odd('no')"),
        "backward raised Odd: no at ",
    ),
    "the end of a generator": ("def loss():\n    raise GeneratorExit\n", "net.py:5: GeneratorExit, while"),
    "exit with what has no text": (
        "class Odd:\n    def __repr__(self):\n        raise RuntimeError\nsys.exit(Odd())\n",
        "left with exit(<Odd>)",
    ),
    "endless recursion below a low limit": (
        "def deeper():\n    deeper()\ndef loss():\n    sys.setrecursionlimit(80)\n    deeper()\n",
        "RecursionError",
    ),
    "a terminal's escapes": (
        "def loss():\n    raise ValueError('\\x1b[2J\\x07\\x9b a\\rb\\u202e')\n",
        "net.py:5: ValueError: \\x1b[2J\\x07\\x9b a b\\u202e, while",
    ),
    "a coroutine": ("async def loss():\n    return w.sum()\n", "returned a coroutine, so none of it has run"),
    "a generator": ("def loss():\n    yield w.sum()\n", "returned a generator, so none of it has run"),
}


QUICK = ("in backward", "no Exception", "a terminal's escapes")


@pytest.mark.parametrize(
    "case",
    [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in RAISING],
)
def test_a_program_that_raises_is_one_line(case: str, tmp_path: Path) -> None:
    program, message = RAISING[case]
    assert message in refused(call(tmp_path, program), tmp_path, 1)


@pytest.mark.parametrize(
    "program",
    [
        "sys.setrecursionlimit(55)\ndef loss():\n    return (w * w).sum()\n",
        pytest.param(
            "def loss():\n    sys.setrecursionlimit(55)\n    return (w * w).sum()\n", marks=pytest.mark.slow
        ),
        pytest.param(IN_BACKWARD.format("sys.setrecursionlimit(55); return g"), marks=pytest.mark.slow),
    ],
)
def test_a_low_limit_of_recursion_ends_with_the_program(program: str, tmp_path: Path) -> None:
    done = call(tmp_path, program)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_line_of_an_error_in_backward_is_told(tmp_path: Path) -> None:
    message = refused(call(tmp_path, IN_BACKWARD.format("raise ValueError('not today')")), tmp_path, 1)
    assert message.endswith("net.py:11: raise ValueError('not today')")


ENDLESS = {
    "in forward": ("def loss():\n    while True:\n        pass\n", "in loss()"),
    "asleep": ("def loss():\n    time.sleep(100)\n", "net.py:5 in loss()"),
    "at import": ("while True:\n    pass\n", "net.py:4"),
    "in backward": (IN_BACKWARD.format("time.sleep(100)"), "in backward()"),
    "that catches every exception": (
        "def loss():\n    while True:\n        try:\n            time.sleep(1)\n        except Exception:\n            pass\n",
        "in loss()",
    ),
}


@NEEDS_ALARMS
@pytest.mark.parametrize(
    "case", [case if case == "in forward" else pytest.param(case, marks=pytest.mark.slow) for case in ENDLESS]
)
def test_an_endless_program_is_stopped_and_its_line_is_told(case: str, tmp_path: Path) -> None:
    program, place = ENDLESS[case]
    message = refused(call(tmp_path, program, "--timeout", "4"), tmp_path, 1)
    assert "longer than 4 s" in message
    assert place in message


@NEEDS_ALARMS
@pytest.mark.slow
def test_a_program_that_catches_even_the_alarm_is_ended(tmp_path: Path) -> None:
    program = "def loss():\n    while True:\n        try:\n            time.sleep(1)\n        except BaseException:\n            pass\n"
    message = refused(call(tmp_path, program, "--timeout", "3", run=fresh_answer), tmp_path, 1)
    assert "longer than 3 s" in message


def test_what_a_program_prints_by_any_means_is_not_our_answer(tmp_path: Path) -> None:
    program = (
        "import subprocess\nprint('at import')\ndef loss():\n    print('python')\n    os.write(1, b'descriptor\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"process\")'])\n    return (w * w).sum()\n"
    )
    done = call(tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{os.path.join('outputs', 'net-loss-graph.svg')}\n"
    assert {"import", "python", "descriptor", "process"} <= set(done.stderr.split())
    alone = call(tmp_path, program, "-o", "-")
    assert alone.stdout.startswith("<svg")
    assert alone.stdout.endswith("</svg>\n")


CLOSING = "def loss():\n    sys.stdout.close()\n    sys.stderr.close()\n"
CLOSING_DESCRIPTORS = "def loss():\n    os.close(1)\n    os.close(2)\n"


@pytest.mark.parametrize("closing", [CLOSING, CLOSING_DESCRIPTORS], ids=["streams", "descriptors"])
def test_a_program_that_closes_stdout_and_stderr_closes_none_of_ours(closing: str, tmp_path: Path) -> None:
    done = call(tmp_path, f"{closing}    return (w * w).sum()\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{os.path.join('outputs', 'net-loss-graph.svg')}\n"
    assert os.listdir(tmp_path / "outputs") == ["net-loss-graph.svg"]
    explained = answer("explain", "net.py:loss", cwd=tmp_path)
    assert (explained.returncode, explained.stderr) == (0, "")
    assert explained.stdout.startswith("No finding: ")


@pytest.mark.parametrize("closing", [CLOSING, CLOSING_DESCRIPTORS], ids=["streams", "descriptors"])
def test_an_error_after_stderr_was_closed_is_told(closing: str, tmp_path: Path) -> None:
    message = refused(call(tmp_path, f"{closing}    raise ValueError('not today')\n"), tmp_path, 1)
    assert "ValueError: not today" in message


FORKING = """
def loss():
    child = os.fork()
    if child == 0:
        os.write(2, b"child\\n")
        {0}
    else:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(2, f"{{code}}\\n".encode())
    return (w * w).sum()
"""
FORKED = {
    "returns": ("pass", ["child", "0"]),
    "exits": ("sys.exit(3)", ["child", "3"]),
    "raises": (
        "raise ValueError('not today')",
        [
            "child",
            "a process that the program forked failed: net.py:9: ValueError: not today, while running loss",
            "1",
        ],
    ),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
@pytest.mark.parametrize("case", FORKED)
def test_a_child_that_the_program_forks_answers_nothing(case: str, tmp_path: Path) -> None:
    child, said = FORKED[case]
    (tmp_path / "net.py").write_text("import os, sys\nimport torch\n" + GOOD + FORKING.format(child))
    done = answer("explain", "net.py:loss", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()) == (0, said)
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("No finding: ")


def test_the_working_folder_is_put_back(tmp_path: Path) -> None:
    program = "os.mkdir('away')\nos.chdir('away')\ndef loss():\n    return (w * w).sum()\n"
    (tmp_path / "two.py").write_text(
        "import torch\ndef loss():\n    return torch.ones(2, requires_grad=True).sum()\n"
    )
    done = call(tmp_path, program, "two.py:loss", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["net-loss-graph.svg", "two-loss-graph.svg"]
    assert os.listdir(tmp_path / "away") == []


def test_a_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    program = (
        "os.mkdir('away')\nos.chdir('away')\nos.rmdir('../away')\ndef loss():\n    return (w * w).sum()\n"
    )
    done = call(tmp_path, program, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "out") == ["net-loss-graph.svg"]


THREADS = {
    "daemon": "threading.Thread(target=time.sleep, args=(300,), daemon=True).start()",
    "not a daemon": "threading.Thread(target=time.sleep, args=(300,)).start()",
    "an idle pool": "from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor(2).submit(int)",
}


@pytest.mark.slow
@pytest.mark.parametrize("case", THREADS)
@pytest.mark.parametrize("fails", [False, True], ids=["works", "fails"])
def test_threads_left_running_do_not_keep_the_command(case: str, fails: bool, tmp_path: Path) -> None:
    end = "raise ValueError('not today')" if fails else "return (w * w).sum()"
    start = time.monotonic()
    done = call(tmp_path, f"def loss():\n    {THREADS[case]}\n    {end}\n", run=fresh_answer)
    assert time.monotonic() - start < 100
    if fails:
        assert "not today" in refused(done, tmp_path, 1)
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{os.path.join('outputs', 'net-loss-graph.svg')}\n"


def test_os_exit_cannot_be_had_but_writes_nothing(tmp_path: Path) -> None:
    done = call(tmp_path, "def loss():\n    os._exit(7)\n")
    assert (done.returncode, done.stdout) == (7, "")
    assert sorted(os.listdir(tmp_path)) == ["net.py"]


WAITING = {
    "in forward": "def loss():\n    open('started', 'w').close()\n    time.sleep(100)\n",
    "in backward": IN_BACKWARD.format("open('started', 'w').close(); time.sleep(100)"),
    "that catches every exception": (
        "def loss():\n    open('started', 'w').close()\n    while True:\n        try:\n"
        "            time.sleep(100)\n        except Exception:\n            pass\n"
    ),
    "with a thread": (
        "def loss():\n    threading.Thread(target=time.sleep, args=(300,)).start()\n"
        "    open('started', 'w').close()\n    time.sleep(100)\n"
    ),
}


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.slow
@pytest.mark.parametrize("case", WAITING)
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_is_one_word_and_a_code_and_leaves_files_as_they_were(
    case: str, number: int, code: int, word: str, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text("import os, sys, threading, time\nimport torch\n" + GOOD + WAITING[case])
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "net-loss-graph.svg").write_text("what stood there")
    process = subprocess.Popen(
        command("render", "net.py:loss"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(number)
    answer, errors = process.communicate(timeout=60)
    assert (process.returncode, answer, errors) == (code, "", f"{word}\n")
    assert os.listdir(tmp_path / "outputs") == ["net-loss-graph.svg"]
    assert (tmp_path / "outputs" / "net-loss-graph.svg").read_text() == "what stood there"


@pytest.mark.parametrize("failure", ["raise RuntimeError('no luck')", "sys.exit(3)", "w.add_(1)"])
def test_an_error_of_the_program_is_told_once(tmp_path, failure):
    message = refused(call(tmp_path, f"def loss():\n    {failure}\n"), tmp_path, 1)
    assert message.startswith("error: net.py:5: ")
    assert "ProgramError" not in message
    assert "contextlib" not in message


def test_where_accumulation_cannot_be_followed_the_graph_can_be_drawn(tmp_path: Path) -> None:
    program = (
        "import warnings\nwarnings.simplefilter('ignore')\ns = torch.eye(2).to_sparse_csr().requires_grad_()\n"
        "def loss():\n    return (s @ torch.ones(2, 1)).sum()\n"
    )
    message = refused(call(tmp_path, program, "--view", "accumulation"), tmp_path, 1)
    assert "torch lets nobody put a .grad back on this leaf" in message
    assert call(tmp_path, program).returncode == 0
