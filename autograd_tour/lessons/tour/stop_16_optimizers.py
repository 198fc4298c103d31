"""All optimizers of torch.optim on one problem: what lr means to each."""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_tour.drawing.curves import Series
from autograd_tour.drawing.surface import Height
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.optimizers import run_all
from autograd_tour.lessons.thermometer import loss_fn, model, t_c, t_u, t_un
from autograd_tour.lessons.tour.base import Chart, Figures, Print, Snippet, Stop, Surface, choose, predict
from autograd_tour.lessons.tour.valley import heights
from autograd_tour.text import number

__all__ = ["hook", "stop"]

CURVES = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta")
PATHS = ("SGD", "Adam", "Adagrad")


def hook(print: Print) -> None:
    """Three optimizers with one lr."""
    for name in ("SGD", "Adam", "Adagrad"):
        params = torch.tensor([1.0, 0.0], requires_grad=True)
        optimizer = getattr(torch.optim, name)([params], lr=0.01)
        for _ in range(3000):
            loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(name, round(loss.item(), 3))


def courses(print: Print) -> None:
    """All that torch.optim has, or why not; and paths, for the charts. In double precision, as the report has it."""
    u, c = t_un.double(), t_c.double()
    for outcome in run_all(5000, 0.01, u, c):
        if outcome.reason:
            print("unable", outcome.name)
            continue
        print("able", outcome.name)
        print(f"end, {outcome.name}", outcome.loss)
        if outcome.name in CURVES:
            for loss in outcome.losses:
                print(f"loss, {outcome.name}", loss)
    for label, readings, lr in (("scaled", u, 0.01), ("raw", t_u.double(), 1e-4)):
        for name in PATHS:
            params = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
            optimizer = getattr(torch.optim, name)([params], lr=lr if name == "SGD" else 0.01)
            for step in range(1000):
                if step % 5 == 0 or step < 60:
                    print(f"path, {label}, {name}", params)
                optimizer.zero_grad()
                loss_fn(model(readings, *params), c).backward()
                optimizer.step()


def transfer(print: Print) -> None:
    """The first step of Adam, and of SGD."""
    for kind in (torch.optim.Adam, torch.optim.SGD):
        x = torch.tensor(5.0, requires_grad=True)
        optimizer = kind([x], lr=0.1)
        (0.5 * x).backward()
        optimizer.step()
        print(kind.__name__, round(x.item(), 4))


def lines(f: Figures) -> Sequence[Series]:
    """The losses of a few."""
    return tuple(Series(name, tuple(enumerate(f.every(f"loss, {name}"), start=1))) for name in CURVES)


def paths(label: str, f: Figures) -> Sequence[Series]:
    """Who walked where."""
    return tuple(Series(name, tuple(map(tuple, f.every(f"path, {label}, {name}")))) for name in PATHS)


