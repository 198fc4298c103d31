"""Costs of child processes, taken in turn: A B A B, so that a busy machine is busy for both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

__all__ = ["BenchmarkError", "Cost", "alternate", "middle", "run_command", "run_job"]

TIMEOUT = 1800.0
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(Exception):
    """A measured program failed or took far too long."""


@dataclass(frozen=True)
class Cost:
    """CPU and elapsed seconds, and the most memory the process held, in MB."""

    cpu: float
    elapsed: float
    peak: float


def run_command(command: Sequence[str], folder: Path, timeout: float = TIMEOUT) -> Cost:
    """The cost of a whole process and of all processes it started and waited for.

    Raises:
        BenchmarkError: it ended with an error, or took longer than ``timeout`` seconds.
    """
    cost, _ = _run(command, folder, timeout)
    return cost


def run_job(words: Sequence[str], folder: Path, timeout: float = TIMEOUT) -> list[Cost]:
    """What a job of :mod:`benchmarks.jobs` measured in a process of its own, without its preparation.

    One cost, or two of a job that has both sides in it.

    Raises:
        BenchmarkError: see :func:`run_command`.
    """
    whole, answer = _run([sys.executable, "-m", "benchmarks.jobs", *words], folder, timeout)
    try:
        told = json.loads(answer.splitlines()[-1])
        return [Cost(one["cpu"], one["elapsed"], whole.peak) for one in told]
    except (IndexError, KeyError, TypeError, ValueError):
        raise BenchmarkError(f"the job {' '.join(words)} did not say what it measured") from None


def _run(command: Sequence[str], folder: Path, timeout: float) -> tuple[Cost, str]:
    # One thread: threads that wait for work burn CPU time that is no work.
    surroundings = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    # What is installed has its bytecode: nobody waits for it again and again.
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)
    root = str(Path(__file__).resolve().parent.parent)
    surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=surroundings
        )
        status, usage = _wait(process, begun + timeout)
        elapsed = time.monotonic() - begun
        out.seek(0)
        err.seek(0)
        answer = out.read().decode(errors="replace")
        if status != 0:
            said = err.read().decode(errors="replace").strip().splitlines()
            reason = "took too long" if status is None else f"ended with {status}"
            raise BenchmarkError(f"{' '.join(map(str, command))} {reason}: {said[-1] if said else ''}")
    return Cost(usage[0], elapsed, usage[1] * _PEAK_UNIT / 1e6), answer


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int | None, tuple[float, float]]:
    """(exit code, (CPU seconds, peak)) of ``process``; no exit code if it had to be stopped."""
    late = False
    pause = 0.002
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            spent = usage.ru_utime + usage.ru_stime
            return None if late else process.returncode, (spent, float(usage.ru_maxrss))
        if not late and time.monotonic() > deadline:
            late = True
            process.kill()
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def alternate(
    ours: Callable[[], list[Cost]], peer: Callable[[], list[Cost]] | None, rounds: int
) -> tuple[list[Cost], list[Cost]]:
    """``rounds`` times ours, then the peer's (unless ours gives both): two lists of costs."""
    first: list[Cost] = []
    second: list[Cost] = []
    for _ in range(rounds):
        cost, *others = ours()
        first.append(cost)
        second += others if peer is None else peer()
    return first, second


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each number by itself."""
    return Cost(median(c.cpu for c in costs), median(c.elapsed for c in costs), median(c.peak for c in costs))
