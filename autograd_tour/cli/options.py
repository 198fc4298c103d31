"""Kinds of option values that several commands take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = [
    "Keep",
    "all_named",
    "ceiling_option",
    "finite",
    "in_a_room",
    "named",
    "set_option",
    "timeout_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])


class Keep(click.ParamType[Any]):
    """A number of elements, or ``all``."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """``None`` for ``all``."""
        if value == "all" or value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number < 0:
            self.fail(f"{value!r} is neither a number of elements nor 'all'", param, ctx)
        return number


def named(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """A name that is there: an empty variable of a shell names nothing."""
    if name is not None and not name.strip():
        raise click.BadParameter("that is no name", ctx, parameter)
    return name


def all_named(ctx: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """The same for an option that may be repeated."""
    for name in names:
        named(ctx, parameter, name)
    return names


def finite(ctx: click.Context, parameter: click.Parameter, seconds: float | None) -> float | None:
    """Seconds that end, or px; click's own range lets ``nan`` pass."""
    if seconds is not None and not math.isfinite(seconds):
        unit = "seconds" if parameter.metavar == "SECONDS" else "px"
        raise click.BadParameter(f"that is no number of {unit}", ctx, parameter)
    return seconds


def output_option(default: str) -> Callable[[Command], Command]:
    """``-o``, the folder that files go into."""
    return click.option(
        "-o",
        "--output",
        metavar="DIR",
        default=default,
        show_default=True,
        help="Folder for the files, a link is followed; - writes the only file to stdout.",
    )


def formats_option(which: str) -> Callable[[Command], Command]:
    """``-f``, as often as one likes; ``which`` says which there are and which are usual."""
    return click.option("-f", "--format", "formats", metavar="FORMAT", multiple=True, help=which)


def theme_option(about: str) -> Callable[[Command], Command]:
    """``--theme``; ``about`` says what ``auto`` does."""
    return click.option(
        "--theme", type=click.Choice(["light", "dark", "auto"]), default="auto", show_default=True, help=about
    )


def timeout_option(what: str) -> Callable[[Command], Command]:
    """``--timeout``, which limits ``what``."""
    return click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(0, 86_400, min_open=True),
        default=None,
        callback=finite,
        help=f"Time limit for {what}.",
    )


def set_option(command: Command) -> Command:
    """``--set``: other numbers for the tensors of a program."""
    return click.option(
        "--set",
        "given",
        metavar="NAME=NUMBERS",
        multiple=True,
        help="Other numbers for a tensor of the program, by name: --set w=2, --set 'fc.bias=1, 0.5'; torch "
        "runs anew. May be repeated.",
    )(command)


def ceiling_option(kept: str) -> Callable[[Command], Command]:
    """``--ceiling``, beyond which of each tensor a few elements are ``kept`` or compared."""
    return click.option(
        "--ceiling",
        metavar="MB",
        type=click.IntRange(1, 1_000_000),
        default=256,
        show_default=True,
        help=f"Memory for all recorded elements; beyond it a few of each tensor are {kept}.",
    )


def in_a_room(command: Command) -> Command:
    """The options that say which way a picture runs and what it is made to fit."""
    for option in reversed(
        (
            click.option(
                "--direction",
                type=click.Choice(["auto", "LR", "TB"]),
                default="auto",
                show_default=True,
                help="LR from left to right, TB from top to bottom; auto: LR where that fits (1280 px, or "
                "the room of --fit or --width), else whichever makes text larger; an outline runs TB.",
            ),
            click.option(
                "--fit",
                metavar="ROOM",
                default=None,
                callback=named,
                help="Make pictures for a room: 16:9 (1280x720), 4:3, a4, a4-landscape, or a size in px.",
            ),
            click.option(
                "--width",
                metavar="PX",
                type=click.FloatRange(100, 20_000),
                default=None,
                callback=finite,
                help="Make pictures for a column of text, as tall as they need.",
            ),
            click.option(
                "--min-text",
                metavar="PX",
                type=click.FloatRange(1, 200),
                default=None,
                callback=finite,
                help="Text that --fit or --width is to reach. Default: 18 on a slide, 12 (9 pt) on paper, "
                "11 in a column.",
            ),
        )
    ):
        command = option(command)
    return command
