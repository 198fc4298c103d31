"""``autograd-tour render``: from a program or a saved trace to files."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autograd_tour.cli.common import TourCommand, say
from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autograd_tour.cli.targets import Drawn
    from autograd_tour.formats import Settings

__all__ = ["command"]

DEFAULT_TARGET = "thermometer"
DEFAULT_FOLDER = "outputs"


class _Keep(click.ParamType[Any]):
    """A number of elements, or ``all``."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all" or value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number < 0:
            self.fail(f"{value!r} is neither a number of elements nor 'all'", param, ctx)
        return number


def _finite(ctx: click.Context, parameter: click.Parameter, seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter("that is no number of seconds", ctx, parameter)
    return seconds


@click.command(
    "render",
    cls=TourCommand,
    examples=(
        ("autograd-tour render", "the thermometer, into outputs/"),
        ("autograd-tour render net.py:loss", "the function loss() in net.py"),
        ("autograd-tour render net.py:Net", "a torch.nn.Module with example() beside it"),
        ("autograd-tour render trace.json --theme dark", "a saved trace, without loading torch"),
        ("autograd-tour render -f svg --view graph -o - > graph.svg", "one picture, to stdout"),
        ("autograd-tour render net.py:loss --focus encoder.layers.3", "one module and what is around it"),
        ("autograd-tour render --all", "every built-in"),
    ),
)
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder for the files; - writes the only file to stdout.",
)
@click.option(
    "-f",
    "--format",
    "formats",
    metavar="FORMAT",
    multiple=True,
    help="svg, dot, json, txt, …; may be repeated. Default: svg, txt and json.",
)
@click.option(
    "--view",
    "views",
    metavar="VIEW",
    multiple=True,
    help="graph, chain, accumulation, torchviz, …; may be repeated. Default: the first three.",
)
@click.option(
    "--theme",
    type=click.Choice(["light", "dark", "auto"]),
    default="auto",
    show_default=True,
    help="auto follows the reader's browser.",
)
@click.option(
    "--direction",
    type=click.Choice(["LR", "TB"]),
    default="LR",
    show_default=True,
    help="LR for slides, TB for handouts.",
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
    type=_Keep(),
    default="16",
    show_default=True,
    help="Elements recorded of each tensor.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=60.0,
    callback=_finite,
    show_default=True,
    help="Time limit for one layout.",
)
@click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Fold a large graph to one screen: modules, repeated blocks, chains.",
)
@click.option(
    "--depth", metavar="N", type=click.IntRange(1, 1000), default=None, help="Fold modules at N levels."
)
@click.option(
    "--focus",
    metavar="NAME",
    default=None,
    help="Only this module, tensor, operation or node, and what is around it.",
)
@click.option("--all", "everything", is_flag=True, help="Render every built-in.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Do not say what was written.")
def command(
    targets: tuple[str, ...], output: str, everything: bool, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Draw what autograd did with a program: pictures, a report and the whole trace as JSON.

    TARGET is a built-in (thermometer, thermometer-params, training), file.py:name or
    package.module:name (a function without arguments that returns a loss, a torch.nn.Module with
    example() beside it, or a tensor), or a trace saved as .json; - reads a trace from stdin.
    """
    from autograd_tour.formats import Settings

    to_stdout = output == "-"
    if to_stdout and as_json:
        raise UsageError("-o - and --json both want stdout", "Leave one of them out")
    settings = Settings(**options)
    _check_names(settings)
    if settings.depth is not None and not settings.fold:
        raise UsageError("--depth folds modules, and --no-fold folds nothing", "Leave one of them out")
    # Absolute before any program runs, which may change the working folder.
    folder = Path(os.path.abspath(output))

    from autograd_tour.cli.targets import builtin_names, draw

    if everything:
        targets = (*builtin_names(), *targets)
    drawn = [draw(target, settings) for target in targets or (DEFAULT_TARGET,)]
    files = _together(drawn)
    for note in [note for one in drawn for note in one.notes]:
        say(f"note: {note}")
    if to_stdout:
        _to_stdout(files)
        return
    from autograd_tour.formats.write import write_all

    write_all(folder, files)
    if not quiet:
        _tell([str(Path(output) / name) for name in files], [one.name for one in drawn], as_json)


def _check_names(settings: Settings) -> None:
    """Refuse formats and views that do not exist, before anything is traced."""
    from autograd_tour import formats, views
    from autograd_tour.formats.base import ACCUMULATION
    from autograd_tour.registry import pick

    for name in settings.formats:
        pick("format", name, formats.registry())
    for name in settings.views:
        pick("view", name, [*views.registry(), ACCUMULATION])


def _together(drawn: list[Drawn]) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    owner: dict[str, str] = {}
    for one in drawn:
        for name, content in one.files.items():
            if name in files:
                raise UsageError(
                    f"{owner[name]} and {one.target} would both write {name}",
                    "Render them into two folders with -o",
                )
            files[name] = content
            owner[name] = one.target
    return files


def _to_stdout(files: Mapping[str, str | bytes]) -> None:
    if len(files) != 1:
        raise UsageError(
            f"-o - writes one file, and this makes {len(files)}: {', '.join(files)}",
            "Choose one with -f and --view, for instance -f svg --view graph",
        )
    (content,) = files.values()
    sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    sys.stdout.flush()


def _tell(paths: list[str], names: list[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"targets": names, "written": paths}, indent=2))
        return
    for path in paths:
        click.echo(os.fsencode(path))
    picture = next((path for path in paths if path.endswith(".svg")), "")
    if picture and sys.stderr.isatty() and sys.stdout.isatty():
        say(f"\nOpen {picture} in a browser. What else there is: autograd-tour render --help")
