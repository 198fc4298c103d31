"""An optimizer whose step misses parameters: gradients went to others than its own."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import (
    Finding,
    MarkedLine,
    Subject,
    is_zero,
    lines_of,
    listed,
    optimizer_line,
)
from autograd_tour.record.display import amount
from autograd_tour.record.run import Event, Run

__all__ = ["findings"]


def _is_bare(subject: Subject, event: Event) -> bool:
    """Whether a backward began at a leaf: a loss that was made of numbers has no operations behind it."""
    graph = (
        subject.graphs[event.graph] if event.graph is not None and event.graph < len(subject.graphs) else None
    )
    return graph is not None and not any(node.kind in ("operation", "group") for node in graph.nodes)


def _of_a_number(subject: Subject, backward: Event, step: Event) -> Finding:
    return Finding(
        "requires-grad-set-on-result",
        "error",
        "backward began at a leaf: no parameter gets a gradient",
        lines_of(("backward here", subject.line(backward)), ("stepped here", subject.line(step))),
        "The tensor that backward was called on requires a gradient, and comes from nothing that does: "
        "it was made anew of a number or of data, as by torch.tensor(loss.item(), requires_grad=True). "
        "It gets a gradient itself, and nothing that the number came from gets any.",
        "loss.backward()         # on the loss itself, as it was computed; .item() only to print it",
    )


def _is_cut_off(subject: Subject, step: Event) -> bool:
    """Whether the parameters of the optimizer that steps were cut off from the loss: that is told of them."""
    leaves = subject.evidence.leaves
    return any(leaf.reason in ("cut", "left") and f"{leaf.optimizer}.step" == step.call for leaf in leaves)


def _of_replacement(subject: Subject, step: Event) -> tuple[MarkedLine, ...]:
    """Where the parameters that this optimizer holds were replaced, and where it was made."""
    leaves = subject.evidence.leaves
    replaced = [
        leaf for leaf in leaves if leaf.reason == "replaced" and f"{leaf.optimizer}.step" == step.call
    ]
    pairs = (("replaced here", leaf.last) for leaf in replaced)
    births = (("optimizer made here", leaf.birth) for leaf in replaced[:1])
    return tuple(dict.fromkeys(lines_of(*pairs, *births)))


def _shared(subject: Subject) -> Iterator[Finding]:
    for item in subject.evidence.optimizers:
        if item.shared:
            yield Finding(
                "parameters-in-two-optimizers",
                "warning",
                f"two optimizers that step in turn hold the same {amount(item.shared, 'parameter')}",
                lines_of(("stepped here", item.line), ("and here", item.other)),
                "Each of them moves these parameters by a rule of its own, and whatever this optimizer was "
                "meant for is trained by none. Most likely it was given the parameters of the wrong model.",
                "for_generator = torch.optim.Adam(generator.parameters())\n"
                "for_judge = torch.optim.Adam(judge.parameters())",
            )


def _unregistered(subject: Subject) -> Iterator[Finding]:
    """Leaves that a model does not know of, unless the program updates them or asks for their gradient."""
    run = subject.run
    if run is None:
        return
    wanted = _wanted(run)
    for item in subject.evidence.optimizers:
        names = [name for name in item.unregistered if name not in wanted]
        if names:
            yield Finding(
                "parameters-not-registered",
                "warning",
                f"{listed(names)} got a gradient, and no optimizer that steps here holds "
                f"{'it' if len(names) == 1 else 'them'}",
                lines_of(("stepped here", item.line)),
                "The model holds what torch does not register: a tensor that is no nn.Parameter, or modules "
                "in a plain list or dict. parameters() does not give these, and zero_grad(), to() and "
                "state_dict() do not reach them.",
                "self.layers = nn.ModuleList(layers)        # not a plain list\n"
                "self.scale = nn.Parameter(torch.ones(1))   # not a plain tensor",
                about=tuple(names),
            )


def _wanted(run: Run) -> set[str]:
    """The leaves whose values the program changes, or whose gradients it asked for."""
    names = {gradient.name for event in run.events for gradient in event.returned}
    return names | {
        run.leaves[change.leaf].name
        for event in run.events
        if event.kind in ("update", "rebinding", "step")
        for change in event.changes
    }


def _unheld(subject: Subject) -> Iterator[Finding]:
    """Parameters in no optimizer to whose ``.grad`` each round adds, and that nothing uses or empties."""
    run = subject.run
    if run is None or not subject.evidence.unheld:
        return
    other = _wanted(run).union(*(item.unregistered for item in subject.evidence.optimizers))
    emptied = (change for event in run.events if event.kind == "zeroing" for change in event.changes)
    other |= {run.leaves[change.leaf].name for change in emptied}
    growing: dict[str, Event] = {}
    step: Event | None = None
    for event in subject.events:
        step = event if event.kind == "step" else step
        for change in event.changes if event.kind == "backward" and step is not None else ():
            grows = change.before is not None and not is_zero(change.before)
            if grows and not is_zero(change.contribution):
                growing.setdefault(run.leaves[change.leaf].name, event)
    names = [name for name in growing if name in subject.evidence.unheld and name not in other]
    if not names or step is None:
        return
    yield Finding(
        "parameters-in-no-optimizer",
        "warning",
        f"{listed(names)} {'gets' if len(names) == 1 else 'get'} gradients, and no optimizer that steps here "
        f"holds {'it' if len(names) == 1 else 'them'}",
        lines_of(
            ("adds to the old .grad here", subject.line(growing[names[0]])),
            ("stepped here", subject.line(step)),
        ),
        "No step uses these gradients and nothing empties them: the values stay as they were, and backward "
        "adds to .grad each time.",
        "optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)\n"
        "decoder.requires_grad_(False)   # or so, if it is not to be trained",
        about=tuple(names),
    )


def findings(subject: Subject) -> Iterator[Finding]:
    """Optimizers that share or miss parameters, and lines whose steps changed nothing after a backward."""
    yield from _shared(subject)
    yield from _unregistered(subject)
    idle = list(_idle(subject))
    yield from idle
    if not idle and not any(leaf.optimizer for leaf in subject.evidence.leaves):  # that is the cause then
        yield from _unheld(subject)


def _idle(subject: Subject) -> Iterator[Finding]:
    """Lines whose steps all followed a backward and changed nothing."""
    run = subject.run
    if run is None or subject.evidence.gradless:
        return
    idle: dict[int | None, tuple[Event, set[int]]] = {}
    busy: set[int | None] = set()
    full: set[int] = set()
    for event in subject.events:
        if event.kind == "backward":
            full |= {change.leaf for change in event.changes if change.after is not None}
        elif event.kind == "zeroing":
            full -= {change.leaf for change in event.changes}
        elif event.kind == "step":
            if event.changes:
                busy.add(event.where)
            elif full:
                idle.setdefault(event.where, (event, set(full)))
    bare = next(
        (event for event in subject.events if event.kind == "backward" and _is_bare(subject, event)), None
    )
    for where, (event, leaves) in idle.items():
        if where in busy:
            continue
        if bare is not None:
            yield _of_a_number(subject, bare, event)
            return
        if _is_cut_off(subject, event):
            continue
        names = listed(run.leaves[leaf].name for leaf in sorted(leaves))
        why = (
            f"backward deposited gradients in {names}. None of the parameters that this optimizer holds is "
            f"among them, so "
            "its step had nothing to use. It was made for another model, or for parameters that were "
            "replaced after it was "
            "made (a new layer, a copy, a rebound name)."
        )
        yield Finding(
            "optimizer-of-other-parameters",
            "error",
            f"{event.call or 'the step'} changed nothing: none of its parameters has a gradient",
            (*lines_of(("stepped here", subject.line(event))), *_of_replacement(subject, event)),
            why,
            f"{optimizer_line(event.call.partition('.')[0], 'model.parameters()', event.settings)}"
            "   # after the model is complete",
        )
