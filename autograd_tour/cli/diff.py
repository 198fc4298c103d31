"""``autograd-tour diff``: what is different between two runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from autograd_tour.cli.common import TourCommand, check_stdout
from autograd_tour.cli.fitting import say_fits
from autograd_tour.cli.options import (
    Keep,
    ceiling_option,
    formats_option,
    in_a_room,
    named,
    output_option,
    theme_option,
    timeout_option,
)
from autograd_tour.cli.results import to_folder, to_stdout
from autograd_tour.cli.stderr import say
from autograd_tour.errors import UsageError
from autograd_tour.progress import doing

__all__ = ["command"]

DIFFERENT = 1


@click.command(
    "diff",
    cls=TourCommand,
    examples=(
        ("autograd-tour diff net.py:before net.py:after", "two functions of one file"),
        ("autograd-tour diff saved.json net.py:loss", "a saved trace and the program of today"),
        ("autograd-tour diff a.json b.json -f txt -o -", "the table alone, to stdout"),
        ("autograd-tour diff a.json b.json --exit-code", "for scripts: 1 if they differ"),
    ),
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@output_option("outputs")
@formats_option("svg, pdf, png, txt, json, dot; may be repeated. Default: svg and txt.")
@theme_option("auto follows the reader's browser; PDF and PNG are then light.")
@in_a_room
@click.option(
    "--scale",
    metavar="FACTOR",
    type=click.FloatRange(0.1, 10),
    default=2.0,
    show_default=True,
    help="Pixels of a PNG for each px of the picture.",
)
@click.option(
    "--engine", metavar="ENGINE", default=None, help="Layout engine; autograd-tour info lists what is there."
)
@click.option(
    "--keep",
    metavar="N|all",
    type=Keep(),
    default="16",
    show_default=True,
    help="Elements recorded of each tensor of a program.",
)
@ceiling_option("kept")
@timeout_option("a program, for drawing it (default: 600), and for one layout (default: 60)")
@click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Fold large graphs in the picture to one screen.",
)
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=None,
    help="Fold modules and functions at N levels.",
)
@click.option(
    "--focus",
    metavar="NAME",
    default=None,
    callback=named,
    help="In the picture only this module, tensor, operation or node.",
)
@click.option("--exit-code", "exit_code", is_flag=True, help="Leave with 1 if the two differ.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing: neither what is being done nor what was written."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    a: str,
    b: str,
    output: str,
    exit_code: bool,
    as_json: bool,
    quiet: bool,
    timeout: float | None,
    fit: str | None,
    width: float | None,
    min_text: float | None,
    **options: Any,
) -> None:
    """Tell two runs apart: what is added, gone or changed, as a picture and a table.

    A and B are what render takes: a built-in, file.py:name, or a trace saved as .json. Structure
    comes first, then values: forward results, gradients, and what .grad holds in the end.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS, limited
    from autograd_tour.drawing.room import fits, room_for
    from autograd_tour.formats import Settings
    from autograd_tour.formats.comparison import check_diff, files_of_diff

    if output == "-" and as_json:
        raise UsageError("-o - and --json both want stdout", "Leave one of them out")
    if a == b == "-":
        raise UsageError("two traces cannot both come from stdin", "Save one of them to a file")
    if output == "-" or not quiet:
        check_stdout()  # before a program runs for minutes
    options["room"] = room_for(fit, width, min_text)
    settings = Settings(**options) if timeout is None else Settings(**options, timeout=timeout)
    check_diff(settings.formats)
    seconds = PROGRAM_SECONDS if timeout is None else timeout
    folder = Path(os.path.abspath(output))

    from autograd_tour.cli.targets import find

    runs = [find(target, settings, seconds) for target in (a, b)]
    for note in [note for run in runs for note in run.notes]:
        say(f"note: {note}")
    from autograd_tour.views.diff import differs

    first, second = (run.trace.graph for run in runs)
    comparing = limited(seconds, f"comparing {runs[0].name} and {runs[1].name}")
    with fits() as results, doing("comparing"), comparing:
        files, compared = files_of_diff((runs[0].name, runs[1].name), first, second, settings)
        different = exit_code and differs(compared)
    say_fits(f"{runs[0].name} and {runs[1].name}", results, quiet=quiet)
    if output == "-":
        to_stdout(files)
    else:
        with doing("writing"):
            to_folder(folder, files, output, [run.name for run in runs], quiet=quiet, as_json=as_json)
    if different:
        ctx.exit(DIFFERENT)
