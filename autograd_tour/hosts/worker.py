"""The process that runs the code of documents: ``python -m autograd_tour.hosts.worker``.

It loads torch once, then answers one job after the other. What the code prints goes to stderr, and it
finds no stdin; the build talks through descriptors that the code does not know. It outlives no build, in
whatever its code hangs.
"""

from __future__ import annotations

import os
import select
import signal
import warnings

from autograd_tour.hosts.protocol import Job, Ready, receive, send

__all__ = ["main"]


def main() -> None:
    """Answer until nobody asks any more."""
    _end_with_build()
    with os.fdopen(os.dup(0), "rb") as jobs, os.fdopen(os.dup(1), "wb") as answers:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        warnings.filterwarnings("ignore", message="Failed to initialize NumPy", category=UserWarning)
        import torch

        from autograd_tour.hosts.running import Runner

        runner = Runner()
        send(answers, Ready(str(torch.__version__)))
        while (job := receive(jobs, Job)) is not None:
            send(answers, runner.answer(job))


def _end_with_build() -> None:
    """End this process and all that it starts once the build is gone: a build that is killed ends nothing.

    A small process of its own waits for that, as code that hangs in C lets no thread run.
    """
    if not (hasattr(os, "fork") and hasattr(select, "poll")):
        return
    worker = os.getpid()
    if os.fork():
        return
    os.close(1)  # or the build would not hear that the worker is gone
    hangup = select.poll()
    hangup.register(0, 0)  # of what is written there it hears nothing
    hangup.poll()
    os.killpg(worker, signal.SIGKILL)


if __name__ == "__main__":
    main()
