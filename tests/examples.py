"""How many examples hypothesis tries: few in the quick run, all of them with ``--hypothesis-profile=full``."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]

ALL = 100
"""Examples of a test that says nothing of them, in the full profile: what hypothesis itself takes."""

settings.register_profile("full", max_examples=ALL)
settings.register_profile("quick", max_examples=ALL // 5)


def examples(most: int) -> int:
    """Of ``most``, which the full profile tries, those that the present one does."""
    return max(1, most * settings.default.max_examples // ALL)
