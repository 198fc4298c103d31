"""What holds for every test."""

from __future__ import annotations

import os

# Beside each other, test processes with a thread for every core would only get in each other's way.
# torch reads this when it is imported; what a test starts inherits it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
