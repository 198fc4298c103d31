"""What a view is: a pure function from a trace to a picture without places, with a name.

What a view gets: a :class:`~autograd_tour.record.trace.Trace`. Its graph is as the reader wants to see
it: whole, folded or in focus; all that :func:`~autograd_tour.record.validate.validate` says holds. A
folded card is a node of the kind ``group``. ``ledger`` is ``None`` where nobody followed the calls.

What it may do: read all of it, and use what stands in this package: :func:`~autograd_tour.views.cards.
cards_scene` makes the cards of a graph, :mod:`~autograd_tour.views.wording` puts tensors into words. It
must not change what it gets, and for equal traces it must return equal pictures. If it makes a graph of its
own and draws that, it calls ``validate`` first.

What it must return: a :class:`~autograd_tour.views.picture.Scene`, whose links join its cards, a
:class:`~autograd_tour.views.picture.Film`, a :class:`~autograd_tour.views.picture.Chart`, a
:class:`~autograd_tour.views.picture.RunChart`, or a :class:`~autograd_tour.views.picture.Listing`; also for
an empty graph. A text that may be long says by ``room`` how many px it may take; nothing else of a picture
has a size in px but the rows. Where the trace has not what the view shows, it raises a
:class:`~autograd_tour.errors.UsageError` with a hint. What it returns is checked before it is drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from autograd_tour.record.trace import Trace
from autograd_tour.views.look import Look
from autograd_tour.views.picture import Picture

__all__ = ["View"]


class View(ABC):
    """A way to look at a trace. One file with one object called ``view`` (or a tuple of them) adds one."""

    name: str
    """What ``--view`` takes."""
    summary: str
    """One line for help texts."""
    rows: bool = False
    """Whether :meth:`chosen` leaves out rows and arrows."""
    briefer: bool = False
    """Whether :meth:`chosen` knows ``look.brief``, for where room is short."""
    of_edges: bool = False
    """Whether it shows ``next_functions`` as they are, so that no operation may be left out."""

    def condensed(self, trace: Trace) -> Trace:
        """``trace`` with what this view shows as one card; what is too large is folded after that."""
        return trace

    def chosen(self, trace: Trace, look: Look) -> Picture:  # noqa: ARG002 (most views have no choice)
        """The picture with the rows and arrows that ``look`` asks for; most views show what they show."""
        return self.picture(trace)

    @abstractmethod
    def picture(self, trace: Trace) -> Picture:
        """The picture of ``trace``, which is not changed.

        Raises:
            UsageError: the trace has not what this view shows.
        """
