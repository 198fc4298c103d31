"""What holds for every run, written down once, as :mod:`~autograd_tour.record.validate` does for graphs."""

from __future__ import annotations

from autograd_tour.errors import GraphError
from autograd_tour.record.run import Curve, Event, Run
from autograd_tour.record.validate import validate

__all__ = ["validate_run"]


def validate_run(run: Run) -> None:
    """Nothing, if ``run`` is one that views, reports and questions can rely on.

    - There is a graph, and every graph is valid.
    - An event finds its line, its graph and its leaves, and names each leaf once.
    - Backward calls are numbered in the order in which they began, up to ``backward_calls``.
    - A curve has a loss and a norm for each of its calls, in rising order, and finds its line and leaves.

    Raises:
        GraphError: one of these does not hold; ``path`` says at which field (``events[3].graph``).
    """
    if not run.graphs:
        raise GraphError("there is no graph", "graphs")
    for i, graph in enumerate(run.graphs):
        try:
            validate(graph)
        except GraphError as error:
            raise GraphError(error.reason, f"graphs[{i}].{error.path}") from None
    number = 0
    for i, event in enumerate(run.events):
        _check_event(event, run, f"events[{i}]")
        if event.kind == "backward":
            if event.backward_call <= number:
                raise GraphError("backward calls are not in order", f"events[{i}].backward_call")
            number = event.backward_call
    for i, curve in enumerate(run.curves):
        _check_curve(curve, run, f"curves[{i}]")


def _check_event(event: Event, run: Run, path: str) -> None:
    _check_index(event.where, len(run.source), f"{path}.where", "there is no such line")
    _check_index(event.graph, len(run.graphs), f"{path}.graph", "there is no such graph")
    if not 0 <= event.backward_call <= run.backward_calls:
        raise GraphError("there is no such backward call", f"{path}.backward_call")
    for k, item in enumerate(event.returned):
        _check_index(item.leaf, len(run.leaves), f"{path}.returned[{k}].leaf", "there is no such leaf")
    if event.returned and event.kind != "backward":
        raise GraphError("only a backward returns gradients", f"{path}.returned")
    leaves: set[int] = set()
    for k, change in enumerate(event.changes):
        _check_index(change.leaf, len(run.leaves), f"{path}.changes[{k}].leaf", "there is no such leaf")
        if change.leaf in leaves:
            raise GraphError("a leaf changes twice in one event", f"{path}.changes[{k}].leaf")
        leaves.add(change.leaf)


def _check_curve(curve: Curve, run: Run, path: str) -> None:
    _check_index(curve.where, len(run.source), f"{path}.where", "there is no such line")
    for k, leaf in enumerate(curve.leaves):
        _check_index(leaf, len(run.leaves), f"{path}.leaves[{k}]", "there is no such leaf")
    if list(curve.calls) != sorted(set(curve.calls)):
        raise GraphError("calls are not in rising order", f"{path}.calls")
    if len(curve.losses) != len(curve.calls):
        raise GraphError("there is not one loss for each call", f"{path}.losses")
    if len(curve.norms) != (len(curve.leaves) or 1):
        raise GraphError("there is not one row for each leaf", f"{path}.norms")
    for k, norms in enumerate(curve.norms):
        if len(norms) != len(curve.calls):
            raise GraphError("there is not one norm for each call", f"{path}.norms[{k}]")


def _check_index(number: int | None, count: int, path: str, what: str) -> None:
    if number is not None and not 0 <= number < count:
        raise GraphError(what, path)
