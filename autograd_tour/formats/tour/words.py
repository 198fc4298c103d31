"""A stop told in words, one block after the other: what Markdown, the text version and the terminal share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from autograd_tour.formats.tour.content import PARTS, CaughtError, Illustration, Listing, StopContent
from autograd_tour.questions import Question

__all__ = ["Block", "answers", "blocks", "heading_of", "listed", "marks_of"]

Kind = Literal["heading", "text", "own", "sure", "rule", "code", "output", "question", "picture", "item"]


class Block(Struct, frozen=True):
    """A piece of a stop. ``number`` is that of a question, or of a picture from 0."""

    kind: Kind
    text: str = ""
    listing: Listing | None = None
    marks: dict[int, str] = {}
    question: Question | None = None
    number: int = 0
    picture: Illustration | None = None


def heading_of(stop: StopContent) -> str:
    """``Stop 6: …``."""
    return f"Stop {stop.number}: {stop.title}"


def marks_of(error: CaughtError) -> dict[int, str]:
    """What stands beside the lines that an error is about: the cause, and what each has to do with it."""
    marks = {error.cause: "the cause", error.raised: "here torch complains"}
    if error.cause == error.raised:
        marks = {error.raised: "the cause, and where torch complains"}
    for number, role in error.roles.items():
        marks[number] = f"{marks[number]}: {role}" if number in marks else role
    return marks


def blocks(stop: StopContent) -> Iterator[Block]:
    """The stop from its code to its last question; the answers are in :func:`answers`."""
    yield Block("text", f"Part {stop.part}, {PARTS[stop.part]}.")
    after = f" Comes after {listed(stop.prerequisites)}." if stop.prerequisites else ""
    yield Block("text", f"Afterwards you can {stop.objective}.{after}")
    yield Block("heading", "The code")
    yield Block("code", listing=stop.hook)
    yield Block("heading", "Predict")
    for number, question in enumerate(stop.teaching.predict, start=1):
        yield Block("question", question=question, number=number)
    yield Block("sure", "How sure are you: a guess, rather sure, or certain?")
    yield Block("heading", "What happens")
    yield from _printed(stop.hook)
    for number, picture in enumerate(stop.pictures):
        yield Block("picture", picture.title, picture=picture, number=number)
    for error in stop.errors:
        yield from _complaint(error)
    yield Block("heading", "Explain it yourself")
    yield Block("own", f"{stop.teaching.explain} A line or two in your own words, before you read ours.")
    yield Block("heading", "The rule")
    yield Block("rule", stop.teaching.rule)
    for paragraph in stop.teaching.explanation:
        yield Block("text", paragraph)
    for listing in stop.more:
        yield Block("heading", listing.title)
        yield Block("code", listing=listing)
        yield from _printed(listing)
        if listing.note:
            yield Block("text", listing.note)
    number = len(stop.teaching.predict) + 1
    yield Block("heading", "The same in code not seen before")
    yield Block("code", listing=stop.transfer)
    yield Block("question", question=stop.teaching.transfer, number=number)
    if stop.recall:
        yield Block("heading", "Do you remember?")
    for position, item in enumerate(stop.recall, start=number + 1):
        yield Block("question", f"Stop {item.stop}. ", question=item.question, number=position)


def answers(stop: StopContent) -> Iterator[tuple[int, Question]]:
    """The questions of a stop with their numbers, in the order of :func:`blocks`."""
    asked = (
        *stop.teaching.predict,
        stop.teaching.transfer,
        *(item.question for item in stop.recall),
    )
    return iter(enumerate(asked, start=1))


def _printed(listing: Listing) -> Iterator[Block]:
    if listing.outputs:
        yield Block("text", "It prints:")
        yield Block("output", "\n".join(listing.outputs))


def _complaint(error: CaughtError) -> Iterator[Block]:
    yield Block("heading", error.code.title)
    yield Block("code", listing=error.code, marks=marks_of(error))
    yield Block("output", f"{error.kind}: {error.message}")
    yield Block("text", f"What autograd-tour explain finds: {error.seen}.")
    yield Block("text", f"{error.about} It is about `{error.node}`. The fix:")
    yield Block("code", listing=error.fixed)
    yield from _printed(error.fixed)


def listed(stops: tuple[int, ...]) -> str:
    """``stop 2 and stop 7``."""
    names = [f"stop {number}" for number in stops]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
