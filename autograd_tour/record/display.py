"""How records show themselves: in a line where text is asked for, as a picture where HTML is."""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module

__all__ = ["Displayed", "amount"]


class Displayed:
    """What notebooks, galleries and prompts ask an object for."""

    __slots__ = ()

    def summary(self) -> str:
        """One line, without brackets around it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        text = self.summary()
        return f"<{text if len(text) < 190 else text[:187] + '…'}>"

    def _repr_html_(self) -> str | None:
        """A picture; ``None``, so that the line is shown, if there is nothing to draw or nothing that draws.

        Drawing is no part of the record, so it is loaded only when a picture is asked for.
        """
        picture: str | None = import_module("autograd_tour.hosts.display").html_of(self)
        return picture

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """The line and the picture, each if it is asked for."""
        bundle = {"text/plain": repr(self)}
        if include is None or "text/html" in include:
            picture = self._repr_html_()
            bundle |= {"text/html": picture} if picture is not None else {}
        return {
            kind: data
            for kind, data in bundle.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


def amount(count: int, noun: str, nouns: str = "") -> str:
    """``1 leaf``, ``2 leaves``."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
