"""All optimizers of torch.optim on one problem: what lr means to each."""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_tour.drawing.curves import Series
from autograd_tour.drawing.multiples import Walk
from autograd_tour.drawing.surface import Height
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.optimizers import best_fit, run_all
from autograd_tour.lessons.paths import paths_of_all
from autograd_tour.lessons.thermometer import t_c, t_u, t_un
from autograd_tour.lessons.tour.base import (
    Chart,
    Figures,
    Panels,
    Picture,
    Print,
    Snippet,
    Stop,
    choose,
    predict,
)
from autograd_tour.lessons.tour.valley import heights
from autograd_tour.text import number

__all__ = ["hook", "stop"]

CURVES = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta")
LR, STEPS = 0.01, 1000
HEIGHTS = (4, 8, 16, 32, 64, 128)
RAW = "raw"
NOTES = (
    "On the right: the last loss; least, at the cross, is 2.93. A path begins at the dot and ends at the ring.",
    "Lines: loss 4, 8, 16, 32, 64, 128. w goes across, b up. LBFGS takes one step, which calls its closure; Muon and "
    "SparseAdam need problems of another kind.",
)


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
    for label, readings in (("scaled", u), (RAW, t_u.double())):
        print(f"lowest, {label}", list(best_fit(readings, c).params))
        for path in paths_of_all(readings, c, LR, STEPS):
            print(f"walked, {label}", path.name)
            print(f"lr, {label}, {path.name}", path.lr)
            print(f"last, {label}, {path.name}", path.loss)
            print(f"path, {label}, {path.name}", path.points)


def kept(print: Print) -> None:
    """Two steps of Adam, for the picture of the run."""
    w = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((w * t_un - t_c) ** 2).mean()
        loss.backward()
        optimizer.step()


def closure(print: Print) -> None:
    """LBFGS, which evaluates the loss as often as it likes."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([params])
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = ((params[0] * t_un + params[1] - t_c) ** 2).mean()
        loss.backward()
        losses.append(round(loss.item(), 3))
        return loss

    optimizer.step(closure)
    print("evaluations in one step:", len(losses))
    print("the first and the last loss:", [losses[0], losses[-1]])
    print("it counts them too:", optimizer.state[params]["func_evals"])


def matrix(print: Print) -> None:
    """Muon, whose step is made nearly orthogonal: its singular values are about alike."""
    torch.manual_seed(0)

    def stretches(change):
        return [round(x, 2) for x in torch.linalg.svdvals(change).tolist()]

    inputs, truth = torch.randn(40, 3), torch.randn(3, 3)
    weights = torch.zeros(3, 3, requires_grad=True)
    optimizer = torch.optim.Muon([weights], lr=0.02, weight_decay=0.0)
    for step in range(200):
        before = weights.detach().clone()
        loss = ((inputs @ (weights - truth)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 0:
            print("singular values of the gradient:", stretches(weights.grad))
            print("of the step, in lr:", stretches((weights - before) / 0.02))
            print("the first loss:", round(loss.item(), 3))
    print("the last loss:", round(loss.item(), 3))


def rows(print: Print) -> None:
    """SparseAdam beside Adam on an embedding."""
    for kind, sparse in ((torch.optim.SparseAdam, True), (torch.optim.Adam, False)):
        words = torch.nn.Embedding(4, 2, sparse=sparse)
        optimizer = kind(words.parameters(), lr=0.1)
        for used in ([1, 3], [1]):
            before = words.weight.detach().clone()
            optimizer.zero_grad()
            words(torch.tensor(used)).sum().backward()
            optimizer.step()
            moved = (words.weight != before).any(1).nonzero().flatten()
            print(f"{kind.__name__}, used {used}, moved:", moved.tolist())


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


def walks(label: str, f: Figures) -> Sequence[Walk]:
    """Who walked where; what is given another lr than most is said."""
    return tuple(_walk(label, name, f) for name in f.every(f"walked, {label}"))


def _walk(label: str, name: str, f: Figures) -> Walk:
    lr, loss = f[f"lr, {label}, {name}"], number(f[f"last, {label}, {name}"], 3)
    points = tuple((w, b) for w, b in f[f"path, {label}, {name}"])
    if lr is None:
        return Walk(name, f"{loss}, {len(points) - 1} calls", points)
    return Walk(name if lr == LR else f"{name}, lr {lr:g}", loss, points)


def levels(readings: torch.Tensor) -> tuple[Height, ...]:
    """The surface on these readings."""
    return heights(readings, t_c, HEIGHTS)


def lowest(label: str, f: Figures) -> tuple[float, float]:
    """Where the loss is least."""
    w, b = f[f"lowest, {label}"]
    return w, b


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    able, unable = f.every("able"), f.every("unable")
    flown = [name for name in f.every("walked, raw") if f[f"lr, raw, {name}"] not in (LR, None)]
    first, last = f["the first and the last loss"]
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
            "of another kind: below, each has a problem of its own.",
            f"On the raw readings the valley is so narrow that {' and '.join([', '.join(flown[:-1]), flown[-1]])} fly off with "
            "lr=0.01; with a hundredth of it they hardly move along it. Scaling the input by 0.1 changes the surface, and "
            "with it what lr is right.",
            "What an optimizer keeps from step to step stands in mailboxes of its own, beside `.grad` and not in it: zero_grad "
            "empties `.grad` and leaves them as they are.",
            f"LBFGS evaluates the loss {f['evaluations in one step']} times in one step, through the closure that it is given, and "
            f"goes from {number(first, 4)} to {number(last, 4)}.",
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
    misconception="lr means the same to every optimizer, and can be carried from one to another",
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
        Picture("run", "Two steps of Adam, and what it keeps", kept),
        Panels(
            lambda f: levels(t_un),
            lambda f: walks("scaled", f),
            ((-0.5, -22.0), (7.0, 4.0)),
            lambda f: lowest("scaled", f),
            f"{STEPS:,} steps on t_un, lr=0.01",
            "The same narrow valley over w and b once for each optimizer, with its path from w = 1, b = 0. SGD falls to the floor at "
            "once and goes along it; Adam and its kin go more slowly, Adagrad and Adadelta hardly at all.",
            NOTES,
        ),
        Panels(
            lambda f: levels(t_u),
            lambda f: walks(RAW, f),
            ((-0.45, -22.0), (1.2, 4.0)),
            lambda f: lowest(RAW, f),
            f"{STEPS:,} steps on the raw t_u, lr=0.01 but where it is said",
            "The valley is ten times narrower in w. Those that step by lr times a gradient fly off with lr=0.01; with a hundredth "
            "of it they stay near b = 0.",
            NOTES,
        ),
    ),
    more=(
        Snippet(closure, "LBFGS wants a closure: it evaluates the loss as often as it needs"),
        Snippet(matrix, "Muon wants a matrix: it steps about as far in each of its directions"),
        Snippet(
            rows,
            "SparseAdam wants sparse gradients: rows that are not used stay",
            "Adam moves row 3 also where it was not used: its mean of earlier gradients is not 0. SparseAdam leaves it.",
        ),
    ),
    measured=(Snippet(courses),),
)
