"""Who keeps a gradient: leaves do, and who asked for it."""

# mypy: disable-error-code="no-untyped-call, index"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """A leaf and two tensors in between."""
    w = torch.tensor(1.0, requires_grad=True)
    t_p = w * t_u
    loss = ((t_p - t_c) ** 2).mean()
    print("is_leaf", w.is_leaf, t_p.is_leaf, loss.is_leaf)
    loss.backward()
    print("w.grad", w.grad)


def reading(print: Print) -> None:
    """Reading what was not kept."""
    w = torch.tensor(1.0, requires_grad=True)
    t_p = w * t_u  # nobody asks t_p to keep its gradient
    loss = ((t_p - t_c) ** 2).mean()
    loss.backward()
    print("t_p.grad", t_p.grad)


def retained(print: Print) -> None:
    """Asked for before backward."""
    w = torch.tensor(1.0, requires_grad=True)
    t_p = w * t_u
    loss = ((t_p - t_c) ** 2).mean()
    t_p.retain_grad()
    loss.retain_grad()
    loss.backward()
    print("t_p.grad[0]", t_p.grad[0])
    print("loss.grad", loss.grad)


def transfer(print: Print) -> None:
    """One of the tensors in between is asked to keep its own."""
    a = torch.tensor(2.0, requires_grad=True)
    c = a * 3
    c.retain_grad()
    d = c * c
    d.backward()
    print("c.grad", c.grad)
    print("a.grad", a.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "kept",
                "`loss.backward()` has run. What is `t_p.grad`, where `t_p = w * t_u`?",
                "None",
                "t_p is no leaf: its gradient was handed on to w and not kept.",
                (
                    ("eleven zeros", "None is an empty slot, not a zero: nothing was kept there.", 5),
                    (
                        "eleven numbers: what passed there",
                        "They did pass, and were thrown away once they were used.",
                        5,
                    ),
                ),
            ),
            choose(
                "passed",
                "Was there a gradient at t_p while backward ran?",
                "yes: `w.grad` was computed from it",
                "Without it nothing would have reached w. It is only not kept: that would cost memory for every "
                "tensor in between.",
                (
                    (
                        "no: tensors in between get none",
                        "They get one, and hand it on; they only do not keep it.",
                        5,
                    ),
                    (
                        "yes, but it was zero",
                        "Then `w.grad` would be zero too: what comes in multiplies.",
                        2,
                    ),
                ),
            ),
        ),
        explain="Why does torch not keep `.grad` of every tensor?",
        rule="`.grad` is kept at leaves that require one; a tensor in between hands its gradient on, and keeps "
        "it only if `retain_grad()` was called before backward.",
        explanation=(
            f"Asked for, it is there: `t_p.grad[0]` is {number(f['t_p.grad[0]'])}, and `loss.grad` is "
            f"{number(f['loss.grad'])}, the slope of the loss in itself, with which backward starts.",
            "A leaf is a tensor that no recorded operation made: a parameter, or data. Data is a leaf too, but "
            "requires no gradient, and gets none.",
        ),
        transfer=predict(
            "retained",
            "a is 2, c = a * 3, d = c * c, and `c.retain_grad()` was called. What is `c.grad` after "
            "`d.backward()`?",
            f.transfer["c.grad"],
            "c is 6 and used twice: 6 + 6.",
            (
                (None, "It was asked to keep its gradient before backward ran.", 5),
                (6.0, "That is what one of the two uses brings.", 3),
                (36.0, "That is `a.grad`, one operation further back (and the value of d).", 2),
            ),
        ),
        recall=choose(
            "none",
            "hidden is the result of an operation on the way to the loss. After backward `hidden.grad` is None. What does that say?",
            "that its gradient was not kept",
            "Tensors in between hand their gradient on and keep none unless they are asked to.",
            (
                ("that its gradient was zero", "A zero would be printed as 0; None is an empty slot.", 5),
                ("that backward did not pass there", "It may have: only leaves keep what arrives.", 5),
            ),
        ),
    )


stop = Stop(
    number=5,
    part=1,
    name="leaf",
    title="Who keeps a gradient?",
    objective="tell which tensors have a `.grad` after backward, and how to get that of another one",
    misconception="a `.grad` of None means that the gradient is zero",
    prerequisites=(2, 4),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(3, 4),
    reading=("torch.Tensor.is_leaf and torch.Tensor.retain_grad, in the PyTorch documentation",),
    pictures=(Picture("steps", "What passes, and what is kept", reading, mark=("t_p",)),),
    errors=(
        Failing(
            reading,
            "t_p = w * t_u",
            "MulBackward0",
            "Nothing is raised: torch warns, and gives None. The line that made t_p is where a `retain_grad()` "
            "is missing; once backward has run it is too late.",
            retained,
            "Reading the gradient of a tensor that is no leaf",
        ),
    ),
)
