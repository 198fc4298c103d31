"""``python -m autograd_tour`` is the command ``autograd-tour``."""

from __future__ import annotations

from autograd_tour.cli import main

if __name__ == "__main__":
    main()
