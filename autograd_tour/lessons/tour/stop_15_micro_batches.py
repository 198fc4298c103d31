"""A batch in pieces: what each piece must be weighted by."""

# mypy: disable-error-code="no-untyped-call, union-attr, attr-defined"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Six readings and five, with three kinds of weights."""
    first, second = slice(0, 6), slice(6, 11)
    for weights in ((1, 1), (1 / 2, 1 / 2), (6 / 11, 5 / 11)):
        w = torch.tensor(1.0, requires_grad=True)
        b = torch.tensor(0.0, requires_grad=True)
        for part, weight in zip((first, second), weights):
            loss = ((w * t_u[part] + b - t_c[part]) ** 2).mean()
            (weight * loss).backward()
        print("gradients", [w.grad.item(), b.grad.item()])


def whole(print: Print) -> None:
    """All eleven at once."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    ((w * t_u + b - t_c) ** 2).mean().backward()
    print("the whole batch", [w.grad.item(), b.grad.item()])


def pieces(print: Print) -> None:
    """The weighted ones, for the picture."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    for part, weight in ((slice(0, 6), 6 / 11), (slice(6, 11), 5 / 11)):
        loss = ((w * t_u[part] + b - t_c[part]) ** 2).mean()
        (weight * loss).backward()
    print("weighted", [w.grad.item(), b.grad.item()])


def transfer(print: Print) -> None:
    """Three numbers and one."""
    s = torch.tensor(1.0, requires_grad=True)
    x = torch.tensor([2.0, 4.0, 6.0, 8.0])
    (s * x[:3]).mean().backward()
    print("three", s.grad.item())
    s.grad = None
    (s * x[3:]).mean().backward()
    print("one", s.grad.item())
    s.grad = None
    (s * x).mean().backward()
    print("all four", s.grad.item())


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    plain, halves, weighted = f.every("gradients")
    return Teaching(
        predict=(
            choose(
                "weights",
                "Eleven readings come in two pieces, of six and of five; the loss of each piece is its mean. Which "
                "weights give the gradient of the mean over all eleven?",
                "6/11 and 5/11",
                "A mean over all is the sum of the means of the pieces, each by its share of the readings.",
                (
                    (
                        "1/2 and 1/2",
                        "That is right for pieces of one size only: here each of the five counts more.",
                        15,
                    ),
                    (
                        "1 and 1: backward adds",
                        "It adds, and what is added are two means: about twice the gradient.",
                        6,
                    ),
                ),
            ),
            choose(
                "accumulates",
                "Where do the gradients of the two pieces come together?",
                "in `.grad`, since each backward adds to it",
                "Nothing is emptied between the two calls, and that is just what is wanted here.",
                (
                    (
                        "in the graph: the second forward goes on from the first",
                        "Each piece has a graph of its own.",
                        7,
                    ),
                    (
                        "in the optimizer, when it steps",
                        "It reads `.grad`, where the sum stands already.",
                        14,
                    ),
                ),
            ),
        ),
        explain="Why is dividing each loss by the number of pieces not always right?",
        rule="A piece of a batch counts by its share: weight its mean by its size over that of the batch.",
        explanation=(
            f"Unweighted it is [{_two(plain, 6)}], with halves [{_two(halves, 6)}], with shares [{_two(weighted, 6)}]: "
            f"but for rounding that is the gradient of the whole batch, [{_two(f['the whole batch'], 6)}].",
            "Between pieces nothing is emptied; after all of them comes one step, and then the zeroing. It is the "
            "gradient of the large batch in the memory of the small one. (A layer that looks at the whole batch, as batch "
            "norm does in training, still sees one piece at a time.)",
        ),
        transfer=predict(
            "shares",
            "A piece of three numbers has the mean gradient 4, a piece of one number has 8. What is the gradient of the "
            "mean over all four?",
            f.transfer["all four"],
            "3/4 of 4 and 1/4 of 8: 3 + 2.",
            (
                (6.0, "That weights both pieces alike; three numbers count three times as much as one.", 15),
                (12.0, "That adds two means; each counts by its share only.", 15),
                (8.0, "The last piece does not overwrite the first: both count.", 6),
            ),
        ),
        recall=choose(
            "uneven",
            "The last piece of a batch is smaller than the others, and each loss is divided by the number of pieces. "
            "What is wrong?",
            "the readings of the last piece count too much",
            "A mean over fewer readings gives each of them more weight.",
            (
                ("nothing: means may be averaged", "Only means over equally many.", 15),
                (
                    "the readings of the last piece count too little",
                    "There are fewer of them in its mean: each counts more.",
                    15,
                ),
            ),
        ),
    )


def _two(values: list[float], digits: int) -> str:
    return ", ".join(number(value, digits) for value in values)


stop = Stop(
    number=15,
    part=3,
    name="micro-batches",
    title="How is a batch put together from pieces?",
    objective="weight the losses of pieces so that `.grad` is that of the whole batch",
    misconception="each loss divided by the number of pieces always gives the gradient of the whole batch",
    prerequisites=(4, 6),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(13, 14),
    reading=("Gradient accumulation, in the PyTorch automatic mixed precision examples",),
    pictures=(Picture("run", "Two pieces in one `.grad`", pieces),),
    more=(Snippet(whole, "All eleven at once"),),
)
