"""What a command answers: paths on stdout, JSON for programs, or the one file itself."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

import click

from autograd_tour.cli.common import say
from autograd_tour.errors import UsageError

__all__ = ["tell", "to_stdout"]


def to_stdout(files: Mapping[str, str | bytes]) -> None:
    """Write the only file to stdout.

    Raises:
        UsageError: there are several.
    """
    if len(files) != 1:
        raise UsageError(
            f"-o - writes one file, and this makes {len(files)}: {', '.join(files)}",
            "Choose one with -f and --view, for instance -f svg --view graph",
        )
    (content,) = files.values()
    sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    sys.stdout.flush()


def tell(paths: list[str], names: list[str], as_json: bool) -> None:
    """Say what was written: a path on each line, or JSON."""
    if as_json:
        click.echo(json.dumps({"targets": names, "written": paths}, indent=2))
        return
    for path in paths:
        click.echo(os.fsencode(path))
    picture = next((path for path in paths if path.endswith(".svg")), "")
    if picture and sys.stderr.isatty() and sys.stdout.isatty():
        say(f"\nOpen {picture} in a browser. What else there is: autograd-tour render --help")
