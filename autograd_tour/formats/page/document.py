"""The HTML document: template, style, script and data in one file that asks for nothing else."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import jinja2
import msgspec
from msgspec.structs import replace

from autograd_tour.findings import strip
from autograd_tour.formats.base import Settings
from autograd_tour.formats.page.pictures import Picture, joined_picture, outermost, pictures
from autograd_tour.formats.page.run import run_data
from autograd_tour.formats.page.script import bundled, dense_style, digest, json_text
from autograd_tour.formats.page.style import colours
from autograd_tour.questions import ask
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.trace import Trace
from autograd_tour.reports import report
from autograd_tour.text import clean, one_line
from autograd_tour.views.focus import called
from autograd_tour.views.joined import without
from autograd_tour.views.movable import movable
from autograd_tour.views.sums import row as sum_row
from autograd_tour.views.wording import describe_graph

__all__ = ["page"]

WEB = files("autograd_tour.formats.page").joinpath("web")
LONGEST_TWIN = 200_000
"""Most characters of the text twin in a page; the report as a file has all of it."""

ROOM = 700_000
"""Most characters of pictures that are not shown at first; the outermost come first."""

MOST_ACCOUNTS = 24
"""Leaves in the page's ledger; the report as a file has all."""

KEYS = (
    ("← →", "one step back, one step forward"),
    ("Home End", "before backward, the end of it"),
    ("Space", "play and pause"),
    ("Enter", "select a card, or open it if it is folded"),
    ("Esc", "fold the opened card again; forget the selection"),
    ("+ − 0", "larger, smaller, as wide as the page"),
    ("/", "search"),
    ("p", "predict, then reveal"),
    ("f", "for a projector: picture, step and caption on the full screen; Esc goes back"),
    ("t", "light, dark, or as the system has it"),
    ("?", "this list"),
)


def page(name: str, trace: Trace, settings: Settings) -> str:
    """One HTML document for a trace; it works from disk and under a strict Content-Security-Policy.

    Raises:
        EngineError: the layout failed.
        UsageError: nothing is called as ``settings.look`` marks.
    """
    look, ledger, plan = settings.look, trace.ledger, movable(trace.graph)
    for marked in look.mark:
        called(trace.graph, marked)
    graph = without(trace.graph, look.joined) if look.joined else trace.graph
    outer_view = outermost(graph, settings)
    drawn = pictures(outer_view, settings, moves=plan is not None)
    first = next(drawn)
    others, packed = _packed(drawn)
    joined = joined_picture(trace.graph, outer_view, settings)
    if joined is not None:
        packed[joined.key] = _compressed(joined)
    parts = {"run": trace.run, "moving": plan}
    script = bundled(WEB, without={name for name, data in parts.items() if data is None})
    sheets = ("page", "moving") if plan is not None else ("page",)
    style = "".join(dense_style(WEB.joinpath(f"{name}.css").read_text(encoding="utf-8")) for name in sheets)
    style += colours(":is(#stage, .next)")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(WEB.joinpath("page.html").read_text(encoding="utf-8"))
    questions = ask(replace(trace, graph=outer_view.graph))
    book = _seen(ledger, outer_view.graph) if ledger is not None else None
    twin = report(outer_view.graph, book, trace.run, title=name)
    if len(twin) > LONGEST_TWIN:
        twin = twin[:LONGEST_TWIN].rpartition("\n")[0] + "\n… the rest is in the report: -f txt\n"
    return template.render(
        name=one_line(name, 200),
        theme=settings.theme,
        policy=f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        summary=describe_graph(outer_view.graph, 5),
        notices=_notices(outer_view.graph, strip(trace)),
        svg=first.svg,
        has_code=bool(graph.source),
        own_calls=_own_calls(ledger),
        questions=questions,
        moves=plan is not None,
        twin=clean_lines(twin),
        keys=KEYS,
        data=json_text(
            _data(graph, book, first, others, packed, () if joined is None else (joined,))
            | {
                "questions": questions,
                "run": None if trace.run is None else run_data(trace.run),
                "move": plan,
            }
        ),
    )


def _seen(ledger: Ledger, graph: Graph) -> Ledger:
    """The accounts of the leaves in sight, or of the first ones if none is."""
    names = {node.name for node in graph.nodes if node.kind == "leaf"}
    seen = [account for account in ledger.accounts if account.name in names] or list(ledger.accounts)
    return replace(ledger, accounts=tuple(seen[:MOST_ACCOUNTS]))


def _notices(graph: Graph, above: Sequence[str]) -> tuple[str, ...]:
    notices = [one_line(note, 300) for note in (*above, *graph.meta.remarks)]
    if not graph.passes:
        notices.append("No backward was recorded, so there are no steps. The picture shows what there is.")
    return tuple(notices)


def clean_lines(text: str) -> str:
    """The text line by line without what HTML or the reader cannot bear."""
    return "\n".join(clean(line) for line in text.split("\n"))


def _data(
    graph: Graph,
    ledger: Ledger | None,
    first: Picture,
    others: Sequence[Picture],
    packed: dict[str, str],
    beside: Sequence[Picture],
) -> dict[str, Any]:
    source = [
        {"file": one_line(line.file, 200), "line": line.line, "text": one_line(line.text, 400)}
        for line in graph.source
    ]
    return {
        "picture": replace(first, svg=""),
        "packed": packed,
        "titles": {picture.key: one_line(picture.title, 120) for picture in (*others, *beside)},
        "index": _index([first, *others], graph),
        "source": source,
        "ledger": _ledger(ledger) if ledger is not None and ledger.accounts else None,
    }


def _packed(others: Iterable[Picture]) -> tuple[list[Picture], dict[str, str]]:
    """The pictures that are not shown at first, and compressed, which makes them a tenth of the size.

    The first that has no room is the last that is drawn.
    """
    packed: dict[str, str] = {}
    kept: list[Picture] = []
    room = ROOM
    for picture in others:
        text = _compressed(picture)
        room -= len(text)
        if room < 0:
            break
        packed[picture.key] = text
        kept.append(picture)
    return kept, packed


def _compressed(picture: Picture) -> str:
    return base64.b64encode(zlib.compress(msgspec.json.encode(picture), 9)).decode("ascii")


def _index(every: Sequence[Picture], graph: Graph) -> list[tuple[str, str, str]]:
    """(text, picture, card) for each card, in the outermost picture that shows it."""
    nodes = graph.by_id()  # the id of a node is the same in all pictures, that of a folded card is not
    entries: dict[tuple[str, str], tuple[str, str, str]] = {}
    for picture in every:
        for card, details in picture.cards.items():
            values = {row.label: row.text for row in details.rows}
            words = (details.title, values.get("grad_fn", ""), values.get("module", ""))
            text = " · ".join(word for word in words if word)
            identity = ("", card) if card in nodes else (details.title, values.get("module", ""))
            entries.setdefault(identity, (text, picture.key, card))
    return list(entries.values())


def _own_calls(ledger: Ledger | None) -> str:
    """Which calls of the program itself are told; ``""`` if they are others."""
    if ledger is None or ledger.policies != ("program",):
        return ""
    several = f"T{ledger.extent[1:]}" if ledger.of > ledger.calls else "The backward calls"
    return f"{several} of the program itself"


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "calls": ledger.calls,
        "accounts": [
            {"name": one_line(account.name, 80)}
            | {
                policy: [
                    sum_row(call.before, call.contribution, call.after, shape=True)
                    for call in account.under(policy)
                ]
                for policy in account.policies
            }
            for account in ledger.accounts
        ],
    }
