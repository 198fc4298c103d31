"""Which tensor an operation keeps for its backward, and why that one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from autograd_tour.questions.base import Question, Subject, Wrong, mixed
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
    asked: set[str] = set()
    for node in subject.graph.nodes:
        if node.kind != "operation" or node.grad_fn in asked or len(asked) == MOST:
            continue
        around = makers.get(node.id, {}) | {node.id: _own_result(subject, node)}
        names = list(around.values())
        saved = [item for item in node.saved if item.facts is not None and item.facts.numel >= 1]
        homes = {item.of for item in saved}
        # What keeps nothing is no question: there is nothing in it to find out.
        unread = any(item.facts is None and item.state != "none" for item in node.saved)
        if unread or subject.vague(node.id) or not homes:
            continue
        if len(around) < 2 or len(set(names)) < len(names) or not all(names) or len(homes) > 1:
            continue
        if not homes <= around.keys():
            continue
        asked.add(node.grad_fn)
        yield _question(subject, node, around, next(iter(homes)))


def _own_result(subject: Subject, node: Node) -> str:
    """What the result of ``node`` is called, unless the name stands for an input in ``x = relu(conv(x))``."""
    name = subject.result(node)
    words = re.findall(r"\w+", subject.called(node.id))
    return name if node.name and name not in words else "its result"


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

    @property
    def rules(self) -> list[str]:
        """The rules of the gradient edges, as they stand on the arrows, each once."""
        return list(dict.fromkeys(one_line(short(edge.rule), 80) for edge in self.edges if edge.rule))

    def reads(self, what: str) -> str:
        """``the rule × t_u reads t_u``, ``the rules × a and × b read a``."""
        verb = "rule {} reads" if len(self.rules) == 1 else "rules {} read"
        return f"the {verb.format(' and '.join(self.rules))} {what}"

    def reads_not(self, what: str) -> str:
        """The same where none of them does."""
        verb = "rule {} does not read" if len(self.rules) == 1 else "rules {} do not read"
        return f"the {verb.format(' and '.join(self.rules))} {what}"


def _tensors(rule: Rule | None, node: Node, makers: Mapping[int, str]) -> set[str]:
    """The nodes whose tensors a rule reads."""
    if rule is None or isinstance(rule, Words):
        return set()
    read = symbols(rule)
    inputs = {makers.get(symbol.slot, "") for symbol in read if symbol.role == "input"}
    saved = {symbol.name for symbol in read if symbol.role == "saved"}
    homes = {item.of for item in node.saved if item.name.partition("[")[0] in saved and item.of}
    return inputs | homes | ({node.id} if any(symbol.role == "result" for symbol in read) else set())


def _question(subject: Subject, node: Node, around: dict[str, str], home: str) -> Question:
    answer, grad_fn = around[home], one_line(node.grad_fn, 60)
    needs = _Needs(subject, node)
    wrong = [
        Wrong(name, _why(subject, needs, item, around, answer), 10)
        for item, name in around.items()
        if name != answer
    ]
    right = f"torch keeps {answer}" + (f": {needs.reads(answer)}." if home in needs.read else ".")
    wrong.append(Wrong(NONE, right, 10))
    if needs.read == {home}:
        right = f"{_begun(needs.reads(answer))} and nothing else."
    elif needs.complete and needs.read and home not in needs.read:
        names = [
            around.get(item) or subject.result(subject.nodes[item])
            for item in needs.read
            if item in subject.nodes
        ]
        right = f"torch keeps {answer}: {needs.reads(' and '.join(names))}, which can be told from it."
    elif needs.complete and needs.rules and not needs.read:
        right = f"torch keeps {answer}, though {needs.reads_not('it')}."
    return Question(
        f"kept-{node.id}",
        "saved",
        f"Which tensor does {subject.called(node.id)} ({grad_fn}) keep in memory for its backward?",
        answer,
        right,
        tuple(wrong),
        mixed(f"kept-{node.id}", *around.values(), NONE),
        0.0,
        node.id,
        0,
        f"{node.id}.saved",
    )


def _begun(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _why(subject: Subject, needs: _Needs, item: str, around: dict[str, str], answer: str) -> str:
    """Why ``item`` is not what is kept, as far as the rules tell."""
    name = around[item]
    if item in needs.read:
        return f"{_begun(needs.reads(name))}. That can be told from {answer} too, which is what torch keeps."
    if item in needs.unasked:
        other = subject.nodes.get(needs.unasked[item])
        whose = around.get(other.id) or subject.result(other) if other is not None else "the other input"
        return (
            f"Only the gradient of {whose} would need {name}; {whose} needs no gradient, "
            "so nobody asks for that one."
        )
    if needs.complete and needs.rules:
        return f"{_begun(needs.reads_not(name))}."
    return f"torch keeps {answer} here."


def cut(subject: Subject) -> Iterator[Question]:
    """What goes back through a tensor that was cut off."""
    for node in subject.graph.nodes:
        if node.kind != "constant" or node.cut is None:
            continue
        name = subject.called(node.id) if node.name else "A tensor without a name"
        made_by = one_line(cut_text(node.cut), 80)
        line = subject.graph.line(node.id) if not node.name else None
        at = f" ({line.position})" if line is not None else ""
        nothing, zeros, same = "nothing at all", "a gradient of zeros", "the gradient as if nothing were cut"
        yield Question(
            f"cut-{node.id}",
            "cut",
            f"{name} was made by {made_by}{at}. What does backward send back through it?",
            nothing,
            "It has no grad_fn: to autograd it is a constant, and there is no edge to send anything along.",
            (
                Wrong(zeros, "No gradient and a gradient of zero differ: here there is no edge at all.", 12),
                Wrong(same, "The value is the same in forward; backward ends there.", 18),
            ),
            mixed(f"cut-{node.id}", nothing, zeros, same),
            0.0,
            node.id,
        )
        return
