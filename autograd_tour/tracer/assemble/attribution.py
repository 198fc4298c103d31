"""Which call of the program made which node of the graph.

Nodes are numbered per thread, and a call knows the numbers its thread gave out while it ran. As long
as one thread made the whole graph, that settles it. Otherwise two nodes may have one number, and only
what can be followed from the result backwards, tensor by tensor, is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.forward import ForwardRecord

__all__ = ["attribute"]


def attribute(
    skeleton: Skeleton, record: ForwardRecord | None, outputs: Iterable[tuple[int, Tensor]]
) -> list[CallRecord | None]:
    """The call that made each node, ``None`` where that is not known. ``outputs``: (node, tensor)."""
    if record is None:
        return [None] * len(skeleton)
    numbers = skeleton.numbers()
    calls = [record.maker(number) for number in numbers]
    _forget_copies(numbers, calls)
    inner = [number for number in numbers if number >= 0]
    if not (record.threads or len(set(inner)) < len(inner) or _has_stranger(skeleton, calls)):
        return calls
    return _followed(skeleton, record, numbers, outputs)


def _forget_copies(numbers: Sequence[int], calls: Sequence[CallRecord | None]) -> None:
    """Of a call that wrote in place only nodes up to its last one in the graph count.

    Torch copies what such a call is to save and overwrites (`z.mul_(x)`), after the node was made: the copy
    has a later number, and leads nowhere.
    """
    last: dict[int, int] = {}
    for number, call in zip(numbers, calls, strict=True):
        if call is not None and call.writes and not call.second_order:
            last[id(call)] = max(number, last.get(id(call), number))
    for call in calls:
        if call is not None and id(call) in last:
            call.stop = last[id(call)] + 1


def _has_stranger(skeleton: Skeleton, calls: Sequence[CallRecord | None]) -> bool:
    """Whether a node has a leaf that its call was not given."""
    for i, inputs in enumerate(skeleton.next):
        call = calls[i]
        if call is None or not call.stop or call.second_order:
            continue  # what a backward makes has leaves that the call was not given
        for j, _ in inputs:
            if j >= 0 and skeleton.names[j] == "AccumulateGrad":
                leaf = skeleton.fns[j].variable
                if not any(operand.source is leaf or operand.unknown for operand in call.operands):
                    return True
    return False


def _followed(
    skeleton: Skeleton, record: ForwardRecord, numbers: Sequence[int], outputs: Iterable[tuple[int, Tensor]]
) -> list[CallRecord | None]:
    sure: list[CallRecord | None] = [None] * len(skeleton)
    for i, tensor in outputs:
        producer = record.producer(tensor)
        if producer is not None and producer[0].start <= numbers[i] < producer[0].stop:
            sure[i] = producer[0]
    for i in range(len(skeleton) - 1, -1, -1):
        call = sure[i]
        if call is None:
            continue
        edges = [j for j, _ in skeleton.next[i] if j >= 0]
        given = [operand for operand in call.operands if operand.differentiable]
        alone = call.made_one_node
        if alone and len(edges) == len(given):
            candidates = [[operand.source] for operand in given]
        elif any(operand.unknown for operand in given):
            continue  # what comes from elsewhere could have any number
        else:
            candidates = [[*([] if alone else [call]), *(operand.source for operand in given)]] * len(edges)
        for j, sources in zip(edges, candidates, strict=True):
            for source in sources:
                if isinstance(source, CallRecord) and source.start <= numbers[j] < source.stop:
                    sure[j] = sure[j] or source
    return sure
