"""The command ``autograd-tour``. One file per subcommand, read only when it is used.

Nothing is imported here that takes time: whoever ends the command while click or torch is being loaded gets
one line, not a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from autograd_tour.cli.signals import INTERRUPTED, Terminated, end_with, heed_sigterm

__all__ = ["main"]


def main() -> None:
    """Run the command; leaves with its exit code, whatever threads a program left running."""
    try:
        heed_sigterm()
        _fill_closed_descriptors()
        from autograd_tour.cli.group import cli

        cli(prog_name="autograd-tour")
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        code = _stopped("interrupted", INTERRUPTED)
    except Terminated as request:
        code = _stopped(request.word, request.exit_code)
    else:
        code = 0
    _leave(code)


def _stopped(word: str, code: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"{word}\n")
    return code


def _leave(code: int) -> None:
    """All is said: a signal from now on ends the process without another word."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                signal.signal(number, signal.SIG_DFL)
    others = [thread for thread in threading.enumerate() if not thread.daemon] != [threading.main_thread()]
    # Python itself may remember a Ctrl-C that came in an exec(), and then leaves with another code than ours.
    if others or code == INTERRUPTED:
        end_with(code)
    raise SystemExit(code)


def _fill_closed_descriptors() -> None:
    """A file that is opened must not get the number of a closed stdout: what is printed would go into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
