"""Stops -> what they came to: their code runs, their pictures are drawn, their texts get the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from autograd_tour.formats.tour.content import Illustration, Recall, StopContent, Teaching, Tour
from autograd_tour.lessons.tour import stops
from autograd_tour.lessons.tour.base import Chart, Figures, Panels, Picture, Stop, Surface
from autograd_tour.lessons.tour.drawing import charted, compared, for_slides, illustrated, seen_from_above
from autograd_tour.lessons.tour.running import caught, listing
from autograd_tour.progress import doing

__all__ = ["figures_of", "taught", "told_tour"]


def told_tour(chosen: Sequence[Stop], *, slides: bool = False, paper: bool = False) -> Tour:
    """All that the ``chosen`` stops came to, with pictures for ``slides`` and ``paper`` if these are wanted.

    Raises:
        TourError: a stop cannot be recorded or drawn.
    """
    contents = []
    for position, stop in enumerate(chosen, start=1):
        with doing(f"stop {position} of {len(chosen)}: {stop.title}"):
            contents.append(_content(stop, slides=slides, paper=paper))
    return Tour(tuple(contents), {stop.number: stop.title for stop in stops()})


def _content(stop: Stop, *, slides: bool, paper: bool) -> StopContent:
    hook, _ = listing(stop.hook)
    with doing("recall"):
        recall = tuple(_recalled(number) for number in stop.recall)
    return StopContent(
        number=stop.number,
        part=stop.part,
        name=stop.name,
        title=stop.title,
        objective=stop.objective,
        misconception=stop.misconception,
        prerequisites=stop.prerequisites,
        hook=hook,
        pictures=tuple(_illustrations(stop, paper=paper)),
        errors=tuple(caught(failing)[0] for failing in stop.errors),
        more=tuple(listing(snippet)[0] for snippet in stop.more),
        transfer=listing(stop.transfer)[0],
        teaching=taught(stop),
        recall=recall,
        reading=stop.reading,
        later=tuple(other.number for other in stops() if stop.number in other.recall),
        slides=tuple(_slides(stop)) if slides else (),
    )


def _illustrations(stop: Stop, *, paper: bool) -> list[Illustration]:
    drawings = []
    for number, picture in enumerate(stop.pictures):
        with doing(f"picture {number + 1} of {len(stop.pictures)}"):
            if isinstance(picture, Chart):
                drawings.append(charted(picture, figures_of(stop), number))
            elif isinstance(picture, Surface):
                drawings.append(seen_from_above(picture, figures_of(stop), number))
            elif isinstance(picture, Panels):
                drawings.append(compared(picture, figures_of(stop), number))
            else:
                code = picture.code or stop.hook.code
                drawings.append(illustrated(picture, code, number, paper=paper))
    return drawings


def _slides(stop: Stop) -> list[tuple[str, ...]]:
    figures = figures_of(stop)
    codes = [picture.code if isinstance(picture, Picture) else None for picture in stop.pictures]
    return [
        for_slides(picture, code or stop.hook.code, figures)
        for picture, code in zip(stop.pictures, codes, strict=True)
    ]


def _recalled(number: int) -> Recall:
    earlier = next(stop for stop in stops() if stop.number == number)
    return Recall(number, earlier.title, taught(earlier).recall)


@cache
def figures_of(stop: Stop) -> Figures:
    """All that the code of ``stop`` printed."""
    printed = list(listing(stop.hook)[1])
    for snippet in (*stop.more, *stop.measured):
        printed += listing(snippet)[1]
    for failing in stop.errors:
        printed += caught(failing)[1]
    return Figures(printed, Figures(listing(stop.transfer)[1]))


@cache
def taught(stop: Stop) -> Teaching:
    """What ``stop`` says, with its numbers."""
    return stop.tell(figures_of(stop))
