"""What cards call nodes, their outputs, their lines of code and what they saved."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.node import Node, Saved
from autograd_tour.record.rule import Apply, Expression, Rule, Symbol
from autograd_tour.views.picture import Role, Row, Run
from autograd_tour.views.wording import elements, shape_text

__all__ = ["line_row", "module_heads", "module_path", "names_in", "output_name", "saved_name", "title_run"]


SHORT_NAME = 10
"""A name of so many characters is not shortened inside a rule."""

_STATISTICS = {"1": "mean", "2": "1/√(var + ε)"}
_OUTPUTS = {
    "NativeBatchNormBackward0": _STATISTICS,
    "CudnnBatchNormBackward0": _STATISTICS,
    "NativeLayerNormBackward0": _STATISTICS,
    "NativeGroupNormBackward0": _STATISTICS,
    "NativeDropoutBackward0": {"1": "what is kept"},
    "MaxPool2DWithIndicesBackward0": {"1": "indices"},
    "MaxPool3DWithIndicesBackward0": {"1": "indices"},
}
"""What further results of a node are, by their number: torch calls them ``result1``, ``result2``."""


def title_run(
    graph: Graph, node: Node, role: Role, room: float, *, size: float = 14, bold: bool = True
) -> Run:
    """What heads the card of ``node``, in at most ``room`` px.

    A path loses its beginning; an expression that has a shorter form takes that where room is short.
    """
    path = node.kind == "group" or (bool(node.name) and node.kind in ("leaf", "constant"))
    return Run(graph.title(node.id), role, bold, size, room=room, brief=node.brief, keep_end=path)


def module_path(node: Node) -> str:
    """The path of what a folded card stands for if its title is the class of a module, or ``""``."""
    return node.module_path


def module_heads(node: Node, title: Run, room: float) -> tuple[Run, ...]:
    """What heads a card: its ``title``; of a module its path, in at most ``room`` px, and then its class."""
    path = module_path(node)
    if not path:
        return (title,)
    text = f"  {title.text}"
    name = replace(title, text=path, room=room, brief="", keep_end=True)
    return name, replace(title, text=text, bold=False, part=(2, len(text)))


def is_input(node: Node) -> bool:
    """Whether a constant is a tensor that the program works on: it has a name of its own, and a shape."""
    own = node.cut is None and bool(node.name) and "." not in node.name
    return own and node.value is not None and bool(node.value.shape)


def names_in(rule: Rule | Expression | None) -> tuple[str, ...]:
    """The long names in a rule, the longest first: where room is short they lose their beginnings."""
    if isinstance(rule, Apply):
        names = {name for argument in rule.arguments for name in names_in(argument)}
        return tuple(sorted(names, key=lambda name: (-len(name), name)))
    name = (rule.alias or rule.name) if isinstance(rule, Symbol) else ""
    return (name,) if len(name) > SHORT_NAME else ()


def line_row(line: SourceLine, expression: str, room: float) -> Row:
    """``net.py:12`` without folders, and of the text of that line the part with ``expression``."""
    location = Run(f"{line.position.rpartition('/')[2]}  ", "muted", room=room, keep_end=True)
    code = Run(line.text, "muted", room=room, around=expression)
    return Row((location, code) if line.text else (location,), height=18, room=room, detail="code")


def output_name(node: Node, slot: int) -> str:
    """What an output is called: its variable, or of several outputs the function and the position."""
    name = node.names[slot] if slot < len(node.names) else ""
    several = max(len(node.values), len(node.names)) > 1
    return name or (f"{node.call or node.op}[{slot}]" if several else "")


def saved_name(item: Saved, origin: Node | None, grad_fn: str = "") -> str:
    """What a saved tensor is called: as the node it came from, or what is known of it.

    Torch's own word for it says nothing without torch's formula, so it is not used.
    """
    if origin is not None:
        if origin.kind == "constant" and not origin.name and item.facts is not None and not item.facts.shape:
            return f"{origin.expr} = {elements(item.facts)}" if elements(item.facts) else origin.expr
        if len(origin.names) > 1:
            return output_name(origin, item.slot)
        return origin.expr or origin.name or origin.op
    facts = item.facts
    if item.name.startswith(("result", "output")) or item.name == "out":
        number = item.name.removeprefix("result").removeprefix("output")
        several = number.isdigit() and number != "0"
        return _OUTPUTS.get(grad_fn, {}).get(number, f"result {number}") if several else "the result"
    if facts is not None and facts.numel == 1 and facts.first:
        return elements(facts)
    return f"tensor {shape_text(facts.shape)}" if facts is not None and facts.shape else "tensor"
