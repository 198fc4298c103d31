"""Operations that pick: which of their inputs gets the gradient."""

# mypy: disable-error-code="no-untyped-call, union-attr, index"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Two of three are the largest."""
    x = torch.tensor([1.0, 3.0, 3.0], requires_grad=True)
    x.max().backward()
    print("x.max(): x.grad", x.grad)
    x.grad = None
    x.max(0).values.backward()
    print("x.max(0).values: x.grad", x.grad)
    zero = torch.tensor(0.0, requires_grad=True)
    zero.relu().backward()
    print("relu at 0: grad", zero.grad)


def largest(print: Print) -> None:
    """The whole tensor's maximum, for the picture."""
    x = torch.tensor([1.0, 3.0, 3.0], requires_grad=True)
    y = x.max()
    y.backward()
    print("y", y.item())


def rows(print: Print) -> None:
    """Rows of a table, by index."""
    table = torch.zeros(4, 2, requires_grad=True)
    table[[1, 1, 3]].sum().backward()
    print("table.grad", table.grad)


def transfer(print: Print) -> None:
    """An embedding that is looked up."""
    weight = torch.ones(3, 2, requires_grad=True)
    words = torch.tensor([2, 0, 2])
    torch.nn.functional.embedding(words, weight).sum().backward()
    print("weight.grad[2, 0]", weight.grad[2, 0])
    print("weight.grad[1, 0]", weight.grad[1, 0])


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "tie",
                "x is [1, 3, 3], and `x.max()` goes backward. What is `x.grad`?",
                "[0, 0.5, 0.5]",
                "`max()` over a whole tensor shares among all that are largest. This is a choice of torch: at a tie "
                "there is no slope.",
                (
                    (
                        "[0, 1, 0]",
                        "It picks one in `max(dim)`, which returns an index as well; `max()` shares.",
                        19,
                    ),
                    ("[0, 1, 1]", "Then both together would count twice; it shares the 1 among them.", 19),
                    ("[1, 1, 1]", "That is what a sum does: here only the largest can move the result.", 19),
                ),
            ),
            predict(
                "relu",
                "relu(x) is 0 left of 0 and x right of it. What does torch take for its slope just at 0?",
                f["relu at 0: grad"],
                "There is no slope at the kink: torch takes that of the left side.",
                (
                    (1.0, "That is the slope of the right side.", 19),
                    (0.5, "The mean of both sides would be a choice too; torch makes another one.", 19),
                    (None, "A gradient does arrive: it is a number.", 5),
                ),
            ),
        ),
        explain="Why is there no right answer for a tie?",
        rule="What picks sends the gradient to what was picked, and zeros to the rest; at ties and kinks it is a choice of "
        "the implementation.",
        explanation=(
            "`max(0).values` gives [0, 1, 0] for the same x: it also returns one index, and the gradient goes there. "
            "Both are subgradients: slopes of planes that touch the function there from below.",
            "An index works the same way in large: each row of a table that was read gets what comes back for it, as "
            "often as it was read, and the rest gets zeros. An embedding is such a table.",
        ),
        transfer=predict(
            "embedding",
            "An embedding of three rows is asked for the words [2, 0, 2], and all that comes out is summed. What is the "
            "gradient of each number in row 2?",
            f.transfer["weight.grad[2, 0]"],
            "Row 2 was read twice, and each reading brings 1.",
            (
                (1.0, "It was read twice: the two gradients add up.", 3),
                (0.0, "It was read; only row 1 was not.", 19),
                (0.5, "Nothing is shared here: each reading counts.", 3),
            ),
        ),
        recall=choose(
            "unread",
            "A row of an embedding was not read in this batch. What is in its place in `weight.grad`?",
            "zeros",
            "`.grad` has the shape of weight; what was not picked gets zeros. (With sparse=True only the rows that were read are in it.)",
            (
                ("None", "None is for a whole tensor: here some rows did get a gradient.", 5),
                ("the mean of the other rows", "Nothing leads there: it could not move the loss.", 19),
            ),
        ),
    )


stop = Stop(
    number=19,
    part=4,
    name="route",
    title="Who gets the gradient of a choice?",
    objective="say where max, relu, an index and an embedding send the gradient",
    misconception="where two values tie, or an index takes one, the gradient is shared or does not matter",
    prerequisites=(2, 4),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(4, 18),
    reading=("Autograd mechanics, Gradients for non-differentiable functions, in the PyTorch notes",),
    pictures=(Picture("steps", "Sent to the largest", largest),),
    more=(Snippet(rows, "Rows of a table"),),
)
