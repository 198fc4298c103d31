"""What is random in stochastic gradient descent: the batches, not SGD."""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence

import torch

from autograd_tour.drawing.curves import Series
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.lessons.thermometer import loss_fn, model, t_c, t_un
from autograd_tour.lessons.tour.base import Figures, Print, Snippet, Stop, Surface, choose, predict
from autograd_tour.lessons.tour.valley import heights

__all__ = ["hook", "stop"]


def hook(print: Print) -> None:
    """The same SGD on all readings and on samples of them."""

    def train(batches):
        params = torch.tensor([1.0, 0.0], requires_grad=True)
        optimizer = torch.optim.SGD([params], lr=0.01)
        for batch in batches:
            optimizer.zero_grad()
            ((params[0] * t_un[batch] + params[1] - t_c[batch]) ** 2).mean().backward()
            optimizer.step()
        return params.detach()

    print("all readings, twice the same:", train([slice(None)] * 500).equal(train([slice(None)] * 500)))
    samples = [[torch.randperm(11)[:4] for _ in range(500)] for _ in range(2)]
    print("samples of four, twice the same:", train(samples[0]).equal(train(samples[1])))


def walks(print: Print) -> None:
    """Both paths, for the chart."""
    torch.manual_seed(0)
    for label, size in (("all", 11), ("four", 4)):
        params = torch.tensor([1.0, 0.0], requires_grad=True)
        optimizer = torch.optim.SGD([params], lr=0.01)
        for _ in range(1000):
            print(label, params)
            batch = torch.randperm(11)[:size]
            optimizer.zero_grad()
            loss_fn(model(t_un[batch], *params), t_c[batch]).backward()
            optimizer.step()


def average(print: Print) -> None:
    """All samples of one reading, averaged."""
    gradients = []
    for reading in range(11):
        params = torch.tensor([1.0, 0.0], requires_grad=True)
        ((params[0] * t_un[reading] + params[1] - t_c[reading]) ** 2).backward()
        gradients.append(params.grad)
    print("mean over single readings", torch.stack(gradients).mean(0))  # type: ignore[arg-type]
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    ((params[0] * t_un + params[1] - t_c) ** 2).mean().backward()
    print("all readings at once", params.grad)


def transfer(print: Print) -> None:
    """Four gradients of one number each."""
    s = torch.tensor(1.0, requires_grad=True)
    x = torch.tensor([1.0, 3.0, 5.0, 11.0])
    (s * x).mean().backward()
    print("s.grad", s.grad)


def paths(f: Figures) -> Sequence[Series]:
    """Who walked where."""
    return tuple(
        Series(name, tuple(map(tuple, f.every(label))))
        for name, label in (("samples of four", "four"), ("all readings", "all"))
    )


def tell(f: Figures) -> Teaching:
    """Everything said, with the numbers of the run."""
    return Teaching(
        predict=(
            choose(
                "random",
                "SGD trains on all eleven readings in each step, twice from the same start. How do the two results differ?",
                "not at all",
                "SGD is a plain rule: value minus lr times gradient. The same gradients make the same steps.",
                (
                    (
                        "a little: SGD is stochastic",
                        "It has no dice of its own; what may be drawn are the batches.",
                        17,
                    ),
                    ("much: the loss surface is drawn anew", "The same readings make the same surface.", 17),
                ),
            ),
            choose(
                "samples",
                "Now each step uses four readings that are drawn anew. What is it that is random?",
                "the loss, and with it the gradient",
                "Each batch has a loss of its own, whose gradient is that of the whole one only on average.",
                (
                    ("the rule of the step", "It is the same as before.", 17),
                    ("the parameters at the start", "They are the same as before.", 17),
                ),
            ),
        ),
        explain="Why does a gradient of four readings, drawn evenly, still point the right way on average?",
        rule="SGD is no dice: stochastic is the sampled batch, whose gradient is the full one on average and noisy each "
        "time.",
        explanation=(
            "Averaged over all single readings the gradient is that of the whole loss: a mean of gradients is the "
            "gradient of the mean. So is the average over all samples of four, if each is as likely.",
            "On the surface the one path is smooth; the other trembles across the valley and goes the same way. Near "
            "the bottom it goes on trembling as long as lr stays what it is.",
        ),
        transfer=predict(
            "mean",
            "The gradients of four single readings are 1, 3, 5 and 11. What is that of the mean loss over all four, and "
            "so what a reading drawn evenly gives on average?",
            f.transfer["s.grad"],
            "Their mean: 20 / 4.",
            (
                (20.0, "That is their sum; the loss is a mean.", 15),
                (4.0, "That is the middle of them; means count all.", 17),
                (11.0, "That is the largest of them; all are drawn alike.", 19),
            ),
        ),
        recall=choose(
            "seed",
            "Two trainings on a CPU with plain SGD and one lr differ, though all starts from the same parameters. What "
            "is different, then?",
            "the order or the choice of the batches (or what the layers draw)",
            "SGD itself draws nothing.",
            (
                ("nothing: SGD is random", "It is a plain rule.", 17),
                ("lr was drawn anew", "lr is a number that you give.", 16),
            ),
        ),
    )


stop = Stop(
    number=17,
    part=3,
    name="stochastic",
    title="What is stochastic about SGD?",
    objective="say what is random in stochastic gradient descent, and what is not",
    misconception="SGD itself is random",
    prerequisites=(14, 15),
    hook=Snippet(hook),
    transfer=Snippet(transfer),
    tell=tell,
    recall=(14, 16),
    reading=("Léon Bottou, Stochastic Gradient Descent Tricks",),
    pictures=(
        Surface(
            lambda f: heights(t_un, t_c, (4, 8, 16, 32, 64, 128)),
            paths,
            ((-0.5, -22.0), (7.0, 4.0)),
            "1,000 steps of the same SGD",
            "The valley over w and b with two paths. On all readings the path is smooth, on samples of four it trembles "
            "along the same way.",
        ),
    ),
    more=(Snippet(average, "A mean of gradients is the gradient of the mean"),),
    measured=(Snippet(walks),),
)
