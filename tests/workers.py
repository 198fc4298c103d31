"""The worker of a build, forked from a process that has loaded torch, in place of one that loads it anew."""

from __future__ import annotations

import math
import os
import subprocess
import threading
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import IO, Any

from tests.commands import SERVER

__all__ = ["forked_in_place"]


def forked_in_place(*, of_this_process: bool = False) -> SimpleNamespace:
    """What ``autograd_tour.hosts.process`` calls ``subprocess``: its worker is a fork of the server of
    ``tests/commands.py``, or of this process, which has loaded torch by then.
    """

    def started(command: list[str], **keywords: Any) -> _Forked:
        assert command[1:] == ["-m", "autograd_tour.hosts.worker"]
        return _Forked(get_context("fork") if of_this_process else SERVER, **keywords)

    return SimpleNamespace(PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired, Popen=started)


class _Forked:
    """The part of ``subprocess.Popen`` that is used."""

    def __init__(
        self,
        context: Any,
        *,
        stdin: int,
        stdout: int,
        stderr: IO[bytes],
        env: dict[str, str],
        start_new_session: bool,
    ) -> None:
        assert (stdin, stdout, start_new_session) == (subprocess.PIPE, subprocess.PIPE, True)
        (jobs, to_jobs), (from_answers, answers) = os.pipe(), os.pipe()
        streams = Connection(jobs), Connection(answers), Connection(os.dup(stderr.fileno()))
        ours = (to_jobs, from_answers) if context.get_start_method() == "fork" else ()
        self._process = context.Process(target=_child, args=(streams, ours, env))
        self._process.start()
        self._lock = threading.Lock()
        for stream in streams:
            stream.close()
        self.pid = self._process.pid
        self.stdin, self.stdout = os.fdopen(to_jobs, "wb"), os.fdopen(from_answers, "rb")

    @property
    def returncode(self) -> int | None:
        with self._lock:  # how it ended can be read once, and two threads ask
            return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = math.inf) -> int:
        end = time.monotonic() + timeout
        while (code := self.returncode) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("the worker", timeout)
            time.sleep(0.02)  # its streams may be held open by what it started
        return code

    def kill(self) -> None:
        self._process.kill()


def _child(streams: tuple[Connection, ...], other_ends: tuple[int, ...], environment: dict[str, str]) -> None:
    """What the forked process does: a session, streams and an environment of its own, then the work."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    for end in other_ends:
        os.close(end)
    os.environ.clear()
    os.environ.update(environment)

    from autograd_tour.hosts.worker import main

    main()
