"""``autograd-tour lessons``: what stops the tour has."""

from __future__ import annotations

import json

import click

from autograd_tour.cli.common import TourCommand, answer

__all__ = ["command"]


@click.command(
    "lessons",
    cls=TourCommand,
    examples=(
        ("autograd-tour lessons", "the stops of the tour, part by part"),
        ("autograd-tour lessons --json", "for programs"),
        ("autograd-tour lesson 6", "one of them, here in the terminal"),
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(as_json: bool) -> None:
    """List the stops of the tour: number, name, and the question of each."""
    from autograd_tour.cli.targets import chosen_stops
    from autograd_tour.formats.tour.content import PARTS

    stops = chosen_stops(())
    if as_json:
        listed = [
            {
                "number": stop.number,
                "part": stop.part,
                "name": stop.name,
                "title": stop.title,
                "objective": stop.objective,
                "prerequisites": stop.prerequisites,
            }
            for stop in stops
        ]
        answer(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    width = max(len(stop.name) for stop in stops)
    for number, part in PARTS.items():
        members = [stop for stop in stops if stop.part == number]
        if members:
            answer(f"{'' if number == stops[0].part else chr(10)}{part}")
        for stop in members:
            answer(f"{stop.number:>4}  {stop.name:<{width}}  {stop.title.replace('`', '')}")
