"""The tour as a site that needs no network: a map, a page for each stop, and what to look at again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from autograd_tour.drawing.theme import ThemeName
from autograd_tour.formats.page.script import bundled, dense_style, digest, json_text
from autograd_tour.formats.page.style import colours
from autograd_tour.formats.tour.content import PARTS, Recall, StopContent, Tour, slug
from autograd_tour.formats.tour.given import given_for
from autograd_tour.formats.tour.lecturer import betrayals, signs
from autograd_tour.formats.tour.words import marks_of
from autograd_tour.progress import counted
from autograd_tour.questions import Question

__all__ = ["site"]

WEB = files("autograd_tour.formats.tour").joinpath("web")
SCRIPTS = files("autograd_tour.formats.page").joinpath("web")
ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV", 5: "V"}
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class _Asked:
    """A question of a page, and the stop that it is about; ``key`` tells it from the others of the page."""

    key: str
    stop: int
    question: Question


def site(tour: Tour, theme: ThemeName = "auto") -> dict[str, str]:
    """``index.html``, a page for each stop, ``review.html``, and ``lecturer.html``."""
    every = tour.stops
    pages = {
        _file(stop): _stop_page(tour, position, theme) for position, stop in enumerate(counted(every, "page"))
    }
    return {
        "index.html": _map(tour, theme),
        **pages,
        "review.html": _review(tour, theme),
        "lecturer.html": _lecturer(tour, theme),
    }


def _file(stop: StopContent) -> str:
    return f"{slug(stop.number, stop.name)}.html"


def _map(tour: Tour, theme: ThemeName) -> str:
    return _page("index", "map", {}, theme, parts=_parts(tour, _listed), count=len(tour.stops))


def _parts(tour: Tour, entry: Callable[[StopContent], dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts that have a stop here, with an ``entry`` for each of them."""
    return [
        {
            "number": number,
            "name": _part(number),
            "stops": [entry(stop) for stop in tour.stops if stop.part == number],
        }
        for number in PARTS
        if any(stop.part == number for stop in tour.stops)
    ]


def _lecturer(tour: Tour, theme: ThemeName) -> str:
    def entry(stop: StopContent) -> dict[str, Any]:
        return _listed(stop) | {
            "misconception": stop.misconception,
            "transfer": stop.teaching.transfer.prompt,
            "signs": tuple(signs(stop)),
            "betrayals": tuple(betrayals(tour, stop)),
        }

    return _page("lecturer", "lecturer", {}, theme, parts=_parts(tour, entry))


def _part(number: int) -> str:
    return f"{ROMAN[number]} · {PARTS[number]}"


def _listed(stop: StopContent) -> dict[str, Any]:
    return {
        "number": stop.number,
        "name": stop.name,
        "title": stop.title,
        "objective": stop.objective,
        "file": _file(stop),
    }


def _stop_page(tour: Tour, position: int, theme: ThemeName) -> str:
    stop = tour.stops[position]
    predict = [_Asked(f"predict-{q.id}", stop.number, q) for q in stop.teaching.predict]
    transfer = _Asked(f"transfer-{stop.teaching.transfer.id}", stop.number, stop.teaching.transfer)
    recall = [_recalled(item) for item in stop.recall]
    moving = next((number for number, item in enumerate(stop.pictures) if item.plan is not None), None)
    loop = None if moving is None else stop.pictures[moving].walk
    asked = [*predict, transfer, *recall]
    data = {
        "name": stop.name,
        "questions": {item.key: item.question for item in asked},
        "captions": [picture.captions for picture in stop.pictures],
        "runs": [picture.runs for picture in stop.pictures],
        "move": None if moving is None else stop.pictures[moving].plan,
        "walk": loop,
        "moving": moving,
    }
    return _page(
        "stop",
        "still" if moving is None else "moved" if loop is None else "walked",
        data,
        theme,
        stop=stop,
        moving=moving,
        walks=loop is not None,
        teaching=stop.teaching,
        part=_part(stop.part),
        count=len(tour.titles),
        earlier=_listed(tour.stops[position - 1]) if position else None,
        later=_listed(tour.stops[position + 1]) if position + 1 < len(tour.stops) else None,
        before=[_linked(tour, number) for number in stop.prerequisites],
        given=given_for(stop.hook),
        marks=[marks_of(error) for error in stop.errors],
        predict=predict,
        transfer=transfer,
        recall=recall,
    )


def _recalled(item: Recall) -> _Asked:
    return _Asked(f"recall-{item.stop}-{item.question.id}", item.stop, item.question)


def _linked(tour: Tour, number: int) -> Markup:
    """A stop by its number: a link, if it is in this site."""
    target = next((stop for stop in tour.stops if stop.number == number), None)
    if target is None:
        return Markup("stop {}").format(number)
    return Markup('<a href="{}">stop {}</a>').format(_file(target), number)


def _review(tour: Tour, theme: ThemeName) -> str:
    data = {
        "stops": [{"number": stop.number, "name": stop.name} for stop in tour.stops],
        "titles": {str(number): title.replace("`", "") for number, title in tour.titles.items()},
        "files": {str(stop.number): _file(stop) for stop in tour.stops},
        "about": {
            stop.name: {item.key: item.stop for item in map(_recalled, stop.recall)} for stop in tour.stops
        },
    }
    return _page("review", "review", data, theme)


def _page(
    template: str, script_name: str, data: Mapping[str, Any], theme: ThemeName, **context: object
) -> str:
    script, style = _script(script_name), _style()
    page = {
        "theme": theme,
        "policy": f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": json_text(data),
    }
    return _environment().get_template(f"{template}.html").render(page=page, **context)


@cache
def _script(name: str) -> str:
    return bundled(WEB, name, shared=SCRIPTS)


@cache
def _style() -> str:
    sheets = WEB.joinpath("tour.css"), SCRIPTS.joinpath("moving.css")
    return "".join(dense_style(sheet.read_text(encoding="utf-8")) for sheet in sheets) + colours(".stage")


@cache
def _environment() -> jinja2.Environment:
    names: Sequence[str] = ("parts", "stop", "index", "review", "lecturer")
    texts = {f"{name}.html": WEB.joinpath(f"{name}.html").read_text(encoding="utf-8") for name in names}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.DictLoader(texts)
    )
    environment.filters["code"] = _with_code
    environment.filters["plain"] = lambda text: text.replace("`", "")
    return environment


def _with_code(text: str) -> Markup:
    """What stands between backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped
