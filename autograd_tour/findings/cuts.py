"""Where a path to the loss was cut, in words: why that ends it and what to write."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.findings.base import MarkedLine, lines_of
from autograd_tour.record.evidence import CutKind, CutPoint

__all__ = ["fix_of", "lines_of_cut", "why_of"]

_WHY: Mapping[CutKind, str] = {
    "no_grad": "It was computed while gradients were turned off, so autograd recorded no step of it: its "
    "result "
    "is a plain number to backward, although parameters went into it.",
    "inference": "It was computed under inference_mode, so autograd recorded no step of it, and its result "
    "can "
    "never take part in a backward.",
    "checkpoint": "A reentrant checkpoint runs its function without gradients and returns a result that "
    "needs one "
    "only if one of its inputs does. Here none did, as after a frozen embedding: the parameters inside get "
    "nothing, "
    "and no error is raised.",
    "sample": "sample() draws numbers without their history: backward does not know how they follow from the "
    "parameters of the distribution, and stops there. rsample() draws the same numbers and knows.",
    "detach": "detach() gives the same numbers without their history. Backward stops there: what came before "
    "gets no gradient.",
    "data": ".data gives the same numbers without their history, as detach() does. Backward stops there: "
    "what "
    "came before gets no gradient.",
    "written": "Numbers were written through .data, behind autograd's back: the tensor has them without "
    "their history. Backward stops there: what they were computed from gets no gradient.",
    "value": "{function}() gives Python numbers. They have no history, and a tensor made from them begins a "
    "new one: backward cannot know how they were computed.",
    "numpy": "{function}() gives an array of NumPy, which autograd does not see. A tensor made from it has "
    "no history: "
    "backward cannot know how its numbers were computed.",
    "integer": "{function}() gives integers or truth values. They jump where their inputs change, so they "
    "have no "
    "derivative, and autograd ends there.",
    "function": "{function}() gives a result that needs no gradient, although what went in needs one.",
}
_FIX: Mapping[CutKind, str] = {
    "no_grad": "# compute the loss outside of torch.no_grad(); keep no_grad for evaluation\nout = model(x)",
    "inference": "# compute the loss outside of torch.inference_mode()\nout = model(x)",
    "checkpoint": "y = checkpoint(block, x, use_reentrant=False)",
    "sample": "z = distribution.rsample()   # such as loc + scale * noise; sample() only beside its log_prob",
    "detach": "y = model(x)            # without .detach(); detach only what you log or keep,\n"
    "                        # or where another loss is not to train the model: judge(y.detach())",
    "data": "y = x                   # without .data",
    "written": "buffer[:] = y           # without .data: autograd records that y was written",
    "value": "loss = out.mean()       # stay a tensor; .item() only for printing",
    "numpy": "y = torch.sin(x)        # no array on the way; for np.sin the torch function of the same name",
    "integer": "p = logits.softmax(-1)  # a smooth function of the logits, such as F.cross_entropy(logits, "
    "target)",
    "function": "# use a function with a derivative on the way to the loss",
}


def why_of(cut: CutPoint) -> str:
    """A paragraph on this cut."""
    return _WHY[cut.kind].format(function=cut.function)


_LISTED = "y = torch.stack([f(row) for row in x])   # rows of the tensor itself; .tolist() only for printing"


def fix_of(cut: CutPoint) -> str:
    """What to write instead."""
    return _LISTED if cut.function == "tolist" else _FIX[cut.kind]


def lines_of_cut(cut: CutPoint) -> tuple[MarkedLine, ...]:
    """The line of the cut, and the one that turned gradients off."""
    off = cut.off if cut.off != cut.line else None
    return lines_of(("cut here", cut.line), ("gradients turned off here", off))
