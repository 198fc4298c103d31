"""What a program may not take away from what comes after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["recursion_limit_kept"]


@contextmanager
def recursion_limit_kept() -> Iterator[None]:
    """Run code of the program in here: a lower limit of recursion that it sets ends with it, a higher stays.

    Nothing may stand between this and that code: whatever handles its error may need the old limit.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        if sys.getrecursionlimit() < limit:
            sys.setrecursionlimit(limit)
