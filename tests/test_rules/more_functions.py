"""Functions of the vocabulary for linear algebra, transforms, sampling and special functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["MORE"]

MORE: dict[str, Callable[..., Any]] = {}
"""What each of these functions computes."""
