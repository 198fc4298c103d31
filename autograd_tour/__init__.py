"""See what PyTorch's autograd did: trace a program, then draw the record.

>>> import autograd_tour as tour
>>> graph = tour.trace(loss)  # doctest: +SKIP
>>> tour.save(graph, "loss.svg")  # doctest: +SKIP

Importing this package loads no torch: a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograd_tour.checks.verify import verify
    from autograd_tour.diagnosis import Explanation, explain
    from autograd_tour.errors import TourError
    from autograd_tour.findings import Finding
    from autograd_tour.formats.save import dot, report, save, svg
    from autograd_tour.hosts.display import page
    from autograd_tour.record.codec import dumps, loads
    from autograd_tour.record.facts import TensorFacts
    from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
    from autograd_tour.record.ledger import Ledger
    from autograd_tour.record.node import Node
    from autograd_tour.record.run import Run
    from autograd_tour.record.trace import Trace
    from autograd_tour.record.verification import Verification
    from autograd_tour.tracer import accumulate, follow, stepper, trace
    from autograd_tour.watching import GradientWarning, watch

__all__ = [
    "BackwardPass",
    "Edge",
    "Explanation",
    "Finding",
    "GradientWarning",
    "Graph",
    "Ledger",
    "Node",
    "Run",
    "Step",
    "TensorFacts",
    "TourError",
    "Trace",
    "Verification",
    "__version__",
    "accumulate",
    "dot",
    "dumps",
    "explain",
    "follow",
    "loads",
    "page",
    "report",
    "save",
    "stepper",
    "svg",
    "trace",
    "verify",
    "watch",
]

__version__ = "0.1.0"

_ROOMS = {
    "checks.verify": ("verify",),
    "record.codec": ("dumps", "loads"),
    "diagnosis": ("Explanation", "explain"),
    "errors": ("TourError",),
    "findings": ("Finding",),
    "hosts.display": ("page",),
    "record.facts": ("TensorFacts",),
    # Not of `formats` itself: there `dot` and `svg` become its submodules once those are loaded.
    "formats.save": ("dot", "report", "save", "svg"),
    "record.graph": ("BackwardPass", "Edge", "Graph", "Step"),
    "record.node": ("Node",),
    "record.run": ("Run",),
    "record.ledger": ("Ledger",),
    "record.trace": ("Trace",),
    "record.verification": ("Verification",),
    "tracer": ("accumulate", "follow", "stepper", "trace"),
    "watching": ("GradientWarning", "watch"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: object) -> None:
    """``%load_ext autograd_tour``: the cell magic ``%%autograd``."""
    import_module(f"{__name__}.integrations.jupyter").load(shell)
