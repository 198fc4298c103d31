"""``autograd-tour render``: from a program or a saved trace to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autograd_tour.cli.common import TourCommand, check_stdout
from autograd_tour.cli.fitting import say_fits
from autograd_tour.cli.looks import LOOK, of_a_look
from autograd_tour.cli.options import (
    Keep,
    all_named,
    ceiling_option,
    formats_option,
    in_a_room,
    named,
    output_option,
    set_option,
    theme_option,
    timeout_option,
)
from autograd_tour.cli.results import to_folder, to_stdout
from autograd_tour.cli.stderr import say
from autograd_tour.errors import UsageError
from autograd_tour.progress import doing

if TYPE_CHECKING:
    from autograd_tour.cli.targets import Drawn
    from autograd_tour.formats import Settings
    from autograd_tour.views.picture import PictureSize

__all__ = ["command"]

DEFAULT_TARGET = "thermometer"
DEFAULT_FOLDER = "outputs"


@click.command(
    "render",
    cls=TourCommand,
    examples=(
        ("autograd-tour render", "the thermometer, into outputs/"),
        ("autograd-tour render net.py:loss", "the function loss() in net.py"),
        ("autograd-tour render net.py:Net", "a torch.nn.Module with example() beside it"),
        ("autograd-tour render trace.json --theme dark", "a saved trace, without loading torch"),
        ("autograd-tour render -f svg --view graph -o - > graph.svg", "one picture, to stdout"),
        ("autograd-tour render net.py:loss -f png --fit 16:9", "for a slide of 1280 × 720 px"),
        ("autograd-tour render net.py:loss -f pdf --fit a4", "for a sheet of paper"),
        ("autograd-tour render net.py:loss --focus encoder.layers.3", "one module and what is around it"),
        ("autograd-tour render net.py:loss --open 'lstm_cell[2]'", "one folded card opened, in a frame"),
        ("autograd-tour render net.py:loss --show value,grad --mark fc1", "few rows, one card marked"),
        ("autograd-tour render net.py:loss --view memory", "what backward keeps in memory, by line"),
        ("autograd-tour render --set w=2", "the thermometer with another w"),
        ("autograd-tour render --all", "every built-in"),
    ),
)
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@output_option(DEFAULT_FOLDER)
@formats_option("svg, pdf, png, dot, json, txt, …; may be repeated. Default: svg, txt and json.")
@click.option(
    "--view",
    "views",
    metavar="VIEW",
    multiple=True,
    help="graph, chain, accumulation, run, outline, torchviz, …; may be repeated. Default: the first four, "
    "run only of a program that trains.",
)
@set_option
@theme_option("auto follows the reader's browser; PDF, PNG and frames are then light.")
@in_a_room
@of_a_look
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
    "--calls",
    metavar="N",
    type=click.IntRange(1, 100),
    default=4,
    show_default=True,
    help="Backward calls in the picture of accumulation.",
)
@click.option(
    "--keep",
    metavar="N|all",
    type=Keep(),
    default="16",
    show_default=True,
    help="Elements recorded of each tensor.",
)
@ceiling_option("kept")
@timeout_option("a program, for drawing it (default: 600), and for one layout (default: 60)")
@click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Fold a large graph to one screen: modules, repeated blocks, chains.",
)
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=None,
    help="Fold modules and functions at N levels.",
)
@click.option(
    "--open",
    "opened",
    metavar="NAME",
    multiple=True,
    callback=all_named,
    help="Leave this module, call of a function (lstm_cell[2]) or card open; may be repeated.",
)
@click.option(
    "--focus",
    metavar="NAME",
    default=None,
    callback=named,
    help="Only this module, tensor, operation or node, and what is around it.",
)
@click.option("--all", "everything", is_flag=True, help="Render every built-in.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written, and how large it is, as JSON.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing: neither what is being done nor what was written."
)
def command(
    targets: tuple[str, ...],
    output: str,
    everything: bool,
    as_json: bool,
    quiet: bool,
    timeout: float | None,
    fit: str | None,
    width: float | None,
    min_text: float | None,
    font_size: float | None,
    opened: tuple[str, ...],
    given: tuple[str, ...],
    **options: Any,
) -> None:
    """Draw what autograd did with a program: pictures, a report and the whole trace as JSON.

    TARGET is a built-in (thermometer, thermometer-params, training), file.py:name or
    package.module:name (a function without arguments that returns a loss, a torch.nn.Module with
    example() beside it, a tensor, or __main__ for all of a script), or a trace saved as .json;
    - reads a trace from stdin.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS
    from autograd_tour.drawing.extents import picture_sizes
    from autograd_tour.drawing.room import fits, room_for
    from autograd_tour.formats import Settings
    from autograd_tour.views.look import look_for

    if output == "-" and as_json:
        raise UsageError("-o - and --json both want stdout", "Leave one of them out")
    if output == "-" or not quiet:
        check_stdout()  # before a program runs for minutes
    options["room"] = room_for(fit, width, min_text, font_size)
    options["open"] = opened
    options["look"] = look_for(**{name: options.pop(name) for name in LOOK})
    settings = Settings(**options) if timeout is None else Settings(**options, timeout=timeout)
    seconds = PROGRAM_SECONDS if timeout is None else timeout
    _check_names(settings)
    if settings.depth is not None and not settings.fold:
        raise UsageError("--depth folds modules, and --no-fold folds nothing", "Leave one of them out")
    if settings.open and not settings.fold:
        raise UsageError("--open opens what is folded, and --no-fold folds nothing", "Leave one of them out")
    if settings.open and settings.focus is not None:
        raise UsageError("--focus shows one part, and --open opens one of all", "Leave one of them out")
    # Absolute before any program runs, which may change the working folder.
    folder = Path(os.path.abspath(output))

    from autograd_tour.cli.targets import builtin_names, draw

    if everything:
        targets = (*builtin_names(), *targets)
    drawn: list[Drawn] = []
    pictures: list[tuple[str, PictureSize]] = []
    for target in targets or (DEFAULT_TARGET,):
        with fits() as results, picture_sizes() as sizes:
            drawn.append(draw(target, settings, seconds, given))
        pictures += [(drawn[-1].name, size) for size in sizes]
        say_fits(drawn[-1].name, results, quiet=quiet)
    files = _together(drawn)
    for note in [note for drawing in drawn for note in drawing.notes]:
        say(f"note: {note}")
    for line in [line for drawing in drawn for line in drawing.strip if not quiet]:
        say(line)
    if output == "-":
        to_stdout(files)
        return
    names = [drawing.name for drawing in drawn]
    with doing("writing"):
        to_folder(folder, files, output, names, quiet=quiet, as_json=as_json, pictures=pictures)


def _check_names(settings: Settings) -> None:
    """Refuse formats and views that cannot be had, before anything is traced."""
    from autograd_tour import formats
    from autograd_tour.formats.base import check_look, pick_view

    formats.check(settings.formats)
    for name in settings.views:
        pick_view(name)
    check_look(settings)


def _together(drawn: list[Drawn]) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    owner: dict[str, str] = {}
    for drawing in drawn:
        for name, content in drawing.files.items():
            if name in files:
                raise UsageError(
                    f"{owner[name]} and {drawing.target} would both write {name}",
                    "Render them into two folders with -o",
                )
            files[name] = content
            owner[name] = drawing.target
    return files
