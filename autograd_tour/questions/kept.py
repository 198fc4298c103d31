"""Which tensor an operation keeps for its backward, and why that one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograd_tour.questions.base import Question, Subject, Wrong
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Rule, Words
from autograd_tour.rules import table
from autograd_tour.rules.evaluate import symbols
from autograd_tour.rules.wording import short
from autograd_tour.text import cut_text, one_line
from autograd_tour.views.node_view import node_view

__all__ = ["cut", "kept"]

MOST = 2
NONE = "none of them"


def kept(subject: Subject) -> Iterator[Question]:
    """Operations of which it can be said in one word what they keep."""
    makers: dict[str, dict[str, str]] = {}
    for edge in subject.graph.select("forward"):
        makers.setdefault(edge.dst, {})[edge.src] = subject.result(subject.nodes[edge.src])
    # Of what keeps nothing that was seen only a known rule tells that it keeps nothing.
    unruled = {
        edge.src
        for edge in subject.graph.select("gradient")
        if edge.rule is None or isinstance(edge.rule, Words)
    }
    ruled = {edge.src for edge in subject.graph.select("gradient")} - unruled
    asked: set[str] = set()
    for node in subject.graph.nodes:
        if node.kind != "operation" or node.grad_fn in asked or len(asked) == MOST:
            continue
        around = makers.get(node.id, {}) | {node.id: subject.result(node) if node.name else "its result"}
        names = list(around.values())
        saved = [item for item in node.saved if item.facts is not None and item.facts.numel >= 1]
        homes = {item.of for item in saved}
        unread = any(item.facts is None and item.state != "none" for item in node.saved)
        if unread or subject.vague(node.id) or not (homes or node.id in ruled):
            continue
        if len(around) < 2 or len(set(names)) < len(names) or not all(names) or len(homes) > 1:
            continue
        if homes and not homes <= around.keys():
            continue
        asked.add(node.grad_fn)
        yield _question(subject, node, around, next(iter(homes), ""))


class _Needs:
    """Which tensors the rules of a node read: those of its gradient edges, and those nobody asks for."""

    def __init__(self, subject: Subject, node: Node) -> None:
        self.edges = [edge for edge in subject.graph.select("gradient") if edge.src == node.id]
        makers: dict[int, str] = {
            edge.slot[1]: edge.src for edge in subject.graph.select("forward") if edge.dst == node.id
        }
        asked = {edge.slot[0] for edge in self.edges}
        view = node_view(subject.graph, node)
        given: dict[int, Rule | None] = {edge.slot[0]: edge.rule for edge in self.edges}
        unasked = {slot: table.rule(view, slot) for slot in range(node.slots) if slot not in asked}
        rules = [*given.values(), *unasked.values()]
        self.complete = all(rule is not None and not isinstance(rule, Words) for rule in rules)
        self.read = {item for rule in given.values() for item in _tensors(rule, node, makers)}
        self.unasked = {
            item: makers.get(slot, "")
            for slot, rule in unasked.items()
            for item in _tensors(rule, node, makers)
        }

    def rules(self) -> str:
        """The rules of the gradient edges, as they stand on the arrows."""
        return " and ".join(dict.fromkeys(one_line(short(edge.rule), 80) for edge in self.edges if edge.rule))


def _tensors(rule: Rule | None, node: Node, makers: Mapping[int, str]) -> set[str]:
    """The nodes whose tensors a rule reads."""
    if rule is None or isinstance(rule, Words):
        return set()
    read = symbols(rule)
    inputs = {makers.get(symbol.slot, "") for symbol in read if symbol.role == "input"}
    return inputs | ({node.id} if any(symbol.role == "result" for symbol in read) else set())


def _question(subject: Subject, node: Node, around: dict[str, str], home: str) -> Question:
    answer, grad_fn = around.get(home, NONE), one_line(node.grad_fn, 60)
    needs = _Needs(subject, node)
    rules = needs.rules()
    wrong = [
        Wrong(name, _why(subject, needs, item, answer)) for item, name in around.items() if name != answer
    ]
    if answer != NONE:
        right = f"torch keeps {answer}" + (f": the rule is {rules}." if rules else ".")
        wrong.append(Wrong(NONE, right))
        if needs.read == {home}:
            right = f"The rule {rules} reads {answer} and nothing else."
        elif needs.complete and needs.read and home not in needs.read:
            right = f"torch keeps {answer}: what the rule {rules} reads can be told from it."
        elif needs.complete and rules and not needs.read:
            right = f"torch keeps {answer}, though the rule {rules} does not read it."
    else:
        right = (
            f"The rule {rules} reads none of them."
            if rules and not needs.read
            else "torch keeps none of them."
        )
    return Question(
        f"kept-{node.id}",
        "saved",
        f"Which tensor does {subject.called(node.id)} ({grad_fn}) keep in memory for its backward?",
        answer,
        right,
        tuple(wrong),
        tuple(sorted({*around.values(), NONE})),
        0.0,
        node.id,
        0,
        f"{node.id}.saved",
    )


def _why(subject: Subject, needs: _Needs, item: str, answer: str) -> str:
    """Why ``item`` is not what is kept, as far as the rules tell."""
    name, rules = subject.result(subject.nodes[item]), needs.rules()
    if item in needs.read:
        instead = "" if answer == NONE else f" That can be told from {answer} too, which is what torch keeps."
        return f"The rule {rules} reads {name}.{instead}"
    if item in needs.unasked:
        other = subject.nodes.get(needs.unasked[item])
        whose = subject.result(other) if other is not None else "the other input"
        return (
            f"Only the gradient of {whose} would need {name}; {whose} needs no gradient, "
            "so nobody asks for that one."
        )
    if needs.complete and rules:
        return f"The rule {rules} does not read {name}."
    return f"torch keeps {answer} here." if answer != NONE else "torch keeps none of them here."


def cut(subject: Subject) -> Iterator[Question]:
    """What goes back through a tensor that was cut off."""
    for node in subject.graph.nodes:
        if node.kind != "constant" or node.cut is None:
            continue
        name = subject.called(node.id) if node.name else "the detached tensor"
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
