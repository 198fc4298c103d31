"""A backward pass as frames: one layout, so every card keeps its place, and a caption for each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from autograd_tour.drawing.cards import cards_scene
from autograd_tour.drawing.layout import place
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.scene import Run, Scene
from autograd_tour.drawing.svg import draw, prefix_of
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.drawing.wording import tensor_text
from autograd_tour.record.graph import Graph, Node
from autograd_tour.rules.wording import short
from autograd_tour.views.steps import Deposit, Frame, Sent, Timeline, frames

__all__ = ["animated", "film", "film_scene", "fragments"]

SIZE = 15.0
SECONDS = 2.5
"""How long a frame of an animation stays."""
ROOM = 330.0
"""Widest single piece of a caption, px."""
LINES = 3
"""Most gradients whose way is told in one frame."""

Line = tuple[Run, ...]


def film_scene(graph: Graph, direction: Literal["LR", "TB"] = "LR") -> Scene:
    """The cards of ``graph`` with everything that changes from frame to frame, and what each frame says."""
    told = frames(graph)
    scene = cards_scene(graph, direction, Timeline(graph))
    return replace(scene, captions=tuple(_caption(frame, len(told) - 1, graph) for frame in told))


def film(
    graph: Graph,
    *,
    theme: ThemeName = "auto",
    direction: Literal["LR", "TB"] = "LR",
    engine: str | None = None,
    timeout: float = 60.0,
) -> Iterator[str]:
    """An SVG document for each frame, from before backward to its end.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    scene = film_scene(graph, direction)
    layout = place(scene, engine, timeout)
    title = scene.title
    for number, caption in enumerate(scene.captions):
        said = ". ".join("".join(run.text for run in line) for line in caption)
        one = replace(scene, title=f"{title}, frame {number} of {len(scene.captions) - 1}", desc=said)
        yield draw(one, theme=theme, layout=layout, moment=number)


def fragments(
    graph: Graph,
    *,
    theme: ThemeName = "auto",
    direction: Literal["LR", "TB"] = "LR",
    engine: str | None = None,
    timeout: float = 60.0,
) -> str:
    """All frames as one SVG document, to stand inline in a slide of reveal.js.

    What appears is a ``fragment`` whose ``data-fragment-index`` is the number of its frame.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    scene = film_scene(graph, direction)
    return draw(scene, theme=theme, engine=engine, timeout=timeout, moment=_fragment)


def animated(
    graph: Graph,
    *,
    theme: ThemeName = "auto",
    direction: Literal["LR", "TB"] = "LR",
    engine: str | None = None,
    timeout: float = 60.0,
) -> str:
    """All frames as one SVG document that plays by itself, again and again, :data:`SECONDS` a frame.

    Where the reader wants less motion it stands still and shows the end.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    scene = film_scene(graph, direction)
    frame_count = len(scene.captions)
    spans: dict[tuple[int, int], str] = {}

    def played(drawn: str, first: int, last: int | None) -> str:
        end = frame_count - 1 if last is None else last
        if (first, end) == (0, frame_count - 1):
            return drawn
        name = spans.setdefault((first, end), f"f{first}-{end}")
        return f'<g class="{name}">{drawn}</g>'

    prefix = prefix_of(scene)
    document = draw(scene, theme=theme, prefix=prefix, engine=engine, timeout=timeout, moment=played)
    rules = [_span(prefix, name, span, frame_count) for span, name in spans.items()]
    still = "".join(
        f"#{prefix} .{name}{{display:none}}" for (_, end), name in spans.items() if end < frame_count - 1
    )
    moving, quiet = "(prefers-reduced-motion:no-preference)", "(prefers-reduced-motion:reduce)"
    style = f"<style>@media {moving}{{{''.join(rules)}}}@media {quiet}{{{still}}}</style>"
    return document.replace("</desc>\n", f"</desc>\n{style}", 1)


