"""``autograd-tour tour``: the stops on autograd as a site, or in another form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograd_tour.cli.common import TourCommand, check_stdout
from autograd_tour.cli.options import formats_option, output_option, theme_option, timeout_option
from autograd_tour.cli.results import to_folder, to_stdout
from autograd_tour.cli.stderr import say
from autograd_tour.progress import doing

if TYPE_CHECKING:
    from autograd_tour.drawing.theme import ThemeName

__all__ = ["command"]

DEFAULT_FOLDER = "tour"


@click.command(
    "tour",
    cls=TourCommand,
    examples=(
        ("autograd-tour tour", "all stops as a site, into tour/: open tour/index.html"),
        ("autograd-tour tour 6 7 -o class", "two stops, into class/"),
        ("autograd-tour tour -f ipynb", "as notebooks"),
        ("autograd-tour tour -f md -f pdf", "as Markdown with pictures, and as a handout"),
        (
            "autograd-tour tour -f slides -f handouts -o class",
            "for a lecture: slides, sheets, answers",
        ),
        ("autograd-tour tour accumulation -f txt -o -", "one stop as text, to stdout"),
        ("autograd-tour lessons", "what stops there are"),
    ),
)
@click.argument("stops", metavar="[STOP]...", nargs=-1)
@output_option(DEFAULT_FOLDER)
@formats_option("html, md, ipynb, txt, pdf, slides or handouts; may be repeated. Default: html.")
@theme_option("How the site looks at first; auto follows the reader's browser.")
@timeout_option("the whole tour (default: 600)")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing: neither what is being done nor what was written."
)
def command(
    stops: tuple[str, ...],
    output: str,
    formats: tuple[str, ...],
    theme: ThemeName,
    timeout: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the tour of autograd: stops with code, predictions, feedback and pictures.

    STOP is a number or a name that autograd-tour lessons lists; without one it is all of them. What stands
    in DIR already and would be the same is not made again.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS, limited, stdout_to_stderr
    from autograd_tour.errors import UsageError
    from autograd_tour.formats.tour.forms import PAPER, SLIDES, check_forms, tour_files
    from autograd_tour.formats.tour.unchanged import fingerprint, receipt, standing

    if output == "-" and as_json:
        raise UsageError("-o - and --json both want stdout", "Leave one of them out")
    if output == "-" or not quiet:
        check_stdout()  # before the stops run
    forms = check_forms(formats)
    folder = Path(os.path.abspath(output))
    mark = fingerprint(stops, forms, theme)
    names = standing(folder, mark) if output != "-" else None
    if names is not None:
        to_folder(folder, {}, output, list(stops), quiet=quiet, as_json=as_json, standing=names)
        if not quiet:
            say(f"nothing has changed: the tour in {output} is up to date")
        return
    from autograd_tour.cli.targets import chosen_stops

    seconds = PROGRAM_SECONDS if timeout is None else timeout
    wanted = chosen_stops(stops)
    from autograd_tour.lessons.tour.telling import told_tour

    with stdout_to_stderr(), limited(seconds, "making the tour", "Name fewer stops, or allow more time"):
        tour = told_tour(wanted, slides=SLIDES in forms, paper=not PAPER.isdisjoint(forms))
        files = tour_files(tour, forms, theme)
    if output == "-":
        to_stdout(files)
        return
    with doing("writing"):
        to_folder(folder, files | receipt(files, mark), output, list(stops), quiet=quiet, as_json=as_json)
