"""The training lesson in words and tables: pure text from plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from autograd_tour.text import number

if TYPE_CHECKING:
    from autograd_tour.lessons.optimizers import Outcome
    from autograd_tour.lessons.training_study import Moment, Study

__all__ = ["report"]

WIDTH = 98
NEAR = 1.005
"""Within half a percent of the least loss there is, an optimizer counts as arrived."""

_WHY = {
    "Adadelta": """It works out the size of its steps from the steps before and begins with very small
        ones. lr only multiplies them: 0.01 makes each a hundredth of what it is with the default of 1.""",
    "Adafactor": """Each of its steps is about lr times the size of the parameters themselves, here
        about 13, however small the gradient. It arrives, and then jumps back and forth over the optimum;
        the average of its last 500 epochs is the optimum. With lr 0.01 its steps shrink only after
        10,000 epochs, when 1/sqrt(epoch) falls below lr.""",
    "Adagrad": """It divides by the root of the sum of all squared gradients so far. That sum never
        shrinks, so the steps do: about lr/sqrt(epoch) each while the gradient keeps its size, 1.4 in all
        after 5,000 epochs with lr 0.01. The way to b at the optimum is 17.""",
    "AdamW": """It is Adam with weight decay, 0.01 unless told otherwise, which pulls both parameters
        towards 0 in every step, and b has a long way to go from 0. It is late: 2.928 after 10,000 epochs.
        Where it rests in the end, pull and gradient balance, near the optimum and not quite on it.""",
}


def report(result: Study) -> str:
    """The whole report; figures have as many digits as every CPU agrees on."""
    about = f"""t_c = w · t_u + b, eleven readings; the loss is the mean of the squared differences. The
        loops run on t_un = 0.1 · t_u from w = 1, b = 0, with learning rate {number(result.learning_rate)},
        for {result.epochs} epochs. Computed in double precision, so that these figures are the same on
        every machine; in float32, torch's default, the loss of the first loop has the same five digits."""
    parts = [_heading("Training the thermometer", "="), _paragraph(about)]
    return "\n\n".join([*parts, *_loops(result), *_steps(result), *_optimizers(result)]) + "\n"


