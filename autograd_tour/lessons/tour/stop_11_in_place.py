"""In-place operations: versions, what autograd notices, and what it does not."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import torch
from torch import Tensor

from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.tour.base import Failing, Figures, Picture, Print, Snippet, Stop, choose
from autograd_tour.text import number

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """Changed in place, and fine."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    y = a * 2
    print("version", y._version)
    y += 1
    print("version", y._version)
    y.sum().backward()
    print("a.grad", a.grad)


def changed(print: Print) -> None:
    """Changed in place, and needed."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    y = a.exp()
    y += 1  # changes what exp has saved
    y.sum().backward()


def copied(print: Print) -> None:
    """A new tensor instead."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    y = a.exp()
    y = y + 1
    y.sum().backward()
    print("fixed: a.grad", a.grad)


def unseen(print: Print) -> None:
    """Behind autograd's back."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    y = a.exp()
    y.data += 1
    y.sum().backward()
    print("through .data: version", y._version)
    print("through .data: a.grad", a.grad)


def saving(print: Print) -> Tensor:
    """The result that was saved and then changed, for the picture."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    y = a.exp()
    y += 1
    print("y", y.tolist())
    return y.sum()


def transfer(print: Print) -> None:
    """Two functions and the same change."""
    for function in (torch.sin, torch.sigmoid):
        x = torch.tensor(0.5, requires_grad=True)
        y = function(x)
        y += 1
        try:
            y.backward()
            print(function.__name__, "runs")
        except RuntimeError:
            print(function.__name__, "raises")


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    wrong, right = f["through .data: a.grad"], f["fixed: a.grad"]
    return Teaching(
        predict=(
            choose(
                "fine",
                "`y = a * 2`, then `y += 1` in place, then backward. What happens?",
                "it runs, and a.grad is [2, 2]",
                "The product saved its factor 2, not its result: nobody needs the y of before.",
                (
                    (
                        "it raises: in place is never allowed",
                        "It is, where nobody needs what was there before.",
                        11,
                    ),
                    ("it runs, and a.grad is [3, 3]", "Adding 1 has slope 1: it changes y and no slope.", 2),
                ),
            ),
            choose(
                "saved",
                "Now `y = a.exp()`, then `y += 1` in place, then backward. What happens?",
                "it raises",
                "exp saved its result, since exp is its own slope. That is changed now, and its version shows it.",
                (
                    (
                        "it runs, and the gradient is right",
                        "The gradient of exp is its result, which has been changed.",
                        11,
                    ),
                    ("it runs, and the gradient is wrong", "Autograd compares versions and notices.", 11),
                ),
            ),
            choose(
                "data",
                "And with `y.data += 1` in place of `y += 1`?",
                "it runs, and the gradient is wrong",
                f"`.data` shares the numbers and not the version: a.grad is [{_listed(wrong)}] where "
                f"[{_listed(right)}] is right.",
                (
                    ("it raises an error", "`.data` is not watched: the version stays as it was.", 11),
                    (
                        "it runs, and the gradient is right",
                        "No error is no proof: backward used changed numbers.",
                        11,
                    ),
                ),
            ),
        ),
        explain="How can torch know that a saved tensor has been changed, without comparing its numbers?",
        rule="A change of a result in place is fine where no node saved what was there; else the version of the tensor tells, "
        "unless it was changed through `.data`.",
        explanation=(
            "Each tensor counts the changes in place: y is at version 0 when it is made and at version 1 after "
            "`y += 1`. A node that saves a tensor notes the version, and compares it when backward runs.",
            "`y.data` is a tensor of its own on the same memory with a version of its own. That is why it should "
            "not be used to change values: changes under `with torch.no_grad():` are counted. (A leaf that requires a gradient "
            "may be changed in place only there: stop 14.)",
        ),
        transfer=choose(
            "sigmoid",
            "`y = f(x)`, then `y += 1` in place, then backward: for sin, whose slope is cos(x), and for sigmoid, whose "
            "slope is y(1 − y). For which does it raise?",
            "for sigmoid only",
            "sigmoid saves its result, which was changed; sin saves its input.",
            (
                ("for sin only", "The slope of sin is computed from x, which was not changed.", 10),
                ("for both", "sin saves its input x, which is as it was.", 10),
                ("for neither", "sigmoid's slope is computed from its result, which was changed.", 11),
            ),
        ),
        recall=choose(
            "silent",
            "A saved tensor was changed through `.data`. What does backward do?",
            "it runs with the changed numbers, and says nothing",
            "The version did not change, so nothing is noticed.",
            (
                ("it raises", "Only changes that raise the version are noticed.", 11),
                (
                    "it uses the numbers as they were saved",
                    "What is saved is the tensor itself, not a copy.",
                    10,
                ),
            ),
        ),
    )


def _listed(values: list[float]) -> str:
    return ", ".join(number(value, 5) for value in values)


stop = Stop(
    number=11,
    part=2,
    name="in-place",
    title="When may a tensor be changed in place?",
    objective="predict whether a change in place raises, is harmless, or goes unnoticed",
    misconception="a change in place is always forbidden, and what raises nothing is right",
    prerequisites=(10,),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(9, 10),
    reading=("Autograd mechanics, In-place operations with autograd, in the PyTorch notes",),
    pictures=(
        Picture("graph", "What exp saved has been changed since", saving, mark=("exp",), backward=False),
    ),
    errors=(
        Failing(
            changed,
            "# changes what",
            "ExpBackward0",
            "It complains in backward, far from the line that is to blame: version 1 was found where version 0 "
            "had been saved.",
            copied,
            "A saved tensor that was changed",
        ),
    ),
    more=(Snippet(unseen, "The same through .data"),),
)
