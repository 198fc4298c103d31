"""Kinds of option values that several commands take."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["Keep", "finite", "named"]


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


def finite(ctx: click.Context, parameter: click.Parameter, seconds: float | None) -> float | None:
    """Seconds that end; click's own range lets ``nan`` pass."""
    if seconds is not None and not math.isfinite(seconds):
        raise click.BadParameter("that is no number of seconds", ctx, parameter)
    return seconds
