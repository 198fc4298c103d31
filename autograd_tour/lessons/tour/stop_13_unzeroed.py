"""A training loop that never empties ``.grad``: momentum without friction."""

# mypy: disable-error-code="no-untyped-call, operator, arg-type"

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_tour.drawing.curves import Series
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.optimizers import train_with
from autograd_tour.lessons.thermometer import t_c, t_un
from autograd_tour.lessons.tour.base import Chart, Figures, Picture, Print, Snippet, Stop, choose, predict
from autograd_tour.lessons.training_study import training_loop
from autograd_tour.text import number

__all__ = ["hook", "stop"]

FIRST = 60
"""Epochs of the first chart."""


def hook(print: Print) -> None:
    """The loop without the line that empties."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for epoch in range(1, 5001):
        loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            params -= 0.01 * params.grad
        if epoch <= 6 or epoch == 5000:
            print("loss", epoch, loss.item())


def few(print: Print) -> None:
    """Three epochs of it, for the picture."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for epoch in range(3):
        loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            params -= 0.01 * params.grad
        print("epoch", epoch)


def both(print: Print) -> None:
    """All losses, emptied and not, and those of SGD with momentum 1.0, in double precision."""
    scaled, truth = t_un.double(), t_c.double()
    for label, zero in (("zeroed", True), ("kept", False)):
        params = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
        for loss in training_loop(5000, 1e-2, params, scaled, truth, zero=zero).losses:
            print(label, loss)
    for loss in train_with("SGD", torch.optim.SGD, 5000, scaled, truth, lr=1e-2, momentum=1.0).losses:
        print("momentum", loss)


def transfer(print: Print) -> None:
    """A slope of 1 everywhere."""
    x = torch.tensor(10.0, requires_grad=True)
    for _ in range(3):
        (1 * x).backward()
        with torch.no_grad():
            x -= x.grad
    print("x", x.detach())


def first_lines(f: Figures) -> Sequence[Series]:
    """The first epochs."""
    return tuple(
        Series(name, tuple(enumerate(f.every(label)[:FIRST], start=1)))
        for name, label in (("emptied", "zeroed"), ("not emptied", "kept"))
    )


def all_lines(f: Figures) -> Sequence[Series]:
    """All epochs."""
    return tuple(
        Series(name, tuple(enumerate(f.every(label), start=1)))
        for name, label in (("emptied", "zeroed"), ("not emptied", "kept"))
    )


def pace(losses: Sequence[float]) -> float:
    """Epochs from one peak of the loss to the next, on average."""
    inner = range(1, len(losses) - 1)
    peaks = [i for i in inner if losses[i - 1] < losses[i] >= losses[i + 1]]
    return (peaks[-1] - peaks[0]) / (len(peaks) - 1)


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    losses, kept, emptied = f.every("loss"), f.every("kept"), f.every("zeroed")
    early, late = pace(kept[:500]), pace(kept[-500:])
    return Teaching(
        predict=(
            choose(
                "swings",
                "This loop never empties `.grad`. What does its loss do over 5,000 epochs?",
                "it swings up and down, always at the same pace",
                f"From peak to peak it takes {number(early, 2)} epochs at the beginning and {number(late, 2)} at the "
                "end. The sum of all gradients drives past the bottom of the valley and must be driven back.",
                (
                    (
                        "it falls faster: the steps are larger",
                        "The steps are larger, but they remember: past the bottom the old gradients still push on.",
                        13,
                    ),
                    (
                        "it swings ever faster",
                        "The pace stays: it is a pendulum without friction.",
                        13,
                    ),
                    (
                        "it grows without end",
                        "Past the bottom new gradients point back, and take the sum down again.",
                        13,
                    ),
                ),
            ),
            choose(
                "same-as",
                "Which loop that does empty `.grad` has just these losses?",
                "SGD with momentum=1.0",
                "Momentum keeps the same sum in a place of its own; 1.0 is without friction: nothing of it is lost.",
                (
                    (
                        "SGD with a larger lr",
                        "A larger lr scales one gradient; here all of the past acts.",
                        13,
                    ),
                    (
                        "SGD with weight_decay",
                        "That pulls the values towards 0; here old gradients act on.",
                        12,
                    ),
                ),
            ),
        ),
        explain="Why is a loop without zeroing not just one with a larger learning rate?",
        rule="Without zeroing each step uses the sum of all gradients so far: momentum without friction, which swings "
        "in its valley and does not settle.",
        explanation=(
            f"The first losses are {', '.join(number(round(loss, 1)) for loss in losses[:6])}; after 5,000 epochs it is "
            f"{number(losses[-1], 3)}, where the loop that empties is at {number(emptied[-1], 4)}.",
            "In both charts the one line falls and does not come up again; the other goes up and down to the end, so fast that over "
            "5,000 epochs only the band between its extremes can be drawn.",
        ),
        transfer=predict(
            "sum",
            "x is 10 and the slope is 1 everywhere. Three rounds: backward, then `x -= x.grad` under no_grad; nothing is "
            "emptied. What is x?",
            f.transfer["x"],
            "`.grad` is 1, then 2, then 3: 10 − 1 − 2 − 3.",
            (
                (7.0, "That is with zeroing: 1 in each round.", 6),
                (1.0, "`.grad` is 3 only in the last round; before it was 1 and 2.", 6),
                (16.0, "A step goes against the gradient.", 1),
            ),
        ),
        recall=choose(
            "forgot",
            "The loss of a training swings up and down and never settles. Which missing line may be the cause?",
            "`optimizer.zero_grad()`",
            "Then each step uses the sum of all gradients, and sums remember.",
            (
                ("`loss.backward()`", "Without it nothing would move at all.", 14),
                ("`torch.no_grad()`", "Without it an update by hand, in place, raises an error.", 14),
            ),
        ),
    )


stop = Stop(
    number=13,
    part=3,
    name="unzeroed",
    title="What if a training loop never empties `.grad`?",
    objective="predict what training does without zeroing, and say which optimizer it equals",
    misconception="without zeroing training only takes bigger steps, or swings ever faster",
    prerequisites=(6, 12),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(6, 12),
    reading=("Why Momentum Really Works, on Distill",),
    pictures=(
        Chart(
            first_lines,
            "The first 60 epochs",
            "Two losses over 60 epochs on linear axes. Emptied, the loss falls to some 25 and goes on slowly; not "
            "emptied, it swings, a peak about every four epochs.",
            "epoch",
            "loss on t_un, learning rate 0.01",
        ),
        Chart(
            all_lines,
            "All 5,000 epochs",
            "The same over 5,000 epochs, both axes logarithmic. Emptied, the loss falls to 2.93 and stays; not "
            "emptied, it swings in a band to the end.",
            "epoch",
            "loss on t_un, learning rate 0.01",
            log_x=True,
            log_y=True,
        ),
        Picture("run", "Three rounds: `.grad` is never emptied", few),
    ),
    measured=(Snippet(both),),
)