def _loops(result: Study) -> list[str]:
    every = max(1, result.epochs // 10)
    epochs = range(every, result.epochs + 1, every)
    table = [("epoch", "zeroed", "without zeroing")]
    table += [(str(e), f"{result.zeroed.at(e):.5f}", number(result.not_zeroed.at(e), 3)) for e in epochs]
    first = [("epoch", "zeroed", "without zeroing")]
    first_epochs = range(1, min(6, result.epochs) + 1)
    first += [(str(e), f"{result.zeroed.at(e):.1f}", f"{result.not_zeroed.at(e):.1f}") for e in first_epochs]
    ends = (("zeroed", result.zeroed), ("without zeroing", result.not_zeroed))
    same = len(result.momentum.losses) == len(result.not_zeroed.losses) and all(
        math.isclose(a, b, rel_tol=1e-6)
        for a, b in zip(result.not_zeroed.losses, result.momentum.losses, strict=True)
    )
    low, high = min(result.not_zeroed.losses), max(result.not_zeroed.losses)
    return [
        _heading("1. The loop by hand, with and without zeroing"),
        _code(
            "for epoch in range(1, n_epochs + 1):",
            "    if params.grad is not None:",
            "        params.grad.zero_()                  # this line is what the second column leaves out",
            "    loss = loss_fn(model(t_u, *params), t_c)",
            "    loss.backward()",
            "    with torch.no_grad():",
            "        params -= learning_rate * params.grad",
        ),
        "The first epochs:",
        _table(first),
        "The long run:",
        _table(table),
        _table([("", "w", "b"), *((name, *map(_four, run.params)) for name, run in ends)], left=1),
        _paragraph(
            f"""backward() adds to .grad. Without zeroing, every update therefore uses the sum of all
            gradients so far, and a sum remembers: once past the bottom of the valley, the old gradients
            still push on. The loss swings between {number(low, 3)} and {number(high, 3)} and never settles.
            This is not just a bigger step; it is momentum without friction."""
        ),
        _paragraph(
            f"""optim.SGD(momentum=1.0), with zeroing, keeps the same sum in a place of its own. Its losses
            {"are the same, epoch by epoch." if same else "differ, which is new: something to look into."}"""
        ),
    ]


def _steps(result: Study) -> list[str]:
    parts = [
        _heading("2. One step of optim.SGD: who changes what"),
        _paragraph(
            """An optimizer is given the parameters when it is built and holds on to them. backward()
            changes .grad only, step() the parameters only, zero_grad() .grad only."""
        ),
    ]
    for name, moments in result.steps:
        rows = [("after", "params", "params.grad"), *(_moment(moment) for moment in moments)]
        parts += [f"SGD, {name}:", _table(rows, left=3)]
    parts.append(
        _paragraph(
            """None is an empty slot and 0 is a number. SGD skips a parameter whose .grad is None; with
            zeros it would still apply weight decay and momentum. In the last table the gradient is gone
            before step() could use it: nothing is learned, and nothing complains. With None in the slot,
            params.grad.zero_() raises AttributeError, which is why the loop above asks first."""
        )
    )
    return parts


def _moment(moment: Moment) -> tuple[str, str, str]:
    return moment.after, _vector(moment.params), "None" if moment.grad is None else _vector(moment.grad)


def _optimizers(result: Study) -> list[str]:
    ran = [outcome for outcome in result.outcomes if not outcome.reason]
    refused = [outcome for outcome in result.outcomes if outcome.reason]
    away = [outcome for outcome in ran if not outcome.loss <= NEAR * result.best.loss]
    table = [("optimizer", "final loss", "w", "b", "")]
    table += [_outcome(outcome, "not at the optimum" if outcome in away else "") for outcome in ran]
    table.append(_outcome(result.best, "the optimum"))
    better = [("with other settings", "final loss", "w", "b", "")]
    better += [_outcome(outcome, "") for outcome in result.remedies]
    verb = "is" if len(away) == 1 else "are"
    why = [
        _hanging(f"{outcome.name}: {_WHY.get(outcome.name, 'new here, and not yet explained.')}")
        for outcome in away
    ]
    return [
        _heading(f"3. All {len(result.outcomes)} optimizers of torch.optim on the same problem"),
        _paragraph(
            f"""On t_un with lr={number(result.learning_rate)} and {result.epochs} epochs, everything else as
            torch sets it. {len(ran)} run, {len(refused)} cannot."""
        ),
        _table(table, left=1),
        _paragraph(
            """± marks an optimizer that jumps back and forth to the end: loss, w and b are then averages
            over the last 500 epochs, and ± is half the width of what w covers there."""
        ),
        "Those that cannot run, in their own words:",
        "\n".join(_hanging(f"{outcome.name}, {outcome.reason}") for outcome in refused) or "    none",
        f"Why {_and([outcome.name for outcome in away]) or 'none'} {verb} not at the optimum:",
        "\n".join(why),
        "The same problem and the same epochs, with other settings:",
        _table(better, left=1),
        _paragraph(
            """One problem and one learning rate are no contest. What the tables show is that lr means
            something else to each optimizer: what suits one is far too little for another."""
        ),
    ]


def _outcome(outcome: Outcome, remark: str) -> tuple[str, str, str, str, str]:
    if outcome.reason:
        return outcome.name, "", "", "", outcome.reason
    # An average over jumps has a digit less that holds.
    loss = f"{outcome.loss:.4f} " if outcome.jumps else f"{outcome.loss:.5f}"
    spread = f"± {number(outcome.jumps, 2)}  " if outcome.jumps else ""
    w, b = (_four(value) for value in outcome.end_params)
    return outcome.name, loss, w, b, f"{spread}{remark}"


def _four(value: float) -> str:
    """Four decimals, kept even if they are zeros: these stand in columns."""
    return f"{value:.4f}".replace("-", "\u2212")


def _vector(values: Sequence[float]) -> str:
    return f"[{', '.join(number(value) for value in values)}]"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _heading(text: str, rule: str = "-") -> str:
    return f"{text}\n{rule * len(text)}"


def _paragraph(text: str) -> str:
    return fill(_flat(text), WIDTH, break_long_words=False, break_on_hyphens=False)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _hanging(text: str) -> str:
    return fill(_flat(text), WIDTH, subsequent_indent="      ", initial_indent="    ", break_on_hyphens=False)


def _code(*lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _table(rows: Sequence[Sequence[str]], left: int = 0) -> str:
    """Columns, the first ``left`` of them and the last remark to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    remarks = len(widths) - 1 if len(widths) == 5 else len(widths)
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < left or i == remarks else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"    {'   '.join(cells)}".rstrip())
    return "\n".join(lines)
