"""The worker as the build sees it: started when it is first needed, ended and started anew when it hangs."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import IO

from msgspec.structs import replace

from autograd_tour.hosts.outcome import Failure
from autograd_tour.hosts.protocol import Answer, Job, Ready, receive, send

__all__ = ["Worker"]

START = 180.0
"""Seconds in which torch must have been loaded."""
GRACE = 5.0
"""Seconds for a process that ends by itself to do so."""


class Worker:
    """One process that traces snippets. Used in a ``with`` block, at whose end it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._heard = 0  # so many bytes of them are of snippets before
        self._answers: queue.Queue[Answer | Ready | None] = queue.Queue()
        self._broken: Failure | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def answer(self, job: Job) -> Answer:
        """What the worker answers within the time that the snippet has; else a failure that says why."""
        snippet = job.snippet
        if self._broken is None and (self._process is None or self._process.poll() is not None):
            self._broken = self._start(snippet.file, snippet.line)
        if self._broken is not None:
            return Answer(failure=replace(self._broken, file=snippet.file, line=snippet.line))
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._errors is not None
        self._heard = os.fstat(self._errors.fileno()).st_size
        try:
            send(self._process.stdin, job)  # type: ignore[arg-type]
            answer = self._answers.get(timeout=snippet.timeout)
        except queue.Empty:
            self.end()
            message = f"the code ran longer than {snippet.timeout:g} s and was stopped"
            hint = "Allow more time, or trace a smaller step"
            return Answer(failure=Failure(snippet.file, snippet.line, message, hint, "timeout"))
        except OSError:
            answer = None
        if isinstance(answer, Answer):
            return answer
        self._wait()
        status, words = self.end()
        message = f"the code ended the process that ran it ({status})"
        hint = f"It said: {words}" if words else "Take the call that ends the program out of the block"
        return Answer(failure=Failure(snippet.file, snippet.line, message, hint))

    def _start(self, file: str, line: int) -> Failure | None:
        """Start the process; why that cannot be done."""
        self.end()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process runs
        self._heard = 0
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(item for item in sys.path if item)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autograd_tour.hosts.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,
        )
        self._answers = queue.Queue()
        for listen in (_read, _await):
            threading.Thread(target=listen, args=(self._process, self._answers), daemon=True).start()
        try:
            answer = self._answers.get(timeout=START)
        except queue.Empty:
            answer = None
        if isinstance(answer, Ready):
            return None
        self._wait()
        status, words = self.end()
        missing = "No module named 'torch'" in words
        message = "torch is not installed here" if missing else f"torch could not be loaded ({status})"
        hint = (
            "Install it, or build from committed records and run no code"
            if missing
            else words or "Run python -c 'import torch' to see why"
        )
        return Failure(file, line, message, hint, "missing")

    def _wait(self) -> None:
        """Let a process that has closed its pipe say why it ends."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(GRACE)

    def end(self) -> tuple[str, str]:
        """End the process and all that it started; how it ended, and the last line that it wrote."""
        process, self._process = self._process, None
        if process is None:
            return "", ""
        status = process.poll()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        words, code = self._last_words(), process.returncode if status is None else status
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return _status(code), words

    def _last_words(self) -> str:
        """The last line that the process wrote to stderr since it was last asked."""
        if self._errors is None:
            return ""
        with self._errors as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 4000, self._heard))
            lines = file.read().decode(errors="replace").strip().splitlines()
        self._errors = None
        return lines[-1].strip()[:300] if lines else ""


def _read(process: subprocess.Popen[bytes], answers: queue.Queue[Answer | Ready | None]) -> None:
    """Hand on what comes; at its end ``None``."""
    with contextlib.suppress(OSError, ValueError):
        while (message := receive(process.stdout, Ready | Answer)) is not None:  # type: ignore[arg-type]
            answers.put(message)
    answers.put(None)


def _await(process: subprocess.Popen[bytes], answers: queue.Queue[Answer | Ready | None]) -> None:
    """Hand on that the process ended: what its code forked off may hold the pipe open."""
    process.wait()
    answers.put(None)


def _status(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
