"""The command, or a script, in a process of its own: forked from one that has loaded torch, or a fresh one.

Loading torch takes longer than most commands do, so only a test of what a process loads, finds in its
environment, or leaves running starts a fresh one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["PRELOADED", "SERVER", "answer", "forked", "fresh_answer", "script_answer"]

SERVER = get_context("forkserver")
PRELOADED = [
    "torch",
    "autograd_tour.cli.targets",
    "autograd_tour.lessons.produce",
    "autograd_tour.views.diff",
    "autograd_tour.hosts.running",
]
SERVER.set_forkserver_preload(PRELOADED)


def answer(*words: str, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Exit code, stdout and stderr of ``autograd-tour WORDS`` in the folder ``cwd``; stdin is empty."""
    return forked(_command, words, cwd, timeout)


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
        streams = [os.path.join(folder, name) for name in ("out", "err")]
        process = SERVER.Process(target=_child, args=(work, words, str(cwd), *streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        out, err = (Path(stream).read_text(encoding="utf-8") for stream in streams)
    return subprocess.CompletedProcess(words, process.exitcode, out, err)


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


def _script(words: tuple[str, ...]) -> None:
    code, *arguments = words
    sys.argv[:] = ["-c", *arguments]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
