"""What cuts a tensor off from the graph, and what only looks as if it did."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Figures, Picture, Print, Snippet, Stop, choose, predict

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """One factor is cut off."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x.detach() * x
    y.backward()
    print("y", y.item())
    print("x.grad", x.grad)


def cuts(print: Print) -> None:
    """Ways to cut, and one that is none."""
    x = torch.tensor(3.0, requires_grad=True)
    layer = torch.nn.Linear(1, 1)
    with torch.no_grad():
        quiet = x * 2
    print("x.detach() requires a gradient:", x.detach().requires_grad)
    print("x.data requires a gradient:", x.data.requires_grad)
    print("x * 2 under no_grad requires a gradient:", quiet.requires_grad)
    print("x.item() is a plain", type(x.item()).__name__)
    print("a layer after eval() requires a gradient:", layer.eval()(torch.ones(1)).requires_grad)


def transfer(print: Print) -> None:
    """A square that is cut off."""
    x = torch.tensor(4.0, requires_grad=True)
    y = x * x
    z = y.detach() + x
    z.backward()
    print("x.grad", x.grad)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            predict(
                "detached",
                "x is 3 and `y = x.detach() * x`. What is `x.grad` after `y.backward()`?",
                f["x.grad"],
                "To backward the detached factor is the constant 3: one way back is left, and it brings 3.",
                (
                    (6.0, "That is without the cut: detach changes the gradient, too.", 18),
                    (0.0, "Only one of the two factors is cut off; the other one still leads back.", 18),
                    (9.0, "That is the value of y, not its slope.", 1),
                    (1.0, "x stands in a product: it gets the other factor.", 2),
                ),
            ),
            choose(
                "eval",
                "A model is switched with `model.eval()`. What does autograd do now?",
                "it records as before",
                "eval() changes what layers such as dropout and batch norm compute. Recording is switched off by "
                "no_grad.",
                (
                    ("it records nothing", "That is `torch.no_grad()`; eval() is about layers.", 18),
                    ("it records, but parameters get no gradient", "They require one as before.", 18),
                ),
            ),
        ),
        explain="Why is detach more than a way to save memory?",
        rule="What is cut off is a constant to backward: nothing goes back through it, and all before it "
        "lacks that part of its gradient.",
        explanation=(
            "`detach()` and `.data` give the same numbers without a way back, results under no_grad have none, and "
            "`item()` and `tolist()` give plain Python numbers. NumPy arrays have none either: `numpy()` refuses a "
            "tensor that requires a gradient until it is detached.",
            "The value in forward is the same in all cases, so nothing looks wrong: only the gradient is another one. "
            "For targets and statistics that is what one wants.",
        ),
        transfer=predict(
            "square",
            "x is 4, y = x * x, and `z = y.detach() + x`. What is `x.grad` after `z.backward()`?",
            f.transfer["x.grad"],
            "Nothing goes back through y; the x that is added brings 1.",
            (
                (9.0, "That is without the cut: 8 through y, and 1.", 18),
                (8.0, "That would come through y, which is cut off.", 18),
                (0.0, "The x that is added is not cut off.", 18),
                (20.0, "That is the value of z.", 1),
            ),
        ),
        recall=choose(
            "item",
            "A loss is computed with `scale = s.item()` in it, where s is a parameter. What is `s.grad`, if s is used "
            "nowhere else?",
            "None",
            "`item()` gives a plain number: no way leads back to s.",
            (
                ("zero", "A zero would have to come along a way, and there is none.", 5),
                ("the slope of the loss in s", "The way is cut: scale is a constant.", 18),
            ),
        ),
    )


stop = Stop(
    number=18,
    part=4,
    name="cut",
    title="What cuts a tensor off?",
    objective="tell what cuts a gradient off, and predict what is left of it",
    misconception="`detach()` only saves memory, and `eval()` or `no_grad()` are as good",
    prerequisites=(3, 7),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(3, 7),
    reading=("Autograd mechanics, Locally disabling gradient computation, in the PyTorch notes",),
    pictures=(Picture("steps", "Scissors"),),
    more=(Snippet(cuts, "Ways to cut, and one that is none"),),
)
