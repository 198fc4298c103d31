"""Two ways to empty ``.grad``, and an optimizer that tells them apart."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """One step, emptied, and one step more without a backward."""
    for set_to_none in (True, False):
        p = torch.tensor(1.0, requires_grad=True)
        optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
        (1 * p).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)
        print(f"set_to_none={set_to_none}: p.grad", p.grad)
        optimizer.step()
        print(f"set_to_none={set_to_none}: p", p.detach())


def transfer(print: Print) -> None:
    """Weight decay instead of momentum."""
    p = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1, weight_decay=0.5)
    p.grad = torch.tensor(0.0)
    optimizer.step()
    print("p", p.detach())


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    none, zeros = f["set_to_none=True: p"], f["set_to_none=False: p"]
    return Teaching(
        predict=(
            predict(
                "zeros",
                "SGD with lr 0.1 and momentum 0.9: each step makes v = 0.9 · v + gradient (at first v = gradient), and "
                "takes lr · v off p. The gradient is 1 and the first step takes p from 1 to 0.9. Then "
                "`.grad` is set to 0 and step() is called once more. What is p?",
                zeros,
                "SGD sees a gradient of 0, keeps 0.9 of its momentum of 1 and moves p by 0.1 · 0.9.",
                (
                    (none, "The gradient is 0, but the momentum of the first step goes on.", 12),
                    (0.8, "The gradient of 1 is gone; what moves p is 0.9 of it, as momentum.", 12),
                    (1.0, "A step is not undone: p was 0.9 before this one.", 14),
                ),
            ),
            predict(
                "none",
                "The same, but `.grad` is set to None before the second step. What is p now?",
                none,
                "A parameter whose `.grad` is None is skipped: no momentum, no weight decay, nothing.",
                (
                    (zeros, "That is what zeros give. None is no gradient at all, and SGD skips p.", 12),
                    (0.8, "There is no gradient any more.", 12),
                    (1.0, "A step is not undone: p was 0.9 before this one.", 14),
                ),
            ),
        ),
        explain="Why may it matter whether `.grad` is None or 0, if no gradient flows in both cases?",
        rule="`zero_grad()` sets `.grad` to None unless `set_to_none=False`; SGD and most others skip a parameter with "
        "None, and take a 0 for a gradient.",
        explanation=(
            f"With None p stays at {number(none)}; with a 0 it goes on to {number(zeros)}, moved by momentum alone.",
            "None also saves the memory of the gradients until the next backward. Code that reads `.grad` after "
            "zeroing must be ready for both: `p.grad.zero_()` raises an AttributeError on None.",
        ),
        transfer=predict(
            "decay",
            "p is 2, `.grad` is 0, and SGD has lr 0.1 and weight_decay 0.5, which adds 0.5 · p to each gradient. What is "
            "p after step()?",
            f.transfer["p"],
            "Weight decay adds 0.5 · 2 to the gradient of 0, and lr takes 0.1 of that.",
            (
                (2.0, "A gradient of 0 is not None: weight decay still works.", 12),
                (1.0, "lr scales the pull as well: 0.1 · 0.5 · 2.", 16),
                (2.1, "Weight decay pulls towards 0.", 1),
            ),
        ),
        recall=choose(
            "skip",
            "A layer took no part in the loss, and its `.grad` is None. SGD has momentum. What does step() do to it?",
            "nothing: it is skipped",
            "None says that there is no gradient, and the optimizer leaves it alone.",
            (
                ("it moves on by its momentum", "That would happen with a gradient of 0.", 12),
                ("it raises", "It does not: None is a usual state.", 12),
            ),
        ),
    )


stop = Stop(
    number=12,
    part=3,
    name="zero-grad",
    title="Is emptying `.grad` the same as setting it to 0?",
    objective="say what an optimizer does with a `.grad` that is None, and with one that is 0",
    misconception="a `.grad` of None and one of zeros are the same to an optimizer",
    prerequisites=(5, 6),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(6, 11),
    reading=("torch.optim.Optimizer.zero_grad, in the PyTorch documentation",),
    pictures=(Picture("run", "An empty mailbox, and a mailbox with a 0"),),
)