def levels(readings: torch.Tensor, values: Sequence[float]) -> tuple[Height, ...]:
    """The surface on these readings."""
    return heights(readings, t_c, values)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    able, unable = f.every("able"), f.every("unable")
    ends = ", ".join(f"{name} {number(f[f'end, {name}'], 4)}" for name in able)
    return Teaching(
        predict=(
            choose(
                "same-lr",
                "SGD, Adam and Adagrad train the same model on `t_un`, all with lr=0.01, for 3,000 epochs. The least loss "
                "there is is 2.928. Who gets there?",
                "SGD does, Adam nearly, Adagrad is far off",
                f"SGD ends at {number(f['SGD'], 4)}, Adam at {number(f['Adam'], 4)}, Adagrad at {number(f['Adagrad'], 4)}: "
                "its steps shrink as squared gradients add up.",
                (
                    ("all three: lr is the same", "lr scales something else in each of them.", 16),
                    (
                        "only Adagrad: it adapts",
                        "It adapts by taking ever smaller steps.",
                        16,
                    ),
                    ("none: 0.01 is too small", "Of these three it is far too small for Adagrad alone.", 16),
                ),
            ),
            choose(
                "adam-size",
                "A gradient is 200. How large is the first step of Adam with lr=0.1, as usually set?",
                "about 0.1",
                "Adam divides by the size of the gradients so far: its first step is about lr, however large the gradient.",
                (
                    ("20: lr times the gradient", "That is SGD.", 16),
                    (
                        "200: the whole gradient",
                        "No optimizer here takes a step of a whole gradient with this lr.",
                        14,
                    ),
                ),
            ),
        ),
        explain="Why can the same lr be right for one optimizer and far too small for another?",
        rule="lr scales what an optimizer makes of the gradients, and each makes something else: it is a number of its own "
        "for each.",
        explanation=(
            f"Of all {len(able) + len(unable)} optimizers of torch.optim, each as it is set by itself but for lr=0.01, these "
            f"run: {ends} (averages over the last 500 epochs where one jumps back and forth). {', '.join(unable)} refuse this loop, since they want a closure, or gradients or parameters "
            "of another kind.",
            "On the raw readings the valley is so narrow that SGD needs an lr a hundred times smaller, and then hardly "
            "moves along it: scaling the input by 0.1 changes the surface, and with it what lr is right.",
        ),
        transfer=predict(
            "first-step",
            "x is 5 and its gradient is 0.5. Adam with lr=0.1 takes its first step. What is x?",
            f.transfer["Adam"],
            "5 − 0.1: the first step of Adam is lr in size, against the sign of the gradient.",
            (
                (
                    f.transfer["SGD"],
                    "That is SGD: 5 − 0.1 · 0.5. Adam divides by the size of the gradient.",
                    16,
                ),
                (5.1, "A step goes against the gradient.", 1),
                (5.0, "It does step; only its size is not that of the gradient.", 16),
            ),
            tolerance=0.002,
        ),
        recall=choose(
            "switch",
            "A model trains well with SGD, lr=0.1. You switch to Adam. What about lr?",
            "it must be found again",
            "It scales something else: about the size of each step itself.",
            (
                ("it stays 0.1", "What was good for SGD says nothing about Adam.", 16),
                ("Adam ignores it", "It multiplies every step of Adam.", 16),
            ),
        ),
    )


stop = Stop(
    number=16,
    part=3,
    name="optimizers",
    title="Does lr mean the same everywhere?",
    objective="say what lr scales in SGD and in Adam, and why it cannot be carried over",
    prerequisites=(14,),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(12, 15),
    reading=(
        "torch.optim, How to use an optimizer, in the PyTorch documentation",
        "autograd-tour render training",
    ),
    pictures=(
        Chart(
            lines,
            "Losses with lr=0.01",
            "Five losses over 5,000 epochs, both axes logarithmic. SGD, Adam and RMSprop come down to the least loss; "
            "Adagrad and Adadelta stay far above it.",
            "epoch",
            "loss on t_un",
            log_x=True,
            log_y=True,
        ),
        Surface(
            lambda f: levels(t_un, (4, 8, 16, 32, 64, 128)),
            lambda f: paths("scaled", f),
            ((-0.5, -22.0), (7.0, 4.0)),
            "1,000 steps on t_un",
            "A narrow valley over w and b with three paths from w = 1, b = 0. SGD falls to its floor at once and goes "
            "along it; Adam follows; Adagrad gets less than one unit far.",
        ),
        Surface(
            lambda f: levels(t_u, (4, 8, 16, 32, 64, 128)),
            lambda f: paths("raw", f),
            ((-0.2, -22.0), (1.2, 4.0)),
            "1,000 steps on the raw t_u, SGD with lr=1e-4",
            "The same valley, ten times narrower in w. SGD falls to its floor and stays near b = 0; the others get little further.",
        ),
    ),
    measured=(Snippet(courses),),
)
