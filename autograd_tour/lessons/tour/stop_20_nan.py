"""A masked branch that still makes NaN: 0 times infinity."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """The output is masked."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    y = torch.where(x > 0, x.sqrt(), 0.0)
    y.sum().backward()
    print("y", y.detach())
    print("x.grad[0]", x.grad[0])  # type: ignore[index]
    print("x.grad[1]", x.grad[1])  # type: ignore[index]


def watched(print: Print) -> None:
    """Anomaly detection names the node."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    root = x.sqrt()  # its slope at 0 is infinite
    y = torch.where(x > 0, root, 0.0)
    with torch.autograd.detect_anomaly():
        y.sum().backward()


def masked_before(print: Print) -> None:
    """The input is masked."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    safe = torch.where(x > 0, x, 1.0)
    y = torch.where(x > 0, safe.sqrt(), 0.0)
    y.sum().backward()
    print("fixed: y", y.detach())
    print("fixed: x.grad", x.grad)


def transfer(print: Print) -> None:
    """A quotient that is masked where its divisor is 0."""
    x = torch.tensor(0.0, requires_grad=True)
    y = torch.where(x == 0, 1.0, x.sin() / x)
    y.backward()
    print("y", y.item())
    print("x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            predict(
                "masked",
                "x is [0, 4], and `y = torch.where(x > 0, x.sqrt(), 0.0)`: where x is 0, y does not depend on the root. "
                "y is summed, and backward runs. What is `x.grad[0]`?",
                f["x.grad[0]"],
                "where sends 0 to the root, whose slope at 0 is infinite: 0 · ∞ = nan.",
                (
                    (0.0, "The mask does send 0; the root multiplies it by ∞, and 0 · ∞ is nan.", 20),
                    ("inf", "That is the slope of the root; the 0 of the mask is multiplied with it.", 2),
                    (0.25, "That is `x.grad[1]`: 1/(2·√4).", 20),
                    (None, "x is a leaf that requires a gradient, and something arrives.", 5),
                ),
            ),
            choose(
                "where",
                "What must be masked so that the 0 in x can do no harm in backward?",
                "the input of the root",
                "If the root never sees a 0, its slope is finite, and 0 times that is 0.",
                (
                    (
                        "the output of the root, more strictly",
                        "It was masked already: backward goes through the root all the same.",
                        20,
                    ),
                    (
                        "nothing: torch.where never runs the other branch",
                        "Both branches are computed, forward and backward.",
                        20,
                    ),
                ),
            ),
        ),
        explain="Why does a mask on the output not keep the branch out of backward?",
        rule="A mask on the output multiplies by 0, and 0 times infinity is nan: mask the input, before the function that "
        "cannot bear it.",
        explanation=(
            "`torch.where` is given both branches ready made. Going back it sends the gradient to the branch that was "
            "taken and 0 to the other one, and that 0 goes on through the root: 0 · 1/(2·√0) = 0 · ∞ = nan.",
            "With x replaced by a harmless 1 before the root, that place gets 0 and the other one 0.25, as it should be.",
        ),
        transfer=predict(
            "quotient",
            "x is 0, and `y = torch.where(x == 0, 1.0, x.sin() / x)`. What is `x.grad`?",
            f.transfer["x.grad"],
            "where sends 0 to the quotient, which multiplies it by 1/x, and that is ∞ at 0: 0 · ∞ = nan. The divisor has "
            "to be masked before the division.",
            (
                (
                    0.0,
                    "That is what where sends, and the slope that one would wish for; the quotient multiplies the 0 by ∞.",
                    20,
                ),
                (
                    "inf",
                    "The slope of the quotient is ∞; the 0 that comes from where is multiplied by it.",
                    20,
                ),
                (1.0, "That is the value of y.", 1),
                (None, "x is a leaf that requires a gradient, and something arrives.", 5),
            ),
        ),
        recall=choose(
            "log",
            "`torch.where(p > 0, p.log(), 0.0)` is fine in forward, and p has zeros. What comes back for them?",
            "nan",
            "0 from the mask, times the infinite slope of the logarithm at 0.",
            (
                ("0", "That is what where sends; log multiplies it by ∞.", 20),
                ("nothing: that branch is not in the graph", "It is: both branches were computed.", 20),
            ),
        ),
    )


stop = Stop(
    number=20,
    part=4,
    name="masked",
    title="What does a masked branch send back?",
    objective="predict what comes back through torch.where, and mask the right place",
    misconception="masking the output keeps a nan out of the gradient",
    prerequisites=(2, 19),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(18, 19),
    reading=("torch.autograd.detect_anomaly, in the PyTorch documentation",),
    pictures=(Picture("steps", "Red from where it begins", mark=("x.sqrt()",)),),
    errors=(
        Failing(
            watched,
            "# its slope at 0",
            "SqrtBackward0",
            "Nothing is raised by itself: a nan is a number to torch. Under `detect_anomaly` backward stops at the first "
            "node that sends one.",
            masked_before,
            "Anomaly detection names the node",
        ),
    ),
)
