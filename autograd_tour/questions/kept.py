"""Which tensor an operation keeps for its backward: what its derivative needs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions.base import Question, Run, Wrong
from autograd_tour.record.graph import Node
from autograd_tour.text import cut_text, one_line

__all__ = ["cut", "kept"]

MOST = 2
NONE = "none of them"


def kept(run: Run) -> Iterator[Question]:
    """Operations of which it can be said in one word what they keep."""
    makers: dict[str, dict[str, str]] = {}
    for edge in run.graph.select("forward"):
        makers.setdefault(edge.dst, {})[edge.src] = run.result(run.nodes[edge.src])
    # Of what keeps nothing that was seen only a known rule tells that it keeps nothing.
    unruled = {edge.src for edge in run.graph.select("gradient") if not edge.rule}
    ruled = {edge.src for edge in run.graph.select("gradient")} - unruled
    asked: set[str] = set()
    for node in run.graph.nodes:
        if node.kind != "operation" or node.grad_fn in asked or len(asked) == MOST:
            continue
        around = makers.get(node.id, {}) | {node.id: run.result(node) if node.name else "its result"}
        names = list(around.values())
        saved = [item for item in node.saved if item.facts is not None and item.facts.numel >= 1]
        homes = {item.of for item in saved}
        unread = any(item.facts is None and item.state != "none" for item in node.saved)
        if unread or run.vague(node.id) or not (homes or node.id in ruled):
            continue
        if len(around) < 2 or len(set(names)) < len(names) or not all(names) or len(homes) > 1:
            continue
        if homes and not homes <= around.keys():
            continue
        asked.add(node.grad_fn)
        yield _question(run, node, around, next(iter(homes), ""))


def _question(run: Run, node: Node, around: dict[str, str], home: str) -> Question:
    answer, grad_fn = around.get(home, NONE), one_line(node.grad_fn, 60)
    rules = [one_line(e.rule, 80) for e in run.graph.select("gradient") if e.src == node.id and e.rule]
    rule = f" Its rule is {' and '.join(dict.fromkeys(rules))}." if rules else ""
    wrong = [
        Wrong(name, f"The derivative does not need {name}.{rule}")
        for name in around.values()
        if name != answer
    ]
    if answer != NONE:
        wrong.append(Wrong(NONE, f"The derivative depends on {answer}.{rule}"))
        right = f"The derivative needs {answer} and nothing else.{rule}"
    else:
        right = f"The derivative does not depend on any of them.{rule}"
    return Question(
        f"kept-{node.id}",
        "saved",
        f"Which tensor does {run.called(node.id)} ({grad_fn}) keep in memory for its backward?",
        answer,
        right,
        tuple(wrong),
        tuple(sorted({*around.values(), NONE})),
        0.0,
        node.id,
        0,
        f"{node.id}.saved",
    )


def cut(run: Run) -> Iterator[Question]:
    """What goes back through a tensor that was cut off."""
    for node in run.graph.nodes:
        if node.kind != "constant" or node.cut is None:
            continue
        name = run.called(node.id) if node.name else "the detached tensor"
        made_by = one_line(cut_text(node.cut), 80)
        nothing, zeros, same = "nothing at all", "a gradient of zeros", "the gradient as if nothing were cut"
        yield Question(
            f"cut-{node.id}",
            "cut",
            f"{name} was made by {made_by}. What does backward send back through it?",
            nothing,
            "It has no grad_fn: to autograd it is a constant, and there is no edge to send anything along.",
            (
                Wrong(zeros, "No gradient and a gradient of zero differ: here there is no edge at all."),
                Wrong(same, "The value is the same in forward; backward ends there."),
            ),
            (nothing, zeros, same),
            0.0,
            node.id,
        )
        return
