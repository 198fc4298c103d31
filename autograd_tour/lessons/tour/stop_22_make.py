"""An autograd of some thirty lines, to be completed, and held against torch."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, union-attr, no-any-return"

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.lessons.tour.running import Printer
from autograd_tour.lessons.tour.tiny_json import as_json

__all__ = ["hook", "stop", "with_gaps", "without_gaps"]


def hook(print: Print) -> None:
    """Nine lines that do the chain rule."""

    class Value:
        def __init__(self, data, parents=()):
            self.data, self.parents, self.grad = data, parents, 0.0

        def __mul__(self, other):
            return Value(self.data * other.data, ((self, other.data), (other, self.data)))

        def backward(self, gradient=1.0):
            self.grad += gradient
            for parent, slope in self.parents:
                parent.backward(gradient * slope)

    x = Value(2.0)
    (x * x * x).backward()
    print("x.grad", x.grad)


def with_gaps(print: Print) -> None:
    """The lines that are the learner's are wrong here."""

    class Value:
        """A number that remembers where it came from."""

        def __init__(self, data, parents=(), slopes=(), op=""):
            self.data, self.grad = data, 0.0
            self.parents, self.slopes, self.op = parents, slopes, op

        def __add__(self, other):
            slopes = (0.0, 0.0)  # yours: what a sum hands to each of its inputs
            return Value(self.data + other.data, (self, other), slopes, "+")

        def __mul__(self, other):
            slopes = (0.0, 0.0)  # yours: what a product hands to each of its inputs
            return Value(self.data * other.data, (self, other), slopes, "*")

        def __pow__(self, number):
            slopes = (0.0,)  # yours: the slope of a power
            return Value(self.data**number, (self,), slopes, "**")

        def backward(self):
            order = []

            def visit(value):
                if value not in order:
                    for parent in value.parents:
                        visit(parent)
                    order.append(value)

            visit(self)
            self.grad = 1.0
            for value in reversed(order):
                for parent, slope in zip(value.parents, value.slopes):
                    parent.grad += 0.0  # yours: what one edge brings

    def same(values, tensors):
        return torch.allclose(torch.tensor([v.grad for v in values]), torch.stack([t.grad for t in tensors]))

    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    ((x + y) * z).backward()
    x_, y_, z_ = (torch.tensor(number, requires_grad=True) for number in (-2.0, 5.0, -4.0))
    ((x_ + y_) * z_).backward()
    print("stop 2 as in torch:", same((x, y, z), (x_, y_, z_)))
    x, x_ = Value(3.0), torch.tensor(3.0, requires_grad=True)
    (x * x + x).backward()
    (x_ * x_ + x_).backward()
    print("stop 3 as in torch:", same((x,), (x_,)))
    w, b, loss = Value(1.0), Value(0.0), Value(0.0)
    for u, c in zip(t_u.tolist(), t_c.tolist()):
        loss = loss + (w * Value(u) + b + Value(-c)) ** 2 * Value(1 / 11)
    loss.backward()
    w_, b_ = (torch.tensor(number, requires_grad=True) for number in (1.0, 0.0))
    ((w_ * t_u + b_ - t_c) ** 2).mean().backward()
    print("stop 4 as in torch:", same((w, b), (w_, b_)))


def without_gaps(print: Print) -> object:
    """The same, completed."""

    class Value:
        """A number that remembers where it came from."""

        def __init__(self, data, parents=(), slopes=(), op=""):
            self.data, self.grad = data, 0.0
            self.parents, self.slopes, self.op = parents, slopes, op

        def __add__(self, other):
            slopes = (1.0, 1.0)  # yours: what a sum hands to each of its inputs
            return Value(self.data + other.data, (self, other), slopes, "+")

        def __mul__(self, other):
            slopes = (other.data, self.data)  # yours: what a product hands to each of its inputs
            return Value(self.data * other.data, (self, other), slopes, "*")

        def __pow__(self, number):
            slopes = (number * self.data ** (number - 1),)  # yours: the slope of a power
            return Value(self.data**number, (self,), slopes, "**")

        def backward(self):
            order = []

            def visit(value):
                if value not in order:
                    for parent in value.parents:
                        visit(parent)
                    order.append(value)

            visit(self)
            self.grad = 1.0
            for value in reversed(order):
                for parent, slope in zip(value.parents, value.slopes):
                    parent.grad += slope * value.grad  # yours: what one edge brings

    def same(values, tensors):
        return torch.allclose(torch.tensor([v.grad for v in values]), torch.stack([t.grad for t in tensors]))

    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    ((x + y) * z).backward()
    x_, y_, z_ = (torch.tensor(number, requires_grad=True) for number in (-2.0, 5.0, -4.0))
    ((x_ + y_) * z_).backward()
    print("stop 2 as in torch:", same((x, y, z), (x_, y_, z_)))
    x, x_ = Value(3.0), torch.tensor(3.0, requires_grad=True)
    (x * x + x).backward()
    (x_ * x_ + x_).backward()
    print("stop 3 as in torch:", same((x,), (x_,)))
    w, b, loss = Value(1.0), Value(0.0), Value(0.0)
    for u, c in zip(t_u.tolist(), t_c.tolist()):
        loss = loss + (w * Value(u) + b + Value(-c)) ** 2 * Value(1 / 11)
    loss.backward()
    w_, b_ = (torch.tensor(number, requires_grad=True) for number in (1.0, 0.0))
    ((w_ * t_u + b_ - t_c) ** 2).mean().backward()
    print("stop 4 as in torch:", same((w, b), (w_, b_)))
    return Value