def _span(prefix: str, name: str, span: tuple[int, int], frame_count: int) -> str:
    """Keyframes that show a group from its first frame to the end of its last one."""
    start, stop = (100 * span[0] / frame_count, 100 * (span[1] + 1) / frame_count)
    keys = [(0.0, int(span[0] == 0)), (start, 1), (stop, 0), (100.0, int(span[1] == frame_count - 1))]
    if span[1] == frame_count - 1:
        keys.pop(2)
    steps = "".join(f"{at:.4g}%{{opacity:{seen}}}" for at, seen in dict(keys).items())
    play = f"{name} {SECONDS * frame_count:g}s step-end infinite"
    return f"@keyframes {prefix}-{name}{{{steps}}}#{prefix} .{name}{{animation:{prefix}-{play}}}"


def _fragment(drawn: str, first: int, last: int | None) -> str:
    """reveal.js shows a fragment from its index on; what is gone again later is covered, or current only."""
    if last is not None and first == last == 0:
        # Shown before the first fragment: reveal.js has no class for that but the one that fades away.
        return f'<g class="fragment fade-out" data-fragment-index="1">{drawn}</g>'
    if first == 0:
        return drawn
    kind = "fragment current-visible" if last == first else "fragment"
    return f'<g class="{kind}" data-fragment-index="{first}">{drawn}</g>'


# ---- what a frame says ------------------------------------------------------------------------


def _caption(frame: Frame, count: int, graph: Graph) -> tuple[Line, ...]:
    if not frame.node:
        said = f"{count} steps follow" if count else "No backward was recorded"
        return ((_bold(f"Before backward · {said}"),),)
    node = graph.node(frame.node)
    lines = [_head(frame, count, node, graph.title(node.id))]
    if frame.deposit is not None:
        return (*lines, _deposited(frame.deposit, graph))
    if node.kind == "group" and node.notes:
        lines.append((_plain(fit(" · ".join(node.notes), 2 * ROOM, SIZE)),))
    lines += [_sent(sent, graph) for sent in frame.sent[:LINES]]
    if len(frame.sent) > LINES:
        lines.append((_plain(f"… and {len(frame.sent) - LINES} more gradients"),))
    return tuple(lines)


def _head(frame: Frame, count: int, node: Node, what: str) -> Line:
    name = node.grad_fn if node.grad_fn != what else ""
    head = (
        _bold(f"Step {frame.number} of {count}   "),
        Run(fit(what, ROOM, SIZE, bold=True), bold=True, size=SIZE),
    )
    return (*head, Run(f"   {fit(name, ROOM, SIZE)}", "muted", size=SIZE)) if name else head


def _sent(sent: Sent, graph: Graph) -> Line:
    to = fit(graph.result_name(sent.edge.dst, sent.edge.slot[1]), ROOM, SIZE)
    line = (Run("grad of ", "muted", size=SIZE), Run(f"{to}   ", "forward", size=SIZE))
    if sent.worked:
        shown = Run(fit(sent.worked.text, 2 * ROOM, SIZE), "backward", bold=True, size=SIZE)
        count = sent.facts.numel if sent.facts is not None else 1
        which = "first" if not sent.worked.element else f"element {sent.worked.element + 1}"
        return (*line, shown, *((_plain(f"   {which} of {count}"),) if count > 1 else ()))
    said = short(sent.edge.rule)
    rule = (Run(fit(f"{said}   ", ROOM, SIZE), "backward", size=SIZE),) if said else ()
    value = fit(tensor_text(sent.facts), ROOM, SIZE)
    return (*line, *rule, Run(value, "backward", bold=True, size=SIZE))


def _deposited(deposit: Deposit, graph: Graph) -> Line:
    leaf = graph.title(deposit.leaf)
    total = f"{tensor_text(deposit.before)} + {tensor_text(deposit.contribution)} = "
    return (
        Run(f"{fit(leaf, ROOM, SIZE)}.grad   ", "forward", size=SIZE),
        Run(fit(total, ROOM, SIZE), "backward", size=SIZE),
        Run(fit(tensor_text(deposit.after), ROOM, SIZE), "backward", bold=True, size=SIZE),
    )


def _bold(text: str) -> Run:
    return Run(text, bold=True, size=SIZE)


def _plain(text: str) -> Run:
    return Run(text, "muted", size=SIZE)
