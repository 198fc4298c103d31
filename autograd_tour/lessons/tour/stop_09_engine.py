"""Backward, step by step: a node runs when all of its gradient is there."""

# mypy: disable-error-code="no-untyped-call, union-attr, no-untyped-def"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["forward", "hook", "stop"]


def hook(print: Print) -> None:
    """Who tells first: the product, w, or b."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    product = w * t_u
    loss = ((product + b - t_c) ** 2).mean()
    product.grad_fn.register_hook(lambda *_: print("event", "MulBackward0 has run"))
    w.register_post_accumulate_grad_hook(lambda _: print("event", "w.grad is filled"))
    b.register_post_accumulate_grad_hook(lambda _: print("event", "b.grad is filled"))
    loss.backward()


def forward(print: Print) -> Tensor:
    """The same without hooks, for the picture."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    loss = ((w * t_u + b - t_c) ** 2).mean()
    print("loss", loss.item())
    return loss


def transfer(print: Print) -> None:
    """A node with several users."""
    x = torch.tensor(2.0, requires_grad=True)
    q = 3 * x
    y = q * q + q
    q.grad_fn.register_hook(lambda sent, received: print("q.grad_fn received", received[0].item()))
    y.backward()


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    first = f["event"]
    return Teaching(
        predict=(
            choose(
                "first",
                "t_p = w · t_u + b. Backward runs. What happens first?",
                "b.grad is filled",
                f"It printed “{first}” before anything else: b hangs on the sum itself, w on the product behind it.",
                (
                    (
                        "w.grad is filled: w was made first",
                        "Backward comes from the loss, and w is one operation further away from it.",
                        9,
                    ),
                    (
                        "the product runs; leaves are filled together at the end",
                        "A leaf is filled as soon as its gradient is there, in the midst of backward.",
                        9,
                    ),
                ),
            ),
            choose(
                "promise",
                "Which of these does torch promise for every graph?",
                "a node runs only when all of its gradient has arrived",
                "That is what makes the sum right. Which of several ready nodes goes first is the engine's "
                "choice, and may change.",
                (
                    (
                        "nodes run in just the reverse order of forward",
                        "Often it is so, but it is not promised: any ready node may run.",
                        9,
                    ),
                    (
                        "parameters are filled in the order in which they were made",
                        "They are filled as gradients arrive.",
                        9,
                    ),
                ),
            ),
        ),
        explain="Why must a node wait until all of its gradient has arrived?",
        rule="In one backward a node runs once, when all of its gradient has arrived; which of the ready ones goes first is not "
        "promised.",
        explanation=(
            "The picture has the order that was recorded here: a number on each gradient is the step in which "
            "it was sent, and leaves have theirs in the midst of it.",
            "If a node ran for each gradient that comes, everything behind it would run again and again. "
            "Adding first and running once gives the same sum.",
        ),
        transfer=predict(
            "received",
            "x = 2, q = 3 · x = 6, y = q · q + q. A hook tells what the node of q receives when it runs. "
            "Which number is it?",
            f.transfer["q.grad_fn received"],
            "6 + 6 from q · q and 1 from + q: it waits for all three and runs once.",
            (
                (1.0, "That is what + q sends; the node waits for the others.", 9),
                (6.0, "That is one of the two gradients of q · q.", 3),
                (12.0, "+ q sends a gradient as well: it adds 1.", 3),
                (39.0, "That is what q's node sends on to x: 3 times what it received.", 2),
            ),
        ),
        recall=choose(
            "once",
            "Three operations use q. How often does the node that made q run in one backward?",
            "once, with the sum of the three gradients",
            "It waits until all of its gradient has arrived.",
            (
                ("three times, once for each gradient", "It waits for all of them.", 9),
                ("once, with the first that arrives", "It waits for all of them.", 9),
            ),
        ),
    )


stop = Stop(
    number=9,
    part=2,
    name="engine",
    title="In which order does backward run?",
    objective="follow backward step by step, and say what of its order is promised",
    misconception="all leaves get their gradients at the end, in an order that is promised",
    prerequisites=(3, 7),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(3, 8),
    reading=("How Computational Graphs are Executed in PyTorch, on the PyTorch blog",),
    pictures=(Picture("steps", "Seven steps", forward),),
)
