"""The edges of the graph: to which node a gradient goes on, and as which of its outputs."""

# mypy: disable-error-code="no-untyped-call, union-attr, misc, no-any-return"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> Tensor:
    """Two parameters in one tensor."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    w, b = params
    t_p = w * t_u + b
    add = t_p.grad_fn
    for node, number in add.next_functions:
        print("the sum leads to", type(node).__name__, number)
    mul = add.next_functions[0][0]
    for node, number in mul.next_functions:
        print("the product leads to", type(node).__name__, number)
    return t_p.sum()


def transfer(print: Print) -> None:
    """The third of three."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, c, d = x
    y = d * 5.0
    for node, number in y.grad_fn.next_functions:
        print(type(node).__name__, number)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "entries",
                "In `w * t_u` only w requires a gradient: t_u is data. How many entries has `next_functions` of "
                "the product?",
                "two: one for each input",
                "The entry of t_u is (None, 0): the place is kept, and nothing is sent there.",
                (
                    (
                        "one: constants are left out",
                        "The place of a constant stays, with None in it, so that places tell inputs.",
                        8,
                    ),
                    (
                        "eleven: one for each reading",
                        "An entry stands for an input, however many numbers are in it.",
                        4,
                    ),
                ),
            ),
            choose(
                "number",
                "Each entry is a pair of a node and a number. What is the number?",
                "which output of that node the gradient is for",
                "`w, b = params` is one operation with two outputs: w is its output 0, b its output 1.",
                (
                    (
                        "the gradient that is sent there",
                        "No gradient has been computed yet: forward wrote this.",
                        7,
                    ),
                    ("when that node will run", "The order is found while backward runs.", 9),
                    ("the place of the input", "That is the place in the list itself.", 8),
                ),
            ),
        ),
        explain="Why must an edge name an output of the node that it leads to?",
        rule="`next_functions` has a pair for each input that the operation has a slope in: the node that made it, and which of "
        "its outputs it was; None where no gradient goes.",
        explanation=(
            "The sum leads to the product, and to UnbindBackward0 with a 1: b was the second of the two tensors "
            "that params was taken apart into. The product leads to UnbindBackward0 with a 0, for w, and to "
            "None with a 0, for t_u.",
            "UnbindBackward0 puts the gradients of its outputs side by side again, and for that it must know "
            "which is which. (In `y * 5.0` torch makes a tensor of the 5, so that has two pairs too. "
            "An index or a mask has no slope, and no pair.)",
        ),
        transfer=predict(
            "third",
            "`a, c, d = x`, and `y = d * 5.0`. Which number stands beside UnbindBackward0 in "
            "`y.grad_fn.next_functions`?",
            2.0,
            "d is the third of the outputs, and they are counted from 0.",
            (
                (
                    0.0,
                    "d is the first input of the product, but the number is about the node it came from.",
                    8,
                ),
                (3.0, "Outputs are counted from 0.", 8),
                (5.0, "That is the factor; it is kept by the product and is no edge.", 10),
                (1.0, "That would be c.", 8),
            ),
        ),
        recall=choose(
            "none",
            "`next_functions` is `((node, 0), (None, 0))`. What does the None say?",
            "that the second input gets no gradient",
            "It is a constant for autograd: it requires none.",
            (
                ("that the operation has only one input", "It has two: places are kept.", 8),
                (
                    "that the gradient of the second input is zero",
                    "No gradient and a gradient of zero differ.",
                    5,
                ),
            ),
        ),
    )


stop = Stop(
    number=8,
    part=2,
    name="next-functions",
    title="What is in `next_functions`?",
    objective="read the edges of a graph: where each leads, and as which output",
    misconception="constants vanish from the graph, and an edge only says which node comes next",
    prerequisites=(7,),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(4, 7),
    reading=("torch.autograd.graph.Node.next_functions, in the PyTorch documentation",),
    pictures=(Picture("graph", "One node with two outputs, and a constant"),),
)
