"""What a node saves, when it is freed, and why a second backward may raise."""

# mypy: disable-error-code="no-untyped-call, union-attr, attr-defined"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose

__all__ = ["forward", "hook", "stop"]


def hook(print: Print) -> None:
    """Backward twice through one graph."""
    x = torch.tensor(3.0, requires_grad=True)
    for name, y in (("x ** 2", x**2), ("x * 2", x * 2), ("x + 2", x + 2), ("x.sum()", x.sum())):
        y.backward()
        try:
            y.backward()
            print(name, "runs a second time")
        except RuntimeError:
            print(name, "raises")


def saved(print: Print) -> None:
    """What three nodes of the thermometer keep."""
    w = torch.tensor(1.0, requires_grad=True)
    product = w * t_u
    square = (product - t_c) ** 2
    mean = square.mean()
    print("the product keeps w:", product.grad_fn._saved_self)
    print("the product keeps t_u, of shape", tuple(product.grad_fn._saved_other.shape))
    print("the square keeps its input, of shape", tuple(square.grad_fn._saved_self.shape))
    print("the mean keeps a size:", mean.grad_fn._saved_self_sym_numel)


def forward(print: Print) -> Tensor:
    """The same, for the picture."""
    w = torch.tensor(1.0, requires_grad=True)
    loss = ((w * t_u - t_c) ** 2).mean()
    print("loss", loss.item())
    return loss


def again(print: Print) -> None:
    """A second backward."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x**2
    y.backward()  # frees what the node of y had saved
    y.backward()


def fresh(print: Print) -> None:
    """A forward for each backward."""
    x = torch.tensor(3.0, requires_grad=True)
    for _ in range(2):
        y = x**2
        y.backward()
    print("fixed: x.grad", x.grad)


def power(print: Print) -> Tensor:
    """One node that saves its input."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x**2
    print("y", y.item())
    return y


def transfer(print: Print) -> None:
    """A product of two leaves."""
    a = torch.tensor(2.0, requires_grad=True)
    c = torch.tensor(5.0)
    y = a * c
    print("keeps a:", y.grad_fn._saved_self)
    print("keeps c:", y.grad_fn._saved_other)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "twice",
                "backward is called twice through one graph. For which of the four does the second call raise?",
                "for x ** 2 and x * 2",
                "Both nodes saved something, x ** 2 its input and x * 2 its factor, and the first backward freed it. "
                "x + 2 and x.sum() save no tensor.",
                (
                    (
                        "for x ** 2 only",
                        "x * 2 is linear in x, but its node saves the factor 2, and that is freed as well.",
                        10,
                    ),
                    ("for all four", "What saves no tensor has nothing to miss the second time.", 10),
                    ("for none of them", "A graph frees what it saved as it runs.", 10),
                ),
            ),
            choose(
                "keeps",
                "w requires a gradient, t_u is data. Which tensor does the node of `w * t_u` keep for backward?",
                "t_u",
                "`w.grad` is computed with t_u. Only the gradient of t_u would need w, and nobody asks for that one.",
                (
                    ("w", "w is needed for the gradient of t_u, which requires none. (Multiply swaps.)", 2),
                    ("both", "It keeps what will be needed, and t_u gets no gradient.", 10),
                    (
                        "neither: it can be computed again",
                        "Without checkpointing nothing is computed again: what backward needs is kept.",
                        10,
                    ),
                ),
            ),
        ),
        explain="What would it cost to keep everything that was saved after backward?",
        rule="A node saves what its backward will need of this forward; the first backward frees it unless it is told to retain the graph.",
        explanation=(
            "The product keeps t_u and not w, because t_u needs no gradient. The square keeps its input, all "
            "eleven numbers. The mean keeps only sizes.",
            "Usually the way out is a forward for each backward. `retain_graph=True` keeps what was saved, and is "
            "for several backward passes through one forward; as a cure for an unexplained error it only hides "
            "that an old graph is in use, and costs memory.",
        ),
        transfer=choose(
            "other",
            "a requires a gradient, c does not; y = a * c. What does the node of y keep?",
            "c only",
            "`a.grad` needs c; the gradient of c, which would need a, is not asked for.",
            (
                ("a only", "a would be needed for the gradient of c.", 2),
                (
                    "a and c",
                    "It keeps what its backward will need: c gets no gradient, so a is not needed.",
                    10,
                ),
            ),
        ),
        recall=choose(
            "freed",
            "A training loop computes the loss once, and calls `loss.backward()` in each round. What is the cure for "
            "the error in the second round?",
            "to compute the loss in each round",
            "Each backward needs a forward of its own; the parameters have changed, and so has the loss.",
            (
                (
                    "`retain_graph=True`",
                    "Then it goes through the forward of the first round again, or raises since parameters were changed in place.",
                    10,
                ),
                ("`zero_grad()` before it", "That empties `.grad`; what was freed is in the graph.", 6),
            ),
        ),
    )


stop = Stop(
    number=10,
    part=2,
    name="saved",
    title="What is saved for backward, and for how long?",
    objective="say what a node keeps and why, and what a second backward may miss",
    misconception="everything is saved, a linear operation may always run backward twice, and `retain_graph=True` is the fix",
    prerequisites=(2, 7),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(7, 9),
    reading=("Hooks for autograd saved tensors, in the PyTorch tutorials",),
    pictures=(
        Picture("steps", "What is saved, and then freed", forward),
        Picture("graph", "The node that saved x", power, mark=("y",)),
    ),
    errors=(
        Failing(
            again,
            "# frees what",
            "PowBackward0",
            "The message names `retain_graph=True`. It is the way out only if one forward is really to be used "
            "twice.",
            fresh,
            "A second backward through one graph",
        ),
    ),
    more=(Snippet(saved, "What the nodes of the thermometer keep"),),
)
