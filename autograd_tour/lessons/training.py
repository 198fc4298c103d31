"""The training lesson: a report, and a picture of two losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autograd_tour.drawing.curves import Panel, Series, curves
from autograd_tour.drawing.extents import drawing_view
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.formats.svg import paper_theme
from autograd_tour.formats.to_pdf import pdf
from autograd_tour.formats.to_png import png
from autograd_tour.lessons.base import ProgramLesson
from autograd_tour.lessons.training_loops import loops
from autograd_tour.lessons.training_report import report
from autograd_tour.lessons.training_study import Study, study
from autograd_tour.text import number

__all__ = ["lesson", "loss_picture"]

FIRST = 60
"""Epochs of the panel in which single steps can be seen."""
FORMATS = ("txt", "svg", "png", "pdf")


def loss_picture(result: Study, theme: ThemeName = "auto", room: Room | None = None) -> str:
    """The losses of both loops, as SVG: the first epochs beside all of them, and the least loss there is."""
    zeroed, not_zeroed = result.zeroed.losses, result.not_zeroed.losses
    first = min(FIRST, result.epochs)
    least = number(result.best.loss, 4)

    def series(epochs: int) -> tuple[Series, ...]:
        return (
            Series("zeroed", tuple(enumerate(zeroed[:epochs], start=1))),
            Series("without zeroing", tuple(enumerate(not_zeroed[:epochs], start=1))),
            Series(f"optimum {least}", ((1, result.best.loss), (epochs, result.best.loss))),
        )

    return curves(
        (
            Panel(series(first), "epoch", heading=f"the first {first} epochs, linear", width=300.0),
            Panel(
                series(result.epochs),
                "epoch",
                log_x=True,
                log_y=True,
                heading=f"all {result.epochs} epochs, both axes logarithmic",
                width=460.0,
            ),
        ),
        title="The same training loop, with and without zeroing .grad",
        desc=(
            f"Two losses over {result.epochs} epochs, the first {first} also on linear axes, and the least "
            f"loss there is, {least}. With zeroing the loss falls "
            f"from {zeroed[0]:.1f} to {zeroed[-1]:.4g} and stays there. Without zeroing it swings between "
            f"{min(not_zeroed):.3g} and {max(not_zeroed):.3g} to the end."
        ),
        y_label=f"loss on t_un, learning rate {result.learning_rate:g}",
        theme=theme,
        prefix="training-loss",
        room=room,
    )


class Training(ProgramLesson):
    """The training loop and the optimizers: a report and the picture of two losses.

    Its program is a few rounds of the loops, which questions are asked about.
    """

    def files(self, settings: Settings) -> Mapping[str, str | bytes]:
        """``training-report.txt`` and ``training-loss.svg``, or those whose formats were chosen.

        Takes about a quarter of a minute.

        Raises:
            UsageError: only formats were chosen that this lesson does not have.
        """
        wanted = [choice for choice in dict.fromkeys(settings.formats or ("txt", "svg")) if choice in FORMATS]
        if not wanted:
            choices = " or ".join(f"-f {choice}" for choice in FORMATS)
            raise UsageError("the training lesson has no trace to write", f"Choose {choices}")
        result = study()
        still = paper_theme(settings.theme)
        write: dict[str, Callable[[], str | bytes]] = {
            "txt": lambda: report(result),
            "svg": lambda: loss_picture(result, settings.theme, settings.room),
            "png": lambda: png(loss_picture(result, still, settings.room), settings.scale),
            "pdf": lambda: pdf([loss_picture(result, still, settings.room)]),
        }
        with drawing_view("loss"):
            return {
                f"training-{'report' if ending == 'txt' else 'loss'}.{ending}": write[ending]()
                for ending in wanted
            }


lesson = Training(
    "training", "the loop by hand, with and without zeroing, and every optimizer of torch.optim", loops
)
