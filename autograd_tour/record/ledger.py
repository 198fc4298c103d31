"""What each backward call added to each leaf, zeroed and not: frozen plain data."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from autograd_tour.record.display import Displayed, amount
from autograd_tour.record.facts import TensorFacts

__all__ = ["POLICIES", "Call", "LeafAccount", "Ledger", "Policy"]

Policy = Literal["keep", "zero_", "none", "program"]
POLICIES: tuple[Policy, ...] = ("keep", "zero_", "none")
"""What happens to ``.grad`` before a call: nothing; ``.grad.zero_()``; ``zero_grad(set_to_none=True)``.

A program that calls backward itself is told under one policy instead, ``program``: whatever it does."""


class Call(Struct, frozen=True, gc=False, omit_defaults=True):
    """One backward call as one leaf saw it; ``None`` means no gradient.

    ``before`` is ``.grad`` just before the call (after any zeroing), ``contribution`` what the
    engine brought, ``after`` the sum.
    """

    before: TensorFacts | None = None
    contribution: TensorFacts | None = None
    after: TensorFacts | None = None


class LeafAccount(Struct, frozen=True, gc=False, omit_defaults=True):
    """One leaf through all calls, once for each policy: those of :data:`POLICIES`, or ``program``."""

    name: str
    shape: tuple[int, ...] = ()
    keep: tuple[Call, ...] = ()
    zero_: tuple[Call, ...] = ()
    none: tuple[Call, ...] = ()
    program: tuple[Call, ...] = ()

    def under(self, policy: Policy) -> tuple[Call, ...]:
        """The calls under one policy."""
        return {"keep": self.keep, "zero_": self.zero_, "none": self.none, "program": self.program}[policy]

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies under which this leaf is told."""
        return ("program",) if self.program else POLICIES


class Ledger(Displayed, Struct, frozen=True, omit_defaults=True):
    """``calls`` backward calls on every leaf of a program: a fresh forward each, or the program's own.

    ``of`` says how many the program made in all where that is more. ``notes`` are remarks for the reader, as
    in :class:`autograd_tour.record.graph.Meta`. ``steady``: every leaf was measured before each call, and was
    the same each time.
    """

    calls: int = 0
    accounts: tuple[LeafAccount, ...] = ()
    losses: tuple[TensorFacts | None, ...] = ()
    notes: tuple[str, ...] = ()
    steady: bool = False
    of: int = 0

    @property
    def extent(self) -> str:
        """``4 backward calls``, or ``the first 4 of 25 backward calls``."""
        if self.of > self.calls:
            return f"the first {self.calls} of {amount(self.of, 'backward call')}"
        return amount(self.calls, "backward call")

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies under which the calls are told."""
        return self.accounts[0].policies if self.accounts else POLICIES

    def summary(self) -> str:
        """How many calls on how many leaves."""
        leaves = amount(len(self.accounts), "leaf", "leaves")
        return f"Ledger of {self.extent} on {leaves}"
