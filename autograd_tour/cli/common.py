"""What every subcommand shares: help with examples first, errors for people, exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from autograd_tour.cli.signals import Interrupted, Terminated
from autograd_tour.cli.status import status_line
from autograd_tour.cli.stderr import printable, report_error, say
from autograd_tour.errors import TourError, UsageError, message_of, suggestion

__all__ = [
    "TourCommand",
    "TourGroup",
    "answer",
    "check_stdout",
    "give_up_stdout",
    "writing_stdout",
]

_DEBUG = "autograd_tour.debug"
_ELSEWHERE = "Send it to a file or a pipe that can be written; with -q render and diff print nothing"

Examples = Sequence[tuple[str, str]]


class _ExamplesFirst(click.Command):
    """Help that starts with what to type."""

    examples: Examples = ()

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As in click, which may print the help here."""
        with writing_stdout():
            return super().make_context(*args, **kwargs)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        check_stdout()
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
        except (click.exceptions.Exit, click.ClickException, BrokenPipeError, SystemExit):
            raise
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted from None
        except (Interrupted, Terminated):
            raise
        except TourError as error:
            _show_traceback(ctx, error)
            report_error(error.message, error.hint)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                _report_own(ctx, error)
            report_error(
                "torch is not installed here, and to trace a program takes it",
                "pip install torch; a trace that was saved is drawn without: autograd-tour render trace.json",
            )
            ctx.exit(1)
        except BaseException as error:  # a library written in Rust may panic with one
            _report_own(ctx, error)


def _report_own(ctx: click.Context, error: BaseException) -> NoReturn:
    """An error that should not be: say so, and leave."""
    _show_traceback(ctx, error)
    report_error(
        f"autograd-tour itself failed: {type(error).__name__}: {message_of(error)}",
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
        except (Interrupted, Terminated) as request:
            say(request.word)
            sys.exit(request.exit_code)
        except TourError as error:  # of stdout, before there was a command
            report_error(error.message, error.hint)
            sys.exit(error.exit_code)
        except click.Abort:
            say(Interrupted.word)
            sys.exit(Interrupted.exit_code)
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

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As in click; Ctrl-C is told before click prints an empty line for it."""
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted from None

    def invoke(self, ctx: click.Context) -> Any:
        """As in click, which imports the subcommand here; see :meth:`make_context`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None

    def no_such_command(self, ctx: click.Context, name: str, names: Iterable[str]) -> NoReturn:
        """Refuse ``name`` and tell what there is."""
        hint = suggestion(name, list(names))
        if ":" in name or name.endswith((".py", ".json")):
            hint = f"To draw it: {ctx.command_path} render {name}"
        error = click.UsageError(f"there is no command {name}", ctx)
        error.hint = printable(hint)  # type: ignore[attr-defined]
        raise error


def answer(text: str | bytes) -> None:
    """A line of what was asked for, on stdout.

    Raises:
        UsageError: it cannot be written.
    """
    check_stdout()
    with writing_stdout():
        click.echo(text)


def check_stdout() -> None:
    """Nothing, if there is a stdout.

    Raises:
        UsageError: it is closed.
    """
    if sys.stdout is None:
        raise UsageError("stdout is closed, and the answer goes there", _ELSEWHERE)


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Write to stdout in here. A reader who has left is no error of ours, and click knows what to do then.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise UsageError(f"cannot write to stdout: {error.strerror or error}", _ELSEWHERE) from error


def give_up_stdout() -> None:
    """What is still to be written there goes nowhere, so that nothing fails once more at the end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _note_debug(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    ctx.meta[_DEBUG] = wanted


def _show_traceback(ctx: click.Context, error: BaseException) -> None:
    if ctx.meta.get(_DEBUG):
        say("".join(traceback.format_exception(error)).rstrip())
