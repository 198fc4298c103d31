"""What forward recorded: one node for each operation, anew in every forward."""

# mypy: disable-error-code="no-untyped-call, union-attr"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> Tensor:
    """From the loss along the first input of each node."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    loss = ((w * t_u + b - t_c) ** 2).mean()
    print("loss", loss.item())
    node = loss.grad_fn
    while node is not None:
        print("node", type(node).__name__)
        node = node.next_functions[0][0] if node.next_functions else None
    return loss


def twice(print: Print) -> None:
    """Two forward passes of the same lines."""
    w = torch.tensor(1.0, requires_grad=True)
    first, second = w * 3, w * 3
    print("the same node", first.grad_fn is second.grad_fn)
    print("the same accumulator", first.grad_fn.next_functions[0][0] is second.grad_fn.next_functions[0][0])


def transfer(print: Print) -> None:
    """Python decides what is recorded."""
    for start in (2.0, -2.0):
        x = torch.tensor(start, requires_grad=True)
        y = x * x if x > 0 else 3 * x
        y.backward()
        print(f"x = {start}, x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    nodes = f.every("node")
    return Teaching(
        predict=(
            choose(
                "last",
                "Which node does `loss.grad_fn` name?",
                "that of the last operation: the mean",
                "A result points to the node of the operation that made it; from there the way leads back.",
                (
                    (
                        "that of the first operation: the product",
                        "The way begins at the end: the product is reached from there.",
                        7,
                    ),
                    (
                        "none: before backward there is no gradient",
                        "A `grad_fn` is no gradient. It is the recipe for one, and forward writes it.",
                        7,
                    ),
                ),
            ),
            choose(
                "anew",
                "The line of the loss runs a second time. What becomes of the graph?",
                "a second one is recorded, of new nodes",
                "Each forward makes its own nodes. Only the leaves are shared, and, as long as one of the graphs "
                "is there, what adds to their `.grad`.",
                (
                    (
                        "the first one is used again",
                        "A graph belongs to one forward: new values were computed and saved.",
                        7,
                    ),
                    (
                        "the first one grows by the new nodes",
                        "The new graph has nodes of its own; the two share only the leaves.",
                        7,
                    ),
                ),
            ),
        ),
        explain="Why is the graph recorded anew in each forward, though the lines are the same?",
        rule="Forward records a node for each differentiable operation on what requires a gradient; they lead from the loss back "
        "to the leaves, and are made anew each time.",
        explanation=(
            f"Along first inputs the way is {' → '.join(nodes)}; the loss is {number(f['loss'], 8)}. "
            "AccumulateGrad is the end of each way to a leaf: it adds to the `.grad` of that one.",
            "A node keeps what its backward will need of this forward (stop 10). So a loop, an `if` or another "
            "batch simply makes another graph: Python decides, and autograd records what ran.",
        ),
        transfer=predict(
            "branch",
            "`y = x * x if x > 0 else 3 * x`. The loop runs with x = 2 first, then with a new x = −2. "
            "What is `x.grad` for x = −2?",
            f.transfer["x = -2.0, x.grad"],
            "For −2 the other branch ran, and 3 * x is what was recorded.",
            (
                (-4.0, "You used the graph of x * x; that branch did not run for −2.", 7),
                (-6.0, "That is the value of y, not its slope.", 1),
                (
                    7.0,
                    "This x is a new tensor with an empty `.grad`: nothing is added to the 4 of before.",
                    6,
                ),
            ),
        ),
        recall=choose(
            "grad-fn",
            "What is `y.grad_fn`, where y is the result of an operation?",
            "the node that knows how to send a gradient from y to its inputs",
            "It is a recipe that forward recorded; no gradient has been computed yet.",
            (
                ("the gradient of y", "That would be `y.grad`, if it is kept at all.", 5),
                (
                    "a copy of y that backward changes",
                    "It is a node of the graph; values are not in it but for what it saves.",
                    10,
                ),
            ),
        ),
    )


stop = Stop(
    number=7,
    part=2,
    name="recorded",
    title="What did forward record?",
    objective="read `grad_fn`, and say when a graph is made and what is in it",
    misconception="`grad_fn` is the gradient, and the graph is made once for all",
    prerequisites=(2, 5),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(5, 6),
    reading=("Autograd mechanics, How autograd encodes the history, in the PyTorch notes",),
    pictures=(Picture("graph", "The graph that forward recorded"),),
    more=(Snippet(twice, "The same line twice"),),
)
