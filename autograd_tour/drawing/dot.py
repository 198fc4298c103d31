"""Scene -> DOT: once for the layout engine (boxes only), once for people (with all its text)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from autograd_tour.drawing.beside import Beside, Box
from autograd_tour.drawing.main_path import on_path
from autograd_tour.drawing.metrics import clean
from autograd_tour.drawing.sizes import card_height, card_width, label_width
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Link, Row, Scene

__all__ = ["TIGHT", "USUAL", "Spacing", "layout_dot", "readable_dot"]

STRAIGHT = 60
"""How much a link on the main path weighs, where others weigh 1: the engine keeps it straight."""
_AT_MIDDLE = frozenset({"", "f", "g"})
"""Ports at one place in all cards; a row's are where the row is, and cards are aligned without them."""
FRAME = 32
"""What is free between a frame and the cards in it, px."""
LANE = 40
"""Between the forward and the backward line of two cards, one below the other, px."""

_PLAIN_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_TABLE = f"<{_PLAIN_TABLE}"
_FLOWS = {
    flow: f'style={style} color="{colour}" fontcolor="{colour}"'
    for flow, style, colour in (
        ("forward", "solid", LIGHT.forward),
        ("backward", "dashed", LIGHT.backward),
        ("constant", "dotted", LIGHT.muted),
        ("ungraded", "dashed", LIGHT.muted),
    )
}
_PLAIN = f'style="filled" fillcolor="{LIGHT.constant_fill}"'
_LOOKS = {
    "leaf": f'style="filled,bold" fillcolor="{LIGHT.leaf_fill}"',
    "operation": f'style="rounded" fillcolor="{LIGHT.paper}"',
}


class Spacing(Struct, frozen=True):
    """What is left free, px: between cards side by side and between ranks, and a label's height."""

    beside: float
    between: float
    label: float


USUAL, TIGHT = Spacing(21.6, 25.2, 30.0), Spacing(10.0, 18.0, 22.0)


def layout_dot(scene: Scene, hugged: Beside, spacing: Spacing = USUAL) -> str:
    """DOT in which every card is an empty box of its size with ports: the engine only places them.

    No text of the program gets near the engine, and every engine sees the same sizes. A card and the
    constants that are ``hugged`` by it are one box.
    """
    parts = [
        "digraph g {\n",
        f"graph [rankdir={scene.direction} nodesep={spacing.beside / 72:.3g} "
        f"ranksep={spacing.between / 72:.3g}]\n",
        "node [shape=plain]\n",
    ]
    places = {card.id: i for i, card in enumerate(scene.cards)}
    against = {link.src for link in scene.links if link.reverse}
    hidden, straight = hugged.constants, on_path(scene)
    parts += [
        f"c{i} [label={_boxes(card, scene.direction, hugged.boxes.get(i), card.id in against)}]\n"
        for i, card in enumerate(scene.cards)
        if i not in hidden
    ]
    for number, frame in enumerate(scene.frames):
        members = " ".join(f"c{n}" for n in map(places.get, frame.cards) if n is not None and n not in hidden)
        parts.append(f"subgraph cluster_{number} {{ graph [margin={FRAME}]\n{members}\n}}\n")
    side = ("e", "w") if scene.direction == "LR" else ("s", "n")
    for i, link in enumerate(scene.links):
        if i in hugged.links:
            continue
        (a, b), (p, q) = (
            ((link.dst, link.src), link.ports[::-1]) if link.reverse else ((link.src, link.dst), link.ports)
        )
        attributes = [f"id=l{i}"]
        if (a, b) in straight and not {p, q} <= _AT_MIDDLE:
            parts.append(f"c{places[a]}->c{places[b]} [style=invis weight={STRAIGHT}]\n")
        elif (a, b) in straight:
            attributes.append(f"weight={STRAIGHT if link.reverse else STRAIGHT // 2}")
        if link.reverse:
            attributes.append("dir=back")
        if label_width(link.label):
            size = f'WIDTH="{label_width(link.label) + 8:.0f}" HEIGHT="{spacing.label:.0f}"'
            attributes.append(f'label={_TABLE}<TR><TD FIXEDSIZE="TRUE" {size}></TD></TR></TABLE>>')
        start = f"c{places[a]}" + (f":{p}:{side[0]}" if p else "")
        end = f"c{places[b]}" + (f":{q}:{side[1]}" if q else "")
        parts.append(f"{start}->{end} [{' '.join(attributes)}]\n")
    parts.append("}\n")
    return "".join(parts)


