"""What every subcommand shares: help with examples first, errors for people, exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import click

from autograd_tour.cli.status import status_line
from autograd_tour.errors import TourError, suggestion

__all__ = ["TourCommand", "TourGroup", "printable", "report_error", "say"]

_LONGEST = 500
_INTERRUPTED = 130
_DEBUG = "autograd_tour.debug"

Examples = Sequence[tuple[str, str]]


class _ExamplesFirst(click.Command):
    """Help that starts with what to type."""

    examples: Examples = ()

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_dl(list(self.examples), col_max=36)
        formatter.write_paragraph()
        super().format_help(ctx, formatter)


class TourCommand(_ExamplesFirst):
    """A subcommand: every error becomes one line on stderr and its exit code; ``--debug`` shows more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_note_debug,
                help="Show the traceback of an error.",
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors are told here, where the options are known."""
        try:
            with status_line(quiet=bool(ctx.params.get("quiet"))):
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, BrokenPipeError):
            raise
        except (KeyboardInterrupt, click.Abort):
            say("interrupted")
            ctx.exit(_INTERRUPTED)
        except TourError as error:
            _show_traceback(ctx, error)
            report_error(error.message, error.hint)
            ctx.exit(error.exit_code)
        except Exception as error:
            _show_traceback(ctx, error)
            report_error(
                f"autograd-tour itself failed: {type(error).__name__}: {error}",
                "The same command with --debug shows where; please report it with that",
            )
            ctx.exit(1)


class TourGroup(_ExamplesFirst, click.Group):
    """The command itself: click's own errors in the form of ours."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; always leaves with :class:`SystemExit` unless ``standalone_mode=False``."""
        run: Any = super().main  # overloaded by what it returns, which does not matter here
        if not kwargs.pop("standalone_mode", True):
            return run(*args, standalone_mode=False, **kwargs)
        try:
            code = run(*args, standalone_mode=False, **kwargs)
        except click.Abort:
            say("interrupted")
            sys.exit(_INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            say(error.format_message())
            sys.exit(error.exit_code)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context else "autograd-tour"
            report_error(
                error.format_message(), getattr(error, "hint", "") or f"{path} --help lists what there is"
            )
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)

    def no_such_command(self, ctx: click.Context, name: str, names: Iterable[str]) -> NoReturn:
        """Refuse ``name`` and tell what there is."""
        hint = suggestion(name, list(names))
        if ":" in name or name.endswith((".py", ".json")):
            hint = f"To draw it: {ctx.command_path} render {name}"
        error = click.UsageError(f"there is no command {name}", ctx)
        error.hint = printable(hint)  # type: ignore[attr-defined]
        raise error


def report_error(message: str, hint: str = "") -> None:
    """``error: message`` and ``hint: …`` on stderr, a line each."""
    click.echo(f"{_marked('error:', 'red')} {printable(message)}", err=True, color=_color())
    if hint:
        click.echo(f"{_marked('hint:', 'cyan')} {printable(hint)}", err=True, color=_color())


def say(message: str) -> None:
    """A message for people, on stderr."""
    click.echo(message, err=True)


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


def _note_debug(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    ctx.meta[_DEBUG] = wanted


def _show_traceback(ctx: click.Context, error: Exception) -> None:
    if ctx.meta.get(_DEBUG):
        say("".join(traceback.format_exception(error)).rstrip())
