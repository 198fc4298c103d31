"""What the code of a stop uses without making it: the modules and the readings of the thermometer."""

from __future__ import annotations

import re

from autograd_tour.formats.tour.content import Listing

__all__ = ["GIVEN", "given_for"]

READINGS = (
    "t_c = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])",
    "t_u = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])",
    "t_un = 0.1 * t_u",
)

GIVEN = ("import torch", *READINGS)
"""What runs before the code of a stop, in a notebook or at a prompt."""

_READING = re.compile(r"\bt_(?:c|u|un)\b")


def given_for(*listings: Listing) -> Listing:
    """The lines that the code needs before it: the readings only where it uses them."""
    text = "\n".join(line for listing in listings for line in listing.lines)
    return Listing("What is given", GIVEN if _READING.search(text) else GIVEN[:1])
