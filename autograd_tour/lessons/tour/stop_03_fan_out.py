"""A tensor that is used several times gets the sum of what comes back."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """x is used three times."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x + x
    y.backward()
    print("y", y.item())
    print("x.grad", x.grad)


def transfer(print: Print) -> None:
    """Three uses again, one of them through a longer way."""
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x * x
    y.backward()
    print("y", y.item())
    print("x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            predict(
                "edges",
                "x is 3 and y = x * x + x. How many gradients come back to x in this one backward?",
                3.0,
                "x * x takes x twice, and the sum takes it once more: each use is an edge of its own.",
                (
                    (2.0, "You counted x * x once; it has two inputs, and both are x.", 3),
                    (1.0, "They do end in one `.grad`, but each use of x sends one.", 3),
                ),
            ),
            predict(
                "sum",
                "What is `x.grad`?",
                f["x.grad"],
                "Through x * x come x and x, 3 and 3; through + x comes 1. They meet in one mailbox: 3 + 3 + 1.",
                (
                    (3.0, "That is one of the ways back; all of them count.", 3),
                    (6.0, "You left out the x that is added: it brings 1.", 3),
                    (4.0, "You counted one input of x * x; both are x, and each brings 3.", 3),
                    (12.0, "That is the value of y, not its slope.", 1),
                    (9.0, "Gradients that meet are added; slopes are multiplied only along one way.", 2),
                ),
            ),
        ),
        explain="Why are the three gradients added, and not averaged or multiplied?",
        rule="Where ways meet, gradients add: each use of a tensor moves the result, and the moves add up.",
        explanation=(
            "Nudge x a little: both factors of x * x move and the added x moves. For a small nudge each moves y "
            "as if the others stood still, and y gets the sum of the three moves.",
            "All of this is one backward call. What a second call does to `.grad` is another question, and "
            "stop 6 asks it.",
        ),
        transfer=predict(
            "cube",
            "x is 2 and y = x * x * x. What is `x.grad`?",
            f.transfer["x.grad"],
            "Three uses, and each brings the product of the other two: 4 + 4 + 4.",
            (
                (4.0, "That is what one use brings; there are three.", 3),
                (8.0, "That is the value of y, not its slope.", 1),
                (6.0, "You added the three factors; each use brings the product of the other two.", 2),
            ),
        ),
        recall=predict(
            "twice",
            "x is 5 and y = x + x. What is `x.grad` after y.backward()?",
            2.0,
            "Each use of x brings 1, and they add.",
            (
                (1.0, "That is one of two uses.", 3),
                (10.0, "That is the value of y.", 1),
                (25.0, "That is x · x; a sum hands 1 on to each of its inputs.", 2),
            ),
        ),
    )


stop = Stop(
    number=3,
    part=1,
    name="fan-out",
    title="What if a tensor is used more than once?",
    objective="predict `.grad` of a tensor that is used several times in one forward",
    misconception="of several ways to the loss one gives the gradient, or each needs a backward of its own",
    prerequisites=(2,),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(1, 2),
    reading=("Autograd mechanics, in the PyTorch notes",),
    pictures=(Picture("steps", "Three edges into one mailbox"),),
)
