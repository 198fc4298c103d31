"""What a gradient is: a slope, which a nudge only comes near."""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_tour.drawing.curves import Series
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import t_c, t_u
from autograd_tour.lessons.tour.base import Chart, Figures, Print, Snippet, Stop, choose, predict
from autograd_tour.text import number

__all__ = ["stop"]


def hook(print: Print) -> None:
    """A nudge, and backward."""

    def loss(w, b):
        return ((w * t_u + b - t_c) ** 2).mean()

    print("slope seen by a nudge", (loss(1.01, 0.0) - loss(1.0, 0.0)) / 0.01)
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    loss(w, b).backward()
    print("w.grad", w.grad)
    print("b.grad", b.grad)


def differences(print: Print) -> None:
    """Central differences, in two precisions."""

    def slopes(h, dtype):
        w, b, h_ = (torch.tensor(value, dtype=dtype) for value in (1.0, 0.0, h))

        def loss(w, b):
            return ((w * t_u.to(dtype) + b - t_c.to(dtype)) ** 2).mean()

        print(f"w, {dtype}, h = {h}", ((loss(w + h_, b) - loss(w - h_, b)) / (2 * h_)).item())
        print(f"b, {dtype}, h = {h}", ((loss(w, b + h_) - loss(w, b - h_)) / (2 * h_)).item())

    slopes(0.01, torch.float64)
    slopes(0.01, torch.float32)
    slopes(1e-5, torch.float32)


def valley(print: Print) -> None:
    """The loss over w, for the chart."""
    for w in torch.linspace(0, 2, 41):
        print("w", w)
        print("loss", ((w * t_u - t_c) ** 2).mean())


def transfer(print: Print) -> None:
    """No parabola: the difference on both sides errs too."""
    x = torch.tensor(2.0, requires_grad=True, dtype=torch.float64)
    (x**3).backward()
    h = 0.1
    print("difference on both sides", ((2 + h) ** 3 - (2 - h) ** 3) / (2 * h))
    print("x.grad", x.grad)


def lines(f: Figures) -> Sequence[Series]:
    """The loss, its tangent at w = 1, and the secant from w = 1 to w = 2."""
    points = list(zip(f.every("w"), f.every("loss"), strict=True))
    start, end, slope = points[20][1], points[-1][1], f["w.grad"]
    return (
        Series("loss", points),
        Series("tangent: w.grad", ((0.7, start - 0.3 * slope), (1.0, start), (2.0, start + slope))),
        Series("secant: a nudge of 1", ((1.0, start), (2.0, end))),
    )


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    nudge, grad = f["slope seen by a nudge"], f["w.grad"]
    far = f.transfer["difference on both sides"]
    return Teaching(
        predict=(
            choose(
                "exact",
                f"The nudge from w = 1 to w = 1.01 sees a slope of {number(nudge)}. What will `w.grad` be?",
                "a little less: the slope at w = 1 itself",
                f"`w.grad` is {number(grad)}. The nudge also sees the steeper stretch behind w = 1; backward "
                "computes the slope at the point, exact but for rounding.",
                (
                    (
                        "the same: backward nudges w too",
                        "You assumed that autograd tries a nudge. It multiplies exact local slopes, "
                        "one for each operation.",
                        2,
                    ),
                    (
                        "a little more: backward only approximates the nudge",
                        "You took the nudge for the truth. It is the approximation, and its error grows "
                        "with its size.",
                        1,
                    ),
                ),
            ),
            choose(
                "direction",
                "Say that `w.grad` is positive. Which way must w go a little for the loss to fall?",
                "down",
                "A positive slope means: the loss rises with w. So w goes against the sign of its gradient.",
                (
                    ("up", "That is uphill: the gradient points to where the loss grows.", 1),
                    (
                        "either way: only the size of a gradient counts",
                        "The sign tells the direction; without it no step could be right.",
                        1,
                    ),
                ),
            ),
        ),
        explain="Why does a nudge of 0.01 not give exactly `w.grad`?",
        rule="A gradient is a slope at one point: how much the loss changes for each unit of w; step "
        "against its sign to go down.",
        explanation=(
            f"The loss is a parabola in w, and it bends: the stretch from 1 to 1.01 is steeper on average "
            f"({number(nudge)}) than at its beginning ({number(grad)}).",
            "A difference on both sides of w is exact on lines and parabolas but for rounding, and rounding is not "
            f"small: in float32 with h = 1e-5 it gives {number(f['b, torch.float32, h = 1e-05'], 4)} for b, where "
            f"`b.grad` is {number(f['b.grad'])}. Backward needs no h, so it has neither error; "
            "it rounds, as every computation in float32 does, but takes no difference of nearly equal numbers.",
        ),
        transfer=predict(
            "cube",
            f"x is 2. A difference on both sides, with h = 0.1, gives {number(far)} for x³. What is `x.grad`?",
            f.transfer["x.grad"],
            "3x² = 12. A difference on both sides is exact on lines and parabolas only.",
            (
                (far, "You took the difference for the slope; it is only near it.", 1),
                (8.0, "That is the value of x³, not its slope.", 1),
                (6.0, "You took 3x; the slope of x³ is 3x².", 2),
            ),
            tolerance=0.0002,
        ),
        recall=choose(
            "slope",
            "`w.grad` is −3. Which way must w go a little for the loss to fall?",
            "up",
            "The slope is negative: the loss falls as w grows.",
            (("down", "With a negative slope, down is uphill.", 1), ("it does not matter", "It does.", 1)),
        ),
    )


stop = Stop(
    number=1,
    part=1,
    name="gradient",
    title="What is a gradient?",
    objective="say what `.grad` measures, and tell it from what a nudge sees",
    misconception="a gradient that autograd gives is an approximation, or its sign says nothing",
    prerequisites=(),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(),
    reading=(
        "A Gentle Introduction to torch.autograd, in the PyTorch tutorials",
        "torch.autograd.gradcheck, which compares backward with differences, in the PyTorch documentation",
    ),
    pictures=(
        Chart(
            lines,
            "The loss over w at b = 0: tangent and secant",
            "A parabola. The tangent at w = 1 touches it; a secant from w = 1 to w = 2 is steeper. To the "
            "left of w = 1 the loss falls.",
            "w",
            "loss",
        ),
    ),
    more=(
        Snippet(
            differences,
            "Differences on both sides, in two precisions",
            "With h = 1e-5 the two losses agree in most of the digits that float32 has: what is left of "
            "their difference is mostly rounding.",
        ),
    ),
    measured=(Snippet(valley),),
)
