"""What cards and lists call nodes, their outputs and what they saved, cut to the room there is."""

from __future__ import annotations

from autograd_tour.drawing.metrics import fit, fit_around, text_width
from autograd_tour.drawing.wording import elements, shape_text
from autograd_tour.record.graph import Node, Saved, SourceLine

__all__ = ["line_name", "output_name", "saved_name", "title_of"]


def title_of(node: Node, room: float, size: float, bold: bool = True) -> str:
    """The title of a node in ``room`` px, never empty.

    A path loses its beginning, an expression that has a shorter form takes that.
    """
    if node.name and node.kind in ("leaf", "constant"):
        return fit(node.name, room, size, bold, keep_end=True)
    text = node.op or node.grad_fn or node.kind
    if node.brief and text_width(text, size, bold) > room:
        text = node.brief
    return fit(text, room, size, bold, keep_end=node.kind == "group")


def line_name(line: SourceLine, expression: str, room: float, size: float) -> tuple[str, str]:
    """``net.py:12`` without folders, and of the text of that line the part with ``expression``."""
    place = fit(f"{line.file.rpartition('/')[2]}:{line.line}", room, size, keep_end=True)
    left = room - text_width(place + "  ", size)
    return place, fit_around(line.text, expression, left, size) if left > text_width("………", size) else ""


def output_name(node: Node, slot: int) -> str:
    """What an output is called: its variable, or of several outputs the function and the position."""
    name = node.names[slot] if slot < len(node.names) else ""
    several = max(len(node.values), len(node.names)) > 1
    return name or (f"{node.call or node.op}[{slot}]" if several else "")


def saved_name(item: Saved, origin: Node | None) -> str:
    """What a saved tensor is called: as the node it came from, or what is known of it.

    Torch's own word for it says nothing without torch's formula, so it is not used.
    """
    if origin is not None:
        if origin.kind == "constant" and not origin.name and item.facts is not None and not item.facts.shape:
            return f"{origin.expr} = {elements(item.facts)}" if elements(item.facts) else origin.expr
        return origin.expr or origin.name or origin.op
    facts = item.facts
    if item.name.startswith(("result", "output")) or item.name == "out":
        number = item.name.removeprefix("result").removeprefix("output")
        return f"result {number}" if number.isdigit() and number != "0" else "the result"
    if facts is not None and facts.numel == 1 and facts.first:
        return elements(facts)
    return f"tensor {shape_text(facts.shape)}" if facts is not None and facts.shape else "tensor"
