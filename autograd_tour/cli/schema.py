"""``autograd-tour schema``: the form of a saved trace, for programs that write or read one."""

from __future__ import annotations

import click

from autograd_tour.cli.common import TourCommand, answer

__all__ = ["command"]


@click.command(
    "schema",
    cls=TourCommand,
    examples=(
        ("autograd-tour schema > trace.schema.json", "what a trace has to look like"),
        ("autograd-tour render mine.json", "draw a trace that another program wrote"),
    ),
)
def command() -> None:
    """Write the JSON Schema of saved traces to stdout.

    A program of any language that writes such a file has its graph drawn by autograd-tour render.
    """
    from autograd_tour.record.schema import schema_text

    answer(schema_text().rstrip("\n"))
