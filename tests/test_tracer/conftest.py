"""Puts the example programs and the oracle where tests can import them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(autouse=True)
def _fixed_seed_and_no_leftovers() -> Iterator[None]:
    """Every test starts from the same random numbers and leaves torch's global hooks as they were."""
    import torch  # here: the process that hands out tests needs none

    hooks = torch.nn.modules.module
    kinds = (
        hooks._global_forward_pre_hooks,
        hooks._global_forward_hooks,
        hooks._global_forward_hooks_always_called,
        hooks._global_backward_hooks,
    )
    before = [len(kind) for kind in kinds]
    torch.manual_seed(0)
    yield
    assert [len(kind) for kind in kinds] == before, "a module hook was left behind"
    assert torch._C._len_torch_function_stack() == 0, "a mode was left behind"
    gc.collect(1)  # what the test made: all that lives would take far longer than most tests
