"""What came out when a record was held against what does not depend on it: frozen plain data."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.record.facts import Number
from autograd_tour.record.graph import SourceLine

__all__ = [
    "Check",
    "CheckName",
    "Deviation",
    "Differences",
    "Element",
    "Gap",
    "Gradients",
    "Kink",
    "Likeness",
    "Mismatch",
    "Outcome",
    "Reason",
    "Result",
    "Skipped",
    "Sums",
    "Suspect",
    "Training",
    "Unlike",
    "Verification",
]

CheckName = Literal["torchviz", "autograd", "differences", "sums", "run"]
Outcome = Literal["ok", "differs", "skipped"]

Reason = Literal[
    "saved",
    "structure",
    "compared",
    "no backward",
    "existing",
    "unrepeatable",
    "failed",
    "too deep",
    "not installed",
    "torchviz failed",
    "unreadable",
    "not finite",
    "unheard",
    "precision",
]
"""Why a check was skipped: it is a saved trace; it has the structure only; it is two runs in one; no
backward was recorded; the graph was there before the program ran; each run of the program gives other
numbers; it failed when it ran again; the graph is too deep for torchviz; torchviz cannot be loaded; it
raised an error; the loss is NaN or infinite; no leaf is used where torch functions are heard; the program
does not run in float64; the numbers
of no leaf can be read, as on the device meta."""


class Skipped(Struct, frozen=True, tag="skipped", omit_defaults=True):
    """Nothing was compared. ``detail`` is a number, a version or an error's text that says more."""

    reason: Reason
    detail: str = ""


class Likeness(Struct, frozen=True, tag="likeness", omit_defaults=True):
    """The graph of the record against the one that torchviz ``version`` draws of the same loss.

    ``nodes`` and ``edges`` count what is on both sides; an edge that is there twice counts twice. ``missing``
    is what only torchviz has, ``extra`` what only the record has, ``renamed`` nodes of another class, all as
    texts with class names. Not compared, because torchviz has none of it: the ``stubs`` (slots
    without a gradient) and ``inner`` leaves, to which a Function's own backward leads. Of a program that
    trains it is about so many ``graphs``.
    """

    version: str
    nodes: int
    edges: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    stubs: int = 0
    inner: int = 0
    graphs: int = 1


class Mismatch(Struct, frozen=True, omit_defaults=True):
    """One element of a leaf's gradient as it was recorded and as torch gives it without us.

    An ``index`` of ``None`` stands for the whole tensor: its shape, its type, or whether there is one.
    ``name`` is the leaf, ``where`` the first line that uses it.
    """

    name: str
    index: tuple[int, ...] | None
    recorded: Number | None
    computed: Number | None
    where: SourceLine | None = None


class Gradients(Struct, frozen=True, tag="gradients", omit_defaults=True):
    """The gradient of each leaf, bit for bit; ``elements`` of ``total`` are in the record.

    ``function`` computed them: ``grad`` is :func:`torch.autograd.grad`, ``backward`` stands in where a
    program refuses that. ``mismatches`` has the first of each leaf, ``inner`` counts leaves that cannot be
    compared.
    """

    function: Literal["grad", "backward"]
    leaves: int
    elements: int
    total: int
    mismatches: tuple[Mismatch, ...] = ()
    inner: int = 0


class Element(Struct, frozen=True, omit_defaults=True):
    """One derivative: what backward computes and what differences say.

    ``name`` is the leaf, ``part`` is ``real`` or ``imag`` of a complex element. An ``index`` of ``None``
    stands for a random direction through all elements of the leaf, an empty ``name`` then for all
    leaves. ``tolerance`` is how far apart the two may be, ``where`` the first line that uses it.
    """

    name: str
    index: tuple[int, ...] | None
    analytic: Number
    numerical: Number
    tolerance: float
    part: Literal["", "real", "imag"] = ""
    where: SourceLine | None = None


class Kink(Struct, frozen=True, omit_defaults=True):
    """An element at which the loss has a kink: another slope on each side, backward's between the two."""

    element: Element
    left: float
    right: float


class Suspect(Struct, frozen=True, omit_defaults=True):
    """What a difference can come from.

    A ``function`` is a custom Function whose backward, tried alone, is not the derivative of its forward:
    ``backward`` is where that stands, ``lines`` where it is used. A ``hook`` of the program changed the
    gradient that arrives at ``name``. A ``triangle``: the operation ``name`` reads one triangle of its
    matrix, and its derivative is that for symmetric ones.
    """

    kind: Literal["function", "hook", "triangle"]
    name: str
    backward: str = ""
    lines: tuple[SourceLine, ...] = ()


