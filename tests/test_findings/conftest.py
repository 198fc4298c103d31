"""Puts the example programs where tests can import them; every test starts from the same random numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))


@pytest.fixture(autouse=True)
def _same_start_and_nothing_left() -> Iterator[None]:
    import torch  # here: the process that hands out tests needs none

    backward = torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad
    torch.manual_seed(0)
    yield
    assert torch._C._len_torch_function_stack() == 0, "a mode was left behind"
    now = torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad
    assert now == backward, "backward was not put back"
