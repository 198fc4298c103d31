"""One real backward, listened to: what every node receives and sends, in the engine's order.

A prehook sees what a node receives, already summed; a post-hook sees what leaves on each edge. The
hooks return nothing, so they change nothing, hold no node, and are removed whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_tour.errors import ProgramError
from autograd_tour.facts import TensorFacts
from autograd_tour.graph import BackwardPass, Step
from autograd_tour.tracer.measure import measure
from autograd_tour.tracer.surroundings import grads_restored
from autograd_tour.tracer.walk import Skeleton

__all__ = ["record_backward", "run_backward"]

Gradients = Sequence[Tensor | None]


def record_backward(
    skeleton: Skeleton,
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    ids: Sequence[str],
    keep: int | None,
) -> BackwardPass:
    """Run ``backward`` from ``outputs`` and record every step. ``ids`` names the skeleton's nodes.

    The graph is retained and every ``.grad`` is as found afterwards.

    Raises:
        ProgramError: the engine or a hook of the program raised.
    """
    steps: list[Step | None] = []
    running: dict[int, tuple[int, tuple[TensorFacts | None, ...], TensorFacts | None]] = {}
    leaves = {i: fn.variable for i, fn in enumerate(skeleton.fns) if skeleton.names[i] == "AccumulateGrad"}

    def facts(items: Gradients) -> tuple[TensorFacts | None, ...]:
        return tuple(None if item is None else measure(item, keep, gradient=True) for item in items)

    def grad_of(i: int) -> TensorFacts | None:
        leaf = leaves.get(i)
        return None if leaf is None or leaf.grad is None else measure(leaf.grad, keep, gradient=True)

    def enter(i: int) -> Callable[[Gradients], None]:
        def hook(received: Gradients) -> None:
            running[i] = (len(steps), facts(received), grad_of(i))
            steps.append(None)

        return hook

    def leave(i: int) -> Callable[[Gradients, Gradients], None]:
        def hook(sent: Gradients, _received: Gradients) -> None:
            place, received, before = running.pop(i)
            steps[place] = Step(ids[i], received, () if i in leaves else facts(sent), before, grad_of(i))

        return hook

    handles = []
    try:
        for i, fn in enumerate(skeleton.fns):
            handles += [fn.register_prehook(enter(i)), fn.register_hook(leave(i))]
        with grads_restored(leaves.values()):
            run_backward(outputs, gradients)
    finally:
        for handle in handles:
            handle.remove()
    return BackwardPass(tuple(step for step in steps if step is not None))


def run_backward(outputs: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    """``torch.autograd.backward`` with the graph retained, its errors in our words."""
    try:
        torch.autograd.backward(outputs, gradients, retain_graph=True)
    except RuntimeError as error:
        raise explain(error) from error
    except Exception as error:
        raise ProgramError(
            f"backward raised {type(error).__name__}: {first_line(error)}",
            "The error comes from a hook or a custom Function of the program",
        ) from error


def explain(error: BaseException) -> ProgramError:
    """An engine error as a :class:`ProgramError` that says what to do."""
    text = str(error)
    if "second time" in text:
        return ProgramError(
            "the graph of this loss has been freed by an earlier backward",
            "Trace before calling backward, call backward(retain_graph=True), or trace with "
            "backward=False to see what can still be read",
        )
    if "inplace operation" in text:
        return ProgramError(
            f"backward needs a tensor that was modified in place: {first_line(error)}",
            "Write x = x + 1 for x += 1, or trace with backward=False to see the graph",
        )
    return ProgramError(f"backward raised {type(error).__name__}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters, or its type."""
    text = str(error).strip().split("\n")[0].strip().rstrip(".")
    return text[:300] if text else type(error).__name__


def start_gradients(outputs: Sequence[Tensor], gradient: Any) -> tuple[list[Tensor], list[Tensor | None]]:
    """The outputs that backward starts from and their gradients (``None``: 1).

    Raises:
        ProgramError: no scalar to start from and no ``gradient``, or one of another shape.
    """
    if gradient is not None:
        given = list(gradient) if isinstance(gradient, (list, tuple)) else [gradient]
        if len(given) != len(outputs):
            raise ProgramError(f"gradient= has {len(given)} tensors for {len(outputs)} outputs")
        for output, item in zip(outputs, given, strict=True):
            if isinstance(item, Tensor) and item.shape != output.shape:
                raise ProgramError(
                    f"gradient= has shape {tuple(item.shape)}, the output has {tuple(output.shape)}",
                    "Both must be the same, as in Tensor.backward(gradient)",
                )
        return list(outputs), given
    scalars = [output for output in outputs if output.numel() == 1]
    if not scalars:
        shape = tuple(outputs[0].shape)
        raise ProgramError(
            f"the loss is not a scalar: its shape is {shape}",
            "Reduce it with .sum() or .mean(), or start the backward with gradient=torch.ones(...)",
        )
    return scalars, [None] * len(scalars)