class Differences(Struct, frozen=True, tag="differences", omit_defaults=True):
    """Backward against central differences of width ``2 * step``, computed in ``dtype``.

    ``elements`` of ``total`` were moved one at a time, those of ``leaves`` leaves. ``worst`` is the furthest
    apart for its tolerance, ``mismatches`` counts those beyond it. ``kinks`` are left out of both.
    ``unheard`` leaves could not be moved, ``infinite`` elements have no finite derivative on either side.
    Of ``edges`` elements the loss is not finite a step away, so nothing can be said of them. ``precision``
    says why it is not float64. ``distance`` is how far the recorded gradients are from those computed here,
    relative to the largest of all; ``None`` if they cannot be paired. ``lopsided`` elements, which are not in
    it, are finite in the record and not here, or the other way round.
    """

    dtype: str
    step: float
    leaves: int
    elements: int
    total: int
    worst: Element | None = None
    mismatches: int = 0
    kinks: tuple[Kink, ...] = ()
    infinite: int = 0
    unheard: int = 0
    suspects: tuple[Suspect, ...] = ()
    distance: float | None = None
    precision: str = ""
    edges: int = 0
    lopsided: int = 0


class Deviation(Struct, frozen=True, omit_defaults=True):
    """A sum that does not close at element ``index``: what it should be and what was recorded.

    All three are ``None`` if a gradient was sent and nothing came of it. ``kind`` says which sum: of what is
    sent to a node, or of ``.grad`` before and what is added; ``call`` is the backward call of the ledger, 0
    for the graph's own.
    """

    name: str
    kind: Literal["received", "accumulated"]
    index: tuple[int, ...] | None
    expected: Number | None
    recorded: Number | None
    where: SourceLine | None = None
    call: int = 0


class Sums(Struct, frozen=True, tag="sums", omit_defaults=True):
    """The sums of the record itself; ``elements`` of ``total`` are in it.

    ``arrivals`` are sums at nodes, ``accumulations`` of ``.grad``. ``hooked`` sums are left out, since a hook
    of the program changed them, ``unsent`` too, since what backward started with is not in the record, or it
    ran inside a Function. Of a program that trains they are those of so many ``graphs``.
    """

    arrivals: int
    accumulations: int
    elements: int
    total: int
    deviations: tuple[Deviation, ...] = ()
    hooked: int = 0
    unsent: int = 0
    graphs: int = 1


class Unlike(Struct, frozen=True, omit_defaults=True):
    """What is another number when the program runs alone.

    It is the loss of backward ``call``, a ``.grad`` after it, or its norm, or a value after a step behind it.
    ``name`` is the leaf, ``where`` the line.
    """

    kind: Literal["loss", "gradient", "norm", "value"]
    name: str
    call: int
    where: SourceLine | None = None


class Gap(Struct, frozen=True, omit_defaults=True):
    """A change that no event tells: of ``.grad`` or of the value of the leaf ``name``.

    It happened between the lines ``after`` and ``before``, at which events are told, ``None`` where there is
    none. ``at_end``: up to the end of the program.
    """

    kind: Literal["gradient", "value"]
    name: str
    after: SourceLine | None = None
    before: SourceLine | None = None
    at_end: bool = False


class Training(Struct, frozen=True, tag="training", omit_defaults=True):
    """The record of a program that trains against the same program run alone, bit for bit.

    ``recorded`` and ``computed`` count the backward calls of each, ``calls`` those that are told in full. Of
    these as many ``losses``, ``gradients`` (``.grad`` after a backward) and ``values`` (after a step) were
    compared. ``hooked`` are left out: a hook of the program may change ``.grad`` while backward runs.
    Of the others as many ``noted_losses`` and ``noted_norms`` (of ``.grad``) were. ``gaps`` are what the
    events themselves leave out.
    """

    recorded: int
    computed: int
    calls: int
    losses: int
    gradients: int
    values: int
    unlike: tuple[Unlike, ...] = ()
    hooked: int = 0
    gaps: tuple[Gap, ...] = ()
    noted_losses: int = 0
    noted_norms: int = 0


Result = Skipped | Likeness | Gradients | Differences | Sums | Training


class Check(Struct, frozen=True):
    """One check: what it is called, how it came out, and its figures."""

    name: CheckName
    outcome: Outcome
    result: Result


class Verification(Struct, frozen=True):
    """All checks of one record, in a fixed order."""

    checks: tuple[Check, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no check differs. One that was skipped says nothing."""
        return all(check.outcome != "differs" for check in self.checks)
