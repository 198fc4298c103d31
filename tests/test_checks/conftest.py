"""Puts the example programs where tests can import them; every test starts from the same random numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograd_tour.record.verification import Check, Verification

TESTS = Path(__file__).resolve().parent.parent
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))


@pytest.fixture(autouse=True)
def _same_start_and_nothing_left() -> Iterator[None]:
    import torch  # here: the process that hands out tests needs none

    apply = torch.autograd.Function.__dict__["apply"]
    torch.manual_seed(0)
    yield
    assert torch._C._len_torch_function_stack() == 0, "a mode was left behind"
    assert torch.autograd.Function.__dict__["apply"] is apply, "apply was not put back"


def outcomes(verification: Verification) -> dict[str, str]:
    return {check.name: check.outcome for check in verification.checks}


def named(verification: Verification, name: str) -> Check:
    (check,) = [check for check in verification.checks if check.name == name]
    return check
