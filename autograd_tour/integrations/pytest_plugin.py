"""The fixture ``assert_gradients_flow``: pytest finds it by itself where this package is installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autograd_tour import testing

__all__ = ["assert_gradients_flow"]


@pytest.fixture
def assert_gradients_flow() -> Callable[..., None]:
    """:func:`autograd_tour.testing.assert_gradients_flow`, which fails a test without gradients."""
    return testing.assert_gradients_flow
