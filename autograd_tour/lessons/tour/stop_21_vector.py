"""What backward starts with, and backward through a backward."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Started with a vector, and twice."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.backward(gradient=torch.tensor([1.0, 10.0]))
    print("x.grad[0]", x.grad[0])  # type: ignore[index]
    print("x.grad[1]", x.grad[1])  # type: ignore[index]
    z = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(z**3, z, create_graph=True)
    (second,) = torch.autograd.grad(first, z)
    print("first", first.item())
    print("second", second.item())


def squares(print: Print) -> Tensor:
    """The vector, for the picture."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    print("y", y.tolist())
    return y


def started(print: Print) -> None:
    """No start for a vector."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x  # two numbers
    y.backward()


def summed(print: Print) -> None:
    """A single number."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.sum().backward()
    print("fixed: x.grad", x.grad)


def transfer(print: Print) -> None:
    """The slope of a slope."""
    x = torch.tensor(1.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**4, x, create_graph=True)
    first.backward()
    print("x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "no-start",
                "y has two numbers. What does `y.backward()` do, without an argument?",
                "it raises an error",
                "Only for a single number is it clear where to begin: with 1, its slope in itself.",
                (
                    (
                        "it fills `x.grad` with the Jacobian",
                        "`.grad` has the shape of x: a matrix has no room there.",
                        4,
                    ),
                    (
                        "it runs as if y had been summed",
                        "That would be a choice, and torch wants you to make it.",
                        21,
                    ),
                ),
            ),
            predict(
                "vector",
                "x is [1, 2], y = x · x, and backward is started with gradient=[1, 10]. What is `x.grad[1]`?",
                f["x.grad[1]"],
                "The slope of y[1] in x[1] is 2 · 2 = 4, and it is multiplied by what backward starts with, 10.",
                (
                    (4.0, "That is the slope alone; the vector that backward starts with multiplies it.", 21),
                    (42.0, "y[0] does not depend on x[1]: its 2 stays with x[0].", 4),
                    (10.0, "That is what backward starts with; the product multiplies it.", 2),
                    (20.0, "x · x uses x twice, so the slope is 2x.", 3),
                ),
            ),
        ),
        explain="Why does backward need a vector to start with, and not give the whole Jacobian?",
        rule="backward computes a vector-Jacobian product: the vector is what it starts with, and for a single number "
        "that is 1.",
        explanation=(
            "The Jacobian of y in x is the matrix of all slopes. Backward never makes it: it only multiplies the "
            "vector by it, node by node. That costs a small multiple of a forward, however many parameters there are.",
            "With `create_graph=True` the gradient is recorded like any result, and can go backward itself: x³ at 2 has "
            "the slope 3 · 2² = 12, and that slope has the slope 6 · 2 = 12.",
        ),
        transfer=predict(
            "second",
            "x is 1. `first` is the gradient of x⁴, made with create_graph=True, and then `first.backward()` runs. What "
            "is `x.grad`?",
            f.transfer["x.grad"],
            "The slope of x⁴ is 4x³, and the slope of that is 12x².",
            (
                (4.0, "That is first itself; backward went through it once more.", 21),
                (
                    16.0,
                    "`autograd.grad` returns a gradient and adds nothing to `.grad`: only the second one is there.",
                    6,
                ),
                (24.0, "That is the third derivative.", 21),
            ),
        ),
        recall=choose(
            "batch-loss",
            "A loss is computed with reduction='none' and has 32 numbers. What must happen before backward()?",
            "it must be made one number, or backward must be given a vector",
            "Backward begins with a vector; only for a single number is it clear which.",
            (
                (
                    "nothing: each number gets its own `.grad`",
                    "There is one `.grad`, of the shape of the parameter.",
                    4,
                ),
                (
                    "`retain_grad()` on the loss",
                    "That keeps its gradient; it does not say where to begin.",
                    5,
                ),
            ),
        ),
    )


stop = Stop(
    number=21,
    part=4,
    name="vector",
    title="What does backward start with?",
    objective="start backward of a vector, and take a slope of a slope",
    misconception="backward of a vector computes its whole Jacobian",
    prerequisites=(2, 4),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(19, 20),
    reading=(
        "A Gentle Introduction to torch.autograd, Vector Calculus using autograd, in the PyTorch tutorials",
    ),
    pictures=(
        Picture("steps", "Started with [1, 10]", squares, gradient=(1.0, 10.0)),
        Picture("graph", "The vector that has no start", squares, mark=("y",), backward=False),
    ),
    errors=(
        Failing(
            started,
            "# two numbers",
            "MulBackward0",
            "Which of the two numbers is to fall, and how much does each count? A sum, a mean, or a vector says it.",
            summed,
            "A vector without a start",
        ),
    ),
)
