"""The page: one HTML file with the picture, its steps, the code, the ledger and the questions."""

from autograd_tour.formats.page.document import page

__all__ = ["page"]
