"""Which node runs next: what is ready, and which of the ready ones the engine takes."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions.base import Question, Subject, Wrong, mixed
from autograd_tour.text import one_line

__all__ = ["questions"]

MOST = 1
CHOICES = 4
RULE = (
    "A node can run when all of its gradient is there. Of those that can, the engine takes an accumulator "
    "first, and then the one that forward made last."
)
"""Nobody can know the engine's order who was not told."""


def questions(subject: Subject) -> Iterator[Question]:
    """Moments in which the engine has a choice."""
    graph = subject.graph
    ran = [frame.node for frame in subject.frames[1:]]
    node_ids = dict.fromkeys(ran)
    senders: dict[str, set[str]] = {node: set() for node in node_ids}
    receivers: dict[str, set[str]] = {node: set() for node in node_ids}
    for edge in graph.select("gradient"):
        if edge.src in node_ids and edge.dst in node_ids:
            senders[edge.dst].add(edge.src)
            receivers[edge.src].add(edge.dst)
    position = {node: number for number, node in enumerate(ran)}
    missing = {node: len(before) for node, before in senders.items()}
    ready_now = {node for node in node_ids if not missing[node]}
    done: set[str] = set()
    count = 0
    accumulators = {node for node in node_ids if subject.nodes[node].kind == "accumulate"}
    # A folded card is many nodes: beside it only accumulators, which always go first, are sure to be next.
    folded = {node for node in node_ids if subject.nodes[node].kind == "group"}
    for index, node in enumerate(ran[:-1]):
        if count == MOST:
            return
        done.add(node)
        ready_now.discard(node)
        for other in receivers[node]:
            missing[other] -= 1
            if not missing[other]:
                ready_now.add(other)
        following = ran[index + 1]
        if graph.number_in_whole(following) > graph.number_in_whole(node) + 1:
            continue  # what runs in between is not in this part
        if subject.vague(node) or subject.vague(following) or (folded and following not in accumulators):
            continue
        if senders[following] & folded or len(ready_now) < 2:
            continue
        ready = sorted(ready_now, key=position.__getitem__)
        next_to_them = set().union(*(receivers[other] for other in (node, *ready))) - ready_now
        near = sorted(next_to_them, key=position.__getitem__)
        # Which of two accumulators goes first, nobody can know.
        tied = {following} | (accumulators & set(ready) if following in accumulators else set())
        others = [other for other in (*ready, *near) if other not in tied and not subject.vague(other)]
        offered = [following, *others][:CHOICES]
        names = [_named(subject, other) for other in offered]
        if len(set(names)) < len(names) or len(names) < 2:
            continue
        count += 1
        answer = names[0]
        wrong = [
            Wrong(name, _why(subject, other in ready_now, senders[other] - done), 9)
            for name, other in zip(names[1:], offered[1:], strict=True)
        ]
        accumulates = subject.nodes[offered[0]].kind == "accumulate"
        why = (
            "An accumulator runs as soon as all of its gradient is there."
            if accumulates
            else "Of the nodes that are ready, the engine takes the one that forward made last."
        )
        choices = mixed(f"next-after-{node}", *names)
        yield Question(
            f"next-after-{node}",
            "order",
            f"{RULE} Step {graph.number_in_whole(node)} of backward was {subject.called(node)}. "
            "Which node runs next?",
            answer,
            why,
            tuple(wrong),
            choices,
            0.0,
            graph.card_of(offered[0]),
            index + 2,
            frames=tuple(position[offered[names.index(choice)]] + 1 for choice in choices),
        )


def _named(subject: Subject, node_id: str) -> str:
    grad_fn = one_line(subject.nodes[node_id].grad_fn, 60)
    folded = subject.nodes[node_id].kind == "group"
    return subject.called(node_id) if folded else f"{subject.called(node_id)} ({grad_fn})"


def _why(subject: Subject, ready: bool, missing: set[str]) -> str:
    if ready:
        return "It is ready too. The engine takes an accumulator first, and then what forward made last."
    waits = ", ".join(sorted(subject.called(other) for other in missing))
    return f"It is not ready: it still waits for the gradient from {waits}."
