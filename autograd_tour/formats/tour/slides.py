"""The tour as slides: a deck for each part, for reveal.js and as PDF, of the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.resources import files

import jinja2
from markupsafe import Markup
from msgspec import Struct

from autograd_tour.drawing.slide import Block, slides
from autograd_tour.formats.to_pdf import check_pdf, pdf
from autograd_tour.formats.tour.content import PARTS, CaughtError, Listing, StopContent, Tour
from autograd_tour.formats.tour.lecturer import signs
from autograd_tour.formats.tour.words import heading_of, listed, marks_of
from autograd_tour.questions import Question

__all__ = ["slide_files"]

WEB = files("autograd_tour.formats.tour").joinpath("web")


class Slide(Struct, frozen=True):
    """A slide of reveal.js, the same as pages of a PDF, and what only the lecturer sees."""

    svg: str
    pages: tuple[str, ...]
    notes: tuple[str, ...] = ()


def slide_files(tour: Tour) -> dict[str, str | bytes]:
    """``slides-1.html`` and ``slides-1.pdf`` for each part with a stop in ``tour``.

    Raises:
        UsageError: the package typst is not installed.
    """
    check_pdf()
    documents: dict[str, str | bytes] = {}
    for number, name in PARTS.items():
        stops = [stop for stop in tour.stops if stop.part == number]
        if not stops:
            continue
        title = f"Part {number}: {name}"
        deck = [*_opening(title, stops), *(slide for stop in stops for slide in _of_stop(stop))]
        documents[f"slides-{number}.html"] = _page(title, deck)
        documents[f"slides-{number}.pdf"] = pdf([page for slide in deck for page in slide.pages], title)
    return documents


def _page(title: str, deck: list[Slide]) -> str:
    template = WEB.joinpath("slides.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    sections = [{"svg": Markup(slide.svg), "notes": slide.notes} for slide in deck]  # noqa: S704 (of our own making)
    return environment.from_string(template).render(title=title, slides=sections)


# ---- what stands on them ------------------------------------------------------------------------------


def _opening(title: str, stops: list[StopContent]) -> Iterator[Slide]:
    every = tuple(f"{stop.number}  {_plain(stop.title)}" for stop in stops)
    yield from _told(0, title, [Block("text", (line,)) for line in every])


def _of_stop(stop: StopContent) -> Iterator[Slide]:
    teaching, slides_of = stop.teaching, partial(_told, stop.number)
    yield from slides_of(
        heading_of(stop), _aims(stop), notes=(f"Removes: {stop.misconception}.", *signs(stop))
    )
    for number, question in enumerate(teaching.predict, start=1):
        head = f"Predict, {number} of {len(teaching.predict)}" if len(teaching.predict) > 1 else "Predict"
        yield from slides_of(head, [_code(stop.hook), *_asked(question)])
    yield from slides_of("What happens", [_code(stop.hook), *_printed(stop.hook)])
    for number, question in enumerate(teaching.predict, start=1):
        yield from slides_of(f"Prediction {number}: the answer", list(_answered(question)))
    for pages in stop.slides:
        yield Slide(pages[0], pages[1:])
    for error in stop.errors:
        yield from slides_of(_plain(error.code.title), list(_complaint(error)))
        yield from slides_of("The fix", [_code(error.fixed), *_printed(error.fixed)])
    yield from slides_of("Explain it yourself", [Block("text", (_plain(teaching.explain),))])
    paragraphs = [Block("text", (_plain(paragraph),)) for paragraph in teaching.explanation]
    yield from slides_of("The rule", [Block("sentence", (_plain(teaching.rule),)), *paragraphs])
    for listing in stop.more:
        note = [Block("text", (_plain(listing.note),))] if listing.note else []
        yield from slides_of(_plain(listing.title), [_code(listing), *_printed(listing), *note])
    yield from slides_of("In code not seen before", [_code(stop.transfer), *_asked(teaching.transfer)])
    yield from slides_of(
        "In code not seen before: the answer", list(_answered(teaching.transfer, stop.transfer))
    )
    for item in stop.recall:
        yield from slides_of(f"Do you remember? Stop {item.stop}", list(_asked(item.question)))
        yield from slides_of(f"Stop {item.stop}: the answer", list(_answered(item.question)))


def _told(stop: int, heading: str, blocks: list[Block], notes: tuple[str, ...] = ()) -> Iterator[Slide]:
    for svg in slides(_plain(heading), blocks, seed=f"{stop}"):
        yield Slide(svg, (svg,), notes)


def _aims(stop: StopContent) -> list[Block]:
    after = [Block("note", (f"Comes after {listed(stop.prerequisites)}.",))] if stop.prerequisites else []
    return [Block("text", (f"Afterwards you can {_plain(stop.objective)}.",)), *after]


def _code(listing: Listing, marks: dict[int, str] | None = None) -> Block:
    return Block("code", listing.lines, tuple((marks or {}).items()))


def _printed(listing: Listing) -> Iterator[Block]:
    if listing.outputs:
        yield Block("note", ("It prints:",))
        yield Block("output", listing.outputs, joined=True)


def _asked(question: Question) -> Iterator[Block]:
    yield Block("text", (_plain(question.prompt),))
    if question.choices:
        yield Block("choice", tuple(map(_plain, question.choices)), joined=True)


def _answered(question: Question, printed: Listing | None = None) -> Iterator[Block]:
    yield Block("note", (_plain(question.prompt),))
    if printed is not None:
        yield from _printed(printed)
    yield Block("sentence", (_plain(question.answer),))
    yield Block("text", (_plain(question.right),), joined=True)
    for wrong in question.wrong:
        yield Block("note", (_plain(f"Not “{wrong.answer}”: {wrong.feedback}"),))


def _complaint(error: CaughtError) -> Iterator[Block]:
    yield _code(error.code, marks_of(error))
    yield Block("error", tuple(f"{error.kind}: {error.message}".split("\n")))
    yield Block("text", (f"{_plain(error.about)} It is about {error.node}.",))


def _plain(text: str) -> str:
    return text.replace("`", "")
