"""The order of the statements in a training step, and who changes what."""

# mypy: disable-error-code="no-untyped-call, operator"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_un
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Backward, then zeroing, then a step."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=0.01)
    loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    print("zeroed before the step", params.detach())


def usual(print: Print) -> None:
    """The usual order, with SGD and by hand."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    by_hand = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=0.01)
    optimizer.zero_grad()
    ((params[0] * t_un + params[1] - t_c) ** 2).mean().backward()
    optimizer.step()
    print("SGD", params.detach())
    ((by_hand[0] * t_un + by_hand[1] - t_c) ** 2).mean().backward()
    with torch.no_grad():
        by_hand -= 0.01 * by_hand.grad
    print("by hand", by_hand.detach())


def rebound(print: Print) -> None:
    """A name bound anew, and an optimizer that holds another tensor."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=0.01)
    ((params[0] * t_un + params[1] - t_c) ** 2).mean().backward()
    params = params - 0.01 * params.grad
    print("still a leaf", params.is_leaf)
    params = params.detach().requires_grad_()
    optimizer.zero_grad()
    ((params[0] * t_un + params[1] - t_c) ** 2).mean().backward()
    before = params.tolist()
    optimizer.step()
    print("the optimizer moved it", params.tolist() != before)


def outside(print: Print) -> None:
    """An update that is recorded."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)  # a leaf that requires a gradient
    loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
    loss.backward()
    params -= 0.01 * params.grad


def inside(print: Print) -> None:
    """An update that is not recorded."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        params -= 0.01 * params.grad
    print("fixed: params", params.detach())


def leaf(print: Print) -> Tensor:
    """The leaf, for the picture."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
    print("loss", loss.item())
    return loss


def transfer(print: Print) -> None:
    """The same numbers, another order."""
    x = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.5)
    (4 * x).backward()
    optimizer.step()
    optimizer.step()
    print("x", x.detach())


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    step = f["SGD"]
    return Teaching(
        predict=(
            choose(
                "early",
                "backward runs, then `zero_grad()`, then `step()`. params was [1, 0]. What is it now?",
                "[1, 0], and no error",
                "The gradient was thrown away before anybody used it: step() found None and skipped params.",
                (
                    (
                        "one step further: the optimizer has the gradient",
                        "An optimizer keeps no copy: it reads `.grad` when it steps.",
                        14,
                    ),
                    ("it raises: there is no gradient", "None is no error: such a parameter is skipped.", 12),
                ),
            ),
            choose(
                "who",
                "Which of the three changes the values of params, if the order is right?",
                "step() alone",
                "backward changes `.grad`, zero_grad empties `.grad`, and step changes values.",
                (
                    ("backward() and step()", "backward fills `.grad` and moves no value.", 6),
                    ("all three, one after the other", "Two of them touch `.grad` only.", 6),
                ),
            ),
        ),
        explain="Why does nothing complain if `.grad` is emptied too early?",
        rule="backward fills `.grad`, step uses it, zeroing empties it: after a step and before the next backward, never "
        "between backward and step.",
        explanation=(
            f"In the usual order params is [{', '.join(number(value, 5) for value in step)}] after one step, and by hand "
            "under no_grad it is the same: plain SGD is that one line.",
            "An optimizer holds the tensors that it was given. A name that is bound anew, as in "
            "`params = params - …`, stands for another tensor, which is no leaf (or, made under no_grad, one that requires no gradient); the optimizer goes on with the old "
            "one, and what is trained is not what is used.",
        ),
        transfer=predict(
            "twice",
            "x is 1, the slope is 4, and lr is 0.5. backward runs once, then step() twice. What is x?",
            f.transfer["x"],
            "`.grad` stays 4 until somebody empties it, so each step takes 0.5 · 4.",
            (
                (-1.0, "step() does not empty `.grad`: the second one uses it again.", 6),
                (5.0, "A step goes against the gradient.", 1),
                (-7.0, "lr scales both steps.", 16),
            ),
        ),
        recall=choose(
            "moment",
            "Between which two of these must `zero_grad()` not stand?",
            "between backward() and step()",
            "It would throw the gradient away before the step could use it.",
            (
                ("between step() and the next backward()", "That is just where it belongs.", 14),
                (
                    "between the forward and backward()",
                    "There it does no harm: `.grad` is filled afterwards.",
                    14,
                ),
            ),
        ),
    )


stop = Stop(
    number=14,
    part=3,
    name="order",
    title="Does the order of the statements matter?",
    objective="put forward, backward, step and zeroing in an order that learns, and say who changes what",
    misconception="any order of forward, backward, step and zeroing learns, as long as nothing raises",
    prerequisites=(6, 12),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(12, 13),
    reading=("Optimizing Model Parameters, in the PyTorch tutorials",),
    pictures=(
        Picture("run", "The gradient is emptied before the step"),
        Picture("run", "The usual order, with SGD and by hand", usual),
        Picture("graph", "The leaf that may not be changed in place", leaf, mark=("params",)),
    ),
    errors=(
        Failing(
            outside,
            "# a leaf that",
            "AccumulateGrad",
            "The update would be recorded as part of the graph, and params would be no leaf any more. Under no_grad "
            "nothing is recorded, and it stays the leaf that it was.",
            inside,
            "An update in place that is not under no_grad",
        ),
    ),
    more=(
        Snippet(usual, "The usual order, with SGD and by hand"),
        Snippet(rebound, "A name that is bound anew"),
    ),
)
