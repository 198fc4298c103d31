"""The arguments and results of a call, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from autograd_tour.tracer.listen.calls import Path

__all__ = ["arguments", "flat", "is_leaf", "pointer", "result_names"]


def result_names(assigned: tuple[str, ...], result: Any, count: int) -> tuple[str, ...]:
    """The names of the tensors in a result; one variable for all of them names each by its place."""
    if isinstance(result, Tensor):  # one that is unpacked, `a, b = x @ w`, is none of its rows
        return assigned if len(assigned) == 1 else ()
    if len(assigned) != 1:
        return assigned[:count]
    if not isinstance(result, (list, tuple)) or len(result) != count:
        return ()
    fields = getattr(type(result), "__match_args__", ())  # torch's own named tuples have them
    return tuple(
        f"{assigned[0]}.{fields[n]}" if n < len(fields) else f"{assigned[0]}[{n}]" for n in range(count)
    )


def arguments(args: Any, kwargs: Any) -> Iterator[tuple[Path, Any]]:
    """All arguments, those in lists one by one, with their places."""
    for key, item in [*enumerate(args), *kwargs.items()]:
        if isinstance(item, (list, tuple, dict)):
            for n, part in enumerate(flat(item)):
                yield (key, n), part
        else:
            yield (key,), item


def flat(value: Any, depth: int = 0) -> Iterator[Any]:
    """The items of a nest, one by one."""
    if depth == 4 or not isinstance(value, (list, tuple, dict)):
        yield value
        return
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (list, tuple, dict)):
            yield from flat(item, depth + 1)
        else:
            yield item


def is_leaf(tensor: Tensor) -> bool:
    """Whether a tensor is a leaf for sure: of a view this is not asked, torch would make its node anew."""
    return not tensor._is_view() and tensor.is_leaf


def pointer(tensor: Tensor) -> int:
    """The address of its numbers, 0 where there is none."""
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0  # sparse, fake, functorch: nothing to point at
