"""The command, or a script, in a process of its own: forked from one that has loaded torch, or a fresh one.

Loading torch takes longer than most commands do, so only a test of what a process loads, finds in its
environment, or leaves running starts a fresh one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from pkgutil import iter_modules
from select import select
from tempfile import TemporaryDirectory
from typing import Any

__all__ = [
    "FROZEN",
    "PRELOADED",
    "SERVER",
    "answer",
    "forked",
    "fresh_answer",
    "script_answer",
    "signalled",
    "signalled_answer",
    "terminal_answer",
]

SERVER = get_context("forkserver")
ROOT = Path(__file__).parents[1] / "autograd_tour"
ROOMS = (
    "checks",
    "cli",
    "formats",
    "formats.page",
    "formats.tour",
    "lessons",
    "lessons.tour",
    "questions",
    "reports",
    "views",
)
PRELOADED = [
    "torch",
    "torch._dynamo",  # an optimizer loads it
    "torch.fx.experimental.symbolic_shapes",  # and backward this
    "numpy.random",
    "autograd_tour.hosts.running",
    *(
        f"autograd_tour.{room}.{module.name}"
        for room in ROOMS
        for module in iter_modules([str(ROOT.joinpath(*room.split(".")))])
    ),
]
"""What a forked process need not load, beside the streams and the environment that are its own."""

FROZEN = "tests.frozen"
"""The module that the server loads last."""

SERVER.set_forkserver_preload([*PRELOADED, FROZEN])


def answer(
    *words: str, cwd: Path, timeout: float = 120, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Exit code, stdout and stderr of ``autograd-tour WORDS`` in the folder ``cwd``; stdin is empty."""
    work = _command if environment is None else partial(_command_in, environment)
    return forked(work, words, cwd, timeout)


def script_answer(
    code: str, *words: str, cwd: Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """The same of ``python -c CODE WORDS`` where torch is loaded by then, and much of the package."""
    return forked(_script, (code, *words), cwd, timeout)


def fresh_answer(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same from a process that has loaded nothing, with more in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "autograd_tour", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def forked(
    work: Callable[[tuple[str, ...]], None], words: tuple[str, ...], cwd: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Exit code, stdout and stderr of ``work(words)`` in a process where torch is loaded by then."""
    with TemporaryDirectory() as folder:
        process, *streams = _started(work, words, cwd, Path(folder))
        return _ended(process, words, streams, timeout)


def signalled_answer(
    *words: str, cwd: Path, number: int, file: str, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """The same of ``autograd-tour WORDS``, to which a signal is sent once it has made ``file``."""
    return signalled(_command, words, cwd, number, file, timeout)


def signalled(
    work: Callable[[tuple[str, ...]], None],
    words: tuple[str, ...],
    cwd: Path,
    number: int,
    file: str,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """The same of ``work(words)``."""
    with TemporaryDirectory() as folder:
        process, *streams = _started(partial(_interruptible, work), words, cwd, Path(folder))
        end = time.monotonic() + timeout
        while not (cwd / file).exists() and time.monotonic() < end and process.exitcode is None:
            time.sleep(0.05)
        os.kill(process.pid, number)
        return _ended(process, words, streams, timeout)


def terminal_answer(
    *words: str, cwd: Path, environment: dict[str, str], timeout: float = 120
) -> tuple[int, str, str]:
    """Exit code and stdout of ``autograd-tour WORDS`` with stderr on a terminal, and what the terminal got."""
    received = b""
    master, slave = os.openpty()
    with TemporaryDirectory() as folder, open(master, "rb", buffering=0) as terminal:
        work = partial(_command_in, environment)
        process, out, _ = _started(work, words, cwd, Path(folder), err=Path(os.ttyname(slave)))
        end = time.monotonic() + timeout
        while (process.exitcode is None and time.monotonic() < end) or select([terminal], [], [], 0)[0]:
            if select([terminal], [], [], 0.05)[0]:
                received += terminal.read(4096)
        os.close(slave)
        done = _ended(process, words, [out], 1)
    return done.returncode, done.stdout, received.decode()


def _started(
    work: Callable[[tuple[str, ...]], None],
    words: tuple[str, ...],
    cwd: Path,
    folder: Path,
    err: Path | None = None,
) -> tuple[Any, Path, Path]:
    out, err = folder / "out", err or folder / "err"
    process = SERVER.Process(target=_child, args=(work, words, str(cwd), str(out), str(err)))
    process.start()
    return process, out, err


def _ended(
    process: Any, words: tuple[str, ...], streams: list[Path], timeout: float
) -> subprocess.CompletedProcess[str]:
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(words, timeout)
    texts = [stream.read_text(encoding="utf-8") for stream in streams]
    return subprocess.CompletedProcess(words, process.exitcode, *texts)


def _child(
    work: Callable[[tuple[str, ...]], None], words: tuple[str, ...], cwd: str, out: str, err: str
) -> None:
    """What the forked process does: the streams and the folder of a command, then the work."""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (out, os.O_WRONLY | os.O_CREAT), (err, os.O_WRONLY | os.O_CREAT))
    ):
        os.dup2(os.open(path, flags), number)
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    work(words)


def _command(words: tuple[str, ...]) -> None:
    sys.argv[:] = ["autograd-tour", *words]

    from autograd_tour.cli import main

    main()


def _command_in(environment: dict[str, str], words: tuple[str, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    _command(words)


def _interruptible(work: Callable[[tuple[str, ...]], None], words: tuple[str, ...]) -> None:
    # Where the tests run in the background of a shell, Ctrl-C is ignored by all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work(words)


def _script(words: tuple[str, ...]) -> None:
    code, *arguments = words
    sys.argv[:] = ["-c", *arguments]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
