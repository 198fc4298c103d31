"""``autograd-tour lesson``: one stop of the tour, told in the terminal."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from autograd_tour.cli.common import TourCommand, answer, check_stdout, writing_stdout
from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from autograd_tour.formats.tour.content import StopContent

__all__ = ["command"]


@click.command(
    "lesson",
    cls=TourCommand,
    examples=(
        ("autograd-tour lesson 6", "by its number"),
        ("autograd-tour lesson accumulation", "by its name"),
        ("autograd-tour lesson 6 | less", "all of it at once, with the answers at the end"),
    ),
)
@click.argument("stop", metavar="STOP")
@click.option("--ask/--no-ask", default=None, help="Wait for answers. Default: if this is a terminal.")
def command(stop: str, ask: bool | None) -> None:
    """Tell one stop of the tour: its code, a prediction to make, what happens, and why.

    STOP is a number or a name that autograd-tour lessons lists. Type a number or the number of a choice,
    then how sure you are; Enter alone shows the answer; Ctrl-D ends it.
    """
    check_stdout()
    from autograd_tour.cli.guard import PROGRAM_SECONDS, limited, stdout_to_stderr
    from autograd_tour.cli.targets import chosen_stops
    from autograd_tour.formats.tour.text import stop_text

    wanted = chosen_stops((stop,))
    if ask and sys.stdin is None:
        raise UsageError("there is no stdin to read answers from", "--no-ask tells it all at once")
    from autograd_tour.lessons.tour.telling import told_tour

    with stdout_to_stderr(), limited(PROGRAM_SECONDS, f"telling stop {stop}", "Try again"):
        content = told_tour(wanted).stops[0]
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if ask if ask is not None else terminal:
        _tell(content)
    else:
        answer(stop_text(content).rstrip("\n"))


def _tell(content: StopContent) -> None:
    """Block after block; a question waits for its answer, and nothing after it is told before.

    With each answer goes how sure one is; what one explains oneself is not read by anybody. At the end
    stands which stops to look at again.
    """
    from autograd_tour.cli.quiz import ask_question, look_again
    from autograd_tour.formats.tour.text import block_text
    from autograd_tour.formats.tour.words import blocks, heading_of

    answer(heading_of(content).replace("`", ""))
    again: Counter[int] = Counter()
    try:
        for block in blocks(content):
            if block.kind == "question":
                assert block.question is not None
                answer(f"\n{block_text(block)}")
                ask_question(block.question, again, surely=True)
            elif block.kind == "own":
                answer(f"\n{block_text(block)}")
                with writing_stdout():
                    input("> ")
            elif block.kind != "sure" and (text := block_text(block)):
                answer(f"\n{text}")
    except (EOFError, KeyboardInterrupt):
        answer("")
    if again:
        answer(f"\n{look_again(again).lstrip()}")
