"""The options that choose what a picture shows; :mod:`autograd_tour.views.look` knows the words."""

from __future__ import annotations

import click

from autograd_tour.cli.options import Command, all_named, finite

__all__ = ["LOOK", "of_a_look"]

LOOK = ("show", "hide", "only", "compact", "math", "title", "caption", "mark")
"""The names of these options but --font-size, which is about the room of a picture."""


def of_a_look(command: Command) -> Command:
    """Rows and parts of the pictures, what is marked, and what stands above and below."""
    for option in reversed(
        (
            click.option(
                "--show",
                metavar="ROWS",
                multiple=True,
                help="Only these rows: value, shape, grad, rule, line, saved; with commas or repeated.",
            ),
            click.option(
                "--hide",
                metavar="CARDS",
                multiple=True,
                help="Leave out: constants, cuts, transposes, reshapes, copies. Arrows are joined.",
            ),
            click.option(
                "--only", type=click.Choice(["forward", "backward"]), default=None, help="One way alone."
            ),
            click.option("--compact", is_flag=True, help="No lines of code, saved tensors and remarks."),
            click.option("--math", is_flag=True, help="Rules on arrows as equations: ∂L/∂W = xᵀ · ∂L/∂y."),
            click.option("--title", metavar="TEXT", default=None, help="Stands above each picture."),
            click.option("--caption", metavar="TEXT", default=None, help="Stands below each picture."),
            click.option(
                "--mark",
                metavar="NAME",
                multiple=True,
                callback=all_named,
                help="A thick frame for this module, tensor, operation or node; may be repeated.",
            ),
            click.option(
                "--font-size",
                metavar="PX",
                type=click.FloatRange(1, 200),
                default=None,
                callback=finite,
                help="Size of most text, whatever size the picture becomes; not with --fit.",
            ),
        )
    ):
        command = option(command)
    return command
