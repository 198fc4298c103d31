"""``autograd-tour verify``: a record against torchviz, torch without us, differences, and its own sums."""

from __future__ import annotations

import json

import click

from autograd_tour.cli.common import TourCommand
from autograd_tour.cli.options import ceiling_option, timeout_option
from autograd_tour.cli.stderr import printable, say

__all__ = ["DIFFERS", "command"]

DIFFERS = 5
"""Exit code if a check differs."""


@click.command(
    "verify",
    cls=TourCommand,
    examples=(
        ("autograd-tour verify thermometer", "a built-in"),
        ("autograd-tour verify net.py:loss", "the function loss() in net.py"),
        ("autograd-tour verify train.py:__main__", "a script that trains, against itself run alone"),
        ("autograd-tour verify trace.json", "the sums of a saved trace, without loading torch"),
        ("autograd-tour verify net.py:loss --elements 1000", "move more elements of the leaves"),
        ("autograd-tour verify net.py:loss --json", "all figures, for programs"),
    ),
)
@click.argument("target", metavar="TARGET")
@click.option(
    "--elements",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Elements of the leaves that are moved one at a time; the program runs twice for each.",
)
@ceiling_option("compared")
@timeout_option("all runs of a program together (default: 600)")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def command(
    ctx: click.Context, /, target: str, elements: int, ceiling: int, timeout: float | None, as_json: bool
) -> None:
    """Hold the record of a program against everything that does not depend on it.

    torchviz: its nodes and edges. autograd: the gradients of all leaves, bit for bit those of
    torch.autograd.grad in a run that nobody listens to. differences: backward against differences of
    the loss in float64. sums: what was sent adds up to what was received, and .grad to what it
    became. A program that trains has run: its losses, .grad and values after steps, bit for bit those of
    the program alone; and torchviz and sums of its graphs. A line each: ok, differs, or skipped with the
    reason. Leaves with 5 if one differs.

    TARGET is what render takes. Of a saved trace only the sums can be checked.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS
    from autograd_tour.cli.targets import verified

    result = verified(target, PROGRAM_SECONDS if timeout is None else timeout, elements, ceiling)
    for note in result.notes:
        say(f"note: {note}")
    if as_json:
        from msgspec import to_builtins

        answer = {"target": target, "holds": result.verification.holds, **to_builtins(result.verification)}
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        from autograd_tour.reports.verification import lines

        for line in lines(result.verification):
            click.echo(printable(line))
    if not result.verification.holds:
        ctx.exit(DIFFERS)
