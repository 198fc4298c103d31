"""The pictures of a page: the whole program, and one for each folded card that a reader may open."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing import arrange
from autograd_tour.drawing.shapes import BLANKS, GLYPHS
from autograd_tour.drawing.svg import draw_scene, prefix_for
from autograd_tour.formats.base import Settings
from autograd_tour.formats.page.details import CardDetails, Details
from autograd_tour.formats.page.names import CardName, card_names
from autograd_tour.progress import doing
from autograd_tour.record.graph import Graph
from autograd_tour.views.border import sums
from autograd_tour.views.film import film_scene
from autograd_tour.views.focus import focus
from autograd_tour.views.joined import JOINED, without
from autograd_tour.views.look import dressed_scene, marks_in_sight
from autograd_tour.views.opening import with_frames, with_open
from autograd_tour.views.outside import stepped_back
from autograd_tour.views.picture import Run
from autograd_tour.views.steps import frames
from autograd_tour.views.unfold import Opened, closed, opened

__all__ = [
    "JOINED_KEY",
    "MOST",
    "Caption",
    "Picture",
    "joined_picture",
    "outermost",
    "pictures",
    "piece",
    "timed",
]

MOST = 60
"""Pictures of one page, the outermost first: each is laid out in advance, since a page has no engine."""
LARGE = 20_000
"""In a graph with more nodes than this no card can be opened: finding its inside takes too long."""
CROWDED = 150
"""A picture with more cards than this is not offered."""

JOINED_KEY = "transposes"
"""The key of the picture without them: what is joined has places of its own, so it is laid out anew."""

Caption = tuple[tuple[tuple[str, int, str], ...], ...]
"""Lines of pieces: role, 1 if bold, text."""


class Picture(Struct, frozen=True, omit_defaults=True):
    """One picture with its frames. ``key`` is the way to it: the cards opened, joined by slashes.

    ``svg`` has elements that only some frames show: ``data-f`` is the first of them and ``data-t`` the
    last. ``engine`` has for each frame the step of the engine it stands for, in the whole program. ``sums``
    has what the facts of folded cards are the sum of, where numbers can be changed.
    """

    key: str
    title: str
    svg: str
    prefix: str
    captions: tuple[Caption, ...]
    engine: tuple[int, ...]
    cards: dict[str, CardDetails]
    sums: dict[str, tuple[str, ...]] = {}


def outermost(graph: Graph, settings: Settings) -> Opened:
    """What the page shows at first: ``graph`` folded, or the part of it that is in focus."""
    with doing("folding"):
        if settings.focus is not None:
            return closed(focus(graph, settings.focus), fold_it=False)
        if settings.open:
            return with_open(graph, settings.open, settings.depth)
        return closed(graph, fold_it=settings.fold, depth=settings.depth)


def pictures(first: Opened, settings: Settings, *, moves: bool = False) -> Iterator[Picture]:
    """The first picture, then those with cards of it opened, outermost first, :data:`MOST` at most.

    ``moves``: their numbers can be changed.

    Raises:
        EngineError: the layout failed.
    """
    ran = {step.node: number for number, step in first.whole.numbered_steps()}
    waiting: deque[_Waiting] = deque([_Waiting("", "", first, {})])
    promised = 1
    while waiting:
        picture = waiting.popleft()
        doors: dict[str, str] = {}
        all_doors = dict(picture.doors)
        names = card_names(picture.view.graph.nodes)
        for card, members in _inside(picture.view).items():
            inside = None
            single = picture.view.graph.node(card).folded == 1  # its card says it all
            free = promised < MOST and len(first.whole.nodes) <= LARGE
            if members not in all_doors and free and not single:
                inside = opened(picture.view, card)
            if inside is not None and len(inside.graph.nodes) <= CROWDED:
                all_doors[members] = f"{picture.key}/{card}".lstrip("/")
                waiting.append(_Waiting(all_doors[members], names[card].brief(), inside, all_doors))
                promised += 1
            doors[card] = all_doors.get(members, "")
        with doing(f"picture {promised - len(waiting)} of {promised}"):
            drawn = _picture(picture, doors, names, ran, settings)
        yield replace(drawn, sums=sums(picture.view)) if moves else drawn


def joined_picture(graph: Graph, first: Opened, settings: Settings) -> Picture | None:
    """``graph`` without transposes, if the picture ``first`` shows any; its cards cannot be opened.

    Raises:
        EngineError: the layout failed.
    """
    if JOINED_KEY in settings.look.joined or not any(
        node.grad_fn in JOINED[JOINED_KEY] for node in first.graph.nodes
    ):
        return None
    joined = without(graph, (*settings.look.joined, JOINED_KEY))
    picture = next(pictures(outermost(joined, settings), settings))
    cards = {ident: replace(card, opens="") for ident, card in picture.cards.items()}
    return replace(picture, key=JOINED_KEY, title="Without transposes", cards=cards)


@dataclass(frozen=True)
class _Waiting:
    """A picture to be drawn; ``doors`` are the ways into the cards of the pictures around it."""

    key: str
    title: str
    view: Opened
    doors: dict[frozenset[str], str]


def _inside(view: Opened) -> dict[str, frozenset[str]]:
    """The folded cards and what is in them."""
    contents: dict[str, list[str]] = {node.id: [] for node in view.graph.nodes if node.kind == "group"}
    for node, card in view.homes.card.items():
        if card in contents:
            contents[card].append(node)
    return {card: frozenset(members) for card, members in contents.items() if members}


def _picture(
    picture: _Waiting,
    doors: dict[str, str],
    names: dict[str, CardName],
    ran: dict[str, int],
    settings: Settings,
) -> Picture:
    graph, inside = picture.view.graph, picture.view.inside
    film_frames = frames(graph)
    look = marks_in_sight(graph, settings.look)
    if picture.key:  # it has a title of its own
        look = replace(look, title="", caption="")
    whole_scene = dressed_scene(film_scene(graph, replace(look, apart=True)), graph, look)
    arranged = arrange(
        with_frames(
            replace(stepped_back(whole_scene, inside) if inside else whole_scene, notes=()),
            picture.view.frames[-1:] if inside else picture.view.frames,
        ),
        settings.direction,
        engine=settings.engine,
        timeout=settings.timeout,
    )
    scene = arranged.scene
    prefix = prefix_for(f"{picture.key} {scene.title} {scene.desc}")
    drawn = replace(scene, captions=())  # the page has its own places for them
    svg = draw_scene(drawn, arranged.layout, theme="light", prefix=prefix, moment=timed)
    svg = svg.replace(BLANKS, "").replace(GLYPHS, "")  # style and script say it for all texts of the page
    members = _inside(picture.view)
    where = {node.id: node.where for node in picture.view.whole.nodes if node.where is not None}
    details = Details(graph, film_frames)
    cards = {}
    for node in graph.nodes:
        if node.kind != "accumulate":
            lines = sorted({where[item] for item in members.get(node.id, (node.id,)) if item in where})
            card = details.card(node, tuple(lines), doors.get(node.id, ""))
            outside = bool(inside) and node.id not in inside
            cards[node.id] = replace(card, name=names[node.id].whole(), outside=outside)
    engine = [0]
    for frame in film_frames[1:]:
        in_card = members.get(frame.node, (frame.node,))
        first = min((ran[item] for item in in_card if item in ran), default=0)
        engine.append(max(engine[-1], first))  # a card may run later than its first node
    captions = tuple(tuple(tuple(map(piece, line)) for line in caption) for caption in scene.captions)
    return Picture(picture.key, picture.title, svg, prefix, captions, tuple(engine), cards)


def piece(run: Run) -> tuple[str, int, str]:
    """A run of a caption: role, 1 if bold, text."""
    return run.role, int(run.bold), run.text.strip()


def timed(drawn: str, first: int, last: int | None) -> str:
    """What changes from frame to frame is a group that says from which frame and to which it shows."""
    if first == 0 and last is None:
        return drawn
    end = "" if last is None else f' data-t="{last}"'
    return f'<g data-f="{first}"{end}>{drawn}</g>'
