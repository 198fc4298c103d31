"""What only a live run can tell of gradients that are missing or wrong: apart from the record."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.record.graph import SourceLine

__all__ = [
    "Conflict",
    "CustomBackward",
    "CutKind",
    "CutPoint",
    "Evidence",
    "Failure",
    "FreedNode",
    "HookEvidence",
    "KeptGraph",
    "LeafEvidence",
    "Mode",
    "ModeEvidence",
    "NonLeafRead",
    "OptimizerEvidence",
    "Reason",
    "Recomputation",
    "ScalerEvidence",
    "ScalerFault",
    "UnequalBatches",
    "UnusedParameters",
]

CutKind = Literal[
    "no_grad",
    "inference",
    "checkpoint",
    "sample",
    "detach",
    "data",
    "written",
    "value",
    "numpy",
    "integer",
    "function",
]
"""How a result lost its gradient. ``checkpoint``: in a reentrant one none of whose inputs needs one;
``sample``: a distribution drew it, where ``rsample()`` would have kept the history;
``written``: it was written into memory through ``.data``; ``value``: it left torch as a Python number
(``item``, ``float``); ``numpy``: as an array; ``integer``: it has integers or truth values; ``function``: in
another way."""

Reason = Literal["cut", "left", "unused", "beside", "copy", "replaced", "frozen"]
"""Why a leaf has no gradient: what was computed from it was cut off before the loss; it left torch, and what
became of it is not known; nothing used it; what used it does not lead to the loss; it is a copy into which
other leaves are written; its model has another one in its place; it does not require one."""


Mode = Literal["graph-in-evaluation", "evaluation-in-training", "training-in-evaluation", "dropout-always"]
"""A module in evaluation mode recorded a graph that no backward used; it ran in that mode in a step that
trains; in training mode where gradients were off and nothing trained; a dropout that no mode turns off."""

ScalerFault = Literal["clipped", "stepped", "unscaled"]
"""Gradients were clipped while scaled; the optimizer stepped with scaled ones; the backward was that of
a loss that was not scaled."""


class CutPoint(Struct, frozen=True, omit_defaults=True):
    """The call where a path from leaves to the loss ends. ``off`` is the line that turned gradients off."""

    kind: CutKind
    function: str = ""
    line: SourceLine | None = None
    off: SourceLine | None = None


class LeafEvidence(Struct, frozen=True, omit_defaults=True):
    """A leaf to which no backward brought a gradient.

    ``last`` is the last line that used it, or a result of it, wrote to it or replaced it. ``optimizer`` is
    the class of the one that holds it, ``""`` if none does, and ``birth`` the line that made that one, of one
    that was replaced. ``package`` is the installed one whose module does without it, ``""`` if
    the
    program's own does, or none.
    """

    name: str
    reason: Reason
    cut: CutPoint | None = None
    last: SourceLine | None = None
    optimizer: str = ""
    package: str = ""
    birth: SourceLine | None = None


class Conflict(Struct, frozen=True, omit_defaults=True):
    """A tensor that a node saved, and that was changed in place before backward needed it.

    ``silent``: torch does not notice, since the change went past its version counter. ``changed_by`` is a
    function, or a method such as ``SGD.step``.
    """

    grad_fn: str
    tensor: str
    saved_by: str = ""
    saved_at: SourceLine | None = None
    changed_by: str = ""
    changed_at: SourceLine | None = None
    backward_at: SourceLine | None = None
    silent: bool = False


class FreedNode(Struct, frozen=True, omit_defaults=True):
    """A node that a second backward came to. ``carried``: the loss was computed after the first
    backward, from a result of before it; ``again``: it is the same loss; ``returned``: the second
    backward is that of what the program returned, which it does not call itself.
    """

    grad_fn: str
    made_at: SourceLine | None = None
    freed_at: SourceLine | None = None
    backward_at: SourceLine | None = None
    carried: bool = False
    again: bool = False
    returned: bool = False


class Failure(Struct, frozen=True, omit_defaults=True):
    """The error that ended the program: its type, torch's own text, the line of the program, and when.

    ``type`` is ``""`` where the program itself ended well: then ``text`` says why no backward followed.
    ``own``: the program raised it itself, or a package other than torch.
    """

    type: str
    text: str
    line: SourceLine | None = None
    during: Literal["forward", "backward", "step"] = "forward"
    own: bool = False

    @property
    def message(self) -> str:
        """What torch or the program said; ``""`` if it was neither."""
        return self.text if self.type else ""


class OptimizerEvidence(Struct, frozen=True, omit_defaults=True):
    """An optimizer that made a step: how many parameters it holds, how many of them ever got a gradient.

    ``elsewhere`` counts leaves that got gradients and are in no optimizer. ``shared`` counts parameters that
    another one holds too, with which it takes turns, and ``other`` is the line of that one's step.
    ``unregistered`` names leaves that got gradients and are in no optimizer, since the model of which this
    one holds parameters has them in a plain attribute, list or dict, where torch does not look.
    """

    name: str
    line: SourceLine | None = None
    parameters: int = 0
    reached: int = 0
    elsewhere: int = 0
    shared: int = 0
    other: SourceLine | None = None
    unregistered: tuple[str, ...] = ()


class NonLeafRead(Struct, frozen=True, omit_defaults=True):
    """``.grad`` of a computed tensor was read, and was ``None``."""

    read_at: SourceLine | None = None
    made_at: SourceLine | None = None
    function: str = ""


class KeptGraph(Struct, frozen=True, omit_defaults=True):
    """A line that adds a result to a sum in every iteration and so keeps the graphs of all of them.

    ``nodes`` and ``bytes`` (of saved tensors) are what one iteration keeps, ``None`` if that is not known.
    """

    line: SourceLine
    iterations: int
    nodes: int | None = None
    bytes: int | None = None


class UnequalBatches(Struct, frozen=True, omit_defaults=True):
    """A line that averaged over different numbers of elements, whose gradients were added with one weight."""

    line: SourceLine | None
    backward_at: SourceLine | None
    sizes: tuple[int, ...] = ()


class ModeEvidence(Struct, frozen=True, omit_defaults=True):
    """A module that ran in a mode that does not fit: ``module`` is its class, ``parts`` what heeds the mode.

    ``switched`` is the line that set the mode, ``calls`` how often it ran so.
    """

    mode: Mode
    module: str
    line: SourceLine | None = None
    switched: SourceLine | None = None
    parts: tuple[str, ...] = ()
    calls: int = 1


class UnusedParameters(Struct, frozen=True, omit_defaults=True):
    """Parameters of a module that ran, to which the backward of its results brought nothing."""

    module: str
    names: tuple[str, ...]
    line: SourceLine | None = None
    backward_at: SourceLine | None = None


class ScalerEvidence(Struct, frozen=True, omit_defaults=True):
    """What was done in the wrong order around a gradient scaler, where, and the backward before it."""

    fault: ScalerFault
    line: SourceLine | None = None
    backward_at: SourceLine | None = None


class Recomputation(Struct, frozen=True, omit_defaults=True):
    """The first operation of a checkpointed function that differed when it was computed again.

    ``first`` and ``again`` are the functions called, ``""`` if there was none any more; ``shapes`` and
    ``values``
    say whether their results differed in shape or type, or in numbers alone. ``reentrant``: of a
    checkpoint in which torch compares nothing.
    """

    first: str
    again: str
    first_at: SourceLine | None = None
    again_at: SourceLine | None = None
    shapes: tuple[str, str] = ("", "")
    values: bool = False
    reentrant: bool = False


class HookEvidence(Struct, frozen=True, omit_defaults=True):
    """A hook that was put on a tensor, and the line that made this tensor; of a leaf there is none."""

    registered_at: SourceLine
    made_at: SourceLine | None = None


class CustomBackward(Struct, frozen=True, omit_defaults=True):
    """A custom Function whose backward disagrees with differences of its forward.

    ``analytic`` and ``numeric`` are one derivative along a direction. ``flat``: the forward is a step
    function;
    ``reversed``: the backward is a negative multiple of the derivative. ``backward_at`` is the line of its
    ``def backward``. ``arguments`` are those of its forward by name, ``inputs`` those that need a gradient.
    """

    function: str
    used_at: SourceLine | None = None
    backward_at: SourceLine | None = None
    analytic: float = 0.0
    numeric: float = 0.0
    flat: bool = False
    reversed: bool = False
    arguments: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


class Evidence(Struct, frozen=True, omit_defaults=True):
    """All of it. ``cuts`` are those between the loss and what needs a gradient, of a loss that needs none.

    ``clipped_nothing`` are lines that clipped before there was any gradient, in every iteration.
    ``switched`` is the line that set ``requires_grad`` on a computed loss. ``backwards`` counts backward
    calls. ``gradless``: the loss needs no gradient; ``gradless_loss`` is its line, if that is known.
    ``unheld`` names parameters that got gradients and are in no optimizer, where some optimizer steps.
    """

    failure: Failure | None = None
    gradless: bool = False
    gradless_loss: SourceLine | None = None
    cuts: tuple[CutPoint, ...] = ()
    frozen: int = 0
    switched: SourceLine | None = None
    leaves: tuple[LeafEvidence, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    freed: FreedNode | None = None
    optimizers: tuple[OptimizerEvidence, ...] = ()
    reads: tuple[NonLeafRead, ...] = ()
    kept: tuple[KeptGraph, ...] = ()
    clipped_nothing: tuple[SourceLine, ...] = ()
    backwards: int = 0
    unequal: tuple[UnequalBatches, ...] = ()
    modes: tuple[ModeEvidence, ...] = ()
    unused: tuple[UnusedParameters, ...] = ()
    scaler: tuple[ScalerEvidence, ...] = ()
    recomputed: Recomputation | None = None
    hooks: tuple[HookEvidence, ...] = ()
    customs: tuple[CustomBackward, ...] = ()
    unheld: tuple[str, ...] = ()