def drawn(print: Print) -> str:
    """Its graph as the JSON that the tour reads."""
    Value: Any = without_gaps(Printer())
    x = Value(3.0)
    square = x * x
    y = square + x
    y.backward()
    print("x.grad", x.grad)
    return as_json(y, {id(x): "x", id(square): "x * x", id(y): "x * x + x"})


def torchs(print: Print) -> Tensor:
    """The same in torch."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x + x
    print("y", y.item())
    return y


def transfer(print: Print) -> None:
    """How often the short one visits a leaf."""

    class Value:
        visits = 0

        def __init__(self, parents=()):
            self.parents = parents

        def __add__(self, other):
            return Value((self, other))

        def backward(self):
            Value.visits += not self.parents
            for parent in self.parents:
                parent.backward()

    x = Value()
    for _ in range(10):
        x = x + x
    x.backward()
    print("visits", Value.visits)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            predict(
                "nine",
                "These nine lines are an autograd for products. What does it print for `x.grad`, at x = 2?",
                f["x.grad"],
                "4 + 4 + 4, as torch has it in stop 3: slopes along each way are multiplied, and the ways add up.",
                (
                    (4.0, "`self.grad +=` adds what each of the three ways brings.", 3),
                    (8.0, "That is the value, not the slope.", 1),
                    (0.0, "The 0.0 is where `grad` begins; backward adds to it.", 6),
                ),
            ),
            choose(
                "engine",
                "What does torch's engine do that these lines do not?",
                "it waits until all of a node's gradient has arrived, and runs it once",
                "Here each way is walked to its end, and what is shared is walked again for each of them.",
                (
                    ("it multiplies by the slopes", "So do these lines: `gradient * slope`.", 2),
                    ("it adds where ways meet", "So do these lines: `self.grad +=`.", 3),
                ),
            ),
        ),
        explain="What would go wrong with the short version in a deep network?",
        rule="An autograd is a record of who came from whom with which slope, and one walk back that multiplies along ways "
        "and adds where they meet.",
        explanation=(
            "The longer version first puts all values in order, so that a value comes after all that it came from, and "
            "then walks that list backwards once: no value is left before all of its gradient is there.",
            "Four lines in it are yours. Complete them in the notebook of this stop, or in a file, until it prints "
            "True three times; ours stands below it, and its graph is drawn beside torch's.",
        ),
        transfer=predict(
            "visits",
            "`x = x + x` runs ten times, then the short backward, which walks each way to its end. How often does it come "
            "to the leaf?",
            float(f.transfer["visits"]),
            "Each sum doubles the number of ways: 2 · 2 · … · 2, ten times.",
            (
                (
                    20.0,
                    "Each sum has two ways to the one before it, and those multiply: two, four, eight …",
                    9,
                ),
                (10.0, "That is the number of sums; each of them has two ways back.", 3),
                (1.0, "That is what an engine does that waits; this one does not.", 9),
                (11.0, "That is the number of values; ways are more.", 9),
            ),
        ),
        recall=choose(
            "two-deeds",
            "Which two things does every autograd do on its way back?",
            "multiply along a way, and add where ways meet",
            "That is the chain rule for several ways.",
            (
                ("add along a way, and multiply where ways meet", "It is the other way round.", 2),
                (
                    "differentiate formulas, and put numbers in",
                    "No formula is ever written down: only slopes at this point.",
                    2,
                ),
            ),
        ),
    )


stop = Stop(
    number=22,
    part=5,
    name="make",
    title="Can you build it?",
    objective="write an autograd of some thirty lines, and say what torch's has more",
    misconception="autograd is magic that no reader could write",
    prerequisites=(2, 3, 4, 9),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(9, 21),
    reading=("micrograd, by Andrej Karpathy",),
    pictures=(
        Picture(
            "graph", "The graph of x * x + x in the autograd of this stop, completed", drawn, from_json=True
        ),
        Picture("graph", "The graph of the same in torch", torchs),
    ),
    more=(
        Snippet(with_gaps, "To be completed"),
        Snippet(without_gaps, "Ours", folded=True),
    ),
)
