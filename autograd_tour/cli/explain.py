"""``autograd-tour explain``: what is wrong with the gradients of a program, with the line that caused it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograd_tour.cli.common import TourCommand, answer, check_stdout
from autograd_tour.cli.options import ceiling_option, timeout_option
from autograd_tour.cli.results import to_folder, to_stdout
from autograd_tour.cli.stderr import printable, say
from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from autograd_tour.cli.targets import Explained
    from autograd_tour.findings import Finding

__all__ = ["command"]

FAILING = {
    "error": ("error",),
    "warning": ("error", "warning"),
    "note": ("error", "warning", "note"),
    "never": (),
}
"""--fail-on -> the levels of findings with which the command leaves with 1."""


@click.command(
    "explain",
    cls=TourCommand,
    examples=(
        ("autograd-tour explain net.py:train", "what is wrong, the worst first"),
        ("autograd-tour explain net.py:train fc1.weight", "about this tensor only"),
        ("autograd-tour explain net.py:loss -f html", "as a document with pictures, into outputs/"),
        ("autograd-tour explain net.py:train --fail-on error", "leave with 1 for errors only"),
        ("autograd-tour explain trace.json", "what a saved trace shows, without loading torch"),
        ("autograd-tour explain net.py:train --json", "all of it, for programs"),
    ),
)
@click.argument("target", metavar="TARGET")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "-f",
    "--format",
    "formats",
    metavar="FORMAT",
    type=click.Choice(["html", "md", "svg"]),
    multiple=True,
    help="Write html, md or svg (a picture for each finding with a node); may be repeated.",
)
@click.option(
    "-o", "--output", metavar="DIR", default="outputs", show_default=True,
    help="Folder for the files of -f; - writes the only file to stdout.",
)  # fmt: skip
@click.option(
    "--fail-on",
    type=click.Choice(list(FAILING)),
    default="warning",
    show_default=True,
    help="Leave with 1 if there is a finding of this level or a worse one.",
)
@ceiling_option("kept")
@timeout_option("the program, and for drawing (default: 600)")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    target: str,
    name: str | None,
    formats: tuple[str, ...],
    output: str,
    fail_on: str,
    ceiling: int,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Say why a gradient is None, zero, NaN, doubled, wrong, or an error, with the line that caused it.

    TARGET is what render takes. A program is followed in one run, also where it fails: torch's error is told
    with the lines that led to it. Each finding has what was seen, the guilty lines, why, and what to write
    instead. Where backward keeps a megabyte or more in memory, the last lines say which lines keep it.
    Leaves with 0 if there is no finding of the level of --fail-on, else with 1.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS
    from autograd_tour.cli.targets import explained

    if as_json and formats:
        raise UsageError("--json and -f both say how to answer", "Leave one of them out")
    check_stdout()  # before a program runs for minutes
    folder = Path(os.path.abspath(output))
    seconds = PROGRAM_SECONDS if timeout is None else timeout
    explanation = explained(target, seconds, ceiling)
    chosen = explanation.findings if name is None else _about(explanation, name)
    for note in explanation.notes:
        say(f"note: {note}")
    if as_json:
        from msgspec import to_builtins

        parts = {
            "target": target,
            "findings": to_builtins(chosen),
            "memory": to_builtins(_memory(explanation)),
        }
        answer(json.dumps(parts, indent=2, ensure_ascii=False))
    elif formats:
        files = _files(explanation, chosen, formats)
        if output == "-":
            to_stdout(files)
        else:
            to_folder(folder, files, output, [explanation.name], quiet=False, as_json=False)
    else:
        from autograd_tour.formats.explanation import terminal

        for line in terminal(chosen, explanation.graphs if name is None else ()):
            answer(printable(line))
    if any(finding.level in FAILING[fail_on] for finding in chosen):
        ctx.exit(1)


def _memory(explanation: Explained) -> dict[str, object]:
    """What the graph that keeps most keeps until its backward."""
    from autograd_tour.views.kept import by_line, by_module, largest

    graph = largest(explanation.graphs)
    kept = graph.memory.bytes_of("graph") if graph.memory is not None else 0
    return {"kept": kept, "lines": by_line(graph), "modules": by_module(graph)}


def _about(explanation: Explained, name: str) -> tuple[Finding, ...]:
    """The findings about the tensor, module or node called ``name``."""
    from autograd_tour.findings import about

    return about(explanation.findings, explanation.graphs, name)


def _files(
    explanation: Explained, findings: tuple[Finding, ...], formats: tuple[str, ...]
) -> dict[str, str | bytes]:
    from autograd_tour.formats.explanation import depth_picture, document, markdown, picture

    stem = f"{explanation.name}-explain"
    files: dict[str, str | bytes] = {}
    for form in dict.fromkeys(formats):
        if form == "md":
            files[f"{stem}.md"] = markdown(explanation.name, findings, explanation.graphs)
        elif form == "html":
            files[f"{stem}.html"] = document(explanation.name, findings, explanation.graphs)
        else:
            for n, item in enumerate(findings, 1):
                drawn = {"": picture(item, explanation.graphs), "-depth": depth_picture(item)}
                files |= {
                    f"{stem}-{n}-{item.kind}{what}.svg": content for what, content in drawn.items() if content
                }
    if not files:
        raise UsageError(
            "there is no finding with a node to mark, so there is no picture",
            "-f md and -f html write what there is",
        )
    return files
