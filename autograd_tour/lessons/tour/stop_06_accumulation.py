"""backward adds to ``.grad``; nothing empties it by itself."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import closing, number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Four calls."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    for _ in range(4):
        loss = ((w * t_u + b - t_c) ** 2).mean()
        loss.backward()
        print("w.grad", w.grad)
    print("w, b", w.item(), b.item())


def zeroed(print: Print) -> None:
    """The same, emptied before each call."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    for _ in range(4):
        w.grad = b.grad = None
        loss = ((w * t_u + b - t_c) ** 2).mean()
        loss.backward()
        print("emptied, w.grad", w.grad)


def forward(print: Print) -> Tensor:
    """The loss alone, for the picture of several calls."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    loss = ((w * t_u + b - t_c) ** 2).mean()
    print("loss", loss.item())
    return loss


def transfer(print: Print) -> None:
    """Two different losses, one leaf."""
    x = torch.tensor(2.0, requires_grad=True)
    (3 * x).backward()
    (x * x).backward()
    print("x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    calls = [round(value, 1) for value in f.every("w.grad")]  # so that sums close as printed
    terms, total = closing([calls[0], calls[0]], calls[1])
    return Teaching(
        predict=(
            predict(
                "second",
                f"After the first backward `w.grad` is {number(calls[0])}. Nothing is emptied; the loop runs the "
                "same forward and calls backward again. What is `w.grad` now?",
                calls[1],
                f"backward adds to `.grad`: {' + '.join(terms)} = {total}.",
                (
                    (calls[0], "You assumed that backward overwrites `.grad`; it adds to it.", 6),
                    (
                        0.0,
                        "Nothing empties `.grad` by itself; that takes `zero_grad()` or an assignment.",
                        12,
                    ),
                    (calls[2], "You counted one call too many: this is the second.", 6),
                    (calls[0] / 2, "Nothing is averaged: gradients of calls are added.", 6),
                ),
            ),
            choose(
                "values",
                "Backward is called four times in that loop. What happens to w and b themselves?",
                "nothing: they stay 1 and 0",
                "backward changes `.grad` and no value. A step is another line, and this loop has none.",
                (
                    (
                        "each call moves them a little downhill",
                        "That would be a step, by hand or of an optimizer.",
                        14,
                    ),
                    (
                        "they are moved once, after the loop",
                        "Nothing after the loop moves them either.",
                        14,
                    ),
                ),
            ),
        ),
        explain="Why might it be useful that backward adds to `.grad`?",
        rule="backward adds to `.grad`: what is there stays until somebody empties it.",
        explanation=(
            f"Four calls give {', '.join(number(value) for value in calls)}. Emptied before each call it is "
            f"{number(f['emptied, w.grad'])} every time.",
            "It is meant so: several losses, or a batch in pieces (stop 15), add up in one `.grad` without any "
            "further line. In a training loop it means that somebody must empty it.",
        ),
        transfer=predict(
            "two-losses",
            "x is 2. `(3 * x).backward()` runs, then `(x * x).backward()`. What is `x.grad`?",
            f.transfer["x.grad"],
            "The first call brings 3, the second 2 + 2: they add up.",
            (
                (4.0, "You assumed that the second call overwrites the first.", 6),
                (3.0, "That is the first call alone; the second one adds to it.", 6),
                (5.0, "x * x uses x twice, so the second call brings 4, not 2.", 3),
                (12.0, "Gradients of calls are added, not multiplied.", 6),
            ),
        ),
        recall=predict(
            "again",
            "`p.grad` is 5. Nothing is emptied, and a backward brings 2. What is `p.grad`?",
            7.0,
            "backward adds to what is there.",
            (
                (2.0, "You assumed that backward overwrites.", 6),
                (5.0, "The new gradient is not lost: it is added.", 6),
                (10.0, "Gradients are added, not multiplied.", 6),
            ),
        ),
    )


stop = Stop(
    number=6,
    part=1,
    name="accumulation",
    title="What does a second backward do to `.grad`?",
    objective="predict `.grad` after any number of backward calls, emptied or not",
    misconception="backward puts the new gradient in the place of the old one",
    prerequisites=(3, 5),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(4, 5),
    reading=("Zeroing out gradients in PyTorch, in the PyTorch recipes",),
    pictures=(
        Picture("run", "What each line does: w and b stay as they are"),
        Picture("accumulation", "The ledger: not emptied, set to 0, set to None", forward),
    ),
    more=(Snippet(zeroed, "The same loop, emptied before each call"),),
)
