"""A backward pass as frames: the cards with all that changes on them, and a caption for each step."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.rules.wording import short
from autograd_tour.views.base import View
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.look import ALL, Look
from autograd_tour.views.naming import module_path
from autograd_tour.views.picture import Film, Run, Scene, within
from autograd_tour.views.steps import Deposit, Frame, Sent, Timeline, frames
from autograd_tour.views.sums import added
from autograd_tour.views.wording import tensor_text

__all__ = ["film_scene", "view"]

SIZE = 15.0
ROOM = 330.0
"""Widest single piece of a caption, px."""
FEW = 2
"""Notes of a card that stand in its frame where all of them have no room."""
LINES = 3
"""Most gradients whose way is told in one frame."""

Line = tuple[Run, ...]


class Steps(View):
    """The whole run as a film: nodes keep their places while backward goes through them."""

    name = "steps"
    summary = "one frame for each step of backward, for slides"

    rows = True

    def picture(self, trace: Trace) -> Film:
        """A frame for the moment before backward, and one for each step."""
        return Film(film_scene(trace.graph))

    def chosen(self, trace: Trace, look: Look) -> Film:
        """The same with the rows and arrows that ``look`` asks for."""
        return Film(film_scene(trace.graph, look))


class Animation(View):
    """The same frames as ``steps``, one after the other without a hand on them."""

    name = "animation"
    summary = "the steps of backward as one SVG that plays by itself"

    rows = True

    def picture(self, trace: Trace) -> Film:
        """The frames of ``steps``."""
        return Film(film_scene(trace.graph), plays=True)

    def chosen(self, trace: Trace, look: Look) -> Film:
        """The same with the rows and arrows that ``look`` asks for."""
        return Film(film_scene(trace.graph, look), plays=True)


def film_scene(graph: Graph, look: Look = ALL) -> Scene:
    """The cards of ``graph`` with everything that changes from frame to frame, and what each frame says."""
    film_frames = frames(graph)
    scene = cards_scene(graph, Timeline(graph), look)
    derivatives, count = Derivatives(graph), len(film_frames) - 1
    return replace(scene, captions=tuple(_caption(frame, count, graph, derivatives) for frame in film_frames))


# ---- what a frame says ------------------------------------------------------------------------


def _caption(frame: Frame, count: int, graph: Graph, derivatives: Derivatives) -> tuple[Line, ...]:
    if not frame.node:
        whole = graph.steps_in_whole
        rest = "1 step follows" if count == 1 else f"{count} steps follow"
        follow = f"{count} of {whole} steps are shown" if count < whole else rest
        summary = follow if count else "No backward was recorded"
        return ((_bold(f"Before backward · {summary}"),),)
    node = graph.node(frame.node)
    lines = [_head(graph, node)]
    if frame.deposit is not None:
        return (*lines, _deposited(frame.deposit, graph))
    if node.kind == "group" and node.notes:
        few = " · ".join(node.notes[:FEW])
        lines.append((replace(_plain(" · ".join(node.notes), 2 * ROOM), brief=few),))
    lines += [_sent(sent, graph, derivatives) for sent in frame.sent[:LINES]]
    if len(frame.sent) > LINES:
        lines.append((_plain(f"… and {len(frame.sent) - LINES} more gradients"),))
    return tuple(lines)


def _head(graph: Graph, node: Node) -> Line:
    title = graph.title(node.id)
    what = module_path(node) or title
    name = title if what != title else node.grad_fn if node.grad_fn != what else ""
    head = (
        _bold(f"Step {graph.number_in_whole(node.id)} of {graph.steps_in_whole}   "),
        Run(what, bold=True, size=SIZE, room=ROOM),
    )
    return (*head, within("   ", name, "", "muted", ROOM, size=SIZE)) if name else head


def _sent(sent: Sent, graph: Graph, derivatives: Derivatives) -> Line:
    derivative = derivatives.along(sent.edge)
    name = derivative or graph.result_name(sent.edge.dst, sent.edge.slot[1])
    to = within("", name, "   ", "forward", ROOM, size=SIZE)
    line: Line = (to,) if derivative else (Run("grad of ", "muted", size=SIZE), to)
    if sent.worked:
        arithmetic = Run(sent.worked.text, "backward", bold=True, size=SIZE, room=2 * ROOM)
        count = sent.facts.numel if sent.facts is not None else 1
        which = "first" if not sent.worked.element else f"element {sent.worked.element + 1}"
        return (*line, arithmetic, *((_plain(f"   {which} of {count}"),) if count > 1 else ()))
    text = short(sent.edge.rule)
    rule = (Run(f"{text}   ", "backward", size=SIZE, room=ROOM),) if text else ()
    value = Run(tensor_text(sent.facts), "backward", bold=True, size=SIZE, room=ROOM)
    return (*line, *rule, replace(value, brief=tensor_text(sent.facts, digits=2)))


def _deposited(deposit: Deposit, graph: Graph) -> Line:
    leaf = graph.title(deposit.leaf)
    text, after = added(deposit.before, deposit.parts, deposit.contribution, deposit.after)
    return (
        within("", leaf, ".grad   ", "forward", ROOM, size=SIZE),
        Run(text, "backward", size=SIZE, room=ROOM),
        Run(after, "backward", bold=True, size=SIZE, room=ROOM),
    )


def _bold(text: str) -> Run:
    return Run(text, bold=True, size=SIZE)


def _plain(text: str, room: float = 0.0) -> Run:
    return Run(text, "muted", size=SIZE, room=room)


view = (Steps(), Animation())
