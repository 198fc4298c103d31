"""The chain rule on three numbers: each operation knows only its own slope."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Two operations on three leaves."""
    x = torch.tensor(-2.0, requires_grad=True)
    y = torch.tensor(5.0, requires_grad=True)
    z = torch.tensor(-4.0, requires_grad=True)
    q = x + y
    f = q * z
    q.retain_grad()
    f.retain_grad()
    f.backward()
    print("q, f", q.item(), f.item())
    for name, tensor in {"x": x, "y": y, "z": z, "q": q, "f": f}.items():
        print(f"{name}.grad", tensor.grad)


def transfer(print: Print) -> None:
    """Two products, one in the other."""
    p = torch.tensor(2.0, requires_grad=True)
    r = torch.tensor(3.0, requires_grad=True)
    s = torch.tensor(5.0, requires_grad=True)
    g = (p * r) * s
    g.backward()
    print("g", g.item())
    print("p.grad", p.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            predict(
                "z",
                "x = −2, y = 5, z = −4; q = x + y; f = q · z. What is `z.grad`, the slope of f in z?",
                f["z.grad"],
                "f = q · z, so each unit of z adds q = 3 to f.",
                (
                    (-4.0, "That is z itself. A product hands each factor the other one.", 2),
                    (-12.0, "That is the value of f, not its slope.", 1),
                    (1.0, "1 is what a sum hands on; z stands in a product.", 2),
                ),
            ),
            predict(
                "x",
                "And `x.grad`, the slope of f in x?",
                f["x.grad"],
                "A unit of x is a unit of q, and a unit of q adds z = −4 to f: 1 · (−4).",
                (
                    (1.0, "That is the slope of q in x alone; what comes from above multiplies it.", 2),
                    (3.0, "You took q, which is what z gets; q itself gets z.", 2),
                    (4.0, "The size is right; the sign of z comes along.", 2),
                    (5.0, "That is y. A sum hands on what comes in and swaps nothing.", 2),
                ),
            ),
        ),
        explain="How can the product know nothing of x, and `x.grad` still be right?",
        rule="Each operation multiplies what comes in from above by its own slope: add hands on, multiply swaps.",
        explanation=(
            "Backward starts with 1 at f, the slope of f in itself. The product hands z = −4 to q and q = 3 to z.",
            "The sum has slope 1 in x and in y, so both get what q got. No operation looks further than its "
            "own inputs: nobody ever writes down f as one formula of x.",
        ),
        transfer=predict(
            "p",
            "p = 2, r = 3, s = 5; g = (p · r) · s. What is `p.grad`?",
            f.transfer["p.grad"],
            "The outer product hands s = 5 to p · r, the inner one multiplies that by r = 3.",
            (
                (3.0, "You stopped at the inner product; what comes from above, 5, multiplies it.", 2),
                (5.0, "That is what arrives at p · r; the inner product multiplies it by r.", 2),
                (30.0, "That is the value of g, not its slope.", 1),
                (8.0, "Slopes along a path are multiplied, not added.", 2),
            ),
        ),
        recall=predict(
            "product",
            "a = 7, c = 2; f = a · c. What is `a.grad` after f.backward()?",
            2.0,
            "A product hands each factor the other one: multiply swaps.",
            (
                (7.0, "That is a itself; a product swaps.", 2),
                (14.0, "That is the value of f.", 1),
                (1.0, "That is what a sum would hand on.", 2),
            ),
        ),
    )


stop = Stop(
    number=2,
    part=1,
    name="chain-rule",
    title="How does backward get from the end to the start?",
    objective="predict `.grad` through sums and products, one operation at a time",
    misconception="the chain rule needs the formula of the whole, rearranged by hand",
    prerequisites=(1,),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(1,),
    reading=("CS231n, Backpropagation, Intuitions", "Autograd mechanics, in the PyTorch notes"),
    pictures=(Picture("steps", "Values on the way there, gradients on the way back"),),
)
