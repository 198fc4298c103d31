"""What a stop of the tour is: one file with one object called ``stop``.

Nothing in it is a number that was computed elsewhere: its code runs, and :class:`Teaching` is made of what
came out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autograd_tour.drawing.curves import Series
from autograd_tour.drawing.multiples import Walk
from autograd_tour.drawing.surface import Height
from autograd_tour.formats.tour.content import Teaching
from autograd_tour.questions import Question, Wrong
from autograd_tour.questions.base import TOLERANCE
from autograd_tour.text import number

__all__ = [
    "Chart",
    "Failing",
    "Figures",
    "Mistake",
    "Panels",
    "Picture",
    "Print",
    "Snippet",
    "Stop",
    "Surface",
    "choose",
    "predict",
]


class Print(Protocol):
    """What a snippet prints with. It is called ``print`` there, and prints what Python's own would."""

    def __call__(self, *parts: Any) -> None:
        """Print ``parts``; the last one is a figure, called what the first one says."""


Code = Callable[[Print], object]


class Figures:
    """What the code of a stop printed, by label; a tensor as nested lists of floats.

    What the transfer printed is apart, in ``transfer``: it may use the same labels.
    """

    def __init__(self, printed: Sequence[tuple[str, Any]], transfer: Figures | None = None) -> None:
        self.printed = tuple(printed)
        self._transfer = transfer

    @property
    def transfer(self) -> Figures:
        """What the code of the transfer printed."""
        return self._transfer if self._transfer is not None else Figures(())

    def every(self, label: str) -> list[Any]:
        """All that was printed behind ``label``, in order.

        Raises:
            KeyError: nothing was.
        """
        values = [value for name, value in self.printed if name == label]
        if not values:
            raise KeyError(label)
        return values

    def __getitem__(self, label: str) -> Any:
        return self.every(label)[0]


@dataclass(frozen=True)
class Snippet:
    """Code that is shown and runs: the body of a function whose only parameter is ``print``.

    A last line ``return …`` is for the recording alone and is not shown. ``note`` is shown with what it
    printed. What is ``folded`` is seen when the reader opens it.
    """

    code: Code
    title: str = ""
    note: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Failing:
    """Code that raises, and the same with the fix.

    ``cause`` is a piece of the one line that is to blame, ``node`` the ``grad_fn`` that the error is about.
    """

    code: Code
    cause: str
    node: str
    about: str
    fixed: Code
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture of what ``code`` did, or of the hook: ``steps``, ``run``, ``graph`` or another view.

    ``mark`` names cards, ``gradient`` is what the backward of a vector starts with. ``from_json``: ``code``
    returns a saved trace, and that is drawn. Without
    ``backward`` none is run.
    """

    view: str = "steps"
    title: str = ""
    code: Code | None = None
    mark: tuple[str, ...] = ()
    gradient: Sequence[float] | None = None
    from_json: bool = False
    backward: bool = True


@dataclass(frozen=True)
class Chart:
    """Lines in a coordinate system, of figures of the stop."""

    series: Callable[[Figures], Sequence[Series]]
    title: str
    summary: str
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Surface:
    """Paths over the loss of w and b, from above; ``window`` is its lower left and upper right corner."""

    heights: Callable[[Figures], Sequence[Height]]
    paths: Callable[[Figures], Sequence[Series]]
    window: tuple[tuple[float, float], tuple[float, float]]
    title: str
    summary: str


@dataclass(frozen=True)
class Panels:
    """One path in each of several pictures of the surface; ``lowest`` is where the loss is least."""

    heights: Callable[[Figures], Sequence[Height]]
    walks: Callable[[Figures], Sequence[Walk]]
    window: tuple[tuple[float, float], tuple[float, float]]
    lowest: Callable[[Figures], tuple[float, float]]
    title: str
    summary: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop:
    """A stop of the tour. ``number`` is its place, ``part`` one of the five, ``name`` starts its files.

    ``objective`` ends the sentence "Afterwards you can …", ``misconception`` the sentence "Somebody believes
    that …". ``prerequisites`` are stops that come before; ``recall`` are the two earlier ones that are asked
    about again. ``tell`` gets the figures of all code;
    ``measured`` is code that is not shown, and measures what charts draw.
    """

    number: int
    part: int
    name: str
    title: str
    objective: str
    misconception: str
    prerequisites: tuple[int, ...]
    hook: Snippet
    transfer: Snippet
    tell: Callable[[Figures], Teaching]
    recall: tuple[int, ...]
    reading: tuple[str, ...]
    pictures: tuple[Picture | Chart | Surface | Panels, ...] = ()
    errors: tuple[Failing, ...] = ()
    more: tuple[Snippet, ...] = ()
    measured: tuple[Snippet, ...] = ()


Mistake = tuple[float | str | None, str, int]
"""A wrong answer, what whoever gives it has assumed, and the stop that removes the assumption."""


def predict(
    question_id: str,
    prompt: str,
    answer: float | None,
    right: str,
    mistakes: Sequence[Mistake],
    *,
    tolerance: float = TOLERANCE,
) -> Question:
    """A question whose answer is a number, or ``None`` as in an empty ``.grad``."""
    wrong = tuple(Wrong(_typed(value), feedback, stop) for value, feedback, stop in mistakes)
    return Question(question_id, "tour", prompt, _typed(answer), right, wrong, tolerance=tolerance)


def choose(question_id: str, prompt: str, answer: str, right: str, mistakes: Sequence[Mistake]) -> Question:
    """A question whose answer is one of several sentences; the order tells nothing."""
    wrong = tuple(Wrong(str(value), feedback, stop) for value, feedback, stop in mistakes)
    choices = tuple(sorted((answer, *(item.answer for item in wrong))))
    return Question(question_id, "tour", prompt, answer, right, wrong, choices, 0.0)


def _typed(value: float | str | None) -> str:
    if value is None:
        return "None"
    return value if isinstance(value, str) else number(value)
