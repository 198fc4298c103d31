"""What must hold for the numbers of a record: text that stands for one is one, and no tensor has too many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autograd_tour.errors import GraphError
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.node import Attribute, Node
from autograd_tour.record.run import Run

__all__ = ["check_ledger", "check_numbers", "check_run_numbers", "exact_sum", "is_number"]


def is_number(value: Number) -> bool:
    """Whether ``value`` is a number in the range of a float, or text for one; see :data:`.facts.Number`."""
    try:
        complex(value)
    except (ValueError, OverflowError):
        return False
    return True


def exact_sum(terms: Sequence[float]) -> float:
    """The sum of finite ``terms``, rounded once; infinite where it is beyond a float, and never an error."""
    try:
        return math.fsum(terms)
    except OverflowError:  # on the way, whatever the sum is
        return math.fsum(term * 2.0**-64 for term in terms) * 2.0**64


def check_numbers(graph: Graph) -> None:
    """Nothing, if every number in the nodes and steps of ``graph`` is one.

    The time grows with the number of elements that the graph keeps.

    Raises:
        GraphError: one is not; ``path`` says at which field (``nodes[3].values[0].first[1]``).
    """
    for i, node in enumerate(graph.nodes):
        for path, facts in _facts_of_node(node):
            _check_facts(facts, f"nodes[{i}].{path}")
        _check_each(node.numbers, f"nodes[{i}].numbers")
        for n, (_, value) in enumerate(node.attributes):
            _check_attribute(value, f"nodes[{i}].attributes[{n}][1]")
    for p, run in enumerate(graph.passes):
        for i, step in enumerate(run.steps):
            gradients = [(f"received[{n}]", facts) for n, facts in enumerate(step.received)]
            gradients += [(f"sent[{n}]", facts) for n, facts in enumerate(step.sent)]
            for path, facts in (*gradients, ("before", step.before), ("after", step.after)):
                _check_facts(facts, f"passes[{p}].steps[{i}].{path}")


def check_ledger(ledger: Ledger) -> None:
    """Nothing, if ``ledger`` has all calls of every leaf, and their numbers are numbers.

    Raises:
        GraphError: it has not; ``path`` says at which field (``accounts[0].keep``).
    """
    for i, facts in enumerate(ledger.losses):
        _check_facts(facts, f"losses[{i}]")
    for i, account in enumerate(ledger.accounts):
        if account.policies != ledger.policies:
            raise GraphError("leaves are told under different policies", f"accounts[{i}]")
        for policy in account.policies:
            calls, path = account.under(policy), f"accounts[{i}].{policy}"
            if len(calls) != ledger.calls:
                raise GraphError("a leaf has an entry for each call", path)
            for k, call in enumerate(calls):
                _check_facts(call.before, f"{path}[{k}].before")
                _check_facts(call.contribution, f"{path}[{k}].contribution")
                _check_facts(call.after, f"{path}[{k}].after")


def check_run_numbers(run: Run) -> None:
    """Nothing, if every number in the leaves, events and curves of ``run`` is one.

    Raises:
        GraphError: one is not; ``path`` says at which field (``events[3].loss``).
    """
    for i, graph in enumerate(run.graphs[1:], start=1):  # the first is that of the trace
        try:
            check_numbers(graph)
        except GraphError as error:
            raise GraphError(error.reason, f"graphs[{i}].{error.path}") from None
    for i, leaf in enumerate(run.leaves):
        for name in ("value", "grad", "final_value", "final_grad"):
            _check_facts(getattr(leaf, name), f"leaves[{i}].{name}")
    for i, event in enumerate(run.events):
        _check_facts(event.loss, f"events[{i}].loss")
        _check_each([value for _, value in event.settings], f"events[{i}].settings")
        for k, item in enumerate(event.returned):
            _check_facts(item.gradient, f"events[{i}].returned[{k}].gradient")
        for k, change in enumerate(event.changes):
            path = f"events[{i}].changes[{k}]"
            for name in ("before", "after", "contribution", "grad"):
                _check_facts(getattr(change, name), f"{path}.{name}")
            for n, state in enumerate(change.state):
                _check_facts(state.before, f"{path}.state[{n}].before")
                _check_facts(state.after, f"{path}.state[{n}].after")
    for i, curve in enumerate(run.curves):
        for k, row in enumerate((curve.losses, *curve.norms)):
            _check_each([value for value in row if value is not None], f"curves[{i}].{_row_name(k)}")


def _row_name(row: int) -> str:
    return f"norms[{row - 1}]" if row else "losses"


def _facts_of_node(node: Node) -> Iterator[tuple[str, TensorFacts | None]]:
    for n, facts in enumerate(node.values):
        yield f"values[{n}]", facts
    for n, saved in enumerate(node.saved):
        yield f"saved[{n}].facts", saved.facts


def _check_facts(facts: TensorFacts | None, path: str) -> None:
    if facts is None:
        return
    ragged = min(facts.shape, default=0) < 0
    if len(facts.first) > facts.numel and not ragged:
        raise GraphError("more elements than the tensor has", f"{path}.first")
    _check_each(facts.first, f"{path}.first")
    if facts.last is not None and not is_number(facts.last):
        raise _no_number(facts.last, f"{path}.last")
    if facts.stats is not None:
        for name in ("min", "max", "mean", "norm"):
            value = getattr(facts.stats, name)
            if value is not None and not is_number(value):
                raise _no_number(value, f"{path}.stats.{name}")


def _check_attribute(value: Attribute, path: str) -> None:
    """Words are attributes too, but a number is one that can be worked with."""
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            _check_attribute(item, f"{path}[{i}]")
    elif not isinstance(value, str) and not is_number(value):
        raise _no_number(value, path)


def _check_each(values: Sequence[Number], path: str) -> None:
    if {float, bool}.issuperset(map(type, values)):  # nearly always, and quick for millions of elements
        return
    for i, value in enumerate(values):
        if not is_number(value):
            raise _no_number(value, f"{path}[{i}]")


def _no_number(value: Number, path: str) -> GraphError:
    return GraphError(
        f"{value[:40]!r} is no number" if isinstance(value, str) else "a number beyond all floats", path
    )
