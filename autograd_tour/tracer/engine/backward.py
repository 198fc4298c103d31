"""One real backward, listened to: what every node receives and sends, in the engine's order.

A prehook sees what a node receives, already summed; a post-hook sees what leaves on each edge. The
hooks return nothing, so they change nothing, hold no node, and are removed whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.errors import ProgramError, StopRequest, UsageError, message_of
from autograd_tour.record.display import amount
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Step
from autograd_tour.tracer.altered import Altered, contents_restored
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.compiled import donates, no_donation
from autograd_tour.tracer.engine.arrivals import Destination
from autograd_tour.tracer.engine.listener import Inner, InnerLeaves, Listener, NodeRun
from autograd_tour.tracer.limits import recursion_limit_kept
from autograd_tour.tracer.listen.failures import described, exit_text, first_line, place_of
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.surroundings import LiveTensors, grads_restored

__all__ = ["OURS", "Backward", "OwnBackward", "record_backward", "run_backward", "start_gradients"]

Gradients = Sequence[Tensor | None]
Facts = tuple[TensorFacts | None, ...]


class OwnBackward(NamedTuple):
    """A backward of the program itself: what it starts with, how it is run, leaves it may reach in secret."""

    gradients: list[Tensor | None]
    run: Callable[[], None]
    leaves: list[Tensor]


class Backward(NamedTuple):
    """What was heard of one backward, in the engine's order.

    ``hooked`` are the destinations that received something else than was sent there: a hook of the program
    changed the gradient on its way. ``inner`` are leaves that the graph does not lead to and that got a
    gradient all the same: their accumulators are numbered after the nodes of the skeleton, in this order.
    ``written`` are such leaves whose ``.grad`` was changed without an accumulator. ``altered`` are leaves to
    which hooks of the program wrote.
    """

    runs: list[NodeRun]
    hooked: Set[Destination]
    inner: Sequence[Inner] = ()
    written: Sequence[Tensor] = ()
    altered: Altered = Altered([], [])

    def recorded(self, ids: Sequence[str]) -> BackwardPass:
        """The backward as the record has it. ``ids`` names the skeleton's nodes."""
        return BackwardPass(tuple([Step(ids[run[0]], *run[1:]) for run in self.runs]))


def record_backward(
    skeleton: Skeleton,
    starts: Sequence[tuple[Tensor, Tensor | None, Destination]],
    recorder: Recorder,
    *,
    fresh: bool,
    own: OwnBackward | None = None,
    live: LiveTensors | None = None,
) -> Backward:
    """Run ``backward`` and record every step.

    ``starts`` are (output, gradient or ``None`` for 1, where it belongs). ``fresh``: the program has only
    just made the graph.

    The graph is retained and every ``.grad`` is as found afterwards, unless it is the program's ``own``.
    ``live`` has looked at what is alive before.

    Raises:
        ProgramError: the engine or a hook of the program raised.
    """
    listener = Listener(skeleton, recorder)
    for output, gradient, destination in starts:
        begun = torch.ones_like(output) if gradient is None else gradient
        listener.arrivals.add(destination, recorder.measure(begun, gradient=True))
    handles = []
    try:
        custom = any(hasattr(fn, "_forward_cls") for fn in skeleton.fns)
        for i, fn in enumerate(skeleton.fns):
            handles += listener.listen(i, fn, nested=custom)
        watching: AbstractContextManager[list[Tensor]] = (
            grads_restored(listener.leaves.values(), beyond=custom, live=live)
            if own is None
            else nullcontext(own.leaves)
        )
        with watching as watched:
            inner = InnerLeaves(listener, watched if custom else ())
            handles += inner.handles
            # What hooks of the program do in its own backward is put back at the end of the run.
            undoing: AbstractContextManager[Altered] = (
                contents_restored(listener.leaves.values()) if own is None else nullcontext(Altered([], []))
            )
            with undoing as altered:
                if own is None:
                    run_backward(
                        [tensor for tensor, _, _ in starts],
                        [item for _, item, _ in starts],
                        fresh=fresh,
                        donated=any(map(donates, skeleton.fns)),
                    )
                else:
                    own.run()
            written = inner.written()
    finally:
        for handle in handles:
            handle.remove()
    runs = [step for step in listener.steps if step is not None]
    return Backward(runs, listener.arrivals.changed, listener.inner, written, altered)


class _Ours:
    """``running`` is true during a backward of our own: what it calls is not the program's doing."""

    def __init__(self) -> None:
        self._depth = 0
        self.running = False

    def __enter__(self) -> None:
        self._depth += 1
        self.running = True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self.running = self._depth > 0


OURS = _Ours()


def run_backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    *,
    fresh: bool = True,
    donated: bool = False,
) -> None:
    """``torch.autograd.backward`` with the graph retained, its errors in our words.

    ``donated``: a node of the graph gives buffers away, so torch is to have its say.
    """
    try:
        with OURS, recursion_limit_kept(), nullcontext() if donated else no_donation():
            torch.autograd.backward(outputs, gradients, retain_graph=True)
    except (KeyboardInterrupt, StopRequest):
        raise
    except RuntimeError as error:
        raise explain(error, fresh=fresh) from error
    except SystemExit as error:
        raise ProgramError(
            f"the program called sys.{exit_text(error)} in backward{place_of(error)}",
            "Take the call out of the program",
        ) from error
    except BaseException as error:
        raise ProgramError(
            f"backward raised {described(error)}{place_of(error)}",
            "The error comes from a hook or a custom Function of the program",
        ) from error


def explain(error: BaseException, *, fresh: bool) -> ProgramError:
    """An engine error as a :class:`ProgramError` that says what to do."""
    text = message_of(error)
    if "second time" in text and fresh:
        return ProgramError(
            "the program differentiated its loss itself, which freed the graph of what it returned",
            "Return the loss before that, or differentiate with retain_graph=True. A program that calls "
            "loss.backward() is followed as it is by autograd-tour render and by tour.follow()",
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
    if "donated buffer" in text:
        return ProgramError(
            "torch.compile has made a backward that runs once only, and the trace retains the graph",
            "Set torch._functorch.config.donated_buffer = False before it is compiled, or compile it within "
            "what is traced",
        )
    return ProgramError(
        f"backward raised {described(error)}{place_of(error)}",
        "Call backward(retain_graph=True) on the loss to see the whole traceback",
    )


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
                f"gradient= has {amount(len(given), 'tensor')} for {amount(len(outputs), 'output')}",
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
