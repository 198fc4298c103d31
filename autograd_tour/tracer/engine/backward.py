"""One real backward, listened to: what every node receives and sends, in the engine's order.

A prehook sees what a node receives, already summed; a post-hook sees what leaves on each edge. The
hooks return nothing, so they change nothing, hold no node, and are removed whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.errors import ProgramError, UsageError
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Step
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.engine.arrivals import Arrivals, Place
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.surroundings import grads_restored

__all__ = ["Backward", "NodeRun", "record_backward", "run_backward", "start_gradients"]

Gradients = Sequence[Tensor | None]
Facts = tuple[TensorFacts | None, ...]


class NodeRun(NamedTuple):
    """Node number ``node`` of the skeleton as the engine ran it; the rest is as in :class:`Step`."""

    node: int
    received: Facts = ()
    sent: Facts = ()
    before: TensorFacts | None = None
    after: TensorFacts | None = None


class Backward(NamedTuple):
    """What was heard of one backward, in the engine's order.

    ``hooked`` are the places that received something else than was sent there: a hook of the program
    changed the gradient on its way.
    """

    runs: list[NodeRun]
    hooked: Set[Place]

    def recorded(self, ids: Sequence[str]) -> BackwardPass:
        """The backward as the record has it. ``ids`` names the skeleton's nodes."""
        return BackwardPass(tuple([Step(ids[run[0]], *run[1:]) for run in self.runs]))


def record_backward(
    skeleton: Skeleton,
    starts: Sequence[tuple[Tensor, Tensor | None, Place]],
    recorder: Recorder,
    *,
    fresh: bool,
) -> Backward:
    """Run ``backward`` and record every step.

    ``starts`` are (output, gradient or ``None`` for 1, where it belongs). ``fresh``: the program has only
    just made the graph.

    The graph is retained and every ``.grad`` is as found afterwards.

    Raises:
        ProgramError: the engine or a hook of the program raised.
    """
    listener = _Listener(skeleton, recorder)
    for output, gradient, place in starts:
        begun = torch.ones_like(output) if gradient is None else gradient
        listener.arrivals.add(place, recorder.measure(begun, gradient=True))
    handles = []
    try:
        for i, fn in enumerate(skeleton.fns):
            handles += [fn.register_prehook(listener.enter(i)), fn.register_hook(listener.leave(i))]
        own = any(hasattr(fn, "_forward_cls") for fn in skeleton.fns)
        with grads_restored(listener.leaves.values(), beyond=own):
            run_backward([tensor for tensor, _, _ in starts], [item for _, item, _ in starts], fresh=fresh)
    finally:
        for handle in handles:
            handle.remove()
    return Backward([step for step in listener.steps if step is not None], listener.arrivals.changed)


class _Listener:
    """Makes the hooks of all nodes and gathers what they hear. It holds leaves, but no node."""

    def __init__(self, skeleton: Skeleton, recorder: Recorder) -> None:
        self.recorder = recorder
        self.next = skeleton.next
        self.leaves: dict[int, Tensor] = {
            i: fn.variable for i, fn in enumerate(skeleton.fns) if skeleton.names[i] == "AccumulateGrad"
        }
        self.steps: list[NodeRun | None] = []
        self.arrivals = Arrivals()
        self._running: dict[int, list[tuple[int, Facts, TensorFacts | None]]] = {}

    def enter(self, i: int) -> Callable[[Gradients], None]:
        """The prehook of node ``i``."""

        def hook(received: Gradients) -> None:
            facts = tuple(map(self._facts, received))
            # Inside another node a second backward runs (reentrant checkpoints): its gradients came
            # along edges of another graph.
            if not self._running:
                for k, item in enumerate(facts):
                    self.arrivals.compare((i, k), item)
            leaf = self.leaves.get(i)
            before = None if leaf is None else self._facts(leaf.grad)
            self._running.setdefault(i, []).append((len(self.steps), facts, before))
            self.steps.append(None)

        return hook

    def leave(self, i: int) -> Callable[[Gradients, Gradients], None]:
        """The post-hook of node ``i``."""

        def hook(sent: Gradients, received: Gradients) -> None:
            place, facts, before = self._running[i].pop()
            if not self._running[i]:
                del self._running[i]
            if i in self.leaves:
                after = self._after(self.leaves[i], received, facts, before)
                self.steps[place] = NodeRun(i, facts, (), before, after)
                return
            # Some nodes compute a gradient for a constant too; there is no edge for it to leave on.
            left = tuple(
                self._facts(item) if to[0] >= 0 else None for item, to in zip(sent, self.next[i], strict=True)
            )
            for item, to in zip(left, self.next[i], strict=True):
                if item is not None:
                    self.arrivals.add(to, item)
            self.steps[place] = NodeRun(i, facts, left)

        return hook

    def _facts(self, item: Tensor | None) -> TensorFacts | None:
        return None if item is None else self.recorder.measure(item, gradient=True)

    def _after(
        self, leaf: Tensor, received: Gradients, facts: Facts, before: TensorFacts | None
    ) -> TensorFacts | None:
        """``.grad`` after a step. A first gradient is taken over as it is, so it need not be read again."""
        grad, came = leaf.grad, received[0]
        first = before is None and not getattr(leaf, "_post_accumulate_grad_hooks", None)
        if first and grad is not None and came is not None and _is_same_memory(grad, came):
            return facts[0]
        return self._facts(grad)


