"""What is said to people, on stderr."""

from __future__ import annotations

import os
from contextlib import suppress

import click

__all__ = ["printable", "report_error", "say"]

_LONGEST = 500


def report_error(message: str, hint: str = "") -> None:
    """``error: message`` and ``hint: …`` on stderr, a line each."""
    say(f"{_marked('error:', 'red')} {printable(message)}")
    if hint:
        say(f"{_marked('hint:', 'cyan')} {printable(hint)}")


def say(message: str) -> None:
    """A message for people, on stderr; what cannot be written there changes no exit code."""
    with suppress(OSError, ValueError):
        click.echo(message, err=True, color=_color())


def printable(text: str) -> str:
    """``text`` on one line, without control characters, and cut where nobody reads on.

    Names and messages come from programs: they must not clear a terminal or fill a screen.
    """
    line = "".join(mark if mark.isprintable() else _escaped(mark) for mark in text)
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST - 120]} … {line[-100:]}"
    return line


def _escaped(mark: str) -> str:
    return " " if mark in "\n\r\t" else mark.encode("unicode_escape").decode("ascii")


def _marked(word: str, color: str) -> str:
    return click.style(word, fg=color, bold=True)


def _color() -> bool | None:
    """No colour if the user asks for none (https://no-color.org); else click looks for a terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
