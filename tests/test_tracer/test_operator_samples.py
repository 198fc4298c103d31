"""Every operator that torch tests itself with, on torch's own sample inputs."""

from __future__ import annotations

import itertools
import sys
import types
import unittest
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from oracle import check, untraced
from torch import Tensor

SAMPLES = 3
LEAST = 1_400


def operators() -> list[Any]:
    if "expecttest" not in sys.modules:  # torch's list wants it for its own tests only
        stand_in = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
        stand_in.assert_expected_inline = None  # type: ignore[attr-defined]
        sys.modules["expecttest"] = stand_in
    from torch.testing._internal.common_methods_invocations import op_db

    return [op for op in op_db if op.supports_autograd and torch.float32 in op.dtypes]


def fresh(value: Any) -> Any:
    """The same with new leaves: an operator may work in place."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(map(fresh, value))
    return value


def samples(op: Any) -> Iterator[Any]:
    try:
        yield from itertools.islice(op.sample_inputs("cpu", torch.float32, requires_grad=True), SAMPLES)
    except (RuntimeError, NotImplementedError, ImportError, unittest.SkipTest):
        return


def program_of(op: Any, sample: Any) -> Any:
    def program() -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        named = {key: fresh(value) for key, value in sample.kwargs.items()}
        result = op(fresh(sample.input), *map(fresh, sample.args), **named)
        results = result if isinstance(result, (tuple, list)) else [result]
        wanted = [item for item in results if isinstance(item, Tensor) and item.requires_grad]
        return tuple((item.abs() if item.is_complex() else item).sum() for item in wanted)

    return program


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_torchs_own_operators_are_recorded_to_the_last_bit():
    held, wrong = 0, []
    for op in operators():
        for sample in samples(op):
            program = program_of(op, sample)
            try:
                if not program():
                    continue
                untraced(program)
            except (RuntimeError, NotImplementedError, TypeError, ValueError):
                continue  # it does not run here without a trace either
            try:
                check(program)
                held += 1
            except Exception as error:
                wrong.append(f"{op.name}: {type(error).__name__}: {str(error)[:200]}")
    assert not wrong, "\n".join(wrong)
    assert held >= LEAST