def _boxes(card: Card, direction: str, box: Box | None, against: bool) -> str:
    """The card with its ports, and around it the room that its constants take."""
    inner = _ports(card, direction, against=against)
    if box is None:
        return f"<{inner}>"
    width, height = round(card_width(card)), round(card_height(card))
    (left, top), (whole, tall) = box.corner, box.size
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}">{inner}</TD>'
    rows = [
        (left, f'<TD FIXEDSIZE="TRUE" WIDTH="{left:.0f}" HEIGHT="{height}"></TD>'),
        (0.0, cell),
        (
            whole - left - width,
            f'<TD FIXEDSIZE="TRUE" WIDTH="{whole - left - width:.0f}" HEIGHT="{height}"></TD>',
        ),
    ]
    row = "".join(text for room, text in rows if room or text is cell)
    above, below = (
        f'<TR><TD COLSPAN="3" FIXEDSIZE="TRUE" WIDTH="{whole:.0f}" HEIGHT="{room:.0f}"></TD></TR>'
        if room
        else ""
        for room in (top, tall - top - height)
    )
    return f"{_TABLE}{above}<TR>{row}</TR>{below}</TABLE>>"


def _ports(card: Card, direction: str, *, against: bool) -> str:
    width, height = round(card_width(card)), round(card_height(card))
    ports = [row.port for row in card.rows]
    if any(ports) and direction == "TB":
        # Links leave from the lower edge (against the direction: the upper), the first row's leftmost:
        # none runs across other rows.
        named = [port for port in ports if port]
        share = width // len(named)
        body = (
            f'<TR><TD COLSPAN="{len(named)}" FIXEDSIZE="TRUE" '
            f'WIDTH="{share * len(named)}" HEIGHT="{height - 1}"></TD></TR>'
        )
        exits = "".join(
            f'<TD PORT="{port}" FIXEDSIZE="TRUE" WIDTH="{share}" HEIGHT="1"></TD>' for port in named
        )
        cells = f"<TR>{exits}</TR>{body}" if against else f"{body}<TR>{exits}</TR>"
    elif any(ports):
        cells = "".join(
            f'<TR><TD PORT="{row.port or "-"}" FIXEDSIZE="TRUE" '
            f'WIDTH="{width}" HEIGHT="{row.height:.0f}"></TD></TR>'
            for row in card.rows
        )
    elif not card.lane:
        cells = f'<TR><TD PORT="f" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD></TR>'
    elif direction == "LR":
        top, low = height - round(card.lane), round(card.lane)
        cells = (
            f'<TR><TD PORT="f" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{top}"></TD></TR>'
            f'<TR><TD PORT="g" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{low}"></TD></TR>'
        )
    else:
        cells = _lanes(width, height)
    return f"{_PLAIN_TABLE}{cells}</TABLE>"


