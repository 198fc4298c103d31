"""What was broadcast gets a sum, so a gradient has the shape of its tensor."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Eleven readings, one b."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    t_p = w * t_u + b
    t_p.retain_grad()
    loss = ((t_p - t_c) ** 2).mean()
    loss.backward()
    print("t_p.grad", t_p.grad)
    print("b.grad", b.grad)
    print("w.grad", w.grad)


def transfer(print: Print) -> None:
    """One factor for three numbers."""
    s = torch.tensor(2.0, requires_grad=True)
    x = torch.tensor([1.0, 4.0, 7.0])
    y = (s * x).sum()
    y.backward()
    print("s.grad", s.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    each = f["t_p.grad"]
    return Teaching(
        predict=(
            choose(
                "shape",
                "b is one number; `t_p = w * t_u + b` has eleven. What shape has `b.grad`?",
                "that of b: one number",
                "A gradient has the shape of its tensor: it says how the loss moves with each of its numbers, "
                "and b has one.",
                (
                    (
                        "that of t_p: eleven numbers",
                        "That is the shape of what comes back to the sum; b itself has only one number to move.",
                        4,
                    ),
                    (
                        "none: what was broadcast has no backward",
                        "Broadcasting has a backward, and it is a sum.",
                        4,
                    ),
                ),
            ),
            choose(
                "how",
                "Eleven gradients come back to where b was added. What becomes of them?",
                "b gets their sum",
                f"They add up to {number(f['b.grad'])}: b was used eleven times, once for each reading.",
                (
                    (
                        "b gets their mean",
                        "The 1/11 of the mean in the loss is in each of them already; here they are added.",
                        4,
                    ),
                    ("b gets the first of them", "All eleven predictions move with b; all count.", 3),
                    (
                        "b gets the largest of them",
                        "Only max picks one; an addition hands on to all its inputs.",
                        2,
                    ),
                ),
            ),
        ),
        explain="Why is the sum of eleven gradients the right one for b?",
        rule="A tensor that was broadcast gets the sum over its copies, so every gradient has the shape of its "
        "tensor.",
        explanation=(
            f"The first of the eleven is {number(each[0])}, the last {number(each[-1], 4)}, and their sum is "
            f"`b.grad`, {number(f['b.grad'])}. On the picture that sum is a Σ on the edge.",
            f"For w each of them is multiplied by its reading first, and then added: {number(f['w.grad'])}. "
            "It is the fan-out of stop 3, eleven times at once.",
        ),
        transfer=predict(
            "factor",
            "s is 2 and x is [1, 4, 7]; y = (s * x).sum(). What is `s.grad`?",
            f.transfer["s.grad"],
            "Each product brings its x: 1 + 4 + 7.",
            (
                (4.0, "That is the mean of the three, or the middle one; they are added.", 4),
                (1.0, "That is what the first product brings; all three count.", 3),
                (3.0, "You counted the products; each brings its own x.", 2),
                (24.0, "That is the value of y, not its slope.", 1),
            ),
        ),
        recall=choose(
            "bias",
            "A bias of shape (10) is added to a batch of shape (32, 10). What shape has its `.grad`?",
            "(10)",
            "A gradient has the shape of its tensor; what came back for 32 rows was added up.",
            (
                ("(32, 10)", "That is the shape of what comes back to the sum.", 4),
                ("(32)", "It is summed over the 32 rows, not over the 10 numbers of the bias.", 4),
            ),
        ),
    )


stop = Stop(
    number=4,
    part=1,
    name="broadcast",
    title="What comes back to a tensor that was broadcast?",
    objective="say the shape of any `.grad`, and where its numbers come from",
    misconception="a gradient has the shape of the loss or of the batch, and broadcasting has no backward",
    prerequisites=(2, 3),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(2, 3),
    reading=("Broadcasting semantics, in the PyTorch notes",),
    pictures=(Picture("steps", "Eleven gradients, one number"),),
)