def _is_same_memory(a: Tensor, b: Tensor) -> bool:
    strided = a.layout == b.layout == torch.strided and not a.is_nested and not b.is_nested
    if not strided or a.dtype != b.dtype or a.shape != b.shape or a.stride() != b.stride():
        return False
    try:
        return a.data_ptr() == b.data_ptr()
    except RuntimeError:
        return False  # nothing behind it


def run_backward(
    outputs: Sequence[Tensor], gradients: Sequence[Tensor | None], *, fresh: bool = True
) -> None:
    """``torch.autograd.backward`` with the graph retained, its errors in our words."""
    try:
        torch.autograd.backward(outputs, gradients, retain_graph=True)
    except RuntimeError as error:
        raise explain(error, fresh=fresh) from error
    except Exception as error:
        raise ProgramError(
            f"backward raised {type(error).__name__}: {first_line(error)}",
            "The error comes from a hook or a custom Function of the program",
        ) from error
    except SystemExit as error:
        raise ProgramError(
            f"the program called sys.exit({error.code!r}) in backward", "Take the call out of the program"
        ) from error


def explain(error: BaseException, *, fresh: bool) -> ProgramError:
    """An engine error as a :class:`ProgramError` that says what to do."""
    text = str(error)
    if "second time" in text and fresh:
        return ProgramError(
            "the program called backward itself, which freed the graph of the loss it returned",
            "Return the loss before backward is called: the trace runs its own. "
            "Leave optimizer.step() out for the same reason",
        )
    if "second time" in text:
        return ProgramError(
            "the graph of this loss has been freed by an earlier backward",
            "Trace before calling backward, call backward(retain_graph=True), or trace with "
            "backward=False to see what can still be read",
        )
    if "inplace operation" in text:
        return ProgramError(
            f"backward needs a tensor that was modified in place: {first_line(error)}",
            "Write x = x + 1 for x += 1, or trace with backward=False to see the graph. An optimizer's "
            "step() between forward and backward changes parameters in place too",
        )
    return ProgramError(
        f"backward raised {type(error).__name__}: {first_line(error)}",
        "The same happens without the trace: call backward() on the loss to see the whole traceback",
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters, or its type."""
    text = str(error).strip().split("\n")[0].strip().rstrip(".")
    return text[:300] if text else type(error).__name__


def start_gradients(outputs: Sequence[Tensor], gradient: Any) -> tuple[list[Tensor], list[Tensor | None]]:
    """The outputs that backward starts from and their gradients (``None``: 1).

    Raises:
        ProgramError: no scalar to start from and no ``gradient``.
        UsageError: a ``gradient`` of another shape, or not a tensor for each output.
    """
    if gradient is not None:
        given = list(gradient) if isinstance(gradient, (list, tuple)) else [gradient]
        if len(given) != len(outputs):
            raise UsageError(
                f"gradient= has {len(given)} tensors for {len(outputs)} outputs",
                "Give a list with one tensor for each tensor of the result that needs a gradient",
            )
        for output, item in zip(outputs, given, strict=True):
            if not isinstance(item, Tensor):
                raise UsageError(
                    f"gradient= holds {type(item).__name__}, not a tensor",
                    "Give a tensor of the output's shape, for example torch.ones(...)",
                )
            if item.shape != output.shape:
                raise UsageError(
                    f"gradient= has shape {tuple(item.shape)}, the output has {tuple(output.shape)}",
                    "Both must be the same, as in Tensor.backward(gradient)",
                )
        return list(outputs), given
    scalars = [output for output in outputs if output.numel() == 1]
    if not scalars:
        shapes = ", ".join(str(tuple(output.shape)) for output in outputs[:4])
        several = f"none of the {len(outputs)} results is a scalar: their shapes are {shapes}"
        raise ProgramError(
            several if len(outputs) > 1 else f"the loss is not a scalar: its shape is {shapes}",
            "Reduce it with .sum() or .mean(), or start the backward with gradient=torch.ones(...)",
        )
    return scalars, [None] * len(scalars)