def _lanes(width: int, height: int) -> str:
    """Both ports equally far from the middle of a card of any width: both lines between two are straight."""
    lane = min(LANE, width // 2)
    rest = width // 2 - lane
    widths = ((rest, ""), (lane, ' PORT="f"'), (lane, ' PORT="g"'), (width - 2 * lane - rest, ""))
    cells = (
        f'<TD{port} FIXEDSIZE="TRUE" WIDTH="{part}" HEIGHT="{height}"></TD>' for part, port in widths if part
    )
    return f"<TR>{''.join(cells)}</TR>"


@collector_paused()
def readable_dot(scene: Scene) -> str:
    """DOT with all the text of the picture, for any Graphviz and any editor."""
    head = (
        "digraph autograd {\n"
        f"  graph [rankdir={scene.direction} label={_text(scene.title)} fontname=Arial]\n"
        "  node [shape=box fontname=Arial fontsize=11]\n"
        "  edge [fontname=Arial fontsize=10]\n"
    )
    names = [card.id for card in scene.cards]
    sources = [link.dst if link.reverse else link.src for link in scene.links]
    targets = [link.src if link.reverse else link.dst for link in scene.links]
    cards = set(names)
    if not (_all_plain(names) and cards.issuperset(sources) and cards.issuperset(targets)):
        ids = {name: name if _all_plain((name,)) else _text(name) for name in names}
        names, sources, targets = ([ids[name] for name in each] for each in (names, sources, targets))
    shared = _Looks()
    looks = [shared.get((id(card.rows), card.shape)) or shared.of(card) for card in scene.cards]
    bare = {flow: f" [{attributes}]\n" for flow, attributes in _FLOWS.items()}
    flows = [
        _labelled(link) if link.reverse or link.label.runs or link.label.step else bare[link.flow]
        for link in scene.links
    ]
    # Put together at once: a text for each of 100,000 lines would take longer.
    boxes, arrows = ["  "] * (3 * len(names)), ["  ", "", " -> ", "", ""] * len(sources)
    boxes[1::3], boxes[2::3] = names, looks
    arrows[1::5], arrows[3::5], arrows[4::5] = sources, targets, flows
    return "".join([head, *boxes, *arrows, "}\n"])


class _Looks(dict[tuple[int, str], str]):
    """The attributes of cards: many cards of a long chain share their rows."""

    def of(self, card: Card) -> str:
        text = _text("".join([_line(row) for row in card.rows]), left=True)
        self[id(card.rows), card.shape] = look = f" [label={text} {_LOOKS.get(card.shape, _PLAIN)}]\n"
        return look


def _all_plain(ids: Sequence[str]) -> bool:
    """Whether all of ``ids`` can stand without quotes: ``n7``, but not ``node``, which is a word of DOT.

    They are looked at together, since there may be 100,000.
    """
    together = "".join(ids)
    return (
        together.isascii()
        and together.isalnum()
        and all(map(str.isidentifier, ids))  # and so none is empty, or begins with a digit
        and "".join([name[-1] for name in ids]).isdigit()
    )


def _labelled(link: Link) -> str:
    """The attributes of a link with a text, or against the direction."""
    more, label = " dir=back" if link.reverse else "", link.label
    if label.runs or label.step:
        step = f"{label.tag}  " if label.step else ""
        text = _text(step + "".join([run.text for run in label.runs]))
        more += f" label={text}"
    return f" [{_FLOWS[link.flow]}{more}]\n"


def _line(row: Row) -> str:
    if len(row.left) == 1 and not row.right:
        return f"{row.left[0].text}\n"
    left = "".join([run.text for run in row.left])
    right = "".join([run.text for run in row.right])
    return f"{left}   {right}\n" if right else f"{left}\n"


@lru_cache(maxsize=4096)
def _text(text: str, left: bool = False) -> str:
    """A quoted DOT string that stands for ``text`` and nothing else."""
    safe = "\n".join(clean(line) for line in text.split("\n"))
    quoted = f'"{safe}"' if not {"\\", '"'} & set(safe) else _escaped(safe)
    return quoted.replace("\n", "\\l" if left else "\\n")


def _escaped(text: str) -> str:
    from graphviz.quoting import escape, quote  # it loads a fifth of what a saved trace takes to be drawn

    quoted: str = quote(escape(text))
    return quoted
